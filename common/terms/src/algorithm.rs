//! The algorithms of rate limits, and what follows from their numbers alone.

use std::time::Duration;

/// How a limit admits requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// A bucket of `limit` tokens, full at first, refilled evenly with `limit` per `interval`.
    TokenBucket {
        /// Tokens that it holds.
        limit: u64,
        /// In which it fills up.
        interval: Duration,
    },
    /// `limit` requests in a window that begins with the first and lasts for `interval`.
    FixedWindow {
        /// Requests per window.
        limit: u64,
        /// The window's length.
        interval: Duration,
    },
    /// As many in any `interval`, as far as two windows can tell: the one before counts for the part that still overlaps.
    SlidingWindow {
        /// Requests per interval.
        limit: u64,
        /// The interval.
        interval: Duration,
    },
    /// A bucket that leaks `rate` per `interval`: what comes faster waits its turn, and `burst` may wait.
    LeakyBucket {
        /// Requests that leak,
        rate: u64,
        /// in this time.
        interval: Duration,
        /// Requests above the rate that are not refused.
        burst: u64,
        /// They wait; otherwise they pass at once.
        delay: bool,
    },
    /// Requests that are under way at once.
    Concurrency {
        /// Without delay.
        limit: u64,
        /// So many more, each with the delay.
        burst: u64,
        /// What the burst waits.
        delay: Duration,
    },
}

impl Algorithm {
    /// In documents and in `consumers.yaml`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::TokenBucket { .. } => "token-bucket",
            Self::FixedWindow { .. } => "fixed-window",
            Self::SlidingWindow { .. } => "sliding-window",
            Self::LeakyBucket { .. } => "leaky-bucket",
            Self::Concurrency { .. } => "concurrency",
        }
    }

    /// The most that one request may cost, and the number in the fields for clients.
    #[must_use]
    #[inline]
    pub fn capacity(&self) -> u64 {
        match *self {
            Self::TokenBucket { limit, .. } | Self::FixedWindow { limit, .. } | Self::SlidingWindow { limit, .. } => {
                limit
            }
            Self::LeakyBucket { burst, .. } => burst + 1,
            Self::Concurrency { limit, burst, .. } => limit + burst,
        }
    }

    /// The time in which the capacity comes back, if it is time that brings it back.
    #[must_use]
    #[inline]
    pub fn window(&self) -> Option<Duration> {
        match *self {
            Self::TokenBucket { interval, .. }
            | Self::FixedWindow { interval, .. }
            | Self::SlidingWindow { interval, .. } => Some(interval),
            Self::LeakyBucket { rate, interval, burst, .. } => {
                let nanos = interval.as_nanos() * u128::from(burst + 1) / u128::from(rate.max(1));
                Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
            }
            Self::Concurrency { .. } => None,
        }
    }

    /// The longest that a request waits for its turn.
    #[must_use]
    pub fn longest_wait(&self) -> Duration {
        match *self {
            Self::LeakyBucket { rate, interval, burst, delay: true } => {
                let nanos = interval.as_nanos() * u128::from(burst) / u128::from(rate.max(1));
                Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
            }
            Self::Concurrency { delay, .. } => delay,
            _ => Duration::ZERO,
        }
    }

    /// Whether its numbers can be counted exactly in 64 bits.
    #[must_use]
    pub fn is_countable(&self) -> bool {
        let (capacity, interval) = match *self {
            Self::TokenBucket { limit, interval } => (limit, interval),
            Self::LeakyBucket { interval, burst, .. } => (burst + 1, interval),
            _ => return true,
        };
        u128::from(capacity) * interval.as_nanos() < 1 << 62
    }

    /// Whether a slot is held until the response ends.
    #[must_use]
    #[inline]
    pub fn is_held(&self) -> bool {
        matches!(self, Self::Concurrency { .. })
    }

    /// The nanoseconds of a step in which a store counts the time; `None` where a store cannot count it. The scripts of
    /// stores have whole numbers up to 2^53, of which three times the limit must leave room: this is the finest step that
    /// leaves it, a second if nothing finer does.
    #[must_use]
    pub fn store_step(&self) -> Option<u64> {
        let interval = match *self {
            Self::TokenBucket { interval, .. }
            | Self::FixedWindow { interval, .. }
            | Self::SlidingWindow { interval, .. }
            | Self::LeakyBucket { interval, .. } => u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX),
            Self::Concurrency { .. } => return None,
        };
        (3..=9).map(|digits| 10_u64.pow(digits)).find(|step| {
            let steps = interval / step;
            let fits = u128::from(self.capacity()) * u128::from(steps) < 1 << 51;
            steps > 0 && interval.is_multiple_of(*step) && fits
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_counts_in_the_finest_step_that_leaves_room() {
        let step = |limit: u64, seconds: u64| {
            Algorithm::TokenBucket { limit, interval: Duration::from_secs(seconds) }.store_step()
        };
        assert_eq!(step(100, 60), Some(1_000));
        assert_eq!(step(50_000, 86_400), Some(10_000));
        assert_eq!(step(2_000_000_000, 365 * 86_400), None);
        assert_eq!(Algorithm::Concurrency { limit: 1, burst: 0, delay: Duration::ZERO }.store_step(), None);
    }

    #[test]
    fn a_waiting_request_waits_for_the_burst_before_it() {
        let bucket = |delay| Algorithm::LeakyBucket { rate: 1, interval: Duration::from_secs(10), burst: 7, delay };
        assert_eq!(bucket(true).longest_wait(), Duration::from_secs(70));
        assert_eq!(bucket(false).longest_wait(), Duration::ZERO);
        assert_eq!(bucket(true).capacity(), 8);
    }
}
