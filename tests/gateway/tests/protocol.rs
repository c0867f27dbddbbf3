//! Requests that two parsers could read differently, and requests that never end.

#[path = "../../support/mod.rs"]
mod support;

use std::io::Write as _;
use std::time::{Duration, Instant};

use support::{Gateway, PATIENCE, Upstream, eventually};

/// Each is answered with this status, and the connection is closed: it is unknown where a next request would begin.
const MALFORMED: &[(&str, u16)] = &[
    // Framing (RFC 9112 §6).
    ("POST /v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("POST /v1/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
    ("POST /v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400),
    ("POST /v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 6\r\n\r\nhello!", 400),
    ("POST /v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello", 400),
    ("POST /v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nhello", 400),
    ("POST /v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
    ("POST /v1/login HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400),
    ("POST /v1/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
    (
        "POST /v1/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        400,
    ),
    ("POST /v1/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400),
    ("POST /v1/login HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    // Chunks (RFC 9112 §7.1).
    ("POST /v1/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n", 400),
    ("POST /v1/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZ\r\nhello\r\n0\r\n\r\n", 400),
    ("POST /v1/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n", 400),
    ("POST /v1/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", 400),
    ("POST /v1/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello", 400),
    ("POST /v1/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a\nb\r\nhello\r\n0\r\n\r\n", 400),
    // Lines and fields (RFC 9112 §2.2, §5).
    ("GET /v1/health HTTP/1.1\nHost: a\n\n", 400),
    ("GET /v1/health HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400),
    ("GET /v1/health HTTP/1.1\r\nHost: a\r\nX: b\rY: c\r\n\r\n", 400),
    ("GET /v1/health HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n", 400),
    ("POST /v1/login HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello", 400),
    ("GET /v1/health HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    ("GET /v1/health HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", 400),
    ("GET /v1/health HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", 400),
    ("GET /v1/health HTTP/1.1\r\nHost: a\r\nX\0Y: b\r\n\r\n", 400),
    ("GET /v1/health HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400),
    ("GET /v1/health HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400),
    ("GET /v1/health\0 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    // Request line (RFC 9112 §3).
    ("GET /v1/health\r\n\r\n", 400),
    ("GET  /v1/health HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /v1/health  HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET\t/v1/health\tHTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("G(T /v1/health HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /v1/health HTTP/1.1 x\r\nHost: a\r\n\r\n", 400),
    ("GET /v1/health HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    ("PRI / HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("CONNECT gateway.test:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET health HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    // Host (RFC 9112 §3.2).
    ("GET /v1/health HTTP/1.1\r\n\r\n", 400),
    ("GET /v1/health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    ("GET /v1/health HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    ("GET /v1/health HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ("GET /v1/health HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    ("GET /v1/health HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
    ("\x16\x03\x01\x02\0\x01\0\x01\r\n\r\n", 400),
];

#[test]
fn malformed_requests_are_refused_and_end_the_connection() {
    let upstream = Upstream::echo();
    let gateway = Gateway::before(&upstream);
    for (request, status) in MALFORMED {
        let answer = gateway.raw(format!("{request}GET /v1/health?smuggled HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {answer}");
        assert!(answer.contains("Connection: close\r\n") && answer.contains("{\"message\":"), "{request:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{request:?}: {answer}");
    }
    assert!(!upstream.heads().iter().any(|head| head.contains("smuggled")), "{:?}", upstream.heads());
    assert!(gateway.log_line(|line| line["reject"] == "bad-request")["detail"].is_string());
}

#[test]
fn unusual_but_clear_requests_are_served() {
    let gateway = Gateway::before(&Upstream::echo());
    for request in [
        "\r\nGET /v1/health HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /v1/health HTTP/1.1\r\nHost:a\r\nX:\r\nY: \t b \t \r\n\r\n",
        "GET http://other.example/v1/health HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /v1/health? HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
        "GET /v1/health?q={\"a\":[1|2]} HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /v1/health HTTP/1.1\r\nhOsT: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
        "GET /v1/health HTTP/1.1\r\nHost:\r\n\r\n",
        "GET /v1/health HTTP/1.1\r\nHost: a\r\nX: \u{e9}\r\n\r\n",
    ] {
        let mut connection = gateway.connect();
        // One byte at a time, as a very slow network would.
        for byte in request.as_bytes() {
            connection.send([*byte]);
        }
        assert_eq!(connection.response(false).status, 200, "{request:?}");
    }
    let mut connection = gateway.connect();
    connection.send("GET http://other.example:81/v1/health HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(connection.response(false).json()["headers"]["x-forwarded-host"], "other.example:81");
}

#[test]
fn heads_have_a_size() {
    let gateway = Gateway::before(&Upstream::echo());
    for (request, status) in [
        (format!("GET /v1/health?{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(9000)), 414),
        (format!("GET /v1/health?{}", "x".repeat(9000)), 414),
        (format!("GET /v1/health HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(40_000)), 431),
        (format!("GET /v1/health HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(40_000)), 431),
        (format!("GET /v1/health HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(101)), 431),
    ] {
        let answer = gateway.raw(&request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{}…: {answer}", &request[..40]);
    }
    let fits =
        format!("GET /v1/health HTTP/1.1\r\nHost: a\r\n{}\r\n", format!("X: {}\r\n", "y".repeat(300)).repeat(90));
    let mut connection = gateway.connect();
    connection.send(fits);
    assert_eq!(connection.response(false).status, 200);
}

#[test]
fn requests_that_never_end_are_ended() {
    let gateway = Gateway::start(&["timeouts.head=500ms", "timeouts.keepAlive=700ms"], Upstream::echo().address);
    let started = Instant::now();
    let mut slow = gateway.connect();
    slow.stream.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
    slow.send("GET /v1/health HTTP/1.1\r\nHost: a\r\nX: ");
    // If each byte restarted the clock, there would be no answer before the field is too long.
    eventually("an answer", || {
        let _ = slow.stream.write_all(b"y");
        slow.stream.peek(&mut [0]).ok()
    });
    slow.stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    assert!(started.elapsed() >= Duration::from_millis(400), "after {:?}", started.elapsed());
    assert_eq!(slow.response(false).status, 408);
    assert!(slow.is_closed());
    let started = Instant::now();
    assert!(gateway.connect().is_closed(), "an idle connection is closed without a word");
    // Its beginning is known to a quarter of a second.
    assert!(started.elapsed() >= Duration::from_millis(400), "after {:?}", started.elapsed());
}

#[test]
fn a_body_that_stops_coming_is_408() {
    let gateway = Gateway::before(&Upstream::echo());
    let mut connection = gateway.connect();
    let session = support::token(serde_json::json!({"exp": 4_102_444_800_u64}));
    // The upstream `thumbnails` has an idle timeout of 2 s; `store` has 60 s.
    connection.send(format!(
        "GET /thumbnails/a.png HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nX-Session: {session}\r\n\r\nhello"
    ));
    assert_eq!(connection.response(false).status, 408);
}

#[test]
fn many_requests_on_one_connection_stay_apart() {
    let gateway = Gateway::before(&Upstream::echo());
    let mut connection = gateway.connect();
    let batch: String = (0..200).map(|number| format!("GET /v1/health?{number} HTTP/1.1\r\nHost: a\r\n\r\n")).collect();
    connection.send(batch);
    for number in 0..200 {
        assert_eq!(connection.response(false).json()["target"], format!("/health?{number}"));
    }
}

#[test]
fn refusals_keep_the_connection_where_the_body_is_small() {
    let gateway = Gateway::before(&Upstream::echo());
    let mut connection = gateway.connect();
    connection.send("POST /v1/notes HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello");
    std::thread::sleep(Duration::from_millis(20));
    connection.send("world");
    assert_eq!(connection.response(false).status, 401);
    connection.send("POST /v1/notes HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    assert_eq!(connection.response(false).status, 401, "the answer does not wait for the body");
    connection.send("helloGET /v1/health HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(connection.response(false).status, 200);
}

/// Xorshift: the same mutations in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound.max(1) as u64).unwrap_or(0)
    }
}

#[test]
fn damaged_requests_are_answered_or_refused_and_nothing_else() {
    const SEEDS: &[&str] = &[
        "GET /v1/health?a=1 HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n",
        "POST /v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        "POST /v1/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nX-T: 1\r\n\r\n",
        "GET http://b.example/files/a%2Fb/c HTTP/1.1\r\nHost: a\r\nConnection: x, y\r\nCookie: a=b; c=d\r\n\r\n",
    ];
    const PIECES: &[&str] = &[
        "\r\n",
        "\n",
        "\r",
        "\0",
        " ",
        ":",
        "Content-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Host: b\r\n",
        "0\r\n\r\n",
        "%2e%2e/",
        "HTTP/1.1",
        "\u{e9}",
        "GET / HTTP/1.1\r\n",
    ];
    let upstream = Upstream::echo();
    let gateway = Gateway::start(&["timeouts.head=500ms"], upstream.address);
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut possible = 0;
    for round in 0..2_000 {
        let mut request = SEEDS[round % SEEDS.len()].as_bytes().to_vec();
        for _ in 0..=random.below(3) {
            let at = random.below(request.len());
            if request.is_empty() {
                break;
            }
            match random.below(4) {
                0 => request[at] = u8::try_from(random.below(256)).unwrap_or(0),
                1 => drop(request.drain(at..(at + 1 + random.below(4)).min(request.len()))),
                2 => request.truncate(at.max(1)),
                _ => drop(request.splice(at..at, PIECES[random.below(PIECES.len())].bytes())),
            }
        }
        let mut connection = gateway.connect();
        connection.send(&request);
        // The rest will not come: the gateway stops waiting for it.
        let _ = connection.stream.shutdown(std::net::Shutdown::Write);
        let answer = connection.read_to_end();
        let text = String::from_utf8_lossy(&request);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 "), "{text:?}: {answer:?}");
        let started = text.matches("HTTP/1.").count();
        let responses = answer.matches("HTTP/1.1 200 OK\r\n").count();
        assert!(responses <= started, "{text:?}: {answer:?}");
        possible += started;
    }
    let reached = upstream.heads().len();
    assert!(reached <= possible, "{reached} requests at the upstream");
    assert_eq!(gateway.get("/v1/health", "").status, 200);
}
