//! Signed requests: the recipes of the three profiles, and what becomes of those that are not quite right.

#[path = "../../support/mod.rs"]
mod support;

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::{digest, hmac};
use support::{Gateway, Response, Upstream};

const CONSUMERS: &str = "
consumers:
  - username: guest
  - username: John
    labels: {customId: c-1}
    credentials: [{id: john-1, type: hmac, keyId: john-key, secret: {env: TEST_OLAF_KEY}}]
  - username: ann
    roles: [chief]
    credentials: [{type: hmac, keyId: ann-key, secret: {env: TEST_ANN_KEY}}]
";

/// The secrets behind `TEST_OLAF_KEY` and `TEST_ANN_KEY`.
const JOHN: (&str, &[u8]) = ("john-key", b"olaf-secret");
const ANN: (&str, &[u8]) = ("ann-key", b"ann-secret");

struct Fixture {
    gateway: Gateway,
    upstream: Upstream,
    file: PathBuf,
}

impl Fixture {
    fn new(name: &str) -> Self {
        let file = std::env::temp_dir().join(format!("gateway-hmac-{name}-{}.yaml", std::process::id()));
        std::fs::write(&file, CONSUMERS).expect("written");
        let upstream = Upstream::echo();
        let gateway = Gateway::start(&[&format!("consumers.file={}", file.display())], upstream.address);
        Self { gateway, upstream, file }
    }

    /// Sends a request with a body, on a connection of its own.
    fn send(&self, method: &str, target: &str, headers: &str, body: &str) -> Response {
        let mut connection = self.gateway.connect();
        let length = body.len();
        connection.send(format!(
            "{method} {target} HTTP/1.1\r\nHost: gateway.test\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        ));
        connection.response(false)
    }

    fn assert_refused(&self, answer: &Response, why: &str) {
        assert_eq!(
            (answer.status, answer.json()["message"].as_str()),
            (401, Some("client request can't be validated")),
            "{why}"
        );
        self.gateway.log_line(|line| line["detail"].as_str().is_some_and(|detail| detail.starts_with(why)));
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn date(shift: i64) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(now().saturating_add_signed(shift)))
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn mac(algorithm: &str, secret: &[u8], text: &str) -> String {
    let algorithm = match algorithm {
        "hmac-sha1" => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        "hmac-sha512" => hmac::HMAC_SHA512,
        _ => hmac::HMAC_SHA256,
    };
    base64(hmac::sign(&hmac::Key::new(algorithm, secret), text.as_bytes()).as_ref())
}

fn sha256(body: &str) -> String {
    base64(digest::digest(&digest::SHA256, body.as_bytes()).as_ref())
}

/// As the script of the guide: `Date`, further fields, and `Authorization`.
fn cavage(key: (&str, &[u8]), algorithm: &str, line: &str, date: &str, fields: &[(&str, &str)]) -> String {
    let (mut text, mut names, mut lines) =
        (format!("{}\n{line}\ndate: {date}\n", key.0), "@request-target date".to_owned(), format!("Date: {date}\r\n"));
    for (name, value) in fields {
        text += &format!("{name}: {value}\n");
        names += &format!(" {name}");
        lines += &format!("{name}: {value}\r\n");
    }
    let signature = mac(algorithm, key.1, &text);
    format!(
        "{lines}Authorization: Signature keyId=\"{}\",algorithm=\"{algorithm}\",headers=\"{names}\",signature=\"{signature}\"\r\n",
        key.0
    )
}

#[test]
fn the_recipe_of_the_guide() {
    let fixture = Fixture::new("guide");
    let gateway = &fixture.gateway;
    let missing = gateway.get("/deliveries/parcels/7", "");
    assert_eq!((missing.status, missing.header("www-authenticate").as_str()), (401, "hmac realm=\"hmac\""));
    assert_eq!(missing.json()["message"], "Missing authorization in request");
    assert_eq!(
        gateway.get("/deliveries/parcels/7", "Authorization: Basic Zm9vOmJhcg==\r\n").json()["message"],
        "Missing authorization in request"
    );
    for (algorithm, target) in [
        ("hmac-sha256", "/deliveries/parcels/7"),
        ("hmac-sha1", "/deliveries/parcels/7?x=1&y=%2F"),
        ("hmac-sha512", "/deliveries/parcels/%37?"),
    ] {
        let answer = gateway.get(target, &cavage(JOHN, algorithm, &format!("GET {target}"), &date(-120), &[]));
        assert_eq!(answer.status, 200, "{algorithm} {target}");
        let headers = &answer.json()["headers"];
        assert_eq!(
            (&headers["x-consumer-username"], &headers["x-credential-identifier"], &headers["x-consumer-custom-id"]),
            (&"John".into(), &"john-1".into(), &"c-1".into())
        );
        assert!(
            headers["authorization"].as_str().is_some_and(|value| value.starts_with("Signature keyId=\"john-key\"")),
            "it is forwarded"
        );
    }
    assert_eq!(gateway.log_line(|line| line["caller"] == "John")["operation"], "readParcel");
    assert!(!gateway.log().contains("secret"));
}

#[test]
fn signatures_that_do_not_fit_are_refused_with_the_reason_in_the_log() {
    let fixture = Fixture::new("refused");
    let target = "/deliveries/parcels/7";
    let line = format!("GET {target}");
    let good = cavage(JOHN, "hmac-sha256", &line, &date(0), &[("x-a", "1")]);
    assert_eq!(fixture.gateway.get(target, &good).status, 200);
    assert_eq!(
        fixture.gateway.get(target, &good.replace("x-a: 1", "x-a:   1 ")).status,
        200,
        "white space around values"
    );
    for (headers, why) in [
        (good.replace("x-a: 1\r\n", ""), "a listed header is not in the request"),
        (good.replace("x-a: 1", "x-a: 2"), "the signature does not fit"),
        (good.replace("x-a: 1", "x-a: 1\r\nx-a: 2"), "the signature does not fit"),
        (good.replace("john-key", "ann-key"), "the signature does not fit"),
        (good.replace("john-key", "nobody"), "unknown key"),
        (good.replace("hmac-sha256", "ljlj"), "the algorithm is not accepted"),
        (good.replace("hmac-sha256", "hmac-sha512"), "the signature does not fit"),
        (format!("{good}Authorization: Basic Zm9vOmJhcg==\r\n"), "several Authorization fields"),
        (cavage(JOHN, "hmac-sha256", "GET /deliveries/parcels/8", &date(0), &[]), "the signature does not fit"),
        (cavage(JOHN, "hmac-sha256", "PUT /deliveries/parcels/7", &date(0), &[]), "the signature does not fit"),
        (cavage((JOHN.0, ANN.1), "hmac-sha256", &line, &date(0), &[]), "the signature does not fit"),
        (cavage(JOHN, "hmac-sha256", &line, &date(-3600), &[]), "it was signed too long ago"),
        (cavage(JOHN, "hmac-sha256", &line, &date(600), &[]), "it was signed in the future"),
        (cavage(JOHN, "hmac-sha256", &line, "adfsdf", &[]), "Date is not a date"),
        (good.replace(" date ", " "), "a required header is not among the signed ones"),
    ] {
        fixture.assert_refused(&fixture.gateway.get(target, &headers), why);
    }
    assert_eq!(fixture.upstream.heads().len(), 2);
}

#[test]
fn a_body_must_fit_its_digest() {
    let fixture = Fixture::new("body");
    let target = "/deliveries/parcels/7";
    let line = format!("PUT {target}");
    let sealed =
        |body: &str| cavage(JOHN, "hmac-sha256", &line, &date(0), &[("digest", &format!("SHA-256={}", sha256(body)))]);
    let body = "{\"name\": \"world\"}";
    let answer = fixture.send("PUT", target, &sealed(body), body);
    assert_eq!((answer.status, answer.json()["body"].as_str()), (200, Some(body)));
    assert!(answer.json()["headers"].get("authorization").is_none(), "`forward: false`");
    assert_eq!(fixture.send("PUT", target, &sealed(""), "").status, 200);

    fixture.assert_refused(&fixture.send("PUT", target, &sealed("other"), body), "the digest is that of another body");
    let unsigned = cavage(JOHN, "hmac-sha256", &line, &date(0), &[]) + "digest: SHA-256=x\r\n";
    fixture.assert_refused(
        &fixture.send("PUT", target, &unsigned, body),
        "a required header is not among the signed ones",
    );
    let odd = cavage(JOHN, "hmac-sha256", &line, &date(0), &[("digest", "hello")]);
    fixture.assert_refused(&fixture.send("PUT", target, &odd, body), "Digest is not a digest");

    let chunked = |body: &str, signed: &str| {
        let mut connection = fixture.gateway.connect();
        connection.send(format!(
            "PUT {target} HTTP/1.1\r\nHost: gateway.test\r\n{}Transfer-Encoding: chunked\r\n\r\n",
            sealed(signed)
        ));
        for piece in body.as_bytes().chunks(10_000) {
            connection.send(format!("{:x}\r\n", piece.len()));
            connection.send(piece);
            connection.send("\r\n");
        }
        connection.send("0\r\n\r\n");
        connection.response(false)
    };
    let large = "x".repeat(64 << 10);
    assert_eq!(chunked(&large, &large).json()["body"].as_str().map(str::len), Some(64 << 10));
    assert_eq!(chunked(&large, "").status, 401);

    let too_large = "x".repeat((64 << 10) + 1);
    assert_eq!(fixture.send("PUT", target, &sealed(&too_large), "").status, 401, "no body at all");
    let head = format!(
        "PUT {target} HTTP/1.1\r\nHost: gateway.test\r\n{}Content-Length: {}\r\n\r\n",
        sealed(&too_large),
        too_large.len()
    );
    let mut connection = fixture.gateway.connect();
    connection.send(&head);
    assert_eq!(connection.response(false).status, 413, "before the body is sent");
    // A client that does not know the secret is not asked for the body at all.
    let mut connection = fixture.gateway.connect();
    connection
        .send(head.replace("john-key", "ann-key").replace("Content-Length", "Expect: 100-continue\r\nContent-Length"));
    assert_eq!(connection.response(false).status, 401);
    let mut connection = fixture.gateway.connect();
    connection.send(format!(
        "PUT {target} HTTP/1.1\r\nHost: gateway.test\r\n{}Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        sealed(body),
        body.len()
    ));
    assert!(connection.head().starts_with("HTTP/1.1 100 "));
    connection.send(body);
    assert_eq!(connection.response(false).json()["body"].as_str(), Some(body));
}

#[test]
fn each_scheme_has_a_limit_of_its_own() {
    let fixture = Fixture::new("limits");
    let target = "/deliveries/parcels/7";
    let send = |body: &str| {
        let order = message(
            JOHN,
            "PATCH",
            target,
            &[("content-digest", &format!("sha-256=:{}:", sha256("another body")))],
            &format!(";created={};nonce=\"1\"", now()),
        );
        let digest = format!("SHA-256={}", sha256(body));
        let sealed = cavage(JOHN, "hmac-sha256", &format!("PATCH {target}"), &date(0), &[("digest", &digest)]);
        fixture.send("PATCH", target, &format!("{order}{sealed}"), body).status
    };
    // The first scheme has the body read, and its digest does not fit; the second takes less.
    assert_eq!(send("small"), 200);
    assert_eq!(send(&"x".repeat((64 << 10) + 1)), 413);
    assert_eq!(send(&"x".repeat((1 << 20) + 1)), 413);
}

/// As the manual of APISIX 3.10 says: the fields, without the body's digest.
fn apisix_v1(key: (&str, &[u8]), text: &str, names: &str) -> String {
    format!(
        "X-HMAC-ACCESS-KEY: {}\r\nX-HMAC-ALGORITHM: hmac-sha256\r\nX-HMAC-SIGNED-HEADERS: {names}\r\nX-HMAC-SIGNATURE: {}\r\n",
        key.0,
        mac("hmac-sha256", key.1, text)
    )
}

#[test]
fn the_scheme_of_apisix_3_10() {
    let fixture = Fixture::new("v1");
    let target = "/deliveries/tours/7?name=james&age=36&empty";
    let date = date(0);
    let text = format!("GET\n/deliveries/tours/7\nage=36&empty=&name=james\njohn-key\n{date}\nx-custom-a:test\n");
    let signed = format!("Date: {date}\r\nx-custom-a: test\r\n{}", apisix_v1(JOHN, &text, "x-custom-a"));
    let answer = fixture.gateway.get(target, &signed);
    assert_eq!((answer.status, answer.json()["headers"]["x-consumer-username"].as_str()), (200, Some("John")));
    assert!(!answer.body.to_lowercase().contains("x-hmac"), "{}", answer.body);
    let one = format!(
        "x-custom-a: test\r\nAuthorization: hmac-auth-v1#john-key#{}#hmac-sha256#{date}#x-custom-a\r\n",
        mac("hmac-sha256", JOHN.1, &text)
    );
    assert_eq!(fixture.gateway.get(target, &one).status, 200);

    assert_eq!(fixture.gateway.get(target, "").json()["message"], "Missing authorization in request");
    for (target, headers, why) in [
        (target, signed.replace("x-custom-a: test", "x-custom-a: toast"), "the signature does not fit"),
        (target, signed.replace("x-custom-a: test\r\n", ""), "the signature does not fit"),
        ("/deliveries/tours/7?name=james&age=37&empty", signed.clone(), "the signature does not fit"),
        ("/deliveries/tours/8?name=james&age=36&empty", signed.clone(), "the signature does not fit"),
        (target, signed.replace("Date:", "X-Date:"), "there is no Date"),
        (target, signed.replace("X-HMAC-ACCESS-KEY", "X-KEY"), "X-HMAC-ACCESS-KEY is missing"),
        (target, one.replace("#x-custom-a", ""), "Authorization has not six parts"),
    ] {
        fixture.assert_refused(&fixture.gateway.get(target, &headers), why);
    }

    let body = "parcel 7";
    let seen = mac("hmac-sha256", JOHN.1, body);
    let text = format!("POST\n/deliveries/scans\n\njohn-key\n{date}\nX-HMAC-DIGEST:{seen}\n");
    let signed = format!("Date: {date}\r\nX-HMAC-DIGEST: {seen}\r\n{}", apisix_v1(JOHN, &text, "X-HMAC-DIGEST"));
    let answer = fixture.send("POST", "/deliveries/scans", &signed, body);
    assert_eq!((answer.status, answer.json()["body"].as_str()), (200, Some(body)));
    assert!(!answer.body.to_lowercase().contains("x-hmac"));
    fixture.assert_refused(
        &fixture.send("POST", "/deliveries/scans", &signed, "parcel 8"),
        "the digest is that of another body",
    );
}

/// RFC 9421 over `@method`, `@target-uri` and further components; `more` are further parameters.
fn message(key: (&str, &[u8]), method: &str, target: &str, fields: &[(&str, &str)], more: &str) -> String {
    let mut base = format!("\"@method\": {method}\n\"@target-uri\": http://gateway.test{target}\n");
    let (mut names, mut lines) = ("\"@method\" \"@target-uri\"".to_owned(), String::new());
    for (name, value) in fields {
        base += &format!("\"{name}\": {value}\n");
        names += &format!(" \"{name}\"");
        lines += &format!("{name}: {value}\r\n");
    }
    let parameters = format!("({names});keyid=\"{}\"{more}", key.0);
    base += &format!("\"@signature-params\": {parameters}");
    format!("{lines}Signature-Input: sig1={parameters}\r\nSignature: sig1=:{}:\r\n", mac("hmac-sha256", key.1, &base))
}

#[test]
fn http_message_signatures() {
    let fixture = Fixture::new("rfc9421");
    let target = "/deliveries/orders?from=2024";
    let sign = |more: &str| message(JOHN, "GET", target, &[], more);
    let created = |shift: i64| format!(";created={}", now().saturating_add_signed(shift));
    let good = sign(&created(0));
    let answer = fixture.gateway.get(target, &good);
    assert_eq!((answer.status, answer.json()["headers"]["x-consumer-username"].as_str()), (200, Some("John")));
    assert!(answer.json()["headers"].get("signature").is_some(), "it is forwarded");
    assert_eq!(
        fixture.gateway.get(target, &sign(&format!("{};alg=\"hmac-sha256\";tag=\"app\"", created(-30)))).status,
        200
    );
    let foreign = good
        .replace("Signature-Input: ", "Signature-Input: proxy=(\"@method\");created=1;keyid=\"p\";alg=\"ed25519\", ")
        .replace("Signature: ", "Signature: proxy=:AAAA:, ");
    assert_eq!(fixture.gateway.get(target, &foreign).status, 200, "a signature that is not for us");

    let missing = fixture.gateway.get(target, "");
    assert_eq!((missing.status, missing.header("www-authenticate").as_str()), (401, "hmac realm=\"message\""));
    for (headers, why) in [
        (sign(""), "`created` is missing"),
        (sign(&created(-90)), "it was signed too long ago"),
        (sign(&created(90)), "it was signed in the future"),
        (sign(&format!("{};expires={}", created(-30), now() - 10)), "it was signed too long ago, or has expired"),
        (sign(&format!("{};alg=\"hmac-sha512\"", created(0))), "the algorithm is not accepted"),
        (good.replace("(\"@method\" ", "("), "a required header is not among the signed ones"),
        (good.replace("sig1=:", "sig2=:"), "Signature has no signature of this label"),
        (good.replace("Signature: ", "X-Signature: "), "Signature-Input and Signature belong together"),
        (message(JOHN, "PUT", target, &[], &created(0)), "the signature does not fit"),
        (message(JOHN, "GET", "/deliveries/orders?from=2025", &[], &created(0)), "the signature does not fit"),
        (message(("nobody", b"x"), "GET", target, &[], &created(0)), "unknown key"),
    ] {
        fixture.assert_refused(&fixture.gateway.get(target, &headers), why);
    }
}

#[test]
fn a_signature_counts_once() {
    let fixture = Fixture::new("replay");
    let target = "/deliveries/orders";
    let sign = |key, method: &str, body: &str, nonce: &str| {
        let digest = format!("sha-256=:{}:", sha256(body));
        message(key, method, target, &[("content-digest", &digest)], &format!(";created={};nonce=\"{nonce}\"", now()))
    };
    let body = "one pallet";
    let signed = sign(JOHN, "POST", body, "1");
    let answer = fixture.send("POST", target, &signed, body);
    assert_eq!((answer.status, answer.json()["body"].as_str()), (200, Some(body)));
    assert!(
        answer.json()["headers"].get("signature").is_none()
            && answer.json()["headers"].get("signature-input").is_none()
    );
    for _ in 0..8 {
        // Connections are spread over the threads, and what one has seen the others know.
        fixture.assert_refused(&fixture.send("POST", target, &signed, body), "the signature has been used");
    }
    assert_eq!(fixture.send("POST", target, &sign(JOHN, "POST", body, "2"), body).status, 200);
    assert_eq!(fixture.send("POST", target, &sign(ANN, "POST", body, "2"), body).status, 200);

    let wrong = sign(JOHN, "POST", body, "3");
    fixture.assert_refused(&fixture.send("POST", target, &wrong, "two pallets"), "the digest is that of another body");
    assert_eq!(fixture.send("POST", target, &wrong, body).status, 200, "what was refused has not been used");
    let none = sign(JOHN, "POST", body, "");
    fixture.assert_refused(&fixture.send("POST", target, &none, body), "`nonce` is missing");
    let undigested = message(JOHN, "POST", target, &[], &format!(";created={};nonce=\"4\"", now()));
    fixture.assert_refused(
        &fixture.send("POST", target, &undigested, body),
        "a required header is not among the signed ones",
    );

    // Two alternatives with one scheme ask twice about one request.
    let all = sign(ANN, "DELETE", "", "5");
    assert_eq!(fixture.send("DELETE", target, &all, "").status, 200);
    assert_eq!(fixture.send("DELETE", target, &all, "").status, 401);
    assert_eq!(fixture.send("DELETE", target, &sign(JOHN, "DELETE", "", "6"), "").status, 403);
}

#[test]
fn of_many_concurrent_uses_of_a_signature_one_is_served() {
    let fixture = Fixture::new("race");
    let digest = format!("sha-256=:{}:", sha256("x"));
    let signed = message(
        JOHN,
        "POST",
        "/deliveries/orders",
        &[("content-digest", &digest)],
        &format!(";created={};nonce=\"race\"", now()),
    );
    let served = std::thread::scope(|scope| {
        let clients: Vec<_> =
            (0..16).map(|_| scope.spawn(|| fixture.send("POST", "/deliveries/orders", &signed, "x").status)).collect();
        clients.into_iter().map(|client| client.join().expect("no panic")).filter(|status| *status == 200).count()
    });
    assert_eq!((served, fixture.upstream.heads().len()), (1, 1));
}

/// Another implementation of RFC 9421, from PyPI: it signs, we check.
const OTHER_IMPLEMENTATION: &str = r#"
import datetime, sys
from http_message_signatures import HTTPMessageSigner, HTTPSignatureKeyResolver, algorithms
class Keys(HTTPSignatureKeyResolver):
    def resolve_private_key(self, key_id): return b"olaf-secret"
    def resolve_public_key(self, key_id): return b"olaf-secret"
class Message:
    method = "GET"
    url = sys.argv[1]
    headers = {"Host": "gateway.test", "X-Two": "a, b", "X-Empty": ""}
signer = HTTPMessageSigner(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=Keys())
components = ("@method", "@target-uri", "@authority", "@scheme", "@request-target", "@path", "@query",
              '"@query-param";name="name"', "x-two", "x-empty")
try: signer.sign(Message, key_id="john-key", covered_component_ids=components, label="py", nonce="n", tag="t",
                 created=datetime.datetime.now(), expires=datetime.datetime.now() + datetime.timedelta(seconds=30))
except Exception:
    import traceback; traceback.print_exc(); sys.exit(2)
for name in ("Signature-Input", "Signature"): print(f"{name}: {Message.headers[name]}")
"#;

#[test]
fn another_implementation_signs() {
    let target = "/deliveries/orders?name=J%C3%BCrgen+K&x=1";
    let url = format!("http://gateway.test{target}");
    let has_it = Command::new("python3").args(["-c", "import http_message_signatures"]).output();
    if !has_it.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: python3 has no http-message-signatures");
        return;
    }
    let output = Command::new("python3").args(["-c", OTHER_IMPLEMENTATION, &url]).output().expect("python3 runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).expect("text").replace('\n', "\r\n");
    let fixture = Fixture::new("other");
    let headers = format!("X-Two: a\r\nX-Empty:\r\nX-Two: b\r\n{lines}");
    assert_eq!(fixture.gateway.get(target, &headers).status, 200, "{headers}");
    assert_eq!(fixture.gateway.get(&target.replace("x=1", "x=2"), &headers).status, 401);
}
