//! Rate limits: what a request is charged to, what its response says of that, and how long it waits.

pub mod algorithm;
pub(crate) mod charge;
pub mod counters;
pub mod failure_windows;
pub(crate) mod lease;
pub mod outcome;
pub mod rule;
pub mod shared;
#[cfg_attr(not(feature = "redis"), allow(dead_code, reason = "what only a client of a store reads"))]
pub mod store;
pub(crate) mod table;
pub mod tables;

#[cfg(test)]
#[path = "../../../tests/support/basics.rs"]
mod support;
