//! Names of upstreams, as a cluster's DNS has them: several addresses that change (a headless Service of Kubernetes). The
//! test runs in namespaces of its own, with a name server of its own.

#[path = "../../support/mod.rs"]
mod support;

use std::io::{Read as _, Write as _};
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
printf 'nameserver 127.0.0.1\nsearch test\noptions timeout:1 attempts:1\n' > "$1/resolv.conf"
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

/// An authoritative server for `replicas.test`, and for its service `_http._tcp`.
struct NameServer {
    known: Arc<Mutex<Known>>,
}

/// What the server says.
#[derive(Default)]
struct Known {
    /// It fails.
    fails: bool,
    addresses: Vec<Ipv4Addr>,
    /// Priority, weight, port and the first label of the target, which is `one` for 127.0.0.1, `two` for 127.0.0.2 and so
    /// on.
    places: Vec<(u16, u16, u16, &'static str)>,
    /// The addresses of the targets come with the records.
    is_whole: bool,
    /// Over UDP it says only that there is more.
    truncates: bool,
}

/// The targets, in the order of the last byte of their address.
const TARGETS: [&str; 3] = ["one", "two", "three"];

impl NameServer {
    fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:53").expect("the port is ours");
        let listener = TcpListener::bind("127.0.0.1:53").expect("the port is ours");
        let known = Arc::new(Mutex::new(Known::default()));
        let (by_datagram, by_stream) = (Arc::clone(&known), Arc::clone(&known));
        std::thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((length, peer)) = socket.recv_from(&mut query) {
                let answer = answer(&query[..length], &by_datagram.lock().expect("no panic"), true);
                let _ = socket.send_to(&answer, peer);
            }
        });
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut length = [0; 2];
                stream.read_exact(&mut length).expect("a length");
                let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
                stream.read_exact(&mut query).expect("a query");
                let answer = answer(&query, &by_stream.lock().expect("no panic"), false);
                let length = u16::try_from(answer.len()).expect("short").to_be_bytes();
                stream.write_all(&[&length, &*answer].concat()).expect("it is read");
            }
        });
        Self { known }
    }

    fn say(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.known.lock().expect("no panic"));
    }
}

const A: u16 = 1;
const SRV: u16 = 33;

/// A message of RFC 1035 §4.1 for a query with one question.
fn answer(query: &[u8], known: &Known, is_datagram: bool) -> Vec<u8> {
    let end = 12 + query[12..].iter().position(|byte| *byte == 0).expect("a name") + 1;
    let (name, kind) = (&query[12..end], u16::from_be_bytes([query[end], query[end + 1]]));
    // The name of the question, which begins at the twelfth byte.
    const QUESTION: &[u8] = &[0xC0, 12];
    let target = |label: &str| [&[label.len() as u8], label.as_bytes(), b"\x04test\x00"].concat();
    let address = |label: &str| {
        let index = TARGETS.iter().position(|target| *target == label).expect("a target");
        Ipv4Addr::new(127, 0, 0, index as u8 + 1)
    };
    let (mut answers, mut additional) = (Vec::new(), Vec::new());
    let is_replicas = name == b"\x08replicas\x04test\x00";
    let is_service = name == b"\x05_http\x04_tcp\x08replicas\x04test\x00";
    let of_target = TARGETS.iter().find(|label| name == &*target(label));
    match kind {
        A if is_replicas => answers.extend(known.addresses.iter().map(|found| record(QUESTION, A, &found.octets()))),
        A => answers.extend(of_target.map(|label| record(QUESTION, A, &address(label).octets()))),
        SRV if is_service => {
            for (priority, weight, port, label) in &known.places {
                let numbers = [priority, weight, port].map(|number| number.to_be_bytes()).concat();
                answers.push(record(QUESTION, SRV, &[&*numbers, &*target(label)].concat()));
                if known.is_whole {
                    additional.push(record(&target(label), A, &address(label).octets()));
                }
            }
        }
        _ => {}
    }
    let code = match () {
        () if known.fails => 2,
        () if is_replicas || is_service || of_target.is_some() => 0,
        () => 3,
    };
    let is_truncated = is_datagram && known.truncates && kind == SRV;
    if code != 0 || is_truncated {
        (answers, additional) = (Vec::new(), Vec::new());
    }
    let count = |records: &Vec<Vec<u8>>| u16::try_from(records.len()).expect("few").to_be_bytes();
    let mut message = query[..2].to_vec();
    message.extend([0x84 | if is_truncated { 2 } else { 0 }, code, 0, 1]);
    message.extend([count(&answers), [0, 0], count(&additional)].concat());
    message.extend(&query[12..end + 4]);
    message.extend([answers, additional].concat().concat());
    message
}

/// A record of the class IN without a time to live.
fn record(name: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("short").to_be_bytes();
    [name, &kind.to_be_bytes(), &[0, 1, 0, 0, 0, 0], &length, data].concat()
}

/// Servers at 127.0.0.1, 127.0.0.2 and so on.
struct Replicas(Vec<Upstream>);

impl Replicas {
    fn start(port: u16) -> Self {
        let server = |last| {
            let address = SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), port));
            Upstream::start_on(TcpListener::bind(address).expect("the port is ours"), |head, connection| {
                support::read_body(head, connection);
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                true
            })
        };
        Self((1..=3).map(server).collect())
    }

    /// So many requests of twenty went to each.
    fn shares(&self, gateway: &Gateway) -> Vec<usize> {
        let before: Vec<usize> = self.0.iter().map(|server| server.heads().len()).collect();
        for _ in 0..20 {
            assert_eq!(gateway.get("/v1/health", "").status, 200);
        }
        self.0.iter().zip(before).map(|(server, before)| server.heads().len() - before).collect()
    }

    /// Whether each got a request under this name, and none under another one.
    fn all_are_called(&self, host: &str) -> bool {
        let field = format!("Host: {host}\r\n");
        self.0.iter().all(|server| server.heads().iter().all(|head| head.contains(&field)))
    }
}

#[test]
fn requests_follow_the_addresses_of_a_name() {
    if !is_inside("requests_follow_the_addresses_of_a_name") {
        return;
    }
    let address = |last: u8| Ipv4Addr::new(127, 0, 0, last);
    let replicas = Replicas::start(8080);
    let names = NameServer::start();
    names.say(|known| known.addresses = vec![address(1), address(2)]);
    let url = "upstreams.notes.default={url: \"http://replicas.test:8080\", resolve: 100ms}";
    let gateway = Gateway::start(&[url, "workers=2"], replicas.0[0].address);
    let shares = || replicas.shares(&gateway);
    eventually("both addresses", || Some(shares()).filter(|shares| shares[0] > 0 && shares[1] > 0));
    assert_eq!(shares()[2], 0);
    // One pod is replaced by another one.
    names.say(|known| known.addresses = vec![address(2), address(3)]);
    eventually("the new address", || Some(shares()).filter(|shares| shares[0] == 0 && shares[2] > 0));
    assert!(replicas.all_are_called("replicas.test:8080"));
    // A name server that fails, and one that knows no address, change nothing.
    for fails in [true, false] {
        names.say(|known| *known = Known { fails, ..Known::default() });
        std::thread::sleep(std::time::Duration::from_millis(300));
        let shares = shares();
        assert!(shares[0] == 0 && shares[1] > 0 && shares[2] > 0, "{shares:?}");
    }
    assert_eq!(gateway.operations("/readyz?deep").status, 200);
    names.say(|known| known.addresses = vec![address(1)]);
    eventually("one address", || Some(shares()).filter(|shares| shares[0] == 20));
}

#[test]
fn requests_follow_the_records_of_a_service() {
    if !is_inside("requests_follow_the_records_of_a_service") {
        return;
    }
    let replicas = Replicas::start(8081);
    let names = NameServer::start();
    names.say(|known| known.places = vec![(10, 1, 8081, "one"), (10, 3, 8081, "two"), (20, 1, 8081, "three")]);
    // Found in the domain that the system searches.
    let url = "upstreams.notes.default={url: \"dns+srv://_http._tcp.replicas\", resolve: 100ms, balance: round-robin}";
    let gateway = Gateway::start(&[url, "workers=1"], replicas.0[0].address);
    let shares = || replicas.shares(&gateway);
    // By weight, and the second priority not at all.
    eventually("the weights", || Some(shares()).filter(|shares| *shares == [5, 15, 0]));
    assert!(replicas.all_are_called("replicas"));
    // Weights change, the addresses come along, and the answer is too long for a datagram.
    names.say(|known| {
        *known = Known {
            places: vec![(10, 1, 8081, "one"), (10, 1, 8081, "two")],
            is_whole: true,
            truncates: true,
            ..Known::default()
        }
    });
    eventually("other weights", || Some(shares()).filter(|shares| *shares == [10, 10, 0]));
    // A target at a port where nothing listens costs no request.
    names.say(|known| known.places = vec![(10, 1, 8099, "one"), (20, 1, 8081, "three")]);
    eventually("the second priority", || Some(shares()).filter(|shares| *shares == [0, 0, 20]));
    // A service that fails, or is nowhere, stays where it was.
    for fails in [true, false] {
        names.say(|known| *known = Known { fails, ..Known::default() });
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert_eq!(shares(), [0, 0, 20]);
    }
}
