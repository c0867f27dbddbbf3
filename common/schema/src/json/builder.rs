//! Builds values of parts.

use super::document::{Document, Value};
use super::scan;
use super::tape::{DIGITS_ONLY, Kind, Slot, hash};

/// Builds a value of parts: what a parameter or a form says.
///
/// Each call adds a value, or a name of the object that is open; what is open is ended by [`Builder::end`].
#[derive(Debug, Default)]
pub struct Builder {
    decoded: String,
    slots: Vec<Slot>,
    /// The arrays and objects that are open: their slots, and how many items or members they have.
    open: Vec<(usize, usize)>,
}

impl Builder {
    /// Builds nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text.
    pub fn string(&mut self, text: &str) {
        self.push(Kind::String, text, 0);
        self.count();
    }

    /// Adds a number, which is a number by [`is_number`].
    pub fn number(&mut self, digits: &str) {
        let is_digits = scan::number(digits.as_bytes()).is_some_and(|(_, is_digits)| is_digits);
        self.push(Kind::Number, digits, if is_digits { DIGITS_ONLY } else { 0 });
        self.count();
    }

    /// Adds `true` or `false`.
    pub fn boolean(&mut self, value: bool) {
        self.slots.push(Slot::word(if value { Kind::True } else { Kind::False }));
        self.count();
    }

    /// Adds `null`.
    pub fn null(&mut self) {
        self.slots.push(Slot::NULL);
        self.count();
    }

    /// Names the next value, which is in an object.
    pub fn name(&mut self, name: &str) {
        self.push(Kind::String, name, hash(name.as_bytes()));
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
        let next = self.slots.len();
        if let Some((slot, count)) = self.open.pop()
            && let Some(slot) = self.slots.get_mut(slot)
        {
            slot.close(count, next);
        }
    }

    /// What was built.
    #[must_use]
    pub fn finish(mut self) -> Document<'static> {
        while !self.open.is_empty() {
            self.end();
        }
        Document::built(self.decoded, self.slots)
    }

    fn begin(&mut self, kind: Kind) {
        self.count();
        self.open.push((self.slots.len(), 0));
        self.slots.push(Slot::open(kind, self.slots.len()));
    }

    fn count(&mut self) {
        if let Some((_, count)) = self.open.last_mut() {
            *count += 1;
        }
    }

    fn push(&mut self, kind: Kind, text: &str, mark: u16) {
        let start = self.decoded.len();
        self.decoded.push_str(text);
        let slot = Slot::text(kind, start, self.decoded.len(), mark);
        self.slots.push(slot.decoded());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        builder.value(Document::read(b"[true, {\"c\": [null]}]").expect("JSON").root());
        let built = builder.finish();
        assert_eq!(format!("{:?}", built.root()), r#"{"a": [1, "x", {}], "b": [true, {"c": [null]}]}"#);
    }
}
