//! Query parameters that select a route, such as `?Action=Start`.

/// A query parameter that must be there exactly once with exactly this value.
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

    /// Whether the query (without `?`) names the parameter once and with this value.
    ///
    /// A repeated parameter does not match: the upstream may read another one than we did.
    pub fn holds(&self, query: Option<&str>) -> bool {
        let mut values = query.unwrap_or_default().split('&').filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            same(name, &self.name).then_some(value)
        });
        match (values.next(), values.next()) {
            (Some(value), None) => same(value, &self.value),
            _ => false,
        }
    }
}

/// Whether an encoded text (`+` is a space, `%XX` an octet) says the same as a decoded one.
fn same(encoded: &str, decoded: &str) -> bool {
    let encoded = encoded.as_bytes();
    let mut at = 0;
    let octets = std::iter::from_fn(|| {
        let octet = *encoded.get(at)?;
        if octet == b'%'
            && let Some(decoded) = crate::path::decode_at(encoded, at)
        {
            at += 3;
            return Some(decoded);
        }
        at += 1;
        Some(if octet == b'+' { b' ' } else { octet })
    });
    octets.eq(decoded.bytes())
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
        assert!(QueryPair::new("a", "100%").holds(Some("a=100%")));
    }
}
