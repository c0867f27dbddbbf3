//! One template against one path.

use std::ops::Range;

use crate::ambiguity::Allowance;
use crate::template::{Piece, Segment, Template};

/// Where the parameters are in the canonical path, from left to right; four need no allocation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ranges {
    inline: [(u32, u32); 4],
    length: usize,
    more: Vec<(u32, u32)>,
}

impl Ranges {
    fn push(&mut self, start: usize, end: usize) {
        let range = (u32::try_from(start).unwrap_or(u32::MAX), u32::try_from(end).unwrap_or(u32::MAX));
        match self.inline.get_mut(self.length) {
            Some(slot) => *slot = range,
            None => self.more.push(range),
        }
        self.length += 1;
    }

    fn clear(&mut self) {
        self.length = 0;
        self.more.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    pub(crate) fn get(&self, index: usize) -> Option<Range<usize>> {
        let found =
            if index < self.length.min(4) { self.inline.get(index) } else { self.more.get(index.wrapping_sub(4)) };
        found.map(|&(start, end)| start as usize..end as usize)
    }
}

/// Whether the template matches the canonical path, and where its parameters are.
pub(crate) fn matches(template: &Template, path: &str, ranges: &mut Ranges) -> bool {
    matches_shape(template, path, ranges) && refused(template, path, ranges).is_none()
}

/// The first parameter that does not take its value.
pub(crate) fn refused(template: &Template, path: &str, ranges: &Ranges) -> Option<usize> {
    (0..ranges.len()).find(|&index| {
        let value = ranges.get(index).and_then(|range| path.get(range)).unwrap_or_default();
        !template.allowance(index).takes(value)
    })
}

/// Whether the template would match if every parameter took every character of its segment.
pub(crate) fn matches_shape(template: &Template, path: &str, ranges: &mut Ranges) -> bool {
    ranges.clear();
    let mut rest = 1;
    let mut segments = template.segments().iter().peekable();
    while let Some(segment) = segments.next() {
        if let Segment::Greedy(pieces) = segment {
            if segments.peek().is_none() && *pieces == [Piece::Greedy] {
                // `/{+rest}` at the end, by far the most frequent.
                ranges.push(rest, path.len());
                return path.get(rest..).is_some_and(|text| !text.is_empty() && !has_empty_segment(text));
            }
            return matches_across(template, path, ranges);
        }
        let Some(text) = path.get(rest..) else {
            return false;
        };
        let end = memchr_slash(text).map_or(path.len(), |length| rest + length);
        if !matches_segment(segment, &path[rest..end], rest, ranges) {
            return false;
        }
        rest = end + 1;
    }
    rest == path.len() + 1
}

/// Whether every server reads this text, which stands behind a slash and goes up to the end, as the same segments.
pub(crate) fn is_clear_value(text: &str) -> bool {
    !has_empty_segment(text) && Allowance::NONE.takes(text)
}

/// Whether a `/` stands beside another one in this text, which stands behind a slash.
fn has_empty_segment(text: &str) -> bool {
    let mut before = b'/';
    text.bytes().any(|octet| {
        let twice = octet == b'/' && before == b'/';
        before = octet;
        twice
    })
}

fn memchr_slash(text: &str) -> Option<usize> {
    text.bytes().position(|octet| octet == b'/')
}

/// One segment that is not greedy. `offset` is where it begins in the path.
pub(crate) fn matches_segment(segment: &Segment, text: &str, offset: usize, ranges: &mut Ranges) -> bool {
    match segment {
        Segment::Literal(literal) => literal == text,
        Segment::Parameter => {
            ranges.push(offset, offset + text.len());
            !text.is_empty()
        }
        Segment::Pattern(pieces) => matches_pattern(pieces, text, offset, ranges),
        Segment::Greedy(_) => false,
    }
}

/// Linear: each literal is taken where it first occurs, which leaves most to the pieces after it; only the last
/// literal is fixed, at the end.
fn matches_pattern(pieces: &[Piece], text: &str, offset: usize, ranges: &mut Ranges) -> bool {
    let (pieces, end) = match pieces.split_last() {
        Some((Piece::Literal(last), before)) => {
            let Some(length) = text.len().checked_sub(last.len()) else {
                return false;
            };
            if !text.ends_with(last.as_str()) || !is_boundary(text, length) {
                return false;
            }
            (before, length)
        }
        _ => (pieces, text.len()),
    };
    let text = &text[..end];
    let mut at = 0;
    let mut open = None;
    for piece in pieces {
        match piece {
            Piece::Literal(literal) => {
                let found = match open {
                    None => text[at..].starts_with(literal.as_str()).then_some(at),
                    Some(start) => find(text, literal, after_unit(text, start)),
                };
                let Some(found) = found else { return false };
                if let Some(start) = open.take() {
                    ranges.push(offset + start, offset + found);
                }
                at = found + literal.len();
            }
            Piece::Parameter | Piece::Greedy => {
                // Two parameters side by side: the first takes one character.
                if let Some(start) = open {
                    at = after_unit(text, start);
                    ranges.push(offset + start, offset + at);
                }
                if at >= text.len() {
                    return false;
                }
                open = Some(at);
            }
        }
    }
    match open {
        Some(start) => {
            ranges.push(offset + start, offset + end);
            start < end
        }
        None => at == end,
    }
}

/// The first occurrence of `literal` at or after `from` that does not begin inside `%XX`.
fn find(text: &str, literal: &str, from: usize) -> Option<usize> {
    let mut from = from;
    loop {
        let found = from + text.get(from..)?.find(literal)?;
        if is_boundary(text, found) {
            return Some(found);
        }
        from = after_unit(text, found);
    }
}

/// A `%` in canonical text always begins `%XX`, which is one character.
fn is_boundary(text: &str, at: usize) -> bool {
    let octets = text.as_bytes();
    !(1..=2).any(|back| at.checked_sub(back).is_some_and(|before| octets.get(before) == Some(&b'%')))
}

/// The offset behind the character at this offset.
pub(crate) fn after_unit(text: &str, at: usize) -> usize {
    match text.get(at..).and_then(|rest| rest.chars().next()) {
        Some('%') => (at + 3).min(text.len()),
        Some(character) => at + character.len_utf8(),
        None => text.len() + 1,
    }
}

/// Whether a parameter takes the character at this offset. A greedy one takes no slash at which an empty segment begins
/// or ends, another one takes no slash at all.
fn takes_at(path: &str, at: usize, is_greedy: bool, allowance: Allowance) -> bool {
    let octets = path.as_bytes();
    let is_slash = |at: usize| octets.get(at) == Some(&b'/');
    let beside = is_slash(at + 1) || at.checked_sub(1).is_some_and(is_slash);
    allowance.takes_first(&path[at..]) && !(is_slash(at) && (beside || !is_greedy))
}

/// Any pieces against the whole path: for each piece from the right, from which offsets the rest matches. Time and
/// memory are the product of both lengths, whatever the template.
fn matches_across(template: &Template, path: &str, ranges: &mut Ranges) -> bool {
    const NEVER: u32 = u32::MAX;
    ranges.clear();
    let pieces = template.flat();
    let width = path.len() + 1;
    // ends[piece][at]: where the piece ends, at the earliest, if it begins at `at` and everything after it matches.
    let mut ends = vec![NEVER; width * pieces.len()];
    let matches_from = |ends: &[u32], piece: usize, at: usize| {
        if piece == pieces.len() { at == path.len() } else { ends[piece * width + at] != NEVER }
    };
    let units: Vec<usize> =
        std::iter::successors(Some(0), |&at| Some(after_unit(path, at))).take_while(|&at| at < path.len()).collect();
    let mut parameter = template.names().len();
    for (index, piece) in pieces.iter().enumerate().rev() {
        parameter -= usize::from(!matches!(piece, Piece::Literal(_)));
        let allowance = template.allowance(parameter);
        for &at in units.iter().rev() {
            let next = after_unit(path, at);
            let end = match piece {
                Piece::Literal(literal) => {
                    let end = at + literal.len();
                    (path[at..].starts_with(literal.as_str()) && matches_from(&ends, index + 1, end)).then_some(end)
                }
                Piece::Parameter | Piece::Greedy if !takes_at(path, at, *piece == Piece::Greedy, allowance) => None,
                Piece::Parameter | Piece::Greedy if matches_from(&ends, index + 1, next) => Some(next),
                Piece::Parameter | Piece::Greedy => match ends.get(index * width + next) {
                    Some(&end) if end != NEVER => Some(end as usize),
                    _ => None,
                },
            };
            ends[index * width + at] = end.and_then(|end| u32::try_from(end).ok()).unwrap_or(NEVER);
        }
    }
    let mut at = 0;
    for (index, piece) in pieces.iter().enumerate() {
        if !matches_from(&ends, index, at) {
            return false;
        }
        let end = ends[index * width + at] as usize;
        if !matches!(piece, Piece::Literal(_)) {
            ranges.push(at, end);
        }
        at = end;
    }
    at == path.len()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{Ambiguous, RequestPath};

    /// SplitMix64: tests need a reproducible source of variety, not quality.
    pub(crate) struct Random(pub(crate) u64);

    impl Random {
        pub(crate) fn below(&mut self, bound: usize) -> usize {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut value = self.0;
            value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((value ^ (value >> 31)) % bound as u64) as usize
        }
    }

    fn parameters(template: &str, path: &str) -> Option<String> {
        let template = Template::parse(template).expect("a template");
        let path = RequestPath::parse(path).expect("a path");
        let mut ranges = Ranges::default();
        matches(&template, path.canonical(), &mut ranges).then(|| {
            assert_eq!(ranges.len(), template.names().len());
            let values: Vec<_> =
                (0..ranges.len()).filter_map(|index| ranges.get(index)).map(|range| &path.canonical()[range]).collect();
            values.join(" ")
        })
    }

    #[test]
    fn matches_the_right_parts() {
        let cases = [
            ("/", "/", Some("")),
            ("/", "/a", None),
            ("/a", "/a/", None),
            ("/a/", "/a", None),
            ("/{a}", "/", None),
            ("/{a}/b", "//b", None),
            ("/a//b", "/a//b", Some("")),
            ("/{id}{ext}", "/ab", Some("a b")),
            ("/{id}{ext}", "/a", None),
            ("/{id}{ext}", "/%C3%A9%2Cx", Some("é ,x")),
            ("/{id}{ext}", "/%C3%A9%2Fx", None),
            ("/{a}%2F{b}", "/x%2fy", Some("x y")),
            ("/{a}2F{b}", "/x%2Fy", None),
            ("/{a}2F", "/x%2F", None),
            ("/{a};{b}", "/x;y", Some("x y")),
            ("/{a};{b}", "/x;y;z", None),
            ("/{a}:{b}", "/x:y:z", Some("x y:z")),
            ("/{a}:{b}", "/:y", None),
            ("/{a}:{b}", "/::y", Some(": y")),
            ("/{name}:cancel", "/a:cancel:cancel", Some("a:cancel")),
            ("/docs('{key}')", "/docs('a%20b')", Some("a b")),
            ("/{base}...{head}", "/main...dev", Some("main dev")),
            ("/{a}.x{b}.y", "/1.x.x2.y", Some("1 .x2")),
            ("/aa{x}aa", "/aaa", None),
            ("/aa{x}aa", "/aa-aa", Some("-")),
            ("/a/{+rest}", "/a/b/c/", Some("b/c/")),
            ("/a/{+rest}", "/a/", None),
            ("/a/{+rest}", "/a", None),
            ("/a/{+rest}", "/a//", None),
            ("/a/{+rest}", "/a//b", None),
            ("/a/{+rest}", "/a/b//c", None),
            ("/a/{+rest}", "/a/b//", None),
            ("/a/{+rest}", "/a/b;c/d", None),
            ("/a/{+rest}", "/a/b%3Bc/d", None),
            ("/a/{+rest}", "/a/b%5Cd", None),
            ("/a/{+rest}", "/a/b%2Fc", None),
            ("/a/{+rest}", "/a/b%25c", None),
            ("/a/{+rest}", "/a/b%2Cc", Some("b,c")),
            ("/a/{x}", "/a/b;c", None),
            ("/a/{x}", "/a/b%3bc", None),
            ("/a/{x}", "/a/b%2Fd", None),
            ("/a/{x}", "/a/b%25", None),
            ("/a/{x}", "/a/b%5Cc", None),
            ("/a/{x}", "/a/b:@!$&'()*+,=%22%3C%C3%A9", Some("b:@!$&'()*+,=\"<é")),
            ("/a//{+rest}", "/a//b", Some("b")),
            ("/a;x/{+rest}", "/a;x/b", Some("b")),
            ("/x-{+rest}", "/x-/b", Some("/b")),
            ("/x-{+rest}", "/x-//b", None),
            ("/v1/{+name}:publish", "/v1/a/b:publish:publish", Some("a/b:publish")),
            ("/v1/{+project}/topics", "/v1/a/topics/topics", Some("a/topics")),
            ("/v1/{+project}/topics", "/v1//topics/topics", None),
            ("/v1/{+project}/topics", "/v1/a//topics", None),
            ("/v1/{+project}/topics", "/v1/a;b/topics", None),
            ("/v1/{+project}/topics", "/v1/a%2Fb/topics", None),
            ("/v1/{+project}/topics", "/v1/a%25b/topics", None),
            ("/v1/{+project}/topics", "/v1/a%5Cb/topics", None),
            ("/v1/{+project}/{id}", "/v1/a/b;c", None),
            ("/v1/{+project}/{id}", "/v1/a/b,c", Some("a b,c")),
            ("/v1/{+project}/topics/{id}", "/v1/a/b/topics/c", Some("a/b c")),
            ("/v1/{+project}/topics/{id}", "/v1/a/b/topics/c/d", None),
            ("/{+a}/x/{+b}", "/1/x/x/2", Some("1 x/2")),
            ("/{a}-{+b}.z", "/q-w/e.z", Some("q w/e")),
        ];
        for (template, path, expected) in cases {
            assert_eq!(parameters(template, path).as_deref(), expected, "{template} {path}");
        }
    }

    #[test]
    fn allowed_characters_are_taken() {
        let one = |character| Allowance::of(&[character]);
        let cases = [
            ("/a/{x}", one(Ambiguous::EncodedSlash), "/a/b%2fc", true),
            ("/a/{x}", one(Ambiguous::EncodedSlash), "/a/b%5cc", false),
            ("/a/{x}", one(Ambiguous::Semicolon), "/a/b;c%3bd", true),
            ("/a/{x}.json", one(Ambiguous::Backslash), "/a/b%5cc.json", true),
            ("/a/{x}/{y}", one(Ambiguous::EncodedPercent), "/a/b%25/c", true),
            ("/a/{x}/{y}", one(Ambiguous::EncodedPercent), "/a/b/c%25", false),
            ("/a/{+x}", one(Ambiguous::EncodedSlash), "/a/b%2fc/d", true),
            ("/a/{+x}", one(Ambiguous::EncodedSlash), "/a/b//d", false),
            ("/a/{+x}/z/{y}", one(Ambiguous::EncodedSlash), "/a/b%2fc/d/z/e", true),
            ("/a/{+x}/z/{y}", one(Ambiguous::EncodedSlash), "/a/b/z/e%2f", false),
        ];
        for (template, allowance, path, expected) in cases {
            let template = Template::parse(template).expect("a template").with_allowance("x", allowance);
            let path = RequestPath::parse(path).expect("a path");
            let found = matches(&template, path.canonical(), &mut Ranges::default());
            assert_eq!(found, expected, "{template} {path:?}");
        }
    }

    #[test]
    fn takes_no_exponential_time() {
        let template = "/{+a}a{+b}a{+c}a{+d}a{+e}a{+f}a{+g}/z";
        assert_eq!(parameters(template, &format!("/{}", "a".repeat(4_000))), None);
        assert_eq!(parameters("/{a}a{b}a{c}a{d}a{e}z", &format!("/{}", "a".repeat(8_000))), None);
    }
}
