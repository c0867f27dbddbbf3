//! API keys and the consumers that they belong to.

#[path = "../../support/mod.rs"]
mod support;

use std::path::PathBuf;
use std::process::Command;

use support::{Gateway, Upstream, authorized, eventually, token};

const CONSUMERS: &str = "
consumers:
  - username: olaf
    group: gold
    labels: {customId: c-17}
    credentials:
      - {id: olaf-1, type: key, key: {env: TEST_OLAF_KEY}}
      - {id: olaf-2, type: key, key: {sha256: dd58c44e823a36af1d861b47b20fc0ff0d23b3677f95c864932b22b257b6702f}}
  - username: ann
    roles: [auditor]
    credentials:
      - {type: key, key: {env: TEST_ANN_KEY}}
      - {type: jwt, key: ann-service, secret: {env: TEST_TOKEN_SECRET}}
  - username: mallory
    group: gold
    credentials: [{id: m, type: key, key: {env: TEST_MALLORY_KEY}}]
  - username: nobody
    credentials: [{type: key, key: {env: TEST_NEVER_SET}, optional: true}]
  - username: guest
";

/// A gateway whose consumers are in a file of its own.
struct Fixture {
    gateway: Gateway,
    upstream: Upstream,
    file: PathBuf,
}

impl Fixture {
    fn new(name: &str) -> Self {
        let file = std::env::temp_dir().join(format!("gateway-consumers-{name}-{}.yaml", std::process::id()));
        std::fs::write(&file, CONSUMERS).expect("written");
        let upstream = Upstream::echo();
        let gateway = Gateway::start(&[&format!("consumers.file={}", file.display())], upstream.address);
        Self { gateway, upstream, file }
    }

    fn status(&self, method: &str, target: &str, key: &str) -> u16 {
        let header = if key.is_empty() { String::new() } else { format!("X-API-Key: {key}\r\n") };
        self.gateway.request(method, target, &header).status
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

#[test]
fn keys_name_their_consumer() {
    let Fixture { gateway, upstream, .. } = &Fixture::new("names");
    let missing = gateway.get("/reports/monthly", "");
    assert_eq!((missing.status, missing.header("www-authenticate").as_str()), (401, "apikey realm=\"partner\""));
    assert_eq!(missing.json()["message"], "Missing API key found in request");
    let wrong = gateway.get("/reports/monthly", "X-API-Key: wrong\r\n");
    assert_eq!((wrong.status, wrong.json()["message"].as_str()), (401, Some("Invalid API key in request")));
    for (target, headers, credential) in [
        ("/reports/monthly?x=1", "x-api-key: olaf-secret\r\n", Some("olaf-1")),
        ("/reports/monthly?x=1&key=olaf%2Dsecret", "", Some("olaf-1")),
        ("/reports/monthly?x=1&key=wrong", "X-API-Key: olaf-second\r\n", Some("olaf-2")),
    ] {
        let answer = gateway.get(target, headers);
        assert_eq!(answer.status, 200, "{target} {headers}");
        let seen = answer.json();
        assert_eq!(seen["target"], "/monthly?x=1", "the key goes no further");
        assert!(!answer.body.contains("secret") && !answer.body.contains("second"));
        assert_eq!(seen["headers"]["x-consumer-username"], "olaf");
        assert_eq!(seen["headers"]["x-credential-identifier"].as_str(), credential);
        assert_eq!(seen["headers"]["x-consumer-custom-id"], "c-17");
    }
    let ann = gateway.get(
        "/reports/monthly",
        "X-API-Key: ann-secret\r\nX-Credential-Identifier: forged\r\nX_Consumer_Custom_Id: forged\r\n",
    );
    assert_eq!(ann.json()["headers"]["x-consumer-username"], "ann");
    assert!(!ann.body.contains("forged") && ann.json()["headers"].get("x-credential-identifier").is_none());
    for bad in ["X-API-Key: olaf-secret\r\nX-API-Key: olaf-secret\r\n", "X-API-Key: \r\n", "X-API-Key: Olaf-secret\r\n"]
    {
        assert_eq!(gateway.get("/reports/monthly", bad).status, 401, "{bad}");
    }
    assert_eq!(gateway.log_line(|line| line["caller"] == "olaf")["operation"], "readMonthly");
    assert!(!gateway.log().contains("secret"));
    assert!(!upstream.heads().iter().any(|head| head.contains("wrong")));
}

#[test]
fn roles_groups_and_rules_decide_who_may_do_what() {
    let fixture = Fixture::new("rules");
    for (method, target, key, status) in [
        ("GET", "/reports/audit", "ann-secret", 200),
        ("GET", "/reports/audit", "olaf-secret", 403),
        ("GET", "/reports/prices", "olaf-secret", 200),
        ("HEAD", "/reports/prices", "olaf-secret", 200),
        ("HEAD", "/reports/audit", "olaf-secret", 403),
        ("PUT", "/reports/prices", "olaf-secret", 403),
        ("GET", "/reports/prices", "mallory-secret", 403),
        ("GET", "/reports/prices", "ann-secret", 403),
        ("GET", "/reports/prices", "", 401),
    ] {
        assert_eq!(fixture.status(method, target, key), status, "{method} {target} {key}");
    }
    let refused = fixture.gateway.get("/reports/prices", "X-API-Key: mallory-secret\r\n");
    assert_eq!(refused.json()["message"], "The consumer_name is forbidden.");
}

#[test]
fn alternatives_are_or_and_objects_are_and() {
    let fixture = Fixture::new("alternatives");
    let none = fixture.gateway.get("/reports/either", "");
    assert_eq!(none.header("www-authenticate"), "apikey realm=\"partner\" | Bearer realm=\"signature\"");
    assert_eq!(none.json()["message"], "Authorization Failed");
    assert_eq!(fixture.status("GET", "/reports/either", "ann-secret"), 200);
    assert_eq!(fixture.gateway.get("/reports/either", &authorized()).status, 200);
    assert_eq!(fixture.gateway.get("/reports/either", &format!("X-API-Key: wrong\r\n{}", authorized())).status, 200);
    assert_eq!(fixture.status("GET", "/reports/both", "ann-secret"), 401);
    let service = format!(
        "Authorization: Bearer {}\r\n",
        token(serde_json::json!({"key": "ann-service", "exp": 4_102_444_800_u64}))
    );
    assert_eq!(fixture.gateway.get("/reports/both", &service).status, 401);
    assert_eq!(fixture.gateway.get("/reports/both", &format!("X-API-Key: ann-secret\r\n{service}")).status, 200);
    // Two halves of different parties make no whole.
    assert_eq!(fixture.gateway.get("/reports/both", &format!("X-API-Key: olaf-secret\r\n{service}")).status, 401);
}

#[test]
fn anonymous_callers_count_as_the_consumer_that_the_document_names() {
    let fixture = Fixture::new("anonymous");
    let guest = fixture.gateway.get("/reports/summary", "");
    assert_eq!((guest.status, guest.json()["headers"]["x-consumer-username"].as_str()), (200, Some("guest")));
    let known = fixture.gateway.get("/reports/summary", "X-API-Key: ann-secret\r\n");
    assert_eq!(known.json()["headers"]["x-consumer-username"], "ann");
    assert_eq!(fixture.status("GET", "/reports/summary", "wrong"), 401, "a typo makes nobody a guest");
    let empty = |target| fixture.gateway.get(target, "X-API-Key: \r\n").status;
    assert_eq!((empty("/reports/summary?key=wrong"), empty("/reports/summary?key=ann-secret")), (401, 200));
}

#[test]
fn the_file_is_read_again_when_it_changes() {
    let fixture = Fixture::new("reload");
    assert_eq!(fixture.status("GET", "/reports/monthly", "ann-secret"), 200);
    std::fs::write(&fixture.file, "consumers: [{username: guest}, {username: guest}]").expect("written");
    hang_up(&fixture.gateway);
    eventually("the complaint", || fixture.gateway.messages().contains("the current consumers are kept").then_some(()));
    assert_eq!(fixture.status("GET", "/reports/monthly", "ann-secret"), 200, "a broken file changes nothing");
    std::fs::write(
        &fixture.file,
        CONSUMERS
            .replace("TEST_ANN_KEY", "TEST_MALLORY_KEY")
            .replace("id: m, type: key, key: {env: TEST_MALLORY_KEY}", "id: m, type: key, key: {env: TEST_ANN_KEY}"),
    )
    .expect("written");
    eventually("the new consumers", || {
        let seen = fixture.gateway.get("/reports/monthly", "X-API-Key: ann-secret\r\n").json();
        (seen["headers"]["x-consumer-username"] == "mallory").then_some(())
    });
}

#[test]
fn a_change_that_keeps_time_and_length_is_seen() {
    let fixture = Fixture::new("same");
    let other = fixture.file.with_extension("new");
    std::fs::write(&other, CONSUMERS.replace("username: ann", "username: eva")).expect("written");
    let modified = std::fs::metadata(&fixture.file).and_then(|data| data.modified()).expect("a time");
    let file = std::fs::File::options().write(true).open(&other).expect("opened");
    file.set_modified(modified).expect("the same time");
    std::fs::rename(&other, &fixture.file).expect("replaced");
    eventually("the new name", || {
        let seen = fixture.gateway.get("/reports/monthly", "X-API-Key: ann-secret\r\n").json();
        (seen["headers"]["x-consumer-username"] == "eva").then_some(())
    });
}

fn hang_up(gateway: &Gateway) {
    let status = Command::new("kill").args(["-HUP", &gateway.pid().to_string()]).status().expect("kill runs");
    assert!(status.success());
}

#[test]
fn mistakes_are_reported_with_their_place_and_without_secrets() {
    let file = std::env::temp_dir().join(format!("gateway-consumers-mistakes-{}.yaml", std::process::id()));
    let cases = [
        ("consumers: [{username: guest}, {usrname: a}]", "1:"),
        ("consumers: [{username: guest}, {username: 'a b'}]", "is not a user name"),
        ("consumers: [{username: guest}, {username: guest}]", "there are two consumers called `guest`"),
        ("consumers: []", "there is no consumer `guest`"),
        (
            "consumers:\n  - username: guest\n    credentials: [{type: key, key: {value: literal}}]",
            "`value` is for tests",
        ),
        (
            "consumers:\n  - username: guest\n    credentials: [{type: key, key: {sha256: abc}}]",
            "64 hexadecimal digits",
        ),
        (
            "consumers:\n  - username: guest\n    credentials: [{type: key, key: {env: TEST_NEVER_SET}}]",
            "TEST_NEVER_SET is not set",
        ),
        ("consumers:\n  - username: guest\n    credentials: [{type: kee}]", "unknown type of credential `kee`"),
        (
            "consumers:\n  - username: guest\n    credentials: [{type: key, key: {env: TEST_ANN_KEY}}]\n  - username: b\n    credentials: [{type: key, key: {env: TEST_ANN_KEY}}]",
            "duplicate key of key credentials: `guest` has the same",
        ),
        (
            "consumers:\n  - username: guest\n    rateLimit: [{algorithm: token-bucket, limit: 3}]",
            ":3:29: `interval` is required for token-bucket",
        ),
        (
            "consumers:\n  - username: guest\n    rateLimit: [{algorithm: leaky-bucket, rate: 10/s, limit: 10}]",
            ":3:55: `limit` means nothing to leaky-bucket here; it has `rate`",
        ),
        (
            "consumers:\n  - username: guest\n    rateLimit:\n      - {name: a, algorithm: leaky-bucket, limit: 10, interval: 1s}\n      - {name: a, algorithm: leaky-bucket, rate: 10/s, status: 503}",
            ":5:9: a limit called `a` with the same numbers stands before",
        ),
        ("consumer: []", "unknown section `consumer`"),
        (
            "consumers:\n  - username: guest\n    credentials: [{type: key, key: literal}]",
            "expected one of {env: NAME}",
        ),
        (
            "consumers:\n  - username: guest\n    credentials: [{type: key, key: {literal}}]",
            "expected one of {env: NAME}",
        ),
        (
            "consumers:\n  - username: guest\n    credentials: [{type: key, key: {sha256: a, encoding: base64}}]",
            "expected one of {env: NAME}",
        ),
        ("groups: []", "there is no section `consumers`"),
        ("consumers: {", ":1:"),
        ("- a", "expected `consumers:`"),
    ];
    for (text, expected) in cases {
        std::fs::write(&file, text).expect("written");
        let told = check(&[&format!("consumers.file={}", file.display())]);
        assert!(told.contains(expected) && told.contains(file.to_str().expect("text")), "{text}: {told}");
        assert!(!told.contains("ann-secret") && !told.contains("literal"), "{told}");
    }
    std::fs::remove_file(&file).expect("removed");
    assert!(check(&[]).contains("write `consumers: {file: consumers.yaml}`"));
}

fn check(settings: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway-tests"));
    command.arg("check").args(settings.iter().flat_map(|setting| ["--set", setting]));
    support::secrets(&mut command);
    let output = command.output().expect("runs");
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}
