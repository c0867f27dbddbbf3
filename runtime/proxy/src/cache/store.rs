//! Where responses are stored: in memory, up to a limit, for all threads.

use std::borrow::Borrow;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::body_memory::BodyMemory;
use crate::cache::freshness::{Moment, Stored};
use crate::cache::key::{Key, variant, varied_by};
use crate::cache::lines::Lines;
use crate::cache::shard::{Change, Entry, Place, Shard};
use crate::cache::status::{Outcome, Outcomes};

/// Parts of the store, by a part of the key.
const SHARDS: usize = 64;

/// What was purged is noted for groups of paths.
const EPOCHS: usize = 1024;

/// So long requests pass each other by whose response was not stored, in milliseconds.
const PASSES_FOR: u64 = 10_000;

/// So many responses are fetched at once while stale ones are given away.
const MOST_REFRESHES: usize = 256;

/// The responses that a gateway has stored.
#[derive(Debug)]
pub struct ResponseCache {
    shards: Box<[Mutex<Shard>]>,
    limit: i64,
    bytes: AtomicI64,
    entries: AtomicI64,
    evicted: AtomicU64,
    /// How often a path of each group was purged.
    epochs: Box<[AtomicU64]>,
    /// For responses that are on their way.
    pub(crate) arriving: BodyMemory,
    refreshes: AtomicUsize,
    pub(crate) outcomes: Outcomes,
}

/// What is stored for a request.
#[derive(Debug)]
pub(crate) enum Found {
    /// A response, by its key.
    Response(Key, Arc<Stored>),
    /// Nothing; with the key by which others wait for the same response.
    Nothing {
        key: Key,
        /// There are responses to requests with other fields.
        is_variant: bool,
        /// Nobody waits.
        passes: bool,
    },
}

impl ResponseCache {
    /// A store for `limit` bytes, of which a quarter is for what is on its way.
    pub fn new(limit: u64) -> Self {
        let arriving = limit / 4;
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            limit: i64::try_from(limit - arriving).unwrap_or(i64::MAX),
            bytes: AtomicI64::new(0),
            entries: AtomicI64::new(0),
            evicted: AtomicU64::new(0),
            epochs: (0..EPOCHS).map(|_| AtomicU64::new(0)).collect(),
            arriving: BodyMemory::new(arriving),
            refreshes: AtomicUsize::new(0),
            outcomes: Outcomes::default(),
        }
    }

    /// Bytes, entries, and how many entries had to go so far.
    pub fn figures(&self) -> (u64, u64, u64) {
        let figure = |figure: &AtomicI64| u64::try_from(figure.load(Relaxed)).unwrap_or(0);
        (figure(&self.bytes), figure(&self.entries), self.evicted.load(Relaxed))
    }

    /// Requests by what became of them, with the word of the access log.
    pub fn requests(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.outcomes.counts()
    }

    pub(super) fn shard(&self, key: Key) -> MutexGuard<'_, Shard> {
        let index = key as usize % SHARDS;
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all(&self) -> impl Iterator<Item = MutexGuard<'_, Shard>> {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks for a response to a request with these fields; they are asked for where responses depend on them.
    pub(crate) fn find<F: Borrow<Lines>>(&self, key: Key, request: impl FnOnce() -> F, now: Moment) -> Found {
        let nothing = |key, is_variant, passes| Found::Nothing { key, is_variant, passes };
        let first = self.shard(key).find(key);
        match first {
            Some(Entry::Response(stored)) => Found::Response(key, stored),
            Some(Entry::Passes(until)) => nothing(key, false, now < until),
            None => nothing(key, false, false),
            Some(Entry::Varies(names)) => {
                let key = variant(key, &names, request().borrow());
                let second = self.shard(key).find(key);
                match second {
                    Some(Entry::Response(stored)) => Found::Response(key, stored),
                    Some(Entry::Passes(until)) => nothing(key, true, now < until),
                    Some(Entry::Varies(_)) | None => nothing(key, true, false),
                }
            }
        }
    }

    /// Stores a response to a request with these fields, unless its path has been purged since `epoch`.
    pub(crate) fn store(&self, place: Place, request: &Lines, stored: Stored, epoch: u64) -> Arc<Stored> {
        let stored = Arc::new(stored);
        let names = varied_by(&stored.head);
        // Where a purge comes in between, it finds the response.
        let mut change = Change::default();
        if names.is_empty() {
            change += self.insert_since(place, Entry::Response(Arc::clone(&stored)), epoch);
        } else {
            let key = variant(place.key, &names, request);
            change += self.insert_since(place, Entry::Varies(names.into()), epoch);
            change += self.insert_since(Place { key, ..place }, Entry::Response(Arc::clone(&stored)), epoch);
        }
        self.note(change);
        self.make_room(place.key);
        stored
    }

    /// Notes that responses to requests with this key are not stored, as a rule: for a while, nobody waits for one. Where the
    /// answer says nothing of what is stored, a response stays: it may stand in for an error.
    pub(crate) fn pass(&self, place: Place, now: Moment, keeps_response: bool) {
        let mut shard = self.shard(place.key);
        if keeps_response && matches!(shard.peek(place.key), Some(Entry::Response(_))) {
            return;
        }
        let change = shard.insert(place, Entry::Passes(Moment(now.0.saturating_add(PASSES_FOR))));
        drop(shard);
        self.note(change);
        self.make_room(place.key);
    }

    /// Takes out this response, unless there is another one by now.
    pub(crate) fn forget(&self, key: Key, stored: &Arc<Stored>) {
        let mut shard = self.shard(key);
        let is_it = matches!(shard.peek(key), Some(Entry::Response(current)) if Arc::ptr_eq(current, stored));
        let change = if is_it { shard.remove(key) } else { Change::default() };
        drop(shard);
        self.note(change);
    }

    /// The purges of a path are noted before its entries go, and are looked at inside the lock: an entry goes, or is not
    /// stored.
    fn insert_since(&self, place: Place, entry: Entry, epoch: u64) -> Change {
        let mut shard = self.shard(place.key);
        if self.epoch(place.tag) == epoch { shard.insert(place, entry) } else { Change::default() }
    }

    /// How often paths of this group were purged.
    pub(crate) fn epoch(&self, tag: u64) -> u64 {
        self.epochs[tag as usize % EPOCHS].load(Relaxed)
    }

    /// Takes out what is stored of a path; says how many entries that were.
    pub(crate) fn purge_tag(&self, tag: u64) -> u64 {
        self.epochs[tag as usize % EPOCHS].fetch_add(1, Relaxed);
        self.purge(|shard| shard.remove_tag(tag))
    }

    /// Takes out what is stored of these operations, or all of it; says how many entries that were.
    pub(super) fn purge_operations(&self, is_it: impl Fn(usize) -> bool) -> u64 {
        self.epochs.iter().for_each(|epoch| _ = epoch.fetch_add(1, Relaxed));
        self.purge(|shard| shard.remove_all(|place| is_it(place.operation)))
    }

    fn purge(&self, remove: impl Fn(&mut Shard) -> Change) -> u64 {
        let mut all = Change::default();
        for mut shard in self.all() {
            all += remove(&mut shard);
        }
        self.note(all);
        all.entries.unsigned_abs()
    }

    fn note(&self, change: Change) {
        if change.bytes != 0 {
            self.bytes.fetch_add(change.bytes, Relaxed);
        }
        if change.entries != 0 {
            self.entries.fetch_add(change.entries, Relaxed);
        }
    }

    /// Takes out entries until there is room: of this key's shard first, and only of shards with more than their share. While
    /// there is too much, some shard has.
    fn make_room(&self, key: Key) {
        let share = self.limit.unsigned_abs() / SHARDS as u64;
        let (mut index, mut passed) = (key as usize % SHARDS, 0);
        while self.bytes.load(Relaxed) > self.limit && passed < SHARDS {
            let evicted = self.shards[index].lock().unwrap_or_else(PoisonError::into_inner).evict_beyond(share);
            match evicted {
                Some(change) => {
                    self.evicted.fetch_add(1, Relaxed);
                    self.note(change);
                    passed = 0;
                }
                None => {
                    passed += 1;
                    index = (index + 1) % SHARDS;
                }
            }
        }
    }

    /// Room for fetching one response while a stale one is given away.
    pub(crate) fn refresh(&'static self) -> Option<Refresh> {
        let more = |count: usize| (count < MOST_REFRESHES).then_some(count + 1);
        self.refreshes.fetch_update(Relaxed, Relaxed, more).ok()?;
        Some(Refresh(self))
    }

    /// Counts a request by what became of it.
    pub(crate) fn count(&self, outcome: Outcome) {
        self.outcomes.count(outcome);
    }
}

/// A place among what is fetched in the background; given back with this.
pub(crate) struct Refresh(&'static ResponseCache);

impl Drop for Refresh {
    fn drop(&mut self) {
        self.0.refreshes.fetch_sub(1, Relaxed);
    }
}
