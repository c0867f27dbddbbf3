//! Where consumers, clients and users come from.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use crate::authority::Authority;
use gateway_base::jose::token_keys::TokenKeys;
use gateway_base::secret::SecretStore;
use gateway_limits::counters::Limits;

/// Where consumers come from, and what is asked of them.
pub struct Source {
    /// The path of `consumers.yaml`.
    pub file: PathBuf,
    /// Resolves the references to secrets in the file.
    pub secrets: SecretStore,
    /// `{value: …}` is allowed.
    pub literals: bool,
    /// Consumers that an operation names, such as the one that stands for anonymous callers.
    pub needed: HashSet<&'static str>,
    /// Reads the keys of tokens, where some API takes tokens of consumers.
    pub token_keys: Option<&'static dyn TokenKeys>,
    /// Counts for consumers that bring limits along.
    pub limits: Arc<Limits>,
    /// The authorization servers of this gateway: clients and users are theirs.
    pub authorities: Vec<Authority>,
}
