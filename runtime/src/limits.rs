//! Rate limits: what a request is charged to, what it is told, and how long it waits.

pub(crate) mod algorithm;
pub(crate) mod charge;
pub(crate) mod counters;
pub(crate) mod failure_windows;
pub(crate) mod lease;
pub(crate) mod outcome;
pub(crate) mod rule;
pub(crate) mod shared;
pub(crate) mod store;
pub(crate) mod table;
pub(crate) mod tables;

#[cfg(test)]
