//! Escapes: `\d`, `\u00e9`, `\.`.

use super::char_set::CharSet;
use super::cursor::Cursor;
use super::error::PatternError;
use super::node::Assertion;
use super::property::property;

/// What an escape stands for.
pub(super) enum Escaped {
    /// A code point.
    Character(u32),
    /// One of several.
    Set(CharSet),
    /// A place.
    Assertion(Assertion),
}

/// The characters that end a line (ECMA-262 §12.3).
pub(super) fn line_ends() -> CharSet {
    CharSet::new(vec![(0x0a, 0x0a), (0x0d, 0x0d), (0x2028, 0x2029)])
}

/// The characters of `\w`.
pub(super) fn words() -> CharSet {
    CharSet::new(vec![(0x30, 0x39), (0x41, 0x5a), (0x5f, 0x5f), (0x61, 0x7a)])
}

/// The characters of `\s`: white space and line ends (ECMA-262 §12.2, §12.3).
fn spaces() -> CharSet {
    let single = [0x20, 0xa0, 0x1680, 0x202f, 0x205f, 0x3000, 0xfeff].map(|code| (code, code));
    CharSet::new([&single[..], &[(0x09, 0x0d), (0x2000, 0x200a), (0x2028, 0x2029)]].concat())
}

/// An escape in a class, whose `\` at `at` is read. `\b` is a backspace there, and `\B` nothing.
pub(super) fn escape_in_class(cursor: &mut Cursor<'_>, at: usize) -> Result<Escaped, PatternError> {
    match escape(cursor, at)? {
        Escaped::Assertion(Assertion::WordEdge) => Ok(Escaped::Character(0x08)),
        Escaped::Assertion(_) => Err(PatternError::new(at, "`\\B` has no meaning in `[…]`")),
        other => Ok(other),
    }
}

/// An escape whose `\` at `at` is read.
pub(super) fn escape(cursor: &mut Cursor<'_>, at: usize) -> Result<Escaped, PatternError> {
    let error = |message: String| Err(PatternError::new(at, message));
    let Some(letter) = cursor.next() else { return error("`\\` stands at the end".to_owned()) };
    Ok(match letter {
        'd' => Escaped::Set(CharSet::new(vec![(0x30, 0x39)])),
        'D' => Escaped::Set(CharSet::new(vec![(0x30, 0x39)]).negated()),
        'w' => Escaped::Set(words()),
        'W' => Escaped::Set(words().negated()),
        's' => Escaped::Set(spaces()),
        'S' => Escaped::Set(spaces().negated()),
        'b' => Escaped::Assertion(Assertion::WordEdge),
        'B' => Escaped::Assertion(Assertion::NoWordEdge),
        't' => Escaped::Character(0x09),
        'n' => Escaped::Character(0x0a),
        'v' => Escaped::Character(0x0b),
        'f' => Escaped::Character(0x0c),
        'r' => Escaped::Character(0x0d),
        '0' if !cursor.peek().is_some_and(|next| next.is_ascii_digit()) => Escaped::Character(0),
        '0' => return error("`\\0` must not be followed by a digit".to_owned()),
        '1'..='9' | 'k' => {
            let message =
                format!("the back-reference `\\{letter}` is not supported: it cannot be matched in bounded time");
            return error(message);
        }
        'c' => match cursor.next().filter(char::is_ascii_alphabetic) {
            Some(control) => Escaped::Character(u32::from(control) % 32),
            None => return error("`\\c` must be followed by a letter".to_owned()),
        },
        'x' => match hex(cursor, 2) {
            Some(code) => Escaped::Character(code),
            None => return error("`\\x` must be followed by two hexadecimal digits".to_owned()),
        },
        'u' => match unicode(cursor) {
            Some(code) => Escaped::Character(code),
            None => return error("`\\u` must be followed by four hexadecimal digits, or by `{…}`".to_owned()),
        },
        'p' | 'P' => {
            let name = cursor.take('{').then(|| cursor.take_until('}')).flatten();
            let Some(name) = name else { return error(format!("`\\{letter}` must be followed by `{{…}}`")) };
            let Some(set) = property(name) else {
                let known = "only general categories and scripts are, such as `L` and `Script=Greek`";
                return error(format!("`\\{letter}{{{name}}}` is not supported: {known}"));
            };
            Escaped::Set(if letter == 'P' { set.negated() } else { set })
        }
        'A' => return error("`\\A` has no meaning in ECMA-262: write `^`".to_owned()),
        'Z' | 'z' => return error(format!("`\\{letter}` has no meaning in ECMA-262: write `$`")),
        letter if letter.is_alphanumeric() => return error(format!("`\\{letter}` has no meaning in ECMA-262")),
        // Annex B: what has no meaning otherwise stands for itself.
        other => Escaped::Character(u32::from(other)),
    })
}

/// What stands behind `\u`: one code point, which may be written as two surrogates.
fn unicode(cursor: &mut Cursor<'_>) -> Option<u32> {
    if cursor.take('{') {
        let digits = cursor.take_until('}')?;
        let is_hex = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let code = is_hex.then(|| u32::from_str_radix(digits.trim_start_matches('0'), 16).unwrap_or(0))?;
        let is_zero = digits.bytes().all(|digit| digit == b'0');
        return (is_zero || (1..=0x10_ffff).contains(&code)).then_some(code);
    }
    let high = hex(cursor, 4)?;
    if !(0xd800..0xdc00).contains(&high) {
        return Some(high);
    }
    let mut ahead = cursor.clone();
    let low = if ahead.take_text("\\u") { hex(&mut ahead, 4) } else { None };
    match low {
        Some(low) if (0xdc00..0xe000).contains(&low) => {
            *cursor = ahead;
            Some(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00))
        }
        _ => Some(high),
    }
}

fn hex(cursor: &mut Cursor<'_>, digits: usize) -> Option<u32> {
    let mut code = 0;
    for _ in 0..digits {
        code = code << 4 | cursor.next()?.to_digit(16)?;
    }
    Some(code)
}
