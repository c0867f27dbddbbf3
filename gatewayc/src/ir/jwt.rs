//! How tokens are checked.

use std::time::Duration;

use crate::ir::secret::SecretReference;
pub use gateway_terms::jwt::{JwtAlgorithm, KeyFamily};

/// How a token is checked.
#[derive(Debug, Clone)]
pub struct Jwt {
    /// A header may hold the token without `Bearer `.
    pub bare: bool,
    /// The accepted algorithms, all of one family.
    pub algorithms: Vec<JwtAlgorithm>,
    /// What signatures are checked with.
    pub key: JwtKey,
    /// Claims that must be there.
    pub required_claims: Vec<String>,
    /// Accepted values of `iss`; empty accepts any.
    pub issuers: Vec<String>,
    /// Accepted values of `aud`; empty accepts any.
    pub audiences: Vec<String>,
    /// Accepted values of `client_id` or `azp`; empty accepts any.
    pub client_ids: Vec<String>,
    /// Where scopes are: names of claims, or paths with dots.
    pub scope_claims: Vec<String>,
    /// How far clocks may differ.
    pub leeway: Duration,
    /// Accept an HMAC key below 32 bytes.
    pub weak_secret_ok: bool,
}

/// How a consumer's token is checked.
#[derive(Debug, Clone)]
pub struct ConsumerJwt {
    /// A header may hold the token without `Bearer `.
    pub bare: bool,
    /// The claim that names the credential.
    pub key_claim: String,
    /// Claims that must be there.
    pub required_claims: Vec<String>,
    /// Accepted values of `iss`; empty accepts any.
    pub issuers: Vec<String>,
    /// Accepted values of `aud`; empty accepts any.
    pub audiences: Vec<String>,
    /// How far clocks may differ.
    pub leeway: Duration,
}

/// What signatures are checked with.
#[derive(Debug, Clone)]
pub enum JwtKey {
    /// A shared secret.
    Secret(SecretReference),
    /// A PEM public key.
    PublicKey(SecretReference),
    /// A JSON Web Key Set.
    Jwks(SecretReference),
    /// A JSON Web Key Set that a provider publishes.
    KeySetUrl {
        /// Where.
        url: String,
        /// How often it is fetched.
        refresh: Duration,
    },
    /// The keys that a provider's discovery document leads to; it names the issuer, too.
    Discovery {
        /// Where the document is.
        url: String,
    },
}

/// Where scopes are unless a document says otherwise.
pub const SCOPE_CLAIMS: &[&str] = &["scope", "scp", "roles"];

/// How a provider is asked about a token.
#[derive(Debug, Clone)]
pub struct Introspection {
    /// A header may hold the token without `Bearer `.
    pub bare: bool,
    /// Where.
    pub url: String,
    /// The gateway's client id there.
    pub client_id: String,
    /// With which secret.
    pub client_secret: SecretReference,
    /// How long a positive answer is used.
    pub cache: Duration,
    /// Accepted values of `iss`; empty accepts any.
    pub issuers: Vec<String>,
    /// Accepted values of `aud`; empty accepts any.
    pub audiences: Vec<String>,
    /// Accepted values of `client_id` or `azp`; empty accepts any.
    pub client_ids: Vec<String>,
    /// Where scopes are: names of claims, or paths with dots.
    pub scope_claims: Vec<String>,
}
