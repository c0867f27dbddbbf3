//! What files become: a table of texts and of the JSON or the fault that they mean.

use gateway_yaml::{ErrorKind, FileId, Node, Value, load, load_all, position};

/// The tree as compact JSON, numbers as written.
fn json(node: &Node) -> String {
    match &node.value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.text().into(),
        Value::String(text) => format!("{text:?}"),
        Value::Sequence(items) => format!("[{}]", items.iter().map(json).collect::<Vec<_>>().join(",")),
        Value::Mapping(mapping) => {
            let entries = mapping.iter().map(|entry| format!("{:?}:{}", entry.key.name, json(&entry.value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
        }
    }
}

#[test]
fn values() {
    let long = format!("{{\"{}\": 1}}", "k".repeat(20_000));
    let long_expected = format!("{{{:?}:1}}", "k".repeat(20_000));
    for (text, expected) in [
        ("", "null"),
        ("# nothing\n", "null"),
        ("---\n", "null"),
        ("a: 1\n---\n", r#"{"a":1}"#),
        ("a: 1\n...\n", r#"{"a":1}"#),
        ("\u{feff}a: 1\r\nb: [x,\r\n  y]\r\n", r#"{"a":1,"b":["x","y"]}"#),
        ("200: a\n4xx: b\non: c\n1.0: d\nnull: e\n", r#"{"200":"a","4xx":"b","on":"c","1.0":"d","null":"e"}"#),
        ("a: on\nb: 0755\nc: \"1\"\nd: yes", r#"{"a":"on","b":0755,"c":"1","d":"yes"}"#),
        ("big: 987654321234567900000", r#"{"big":987654321234567900000}"#),
        ("{\"a\":1,\"b\":[{}],\"c\":\"x\\/y\"}", r#"{"a":1,"b":[{}],"c":"x/y"}"#),
        ("{\n\t\"a\":\t1,\n\t\"b\": {\n\t\t\"c\": 2\n\t}\n}", r#"{"a":1,"b":{"c":2}}"#),
        ("{\"a\": [1, 2,], }", r#"{"a":[1,2]}"#),
        (r#"{"smile": "\ud83d\ude00", "e": "\u00e9"}"#, r#"{"smile":"😀","e":"é"}"#),
        ("a: &x {k: 1}\nb: *x\nc: [*x, *x]", r#"{"a":{"k":1},"b":{"k":1},"c":[{"k":1},{"k":1}]}"#),
        ("&k key: *k", r#"{"key":"key"}"#),
        ("a: &x {k: 1, l: 2}\nb: {<<: *x, l: 3}", r#"{"a":{"k":1,"l":2},"b":{"l":3,"k":1}}"#),
        (
            "a: &x {k: 1}\nb: &y {k: 2, m: 3}\nc: {<<: [*x, *y], z: 0}",
            r#"{"a":{"k":1},"b":{"k":2,"m":3},"c":{"z":0,"k":1,"m":3}}"#,
        ),
        ("\"<<\": 1", r#"{"<<":1}"#),
        (
            "a: !!str 1\nb: !!int \"2\"\nc: !!float 3\nd: ! 4\ne: !!binary aGk=",
            r#"{"a":"1","b":2,"c":3,"d":"4","e":"aGk="}"#,
        ),
        ("a: !!map {b: !!seq [1]}\nc: !!set {d}", r#"{"a":{"b":[1]},"c":{"d":null}}"#),
        ("a: |\n  x\n  y\nb: >-\n  x\n  y\n", r#"{"a":"x\ny\n","b":"x y"}"#),
        ("a:\nb: ~\nc: \"\"\n", r#"{"a":null,"b":null,"c":""}"#),
        ("? a\n: b\n? c\n", r#"{"a":"b","c":null}"#),
        ("a:\n- 1\n- 2\n", r#"{"a":[1,2]}"#),
        (&long, &long_expected),
    ] {
        match load(FileId(0), text) {
            Ok(node) => assert_eq!(json(&node), expected, "{text}"),
            Err(error) => panic!("{text}: {error:?}"),
        }
    }
}

#[test]
fn faults_have_places() {
    let lots = "[".repeat(300);
    let deep_aliases: String =
        (1..300).fold("a0: &a0 []\n".to_owned(), |text, n| text + &format!("a{n}: &a{n} [*a{}]\n", n - 1));
    let laughs: String = (1..12).fold("a0: &a0 [x]\n".to_owned(), |text, n| {
        text + &format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(", "))
    });
    use ErrorKind::*;
    for (text, kind, at) in [
        ("a: 1\nb: 2\na: 3", DuplicateKey, "3:1"),
        ("{\"a\": 1, \"a\": 2}", DuplicateKey, "1:10"),
        ("a: 1\n\"a\": 2", DuplicateKey, "2:1"),
        ("x:\n  a: 1\n  b: 1\n  c: 1\n  d: 1\n  e: 1\n  f: 1\n  g: 1\n  h: 1\n  i: 1\n  a: 1", DuplicateKey, "11:3"),
        ("a: [1, 2", Syntax, "1:4"),
        ("a: {b: 1\nc: 2", Syntax, "2:2"),
        ("a:\n\tb: 1", Syntax, "2:2"),
        ("a: *nope", Syntax, "1:4"),
        ("a: \"\\q\"", Syntax, "1:4"),
        ("info: &a\n  x: *a", Limit, "2:6"),
        ("&a [*a]", Limit, "1:5"),
        (&lots, Limit, "1:201"),
        (&laughs, Limit, "7:10"),
        (&deep_aliases, Limit, "200:14"),
        ("? [a]\n: b", Key, "1:3"),
        ("a: {{b}: c}", Key, "1:5"),
        ("a: {<<: 1}", Key, "1:5"),
        ("a: !Sub x", Tag, "1:9"),
        ("a: !!int x", Tag, "1:10"),
        ("a: 1\n---\nb: 2", ManyDocuments, "3:1"),
    ] {
        let error = load(FileId(7), text).expect_err(text);
        let short: String = text.chars().take(80).collect();
        assert_eq!(error.kind, kind, "{short}: {error:?}");
        assert_eq!(error.span.file, FileId(7), "{short}");
        assert_eq!(position(text, error.span.start).to_string(), at, "{short}: {error:?}");
    }
}

#[test]
fn spans_cover_the_text() {
    let text = "\u{feff}ä: {b: [1, x]}\nlist:\n  - one\n  - k: v w\n\nempty:\nref: &r \"q\"\n";
    let node = load(FileId(0), text).expect("loads");
    for (pointer, expected) in [
        ("/ä", "{b: [1, x]}"),
        ("/ä/b", "[1, x]"),
        ("/ä/b/1", "x"),
        ("/list", "- one\n  - k: v w"),
        ("/list/1", "k: v w"),
        ("/list/1/k", "v w"),
        ("/empty", "empty"),
        ("/ref", "\"q\""),
    ] {
        let found = node.pointer(pointer).expect(pointer);
        assert_eq!(found.span.slice(text), expected, "{pointer}");
    }
    assert!(node.pointer("/list/2").is_none());
    assert!(node.pointer("/list/+1").is_none());
    assert!(node.pointer("list").is_none());
}

#[test]
fn control_characters_do_not_cost_the_document() {
    let text = "\u{feff}a: it\u{92}s\nb: \"x\u{7f}\0\"\nc: \u{ffff}\nd: \u{a0}\u{85}é\n";
    let loaded = load_all(FileId(0), text);
    let places: Vec<String> =
        loaded.errors.iter().map(|error| error.span.slice(text).escape_unicode().to_string()).collect();
    assert_eq!(places, ["\\u{92}", "\\u{7f}", "\\u{0}", "\\u{ffff}"], "{:?}", loaded.errors);
    let node = loaded.node.expect("a tree");
    assert_eq!(node.get("c").map(|value| value.span.slice(text)), Some("\u{ffff}"), "places are not shifted");
}

#[test]
fn quoted_text_may_hold_what_json_allows() {
    let text = "{\"a\": \"the user\u{99}s \u{80}\u{9c}\u{fffe}\u{7c0}\", \"k\u{85}\u{9f}\": 'it\u{92}s'}";
    let loaded = load_all(FileId(0), text);
    assert!(loaded.errors.is_empty(), "{:?}", loaded.errors);
    let node = loaded.node.expect("a tree");
    assert_eq!(node.get("a").and_then(Node::as_str), Some("the user\u{99}s \u{80}\u{9c}\u{fffe}\u{7c0}"));
    assert_eq!(node.get("k\u{85}\u{9f}").and_then(Node::as_str), Some("it\u{92}s"));
    // Outside of quotes, YAML does not allow them.
    let mixed = load_all(FileId(0), "a: \"x\u{92}\"\nb: y\u{93}\nc: \"\u{93}\"\n");
    assert_eq!(mixed.errors.len(), 1, "{:?}", mixed.errors);
    assert_eq!(mixed.node.expect("a tree").get("c").and_then(Node::as_str), Some("\u{93}"));
}

#[test]
fn a_block_of_text_ends_with_its_last_line() {
    let text = "a: |\n  one\n  two\n\n\nb: 1\n";
    let node = load(FileId(0), text).expect("loads");
    assert_eq!(node.get("a").map(|value| value.span.slice(text)), Some("one\n  two"));
}

#[test]
fn a_tab_is_reported_at_its_own_place() {
    for (text, at) in
        [("a:\n  - b: c\n\t- b: d\n", "3:1"), ("a:\n  b: c\n\tb2: d\n  e: f\n", "3:1"), ("a:\n\tb: c\n", "2:2")]
    {
        let error = load(FileId(0), text).expect_err(text);
        assert!(error.help.as_ref().is_some_and(|help| help.contains("tab")), "{text:?}: {error:?}");
        assert_eq!(position(text, error.span.start).to_string(), at, "{text:?}: {error:?}");
    }
}

#[test]
fn all_faults_in_one_run_and_the_tree_besides() {
    let loaded = load_all(FileId(0), "a: {x: 1, x: 2}\na: !Sub y\nb: {z: 1, z: 1}\n");
    assert_eq!(loaded.errors.len(), 4, "{:?}", loaded.errors);
    let node = loaded.node.expect("a tree");
    assert_eq!(node.pointer("/a/x").and_then(Node::as_text), Some("1"), "the first of two equal keys is found");
    let duplicate = &loaded.errors[0];
    assert_eq!(duplicate.also.as_ref().map(|(span, _)| span.start), Some(4));
}
