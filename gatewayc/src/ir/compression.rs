//! Compression of responses.

pub use gateway_terms::compression::ContentCoding;
use gateway_yaml::Span;

use crate::units::ByteSize;

/// Which responses of an operation are compressed, and how.
#[derive(Debug, Clone)]
pub struct Compression {
    /// The codings, the one that is liked best first.
    pub codings: Vec<ContentCoding>,
    /// A smaller content stays as it is, where its size is known.
    pub min: ByteSize,
    /// Media types, ranges of them (`text/*`) and suffixes (`+json`).
    pub types: Vec<String>,
    /// Where it is described.
    pub span: Span,
}
