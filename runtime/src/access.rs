//! Who may call: authentication gives a caller, authorisation gives a permit, and nothing is forwarded without one.

use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use crate::codegen::ConsumerRules;
use crate::consumers::{ConsumerStore, Identity};
use crate::credential::{CredentialLocation, Evidence};
use crate::failed_authentication::Attempts;
use crate::live::{LiveAccess, LiveAlternative, LiveAnonymous, LiveRequirement};
use crate::oauth::Authority;
use crate::oauth::Oauth;
use crate::provider::Providers;
use crate::provider::url::ProviderUrl;
use crate::reject::Reject;
use crate::secret::SecretStore;
use crate::token_keys::TokenKeys;

/// A security scheme as a document describes it: inert, and shared by every start.
pub trait Scheme: fmt::Debug + Sync {
    /// The key under `components/securitySchemes`.
    fn name(&self) -> &'static str;

    /// Fetches what the scheme needs (keys, secrets) and gives what checks requests.
    ///
    /// # Errors
    /// Everything that is missing or wrong, one sentence each, without secrets.
    fn prepare(&self, resources: &Resources) -> Result<Box<dyn Authenticator>, Vec<String>>;

    /// The URL of the provider whom the scheme asks, if it asks one; a deployment can give another.
    fn provider(&self) -> Option<&'static str> {
        None
    }

    /// The cookie that carries sessions of the gateway's own: browsers send it to every path of the host, and no upstream
    /// is to see it.
    fn session_cookie(&self) -> Option<&'static str> {
        None
    }

    /// Whether callers prove who they are with a certificate, so that listeners have to ask for one.
    fn reads_certificates(&self) -> bool {
        false
    }

    /// Reads the keys of consumers' tokens, for a scheme that takes such tokens. What needs no token needs no reader, and
    /// the linker drops it.
    fn token_keys(&self) -> Option<&'static dyn TokenKeys> {
        None
    }

    /// The authorization server whose tokens or sessions it takes, if that is in this gateway.
    fn authority(&self) -> Option<Authority> {
        None
    }
}

/// What schemes and builtins are prepared from.
#[derive(Debug, Clone)]
pub struct Resources {
    pub(crate) secrets: SecretStore,
    pub(crate) consumers: Arc<ConsumerStore>,
    pub(crate) providers: Arc<Providers>,
    /// The authorization servers of this gateway.
    pub(crate) oauth: Arc<Oauth>,
    /// The longest token that is looked at, in bytes.
    pub(crate) max_token: usize,
    /// Where this deployment has the scheme's provider, if it says so.
    pub(crate) provider_url: Option<ProviderUrl>,
}

/// Checks the credentials of one scheme.
pub trait Authenticator: fmt::Debug + Send + Sync {
    /// Tells who calls, or what must be known first.
    fn authenticate(&self, evidence: &Evidence<'_>, now: Moment) -> Result<Caller, Refusal>;

    /// The value of a `WWW-Authenticate` field (RFC 9110 §11.6.1) for a request that brought nothing.
    fn challenge(&self) -> String;

    /// As [`Authenticator::challenge`], for a request that brought something bad (RFC 6750 §3).
    fn challenge_invalid(&self) -> String {
        self.challenge()
    }

    /// As [`Authenticator::challenge`], for a request that brought it in a way that is not allowed.
    fn challenge_malformed(&self) -> String {
        self.challenge_invalid()
    }

    /// As [`Authenticator::challenge`], for a caller without the scopes it needs.
    fn challenge_scope(&self, _scopes: &[&str]) -> String {
        self.challenge()
    }

    /// Where the credential may stand, and whether the upstream is to see it.
    fn locations(&self) -> (&'static [CredentialLocation], bool);

    /// As [`Scheme::reads_certificates`].
    fn reads_certificates(&self) -> bool {
        false
    }
}

/// The request that is judged, the time at which it is, and the thread that does it.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Seconds since the epoch.
    pub unix_seconds: u64,
    /// The index of the worker thread, for caches that are not shared.
    pub worker: usize,
    /// Tells requests apart; unique in this process. A scheme may be asked several times about one request.
    pub request: u64,
}

/// The result of authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who it is, for the access log.
    pub subject: Arc<str>,
    /// What it may do.
    pub scopes: Arc<[Box<str>]>,
    /// The OAuth client that acts, where a token names one.
    pub(crate) client: Option<Arc<str>>,
    /// The user, where a token or a session is one's; a client that acts for itself is none.
    pub(crate) user: Option<Arc<str>>,
    /// The consumer, where the scheme knows consumers.
    pub(crate) identity: Option<Identity>,
}

/// Why a scheme does not accept a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// The request brings no credential of this scheme.
    Missing {
        /// For the client.
        message: &'static str,
    },
    /// The credential is not good.
    Invalid {
        /// For the client.
        message: &'static str,
        /// For the log.
        why: &'static str,
    },
    /// The request brings credentials in a way that is not allowed.
    Malformed {
        /// For the client.
        message: &'static str,
    },
    /// Too many credentials of late were wrong; this one is not looked at.
    TooManyFailures {
        /// Until the next one is.
        seconds: u64,
    },
    /// A person has to log in.
    LogIn {
        /// The path of the login page.
        page: &'static str,
        /// For a client that is not sent there.
        message: &'static str,
    },
    /// The scheme cannot decide at the moment.
    Unavailable,
}

/// Why a scheme does not tell who calls.
pub enum Refusal {
    /// It is not to be believed.
    Denied(Denial),
    /// That is not decided yet.
    Ask(Question),
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

/// What a scheme must know before it can decide. Nothing is forwarded, and no later alternative is tried, until then.
pub enum Question {
    /// The content of the request, of at most so many bytes; more is 413. The scheme is asked again, with
    /// [`Evidence::body`].
    Body {
        /// In bytes.
        limit: u64,
    },
    /// Work that takes long. What it ends with is the scheme's verdict on this request.
    Work(Work),
}

/// Runs on the worker thread, and must not block it.
pub(crate) type Work = Pin<Box<dyn Future<Output = Verdict>>>;

/// What a scheme decided in the end.
pub(crate) type Verdict = Result<Caller, Denial>;

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body { limit } => write!(f, "Body({limit} bytes)"),
            Self::Work(_) => f.write_str("Work"),
        }
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(denial) => denial.fmt(f),
            Self::Ask(question) => question.fmt(f),
        }
    }
}

/// Tells schemes apart: the address of the authenticator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SchemeId(usize);

impl SchemeId {
    fn of(authenticator: &Arc<dyn Authenticator>) -> Self {
        Self(Arc::as_ptr(authenticator).cast::<()>() as usize)
    }
}

/// Why a request gets no permit.
#[derive(Debug)]
pub(crate) enum NoPermit {
    Reject(Reject),
    /// This scheme has a question first.
    Ask(SchemeId, Question),
}

impl From<Reject> for NoPermit {
    fn from(reject: Reject) -> Self {
        Self::Reject(reject)
    }
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

/// Decides whether a request may reach its operation: one alternative must hold, with all of its requirements, and the
/// consumer must be one whom the operation admits.
///
/// A credential that is there and not good refuses the request even where an empty alternative (`{}`) would admit one
/// without, unless the operation says `onInvalid: fallback`: a typo must not turn a caller into a stranger.
///
/// # Errors
/// 401 without a good credential, 403 without the scopes or for another consumer, 503 where no scheme could decide.
pub(crate) fn authorize(
    access: &LiveAccess,
    rules: &ConsumerRules,
    method: &str,
    evidence: &Evidence<'_>,
    now: Moment,
    guesses: &mut Guesses<'_>,
) -> Result<Permit, NoPermit> {
    let permit = match access {
        LiveAccess::Anyone { because } => return Ok(Permit { caller: None, because }),
        LiveAccess::OneOf { alternatives, anonymous } => {
            one_of(alternatives, anonymous.as_ref(), evidence, now, guesses)?
        }
    };
    rules.admit(permit.caller(), method)?;
    Ok(permit)
}

fn one_of(
    alternatives: &[LiveAlternative],
    anonymous: Option<&LiveAnonymous>,
    evidence: &Evidence<'_>,
    now: Moment,
    guesses: &mut Guesses<'_>,
) -> Result<Permit, NoPermit> {
    let mut worst: Option<Reject> = None;
    for alternative in alternatives {
        match all_of(&alternative.requirements, evidence, now, guesses) {
            Ok(caller) => return Ok(Permit { caller: Some(caller), because: "credential" }),
            Err(NoPermit::Reject(reject)) => {
                worst = Some(worst.map_or(reject.clone(), |worst| worse(worst, reject)));
            }
            // The first alternative that holds decides, so a later one has to wait.
            Err(ask) => return Err(ask),
        }
    }
    let worst = worst.unwrap_or(Reject::NoCredential(SEVERAL_FAILED));
    if let Some(anonymous) = anonymous
        && match worst {
            Reject::NoCredential(_) | Reject::LoginRequired { .. } => true,
            Reject::InvalidCredential { .. } => anonymous.despite_invalid,
            _ => false,
        }
    {
        return Ok(anonymous.permit()?);
    }
    // With several ways in, no single complaint tells the client what to do; the challenges do.
    Err(match worst {
        Reject::NoCredential(_) if alternatives.len() > 1 => Reject::NoCredential(SEVERAL_FAILED),
        Reject::InvalidCredential { why, .. } if alternatives.len() > 1 => {
            Reject::InvalidCredential { message: SEVERAL_FAILED, why }
        }
        worst => worst,
    }
    .into())
}

/// What the client reads where several schemes would have done.
const SEVERAL_FAILED: &str = "Authorization Failed";

impl LiveAnonymous {
    fn permit(&self) -> Result<Permit, Reject> {
        let caller = match self.consumer {
            None => None,
            Some(name) => {
                let consumers = self.consumers.current();
                let consumer = consumers.named(name).ok_or(Reject::CredentialsUnavailable)?;
                Some(Caller::consumer(&Identity {
                    consumer: Arc::clone(consumer),
                    credential: None,
                    expires: Identity::NEVER,
                }))
            }
        };
        Ok(Permit { caller, because: "anonymous" })
    }
}

impl Caller {
    /// A consumer as caller: its roles are what it may do.
    pub(crate) fn consumer(identity: &Identity) -> Self {
        let consumer = &identity.consumer;
        Self {
            subject: Arc::from(&*consumer.username),
            scopes: Arc::clone(&consumer.roles),
            client: None,
            user: None,
            identity: Some(identity.clone()),
        }
    }
}

/// Credentials that may be guesses: from where, and which of them are counted.
pub(crate) struct Guesses<'a> {
    /// Of the client, as far as trusted proxies tell.
    pub(crate) address: IpAddr,
    /// Those of this request.
    pub(crate) attempts: &'a mut Attempts,
}

impl Guesses<'_> {
    /// The verdict of a scheme, unless too many credentials of late were wrong.
    fn judge(
        &mut self,
        requirement: &LiveRequirement,
        verdict: Result<Caller, Refusal>,
        evidence: &Evidence<'_>,
        now: Moment,
    ) -> Result<Caller, Refusal> {
        let Some(limit) = &requirement.failures else { return verdict };
        if let Err(Refusal::Denied(Denial::Missing { .. } | Denial::LogIn { .. } | Denial::Unavailable)) = verdict {
            return verdict;
        }
        if let Err(seconds) = self.attempts.begin(limit, self.address, evidence, now.unix_seconds) {
            return Err(Denial::TooManyFailures { seconds }.into());
        }
        if let Err(Refusal::Denied(Denial::Invalid { .. })) = verdict {
            self.attempts.fail(limit);
        }
        verdict
    }
}

/// All of the requirements; each is asked, so that what the order hides cannot decide.
fn all_of(
    requirements: &[LiveRequirement],
    evidence: &Evidence<'_>,
    now: Moment,
    guesses: &mut Guesses<'_>,
) -> Result<Caller, NoPermit> {
    let mut first: Option<Caller> = None;
    let mut worst: Option<Reject> = None;
    let mut lacking = Vec::new();
    let mut question_of: Option<(SchemeId, Question)> = None;
    for requirement in requirements {
        let scheme = SchemeId::of(&requirement.authenticator);
        let verdict = match evidence.verdict_of(scheme) {
            Some(verdict) => verdict.clone().map_err(Refusal::Denied),
            None => requirement.authenticator.authenticate(evidence, now),
        };
        let verdict = match guesses.judge(requirement, verdict, evidence, now) {
            Ok(caller) => Ok(caller),
            Err(Refusal::Denied(denial)) => Err(denial),
            Err(Refusal::Ask(question)) => {
                question_of.get_or_insert((scheme, question));
                continue;
            }
        };
        match verdict {
            // Two schemes that name different callers would let two half-stolen credentials combine into a whole one.
            Ok(caller) if first.as_ref().is_some_and(|first| !first.is_same_as(&caller)) => {
                let why = "the schemes name different callers";
                worst = Some(Reject::InvalidCredential { message: SEVERAL_FAILED, why });
            }
            Ok(caller) => {
                let has = |scope: &&str| caller.scopes.iter().any(|held| **held == **scope);
                lacking.extend(requirement.scopes.iter().filter(|scope| !has(scope)));
                // The same caller, told by the one that knows more: a session does not know by which client.
                if first.as_ref().is_none_or(|first| first.client.is_none() && caller.client.is_some()) {
                    first = Some(caller);
                }
            }
            Err(denial) => {
                let reject = Reject::from(denial);
                worst = Some(worst.map_or(reject.clone(), |worst| worse(worst, reject)));
            }
        }
    }
    // A request that is refused anyway costs no long work.
    let brings_something = first.is_some() || question_of.is_some();
    if let (Some((scheme, question)), None) = (question_of, &worst) {
        return Err(NoPermit::Ask(scheme, question));
    }
    match (first, worst) {
        // Who brings one half of what belongs together, good or bad, is not somebody who brings nothing.
        (_, Some(Reject::NoCredential(message))) if brings_something => {
            Err(Reject::InvalidCredential { message, why: "only some of the credentials that belong together" }.into())
        }
        (_, Some(worst)) => Err(worst.into()),
        (Some(caller), None) if lacking.is_empty() => Ok(caller),
        _ => Err(Reject::InsufficientScope(lacking).into()),
    }
}

impl From<Denial> for Reject {
    fn from(denial: Denial) -> Self {
        match denial {
            Denial::Missing { message } => Self::NoCredential(message),
            Denial::Invalid { message, why } => Self::InvalidCredential { message, why },
            Denial::Malformed { message } => Self::MalformedCredential(message),
            Denial::TooManyFailures { seconds } => Self::TooManyFailures(seconds),
            Denial::LogIn { page, message } => Self::LoginRequired { page, message },
            Denial::Unavailable => Self::CredentialsUnavailable,
        }
    }
}

impl Caller {
    /// A consumer is never the same as somebody whom another authority calls by the same name, and nobody is the same as
    /// somebody without a name.
    fn is_same_as(&self, other: &Self) -> bool {
        let named = !self.subject.is_empty();
        named
            && self.subject == other.subject
            && self.user == other.user
            && self.identity.is_some() == other.identity.is_some()
    }
}

impl ConsumerRules {
    /// Whether the operation admits this caller.
    fn admit(&self, caller: Option<&Caller>, method: &str) -> Result<(), Reject> {
        let Self { allow, groups, deny, methods } = self;
        if allow.is_empty() && groups.is_empty() && deny.is_empty() && methods.is_empty() {
            return Ok(());
        }
        let Some(identity) = caller.and_then(|caller| caller.identity.as_ref()) else {
            return Err(Reject::ConsumerRequired);
        };
        let (name, group) = (&*identity.consumer.username, identity.consumer.group.as_deref());
        let listed = allow.contains(&name) || group.is_some_and(|group| groups.contains(&group));
        let by_method = methods.iter().find(|(user, _)| *user == name);
        let admitted = !deny.contains(&name)
            && (listed || (allow.is_empty() && groups.is_empty()))
            && by_method.is_none_or(|(_, methods)| methods.contains(&method));
        if admitted { Ok(()) } else { Err(Reject::ConsumerForbidden) }
    }
}

/// Of two refusals, the one that tells the client more: it came closer.
fn worse(one: Reject, other: Reject) -> Reject {
    fn rank(reject: &Reject) -> u8 {
        match reject {
            Reject::TooManyFailures(_) => 6,
            Reject::InsufficientScope(_) => 5,
            Reject::CredentialsUnavailable => 4,
            Reject::MalformedCredential(_) => 3,
            Reject::InvalidCredential { .. } => 2,
            // Whom a challenge can help is not sent to a page for people.
            Reject::LoginRequired { .. } => 0,
            _ => 1,
        }
    }
    if rank(&other) > rank(&one) { other } else { one }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A scheme that always says the same.
    #[derive(Debug)]
    struct Says(Caller);

    impl Authenticator for Says {
        fn authenticate(&self, _: &Evidence<'_>, _: Moment) -> Result<Caller, Refusal> {
            Ok(self.0.clone())
        }

        fn challenge(&self) -> String {
            String::new()
        }

        fn locations(&self) -> (&'static [CredentialLocation], bool) {
            (&[], false)
        }
    }

    fn user(name: &str, client: Option<&str>) -> Caller {
        Caller {
            subject: name.into(),
            scopes: Arc::from([]),
            client: client.map(Arc::from),
            user: Some(name.into()),
            identity: None,
        }
    }

    #[test]
    fn together_schemes_name_one_caller_and_all_that_is_known_of_it() {
        let both = |one: Caller, other: Caller| {
            let says = |caller| LiveRequirement { authenticator: Arc::new(Says(caller)), scopes: &[], failures: None };
            let now = Moment { unix_seconds: 1, worker: 0, request: 1 };
            let mut guesses = Guesses { address: IpAddr::from([127, 0, 0, 1]), attempts: &mut Attempts::default() };
            all_of(&[says(one), says(other)], &Evidence::of(&[], None), now, &mut guesses).ok()
        };
        let (session, token) = (user("bob", None), user("bob", Some("app")));
        assert_eq!(both(session.clone(), token.clone()), Some(token.clone()));
        assert_eq!(both(token.clone(), session.clone()), Some(token.clone()));
        assert_eq!(both(user("ann", None), token.clone()), None);
        let client = Caller { user: None, ..user("bob", Some("bob")) };
        assert_eq!(both(session, client), None, "a client that is called like a user");
    }
}
