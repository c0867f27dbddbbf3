//! How the gateway proves to upstreams who it is: a secret that every request carries, a token that is fetched, a
//! signature over each request.

pub mod client_credentials;
pub mod credentials;
pub mod prepared;
pub mod secret_field;
pub mod sigv4;

use gateway_base::secret::SecretReference;

pub use prepared::{NoToken, PreparedCredential, RequestSigner, RequestToSign, TokenSource, UpstreamCredential};
pub use secret_field::SecretField;

/// What a document says about it; inert, and shared by every start.
#[derive(Debug, Clone, Copy)]
pub struct UpstreamAuth {
    /// What each request carries.
    pub credential: Option<&'static dyn UpstreamCredential>,
    /// What each connection shows (TLS).
    pub certificate: Option<ClientCertificate>,
}

/// A certificate with its private key, both in PEM format.
#[derive(Debug, Clone, Copy)]
pub struct ClientCertificate {
    /// The certificate, and those between it and a root.
    pub chain: SecretReference,
    /// Its private key.
    pub key: SecretReference,
}
