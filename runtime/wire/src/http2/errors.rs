//! Errors of HTTP/2 streams as errors of reading and writing.

use std::io;

/// A stream that cannot go on, as the pipeline sees it.
pub fn broken(_: h2::Error) -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}
