//! Who may call: authentication gives a caller, authorisation gives a permit, and nothing is forwarded without one.

use std::fmt;

use crate::credential::{CredentialLocation, Evidence};
use crate::live::LiveAccess;
use crate::reject::Reject;
use crate::secret::SecretStore;

/// A security scheme as a document describes it: inert, and shared by every start.
pub trait Scheme: fmt::Debug + Sync {
    /// The key under `components/securitySchemes`.
    fn name(&self) -> &'static str;

    /// Fetches what the scheme needs (keys, secrets) and gives what checks requests.
    ///
    /// # Errors
    /// Everything that is missing or wrong, one sentence each, without secrets.
    fn prepare(&self, secrets: &SecretStore) -> Result<Box<dyn Authenticator>, Vec<String>>;
}

/// Checks the credentials of one scheme.
pub trait Authenticator: fmt::Debug + Send + Sync {
    /// Tells who calls.
    fn authenticate(&self, evidence: &Evidence<'_>, now: Moment) -> Result<Caller, Denial>;

    /// The value of a `WWW-Authenticate` field (RFC 9110 §11.6.1) for a request that brought nothing.
    fn challenge(&self) -> String;

    /// As [`Authenticator::challenge`], for a request that brought something bad (RFC 6750 §3).
    fn challenge_invalid(&self) -> String;

    /// As [`Authenticator::challenge`], for a caller without the scopes it needs.
    fn challenge_scope(&self, scopes: &[&str]) -> String;

    /// Where the credential may stand, and whether the upstream is to see it.
    fn locations(&self) -> (&'static [CredentialLocation], bool);
}

/// The time at which a request is judged, and the thread that does it.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Seconds since the epoch.
    pub unix_seconds: u64,
    /// The index of the worker thread, for caches that are not shared.
    pub worker: usize,
}

/// The result of authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who it is, for the access log.
    pub subject: std::sync::Arc<str>,
    /// What it may do.
    pub scopes: std::sync::Arc<[Box<str>]>,
}

/// Why a scheme does not accept a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// The request brings no credential of this scheme.
    Missing,
    /// The credential is not good; why is for the log only.
    Invalid(&'static str),
    /// The scheme cannot decide at the moment.
    Unavailable,
}

/// The result of authorisation. Only [`authorize`] makes one, and forwarding takes one.
#[derive(Debug)]
pub(crate) struct Permit {
    caller: Option<Caller>,
    because: &'static str,
}

impl Permit {
    /// The caller, unless anyone may call.
    pub(crate) fn caller(&self) -> Option<&Caller> {
        self.caller.as_ref()
    }

    /// Why the request may pass, for the access log.
    pub(crate) fn because(&self) -> &'static str {
        self.because
    }
}

/// Decides whether a request may reach its operation: one alternative must hold, with all of its requirements.
///
/// A credential that is there and not good refuses the request even where an empty alternative (`{}`) would admit one
/// without: a typo must not turn a caller into a stranger.
///
/// # Errors
/// 401 without a good credential, 403 without the scopes, 503 where no scheme could decide.
pub(crate) fn authorize(access: &LiveAccess, evidence: &Evidence<'_>, now: Moment) -> Result<Permit, Reject> {
    let alternatives = match access {
        LiveAccess::Anyone { because } => return Ok(Permit { caller: None, because }),
        LiveAccess::OneOf(alternatives) => alternatives,
    };
    let mut worst = Reject::NoCredential;
    let mut anonymous = false;
    for alternative in alternatives {
        if alternative.requirements.is_empty() {
            anonymous = true;
            continue;
        }
        match all_of(&alternative.requirements, evidence, now) {
            Ok(caller) => return Ok(Permit { caller: Some(caller), because: "credential" }),
            Err(reject) => worst = worse(worst, reject),
        }
    }
    if anonymous && worst == Reject::NoCredential {
        return Ok(Permit { caller: None, because: "anonymous" });
    }
    Err(worst)
}

fn all_of(
    requirements: &[crate::live::LiveRequirement],
    evidence: &Evidence<'_>,
    now: Moment,
) -> Result<Caller, Reject> {
    let mut first: Option<Caller> = None;
    let mut lacks_scope = false;
    for requirement in requirements {
        let caller = requirement.authenticator.authenticate(evidence, now).map_err(|denial| match denial {
            Denial::Missing => Reject::NoCredential,
            Denial::Invalid(why) => Reject::InvalidCredential(why),
            Denial::Unavailable => Reject::CredentialsUnavailable,
        })?;
        // Two schemes that name different callers would let two half-stolen credentials combine into a whole one.
        if first.as_ref().is_some_and(|first| first.subject != caller.subject) {
            return Err(Reject::InvalidCredential("the schemes name different callers"));
        }
        lacks_scope |= !requirement.scopes.iter().all(|scope| caller.scopes.iter().any(|held| **held == **scope));
        first.get_or_insert(caller);
    }
    match first {
        Some(caller) if !lacks_scope => Ok(caller),
        _ => Err(Reject::InsufficientScope),
    }
}

/// Of two refusals, the one that tells the client more: it came closer.
fn worse(one: Reject, other: Reject) -> Reject {
    fn rank(reject: &Reject) -> u8 {
        match reject {
            Reject::InsufficientScope => 3,
            Reject::CredentialsUnavailable => 2,
            Reject::InvalidCredential(_) => 1,
            _ => 0,
        }
    }
    if rank(&other) > rank(&one) { other } else { one }
}
