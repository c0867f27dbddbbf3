//! What is wrong with a value, and where.

/// Violations that are listed at most.
pub const MOST_VIOLATIONS: usize = 10;

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The place in the value (RFC 6901); `""` for all of it. Below a member whose name is longer than 256 bytes, it is that of
    /// the object which has the member.
    pub pointer: String,
    /// What is expected, without anything that the value contains but names of members: "must be at least 1".
    pub message: String,
    /// The keyword of the schema that says so.
    pub keyword: &'static str,
}
