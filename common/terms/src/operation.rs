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

/// The header fields that tell an upstream where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardedFields {
    /// `X-Forwarded-For`, `-Proto` and `-Host`.
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Rfc7239,
    /// All of them.
    Both,
}

/// What becomes of the cookies that an upstream sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cookies {
    /// The attribute `Path`.
    pub path: CookiePath,
    /// The attribute `Domain`.
    pub domain: CookieDomain,
}

impl Cookies {
    /// They are passed on as they are.
    pub const KEEP: Self = Self { path: CookiePath::Keep, domain: CookieDomain::Keep };
}

/// What becomes of `Path` of a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CookiePath {
    /// It stays as it is.
    Keep,
    /// A path of the upstream becomes that of the gateway.
    Rewrite,
}

/// What becomes of `Domain` of a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CookieDomain {
    /// It stays as it is.
    Keep,
    /// It goes, so that the cookie is for the host that the client calls.
    Remove,
}
