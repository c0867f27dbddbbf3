//! Client certificates: which are accepted, and what the upstream gets.

#[path = "../../support/pki.rs"]
mod pki;
#[path = "../../support/mod.rs"]
mod support;

use std::net::SocketAddr;
use std::process::Command;

use pki::{Authority, Folder, Pair, client, connect, exchange};
use support::{Gateway, Upstream, eventually};

const NAME: &str = "partners.example";

fn fingerprint(pair: &Pair) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &pair.der);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn command(arguments: &[String]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway-providers"));
    support::usual_settings(&mut command);
    for setting in ["listeners.test.apis=[partners]", "insecureLiterals=true"]
        .into_iter()
        .chain(arguments.iter().map(String::as_str))
    {
        command.args(["--set", setting]);
    }
    command
}

struct Scene {
    folder: Folder,
    gateway: Gateway,
    servers: Authority,
    clients: Authority,
}

impl Scene {
    fn new(upstream: &Upstream, consumers: impl FnOnce(&Authority) -> String) -> Self {
        let (folder, servers, clients) = (Folder::new(), Authority::new(), Authority::new());
        let mut settings = servers.server(&[NAME]).at(&folder, "tls").to_vec();
        settings.push(format!("listeners.test.tls.clientAuth.ca.file={}", folder.write("clients.pem", &clients.pem)));
        settings.push(format!("consumers.file={}", folder.write("consumers.yaml", &consumers(&clients))));
        settings.push(format!("upstreams.partners.default=http://{}", upstream.address));
        let gateway = Gateway::launch(command(&settings));
        Self { folder, gateway, servers, clients }
    }

    fn get(&self, own: Option<&Pair>, target: &str, headers: &str) -> std::io::Result<String> {
        get(self.gateway.address, &self.servers, own, target, headers)
    }
}

fn get(
    address: SocketAddr,
    servers: &Authority,
    own: Option<&Pair>,
    target: &str,
    headers: &str,
) -> std::io::Result<String> {
    let mut connection = connect(address, NAME, &client(&[servers], own))?;
    exchange(&mut connection, &format!("GET /partners{target} HTTP/1.1\r\nHost: {NAME}\r\n{headers}\r\n"))
}

fn status(answer: &std::io::Result<String>) -> Option<u16> {
    answer.as_ref().ok()?.split(' ').nth(1)?.parse().ok()
}

#[test]
fn stored_responses_are_separate_for_each_certificate() {
    let upstream = Upstream::echo();
    let scene = Scene::new(&upstream, |_| {
        "consumers: [{username: bank, credentials: [{type: key, key: {value: bank-key}}]}]\n".to_owned()
    });
    let [one, other] = ["one", "other"].map(|name| scene.clients.client(&format!("spiffe://partners.example/{name}")));
    // None of them is a consumer's: the key admits, and the upstream sees the certificate all the same.
    let answers = [Some(&one), Some(&other), None].map(|own| {
        let get = || scene.get(own, "/kept", "X-API-Key: bank-key\r\n").expect("an answer");
        let (first, second) = (get(), get());
        assert!(first.contains("Cache-Status: gateway; fwd=uri-miss; stored"), "{first}");
        assert!(second.contains("Cache-Status: gateway; hit"), "{second}");
        assert_eq!(second.contains("x-client-cert-fingerprint"), own.is_some(), "{second}");
        second
    });
    assert!(answers[0].contains(&fingerprint(&one)) && answers[1].contains(&fingerprint(&other)), "{answers:?}");
}

#[test]
fn certificates_name_consumers() {
    let upstream = Upstream::echo();
    let mut by_print = None;
    let scene = Scene::new(&upstream, |clients| {
        let pair = clients.client("spiffe://partners.example/by-print");
        let print = fingerprint(&pair).to_uppercase();
        by_print = Some(pair);
        format!(
            "consumers:\n\
             - {{username: shop, roles: [auditor], credentials: [{{id: cert-1, type: certificate, san: \"URI:spiffe://partners.example/shop\"}}, {{type: key, key: {{value: shop-key}}}}]}}\n\
             - {{username: bank, credentials: [{{type: certificate, fingerprint: \"{print}\"}}, {{type: key, key: {{value: bank-key}}}}]}}\n\
             - {{username: host, credentials: [{{type: certificate, san: \"DNS:Host.Example\"}}]}}\n"
        )
    });
    let shop = scene.clients.client("spiffe://partners.example/shop");
    let bank = by_print.expect("made");
    let host = scene.clients.sign(&["host.example"], |_| {});
    let nobody = scene.clients.client("spiffe://partners.example/nobody");
    let two = scene.clients.sign(&["host.example"], |params| {
        let uri = rcgen::string::Ia5String::try_from("spiffe://partners.example/shop").expect("ASCII");
        params.subject_alt_names.push(rcgen::SanType::URI(uri));
    });
    let lies = "X-Client-Cert-Subject: CN=root\r\nX_Client_Cert_Fingerprint: 00\r\nX-Consumer-Username: root\r\n";
    for (own, target, headers, expected) in [
        (None, "/public", "", 200),
        (None, "/orders", "", 401),
        (Some(&shop), "/orders", lies, 200),
        (Some(&bank), "/orders", "", 200),
        (Some(&host), "/orders", "", 200),
        // Of a known authority, and of no known consumer; of two at once.
        (Some(&nobody), "/orders", "", 401),
        (Some(&two), "/orders", "", 401),
        (Some(&shop), "/audit", "", 200),
        (Some(&bank), "/audit", "", 403),
        (None, "/either", "X-API-Key: bank-key\r\n", 200),
        (Some(&shop), "/either", "", 200),
        // Both, of the same consumer.
        (Some(&shop), "/both", "X-API-Key: shop-key\r\n", 200),
        (Some(&shop), "/both", "X-API-Key: bank-key\r\n", 401),
        (Some(&shop), "/both", "", 401),
        (None, "/both", "X-API-Key: shop-key\r\n", 401),
        (None, "/perhaps", "", 200),
        (Some(&nobody), "/perhaps", "", 401),
    ] {
        let answer = scene.get(own, target, headers);
        assert_eq!(status(&answer), Some(expected), "{target} {headers} {answer:?}");
    }
    let seen = |answer: std::io::Result<String>| -> serde_json::Value {
        let answer = answer.expect("an answer");
        serde_json::from_str(answer.split_once("\r\n\r\n").expect("a body").1).expect("JSON")
    };
    let headers = &seen(scene.get(Some(&shop), "/orders", lies))["headers"];
    assert_eq!(headers["x-client-cert-subject"], "CN=A client\\, of the tests");
    assert_eq!(headers["x-client-cert-fingerprint"], fingerprint(&shop).as_str());
    assert_eq!(
        (&headers["x-consumer-username"], &headers["x-credential-identifier"]),
        (&"shop".into(), &"cert-1".into())
    );
    // Where no certificate was requested, the upstream gets none; and what a client says is ignored.
    for (own, target) in [(Some(&shop), "/public"), (None, "/public"), (None, "/perhaps")] {
        let headers = seen(scene.get(own, target, lies))["headers"].clone();
        assert!(
            headers.as_object().is_some_and(|headers| !headers.keys().any(|name| name.contains("cert"))),
            "{headers}"
        );
    }
    let missing = scene.get(None, "/orders", "").expect("an answer");
    assert!(missing.contains("\r\nWWW-Authenticate: ClientCertificate realm=\"partner\"\r\n"), "{missing}");
    // Of another authority, or out of date: no handshake at all, whatever is asked for.
    let strangers = [
        Authority::new().client("spiffe://partners.example/shop"),
        scene.clients.expired(&["host.example"]),
        scene.servers.client("spiffe://partners.example/shop"),
    ];
    for own in &strangers {
        let answer = scene.get(Some(own), "/public", "");
        assert!(answer.is_err(), "{answer:?}");
    }
    // A session goes on with its certificate, and its consumer may be gone by then.
    let config = client(&[&scene.servers], Some(&shop));
    for expected in [rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed] {
        let mut connection = connect(scene.gateway.address, NAME, &config).expect("connects");
        let answer = exchange(&mut connection, &format!("GET /partners/orders HTTP/1.1\r\nHost: {NAME}\r\n\r\n"));
        assert_eq!((status(&answer), connection.conn.handshake_kind()), (Some(200), Some(expected)));
    }
    scene.folder.write("consumers.yaml", "consumers: []\n");
    eventually("the consumer to be gone", || {
        let mut connection = connect(scene.gateway.address, NAME, &config).expect("connects");
        let answer = exchange(&mut connection, &format!("GET /partners/orders HTTP/1.1\r\nHost: {NAME}\r\n\r\n"));
        (status(&answer) == Some(401)).then_some(())
    });
    // An authority that is trusted no more takes its sessions along.
    scene.folder.write("clients.pem", &Authority::new().pem);
    eventually("the authority to be gone", || connect_and_ask(&scene, &config).is_err().then_some(()));
}

fn connect_and_ask(scene: &Scene, config: &std::sync::Arc<rustls::ClientConfig>) -> std::io::Result<String> {
    let mut connection = connect(scene.gateway.address, NAME, config)?;
    exchange(&mut connection, &format!("GET /partners/public HTTP/1.1\r\nHost: {NAME}\r\n\r\n"))
}

#[test]
fn a_gateway_without_a_listener_for_client_certificates_does_not_start() {
    let folder = Folder::new();
    let (servers, consumers) = (Authority::new(), folder.write("consumers.yaml", "consumers: []\n"));
    let mut settings = servers.server(&[NAME]).at(&folder, "tls").to_vec();
    settings.push(format!("consumers.file={consumers}"));
    let told = |settings: &[String]| {
        let output = command(settings).arg("check").output().expect("runs");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (ok, text) = told(&settings);
    assert!(
        !ok && text.contains("security scheme `partner` of")
            && text.contains("asks for client certificates; write `tls: {clientAuth:"),
        "{text}"
    );
    settings.push(format!("listeners.test.tls.clientAuth.ca.file={}", folder.write("empty.pem", "nothing\n")));
    let (ok, text) = told(&settings);
    assert!(!ok && text.contains("has no certificate in PEM format"), "{text}");
    for (credential, expected) in [
        ("{type: certificate}", "known by its `san` or by its `fingerprint`"),
        ("{type: certificate, san: \"DNS:a\", fingerprint: \"00\"}", "known by its `san` or by its `fingerprint`"),
        ("{type: certificate, san: a.example}", "`san` begins with `DNS:`"),
        ("{type: certificate, san: \"IP:a\"}", "`san` begins with `DNS:`"),
        ("{type: certificate, fingerprint: \"00\"}", "64 hexadecimal digits"),
        (
            "{type: certificate, san: \"DNS:a\"}, {type: certificate, san: \"DNS:A\"}",
            "duplicate san of certificate credentials",
        ),
    ] {
        folder.write("consumers.yaml", &format!("consumers: [{{username: a, credentials: [{credential}]}}]\n"));
        let (ok, text) = told(&settings);
        assert!(!ok && text.contains(expected), "{credential}: {text}");
    }
}
