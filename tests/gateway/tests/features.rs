//! What the gateway does with the parts of HTTP that no other test is about, row by row of `docs/http.md`.

#[path = "../../support/mod.rs"]
mod support;

use support::{Connection, Gateway, Upstream, read_body};

/// An upstream that answers each request alike.
fn answering(answer: &'static str) -> Upstream {
    Upstream::start(move |head, connection| {
        read_body(head, connection);
        connection.send(answer);
        true
    })
}

#[test]
fn a_tunnel_to_somewhere_is_not_opened() {
    let upstream = Upstream::echo();
    let gateway = Gateway::before(&upstream);
    for target in ["internal.example:443", "/v1/health", "*"] {
        let answer = gateway.raw(format!("CONNECT {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert_eq!(status, if target == "/v1/health" { "405" } else { "400" }, "{target}: {answer}");
    }
    assert!(upstream.heads().is_empty());
}

#[test]
fn methods_are_those_of_the_document_letter_by_letter() {
    let upstream = Upstream::echo();
    let gateway = Gateway::before(&upstream);
    for method in ["TRACE", "get", "BREW", "PROPFIND"] {
        let answer = gateway.request(method, "/v1/health", "");
        assert_eq!((answer.status, &*answer.header("allow")), (405, "GET, HEAD"), "{method}");
    }
    assert!(upstream.heads().is_empty());
}

#[test]
fn conditions_and_ranges_are_the_upstreams_business() {
    let upstream = Upstream::echo();
    let gateway = Gateway::before(&upstream);
    let asked = "If-None-Match: W/\"a\", \"b\"\r\nIf-Match: \"c\"\r\nIf-Modified-Since: x\r\nIf-Unmodified-Since: y\r\n\
                 Range: bytes=1-2,5-\r\nIf-Range: \"b\"\r\nCache-Control: no-cache\r\nAccept: text/*;q=0.5\r\n\
                 Accept-Language: de\r\nAccept-Encoding: gzip\r\nPriority: u=1\r\nUser-Agent: test\r\nReferer: /a\r\n";
    let seen = gateway.get("/v1/health", asked).json()["headers"].clone();
    for line in asked.lines() {
        let (name, value) = line.split_once(": ").expect("a field");
        assert_eq!(seen[name.to_lowercase()], value, "{name}");
    }
    let part = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 1-2/10\r\nAccept-Ranges: bytes\r\nETag: \"b\"\r\n\
                Age: 5\r\nCache-Control: max-age=60\r\nExpires: never\r\nLast-Modified: x\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\nbc";
    let answer = Gateway::before(&answering(part)).get("/v1/health", "Range: bytes=1-2\r\n");
    assert_eq!((answer.status, &*answer.body), (206, "bc"));
    for line in part.lines().skip(1).take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").expect("a field");
        assert_eq!(answer.header(name), value);
    }
    let none = "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */10\r\nContent-Length: 0\r\n\r\n";
    let answer = Gateway::before(&answering(none)).get("/v1/health", "Range: bytes=20-\r\n");
    assert_eq!((answer.status, &*answer.header("content-range")), (416, "bytes */10"));
}

#[test]
fn a_file_knows_what_has_not_changed_and_has_no_parts() {
    let gateway = Gateway::before(&Upstream::echo());
    let page = gateway.get("/articles/page", "Accept-Encoding: identity\r\n");
    let etag = page.header("etag");
    assert!(page.status == 200 && etag.starts_with('"') && page.header("accept-ranges").is_empty(), "{}", page.head);
    for (condition, status) in [
        (format!("If-None-Match: {etag}"), 304),
        (format!("If-None-Match: \"x\", W/{etag}"), 304),
        ("If-None-Match: \"x\"".to_owned(), 200),
        ("If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT".to_owned(), 200),
        ("Range: bytes=0-1".to_owned(), 200),
    ] {
        assert_eq!(gateway.get("/articles/page", &format!("{condition}\r\n")).status, status, "{condition}");
    }
}

#[test]
fn authentication_between_proxies_ends_here() {
    let upstream = Upstream::echo();
    let seen = Gateway::before(&upstream)
        .get("/v1/health", "Proxy-Authorization: Basic eA==\r\nAuthorization: Basic eQ==\r\n");
    let seen = seen.json()["headers"].clone();
    assert!(seen.get("proxy-authorization").is_none() && seen["authorization"] == "Basic eQ==", "{seen}");
    let challenge = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"its own\"\r\nProxy-Authenticate: Basic\r\n\
                     Authentication-Info: a=1\r\nContent-Length: 0\r\n\r\n";
    let answer = Gateway::before(&answering(challenge)).get("/v1/health", "");
    assert_eq!((answer.status, &*answer.header("www-authenticate")), (401, "Basic realm=\"its own\""));
    assert_eq!((&*answer.header("proxy-authenticate"), &*answer.header("authentication-info")), ("", "a=1"));
}

#[test]
fn responses_have_a_date_and_keep_server_and_via() {
    let dated = "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: its-own/1\r\nVia: 1.1 its-cache\r\n\
                 Alt-Svc: h3=\":443\"\r\nContent-Length: 0\r\n\r\n";
    let answer = Gateway::before(&answering(dated)).get("/v1/health", "");
    assert_eq!(answer.header("date"), "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!((&*answer.header("server"), &*answer.header("via")), ("its-own/1", "1.1 its-cache"));
    assert_eq!(answer.header("alt-svc"), "h3=\":443\"");
    let gateway = Gateway::before(&answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    for target in ["/v1/health", "/nowhere"] {
        let answer = gateway.get(target, "");
        assert!(httpdate::parse_http_date(&answer.header("date")).is_ok(), "{}", answer.head);
        assert_eq!(answer.header("server"), "", "{target}");
    }
}

#[test]
fn one_request_may_follow_another_before_its_answer() {
    let gateway = Gateway::before(&Upstream::echo());
    let mut connection = gateway.connect();
    let one = |number: u32| format!("GET /v1/health?{number} HTTP/1.1\r\nHost: a\r\n\r\n");
    connection.send((0..20).map(one).collect::<String>());
    for number in 0..20 {
        assert_eq!(connection.response(false).json()["target"], format!("/health?{number}"));
    }
}

#[test]
fn the_target_may_be_a_whole_address() {
    let gateway = Gateway::before(&Upstream::echo());
    let answer = gateway.request("GET", "http://other.example:81/v1/health?a", "");
    let seen = answer.json();
    assert_eq!(
        (&seen["target"], &seen["headers"]["x-forwarded-host"]),
        (&"/health?a".into(), &"other.example:81".into())
    );
    assert_eq!(gateway.request("GET", "ftp://other.example/v1/health", "").status, 400);
}

#[test]
fn nothing_is_upgraded_to_http2() {
    let upstream = Upstream::echo();
    let gateway = Gateway::before(&upstream);
    let answer = gateway.get(
        "/v1/health",
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n",
    );
    let seen = answer.json()["headers"].clone();
    assert!(answer.status == 200 && seen.get("upgrade").is_none() && seen.get("http2-settings").is_none(), "{seen}");
}

#[test]
fn a_client_says_what_it_reads_of_trailers_to_its_neighbour_only() {
    let upstream = Upstream::echo();
    let gateway = Gateway::before(&upstream);
    let mut connection: Connection = gateway.connect();
    connection.send("GET /v1/health HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTrailer: X-Sum\r\n\r\n");
    let seen = connection.response(false).json()["headers"].clone();
    assert!(seen.get("te").is_none() && seen.get("trailer").is_none(), "{seen}");
    let announced =
        "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Sum: 1\r\n\r\n";
    let gateway = Gateway::before(&answering(announced));
    let answer = gateway.raw("GET /v1/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(answer.ends_with("0\r\nX-Sum: 1\r\n\r\n") && !answer.contains("Trailer:"), "{answer}");
}
