//! The store and its rules, against a clock of their own.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::cache::conditions::{Part, part};
use crate::cache::directives::RequestDirectives;
use crate::cache::flight::Landing;
use crate::cache::flights::Role;
use crate::cache::freshness::{
    Moment, Received, Stored, Terms, Use, freshened, is_about, terms, varies_by_own, varies_more,
};
use crate::cache::key::{Key, KeyParts, variant};
use crate::cache::lines::Lines;
use crate::cache::shard::Place;
use crate::cache::store::Found;
use crate::tables::Cache;
use gateway_base::units::ByteSize;
use gateway_wire::http1::head::Field;

const NOW: Moment = Moment(1_000_000_000_000);

fn later(seconds: u64) -> Moment {
    Moment(NOW.0 + seconds * 1000)
}

fn rule(ttl: Option<u64>) -> Cache {
    Cache {
        ttl: ttl.map(Duration::from_secs),
        methods: &["GET"],
        key: None,
        max_body: ByteSize(1 << 20),
        stale_while_revalidate: None,
        stale_if_error: None,
    }
}

fn fields(text: &'static str) -> Vec<Field<'static>> {
    let lines = text.split('\n').filter_map(|line| line.split_once(": "));
    lines.map(|(name, value)| Field { name, value: value.as_bytes() }).collect()
}

fn judged(rule: &Cache, status: u16, head: &'static str) -> Option<Terms> {
    let fields = fields(head);
    terms(rule, &Received { status, fields: &fields, is_authorized: false, asked_at: NOW, now: NOW })
}

fn asked(value: &'static str) -> RequestDirectives {
    RequestDirectives::of(&[Field { name: "Cache-Control", value: value.as_bytes() }])
}

fn stored(head: &'static str) -> Stored {
    let terms = judged(&rule(None), 200, head).expect("it may be stored");
    let head = Lines::of(fields(head).into_iter());
    Stored { status: 200, head, body: Bytes::from_static(b"0123456789"), received: NOW, terms }
}

fn place(number: u64) -> Place {
    let mut parts = KeyParts::default();
    parts.add(0, &number.to_le_bytes());
    Place { key: parts.key(), tag: number % 10, operation: 0 }
}

fn kept() -> &'static ResponseCache {
    Box::leak(Box::new(ResponseCache::new(8 << 20)))
}

fn sized(bytes: usize) -> Stored {
    Stored { body: Bytes::from(vec![0; bytes]), ..stored("Cache-Control: max-age=60") }
}

#[test]
fn lifetimes_are_those_of_rfc_9111() {
    for (head, expected) in [
        ("Cache-Control: max-age=60", Some(60)),
        ("Cache-Control: max-age=60\nCache-Control: s-maxage=5", Some(5)),
        ("Cache-Control: MAX-AGE=\"60\"", Some(60)),
        ("Date: Sun, 09 Sep 2001 01:46:40 GMT\nExpires: Sun, 09 Sep 2001 01:47:40 GMT", Some(60)),
        ("Date: Sun, 09 Sep 2001 01:46:40 GMT\nExpires: 0", None),
        (
            "Date: Sun, 09 Sep 2001 01:46:40 GMT\nExpires: Sun, 09 Sep 2001 01:47:40 GMT\nCache-Control: max-age=1",
            Some(1),
        ),
        ("Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT", None),
        ("", None),
        ("Cache-Control: no-store, max-age=60", None),
        ("Cache-Control: no-store, must-understand, max-age=60", Some(60)),
        ("Cache-Control: private=\"x\", max-age=60", None),
        ("Cache-Control: max-age=60\nSet-Cookie: a=b", None),
        ("Cache-Control: max-age=60\nVary: accept, *", None),
        ("Cache-Control: max-age=0\nETag: \"a\"", Some(0)),
        ("Cache-Control: max-age=0", None),
        // RFC 9213.
        ("CDN-Cache-Control: max-age=60", Some(60)),
        ("Cache-Control: max-age=5\nCDN-Cache-Control: max-age=60", Some(60)),
        ("Cache-Control: no-store\nCDN-Cache-Control: max-age=60", Some(60)),
        ("Cache-Control: private\nCDN-Cache-Control: max-age=60", Some(60)),
        ("Expires: 0\nCDN-Cache-Control: max-age=60", Some(60)),
        (
            "Date: Sun, 09 Sep 2001 01:46:40 GMT\nExpires: Sun, 09 Sep 2001 01:47:40 GMT\nCDN-Cache-Control: public",
            None,
        ),
        ("Cache-Control: max-age=60\nCDN-Cache-Control: no-store", None),
        ("Cache-Control: max-age=60\nCDN-Cache-Control: private", None),
        ("Cache-Control: max-age=60\nCDN-Cache-Control: max-age=0", None),
        ("Cache-Control: no-store\nCDN-Cache-Control: max-age=60, &&&&&", None),
        ("Cache-Control: max-age=5\nCDN-Cache-Control: Max-Age=60", Some(5)),
        ("CDN-Cache-Control: max-age=60\nSet-Cookie: a=b", None),
        ("CDN-Cache-Control: max-age=60\nVary: *", None),
    ] {
        let lifetime = judged(&rule(None), 200, head).map(|terms| terms.lifetime / 1000);
        assert_eq!(lifetime, expected, "{head}");
    }
    for (status, with_ttl, as_said) in [
        (200, true, true),
        (206, false, false),
        (302, false, true),
        (304, false, false),
        (412, false, false),
        (416, false, false),
        (417, false, false),
        (426, false, false),
        (404, true, true),
        (500, false, true),
    ] {
        assert_eq!(judged(&rule(Some(60)), status, "").is_some(), with_ttl, "{status}");
        assert_eq!(judged(&rule(None), status, "Cache-Control: max-age=60").is_some(), as_said, "{status}");
    }
    // A time of the document counts from when the response came.
    let timed = judged(&rule(Some(60)), 200, "Age: 100\nCache-Control: max-age=1").expect("it may be stored");
    assert_eq!((timed.initial_age, timed.lifetime), (100_000, 160_000));
}

#[test]
fn responses_to_requests_with_credentials_are_private() {
    for (head, expected) in [
        ("Cache-Control: max-age=60", false),
        ("Cache-Control: max-age=60, public", true),
        ("Cache-Control: s-maxage=60", true),
        ("Cache-Control: max-age=60, must-revalidate", true),
        ("CDN-Cache-Control: max-age=60", false),
        ("CDN-Cache-Control: max-age=60\nCache-Control: public", false),
        ("CDN-Cache-Control: max-age=60, public", true),
    ] {
        let fields = fields(head);
        let received = Received { status: 200, fields: &fields, is_authorized: true, asked_at: NOW, now: NOW };
        assert_eq!(terms(&rule(None), &received).is_some(), expected, "{head}");
    }
}

#[test]
fn clients_say_what_they_take() {
    let response = stored("Cache-Control: max-age=60\nAge: 10");
    for (asked_for, after, expected) in [
        ("", 0, Use::Fresh),
        ("", 49, Use::Fresh),
        ("", 50, Use::Validate { because_of_request: false }),
        ("max-age=20", 9, Use::Fresh),
        ("max-age=20", 11, Use::Validate { because_of_request: true }),
        ("min-fresh=30", 20, Use::Fresh),
        ("min-fresh=30", 21, Use::Validate { because_of_request: true }),
        ("max-stale=10", 60, Use::Stale),
        ("max-stale=10", 61, Use::Validate { because_of_request: false }),
        ("max-stale", 10_000, Use::Stale),
        ("no-cache", 0, Use::Validate { because_of_request: true }),
    ] {
        assert_eq!(response.use_for(&asked(asked_for), later(after)), expected, "{asked_for} after {after} s");
    }
    let strict = stored("Cache-Control: max-age=60, must-revalidate, stale-while-revalidate=9, stale-if-error=9");
    assert_eq!(strict.use_for(&asked("max-stale"), later(61)), Use::Validate { because_of_request: false });
    assert!(!strict.stands_in(later(61)));
    let lenient = stored("Cache-Control: max-age=60, stale-while-revalidate=9, stale-if-error=20");
    assert_eq!(lenient.use_for(&asked(""), later(68)), Use::WhileRevalidating);
    assert_eq!(lenient.use_for(&asked(""), later(69)), Use::Validate { because_of_request: false });
    assert!(lenient.stands_in(later(79)) && !lenient.stands_in(later(80)));
    let never = stored("Cache-Control: no-cache\nETag: \"a\"");
    assert_eq!(never.use_for(&asked("max-stale"), NOW), Use::Validate { because_of_request: false });
}

#[test]
fn a_304_refreshes_what_is_stored() {
    let old = stored("Cache-Control: max-age=1\nETag: \"a\"\nContent-Type: text/plain\nX-Old: 1\nAge: 1");
    let update = fields("Cache-Control: max-age=60\nContent-Type: text/html\nX-New: 1\nX-Old: 2");
    let update = Lines::of(update.into_iter());
    let fresh = freshened(&old, &update, &rule(None), false, NOW, later(100)).expect("it may be stored");
    let value = |name: &str| String::from_utf8_lossy(fresh.head.first(name).unwrap_or_default()).into_owned();
    assert_eq!([value("x-old"), value("x-new"), value("content-type"), value("age")], ["2", "1", "text/plain", ""]);
    assert_eq!((fresh.age(later(101)), fresh.left(later(101))), (1000, 59_000));
    let refusal = Lines::of(fields("Cache-Control: no-store").into_iter());
    let fresh =
        freshened(&old, &refusal, &rule(None), false, NOW, later(100)).expect_err("it may not be stored any more");
    assert_eq!(fresh.head.first("cache-control"), Some(&b"no-store"[..]));
    assert!(fresh.body == old.body && !fresh.stands_in(later(100)));
    // What is said to one with a credential is for nobody else (RFC 9111 §3.5).
    for (update, expected) in [("Cache-Control: max-age=60", false), ("Cache-Control: max-age=60, public", true)] {
        let update = Lines::of(fields(update).into_iter());
        let fresh = freshened(&old, &update, &rule(None), true, NOW, later(100));
        assert_eq!(fresh.is_ok(), expected);
    }
    // What the 304 does not say again to shared caches stays.
    let told = stored("CDN-Cache-Control: max-age=60\nETag: \"a\"");
    for (update, expected) in [("Cache-Control: no-store", true), ("CDN-Cache-Control: no-store", false)] {
        let update = Lines::of(fields(update).into_iter());
        assert_eq!(freshened(&told, &update, &rule(None), false, NOW, later(100)).is_ok(), expected);
    }
    let varied = stored("Cache-Control: max-age=1\nVary: Accept, X-One");
    for (update, expected) in [
        ("X-New: 1", false),
        ("Vary: x-one", false),
        ("Vary: Accept\nVary: X-One", false),
        ("Vary: *", true),
        ("Vary: X-One, Cookie", true),
        ("Vary: X-Consumer", true),
        ("Vary: X-One; Accept", true),
    ] {
        assert_eq!(varies_more(&varied, &fields(update), &["X-Consumer"]), expected, "{update}");
    }
    for (update, expected) in [
        ("ETag: \"a\"", true),
        ("ETag: W/\"a\"", true),
        ("X-New: 1", true),
        ("ETag: \"b\"", false),
        ("ETag: W/\"b\"", false),
        ("ETag: a", false),
        ("ETag: W/a", false),
        ("Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT", true),
    ] {
        assert_eq!(is_about(&old, &Lines::of(fields(update).into_iter())), expected, "{update}");
    }
    let unquoted = stored("Cache-Control: max-age=1\nETag: a");
    for (update, expected) in [("ETag: a", true), ("ETag: W/a", false), ("ETag: \"a\"", false)] {
        assert_eq!(is_about(&unquoted, &Lines::of(fields(update).into_iter())), expected, "{update}");
    }
    let dated = stored("Cache-Control: max-age=1\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT");
    for (update, expected) in [
        ("Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT", true),
        ("Last-Modified: Sun, 06 Nov 1994 08:49:38 GMT", false),
        ("ETag: \"a\"", false),
        ("ETag: W/\"a\"", true),
        ("ETag: W/a", false),
    ] {
        assert_eq!(is_about(&dated, &Lines::of(fields(update).into_iter())), expected, "{update}");
    }
}

#[test]
fn requests_are_answered_in_part() {
    let response = stored("Cache-Control: max-age=60\nETag: \"a\"\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT");
    for (conditions, expected) in [
        ("If-None-Match: \"a\"\nRange: bytes=0-1", Part::NotModified),
        ("If-None-Match: *", Part::NotModified),
        ("If-None-Match: \"b\"\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", Part::Whole),
        ("Range: bytes=0-1\nIf-Range: \"a\"", Part::Bytes(0..2)),
        ("Range: bytes=0-1\nIf-Range: W/\"a\"", Part::Whole),
        ("Range: bytes=0-1\nIf-Range: Sun, 06 Nov 1994 08:49:37 GMT", Part::Bytes(0..2)),
        ("Range: bytes=0-1\nIf-Range: Sun, 06 Nov 1994 08:49:38 GMT", Part::Whole),
        ("Range: bytes=0-1\nRange: bytes=0-2", Part::Whole),
    ] {
        assert_eq!(part(&response, &Lines::of(fields(conditions).into_iter())), expected, "{conditions}");
    }
}

#[test]
fn variants_are_separate() {
    let (cache, none) = (kept(), Lines::default());
    let german = Lines::of(fields("Accept-Language: de").into_iter());
    let epoch = cache.epoch(1);
    cache.store(place(1), &none, stored("Cache-Control: max-age=60\nVary: accept-language"), epoch);
    assert!(matches!(cache.find(place(1).key, || &none, NOW), Found::Response(..)));
    let Found::Nothing { key, is_variant: true, passes: false } = cache.find(place(1).key, || &german, NOW) else {
        panic!("another variant")
    };
    let names: [Box<str>; 1] = ["accept-language".into()];
    assert_eq!(key, variant(place(1).key, &names, &german));
    // `a, b` in one field, or in two.
    let one = Lines::of(fields("A:  x, y").into_iter());
    let two = Lines::of(fields("a: x\nA: y").into_iter());
    assert_eq!(variant(1, &["a".into()], &one), variant(1, &["a".into()], &two));
    let values = ["A: x, y", "A: x, , y", "A: x,y", "A: ", "B: x, y", "A: y, x"];
    let keys = values.map(|value| variant(1, &["a".into()], &Lines::of(fields(value).into_iter())));
    // CGI and its descendants read both as one.
    let twins = ["X-A: 1", "X_A: 1", "X-A: 1\nX_A: 2", "B: 1"];
    let twins = twins.map(|value| variant(1, &["x-a".into()], &Lines::of(fields(value).into_iter())));
    assert!((0..twins.len()).all(|index| !twins[..index].contains(&twins[index])), "{twins:?}");
    assert!((0..keys.len()).all(|index| !keys[..index].contains(&keys[index])), "{keys:?}");
    for (head, expected) in [
        ("Vary: accept", false),
        ("Vary: Accept, X-Forwarded-For", true),
        ("Vary: x_forwarded_for", true),
        ("Vary: Accept\nVary: X-Consumer", true),
        ("Vary: traceparent", true),
    ] {
        assert_eq!(varies_by_own(&fields(head), &["X-Consumer"]), expected, "{head}");
    }
}

#[test]
fn parts_of_keys_are_as_they_were_sent() {
    let all_differ = |keys: &[Key]| (0..keys.len()).all(|index| !keys[..index].contains(&keys[index]));
    let queries =
        [None, Some(""), Some("page"), Some("page="), Some("page=+1"), Some("page=%201"), Some("page=1&page=2")];
    let keys = queries.map(|query| {
        let mut parts = KeyParts::default();
        parts.add_parameter("page", query);
        parts.key()
    });
    assert!(keys[0] == keys[1] && all_differ(&keys[1..]), "{keys:?}");
    let heads =
        ["X: 1", "Cookie: lang=de", "Cookie: lang=\"de\"", "Cookie: a=b; lang=", "Cookie: lang=de\nCookie: lang=en"];
    let keys = heads.map(|head| {
        let mut parts = KeyParts::default();
        parts.add_cookie("lang", &fields(head));
        parts.key()
    });
    assert!(all_differ(&keys), "{keys:?}");
    let heads = ["X: 1", "X-Tenant: ", "X-Tenant: a\nX-Tenant: b", "x-tenant: c\nX-Tenant: d", "X-Tenant: ab"];
    let keys = heads.map(|head| {
        let mut parts = KeyParts::default();
        parts.add_header("X-Tenant", &fields(head));
        parts.key()
    });
    assert!(all_differ(&keys), "{keys:?}");
}

#[test]
fn a_response_stays_beside_what_says_nothing_of_it() {
    let (cache, none) = (kept(), Lines::default());
    let is_there = || matches!(cache.find(place(1).key, || &none, NOW), Found::Response(..));
    let response = cache.store(place(1), &none, sized(10), cache.epoch(1));
    cache.pass(place(1), NOW, true);
    assert!(is_there());
    cache.forget(place(1).key, &Arc::new(sized(10)));
    assert!(is_there(), "that was another one");
    cache.forget(place(1).key, &response);
    assert!(!is_there() && cache.figures().1 == 0);
    cache.store(place(1), &none, sized(10), cache.epoch(1));
    cache.pass(place(1), NOW, false);
    assert!(matches!(cache.find(place(1).key, || &none, NOW), Found::Nothing { passes: true, .. }));
}

#[test]
fn paths_and_operations_are_purged() {
    let (cache, none) = (kept(), Lines::default());
    let put = |number: u64, operation: usize| {
        let place = Place { operation, ..place(number) };
        cache.store(place, &none, sized(10), cache.epoch(place.tag));
    };
    (0..100).for_each(|number| put(number, (number % 2) as usize));
    assert_eq!(cache.figures().1, 100);
    assert_eq!(cache.purge_tag(3), 10);
    assert!(matches!(cache.find(place(13).key, || &none, NOW), Found::Nothing { .. }));
    assert_eq!((cache.purge_numbers(&[0]), cache.figures().1), (50, 40));
    // What was asked for before a purge is not stored after it.
    let before = cache.epoch(4);
    cache.purge_tag(4);
    cache.store(place(4), &none, sized(10), before);
    assert!(matches!(cache.find(place(4).key, || &none, NOW), Found::Nothing { .. }));
    assert_eq!((cache.purge_everything(), cache.figures().0), (40, 0));
}

#[test]
fn what_is_asked_for_stays() {
    let (cache, none) = (kept(), Lines::default());
    let hot = 0..500_u64;
    let put = |number: u64| {
        cache.store(place(number), &none, sized(4000), cache.epoch(place(number).tag));
    };
    let is_there = |number: u64| matches!(cache.find(place(number).key, || &none, NOW), Found::Response(..));
    for number in hot.clone() {
        put(number);
        assert!(is_there(number));
    }
    // Many that are asked for once, between requests for the others.
    for number in 1000..20_000 {
        put(number);
        if number % 4 == 0 && !is_there(number % 500) {
            put(number % 500);
        }
    }
    let left = hot.clone().filter(|number| is_there(*number)).count();
    assert!(left > 450, "{left} of {} are left", hot.end);
    let (bytes, entries, evicted) = cache.figures();
    assert!(bytes <= 6 << 20 && entries > 1000 && evicted > 17_000, "{bytes} {entries} {evicted}");
}

#[test]
fn a_million_responses_are_stored() {
    let cache: &'static ResponseCache = Box::leak(Box::new(ResponseCache::new(4 << 30)));
    let none = Lines::default();
    let body = Bytes::from_static(b"{}");
    let model = stored("Cache-Control: max-age=60");
    for number in 0..1_000_000 {
        let response = Stored { body: body.clone(), head: model.head.clone(), ..model };
        cache.store(place(number), &none, response, cache.epoch(place(number).tag));
    }
    assert_eq!(cache.figures().1, 1_000_000);
    assert!(
        (0..1_000_000)
            .step_by(997)
            .all(|number| matches!(cache.find(place(number).key, || &none, NOW), Found::Response(..)))
    );
    assert_eq!(cache.purge_tag(7), 100_000);
}

#[test]
fn one_leads_and_the_others_follow() {
    let cache = kept();
    let (Role::Lead(lead), Role::Follow(receiver, _)) = (cache.join(1, 0, None), cache.join(1, 0, None)) else {
        panic!("the first leads")
    };
    lead.land(Landing::Stored);
    assert_eq!(*receiver.borrow(), Landing::Stored);
    let Role::Lead(slow) = cache.join(1, 0, None) else { panic!("it has landed") };
    let Role::Follow(receiver, number) = cache.join(1, 0, None) else { panic!("another one leads") };
    // Of those for whom that takes too long, one asks again, and the others wait for that one.
    let Role::Lead(second) = cache.join(1, 0, Some(number)) else { panic!("it has been waited for") };
    assert!(matches!(cache.join(1, 0, Some(number)), Role::Follow(..)));
    drop(slow);
    assert!(receiver.has_changed().is_err(), "those who wait are told that nobody brings it");
    assert!(matches!(cache.join(1, 0, None), Role::Follow(..)), "another one is still under way");
    // What came before a purge is not waited for.
    assert!(matches!(cache.join(1, 1, None), Role::Lead(_)));
    drop(second);
}
