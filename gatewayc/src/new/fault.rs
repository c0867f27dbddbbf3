//! What is wrong with an argument.

use std::io;

/// An error in an argument.
pub(super) fn wrong(message: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message.into())
}
