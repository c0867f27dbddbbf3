//! Parameters, bodies and responses against what is described, in every style and media type that there is a reader for.
#![no_main]

use std::sync::LazyLock;

use gateway_base::units::ByteSize;
use gateway_contract::body::{BodyHead, BodyNeed};
use gateway_contract::finding::{Finding, MOST_FINDINGS, errors, summary};
use gateway_contract::parameters::RequestParts;
use gateway_contract::prepared::PreparedContract;
use gateway_contract::response::ResponseHead;
use gateway_contract::tables::ParameterLocation::{Cookie, Header, Path, Query};
use gateway_contract::tables::{
    Content, Contract, Details, Explode, Field, Mode, Parameter, ParameterLocation, Part, RequestBody, Response,
    Responses, StatusKey, Style, Unknown, Written,
};
use gateway_schema::json::Document;
use gateway_schema::schemas::Schemas;
use libfuzzer_sys::fuzz_target;

const LIST: &str =
    r#"{"type": ["array", "null"], "items": {"type": ["integer", "string"], "minimum": 3}, "maxItems": 3}"#;
const OBJECT: &str = r#"{"type": "object", "additionalProperties": {"type": "boolean"}, "properties": {
    "x": {"type": "integer"}, "y": {"type": "array", "items": {"type": "object"}}}}"#;
const TEXT: &str = r#"{"type": "string", "pattern": "^(?:[a-z]+|\\d{2,3})*$", "format": "date"}"#;
const ANY: &str = r#"{"$ref": "Tree"}"#;
const TREE: &str = r#"{"properties": {"a": {"$ref": "Tree"}, "b": {"oneOf": [{"type": "integer"}, {"$ref": "Tree"}]}},
    "unevaluatedProperties": {"multipleOf": 0.01}, "uniqueItems": true}"#;

const fn parameter(
    location: ParameterLocation,
    name: &'static str,
    style: Style,
    explode: Explode,
    schema: &'static str,
) -> Parameter {
    let written = Written::As(style, explode);
    Parameter { name, location, mode: Mode::Enforce, required: true, may_be_empty: false, written, schema }
}

static PARAMETERS: &[Parameter] = &[
    parameter(Path, "simple", Style::Simple, Explode::Yes, OBJECT),
    parameter(Path, "label", Style::Label, Explode::No, LIST),
    parameter(Path, "matrix", Style::Matrix, Explode::Yes, OBJECT),
    parameter(Query, "a", Style::Form, Explode::Yes, LIST),
    parameter(Query, "b", Style::Form, Explode::No, OBJECT),
    parameter(Query, "c", Style::SpaceDelimited, Explode::No, LIST),
    parameter(Query, "d", Style::PipeDelimited, Explode::No, OBJECT),
    parameter(Query, "e", Style::DeepObject, Explode::Yes, OBJECT),
    parameter(Query, "f", Style::Form, Explode::Yes, OBJECT),
    parameter(Query, "g", Style::Form, Explode::Yes, TEXT),
    parameter(Header, "X-A", Style::Simple, Explode::No, LIST),
    parameter(Header, "X-B", Style::Simple, Explode::Yes, OBJECT),
    parameter(Cookie, "a", Style::Form, Explode::Yes, LIST),
    parameter(Cookie, "b", Style::Cookie, Explode::Yes, OBJECT),
];

static PARTS: &[Part] = &[
    Part { name: "a", content_type: "application/json, image/*", written: None },
    Part { name: "e", content_type: "", written: Some(Written::As(Style::DeepObject, Explode::Yes)) },
    Part { name: "d", content_type: "", written: Some(Written::As(Style::PipeDelimited, Explode::No)) },
    Part { name: "f", content_type: "", written: Some(Written::As(Style::Form, Explode::Yes)) },
];

const FORM: &str = r#"{"type": "object", "properties": {"a": {"type": "array"}, "d": {"type": "array", "items": {"type": "integer"}},
    "e": {"type": ["object", "null"]}, "f": {"type": "object", "properties": {"x": {"type": "integer"}}}}}"#;

static CONTENTS: &[Content] = &[
    Content { media_type: "application/json", schema: ANY, parts: &[] },
    Content { media_type: "application/x-www-form-urlencoded", schema: FORM, parts: PARTS },
    Content { media_type: "multipart/form-data", schema: FORM, parts: PARTS },
    Content { media_type: "text/*", schema: TEXT, parts: &[] },
];

static CONTRACT: Contract = Contract {
    parameters: PARAMETERS,
    unknown: Unknown { query: Mode::Observe, header: Mode::Enforce, cookie: Mode::Observe, known: &[(Query, "key")] },
    body: Some(RequestBody {
        mode: Mode::Enforce,
        required: true,
        max: ByteSize::mib(1),
        refused_with: 422,
        contents: CONTENTS,
    }),
    responses: Some(Responses {
        mode: Mode::Enforce,
        max: ByteSize::mib(1),
        described: &[Response {
            status: StatusKey::Class(2),
            fields: &[Field {
                name: "X-A",
                required: true,
                written: Written::As(Style::Simple, Explode::No),
                schema: LIST,
            }],
            contents: CONTENTS,
        }],
    }),
    details: Details::Full,
};

static PREPARED: LazyLock<(PreparedContract, Schemas)> = LazyLock::new(|| {
    let mut schemas = Schemas::new([("Tree", TREE)]).expect("schemas");
    (PreparedContract::new(&CONTRACT, &mut schemas).expect("a contract"), schemas)
});

fuzz_target!(|input: &[u8]| {
    let (contract, schemas) = &*PREPARED;
    // What stands before the first line end is a head, and the rest a body.
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (head, body) = (&input[..end], input.get(end + 1..).unwrap_or_default());
    let text = std::str::from_utf8(head).unwrap_or_default();
    let name = text.split('=').next().unwrap_or_default();
    let fields = [("X-A", head), ("x-b", head), ("Cookie", head), (name, head)];
    let request = RequestParts { path: |_: &str| Some(text), query: Some(text), fields: fields.into_iter() };
    let found = contract.check_parameters(schemas, &request);
    look_at(&found.refused);
    look_at(&found.observed);
    for content_type in [
        head,
        b"application/json",
        b"application/x-www-form-urlencoded",
        b"multipart/form-data; boundary=b",
        b"text/plain",
    ] {
        let sent = BodyHead { content_type: Some(content_type), content_encoding: None, is_empty: false };
        match contract.needs_body(sent) {
            BodyNeed::Nothing => {}
            BodyNeed::All(check) => look_at(&check.check(schemas, body).findings()),
            BodyNeed::Decided(result) => look_at(&result.findings()),
        }
    }
    let fields = [("Content-Type", &b"application/json"[..]), ("X-A", head)];
    let response = ResponseHead { status: 200, fields: fields.into_iter(), is_empty: false, is_always_empty: false };
    let checked = contract.check_response(schemas, &response);
    look_at(&checked.findings);
    checked.content.iter().for_each(|check| look_at(&check.check(schemas, body).findings()));
});

/// What a refusal says is JSON, and what the log says is short.
fn look_at(findings: &[Finding]) {
    assert!(findings.len() <= MOST_FINDINGS);
    if let Some(errors) = errors(findings, Details::Full) {
        let read = Document::read(errors.as_bytes()).expect("JSON");
        assert_eq!(read.root().len(), findings.len());
    }
    assert!(summary(findings).len() <= 500);
}
