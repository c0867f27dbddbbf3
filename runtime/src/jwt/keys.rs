//! Keys for signatures: which algorithm each may be used with, and how keys are read.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};

use super::token::Token;

/// An HMAC key shorter than this, in bytes, is refused unless `weakSecretOk` (RFC 7518 §3.2 asks for the hash's size).
pub(crate) const MIN_HMAC_KEY: usize = 32;

/// A token without `kid` is tried against at most this many keys.
const MAX_KEYS_TRIED: usize = 8;

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

impl JwtAlgorithm {
    /// All of them.
    pub(crate) const ALL: [Self; 12] = [
        Self::HS256,
        Self::HS384,
        Self::HS512,
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::EdDSA,
    ];

    /// The value of `alg`.
    pub(crate) fn name(self) -> &'static str {
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

    /// What `jsonwebtoken` calls it.
    pub(super) fn implementation(self) -> Algorithm {
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

    /// Signed and checked with one shared secret.
    pub(crate) fn is_hmac(self) -> bool {
        matches!(self, Self::HS256 | Self::HS384 | Self::HS512)
    }

    pub(super) fn is_rsa(self) -> bool {
        matches!(self, Self::RS256 | Self::RS384 | Self::RS512 | Self::PS256 | Self::PS384 | Self::PS512)
    }

    pub(super) fn is_elliptic_curve(self) -> bool {
        matches!(self, Self::ES256 | Self::ES384)
    }
}

/// A key and the algorithms that it may be used with: never one key for two families.
pub(super) struct VerifyingKey {
    id: Option<String>,
    key: DecodingKey,
    algorithms: Vec<JwtAlgorithm>,
}

/// A JSON Web Key Set, its keys not yet looked at.
#[derive(serde::Deserialize)]
struct KeySet {
    keys: Vec<serde_json::Value>,
}

/// How a PEM key of one kind is read, and which algorithms it is for.
type KeyKind = (fn(&[u8]) -> jsonwebtoken::errors::Result<DecodingKey>, fn(JwtAlgorithm) -> bool);

impl VerifyingKey {
    /// A shared secret.
    ///
    /// # Errors
    /// A secret that is too short to be one.
    pub(super) fn from_secret(
        secret: &[u8],
        algorithms: &[JwtAlgorithm],
        weak_secret_ok: bool,
    ) -> Result<Self, String> {
        let length = secret.len();
        if length < MIN_HMAC_KEY && !weak_secret_ok {
            return Err(format!(
                "the secret has {length} bytes, and an HMAC key needs {MIN_HMAC_KEY}; use a longer one, or write `weakSecretOk: true` beside it"
            ));
        }
        Ok(Self { id: None, key: DecodingKey::from_secret(secret), algorithms: algorithms.to_vec() })
    }

    /// A public key in PEM (RFC 7468), for those of `algorithms` that it fits.
    ///
    /// # Errors
    /// What is not a key for any of them.
    pub(super) fn from_pem(pem: &[u8], algorithms: &[JwtAlgorithm]) -> Result<Self, String> {
        let kinds: [KeyKind; 3] = [
            (DecodingKey::from_rsa_pem, JwtAlgorithm::is_rsa),
            (DecodingKey::from_ec_pem, JwtAlgorithm::is_elliptic_curve),
            (DecodingKey::from_ed_pem, |algorithm| algorithm == JwtAlgorithm::EdDSA),
        ];
        for (parse, fits) in kinds {
            let algorithms: Vec<_> = algorithms.iter().copied().filter(|algorithm| fits(*algorithm)).collect();
            if let (false, Ok(key)) = (algorithms.is_empty(), parse(pem)) {
                return Ok(Self { id: None, key, algorithms });
            }
        }
        Err(format!("the public key is not a PEM key for {}", names(algorithms)))
    }

    /// The keys of a JSON Web Key Set (RFC 7517 §5) that fit one of `algorithms`.
    ///
    /// # Errors
    /// What is not a key set, and a set without any such key.
    pub(super) fn from_set(json: &[u8], algorithms: &[JwtAlgorithm]) -> Result<Vec<Self>, String> {
        let set: KeySet = serde_json::from_slice(json).map_err(|error| {
            format!("the key set is not a JSON Web Key Set (line {}, column {})", error.line(), error.column())
        })?;
        // A key that is not understood is none of our business (§5), and must not cost the others.
        let known = set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
        let keys: Vec<_> = known.filter_map(|jwk| Self::from_jwk(&jwk, algorithms)).collect();
        if keys.is_empty() {
            return Err(format!("the key set has no key for {}", names(algorithms)));
        }
        Ok(keys)
    }

    /// A key that is for signatures and fits a pinned algorithm; others in the set are none of our business.
    fn from_jwk(jwk: &Jwk, algorithms: &[JwtAlgorithm]) -> Option<Self> {
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
        let algorithms: Vec<_> = algorithms
            .iter()
            .copied()
            .filter(fits)
            .filter(|algorithm| stated.as_deref().is_none_or(|stated| stated == algorithm.name()))
            .collect();
        if algorithms.is_empty() {
            return None;
        }
        Some(Self { id: jwk.common.key_id.clone(), key: DecodingKey::from_jwk(jwk).ok()?, algorithms })
    }

    /// Whether this key made the token's signature with an algorithm that is pinned for it.
    pub(super) fn fits(&self, token: &Token<'_>) -> bool {
        let Some(pinned) = self.algorithms.iter().find(|pinned| pinned.name() == token.algorithm()) else {
            return false;
        };
        self.made(token.signed, token.signature, *pinned)
    }

    /// Whether this key made `signature` (base64url) over `signed`. A signature that is not even one did not.
    pub(super) fn made(&self, signed: &str, signature: &str, algorithm: JwtAlgorithm) -> bool {
        jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &self.key, algorithm.implementation())
            .unwrap_or(false)
    }

    fn is_pinned_for(&self, token: &Token<'_>) -> bool {
        self.algorithms.iter().any(|pinned| pinned.name() == token.algorithm())
    }

    /// A key without an id of its own (a PEM file, a secret) is for every `kid`.
    fn is_named_by(&self, token: &Token<'_>) -> bool {
        token.key_id().is_none() || self.id.is_none() || self.id.as_deref() == token.key_id()
    }
}

/// Whether one of `keys` is the one that a token names; a token that names none may be meant for any.
pub(super) fn is_known(keys: &[VerifyingKey], token: &Token<'_>) -> bool {
    token.key_id().is_some() && keys.iter().any(|key| key.is_pinned_for(token) && key.is_named_by(token))
}

/// Checks that one of `keys` made the token's signature.
///
/// # Errors
/// Why not, for the log.
pub(super) fn verify_signature(keys: &[VerifyingKey], token: &Token<'_>) -> Result<(), &'static str> {
    let mut pinned = keys.iter().filter(|key| key.is_pinned_for(token)).peekable();
    if pinned.peek().is_none() {
        return Err("alg is not accepted");
    }
    let mut named = pinned.filter(|key| key.is_named_by(token)).peekable();
    if named.peek().is_none() {
        return Err("unknown key");
    }
    if named.take(MAX_KEYS_TRIED).any(|key| key.fits(token)) {
        Ok(())
    } else {
        Err("the signature does not fit a known key")
    }
}

fn names(algorithms: &[JwtAlgorithm]) -> String {
    algorithms.iter().map(|algorithm| algorithm.name()).collect::<Vec<_>>().join(", ")
}
