//! Characters that servers read differently, and which of them a parameter takes.

/// What a parameter takes beside the characters that every server reads alike.
///
/// An upstream that decodes a path before it splits it reads `/users/1%2Fsecrets` as `/users/1/secrets`; one that
/// drops path parameters reads `/users/me;x` as `/users/me`. A parameter that took such a value would be a way around
/// the operation that is described there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Allowance(u8);

/// A character that servers read differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ambiguous {
    /// `%2F`, which many servers decode before they look for segments.
    EncodedSlash,
    /// `%25`, which is another character after a second decoding.
    EncodedPercent,
    /// `%5C`, which some servers take for a slash.
    Backslash,
    /// `;` or `%3B`, behind which Java servers see parameters of the segment.
    Semicolon,
}

impl Ambiguous {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::EncodedSlash, Self::EncodedPercent, Self::Backslash, Self::Semicolon];

    /// The member of a path parameter's `x-gateway` that allows it.
    pub const fn member(self) -> &'static str {
        match self {
            Self::EncodedSlash => "encodedSlash",
            Self::EncodedPercent => "encodedPercent",
            Self::Backslash => "backslash",
            Self::Semicolon => "semicolon",
        }
    }

    /// As in a request.
    pub const fn written(self) -> &'static str {
        match self {
            Self::EncodedSlash => "%2F",
            Self::EncodedPercent => "%25",
            Self::Backslash => "%5C",
            Self::Semicolon => ";",
        }
    }

    /// The one at the beginning of canonical text, in which a `%` begins `%2F` or `%25`.
    fn at_start_of(text: &str) -> Option<Self> {
        match text.as_bytes() {
            [b'%', b'2', b'F', ..] => Some(Self::EncodedSlash),
            [b'%', ..] => Some(Self::EncodedPercent),
            [b'\\', ..] => Some(Self::Backslash),
            [b';', ..] => Some(Self::Semicolon),
            _ => None,
        }
    }
}

impl Allowance {
    /// None of them.
    pub const NONE: Self = Self(0);

    /// These.
    pub fn of(characters: &[Ambiguous]) -> Self {
        characters.iter().fold(Self::NONE, |all, one| Self(all.0 | 1 << *one as u8))
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are allowed.
    pub fn characters(self) -> impl Iterator<Item = Ambiguous> {
        Ambiguous::ALL.into_iter().filter(move |one| self.allows(*one))
    }

    fn allows(self, one: Ambiguous) -> bool {
        self.0 & 1 << one as u8 != 0
    }

    /// Whether canonical text has no character that is not allowed.
    pub fn takes(self, canonical: &str) -> bool {
        self.refused_in(canonical).is_none()
    }

    /// The first character of canonical text that is not allowed.
    pub fn refused_in(self, canonical: &str) -> Option<Ambiguous> {
        let candidates = canonical.bytes().enumerate().filter(|(_, octet)| matches!(octet, b'%' | b';' | b'\\'));
        let mut found = candidates.filter_map(|(at, _)| Ambiguous::at_start_of(&canonical[at..]));
        found.find(|one| !self.allows(*one))
    }

    /// Whether the first character of canonical text is allowed, or needs no allowance.
    pub(crate) fn takes_first(self, canonical: &str) -> bool {
        Ambiguous::at_start_of(canonical).is_none_or(|one| self.allows(one))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_character_has_a_word_of_its_own() {
        let texts = [("a%2Fb", Ambiguous::EncodedSlash), ("a%25b", Ambiguous::EncodedPercent)];
        let texts = texts.into_iter().chain([("a\\b", Ambiguous::Backslash), ("a;b", Ambiguous::Semicolon)]);
        for (text, one) in texts {
            assert_eq!(Allowance::NONE.refused_in(text), Some(one), "{text}");
            assert!(Allowance::of(&[one]).takes(text), "{text}");
            for other in Ambiguous::ALL.into_iter().filter(|other| *other != one) {
                assert!(!Allowance::of(&[other]).takes(text), "{text} {other:?}");
            }
        }
        assert!(Allowance::NONE.takes("a-é~b:@!$&'()*+,="));
        assert!(Allowance::of(&Ambiguous::ALL).takes("%2F%25\\;"));
    }
}
