//! The life of a request: listeners, connections, pipeline, upstreams.

pub(crate) mod access_log;
pub(crate) mod admission;
pub(crate) mod connection;
pub(crate) mod contested;
pub(crate) mod deployment;
pub(crate) mod exchange;
pub(crate) mod handover;
pub(crate) mod http2;
pub(crate) mod https;
pub(crate) mod metrics;
pub(crate) mod pipeline;
pub(crate) mod rewrite;
pub(crate) mod rule_pattern;
pub(crate) mod rules;
pub(crate) mod server;
pub(crate) mod settings;
pub(crate) mod static_files;
pub(crate) mod tables;
pub(crate) mod thread;
pub(crate) mod trace;
pub(crate) mod upstream;
pub(crate) mod views;
pub(crate) mod worker;
