//! Examples and defaults, checked against their schemas as the gateway would check a request.

use gateway_schema::json::Document;
use gateway_schema::schemas::{Direction, SchemaError, Schemas};

use crate::ast;
use crate::diagnostic::{Diagnostic, Diagnostics, GW705, GW706, GW799};
use crate::lower::checked_schemas::CheckedSchemas;
use crate::schema::{Json, Sample};

/// The named schemas that are used, ordered by name. Reports the samples that their schema refuses.
pub(super) fn check(
    document: &ast::Document,
    checked: &CheckedSchemas<'_>,
    diagnostics: &mut Diagnostics,
) -> Vec<(String, Json)> {
    let named = document.schemas.reached(checked.used.iter().copied());
    let mut named: Vec<(String, Json)> =
        named.into_iter().map(|named| (named.name.clone(), named.schema.json.clone())).collect();
    named.extend(checked.named.iter().cloned());
    named.sort_by(|(a, _), (b, _)| a.cmp(b));
    if diagnostics.has_errors() {
        return named;
    }
    let texts: Vec<(&str, String)> = named.iter().map(|(name, schema)| (name.as_str(), schema.compact())).collect();
    let prepared = Schemas::new(texts.iter().map(|(name, text)| (*name, text.as_str())));
    let mut schemas = match prepared {
        Ok(schemas) => schemas,
        Err(error) => {
            report_unread(document, &error, diagnostics);
            return named;
        }
    };
    for schema in &checked.used {
        if let Err(error) = schemas.add(&schema.json.compact()) {
            report_unread(document, &error, diagnostics);
            return named;
        }
    }
    for sample in &checked.samples {
        check_sample(sample, &mut schemas, diagnostics);
    }
    named
}

/// Samples with members for one direction only fit in that direction.
fn check_sample(sample: &Sample, schemas: &mut Schemas, diagnostics: &mut Diagnostics) {
    let Ok(schema) = schemas.add(&sample.schema) else { return };
    let text = sample.value.compact();
    let Ok(value) = Document::read(text.as_bytes()) else { return };
    if schemas.is_valid(schema, value.root(), Direction::Request)
        || schemas.is_valid(schema, value.root(), Direction::Response)
    {
        return;
    }
    let violations = schemas.check(schema, value.root(), Direction::Request);
    let Some(first) = violations.first() else { return };
    let place = if first.pointer.is_empty() { String::new() } else { format!("`{}` ", first.pointer) };
    let kind = if sample.keyword == "default" { "default" } else { "example" };
    diagnostics.push(
        Diagnostic::warning(GW706, format!("this {kind} is not as its own schema says"))
            .at(sample.at, format!("{place}{}", first.message))
            .help("who follows the document sends this, and is refused: change one of the two")
            .because_of(format!("refused {kind}"), format!("another {kind}")),
    );
}

/// Reports a schema that the gateway cannot read: one that has no meaning, or else one that the compiler has got wrong.
fn report_unread(document: &ast::Document, error: &SchemaError, diagnostics: &mut Diagnostics) {
    let named = document.schemas.named.iter().find(|named| named.name == error.name);
    let at = named.map_or(document.root.span, |named| named.schema.at);
    if error.is_about_the_whole {
        let name = if error.name.is_empty() { "a schema".to_owned() } else { format!("the schema `{}`", error.name) };
        diagnostics.push(
            Diagnostic::error(GW705, format!("{name} says nothing: {}", error.message))
                .at(
                    at,
                    "`$ref`, `allOf`, `anyOf`, `oneOf`, `not` or `if` lead back to it for the same value, or on and on",
                )
                .help("a schema may refer to itself for a part of the value, such as a member or an item"),
        );
        return;
    }
    let headline = format!("a schema was translated into one that cannot be read ({error}); this is a bug of gatewayc");
    diagnostics.push(Diagnostic::error(GW799, headline).at(at, "in this document"));
}
