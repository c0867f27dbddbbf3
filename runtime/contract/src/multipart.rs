//! Forms of several parts: `multipart/form-data` (RFC 7578; OpenAPI 3.2 §4.15, "Encoding").
//!
//! A part is read as JSON where its type says so and its schema wants no string, or where its schema admits nothing but an
//! object or a list. Every other part is a text. A file whose content is not UTF-8 is a string of as many characters as it
//! has bytes, so that `minLength` and `maxLength` count what they should.

mod parts;

use gateway_schema::json::{Builder, Document};
use gateway_schema::schemas::{Direction, Kinds, SchemaId, Schemas, Violation};

use crate::content::Part;
use crate::form_object::{FieldError, FormObject};
use crate::media_type::Kind;
use crate::scalar::{has_scalars, scalar};
use parts::FormPart;

/// What is wrong with a form.
///
/// # Errors
/// Why it cannot be read.
pub(crate) fn check(
    schemas: &Schemas,
    schema: SchemaId,
    described: &[Part],
    boundary: &str,
    bytes: &[u8],
    direction: Direction,
) -> Result<Vec<Violation>, &'static str> {
    let mut parts = parts::read(boundary, bytes)?;
    parts.sort_by(|left, right| left.name.cmp(&right.name));
    let mut object = FormObject::new(schemas, schema);
    for named in parts.chunk_by(|left, right| left.name == right.name) {
        let Some(name) = named.first().map(|part| part.name.as_str()) else { continue };
        let described = described.iter().find(|part| part.name == name);
        if let Some(described) = described
            && !named.iter().all(|part| is_of_type(part, described))
        {
            object.violate(name, &format!("must be of the media type {}", described.content_type));
        }
        match list(schemas, object.property(name), named) {
            Some(document) => object.value(name, document.root()),
            None => {
                object.add(name, named, &mut |builder, part, schema| value(builder, schemas, schema, part, direction))
            }
        }
    }
    Ok(object.finish(direction))
}

/// Whether a part has a type that it may have. One that says nothing is plain text (RFC 7578 §4.4).
fn is_of_type(part: &FormPart<'_>, described: &Part) -> bool {
    described.types.is_empty() || described.types.iter().any(|range| range.fits(&part.media_type).is_some())
}

/// The list that one part of JSON is.
fn list<'p>(schemas: &Schemas, schema: Option<SchemaId>, parts: &[FormPart<'p>]) -> Option<Document<'p>> {
    let is_list = schema.is_some_and(|id| schemas.kinds(id).contains(Kinds::ARRAY));
    let [part] = parts else { return None };
    let document = Document::read(part.content).ok().filter(|_| is_list && is_json(part))?;
    (document.root().kind() == gateway_schema::json::Kind::Array).then_some(document)
}

fn is_json(part: &FormPart<'_>) -> bool {
    part.media_type.kind() == Some(Kind::Json)
}

/// Adds the value of a part.
fn value(
    builder: &mut Builder,
    schemas: &Schemas,
    schema: Option<SchemaId>,
    part: &FormPart<'_>,
    direction: Direction,
) -> Result<(), FieldError> {
    let kinds = schema.map_or(Kinds::ALL, |schema| schemas.kinds(schema));
    let is_null = part.content.is_empty() && kinds.contains(Kinds::NULL);
    let is_nested = !has_scalars(kinds) && !is_null;
    let may_be_text = kinds.contains(Kinds::STRING) && kinds != Kinds::ALL;
    if is_nested || (is_json(part) && !may_be_text) {
        let document = Document::read(part.content).map_err(FieldError::Json)?;
        builder.value(document.root());
        return Ok(());
    }
    match std::str::from_utf8(part.content) {
        Ok(text) if part.media_type.is_utf8() => scalar(builder, text, schemas, schema, direction),
        _ if part.is_file || part.media_type.kind() != Some(Kind::Text) => {
            builder.string(&part.content.iter().map(|byte| char::from(*byte)).collect::<String>());
        }
        Ok(_) => return Err(FieldError::Charset),
        Err(_) => return Err(FieldError::NotUtf8),
    }
    Ok(())
}
