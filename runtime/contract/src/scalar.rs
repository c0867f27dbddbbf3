//! The value that a text without structure stands for.

use std::borrow::Cow;

use gateway_schema::json::{Builder, Document, JsonError, is_number};
use gateway_schema::schemas::{Direction, Kinds, SchemaId, Schemas};

/// Adds the value of a text: the first reading that is as described, or else the first one that its schema's kinds admit.
pub(crate) fn scalar(
    builder: &mut Builder,
    text: &str,
    schemas: &Schemas,
    schema: Option<SchemaId>,
    direction: Direction,
) {
    let Some(schema) = schema else { return builder.string(text) };
    let kinds = schemas.kinds(schema);
    let mut readings = readings(text, kinds);
    let first = readings.next().unwrap_or(Reading::String);
    let Some(second) = readings.next() else { return first.add(builder, text) };
    let is_valid = |reading: &Reading<'_>| schemas.is_valid(schema, reading.document(text).root(), direction);
    let chosen = if is_valid(&first) { None } else { std::iter::once(second).chain(readings).find(is_valid) };
    chosen.unwrap_or(first).add(builder, text);
}

/// Whether a text without structure is what is meant. A list or an object that may be `null` is a list or an object.
pub(crate) fn has_scalars(kinds: Kinds) -> bool {
    kinds.overlaps(Kinds::BOOLEAN | Kinds::NUMBER | Kinds::STRING) || !kinds.overlaps(Kinds::ARRAY | Kinds::OBJECT)
}

/// Adds the value of a text within another value. What cannot be a string, and is a list or an object, is JSON: no style says
/// how to write it there.
///
/// # Errors
/// Why it is no JSON.
pub(crate) fn nested(
    builder: &mut Builder,
    text: &str,
    schemas: &Schemas,
    schema: Option<SchemaId>,
    direction: Direction,
) -> Result<(), JsonError> {
    let kinds = schema.map_or(Kinds::STRING, |schema| schemas.kinds(schema));
    let may_be_json = kinds.overlaps(Kinds::ARRAY | Kinds::OBJECT) && !kinds.contains(Kinds::STRING);
    let is_json = may_be_json && (!has_scalars(kinds) || text.starts_with(['[', '{']));
    let is_null = text.is_empty() && kinds.contains(Kinds::NULL);
    if is_json && !is_null {
        builder.value(Document::read(text.as_bytes())?.root());
    } else {
        scalar(builder, text, schemas, schema, direction);
    }
    Ok(())
}

/// A value that a text may stand for.
enum Reading<'t> {
    Number(Cow<'t, str>),
    Boolean(bool),
    Null,
    String,
}

impl Reading<'_> {
    fn add(&self, builder: &mut Builder, text: &str) {
        match self {
            Self::Number(digits) => builder.number(digits),
            Self::Boolean(value) => builder.boolean(*value),
            Self::Null => builder.null(),
            Self::String => builder.string(text),
        }
    }

    fn document(&self, text: &str) -> Document<'static> {
        let mut builder = Builder::new();
        self.add(&mut builder, text);
        builder.finish()
    }
}

/// What a text may stand for. Where no reading fits, it is a string, which the schema then refuses.
fn readings(text: &str, kinds: Kinds) -> impl Iterator<Item = Reading<'_>> {
    let number = if kinds.contains(Kinds::NUMBER) {
        is_number(text).then_some(Cow::Borrowed(text))
    } else if kinds.contains(Kinds::INTEGER) {
        integer(text)
    } else {
        None
    };
    let boolean = kinds.contains(Kinds::BOOLEAN).then(|| text.parse().ok()).flatten();
    // OpenAPI does not say how `null` is written: servers take the word, or nothing.
    let null = kinds.contains(Kinds::NULL) && matches!(text, "" | "null");
    let has_other = number.is_some() || boolean.is_some() || null;
    let string = kinds.contains(Kinds::STRING) || !has_other;
    let other = number.map(Reading::Number).into_iter().chain(boolean.map(Reading::Boolean));
    other.chain(null.then_some(Reading::Null)).chain(string.then_some(Reading::String))
}

/// The digits of an integer, without zeros before them.
fn integer(text: &str) -> Option<Cow<'_, str>> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    if is_number(text) {
        return Some(Cow::Borrowed(text));
    }
    let significant = digits.trim_start_matches('0');
    let significant = if significant.is_empty() { "0" } else { significant };
    Some(Cow::Owned(if text.starts_with('-') { format!("-{significant}") } else { significant.to_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stand_for_values() {
        for (schema, text, expected) in [
            (r#"{"type": "integer"}"#, "12", "12"),
            (r#"{"type": "integer"}"#, "-007", "-7"),
            (r#"{"type": "integer"}"#, "000", "0"),
            (r#"{"type": "integer"}"#, "1.0", "\"1.0\""),
            (r#"{"type": "integer"}"#, "+1", "\"+1\""),
            (r#"{"type": "integer"}"#, "", "\"\""),
            (r#"{"type": "integer"}"#, "-", "\"-\""),
            (r#"{"type": "number"}"#, "1e3", "1e3"),
            (r#"{"type": "number"}"#, "01", "\"01\""),
            (r#"{"type": "number"}"#, "NaN", "\"NaN\""),
            (r#"{"type": "boolean"}"#, "true", "true"),
            (r#"{"type": "boolean"}"#, "TRUE", "\"TRUE\""),
            (r#"{"type": ["integer", "null"]}"#, "null", "null"),
            (r#"{"type": ["integer", "null"]}"#, "", "null"),
            (r#"{"type": "string"}"#, "12", "\"12\""),
            (r#"{"type": "string"}"#, "null", "\"null\""),
            (r#"{"enum": ["1", "2"]}"#, "1", "\"1\""),
            (r#"{"type": ["string", "integer"]}"#, "5", "5"),
            (r#"{"type": ["string", "integer"]}"#, "five", "\"five\""),
            ("{}", "true", "true"),
            ("false", "x", "\"x\""),
        ] {
            let mut schemas = Schemas::new([]).expect("no schemas");
            let id = schemas.add(schema).expect(schema);
            let mut builder = Builder::new();
            scalar(&mut builder, text, &schemas, Some(id), Direction::Request);
            assert_eq!(format!("{:?}", builder.finish().root()), expected, "{schema} {text}");
        }
    }
}
