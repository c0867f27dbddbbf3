//! Sets of kinds of values: what `type` lists.

use std::fmt;
use std::ops::{BitAnd, BitOr};

use crate::json::{Kind, Value};

/// A set of kinds. A number is an integer if it has no fraction, however it is written.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kinds(u8);

impl Kinds {
    /// No kind: nothing fits.
    pub const NONE: Self = Self(0);
    /// `null`
    pub const NULL: Self = Self(1);
    /// `true` and `false`
    pub const BOOLEAN: Self = Self(1 << 1);
    /// Numbers without a fraction.
    pub const INTEGER: Self = Self(1 << 2);
    /// All numbers.
    pub const NUMBER: Self = Self(1 << 2 | 1 << 3);
    /// Texts.
    pub const STRING: Self = Self(1 << 4);
    /// Lists.
    pub const ARRAY: Self = Self(1 << 5);
    /// Members by name.
    pub const OBJECT: Self = Self(1 << 6);
    /// Every kind: nothing is restricted.
    pub const ALL: Self = Self((1 << 7) - 1);

    /// The kind that `type` calls so.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(kinds, _)| *kinds)
    }

    /// Whether all of these kinds are in the set.
    #[must_use]
    pub const fn contains(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// Whether one of these kinds is in the set.
    #[must_use]
    pub const fn overlaps(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// Whether there is no kind in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The kinds of values that look like this one; a number may have a fraction.
    #[must_use]
    pub const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Null => Self::NULL,
            Kind::False | Kind::True => Self::BOOLEAN,
            Kind::Number => Self::NUMBER,
            Kind::String => Self::STRING,
            Kind::Array => Self::ARRAY,
            Kind::Object => Self::OBJECT,
        }
    }

    /// Whether the kind of a value is in the set.
    #[must_use]
    pub fn admits(self, value: Value<'_>) -> bool {
        let kinds = Self::of(value.kind());
        self.contains(kinds) || (self.overlaps(kinds) && value.is_integer())
    }
}

impl Default for Kinds {
    fn default() -> Self {
        Self::ALL
    }
}

impl BitAnd for Kinds {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl BitOr for Kinds {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The words of `type`. A number comes before an integer, which it contains.
static NAMES: [(Kinds, &str); 7] = [
    (Kinds::OBJECT, "object"),
    (Kinds::ARRAY, "array"),
    (Kinds::STRING, "string"),
    (Kinds::NUMBER, "number"),
    (Kinds::INTEGER, "integer"),
    (Kinds::BOOLEAN, "boolean"),
    (Kinds::NULL, "null"),
];

impl fmt::Display for Kinds {
    /// As a reader says it: "a string, an integer or null".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = *self;
        let mut words = Vec::new();
        for (kinds, name) in NAMES {
            if left.contains(kinds) {
                left.0 &= !kinds.0;
                words.push(match name {
                    "null" => name.to_owned(),
                    "object" | "array" | "integer" => format!("an {name}"),
                    _ => format!("a {name}"),
                });
            }
        }
        match words.split_last() {
            None => f.write_str("nothing"),
            Some((last, [])) => f.write_str(last),
            Some((last, others)) => write!(f, "{} or {last}", others.join(", ")),
        }
    }
}

impl fmt::Debug for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_said_in_words() {
        for (kinds, expected) in [
            (Kinds::INTEGER, "an integer"),
            (Kinds::NUMBER, "a number"),
            (Kinds::INTEGER | Kinds::NUMBER, "a number"),
            (Kinds::STRING | Kinds::NULL, "a string or null"),
            (Kinds::BOOLEAN | Kinds::ARRAY | Kinds::OBJECT, "an object, an array or a boolean"),
            (Kinds::NONE, "nothing"),
        ] {
            assert_eq!(kinds.to_string(), expected);
        }
    }

    #[test]
    fn a_number_contains_integers() {
        assert!(Kinds::NUMBER.contains(Kinds::INTEGER));
        assert!(!Kinds::INTEGER.contains(Kinds::NUMBER));
        assert_eq!(Kinds::NUMBER & Kinds::INTEGER, Kinds::INTEGER);
    }
}
