//! The fields of a message that are about one connection, and go no further.

use crate::http1::head::Field;
use crate::http1::names::{FieldClass, FieldTable, connection_options};

/// What the `Connection` fields of a message list (RFC 9110 §7.6.1).
#[derive(Debug, Clone, Default)]
pub struct ConnectionOptions<'a> {
    first: Option<&'a [u8]>,
    /// The values of further fields. Few messages have any.
    others: Vec<&'a [u8]>,
}

impl<'a> ConnectionOptions<'a> {
    /// Those of a message with these fields.
    pub fn of(fields: &[Field<'a>], table: &FieldTable) -> Self {
        let mut options = Self::default();
        for field in fields.iter().filter(|field| table.classify(field.name) == FieldClass::Connection) {
            match options.first {
                None => options.first = Some(field.value),
                Some(_) => options.others.push(field.value),
            }
        }
        options
    }

    /// Whether the field called `name` is about one connection.
    #[inline]
    pub fn has(&self, name: &str) -> bool {
        self.first.is_some() && self.lists(name)
    }

    fn lists(&self, name: &str) -> bool {
        let mut options = self.first.iter().chain(&self.others).flat_map(|value| connection_options(value));
        options.any(|option| option.eq_ignore_ascii_case(name.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_fields_count() {
        let table = FieldTable::for_requests([]);
        let field = |name, value: &'static str| Field { name, value: value.as_bytes() };
        let fields = [
            field("Connection", "close, X-One"),
            field("X-Two", "Connection"),
            field("connection", ",x-three ,"),
            field("CONNECTION", "x-four"),
        ];
        let options = ConnectionOptions::of(&fields, &table);
        for (name, is_listed) in [
            ("close", true),
            ("x-one", true),
            ("X-Two", false),
            ("X-Three", true),
            ("X-FOUR", true),
            ("X-On", false),
            ("", false),
        ] {
            assert_eq!(options.has(name), is_listed, "{name}");
        }
        assert!(!ConnectionOptions::of(&fields[1..2], &table).has("X-Two"));
    }
}
