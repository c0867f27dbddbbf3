//! JSONPath (RFC 9535) over trees with places.
//!
//! What is selected is named by positions, and a query stops where it would look at too many values: overlays are read
//! by builds, which must end.

mod evaluate;
mod parser;
mod syntax;

pub(crate) use evaluate::select;
pub(crate) use parser::parse;
pub(crate) use syntax::{Location, Query};

#[cfg(test)]
mod tests;
