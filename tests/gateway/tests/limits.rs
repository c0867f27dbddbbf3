//! Rate limits, as clients meet them.

#[path = "../../support/mod.rs"]
mod support;

use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use support::{Gate, Gateway, Upstream, eventually};

/// What counts exactly is counted per day here, so that nothing comes back while a slow test still counts.
const DAY: u64 = 86_400;

/// `X-RateLimit-…` as three numbers.
fn quota(answer: &support::Response) -> (u64, u64, u64) {
    let number = |name: &str| answer.header(name).parse().unwrap_or_else(|_| panic!("{name} in {answer:?}"));
    (number("x-ratelimit-limit"), number("x-ratelimit-remaining"), number("x-ratelimit-reset"))
}

#[test]
fn buckets_run_empty_and_headers_count_down() {
    let upstream = Upstream::echo();
    let gateway = Gateway::before(&upstream);
    for remaining in (0..5).rev() {
        let answer = gateway.get("/tickets/events", "");
        assert_eq!(answer.status, 200);
        let (limit, left, reset) = quota(&answer);
        assert_eq!((limit, left), (5, remaining));
        assert!(reset <= DAY && reset + 3_600 >= DAY / 5 * (5 - remaining), "{reset}");
        assert_eq!(answer.header("ratelimit-policy"), "\"per-address\";q=5;w=86400");
        assert_eq!(answer.header("ratelimit"), format!("\"per-address\";r={remaining};t={reset}"));
        assert_eq!(answer.header("retry-after"), "");
    }
    let refused = gateway.get("/tickets/events", "");
    assert_eq!((refused.status, refused.json()["error"].as_str()), (429, Some("Limit exceeded")));
    assert_eq!(quota(&refused).1, 0);
    let wait: u64 = refused.header("retry-after").parse().expect("seconds");
    // A machine that is slow has waited a part of it already.
    assert!((DAY / 5 - 3_600..=DAY / 5).contains(&wait), "a token takes a fifth of a day: {wait}");
    let post = gateway.request("POST", "/tickets/events", "Content-Length: 0\r\n");
    assert_eq!(post.status, 429, "one bucket for both");
    let wait: u64 = post.header("retry-after").parse().expect("seconds");
    assert!((3 * DAY / 5 - 3_600..=3 * DAY / 5).contains(&wait), "three tokens: {wait}");
    assert_eq!(upstream.heads().len(), 5);
    // Two threads write the log; which comes first is theirs.
    for operation in ["listEvents", "createEvent"] {
        let line = gateway.log_line(|line| line["operation"] == operation && line["status"] == 429);
        assert_eq!(line["reject"].as_str(), Some("limit-exceeded"));
    }
}

#[test]
fn a_cost_is_charged_whole_or_not_at_all() {
    let gateway = Gateway::before(&Upstream::echo());
    let post = || gateway.request("POST", "/tickets/events", "Content-Length: 0\r\n");
    assert_eq!((post().status, post().status), (200, 429));
    assert_eq!(quota(&gateway.get("/tickets/events", "")).1, 1, "what was refused took nothing");
}

#[test]
fn several_limits_hold_together() {
    let gateway = Gateway::before(&Upstream::echo());
    let get = |visitor: &str, event: &str| gateway.get(&format!("/tickets/orders?event={event}"), visitor);
    let (ann, ben) = ("X-Visitor: ann\r\n", "X-Visitor: ben\r\n");
    let first = get(ann, "7");
    assert_eq!(first.status, 200);
    let (limit, remaining, reset) = quota(&first);
    assert_eq!((limit, remaining), (2, 1));
    assert!((DAY - 3_600..=DAY).contains(&reset), "{reset}");
    assert_eq!(
        (first.header("x-event-ratelimit-limit"), first.header("x-event-ratelimit-remaining")),
        ("4".into(), "3".into())
    );
    assert_eq!(get(ann, "7").status, 200);
    for _ in 0..3 {
        let refused = get(ann, "7");
        assert_eq!((refused.status, refused.json()["error"].as_str()), (429, Some("Limit exceeded")));
        // The other limit was not charged.
        assert_eq!(refused.header("x-event-ratelimit-remaining"), "2");
    }
    assert_eq!((get(ben, "7").status, get(ben, "7").status), (200, 200));
    let sold_out = get("X-Visitor: cat\r\n", "7");
    assert_eq!((sold_out.status, sold_out.json()["error"].as_str()), (503, Some("sold out")));
    assert_eq!(sold_out.header("x-ratelimit-remaining"), "", "the limit that answers has headers of its own");
    assert_eq!(get("X-Visitor: cat\r\n", "8").status, 200);
    // Without a visitor only the event counts; without an event, the address does.
    assert_eq!((get("", "9").status, get("", "9").status, get("", "9").status), (200, 200, 200));
    assert_eq!(gateway.get("/tickets/orders", "").header("x-event-ratelimit-remaining"), "3");
}

#[test]
fn a_queue_lets_requests_wait_for_their_turn() {
    let gateway = Gateway::before(&Upstream::echo());
    let started = Instant::now();
    let ask = || {
        let mut connection = gateway.connect();
        connection.send("GET /tickets/queue HTTP/1.1\r\nHost: gateway.test\r\n\r\n");
        connection
    };
    // One goes on, five wait for a tenth of a second more each; and some more for each tenth of a second that they take to
    // come.
    let mut all: Vec<_> = (0..40).map(|_| ask()).collect();
    let statuses: Vec<u16> = all.iter_mut().map(|connection| connection.response(false).status).collect();
    let took = started.elapsed();
    let admitted = statuses.iter().filter(|status| **status == 200).count();
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 40 - admitted, "{statuses:?}");
    assert!(admitted >= 6, "{statuses:?}");
    // Each is let go a tenth of a second after the one before.
    assert!(took >= Duration::from_millis(100) * (admitted as u32 - 1), "{admitted} in {took:?}");
}

#[test]
fn requests_under_way_are_counted_and_given_back() {
    let gate = Gate::default();
    let held = gate.clone();
    let upstream = Upstream::start(move |head, connection| {
        if head.contains("/checkout") {
            held.pass();
        }
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-RateLimit-Limit: 9\r\nConnection: close\r\n\r\n{}");
        false
    });
    let gateway = Gateway::before(&upstream);
    let ask = || {
        let mut connection = gateway.connect();
        connection.send("POST /tickets/checkout HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 0\r\n\r\n");
        connection
    };
    let (first, mut second) = (ask(), ask());
    eventually("both at the upstream", || (upstream.heads().len() == 2).then_some(()));
    let refused = ask().response(false);
    assert_eq!((refused.status, refused.header("retry-after").as_str()), (429, "1"));
    // A client that leaves gives its place back as well.
    drop(first);
    let mut third = eventually("the place of the one that left", || {
        let third = ask();
        third.stream.set_nonblocking(true).expect("an option");
        let waits = eventually("a refusal, or the third at the upstream", || match third.stream.peek(&mut [0]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => (upstream.heads().len() > 2).then_some(true),
            _ => Some(false),
        });
        third.stream.set_nonblocking(false).expect("an option");
        waits.then_some(third)
    });
    gate.open();
    let answer = second.response(false);
    // The upstream's own limit is not ours to hide where this one sends no fields.
    assert_eq!((answer.status, answer.header("x-ratelimit-limit").as_str()), (200, "9"));
    assert_eq!(third.response(false).status, 200);
}

#[test]
fn limits_of_a_consumer_are_its_own() {
    let file = std::env::temp_dir().join(format!("gateway-limits-{}.yaml", std::process::id()));
    let consumers = "
consumers:
  - username: olaf
    credentials: [{type: key, key: {env: TEST_OLAF_KEY}}, {type: key, key: {value: another}}]
    rateLimit: [{name: small, algorithm: fixed-window, limit: 2, interval: 24h, status: 503}]
  - username: ann
    credentials: [{type: key, key: {env: TEST_ANN_KEY}}]
    rateLimit: [{name: small, algorithm: fixed-window, limit: 2, interval: 24h, status: 503}]
  - {username: mallory, credentials: [{type: key, key: {env: TEST_MALLORY_KEY}}]}
  - {username: guest}
";
    std::fs::write(&file, consumers).expect("written");
    let settings = format!("consumers.file={}", file.display());
    let gateway = Gateway::start(&[&settings, "insecureLiterals=true"], Upstream::echo().address);
    let get = |key: &str| gateway.get("/tickets/partner", &format!("X-API-Key: {key}\r\n"));
    assert_eq!(get("wrong").status, 401, "costs nobody anything");
    assert_eq!((get("olaf-secret").status, get("another").status, get("olaf-secret").status), (200, 200, 503));
    assert_eq!(get("olaf-secret").header("ratelimit-policy"), "\"small\";q=2;w=86400");
    assert_eq!((get("ann-secret").status, get("ann-secret").status, get("ann-secret").status), (200, 200, 503));
    assert!((0..5).all(|_| get("mallory-secret").status == 200));
    // What is counted stays counted when the file is read again.
    std::fs::write(&file, consumers.replace("username: mallory", "username: eve")).expect("written");
    eventually("the new file", || (gateway.messages().contains("now")).then_some(()));
    assert_eq!(get("ann-secret").status, 503);
    let _ = std::fs::remove_file(&file);
}

#[test]
fn addresses_are_taken_from_trusted_proxies_only() {
    let gateway = Gateway::start(&["trustedProxies=[127.0.0.1]"], Upstream::echo().address);
    let from = |address: &str| gateway.get("/tickets/events", &format!("X-Forwarded-For: {address}\r\n"));
    assert!((0..5).all(|_| from("203.0.113.1").status == 200));
    assert_eq!((from("203.0.113.1").status, from("203.0.113.2").status), (429, 200));
    assert_eq!(from("203.0.113.9, 203.0.113.1").status, 429, "the nearest one counts");
    let gateway = Gateway::before(&Upstream::echo());
    let from = |address: &str| gateway.get("/tickets/events", &format!("X-Forwarded-For: {address}\r\n"));
    assert!((0..5).all(|number| from(&format!("203.0.113.{number}")).status == 200));
    assert_eq!(from("203.0.113.99").status, 429, "anybody can write a header");
}

/// A client that leaves while it waits gives its connection back, and is not forwarded.
#[test]
fn a_client_that_leaves_the_queue_is_not_forwarded() {
    let (folder, upstream) = (support::Folder::new(), Upstream::echo());
    // The second would wait for a minute.
    let consumers = "
consumers:
  - username: olaf
    credentials: [{type: key, key: {env: TEST_OLAF_KEY}}]
    rateLimit: [{name: slow, algorithm: leaky-bucket, rate: 1/m, burst: 1}]
  - {username: ann}
  - {username: mallory}
  - {username: guest}
";
    let file = format!("consumers.file={}", folder.write("consumers.yaml", consumers));
    let gateway = Gateway::start(&[&file, "timeouts.keepAlive=1h"], upstream.address);
    let ask = || {
        let mut connection = gateway.connect();
        connection.send("GET /tickets/partner HTTP/1.1\r\nHost: gateway.test\r\nX-API-Key: olaf-secret\r\n\r\n");
        connection
    };
    let waiting = [ask(), ask()];
    let shows = |line: &str| gateway.operations("/metrics").body.lines().any(|found| found == line).then_some(());
    eventually("both", || shows("gateway_connections_accepted_total 2"));
    eventually("the first", || (!upstream.heads().is_empty()).then_some(()));
    drop(waiting);
    eventually("no connection", || shows("gateway_connections 0"));
    // Time for the other to be forwarded, were its turn to come with its end.
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(upstream.heads().len(), 1);
}

/// No spelling and no value makes another key of the same one, or the same of another.
#[test]
fn values_cannot_imitate_the_stand_ins_of_missing_keys() {
    let gateway = Gateway::before(&Upstream::echo());
    let get = |query: &str| gateway.get(&format!("/tickets/orders{query}"), "").header("x-event-ratelimit-remaining");
    // Counted by address, without an event; then with values that look like its stand-in.
    assert_eq!((get(""), get("?event=")), ("3".into(), "2".into()));
    assert_eq!(
        (get("?event=%00address"), get("?event=7&event=8"), get("?event=%00several")),
        ("3".into(), "3".into(), "3".into())
    );
    assert_eq!((get("?event=a%2Db"), get("?event=a-b")), ("3".into(), "2".into()));
}

/// Under many connections and on all threads, neither more nor fewer than the limit allows.
#[test]
fn nothing_is_lost_or_doubled_under_load() {
    let gateway = Gateway::before(&Upstream::echo());
    let (admitted, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                let mut connection = gateway.connect();
                for _ in 0..20 {
                    connection.send("GET /tickets/orders?event=load HTTP/1.1\r\nHost: gateway.test\r\n\r\n");
                    let counter = if connection.response(false).status == 200 { &admitted } else { &refused };
                    counter.fetch_add(1, Relaxed);
                }
            });
        }
    });
    assert_eq!((admitted.load(Relaxed), refused.load(Relaxed)), (4, 32 * 20 - 4));
}
