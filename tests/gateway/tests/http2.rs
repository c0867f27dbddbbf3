//! HTTP/2 from the client's side: the same answers as over HTTP/1.1, many at once, and no more than that.

#[path = "../../support/mod.rs"]
mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Method, Request, Response};
use support::{Gate, Gateway, PATIENCE, Upstream, authorized, eventually, read_body};

/// Runs a client with time of its own.
fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

/// Waits while the client's connection goes on.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("waited in vain for {what}"));
}

/// A connection with small windows, so that bodies come in turns.
async fn connect(gateway: &Gateway) -> SendRequest<Bytes> {
    let stream = tokio::net::TcpStream::connect(gateway.address).await.expect("connects");
    let (client, connection) = h2::client::Builder::new()
        .initial_window_size(20_000)
        .handshake::<_, Bytes>(stream)
        .await
        .expect("speaks HTTP/2");
    tokio::spawn(connection);
    client.ready().await.expect("ready")
}

fn request(method: Method, target: &str) -> http::request::Builder {
    Request::builder().method(method).uri(format!("http://gateway.test{target}"))
}

/// Reads a response to its end.
async fn whole(response: Response<h2::RecvStream>) -> (http::response::Parts, Vec<u8>, Option<HeaderMap>) {
    let (parts, mut stream) = response.into_parts();
    let mut body = Vec::new();
    while let Some(data) = stream.data().await {
        let data = data.expect("data");
        body.extend_from_slice(&data);
        stream.flow_control().release_capacity(data.len()).expect("its own bytes");
    }
    (parts, body, stream.trailers().await.expect("the end"))
}

/// Sends a request with a body and trailers.
async fn ask(
    client: &mut SendRequest<Bytes>,
    request: Request<()>,
    body: &[u8],
    trailers: Option<HeaderMap>,
) -> (http::response::Parts, Vec<u8>, Option<HeaderMap>) {
    let ends = body.is_empty() && trailers.is_none();
    let (response, mut stream) = client.send_request(request, ends).expect("sent");
    if !ends {
        let (body, last) = (Bytes::copy_from_slice(body), trailers.is_none());
        let sending = async move {
            stream.send_data(body, last).expect("sent");
            if let Some(trailers) = trailers {
                stream.send_trailers(trailers).expect("sent");
            }
        };
        sending.await;
    }
    whole(response.await.expect("a response")).await
}

#[test]
fn requests_mean_the_same_as_over_http1() {
    let upstream = Upstream::echo();
    let gateway = Gateway::before(&upstream);
    let token = authorized().trim_start_matches("Authorization: ").trim_end().to_owned();
    run(async {
        let mut client = connect(&gateway).await;
        let get = request(Method::GET, "/v1/notes?limit=3").header("authorization", &token);
        let get = get.header("cookie", "a=1").header("cookie", "b=2").header("te", "trailers");
        let (parts, body, _) = ask(&mut client, get.body(()).expect("a request"), b"", None).await;
        assert_eq!(parts.status, 200);
        let seen: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!((&seen["method"], &seen["target"]), (&"GET".into(), &"/notes?limit=3".into()));
        assert_eq!(seen["headers"]["cookie"], "a=1; b=2");
        assert_eq!(seen["headers"]["x-forwarded-host"], "gateway.test");
        assert_eq!(seen["headers"]["via"], "2.0 gateway");
        for name in ["transfer-encoding", "content-length", "te", "connection"] {
            assert!(seen["headers"].get(name).is_none(), "{name} in {seen}");
        }
        for name in ["connection", "transfer-encoding", "keep-alive"] {
            assert!(!parts.headers.contains_key(name), "{name} in {parts:?}");
        }
        // With a length and without one.
        for length in [Some("5"), None] {
            let mut post = request(Method::POST, "/v1/notes").header("authorization", &token);
            post = post.header("content-type", "application/json");
            if let Some(length) = length {
                post = post.header("content-length", length);
            }
            let (parts, body, _) = ask(&mut client, post.body(()).expect("a request"), b"hello", None).await;
            let seen: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
            assert_eq!((parts.status.as_u16(), &seen["body"]), (200, &"hello".into()));
            assert_eq!(seen["headers"].get("content-length").is_some(), length.is_some());
        }
        for (method, target, status) in [
            (Method::GET, "/v1/notes", 401),
            (Method::DELETE, "/v1/health", 405),
            (Method::HEAD, "/v1/login", 405),
            (Method::GET, "/nowhere", 404),
            (Method::GET, "/v1/../v1/health", 400),
            (Method::OPTIONS, "*", 204),
        ] {
            let over_http1 = gateway.request(method.as_str(), target, "");
            let mut refused = request(method.clone(), if target == "*" { "/" } else { target });
            if target == "*" {
                refused = Request::builder().method(method.clone()).uri("*").header("host", "gateway.test");
            }
            let (parts, body, _) = ask(&mut client, refused.body(()).expect("a request"), b"", None).await;
            assert_eq!((parts.status.as_u16(), over_http1.status), (status, status), "{method} {target}");
            assert_eq!(String::from_utf8_lossy(&body), over_http1.body);
            for name in ["allow", "www-authenticate", "content-type"] {
                let value = parts.headers.get(name).map_or("", |value| value.to_str().expect("text"));
                assert_eq!(value, over_http1.header(name), "{name} of {method} {target}");
            }
        }
        // Which host is meant, if the two differ?
        let two = request(Method::GET, "/v1/health").header("host", "other.test").body(()).expect("a request");
        assert_eq!(ask(&mut client, two, b"", None).await.0.status, 400);
    });
    let line = gateway.log_line(|line| line["path"] == "/v1/notes" && line["method"] == "POST");
    assert_eq!((&line["status"], &line["requestBytes"]), (&200.into(), &5.into()));
}

#[test]
fn early_hints_come_before_the_answer() {
    for pause in [Duration::ZERO, Duration::from_millis(20)] {
        let upstream = Upstream::start(move |_, connection| {
            connection.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: x\r\n\r\n");
            std::thread::sleep(pause);
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
            true
        });
        let gateway = Gateway::before(&upstream);
        run(async {
            let client = connect(&gateway).await;
            let get = request(Method::GET, "/v1/health").body(()).expect("a request");
            let (mut response, _) = client.ready().await.expect("ready").send_request(get, true).expect("a stream");
            let hints = std::future::poll_fn(|cx| response.poll_informational(cx)).await.expect("hints").expect("sent");
            assert!(hints.status() == 103 && hints.headers()["link"] == "</a.css>; rel=preload", "{hints:?}");
            assert!(!hints.headers().contains_key("connection"));
            let (parts, body, _) = whole(response.await.expect("a response")).await;
            assert_eq!((parts.status.as_u16(), body), (200, b"x".to_vec()));
        });
    }
}

#[test]
fn heads_have_the_same_limits_as_over_http1() {
    let upstream = Upstream::echo();
    let gateway = Gateway::start(&["limits.requestLine=1KiB", "limits.head=4KiB"], upstream.address);
    run(async {
        let mut client = connect(&gateway).await;
        for (target, fields, value, status) in [
            (format!("/v1/{}", "a".repeat(1100)), 1, "b".to_owned(), 414),
            ("/v1/many".to_owned(), 100, "b".to_owned(), 431),
            ("/v1/large".to_owned(), 2, "b".repeat(2100), 431),
            ("/v1/health".to_owned(), 9, " b ".to_owned(), 200),
        ] {
            let mut get = request(Method::GET, &target);
            let mut text = String::new();
            for number in 0..fields {
                get = get.header(format!("x-{number}"), &value);
                text.push_str(&format!("x-{number}: {value}\r\n"));
            }
            let over_http1 = gateway.request("GET", &target, &text);
            let (parts, body, _) = ask(&mut client, get.body(()).expect("a request"), b"", None).await;
            assert_eq!((parts.status.as_u16(), over_http1.status), (status, status), "{target}");
            if status == 200 {
                let seen: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
                assert_eq!(seen["headers"]["x-8"], "b");
            } else {
                assert_eq!(String::from_utf8_lossy(&body), over_http1.body, "{target}");
            }
        }
    });
    for path in ["/v1/many", "/v1/large"] {
        let line = gateway.log_line(|line| line["path"] == path);
        assert_eq!((&line["method"], &line["reject"]), (&"GET".into(), &"head-too-large".into()));
    }
}

#[test]
fn streams_do_not_wait_for_each_other() {
    // The slow ones are answered after the quick one, however long that takes.
    let gate = Gate::default();
    let held = gate.clone();
    let upstream = Upstream::start(move |head, connection| {
        if head.contains("slow") {
            held.pass();
        }
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
        true
    });
    let gateway = Gateway::before(&upstream);
    run(async {
        let mut client = connect(&gateway).await;
        let slow: Vec<_> = (0..40)
            .map(|_| {
                let slow = request(Method::GET, "/v1/health?slow").body(()).expect("a request");
                client.send_request(slow, true).expect("sent").0
            })
            .collect();
        let quick = request(Method::GET, "/v1/health").body(()).expect("a request");
        assert_eq!(ask(&mut client, quick, b"", None).await.1, b"done");
        gate.open();
        for response in slow {
            assert_eq!(whole(response.await.expect("a response")).await.1, b"done");
        }
    });
}

#[test]
fn large_bodies_and_trailers_go_both_ways() {
    let upstream = Upstream::start(|head, connection| {
        let body = read_body(head, connection);
        if head.contains("chunks") {
            connection.send(format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\nGrpc-Status: 7\r\n\r\n",
                body.len()
            ));
        } else {
            connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
        }
        true
    });
    let gateway = Gateway::before(&upstream);
    let token = authorized().trim_start_matches("Authorization: ").trim_end().to_owned();
    let body: Vec<u8> = (0..1_000_000).map(|index| b'a' + (index % 23) as u8).collect();
    run(async {
        let mut client = connect(&gateway).await;
        for (target, trailing) in [("/v1/notes", false), ("/v1/notes?chunks", true)] {
            let post = request(Method::POST, target).header("authorization", &token);
            let post = post.header("content-type", "application/json").body(()).expect("a request");
            let mut fields = HeaderMap::new();
            fields.insert("x-sum", "7".parse().expect("a value"));
            let (parts, answered, trailers) = ask(&mut client, post, &body, Some(fields).filter(|_| trailing)).await;
            assert_eq!(parts.status, 200);
            assert!(answered == body, "{} bytes came back", answered.len());
            assert_eq!(trailers.is_some_and(|fields| fields["grpc-status"] == "7"), trailing);
        }
    });
}

#[test]
fn one_broken_stream_leaves_the_others_alone() {
    let upstream = Upstream::start(|head, connection| {
        if head.contains("breaks") {
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\nonly this");
            return false;
        }
        if head.contains("waits") {
            // Until the gateway hangs up.
            while connection.more() {}
            return false;
        }
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
        true
    });
    let gateway = Gateway::before(&upstream);
    run(async {
        let mut client = connect(&gateway).await;
        let breaks = request(Method::GET, "/v1/health?breaks").body(()).expect("a request");
        let reason = match client.send_request(breaks, true).expect("sent").0.await {
            // It may overtake the head.
            Err(error) => error.reason(),
            Ok(response) => {
                let mut body = response.into_body();
                loop {
                    match body.data().await.expect("no end") {
                        Ok(data) => assert_eq!(&*data, b"only this"),
                        Err(error) => break error.reason(),
                    }
                }
            }
        };
        assert_eq!(reason, Some(h2::Reason::INTERNAL_ERROR), "never a body that looks whole");
        // A client that does not want the answer any more frees the upstream at once.
        let waits = request(Method::GET, "/v1/health?waits").body(()).expect("a request");
        let (response, mut stream) = client.send_request(waits, true).expect("sent");
        until("the request at the upstream", || upstream.heads().iter().any(|head| head.contains("waits"))).await;
        stream.send_reset(h2::Reason::CANCEL);
        drop(response);
        let quick = request(Method::GET, "/v1/health").body(()).expect("a request");
        assert_eq!(ask(&mut client, quick, b"", None).await.1, b"done");
    });
    // The client left before the answer.
    gateway.log_line(|line| line["path"] == "/v1/health" && line["status"] == 0);
}

#[test]
fn termination_says_goodbye() {
    let gate = Gate::default();
    let held = gate.clone();
    let upstream = Upstream::start(move |_, connection| {
        held.pass();
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
        true
    });
    let mut gateway = Gateway::start(&["timeouts.shutdown=1h"], upstream.address);
    run(async {
        let mut client = connect(&gateway).await;
        let running = request(Method::GET, "/v1/health").body(()).expect("a request");
        let running = client.send_request(running, true).expect("sent").0;
        until("the request at the upstream", || !upstream.heads().is_empty()).await;
        gateway.terminate();
        until("not ready", || gateway.operations("/readyz").status == 503).await;
        gate.open();
        assert_eq!(whole(running.await.expect("a response")).await.1, b"done");
        // No further request is taken on this connection, and the client knows.
        let farewell = async {
            while let Ok(ready) = client.ready().await {
                client = ready;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, farewell).await.expect("GOAWAY");
    });
    assert!(gateway.wait().success());
}

/// A client of frames, for what no library sends.
struct Raw(TcpStream);

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

impl Raw {
    fn connect(gateway: &Gateway) -> Self {
        let mut stream = TcpStream::connect(gateway.address).expect("connects");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").expect("sent");
        let mut raw = Self(stream);
        raw.frame(SETTINGS, 0, 0, b"");
        raw
    }

    /// False once the gateway takes no more.
    fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        let length = u32::try_from(payload.len()).expect("small").to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend_from_slice(&stream.to_be_bytes());
        frame.extend_from_slice(payload);
        self.0.write_all(&frame).is_ok()
    }

    /// Reads to the frame of a kind; `None` at the end of the connection.
    fn next(&mut self, kind: u8) -> Option<(u32, Vec<u8>)> {
        loop {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).ok()?;
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            self.0.read_exact(&mut payload).ok()?;
            if head[3] == kind {
                return Some((u32::from_be_bytes([head[5], head[6], head[7], head[8]]), payload));
            }
        }
    }

    /// The error that the connection ends with.
    fn goodbye(&mut self) -> Option<u32> {
        let (_, payload) = self.next(GOAWAY)?;
        Some(u32::from_be_bytes(payload[4..8].try_into().expect("four bytes")))
    }
}

/// `GET https://a/v1/health` in HPACK, and a field.
fn fields(name: &str, value: &str) -> Vec<u8> {
    let literal = |text: &str| [&[u8::try_from(text.len()).expect("short")], text.as_bytes()].concat();
    let mut block = vec![0x82, 0x87, 0x04];
    block.extend(literal("/v1/health"));
    block.push(0x01);
    block.extend(literal("a"));
    if !name.is_empty() {
        block.push(0x00);
        block.extend(literal(name));
        block.extend(literal(value));
    }
    block
}

#[test]
fn floods_end_the_connection_and_nothing_else() {
    let gateway = Gateway::before(&Upstream::echo());
    const CALM: Option<u32> = Some(11);
    // Streams that are opened only to be reset (CVE-2023-44487).
    let mut raw = Raw::connect(&gateway);
    let mut stream = 1;
    while stream < 200_000 {
        let open = raw.frame(HEADERS, END_HEADERS | END_STREAM, stream, &fields("", ""));
        if !open || !raw.frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]) {
            break;
        }
        stream += 2;
    }
    assert!(stream < 200_000, "{stream} streams were opened and reset");
    assert!(matches!(raw.goodbye(), CALM | None));
    // Fields that never end (CVE-2024-27316).
    let mut raw = Raw::connect(&gateway);
    raw.frame(HEADERS, END_STREAM, 1, &fields("", ""));
    let piece = fields("x", "y").split_off(fields("", "").len());
    let ended = (0..2_000_000).any(|_| !raw.frame(CONTINUATION, 0, 1, &piece));
    assert!(ended, "fields went on for ever");
    // Questions whose answers the client does not read.
    for (kind, payload) in [(PING, &[0; 8][..]), (SETTINGS, &[0, 3, 0, 0, 0, 100])] {
        let mut raw = Raw::connect(&gateway);
        raw.0.set_write_timeout(Some(Duration::from_millis(500))).expect("a timeout");
        let sent = (0..3_000_000).take_while(|_| raw.frame(kind, 0, 0, payload)).count();
        assert!(sent < 3_000_000, "{sent} frames of kind {kind} were taken without an answer being read");
    }
    // Compressed to nothing, expanded to a lot: one long field, and then its number in the table over and over.
    let mut raw = Raw::connect(&gateway);
    let mut bomb = fields("", "");
    bomb.extend([0x40, 1, b'x', 0x7f, 0xe1, 0x1e]);
    bomb.extend(std::iter::repeat_n(b'y', 4000));
    bomb.extend(std::iter::repeat_n(0xbe, 12_000));
    raw.frame(HEADERS, END_HEADERS | END_STREAM, 1, &bomb);
    assert!(raw.next(HEADERS).is_none_or(|(_, block)| block.first() != Some(&0x88)), "no 200");
    assert!(gateway.resident_kib() < 120_000, "{} KiB", gateway.resident_kib());
    assert_eq!(gateway.get("/v1/health", "").status, 200);
}

#[test]
fn streams_that_are_broken_off_late_end_the_connection_too() {
    let upstream = Upstream::start(|_, connection| {
        while connection.more() {}
        false
    });
    let gateway = Gateway::before(&upstream);
    let mut raw = Raw::connect(&gateway);
    raw.0.set_write_timeout(Some(Duration::from_secs(2))).expect("a timeout");
    let (mut stream, mut rounds) = (1, 0);
    // Each round has time to reach the upstream.
    'rounds: while rounds < 50 {
        rounds += 1;
        let first = stream;
        while stream < first + 120 {
            if !raw.frame(HEADERS, END_HEADERS | END_STREAM, stream, &fields("", "")) {
                break 'rounds;
            }
            stream += 2;
        }
        std::thread::sleep(Duration::from_millis(100));
        for stream in (first..stream).step_by(2) {
            if !raw.frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]) {
                break 'rounds;
            }
        }
    }
    assert!(rounds < 20, "{rounds} rounds of 60 streams");
    assert!(upstream.connections() < 1000, "{} connections to the upstream", upstream.connections());
    assert!(matches!(raw.goodbye(), Some(11) | None));
}

#[test]
fn streams_take_places_like_connections() {
    let gate = Gate::default();
    let held = gate.clone();
    let upstream = Upstream::start(move |_, connection| {
        held.pass();
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
        true
    });
    let gateway = Gateway::start(&["limits.connectionsPerAddress=20"], upstream.address);
    run(async {
        let mut client = connect(&gateway).await;
        let refused = Arc::new(AtomicUsize::new(0));
        let responses: Vec<_> = (0..60)
            .map(|_| {
                let slow = request(Method::GET, "/v1/health").body(()).expect("a request");
                let (response, refused) = (client.send_request(slow, true).expect("sent").0, Arc::clone(&refused));
                tokio::spawn(async move {
                    let response = response.await.expect("a response");
                    let status = response.status().as_u16();
                    assert_eq!(response.headers().contains_key("retry-after"), status == 503);
                    refused.fetch_add(usize::from(status == 503), Relaxed);
                    status
                })
            })
            .collect();
        // The others are under way as long as it takes to refuse these.
        until("refusals", || refused.load(Relaxed) == 40).await;
        gate.open();
        for response in responses {
            assert!(matches!(response.await.expect("no panic"), 200 | 503));
        }
        assert_eq!(refused.load(Relaxed), 40);
        // They come back.
        let back = async {
            loop {
                let later = request(Method::GET, "/v1/health").body(()).expect("a request");
                let (parts, body, _) = ask(&mut client, later, b"", None).await;
                if parts.status == 200 {
                    break body;
                }
            }
        };
        assert_eq!(tokio::time::timeout(PATIENCE, back).await.expect("a place"), b"done");
    });
}

#[test]
fn a_client_that_sends_no_goaway_does_not_delay_the_end() {
    // Whatever else could end the connection takes an hour.
    let settings = ["timeouts.shutdown=1h", "timeouts.keepAlive=1h", "timeouts.head=1h"];
    let mut gateway = Gateway::start(&settings, Upstream::echo().address);
    let mut raw = Raw::connect(&gateway);
    raw.frame(HEADERS, END_HEADERS | END_STREAM, 1, &fields("", ""));
    assert!(raw.next(HEADERS).is_some());
    gateway.terminate();
    assert!(gateway.wait().success());
}

#[test]
fn malformed_requests_end_their_stream() {
    let gateway = Gateway::before(&Upstream::echo());
    for (name, value) in [
        ("connection", "close"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("te", "gzip"),
        ("Upper", "case"),
        ("a b", "c"),
        ("x", "a\r\nb: c"),
        ("x", "a\0b"),
        ("content-length", "7"),
        (":path", "/else"),
    ] {
        let mut raw = Raw::connect(&gateway);
        raw.frame(HEADERS, END_HEADERS | END_STREAM, 1, &fields(name, value));
        let reset = raw.next(RST_STREAM);
        assert!(reset.is_none_or(|(stream, _)| stream == 1), "{name}: {value}");
    }
    assert!(!gateway.log().contains("\"status\":200"), "{}", gateway.log());
}

#[test]
fn an_unknown_scheme_resets_its_stream() {
    let gateway = Gateway::before(&Upstream::echo());
    let literal = |text: &str| [&[u8::try_from(text.len()).expect("short")], text.as_bytes()].concat();
    for scheme in ["", "ftp", "file", "httpx", "javascript"] {
        let mut raw = Raw::connect(&gateway);
        // `:scheme` as a literal, in the place of `https`.
        let block = [&[0x82, 0x06][..], &literal(scheme), &fields("", "")[2..]].concat();
        raw.frame(HEADERS, END_HEADERS | END_STREAM, 1, &block);
        assert!(raw.next(RST_STREAM).is_some_and(|(stream, error)| stream == 1 && error == [0, 0, 0, 1]), "{scheme:?}");
        // The connection goes on.
        raw.frame(HEADERS, END_HEADERS | END_STREAM, 3, &fields("", ""));
        assert!(raw.next(HEADERS).is_some_and(|(stream, _)| stream == 3), "{scheme:?}");
    }
    assert!(!gateway.log().contains("\"status\":400"), "{}", gateway.log());
}

#[test]
fn pseudo_header_fields_in_trailers_reset_the_stream() {
    const DATA: u8 = 0;
    let upstream = Upstream::echo();
    let gateway = Gateway::before(&upstream);
    let literal = |text: &str| [&[u8::try_from(text.len()).expect("short")], text.as_bytes()].concat();
    // `POST https://a/v1/login`.
    let head = [&[0x83, 0x87, 0x04][..], &literal("/v1/login"), &[0x01], &literal("a")].concat();
    let post = |trailers: &[u8]| {
        let mut raw = Raw::connect(&gateway);
        raw.frame(HEADERS, END_HEADERS, 1, &head);
        raw.frame(DATA, 0, 1, b"hello");
        std::thread::sleep(Duration::from_millis(50));
        raw.frame(HEADERS, END_HEADERS | END_STREAM, 1, trailers);
        raw
    };
    let mut raw = post(&[&[0x00][..], &literal("x-sum"), &literal("1")].concat());
    assert!(raw.next(HEADERS).is_some_and(|(stream, _)| stream == 1), "good trailers");
    for (name, trailers) in [
        ("an index", vec![0x82]),
        ("an indexed name", [&[0x04][..], &literal("/admin")].concat()),
        ("a literal", [&[0x00][..], &literal(":path"), &literal("/admin")].concat()),
        ("another word", [&[0x00][..], &literal(":status"), &literal("200")].concat()),
    ] {
        let mut raw = post(&trailers);
        let reset = raw.next(RST_STREAM);
        assert!(
            reset.as_ref().is_some_and(|(stream, error)| *stream == 1 && error == &[0, 0, 0, 1]),
            "{name}: {reset:?}"
        );
        // The connection goes on.
        raw.frame(HEADERS, END_HEADERS | END_STREAM, 3, &fields("", ""));
        assert!(raw.next(HEADERS).is_some_and(|(stream, _)| stream == 3), "{name}");
    }
}

#[test]
fn frames_that_must_be_answered_have_a_rate() {
    let gateway = Gateway::before(&Upstream::echo());
    for (kind, payload) in [(PING, &[0; 8][..]), (SETTINGS, &[])] {
        let mut raw = Raw::connect(&gateway);
        raw.0.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        // All answers are read.
        let mut reader = Raw(raw.0.try_clone().expect("a copy"));
        let reading = std::thread::spawn(move || reader.goodbye());
        let sent = (0..200_000).take_while(|_| raw.frame(kind, 0, 0, payload)).count();
        assert!(sent < 200_000, "{sent} frames of kind {kind}");
        assert!(matches!(reading.join().expect("no panic"), Some(11) | None), "ENHANCE_YOUR_CALM");
        // A few do no harm.
        let mut raw = Raw::connect(&gateway);
        for _ in 0..500 {
            assert!(raw.frame(kind, 0, 0, payload));
        }
        raw.frame(HEADERS, END_HEADERS | END_STREAM, 1, &fields("", ""));
        assert!(raw.next(HEADERS).is_some());
    }
}

#[test]
fn silent_connections_end() {
    let gateway = Gateway::start(&["timeouts.head=300ms", "timeouts.keepAlive=600ms"], Upstream::echo().address);
    // Before the preface is whole, and after it.
    for bytes in ["PRI * HTTP/2.0\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let started = Instant::now();
        let mut connection = gateway.connect();
        connection.send(bytes);
        while !connection.is_closed() {
            connection.read_to_end();
        }
        assert!(started.elapsed() >= Duration::from_millis(200), "after {:?}", started.elapsed());
    }
    // One that has settled, asked, and then says nothing more gets GOAWAY; one that is too slow to ask asks again.
    let mut raw = eventually("an answer", || {
        let mut raw = Raw::connect(&gateway);
        raw.frame(HEADERS, END_HEADERS | END_STREAM, 1, &fields("", ""));
        raw.next(HEADERS).map(|_| raw)
    });
    assert_eq!(raw.goodbye(), Some(0));
    eventually("the end", || gateway.operations("/metrics").body.contains("gateway_connections 0").then_some(()));
}

#[test]
fn real_clients_are_served() {
    let gateway = Gateway::before(&Upstream::echo());
    let url = format!("http://{}/v1/health", gateway.address);
    let version = Command::new("curl").arg("--version").output();
    let Ok(version) = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()) else {
        assert!(std::env::var_os("GATEWAY_TEST_REQUIRE_SERVICES").is_none(), "curl is not installed");
        return eprintln!("skipped: curl is not installed");
    };
    if version.contains("HTTP2") {
        let output = Command::new("curl")
            .args([
                "-s",
                "--http2-prior-knowledge",
                "-w",
                "%{http_code} %{http_version}",
                "-o",
                "/dev/null",
                &url,
                &url,
            ])
            .output()
            .expect("runs");
        assert!(String::from_utf8_lossy(&output.stdout).starts_with("200 2"), "{output:?}");
    }
    match Command::new("h2load").args(["-n", "5000", "-c", "5", "-m", "20", &url]).output() {
        Ok(output) => {
            let told = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(told.contains("5000 succeeded, 0 failed"), "{told}");
        }
        Err(_) => {
            assert!(std::env::var_os("GATEWAY_TEST_REQUIRE_SERVICES").is_none(), "h2load is not installed");
            eprintln!("skipped: h2load is not installed");
        }
    }
}

/// An upstream of HTTP/2; `?…` in a target says what it does.
struct Http2Upstream {
    address: std::net::SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Http2Upstream {
    fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("an option");
        let address = listener.local_addr().expect("bound");
        let (connections, gathered) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&connections);
        std::thread::spawn(move || {
            run(async move {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                while let Ok((stream, _)) = listener.accept().await {
                    counted.fetch_add(1, Relaxed);
                    let gathered = Arc::clone(&gathered);
                    tokio::spawn(async move {
                        let mut connection = h2::server::handshake(stream).await.expect("speaks HTTP/2");
                        while let Some(Ok((request, respond))) = connection.accept().await {
                            if request.uri().query() == Some("last") {
                                connection.graceful_shutdown();
                            }
                            tokio::spawn(answer(request, respond, Arc::clone(&gathered)));
                        }
                    });
                }
            });
        });
        Self { address, connections }
    }

    fn connections(&self) -> usize {
        self.connections.load(Relaxed)
    }

    /// A gateway whose upstreams are all this one.
    fn gateway(&self, settings: &[&str]) -> Gateway {
        let upstream = format!("upstreams.notes.default=h2c://{}", self.address);
        Gateway::start(&[&[&*upstream, "workers=1"], settings].concat(), self.address)
    }
}

/// As many requests for `?gathers` wait for each other.
const GATHERED: usize = 80;

async fn answer(
    request: Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    gathered: Arc<AtomicUsize>,
) {
    let (parts, mut stream) = request.into_parts();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    match &*query {
        "resets" => return respond.send_reset(h2::Reason::INTERNAL_ERROR),
        "gathers" => {
            gathered.fetch_add(1, Relaxed);
            until("the other requests", || gathered.load(Relaxed) >= GATHERED).await;
        }
        _ => {}
    }
    let mut body = Vec::new();
    while let Some(Ok(data)) = stream.data().await {
        body.extend_from_slice(&data);
        let _ = stream.flow_control().release_capacity(data.len());
    }
    let trailers = stream.trailers().await.ok().flatten();
    let mut response = Response::builder().status(200).header("x-body", body.len());
    for name in ["te", "via", "x-request-id", "content-length"] {
        if let Some(value) = parts.headers.get(name) {
            response = response.header(format!("seen-{name}"), value);
        }
    }
    response = response.header("seen-uri", parts.uri.to_string());
    if let Some(sum) = trailers.as_ref().and_then(|fields| fields.get("x-sum")) {
        response = response.header("seen-sum", sum);
    }
    if query == "empty" {
        return drop(respond.send_response(response.body(()).expect("a response"), true));
    }
    if query == "counted" {
        response = response.header("content-length", body.len());
    }
    let Ok(mut stream) = respond.send_response(response.body(()).expect("a response"), false) else { return };
    let mut rest = Bytes::from(body);
    while !rest.is_empty() {
        stream.reserve_capacity(rest.len());
        let Some(Ok(count)) = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await else { return };
        let ends = query == "counted" && count == rest.len();
        stream.send_data(rest.split_to(count), ends).expect("sent");
    }
    if query == "trailers" {
        let mut fields = HeaderMap::new();
        fields.insert("grpc-status", "0".parse().expect("a value"));
        stream.send_trailers(fields).expect("sent");
    } else if query != "counted" {
        let _ = stream.send_data(Bytes::new(), true);
    }
}

#[test]
fn upstreams_are_asked_over_http2() {
    let upstream = Http2Upstream::start();
    let gateway = upstream.gateway(&[]);
    let large = "x".repeat(700_000);
    for (target, fields, body, sent) in [
        ("/v1/notes", "Content-Length: 5\r\n", "hello".to_owned(), 5),
        ("/v1/notes?empty", "Content-Length: 5\r\n", "hello".to_owned(), 5),
        ("/v1/notes?counted", "Content-Length: 700000\r\n", large.clone(), 700_000),
        (
            "/v1/notes?trailers",
            "Transfer-Encoding: chunked\r\n",
            format!("{:x}\r\n{large}\r\n0\r\nX-Sum: 7\r\n\r\n", large.len()),
            700_000,
        ),
    ] {
        let mut connection = gateway.connect();
        let token = authorized();
        connection.send(format!(
            "POST {target} HTTP/1.1\r\nHost: a\r\n{token}Content-Type: application/json\r\n{fields}\r\n{body}"
        ));
        let response = connection.response(false);
        assert_eq!(response.status, 200, "{target}: {}", response.head);
        assert_eq!(response.header("x-body"), sent.to_string(), "{target}");
        assert_eq!(response.body.len(), if target.ends_with("empty") { 0 } else { sent }, "{target}");
        assert_eq!(response.header("seen-via"), "1.1 gateway");
        assert_eq!(response.header("seen-te"), "trailers");
        let path = target.trim_start_matches("/v1");
        assert_eq!(response.header("seen-uri"), format!("http://{}{path}", upstream.address));
        assert_eq!(response.header("seen-sum"), if fields.starts_with("Transfer") { "7" } else { "" });
        assert_eq!(
            response.header("content-length").is_empty(),
            target.ends_with("notes") || target.ends_with("trailers")
        );
    }
    assert_eq!(upstream.connections(), 1, "one connection carries all of them");
    run(async {
        let mut client = connect(&gateway).await;
        let post = request(Method::POST, "/v1/notes?trailers").header("content-type", "application/json");
        let token = authorized().trim_start_matches("Authorization: ").trim_end().to_owned();
        let post = post.header("authorization", token).body(()).expect("a request");
        let (_, body, trailers) = ask(&mut client, post, large.as_bytes(), None).await;
        assert!(body == large.as_bytes() && trailers.expect("trailers")["grpc-status"] == "0");
    });
}

#[test]
fn requests_share_a_connection_to_the_upstream() {
    let upstream = Http2Upstream::start();
    let gateway = upstream.gateway(&[]);
    run(async {
        let mut client = connect(&gateway).await;
        let all: Vec<_> = (0..GATHERED)
            .map(|_| {
                let gathers = request(Method::GET, "/v1/health?gathers").body(()).expect("a request");
                client.send_request(gathers, true).expect("sent").0
            })
            .collect();
        for response in all {
            assert_eq!(response.await.expect("a response").status(), 200);
        }
    });
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn an_upstream_that_leaves_is_asked_again() {
    let upstream = Http2Upstream::start();
    let gateway = upstream.gateway(&[]);
    for _ in 0..5 {
        // Each of these is the last one of its connection.
        assert_eq!(gateway.get("/v1/health?last", "").status, 200);
        assert_eq!(gateway.get("/v1/health", "").status, 200);
    }
    assert!(upstream.connections() > 1);
    let broken = gateway.get("/v1/health?resets", "");
    assert_eq!(broken.status, 502);
    assert_eq!(gateway.get("/v1/health", "").status, 200);
    let nobody = Gateway::start(&["upstreams.notes.default=h2c://127.0.0.1:9"], upstream.address);
    assert_eq!(nobody.get("/v1/health", "").status, 502);
    // Neither a query nor a host that URIs do not know is the upstream's fault.
    assert_eq!(gateway.get("/v1/health?a=\"b\"&c[]=<d>", "").status, 200);
    // The server there speaks another protocol.
    let other = Upstream::echo();
    let stranger = format!("upstreams.notes.default=h2c://{}", other.address);
    assert_eq!(Gateway::start(&[&stranger], other.address).get("/v1/health", "").status, 502);
}

#[test]
fn cors_is_the_same_as_over_http1() {
    let gateway = Gateway::before(&Upstream::echo());
    run(async {
        let mut client = connect(&gateway).await;
        const APP: &[(&str, &str)] = &[("origin", "https://app.example")];
        const EVIL: &[(&str, &str)] = &[("origin", "https://evil.example")];
        const ASKS: &[(&str, &str)] = &[
            ("origin", "https://a.preview.example"),
            ("access-control-request-method", "GET"),
            ("access-control-request-headers", "x-trace"),
        ];
        for (method, target, fields, status) in [
            (Method::GET, "/shop/items", APP, 200),
            (Method::GET, "/shop/items", EVIL, 200),
            (Method::GET, "/shop/nothing", APP, 404),
            (Method::PATCH, "/shop/items", APP, 405),
            (Method::GET, "/shop/guarded", EVIL, 403),
            (Method::OPTIONS, "/shop/items", ASKS, 204),
            (Method::OPTIONS, "/shop/guarded", ASKS, 403),
        ] {
            let mut asked = request(method.clone(), target);
            let mut lines = String::new();
            for (name, value) in fields {
                asked = asked.header(*name, *value);
                lines += &format!("{name}: {value}\r\n");
            }
            let (parts, _, _) = ask(&mut client, asked.body(()).expect("a request"), b"", None).await;
            let over_http1 = gateway.request(method.as_str(), target, &lines);
            assert_eq!((parts.status.as_u16(), over_http1.status), (status, status), "{method} {target}");
            for name in [
                "access-control-allow-origin",
                "access-control-allow-credentials",
                "access-control-allow-headers",
                "access-control-allow-methods",
                "access-control-expose-headers",
                "vary",
                "referrer-policy",
            ] {
                let value = parts.headers.get(name).map_or("", |value| value.to_str().expect("text"));
                assert_eq!(value, over_http1.header(name), "{name} of {method} {target}");
            }
        }
    });
}
