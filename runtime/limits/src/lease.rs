//! `mode: fast`: what this node has been charged for ahead of its requests.
//!
//! A lease is charged at the store when it is taken, and used up within [`life`] of that, or lost. So all nodes together
//! never admit more than was charged, and at most that much later.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::algorithm::{Algorithm, Reading};
use crate::table::KeyHash;

/// Parts with a lock each.
const SHARDS: usize = 64;

/// Keys of a part that are remembered; a key without a place asks for each request.
const KEYS: usize = 1024;

/// A node has at most this part of a limit ahead.
const SHARE: u64 = 20;

/// No lease lasts longer.
const LONGEST: Duration = Duration::from_secs(1);

/// One question at a time asks for more than it needs, unless that takes longer than this.
const ASKING: u64 = 1_000_000_000;

/// The leases of this node.
#[derive(Debug)]
pub struct Leases {
    shards: Box<[Mutex<HashMap<KeyHash, Lease, foldhash::fast::RandomState>>]>,
}

#[derive(Debug, Default)]
struct Lease {
    /// What is left, and until when.
    left: u64,
    until: u64,
    /// What was used since it was last clear how much that is.
    used: u64,
    /// What to ask for.
    batch: u64,
    asking_until: u64,
    /// What the store said last, and when it was asked.
    seen: Option<(Reading, u64)>,
    /// It refused this much, and would again until then.
    refused: u64,
    refused_until: u64,
}

/// What a node knows without asking.
pub(crate) enum LeaseResult {
    /// The request is charged already, or is refused.
    Known(Reading),
    /// The store has to be asked, for this much more than the request needs.
    Ask(u64),
}

/// How long a lease may be used: a tenth of the time in which the limit comes back.
fn life(algorithm: &Algorithm) -> u64 {
    let tenth = algorithm.window().unwrap_or_default() / 10;
    u64::try_from(tenth.min(LONGEST).as_nanos()).unwrap_or(u64::MAX)
}

impl Leases {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    fn shard(&self, key: KeyHash) -> MutexGuard<'_, HashMap<KeyHash, Lease, foldhash::fast::RandomState>> {
        self.shards[key.spread() % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Charges a lease, if there is one.
    pub(crate) fn take(&self, key: KeyHash, algorithm: &Algorithm, cost: u64, now: u64) -> LeaseResult {
        let mut shard = self.shard(key);
        let Some(lease) = shard.get_mut(&key) else {
            if shard.len() >= KEYS {
                shard.retain(|_, lease| now < lease.until.max(lease.refused_until));
            }
            if shard.len() < KEYS {
                shard.insert(key, Lease::default());
            }
            return LeaseResult::Ask(0);
        };
        if now < lease.refused_until && cost >= lease.refused {
            return LeaseResult::Known(lease.reading(now, false));
        }
        if now >= lease.until {
            lease.left = 0;
        }
        if lease.left >= cost && lease.seen.is_some() {
            lease.left -= cost;
            lease.used += cost;
            return LeaseResult::Known(lease.reading(now, true));
        }
        if now < lease.asking_until {
            lease.used += cost;
            return LeaseResult::Ask(0);
        }
        lease.asking_until = now + ASKING;
        // As much again as was used in the life of the last one; twice that, if it did not last.
        lease.batch = if now < lease.until { lease.used.saturating_mul(2) } else { lease.used };
        lease.used = cost;
        LeaseResult::Ask(lease.batch.min(algorithm.capacity() / SHARE))
    }

    /// Puts away what the store gave to a question that was sent at `sent`.
    pub(crate) fn fill(
        &self,
        key: KeyHash,
        algorithm: &Algorithm,
        cost: u64,
        sent: u64,
        said: (Reading, u64),
        all: bool,
    ) {
        let (reading, extra) = said;
        let mut shard = self.shard(key);
        let Some(lease) = shard.get_mut(&key) else { return };
        lease.asking_until = 0;
        lease.seen = Some((reading, sent));
        let life = life(algorithm);
        if !reading.admitted {
            (lease.refused, lease.refused_until) = (cost, sent.saturating_add(reading.retry_after.min(life)));
            return;
        }
        if !all {
            return;
        }
        // What was charged in a window is of no use in the next.
        let life = if matches!(algorithm, Algorithm::FixedWindow { .. }) { life.min(reading.reset) } else { life };
        let until = sent.saturating_add(life);
        lease.until = if lease.left > 0 { lease.until.min(until) } else { until };
        lease.left += extra;
    }

    /// Gives back what a request took and did not need.
    pub(crate) fn give_back(&self, key: KeyHash, cost: u64, now: u64) {
        if let Some(lease) = self.shard(key).get_mut(&key).filter(|lease| now < lease.until) {
            lease.left += cost;
        }
    }
}

impl Lease {
    /// What the store said, with what has happened since.
    fn reading(&self, now: u64, admitted: bool) -> Reading {
        let Some((seen, at)) = self.seen else { return Reading { admitted, ..Reading::default() } };
        let passed = now.saturating_sub(at);
        Reading {
            admitted,
            remaining: if admitted { seen.remaining + self.left } else { 0 },
            reset: seen.reset.saturating_sub(passed),
            retry_after: if admitted { 0 } else { self.refused_until.saturating_sub(now) },
            delay: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithm::Counting;
    use crate::table::{LimitId, Table};

    const SECOND: u64 = 1_000_000_000;

    /// Nodes with leases of one counter, on one clock: never more than the limit, and few questions.
    #[test]
    fn leases_admit_what_was_charged() {
        let algorithm = Algorithm::FixedWindow { limit: 1_000, interval: Duration::from_secs(60) };
        let table = Table::new(vec![algorithm], 1 << 20);
        let key = table.hash(LimitId(0), [(1, &b"k"[..])].into_iter());
        let nodes = [Leases::new(), Leases::new(), Leases::new()];
        let (mut counter, mut admitted, mut asked) = (crate::algorithm::State::default(), 0, 0);
        let mut now = SECOND;
        for step in 0..6_000_usize {
            now += SECOND / 1_000;
            let node = &nodes[step % 3];
            let passes = match node.take(key, &algorithm, 1, now) {
                LeaseResult::Known(reading) => reading.admitted,
                LeaseResult::Ask(extra) => {
                    asked += 1;
                    let mut reading = algorithm.charge(&mut counter, now, 1);
                    let extra = if reading.admitted { extra.min(reading.remaining / 4) } else { 0 };
                    if extra > 0 {
                        reading = algorithm.charge(&mut counter, now, extra);
                    }
                    node.fill(key, &algorithm, 1, now, (reading, extra), reading.admitted);
                    reading.admitted
                }
            };
            admitted += usize::from(passes);
        }
        assert!((850..=1_000).contains(&admitted), "{admitted}");
        assert!(asked < 400, "{asked} questions");
    }

    #[test]
    fn unused_leases_expire() {
        let algorithm = Algorithm::TokenBucket { limit: 100, interval: Duration::from_secs(10) };
        let table = Table::new(vec![algorithm], 1 << 20);
        let key = table.hash(LimitId(0), [(1, &b"k"[..])].into_iter());
        let leases = Leases::new();
        let reading = Reading { admitted: true, remaining: 90, reset: SECOND, ..Reading::default() };
        assert!(
            matches!(leases.take(key, &algorithm, 1, SECOND), LeaseResult::Ask(0)),
            "the number of requests is not known"
        );
        leases.fill(key, &algorithm, 1, SECOND, (reading, 5), true);
        let at =
            |time| matches!(leases.take(key, &algorithm, 1, time), LeaseResult::Known(reading) if reading.admitted);
        assert!(at(SECOND + 1) && at(2 * SECOND - 1));
        assert!(!at(2 * SECOND), "a tenth of the interval has passed");
    }
}
