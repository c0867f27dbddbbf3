//! Which members of an upstream get no requests for a while, because they fail. Time comes in as milliseconds.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::tables::Outlier;

/// An endpoint is ejected for at most this multiple of `eject`.
const MOST_TIMES: u32 = 10;

/// What is known of the failures of a member.
#[derive(Debug, Default)]
pub(crate) struct Ejection {
    /// In a row.
    failures: AtomicU32,
    /// When it is back, in milliseconds; 0 if it was never out.
    until: AtomicU64,
    /// How often it was out lately.
    times: AtomicU32,
}

impl Ejection {
    /// It gets no requests.
    pub(crate) fn is_out(&self, now: u64) -> bool {
        self.until.load(Relaxed) > now
    }

    /// It has answered well.
    pub(crate) fn succeed(&self) {
        // Read first: the line is every worker's, and nearly always right.
        if self.failures.load(Relaxed) != 0 {
            self.failures.store(0, Relaxed);
        }
    }

    /// It has failed; true if it has to go for that.
    pub(crate) fn fail(&self, rule: Outlier, now: u64) -> bool {
        !self.is_out(now) && self.failures.fetch_add(1, Relaxed).saturating_add(1) >= rule.consecutive
    }

    /// It is out from now on: for longer, the more often it was. What is decided about an upstream is decided by one
    /// thread at a time. Gives the time when it is back.
    pub(crate) fn eject(&self, rule: Outlier, now: u64) -> u64 {
        let eject = u64::try_from(rule.eject.as_millis()).unwrap_or(u64::MAX);
        // It is forgiven once for each ten times that it stayed in.
        let good = now.saturating_sub(self.until.load(Relaxed)) / eject.saturating_mul(10).max(1);
        let times = self.times.load(Relaxed).saturating_sub(u32::try_from(good).unwrap_or(u32::MAX));
        let times = (times + 1).min(MOST_TIMES);
        self.times.store(times, Relaxed);
        self.failures.store(0, Relaxed);
        let until = now.saturating_add(eject.saturating_mul(u64::from(times)));
        self.until.store(until, Relaxed);
        until
    }
}

/// How many of `members` may be out at once. Of two or more one may be, unless none may.
pub(crate) fn most_out(rule: Outlier, members: usize) -> usize {
    match (rule.max_ejected, members) {
        (0, _) | (_, 0 | 1) => 0,
        (percent, members) => (members * usize::from(percent) / 100).max(1),
    }
}

/// So many are out that those left would break down as well: all are used.
pub(crate) fn is_panic(out: usize, members: usize) -> bool {
    out * 2 > members
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const RULE: Outlier = Outlier { consecutive: 3, eject: Duration::from_secs(1), max_ejected: 50 };

    #[test]
    fn failures_in_a_row_eject() {
        let one = Ejection::default();
        assert!(!one.fail(RULE, 0) && !one.fail(RULE, 0));
        one.succeed();
        assert!(!one.fail(RULE, 0) && !one.fail(RULE, 0) && one.fail(RULE, 0), "a success begins anew");
        one.eject(RULE, 10);
        assert!(one.is_out(10) && one.is_out(1_009) && !one.is_out(1_010));
    }

    #[test]
    fn each_ejection_is_longer_up_to_a_bound_and_is_forgiven() {
        let one = Ejection::default();
        let mut now = 0;
        for times in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10] {
            one.eject(RULE, now);
            assert!(one.is_out(now + times * 1_000 - 1) && !one.is_out(now + times * 1_000), "{times}");
            now += times * 1_000;
        }
        now += 95_000;
        one.eject(RULE, now);
        assert!(one.is_out(now + 1_999) && !one.is_out(now + 2_000), "nine are forgiven");
    }

    #[test]
    fn one_of_two_members_may_be_ejected() {
        let rule = |max_ejected| Outlier { max_ejected, ..RULE };
        for (percent, members, most) in
            [(50, 1, 0), (50, 2, 1), (50, 3, 1), (40, 3, 1), (100, 3, 3), (0, 2, 0), (50, 10, 5), (100, 1, 0)]
        {
            assert_eq!(most_out(rule(percent), members), most, "{percent} % of {members}");
        }
        assert!(!is_panic(1, 2) && is_panic(2, 3) && !is_panic(2, 4) && is_panic(2, 2));
    }

    /// Whatever comes when: a member is out exactly from its last ejection until that ends, goes only after so many failures
    /// in a row, and never for longer than ten times.
    #[test]
    fn no_sequence_leads_elsewhere_than_the_model() {
        for seed in 1..50_u64 {
            let one = Ejection::default();
            let (mut state, mut now, mut in_a_row, mut back) = (seed, 1_u64, 0, 0);
            for _ in 0..2_000 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                now += (state >> 33) % 700;
                assert_eq!(one.is_out(now), now < back, "seed {seed} at {now}");
                if state >> 60 < 5 {
                    one.succeed();
                    in_a_row = 0;
                    continue;
                }
                let goes = one.fail(RULE, now);
                in_a_row += u32::from(now >= back);
                assert_eq!(goes, now >= back && in_a_row >= RULE.consecutive, "seed {seed} at {now}");
                if goes {
                    back = one.eject(RULE, now);
                    assert!(back > now && back <= now + 10_000, "seed {seed}: {now} to {back}");
                    in_a_row = 0;
                }
            }
        }
    }
}
