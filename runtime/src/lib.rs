//! The parts of a compiled API gateway: listeners, routing, authentication, proxying.
//!
//! This crate knows nothing of OpenAPI. The compiler turns documents into tables of the types in [`codegen`], and
//! [`main`] serves them. ARCHITECTURE.md tells how a request goes through the modules.

// Standard error may be closed or full: what operators are told goes through `operator_log`.
#![cfg_attr(not(test), warn(clippy::print_stderr))]

#[macro_use]
mod operator_log;

mod access;
mod access_log;
mod acme;
mod admin;
mod admission;
mod api_key;
mod basic;
mod builtin;
mod cli;
pub mod codegen;
mod config;
mod connection;
mod connector;
mod consumers;
mod contested;
mod credential;
mod deadline;
mod digest;
mod downstream;
mod exchange;
mod failed_authentication;
mod failure_windows;
mod field_lines;
#[cfg(fuzzing)]
pub mod fuzzing;
mod handover;
mod head_writer;
mod hmac;
mod http1;
mod http2;
mod https;
mod jwt;
mod key_format;
mod launch;
mod limits;
mod live;
mod locations;
mod metrics;
mod mutual_tls;
mod oauth;
mod password;
mod pipeline;
mod process;
mod provider;
mod reject;
mod response;
mod rewrite;
mod route_table;
mod rules;
mod secret;
mod server;
mod static_files;
mod store;
mod supervise;
#[cfg(test)]
#[path = "../../tests/support/basics.rs"]
mod support;
mod timestamp;
mod tls;
mod token_keys;
mod trace;
mod trust;
mod upstream;
mod worker;

pub use cli::{Command, main, main_with};
pub use launch::{Launch, Ready};
pub use operator_log::show;
pub use route_table::route_table;
