//! `Forwarded` (RFC 7239): where a request came from, in one field.

use std::borrow::Cow;
use std::net::IpAddr;

use gateway_base::address::parse_address;
use gateway_terms::token::is_token;

/// Which fields of trusted proxies are trusted. Never both: a proxy writes the one and passes on what the client has
/// written into the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TrustedFields {
    /// `X-Forwarded-For`, `-Proto`, `-Host` and `-Prefix`.
    #[default]
    XForwarded,
    /// `Forwarded`.
    Rfc7239,
}

/// One proxy's element.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Element<'a> {
    /// `for`: the node that sent the request to it.
    pub node: Option<Cow<'a, str>>,
    /// `proto`.
    pub scheme: Option<Cow<'a, str>>,
    /// `host`.
    pub host: Option<Cow<'a, str>>,
}

impl<'a> Element<'a> {
    /// Reads an element; `None` if it is none (§4). Each name may occur once.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let mut rest = std::str::from_utf8(text).ok()?.trim_matches([' ', '\t']);
        let (mut element, mut by) = (Self::default(), None);
        loop {
            let (name, value) = rest.split_once('=')?;
            let (value, behind) = value_of(value)?;
            let place = match () {
                () if name.eq_ignore_ascii_case("for") => &mut element.node,
                () if name.eq_ignore_ascii_case("proto") => &mut element.scheme,
                () if name.eq_ignore_ascii_case("host") => &mut element.host,
                () if name.eq_ignore_ascii_case("by") => &mut by,
                () if is_token(name.as_bytes()) => &mut None,
                () => return None,
            };
            if place.replace(value).is_some() {
                return None;
            }
            if behind.is_empty() {
                return Some(element);
            }
            rest = behind.strip_prefix(';')?;
        }
    }

    /// Appends what is known of it. A name or an address of a proxy's own (`by`) stays with it.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_pair(out, "for", self.node.as_deref().unwrap_or("unknown"));
        for (name, value) in [("host", &self.host), ("proto", &self.scheme)] {
            if let Some(value) = value {
                out.push(b';');
                write_pair(out, name, value);
            }
        }
    }

    /// The address of `for`; `None` for one that is hidden or not there (§6).
    pub fn address(&self) -> Option<IpAddr> {
        parse_address(self.node.as_deref()?).map(|address| address.to_canonical())
    }
}

/// The elements of a field's value, the nearest proxy's last. A comma within quotes ends one as well: then it is none, and
/// nothing that a client has written can make others of those behind it.
pub fn elements(value: &[u8]) -> impl DoubleEndedIterator<Item = Option<Element<'_>>> {
    value.split(|byte| *byte == b',').map(Element::parse)
}

/// A token or a quoted string, and what follows it.
fn value_of(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.bytes().position(|byte| !is_token(&[byte])).unwrap_or(text.len());
        return (end > 0).then(|| (Cow::Borrowed(&text[..end]), &text[end..]));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((Cow::Owned(value), &quoted[at + 1..])),
            '\\' => value.push(chars.next().map(|(_, char)| char)?),
            char if char.is_ascii_control() => return None,
            char => value.push(char),
        }
    }
    None
}

/// Appends `name=value`, in quotes where it has to be.
pub fn write_pair(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.push(b'=');
    if is_token(value.as_bytes()) {
        return out.extend_from_slice(value.as_bytes());
    }
    out.push(b'"');
    for byte in value.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// Appends `for=…` for an address, or for a node that has none to tell (§6.2).
pub fn write_node(out: &mut Vec<u8>, address: Option<IpAddr>) {
    match address {
        Some(IpAddr::V4(address)) => write_pair(out, "for", &address.to_string()),
        Some(IpAddr::V6(address)) => write_pair(out, "for", &format!("[{address}]")),
        None => write_pair(out, "for", "unknown"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_read_as_the_rfc_writes_them() {
        // §4, §6 and §7.4.
        for (value, expected) in [
            ("for=192.0.2.43", Some([Some("192.0.2.43"), None, None])),
            ("For=\"[2001:db8:cafe::17]:4711\"", Some([Some("[2001:db8:cafe::17]:4711"), None, None])),
            ("for=192.0.2.60;proto=http;by=203.0.113.43", Some([Some("192.0.2.60"), Some("http"), None])),
            (" for=\"_mdn\"; host=x", None),
            (" for=_mdn;HOST=\"a.example:8443\" ", Some([Some("_mdn"), None, Some("a.example:8443")])),
            ("for=unknown", Some([Some("unknown"), None, None])),
            ("proto=https;secret=\"a\\\"b\"", Some([None, Some("https"), None])),
            ("for=a;for=b", None),
            ("for=a;FOR=b", None),
            ("by=a;by=b", None),
            ("for", None),
            ("for=", None),
            ("=a", None),
            ("for=\"a", None),
            ("for=\"a\"b", None),
            ("for=a;", None),
            ("for=192.0.2.1:80", None),
            ("fo r=a", None),
            ("", None),
        ] {
            let element = Element::parse(value.as_bytes());
            let shown = element.as_ref().map(|it| [it.node.as_deref(), it.scheme.as_deref(), it.host.as_deref()]);
            assert_eq!(shown, expected, "{value}");
        }
    }

    #[test]
    fn an_unclosed_quotation_of_the_client_hides_no_elements() {
        let value = b"for=\"203.0.113.66, for=192.0.2.9;proto=https";
        let last = elements(value).next_back().flatten().expect("an element");
        assert_eq!((last.address(), last.scheme.as_deref()), (Some([192, 0, 2, 9].into()), Some("https")));
        assert_eq!(elements(value).next(), Some(None));
    }

    #[test]
    fn nodes_are_quoted_where_they_have_to_be() {
        for (address, expected) in [
            (Some("192.0.2.1"), "for=192.0.2.1"),
            (Some("2001:db8::1"), "for=\"[2001:db8::1]\""),
            (None, "for=unknown"),
        ] {
            let mut out = Vec::new();
            write_node(&mut out, address.map(|text| text.parse().expect("an address")));
            assert_eq!(String::from_utf8(out).expect("text"), expected);
            let element = Element::parse(expected.as_bytes()).expect("an element");
            assert_eq!(element.address().map(|address| address.to_string()).as_deref(), address);
        }
        let mut out = Vec::new();
        write_pair(&mut out, "host", "a\"b\\c:80");
        assert_eq!(out, br#"host="a\"b\\c:80""#);
    }
}
