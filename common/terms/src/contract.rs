//! What requests and responses are checked for.

/// What becomes of something that is not as described.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// It is not looked at.
    Off,
    /// It passes, is counted and stands in the log.
    Observe,
    /// It is refused.
    Enforce,
}

/// How much a refusal says about what is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Details {
    /// Where, and what is expected there.
    Full,
    /// Where.
    Location,
    /// Nothing.
    Nothing,
}

/// Where a parameter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ParameterLocation {
    /// `path`
    Path,
    /// `query`
    Query,
    /// `querystring`, the whole query, since OpenAPI 3.2.
    QueryString,
    /// `header`
    Header,
    /// `cookie`
    Cookie,
}

/// How an array or an object is written as text (`style`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Style {
    /// `;name=a,b` in a path.
    Matrix,
    /// `.a.b` in a path.
    Label,
    /// `a,b` in a path or a field.
    Simple,
    /// `name=a&name=b`, or `name=a,b`.
    Form,
    /// `name=a%20b`
    SpaceDelimited,
    /// `name=a|b`
    PipeDelimited,
    /// `name[a]=b`
    DeepObject,
    /// `name=a; name=b` in a cookie, without percent-encoding, since OpenAPI 3.2.
    Cookie,
}

/// For which responses a description is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StatusKey {
    /// Those with this status.
    Exactly(u16),
    /// Those whose status begins with this digit.
    Class(u8),
    /// All for which there is no other.
    Default,
}
