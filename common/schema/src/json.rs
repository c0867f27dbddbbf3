//! JSON (RFC 8259) into a tape: one allocation for all values, and texts that stay where they are.
//!
//! What two parsers could read differently is refused: members that stand twice, text that is not UTF-8, anything behind the
//! value, and lone surrogates.

mod builder;
mod fault;
mod reader;
mod scan;
mod tape;

use std::fmt;

pub use builder::Builder;
pub use fault::{JsonError, JsonFault};
pub use reader::DEEPEST;
use reader::Reader;
pub use tape::Kind;
pub(crate) use tape::Name;
use tape::{DIGITS_ONLY, Slot};

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

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        format!("{:?}", Document::read(text.as_bytes()).unwrap().root())
    }

    fn fault(bytes: &[u8]) -> (usize, JsonFault) {
        Document::read(bytes).map(|_| ()).map_err(|error| (error.at, error.fault)).unwrap_err()
    }

    #[test]
    fn values_are_read() {
        for text in [
            "null",
            "true",
            "-0.5e+10",
            "\"\"",
            "[]",
            "{}",
            "[[], {}, [[1]]]",
            "{\"a\": [1, {\"b\": null}], \"c\": false}",
        ] {
            assert_eq!(shown(text), text);
        }
        assert_eq!(shown(" [ 1 ,\n2 ] "), "[1, 2]");
        let escaped = Document::read(br#"["a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00z", "b"]"#).unwrap();
        let texts: Vec<&str> = escaped.root().items().map(Value::text).collect();
        assert_eq!(texts, ["a\"\\/\u{8}\u{c}\n\r\té😀z", "b"]);
        let object = Document::read(br#"{"a\u0062": 1, "c": {"d": [2, 3]}}"#).unwrap();
        assert_eq!(object.root().get("ab").map(Value::text), Some("1"));
        assert_eq!(object.root().get("c").and_then(|c| c.get("d")).map(Value::len), Some(2));
        assert!(object.root().get("d").is_none());
    }

    #[test]
    fn what_is_not_json_is_refused_with_its_place() {
        use JsonFault::{Duplicate, Ends, NotUtf8, Syntax, TooDeep, Trailing};
        for (text, at, expected) in [
            ("", 0, Ends),
            ("{", 1, Ends),
            ("[1,", 3, Ends),
            ("\"a", 2, Ends),
            ("tru", 0, Ends),
            ("truth", 0, Syntax),
            ("'a'", 0, Syntax),
            ("[1,]", 3, Syntax),
            ("{\"a\":1,}", 7, Syntax),
            ("{a:1}", 1, Syntax),
            ("01", 1, Trailing),
            ("1.", 0, Syntax),
            (".5", 0, Syntax),
            ("+1", 0, Syntax),
            ("1e", 0, Syntax),
            ("NaN", 0, Syntax),
            ("\"\u{1}\"", 1, Syntax),
            ("\"\\x\"", 2, Syntax),
            ("\"\\ud800\"", 7, Syntax),
            ("\"\\udc00\"", 7, Syntax),
            ("{} {}", 3, Trailing),
            ("{\"a\":1,\"a\":2}", 13, Duplicate),
            ("{\"a\":1,\"\\u0061\":2}", 18, Duplicate),
            ("\u{feff}{}", 0, Syntax),
        ] {
            assert_eq!(fault(text.as_bytes()), (at, expected), "{text}");
        }
        assert_eq!(fault(b"\"\xff\""), (1, NotUtf8));
        assert!(Document::read("[".repeat(128).as_bytes()).is_err_and(|error| error.fault == Ends));
        assert_eq!(fault("[".repeat(129).as_bytes()).1, TooDeep);
        let many: String = (0..20).map(|number| format!("\"m{number}\":0,")).collect();
        assert!(Document::read(format!("{{{many}\"x\":0}}").as_bytes()).is_ok());
        assert_eq!(fault(format!("{{{many}\"m3\":0}}").as_bytes()).1, Duplicate);
    }
}
