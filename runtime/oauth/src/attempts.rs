//! Counts failed logins: after too many, further attempts have to wait, also those with the right password.

use std::net::IpAddr;

use gateway_base::address::Address;
use gateway_limits::failure_windows::{Allowance, FailureWindows, Table};

/// Failures of one account from one address, of one account from anywhere, and from one address at any account.
const PAIR: Allowance = Allowance { failures: 10, seconds: 600 };
const ACCOUNT: Allowance = Allowance { failures: 100, seconds: 3600 };
const ADDRESS: Allowance = Allowance { failures: 100, seconds: 600 };

/// After a successful login, its address is admitted for this time, in seconds, however many fail elsewhere: otherwise
/// an attacker could lock the owner out.
const KNOWN: u64 = 30 * 24 * 3600;

/// The recent failures, in this process.
pub(super) struct Attempts {
    windows: FailureWindows,
    /// Successful logins, by account and address. A table of its own, so that neither displaces the other.
    known: FailureWindows,
}

/// An attempt that takes a while. It counts as a failure until it ends.
pub(super) struct Pending<'a> {
    attempts: &'a Attempts,
    keys: [u64; 3],
    now: u64,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        let mut windows = self.attempts.windows.lock();
        for key in self.keys {
            windows.end(key, self.now);
        }
    }
}

/// An account, and the address of the client that claims it.
#[derive(Clone, Copy)]
pub(super) struct Attempt<'a> {
    /// What kind of account it is: names of clients are not names of users.
    pub(super) kind: &'static str,
    pub(super) account: &'a str,
    pub(super) address: IpAddr,
}

impl Attempts {
    pub(super) fn new() -> Self {
        Self { windows: FailureWindows::new(), known: FailureWindows::new() }
    }

    /// For how many seconds attempts at this account are refused; 0 where it may be tried.
    pub(super) fn wait(&self, attempt: Attempt<'_>, now: u64) -> u64 {
        let is_known = self.is_known(attempt, now);
        self.wait_in(&self.windows.lock(), attempt, is_known, now)
    }

    fn wait_in(&self, windows: &Table, attempt: Attempt<'_>, is_known: bool, now: u64) -> u64 {
        let keys = self.keys(attempt).into_iter().enumerate().filter(|(index, _)| !(is_known && *index == OF_ACCOUNT));
        keys.map(|(_, (key, allowance))| windows.wait(key, allowance, now)).max().unwrap_or_default()
    }

    /// Begins an attempt that takes a while.
    ///
    /// # Errors
    /// As many seconds as [`Attempts::wait`] says.
    pub(super) fn begin(&self, attempt: Attempt<'_>, now: u64) -> Result<Pending<'_>, u64> {
        let is_known = self.is_known(attempt, now);
        let mut windows = self.windows.lock();
        match self.wait_in(&windows, attempt, is_known, now) {
            0 => {}
            seconds => return Err(seconds),
        }
        let keys = self.keys(attempt).map(|(key, _)| key);
        for key in keys {
            windows.begin(key, now);
        }
        Ok(Pending { attempts: self, keys, now })
    }

    /// Notes a successful login at this address.
    pub(super) fn succeed(&self, attempt: Attempt<'_>, now: u64) {
        self.known.lock().remember(self.known_key(attempt), now.saturating_add(KNOWN), now);
    }

    /// Notes a failure.
    pub(super) fn fail(&self, attempt: Attempt<'_>, now: u64) {
        let mut windows = self.windows.lock();
        for (key, allowance) in self.keys(attempt) {
            windows.fail(key, allowance, now);
        }
    }

    fn is_known(&self, attempt: Attempt<'_>, now: u64) -> bool {
        self.known.lock().has(self.known_key(attempt), now)
    }

    fn known_key(&self, Attempt { kind, account, address }: Attempt<'_>) -> u64 {
        self.known.key((kind, account, Address::of(address)))
    }

    fn keys(&self, Attempt { kind, account, address }: Attempt<'_>) -> [(u64, Allowance); 3] {
        let address = Address::of(address);
        [
            (self.windows.key((kind, account, address)), PAIR),
            (self.windows.key((kind, account)), ACCOUNT),
            (self.windows.key(("address", address)), ADDRESS),
        ]
    }
}

/// Where [`Attempts::keys`] has the counter of the account.
const OF_ACCOUNT: usize = 1;

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
    fn failures_are_counted_however_many_are_known() {
        let attempts = Attempts::new();
        let bob = Attempt { kind: "user", account: "bob", address: [10, 0, 0, 1].into() };
        for number in 0..150_000_u32 {
            attempts.succeed(Attempt { address: number.to_be_bytes().into(), ..bob }, 1_000);
        }
        for _ in 0..PAIR.failures {
            assert_eq!(attempts.wait(bob, 1_000), 0);
            attempts.fail(bob, 1_000);
        }
        assert_eq!(attempts.wait(bob, 1_001), 599);
    }

    #[test]
    fn concurrent_guesses_are_limited_like_sequential_ones() {
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
}
