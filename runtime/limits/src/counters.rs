//! The counters of all rate limits of a gateway.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use crate::algorithm::{Algorithm, Counting};
use crate::lease::Leases;
use crate::rule::{OwnLimit, Part, Rule, RuleHeaders, RuleStore};
use crate::store::Stores;
use crate::table::{KeyHash, LimitId, Table};
use crate::tables::{Limit, LimitHeaders, LimitKey, OnStoreError, StoreMode};

/// All limits of the process, with their counters.
pub struct Limits {
    /// The counters that this process keeps.
    pub table: Table,
    /// The clock of all counters starts here.
    epoch: Instant,
    /// By name for those that are shared, by address for all others; with what stores call them.
    ids: HashMap<Identity, (LimitId, String)>,
    stores: Stores,
    /// What stores have been charged for ahead.
    pub leases: Leases,
    /// Limits that consumers bring along, by their numbers.
    registered: Mutex<HashMap<Algorithm, LimitId>>,
}

#[derive(PartialEq, Eq, Hash)]
pub(crate) enum Identity {
    Shared(&'static str),
    Own(usize),
}

impl Identity {
    fn of(limit: &'static Limit) -> Self {
        if limit.shared { Self::Shared(limit.name) } else { Self::Own(std::ptr::from_ref(limit) as usize) }
    }
}

impl std::fmt::Debug for Limits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Limits({})", self.ids.len())
    }
}

impl Limits {
    /// `limits`, each with the name of its API, with counters in at most `bytes` bytes, or in `stores`.
    pub fn new(limits: impl IntoIterator<Item = (&'static str, &'static Limit)>, bytes: usize, stores: Stores) -> Self {
        let mut ids = HashMap::new();
        let mut algorithms = Vec::new();
        for (api, limit) in limits {
            ids.entry(Identity::of(limit)).or_insert_with(|| {
                algorithms.push(limit.algorithm);
                let id = LimitId(u32::try_from(algorithms.len() - 1).unwrap_or(u32::MAX));
                let place = if limit.shared { "" } else { api };
                (id, format!("{place}/{}", limit.name))
            });
        }
        let table = Table::new(algorithms, bytes);
        Self { table, epoch: Instant::now(), ids, stores, leases: Leases::new(), registered: Mutex::default() }
    }

    /// Who counts, where that is not this process.
    fn store(
        &self,
        name: &str,
        (mode, on_error): (StoreMode, OnStoreError),
        algorithm: Algorithm,
        identity: &str,
    ) -> Option<RuleStore> {
        let (store, formula) = (self.stores.named(name)?, algorithm.in_store()?);
        let identity = format!("{identity} {algorithm:?}").into();
        Some(RuleStore { store, formula, mode, on_error, identity })
    }

    /// The stores that count.
    pub fn stores(&self) -> &Stores {
        &self.stores
    }

    /// Nanoseconds on the clock of all counters.
    pub(crate) fn nanos(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.epoch).as_nanos()).unwrap_or(u64::MAX)
    }

    /// A limit of an operation; `None` where there are too many.
    pub fn rule(&self, limit: &'static Limit, cost: u64) -> Option<Rule> {
        let (id, identity) = self.ids.get(&Identity::of(limit))?;
        let id = *id;
        (id.0 < crate::table::MAX_LIMITS).then(|| Rule {
            id,
            name: limit.name.into(),
            algorithm: limit.algorithm,
            key: limit.key,
            skips_missing_key: limit.skips_missing_key,
            status: limit.status,
            body: limit.body.into(),
            headers: match limit.headers {
                LimitHeaders::None => RuleHeaders::None,
                LimitHeaders::Default => RuleHeaders::Default,
                LimitHeaders::Prefixed(prefix) => RuleHeaders::Prefixed(prefix.into()),
            },
            cost,
            is_own: false,
            store: limit
                .store
                .as_ref()
                .and_then(|store| self.store(store.name, (store.mode, store.on_error), limit.algorithm, identity)),
        })
    }

    /// A limit that a consumer brings along: all who have the same have counters of their own. `None` where there are
    /// too many different ones.
    pub fn own_rule(&self, limit: &OwnLimit) -> Option<Rule> {
        let mut registered = self.registered.lock().unwrap_or_else(PoisonError::into_inner);
        let id = match registered.get(&limit.algorithm) {
            Some(id) => *id,
            None => {
                let id = self.table.add(limit.algorithm)?;
                registered.insert(limit.algorithm, id);
                id
            }
        };
        Some(Rule {
            id,
            name: limit.name.clone().into(),
            algorithm: limit.algorithm,
            key: &[LimitKey::Consumer],
            skips_missing_key: true,
            status: limit.status,
            body: limit.body.clone().into(),
            headers: match limit.headers.as_deref() {
                None => RuleHeaders::None,
                Some("") => RuleHeaders::Default,
                Some(prefix) => RuleHeaders::Prefixed(prefix.to_owned().into()),
            },
            cost: 1,
            is_own: true,
            store: limit
                .store
                .as_ref()
                .and_then(|store| self.store(&store.name, (store.mode, store.on_error), limit.algorithm, "consumers")),
        })
    }

    pub(crate) fn hash(&self, rule: &Rule, parts: &[Part<'_>]) -> KeyHash {
        self.table.hash(rule.id, parts.iter().map(|part| (part.kind as u8, &*part.bytes)))
    }
}

pub(crate) const SECOND: u64 = 1_000_000_000;
