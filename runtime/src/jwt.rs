//! JSON Web Tokens as credentials: compact JWS only (RFC 7515), with pinned algorithms (RFC 8725 §3.1).

mod cache;
pub(crate) mod consumer;
mod keys;
pub(crate) mod sign;
pub(crate) mod token;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::access::{Authenticator, Caller, Denial, Moment, Refusal, Resources, Scheme};
use crate::credential::{CredentialLocation, Evidence};
use crate::secret::SecretReference;
pub(crate) use cache::TokenCache;
pub use keys::JwtAlgorithm;
use keys::{VerifyingKey, verify_signature};
use token::{ClaimRules, NoToken, Token, TokenPlaces};

/// For a request without a token.
const MISSING: Denial = Denial::Missing { message: "Missing authorization in request" };

/// For a token that is not good: the client learns no more than that.
fn invalid(why: &'static str) -> Denial {
    Denial::Invalid { message: "failed to verify jwt", why }
}

/// Bytes of verified tokens that one worker thread remembers.
const CACHE_BYTES: usize = 4 << 20;

/// A bearer token (RFC 6750) that is a JWT signed with a key known at start.
#[derive(Debug)]
pub struct JwtBearer {
    /// The key under `components/securitySchemes`.
    pub name: &'static str,
    /// Where the token may stand; the first place that holds something decides.
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
}

impl Scheme for JwtBearer {
    fn name(&self) -> &'static str {
        self.name
    }

    fn prepare(&self, resources: &Resources) -> Result<Box<dyn Authenticator>, Vec<String>> {
        let keys = self.keys(resources).map_err(|problem| vec![problem])?;
        Ok(Box::new(JwtVerifier {
            places: TokenPlaces { locations: self.locations, bare: self.bare },
            rules: ClaimRules {
                required_claims: self.required_claims,
                issuers: self.issuers,
                audiences: self.audiences,
                leeway: self.leeway,
            },
            realm: self.realm,
            forward: self.forward,
            keys,
            caches: caches(),
        }))
    }
}

impl JwtBearer {
    fn keys(&self, resources: &Resources) -> Result<Vec<VerifyingKey>, String> {
        let (JwtKey::Secret(reference) | JwtKey::PublicKey(reference) | JwtKey::Jwks(reference)) = &self.key;
        let secret = reference.resolve(&resources.secrets)?;
        let secret = secret.expose();
        match &self.key {
            JwtKey::Secret(_) => Ok(vec![VerifyingKey::from_secret(secret, self.algorithms, self.weak_secret_ok)?]),
            JwtKey::PublicKey(_) => Ok(vec![VerifyingKey::from_pem(secret, self.algorithms)?]),
            JwtKey::Jwks(_) => VerifyingKey::from_set(secret, self.algorithms),
        }
    }
}

/// One cache per worker thread: the locks are never contended.
pub(crate) fn caches() -> Box<[Mutex<TokenCache>]> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from).max(64);
    (0..workers).map(|_| Mutex::new(TokenCache::new(CACHE_BYTES))).collect()
}

/// Checks tokens, and remembers the good ones until they expire.
struct JwtVerifier {
    places: TokenPlaces,
    rules: ClaimRules,
    realm: &'static str,
    forward: bool,
    keys: Vec<VerifyingKey>,
    caches: Box<[Mutex<TokenCache>]>,
}

impl std::fmt::Debug for JwtVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JwtVerifier")
            .field("rules", &self.rules)
            .field("keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}

impl Authenticator for JwtVerifier {
    fn authenticate(&self, evidence: &Evidence<'_>, now: Moment) -> Result<Caller, Refusal> {
        let token = self.places.token(evidence).map_err(|problem| match problem {
            NoToken::Missing => MISSING,
            NoToken::Unusable(why) => invalid(why),
        })?;
        let cache = &self.caches[now.worker % self.caches.len()];
        if let Some(caller) = cache.lock().unwrap_or_else(PoisonError::into_inner).get(&token, now.unix_seconds) {
            return Ok(caller);
        }
        let (caller, until) = self.verify(&token, now.unix_seconds).map_err(invalid)?;
        if let Some(until) = until {
            cache.lock().unwrap_or_else(PoisonError::into_inner).insert(&token, caller.clone(), until);
        }
        Ok(caller)
    }

    fn challenge(&self) -> String {
        challenge(self.realm)
    }

    fn challenge_invalid(&self) -> String {
        challenge_invalid(self.realm)
    }

    fn challenge_scope(&self, scopes: &[&str]) -> String {
        challenge_scope(self.realm, scopes)
    }

    fn locations(&self) -> (&'static [CredentialLocation], bool) {
        (self.places.locations, self.forward)
    }
}

impl JwtVerifier {
    /// The caller, and until when (seconds since the epoch) the answer stays the same; `None` where it never expires.
    fn verify(&self, token: &str, now: u64) -> Result<(Caller, Option<u64>), &'static str> {
        let token = Token::parse(token)?;
        verify_signature(&self.keys, &token)?;
        let until = self.rules.check(&token.claims, now)?;
        Ok((token::caller(&token.claims)?, until))
    }
}

/// The challenges of a bearer scheme (RFC 6750 §3).
pub(crate) fn challenge(realm: &str) -> String {
    format!("Bearer realm=\"{realm}\"")
}

/// As [`challenge`], for a token that is not good.
pub(crate) fn challenge_invalid(realm: &str) -> String {
    format!("Bearer realm=\"{realm}\", error=\"invalid_token\"")
}

/// As [`challenge`], for a token without the scopes.
pub(crate) fn challenge_scope(realm: &str, scopes: &[&str]) -> String {
    format!("Bearer realm=\"{realm}\", error=\"insufficient_scope\", scope=\"{}\"", scopes.join(" "))
}

#[cfg(test)]
mod tests;
