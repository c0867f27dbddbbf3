//! Counts failed logins: whoever guesses is told to wait, whatever he guesses then.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Failures of one account from one address, of one account from anywhere, and from one address at any account: so many
/// in so many seconds.
const PAIR: Allowance = Allowance { failures: 10, seconds: 600 };
const ACCOUNT: Allowance = Allowance { failures: 100, seconds: 3600 };
const ADDRESS: Allowance = Allowance { failures: 100, seconds: 600 };

/// Whoever was right at an address is let in there for so long, in seconds, however many fail elsewhere: otherwise anybody
/// could lock anybody out.
const KNOWN: u64 = 30 * 24 * 3600;

/// Counters that are kept; the oldest windows go first.
const CAPACITY: usize = 100_000;

struct Allowance {
    failures: u32,
    seconds: u64,
}

/// The failures of late, in this process.
pub(super) struct Attempts {
    /// With a key of its own, so that nobody can choose what collides.
    hasher: RandomState,
    counters: Mutex<HashMap<u64, Window>>,
}

#[derive(Clone, Copy)]
struct Window {
    ends: u64,
    failures: u32,
    /// Attempts of which nobody knows yet.
    pending: u32,
}

/// An attempt that takes a while. It counts as a failure until it ends: of guesses that come together, no more are tried
/// than of those that come one by one.
pub(super) struct Pending<'a> {
    attempts: &'a Attempts,
    keys: [u64; 3],
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        let mut counters = self.attempts.lock();
        for key in self.keys {
            if let Some(window) = counters.get_mut(&key) {
                window.pending = window.pending.saturating_sub(1);
            }
        }
    }
}

/// An account, and where somebody says to be its owner.
#[derive(Clone, Copy)]
pub(super) struct Attempt<'a> {
    /// What kind of account it is: names of clients are not names of users.
    pub(super) kind: &'static str,
    pub(super) account: &'a str,
    pub(super) address: IpAddr,
}

impl Attempts {
    pub(super) fn new() -> Self {
        Self { hasher: RandomState::new(), counters: Mutex::default() }
    }

    /// How many seconds nobody is believed who says to own this account; 0 where it may be tried.
    pub(super) fn wait(&self, attempt: Attempt<'_>, now: u64) -> u64 {
        self.wait_in(&self.lock(), attempt, now)
    }

    fn wait_in(&self, counters: &HashMap<u64, Window>, attempt: Attempt<'_>, now: u64) -> u64 {
        let is_known = counters.get(&self.known(attempt)).is_some_and(|window| window.ends > now);
        let keys = self.keys(attempt).into_iter().enumerate().filter(|(index, _)| !(is_known && *index == OF_ACCOUNT));
        let waits = keys.map(|(_, (key, allowance))| match counters.get(&key) {
            Some(window) if window.ends > now && window.failures >= allowance.failures => window.ends - now,
            Some(window) if window.failures_by(now).saturating_add(window.pending) >= allowance.failures => 1,
            _ => 0,
        });
        waits.max().unwrap_or_default()
    }

    /// Begins an attempt that takes a while.
    ///
    /// # Errors
    /// As many seconds as [`Attempts::wait`] says.
    pub(super) fn begin(&self, attempt: Attempt<'_>, now: u64) -> Result<Pending<'_>, u64> {
        let mut counters = self.lock();
        match self.wait_in(&counters, attempt, now) {
            0 => {}
            seconds => return Err(seconds),
        }
        make_room(&mut counters, now);
        let keys = self.keys(attempt).map(|(key, allowance)| {
            let window =
                counters.entry(key).or_insert(Window { ends: now + allowance.seconds, failures: 0, pending: 0 });
            window.pending = window.pending.saturating_add(1);
            key
        });
        Ok(Pending { attempts: self, keys })
    }

    /// Notes that somebody does own the account, and is at this address.
    pub(super) fn succeed(&self, attempt: Attempt<'_>, now: u64) {
        let mut counters = self.lock();
        make_room(&mut counters, now);
        counters.insert(self.known(attempt), Window { ends: now + KNOWN, failures: 0, pending: 0 });
    }

    /// Notes a failure.
    pub(super) fn fail(&self, attempt: Attempt<'_>, now: u64) {
        let mut counters = self.lock();
        make_room(&mut counters, now);
        for (key, allowance) in self.keys(attempt) {
            let window = counters.entry(key).or_insert(Window { ends: 0, failures: 0, pending: 0 });
            if window.ends <= now {
                *window = Window { ends: now + allowance.seconds, failures: 0, pending: window.pending };
            }
            window.failures = window.failures.saturating_add(1);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Window>> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, Attempt { kind, account, address }: Attempt<'_>) -> u64 {
        self.hasher.hash_one(("known", kind, account, whole(address)))
    }

    fn keys(&self, Attempt { kind, account, address }: Attempt<'_>) -> [(u64, &'static Allowance); 3] {
        let address = whole(address);
        [
            (self.hasher.hash_one((kind, account, address)), &PAIR),
            (self.hasher.hash_one((kind, account)), &ACCOUNT),
            (self.hasher.hash_one(("address", address)), &ADDRESS),
        ]
    }
}

/// Where [`Attempts::keys`] has the counter of the account.
const OF_ACCOUNT: usize = 1;

impl Window {
    fn failures_by(&self, now: u64) -> u32 {
        if self.ends > now { self.failures } else { 0 }
    }
}

/// Whoever has an IPv6 address has a /64 of them.
fn whole(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address) >> 64 | 1 << 127,
    }
}

/// Room for what one attempt notes.
fn make_room(counters: &mut HashMap<u64, Window>, now: u64) {
    if counters.len() + 3 <= CAPACITY {
        return;
    }
    counters.retain(|_, window| window.ends > now);
    if counters.len() + 3 > CAPACITY {
        // Somebody fills the table: half of it is enough for the rest of his day.
        let mut ends: Vec<u64> = counters.values().map(|window| window.ends).collect();
        let middle = ends.len() / 2;
        let (_, &mut median, _) = ends.select_nth_unstable(middle);
        counters.retain(|_, window| window.ends > median);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_are_limited_by_account_and_address() {
        let attempts = Attempts::new();
        let at = |account: &'static str, address: [u8; 4]| Attempt { kind: "user", account, address: address.into() };
        let (bob, elsewhere) = (at("bob", [10, 0, 0, 1]), at("bob", [10, 0, 0, 2]));
        for _ in 0..PAIR.failures {
            assert_eq!(attempts.wait(bob, 1_000), 0);
            attempts.fail(bob, 1_000);
        }
        assert_eq!(attempts.wait(bob, 1_001), 599);
        assert_eq!(attempts.wait(elsewhere, 1_001), 0, "bob himself can log in elsewhere");
        assert_eq!(attempts.wait(at("ann", [10, 0, 0, 1]), 1_001), 0);
        assert_eq!(attempts.wait(bob, 1_600), 0);
        for number in 0..ACCOUNT.failures {
            attempts.fail(at("eve", [10, 1, 0, number as u8]), 2_000);
        }
        assert!(attempts.wait(at("eve", [10, 9, 9, 9]), 2_000) > 0, "from many addresses");
        attempts.succeed(at("eve", [10, 9, 9, 9]), 1_000);
        assert_eq!(attempts.wait(at("eve", [10, 9, 9, 9]), 2_000), 0, "eve is at home there");
        assert!(attempts.wait(at("eve", [10, 9, 9, 8]), 2_000) > 0);
    }

    #[test]
    fn guesses_that_come_together_are_as_few() {
        let attempts = Attempts::new();
        let bob = Attempt { kind: "user", account: "bob", address: [10, 0, 0, 1].into() };
        let mut pending: Vec<_> = (0..PAIR.failures).filter_map(|_| attempts.begin(bob, 1_000).ok()).collect();
        assert_eq!(pending.len(), PAIR.failures as usize);
        assert_eq!(attempts.begin(bob, 1_000).err(), Some(1));
        pending.pop();
        assert!(attempts.begin(bob, 1_000).is_ok(), "one was right");
        for ended in pending {
            attempts.fail(bob, 1_000);
            drop(ended);
        }
        assert!(attempts.begin(bob, 1_000).is_ok(), "nine have failed");
        attempts.fail(bob, 1_000);
        assert_eq!(attempts.begin(bob, 1_001).err(), Some(599));
    }

    #[test]
    fn the_table_is_bounded() {
        let attempts = Attempts::new();
        for number in 0..80_000_u32 {
            let account = number.to_string();
            attempts.fail(Attempt { kind: "user", account: &account, address: IpAddr::from(number.to_be_bytes()) }, 5);
        }
        assert!(attempts.counters.lock().unwrap_or_else(PoisonError::into_inner).len() <= CAPACITY);
    }
}
