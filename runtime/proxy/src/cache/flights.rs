//! One request per key to an upstream: who comes while it is under way waits for its response.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::sync::watch;

use crate::cache::flight::{Flight, Landing};
use crate::cache::key::Key;
use crate::cache::store::ResponseCache;

/// Of the next request.
static NUMBERS: AtomicU64 = AtomicU64::new(0);

/// What a request is beside others for the same key.
pub(crate) enum Role {
    /// It is the first: it asks the upstream.
    Lead(Lead),
    /// It waits for another one, which has this number.
    Follow(watch::Receiver<Landing>, u64),
}

/// The duty to tell those who wait. Where nothing is said before this is dropped, another one goes on.
pub(crate) struct Lead {
    cache: &'static ResponseCache,
    key: Key,
    flight: Arc<Flight>,
}

impl ResponseCache {
    /// Joins the request for this key that is under way, or is the first. What began before something was purged is no
    /// response to who comes after it, and the one of the number `late` has been waited for long enough.
    pub(crate) fn join(&'static self, key: Key, epoch: u64, late: Option<u64>) -> Role {
        let mut shard = self.shard(key);
        if let Some(flight) = shard.flights.get(&key)
            && flight.epoch == epoch
            && late != Some(flight.number)
        {
            return Role::Follow(flight.sender.subscribe(), flight.number);
        }
        let number = NUMBERS.fetch_add(1, Relaxed);
        let flight = Arc::new(Flight { number, sender: watch::channel(Landing::Flying).0, epoch });
        shard.flights.insert(key, Arc::clone(&flight));
        Role::Lead(Lead { cache: self, key, flight })
    }
}

impl Lead {
    /// What it is asked by.
    pub(super) fn key(&self) -> Key {
        self.key
    }

    /// Tells those who wait.
    pub(crate) fn land(self, landing: Landing) {
        self.leave();
        self.flight.sender.send_replace(landing);
    }

    fn leave(&self) {
        let mut shard = self.cache.shard(self.key);
        if shard.flights.get(&self.key).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight)) {
            shard.flights.remove(&self.key);
        }
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.leave();
    }
}
