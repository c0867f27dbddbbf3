//! Changes to the header fields of a message, as documents describe them.

use gateway_base::secret::SecretReference;

/// Changes to the headers of a message: first `remove`, then `set` (replacing), then `add` (beside what is there).
#[derive(Debug)]
pub struct HeaderEdits {
    /// Names, in lower case.
    pub remove: &'static [&'static str],
    /// Names as written by the author, and values.
    pub set: &'static [(&'static str, &'static str)],
    /// The same with values that the running gateway finds; for requests only, and written by who knows the secrets.
    pub set_secret: &'static [(&'static str, SecretReference)],
    /// Names as written by the author, and values.
    pub add: &'static [(&'static str, &'static str)],
}
