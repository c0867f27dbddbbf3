//! What is said of values that are not valid, and what is known of schemas.

use gateway_schema::json::Document;
use gateway_schema::schemas::{Direction, Kinds, MOST_VIOLATIONS, Schemas};

use Direction::{Request, Response};

/// All threads of a gateway share them.
const _: fn() = is_shared::<Schemas>;

fn is_shared<T: Send + Sync>() {}

/// Named schemas, as one object.
fn schemas(named: &str) -> Schemas {
    let document = Document::read(named.as_bytes()).expect("JSON");
    let texts: Vec<(String, String)> =
        document.root().members().map(|(name, schema)| (name.to_owned(), format!("{schema:?}"))).collect();
    Schemas::new(texts.iter().map(|(name, text)| (&**name, &**text))).expect("schemas")
}

fn said(schemas: &mut Schemas, schema: &str, value: &str, direction: Direction) -> Vec<String> {
    let id = schemas.add(schema).expect("a schema");
    let value = Document::read(value.as_bytes()).expect("JSON");
    let violations = schemas.check(id, value.root(), direction);
    assert_eq!(violations.is_empty(), schemas.is_valid(id, value.root(), direction), "both passes come to the same");
    violations.into_iter().map(|violation| format!("{}: {}", violation.pointer, violation.message)).collect()
}

/// A schema, a value, and what is said of it; nothing if it is valid.
fn check(cases: &[(&str, &str, &[&str])]) {
    let mut schemas = schemas("{}");
    for (schema, value, expected) in cases {
        assert_eq!(said(&mut schemas, schema, value, Request), *expected, "{schema} {value}");
    }
}

#[test]
fn scalars() {
    check(&[
        (r#"{"type": "integer"}"#, "1.0", &[]),
        (r#"{"type": "integer"}"#, "1.5", &[": must be an integer"]),
        (r#"{"type": ["string", "null"]}"#, "1", &[": must be a string or null"]),
        ("false", "1", &[": is not allowed"]),
        (r#"{"minimum": 1}"#, "0", &[": must be at least 1"]),
        (r#"{"minimum": 1}"#, "\"0\"", &[]),
        (r#"{"exclusiveMinimum": 1.50}"#, "1.5", &[": must be more than 1.50"]),
        (r#"{"maximum": 18446744073709551616}"#, "18446744073709551617", &[": must be at most 18446744073709551616"]),
        (r#"{"exclusiveMaximum": 1e999999999}"#, "1e999999998", &[]),
        (r#"{"exclusiveMaximum": 1e999999999}"#, "1e999999999", &[": must be less than 1e999999999"]),
        (r#"{"multipleOf": 0.01}"#, "19.99", &[]),
        (r#"{"multipleOf": 0.01}"#, "19.999", &[": must be a multiple of 0.01"]),
        (r#"{"minimum": 5, "multipleOf": 2}"#, "1", &[": must be at least 5", ": must be a multiple of 2"]),
        (r#"{"minLength": 2}"#, "\"é\"", &[": must have at least 2 characters"]),
        (r#"{"minLength": 1}"#, "\"\"", &[": must have at least 1 character"]),
        (r#"{"maxLength": 2}"#, "\"éé\"", &[]),
        (r#"{"maxLength": 2}"#, "\"😀😀😀\"", &[": must have at most 2 characters"]),
        (r#"{"maxLength": 2, "pattern": "^b"}"#, "\"aaa\"", &[": must have at most 2 characters"]),
        (r#"{"pattern": "^[A-Z]+$"}"#, "\"a\"", &[": must match the pattern `^[A-Z]+$`"]),
        (r#"{"format": "date-time"}"#, "\"a\"", &[": must be a date-time (RFC 3339)"]),
        (r#"{"format": "date-time"}"#, "1", &[]),
        (r#"{"format": "int32"}"#, "2147483648", &[": must be an integer of 32 bits"]),
        (r#"{"format": "int32"}"#, "\"a\"", &[]),
        (r#"{"format": "phone"}"#, "\"a\"", &[]),
        (r#"{"enum": ["a", 1, null]}"#, "\"b\"", &[": must be one of `a`, `1`, `null`"]),
        (r#"{"enum": ["a", 1, null, {"b": [1]}]}"#, "{\"b\": [1.0]}", &[]),
        (r#"{"enum": []}"#, "1", &[": must be one of the described values"]),
        (r#"{"enum": [1,2,3,4,5,6,7,8,9,10,11]}"#, "0", &[": must be one of the described values"]),
        (r#"{"const": 5}"#, "6", &[": must be `5`"]),
        (r#"{"const": 5}"#, "5.0", &[]),
        (r#"{"enum": ["a"], "format": "password"}"#, "\"b\"", &[": must be one of the described values"]),
        (r#"{"writeOnly": true, "allOf": [{"enum": ["a"]}]}"#, "\"b\"", &[": must be one of the described values"]),
        (r#"{"not": {"type": "null"}}"#, "null", &[": must not be what is excluded here"]),
    ]);
}

#[test]
fn objects_and_arrays() {
    let closed = r#"{"properties": {"a": {"type": "integer"}, "b": true}, "required": ["a", "b"], "additionalProperties": false}"#;
    check(&[
        (closed, r#"{"a": 1, "b": 2}"#, &[]),
        (
            closed,
            r#"{"a": "x", "c/~d": 2}"#,
            &["/a: must be an integer", "/c~1~0d: `c/~d` is not described", ": needs `b`"],
        ),
        (r#"{"additionalProperties": {"type": "null"}}"#, r#"{"a": 1}"#, &["/a: must be null"]),
        (
            r#"{"patternProperties": {"^x-": {"type": "null"}}, "additionalProperties": false}"#,
            r#"{"x-a": null, "x-b": 1, "c": 1}"#,
            &["/x-b: must be null", "/c: `c` is not described"],
        ),
        (
            r#"{"propertyNames": {"maxLength": 1}}"#,
            r#"{"a": 1, "bc": 2}"#,
            &["/bc: its name must have at most 1 character"],
        ),
        (r#"{"minProperties": 1}"#, "{}", &[": must have at least 1 member"]),
        (r#"{"maxProperties": 0}"#, r#"{"a": 1}"#, &[": must have at most 0 members"]),
        (r#"{"dependentRequired": {"a": ["b"]}}"#, r#"{"a": 1}"#, &[": needs `b` beside `a`"]),
        (r#"{"dependentSchemas": {"a": {"required": ["b"]}}}"#, r#"{"a": 1}"#, &[": needs `b`"]),
        (r#"{"properties": {"a": false}}"#, r#"{"a": 1}"#, &["/a: is not allowed"]),
        (
            r#"{"allOf": [{"properties": {"a": true}}], "unevaluatedProperties": false}"#,
            r#"{"a": 1, "b": 1}"#,
            &["/b: `b` is not described"],
        ),
        (r#"{"items": {"type": "null"}}"#, "[null, 1, 2]", &["/1: must be null", "/2: must be null"]),
        (
            r#"{"prefixItems": [{"type": "null"}], "items": false}"#,
            "[1, 1]",
            &["/0: must be null", "/1: is not allowed"],
        ),
        (r#"{"minItems": 2}"#, "[1]", &[": must have at least 2 items"]),
        (r#"{"maxItems": 1}"#, "[1, 2]", &[": must have at most 1 item"]),
        (r#"{"uniqueItems": true}"#, r#"[{"a": 1, "b": 2}, {"b": 2.0, "a": 1}]"#, &[": must not have equal items"]),
        (r#"{"contains": {"type": "null"}}"#, "[1]", &[": must have at least 1 item of the described kind"]),
        (
            r#"{"contains": true, "minContains": 2, "maxContains": 2}"#,
            "[1, 2, 3]",
            &[": must have at most 2 items of the described kind"],
        ),
        (r#"{"prefixItems": [true], "unevaluatedItems": false}"#, "[1, 2]", &["/1: is not described"]),
        (
            r#"{"if": {"properties": {"a": {"const": 1}}}, "then": {"required": ["b"]}}"#,
            r#"{"a": 1}"#,
            &[": needs `b`"],
        ),
    ]);
}

#[test]
fn the_alternative_that_is_meant_is_explained() {
    let tagged = r#"{"oneOf": [
        {"type": "object", "properties": {"kind": {"const": "cat"}, "lives": {"maximum": 9}}, "required": ["kind"]},
        {"type": "object", "properties": {"kind": {"enum": ["dog", "wolf"]}, "name": {"type": "string"}}, "required": ["kind"]}]}"#;
    let untagged = r#"{"anyOf": [
        {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
        {"type": "object", "properties": {"b": {"type": "string"}}, "required": ["b"]}]}"#;
    check(&[
        (r#"{"anyOf": [{"type": "string"}, {"type": "null"}]}"#, "1", &[": must be a string or null"]),
        (
            r#"{"anyOf": [{"type": "string", "maxLength": 1}, {"type": "null"}]}"#,
            "\"ab\"",
            &[": must have at most 1 character"],
        ),
        (r#"{"anyOf": [{"maxLength": 1}, {"maxLength": 2}]}"#, "\"abc\"", &[": fits none of the alternatives"]),
        (
            r#"{"oneOf": [{"maxLength": 3}, {"maxLength": 4}]}"#,
            "\"abc\"",
            &[": fits several alternatives, and must fit one"],
        ),
        (tagged, r#"{"kind": "cat", "lives": 10}"#, &["/lives: must be at most 9"]),
        (tagged, r#"{"kind": "wolf", "name": 1}"#, &["/name: must be a string"]),
        (tagged, r#"{"kind": "bird"}"#, &[": fits none of the alternatives"]),
        (tagged, "1", &[": must be an object"]),
        (untagged, r#"{"a": "x"}"#, &["/a: must be an integer"]),
        (untagged, r#"{"b": 1}"#, &["/b: must be a string"]),
        (untagged, r#"{"c": 1}"#, &[": fits none of the alternatives"]),
        (untagged, r#"{"a": "x", "b": 1}"#, &[": fits none of the alternatives"]),
    ]);
}

#[test]
fn discriminators() {
    let mut schemas = schemas(
        r#"{
        "Cat": {"required": ["lives"]},
        "Dog": {"required": ["name"]},
        "Pet": {"oneOf": [{"$ref": "Cat"}, {"$ref": "Dog"}],
            "discriminator": {"property": "kind", "mapping": {"cat": "Cat", "dog": "Dog"}}},
        "Maybe": {"anyOf": [{"$ref": "Pet"}, {"type": "null"}],
            "discriminator": {"property": "kind", "mapping": {"cat": "Cat", "dog": "Dog"}}},
        "Base": {"properties": {"id": {"type": "integer"}},
            "discriminator": {"property": "kind", "mapping": {"a": "DerivedA", "b": "DerivedB"}}},
        "DerivedA": {"allOf": [{"$ref": "Base"}, {"required": ["a"]}]},
        "DerivedB": {"allOf": [{"$ref": "Base"}, {"required": ["b"]}]}}"#,
    );
    for (name, value, expected) in [
        ("Pet", r#"{"kind": "cat", "lives": 7}"#, &[][..]),
        ("Pet", r#"{"kind": "cat", "name": "a"}"#, &[": needs `lives`"]),
        ("Pet", r#"{"lives": 7}"#, &[": needs `kind`"]),
        ("Pet", r#"{"kind": "bird"}"#, &["/kind: must be one of `cat`, `dog`"]),
        ("Pet", r#"{"kind": 1}"#, &["/kind: must be one of `cat`, `dog`"]),
        ("Maybe", "null", &[]),
        ("Maybe", "{}", &[": needs `kind`"]),
        ("Base", r#"{"kind": "a", "a": 1}"#, &[]),
        ("Base", r#"{"kind": "a", "b": 1}"#, &[": needs `a`"]),
        ("Base", r#"{"kind": "b", "b": 1, "id": "x"}"#, &["/id: must be an integer"]),
        ("Base", "1", &[": must be an object"]),
        ("DerivedA", r#"{"kind": "a", "a": 1}"#, &[]),
        ("DerivedA", r#"{"kind": "b", "a": 1}"#, &[": needs `b`"]),
    ] {
        let schema = format!(r#"{{"$ref": "{name}"}}"#);
        assert_eq!(said(&mut schemas, &schema, value, Request), expected, "{name} {value}");
    }
}

#[test]
fn directions() {
    let mut schemas = schemas(
        r#"{
        "Id": {"type": "integer", "readOnly": true},
        "Base": {"properties": {"id": {"$ref": "Id"}, "password": {"type": "string", "writeOnly": true}},
            "required": ["id", "password"]},
        "Plain": {"properties": {"id": {"type": "integer"}}, "required": ["id"]},
        "Beside": {"allOf": [{"$ref": "Plain"}, {"properties": {"id": {"readOnly": true}}}]},
        "Below": {"allOf": [{"$ref": "Base"}, {"required": ["id", "name"]}]}}"#,
    );
    for (schema, value, direction, expected) in [
        ("Base", r#"{"password": "x"}"#, Request, &[][..]),
        ("Base", r#"{"id": 1}"#, Response, &[]),
        ("Base", "{}", Request, &[": needs `password`"]),
        ("Base", "{}", Response, &[": needs `id`"]),
        ("Base", r#"{"id": 1, "password": "x"}"#, Request, &["/id: is read-only: leave it out"]),
        ("Base", r#"{"id": 1, "password": "x"}"#, Response, &["/password: is write-only: leave it out"]),
        ("Plain", "{}", Request, &[": needs `id`"]),
        ("Beside", "{}", Request, &[]),
        ("Beside", "{}", Response, &[": needs `id`"]),
        ("Beside", r#"{"id": 1}"#, Request, &["/id: is read-only: leave it out"]),
        ("Below", r#"{"password": "x"}"#, Request, &[": needs `name`"]),
        ("Below", r#"{"password": "x", "name": 1}"#, Request, &[]),
    ] {
        let schema = format!(r#"{{"$ref": "{schema}"}}"#);
        assert_eq!(said(&mut schemas, &schema, value, direction), expected, "{schema} {value}");
    }
    // Only members have a direction.
    assert!(said(&mut schemas, r#"{"readOnly": true}"#, "1", Request).is_empty());
}

#[test]
fn violations_are_few_and_pointers_are_short() {
    let mut schemas = schemas("{}");
    let many = said(&mut schemas, r#"{"items": false}"#, &format!("[{}0]", "0,".repeat(100)), Request);
    assert_eq!(many.len(), MOST_VIOLATIONS);
    let name = "a".repeat(300);
    let value = format!(r#"{{"b": {{"{name}": {{"c": 1}}}}, "d": 1}}"#);
    let schema = r#"{"$ref": "Deep"}"#;
    let deep = r#"{"Deep": {"type": "object", "additionalProperties": {"$ref": "Deep"}}}"#;
    let mut deep = self::schemas(deep);
    assert_eq!(said(&mut deep, schema, &value, Request), ["/b: must be an object", "/d: must be an object"]);
    let closed = said(&mut schemas, r#"{"additionalProperties": false}"#, &format!(r#"{{"{name}": 1}}"#), Request);
    assert_eq!(closed, [": is not described"]);
}

#[test]
fn mistakes_in_schemas_have_a_place() {
    for (schema, expected) in [
        (r#"{"minimum": "3"}"#, "schema `A`, at `/minimum`: must be a number"),
        (
            r#"{"properties": {"a/b": {"type": "text"}}}"#,
            "schema `A`, at `/properties/a~1b/type`: `text` is no type of JSON",
        ),
        (r#"{"allOf": [true, 1]}"#, "schema `A`, at `/allOf/1`: must be a schema: an object, `true` or `false`"),
        (r#"{"allOf": []}"#, "schema `A`, at `/allOf`: must not be empty"),
        (r#"{"items": {"$ref": "B"}}"#, "schema `A`, at `/items`: there is no schema `B`"),
        (r#"{"items": {"$ref": "B", "minItems": 1}}"#, "schema `A`, at `/items/$ref`: there is no schema `B`"),
        (r#"{"maxLength": -1}"#, "schema `A`, at `/maxLength`: must be 0 or a positive integer"),
        (r#"{"multipleOf": 0.0}"#, "schema `A`, at `/multipleOf`: must be more than 0"),
        (r#"{"required": "a"}"#, "schema `A`, at `/required`: must be an array of texts"),
        (r#"{"minContains": 1.5}"#, "schema `A`, at `/minContains`: must be 0 or a positive integer"),
        (r#"{"then": 1, "if": 2}"#, "schema `A`, at `/if`: must be a schema: an object, `true` or `false`"),
        (r#"{"additionalItems": true}"#, "schema `A`, at `/additionalItems`: is no keyword of schemas"),
        (
            r#"{"discriminator": {"property": "a"}}"#,
            "schema `A`, at `/discriminator`: must have `property` and `mapping`",
        ),
        (r#"{"$ref": "A"}"#, "schema `A`: it applies to itself without end"),
        (r#"{"allOf": [{"not": {"$ref": "A"}}]}"#, "schema `A`: it applies to itself without end"),
        ("{", "schema `A`: it is not JSON: it ends too early (at byte 1)"),
    ] {
        let error = Schemas::new([("A", schema)]).expect_err("it is refused");
        assert_eq!(error.to_string(), expected, "{schema}");
    }
    let mut schemas = schemas(r#"{"A": true}"#);
    assert!(schemas.add(r#"{"items": {"$ref": "B"}}"#).is_err());
    assert_eq!(
        schemas.add(r#"{"items": 1}"#).expect_err("no schema").to_string(),
        "schema without a name, at `/items`: must be a schema: an object, `true` or `false`"
    );
    assert!(said(&mut schemas, r#"{"items": {"type": "null"}, "title": "t", "x-y": 1}"#, "[null]", Request).is_empty());
    assert_eq!(schemas.add(r#"{"$ref": "A"}"#).ok(), schemas.find("A"));
    assert_eq!(schemas.add(r#"{"type": "null"}"#).ok(), schemas.add(r#"{"type": "null"}"#).ok());
}

#[test]
fn shapes() {
    let mut schemas = schemas(
        r#"{
        "Text": {"type": "string"},
        "Node": {"type": "object", "properties": {"next": {"$ref": "Node"}, "value": {"type": "integer"}}},
        "Both": {"allOf": [{"$ref": "Node"}, {"properties": {"more": {"type": "array", "items": {"type": "boolean"}}}}]},
        "Secret": {"allOf": [{"type": "string", "format": "password"}]}}"#,
    );
    for (schema, expected) in [
        ("{}", Kinds::ALL),
        ("false", Kinds::NONE),
        (r#"{"$ref": "Text"}"#, Kinds::STRING),
        (r#"{"$ref": "Text", "type": ["string", "null"]}"#, Kinds::STRING),
        (r#"{"anyOf": [{"$ref": "Text"}, {"type": "null"}]}"#, Kinds::STRING | Kinds::NULL),
        (r#"{"oneOf": [{"type": "number"}, {"type": "array"}], "type": "integer"}"#, Kinds::INTEGER),
        (r#"{"enum": ["a", 1, 1.5]}"#, Kinds::STRING | Kinds::NUMBER),
        (r#"{"enum": ["a", 1, 1.0]}"#, Kinds::STRING | Kinds::INTEGER),
        (r#"{"const": null}"#, Kinds::NULL),
        (r#"{"allOf": [{"type": "number"}, {"type": "string"}]}"#, Kinds::NONE),
        (r#"{"not": {"type": "string"}}"#, Kinds::ALL),
        (r#"{"discriminator": {"property": "a", "mapping": {}}}"#, Kinds::OBJECT),
    ] {
        let id = schemas.add(schema).expect("a schema");
        assert_eq!(schemas.kinds(id), expected, "{schema}");
    }
    let both = schemas.find("Both").expect("a schema");
    assert_eq!(schemas.names_of_properties(both), ["next", "value", "more"]);
    let kinds = |schema: Option<_>| schema.map(|schema| schemas.kinds(schema));
    assert_eq!(schemas.property(both, "next"), schemas.find("Node"));
    assert_eq!(kinds(schemas.property(both, "value")), Some(Kinds::INTEGER));
    assert_eq!(schemas.property(both, "other"), None);
    let more = schemas.property(both, "more").expect("a property");
    assert_eq!(kinds(schemas.items(more, 7)), Some(Kinds::BOOLEAN));
    assert!(schemas.is_secret(schemas.find("Secret").expect("a schema")));
    assert!(!schemas.is_secret(both));
    let open = r#"{"properties": {"a": true}, "patternProperties": {"^x": {"type": "null"}}, "additionalProperties": {"type": "integer"}}"#;
    let open = schemas.add(open).expect("a schema");
    for (name, expected) in [("a", Kinds::ALL), ("x-a", Kinds::NULL), ("b", Kinds::INTEGER)] {
        assert_eq!(schemas.property(open, name).map(|schema| schemas.kinds(schema)), Some(expected), "{name}");
    }
    let array = schemas.add(r#"{"prefixItems": [{"type": "null"}], "items": {"type": "integer"}}"#).expect("a schema");
    for (index, expected) in [(0, Kinds::NULL), (1, Kinds::INTEGER)] {
        assert_eq!(schemas.items(array, index).map(|schema| schemas.kinds(schema)), Some(expected), "{index}");
    }
}
