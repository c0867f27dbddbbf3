//! The gateway as OAuth 2.0 authorization server and as the resource server of its own tokens (RFC 6749, RFC 9700).

mod account;
mod admin_key;
mod assertion;
mod attempts;
pub(crate) mod authority;
mod authorize;
mod bearer;
mod believed;
mod client_auth;
pub(crate) mod client_metadata;
mod endpoint;
mod error;
mod form;
mod login;
mod management;
mod metadata;
mod pages;
pub(crate) mod random;
mod redirect;
mod registration;
pub(crate) mod registry;
mod revoke;
mod server;
mod session;
mod signing;
pub(crate) mod store;
mod tables;
pub(crate) mod terms;
mod token;

pub use tables::{
    AccessTokenTerms, AdminKey, AuthorizationServer, ClientPath, Endpoint, EndpointPaths, Grant, LoginSession,
    OauthEndpoint, OwnToken, PkceRequirement, RefreshTokenTerms, Registry, RegistryAction, Resource, Scope,
    TokenFormat,
};

pub(crate) use authority::Authority;
pub(crate) use server::Oauth;
