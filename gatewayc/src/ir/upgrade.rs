//! Connections that stop speaking HTTP.

use std::time::Duration;

use gateway_yaml::Span;

use crate::ir::browsers::Origins;

/// What an operation lets clients switch to (RFC 9110 §7.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgrade {
    /// Names of protocols, in lower case, ordered.
    pub protocols: Vec<String>,
    /// The longest silence.
    pub idle: Duration,
    /// It ends when the credential expires.
    pub until_expiry: bool,
    /// Pages that may ask for it; all if `None`.
    pub origins: Option<Origins>,
    /// Where the document says so.
    pub span: Span,
}
