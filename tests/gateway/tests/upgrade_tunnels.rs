//! Connections that become WebSockets: who may have one, what passes, and when it ends.

#[path = "../../support/pki.rs"]
mod pki;
#[path = "../../support/python.rs"]
mod python;
#[path = "../../support/mod.rs"]
mod support;
#[path = "../../support/webdriver.rs"]
#[allow(dead_code, reason = "of use to others")]
mod webdriver;

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use bytes::Bytes;
use python::{PythonUpstream, with_python};
use support::{Connection, Folder, Gateway, Upstream, eventually, token};
use webdriver::WebBrowser;

const HANDSHAKE: &str = "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Of the key in [`HANDSHAKE`] (RFC 6455 §1.3).
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// An upstream that switches, says `hello`, and sends back what comes, until `bye`.
fn sockets() -> Upstream {
    Upstream::start(|head, connection| {
        let is_asked = head.to_lowercase().contains("\r\nupgrade: websocket\r\n");
        let target = head.split(' ').nth(1).unwrap_or_default();
        let fields = match target.split_once('?').map(|(_, query)| query) {
            Some("declined") => {
                connection.send("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno");
                return true;
            }
            Some("unasked") => "Upgrade: websocket\r\nConnection: Upgrade\r\n",
            Some("other") => "Upgrade: h2c\r\nConnection: Upgrade\r\n",
            Some("several") => "Upgrade: websocket, h2c\r\nConnection: Upgrade\r\n",
            Some("bare") => "Upgrade: websocket\r\n",
            Some("framed") => "Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 5\r\n",
            Some("busy") => {
                connection.send("HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n");
                return true;
            }
            _ if !is_asked => {
                connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{head}", head.len()));
                return true;
            }
            _ => "upgrade: WebSocket\r\nconnection: upgrade\r\n",
        };
        let key = head.lines().find_map(|line| line.split_once(": ").filter(|(name, _)| *name == "Sec-WebSocket-Key"));
        let accept =
            if target.ends_with("?wrong") { ACCEPT.to_owned() } else { accept_of(key.map_or("", |(_, key)| key)) };
        let protocol = if head.contains("chat") { "Sec-WebSocket-Protocol: chat\r\n" } else { "" };
        connection.send(format!(
            "HTTP/1.1 101 Switching Protocols\r\n{fields}Sec-WebSocket-Accept: {accept}\r\n{protocol}\
             Keep-Alive: timeout=5\r\nX-Set: 0\r\n\r\nhello"
        ));
        let mut buffer = [0; 65536];
        loop {
            match connection.stream.read(&mut buffer) {
                Ok(1..) if buffer.starts_with(b"bye") => return false,
                Ok(count @ 1..) => connection.send(&buffer[..count]),
                // The other direction goes on for a moment.
                Ok(_) => {
                    connection.send("last words");
                    return false;
                }
                Err(_) => return false,
            }
        }
    })
}

/// RFC 6455 §4.2.2.
fn accept_of(key: &str) -> String {
    let digest = aws_lc_rs::digest::digest(
        &aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY,
        format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11").as_bytes(),
    );
    support::base64(digest.as_ref())
}

/// Asks for an upgrade.
fn ask(gateway: &Gateway, target: &str, fields: &str) -> (support::Response, Connection) {
    let mut connection = gateway.connect();
    connection.send(format!("GET /streams{target} HTTP/1.1\r\nHost: gateway.test\r\n{HANDSHAKE}{fields}\r\n"));
    let response = connection.response(false);
    (response, connection)
}

/// An open tunnel, past the upstream's greeting.
fn open(gateway: &Gateway, target: &str, fields: &str) -> (support::Response, Connection) {
    let (response, mut connection) = ask(gateway, target, fields);
    assert_eq!(response.status, 101, "{response:?}");
    assert_eq!(connection.exactly(5), b"hello");
    (response, connection)
}

fn echoes(connection: &mut Connection, text: &str) {
    connection.send(text);
    assert_eq!(String::from_utf8_lossy(&connection.exactly(text.len())), text);
}

#[test]
fn bytes_pass_both_ways_once_the_upstream_has_switched() {
    let upstream = sockets();
    let gateway = Gateway::before(&upstream);
    let (response, mut connection) = open(&gateway, "/open?a=b", "Origin: https://whoever.example\r\nX-A: 1\r\n");
    assert_eq!(response.header("upgrade").to_lowercase(), "websocket");
    assert_eq!(response.header("connection").to_lowercase(), "upgrade");
    assert_eq!(response.header("sec-websocket-accept"), ACCEPT);
    assert_eq!((response.header("x-set").as_str(), response.header("keep-alive").as_str()), ("1", ""));
    assert!(!response.head.to_lowercase().contains("content-length"), "{response:?}");
    let head = upstream.heads().pop().expect("a request");
    for line in ["Upgrade: websocket\r\n", "Connection: Upgrade\r\n", "Sec-WebSocket-Version: 13\r\n", "X-A: 1\r\n"] {
        assert!(head.contains(line), "{line} in {head}");
    }
    assert!(head.starts_with("GET /open?a=b HTTP/1.1\r\n") && !head.contains("keep-alive"), "{head}");
    for text in ["one", &"x".repeat(300_000), "\r\n\r\nGET / HTTP/1.1\r\n\r\n"] {
        echoes(&mut connection, text);
    }
    let id = response.header("x-request-id");
    assert!(!gateway.log().contains(&id), "its line comes at the end");
    assert!(gateway.operations("/metrics").body.contains("gateway_tunnels 1\n"));
    connection.send("bye");
    assert!(connection.is_closed());
    drop(connection);
    let line = gateway.log_line(|line| line["requestId"] == *id);
    assert_eq!((&line["status"], &line["upgraded"], &line["ended"]), (&101.into(), &true.into(), &"closed".into()));
    assert_eq!(line["requestBytes"], 3 + 300_000 + 22 + 3);
    assert_eq!(line["responseBytes"], 5 + 3 + 300_000 + 22);
    assert_eq!((&line["method"], &line["path"]), (&"GET".into(), &"/streams/open".into()));
    assert!(gateway.operations("/metrics").body.contains("gateway_tunnels 0\n"));
}

#[test]
fn early_bytes_of_the_client_are_not_lost() {
    let gateway = Gateway::before(&sockets());
    let mut connection = gateway.connect();
    connection.send(format!("GET /streams/open HTTP/1.1\r\nHost: a\r\n{HANDSHAKE}\r\nearly"));
    assert_eq!(connection.response(false).status, 101);
    assert_eq!(connection.exactly(10), b"helloearly");
}

#[test]
fn other_requests_are_ordinary() {
    let upstream = sockets();
    let gateway = Gateway::before(&upstream);
    let mut connection = gateway.connect();
    let host = "Host: gateway.test\r\n";
    for (request, status) in [
        // The operation has no upgrade, or the method is another one.
        (format!("GET /streams/plain HTTP/1.1\r\n{host}{HANDSHAKE}\r\n"), 200),
        (format!("PUT /streams/open HTTP/1.1\r\n{host}{HANDSHAKE}Content-Length: 0\r\n\r\n"), 200),
        (format!("GET /streams/made HTTP/1.1\r\n{host}{HANDSHAKE}\r\n"), 200),
        // What the operation does not have, or is not asked for on this connection.
        (format!("GET /streams/open HTTP/1.1\r\n{host}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"), 200),
        (format!("GET /streams/open HTTP/1.1\r\n{host}Upgrade: websocket\r\n\r\n"), 200),
        // Declined.
        (format!("GET /streams/open?declined HTTP/1.1\r\n{host}{HANDSHAKE}\r\n"), 403),
        (format!("GET /streams/rooms/x HTTP/1.1\r\n{host}{HANDSHAKE}\r\n"), 400),
        (format!("GET /streams/open HTTP/1.1\r\n{host}\r\n"), 200),
    ] {
        connection.send(&request);
        let response = connection.response(false);
        assert_eq!(response.status, status, "{request}");
        let fields = response.body.to_lowercase();
        assert!(!fields.contains("upgrade: ") && !fields.contains("connection: "), "{request}: {fields}");
        if status == 400 {
            connection = gateway.connect();
        }
    }
    connection = gateway.connect();
    connection.send(format!("GET /streams/open HTTP/1.0\r\n{host}{HANDSHAKE}\r\n"));
    assert_eq!(connection.response(false).status, 200);
    let (with_content, _) = ask(&gateway, "/open", "Content-Length: 3\r\n\r\nabc");
    assert_eq!(with_content.status, 400);
}

#[test]
fn a_switch_that_was_not_asked_for_is_an_error_of_the_upstream() {
    let upstream = sockets();
    let gateway = Gateway::before(&upstream);
    for (target, fields) in [
        ("/plain?unasked", HANDSHAKE),
        ("/open?unasked", ""),
        ("/open?other", HANDSHAKE),
        ("/open?several", HANDSHAKE),
        ("/open?bare", HANDSHAKE),
        ("/open?framed", HANDSHAKE),
    ] {
        let response = gateway.get(&format!("/streams{target}"), fields);
        assert_eq!(response.status, 502, "{target}");
        let id = response.header("x-request-id");
        assert_eq!(gateway.log_line(|line| line["requestId"] == *id)["reject"], "upstream-broken");
    }
    // Nothing of it is sent a second time.
    let before = upstream.heads().len();
    assert_eq!(ask(&gateway, "/open?busy", "").0.status, 503);
    assert_eq!(upstream.heads().len(), before + 1);
}

#[test]
fn every_check_comes_first() {
    let upstream = sockets();
    let folder = Folder::new();
    let consumers = folder.write(
        "consumers.yaml",
        "consumers:\n  - username: ann\n    credentials: [{id: ann-1, type: key, key: {env: TEST_ANN_KEY}}]\n  - username: guest\n",
    );
    let gateway = Gateway::start(&[&format!("consumers.file={consumers}")], upstream.address);
    for (target, fields, status) in [
        ("/keyed", "", 401),
        ("/keyed", "X-Streams-Key: wrong\r\n", 401),
        ("/keyed", "Sec-WebSocket-Protocol: chat\r\n", 401),
        ("/keyed", "Sec-WebSocket-Protocol: chat, key.wrong\r\n", 401),
        ("/keyed", "Sec-WebSocket-Protocol: key.ann-secret, key.ann-secret\r\n", 401),
        ("/rooms/x", "", 400),
        ("/cookie", "", 401),
        ("/cookie", "Cookie: streams_key=ann-secret\r\nOrigin: https://evil.example\r\n", 403),
        ("/cookie", "Cookie: streams_key=ann-secret\r\nOrigin: null\r\n", 403),
        ("/cookie", "Origin: https://evil.example\r\n", 403),
        ("/pages", "Origin: https://evil.example\r\n", 403),
        ("/pages", "Origin: http://app.example\r\nOrigin: http://app.example\r\n", 403),
    ] {
        let (response, _) = ask(&gateway, target, fields);
        assert_eq!(response.status, status, "{target} {fields}");
    }
    assert_eq!(upstream.heads().len(), 0);
    let refused = ask(&gateway, "/pages", "Origin: https://evil.example\r\n").0.header("x-request-id");
    assert_eq!(gateway.log_line(|line| line["requestId"] == *refused)["reject"], "cors-origin");
    for (target, fields) in [
        ("/keyed", "X-Streams-Key: ann-secret\r\n"),
        ("/rooms/7", ""),
        ("/cookie", "Cookie: streams_key=ann-secret\r\n"),
        ("/cookie", "Cookie: streams_key=ann-secret\r\nOrigin: https://app.example\r\n"),
        ("/cookie", "Cookie: streams_key=ann-secret\r\nOrigin: https://pr-7.preview.example\r\n"),
        ("/cookie", "Cookie: streams_key=ann-secret\r\nOrigin: http://gateway.test\r\n"),
        ("/pages", "Origin: http://app.example\r\n"),
        ("/pages", ""),
        ("/open", "Origin: https://evil.example\r\n"),
    ] {
        open(&gateway, target, fields);
    }
    let head = upstream.heads().swap_remove(0);
    assert!(head.contains("X-Consumer-Username: ann\r\n") && !head.contains("ann-secret"), "{head}");
    // Without an upgrade, subprotocols hold no credential, and the upstream does not see it either.
    let plain = gateway.get("/streams/keyed", "Sec-WebSocket-Protocol: key.ann-secret\r\n");
    assert_eq!(plain.status, 401);
}

#[test]
fn credentials_in_subprotocols_are_for_the_gateway() {
    let upstream = sockets();
    let gateway = Gateway::before(&upstream);
    let good = token(serde_json::json!({"sub": "ann", "exp": 4_102_444_800_u64}));
    let (response, _tunnel) = open(&gateway, "/until", &format!("Sec-WebSocket-Protocol: chat, bearer.{good}, v2\r\n"));
    assert_eq!(response.header("sec-websocket-protocol"), "chat");
    let head = upstream.heads().pop().expect("a request");
    assert!(head.contains("Sec-WebSocket-Protocol: chat, v2\r\n") && !head.contains("bearer."), "{head}");
    // A client that offers nothing else gets no choice.
    let (response, _tunnel) = open(&gateway, "/until", &format!("Sec-WebSocket-Protocol: bearer.{good}\r\n"));
    assert_eq!(response.header("sec-websocket-protocol"), "");
    assert!(!upstream.heads().pop().expect("a request").contains("Sec-WebSocket-Protocol"));
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs()
}

#[test]
fn tunnels_end_at_their_timeouts() {
    let gateway = Gateway::before(&sockets());
    let started = Instant::now();
    let short = token(serde_json::json!({"sub": "ann", "exp": now() + 2}));
    let (expiring, mut expires) = open(&gateway, "/until", &format!("Authorization: Bearer {short}\r\n"));
    let (idling, mut idles) = open(&gateway, "/idle", "");
    let (_, mut stays) = open(&gateway, "/open", "");
    // The upstream's own `idle` is about bodies.
    for _ in 0..4 {
        std::thread::sleep(Duration::from_millis(250));
        echoes(&mut idles, "on");
    }
    let last = Instant::now();
    assert!(idles.is_closed());
    assert!(last.elapsed() >= Duration::from_millis(300) && last.elapsed() < Duration::from_secs(2));
    assert!(expires.is_closed());
    assert!(started.elapsed() < Duration::from_secs(4));
    echoes(&mut stays, "still here");
    for (response, word) in [(expiring, "expired"), (idling, "idle")] {
        let id = response.header("x-request-id");
        assert_eq!(gateway.log_line(|line| line["requestId"] == *id)["ended"], word);
    }
}

#[test]
fn one_direction_may_end_before_the_other() {
    let gateway = Gateway::before(&sockets());
    let (response, mut connection) = open(&gateway, "/open", "");
    connection.stream.shutdown(Shutdown::Write).expect("open");
    assert_eq!(connection.read_to_end(), "last words");
    let id = response.header("x-request-id");
    assert_eq!(gateway.log_line(|line| line["requestId"] == *id)["ended"], "closed");
}

#[test]
fn tunnels_run_inside_tls() {
    let (folder, upstream, authority) = (Folder::new(), sockets(), pki::Authority::new());
    let settings = authority.server(&["gateway.test"]).at(&folder, "tls");
    let gateway = Gateway::start(&[&settings[0], &settings[1]], upstream.address);
    let client = pki::client(&[&authority], None);
    for is_orderly in [true, false] {
        let mut connection = pki::connect(gateway.address, "gateway.test", &client).expect("connects");
        let request = format!("GET /streams/open?{is_orderly} HTTP/1.1\r\nHost: gateway.test\r\n{HANDSHAKE}\r\n");
        connection.write_all(request.as_bytes()).expect("sent");
        let mut received = Vec::new();
        while !received.ends_with(b"\r\n\r\nhello") {
            let mut byte = [0];
            connection.read_exact(&mut byte).expect("an answer");
            received.push(byte[0]);
        }
        let sent = vec![b'x'; 50_000];
        for _ in 0..4 {
            connection.write_all(&sent).expect("sent");
            let mut echo = vec![0; sent.len()];
            connection.read_exact(&mut echo).expect("echoed");
            assert_eq!(echo, sent);
        }
        if is_orderly {
            connection.conn.send_close_notify();
            connection.flush().expect("sent");
        } else {
            connection.sock.shutdown(Shutdown::Write).expect("open");
        }
        let mut last = [0; 10];
        connection.read_exact(&mut last).expect("the other direction goes on");
        assert_eq!(&last, b"last words");
        drop(connection);
    }
    let has_ended = || gateway.log().matches("\"ended\":\"closed\"").count() == 2;
    eventually("the log", || has_ended().then_some(()));
}

#[test]
fn concurrency_limits_hold_while_a_tunnel_is_open() {
    let gateway = Gateway::before(&sockets());
    let (_, first) = open(&gateway, "/few", "X-Case: a\r\n");
    assert_eq!(ask(&gateway, "/few", "X-Case: a\r\n").0.status, 429);
    drop(first);
    eventually("a free place", || (ask(&gateway, "/few", "X-Case: a\r\n").0.status == 101).then_some(()));
}

#[test]
fn the_end_of_the_gateway_is_that_of_its_tunnels() {
    let upstream = sockets();
    let mut gateway = Gateway::start(&["timeouts.shutdown=1s"], upstream.address);
    let (_, mut connection) = open(&gateway, "/open", "");
    let started = Instant::now();
    gateway.terminate();
    std::thread::sleep(Duration::from_millis(300));
    echoes(&mut connection, "still here");
    assert!(connection.is_closed());
    let ended = started.elapsed();
    assert!(ended > Duration::from_millis(800) && ended < Duration::from_secs(3), "{ended:?}");
    assert!(gateway.wait().success());
    assert_eq!(gateway.log_line(|line| line["path"] == "/streams/open")["ended"], "shutdown");
}

#[test]
fn a_silent_tunnel_is_small() {
    const TUNNELS: usize = 400;
    let upstream = sockets();
    let gateway = Gateway::before(&upstream);
    let open_all = |count: usize| (0..count).map(|_| open(&gateway, "/open", "").1).collect::<Vec<_>>();
    let mut tunnels = open_all(50);
    for tunnel in &mut tunnels {
        echoes(tunnel, &"x".repeat(100_000));
    }
    let before = gateway.resident_kib();
    tunnels.extend(open_all(TUNNELS));
    for tunnel in &mut tunnels {
        echoes(tunnel, &"x".repeat(20_000));
    }
    let each = (gateway.resident_kib() - before) as f64 / TUNNELS as f64;
    assert!(each < 14.0, "{each:.1} KiB each");
}

const SOCKET_SERVER: &str = r#"
import asyncio, websockets
async def serve(socket):
    await socket.send("subprotocol " + str(socket.subprotocol))
    try:
        async for message in socket:
            await socket.send(message)
    except websockets.exceptions.ConnectionClosed:
        pass
async def main():
    choose = lambda connection, offered: "chat" if "chat" in offered else None
    async with websockets.serve(serve, "127.0.0.1", 0, select_subprotocol=choose, max_size=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().create_future()
asyncio.run(main())
"#;

const SOCKET_CLIENT: &str = r#"
import asyncio, sys, websockets
port, token = sys.argv[1:]
async def main():
    async with websockets.connect(f"ws://127.0.0.1:{port}/streams/until", subprotocols=["bearer." + token, "chat"], max_size=None) as socket:
        assert socket.subprotocol == "chat", socket.subprotocol
        assert await socket.recv() == "subprotocol chat"
        for message in ["one", "drei \u00fc", b"\x00\xff" * 200_000, "x" * 100_000]:
            await socket.send(message)
            assert await socket.recv() == message
        await (await socket.ping())
    try:
        await websockets.connect(f"ws://127.0.0.1:{port}/streams/until", subprotocols=["chat"])
        raise SystemExit("a WebSocket without a credential")
    except websockets.exceptions.InvalidStatus as refused:
        assert refused.response.status_code == 401
    print("DONE")
asyncio.run(main())
"#;

#[test]
fn another_implementation_agrees_on_both_sides() {
    let Some(upstream) = PythonUpstream::start("websockets", SOCKET_SERVER) else { return };
    let gateway = Gateway::start(&[], upstream.address);
    let good = token(serde_json::json!({"sub": "ann", "exp": 4_102_444_800_u64}));
    let port = gateway.address.port().to_string();
    let client = with_python("websockets", SOCKET_CLIENT, &[&port, &good]).expect("it was there");
    let output = client.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "DONE\n");
}

/// What a page sees of a WebSocket: what it is told first, or that it failed.
fn socket(browser: &WebBrowser, target: &str, protocols: &str) -> String {
    let script = format!(
        "return new Promise(done => {{ \
           const socket = new WebSocket('ws://api.app.example/streams{target}', {protocols}); \
           socket.onmessage = message => {{ done(message.data); socket.close(); }}; \
           socket.onerror = () => done('failed'); \
         }})"
    );
    browser.evaluate(&script).as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_browser_agrees() {
    let Some(upstream) = PythonUpstream::start("websockets", SOCKET_SERVER) else { return };
    let gateway = Gateway::start(&[], upstream.address);
    let pages = Upstream::start(|_, connection| {
        connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\n\r\n<!doctype html>");
        true
    });
    let (pages, port) = (pages.address.port(), gateway.address.port());
    let hosts = format!("MAP api.app.example 127.0.0.1:{port},MAP *.example 127.0.0.1:{pages}");
    let Some(browser) = WebBrowser::start_with(&hosts, 800, 600) else { return };
    browser.go("http://app.example/");
    assert_eq!(socket(&browser, "/pages", "[]"), "subprotocol None");
    assert_eq!(socket(&browser, "/pages", "['chat']"), "subprotocol chat");
    let good = token(serde_json::json!({"sub": "ann", "exp": 4_102_444_800_u64}));
    assert_eq!(socket(&browser, "/until", &format!("['chat', 'bearer.{good}']")), "subprotocol chat");
    assert_eq!(socket(&browser, "/until", "['chat']"), "failed");
    // Browsers want one of the subprotocols that they have offered (WebSockets Standard, establish a connection).
    assert_eq!(socket(&browser, "/until", &format!("['bearer.{good}']")), "failed");
    browser.go("http://evil.example/");
    assert_eq!(socket(&browser, "/pages", "[]"), "failed");
    assert_eq!(socket(&browser, "/open", "[]"), "subprotocol None");
}

/// Runs a client with time of its own.
fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

async fn connect_http2(gateway: &Gateway) -> h2::client::SendRequest<Bytes> {
    let stream = tokio::net::TcpStream::connect(gateway.address).await.expect("connects");
    let (client, connection) = h2::client::handshake(stream).await.expect("speaks HTTP/2");
    tokio::spawn(connection);
    let mut client = client.ready().await.expect("ready");
    // The server's settings have come with an answer.
    let request = http::Request::get("http://gateway.test/streams/plain").body(()).expect("a request");
    client.send_request(request, true).expect("sent").0.await.expect("an answer");
    assert!(client.is_extended_connect_protocol_enabled());
    client
}

fn extended_connect(target: &str, protocol: &'static str, fields: &[(&str, &str)]) -> http::Request<()> {
    let mut request =
        http::Request::connect(format!("http://gateway.test/streams{target}")).header("sec-websocket-version", "13");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.extension(h2::ext::Protocol::from_static(protocol)).body(()).expect("a request")
}

async fn receive(body: &mut h2::RecvStream, count: usize) -> Vec<u8> {
    let mut received = Vec::new();
    while received.len() < count {
        let Some(data) = body.data().await else { break };
        let data = data.expect("data");
        body.flow_control().release_capacity(data.len()).expect("its own bytes");
        received.extend_from_slice(&data);
    }
    received
}

#[test]
fn streams_of_http_2_become_websockets() {
    let upstream = sockets();
    let gateway = Gateway::before(&upstream);
    run(async {
        let mut client = connect_http2(&gateway).await;
        let (response, mut send) = client
            .send_request(extended_connect("/open", "websocket", &[("sec-websocket-protocol", "chat")]), false)
            .expect("sent");
        let response = response.await.expect("an answer");
        assert_eq!(response.status(), 200);
        for gone in ["upgrade", "connection", "sec-websocket-accept", "content-length"] {
            assert!(!response.headers().contains_key(gone), "{response:?}");
        }
        assert_eq!(response.headers()["sec-websocket-protocol"], "chat");
        let (parts, mut body) = response.into_parts();
        assert_eq!(receive(&mut body, 5).await, b"hello");
        send.send_data("over h2".into(), false).expect("sent");
        assert_eq!(receive(&mut body, 7).await, b"over h2");
        send.send_data(Bytes::new(), true).expect("sent");
        assert_eq!(receive(&mut body, 10).await, b"last words");
        assert!(receive(&mut body, usize::MAX).await.is_empty(), "an orderly end");
        let id = parts.headers["x-request-id"].to_str().expect("text").to_owned();
        let line = gateway.log_line(|line| line["requestId"] == *id);
        assert_eq!(line["status"], 200);
        assert_eq!(
            (&line["upgraded"], &line["ended"], &line["requestBytes"]),
            (&true.into(), &"closed".into(), &7.into())
        );
        for (target, protocol, status) in [
            ("/keyed", "websocket", 401),
            ("/plain", "websocket", 400),
            ("/made", "websocket", 400),
            ("/rooms/x", "websocket", 400),
            ("/nothing", "websocket", 404),
            ("/open", "connect-udp", 405),
            ("/open?declined", "websocket", 403),
            ("/open?wrong", "websocket", 502),
        ] {
            let (response, _) = client.send_request(extended_connect(target, protocol, &[]), false).expect("sent");
            assert_eq!(response.await.expect("an answer").status(), status, "{target} {protocol}");
        }
    });
    let head = upstream.heads().into_iter().find(|head| head.contains("chat")).expect("a request");
    assert!(head.starts_with("GET /open HTTP/1.1\r\n") && head.contains("\r\nUpgrade: websocket\r\n"), "{head}");
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).expect("a key");
    assert!(key.len() == 24 && key.ends_with("=="), "{key}");
}
