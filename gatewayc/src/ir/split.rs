//! Requests that go to another upstream than the operation's own, and copies of requests.

pub use gateway_terms::share::Share;
use gateway_yaml::Span;

use crate::ir::upstream::HashKey;

/// Some of the requests of an operation, which go to another upstream.
#[derive(Debug, Clone)]
pub struct SplitEntry {
    /// The name of an upstream of the API.
    pub upstream: String,
    /// So many of the requests that no `when` decides about.
    pub share: Share,
    /// Names and values of header fields: requests that have all of them go here, before any share counts. Empty for
    /// none.
    pub when: Vec<(String, String)>,
    /// What decides whether a request is of the share; chance where it is empty.
    pub by: Vec<HashKey>,
    /// Where it is described.
    pub span: Span,
}

/// Copies of requests.
#[derive(Debug, Clone)]
pub struct Mirror {
    /// The name of an upstream of the API.
    pub upstream: String,
    /// How many of the requests are copied.
    pub share: Share,
    /// With what the caller has proved itself with.
    pub credentials: bool,
}
