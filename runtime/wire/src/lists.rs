//! Lists in the values of fields (RFC 9110 §5.6.1), in which quoted text may have commas.

/// The members of a list, without the empty ones.
pub fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let value = rest.take()?;
        let mut quoted = Quoted::default();
        for (at, byte) in value.iter().enumerate() {
            if !quoted.goes_on(*byte) && *byte == b',' {
                rest = Some(&value[at + 1..]);
                return Some(value[..at].trim_ascii());
            }
        }
        Some(value.trim_ascii())
    })
    .filter(|member| !member.is_empty())
}

/// Whether a value is one quoted text, from its first byte to its last.
#[must_use]
pub fn is_quoted(value: &[u8]) -> bool {
    let mut quoted = Quoted::default();
    !value.is_empty() && value.iter().all(|byte| quoted.goes_on(*byte)) && !quoted.is_open && quoted.texts == 1
}

/// Quoted text (RFC 9110 §5.6.4) while it is read.
#[derive(Default)]
struct Quoted {
    is_open: bool,
    is_escaped: bool,
    /// So many have ended.
    texts: u32,
}

impl Quoted {
    /// Takes the next byte; says whether it is in quoted text.
    fn goes_on(&mut self, byte: u8) -> bool {
        let was_open = self.is_open;
        match byte {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' if self.is_open => self.is_escaped = true,
            b'"' => {
                self.texts += u32::from(self.is_open);
                self.is_open = !self.is_open;
            }
            _ => {}
        }
        was_open || self.is_open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_quoted_text_separate_nothing() {
        for (value, expected) in [
            ("a, b", &["a", "b"][..]),
            (" ,a ,, b,", &["a", "b"]),
            ("a=\"x, y\", b", &["a=\"x, y\"", "b"]),
            ("a=\"x\\\", y\", b", &["a=\"x\\\", y\"", "b"]),
            ("a\\, b", &["a\\", "b"]),
            ("a=\"x, b", &["a=\"x, b"]),
            ("", &[]),
        ] {
            let found: Vec<&[u8]> = members(value.as_bytes()).collect();
            assert_eq!(found, expected.iter().map(|member| member.as_bytes()).collect::<Vec<_>>(), "{value}");
        }
    }

    #[test]
    fn quoted_text_begins_and_ends_with_its_quotation_marks() {
        for (value, expected) in [
            ("\"\"", true),
            ("\"b, c\"", true),
            ("\"b\\\\\"", true),
            ("\"b\\\"\"", true),
            ("\"b", false),
            ("\"b\\\"", false),
            ("\"b\"c", false),
            ("\"b\"\"c\"", false),
            ("b\"c\"", false),
            ("\"", false),
            ("b", false),
            ("", false),
        ] {
            assert_eq!(is_quoted(value.as_bytes()), expected, "{value}");
        }
    }
}
