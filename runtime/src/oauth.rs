//! The gateway as OAuth 2.0 authorization server and as the resource server of its own tokens (RFC 6749, RFC 9700).

pub(crate) mod authority;
pub(crate) mod registry;
pub(crate) mod store;
mod tables;

pub use tables::{
    AccessTokenTerms, AdminKey, AuthorizationServer, Endpoint, EndpointPaths, Grant, LoginSession, OauthEndpoint,
    OwnToken, PkceRequirement, RefreshTokenTerms, Registry, RegistryAction, Scope, TokenFormat,
};

pub(crate) use authority::Authority;

use crate::access::{Authenticator, Resources, Scheme};
use crate::builtin::{Builtin, PreparedBuiltin};

impl Builtin for OauthEndpoint {
    fn name(&self) -> &'static str {
        "oauth"
    }

    fn prepare(&self, _: &Resources) -> Result<Box<dyn PreparedBuiltin>, Vec<String>> {
        Err(vec![])
    }

    fn authority(&self) -> Option<Authority> {
        Some(Authority::of(self.server))
    }
}

impl Builtin for Registry {
    fn name(&self) -> &'static str {
        "registry"
    }

    fn prepare(&self, _: &Resources) -> Result<Box<dyn PreparedBuiltin>, Vec<String>> {
        Err(vec![])
    }

    fn authority(&self) -> Option<Authority> {
        Some(Authority::of(self.server))
    }
}

impl Scheme for OwnToken {
    fn name(&self) -> &'static str {
        self.name
    }

    fn prepare(&self, _: &Resources) -> Result<Box<dyn Authenticator>, Vec<String>> {
        Err(vec![])
    }

    fn authority(&self) -> Option<Authority> {
        Some(Authority::of(self.server))
    }
}

impl Scheme for LoginSession {
    fn name(&self) -> &'static str {
        self.name
    }

    fn prepare(&self, _: &Resources) -> Result<Box<dyn Authenticator>, Vec<String>> {
        Err(vec![])
    }

    fn authority(&self) -> Option<Authority> {
        Some(Authority::of(self.server))
    }
}

impl Scheme for AdminKey {
    fn name(&self) -> &'static str {
        self.name
    }

    fn prepare(&self, _: &Resources) -> Result<Box<dyn Authenticator>, Vec<String>> {
        Err(vec![])
    }
}
