//! Rate limits as generated code describes them: inert tables.

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

/// A part of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitKey {
    /// The consumer, or else the user, or else the OAuth client, or else the address.
    Caller,
    /// The client's address, as far as trusted proxies tell; of IPv6, the /64.
    Ip,
    /// The OAuth client.
    Client,
    /// The consumer's name.
    Consumer,
    /// The user that an issuer's token names.
    User,
    /// The credential that was used.
    Credential,
    /// A header's value.
    Header(&'static str),
    /// A query parameter's value.
    Query(&'static str),
    /// The request's path as received.
    Path,
    /// The same for all.
    Const(&'static str),
}

/// The header fields that clients get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitHeaders {
    /// Nothing but `Retry-After`.
    None,
    /// `RateLimit`, `RateLimit-Policy` and `X-RateLimit-…`.
    Default,
    /// `X-<prefix>-RateLimit-…`.
    Prefixed(&'static str),
}
