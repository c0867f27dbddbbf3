//! What is remembered of all keys: a table of fixed size that forgets nothing that matters.
//!
//! A key whose state is idle behaves like an unused one, so its place can be given away. A key whose places are
//! taken gets one whose key can move to another. A key that finds no place even so, because all are taken by keys in
//! use, shares one with all others of its limit that find none: a client that floods the table with keys shares a
//! limit with itself, and displaces no key in use.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use crate::algorithm::{Algorithm, Counting, Reading, State};

/// Places among which a key has one, in each of two groups.
const GROUP: usize = 8;

/// Parts of the table with a lock each.
const SHARDS: usize = 128;

/// Bytes of one place.
const SLOT_BYTES: usize = size_of::<[u64; 3]>();

/// The number of a limit within the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LimitId(pub(crate) u32);

/// The number of limits that have numbers: 20 bits of a tag.
pub(crate) const MAX_LIMITS: u32 = LIMIT_MASK as u32;

const LIMIT_BITS: u32 = 20;
const LIMIT_MASK: u64 = (1 << LIMIT_BITS) - 1;

/// The hash of a key of a limit: 64 bits, of which 20 name the limit. With a million keys, two of one limit share
/// them once in a hundred thousand gateways; the place in the table distinguishes them further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash {
    tag: u64,
    place: u64,
}

impl KeyHash {
    /// For spreading keys over parts.
    pub(crate) fn spread(self) -> usize {
        self.place as usize
    }
}

/// A counter to charge.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Charge {
    pub(crate) limit: LimitId,
    pub(crate) algorithm: Algorithm,
    pub(crate) key: KeyHash,
    pub(crate) cost: u64,
}

/// Tags, and states: a place is three words, so that untouched memory costs nothing.
type Slot = [u64; 3];

/// All counters of the process.
pub struct Table {
    shards: Box<[Mutex<Shard>]>,
    /// Of each shard.
    slots: usize,
    /// By the number of the limit; only ever longer.
    algorithms: RwLock<Vec<Algorithm>>,
    keys: RandomState,
}

struct Shard {
    slots: Box<[Slot]>,
    /// For keys that find no place, by limit.
    overflow: HashMap<LimitId, State>,
}

impl Table {
    /// A table for these limits, whose ids are their indices, of at most `bytes` bytes.
    pub(crate) fn new(algorithms: Vec<Algorithm>, bytes: usize) -> Self {
        let slots = (bytes / SLOT_BYTES / SHARDS / GROUP).max(2) * GROUP;
        // Memory is taken by the first counter of a shard: most gateways have few, and the start does not wait for it.
        let shard = || Shard { slots: Box::default(), overflow: HashMap::new() };
        Self {
            shards: (0..SHARDS).map(|_| Mutex::new(shard())).collect(),
            slots,
            algorithms: RwLock::new(algorithms),
            keys: RandomState::new(),
        }
    }

    /// Adds a limit; `None` if there are too many.
    pub fn add(&self, algorithm: Algorithm) -> Option<LimitId> {
        let mut algorithms = self.algorithms.write().unwrap_or_else(PoisonError::into_inner);
        let id = u32::try_from(algorithms.len()).ok().filter(|id| *id < MAX_LIMITS)?;
        algorithms.push(algorithm);
        Some(LimitId(id))
    }

    /// The hash of a key; its parts are delimited by their lengths.
    pub(crate) fn hash<'k>(&self, limit: LimitId, parts: impl Iterator<Item = (u8, &'k [u8])>) -> KeyHash {
        let mut hasher = self.keys.build_hasher();
        hasher.write_u32(limit.0);
        for (kind, part) in parts {
            hasher.write_u8(kind);
            hasher.write_usize(part.len());
            hasher.write(part);
        }
        let hash = hasher.finish();
        hasher.write_u8(0);
        // No tag is 0, which is an empty place.
        KeyHash { tag: (hash & !LIMIT_MASK | u64::from(limit.0)).max(1 << LIMIT_BITS), place: hasher.finish() }
    }

    /// Charges one counter, which needs no plan.
    pub(crate) fn charge_one(&self, charge: &Charge, now: u64) -> Reading {
        let mut shard = self.lock(charge.key);
        let mut state = shard.state(charge, &self.algorithms, now);
        charge.algorithm.charge(state.get(), now, charge.cost)
    }

    /// Charges all counters, or none if one refuses; the readings are in the order of the charges.
    pub(crate) fn charge(&self, charges: &[Charge], now: u64, readings: &mut Vec<Reading>) -> bool {
        readings.clear();
        if let [charge] = charges {
            let reading = self.charge_one(charge, now);
            readings.push(reading);
            return reading.admitted;
        }
        let mut shards: Vec<usize> = charges.iter().map(|charge| shard_of(charge.key)).collect();
        shards.sort_unstable();
        shards.dedup();
        // Always in the same order, so that no two requests wait for each other.
        let mut locked: Vec<(usize, MutexGuard<'_, Shard>)> =
            shards.into_iter().map(|index| (index, self.lock_shard(index))).collect();
        let mut before = Vec::with_capacity(charges.len());
        let mut all = true;
        for charge in charges {
            let Some(shard) = shard_in(&mut locked, charge.key) else { continue };
            let mut state = shard.state(charge, &self.algorithms, now);
            before.push(*state.get());
            let reading = charge.algorithm.charge(state.get(), now, charge.cost);
            all &= reading.admitted;
            readings.push(reading);
        }
        if !all {
            // What they say was not charged after all.
            for ((charge, reading), before) in charges.iter().zip(readings).zip(&before) {
                if reading.admitted {
                    *reading = charge.algorithm.charge(&mut { *before }, now, 0);
                }
            }
            // Backwards, because two charges may be of one counter.
            for (charge, before) in charges.iter().zip(before).rev() {
                if let Some(shard) = shard_in(&mut locked, charge.key) {
                    *shard.state(charge, &self.algorithms, now).get() = before;
                }
            }
        }
        all
    }

    /// Takes charges of `at` back, as far as they are still there.
    pub(crate) fn refund(&self, charges: &[Charge], at: u64, now: u64) {
        for charge in charges {
            let mut shard = self.lock(charge.key);
            match shard.own(charge.key) {
                Some(index) => {
                    let [_, first, second] = shard.slots[index];
                    let mut state = State { first, second };
                    charge.algorithm.refund(&mut state, at, now, charge.cost);
                    shard.slots[index] = [charge.key.tag, state.first, state.second];
                }
                None => {
                    let state = shard.overflow.entry(charge.limit).or_default();
                    charge.algorithm.refund(state, at, now, charge.cost);
                }
            }
        }
    }

    /// What counters say now, without a charge.
    pub(crate) fn read(&self, charges: &[Charge], now: u64) -> Vec<Reading> {
        let look = |charge: &Charge| {
            let mut shard = self.lock(charge.key);
            let mut state = *shard.state(charge, &self.algorithms, now).get();
            charge.algorithm.charge(&mut state, now, 0)
        };
        charges.iter().map(look).collect()
    }

    /// Gives back what a request has held.
    pub(crate) fn release(&self, charge: &Charge) {
        let mut shard = self.lock(charge.key);
        // Where it was charged may not be where it would be charged now. What its own place does not hold, the shared one
        // does: over all requests of the key, each gets back what it got.
        let own = shard.own(charge.key).filter(|index| shard.slots[*index][2] >= charge.cost);
        match own {
            Some(index) => {
                let [_, first, second] = shard.slots[index];
                let mut state = State { first, second };
                charge.algorithm.release(&mut state, charge.cost);
                shard.slots[index] = [charge.key.tag, state.first, state.second];
            }
            None => {
                let state = shard.overflow.entry(charge.limit).or_default();
                charge.algorithm.release(state, charge.cost);
            }
        }
    }

    fn lock(&self, key: KeyHash) -> MutexGuard<'_, Shard> {
        self.lock_shard(shard_of(key))
    }

    fn lock_shard(&self, index: usize) -> MutexGuard<'_, Shard> {
        let mut shard = self.shards[index].lock().unwrap_or_else(PoisonError::into_inner);
        if shard.slots.is_empty() {
            shard.slots = vec![[0; 3]; self.slots].into_boxed_slice();
        }
        shard
    }
}

fn shard_of(key: KeyHash) -> usize {
    (key.place >> 57) as usize % SHARDS
}

fn shard_in<'s>(locked: &'s mut [(usize, MutexGuard<'_, Shard>)], key: KeyHash) -> Option<&'s mut Shard> {
    let index = shard_of(key);
    locked.iter_mut().find(|(known, _)| *known == index).map(|(_, shard)| &mut **shard)
}

/// A counter's state, written back when dropped.
struct StateGuard<'s> {
    place: CounterPlace<'s>,
    state: State,
}

enum CounterPlace<'s> {
    Slot(&'s mut Slot),
    Overflow(&'s mut State),
}

impl StateGuard<'_> {
    fn get(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Drop for StateGuard<'_> {
    fn drop(&mut self) {
        match &mut self.place {
            CounterPlace::Slot(slot) => [slot[1], slot[2]] = [self.state.first, self.state.second],
            CounterPlace::Overflow(state) => **state = self.state,
        }
    }
}

impl Shard {
    /// Where the two groups of a key begin.
    fn groups(&self, key: KeyHash) -> (usize, usize) {
        let first = key.place as usize % (self.slots.len() / GROUP) * GROUP;
        (first, self.other_group(key.tag, first))
    }

    /// The other of the two groups that a tag in this one has: the numbers of both add up to what the tag says.
    fn other_group(&self, tag: u64, start: usize) -> usize {
        let groups = self.slots.len() / GROUP;
        let sum = (tag >> LIMIT_BITS) as usize % groups;
        (sum + groups - start / GROUP) % groups * GROUP
    }

    /// The place of a key that has one.
    fn own(&self, key: KeyHash) -> Option<usize> {
        let (first, second) = self.groups(key);
        let mut places = (first..first + GROUP).chain(second..second + GROUP);
        places.find(|index| self.slots[*index][0] == key.tag)
    }

    /// The first free place of a group, and how many more it has; a place whose key is idle is free.
    fn free(&self, start: usize, algorithms: &[Algorithm], now: u64) -> (Option<usize>, usize) {
        let is_free = |index: &usize| {
            let [tag, first, second] = self.slots[*index];
            let algorithm = algorithms.get((tag & LIMIT_MASK) as usize);
            tag == 0 || algorithm.is_none_or(|algorithm| algorithm.is_idle(State { first, second }, now))
        };
        let mut free = (start..start + GROUP).filter(is_free);
        (free.next(), free.count())
    }

    /// A place for a new key: the emptier of its groups has one, which keeps all groups evenly full, or the first key of
    /// one of them moves to its other group. More are not tried: of a thousand groups less than ten are full while the
    /// table has room for a million keys, and in a flood of keys each one costs a search.
    fn place_for(&mut self, key: KeyHash, algorithms: &[Algorithm], now: u64) -> Option<usize> {
        let (first, second) = self.groups(key);
        let (one, other) = (self.free(first, algorithms, now), self.free(second, algorithms, now));
        let free = if one.1 >= other.1 { one.0.or(other.0) } else { other.0.or(one.0) };
        free.or_else(|| {
            let (at, free) = [first, second].into_iter().find_map(|at| {
                let other = self.other_group(self.slots[at][0], at);
                self.free(other, algorithms, now).0.map(|free| (at, free))
            })?;
            self.slots[free] = self.slots[at];
            Some(at)
        })
    }

    /// The counter of a key: its own, or one that is free, or the one that is shared.
    fn state(&mut self, charge: &Charge, algorithms: &RwLock<Vec<Algorithm>>, now: u64) -> StateGuard<'_> {
        let index = self.own(charge.key).or_else(|| {
            let algorithms = algorithms.read().unwrap_or_else(PoisonError::into_inner);
            let index = self.place_for(charge.key, &algorithms, now)?;
            self.slots[index] = [charge.key.tag, 0, 0];
            Some(index)
        });
        match index {
            Some(index) => {
                let [_, first, second] = self.slots[index];
                StateGuard { place: CounterPlace::Slot(&mut self.slots[index]), state: State { first, second } }
            }
            None => {
                let state = self.overflow.entry(charge.limit).or_default();
                StateGuard { state: *state, place: CounterPlace::Overflow(state) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    use std::time::Duration;

    use super::*;

    const BUCKET: Algorithm = Algorithm::TokenBucket { limit: 3, interval: Duration::from_secs(60) };
    const WINDOW: Algorithm = Algorithm::FixedWindow { limit: 2, interval: Duration::from_secs(60) };
    const SLOTS: Algorithm = Algorithm::Concurrency { limit: 2, burst: 0, delay: Duration::ZERO };

    fn table(bytes: usize) -> Table {
        Table::new([BUCKET, WINDOW, SLOTS].into(), bytes)
    }

    fn charge(table: &Table, limit: u32, key: &str) -> Charge {
        let algorithm = [BUCKET, WINDOW, SLOTS][limit as usize];
        let limit = LimitId(limit);
        Charge { limit, algorithm, key: table.hash(limit, [(1, key.as_bytes())].into_iter()), cost: 1 }
    }

    fn admits(table: &Table, charges: &[Charge], now: u64) -> bool {
        table.charge(charges, now, &mut Vec::new())
    }

    #[test]
    fn keys_and_limits_are_counted_apart() {
        let table = table(1 << 20);
        for key in ["a", "b"] {
            let charges: Vec<bool> = (0..4).map(|_| admits(&table, &[charge(&table, 0, key)], 1)).collect();
            assert_eq!(charges, [true, true, true, false], "{key}");
        }
        assert!(admits(&table, &[charge(&table, 1, "a")], 1), "nor do limits");
        let parts = |parts: &[&str]| table.hash(LimitId(0), parts.iter().map(|part| (1, part.as_bytes())));
        assert_ne!(parts(&["ab", "c"]), parts(&["a", "bc"]));
    }

    #[test]
    fn none_is_charged_when_one_refuses() {
        let table = table(1 << 20);
        let both = [charge(&table, 0, "a"), charge(&table, 1, "a")];
        assert!(admits(&table, &both, 1) && admits(&table, &both, 1));
        for _ in 0..5 {
            assert!(!admits(&table, &both, 1), "the window is full");
        }
        assert!(admits(&table, &both[..1], 1), "the bucket still has a token");
        assert!(!admits(&table, &both[..1], 1));
        // The same counter twice is charged twice.
        let twice = [charge(&table, 1, "b"), charge(&table, 1, "b")];
        assert!(admits(&table, &twice, 1) && !admits(&table, &twice, 1) && !admits(&table, &twice[..1], 1));
    }

    #[test]
    fn held_places_are_given_back() {
        let table = table(1 << 20);
        let slot = [charge(&table, 2, "a")];
        assert!(admits(&table, &slot, 1) && admits(&table, &slot, 1) && !admits(&table, &slot, 1));
        table.release(&slot[0]);
        assert!(admits(&table, &slot, 3) && !admits(&table, &slot, 3));
    }

    #[test]
    fn requests_held_in_shared_places_are_given_back() {
        let table = table(1);
        let slots: Vec<_> = (0..10_000).map(|number| charge(&table, 2, &format!("{number}"))).collect();
        for _ in 0..3 {
            let held: Vec<_> = slots.iter().filter(|slot| admits(&table, std::slice::from_ref(slot), 1)).collect();
            assert!(held.len() > SHARDS * GROUP && held.len() < 10_000, "{}", held.len());
            // In another order than they came.
            held.iter().rev().for_each(|slot| table.release(slot));
            let shards = table.shards.iter().map(|shard| shard.lock().expect("no panic"));
            let left: u64 = shards
                .map(|shard| {
                    let shared: u64 = shard.overflow.values().map(|state| state.second).sum();
                    shared + shard.slots.iter().map(|slot| slot[2]).sum::<u64>()
                })
                .sum();
            assert_eq!(left, 0);
        }
    }

    #[test]
    fn new_keys_do_not_evict_known_ones() {
        let table = table(64 << 10);
        let known: Vec<_> = (0..100).map(|number| charge(&table, 1, &format!("known {number}"))).collect();
        for key in &known {
            assert!(admits(&table, std::slice::from_ref(key), 1));
        }
        let admitted =
            (0..100_000).filter(|number| admits(&table, &[charge(&table, 1, &format!("stranger {number}"))], 2));
        let admitted = admitted.count();
        let places = (64 << 10) / SLOT_BYTES;
        assert!(admitted <= places + SHARDS * 2, "{admitted} strangers in {places} places");
        for key in &known {
            let key = std::slice::from_ref(key);
            assert!(admits(&table, key, 3) && !admits(&table, key, 3), "the count is kept");
        }
        // When their time is over, their places are free.
        let later = Duration::from_secs(61).as_nanos() as u64;
        assert!(
            admits(&table, &[charge(&table, 1, "new")], later) && admits(&table, &[charge(&table, 1, "new")], later)
        );
        assert!(!admits(&table, &[charge(&table, 1, "new")], later));
    }

    #[test]
    fn a_million_keys_have_places_of_their_own() {
        let table = table(32 << 20);
        for number in 0..1_000_000_u32 {
            let key = table.hash(LimitId(1), [(1, &number.to_be_bytes()[..])].into_iter());
            let charge = Charge { limit: LimitId(1), algorithm: WINDOW, key, cost: 2 };
            assert!(admits(&table, &[charge], 1));
        }
        // 72 of 100 places are taken. Without a move a few keys would find none.
        let shared = (0..SHARDS).filter(|index| !table.lock_shard(*index).overflow.is_empty());
        assert_eq!(shared.count(), 0);
    }

    #[test]
    fn threads_neither_lose_nor_repeat_charges() {
        let algorithm = Algorithm::TokenBucket { limit: 10_000, interval: Duration::from_secs(86_400) };
        let table = Table::new([algorithm, algorithm].into(), 1 << 20);
        let admitted = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (table, admitted) = (&table, &admitted);
                scope.spawn(move || {
                    let charge = |limit: u32, key: &str| {
                        let key = table.hash(LimitId(limit), [(1, key.as_bytes())].into_iter());
                        Charge { limit: LimitId(limit), algorithm, key, cost: 1 }
                    };
                    // In both orders, so that locks would cross if they were taken as they come.
                    let (one, other) = (charge(0, "shared"), charge(1, &format!("own {}", thread % 2)));
                    let charges = if thread % 2 == 0 { [one, other] } else { [other, one] };
                    let mut readings = Vec::new();
                    for _ in 0..5_000 {
                        admitted.fetch_add(u64::from(table.charge(&charges, 1, &mut readings)), Relaxed);
                    }
                });
            }
        });
        assert_eq!(admitted.load(Relaxed), 10_000);
    }

    /// `cargo test --release -p gateway-limits --lib costs -- --ignored --nocapture`
    #[test]
    #[ignore = "a measurement"]
    fn the_cost_of_a_charge() {
        const CHARGES: u32 = 4_000_000;
        let algorithm = Algorithm::TokenBucket { limit: 1_000, interval: Duration::from_secs(86_400) };
        let begun = std::time::Instant::now();
        let measure = |what: &str, keys: u32, limits: u32| {
            let table = Table::new(vec![algorithm; 2], 32 << 20);
            let mut readings = Vec::new();
            let mut pass = |charges: u32| {
                let started = std::time::Instant::now();
                for number in 0..charges {
                    // In no order of memory.
                    let key = (number % keys).wrapping_mul(0x9E37_79B1).to_be_bytes();
                    let charge = |limit: u32| {
                        let limit = LimitId(limit);
                        Charge { limit, algorithm, key: table.hash(limit, [(1, &key[..])].into_iter()), cost: 1 }
                    };
                    let now = begun.elapsed().as_nanos() as u64 + 1;
                    let admitted = match limits {
                        1 => table.charge(&[charge(0)], now, &mut readings),
                        _ => table.charge(&[charge(0), charge(1)], now, &mut readings),
                    };
                    std::hint::black_box(admitted);
                }
                started.elapsed().as_nanos() as f64 / f64::from(charges)
            };
            let (new, known) = (pass(keys), pass(CHARGES));
            eprintln!("{what}: {known:.0} ns; the first time {new:.0} ns");
        };
        measure("one key", 1, 1);
        measure("a million keys", 1_000_000, 1);
        measure("four million keys, which have no room", 4_000_000, 1);
        measure("two limits, one key", 1, 2);
        measure("two limits, 500,000 keys", 500_000, 2);
    }
}
