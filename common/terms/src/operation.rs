//! What is said about an operation, its path and its upstream.

/// What an `OPTIONS` request gets on a described path that has no `options` operation.
///
/// `preflight: forward` needs no variant: the compiler writes an `OPTIONS` operation, so that a reviewer sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preflight {
    /// 204 with the described methods, for CORS preflight requests.
    Answer,
    /// 405, as for every method that is not described.
    Deny,
}

/// The JSON Schema types that a path parameter is checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterKind {
    /// An optional sign and digits.
    Integer,
    /// A JSON number.
    Number,
    /// `true` or `false`.
    Boolean,
}

/// What becomes of an upstream's own addresses in the fields of its responses that say where something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locations {
    /// They become the gateway's.
    Translate,
    /// They stay as they are.
    Keep,
}
