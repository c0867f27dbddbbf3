//! `Cache-Control` (RFC 9111 §5.2): one reader for all that obeys it.
//!
//! What cannot be read is read as the more careful: a value that is no list of directives may hide any of them
//! ([`is_malformed`]), and a time that is no number is no time at all (RFC 9111 §4.2.1).

use crate::lists::{is_quoted, members};
use gateway_terms::token::is_token;

/// As many seconds as a directive may say; more are as many (RFC 9111 §1.2.2).
pub const MOST_SECONDS: u64 = 1 << 31;

/// One directive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Directive<'v> {
    /// As it was written.
    pub name: &'v str,
    /// Without quotation marks.
    pub argument: Option<&'v [u8]>,
}

impl Directive<'_> {
    /// Whether it has this name, whose letter case does not count.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The seconds that it says: 0 where it says none, or no whole number.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        seconds(self.argument).unwrap_or(0)
    }
}

/// The directives of one value. What has no name is none.
pub fn directives(value: &[u8]) -> impl Iterator<Item = Directive<'_>> {
    members(value).filter_map(|member| {
        let (name, argument) = match memchr::memchr(b'=', member) {
            Some(at) => (member[..at].trim_ascii(), Some(member[at + 1..].trim_ascii())),
            None => (member, None),
        };
        let argument = argument.map(|argument| {
            argument.strip_prefix(b"\"").and_then(|argument| argument.strip_suffix(b"\"")).unwrap_or(argument)
        });
        let name = std::str::from_utf8(name).ok().filter(|name| !name.is_empty())?;
        Some(Directive { name, argument })
    })
}

/// Whether a member of a value is no directive: a token, alone or with a token or quoted text as its argument (RFC 9111 §5.2).
/// What was meant is not clear, as in `max-age=60; private`.
#[must_use]
pub fn is_malformed(value: &[u8]) -> bool {
    // Nothing after the equals sign is read as a time that is none.
    let is_argument = |argument: &[u8]| argument.is_empty() || is_token(argument) || is_quoted(argument);
    members(value).any(|member| match memchr::memchr(b'=', member) {
        Some(at) => !is_token(member[..at].trim_ascii()) || !is_argument(member[at + 1..].trim_ascii()),
        None => !is_token(member),
    })
}

/// A whole number of seconds, and nothing else.
#[must_use]
pub fn seconds(argument: Option<&[u8]>) -> Option<u64> {
    let digits = argument.filter(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit))?;
    let number =
        digits.iter().try_fold(0_u64, |number, digit| number.checked_mul(10)?.checked_add(u64::from(digit - b'0')));
    Some(number.unwrap_or(MOST_SECONDS).min(MOST_SECONDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_have_names_and_may_have_arguments() {
        let found: Vec<(&str, Option<&[u8]>)> =
            directives(b"Max-Age=60 ,, private=\"a, no-store\", =5, s-maxage = \"7\", foo, \xff=1, bar=\"x")
                .map(|directive| (directive.name, directive.argument))
                .collect();
        let expected: [(&str, Option<&[u8]>); 5] = [
            ("Max-Age", Some(b"60")),
            ("private", Some(b"a, no-store")),
            ("s-maxage", Some(b"7")),
            ("foo", None),
            ("bar", Some(b"\"x")),
        ];
        assert_eq!(found, expected);
        assert!(directives(b"NO-Store").all(|directive| directive.is("no-store")));
        assert!(!directives(b"no-storey").any(|directive| directive.is("no-store")));
    }

    #[test]
    fn malformed_lists_of_directives_are_reported() {
        for value in [
            "max-age=60",
            "max-age = 60 ,, Private=\"a, no-store\"",
            "a=\"b\\\"c\", d",
            "max-age=",
            "max-age='60'",
            "x!#$%&'*+-.^_`|~=1",
            "",
        ] {
            assert!(!is_malformed(value.as_bytes()), "{value}");
        }
        for value in [
            "private; max-age=0",
            "no-cache; no-store",
            "no-store;",
            "no-store:1",
            "\"no-store\"",
            "max-age=0 no-store",
            "no store",
            "=no-store",
            "foo\"bar, no-store, c\"d",
            "max-age=60, x=a\"b, private, \"",
            "foo=\"bar, no-store",
            "max-age=60, foo=\"",
            "foo=\"bar\\\"",
            "a=\"b\"c",
            "a=\"b\"\"c\"",
            "no-store\u{e9}",
        ] {
            assert!(is_malformed(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn times_are_whole_numbers() {
        for (value, expected) in [
            ("max-age=60", 60),
            ("max-age=\"60\"", 60),
            ("max-age=007", 7),
            ("max-age=99999999999999999999", MOST_SECONDS),
            ("max-age=4294967296", MOST_SECONDS),
            ("max-age", 0),
            ("max-age=", 0),
            ("max-age=-1", 0),
            ("max-age=+1", 0),
            ("max-age=1.5", 0),
            ("max-age=6 0", 0),
            ("max-age='60'", 0),
            ("max-age=soon", 0),
        ] {
            assert_eq!(directives(value.as_bytes()).next().map(|it| it.seconds()), Some(expected), "{value}");
        }
    }
}
