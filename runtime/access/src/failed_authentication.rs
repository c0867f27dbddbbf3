//! Limits of wrong credentials: a client that guesses is refused before the next guess is checked.
//!
//! A failure is counted when it is known. Until then the attempt counts as one, so that of guesses that come together no
//! more are tried than of those that come one by one.

use std::net::IpAddr;
use std::sync::Arc;

use crate::request_view::{CredentialLocation, Found, RequestView};
use crate::tables::FailureLimit;
use gateway_base::address::Address;
use gateway_limits::failure_windows::{Allowance, FailureWindows};
use gateway_limits::tables::LimitKey;

/// A limit with its counters.
#[derive(Debug)]
pub struct Failures {
    table: &'static FailureLimit,
    windows: FailureWindows,
}

impl Failures {
    /// The limit of `table`, with no failures counted.
    pub fn new(table: &'static FailureLimit) -> Self {
        Self { table, windows: FailureWindows::new() }
    }

    /// Whether both count the same, so that one can stand for the other.
    pub fn counts_like(&self, other: &FailureLimit) -> bool {
        let FailureLimit { scheme: _, limit, interval, key } = self.table;
        (*limit, *interval, *key) == (other.limit, other.interval, other.key)
    }

    /// Whose failures are counted together.
    fn key(&self, address: IpAddr, view: &RequestView<'_>) -> u64 {
        let parts = self.table.key.iter().map(|part| match part {
            LimitKey::Header(name) => match CredentialLocation::Header(name).find(view) {
                Found::One(value) => Part::Text(value.into_owned()),
                Found::Nothing | Found::Ambiguous => Part::None,
            },
            LimitKey::Const(text) => Part::Text((*text).to_owned()),
            _ => Part::Address(Address::of(address)),
        });
        self.windows.key(parts.collect::<Vec<_>>())
    }

    fn allowance(&self) -> Allowance {
        Allowance { failures: self.table.limit, seconds: self.table.interval.as_secs().max(1) }
    }

    /// Begins an attempt.
    ///
    /// # Errors
    /// The seconds until another one is checked.
    fn begin(&self, key: u64, now: u64) -> Result<(), u64> {
        let mut windows = self.windows.lock();
        match windows.wait(key, self.allowance(), now) {
            0 => {
                windows.begin(key, now);
                Ok(())
            }
            seconds => Err(seconds),
        }
    }

    /// Ends an attempt.
    fn end(&self, key: u64, has_failed: bool, now: u64) {
        let mut windows = self.windows.lock();
        if has_failed {
            windows.fail(key, self.allowance(), now);
        }
        windows.end(key, now);
    }
}

#[derive(Hash)]
enum Part {
    None,
    Text(String),
    Address(Address),
}

/// The attempts of one request, which end with it.
#[derive(Debug, Default)]
pub struct Attempts(Vec<Attempt>);

#[derive(Debug)]
struct Attempt {
    limit: Arc<Failures>,
    key: u64,
    has_failed: bool,
    now: u64,
}

impl Attempts {
    /// Begins an attempt, unless this request has begun it before.
    ///
    /// # Errors
    /// The seconds until another one is checked.
    pub(crate) fn begin(
        &mut self,
        limit: &Arc<Failures>,
        address: IpAddr,
        view: &RequestView<'_>,
        now: u64,
    ) -> Result<(), u64> {
        if self.0.iter().any(|attempt| Arc::ptr_eq(&attempt.limit, limit)) {
            return Ok(());
        }
        let key = limit.key(address, view);
        limit.begin(key, now)?;
        self.0.push(Attempt { limit: Arc::clone(limit), key, has_failed: false, now });
        Ok(())
    }

    /// Notes that the credential is wrong.
    pub(crate) fn fail(&mut self, limit: &Arc<Failures>) {
        let mut attempts = self.0.iter_mut();
        if let Some(attempt) = attempts.find(|attempt| Arc::ptr_eq(&attempt.limit, limit)) {
            attempt.has_failed = true;
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.limit.end(self.key, self.has_failed, self.now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    static THREE: FailureLimit =
        FailureLimit { scheme: "basic", limit: 3, interval: Duration::from_secs(60), key: &[LimitKey::Ip] };

    fn attempt(limit: &Arc<Failures>, address: &str, now: u64, is_right: bool) -> Result<(), u64> {
        let mut attempts = Attempts::default();
        attempts.begin(limit, address.parse().expect("an address"), &RequestView::of(&[], None), now)?;
        if !is_right {
            attempts.fail(limit);
        }
        Ok(())
    }

    #[test]
    fn failures_of_an_address_are_limited_per_window() {
        let limit = Arc::new(Failures::new(&THREE));
        for now in [100, 101, 102] {
            assert_eq!(attempt(&limit, "192.0.2.1", now, false), Ok(()));
            assert_eq!(attempt(&limit, "192.0.2.1", now, true), if now < 102 { Ok(()) } else { Err(58) });
        }
        assert_eq!(attempt(&limit, "192.0.2.1", 110, true), Err(50));
        assert_eq!(attempt(&limit, "192.0.2.2", 110, false), Ok(()));
        assert_eq!(attempt(&limit, "192.0.2.1", 160, true), Ok(()));
        // An IPv6 network counts as one.
        for last in 1..=3 {
            assert_eq!(attempt(&limit, &format!("2001:db8::{last}"), 200, false), Ok(()));
        }
        assert_eq!(attempt(&limit, "2001:db8::9", 200, true), Err(60));
    }

    #[test]
    fn undecided_attempts_count() {
        let limit = Arc::new(Failures::new(&THREE));
        let view = RequestView::of(&[], None);
        let address = "192.0.2.1".parse().expect("an address");
        let mut together: Vec<Attempts> = (0..3).map(|_| Attempts::default()).collect();
        for attempts in &mut together {
            assert_eq!(attempts.begin(&limit, address, &view, 100), Ok(()));
            assert_eq!(attempts.begin(&limit, address, &view, 100), Ok(()), "one request is one attempt");
        }
        assert_eq!(Attempts::default().begin(&limit, address, &view, 100), Err(1));
        drop(together);
        assert_eq!(limit.windows.lock().count(), 0, "right credentials leave nothing behind");
        assert_eq!(Attempts::default().begin(&limit, address, &view, 100), Ok(()));
    }
}
