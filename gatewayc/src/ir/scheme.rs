//! Security schemes: what proves who calls.

use crate::ir::hmac::Hmac;
use crate::ir::jwt::{ConsumerJwt, Introspection, Jwt};
use crate::ir::limit::FailureLimit;
use crate::ir::location::CredentialLocation;
use crate::ir::oauth::LoginSession;

/// How a caller proves who it is.
#[derive(Debug, Clone)]
pub struct Scheme {
    /// The name in `components.securitySchemes`.
    pub name: String,
    /// Where the credential may stand.
    pub locations: Vec<CredentialLocation>,
    /// `realm` of the challenge.
    pub realm: String,
    /// The upstream sees the credential.
    pub forward: bool,
    /// What the credential is.
    pub credential: Credential,
    /// How many wrong ones are checked.
    pub failures: Option<FailureLimit>,
}

/// Kinds of credential.
#[derive(Debug, Clone)]
pub enum Credential {
    /// A key that names a consumer.
    ApiKey,
    /// User name and password of a consumer.
    Basic,
    /// A JWT signed with a known key.
    Jwt(Box<Jwt>),
    /// A JWT signed by a consumer.
    ConsumerJwt(Box<ConsumerJwt>),
    /// A consumer's signature over the request.
    Hmac(Box<Hmac>),
    /// A certificate of a consumer's own.
    Certificate,
    /// A token that only its provider understands.
    Introspection(Box<Introspection>),
    /// A token that the document's authorization server gave.
    OwnToken,
    /// A session of a user who has logged in.
    Session(LoginSession),
    /// The key of the deployment's administrators.
    AdminKey,
}

impl Scheme {
    /// What a reviewer calls the kind of credential.
    pub fn kind(&self) -> &'static str {
        match self.credential {
            Credential::ApiKey => "api key",
            Credential::Basic => "basic",
            Credential::Jwt(_) => "jwt",
            Credential::ConsumerJwt(_) => "consumer jwt",
            Credential::Hmac(_) => "hmac",
            Credential::Certificate => "certificate",
            Credential::Introspection(_) => "token",
            Credential::OwnToken => "own token",
            Credential::Session(_) => "session",
            Credential::AdminKey => "admin key",
        }
    }

    /// Whether it identifies the consumer.
    pub fn knows_consumers(&self) -> bool {
        match self.credential {
            Credential::ApiKey
            | Credential::Basic
            | Credential::ConsumerJwt(_)
            | Credential::Hmac(_)
            | Credential::Certificate => true,
            Credential::Jwt(_)
            | Credential::Introspection(_)
            | Credential::OwnToken
            | Credential::Session(_)
            | Credential::AdminKey => false,
        }
    }
}
