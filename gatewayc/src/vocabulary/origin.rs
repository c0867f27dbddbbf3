//! Origins in lists of who may call (RFC 6454).

mod host;

use std::net::Ipv6Addr;

use gateway_terms::authority::Authority;

use crate::ir::OriginPattern;
use host::Host;

/// An entry of a list of origins.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ListedOrigin {
    /// `*`.
    Any,
    /// One, as browsers send it (RFC 6454 §6.2).
    One(String),
    /// `https://*.example`.
    Below(OriginPattern),
}

/// Why a text is no origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoOrigin {
    /// For a headline.
    pub(super) problem: &'static str,
    /// For the place.
    pub(super) label: &'static str,
    /// What is meant.
    pub(super) meant: Option<String>,
}

impl NoOrigin {
    fn new(problem: &'static str, label: &'static str) -> Self {
        Self { problem, label, meant: None }
    }

    fn or_rather(self, text: &str) -> Self {
        let meant = match listed_origin(text) {
            Ok(_) => Some(text.to_owned()),
            Err(problem) => problem.meant,
        };
        Self { meant, ..self }
    }
}

/// Reads an entry.
pub(super) fn listed_origin(text: &str) -> Result<ListedOrigin, NoOrigin> {
    match text {
        "*" => return Ok(ListedOrigin::Any),
        "null" => return Ok(ListedOrigin::One(text.to_owned())),
        _ => {}
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        let problem = NoOrigin::new("an origin without a scheme", "expected `https://host[:port]`");
        // A second try ends here.
        let is_bare = !text.contains([':', '@']) || Authority::parse_any_number(text).is_ok();
        return Err(if is_bare { problem.or_rather(&format!("https://{text}")) } else { problem });
    };
    let scheme = scheme.to_ascii_lowercase();
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if !is_scheme {
        return Err(NoOrigin::new("an origin whose scheme is none", "expected `https://host[:port]`"));
    }
    let (authority, behind) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err(NoOrigin::new("an origin with a user name", "browsers send scheme, host and port only"));
    }
    if !behind.is_empty() {
        let problem = NoOrigin::new("an origin with a path", "browsers send scheme, host and port only");
        return Err(problem.or_rather(&format!("{scheme}://{authority}")));
    }
    if !authority.is_ascii() {
        let written = "browsers send it as `xn--…` (RFC 3492), which `location.origin` of such a page shows";
        return Err(NoOrigin::new("an origin whose host is not in ASCII", written));
    }
    let authority = authority.to_ascii_lowercase();
    let (below, authority) = match authority.strip_prefix("*.") {
        Some(domain) => (true, domain),
        None => (false, authority.as_str()),
    };
    if authority.contains('*') {
        let label = "expected a whole label at the beginning, such as `https://*.example.com`";
        return Err(NoOrigin::new("an origin with `*` in the middle of its host", label));
    }
    let Some(authority) = serialised(&scheme, authority, below) else {
        return Err(NoOrigin::new("an origin without a host", "expected a host, and perhaps a port from 1 to 65535"));
    };
    let sent = format!("{scheme}://{}{authority}", if below { "*." } else { "" });
    if sent != text {
        let label = "in small letters, without the usual port, and an address in its usual form";
        return Err(NoOrigin::new("an origin that browsers spell in another way", label).or_rather(&sent));
    }
    Ok(match below {
        true => ListedOrigin::Below(OriginPattern { scheme: format!("{scheme}://"), domain: format!(".{authority}") }),
        false => ListedOrigin::One(format!("{scheme}://{authority}")),
    })
}

/// Host and port as browsers send them: without the port that the scheme has anyway. No address is `below` another.
fn serialised(scheme: &str, authority: &str, below: bool) -> Option<String> {
    let Authority { host, port } = Authority::parse_any_number(authority).ok()?;
    let usual = match scheme {
        "https" => Some(443),
        "http" => Some(80),
        _ => None,
    };
    let host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok()) {
        Some(_) if below => return None,
        Some(address) => host::ipv6(address),
        None if usual.is_none() => host.to_owned(),
        None => match Host::of(host) {
            Host::Name => host.to_owned(),
            Host::Address(address) if !below => address.to_string(),
            Host::Address(_) | Host::None => return None,
        },
    };
    Some(match port.filter(|port| Some(*port) != usual) {
        Some(port) => format!("{host}:{port}"),
        None => host,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_those_that_browsers_send() {
        for text in [
            "https://app.example",
            "http://localhost",
            "http://localhost:3000",
            "https://a.example:8443",
            "http://a.example:443",
            "https://[::1]:8443",
            "http://127.0.0.1:3000",
            "https://xn--bcher-kva.example",
            "chrome-extension://abcdef",
            "capacitor://localhost",
            "null",
        ] {
            assert_eq!(listed_origin(text), Ok(ListedOrigin::One(text.to_owned())), "{text}");
        }
        for (text, scheme, domain) in [
            ("https://*.preview.example", "https://", ".preview.example"),
            ("https://*.a.example:8443", "https://", ".a.example:8443"),
        ] {
            let expected = OriginPattern { scheme: scheme.to_owned(), domain: domain.to_owned() };
            assert_eq!(listed_origin(text), Ok(ListedOrigin::Below(expected)), "{text}");
        }
        assert_eq!(listed_origin("*"), Ok(ListedOrigin::Any));
    }

    #[test]
    fn origins_that_no_browser_sends_are_refused() {
        for (text, problem, meant) in [
            ("app.example", "without a scheme", Some("https://app.example")),
            ("app.example:8443", "without a scheme", Some("https://app.example:8443")),
            ("*.app.example", "without a scheme", Some("https://*.app.example")),
            ("//app.example", "without a scheme", None),
            ("", "without a scheme", None),
            ("data:text", "without a scheme", None),
            ("https://app.example/", "with a path", Some("https://app.example")),
            ("https://app.example/a?b#c", "with a path", Some("https://app.example")),
            ("https://app.example?b", "with a path", Some("https://app.example")),
            ("https:///a", "with a path", None),
            ("https://u:p@app.example", "with a user name", None),
            ("1s://a", "whose scheme is none", None),
            ("https://", "without a host", None),
            ("https://a.example:0", "without a host", None),
            ("https://a.example:70000", "without a host", None),
            ("https://a b", "without a host", None),
            ("https://*", "in the middle", None),
            ("https://*.", "without a host", None),
            ("https://a.*.example", "in the middle", None),
            ("https://a*.example", "in the middle", None),
            ("https://*.*.example", "in the middle", None),
            ("http://localhost:*", "in the middle", None),
            ("https://b\u{fc}cher.example", "not in ASCII", None),
            ("https://*.b\u{fc}cher.example:8443", "not in ASCII", None),
            ("https://stra\u{df}e.example", "not in ASCII", None),
            ("HTTPS://App.Example:443", "in another way", Some("https://app.example")),
            ("https://App.Example", "in another way", Some("https://app.example")),
            ("https://app.example:443", "in another way", Some("https://app.example")),
            ("http://localhost:80", "in another way", Some("http://localhost")),
            ("https://a.example:08443", "in another way", Some("https://a.example:8443")),
            ("https://[0:0::1]:8443", "in another way", Some("https://[::1]:8443")),
            ("https://[::ffff:127.0.0.1]", "in another way", Some("https://[::ffff:7f00:1]")),
            ("https://127.1", "in another way", Some("https://127.0.0.1")),
            ("https://0x7f000001:443", "in another way", Some("https://127.0.0.1")),
            ("http://*.A.example:80", "in another way", Some("http://*.a.example")),
            ("https://App.Example/", "with a path", Some("https://app.example")),
            ("https://1.2.3.256", "without a host", None),
            ("https://*.0.0.1", "without a host", None),
        ] {
            let found = listed_origin(text).expect_err(text);
            assert!(found.problem.contains(problem), "{text}: {found:?}");
            assert_eq!(found.meant.as_deref(), meant, "{text}");
        }
    }
}
