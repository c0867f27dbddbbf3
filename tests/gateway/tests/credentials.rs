//! Passwords, tokens of consumers, tokens that the gateway signs, and the commands that manage them.

#[path = "../../support/mod.rs"]
mod support;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use support::{Gateway, Upstream, base64, eventually, secrets, token};

/// The hash is of `pa:ss word`.
const CONSUMERS: &str = r#"
consumers:
  - username: ann
    roles: [auditor]
    credentials:
      - {id: ann-password, type: basic, username: ann@example.com, password: {env: TEST_PASSWORD}}
      - {id: ann-service, type: jwt, key: ann-service, secret: {env: TEST_TOKEN_SECRET}, signing: {ttl: 30s}}
      - {id: ann-key, type: key, key: {env: TEST_ANN_KEY}}
      - {id: ann-old, type: key, key: {env: TEST_OLAF_KEY}, expires: 2020-01-01}
      - {id: ann-last, type: basic, username: last, password: {env: TEST_PASSWORD}, expires: 2020-01-01T00:00:00Z}
  - username: ben
    credentials:
      - {id: ben-1, type: basic, username: ben, password: {argon2id: "$argon2id$v=19$m=64,t=1,p=1$c29tZSBzYWx0IGhlcmU$HASH"}}
      - {id: ben-2, type: jwt, key: ben-fixed, algorithm: HS512, secret: {env: TEST_TOKEN_SECRET}, leeway: 5s, weakSecretOk: true}
  - username: guest
"#;

struct Fixture {
    gateway: Gateway,
    upstream: Upstream,
    file: PathBuf,
}

impl Fixture {
    fn new(name: &str) -> Self {
        let file = std::env::temp_dir().join(format!("gateway-credentials-{name}-{}.yaml", std::process::id()));
        std::fs::write(&file, CONSUMERS.replace("HASH", HASH)).expect("written");
        let upstream = Upstream::echo();
        let consumers = format!("consumers.file={}", file.display());
        let gateway = Gateway::start(&[&consumers, "trustedProxies=[127.0.0.0/8]"], upstream.address);
        Self { gateway, upstream, file }
    }

    /// Each from another address, so that wrong passwords are not too many for one of them.
    fn login(&self, user: &str, password: &str) -> support::Response {
        static ADDRESSES: AtomicUsize = AtomicUsize::new(0);
        let number = ADDRESSES.fetch_add(1, Relaxed);
        let from = format!("X-Forwarded-For: 10.{}.{}.{}\r\n", number >> 16 & 255, number >> 8 & 255, number & 255);
        self.gateway.get("/reports/staff", &(basic(user, password) + &from))
    }
}

const HASH: &str = "Lh7DbSx4Y6j2kEe4DOJmccXTFl8DiNLRUNpX5VucuM4";

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Authorization: Basic {}\r\n", base64(format!("{user}:{password}").as_bytes()))
}

fn bearer(claims: serde_json::Value) -> String {
    format!("Authorization: Bearer {}\r\n", token(claims))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

#[test]
fn passwords_name_their_consumer() {
    let fixture = Fixture::new("passwords");
    for (user, password, consumer, credential) in
        [("ann@example.com", "correct horse", "ann", "ann-password"), ("ben", "pa:ss word", "ben", "ben-1")]
    {
        for _ in 0..3 {
            let answer = fixture.login(user, password);
            assert_eq!(answer.status, 200, "{user}: {answer:?}");
            let seen = &answer.json()["headers"];
            assert_eq!(
                (&seen["x-consumer-username"], &seen["x-credential-identifier"]),
                (&json!(consumer), &json!(credential))
            );
            assert!(seen.get("authorization").is_none(), "forward: false");
        }
    }
    for (user, password) in [
        ("ann@example.com", "correct horses"),
        ("ann@example.com", ""),
        ("ann", "correct horse"),
        ("ben", "pa"),
        ("ben", "correct horse"),
        ("last", "correct horse"),
        ("", ""),
        ("eve", "correct horse"),
    ] {
        let answer = fixture.login(user, password);
        assert_eq!(
            (answer.status, answer.json()["message"].as_str()),
            (401, Some("Invalid user authorization")),
            "{user}"
        );
        assert_eq!(answer.header("www-authenticate"), "Basic realm=\"staff\", charset=\"UTF-8\"");
    }
    for (header, message) in [
        ("", "Missing authorization in request"),
        ("Authorization: Bad_header YmFyOmJhcgo=\r\n", "Invalid authorization in request"),
        ("Authorization: Basic\r\n", "Invalid authorization in request"),
        ("Authorization: Basic YmFy\r\n", "Invalid authorization in request"),
        ("Authorization: Basic !!!\r\n", "Invalid authorization in request"),
    ] {
        let answer = fixture.gateway.get("/reports/staff", header);
        assert_eq!((answer.status, answer.json()["message"].as_str()), (401, Some(message)), "{header}");
    }
    let twice = basic("ben", "pa:ss word").repeat(2);
    assert_eq!(fixture.gateway.get("/reports/staff", &twice).status, 401);
    let log = fixture.gateway.log();
    assert!(!log.contains("horse") && !log.contains("ss word"), "{log}");
    assert!(!fixture.upstream.heads().iter().any(|head| head.contains("Basic")));
}

/// Half of what belongs together, good or bad, hashed already or not, makes no caller anonymous.
#[test]
fn an_incomplete_credential_is_not_an_anonymous_call() {
    let fixture = Fixture::new("half");
    let get = |headers: &str| fixture.gateway.get("/reports/extra", headers).status;
    let (good, bad) = (basic("ann@example.com", "correct horse"), basic("ann@example.com", "wrong"));
    let key = "X-API-Key: ann-secret\r\n";
    assert_eq!(get(""), 200);
    assert_eq!((get(&bad), get(&good), get(key)), (401, 401, 401));
    assert_eq!(fixture.login("ann@example.com", "correct horse").status, 200);
    assert_eq!((get(&bad), get(&good)), (401, 401), "also when it is remembered");
    assert_eq!((get(&format!("{key}{bad}")), get(&format!("{key}{good}"))), (401, 200));
}

/// A client with the right password gets through while others guess, and other routes do not slow down.
#[test]
fn guessed_passwords_do_not_delay_other_requests() {
    let fixture = Fixture::new("guesses");
    assert_eq!(fixture.login("ann@example.com", "correct horse").status, 200);
    let (guesses, stop) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for thread in 0..32 {
            let (fixture, guesses, stop) = (&fixture, &guesses, &stop);
            scope.spawn(move || {
                for number in 0.. {
                    if stop.load(Relaxed) > 0 {
                        return;
                    }
                    let user = if number % 2 == 0 { "ann@example.com" } else { "eve" };
                    let status = fixture.login(user, &format!("{thread}-{number}")).status;
                    assert!(matches!(status, 401 | 503), "{status}");
                    guesses.fetch_add(1, Relaxed);
                }
            });
        }
        eventually("some guesses", || (guesses.load(Relaxed) > 4).then_some(()));
        for _ in 0..20 {
            assert_eq!(fixture.login("ann@example.com", "correct horse").status, 200, "is remembered");
            assert_eq!(fixture.gateway.get("/reports/monthly", "X-API-Key: ann-secret\r\n").status, 200);
        }
        stop.store(1, Relaxed);
    });
}

#[test]
fn a_changed_password_is_not_remembered() {
    let fixture = Fixture::new("changed");
    assert_eq!(fixture.login("ben", "pa:ss word").status, 200);
    let changed = CONSUMERS
        .replace("{argon2id: \"$argon2id$v=19$m=64,t=1,p=1$c29tZSBzYWx0IGhlcmU$HASH\"}", "{env: TEST_PASSWORD}");
    assert_ne!(changed, CONSUMERS);
    std::fs::write(&fixture.file, changed).expect("written");
    eventually("the new password", || (fixture.login("ben", "correct horse").status == 200).then_some(()));
    assert_eq!(fixture.login("ben", "pa:ss word").status, 401);
}

#[test]
fn tokens_of_consumers_name_their_credential() {
    let fixture = Fixture::new("tokens");
    let get = |headers: &str| fixture.gateway.get("/reports/feed", headers);
    let good = get(&bearer(json!({"key": "ann-service", "exp": now() + 60})));
    assert_eq!(good.status, 200);
    assert_eq!(good.json()["headers"]["x-credential-identifier"], "ann-service");
    let exp = now() + 60;
    for (claims, message) in [
        (json!({"exp": exp}), "missing user key in JWT token"),
        (json!({"key": 7, "exp": exp}), "missing user key in JWT token"),
        (json!({"key": "eve", "exp": exp}), "Invalid user key in JWT token"),
        (json!({"key": "ann-service"}), "failed to verify jwt"),
        (json!({"key": "ann-service", "exp": now() - 1}), "failed to verify jwt"),
        (json!({"key": "ann-service", "exp": exp, "nbf": exp}), "failed to verify jwt"),
        // HS256, where the credential says HS512.
        (json!({"key": "ben-fixed", "exp": exp}), "failed to verify jwt"),
    ] {
        let answer = get(&bearer(claims.clone()));
        assert_eq!((answer.status, answer.json()["message"].as_str()), (401, Some(message)), "{claims}");
        assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"service\", error=\"invalid_token\"");
    }
    assert_eq!(get("").json()["message"], "Missing authorization in request");
    assert_eq!(get("Authorization: Bearer x.y\r\n").json()["message"], "JWT token invalid");
    // A credential that is taken away takes its tokens with it, verified or not.
    std::fs::write(&fixture.file, "consumers: [{username: guest}]").expect("written");
    let token = bearer(json!({"key": "ann-service", "exp": exp}));
    eventually("the end of the credential", || (get(&token).status == 401).then_some(()));
}

#[test]
fn the_gateway_signs_for_the_caller_only() {
    let fixture = Fixture::new("sign");
    let sign = |query: &str, headers: &str| fixture.gateway.get(&format!("/reports/token{query}"), headers);
    let ann = basic("ann@example.com", "correct horse");
    let before = now();
    let answer = sign(
        "?key=ann-service&payload=%7B%22sub%22%3A%22x%22%2C%22key%22%3A%22ben-fixed%22%2C%22exp%22%3A9999999999%7D",
        &ann,
    );
    assert_eq!((answer.status, answer.header("content-type").as_str()), (200, "text/plain; charset=utf-8"));
    assert_eq!(answer.header("cache-control"), "no-store");
    let bearer = format!("Authorization: Bearer {}\r\n", answer.body);
    assert_eq!(fixture.gateway.get("/reports/feed", &bearer).status, 200);
    let claims = claims_of(&answer.body);
    assert_eq!((claims["sub"].as_str(), claims["key"].as_str()), (Some("x"), Some("ann-service")));
    let exp = claims["exp"].as_u64().expect("a date");
    assert!((before + 30..=now() + 30).contains(&exp), "the caller does not choose");
    for (query, headers, status) in [
        ("?key=ann-service", "", 401),
        ("?key=ann-service", basic("ben", "pa:ss word").as_str(), 403),
        ("?key=nobody", &ann, 404),
        ("", &ann, 400),
        ("?key=ann-service&key=ann-service", &ann, 400),
        ("?key=ann-service&payload=7", &ann, 400),
        ("?key=ann-service&payload=%7B", &ann, 400),
    ] {
        assert_eq!(sign(query, headers).status, status, "{query}");
    }
    let ben = basic("ben", "pa:ss word");
    assert_eq!(sign("?key=ben-fixed", &ben).status, 404, "a credential without `signing`");
    let head = fixture.gateway.request("HEAD", "/reports/token?key=ann-service", &ann);
    assert_eq!((head.status, &*head.body), (200, ""));
    let line = fixture.gateway.log_line(|line| line["operation"] == "signToken" && line["status"] == 200);
    assert_eq!((line["caller"].as_str(), line.get("upstream")), (Some("ann"), None));
    assert!(fixture.upstream.heads().iter().all(|head| !head.contains("/token")));
}

fn claims_of(token: &str) -> serde_json::Value {
    use ::base64::Engine as _;
    let payload = token.split('.').nth(1).expect("three parts");
    let bytes = ::base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}

#[test]
fn credentials_end_when_they_say() {
    let fixture = Fixture::new("ends");
    assert_eq!(fixture.gateway.get("/reports/monthly", "X-API-Key: olaf-secret\r\n").status, 401);
    assert_eq!(fixture.gateway.get("/reports/monthly", "X-API-Key: ann-secret\r\n").status, 200);
}

fn command(fixture: &Fixture, words: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway-tests"));
    command.args(["--set", &format!("consumers.file={}", fixture.file.display())]).args(words);
    secrets(&mut command);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("written");
    child.wait_with_output().expect("ends")
}

#[test]
fn the_command_line_manages_consumers_of_a_running_gateway() {
    let fixture = Fixture::new("commands");
    let run = |words: &[&str], input: &str| {
        let output = command(&fixture, words, input);
        let problems = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{words:?}: {problems}");
        (String::from_utf8_lossy(&output.stdout).into_owned(), problems)
    };
    run(&["consumers", "add", "dora", "--group", "gold", "--role", "auditor"], "");
    let (key, told) = run(&["keys", "create", "dora", "--id", "first"], "");
    let key = key.trim();
    assert!(key.starts_with("gwk_") && key.len() == 42 && !told.contains(key), "{key} {told}");
    let text = std::fs::read_to_string(&fixture.file).expect("readable");
    assert!(!text.contains(key), "only the hash is kept");
    let status = |key: &str| fixture.gateway.get("/reports/audit", &format!("X-API-Key: {key}\r\n")).status;
    eventually("the new key", || (status(key) == 200).then_some(()));
    assert_eq!(status(&key.replace("gwk_", "gwk_0")), 401);

    let (next, _) = run(&["keys", "roll", "dora", "first", "--overlap", "3s", "--id", "second"], "");
    eventually("the next key", || (status(next.trim()) == 200).then_some(()));
    eventually("the end of the first key", || (status(key) == 401).then_some(()));
    run(&["keys", "revoke", "dora", "second"], "");
    eventually("the end of the second key", || (status(next.trim()) == 401).then_some(()));

    run(&["consumers", "password", "dora", "--user", "dora@example.com"], "open sesame\n");
    eventually("the password", || (fixture.login("dora@example.com", "open sesame").status == 200).then_some(()));
    let (listed, _) = run(&["consumers", "list"], "");
    assert!(listed.contains("dora  group gold  roles auditor\n") && listed.contains("  basic  password\n"), "{listed}");
    run(&["consumers", "remove", "dora"], "");
    eventually("the end of dora", || (fixture.login("dora@example.com", "open sesame").status == 401).then_some(()));
    assert_eq!(
        std::fs::read_to_string(&fixture.file).expect("readable"),
        CONSUMERS.replace("HASH", HASH),
        "the rest is untouched"
    );

    let (token, _) = run(&["token", "sign", "ann-service", "--claim", "sub=ann", "--claim", "admin=true"], "");
    let claims = claims_of(token.trim());
    assert_eq!(
        (&claims["sub"], &claims["admin"], &claims["key"]),
        (&json!("ann"), &json!(true), &json!("ann-service"))
    );
    let bearer = format!("Authorization: Bearer {}\r\n", token.trim());
    assert_eq!(fixture.gateway.get("/reports/feed", &bearer).status, 200);
    for (words, expected) in [
        (&["keys", "create", "eve"][..], "no consumer `eve`"),
        (&["keys", "revoke", "ann", "nothing"], "no credential `nothing`"),
        (&["keys", "create", "ann", "--id", "ann-key"], "already"),
        (&["consumers", "add", "ann"], "already"),
        (&["consumers", "add", "an/n"], "not a user name"),
        (&["consumers", "remove", "eve"], "no consumer `eve`"),
        (&["consumers", "password", "ann"], "empty"),
        (&["consumers", "remove", "guest"], "an operation needs the consumer `guest`"),
        (&["consumers", "add", "eve", "--custom-id", "\u{e4}"], "cannot stand in a header"),
        (&["keys", "create", "ann", "--id", "a b"], "is not an id"),
        (&["keys", "create", "ann", "--expires", "3650000d"], "expected a duration"),
        (&["keys", "roll", "ann", "ann-password"], "of type basic, not a key"),
        (&["keys", "roll", "ann", "ann-old"], "has ended already"),
        (&["token", "sign", "ben-fixed"], "no `signing`"),
        (&["token", "sign", "nothing"], "no credential of type jwt"),
    ] {
        let output = command(&fixture, words, "");
        let problems = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && problems.contains(expected), "{words:?}: {problems}");
    }
    // What an operation needs may be added last.
    std::fs::write(&fixture.file, "consumers: []\n").expect("written");
    let output = command(&fixture, &["consumers", "add", "ann"], "");
    let problems = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && problems.contains("there is no consumer `guest`"), "{problems}");
    let output = command(&fixture, &["consumers", "add", "guest"], "");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The file stays whose it is, a link stays a link, and of two commands at once none is lost.
#[test]
fn commands_leave_the_file_as_it_is() {
    use std::os::unix::fs::PermissionsExt as _;
    let fixture = Fixture::new("file");
    let real = fixture.file.with_extension("real");
    std::fs::rename(&fixture.file, &real).expect("renamed");
    std::os::unix::fs::symlink(&real, &fixture.file).expect("linked");
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o640)).expect("permitted");
    std::thread::scope(|scope| {
        for number in 0..8 {
            let fixture = &fixture;
            scope.spawn(move || {
                let output = command(fixture, &["keys", "create", "ben", "--id", &format!("k{number}")], "");
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            });
        }
    });
    assert!(std::fs::symlink_metadata(&fixture.file).expect("there").is_symlink());
    assert_eq!(std::fs::metadata(&real).expect("there").permissions().mode() & 0o777, 0o640);
    let text = std::fs::read_to_string(&real).expect("readable");
    assert!((0..8).all(|number| text.contains(&format!("\"k{number}\""))), "{text}");
    let _ = std::fs::remove_file(&real);
}

/// Each mistake is reported with its place and its code, and no secret is repeated.
#[test]
fn mistakes_in_the_file_are_reported() {
    let file = std::env::temp_dir().join(format!("gateway-credentials-mistakes-{}.yaml", std::process::id()));
    let pem = file.with_extension("pem");
    std::fs::write(&pem, "-----BEGIN PUBLIC KEY-----\nbm90IGEga2V5\n-----END PUBLIC KEY-----\n").expect("written");
    let pem_file = pem.display().to_string();
    let long = "x".repeat(257);
    for (credentials, expected) in [
        (
            "{type: key, key: {env: TEST_ANN_KEY}}, {type: key, key: {env: TEST_ANN_KEY}}",
            "duplicate key of key credentials: `ann` has the same [GW601]",
        ),
        ("{type: key, key: {env: TEST_NEVER_SET}}", "TEST_NEVER_SET is not set [GW602]"),
        ("{type: key, key: hunter2}", "expected one of {env: NAME}"),
        ("{type: key, key: {value: hunter2}}", "`value` is for tests"),
        ("{type: key, key: {sha256: hunter2}}", "64 hexadecimal digits"),
        ("{type: key, key: {argon2id: hunter2}}", "expected one of"),
        ("{type: key, key: {env: TEST_ANN_KEY}, expires: tomorrow}", "`expires` is not a time"),
        ("{type: key}", "has no `key`"),
        ("{type: keys, key: {env: TEST_ANN_KEY}}", "unknown type of credential `keys`"),
        ("{type: key, kye: {env: TEST_ANN_KEY}, key: {env: TEST_ANN_KEY}}", "did you mean `key`?"),
        ("{type: basic, username: \"a:b\", password: {env: TEST_PASSWORD}}", "colon"),
        ("{type: basic, username: a, password: {argon2id: hunter2}}", "needs a hash such as"),
        ("{type: basic, username: a, password: {sha256: hunter2}}", "{argon2id: hash}"),
        (
            "{type: basic, username: a, password: {env: TEST_PASSWORD}}, {type: basic, username: a, password: {env: TEST_PASSWORD}}",
            "duplicate username of basic credentials: `ann` has the same [GW601]",
        ),
        ("{type: jwt, key: k}", "property \"secret\" is required when using HS based algorithms"),
        (
            "{type: jwt, key: k, secret: {env: TEST_ANN_KEY}}",
            "the secret has 10 bytes, and HS256 needs 32; use a longer one, or write `weakSecretOk: true` beside it [GW310]",
        ),
        (
            "{type: jwt, key: k, algorithm: RS256}",
            "missing valid public key: RS256 needs `publicKey: {file: …}` [GW603]",
        ),
        (
            "{type: jwt, key: k, algorithm: RS256, publicKey: {file: PEM}}",
            "the public key is not a PEM key for RS256 [GW603]",
        ),
        (
            "{type: jwt, key: k, algorithm: RS256, secret: {env: TEST_TOKEN_SECRET}}",
            "`secret` is not for RS256, which needs `publicKey` [GW603]",
        ),
        ("{type: jwt, key: k, algorithm: none, secret: {env: TEST_TOKEN_SECRET}}", "`none` is not an algorithm"),
        (
            "{type: jwt, key: k, secret: {env: TEST_TOKEN_SECRET, encoding: base64}}",
            "TEST_TOKEN_SECRET is not in base64 format [GW604]",
        ),
        ("{type: jwt, key: k, secret: {env: TEST_TOKEN_SECRET}, signing: {ttl: 0s}}", "one second at least"),
        (
            "{type: jwt, key: k, secret: {env: TEST_TOKEN_SECRET}}, {type: jwt, key: k, secret: {env: TEST_TOKEN_SECRET}}",
            "duplicate key of jwt credentials",
        ),
        (
            "{type: hmac, keyId: LONG, secret: {env: TEST_TOKEN_SECRET}}",
            "`keyId` is too long: more than 256 bytes [GW606]",
        ),
        ("{type: hmac, keyId: \"\", secret: {env: TEST_TOKEN_SECRET}}", "`keyId` is empty [GW606]"),
        (
            "{type: hmac, keyId: a, secret: {env: TEST_TOKEN_SECRET}}, {type: hmac, keyId: a, secret: {env: TEST_TOKEN_SECRET}}",
            "duplicate keyId of hmac credentials",
        ),
        ("{id: \"a b\", type: key, key: {env: TEST_ANN_KEY}}", "is not an id"),
        (
            "{type: key, key: {env: TEST_ANN_KEY}}]}, {username: ann, credentials: [",
            "two consumers called `ann` [GW605]",
        ),
        ("]}, {username: \"an/n\", credentials: [", "`an/n` is not a user name"),
    ] {
        let credentials = credentials.replace("LONG", &long).replace("PEM", &pem_file);
        std::fs::write(
            &file,
            format!("consumers:\n  [{{username: ann, credentials: [{credentials}]}}, {{username: guest}}]\n"),
        )
        .expect("written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway-tests"));
        command.args(["check", "--set", &format!("consumers.file={}", file.display())]);
        secrets(&mut command);
        let output = command.output().expect("runs");
        let problems = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{credentials}");
        let place = format!("{}:2:", file.display());
        assert!(problems.contains(expected) && problems.contains(&place), "{credentials}\n{problems}");
        assert!(!problems.contains("hunter2") && !problems.contains(support::SECRET), "{problems}");
    }
    let _ = (std::fs::remove_file(&file), std::fs::remove_file(&pem));
}
