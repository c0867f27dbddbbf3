//! Header fields of the responses that the gateway makes itself.
//!
//! What is in [`FieldLines`] is a field: its name is a token (RFC 9110 §5.1), and its value has no control characters
//! (§5.5). Whatever a value was made from, it can neither end its line nor begin another one. So code that writes the
//! lines out, or looks for one, need not check or parse them.

pub use gateway_terms::token::is_token;
use std::fmt::{self, Write as _};

/// Fields in the order in which they are sent. They are in one piece of text, so that they cost one allocation, and are
/// written out as they are.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct FieldLines(String);

/// Why something is no field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidField {
    /// The name is no token.
    Name,
    /// The value has a control character.
    Value,
}

/// The name of a field, from the source.
#[derive(Debug, Clone, Copy)]
pub struct FieldName(&'static str);

impl FieldName {
    /// For constants: what is no name does not compile.
    pub const fn new(name: &'static str) -> Self {
        assert!(is_token(name.as_bytes()), "the name of a field is a token");
        Self(name)
    }
}

/// A field that is written in the source.
#[derive(Debug, Clone, Copy)]
pub struct StaticField {
    name: &'static str,
    value: &'static str,
}

impl StaticField {
    /// For constants: what is no field does not compile.
    pub const fn new(name: &'static str, value: &'static str) -> Self {
        let FieldName(name) = FieldName::new(name);
        assert!(is_value(value.as_bytes()), "the value of a field has no control characters");
        Self { name, value }
    }
}

impl FieldLines {
    /// No field.
    pub const fn new() -> Self {
        Self(String::new())
    }

    /// No field, with room for lines of `bytes` bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    /// These fields.
    pub fn of(fields: &[StaticField]) -> Self {
        let length = |field: &StaticField| field.name.len() + ": \r\n".len() + field.value.len();
        let mut lines = Self::with_capacity(fields.iter().map(length).sum());
        for StaticField { name, value } in fields {
            lines.0.extend([name, ": ", value, "\r\n"]);
        }
        lines
    }

    /// Adds a field.
    ///
    /// # Errors
    /// It is none; nothing is added.
    pub(crate) fn push(&mut self, name: &str, value: impl fmt::Display) -> Result<(), InvalidField> {
        self.push_named(&[name], value)
    }

    /// Adds a field whose name stands here in pieces.
    ///
    /// # Errors
    /// The name or the value is none of a field (RFC 9110 §5.1, §5.5); nothing is added.
    pub fn push_named(&mut self, name: &[&str], value: impl fmt::Display) -> Result<(), InvalidField> {
        let start = self.0.len();
        name.iter().for_each(|piece| self.0.push_str(piece));
        let pushed = match is_token(&self.0.as_bytes()[start..]) {
            true => self.end_line(value),
            false => Err(InvalidField::Name),
        };
        if pushed.is_err() {
            self.0.truncate(start);
        }
        pushed
    }

    fn end_line(&mut self, value: impl fmt::Display) -> Result<(), InvalidField> {
        self.0.push_str(": ");
        let start = self.0.len();
        write!(self.0, "{value}").map_err(|fmt::Error| InvalidField::Value)?;
        if !is_value(&self.0.as_bytes()[start..]) {
            return Err(InvalidField::Value);
        }
        self.0.push_str("\r\n");
        Ok(())
    }

    /// Adds a field that says a number.
    pub fn push_number(&mut self, FieldName(name): FieldName, number: u64) {
        self.0.push_str(name);
        self.0.push_str(": ");
        // By hand: most answers of a limited operation have three of these, and formatting costs as much as all the rest.
        let (mut digits, mut at, mut rest) = ([0; 20], 20, number);
        while rest > 0 || at == digits.len() {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        self.0.extend(digits[at..].iter().map(|digit| char::from(*digit)));
        self.0.push_str("\r\n");
    }

    /// Adds a field, or leaves it out where it is none.
    pub fn push_if_valid(&mut self, name: &str, value: impl fmt::Display) {
        // The caller has said that the response goes without it.
        let _: Result<(), InvalidField> = self.push(name, value);
    }

    /// Adds all fields of another list.
    pub fn extend(&mut self, other: &Self) {
        self.0.push_str(&other.0);
    }

    /// Whether one of them has this name, in either case.
    pub(crate) fn contains(&self, name: &str) -> bool {
        // Most are empty, and this is asked for each field of a response.
        !self.0.is_empty() && self.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        // No name has a colon, and nothing has a line end.
        self.0.lines().filter_map(|line| line.split_once(": "))
    }

    /// All lines, each with its end.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// `Debug` shows names only: a value may be a cookie or a code.
impl fmt::Debug for FieldLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

/// Whether a text can be the value of a field that we send. A tab is allowed, but not needed.
const fn is_value(text: &[u8]) -> bool {
    let mut at = 0;
    while at < text.len() {
        if text[at] < b' ' || text[at] == 0x7f {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: &FieldLines) -> &str {
        std::str::from_utf8(lines.as_bytes()).expect("text")
    }

    #[test]
    fn fields_stand_in_lines() {
        const NOSNIFF: StaticField = StaticField::new("X-Content-Type-Options", "nosniff");
        let mut lines = FieldLines::of(&[NOSNIFF]);
        assert_eq!(lines.push("Location", "/a: b"), Ok(()));
        assert_eq!(lines.push_named(&["X-", "RateLimit"], 7), Ok(()));
        lines.push_number(FieldName::new("Retry-After"), 60);
        assert_eq!(lines.push("X-Empty", ""), Ok(()));
        assert_eq!(lines.push("X-Text", "caf\u{e9}"), Ok(()));
        assert_eq!(
            text(&lines),
            "X-Content-Type-Options: nosniff\r\nLocation: /a: b\r\nX-RateLimit: 7\r\nRetry-After: 60\r\nX-Empty: \r\nX-Text: caf\u{e9}\r\n"
        );
        let all: Vec<_> = lines.iter().collect();
        assert_eq!(
            all,
            [
                ("X-Content-Type-Options", "nosniff"),
                ("Location", "/a: b"),
                ("X-RateLimit", "7"),
                ("Retry-After", "60"),
                ("X-Empty", ""),
                ("X-Text", "caf\u{e9}")
            ]
        );
        assert!(lines.contains("location") && !lines.contains("Loc") && !lines.contains(""));
        assert_eq!(format!("{:?}", FieldLines::of(&[NOSNIFF])), r#"["X-Content-Type-Options"]"#);
    }

    #[test]
    fn invalid_names_and_values_are_refused() {
        let mut lines = FieldLines::new();
        assert_eq!(lines.push("Vary", "Origin"), Ok(()));
        let before = lines.clone();
        for value in [
            "a\r\nSet-Cookie: b",
            "a\nb",
            "a\rb",
            "\r\n",
            "\r\n\r\n<html>",
            "a\0b",
            "a\tb",
            "a\x0bb",
            "a\x1fb",
            "a\x7f",
        ] {
            assert_eq!(lines.push("X-A", value), Err(InvalidField::Value), "{value:?}");
            lines.push_if_valid("X-A", value);
        }
        for name in
            ["", " ", "a b", "a:", "a: b\r\nc", "a\r\n", "\r\na", "a\0", "caf\u{e9}", "\"a\"", "(a)", "a/b", "a\t"]
        {
            assert_eq!(lines.push(name, "b"), Err(InvalidField::Name), "{name:?}");
            lines.push_if_valid(name, "b");
        }
        // What writes itself in pieces is judged as a whole, and what gives up in the middle leaves nothing behind.
        assert_eq!(lines.push("X-A", format_args!("a{}b", "\r\n")), Err(InvalidField::Value));
        let broken = fmt::from_fn(|f| f.write_str("X-B: half").and(Err(fmt::Error)));
        assert_eq!(lines.push("X-A", &broken), Err(InvalidField::Value));
        assert_eq!(lines.push_named(&["X-A", ":", " b"], "a"), Err(InvalidField::Name));
        assert_eq!(lines.push_named(&[], "a"), Err(InvalidField::Name));
        assert_eq!(lines, before);
    }

    #[test]
    fn numbers_are_whole() {
        const AGE: FieldName = FieldName::new("Age");
        for number in [0, 7, 10, 1_000, 123_456_789, u64::MAX] {
            let mut lines = FieldLines::new();
            lines.push_number(AGE, number);
            assert_eq!(text(&lines), format!("Age: {number}\r\n"));
        }
    }

    #[test]
    fn lists_are_joined() {
        const VARY: StaticField = StaticField::new("Vary", "Origin");
        const CACHE: StaticField = StaticField::new("Cache-Control", "no-store");
        let mut lines = FieldLines::of(&[CACHE]);
        lines.extend(&FieldLines::of(&[VARY, VARY]));
        lines.extend(&FieldLines::new());
        assert_eq!(text(&lines), "Cache-Control: no-store\r\nVary: Origin\r\nVary: Origin\r\n");
    }
}
