//! The head of a response on its way to a client: as text, or as the fields that HTTP/2 takes.

use std::cell::{Cell, RefCell};
use std::ops::Range;

use crate::field_lines::FieldLines;

/// Where a head is written.
pub enum HeadWriter<'a> {
    /// As text of HTTP/1.1.
    Text(&'a mut Vec<u8>),
    /// As fields of HTTP/2.
    Fields(&'a mut FieldHead),
}

/// A head that is no text. It also holds what is about the connection, for the code that frames the body.
#[derive(Debug, Default)]
pub struct FieldHead {
    /// The status of the response (RFC 9110 §15).
    pub status: u16,
    /// Names and values, one after the other.
    pub bytes: Vec<u8>,
    /// Where each name begins, and where its value begins and ends.
    fields: Vec<(usize, usize, usize)>,
}

/// Heads that a stream has yet to take from the one who writes them.
#[derive(Debug, Default)]
pub struct FieldHeads {
    waiting: RefCell<Vec<FieldHead>>,
    has_taken: Cell<bool>,
}

impl HeadWriter<'_> {
    /// Begins with a status; `line` writes the status line of a text.
    pub(crate) fn begin(&mut self, status: u16, line: impl FnOnce(&mut Vec<u8>)) {
        match self {
            Self::Text(text) => line(text),
            Self::Fields(head) => head.status = status,
        }
    }

    /// Adds a field.
    pub(crate) fn field(&mut self, name: &str, value: &[u8]) {
        self.field_with(name, |out| out.extend_from_slice(value));
    }

    /// Adds a field whose value is written by `value`.
    pub(crate) fn field_with(&mut self, name: &str, value: impl FnOnce(&mut Vec<u8>)) {
        match self {
            Self::Text(text) => {
                text.extend_from_slice(name.as_bytes());
                text.extend_from_slice(b": ");
                value(text);
                text.extend_from_slice(b"\r\n");
            }
            Self::Fields(head) => {
                let begins = head.bytes.len();
                head.bytes.extend_from_slice(name.as_bytes());
                let value_begins = head.bytes.len();
                value(&mut head.bytes);
                head.fields.push((begins, value_begins, head.bytes.len()));
            }
        }
    }

    /// Adds fields of the gateway's own.
    pub(crate) fn lines(&mut self, lines: &FieldLines) {
        match self {
            Self::Text(text) => text.extend_from_slice(lines.as_bytes()),
            Self::Fields(_) => lines.iter().for_each(|(name, value)| self.field(name, value.as_bytes())),
        }
    }

    /// Ends the head.
    pub(crate) fn end(&mut self) {
        match self {
            Self::Text(text) => text.extend_from_slice(b"\r\n"),
            Self::Fields(_) => {}
        }
    }
}

impl FieldHead {
    /// No head yet, with room for a usual one.
    fn new() -> Self {
        Self { status: 0, bytes: Vec::with_capacity(512), fields: Vec::with_capacity(16) }
    }

    /// The places of names and values in [`FieldHead::bytes`].
    pub fn places(&self) -> impl ExactSizeIterator<Item = (Range<usize>, Range<usize>)> {
        self.fields.iter().map(|&(begins, value_begins, ends)| (begins..value_begins, value_begins..ends))
    }
}

impl FieldHeads {
    /// Adds a head.
    pub(crate) fn write(&self, write: impl FnOnce(&mut HeadWriter<'_>)) {
        let mut head = FieldHead::new();
        write(&mut HeadWriter::Fields(&mut head));
        self.waiting.borrow_mut().push(head);
    }

    /// Takes what waits, in its order.
    pub fn take(&self) -> Vec<FieldHead> {
        let heads = self.waiting.take();
        self.has_taken.set(self.has_taken.get() || !heads.is_empty());
        heads
    }

    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.borrow().is_empty()
    }

    /// Something was taken, and what belongs to it is not yet written.
    pub(crate) fn has_taken(&self) -> bool {
        self.has_taken.get()
    }

    /// All is written.
    pub(crate) fn settle(&self) {
        self.has_taken.set(false);
    }

    /// Forgets what waits.
    pub(crate) fn clear(&self) {
        self.waiting.borrow_mut().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field_lines::StaticField;

    #[test]
    fn both_forms_say_the_same() {
        const NO_STORE: StaticField = StaticField::new("Cache-Control", "no-store");
        let write = |head: &mut HeadWriter<'_>| {
            head.begin(200, |line| line.extend_from_slice(b"HTTP/1.1 200 OK\r\n"));
            head.field("Via", b"1.1 a");
            head.lines(&FieldLines::of(&[NO_STORE, NO_STORE]));
            head.field_with("Content-Length", |value| value.extend_from_slice(b"7"));
            head.field("X-Empty", b"");
            head.end();
        };
        let mut text = Vec::new();
        write(&mut HeadWriter::Text(&mut text));
        let heads = FieldHeads::default();
        heads.write(write);
        assert!(!heads.is_empty() && !heads.has_taken());
        let taken = heads.take();
        assert!(heads.is_empty() && heads.has_taken() && taken.len() == 1 && taken[0].status == 200);
        let part = |place: Range<usize>| String::from_utf8_lossy(&taken[0].bytes[place]).into_owned();
        let lines: String =
            taken[0].places().map(|(name, value)| format!("{}: {}\r\n", part(name), part(value))).collect();
        assert_eq!(String::from_utf8_lossy(&text), format!("HTTP/1.1 200 OK\r\n{lines}\r\n"));
        heads.settle();
        heads.write(write);
        heads.clear();
        assert!(heads.take().is_empty() && !heads.has_taken());
    }
}
