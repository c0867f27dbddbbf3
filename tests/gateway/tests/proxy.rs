//! What clients and upstreams see of each other through the gateway.

#[path = "../../support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use support::{Gate, Gateway, PATIENCE, ReservedPort, Upstream, authorized, eventually, read_body};

#[test]
fn paths_are_mapped_to_the_upstream() {
    let gateway = Gateway::before(&Upstream::echo());
    for (target, reached) in [
        ("/v1/health", "/health"),
        ("/v1/health?a=1&b=%20%2f", "/health?a=1&b=%20%2f"),
        ("/files/a/b%20c/d.txt?x=1", "/a/b%20c/d.txt?x=1"),
        ("/files/%7euser/%c3%a9", "/~user/%C3%A9"),
        ("/files/ab/c%2Cd/", "/ab/c%2Cd/"),
        ("/download/2024/a.txt", "/2024-a.txt"),
        ("/download/x/a.txt", "/download/x/a.txt"),
        ("/thumbnails/cat.png", "/thumbnails/cat.png"),
        ("/%76%31/health", "/health"),
    ] {
        let answer = gateway.get(target, "");
        assert_eq!((answer.status, answer.json()["target"].as_str()), (200, Some(reached)), "{target}");
    }
}

#[test]
fn undescribed_paths_are_not_reachable() {
    let upstream = Upstream::echo();
    let gateway = Gateway::before(&upstream);
    for (target, status) in [
        ("/nothing", 404),
        ("/v1", 404),
        ("/v1/", 404),
        ("/health", 404),
        ("/v1/HEALTH", 404),
        ("/v1/health/", 404),
        ("//v1/health", 404),
        ("/v1//health", 404),
        ("/v1/notes/", 404),
        ("/v1/health%2F", 404),
        ("/files/", 404),
        // What an upstream may read as other segments than those that were matched is in no greedy parameter.
        ("/files/a%3Bb/c", 404),
        ("/files/a;b/c", 404),
        ("/files/a//b", 404),
        ("/files//v1/health", 404),
        ("/files/a%5Cb", 404),
        ("/files/a%252Fb", 404),
        ("/files/%c0%ae%c0%ae/a", 400),
        ("/metrics", 404),
        ("/healthz", 404),
        ("/files/../v1/health", 400),
        ("/files/%2e%2e/v1/health", 400),
        ("/files/a/..", 400),
        ("/files/.", 400),
        ("/files/a%2F..%2Fb", 400),
        ("/files/..%5Cb", 400),
        ("/files/..;x/b", 400),
        ("/files/a\\b", 400),
        ("/files/%00", 400),
        ("/files/%zz", 400),
        ("/files/%", 400),
        ("/files/a#b", 400),
        ("/files/%0d%0aX:1", 400),
        // Who calls is asked first.
        ("/v1/notes/abc", 401),
    ] {
        let answer = gateway.get(target, "");
        assert_eq!(answer.status, status, "{target}: {answer:?}");
        assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
        assert!(answer.json()["message"].is_string());
    }
    assert_eq!(upstream.connections(), 0);
    for target in ["/v1/notes/abc", "/v1/notes/1.5"] {
        let answer = gateway.get(target, &authorized());
        assert_eq!(answer.status, 400);
        assert_eq!(answer.json()["message"], "The path parameter `id` does not fit its schema");
    }
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn undescribed_methods_are_405_with_allow() {
    let gateway = Gateway::before(&Upstream::echo());
    for (method, target, allow) in [
        ("PUT", "/v1/notes", "GET, HEAD, POST"),
        ("get", "/v1/health", "GET, HEAD"),
        ("OPTIONS", "/v1/notes", "GET, HEAD, POST"),
        ("HEAD", "/v1/login", "POST"),
        ("TRACE", "/v1/health", "GET, HEAD"),
        ("POST", "/files/a", "GET, HEAD, OPTIONS, PUT"),
    ] {
        let answer = gateway.request(method, target, "");
        assert_eq!((answer.status, answer.header("allow").as_str()), (405, allow), "{method} {target}");
    }
}

#[test]
fn preflight_requests_are_answered_where_the_document_says_so() {
    let upstream = Upstream::echo();
    let gateway = Gateway::before(&upstream);
    let answer = gateway.request("OPTIONS", "/files/a", "Origin: https://app.example\r\nAccess-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: X-Session, content-type\r\n");
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-methods"), "GET, HEAD, OPTIONS, PUT");
    assert_eq!(answer.header("access-control-allow-headers"), "X-Session, content-type");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    let split = gateway.request(
        "OPTIONS",
        "/files/a",
        "Origin: x\r\nAccess-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: a b\r\n",
    );
    assert_eq!(split.header("access-control-allow-headers"), "");
    assert_eq!(gateway.request("OPTIONS", "/files/a", "").header("allow"), "GET, HEAD, OPTIONS, PUT");
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn head_is_served_where_get_is() {
    let upstream = Upstream::echo();
    let gateway = Gateway::before(&upstream);
    let (get, head) = (gateway.get("/v1/health", ""), gateway.request("HEAD", "/v1/health", ""));
    assert_eq!((head.status, head.header("content-type")), (200, get.header("content-type")));
    assert!(upstream.heads().last().is_some_and(|head| head.starts_with("HEAD /health ")));
    // Who may call is the same.
    assert_eq!(gateway.request("HEAD", "/v1/notes", "").status, 401);
    assert_eq!(gateway.request("HEAD", "/v1/notes", &authorized()).status, 200);
    let id = head.header("x-request-id");
    assert_eq!(gateway.log_line(|line| line["requestId"] == *id)["operation"], "health");
    assert_eq!(gateway.request("HEAD", "/v1/notes/first", &authorized()).status, 400);
    // A path that is described for POST only has no HEAD, and letter case counts.
    assert_eq!(gateway.request("HEAD", "/v1/login", "").status, 405);
    assert_eq!(gateway.request("head", "/v1/health", "").status, 405);
}

/// An upstream that answers everything with these lines and no body.
fn answering(lines: &'static str) -> Upstream {
    Upstream::start(move |_, connection| {
        connection.send(format!("HTTP/1.1 302 Found\r\n{lines}Content-Length: 0\r\n\r\n"));
        true
    })
}

#[test]
fn addresses_of_the_upstream_become_the_gateways() {
    let upstream = Upstream::start(|head, connection| {
        let host = head.lines().find_map(|line| line.strip_prefix("Host: ")).unwrap_or_default();
        let place = match head.split(' ').nth(1).unwrap_or_default() {
            "/health?path" => "/session".to_owned(),
            "/health?other" => "https://other.example/session".to_owned(),
            "/health?public" => "/v1/session".to_owned(),
            _ => format!("http://{host}/session?a#b"),
        };
        connection.send(format!(
            "HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Location: {place}\r\nContent-Length: 0\r\n\r\n"
        ));
        true
    });
    let gateway = Gateway::before(&upstream);
    for (target, expected) in [
        ("/v1/health", "/v1/session?a#b"),
        ("/v1/health?path", "/v1/session"),
        ("/v1/health?public", "/v1/session"),
        ("/v1/health?other", "https://other.example/session"),
    ] {
        let answer = gateway.get(target, "X-Forwarded-Prefix: /evil\r\n");
        assert_eq!((answer.status, &*answer.header("location")), (302, expected), "{target}");
        assert_eq!(answer.header("content-location"), expected, "{target}");
    }
    let heads = upstream.heads();
    assert!(heads.iter().all(|head| head.contains("\r\nX-Forwarded-Prefix: /v1\r\n") && !head.contains("evil")));
    // With what a trusted proxy has taken off before.
    let gateway = Gateway::start(&["trustedProxies=[127.0.0.0/8]"], upstream.address);
    let answer = gateway.get("/v1/health", "X-Forwarded-Prefix: /shop/\r\n");
    assert_eq!(answer.header("location"), "/shop/v1/session?a#b");
    assert!(upstream.heads().last().is_some_and(|head| head.contains("\r\nX-Forwarded-Prefix: /shop/v1\r\n")));
    let odd = gateway.get("/v1/health", "X-Forwarded-Prefix: //evil.example\r\n");
    assert_eq!(odd.header("location"), "/v1/session?a#b");
}

#[test]
fn white_space_before_the_colon_of_a_response_field_is_removed() {
    let upstream = answering("X-XSS-Protection : 1\r\nX-Tab\t: 2\r\nX-Both \t : 3\r\n");
    let answer = Gateway::before(&upstream).get("/v1/health", "");
    assert_eq!(answer.status, 302);
    for field in ["\r\nX-XSS-Protection: 1\r\n", "\r\nX-Tab: 2\r\n", "\r\nX-Both: 3\r\n"] {
        assert!(answer.head.contains(field), "{}", answer.head);
    }
    // Framing is read as well.
    let upstream = Upstream::start(|_, connection| {
        connection.send("HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok");
        true
    });
    assert_eq!(Gateway::before(&upstream).get("/v1/health", "").body, "ok");
}

#[test]
fn responses_may_have_many_fields_up_to_a_setting() {
    let upstream = Upstream::start(|head, connection| {
        let count: usize = head.split([' ', '?']).nth(2).and_then(|text| text.parse().ok()).unwrap_or(0);
        let fields: String = (1..count).map(|number| format!("X-N-{number}: {number}\r\n")).collect();
        connection.send(format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 0\r\n\r\n"));
        true
    });
    let gateway = Gateway::before(&upstream);
    for (count, status) in [(99, 200), (100, 200), (101, 200), (300, 200), (500, 200), (501, 502)] {
        let answer = gateway.get(&format!("/v1/health?{count}"), "");
        assert_eq!(answer.status, status, "{count} fields");
        if status == 200 {
            assert!(answer.head.contains(&format!("\r\nX-N-{}: ", count - 1)), "{count} fields");
        }
    }
    let line = gateway.log_line(|line| line["status"] == 502);
    assert!(line["detail"].as_str().is_some_and(|detail| detail.contains("limits.responseFields")), "{line}");
    let gateway = Gateway::start(&["limits.responseFields=50"], upstream.address);
    assert_eq!([50, 51].map(|count| gateway.get(&format!("/v1/health?{count}"), "").status), [200, 502]);
}

#[test]
fn requests_belong_to_a_trace() {
    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let gateway = Gateway::before(&Upstream::echo());
    let seen = |headers: &str| gateway.get("/v1/health", headers).json()["headers"].clone();
    let given = seen(&format!("traceparent: {PARENT}\r\ntracestate: a=1\r\n"));
    assert_eq!((given["traceparent"].as_str(), given["tracestate"].as_str()), (Some(PARENT), Some("a=1")));
    let line = gateway.log_line(|line| line["traceId"] == "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(line["spanId"], "b7ad6b7169203331");
    for headers in [
        "",
        "tracestate: a=1\r\n",
        "traceparent: 00-0-0-0\r\ntracestate: a=1\r\n",
        &format!("traceparent: {PARENT}\r\ntraceparent: {PARENT}\r\n"),
    ] {
        let made = seen(headers);
        let parent = made["traceparent"].as_str().expect("made");
        assert!(parent.len() == 55 && parent != PARENT && made.get("tracestate").is_none(), "{made}");
        let line = gateway.log_line(|line| line["traceId"] == parent[3..35]);
        assert_eq!(line["spanId"], parent[36..52]);
    }
}

#[test]
fn forged_fields_do_not_reach_the_upstream() {
    let gateway = Gateway::before(&Upstream::echo());
    let lies = "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\nX-Original-URL: /admin\r\nX-Forwarded-Uri: /admin\r\nX-Forwarded-User: root\r\n\
        X-Consumer-Username: root\r\nX_Consumer_Username: root\r\nx-user-id: root\r\nX.User.ID: root\r\nX-Client-Id: root\r\nX-Credential-Identifier: root\r\nX-HTTP-Method-Override: DELETE\r\nX-Request-Id: mine\r\n\
        Proxy: http://evil\r\nX-Original-Method: DELETE\r\nX-Forwarded-Method: DELETE\r\nX-Host: evil\r\nX_Host: evil\r\nX-Override-Url: /admin\r\nX-Middleware-Subrequest: evil\r\nRemote-User: root\r\nRemote_User: root\r\nScript-Name: /admin\r\nX-Forwarded-Prefix: /admin\r\nPath-Info: /admin\r\n";
    let seen = gateway.get("/v1/health", lies).json()["headers"].clone();
    assert_eq!(seen["x-forwarded-for"], "127.0.0.1");
    assert_eq!(seen["x-forwarded-proto"], "http");
    assert_eq!(seen["x-forwarded-host"], "gateway.test");
    assert_eq!(seen["via"], "1.1 gateway");
    assert_eq!(seen["x-request-id"].as_str().map(str::len), Some(32));
    let text = seen.to_string();
    for lie in ["6.6.6.6", "root", "evil", "admin", "DELETE", "mine"] {
        assert!(!text.contains(lie), "{lie} in {text}");
    }
}

#[test]
fn forwarded_fields_of_trusted_proxies_are_used() {
    let gateway = Gateway::start(&["trustedProxies=[127.0.0.0/8]"], Upstream::echo().address);
    let said = "X-Forwarded-For: 192.0.2.7, 192.0.2.8\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: public.example\r\nX-Request-Id: trace-1\r\nVia: 1.1 edge\r\n";
    let answer = gateway.get("/v1/health", said);
    let seen = &answer.json()["headers"];
    assert_eq!(seen["x-forwarded-for"], "192.0.2.7, 192.0.2.8, 127.0.0.1");
    assert_eq!(seen["x-forwarded-proto"], "https");
    assert_eq!(seen["x-forwarded-host"], "public.example");
    assert_eq!(seen["via"], "1.1 edge | 1.1 gateway");
    assert_eq!((seen["x-request-id"].as_str(), answer.header("x-request-id").as_str()), (Some("trace-1"), "trace-1"));
    // The nearest that is not trusted is the client.
    let line = gateway.log_line(|line| line["requestId"] == "trace-1");
    assert_eq!((line["client"].as_str(), line["peer"].as_str()), (Some("192.0.2.8"), Some("127.0.0.1")));
    gateway.get("/nowhere", "X-Forwarded-For: 192.0.2.9\r\n");
    assert_eq!(gateway.log_line(|line| line["status"] == 404)["client"], "192.0.2.9");
    let odd = gateway.get("/v1/health", "X-Request-Id: a \"b\r\n");
    assert_eq!(odd.header("x-request-id").len(), 32);
}

#[test]
fn an_upstream_reads_forwarded_where_its_document_says_so() {
    let upstream = Upstream::echo();
    let gateway = Gateway::start(&[], upstream.address);
    let lies = "Forwarded: for=6.6.6.6;proto=https\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n";
    let both = gateway.get("/guests/book", lies).json()["headers"].clone();
    assert_eq!(both["forwarded"], "for=127.0.0.1;host=gateway.test;proto=http");
    assert_eq!((&both["x-forwarded-for"], &both["x-forwarded-host"]), (&"127.0.0.1".into(), &"gateway.test".into()));
    let one = gateway.get("/guests/desk", lies).json()["headers"].clone();
    assert_eq!(one["forwarded"], "for=127.0.0.1;host=gateway.test;proto=http");
    assert!(one.get("x-forwarded-for").is_none() && one.get("x-forwarded-proto").is_none(), "{one}");
    assert_eq!(one["x-forwarded-prefix"], "/guests", "it has no counterpart");
    // A proxy that writes the fields that most do: what is in the other one may be the client's own.
    let gateway = Gateway::start(&["trustedProxies=[127.0.0.0/8]"], upstream.address);
    let told = "X-Forwarded-For: 192.0.2.7,  2001:db8::7 , hidden\r\nX-Forwarded-For: [2001:db8::8]:80\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a.example:8443\r\nForwarded: for=6.6.6.6\r\n";
    let one = gateway.get("/guests/desk", told).json()["headers"].clone();
    let chain = "for=192.0.2.7, for=\"[2001:db8::7]\", for=unknown, for=\"[2001:db8::8]\"";
    assert_eq!(one["forwarded"], format!("{chain}, for=127.0.0.1;host=\"a.example:8443\";proto=https"));
    // One that writes `Forwarded`.
    let gateway = Gateway::start(&["trustedProxies=[127.0.0.0/8]", "trustedFields=rfc7239"], upstream.address);
    let told = "Forwarded: for=\"6.6.6.6, for=192.0.2.7;by=_edge, for=\"[2001:db8::9]:4711\";Proto=HTTPS;host=\"b.example\"\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Prefix: /evil\r\nX-Request-Id: forwarded-1\r\n";
    let both = gateway.get("/guests/book", told).json()["headers"].clone();
    assert_eq!(
        both["forwarded"],
        "for=192.0.2.7, for=\"[2001:db8::9]:4711\";host=b.example;proto=HTTPS, for=127.0.0.1;host=gateway.test;proto=https"
    );
    assert_eq!(both["x-forwarded-for"], "192.0.2.7, 2001:db8::9, 127.0.0.1");
    assert_eq!((&both["x-forwarded-proto"], &both["x-forwarded-host"]), (&"https".into(), &"b.example".into()));
    assert_eq!(both["x-forwarded-prefix"], "/guests");
    assert!(!both.to_string().contains("6.6.6.6") && !both.to_string().contains("evil"), "{both}");
    let line = gateway.log_line(|line| line["requestId"] == "forwarded-1");
    assert_eq!((&line["client"], &line["peer"]), (&"2001:db8::9".into(), &"127.0.0.1".into()));
    // The nearest proxy says that it was not HTTPS, whatever was said before.
    for told in [
        "for=192.0.2.7;proto=https, for=192.0.2.8;proto=http",
        "for=192.0.2.7;proto=http, for=192.0.2.8;proto=https",
        "x",
    ] {
        let one = gateway.get("/guests/desk", &format!("Forwarded: {told}\r\n")).json()["headers"].clone();
        assert!(one["forwarded"].as_str().is_some_and(|value| value.ends_with(";proto=http")), "{one}");
    }
}

#[test]
fn cookies_of_an_upstream_are_for_the_gateway() {
    let upstream = answering(
        "Set-Cookie: a=1; Path=/app/book; Domain=app.internal; HttpOnly\r\nSet-Cookie: b=2; Path=/\r\nset-cookie: __Host-c=3; Secure; Path=/\r\nSet-Cookie: d=4\r\n",
    );
    let book = format!("upstreams.guests.book=http://{}/app", upstream.address);
    let gateway = Gateway::start(&[&book], upstream.address);
    assert_eq!(
        gateway.get("/guests/book", "").header("set-cookie"),
        "a=1; Path=/guests/book; HttpOnly | b=2; Path=/guests | __Host-c=3; Secure; Path=/ | d=4"
    );
    assert_eq!(
        gateway.get("/guests/desk", "").header("set-cookie"),
        "a=1; Path=/app/book; HttpOnly | b=2; Path=/ | __Host-c=3; Secure; Path=/ | d=4"
    );
    let others = gateway.get("/v1/health", "").header("set-cookie");
    assert!(others.starts_with("a=1; Path=/app/book; Domain=app.internal; HttpOnly | b=2; Path=/ |"), "{others}");
    // With what a proxy in front of the gateway has taken off.
    let gateway = Gateway::start(&[&book, "trustedProxies=[127.0.0.0/8]"], upstream.address);
    let answer = gateway.get("/guests/book", "X-Forwarded-Prefix: /hotel\r\n");
    assert!(
        answer.header("set-cookie").starts_with("a=1; Path=/hotel/guests/book; HttpOnly | b=2; Path=/hotel/guests |")
    );
}

#[test]
fn a_request_about_the_server_is_answered_here() {
    let upstream = Upstream::echo();
    let gateway = Gateway::before(&upstream);
    for target in ["*", "http://gateway.test"] {
        let answer = gateway.request("OPTIONS", target, "");
        assert_eq!((answer.status, &*answer.body, &*answer.header("content-length")), (204, "", ""), "{target}");
        let allow = answer.header("allow");
        assert!(
            ["DELETE", "GET", "HEAD", "OPTIONS", "POST"].iter().all(|it| allow.split(", ").any(|word| word == *it)),
            "{allow}"
        );
    }
    assert_eq!(gateway.request("GET", "*", "").status, 400);
    // A body belongs to it, and the connection goes on.
    let mut connection = gateway.connect();
    connection
        .send("OPTIONS * HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiGET /v1/health HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!([connection.response(false).status, connection.response(false).status], [204, 200]);
    assert_eq!(upstream.heads().len(), 1);
    assert_eq!(gateway.log_line(|line| line["path"] == "*" && line["method"] == "OPTIONS")["status"], 204);
}

#[test]
fn a_request_goes_no_further_than_it_may() {
    let upstream = Upstream::echo();
    let gateway = Gateway::before(&upstream);
    let ask = |fields: &str| gateway.request("OPTIONS", "/shop/own", fields);
    assert_eq!(ask("Max-Forwards: 3\r\n").json()["headers"]["max-forwards"], "2");
    assert_eq!(ask("").json()["headers"].get("max-forwards"), None);
    assert_eq!(gateway.get("/v1/health", "Max-Forwards: 0\r\n").json()["headers"]["max-forwards"], "0");
    let before = upstream.heads().len();
    let last = ask("Max-Forwards: 0\r\n");
    assert_eq!((last.status, last.header("allow").contains("OPTIONS")), (204, true), "{}", last.head);
    assert_eq!(ask("Max-Forwards: many\r\n").status, 400);
    assert_eq!(ask("Max-Forwards: 1\r\nMax-Forwards: 2\r\n").status, 400);
    assert_eq!(upstream.heads().len(), before);
}

#[test]
fn headers_about_one_connection_stay_there() {
    let upstream = Upstream::start(|_, connection| {
        connection.send("HTTP/1.1 200 OK\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\nX-End: 2\r\nContent-Length: 0\r\n\r\n");
        true
    });
    let gateway = Gateway::before(&upstream);
    let answer = gateway.get("/v1/health", "Connection: close, X-Foo\r\nX-Foo: 1\r\nX-Bar: 2\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: websocket\r\nProxy-Authorization: Basic x\r\nProxy-Connection: close\r\n");
    assert_eq!(
        (
            answer.header("x-hop").as_str(),
            answer.header("x-end").as_str(),
            answer.header("keep-alive").as_str(),
            answer.header("upgrade").as_str()
        ),
        ("", "2", "", "")
    );
    assert_eq!(answer.header("connection"), "close");
    let seen = upstream.heads()[0].to_lowercase();
    assert!(seen.contains("x-bar: 2"));
    for gone in ["x-foo", "\r\nkeep-alive", "te: trailers", "upgrade", "proxy-", "connection:"] {
        assert!(!seen.contains(gone), "{gone} in {seen}");
    }
}

#[test]
fn operations_edit_headers() {
    let gateway = Gateway::before(&Upstream::echo());
    let answer = gateway.get("/thumbnails/cat.png", "X-Debug: 1\r\nX-Thumbnail-Size: 9999\r\n");
    assert_eq!(answer.json()["headers"]["x-thumbnail-size"], "64");
    assert!(answer.json()["headers"].get("x-debug").is_none());
    let answer = gateway.get("/files/a", "");
    assert_eq!(
        (
            answer.header("cache-control").as_str(),
            answer.header("server").as_str(),
            answer.header("x-powered-by").as_str()
        ),
        ("public, max-age=60", "", "tests")
    );
    assert_eq!(answer.json()["headers"]["host"], "gateway.test", "preserveHost");
    assert_ne!(gateway.get("/v1/health", "").json()["headers"]["host"], "gateway.test");
}

#[test]
fn bodies_pass_in_every_framing() {
    let gateway = Gateway::before(&Upstream::echo());
    let mut connection = gateway.connect();
    connection.send("POST /v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    assert_eq!(connection.response(false).json()["body"], "hello");
    connection.send("POST /v1/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel");
    std::thread::sleep(Duration::from_millis(20));
    connection.send("lo\r\n6;x=y\r\n world\r\n0\r\nX-Sum: 1\r\nHost: evil\r\nX-User-Id: root\r\n\r\n");
    let seen = connection.response(false).json();
    assert_eq!(
        (seen["body"].as_str(), seen["headers"]["transfer-encoding"].as_str(), seen["headers"].get("content-length")),
        (Some("hello world"), Some("chunked"), None)
    );
    connection.send("POST /v1/login HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(connection.response(false).json()["headers"]["content-length"], "0");
    // Three requests in one packet.
    connection.send("GET /v1/health?1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /v1/login?2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiGET /v1/health?3 HTTP/1.1\r\nHost: a\r\n\r\n");
    let targets: Vec<_> = (0..3).map(|_| connection.response(false).json()["target"].clone()).collect();
    assert_eq!(targets, ["/health?1", "/login?2", "/health?3"]);
}

#[test]
fn trailers_pass_unless_they_would_change_the_request() {
    let upstream = Upstream::start(|head, connection| {
        let mut lines = Vec::new();
        if head.starts_with("POST") {
            while lines.last().map(String::as_str) != Some("") || lines.iter().all(|line| line != "0") {
                lines.push(connection.line());
            }
        }
        connection.send(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: {}\r\nContent-Length: 7\r\n\r\n", lines.join("~")));
        true
    });
    let gateway = Gateway::before(&upstream);
    let answer = gateway.raw("POST /v1/login HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Digest: 1\r\nX-User-ID: root\r\nAuthorization: x\r\nX_Forwarded_For: y\r\nX-API-Key: olaf-secret\r\nx_api_key: olaf-secret\r\nX_Desk_Action: Refund\r\nProxy: z\r\n\r\n");
    assert!(answer.ends_with("3\r\nabc\r\n0\r\nX-Sum: 1~x~0~X-Digest: 1~\r\n\r\n"), "{answer}");
}

#[test]
fn http_1_0_clients_get_http_1_0_responses() {
    let upstream = Upstream::start(|head, connection| {
        let chunked = head.contains("/health");
        connection.send(if chunked {
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n"
        } else {
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
        });
        true
    });
    let gateway = Gateway::before(&upstream);
    let answer = gateway.raw("GET /v1/health HTTP/1.0\r\n\r\n");
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n")
            && answer.ends_with("\r\n\r\nabc")
            && answer.contains("Connection: close")
            && !answer.contains("chunked"),
        "{answer}"
    );
    let mut connection = gateway.connect();
    for _ in 0..2 {
        connection.send("POST /v1/login HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n");
        let answer = connection.response(false);
        assert_eq!((answer.body.as_str(), answer.header("connection").as_str()), ("abc", "keep-alive"));
    }
}

#[test]
fn a_response_without_length_ends_with_its_connection() {
    let upstream = Upstream::start(|head, connection| {
        if head.contains("half") {
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
        } else {
            connection.send("HTTP/1.0 200 OK\r\n\r\nabc");
        }
        false
    });
    let gateway = Gateway::before(&upstream);
    let mut connection = gateway.connect();
    connection.send("GET /v1/health HTTP/1.1\r\nHost: a\r\n\r\n");
    let answer = connection.response(false);
    assert_eq!((answer.body.as_str(), answer.header("transfer-encoding").as_str()), ("abc", "chunked"));
    // A body that is cut off must not look whole.
    let answer = gateway.raw("GET /v1/health?half HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(answer.contains("Content-Length: 10") && answer.ends_with("abc"));
    assert_eq!(gateway.log_line(|line| line["reject"] == "upstream-broken")["side"], "upstream");
}

#[test]
fn a_response_that_is_reset_does_not_look_whole() {
    // Closing with unread bytes resets the connection: once the client has what was sent before.
    let gate = Gate::default();
    let held = gate.clone();
    let upstream = Upstream::start(move |_, connection| {
        connection.send("HTTP/1.1 200 OK\r\n\r\npartial");
        // There is something to be left unread.
        assert!(matches!(connection.stream.peek(&mut [0]), Ok(1)));
        held.pass();
        false
    });
    let gateway = Gateway::before(&upstream);
    let mut connection = gateway.connect();
    let head = "POST /v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n";
    // It is not read to its end.
    let mut sender = connection.stream.try_clone().expect("a copy");
    let body = format!("{head}{}", "x".repeat(300_000));
    let sending = std::thread::spawn(move || std::io::Write::write_all(&mut sender, body.as_bytes()).is_ok());
    assert!(connection.head().starts_with("HTTP/1.1 200 "));
    assert_eq!((connection.line(), connection.line()), ("7".to_owned(), "partial".to_owned()));
    gate.open();
    let rest = connection.read_to_end();
    assert!(!rest.contains("0\r\n"), "{rest}");
    let _ = sending.join().expect("no panic");
    assert_eq!(gateway.log_line(|line| line["operation"] == "login")["reject"], "upstream-broken");
}

#[test]
fn head_204_and_304_have_no_body() {
    let upstream = Upstream::start(|head, connection| {
        connection.send(match head.split(' ').nth(1) {
            Some("/a") => "HTTP/1.1 204 No Content\r\n\r\n",
            Some("/b") => "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 99\r\n\r\n",
            _ => "HTTP/1.1 200 OK\r\nContent-Length: 42\r\n\r\n",
        });
        true
    });
    let gateway = Gateway::before(&upstream);
    let mut connection = gateway.connect();
    for (target, status, length) in [("/files/a", 204, ""), ("/files/b", 304, "99"), ("/files/a", 204, "")] {
        connection.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let answer = connection.response(false);
        assert_eq!(
            (answer.status, answer.header("content-length").as_str(), answer.header("transfer-encoding").as_str()),
            (status, length, "")
        );
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn early_hints_are_relayed() {
    let upstream = Upstream::start(|_, connection| {
        connection.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: x\r\n\r\n");
        std::thread::sleep(Duration::from_millis(20));
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
        true
    });
    let gateway = Gateway::before(&upstream);
    let mut connection = gateway.connect();
    connection.send("GET /v1/health HTTP/1.1\r\nHost: a\r\n\r\n");
    let hints = connection.head();
    assert!(
        hints.starts_with("HTTP/1.1 103 ") && hints.contains("Link: </a.css>") && !hints.contains("Connection"),
        "{hints}"
    );
    assert_eq!(connection.response(false).body, "x");
}

#[test]
fn expectations_are_met_by_the_upstream() {
    let upstream = Upstream::start(|head, connection| {
        if head.contains("refuse") {
            connection.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
            return false;
        }
        if !head.contains("mute") {
            connection.send("HTTP/1.1 100 Continue\r\n\r\n");
        }
        let body = read_body(head, connection);
        connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
        true
    });
    let gateway = Gateway::before(&upstream);
    let head = |target: &str| {
        format!("POST /v1/login{target} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    };
    let mut connection = gateway.connect();
    for target in ["", "?mute"] {
        connection.send(head(target));
        assert!(connection.head().starts_with("HTTP/1.1 100 Continue"), "{target}");
        connection.send("hello");
        assert_eq!(connection.response(false).body, "hello", "{target}");
    }
    // Had the gateway waited for the upstream's word, it would have given its own first.
    connection.send(head("?mute") + "hello");
    assert_eq!(connection.response(false).body, "hello", "a client that does not wait");
    connection.send(head("?refuse"));
    assert_eq!(connection.response(false).status, 403);
    assert!(connection.is_closed(), "whether the body follows is unknown");
    // A refusal of the gateway's own comes before any 100.
    let answer = gateway.raw("POST /v1/notes HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(
        gateway
            .raw("POST /v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: tea\r\n\r\nhello")
            .starts_with("HTTP/1.1 417 ")
    );
}

#[test]
fn connections_to_the_upstream_are_kept() {
    let upstream = Upstream::start(|head, connection| {
        let size = if head.contains("big") { 300_000 } else { 10 };
        connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n{}", "x".repeat(size)));
        true
    });
    let gateway = Gateway::start(&["workers=1"], upstream.address);
    for target in ["/v1/health", "/v1/health?big", "/v1/health", "/v1/health?big"] {
        assert_eq!(gateway.get(target, "").status, 200);
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn a_kept_connection_that_was_closed_is_replaced_in_silence() {
    // Each connection answers one request, and closes when it reads the second.
    let upstream = Upstream::start({
        let answered = std::sync::Mutex::new(std::collections::HashSet::new());
        move |head, connection| {
            let peer = connection.stream.peer_addr().expect("connected");
            let first = answered.lock().expect("no panic").insert(peer);
            if first {
                let body = read_body(head, connection);
                connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
            }
            first
        }
    });
    let gateway = Gateway::start(&["workers=1"], upstream.address);
    assert_eq!(gateway.get("/v1/health", "").status, 200);
    assert_eq!(gateway.get("/v1/health", "").status, 200, "sent again on a new connection");
    assert_eq!(upstream.heads().len(), 3);
    // What is not idempotent is not sent twice.
    let answer = gateway.request("POST", "/v1/login", "Content-Length: 0\r\n");
    assert_eq!((answer.status, answer.json()["message"].as_str()), (502, Some("Bad gateway")));
    assert_eq!(upstream.heads().len(), 4);
}

#[test]
fn failing_upstreams_are_502_and_504_without_their_address() {
    let refused = ReservedPort::new();
    let gateway = Gateway::start(&[], refused.address);
    let answer = gateway.get("/v1/health", "");
    assert_eq!(answer.status, 502);
    assert!(!answer.body.contains("127.0.0.1") && !answer.head.contains(&refused.number().to_string()), "{answer:?}");
    assert_eq!(gateway.log_line(|line| line["status"] == 502)["reject"], "upstream-unreachable");

    let upstream = Upstream::start(|head, connection| {
        match head {
            head if head.contains("garbage") => connection.send("ICY 200 OK\r\n\r\n"),
            head if head.contains("both") => {
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
            }
            head if head.contains("lengths") => {
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd")
            }
            head if head.contains("huge") => {
                connection.send(format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(100_000)))
            }
            head if head.contains("newline") => connection.send("HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
            head if head.contains("status") => connection.send("HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"),
            head if head.contains("small") => connection.send("HTTP/1.1 001 Odd\r\nContent-Length: 0\r\n\r\n"),
            head if head.contains("chunk") => {
                connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
            }
            head if head.contains("switch") => connection.send("HTTP/1.1 101 Switching Protocols\r\n\r\n"),
            head if head.contains("silent") => return false,
            // Nothing, until the gateway gives up.
            _ => while connection.more() {},
        }
        false
    });
    let gateway = Gateway::before(&upstream);
    for target in ["garbage", "both", "lengths", "huge", "newline", "status", "small", "chunk", "switch", "silent"] {
        assert_eq!(gateway.get(&format!("/v1/health?{target}"), "").status, 502, "{target}");
    }
    let started = Instant::now();
    let answer = gateway.get("/thumbnails/slow.png", "");
    assert_eq!(answer.status, 504);
    assert!(started.elapsed() >= Duration::from_millis(1_900), "after {:?}", started.elapsed());
    assert_eq!(answer.json()["message"], "Gateway timeout");
}

#[test]
fn bodies_that_are_too_large_are_refused() {
    let gateway = Gateway::before(&Upstream::echo());
    let answer =
        gateway.raw(format!("POST /v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", (1 << 20) + 1));
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("Connection: close"), "{answer}");
    let mut connection = gateway.connect();
    connection.send("POST /v1/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let piece = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    for _ in 0..17 {
        if std::io::Write::write_all(&mut connection.stream, piece.as_bytes()).is_err() {
            break;
        }
    }
    assert_eq!(connection.response(false).status, 413);
}

#[test]
fn a_client_that_goes_away_takes_its_request_along() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let upstream = Upstream::start(move |_, connection| {
        let _ = sender.send(connection.is_closed());
        false
    });
    let gateway = Gateway::before(&upstream);
    let mut connection = gateway.connect();
    connection.send("GET /v1/health HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the request at the upstream", || (!upstream.heads().is_empty()).then_some(()));
    drop(connection);
    assert!(receiver.recv_timeout(PATIENCE).expect("the upstream is told"));
    // Not 504: it is the client that has ended it.
    assert_eq!(gateway.log_line(|line| line["operation"] == "health")["status"], 0);
}

#[test]
fn a_client_that_has_only_finished_sending_gets_its_answer() {
    let gateway = Gateway::before(&Upstream::echo());
    let mut connection = gateway.connect();
    connection.send("GET /v1/health HTTP/1.1\r\nHost: a\r\n\r\n");
    connection.stream.shutdown(std::net::Shutdown::Write).expect("half closed");
    assert_eq!(connection.response(false).status, 200);
    assert!(connection.is_closed());
}

#[test]
fn a_long_response_to_a_client_that_has_finished_sending_is_not_cut() {
    let upstream = Upstream::start(|_, connection| {
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc");
        // Time to cut it.
        std::thread::sleep(Duration::from_millis(900));
        connection.send("def");
        true
    });
    let gateway = Gateway::before(&upstream);
    let mut connection = gateway.connect();
    connection.send("GET /v1/health HTTP/1.1\r\nHost: a\r\n\r\n");
    connection.stream.shutdown(std::net::Shutdown::Write).expect("half closed");
    assert_eq!(connection.response(false).body, "abcdef");
}

#[test]
fn slow_readers_slow_the_upstream_and_cost_no_memory() {
    const SIZE: usize = 200 << 20;
    let upstream = Upstream::start(|_, connection| {
        connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n"));
        let piece = vec![b'x'; 1 << 20];
        (0..SIZE >> 20).all(|_| std::io::Write::write_all(&mut connection.stream, &piece).is_ok())
    });
    let gateway = Gateway::before(&upstream);
    let mut connection = gateway.connect();
    connection.send("GET /files/big HTTP/1.1\r\nHost: a\r\n\r\n");
    connection.head();
    // Time to fetch more than fits.
    std::thread::sleep(Duration::from_millis(500));
    let resident = gateway.resident_kib();
    assert!(resident < 40 << 10, "{resident} KiB while the client reads nothing");
    connection.exactly(SIZE / 100);
}

#[test]
fn uploads_stream_both_ways_at_once() {
    let upstream = Upstream::start(|_, connection| {
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        loop {
            let size = usize::from_str_radix(&connection.line(), 16).expect("a size");
            let piece = connection.exactly(size);
            connection.line();
            connection.send(format!("{size:x}\r\n{}\r\n", String::from_utf8_lossy(&piece)));
            if size == 0 {
                return true;
            }
        }
    });
    let gateway = Gateway::before(&upstream);
    let mut connection = gateway.connect();
    connection.send("POST /v1/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert!(connection.head().starts_with("HTTP/1.1 200 "));
    for piece in ["one", "two", "three"] {
        connection.send(format!("{:x}\r\n{piece}\r\n", piece.len()));
        assert_eq!(connection.line(), format!("{:x}", piece.len()));
        assert_eq!(connection.line(), piece, "comes back before the next is sent");
        assert_eq!(connection.exactly(0).len(), 0);
    }
}

#[test]
fn authorised_requests_carry_their_token_on() {
    let gateway = Gateway::before(&Upstream::echo());
    let seen = gateway.get("/v1/notes", &authorized()).json();
    assert!(seen["headers"]["authorization"].as_str().is_some_and(|value| value.starts_with("Bearer ")));
}

/// A path that a header selects: whatever an upstream could read as another header selects nothing.
#[test]
fn headers_select_operations() {
    let upstream = Upstream::echo();
    let gateway = Gateway::before(&upstream);
    let post =
        |headers: &str| gateway.request("POST", "/tickets/desk", &format!("Content-Length: 0\r\n{headers}")).status;
    assert_eq!(post("X-Desk-Action: Open\r\n"), 200);
    assert_eq!(post("x-desk-action: Open\r\n"), 200);
    for (headers, status) in [
        ("X-Desk-Action: Refund\r\n", 401),
        ("X-Desk-Action: open\r\n", 404),
        ("", 404),
        ("X-Desk-Action: Open\r\nX-Desk-Action: Refund\r\n", 404),
        ("X-Desk-Action: Open\r\nX-Desk-Action: Open\r\n", 404),
        ("X-Desk-Action: Open\r\nX_Desk_Action: Refund\r\n", 404),
        ("X_Desk_Action: Open\r\n", 404),
        ("X-Desk-Action: Open, Refund\r\n", 404),
        ("Connection: x-desk-action\r\nX-Desk-Action: Open\r\n", 404),
    ] {
        assert_eq!(post(headers), status, "{headers:?}");
    }
    assert_eq!(gateway.request("POST", "/tickets/desk?X-Desk-Action=Open", "Content-Length: 0\r\n").status, 404);
    assert_eq!(upstream.heads().len(), 2, "nothing else is forwarded");
    for (target, status) in [
        ("/tickets/desk?receipt", 200),
        ("/tickets/desk?receipt=7", 200),
        ("/tickets/desk?receipt&receipt", 404),
        ("/tickets/desk", 404),
    ] {
        assert_eq!(gateway.get(target, "").status, status, "{target}");
    }
    let line = gateway.log_line(|line| line["operation"] == "printReceipt");
    assert_eq!(line["status"], 200);
}
