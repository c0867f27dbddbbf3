//! Numbers of things, in words.

/// `1 listener`, `2 listeners`.
#[must_use]
pub fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
