//! Redirect URIs: when one is the client's, and what is added to it.

use gateway_base::encoding::form_encode;

/// Whether a client that registered `known` may be answered at `asked`: the same characters (RFC 9700 §4.1.3), except for
/// the port of a loopback address, which a program on the user's device cannot choose beforehand (RFC 8252 §7.3).
pub(super) fn is_same_redirect(known: &str, asked: &str) -> bool {
    if known == asked {
        return true;
    }
    match (loopback_parts(known), loopback_parts(asked)) {
        (Some(known), Some(asked)) => known == asked,
        _ => false,
    }
}

/// The address and what follows the port; `None` unless it is plain HTTP at a loopback address.
fn loopback_parts(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let host = ["127.0.0.1", "[::1]"].into_iter().find(|host| rest.starts_with(host))?;
    let after = &rest[host.len()..];
    let tail = match after.strip_prefix(':') {
        Some(port) => port.trim_start_matches(|character: char| character.is_ascii_digit()),
        None => after,
    };
    let ends_authority = tail.is_empty() || tail.starts_with(['/', '?']);
    ends_authority.then_some((host, tail))
}

/// `uri` with parameters in its query or its fragment, those it has included; `None` where it would be no header value.
pub(super) fn with_parameters<'a>(
    uri: &str,
    in_fragment: bool,
    parameters: impl Iterator<Item = (&'a str, &'a str)>,
) -> Option<String> {
    if !uri.bytes().all(|byte| (b'!'..0x7f).contains(&byte)) {
        return None;
    }
    let mut out = uri.to_owned();
    let mut separator = match (in_fragment, uri.contains('?')) {
        (true, _) => '#',
        (false, true) if uri.ends_with(['?', '&']) => '\0',
        (false, true) => '&',
        (false, false) => '?',
    };
    for (name, value) in parameters {
        if separator != '\0' {
            out.push(separator);
        }
        separator = '&';
        // `%20` and not `+`: fragments are not always read as forms.
        out.extend([name, "=", &form_encode(value.as_bytes()).replace('+', "%20")]);
    }
    Some(out)
}

/// The host, for people.
pub(super) fn host(uri: &str) -> &str {
    match uri.split_once("://") {
        Some((_, rest)) => rest.split(['/', '?', '#']).next().unwrap_or(rest),
        None => uri.split(':').next().unwrap_or(uri),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirect_uris_are_compared_exactly() {
        assert!(is_same_redirect("https://a.example/cb", "https://a.example/cb"));
        assert!(is_same_redirect("http://127.0.0.1/cb", "http://127.0.0.1:49152/cb"));
        assert!(is_same_redirect("http://127.0.0.1:1/cb?x", "http://127.0.0.1:2/cb?x"));
        assert!(is_same_redirect("http://[::1]/cb", "http://[::1]:80/cb"));
        for (known, asked) in [
            ("https://a.example/cb", "https://a.example/cb/"),
            ("https://a.example/cb", "https://a.example/cb?x=1"),
            ("https://a.example/cb", "https://A.example/cb"),
            ("https://a.example/cb", "https://a.example.evil.example/cb"),
            ("https://a.example", "https://a.example@evil.example"),
            ("https://a.example/cb", "https://a.example:443/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1.evil.example/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:80@evil.example/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:80/other"),
            ("http://127.0.0.1/cb", "https://127.0.0.1/cb"),
            ("http://localhost/cb", "http://localhost:80/cb"),
        ] {
            assert!(!is_same_redirect(known, asked), "{known} {asked}");
        }
    }

    #[test]
    fn parameters_are_added() {
        let with =
            |uri, in_fragment| with_parameters(uri, in_fragment, [("code", "a b"), ("iss", "https://i")].into_iter());
        let added = "code=a%20b&iss=https%3A%2F%2Fi";
        assert_eq!(with("https://a/cb", false), Some(format!("https://a/cb?{added}")));
        assert_eq!(with("https://a/cb?x=1", false), Some(format!("https://a/cb?x=1&{added}")));
        assert_eq!(with("https://a/cb", true), Some(format!("https://a/cb#{added}")));
        assert_eq!(with("com.example.app:/cb", false), Some(format!("com.example.app:/cb?{added}")));
        assert_eq!(with("https://a/\r\nX: y", false), None);
    }
}
