//! The URL of an upstream.

use std::fmt;
use std::net::Ipv6Addr;

use gateway_terms::authority::{Authority, AuthorityError};
use gateway_terms::upstream::{ServiceName, UpstreamScheme};
use rustls::pki_types::ServerName;

use crate::upstream::endpoint::Endpoint;

/// Why a URL is not one of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpstreamUrlError {
    /// It begins with none of [`UpstreamScheme::ALL`].
    Scheme(String),
    /// It has a user, a query, a fragment or a blank.
    TooMuch(String),
    /// Its host or its port is not valid.
    Authority {
        /// The whole URL.
        url: String,
        /// What is wrong with it.
        source: AuthorityError,
    },
    /// This is not a name that a certificate could have.
    Name(String),
    /// This is not the name of a service.
    Service(String),
}

impl fmt::Display for UpstreamUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme(url) => {
                write!(f, "`{url}` does not start with http://, https://, h2c://, h2:// or dns+srv://")
            }
            Self::Service(name) => {
                write!(f, "`{name}` is not the name of a service, such as `_http._tcp.orders.internal`, without a port")
            }
            Self::TooMuch(url) => write!(f, "`{url}` has more than a host, a port and a path"),
            Self::Authority { url, source } => write!(f, "`{url}` {source}"),
            Self::Name(host) => write!(f, "`{host}` is no name that a certificate could have"),
        }
    }
}

impl std::error::Error for UpstreamUrlError {}

/// `http://host[:port][/prefix]`, or the same with another [`UpstreamScheme`]; inside TLS also the name in its
/// certificate.
pub fn parse_url(url: &str) -> Result<(Endpoint, Option<ServerName<'static>>), UpstreamUrlError> {
    let Some((scheme, rest)) = UpstreamScheme::of(url) else {
        return Err(UpstreamUrlError::Scheme(url.to_owned()));
    };
    let (authority, prefix) = rest.split_once('/').map_or((rest, ""), |(authority, path)| (authority, path));
    if authority.contains('@') || rest.contains(['?', '#', ' ']) {
        return Err(UpstreamUrlError::TooMuch(url.to_owned()));
    }
    let (service, authority) = match ServiceName::of(authority) {
        _ if !scheme.is_service => (None, authority),
        Some(name) => (Some(name.service.into()), name.domain),
        None => return Err(UpstreamUrlError::Service(authority.to_owned())),
    };
    let address =
        Authority::parse(authority).map_err(|source| UpstreamUrlError::Authority { url: url.to_owned(), source })?;
    let prefix = prefix.trim_end_matches('/');
    let prefix = if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
    let name = scheme.has_tls.then(|| ServerName::try_from(address.bare_host().to_owned()));
    let name = name.transpose().map_err(|_| UpstreamUrlError::Name(address.host.to_owned()))?;
    Ok((
        Endpoint {
            host: same_host(address.host).into(),
            port: address.port.unwrap_or(scheme.usual_port()),
            authority: authority.into(),
            prefix: prefix.into(),
            service,
            tls: None,
            is_http2: scheme.is_http2,
        },
        name,
    ))
}

/// A host in the one spelling that all have, so that an upstream is known however its address is written.
pub(crate) fn same_host(host: &str) -> String {
    match host.trim_matches(['[', ']']).parse::<Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) => host.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let endpoint = |url| {
            parse_url(url).map(|(endpoint, _)| (endpoint.host, endpoint.port, endpoint.authority, endpoint.prefix))
        };
        assert_eq!(endpoint("http://a.example"), Ok(("a.example".into(), 80, "a.example".into(), "".into())));
        assert_eq!(
            endpoint("http://127.0.0.1:3002/api/"),
            Ok(("127.0.0.1".into(), 3002, "127.0.0.1:3002".into(), "/api".into()))
        );
        assert_eq!(endpoint("http://[::1]:3002"), Ok(("[::1]".into(), 3002, "[::1]:3002".into(), "".into())));
        assert_eq!(endpoint("http://[::1]"), Ok(("[::1]".into(), 80, "[::1]".into(), "".into())));
        assert_eq!(endpoint("https://a.example/b"), Ok(("a.example".into(), 443, "a.example".into(), "/b".into())));
        assert_eq!(endpoint("http://A.Example"), Ok(("a.example".into(), 80, "A.Example".into(), "".into())));
        assert_eq!(endpoint("http://[0:0::A]:81"), Ok(("[::a]".into(), 81, "[0:0::A]:81".into(), "".into())));
        for bad in [
            "ftp://a",
            "a",
            "http://",
            "http://u:p@a",
            "http://a:0",
            "http://a:b",
            "http://a?x",
            "http://a b",
            "http://a..b",
            "http://192.0.2.999",
            "http://[::x]",
        ] {
            assert!(endpoint(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn services_are_taken_apart() {
        let url = "dns+srv+https://_http._tcp.Orders.test/a";
        let (endpoint, name) = parse_url(url).expect("a URL");
        assert_eq!(endpoint.service.as_deref(), Some("_http._tcp"));
        assert_eq!((&*endpoint.host, &*endpoint.authority, &*endpoint.prefix), ("orders.test", "Orders.test", "/a"));
        assert_eq!(name.expect("inside TLS").to_str(), "Orders.test", "not what the records name");
        for bad in [
            "_http._tcp",
            "orders.test",
            "_http._tcp.orders:80",
            "_http.tcp.orders",
            "_http._tcp.orders..test",
            "__._tcp.a",
            "_http._tcp.10.0.0.1",
            "_a._b._tcp.c",
        ] {
            let problem = parse_url(&format!("dns+srv://{bad}")).map(|_| ());
            assert_eq!(problem, Err(UpstreamUrlError::Service(bad.to_owned())));
        }
    }
}
