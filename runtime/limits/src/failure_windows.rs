//! Failures, counted by key in windows of time. The table is bounded: of many counters, those go first that matter least.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counters that are kept in a table, beside those of attempts that are not decided yet.
const CAPACITY: usize = 100_000;

/// A number of failures in a number of seconds, from the first failure on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// The failures that are admitted in a window.
    pub failures: u64,
    /// The length of the window, in seconds from its first failure on.
    pub seconds: u64,
}

/// A table of counters that is shared by all threads.
#[derive(Debug)]
pub struct FailureWindows {
    /// With a key of its own, so that no client can choose what collides.
    hasher: RandomState,
    table: Mutex<Table>,
}

impl Default for FailureWindows {
    fn default() -> Self {
        Self::new()
    }
}

impl FailureWindows {
    /// An empty table.
    pub fn new() -> Self {
        Self { hasher: RandomState::new(), table: Mutex::new(Table::of(CAPACITY)) }
    }

    /// The key of whatever is counted together.
    pub fn key(&self, counted: impl Hash) -> u64 {
        self.hasher.hash_one(counted)
    }

    /// Locks the table. Other threads wait meanwhile, so the guard must not be held across an `await`.
    pub fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counters by key.
#[derive(Debug)]
pub struct Table {
    capacity: usize,
    windows: HashMap<u64, Window>,
    /// The counters that can go, the first one first: those that are nearest to their limit are the last, and of equals the
    /// oldest is first.
    order: BTreeSet<Rank>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Window {
    /// In seconds since the epoch; 0 before the first failure.
    ends: u64,
    failures: u64,
    /// Attempts that are not decided yet.
    pending: u64,
    level: u8,
}

/// [`Window::level`] of a counter at its limit: another failure is not admitted before the window ends. Those below have
/// the share of it that they have used: one failure at each of many names evicts no counter that is near its limit.
const SPENT: u8 = 16;

/// When a counter goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    level: u8,
    ends: u64,
    key: u64,
}

impl Window {
    fn failures_at(&self, now: u64) -> u64 {
        if self.ends > now { self.failures } else { 0 }
    }
}

impl Table {
    fn of(capacity: usize) -> Self {
        Self { capacity, windows: HashMap::new(), order: BTreeSet::new() }
    }

    /// The seconds until another attempt is checked; 0 for at once. An attempt that is not decided yet counts as a
    /// failure: of guesses that come together no more are tried than of those that come one by one.
    pub fn wait(&self, key: u64, allowance: Allowance, now: u64) -> u64 {
        let Some(window) = self.windows.get(&key) else { return 0 };
        let failures = window.failures_at(now);
        match () {
            () if failures >= allowance.failures => window.ends - now,
            () if failures.saturating_add(window.pending) >= allowance.failures => 1,
            () => 0,
        }
    }

    /// Begins an attempt, which has to be ended.
    pub fn begin(&mut self, key: u64, now: u64) {
        self.change(key, now, |window| window.pending = window.pending.saturating_add(1));
    }

    /// Ends an attempt. Nothing is left of a counter without failures.
    pub fn end(&mut self, key: u64, now: u64) {
        if !self.windows.contains_key(&key) {
            return;
        }
        self.change(key, now, |window| window.pending = window.pending.saturating_sub(1));
        if self.windows.get(&key).is_some_and(|window| window.pending == 0 && window.failures_at(now) == 0) {
            self.remove(key);
        }
    }

    /// Counts a failure.
    pub fn fail(&mut self, key: u64, allowance: Allowance, now: u64) {
        self.change(key, now, |window| {
            if window.ends <= now {
                (window.ends, window.failures) = (now.saturating_add(allowance.seconds), 0);
            }
            window.failures = window.failures.saturating_add(1);
            let used = window.failures.saturating_mul(SPENT.into()).checked_div(allowance.failures);
            window.level = used.map_or(SPENT, |used| u8::try_from(used).unwrap_or(SPENT).min(SPENT));
        });
    }

    /// Keeps a key that has no failures.
    pub fn remember(&mut self, key: u64, until: u64, now: u64) {
        self.change(key, now, |window| window.ends = until);
    }

    /// Whether a window of this key, or the time for which it is remembered, has not ended.
    pub fn has(&self, key: u64, now: u64) -> bool {
        self.windows.get(&key).is_some_and(|window| window.ends > now)
    }

    /// How many keys have failed or are being tried.
    pub fn count(&self) -> usize {
        self.windows.len()
    }

    fn change(&mut self, key: u64, now: u64, change: impl FnOnce(&mut Window)) {
        match self.windows.get(&key) {
            Some(window) => {
                self.order.remove(&rank(key, window));
            }
            None => self.make_room(now),
        }
        let window = self.windows.entry(key).or_default();
        change(window);
        // One that is waited for must not be forgotten: what has failed meanwhile would not count.
        if window.pending == 0 {
            self.order.insert(rank(key, window));
        }
    }

    /// For one counter more; no more go than have to.
    fn make_room(&mut self, now: u64) {
        while self.windows.len() >= self.capacity {
            let first_of = |level| self.order.range(Rank { level, ends: 0, key: 0 }..).next();
            let ended = (0..=SPENT).filter_map(first_of).find(|rank| rank.ends <= now);
            let Some(rank) = ended.or(self.order.first()).copied() else { return };
            self.remove(rank.key);
        }
    }

    fn remove(&mut self, key: u64) {
        if let Some(window) = self.windows.remove(&key) {
            self.order.remove(&rank(key, &window));
        }
    }
}

fn rank(key: u64, window: &Window) -> Rank {
    Rank { level: window.level, ends: window.ends, key }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: Allowance = Allowance { failures: 2, seconds: 60 };

    #[test]
    fn a_full_table_evicts_no_more_than_needed_when_all_windows_end_together() {
        let mut table = Table::of(100);
        table.fail(0, TWO, 1_000);
        table.fail(0, TWO, 1_000);
        for key in 1..1_000 {
            table.fail(key, TWO, 1_000);
            assert_eq!(table.count(), 100.min(usize::try_from(key).expect("small") + 1));
            assert_eq!(table.order.len(), table.count());
        }
        assert_eq!(table.wait(0, TWO, 1_001), 59, "at its limit");
        let kept = (1..1_000).filter(|key| table.has(*key, 1_001)).count();
        assert_eq!(kept, 99);
    }

    #[test]
    fn the_oldest_windows_are_evicted_first_and_those_at_their_limit_last() {
        let mut table = Table::of(4);
        for (key, now) in [(1, 10), (1, 10), (2, 11), (2, 11), (3, 12), (4, 13)] {
            table.fail(key, TWO, now);
        }
        let kept = |table: &Table| (1..=9).filter(|key| table.has(*key, 20)).collect::<Vec<_>>();
        table.fail(5, TWO, 14);
        assert_eq!(kept(&table), [1, 2, 4, 5]);
        for key in [4, 5, 4, 5] {
            table.fail(key, TWO, 15);
        }
        table.fail(6, TWO, 16);
        assert_eq!(kept(&table), [2, 4, 5, 6], "all are at their limit");
        // Useless from now on, and evicted before others.
        table.fail(6, TWO, 16);
        table.fail(7, TWO, 72);
        assert!(!table.windows.contains_key(&2) && table.windows.len() == 4);
    }

    #[test]
    fn failures_at_many_keys_evict_no_key_near_its_limit() {
        let ten = Allowance { failures: 10, seconds: 60 };
        let mut table = Table::of(100);
        for _ in 0..9 {
            table.fail(0, ten, 10);
        }
        for key in 1..1_000 {
            table.fail(key, ten, 11);
            table.fail(key, ten, 11);
        }
        table.fail(0, ten, 12);
        assert_eq!(table.wait(0, ten, 12), 58);
    }

    #[test]
    fn undecided_attempts_are_not_evicted() {
        let mut table = Table::of(2);
        table.begin(1, 10);
        for key in 2..9 {
            table.fail(key, TWO, 10);
        }
        assert_eq!((table.count(), table.wait(1, Allowance { failures: 1, seconds: 60 }, 10)), (2, 1));
        table.fail(1, TWO, 10);
        table.end(1, 10);
        table.begin(1, 11);
        assert_eq!(table.wait(1, TWO, 11), 1, "one failed, one is not decided");
        table.end(1, 11);
        assert_eq!(table.wait(1, TWO, 11), 0);
        // Right credentials leave nothing behind.
        table.begin(9, 11);
        table.end(9, 11);
        assert!(!table.windows.contains_key(&9));
        assert_eq!(table.order.len(), table.count());
    }
}
