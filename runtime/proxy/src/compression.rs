//! Compression of responses: which of them, in which coding, and what their heads say of it.
//!
//! The encoders are reached from the statics of the documents that name their coding, and from nowhere else.

#[cfg(feature = "compress")]
pub mod brotli;
pub(crate) mod choice;
#[cfg(feature = "compress")]
pub mod gzip;
pub(crate) mod head;
#[cfg(feature = "compress")]
pub mod zstd;

use std::fmt::Debug;
use std::io;

use gateway_base::units::ByteSize;
use gateway_terms::compression::ContentCoding;

/// Content is encoded in pieces of at most this many bytes: in between, other requests of the thread have their turn.
pub(crate) const PIECE: usize = 64 << 10;

/// Which responses of an operation are compressed, and how.
#[derive(Debug)]
pub struct Compression {
    /// The codings, the one that the document likes best first.
    pub codings: &'static [&'static dyn Coding],
    /// A smaller content stays as it is, where its size is known.
    pub min: ByteSize,
    /// Media types, ranges of them (`text/*`) and suffixes (`+json`).
    pub types: &'static [&'static str],
}

/// A content coding with its encoder.
pub trait Coding: Sync + Debug {
    /// Which one it is.
    fn coding(&self) -> ContentCoding;

    /// The most bytes that an encoder takes.
    fn memory(&self) -> u64;

    /// An encoder for one content, of `length` bytes where that is known.
    ///
    /// # Errors
    /// There is no memory for one.
    fn encoder(&self, length: Option<u64>) -> io::Result<Box<dyn Encoder>>;
}

/// Encodes one content. Each function appends what is ready to `out`.
pub trait Encoder {
    /// Takes the next piece of the content, and may keep it for a while.
    ///
    /// # Errors
    /// It cannot go on; what it has written is not whole.
    fn encode(&mut self, piece: &[u8], out: &mut Vec<u8>) -> io::Result<()>;

    /// Gives back whatever it keeps, so that the client can read all of the content so far.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    fn flush(&mut self, out: &mut Vec<u8>) -> io::Result<()>;

    /// Ends the content.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    fn finish(&mut self, out: &mut Vec<u8>) -> io::Result<()>;
}

#[cfg(all(test, feature = "compress"))]
mod tests;
