//! The script against the algorithms of this process, which are tested against a model: in a real server, on a clock of
//! the test's own.

#[path = "../../../../../tests/support/redis.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod server;

use std::time::Duration;

use super::*;
use crate::algorithm::{Algorithm, Counting};
use server::RedisServer;

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

fn every() -> Vec<Algorithm> {
    let mut all = Vec::new();
    for (limit, millis) in [(1, 1_000), (3, 1_000), (7, 60_000), (100, 1_000), (1_000, 250), (50_000, 86_400_000)] {
        let interval = Duration::from_millis(millis);
        all.push(Algorithm::TokenBucket { limit, interval });
        all.push(Algorithm::FixedWindow { limit, interval });
        all.push(Algorithm::SlidingWindow { limit, interval });
        all.push(Algorithm::LeakyBucket { rate: limit, interval, burst: limit / 2, delay: true });
    }
    all
}

fn server() -> Option<(RedisServer, ::redis::Connection)> {
    let server = RedisServer::start(&[])?;
    let client = ::redis::Client::open(format!("redis://{}", server.address)).expect("a URL");
    let connection = client.get_connection().expect("it answers");
    Some((server, connection))
}

/// The script at a time of the test's.
fn count(connection: &mut ::redis::Connection, micros: u64, charges: &[SharedCharge]) -> Charged {
    let script = SCRIPT.replace("redis.call('TIME')", &format!("{{{}, {}}}", micros / 1_000_000, micros % 1_000_000));
    let command = command("test", "EVAL", &script, charges);
    let numbers: Vec<i64> = command.query(connection).expect("an answer");
    read(&numbers, charges).expect("good numbers")
}

#[test]
fn the_script_counts_as_this_process_does() {
    let Some((_server, mut connection)) = server() else { return };
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for (index, algorithm) in every().into_iter().enumerate() {
        let formula = algorithm.in_store().expect("it can be shared");
        let tick = formula.tick_micros * 1_000;
        let interval = u64::try_from(algorithm.window().expect("a window").as_micros()).expect("it fits");
        let mut micros = 1_700_000_000_000_000 + random.below(10 * interval);
        let mut state = crate::algorithm::State::default();
        let mut admitted = 0;
        for step in 0..300_u64 {
            micros += match random.below(10) {
                0 => random.below(3 * interval),
                1..4 => random.below(interval / algorithm.capacity() + 1),
                _ => random.below(interval / (4 * algorithm.capacity()) + 1),
            };
            // Some at a time that is behind, as after a failover.
            let at = if step % 29 == 7 { micros - 1_000 } else { micros };
            let cost = 1 + random.below(3).saturating_sub(1);
            if cost > algorithm.capacity() {
                continue;
            }
            let mut key = [0; 16];
            key[0] = u8::try_from(index).expect("few");
            let charge = SharedCharge { key, formula, cost, extra: 0 };
            let said = count(&mut connection, at, &[charge]);
            let now = at * 1_000 / tick * tick;
            let expected = algorithm.charge(&mut state, now, cost);
            let rounded = |nanos: u64| nanos.div_ceil(tick) * tick;
            let expected = Reading {
                reset: rounded(expected.reset),
                retry_after: rounded(expected.retry_after),
                delay: rounded(expected.delay),
                ..expected
            };
            assert_eq!(said.readings, [(expected, 0)], "{algorithm:?} step {step} at {at}");
            assert_eq!(said.admitted, expected.admitted);
            admitted += u32::from(said.admitted);
        }
        assert!(admitted > 0);
    }
}

#[test]
fn all_are_charged_or_none() {
    let Some((server, mut connection)) = server() else { return };
    let charge = |key: u8, limit: u64, cost: u64| SharedCharge {
        key: [key; 16],
        formula: Algorithm::FixedWindow { limit, interval: Duration::from_secs(60) }.in_store().expect("shared"),
        cost,
        extra: 0,
    };
    let now = 1_700_000_000_000_000;
    let remaining = |said: &Charged| said.readings.iter().map(|(reading, _)| reading.remaining).collect::<Vec<_>>();
    let both = [charge(1, 5, 1), charge(2, 2, 1)];
    let first = count(&mut connection, now, &both);
    assert_eq!((first.admitted, remaining(&first)), (true, vec![4, 1]));
    assert!(count(&mut connection, now, &both).admitted);
    let refused = count(&mut connection, now, &both);
    assert_eq!((refused.admitted, remaining(&refused)), (false, vec![3, 0]), "the other one is not charged");
    // One key twice is charged twice.
    let twice = [charge(1, 5, 2), charge(1, 5, 2)];
    let refused = count(&mut connection, now, &twice);
    assert_eq!((refused.admitted, refused.readings[0].0.remaining), (false, 3));
    assert_eq!(remaining(&count(&mut connection, now, &[charge(1, 5, 1), charge(1, 5, 2)])), [2, 0]);
    // Ahead, a quarter of what is left.
    let ahead = count(&mut connection, now, &[SharedCharge { extra: 50, ..charge(3, 41, 1) }]);
    assert_eq!(ahead.readings[0].1, 10);
    assert_eq!(remaining(&ahead), [30]);
    // All keys are in one slot of a cluster, and none stays for ever.
    let keys = server.ask("KEYS *");
    assert_eq!(keys.matches("{test}:limit:").count(), 3, "{keys}");
    assert!(!server.ask(&format!("PTTL {{test}}:limit:{}", "01".repeat(16))).starts_with(":-"), "it expires");
}
