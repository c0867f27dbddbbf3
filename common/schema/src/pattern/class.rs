//! Classes of characters: `[…]`.

use super::char_set::CharSet;
use super::cursor::Cursor;
use super::error::PatternError;
use super::escape::{self, Escaped};

/// A class whose `[` at `start` is read.
pub(super) fn class(cursor: &mut Cursor<'_>, start: usize) -> Result<CharSet, PatternError> {
    let is_negated = cursor.take('^');
    let mut ranges = Vec::new();
    loop {
        let at = cursor.at();
        let first = match member(cursor, start)? {
            Member::End => break,
            Member::Set(set) => {
                ranges.extend_from_slice(set.ranges());
                continue;
            }
            Member::One(first) => first,
        };
        let mut ahead = cursor.clone();
        let last = if ahead.take('-') { member(&mut ahead, start)? } else { Member::End };
        match last {
            // A `-` before the end, or before `\w`, stands for itself.
            Member::End | Member::Set(_) => ranges.push((first, first)),
            Member::One(last) if last < first => {
                return Err(PatternError::new(at, "a range of characters is out of order"));
            }
            Member::One(last) => {
                ranges.push((first, last));
                *cursor = ahead;
            }
        }
    }
    let set = CharSet::new(ranges);
    Ok(if is_negated { set.negated() } else { set })
}

enum Member {
    /// The `]`.
    End,
    One(u32),
    Set(CharSet),
}

fn member(cursor: &mut Cursor<'_>, start: usize) -> Result<Member, PatternError> {
    let at = cursor.at();
    match cursor.next() {
        None => Err(PatternError::new(start, "`[` is never closed")),
        Some(']') => Ok(Member::End),
        Some('\\') => Ok(match escape::escape_in_class(cursor, at)? {
            Escaped::Character(code) => Member::One(code),
            Escaped::Set(set) => Member::Set(set),
            Escaped::Assertion(_) => Member::One(0x08),
        }),
        Some(other) => Ok(Member::One(u32::from(other))),
    }
}
