//! The algorithms, as pure functions of a state, the time and a cost. Whole numbers only: nothing drifts.

use std::time::Duration;

pub use gateway_terms::algorithm::Algorithm;

/// What an algorithm remembers of one key. All zero is an unused key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) first: u64,
    pub(crate) second: u64,
}

/// An algorithm in the words of a store's script. The numbers are whole and small enough for its doubles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Formula {
    pub(crate) name: &'static str,
    pub(crate) capacity: u64,
    /// Parts that go in a tick.
    pub(crate) rate: u64,
    /// Parts of a request; the window's length in ticks.
    pub(crate) unit: u64,
    /// Microseconds of a tick.
    pub(crate) tick_micros: u64,
    /// Requests wait for those ahead of them.
    pub(crate) waits: bool,
}

/// What an algorithm says to one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reading {
    pub(crate) admitted: bool,
    /// What could be asked for now, after this request.
    pub(crate) remaining: u64,
    /// Until all of the limit is there again, in nanoseconds.
    pub(crate) reset: u64,
    /// For a refused request: when the same would be admitted, in nanoseconds.
    pub(crate) retry_after: u64,
    /// For an admitted request: how long it waits, in nanoseconds.
    pub(crate) delay: u64,
}

const SECOND: u64 = 1_000_000_000;

/// `Retry-After` of a refused request where the duration of the others is unknown.
const CONCURRENCY_RETRY: u64 = SECOND;

/// What counters ask of an algorithm. All times are nanoseconds of one monotonic clock.
pub(crate) trait Counting {
    /// The algorithm for a store's script; `None` where a store cannot count it.
    fn in_store(&self) -> Option<Formula>;

    /// Whether a key in this state behaves like an unused one: then it can be evicted.
    fn is_idle(&self, state: State, now: u64) -> bool;

    /// Charges `cost` at `now`; a refused request changes nothing.
    fn charge(&self, state: &mut State, now: u64, cost: u64) -> Reading;

    /// Takes back a charge of `at`, and never more than is still there of it: what has drained, or belongs to a window that
    /// is over, is gone.
    fn refund(&self, state: &mut State, at: u64, now: u64, cost: u64);

    /// Gives back what a request has held.
    fn release(&self, state: &mut State, cost: u64);
}

impl Counting for Algorithm {
    fn in_store(&self) -> Option<Formula> {
        let (name, capacity, rate, interval, waits) = match *self {
            Self::TokenBucket { limit, interval } => ("bucket", limit, limit, interval, false),
            Self::LeakyBucket { rate, interval, burst, delay } => ("bucket", burst + 1, rate, interval, delay),
            Self::FixedWindow { limit, interval } => ("fixed", limit, 0, interval, false),
            Self::SlidingWindow { limit, interval } => ("sliding", limit, 0, interval, false),
            Self::Concurrency { .. } => return None,
        };
        let tick = self.store_step()?;
        Some(Formula { name, capacity, rate, unit: nanos(interval) / tick, tick_micros: tick / 1_000, waits })
    }

    fn is_idle(&self, state: State, now: u64) -> bool {
        match *self {
            Self::TokenBucket { limit, interval } => Level::of(limit, interval, limit).drained(state, now) == 0,
            Self::LeakyBucket { rate, interval, burst, .. } => {
                Level::of(rate, interval, burst + 1).drained(state, now) == 0
            }
            Self::FixedWindow { interval, .. } => state == State::default() || now >= end_of(state.first, interval),
            Self::SlidingWindow { interval, .. } => windows(state, interval, now) == (0, 0),
            Self::Concurrency { .. } => state.second == 0,
        }
    }

    fn charge(&self, state: &mut State, now: u64, cost: u64) -> Reading {
        match *self {
            Self::TokenBucket { limit, interval } => Level::of(limit, interval, limit).charge(state, now, cost, false),
            Self::LeakyBucket { rate, interval, burst, delay } => {
                Level::of(rate, interval, burst + 1).charge(state, now, cost, delay)
            }
            Self::FixedWindow { limit, interval } => fixed_window(state, now, cost, limit, interval),
            Self::SlidingWindow { limit, interval } => sliding_window(state, now, cost, limit, interval),
            Self::Concurrency { limit, burst, delay } => {
                let admitted = state.second.saturating_add(cost) <= limit + burst;
                if admitted {
                    state.second += cost;
                }
                let waits = admitted && state.second > limit;
                Reading {
                    admitted,
                    remaining: (limit + burst).saturating_sub(state.second),
                    reset: 0,
                    retry_after: if admitted { 0 } else { CONCURRENCY_RETRY },
                    delay: if waits { nanos(delay) } else { 0 },
                }
            }
        }
    }

    fn refund(&self, state: &mut State, at: u64, now: u64, cost: u64) {
        let drained = |rate: u64, interval: Duration| {
            let gone = now.saturating_sub(at).saturating_mul(rate);
            cost.saturating_mul(nanos(interval)).saturating_sub(gone)
        };
        match *self {
            Self::TokenBucket { limit, interval } => {
                state.second = state.second.saturating_sub(drained(limit, interval));
            }
            Self::LeakyBucket { rate, interval, .. } => {
                state.second = state.second.saturating_sub(drained(rate, interval));
            }
            Self::FixedWindow { interval, .. } if state.first <= at && at < end_of(state.first, interval) => {
                state.second = state.second.saturating_sub(cost);
            }
            Self::SlidingWindow { interval, .. } if at / nanos(interval).max(1) + 1 == state.first => {
                let current = (state.second & u64::from(u32::MAX)).saturating_sub(cost);
                state.second = state.second >> 32 << 32 | current;
            }
            Self::FixedWindow { .. } | Self::SlidingWindow { .. } => {}
            Self::Concurrency { .. } => self.release(state, cost),
        }
    }

    fn release(&self, state: &mut State, cost: u64) {
        if self.is_held() {
            state.second = state.second.saturating_sub(cost);
        }
    }
}

/// A bucket whose level falls evenly. Levels are in parts of a request: `interval` nanoseconds of parts are one request,
/// and each nanosecond takes `rate` parts away, so that no division loses anything.
struct Level {
    rate: u64,
    /// Parts of one request.
    unit: u64,
    /// Requests that fit.
    capacity: u64,
}

impl Level {
    fn of(rate: u64, interval: Duration, capacity: u64) -> Self {
        Self { rate: rate.max(1), unit: nanos(interval).max(1), capacity }
    }

    /// The level at `now`; `first` is when it was measured, `second` what it was.
    fn drained(&self, state: State, now: u64) -> u64 {
        let elapsed = now.saturating_sub(state.first);
        state.second.saturating_sub(elapsed.saturating_mul(self.rate))
    }

    fn charge(&self, state: &mut State, now: u64, cost: u64, delay: bool) -> Reading {
        let level = self.drained(*state, now);
        let full = self.capacity.saturating_mul(self.unit);
        let wanted = level.saturating_add(cost.saturating_mul(self.unit));
        let admitted = wanted <= full;
        let level = if admitted { wanted } else { level };
        if admitted {
            // A clock of another thread may be a little behind: what was measured later stays.
            *state = State { first: state.first.max(now), second: level };
        }
        let time_for = |parts: u64| parts.div_ceil(self.rate);
        // A request that finds the bucket empty passes; the others wait until those before them have leaked.
        let ahead = level.saturating_sub(cost.saturating_mul(self.unit));
        Reading {
            admitted,
            remaining: (full - level.min(full)) / self.unit,
            reset: time_for(level),
            retry_after: if admitted { 0 } else { time_for(wanted - full) },
            delay: if admitted && delay { time_for(ahead) } else { 0 },
        }
    }
}

fn fixed_window(state: &mut State, now: u64, cost: u64, limit: u64, interval: Duration) -> Reading {
    let is_open = *state != State::default() && now < end_of(state.first, interval);
    // Windows begin at 1 at the earliest: all zero is a key without one.
    let (start, count) = if is_open { (state.first, state.second) } else { (now.max(1), 0) };
    let admitted = count.saturating_add(cost) <= limit;
    let count = if admitted { count + cost } else { count };
    if admitted {
        *state = State { first: start, second: count };
    }
    let left = end_of(start, interval).saturating_sub(now);
    Reading {
        admitted,
        remaining: limit - count.min(limit),
        reset: left,
        retry_after: if admitted { 0 } else { left },
        delay: 0,
    }
}

fn end_of(start: u64, interval: Duration) -> u64 {
    start.saturating_add(nanos(interval))
}

/// Requests in the window before the current one, and in it.
fn windows(state: State, interval: Duration, now: u64) -> (u64, u64) {
    let (before, current) = (state.second >> 32, state.second & u64::from(u32::MAX));
    // Windows are counted from 1.
    match (now / nanos(interval).max(1) + 1).saturating_sub(state.first) {
        0 => (before, current),
        1 => (current, 0),
        _ => (0, 0),
    }
}

fn sliding_window(state: &mut State, now: u64, cost: u64, limit: u64, interval: Duration) -> Reading {
    let length = nanos(interval).max(1);
    // A clock of another thread may be a little behind: windows do not restart.
    let now = now.max(state.first.saturating_sub(1).saturating_mul(length));
    let (before, current) = windows(*state, interval, now);
    let index = (now / length + 1).max(state.first);
    let left = length - now % length;
    // In parts of a request, as for buckets: `length` parts are one request.
    let overlapping = u128::from(before) * u128::from(left);
    let full = u128::from(limit) * u128::from(length);
    let used = overlapping + u128::from(current) * u128::from(length);
    let wanted = used + u128::from(cost) * u128::from(length);
    let admitted = wanted <= full;
    let current = if admitted { current + cost } else { current };
    if admitted {
        *state = State { first: index, second: before << 32 | current };
    }
    let used = if admitted { wanted } else { used };
    let after = |parts: u128, each: u64| u64::try_from(parts.div_ceil(u128::from(each.max(1)))).unwrap_or(u64::MAX);
    let retry_after = if admitted {
        0
    } else if before > 0 && u128::from(current + cost) <= u128::from(limit) {
        // Within this window, as the one before it slides out.
        after(wanted - full, before)
    } else if cost > limit {
        u64::MAX
    } else {
        // In the next window, as this one slides out.
        let excess = (u128::from(current + cost) * u128::from(length)).saturating_sub(full);
        left.saturating_add(after(excess, current))
    };
    let is_empty = before == 0 && current == 0;
    let reset = match current {
        _ if is_empty => 0,
        0 => left,
        _ => left.saturating_add(length),
    };
    let remaining = u64::try_from(full.saturating_sub(used) / u128::from(length)).unwrap_or(u64::MAX);
    Reading { admitted, remaining, reset, retry_after, delay: 0 }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod pictures;
#[cfg(test)]
mod tests;
