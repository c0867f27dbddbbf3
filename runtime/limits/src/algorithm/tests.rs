//! Each algorithm against a model that keeps every admitted request in a list, on a clock of its own.

use super::*;

/// xorshift64*
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % limit
    }
}

/// The admitted requests: when, and at what cost.
type History = Vec<(u64, u64)>;

/// Whether a list of what was admitted so far admits one more.
fn model(algorithm: &Algorithm, history: &History, now: u64, cost: u64) -> bool {
    let level = |rate: u64, interval: Duration| {
        // The bucket filled and emptied again, request by request, in fractions.
        let (mut level, mut at) = (0_u128, 0);
        for (when, cost) in history {
            level = level.saturating_sub(u128::from(when - at) * u128::from(rate));
            level += u128::from(*cost) * interval.as_nanos();
            at = *when;
        }
        level.saturating_sub(u128::from(now - at) * u128::from(rate)) + u128::from(cost) * interval.as_nanos()
    };
    match *algorithm {
        Algorithm::TokenBucket { limit, interval } => level(limit, interval) <= u128::from(limit) * interval.as_nanos(),
        Algorithm::LeakyBucket { rate, interval, burst, .. } => {
            level(rate, interval) <= u128::from(burst + 1) * interval.as_nanos()
        }
        Algorithm::FixedWindow { limit, interval } => {
            let (mut start, mut count) = (None, 0);
            for (when, cost) in history.iter().copied().chain([(now, cost)]) {
                if start.is_none_or(|start| when >= start + nanos(interval)) {
                    (start, count) = (Some(when), 0);
                }
                count += cost;
            }
            count <= limit
        }
        Algorithm::SlidingWindow { limit, interval } => {
            let length = nanos(interval);
            let window = |index: u64| -> u128 {
                history.iter().filter(|(when, _)| when / length == index).map(|(_, cost)| u128::from(*cost)).sum()
            };
            let current = now / length;
            let before = if current == 0 { 0 } else { window(current - 1) };
            let overlap = u128::from(length - now % length);
            before * overlap + (window(current) + u128::from(cost)) * u128::from(length)
                <= u128::from(limit) * u128::from(length)
        }
        Algorithm::Concurrency { limit, burst, .. } => {
            history.iter().map(|(_, cost)| cost).sum::<u64>() + cost <= limit + burst
        }
    }
}

fn every() -> Vec<Algorithm> {
    let mut all = Vec::new();
    for (limit, millis) in [(1, 1_000), (3, 1_000), (7, 60_000), (100, 1_000), (1_000, 250)] {
        let interval = Duration::from_millis(millis);
        all.push(Algorithm::TokenBucket { limit, interval });
        all.push(Algorithm::FixedWindow { limit, interval });
        all.push(Algorithm::SlidingWindow { limit, interval });
        all.push(Algorithm::LeakyBucket { rate: limit, interval, burst: limit / 2, delay: true });
    }
    all
}

#[test]
fn admits_exactly_what_the_model_admits() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for algorithm in every() {
        let interval = nanos(algorithm.window().expect("a window"));
        for _ in 0..20 {
            // A start that no window begins with.
            let (mut now, mut state, mut history) = (random.below(10 * interval) + 1, State::default(), History::new());
            let mut admitted = 0;
            for step in 0..400 {
                let pause = match random.below(10) {
                    0 => random.below(3 * interval),
                    1..4 => random.below(interval / algorithm.capacity().max(1) + 1),
                    _ => random.below(interval / (4 * algorithm.capacity().max(1)) + 1),
                };
                now += pause;
                let cost = 1 + random.below(3).saturating_sub(1);
                let expected = model(&algorithm, &history, now, cost);
                let before = state;
                let reading = algorithm.charge(&mut state, now, cost);
                assert_eq!(reading.admitted, expected, "{algorithm:?} step {step} at {now}: {before:?} {reading:?}");
                if reading.admitted {
                    history.push((now, cost));
                    admitted += 1;
                } else {
                    assert_eq!(state, before, "a refused request is not counted");
                    check_retry(&algorithm, state, now, cost, reading.retry_after);
                }
                check_reading(&algorithm, state, now, reading);
                // An idle key may be forgotten: no client could see it.
                if algorithm.is_idle(state, now + reading.reset) {
                    let mut forgotten = State::default();
                    let mut kept = state;
                    let at = now + reading.reset;
                    assert_eq!(
                        algorithm.charge(&mut forgotten, at, 1).admitted,
                        algorithm.charge(&mut kept, at, 1).admitted
                    );
                } else {
                    panic!("{algorithm:?} is not idle after its reset: {state:?} {reading:?}");
                }
            }
            assert!(admitted > 0);
        }
    }
}

/// `Retry-After` of a refusal is right to the nanosecond: no admission earlier, and one then.
fn check_retry(algorithm: &Algorithm, state: State, now: u64, cost: u64, retry_after: u64) {
    if cost > algorithm.capacity() {
        return;
    }
    let at = |time: u64| algorithm.charge(&mut { state }, time, cost).admitted;
    assert!(at(now + retry_after), "{algorithm:?}: refused again after {retry_after} {state:?}");
    assert!(retry_after == 0 || !at(now + retry_after - 1), "{algorithm:?}: {retry_after} is too long {state:?}");
}

fn check_reading(algorithm: &Algorithm, state: State, now: u64, reading: Reading) {
    let fits = |cost: u64| algorithm.charge(&mut { state }, now, cost).admitted;
    assert!(reading.remaining == 0 || fits(reading.remaining), "{algorithm:?} {state:?} {reading:?}");
    assert!(!fits(reading.remaining + 1), "{algorithm:?} {state:?} {reading:?}");
}

#[test]
fn a_leaky_bucket_spaces_requests_evenly() {
    let algorithm = Algorithm::LeakyBucket { rate: 4, interval: Duration::from_secs(1), burst: 3, delay: true };
    let mut state = State::default();
    let readings: Vec<_> = (0..5).map(|_| algorithm.charge(&mut state, SECOND, 1)).collect();
    let delays: Vec<_> = readings.iter().map(|reading| (reading.admitted, reading.delay / 1_000_000)).collect();
    assert_eq!(delays, [(true, 0), (true, 250), (true, 500), (true, 750), (false, 0)]);
    assert_eq!(readings[4].retry_after, SECOND / 4);
    let at_once = Algorithm::LeakyBucket { rate: 4, interval: Duration::from_secs(1), burst: 3, delay: false };
    assert_eq!(at_once.charge(&mut { state }, 2 * SECOND, 1).delay, 0);
}

#[test]
fn concurrency_counts_what_is_under_way() {
    let algorithm = Algorithm::Concurrency { limit: 2, burst: 1, delay: Duration::from_millis(100) };
    let mut state = State::default();
    let delays: Vec<_> =
        (0..4).map(|_| algorithm.charge(&mut state, 1, 1)).map(|reading| (reading.admitted, reading.delay)).collect();
    assert_eq!(delays, [(true, 0), (true, 0), (true, 100_000_000), (false, 0)]);
    assert!(!algorithm.is_idle(state, u64::MAX));
    for _ in 0..3 {
        algorithm.release(&mut state, 1);
    }
    assert!(algorithm.is_idle(state, 1));
    algorithm.release(&mut state, 1);
    assert_eq!(state, State::default(), "nothing is given back twice");
}

#[test]
fn a_clock_that_is_behind_admits_no_more() {
    for algorithm in every() {
        let mut state = State::default();
        let now = 100 * nanos(algorithm.window().expect("a window"));
        while algorithm.charge(&mut state, now, 1).admitted {}
        assert!(!algorithm.charge(&mut state, now - 1_000, 1).admitted, "{algorithm:?}");
        assert!(!algorithm.charge(&mut state, now, 1).admitted, "{algorithm:?}");
    }
}

/// What is taken back never lets more through than if it had not been charged; and at once, it is as if it had not been.
#[test]
fn a_refunded_charge_leaves_no_trace() {
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    // A window begins with its first request, whatever becomes of that one.
    let begins_with_it = |algorithm: &Algorithm| matches!(algorithm, Algorithm::FixedWindow { .. });
    for algorithm in every().into_iter().filter(|algorithm| !begins_with_it(algorithm)) {
        let interval = nanos(algorithm.window().expect("a window"));
        for _ in 0..200 {
            let mut now = random.below(10 * interval) + 1;
            let (mut with, mut without) = (State::default(), State::default());
            let both = |with: &mut State, without: &mut State, now: u64| {
                if algorithm.charge(with, now, 1).admitted {
                    algorithm.charge(without, now, 1);
                }
            };
            for _ in 0..random.below(5) {
                now += random.below(interval / 4);
                both(&mut with, &mut without, now);
            }
            let (at, before) = (now, with);
            if !algorithm.charge(&mut with, at, 1).admitted {
                continue;
            }
            let mut at_once = with;
            algorithm.refund(&mut at_once, at, at, 1);
            let remaining = |state: State, now: u64| algorithm.charge(&mut { state }, now, 0).remaining;
            assert_eq!(remaining(at_once, at), remaining(before, at), "{algorithm:?}");
            for _ in 0..random.below(4) {
                now += random.below(interval / 2);
                both(&mut with, &mut without, now);
            }
            algorithm.refund(&mut with, at, now, 1);
            for _ in 0..5 {
                assert!(
                    remaining(with, now) <= remaining(without, now),
                    "{algorithm:?}: {with:?} {without:?} at {now}"
                );
                now += random.below(interval / 2);
            }
        }
    }
}

#[test]
fn a_window_refunds_its_own_charges_only() {
    let algorithm = Algorithm::FixedWindow { limit: 2, interval: Duration::from_secs(1) };
    let mut state = State::default();
    assert!(algorithm.charge(&mut state, SECOND, 1).admitted && algorithm.charge(&mut state, SECOND + 5, 1).admitted);
    algorithm.refund(&mut state, SECOND + 5, SECOND + 9, 1);
    assert!(
        algorithm.charge(&mut state, SECOND + 10, 1).admitted && !algorithm.charge(&mut state, SECOND + 10, 1).admitted
    );
    // One that is over has nothing to give.
    assert!(algorithm.charge(&mut state, 2 * SECOND + 20, 2).admitted);
    algorithm.refund(&mut state, SECOND + 5, 2 * SECOND + 21, 1);
    assert!(!algorithm.charge(&mut state, 2 * SECOND + 22, 1).admitted);
}
