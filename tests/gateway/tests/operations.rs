//! What operators see: the log, the metrics, health, and the end of a process.

#[path = "../../support/mod.rs"]
mod support;

use std::process::Command;

use support::{Connection, Gate, Gateway, Upstream, authorized, eventually};

#[test]
fn each_request_has_a_line() {
    let gateway = Gateway::before(&Upstream::echo());
    let answer = gateway.get("/v1/notes/7?secret=1", &authorized());
    let line = gateway.log_line(|line| line["operation"] == "getNote");
    for (key, expected) in [
        ("listener", "test"),
        ("client", "127.0.0.1"),
        ("peer", "127.0.0.1"),
        ("method", "GET"),
        ("path", "/v1/notes/7"),
        ("api", "notes"),
        ("caller", "ann"),
        ("because", "credential"),
        ("upstream", "default"),
    ] {
        assert_eq!(line[key], expected, "{key} in {line}");
    }
    assert_eq!(line["requestId"], answer.header("x-request-id"));
    assert_eq!((line["status"].as_u64(), line["responseBytes"].as_u64()), (Some(200), Some(answer.body.len() as u64)));
    assert!(line["durationMicros"].as_u64() >= line["upstreamMicros"].as_u64());
    assert!(line["time"].as_str().is_some_and(|time| time.ends_with('Z') && time.len() == 27));
    assert!(!gateway.log().contains("secret"));
    gateway.get("/nowhere", "");
    assert_eq!(gateway.log_line(|line| line["path"] == "/nowhere")["reject"], "not-found");
}

#[test]
fn listeners_of_one_document_are_counted_and_logged_apart() {
    let gateway = Gateway::start(&["listeners.second.bind=127.0.0.1:0"], Upstream::echo().address);
    for (listener, path, times) in [("test", "/v1/health", 2), ("second", "/v1/health", 1), ("second", "/nowhere", 3)] {
        for _ in 0..times {
            let mut connection = Connection::to(gateway.listener(listener));
            connection.send(format!("GET {path} HTTP/1.1\r\nHost: gateway.test\r\n\r\n"));
            connection.response(false);
        }
        gateway.log_line(|line| line["listener"] == listener && line["path"] == path);
    }
    for line in [
        "gateway_requests_total{listener=\"test\",api=\"notes\",operation=\"health\",status=\"2xx\"} 2",
        "gateway_requests_total{listener=\"second\",api=\"notes\",operation=\"health\",status=\"2xx\"} 1",
        "gateway_requests_total{listener=\"second\",api=\"\",operation=\"\",status=\"4xx\"} 3",
    ] {
        eventually(line, || gateway.operations("/metrics").body.contains(line).then_some(()));
    }
    let unrouted = gateway.log_line(|line| line["path"] == "/nowhere");
    assert_eq!((&unrouted["api"], &unrouted["operation"]), (&"".into(), &"".into()));
}

#[test]
fn operations_are_counted() {
    let gateway = Gateway::before(&Upstream::echo());
    for _ in 0..3 {
        gateway.get("/v1/health", "");
    }
    gateway.get("/v1/notes", "");
    gateway.get("/nowhere", "");
    for line in [
        "gateway_requests_total{listener=\"test\",api=\"notes\",operation=\"listNotes\",status=\"4xx\"} 1",
        "gateway_requests_total{listener=\"test\",api=\"\",operation=\"\",status=\"4xx\"} 1",
        "gateway_request_duration_seconds_count{listener=\"test\",api=\"notes\",operation=\"health\"} 3",
        "gateway_request_duration_seconds_bucket{listener=\"test\",api=\"notes\",operation=\"health\",le=\"+Inf\"} 3",
        "# TYPE gateway_request_duration_seconds histogram",
        "gateway_connections_accepted_total 5",
        "gateway_rejects_total{reason=\"no-credential\"} 1",
        "gateway_rejects_total{reason=\"not-found\"} 1",
        "gateway_task_restarts_total{task=\"consumers\"} 0",
        "gateway_operator_log_lines_lost_total 0",
        concat!("gateway_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        "process_resident_memory_bytes ",
        "process_cpu_seconds_total ",
        "process_open_fds ",
        "process_start_time_seconds 1",
    ] {
        // A request is counted when its answer is out: the client may be quicker.
        eventually(line, || gateway.operations("/metrics").body.contains(line).then_some(()));
    }
    let metrics = gateway.operations("/metrics").body;
    assert!(!metrics.contains("operation=\"createNote\""), "nobody has called it: {metrics}");
    assert!(!metrics.contains("reason=\"body-too-large\""), "{metrics}");
    assert_eq!(gateway.operations("/healthz").status, 200);
    assert_eq!(gateway.operations("/readyz").status, 200);
    assert_eq!(gateway.operations("/else").status, 404);
}

#[test]
fn termination_finishes_what_runs() {
    let gate = Gate::default();
    let held = gate.clone();
    let upstream = Upstream::start(move |_, connection| {
        held.pass();
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
        true
    });
    let mut gateway = Gateway::start(&["timeouts.shutdown=1h"], upstream.address);
    let mut idle = gateway.connect();
    let mut running = gateway.connect();
    running.send("GET /v1/health HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the request at the upstream", || (!upstream.heads().is_empty()).then_some(()));
    gateway.terminate();
    assert!(idle.is_closed());
    eventually("not ready", || (gateway.operations("/readyz").status == 503).then_some(()));
    assert!(std::net::TcpStream::connect(gateway.address).is_err(), "no new connection");
    gate.open();
    assert_eq!(running.response(false).body, "done");
    assert!(gateway.wait().success());
    assert!(gateway.log().contains("\"operation\":\"health\""), "the last lines are written");
}

#[test]
fn termination_has_a_deadline() {
    let never = Gate::default();
    let upstream = Upstream::start(move |_, _| {
        never.pass();
        false
    });
    let mut gateway = Gateway::start(&["timeouts.shutdown=300ms"], upstream.address);
    let mut running = gateway.connect();
    running.send("GET /v1/health HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the request at the upstream", || (!upstream.heads().is_empty()).then_some(()));
    gateway.terminate();
    gateway.wait();
    // Were there no deadline, the gateway would wait for the upstream's time to be over, and say so.
    assert_eq!(running.read_to_end(), "", "the answer never comes");
}

#[test]
fn messages_are_lines_of_json_where_the_deployment_wants_them() {
    let folder = support::Folder::new();
    let config = folder.write("gateway.yaml", "timeouts: {keepAlive: 60s}\n");
    let mut command = Gateway::command(&["logs.format=json"], Upstream::echo().address);
    command.args(["--config", &config]);
    let gateway = Gateway::launch(command);
    folder.write("gateway.yaml", "timeouts: {keepAlive: \"so\\non\"}\n");
    gateway.signal("HUP");
    eventually("the mistake", || gateway.messages().contains("the new settings are invalid").then_some(()));
    let messages = gateway.messages();
    let lines: Vec<serde_json::Value> =
        messages.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    assert!(lines.iter().all(|line| line["time"].as_str().is_some_and(|time| time.ends_with('Z'))), "{messages}");
    let about = |level: &str, text: &str| {
        lines.iter().any(|line| {
            line["subject"] == "settings"
                && line["level"] == level
                && line["message"].as_str().is_some_and(|message| message.contains(text))
        })
    };
    assert!(about("error", "gateway.yaml:1:23: expected a duration"), "{messages}");
}

#[test]
fn sighup_reports_changes_that_need_a_restart() {
    let folder = support::Folder::new();
    let config = folder.write("gateway.yaml", "timeouts: {keepAlive: 60s}\n");
    let mut command = Gateway::command(&[], Upstream::echo().address);
    command.args(["--config", &config]);
    let gateway = Gateway::launch(command);
    folder.write("gateway.yaml", "timeouts: {keepAlive: 30s}\nlimits: {streams: 7}\n");
    gateway.signal("HUP");
    eventually("the news", || {
        gateway
            .messages()
            .contains("`limits.streams`, `timeouts.keepAlive` have changed and need a restart")
            .then_some(())
    });
    folder.write("gateway.yaml", "timeouts: {keepAlive: soon}\n");
    gateway.signal("HUP");
    eventually("the mistake", || gateway.messages().contains("the new settings are invalid").then_some(()));
    assert_eq!(gateway.get("/v1/health", "").status, 200);
}

fn gateway(arguments: &[&str], environment: &[(&str, &str)]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway-tests"));
    let consumers = concat!(env!("CARGO_MANIFEST_DIR"), "/consumers.yaml");
    command.args(["--set", &format!("consumers.file={consumers}"), "--set", "admin.key.env=TEST_ADMIN_KEY"]);
    command.args(["--set", "stores.default.kind=memory"]);
    support::secrets(&mut command);
    command
        .args(arguments)
        .env("TEST_ADMIN_KEY", "administrators of the tests")
        .env_remove("NOTES_JWT_SECRET")
        .env_remove("FILES_SESSION_SECRET")
        .envs(environment.iter().copied());
    let output = command.output().expect("runs");
    (output.status.success(), String::from_utf8_lossy(&[output.stderr, output.stdout].concat()).into_owned())
}

#[test]
fn missing_settings_are_reported_together() {
    let folder = std::env::temp_dir().join(format!("gateway-settings-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("gateway.yaml");
    std::fs::write(&file, "listeners:\n  web: {bind: \"127.0.0.1:0\", apis: [nots]}\n  all: {bind: \"127.0.0.1:0\"}\nupstreams:\n  notes: {defalt: \"http://a\"}\n  files: {store: \"ftp://a\"}\n").expect("written");
    let path = file.to_str().expect("text");
    let (ok, told) = gateway(&["check", "--config", path], &[("FILES_SESSION_SECRET", "not base64!")]);
    assert!(!ok);
    for expected in [
        "environment variable NOTES_JWT_SECRET is not set",
        "environment variable FILES_SESSION_SECRET is not in base64 format",
        &format!("{path}:2:37: listener `web` names the API `nots`, which was not compiled in; did you mean `notes`?"),
        &format!("{path}:5:19: API `notes` has no upstream `defalt`"),
        &format!(
            "{path}:6:18: upstream `store` of API `files`: `ftp://a` does not start with http://, https://, h2c://, h2:// or dns+srv://"
        ),
    ] {
        assert!(told.contains(expected), "no `{expected}` in\n{told}");
    }
    std::fs::remove_dir_all(&folder).expect("removed");
}

#[test]
fn a_complete_deployment_checks_out_and_opens_nothing() {
    let (ok, told) = gateway(
        &["check"],
        &[
            ("NOTES_JWT_SECRET", support::SECRET),
            ("FILES_SESSION_SECRET", "YSBzZWNyZXQgb2YgdGhlIHRlc3RzOiAzMiBieXRlcyBvciBtb3Jl"),
        ],
    );
    assert!(ok && told.contains("nothing missing"), "{told}");
    let (ok, told) = gateway(&["check"], &[("NOTES_JWT_SECRET", "short"), ("FILES_SESSION_SECRET", "YQ==")]);
    assert!(!ok && told.contains("needs 32") && !told.contains("short;"), "{told}");
    let (ok, told) = gateway(&["chekc"], &[]);
    assert!(!ok && told.contains("unknown command `chekc`"), "{told}");
    let (ok, told) = gateway(&["demo", "--set", "listeners.demo.bind=nowhere"], &[]);
    assert!(!ok && told.contains("--set listeners.demo.bind: expected an address"), "{told}");
    let (ok, table) = gateway(&["routes"], &[]);
    assert!(ok && table.contains("partner; only group gold; not mallory; olaf with GET"), "{table}");
    let (ok, table) = gateway(&["routes"], &[]);
    assert!(
        ok && table.lines().any(|line| line.split_whitespace().eq([
            "POST",
            "/v1/notes",
            "createNote",
            "accounts[notes:read",
            "notes:write]",
            "->",
            "default"
        ])),
        "{table}"
    );
}

#[test]
fn an_address_in_use_is_reported() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let bind = format!("listeners.web.bind={}", taken.local_addr().expect("bound"));
    let (ok, told) = gateway(
        &["--set", &bind, "--set", "admin=off"],
        &[
            ("NOTES_JWT_SECRET", support::SECRET),
            ("FILES_SESSION_SECRET", "YSBzZWNyZXQgb2YgdGhlIHRlc3RzOiAzMiBieXRlcyBvciBtb3Jl"),
        ],
    );
    assert!(!ok && told.contains("listener `web` cannot open"), "{told}");
}
