//! Names of upstreams, as a cluster's DNS has them: several addresses that change (a headless Service of Kubernetes). The
//! test runs in namespaces of its own, with a name server of its own.

#[path = "../../support/mod.rs"]
mod support;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::process::Command;
use std::sync::{Arc, Mutex};

use support::{Gateway, Upstream, eventually};

/// Says that the test is in its namespaces.
const INSIDE: &str = "GATEWAY_TEST_OWN_NAMESPACES";

/// Brings loopback up, has the system ask the name server of the test, and goes on.
const ENTER: &str = r#"
set -e
ip link set lo up 2>/dev/null || python3 -c 'import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sH14x", b"lo", 0x41))'
printf 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n' > "$1/resolv.conf"
mount --bind "$1/resolv.conf" "$(readlink -f /etc/resolv.conf)"
shift
exec "$@"
"#;

/// Whether this is the test in its namespaces; runs it there if it is not.
fn is_inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let may = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
    if !may(Command::new("unshare").args(["--map-root-user", "--mount", "--net", "true"])) {
        // Nothing that can be installed: containers often lack the right.
        eprintln!("skipped: this system gives no namespaces");
        return false;
    }
    let folder = support::Folder::new();
    let this = std::env::current_exe().expect("this program");
    let output = Command::new("unshare")
        .args(["--map-root-user", "--mount", "--net", "sh", "-c", ENTER, "sh"])
        .arg(folder.path(""))
        .arg(this)
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    false
}

/// An authoritative server for `replicas.test`.
struct NameServer {
    /// `None` for a server that fails.
    addresses: Arc<Mutex<Option<Vec<Ipv4Addr>>>>,
}

impl NameServer {
    fn start(addresses: &[Ipv4Addr]) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:53").expect("the port is ours");
        let known = Arc::new(Mutex::new(Some(addresses.to_vec())));
        let shared = Arc::clone(&known);
        std::thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((length, peer)) = socket.recv_from(&mut query) {
                let addresses = shared.lock().expect("no panic").clone();
                let _ = socket.send_to(&answer(&query[..length], addresses.as_deref()), peer);
            }
        });
        Self { addresses: known }
    }

    fn say(&self, addresses: Option<&[Ipv4Addr]>) {
        *self.addresses.lock().expect("no panic") = addresses.map(<[Ipv4Addr]>::to_vec);
    }
}

/// A message of RFC 1035 §4.1 for a query with one question.
fn answer(query: &[u8], addresses: Option<&[Ipv4Addr]>) -> Vec<u8> {
    const A: u16 = 1;
    let end = 12 + query[12..].iter().position(|byte| *byte == 0).expect("a name") + 1;
    let (name, kind) = (&query[12..end], u16::from_be_bytes([query[end], query[end + 1]]));
    let is_known = name == b"\x08replicas\x04test\x00";
    let (code, found) = match addresses {
        None => (2, &[][..]),
        Some(_) if !is_known => (3, &[][..]),
        Some(addresses) if kind == A => (0, addresses),
        Some(_) => (0, &[][..]),
    };
    let mut message = query[..2].to_vec();
    message.extend([0x84, code, 0, 1, 0, u8::try_from(found.len()).expect("few"), 0, 0, 0, 0]);
    message.extend(&query[12..end + 4]);
    for address in found {
        // The name of the question, A, IN, no time to live.
        message.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        message.extend(address.octets());
    }
    message
}

#[test]
fn requests_follow_the_addresses_of_a_name() {
    if !is_inside("requests_follow_the_addresses_of_a_name") {
        return;
    }
    let address = |last: u8| Ipv4Addr::new(127, 0, 0, last);
    let port = 8080;
    let servers: Vec<Upstream> = (1..=3)
        .map(|last| {
            let listener = TcpListener::bind(SocketAddr::from((address(last), port))).expect("the port is ours");
            Upstream::start_on(listener, |head, connection| {
                support::read_body(head, connection);
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                true
            })
        })
        .collect();
    let names = NameServer::start(&[address(1), address(2)]);
    let url = format!("upstreams.notes.default={{url: \"http://replicas.test:{port}\", resolve: 100ms}}");
    let gateway = Gateway::start(&[&url, "workers=2"], servers[0].address);
    // So many requests of twenty went to each.
    let shares = || -> Vec<usize> {
        let before: Vec<usize> = servers.iter().map(|server| server.heads().len()).collect();
        for _ in 0..20 {
            assert_eq!(gateway.get("/v1/health", "").status, 200);
        }
        servers.iter().zip(before).map(|(server, before)| server.heads().len() - before).collect()
    };
    eventually("both addresses", || Some(shares()).filter(|shares| shares[0] > 0 && shares[1] > 0));
    assert_eq!(shares()[2], 0);
    // One pod is replaced by another one.
    names.say(Some(&[address(2), address(3)]));
    eventually("the new address", || Some(shares()).filter(|shares| shares[0] == 0 && shares[2] > 0));
    assert!(
        servers.iter().all(|server| server.heads().iter().all(|head| head.contains("Host: replicas.test:8080\r\n")))
    );
    // A name server that fails, and one that knows no address, change nothing.
    for answer in [None, Some(&[][..])] {
        names.say(answer);
        std::thread::sleep(std::time::Duration::from_millis(300));
        let shares = shares();
        assert!(shares[0] == 0 && shares[1] > 0 && shares[2] > 0, "{shares:?}");
    }
    assert_eq!(gateway.operations("/readyz?deep").status, 200);
    names.say(Some(&[address(1)]));
    eventually("one address", || Some(shares()).filter(|shares| shares[0] == 20));
}
