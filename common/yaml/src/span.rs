//! Where a value stands: a file and a range of bytes, and the line and column of that for people.

use std::fmt;

/// Identifies a file among those that are read together; what the number means is the caller's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct FileId(pub u32);

/// A range of bytes in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// Offset of the first byte.
    pub start: u32,
    /// Offset behind the last byte.
    pub end: u32,
}

impl Span {
    /// The range `start..end` of `file`.
    #[must_use]
    pub const fn new(file: FileId, start: u32, end: u32) -> Self {
        Self { file, start, end }
    }

    /// The range for slicing the file's text.
    #[must_use]
    pub const fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The text under this span, or nothing where `text` is another file's.
    #[must_use]
    pub fn slice(self, text: &str) -> &str {
        text.get(self.range()).unwrap_or_default()
    }

    /// Whether `other` lies within this span.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.file == other.file && self.start <= other.start && other.end <= self.end
    }

    /// The smallest span that covers both; `self` where they are in different files.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        if self.file == other.file {
            Self::new(self.file, self.start.min(other.start), self.end.max(other.end))
        } else {
            self
        }
    }
}

/// A line and a column, both counted from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// The position of a byte offset; for many offsets of one text, make a [`LineIndex`].
#[must_use]
pub fn position(text: &str, offset: u32) -> Position {
    let offset = floor_char_boundary(text, offset as usize);
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Position { line: before.matches('\n').count() + 1, column: columns(&before[line_start..]) }
}

/// Bytes between two counts of characters: a column costs at most this many steps, however long the line is.
const COUNTED_EVERY: usize = 1024;

/// Where each line of a text starts, and how many characters stand before some places: a minified document of many
/// megabytes is one line.
#[derive(Debug, Clone)]
pub struct LineIndex {
    starts: Vec<u32>,
    /// The characters that begin before each multiple of [`COUNTED_EVERY`] bytes.
    characters: Vec<u32>,
}

impl LineIndex {
    /// Indexes a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let newlines = text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n');
        let starts = std::iter::once(0).chain(newlines.map(|(at, _)| at as u32 + 1)).collect();
        let mut characters = Vec::with_capacity(text.len() / COUNTED_EVERY + 1);
        let mut before = 0;
        for block in text.as_bytes().chunks(COUNTED_EVERY) {
            characters.push(before);
            before += beginning_in(block);
        }
        characters.push(before);
        Self { starts, characters }
    }

    /// The characters that begin before a byte offset of the text that was indexed.
    fn characters_before(&self, text: &str, offset: usize) -> u32 {
        let block = offset / COUNTED_EVERY;
        let counted = self.characters.get(block).copied().unwrap_or_default();
        counted + beginning_in(text.as_bytes().get(block * COUNTED_EVERY..offset).unwrap_or_default())
    }

    /// The line (from 1) of a byte offset.
    #[must_use]
    pub fn line(&self, offset: u32) -> usize {
        self.starts.partition_point(|&start| start <= offset)
    }

    /// The offset at which a line (from 1) starts.
    #[must_use]
    pub fn line_start(&self, line: usize) -> Option<u32> {
        self.starts.get(line.checked_sub(1)?).copied()
    }

    /// The position of a byte offset in the text that was indexed.
    #[must_use]
    pub fn position(&self, text: &str, offset: u32) -> Position {
        let line = self.line(offset);
        let start = self.line_start(line).unwrap_or(0) as usize;
        let end = floor_char_boundary(text, offset as usize).max(start);
        let marks = text.get(start..end).unwrap_or_default();
        // A byte order mark has no width.
        let marks = marks.len() - marks.trim_start_matches('\u{feff}').len();
        let characters = self.characters_before(text, end) - self.characters_before(text, start);
        Position { line, column: characters as usize - marks / '\u{feff}'.len_utf8() + 1 }
    }
}

/// How many characters begin in a piece of UTF-8.
fn beginning_in(bytes: &[u8]) -> u32 {
    bytes.iter().map(|byte| u32::from(byte & 0xc0 != 0x80)).sum()
}

fn columns(before: &str) -> usize {
    before.trim_start_matches('\u{feff}').chars().count() + 1
}

fn floor_char_boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters() {
        let text = "\u{feff}a: é1\r\nb: 2\n";
        for (offset, line, column) in [(0, 1, 1), (3, 1, 1), (6, 1, 4), (8, 1, 5), (11, 2, 1), (99, 3, 1)] {
            let expected = Position { line, column };
            assert_eq!(position(text, offset), expected, "at {offset}");
            assert_eq!(LineIndex::new(text).position(text, offset), expected, "indexed, at {offset}");
        }
    }

    #[test]
    fn columns_of_long_lines_are_exact() {
        let text = format!("first\n\u{feff}{}\nlast é", "aé€😀".repeat(1_000));
        let index = LineIndex::new(&text);
        for offset in (0..=text.len() as u32 + 3).step_by(7) {
            assert_eq!(index.position(&text, offset), position(&text, offset), "at {offset}");
        }
    }
}
