//! The only ways in which text of an author reaches Rust source.

use std::collections::HashSet;
use std::fmt::Write as _;

/// More of a name does not help.
const LONGEST_NAME: usize = 60;

/// A Rust identifier.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Ident(String);

/// A Rust string literal, with its quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Literal(String);

/// One line of a comment, without the slashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Comment(String);

impl Ident {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Literal {
    /// Any text. What is not ASCII is escaped: letters that look alike are distinct, and every tool agrees on how
    /// wide the line is.
    pub(crate) fn new(text: &str) -> Self {
        let mut literal = String::with_capacity(text.len() + 2);
        literal.push('"');
        for character in text.chars() {
            match character {
                '\'' => literal.push(character),
                other => literal.extend(other.escape_default()),
            }
        }
        literal.push('"');
        Self(literal)
    }

    /// Text of visible ASCII and line ends, as it is: JSON is readable so.
    pub(crate) fn raw(text: &str) -> Self {
        let is_plain = text.bytes().all(|byte| byte == b'\n' || matches!(byte, b' '..=b'~'));
        if !is_plain || !text.contains('"') {
            return Self::new(text);
        }
        let mut marks = "#".to_owned();
        while text.contains(&format!("\"{marks}")) {
            marks.push('#');
        }
        Self(format!("r{marks}\"{text}\"{marks}"))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Comment {
    /// Any text, on one line. What a reader cannot see, or what changes the order in which text is shown, is escaped.
    pub(crate) fn new(text: &str) -> Self {
        const LONGEST: usize = 400;
        let mut line = String::new();
        for character in text.trim().chars().take(LONGEST) {
            match character {
                '\n' | '\r' | '\t' => line.push(' '),
                // `Debug` knows which characters cannot be seen; quotes and backslashes can.
                '\'' | '"' | '\\' => line.push(character),
                other => line.extend(other.escape_debug()),
            }
        }
        if text.trim().chars().nth(LONGEST).is_some() {
            line.push('…');
        }
        Self(line.trim_end().to_owned())
    }

    /// A row of a table, whose columns are aligned by spaces.
    pub(crate) fn new_row(row: &str) -> Self {
        let indent = row.len() - row.trim_start_matches(' ').len();
        Self(format!("{}{}", &row[..indent], Self::new(row).0).trim_end().to_owned())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Gives every name an identifier of its own.
#[derive(Debug, Default)]
pub(crate) struct Idents {
    taken: HashSet<String>,
}

impl Idents {
    /// Identifiers that must not be given away.
    pub(crate) fn reserve(names: &[&str]) -> Self {
        Self { taken: names.iter().map(ToString::to_string).collect() }
    }

    /// An identifier for a static: `createNote` becomes `CREATE_NOTE`.
    pub(crate) fn upper(&mut self, name: &str) -> Ident {
        let words = words(name).to_ascii_uppercase();
        self.unique(words, "N")
    }

    /// An identifier for a module, which is also a file name: `pet-store` becomes `pet_store`.
    pub(crate) fn lower(&mut self, name: &str) -> Ident {
        let words = words(name).to_ascii_lowercase();
        self.unique(words, "api")
    }

    fn unique(&mut self, words: String, prefix: &str) -> Ident {
        let starts_well = words.starts_with(|first: char| first.is_ascii_alphabetic());
        let name = if starts_well && !is_keyword(&words) {
            words
        } else {
            format!("{prefix}_{words}").trim_end_matches('_').to_owned()
        };
        let mut candidate = name.clone();
        let mut number = 2;
        while !self.taken.insert(candidate.clone()) {
            candidate = format!("{name}_{number}");
            number += 1;
        }
        Ident(candidate)
    }
}

/// ASCII words with `_` between them; other letters by their numbers, so that different names stay different.
fn words(name: &str) -> String {
    let mut words = String::new();
    let mut previous = ' ';
    for character in name.chars() {
        if words.len() >= LONGEST_NAME {
            break;
        }
        let boundary =
            !character.is_ascii_alphanumeric() || (character.is_ascii_uppercase() && previous.is_ascii_lowercase());
        if boundary && !words.is_empty() && !words.ends_with('_') {
            words.push('_');
        }
        if character.is_ascii_alphanumeric() {
            words.push(character);
        } else if !character.is_ascii() {
            let _ = write!(words, "u{:x}_", u32::from(character));
        }
        previous = character;
    }
    words.trim_end_matches('_').to_owned()
}

/// Strict and reserved words of all editions, and names with a meaning of their own in a crate's root.
fn is_keyword(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "abstract",
        "alloc",
        "as",
        "async",
        "await",
        "become",
        "box",
        "break",
        "const",
        "continue",
        "core",
        "crate",
        "do",
        "dyn",
        "else",
        "enum",
        "extern",
        "false",
        "final",
        "fn",
        "for",
        "gateway",
        "gateway_runtime",
        "gen",
        "if",
        "impl",
        "in",
        "let",
        "lib",
        "loop",
        "macro",
        "main",
        "match",
        "mod",
        "move",
        "mut",
        "override",
        "priv",
        "pub",
        "ref",
        "return",
        "self",
        "static",
        "std",
        "struct",
        "super",
        "test",
        "trait",
        "true",
        "try",
        "type",
        "typeof",
        "union",
        "unsafe",
        "unsized",
        "use",
        "virtual",
        "where",
        "while",
        "yield",
    ];
    WORDS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_an_identifier_of_its_own() {
        let mut idents = Idents::reserve(&["API"]);
        let cases = [
            ("createNote", "CREATE_NOTE"),
            ("create-note", "CREATE_NOTE_2"),
            ("create_note", "CREATE_NOTE_3"),
            ("HTTPGet2", "HTTPGET2"),
            ("", "N"),
            ("---", "N_2"),
            ("2fa", "N_2FA"),
            ("api", "API_2"),
            ("é", "UE9"),
            ("GET /v1/notes/{id}", "GET_V1_NOTES_ID"),
        ];
        for (name, expected) in cases {
            assert_eq!(idents.upper(name).as_str(), expected, "{name}");
        }
        assert!(idents.upper(&"x".repeat(10_000)).as_str().len() <= 70);
        let mut modules = Idents::default();
        for (name, expected) in [
            ("fn", "api_fn"),
            ("Self", "api_self"),
            ("pet-store", "pet_store"),
            ("3scale", "api_3scale"),
            ("main", "api_main"),
        ] {
            assert_eq!(modules.lower(name).as_str(), expected, "{name}");
        }
    }

    #[test]
    fn hostile_text_stays_where_it_is() {
        assert_eq!(
            Comment::new("a */ b\n#[x]\u{202e}\u{2028}c \\ \"").as_str(),
            "a */ b #[x]\\u{202e}\\u{2028}c \\ \""
        );
        assert_eq!(Literal::new("\"#\n\u{202e}\\").as_str(), "\"\\\"#\\n\\u{202e}\\\\\"");
    }
}
