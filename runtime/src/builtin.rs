//! Operations that the gateway answers itself.

use std::fmt;

use crate::access::{Caller, Moment, Resources};
use crate::token_keys::TokenKeys;

/// What an operation does instead of forwarding, as a document describes it: inert, and shared by every start.
pub trait Builtin: fmt::Debug + Sync {
    /// The word after `builtin:`.
    fn name(&self) -> &'static str;

    /// Fetches what the operation needs and gives what answers requests.
    ///
    /// # Errors
    /// Everything that is missing or wrong, one sentence each, without secrets.
    fn prepare(&self, resources: &Resources) -> Result<Box<dyn PreparedBuiltin>, Vec<String>>;

    /// As [`crate::access::Scheme::token_keys`].
    fn token_keys(&self) -> Option<&'static dyn TokenKeys> {
        None
    }
}

/// Answers requests.
pub trait PreparedBuiltin: fmt::Debug + Send + Sync {
    /// The answer to a permitted request.
    fn answer(&self, call: &Call<'_>) -> OwnAnswer;
}

/// A permitted request.
#[derive(Debug)]
pub struct Call<'a> {
    /// Who calls, unless anyone may.
    pub(crate) caller: Option<&'a Caller>,
    /// The raw query.
    pub(crate) query: Option<&'a str>,
    pub(crate) now: Moment,
}

/// A response of the gateway's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnAnswer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
}

impl OwnAnswer {
    /// `{"message": …}`, as refusals have it.
    pub(crate) fn message(status: u16, message: &str) -> Self {
        Self {
            status,
            content_type: "application/json; charset=utf-8",
            body: serde_json::json!({"message": message}).to_string(),
        }
    }
}
