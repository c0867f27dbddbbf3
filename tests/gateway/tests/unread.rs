//! While its output has no reader, the gateway does everything but write.

#[path = "../../support/mod.rs"]
mod support;

#[path = "../../support/pki.rs"]
mod pki;

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use pki::{Authority, client, get};
use support::{Folder, Gateway, Reader, ReservedPort, Upstream, eventually};

const NAME: &str = "gateway.test";

fn consumers(key: &str) -> String {
    format!(
        "consumers: [{{username: ann, roles: [auditor], credentials: [{{type: key, key: {{value: {key}}}}}]}}, {{username: guest}}, {{username: olaf, group: gold}}, {{username: mallory}}]\n"
    )
}

fn metric(gateway: &Gateway, name: &str) -> u64 {
    let text = gateway.operations("/metrics").body;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).expect("a number")
}

#[test]
fn consumers_and_certificates_change_all_the_same() {
    for reader in Reader::ALL {
        let (folder, upstream, old, new) = (Folder::new(), Upstream::echo(), Authority::new(), Authority::new());
        old.server(&[NAME]).at(&folder, "tls");
        let file = folder.write("consumers.yaml", &consumers("one"));
        let (cert, key) = (folder.path("tls.crt"), folder.path("tls.key"));
        let settings = [
            format!("consumers.file={file}"),
            "insecureLiterals=true".to_owned(),
            "listeners.tls.bind=127.0.0.1:0".to_owned(),
            format!("listeners.tls.tls.cert.file={}", cert.display()),
            format!("listeners.tls.tls.key.file={}", key.display()),
        ];
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let gateway = Gateway::launch_before(Gateway::command(&settings, upstream.address), reader);
        let tls = gateway.listener("tls");
        assert!(get(tls, NAME, &client(&[&old], None), "/v1/health").is_ok(), "{reader:?}");
        let status = |key: &str| gateway.get("/reports/monthly", &format!("X-API-Key: {key}\r\n")).status;
        assert_eq!(status("one"), 200, "{reader:?}");
        for (before, now) in [("one", "two"), ("two", "three"), ("three", "four")] {
            folder.write("consumers.yaml", &consumers(now));
            eventually("the new key", || (status(now) == 200).then_some(()));
            assert_eq!(status(before), 401, "{reader:?}");
        }
        new.server(&[NAME]).at(&folder, "tls");
        eventually("the new certificate", || get(tls, NAME, &client(&[&new], None), "/v1/health").ok());
        // A broken file is reported each time, to no reader.
        for text in ["consumers: [", "consumers: [{}]", "consumers: [", "consumers: 7"] {
            folder.write("consumers.yaml", text);
            gateway.signal("HUP");
            // Time to complain; a gateway that reads fewer of these files is as right.
            std::thread::sleep(Duration::from_millis(50));
        }
        folder.write("consumers.yaml", &consumers("five"));
        eventually("the newest key", || (status("five") == 200).then_some(()));
        assert_eq!(gateway.operations("/readyz").status, 200, "{reader:?}");
        assert!(
            !gateway
                .operations("/metrics")
                .body
                .lines()
                .any(|line| { line.starts_with("gateway_task_restarts_total") && !line.ends_with(" 0") })
        );
        if reader == Reader::Gone {
            let lost = || metric(&gateway, "gateway_operator_log_lines_lost_total") > 0;
            eventually("lost lines", || lost().then_some(()));
        }
    }
}

#[test]
fn requests_are_served_and_lost_lines_counted() {
    for reader in Reader::ALL {
        let upstream = Upstream::echo();
        let mut gateway = Gateway::launch_before(Gateway::command(&[], upstream.address), reader);
        let mut connection = gateway.connect();
        for _ in 0..2_000 {
            connection.send("GET /v1/health HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(connection.response(false).status, 200, "{reader:?}");
        }
        if reader == Reader::Gone {
            eventually("lost lines", || {
                (metric(&gateway, "gateway_access_log_lines_lost_total") >= 1_000).then_some(())
            });
        }
        drop(connection);
        // The end does not wait for a reader that does not read either.
        gateway.terminate();
        assert!(gateway.wait().success(), "{reader:?}");
    }
}

#[test]
fn a_full_disk_loses_lines_only() {
    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else {
        return eprintln!("skipped: no /dev/full");
    };
    let upstream = Upstream::echo();
    let mut command = Gateway::command(&[], upstream.address);
    // It can say nowhere which ports it has.
    let ports = [(); 2].map(|()| ReservedPort::new());
    let [address, admin] = ports.each_ref().map(|port| port.address);
    command.args(["--set", &format!("listeners.test.bind={address}"), "--set", &format!("admin.bind={admin}")]);
    command.stdin(Stdio::null()).stdout(full.try_clone().expect("a copy")).stderr(full);
    let gateway = Gateway::at(command.spawn().expect("starts"), address, admin);
    eventually("an answer", || std::net::TcpStream::connect(admin).ok());
    for _ in 0..10 {
        assert_eq!(gateway.get("/v1/health", "").status, 200);
    }
    eventually("lost lines", || (metric(&gateway, "gateway_access_log_lines_lost_total") >= 10).then_some(()));
    let lost = || metric(&gateway, "gateway_operator_log_lines_lost_total") > 0;
    eventually("lost lines", || lost().then_some(()));
    assert_eq!(gateway.operations("/readyz").status, 200);
}

#[test]
fn a_gateway_that_cannot_start_ends_with_an_unread_standard_error() {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    let copy = writer.try_clone().expect("a copy");
    // Full before the gateway has said anything.
    std::thread::spawn(move || while writer.write_all(&[b'.'; 4096]).is_ok() {});
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway-tests"));
    let mut process =
        command.args(["check", "--set", "nonsense=1"]).stdout(Stdio::null()).stderr(copy).spawn().expect("starts");
    let ended = eventually("its end", || process.try_wait().expect("a child"));
    assert!(!ended.success());
    drop(reader);
}
