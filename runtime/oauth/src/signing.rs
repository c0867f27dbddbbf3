//! Signs access tokens that are JWTs (RFC 9068), and publishes the public key (RFC 7517).

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use gateway_base::digest::Digest;

/// Why a key cannot sign tokens. The message does not quote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum SigningKeyError {
    /// The text is not a private key of a supported type.
    #[error("the signing key is not a private key in PEM (PKCS #8, `BEGIN PRIVATE KEY`): RSA or P-256")]
    Pem,
    /// The store has random bytes that stand for no key.
    #[error("the store's seed is no private key")]
    Seed,
    /// The public half of the key cannot be published.
    #[error("the signing key cannot be used")]
    PublicKey,
}

/// The key of an authorization server.
pub(super) struct Signer {
    /// The first part of each token.
    header: String,
    key: PrivateKey,
    /// The public half, as a JSON Web Key.
    pub(super) public: Value,
}

/// Read once: to read a key and to check it takes longer than to sign with it.
enum PrivateKey {
    P256(EcdsaKeyPair),
    Rsa(rsa::KeyPair),
}

impl PrivateKey {
    /// The value of `alg` (RFC 7518 §3.1).
    fn algorithm(&self) -> &'static str {
        match self {
            Self::P256(_) => "ES256",
            Self::Rsa(_) => "RS256",
        }
    }
}

impl Signer {
    /// A private key in PEM (PKCS #8): RSA of 2,048 bits or more for RS256, P-256 for ES256.
    ///
    /// # Errors
    /// It is none.
    pub(super) fn from_pem(pem: &[u8]) -> Result<Self, SigningKeyError> {
        let text = std::str::from_utf8(pem).map_err(|_| SigningKeyError::Pem)?;
        let body = text
            .split_once("-----BEGIN PRIVATE KEY-----")
            .and_then(|(_, rest)| rest.split_once("-----END PRIVATE KEY-----"))
            .ok_or(SigningKeyError::Pem)?;
        let body: String = body.0.chars().filter(|character| !character.is_ascii_whitespace()).collect();
        let der = STANDARD.decode(body).map_err(|_| SigningKeyError::Pem)?;
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der) {
            return Self::of_curve(pair);
        }
        let pair = rsa::KeyPair::from_pkcs8(&der).map_err(|_| SigningKeyError::Pem)?;
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let public = pair.public_key();
        let (modulus, exponent) = (public.modulus(), public.exponent());
        let (n, e) =
            (number(modulus.big_endian_without_leading_zero()), number(exponent.big_endian_without_leading_zero()));
        // RFC 7638 §3: these members, in this order, without blanks.
        let id = thumbprint(&format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#));
        let public = json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": id, "n": n, "e": e});
        Ok(Self::new(PrivateKey::Rsa(pair), &id, public))
    }

    /// The P-256 key that these random bytes stand for: the same bytes, the same key.
    ///
    /// # Errors
    /// They stand for none.
    pub(super) fn from_seed(seed: &[u8; 32]) -> Result<Self, SigningKeyError> {
        // ECPrivateKey (RFC 5915 §3) without the public half, which follows from the private one.
        let mut der = vec![0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20];
        der.extend_from_slice(seed);
        der.extend_from_slice(&[0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]);
        let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, &der)
            .map_err(|_| SigningKeyError::Seed)?;
        Self::of_curve(pair)
    }

    fn of_curve(pair: EcdsaKeyPair) -> Result<Self, SigningKeyError> {
        let point = pair.public_key().as_ref();
        // SEC 1 §2.3.3: uncompressed.
        let (Some(4), 65) = (point.first(), point.len()) else { return Err(SigningKeyError::PublicKey) };
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        let id = thumbprint(&format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#));
        let public = json!({"kty": "EC", "use": "sig", "alg": "ES256", "kid": id, "crv": "P-256", "x": x, "y": y});
        Ok(Self::new(PrivateKey::P256(pair), &id, public))
    }

    fn new(key: PrivateKey, id: &str, public: Value) -> Self {
        let header = json!({"typ": "at+jwt", "alg": key.algorithm(), "kid": id});
        Self { header: URL_SAFE_NO_PAD.encode(header.to_string()), key, public }
    }

    /// An access token with these claims (RFC 9068 §2), in the compact serialization (RFC 7515 §7.1).
    ///
    /// # Errors
    /// It cannot be signed, as without random numbers.
    pub(super) fn sign(&self, claims: &Map<String, Value>) -> Result<String, Unspecified> {
        let claims = serde_json::to_vec(claims).map_err(|_| Unspecified)?;
        let mut token = format!("{}.{}", self.header, URL_SAFE_NO_PAD.encode(claims));
        let random = SystemRandom::new();
        let signature = match &self.key {
            PrivateKey::P256(pair) => URL_SAFE_NO_PAD.encode(pair.sign(&random, token.as_bytes())?),
            PrivateKey::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, token.as_bytes(), &mut signature)?;
                URL_SAFE_NO_PAD.encode(signature)
            }
        };
        token.push('.');
        token.push_str(&signature);
        Ok(token)
    }
}

fn thumbprint(canonical: &str) -> String {
    URL_SAFE_NO_PAD.encode(Digest::of(canonical.as_bytes()).bytes())
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::jwk::Jwk;
    use jsonwebtoken::{Algorithm, DecodingKey, Validation};

    use super::*;

    fn check(signer: &Signer, algorithm: Algorithm) {
        let mut claims = Map::new();
        claims.insert("sub".to_owned(), "bob".into());
        let token = signer.sign(&claims).expect("signed");
        let jwk: Jwk = serde_json::from_value(signer.public.clone()).expect("a JWK");
        let mut validation = Validation::new(algorithm);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        let key = DecodingKey::from_jwk(&jwk).expect("a key");
        let found = jsonwebtoken::decode::<Map<String, Value>>(&token, &key, &validation).expect("good");
        assert_eq!((found.header.typ.as_deref(), found.claims), (Some("at+jwt"), claims));
        assert_eq!(found.header.kid.as_deref(), signer.public["kid"].as_str());
        assert!(!signer.public.to_string().contains("\"d\""), "{}", signer.public);
    }

    #[test]
    fn keys_of_both_kinds_sign() {
        let ours = Signer::from_seed(&[7; 32]).expect("a key");
        check(&ours, Algorithm::ES256);
        assert_eq!(ours.public, Signer::from_seed(&[7; 32]).expect("a key").public, "the same seed, the same key");
        assert_ne!(ours.public, Signer::from_seed(&[8; 32]).expect("a key").public);
        assert_eq!(Signer::from_seed(&[0; 32]).err(), Some(SigningKeyError::Seed), "zero is no key");
        let rsa = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).expect("a key");
        let der = aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::Pkcs8V1Der>::as_der(&rsa).expect("encoded");
        let pem =
            format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der.as_ref()));
        check(&Signer::from_pem(pem.as_bytes()).expect("read"), Algorithm::RS256);
    }

    #[test]
    fn text_without_a_private_key_is_refused() {
        for bad in ["", "a secret", "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----"] {
            assert_eq!(Signer::from_pem(bad.as_bytes()).err(), Some(SigningKeyError::Pem), "{bad}");
        }
    }
}
