//! The life of a request: listeners, connections, pipeline, upstreams.

pub mod access_log;
pub mod admission;
pub mod body_memory;
pub mod browsers;
pub mod cache;
pub mod compression;
pub(crate) mod connection;
pub mod contested;
pub mod deployment;
pub(crate) mod exchange;
pub mod handover;
pub(crate) mod http2;
pub mod https;
pub mod metrics;
pub(crate) mod mirror;
pub mod mock;
pub(crate) mod pipeline;
pub(crate) mod proxy_protocol;
pub mod rewrite;
pub mod rule_pattern;
pub(crate) mod rules;
pub mod server;
pub mod settings;
#[cfg(fuzzing)]
pub mod sockless;
pub mod split;
pub mod static_files;
pub mod tables;
pub(crate) mod thread;
pub(crate) mod trace;
pub mod upstream;
pub mod views;
pub(crate) mod worker;

#[cfg(test)]
#[path = "../../../tests/support/silent.rs"]
mod silent;
