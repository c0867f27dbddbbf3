//! JWTs of issuers whose keys are known (RFC 7519, RFC 6750).

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::bearer::{Bearer, BearerAuthenticator, TokenAuthenticator};
use crate::caller::{Caller, Denial, Question, Refusal, RequestContext};
use crate::jwt::cache::TokenCache;
use crate::jwt::denial::{MISSING, invalid};
use crate::jwt::ring::{KeyProvider, KeyRing, KeySet, KeySource};
use crate::jwt::token::{ClaimRules, NoToken, TokenPlaces};
use crate::prepare_error::PrepareError;
use crate::request_view::{CredentialLocation, RequestView};
use crate::scheme::{Authenticator, Resources, Scheme};
use gateway_base::jose::keys::{JwtAlgorithm, VerifyingKey, is_known, verify_signature};
use gateway_base::jose::token::Token;
use gateway_base::secret::SecretReference;

/// Bytes of verified tokens that one worker thread caches.
pub(crate) const CACHE_BYTES: usize = 4 << 20;

/// A bearer token (RFC 6750) that is a JWT of an issuer whose keys are known.
#[derive(Debug)]
pub struct JwtBearer {
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
    /// The only values of `alg` that are accepted.
    pub algorithms: &'static [JwtAlgorithm],
    /// What signatures are checked with.
    pub key: JwtKey,
    /// Claims that must be there.
    pub required_claims: &'static [&'static str],
    /// Accepted values of `iss`; empty accepts any.
    pub issuers: &'static [&'static str],
    /// Accepted values of `aud`; empty accepts any.
    pub audiences: &'static [&'static str],
    /// Accepted values of `client_id` or `azp`; empty accepts any.
    pub client_ids: &'static [&'static str],
    /// Where scopes are: names of claims, or paths with dots.
    pub scope_claims: &'static [&'static str],
    /// How far clocks may differ.
    pub leeway: Duration,
    /// Accept an HMAC key below 32 bytes.
    pub weak_secret_ok: bool,
}

/// What signatures are checked with.
#[derive(Debug, Clone, Copy)]
pub enum JwtKey {
    /// A shared secret, for HS algorithms.
    Secret(SecretReference),
    /// A PEM public key, for all others.
    PublicKey(SecretReference),
    /// A JSON Web Key Set (RFC 7517 §5).
    Jwks(SecretReference),
    /// The keys that a provider publishes.
    Provider(&'static dyn KeyProvider),
}

impl Scheme for JwtBearer {
    fn name(&self) -> &'static str {
        self.name
    }

    fn prepare(&self, resources: &Resources) -> Result<Box<dyn Authenticator>, Vec<String>> {
        let (ring, source) = self.open_keys(resources).map_err(|problem| vec![problem.to_string()])?;
        let verifier = Arc::new(JwtVerifier {
            places: TokenPlaces { locations: self.locations, bare: self.bare, longest: resources.max_token },
            scope_claims: self.scope_claims,
            rules: ClaimRules {
                required_claims: self.required_claims,
                issuers: self.issuers,
                audiences: self.audiences,
                client_ids: self.client_ids,
                leeway: self.leeway,
            },
            ring,
            source,
            caches: caches(),
        });
        let bearer = Bearer { realm: self.realm, locations: self.locations, forward: self.forward };
        Ok(Box::new(BearerAuthenticator { bearer, tokens: verifier }))
    }

    fn provider(&self) -> Option<&'static str> {
        match &self.key {
            JwtKey::Provider(provider) => Some(provider.url()),
            JwtKey::Secret(_) | JwtKey::PublicKey(_) | JwtKey::Jwks(_) => None,
        }
    }
}

pub(crate) type OpenKeys = (Arc<KeyRing>, Option<Arc<dyn KeySource>>);

impl JwtBearer {
    /// The keys, and what brings others, where keys change.
    fn open_keys(&self, resources: &Resources) -> Result<OpenKeys, PrepareError> {
        let read = |reference: &SecretReference| reference.resolve(&resources.secrets);
        let keys = match &self.key {
            JwtKey::Secret(reference) => {
                vec![VerifyingKey::from_secret(read(reference)?.expose(), self.algorithms, self.weak_secret_ok)?]
            }
            JwtKey::PublicKey(reference) => vec![VerifyingKey::from_pem(read(reference)?.expose(), self.algorithms)?],
            JwtKey::Jwks(reference) => VerifyingKey::from_set(read(reference)?.expose(), self.algorithms)?,
            JwtKey::Provider(provider) => {
                let ring = Arc::new(KeyRing::empty(self.algorithms));
                let source = provider.supply(resources, &ring)?;
                return Ok((ring, Some(source)));
            }
        };
        Ok((Arc::new(KeyRing::fixed(self.algorithms, keys)), None))
    }
}

/// One cache per worker thread: the locks are never contended.
pub(crate) fn caches() -> Box<[Mutex<TokenCache>]> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from).max(64);
    (0..workers).map(|_| Mutex::new(TokenCache::new(CACHE_BYTES))).collect()
}

/// Checks tokens, and caches the valid ones until they expire.
#[derive(Debug)]
pub(crate) struct JwtVerifier {
    places: TokenPlaces,
    rules: ClaimRules,
    scope_claims: &'static [&'static str],
    ring: Arc<KeyRing>,
    /// Brings other keys, where keys change.
    source: Option<Arc<dyn KeySource>>,
    caches: Box<[Mutex<TokenCache>]>,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Failure {
    /// It is invalid; the reason is for the log.
    Bad(&'static str),
    /// It may have been signed with a key that is newer than ours; what is wrong with it if not.
    UnknownKey(&'static str),
    /// There is no key yet.
    NoKeys,
}

impl From<&'static str> for Failure {
    fn from(why: &'static str) -> Self {
        Self::Bad(why)
    }
}

impl From<Failure> for Denial {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Bad(why) => invalid(why),
            Failure::UnknownKey(why) => invalid(why),
            Failure::NoKeys => Self::Unavailable,
        }
    }
}

impl TokenAuthenticator for Arc<JwtVerifier> {
    fn authenticate(&self, view: &RequestView<'_>, now: RequestContext) -> Result<Caller, Refusal> {
        let token = self.places.token(view).map_err(|problem| match problem {
            NoToken::Missing => MISSING,
            NoToken::Unusable(why) => invalid(why),
        })?;
        let keys = self.ring.generation();
        let failure = match self.judge(&token, now) {
            Ok(caller) => return Ok(caller),
            Err(failure) => failure,
        };
        let wait = self.source.as_ref().and_then(|source| match failure {
            Failure::Bad(_) => None,
            Failure::UnknownKey(_) => source.newer_keys(),
            Failure::NoKeys => source.first_keys(),
        });
        let Some(wait) = wait else {
            // Others may have come while this was judged.
            let newer = self.source.is_some() && self.ring.generation() != keys;
            let verdict = if newer { self.judge(&token, now) } else { Err(failure) };
            return verdict.map_err(|failure| Denial::from(failure).into());
        };
        let (verifier, token) = (Self::clone(self), token.into_owned());
        Err(Refusal::Ask(Question::Work(Box::pin(async move {
            wait.await;
            verifier.judge(&token, now).map_err(Denial::from)
        }))))
    }
}

impl JwtVerifier {
    /// Judges a token with the keys that are there now.
    fn judge(&self, token: &str, now: RequestContext) -> Result<Caller, Failure> {
        let set = self.ring.current();
        let Some(set) = set.as_ref() else { return Err(self.without_keys(token, now.unix_seconds)) };
        let cache = &self.caches[now.worker % self.caches.len()];
        let cache = || cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(caller) = cache().get_of(set.generation, token, now.unix_seconds) {
            return Ok(caller);
        }
        let (caller, until) = self.verify(set, token, now.unix_seconds)?;
        if let Some(until) = until {
            cache().insert_of(set.generation, token, caller.clone(), until);
        }
        Ok(caller)
    }

    /// Without keys no token is valid, but many are invalid whatever the keys will be.
    fn without_keys(&self, token: &str, now: u64) -> Failure {
        let token = match Token::parse(token) {
            Ok(token) => token,
            Err(why) => return Failure::Bad(why),
        };
        if !self.ring.accepts(token.algorithm()) {
            return Failure::Bad("alg is not accepted");
        }
        self.rules.check(&token.claims, now).map_or_else(Failure::Bad, |_| Failure::NoKeys)
    }

    /// The caller, and until when (seconds since the epoch) the answer stays the same; `None` where it never expires.
    fn verify(&self, set: &KeySet, token: &str, now: u64) -> Result<(Caller, Option<u64>), Failure> {
        let token = Token::parse(token)?;
        let signature = verify_signature(&set.keys, &token);
        let unknown = signature
            .err()
            .filter(|_| self.source.is_some() && !is_known(&set.keys, &token) && self.ring.accepts(token.algorithm()));
        if unknown.is_none() {
            signature?;
        }
        let until = self.rules.check(&token.claims, now)?;
        if let Some(issuer) = &set.issuer
            && token.claims.get("iss").and_then(serde_json::Value::as_str) != Some(issuer)
        {
            return Err(Failure::Bad("iss is not accepted"));
        }
        if let Some(why) = unknown {
            return Err(Failure::UnknownKey(why));
        }
        let caller = crate::jwt::token::caller(&token.claims, self.scope_claims)?;
        Ok((caller.until(until), until))
    }
}
