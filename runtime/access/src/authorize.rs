//! Authorisation: nothing is forwarded without a [`Permit`], and only [`authorize`] makes one.

use std::net::IpAddr;
use std::sync::Arc;

use crate::caller::{Caller, Denial, Question, Refusal, RequestContext, SchemeId};
use crate::failed_authentication::{Attempts, Failures};
use crate::request_view::RequestView;
use crate::scheme::Authenticator;
use crate::tables::ConsumerRules;
use gateway_parties::consumers::Identity;
use gateway_parties::store::ConsumerStore;
use gateway_wire::reject::Reject;

/// Why a request gets no permit.
#[derive(Debug)]
pub enum NoPermit {
    /// The request is refused with this.
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
pub struct Permit {
    caller: Option<Caller>,
    because: &'static str,
    /// The alternative that holds, by its place.
    alternative: Option<usize>,
}

impl Permit {
    /// The caller, unless anyone may call.
    pub fn caller(&self) -> Option<&Caller> {
        self.caller.as_ref()
    }

    /// Why the request may pass, for the access log.
    pub fn because(&self) -> &'static str {
        self.because
    }

    /// What the request has met of `access`, which gave this permit; nothing where no credential was needed.
    pub fn met<'a>(&self, access: &'a PreparedAccess) -> &'a [PreparedRequirement] {
        match access {
            PreparedAccess::Anyone { .. } => &[],
            PreparedAccess::OneOf { alternatives, .. } => {
                let alternative = self.alternative.and_then(|index| alternatives.get(index));
                alternative.map_or(&[], |alternative| &alternative.requirements)
            }
        }
    }
}

/// Decides whether a request may reach its operation: one alternative must hold, with all of its requirements, and the
/// consumer must be one that the operation admits.
///
/// An invalid credential refuses the request even where an empty alternative (`{}`) would admit one
/// without, unless the operation says `onInvalid: fallback`: a typo must not turn a caller into a stranger.
///
/// # Errors
/// 401 without a valid credential, 403 without the scopes or for another consumer, 503 where no scheme could decide.
pub fn authorize(
    access: &PreparedAccess,
    rules: &ConsumerRules,
    method: &str,
    view: &RequestView<'_>,
    now: RequestContext,
    guesses: &mut Guesses<'_>,
) -> Result<Permit, NoPermit> {
    let permit = match access {
        PreparedAccess::Anyone { because } => return Ok(Permit { caller: None, because, alternative: None }),
        PreparedAccess::OneOf { alternatives, anonymous } => {
            one_of(alternatives, anonymous.as_ref(), view, now, guesses)?
        }
    };
    rules.admit(permit.caller(), method)?;
    Ok(permit)
}

pub(crate) fn one_of(
    alternatives: &[PreparedAlternative],
    anonymous: Option<&PreparedAnonymous>,
    view: &RequestView<'_>,
    now: RequestContext,
    guesses: &mut Guesses<'_>,
) -> Result<Permit, NoPermit> {
    let mut worst: Option<Reject> = None;
    for (index, alternative) in alternatives.iter().enumerate() {
        match all_of(&alternative.requirements, view, now, guesses) {
            Ok(caller) => {
                return Ok(Permit { caller: Some(caller), because: "credential", alternative: Some(index) });
            }
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

/// The message where one of several schemes is required.
pub(crate) const SEVERAL_FAILED: &str = "Authorization Failed";

impl PreparedAnonymous {
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
        Ok(Permit { caller, because: "anonymous", alternative: None })
    }
}

/// Credentials that may be guesses: from where, and which of them are counted.
pub struct Guesses<'a> {
    /// The client's address, as given by trusted proxies.
    pub address: IpAddr,
    /// Those of this request.
    pub attempts: &'a mut Attempts,
}

impl Guesses<'_> {
    /// The verdict of a scheme, unless too many recent credentials were wrong.
    fn judge(
        &mut self,
        requirement: &PreparedRequirement,
        verdict: Result<Caller, Refusal>,
        view: &RequestView<'_>,
        now: RequestContext,
    ) -> Result<Caller, Refusal> {
        let Some(limit) = &requirement.failures else { return verdict };
        if let Err(Refusal::Denied(Denial::Missing { .. } | Denial::LogIn { .. } | Denial::Unavailable)) = verdict {
            return verdict;
        }
        if let Err(seconds) = self.attempts.begin(limit, self.address, view, now.unix_seconds) {
            return Err(Denial::TooManyFailures { seconds }.into());
        }
        if let Err(Refusal::Denied(Denial::Invalid { .. })) = verdict {
            self.attempts.fail(limit);
        }
        verdict
    }
}

/// All of the requirements; each is asked, so that what the order hides cannot decide.
pub(crate) fn all_of(
    requirements: &[PreparedRequirement],
    view: &RequestView<'_>,
    now: RequestContext,
    guesses: &mut Guesses<'_>,
) -> Result<Caller, NoPermit> {
    let mut first: Option<Caller> = None;
    // The credentials hold together, so that they end with the first of them.
    let mut expires = Identity::NEVER;
    let mut worst: Option<Reject> = None;
    let mut lacking = Vec::new();
    let mut question_of: Option<(SchemeId, Question)> = None;
    for requirement in requirements {
        let scheme = SchemeId::of(&requirement.authenticator);
        let verdict = match view.verdict_of(scheme) {
            Some(verdict) => verdict.clone().map_err(Refusal::Denied),
            None => requirement.authenticator.authenticate(view, now),
        };
        let verdict = match guesses.judge(requirement, verdict, view, now) {
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
                expires = expires.min(caller.expires);
                // The same caller: keep the one that knows more, since a session does not know the client.
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
        // A request with one of two credentials that belong together, good or bad, is not one without credentials.
        (_, Some(Reject::NoCredential(message))) if brings_something => {
            Err(Reject::InvalidCredential { message, why: "only some of the credentials that belong together" }.into())
        }
        (_, Some(worst)) => Err(worst.into()),
        (Some(caller), None) if lacking.is_empty() => Ok(Caller { expires, ..caller }),
        _ => Err(Reject::InsufficientScope(lacking).into()),
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

/// Of two refusals, the more informative one: it came closer.
pub(crate) fn worse(one: Reject, other: Reject) -> Reject {
    fn rank(reject: &Reject) -> u8 {
        match reject {
            Reject::TooManyFailures(_) => 6,
            Reject::InsufficientScope(_) => 5,
            Reject::CredentialsUnavailable => 4,
            Reject::MalformedCredential(_) => 3,
            Reject::InvalidCredential { .. } => 2,
            // A client that a challenge can help is not sent to a page for people.
            Reject::LoginRequired { .. } => 0,
            _ => 1,
        }
    }
    if rank(&other) > rank(&one) { other } else { one }
}

/// [`Access`](crate::tables::Access) with its schemes ready to check.
#[derive(Debug)]
pub enum PreparedAccess {
    /// No credential is asked for.
    Anyone {
        /// Where the document says so, for the access log, such as `security: []`.
        because: &'static str,
    },
    /// One of the alternatives must hold.
    OneOf {
        /// Those that ask for something.
        alternatives: Vec<PreparedAlternative>,
        /// The one that does not, if there is one.
        anonymous: Option<PreparedAnonymous>,
    },
}

/// Who a request without credentials is.
#[derive(Debug)]
pub struct PreparedAnonymous {
    /// The consumer that it counts as.
    pub consumer: Option<&'static str>,
    /// An invalid credential counts as none.
    pub despite_invalid: bool,
    /// The consumers among which `consumer` is looked up.
    pub consumers: Arc<ConsumerStore>,
}

/// Requirements that must all hold.
#[derive(Debug)]
pub struct PreparedAlternative {
    /// Never empty: an alternative without requirements is [`PreparedAnonymous`].
    pub requirements: Vec<PreparedRequirement>,
}

/// A scheme ready to check, and the scopes that are needed.
#[derive(Debug)]
pub struct PreparedRequirement {
    /// Checks the credentials of the scheme.
    pub authenticator: Arc<dyn Authenticator>,
    /// The scopes (or roles) that the caller needs, all of them; empty for none.
    pub scopes: &'static [&'static str],
    /// How many wrong credentials are checked.
    pub failures: Option<Arc<Failures>>,
}

/// All requirements of all alternatives, in the order of the document; none for [`PreparedAccess::Anyone`].
pub fn requirements(access: &PreparedAccess) -> impl Iterator<Item = &PreparedRequirement> {
    let alternatives = match access {
        PreparedAccess::Anyone { .. } => &[][..],
        PreparedAccess::OneOf { alternatives, .. } => alternatives,
    };
    alternatives.iter().flat_map(|alternative| &alternative.requirements)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request_view::CredentialLocation;

    /// A scheme that always says the same.
    #[derive(Debug)]
    struct Says(Caller);

    impl Authenticator for Says {
        fn authenticate(&self, _: &RequestView<'_>, _: RequestContext) -> Result<Caller, Refusal> {
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
            issuer: None,
            identity: None,
            expires: Identity::NEVER,
        }
    }

    #[test]
    fn together_schemes_name_one_caller_and_all_that_is_known_of_it() {
        let both = |one: Caller, other: Caller| {
            let says =
                |caller| PreparedRequirement { authenticator: Arc::new(Says(caller)), scopes: &[], failures: None };
            let now = RequestContext { unix_seconds: 1, worker: 0, request: 1 };
            let mut guesses = Guesses { address: IpAddr::from([127, 0, 0, 1]), attempts: &mut Attempts::default() };
            all_of(&[says(one), says(other)], &RequestView::of(&[], None), now, &mut guesses).ok()
        };
        let (session, token) = (user("bob", None), user("bob", Some("app")));
        assert_eq!(both(session.clone(), token.clone()), Some(token.clone()));
        assert_eq!(both(token.clone(), session.clone()), Some(token.clone()));
        assert_eq!(both(user("ann", None), token.clone()), None);
        let client = Caller { user: None, ..user("bob", Some("bob")) };
        assert_eq!(both(session, client), None, "a client that is called like a user");
    }
}
