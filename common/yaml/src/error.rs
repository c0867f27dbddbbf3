//! What can be wrong with a file before anyone looks at what it says.

use std::fmt;

use crate::Span;

/// A fault in a file and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadError {
    /// Where.
    pub span: Span,
    /// What kind of fault.
    pub kind: ErrorKind,
    /// The fault in one sentence, in the author's words.
    pub message: String,
    /// A few words for under the place.
    pub label: &'static str,
    /// A second place that belongs to the fault, such as the first of two equal keys.
    pub also: Option<(Span, String)>,
    /// What to do about it.
    pub help: Option<String>,
}

/// Kinds of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Neither YAML nor JSON.
    Syntax,
    /// A key occurs twice in one mapping.
    DuplicateKey,
    /// Aliases that expand to too much or to themselves, nesting that is too deep, a file that is too large.
    Limit,
    /// A key that is a list or a mapping, or a `<<` that has nothing to merge.
    Key,
    /// A tag that contradicts its value or that has no meaning here.
    Tag,
    /// More than one document in the file.
    ManyDocuments,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for LoadError {}
