//! APIs that are for HTTPS only: where plain requests are sent, and what browsers are told.

use crate::codegen::{Https, Origin};
use crate::reject::Reject;

/// [`Https::Required`] with this deployment's origins.
#[derive(Debug)]
pub(crate) struct HttpsOnly {
    /// Host in lower case, and origin; a request is sent on within the host that it names.
    origins: Vec<(Box<str>, Box<str>)>,
    /// The line for responses over TLS, with its end; empty for none.
    pub(crate) hsts: Box<str>,
}

/// What a plain request gets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Plain {
    /// The origin that it is sent on to.
    Redirect(Box<str>),
    Refuse(Reject),
}

impl HttpsOnly {
    /// What a document says; `origin` is what the deployment has instead of its hosts.
    pub(crate) fn of(https: &Https, origin: Option<&str>) -> Option<Self> {
        let Https::Required { redirect_to, hsts } = https else { return None };
        let text = |Origin { host, port }: &Origin| match port {
            443 => format!("https://{host}"),
            port => format!("https://{host}:{port}"),
        };
        let origins = match origin.filter(|_| !redirect_to.is_empty()) {
            Some(origin) => vec![(host_of(origin.trim_start_matches("https://")).into(), origin.into())],
            None => redirect_to.iter().map(|origin| (origin.host.into(), text(origin).into())).collect(),
        };
        let hsts = if hsts.is_empty() { "".into() } else { format!("Strict-Transport-Security: {hsts}\r\n").into() };
        Some(Self { origins, hsts })
    }

    /// What a plain request for `authority` gets. Nobody is sent to a host that only the request names.
    pub(crate) fn answer_plain(&self, authority: Option<&str>) -> Plain {
        let Some((_, first)) = self.origins.first() else { return Plain::Refuse(Reject::HttpsRequired) };
        match authority.map(host_of).filter(|host| !host.is_empty()) {
            None => Plain::Redirect(first.clone()),
            Some(host) => match self.origins.iter().find(|(known, _)| **known == *host) {
                Some((_, origin)) => Plain::Redirect(origin.clone()),
                None => Plain::Refuse(Reject::Misdirected),
            },
        }
    }
}

/// `https://host[:port]`, as a deployment writes it.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse_origin(text: &str) -> Result<Box<str>, String> {
    let text = text.strip_suffix('/').unwrap_or(text);
    let authority = text.strip_prefix("https://").ok_or_else(|| format!("`{text}` does not start with https://"))?;
    let host = host_of(authority);
    let port = authority.get(host.len()..).and_then(|rest| rest.strip_prefix(':'));
    let good_port = port.map_or(authority.len() == host.len(), |port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let good_host =
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte));
    if good_host && good_port {
        Ok(text.to_ascii_lowercase().into())
    } else {
        Err(format!("`{text}` is more or less than a host and a port"))
    }
}

/// The host of `host[:port]`, in lower case and without the dot of the root.
pub(crate) fn host_of(authority: &str) -> String {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => host,
        _ => authority,
    };
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_requests_go_to_hosts_that_are_known() {
        const REQUIRED: Https = Https::Required {
            redirect_to: &[Origin { host: "a.example", port: 443 }, Origin { host: "[::1]", port: 8443 }],
            hsts: "",
        };
        let https = HttpsOnly::of(&REQUIRED, None).expect("required");
        for (authority, expected) in [
            (None, Some("https://a.example")),
            (Some(""), Some("https://a.example")),
            (Some("a.example"), Some("https://a.example")),
            (Some("A.Example.:8080"), Some("https://a.example")),
            (Some("[::1]:80"), Some("https://[::1]:8443")),
            (Some("a.example.evil.test"), None),
            (Some("evil.test:443"), None),
            (Some("a.example:80:80"), None),
            (Some("a.example@evil.test"), None),
        ] {
            let expected = expected.map_or(Plain::Refuse(Reject::Misdirected), |origin| Plain::Redirect(origin.into()));
            assert_eq!(https.answer_plain(authority), expected, "{authority:?}");
        }
        let https = HttpsOnly::of(&REQUIRED, Some("https://b.example:8443")).expect("required");
        assert_eq!(https.answer_plain(Some("b.example")), Plain::Redirect("https://b.example:8443".into()));
        assert_eq!(https.answer_plain(Some("a.example")), Plain::Refuse(Reject::Misdirected));
    }

    #[test]
    fn origins_have_a_host_and_nothing_more() {
        assert_eq!(parse_origin("https://A.example:8443/").as_deref(), Ok("https://a.example:8443"));
        for bad in ["http://a", "https://", "https://a/b", "https://a:0", "https://a:b", "https://u@a", "https://a?b"] {
            assert!(parse_origin(bad).is_err(), "{bad}");
        }
    }
}
