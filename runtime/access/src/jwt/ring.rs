//! The keys that a scheme verifies with at the moment, and where they come from.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use arc_swap::{ArcSwapOption, Guard};

use crate::prepare_error::PrepareError;
use crate::scheme::Resources;
use gateway_base::digest::Digest;
use gateway_base::jose::keys::{JwtAlgorithm, KeyError, VerifyingKey};

/// A provider of keys as a document describes it: inert, and shared by every start.
pub trait KeyProvider: fmt::Debug + Sync {
    /// The URL in the document.
    fn url(&self) -> &'static str;

    /// Has `ring` filled as soon as the gateway runs, and from then on.
    ///
    /// # Errors
    /// The provider's URL, or the roots that its certificate is checked with, cannot be used.
    fn supply(&self, resources: &Resources, ring: &Arc<KeyRing>) -> Result<Arc<dyn KeySource>, PrepareError>;
}

/// Brings keys while requests come.
pub trait KeySource: fmt::Debug + Send + Sync {
    /// To be awaited where there are no keys at all; `None` if waiting is no use.
    fn first_keys(&self) -> Option<Wait>;

    /// To be awaited where a token's key is not known; `None` if waiting is no use.
    fn newer_keys(&self) -> Option<Wait>;
}

/// Ends when there may be other keys, or when it has taken too long.
pub(crate) type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The keys of one scheme. A verification sees one set or the next, and never waits.
pub struct KeyRing {
    algorithms: &'static [JwtAlgorithm],
    current: ArcSwapOption<KeySet>,
}

/// Keys that hold together.
pub(super) struct KeySet {
    pub(super) keys: Vec<VerifyingKey>,
    /// What `iss` must be, where the provider says it.
    pub(super) issuer: Option<Box<str>>,
    /// Different for every set of this ring.
    pub(super) generation: u64,
    origin: Option<Digest>,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.current.load().as_ref().map(|set| set.keys.len());
        f.debug_struct("KeyRing").field("keys", &keys).finish_non_exhaustive()
    }
}

impl KeyRing {
    /// A ring that will be filled.
    pub(super) fn empty(algorithms: &'static [JwtAlgorithm]) -> Self {
        Self { algorithms, current: ArcSwapOption::empty() }
    }

    /// A ring whose keys stay.
    pub(super) fn fixed(algorithms: &'static [JwtAlgorithm], keys: Vec<VerifyingKey>) -> Self {
        let set = KeySet { keys, issuer: None, generation: 0, origin: None };
        Self { algorithms, current: ArcSwapOption::from_pointee(set) }
    }

    /// The keys, if there are any yet.
    pub(super) fn current(&self) -> Guard<Option<Arc<KeySet>>> {
        self.current.load()
    }

    /// Which keys are there, if any.
    pub(super) fn generation(&self) -> Option<u64> {
        self.current.load().as_ref().map(|set| set.generation)
    }

    /// Whether there are keys.
    pub(crate) fn is_filled(&self) -> bool {
        self.generation().is_some()
    }

    /// Whether a token with this `alg` could be accepted.
    pub(super) fn accepts(&self, algorithm: &str) -> bool {
        self.algorithms.iter().any(|accepted| accepted.name() == algorithm)
    }

    /// Takes over a JSON Web Key Set; gives the number of keys if it differs from what was there.
    ///
    /// # Errors
    /// What is not a key set, and a set without a key for this scheme: what was there stays.
    pub(crate) fn replace(&self, json: &[u8], issuer: Option<&str>) -> Result<Option<usize>, KeyError> {
        let origin = Digest::of(&[issuer.unwrap_or_default().as_bytes(), b"\n", json].concat());
        let before = self.current.load();
        if before.as_ref().is_some_and(|set| set.origin.as_ref() == Some(&origin)) {
            return Ok(None);
        }
        let keys = VerifyingKey::from_set(json, self.algorithms)?;
        let count = keys.len();
        let generation = before.as_ref().map_or(0, |set| set.generation + 1);
        let set = KeySet { keys, issuer: issuer.map(Box::from), generation, origin: Some(origin) };
        self.current.store(Some(Arc::new(set)));
        Ok(Some(count))
    }
}
