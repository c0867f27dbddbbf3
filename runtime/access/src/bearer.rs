//! Schemes of bearer tokens (RFC 6750): where tokens are, and the challenges.

use std::fmt;

use crate::caller::{Caller, Refusal, RequestContext};
use crate::request_view::{CredentialLocation, RequestView};
use crate::scheme::Authenticator;

/// What all schemes of bearer tokens have.
#[derive(Debug, Clone, Copy)]
pub struct Bearer {
    /// `realm` of the challenges (RFC 9110 §11.5).
    pub realm: &'static str,
    /// Where tokens may be.
    pub locations: &'static [CredentialLocation],
    /// The upstream sees the token.
    pub forward: bool,
}

impl Bearer {
    /// The value of `WWW-Authenticate` for a request without a token (RFC 6750 §3).
    pub fn challenge(&self) -> String {
        format!("Bearer realm=\"{}\"", self.realm)
    }

    /// As [`Bearer::challenge`], for a token that is not valid.
    pub fn challenge_invalid(&self) -> String {
        format!("{}, error=\"invalid_token\"", self.challenge())
    }

    /// As [`Bearer::challenge`], for a request that has a token in a way that is not allowed, such as two.
    pub fn challenge_malformed(&self) -> String {
        format!("{}, error=\"invalid_request\"", self.challenge())
    }

    /// As [`Bearer::challenge`], for a token without these scopes.
    pub fn challenge_scope(&self, scopes: &[&str]) -> String {
        format!("{}, error=\"insufficient_scope\", scope=\"{}\"", self.challenge(), scopes.join(" "))
    }
}

/// Finds tokens in requests, and whose they are.
pub trait TokenAuthenticator: fmt::Debug + Send + Sync {
    /// As [`Authenticator::authenticate`].
    fn authenticate(&self, view: &RequestView<'_>, now: RequestContext) -> Result<Caller, Refusal>;
}

/// The authenticator of a scheme of bearer tokens.
#[derive(Debug)]
pub struct BearerAuthenticator<T> {
    /// What the scheme has in common with others.
    pub bearer: Bearer,
    /// What tells it from others.
    pub tokens: T,
}

impl<T: TokenAuthenticator> Authenticator for BearerAuthenticator<T> {
    fn authenticate(&self, view: &RequestView<'_>, now: RequestContext) -> Result<Caller, Refusal> {
        self.tokens.authenticate(view, now)
    }

    fn challenge(&self) -> String {
        self.bearer.challenge()
    }

    fn challenge_invalid(&self) -> String {
        self.bearer.challenge_invalid()
    }

    fn challenge_malformed(&self) -> String {
        self.bearer.challenge_malformed()
    }

    fn challenge_scope(&self, scopes: &[&str]) -> String {
        self.bearer.challenge_scope(scopes)
    }

    fn locations(&self) -> (&'static [CredentialLocation], bool) {
        (self.bearer.locations, self.bearer.forward)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_those_of_rfc_6750() {
        let bearer = Bearer { realm: "notes", locations: &[], forward: false };
        assert_eq!(bearer.challenge(), r#"Bearer realm="notes""#);
        assert_eq!(bearer.challenge_invalid(), r#"Bearer realm="notes", error="invalid_token""#);
        assert_eq!(bearer.challenge_malformed(), r#"Bearer realm="notes", error="invalid_request""#);
        let scope = bearer.challenge_scope(&["read", "write"]);
        assert_eq!(scope, r#"Bearer realm="notes", error="insufficient_scope", scope="read write""#);
    }
}
