//! A place in the text of a pattern.

/// What is left of a pattern.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'p> {
    length: usize,
    rest: &'p str,
}

impl<'p> Cursor<'p> {
    pub(super) fn new(text: &'p str) -> Self {
        Self { length: text.len(), rest: text }
    }

    /// Bytes before this place.
    pub(super) fn at(&self) -> usize {
        self.length - self.rest.len()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let next = characters.next();
        self.rest = characters.as_str();
        next
    }

    /// Takes a character, if it is the next one.
    pub(super) fn take(&mut self, wanted: char) -> bool {
        self.take_by(|rest| rest.strip_prefix(wanted))
    }

    /// Takes a text, if it is next.
    pub(super) fn take_text(&mut self, wanted: &str) -> bool {
        self.take_by(|rest| rest.strip_prefix(wanted))
    }

    /// What stands before the next `end`, which is taken as well.
    pub(super) fn take_until(&mut self, end: char) -> Option<&'p str> {
        let (before, behind) = self.rest.split_once(end)?;
        self.rest = behind;
        Some(before)
    }

    fn take_by(&mut self, strip: impl FnOnce(&'p str) -> Option<&'p str>) -> bool {
        let stripped = strip(self.rest);
        self.rest = stripped.unwrap_or(self.rest);
        stripped.is_some()
    }
}
