//! JSON Web Tokens as credentials: compact JWS only (RFC 7515), with pinned algorithms (RFC 8725 §3.1).

pub mod bearer;
pub mod cache;
pub mod consumer;
pub(crate) mod denial;
pub(crate) mod ring;
pub mod sign;
pub mod token;
