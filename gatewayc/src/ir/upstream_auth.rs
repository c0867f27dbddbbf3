//! How the gateway proves to an upstream who it is.

use crate::ir::SecretReference;

/// `upstreamAuth`: what requests carry, and what connections show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamAuth {
    /// What each request carries.
    pub credential: Option<UpstreamCredential>,
    /// What each connection shows (TLS).
    pub certificate: Option<ClientCertificate>,
}

/// A credential of the gateway's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpstreamCredential {
    /// `Authorization: Bearer …` (RFC 6750 §2.1).
    Bearer(SecretReference),
    /// `Authorization: Basic …` (RFC 7617).
    Basic {
        /// The user's name.
        username: String,
        /// With which password.
        password: SecretReference,
    },
    /// A field of its own.
    Header {
        /// Its name.
        name: String,
        /// The whole value.
        value: SecretReference,
    },
    /// A signature over each request (AWS Signature Version 4).
    AwsSigV4(AwsSigV4),
    /// A token that an authorization server gives to the gateway (RFC 6749 §4.4).
    ClientCredentials(ClientCredentials),
}

/// Whose signature, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsSigV4 {
    /// Such as `eu-central-1`.
    pub region: String,
    /// Such as `execute-api`.
    pub service: String,
    /// The id of the key.
    pub access_key: SecretReference,
    /// The key.
    pub secret_key: SecretReference,
    /// Of temporary keys.
    pub session_token: Option<SecretReference>,
}

/// Where the gateway gets a token, and as which client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCredentials {
    /// The token endpoint (RFC 6749 §3.2).
    pub token_url: String,
    /// The gateway's client id there.
    pub client_id: String,
    /// With which secret (`client_secret_basic`, RFC 6749 §2.3.1).
    pub client_secret: SecretReference,
    /// What is asked for; the server's default if empty.
    pub scopes: Vec<String>,
    /// The API that the token is for, where the server asks for one.
    pub audience: Option<String>,
}

/// A certificate with its key, both in PEM format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate, and those between it and a root.
    pub chain: SecretReference,
    /// Its private key.
    pub key: SecretReference,
}

impl UpstreamCredential {
    /// The fields of a request that it writes.
    pub(crate) fn fields(&self) -> Vec<&str> {
        match self {
            Self::Bearer(_) | Self::Basic { .. } | Self::ClientCredentials(_) => vec!["Authorization"],
            Self::Header { name, .. } => vec![name],
            Self::AwsSigV4(_) => {
                vec!["Authorization", "X-Amz-Date", "X-Amz-Content-Sha256", "X-Amz-Security-Token"]
            }
        }
    }
}
