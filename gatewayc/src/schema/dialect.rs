//! What the keywords of a document's schemas mean.

/// A dialect of schemas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// That of OpenAPI 3.0.
    OpenApi30,
    /// JSON Schema 2020-12, since OpenAPI 3.1.
    JsonSchema,
}
