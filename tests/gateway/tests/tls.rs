//! TLS at the listeners, with curl, OpenSSL and rustls as clients.

#[path = "../../support/pki.rs"]
mod pki;
#[path = "../../support/mod.rs"]
mod support;

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use pki::{Authority, Folder, Pair, TlsUpstream, client, connect, curl, exchange, get};
use support::{Connection, Gateway, Upstream, eventually};

const NAME: &str = "gateway.test";

fn start(settings: &[String], upstream: &Upstream) -> Gateway {
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    Gateway::start(&settings, upstream.address)
}

/// A gateway with one certificate, and the authority of that.
fn simple(folder: &Folder, more: &[&str], upstream: &Upstream) -> (Gateway, Authority) {
    let authority = Authority::new();
    let mut settings = authority.server(&[NAME]).at(folder, "tls").to_vec();
    settings.extend(more.iter().map(ToString::to_string));
    folder.write("ca.pem", &authority.pem);
    (start(&settings, upstream), authority)
}

#[test]
fn curl_uses_both_versions_and_the_upstream_gets_x_forwarded_proto() {
    let (folder, upstream) = (Folder::new(), Upstream::echo());
    let (gateway, _) = simple(&folder, &[], &upstream);
    for version in ["1.2", "1.3"] {
        let output = curl(
            gateway.address,
            NAME,
            &folder.path("ca.pem"),
            &[&format!("--tlsv{version}"), "--tls-max", version, &format!("https://{NAME}/v1/health")],
        );
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{version}: {}", String::from_utf8_lossy(&output.stderr));
        let seen: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(seen["headers"]["x-forwarded-proto"], "https", "{version}");
    }
    // Neither an older version nor an unknown authority.
    let old = curl(gateway.address, NAME, &folder.path("ca.pem"), &["--tls-max", "1.1", &format!("https://{NAME}/")]);
    assert_eq!(old.status.code(), Some(35));
    let metrics = gateway.operations("/metrics").body;
    assert!(metrics.contains("\ngateway_tls_handshakes_total 2\n"), "{metrics}");
    let expiry = metrics.lines().find(|line| line.starts_with("gateway_certificate_expiry_timestamp_seconds{"));
    assert!(
        expiry.is_some_and(|line| line.contains("listener=\"test\"") && line.ends_with(" 67090118400")),
        "{expiry:?}"
    );
}

#[test]
fn a_listener_can_ask_for_tls_13() {
    let (folder, upstream) = (Folder::new(), Upstream::echo());
    let (gateway, _) = simple(&folder, &["listeners.test.tls.minVersion=1.3"], &upstream);
    let url = format!("https://{NAME}/v1/health");
    let run =
        |most: &str| curl(gateway.address, NAME, &folder.path("ca.pem"), &["--tls-max", most, &url]).status.success();
    assert!(run("1.3") && !run("1.2"));
}

#[test]
fn each_name_gets_its_certificate_and_the_rest_the_first() {
    let (folder, upstream) = (Folder::new(), Upstream::echo());
    let (first, second) = (Authority::new(), Authority::new());
    let mut settings = Vec::new();
    for (index, pair) in [first.server(&["a.test"]), second.server(&["*.b.test", "c.test"])].iter().enumerate() {
        for (half, text) in [("cert", &pair.cert), ("key", &pair.key)] {
            let file = folder.write(&format!("{index}.{half}"), text);
            settings.push(format!("listeners.test.tls.certificates.{index}.{half}.file={file}"));
        }
    }
    let gateway = start(&settings, &upstream);
    let ask = |name: &str, authority: &Authority| get(gateway.address, name, &client(&[authority], None), "/v1/health");
    assert!(ask("a.test", &first).is_ok() && ask("A.TEST", &first).is_ok());
    assert!(ask("x.b.test", &second).is_ok() && ask("c.test", &second).is_ok());
    // One label, not two; and the default for who is unknown.
    for unknown in ["x.y.b.test", "b.test", "d.test"] {
        let complaint = ask(unknown, &first).expect_err("another name").to_string();
        assert!(complaint.contains("not valid for name"), "{complaint}");
        let complaint = ask(unknown, &second).expect_err("another authority").to_string();
        assert!(complaint.contains("UnknownIssuer"), "{complaint}");
    }
}

#[test]
fn certificates_change_under_load_and_no_request_fails() {
    let (folder, upstream) = (Folder::new(), Upstream::echo());
    let (gateway, old) = simple(&folder, &[], &upstream);
    let new = Authority::new();
    let (both, stop) = (client(&[&old, &new], None), Arc::new(AtomicBool::new(false)));
    let done = Arc::new(AtomicU32::new(0));
    let clients: Vec<_> = (0..4)
        .map(|index| {
            let (config, stop, done, address) =
                (Arc::clone(&both), Arc::clone(&stop), Arc::clone(&done), gateway.address);
            std::thread::spawn(move || {
                let mut kept = connect(address, NAME, &config).expect("connects");
                while !stop.load(Relaxed) {
                    let answer = if index % 2 == 0 {
                        get(address, NAME, &config, "/v1/health")
                    } else {
                        exchange(&mut kept, &format!("GET /v1/health HTTP/1.1\r\nHost: {NAME}\r\n\r\n"))
                    };
                    assert!(answer.expect("an answer").starts_with("HTTP/1.1 200 "));
                    done.fetch_add(1, Relaxed);
                }
            })
        })
        .collect();
    new.server(&[NAME]).at(&folder, "tls");
    eventually("the new certificate", || get(gateway.address, NAME, &client(&[&new], None), "/v1/health").ok());
    // A key that is not the certificate's changes nothing, whichever comes first.
    folder.write("tls.key", &old.server(&[NAME]).key);
    eventually("a complaint", || gateway.messages().contains("stays as it was").then_some(()));
    assert!(gateway.messages().contains("is not the key of the certificate in file"), "{}", gateway.messages());
    old.expired(&[NAME]).at(&folder, "tls");
    eventually("another complaint", || gateway.messages().contains("expired on 2020-01-01T00:00:00Z").then_some(()));
    assert!(get(gateway.address, NAME, &client(&[&new], None), "/v1/health").is_ok());
    eventually("some load", || (done.load(Relaxed) > 20).then_some(()));
    stop.store(true, Relaxed);
    for client in clients {
        client.join().expect("no request failed");
    }
}

#[test]
fn an_expired_certificate_does_not_disturb_the_others() {
    let (folder, upstream) = (Folder::new(), Upstream::echo());
    let (old, new, clients, others) = (Authority::new(), Authority::new(), Authority::new(), Authority::new());
    let write = |index: usize, pair: &Pair| {
        [("cert", &pair.cert), ("key", &pair.key)].map(|(half, text)| {
            let file = folder.write(&format!("{index}.{half}"), text);
            format!("listeners.test.tls.certificates.{index}.{half}.file={file}")
        })
    };
    let mut settings = write(0, &old.expired(&["a.test"])).to_vec();
    settings.extend(write(1, &old.server(&["b.test"])));
    let ca = folder.write("clients.pem", &clients.pem);
    settings.push(format!("listeners.test.tls.clientAuth.ca.file={ca}"));
    let gateway = start(&settings, &upstream);
    let (visitor, other) = (clients.client("URI:a"), others.client("URI:b"));
    let ask = |authority: &Authority, own: Option<&Pair>| {
        get(gateway.address, "b.test", &client(&[authority], own), "/v1/health")
    };
    assert!(ask(&old, Some(&visitor)).is_ok() && ask(&old, Some(&other)).is_err());
    // Another certificate is renewed, and another authority is trusted; the expired one is not spoken of.
    write(1, &new.server(&["b.test"]));
    eventually("the new certificate", || ask(&new, None).ok());
    folder.write("clients.pem", &others.pem);
    eventually("the new authority", || ask(&new, Some(&other)).ok());
    assert!(ask(&new, Some(&visitor)).is_err());
    assert!(!gateway.messages().contains("stays as it was"), "{}", gateway.messages());
    // One that is broken now is refused alone.
    folder.write("0.key", "nothing");
    write(1, &old.server(&["b.test"]));
    eventually("the other certificate", || ask(&old, None).ok());
    eventually("a complaint", || gateway.messages().contains("0.cert before stays as it was").then_some(()));
    assert!(!gateway.messages().contains("1.cert before stays"), "{}", gateway.messages());
}

#[test]
fn a_certificate_that_is_valid_in_a_moment_is_shown_then() {
    let (folder, upstream) = (Folder::new(), Upstream::echo());
    let (gateway, _) = simple(&folder, &[], &upstream);
    // The first that the gateway reads before it is valid shows it.
    let mut moments = [6, 12, 24, 48].into_iter();
    eventually("a complaint", || {
        let new = Authority::new();
        let moment = Duration::from_secs(moments.next().expect("the machine is not as slow as that"));
        let soon = std::time::SystemTime::now() + moment;
        new.sign(&[NAME], |params| params.not_before = soon.into()).at(&folder, "tls");
        eventually("the new certificate", || get(gateway.address, NAME, &client(&[&new], None), "/v1/health").ok());
        gateway.messages().contains("is valid from").then_some(())
    });
    assert_eq!(gateway.messages().matches("is valid from").count(), 1, "{}", gateway.messages());
}

#[test]
fn sighup_reads_certificates_again_at_once() {
    let (folder, upstream) = (Folder::new(), Upstream::echo());
    let (gateway, _) = simple(&folder, &[], &upstream);
    let killed = Command::new("kill").args(["-HUP", &gateway.pid().to_string()]).status().expect("kill runs");
    assert!(killed.success());
    eventually("a word about it", || gateway.messages().contains("listener test: certificate for file").then_some(()));
}

#[test]
fn sessions_are_resumed_by_any_worker() {
    let (folder, upstream) = (Folder::new(), Upstream::echo());
    let (gateway, authority) = simple(&folder, &[], &upstream);
    let config = client(&[&authority], None);
    let resumed = (0..16).filter(|_| {
        let mut connection = connect(gateway.address, NAME, &config).expect("connects");
        exchange(&mut connection, &format!("GET /v1/health HTTP/1.1\r\nHost: {NAME}\r\n\r\n")).expect("an answer");
        connection.conn.handshake_kind() == Some(rustls::HandshakeKind::Resumed)
    });
    assert!(resumed.count() >= 15);
    // TLS 1.2, with a ticket and without.
    for ticket in ["-ticket", "-no_ticket"] {
        let output = Command::new("openssl")
            .args(["s_client", "-connect", &gateway.address.to_string(), "-tls1_2", "-reconnect"])
            .args(if ticket == "-ticket" { &[][..] } else { &["-no_ticket"] })
            .stdin(Stdio::null())
            .output()
            .expect("openssl runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(text.lines().filter(|line| line.starts_with("Reused, TLSv1.2")).count(), 5, "{ticket}: {text}");
    }
}

#[test]
fn http_on_a_tls_port_is_answered_and_silence_is_closed() {
    let (folder, upstream) = (Folder::new(), Upstream::echo());
    let (gateway, _) = simple(&folder, &["timeouts.head=1s"], &upstream);
    let answer = gateway.raw("GET /v1/health HTTP/1.1\r\nHost: gateway.test\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("write https:// before the name\n"), "{answer}");
    assert_eq!(gateway.raw(b"\x00\x01\x02"), "");
    for bytes in [&b""[..], b"\x16"] {
        let mut connection = Connection::to(gateway.address);
        connection.send(bytes);
        assert!(connection.is_closed(), "{bytes:?}");
    }
    // The time is for the whole handshake: a byte now and then would take an hour for this one.
    let mut connection = Connection::to(gateway.address);
    connection.stream.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
    connection.send(b"\x16\x03\x01\x3f\x00\x01\x00\x3e\xfc");
    eventually("the end", || {
        let is_over = connection.stream.write(b"\0").is_err() || matches!(connection.stream.read(&mut [0; 64]), Ok(0));
        is_over.then_some(())
    });
    // Meanwhile others are served.
    let _slow: Vec<_> = (0..64).map(|_| Connection::to(gateway.address)).collect();
    let output = curl(gateway.address, NAME, &folder.path("ca.pem"), &[&format!("https://{NAME}/v1/health")]);
    assert!(output.status.success());
}

#[test]
fn large_bodies_go_both_ways() {
    let (folder, upstream) = (Folder::new(), Upstream::echo());
    let (gateway, authority) = simple(&folder, &[], &upstream);
    let body = "0123456789abcdef".repeat(1 << 16);
    let mut connection = connect(gateway.address, NAME, &client(&[&authority], None)).expect("connects");
    let head = format!("POST /v1/login HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: {}\r\n\r\n", body.len());
    let answer = exchange(&mut connection, &(head + &body)).expect("an answer");
    let (_, json) = answer.split_once("\r\n\r\n").expect("a body");
    let seen: serde_json::Value = serde_json::from_str(json).expect("JSON");
    assert_eq!(seen["body"].as_str().map(str::len), Some(body.len()));
    // What comes in small pieces is whole as well.
    connection.sock.set_nodelay(true).expect("an option");
    for byte in format!("GET /v1/health HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n").bytes() {
        connection.write_all(&[byte]).expect("sent");
    }
    let mut rest = Vec::new();
    connection.read_to_end(&mut rest).expect("closed in order: with close_notify");
    assert!(rest.starts_with(b"HTTP/1.1 200 "));
}

#[test]
fn x_forwarded_proto_is_taken_from_trusted_proxies_only() {
    let upstream = Upstream::echo();
    let seen = |gateway: &Gateway, headers: &str| {
        let answer = gateway.get("/v1/health", headers).json();
        answer["headers"]["x-forwarded-proto"].as_str().map(str::to_owned)
    };
    let trusting = Gateway::start(&["trustedProxies=[127.0.0.1]"], upstream.address);
    for (headers, expected) in [
        ("", "http"),
        ("X-Forwarded-Proto: https\r\n", "https"),
        ("X-Forwarded-Proto: HTTPS\r\n", "https"),
        ("X-Forwarded-Proto: http\r\n", "http"),
        ("X-Forwarded-Proto: https, http\r\n", "http"),
        ("X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http\r\n", "http"),
        ("X-Forwarded-Proto: ws\r\n", "http"),
    ] {
        assert_eq!(seen(&trusting, headers).as_deref(), Some(expected), "{headers}");
    }
    let doubting = Gateway::start(&[], upstream.address);
    assert_eq!(seen(&doubting, "X-Forwarded-Proto: https\r\n").as_deref(), Some("http"));
}

#[test]
fn mistakes_in_tls_settings_are_reported_at_start() {
    let folder = Folder::new();
    let authority = Authority::new();
    let (one, other) = (authority.server(&["a.test"]), authority.server(&["b.test"]));
    let both = Pair { key: other.key.clone(), ..one.clone() };
    both.at(&folder, "mixed");
    folder.write("empty.crt", "nothing\n");
    let yaml = "listeners:\n  \
        a: {bind: \"127.0.0.1:0\", tls: {cert: {file: mixed.crt}, key: {file: mixed.key}}}\n  \
        b: {bind: \"127.0.0.1:0\", tls: {cert: {file: mixed.crt}}}\n  \
        c: {bind: \"127.0.0.1:0\", tls: {cert: {file: empty.crt}, key: {file: missing.key}}}\n  \
        d: {bind: \"127.0.0.1:0\", tls: {cert: {file: mixed.crt}, key: {env: TLS_KEY_NEVER_SET}, minVersion: 1.1}}\n  \
        e: {bind: \"127.0.0.1:0\", tls: {certificates: [{cert: {file: mixed.crt}, kee: {file: mixed.key}}]}}\n";
    let config = folder.write("gateway.yaml", yaml);
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway-tests"));
    command.args(["--config", &config, "check"]);
    support::secrets(&mut command);
    let output = command.output().expect("runs");
    assert!(!output.status.success());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    for expected in [
        "gateway.yaml:3:47: listener `b` has a certificate without a key",
        "expected `1.2` or `1.3`, found `1.1`",
        "unknown setting `listeners.e.tls.certificates.0.kee.file`; did you mean `listeners.e.tls.certificates.0.key.file`?",
    ] {
        assert!(told.contains(expected), "{expected}\n{told}");
    }
    // Then what is in the files.
    let yaml: String = yaml
        .lines()
        .filter(|line| !line.contains("  b:") && !line.contains("  e:"))
        .map(|line| format!("{line}\n"))
        .collect();
    folder.write("gateway.yaml", &yaml.replace(", minVersion: 1.1", ""));
    let output = command.output().expect("runs");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    for expected in [
        "file mixed.key is not the key of the certificate in file mixed.crt",
        "file empty.crt has no certificate in PEM format",
        "missing.key cannot be read",
        "environment variable TLS_KEY_NEVER_SET is not set",
    ] {
        assert!(told.contains(expected), "{expected}\n{told}");
    }
    // A key from the environment, and a certificate that has expired: served, but not in silence.
    let old = authority.expired(&["a.test"]);
    let config = folder.write(
        "gateway.yaml",
        &format!(
            "listeners: {{a: {{bind: \"127.0.0.1:0\", tls: {{cert: {{file: {}}}, key: {{env: TLS_KEY}}}}}}}}\nconsumers: {{file: {}}}\nadmin: {{key: {{env: TEST_ADMIN_KEY}}}}\n",
            folder.write("old.crt", &old.cert),
            concat!(env!("CARGO_MANIFEST_DIR"), "/consumers.yaml")
        ),
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway-tests"));
    command.args(["--config", &config, "check"]).env("TLS_KEY", &old.key);
    support::secrets(&mut command);
    let output = command.output().expect("runs");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() && told.contains("expired on 2020-01-01T00:00:00Z; clients will not trust it"),
        "{told}"
    );
}

#[test]
fn plain_requests_are_sent_to_known_hosts_only() {
    let (folder, upstream) = (Folder::new(), Upstream::echo());
    let (plain, authority) = (Gateway::start(&[], upstream.address), Authority::new());
    assert!(plain.started().contains("API payments: it is for HTTPS only, and no request can come over TLS"));
    let ask = |gateway: &Gateway, method: &str, target: &str, headers: &str| {
        let mut connection = gateway.connect();
        connection.send(format!("{method} {target} HTTP/1.1\r\n{headers}\r\n"));
        let response = connection.response(method == "HEAD");
        (response.status, response.header("location"))
    };
    let to = |status: u16, location: &str| (status, location.to_owned());
    for (method, target, headers, expected) in [
        ("GET", "/payments/rates", "Host: payments.example\r\n", to(301, "https://payments.example/payments/rates")),
        ("HEAD", "/payments/rates", "Host: payments.example\r\n", to(301, "https://payments.example/payments/rates")),
        (
            "POST",
            "/payments/transfers?a=b&c",
            "Host: payments.example:80\r\nContent-Length: 0\r\n",
            to(308, "https://payments.example/payments/transfers?a=b&c"),
        ),
        ("GET", "/payments/rates?", "Host: LOCALHOST:8080\r\n", to(301, "https://localhost:8443/payments/rates?")),
        // Before the method, the credential, and everything else.
        ("DELETE", "/payments/rates", "Host: payments.example\r\n", to(308, "https://payments.example/payments/rates")),
        (
            "OPTIONS",
            "/payments/rates",
            "Host: payments.example\r\n",
            to(308, "https://payments.example/payments/rates"),
        ),
        (
            "GET",
            "/payments/transfers",
            "Host: payments.example\r\nX-API-Key: wrong\r\n",
            to(301, "https://payments.example/payments/transfers"),
        ),
        // Fields of an untrusted client are ignored.
        (
            "GET",
            "/payments/rates",
            "Host: payments.example\r\nX-Forwarded-Proto: https\r\n",
            to(301, "https://payments.example/payments/rates"),
        ),
        (
            "GET",
            "/payments/rates",
            "Host: payments.example\r\nX-Forwarded-Host: evil.test\r\nForwarded: proto=https\r\n",
            to(301, "https://payments.example/payments/rates"),
        ),
        ("GET", "/payments/rates", "Host: evil.test\r\n", to(421, "")),
        ("GET", "/payments/rates", "Host: evil.test:443\r\n", to(421, "")),
        ("GET", "/payments/rates", "Host: payments.example.evil.test\r\n", to(421, "")),
        ("GET", "/payments/rates", "Host: evil.test#payments.example\r\n", to(400, "")),
        ("GET", "/payments/rates", "Host: payments.example/@evil.test\r\n", to(400, "")),
        ("GET", "/payments/rates", "Host: a@payments.example\r\n", to(400, "")),
        ("GET", "/payments/rates", "Host: payments.example\r\nHost: evil.test\r\n", to(400, "")),
        ("GET", "/payments/rates", "Host:\r\n", to(301, "https://localhost:8443/payments/rates")),
        ("GET", "http://evil.test/payments/rates", "Host: payments.example\r\n", to(421, "")),
        (
            "GET",
            "https://payments.example/payments/rates",
            "Host: evil.test\r\n",
            to(301, "https://payments.example/payments/rates"),
        ),
        ("GET", "//evil.test/payments/rates", "Host: payments.example\r\n", to(404, "")),
        // Elsewhere on this listener, plain HTTP is served.
        ("GET", "/payments/other", "Host: payments.example\r\n", to(404, "")),
        ("GET", "/v1/health", "Host: payments.example\r\n", to(200, "")),
    ] {
        assert_eq!(ask(&plain, method, target, headers), expected, "{method} {target} {headers}");
    }
    assert_eq!(
        plain.raw("GET /payments/rates HTTP/1.0\r\n\r\n").lines().nth(3),
        Some("Location: https://localhost:8443/payments/rates")
    );
    let response = plain.get("/payments/rates", "");
    assert_eq!((response.status, response.header("strict-transport-security")), (421, String::new()));
    // A proxy that is trusted, a host of this deployment's own, and a listener where everything is HTTPS only.
    let settings = [
        "trustedProxies=[127.0.0.1]",
        "origins.payments=https://staging.example:444",
        "listeners.test.apis=[payments]",
    ];
    let trusting = Gateway::start(&settings, upstream.address);
    let response = trusting.get("/payments/rates", "X-Forwarded-Proto: https\r\n");
    assert_eq!(response.status, 200);
    assert_eq!(response.header("strict-transport-security"), "max-age=15552000; includeSubDomains");
    assert_eq!(ask(&trusting, "GET", "/", "Host: staging.example\r\n"), to(301, "https://staging.example:444/"));
    assert_eq!(
        ask(&trusting, "PUT", "/a//b", "Host: staging.example\r\n"),
        to(308, "https://staging.example:444/a//b")
    );
    assert_eq!(ask(&trusting, "GET", "/", "Host: payments.example\r\n"), to(421, ""));
    assert_eq!(ask(&trusting, "GET", "/", "Host: staging.example\r\nX-Forwarded-Proto: https\r\n"), to(404, ""));
    // Over TLS there is nothing to redirect, and refusals say so as well.
    let settings = authority.server(&[NAME]).at(&folder, "tls");
    let gateway = start(&settings, &upstream);
    let config = client(&[&authority], None);
    for (target, status) in [("/payments/rates", "200"), ("/payments/transfers", "401")] {
        let answer = get(gateway.address, NAME, &config, target).expect("an answer");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert_eq!(
            answer.matches("\r\nStrict-Transport-Security: max-age=15552000; includeSubDomains\r\n").count(),
            1,
            "{answer}"
        );
    }
    let other = get(gateway.address, NAME, &config, "/v1/health").expect("an answer");
    assert!(!other.contains("Strict-Transport"), "{other}");
}

#[test]
fn certificates_of_upstreams_are_verified() {
    let (folder, plain) = (Folder::new(), Upstream::echo());
    let (authority, other) = (Authority::new(), Authority::new());
    let roots = format!("trustedRoots.file={}", folder.write("ca.pem", &authority.pem));
    let good = TlsUpstream::start(&authority.server(&["localhost"]));
    let gateway_before = |upstream: SocketAddr, host: &str| {
        let url = format!("upstreams.notes.default=https://{host}:{}", upstream.port());
        Gateway::start(&[&roots, &url, "workers=1"], plain.address)
    };
    let gateway = gateway_before(good.address, "localhost");
    for body in ["a".to_owned(), "0123456789abcdef".repeat(1 << 15), String::new()] {
        let response = gateway.request("POST", "/v1/login", &format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        assert_eq!(response.status, 200);
        assert_eq!(response.body.len(), body.len());
    }
    assert_eq!(good.connections.load(Relaxed), 1, "the connection is kept");
    for (upstream, host, detail) in [
        (TlsUpstream::start(&other.server(&["localhost"])).address, "localhost", "not of a trusted authority"),
        (TlsUpstream::start(&authority.server(&["other.test"])).address, "localhost", "for another name"),
        (good.address, "127.0.0.1", "for another name"),
        (TlsUpstream::start(&authority.expired(&["localhost"])).address, "localhost", "has expired"),
        (answers_anything(b""), "localhost", "closed the connection during the handshake"),
        (answers_anything(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), "localhost", "does not speak TLS"),
    ] {
        let gateway = gateway_before(upstream, host);
        let response = gateway.get("/v1/health", "");
        assert_eq!((response.status, &*response.body), (502, "{\"message\":\"Bad gateway\"}"), "{detail}");
        let line = gateway.log_line(|line| line["reject"] == "upstream-untrusted");
        assert!(line["detail"].as_str().is_some_and(|told| told.ends_with(detail)), "{detail}: {line}");
        assert_eq!(line["side"], "upstream");
    }
    // By its address, if that is in the certificate.
    let by_address = TlsUpstream::start(&authority.server(&["127.0.0.1"]));
    assert_eq!(gateway_before(by_address.address, "127.0.0.1").get("/v1/health", "").status, 200);
}

#[test]
fn a_certificate_that_is_trusted_itself_does() {
    let (folder, plain) = (Folder::new(), Upstream::echo());
    let (trusted, other) = (Authority::self_signed(&["localhost"]), Authority::self_signed(&["localhost"]));
    let named_otherwise = Authority::self_signed(&["other.test"]);
    let roots = [&trusted, &named_otherwise].map(|pair| pair.cert.clone()).concat();
    let roots = format!("trustedRoots.file={}", folder.write("roots.pem", &roots));
    let gateway_before = |pair: &Pair| {
        let upstream = TlsUpstream::start(pair);
        let url = format!("upstreams.notes.default=https://localhost:{}", upstream.address.port());
        Gateway::start(&[&roots, &url, "workers=1"], plain.address)
    };
    assert_eq!(gateway_before(&trusted).get("/v1/health", "").status, 200);
    for (pair, detail) in [(&other, "CA:FALSE"), (&named_otherwise, "for another name")] {
        let gateway = gateway_before(pair);
        assert_eq!(gateway.get("/v1/health", "").status, 502);
        let line = gateway.log_line(|line| line["reject"] == "upstream-untrusted");
        assert!(line["detail"].as_str().is_some_and(|told| told.contains(detail)), "{detail}: {line}");
    }
}

#[test]
fn upstreams_agree_on_http2_inside_tls() {
    let (folder, upstream, authority) = (Folder::new(), Upstream::echo(), Authority::new());
    let roots = format!("trustedRoots.file={}", folder.write("ca.pem", &authority.pem));
    // A gateway before a gateway: the one behind speaks both, by agreement.
    let behind = start(&authority.server(&["localhost"]).at(&folder, "tls"), &upstream);
    let url = format!("upstreams.notes.default=h2://localhost:{}", behind.address.port());
    let gateway = Gateway::start(&[&roots, &url, "workers=1"], upstream.address);
    for _ in 0..3 {
        let seen = gateway.get("/v1/health", "");
        assert_eq!(seen.status, 404, "the path behind has no base path: {}", seen.head);
        assert!(seen.header("x-request-id").len() == 32);
    }
    behind.log_line(|line| line["path"] == "/health" && line["status"] == 404);
    let metrics = behind.operations("/metrics").body;
    assert!(metrics.contains("gateway_tls_handshakes_total 1"), "one connection carries all: {metrics}");
    // One that speaks TLS, but not HTTP/2.
    let only_http1 = TlsUpstream::start(&authority.server(&["localhost"]));
    let url = format!("upstreams.notes.default=h2://localhost:{}", only_http1.address.port());
    let gateway = Gateway::start(&[&roots, &url], upstream.address);
    assert_eq!(gateway.get("/v1/health", "").status, 502);
    let line = gateway.log_line(|line| line["reject"] == "upstream-untrusted");
    assert!(line["detail"].as_str().is_some_and(|told| told.ends_with("it does not speak HTTP/2")), "{line}");
}

/// A server that says the same to whatever it gets, and closes.
fn answers_anything(answer: &'static [u8]) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer);
        }
    });
    address
}

#[test]
fn a_slow_reader_gets_all_of_it() {
    let (folder, upstream) = (Folder::new(), Upstream::echo());
    let (authority, length) = (Authority::new(), 6 << 20);
    let mut settings = authority.server(&[NAME]).at(&folder, "tls").to_vec();
    let behind = TlsUpstream::start(&authority.server(&["localhost"]));
    settings.push(format!("trustedRoots.file={}", folder.write("ca.pem", &authority.pem)));
    settings.push(format!("upstreams.notes.default=https://localhost:{}", behind.address.port()));
    let gateway = start(&settings, &upstream);
    let config = client(&[&authority], None);
    let mut connection = connect(gateway.address, NAME, &config).expect("connects");
    for _ in 0..2 {
        write!(connection, "GET /v1/health?{length} HTTP/1.1\r\nHost: {NAME}\r\n\r\n").expect("sent");
        connection.flush().expect("sent");
        // Long enough for all buffers on the way to be full.
        std::thread::sleep(Duration::from_millis(300));
        let (mut received, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
        while !received.windows(4).take(1024).any(|window| window == b"\r\n\r\n") || received.len() < length {
            let count = connection.read(&mut buffer).expect("more");
            received.extend_from_slice(&buffer[..count]);
        }
        let head = received.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
        while received.len() < head + length {
            let count = connection.read(&mut buffer).expect("the rest");
            received.extend_from_slice(&buffer[..count]);
        }
    }
}

#[test]
fn a_client_that_takes_nothing_is_not_the_upstreams_fault() {
    let upstream = Upstream::start(|_, connection| {
        connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 64 << 20));
        let block = vec![b'x'; 1 << 20];
        (0..64).all(|_| connection.stream.write_all(&block).is_ok())
    });
    let folder = Folder::new();
    let (gateway, authority) = simple(&folder, &[], &upstream);
    let mut connection = connect(gateway.address, NAME, &client(&[&authority], None)).expect("agrees");
    // The document gives those who take nothing 2 s.
    connection.write_all(b"GET /thumbnails/a.png HTTP/1.1\r\nHost: a\r\n\r\n").expect("sent");
    connection.flush().expect("sent");
    let line = gateway.log_line(|line| line["operation"] == "thumbnail");
    assert!(line["status"] == 200 && line.get("side").is_none(), "{line}");
}
