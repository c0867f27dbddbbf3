//! Regular expressions of JSON Schema (ECMA-262 §22.2), matched in bounded time.
//!
//! A pattern is read as with the flag `u`. Escapes of characters that have no meaning otherwise, such as `\-` and `\_`, stand for
//! the character. Back-references are refused, because no bound is known for them. Classes of Unicode are general categories,
//! scripts and a few properties: `\p{L}`, `\p{Script=Greek}`, `\p{Alphabetic}`.

mod bits;
mod categories;
mod char_set;
mod class;
mod cursor;
mod error;
mod escape;
mod node;
mod parse;
mod program;
mod property;
mod run;
mod scripts;
mod stack;

pub use error::PatternError;
pub use run::Outcome;

use program::Program;

/// A regular expression, ready to match.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: Box<str>,
    program: Program,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it, where it is known where.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        let program = program::compile(&parse::parse(text)?)?;
        Ok(Self { text: text.into(), program })
    }

    /// Whether it matches anywhere in the text.
    #[must_use]
    pub fn find(&self, text: &str) -> Outcome {
        self.find_counted(text).0
    }

    /// The same, with the steps that it took.
    #[must_use]
    pub(crate) fn find_counted(&self, text: &str) -> (Outcome, u64) {
        run::find(&self.program, text)
    }

    /// The pattern, as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pattern, texts that match, and texts that do not.
    type Case = (&'static str, &'static [&'static str], &'static [&'static str]);

    #[rustfmt::skip]
    static CASES: &[Case] = &[
        ("", &["", "a"], &[]),
        ("a", &["a", "bab"], &["", "b", "A"]),
        ("^[A-Z]{3}-[0-9]{4}$", &["ABC-1234"], &["abc-1234", "ABC-12345", "xABC-1234", "ABC-1234\n"]),
        ("^(cat|dog|)$", &["cat", "dog", ""], &["catdog", "c"]),
        ("^a{2}b{1,3}c{2,}$", &["aabcc", "aabbbccc"], &["abcc", "aabbbbcc", "aabc"]),
        ("^(?:ab){2,3}$", &["abab", "ababab"], &["ab", "abababab", "aba"]),
        ("^(?<name>a)+?b*?$", &["a", "aab"], &["b"]),
        (r"^\d\D\w\W\s\S$", &["1a_- x", "0é9é\u{feff}é"], &["١a_- x", "1aé- x"]),
        (".", &["a", "é", "😀"], &["", "\n", "\r", "\u{2028}"]),
        ("^..$", &["😀😀"], &["😀"]),
        (r"\bb\B.", &["a bc"], &["abc", "b"]),
        (r"^\u0041\u{1F600}\x41\cA\0\t\n\v\f\r$", &["A😀A\u{1}\0\t\n\u{b}\u{c}\r"], &[""]),
        (r"^[\ud83d\ude00-\ud83d\ude4f\b]$", &["😀", "\u{8}"], &["a"]),
        (r"^[\u0020-\uFFFF]{1,32768}$", &["aé€"], &["", "😀", "\n"]),
        ("^[^]$", &["a", "\n"], &[""]),
        ("[]", &[], &["", "a"]),
        (r"^[\w-.]+$", &["a-.b"], &["a/b"]),
        (r"^\-\/\_\@\:\,\ \#$", &["-/_@:, #"], &[]),
        ("^{a}]$", &["{a}]"], &["a"]),
        ("^a{x}$", &["a{x}"], &["a"]),
        ("a(?=b)", &["ab"], &["ac", "a"]),
        ("a(?!b)", &["ac", "a"], &["ab"]),
        ("(?<=a)b", &["ab"], &["b", "cb"]),
        ("(?<!a|cd)b", &["b", "xb", "db"], &["ab", "cdb"]),
        ("^(?=.*[A-Z])(?=.*\\d).{4,}$", &["abA1"], &["abc1", "ABCD", "aA1"]),
        ("(?<=^a(?=bc)b{1,2})c", &["abc"], &["abbc", "xabc"]),
        // A look whose loop goes round without a character, from two places.
        ("^(?:x(?=(?:x?y?)*$)|.)*x$", &["xx", "xyx"], &["xy"]),
        (r"^\p{Lu}\p{L}*\P{L}$", &["Été1", "A-"], &["été1", "ÉtéÉ"]),
        (r"^[\p{Nd}\p{gc=Sc}]+$", &["1€٣"], &["½"]),
        (r"^[\p{Script=Greek}\P{sc=Common}]+$", &["αβ", "aя"], &["1", " "]),
        ("^(a+)+$", &["aaa"], &["aaab"]),
        ("^(?:a?){3}$", &["", "aaa"], &["aaaa"]),
        ("^(?:a*)*b$", &["b", "aab"], &["aa"]),
    ];

    #[test]
    fn texts_match_or_differ() {
        for (pattern, good, bad) in CASES {
            let pattern = Pattern::new(pattern).expect(pattern);
            for text in *good {
                assert_eq!(pattern.find(text), Outcome::Matches, "{} {text:?}", pattern.as_str());
            }
            for text in *bad {
                assert_eq!(pattern.find(text), Outcome::Differs, "{} {text:?}", pattern.as_str());
            }
        }
    }

    #[test]
    fn mistakes_in_patterns_are_explained() {
        for (pattern, at, message) in [
            ("a[b", 1, "`[` is never closed"),
            ("a(b", 1, "`(` is never closed"),
            ("a)b", 1, "`)` closes no group"),
            ("a|*", 2, "`*` has nothing to repeat"),
            ("^+", 1, "the quantifier has nothing to repeat: an assertion stands before it"),
            ("{2}", 0, "`{` has nothing to repeat"),
            ("a{2,1}", 1, "the counts in `{…}` are out of order"),
            ("a{,5}", 2, "`{,5}` is no quantifier: write `{0,5}`"),
            ("[b-a]", 1, "a range of characters is out of order"),
            ("a\\", 1, "`\\` stands at the end"),
            ("\\Aa", 0, "`\\A` has no meaning in ECMA-262: write `^`"),
            ("a\\Z", 1, "`\\Z` has no meaning in ECMA-262: write `$`"),
            ("\\i", 0, "`\\i` has no meaning in ECMA-262"),
            ("\\u12", 0, "`\\u` must be followed by four hexadecimal digits, or by `{…}`"),
            ("(a)\\1", 3, "the back-reference `\\1` is not supported: it cannot be matched in bounded time"),
            (
                "(?i)a",
                0,
                "`(?` must be followed by `:`, `=`, `!`, `<=`, `<!` or `<name>`: ECMA-262 has no other groups",
            ),
            (
                "\\p{scx=Greek}",
                0,
                "`\\p{scx=Greek}` is not supported: only general categories and scripts are, such as `L` and `Script=Greek`",
            ),
            ("(?:ab){30000}", 0, "is too large: its counts ask for too many copies of what they repeat"),
            ("((a{1,99}b){1,99}c){1,99}", 0, "is too large: its counts ask for too many copies of what they repeat"),
        ] {
            let error = Pattern::new(pattern).expect_err(pattern);
            assert_eq!((error.at, error.message.as_str()), (at, message), "{pattern}");
        }
        let deep = "(".repeat(100_000);
        assert_eq!(Pattern::new(&deep).expect_err("deep").message, "more than 100 groups stand in each other");
    }

    #[test]
    fn hostile_texts_take_bounded_time() {
        let long = "a".repeat(100_000);
        for (pattern, outcome) in [
            ("^(a+)+$", Outcome::Matches),
            ("^(a|a)*b$", Outcome::Differs),
            ("^(([a-z])+.)+[A-Z]([a-z])+$", Outcome::Differs),
            ("a*a*a*a*b", Outcome::Differs),
            ("[a-z]+@", Outcome::Differs),
            ("(?:(?=.*b)a)*c", Outcome::Differs),
            ("(?:(?=.*a)a)*$", Outcome::Matches),
            ("(?<=a*)b", Outcome::Differs),
            ("^(?:(?!b).)*$", Outcome::Matches),
            ("(a{1,30}){1,30}b", Outcome::TooLong),
            ("(?:a{0,50}b?){100}$", Outcome::TooLong),
        ] {
            assert_eq!(Pattern::new(pattern).expect(pattern).find(&long), outcome, "{pattern}");
        }
    }
}
