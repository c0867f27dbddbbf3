//! URIs and references to them (RFC 3986).

use super::address::{is_ipv4, is_ipv6};

/// `URI` (§3)
pub(super) fn is_uri(text: &str) -> bool {
    scheme(text).is_some_and(is_behind_scheme)
}

/// `URI-reference` (§4.1)
pub(super) fn is_reference(text: &str) -> bool {
    if let Some(rest) = scheme(text) {
        return is_behind_scheme(rest);
    }
    // The first segment of a relative path has no colon: it would be a scheme (§4.2).
    let first = text.split(['/', '?', '#']).next().unwrap_or_default();
    !first.contains(':') && is_behind_scheme(text)
}

/// What is behind the scheme and its colon.
fn scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme.then_some(rest)
}

/// `hier-part`, or `relative-part`, with a query and a fragment
fn is_behind_scheme(text: &str) -> bool {
    let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (text, query) = text.split_once('?').unwrap_or((text, ""));
    let (authority, path) = match text.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
        None => ("", text),
    };
    is_authority(authority) && is_made_of(path, b":@/") && is_made_of(query, b":@/?") && is_made_of(fragment, b":@/?")
}

/// `authority` (§3.2)
fn is_authority(text: &str) -> bool {
    let (user, host) = text.split_once('@').unwrap_or(("", text));
    let is_host = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((literal, "")) => is_literal(literal),
        Some((literal, port)) => is_literal(literal) && port.strip_prefix(':').is_some_and(is_port),
        None => {
            let (name, port) = host.split_once(':').unwrap_or((host, ""));
            is_made_of(name, b"") && is_port(port)
        }
    };
    is_made_of(user, b":") && is_host
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What is between the brackets of an `IP-literal` (§3.2.2).
fn is_literal(text: &str) -> bool {
    let Some(future) = text.strip_prefix(['v', 'V']) else { return is_ipv6(text) && !is_ipv4(text) };
    let Some((version, address)) = future.split_once('.') else { return false };
    !version.is_empty()
        && version.bytes().all(|byte| byte.is_ascii_hexdigit())
        && !address.is_empty()
        && !address.contains('%')
        && is_made_of(address, b":")
}

/// Whether a text has nothing but `unreserved`, `pct-encoded`, `sub-delims` (§2) and what stands in `also`.
fn is_made_of(text: &str, also: &[u8]) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let is_good = match byte {
            b'%' => (0..2).all(|_| bytes.next().is_some_and(|digit| digit.is_ascii_hexdigit())),
            _ => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte) || also.contains(&byte),
        };
        if !is_good {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_and_references() {
        // A text, whether it is a URI, and whether it is a reference.
        for (text, uri, reference) in [
            ("http://foo.bar/?baz=qux#quux", true, true),
            ("http://foo.bar/?q=Test%20URL-encoded%20stuff", true, true),
            ("http://-.~_!$&'()*+,;=:%40:80%2f::::::@example.com", true, true),
            ("ldap://[2001:db8::7]/c=GB?objectClass?one", true, true),
            ("http://[v1.a:b]:80", true, true),
            ("mailto:John.Doe@example.com", true, true),
            ("urn:oasis:names:specification:docbook:dtd:xml:4.1.2", true, true),
            ("file:///a", true, true),
            ("a:", true, true),
            ("http://a:80/b:c@d", true, true),
            ("//foo.bar/?baz=qux#quux", false, true),
            ("/abc", false, true),
            ("abc", false, true),
            ("", false, true),
            ("#fragment", false, true),
            ("?q", false, true),
            ("./a:b", false, true),
            (":a", false, false),
            ("1:a", false, false),
            ("a_b:c", false, false),
            ("\\\\WINDOWS\\fileshare", false, false),
            ("http:// shouldfail.com", false, false),
            ("http://a/%", false, false),
            ("http://a/%4", false, false),
            ("http://a/%zz", false, false),
            ("http://a/<b>", false, false),
            ("http://a/{b}", false, false),
            ("http://a/#b#c", false, false),
            ("http://a:b/", false, false),
            ("http://[::1", false, false),
            ("http://[::1]a", false, false),
            ("http://[a]", false, false),
            ("http://[v.a]", false, false),
            ("http://a@b@c", false, false),
            ("http://é", false, false),
        ] {
            assert_eq!(is_uri(text), uri, "{text}");
            assert_eq!(is_reference(text), reference, "{text}");
        }
    }
}
