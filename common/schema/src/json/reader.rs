//! Reads a text into a tape.

use std::collections::HashSet;

use super::fault::JsonFault;
use super::scan;
use super::tape::{DIGITS_ONLY, Kind, Slot, hash};

/// Arrays and objects in each other; more are refused.
pub const DEEPEST: usize = 128;

/// Members whose names are compared with each other, by their hashes first; of more, a set with a random seed is made.
const FEW_MEMBERS: usize = 32;

pub(super) struct Reader<'b> {
    source: &'b str,
    at: usize,
    pub(super) decoded: String,
    pub(super) slots: Vec<Slot>,
}

impl<'b> Reader<'b> {
    pub(super) fn new(source: &'b str) -> Self {
        Self { source, at: 0, decoded: String::new(), slots: Vec::with_capacity(source.len() / 10 + 2) }
    }

    /// Reads the one value of the text; or says what is wrong, and where.
    pub(super) fn read(&mut self) -> Result<(), (usize, JsonFault)> {
        let read = self.value(0).and_then(|()| match self.skip_space() {
            None => Ok(()),
            Some(_) => Err(JsonFault::Trailing),
        });
        read.map_err(|fault| (self.at, fault))
    }

    /// Goes to the next byte that is not space, and says what it is.
    #[inline]
    fn skip_space(&mut self) -> Option<u8> {
        loop {
            match self.source.as_bytes().get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    fn peek(&self) -> Result<u8, JsonFault> {
        self.source.as_bytes().get(self.at).copied().ok_or(JsonFault::Ends)
    }

    fn rest(&self) -> &'b [u8] {
        self.source.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn value(&mut self, deep: usize) -> Result<(), JsonFault> {
        match self.skip_space().ok_or(JsonFault::Ends)? {
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
        let here = self.rest();
        if !here.starts_with(word.as_bytes()) {
            return Err(if word.as_bytes().starts_with(here) { JsonFault::Ends } else { JsonFault::Syntax });
        }
        self.at += word.len();
        self.slots.push(Slot::word(kind));
        Ok(())
    }

    /// Begins an array or object, and says whether there is something in it.
    fn begin(&mut self, kind: Kind, end: u8, deep: usize) -> Result<bool, JsonFault> {
        if deep > DEEPEST {
            return Err(JsonFault::TooDeep);
        }
        self.slots.push(Slot::open(kind, self.slots.len()));
        self.at += 1;
        let is_empty = self.skip_space().ok_or(JsonFault::Ends)? == end;
        self.at += usize::from(is_empty);
        Ok(!is_empty)
    }

    /// Goes on behind an item or member: whether there is another one.
    #[inline]
    fn goes_on(&mut self, end: u8) -> Result<bool, JsonFault> {
        let byte = self.skip_space().ok_or(JsonFault::Ends)?;
        if byte != b',' && byte != end {
            return Err(JsonFault::Syntax);
        }
        self.at += 1;
        Ok(byte == b',')
    }

    /// Says how much is in the array or object that begins at a slot.
    fn close(&mut self, slot: usize, count: usize) {
        let next = self.slots.len();
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.close(count, next);
        }
    }

    fn array(&mut self, deep: usize) -> Result<(), JsonFault> {
        let slot = self.slots.len();
        if !self.begin(Kind::Array, b']', deep)? {
            return Ok(());
        }
        let mut count = 0;
        loop {
            self.value(deep)?;
            count += 1;
            if !self.goes_on(b']')? {
                break;
            }
        }
        self.close(slot, count);
        Ok(())
    }

    fn object(&mut self, deep: usize) -> Result<(), JsonFault> {
        let slot = self.slots.len();
        if !self.begin(Kind::Object, b'}', deep)? {
            return Ok(());
        }
        let mut hashes = [0; FEW_MEMBERS];
        let mut count = 0;
        let mut is_suspect = false;
        loop {
            if self.skip_space().ok_or(JsonFault::Ends)? != b'"' {
                return Err(JsonFault::Syntax);
            }
            let hash = self.name()?;
            // All places, which is quicker than some; a hash of 0 is suspect without a reason.
            is_suspect |= hashes.iter().fold(false, |is_known, other| is_known | (*other == hash));
            if let Some(place) = hashes.get_mut(count) {
                *place = hash;
            }
            if self.skip_space().ok_or(JsonFault::Ends)? != b':' {
                return Err(JsonFault::Syntax);
            }
            self.at += 1;
            self.value(deep)?;
            count += 1;
            if !self.goes_on(b'}')? {
                break;
            }
        }
        self.close(slot, count);
        if (is_suspect || count > FEW_MEMBERS) && self.has_twice(slot + 1, count) {
            return Err(JsonFault::Duplicate);
        }
        Ok(())
    }

    /// Whether a name stands twice among members, the first of which is at a slot.
    fn has_twice(&self, first: usize, count: usize) -> bool {
        let mut at = first as u32;
        let mut names = (0..count).map(move |_| {
            let name = self.slots.get(at as usize).copied().unwrap_or(Slot::NULL);
            at = self.slots.get(at as usize + 1).map_or(at, |value| value.next(at + 1));
            (name.mark, self.text(name))
        });
        if count > FEW_MEMBERS {
            let mut seen = HashSet::with_capacity(count);
            return !names.all(|(_, name)| seen.insert(name));
        }
        while let Some((mark, name)) = names.next() {
            if names.clone().any(|(other_mark, other)| other_mark == mark && other == name) {
                return true;
            }
        }
        false
    }

    fn text(&self, slot: Slot) -> &[u8] {
        let from = if slot.is_decoded { self.decoded.as_bytes() } else { self.source.as_bytes() };
        from.get(slot.range()).unwrap_or_default()
    }

    /// A name, whose hash it marks and says.
    fn name(&mut self) -> Result<u16, JsonFault> {
        let slot = self.text_slot()?;
        let slot = slot.marked(hash(self.text(slot)));
        self.slots.push(slot);
        Ok(slot.mark)
    }

    fn string(&mut self) -> Result<(), JsonFault> {
        let slot = self.text_slot()?;
        self.slots.push(slot);
        Ok(())
    }

    #[inline(always)]
    fn text_slot(&mut self) -> Result<Slot, JsonFault> {
        let start = self.at + 1;
        let end = scan::plain_end(self.source.as_bytes(), start);
        self.at = end;
        let slot = match self.peek()? {
            b'"' => Slot::text(Kind::String, start, end, 0),
            b'\\' => self.escaped(start)?,
            _ => return Err(JsonFault::Syntax),
        };
        self.at += 1;
        Ok(slot)
    }

    /// The rest of a string, up to its quote, whose first escape is here.
    #[cold]
    fn escaped(&mut self, start: usize) -> Result<Slot, JsonFault> {
        let from = self.decoded.len();
        let mut plain = start;
        loop {
            self.decoded.push_str(self.source.get(plain..self.at).unwrap_or_default());
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    let character = self.escape()?;
                    self.decoded.push(character);
                }
                _ => return Err(JsonFault::Syntax),
            }
            plain = self.at;
            self.at = scan::plain_end(self.source.as_bytes(), plain);
        }
        let slot = Slot::text(Kind::String, from, self.decoded.len(), 0);
        Ok(slot.decoded())
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
                        if !self.rest().starts_with(b"\\u") {
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
        let digits = self.rest().first_chunk::<4>().ok_or(JsonFault::Ends)?;
        let mut code = 0;
        for digit in digits {
            code = code << 4 | char::from(*digit).to_digit(16).ok_or(JsonFault::Syntax)?;
        }
        self.at += 4;
        Ok(code)
    }

    fn number(&mut self) -> Result<(), JsonFault> {
        let (length, is_digits) = scan::number(self.rest()).ok_or(JsonFault::Syntax)?;
        let mark = if is_digits { DIGITS_ONLY } else { 0 };
        self.slots.push(Slot::text(Kind::Number, self.at, self.at + length, mark));
        self.at += length;
        Ok(())
    }
}
