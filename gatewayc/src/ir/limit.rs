//! Rate limits.

use std::time::Duration;

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

/// How often a store is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StoreMode {
    /// For each request.
    #[default]
    Exact,
    /// For many requests at once, ahead of them.
    Fast,
}

/// What becomes of a request whose store does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnStoreError {
    /// It is refused.
    #[default]
    Deny,
    /// This limit does not count.
    Allow,
    /// This gateway counts for itself.
    Local,
}

/// How requests are admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the members of `rateLimit` under their own names")]
pub enum LimitAlgorithm {
    TokenBucket { limit: u64, interval: Duration },
    FixedWindow { limit: u64, interval: Duration },
    SlidingWindow { limit: u64, interval: Duration },
    LeakyBucket { rate: u64, interval: Duration, burst: u64, delay: bool },
    Concurrency { limit: u64, burst: u64, delay: Duration },
}

/// A part of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LimitKey {
    /// The consumer, or else the user, or else the OAuth client, or else the address.
    Caller,
    /// The client's address; of IPv6, the /64.
    Ip,
    /// The OAuth client.
    Client,
    /// The consumer's name.
    Consumer,
    /// The user that a token names.
    User,
    /// The credential that was used.
    Credential,
    /// A header's value.
    Header(String),
    /// A query parameter's value.
    Query(String),
    /// The request's path.
    Path,
    /// The same for all.
    Const(String),
}

/// The header fields that clients get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LimitHeaders {
    /// Nothing but `Retry-After`.
    None,
    /// `RateLimit` and `X-RateLimit-…`.
    Default,
    /// `X-<prefix>-RateLimit-…`.
    Prefixed(String),
}

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

impl LimitAlgorithm {
    /// In documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::TokenBucket { .. } => "token-bucket",
            Self::FixedWindow { .. } => "fixed-window",
            Self::SlidingWindow { .. } => "sliding-window",
            Self::LeakyBucket { .. } => "leaky-bucket",
            Self::Concurrency { .. } => "concurrency",
        }
    }

    /// Whether a store can count it in whole numbers: those of its scripts are exact up to 2^53, of which three times the
    /// limit must leave room, in steps of a second if nothing finer will do.
    pub fn fits_store(self) -> bool {
        let interval = match self {
            Self::TokenBucket { interval, .. }
            | Self::FixedWindow { interval, .. }
            | Self::SlidingWindow { interval, .. }
            | Self::LeakyBucket { interval, .. } => interval,
            Self::Concurrency { .. } => return false,
        };
        let nanos = interval.as_nanos();
        let steps =
            (3..=9).map(|digits| 10_u128.pow(digits)).filter(|step| nanos >= *step && nanos.is_multiple_of(*step));
        steps.max().is_some_and(|step| u128::from(self.capacity()) * (nanos / step) < 1 << 51)
    }

    /// The most that one request may cost.
    pub fn capacity(self) -> u64 {
        match self {
            Self::TokenBucket { limit, .. } | Self::FixedWindow { limit, .. } | Self::SlidingWindow { limit, .. } => {
                limit
            }
            Self::LeakyBucket { burst, .. } => burst + 1,
            Self::Concurrency { limit, burst, .. } => limit + burst,
        }
    }
}

impl LimitKey {
    /// In documents.
    pub fn show(&self) -> String {
        match self {
            Self::Caller => "caller".into(),
            Self::Ip => "ip".into(),
            Self::Client => "client".into(),
            Self::Consumer => "consumer".into(),
            Self::User => "user".into(),
            Self::Credential => "credential".into(),
            Self::Header(name) => format!("header:{name}"),
            Self::Query(name) => format!("query:{name}"),
            Self::Path => "path".into(),
            Self::Const(text) => format!("const:{text}"),
        }
    }
}
