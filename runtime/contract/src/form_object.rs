//! The object that the fields of a form make.

use gateway_schema::json::{Builder, JsonError};
use gateway_schema::schemas::{Direction, Kinds, MOST_VIOLATIONS, SchemaId, Schemas, Violation};

use crate::encoding::DecodeError;
use crate::scalar::has_scalars;
use crate::style;

/// Why the content of a field is not a value. The message goes to the client, behind the name of the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FieldError {
    /// It is to be JSON, and is not.
    #[error("{}", style::unreadable(.0))]
    Json(JsonError),
    /// It cannot be decoded.
    #[error(transparent)]
    Encoding(#[from] DecodeError),
    /// It is text in an encoding that is not read.
    #[error("has a charset other than UTF-8")]
    Charset,
    /// It is text, and not UTF-8.
    #[error("is not UTF-8")]
    NotUtf8,
}

/// What adds the value of one field, with the schema that it must fit, and says what is wrong with its text.
pub(crate) type Add<'a, T> = dyn FnMut(&mut Builder, &T, Option<SchemaId>) -> Result<(), FieldError> + 'a;

/// An object of fields that is being built.
pub(crate) struct FormObject<'s> {
    schemas: &'s Schemas,
    schema: SchemaId,
    builder: Builder,
    violations: Vec<Violation>,
}

impl<'s> FormObject<'s> {
    pub(crate) fn new(schemas: &'s Schemas, schema: SchemaId) -> Self {
        let mut builder = Builder::new();
        builder.object();
        Self { schemas, schema, builder, violations: Vec::new() }
    }

    /// The schema of a field.
    pub(crate) fn property(&self, name: &str) -> Option<SchemaId> {
        self.schemas.property(self.schema, name)
    }

    /// Adds the fields of one name: a list where the schema admits one, and otherwise one value.
    pub(crate) fn add<T>(&mut self, name: &str, fields: &[T], add: &mut Add<'_, T>) {
        let property = self.property(name);
        let kinds = property.map_or(Kinds::ALL, |property| self.schemas.kinds(property));
        let (Some(first), is_repeated) = (fields.first(), fields.len() > 1) else { return };
        self.builder.name(name);
        if kinds.contains(Kinds::ARRAY) && (is_repeated || !has_scalars(kinds)) {
            self.builder.array();
            for (index, field) in fields.iter().enumerate() {
                let item = property.and_then(|property| self.schemas.items(property, index));
                if let Err(error) = add(&mut self.builder, field, item) {
                    self.builder.null();
                    self.violate(name, &error.to_string());
                }
            }
            self.builder.end();
            return;
        }
        if is_repeated {
            self.violate(name, "is there more than once");
        }
        if let Err(error) = add(&mut self.builder, first, property) {
            self.builder.null();
            self.violate(name, &error.to_string());
        }
    }

    /// Adds a value that is built already.
    pub(crate) fn value(&mut self, name: &str, value: gateway_schema::json::Value<'_>) {
        self.builder.name(name);
        self.builder.value(value);
    }

    /// Says what is wrong with a field.
    pub(crate) fn violate(&mut self, name: &str, message: &str) {
        if self.violations.len() < MOST_VIOLATIONS {
            let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            self.violations.push(Violation { pointer, message: message.to_owned(), keyword: "" });
        }
    }

    /// All that is wrong. Where a field has been found wrong, its schema says nothing more about it.
    pub(crate) fn finish(self, direction: Direction) -> Vec<Violation> {
        let mut violations = self.violations;
        let document = self.builder.finish();
        for violation in self.schemas.check(self.schema, document.root(), direction) {
            let is_known = violations.iter().any(|known| violation.pointer.starts_with(&known.pointer));
            if !is_known && violations.len() < MOST_VIOLATIONS {
                violations.push(violation);
            }
        }
        violations
    }
}
