//! Stores: servers that count for several gateways.
//!
//! What speaks to one is reached from the statics of the limits that name it: a gateway whose documents name none has no
//! client in its binary.

#[cfg(feature = "redis")]
pub mod redis;
pub mod url;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crate::algorithm::{Formula, Reading};
use gateway_base::trust::TrustError;
use gateway_base::{error, info};
use url::StoreUrl;

/// What can speak to a kind of store: inert, and shared by every start.
pub trait StoreClient: fmt::Debug + Sync {
    /// Prepares to speak to a store; nothing is opened yet.
    ///
    /// # Errors
    /// It is to be spoken to inside TLS, and nothing can be.
    fn open(&self, terms: StoreTerms) -> Result<Arc<dyn Store>, TrustError>;
}

/// What this deployment says about a store.
#[derive(Debug)]
pub struct StoreTerms {
    /// Its name in `gateway.yaml`, for logs and metrics.
    pub name: String,
    /// Its address, with the password if it has one.
    pub url: StoreUrl,
    /// All keys begin with it, as a hash tag: a cluster keeps them together.
    pub prefix: String,
    /// A request waits no longer.
    pub timeout: Duration,
    /// For a connection, with TLS and authentication.
    pub connect_timeout: Duration,
    /// Root certificates to trust beside the system's.
    pub trusted_roots: Option<PathBuf>,
    /// Threads that ask.
    pub workers: usize,
}

/// A store that counts.
pub trait Store: fmt::Debug + Send + Sync {
    /// Begins to keep a connection for the current thread, which is that `worker`.
    fn start(&self, worker: usize);

    /// Charges all, or none if one refuses; asked from the thread of that `worker`.
    fn charge<'a>(&'a self, worker: usize, charges: &'a [SharedCharge]) -> Answering<'a>;

    /// How it goes.
    fn health(&self) -> &StoreHealth;
}

/// Ends within the store's timeout.
pub(crate) type Answering<'a> = Pin<Box<dyn Future<Output = Result<Charged, StoreUnavailable>> + 'a>>;

/// A counter of a store to charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedCharge {
    /// 128 bits of a digest: no value of a request is kept in the store.
    pub(crate) key: [u8; 16],
    pub(crate) formula: Formula,
    pub(crate) cost: u64,
    /// Taken ahead if there is enough.
    pub(crate) extra: u64,
}

/// What a store says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charged {
    pub(crate) admitted: bool,
    /// In the order of the charges, with what was taken ahead.
    pub(crate) readings: Vec<(Reading, u64)>,
}

/// A store that does not answer, or nothing that makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreUnavailable;

/// Whether a store answers: counted in the metrics, and logged when it changes.
#[derive(Debug)]
pub struct StoreHealth {
    /// The store's name in `gateway.yaml`.
    pub name: String,
    /// Requests that the store answered, since the start.
    pub answered: AtomicU64,
    /// Requests that the store failed, or did not answer in time, since the start.
    pub failed: AtomicU64,
    /// Not asked, because it did not answer others.
    pub skipped: AtomicU64,
    /// Threads that have no use of it.
    down: AtomicUsize,
}

impl StoreHealth {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            answered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            down: AtomicUsize::new(0),
        }
    }

    /// A thread has lost it. The first one logs.
    fn lose(&self, why: &str) {
        if self.down.fetch_add(1, Relaxed) == 0 {
            error!(format_args!("store {}", self.name), "{why}; its limits do as `onStoreError` says");
        }
    }

    /// A thread has found it again. The last one logs.
    fn find(&self) {
        if self.down.fetch_sub(1, Relaxed) == 1 {
            info!(format_args!("store {}", self.name), "answers again");
        }
    }

    /// Whether all threads have the use of it.
    pub fn is_up(&self) -> bool {
        self.down.load(Relaxed) == 0
    }
}

/// The stores of a deployment, by name.
#[derive(Debug, Default)]
pub struct Stores {
    known: BTreeMap<String, NamedStore>,
    /// Names of stores that this binary has no client for.
    without_client: Vec<String>,
    /// Any name will do, and counts here: for reading files where nothing is served.
    pretends: bool,
}

#[derive(Debug)]
struct NamedStore {
    /// `None` for this process.
    store: Option<Arc<dyn Store>>,
    is_used: AtomicBool,
}

impl Stores {
    /// Where there is no deployment.
    pub fn pretended() -> Self {
        Self { pretends: true, ..Self::default() }
    }

    /// Adds a store, or with `None` the name of one that is this process.
    pub fn add(&mut self, name: &str, store: Option<Arc<dyn Store>>) {
        self.known.insert(folded(name), NamedStore { store, is_used: AtomicBool::new(false) });
    }

    /// Notes the name of a store that this binary has no client for.
    pub fn add_without_client(&mut self, name: &str) {
        self.without_client.push(folded(name));
    }

    /// Whether the settings have a store of that name that this binary has no client for.
    pub fn lacks_client(&self, name: &str) -> bool {
        self.without_client.contains(&folded(name))
    }

    /// Whether there is one of that name.
    pub fn has(&self, name: &str) -> bool {
        self.pretends || self.known.contains_key(&folded(name))
    }

    /// The store of a name, unless it is this process.
    pub(crate) fn named(&self, name: &str) -> Option<Arc<dyn Store>> {
        let known = self.known.get(&folded(name))?;
        known.is_used.store(true, Relaxed);
        known.store.clone()
    }

    /// The stores that no limit refers to.
    pub fn unused(&self) -> impl Iterator<Item = &str> {
        self.known.iter().filter(|(_, known)| !known.is_used.load(Relaxed)).map(|(name, _)| name.as_str())
    }

    /// The stores outside this process.
    pub fn remote(&self) -> impl Iterator<Item = &Arc<dyn Store>> {
        self.known.values().filter_map(|known| known.store.as_ref())
    }
}

/// As the environment can spell it.
fn folded(name: &str) -> String {
    name.replace('_', "-").to_ascii_lowercase()
}
