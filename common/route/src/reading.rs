//! How upstreams read paths: some do not tell letters by case, or take a slash more or less for the same.

use crate::matching::after_unit;
use crate::path::RequestPath;
use crate::template::{Piece, Segment, Template};

/// What an upstream takes for the same when it reads a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PathReading {
    /// `/Users` and `/users`.
    pub ignores_case: bool,
    /// `/users/` and `/users`.
    pub ignores_trailing_slash: bool,
    /// `/a//b` and `/a/b`.
    pub merges_slashes: bool,
}

/// What a document says about how an upstream reads paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpstreamPaths {
    /// Whether `/Users` and `/users` are the same.
    pub case: PathCase,
    /// Whether `/users/` and `/users` are the same.
    pub trailing_slash: TrailingSlash,
    /// Whether `/a//b` and `/a/b` are the same.
    pub empty_segments: EmptySegments,
}

/// Whether letters of either case are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathCase {
    /// The document does not say.
    Unknown,
    /// They differ.
    Sensitive,
    /// They are the same.
    Insensitive,
}

/// Whether a path with a slash at its end is the same as without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrailingSlash {
    /// The document does not say.
    Unknown,
    /// They differ.
    Distinct,
    /// They are the same.
    Same,
}

/// Whether several slashes are the same as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptySegments {
    /// The document does not say.
    Unknown,
    /// They differ.
    Distinct,
    /// They are the same.
    Merged,
}

impl UpstreamPaths {
    /// The document says nothing.
    pub const UNKNOWN: Self = Self {
        case: PathCase::Unknown,
        trailing_slash: TrailingSlash::Unknown,
        empty_segments: EmptySegments::Unknown,
    };

    /// What the upstream takes for the same, as the document says.
    pub fn certain(self) -> PathReading {
        PathReading {
            ignores_case: self.case == PathCase::Insensitive,
            ignores_trailing_slash: self.trailing_slash == TrailingSlash::Same,
            merges_slashes: self.empty_segments == EmptySegments::Merged,
        }
    }

    /// What the upstream may take for the same, as far as the document does not say otherwise.
    pub fn possible(self) -> PathReading {
        PathReading {
            ignores_case: self.case != PathCase::Sensitive,
            ignores_trailing_slash: self.trailing_slash != TrailingSlash::Distinct,
            merges_slashes: self.empty_segments != EmptySegments::Distinct,
        }
    }
}

impl PathReading {
    /// Every octet counts.
    pub const EXACT: Self = Self { ignores_case: false, ignores_trailing_slash: false, merges_slashes: false };

    /// Every reading that takes more for the same than `certain` and no more than `possible`: an upstream may do one thing
    /// and not the other, and what both together would find can hide what one of them does.
    pub fn between(certain: Self, possible: Self) -> Vec<Self> {
        let kinds = [
            Self { ignores_case: true, ..Self::EXACT },
            Self { ignores_trailing_slash: true, ..Self::EXACT },
            Self { merges_slashes: true, ..Self::EXACT },
        ];
        let mut found = Vec::new();
        for chosen in 1..1_usize << kinds.len() {
            let kinds = kinds.iter().enumerate().filter(|(index, _)| chosen & 1 << index != 0);
            let reading = kinds.fold(certain, |all, (_, kind)| all.or(*kind));
            if reading != certain && reading.or(possible) == possible && !found.contains(&reading) {
                found.push(reading);
            }
        }
        found
    }

    /// The part of this reading that makes a difference to the templates: of readings with one such part, the templates
    /// are the same.
    #[must_use]
    pub fn among<'a>(self, templates: impl IntoIterator<Item = &'a Template>) -> Self {
        let is_empty = |segment: &Segment| matches!(segment, Segment::Literal(text) if text.is_empty());
        let has_capitals = |segment: &Segment| match segment {
            Segment::Literal(text) => text.bytes().any(|octet| octet.is_ascii_uppercase() || !octet.is_ascii()),
            Segment::Parameter => false,
            // Patterns are few.
            Segment::Pattern(_) | Segment::Greedy(_) => true,
        };
        let mut found = Self::EXACT;
        for template in templates {
            let segments = template.segments();
            let (last, others) = segments.split_last().map_or((None, segments), |(last, others)| (Some(last), others));
            found.merges_slashes |= others.iter().any(is_empty);
            found.ignores_trailing_slash |= !others.is_empty() && last.is_some_and(is_empty);
            found.ignores_case |= segments.iter().any(has_capitals);
        }
        Self {
            ignores_case: self.ignores_case && found.ignores_case,
            ignores_trailing_slash: self.ignores_trailing_slash && found.ignores_trailing_slash,
            merges_slashes: self.merges_slashes && found.merges_slashes,
        }
    }

    /// What either takes for the same.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            ignores_case: self.ignores_case || other.ignores_case,
            ignores_trailing_slash: self.ignores_trailing_slash || other.ignores_trailing_slash,
            merges_slashes: self.merges_slashes || other.merges_slashes,
        }
    }

    /// The path in the one spelling that stands for all that are the same to this upstream. What is forwarded of its
    /// parameters is spelt as received.
    pub fn path(self, path: &RequestPath<'_>) -> RequestPath<'static> {
        let text = path.canonical();
        let (mut wire, mut canonical, mut offsets) = (String::new(), String::new(), Vec::new());
        let mut at = 0;
        while at < text.len() {
            let next = after_unit(text, at);
            let unit = &text[at..next];
            let is_dropped = unit == "/"
                && ((self.merges_slashes && canonical.ends_with('/'))
                    || (self.ignores_trailing_slash && next == text.len() && !canonical.is_empty()));
            if !is_dropped {
                let start = wire.len();
                wire.push_str(path.wire_of(at..next));
                let from = canonical.len();
                self.fold_into(&mut canonical, unit);
                offsets.resize(canonical.len(), start);
                // `%2F` and `%25` stand for themselves, octet by octet.
                if unit.starts_with('%') {
                    offsets.truncate(from);
                    offsets.extend(start..start + unit.len());
                }
            }
            at = next;
        }
        // A slash before the one that was dropped, where several are at the end.
        if self.ignores_trailing_slash && self.merges_slashes && canonical.len() > 1 && canonical.ends_with('/') {
            canonical.pop();
            wire.pop();
            offsets.pop();
        }
        offsets.push(wire.len());
        RequestPath::from_parts(wire, canonical, offsets)
    }

    /// The template of the paths in that spelling. Its parameters take whatever a parameter can be allowed to take.
    pub fn template(self, template: &Template) -> Template {
        template.reread(|segments| self.segments(segments))
    }

    fn segments(self, mut segments: Vec<Segment>) -> Vec<Segment> {
        let is_empty = |segment: &Segment| matches!(segment, Segment::Literal(text) if text.is_empty());
        if self.merges_slashes {
            let last = segments.len() - 1;
            let mut index = 0;
            segments.retain(|segment| {
                index += 1;
                !is_empty(segment) || index > last
            });
        }
        if self.ignores_trailing_slash && segments.len() > 1 && segments.last().is_some_and(is_empty) {
            segments.pop();
        }
        if self.ignores_case {
            for segment in &mut segments {
                if let Segment::Literal(text) = segment {
                    *text = self.fold(text);
                    continue;
                }
                let folded = segment.pieces().into_iter().map(|piece| match piece {
                    Piece::Literal(text) => Piece::Literal(self.fold(&text)),
                    parameter => parameter,
                });
                *segment = Segment::of(folded.collect());
            }
        }
        segments
    }

    /// Whether this canonical path is in the one spelling already.
    pub fn is_normal(self, canonical: &str) -> bool {
        let has_capitals = || canonical.bytes().any(|octet| octet.is_ascii_uppercase() || !octet.is_ascii());
        let is_read_otherwise = (self.ignores_case && has_capitals())
            || (self.ignores_trailing_slash && canonical.len() > 1 && canonical.ends_with('/'))
            || (self.merges_slashes && canonical.contains("//"));
        !is_read_otherwise
    }

    fn fold(self, text: &str) -> String {
        if self.ignores_case && text.bytes().all(|octet| octet.is_ascii() && octet != b'%') {
            return text.to_ascii_lowercase();
        }
        let (mut folded, mut at) = (String::with_capacity(text.len()), 0);
        while at < text.len() {
            let next = after_unit(text, at);
            self.fold_into(&mut folded, &text[at..next]);
            at = next;
        }
        folded
    }

    /// `%2F` and `%25` are no letters. Others are compared as case-insensitive servers do: in capitals, then in small
    /// letters, so that the Kelvin sign is a `k` and the dotless `ı` an `i`.
    fn fold_into(self, folded: &mut String, unit: &str) {
        match unit.chars().next() {
            Some(letter) if self.ignores_case && letter != '%' => {
                let mut capitals = letter.to_uppercase();
                let capital = if capitals.len() == 1 { capitals.next().unwrap_or(letter) } else { letter };
                folded.push(capital.to_lowercase().next().unwrap_or(capital));
            }
            _ => folded.push_str(unit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Params;

    const CASE: PathReading = PathReading { ignores_case: true, ..PathReading::EXACT };
    const TRAILING: PathReading = PathReading { ignores_trailing_slash: true, ..PathReading::EXACT };
    const MERGED: PathReading = PathReading { merges_slashes: true, ..PathReading::EXACT };
    const ALL: PathReading = PathReading { ignores_case: true, ignores_trailing_slash: true, merges_slashes: true };

    #[test]
    fn paths_that_are_the_same_have_one_spelling() {
        let cases = [
            (CASE, "/Users/ME", "/users/me"),
            (CASE, "/users/%C4%B1%E2%84%AA%C5%BF", "/users/iks"),
            (CASE, "/A%2FB%25", "/a%2Fb%25"),
            (CASE, "/a/", "/a/"),
            (TRAILING, "/a/", "/a"),
            (TRAILING, "/a//", "/a/"),
            (TRAILING, "/", "/"),
            (MERGED, "//a///b/", "/a/b/"),
            (ALL, "//A//", "/a"),
            (ALL, "//", "/"),
            (PathReading::EXACT, "/A//b/", "/A//b/"),
        ];
        for (reading, path, expected) in cases {
            let path = RequestPath::parse(path).expect("a path");
            let read = reading.path(&path);
            assert_eq!(read.canonical(), expected, "{path:?}");
            let is_same = path.canonical() == read.canonical();
            assert!(is_same || !reading.is_normal(path.canonical()), "{path:?}");
        }
    }

    #[test]
    fn templates_are_spelt_like_their_paths() {
        let cases = [
            (CASE, "/Users/{Id}.JSON", "/users/{Id}.json"),
            (CASE, "/A%2fB/{+Rest}", "/a%2Fb/{+Rest}"),
            (TRAILING, "/a/{b}/", "/a/{b}"),
            (TRAILING, "/", "/"),
            (MERGED, "//a//{b}/", "/a/{b}/"),
            (ALL, "/A//", "/a"),
        ];
        for (reading, template, expected) in cases {
            let template = Template::parse(template).expect("a template");
            assert_eq!(reading.template(&template).to_string(), expected);
        }
    }

    #[test]
    fn readings_between_two_are_all_combinations() {
        assert_eq!(PathReading::between(PathReading::EXACT, ALL).len(), 7);
        assert_eq!(PathReading::between(CASE, ALL).len(), 3);
        assert_eq!(PathReading::between(PathReading::EXACT, CASE), [CASE]);
        assert!(PathReading::between(ALL, ALL).is_empty());
    }

    #[test]
    fn parameters_are_forwarded_as_received() {
        let path = RequestPath::parse("//Users//a%20B%2fC/").expect("a path");
        let read = ALL.path(&path);
        let template = ALL.template(&Template::parse("/USERS/{id}/").expect("a template"));
        let params = Params::of(&template, &read).expect("a match");
        let id = params.get("id").expect("a parameter");
        assert_eq!((id.canonical, id.wire), ("a b%2Fc", "a%20B%2FC"));
    }
}
