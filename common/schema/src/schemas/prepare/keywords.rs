//! The words that a schema may have.

/// Keywords that mean something together with others beside them, and are read with these.
pub(super) static KEYWORDS: [&str; 8] =
    ["properties", "required", "if", "then", "else", "contains", "minContains", "maxContains"];

/// What asserts nothing: it is passed over, and so is what begins with `x-`.
pub(super) static ANNOTATIONS: [&str; 12] = [
    "title",
    "description",
    "default",
    "example",
    "examples",
    "deprecated",
    "$comment",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "externalDocs",
    "xml",
];
