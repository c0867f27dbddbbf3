//! What is accepted where.

use gateway_yaml::{FileId, load};

use super::*;

/// The algorithm, and the places of the mistakes.
fn read(text: &str, place: Place) -> (Option<Algorithm>, Vec<String>) {
    let node = load(FileId(0), text).expect("YAML");
    let Reading { algorithm, mistakes } = read_algorithm(&node, place);
    let show = |mistake: &LimitMistake<'_>| {
        let kind = format!("{mistake:?}");
        let kind = kind.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default();
        let span = mistake.span();
        format!("{kind} {}", &text[span.start as usize..span.end as usize])
    };
    (algorithm, mistakes.iter().map(show).collect())
}

#[test]
fn numbers_are_those_of_the_algorithm() {
    for place in [Place::Document, Place::Consumer] {
        for (text, expect) in [
            ("{algorithm: token-bucket, limit: 10, interval: 60s}", ""),
            ("{algorithm: leaky-bucket, rate: 0.1/s, burst: 6}", ""),
            ("{algorithm: leaky-bucket, rate: 0.1/s, burst: 7, delay: false}", ""),
            ("{algorithm: concurrency, limit: 10, burst: 1, delay: 1m}", ""),
            ("{limit: 10}", "NoAlgorithm {limit: 10}"),
            ("{limitt: 10}", ""),
            ("{algorithm: buckets, limit: 10}", "UnknownAlgorithm buckets"),
            ("{algorithm: token-bucket, limit: 10, interval: 60s, burst: 1}", "Stray burst"),
            ("{algorithm: token-bucket}", "Missing token-bucket, Missing token-bucket"),
            ("{algorithm: token-bucket, limit: 10, intervall: 60s}", ""),
            ("{algorithm: leaky-bucket, limit: 10}", "Stray limit, Missing leaky-bucket"),
            ("{algorithm: token-bucket, limit: 0, interval: 0s}", "NotWhole 0, NotDuration 0s"),
            ("{algorithm: token-bucket, limit: 2147483649, interval: 1s}", "NotWhole 2147483649"),
            ("{algorithm: leaky-bucket, rate: 3}", "NotRate 3"),
            ("{algorithm: leaky-bucket, rate: 3/s, delay: 1s}", "NotBoolean 1s"),
            ("{algorithm: leaky-bucket, rate: 0.1/s, burst: 7}", "LongWait leaky-bucket"),
            ("{algorithm: concurrency, limit: 10, burst: 1, delay: 61s}", "LongWait concurrency"),
            ("{algorithm: token-bucket, limit: 2000000000, interval: 365d}", "Uncountable token-bucket"),
        ] {
            assert_eq!(read(text, place).1.join(", "), expect, "{place:?}: {text}");
        }
    }
}

#[test]
fn consumers_may_give_a_rate_in_parts() {
    let expect = Algorithm::LeakyBucket { rate: 10, interval: Duration::from_secs(1), burst: 2, delay: true };
    let in_parts = "{algorithm: leaky-bucket, limit: 10, interval: 1s, burst: 2}";
    assert_eq!(read(in_parts, Place::Consumer), (Some(expect), Vec::new()));
    assert_eq!(read("{algorithm: leaky-bucket, rate: 10/s, burst: 2}", Place::Consumer), (Some(expect), Vec::new()));
    assert_eq!(read("{algorithm: leaky-bucket, rate: 10/s, burst: 2}", Place::Document), (Some(expect), Vec::new()));
    assert_eq!(read(in_parts, Place::Document).1, ["Stray limit", "Stray interval", "Missing leaky-bucket"]);
    let both = "{algorithm: leaky-bucket, rate: 10/s, limit: 10, interval: 1s}";
    assert_eq!(read(both, Place::Consumer).1, ["Stray limit", "Stray interval"]);
}

#[test]
fn documents_are_stricter() {
    for (text, expect) in [
        ("{algorithm: fixed-window, limit: 1, interval: 366d}", "NotDuration 366d"),
        ("{algorithm: concurrency, limit: 1, delay: 1s}", "NobodyWaits delay"),
    ] {
        assert_eq!(read(text, Place::Document).1, [expect]);
        assert!(read(text, Place::Consumer).0.is_some(), "{text}");
        assert_eq!(read(text, Place::Consumer).1, [""; 0]);
    }
    assert!(Place::Document.members().contains(&"key"));
    assert!(!Place::Consumer.members().contains(&"key"));
}
