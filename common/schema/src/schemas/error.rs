//! Why a schema is refused.

use std::fmt;

/// Why a schema is refused, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaError {
    /// The name of the schema; empty for one that has none.
    pub name: String,
    /// The place in it (RFC 6901).
    pub pointer: String,
    /// What is wrong: "`minimum` must be a number".
    pub message: String,
}

impl SchemaError {
    /// Whether no keyword is wrong, but how schemas apply to each other.
    #[must_use]
    pub fn is_about_the_whole(&self) -> bool {
        [APPLIES_TO_ITSELF, TOO_MANY_AT_ONCE].contains(&self.message.as_str())
    }
}

/// A schema that is asked about the value that it was asked about.
pub(super) const APPLIES_TO_ITSELF: &str = "it applies to itself without end";

/// Schemas that are asked about one value, each by the one before.
pub(super) const TOO_MANY_AT_ONCE: &str = "more than 200 schemas apply to one value, each in another one";

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, pointer, message } = self;
        match &**name {
            "" => f.write_str("schema without a name")?,
            name => write!(f, "schema `{name}`")?,
        }
        if !pointer.is_empty() {
            write!(f, ", at `{pointer}`")?;
        }
        write!(f, ": {message}")
    }
}

impl std::error::Error for SchemaError {}
