//! Formats that are asserted.

/// A format that is asserted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// x
    Date,
}

impl Format {
    /// The format of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        (name == "date").then_some(Self::Date)
    }
    /// What a value must be.
    #[must_use]
    pub fn message(self) -> &'static str {
        "must be a date"
    }
    /// Text.
    #[must_use]
    pub fn admits_text(self, _text: &str) -> bool {
        true
    }
    /// Number.
    #[must_use]
    pub fn admits_number(self, _number: crate::number::Decimal<'_>) -> bool {
        true
    }
    /// Whether of numbers.
    #[must_use]
    pub fn is_of_numbers(self) -> bool {
        false
    }
}
