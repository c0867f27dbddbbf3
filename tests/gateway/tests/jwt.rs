//! Tokens, as clients bring them.

#[path = "../../support/mod.rs"]
mod support;

use serde_json::{Value, json};
use support::{Gateway, Upstream, token};

const LATER: u64 = 4_102_444_800;

fn bearer(claims: Value) -> String {
    format!("Authorization: Bearer {}\r\n", token(claims))
}

#[test]
fn scopes_decide_who_may_call_which_operation() {
    let upstream = Upstream::echo();
    let gateway = Gateway::before(&upstream);
    let reader = bearer(json!({"sub": "ann", "scope": "notes:read", "exp": LATER}));
    let writer = bearer(json!({"sub": "ann", "scp": ["notes:read", "notes:write"], "exp": LATER}));
    let deleter = bearer(json!({"sub": "ann", "roles": ["notes:write"], "exp": LATER}));
    let expired = bearer(json!({"sub": "ann", "scope": "notes:read", "exp": 1}));
    let nobody = bearer(json!({"scope": "notes:read", "exp": LATER}));
    for (method, target, headers, status) in [
        ("GET", "/v1/health", "", 200),
        ("GET", "/v1/health", "Authorization: Bearer nonsense\r\n", 200),
        ("GET", "/v1/notes", "", 401),
        ("GET", "/v1/notes", "Authorization: Basic YTpi\r\n", 401),
        ("GET", "/v1/notes", "Authorization: Bearer\r\n", 401),
        ("GET", "/v1/notes", "Authorization: Bearer nonsense\r\n", 401),
        ("GET", "/v1/notes", &expired, 401),
        ("GET", "/v1/notes", &nobody, 401),
        ("GET", "/v1/notes", &format!("{reader}{reader}"), 401),
        ("GET", "/v1/notes", &reader, 200),
        ("GET", "/v1/notes/7", &reader, 200),
        ("POST", "/v1/notes", &reader, 403),
        ("POST", "/v1/notes", &writer, 200),
        ("POST", "/v1/notes", &deleter, 403),
        ("DELETE", "/v1/notes/7", &deleter, 200),
        ("DELETE", "/v1/notes/7", &reader, 403),
    ] {
        let answer = gateway.request(method, target, headers);
        assert_eq!(answer.status, status, "{method} {target} {headers}: {answer:?}");
    }
    assert!(!upstream.heads().iter().any(|head| head.contains("nonsense") && !head.contains("/health")));
}

#[test]
fn refusals_say_what_is_needed() {
    let gateway = Gateway::before(&Upstream::echo());
    let missing = gateway.get("/v1/notes", "");
    assert_eq!(
        (missing.header("www-authenticate").as_str(), missing.json()["message"].as_str()),
        ("Bearer realm=\"accounts\"", Some("Missing authorization in request"))
    );
    let invalid = gateway.get("/v1/notes", "Authorization: Bearer a.b.c\r\n");
    assert_eq!(
        (invalid.header("www-authenticate").as_str(), invalid.json()["message"].as_str()),
        ("Bearer realm=\"accounts\", error=\"invalid_token\"", Some("failed to verify jwt"))
    );
    let scope =
        gateway.request("POST", "/v1/notes", &bearer(json!({"sub": "ann", "scope": "notes:read", "exp": LATER})));
    assert_eq!(
        scope.header("www-authenticate"),
        "Bearer realm=\"accounts\", error=\"insufficient_scope\", scope=\"notes:read notes:write\""
    );
}

#[test]
fn documents_choose_their_error_bodies() {
    let gateway = Gateway::before(&Upstream::echo());
    let missing = gateway.request("PUT", "/files/a", "Content-Length: 0\r\n");
    assert_eq!((missing.status, missing.json()), (401, json!({"error": "Forbidden"})));
    let invalid = gateway.request("PUT", "/files/a", "X-Session: nonsense\r\nContent-Length: 0\r\n");
    assert_eq!((invalid.status, invalid.json()), (401, json!({"error": "INVALID_TOKEN"})));
}

#[test]
fn credentials_that_are_not_forwarded_are_removed_from_every_location() {
    let gateway = Gateway::before(&Upstream::echo());
    let token = token(json!({"exp": LATER}));
    for (target, headers) in [
        ("/files/a?x=1".to_owned(), format!("X-Session: {token}\r\n")),
        (format!("/files/a?x=1&session={token}"), String::new()),
        ("/files/a?x=1".to_owned(), format!("Cookie: a=1; session={token}; b=2\r\n")),
        (
            format!("/files/a?x=1&session=other&%73ession={token}"),
            format!("X-Session: {token}\r\nCookie: session=third\r\n"),
        ),
    ] {
        let answer = gateway.request("PUT", &target, &format!("{headers}Content-Length: 0\r\n"));
        assert_eq!(answer.status, 200, "{target} {headers}");
        assert_eq!(answer.json()["target"], "/a?x=1");
        assert!(!answer.body.contains(&token) && !answer.body.contains("session"), "{}", answer.body);
    }
    let answer =
        gateway.request("PUT", "/files/a", &format!("Cookie: a=1; session={token}; b=2\r\nContent-Length: 0\r\n"));
    assert_eq!(answer.json()["headers"]["cookie"], "a=1; b=2");
}

#[test]
fn tokens_do_not_reach_the_log() {
    let gateway = Gateway::before(&Upstream::echo());
    let token = token(json!({"sub": "ann", "exp": LATER}));
    assert_eq!(gateway.request("PUT", &format!("/files/a?session={token}"), "Content-Length: 0\r\n").status, 200);
    let line = gateway.log_line(|line| line["operation"] == "writeFile");
    assert_eq!((line["caller"].as_str(), line["path"].as_str()), (Some("ann"), Some("/files/a")));
    assert!(!gateway.log().contains(&token));
}
