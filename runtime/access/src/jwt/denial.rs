//! Refusals of JWTs.

use crate::caller::Denial;

/// For a request without a token.
pub(crate) const MISSING: Denial = Denial::Missing { message: "Missing authorization in request" };

/// For an invalid token: the client learns no more than that.
pub(crate) fn invalid(why: &'static str) -> Denial {
    Denial::Invalid { message: "failed to verify jwt", why }
}
