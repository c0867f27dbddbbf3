//! What documents describe of requests and responses, as clients and upstreams meet it.

#[path = "../../support/mod.rs"]
mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::{Connection, Folder, Gate, Gateway, Response, Upstream, eventually};

const GOOD: &str = r#"{ "items": [{"sku":"ABC-1234", "quantity": 2}] }"#;

fn post(gateway: &Gateway, target: &str, fields: &str, body: &str) -> Response {
    let mut connection = gateway.connect();
    let length = body.len();
    connection.send(format!("POST {target} HTTP/1.1\r\nHost: h\r\n{fields}Content-Length: {length}\r\n\r\n{body}"));
    connection.response(false)
}

fn json_of(body: &str) -> String {
    format!("Content-Type: application/json\r\nX-Count: 1\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// The errors of a refusal, as place and name or pointer.
fn errors(response: &Response) -> Vec<(String, String)> {
    let text = |error: &Value, name: &str| error[name].as_str().map(str::to_owned);
    let errors = response.json()["errors"].as_array().cloned().unwrap_or_default();
    let place = |error: &Value| text(error, "pointer").or(text(error, "name"));
    errors.iter().map(|error| (text(error, "in").unwrap_or_default(), place(error).unwrap_or_default())).collect()
}

fn at(place: &str, name: &str) -> Vec<(String, String)> {
    vec![(place.to_owned(), name.to_owned())]
}

#[test]
fn parameters_are_checked_behind_security() {
    let folder = Folder::new();
    let consumers =
        "consumers: [{username: olaf, credentials: [{type: key, key: {env: TEST_OLAF_KEY}}]}, {username: guest}]";
    let file = folder.write("consumers.yaml", consumers);
    let upstream = Upstream::echo();
    let gateway = Gateway::start(&[&format!("consumers.file={file}")], upstream.address);
    let tenant = "X-Tenant: a\r\n";
    assert_eq!(gateway.get("/shop/orders?page=0", "").status, 401);
    for (target, fields, expected) in [
        ("/shop/orders?key=olaf-secret&page=0", tenant, at("query", "page")),
        ("/shop/orders?key=olaf-secret&page=1&page=2", tenant, at("query", "page")),
        ("/shop/orders?key=olaf-secret&page=%ff", tenant, at("query", "page")),
        ("/shop/orders?key=olaf-secret", "", at("header", "X-Tenant")),
        ("/shop/orders?key=olaf-secret", "x-tenant: 123456789\r\n", at("header", "X-Tenant")),
        ("/shop/orders?key=olaf-secret&more=1", tenant, at("query", "more")),
        // It would not reach the upstream.
        (
            "/shop/orders?key=olaf-secret",
            "X-Tenant: a\r\nConnection: keep-alive, x-tenant\r\n",
            at("header", "X-Tenant"),
        ),
    ] {
        let answer = gateway.get(target, fields);
        assert_eq!((answer.status, errors(&answer)), (400, expected), "{target}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.json()["title"], "Bad Request");
    }
    assert_eq!(upstream.connections(), 0);
    let line = gateway.log_line(|line| line["detail"] == "query page: must be at least 1");
    assert_eq!(line["reject"], "invalid-parameter");
    assert_eq!(gateway.get("/shop/orders?key=olaf-secret&page=7", tenant).status, 200);
}

#[test]
fn bodies_are_checked_and_forwarded_as_they_came() {
    let upstream = Upstream::echo();
    let gateway = Gateway::before(&upstream);
    let json = "Content-Type: application/json\r\n";
    for (fields, body, status, expected) in [
        (json, r#"{"items": [{"sku": "abc"}]}"#, 422, at("body", "/items/0/sku")),
        (json, r#"{"items": [{"sku": "ABC-1234"}], "id": "x"}"#, 422, at("body", "/id")),
        (json, r#"{"items": []}"#, 422, at("body", "/items")),
        (json, r#"{"items": [], "items": []}"#, 400, at("body", "")),
        (json, "{", 400, at("body", "")),
        (json, "", 400, at("body", "")),
        ("Content-Type: application/json; charset=utf-16\r\n", GOOD, 400, at("body", "")),
        ("Content-Type: application/json\r\nContent-Encoding: gzip\r\n", GOOD, 400, at("body", "")),
        ("Content-Type: application/json\r\nContent-Type: text/plain\r\n", GOOD, 400, vec![]),
        ("Content-Type: text/plain\r\n", GOOD, 415, vec![]),
        ("", GOOD, 415, vec![]),
    ] {
        let answer = post(&gateway, "/shop/orders", fields, body);
        assert_eq!((answer.status, errors(&answer)), (status, expected), "{fields}{body}: {answer:?}");
        assert_eq!(answer.header("accept"), if status == 415 { "application/json" } else { "" });
    }
    assert_eq!(upstream.connections(), 0);
    let answer = post(&gateway, "/shop/orders", json, GOOD);
    assert_eq!((answer.status, answer.json()["body"].as_str()), (200, Some(GOOD)));
}

#[test]
fn bodies_that_come_in_pieces_are_waited_for() {
    let upstream = Upstream::echo();
    let gateway = Gateway::before(&upstream);
    let head = "POST /shop/orders HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n";
    let mut connection = gateway.connect();
    connection.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\n{{\"ite\r\n"));
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(upstream.connections(), 0, "nothing is sent before all of it is there");
    let rest = r#"ms": [{"sku": "ABC-1234"}]}"#;
    connection.send(format!("{:x}\r\n{rest}\r\n0\r\n\r\n", rest.len()));
    let answer = connection.response(false);
    assert_eq!((answer.status, &answer.json()["body"]), (200, &json!(r#"{"items": [{"sku": "ABC-1234"}]}"#)));
    connection.send(format!("{head}Content-Length: 12\r\nExpect: 100-continue\r\n\r\n"));
    assert!(connection.head().starts_with("HTTP/1.1 100 "));
    connection.send(r#"{"items":[]}"#);
    assert_eq!(connection.response(false).status, 422);
    // The connection goes on, with the next request at its place.
    connection.send(format!("{head}Content-Length: {}\r\n\r\n{GOOD}", GOOD.len()));
    assert_eq!(connection.response(false).status, 200);
    connection.send(format!("{head}Content-Length: 65537\r\n\r\n"));
    assert_eq!(connection.response(false).status, 413);
    let mut connection = gateway.connect();
    connection.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n10001\r\n{}", " ".repeat(65_537)));
    assert_eq!(connection.response(false).status, 413);
}

#[test]
fn bodies_take_no_more_memory_than_they_may() {
    let upstream = Upstream::echo();
    let gateway = Gateway::start(&["limits.bodyMemory=1MiB"], upstream.address);
    let head =
        "POST /shop/orders HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 65536\r\n\r\n{";
    let waiting = |count: usize, body: &str| -> Vec<Connection> {
        let send = |_| {
            let mut connection = gateway.connect();
            connection.send(head);
            connection.send(body);
            connection
        };
        (0..count).map(send).collect()
    };
    // What has not come takes nothing.
    let idle = waiting(40, "");
    let full = waiting(17, &" ".repeat(60_000));
    let line = gateway.log_line(|line| line["reject"] == "body-memory");
    assert_eq!(line["status"], 503);
    // What is only observed passes without a check.
    let mut observed = gateway.connect();
    observed.send(format!(
        "{}Content-Length: 2\r\n\r\n",
        "POST /shop/observed HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
    ));
    std::thread::sleep(Duration::from_millis(50));
    observed.send("{}");
    assert_eq!(observed.response(false).status, 200);
    drop((idle, full));
    eventually("the memory is given back", || {
        let mut connection = gateway.connect();
        connection.send(head);
        connection.send(" ".repeat(65_535));
        (connection.response(false).status == 400).then_some(())
    });
}

#[test]
fn slow_bodies_that_are_only_observed_pass_unchecked() {
    let upstream = Upstream::echo();
    let gateway = Gateway::before(&upstream);
    let mut connection = gateway.connect();
    connection.send(
        "POST /shop/observed HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{",
    );
    eventually("it is sent on", || (upstream.connections() == 1).then_some(()));
    connection.send("}");
    assert_eq!((connection.response(false).json()["body"].as_str(), upstream.connections()), (Some("{}"), 1));
    let line = gateway.log_line(|line| line["operation"] == "observedOrder");
    assert_eq!(line["observed"], "body: is too large or too slow to be checked");
}

#[test]
fn observed_violations_pass_and_are_counted_and_logged() {
    let upstream = Upstream::echo();
    let gateway = Gateway::before(&upstream);
    let json = "Content-Type: application/json\r\n";
    let answer = post(&gateway, "/shop/observed?page=x", json, r#"{"items": [], "pin": "hunt3r"}"#);
    assert_eq!(answer.status, 200);
    let line = gateway.log_line(|line| line["operation"] == "observedOrder");
    let observed = line["observed"].as_str().expect("what was observed");
    assert!(observed.starts_with("query page: must be an integer; body "), "{observed}");
    assert!(observed.contains("/items") && observed.contains("/pin") && !line.to_string().contains("hunt3r"));
    // What is too large to be checked passes as well, whether it says its length or not.
    let large = format!(r#"{{"items": [], "more": "{}"}}"#, "x".repeat(2000));
    assert_eq!(post(&gateway, "/shop/observed", json, &large).json()["body"], large.as_str());
    let mut connection = gateway.connect();
    let length = large.len();
    connection.send(format!(
        "POST /shop/observed HTTP/1.1\r\nHost: h\r\n{json}Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{large}\r\n0\r\n\r\n"
    ));
    assert_eq!(connection.response(false).json()["body"], large.as_str());
    let twice = format!("{json}Content-Type: text/plain\r\n");
    assert_eq!(post(&gateway, "/shop/observed", &twice, "{}").status, 200);
    assert_eq!(post(&gateway, "/shop/orders", &twice, "{}").status, 400);
    let metrics = gateway.operations("/metrics").body;
    for (part, count) in [("parameters", 1), ("body", 4)] {
        let line = format!("operation=\"observedOrder\",part=\"{part}\",outcome=\"observed\"}} {count}\n");
        assert!(metrics.contains(&line), "{line} is not in {metrics}");
    }
}

#[test]
fn responses_that_are_not_as_described_are_502() {
    let good = r#"{"items": [{"sku": "ABC-1234"}]}"#;
    let bad = r#"{"items": [{"sku": "sesame"}]}"#;
    let large = format!(r#"{{"items": [], "x": "{}"}}"#, "y".repeat(8000));
    let chunked = |body: &str| {
        let (first, rest) = body.split_at(5);
        let fields = "Content-Type: application/json\r\nX-Count: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
        format!("{fields}5\r\n{first}\r\n{:x}\r\n{rest}\r\n0\r\n\r\n", rest.len())
    };
    let until_close = |body: &str| format!("Content-Type: application/json\r\nX-Count: 1\r\n\r\n{body}");
    for (status, rest, expected) in [
        ("200 OK", json_of(good), 200),
        ("200 OK", chunked(good), 200),
        ("200 OK", until_close(good), 200),
        ("204 No Content", "\r\n".to_owned(), 204),
        ("200 OK", json_of(bad), 502),
        ("200 OK", chunked(bad), 502),
        ("200 OK", until_close(bad), 502),
        ("200 OK", json_of("{"), 502),
        ("200 OK", json_of(good).replace("X-Count: 1", "X-Count: many"), 502),
        ("200 OK", json_of(good).replace("X-Count: 1\r\n", ""), 502),
        ("200 OK", json_of(good).replace("application/json", "text/html"), 502),
        ("200 OK", json_of(good).replace("X-Count: 1", "X-Count: 1\r\nContent-Encoding: br"), 502),
        ("201 Created", json_of(good), 502),
        // What is larger is not checked, and streams.
        ("200 OK", json_of(&large), 200),
        ("200 OK", chunked(&large), 200),
    ] {
        let answer = format!("HTTP/1.1 {status}\r\n{rest}");
        let closes = !rest.contains("Content-Length") && !rest.contains("chunked") && status.starts_with("200");
        let upstream = Upstream::start(move |_, connection| {
            connection.send(&answer);
            !closes
        });
        let gateway = Gateway::before(&upstream);
        let mut connection = gateway.connect();
        for _ in 0..2 {
            connection.send("GET /shop/checked HTTP/1.1\r\nHost: h\r\nAccept-Encoding: br\r\n\r\n");
            let answer = connection.response(false);
            assert_eq!(answer.status, expected, "{status} {rest}: {answer:?}");
            assert!(!answer.body.contains("sesame"));
            if expected == 200 {
                assert!([good, &large].contains(&answer.body.as_str()), "{answer:?}");
            }
        }
        assert!(upstream.heads().iter().all(|head| !head.to_lowercase().contains("accept-encoding")));
        if expected == 502 {
            gateway.log_line(|line| line["reject"] == "invalid-response" && line["side"] == "upstream");
        }
        // Where it is only observed, the same response comes through.
        let watched = gateway.get("/shop/watched", "");
        assert_ne!(watched.status, 502);
        let line = gateway.log_line(|line| line["operation"] == "watchedOrder");
        assert_eq!(line["observed"].is_string(), expected == 502, "{line}");
    }
}

#[test]
fn a_response_that_is_held_has_its_deadline_and_its_end() {
    let gate = Gate::default();
    let held = gate.clone();
    let upstream = Upstream::start(move |head, connection| {
        connection
            .send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Count: 1\r\nContent-Length: 50\r\n\r\n{");
        if head.contains("wait") {
            held.pass();
        }
        false
    });
    let gateway = Gateway::before(&upstream);
    let answer = gateway.get("/shop/checked", "");
    assert_eq!(answer.status, 502, "the upstream has closed too early");
    gateway.log_line(|line| line["reject"] == "upstream-broken");
    gate.open();
}

#[test]
fn requests_are_checked_before_a_mock_answers() {
    let upstream = Upstream::echo();
    let gateway = Gateway::before(&upstream);
    assert_eq!(gateway.get("/shop/mock", "").json(), json!({"items": []}));
    assert_eq!(gateway.get("/shop/mock", "Prefer: example=many\r\n").json(), json!({"items": [1, 2]}));
    assert_eq!(errors(&gateway.get("/shop/mock?page=0", "")), at("query", "page"));
    assert_eq!(upstream.connections(), 0);
}
