//! Requests and responses, checked against what documents describe.

pub mod tables;
