//! `split` and `mirror`: requests that go to another version of a service, and copies of requests.

#[path = "../../support/mod.rs"]
mod support;

use std::net::SocketAddr;

use support::{Folder, Gate, Gateway, ReservedPort, Upstream, eventually};

/// A gateway whose API `versions` has its upstreams there.
fn gateway(stable: SocketAddr, canary: SocketAddr, shadow: SocketAddr, settings: &[&str]) -> Gateway {
    let upstreams = [("canary", canary), ("shadow", shadow)].map(|(name, at)| {
        let prefix = if name == "canary" { "/v2" } else { "" };
        format!("upstreams.versions.{name}=http://{at}{prefix}")
    });
    let all: Vec<&str> = upstreams.iter().map(String::as_str).chain(settings.iter().copied()).collect();
    Gateway::start(&all, stable)
}

fn copied(gateway: &Gateway, outcome: &str, count: usize) {
    let series = format!(
        "gateway_mirrored_requests_total{{api=\"versions\",upstream=\"shadow\",outcome=\"{outcome}\"}} {count}\n"
    );
    eventually(&series, || gateway.operations("/metrics").body.contains(&series).then_some(()));
}

#[test]
fn a_weight_sends_a_share_of_the_requests_elsewhere() {
    let (stable, canary) = (Upstream::echo(), Upstream::echo());
    let gateway = gateway(stable.address, canary.address, stable.address, &[]);
    for _ in 0..100 {
        assert_eq!(gateway.get("/versions/half", "").status, 200);
    }
    let (own, other) = (stable.heads(), canary.heads());
    assert_eq!(own.len() + other.len(), 100);
    assert!((25..=75).contains(&other.len()), "{} of 100", other.len());
    assert!(own.iter().all(|head| head.starts_with("GET /half ")), "{own:?}");
    let host = format!("Host: {}\r\n", canary.address);
    assert!(other.iter().all(|head| head.starts_with("GET /v2/half ") && head.contains(&host)), "{other:?}");
    let line = gateway.log_line(|line| line["endpoint"] == canary.address.to_string());
    assert_eq!((line["operation"].as_str(), line["upstream"].as_str()), (Some("half"), Some("canary")));
    let line = gateway.log_line(|line| line["endpoint"] == stable.address.to_string());
    assert_eq!(line["upstream"], "stable");
    for _ in 0..20 {
        assert_eq!(gateway.request("PUT", "/versions/half", "Content-Length: 0\r\n").status, 200);
    }
    assert_eq!(canary.heads().len(), other.len(), "`off` ends it");
}

#[test]
fn a_key_has_one_version() {
    let (stable, canary) = (Upstream::echo(), Upstream::echo());
    let gateway = gateway(stable.address, canary.address, stable.address, &[]);
    for _ in 0..3 {
        for tenant in 0..20 {
            assert_eq!(gateway.get("/versions/sticky", &format!("X-Tenant: t{tenant}\r\n")).status, 200);
        }
    }
    let tenants = |upstream: &Upstream| -> Vec<String> {
        let tenant = |head: &String| Some(head.split_once("X-Tenant: ")?.1.lines().next()?.to_owned());
        let mut tenants: Vec<String> = upstream.heads().iter().filter_map(tenant).collect();
        tenants.sort();
        tenants.dedup();
        tenants
    };
    let (own, other) = (tenants(&stable), tenants(&canary));
    assert_eq!(own.len() + other.len(), 20, "{own:?} {other:?}");
    assert!(!own.is_empty() && !other.is_empty());
}

#[test]
fn a_header_decides_before_weights() {
    let (stable, canary) = (Upstream::echo(), Upstream::echo());
    let gateway = gateway(stable.address, canary.address, stable.address, &[]);
    for (fields, expected) in [
        ("X-Canary: 1\r\n", "/v2/things/7"),
        ("x-canary: 1\r\n", "/v2/things/7"),
        ("", "/things/7"),
        ("X-Canary: 10\r\n", "/things/7"),
        ("X-Canary: 1\r\nX-Canary: 1\r\n", "/things/7"),
        ("X-Canary: 1\r\nConnection: x-canary\r\n", "/things/7"),
    ] {
        assert_eq!(gateway.get("/versions/asked/7", fields).json()["target"], expected, "{fields}");
    }
}

#[test]
fn failures_are_those_of_the_upstream_that_was_chosen() {
    let (stable, closed) = (Upstream::echo(), ReservedPort::new());
    let gateway = gateway(stable.address, closed.address, stable.address, &[]);
    assert_eq!(gateway.get("/versions/asked/7", "X-Canary: 1\r\n").status, 502);
    assert_eq!(gateway.get("/versions/asked/7", "").status, 200);
    let line = gateway.log_line(|line| line["status"] == 502);
    assert_eq!((line["upstream"].as_str(), line["reject"].as_str()), (Some("canary"), Some("upstream-unreachable")));
}

#[test]
fn copies_carry_no_credentials() {
    let (stable, shadow, folder) = (Upstream::echo(), Upstream::echo(), Folder::new());
    let consumers = folder.write(
        "consumers.yaml",
        "consumers: [{username: guest}, {username: ann, credentials: [{id: a, type: key, key: {env: TEST_ANN_KEY}}]}]\n",
    );
    let consumers = format!("consumers.file={consumers}");
    let gateway = gateway(stable.address, stable.address, shadow.address, &[&consumers]);
    let fields = "Authorization: Bearer abc\r\nCookie: sid=1\r\nSignature: a\r\nX-Mark: 7\r\nX-Gateway-Mirror: no\r\n";
    assert_eq!(gateway.get("/versions/copied?a=1&key=ann-secret", fields).status, 200);
    copied(&gateway, "answered", 1);
    let (original, copy) = (&stable.heads()[0], &shadow.heads()[0]);
    assert!(original.starts_with("GET /copied?a=1&key=ann-secret HTTP/1.1\r\n"), "{original}");
    assert!(original.contains("Authorization: Bearer abc\r\n") && original.contains("Cookie: sid=1\r\n"));
    assert!(!original.to_lowercase().contains("x-gateway-mirror"), "it is no copy, whatever the client says");
    assert!(copy.starts_with("GET /copied?a=1 HTTP/1.1\r\n"), "{copy}");
    for name in ["authorization", "cookie", "signature", "ann-secret", "content-length"] {
        assert!(!copy.to_lowercase().contains(name), "{name} in {copy}");
    }
    for field in
        ["X-Mark: 7", "X-Consumer-Username: ann", "X-Gateway-Mirror: true", &format!("Host: {}", shadow.address)]
    {
        assert!(copy.contains(&format!("{field}\r\n")), "{field} is not in {copy}");
    }
    let request_id = |head: &str| Some(head.split_once("X-Request-Id: ")?.1.lines().next()?.to_owned());
    assert_eq!(request_id(original), request_id(copy));
    gateway.log_line(|line| line["operation"] == "copied");
    assert_eq!(gateway.log().matches("\"operation\":\"copied\"").count(), 1);

    let body = "Authorization: Bearer abc\r\nCookie: sid=1\r\nContent-Length: 0\r\n";
    assert_eq!(gateway.request("PUT", "/versions/copied?key=ann-secret", body).status, 200);
    copied(&gateway, "answered", 2);
    let copy = &shadow.heads()[1];
    assert!(copy.starts_with("PUT /copied?key=ann-secret HTTP/1.1\r\n"), "{copy}");
    assert!(copy.contains("Authorization: Bearer abc\r\n") && copy.contains("Cookie: sid=1\r\n"), "{copy}");
    assert!(copy.contains("Content-Length: 0\r\n"), "{copy}");
    assert_eq!(gateway.request("DELETE", "/versions/copied", "").status, 200);
    assert_eq!(shadow.heads().len(), 2, "`off` ends it");
    assert_eq!(gateway.get("/versions/copied?key=wrong", "").status, 401);
    assert_eq!(shadow.heads().len(), 2, "what is refused is not copied");
}

#[test]
fn bodies_are_copied_up_to_a_size_however_they_come() {
    let stable = Upstream::echo();
    let (bodies, shadow) = bodies();
    let gateway = gateway(stable.address, stable.address, shadow.address, &[]);
    const HEAD: &str = "POST /versions/copied HTTP/1.1\r\nHost: gateway.test\r\n";
    let mut client = gateway.connect();
    client.send(format!("{HEAD}Content-Length: 5\r\n\r\nhello"));
    assert_eq!(client.response(false).status, 200);
    client.send(format!("{HEAD}Content-Length: 10\r\n\r\n"));
    eventually("the head is there", || (stable.heads().len() == 2).then_some(()));
    client.send("slow");
    client.send(" bytes");
    assert_eq!(client.response(false).status, 200);
    client.send(format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n"));
    client.send("0\r\nX-Sum: 1\r\n\r\n");
    assert_eq!(client.response(false).status, 200);
    client.send(format!("{HEAD}Expect: 100-continue\r\nContent-Length: 4\r\n\r\n"));
    assert!(client.head().starts_with("HTTP/1.1 100 "));
    client.send("then");
    assert_eq!(client.response(false).status, 200);
    copied(&gateway, "answered", 4);
    assert_eq!(*bodies.lock().expect("no panic"), ["hello", "slow bytes", "abcde", "then"]);
    assert!(shadow.heads().iter().all(|head| head.contains("Content-Length: ") && !head.contains("chunked")));

    let large = "x".repeat(70_000);
    client.send(format!("{HEAD}Content-Length: 70000\r\n\r\n{large}"));
    assert_eq!(client.response(false).json()["body"].as_str().map(str::len), Some(70_000));
    copied(&gateway, "too_large", 1);
    client.send(format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n11170\r\n{large}\r\n0\r\n\r\n"));
    assert_eq!(client.response(false).json()["body"].as_str().map(str::len), Some(70_000));
    copied(&gateway, "too_large", 2);
    assert_eq!(shadow.heads().len(), 4);
}

type Bodies = std::sync::Arc<std::sync::Mutex<Vec<String>>>;

/// An upstream that keeps the bodies that it gets.
fn bodies() -> (Bodies, Upstream) {
    let bodies = Bodies::default();
    let kept = std::sync::Arc::clone(&bodies);
    let upstream = Upstream::start(move |head, connection| {
        let body = support::read_body(head, connection);
        kept.lock().expect("no panic").push(body);
        connection.send("HTTP/1.1 500 x\r\nContent-Length: 6\r\n\r\nshadow");
        true
    });
    (bodies, upstream)
}

#[test]
fn no_client_waits_for_a_copy_or_fails_with_it() {
    let (stable, gate) = (Upstream::echo(), Gate::default());
    let shared = gate.clone();
    let silent = Upstream::start(move |_, _| {
        shared.pass();
        false
    });
    let slow = gateway(stable.address, stable.address, silent.address, &[]);
    for _ in 0..10 {
        assert_eq!(slow.get("/versions/copied", "").status, 200);
    }
    eventually("the copies are there", || (silent.heads().len() == 10).then_some(()));
    gate.open();
    copied(&slow, "failed", 10);

    let closed = ReservedPort::new();
    let lonely = gateway(stable.address, stable.address, closed.address, &[]);
    assert_eq!(lonely.get("/versions/copied", "").status, 200);
    copied(&lonely, "failed", 1);

    let narrow = format!("upstreams.versions.shadow={{url: \"http://{}\", breaker: {{requests: 1}}}}", silent.address);
    let gate = Gate::default();
    let shared = gate.clone();
    let held = Upstream::start(move |_, connection| {
        shared.pass();
        connection.send("HTTP/1.1 204 x\r\n\r\n");
        true
    });
    let narrow = narrow.replace(&silent.address.to_string(), &held.address.to_string());
    let narrow = gateway(stable.address, stable.address, held.address, &[&narrow]);
    assert_eq!(narrow.get("/versions/copied", "").status, 200);
    eventually("the first is there", || (held.heads().len() == 1).then_some(()));
    assert_eq!(narrow.get("/versions/copied", "").status, 200);
    copied(&narrow, "dropped", 1);
    gate.open();
    copied(&narrow, "answered", 1);
}

#[test]
fn a_request_that_is_tried_again_is_copied_once() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let unsteady = Upstream::start(move |head, connection| {
        support::read_body(head, connection);
        let is_first = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
        connection.send(format!("HTTP/1.1 {} x\r\nContent-Length: 0\r\n\r\n", if is_first { 503 } else { 200 }));
        true
    });
    let (bodies, shadow) = bodies();
    let stable = format!(
        "upstreams.versions.stable={{url: \"http://{}\", retry: {{on: [503], backoff: {{base: 1ms}}}}}}",
        unsteady.address
    );
    let gateway = gateway(unsteady.address, unsteady.address, shadow.address, &[&stable]);
    let mut client = gateway.connect();
    client.send("GET /versions/copied HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 4\r\n\r\nbo");
    eventually("the head is there", || (unsteady.heads().len() == 1).then_some(()));
    client.send("dy");
    assert_eq!(client.response(false).status, 200);
    assert_eq!(unsteady.heads().len(), 2);
    copied(&gateway, "answered", 1);
    assert_eq!(*bodies.lock().expect("no panic"), ["body"]);
}

#[test]
fn a_mirror_to_the_server_of_the_request_is_reported() {
    let (stable, shadow) = (Upstream::echo(), Upstream::echo());
    let told = "gets the requests of `copied` of specs/versions.yaml, gets their copies too: it is also an address of the \
                upstream `stable`";
    for (shadow, is_told) in [(&stable, true), (&shadow, false)] {
        let gateway = gateway(stable.address, stable.address, shadow.address, &[]);
        assert_eq!(gateway.messages().contains(told), is_told, "{}", gateway.messages());
    }
}
