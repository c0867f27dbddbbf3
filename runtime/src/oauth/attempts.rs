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
        let counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = self.keys(attempt).into_iter().map(|(key, allowance)| match counters.get(&key) {
            Some(window) if window.ends > now && window.failures >= allowance.failures => window.ends - now,
            _ => 0,
        });
        waits.max().unwrap_or_default()
    }

    /// Notes a failure.
    pub(super) fn fail(&self, attempt: Attempt<'_>, now: u64) {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        if counters.len() + 3 > CAPACITY {
            counters.retain(|_, window| window.ends > now);
            if counters.len() + 3 > CAPACITY {
                // Somebody fills the table: half of it is enough for the rest of his day.
                let mut ends: Vec<u64> = counters.values().map(|window| window.ends).collect();
                let middle = ends.len() / 2;
                let (_, &mut median, _) = ends.select_nth_unstable(middle);
                counters.retain(|_, window| window.ends > median);
            }
        }
        for (key, allowance) in self.keys(attempt) {
            let window = counters.entry(key).or_insert(Window { ends: 0, failures: 0 });
            if window.ends <= now {
                *window = Window { ends: now + allowance.seconds, failures: 0 };
            }
            window.failures = window.failures.saturating_add(1);
        }
    }

    fn keys(&self, Attempt { kind, account, address }: Attempt<'_>) -> [(u64, &'static Allowance); 3] {
        // Whoever has an IPv6 address has a /64 of them.
        let address = match address {
            IpAddr::V4(address) => u128::from(u32::from(address)),
            IpAddr::V6(address) => u128::from(address) >> 64 | 1 << 127,
        };
        [
            (self.hasher.hash_one((kind, account, address)), &PAIR),
            (self.hasher.hash_one((kind, account)), &ACCOUNT),
            (self.hasher.hash_one(("address", address)), &ADDRESS),
        ]
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
