//! The `WWW-Authenticate` fields of an operation, and the credentials that its upstream does not see.

use crate::authorize::{PreparedAccess, PreparedRequirement, requirements};
use crate::request_view::CredentialLocation;
use gateway_wire::field_lines::FieldLines;

/// The `WWW-Authenticate` fields of an operation, one per scheme.
#[derive(Debug, Default)]
pub struct Challenges {
    pub missing: FieldLines,
    pub malformed: FieldLines,
    pub invalid: FieldLines,
    pub scope: FieldLines,
}

/// Where credentials stand that the upstream is not to see.
#[derive(Debug, Default)]
pub struct HiddenCredentials {
    pub headers: Vec<&'static str>,
    pub query: Vec<&'static str>,
    pub cookies: Vec<&'static str>,
    pub form: Vec<&'static str>,
}

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

pub fn hidden(access: &PreparedAccess, session_cookies: &[&'static str]) -> HiddenCredentials {
    let mut hidden = HiddenCredentials { cookies: session_cookies.to_vec(), ..HiddenCredentials::default() };
    for requirement in requirements(access) {
        let (locations, forward) = requirement.authenticator.locations();
        if forward {
            continue;
        }
        for location in locations {
            match location {
                CredentialLocation::Header(name) => hidden.headers.push(name),
                CredentialLocation::Query(name) => hidden.query.push(name),
                CredentialLocation::Cookie(name) => hidden.cookies.push(name),
                CredentialLocation::Form(name) => hidden.form.push(name),
            }
        }
    }
    hidden
}
