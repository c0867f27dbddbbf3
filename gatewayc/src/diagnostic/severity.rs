//! How bad a message is.

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Worth a look; the gateway is built.
    Warning,
    /// No gateway is built.
    Error,
}
