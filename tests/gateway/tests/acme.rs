//! Certificates from an authority that issues them automatically: Pebble, which Let's Encrypt tests clients with.

#[path = "../../support/pki.rs"]
mod pki;
#[path = "../../support/mod.rs"]
mod support;

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use pki::{Authority, Folder};
use support::{Gateway, ReservedPort, Upstream, eventually};

const NAME: &str = "gateway.test";

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running authority.
struct Pebble {
    directory: String,
    management: SocketAddr,
    _processes: [Killed; 2],
    _ports: [ReservedPort; 4],
}

impl Pebble {
    /// It looks for proofs at `gateway`, whatever the domain; `None` where it is not installed.
    fn start(folder: &Folder, pair: &pki::Pair, gateway: SocketAddr) -> Option<Self> {
        let is_there = |program: &str| Command::new(program).arg("-h").output().is_ok();
        if !is_there("pebble") || !is_there("pebble-challtestsrv") {
            assert!(std::env::var_os("GATEWAY_TEST_REQUIRE_SERVICES").is_none(), "pebble is not installed");
            eprintln!("skipped: pebble is not installed");
            return None;
        }
        let ports = [(); 4].map(|()| ReservedPort::new());
        let [listen, management, dns, other] = ports.each_ref().map(|port| port.address);
        let config = serde_json::json!({"pebble": {
            "listenAddress": listen.to_string(), "managementListenAddress": management.to_string(),
            "certificate": folder.write("pebble.crt", &pair.cert), "privateKey": folder.write("pebble.key", &pair.key),
            "httpPort": 1, "tlsPort": gateway.port(), "externalAccountBindingRequired": false,
        }});
        let config = folder.write("pebble.json", &config.to_string());
        let quiet = |command: &mut Command| {
            Killed(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts"))
        };
        let names = quiet(Command::new("pebble-challtestsrv").args([
            "-defaultIPv4",
            "127.0.0.1",
            "-defaultIPv6",
            "",
            "-dns01",
            &dns.to_string(),
            "-http01",
            "",
            "-https01",
            "",
            "-tlsalpn01",
            "",
            "-management",
            &other.to_string(),
        ]));
        let authority = quiet(
            Command::new("pebble")
                .args(["-config", &config, "-dnsserver", &dns.to_string()])
                .envs([("PEBBLE_VA_NOSLEEP", "1"), ("PEBBLE_WFE_NONCEREJECT", "5")]),
        );
        for address in [listen, management] {
            eventually("pebble", || std::net::TcpStream::connect(address).ok());
        }
        Some(Self {
            directory: format!("https://localhost:{}/dir", listen.port()),
            management,
            _processes: [names, authority],
            _ports: ports,
        })
    }

    /// The certificate that it signs with.
    fn root(&self) -> String {
        let url = format!("https://localhost:{}/roots/0", self.management.port());
        let output = Command::new("curl").args(["-sk", &url]).output().expect("curl runs");
        String::from_utf8(output.stdout).expect("PEM")
    }
}

/// What a client that trusts `root` gets: the status, or 0 if it does not trust the gateway.
fn status(gateway: &Gateway, folder: &Folder, root: &str) -> String {
    let root = folder.write("root.pem", root);
    let url = format!("https://{NAME}:{}/v1/health", gateway.address.port());
    let resolve = format!("{NAME}:{}:127.0.0.1", gateway.address.port());
    let output = Command::new("curl")
        .args(["-s", "--cacert", &root, "--resolve", &resolve, "-o", "/dev/null", "-w", "%{http_code}", &url])
        .output()
        .expect("curl runs");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn a_certificate_is_ordered_and_renewed_automatically() {
    let (folder, upstream, authority) = (Folder::new(), Upstream::echo(), Authority::new());
    let port = ReservedPort::new();
    let address = port.address;
    let Some(pebble) = Pebble::start(&folder, &authority.server(&["localhost"]), address) else { return };
    let kept = folder.path("acme");
    let settings = [
        format!("listeners.test.bind={address}"),
        format!("listeners.test.tls.acme.directory={}", pebble.directory),
        format!("listeners.test.tls.acme.domains=[{NAME}, www.{NAME}]"),
        format!("listeners.test.tls.acme.folder={}", kept.display()),
        "listeners.test.tls.acme.contact=[\"mailto:ops@gateway.test\"]".to_owned(),
        "listeners.test.tls.acme.termsOfServiceAgreed=true".to_owned(),
        format!("trustedRoots.file={}", folder.write("ca.pem", &authority.pem)),
    ];
    let start = || {
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        Gateway::start(&settings, upstream.address)
    };
    let gateway = start();
    let root = pebble.root();
    eventually("a certificate", || (status(&gateway, &folder, &root) == "200").then_some(()));
    for name in ["account.json", &format!("{NAME}.key"), &format!("{NAME}.crt")] {
        let mode = std::fs::metadata(kept.join(name)).expect("written").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let first = std::fs::read(kept.join(format!("{NAME}.crt"))).expect("a certificate");
    let account = std::fs::read(kept.join("account.json")).expect("an account");
    // No other client gets the authority's protocol.
    let told = Command::new("openssl")
        .args(["s_client", "-connect", &address.to_string(), "-servername", NAME, "-alpn", "acme-tls/1"])
        .stdin(Stdio::null())
        .output();
    if let Ok(output) = told {
        assert!(!String::from_utf8_lossy(&output.stdout).contains("-----BEGIN CERTIFICATE"), "{output:?}");
    }
    drop(gateway);
    // A valid certificate is kept: an order would come at once.
    let gateway = start();
    assert_eq!(status(&gateway, &folder, &root), "200");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(std::fs::read(kept.join(format!("{NAME}.crt"))).expect("a certificate"), first);
    drop(gateway);
    // What is old is not, and the account is the same.
    let old = authority.expired(&[NAME]);
    std::fs::write(kept.join(format!("{NAME}.crt")), &old.cert).expect("written");
    std::fs::write(kept.join(format!("{NAME}.key")), &old.key).expect("written");
    let gateway = start();
    eventually("a new certificate", || (status(&gateway, &folder, &root) == "200").then_some(()));
    assert_ne!(std::fs::read(kept.join(format!("{NAME}.crt"))).expect("a certificate"), first);
    assert_eq!(std::fs::read(kept.join("account.json")).expect("an account"), account);
}

#[test]
fn acme_failures_with_an_unread_standard_error_end_nothing() {
    for reader in support::Reader::ALL {
        let (folder, upstream) = (Folder::new(), Upstream::echo());
        // It accepts, and says nothing until the gateway has no reader any more.
        let authority = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let directory = format!("https://localhost:{}/dir", authority.local_addr().expect("bound").port());
        let settings = [
            format!("listeners.test.tls.acme.directory={directory}"),
            "listeners.test.tls.acme.domains=[gateway.test]".to_owned(),
            format!("listeners.test.tls.acme.folder={}", folder.path("acme").display()),
            "listeners.test.tls.acme.termsOfServiceAgreed=true".to_owned(),
        ];
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let gateway = Gateway::launch_before(Gateway::command(&settings, upstream.address), reader);
        drop(authority.accept().expect("the gateway asks"));
        // Time for the task to fail, were it to.
        std::thread::sleep(Duration::from_millis(300));
        let metrics = gateway.operations("/metrics").body;
        assert!(metrics.contains("gateway_task_restarts_total{task=\"acme\"} 0\n"), "{reader:?}: {metrics}");
        assert_eq!(gateway.operations("/readyz").status, 200, "{reader:?}");
    }
}

#[test]
fn without_an_acme_server_the_gateway_serves_and_reports_it() {
    let (folder, upstream) = (Folder::new(), Upstream::echo());
    let acme = |more: &[&str]| {
        let folder = format!("listeners.test.tls.acme.folder={}", folder.path("acme").display());
        let all = [
            "listeners.test.tls.acme.directory=https://localhost:1/dir",
            "listeners.test.tls.acme.domains=[gateway.test]",
        ];
        Gateway::command(&[&all[..], &[&*folder], more].concat(), upstream.address)
    };
    let gateway = Gateway::launch(acme(&["listeners.test.tls.acme.termsOfServiceAgreed=true"]));
    eventually("the reason", || {
        let told = gateway.messages();
        (told.contains("ACME: order for gateway.test") && told.contains("retrying in 60 s")).then_some(())
    });
    let url = format!("https://{}/v1/health", gateway.address);
    let output =
        Command::new("curl").args(["-sk", "-o", "/dev/null", "-w", "%{http_code}", &url]).output().expect("curl runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "200");
    assert!(!folder.path("acme").join("gateway.test.crt").exists(), "the stand-in is written nowhere");
    for (setting, told) in [
        ("listeners.test.tls.acme.termsOfServiceAgreed=false", "termsOfServiceAgreed: true"),
        ("listeners.test.tls.acme.domains=[\"*.gateway.test\"]", "which takes a proof in the DNS"),
        ("listeners.test.tls.acme.directory=http://localhost/dir", "a URL that begins with https://"),
    ] {
        let output = acme(&[setting]).arg("check").output().expect("runs");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains(told), "{setting}: {text}");
    }
}
