//! Values in other values.

use std::borrow::Cow;

use gateway_schema::json::{Builder, JsonError};
use gateway_schema::schemas::{Direction, SchemaId, Schemas};

use crate::scalar::nested;

/// A value in another one.
pub(super) fn part(
    builder: &mut Builder,
    text: &str,
    schemas: &Schemas,
    schema: Option<SchemaId>,
    direction: Direction,
) -> Result<(), Cow<'static, str>> {
    nested(builder, text, schemas, schema, direction).map_err(|error| unreadable(&error))
}

/// Why a text is not JSON.
pub(crate) fn unreadable(error: &JsonError) -> Cow<'static, str> {
    Cow::Owned(format!("{} (at byte {})", error.fault, error.at))
}
