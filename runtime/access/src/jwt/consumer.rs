//! Tokens of consumers: a claim names the credential, and that has the key and the algorithm.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Map, Value};

use crate::bearer::{Bearer, BearerAuthenticator, TokenAuthenticator};
use crate::caller::{Caller, Denial, Refusal, RequestContext};
use crate::jwt::bearer::caches;
use crate::jwt::cache::TokenCache;
use crate::jwt::denial::{MISSING, invalid};
use crate::jwt::token::{ClaimRules, NoToken, TokenPlaces};
use crate::request_view::{CredentialLocation, RequestView};
use crate::scheme::{Authenticator, Resources, Scheme};
use gateway_base::jose::keys::{JwtAlgorithm, KeyError, VerifyingKey, signer_of};
use gateway_base::jose::token::Token;
use gateway_base::jose::token_keys::{TokenKeys, TokenSigner, TokenVerifier};
use gateway_parties::consumers::Consumers;
use gateway_parties::store::ConsumerStore;

/// A bearer token (RFC 6750) that is a JWT of a consumer.
#[derive(Debug)]
pub struct ConsumerJwt {
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
    /// The claim that names the credential.
    pub key_claim: &'static str,
    /// Claims that must be there.
    pub required_claims: &'static [&'static str],
    /// Accepted values of `iss`; empty accepts any.
    pub issuers: &'static [&'static str],
    /// Accepted values of `aud`; empty accepts any.
    pub audiences: &'static [&'static str],
    /// How far clocks may differ, beside what the credential says.
    pub leeway: Duration,
}

impl Scheme for ConsumerJwt {
    fn name(&self) -> &'static str {
        self.name
    }

    fn prepare(&self, resources: &Resources) -> Result<Box<dyn Authenticator>, Vec<String>> {
        if !resources.consumers.is_configured() {
            return Err(vec!["its tokens belong to consumers; write `consumers: {file: consumers.yaml}`".to_owned()]);
        }
        let tokens = ConsumerTokens {
            places: TokenPlaces { locations: self.locations, bare: self.bare, longest: resources.max_token },
            rules: ClaimRules {
                required_claims: self.required_claims,
                issuers: self.issuers,
                audiences: self.audiences,
                client_ids: &[],
                leeway: self.leeway,
            },
            key_claim: self.key_claim,
            consumers: Arc::clone(&resources.consumers),
            caches: caches(),
        };
        let bearer = Bearer { realm: self.realm, locations: self.locations, forward: self.forward };
        Ok(Box::new(BearerAuthenticator { bearer, tokens }))
    }

    fn token_keys(&self) -> Option<&'static dyn TokenKeys> {
        Some(&JoseKeys)
    }
}

/// Checks tokens, and caches the valid ones until they expire or the consumers change.
struct ConsumerTokens {
    places: TokenPlaces,
    rules: ClaimRules,
    key_claim: &'static str,
    consumers: Arc<ConsumerStore>,
    caches: Box<[Mutex<TokenCache>]>,
}

impl std::fmt::Debug for ConsumerTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConsumerTokens").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl TokenAuthenticator for ConsumerTokens {
    fn authenticate(&self, view: &RequestView<'_>, now: RequestContext) -> Result<Caller, Refusal> {
        let token = self.places.token(view).map_err(|problem| match problem {
            NoToken::Missing => MISSING,
            NoToken::Unusable(why) => Denial::Invalid { message: "JWT token invalid", why },
        })?;
        let consumers = self.consumers.current();
        let cache = &self.caches[now.worker % self.caches.len()];
        if let Some(caller) = cache.lock().unwrap_or_else(PoisonError::into_inner).get_of(
            consumers.generation(),
            &token,
            now.unix_seconds,
        ) {
            return Ok(caller);
        }
        let (caller, until) = self.verify(&consumers, &token, now.unix_seconds)?;
        if let Some(until) = until {
            cache.lock().unwrap_or_else(PoisonError::into_inner).insert(&token, caller.clone(), until);
        }
        Ok(caller)
    }
}

impl ConsumerTokens {
    /// The caller, and until when (seconds since the epoch) the answer stays the same; `None` where it never expires.
    fn verify(&self, consumers: &Consumers, token: &str, now: u64) -> Result<(Caller, Option<u64>), Denial> {
        let token = Token::parse(token).map_err(|why| Denial::Invalid { message: "JWT token invalid", why })?;
        let key = token.claims.get(self.key_claim).and_then(Value::as_str).filter(|key| !key.is_empty()).ok_or(
            Denial::Invalid {
                message: "missing user key in JWT token",
                why: "the claim that names the key is not there",
            },
        )?;
        let credential = consumers
            .with_token_key(key, now)
            .map_err(|no| Denial::Invalid { message: "Invalid user key in JWT token", why: no.why() })?;
        // RFC 8725 §3.1: the token does not choose its algorithm.
        if token.algorithm() != credential.algorithm.name() {
            return Err(invalid("alg is not the credential's"));
        }
        if !credential.verifier.verify(token.signed, token.signature) {
            return Err(invalid("the signature does not fit the credential's key"));
        }
        let rules = ClaimRules { leeway: self.rules.leeway.max(credential.leeway), ..self.rules };
        let until = rules.check(&token.claims, now).map_err(invalid)?;
        let until = until.map(|until| until.min(credential.identity.expires));
        Ok((Caller::consumer(&credential.identity).until(until), until))
    }
}

/// Keys as `jsonwebtoken` has them.
#[derive(Debug)]
pub(super) struct JoseKeys;

impl TokenKeys for JoseKeys {
    fn verifying(&self, algorithm: JwtAlgorithm, key: &[u8]) -> Result<Box<dyn TokenVerifier>, KeyError> {
        let key = if algorithm.is_hmac() {
            VerifyingKey::from_secret(key, &[algorithm], true)?
        } else {
            VerifyingKey::from_pem(key, &[algorithm])?
        };
        Ok(Box::new(Verifier { key, algorithm }))
    }

    fn signing(&self, algorithm: JwtAlgorithm, key: &[u8]) -> Result<Box<dyn TokenSigner>, KeyError> {
        let problem = |_| KeyError::PrivateKey(algorithm);
        let key = match algorithm {
            _ if algorithm.is_hmac() => EncodingKey::from_secret(key),
            _ if algorithm.is_rsa() => EncodingKey::from_rsa_pem(key).map_err(problem)?,
            _ if algorithm.is_elliptic_curve() => EncodingKey::from_ec_pem(key).map_err(problem)?,
            _ => EncodingKey::from_ed_pem(key).map_err(problem)?,
        };
        let signer = Signer { key, algorithm };
        // A key on another curve is only found out when it is used.
        signer.sign(&Map::new())?;
        Ok(Box::new(signer))
    }
}

struct Verifier {
    key: VerifyingKey,
    algorithm: JwtAlgorithm,
}

impl TokenVerifier for Verifier {
    fn verify(&self, signed: &str, signature: &str) -> bool {
        self.key.made(signed, signature, self.algorithm)
    }
}

struct Signer {
    key: EncodingKey,
    algorithm: JwtAlgorithm,
}

impl TokenSigner for Signer {
    fn sign(&self, claims: &Map<String, Value>) -> Result<String, KeyError> {
        let problem = KeyError::CannotSign(self.algorithm);
        let Some(algorithm) = signer_of(self.algorithm) else { return Err(problem) };
        jsonwebtoken::encode(&Header::new(algorithm), claims, &self.key).map_err(|_| problem)
    }
}
