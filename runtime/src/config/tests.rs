//! Cases for reading a deployment.

use super::*;

fn read(yaml: &str, environment: &[(&str, &str)], flags: &[&str]) -> Result<Config, Vec<String>> {
    let mut settings = Settings::default();
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
fn every_mistake_is_told_with_its_place() {
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
fn the_operators_listener_is_off_where_the_last_source_says_so() {
    let file = "admin: {bind: \"127.0.0.1:1\"}";
    let admin = |environment: &[(&str, &str)], flags: &[&str]| read(file, environment, flags).expect("good").admin;
    assert!(admin(&[], &[]).is_some());
    assert_eq!(admin(&[("GATEWAY__ADMIN", "off")], &[]), None);
    assert_eq!(admin(&[], &["admin=off"]), None);
    assert!(admin(&[("GATEWAY__ADMIN", "off")], &["admin.bind=127.0.0.1:2"]).is_some_and(|admin| admin.port() == 2));
}

#[test]
fn no_problem_tells_a_password() {
    for (text, expected) in [
        ("--set a=redis://u:pw@h:1/2: found `redis://u:pw@h`", "--set a=redis://…@h:1/2: found `redis://…@h`"),
        ("http://a/b@c and no://more", "http://a/b@c and no://more"),
        ("redis://a@b@c", "redis://…@c"),
    ] {
        assert_eq!(Problem::plain(text).to_string(), expected);
    }
}
