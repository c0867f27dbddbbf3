//! Why a text is no pattern.

use std::error::Error;
use std::fmt;

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternError {
    /// Bytes before the fault.
    pub at: usize,
    /// What is wrong, in words for the author of the pattern.
    pub message: String,
}

impl PatternError {
    pub(super) fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for PatternError {}
