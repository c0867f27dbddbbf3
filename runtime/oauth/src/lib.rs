//! The gateway as OAuth 2.0 authorization server and as the resource server of its own tokens (RFC 6749, RFC 9700).

pub(crate) mod account;
pub(crate) mod admin_key;
pub(crate) mod assertion;
pub(crate) mod attempts;
pub(crate) mod authorize;
pub(crate) mod bearer;
pub(crate) mod client_auth;
pub(crate) mod client_keys;
#[cfg(test)]
mod consumers_file;
pub(crate) mod endpoint;
pub(crate) mod endpoint_request;
pub(crate) mod engine;
pub(crate) mod error;
#[cfg(test)]
pub(crate) mod example;
pub(crate) mod form;
pub(crate) mod login;
pub(crate) mod management;
pub(crate) mod metadata;
pub(crate) mod pages;
pub(crate) mod redirect;
pub(crate) mod registration;
pub mod registry;
pub(crate) mod revoke;
pub mod server;
pub(crate) mod session;
pub(crate) mod signing;
pub mod store;
pub mod tables;
pub mod terms;
pub(crate) mod token;
pub(crate) mod token_cache;

#[cfg(test)]
#[path = "../../../tests/support/basics.rs"]
mod support;
