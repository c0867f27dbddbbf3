//! Changes to the header fields of a message, as documents describe them.

/// Changes to the headers of a message: first `remove`, then `set` (replacing), then `add` (beside what is there).
#[derive(Debug)]
pub struct HeaderEdits {
    /// Names, in lower case.
    pub remove: &'static [&'static str],
    /// Names as written by the author, and values.
    pub set: &'static [(&'static str, &'static str)],
    /// Names as written by the author, and values.
    pub add: &'static [(&'static str, &'static str)],
}
