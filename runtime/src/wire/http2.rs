//! The codec of HTTP/2: frames, fields, bodies, and connections to upstreams.

pub(crate) mod body;
pub(crate) mod client;
pub(crate) mod errors;
pub(crate) mod fields;
pub(crate) mod frames;
pub(crate) mod hpack;
