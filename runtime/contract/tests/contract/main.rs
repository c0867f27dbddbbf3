//! Requests and responses against what is described: an input and an expectation in each line.

mod bodies;
mod hostile;
mod parameters;
mod responses;
mod styles;
mod support;
