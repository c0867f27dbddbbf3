//! Clients that mean harm, or are many: nothing hangs, nothing grows, and others are served.

#[path = "../../support/mod.rs"]
mod support;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use support::{Connection, Gateway, Upstream, eventually};

/// Many connections from many addresses of loopback, each of which has said `beginning`.
fn crowd(gateway: &Gateway, count: usize, beginning: &str) -> Vec<TcpStream> {
    let join = |index: usize| {
        let from = SocketAddr::from(([127, 0, 1 + (index / 200) as u8, 1 + (index % 200) as u8], 0));
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        socket.bind(&from.into()).expect("an address of loopback");
        socket.connect(&gateway.address.into()).expect("connects");
        let mut stream = TcpStream::from(socket);
        stream.write_all(beginning.as_bytes()).expect("sent");
        stream
    };
    (0..count).map(join).collect()
}

fn has_connections(gateway: &Gateway, count: usize) -> Option<()> {
    let line = format!("gateway_connections {count}");
    gateway.operations("/metrics").body.lines().any(|found| found == line).then_some(())
}

/// Says `piece` now and then, without end; what is answered in the meantime.
fn trickle(connection: &mut Connection, piece: &str) -> String {
    connection.stream.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
    let (mut answer, mut buffer) = (String::new(), [0; 4096]);
    eventually("the end of the connection", || {
        if connection.stream.write_all(piece.as_bytes()).is_err() {
            return Some(());
        }
        match connection.stream.read(&mut buffer) {
            Ok(0) => return Some(()),
            Ok(count) => answer.push_str(&String::from_utf8_lossy(&buffer[..count])),
            Err(_) => {}
        }
        None
    });
    answer
}

#[test]
fn five_thousand_slow_clients_cost_little() {
    raise_own_limit();
    // Longer than it takes them to come.
    let gateway = Gateway::start(&["timeouts.head=1h", "timeouts.keepAlive=1h"], Upstream::echo().address);
    let before = gateway.resident_kib();
    // Half of them say nothing, half begin a head that never ends.
    let _silent = crowd(&gateway, 2500, "");
    let _slow = crowd(&gateway, 2500, "GET /v1/health HTTP/1.1\r\nHost: a\r\nX-A: ");
    eventually("all connections", || has_connections(&gateway, 5000));
    let each = (gateway.resident_kib() - before) * 1024 / 5000;
    assert!(each < 16 << 10, "{each} bytes for each of them");
    // An answer does not wait for the crowd, which does not go.
    assert_eq!(gateway.get("/v1/health", "").status, 200);
}

#[test]
fn a_byte_now_and_then_is_no_progress() {
    let gateway = Gateway::start(&["timeouts.head=1s", "timeouts.keepAlive=1h"], Upstream::echo().address);
    let _silent = crowd(&gateway, 100, "");
    let head = "GET /v1/health HTTP/1.1\r\nHost: a\r\nX-A: ";
    let _slow = crowd(&gateway, 100, head);
    let mut connection = gateway.connect();
    connection.send(head);
    let answer = trickle(&mut connection, "a");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    eventually("their end", || has_connections(&gateway, 100));
}

#[test]
fn trickling_bodies_have_an_end() {
    let upstream = Upstream::start(|head, connection| {
        if head.starts_with("PUT") {
            support::read_body(head, connection);
        }
        connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 64 << 20));
        let block = vec![b'x'; 1 << 20];
        (0..64).all(|_| connection.stream.write_all(&block).is_ok())
    });
    // The store of files takes clients that stand still for 4 s; a byte every 200 ms never does.
    let gateway = Gateway::start(&["limits.bodyRate=1KiB"], upstream.address);
    let session = support::token(serde_json::json!({"sub": "ann", "exp": 4_102_444_800_u64}));
    let put = |fields: &str| format!("PUT /files/a HTTP/1.1\r\nHost: a\r\nX-Session: {session}\r\n{fields}\r\n\r\n");
    for (fields, piece) in [("Content-Length: 1000000", "a"), ("Transfer-Encoding: chunked", "1\r\na\r\n")] {
        let mut connection = gateway.connect();
        connection.send(put(fields));
        let answer = trickle(&mut connection, piece);
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
    // One that takes its answer a little at a time holds the upstream no longer: to the end it would take a day.
    let mut connection = gateway.connect();
    socket2::SockRef::from(&connection.stream).set_recv_buffer_size(4096).expect("an option");
    connection.send("GET /thumbnails/a.png HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the end of the request", || {
        let goes_on = matches!(connection.stream.read(&mut [0; 64]), Ok(1..));
        std::thread::sleep(Duration::from_millis(100));
        let metrics = gateway.operations("/metrics").body;
        (!goes_on || metrics.contains("operation=\"thumbnail\",status=\"2xx\"} 1")).then_some(())
    });
}

#[test]
fn large_uploads_take_no_memory() {
    let upstream = Upstream::start(|_, connection| {
        for _ in 0..100 {
            connection.exactly(1 << 20);
        }
        connection.send("HTTP/1.1 204 No Content\r\n\r\n");
        true
    });
    let consumers = std::env::temp_dir().join(format!("gateway-hardening-{}.yaml", std::process::id()));
    let text = "consumers:\n  - {username: guest}\n  - {username: ann, group: gold, credentials: [{id: a, type: key, key: {env: TEST_ANN_KEY}}]}\n";
    std::fs::write(&consumers, text).expect("written");
    let gateway = Gateway::start(&[&format!("consumers.file={}", consumers.display())], upstream.address);
    std::fs::remove_file(&consumers).expect("removed");
    let before = gateway.resident_kib();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut connection = gateway.connect();
                connection.send(format!(
                    "PUT /reports/prices HTTP/1.1\r\nHost: a\r\nX-API-Key: ann-secret\r\nContent-Length: {}\r\n\r\n",
                    100 << 20
                ));
                let block = vec![b'x'; 1 << 20];
                for _ in 0..100 {
                    connection.send(&block);
                }
                assert_eq!(connection.response(false).status, 204);
            });
        }
    });
    let grown = gateway.resident_kib().saturating_sub(before);
    assert!(grown < 40 << 10, "{grown} KiB more");
}

#[test]
fn clients_over_the_limit_are_refused() {
    let gateway = Gateway::start(&["limits.connections=20"], Upstream::echo().address);
    let held = crowd(&gateway, 20, "");
    eventually("all places", || has_connections(&gateway, 20));
    let refused = gateway.get("/v1/health", "");
    assert_eq!((refused.status, &*refused.header("retry-after")), (503, "1"));
    assert_eq!(refused.body, "{\"message\":\"There are too many connections\"}\n");
    drop(held);
    eventually("places", || (gateway.get("/v1/health", "").status == 200).then_some(()));
}

#[test]
fn one_address_cannot_take_every_place() {
    let gateway = Gateway::start(&["limits.connectionsPerAddress=5"], Upstream::echo().address);
    let held: Vec<_> = (0..5).map(|_| gateway.connect()).collect();
    eventually("five", || has_connections(&gateway, 5));
    assert_eq!(gateway.get("/v1/health", "").status, 503);
    let mut other = crowd(&gateway, 1, "GET /v1/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").remove(0);
    let mut answer = String::new();
    other.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    drop(held);
    // A proxy that is trusted brings many clients.
    let behind =
        Gateway::start(&["limits.connectionsPerAddress=5", "trustedProxies=[127.0.0.1]"], Upstream::echo().address);
    let _held: Vec<_> = (0..5).map(|_| behind.connect()).collect();
    assert_eq!(behind.get("/v1/health", "").status, 200);
}

#[test]
fn descriptors_that_run_out_are_survived() {
    let upstream = Upstream::echo();
    let plain = Gateway::command(&["limits.connectionsPerAddress=0"], upstream.address);
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 256; exec \"$@\"", "sh"]).arg(plain.get_program()).args(plain.get_args());
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let gateway = Gateway::launch(command);
    let held = crowd(&gateway, 400, "GET /v1/health HTTP/1.1\r\nHost: a\r\n\r\n");
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", gateway.pid())).expect("it runs").count();
    eventually("as many descriptors as there may be", || (descriptors() >= 250).then_some(()));
    assert_eq!(gateway.operations("/readyz").status, 200, "operators still see it");
    drop(held);
    eventually("service", || {
        let mut connection = gateway.connect();
        connection.send("GET /v1/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        connection.read_to_end().starts_with("HTTP/1.1 200 ").then_some(())
    });
}

/// Five thousand clients need as many descriptors here.
fn raise_own_limit() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, ..limit };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).expect("raised");
}
