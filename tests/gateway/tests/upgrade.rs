//! A new binary takes the place of the old one, and no client notices.

#[path = "../../support/mod.rs"]
mod support;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use support::{Folder, Gateway, PATIENCE, ReservedPort, Upstream, eventually};

fn setting(folder: &Folder) -> String {
    format!("upgrade.socket={}", folder.path("upgrade.sock").display())
}

fn start(folder: &Folder, upstream: SocketAddr, upgrade: bool, more: &[&str]) -> Gateway {
    let setting = setting(folder);
    let mut command = Gateway::command(&[&[&*setting], more].concat(), upstream);
    if upgrade {
        command.arg("--upgrade");
    }
    Gateway::launch(command)
}

/// Clients of all kinds; what goes wrong is kept.
struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    clients: Vec<std::thread::JoinHandle<Vec<String>>>,
}

impl Load {
    fn on(address: SocketAddr) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        // On connections that are kept, one per request, and such that take longer than the old gateway's polite second.
        let kinds = [("/v1/health", true), ("/v1/health", true), ("/v1/health", false), ("/v1/health?slow", true)];
        let clients = kinds.map(|(target, keeps)| {
            let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
            std::thread::spawn(move || {
                let mut failures = Vec::new();
                let mut connection = None;
                while !stop.load(Relaxed) {
                    match request(&mut connection, address, target, keeps) {
                        Ok(()) => drop(done.fetch_add(1, Relaxed)),
                        Err(error) => {
                            failures.push(format!("{target}: {error}"));
                            connection = None;
                        }
                    }
                }
                failures
            })
        });
        Self { stop, done, clients: clients.into() }
    }

    /// Waits for some more requests.
    fn goes_on(&self) {
        let before = self.done.load(Relaxed);
        eventually("further requests", || (self.done.load(Relaxed) >= before + 100).then_some(()));
    }

    fn failures(self) -> Vec<String> {
        self.stop.store(true, Relaxed);
        self.clients.into_iter().flat_map(|client| client.join().expect("no panic")).collect()
    }
}

/// One request; the connection stays where both sides want it.
fn request(connection: &mut Option<TcpStream>, address: SocketAddr, target: &str, keeps: bool) -> std::io::Result<()> {
    let mut stream = match connection.take() {
        Some(stream) => stream,
        None => TcpStream::connect(address)?,
    };
    stream.set_read_timeout(Some(PATIENCE))?;
    let close = if keeps { "" } else { "Connection: close\r\n" };
    stream.write_all(format!("GET {target} HTTP/1.1\r\nHost: a\r\n{close}\r\n").as_bytes())?;
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut buffer)?;
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes);
        if text.ends_with("\r\n\r\ndone") {
            if !text.starts_with("HTTP/1.1 200 ") {
                return Err(std::io::Error::other(text.into_owned()));
            }
            if keeps && !text.to_lowercase().contains("connection: close") {
                *connection = Some(stream);
            }
            return Ok(());
        }
        if count == 0 {
            return Err(std::io::Error::other(format!("closed after {text:?}")));
        }
    }
}

fn upstream() -> Upstream {
    Upstream::start(|head, connection| {
        if head.contains("slow") {
            std::thread::sleep(Duration::from_millis(1500));
        }
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
        true
    })
}

#[test]
fn three_upgrades_under_load_lose_no_request() {
    // Long runs say how long; the everyday one counts requests.
    let seconds = std::env::var("GATEWAY_TEST_UPGRADE_SECONDS").ok().and_then(|text| text.parse().ok());
    let (folder, upstream) = (Folder::new(), upstream());
    let mut gateway = start(&folder, upstream.address, false, &[]);
    let (address, admin) = (gateway.address, gateway.admin);
    let load = Load::on(address);
    let wait = || match seconds {
        Some(seconds) => std::thread::sleep(Duration::from_secs(seconds) / 4),
        None => load.goes_on(),
    };
    // Other numbers of workers have other numbers of sockets.
    for workers in ["workers=3", "workers=1", "workers=2"] {
        wait();
        let mut old = std::mem::replace(&mut gateway, start(&folder, upstream.address, true, &[workers]));
        assert_eq!((gateway.address, gateway.admin), (address, admin));
        assert!(old.wait().success(), "the old gateway ends by itself");
        load.goes_on();
        assert_eq!(gateway.operations("/readyz").status, 200);
    }
    wait();
    let done = load.done.load(Relaxed);
    let failures = load.failures();
    eprintln!("{done} requests over three upgrades");
    assert!(failures.is_empty(), "{} of {done} failed: {:?}", failures.len(), failures.first());
    gateway.terminate();
    assert!(gateway.wait().success());
    assert!(!folder.path("upgrade.sock").exists(), "what was made is taken away");
}

#[test]
fn an_answer_that_comes_late_is_the_last_one() {
    let upstream = upstream();
    let mut gateway = Gateway::start(&[], upstream.address);
    let mut slow = gateway.connect();
    slow.send("GET /v1/health?slow HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the request at the upstream", || (!upstream.heads().is_empty()).then_some(()));
    gateway.terminate();
    let answer = slow.response(false);
    assert_eq!((answer.status, &*answer.header("connection")), (200, "close"));
    assert!(gateway.wait().success());
}

#[test]
fn a_successor_that_cannot_start_changes_nothing() {
    let (folder, upstream) = (Folder::new(), upstream());
    let mut gateway = start(&folder, upstream.address, false, &[]);
    let failed = |more: &[&str]| {
        let setting = setting(&folder);
        let mut command = Gateway::command(&[&[&*setting], more].concat(), upstream.address);
        let output = command.arg("--upgrade").output().expect("runs");
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    // Before it asks for the sockets, and after.
    assert!(failed(&["timeouts.head=soon"]).contains("expected a duration"));
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let in_use = format!("listeners.more.bind={}", taken.local_addr().expect("bound"));
    assert!(failed(&[&in_use, "listeners.more.apis=[files]"]).contains("cannot open"));
    eventually("the old gateway's word", || gateway.messages().contains("upgrade: failed").then_some(()));
    assert_eq!(gateway.get("/v1/health", "").status, 200);
    assert_eq!(gateway.operations("/readyz").status, 200);
    assert!(!gateway.has_ended());
    let nobody = Gateway::command(&["upgrade.socket=/nonexistent/upgrade.sock"], upstream.address)
        .arg("--upgrade")
        .output()
        .expect("runs");
    let told = String::from_utf8_lossy(&nobody.stderr).into_owned();
    assert!(!nobody.status.success() && told.contains("no gateway hands over its sockets"), "{told}");
    let unset = Gateway::command(&[], upstream.address).arg("--upgrade").output().expect("runs");
    let told = String::from_utf8_lossy(&unset.stderr).into_owned();
    assert!(!unset.status.success() && told.contains("write `upgrade: {socket:"), "{told}");
}

#[test]
fn a_signal_starts_the_successor() {
    let (folder, upstream) = (Folder::new(), upstream());
    let notify = folder.path("notify.sock");
    let service_manager = UnixDatagram::bind(&notify).expect("a socket");
    service_manager.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let told = || {
        let mut buffer = [0; 256];
        let count = service_manager.recv(&mut buffer).expect("told");
        String::from_utf8_lossy(&buffer[..count]).into_owned()
    };
    let setting = setting(&folder);
    let mut command = Gateway::command(&[&setting], upstream.address);
    command.env("NOTIFY_SOCKET", &notify);
    let mut gateway = Gateway::launch(command);
    assert_eq!(told(), format!("READY=1\nMAINPID={}\n", gateway.pid()));
    gateway.signal("USR2");
    let message = told();
    let successor = message.trim_end().strip_prefix("READY=1\nMAINPID=").expect("a successor").to_owned();
    assert!(gateway.wait().success());
    assert_ne!(successor, gateway.pid().to_string());
    let mut connection = None;
    request(&mut connection, gateway.address, "/v1/health", true).expect("served by the successor");
    let killed = Command::new("kill").args(["-TERM", &successor]).status().expect("kill runs");
    assert!(killed.success());
    assert_eq!(told(), "STOPPING=1\n");
    eventually("its end", || TcpStream::connect(gateway.address).is_err().then_some(()));
}

#[test]
fn sockets_of_systemd_are_served() {
    if Command::new("python3").arg("--version").output().is_err() {
        assert!(std::env::var_os("GATEWAY_TEST_REQUIRE_SERVICES").is_none(), "python3 is not installed");
        return eprintln!("skipped: python3 is not installed");
    }
    // What systemd does (sd_listen_fds(3)), and a client that comes before the gateway.
    const ACTIVATE: &str = "import os, socket, sys\n\
        s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('127.0.0.1', int(sys.argv[1]))); s.listen()\n\
        c = socket.create_connection(s.getsockname()); c.set_inheritable(False)\n\
        fd = os.dup(s.fileno()); s.close(); os.dup2(fd, 3, inheritable=True)\n\
        os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))\n\
        os.execv(sys.argv[2], sys.argv[2:])";
    let (port, upstream) = (ReservedPort::new(), upstream());
    let bind = format!("listeners.test.bind={}", port.address);
    let plain = Gateway::command(&[&bind], upstream.address);
    let mut command = Command::new("python3");
    command.args(["-c", ACTIVATE, &port.number().to_string()]).arg(plain.get_program()).args(plain.get_args());
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut gateway = Gateway::launch(command);
    assert_eq!(gateway.address, port.address);
    for _ in 0..20 {
        assert_eq!(gateway.get("/v1/health", "").status, 200);
    }
    gateway.terminate();
    assert!(gateway.wait().success());
}

const HEALTH: &str = "GET /v1/health HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn clients_learn_of_the_end_before_it_comes() {
    let upstream = upstream();
    let mut gateway = Gateway::start(&["timeouts.shutdownDelay=1h"], upstream.address);
    let mut kept = gateway.connect();
    gateway.terminate();
    eventually("not ready", || (gateway.operations("/readyz").status == 503).then_some(()));
    // A client that does not know yet is served as before.
    assert_eq!(gateway.get("/v1/health", "").status, 200);
    kept.send(HEALTH);
    assert_eq!(kept.response(false).header("connection"), "");
    // A second signal means now.
    gateway.terminate();
    assert!(gateway.wait().success());
}

#[test]
fn the_last_answer_says_that_it_is_the_last_one() {
    let upstream = upstream();
    // A client that asks after the polite second finds its connection closed: then it was too slow for this.
    let last = eventually("a last answer", || {
        let mut gateway = Gateway::start(&["timeouts.shutdownDelay=500ms"], upstream.address);
        let mut kept = gateway.connect();
        kept.send(HEALTH);
        assert_eq!(kept.response(false).header("connection"), "");
        let started = Instant::now();
        gateway.terminate();
        eventually("the end of accepting", || TcpStream::connect(gateway.address).is_err().then_some(()));
        assert!(started.elapsed() >= Duration::from_millis(400), "after {:?}", started.elapsed());
        kept.send(HEALTH);
        let answer = (!kept.is_closed()).then(|| kept.response(false));
        assert!(gateway.wait().success());
        answer
    });
    assert_eq!((last.status, &*last.header("connection")), (200, "close"));
}
