//! Responses: status, fields and content.

use gateway_contract::response::ResponseHead;
use gateway_contract::tables::{Content, Explode, Field, Response, StatusKey, Style, Written};

use crate::support::{NOTHING, Prepared, content, names, prepare, with_responses, word};

fn field(name: &'static str, required: bool, schema: &'static str) -> Field {
    Field { name, required, written: Written::As(Style::Simple, Explode::No), schema }
}

fn response(status: StatusKey, fields: Vec<Field>, contents: Vec<Content>) -> Response {
    Response { status, fields: fields.leak(), contents: contents.leak() }
}

/// What is wrong with a response: the head first, then the content.
fn found(prepared: &Prepared, status: u16, fields: &[(&str, &str)], bytes: &[u8]) -> String {
    let lines = fields.iter().map(|(name, value)| (*name, value.as_bytes()));
    let is_always_empty = matches!(status, 204 | 304);
    let head = ResponseHead { status, fields: lines, is_empty: bytes.is_empty(), is_always_empty };
    let checked = prepared.contract.check_response(&prepared.schemas, &head);
    match checked.content {
        Some(check) if checked.findings.is_empty() => word(&check.check(&prepared.schemas, bytes)),
        _ if checked.findings.is_empty() => "good".to_owned(),
        _ => names(&checked.findings),
    }
}

/// A status, fields, content, and what is wrong with them.
type Case<'c> = (u16, &'c [(&'c str, &'c str)], &'c [u8], &'c str);

#[test]
fn responses() {
    let prepared = prepare(with_responses(vec![
        response(
            StatusKey::Exactly(200),
            vec![
                field("X-Count", true, r#"{"type": "integer"}"#),
                field("X-List", false, r#"{"type": "array", "items": {"type": "integer"}}"#),
                field("content-type", true, "false"),
            ],
            vec![content("application/json", r#"{"$ref": "Order"}"#, &[])],
        ),
        response(StatusKey::Exactly(204), Vec::new(), vec![content("application/json", "{}", &[])]),
        response(StatusKey::Class(3), Vec::new(), Vec::new()),
        response(
            StatusKey::Class(5),
            Vec::new(),
            vec![content("application/problem+json", r#"{"required": ["title"]}"#, &[])],
        ),
    ]));
    let json = ("Content-Type", "application/json");
    let good = br#"{"items": [{"sku": "ABC-1234", "quantity": 1}]}"#;
    let own = br#"{"id": "123e4567-e89b-12d3-a456-426614174000", "items": [{"sku": "ABC-1234", "quantity": 1}]}"#;
    let secret = br#"{"secret": "long enough", "items": [{"sku": "ABC-1234", "quantity": 1}]}"#;
    let cases: &[Case<'_>] = &[
        (200, &[json, ("x-count", "1")], good, "good"),
        (200, &[json, ("x-count", "1"), ("X-List", "1, 2"), ("X-List", "3")], own, "good"),
        (200, &[json, ("x-count", "1")], secret, "/secret"),
        (200, &[json, ("x-count", "1")], br#"{"items": []}"#, "/items"),
        (200, &[json, ("x-count", "1")], b"{", "unreadable"),
        (200, &[json, ("x-count", "1")], b"", "body"),
        (200, &[json], good, "X-Count"),
        (200, &[json, ("x-count", "many"), ("x-list", "a")], good, "X-Count,X-List"),
        (200, &[json, ("x-count", "1"), ("x-count", "1")], good, "X-Count"),
        (200, &[("Content-Type", "text/html"), ("x-count", "1")], good, "body"),
        (200, &[("x-count", "1")], good, "body"),
        (200, &[json, ("x-count", "1"), ("Content-Encoding", "gzip")], good, "body"),
        (200, &[json, ("x-count", "1"), ("Content-Encoding", "gzip"), ("Content-Encoding", "identity")], good, "body"),
        (200, &[json, ("x-count", "1"), json], good, "Content-Type"),
        (201, &[json], good, "status"),
        (204, &[], b"", "good"),
        (302, &[("Content-Type", "text/html")], b"<p>", "good"),
        (206, &[("Content-Range", "bytes 0-1/2")], b"{}", "good"),
        (404, &[], b"", "status"),
        (503, &[("Content-Type", "application/problem+json")], br#"{"title": "t"}"#, "good"),
        (503, &[("Content-Type", "application/problem+json")], b"{}", "body"),
    ];
    for (status, fields, bytes, expected) in cases {
        let text = String::from_utf8_lossy(bytes);
        assert_eq!(found(&prepared, *status, fields, bytes), *expected, "{status} {fields:?} {text}");
    }
    let all = prepare(with_responses(vec![response(StatusKey::Default, Vec::new(), Vec::new())]));
    assert_eq!(found(&all, 418, &[], b"x"), "good");
    assert_eq!(found(&prepare(NOTHING), 418, &[], b"x"), "good");
    // What a condition or a range makes of 200 is described with it.
    let only = |status| prepare(with_responses(vec![response(StatusKey::Exactly(status), Vec::new(), Vec::new())]));
    for (described, expected) in [(200, "good"), (201, "status")] {
        assert_eq!(found(&only(described), 304, &[], b""), expected);
        assert_eq!(found(&only(described), 206, &[], b"x"), expected);
    }
}
