//! Values and schemas that would take forever, or too much stack. What is counted is steps, not time.

use super::super::Schemas;
use super::*;
use crate::json::Document;

/// Whether a value is valid, the steps of the first pass, and what is wrong.
fn check(named: &[(String, String)], name: &str, value: &str) -> (bool, usize, Vec<Violation>) {
    let schemas = Schemas::new(named.iter().map(|(name, text)| (&**name, &**text))).expect("schemas");
    let id = schemas.find(name).expect("a schema");
    let document = Document::read(value.as_bytes()).expect("JSON");
    let mut checker = Checker::new(&schemas.arena, document.root(), Direction::Request);
    let is_valid = checker.check(id, document.root(), None, &mut Quiet).is_ok();
    let violations = schemas.check(id, document.root(), Direction::Request);
    assert_eq!(violations.is_empty(), is_valid);
    assert!(checker.steps <= checker.most_steps + 1_000_000, "{}", checker.steps);
    (is_valid, checker.steps, violations)
}

fn named(schemas: &[(&str, &str)]) -> Vec<(String, String)> {
    schemas.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn nested(depth: usize, leaf: &str) -> String {
    format!("{}{leaf}{}", "[".repeat(depth), "]".repeat(depth))
}

#[test]
fn recursive_alternatives_are_remembered() {
    let tree = named(&[(
        "Tree",
        r#"{"anyOf": [
        {"type": "array", "items": {"$ref": "Tree"}}, {"type": "array", "items": {"$ref": "Tree"}, "maxItems": 9}, {"type": "null"}]}"#,
    )]);
    for (leaf, expected) in [("null", true), ("1", false)] {
        let (is_valid, steps, violations) = check(&tree, "Tree", &nested(100, leaf));
        assert_eq!(is_valid, expected);
        assert!(steps < 5000, "{steps}");
        assert!(violations.iter().all(|violation| !violation.message.contains("too long")), "{violations:?}");
    }
    let one_of = named(&[(
        "Tree",
        r#"{"oneOf": [
        {"items": {"$ref": "Tree"}, "type": "array"}, {"items": {"$ref": "Tree"}, "type": "array", "minItems": 2}, {"type": "null"}]}"#,
    )]);
    let (is_valid, steps, _) = check(&one_of, "Tree", &nested(100, "null"));
    assert!(is_valid);
    assert!(steps < 5000, "{steps}");
}

#[test]
fn alternatives_of_alternatives_end() {
    let chain = |count: usize, last: &str, extra: &str| {
        let link = |at: usize| format!(r#"{{"anyOf": [{{"$ref": "A{0}"}}, {{"$ref": "A{0}"}}]{extra}}}"#, at + 1);
        let mut schemas: Vec<_> = (0..count).map(|at| (format!("A{at}"), link(at))).collect();
        schemas.push((format!("A{count}"), last.to_owned()));
        schemas
    };
    let (is_valid, steps, violations) = check(&chain(100, r#"{"type": "null"}"#, ""), "A0", "1");
    assert!(!is_valid);
    assert!(steps < 5000, "{steps}");
    assert_eq!(violations.first().map(|violation| &*violation.message), Some("must be null"));
    // What the alternatives have seen is not remembered: it takes too long, and ends.
    let seen = chain(100, r#"{"properties": {"a": true}}"#, r#", "unevaluatedProperties": false"#);
    let (is_valid, _, violations) = check(&seen, "A0", r#"{"a": 1}"#);
    assert!(!is_valid);
    assert_eq!(violations.first().map(|violation| &*violation.message), Some("takes too long to check"));
}

#[test]
fn not_does_not_pass_when_the_steps_end() {
    let mut schemas: Vec<_> = (0..60)
        .map(|at| {
            (
                format!("A{at}"),
                format!(
                    r#"{{"anyOf": [{{"$ref": "A{0}"}}, {{"$ref": "A{0}"}}], "unevaluatedProperties": false}}"#,
                    at + 1
                ),
            )
        })
        .collect();
    schemas.push(("A60".to_owned(), r#"{"properties": {"b": {"const": 1}}, "required": ["b"]}"#.to_owned()));
    schemas.push(("Not".to_owned(), r#"{"not": {"$ref": "A0"}}"#.to_owned()));
    let (is_valid, _, violations) = check(&schemas, "Not", r#"{"a": 1}"#);
    assert!(!is_valid);
    assert_eq!(violations.first().map(|violation| &*violation.message), Some("takes too long to check"));
}

#[test]
fn chains_of_references_need_no_stack() {
    let chain = |count: usize, last: &str, extra: &str| {
        let link = |at: usize| (format!("A{at}"), format!(r#"{{"$ref": "A{}"{extra}}}"#, at + 1));
        let mut schemas: Vec<_> = (0..count).map(link).collect();
        schemas.push((format!("A{count}"), last.to_owned()));
        schemas
    };
    let (is_valid, steps, _) = check(&chain(10_000, r#"{"type": "null"}"#, ""), "A0", "null");
    assert!(is_valid);
    assert!(steps < 10_010, "{steps}");
    assert!(check(&chain(199, r#"{"type": "null"}"#, r#", "minimum": 0"#), "A0", "null").0);
    let deeper = chain(300, "true", r#", "minimum": 0"#);
    let refused = Schemas::new(deeper.iter().map(|(name, text)| (&**name, &**text)));
    assert!(refused.is_err_and(|error| error.message.contains("more than 200")));
    // Each level of the value is as deep in the schema: refused, and not with an overflow.
    let round = chain(190, r#"{"items": {"$ref": "A0"}}"#, r#", "minimum": 0"#);
    assert!(check(&round, "A0", &nested(2, "1")).0);
    let (is_valid, _, violations) = check(&round, "A0", &nested(127, "1"));
    assert!(!is_valid);
    assert_eq!(violations.first().map(|violation| &*violation.message), Some("takes too long to check"));
    let plain = named(&[
        ("A", r#"{"type": ["array", "integer"], "items": {"$ref": "B"}}"#),
        ("B", r#"{"allOf": [{"$ref": "A"}], "anyOf": [true]}"#),
    ]);
    assert!(check(&plain, "A", &nested(127, "1")).0);
}

#[test]
fn large_arrays_are_unique_in_time() {
    let unique = named(&[("A", r#"{"uniqueItems": true, "items": {"$ref": "A"}}"#)]);
    let numbers: Vec<String> = (0..150_000).map(|number| number.to_string()).collect();
    assert!(check(&unique, "A", &format!("[{}]", numbers.join(","))).0);
    assert!(!check(&unique, "A", &format!("[{},149999.0]", numbers.join(","))).0);
    let objects: Vec<String> = (0..20_000).map(|number| format!(r#"{{"a": {number}, "b": [1, 2]}}"#)).collect();
    assert!(check(&unique, "A", &format!("[{}]", objects.join(","))).0);
    assert!(check(&unique, "A", &nested(120, &numbers.iter().take(1000).cloned().collect::<Vec<_>>().join(","))).0);
}

#[test]
fn large_objects_are_walked_once() {
    let schema = named(&[(
        "A",
        r#"{"properties": {"m1": {"type": "integer"}, "m99999": {"type": "integer"}},
        "required": ["m0", "m50000", "m99999"], "patternProperties": {"^n": false}, "dependentRequired": {"m1": ["m2", "m3"]},
        "additionalProperties": {"type": "integer"}}"#,
    )]);
    let members: Vec<String> = (0..100_000).map(|number| format!("\"m{number}\":{number}")).collect();
    let (is_valid, steps, _) = check(&schema, "A", &format!("{{{}}}", members.join(",")));
    assert!(is_valid);
    assert!(steps < 300_000, "{steps}");
}

#[test]
fn long_numbers_take_no_memory() {
    let schema = named(&[(
        "A",
        r#"{"items": {"multipleOf": 0.01, "maximum": 1e999999999999, "minimum": -1e-999999999999, "type": "integer"}}"#,
    )]);
    let digits = "9".repeat(100_000);
    assert!(check(&schema, "A", &format!("[1e999999999, {digits}, {digits}e99999999, 0e999999999999999999999]")).0);
}

#[test]
fn schemas_in_schemas_need_no_stack() {
    let deep = |count: usize| format!("{}true{}", r#"{"not":"#.repeat(count), "}".repeat(count));
    assert!(check(&[("A".to_owned(), deep(128))], "A", "1").0);
    assert!(Schemas::new([("A", &*deep(129))]).is_err());
}

#[test]
fn many_texts_take_patterns_no_longer_than_one() {
    let texts = |pattern: &str| {
        let list = format!(r#"{{"type": "array", "items": {{"type": "string", "pattern": "{pattern}"}}}}"#);
        let members = format!(r#"{{"type": "object", "patternProperties": {{"{pattern}": true}}}}"#);
        named(&[("List", &list), ("Members", &members)])
    };
    let list = format!("[{}\"\"]", "\"\",".repeat(100_000));
    let members = format!("{{{}\"\":0}}", (0..50_000).map(|number| format!("\"{number}\":0,")).collect::<String>());
    for (name, value) in [("List", list), ("Members", members)] {
        let (is_valid, _, violations) = check(&texts("^(a?){2000}"), name, &value);
        assert!(!is_valid);
        assert_eq!(violations.first().map(|violation| &*violation.message), Some("takes too long to check"));
        assert!(check(&texts("^[a-z0-9]*$"), name, &value).0);
    }
}
