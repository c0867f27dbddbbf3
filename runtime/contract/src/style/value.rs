//! Structures into values, and what is wrong with them.

use std::borrow::Cow;

use gateway_schema::json::{Builder, Document};
use gateway_schema::schemas::{Direction, Kinds, SchemaId, Schemas, Violation};

use super::brackets;
use super::part::part;
use super::shape::Shape;
use crate::encoding::Encoding;
use crate::scalar::{has_scalars, scalar};

/// What is wrong with the text of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// It has not the structure that it must have.
    Text(Cow<'static, str>),
    /// Its schema refuses the value.
    Violations(Vec<Violation>),
}

/// Checks a text that may have one of these structures: it is as described if it is in any of them.
///
/// # Errors
/// What is wrong with the first one.
pub(crate) fn check(
    schemas: &Schemas,
    schema: SchemaId,
    shapes: Vec<Shape<'_>>,
    encoding: Encoding,
    direction: Direction,
) -> Result<(), Problem> {
    let mut first = None;
    for shape in shapes {
        let problem = match value(schemas, schema, shape, encoding, direction) {
            Ok(document) => {
                let violations = schemas.check(schema, document.root(), direction);
                if violations.is_empty() {
                    return Ok(());
                }
                Problem::Violations(violations)
            }
            Err(message) => Problem::Text(message),
        };
        first.get_or_insert(problem);
    }
    first.map_or(Ok(()), Err)
}

/// The value that a structure stands for, guided by its schema.
///
/// # Errors
/// What keeps it from being one.
pub(crate) fn value(
    schemas: &Schemas,
    schema: SchemaId,
    shape: Shape<'_>,
    encoding: Encoding,
    direction: Direction,
) -> Result<Document<'static>, Cow<'static, str>> {
    let mut builder = Builder::new();
    match shape {
        Shape::Scalar(text) => scalar(&mut builder, &encoding.decode(text)?, schemas, Some(schema), direction),
        Shape::Items(items) => {
            builder.array();
            for (index, text) in items.into_iter().enumerate() {
                let item = schemas.items(schema, index);
                part(&mut builder, &encoding.decode(text)?, schemas, item, direction)?;
            }
            builder.end();
        }
        Shape::Brackets(pairs) => brackets::add(&mut builder, schemas, schema, &pairs, encoding, direction)?,
        Shape::Members(mut members) => {
            members.sort_by(|(left, _), (right, _)| left.cmp(right));
            builder.object();
            for named in members.chunk_by(|(left, _), (right, _)| left == right) {
                let Some((name, _)) = named.first() else { continue };
                let member = schemas.property(schema, name);
                let is_list = member.is_some_and(|member| schemas.kinds(member).contains(Kinds::ARRAY));
                let mut texts = Vec::with_capacity(named.len());
                for (_, text) in named {
                    texts.push(encoding.decode(text)?);
                }
                builder.name(name);
                match (texts.as_slice(), member) {
                    ([text], member) if !(is_list && member.is_some_and(|id| !has_scalars(schemas.kinds(id)))) => {
                        part(&mut builder, text, schemas, member, direction)?;
                    }
                    (texts, Some(member)) if is_list => {
                        builder.array();
                        for (index, text) in texts.iter().enumerate() {
                            part(&mut builder, text, schemas, schemas.items(member, index), direction)?;
                        }
                        builder.end();
                    }
                    _ => return Err("has a member more than once".into()),
                }
            }
            builder.end();
        }
    }
    Ok(builder.finish())
}
