//! JSON Web Tokens as credentials: compact JWS only (RFC 7515), with pinned algorithms (RFC 8725 §3.1).

mod cache;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value};

use crate::access::{Authenticator, Caller, Denial, Moment, Resources, Scheme};
use crate::credential::{CredentialLocation, Evidence, Found};
use crate::secret::{Secret, SecretReference};
use cache::TokenCache;

/// For a request without a token.
const MISSING: Denial = Denial::Missing { message: "Missing authorization in request" };

/// For a token that is not good: the client learns no more than that.
fn invalid(why: &'static str) -> Denial {
    Denial::Invalid { message: "failed to verify jwt", why }
}

/// A longer token, in bytes, is refused before anything is decoded.
const MAX_TOKEN: usize = 8 * 1024;

/// An HMAC key shorter than this, in bytes, is refused unless `weakSecretOk` (RFC 7518 §3.2 asks for the hash's size).
const MIN_HMAC_KEY: usize = 32;

/// A token without `kid` is tried against at most this many keys.
const MAX_KEYS_TRIED: usize = 8;

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

/// The signature algorithms of RFC 7518 §3 and RFC 8037 that tokens may use. There is no `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the RFCs")]
pub enum JwtAlgorithm {
    HS256,
    HS384,
    HS512,
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
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

impl JwtAlgorithm {
    fn name(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::HS384 => "HS384",
            Self::HS512 => "HS512",
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
        }
    }

    fn implementation(self) -> Algorithm {
        match self {
            Self::HS256 => Algorithm::HS256,
            Self::HS384 => Algorithm::HS384,
            Self::HS512 => Algorithm::HS512,
            Self::RS256 => Algorithm::RS256,
            Self::RS384 => Algorithm::RS384,
            Self::RS512 => Algorithm::RS512,
            Self::PS256 => Algorithm::PS256,
            Self::PS384 => Algorithm::PS384,
            Self::PS512 => Algorithm::PS512,
            Self::ES256 => Algorithm::ES256,
            Self::ES384 => Algorithm::ES384,
            Self::EdDSA => Algorithm::EdDSA,
        }
    }

    fn is_hmac(self) -> bool {
        matches!(self, Self::HS256 | Self::HS384 | Self::HS512)
    }

    fn is_rsa(self) -> bool {
        matches!(self, Self::RS256 | Self::RS384 | Self::RS512 | Self::PS256 | Self::PS384 | Self::PS512)
    }
}

impl Scheme for JwtBearer {
    fn name(&self) -> &'static str {
        self.name
    }

    fn prepare(&self, resources: &Resources) -> Result<Box<dyn Authenticator>, Vec<String>> {
        let reference = match &self.key {
            JwtKey::Secret(reference) | JwtKey::PublicKey(reference) | JwtKey::Jwks(reference) => reference,
        };
        let secret = reference.resolve(&resources.secrets).map_err(|problem| vec![problem])?;
        let keys = match &self.key {
            JwtKey::Secret(_) => self.keys_from_secret(&secret),
            JwtKey::PublicKey(_) => self.keys_from_pem(&secret),
            JwtKey::Jwks(_) => self.keys_from_set(&secret),
        }
        .map_err(|problem| vec![problem])?;
        let workers = std::thread::available_parallelism().map_or(1, usize::from).max(64);
        let caches = (0..workers).map(|_| Mutex::new(TokenCache::new(CACHE_BYTES))).collect();
        Ok(Box::new(JwtVerifier { scheme: JwtPolicy::of(self), keys, caches }))
    }
}

impl JwtBearer {
    fn keys_from_secret(&self, secret: &Secret) -> Result<Vec<VerifyingKey>, String> {
        let length = secret.expose().len();
        if length < MIN_HMAC_KEY && !self.weak_secret_ok {
            return Err(format!(
                "the secret has {length} bytes, and an HMAC key needs {MIN_HMAC_KEY}; use a longer one, or write `weakSecretOk: true` beside it"
            ));
        }
        Ok(vec![VerifyingKey {
            id: None,
            key: DecodingKey::from_secret(secret.expose()),
            algorithms: self.algorithms.to_vec(),
        }])
    }

    fn keys_from_pem(&self, pem: &Secret) -> Result<Vec<VerifyingKey>, String> {
        let kinds: [KeyKind; 3] = [
            (DecodingKey::from_rsa_pem, JwtAlgorithm::is_rsa),
            (DecodingKey::from_ec_pem, |algorithm| matches!(algorithm, JwtAlgorithm::ES256 | JwtAlgorithm::ES384)),
            (DecodingKey::from_ed_pem, |algorithm| algorithm == JwtAlgorithm::EdDSA),
        ];
        for (parse, fits) in kinds {
            let algorithms: Vec<_> = self.algorithms.iter().copied().filter(|algorithm| fits(*algorithm)).collect();
            if let (false, Ok(key)) = (algorithms.is_empty(), parse(pem.expose())) {
                return Ok(vec![VerifyingKey { id: None, key, algorithms }]);
            }
        }
        Err(format!("the public key is not a PEM key for {}", self.algorithm_names()))
    }

    fn keys_from_set(&self, json: &Secret) -> Result<Vec<VerifyingKey>, String> {
        let set: JwkSet = serde_json::from_slice(json.expose()).map_err(|error| {
            format!("the key set is not a JSON Web Key Set (line {}, column {})", error.line(), error.column())
        })?;
        let keys: Vec<_> = set.keys.iter().filter_map(|jwk| self.key_from_jwk(jwk)).collect();
        if keys.is_empty() {
            return Err(format!("the key set has no key for {}", self.algorithm_names()));
        }
        Ok(keys)
    }

    fn algorithm_names(&self) -> String {
        self.algorithms.iter().map(|algorithm| algorithm.name()).collect::<Vec<_>>().join(", ")
    }

    /// A key that is for signatures and fits a pinned algorithm; others in the set are none of our business.
    fn key_from_jwk(&self, jwk: &Jwk) -> Option<VerifyingKey> {
        if jwk.common.public_key_use.as_ref().is_some_and(|usage| *usage != PublicKeyUse::Signature) {
            return None;
        }
        let fits = |algorithm: &JwtAlgorithm| match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => algorithm.is_rsa(),
            AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
                EllipticCurve::P256 => *algorithm == JwtAlgorithm::ES256,
                EllipticCurve::P384 => *algorithm == JwtAlgorithm::ES384,
                _ => false,
            },
            AlgorithmParameters::OctetKeyPair(_) => *algorithm == JwtAlgorithm::EdDSA,
            AlgorithmParameters::OctetKey(_) => algorithm.is_hmac(),
            _ => false,
        };
        let stated = jwk.common.key_algorithm.map(|algorithm| algorithm.to_string());
        let algorithms: Vec<_> = self
            .algorithms
            .iter()
            .copied()
            .filter(fits)
            .filter(|algorithm| stated.as_deref().is_none_or(|stated| stated == algorithm.name()))
            .collect();
        if algorithms.is_empty() {
            return None;
        }
        Some(VerifyingKey { id: jwk.common.key_id.clone(), key: DecodingKey::from_jwk(jwk).ok()?, algorithms })
    }
}

/// How a PEM key of one kind is read, and which algorithms it is for.
type KeyKind = (fn(&[u8]) -> jsonwebtoken::errors::Result<DecodingKey>, fn(JwtAlgorithm) -> bool);

/// A key and the algorithms that it may be used with: never one key for two families.
struct VerifyingKey {
    id: Option<String>,
    key: DecodingKey,
    algorithms: Vec<JwtAlgorithm>,
}

/// What a token must say, copied out of the static scheme.
#[derive(Debug)]
struct JwtPolicy {
    locations: &'static [CredentialLocation],
    bare: bool,
    realm: &'static str,
    forward: bool,
    required_claims: &'static [&'static str],
    issuers: &'static [&'static str],
    audiences: &'static [&'static str],
    leeway: u64,
}

impl JwtPolicy {
    fn of(scheme: &JwtBearer) -> Self {
        Self {
            locations: scheme.locations,
            bare: scheme.bare,
            realm: scheme.realm,
            forward: scheme.forward,
            required_claims: scheme.required_claims,
            issuers: scheme.issuers,
            audiences: scheme.audiences,
            leeway: scheme.leeway.as_secs(),
        }
    }
}

/// Checks tokens, and remembers the good ones until they expire.
struct JwtVerifier {
    scheme: JwtPolicy,
    keys: Vec<VerifyingKey>,
    /// One per worker thread: the lock is never contended.
    caches: Box<[Mutex<TokenCache>]>,
}

impl std::fmt::Debug for JwtVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JwtVerifier")
            .field("scheme", &self.scheme)
            .field("keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}

impl Authenticator for JwtVerifier {
    fn authenticate(&self, evidence: &Evidence<'_>, now: Moment) -> Result<Caller, Denial> {
        let (location, value) = match evidence.first_at(self.scheme.locations) {
            None => return Err(MISSING),
            Some((_, Found::Ambiguous | Found::Nothing)) => {
                return Err(invalid("several credentials, or one that is not text"));
            }
            Some((location, Found::One(value))) => (location, value),
        };
        let token = match (location, strip_bearer(&value)) {
            (CredentialLocation::Header(_), Some(token)) => token,
            // A header that is not `Authorization` has no scheme of its own.
            (CredentialLocation::Header(name), None)
                if !self.scheme.bare && name.eq_ignore_ascii_case("authorization") =>
            {
                // `Basic …` is somebody else's credential; one word is a token that lacks its scheme.
                let other_scheme = value.contains(' ');
                return Err(if other_scheme { MISSING } else { invalid("not a Bearer credential") });
            }
            _ => value.as_ref(),
        };
        if token.is_empty() {
            return Err(MISSING);
        }
        if token.len() > MAX_TOKEN {
            return Err(invalid("the token is too long"));
        }
        let cache = &self.caches[now.worker % self.caches.len()];
        if let Some(caller) = cache.lock().unwrap_or_else(PoisonError::into_inner).get(token, now.unix_seconds) {
            return Ok(caller);
        }
        let (caller, until) = self.verify(token, now.unix_seconds).map_err(invalid)?;
        if let Some(until) = until {
            cache.lock().unwrap_or_else(PoisonError::into_inner).insert(token, caller.clone(), until);
        }
        Ok(caller)
    }

    fn challenge(&self) -> String {
        format!("Bearer realm=\"{}\"", self.scheme.realm)
    }

    fn challenge_invalid(&self) -> String {
        format!("Bearer realm=\"{}\", error=\"invalid_token\"", self.scheme.realm)
    }

    fn challenge_scope(&self, scopes: &[&str]) -> String {
        format!("Bearer realm=\"{}\", error=\"insufficient_scope\", scope=\"{}\"", self.scheme.realm, scopes.join(" "))
    }

    fn locations(&self) -> (&'static [CredentialLocation], bool) {
        (self.scheme.locations, self.scheme.forward)
    }
}

impl JwtVerifier {
    /// The caller, and until when (seconds since the epoch) the answer stays the same; `None` where it never expires.
    fn verify(&self, token: &str, now: u64) -> Result<(Caller, Option<u64>), &'static str> {
        let (signed, signature) = token.rsplit_once('.').ok_or("not a compact JWS")?;
        let (header, payload) = signed.split_once('.').ok_or("not a compact JWS")?;
        if payload.contains('.') || header.is_empty() || payload.is_empty() || signature.is_empty() {
            return Err("not a compact JWS");
        }
        self.verify_signature(&json_part(header, "the header is not a JSON object")?, signed, signature)?;
        self.verify_claims(&json_part(payload, "the payload is not a JSON object")?, now)
    }

    fn verify_signature(&self, header: &Map<String, Value>, signed: &str, signature: &str) -> Result<(), &'static str> {
        // `enc` and `zip` belong to JWE, `crit` to extensions that are not understood here (RFC 7515 §4.1.11);
        // a library that handled a token with `enc` as JWE once skipped the signature (CVE-2024-33531).
        if ["b64", "crit", "enc", "zip"].iter().any(|member| header.contains_key(*member)) {
            return Err("the header has b64, crit, enc or zip");
        }
        let algorithm = header.get("alg").and_then(Value::as_str).ok_or("the header has no alg")?;
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.as_str()),
            Some(_) => return Err("kid is not a string"),
        };
        let pinned = |key: &&VerifyingKey| key.algorithms.iter().any(|pinned| pinned.name() == algorithm);
        if !self.keys.iter().any(|key| pinned(&key)) {
            return Err("alg is not accepted");
        }
        // A key without an id of its own (a PEM file, a secret) is for every kid.
        let named = |key: &&VerifyingKey| key_id.is_none() || key.id.is_none() || key.id.as_deref() == key_id;
        for key in self.keys.iter().filter(pinned).filter(named).take(MAX_KEYS_TRIED) {
            let Some(pinned) = key.algorithms.iter().find(|pinned| pinned.name() == algorithm) else { continue };
            if jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &key.key, pinned.implementation())
                .unwrap_or(false)
            {
                return Ok(());
            }
        }
        Err("the signature does not fit a known key")
    }

    fn verify_claims(&self, claims: &Map<String, Value>, now: u64) -> Result<(Caller, Option<u64>), &'static str> {
        for claim in self.scheme.required_claims {
            if claims.get(*claim).is_none_or(Value::is_null) {
                return Err("a required claim is missing");
            }
        }
        let leeway = self.scheme.leeway;
        let expiry = date(claims, "exp")?;
        if expiry.is_some_and(|expiry| expiry.saturating_add(leeway) <= now) {
            return Err("the token has expired");
        }
        if date(claims, "nbf")?.is_some_and(|start| start > now.saturating_add(leeway)) {
            return Err("the token is not valid yet");
        }
        date(claims, "iat")?;
        if !self.scheme.issuers.is_empty()
            && !claims.get("iss").and_then(Value::as_str).is_some_and(|issuer| self.scheme.issuers.contains(&issuer))
        {
            return Err("iss is not accepted");
        }
        if !self.scheme.audiences.is_empty()
            && !strings(claims.get("aud")).any(|audience| self.scheme.audiences.contains(&audience))
        {
            return Err("aud is not accepted");
        }
        let subject = match claims.get("sub") {
            None => "",
            Some(Value::String(subject)) if !subject.is_empty() => subject,
            Some(_) => return Err("sub is not a name"),
        };
        // OAuth's `scope` is one text with blanks (RFC 9068 §2.2.3); others write lists in `scp` or `roles`.
        let words = |claim| claims.get(claim).and_then(Value::as_str).into_iter().flat_map(str::split_ascii_whitespace);
        let lists = ["scope", "scp", "roles"].into_iter().filter_map(|claim| claims.get(claim)?.as_array());
        let listed = lists.flatten().filter_map(Value::as_str);
        let scopes = ["scope", "scp", "roles"].into_iter().flat_map(words).chain(listed).map(Box::from).collect();
        Ok((
            Caller { subject: Arc::from(subject), scopes, identity: None },
            expiry.map(|expiry| expiry.saturating_add(leeway)),
        ))
    }
}

/// What follows `Bearer` and blanks, in any letter case (RFC 9110 §11.1).
fn strip_bearer(value: &str) -> Option<&str> {
    let (scheme, rest) = value.split_at_checked(6)?;
    (scheme.eq_ignore_ascii_case("bearer") && rest.starts_with(' ')).then(|| rest.trim_matches(' '))
}

fn json_part(part: &str, complaint: &'static str) -> Result<Map<String, Value>, &'static str> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| complaint)?;
    serde_json::from_slice(&bytes).map(|UniqueMembers(members)| members).map_err(|_| complaint)
}

/// A JSON object whose members all have different names: of two, two readers could take different ones (RFC 7519 §4).
struct UniqueMembers(Map<String, Value>);

impl<'de> serde::Deserialize<'de> for UniqueMembers {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> serde::de::Visitor<'de> for Members {
            type Value = Map<String, Value>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(serde::de::Error::custom("a member stands twice"));
                    }
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Members).map(Self)
    }
}

/// A NumericDate (RFC 7519 §2) in whole seconds; a text is not a date, however it looks.
fn date(claims: &Map<String, Value>, name: &str) -> Result<Option<u64>, &'static str> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => match (number.as_u64(), number.as_f64()) {
            (Some(seconds), _) => Ok(Some(seconds)),
            (None, Some(seconds)) if seconds >= 0.0 && seconds.is_finite() => Ok(Some(seconds as u64)),
            _ => Err("a date claim is out of range"),
        },
        Some(_) => Err("a date claim is not a number"),
    }
}

fn strings(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let (one, many) = match value {
        Some(Value::String(one)) => (Some(one.as_str()), None),
        Some(Value::Array(many)) => (None, Some(many)),
        _ => (None, None),
    };
    one.into_iter().chain(many.into_iter().flatten().filter_map(Value::as_str))
}

#[cfg(test)]
mod tests;
