//! Typed values out of the tree, with serde; errors name the place.

use std::fmt::{self, Display};
use std::marker::PhantomData;

use serde::de::value::{StrDeserializer, U32Deserializer};
use serde::de::{
    Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, Expected, IntoDeserializer,
    MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};

use crate::{Entry, FileId, Node, Span, Value, suggest};

/// Deserializes a value.
///
/// # Errors
/// The first thing that does not fit, with its place.
pub fn from_node<T: DeserializeOwned>(node: &Node) -> Result<T, DeError> {
    T::deserialize(node).map_err(|error| error.or_at(node.span))
}

/// A value that does not fit its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeError {
    /// Where.
    pub span: Span,
    /// What does not fit, in the author's words.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    located: bool,
}

impl DeError {
    fn or_at(mut self, span: Span) -> Self {
        if !self.located {
            self.span = span;
            self.located = true;
        }
        self
    }
}

impl Display for DeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DeError {}

impl serde::de::Error for DeError {
    fn custom<T: Display>(message: T) -> Self {
        Self { span: Span::default(), message: message.to_string(), help: None, located: false }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let unquoted = match found {
            Unexpected::Str(text) if !matches!(crate::plain(text), Value::String(_) | Value::Null) => Some(text),
            _ => None,
        };
        let help = unquoted.map(|text| format!("remove the quotes: in quotes, `{text}` is text"));
        let found = match found {
            Unexpected::Map => "a mapping".into(),
            Unexpected::Seq => "a list".into(),
            Unexpected::Unit | Unexpected::Option => "nothing".into(),
            Unexpected::Str(text) => format!("the text `{text}`"),
            Unexpected::Bool(value) => format!("`{value}`"),
            Unexpected::Unsigned(number) => format!("the number {number}"),
            Unexpected::Signed(number) => format!("the number {number}"),
            Unexpected::Float(number) => format!("the number {number}"),
            other => other.to_string(),
        };
        Self { help, ..Self::custom(format_args!("expected {expected}, found {found}")) }
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format_args!("`{field}` is missing"))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self { help: help(field, expected), ..Self::custom(format_args!("unknown key `{field}`")) }
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self { help: help(variant, expected), ..Self::custom(format_args!("`{variant}` is not one of the choices")) }
    }
}

fn help(word: &str, expected: &'static [&'static str]) -> Option<String> {
    match suggest(word, expected.iter().copied()) {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if expected.is_empty() => None,
        None => Some(format!("it can be `{}`", expected.join("`, `"))),
    }
}

/// A value together with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    /// Where the value is.
    pub span: Span,
    /// The value.
    pub value: T,
}

impl<T> Spanned<T> {
    /// A value at a place.
    pub const fn new(span: Span, value: T) -> Self {
        Self { span, value }
    }
}

impl<T> std::ops::Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// How [`Spanned`] asks this deserializer, and no other, for the place.
const SPANNED: &str = "$gateway_yaml::Spanned";
const SPANNED_FIELDS: &[&str] = &["file", "start", "end", "value"];

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SpannedVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for SpannedVisitor<T> {
            type Value = Spanned<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value with its place")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
                let mut number = || parts.next_element::<u32>()?.ok_or_else(|| A::Error::missing_field("span"));
                let span = Span::new(FileId(number()?), number()?, number()?);
                let value = parts.next_element()?.ok_or_else(|| A::Error::missing_field("value"))?;
                Ok(Spanned { span, value })
            }
        }

        deserializer.deserialize_struct(SPANNED, SPANNED_FIELDS, SpannedVisitor(PhantomData))
    }
}

/// Yields file, start, end and then the value itself.
struct SpannedParts<'de> {
    node: &'de Node,
    next: usize,
}

impl<'de> SeqAccess<'de> for SpannedParts<'de> {
    type Error = DeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, DeError> {
        let Span { file, start, end } = self.node.span;
        let part = self.next;
        self.next += 1;
        match part {
            0..=2 => seed.deserialize(U32Deserializer::new([file.0, start, end][part])).map(Some),
            3 => seed.deserialize(self.node).map(Some),
            _ => Ok(None),
        }
    }
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = DeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        let result = match &self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_i128()) {
                (Some(value), ..) => visitor.visit_u64(value),
                (_, Some(value), _) => visitor.visit_i64(value),
                // Nothing we deserialize into knows 128 bits; a float is what JSON readers make of it.
                _ => visitor.visit_f64(number.as_f64()),
            },
            Value::Sequence(items) => visitor.visit_seq(Items { items: items.iter() }),
            Value::Mapping(mapping) => visitor.visit_map(Entries { entries: mapping.iter(), value: None }),
        };
        result.map_err(|error| error.or_at(self.span))
    }

    /// Text is also what a number is written as: `version: 1.0` means the text `1.0`.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        match &self.value {
            Value::Number(number) => {
                visitor.visit_borrowed_str(number.text()).map_err(|error: DeError| error.or_at(self.span))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_newtype_struct(self).map_err(|error| error.or_at(self.span))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        if name == SPANNED {
            return visitor.visit_seq(SpannedParts { node: self, next: 0 }).map_err(|error| error.or_at(self.span));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        let result = match &self.value {
            Value::String(_) | Value::Number(_) => visitor.visit_enum(Variant { name: self, content: None }),
            Value::Mapping(mapping) if let [Entry { key, value }] = mapping.entries() => {
                let name = StrDeserializer::new(&key.name);
                visitor
                    .visit_enum(Variant { name, content: Some(value) })
                    .map_err(|error: DeError| error.or_at(key.span))
            }
            _ => Err(DeError::custom(format_args!("expected one of the choices, found {}", self.kind_name()))),
        };
        result.map_err(|error| error.or_at(self.span))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier
    }
}

impl<'de> IntoDeserializer<'de, DeError> for &'de Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

struct Items<'de> {
    items: std::slice::Iter<'de, Node>,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = DeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, DeError> {
        let Some(item) = self.items.next() else { return Ok(None) };
        seed.deserialize(item).map(Some).map_err(|error| error.or_at(item.span))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Entries<'de> {
    entries: std::slice::Iter<'de, Entry>,
    value: Option<&'de Node>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = DeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DeError> {
        let Some(Entry { key, value }) = self.entries.next() else { return Ok(None) };
        self.value = Some(value);
        // The place of an unknown key is the key, not the mapping.
        seed.deserialize(StrDeserializer::new(&key.name)).map(Some).map_err(|error: DeError| error.or_at(key.span))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, DeError> {
        let Some(value) = self.value.take() else {
            return Err(DeError::custom("a value was asked for before its key"));
        };
        seed.deserialize(value).map_err(|error| error.or_at(value.span))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}

struct Variant<'de, N> {
    name: N,
    content: Option<&'de Node>,
}

impl<'de, N: Deserializer<'de, Error = DeError>> EnumAccess<'de> for Variant<'de, N> {
    type Error = DeError;
    type Variant = VariantContent<'de>;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, VariantContent<'de>), DeError> {
        Ok((seed.deserialize(self.name)?, VariantContent(self.content)))
    }
}

struct VariantContent<'de>(Option<&'de Node>);

impl<'de> VariantContent<'de> {
    fn content(self) -> Result<&'de Node, DeError> {
        self.0.ok_or_else(|| DeError::custom("this choice needs a value: write it as `choice: value`"))
    }
}

impl<'de> VariantAccess<'de> for VariantContent<'de> {
    type Error = DeError;

    fn unit_variant(self) -> Result<(), DeError> {
        match self.0 {
            Some(node) if !node.is_null() => Err(DeError::custom("this choice takes no value").or_at(node.span)),
            _ => Ok(()),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, DeError> {
        let node = self.content()?;
        seed.deserialize(node).map_err(|error| error.or_at(node.span))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, DeError> {
        self.content()?.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, DeError> {
        self.content()?.deserialize_any(visitor)
    }
}
