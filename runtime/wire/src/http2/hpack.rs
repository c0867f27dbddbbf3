//! Whether a block of fields has pseudo-header fields: the library drops those of trailers silently, and they make a
//! request malformed (RFC 9113 §8.1).
//!
//! A block can only be read by those who have read all before it (RFC 7541 §2.2), so the table of names is kept here as
//! well, as far as that takes: how long its entries are, and which names are of pseudo-header fields.

use std::collections::VecDeque;

/// The names of the static table (RFC 7541, Appendix A): their lengths. The first 14 are pseudo-header fields.
const STATIC: [u8; 61] = [
    10, 7, 7, 5, 5, 7, 7, 7, 7, 7, 7, 7, 7, 7, 14, 15, 15, 13, 6, 27, 3, 5, 13, 13, 19, 16, 16, 14, 16, 13, 12, 6, 4,
    4, 6, 7, 4, 4, 8, 17, 13, 8, 19, 13, 4, 8, 12, 18, 19, 5, 7, 7, 11, 6, 10, 25, 17, 10, 4, 3, 16,
];
const STATIC_PSEUDO: usize = 14;

/// Of the codes of Huffman's table (RFC 7541, Appendix B), in ascending order: a number of bits, and how many have it.
const CODES: [(u32, u32); 21] = [
    (5, 10),
    (6, 26),
    (7, 32),
    (8, 6),
    (10, 5),
    (11, 3),
    (12, 2),
    (13, 6),
    (14, 2),
    (15, 3),
    (19, 3),
    (20, 8),
    (21, 13),
    (22, 26),
    (23, 29),
    (24, 12),
    (25, 4),
    (26, 15),
    (27, 19),
    (28, 29),
    (30, 4),
];

/// The first seven bits of a name that begins with a colon.
const HUFFMAN_COLON: u8 = 0x5c;

/// What each entry takes beside its name and value (RFC 7541 §4.1).
const OVERHEAD: usize = 32;

/// What this server lets a client's table take: the default (RFC 9113 §6.5.2).
const TABLE_SIZE: usize = 4096;

/// A block that cannot be read. The library finds that as well, and ends the connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// An entry of the dynamic table.
#[derive(Debug, Clone, Copy)]
struct Entry {
    name: usize,
    value: usize,
    is_pseudo: bool,
}

/// A name as in a block.
#[derive(Clone, Copy)]
struct Name {
    length: usize,
    is_pseudo: bool,
}

/// The dynamic table of one direction of a connection.
#[derive(Debug)]
pub(super) struct Names {
    /// The newest first.
    entries: VecDeque<Entry>,
    size: usize,
    most: usize,
}

impl Names {
    pub(super) fn new() -> Self {
        Self { entries: VecDeque::new(), size: 0, most: TABLE_SIZE }
    }

    /// Reads a whole block; says whether a pseudo-header field is in it.
    pub(super) fn read(&mut self, block: &[u8]) -> Result<bool, Unreadable> {
        let mut rest = block;
        let mut has_pseudo = false;
        while let Some(first) = rest.first().copied() {
            match first {
                0x80.. => {
                    let index = integer(&mut rest, 7)?;
                    has_pseudo |= self.name(index)?.is_pseudo;
                }
                0x40..0x80 => {
                    let index = integer(&mut rest, 6)?;
                    let name = self.name_or_literal(index, &mut rest)?;
                    let value = decoded_length(string(&mut rest)?)?;
                    has_pseudo |= name.is_pseudo;
                    self.insert(Entry { name: name.length, value, is_pseudo: name.is_pseudo });
                }
                0x20..0x40 => {
                    self.most = integer(&mut rest, 5)?;
                    if self.most > TABLE_SIZE {
                        return Err(Unreadable);
                    }
                    self.evict(0);
                }
                _ => {
                    let index = integer(&mut rest, 4)?;
                    let is_pseudo = match index {
                        0 => begins_with_colon(string(&mut rest)?),
                        index => self.name(index)?.is_pseudo,
                    };
                    string(&mut rest)?;
                    has_pseudo |= is_pseudo;
                }
            }
        }
        Ok(has_pseudo)
    }

    fn name_or_literal(&self, index: usize, rest: &mut &[u8]) -> Result<Name, Unreadable> {
        if index > 0 {
            return self.name(index);
        }
        let text = string(rest)?;
        Ok(Name { length: decoded_length(text)?, is_pseudo: begins_with_colon(text) })
    }

    fn name(&self, index: usize) -> Result<Name, Unreadable> {
        let place = index.checked_sub(1).ok_or(Unreadable)?;
        match STATIC.get(place) {
            Some(length) => Ok(Name { length: usize::from(*length), is_pseudo: place < STATIC_PSEUDO }),
            None => {
                let Entry { name, is_pseudo, .. } = *self.entries.get(place - STATIC.len()).ok_or(Unreadable)?;
                Ok(Name { length: name, is_pseudo })
            }
        }
    }

    fn insert(&mut self, entry: Entry) {
        let size = entry.name + entry.value + OVERHEAD;
        self.evict(size);
        // One that is larger than the table leaves it empty (RFC 7541 §4.4).
        if size <= self.most {
            self.size += size;
            self.entries.push_front(entry);
        }
    }

    /// Makes room for `room` bytes.
    fn evict(&mut self, room: usize) {
        while self.size + room > self.most {
            let Some(Entry { name, value, .. }) = self.entries.pop_back() else { return };
            self.size -= name + value + OVERHEAD;
        }
    }
}

/// A string, and whether it is in Huffman's code.
#[derive(Clone, Copy)]
struct Text<'a> {
    bytes: &'a [u8],
    is_huffman: bool,
}

/// RFC 7541 §5.1.
fn integer(rest: &mut &[u8], bits: u32) -> Result<usize, Unreadable> {
    let (first, mut tail) = rest.split_first().ok_or(Unreadable)?;
    let mask = (1_usize << bits) - 1;
    let mut value = usize::from(*first) & mask;
    let mut shift = 0;
    let mut goes_on = value == mask;
    while goes_on {
        let (byte, after) = tail.split_first().ok_or(Unreadable)?;
        // Nothing that long is in a block.
        if shift > 21 {
            return Err(Unreadable);
        }
        value += (usize::from(*byte) & 0x7f) << shift;
        shift += 7;
        (goes_on, tail) = (byte & 0x80 != 0, after);
    }
    *rest = tail;
    Ok(value)
}

/// RFC 7541 §5.2.
fn string<'a>(rest: &mut &'a [u8]) -> Result<Text<'a>, Unreadable> {
    let is_huffman = rest.first().is_some_and(|first| first & 0x80 != 0);
    let length = integer(rest, 7)?;
    let (bytes, tail) = rest.split_at_checked(length).ok_or(Unreadable)?;
    *rest = tail;
    Ok(Text { bytes, is_huffman })
}

fn begins_with_colon(text: Text<'_>) -> bool {
    let first = text.bytes.first().copied().unwrap_or_default();
    if text.is_huffman { first >> 1 == HUFFMAN_COLON } else { first == b':' }
}

/// The length of a string once it is decoded: of Huffman's code, the number of its codes.
fn decoded_length(text: Text<'_>) -> Result<usize, Unreadable> {
    if !text.is_huffman {
        return Ok(text.bytes.len());
    }
    let (mut window, mut have, mut bytes, mut count) = (0_u64, 0_u32, text.bytes.iter(), 0);
    loop {
        while have < 32 {
            let Some(byte) = bytes.next() else { break };
            window = window << 8 | u64::from(*byte);
            have += 8;
        }
        match first_code(window, have) {
            Some(length) => {
                have -= length;
                window &= (1 << have) - 1;
                count += 1;
            }
            // What is left fills up the last byte with ones.
            None if have < 8 && window == (1 << have) - 1 => return Ok(count),
            None => return Err(Unreadable),
        }
    }
}

/// How many of the `have` bits of `window` are its first code; nothing where no code is whole.
fn first_code(window: u64, have: u32) -> Option<u32> {
    let (mut code, mut before) = (0_u64, 0);
    for (length, count) in CODES {
        code <<= length - before;
        if length > have {
            return None;
        }
        if window >> (have - length) < code + u64::from(count) {
            return Some(length);
        }
        (code, before) = (code + u64::from(count), length);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("text"), 16).expect("hex"))
            .collect()
    }

    #[test]
    fn the_table_is_that_of_the_examples() {
        // RFC 7541, Appendix C.4 and C.6: requests and responses in Huffman's code, with the size of the table after each.
        for (most, blocks) in [
            (
                4096,
                &[
                    ("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", 57),
                    ("8286 84be 5886 a8eb 1064 9cbf", 110),
                    ("8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf", 164),
                ][..],
            ),
            (
                256,
                &[
                    (
                        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d \
                         29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
                        222,
                    ),
                    ("4883 640e ffc1 c0bf", 222),
                    (
                        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d \
                         d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 \
                         3d50 07",
                        215,
                    ),
                ],
            ),
        ] {
            let mut names = Names { most, ..Names::new() };
            for (block, size) in blocks {
                assert_eq!(names.read(&bytes(block)), Ok(true));
                assert_eq!(names.size, *size, "{block}");
            }
        }
    }

    #[test]
    fn pseudo_header_fields_are_found_however_they_are_written() {
        let mut names = Names::new();
        // `:authority: www.example.com` and `custom-key: custom-value` into the table.
        assert_eq!(
            names.read(&bytes("418cf1e3c2e5f23a6ba0ab90f4ff 408825a849e95ba97d7f8925a849e95bb8e8b4bf")),
            Ok(true)
        );
        for (block, has_pseudo) in [
            ("", false),
            // Indexed: of the static table, and of the dynamic one.
            ("82", true),
            ("8e", true),
            ("8f", false),
            ("be", false),
            ("bf", true),
            // The name is indexed.
            ("0401 2f", true),
            ("1f00 01 2f", false),
            ("44012f", true),
            // The name is written out.
            ("0005 3a70617468 012f", true),
            ("1005 3a70617468 012f", true),
            ("0084 b958d33f 012f", true),
            ("0003 782d61 0162", false),
            // Of a size that the table gets.
            ("20", false),
        ] {
            assert_eq!(names.read(&bytes(block)), Ok(has_pseudo), "{block}");
        }
        assert!(names.entries.is_empty() && names.size == 0);
        for bad in ["be", "80", "7f", "00", "0003 78", "3fe2ff7f", "ffffffffffff7f", "4081ff0161"] {
            assert_eq!(names.read(&bytes(bad)), Err(Unreadable), "{bad}");
        }
    }
}
