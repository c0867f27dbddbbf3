//! Media types (RFC 9110 §8.3.1), and ranges of them.

use std::borrow::Cow;

use gateway_terms::token::is_token;

/// A media type, or a range such as `text/*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MediaType<'t> {
    /// `*` for all.
    kind: &'t str,
    /// `*` for all.
    subtype: &'t str,
    parameters: Vec<(&'t str, Cow<'t, str>)>,
}

/// How content is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Json,
    /// `application/x-www-form-urlencoded`
    Form,
    /// `multipart/form-data`
    Multipart,
    Text,
}

impl<'t> MediaType<'t> {
    /// What a part is that does not say what it is (RFC 7578 §4.4).
    pub(crate) const PLAIN_TEXT: Self = Self { kind: "text", subtype: "plain", parameters: Vec::new() };

    /// Reads a media type; `None` if it is none.
    pub(crate) fn parse(text: &'t str) -> Option<Self> {
        let (name, rest) = text.split_at_checked(text.find(';').unwrap_or(text.len()))?;
        let (kind, subtype) = name.trim_matches([' ', '\t']).split_once('/')?;
        if !is_token(kind.as_bytes()) || !is_token(subtype.as_bytes()) {
            return None;
        }
        Some(Self { kind, subtype, parameters: parameters(rest)? })
    }

    /// The first parameter of this name.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_ref())
    }

    /// How content of this type is read; `None` where there is no way.
    pub(crate) fn kind(&self) -> Option<Kind> {
        let is = |kind: &str, subtype: &str| {
            self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
        };
        let suffix = self.subtype.rsplit('+').next().unwrap_or_default();
        if suffix.eq_ignore_ascii_case("json") {
            Some(Kind::Json)
        } else if is("application", "x-www-form-urlencoded") {
            Some(Kind::Form)
        } else if is("multipart", "form-data") {
            Some(Kind::Multipart)
        } else if self.kind.eq_ignore_ascii_case("text") {
            Some(Kind::Text)
        } else {
            None
        }
    }

    /// Whether texts of this type are UTF-8, as they are where nothing else is said.
    pub(crate) fn is_utf8(&self) -> bool {
        let names = ["utf-8", "utf8", "us-ascii", "ascii"];
        self.parameter("charset").is_none_or(|charset| names.iter().any(|name| name.eq_ignore_ascii_case(charset)))
    }

    /// How well a type fits this range; `None` if it is not in it. What says more is greater.
    pub(crate) fn fits(&self, actual: &MediaType<'_>) -> Option<usize> {
        let is_same = self.subtype.eq_ignore_ascii_case(actual.subtype);
        let exact = match (self.kind, self.subtype) {
            ("*", "*") => 0,
            (kind, _) if !kind.eq_ignore_ascii_case(actual.kind) => return None,
            (_, "*") => 1,
            _ if is_same => 2,
            _ => return None,
        };
        let has = |(name, value): &(&str, Cow<'_, str>)| {
            let found = actual.parameter(name);
            if !name.eq_ignore_ascii_case("charset") {
                return found == Some(value);
            }
            // A charset is not told apart by letter case, and UTF-8 is what is meant without one.
            found.map_or_else(|| self.is_utf8(), |found| found.eq_ignore_ascii_case(value))
        };
        self.parameters.iter().all(has).then_some((exact << 8) + self.parameters.len().min(255))
    }
}

/// Parameters, each with its `;`.
fn parameters(text: &str) -> Option<Vec<(&str, Cow<'_, str>)>> {
    let mut parameters = Vec::new();
    let mut rest = text.trim_start_matches([' ', '\t']);
    while let Some(behind) = rest.strip_prefix(';') {
        let here = behind.trim_start_matches([' ', '\t']);
        if here.is_empty() || here.starts_with(';') {
            rest = here;
            continue;
        }
        let (name, value) = here.split_once('=')?;
        if !is_token(name.as_bytes()) {
            return None;
        }
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let end = value.find([';', ' ', '\t']).unwrap_or(value.len());
                let (value, after) = value.split_at_checked(end)?;
                if !is_token(value.as_bytes()) {
                    return None;
                }
                (Cow::Borrowed(value), after)
            }
        };
        // Of two values, and of one in another notation (`boundary*=`), readers take the one or the other.
        let is_known = |(known, _): &(&str, Cow<'_, str>)| known.eq_ignore_ascii_case(name);
        if name.contains('*') || parameters.iter().any(is_known) {
            return None;
        }
        parameters.push((name, value));
        rest = after.trim_start_matches([' ', '\t']);
    }
    rest.is_empty().then_some(parameters)
}

/// The text of a quoted string whose first `"` is read, and what follows it (RFC 9110 §5.6.4).
pub(crate) fn unquote(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((Cow::Owned(value), text.get(at + 1..)?)),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_read() {
        for text in [
            "",
            "json",
            "a/",
            "/b",
            "a/b c",
            "a/b;x",
            "a/b;x=",
            "a/b; x=\"y",
            "a/b x=y",
            "a/b,c/d",
            "a/b;x=\"y\"z",
            "a/b;x=y;X=z",
            "a/b;x=y;x*=z",
            "a/b;x*0=y",
        ] {
            assert_eq!(MediaType::parse(text), None, "{text}");
        }
        let read = MediaType::parse("Text/PLAIN ; Charset=\"UTF\\-8\"; ; v=a;").expect("a media type");
        assert_eq!((read.kind, read.subtype), ("Text", "PLAIN"));
        assert_eq!(read.parameter("charset"), Some("UTF-8"));
        assert_eq!(read.parameter("v"), Some("a"));
        assert!(read.is_utf8());
        assert!(!MediaType::parse("text/plain; charset=latin1").expect("a media type").is_utf8());
    }

    #[test]
    fn the_most_specific_range_fits_best() {
        let ranges =
            ["*/*", "application/*", "application/json", "application/json; version=2", "text/plain; charset=utf-8"];
        for (actual, expected) in [
            ("application/json", Some(2)),
            ("APPLICATION/Json; charset=utf-8", Some(2)),
            ("application/json; version=\"2\"", Some(3)),
            ("application/json;version=2;charset=utf-8", Some(3)),
            ("application/json; version=3", Some(2)),
            ("application/vnd.shop+json", Some(1)),
            ("image/png", Some(0)),
            ("text/plain", Some(4)),
            ("text/plain; charset=UTF-8", Some(4)),
            ("text/plain; charset=latin1", Some(0)),
        ] {
            let actual = MediaType::parse(actual).expect(actual);
            let ranges = ranges.iter().map(|range| MediaType::parse(range).expect(range)).enumerate();
            let best = ranges.filter_map(|(index, range)| Some((range.fits(&actual)?, index))).max();
            assert_eq!(best.map(|(_, index)| index), expected, "{actual:?}");
        }
    }
}
