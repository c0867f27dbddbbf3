//! Public paths beside guarded ones: what a request may be taken for, and which operation answers it.

#[path = "../../support/mod.rs"]
mod support;

use std::process::Command;

use support::{Gateway, Upstream};

const APIS: [&str; 6] = ["town", "suburb", "exact", "loose", "open", "callers"];

fn gateway(upstream: &Upstream) -> Gateway {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway-paths"));
    support::usual_settings(&mut command);
    support::secrets(&mut command);
    let consumers = concat!("consumers.file=", env!("CARGO_MANIFEST_DIR"), "/consumers.yaml");
    let upstreams = APIS.map(|api| format!("upstreams.{api}.default=http://{}", upstream.address));
    for setting in ["insecureLiterals=true", consumers].into_iter().chain(upstreams.iter().map(String::as_str)) {
        command.args(["--set", setting]);
    }
    Gateway::launch(command)
}

/// What answers a request without a credential: its status, the operation, and the word for a refusal.
fn answer(gateway: &Gateway, path: &str) -> String {
    let response = gateway.get(path, "");
    let id = response.header("x-request-id");
    let line = gateway.log_line(|line| line["requestId"] == *id);
    let operation = line["operation"].as_str().filter(|id| !id.is_empty()).unwrap_or("-");
    let reject = line["reject"].as_str().map(|word| format!(" {word}")).unwrap_or_default();
    format!("{} {operation}{reject}", response.status)
}

fn check(cases: &[(&str, &str)]) {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream);
    for (path, expected) in cases {
        assert_eq!(answer(&gateway, path), *expected, "{path}");
    }
}

#[test]
fn characters_that_servers_read_differently_are_no_part_of_a_value() {
    check(&[
        ("/people/7", "200 person"),
        ("/people/a%20b%C3%A9@:,=", "200 person"),
        ("/people/7/letters", "401 letters no-credential"),
        ("/people/7%2fletters", "404 - ambiguous-path"),
        ("/people/7%252fletters", "404 - ambiguous-path"),
        ("/people/7%5cletters", "404 - ambiguous-path"),
        ("/people/%2fme", "404 - ambiguous-path"),
        ("/people/me;x", "404 - ambiguous-path"),
        ("/people/me%3bx", "404 - ambiguous-path"),
        ("/people;x/me", "404 - ambiguous-path"),
        ("/vault%2f7", "404 - ambiguous-path"),
        ("/people/me%0a", "400 - bad-request"),
        ("/people/me%00", "400 - bad-request"),
    ]);
}

#[test]
fn until_the_document_says_more_the_stricter_operation_answers_values() {
    check(&[
        ("/people/ME", "401 myself no-credential"),
        ("/people/Me", "401 myself no-credential"),
        ("/people/m%45", "401 myself no-credential"),
        ("/people/you", "200 person"),
        ("/People/you", "200 anything"),
        ("/PEOPLE/me", "401 myself no-credential"),
        ("/people/me/", "401 myself no-credential"),
        ("/people/7/letters/", "401 letters no-credential"),
        ("/People/7/Letters", "401 letters no-credential"),
        ("/VAULT", "401 vault no-credential"),
        ("/vault/", "401 vault no-credential"),
        ("/Vault/x", "401 drawer no-credential"),
        ("/vault/x/", "401 drawer no-credential"),
        ("/people/numbers/LAST", "401 lastNumber no-credential"),
        ("/desk/u/login", "401 deskOf no-credential"),
        ("/desk/U/login", "401 deskOf no-credential"),
        ("/desk/u/login/", "200 deskLogin"),
        // Both are in the document.
        ("/gate", "401 gate no-credential"),
        ("/gate/", "200 gateIndex"),
    ]);
}

#[test]
fn operations_of_another_document_are_compared_where_they_have_the_upstream_in_common() {
    check(&[
        ("/people/mayor", "401 mayor no-credential"),
        ("/people/MAYOR", "401 mayor no-credential"),
        ("/people/mayor/", "401 mayor no-credential"),
        ("/people/mayors", "200 person"),
        ("/Halls/1", "401 hall no-credential"),
        ("/vault/KEEPER", "401 drawer no-credential"),
    ]);
}

#[test]
fn head_is_no_way_around_either() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream);
    for (path, expected) in [("/people/you", 200), ("/people/me", 401), ("/people/ME", 401), ("/VAULT", 401)] {
        assert_eq!(gateway.request("HEAD", path, "").status, expected, "{path}");
    }
}

#[test]
fn where_every_spelling_counts_requests_are_answered_as_written() {
    check(&[
        ("/exact/people/me", "401 myself no-credential"),
        ("/exact/people/ME", "200 person"),
        ("/exact/people/me/", "200 anything"),
        ("/exact/people/me;x", "404 - ambiguous-path"),
    ]);
}

#[test]
fn where_the_upstream_is_less_careful_the_stricter_operation_answers() {
    check(&[
        ("/loose/people/me", "401 myself no-credential"),
        ("/loose/people/ME", "401 myself no-credential"),
        ("/loose/people/you", "200 person"),
        ("/loose/gate/", "401 gate no-credential"),
        ("/loose/a//b", "401 single no-credential"),
        ("/loose/members/7", "401 member no-credential"),
        ("/loose/members/me", "401 ownMember no-credential"),
        ("/loose/members/ME", "404 - ambiguous-path"),
    ]);
}

#[test]
fn the_stricter_operation_decides_who_may_call() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream);
    for (path, key, expected) in [
        ("/people/ME", "olaf", 200),
        ("/loose/people/STAFF", "olaf", 200),
        ("/loose/people/STAFF", "ann", 403),
        ("/loose/people/Me", "ann", 200),
    ] {
        let response = gateway.get(path, &format!("X-Key: {key}-secret\r\n"));
        assert_eq!(response.status, expected, "{path} {key}");
    }
    // What is forwarded is what the client asked for.
    let response = gateway.get("/people/ME", "X-Key: ann-secret\r\n");
    assert!(response.body.contains("/people/ME"), "{response:?}");
}

#[test]
fn a_document_may_allow_each_character_for_a_parameter() {
    check(&[
        ("/open/projects/group%2fproject", "200 project"),
        ("/open/projects/group%5cproject", "404 - ambiguous-path"),
        ("/open/percent/100%25", "200 percent"),
        ("/open/percent/a%2fb", "404 - ambiguous-path"),
        ("/open/shares/a%5cb", "200 share"),
        ("/open/cars/fiat;year=1970", "200 car"),
        ("/open/maps/;point=50,20", "200 map"),
        ("/open/maps/%2f", "404 - ambiguous-path"),
        ("/open/blobs/a%2fb/c", "200 blob"),
        ("/open/blobs/a//c", "404 - not-found"),
        // A dot segment is one whatever is around it.
        ("/open/projects/..%2fproject", "400 - bad-request"),
    ]);
}

#[test]
fn the_log_says_what_would_admit_a_character() {
    let upstream = Upstream::echo();
    let gateway = gateway(&upstream);
    gateway.get("/people/7%2Fletters", "");
    let line = gateway.log_line(|line| line["reject"] == "ambiguous-path");
    assert!(line["detail"].as_str().is_some_and(|detail| detail.contains("encodedSlash: allow")), "{line}");
}
