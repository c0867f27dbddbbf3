//! JSON Web Tokens and their keys (RFC 7515, RFC 7517, RFC 7519).

pub mod keys;
pub mod token;
pub mod token_keys;
