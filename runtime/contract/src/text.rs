//! Bodies of text.

use gateway_schema::json::Builder;
use gateway_schema::schemas::{Direction, SchemaId, Schemas, Violation};

use crate::scalar::scalar;

/// What is wrong with a text, which is a string, or what its schema says that it stands for.
///
/// # Errors
/// Why it cannot be read.
pub(crate) fn check(
    schemas: &Schemas,
    schema: SchemaId,
    bytes: &[u8],
    direction: Direction,
) -> Result<Vec<Violation>, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "is not UTF-8")?;
    let mut builder = Builder::new();
    scalar(&mut builder, text, schemas, Some(schema), direction);
    Ok(schemas.check(schema, builder.finish().root(), direction))
}
