//! Listeners behind load balancers that say with the PROXY protocol who the client is: raw bytes, curl, and HAProxy.

#[path = "../../support/pki.rs"]
mod pki;
#[path = "../../support/mod.rs"]
mod support;

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use pki::{Authority, Folder, curl};
use support::{Connection, Gateway, ReservedPort, Upstream, eventually};

const NAME: &str = "a.test";

const REQUIRED: [&str; 2] = ["listeners.test.proxyProtocol=required", "listeners.test.proxyProtocolFrom=[127.0.0.0/8]"];

fn behind(more: &[&str], upstream: &Upstream) -> Gateway {
    Gateway::start(&[&REQUIRED[..], more].concat(), upstream.address)
}

/// A header of version 2 for a client at this address of IPv4.
fn binary(client: [u8; 4]) -> Vec<u8> {
    [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0C".as_slice(), &client, &[10, 0, 0, 1, 0x9C, 0x40, 1, 0xBB]].concat()
}

fn text(client: &str) -> Vec<u8> {
    format!("PROXY TCP4 {client} 10.0.0.1 40000 443\r\n").into_bytes()
}

const GET: &[u8] = b"GET /v1/health HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 198.51.100.66\r\n\r\n";

#[test]
fn the_announced_client_is_the_peer_of_the_connection() {
    let upstream = Upstream::echo();
    // What holds of the header fields is decided by the announced address.
    let gateway = behind(&["trustedProxies=[127.0.0.0/8, 10.0.0.0/8]"], &upstream);
    let full = "PROXY TCP6 2001:db8::7 ::1 1 2\r\n";
    for (number, (header, peer, chain, client)) in [
        (text("203.0.113.9"), "203.0.113.9", "203.0.113.9", "203.0.113.9"),
        (binary([203, 0, 113, 9]), "203.0.113.9", "203.0.113.9", "203.0.113.9"),
        (full.into(), "2001:db8::7", "2001:db8::7", "2001:db8::7"),
        // A proxy behind the load balancer.
        (text("10.0.0.9"), "10.0.0.9", "198.51.100.66, 10.0.0.9", "198.51.100.66"),
        // The load balancer itself.
        (b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0".to_vec(), "127.0.0.1", "198.51.100.66, 127.0.0.1", "198.51.100.66"),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/v1/health?{number}");
        let request = String::from_utf8_lossy(GET).replace("/v1/health", &path);
        let mut connection = gateway.connect();
        connection.send([&header, request.as_bytes()].concat());
        let answer = connection.response(false);
        assert_eq!(answer.json()["headers"]["x-forwarded-for"], chain, "{peer}");
        // The next request of the connection has no header of its own.
        connection.send(GET);
        assert_eq!(connection.response(false).json()["headers"]["x-forwarded-for"], chain, "{peer}");
        let id = answer.header("x-request-id");
        let line = gateway.log_line(|line| line["requestId"] == id.as_str());
        assert_eq!((&line["peer"], &line["client"]), (&peer.into(), &client.into()));
    }
    // Somebody: nothing that would be believed of the load balancer is believed then.
    let mut connection = gateway.connect();
    connection.send([b"PROXY UNKNOWN\r\n", GET].concat());
    assert_eq!(connection.read_to_end(), "");
    let untrusting = behind(&[], &upstream);
    for header in [&b"PROXY UNKNOWN\r\n"[..], b"\r\n\r\n\0\r\nQUIT\n\x21\0\0\0"] {
        let mut connection = untrusting.connect();
        connection.send([header, GET].concat());
        assert_eq!(connection.response(false).json()["headers"]["x-forwarded-for"], "127.0.0.1");
    }
    // HTTP/2 in the clear, and a header that comes byte by byte.
    let mut connection = gateway.connect();
    for byte in binary([203, 0, 113, 9]) {
        connection.send([byte]);
        std::thread::sleep(Duration::from_millis(1));
    }
    connection.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    assert_eq!(connection.exactly(9)[3], 4, "SETTINGS");
}

#[test]
fn connections_without_a_proxy_header_are_closed_silently() {
    let upstream = Upstream::echo();
    let gateway = behind(&["timeouts.head=300ms"], &upstream);
    let mut wrong_sum = binary([203, 0, 113, 9]);
    wrong_sum[15] += 7;
    wrong_sum.extend_from_slice(b"\x03\0\x04abcd");
    let beginnings = [GET, b"PROXY TCP4 203.0.113.9\r\n", b"\x16\x03\x01\x02\0", b"PROXY TCP4 203.", &wrong_sum];
    for beginning in beginnings {
        let mut connection = gateway.connect();
        connection.send(beginning);
        assert_eq!(connection.read_to_end(), "", "{}", String::from_utf8_lossy(beginning));
    }
    // One that says nothing at all, as health checks do.
    drop(gateway.connect());
    let failures = || gateway.operations("/metrics").body.lines().find_map(count);
    eventually("five failures", || (failures() == Some(5)).then_some(()));
    assert_eq!(upstream.heads().len(), 0);
    eventually("a line", || {
        gateway.messages().contains("listener test: a connection from 127.0.0.1 was closed: it does not").then_some(())
    });
    assert_eq!(gateway.messages().matches("was closed").count(), gateway.messages().matches("from 127.0.0.1").count());
    assert!(gateway.messages().matches("was closed").count() <= 2, "a line for each of two workers");
    // Others are closed whatever they say.
    let stranger = Gateway::start(
        &["listeners.test.proxyProtocol=required", "listeners.test.proxyProtocolFrom=[10.0.0.0/8, \"::1\"]"],
        upstream.address,
    );
    let mut connection = stranger.connect();
    connection.send(text("203.0.113.9"));
    assert_eq!(connection.read_to_end(), "");
    eventually("a line", || stranger.messages().contains("its address is not in `proxyProtocolFrom`").then_some(()));
}

fn count(line: &str) -> Option<u32> {
    line.strip_prefix("gateway_proxy_protocol_failures_total ")?.parse().ok()
}

#[test]
fn limits_count_by_the_announced_client() {
    let upstream = Upstream::echo();
    let gateway = behind(&["limits.connectionsPerAddress=3"], &upstream);
    let connect = |client: &str| {
        let mut connection = gateway.connect();
        connection.send([text(client), GET.to_vec()].concat());
        (connection.response(false).status, connection)
    };
    let held: Vec<_> = (0..3).map(|_| connect("203.0.113.9")).collect();
    assert!(held.iter().all(|(status, _)| *status == 200));
    assert_eq!(connect("203.0.113.9").0, 503);
    assert_eq!(connect("203.0.113.10").0, 200);
    drop(held);
    eventually("a place", || (connect("203.0.113.9").0 == 200).then_some(()));
}

#[test]
fn proxy_protocol_needs_trusted_proxies() {
    let mut command = Gateway::command(&["listeners.test.proxyProtocol=required"], Upstream::echo().address);
    let output = command.output().expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && told.contains("write the addresses of the load balancers"), "{told}");
}

#[test]
fn a_successor_takes_over_the_sockets() {
    let (folder, upstream) = (Folder::new(), Upstream::echo());
    let setting = format!("upgrade.socket={}", folder.path("upgrade.sock").display());
    let old = behind(&[&setting], &upstream);
    let bind = format!("listeners.test.bind={}", old.address);
    let mut command = Gateway::command(&[&REQUIRED[..], &[&setting, &bind]].concat(), upstream.address);
    command.arg("--upgrade");
    let new = Gateway::launch(command);
    let mut old = old;
    old.wait();
    let mut connection = Connection::to(new.address);
    connection.send([binary([203, 0, 113, 9]), GET.to_vec()].concat());
    assert_eq!(connection.response(false).json()["headers"]["x-forwarded-for"], "203.0.113.9");
}

/// Killed when dropped.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn curl_and_haproxy_announce_clients_in_front_of_tls() {
    let (folder, upstream) = (Folder::new(), Upstream::echo());
    let authority = Authority::new();
    let ca = folder.write("ca.pem", &authority.pem);
    let tls = authority.server(&[NAME]).at(&folder, "tls");
    let gateway = behind(&[&tls[0], &tls[1]], &upstream);
    let url = format!("https://{NAME}/v1/health");
    let seen = |address, options: &[&str]| {
        let output = curl(address, NAME, ca.as_ref(), &[options, &[&*url]].concat());
        assert!(output.status.success(), "{options:?}: {}", String::from_utf8_lossy(&output.stderr));
        let seen: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let of = |name: &str| seen["headers"][name].as_str().unwrap_or_default().to_owned();
        [of("x-forwarded-for"), of("x-forwarded-proto"), of("via")]
    };
    for (version, via) in [("--http1.1", "1.1 gateway"), ("--http2", "2.0 gateway")] {
        let options = [version, "--haproxy-protocol", "--interface", "127.0.0.7"];
        assert_eq!(seen(gateway.address, &options), ["127.0.0.7", "https", via]);
    }
    let without = curl(gateway.address, NAME, ca.as_ref(), &[&*url]);
    assert!(!without.status.success());
    if Command::new("haproxy").arg("-v").stdout(Stdio::null()).status().is_err() {
        assert!(std::env::var_os("GATEWAY_TEST_REQUIRE_SERVICES").is_none(), "HAProxy is not installed");
        return eprintln!("skipped: HAProxy is not installed");
    }
    for (option, client) in [
        ("send-proxy", "127.0.0.8"),
        ("send-proxy-v2", "127.0.0.9"),
        ("send-proxy-v2 proxy-v2-options crc32c,unique-id,ssl", "127.0.0.10"),
    ] {
        let port = ReservedPort::new();
        let address = port.address;
        let file = folder.write(
            "haproxy.cfg",
            &format!(
                "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n\
                 listen front\n  bind {address}\n  unique-id-format %rt\n  server gateway {} {option}\n",
                gateway.address
            ),
        );
        let child = Command::new("haproxy").args(["-db", "-q", "-f", &file]).spawn().expect("HAProxy starts");
        let _haproxy = Program(child);
        eventually("HAProxy", || std::net::TcpStream::connect(address).ok());
        for (version, via) in [("--http1.1", "1.1 gateway"), ("--http2", "2.0 gateway")] {
            let options = [version, "--interface", client];
            assert_eq!(seen(address, &options), [client, "https", via], "{option}");
        }
    }
}
