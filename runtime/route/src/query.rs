//! Query parameters that select a route, such as `?Action=Start`.

/// A query parameter that must be there exactly once with exactly this value.
///
/// A query that names it unclearly is answered by no route; see the crate's documentation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryPair {
    /// The decoded name.
    pub name: String,
    /// The decoded value.
    pub value: String,
}

impl QueryPair {
    /// A pair of decoded texts.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }

    /// Whether the query (without `?`) names the parameter once, clearly, and with this value.
    pub fn holds(&self, query: Option<&str>) -> bool {
        matches!(read(query, &self.name), Reading::Once(value) if decoded(value).eq(self.value.bytes().map(Some)))
    }
}

/// What a query says about a parameter.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reading<'q> {
    /// It does not name it.
    Absent,
    /// It names it once, with this value, which is well encoded.
    Once(&'q str),
    /// The upstream may read it differently: it is there more than once, or badly encoded, or it depends on whether `;`
    /// separates parameters.
    Unclear,
}

/// Reads a parameter in a query (without `?`).
pub(crate) fn read<'q>(query: Option<&'q str>, name: &str) -> Reading<'q> {
    let mut found = Reading::Absent;
    for pair in query.unwrap_or_default().split('&') {
        for part in pair.split(';') {
            let (encoded, value) = part.split_once('=').unwrap_or((part, ""));
            // What cannot be decoded may be any name.
            let badly_encoded = decoded(encoded).any(|octet| octet.is_none());
            if !badly_encoded && !decoded(encoded).eq(name.bytes().map(Some)) {
                continue;
            }
            let clear = found == Reading::Absent
                && !badly_encoded
                && !pair.contains(';')
                && decoded(value).all(|octet| octet.is_some());
            found = if clear { Reading::Once(value) } else { Reading::Unclear };
        }
    }
    found
}

/// The octets of an encoded text (`+` is a space, `%XX` an octet); `None` for a malformed `%`.
fn decoded(encoded: &str) -> impl Iterator<Item = Option<u8>> {
    let encoded = encoded.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let octet = *encoded.get(at)?;
        if octet == b'%' {
            let decoded = crate::path::decode_at(encoded, at);
            at += 3;
            return Some(decoded);
        }
        at += 1;
        Some(Some(if octet == b'+' { b' ' } else { octet }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_once_with_this_value() {
        let cases = [
            (Some("a=1"), true),
            (Some("b=2&a=1&c"), true),
            (Some("%61=%31"), true),
            (Some("a=1&a=1"), false),
            (Some("a=1&%61=2"), false),
            (Some("a=1;"), false),
            (Some("x;a=1"), false),
            (Some("a=1&x;a=2"), false),
            (Some("x;y&a=1"), true),
            (Some("a=1&%6=2"), false),
            (Some("a=2"), false),
            (Some("A=1"), false),
            (Some("a"), false),
            (Some(""), false),
            (None, false),
        ];
        for (query, expected) in cases {
            assert_eq!(QueryPair::new("a", "1").holds(query), expected, "{query:?}");
        }
        assert!(QueryPair::new("a b", "").holds(Some("a+b")));
        assert!(QueryPair::new("a", "100%").holds(Some("a=100%25")));
        assert!(!QueryPair::new("a", "100%").holds(Some("a=100%")));
    }

    #[test]
    fn tells_unclear_from_absent() {
        let cases = [
            (None, Reading::Absent),
            (Some(""), Reading::Absent),
            (Some("b=1;c&aa=%zz"), Reading::Absent),
            (Some("b=a"), Reading::Absent),
            (Some("a"), Reading::Once("")),
            (Some("b&a=%31&;"), Reading::Once("%31")),
            (Some("a=1&a=1"), Reading::Unclear),
            (Some("a=1&a=1&a=1"), Reading::Unclear),
            (Some("a=1;"), Reading::Unclear),
            (Some("a=1;b"), Reading::Unclear),
            (Some("x;a=1"), Reading::Unclear),
            (Some("x;%61=1"), Reading::Unclear),
            (Some("x&y;a=1&a=1"), Reading::Unclear),
            (Some("a=%"), Reading::Unclear),
            (Some("a=%4"), Reading::Unclear),
            (Some("a=%+1"), Reading::Unclear),
            (Some("%a=1"), Reading::Unclear),
            (Some("a%=1"), Reading::Unclear),
        ];
        for (query, expected) in cases {
            assert_eq!(read(query, "a"), expected, "{query:?}");
        }
    }
}
