//! Checks of endpoints, and the connections that they go over.

#[path = "../../support/pki.rs"]
mod pki;
#[path = "../../support/mod.rs"]
mod support;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use pki::{Authority, Folder, TlsUpstream};
use support::{Gateway, Upstream, eventually};

const EMPTY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// A gateway that checks an endpoint of `scheme` each 30 ms, and takes it for unhealthy after one check that fails.
fn checking(scheme: &str, address: SocketAddr, settings: &[&str]) -> Gateway {
    let health = "health: {path: /healthz, every: 30ms, timeout: 5s, healthy: 1, unhealthy: 1}";
    let upstream = format!("upstreams.notes.default={{url: \"{scheme}://{address}\", {health}}}");
    Gateway::start(&[&[&*upstream, "workers=1"], settings].concat(), address)
}

fn is_up(gateway: &Gateway, address: SocketAddr) -> bool {
    let metrics = gateway.operations("/metrics").body;
    let line = format!("api=\"notes\",upstream=\"default\",endpoint=\"{address}\"}} ");
    let up = metrics.lines().find(|text| text.contains("endpoint_up{") && text.contains(&line)).map(str::to_owned);
    up.expect("its series").ends_with(" 1")
}

fn after_checks(upstream: &Upstream, count: usize) {
    eventually("checks", || (upstream.heads().len() >= count).then_some(()));
}

#[test]
fn ten_checks_go_over_one_connection() {
    let upstream = Upstream::echo();
    let gateway = checking("http", upstream.address, &[]);
    after_checks(&upstream, 35);
    let (heads, connections) = (upstream.heads(), upstream.connections());
    let closing = heads.iter().filter(|head| head.contains("Connection: close\r\n")).count();
    assert!((3..=4).contains(&closing) && (4..=5).contains(&connections), "{closing} {connections} {}", heads.len());
    assert!(is_up(&gateway, upstream.address));
}

#[test]
fn a_server_that_closes_connections_is_no_ill_one() {
    // At once, after a moment in which the next check has not come, and just when it comes.
    for pause in [0, 10, 30] {
        let upstream = Upstream::start(move |head, connection| {
            support::read_body(head, connection);
            connection.send(EMPTY);
            std::thread::sleep(Duration::from_millis(pause));
            false
        });
        let gateway = checking("http", upstream.address, &[]);
        after_checks(&upstream, 25);
        assert!(is_up(&gateway, upstream.address) && !gateway.messages().contains("not healthy"), "{pause} ms");
    }
}

#[test]
fn a_server_that_takes_no_new_connections_is_found() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (ends, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (ended, counted) = (Arc::clone(&ends), Arc::clone(&asked));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (counted, mut stream) = (Arc::clone(&counted), stream);
            std::thread::spawn(move || {
                let mut head = [0; 1 << 10];
                while stream.read(&mut head).is_ok_and(|count| count > 0) {
                    counted.fetch_add(1, Relaxed);
                    let _ = stream.write_all(EMPTY.as_bytes());
                }
            });
            if ended.load(Relaxed) {
                return;
            }
        }
    });
    let gateway = checking("http", address, &[]);
    eventually("checks", || (asked.load(Relaxed) > 3).then_some(()));
    assert!(is_up(&gateway, address));
    // It listens until one more has connected, and goes on with those that it has.
    ends.store(true, Relaxed);
    eventually("it is found", || (!is_up(&gateway, address)).then_some(()));
    assert!(asked.load(Relaxed) <= 30, "{} checks", asked.load(Relaxed));
}

#[test]
fn checks_in_http_2_are_streams_of_one_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("an option");
    let address = listener.local_addr().expect("bound");
    let counts = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let counted = Arc::clone(&counts);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                counted[0].fetch_add(1, Relaxed);
                let counted = Arc::clone(&counted);
                tokio::spawn(async move {
                    let mut connection = h2::server::handshake(stream).await.expect("speaks HTTP/2");
                    while let Some(Ok((_, mut respond))) = connection.accept().await {
                        counted[1].fetch_add(1, Relaxed);
                        let mut body = respond.send_response(http::Response::new(()), false).expect("a response");
                        let _ = body.send_data(bytes::Bytes::from_static(b"ok"), true);
                    }
                });
            }
        });
    });
    let gateway = checking("h2c", address, &[]);
    eventually("checks", || (counts[1].load(Relaxed) >= 35).then_some(()));
    let connections = counts[0].load(Relaxed);
    assert!((4..=5).contains(&connections) && is_up(&gateway, address), "{connections}");
}

#[test]
fn checks_inside_tls_keep_their_connection() {
    let authority = Authority::new();
    let upstream = TlsUpstream::start(&authority.server(&["127.0.0.1"]));
    let folder = Folder::new();
    let roots = format!("trustedRoots={{file: \"{}\"}}", folder.write("ca.pem", &authority.pem));
    let gateway = checking("https", upstream.address, &[&roots]);
    let connections =
        |count: u32| eventually("connections", || (upstream.connections.load(Relaxed) >= count).then_some(()));
    connections(1);
    let began = Instant::now();
    connections(3);
    assert!(began.elapsed() > 20 * Duration::from_millis(25), "{:?} for twenty checks", began.elapsed());
    assert!(is_up(&gateway, upstream.address));
}
