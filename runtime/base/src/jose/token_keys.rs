//! Keys that belong to tokens of consumers, behind an interface: only a gateway that takes such tokens links what reads,
//! checks and makes them.

use std::fmt;

use crate::jose::keys::{JwtAlgorithm, KeyError};

/// Reads keys.
pub trait TokenKeys: fmt::Debug + Sync {
    /// The key that checks signatures: a secret for HMAC algorithms, a public key in PEM for all others.
    ///
    /// # Errors
    /// What is wrong with the key, without quoting it.
    fn verifying(&self, algorithm: JwtAlgorithm, key: &[u8]) -> Result<Box<dyn TokenVerifier>, KeyError>;

    /// The key that makes signatures: a secret for HMAC algorithms, a private key in PEM for all others.
    ///
    /// # Errors
    /// What is wrong with the key, without quoting it.
    fn signing(&self, algorithm: JwtAlgorithm, key: &[u8]) -> Result<Box<dyn TokenSigner>, KeyError>;
}

/// Checks the signatures of one credential.
pub trait TokenVerifier: Send + Sync {
    /// Whether `signature` (base64url) is this credential's signature over `signed`.
    fn verify(&self, signed: &str, signature: &str) -> bool;
}

/// Signs tokens for one credential.
pub trait TokenSigner: Send + Sync {
    /// A compact JWS (RFC 7515 §7.1) with these claims, a JSON object.
    ///
    /// # Errors
    /// The key cannot sign after all.
    fn sign(&self, claims: &serde_json::Map<String, serde_json::Value>) -> Result<String, KeyError>;
}
