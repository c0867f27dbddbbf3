//! What the values of a parameter look like.

/// The values that a parameter has. Whatever else it matches is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// Any text.
    Any,
    /// Digits, perhaps with a sign.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
}

impl Value {
    /// Whether it may be this text.
    pub fn may_be(self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Integer => text.parse::<i64>().is_ok(),
            Self::Number => text.parse::<f64>().is_ok_and(f64::is_finite),
            Self::Boolean => matches!(text, "true" | "false"),
        }
    }

    /// Whether this may be a part of it.
    pub(crate) fn may_have(self, part: &str) -> bool {
        let all = |more: &[u8]| part.bytes().all(|octet| octet.is_ascii_digit() || more.contains(&octet));
        match self {
            Self::Any => true,
            Self::Integer => all(b"+-"),
            Self::Number => all(b"+-.eE"),
            Self::Boolean => "true".contains(part) || "false".contains(part),
        }
    }
}

/// Texts that stand for a value in an example.
#[derive(Debug, Clone, Copy)]
pub struct Filler<'a> {
    /// Where any text may stand.
    pub text: &'a str,
    /// Where a number has to stand.
    pub digits: &'a str,
}

impl Default for Filler<'_> {
    fn default() -> Self {
        Self { text: "x", digits: "1" }
    }
}
