//! Targets that rules make: text with `$1` in it, and what a regular expression has captured of a request target.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use crate::matching::is_clear_value;
use crate::path::{RequestPath, push_encoded};

/// How many groups an expansion can name.
pub const GROUPS: usize = 9;

/// Where `$1` to `$9` stand in a [`RuleTarget`]; nothing for a group that took no part in the match.
pub type Captures = [Option<Range<usize>>; GROUPS];

/// Text with `$1` to `$9`, also written `${1}`; `$$` is a dollar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expansion(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    /// From 1 on.
    Group(usize),
}

impl Expansion {
    /// Reads the text.
    ///
    /// # Errors
    /// A `$` that means nothing, or more than one thing.
    pub fn parse(text: &str) -> Result<Self, ExpansionError> {
        let (mut pieces, mut literal, mut rest) = (Vec::new(), String::new(), text);
        while let Some(at) = rest.find('$') {
            literal.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                literal.push('$');
                rest = after;
                continue;
            }
            let (number, after) = match rest.strip_prefix('{') {
                Some(inner) => inner.split_once('}').ok_or(ExpansionError::NoGroup)?,
                None => rest.split_at(rest.chars().next().map_or(0, char::len_utf8)),
            };
            let group = match number.as_bytes() {
                [digit @ b'1'..=b'9'] => usize::from(digit - b'0'),
                _ => return Err(ExpansionError::NoGroup),
            };
            if !rest.starts_with('{') && after.starts_with(|next: char| next.is_ascii_digit()) {
                return Err(ExpansionError::TwoDigits);
            }
            pieces.extend((!literal.is_empty()).then(|| Piece::Literal(std::mem::take(&mut literal))));
            pieces.push(Piece::Group(group));
            rest = after;
        }
        literal.push_str(rest);
        pieces.extend((!literal.is_empty()).then_some(Piece::Literal(literal)));
        Ok(Self(pieces))
    }

    /// The groups that it names.
    pub fn groups(&self) -> impl Iterator<Item = usize> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Group(group) => Some(*group),
            Piece::Literal(_) => None,
        })
    }

    /// The text with every group replaced by `stand_in`.
    pub fn with(&self, stand_in: &str) -> String {
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Literal(text) => text,
            Piece::Group(_) => stand_in,
        });
        pieces.collect()
    }

    /// The text with what was captured, percent-encoded as received.
    pub fn fill(&self, target: &RuleTarget<'_>, captures: &Captures) -> String {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Group(group) => {
                    let range = captures.get(group - 1).cloned().flatten();
                    out.push_str(&range.map_or(Cow::Borrowed(""), |range| target.encoded(range)));
                }
            }
        }
        out
    }
}

/// What is wrong with a `$`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpansionError {
    /// It names no group.
    NoGroup,
    /// It could be one group and a digit, or another group.
    TwoDigits,
}

impl fmt::Display for ExpansionError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::NoGroup => "`$1` to `$9` and `${1}` to `${9}` are groups, `$$` is a dollar",
            Self::TwoDigits => "write `${1}` before a digit",
        })
    }
}

impl std::error::Error for ExpansionError {}

/// A request target as rules see it: the [canonical](RequestPath::canonical) path, then `?` and the query as received.
#[derive(Debug)]
pub struct RuleTarget<'a> {
    path: &'a RequestPath<'a>,
    text: Cow<'a, str>,
}

impl<'a> RuleTarget<'a> {
    /// Joins path and query.
    pub fn new(path: &'a RequestPath<'a>, query: Option<&str>) -> Self {
        let text = match query {
            Some(query) => Cow::Owned(format!("{}?{query}", path.canonical())),
            None => Cow::Borrowed(path.canonical()),
        };
        Self { path, text }
    }

    /// What is matched.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A part of the text in characters allowed in a target: of the path as received, of the query with what no
    /// URI can have encoded.
    fn encoded(&self, range: Range<usize>) -> Cow<'_, str> {
        let end = self.path.canonical().len();
        let path = self.path.wire_of(range.start.min(end)..range.end.min(end));
        let query = self.text.get(range.start.max(end)..range.end.max(end)).unwrap_or_default();
        if query.is_empty() {
            return Cow::Borrowed(path);
        }
        let mut out = path.to_owned();
        for octet in query.bytes() {
            match octet {
                b'"' | b'<' | b'>' | b'\\' | b'`' | b'#' => push_encoded(&mut out, octet),
                other if other.is_ascii_graphic() => out.push(char::from(other)),
                other => push_encoded(&mut out, other),
            }
        }
        Cow::Owned(out)
    }
}

/// Whether upstreams agree on the segments of a path that has been put together: nothing in it that a greedy parameter
/// would not take.
pub fn is_clear(path: &RequestPath<'_>) -> bool {
    path.canonical().strip_prefix('/').is_some_and(is_clear_value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_groups() {
        for (text, with) in
            [("/new/$1", "/new/x"), ("/${1}2/$2$3", "/x2/xx"), ("/$$1", "/$1"), ("", ""), ("/a/$9?b=$1", "/a/x?b=x")]
        {
            assert_eq!(Expansion::parse(text).map(|expansion| expansion.with("x")).as_deref(), Ok(with), "{text}");
        }
        for bad in ["/$", "/$0", "/$a", "/${10}", "/${1", "/${}", "/${a}", "$é"] {
            assert_eq!(Expansion::parse(bad), Err(ExpansionError::NoGroup), "{bad}");
        }
        assert_eq!(Expansion::parse("/$12"), Err(ExpansionError::TwoDigits));
    }

    #[test]
    fn what_was_captured_stays_encoded() {
        let fill = |path: &str, query: Option<&str>, from: usize| {
            let path = RequestPath::parse(path).expect("a path");
            let target = RuleTarget::new(&path, query);
            let mut captures = Captures::default();
            captures[0] = Some(from..target.text().len());
            Expansion::parse("/n$1").expect("an expansion").fill(&target, &captures)
        };
        assert_eq!(fill("/o/a%3fb%20c", None, 2), "/n/a%3Fb%20c");
        assert_eq!(fill("/o/%c3%a9", Some("x=1&y=%20"), 2), "/n/%C3%A9?x=1&y=%20");
        assert_eq!(fill("/o", Some("x=\u{e9}\\\"<>"), 2), "/n?x=%C3%A9%5C%22%3C%3E");
        assert_eq!(fill("/o", Some("x=1"), 3), "/nx=1");
        let path = RequestPath::parse("/o").expect("a path");
        let nothing = Expansion::parse("/$1").expect("an expansion");
        assert_eq!(nothing.fill(&RuleTarget::new(&path, None), &Captures::default()), "/");
    }

    #[test]
    fn paths_that_servers_read_in_two_ways_are_not_clear() {
        for (path, clear) in [
            ("/a/b/", true),
            ("/a%20b", true),
            ("/", true),
            ("//a", false),
            ("/a//b", false),
            ("/a;b", false),
            ("/a%3bb", false),
            ("/a%5Cb", false),
            ("/a%2Fb", false),
            ("/a%252e", false),
        ] {
            assert_eq!(is_clear(&RequestPath::parse(path).expect("a path")), clear, "{path}");
        }
    }
}
