//! Rate limits as generated code describes them: inert tables.

pub use gateway_terms::key::{LimitHeaders, LimitKey};
pub use gateway_terms::store::{OnStoreError, StoreMode};

use crate::algorithm::Algorithm;

/// A limit that an operation charges.
#[derive(Debug)]
pub struct LimitUse {
    /// The limit.
    pub limit: &'static Limit,
    /// What one request costs.
    pub cost: u64,
}

/// A rate limit with a counter for each key.
#[derive(Debug)]
pub struct Limit {
    /// The name that clients see.
    pub name: &'static str,
    /// One counter for all who use the name, in all APIs; otherwise for all who use this static.
    pub shared: bool,
    /// How requests are admitted.
    pub algorithm: Algorithm,
    /// Whose requests are counted together: all parts make one key.
    pub key: &'static [LimitKey],
    /// Requests that have no part of the key are not counted; otherwise by address.
    pub skips_missing_key: bool,
    /// Of a refusal.
    pub status: u16,
    /// JSON text of a refusal; `""` for the usual.
    pub body: &'static str,
    /// The header fields that clients get.
    pub headers: LimitHeaders,
    /// Who counts for all gateways together; each for itself without.
    pub store: Option<LimitStore>,
}

/// A store that counts for several gateways.
#[derive(Debug)]
pub struct LimitStore {
    /// Its name in `gateway.yaml`.
    pub name: &'static str,
    /// What speaks to it.
    pub client: &'static dyn crate::store::StoreClient,
    /// How often it is asked.
    pub mode: StoreMode,
    /// What becomes of a request when it does not answer.
    pub on_error: OnStoreError,
}
