//! Upstreams with several endpoints: which one gets a request, and what happens when one fails.

#[path = "../../support/mod.rs"]
mod support;

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use support::{Gate, Gateway, ReservedPort, Upstream, eventually};

/// A gateway whose API `files` has its `store` at these endpoints; `members` are those of the upstream beside them.
fn gateway(endpoints: &[SocketAddr], members: &str) -> Gateway {
    let urls: Vec<String> = endpoints.iter().map(|address| format!("\"http://{address}\"")).collect();
    let store = format!("upstreams.notes.default={{endpoints: [{}]{members}}}", urls.join(", "));
    Gateway::start(&[&store, "workers=2"], endpoints[0])
}

fn answering(status: u16) -> Upstream {
    Upstream::start(move |head, connection| {
        support::read_body(head, connection);
        connection.send(format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n"));
        true
    })
}

#[test]
fn endpoints_take_turns_and_get_their_own_host() {
    let (one, two) = (Upstream::echo(), Upstream::echo());
    let gateway = gateway(&[one.address, two.address], ", balance: round-robin");
    for _ in 0..6 {
        assert_eq!(gateway.get("/v1/health", "").status, 200);
    }
    for upstream in [&one, &two] {
        let heads = upstream.heads();
        assert_eq!(heads.len(), 3);
        assert!(heads.iter().all(|head| head.contains(&format!("Host: {}\r\n", upstream.address))), "{heads:?}");
    }
    let line = gateway.log_line(|line| line["endpoint"] == two.address.to_string());
    assert_eq!(line["attempts"], 1);
}

#[test]
fn a_hash_sends_equal_keys_to_one() {
    let (one, two) = (Upstream::echo(), Upstream::echo());
    let gateway = gateway(&[one.address, two.address], ", balance: {hash: [\"header:X-Tenant\"]}");
    for _ in 0..3 {
        for tenant in 0..12 {
            assert_eq!(gateway.get("/v1/health", &format!("X-Tenant: t{tenant}\r\n")).status, 200);
        }
    }
    let tenants = |upstream: &Upstream| -> Vec<String> {
        let mut tenants: Vec<String> = upstream
            .heads()
            .iter()
            .filter_map(|head| Some(head.split_once("X-Tenant: ")?.1.lines().next()?.to_owned()))
            .collect();
        tenants.sort();
        tenants.dedup();
        tenants
    };
    let (ones, twos) = (tenants(&one), tenants(&two));
    assert_eq!(ones.len() + twos.len(), 12, "each tenant has one endpoint: {ones:?} {twos:?}");
    assert!(!ones.is_empty() && !twos.is_empty());
}

#[test]
fn a_connection_that_cannot_be_made_costs_nothing() {
    let (closed, good) = (ReservedPort::new(), Upstream::echo());
    let gateway = gateway(&[closed.address, good.address], ", balance: round-robin, outlier: {eject: 1h}");
    for _ in 0..12 {
        assert_eq!(gateway.get("/v1/health", "").status, 200);
    }
    let metrics = gateway.operations("/metrics").body;
    for expected in [
        format!("gateway_upstream_endpoint_up{{api=\"notes\",upstream=\"default\",endpoint=\"{}\"}} 0", closed.address),
        format!("gateway_upstream_endpoint_up{{api=\"notes\",upstream=\"default\",endpoint=\"{}\"}} 1", good.address),
        format!(
            "gateway_upstream_ejections_total{{api=\"notes\",upstream=\"default\",endpoint=\"{}\",cause=\"connect\"}} 1",
            closed.address
        ),
    ] {
        assert!(metrics.contains(&expected), "{expected}\n{metrics}");
    }
}

#[test]
fn a_failing_endpoint_is_ejected() {
    let (bad, good) = (answering(503), Upstream::echo());
    let gateway = gateway(&[bad.address, good.address], ", balance: round-robin, outlier: {consecutive: 2, eject: 1h}");
    let statuses: Vec<u16> = (0..12).map(|_| gateway.get("/v1/health", "").status).collect();
    let failed = statuses.iter().filter(|status| **status == 503).count();
    assert_eq!((failed, bad.heads().len(), good.heads().len()), (2, 2, 10), "{statuses:?}");
}

#[test]
fn an_endpoint_that_reports_itself_unhealthy_gets_no_request() {
    let well = |status: u16| {
        Upstream::start(move |head, connection| {
            support::read_body(head, connection);
            let status = if head.starts_with("GET /healthz ") { status } else { 200 };
            connection.send(format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n"));
            !head.starts_with("GET /healthz ")
        })
    };
    let (ill, good) = (well(500), well(204));
    let checks = ", health: {path: /healthz, every: 50ms, timeout: 5s, unhealthy: 1}, outlier: off";
    let gateway = gateway(&[ill.address, good.address], checks);
    let up = format!("endpoint=\"{}\"}} 0", ill.address);
    eventually("one is unhealthy", || gateway.operations("/metrics").body.contains(&up).then_some(()));
    for _ in 0..8 {
        assert_eq!(gateway.get("/v1/health", "").status, 200);
    }
    assert!(ill.heads().iter().all(|head| head.contains("User-Agent: gateway-health\r\n")));
    assert_eq!(gateway.operations("/readyz?deep").status, 200);
}

#[test]
fn readiness_in_depth_is_that_of_the_upstreams() {
    let ill = answering(500);
    let checks = ", health: {path: /healthz, every: 50ms, timeout: 5s, unhealthy: 1}";
    let gateway = gateway(&[ill.address], checks);
    eventually("no endpoint is usable", || (gateway.operations("/readyz?deep").status == 503).then_some(()));
    assert!(gateway.operations("/readyz?deep").body.contains("notes.default"));
    assert_eq!(gateway.operations("/readyz").status, 200);
    assert_eq!(gateway.get("/v1/health", "").status, 500, "nobody is healthy, so all are used");
}

#[test]
fn repeatable_requests_are_retried_at_another_endpoint() {
    let (bad, good) = (answering(503), Upstream::echo());
    let retry = ", balance: round-robin, outlier: off, retry: {attempts: 2, on: [503], backoff: {base: 1ms}, attemptHeader: true}";
    let gateway = gateway(&[bad.address, good.address], retry);
    for _ in 0..6 {
        assert_eq!(gateway.get("/v1/health", "X-Gateway-Attempt: 77\r\n").status, 200);
    }
    assert!(!bad.heads().is_empty());
    assert!(bad.heads().iter().all(|head| head.contains("\r\nX-Gateway-Attempt: 1\r\n")));
    assert!(good.heads().iter().any(|head| head.contains("\r\nX-Gateway-Attempt: 2\r\n")));
    assert!(good.heads().iter().all(|head| !head.contains("Attempt: 77")));
    let line = gateway.log_line(|line| line["attempts"] == 2);
    assert_eq!(line["endpoint"], good.address.to_string());
    let metrics = gateway.operations("/metrics").body;
    assert!(metrics.contains("gateway_upstream_retries_total{api=\"notes\",upstream=\"default\",outcome=\"success\"}"));
}

#[test]
fn without_budget_the_answer_of_the_upstream_stands() {
    let bad = answering(503);
    let gateway = gateway(&[bad.address], ", retry: {on: [503], backoff: {base: 1ms}, budget: {percent: 0, min: 0}}");
    assert_eq!(gateway.get("/v1/health", "").status, 503);
    assert_eq!(bad.heads().len(), 1);
    assert!(gateway.operations("/metrics").body.contains("outcome=\"budget\"} 1"));
}

#[test]
fn all_tries_end_with_the_total() {
    let gate = Gate::default();
    let shared = gate.clone();
    let silent = Upstream::start(move |_, _| {
        shared.pass();
        false
    });
    let members = ", timeout: {total: 300ms}, retry: {attempts: 9, on: [504], perTry: 100ms, backoff: {base: 1ms}}";
    let gateway = gateway(&[silent.address], members);
    let started = Instant::now();
    assert_eq!(gateway.get("/v1/health", "").status, 504);
    assert!(started.elapsed() >= Duration::from_millis(100));
    assert!((2..=4).contains(&silent.heads().len()), "{}", silent.heads().len());
    gate.open();
}

#[test]
fn a_slow_client_is_no_failure_of_the_endpoint() {
    let (one, two) = (Upstream::echo(), Upstream::echo());
    let members = ", timeout: {total: 300ms}, outlier: {consecutive: 1, eject: 1h}, retry: {perTry: 100ms}";
    let gateway = gateway(&[one.address, two.address], members);
    for _ in 0..3 {
        let answer = gateway.raw("POST /v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nab");
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
    assert_eq!(one.heads().len() + two.heads().len(), 3, "it is not repeated");
    let metrics = gateway.operations("/metrics").body;
    assert!(!metrics.contains("outcome=\"timeout\"") && !metrics.contains("cause="), "{metrics}");
}

#[test]
fn an_endpoint_with_broken_responses_is_ejected() {
    let bad = Upstream::start(|_, connection| {
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx");
        false
    });
    let good = Upstream::echo();
    let gateway = gateway(&[bad.address, good.address], ", balance: round-robin, outlier: {consecutive: 2, eject: 1h}");
    for _ in 0..8 {
        gateway.raw("GET /v1/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    }
    assert_eq!((bad.heads().len(), good.heads().len()), (2, 6));
    let metrics = gateway.operations("/metrics").body;
    let of_bad = format!("endpoint=\"{}\",outcome=", bad.address);
    let outcomes: Vec<&str> = metrics.lines().filter_map(|line| Some(line.split_once(&of_bad)?.1)).collect();
    assert_eq!(outcomes, ["\"reset\"} 2"]);
}

#[test]
fn an_endpoint_is_tried_again_where_no_other_listens() {
    let (asked, closed) = (std::sync::atomic::AtomicUsize::new(0), ReservedPort::new());
    let unsteady = Upstream::start(move |_, connection| {
        let is_first = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
        let status = if is_first { 503 } else { 200 };
        connection.send(format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n"));
        true
    });
    let members = ", balance: round-robin, outlier: off, retry: {on: [503], backoff: {base: 1ms}}";
    let gateway = gateway(&[unsteady.address, closed.address], members);
    assert_eq!(gateway.get("/v1/health", "").status, 200);
    assert_eq!(unsteady.heads().len(), 2);
    assert_eq!(gateway.log_line(|line| line["status"] == 200)["attempts"], 2);
}

#[test]
fn nothing_is_tried_again_for_a_client_that_is_gone() {
    let bad = answering(503);
    let members = ", outlier: off, retry: {attempts: 9, on: [503], backoff: {base: 2s, max: 2s}}";
    let gateway = gateway(&[bad.address], members);
    let mut connection = gateway.connect();
    connection.send("GET /v1/health HTTP/1.1\r\nHost: gateway.test\r\n\r\n");
    eventually("it was tried", || (bad.heads().len() == 1).then_some(()));
    drop(connection);
    let line = gateway.log_line(|line| line["operation"] == "health");
    assert!(line["durationMicros"].as_u64().is_some_and(|time| time < 2_000_000), "{line}");
    assert_eq!(bad.heads().len(), 1);
}

#[test]
fn an_address_alone_keeps_what_the_document_says() {
    let (asked, good) = (answering(503), Upstream::echo());
    for (setting, total) in [
        (format!("upstreams.notes.default={{url: \"http://{}\"}}", asked.address), 1),
        (format!("upstreams.notes.default={{url: \"http://{}\", retry: {{on: [503]}}}}", asked.address), 3),
    ] {
        let gateway = Gateway::start(&[&setting], good.address);
        assert_eq!(gateway.get("/v1/health", "").status, 503);
        assert_eq!(asked.heads().len(), total);
    }
}

#[test]
fn requests_over_the_limit_of_an_upstream_are_refused_at_once() {
    let gate = Gate::default();
    let shared = gate.clone();
    let slow = Upstream::start(move |_, connection| {
        shared.pass();
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        true
    });
    let gateway = gateway(&[slow.address], ", breaker: {requests: 1}");
    let mut first = gateway.connect();
    first.send("GET /v1/health HTTP/1.1\r\nHost: gateway.test\r\n\r\n");
    eventually("the first is there", || (slow.heads().len() == 1).then_some(()));
    let refused = gateway.get("/v1/health", "");
    assert_eq!((refused.status, refused.header("retry-after").as_str()), (503, "1"));
    gate.open();
    assert_eq!(first.response(false).status, 200);
    assert_eq!(slow.heads().len(), 1);
    let line = gateway.log_line(|line| line["status"] == 503);
    assert_eq!((line["reject"].as_str(), line["side"].as_str()), (Some("upstream-overloaded"), Some("upstream")));
}

#[test]
fn where_all_refuse_the_answer_names_none() {
    let closed = [ReservedPort::new(), ReservedPort::new()];
    let gateway = gateway(&[closed[0].address, closed[1].address], "");
    let answer = gateway.get("/v1/health", "");
    assert_eq!(answer.status, 502);
    assert!(!answer.body.contains("127.0.0.1"));
}

#[test]
fn mistakes_in_settings_of_upstreams_are_reported() {
    for (setting, words) in [
        ("upstreams.notes.default={url: \"http://a\", endpoints: [\"http://b\"]}", "not both"),
        (
            "upstreams.notes.default={endpoints: [\"http://a\"], balanse: x}",
            "did you mean `upstreams.notes.default.balance`",
        ),
        ("upstreams.notes.default=[\"http://a\", \"https://b\"]", "all spoken to in one way"),
        ("upstreams.notes.default=[]", "a weight"),
        ("upstreams.notes.default={url: \"http://a\", health: {path: x}}", "/healthz"),
    ] {
        let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
        let output = Gateway::command(&[setting], address).arg("check").output().expect("it runs");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!output.status.success() && said.contains(words), "{setting}: {said}");
    }
}

#[test]
fn connections_are_kept_as_long_as_the_upstream_says() {
    for (members, connections) in [
        ("", 1),
        (", keepAlive: off", 6),
        (", keepAlive: {requests: 2}", 3),
        (", keepAlive: {age: 1ms}", 6),
        (", keepAlive: {idle: 1h, max: 1, age: 1h}", 1),
    ] {
        let upstream = Upstream::echo();
        let url = format!("upstreams.notes.default={{endpoints: [\"http://{}\"]{members}}}", upstream.address);
        let gateway = Gateway::start(&[&url, "workers=1"], upstream.address);
        for _ in 0..6 {
            assert_eq!(gateway.get("/v1/health", "").status, 200);
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(upstream.connections(), connections, "{members}");
    }
    // One that was idle for too long is closed.
    let upstream = Upstream::echo();
    let url = format!("upstreams.notes.default={{url: \"http://{}\", keepAlive: {{idle: 50ms}}}}", upstream.address);
    let gateway = Gateway::start(&[&url, "workers=1"], upstream.address);
    eventually("a second connection", || {
        assert_eq!(gateway.get("/v1/health", "").status, 200);
        std::thread::sleep(Duration::from_millis(600));
        (upstream.connections() > 1).then_some(())
    });
}

/// A gateway with a file of settings that can be changed.
struct Changeable {
    folder: support::Folder,
    gateway: Gateway,
}

impl Changeable {
    fn start(settings: &str, others: SocketAddr) -> Self {
        let folder = support::Folder::new();
        let config = folder.write("gateway.yaml", settings);
        let mut command = Gateway::command(&["workers=2"], others);
        // What is set on the command line would hold whatever the file says.
        let arguments: Vec<_> = command.get_args().map(std::ffi::OsStr::to_owned).collect();
        let mut without = std::process::Command::new(command.get_program());
        let mut arguments = arguments.into_iter().peekable();
        while let Some(argument) = arguments.next() {
            let is_of_file = arguments
                .peek()
                .and_then(|setting| setting.to_str())
                .is_some_and(|setting| setting.starts_with("upstreams.notes.default"));
            if argument == "--set" && is_of_file {
                arguments.next();
            } else {
                without.arg(argument);
            }
        }
        for (name, value) in command.get_envs() {
            value.map(|value| without.env(name, value));
        }
        command = without;
        command.args(["--config", &config]);
        Self { gateway: Gateway::launch(command), folder }
    }

    fn change(&self, settings: &str, message: &str) {
        let before = self.gateway.messages().matches(message).count();
        self.folder.write("gateway.yaml", settings);
        self.gateway.signal("HUP");
        eventually(message, || (self.gateway.messages().matches(message).count() > before).then_some(()));
    }
}

#[test]
fn sighup_takes_other_endpoints_without_a_restart() {
    let (one, two, other) = (Upstream::echo(), Upstream::echo(), Upstream::echo());
    let settings = |value: &str| format!("upstreams: {{notes: {{default: {value}}}}}\n");
    let at = |upstream: &Upstream| settings(&format!("\"http://{}\"", upstream.address));
    let running = Changeable::start(&at(&one), other.address);
    let gateway = &running.gateway;
    let mut connection = gateway.connect();
    let mut ask = || {
        connection.send("GET /v1/health HTTP/1.1\r\nHost: h\r\n\r\n");
        connection.response(false).status
    };
    assert_eq!((ask(), one.heads().len(), two.heads().len()), (200, 1, 0));
    running.change(&at(&two), "1 upstream changed");
    assert_eq!((ask(), one.heads().len(), two.heads().len()), (200, 1, 1));
    // Several, with all that belongs to them.
    let both = format!(
        "{{endpoints: [\"http://{}\", \"http://{}\"], balance: round-robin, health: {{path: /healthz, every: 50ms}}}}",
        one.address, two.address
    );
    running.change(&settings(&both), "1 upstream changed");
    for _ in 0..4 {
        assert_eq!(ask(), 200);
    }
    let asked = |upstream: &Upstream| upstream.heads().iter().filter(|head| head.contains("/health ")).count();
    assert_eq!((asked(&one), asked(&two)), (3, 3));
    eventually("checks", || {
        let is_check = |head: &&String| head.contains("User-Agent: gateway-health\r\n");
        [&one, &two].iter().all(|upstream| upstream.heads().iter().any(|head| is_check(&head))).then_some(())
    });
    // A time, and back to the document's.
    let impatient = format!("{{url: \"http://{}\", timeout: {{response: 100ms}}}}", one.address);
    running.change(&settings(&impatient), "1 upstream changed");
    assert_eq!(ask(), 200);
    running.change(&at(&one), "1 upstream changed");
    assert_eq!(ask(), 200);
    let checks = one.heads().len();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(one.heads().len(), checks, "the checks have ended");
    // Requests that run end where they began.
    let metrics = gateway.operations("/metrics").body;
    assert!(metrics.contains(&format!("endpoint=\"{}\"", one.address)), "{metrics}");
    assert!(!metrics.contains(&format!("upstream=\"default\",endpoint=\"{}\"", two.address)), "{metrics}");
}

/// Answers at every address of this machine; says at which ones it was asked.
fn everywhere() -> (u16, Arc<Mutex<Vec<IpAddr>>>) {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("0.0.0.0:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let asked = Arc::<Mutex<Vec<IpAddr>>>::default();
    let noted = Arc::clone(&asked);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 1 << 10];
            let _ = stream.read(&mut head);
            noted.lock().expect("no panic").extend(stream.local_addr().map(|address| address.ip()));
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    (port, asked)
}

#[test]
fn endpoints_are_checked_however_often_their_list_changes() {
    let (port, asked) = everywhere();
    let other = Upstream::echo();
    let settings = |turn: usize| {
        // One goes and another one comes, in front of those that stay.
        let hosts = std::iter::once(200 + turn).chain(1..=99);
        let urls: Vec<String> = hosts.map(|host| format!("\"http://127.0.0.{host}:{port}\"")).collect();
        let urls = urls.join(", ");
        let health = "health: {path: /healthz, every: 1s, timeout: 400ms}";
        format!("upstreams: {{notes: {{default: {{endpoints: [{urls}], {health}}}}}}}\n")
    };
    let running = Changeable::start(&settings(0), other.address);
    let began = Instant::now();
    asked.lock().expect("no panic").clear();
    let mut turn = 0;
    while began.elapsed() < Duration::from_secs(3) {
        turn += 1;
        running.change(&settings(turn % 50), "1 upstream changed");
        std::thread::sleep(Duration::from_millis(150));
    }
    let asked = asked.lock().expect("no panic").clone();
    // Each check is at least nine tenths of the interval after the one before.
    let most = began.elapsed().as_millis() / 900 + 1;
    for host in 1..=99 {
        let address = IpAddr::from([127, 0, 0, host]);
        let checks = asked.iter().filter(|one| **one == address).count();
        assert!(
            (1..=most).contains(&(checks as u128)),
            "{address}: {checks} checks while the list changed {turn} times"
        );
    }
    assert!(turn >= 5, "only {turn} changes");
}

#[test]
fn what_is_described_anew_is_asked_over_new_connections() {
    let (upstream, other) = (Upstream::echo(), Upstream::echo());
    let settings = |path: &str| {
        let health = format!("health: {{path: {path}, every: 50ms, timeout: 5s}}");
        format!("upstreams: {{notes: {{default: {{url: \"http://{}\", {health}}}}}}}\n", upstream.address)
    };
    let running = Changeable::start(&settings("/one"), other.address);
    let checks = |path: &str| upstream.heads().iter().filter(|head| head.starts_with(&format!("GET {path} "))).count();
    eventually("checks", || (checks("/one") > 2).then_some(()));
    running.change(&settings("/two"), "1 upstream changed");
    eventually("other checks", || (checks("/two") > 0).then_some(()));
    // Each connection carries ten, and no other one ends before.
    assert_eq!(upstream.connections(), checks("/one").div_ceil(10) + 1);
}

#[test]
fn sighup_refuses_what_cannot_be_applied() {
    let (one, other) = (Upstream::echo(), Upstream::echo());
    let settings = |value: &str| format!("upstreams: {{notes: {{default: {value}}}}}\n");
    let good = settings(&format!("\"http://{}\"", one.address));
    let running = Changeable::start(&good, other.address);
    for (bad, message) in [
        (settings("\"http://127.0.0.1:1/prefix\""), "have another path, or speak another version of HTTP"),
        (settings("\"ftp://127.0.0.1\""), "the gateway keeps the current ones"),
        (settings("[]"), "the gateway keeps the current ones"),
        ("upstreams: {note: {default: \"http://127.0.0.1:1\"}}\n".to_owned(), "which was not compiled in"),
        // Every other upstream of the tests is there.
        (settings(&format!("\"http://{}\"", other.address)), "share an address now, which decides what their paths"),
    ] {
        running.change(&bad, message);
        assert_eq!(running.gateway.get("/v1/health", "").status, 200, "{bad}");
    }
    assert_eq!((one.heads().len(), other.heads().len()), (5, 0));
    // Beside a setting that needs a restart, what can be applied is.
    let two = Upstream::echo();
    let more = settings(&format!("\"http://{}\"", two.address)) + "limits: {streams: 7}\n";
    running.change(&more, "`limits.streams` has changed and needs a restart");
    eventually("the other endpoint", || {
        assert_eq!(running.gateway.get("/v1/health", "").status, 200);
        (!two.heads().is_empty()).then_some(())
    });
}

#[test]
fn a_reload_under_load_loses_nothing() {
    let (one, two, other) = (Upstream::echo(), Upstream::echo(), Upstream::echo());
    let at = |upstream: &Upstream| format!("upstreams: {{notes: {{default: [\"http://{}\"]}}}}\n", upstream.address);
    let running = Changeable::start(&at(&one), other.address);
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut connection = running.gateway.connect();
                    let mut count = 0_u32;
                    while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                        connection.send("GET /v1/health HTTP/1.1\r\nHost: h\r\n\r\n");
                        assert_eq!(connection.response(false).status, 200);
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        for upstream in [&two, &one, &two, &one] {
            running.change(&at(upstream), "1 upstream changed");
        }
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(clients.into_iter().all(|client| client.join().expect("no failure") > 0));
    });
}

#[test]
fn an_endpoint_may_name_another_one() {
    let other = Upstream::echo();
    let named = other.address;
    let one = Upstream::start(move |head, connection| {
        support::read_body(head, connection);
        connection.send(format!("HTTP/1.1 302 x\r\nLocation: http://{named}/notes/7\r\nContent-Length: 0\r\n\r\n"));
        true
    });
    let gateway = gateway(&[one.address, other.address], ", balance: round-robin");
    let answers: Vec<String> = (0..2).map(|_| gateway.get("/v1/health", "").header("location")).collect();
    assert!(answers.contains(&"/v1/notes/7".to_owned()), "{answers:?}");
}

#[test]
fn a_time_that_the_client_has_set_is_no_failure_of_the_endpoint() {
    // They take connections, and say nothing.
    let silent = [TcpListener::bind("127.0.0.1:0"), TcpListener::bind("127.0.0.1:0")].map(|it| it.expect("a port"));
    let urls: Vec<String> = silent.iter().map(|it| format!("\"h2c://{}\"", it.local_addr().expect("bound"))).collect();
    let store =
        format!("upstreams.notes.default={{endpoints: [{}], outlier: {{consecutive: 1, eject: 1h}}}}", urls.join(", "));
    let gateway = Gateway::start(&[&store, "workers=1"], silent[0].local_addr().expect("bound"));
    for _ in 0..6 {
        let call = "Content-Type: application/grpc\r\nContent-Length: 0\r\ngrpc-timeout: 30m\r\n\r\n";
        let answer = gateway.request("POST", "/v1/login", call);
        assert_eq!((answer.status, answer.header("grpc-status")), (200, "4".to_owned()));
    }
    let metrics = gateway.operations("/metrics").body;
    assert!(!metrics.contains("outcome=\"timeout\"") && !metrics.contains("cause=\"timeout\""), "{metrics}");
}
