//! Queries: what they select, by normalized path, and where they are wrong.

#![expect(clippy::disallowed_methods, reason = "the compliance test suite is a file")]
#![allow(clippy::print_stdout, reason = "what was skipped is reported to the developer")]

use gateway_yaml::{FileId, Node, Value, load};

use crate::json_path::evaluate::TooMuch;
use crate::json_path::{Location, parse, select};

const DOCUMENT: &str = r#"{"paths": {"/a": {"get": {"x": 1, "tags": ["t", "u"]}, "put": {}}, "/b": {"get": {"x": 2, "deprecated": true}}}}"#;

fn path(mut node: &Node, location: &Location) -> String {
    let mut path = String::from("$");
    for &at in location {
        let at = at as usize;
        match &node.value {
            Value::Mapping(mapping) => {
                let entry = &mapping.entries()[at];
                path += &format!("['{}']", escaped(&entry.key.name));
                node = &entry.value;
            }
            Value::Sequence(items) => {
                path += &format!("[{at}]");
                node = &items[at];
            }
            _ => unreachable!("a value without children"),
        }
    }
    path
}

/// As RFC 9535 §2.7 writes names.
fn escaped(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        match c {
            '\u{8}' => text += "\\b",
            '\u{c}' => text += "\\f",
            '\n' => text += "\\n",
            '\r' => text += "\\r",
            '\t' => text += "\\t",
            '\'' => text += "\\'",
            '\\' => text += "\\\\",
            c if c < ' ' => text += &format!("\\u{:04x}", u32::from(c)),
            c => text.push(c),
        }
    }
    text
}

#[test]
fn queries_of_documents() {
    let root = load(FileId(0), DOCUMENT).expect("JSON");
    for (query, expected) in [
        ("$", "$"),
        ("$.paths.*.get", "$['paths']['/a']['get'] $['paths']['/b']['get']"),
        ("$.paths[*][?@.x]", "$['paths']['/a']['get'] $['paths']['/b']['get']"),
        ("$.paths[?@.put].get", "$['paths']['/a']['get']"),
        ("$..tags", "$['paths']['/a']['get']['tags']"),
        ("$..tags[?@ == 'u']", "$['paths']['/a']['get']['tags'][1]"),
        ("$.paths['/a', '/a'].put", "$['paths']['/a']['put']"),
        ("$.paths[?(@.get['tags'][?(@ == 't')])].get", "$['paths']['/a']['get']"),
        ("$.paths.*[?@.deprecated == true && !@.tags]", "$['paths']['/b']['get']"),
        ("$.paths[*][?@.deprecated == true || @.x < 2]", "$['paths']['/a']['get'] $['paths']['/b']['get']"),
        ("$.paths[?match(@.get.tags[0], 't|u')]", "$['paths']['/a']"),
        ("$.nothing", ""),
    ] {
        let parsed = parse(query).expect(query);
        let found = select(&parsed, &root).expect(query);
        let found: Vec<String> = found.iter().map(|location| path(&root, location)).collect();
        assert_eq!(found.join(" "), expected, "{query}");
    }
}

#[test]
fn mistakes_have_a_place() {
    for (query, at, words) in [
        ("", 0, "begins with `$`"),
        ("paths", 0, "begins with `$`"),
        ("$.paths./a", 8, "in brackets and quotes"),
        ("$.paths['/a", 11, "closing quote"),
        ("$.paths[/a]", 8, "in quotes"),
        ("$.paths[?@.x = 1]", 13, "expected `,` or `]`"),
        ("$.paths[?@..x == 1]", 9, "several values"),
        ("$.paths[?1]", 9, "compare it"),
        ("$.paths[?size(@) > 1]", 9, "no function `size`"),
        ("$[?match(@.a, '(')]", 14, "regular expression"),
        ("$ ", 1, "or the end"),
        ("$[01]", 2, "not an integer"),
    ] {
        let error = parse(query).expect_err(query);
        assert_eq!(error.at, at, "{query}: {}", error.message);
        assert!(error.message.contains(words), "{query}: {}", error.message);
    }
}

#[test]
fn queries_end() {
    for nested in [format!("$[?{}1{}]", "(".repeat(100_000), ")".repeat(100_000)), format!("${}", "[?@".repeat(50_000))]
    {
        assert!(parse(&nested).expect_err("too deep").message.contains("levels deep"));
    }
    let list = format!("[{}]", vec!["{\"a\": [1, 2]}"; 3000].join(","));
    let root = load(FileId(0), &list).expect("JSON");
    let query = parse("$..[?count($..*) > 1]").expect("a query");
    assert_eq!(select(&query, &root), Err(TooMuch));
}

/// `cts.json` of github.com/jsonpath-standard/jsonpath-compliance-test-suite, found through `GATEWAY_JSONPATH_CTS`.
#[test]
fn the_compliance_test_suite_passes() {
    let Some(file) = std::env::var_os("GATEWAY_JSONPATH_CTS") else {
        println!("skipped: GATEWAY_JSONPATH_CTS does not name cts.json");
        return;
    };
    let text = std::fs::read_to_string(file).expect("the suite is a file");
    let suite: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let mut failed = Vec::new();
    for test in suite["tests"].as_array().expect("tests") {
        let (name, selector) = (&test["name"], test["selector"].as_str().expect("text"));
        // Classes of Unicode need tables that are larger than all else here, and are an error with a place.
        if selector.contains("\\p{") || selector.contains("\\P{") {
            continue;
        }
        let parsed = parse(selector);
        if test["invalid_selector"] == true {
            failed.extend(parsed.is_ok().then(|| format!("{name}: {selector} is accepted")));
            continue;
        }
        let Ok(query) = parsed else {
            failed.push(format!("{name}: {selector}: {parsed:?}"));
            continue;
        };
        let document = serde_json::to_string(&test["document"]).expect("JSON").replace('\u{7f}', "\\u007f");
        let root = load(FileId(0), &document).expect("JSON");
        let mut found: Vec<String> =
            select(&query, &root).expect("small").iter().map(|location| path(&root, location)).collect();
        found.sort();
        let sorted = |paths: &serde_json::Value| {
            let paths = paths.as_array().into_iter().flatten().filter_map(|path| path.as_str().map(str::to_owned));
            let mut paths: Vec<String> = paths.collect();
            paths.sort();
            paths.dedup();
            paths
        };
        let mut expected = match &test["results_paths"] {
            serde_json::Value::Array(all) => all.iter().map(sorted).collect(),
            _ => vec![sorted(&test["result_paths"])],
        };
        expected.dedup();
        if !expected.contains(&found) {
            failed.push(format!("{name}: {selector}: {found:?}, not {expected:?}"));
        }
    }
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
}
