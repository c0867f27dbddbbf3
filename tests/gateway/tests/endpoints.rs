//! Upstreams with several endpoints: which one gets a request, and what happens when one fails.

#[path = "../../support/mod.rs"]
mod support;

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use support::{Gate, Gateway, ReservedPort, Upstream, eventually};

/// A gateway whose API `files` has its `store` at these endpoints; `members` are those of the upstream beside them.
fn gateway(endpoints: &[SocketAddr], members: &str) -> Gateway {
    let urls: Vec<String> = endpoints.iter().map(|address| format!("\"http://{address}\"")).collect();
    let store = format!("upstreams.notes.default={{endpoints: [{}]{members}}}", urls.join(", "));
    Gateway::start(&[&store, "workers=2"], endpoints[0])
}

fn answering(status: u16) -> Upstream {
    Upstream::start(move |head, connection| {
        support::read_body(head, connection);
        connection.send(format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n"));
        true
    })
}

#[test]
fn each_has_its_turn_and_is_called_by_its_own_name() {
    let (one, two) = (Upstream::echo(), Upstream::echo());
    let gateway = gateway(&[one.address, two.address], ", balance: round-robin");
    for _ in 0..6 {
        assert_eq!(gateway.get("/v1/health", "").status, 200);
    }
    for upstream in [&one, &two] {
        let heads = upstream.heads();
        assert_eq!(heads.len(), 3);
        assert!(heads.iter().all(|head| head.contains(&format!("Host: {}\r\n", upstream.address))), "{heads:?}");
    }
    let line = gateway.log_line(|line| line["endpoint"] == two.address.to_string());
    assert_eq!(line["attempts"], 1);
}

#[test]
fn a_hash_sends_equal_keys_to_one() {
    let (one, two) = (Upstream::echo(), Upstream::echo());
    let gateway = gateway(&[one.address, two.address], ", balance: {hash: [\"header:X-Tenant\"]}");
    for _ in 0..3 {
        for tenant in 0..12 {
            assert_eq!(gateway.get("/v1/health", &format!("X-Tenant: t{tenant}\r\n")).status, 200);
        }
    }
    let tenants = |upstream: &Upstream| -> Vec<String> {
        let mut tenants: Vec<String> = upstream
            .heads()
            .iter()
            .filter_map(|head| Some(head.split_once("X-Tenant: ")?.1.lines().next()?.to_owned()))
            .collect();
        tenants.sort();
        tenants.dedup();
        tenants
    };
    let (ones, twos) = (tenants(&one), tenants(&two));
    assert_eq!(ones.len() + twos.len(), 12, "each tenant has one endpoint: {ones:?} {twos:?}");
    assert!(!ones.is_empty() && !twos.is_empty());
}

#[test]
fn a_connection_that_cannot_be_made_costs_nothing() {
    let (closed, good) = (ReservedPort::new(), Upstream::echo());
    let gateway = gateway(&[closed.address, good.address], ", balance: round-robin, outlier: {eject: 1h}");
    for _ in 0..12 {
        assert_eq!(gateway.get("/v1/health", "").status, 200);
    }
    let metrics = gateway.operations("/metrics").body;
    for expected in [
        format!("gateway_upstream_endpoint_up{{api=\"notes\",upstream=\"default\",endpoint=\"{}\"}} 0", closed.address),
        format!("gateway_upstream_endpoint_up{{api=\"notes\",upstream=\"default\",endpoint=\"{}\"}} 1", good.address),
        format!(
            "gateway_upstream_ejections_total{{api=\"notes\",upstream=\"default\",endpoint=\"{}\",cause=\"connect\"}} 1",
            closed.address
        ),
    ] {
        assert!(metrics.contains(&expected), "{expected}\n{metrics}");
    }
}

#[test]
fn one_that_only_fails_is_ejected() {
    let (bad, good) = (answering(503), Upstream::echo());
    let gateway = gateway(&[bad.address, good.address], ", balance: round-robin, outlier: {consecutive: 2, eject: 1h}");
    let statuses: Vec<u16> = (0..12).map(|_| gateway.get("/v1/health", "").status).collect();
    let failed = statuses.iter().filter(|status| **status == 503).count();
    assert_eq!((failed, bad.heads().len(), good.heads().len()), (2, 2, 10), "{statuses:?}");
}

#[test]
fn one_that_says_that_it_is_not_well_gets_nothing() {
    let well = |status: u16| {
        Upstream::start(move |head, connection| {
            support::read_body(head, connection);
            let status = if head.starts_with("GET /healthz ") { status } else { 200 };
            connection.send(format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n"));
            !head.starts_with("GET /healthz ")
        })
    };
    let (ill, good) = (well(500), well(204));
    let checks = ", health: {path: /healthz, every: 50ms, timeout: 5s, unhealthy: 1}, outlier: off";
    let gateway = gateway(&[ill.address, good.address], checks);
    let up = format!("endpoint=\"{}\"}} 0", ill.address);
    eventually("one is unhealthy", || gateway.operations("/metrics").body.contains(&up).then_some(()));
    for _ in 0..8 {
        assert_eq!(gateway.get("/v1/health", "").status, 200);
    }
    assert!(ill.heads().iter().all(|head| head.contains("User-Agent: gateway-health\r\n")));
    assert_eq!(gateway.operations("/readyz?deep").status, 200);
}

#[test]
fn readiness_in_depth_is_that_of_the_upstreams() {
    let ill = answering(500);
    let checks = ", health: {path: /healthz, every: 50ms, timeout: 5s, unhealthy: 1}";
    let gateway = gateway(&[ill.address], checks);
    eventually("no endpoint is usable", || (gateway.operations("/readyz?deep").status == 503).then_some(()));
    assert!(gateway.operations("/readyz?deep").body.contains("notes.default"));
    assert_eq!(gateway.operations("/readyz").status, 200);
    assert_eq!(gateway.get("/v1/health", "").status, 500, "nobody is healthy, so all are used");
}

#[test]
fn what_may_be_repeated_is_sent_to_another() {
    let (bad, good) = (answering(503), Upstream::echo());
    let retry = ", balance: round-robin, outlier: off, retry: {attempts: 2, on: [503], backoff: {base: 1ms}, attemptHeader: true}";
    let gateway = gateway(&[bad.address, good.address], retry);
    for _ in 0..6 {
        assert_eq!(gateway.get("/v1/health", "X-Gateway-Attempt: 77\r\n").status, 200);
    }
    assert!(!bad.heads().is_empty());
    assert!(bad.heads().iter().all(|head| head.contains("\r\nX-Gateway-Attempt: 1\r\n")));
    assert!(good.heads().iter().any(|head| head.contains("\r\nX-Gateway-Attempt: 2\r\n")));
    assert!(good.heads().iter().all(|head| !head.contains("Attempt: 77")));
    let line = gateway.log_line(|line| line["attempts"] == 2);
    assert_eq!(line["endpoint"], good.address.to_string());
    let metrics = gateway.operations("/metrics").body;
    assert!(metrics.contains("gateway_upstream_retries_total{api=\"notes\",upstream=\"default\",outcome=\"success\"}"));
}

#[test]
fn without_budget_the_answer_of_the_upstream_stands() {
    let bad = answering(503);
    let gateway = gateway(&[bad.address], ", retry: {on: [503], backoff: {base: 1ms}, budget: {percent: 0, min: 0}}");
    assert_eq!(gateway.get("/v1/health", "").status, 503);
    assert_eq!(bad.heads().len(), 1);
    assert!(gateway.operations("/metrics").body.contains("outcome=\"budget\"} 1"));
}

#[test]
fn all_tries_end_with_the_total() {
    let gate = Gate::default();
    let shared = gate.clone();
    let silent = Upstream::start(move |_, _| {
        shared.pass();
        false
    });
    let members = ", timeout: {total: 300ms}, retry: {attempts: 9, on: [504], perTry: 100ms, backoff: {base: 1ms}}";
    let gateway = gateway(&[silent.address], members);
    let started = Instant::now();
    assert_eq!(gateway.get("/v1/health", "").status, 504);
    assert!(started.elapsed() >= Duration::from_millis(100));
    assert!((2..=4).contains(&silent.heads().len()), "{}", silent.heads().len());
    gate.open();
}

#[test]
fn a_slow_client_is_no_failure_of_the_endpoint() {
    let (one, two) = (Upstream::echo(), Upstream::echo());
    let members = ", timeout: {total: 300ms}, outlier: {consecutive: 1, eject: 1h}, retry: {perTry: 100ms}";
    let gateway = gateway(&[one.address, two.address], members);
    for _ in 0..3 {
        let answer = gateway.raw("POST /v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nab");
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
    assert_eq!(one.heads().len() + two.heads().len(), 3, "it is not repeated");
    let metrics = gateway.operations("/metrics").body;
    assert!(!metrics.contains("outcome=\"timeout\"") && !metrics.contains("cause="), "{metrics}");
}

#[test]
fn one_whose_responses_break_is_ejected() {
    let bad = Upstream::start(|_, connection| {
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx");
        false
    });
    let good = Upstream::echo();
    let gateway = gateway(&[bad.address, good.address], ", balance: round-robin, outlier: {consecutive: 2, eject: 1h}");
    for _ in 0..8 {
        gateway.raw("GET /v1/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    }
    assert_eq!((bad.heads().len(), good.heads().len()), (2, 6));
    let metrics = gateway.operations("/metrics").body;
    let of_bad = format!("endpoint=\"{}\",outcome=", bad.address);
    let outcomes: Vec<&str> = metrics.lines().filter_map(|line| Some(line.split_once(&of_bad)?.1)).collect();
    assert_eq!(outcomes, ["\"reset\"} 2"]);
}

#[test]
fn one_that_was_tried_is_tried_again_where_no_other_listens() {
    let (asked, closed) = (std::sync::atomic::AtomicUsize::new(0), ReservedPort::new());
    let unsteady = Upstream::start(move |_, connection| {
        let is_first = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
        let status = if is_first { 503 } else { 200 };
        connection.send(format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n"));
        true
    });
    let members = ", balance: round-robin, outlier: off, retry: {on: [503], backoff: {base: 1ms}}";
    let gateway = gateway(&[unsteady.address, closed.address], members);
    assert_eq!(gateway.get("/v1/health", "").status, 200);
    assert_eq!(unsteady.heads().len(), 2);
    assert_eq!(gateway.log_line(|line| line["status"] == 200)["attempts"], 2);
}

#[test]
fn nothing_is_tried_again_for_a_client_that_is_gone() {
    let bad = answering(503);
    let members = ", outlier: off, retry: {attempts: 9, on: [503], backoff: {base: 2s, max: 2s}}";
    let gateway = gateway(&[bad.address], members);
    let mut connection = gateway.connect();
    connection.send("GET /v1/health HTTP/1.1\r\nHost: gateway.test\r\n\r\n");
    eventually("it was tried", || (bad.heads().len() == 1).then_some(()));
    drop(connection);
    let line = gateway.log_line(|line| line["operation"] == "health");
    assert!(line["durationMicros"].as_u64().is_some_and(|time| time < 2_000_000), "{line}");
    assert_eq!(bad.heads().len(), 1);
}

#[test]
fn an_address_alone_keeps_what_the_document_says() {
    let (asked, good) = (answering(503), Upstream::echo());
    for (setting, total) in [
        (format!("upstreams.notes.default={{url: \"http://{}\"}}", asked.address), 1),
        (format!("upstreams.notes.default={{url: \"http://{}\", retry: {{on: [503]}}}}", asked.address), 3),
    ] {
        let gateway = Gateway::start(&[&setting], good.address);
        assert_eq!(gateway.get("/v1/health", "").status, 503);
        assert_eq!(asked.heads().len(), total);
    }
}

#[test]
fn more_than_an_upstream_takes_is_refused_at_once() {
    let gate = Gate::default();
    let shared = gate.clone();
    let slow = Upstream::start(move |_, connection| {
        shared.pass();
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        true
    });
    let gateway = gateway(&[slow.address], ", breaker: {requests: 1}");
    let mut first = gateway.connect();
    first.send("GET /v1/health HTTP/1.1\r\nHost: gateway.test\r\n\r\n");
    eventually("the first is there", || (slow.heads().len() == 1).then_some(()));
    let refused = gateway.get("/v1/health", "");
    assert_eq!((refused.status, refused.header("retry-after").as_str()), (503, "1"));
    gate.open();
    assert_eq!(first.response(false).status, 200);
    assert_eq!(slow.heads().len(), 1);
    let line = gateway.log_line(|line| line["status"] == 503);
    assert_eq!((line["reject"].as_str(), line["side"].as_str()), (Some("upstream-overloaded"), Some("upstream")));
}

#[test]
fn where_all_refuse_the_answer_names_none() {
    let closed = [ReservedPort::new(), ReservedPort::new()];
    let gateway = gateway(&[closed[0].address, closed[1].address], "");
    let answer = gateway.get("/v1/health", "");
    assert_eq!(answer.status, 502);
    assert!(!answer.body.contains("127.0.0.1"));
}

#[test]
fn what_a_deployment_says_wrongly_is_reported() {
    for (setting, words) in [
        ("upstreams.notes.default={url: \"http://a\", endpoints: [\"http://b\"]}", "not both"),
        (
            "upstreams.notes.default={endpoints: [\"http://a\"], balanse: x}",
            "did you mean `upstreams.notes.default.balance`",
        ),
        ("upstreams.notes.default=[\"http://a\", \"https://b\"]", "one scheme"),
        ("upstreams.notes.default=[]", "a weight"),
        ("upstreams.notes.default={url: \"http://a\", health: {path: x}}", "/healthz"),
    ] {
        let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
        let output = Gateway::command(&[setting], address).arg("check").output().expect("it runs");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!output.status.success() && said.contains(words), "{setting}: {said}");
    }
}
