//! Bodies that cannot be checked: those that pass, and schemas that have no meaning, are named.

use std::collections::HashMap;

use gatewayc::diagnostic::{Format, render};
use gatewayc::source::SourceSet;

fn messages(media_type: &str, schema: &str) -> String {
    messages_of(media_type, schema, "{type: object, required: [a]}")
}

fn messages_of(media_type: &str, schema: &str, thing: &str) -> String {
    let document = format!(
        r##"openapi: 3.1.0
info: {{title: t, version: "1"}}
x-gateway: {{version: 1, upstream: {{url: "http://127.0.0.1:8080"}}}}
security: []
components:
  schemas:
    Thing: {thing}
    Alias: {{$ref: "#/components/schemas/Thing"}}
paths:
  /a: {{post: {{requestBody: {{content: {{"{media_type}": {{schema: {schema}}}}}}}, responses: {{"200": {{description: a}}}}}}}}
"##
    );
    let mut sources = SourceSet::new(HashMap::from([("a.yaml".to_owned(), document)]), "");
    sources.add_document("a.yaml");
    let checked = gatewayc::check(&mut sources);
    render(&checked.diagnostics, &sources, Format::Human)
}

#[test]
fn content_that_passes_without_a_check_is_named() {
    let alias = r##"{$ref: "#/components/schemas/Alias"}"##;
    for (media_type, schema, words) in [
        ("application/xml", alias, "a body that is `application/xml` is not checked"),
        ("*/*", alias, "not all content that is `*/*` is checked"),
        ("application/*", "{maxLength: 3}", "not all content that is `application/*` is checked"),
        ("text/xml", alias, "not all content that is `text/xml` is checked"),
        ("text/csv", "{type: [array]}", "not all content that is `text/csv` is checked"),
    ] {
        let found = messages(media_type, schema);
        assert!(found.contains(words) && found.matches("GW702").count() == 1, "{media_type} {schema}\n{found}");
    }
    for (media_type, schema) in [
        ("application/json", alias),
        ("application/xml", "{type: string}"),
        ("*/*", "{}"),
        ("text/json", alias),
        ("text/plain", "{type: [object, string]}"),
        ("text/plain", "{type: integer}"),
        ("text/*", "{maxLength: 3}"),
    ] {
        assert_eq!(messages(media_type, schema), "", "{media_type} {schema}");
    }
}

#[test]
fn a_schema_that_applies_to_itself_is_an_error_at_its_place() {
    let deep = format!("{}true{}", "{not: ".repeat(210), "}".repeat(210));
    for schema in [r##"{$ref: "#/components/schemas/Thing"}"##, r##"{anyOf: [{$ref: "#/components/schemas/Thing"}]}"##]
    {
        let found = messages_of("application/json", schema, schema);
        assert!(found.contains("error[GW705]") && found.contains("says nothing"), "{found}");
    }
    let found = messages("application/json", &deep);
    assert!(found.contains("GW705") || found.contains("GW1"), "{found}");
    assert!(!found.contains("GW799"), "{found}");
}

/// Where a request without the key passes, it must not be repeated.
#[test]
fn only_a_key_that_is_enforced_lets_requests_be_repeated() {
    for (mode, is_repeated) in [("enforce", true), ("observe", false), ("off", false)] {
        let document = format!(
            r#"openapi: 3.1.0
info: {{title: t, version: "1"}}
x-gateway: {{version: 1, upstream: {{url: "http://127.0.0.1:8080", retry: {{}}}}, validation: {{request: {mode}}}}}
security: []
paths:
  /a:
    post:
      parameters: [{{name: Idempotency-Key, in: header, required: true, schema: {{type: string}}}}]
      responses: {{"200": {{description: a}}}}
"#
        );
        let mut sources = SourceSet::new(HashMap::from([("a.yaml".to_owned(), document)]), "");
        sources.add_document("a.yaml");
        let checked = gatewayc::check(&mut sources);
        let gateway = checked.gateway;
        let operation = &gateway.apis[0].routes[0].operations[0];
        assert_eq!(operation.repeatable, is_repeated, "{mode}");
    }
}
