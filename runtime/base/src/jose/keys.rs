//! Keys for signatures: which algorithm each may be used with, and how keys are read.

use aws_lc_rs::signature::{ECDSA_P521_SHA512_FIXED, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;

use crate::jose::token::Token;
pub use gateway_terms::jwt::JwtAlgorithm;

/// A token without `kid` is tried against at most this many keys.
const MAX_KEYS_TRIED: usize = 8;

/// What `jsonwebtoken` calls an algorithm, if it knows it.
fn implementation(algorithm: JwtAlgorithm) -> Option<Algorithm> {
    Some(match algorithm {
        JwtAlgorithm::HS256 => Algorithm::HS256,
        JwtAlgorithm::HS384 => Algorithm::HS384,
        JwtAlgorithm::HS512 => Algorithm::HS512,
        JwtAlgorithm::RS256 => Algorithm::RS256,
        JwtAlgorithm::RS384 => Algorithm::RS384,
        JwtAlgorithm::RS512 => Algorithm::RS512,
        JwtAlgorithm::PS256 => Algorithm::PS256,
        JwtAlgorithm::PS384 => Algorithm::PS384,
        JwtAlgorithm::PS512 => Algorithm::PS512,
        JwtAlgorithm::ES256 => Algorithm::ES256,
        JwtAlgorithm::ES384 => Algorithm::ES384,
        JwtAlgorithm::ES512 => return None,
        JwtAlgorithm::EdDSA | JwtAlgorithm::Ed25519 => Algorithm::EdDSA,
    })
}

/// What `jsonwebtoken` signs with so that the header has the name of this algorithm, if it can.
pub fn signer_of(algorithm: JwtAlgorithm) -> Option<Algorithm> {
    implementation(algorithm).filter(|_| algorithm != JwtAlgorithm::Ed25519)
}

/// Why a key cannot be used. Neither the message nor `Debug` quotes the key, and no cause is kept that might.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A shared secret has fewer bytes than this algorithm needs (RFC 7518 §3.2).
    #[error(
        "the secret has {length} bytes, and {} needs {}; use a longer one, or write `weakSecretOk: true` beside it",
        algorithm.name(),
        algorithm.min_secret()
    )]
    ShortSecret {
        /// The bytes of the secret.
        length: usize,
        /// The algorithm that needs most.
        algorithm: JwtAlgorithm,
    },
    /// The text is not a public key in PEM for any of these algorithms.
    #[error("the public key is not a PEM key for {}", names(.0))]
    PublicKey(Vec<JwtAlgorithm>),
    /// The text is not a private key in PEM for this algorithm.
    #[error("the private key is not a PEM key for {}", .0.name())]
    PrivateKey(JwtAlgorithm),
    /// The key cannot make signatures of this algorithm.
    #[error("the key cannot sign with {}", .0.name())]
    CannotSign(JwtAlgorithm),
    /// The text is not a JSON Web Key Set (RFC 7517 §5), from this place on.
    #[error("the key set is not a JSON Web Key Set (line {line}, column {column})")]
    KeySet {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// The set has no key for any of these algorithms.
    #[error("the key set has no key for {}", names(.0))]
    NoKeyInSet(Vec<JwtAlgorithm>),
}

/// A key and the algorithms that it may be used with: never one key for two families.
pub struct VerifyingKey {
    id: Option<String>,
    key: KeyMaterial,
    algorithms: Vec<JwtAlgorithm>,
}

/// What signatures are checked with.
enum KeyMaterial {
    Known(DecodingKey),
    /// On the curve P-521, which `jsonwebtoken` does not know: a point, or a SubjectPublicKeyInfo.
    P521(Vec<u8>),
}

/// A JSON Web Key Set, its keys not yet read.
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
    pub fn from_secret(secret: &[u8], algorithms: &[JwtAlgorithm], weak_secret_ok: bool) -> Result<Self, KeyError> {
        let length = secret.len();
        let longest = algorithms.iter().max_by_key(|algorithm| algorithm.min_secret());
        if let Some(algorithm) = longest.filter(|algorithm| length < algorithm.min_secret() && !weak_secret_ok) {
            return Err(KeyError::ShortSecret { length, algorithm: *algorithm });
        }
        let key = KeyMaterial::Known(DecodingKey::from_secret(secret));
        Ok(Self { id: None, key, algorithms: algorithms.to_vec() })
    }

    /// A public key in PEM (RFC 7468), for those of `algorithms` that it fits.
    ///
    /// # Errors
    /// What is not a key for any of them.
    pub fn from_pem(pem: &[u8], algorithms: &[JwtAlgorithm]) -> Result<Self, KeyError> {
        let kinds: [KeyKind; 3] = [
            (DecodingKey::from_rsa_pem, JwtAlgorithm::is_rsa),
            (DecodingKey::from_ec_pem, JwtAlgorithm::is_elliptic_curve),
            (DecodingKey::from_ed_pem, |algorithm| matches!(algorithm, JwtAlgorithm::EdDSA | JwtAlgorithm::Ed25519)),
        ];
        if algorithms.contains(&JwtAlgorithm::ES512)
            && let Some(key) = p521_of_pem(pem)
        {
            return Ok(Self { id: None, key: KeyMaterial::P521(key), algorithms: vec![JwtAlgorithm::ES512] });
        }
        for (parse, fits) in kinds {
            let algorithms: Vec<_> = algorithms.iter().copied().filter(|algorithm| fits(*algorithm)).collect();
            if let (false, Ok(key)) = (algorithms.is_empty(), parse(pem)) {
                return Ok(Self { id: None, key: KeyMaterial::Known(key), algorithms });
            }
        }
        Err(KeyError::PublicKey(algorithms.to_vec()))
    }

    /// The keys of a JSON Web Key Set (RFC 7517 §5) that fit one of `algorithms`.
    ///
    /// # Errors
    /// What is not a key set, and a set without any such key.
    pub fn from_set(json: &[u8], algorithms: &[JwtAlgorithm]) -> Result<Vec<Self>, KeyError> {
        let set: KeySet = serde_json::from_slice(json)
            .map_err(|error| KeyError::KeySet { line: error.line(), column: error.column() })?;
        // A key that is not understood is none of our business (§5), and must not cost the others.
        let keys: Vec<_> = set.keys.iter().filter_map(|jwk| Self::from_jwk(jwk, algorithms)).collect();
        if keys.is_empty() {
            return Err(KeyError::NoKeyInSet(algorithms.to_vec()));
        }
        Ok(keys)
    }

    /// A key that is for signatures and fits a pinned algorithm; others in the set are none of our business.
    fn from_jwk(value: &Value, algorithms: &[JwtAlgorithm]) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
        let common = &jwk.common;
        let is_for_signatures = common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature)
            && common.key_operations.as_ref().is_none_or(|uses| uses.contains(&KeyOperations::Verify));
        if !is_for_signatures {
            return None;
        }
        let fits = |algorithm: &JwtAlgorithm| match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => algorithm.is_rsa(),
            AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
                EllipticCurve::P256 => *algorithm == JwtAlgorithm::ES256,
                EllipticCurve::P384 => *algorithm == JwtAlgorithm::ES384,
                EllipticCurve::P521 => *algorithm == JwtAlgorithm::ES512,
                _ => false,
            },
            AlgorithmParameters::OctetKeyPair(pair) => {
                pair.curve == EllipticCurve::Ed25519 && matches!(algorithm, JwtAlgorithm::EdDSA | JwtAlgorithm::Ed25519)
            }
            AlgorithmParameters::OctetKey(key) => {
                let length = URL_SAFE_NO_PAD.decode(&key.value).map_or(0, |secret| secret.len());
                algorithm.is_hmac() && length >= algorithm.min_secret()
            }
            _ => false,
        };
        // The library does not know the names of all algorithms.
        let stated = value.get("alg").and_then(Value::as_str);
        let is_stated = |algorithm: &JwtAlgorithm| match stated {
            None => true,
            // RFC 9864 §3: the older name means Ed25519 as well.
            Some("EdDSA") => matches!(algorithm, JwtAlgorithm::EdDSA | JwtAlgorithm::Ed25519),
            Some(stated) => stated == algorithm.name(),
        };
        let algorithms: Vec<_> = algorithms.iter().copied().filter(fits).filter(is_stated).collect();
        if algorithms.is_empty() {
            return None;
        }
        let key = match &jwk.algorithm {
            AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P521 => {
                let [x, y] = [&curve.x, &curve.y].map(|text| URL_SAFE_NO_PAD.decode(text).ok());
                KeyMaterial::P521([&[4][..], &x?, &y?].concat())
            }
            _ => KeyMaterial::Known(DecodingKey::from_jwk(&jwk).ok()?),
        };
        Some(Self { id: common.key_id.clone(), key, algorithms })
    }

    /// Whether this key made the token's signature with an algorithm that is pinned for it.
    pub(super) fn fits(&self, token: &Token<'_>) -> bool {
        let Some(pinned) = self.algorithms.iter().find(|pinned| pinned.name() == token.algorithm()) else {
            return false;
        };
        self.made(token.signed, token.signature, *pinned)
    }

    /// Whether this key made `signature` (base64url) over `signed`. A signature that is not even one did not.
    pub fn made(&self, signed: &str, signature: &str, algorithm: JwtAlgorithm) -> bool {
        match (&self.key, implementation(algorithm)) {
            (KeyMaterial::Known(key), Some(algorithm)) => {
                jsonwebtoken::crypto::verify(signature, signed.as_bytes(), key, algorithm).unwrap_or(false)
            }
            (KeyMaterial::P521(key), None) => {
                let key = UnparsedPublicKey::new(&ECDSA_P521_SHA512_FIXED, key);
                URL_SAFE_NO_PAD.decode(signature).is_ok_and(|bytes| key.verify(signed.as_bytes(), &bytes).is_ok())
            }
            _ => false,
        }
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
pub fn is_known(keys: &[VerifyingKey], token: &Token<'_>) -> bool {
    token.key_id().is_some() && keys.iter().any(|key| key.is_pinned_for(token) && key.is_named_by(token))
}

/// Checks that one of `keys` made the token's signature.
///
/// # Errors
/// Why not, for the log.
pub fn verify_signature(keys: &[VerifyingKey], token: &Token<'_>) -> Result<(), &'static str> {
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

/// The key in a PEM public key, if it is on the curve P-521.
fn p521_of_pem(pem: &[u8]) -> Option<Vec<u8>> {
    /// The object identifier secp521r1 (RFC 5480 §2.1.1.1) in DER.
    const SECP521R1: [u8; 7] = [6, 5, 0x2b, 0x81, 4, 0, 0x23];
    let key = SubjectPublicKeyInfoDer::from_pem_slice(pem).ok()?;
    let algorithm = key.as_ref().get(..32)?;
    algorithm.windows(SECP521R1.len()).any(|window| window == SECP521R1).then(|| key.as_ref().to_vec())
}

fn names(algorithms: &[JwtAlgorithm]) -> String {
    algorithms.iter().map(|algorithm| algorithm.name()).collect::<Vec<_>>().join(", ")
}
