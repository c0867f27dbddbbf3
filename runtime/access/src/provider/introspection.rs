//! Opaque tokens: the provider is asked what they are (RFC 7662), once for all who bring the same token.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::header::HeaderValue;
use serde_json::{Map, Value};
use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;

use crate::bearer::{Bearer, BearerAuthenticator, TokenAuthenticator};
use crate::caller::{Caller, Denial, Question, Refusal, RequestContext, Verdict};
use crate::jwt::cache::TokenCache;
use crate::jwt::token::{self, ClaimRules, NoToken, TokenPlaces};
use crate::outgoing::Background;
use crate::outgoing::client::{Client, FetchError, Form, basic};
use crate::outgoing::health::Health;
use crate::outgoing::url::ProviderUrl;
use crate::prepare_error::PrepareError;
use crate::request_view::{CredentialLocation, RequestView};
use crate::scheme::{Authenticator, Resources, Scheme};
use gateway_base::encoding::form_encode;
use gateway_base::secret::SecretReference;

/// For a request without a token.
const MISSING: Denial = Denial::Missing { message: "Missing authorization in request" };

/// For an invalid token: the client learns no more than that.
fn invalid(why: &'static str) -> Denial {
    Denial::Invalid { message: "failed to verify token", why }
}

/// How long, in seconds, the provider is not asked again about a token that it does not know.
const REMEMBER_BAD: u64 = 5;

/// The number of parts of the caches and of the list of running questions; each part has a lock.
const SHARDS: usize = 16;

/// Bytes of valid tokens that are cached, over all shards.
const GOOD_BYTES: usize = 8 << 20;

/// Bytes of invalid tokens that are cached, over all shards: separate, so that they cannot evict the valid ones.
const BAD_BYTES: usize = 1 << 20;

/// Questions to the provider at the same time.
const MAX_ASKING: usize = 64;

/// Tokens that are being asked about or wait for that; more requests with other tokens are 503.
const MAX_WAITING: usize = 1024;

/// From the request to the provider's answer, waiting included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// A bearer token (RFC 6750) that only its provider understands.
#[derive(Debug)]
pub struct Introspection {
    /// The key under `components/securitySchemes`.
    pub name: &'static str,
    /// Where the token may be; the first place that has a value decides.
    pub locations: &'static [CredentialLocation],
    /// A header may hold the token without `Bearer `.
    pub bare: bool,
    /// `realm` of the challenge (RFC 9110 §11.5).
    pub realm: &'static str,
    /// The upstream sees the token.
    pub forward: bool,
    /// Where the provider is asked (RFC 7662 §2).
    pub url: &'static str,
    /// The gateway's client id at the provider (RFC 6749 §2.3.1, `client_secret_basic`).
    pub client_id: &'static str,
    /// With which secret.
    pub client_secret: SecretReference,
    /// How long a positive answer is used, if the token does not expire before.
    pub cache: Duration,
    /// Accepted values of `iss`; empty accepts any.
    pub issuers: &'static [&'static str],
    /// Accepted values of `aud`; empty accepts any.
    pub audiences: &'static [&'static str],
    /// Accepted values of `client_id` or `azp`; empty accepts any.
    pub client_ids: &'static [&'static str],
    /// Where scopes are: names of members, or paths with dots.
    pub scope_claims: &'static [&'static str],
}

impl Scheme for Introspection {
    fn name(&self) -> &'static str {
        self.name
    }

    fn prepare(&self, resources: &Resources) -> Result<Box<dyn Authenticator>, Vec<String>> {
        let authorization = basic(self.client_id, &self.client_secret, &resources.secrets);
        let address = resources.provider_url(self.url).map_err(PrepareError::from);
        let address = address.and_then(|url| Ok((resources.providers.client(&url)?, url)));
        let (authorization, (client, url)) = match (authorization, address) {
            (Ok(authorization), Ok(address)) => (authorization, address),
            (authorization, address) => {
                let problems = [authorization.err(), address.err()].into_iter().flatten();
                return Err(problems.map(|problem| problem.to_string()).collect());
            }
        };
        let queries = Arc::new(TokenQueries {
            client,
            authorization,
            rules: ClaimRules {
                required_claims: &[],
                issuers: self.issuers,
                audiences: self.audiences,
                client_ids: self.client_ids,
                leeway: Duration::ZERO,
            },
            scope_claims: self.scope_claims,
            cache: self.cache.as_secs(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            asking: Semaphore::new(MAX_ASKING),
            waiting: AtomicUsize::new(0),
            health: Health::new(&url),
            url,
        });
        resources.providers.tend(Arc::clone(&queries) as Arc<dyn Background>);
        let places = TokenPlaces { locations: self.locations, bare: self.bare, longest: resources.max_token };
        let bearer = Bearer { realm: self.realm, locations: self.locations, forward: self.forward };
        Ok(Box::new(BearerAuthenticator { bearer, tokens: Introspector { places, queries } }))
    }

    fn provider(&self) -> Option<&'static str> {
        Some(self.url)
    }
}

/// Finds the tokens in requests.
#[derive(Debug)]
struct Introspector {
    places: TokenPlaces,
    queries: Arc<TokenQueries>,
}

impl TokenAuthenticator for Introspector {
    fn authenticate(&self, view: &RequestView<'_>, now: RequestContext) -> Result<Caller, Refusal> {
        let token = self.places.token(view).map_err(|problem| match problem {
            NoToken::Missing => MISSING,
            NoToken::Unusable(why) => invalid(why),
        })?;
        self.queries.verdict(&token, now.unix_seconds)
    }
}

/// Where questions about tokens are asked, and answers kept.
struct TokenQueries {
    client: Client,
    url: ProviderUrl,
    authorization: HeaderValue,
    rules: ClaimRules,
    scope_claims: &'static [&'static str],
    /// In seconds.
    cache: u64,
    shards: Box<[Mutex<Shard>]>,
    /// Says which shard a token belongs to; with a key of its own, so that a client cannot choose.
    hasher: RandomState,
    asking: Semaphore,
    waiting: AtomicUsize,
    health: Health,
}

/// What is known of some of the tokens.
struct Shard {
    good: TokenCache,
    bad: TokenCache<&'static str>,
    /// The tokens that are being asked about, and where their verdicts will be.
    asking: HashMap<Box<str>, watch::Receiver<Option<Verdict>>>,
}

impl Default for Shard {
    fn default() -> Self {
        Self {
            good: TokenCache::new(GOOD_BYTES / SHARDS),
            bad: TokenCache::new(BAD_BYTES / SHARDS),
            asking: HashMap::new(),
        }
    }
}

impl fmt::Debug for TokenQueries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenQueries").field("url", &self.url).field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Background for TokenQueries {
    fn start(self: Arc<Self>) -> Option<AbortHandle> {
        None
    }

    fn health(&self) -> &Health {
        &self.health
    }
}

impl TokenQueries {
    /// What is known of a token, or the question what it is.
    fn verdict(self: &Arc<Self>, token: &str, now: u64) -> Result<Caller, Refusal> {
        let mut shard = self.shard(token);
        if let Some(caller) = shard.good.get(token, now) {
            return Ok(caller);
        }
        if let Some(why) = shard.bad.get(token, now) {
            return Err(invalid(why).into());
        }
        let mut answer = match shard.asking.get(token) {
            Some(answer) => answer.clone(),
            None => {
                let flight = Flight::begin(self, token).ok_or(Denial::Unavailable)?;
                let (sender, answer) = watch::channel(None);
                shard.asking.insert(token.into(), answer.clone());
                // The flight takes the same lock when it ends.
                drop(shard);
                // A task of its own: who asked first may leave, and others wait for the same answer.
                tokio::spawn(async move {
                    // It is remembered before the flight ends, so that no request asks in between.
                    let verdict = flight.queries.ask(&flight.token, now).await;
                    sender.send_replace(Some(verdict));
                });
                answer
            }
        };
        Err(Refusal::Ask(Question::Work(Box::pin(async move {
            let verdict = answer.wait_for(Option::is_some).await.ok().and_then(|verdict| verdict.clone());
            verdict.unwrap_or(Err(Denial::Unavailable))
        }))))
    }

    fn shard(&self, token: &str) -> MutexGuard<'_, Shard> {
        let index = self.hasher.hash_one(token) as usize % self.shards.len();
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the provider, and caches the answer.
    async fn ask(&self, token: &str, now: u64) -> Verdict {
        const CONSEQUENCE: &str = "tokens that are not remembered are answered with 503";
        let answer = match tokio::time::timeout(REQUEST_TIMEOUT, self.fetch(token)).await {
            Ok(answer) => answer,
            Err(_) => Err(AnswerError::Late),
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(problem) => {
                self.health.note(Err(&problem.to_string()), CONSEQUENCE);
                return Err(Denial::Unavailable);
            }
        };
        self.health.note(Ok(()), "");
        match judge(answer, &self.rules, self.scope_claims, now) {
            Ok((caller, expiry)) => {
                let until = now.saturating_add(self.cache).min(expiry.unwrap_or(u64::MAX));
                if until > now {
                    self.shard(token).good.insert(token, caller.clone(), until);
                }
                Ok(caller)
            }
            Err(why) => {
                self.shard(token).bad.insert(token, why, now.saturating_add(REMEMBER_BAD));
                Err(invalid(why))
            }
        }
    }

    async fn fetch(&self, token: &str) -> Result<Map<String, Value>, AnswerError> {
        let _permit = self.asking.acquire().await.map_err(|_| AnswerError::Ended)?;
        let body = format!("token={}&token_type_hint=access_token", form_encode(token.as_bytes()));
        let form = Form { authorization: &self.authorization, body };
        let answer = self.client.post(&self.url, form).await?;
        match serde_json::from_slice(&answer.body) {
            Ok(Value::Object(answer)) if answer.get("active").is_some_and(Value::is_boolean) => Ok(answer),
            _ => Err(AnswerError::NoAnswer),
        }
    }
}

/// Why a provider says nothing about a token.
#[derive(Debug, thiserror::Error)]
enum AnswerError {
    /// It gives no answer.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It gives none in time, or too many tokens are being asked about.
    #[error("it does not answer in time")]
    Late,
    /// It answers something else (RFC 7662 §2.2).
    #[error("its answer is not one about a token (RFC 7662 §2.2)")]
    NoAnswer,
    /// The gateway ends.
    #[error("the gateway ends")]
    Ended,
}

/// One token that is being asked about; off the list when dropped.
struct Flight {
    queries: Arc<TokenQueries>,
    token: Box<str>,
}

impl Flight {
    /// `None` if too many questions are running.
    fn begin(queries: &Arc<TokenQueries>, token: &str) -> Option<Self> {
        if queries.waiting.fetch_add(1, Relaxed) >= MAX_WAITING {
            queries.waiting.fetch_sub(1, Relaxed);
            return None;
        }
        Some(Self { queries: Arc::clone(queries), token: token.into() })
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.queries.waiting.fetch_sub(1, Relaxed);
        self.queries.shard(&self.token).asking.remove(&self.token);
    }
}

/// What the provider says about a token (RFC 7662 §2.2): the caller, and until when.
///
/// # Errors
/// Why the token is invalid, for the log.
fn judge(
    mut answer: Map<String, Value>,
    rules: &ClaimRules,
    scope_claims: &[&str],
    now: u64,
) -> Result<(Caller, Option<u64>), &'static str> {
    if answer.get("active") != Some(&Value::Bool(true)) {
        return Err("the provider does not know the token, or not any more");
    }
    let until = rules.check(&answer, now)?;
    if !answer.contains_key("sub")
        && let Some(name) = ["username", "client_id"].into_iter().find_map(|name| answer.get(name).cloned())
    {
        answer.insert("sub".to_owned(), name);
    }
    Ok((token::caller(&answer, scope_claims)?.until(until), until))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: ClaimRules =
        ClaimRules { required_claims: &[], issuers: &[], audiences: &[], client_ids: &[], leeway: Duration::ZERO };

    fn judged(json: &str, rules: &ClaimRules) -> Result<(String, Option<u64>), &'static str> {
        let answer = serde_json::from_str(json).expect("an object");
        judge(answer, rules, token::SCOPE_CLAIMS, 1_000)
            .map(|(caller, until)| (format!("{} {:?}", caller.subject, caller.scopes), until))
    }

    #[test]
    fn answers_about_tokens() {
        let inactive = Err("the provider does not know the token, or not any more");
        for (json, expected) in [
            (r#"{"active": false, "sub": "ann"}"#, inactive),
            (r#"{"active": "true"}"#, inactive),
            (r#"{"active": 1}"#, inactive),
            ("{}", inactive),
            (r#"{"active": true}"#, Ok((" []", None))),
            (r#"{"active": true, "sub": "ann", "username": "x", "scope": "a b"}"#, Ok((r#"ann ["a", "b"]"#, None))),
            (r#"{"active": true, "username": "ann", "client_id": "c", "exp": 1500}"#, Ok(("ann []", Some(1_500)))),
            (r#"{"active": true, "client_id": "c"}"#, Ok(("c []", None))),
            (r#"{"active": true, "sub": 7}"#, Err("sub is not a name")),
            (r#"{"active": true, "exp": 1000}"#, Err("the token has expired")),
            (r#"{"active": true, "exp": "1500"}"#, Err("a date claim is not a number")),
            (r#"{"active": true, "nbf": 1001}"#, Err("the token is not valid yet")),
        ] {
            assert_eq!(judged(json, &ANY), expected.map(|(caller, until)| (caller.to_owned(), until)), "{json}");
        }
    }

    #[test]
    fn issuer_and_audience_are_checked_where_the_document_names_some() {
        let rules = ClaimRules { issuers: &["i"], audiences: &["a"], ..ANY };
        assert!(judged(r#"{"active": true, "iss": "i", "aud": ["b", "a"]}"#, &rules).is_ok());
        assert_eq!(judged(r#"{"active": true, "aud": "a"}"#, &rules), Err("iss is not accepted"));
        assert_eq!(judged(r#"{"active": true, "iss": "i"}"#, &rules), Err("aud is not accepted"));
    }
}
