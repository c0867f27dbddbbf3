//! A text that was read, and its values.

use std::fmt;

use super::fault::{JsonError, JsonFault};
use super::reader::Reader;
use super::scan;
use super::tape::{DIGITS_ONLY, Kind, Name, Slot};
use crate::number::Decimal;

/// A JSON text, read.
#[derive(Debug, Clone, Default)]
pub struct Document<'b> {
    source: &'b str,
    /// Texts that had escapes, and texts of values that were built.
    decoded: String,
    slots: Vec<Slot>,
}

impl<'b> Document<'b> {
    /// Reads a text.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn read(bytes: &'b [u8]) -> Result<Self, JsonError> {
        if bytes.len() >= u32::MAX as usize {
            return Err(JsonError { at: 0, fault: JsonFault::TooLong });
        }
        let source = std::str::from_utf8(bytes)
            .map_err(|error| JsonError { at: error.valid_up_to(), fault: JsonFault::NotUtf8 })?;
        let mut reader = Reader::new(source);
        reader.read().map_err(|(at, fault)| JsonError { at, fault })?;
        Ok(Self { source, decoded: reader.decoded, slots: reader.slots })
    }

    /// What was built.
    pub(super) fn built(decoded: String, slots: Vec<Slot>) -> Self {
        Self { source: "", decoded, slots }
    }

    /// The value.
    #[must_use]
    pub fn root(&self) -> Value<'_> {
        Value { document: self, at: 0 }
    }

    /// How many values there are, names of members among them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is no value; only one that was built of nothing has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}

/// A value in a [`Document`].
#[derive(Clone, Copy)]
pub struct Value<'d> {
    document: &'d Document<'d>,
    at: u32,
}

impl<'d> Value<'d> {
    fn slot(self) -> Slot {
        self.document.slots.get(self.at as usize).copied().unwrap_or(Slot::NULL)
    }

    /// What it is.
    #[must_use]
    pub fn kind(self) -> Kind {
        self.slot().kind
    }

    /// The place in its document, which no other value has.
    #[must_use]
    pub fn place(self) -> usize {
        self.at as usize
    }

    /// The text of a string, or the digits of a number; `""` for other values.
    #[must_use]
    pub fn text(self) -> &'d str {
        let slot = self.slot();
        let from = if slot.is_decoded { self.document.decoded.as_str() } else { self.document.source };
        from.get(slot.range()).unwrap_or_default()
    }

    /// Whether it is a number without a fraction, as 1, 1.0 and 1e2 are.
    #[must_use]
    pub fn is_integer(self) -> bool {
        let slot = self.slot();
        slot.kind == Kind::Number && (slot.mark == DIGITS_ONLY || Decimal::of(self.text()).is_integer())
    }

    /// The text of a string that names a member.
    #[inline]
    pub(crate) fn name(self) -> Name<'d> {
        let slot = self.slot();
        let from = if slot.is_decoded { self.document.decoded.as_bytes() } else { self.document.source.as_bytes() };
        Name::known(from.get(slot.range()).unwrap_or_default(), slot.mark)
    }

    /// How many slots of the tape it has, names of members among them.
    pub(crate) fn size(self) -> usize {
        self.slot().next(self.at).saturating_sub(self.at) as usize
    }

    /// The number of items or members; 0 for other values.
    #[must_use]
    pub fn len(self) -> usize {
        self.slot().count() as usize
    }

    /// Whether it has no items or members.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The items of an array; none for other values.
    #[must_use]
    pub fn items(self) -> Items<'d> {
        let left = if self.kind() == Kind::Array { self.slot().count() } else { 0 };
        Items { document: self.document, at: self.at + 1, left }
    }

    /// The members of an object, in the order of the text; none for other values.
    #[must_use]
    pub fn members(self) -> Members<'d> {
        let left = if self.kind() == Kind::Object { self.slot().count() } else { 0 };
        Members(Items { document: self.document, at: self.at + 1, left: left.saturating_mul(2) })
    }

    /// The members of an object, with their names as values.
    pub(crate) fn pairs(self) -> Pairs<'d> {
        Pairs(self.members().0)
    }

    /// A member of an object.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Value<'d>> {
        self.members().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

impl fmt::Debug for Value<'_> {
    /// As JSON; for tests.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind() {
            Kind::Null => f.write_str("null"),
            Kind::False => f.write_str("false"),
            Kind::True => f.write_str("true"),
            Kind::Number => f.write_str(self.text()),
            Kind::String => write!(f, "{:?}", self.text()),
            Kind::Array => f.debug_list().entries(self.items()).finish(),
            Kind::Object => f.debug_map().entries(self.members()).finish(),
        }
    }
}

/// The items of an array.
#[derive(Clone)]
pub struct Items<'d> {
    document: &'d Document<'d>,
    at: u32,
    left: u32,
}

impl<'d> Iterator for Items<'d> {
    type Item = Value<'d>;

    fn next(&mut self) -> Option<Value<'d>> {
        self.left = self.left.checked_sub(1)?;
        let value = Value { document: self.document, at: self.at };
        self.at = value.slot().next(self.at);
        Some(value)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

/// The members of an object.
#[derive(Clone)]
pub struct Members<'d>(Items<'d>);

impl<'d> Iterator for Members<'d> {
    type Item = (&'d str, Value<'d>);

    fn next(&mut self) -> Option<Self::Item> {
        let name = self.0.next()?;
        Some((name.text(), self.0.next()?))
    }
}

/// The members of an object, with their names as values.
#[derive(Clone)]
pub(crate) struct Pairs<'d>(Items<'d>);

impl<'d> Iterator for Pairs<'d> {
    type Item = (Value<'d>, Value<'d>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        Some((self.0.next()?, self.0.next()?))
    }
}

/// Whether a text is a JSON number (RFC 8259 §6).
#[must_use]
pub fn is_number(text: &str) -> bool {
    scan::number(text.as_bytes()).is_some_and(|(length, _)| length == text.len())
}
