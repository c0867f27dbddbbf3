//! What selects a route beside its path: query parameters such as `?Action=Start`, and header fields such as
//! `X-Amz-Target: Tables.Get`.

/// Something that a request must say beside its path, exactly once.
///
/// A request that says it unclearly is answered by no route; see the crate's documentation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Condition {
    /// Where.
    pub part: Part,
    /// The decoded name of a query parameter, or the name of a header field, whose letter case does not count.
    pub name: String,
    /// The decoded value; any where there is none.
    pub value: Option<String>,
}

/// The part of a request that a condition is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The query.
    Query,
    /// The header section.
    Header,
}

/// What a request says beside its path.
#[derive(Clone, Copy, Default)]
pub struct Selectors<'a> {
    /// The query, without `?`.
    pub query: Option<&'a str>,
    /// Its header fields, by name.
    pub fields: Option<&'a dyn Fn(&str) -> Reading<'a>>,
}

impl<'a> From<Option<&'a str>> for Selectors<'a> {
    /// A query alone.
    fn from(query: Option<&'a str>) -> Self {
        Self { query, fields: None }
    }
}

impl<'a> Selectors<'a> {
    /// What is said under a name.
    pub(crate) fn read(&self, part: Part, name: &str) -> Reading<'a> {
        match part {
            Part::Query => read(self.query, name),
            Part::Header => self.fields.map_or(Reading::Absent, |fields| fields(name)),
        }
    }
}

impl Condition {
    /// A query parameter with a value.
    pub fn query(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { part: Part::Query, name: name.into(), value: Some(value.into()) }
    }

    /// Whether the request says this once, clearly, and with this value.
    pub fn holds<'a>(&self, selectors: impl Into<Selectors<'a>>) -> bool {
        match (selectors.into().read(self.part, &self.name), &self.value) {
            (Reading::Once(_), None) => true,
            (Reading::Once(value), Some(wanted)) => match self.part {
                Part::Query => decoded(value).eq(wanted.bytes().map(Some)),
                Part::Header => value == wanted,
            },
            _ => false,
        }
    }

    /// Whether whatever fulfils `other` fulfils this.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        self.part == other.part && self.name == other.name && (self.value.is_none() || self.value == other.value)
    }
}

/// What a request says under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading<'q> {
    /// Nothing.
    Absent,
    /// It has it once, with this value, which is well encoded.
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
            assert_eq!(Condition::query("a", "1").holds(query), expected, "{query:?}");
        }
        assert!(Condition::query("a b", "").holds(Some("a+b")));
        assert!(Condition::query("a", "100%").holds(Some("a=100%25")));
        assert!(!Condition::query("a", "100%").holds(Some("a=100%")));
    }

    #[test]
    fn without_a_value_it_must_be_there() {
        let present = Condition { value: None, ..Condition::query("acl", "") };
        for (query, expected) in [
            (Some("acl"), true),
            (Some("acl="), true),
            (Some("a&acl=1"), true),
            (Some("acl&acl"), false),
            (Some("a"), false),
            (None, false),
        ] {
            assert_eq!(present.holds(query), expected, "{query:?}");
        }
        assert!(present.covers(&Condition::query("acl", "1")) && !Condition::query("acl", "1").covers(&present));
    }

    #[test]
    fn header_fields_are_compared_as_they_are() {
        let condition = Condition { part: Part::Header, ..Condition::query("X-Target", "a%2Fb") };
        for (reading, expected) in [
            (Reading::Once("a%2Fb"), true),
            (Reading::Once("a/b"), false),
            (Reading::Absent, false),
            (Reading::Unclear, false),
        ] {
            let fields = |name: &str| if name == "X-Target" { reading } else { Reading::Absent };
            assert_eq!(condition.holds(Selectors { query: None, fields: Some(&fields) }), expected, "{reading:?}");
        }
        assert!(!condition.holds(Some("X-Target=a%2Fb")), "the query is not the header section");
    }

    #[test]
    fn ambiguous_differs_from_absent() {
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
