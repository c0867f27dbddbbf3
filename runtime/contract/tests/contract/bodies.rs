//! Bodies: what passes, what cannot be read, and which values are refused.

use gateway_contract::body::{BodyHead, BodyNeed, BodyResult};
use gateway_contract::finding::{errors, summary};
use gateway_contract::tables::{Content, Details, Explode, Mode, Part, RequestBody, Style, Written};

use crate::support::{Prepared, content, names, prepare, with_body, word};

const ORDER: &str = r#"{"$ref": "Order"}"#;

fn check(prepared: &Prepared, cases: &[(&str, &[u8], &str)]) {
    for (content_type, bytes, expected) in cases {
        let found = prepared.body_word(content_type, bytes);
        assert_eq!(found, *expected, "{content_type} {}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn json() {
    let prepared = prepare(with_body(vec![content("application/json", ORDER, &[])]));
    let json = "application/json";
    let item = r#"{"sku": "ABC-1234", "quantity": 2}"#;
    check(
        &prepared,
        &[
            (json, br#"{ "items" : [ {"sku":"ABC-1234", "quantity": 2, "price": 1.10, "note": null} ] }"#, "good"),
            ("Application/JSON ; charset=\"UTF-8\"", br#"{"items":[{"sku":"ABC-1234","quantity":1}]}"#, "good"),
            (json, br#"{"items": [], "items": [{"sku":"ABC-1234","quantity":1}]}"#, "unreadable"),
            (json, br#"{"items":[{"sku":"ABC-1234","quantity":1}]} x"#, "unreadable"),
            (json, br#"{"items":[{"sku":"ABC-1234","quantity":1}]}{}"#, "unreadable"),
            (json, b"{\"items\":[{\"sku\":\"ABC-1234\",\"quantity\":1,\"note\":\"\xff\"}]}", "unreadable"),
            (json, br#"{"items":"#, "unreadable"),
            (json, b"{'items':1}", "unreadable"),
            (json, b"", "missing"),
            ("application/json; charset=utf-16", b"{}", "unreadable"),
            ("application/xml", b"<a/>", "not described"),
            ("", b"{}", "not described"),
            ("json", b"{}", "not described"),
            ("application/json, text/plain", b"{}", "not described"),
            (json, b"{}", "body"),
            (json, br#"{"items": []}"#, "/items"),
            (
                json,
                format!(r#"{{"items": [{item}, {{"sku": "XYZ-0001", "quantity": 0}}]}}"#).as_bytes(),
                "/items/1/quantity",
            ),
            (json, format!(r#"{{"items": [{item}], "id": "123e4567-e89b-12d3-a456-426614174000"}}"#).as_bytes(), "/id"),
            (json, format!(r#"{{"items": [{item}], "secret": "a long secret"}}"#).as_bytes(), "good"),
            (json, format!(r#"{{"items": [{item}], "secret": "hunt3r"}}"#).as_bytes(), "/secret"),
        ],
    );
    let many: Vec<String> = (0..20).map(|index| format!(r#"{{"sku": "bad{index}", "quantity": 0}}"#)).collect();
    let BodyResult::Violations(found) = prepared.body(json, format!(r#"{{"items": [{}]}}"#, many.join(",")).as_bytes())
    else {
        panic!("it is refused");
    };
    assert_eq!(found.len(), 10);
    let full = errors(&found, Details::Full).expect("errors");
    assert!(full.contains(r#"{"in":"body","pointer":"/items/0/sku","message":""#), "{full}");
    let located = errors(&found, Details::Location).expect("errors");
    assert!(located.contains("/items/0/sku") && !located.contains("A-Z") && !located.contains("bad0"), "{located}");
    assert!(!full.contains("bad0") && !summary(&found).contains("bad0"), "{full}");
}

#[test]
fn levels() {
    let prepared = prepare(with_body(vec![content("application/json", "{}", &[])]));
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let json = "application/json";
    check(&prepared, &[(json, nested(120).as_bytes(), "good"), (json, nested(140).as_bytes(), "unreadable")]);
    check(&prepared, &[(json, "[".repeat(1 << 20).as_bytes(), "unreadable")]);
}

#[test]
fn media_types() {
    let a = r#"{"type": "object", "required": ["a"]}"#;
    let prepared = prepare(with_body(vec![
        content("application/json", a, &[]),
        content("application/vnd.shop+json", r#"{"type": "object", "required": ["b"]}"#, &[]),
        content("application/json; version=2", r#"{"type": "object", "required": ["v2"]}"#, &[]),
        content("text/*", r#"{"type": "string", "maxLength": 5}"#, &[]),
        content("image/*", "", &[]),
        content("application/xml", a, &[]),
        content("text/xml", a, &[]),
    ]));
    check(
        &prepared,
        &[
            ("application/json", br#"{"a":1}"#, "good"),
            ("application/json; charset=utf-8", br#"{"a":1}"#, "good"),
            ("application/json; version=2", br#"{"a":1}"#, "body"),
            ("application/json;version=\"2\"", br#"{"v2":1}"#, "good"),
            ("application/json; version=3", br#"{"a":1}"#, "good"),
            ("application/vnd.shop+json", br#"{"b":1}"#, "good"),
            ("application/vnd.shop+json", br#"{"a":1}"#, "body"),
            ("application/vnd.other+json", br#"{"a":1}"#, "not described"),
            ("text/markdown", b"short", "good"),
            ("text/csv", b"longer than five", "body"),
            ("text/csv; charset=iso-8859-1", b"short", "unreadable"),
            ("image/png", b"\xff", "good"),
            ("application/xml", b"<", "good"),
            ("text/xml", b"<longer than five/>", "good"),
        ],
    );
    let BodyResult::NotDescribed { accept } = prepared.body("a/b", b"x") else { panic!("it is not described") };
    assert_eq!(
        accept,
        "application/json, application/vnd.shop+json, application/json; version=2, text/*, image/*, application/xml, text/xml"
    );
    let any =
        prepare(with_body(vec![content("*/*", "", &[]), content("application/json", r#"{"type": "array"}"#, &[])]));
    check(&any, &[("a/b", b"x", "good"), ("", b"x", "good"), ("application/json", b"{}", "body")]);
    let octets = prepare(with_body(vec![content("application/octet-stream", "", &[])]));
    check(&octets, &[("", b"x", "good"), ("text/plain", b"x", "not described")]);
}

#[test]
fn text() {
    let prepared = prepare(with_body(vec![content(
        "text/plain",
        r#"{"type": "string", "minLength": 2, "maxLength": 5, "pattern": "^[a-zé]*$"}"#,
        &[],
    )]));
    let plain = "text/plain";
    check(
        &prepared,
        &[
            (plain, b"ab", "good"),
            ("text/plain; charset=utf-8", "ééééé".as_bytes(), "good"),
            (plain, b"a", "body"),
            (plain, b"abcdef", "body"),
            (plain, b"AB", "body"),
            (plain, b"a\xff", "unreadable"),
        ],
    );
    let number = prepare(with_body(vec![content(plain, r#"{"type": "integer", "minimum": 10}"#, &[])]));
    check(&number, &[(plain, b"10", "good"), (plain, b"9", "body"), (plain, b"ten", "body")]);
}

#[test]
fn checks_that_need_no_content() {
    let contract = with_body(vec![content("application/json", ORDER, &[])]);
    let strict = prepare(contract);
    let json = BodyHead { content_type: Some(b"application/json"), ..BodyHead::default() };
    let decided = |prepared: &Prepared, head| match prepared.contract.needs_body(head) {
        BodyNeed::Nothing => "nothing".to_owned(),
        BodyNeed::All(_) => "all".to_owned(),
        BodyNeed::Decided(result) => word(&result),
    };
    assert_eq!(decided(&strict, json), "all");
    assert_eq!(decided(&strict, BodyHead { is_empty: true, ..json }), "missing");
    assert_eq!(decided(&strict, BodyHead { content_encoding: Some(b"gzip"), ..json }), "unreadable");
    assert_eq!(decided(&strict, BodyHead { content_encoding: Some(b"Identity"), ..json }), "all");
    assert_eq!(decided(&strict, BodyHead::default()), "not described");
    let body = |mode, required| {
        let contents: &[Content] = vec![content("application/json", ORDER, &[])].leak();
        let max = gateway_base::units::ByteSize::mib(1);
        let body = RequestBody { mode, required, max, refused_with: 400, contents };
        prepare(gateway_contract::tables::Contract { body: Some(body), ..crate::support::NOTHING })
    };
    assert_eq!(decided(&body(Mode::Off, true), BodyHead { is_empty: true, ..json }), "nothing");
    assert_eq!(decided(&body(Mode::Observe, false), BodyHead { is_empty: true, ..json }), "nothing");
    assert_eq!(decided(&prepare(crate::support::NOTHING), json), "nothing");
    let results = [BodyResult::Good, BodyResult::Missing, BodyResult::Unreadable("is not JSON".to_owned())];
    assert_eq!(results.map(|result| result.status(422)), [None, Some(400), Some(400)]);
    assert_eq!(BodyResult::Violations(Vec::new()).status(strict.contract.refused_with()), Some(422));
    assert_eq!(names(&BodyResult::Missing.findings()), "body");
}

const FORM: &str = "application/x-www-form-urlencoded";

#[test]
fn forms() {
    let schema = r#"{"type": "object", "required": ["name"], "additionalProperties": false, "properties": {
        "name": {"type": "string", "minLength": 2}, "age": {"type": "integer", "minimum": 18},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
        "at": {"type": "object", "properties": {"x": {"type": "integer"}}}}}"#;
    let prepared = prepare(with_body(vec![content(FORM, schema, &[])]));
    check(
        &prepared,
        &[
            (FORM, b"name=Ann&age=18&tags=a&tags=b", "good"),
            (FORM, b"name=Ann+B%C3%A9&tags=a&", "good"),
            (FORM, b"name=Ann&at=%7B%22x%22%3A1%7D", "good"),
            (FORM, b"name=Ann&at=%7B%22x%22%3A%22%22%7D", "/at/x"),
            (FORM, b"name=Ann&at=x", "/at"),
            (FORM, b"name=Ann&age=17", "/age"),
            (FORM, b"name=Ann&age=x", "/age"),
            (FORM, b"name=Ann&name=Bob", "/name"),
            (FORM, b"name=Ann&tags=a&tags=b&tags=c", "/tags"),
            (FORM, b"name=%zz", "unreadable"),
            (FORM, b"name=\xff", "unreadable"),
            (FORM, b"na%ffme=a", "unreadable"),
            (FORM, b"", "body"),
        ],
    );
    // A form of no fields has no bytes.
    let all_optional = prepare(with_body(vec![content(FORM, r#"{"type": "object", "maxProperties": 1}"#, &[])]));
    check(&all_optional, &[(FORM, b"", "good"), (FORM, b"a=1&b=2", "body"), ("", b"", "missing")]);
    for (bytes, expected) in [(&b"age=18"[..], ["body", "/name"]), (b"name=Ann&x=1", ["body", "/x"])] {
        let found = prepared.body_word(FORM, bytes);
        assert!(expected.contains(&found.as_str()), "{found}");
    }
}

#[test]
fn forms_with_encoding() {
    const fn part(name: &'static str, written: Option<Written>, content_type: &'static str) -> Part {
        Part { name, content_type, written }
    }
    static PARTS: &[Part] = &[
        part("ids", Some(Written::As(Style::PipeDelimited, Explode::No)), ""),
        part("at", Some(Written::As(Style::DeepObject, Explode::Yes)), ""),
        part("json", None, "application/json"),
        part("lines", Some(Written::As(Style::DeepObject, Explode::Yes)), ""),
        part("flat", Some(Written::As(Style::Form, Explode::No)), ""),
        part("spread", Some(Written::As(Style::Form, Explode::Yes)), ""),
    ];
    let schema = r#"{"type": "object", "required": ["ids"], "properties": {
        "ids": {"type": "array", "items": {"type": "integer"}},
        "at": {"type": "object", "properties": {"x": {"type": "integer"}}, "additionalProperties": false},
        "json": {"type": "array", "items": {"type": "integer"}},
        "lines": {"type": "array", "items": {"type": "object", "required": ["price"], "properties": {
            "price": {"type": "string"}, "quantity": {"type": "integer"}, "of": {"type": "object", "properties": {"n": {"type": "integer"}}}}}},
        "flat": {"type": "array", "items": {"type": "integer"}},
        "spread": {"type": "object", "properties": {"p": {"type": "integer"}, "q": {"type": "integer"}}},
        "ok": {"type": "boolean"}}}"#;
    let prepared = prepare(with_body(vec![content(FORM, schema, PARTS)]));
    check(
        &prepared,
        &[
            (FORM, b"ids=1|2&ok=true", "good"),
            (FORM, b"ids=1%7C2&at[x]=3", "good"),
            (FORM, b"ids=1,2", "/ids/0"),
            (FORM, b"ids=1&ids=2", "/ids"),
            (FORM, b"ids=1&at[x]=a", "/at/x"),
            (FORM, b"ids=1&at%5By%5D=1", "/at/y"),
            (FORM, b"ids=1&at[x]=1&at[x]=2", "/at"),
            (FORM, b"ids=1&at[x]=1&at=2", "/at"),
            (FORM, b"ids=1&at[x=1", "/at"),
            (FORM, b"ids=1&lines[0][price]=a&lines[0][quantity]=2&lines[1][price]=b&lines[1][of][n]=1", "good"),
            (FORM, b"ids=1&lines[0][price]=a&lines[1][quantity]=x", "/lines/1/quantity,/lines/1"),
            (FORM, b"ids=1&lines[0][price]=a&lines[0][of][n]=x", "/lines/0/of/n"),
            (FORM, b"ids=1&lines[price]=a", "/lines"),
            (FORM, b"ids=1&json=[1,2]&flat=1,2", "good"),
            (FORM, b"ids=1&json=[1,x]", "/json"),
            (FORM, b"ids=1&json=[\"a\"]", "/json/0"),
            (FORM, b"ids=1&flat=1&flat=2", "/flat"),
            (FORM, b"ids=1&p=1&q=x", "/spread/q"),
            (FORM, b"ids=1&ok=1", "/ok"),
        ],
    );
}

const MULTIPART: &str = "multipart/form-data; boundary=edgeB";

/// A part: its name, its content, its type, and the name of a file.
type Sent<'p> = (&'p str, &'p [u8], &'p str, &'p str);

fn multipart(parts: &[Sent<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, content, media_type, file) in parts {
        bytes.extend(format!("--edgeB\r\nContent-Disposition: form-data; name=\"{name}\"").bytes());
        if !file.is_empty() {
            bytes.extend(format!("; filename=\"{file}\"").bytes());
        }
        if !media_type.is_empty() {
            bytes.extend(format!("\r\nContent-Type: {media_type}").bytes());
        }
        bytes.extend(b"\r\n\r\n");
        bytes.extend(*content);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"--edgeB--\r\n");
    bytes
}

#[test]
fn forms_of_several_parts() {
    static PARTS: &[Part] = &[Part { name: "file", content_type: "image/png, image/jpeg", written: None }];
    let schema = r#"{"type": "object", "required": ["meta", "file"], "additionalProperties": false, "properties": {
        "meta": {"type": "object", "required": ["title"], "properties": {"title": {"type": "string"}}},
        "file": {"type": "string", "minLength": 3, "maxLength": 12}, "count": {"type": "integer", "minimum": 1}}}"#;
    let prepared = prepare(with_body(vec![content("multipart/form-data", schema, PARTS)]));
    let meta: Sent<'_> = ("meta", br#"{"title":"t"}"#, "application/json", "");
    let png: Sent<'_> = ("file", b"\x89PNG\r\n\x1a\n\0\0", "image/png", "a.png");
    let cases: &[(&[Sent<'_>], &str)] = &[
        (&[meta, png, ("count", b"3", "", "")], "good"),
        (&[meta, png], "good"),
        (&[("meta", br#"{"title":"t"}"#, "", ""), png], "good"),
        (&[meta, ("file", b"x\r\n--edge", "IMAGE/JPEG", "a")], "good"),
        (&[("meta", b"{}", "application/json", ""), png], "/meta"),
        (&[("meta", b"{", "application/json", ""), png], "/meta"),
        (&[meta, ("file", b"xxx", "text/html", "a.html")], "/file"),
        (&[meta, ("file", b"xxx", "", "")], "/file"),
        (&[meta, ("file", b"\xff\xff", "image/png", "a")], "/file"),
        (&[meta, ("file", &[0xff; 13], "image/png", "a")], "/file"),
        (&[meta, png, ("count", b"0", "", "")], "/count"),
        (&[meta, png, ("count", b"\xff", "", "")], "/count"),
        (&[meta, png, ("count", b"1", "text/plain; charset=latin1", "")], "/count"),
        (&[meta, png, png], "/file"),
        (&[meta, png, ("x", b"", "", "")], "/x"),
        (&[meta], "body"),
        (&[], "body"),
    ];
    for (parts, expected) in cases {
        assert_eq!(prepared.body_word(MULTIPART, &multipart(parts)), *expected, "{parts:?}");
    }
    static FILES: &[Part] = &[Part { name: "files", content_type: "text/*", written: None }];
    let schema = r#"{"type": "object", "required": ["files"], "properties": {
        "files": {"type": "array", "minItems": 1, "maxItems": 2, "items": {"type": "string"}}, "on": {"type": "boolean"},
        "points": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "integer"}}}}}}"#;
    let prepared = prepare(with_body(vec![content("multipart/form-data", schema, FILES)]));
    let file: Sent<'_> = ("files", b"x", "text/plain", "a.txt");
    let cases: &[(&[Sent<'_>], &str)] = &[
        (&[file], "good"),
        (&[file, ("on", b"true", "", ""), file], "good"),
        (&[file, file, file], "/files"),
        (&[file, ("files", b"x", "image/png", "a")], "/files"),
        (&[file, ("on", b"yes", "", "")], "/on"),
        (&[file, ("points", br#"{"x":1}"#, "", ""), ("points", br#"{"x":2}"#, "", "")], "good"),
        (&[file, ("points", br#"[{"x":1},{"x":"2"}]"#, "application/json", "")], "/points/1/x"),
    ];
    for (parts, expected) in cases {
        assert_eq!(prepared.body_word(MULTIPART, &multipart(parts)), *expected, "{parts:?}");
    }
}

#[test]
fn malformed_multipart() {
    let prepared = prepare(with_body(vec![content("multipart/form-data", r#"{"type": "object"}"#, &[])]));
    let disposition = "Content-Disposition: form-data; name=\"a\"";
    let part = format!("--edgeB\r\n{disposition}\r\n\r\nx\r\n");
    for (text, expected) in [
        (format!("{part}--edgeB--"), "good"),
        (format!("\r\n{part}--edgeB--\r\n\r\n"), "good"),
        (format!("--edgeB \t\r\n{disposition}\r\n\r\n\r\n--edgeB--"), "good"),
        ("--edgeB\r\nCONTENT-disposition:FORM-DATA;NAME=a;x=y\r\n\r\n\r\n--edgeB--".to_owned(), "good"),
        ("--edgeB--".to_owned(), "good"),
        (part.clone(), "unreadable"),
        (format!("preamble\r\n{part}--edgeB--"), "unreadable"),
        (format!("{part}--edgeB--epilogue"), "unreadable"),
        (format!("{part}--edgeBx\r\n"), "unreadable"),
        (format!("--edgeC\r\n{disposition}\r\n\r\nx\r\n--edgeC--"), "unreadable"),
        (format!("--edgeB\n{disposition}\n\nx\n--edgeB--"), "unreadable"),
        ("--edgeB\r\n\r\nx\r\n--edgeB--".to_owned(), "unreadable"),
        ("--edgeB\r\nX: y\r\n\r\nx\r\n--edgeB--".to_owned(), "unreadable"),
        ("--edgeB\r\nContent-Disposition: form-data\r\n\r\nx\r\n--edgeB--".to_owned(), "unreadable"),
        ("--edgeB\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n--edgeB--".to_owned(), "unreadable"),
        ("--edgeB\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\nx\r\n--edgeB--".to_owned(), "unreadable"),
        (format!("--edgeB\r\n{disposition}; name*=utf-8''b\r\n\r\nx\r\n--edgeB--"), "unreadable"),
        (format!("--edgeB\r\n{disposition}\r\n{disposition}\r\n\r\nx\r\n--edgeB--"), "unreadable"),
        (format!("--edgeB\r\n{disposition}\r\nContent-Type: x\r\n\r\nx\r\n--edgeB--"), "unreadable"),
        (format!("--edgeB\r\n{disposition}\r\nContent-Transfer-Encoding: base64\r\n\r\nx\r\n--edgeB--"), "unreadable"),
        (format!("--edgeB\r\n{disposition}\r\n folded\r\n\r\nx\r\n--edgeB--"), "unreadable"),
    ] {
        assert_eq!(prepared.body_word(MULTIPART, text.as_bytes()), expected, "{text}");
    }
    for media_type in ["multipart/form-data", "multipart/form-data; boundary=\"\""] {
        assert_eq!(prepared.body_word(media_type, b"--edgeB--"), "unreadable", "{media_type}");
    }
    assert_eq!(prepared.body_word("multipart/form-data; boundary=\"edgeB\"", b"--edgeB--"), "good");
    for media_type in
        ["multipart/form-data; boundary=edgeB; boundary=b", "multipart/form-data; boundary=edgeB; boundary*=b"]
    {
        assert_eq!(prepared.body_word(media_type, b"--edgeB--"), "not described", "{media_type}");
    }
}
