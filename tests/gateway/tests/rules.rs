//! What becomes of requests that no path matches: the `rules` of `specs/files.yaml` and `specs/payments.yaml`.

#[path = "../../support/mod.rs"]
mod support;

use support::{Gateway, Upstream, eventually, token};

fn session() -> String {
    token(serde_json::json!({"sub": "ann", "exp": 4_102_444_800_u64}))
}

/// Waits until the metrics have this line; a request is counted after its answer.
fn counts(gateway: &Gateway, line: &str) {
    eventually(line, || gateway.operations("/metrics").body.contains(line).then_some(()));
}

#[test]
fn redirects_carry_captured_groups() {
    let upstream = Upstream::echo();
    let gateway = Gateway::before(&upstream);
    for (target, location) in [
        ("/v0/files/a.txt", "/files/a.txt"),
        ("/v0/files/a.txt?x=1&y=%20", "/files/a.txt?x=1&y=%20"),
        ("/v0/", "/"),
        ("/v0/?x=//evil.example", "/?x=//evil.example"),
        ("/v0/caf%c3%a9/%7euser", "/caf%C3%A9/~user"),
        ("/v0/a?b=\u{e9}\"\\<>", "/a?b=%C3%A9%22%5C%3C%3E"),
        ("/%760/a", "/a"),
    ] {
        for method in ["GET", "HEAD", "POST"] {
            let answer = gateway.request(method, target, if method == "POST" { "Content-Length: 0\r\n" } else { "" });
            assert_eq!((answer.status, &*answer.header("location")), (301, location), "{method} {target}: {answer:?}");
            assert_eq!(answer.header("content-length"), "6");
        }
    }
    let parked = |host: &str, target: &str| {
        let mut connection = gateway.connect();
        connection.send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        let answer = connection.response(false);
        (answer.status, answer.header("location"))
    };
    for host in ["parked.example", "PARKED.example:8080", "parked.example."] {
        assert_eq!(parked(host, "/a"), (302, "https://files.example/".to_owned()), "{host}");
        assert_eq!(parked(host, "/robots.txt"), (404, String::new()), "{host}");
        assert_eq!(parked(host, "/files/a"), (200, String::new()), "a path is described: {host}");
    }
    assert_eq!(parked("unparked.example", "/a").0, 404);
    assert_eq!(parked("files.example", "http://parked.example/a").0, 302, "the target's host counts");
}

#[test]
fn no_request_chooses_where_a_redirect_leads() {
    let gateway = Gateway::before(&Upstream::echo());
    for (target, status, location) in [
        ("/v0//evil.example", 400, ""),
        ("/v0///evil.example/a", 400, ""),
        ("/v0/\\evil.example", 400, ""),
        ("/v0/%5Cevil.example", 301, "/%5Cevil.example"),
        ("/v0/%2Fevil.example", 301, "/%2Fevil.example"),
        ("/v0/https://evil.example", 301, "/https://evil.example"),
        ("/v0/@evil.example", 301, "/@evil.example"),
        ("/v0/%0d%0aSet-Cookie:a=b", 400, ""),
        ("/v0/a?%0d%0aSet-Cookie:a=b", 301, "/a?%0d%0aSet-Cookie:a=b"),
        ("/v0/%09//evil.example", 400, ""),
        ("/v0/../evil", 400, ""),
        ("/v0/%u002f", 400, ""),
    ] {
        let answer = gateway.get(target, "");
        assert_eq!((answer.status, &*answer.header("location")), (status, location), "{target}: {answer:?}");
        assert_eq!(answer.header("set-cookie"), "");
    }
}

#[test]
fn answers_of_rules() {
    let upstream = Upstream::echo();
    let gateway = Gateway::before(&upstream);
    for target in ["/ftp", "/FTP/a", "/fTp/a/b?c"] {
        let answer = gateway.get(target, "");
        assert_eq!((answer.status, &*answer.body), (410, "{\"error\":\"ftp is gone\"}"), "{target}");
        assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
        assert!(answer.head.starts_with("HTTP/1.1 410 Gone\r\n"));
    }
    let head = gateway.request("HEAD", "/ftp", "");
    assert_eq!((head.status, &*head.header("content-length")), (410, "23"));
    // The next request on the connection is read from its beginning.
    let mut connection = gateway.connect();
    connection.send("POST /ftp HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    assert_eq!(connection.response(false).status, 410);
    connection.send("GET /v1/health HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(connection.response(false).status, 200);
    // Where no rule is about it, everything is as without rules.
    let unknown = gateway.get("/ftps", "");
    assert_eq!((unknown.status, &*unknown.body), (404, "{\"message\":\"Not found\"}"));
    assert_eq!(gateway.request("POST", "/files/a", "Content-Length: 0\r\n").status, 405, "the path is described");
    assert_eq!(gateway.request("OPTIONS", "*", "").status, 204, "no rule is asked");
    let line = gateway.log_line(|line| line["status"] == 410);
    assert_eq!((line["api"].as_str(), line["operation"].as_str()), (Some("files"), Some("rule 2")));
    counts(&gateway, "gateway_requests_total{listener=\"test\",api=\"files\",operation=\"rule 2\",status=\"4xx\"} 5");
}

#[test]
fn rewritten_targets_are_routed_with_the_security_of_their_operation() {
    let upstream = Upstream::echo();
    let gateway = Gateway::before(&upstream);
    // Rule 3 makes `/store/…` of it, rule 4 a described path; rule 5 is not tried, because rule 4 is the last.
    for target in ["/upload/ab/x.txt", "/store/ab/x.txt"] {
        let answer = gateway.get(target, "");
        assert_eq!((answer.status, answer.json()["target"].as_str()), (200, Some("/ab-x.txt")), "{answer:?}");
        assert_eq!(answer.header("cache-control"), "public, max-age=60", "as the operation says");
        let refused = gateway.request("PUT", target, "Content-Length: 0\r\n");
        assert_eq!((refused.status, &*refused.body), (401, "{\"error\":\"Forbidden\"}"));
        assert!(refused.header("www-authenticate").contains("session"));
        let stored = gateway.request("PUT", target, &format!("X-Session: {}\r\nContent-Length: 0\r\n", session()));
        assert_eq!((stored.status, stored.json()["target"].as_str()), (200, Some("/ab-x.txt")));
        let other = gateway.request("PATCH", target, "");
        assert_eq!((other.status, &*other.header("allow")), (405, "GET, HEAD, OPTIONS, PUT"));
    }
    // A credential in the query counts, and is not forwarded.
    let answer = gateway.request("PUT", &format!("/store/ab/x?session={}&y=1", session()), "Content-Length: 0\r\n");
    assert_eq!((answer.status, answer.json()["target"].as_str()), (200, Some("/ab-x?y=1")));
    // What is captured cannot leave the path, and no greedy parameter takes what is unclear.
    for (target, status) in
        [("/store/ab/c//x", 404), ("/store/ab/a;b", 404), ("/store/ab/a%2Fb", 404), ("/store/1/x", 404)]
    {
        assert_eq!(gateway.get(target, "").status, status, "{target}");
    }
    // The log has the path as received.
    gateway.log_line(|line| line["status"] == 405 && line["path"] == "/upload/ab/x.txt");
}

#[test]
fn rules_forward_with_a_security_of_their_own() {
    let upstream = Upstream::echo();
    let gateway = Gateway::before(&upstream);
    let refused = gateway.get("/archive/a", "");
    assert_eq!((refused.status, &*refused.body), (401, "{\"error\":\"Forbidden\"}"));
    assert!(refused.header("www-authenticate").contains("session"));
    assert_eq!(gateway.get("/archive/a", "X-Session: nonsense\r\n").status, 401);
    assert_eq!(gateway.request("OPTIONS", "/archive/a", "").status, 401, "any method");
    assert_eq!(upstream.connections(), 0);
    let session = session();
    let header = format!("X-Session: {session}\r\nX-Consumer-Username: root\r\n");
    for (target, reached) in [
        ("/archive/a/b.txt".to_owned(), "/a/b.txt"),
        ("/archive/".to_owned(), "/"),
        ("/archive/a%20b?x=1&y=%2f".to_owned(), "/a%20b?x=1&y=%2f"),
        ("/archive/2024/a.txt".to_owned(), "/attic/2024?file=a.txt"),
        ("/archive/2024/a%26b%3f?x".to_owned(), "/attic/2024?file=a%26b%3F?x"),
        // A hidden credential is nowhere in what a rule makes.
        (format!("/archive/2024/a.txt?session={session}"), "/attic/2024?file=a.txt"),
        (format!("/archive/a?y=1&session={session}"), "/a?y=1"),
    ] {
        let header = if target.contains("session=") { "" } else { &header };
        let answer = gateway.get(&target, header);
        assert_eq!((answer.status, answer.json()["target"].as_str()), (200, Some(reached)), "{target}");
        assert!(
            answer.json()["headers"].get("x-session").is_none()
                && answer.json()["headers"].get("x-consumer-username").is_none()
        );
    }
    assert_eq!(gateway.get("/archive/a", &header).header("content-type"), "text/plain", "the rule's");
    for (method, status) in [("PUT", 200), ("PROPFIND", 200), ("OPTIONS", 200), ("TRACE", 405)] {
        let answer = gateway.request(method, "/archive/a", &header);
        assert_eq!(answer.status, status, "{method}: {answer:?}");
    }
    // What upstreams may read as another path than the one that was captured.
    for target in
        ["/archive//a", "/archive/a//b", "/archive/a;b/c", "/archive/a%2Fb", "/archive/a%5Cb", "/archive/a%252Fb"]
    {
        assert_eq!(gateway.get(target, &header).status, 400, "{target}");
    }
    let line = gateway.log_line(|line| line["operation"] == "rule 8" && line["status"] == 200);
    assert_eq!((line["api"].as_str(), line["upstream"].as_str()), (Some("files"), Some("archive")));
    counts(&gateway, "api=\"files\",operation=\"rule 7\",status=\"2xx\"} 3");
}

#[test]
fn rules_of_an_api_for_https_only_are_for_https_only() {
    let upstream = Upstream::echo();
    let gateway = Gateway::start(&["trustedProxies=[127.0.0.1]"], upstream.address);
    let get = |target: &str, more: &str| {
        let mut connection = gateway.connect();
        connection.send(format!("GET {target} HTTP/1.1\r\nHost: payments.example\r\n{more}\r\n"));
        connection.response(false)
    };
    let secure = "X-Forwarded-Proto: https\r\n";
    for target in ["/till/a?b=c", "/money/rates"] {
        let plain = get(target, "");
        assert_eq!((plain.status, plain.header("location")), (301, format!("https://payments.example{target}")));
    }
    let ruled = get("/till/a?b=c", secure);
    assert_eq!((ruled.status, &*ruled.header("location")), (307, "/payments/a?b=c"));
    assert_eq!(ruled.header("strict-transport-security"), "max-age=15552000; includeSubDomains");
    let rewritten = get("/money/rates?a=b", secure);
    assert_eq!((rewritten.status, rewritten.json()["target"].as_str()), (200, Some("/rates?a=b")));
    assert_eq!(get("/money/transfers", secure).status, 401, "the described operation's security");
    // Rules of other APIs are not for HTTPS only.
    assert_eq!(get("/v0/a", "").status, 301);
    assert_eq!(get("/v0/a", "").header("location"), "/a");
    assert_eq!(gateway.request("GET", "/till/a", "").status, 421, "a host that nobody knows");
}

#[test]
fn targets_do_not_grow_without_end() {
    let gateway = Gateway::start(&["limits.requestLine=1KiB"], Upstream::echo().address);
    let long = "a".repeat(980);
    assert_eq!(gateway.get(&format!("/v0/{long}"), "").status, 301);
    assert_eq!(gateway.get(&format!("/v0/{long}?{}", "\u{e9}".repeat(8)), "").status, 414, "what is encoded is longer");
}
