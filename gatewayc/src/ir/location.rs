//! Where credentials stand.

/// A place that may hold a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialLocation {
    /// A header field.
    Header(String),
    /// A query parameter.
    Query(String),
    /// A cookie.
    Cookie(String),
    /// A field of a form.
    Form(String),
    /// One of the subprotocols that a WebSocket client offers, behind this prefix.
    Subprotocol(String),
}
