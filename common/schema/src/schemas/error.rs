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
    /// No keyword is wrong, but how schemas apply to each other.
    pub is_about_the_whole: bool,
}

impl SchemaError {
    /// About how the schema of that name applies to others.
    pub(super) fn of_whole(name: &str, message: &str) -> Self {
        Self { name: name.to_owned(), pointer: String::new(), message: message.to_owned(), is_about_the_whole: true }
    }
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, pointer, message, .. } = self;
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
