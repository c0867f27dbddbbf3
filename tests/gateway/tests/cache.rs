//! `cache`: which responses come from the store, for whom, and when the upstream is asked again.

#[path = "../../support/mod.rs"]
mod support;

use std::io::Read as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use support::{Connection, Folder, Gateway, Response, Upstream, eventually, read_body};

const TEXT: &str = "All work and no play makes Jack a dull boy. ";

/// Answers every request with the same head, and with a number that counts them.
fn counting(head: &'static str) -> Upstream {
    let count = AtomicUsize::new(0);
    Upstream::start(move |request, connection| {
        read_body(request, connection);
        let body = format!("{}{}", TEXT.repeat(4), count.fetch_add(1, Relaxed));
        let sent = if request.starts_with("HEAD") { "" } else { &body };
        connection.send(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n{head}\r\n{sent}",
            body.len()
        ));
        true
    })
}

/// The number at the end of a body.
fn number(response: &Response) -> &str {
    response.body.trim_start_matches(TEXT)
}

fn status(response: &Response) -> String {
    let status = response.header("Cache-Status");
    assert!(status.starts_with("gateway; "), "{response:?}");
    status["gateway; ".len()..].to_owned()
}

fn is_hit(response: &Response) -> bool {
    status(response).starts_with("hit; ttl=")
}

#[test]
fn stored_responses_are_used_while_fresh() {
    let upstream = counting("X-Up: 1\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n");
    let gateway = Gateway::before(&upstream);
    let first = gateway.get("/news/minute?a=1", "");
    assert_eq!(status(&first), "fwd=uri-miss; stored");
    let again = gateway.get("/news/minute?a=1", "");
    assert!(is_hit(&again), "{again:?}");
    assert_eq!(
        (again.body.clone(), again.header("X-Up"), again.header("X-Hop")),
        (first.body, "1".into(), String::new())
    );
    assert_eq!(again.header("Age"), "0");
    // The whole target counts, and so does the host.
    assert!(!is_hit(&gateway.get("/news/minute?a=2", "")));
    let mut connection = gateway.connect();
    connection.send("GET /news/minute?a=1 HTTP/1.1\r\nHost: other.test\r\n\r\n");
    assert!(!is_hit(&connection.response(false)));
    // HEAD is answered from what GET has stored, on a connection that goes on.
    for _ in 0..2 {
        connection.send("HEAD /news/minute?a=1 HTTP/1.1\r\nHost: gateway.test\r\n\r\n");
        let head = connection.response(true);
        assert!(is_hit(&head) && head.header("Content-Length") == again.header("Content-Length"), "{head:?}");
    }
    assert_eq!(upstream.heads().len(), 3);
    let line = gateway.log_line(|line| line["cache"] == "hit");
    assert_eq!((line["operation"].as_str(), line.get("upstreamMicros")), (Some("readForAMinute"), None));
    let metrics = gateway.operations("/metrics").body;
    assert!(metrics.contains("gateway_cache_requests_total{result=\"hit\"} 3"), "{metrics}");
    assert!(metrics.contains("gateway_cache_objects 3"), "{metrics}");
    let never = gateway.get("/news/never", "");
    assert_eq!((never.status, never.header("Cache-Status")), (200, String::new()));
}

#[test]
fn upstreams_and_clients_are_obeyed() {
    static HEAD: Mutex<&str> = Mutex::new("");
    let count = AtomicUsize::new(0);
    let upstream = Upstream::start(move |_, connection| {
        let number = count.fetch_add(1, Relaxed);
        let head = *HEAD.lock().expect("no panic");
        connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n{head}\r\n{number:>6}"));
        true
    });
    let gateway = Gateway::before(&upstream);
    for (index, (head, said, timed)) in [
        ("Cache-Control: max-age=60\r\n", true, true),
        ("Cache-Control: s-maxage=60, max-age=0\r\n", true, true),
        ("Cache-Control: max-age=60, s-maxage=0\r\n", false, true),
        ("Cache-Control: no-store\r\n", false, false),
        ("Cache-Control: private, max-age=60\r\n", false, false),
        ("Cache-Control: no-cache\r\nETag: \"a\"\r\n", false, false),
        ("Cache-Control: max-age=60\r\nSet-Cookie: a=b\r\n", false, false),
        ("Cache-Control: max-age=60\r\nVary: *\r\n", false, false),
        ("Cache-Control: max-age=60\r\nAge: 61\r\n", false, true),
        ("", false, true),
    ]
    .into_iter()
    .enumerate()
    {
        *HEAD.lock().expect("no panic") = head;
        for (path, stored) in [("/news/as-said", said), ("/news/minute", timed)] {
            let target = format!("{path}?n={index}");
            gateway.get(&target, "");
            assert_eq!(is_hit(&gateway.get(&target, "")), stored, "{path} {head}");
        }
    }
    *HEAD.lock().expect("no panic") = "Cache-Control: max-age=60\r\n";
    let target = "/news/as-said?client";
    gateway.get(target, "");
    for (field, expected) in [
        ("Cache-Control: max-age=0", "fwd=request"),
        ("Cache-Control: no-cache", "fwd=request"),
        ("Pragma: no-cache", "fwd=request"),
        ("Cache-Control: no-store", "fwd=request"),
        ("Cache-Control: min-fresh=100", "fwd=request"),
        ("If-Match: \"a\"", "fwd=bypass"),
        ("Cache-Control: max-age=30, min-fresh=30, max-stale", "hit"),
    ] {
        let response = gateway.get(target, &format!("{field}\r\n"));
        assert!(status(&response).starts_with(expected), "{field}: {response:?}");
    }
    let only = gateway.get("/news/as-said?nothing", "Cache-Control: only-if-cached\r\n");
    assert_eq!((only.status, status(&only)), (504, "detail=only-if-cached".to_owned()));
    assert_eq!(gateway.log_line(|line| line["status"] == 504)["reject"], "not-stored");
    assert!(is_hit(&gateway.get(target, "Cache-Control: only-if-cached\r\n")));
    // What a credential that nobody checks gets is nobody else's (RFC 9111 §3.5).
    gateway.get("/news/minute?authorized", "Authorization: Bearer a\r\n");
    assert!(!is_hit(&gateway.get("/news/minute?authorized", "")));
    *HEAD.lock().expect("no panic") = "Cache-Control: public\r\n";
    gateway.get("/news/minute?public", "Authorization: Bearer a\r\n");
    assert!(is_hit(&gateway.get("/news/minute?public", "")));
}

#[test]
fn what_is_said_to_shared_caches_counts_for_the_store_alone() {
    for (index, (head, said, timed)) in [
        ("CDN-Cache-Control: max-age=60\r\n", true, true),
        ("Cache-Control: private\r\nCDN-Cache-Control: max-age=60\r\n", true, true),
        ("Cache-Control: no-store\r\nExpires: 0\r\nCDN-Cache-Control: max-age=60, foo\r\n", true, true),
        ("Cache-Control: max-age=60\r\nCDN-Cache-Control: max-age=0\r\n", false, true),
        ("Cache-Control: max-age=60\r\nCDN-Cache-Control: no-store\r\n", false, false),
        ("Cache-Control: max-age=60\r\nCDN-Cache-Control: private\r\n", false, false),
        // What is no dictionary is as if it were not there.
        ("Cache-Control: no-store\r\nCDN-Cache-Control: max-age=60, &&&&&\r\n", false, false),
        ("Cache-Control: max-age=60\r\nCDN-Cache-Control: No-Store\r\n", true, true),
        // What is never stored is not.
        ("CDN-Cache-Control: max-age=60\r\nSet-Cookie: a=b\r\n", false, false),
        ("CDN-Cache-Control: max-age=60\r\nVary: *\r\n", false, false),
        ("CDN-Cache-Control: max-age=60\r\nConnection: CDN-Cache-Control\r\n", false, false),
    ]
    .into_iter()
    .enumerate()
    {
        let upstream = counting(head);
        let gateway = Gateway::before(&upstream);
        for (path, stored) in [("/news/as-said", said), ("/news/minute", timed)] {
            let target = format!("{path}?n={index}");
            gateway.get(&target, "");
            let again = gateway.get(&target, "");
            assert_eq!(is_hit(&again), stored, "{path} {head}");
            if !head.contains("Connection") {
                // Caches between the gateway and the client are told the same.
                assert!(
                    head.contains(&again.header("CDN-Cache-Control")) && !again.header("CDN-Cache-Control").is_empty()
                );
            }
        }
    }
    let upstream = counting("Cache-Control: public\r\nCDN-Cache-Control: max-age=60\r\n");
    let gateway = Gateway::before(&upstream);
    gateway.get("/news/as-said", "Authorization: Bearer a\r\n");
    assert!(!is_hit(&gateway.get("/news/as-said", "")), "it is the one of another credential");
}

#[test]
fn keys_and_vary_separate_requests() {
    let upstream = counting("Vary: Accept-Language,  X-Mode\r\n");
    let gateway = Gateway::before(&upstream);
    assert!(!is_hit(&gateway.get("/news/pages?page=1&lang=a", "")));
    assert!(is_hit(&gateway.get("/news/pages?lang=b&page=1", "")));
    assert!(!is_hit(&gateway.get("/news/pages?page=2", "")));
    assert_eq!(status(&gateway.get("/news/pages?page=1", "Accept-Language: de\r\n")), "fwd=vary-miss; stored");
    assert!(is_hit(&gateway.get("/news/pages?page=1", "accept-language:  de \r\n")));
    assert!(is_hit(&gateway.get("/news/pages?page=1", "")));
    assert!(!is_hit(&gateway.get("/news/pages?page=1", "X-Mode: a\r\n")));
    let post =
        |page: &str| gateway.request("POST", &format!("/news/search?page={page}"), "Content-Length: 2\r\n\r\nhi");
    assert_eq!(status(&post("1")), "fwd=uri-miss; stored");
    assert!(is_hit(&post("1")) && !is_hit(&post("2")));
}

const CONSUMERS: &str = "consumers:
  - username: guest
  - username: ann
    credentials: [{type: key, key: {value: key-of-ann}}]
  - username: bob
    credentials: [{type: key, key: {value: key-of-bob}}]
";

#[test]
fn each_caller_has_responses_of_its_own() {
    let (upstream, folder) = (counting(""), Folder::new());
    let file = folder.write("consumers.yaml", CONSUMERS);
    let gateway = Gateway::start(&[&format!("consumers.file={file}"), "insecureLiterals=true"], upstream.address);
    let get = |key: &str| gateway.get("/news/mine?a", &format!("X-News-Key: {key}\r\n"));
    let first = get("key-of-ann");
    assert!(!is_hit(&first) && is_hit(&get("key-of-ann")));
    let other = get("key-of-bob");
    assert!(!is_hit(&other) && number(&other) != number(&first));
    let refused = gateway.get("/news/mine?a", "");
    assert_eq!((refused.status, status(&refused)), (401, "detail=refused".to_owned()));
}

#[test]
fn limits_are_charged_for_hits() {
    let upstream = counting("");
    let gateway = Gateway::before(&upstream);
    let statuses: Vec<u16> = (0..4).map(|_| gateway.get("/news/limited", "").status).collect();
    assert_eq!((statuses, upstream.heads().len()), (vec![200, 200, 200, 429], 1));
}

#[test]
fn stale_responses_are_validated() {
    let upstream = Upstream::start(|head, connection| {
        if head.contains("If-None-Match: \"v\"\r\n") {
            connection
                .send("HTTP/1.1 304 Not Modified\r\nETag: \"v\"\r\nCache-Control: max-age=60\r\nX-New: 1\r\n\r\n");
        } else {
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: \"v\"\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nCache-Control: max-age=1\r\n\r\nhi");
        }
        true
    });
    let gateway = Gateway::before(&upstream);
    gateway.get("/news/as-said", "");
    std::thread::sleep(Duration::from_millis(1100));
    let valid = gateway.get("/news/as-said", "");
    assert_eq!((valid.status, &*valid.body, status(&valid)), (200, "hi", "fwd=stale; fwd-status=304".to_owned()));
    assert_eq!(valid.header("X-New"), "1");
    assert!(is_hit(&gateway.get("/news/as-said", "")));
    assert_eq!(upstream.heads().len(), 2);
    gateway.log_line(|line| line["cache"] == "revalidated");
    // Clients that have it already, or want a part of it.
    for (field, status) in [
        ("If-None-Match: W/\"v\"", 304),
        ("If-None-Match: \"x\", \"v\"", 304),
        ("If-None-Match: \"x\"", 200),
        ("If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", 304),
        ("If-Modified-Since: Sun, 06 Nov 1994 08:49:38 GMT", 304),
        ("If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT", 200),
        ("Range: bytes=1-", 206),
        ("Range: bytes=1-\r\nIf-Range: \"x\"", 200),
        ("Range: bytes=7-", 416),
    ] {
        let response = gateway.get("/news/as-said", &format!("{field}\r\n"));
        assert_eq!(response.status, status, "{field}");
        assert!(is_hit(&response), "{field}");
        if status == 206 {
            assert_eq!((&*response.body, response.header("Content-Range")), ("i", "bytes 1-1/2".to_owned()));
        }
    }
    assert_eq!(upstream.heads().len(), 2, "the upstream has seen none of these");
    let head = gateway.request("HEAD", "/news/as-said", "Range: bytes=1-\r\n");
    assert_eq!((head.status, head.header("Content-Length")), (200, "2".to_owned()));
    // What is fetched to be stored is fetched whole.
    gateway.get("/news/as-said?fresh", "If-None-Match: \"v\"\r\n");
    assert!(!upstream.heads()[2].contains("If-None-Match"));
}

#[test]
fn one_request_goes_to_the_upstream() {
    let upstream = Upstream::start(|head, connection| {
        std::thread::sleep(Duration::from_millis(400));
        let control = if head.contains("private") { "Cache-Control: private\r\n" } else { "" };
        connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n{control}\r\nhi"));
        true
    });
    let gateway = Gateway::before(&upstream);
    let ask = |target: &'static str, count: usize| -> Vec<Response> {
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..count).map(|_| scope.spawn(|| gateway.get(target, ""))).collect();
            clients.into_iter().map(|client| client.join().expect("no panic")).collect()
        })
    };
    let answers = ask("/news/minute", 12);
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.body == "hi"));
    assert_eq!(upstream.heads().len(), 1);
    assert_eq!(answers.iter().filter(|answer| status(answer) == "fwd=uri-miss; collapsed").count(), 11);
    // What is for nobody else holds nobody up.
    let started = Instant::now();
    ask("/news/minute?private", 12);
    assert_eq!(upstream.heads().len(), 13);
    assert!(started.elapsed() < Duration::from_millis(1600), "{:?}", started.elapsed());
    let started = Instant::now();
    ask("/news/minute?private", 12);
    assert!(started.elapsed() < Duration::from_millis(800), "{:?}", started.elapsed());
}

#[test]
fn a_client_that_leaves_breaks_no_other() {
    let upstream = Upstream::start(|_, connection| {
        std::thread::sleep(Duration::from_millis(400));
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
        true
    });
    let gateway = Gateway::before(&upstream);
    let mut first = gateway.connect();
    first.send("GET /news/minute HTTP/1.1\r\nHost: gateway.test\r\n\r\n");
    eventually("the first request", || (upstream.heads().len() == 1).then_some(()));
    std::thread::scope(|scope| {
        let others: Vec<_> = (0..4).map(|_| scope.spawn(|| gateway.get("/news/minute", ""))).collect();
        std::thread::sleep(Duration::from_millis(100));
        rustix::net::sockopt::set_socket_linger(&first.stream, Some(Duration::ZERO)).expect("an option");
        drop(first);
        for other in others {
            assert_eq!(other.join().expect("no panic").body, "hi");
        }
    });
    assert_eq!(upstream.heads().len(), 2);
}

#[test]
fn unsafe_requests_invalidate_stored_responses() {
    let upstream = Upstream::start(|head, connection| {
        read_body(head, connection);
        let fields = if head.starts_with("POST") {
            "Location: /minute?b\r\nContent-Location: http://elsewhere.test/pages\r\n"
        } else {
            ""
        };
        let status = if head.contains("fails") { "500 Failed" } else { "200 OK" };
        connection.send(format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n{fields}\r\nhi"));
        true
    });
    let gateway = Gateway::before(&upstream);
    let stored = |target: &str| is_hit(&gateway.get(target, ""));
    let store = || {
        for target in ["/news/minute", "/news/minute?b", "/news/pages?page=1"] {
            gateway.get(target, "");
            assert!(stored(target), "{target}");
        }
    };
    store();
    assert_eq!(gateway.request("PUT", "/news/minute?fails", "Content-Length: 0\r\n").status, 500);
    assert!(stored("/news/minute"), "it has changed nothing");
    assert_eq!(gateway.request("PUT", "/news/minute", "Content-Length: 0\r\n").status, 200);
    assert!(!stored("/news/minute") && !stored("/news/minute?b") && stored("/news/pages?page=1"));
    store();
    // The upstream's word about another path of this host counts, and about another host it does not.
    assert_eq!(gateway.request("POST", "/news/minute", "Content-Length: 0\r\n").status, 200);
    assert!(!stored("/news/minute?b") && stored("/news/pages?page=1"));
}

#[test]
fn paths_that_rules_make_are_those_that_are_stored() {
    let upstream = counting("");
    let gateway = Gateway::before(&upstream);
    let change = |target: &str| gateway.request("PUT", target, "Content-Length: 0\r\n").status;
    for (stored, changed) in [
        ("/papers/minute?x", "/news/minute?x"),
        ("/news/minute?x", "/papers/minute?x"),
        ("/papers/minute?x", "/papers/minute?x"),
    ] {
        gateway.get(stored, "");
        assert!(is_hit(&gateway.get("/news/minute?x", "")) && is_hit(&gateway.get("/papers/minute?x", "")), "{stored}");
        assert_eq!(change(changed), 200);
        assert!(!is_hit(&gateway.get("/news/minute?x", "")), "{stored} {changed}");
        assert_eq!(change("/news/minute"), 200);
    }
}

#[test]
fn freshness_is_judged_after_the_wait_for_a_limit() {
    let upstream = counting("");
    let gateway = Gateway::before(&upstream);
    gateway.get("/news/queued", "");
    // Half a second passes before each, and what is stored is fresh for 200 ms.
    let answers: Vec<Response> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..3).map(|_| scope.spawn(|| gateway.get("/news/queued", ""))).collect();
        asked.into_iter().map(|asked| asked.join().expect("an answer")).collect()
    });
    let mut numbers: Vec<&str> = answers.iter().map(number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, ["1", "2", "3"], "{answers:?}");
    assert!(!answers.iter().any(is_hit), "{answers:?}");
}

#[test]
fn responses_under_way_during_an_invalidation_are_not_stored() {
    let upstream = Upstream::start(|head, connection| {
        read_body(head, connection);
        if head.starts_with("GET") {
            std::thread::sleep(Duration::from_millis(500));
        }
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
        true
    });
    let gateway = Gateway::before(&upstream);
    std::thread::scope(|scope| {
        let old = scope.spawn(|| gateway.get("/news/minute", ""));
        eventually("the request", || (upstream.heads().len() == 1).then_some(()));
        assert_eq!(gateway.request("PUT", "/news/minute", "Content-Length: 0\r\n").status, 200);
        assert_eq!(old.join().expect("no panic").body, "hi");
    });
    assert!(!is_hit(&gateway.get("/news/minute", "")));
    assert!(is_hit(&gateway.get("/news/minute", "")));
}

#[test]
fn stale_responses_stand_in() {
    static FAILS: AtomicUsize = AtomicUsize::new(0);
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let upstream = Upstream::start(|_, connection| {
        match FAILS.load(Relaxed) {
            1 => connection.send("HTTP/1.1 503 Down\r\nContent-Length: 4\r\n\r\ndown"),
            2 => return false,
            _ => {
                std::thread::sleep(Duration::from_millis(300));
                let number = COUNT.fetch_add(1, Relaxed);
                connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{number:>2}"));
            }
        }
        true
    });
    let gateway = Gateway::before(&upstream);
    let first = gateway.get("/news/short", "").body;
    gateway.get("/news/steady", "");
    std::thread::sleep(Duration::from_millis(300));
    // The stale one at once, the new one for the next.
    let started = Instant::now();
    let stale = gateway.get("/news/short", "");
    assert!(started.elapsed() < Duration::from_millis(250), "{:?}", started.elapsed());
    assert_eq!((stale.body, status(&gateway.get("/news/short", ""))), (first.clone(), "hit; ttl=-1".to_owned()));
    eventually("the new response", || (gateway.get("/news/short", "").body != first).then_some(()));
    for (fails, expected) in
        [(1, "fwd=stale; fwd-status=503; detail=stale-if-error"), (2, "fwd=stale; detail=stale-if-error")]
    {
        FAILS.store(fails, Relaxed);
        let response = gateway.get("/news/steady", "");
        assert_eq!((response.status, status(&response)), (200, expected.to_owned()));
    }
    let nothing = gateway.get("/news/steady?nothing", "");
    assert_eq!((nothing.status, status(&nothing)), (502, "fwd=uri-miss".to_owned()));
    gateway.log_line(|line| line["cache"] == "stale");
}

#[test]
fn broken_and_large_responses_are_not_stored() {
    let upstream = Upstream::start(|head, connection| {
        let large = "x".repeat(2000);
        if head.contains("cut") {
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhi");
            return false;
        }
        if head.contains("chunks") {
            connection.send(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n{large}\r\n"));
            return false;
        }
        if head.contains("open") {
            connection.send("HTTP/1.1 200 OK\r\n\r\nhi");
            return false;
        }
        if head.contains("coded") {
            connection
                .send(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n{large}\r\n0\r\n\r\n"));
            return true;
        }
        connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n{large}"));
        true
    });
    let gateway = Gateway::before(&upstream);
    for target in ["/news/minute?cut", "/news/minute?chunks"] {
        for _ in 0..2 {
            gateway.raw(format!("GET {target} HTTP/1.1\r\nHost: gateway.test\r\nConnection: close\r\n\r\n"));
        }
    }
    assert_eq!(upstream.heads().len(), 4);
    for target in ["/news/minute?open", "/news/pages?page=length", "/news/pages?page=coded"] {
        gateway.get(target, "");
        let again = gateway.get(target, "");
        assert!(!is_hit(&again) && [2, 2000].contains(&again.body.len()), "{target}");
    }
    gateway.get("/news/minute?coded", "");
    let whole = gateway.get("/news/minute?coded", "");
    assert!(is_hit(&whole));
    assert_eq!((whole.body.len(), whole.header("Content-Length")), (2000, "2000".to_owned()));
}

#[test]
fn stored_responses_are_as_the_upstream_sent_them() {
    let upstream = counting("ETag: \"strong\"\r\nAccess-Control-Allow-Origin: *\r\n");
    let gateway = Gateway::before(&upstream);
    for (origin, count) in [("https://one.example", 1), ("https://two.example", 1), ("https://three.example", 1)] {
        let response = gateway.get("/news/shared", &format!("Origin: {origin}\r\n"));
        let allowed = if origin.contains("three") { "" } else { origin };
        assert_eq!(
            (response.header("Access-Control-Allow-Origin").as_str(), response.header("X-Edited").as_str()),
            (allowed, "yes")
        );
        assert_eq!(upstream.heads().len(), count);
        assert!(response.header("Vary").contains("Origin"));
    }
    // One form is stored, and each client gets the one that it likes.
    gateway.get("/news/zipped", "Accept-Encoding: gzip\r\n");
    assert!(!upstream.heads()[1].to_lowercase().contains("accept-encoding"));
    let plain = gateway.get("/news/zipped", "");
    assert!(is_hit(&plain) && plain.header("ETag") == "\"strong\"" && plain.header("Vary").contains("Accept-Encoding"));
    let mut connection = gateway.connect();
    connection.send("GET /news/zipped HTTP/1.1\r\nHost: gateway.test\r\nAccept-Encoding: gzip\r\n\r\n");
    let coded = Response { status: 200, head: connection.head(), body: String::new() };
    assert!(is_hit(&coded) && coded.header("ETag") == "W/\"strong\"" && coded.header("Content-Encoding") == "gzip");
    let bytes = connection.exactly(coded.header("Content-Length").parse().expect("a length"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).expect("gzip");
    assert_eq!(text, plain.body);
    let same = gateway.get("/news/zipped", "Accept-Encoding: gzip\r\nIf-None-Match: W/\"strong\"\r\n");
    assert_eq!(same.status, 304);
}

#[test]
fn operators_purge_with_their_key() {
    let upstream = counting("");
    let gateway = Gateway::before(&upstream);
    let purge = |query: &str, key: &str| {
        let mut connection = Connection::to(gateway.admin);
        let authorization = if key.is_empty() { String::new() } else { format!("Authorization: Bearer {key}\r\n") };
        connection.send(format!("DELETE /cache{query} HTTP/1.1\r\nHost: admin.test\r\n{authorization}\r\n"));
        let response = connection.response(false);
        (response.status, response.body.trim().to_owned())
    };
    let key = support::SECRETS.iter().find(|(name, _)| *name == "TEST_ADMIN_KEY").expect("there").1;
    let store = || {
        for target in ["/news/minute?a", "/news/minute?b", "/news/pages?page=1"] {
            gateway.get(target, "");
            assert!(is_hit(&gateway.get(target, "")));
        }
    };
    store();
    assert_eq!(purge("", "").0, 401);
    assert_eq!(purge("", "another key of this length").0, 401);
    assert_eq!(gateway.operations("/cache").status, 405);
    assert_eq!(purge("?operation=nothing", key).0, 404);
    assert_eq!(purge("?path=/news", key).0, 400);
    assert_eq!(purge("?url=news", key).0, 400);
    assert!(is_hit(&gateway.get("/news/minute?a", "")));
    assert_eq!(purge("?url=http://gateway.test/news/minute%3Fa", key), (200, "2".to_owned()));
    assert!(!is_hit(&gateway.get("/news/minute?a", "")) && is_hit(&gateway.get("/news/pages?page=1", "")));
    store();
    assert_eq!(purge("?operation=news.readPage", key), (200, "1".to_owned()));
    assert!(is_hit(&gateway.get("/news/minute?a", "")) && !is_hit(&gateway.get("/news/pages?page=1", "")));
    assert_eq!(purge("", key), (200, "3".to_owned()));
    assert!(!is_hit(&gateway.get("/news/minute?a", "")));
}

#[test]
fn each_listener_has_responses_of_its_own() {
    let upstream = counting("");
    let gateway = Gateway::start(&["listeners.second.bind=127.0.0.1:0"], upstream.address);
    let get = |listener: &str| {
        let mut connection = Connection::to(gateway.listener(listener));
        connection.send("GET /news/pages?page=1 HTTP/1.1\r\nHost: gateway.test\r\n\r\n");
        connection.response(false)
    };
    let (first, second) = (get("test"), get("second"));
    assert_eq!((status(&first), status(&second)), ("fwd=uri-miss; stored".into(), "fwd=uri-miss; stored".into()));
    for (listener, stored) in [("test", &first), ("second", &second)] {
        let again = get(listener);
        assert!(is_hit(&again) && again.body == stored.body, "{listener}: {again:?}");
    }
    let key = support::SECRETS.iter().find(|(name, _)| *name == "TEST_ADMIN_KEY").expect("there").1;
    let mut connection = Connection::to(gateway.admin);
    connection.send(format!(
        "DELETE /cache?operation=news.readPage HTTP/1.1\r\nHost: admin.test\r\nAuthorization: Bearer {key}\r\n\r\n"
    ));
    assert_eq!(connection.response(false).body.trim(), "2");
    assert!(!is_hit(&get("test")) && !is_hit(&get("second")));
}

#[test]
fn memory_is_bounded() {
    let upstream = Upstream::start(|_, connection| {
        connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{}", "x".repeat(100_000)));
        true
    });
    let gateway = Gateway::start(&["limits.cache=2MiB"], upstream.address);
    for number in 0..100 {
        assert_eq!(gateway.get(&format!("/news/minute?{number}"), "").body.len(), 100_000);
    }
    let metrics = gateway.operations("/metrics").body;
    let value = |name: &str| -> u64 {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).expect("a line");
        line.parse().expect("a number")
    };
    assert!(value("gateway_cache_bytes") <= 1536 << 10 && value("gateway_cache_objects") > 10, "{metrics}");
    assert!(value("gateway_cache_evictions_total") > 80, "{metrics}");
}

#[test]
fn curl_gets_hits_in_http2() {
    let upstream = counting("ETag: \"a\"\r\n");
    let gateway = Gateway::before(&upstream);
    let url = format!("http://{}/news/minute", gateway.address);
    let ask = |more: &[&str]| {
        let curl = std::process::Command::new("curl")
            .args(["-sS", "--http2-prior-knowledge", "-D", "-", &url])
            .args(more)
            .output();
        curl.map(|output| String::from_utf8_lossy(&output.stdout).to_lowercase())
    };
    let Ok(first) = ask(&[]) else { return };
    assert!(first.contains("cache-status: gateway; fwd=uri-miss; stored"), "{first}");
    let again = ask(&[]).expect("curl runs");
    assert!(again.contains("cache-status: gateway; hit; ttl=") && again.ends_with("boy. 0"), "{again}");
    let same = ask(&["-H", "If-None-Match: \"a\""]).expect("curl runs");
    assert!(same.starts_with("http/2 304") && same.contains("etag: \"a\""), "{same}");
    assert!(ask(&["-I"]).expect("curl runs").contains("age: 0"));
    assert_eq!(upstream.heads().len(), 1);
    let with_body = ask(&["-X", "GET", "-d", "evil=1"]).expect("curl runs");
    assert!(
        with_body.contains("cache-status: gateway; fwd=bypass\r\n") && with_body.ends_with("boy. 1"),
        "{with_body}"
    );
    assert!(ask(&[]).expect("curl runs").ends_with("boy. 0"));
}

/// Answers each request with what this makes of its head.
fn scripted(answers: fn(&str) -> String) -> Upstream {
    Upstream::start(move |head, connection| {
        read_body(head, connection);
        connection.send(answers(head));
        true
    })
}

#[test]
fn requests_that_bypass_the_cache_leave_nothing_in_it() {
    let upstream = scripted(|head| {
        let status = match () {
            () if head.contains("If-Match") => "412 Precondition Failed",
            () if head.contains("Range") => "416 Range Not Satisfiable",
            () if head.contains("If-None-Match") => "404 Not Found",
            () => "200 OK",
        };
        format!("HTTP/1.1 {status}\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\n\r\nhi")
    });
    let gateway = Gateway::before(&upstream);
    for path in ["/news/minute", "/news/as-said"] {
        for (index, (fields, expected)) in [
            ("Content-Length: 6\r\n\r\nevil=1", "fwd=bypass"),
            ("Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n", "fwd=bypass"),
            ("Cache-Control: no-store\r\n", "fwd=request"),
            ("Cache-Control: foo=\"bar\r\n", "fwd=request"),
            ("Cache-Control: no-store;\r\n", "fwd=request"),
            ("If-Match: \"z\"\r\n", "fwd=bypass"),
            ("Range: bytes=99-\r\n", "fwd=uri-miss"),
            ("X-Any: 1\r\nConnection: x-any\r\n", "fwd=bypass"),
        ]
        .into_iter()
        .enumerate()
        {
            let target = format!("{path}?{index}");
            assert_eq!(status(&gateway.get(&target, fields)), expected, "{path} {fields}");
            let next = gateway.get(&target, "");
            assert_eq!((next.status, status(&next)), (200, "fwd=uri-miss; stored".to_owned()), "{path} {fields}");
        }
    }
    assert!(is_hit(&gateway.get("/news/minute?0", "Connection: keep-alive, x-not-there\r\n")));
}

#[test]
fn fields_that_the_upstream_does_not_see_are_in_no_key() {
    let upstream = scripted(|head| {
        let tenant = head.lines().find_map(|line| line.strip_prefix("X-Tenant: ")).unwrap_or("none");
        format!("HTTP/1.1 200 OK\r\nVary: X-Tenant\r\nContent-Length: {}\r\n\r\n{tenant}", tenant.len())
    });
    let gateway = Gateway::before(&upstream);
    for target in ["/news/tenant", "/news/minute"] {
        let hidden = gateway.get(target, "Connection: x-tenant\r\nX-Tenant: bank\r\n");
        assert_eq!((&*hidden.body, &*status(&hidden)), ("none", "fwd=bypass"), "{target}");
        let seen = gateway.get(target, "X-Tenant: bank\r\n");
        assert_eq!((&*seen.body, is_hit(&seen)), ("bank", false), "{target}");
        assert!(is_hit(&gateway.get(target, "X-Tenant: bank\r\n")));
    }
    // What is missing is not what is empty.
    assert!(!is_hit(&gateway.get("/news/tenant", "X-Tenant:\r\n")));
    assert!(!is_hit(&gateway.get("/news/tenant", "")));
    gateway.get("/news/pages?page=", "");
    assert!(!is_hit(&gateway.get("/news/pages", "")) && !is_hit(&gateway.get("/news/pages?page", "")));
}

#[test]
fn credentials_of_two_schemes_are_two_callers() {
    let (upstream, folder) = (counting("Cache-Control: max-age=60\r\n"), Folder::new());
    let file = folder.write("consumers.yaml", CONSUMERS);
    let gateway = Gateway::start(&[&format!("consumers.file={file}"), "insecureLiterals=true"], upstream.address);
    let get = |fields: &str| gateway.get("/news/either", fields);
    let first = get("X-News-Key: key-of-ann\r\n");
    assert_eq!((first.status, is_hit(&first)), (200, false));
    assert!(is_hit(&get("X-News-Key: key-of-ann\r\n")));
    assert!(!is_hit(&get("X-Second-Key: key-of-ann\r\n")) && is_hit(&get("X-Second-Key: key-of-ann\r\n")));
    // One that was checked, and one that was not.
    assert!(!is_hit(&get("Authorization: key-of-ann\r\n")) && is_hit(&get("Authorization: key-of-ann\r\n")));
    let unchecked = gateway.get("/news/either", "X-News-Key: key-of-bob\r\nAuthorization: Basic u1\r\n");
    assert_eq!(status(&unchecked), "fwd=uri-miss");
    let other = gateway.get("/news/either", "X-News-Key: key-of-bob\r\nAuthorization: Basic u2\r\n");
    assert!(!is_hit(&other) && other.status == 200, "{other:?}");
}

#[test]
fn responses_that_vary_by_the_gateways_own_fields_are_not_stored() {
    let upstream = scripted(|head| {
        let fields = [
            "Vary: X-Forwarded-For",
            "Vary: Accept, Via",
            "Connection: Vary\r\nVary: Accept",
            "Vary: Accept; Cookie",
            "Cache-Control: private; max-age=60",
            "Vary: Accept",
        ];
        let index = head.split(['?', ' ']).nth(2).and_then(|number| number.parse().ok()).unwrap_or(5_usize);
        format!("HTTP/1.1 200 OK\r\n{}\r\nContent-Length: 2\r\n\r\nhi", fields[index])
    });
    let gateway = Gateway::before(&upstream);
    for (index, expected) in [(0, false), (1, false), (2, false), (3, false), (4, false), (5, true)] {
        let target = format!("/news/minute?{index}");
        gateway.get(&target, "");
        assert_eq!(is_hit(&gateway.get(&target, "")), expected, "{target}");
    }
}

#[test]
fn a_304_counts_for_what_it_is_about() {
    let upstream = scripted(|head| {
        let answer = match () {
            () if !head.contains("If-None-Match") => "200 OK\r\nETag: \"a\"\r\nX-New: 0\r\nContent-Length: 2",
            () if head.contains("other") => "304 Not Modified\r\nETag: \"b\"",
            () => "304 Not Modified\r\nETag: \"a\"\r\nCache-Control: no-store\r\nSet-Cookie: a=b\r\nX-New: 1",
        };
        let body = if answer.starts_with("200") { "hi" } else { "" };
        format!("HTTP/1.1 {answer}\r\n\r\n{body}")
    });
    let gateway = Gateway::before(&upstream);
    for target in ["/news/steady?other", "/news/steady"] {
        gateway.get(target, "");
        assert!(is_hit(&gateway.get(target, "")));
    }
    std::thread::sleep(Duration::from_millis(300));
    // The upstream says that it has another content: what is stored is none of it.
    assert_eq!(gateway.get("/news/steady?other", "").status, 502);
    assert_eq!(status(&gateway.get("/news/steady?other", "")), "fwd=uri-miss; stored");
    // This client gets what the upstream says, and nobody else does.
    let valid = gateway.get("/news/steady", "");
    assert_eq!((valid.status, &*valid.body, status(&valid)), (200, "hi", "fwd=stale; fwd-status=304".to_owned()));
    assert_eq!((&*valid.header("X-New"), &*valid.header("Set-Cookie")), ("1", "a=b"));
    let next = gateway.get("/news/steady", "");
    assert!(!is_hit(&next) && next.header("X-New") == "0", "{next:?}");
}

#[test]
fn an_error_of_the_clients_ends_no_stand_in() {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let upstream = scripted(|_| {
        let status = ["200 OK", "429 Too Many Requests", "503 Down"][COUNT.fetch_add(1, Relaxed).min(2)];
        format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nhi")
    });
    let gateway = Gateway::before(&upstream);
    let statuses: Vec<u16> = (0..3)
        .map(|_| {
            let response = gateway.get("/news/steady", "");
            std::thread::sleep(Duration::from_millis(300));
            response.status
        })
        .collect();
    assert_eq!(statuses, [200, 429, 200]);
}

#[test]
fn endless_responses_are_not_fetched_in_the_background() {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    static ENDED: AtomicUsize = AtomicUsize::new(0);
    let upstream = Upstream::start(|_, connection| {
        if COUNT.fetch_add(1, Relaxed) == 0 {
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
            return true;
        }
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(1 << 16));
        let mut bytes = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}");
        while std::io::Write::write_all(&mut connection.stream, bytes.as_bytes()).is_ok() {
            bytes = chunk.clone();
        }
        ENDED.fetch_add(1, Relaxed);
        false
    });
    let gateway = Gateway::before(&upstream);
    gateway.get("/news/short", "");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(status(&gateway.get("/news/short", "")), "hit; ttl=-1");
    eventually("the end of what nobody waits for", || (ENDED.load(Relaxed) == 1).then_some(()));
}
