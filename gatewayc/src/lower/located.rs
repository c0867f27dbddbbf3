//! Operations that clients of the authorization server have to find.

use gateway_yaml::Span;

use crate::ir::{ClientPath, Endpoint, Grant};

/// An operation that is an endpoint, on one of its paths.
pub(super) struct Located {
    pub(super) endpoint: Endpoint,
    pub(super) method: String,
    pub(super) path: String,
    /// What it admits.
    pub(super) grants: Vec<Grant>,
    pub(super) at: Span,
}

/// An operation of the registration protocol (RFC 7591, RFC 7592), on one of its paths.
pub(super) enum Registration {
    /// `clients.create`, on a path without parameters.
    Create { path: String },
    /// `clients.manage`.
    Manage { path: ClientPath, at: Span },
}
