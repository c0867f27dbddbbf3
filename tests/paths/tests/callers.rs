//! `key: [caller]`, which counts every caller, and limits of wrong credentials.

#[path = "../../support/mod.rs"]
mod support;

use std::process::Command;

use serde_json::json;
use support::{Gateway, Response, Upstream, base64, token};

fn gateway(upstream: &Upstream) -> Gateway {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway-paths"));
    support::usual_settings(&mut command);
    support::secrets(&mut command);
    let consumers = concat!("consumers.file=", env!("CARGO_MANIFEST_DIR"), "/consumers.yaml");
    let address = format!("upstreams.callers.default=http://{}", upstream.address);
    for setting in ["insecureLiterals=true", "trustedProxies=[127.0.0.0/8]", consumers, &address] {
        command.args(["--set", setting]);
    }
    Gateway::launch(command)
}

fn from(address: &str) -> String {
    format!("X-Forwarded-For: {address}\r\n")
}

#[test]
fn every_kind_of_caller_has_counters_of_its_own() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream);
    let expires = json!(4_102_444_800_u64);
    let bearer = |claims: serde_json::Value| format!("Authorization: Bearer {}\r\n", token(claims));
    let callers = [
        "X-Key: olaf-secret\r\n".to_owned(),
        "X-Key: ann-secret\r\n".to_owned(),
        // A user who is called like a consumer, and a client that is called like a user.
        bearer(json!({"sub": "olaf", "exp": expires})),
        bearer(json!({"sub": "bob", "client_id": "app", "exp": expires})),
        bearer(json!({"sub": "bob", "client_id": "bob", "exp": expires})),
        from("192.0.2.1"),
        from("192.0.2.2"),
    ];
    for headers in &callers {
        let statuses: Vec<u16> = (0..3).map(|_| gateway.get("/callers/each", headers).status).collect();
        assert_eq!(statuses, [200, 200, 429], "{headers}");
    }
}

#[test]
fn wrong_keys_are_limited_by_address() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream);
    let get = |address: &str, key: &str| -> Response {
        gateway.get("/callers/key", &format!("{}X-Key: {key}\r\n", from(address)))
    };
    // A request without a key is no guess, and a right one neither.
    for _ in 0..5 {
        assert_eq!(gateway.get("/callers/key", &from("192.0.2.1")).status, 401);
        assert_eq!(get("192.0.2.1", "olaf-secret").status, 200);
    }
    for guess in 0..3 {
        assert_eq!(get("192.0.2.1", &format!("guess-{guess}")).status, 401);
    }
    for key in ["guess-3", "olaf-secret"] {
        let refused = get("192.0.2.1", key);
        assert_eq!(refused.status, 429);
        let seconds: u64 = refused.header("retry-after").parse().expect("seconds");
        assert!((3_600..=86_400).contains(&seconds), "{seconds}");
        assert!(!refused.body.contains("key"), "{refused:?}");
    }
    let line = gateway.log_line(|line| line["status"] == 429);
    assert_eq!(line["reject"], "too-many-failures");
    assert_eq!(get("192.0.2.2", "olaf-secret").status, 200);
}

#[test]
fn concurrent_guesses_are_limited_like_sequential_ones() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream);
    let guess = |password: &str| {
        let headers = format!("Authorization: Basic {}\r\n", base64(format!("olaf:{password}").as_bytes()));
        gateway.get("/callers/password", &headers).status
    };
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let guesses: Vec<_> = (0..20).map(|number| scope.spawn(move || guess(&format!("wrong {number}")))).collect();
        guesses.into_iter().map(|guess| guess.join().expect("no panic")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 2, "{statuses:?}");
    assert_eq!(guess("correct horse"), 429);
}

#[test]
fn tokens_are_not_refused_for_wrong_passwords() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream);
    let password = format!("Authorization: Basic {}\r\n", base64(b"olaf:correct horse"));
    assert_eq!(gateway.get("/callers/password", &password).status, 200);
    for _ in 0..2 {
        let wrong = format!("Authorization: Basic {}\r\n", base64(b"olaf:wrong"));
        assert_eq!(gateway.get("/callers/password", &wrong).status, 401);
    }
    assert_eq!(gateway.get("/callers/password", &password).status, 429);
    // Another limit counts there, and tokens are not limited at all.
    assert_eq!(gateway.get("/callers/usual", &password).status, 200);
    let bearer = token(json!({"sub": "bob", "exp": 4_102_444_800_u64}));
    assert_eq!(gateway.get("/callers/usual", &format!("Authorization: Bearer {bearer}\r\n")).status, 200);
}
