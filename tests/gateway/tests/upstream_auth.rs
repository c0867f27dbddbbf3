//! How the gateway proves to upstreams who it is, and that no client can say so in its place.

#[path = "../../support/pki.rs"]
mod pki;
#[path = "../../support/mod.rs"]
mod support;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use pki::{Authority, Folder, Pair, TlsUpstream};
use support::{Gateway, Upstream};

fn values<'h>(head: &'h str, name: &str) -> Vec<&'h str> {
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    fields.filter(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
}

#[test]
fn each_upstream_gets_its_credential_and_none_of_the_clients() {
    let upstream = Upstream::echo();
    let gateway = Gateway::before(&upstream);
    let forged =
        "Authorization: Bearer forged\r\nX-Api-Key: forged\r\nX_Api_Key: forged\r\nX_Partner_Token: forged\r\n";
    for (path, name, expected) in [
        ("/partners/bearer", "Authorization", "Bearer a token of the gateway"),
        ("/partners/basic", "Authorization", "Basic Z2F0ZXdheTpjb3JyZWN0IGhvcnNl"),
        ("/partners/keyed", "X-Api-Key", "a token of the gateway"),
        ("/partners/plain", "Authorization", "a token of the gateway"),
    ] {
        assert_eq!(gateway.get(path, forged).status, 200, "{path}");
        let heads = upstream.heads();
        let head = heads.last().expect("a request");
        assert_eq!(values(head, name), [expected], "{path}: {head}");
        assert!(name != "X-Api-Key" || values(head, "X_Api_Key").is_empty(), "{head}");
    }
    // Neither does a name that CGI takes for the same stand beside a secret of `requestHeaders`.
    let heads = upstream.heads();
    assert_eq!(values(&heads[3], "X-Partner-Token"), ["correct horse"]);
    assert!(!heads[3].contains("X_Partner_Token"), "{}", heads[3]);
    // The secret belongs to its upstream.
    let heads = upstream.heads();
    assert!(!heads[2].contains("Authorization: Bearer a token"), "{}", heads[2]);
    assert_eq!((values(&heads[3], "X-Plan"), values(&heads[3], "X-More")), (vec!["gold"], vec!["1"]));
    let log = gateway.log() + &gateway.messages();
    assert!(!log.contains("token of the gateway") && !log.contains("correct horse"), "{log}");
}

#[test]
fn a_trailer_does_not_bring_a_credential() {
    let upstream = Upstream::echo();
    let gateway = Gateway::before(&upstream);
    let sent = "GET /partners/keyed HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n\
                1\r\na\r\n0\r\nX-Api-Key: forged\r\n\r\n";
    let answer = gateway.raw(sent);
    assert!(answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(!answer.contains("forged"), "{answer}");
}

/// What a request was signed as, and its signature, if all of it belongs to the head.
fn signature(head: &str) -> String {
    let [authorization] = values(head, "Authorization")[..] else { panic!("one credential: {head}") };
    let (start, signature) = authorization.rsplit_once(", Signature=").expect("a signature");
    let day = &values(head, "X-Amz-Date")[0][..8];
    assert_eq!(
        start,
        format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{day}/eu-central-1/execute-api/aws4_request, \
             SignedHeaders=host;x-amz-content-sha256;x-amz-date"
        )
    );
    signature.to_owned()
}

#[test]
fn requests_are_signed_with_their_content() {
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let failing = Arc::new(AtomicU16::new(0));
    let left = Arc::clone(&failing);
    let upstream = Upstream::start(move |head, connection| {
        let body = support::read_body(head, connection);
        let status = if left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() { 503 } else { 200 };
        connection.send(format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
        true
    });
    let gateway = Gateway::before(&upstream);
    let forged =
        "Authorization: AWS4-HMAC-SHA256 forged\r\nX-Amz-Date: 20000101T000000Z\r\nX-Amz-Security-Token: f\r\n";
    assert_eq!(gateway.get("/partners/signed/a%20b?b=2&a=1", forged).status, 200);
    let sent = gateway.request("PUT", "/partners/signed/x", "Content-Length: 3\r\n\r\nabc");
    assert_eq!((sent.status, &*sent.body), (200, "abc"));
    let chunked = "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n";
    assert_eq!(gateway.request("PUT", "/partners/signed/x", chunked).status, 200);
    let heads = upstream.heads();
    for (head, digest) in heads.iter().zip([EMPTY, ABC, ABC]) {
        assert_eq!(values(head, "X-Amz-Content-Sha256"), [digest], "{head}");
        assert!(values(head, "X-Amz-Security-Token").is_empty() && values(head, "X-Amz-Date").len() == 1, "{head}");
        signature(head);
    }
    // A try that is repeated is signed anew, and says its number once.
    failing.store(1, Relaxed);
    assert_eq!(gateway.get("/partners/signed/again", "").status, 200);
    let heads = upstream.heads();
    let [first, second] = &heads[3..] else { panic!("two tries: {heads:?}") };
    assert_eq!([values(first, "X-Gateway-Attempt"), values(second, "X-Gateway-Attempt")], [["1"], ["2"]]);
    signature(first);
    signature(second);
    // More than can be held is refused before any of it is sent.
    let large = gateway.request("PUT", "/partners/signed/x", "Content-Length: 16777217\r\n\r\n");
    assert_eq!(large.status, 413);
    assert_eq!(upstream.heads().len(), 5);
}

/// An authorization server that gives tokens which hold for so many seconds; counts those it gave.
fn authorization_server(life: u32, statuses: Arc<AtomicU16>) -> (Upstream, Arc<AtomicU32>) {
    let given = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&given);
    let server = Upstream::start(move |head, connection| {
        let body = support::read_body(head, connection);
        assert_eq!(body, "grant_type=client_credentials&scope=read+write&audience=partners");
        assert_eq!(values(head, "authorization"), ["Basic dGhlK2dhdGV3YXk6Y29ycmVjdCtob3JzZQ=="], "{head}");
        std::thread::sleep(Duration::from_millis(100));
        let status = statuses.load(Relaxed);
        let number = count.fetch_add(1, Relaxed) + 1;
        let token = format!("{{\"access_token\":\"token-{number}\",\"token_type\":\"Bearer\",\"expires_in\":{life}}}");
        connection.send(format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n\r\n{token}", token.len()));
        false
    });
    (server, given)
}

#[test]
fn a_token_is_fetched_once_for_all_and_anew_before_its_end() {
    let upstream = Upstream::echo();
    let (server, given) = authorization_server(3, Arc::new(AtomicU16::new(200)));
    let url = format!("providers.partners.tokens=http://{}/token", server.address);
    let gateway = Gateway::start(&[&url], upstream.address);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let answer = gateway.get("/partners/tokens", "Authorization: Bearer forged\r\n");
                assert_eq!(answer.status, 200);
            });
        }
    });
    assert_eq!(given.load(Relaxed), 1);
    assert!(upstream.heads().iter().all(|head| values(head, "Authorization") == ["Bearer token-1"]));
    // It is fetched anew beside the requests, while it still holds.
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(gateway.get("/partners/tokens", "").status, 200);
    assert_eq!(values(upstream.heads().last().expect("a request"), "Authorization"), ["Bearer token-1"]);
    support::eventually("the next token", || {
        assert_eq!(gateway.get("/partners/tokens", "").status, 200);
        (values(upstream.heads().last()?, "Authorization") == ["Bearer token-2"]).then_some(())
    });
    assert_eq!(given.load(Relaxed), 2);
    assert!(!(gateway.log() + &gateway.messages()).contains("token-"));
}

#[test]
fn without_a_token_nothing_is_sent() {
    let (upstream, statuses) = (Upstream::echo(), Arc::new(AtomicU16::new(500)));
    let (server, given) = authorization_server(60, Arc::clone(&statuses));
    let url = format!("providers.partners.tokens=http://{}/token", server.address);
    let gateway = Gateway::start(&[&url], upstream.address);
    for _ in 0..20 {
        let refused = gateway.get("/partners/tokens", "");
        assert_eq!((refused.status, refused.header("retry-after")), (503, "1".to_owned()));
    }
    assert!(given.load(Relaxed) <= 3, "a server that fails is not asked for each request: {given:?}");
    assert!(upstream.heads().is_empty());
    let line = gateway.log_line(|line| line["reject"] == "upstream-credential");
    assert_eq!(line["side"], "internal");
    assert!(gateway.messages().contains("it answered 500"), "{}", gateway.messages());
    statuses.store(200, Relaxed);
    support::eventually("a token", || (gateway.get("/partners/tokens", "").status == 200).then_some(()));
}

#[test]
fn copies_carry_what_their_own_upstream_asks_for() {
    let upstream = Upstream::echo();
    let (server, _) = authorization_server(60, Arc::new(AtomicU16::new(200)));
    let url = format!("providers.partners.tokens=http://{}/token", server.address);
    let gateway = Gateway::start(&[&url], upstream.address);
    let is_copy = |head: &&String| head.contains("X-Gateway-Mirror: true\r\n");
    let sent = gateway.request("POST", "/partners/copied", "Content-Length: 3\r\n\r\nabc");
    assert_eq!(sent.status, 200);
    let heads = support::eventually("the copy", || Some(upstream.heads()).filter(|heads| heads.len() == 2));
    let copy = heads.iter().find(is_copy).expect("a copy");
    assert_eq!(values(copy, "X-Api-Key"), ["a token of the gateway"]);
    assert!(values(copy, "Authorization").is_empty(), "the secret of the other upstream: {copy}");
    // A version of the service that asks for signatures, and a copy with a token.
    assert_eq!(gateway.get("/partners/copied", "X-Sign: 1\r\n").status, 200);
    let heads = support::eventually("the copy", || Some(upstream.heads()).filter(|heads| heads.len() == 4));
    let (copies, requests): (Vec<&String>, Vec<&String>) = heads[2..].iter().partition(is_copy);
    signature(requests[0]);
    assert_eq!(values(copies[0], "Authorization"), ["Bearer token-1"]);
}

#[test]
fn missing_upstream_credentials_are_reported_at_start() {
    let upstream = Upstream::echo();
    let mut command = Gateway::command(&[], upstream.address);
    command.env_remove("TEST_PARTNER_TOKEN").env("TEST_AWS_KEY_ID", "two words").arg("check");
    let told = String::from_utf8(command.output().expect("it runs").stderr).expect("text");
    for expected in [
        "`upstreamAuth` of upstream `bearer` of API `partners`: environment variable TEST_PARTNER_TOKEN is not set",
        "`upstreamAuth` of upstream `keyed` of API `partners`",
        "`upstreamAuth` of upstream `signed` of API `partners`: the secret for `accessKey` is not one of AWS",
        "operation `plain` of",
    ] {
        assert!(told.contains(expected), "{expected}\n{told}");
    }
    let mut command = Gateway::command(&["providers.partners.keyed=https://a.example"], upstream.address);
    let told = String::from_utf8(command.arg("check").output().expect("it runs").stderr).expect("text");
    assert!(told.contains("no scheme or upstream `keyed` that asks a provider"), "{told}");
    let mut command = Gateway::command(&[], upstream.address);
    command.env("TEST_PARTNER_TOKEN", "two\r\nX-Lines: 1").arg("check");
    let told = String::from_utf8(command.output().expect("it runs").stderr).expect("text");
    assert!(told.contains("cannot be sent in a header field") && !told.contains("X-Lines"), "{told}");
}

const SHOWN: &str = "openapi: 3.1.0
info: {title: Shown, version: '1'}
x-gateway:
  version: 1
  upstream:
    url: 'https://localhost:PORT'
    upstreamAuth: {certificate: {chain: {file: client.crt}, key: {file: client.key}}}
    health: {path: /, every: 200ms}
security: []
paths: {/shown: {get: {}}}
";

/// A gateway that shows this certificate to this upstream.
fn showing(pair: &Pair, authority: &Authority, upstream: &TlsUpstream, folder: &Folder) -> Command {
    folder.write("specs/shown.yaml", &SHOWN.replace("PORT", &upstream.address.port().to_string()));
    folder.write("client.crt", &pair.cert);
    folder.write("client.key", &pair.key);
    let roots = folder.write("ca.pem", &authority.pem);
    let settings = folder.write("gateway.yaml", &format!("trustedRoots: {{file: {roots}}}\n"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway-tests-dev"));
    command.args(["--config", &settings]);
    support::usual_settings(&mut command);
    command.args(["dev", "--specs", folder.path("specs").to_str().expect("a path")]);
    command
}

#[test]
fn connections_show_the_certificate_of_the_gateway() {
    let authority = Authority::new();
    let upstream = TlsUpstream::asking(&authority.server(&["localhost"]), Some(&authority));
    let folder = Folder::new();
    std::fs::create_dir(folder.path("specs")).expect("a folder");
    let gateway = Gateway::launch(showing(&authority.client("gateway.test"), &authority, &upstream, &folder));
    assert_eq!(gateway.get("/shown", "").status, 200);
    assert_eq!(gateway.operations("/readyz?deep").status, 200);
    // One of another authority is refused by the upstream.
    let (folder, other) = (Folder::new(), Authority::new());
    std::fs::create_dir(folder.path("specs")).expect("a folder");
    let gateway = Gateway::launch(showing(&other.client("gateway.test"), &authority, &upstream, &folder));
    assert_eq!(gateway.get("/shown", "").status, 502);
    // A key that is another certificate's.
    let pair = Pair { key: other.client("gateway.test").key, ..authority.client("gateway.test") };
    let folder = Folder::new();
    std::fs::create_dir(folder.path("specs")).expect("a folder");
    let mut command = showing(&pair, &authority, &upstream, &folder);
    // `gateway dev` waits for a better document.
    let mut process = command.stderr(Stdio::piped()).spawn().expect("it runs");
    let lines = BufReader::new(process.stderr.take().expect("piped")).lines().map_while(Result::ok);
    let mut told = Vec::new();
    for line in lines {
        let is_it = line.contains("its client certificate: ");
        told.push(line);
        if is_it {
            break;
        }
    }
    process.kill().and_then(|()| process.wait().map(drop)).expect("it ends");
    assert!(told.iter().all(|line| !line.contains("PRIVATE")), "{told:?}");
}
