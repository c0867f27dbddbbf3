//! Entity tags, and the conditions that name them (RFC 9110 §8.8.3, §13.1): one reader for all that compares them.
//!
//! What is no entity tag names nothing, so that a client whose condition cannot be read gets the whole response.

/// `"v1"` or `W/"v1"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntityTag<'v> {
    /// It holds for content that means the same, and need not be the same bytes.
    pub is_weak: bool,
    /// With its quotation marks.
    pub opaque: &'v [u8],
}

impl<'v> EntityTag<'v> {
    /// The tag that is the whole value of a field, such as `ETag`.
    #[must_use]
    pub fn of(value: &'v [u8]) -> Option<Self> {
        let (tag, rest) = Self::at(value.trim_ascii())?;
        rest.is_empty().then_some(tag)
    }

    /// The tag at the beginning, and what follows it. A backslash is a character as any other.
    fn at(value: &'v [u8]) -> Option<(Self, &'v [u8])> {
        let (is_weak, quoted) = match value.strip_prefix(b"W/") {
            Some(quoted) => (true, quoted),
            None => (false, value),
        };
        let inner = quoted.strip_prefix(b"\"")?;
        let end = inner.iter().position(|byte| *byte == b'"')?;
        let is_character = |byte: &u8| matches!(byte, 0x21 | 0x23..=0x7e | 0x80..);
        let (opaque, rest) = quoted.split_at(end + 2);
        inner[..end].iter().all(is_character).then_some((Self { is_weak, opaque }, rest))
    }

    /// The weak comparison (RFC 9110 §8.8.3.2).
    #[must_use]
    pub fn is_like(&self, other: &EntityTag<'_>) -> bool {
        self.opaque == other.opaque
    }

    /// The strong comparison: neither is weak.
    #[must_use]
    pub fn is_same(&self, other: &EntityTag<'_>) -> bool {
        !self.is_weak && !other.is_weak && self.opaque == other.opaque
    }
}

/// The tags of a list. A member that is none is left out.
pub fn entity_tags(value: &[u8]) -> impl Iterator<Item = EntityTag<'_>> {
    let mut rest = value;
    std::iter::from_fn(move || {
        loop {
            let is_between = |byte: &u8| *byte == b',' || byte.is_ascii_whitespace();
            rest = &rest[rest.iter().position(|byte| !is_between(byte))?..];
            let tag = EntityTag::at(rest).filter(|(_, behind)| {
                let behind = behind.trim_ascii_start();
                behind.is_empty() || behind.starts_with(b",")
            });
            match tag {
                Some((tag, behind)) => {
                    rest = behind;
                    return Some(tag);
                }
                None => rest = rest.iter().position(|byte| *byte == b',').map_or(&[], |at| &rest[at..]),
            }
        }
    })
}

/// What `If-None-Match` asks (RFC 9110 §13.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoneMatch {
    /// The field is not there.
    Absent,
    /// `*`: whatever there is, is known.
    Any,
    /// Tags, or what is none.
    Tags,
}

impl NoneMatch {
    /// Of the values of all fields of that name. A `*` beside something else is none.
    pub fn of<'v>(mut values: impl Iterator<Item = &'v [u8]>) -> Self {
        match (values.next(), values.next()) {
            (None, _) => Self::Absent,
            (Some(only), None) if only.trim_ascii() == b"*" => Self::Any,
            _ => Self::Tags,
        }
    }
}

/// Whether the client has the response with this `ETag`, so that the condition of its request does not hold; `None` where
/// there is no such condition.
pub fn is_known<'v>(values: impl Iterator<Item = &'v [u8]> + Clone, etag: Option<&[u8]>) -> Option<bool> {
    match NoneMatch::of(values.clone()) {
        NoneMatch::Absent => None,
        NoneMatch::Any => Some(true),
        NoneMatch::Tags => {
            let etag = etag.and_then(EntityTag::of);
            Some(etag.is_some_and(|etag| values.flat_map(entity_tags).any(|tag| tag.is_like(&etag))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_names_what_the_client_has() {
        for (values, etag, expected) in [
            (&[][..], "\"a\"", None),
            (&["\"a\""], "\"a\"", Some(true)),
            (&["W/\"a\""], "\"a\"", Some(true)),
            (&["\"a\""], "W/\"a\"", Some(true)),
            (&["\"b\", \"a\""], "\"a\"", Some(true)),
            (&["\"b\"", " ,\"a\" ,"], "\"a\"", Some(true)),
            (&["\"a\\\", \"b\""], "\"b\"", Some(true)),
            (&["\"a\\\""], "\"a\\\"", Some(true)),
            (&["\"a,b\""], "\"a,b\"", Some(true)),
            (&["\"\""], "\"\"", Some(true)),
            (&["\"A\""], "\"a\"", Some(false)),
            (&["*"], "", Some(true)),
            (&[" * "], "\"a\"", Some(true)),
            // What is none names nothing.
            (&["\"b, *, c\""], "\"a\"", Some(false)),
            (&["\"b\", *"], "\"a\"", Some(false)),
            (&["*", "*"], "\"a\"", Some(false)),
            (&["\"b,\"a\""], "\"a\"", Some(true)),
            (&["a"], "a", Some(false)),
            (&["a"], "\"a\"", Some(false)),
            (&["w/\"a\""], "\"a\"", Some(false)),
            (&["W/ \"a\""], "\"a\"", Some(false)),
            (&["\"a"], "\"a", Some(false)),
            (&["\"a\"b"], "\"a\"", Some(false)),
            (&["\"a b\""], "\"a b\"", Some(false)),
            (&[""], "\"a\"", Some(false)),
            (&["\"a\""], "", Some(false)),
        ] {
            let found = is_known(values.iter().map(|value| value.as_bytes()), Some(etag.as_bytes()));
            assert_eq!(found, expected, "{values:?} {etag}");
        }
    }

    #[test]
    fn weak_tags_are_never_the_same() {
        let tag = |text: &'static str| EntityTag::of(text.as_bytes()).expect("a tag");
        assert!(tag("\"a\"").is_same(&tag("\"a\"")));
        assert!(!tag("W/\"a\"").is_same(&tag("W/\"a\"")) && !tag("\"a\"").is_same(&tag("W/\"a\"")));
        assert!(tag("W/\"a\"").is_like(&tag("\"a\"")));
    }
}
