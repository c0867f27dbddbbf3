//! A compiled API gateway: its command line and settings, and the crates below it put together.
//!
//! This crate knows nothing of OpenAPI. The compiler turns documents into tables of the types in [`codegen`], and
//! [`main`] serves them. ARCHITECTURE.md describes how a request goes through the crates.

// Standard error may be closed or full: messages for operators go through `operator_log`.
#![cfg_attr(not(test), warn(clippy::print_stderr))]

pub(crate) mod admin;
pub(crate) mod assemble;
pub(crate) mod cli;
pub mod codegen;
pub(crate) mod config;
mod document_needs;
pub(crate) mod exposition;
pub(crate) mod features;
#[cfg(fuzzing)]
pub mod fuzzing;
pub(crate) mod launch;
pub mod optional;
pub(crate) mod route_table;

pub use cli::{Command, LaunchArguments, main, main_with};
pub use gateway_base::operator_log::show;
pub use launch::live::{LiveTables, Replacements};
pub use launch::{Examined, Launch, Ready, UpstreamAddress};
pub use route_table::route_table;
