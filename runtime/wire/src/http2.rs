//! The codec of HTTP/2: frames, fields, bodies, and connections to upstreams.

pub mod body;
pub mod client;
pub mod errors;
pub mod fields;
pub mod frames;
pub(crate) mod hpack;
