//! The challenges of bearer tokens (RFC 6750 §3).

use crate::caller::Denial;

/// For a request without a token.
pub(crate) const MISSING: Denial = Denial::Missing { message: "Missing authorization in request" };

/// For an invalid token: the client learns no more than that.
pub(crate) fn invalid(why: &'static str) -> Denial {
    Denial::Invalid { message: "failed to verify jwt", why }
}

/// The challenges of a bearer scheme (RFC 6750 §3).
pub fn challenge(realm: &str) -> String {
    format!("Bearer realm=\"{realm}\"")
}

/// As [`challenge`], for an invalid token.
pub fn challenge_invalid(realm: &str) -> String {
    format!("Bearer realm=\"{realm}\", error=\"invalid_token\"")
}

/// As [`challenge`], for a token without the scopes.
pub fn challenge_scope(realm: &str, scopes: &[&str]) -> String {
    format!("Bearer realm=\"{realm}\", error=\"insufficient_scope\", scope=\"{}\"", scopes.join(" "))
}
