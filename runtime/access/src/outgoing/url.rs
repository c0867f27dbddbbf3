//! The address of an identity provider.

use std::fmt;

use gateway_terms::authority::{Authority, AuthorityError};
use hyper::Uri;

/// `https://host[:port][/path][?query]`; `http://` for a host on loopback only, because who can change an answer on its
/// way chooses the keys.
#[derive(Clone, PartialEq, Eq)]
pub struct ProviderUrl {
    text: Box<str>,
    pub(crate) tls: bool,
    /// An IPv6 address without its brackets.
    pub(super) host: Box<str>,
    pub(super) port: u16,
    /// As `Host` has it.
    pub(super) authority: Box<str>,
    /// Path and query.
    pub(super) target: Box<str>,
}

/// Why a URL is not the address of a provider. It is not repeated: it may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProviderUrlError {
    /// It is not a URI (RFC 3986).
    #[error("it is not a URL")]
    NoUrl,
    /// It has another scheme, or none.
    #[error("it does not start with https://")]
    Scheme,
    /// Its host or its port is not valid.
    #[error("it {0}")]
    Authority(#[from] AuthorityError),
    /// It has a fragment.
    #[error("it has a fragment")]
    Fragment,
    /// It has no TLS, and leads to another machine.
    #[error("plain http is for loopback only: keys and answers could be changed on their way")]
    InTheClear,
}

impl ProviderUrl {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// It is not one, or not one that can be asked safely.
    pub fn parse(text: &str) -> Result<Self, ProviderUrlError> {
        let uri: Uri = text.parse().map_err(|_| ProviderUrlError::NoUrl)?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(ProviderUrlError::Scheme),
        };
        if text.contains('#') {
            return Err(ProviderUrlError::Fragment);
        }
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let address = Authority::parse(authority)?;
        if !tls && !address.is_loopback() {
            return Err(ProviderUrlError::InTheClear);
        }
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        Ok(Self {
            tls,
            host: address.bare_host().into(),
            port: address.port.unwrap_or(if tls { 443 } else { 80 }),
            authority: authority.into(),
            target: if target.starts_with('/') { target.into() } else { format!("/{target}").into() },
            text: text.into(),
        })
    }

    /// The whole URL.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

/// Without the query, which may hold a key of its own.
impl fmt::Display for ProviderUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text.split('?').next().unwrap_or_default())
    }
}

impl fmt::Debug for ProviderUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProviderUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let url = |text| {
            ProviderUrl::parse(text).map(|url| (url.tls, url.host.into_string(), url.port, url.target.into_string()))
        };
        assert_eq!(url("https://idp.example"), Ok((true, "idp.example".into(), 443, "/".into())));
        assert_eq!(url("https://idp.example:8443/a?b=c"), Ok((true, "idp.example".into(), 8443, "/a?b=c".into())));
        assert_eq!(url("https://idp.example?b=c"), Ok((true, "idp.example".into(), 443, "/?b=c".into())));
        assert_eq!(url("http://[::1]:9/a"), Ok((false, "::1".into(), 9, "/a".into())));
        assert_eq!(url("http://127.8.8.8/a"), Ok((false, "127.8.8.8".into(), 80, "/a".into())));
        assert_eq!(url("http://LOCALHOST/a"), Ok((false, "LOCALHOST".into(), 80, "/a".into())));
        for bad in [
            "",
            "/jwks",
            "idp.example",
            "ftp://a/",
            "https://",
            "https:///a",
            "https://u:p@a/",
            "https://a/#b",
            "https://a:0/",
            "https://a:99999/",
            "https://a:/",
            "https://a b/",
            "http://idp.example/",
            "http://127.0.0.1.example/",
            "http://[::2]/",
            "http://localhost.example/",
            "https://a..b/",
            "https://192.0.2.999/",
        ] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn displayed_urls_have_no_query() {
        let url = ProviderUrl::parse("https://idp.example/keys?code=secret").expect("a URL");
        assert_eq!(format!("{url} {url:?}"), "https://idp.example/keys ProviderUrl(https://idp.example/keys)");
    }
}
