//! Responses that are stored and used again: a shared cache in memory (RFC 9111).
//!
//! What is here knows no sockets: what a response says about its storage (`freshness`), which request it answers (`key`,
//! `conditions`), where it is kept (`store`), who fetches it (`flights`), and what the client is told (`status`). The step
//! that asks and waits is `pipeline/cached.rs`; `tap` copies a response on its way to the client.

pub(crate) mod conditions;
pub(crate) mod directives;
pub(crate) mod flight;
pub(crate) mod flights;
pub(crate) mod freshness;
pub(crate) mod key;
pub(crate) mod lines;
pub(crate) mod purge;
pub(crate) mod request;
mod shard;
pub(crate) mod status;
pub(crate) mod store;
pub(crate) mod tap;
#[cfg(test)]
mod tests;

pub use store::ResponseCache;
