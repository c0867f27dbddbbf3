//! The authorization server, as its clients and its users meet it. docs/oauth-security.md says which test shows what.

#[path = "../../support/mod.rs"]
mod support;
#[path = "../../support/tutorial.rs"]
mod tutorial;

use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use support::{Response, eventually};
use tutorial::{
    ADMIN, Browser, CALLBACK, CHALLENGE, CLIENT_SECRET, ISSUER, OTHER_SECRET, PASSWORD, Tutorial, VERIFIER, basic,
    encoded, field, parameter, request,
};

/// A database that another process does not let go.
struct Lock(std::process::Child);

impl Lock {
    fn on(file: &std::path::Path) -> Option<Self> {
        let mut command = std::process::Command::new("sqlite3");
        command.arg(file).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let Ok(mut process) = command.spawn() else {
            assert!(std::env::var_os("GATEWAY_TEST_REQUIRE_SERVICES").is_none(), "sqlite3 is not installed");
            eprintln!("skipped: sqlite3 is not installed");
            return None;
        };
        let input = process.stdin.as_mut().expect("piped");
        input.write_all(b".timeout 120000\nBEGIN EXCLUSIVE;\nSELECT 'locked';\n").expect("it reads");
        let mut said = [0; 6];
        process.stdout.as_mut().expect("piped").read_exact(&mut said).expect("it locks");
        Some(Self(process))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The store and the pages write to the log, which has no reader.
#[test]
fn tokens_are_issued_with_an_unread_standard_error() {
    for reader in support::Reader::ALL {
        let tutorial = Tutorial::before(reader, &["stores.default.kind=sqlite", "stores.default.file={folder}/o.db"]);
        let token = |tutorial: &Tutorial| tutorial.token(&[("grant_type", "client_credentials")]);
        assert_eq!(token(&tutorial).status, 200, "{reader:?}");
        // A store that does not answer is logged.
        if let Some(lock) = Lock::on(&tutorial.folder().join("o.db")) {
            assert_eq!(token(&tutorial).status, 503, "{reader:?}");
            drop(lock);
        }
        assert_eq!(token(&tutorial).status, 200, "{reader:?}");
        assert_eq!(tutorial.gateway.operations("/readyz").status, 200, "{reader:?}");
    }
}

fn error_of(response: &Response) -> (u16, String) {
    (response.status, response.json()["error"].as_str().unwrap_or_default().to_owned())
}

fn refused(response: &Response, status: u16, error: &str) {
    assert_eq!(error_of(response), (status, error.to_owned()), "{}", response.body);
    assert!(response.json().get("access_token").is_none(), "{}", response.body);
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// A code for the client `app` and the user bob.
fn code(tutorial: &Tutorial, scope: &str) -> String {
    let back = tutorial.browser().authorize(&request(scope, ""));
    parameter(&back, "code").unwrap_or_else(|| panic!("no code in {back}"))
}

fn redemption(code: &str) -> [(&str, &str); 5] {
    [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("client_id", "app"),
        ("code_verifier", VERIFIER),
    ]
}

/// The request without one parameter, or with another value for it.
fn changed<'a>(form: &[(&'a str, &'a str)], name: &str, value: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
    let mut form = form.to_vec();
    match value {
        Some(value) => form.iter_mut().filter(|(known, _)| *known == name).for_each(|pair| pair.1 = value),
        None => form.retain(|(known, _)| *known != name),
    }
    form
}

#[test]
fn a_user_logs_in_consents_and_comes_back_with_a_code_for_a_token() {
    let tutorial = Tutorial::start();
    let mut browser = tutorial.browser();
    let first = browser.get(&format!("/oauth/authorize?{}", request("notes", "")));
    assert_eq!(first.status, 302);
    let login = first.header("location");
    assert!(login.starts_with("/login?return=%2Foauth%2Fauthorize"), "{login}");
    let logged_in = browser.log_in(&login, "bob@EXAMPLE.org", PASSWORD);
    let dialog = browser.get(&logged_in.header("location"));
    for shown in
        ["Notes &amp; more", "bob", "bob@example.org", "Read and write your notes", "app.example", "Allow", "Deny"]
    {
        assert!(dialog.body.contains(shown), "{shown} is not in {}", dialog.body);
    }
    let back = browser.decide(&dialog, true);
    assert!(back.starts_with(&format!("{CALLBACK}?")), "{back}");
    assert_eq!(parameter(&back, "state").as_deref(), Some("xyz"));
    // RFC 9207: against mix-up, the answer names its server.
    assert_eq!(parameter(&back, "iss").as_deref(), Some(ISSUER));
    let code = parameter(&back, "code").expect("a code");
    let answer = tutorial.post("/oauth/token", "", &redemption(&code));
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("pragma"), "no-cache");
    let token = answer.json();
    assert_eq!(
        (&token["token_type"], &token["expires_in"], &token["scope"]),
        (&json!("Bearer"), &json!(3600), &json!("notes"))
    );
    let access = text(&token, "access_token");
    let seen = tutorial.get("/api/notes", &format!("Authorization: Bearer {access}\r\n")).json();
    let seen = seen["headers"].to_string().to_lowercase();
    assert!(seen.contains("\"x-client-id\":\"app\"") && seen.contains("\"x-user-id\":\"u-bob\""), "{seen}");
    assert!(!seen.contains(&access.to_lowercase()), "the upstream does not see the token");
    // Browsers send the session's cookie to every path of the host; it stops here.
    browser.cookies.insert("theme".to_owned(), "dark".to_owned());
    let seen = browser.get_with("/api/notes", &format!("Authorization: Bearer {access}\r\n")).body;
    assert!(seen.contains("theme=dark") && !seen.contains("gateway_session"), "{seen}");
    // The second time the user is not asked, for the same and for less.
    let again = browser.get(&format!("/oauth/authorize?{}", request("notes", "")));
    assert!(again.header("location").starts_with(CALLBACK), "{}", again.head);
    let more = browser.get(&format!("/oauth/authorize?{}", request("notes profile", "")));
    assert_eq!(more.status, 200, "for more, the user is asked");
}

#[test]
fn a_user_who_denies_sends_back_an_error() {
    let tutorial = Tutorial::start();
    let mut browser = tutorial.browser();
    browser.log_in("/login", "bob", PASSWORD);
    let dialog = browser.get(&format!("/oauth/authorize?{}", request("notes", "")));
    let back = browser.decide(&dialog, false);
    assert!(back.starts_with(CALLBACK), "{back}");
    assert_eq!(parameter(&back, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&back, "state").as_deref(), Some("xyz"));
    assert_eq!(parameter(&back, "code"), None);
    // The same answer again gets to the application again; another one does not count.
    assert_eq!(browser.decide(&dialog, false), back);
    let form = [("transaction_id", &*field(&dialog.body, "transaction_id")), ("csrf", &*field(&dialog.body, "csrf"))];
    assert_eq!(browser.post("/oauth/authorize/decision", "", &form).status, 403);
}

#[test]
fn a_second_click_gets_to_the_application_and_changes_nothing() {
    let tutorial = Tutorial::start();
    let mut browser = tutorial.browser();
    let page = browser.get("/login?return=%2Fme");
    let tag = field(&page.body, "csrf");
    let log_in = [("username", "bob"), ("password", PASSWORD), ("csrf", &*tag), ("return", "/me")];
    // Also before the answer to the first click is there: then the second one is a login of its own.
    let mut twin = tutorial.browser();
    twin.cookies = browser.cookies.clone();
    assert_eq!(browser.post("/login", "", &log_in).header("location"), "/me");
    let session = browser.cookies["gateway_session"].clone();
    assert_eq!(twin.post("/login", "", &log_in).header("location"), "/me");
    let again = browser.post("/login", "", &log_in);
    assert_eq!((again.status, again.header("location")), (303, "/me".to_owned()));
    assert_eq!(browser.cookies["gateway_session"], session, "the session is the one that there was");
    // Another user, another form, a form that a page elsewhere sends: as ever.
    assert_eq!(browser.post("/login", "", &changed(&log_in, "username", Some("ann"))).status, 400);
    assert_eq!(browser.post("/login", "", &changed(&log_in, "csrf", Some("x"))).status, 400);
    assert_eq!(browser.post("/login", "", &changed(&log_in, "csrf", None)).status, 400);
    assert_eq!(browser.post("/login", "Sec-Fetch-Site: cross-site\r\n", &log_in).status, 400);
    let elsewhere = changed(&log_in, "return", Some("https://evil.example/"));
    assert_eq!(browser.post("/login", "", &elsewhere).header("location"), "/me", "as the browser remembers");

    let dialog = browser.get(&format!("/oauth/authorize?{}", request("notes", "")));
    let code_of = |back: &str| parameter(back, "code").unwrap_or_else(|| panic!("no code in {back}"));
    let (first, second) = (browser.decide(&dialog, true), browser.decide(&dialog, true));
    assert_eq!(parameter(&second, "state").as_deref(), Some("xyz"));
    let (first, second) = (code_of(&first), code_of(&second));
    assert_ne!(first, second);
    for code in [&first, &second] {
        assert_eq!(tutorial.post("/oauth/token", "", &redemption(code)).status, 200);
    }
    // Not the other answer, not without the form's tag, and not for another session.
    let transaction = field(&dialog.body, "transaction_id");
    let form = [("transaction_id", &*transaction), ("csrf", &*field(&dialog.body, "csrf")), ("cancel", "deny")];
    assert_eq!(browser.post("/oauth/authorize/decision", "", &form).status, 403);
    let form = [("transaction_id", &*transaction), ("csrf", &*tag), ("allow", "allow")];
    assert_eq!(browser.post("/oauth/authorize/decision", "", &form).status, 403);
    let own = twin.get("/account");
    let form = [("transaction_id", &*transaction), ("csrf", &*field(&own.body, "csrf")), ("allow", "allow")];
    assert_eq!(twin.post("/oauth/authorize/decision", "", &form).status, 403);
    // What was withdrawn between the two clicks is asked for again.
    let account = browser.get("/account");
    let withdrawal = [("csrf", &*field(&account.body, "csrf")), ("client_id", "app")];
    assert_eq!(browser.post("/account", "", &withdrawal).status, 303);
    let asked = browser.decide(&dialog, true);
    assert!(asked.starts_with("/oauth/authorize?"), "{asked}");
    assert_eq!(browser.get(&asked).status, 200, "the user is asked again");
}

#[test]
fn blanks_around_a_user_name_are_not_part_of_it() {
    let tutorial = Tutorial::start();
    for name in [" bob", "bob ", "\tbob@example.org \u{a0}"] {
        assert_eq!(tutorial.browser().log_in("/login", name, PASSWORD).status, 303, "{name:?}");
        let grant = [("grant_type", "password"), ("username", name), ("password", PASSWORD), ("scope", "notes")];
        assert_eq!(tutorial.token(&grant).status, 200, "{name:?}");
    }
    let padded = format!("{PASSWORD} ");
    assert_eq!(tutorial.browser().log_in("/login", "bob", &padded).status, 401, "a password is what it is");
    assert_eq!(tutorial.browser().log_in("/login", "b ob", PASSWORD).status, 401);
}

#[test]
fn unregistered_redirect_uris_are_not_used() {
    let tutorial = Tutorial::start();
    let mut browser = tutorial.browser();
    browser.log_in("/login", "bob", PASSWORD);
    for redirect_uri in [
        "",
        "https://app.example/callback/",
        "https://app.example/callback?x=1",
        "https://app.example/callback#x",
        "https://APP.example/callback",
        "https://app.example.evil.example/callback",
        "https://app.example@evil.example/callback",
        "https://evil.example/callback",
        "//app.example/callback",
        "http://127.0.0.1.evil.example/callback",
        "https://server.example/callback",
        "javascript:alert(1)",
        "https://app.example/callback\r\nSet-Cookie: a=b",
    ] {
        let query = request("notes", "").replace(&encoded(CALLBACK), &encoded(redirect_uri));
        let response = browser.get(&format!("/oauth/authorize?{query}"));
        assert_eq!((response.status, response.header("location")), (400, String::new()), "{redirect_uri}");
        assert!(response.header("content-type").starts_with("text/html"));
    }
    for query in [
        "",
        "client_id=nobody",
        "response_type=code&client_id=app&client_id=server",
        "client_id=app&redirect_uri=%ff",
        "client_id=app&client_id=app",
        &format!("{}&redirect_uri=x", request("notes", "")),
        &format!("{0}&redirect_uri={1}", request("notes", ""), encoded(CALLBACK)),
    ] {
        let response = browser.get(&format!("/oauth/authorize?{query}"));
        assert_eq!((response.status, response.header("location")), (400, String::new()), "{query}");
    }
    // A native application has a port of its own each time (RFC 8252 §7.3), and is asked each time (§8.6).
    let native = request("notes", "").replace(&encoded(CALLBACK), &encoded("http://127.0.0.1:49152/callback"));
    for _ in 0..2 {
        let dialog = browser.get(&format!("/oauth/authorize?{native}"));
        assert_eq!(dialog.status, 200);
        assert!(browser.decide(&dialog, true).starts_with("http://127.0.0.1:49152/callback?code="));
    }
}

#[test]
fn errors_of_requests_go_to_the_redirect_uri() {
    let tutorial = Tutorial::start();
    let mut browser = tutorial.browser();
    let good = request("notes", "");
    for (query, error) in [
        (good.replace("response_type=code&", ""), "invalid_request"),
        (good.replace("response_type=code", "response_type=id_token"), "unsupported_response_type"),
        (good.replace("response_type=code", "response_type=code%20token"), "unsupported_response_type"),
        (good.replace("scope=notes", "scope=admin"), "invalid_scope"),
        (good.replace("scope=notes", "scope="), "invalid_scope"),
        (good.replace("code_challenge_method=S256", "code_challenge_method=plain"), "invalid_request"),
        (good.replace("&code_challenge_method=S256", ""), "invalid_request"),
        (good.replace(&format!("&code_challenge={CHALLENGE}"), ""), "invalid_request"),
        (good.replace(CHALLENGE, "short"), "invalid_request"),
        (format!("{good}&request_uri=https%3A%2F%2Fevil.example"), "invalid_request"),
        (format!("{good}&response_mode=form_post"), "invalid_request"),
        // RFC 6749 §4.1.2.1: a parameter that occurs more than once.
        (format!("{good}&scope=notes"), "invalid_request"),
        (format!("{good}&state=xyz"), "invalid_request"),
        (format!("{good}&response_type=code"), "invalid_request"),
        (format!("{good}&code_challenge={CHALLENGE}"), "invalid_request"),
        (good.replace("scope=notes", "scope=%ff"), "invalid_request"),
        (format!("{good}&resource=https%3A%2F%2Felsewhere.example"), "invalid_target"),
    ] {
        let response = browser.get(&format!("/oauth/authorize?{query}"));
        let location = response.header("location");
        assert!(location.starts_with(CALLBACK), "{query}: {location}");
        assert_eq!(parameter(&location, "error").as_deref(), Some(error), "{query}: {location}");
        assert_eq!(parameter(&location, "state").as_deref(), Some("xyz"), "{query}");
        assert_eq!(parameter(&location, "iss").as_deref(), Some(ISSUER), "{query}");
    }
    // What the server does not know it ignores, whatever it is (RFC 6749 §3.1).
    browser.log_in("/login", "bob", PASSWORD);
    for more in ["&foo=1&foo=2", "&login_hint=%E4", "&%ff=1", "&prompt=none&prompt=login", "&scope=", "&a=%"] {
        let response = browser.get(&format!("/oauth/authorize?{good}{more}"));
        assert_eq!(response.status, 200, "{more}: {}", response.header("location"));
    }
    // RFC 9700 §4.12: never with a status that sends the form on.
    for query in [good.as_str(), "client_id=app"] {
        assert!(!matches!(browser.get(&format!("/oauth/authorize?{query}")).status, 307 | 308));
    }
}

#[test]
fn a_code_is_for_one_client_one_address_and_one_verifier() {
    let tutorial = Tutorial::start();
    let other = [("client_id", "other"), ("client_secret", OTHER_SECRET)];
    for (name, value) in [
        ("redirect_uri", None),
        ("redirect_uri", Some("https://localhost:8443/callback")),
        ("code_verifier", None),
        ("code_verifier", Some("a-verifier-that-somebody-else-has-made-up-0123456789")),
        ("code_verifier", Some("short")),
    ] {
        let code = code(&tutorial, "notes");
        refused(&tutorial.post("/oauth/token", "", &changed(&redemption(&code), name, value)), 400, "invalid_grant");
        // There is no second try with a code that has leaked.
        refused(&tutorial.post("/oauth/token", "", &redemption(&code)), 400, "invalid_grant");
    }
    let code = code(&tutorial, "notes");
    let mut stolen = changed(&redemption(&code), "client_id", None);
    stolen.extend(other);
    refused(&tutorial.post("/oauth/token", "", &stolen), 400, "invalid_grant");
}

#[test]
fn a_second_redemption_ends_what_the_first_one_gave() {
    let tutorial = Tutorial::start();
    let code = code(&tutorial, "notes");
    let first = tutorial.post("/oauth/token", "", &redemption(&code)).json();
    let access = text(&first, "access_token");
    assert!(tutorial.opens(&access));
    refused(&tutorial.post("/oauth/token", "", &redemption(&code)), 400, "invalid_grant");
    assert!(!tutorial.opens(&access), "at once, whatever was remembered");
    let refresh = text(&first, "refresh_token");
    let again = [("grant_type", "refresh_token"), ("refresh_token", &*refresh), ("client_id", "app")];
    refused(&tutorial.post("/oauth/token", "", &again), 400, "invalid_grant");
}

#[test]
fn of_a_hundred_redemptions_on_two_gateways_one_wins_and_its_tokens_end() {
    let store = ["stores.default.kind=sqlite", "stores.default.file={folder}/oauth.db"];
    let tutorial = Tutorial::with(&store);
    let twin = tutorial.twin(&store);
    let code = code(&tutorial, "notes");
    let addresses = [tutorial.gateway.address, twin.address];
    let answers: Vec<Response> = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..100)
            .map(|number| {
                let (address, code) = (addresses[number % 2], &code);
                scope.spawn(move || Browser::at(address).post("/oauth/token", "", &redemption(code)))
            })
            .collect();
        tries.into_iter().map(|one| one.join().expect("an answer")).collect()
    });
    let winners: Vec<&Response> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(winners.len(), 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    assert!(answers.iter().all(|answer| answer.status == 200 || error_of(answer).1 == "invalid_grant"));
    assert!(!tutorial.opens(&text(&winners[0].json(), "access_token")));
}

#[test]
fn refresh_tokens_rotate_and_a_stolen_one_ends_the_family() {
    let tutorial = Tutorial::start();
    let code = code(&tutorial, "notes profile");
    let first = tutorial.post("/oauth/token", "", &redemption(&code)).json();
    let refresh = |token: &str, more: &[(&str, &str)]| {
        let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "app")];
        form.extend(more);
        tutorial.post("/oauth/token", "", &form)
    };
    let token = text(&first, "refresh_token");
    // What is wrong with the rest does not spend it.
    refused(&refresh(&token, &[("scope", "notes admin")]), 400, "invalid_scope");
    let foreign = [("grant_type", "refresh_token"), ("refresh_token", &*token)];
    refused(&tutorial.token(&foreign), 400, "invalid_grant");
    let second = refresh(&token, &[("scope", "notes")]).json();
    assert_eq!(second["scope"], "notes");
    let third = refresh(&text(&second, "refresh_token"), &[]).json();
    assert_eq!(third["scope"], "notes profile", "narrower is for one access token, not for the family");
    let access = text(&third, "access_token");
    assert!(tutorial.opens(&access));
    // The first one again, after the grace of the document: one of them was stolen.
    std::thread::sleep(Duration::from_secs(11));
    refused(&refresh(&token, &[]), 400, "invalid_grant");
    assert!(!tutorial.opens(&access));
    refused(&refresh(&text(&third, "refresh_token"), &[]), 400, "invalid_grant");
    // A refresh token is no access token.
    assert!(!tutorial.opens(&text(&third, "refresh_token")));
}

#[test]
fn tokens_are_for_the_resources_that_are_asked_for() {
    use base64::Engine as _;
    const NOTES: &str = "https://localhost:8443/api/notes";
    const ARCHIVE: &str = "https://archive.example";
    let tutorial = Tutorial::start();
    let audience = |token: &str| {
        let seen = tutorial.post("/oauth/introspect", &basic("server", CLIENT_SECRET), &[("token", token)]).json();
        seen["aud"].clone()
    };
    let refresh = |token: &str, more: &[(&str, &str)]| {
        let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "app")];
        form.extend(more);
        tutorial.post("/oauth/token", "", &form)
    };
    let mut browser = tutorial.browser();
    let both = format!("&resource={}&resource={}", encoded(NOTES), encoded(ARCHIVE));
    let mut code = || parameter(&browser.authorize(&request("notes", &both)), "code").expect("a code");
    let redeem = |code: &str, more: &[(&str, &str)]| {
        let mut form = redemption(code).to_vec();
        form.extend(more);
        tutorial.post("/oauth/token", "", &form)
    };
    let token = redeem(&code(), &[]).json();
    let access = text(&token, "access_token");
    assert_eq!(audience(&access), json!([NOTES, ARCHIVE]));
    assert!(tutorial.opens(&access));
    // Fewer for one access token, and never more or others.
    let narrow = redeem(&code(), &[("resource", ARCHIVE)]).json();
    assert_eq!(audience(&text(&narrow, "access_token")), ARCHIVE);
    assert!(!tutorial.opens(&text(&narrow, "access_token")), "whoever serves the archive cannot use it here");
    refused(&refresh(&text(&token, "refresh_token"), &[("resource", "https://b.example")]), 400, "invalid_target");
    let second = refresh(&text(&token, "refresh_token"), &[("resource", NOTES)]).json();
    assert_eq!(audience(&text(&second, "access_token")), NOTES);
    assert!(tutorial.opens(&text(&second, "access_token")));
    let third = refresh(&text(&second, "refresh_token"), &[]).json();
    assert_eq!(audience(&text(&third, "access_token")), json!([NOTES, ARCHIVE]), "narrower is for one token");
    let plain = tutorial.browser().authorize(&request("notes", ""));
    let plain = parameter(&plain, "code").expect("a code");
    refused(&redeem(&plain, &[("resource", NOTES)]), 400, "invalid_target");
    // Without a user, and as a JWT.
    let grant = [("grant_type", "client_credentials"), ("scope", "notes"), ("resource", NOTES), ("resource", ARCHIVE)];
    let signed = |form: &[(&str, &str)]| {
        let answer = tutorial.post("/oauth/token", &basic("other", OTHER_SECRET), form);
        let token = text(&answer.json(), "access_token");
        let claims = token.split('.').nth(1).expect("claims").to_owned();
        let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).expect("base64url");
        serde_json::from_slice::<Value>(&claims).expect("JSON")["aud"].clone()
    };
    assert_eq!(signed(&grant), json!([NOTES, ARCHIVE]));
    assert_eq!(signed(&grant[..3]), NOTES);
    assert_eq!(signed(&grant[..2]), ISSUER);
    assert_eq!(signed(&[grant[0], grant[1], ("resource", ISSUER)]), ISSUER);
    let unknown = [grant[0], grant[1], ("resource", "https://archive.example/")];
    refused(&tutorial.post("/oauth/token", &basic("other", OTHER_SECRET), &unknown), 400, "invalid_target");
}

#[test]
fn two_tabs_that_refresh_at_once_go_on_where_the_document_has_a_grace() {
    let tutorial = Tutorial::start();
    let code = code(&tutorial, "notes");
    let first = tutorial.post("/oauth/token", "", &redemption(&code)).json();
    let refresh = |token: &str| {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "app")];
        tutorial.post("/oauth/token", "", &form)
    };
    let token = text(&first, "refresh_token");
    let answers: Vec<Value> = std::thread::scope(|scope| {
        let tabs: Vec<_> = (0..8).map(|_| scope.spawn(|| refresh(&token).json())).collect();
        tabs.into_iter().map(|tab| tab.join().expect("an answer")).collect()
    });
    let given: HashSet<String> = answers.iter().map(|answer| text(answer, "refresh_token")).collect();
    assert_eq!(given.len(), 8, "each has its own");
    for answer in &answers {
        assert!(tutorial.opens(&text(answer, "access_token")));
        assert_eq!(refresh(&text(answer, "refresh_token")).status, 200);
    }
}

#[test]
fn clients_prove_who_they_are_in_one_way() {
    let tutorial = Tutorial::start();
    let grant = ("grant_type", "client_credentials");
    let token = |headers: &str, form: &[(&str, &str)]| tutorial.post("/oauth/token", headers, form);
    let by_body = [grant, ("client_id", "server"), ("client_secret", CLIENT_SECRET)];
    assert_eq!(token(&basic("server", CLIENT_SECRET), &[grant]).status, 200);
    assert_eq!(token(&basic("server", CLIENT_SECRET), &[grant, ("client_id", "server")]).status, 200);
    assert_eq!(token("", &by_body).status, 200);
    refused(&token(&basic("server", CLIENT_SECRET), &by_body), 400, "invalid_request");
    refused(&token(&basic("server", CLIENT_SECRET), &[grant, ("client_id", "other")]), 400, "invalid_request");
    let wrong = token(&basic("server", "wrong"), &[grant]);
    refused(&wrong, 401, "invalid_client");
    assert!(wrong.header("www-authenticate").starts_with("Basic "));
    // An unknown client and a wrong secret get the same answer.
    assert_eq!(token(&basic("nobody", "wrong"), &[grant]).body, wrong.body);
    refused(&token("", &[grant, ("client_id", "server")]), 401, "invalid_client");
    refused(&token("", &[grant]), 401, "invalid_client");
    refused(&token("Authorization: Bearer x\r\n", &[grant]), 401, "invalid_client");
    // A public client has nothing to prove itself with, so it acts for its users only.
    refused(&token("", &[grant, ("client_id", "app")]), 400, "unauthorized_client");
    refused(&token("", &[("grant_type", "client_credentials"), ("grant_type", "password")]), 400, "invalid_request");
    refused(&token(&basic("server", CLIENT_SECRET), &[("grant_type", "urn:x")]), 400, "unsupported_grant_type");
    // D18: a client does not name a user.
    for name in ["sub", "subject", "username"] {
        refused(&token(&basic("server", CLIENT_SECRET), &[grant, (name, "bob")]), 400, "invalid_request");
    }
    let fresh = token(&basic("server", CLIENT_SECRET), &[grant]).json();
    assert_eq!((fresh["scope"].clone(), fresh.get("refresh_token")), (json!("notes"), None));
}

fn assertion(tutorial: &Tutorial, claims: &Value) -> String {
    let key = jsonwebtoken::EncodingKey::from_ec_der(&tutorial.key.serialize_der());
    jsonwebtoken::encode(&jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256), claims, &key).expect("signed")
}

/// The same text with the other signature of P-256 that is valid for it: (r, n - s).
fn other_signature(jwt: &str) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    const N: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
        0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let (signed, signature) = jwt.rsplit_once('.').expect("a JWS");
    let mut signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    let mut borrow = 0;
    for (byte, n) in signature[32..].iter_mut().zip(N).rev() {
        let difference = i16::from(n) - i16::from(*byte) - borrow;
        borrow = i16::from(difference < 0);
        *byte = difference.rem_euclid(256) as u8;
    }
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn assertions_are_for_this_server_and_are_used_once() {
    let tutorial = Tutorial::start();
    let kind = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    let claims = |name: &str| json!({"iss": "server", "sub": "server", "aud": ISSUER, "exp": now() + 60, "jti": name});
    let with = |claims: &Value| {
        let jwt = assertion(&tutorial, claims);
        let form = [("grant_type", "client_credentials"), kind, ("client_assertion", &*jwt)];
        (tutorial.post("/oauth/token", "", &form), jwt)
    };
    let (good, jwt) = with(&claims("a"));
    assert_eq!(good.status, 200, "{}", good.body);
    let again = [("grant_type", "client_credentials"), kind, ("client_assertion", &*jwt)];
    refused(&tutorial.post("/oauth/token", "", &again), 401, "invalid_client");
    let mut at_endpoint = claims("b");
    at_endpoint["aud"] = json!(format!("{ISSUER}/oauth/token"));
    assert_eq!(with(&at_endpoint).0.status, 200);
    for (name, value) in [
        ("aud", json!("https://evil.example")),
        ("aud", json!([ISSUER, "https://evil.example"])),
        ("aud", json!("/oauth/token")),
        ("aud", Value::Null),
        ("sub", json!("bob")),
        ("iss", json!("other")),
        ("exp", json!(now() - 3600)),
        ("exp", json!((now() + 60) * 1000)),
        ("exp", json!("soon")),
        ("exp", json!(1e300)),
        ("exp", Value::Null),
        ("nbf", json!(now() + 3600)),
        ("jti", json!("a")),
    ] {
        let mut bad = claims(&format!("{name}{value}"));
        bad[name] = value;
        refused(&with(&bad).0, 401, "invalid_client");
    }
    // Without a name, an assertion is known by what is signed. An attacker who has seen one can make
    // its other signature: s and n - s.
    let mut nameless = claims("");
    nameless.as_object_mut().expect("an object").remove("jti");
    let (good, jwt) = with(&nameless);
    assert_eq!(good.status, 200, "{}", good.body);
    let again = [("grant_type", "client_credentials"), kind, ("client_assertion", &*other_signature(&jwt))];
    refused(&tutorial.post("/oauth/token", "", &again), 401, "invalid_client");
    // With the secret as key (client_secret_jwt), but never with the public key as secret (RFC 8725 §3.1).
    let hmac = |secret: &[u8], name: &str| {
        let key = jsonwebtoken::EncodingKey::from_secret(secret);
        let jwt = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims(name), &key).expect("signed");
        tutorial.post("/oauth/token", "", &[("grant_type", "client_credentials"), kind, ("client_assertion", &*jwt)])
    };
    assert_eq!(hmac(CLIENT_SECRET.as_bytes(), "c").status, 200);
    refused(&hmac(tutorial.key.public_key_pem().as_bytes(), "d"), 401, "invalid_client");
}

#[test]
fn an_assertion_is_a_grant_for_users_who_have_allowed_it() {
    let tutorial = Tutorial::start();
    let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
    let claims = |user: &str| json!({"iss": "server", "sub": user, "aud": ISSUER, "exp": now() + 60, "scope": "notes"});
    let with =
        |claims: &Value| tutorial.post("/oauth/token", "", &[grant, ("assertion", &assertion(&tutorial, claims))]);
    refused(&with(&claims("bob")), 400, "invalid_grant");
    // Users who do not exist look like users who have not allowed it.
    let mut nobody = claims("nobody");
    nobody["jti"] = json!("x");
    assert_eq!(with(&nobody).json()["error_description"], with(&claims("ann")).json()["error_description"]);
    let query = format!(
        "response_type=code&client_id=server&redirect_uri={}&scope=notes&code_challenge={CHALLENGE}&code_challenge_method=S256",
        encoded("https://server.example/callback")
    );
    tutorial.browser().authorize(&query);
    let mut allowed = claims("bob");
    allowed["jti"] = json!("y");
    let answer = with(&allowed);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.json().get("refresh_token"), None);
    let me = tutorial.get("/api/notes", &format!("Authorization: Bearer {}\r\n", text(&answer.json(), "access_token")));
    assert!(me.body.to_lowercase().contains("\"x-user-id\":\"u-bob\"") || me.body.contains("u-bob"), "{}", me.body);
    let mut more = claims("bob");
    more["scope"] = json!("notes profile");
    refused(&with(&more), 400, "invalid_grant");
}

#[test]
fn access_tokens_open_what_their_scopes_say_until_they_are_revoked() {
    let tutorial = Tutorial::start();
    let grant = [("grant_type", "password"), ("username", "bob"), ("password", PASSWORD), ("scope", "notes")];
    let token = tutorial.token(&grant).json();
    let access = text(&token, "access_token");
    let bearer = format!("Authorization: Bearer {access}\r\n");
    let missing = tutorial.get("/api/notes", "");
    assert_eq!((missing.status, missing.header("www-authenticate")), (401, "Bearer realm=\"oauth\"".to_owned()));
    let unknown = tutorial.get("/api/notes", "Authorization: Bearer unknown\r\n");
    assert!(unknown.status == 401 && unknown.header("www-authenticate").contains("error=\"invalid_token\""));
    let other_scope = tutorial.get("/me", &bearer);
    assert_eq!(other_scope.status, 403);
    assert!(other_scope.header("www-authenticate").contains("error=\"insufficient_scope\""), "{}", other_scope.head);
    // A token in a URL is in logs and histories (RFC 9700 §4.3.2): this document does not take it from there.
    assert_eq!(tutorial.get(&format!("/api/notes?access_token={access}"), "").status, 401);
    assert_eq!(tutorial.get("/api/notes", &bearer).status, 200);
    let revoke = |token: &str, id: &str, secret: &str, hint: &str| {
        tutorial.post("/oauth/revoke", &basic(id, secret), &[("token", token), ("token_type_hint", hint)])
    };
    refused(&revoke(&access, "other", OTHER_SECRET, "access_token"), 400, "unauthorized_client");
    assert!(tutorial.opens(&access));
    refused(&revoke(&access, "server", "wrong", "access_token"), 401, "invalid_client");
    refused(&revoke(&access, "server", CLIENT_SECRET, "id_token"), 400, "unsupported_token_type");
    assert_eq!(revoke("unknown", "server", CLIENT_SECRET, "access_token").status, 200);
    // A hint may be wrong (RFC 7009 §2.1).
    assert_eq!(revoke(&access, "server", CLIENT_SECRET, "refresh_token").status, 200);
    assert!(!tutorial.opens(&access));
    let next =
        tutorial.token(&[("grant_type", "refresh_token"), ("refresh_token", &text(&token, "refresh_token"))]).json();
    assert!(tutorial.opens(&text(&next, "access_token")));
    assert_eq!(revoke(&text(&next, "refresh_token"), "server", CLIENT_SECRET, "refresh_token").status, 200);
    assert!(!tutorial.opens(&text(&next, "access_token")), "with the refresh token, all goes that it gave");
}

#[test]
fn a_token_in_a_link_or_a_form_stops_at_the_gateway() {
    let tutorial = Tutorial::start();
    let access = text(&tutorial.token(&[("grant_type", "client_credentials")]).json(), "access_token");
    let (path, bearer) = ("/api/linked-notes", format!("Authorization: Bearer {access}\r\n"));
    let linked = format!("{path}?a=1&access_token={access}&b=2");
    let seen = tutorial.get(&linked, "");
    assert!(seen.status == 200 && seen.body.contains("a=1&b=2") && !seen.body.contains(&access), "{}", seen.body);
    let form = [("a", "1"), ("access_token", &*access), ("b", "2")];
    let seen = tutorial.post(path, "", &form);
    assert!(seen.status == 200 && seen.body.contains("a=1&b=2") && !seen.body.contains(&access), "{}", seen.body);
    assert_eq!(tutorial.post(path, "", &form[1..2]).json()["body"], "");
    assert_eq!(tutorial.post(path, &bearer, &form[..1]).json()["body"], "a=1");
    // Two tokens: two readers could take different ones (RFC 6750 §2).
    for response in [
        tutorial.get(&linked, &bearer),
        tutorial.post(path, &bearer, &form),
        tutorial.post(&linked, "", &form),
        tutorial.post(path, "", &[form[1], form[1]]),
    ] {
        let challenge = response.header("www-authenticate");
        assert!(matches!(response.status, 400 | 401), "{}", response.head);
        assert!(challenge.contains("error=\"invalid_"), "{challenge}");
    }
    // A form whose end is not known cannot be sent on without what was in it.
    let mut connection = tutorial.gateway.connect();
    let body = format!("access_token={access}&x=1");
    connection.send(format!(
        "POST {path} HTTP/1.1\r\nHost: localhost:8443\r\nX-Forwarded-Proto: https\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    ));
    assert_eq!(connection.response(false).status, 400);
    // What follows on the connection is a request of its own, whatever was taken out before it.
    let mut connection = tutorial.gateway.connect();
    let head = "Host: localhost:8443\r\nX-Forwarded-Proto: https\r\n";
    connection.send(format!(
        "POST {path} HTTP/1.1\r\n{head}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}\
         GET /callback HTTP/1.1\r\n{head}\r\n",
        body.len()
    ));
    assert_eq!(connection.response(false).json()["body"], "x=1");
    assert!(connection.response(false).body.contains("Back at the application"));
}

#[test]
fn removing_a_party_from_the_file_revokes_its_grants() {
    let tutorial = Tutorial::start();
    let of_client =
        text(&tutorial.token(&[("grant_type", "client_credentials"), ("scope", "notes")]).json(), "access_token");
    let mut browser = tutorial.browser();
    browser.log_in("/login", "bob", PASSWORD);
    let back = browser.authorize(&request("notes", ""));
    let code = parameter(&back, "code").expect("a code");
    let of_user = text(&tutorial.post("/oauth/token", "", &redemption(&code)).json(), "access_token");
    assert!(tutorial.opens(&of_client) && tutorial.opens(&of_user));
    assert_eq!(browser.get("/account").status, 200);
    let without = |start: &str, end: &str| {
        edit(&tutorial, |text| {
            let (before, rest) = text.split_once(start).expect("it is there");
            let (_, after) = rest.split_once(end).expect("it is there");
            format!("{before}{end}{after}")
        });
    };
    without("  - {id: u-bob,", "  - {id: u-ann,");
    // A cached token stays valid until the cache expires.
    eventually("the end of a user's token", || (!tutorial.opens(&of_user)).then_some(()));
    assert_eq!(browser.get("/account").status, 302, "a user's session");
    let seen = tutorial.post("/oauth/introspect", &basic("server", CLIENT_SECRET), &[("token", &of_user)]).json();
    assert_eq!(seen, json!({"active": false}));
    assert!(tutorial.opens(&of_client));
    without("  - client_id: server\n", "  - client_id: tutorial-server");
    eventually("the end of a client's token", || (!tutorial.opens(&of_client)).then_some(()));
}

#[test]
fn a_changed_password_in_the_file_ends_its_sessions() {
    let tutorial = Tutorial::start();
    let (mut bob, mut ann) = (tutorial.browser(), tutorial.browser());
    bob.log_in("/login", "bob", PASSWORD);
    ann.log_in("/login", "ann", PASSWORD);
    let code_of = |browser: &mut Browser| parameter(&browser.authorize(&request("notes", "")), "code").expect("a code");
    let redeem = |code: &str| tutorial.post("/oauth/token", "", &redemption(code));
    let (of_bob, of_ann) = (redeem(&code_of(&mut bob)).json(), redeem(&code_of(&mut ann)).json());
    let (unspent, token) = (code_of(&mut bob), text(&of_bob, "access_token"));
    assert!(tutorial.opens(&token));
    edit(&tutorial, |file| {
        let (before, bob) = file.split_once("username: bob").expect("bob is there");
        format!("{before}username: bob{}", bob.replacen("TEST_USER_PASSWORD", "TEST_OTHER_SECRET", 1))
    });
    eventually("the end of an access token", || (!tutorial.opens(&token)).then_some(()));
    assert_eq!(bob.get("/account").status, 302, "a session");
    let refresh = |tokens: &Value| {
        let token = text(tokens, "refresh_token");
        let form = [("grant_type", "refresh_token"), ("client_id", "app"), ("refresh_token", &*token)];
        tutorial.post("/oauth/token", "", &form)
    };
    for answer in [refresh(&of_bob), redeem(&unspent)] {
        assert_eq!((answer.status, &answer.json()["error"]), (400, &json!("invalid_grant")), "{}", answer.body);
    }
    // The other user's password is the same as before.
    assert_eq!(ann.get("/account").status, 200);
    assert!(tutorial.opens(&text(&of_ann, "access_token")));
    assert_eq!(refresh(&of_ann).status, 200);
    assert_eq!(bob.log_in("/login", "bob", PASSWORD).status, 401);
    assert_eq!(bob.log_in("/login", "bob", OTHER_SECRET).status, 303);
    assert_eq!(bob.get("/account").status, 200);
}

/// Changes the file of clients and users, and has the gateway read it.
fn edit(tutorial: &Tutorial, change: impl FnOnce(&str) -> String) {
    let file = tutorial.folder().join("parties.yaml");
    let text = std::fs::read_to_string(&file).expect("read");
    std::fs::write(&file, change(&text)).expect("written");
    let hang_up = std::process::Command::new("kill").args(["-HUP", &tutorial.gateway.pid().to_string()]).status();
    assert!(hang_up.expect("kill runs").success());
}

#[test]
fn introspection_describes_tokens_to_confidential_clients() {
    let tutorial = Tutorial::start();
    let grant = [("grant_type", "password"), ("username", "bob"), ("password", PASSWORD), ("scope", "notes")];
    let token = tutorial.token(&grant).json();
    let ask = |token: &str, id: &str, secret: &str| {
        tutorial.post("/oauth/introspect", &basic(id, secret), &[("token", token)])
    };
    let worth = ask(&text(&token, "access_token"), "other", OTHER_SECRET).json();
    for (name, value) in [
        ("active", json!(true)),
        ("scope", json!("notes")),
        ("client_id", json!("server")),
        ("sub", json!("u-bob")),
        ("username", json!("bob")),
        ("iss", json!(ISSUER)),
        ("token_type", json!("Bearer")),
    ] {
        assert_eq!(worth[name], value, "{name}");
    }
    let life = worth["exp"].as_u64().expect("a time") - worth["iat"].as_u64().expect("a time");
    assert_eq!(life, 3600);
    // A refresh token is the business of the client that has it.
    let refresh = text(&token, "refresh_token");
    assert_eq!(ask(&refresh, "other", OTHER_SECRET).json(), json!({"active": false}));
    assert_eq!(ask(&refresh, "server", CLIENT_SECRET).json()["active"], true);
    assert_eq!(ask("unknown", "other", OTHER_SECRET).json(), json!({"active": false}));
    refused(&tutorial.post("/oauth/introspect", "", &[("token", "x")]), 401, "invalid_client");
    refused(&tutorial.post("/oauth/introspect", "", &[("token", "x"), ("client_id", "app")]), 401, "invalid_client");
}

#[test]
fn jwt_access_tokens_are_signed_with_a_key_that_is_published() {
    let tutorial = Tutorial::start();
    let grant = [("grant_type", "client_credentials"), ("scope", "notes")];
    let answer = tutorial.post("/oauth/token", &basic("other", OTHER_SECRET), &grant).json();
    let token = text(&answer, "access_token");
    let keys = tutorial.get("/oauth/keys", "").json();
    let key = &keys["keys"][0];
    let header = jsonwebtoken::decode_header(&token).expect("a JWT");
    assert_eq!((header.typ.as_deref(), header.kid.as_deref()), (Some("at+jwt"), key["kid"].as_str()));
    assert!(key.get("d").is_none(), "{key}");
    let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(key.clone()).expect("a JWK");
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
    validation.set_audience(&[ISSUER]);
    let decoding = jsonwebtoken::DecodingKey::from_jwk(&jwk).expect("a key");
    let claims = jsonwebtoken::decode::<Value>(&token, &decoding, &validation).expect("good").claims;
    for (name, value) in [("iss", ISSUER), ("sub", "other"), ("client_id", "other"), ("scope", "notes")] {
        assert_eq!(claims[name], value, "{claims}");
    }
    assert!(tutorial.opens(&token));
    // Neither another signer's signature, nor none, whatever the claims say.
    let (signed, _) = token.rsplit_once('.').expect("three parts");
    for forged in [
        format!("{signed}."),
        format!("{signed}.AAAA"),
        format!("eyJhbGciOiJub25lIn0.{}.", signed.split('.').nth(1).expect("claims")),
    ] {
        assert!(!tutorial.opens(&forged));
    }
    let revoked = tutorial.post("/oauth/revoke", &basic("other", OTHER_SECRET), &[("token", &token)]);
    assert_eq!(revoked.status, 200);
    assert!(!tutorial.opens(&token), "also a token that proves itself ends");
}

#[test]
fn the_implicit_grant_answers_in_the_fragment_and_without_a_refresh_token() {
    let tutorial = Tutorial::start();
    let query = format!("response_type=token&client_id=app&redirect_uri={}&scope=notes&state=s", encoded(CALLBACK));
    let back = tutorial.browser().authorize(&query);
    assert!(back.starts_with(&format!("{CALLBACK}#")), "{back}");
    assert_eq!(parameter(&back, "token_type").as_deref(), Some("Bearer"));
    assert_eq!(parameter(&back, "state").as_deref(), Some("s"));
    assert_eq!(parameter(&back, "refresh_token"), None);
    assert!(tutorial.opens(&parameter(&back, "access_token").expect("a token")));
    let denied = tutorial.browser().get(&format!("/oauth/authorize?{}", query.replace("scope=notes", "scope=x")));
    assert!(denied.header("location").starts_with(&format!("{CALLBACK}#error=invalid_scope")), "{}", denied.head);
}

#[test]
fn the_metadata_says_where_everything_is() {
    let tutorial = Tutorial::start();
    let response = tutorial.get("/.well-known/oauth-authorization-server", "");
    assert!(response.header("content-type").starts_with("application/json"));
    let found = response.json();
    for (name, path) in [
        ("issuer", ""),
        ("authorization_endpoint", "/oauth/authorize"),
        ("token_endpoint", "/oauth/token"),
        ("revocation_endpoint", "/oauth/revoke"),
        ("introspection_endpoint", "/oauth/introspect"),
        ("jwks_uri", "/oauth/keys"),
        ("registration_endpoint", APPLICATIONS),
    ] {
        assert_eq!(found[name], format!("{ISSUER}{path}"), "{name}");
    }
    assert_eq!(found["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(found["scopes_supported"], json!(["notes", "profile"]));
    assert_eq!(found["authorization_response_iss_parameter_supported"], true);
}

#[test]
fn pages_stay_out_of_frames_caches_and_referrers() {
    let tutorial = Tutorial::start();
    let mut browser = tutorial.browser();
    let login = browser.get("/login");
    browser.log_in("/login", "bob", PASSWORD);
    let pages = [
        login,
        browser.get("/account"),
        browser.get(&format!("/oauth/authorize?{}", request("notes", ""))),
        browser.get("/oauth/authorize"),
    ];
    for page in pages {
        let policy = page.header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"), "{policy}");
        assert!(!policy.contains("unsafe") && !page.body.contains("<script"), "{policy}");
        // Browsers hold every redirection after a form against `form-action`, and an application sends them anywhere.
        let leads_on = page.body.contains("action=\"/login\"") || page.body.contains("name=\"transaction_id\"");
        assert_eq!(policy.contains("form-action 'self'"), !leads_on, "{policy}");
        for (name, value) in [
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(page.header(name), value);
        }
    }
}

#[test]
fn forms_are_taken_from_pages_of_this_browser_only() {
    let tutorial = Tutorial::start();
    let (mut bob, mut eve) = (tutorial.browser(), tutorial.browser());
    let theirs = field(&eve.get("/login").body, "csrf");
    // Login CSRF: a page elsewhere logs its visitor in as another user.
    let form = [("username", "bob"), ("password", PASSWORD), ("csrf", &*theirs)];
    assert_eq!(bob.post("/login", "", &form).status, 400, "without a cookie");
    bob.get("/login");
    assert_eq!(bob.post("/login", "", &form).status, 400, "with another browser's form");
    assert_eq!(bob.post("/login", "", &form[..2]).status, 400, "without a tag");
    // A host next door can plant its cookie, and has the form that goes with it.
    bob.cookies.insert("gateway_session".to_owned(), eve.cookies["gateway_session"].clone());
    for headers in ["Sec-Fetch-Site: same-site\r\n", "Origin: https://next.localhost\r\n"] {
        assert_eq!(bob.post("/login", headers, &form).status, 400, "{headers}");
    }
    bob.cookies.clear();
    bob.log_in("/login", "bob", PASSWORD);
    let page = bob.get("/account");
    assert_eq!(bob.post("/logout", "", &[("csrf", &theirs)]).status, 403);
    assert_eq!(bob.post("/logout", "", &[]).status, 403);
    let tag = field(&page.body, "csrf");
    for headers in [
        "Origin: https://evil.example\r\n",
        "Origin: null\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
    ] {
        assert_eq!(bob.post("/logout", headers, &[("csrf", &tag)]).status, 401, "{headers}");
    }
    assert_eq!(bob.get("/account").status, 200);
    // A consent dialog of one browser is nothing in another.
    let dialog = bob.get(&format!("/oauth/authorize?{}", request("notes", "")));
    eve.log_in("/login", "ann", PASSWORD);
    let own = eve.get(&format!("/oauth/authorize?{}", request("notes", "")));
    let (transaction, csrf) = (field(&dialog.body, "transaction_id"), field(&own.body, "csrf"));
    let form = [("transaction_id", &*transaction), ("csrf", &*csrf), ("allow", "allow")];
    assert_eq!(eve.post("/oauth/authorize/decision", "", &form).status, 403);
    assert!(bob.decide(&dialog, true).contains("code="), "and it is still there for its own");
    let out =
        bob.post("/logout", "Origin: https://localhost:8443\r\nSec-Fetch-Site: same-origin\r\n", &[("csrf", &tag)]);
    assert_eq!((out.status, out.header("location")), (303, "/".to_owned()));
    assert_eq!(bob.get("/account").status, 302);
}

#[test]
fn a_login_gets_a_new_session_and_leads_nowhere_else() {
    let tutorial = Tutorial::start();
    let mut browser = tutorial.browser();
    let page = browser.get("/login?return=%2Faccount");
    let cookie = page.header("set-cookie");
    for attribute in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let before = browser.cookies["gateway_session"].clone();
    let fixed = browser.log_in("/login?return=%2Faccount", "bob", PASSWORD);
    assert_eq!((fixed.status, fixed.header("location")), (303, "/account".to_owned()));
    let after = browser.cookies["gateway_session"].clone();
    assert_ne!(before, after, "what an attacker may have planted is nobody's session");
    let mut planted = tutorial.browser();
    planted.cookies.insert("gateway_session".to_owned(), before);
    assert_eq!(planted.get("/account").status, 302);
    for to in ["https://evil.example/", "//evil.example", "/\\evil.example", "%0d%0aX: y", "javascript:alert(1)"] {
        let mut browser = tutorial.browser();
        let response = browser.log_in(&format!("/login?return={}", encoded(to)), "bob", PASSWORD);
        assert_eq!(response.header("location"), "/account", "{to}");
    }
}

#[test]
fn guesses_are_slowed_down_and_reveal_nothing() {
    let tutorial = Tutorial::start();
    let wrong = tutorial.browser().log_in("/login", "bob", "wrong");
    let unknown = tutorial.browser().log_in("/login", "nobody", "wrong");
    assert_eq!((wrong.status, unknown.status), (401, 401));
    assert!(wrong.body.contains("The name or the password is wrong."));
    assert!(unknown.body.contains("The name or the password is wrong."));
    for _ in 0..9 {
        tutorial.browser().log_in("/login", "bob", "wrong");
    }
    let blocked = tutorial.browser().log_in("/login", "bob", PASSWORD);
    assert_eq!(blocked.status, 429, "also the right password has to wait");
    assert!(blocked.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds <= 600));
    assert_eq!(tutorial.browser().log_in("/login", "ann", PASSWORD).status, 303, "others can log in");
    let by_grant = [("grant_type", "password"), ("username", "bob"), ("password", PASSWORD), ("scope", "notes")];
    assert_eq!(tutorial.token(&by_grant).status, 429, "there is no way round it");
    for _ in 0..10 {
        tutorial.post("/oauth/token", &basic("other", "wrong"), &[("grant_type", "client_credentials")]);
    }
    let right = tutorial.post(
        "/oauth/token",
        &basic("other", OTHER_SECRET),
        &[("grant_type", "client_credentials"), ("scope", "notes")],
    );
    assert_eq!(right.status, 429);
}

#[test]
fn users_see_and_withdraw_their_consents() {
    let tutorial = Tutorial::start();
    let mut browser = tutorial.browser();
    let back = browser.authorize(&request("notes", ""));
    let token = tutorial.post("/oauth/token", "", &redemption(&parameter(&back, "code").expect("a code"))).json();
    let access = text(&token, "access_token");
    assert!(tutorial.opens(&access));
    let page = browser.get("/account");
    for shown in ["Notes &amp; more", "Read and write your notes", "Withdraw", "bob@example.org"] {
        assert!(page.body.contains(shown), "{shown} is not in {}", page.body);
    }
    let form = [("csrf", &*field(&page.body, "csrf")), ("client_id", "app")];
    assert_eq!(browser.post("/account", "", &form[1..]).status, 403, "without the form's tag");
    assert_eq!(browser.post("/account", "", &form).status, 303);
    assert!(!tutorial.opens(&access));
    let refresh =
        [("grant_type", "refresh_token"), ("refresh_token", &*text(&token, "refresh_token")), ("client_id", "app")];
    refused(&tutorial.post("/oauth/token", "", &refresh), 400, "invalid_grant");
    let again = browser.get(&format!("/oauth/authorize?{}", request("notes", "")));
    assert_eq!(again.status, 200, "the user is asked again");
    assert!(!browser.get("/account").body.contains("Notes &amp; more"));
}

#[test]
fn pages_speak_the_readers_language_and_the_teams_words() {
    let tutorial = Tutorial::start();
    let german = tutorial.get("/login", "Accept-Language: fr;q=0.9, de-CH;q=0.8, en;q=0.5\r\n");
    assert!(german.body.contains("<html lang=\"de\">") && german.body.contains("Anmelden"), "{}", german.body);
    assert!(tutorial.get("/login", "Accept-Language: fr\r\n").body.contains("Log in"));
    let pages = tutorial.folder().join("pages");
    std::fs::create_dir(&pages).expect("made");
    std::fs::write(pages.join("texts.fr.yaml"), "login_title: Se connecter\n").expect("written");
    std::fs::write(pages.join("error.html"), "<p>{{ t.login_title }} {{ detail }}</p>").expect("written");
    let twin = tutorial.twin(&["oauth.templates={folder}/pages"]);
    let french = Browser::at(twin.address).get_with("/login", "Accept-Language: fr-CA\r\n");
    assert!(french.body.contains("<h1>Se connecter</h1>") && french.body.contains("Password"), "{}", french.body);
    let hostile = format!("/oauth/authorize?client_id={}", encoded("<script>"));
    let own = Browser::at(twin.address).get_with(&hostile, "Accept-Language: fr\r\n");
    assert_eq!(own.body, "<p>Se connecter client_id is not known</p>");
    // A mistake in a template is reported at start and not shown to a user.
    std::fs::write(pages.join("login.html"), "{{ usrname }}").expect("written");
    let mut command =
        support::Gateway::command(&[&format!("oauth.templates={}", pages.display())], tutorial.gateway.address);
    let output = command.output().expect("it ends");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("template login.html: undefined value"), "{told}");
}

/// Where administrators register clients.
const APPLICATIONS: &str = "/_admin/applications";

fn send_json(tutorial: &Tutorial, method: &str, path: &str, headers: &str, body: &str) -> Response {
    let mut connection = tutorial.gateway.connect();
    connection.send(format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost:8443\r\nX-Forwarded-Proto: https\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    connection.response(method == "HEAD")
}

#[test]
fn administrators_register_applications_and_users() {
    let tutorial = Tutorial::start();
    let json = |method: &str, path: &str, headers: &str, body: &str| send_json(&tutorial, method, path, headers, body);
    let applications = APPLICATIONS;
    let good = r#"{"name": "A", "grant_types": ["client_credentials"], "scopes": ["notes"]}"#;
    assert_eq!(json("POST", applications, "", good).status, 401);
    assert_eq!(json("POST", applications, "X-Admin-Key: wrong\r\n", good).status, 401);
    let made = json("POST", applications, ADMIN, good);
    assert_eq!(made.status, 201, "{}", made.body);
    let (id, secret) = (text(&made.json(), "client_id"), text(&made.json(), "client_secret"));
    let token = tutorial.post(
        "/oauth/token",
        &basic(&id, &secret),
        &[("grant_type", "client_credentials"), ("scope", "notes")],
    );
    let access = text(&token.json(), "access_token");
    assert!(tutorial.opens(&access));
    let list = json("GET", applications, ADMIN, "");
    assert!(list.body.contains(&id) && !list.body.contains(&secret) && !list.body.contains(CLIENT_SECRET));
    // By the names of RFC 7591, with what this server does not know.
    let standard = json(
        "POST",
        applications,
        ADMIN,
        r#"{"client_name": "B", "redirect_uris": ["https://b.example/cb"], "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"], "token_endpoint_auth_method": "client_secret_post", "scope": "notes",
            "contacts": ["b@b.example"], "client_name#de": "Be", "client_uri": "https://b.example/", "tos_uri": "https://b.example/tos",
            "policy_uri#de": "https://b.example/datenschutz", "software_id": "b", "software_version": "1.0",
            "grant_typs": [], "post_logout_redirect_uris": ["https://b.example/"], "x_unknown": {}}"#,
    );
    assert_eq!(standard.status, 201, "{}", standard.body);
    let standard = standard.json();
    for (name, value) in [
        ("client_name", json!("B")),
        ("redirect_uris", json!(["https://b.example/cb"])),
        ("grant_types", json!(["authorization_code", "refresh_token"])),
        ("response_types", json!(["code"])),
        ("token_endpoint_auth_method", json!("client_secret_post")),
        ("scope", json!("notes")),
        ("client_secret_expires_at", json!(0)),
        ("contacts", json!(["b@b.example"])),
        ("client_name#de", json!("Be")),
        ("client_uri", json!("https://b.example/")),
        ("tos_uri", json!("https://b.example/tos")),
        ("policy_uri#de", json!("https://b.example/datenschutz")),
        ("software_id", json!("b")),
        ("software_version", json!("1.0")),
    ] {
        assert_eq!(standard[name], value, "{name}");
    }
    for unknown in ["grant_typs", "post_logout_redirect_uris", "x_unknown"] {
        assert_eq!(standard.get(unknown), None, "{unknown}");
    }
    assert!(standard["client_id_issued_at"].is_u64() && !text(&standard, "client_secret").is_empty());
    let public = json(
        "POST",
        applications,
        ADMIN,
        r#"{"redirect_uris": ["https://c.example/"], "token_endpoint_auth_method": "none"}"#,
    );
    assert_eq!((public.json().get("client_secret"), &public.json()["scope"]), (None, &json!("notes profile")));
    for (body, code) in [
        (r#"{"redirect_uris": ["http://a.example/"]}"#, "invalid_redirect_uri"),
        (r#"{"client_name": "A"}"#, "invalid_redirect_uri"),
        (r#"{"redirect_uris": ["https://a.example/"], "scope": "admin"}"#, "invalid_client_metadata"),
        (r#"{"redirect_uris": ["https://a.example/"], "grant_types": ["urn:x"]}"#, "invalid_client_metadata"),
        (r#"{"redirect_uris": ["https://a.example/"], "response_types": ["id_token"]}"#, "invalid_client_metadata"),
        (r#"{"redirect_uris": ["https://a.example/"], "logo_uri": "javascript:alert(1)"}"#, "invalid_client_metadata"),
        (r#"{"redirect_uris": ["https://a.example/"], "tos_uri#de": "//a"}"#, "invalid_client_metadata"),
        (r#"{"redirect_uris": ["https://a.example/"], "contacts": "a"}"#, "invalid_client_metadata"),
        (r#"{"redirect_uris": ["https://a.example/"], "jwks_uri": "https://a.example/"}"#, "invalid_client_metadata"),
        (r#"{"redirect_uris": ["https://a.example/"], "jwks": {"keys": []}}"#, "invalid_client_metadata"),
        (r#"{"redirect_uris": ["https://a.example/"], "dpop_bound_access_tokens": true}"#, "invalid_client_metadata"),
        (
            r#"{"redirect_uris": ["https://a.example/"], "token_endpoint_auth_method": "tls_client_auth"}"#,
            "invalid_client_metadata",
        ),
        (r#"{"grant_types": ["client_credentials"]}"#, "invalid_client_metadata"),
        (
            r#"{"grant_types": ["client_credentials"], "response_types": ["code"], "scope": "notes"}"#,
            "invalid_client_metadata",
        ),
        (
            r#"{"redirect_uris": ["https://a.example/"], "token_endpoint_auth_method": "private_key_jwt"}"#,
            "invalid_client_metadata",
        ),
        (
            r#"{"redirect_uris": ["https://a.example/"], "token_endpoint_auth_method": "client_secret_jwt"}"#,
            "invalid_client_metadata",
        ),
        (r#"{"redirect_uris": ["https://a.example/"], "auth_methods": []}"#, "invalid_client_metadata"),
    ] {
        refused(&json("POST", applications, ADMIN, body), 400, code);
    }
    for (body, what) in [
        ("[]", "Expected a JSON object"),
        (r#"{"name": "A", "scopes": ["admin"]}"#, "redirect_uris"),
        (r#"{"name": "A", "grant_types": ["client_credentials"], "scopes": ["admin"]}"#, "not a scope"),
        (r#"{"name": "A", "scopes": ["notes"], "redirect_uris": ["http://a.example/"]}"#, "plain HTTP"),
        (r#"{"name": "A", "scopes": ["notes"], "redirect_uris": ["https://*.a.example/"]}"#, "character by character"),
        (r#"{"public": true, "grant_types": ["client_credentials"], "scopes": ["notes"]}"#, "public client"),
    ] {
        let refused = json("POST", applications, ADMIN, body);
        assert!(refused.status == 400 && refused.body.contains(what), "{body}: {}", refused.body);
    }
    assert_eq!(json("DELETE", &format!("{applications}/{id}"), ADMIN, "").status, 204);
    assert_eq!(json("DELETE", &format!("{applications}/{id}"), ADMIN, "").status, 404);
    assert_eq!(json("DELETE", &format!("{applications}/server"), ADMIN, "").status, 409, "it is in consumers.yaml");
    assert!(!tutorial.opens(&access), "its tokens have gone with it");
    let user = |body: &str| json("POST", "/_admin/users", ADMIN, body);
    assert_eq!(user(r#"{"username": "eve", "email": "eve@example.org", "password": "a password"}"#).status, 201);
    assert_eq!(tutorial.browser().log_in("/login", "eve", "a password").status, 303);
    for (body, status, what) in [
        (r#"{"username": "eve", "email": "e2@example.org", "password": "x"}"#, 409, "User already exists"),
        (r#"{"username": "eva", "email": "EVE@example.org", "password": "x"}"#, 409, "Email already exists"),
        (r#"{"username": "bob", "email": "b2@example.org", "password": "x"}"#, 409, "User already exists"),
        (r#"{"username": "eva", "email": "not an email", "password": "x"}"#, 400, "Must provide a valid email"),
        (r#"{"username": "bob@example.org", "password": "x"}"#, 400, "no `@`"),
        (r#"{"username": "eva"}"#, 400, "`password` is missing"),
    ] {
        let refused = user(body);
        assert!(refused.status == status && refused.body.contains(what), "{body}: {} {}", refused.status, refused.body);
    }
}

/// `Authorization` of a registration.
fn bearer(registration: &Value) -> String {
    format!("Authorization: Bearer {}\r\n", text(registration, "registration_access_token"))
}

/// The path of a registration.
fn place(registration: &Value) -> String {
    let uri = text(registration, "registration_client_uri");
    uri.strip_prefix(ISSUER).unwrap_or_else(|| panic!("{uri}")).to_owned()
}

/// What a client sends to keep its whole registration, with some members changed; `null` takes one away.
fn with_changes(registration: &Value, changes: &Value) -> String {
    let mut members = registration.as_object().expect("an object").clone();
    for name in
        ["registration_access_token", "registration_client_uri", "client_id_issued_at", "client_secret_expires_at"]
    {
        members.remove(name);
    }
    for (name, value) in changes.as_object().expect("an object") {
        match value {
            Value::Null => members.remove(name),
            value => members.insert(name.clone(), value.clone()),
        };
    }
    Value::Object(members).to_string()
}

const READER: &str = r#"{"client_name": "Reader", "client_name#de": "Leser", "redirect_uris": ["https://reader.example/cb"],
    "grant_types": ["authorization_code", "client_credentials", "refresh_token"], "scope": "notes",
    "token_endpoint_auth_method": "client_secret_basic", "contacts": ["a@reader.example"]}"#;

#[test]
fn clients_read_replace_and_remove_their_own_registration() {
    let tutorial = Tutorial::start();
    let send = |method: &str, path: &str, headers: &str, body: &str| send_json(&tutorial, method, path, headers, body);
    let made = send("POST", APPLICATIONS, ADMIN, READER);
    assert_eq!(made.status, 201, "{}", made.body);
    let made = made.json();
    let (id, secret) = (text(&made, "client_id"), text(&made, "client_secret"));
    assert_eq!(text(&made, "registration_client_uri"), format!("{ISSUER}/oauth/clients/{id}"));
    let (own, path) = (bearer(&made), place(&made));
    let token_with = |secret: &str| {
        let form = [("grant_type", "client_credentials"), ("scope", "notes")];
        tutorial.post("/oauth/token", &basic(&id, secret), &form)
    };
    let access = text(&token_with(&secret).json(), "access_token");
    assert!(tutorial.opens(&access));

    // GET: all but the secret, of which the store has a digest.
    let read = send("GET", &path, &own, "");
    assert_eq!((read.status, read.header("cache-control").as_str()), (200, "no-store"), "{}", read.body);
    let mut known = made.clone();
    for once in ["client_secret", "client_secret_expires_at"] {
        known.as_object_mut().expect("an object").remove(once);
    }
    assert_eq!(read.json(), known);

    // PUT: what is left out gets its default.
    let changes = json!({"client_name": "Reader 2", "redirect_uris": ["https://reader.example/2"], "contacts": null,
        "tos_uri": "https://reader.example/tos", "client_secret": secret});
    let replaced = send("PUT", &path, &own, &with_changes(&made, &changes));
    assert_eq!(replaced.status, 200, "{}", replaced.body);
    let replaced = replaced.json();
    for (name, value) in [
        ("client_id", json!(id)),
        ("client_name", json!("Reader 2")),
        ("client_name#de", json!("Leser")),
        ("redirect_uris", json!(["https://reader.example/2"])),
        ("tos_uri", json!("https://reader.example/tos")),
        ("scope", json!("notes")),
        ("client_id_issued_at", made["client_id_issued_at"].clone()),
        ("registration_client_uri", made["registration_client_uri"].clone()),
        ("registration_access_token", made["registration_access_token"].clone()),
    ] {
        assert_eq!(replaced[name], value, "{name}");
    }
    assert_eq!((replaced.get("contacts"), replaced.get("client_secret")), (None, None));
    assert_eq!(send("GET", &path, &own, "").json(), replaced);
    assert_eq!(token_with(&secret).status, 200, "it keeps its secret");
    let least = json!({"client_id": id, "redirect_uris": ["https://reader.example/2"]}).to_string();
    let replaced = send("PUT", &path, &own, &least).json();
    assert_eq!(
        (&replaced["client_name"], &replaced["grant_types"], &replaced["scope"]),
        (&json!(""), &json!(["authorization_code"]), &json!("notes"))
    );
    assert_eq!(token_with(&secret).status, 400, "it is not registered for the grant any more");
    // What it had at first it can have again.
    assert_eq!(send("PUT", &path, &own, &with_changes(&made, &json!({"client_secret": null}))).status, 200);
    // Another method: no secret, and then a new one.
    let public =
        json!({"token_endpoint_auth_method": "none", "grant_types": ["authorization_code"], "client_secret": null});
    let public = send("PUT", &path, &own, &with_changes(&made, &public));
    assert_eq!((public.status, public.json().get("client_secret")), (200, None), "{}", public.body);
    assert_eq!(token_with(&secret).status, 401, "the secret is gone");
    let again = send("PUT", &path, &own, &with_changes(&made, &json!({"client_secret": null}))).json();
    let fresh = text(&again, "client_secret");
    assert!(fresh != secret && again["client_secret_expires_at"] == 0);
    assert_eq!((token_with(&secret).status, token_with(&fresh).status), (401, 200));

    // DELETE: with all that it was given.
    assert_eq!(send("DELETE", &path, &own, "").status, 204);
    for method in ["GET", "PUT", "DELETE"] {
        refused(&send(method, &path, &own, READER), 401, "invalid_token");
    }
    assert!(!tutorial.opens(&access), "its tokens have gone with it");
    assert_eq!(token_with(&fresh).status, 401);
}

#[test]
fn users_decide_anew_about_a_client_that_has_changed() {
    let tutorial = Tutorial::start();
    let send = |method: &str, path: &str, headers: &str, body: &str| send_json(&tutorial, method, path, headers, body);
    let both = READER.replace(r#""scope": "notes""#, r#""scope": "notes profile""#);
    let made = send("POST", APPLICATIONS, ADMIN, &both).json();
    let (id, secret, path, own) = (text(&made, "client_id"), text(&made, "client_secret"), place(&made), bearer(&made));
    let replace = |changes: Value| {
        let replaced = send("PUT", &path, &own, &with_changes(&made, &changes));
        assert_eq!(replaced.status, 200, "{}", replaced.body);
    };
    let ask = |callback: &str| {
        let callback = encoded(callback);
        format!(
            "/oauth/authorize?response_type=code&client_id={id}&redirect_uri={callback}&scope=notes%20profile&state=s&code_challenge={CHALLENGE}&code_challenge_method=S256"
        )
    };
    let (first, second) = ("https://reader.example/cb", "https://reader.example/2");
    let is_dialog = |page: &Response| page.status == 200 && page.body.contains("name=\"transaction_id\"");
    let mut browser = tutorial.browser();
    assert_eq!(browser.log_in("/login", "bob", PASSWORD).status, 303);

    // What a user allowed is asked for again under another name and at another place, and not for other changes.
    let dialog = browser.get(&ask(first));
    assert!(is_dialog(&dialog), "{}", dialog.body);
    assert!(browser.decide(&dialog, true).starts_with(first));
    replace(json!({"tos_uri": "https://reader.example/tos"}));
    let code = parameter(&browser.get(&ask(first)).header("location"), "code").expect("remembered");
    replace(json!({"redirect_uris": [first, second]}));
    assert!(is_dialog(&browser.get(&ask(first))), "somebody else may be behind it");
    let dialog = browser.get(&ask(second));
    assert!(browser.decide(&dialog, true).starts_with(second));
    replace(json!({"client_name": "Your bank", "redirect_uris": [first, second]}));
    let dialog = browser.get(&ask(second));
    assert!(is_dialog(&dialog) && dialog.body.contains("Your bank"));

    // A decision about a client that has changed since does not count.
    replace(json!({"client_name": "Your bank", "redirect_uris": [first]}));
    for allow in [true, false] {
        let location = browser.decide(&dialog, allow);
        assert!(location.starts_with("/oauth/authorize?"), "{location}");
        let page = browser.get(&location);
        assert_eq!((page.status, page.body.contains("not registered")), (400, true), "{}", page.body);
    }

    // Codes and refresh tokens of before give what the client is registered for now.
    let token = |form: &[(&str, &str)]| tutorial.post("/oauth/token", &basic(&id, &secret), form);
    let refresh =
        |given: &Value| token(&[("grant_type", "refresh_token"), ("refresh_token", &text(given, "refresh_token"))]);
    replace(json!({"scope": "notes"}));
    let form =
        [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", first), ("code_verifier", VERIFIER)];
    let redeemed = token(&form);
    assert_eq!((redeemed.status, text(&redeemed.json(), "scope").as_str()), (200, "notes"), "{}", redeemed.body);
    let refreshed = refresh(&redeemed.json());
    assert_eq!((refreshed.status, text(&refreshed.json(), "scope").as_str()), (200, "notes"), "{}", refreshed.body);
    replace(json!({"scope": ""}));
    refused(&refresh(&refreshed.json()), 400, "invalid_grant");
}

#[test]
fn a_public_client_that_gets_a_secret_gets_one() {
    let tutorial = Tutorial::start();
    let public = r#"{"redirect_uris": ["https://reader.example/cb"], "grant_types": ["authorization_code"],
        "token_endpoint_auth_method": "none"}"#;
    let made = send_json(&tutorial, "POST", APPLICATIONS, ADMIN, public).json();
    let (path, own) = (place(&made), bearer(&made));
    let body = with_changes(
        &made,
        &json!({"token_endpoint_auth_method": "client_secret_basic", "auth_methods": null, "public": null}),
    );
    let secrets: Vec<Value> = std::thread::scope(|scope| {
        let put = || send_json(&tutorial, "PUT", &path, &own, &body);
        let all: Vec<_> = (0..8).map(|_| scope.spawn(put)).collect();
        let answers = all.into_iter().map(|thread| thread.join().expect("an answer"));
        let told = answers.filter_map(|answer| {
            assert_eq!(answer.status, 200, "{}", answer.body);
            answer.json().get("client_secret").cloned()
        });
        told.collect()
    });
    assert_eq!(secrets.len(), 1, "{secrets:?}");
}

#[test]
fn a_registration_is_opened_by_its_own_token_only() {
    let tutorial = Tutorial::start();
    let send = |method: &str, path: &str, headers: &str, body: &str| send_json(&tutorial, method, path, headers, body);
    let made = send("POST", APPLICATIONS, ADMIN, READER).json();
    let other = send("POST", APPLICATIONS, ADMIN, READER).json();
    let (id, secret, path, own) = (text(&made, "client_id"), text(&made, "client_secret"), place(&made), bearer(&made));
    let form = [("grant_type", "client_credentials"), ("scope", "notes")];
    let access = text(&tutorial.post("/oauth/token", &basic(&id, &secret), &form).json(), "access_token");
    let twice = format!("{own}{own}");
    for (path, headers, challenge) in [
        (&*path, "", "Bearer realm=\"client registration\""),
        (&path, ADMIN, "Bearer realm=\"client registration\""),
        (&path, "Authorization: Bearer wrong\r\n", "error=\"invalid_token\""),
        (&path, "Authorization: Bearer \r\n", "error=\"invalid_token\""),
        (&path, &twice, "error=\"invalid_token\""),
        (&path, &bearer(&other), "error=\"invalid_token\""),
        (&path, &format!("Authorization: Bearer {access}\r\n"), "error=\"invalid_token\""),
        (&path, &basic(&id, &secret), "Bearer realm=\"client registration\""),
        (&place(&other), &own, "error=\"invalid_token\""),
        ("/oauth/clients/nobody", &own, "error=\"invalid_token\""),
        ("/oauth/clients/server", &own, "error=\"invalid_token\""),
    ] {
        for method in ["GET", "PUT", "DELETE"] {
            let answer = send(method, path, headers, READER);
            assert_eq!(answer.status, 401, "{method} {path} {headers}: {}", answer.body);
            let told = answer.header("www-authenticate");
            assert!(told.starts_with("Bearer ") && told.contains(challenge), "{headers}: {told}");
            assert_eq!(told.contains("error="), challenge.contains("error="), "{headers}: {told}");
        }
    }
    assert_eq!(send("POST", &path, &own, READER).status, 405);
    assert_eq!(send("HEAD", &path, &own, "").status, 200);

    // What a client cannot say of itself.
    let first = send("GET", &path, &own, "").json();
    for (changes, code) in [
        (json!({"client_id": null}), "invalid_client_metadata"),
        (json!({"client_id": text(&other, "client_id")}), "invalid_client_metadata"),
        (json!({"client_secret": "a secret that it chooses itself"}), "invalid_client_metadata"),
        (json!({"client_secret": text(&other, "client_secret")}), "invalid_client_metadata"),
        (json!({"client_secret": 7}), "invalid_client_metadata"),
        (json!({"registration_access_token": text(&made, "registration_access_token")}), "invalid_client_metadata"),
        (json!({"registration_client_uri": text(&made, "registration_client_uri")}), "invalid_client_metadata"),
        (json!({"client_id_issued_at": 1}), "invalid_client_metadata"),
        (json!({"client_secret_expires_at": 0}), "invalid_client_metadata"),
        // An administrator has decided about these.
        (json!({"scope": "notes profile"}), "invalid_client_metadata"),
        (json!({"scope": null, "scopes": ["profile"]}), "invalid_client_metadata"),
        (json!({"grant_types": ["password"]}), "invalid_client_metadata"),
        (json!({"scope": "admin"}), "invalid_client_metadata"),
        (json!({"redirect_uris": ["http://reader.example/cb"]}), "invalid_redirect_uri"),
        (json!({"redirect_uris": null}), "invalid_redirect_uri"),
        (json!({"policy_uri": "javascript:alert(1)"}), "invalid_client_metadata"),
    ] {
        let answer = send("PUT", &path, &own, &with_changes(&made, &changes));
        assert_eq!(error_of(&answer), (400, code.to_owned()), "{changes}: {}", answer.body);
    }
    for body in ["", "[]", "{"] {
        refused(&send("PUT", &path, &own, body), 400, "invalid_client_metadata");
    }
    assert_eq!(send("PUT", &path, &own, &" ".repeat(70 << 10)).status, 413);
    assert_eq!(send("GET", &path, &own, "").json(), first, "nothing has changed");

    // An administrator who removes a client takes the token as well.
    assert_eq!(send("DELETE", &format!("{APPLICATIONS}/{id}"), ADMIN, "").status, 204);
    refused(&send("GET", &path, &own, ""), 401, "invalid_token");
    assert_eq!(send("GET", &place(&other), &bearer(&other), "").status, 200);
}

#[test]
fn users_read_the_name_of_a_client_in_their_language() {
    let tutorial = Tutorial::start();
    let made = send_json(
        &tutorial,
        "POST",
        APPLICATIONS,
        ADMIN,
        r#"{"client_name": "Reader", "client_name#de-AT": "Leser & Co", "redirect_uris": ["https://reader.example/cb"],
            "token_endpoint_auth_method": "none"}"#,
    );
    let mut browser = tutorial.browser();
    assert_eq!(browser.log_in("/login", "bob", PASSWORD).status, 303);
    let query =
        request("notes", "").replace("client_id=app", &format!("client_id={}", text(&made.json(), "client_id")));
    let query = query.replace("app.example%2Fcallback", "reader.example%2Fcb");
    for (language, name) in [("de", "Leser &amp; Co"), ("en", "Reader"), ("fr", "Reader")] {
        let page = browser.get_with(&format!("/oauth/authorize?{query}"), &format!("Accept-Language: {language}\r\n"));
        assert!(page.status == 200 && page.body.contains(name), "{language}: {}", page.body);
    }
}

#[test]
fn secrets_are_not_logged() {
    let tutorial = Tutorial::start();
    let registration = send_json(&tutorial, "POST", APPLICATIONS, ADMIN, READER).json();
    send_json(&tutorial, "GET", &place(&registration), &bearer(&registration), "");
    send_json(
        &tutorial,
        "PUT",
        &place(&registration),
        &bearer(&registration),
        &with_changes(&registration, &json!({})),
    );
    let mut browser = tutorial.browser();
    let back = browser.authorize(&request("notes", ""));
    let code = parameter(&back, "code").expect("a code");
    let token = tutorial.post("/oauth/token", "", &redemption(&code)).json();
    tutorial.opens(&text(&token, "access_token"));
    tutorial.token(&[("grant_type", "password"), ("username", "bob"), ("password", PASSWORD), ("scope", "notes")]);
    let mut known: HashSet<String> =
        [&code, PASSWORD, CLIENT_SECRET, VERIFIER].map(str::to_owned).into_iter().collect();
    known.extend(["access_token", "refresh_token"].map(|name| text(&token, name)));
    known.extend(["client_secret", "registration_access_token"].map(|name| text(&registration, name)));
    known.extend(browser.cookies.values().cloned());
    tutorial.gateway.log_line(|line| line["path"] == "/oauth/token" && line["status"] == 200);
    std::thread::sleep(Duration::from_millis(200));
    let told = tutorial.gateway.log() + &tutorial.gateway.messages();
    for secret in known {
        assert!(!told.contains(&secret), "{secret} stands in the log:\n{told}");
    }
}

#[test]
fn plain_http_gets_no_token() {
    let tutorial = Tutorial::start();
    let mut connection = tutorial.gateway.connect();
    let body = "grant_type=client_credentials&scope=notes";
    connection.send(format!(
        "POST /oauth/token HTTP/1.1\r\nHost: localhost:8443\r\n{}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        basic("server", CLIENT_SECRET),
        body.len()
    ));
    let response = connection.response(false);
    assert_eq!((response.status, response.header("location")), (308, "https://localhost:8443/oauth/token".to_owned()));
}

#[test]
fn the_embedded_store_survives_a_kill() {
    let store = ["stores.default.kind=sqlite", "stores.default.file={folder}/oauth.db"];
    let tutorial = Tutorial::with(&store);
    let code = code(&tutorial, "notes");
    let token = tutorial.post("/oauth/token", "", &redemption(&code)).json();
    let mut browser = tutorial.browser();
    browser.log_in("/login", "bob", PASSWORD);
    tutorial.gateway.signal("KILL");
    let twin = tutorial.twin(&store);
    let opens = |token: &str| {
        Browser::at(twin.address).get_with("/api/notes", &format!("Authorization: Bearer {token}\r\n")).status
    };
    assert_eq!(opens(&text(&token, "access_token")), 200);
    let mut after = Browser::at(twin.address);
    after.cookies = browser.cookies;
    assert_eq!(after.get("/account").status, 200, "whoever was logged in still is");
    let again = after.get(&format!("/oauth/authorize?{}", request("notes", "")));
    assert!(again.header("location").starts_with(CALLBACK), "what was allowed still is");
    refused(&Browser::at(twin.address).post("/oauth/token", "", &redemption(&code)), 400, "invalid_grant");
    assert_eq!(opens(&text(&token, "access_token")), 401);
    let database = std::fs::read(tutorial.folder().join("oauth.db")).expect("the file");
    let secret = text(&token, "access_token").into_bytes();
    assert!(!database.windows(secret.len()).any(|window| window == secret), "tokens are kept as digests only");
}
