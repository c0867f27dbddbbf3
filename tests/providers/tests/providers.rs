//! Keys and decisions of a provider that does what it likes.

mod fake;
#[path = "../../support/mod.rs"]
mod support;

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use fake::{Mood, Provider, Signer, command, command_with, gateway};
use serde_json::json;
use support::{Gateway, Reader, ReservedPort, eventually};

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// The value of a metric of the provider's, whatever its URL.
fn metric(gateway: &Gateway, name: &str, label: &str) -> Option<f64> {
    let text = gateway.operations("/metrics").body;
    let line = text.lines().find(|line| line.starts_with(&format!("{name}{{")) && line.contains(label));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
}

#[test]
fn published_keys_verify_tokens() {
    let started = Instant::now();
    let provider = Provider::start();
    let signer = provider.publish("one");
    let gateway = gateway(&provider, &[]);
    let good = signer.token(json!({"sub": "ann"}));
    for (token, status) in [
        (good.clone(), 200),
        (signer.token(json!({"iss": "another"})), 401),
        (signer.token(json!({"aud": "another"})), 401),
        (signer.token(json!({"exp": 1})), 401),
        (Signer::new("one").token(json!({})), 401),
        (format!("{good}x"), 401),
    ] {
        assert_eq!(gateway.get("/published", &bearer(&token)).status, status, "{token}");
    }
    let line = gateway.log_line(|line| line["operation"] == "published" && line["status"] == 200);
    assert_eq!(line["caller"], "ann");
    assert_eq!(metric(&gateway, "gateway_provider_requests_total", "/jwks\",outcome=\"ok\""), Some(1.0));
    let age = metric(&gateway, "gateway_provider_last_success_age_seconds", "/jwks");
    assert!(age.is_some_and(|age| age <= started.elapsed().as_secs_f64()), "{age:?}");
    assert_eq!(metric(&gateway, "gateway_provider_last_success_age_seconds", ":9/ask"), None);
    assert!(gateway.messages().contains("/jwks: 1 key is in use now"), "{}", gateway.messages());
}

#[test]
fn the_gateway_starts_without_its_provider() {
    let port = ReservedPort::new();
    let address = port.address;
    let gateway = fake::gateway_with(address, &[]);
    let signer = Signer::new("one");
    let token = bearer(&signer.token(json!({})));
    assert_eq!(gateway.get("/public", "").status, 200);
    let answer = gateway.get("/published", &token);
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(!answer.body.contains(&address.to_string()), "{answer:?}");
    assert_eq!(gateway.get("/published", "").status, 401, "nothing to check");
    let provider = Provider::start_on(port.listen());
    provider.add(&signer);
    eventually("the keys", || (gateway.get("/published", &token).status == 200).then_some(()));
    let messages = gateway.messages();
    assert_eq!(messages.matches("/jwks: it cannot be reached").count(), 1, "{messages}");
    assert!(messages.contains("answered with 503") && messages.contains("/jwks: answers again"), "{messages}");
}

#[test]
fn providers_may_have_an_ipv6_address() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else { return eprintln!("skipped: no IPv6 here") };
    let provider = Provider::start_on(listener);
    let signer = provider.publish("one");
    let gateway = gateway(&provider, &[]);
    assert_eq!(gateway.get("/published", &bearer(&signer.token(json!({})))).status, 200);
    assert!(provider.heads()[0].contains(&format!("host: {}", provider.address())), "{:?}", provider.heads());
}

#[test]
fn the_last_good_keys_stay() {
    let provider = Provider::start();
    let signer = provider.publish("one");
    let gateway = gateway(&provider, &[]);
    let token = bearer(&signer.token(json!({})));
    let failed =
        || metric(&gateway, "gateway_provider_requests_total", "/refreshed\",outcome=\"failed\"").unwrap_or(0.0);
    assert_eq!(gateway.get("/refreshed", &token).status, 200);
    for (mood, words) in [
        (Mood::Status(500), "it answered 500"),
        (Mood::Hangup, "its answer cannot be read"),
        (Mood::Huge, "more than 1048576 bytes"),
        (Mood::Body("<html>"), "not a JSON Web Key Set"),
        (Mood::Body(r#"{"keys": []}"#), "no key for ES256"),
        (Mood::Body(r#"{"keys": [{"kty": "EC", "crv": "P-256", "x": "AA"}, 7, null]}"#), "no key for ES256"),
        (Mood::Redirect, "redirects are not followed"),
    ] {
        let before = failed();
        provider.set(mood);
        eventually(words, || (failed() > before).then_some(()));
        assert_eq!(gateway.get("/refreshed", &token).status, 200, "{words}");
        eventually(words, || gateway.messages().contains(words).then_some(()));
        let recoveries = || gateway.messages().matches("/refreshed: answers again").count();
        let before = recoveries();
        provider.set(Mood::Good);
        eventually("the recovery", || (recoveries() > before).then_some(()));
    }
    assert!(gateway.messages().contains("the current keys are kept"));
    // While it is asked, no request waits: the answer comes before the end of the question.
    provider.set(Mood::Silent);
    eventually("an answer during a question", || {
        let (asked, ended) = (provider.count("/refreshed"), failed());
        eventually("a question", || (provider.count("/refreshed") > asked).then_some(()));
        assert_eq!(gateway.get("/refreshed", &token).status, 200);
        (failed() == ended).then_some(())
    });
}

#[test]
fn keys_rotate() {
    let provider = Provider::start();
    let old = provider.publish("old");
    let gateway = gateway(&provider, &[]);
    let old_token = bearer(&old.token(json!({})));
    assert_eq!(gateway.get("/published", &old_token).status, 200);
    let new = Signer::new("new");
    provider.replace(&[&new]);
    assert_eq!(gateway.get("/published", &old_token).status, 200, "nobody knows yet");
    // Fetched for this request, which may be too impatient to see it.
    let token = bearer(&new.token(json!({})));
    eventually("the new key", || (gateway.get("/published", &token).status == 200).then_some(()));
    assert_eq!(provider.count("/jwks"), 2);
    for _ in 0..8 {
        assert_eq!(gateway.get("/published", &old_token).status, 401, "its key is gone, on every worker");
    }
}

#[test]
fn keys_rotate_while_the_gateway_ends() {
    let provider = Provider::start();
    provider.publish("old");
    let gateway = gateway(&provider, &["timeouts.shutdownDelay=10m"]);
    gateway.terminate();
    eventually("the end to begin", || (gateway.operations("/readyz").status == 503).then_some(()));
    let new = Signer::new("new");
    provider.replace(&[&new]);
    let token = bearer(&new.token(json!({})));
    eventually("the new key", || (gateway.get("/published", &token).status == 200).then_some(()));
}

#[test]
fn removed_keys_are_refused_after_the_next_refresh() {
    let provider = Provider::start();
    let (one, two) = (provider.publish("one"), provider.publish("two"));
    let gateway = gateway(&provider, &[]);
    let token = bearer(&one.token(json!({})));
    assert_eq!(gateway.get("/refreshed", &token).status, 200);
    provider.replace(&[&two]);
    eventually("the refresh", || (gateway.get("/refreshed", &token).status == 401).then_some(()));
    assert_eq!(gateway.get("/refreshed", &bearer(&two.token(json!({})))).status, 200);
}

#[test]
fn keys_are_fetched_with_an_unread_standard_error() {
    for reader in Reader::ALL {
        let provider = Provider::start();
        let (one, two) = (provider.publish("one"), provider.publish("two"));
        let gateway = Gateway::launch_before(command_with(provider.address(), &[]), reader);
        let [one, two] = [one, two].map(|signer| bearer(&signer.token(json!({}))));
        eventually("the first keys", || (gateway.get("/refreshed", &one).status == 200).then_some(()));
        // Each change, and each failure, would be logged.
        let [three, four] = ["three", "four"].map(Signer::new);
        provider.replace(&[&three]);
        eventually("the second refresh", || (gateway.get("/refreshed", &one).status == 401).then_some(()));
        provider.replace(&[&four]);
        let token = bearer(&four.token(json!({})));
        eventually("the third refresh", || (gateway.get("/refreshed", &token).status == 200).then_some(()));
        assert_eq!(gateway.get("/refreshed", &two).status, 401);
        assert_eq!(gateway.operations("/readyz").status, 200, "{reader:?}");
    }
}

#[test]
fn made_up_key_ids_cost_the_provider_next_to_nothing() {
    let provider = Provider::start();
    let signer = provider.publish("one");
    let gateway = gateway(&provider, &[]);
    let token = bearer(&signer.token(json!({})));
    assert_eq!(gateway.get("/published", &token).status, 200);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let gateway = &gateway;
            scope.spawn(move || {
                for number in 0..50 {
                    let token = Signer::new(&format!("{thread}-{number}")).token(json!({}));
                    assert_eq!(gateway.get("/published", &bearer(&token)).status, 401);
                }
            });
        }
    });
    let asked = provider.count("/jwks");
    let most = 2 + started.elapsed().as_secs() as usize / 10;
    assert!(asked <= most, "{asked} fetches in {:?}", started.elapsed());
    // What could not be accepted with any key asks for none.
    let expired = Signer::new("expired").token(json!({"exp": 1}));
    assert_eq!(gateway.get("/published", &bearer(&expired)).status, 401);
    assert_eq!(gateway.get("/published", &token).status, 200);
}

#[test]
fn requests_wait_for_a_slow_provider_for_a_while_only() {
    let provider = Provider::start();
    let signer = provider.publish("one");
    let gateway = gateway(&provider, &[]);
    assert_eq!(gateway.get("/published", &bearer(&signer.token(json!({})))).status, 200);
    provider.set(Mood::Silent);
    let failed = || metric(&gateway, "gateway_provider_requests_total", "/jwks\",outcome=\"failed\"").unwrap_or(0.0);
    // A request that comes too soon after another asks for nothing, and does not wait.
    eventually("an answer before the end of the question", || {
        let (asked, ended, started) = (provider.count("/jwks"), failed(), Instant::now());
        assert_eq!(gateway.get("/published", &bearer(&Signer::new("two").token(json!({})))).status, 401);
        let took = started.elapsed();
        let waited = provider.count("/jwks") > asked && failed() == ended;
        assert!(!waited || took >= Duration::from_millis(2_900), "{took:?}");
        waited.then_some(())
    });
    assert_eq!(gateway.get("/published", &bearer(&signer.token(json!({})))).status, 200);
}

#[test]
fn discovery_gives_keys_and_issuer() {
    let provider = Provider::start();
    let signer = provider.publish("one");
    let gateway = gateway(&provider, &[]);
    let issuer = provider.url("");
    let token = |claims| bearer(&signer.token(claims));
    for (claims, status) in [
        (json!({"iss": issuer, "scope": "read"}), 200),
        (json!({"iss": issuer, "scp": ["read"]}), 200),
        (json!({"iss": issuer, "scope": "write"}), 403),
        (json!({"iss": format!("{issuer}/"), "scope": "read"}), 401),
        (json!({"iss": "issuer", "scope": "read"}), 401),
        (json!({"iss": issuer, "aud": "another", "scope": "read"}), 401),
    ] {
        assert_eq!(gateway.get("/discovered", &token(claims.clone())).status, status, "{claims}");
    }
    // `sameProvider` takes RS256 from the same provider: one fetcher serves both, and each takes the keys that it can use.
    assert_eq!(gateway.get("/same", &token(json!({"iss": issuer, "scope": "read"}))).status, 401);
    assert_eq!(provider.count("/keys"), provider.count("/.well-known/openid-configuration"));
    let messages = gateway.messages();
    assert!(messages.contains("the key set has no key for RS256"), "{messages}");
}

#[test]
fn a_discovery_document_of_another_issuer_is_refused() {
    for (document, words) in [
        (json!({"issuer": "https://evil.example", "jwks_uri": "http://127.0.0.1:1/keys"}), "another issuer"),
        (json!({"jwks_uri": "http://127.0.0.1:1/keys"}), "has no `issuer`"),
        (json!([]), "not a JSON object"),
    ] {
        let provider = Provider::start();
        let signer = provider.publish("one");
        provider.discovery(document);
        let gateway = gateway(&provider, &[]);
        let token = signer.token(json!({"iss": provider.url(""), "scope": "read"}));
        assert_eq!(gateway.get("/discovered", &bearer(&token)).status, 503, "{words}");
        eventually(words, || gateway.messages().contains(words).then_some(()));
        assert_eq!(gateway.get("/published", &bearer(&signer.token(json!({})))).status, 200, "others go on");
    }
}

#[test]
fn certificates_are_checked() {
    let trusted = fake::Authority::new();
    let roots = trusted.file("trusted.pem");
    let provider = Provider::start();
    let signer = provider.publish("one");
    let token = bearer(&signer.token(json!({})));
    let other = fake::Authority::new();
    for (authority, name, roots, status) in [
        (&trusted, "localhost", Some(&roots), 200),
        (&trusted, "localhost", None, 503),
        (&other, "localhost", Some(&roots), 503),
        (&trusted, "idp.example", Some(&roots), 503),
    ] {
        let port = provider.behind_tls(authority, name);
        let mut settings = vec![format!("providers.providers.published=https://localhost:{port}/jwks")];
        settings.extend(roots.map(|roots| format!("trustedRoots.file={roots}")));
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let gateway = gateway(&provider, &settings);
        assert_eq!(gateway.get("/published", &token).status, status, "{name} {roots:?}");
        if status == 503 {
            let messages = eventually("the reason", || Some(gateway.messages()).filter(|told| told.contains("TLS")));
            assert!(messages.contains("no TLS connection can be made"), "{messages}");
        }
    }
}

#[test]
fn mistakes_in_the_deployment_stop_the_start() {
    for (settings, words) in [
        (&["providers.providers.published=http://idp.example/jwks"][..], "plain http is for loopback only"),
        (&["providers.providers.published=jwks.json"], "does not start with https://"),
        (&["providers.providers.publisht=http://127.0.0.1:9/a"], "did you mean `published`?"),
        (&["providers.provider.published=http://127.0.0.1:9/a"], "did you mean `providers`?"),
        (&["provider.providers.published=http://127.0.0.1:9/a"], "did you mean `providers.providers.published`?"),
        (&["providers.providers.published=https://127.0.0.1:9/a", "trustedRoots.file=nowhere.pem"], "nowhere.pem"),
        (&["providers.providers.published=https://127.0.0.1:9/a", "trustedRoots.file=Cargo.toml"], "no certificate"),
    ] {
        let mut command = command();
        for setting in settings {
            command.args(["--set", setting]);
        }
        let output = command.arg("check").output().expect("runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && told.contains(words), "{settings:?}: {told}");
    }
    let output = command().arg("check").env_remove("INTROSPECTION_SECRET").output().expect("runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("environment variable INTROSPECTION_SECRET is not set"), "{told}");
}

#[test]
fn the_provider_is_asked_about_opaque_tokens() {
    let provider = Provider::start();
    provider.knows("good", json!({"active": true, "sub": "ann", "scope": "read write"}));
    provider
        .knows("strict", json!({"active": true, "iss": "issuer", "aud": ["api"], "scope": "read", "client_id": "c"}));
    provider.knows("gone", json!({"active": false}));
    provider.knows("words", json!({"active": "true"}));
    provider.knows("a+b/c==", json!({"active": true}));
    let gateway = gateway(&provider, &[]);
    for (path, token, status) in [
        ("/opaque", "good", 200),
        ("/opaque", "a+b/c==", 200),
        ("/opaque", "gone", 401),
        ("/opaque", "unknown", 401),
        ("/opaque", "words", 503),
        ("/strict", "strict", 200),
        ("/strict", "good", 401),
        ("/either", "good", 200),
        ("/either", "gone", 401),
    ] {
        let answer = gateway.get(path, &bearer(token));
        assert_eq!(answer.status, status, "{path} {token} {answer:?}");
        assert!(!answer.body.contains(token) || status == 200, "{answer:?}");
    }
    assert_eq!(gateway.get("/opaque", "").status, 401);
    let line = gateway.log_line(|line| line["operation"] == "strict" && line["status"] == 200);
    assert_eq!(line["caller"], "c");
    // `client_secret_basic`: both parts are encoded as in a form before they are joined.
    let pair = support::base64(b"gate+way:s%3Acret%25");
    let head = provider.heads().into_iter().find(|head| head.starts_with("POST /ask")).expect("asked");
    assert!(head.to_lowercase().contains("content-type: application/x-www-form-urlencoded"), "{head}");
    assert!(head.contains(&format!("Basic {pair}")), "{head}");
    // `forward: false`.
    let echoed = gateway.get("/strict", &bearer("strict")).body;
    assert!(!echoed.contains("Bearer"), "{echoed}");
    assert!(!gateway.messages().contains("s:cret"), "{}", gateway.messages());
    // Answers are used until the token expires; the first that lives long enough to be used twice shows it.
    let mut lives = [2, 4, 8, 16, 32].into_iter();
    let brief = eventually("a token that is used twice", || {
        let life = lives.next().expect("the machine is not as slow as that");
        let token = format!("brief-{life}");
        provider.knows(&token, json!({"active": true, "exp": fake::now() + life}));
        let statuses = [(); 2].map(|()| gateway.get("/opaque", &bearer(&token)).status);
        (statuses == [200, 200]).then_some(token)
    });
    assert_eq!(provider.asked(&brief), 1);
    eventually("the end of the token", || (gateway.get("/opaque", &bearer(&brief)).status == 401).then_some(()));
}

#[test]
fn answers_about_tokens_are_remembered() {
    let provider = Provider::start();
    provider.knows("good", json!({"active": true, "sub": "ann"}));
    let strict = json!({"active": true, "iss": "issuer", "aud": "api", "scope": "read"});
    provider.knows("strict", strict);
    let gateway = gateway(&provider, &[]);
    let started = Instant::now();
    for _ in 0..10 {
        assert_eq!(gateway.get("/opaque", &bearer("good")).status, 200);
        assert_eq!(gateway.get("/opaque", &bearer("bad")).status, 401);
        assert_eq!(gateway.get("/strict", &bearer("strict")).status, 200);
    }
    assert_eq!(provider.asked("good"), 1);
    let most = 2 + started.elapsed().as_secs() as usize / 5;
    assert!(provider.asked("bad") <= most, "for five seconds");
    assert_eq!(provider.asked("strict"), 10, "`cache: 0s` asks each time");
    // With the provider down, what is remembered holds, and what is not is a 503 of the gateway.
    for mood in [
        Mood::Status(500),
        Mood::Status(401),
        Mood::Hangup,
        Mood::Huge,
        Mood::Redirect,
        Mood::Body("[]"),
        Mood::Body("{}"),
    ] {
        provider.set(mood);
        assert_eq!(gateway.get("/opaque", &bearer("good")).status, 200);
        assert_eq!(gateway.get("/opaque", &bearer("fresh")).status, 503, "{mood:?}");
    }
    let messages = gateway.messages();
    assert_eq!(messages.matches("/ask: it answered").count(), 1, "{messages}");
    provider.set(Mood::Good);
    assert_eq!(gateway.get("/opaque", &bearer("fresh")).status, 401, "a failure is not remembered");
    // Knowing nothing about a token is learnt again soon.
    provider.knows("bad", json!({"active": true}));
    eventually("another question", || (gateway.get("/opaque", &bearer("bad")).status == 200).then_some(()));
}

#[test]
fn concurrent_requests_with_one_token_are_one_question() {
    let provider = Provider::start();
    let gateway = gateway(&provider, &[]);
    let mut number = 0;
    // On a machine that is slow the gateway may give the provider up before the gate opens: then with another token.
    eventually("an answer for all", || {
        number += 1;
        let token = format!("good-{number}");
        provider.knows(&token, json!({"active": true, "sub": "ann"}));
        let (gate, all_good, answered) = (provider.hold(), AtomicBool::new(true), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            // The client that asks first may leave: the others still get their answer.
            let mut leaver = gateway.connect();
            leaver.send(format!("GET /opaque HTTP/1.1\r\nHost: gateway.test\r\n{}\r\n", bearer(&token)));
            eventually("the question", || (provider.count("/ask") == number).then_some(()));
            drop(leaver);
            for _ in 0..16 {
                scope.spawn(|| {
                    all_good.fetch_and(gateway.get("/opaque", &bearer(&token)).status == 200, Relaxed);
                    answered.fetch_add(1, Relaxed);
                });
            }
            eventually("all of them", || {
                let metrics = gateway.operations("/metrics").body;
                let open = metrics.lines().find_map(|line| line.strip_prefix("gateway_connections "));
                let are_there = open?.parse::<u32>().ok()? >= 16;
                (are_there || answered.load(Relaxed) > 0).then_some(())
            });
            gate.open();
        });
        assert!(provider.asked(&token) <= 1, "each asks once");
        all_good.load(Relaxed).then_some(())
    });
}

#[test]
fn a_provider_that_does_not_answer_about_a_token_is_503() {
    let provider = Provider::start();
    let gateway = gateway(&provider, &[]);
    provider.set(Mood::Silent);
    let started = Instant::now();
    assert_eq!(gateway.get("/opaque", &bearer("good")).status, 503);
    assert!(started.elapsed() >= Duration::from_millis(9_900), "after {:?}", started.elapsed());
    assert_eq!(gateway.get("/public", "").status, 200);
}
