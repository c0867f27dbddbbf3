//! How many retries an upstream gets: a share of its requests, so that retries do not break what is hardly up. Time comes
//! in as seconds.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::tables::RetryBudget;

/// What is counted, in seconds.
const WINDOW: u64 = 10;

/// The requests and the retries of the last ten seconds.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    requests: Window,
    retries: Window,
}

impl Budget {
    /// Counts a request.
    pub(crate) fn earn(&self, now: u64) {
        self.requests.add(now);
    }

    /// Takes a retry, if there is one left.
    pub(crate) fn take(&self, rule: RetryBudget, now: u64) -> bool {
        let earned = self.requests.sum(now) * u64::from(rule.percent) / 100 + u64::from(rule.min) * WINDOW;
        let is_left = self.retries.sum(now) < earned;
        if is_left {
            self.retries.add(now);
        }
        is_left
    }
}

/// Events of the last seconds: each slot has its second, and below it the number of events.
#[derive(Debug, Default)]
struct Window([AtomicU64; WINDOW as usize]);

/// The bits of the number of events in a second.
const COUNT_BITS: u32 = 24;
const MOST: u64 = (1 << COUNT_BITS) - 1;

impl Window {
    fn add(&self, now: u64) {
        let slot = &self.0[(now % WINDOW) as usize];
        let _ = slot.fetch_update(Relaxed, Relaxed, |word| {
            let count = if word >> COUNT_BITS == now { word & MOST } else { 0 };
            Some(now << COUNT_BITS | (count + 1).min(MOST))
        });
    }

    fn sum(&self, now: u64) -> u64 {
        let words = self.0.iter().map(|slot| slot.load(Relaxed));
        words.filter(|word| now.saturating_sub(word >> COUNT_BITS) < WINDOW).map(|word| word & MOST).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_a_share_of_the_requests() {
        let budget = Budget::default();
        let rule = RetryBudget { percent: 50, min: 0 };
        let granted = (0..40).filter(|_| {
            budget.earn(100);
            budget.take(rule, 100)
        });
        assert_eq!(granted.count(), 20);
        assert!(!budget.take(rule, 109) && !budget.take(rule, 110), "what was earned is gone with what was taken");
    }

    #[test]
    fn a_minimum_is_saved_up() {
        let budget = Budget::default();
        let rule = RetryBudget { percent: 0, min: 1 };
        assert_eq!((0..30).filter(|_| budget.take(rule, 50)).count(), 10);
        assert!(!budget.take(rule, 59) && budget.take(rule, 60));
    }

    /// Whatever comes when, there are never more retries in ten seconds than the rule says.
    #[test]
    fn no_sequence_exceeds_the_budget() {
        let budget = Budget::default();
        let rule = RetryBudget { percent: 20, min: 1 };
        let (mut requests, mut retries): (Vec<u64>, Vec<u64>) = (Vec::new(), Vec::new());
        let mut state = 7_u64;
        let mut now = 1_000;
        for _ in 0..4_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            now += state >> 33 & 1 & state >> 40;
            if state >> 50 & 1 == 0 {
                budget.earn(now);
                requests.push(now);
            }
            if budget.take(rule, now) {
                retries.push(now);
            }
            let last = |times: &[u64]| times.iter().filter(|time| now - **time < WINDOW).count() as u64;
            assert!(last(&retries) <= last(&requests) * 20 / 100 + 10 + 2);
        }
    }
}
