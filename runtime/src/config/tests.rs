//! Cases for reading a deployment.

use std::path::Path;

use super::sources::interpret;
use super::*;
use gateway_base::problem::Problem;
use gateway_base::settings::Settings;

fn read(yaml: &str, environment: &[(&str, &str)], flags: &[&str]) -> Result<Config, Vec<String>> {
    let mut settings = Settings::of(table::paths()).with_whole(table::whole());
    settings.add_file(Path::new("gateway.yaml"), yaml);
    for (name, value) in environment {
        settings.add_variable(name, value);
    }
    for flag in flags {
        settings.add_flag(flag);
    }
    interpret(settings).map_err(|problems| problems.iter().map(Problem::to_string).collect())
}

#[test]
fn an_empty_file_gives_the_defaults() {
    let config = read("", &[], &[]).expect("defaults");
    assert_eq!(config.listeners[0].bind.to_string(), "127.0.0.1:8080");
    assert!(config.listeners[0].apis.is_none() && config.access_log);
}

#[test]
fn later_sources_override_earlier_ones() {
    let yaml = "listeners:\n  web-1: {bind: \"127.0.0.1:1\", apis: [notes]}\ntimeouts: {keepAlive: 5s}\n";
    let config = read(
        yaml,
        &[("GATEWAY__LISTENERS__WEB_1__BIND", "127.0.0.1:2"), ("GATEWAY__TIMEOUTS__KEEPALIVE", "6s")],
        &["timeouts.keepAlive=7s", "trustedProxies=[10.0.0.0/8, \"::1\"]"],
    )
    .expect("good");
    assert_eq!(config.listeners.len(), 1);
    assert_eq!(config.listeners[0].bind.port(), 2);
    assert_eq!(config.timeouts.keep_alive, Duration::from_secs(7));
    assert_eq!(config.trusted_proxies.len(), 2);
}

#[test]
fn mappings_are_set_member_by_member() {
    let yaml =
        "listeners:\n  web: {bind: \"127.0.0.1:1\", apis: [notes]}\nupstreams: {notes: {default: \"http://a\"}}\n";
    let config = read(
        yaml,
        &[("GATEWAY__TIMEOUTS", "{keepAlive: 6s, head: 7s}")],
        &[
            "listeners.web={bind: \"127.0.0.1:2\"}",
            "listeners.b={bind: \"127.0.0.1:3\", apis: [files]}",
            "upstreams.notes={default: {url: \"http://b\"}}",
            "upstreams.files.default={url: \"http://c\"}",
            "limits={streams: 7, connections: 70}",
        ],
    )
    .expect("good");
    let listeners: Vec<_> = config.listeners.iter().map(|one| (one.name.as_str(), one.bind.port())).collect();
    assert_eq!(listeners, [("b", 3), ("web", 2)]);
    assert!(config.listeners.iter().all(|listener| listener.apis.as_ref().is_some_and(|apis| apis.len() == 1)));
    assert_eq!((config.timeouts.keep_alive, config.timeouts.head), (Duration::from_secs(6), Duration::from_secs(7)));
    assert_eq!((config.limits.streams, config.limits.connections), (7, 70));
    for (api, url) in [("notes", "http://b"), ("files", "http://c")] {
        assert_eq!(config.upstream(api, "default").map(|(setting, _)| setting.endpoints[0].url), Some(url));
    }
    // An unknown member is reported with the flag.
    let problems = read("", &[], &["listeners.a={bnid: 1}"]).expect_err("a typo");
    assert!(problems.iter().any(|problem| problem.contains("did you mean `listeners.a.bind`")), "{problems:?}");
    // A list takes the place of another one.
    let yaml = "listeners: {a: {bind: \"127.0.0.1:1\", tls: {certificates: [{cert: {file: a}, key: {file: b}}, {cert: {file: c}, key: {file: d}}]}}}";
    let config = read(yaml, &[], &["listeners.a.tls.certificates=[{cert: {env: E}, key: {env: F}}]"]).expect("good");
    let shown = format!("{:?}", config.listeners[0].tls);
    assert!(shown.contains('E') && !shown.contains("\"c\""), "{shown}");
}

#[test]
fn load_balancers_are_named_where_their_word_counts() {
    let of = |more: &str| read(&format!("listeners:\n  web: {{bind: \"127.0.0.1:1\", {more}}}\n"), &[], &[]);
    let from = |more: &str| of(more).expect("good").listeners.remove(0).proxy_protocol_from.map(|list| list.len());
    assert_eq!(from("apis: [a]"), None);
    assert_eq!(from("proxyProtocol: required, proxyProtocolFrom: [10.0.0.0/8, \"fd00::1\"]"), Some(2));
    assert_eq!(from("proxyProtocol: off, proxyProtocolFrom: [10.0.0.0/8]"), None);
    for (more, expected) in [
        ("proxyProtocol: required", "2:45: listener `web` trusts no load balancer, so that it would close every"),
        ("proxyProtocol: required, proxyProtocolFrom: []", "write the addresses of the load balancers beside it"),
        ("proxyProtocol: maybe", "2:45: expected `required` or `off`, found `maybe`"),
        ("proxyProtocol: required, proxyProtocolFrom: [x]", "2:75: expected an address or a network such as"),
        (
            "proxyProtocolFrom: [10.0.0.1]",
            "2:49: listener `web` reads no PROXY protocol; write `proxyProtocol: required`",
        ),
    ] {
        let problems = of(more).expect_err(more).join("\n");
        assert!(problems.contains(expected), "{more}: {problems}");
    }
    let trusted = |value: &str| read("", &[], &[&format!("trustedFields={value}")]).map(|config| config.trusted_fields);
    assert_eq!(trusted("rfc7239"), Ok(TrustedFields::Rfc7239));
    let problems = trusted("both").expect_err("never both").join("\n");
    assert!(problems.contains("expected `x-forwarded` or `rfc7239`, found `both`"), "{problems}");
    let problems = read("", &[], &["listeners.web.proxyProtocol=off"]).expect_err("no address").join("\n");
    assert!(problems.contains("listener `web` has no address"), "{problems}");
}

#[test]
fn settings_that_differ_are_found() {
    let before =
        read("timeouts: {keepAlive: 60s, head: 5s}\nworkers: 2\ntrustedProxies: [10.0.0.1]\n", &[], &[]).expect("good");
    let after = read("trustedProxies: [10.0.0.2]\ntimeouts:\n  keepAlive: 60s\n  head: 6s\n", &[], &[]).expect("good");
    assert!(before.changed_settings(&after).into_iter().eq(["timeouts.head", "trustedProxies", "workers"]));
    assert!(before.changed_settings(&before.clone()).is_empty());
}

#[test]
fn every_mistake_is_reported_with_its_place() {
    let yaml = "listeners:\n  a: {bnid: \"127.0.0.1:1\"}\n  b: {bind: nowhere}\n  c: {apis: [x]}\ntimeouts:\n  head: 5 parsecs\ntrustedProxies: [10.0.0.0/99]\naccessLog: maybe\n";
    let problems = read(yaml, &[("GATEWAY__WORKERS", "0")], &["nonsense"]).expect_err("many mistakes");
    let all = problems.join("\n");
    for expected in [
        "gateway.yaml:2:13: unknown setting `listeners.a.bnid`; did you mean `listeners.a.bind`?",
        "gateway.yaml:3:13: expected an address such as 127.0.0.1:8080 or 0.0.0.0:8080, found `nowhere`",
        "gateway.yaml:4:13: listener `c` has no address",
        "gateway.yaml:6:9: expected a duration",
        "gateway.yaml:7:18: expected an address or a network",
        "gateway.yaml:8:12: expected `stdout` or `off`, found `maybe`",
        "environment variable GATEWAY__WORKERS: expected a number from 1 to 1024, found `0`",
        "--set nonsense: expected PATH=VALUE",
    ] {
        assert!(all.contains(expected), "no `{expected}` in:\n{all}");
    }
    assert_eq!(problems.len(), 8, "{all}");
}

#[test]
fn mistakes_in_upstreams_are_reported_with_their_places() {
    for (upstream, expected) in [
        ("[]", "2:20: expected a list of addresses, at least one of them with a weight"),
        ("[{url: \"http://a\", weight: 0}]", "2:20: expected a list of addresses, at least one"),
        ("[\"http://a\", \"http://a/\"]", "2:33: expected each address once"),
        ("[\"http://a\", \"https://b\"]", "2:20: expected addresses that are all spoken to in one way, with one path"),
        (
            "[{url: \"dns+srv://_http._tcp.a\", weight: 2}]",
            "2:61: expected no `weight` beside `dns+srv`: each SRV record has one",
        ),
        (
            "{url: \"dns+srv://_http._tcp.a\", resolve: off}",
            "2:20: expected a time under `resolve`, not `off`: SRV records are not asked for by every connection",
        ),
        ("[{url: \"http://a\", wieght: 2}]", "did you mean `upstreams.notes.default.endpoints.weight`?"),
        ("{balance: round-robin}", "2:20: expected `url` or `endpoints`"),
        ("{url: \"http://a\", balance: fair}", "expected `round-robin`, `least-request` or"),
        ("{url: \"http://a\", outlier: {consecutive: 0}}", "expected a whole number from 1 to"),
        ("{url: \"http://a\", balance: {hash: [ip], more: 1}}", "expected `round-robin`, `least-request` or"),
        ("{url: \"http://a\", health: {path: /, status: [99]}}", "expected statuses such as `[200-299]`"),
        ("{url: \"http://a\", outlier: 5}", "expected a mapping, found `5`"),
        ("{url: \"http://a\", retry: {attempts: 0}}", "expected a whole number from 1 to"),
        ("{url: \"http://a\", retry: {attemptHeader: maybe}}", "expected `true` or `false`, found `maybe`"),
        ("{url: \"http://a\", retry: 3}", "expected a mapping, found `3`"),
        ("{url: \"http://a\", health: {path: healthz}}", "expected a `path` such as `/healthz`"),
        ("{url: \"http://a\", health: {path: /, unhealthy: 0}}", "expected a whole number from 1 to"),
        ("{url: \"http://a\", timeout: {total: 0s}}", "expected a duration such as 250ms, 5s or 10m, found `0s`"),
        ("{url: \"http://a\", breaker: {requests: many}}", "expected a whole number from 1 to 1000000"),
    ] {
        let yaml = format!("upstreams:\n  notes: {{default: {upstream}}}\n");
        let problems = read(&yaml, &[], &[]).expect_err(upstream).join("\n");
        assert!(problems.contains(expected) && problems.contains("gateway.yaml:2:"), "{upstream}: {problems}");
    }
}

#[test]
fn the_operators_listener_is_off_where_the_last_source_says_so() {
    let file = "admin: {bind: \"127.0.0.1:1\"}";
    let admin = |environment: &[(&str, &str)], flags: &[&str]| read(file, environment, flags).expect("good").admin;
    assert!(admin(&[], &[]).is_some());
    assert_eq!(admin(&[("GATEWAY__ADMIN", "off")], &[]), None);
    assert_eq!(admin(&[], &["admin=off"]), None);
    assert!(admin(&[("GATEWAY__ADMIN", "off")], &["admin.bind=127.0.0.1:2"]).is_some_and(|admin| admin.port() == 2));
}

#[cfg(all(feature = "oauth", feature = "postgres", feature = "redis"))]
#[test]
fn an_administrators_key_and_the_operators_listener_are_set_apart() {
    let file = "admin: {key: {env: A_KEY}}";
    let admin = |environment: &[(&str, &str)], flags: &[&str]| {
        let config = read(file, environment, flags).expect("good");
        (config.admin.map(|address| address.port()), config.admin_was_asked_for, config.admin_key.is_some())
    };
    assert_eq!(admin(&[], &[]), (Some(9901), false, true));
    assert_eq!(admin(&[], &["admin=off"]), (None, false, true));
    assert_eq!(admin(&[], &["admin.bind=off"]), (None, false, true));
    assert_eq!(admin(&[("GATEWAY__ADMIN__BIND", "127.0.0.1:1")], &[]), (Some(1), true, true));
    let secrets = SecretStore { stand_ins: vec![("B_KEY".to_owned(), "b".to_owned())], ..SecretStore::default() };
    let config = read(file, &[("GATEWAY__ADMIN__KEY__ENV", "B_KEY")], &[]).expect("good");
    let key = config.admin_key.expect("there").read(&secrets).expect("there");
    assert_eq!(key.expose(), b"b");
    let config = read(file, &[], &["admin.key.file=/nowhere"]).expect("a file instead of a variable");
    let problem = config.admin_key.expect("there").read(&secrets).expect_err("no such file").to_string();
    assert!(problem.starts_with("--set admin.key.file: file /nowhere cannot be read"), "{problem}");
}

#[cfg(all(feature = "oauth", feature = "postgres", feature = "redis"))]
#[test]
fn authorization_servers_find_their_store() {
    let place = |yaml: &str| {
        let config = read(yaml, &[], &[]).unwrap_or_else(|problems| panic!("{problems:?}"));
        let secrets = SecretStore {
            folder: PathBuf::from("/srv"),
            stand_ins: vec![("DATABASE_URL".to_owned(), "postgres://u:p@db/gateway".to_owned())],
            ..SecretStore::default()
        };
        config
            .oauth_store_settings(&secrets)
            .map(|settings| format!("{:?}", settings.place))
            .map_err(|problem| problem.to_string())
    };
    for (yaml, expected) in [
        ("", r#"File("/srv/gateway.db")"#),
        ("stores: {default: {kind: memory}}", "Memory"),
        ("stores: {default: {kind: redis, url: \"redis://r\"}}", r#"File("/srv/gateway.db")"#),
        ("stores: {default: {kind: sqlite}}", r#"File("/srv/gateway.db")"#),
        ("stores: {a: {kind: sqlite, file: data/a.db}}\noauth: {store: a}", r#"File("/srv/data/a.db")"#),
        ("stores: {a: {kind: postgres, url: {env: DATABASE_URL}}}\noauth: {store: a}", "Postgres(Secret(25 bytes))"),
        ("stores: {a: {kind: postgres, url: \"postgres://u@db/x\"}}\noauth: {store: A}", "Postgres(Secret(17 bytes))"),
    ] {
        assert_eq!(place(yaml), Ok(expected.to_owned()), "{yaml}");
    }
    for (yaml, expected) in [
        (
            "stores: {main: {kind: memory}}\noauth: {store: mian}",
            "gateway.yaml:2:16: there is no store `mian`; did you mean `main`?",
        ),
        ("oauth: {store: a}", "there is no store `a`; write `stores: {a: {kind: sqlite, file: gateway.db}}`"),
        (
            "stores: {a: {kind: redis, url: \"redis://r\"}}\noauth: {store: a}",
            "store `a` is of kind redis, which counts limits only",
        ),
        ("stores: {default: {kind: postgres, url: {env: UNSET_URL}}}", "environment variable UNSET_URL is not set"),
    ] {
        let problem = place(yaml).expect_err(yaml);
        assert!(problem.contains(expected), "{yaml}: {problem}");
    }
}

#[cfg(all(feature = "oauth", feature = "postgres", feature = "redis"))]
#[test]
fn settings_of_authorization_servers_are_read() {
    let yaml = "oauth: {signingKey: {file: keys/sign.pem}, templates: pages, cache: 0s}\n\
                session: {secret: {env: S}, idleTimeout: 10m, absoluteTimeout: 1h}\n";
    let config = read(yaml, &[("GATEWAY__SESSION__IDLETIMEOUT", "5m")], &[]).expect("good");
    assert!(config.oauth.signing_key.is_some() && config.session.secret.is_some());
    assert_eq!(config.oauth.templates.expect("there").0, PathBuf::from("pages"));
    assert_eq!((config.oauth.cache, config.session.idle), (Duration::ZERO, Duration::from_secs(300)));
    assert_eq!(config.session.absolute, Duration::from_secs(3600));
    let bad = "oauth: {cache: 2m, signingKey: hunter2, stoer: a}\nsession: {secret: {env: A, file: b}, idleTimeout: 0s}\n\
               stores: {a: {kind: memory, file: x}, b: {kind: sqlite, url: \"postgres://h\"}, c: {kind: postgres}, d: {file: x},\n\
               e: {kind: redis, url: \"redis://u:hunter2@h\"}, f: {kind: postgres, url: \"postgres://h/x?password=hunter2\"}}\n";
    let all = read(bad, &[], &[]).expect_err("many mistakes").join("\n");
    for expected in [
        "expected a duration from 0s to 60s, found `2m`",
        "expected `oauth.signingKey: {env: NAME}` or `oauth.signingKey: {file: PATH}`",
        "unknown setting `oauth.stoer`; did you mean `oauth.store`?",
        "`session.secret` has an `env` and a `file`; write one of them",
        "expected a duration from 1s to 400d",
        "store `a` is in no file; only `kind: sqlite` has a `file`",
        "store `b` is a file: it has no `url`",
        "store `c` has no URL; write `url: {env: DATABASE_URL}`",
        "store `d` has no `kind`; write `kind: sqlite` beside its file",
        "store `e`: its URL has a password, which does not belong here; write `url: {env: REDIS_URL}`",
        "store `f`: its URL has a password, which does not belong here; write `url: {env: DATABASE_URL}`",
    ] {
        assert!(all.contains(expected), "no `{expected}` in:\n{all}");
    }
    assert!(!all.contains("hunter2"), "{all}");
}

#[test]
fn no_problem_shows_a_password() {
    let problems = read("", &[], &["session.secret=hunter2", "oauth.signingKey=hunter2"]).expect_err("not secrets");
    assert!(problems.iter().all(|problem| !problem.contains("hunter2")), "{problems:?}");
    for (text, expected) in [
        ("--set a=redis://u:pw@h:1/2: found `redis://u:pw@h`", "--set a=redis://…@h:1/2: found `redis://…@h`"),
        ("http://a/b and no://more", "http://a/b and no://more"),
        ("`http://u:p/w@h/?token=t` is too much", "`http://…@h/?…` is too much"),
        ("redis://a@b@c", "redis://…@c"),
    ] {
        assert_eq!(Problem::plain(text).to_string(), expected);
    }
}

#[test]
fn the_manual_has_the_table_of_the_settings() {
    const MANUAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md");
    let found = std::fs::read_to_string(MANUAL).expect("the manual");
    let (before, rest) = found.split_once("\n## Settings\n\n").expect("a section");
    let (_, after) = rest.split_once("\n\n").expect("more text");
    let expected = format!("{before}\n## Settings\n\n{}\n{after}", table::manual());
    if std::env::var_os("GATEWAY_TEST_UPDATE").is_some() {
        return std::fs::write(MANUAL, expected).expect("written");
    }
    assert!(found == expected, "docs/operations.md is not current; run with GATEWAY_TEST_UPDATE=1 and commit it");
}

#[cfg(all(feature = "oauth", feature = "postgres", feature = "redis"))]
#[test]
fn the_manual_says_what_the_defaults_are() {
    let shown = |config: Config| format!("{:?}", Config { fingerprints: BTreeMap::new(), ..config });
    let usual = shown(Config { workers: 1, ..Config::default() });
    let plain = |default: &str| {
        default.strip_prefix('`')?.strip_suffix('`').filter(|text| !text.contains('`')).map(str::to_owned)
    };
    let mut checked = 0;
    for row in table::ROWS.iter().filter(|row| !row.paths[0].contains('*')) {
        let Some(default) = plain(row.default) else { continue };
        let config = read("", &[], &[&format!("{}={default}", row.paths[0]), "workers=1"]).expect("its own default");
        let asked = config.admin_was_asked_for && row.paths[0] == "admin.bind";
        let config = Config { admin_was_asked_for: config.admin_was_asked_for && !asked, ..config };
        assert_eq!(shown(config), usual, "{}", row.paths[0]);
        checked += 1;
    }
    assert!(checked > 15, "{checked}");
}

#[cfg(not(any(feature = "acme", feature = "oauth", feature = "postgres", feature = "redis")))]
#[test]
fn settings_of_a_feature_that_is_left_out_name_it() {
    for (yaml, message) in [
        (
            "stores: {a: {kind: redis, url: {env: REDIS_URL}}}",
            "feature `redis` of gateway-runtime, which store `a` of kind redis needs",
        ),
        ("stores: {a: {kind: postgres, url: {env: DATABASE_URL}}}", "without the feature `postgres`"),
        ("stores: {a: {kind: sqlite}}", "without the feature `oauth`"),
        (
            "oauth: {templates: pages}",
            "gateway.yaml:1:20: this gateway is built without the feature `oauth` of gateway-runtime, which `oauth.templates` needs",
        ),
        ("session: {idleTimeout: 5m}", "without the feature `oauth`"),
        ("admin: {key: {env: ADMIN_KEY}}", "without the feature `oauth`"),
        (
            "listeners: {a: {bind: \"127.0.0.1:1\", tls: {acme: {folder: acme}}}}",
            "feature `acme` of gateway-runtime, which `listeners.a.tls.acme.folder` needs",
        ),
    ] {
        let problems = read(yaml, &[], &[]).expect_err("a feature is missing");
        assert!(problems.len() == 1 && problems[0].contains(message), "{yaml}: {problems:?}");
    }
    read("stores: {a: {kind: memory}}", &[], &[]).expect("it needs nothing");
}
