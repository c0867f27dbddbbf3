//! JSON (RFC 8259) into a tape: one allocation for all values, and texts that stay where they are.
//!
//! What two parsers could read differently is refused: members that stand twice, text that is not UTF-8, anything behind the
//! value, and lone surrogates.

use std::collections::HashSet;
use std::fmt;

/// Arrays and objects in each other; more are refused.
pub const DEEPEST: usize = 128;

/// Members that are compared with each other; of more, a set is made.
const FEW_MEMBERS: usize = 12;

/// A JSON text, read.
#[derive(Debug, Clone, Default)]
pub struct Document<'b> {
    source: &'b str,
    /// Texts that had escapes, and texts of values that were built.
    decoded: String,
    slots: Vec<Slot>,
}

/// A value of the tape. A member is its name, a text, with its value behind it.
#[derive(Debug, Clone, Copy)]
struct Slot {
    kind: Kind,
    /// The text is in `decoded`.
    is_decoded: bool,
    /// Where its text is; nothing for values that have none.
    start: u32,
    end: u32,
    /// The slot behind this value and all that is in it.
    next: u32,
    /// Items or members.
    count: u32,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `false`
    False,
    /// `true`
    True,
    /// A number.
    Number,
    /// A text.
    String,
    /// A list.
    Array,
    /// Members by name.
    Object,
}

/// Why a text is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError {
    /// Bytes before the fault.
    pub at: usize,
    /// What is wrong.
    pub fault: JsonFault,
}

/// What is wrong with a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonFault {
    /// Bytes that are not UTF-8.
    NotUtf8,
    /// It ends too early.
    Ends,
    /// Not what JSON has there.
    Syntax,
    /// A member stands twice.
    Duplicate,
    /// More than [`DEEPEST`] values in each other.
    TooDeep,
    /// There is more behind the value.
    Trailing,
    /// More than 4 GiB.
    TooLong,
}

impl fmt::Display for JsonFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotUtf8 => "is not UTF-8",
            Self::Ends => "is not JSON: it ends too early",
            Self::Syntax => "is not JSON",
            Self::Duplicate => "has a member twice in one object",
            Self::TooDeep => "has more than 128 levels",
            Self::Trailing => "has something behind the JSON value",
            Self::TooLong => "is too long",
        })
    }
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
        let document = Self { source, decoded: String::new(), slots: Vec::with_capacity(source.len() / 12 + 2) };
        let mut reader = Reader { bytes, at: 0, document };
        let read = reader.value(0).and_then(|()| {
            reader.skip_space();
            if reader.at < bytes.len() { Err(JsonFault::Trailing) } else { Ok(()) }
        });
        match read {
            Ok(()) => Ok(reader.document),
            Err(fault) => Err(JsonError { at: reader.at, fault }),
        }
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
        let Slot { is_decoded, start, end, .. } = self.slot();
        let from = if is_decoded { self.document.decoded.as_str() } else { self.document.source };
        from.get(start as usize..end as usize).unwrap_or_default()
    }

    /// The number of items or members; 0 for other values.
    #[must_use]
    pub fn len(self) -> usize {
        self.slot().count as usize
    }

    /// Whether it has no items or members.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The items of an array; none for other values.
    #[must_use]
    pub fn items(self) -> Items<'d> {
        let left = if self.kind() == Kind::Array { self.slot().count } else { 0 };
        Items { document: self.document, at: self.at + 1, left }
    }

    /// The members of an object, in the order of the text; none for other values.
    #[must_use]
    pub fn members(self) -> Members<'d> {
        let left = if self.kind() == Kind::Object { self.slot().count } else { 0 };
        Members(Items { document: self.document, at: self.at + 1, left: left.saturating_mul(2) })
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
        self.at = value.slot().next;
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

impl Slot {
    const NULL: Self = Self { kind: Kind::Null, is_decoded: false, start: 0, end: 0, next: 1, count: 0 };
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
    document: Document<'b>,
}

impl Reader<'_> {
    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Result<u8, JsonFault> {
        self.bytes.get(self.at).copied().ok_or(JsonFault::Ends)
    }

    fn value(&mut self, deep: usize) -> Result<(), JsonFault> {
        self.skip_space();
        match self.peek()? {
            b'"' => self.string(),
            b'{' => self.object(deep + 1),
            b'[' => self.array(deep + 1),
            b'-' | b'0'..=b'9' => self.number(),
            b'n' => self.word("null", Kind::Null),
            b't' => self.word("true", Kind::True),
            b'f' => self.word("false", Kind::False),
            _ => Err(JsonFault::Syntax),
        }
    }

    fn word(&mut self, word: &str, kind: Kind) -> Result<(), JsonFault> {
        let here = &self.bytes[self.at..];
        if !here.starts_with(word.as_bytes()) {
            return Err(if word.as_bytes().starts_with(here) { JsonFault::Ends } else { JsonFault::Syntax });
        }
        self.at += word.len();
        self.push(kind, 0, 0);
        Ok(())
    }

    fn push(&mut self, kind: Kind, start: usize, end: usize) {
        let next = self.document.slots.len() as u32 + 1;
        let slot = Slot { kind, is_decoded: false, start: start as u32, end: end as u32, next, count: 0 };
        self.document.slots.push(slot);
    }

    /// Says how much is in the array or object that begins at this slot.
    fn close(&mut self, slot: usize, count: u32) {
        let next = self.document.slots.len() as u32;
        if let Some(slot) = self.document.slots.get_mut(slot) {
            (slot.next, slot.count) = (next, count);
        }
    }

    fn array(&mut self, deep: usize) -> Result<(), JsonFault> {
        if deep > DEEPEST {
            return Err(JsonFault::TooDeep);
        }
        let slot = self.document.slots.len();
        self.push(Kind::Array, 0, 0);
        self.at += 1;
        self.skip_space();
        let mut count = 0;
        if self.peek()? == b']' {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(deep)?;
            count += 1;
            self.skip_space();
            match self.peek()? {
                b',' => self.at += 1,
                b']' => break,
                _ => return Err(JsonFault::Syntax),
            }
        }
        self.at += 1;
        self.close(slot, count);
        Ok(())
    }

    fn object(&mut self, deep: usize) -> Result<(), JsonFault> {
        if deep > DEEPEST {
            return Err(JsonFault::TooDeep);
        }
        let slot = self.document.slots.len();
        self.push(Kind::Object, 0, 0);
        self.at += 1;
        self.skip_space();
        let mut count = 0;
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.skip_space();
            if self.peek()? != b'"' {
                return Err(JsonFault::Syntax);
            }
            self.string()?;
            self.skip_space();
            if self.peek()? != b':' {
                return Err(JsonFault::Syntax);
            }
            self.at += 1;
            self.value(deep)?;
            count += 1;
            self.skip_space();
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => break,
                _ => return Err(JsonFault::Syntax),
            }
        }
        self.at += 1;
        self.close(slot, count);
        let object = Value { document: &self.document, at: slot as u32 };
        if has_twice(object) { Err(JsonFault::Duplicate) } else { Ok(()) }
    }

    fn string(&mut self) -> Result<(), JsonFault> {
        let start = self.at + 1;
        let mut at = start;
        loop {
            match self.bytes.get(at) {
                Some(b'"') => break,
                Some(b'\\') => return self.escaped(start, at),
                Some(0..0x20) => {
                    self.at = at;
                    return Err(JsonFault::Syntax);
                }
                Some(_) => at += 1,
                None => {
                    self.at = at;
                    return Err(JsonFault::Ends);
                }
            }
        }
        self.at = at + 1;
        self.push(Kind::String, start, at);
        Ok(())
    }

    /// The rest of a string whose first escape is at `at`.
    fn escaped(&mut self, start: usize, at: usize) -> Result<(), JsonFault> {
        let from = self.document.decoded.len();
        self.at = at;
        let mut plain = start;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    self.document.decoded.push_str(&self.document.source[plain..self.at]);
                    let character = self.escape()?;
                    self.document.decoded.push(character);
                    plain = self.at;
                }
                0..0x20 => return Err(JsonFault::Syntax),
                _ => self.at += 1,
            }
        }
        self.document.decoded.push_str(&self.document.source[plain..self.at]);
        self.at += 1;
        self.push(Kind::String, from, self.document.decoded.len());
        if let Some(slot) = self.document.slots.last_mut() {
            slot.is_decoded = true;
        }
        Ok(())
    }

    fn escape(&mut self) -> Result<char, JsonFault> {
        self.at += 1;
        let character = match self.peek()? {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                let first = self.hex()?;
                let code = match first {
                    0xd800..=0xdbff => {
                        if self.bytes.get(self.at..self.at + 2) != Some(b"\\u") {
                            return Err(JsonFault::Syntax);
                        }
                        self.at += 2;
                        let second = self.hex()?;
                        if !(0xdc00..=0xdfff).contains(&second) {
                            return Err(JsonFault::Syntax);
                        }
                        0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
                    }
                    code => code,
                };
                return char::from_u32(code).ok_or(JsonFault::Syntax);
            }
            _ => return Err(JsonFault::Syntax),
        };
        self.at += 1;
        Ok(character)
    }

    fn hex(&mut self) -> Result<u32, JsonFault> {
        let digits = self.bytes.get(self.at..self.at + 4).ok_or(JsonFault::Ends)?;
        let mut code = 0;
        for digit in digits {
            code = code << 4 | char::from(*digit).to_digit(16).ok_or(JsonFault::Syntax)?;
        }
        self.at += 4;
        Ok(code)
    }

    fn number(&mut self) -> Result<(), JsonFault> {
        let length = number_length(&self.bytes[self.at..]).ok_or(JsonFault::Syntax)?;
        self.push(Kind::Number, self.at, self.at + length);
        self.at += length;
        Ok(())
    }
}

/// The length of the JSON number (RFC 8259 §6) that these bytes begin with.
fn number_length(bytes: &[u8]) -> Option<usize> {
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    at += match digits(at) {
        0 => return None,
        1 => 1,
        _ if bytes[at] == b'0' => 1,
        length => length,
    };
    if bytes.get(at) == Some(&b'.') {
        match digits(at + 1) {
            0 => return None,
            length => at += 1 + length,
        }
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        match digits(at + 1 + sign) {
            0 => return None,
            length => at += 1 + sign + length,
        }
    }
    Some(at)
}

/// Whether a text is a JSON number (RFC 8259 §6).
#[must_use]
pub fn is_number(text: &str) -> bool {
    number_length(text.as_bytes()) == Some(text.len())
}

fn has_twice(object: Value<'_>) -> bool {
    if object.len() <= FEW_MEMBERS {
        let mut names = object.members().map(|(name, _)| name);
        while let Some(name) = names.next() {
            if names.clone().any(|other| other == name) {
                return true;
            }
        }
        return false;
    }
    let mut seen = HashSet::with_capacity(object.len());
    !object.members().all(|(name, _)| seen.insert(name))
}

/// Builds a value of parts: what a parameter or a form says.
///
/// Each call adds a value, or a name of the object that is open; what is open is ended by [`Builder::end`].
#[derive(Debug, Default)]
pub struct Builder {
    document: Document<'static>,
    /// Slots of the arrays and objects that are open.
    open: Vec<usize>,
}

impl Builder {
    /// Builds nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text.
    pub fn string(&mut self, text: &str) {
        self.push(Kind::String, text);
        self.count();
    }

    /// Adds a number, which is a number by [`is_number`].
    pub fn number(&mut self, digits: &str) {
        self.push(Kind::Number, digits);
        self.count();
    }

    /// Adds `true` or `false`.
    pub fn boolean(&mut self, value: bool) {
        self.push(if value { Kind::True } else { Kind::False }, "");
        self.count();
    }

    /// Adds `null`.
    pub fn null(&mut self) {
        self.push(Kind::Null, "");
        self.count();
    }

    /// Names the next value, which is in an object.
    pub fn name(&mut self, name: &str) {
        self.push(Kind::String, name);
    }

    /// Begins an array.
    pub fn array(&mut self) {
        self.begin(Kind::Array);
    }

    /// Begins an object.
    pub fn object(&mut self) {
        self.begin(Kind::Object);
    }

    /// Adds a value that another document has.
    pub fn value(&mut self, value: Value<'_>) {
        match value.kind() {
            Kind::Null => self.null(),
            Kind::False => self.boolean(false),
            Kind::True => self.boolean(true),
            Kind::Number => self.number(value.text()),
            Kind::String => self.string(value.text()),
            Kind::Array => {
                self.array();
                value.items().for_each(|item| self.value(item));
                self.end();
            }
            Kind::Object => {
                self.object();
                for (name, value) in value.members() {
                    self.name(name);
                    self.value(value);
                }
                self.end();
            }
        }
    }

    /// Ends the array or object that was begun last.
    pub fn end(&mut self) {
        let next = self.document.slots.len() as u32;
        if let Some(slot) = self.open.pop().and_then(|slot| self.document.slots.get_mut(slot)) {
            slot.next = next;
        }
    }

    /// What was built.
    #[must_use]
    pub fn finish(mut self) -> Document<'static> {
        while !self.open.is_empty() {
            self.end();
        }
        self.document
    }

    fn begin(&mut self, kind: Kind) {
        self.count();
        self.open.push(self.document.slots.len());
        self.push(kind, "");
    }

    fn count(&mut self) {
        if let Some(slot) = self.open.last().and_then(|slot| self.document.slots.get_mut(*slot)) {
            slot.count += 1;
        }
    }

    fn push(&mut self, kind: Kind, text: &str) {
        let start = self.document.decoded.len() as u32;
        self.document.decoded.push_str(text);
        let end = self.document.decoded.len() as u32;
        let next = self.document.slots.len() as u32 + 1;
        self.document.slots.push(Slot { kind, is_decoded: true, start, end, next, count: 0 });
    }
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

    #[test]
    fn values_are_built() {
        let mut builder = Builder::new();
        builder.object();
        builder.name("a");
        builder.array();
        builder.number("1");
        builder.string("x");
        builder.object();
        builder.end();
        builder.end();
        builder.name("b");
        builder.value(Document::read(b"[true, {\"c\": [null]}]").unwrap().root());
        let built = builder.finish();
        assert_eq!(format!("{:?}", built.root()), r#"{"a": [1, "x", {}], "b": [true, {"c": [null]}]}"#);
    }
}
