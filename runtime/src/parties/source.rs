//! Where consumers, clients and users come from.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use crate::base::jose::token_keys::TokenKeys;
use crate::base::secret::SecretStore;
use crate::limits::counters::Limits;
use crate::parties::authority::Authority;

/// Where consumers come from, and what is asked of them.
pub(crate) struct Source {
    pub(crate) file: PathBuf,
    pub(crate) secrets: SecretStore,
    /// `{value: …}` is allowed.
    pub(crate) literals: bool,
    /// Consumers that an operation names, such as the one that stands for anonymous callers.
    pub(crate) needed: HashSet<&'static str>,
    /// Reads the keys of tokens, where some API takes tokens of consumers.
    pub(crate) token_keys: Option<&'static dyn TokenKeys>,
    /// Counts for consumers that bring limits along.
    pub(crate) limits: Arc<Limits>,
    /// The authorization servers of this gateway: clients and users are theirs.
    pub(crate) authorities: Vec<Authority>,
}
