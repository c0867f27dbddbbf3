//! What is wrong with a JSON text.

use std::fmt;

/// Why a text is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError {
    /// Bytes before the fault.
    pub at: usize,
    /// What is wrong.
    pub fault: JsonFault,
}

/// What is wrong with a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonFault {
    /// Bytes that are not UTF-8.
    NotUtf8,
    /// It ends too early.
    Ends,
    /// Not what JSON has there.
    Syntax,
    /// A member stands twice.
    Duplicate,
    /// More than 128 values in each other.
    TooDeep,
    /// There is more behind the value.
    Trailing,
    /// More than 4 GiB.
    TooLong,
}

impl fmt::Display for JsonFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotUtf8 => "is not UTF-8",
            Self::Ends => "is not JSON: it ends too early",
            Self::Syntax => "is not JSON",
            Self::Duplicate => "has a member twice in one object",
            Self::TooDeep => "has more than 128 levels",
            Self::Trailing => "has something behind the JSON value",
            Self::TooLong => "is too long",
        })
    }
}
