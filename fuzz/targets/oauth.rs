//! What clients, browsers and strangers send to the authorization server.
#![no_main]

use std::cell::RefCell;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;

#[path = "support.rs"]
mod support;

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
const JSON: &str = "Content-Type: application/json\r\n";
/// Of the client `server` in `consumers.yaml`.
const SERVER: &str = "Authorization: Basic c2VydmVyOmEgc2VjcmV0IG9mIHRoZSBmdXp6aW5nIHRoYXQgbm9ib2R5IGd1ZXNzZXM=\r\n";
const ADMIN: &str = "X-Admin-Key: administrators that nobody guesses\r\n";
const PASSWORD: &str = "a password of the fuzzing that nobody guesses";

/// A session is younger than this: those that end would have everything that needs one refused.
const YOUNG: Duration = Duration::from_secs(300);

thread_local! {
    /// The cookies of a user who has logged in, and when.
    static SESSION: RefCell<Option<(Instant, String)>> = const { RefCell::new(None) };
}

fuzz_target!(|input: &[u8]| {
    let Some((kind, input)) = input.split_first() else { return };
    let session = session();
    let (head, body) = input.split_at(input.iter().position(|byte| *byte == 0).unwrap_or(input.len()));
    let body = body.get(1..).unwrap_or_default();
    // What must not end a line does not.
    let line = |bytes: &[u8]| bytes.iter().filter(|byte| !b"\r\n\0".contains(byte)).copied().collect::<Vec<u8>>();
    let target = |bytes: &[u8]| bytes.iter().filter(|byte| (b'!'..=b'~').contains(*byte)).copied().collect::<Vec<u8>>();
    match kind % 14 {
        0 => exchange("GET /oauth/authorize?", &target(input), "", b"").is_redirect_or(&[400]),
        1 => exchange("GET /oauth/authorize?", &target(input), &session, b"").is_redirect_or(&[200, 400]),
        2 => exchange("POST /oauth/authorize/decision", b"", &[&session, FORM].concat(), input)
            .is_redirect_or(&[400, 403]),
        3 => exchange("POST /oauth/token", b"", FORM, input).fails(),
        4 => {
            let fields = [b"Authorization: ", &*line(head), b"\r\n", FORM.as_bytes()].concat();
            exchange("POST /oauth/token", b"", &String::from_utf8_lossy(&fields), body).fails()
        }
        5 => exchange("POST /oauth/token", b"", &[SERVER, FORM].concat(), input).is_redirect_or(&[200, 400, 401]),
        6 => exchange("POST /oauth/introspect", b"", FORM, input).fails(),
        7 => exchange("POST /oauth/introspect", b"", &[SERVER, FORM].concat(), input).is_redirect_or(&[200, 400]),
        8 => exchange("POST /oauth/revoke", b"", &[SERVER, FORM].concat(), input).is_redirect_or(&[200, 400]),
        9 => exchange("GET /login?return=", &target(input), "", b"").is_redirect_or(&[200, 400]),
        10 => exchange("POST /account", b"", &[&session, FORM].concat(), input).is_redirect_or(&[400, 403]),
        11 => {
            let fields = [b"Cookie: ", &*line(head), b"\r\nAuthorization: Bearer ", &*line(body), b"\r\n"].concat();
            exchange("GET /me", b"", &String::from_utf8_lossy(&fields), b"").fails();
            exchange("GET /account", b"", &String::from_utf8_lossy(&fields), b"").fails()
        }
        12 => {
            exchange("POST /_admin/applications", b"", &[ADMIN, JSON].concat(), input).is_redirect_or(&[201, 400, 409])
        }
        _ => exchange("POST /_admin/users", b"", JSON, input).fails(),
    }
});

/// The answer to a request over TLS with these fields, and a body where it has any or is a POST.
fn exchange(start: &str, target: &[u8], fields: &str, body: &[u8]) -> Answer {
    let mut request = [start.as_bytes(), target].concat();
    request
        .extend_from_slice(b" HTTP/1.1\r\nHost: localhost:8443\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n");
    request.extend_from_slice(fields.as_bytes());
    if start.starts_with("POST") {
        request.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
    }
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(body);
    let mut received = Vec::new();
    support::with(|harness| received = harness.exchange(&request, b"HTTP/1.1 500 Upstream\r\n\r\n").received);
    let mut space = [support::EMPTY; 64];
    let (status, length) = support::head(&received, &mut space)
        .unwrap_or_else(|| panic!("no head in {}", String::from_utf8_lossy(&received)));
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Answer { status, head: text(&received[..length]), text: text(&received) }
}

struct Answer {
    status: u16,
    head: String,
    text: String,
}

impl Answer {
    /// What a head and everything in it is refused for, long before OAuth.
    fn is_refused_early(&self) -> bool {
        matches!(self.status, 403 | 404 | 413 | 414 | 415 | 429 | 431)
    }

    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .filter(move |(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// No client without a credential gets what needs one, nor a redirect to anything but our own pages.
    fn fails(&self) {
        assert!((300..500).contains(&self.status), "{}", self.text);
        self.leads_nowhere_strange();
    }

    /// One of these, or a redirection to where a client is registered.
    fn is_redirect_or(&self, allowed: &[u16]) {
        let is_fine = matches!(self.status, 302 | 303) || allowed.contains(&self.status) || self.is_refused_early();
        assert!(is_fine, "{}", self.text);
        self.leads_nowhere_strange();
    }

    fn leads_nowhere_strange(&self) {
        for location in self.values("location") {
            let is_ours = location.starts_with('/') && !location.starts_with("//") && !location.starts_with("/\\");
            let is_clients = ["https://app.example/callback", "https://server.example/callback"]
                .iter()
                .any(|uri| location.strip_prefix(uri).is_some_and(|rest| rest.starts_with(['?', '#'])));
            assert!(is_ours || is_clients, "{}", self.text);
        }
    }
}

fn session() -> String {
    SESSION.with_borrow_mut(|session| match session {
        Some((since, cookies)) if since.elapsed() < YOUNG => cookies.clone(),
        session => session.insert((Instant::now(), log_in())).1.clone(),
    })
}

fn log_in() -> String {
    let page = exchange("GET /login", b"", "", b"");
    let tag = page.text.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a tag");
    let cookies = |answer: &Answer| {
        let pairs: Vec<_> =
            answer.values("set-cookie").filter_map(|value| value.split(';').next()).map(str::to_owned).collect();
        format!("Cookie: {}\r\n", pairs.join("; "))
    };
    let form = format!("username=bob&password={}&csrf={}", PASSWORD.replace(' ', "+"), tag.replace('+', "%2B"));
    let answer = exchange("POST /login", b"", &[&cookies(&page), FORM].concat(), form.as_bytes());
    assert_eq!(answer.status, 303, "{}", answer.text);
    cookies(&answer)
}
