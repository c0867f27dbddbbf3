//! Limits that a store counts for several gateways.

use crate::algorithm::Algorithm;

/// How often a store is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum StoreMode {
    /// For each request.
    #[default]
    Exact,
    /// For many requests at once, ahead of them.
    Fast,
}

/// What becomes of a request whose store does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnStoreError {
    /// It is refused with 503.
    #[default]
    Deny,
    /// This limit does not count.
    Allow,
    /// This gateway counts for itself.
    Local,
}

impl StoreMode {
    /// The values of `mode`.
    pub const WORDS: &[(&str, Self)] = &[("exact", Self::Exact), ("fast", Self::Fast)];
}

impl OnStoreError {
    /// The values of `onStoreError`.
    pub const WORDS: &[(&str, Self)] = &[("deny", Self::Deny), ("allow", Self::Allow), ("local", Self::Local)];
}

/// Why a store cannot count a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreMistake {
    /// Requests under way are no numbers that come back with time.
    Held,
    /// Requests that wait for their turn cannot be counted ahead.
    WaitsAhead,
    /// Its numbers are too large for the whole numbers of a script.
    TooLarge,
}

/// Whether several gateways can count this together.
///
/// # Errors
/// [`StoreMistake`], where they cannot.
pub fn fits_store(algorithm: Algorithm, mode: StoreMode) -> Result<(), StoreMistake> {
    match algorithm {
        Algorithm::Concurrency { .. } => Err(StoreMistake::Held),
        Algorithm::LeakyBucket { delay: true, .. } if mode == StoreMode::Fast => Err(StoreMistake::WaitsAhead),
        algorithm if algorithm.store_step().is_none() => Err(StoreMistake::TooLarge),
        _ => Ok(()),
    }
}
