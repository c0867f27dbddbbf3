//! Inputs that are made to cost much: the time that they take grows as they do, and no more.

use std::time::{Duration, Instant};

use gateway_contract::tables::ParameterLocation::{Cookie, Header, Query};
use gateway_contract::tables::{Contract, Explode, Mode, Parameter, Part, Style, Unknown, Written};

use crate::support::{NOTHING, Request, content, parameter, prepare, query, with_body};

/// What a megabyte may take in a build for tests, on a machine that has other work too.
const LONG: Duration = Duration::from_secs(5);

fn times(count: usize, text: impl Fn(usize) -> String) -> String {
    (0..count).map(text).collect()
}

#[test]
fn many_parameters() {
    let strings = r#"{"type": "array", "items": {"type": ["string", "integer"]}}"#;
    let object = r#"{"type": "object", "additionalProperties": {"type": "integer"}}"#;
    let prepared = prepare(Contract {
        parameters: vec![
            query("a", strings),
            parameter(Query, "list", Style::SpaceDelimited, Explode::No, strings),
            parameter(Query, "pairs", Style::Form, Explode::No, object),
            parameter(Query, "deep", Style::DeepObject, Explode::Yes, object),
            Parameter { mode: Mode::Observe, ..query("rest", object) },
            parameter(Header, "X-List", Style::Simple, Explode::No, strings),
            parameter(Cookie, "list", Style::Form, Explode::Yes, strings),
        ]
        .leak(),
        unknown: Unknown { query: Mode::Enforce, header: Mode::Enforce, cookie: Mode::Enforce, known: &[] },
        ..NOTHING
    });
    let many = 100_000;
    let queries = [
        times(many, |index| format!("x{index}=1&")),
        times(many, |index| format!("a={index}&")),
        times(many, |_| "a=%zz&".to_owned()),
        times(many, |index| format!("deep[m{index}]=1&")),
        times(many, |_| "deep[a]=1&".to_owned()),
        format!("deep{}=1", "[a]".repeat(many)),
        format!("deep{}=1", "[".repeat(many)),
        format!("list={}", "1+".repeat(many)),
        format!("list={}", "1%20".repeat(many)),
        format!("pairs={}", times(many, |index| format!("m{index},1,"))),
        format!("pairs={}", "m,1,".repeat(many)),
        "&".repeat(many),
        "=&".repeat(many),
        "%41".repeat(many),
    ];
    let start = Instant::now();
    for query in &queries {
        let found = prepared.find(Request { query, ..Request::default() });
        assert!(found.refused.len() <= 10 && found.observed.len() <= 10);
    }
    let list = "1,".repeat(many);
    let cookies =
        [times(many, |index| format!("c{index}=1;")), format!("list=1{}", "&list=1".repeat(many)), ";".repeat(many)];
    for line in &cookies {
        prepared.find(Request { fields: &[("Cookie", line), ("X-List", &list)], ..Request::default() });
    }
    assert!(start.elapsed() < LONG * 4, "{:?}", start.elapsed());
}

#[test]
fn forms_that_are_bombs() {
    let form = "application/x-www-form-urlencoded";
    static PARTS: &[Part] =
        &[Part { name: "deep", content_type: "", written: Some(Written::As(Style::DeepObject, Explode::Yes)) }];
    let schema = r#"{"type": "object", "properties": {"a": {"type": "array", "items": {"type": "integer"}}, "b": {"type": "integer"}}}"#;
    let prepared = prepare(with_body(vec![content(form, schema, PARTS), content("multipart/form-data", schema, &[])]));
    let many = 100_000;
    let part = |name: &str| format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n1\r\n");
    let start = Instant::now();
    for (text, expected) in [
        (times(many, |index| format!("x{index}=1&")), "good"),
        ("a=1&".repeat(many), "good"),
        ("b=1&".repeat(many), "/b"),
        (times(many, |index| format!("deep[x{index}]=1&")), "good"),
    ] {
        assert_eq!(prepared.body_word(form, text.as_bytes()), expected);
    }
    let multipart = "multipart/form-data; boundary=b";
    for (text, expected) in [
        (format!("{}--b--", times(1_000, |index| part(&format!("x{index}")))), "good"),
        (format!("{}--b--", times(1_001, |index| part(&format!("x{index}")))), "unreadable"),
        (format!("{}--b--", times(many, |_| "--b\r\n\r\n\r\n".to_owned())), "unreadable"),
        (format!("--b\r\nX: {}\r\n\r\n\r\n--b--", "y".repeat(9_000)), "unreadable"),
        (format!("{}{}--b--", part("a"), "\r\n--".repeat(many)), "unreadable"),
        (
            format!("--b\r\nContent-Disposition: form-data; name=\"{}\r\n\r\n\r\n--b--", "\\".repeat(5_000)),
            "unreadable",
        ),
        ("--b".repeat(many), "unreadable"),
    ] {
        assert_eq!(prepared.body_word(multipart, text.as_bytes()), expected, "{text:.100}");
    }
    let boundary = "b".repeat(70);
    let near = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=a\r\n\r\n{}",
        format!("\r\n--{}", &boundary[1..]).repeat(10_000)
    );
    assert_eq!(prepared.body_word(&format!("multipart/form-data; boundary={boundary}"), near.as_bytes()), "unreadable");
    assert!(start.elapsed() < LONG * 4, "{:?}", start.elapsed());
}
