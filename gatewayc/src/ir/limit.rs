//! Rate limits.

use std::time::Duration;

pub use gateway_terms::algorithm::Algorithm as LimitAlgorithm;
pub use gateway_terms::store::{OnStoreError, StoreMode};

/// A rate limit with a counter for each key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// What clients and reviewers call it.
    pub name: String,
    /// From `limits` at the root: one counter for all who use the name, in all documents.
    pub shared: bool,
    /// How requests are admitted.
    pub algorithm: LimitAlgorithm,
    /// Whose requests are counted together; all parts make one key.
    pub key: Vec<LimitKey>,
    /// Requests that have no part of the key are not counted; otherwise by address.
    pub skips_missing_key: bool,
    /// Of a refusal.
    pub status: u16,
    /// JSON text of a refusal; `""` for the document's.
    pub body: String,
    /// The header fields that clients get.
    pub headers: LimitHeaders,
    /// Who counts for all gateways together; each for itself without.
    pub store: Option<LimitStore>,
}

/// A store that counts for several gateways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitStore {
    /// Its name in `gateway.yaml`.
    pub name: String,
    /// How often it is asked.
    pub mode: StoreMode,
    /// What becomes of a request when it does not answer.
    pub on_error: OnStoreError,
}

/// A part of a key.
pub type LimitKey = gateway_terms::key::LimitKey<String>;

/// The header fields that clients get.
pub type LimitHeaders = gateway_terms::key::LimitHeaders<String>;

/// How many wrong credentials of a scheme are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureLimit {
    /// The number of failures that are admitted
    pub limit: u64,
    /// in this time.
    pub interval: Duration,
    /// Whose failures are counted together.
    pub key: Vec<LimitKey>,
}

impl FailureLimit {
    /// What holds for passwords where a document says nothing: 100 in a minute from one address.
    pub fn of_passwords() -> Self {
        Self { limit: 100, interval: Duration::from_secs(60), key: vec![LimitKey::Ip] }
    }
}

/// A limit that an operation charges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitUse {
    /// Which of [`super::Api::limits`].
    pub limit: usize,
    /// What one request costs.
    pub cost: u64,
}
