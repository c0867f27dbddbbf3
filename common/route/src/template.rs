//! Path templates: literals and parameters, several of them in one segment if need be.

use std::cmp::{Ordering, Reverse};
use std::fmt::{self, Write};

use crate::ambiguity::{Allowance, Ambiguous};
use crate::path::{decode_at, is_allowed_raw, push_encoded};

/// A path template such as `/tiles/{z}/{x}/{y}.{ext}` or `/v1/{+name}:publish`.
///
/// `{+name}` and `{name+}` are greedy. [`Display`](fmt::Display) writes the normal form, which reads back as the same
/// template: `{+name}`, and literals as they stand on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    segments: Vec<Segment>,
    names: Vec<Box<str>>,
    /// What each parameter takes that servers read differently, in the order of `names`.
    allowances: Vec<Allowance>,
}

impl Template {
    /// Reads a template. Literals are decoded like request paths; characters that a request must encode may stand for
    /// themselves.
    ///
    /// # Errors
    /// [`TemplateError`] gives the place and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if !text.starts_with('/') {
            return Err(TemplateErrorKind::NotAbsolute.at(0));
        }
        let mut reader = Reader::default();
        let mut at = 1;
        while let Some(next) = text[at..].chars().next() {
            match next {
                '/' => reader.end_segment(at)?,
                '{' => {
                    let name = &text[at + 1..];
                    let length = name.find(['}', '{', '/']).unwrap_or(name.len());
                    if !name[length..].starts_with('}') {
                        return Err(TemplateErrorKind::Unclosed.at(at));
                    }
                    reader.parameter(&name[..length], at)?;
                    at += length + 1;
                }
                '}' => return Err(TemplateErrorKind::Unopened.at(at)),
                '?' | '#' => return Err(TemplateErrorKind::QueryOrFragment.at(at)),
                '\0'..=' ' | '\u{7f}' if next != ' ' => {
                    return Err(TemplateErrorKind::ControlCharacter.at(at));
                }
                '%' => {
                    let octet = decode_at(text.as_bytes(), at).ok_or(TemplateErrorKind::MalformedPercent.at(at))?;
                    if octet.is_ascii_control() {
                        return Err(TemplateErrorKind::ControlCharacter.at(at));
                    }
                    reader.encoded(octet);
                    at += 2;
                }
                other => {
                    let mut octets = [0; 4];
                    reader.literal.extend_from_slice(other.encode_utf8(&mut octets).as_bytes());
                }
            }
            at += next.len_utf8();
        }
        reader.end_segment(at)?;
        if let Some(segment) = reader.segments.iter().position(Segment::is_dot_segment) {
            let offset = text.match_indices('/').nth(segment).map_or(0, |(offset, _)| offset + 1);
            return Err(TemplateErrorKind::DotSegment.at(offset));
        }
        let allowances = vec![Allowance::NONE; reader.names.len()];
        Ok(Self { segments: reader.segments, names: reader.names, allowances })
    }

    /// Lets the named parameter take characters that servers read differently, for documents that say so beside the
    /// template.
    #[must_use]
    pub fn with_allowance(mut self, name: &str, allowance: Allowance) -> Self {
        for (known, own) in self.names.iter().zip(&mut self.allowances) {
            if **known == *name {
                *own = own.and(allowance);
            }
        }
        self
    }

    /// What each parameter takes that servers read differently, from left to right.
    pub fn allowances(&self) -> impl ExactSizeIterator<Item = (&str, Allowance)> {
        self.names().zip(self.allowances.iter().copied())
    }

    /// Makes the named parameters greedy, for documents that say so beside the template.
    #[must_use]
    pub fn with_greedy(mut self, names: &[&str]) -> Self {
        let mut index = 0;
        for segment in &mut self.segments {
            let mut pieces = segment.pieces();
            for piece in &mut pieces {
                if !matches!(piece, Piece::Literal(_)) {
                    if names.contains(&&*self.names[index]) {
                        *piece = Piece::Greedy;
                    }
                    index += 1;
                }
            }
            *segment = Segment::of(pieces);
        }
        self
    }

    /// The template without the base path that it begins with, as an upstream gets it; `""` is no base path.
    #[must_use]
    pub fn below(&self, base: &str) -> Self {
        let count = base.matches('/').count();
        self.with_segments(|mut segments| {
            segments.drain(..count.min(segments.len()));
            if segments.is_empty() { vec![Segment::Literal("".into())] } else { segments }
        })
    }

    /// The template behind the path of an upstream's address, as the upstream gets it.
    #[must_use]
    pub fn behind(&self, prefix: &Self) -> Self {
        self.with_segments(|segments| prefix.segments.iter().cloned().chain(segments).collect())
    }

    /// The names of the parameters from left to right; a name may occur twice.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    /// The names of the greedy parameters.
    pub fn greedy_names(&self) -> impl Iterator<Item = &str> {
        let parameters =
            self.segments.iter().flat_map(Segment::pieces).filter(|piece| !matches!(piece, Piece::Literal(_)));
        parameters.zip(self.names()).filter(|(piece, _)| *piece == Piece::Greedy).map(|(_, name)| name)
    }

    /// Whether a parameter matches across `/`.
    pub fn is_greedy(&self) -> bool {
        self.segments.iter().any(Segment::is_greedy)
    }

    /// Whether both match the same paths: equal, names aside.
    pub fn same_language(&self, other: &Self) -> bool {
        self.segments == other.segments
    }

    /// Which template answers first where both match: segment by segment, literal before pattern before parameter
    /// before greedy. `Equal` only for the [same language](Self::same_language).
    pub fn specificity(&self, other: &Self) -> Ordering {
        self.is_greedy().cmp(&other.is_greedy()).then_with(|| {
            let mut theirs = other.segments.iter();
            for mine in &self.segments {
                // Templates of different lengths meet in a greedy parameter only: what asks for more comes first.
                let Some(other) = theirs.next() else {
                    return Ordering::Less;
                };
                let order = mine.specificity(other);
                if order.is_ne() {
                    return order;
                }
            }
            if theirs.next().is_some() { Ordering::Greater } else { Ordering::Equal }
        })
    }

    pub(crate) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    pub(crate) fn name(&self, index: usize) -> &str {
        self.names.get(index).map_or("", |name| name)
    }

    pub(crate) fn allowance(&self, index: usize) -> Allowance {
        self.allowances.get(index).copied().unwrap_or(Allowance::NONE)
    }

    /// The same parameters between other literals, taking whatever a parameter can be allowed to take. `change` gets the
    /// segments.
    pub(crate) fn reread(&self, change: impl FnOnce(Vec<Segment>) -> Vec<Segment>) -> Self {
        let all = Allowance::of(&Ambiguous::ALL);
        let allowances = vec![all; self.allowances.len()];
        Self { segments: change(self.segments.clone()), names: self.names.clone(), allowances }
    }

    /// The same parameters between other literals. `change` gets the segments.
    pub(crate) fn with_segments(&self, change: impl FnOnce(Vec<Segment>) -> Vec<Segment>) -> Self {
        let (names, allowances) = (self.names.clone(), self.allowances.clone());
        Self { segments: change(self.segments.clone()), names, allowances }
    }

    /// Whether a literal has a character that parameters refuse.
    pub(crate) fn has_ambiguous_literal(&self) -> bool {
        let literal = |piece: &Piece| matches!(piece, Piece::Literal(text) if !Allowance::NONE.takes(text));
        self.segments.iter().any(|segment| segment.pieces().iter().any(literal))
    }

    /// The whole template as one sequence of literals and parameters.
    pub(crate) fn flat(&self) -> Vec<Piece> {
        let mut flat = Vec::new();
        let mut literal = String::new();
        for segment in &self.segments {
            literal.push('/');
            for piece in segment.pieces() {
                match piece {
                    Piece::Literal(text) => literal.push_str(&text),
                    parameter => {
                        if !literal.is_empty() {
                            flat.push(Piece::Literal(std::mem::take(&mut literal)));
                        }
                        flat.push(parameter);
                    }
                }
            }
        }
        if !literal.is_empty() {
            flat.push(Piece::Literal(literal));
        }
        flat
    }
}

impl fmt::Display for Template {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = self.names();
        for segment in &self.segments {
            out.write_char('/')?;
            for piece in segment.pieces() {
                match piece {
                    Piece::Literal(text) => out.write_str(&on_the_wire(&text))?,
                    Piece::Parameter => write!(out, "{{{}}}", names.next().unwrap_or_default())?,
                    Piece::Greedy => write!(out, "{{+{}}}", names.next().unwrap_or_default())?,
                }
            }
        }
        Ok(())
    }
}

/// What is wrong with a template, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// Bytes from the start of the template.
    pub offset: usize,
    /// What is wrong there.
    pub kind: TemplateErrorKind,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(out)
    }
}

impl std::error::Error for TemplateError {}

/// What can be wrong with a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplateErrorKind {
    /// It does not begin with `/`.
    NotAbsolute,
    /// `{` without `}` in the same segment.
    Unclosed,
    /// `}` without `{`.
    Unopened,
    /// `{}`.
    EmptyName,
    /// `{?x}`, `{#x}`, `{x*}` and other operators of RFC 6570, which describe more than a path.
    Operator,
    /// `?` or `#`, which end a path; `%3F` and `%23` are literals.
    QueryOrFragment,
    /// A control character, which no request can carry.
    ControlCharacter,
    /// A `%` without two hexadecimal digits.
    MalformedPercent,
    /// Encoded octets that are not UTF-8, before this place; no request can carry them.
    NotUtf8,
    /// A segment `.` or `..`, which no request can carry.
    DotSegment,
}

impl TemplateErrorKind {
    fn at(self, offset: usize) -> TemplateError {
        TemplateError { offset, kind: self }
    }
}

impl fmt::Display for TemplateErrorKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::NotAbsolute => "a path begins with `/`",
            Self::Unclosed => "this `{` has no `}` in its segment",
            Self::Unopened => "this `}` has no `{`",
            Self::EmptyName => "a parameter needs a name",
            Self::Operator => "operators of RFC 6570 other than `{+name}` are not supported in paths",
            Self::QueryOrFragment => "a path ends at `?` or `#`; write `%3F` or `%23` for the character",
            Self::ControlCharacter => "a control character, which no request path can contain",
            Self::MalformedPercent => "this `%` lacks its two hexadecimal digits; write `%25` for the character",
            Self::NotUtf8 => "encoded octets before this place are not UTF-8, and no request path can contain them",
            Self::DotSegment => "a dot segment, which no request path can contain",
        })
    }
}

/// What stands between two slashes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Segment {
    /// Canonical text; may be empty.
    Literal(String),
    /// Literals and parameters, none of them greedy.
    Pattern(Vec<Piece>),
    /// One parameter and nothing else.
    Parameter,
    /// Literals and parameters, at least one of them greedy.
    Greedy(Vec<Piece>),
}

/// A part of a segment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Piece {
    /// Canonical text, not empty.
    Literal(String),
    /// One or more characters other than `/`.
    Parameter,
    /// One or more characters other than `%2F`.
    Greedy,
}

impl Segment {
    pub(crate) fn of(mut pieces: Vec<Piece>) -> Self {
        if pieces.contains(&Piece::Greedy) {
            return Self::Greedy(pieces);
        }
        match pieces.as_mut_slice() {
            [] => Self::Literal(String::new()),
            [Piece::Literal(text)] => Self::Literal(std::mem::take(text)),
            [Piece::Parameter] => Self::Parameter,
            _ => Self::Pattern(pieces),
        }
    }

    pub(crate) fn pieces(&self) -> Vec<Piece> {
        match self {
            Self::Literal(text) if text.is_empty() => Vec::new(),
            Self::Literal(text) => vec![Piece::Literal(text.clone())],
            Self::Parameter => vec![Piece::Parameter],
            Self::Pattern(pieces) | Self::Greedy(pieces) => pieces.clone(),
        }
    }

    pub(crate) fn is_greedy(&self) -> bool {
        matches!(self, Self::Greedy(_))
    }

    /// See [`Template::specificity`]. Ties are broken by the text, so that the order in a document never matters.
    pub(crate) fn specificity(&self, other: &Self) -> Ordering {
        let rank = |segment: &Self| match segment {
            Self::Literal(_) => (0, Reverse(0)),
            Self::Pattern(pieces) => (1, Reverse(literal_characters(pieces))),
            Self::Parameter => (2, Reverse(0)),
            Self::Greedy(pieces) => (3, Reverse(literal_characters(pieces))),
        };
        rank(self).cmp(&rank(other)).then_with(|| match (self, other) {
            (Self::Literal(mine), Self::Literal(theirs)) => mine.cmp(theirs),
            (Self::Pattern(mine) | Self::Greedy(mine), Self::Pattern(theirs) | Self::Greedy(theirs)) => {
                mine.cmp(theirs)
            }
            _ => Ordering::Equal,
        })
    }

    fn is_dot_segment(&self) -> bool {
        let Self::Literal(text) = self else {
            return false;
        };
        let decoded = text.replace("%2F", "/").replace('\\', "/");
        decoded.split('/').any(|part| matches!(part.split(';').next(), Some("." | "..")))
    }
}

fn literal_characters(pieces: &[Piece]) -> usize {
    pieces.iter().map(|piece| if let Piece::Literal(text) = piece { text.chars().count() } else { 0 }).sum()
}

/// Canonical text as a request carries it.
fn on_the_wire(canonical: &str) -> String {
    let mut wire = String::with_capacity(canonical.len());
    for octet in canonical.bytes() {
        // A `%` in canonical text begins `%2F` or `%25`.
        if is_allowed_raw(octet) {
            wire.push(char::from(octet));
        } else {
            push_encoded(&mut wire, octet);
        }
    }
    wire
}

#[derive(Default)]
struct Reader {
    segments: Vec<Segment>,
    names: Vec<Box<str>>,
    pieces: Vec<Piece>,
    literal: Vec<u8>,
}

impl Reader {
    fn encoded(&mut self, octet: u8) {
        match octet {
            b'/' => self.literal.extend_from_slice(b"%2F"),
            b'%' => self.literal.extend_from_slice(b"%25"),
            other => self.literal.push(other),
        }
    }

    fn parameter(&mut self, text: &str, at: usize) -> Result<(), TemplateError> {
        let (name, piece) = match (text.strip_prefix('+'), text.strip_suffix('+')) {
            (Some(name), _) | (None, Some(name)) => (name, Piece::Greedy),
            (None, None) => (text, Piece::Parameter),
        };
        if name.trim().is_empty() {
            return Err(TemplateErrorKind::EmptyName.at(at));
        }
        if name.starts_with(['?', '#', '&', ';', '.', '+']) || name.ends_with(['*', '+']) {
            return Err(TemplateErrorKind::Operator.at(at));
        }
        self.end_literal(at)?;
        self.pieces.push(piece);
        self.names.push(name.into());
        Ok(())
    }

    fn end_literal(&mut self, at: usize) -> Result<(), TemplateError> {
        if !self.literal.is_empty() {
            let octets = std::mem::take(&mut self.literal);
            let text = String::from_utf8(octets).map_err(|_| TemplateErrorKind::NotUtf8.at(at))?;
            self.pieces.push(Piece::Literal(text));
        }
        Ok(())
    }

    fn end_segment(&mut self, at: usize) -> Result<(), TemplateError> {
        self.end_literal(at)?;
        self.segments.push(Segment::of(std::mem::take(&mut self.pieces)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_the_normal_form() {
        let cases = [
            ("/", "/", ""),
            ("/a//b/", "/a//b/", ""),
            ("/tiles/{z}/{y}.{ext}", "/tiles/{z}/{y}.{ext}", "z y ext"),
            ("/docs('{key}')", "/docs('{key}')", "key"),
            ("/{id}{ext}", "/{id}{ext}", "id ext"),
            ("/{proxy+}", "/{+proxy}", "proxy"),
            ("/v1/{+name}:publish", "/v1/{+name}:publish", "name"),
            ("/m/{id}/c/{id}", "/m/{id}/c/{id}", "id id"),
            ("/invite ", "/invite%20", ""),
            ("/%7e%7Bx%7D%2f%25", "/~%7Bx%7D%2F%25", ""),
            ("/café/%c3%a9", "/caf%C3%A9/%C3%A9", ""),
            ("/:id/a[0]", "/:id/a[0]", ""),
            ("/{a b}/{x?}", "/{a b}/{x?}", "a b x?"),
        ];
        for (text, normal, names) in cases {
            let template = Template::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(template.to_string(), normal);
            assert_eq!(template.names().collect::<Vec<_>>().join(" "), names);
            assert_eq!(Template::parse(normal).as_ref(), Ok(&template), "{normal}");
        }
    }

    #[test]
    fn names_the_mistake_and_its_place() {
        let cases = [
            ("", 0, TemplateErrorKind::NotAbsolute),
            ("a/b", 0, TemplateErrorKind::NotAbsolute),
            ("/a/{b", 3, TemplateErrorKind::Unclosed),
            ("/a/{b/c}", 3, TemplateErrorKind::Unclosed),
            ("/a/{b{c}}", 3, TemplateErrorKind::Unclosed),
            ("/a/b}", 4, TemplateErrorKind::Unopened),
            ("/é/{}", 4, TemplateErrorKind::EmptyName),
            ("/{+}", 1, TemplateErrorKind::EmptyName),
            ("/a{?x}", 2, TemplateErrorKind::Operator),
            ("/{x*}", 1, TemplateErrorKind::Operator),
            ("/a?b=1", 2, TemplateErrorKind::QueryOrFragment),
            ("/a#b", 2, TemplateErrorKind::QueryOrFragment),
            ("/a\nb", 2, TemplateErrorKind::ControlCharacter),
            ("/a%00", 2, TemplateErrorKind::ControlCharacter),
            ("/100%", 4, TemplateErrorKind::MalformedPercent),
            ("/a%ff/b", 5, TemplateErrorKind::NotUtf8),
            ("/%c3{a}%a9", 4, TemplateErrorKind::NotUtf8),
            ("/a/../b", 3, TemplateErrorKind::DotSegment),
            ("/a/%2e", 3, TemplateErrorKind::DotSegment),
        ];
        for (text, offset, kind) in cases {
            assert_eq!(Template::parse(text), Err(kind.at(offset)), "{text}");
        }
    }

    #[test]
    fn greedy_beside_the_template() {
        let template = Template::parse("/api/{a}/{rest}").expect("a template").with_greedy(&["rest"]);
        assert_eq!(template.to_string(), "/api/{a}/{+rest}");
        assert_eq!(template.greedy_names().collect::<Vec<_>>(), ["rest"]);
    }
}
