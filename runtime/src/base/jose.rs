//! JSON Web Tokens and their keys (RFC 7515, RFC 7517, RFC 7519).

pub(crate) mod keys;
pub(crate) mod token;
pub(crate) mod token_keys;
