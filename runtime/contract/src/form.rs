//! Forms: `application/x-www-form-urlencoded` (URL Standard §5; OpenAPI 3.2 §4.15, "Encoding").

use std::borrow::Cow;

use gateway_schema::json::{Builder, Document};
use gateway_schema::schemas::{Direction, Kinds, SchemaId, Schemas, Violation};

use crate::content::Part;
use crate::encoding::Encoding;
use crate::form_object::{FieldError, FormObject};
use crate::media_type::Kind;
use crate::scalar::nested;
use crate::style::{self, Format, Shape};
use crate::tables::{Explode, Style, Written};

/// What is wrong with a form.
pub(crate) enum Problem {
    /// It cannot be decoded.
    Unreadable(Cow<'static, str>),
    /// Its schema refuses it.
    Violations(Vec<Violation>),
}

/// A field: the property that it belongs to, the member of that, or what stands in brackets behind its name, and the value as it
/// was sent.
struct Field<'f> {
    property: Cow<'f, str>,
    member: Option<Cow<'f, str>>,
    value: &'f str,
}

/// Compares a form with the schema of the object that it stands for.
pub(crate) fn check(
    schemas: &Schemas,
    schema: SchemaId,
    parts: &[Part],
    form: &str,
    direction: Direction,
) -> Result<(), Problem> {
    let mut fields = Vec::new();
    for pair in form.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = Encoding::Form.decode(name).map_err(|error| Problem::Unreadable(error.into()))?;
        Encoding::Form.decode(value).map_err(|error| Problem::Unreadable(error.into()))?;
        fields.push(field(parts, name, value));
    }
    fields.sort_by(|left, right| left.property.cmp(&right.property));
    let mut object = FormObject::new(schemas, schema);
    for own in fields.chunk_by(|left, right| left.property == right.property) {
        let Some(name) = own.first().map(|field| field.property.as_ref()) else { continue };
        let part = parts.iter().find(|part| part.name == name);
        add(&mut object, schemas, part, name, own, direction);
    }
    let violations = object.finish(direction);
    if violations.is_empty() { Ok(()) } else { Err(Problem::Violations(violations)) }
}

/// Finds out which property a field belongs to.
fn field<'f>(parts: &[Part], name: Cow<'f, str>, value: &'f str) -> Field<'f> {
    let part_of = |own: &str| parts.iter().find(|part| part.name == own);
    if let Some((own, brackets)) = name.find('[').and_then(|at| name.split_at_checked(at))
        && part_of(own).is_some_and(|part| matches!(part.written, Some(Written::As(Style::DeepObject, _))))
    {
        let member = Some(Cow::Owned(brackets.to_owned()));
        return Field { property: Cow::Owned(own.to_owned()), member, value };
    }
    let spread = parts.iter().find(|part| part.members.iter().any(|member| **member == *name));
    match spread {
        Some(part) => Field { property: Cow::Owned(part.name.to_owned()), member: Some(name), value },
        None => Field { property: name, member: None, value },
    }
}

/// Adds the fields of a property.
fn add(
    object: &mut FormObject<'_>,
    schemas: &Schemas,
    part: Option<&Part>,
    name: &str,
    fields: &[Field<'_>],
    direction: Direction,
) {
    let property = object.property(name);
    let members: Vec<_> = fields.iter().filter_map(|field| Some((field.member.clone()?, field.value))).collect();
    let written = part.and_then(|part| part.written);
    let shapes = match (written, fields) {
        (Some(Written::As(..)), _) if !members.is_empty() && members.len() < fields.len() => {
            Err("is there with members and without".into())
        }
        (Some(Written::As(Style::DeepObject, _)), _) if !members.is_empty() => Ok(vec![Shape::Brackets(members)]),
        (Some(Written::As(..)), _) if !members.is_empty() => Ok(vec![Shape::Members(members)]),
        (Some(Written::As(style, explode)), [field]) if explode == Explode::No || style != Style::Form => {
            let format = Format { name, style, explode: Explode::No, encoding: Encoding::Form };
            style::shapes(format, property.map_or(Kinds::ALL, |id| schemas.kinds(id)), field.value)
        }
        (Some(Written::As(_, Explode::No)), _) => Err("is there more than once".into()),
        _ => {
            let is_json = part.is_some_and(|part| part.types.iter().any(|range| range.kind() == Some(Kind::Json)))
                || matches!(written, Some(Written::Content(_)));
            if is_json && let Some(document) = list(schemas, property, fields) {
                return object.value(name, document.root());
            }
            return object.add(name, fields, &mut |builder, field, schema| {
                let text = Encoding::Form.decode(field.value)?;
                value(builder, schemas, schema, &text, is_json, direction)
            });
        }
    };
    let Some(property) = property else {
        return object.add(name, fields, &mut |builder, field, _| {
            builder.string(&Encoding::Form.decode(field.value)?);
            Ok(())
        });
    };
    match shapes.and_then(|shapes| fitting(schemas, property, shapes, direction)) {
        Ok(document) => object.value(name, document.root()),
        Err(message) => {
            object.value(name, Builder::new().finish().root());
            object.violate(name, &message);
        }
    }
}

/// The list that one field of JSON is.
fn list(schemas: &Schemas, property: Option<SchemaId>, fields: &[Field<'_>]) -> Option<Document<'static>> {
    let [field] = fields else { return None };
    property.filter(|property| schemas.kinds(*property).contains(Kinds::ARRAY))?;
    let text = Encoding::Form.decode(field.value).ok()?;
    let document = Document::read(text.as_bytes()).ok()?;
    let mut builder = Builder::new();
    builder.value(document.root());
    (document.root().kind() == gateway_schema::json::Kind::Array).then(|| builder.finish())
}

/// The value of the first structure that is as described, or else of the first one.
fn fitting(
    schemas: &Schemas,
    schema: SchemaId,
    shapes: Vec<Shape<'_>>,
    direction: Direction,
) -> Result<Document<'static>, Cow<'static, str>> {
    let mut first = None;
    for shape in shapes {
        let value = style::value(schemas, schema, shape, Encoding::Form, direction);
        if value.as_ref().is_ok_and(|document| schemas.is_valid(schema, document.root(), direction)) {
            return value;
        }
        first.get_or_insert(value);
    }
    first.unwrap_or_else(|| Err("cannot be read".into()))
}

/// Adds the value of a field.
fn value(
    builder: &mut Builder,
    schemas: &Schemas,
    schema: Option<SchemaId>,
    text: &str,
    is_json: bool,
    direction: Direction,
) -> Result<(), FieldError> {
    let added = if is_json {
        Document::read(text.as_bytes()).map(|document| builder.value(document.root()))
    } else {
        nested(builder, text, schemas, schema, direction)
    };
    added.map_err(FieldError::Json)
}
