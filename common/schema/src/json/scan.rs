//! Where texts and numbers end: eight bytes at a time where there are eight.

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;
const QUOTES: u64 = LOW * b'"' as u64;
const BACKSLASHES: u64 = LOW * b'\\' as u64;
const SPACES: u64 = LOW * b' ' as u64;

/// The place of the first byte from `at` on that a string cannot have as it is: a quote, a backslash or a control character; or
/// the end.
#[inline]
pub(super) fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        // The lowest high bit that is set is that of the first such byte; those above may be wrong.
        let found = (zeros(word ^ QUOTES) | zeros(word ^ BACKSLASHES) | (word.wrapping_sub(SPACES) & !word)) & HIGH;
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(byte) = bytes.get(at) {
        if matches!(byte, b'"' | b'\\' | 0..0x20) {
            break;
        }
        at += 1;
    }
    at
}

fn zeros(word: u64) -> u64 {
    word.wrapping_sub(LOW) & !word
}

/// The length of the JSON number (RFC 8259 §6) that these bytes begin with, and whether it has digits only.
#[inline]
pub(super) fn number(bytes: &[u8]) -> Option<(usize, bool)> {
    let sign = usize::from(bytes.first() == Some(&b'-'));
    let whole = match digits(bytes, sign) {
        0 => return None,
        _ if bytes.get(sign) == Some(&b'0') => sign + 1,
        length => sign + length,
    };
    let mut at = whole;
    if bytes.get(at) == Some(&b'.') {
        match digits(bytes, at + 1) {
            0 => return None,
            length => at += 1 + length,
        }
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        match digits(bytes, at + 1 + sign) {
            0 => return None,
            length => at += 1 + sign + length,
        }
    }
    Some((at, at == whole))
}

#[inline]
fn digits(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at - from
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_ends_at_the_first_byte_that_is_not_plain() {
        for length in 0..40 {
            for end in [b'"', b'\\', 0, 0x1f] {
                for filler in [b'a', b' ', b'!', b'#', 0x7f, 0x80, 0xa2, 0xdc, 0xff] {
                    let mut bytes = vec![filler; length];
                    assert_eq!(plain_end(&bytes, 0), length);
                    bytes.push(end);
                    bytes.extend_from_slice(b"\"\\\0 and more");
                    assert_eq!(plain_end(&bytes, 0), length, "{filler} {end}");
                }
            }
        }
    }
}
