//! Credentials that are the same in every request.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::scheme::Resources;
use crate::upstream_auth::prepared::{PreparedCredential, UpstreamCredential};
use crate::upstream_auth::secret_field::{SecretField, SecretFieldError};
use gateway_base::secret::SecretReference;

/// `Authorization: Bearer …` (RFC 6750 §2.1).
#[derive(Debug)]
pub struct BearerCredential {
    /// The token.
    pub token: SecretReference,
}

impl UpstreamCredential for BearerCredential {
    fn prepare(&self, resources: &Resources) -> Result<PreparedCredential, Vec<String>> {
        field(SecretField::of("Authorization", "Bearer ", &self.token, &resources.secrets))
    }
}

/// `Authorization: Basic …` (RFC 7617).
#[derive(Debug)]
pub struct BasicCredential {
    /// The user's name, without a colon.
    pub username: &'static str,
    /// With which password.
    pub password: SecretReference,
}

impl UpstreamCredential for BasicCredential {
    fn prepare(&self, resources: &Resources) -> Result<PreparedCredential, Vec<String>> {
        let password = self.password.resolve(&resources.secrets).map_err(|error| vec![error.to_string()])?;
        let pair = [self.username.as_bytes(), b":", password.expose()].concat();
        let encoded = STANDARD.encode(pair);
        field(SecretField::new("Authorization", "Basic ", encoded.as_bytes()))
    }
}

/// A secret in a field of its own.
#[derive(Debug)]
pub struct HeaderCredential {
    /// The field.
    pub name: &'static str,
    /// The whole value.
    pub value: SecretReference,
}

impl UpstreamCredential for HeaderCredential {
    fn prepare(&self, resources: &Resources) -> Result<PreparedCredential, Vec<String>> {
        field(SecretField::of(self.name, "", &self.value, &resources.secrets))
    }
}

fn field(field: Result<SecretField, SecretFieldError>) -> Result<PreparedCredential, Vec<String>> {
    field.map(PreparedCredential::Field).map_err(|problem| vec![problem.to_string()])
}
