//! The `WWW-Authenticate` fields of an operation, and the credentials that its upstream does not see.

use crate::authorize::{PreparedAccess, PreparedRequirement, requirements};
use crate::request_view::CredentialLocation;
use crate::scheme::Authenticator;
use gateway_wire::field_lines::FieldLines;

/// The `WWW-Authenticate` fields of an operation, one per scheme.
#[derive(Debug, Default)]
pub struct Challenges {
    /// For a request without credentials ([`Authenticator::challenge`](crate::scheme::Authenticator::challenge)).
    pub missing: FieldLines,
    /// For a credential that is presented in a way that is not allowed.
    pub malformed: FieldLines,
    /// For a credential that is not valid.
    pub invalid: FieldLines,
    /// For a caller without the scopes that the operation needs.
    pub scope: FieldLines,
}

/// The places of credentials that the upstream must not see.
#[derive(Debug, Default, Clone)]
pub struct HiddenCredentials {
    /// Names of header fields.
    pub headers: Vec<&'static str>,
    /// Names of query parameters.
    pub query: Vec<&'static str>,
    /// Names of cookies.
    pub cookies: Vec<&'static str>,
    /// Names of form fields in the body.
    pub form: Vec<&'static str>,
    /// Prefixes of subprotocols; always, since no upstream could choose one of these.
    pub subprotocols: Vec<&'static str>,
}

/// The fields of every scheme that `access` refers to; equal ones are sent once.
pub fn challenges(access: &PreparedAccess) -> Challenges {
    let mut challenges = Challenges::default();
    for PreparedRequirement { authenticator, scopes, .. } in requirements(access) {
        for (fields, challenge) in [
            (&mut challenges.missing, authenticator.challenge()),
            (&mut challenges.malformed, authenticator.challenge_malformed()),
            (&mut challenges.invalid, authenticator.challenge_invalid()),
            (&mut challenges.scope, authenticator.challenge_scope(scopes)),
        ] {
            if !fields.iter().any(|(_, known)| known == challenge) {
                // The compiler admits no realm that does not fit.
                fields.push_if_valid("WWW-Authenticate", challenge);
            }
        }
    }
    challenges
}

/// The locations of all credentials that `access` reads and does not forward, and the gateway's `session_cookies`.
pub fn hidden(access: &PreparedAccess, session_cookies: &[&'static str]) -> HiddenCredentials {
    let mut hidden = HiddenCredentials { cookies: session_cookies.to_vec(), ..HiddenCredentials::default() };
    for requirement in requirements(access) {
        let (locations, forward) = requirement.authenticator.locations();
        hidden.add(locations, forward);
    }
    hidden
}

/// Every place where a request may have a credential, whatever the operation: those of these schemes, and those that have
/// credentials by themselves.
pub fn credentials<'a>(authenticators: impl Iterator<Item = &'a dyn Authenticator>) -> HiddenCredentials {
    let headers = CREDENTIAL_FIELDS.to_vec();
    let mut hidden = HiddenCredentials { headers, ..HiddenCredentials::default() };
    for authenticator in authenticators {
        hidden.add(authenticator.locations().0, false);
    }
    hidden
}

/// Fields that are credentials, or signatures of requests (RFC 9421 §4, and those of APISIX).
const CREDENTIAL_FIELDS: [&str; 8] = [
    "Authorization",
    "Cookie",
    "Signature",
    "Signature-Input",
    "X-HMAC-Access-Key",
    "X-HMAC-Algorithm",
    "X-HMAC-Signature",
    "X-HMAC-Signed-Headers",
];

impl HiddenCredentials {
    /// Adds where a credential may be, as far as the upstream is not to see it.
    fn add(&mut self, locations: &[CredentialLocation], forward: bool) {
        for location in locations {
            match location {
                CredentialLocation::Subprotocol(prefix) => self.subprotocols.push(prefix),
                _ if forward => {}
                CredentialLocation::Header(name) => self.headers.push(name),
                CredentialLocation::Query(name) => self.query.push(name),
                CredentialLocation::Cookie(name) => self.cookies.push(name),
                CredentialLocation::Form(name) => self.form.push(name),
            }
        }
    }
}
