//! JSON Web Tokens as credentials: compact JWS only (RFC 7515), with pinned algorithms (RFC 8725 §3.1).

pub(crate) mod bearer;
pub(crate) mod cache;
pub(crate) mod challenge;
pub(crate) mod consumer;
pub(crate) mod ring;
pub(crate) mod sign;
pub(crate) mod token;
