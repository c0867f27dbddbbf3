//! Pages of other origins: who may call, what scripts may send and read, and what browsers are told beside that.

#[path = "../../support/mod.rs"]
mod support;
#[path = "../../support/webdriver.rs"]
#[allow(dead_code, reason = "of use to others")]
mod webdriver;

use std::net::SocketAddr;

use support::{Connection, Gateway, Response, Upstream, eventually};
use webdriver::WebBrowser;

const APP: &str = "https://app.example";
const ORIGIN: &str = "Origin: https://app.example\r\n";

/// An upstream that answers with its own idea of CORS, and never for `/slow`.
fn opinionated() -> Upstream {
    Upstream::start(|head, connection| {
        support::read_body(head, connection);
        let target = head.split(' ').nth(1).unwrap_or_default();
        if target.starts_with("/slow") {
            return connection.more();
        }
        let vary = if target.contains("vary=origin") {
            "Vary: origin\r\n"
        } else {
            "Vary: Accept\r\nVary: Accept-Language\r\n"
        };
        let cookie = head.lines().find_map(|line| line.strip_prefix("Cookie: ")).unwrap_or_default();
        connection.send(format!(
            "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\naccess-control-allow-credentials: true\r\n\
             Access-Control-Expose-Headers: X-Mine\r\nAccess-Control-Max-Age: 9\r\n{vary}X-Page: 2\r\nX-Total: 3\r\nX-Mine: 4\r\n\
             Referrer-Policy: unsafe-url\r\nX-Content-Type-Options: none\r\nContent-Security-Policy: script-src 'self'\r\n\
             Content-Length: {}\r\n\r\n{cookie}",
            cookie.len()
        ));
        true
    })
}

#[test]
fn no_part_of_a_response_says_what_the_gateway_says() {
    let upstream = Upstream::start(|_, connection| {
        connection.send(
            "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nAccess-Control-Allow-Origin: *\r\n\r\n\
             HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n\
             0\r\nX-Sum: 1\r\naccess-control-allow-origin: *\r\nAccess_Control_Allow_Credentials: true\r\n\r\n",
        );
        true
    });
    let gateway = Gateway::before(&upstream);
    let mut connection = gateway.connect();
    connection.send(format!("GET /shop/items HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{ORIGIN}\r\n"));
    let answer = connection.read_to_end();
    assert!(answer.contains("\r\nLink: </a.css>\r\n") && answer.contains("\r\nX-Sum: 1\r\n"), "{answer}");
    let said = answer.to_lowercase().matches("access-control-allow-origin").count();
    assert!(said == 1 && answer.contains("\r\nAccess-Control-Allow-Origin: https://app.example\r\n"), "{answer}");
    assert!(!answer.contains("Access_Control"), "{answer}");
    let (interim, rest) = answer.split_once("\r\n\r\n").expect("two heads");
    assert!(interim.starts_with("HTTP/1.1 103") && !interim.contains("Access"), "{interim}");
    assert!(rest.starts_with("HTTP/1.1 200"));
}

/// Names in a list, in lower case.
fn words(list: &str) -> Vec<String> {
    let words = list.split([',', '|']).map(|word| word.trim().to_lowercase());
    words.filter(|word| !word.is_empty()).collect()
}

fn preflight(gateway: &Gateway, target: &str, origin: &str, method: &str, headers: &str) -> Response {
    let asked =
        if headers.is_empty() { String::new() } else { format!("Access-Control-Request-Headers: {headers}\r\n") };
    let fields = format!("Origin: {origin}\r\nAccess-Control-Request-Method: {method}\r\n{asked}");
    gateway.request("OPTIONS", target, &fields)
}

/// Whether a script of the page may read it.
fn is_readable(answer: &Response, origin: &str) {
    assert_eq!(answer.header("access-control-allow-origin"), origin, "{answer:?}");
    assert_eq!(answer.header("access-control-allow-credentials"), "true", "{answer:?}");
    assert_eq!(words(&answer.header("vary")).iter().filter(|name| *name == "origin").count(), 1, "{answer:?}");
}

fn is_foreign(answer: &Response) {
    assert!(!answer.head.to_lowercase().contains("\r\naccess-control-"), "{answer:?}");
}

#[test]
fn preflight_requests_are_judged_by_the_method_that_they_ask_for() {
    let upstream = Upstream::echo();
    let gateway = Gateway::before(&upstream);
    for unclear in ["", "POST\r\nAccess-Control-Request-Method: GET"] {
        let refused = preflight(&gateway, "/shop/items", APP, unclear, "");
        assert_eq!((refused.status, refused.header("access-control-allow-origin")), (403, String::new()), "{unclear}");
    }
    let answer = preflight(&gateway, "/shop/items", APP, "POST", "content-type, x-shop-key,x-extra");
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    is_readable(&answer, APP);
    assert_eq!(answer.header("access-control-allow-methods"), "GET, HEAD, POST", "those with the same policy");
    assert_eq!(answer.header("access-control-allow-headers"), "Content-Type, X-Extra, X-Shop-Key, X-Trace");
    assert_eq!(answer.header("access-control-max-age"), "600");
    assert_eq!(answer.header("access-control-expose-headers"), "");
    let vary = ["origin", "access-control-request-method", "access-control-request-headers"];
    assert_eq!(words(&answer.header("vary")), vary);
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    for (target, origin, method, headers, expected) in [
        ("/shop/items", APP, "GET", "x-trace", "204"),
        ("/shop/items", APP, "HEAD", "", "204"),
        ("/shop/items", "https://pr-7.preview.example", "GET", "", "204"),
        ("/shop/items", "https://office.example", "PUT", "content-type", "204"),
        ("/shop/guarded", "null", "POST", "", "204"),
        ("/shop/any", "https://whoever.example", "GET", "", "204"),
        ("/shop/own", APP, "GET", "", "204"),
        ("/shop/items", "https://evil.example", "GET", "", "cors-origin https://evil.example"),
        ("/shop/items", "null", "GET", "", "cors-origin null"),
        ("/shop/items", APP, "PUT", "", "cors-origin https://app.example"),
        ("/shop/items", APP, "PATCH", "", "cors-method PATCH"),
        ("/shop/items", APP, "post", "", "cors-method post"),
        ("/shop/items", APP, "GET", "x-trace, x-secret", "cors-header x-secret"),
        ("/shop/items", APP, "GET", "x-shop-key", "cors-header x-shop-key"),
        // Nothing is said of DELETE, so that it is as it was without CORS.
        ("/shop/items", APP, "DELETE", "", "method-not-allowed null"),
        ("/shop/nothing", APP, "GET", "", "not-found null"),
    ] {
        let answer = preflight(&gateway, target, origin, method, headers);
        let Some((reject, detail)) = expected.split_once(' ') else {
            assert_eq!(answer.status, 204, "{target} {origin} {method} {headers}: {answer:?}");
            continue;
        };
        let id = answer.header("x-request-id");
        let line = gateway.log_line(|line| line["requestId"] == *id);
        assert_eq!(line["reject"], reject, "{target} {origin} {method} {headers}");
        if reject.starts_with("cors-") {
            assert_eq!((answer.status, line["detail"].as_str()), (403, Some(detail)));
            assert!(words(&answer.header("vary")).contains(&"origin".to_owned()));
        }
        if reject != "not-found" {
            is_foreign(&answer);
        }
    }
    assert_eq!(upstream.connections(), 0);
    // What is no preflight request is the operation's own.
    assert_eq!(gateway.request("OPTIONS", "/shop/own", ORIGIN).status, 200);
    let bare = gateway.request("OPTIONS", "/shop/own", "Access-Control-Request-Method: GET\r\n");
    assert_eq!((bare.status, upstream.heads().len()), (200, 2));
    assert_eq!(gateway.request("OPTIONS", "/shop/items", ORIGIN).status, 405);
}

#[test]
fn private_networks_are_opened_where_the_document_says_so() {
    let gateway = Gateway::before(&Upstream::echo());
    let asks = "Access-Control-Request-Method: GET\r\nAccess-Control-Request-Private-Network: true\r\n";
    let answer = gateway.request("OPTIONS", "/shop/guarded", &format!("{ORIGIN}{asks}"));
    assert_eq!(answer.header("access-control-allow-private-network"), "true");
    let answer = gateway.request("OPTIONS", "/shop/items", &format!("{ORIGIN}{asks}"));
    assert_eq!((answer.status, answer.header("access-control-allow-private-network")), (204, String::new()));
}

#[test]
fn all_answers_are_readable() {
    let upstream = opinionated();
    let gateway = Gateway::before(&upstream);
    let answer = gateway.get("/shop/items", ORIGIN);
    assert_eq!(answer.status, 200);
    is_readable(&answer, APP);
    assert_eq!(words(&answer.header("vary")), ["accept-language", "accept", "origin"]);
    let exposed = "Retry-After, WWW-Authenticate, X-Page, X-Request-Id, X-Total";
    assert_eq!(answer.header("access-control-expose-headers"), exposed);
    assert_eq!(answer.header("access-control-max-age"), "");
    is_readable(&gateway.get("/shop/items?vary=origin", ORIGIN), APP);
    let key = "X-Shop-Key: none\r\n";
    let post = format!("{ORIGIN}Content-Type: text/plain\r\nContent-Length: 1\r\n");
    let large = "Origin: https://office.example\r\nContent-Length: 2000\r\n";
    for (method, target, fields, status) in [
        ("GET", "/shop/items?page=x", ORIGIN.to_owned(), 400),
        ("POST", "/shop/items", format!("{ORIGIN}Content-Length: 0\r\n"), 401),
        ("POST", "/shop/items", format!("{ORIGIN}{key}Content-Length: 0\r\n"), 401),
        ("GET", "/shop/nothing", ORIGIN.to_owned(), 404),
        ("PATCH", "/shop/items", ORIGIN.to_owned(), 405),
        ("GET", "/shop/items", format!("{ORIGIN}Expect: nothing\r\n"), 417),
        ("GET", "/shop/slow", ORIGIN.to_owned(), 504),
        ("GET", "/shop/made", ORIGIN.to_owned(), 200),
    ] {
        let answer = gateway.request(method, target, &fields);
        assert_eq!(answer.status, status, "{method} {target} {answer:?}");
        is_readable(&answer, APP);
    }
    let answer = gateway.request("PUT", "/shop/items", large);
    assert_eq!((answer.status, answer.header("access-control-allow-origin").as_str()), (413, "https://office.example"));
    // Its policy is without credentials.
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    let answer = gateway.request("PUT", "/shop/items", &post.replace("app", "office").replace("text/plain", "a/b"));
    assert_eq!((answer.status, answer.header("access-control-allow-origin").as_str()), (415, "https://office.example"));
    let limited = format!("{ORIGIN}X-Trace: readable\r\n");
    let exposed = words(&gateway.get("/shop/limited", &limited).header("access-control-expose-headers"));
    assert!(["ratelimit", "x-ratelimit-reset", "retry-after"].iter().all(|name| exposed.contains(&(*name).to_owned())));
    let answer = gateway.get("/shop/limited", &limited);
    assert_eq!(answer.status, 429);
    is_readable(&answer, APP);
}

#[test]
fn the_upstreams_fields_go_for_every_page() {
    let upstream = opinionated();
    let gateway = Gateway::before(&upstream);
    for fields in [
        "",
        "Origin: https://evil.example\r\n",
        "Origin: null\r\n",
        "Origin: https://app.example\r\nOrigin: https://app.example\r\n",
    ] {
        let answer = gateway.get("/shop/items", fields);
        assert_eq!(answer.status, 200);
        is_foreign(&answer);
        assert!(words(&answer.header("vary")).contains(&"origin".to_owned()), "{answer:?}");
    }
    // Without a policy, they are the upstream's.
    let answer = gateway.request("DELETE", "/shop/items", ORIGIN);
    assert_eq!(
        (answer.header("access-control-allow-origin").as_str(), answer.header("vary").as_str()),
        ("*", "Accept | Accept-Language")
    );
    for fields in ["", "Origin: https://whoever.example\r\n"] {
        let answer = gateway.get("/shop/any", fields);
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert_eq!(answer.header("access-control-allow-credentials"), "");
        assert_eq!(answer.header("vary"), "Accept | Accept-Language");
    }
}

#[test]
fn pages_of_other_origins_are_refused_where_the_document_says_so() {
    let upstream = Upstream::echo();
    let gateway = Gateway::before(&upstream);
    for (fields, status) in [
        ("", 200),
        (ORIGIN, 200),
        ("Origin: null\r\n", 200),
        // The page is of the same origin.
        ("Origin: http://gateway.test\r\n", 200),
        ("Origin: https://other.example\r\nSec-Fetch-Site: same-origin\r\n", 200),
        ("Origin: https://other.example\r\nSec-Fetch-Site: same-site\r\n", 403),
        ("Origin: https://gateway.test\r\n", 403),
        ("Origin: http://gateway.test:8080\r\n", 403),
        ("Origin: https://evil.example\r\n", 403),
        ("Origin: https://app.example\r\nOrigin: https://app.example\r\n", 403),
    ] {
        let answer = gateway.request("POST", "/shop/guarded", &format!("{fields}Content-Length: 0\r\n"));
        assert_eq!(answer.status, status, "{fields}");
        if status == 403 {
            is_foreign(&answer);
            let id = answer.header("x-request-id");
            assert_eq!(gateway.log_line(|line| line["requestId"] == *id)["reject"], "cors-origin");
        }
    }
    assert_eq!(upstream.heads().len(), 5);
}

#[test]
fn security_headers_are_those_of_the_document() {
    let upstream = opinionated();
    let gateway = Gateway::before(&upstream);
    let policy = |answer: &Response| {
        ["content-security-policy", "referrer-policy", "x-content-type-options"].map(|name| answer.header(name))
    };
    let standard = ["frame-ancestors 'none'", "no-referrer", "nosniff"].map(str::to_owned);
    for (method, target) in [
        ("GET", "/shop/items?page=x"),
        ("POST", "/shop/items"),
        ("GET", "/shop/nothing"),
        ("PATCH", "/shop/items"),
        ("GET", "/shop/slow"),
    ] {
        let answer = gateway.request(method, target, "Content-Length: 0\r\n");
        assert_eq!(policy(&answer), standard, "{method} {target}");
    }
    assert!(gateway.raw("GET / HTTP/1.1\r\nHost: a b\r\n\r\n").contains("\r\nX-Content-Type-Options: nosniff\r\n"));
    // In place of the upstream's, but that browsers enforce each policy of content.
    let both = ["script-src 'self' | frame-ancestors 'none'", "no-referrer", "nosniff"];
    assert_eq!(policy(&gateway.get("/shop/items", "")), both);
    let own = gateway.get("/shop/own", "");
    assert_eq!(policy(&own), ["script-src 'self'", "same-origin", "sniff-not"]);
    assert_eq!(own.header("permissions-policy"), "camera=()");
    assert_eq!(policy(&gateway.get("/shop/any", "")), ["script-src 'self'", "unsafe-url", "none"]);
}

/// The pages of any origin.
fn pages() -> SocketAddr {
    let pages = Upstream::start(|_, connection| {
        connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\n\r\n<!doctype html>");
        true
    });
    pages.address
}

/// Calls from a page: status and what the script may read, or the kind of the error.
fn fetch(browser: &WebBrowser, target: &str, options: &str) -> String {
    let script = format!(
        "return fetch('http://api.app.example/shop{target}', {options}).then(async answer => \
         answer.status + ' ' + [...answer.headers.keys()].filter(name => name.startsWith('x-')).sort().join(' ') + ' ' + \
         await answer.text(), error => error.name)"
    );
    browser.evaluate(&script).as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_browser_agrees() {
    let upstream = opinionated();
    let gateway = Gateway::before(&upstream);
    let (pages, port) = (pages().port(), gateway.address.port());
    let hosts = format!("MAP api.app.example 127.0.0.1:{port},MAP *.example 127.0.0.1:{pages}");
    let Some(browser) = WebBrowser::start_with(&hosts, 800, 600) else { return };
    browser.go("http://app.example/");
    let with_cookies = "{credentials: 'include'}";
    browser.evaluate("document.cookie = 'cart=7; domain=app.example'");
    assert_eq!(fetch(&browser, "/items", "{}"), "200 x-page x-request-id x-total ");
    assert_eq!(fetch(&browser, "/items", with_cookies), "200 x-page x-request-id x-total cart=7");
    // A field of its own takes a preflight request, whose answer is remembered.
    let preflights = || gateway.log().lines().filter(|line| line.contains("\"OPTIONS\"")).count();
    assert_eq!(preflights(), 0);
    for _ in 0..2 {
        assert_eq!(fetch(&browser, "/items", "{headers: {'X-Trace': '1'}}"), "200 x-page x-request-id x-total ");
    }
    eventually("the preflight request in the log", || (preflights() > 0).then_some(()));
    assert_eq!(preflights(), 1);
    assert_eq!(fetch(&browser, "/items", "{headers: {'X-Secret': '1'}}"), "TypeError");
    // Refusals are readable.
    let post = "{method: 'POST', credentials: 'include', headers: {'Content-Type': 'application/json'}, body: '{}'}";
    assert!(fetch(&browser, "/items", post).starts_with("401 "));
    assert!(fetch(&browser, "/nothing", "{}").starts_with("404 "));
    assert!(fetch(&browser, "/limited", "{headers: {'X-Trace': 'browser'}}").starts_with("200 "));
    let limited = fetch(&browser, "/limited", "{headers: {'X-Trace': 'browser'}}");
    assert!(
        limited.starts_with("429 x-ratelimit-limit x-ratelimit-remaining x-ratelimit-reset x-request-id "),
        "{limited}"
    );
    assert!(fetch(&browser, "/slow", with_cookies).starts_with("504 "));
    // Without credentials for everyone.
    assert!(fetch(&browser, "/any", "{}").starts_with("200 "));
    assert_eq!(fetch(&browser, "/any", with_cookies), "TypeError");
    assert_eq!(
        fetch(&browser, "/items", "{method: 'PUT', headers: {'Content-Type': 'text/plain'}, body: ''}"),
        "TypeError"
    );
    // A page of another origin reads nothing, and what takes a preflight request is not sent.
    browser.go("http://evil.example/");
    let before = upstream.heads().len();
    assert_eq!(fetch(&browser, "/items", "{}"), "TypeError");
    assert_eq!(upstream.heads().len(), before + 1);
    assert_eq!(fetch(&browser, "/items", "{headers: {'X-Trace': '1'}}"), "TypeError");
    assert_eq!(fetch(&browser, "/guarded", "{method: 'POST'}"), "TypeError");
    assert_eq!(upstream.heads().len(), before + 1);
    assert!(fetch(&browser, "/any", "{}").starts_with("200 "));
}

#[test]
fn connections_go_on_after_a_preflight_request() {
    let gateway = Gateway::before(&Upstream::echo());
    let mut connection: Connection = gateway.connect();
    for _ in 0..2 {
        connection.send(format!(
            "OPTIONS /shop/items HTTP/1.1\r\nHost: a\r\n{ORIGIN}Access-Control-Request-Method: GET\r\n\r\n"
        ));
        assert_eq!(connection.response(false).status, 204);
        connection.send(format!("GET /shop/items HTTP/1.1\r\nHost: a\r\n{ORIGIN}\r\n"));
        is_readable(&connection.response(false), APP);
    }
}
