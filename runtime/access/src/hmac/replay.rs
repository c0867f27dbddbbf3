//! Signatures that have been used, for as long as they could be used again.
//!
//! A live signature is never forgotten: when there is no room, nothing new is accepted. One set serves all threads and
//! all schemes of the process, for what two schemes would take counts once all the same; what matters is decided under
//! the lock of one shard.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use aws_lc_rs::digest;

use crate::hmac::claim::Window;

const SHARDS: usize = 16;

/// Live signatures in one shard, at most: 2^20 in all, some 80 MiB.
const SHARD_ROOM: usize = (1 << 20) / SHARDS;

/// Enough of a SHA-256 digest to tell signatures apart.
type Mark = [u8; 16];

static USED: LazyLock<Used> = LazyLock::new(|| Used::with_room(SHARD_ROOM));

/// The signatures that this process has accepted, for a scheme whose clients' clocks may differ by `skew` seconds.
pub(super) fn used(skew: u64) -> &'static Used {
    USED.expect(skew);
    &USED
}

/// Signatures that have been accepted.
pub(super) struct Used {
    /// The longest of all schemes, in seconds: what is too old for one may do for another.
    skew: AtomicU64,
    shards: [Mutex<Shard>; SHARDS],
    shard_room: usize,
}

#[derive(Default)]
struct Shard {
    /// The latest time at which this shard was asked. What ended before is forgotten.
    clock: u64,
    /// The request that used each signature.
    used_by: HashMap<Mark, u64>,
    /// The last second of each signature.
    by_end: BTreeMap<u64, Vec<Mark>>,
}

/// Why a signature cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotUsable {
    /// Another request has used it.
    Again,
    /// Its time has passed while its request was being read, so that a replay cannot be ruled out.
    Late,
    /// There is no room to remember it.
    Full,
}

impl std::fmt::Debug for Used {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Used")
    }
}

impl Used {
    fn with_room(shard_room: usize) -> Self {
        Self { skew: AtomicU64::new(0), shards: std::array::from_fn(|_| Mutex::default()), shard_room }
    }

    fn expect(&self, skew: u64) {
        self.skew.fetch_max(skew, Ordering::Relaxed);
    }

    /// Lets one request use a signature. The same request may ask again: its security may name a scheme twice.
    pub(super) fn claim(
        &self,
        key_id: &str,
        mac: &[u8],
        window: Window,
        now: u64,
        request: u64,
    ) -> Result<(), NotUsable> {
        let mark = mark(key_id, mac);
        let end = window.end(self.skew.load(Ordering::Relaxed));
        let shard = &self.shards[usize::from(mark[0]) % SHARDS];
        // A shard is as good as its last whole change; nothing in here panics between two halves of one.
        shard.lock().unwrap_or_else(PoisonError::into_inner).claim(mark, end, now, request, self.shard_room)
    }
}

impl Shard {
    fn claim(&mut self, mark: Mark, end: u64, now: u64, request: u64, room: usize) -> Result<(), NotUsable> {
        self.forget_before(now);
        if end < self.clock {
            return Err(NotUsable::Late);
        }
        match self.used_by.get(&mark) {
            Some(user) if *user == request => Ok(()),
            Some(_) => Err(NotUsable::Again),
            None if self.used_by.len() >= room => Err(NotUsable::Full),
            None => {
                self.used_by.insert(mark, request);
                self.by_end.entry(end).or_default().push(mark);
                Ok(())
            }
        }
    }

    fn forget_before(&mut self, now: u64) {
        if now <= self.clock {
            return;
        }
        self.clock = now;
        let deployment = self.by_end.split_off(&now);
        for mark in std::mem::replace(&mut self.by_end, deployment).into_values().flatten() {
            self.used_by.remove(&mark);
        }
    }
}

fn mark(key_id: &str, mac: &[u8]) -> Mark {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(mac);
    context.update(key_id.as_bytes());
    let mut mark = Mark::default();
    mark.copy_from_slice(&context.finish().as_ref()[..16]);
    mark
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn ends(made: u64) -> Window {
        Window { made, expires: None }
    }

    #[test]
    fn schemes_share_what_they_remember_and_the_longest_time_counts() {
        let used = Used::with_room(SHARD_ROOM);
        used.expect(300);
        used.expect(60);
        assert_eq!(used.claim("k", b"a", ends(1000), 1000, 1), Ok(()));
        assert_eq!(used.claim("k", b"a", ends(1000), 1300, 2), Err(NotUsable::Again));
        assert_eq!(used.claim("k", b"a", ends(1000), 1301, 2), Err(NotUsable::Late));
        let expiring = Window { made: 1300, expires: Some(1310) };
        assert_eq!(used.claim("k", b"a", expiring, 1310, 3), Ok(()));
        assert_eq!(used.claim("k", b"a", expiring, 1311, 3), Err(NotUsable::Late));
    }

    #[test]
    fn a_signature_is_used_once_and_forgotten_when_it_has_ended() {
        let used = Used::with_room(SHARD_ROOM);
        assert_eq!(used.claim("k", b"a", ends(100), 50, 1), Ok(()));
        assert_eq!(used.claim("k", b"a", ends(100), 50, 1), Ok(()), "the same request");
        assert_eq!(used.claim("k", b"a", ends(100), 100, 2), Err(NotUsable::Again));
        assert_eq!(used.claim("other", b"a", ends(100), 100, 2), Ok(()));
        // What was judged before, and is asked late, must not profit from the forgetting.
        let shard = &used.shards[usize::from(mark("k", b"a")[0]) % SHARDS];
        shard.lock().expect("no panic").forget_before(101);
        assert!(shard.lock().expect("no panic").used_by.is_empty());
        assert_eq!(used.claim("k", b"a", ends(100), 100, 3), Err(NotUsable::Late));
    }

    #[test]
    fn nothing_live_is_forgotten_for_want_of_room() {
        let used = Used::with_room(2);
        let accepted: Vec<u64> =
            (0..1000u64).filter(|mac| used.claim("k", &mac.to_be_bytes(), ends(100), 50, *mac).is_ok()).collect();
        assert_eq!(accepted.len(), 2 * SHARDS);
        for mac in &accepted {
            assert_eq!(used.claim("k", &mac.to_be_bytes(), ends(100), 60, 5000), Err(NotUsable::Again));
        }
        let full = (0..1000u64).find(|mac| !accepted.contains(mac)).expect("one");
        assert_eq!(used.claim("k", &full.to_be_bytes(), ends(100), 60, 5000), Err(NotUsable::Full));
        assert_eq!(used.claim("k", &full.to_be_bytes(), ends(200), 101, 5000), Ok(()), "room again");
    }

    #[test]
    fn one_of_many_threads_gets_it() {
        let (used, winners) = (Used::with_room(SHARD_ROOM), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for request in 0..8 {
                let (used, winners) = (&used, &winners);
                scope.spawn(move || {
                    for mac in 0..500u32 {
                        if used.claim("k", &mac.to_be_bytes(), ends(100), 50, request).is_ok() {
                            winners.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(winners.into_inner(), 500);
    }
}
