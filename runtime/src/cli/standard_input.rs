//! What commands read from standard input.

use std::io::{self, BufRead as _};

/// Why there is no password.
#[derive(Debug, thiserror::Error)]
pub(super) enum PasswordInputError {
    /// Standard input cannot be read.
    #[error("standard input cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// Nothing was written or typed.
    #[error("the first line of standard input is empty")]
    Empty,
    /// The password that was typed again is another one.
    #[cfg(feature = "oauth")]
    #[error("the two passwords differ; nothing was changed")]
    Different,
}

/// The first line, without its end.
///
/// # Errors
/// It cannot be read, or is empty.
pub(super) fn password() -> Result<String, PasswordInputError> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let password = line.trim_end_matches(['\n', '\r']);
    if password.is_empty() { Err(PasswordInputError::Empty) } else { Ok(password.to_owned()) }
}
