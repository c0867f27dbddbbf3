//! Zstandard (RFC 8878).

use std::io;

use zstd_safe::{CCtx, CParameter, ErrorCode, InBuffer, OutBuffer, get_error_name};

use crate::compression::{Coding, Encoder};
use gateway_terms::compression::ContentCoding;

/// What zstd uses by itself.
const LEVEL: i32 = 3;

/// The binary logarithm of the window: an encoder, and the client, keep 256 KiB of the content (RFC 9659 §3 allows 8 MiB).
const WINDOW_LOG: u32 = 18;

/// Room for output that is made at once.
const OUTPUT: usize = 16 << 10;

/// The coding `zstd`. An encoder takes up to 2 MiB, and less for a short content of a known length.
#[derive(Debug, Clone, Copy)]
pub struct Zstd;

impl Coding for Zstd {
    fn coding(&self) -> ContentCoding {
        ContentCoding::Zstd
    }

    fn memory(&self) -> u64 {
        2 << 20
    }

    fn encoder(&self, length: Option<u64>) -> io::Result<Box<dyn Encoder>> {
        let mut context = CCtx::try_create().ok_or(io::ErrorKind::OutOfMemory)?;
        for parameter in [CParameter::CompressionLevel(LEVEL), CParameter::WindowLog(WINDOW_LOG)] {
            context.set_parameter(parameter).map_err(failed)?;
        }
        context.set_pledged_src_size(length).map_err(failed)?;
        Ok(Box::new(ZstdEncoder(context)))
    }
}

struct ZstdEncoder(CCtx<'static>);

impl Encoder for ZstdEncoder {
    fn encode(&mut self, piece: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        let mut input = InBuffer::around(piece);
        while input.pos() < piece.len() {
            with_room(out, |output| self.0.compress_stream(output, &mut input))?;
        }
        Ok(())
    }

    fn flush(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        while with_room(out, |output| self.0.flush_stream(output))? > 0 {}
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        while with_room(out, |output| self.0.end_stream(output))? > 0 {}
        Ok(())
    }
}

fn with_room(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut OutBuffer<'_, Vec<u8>>) -> Result<usize, ErrorCode>,
) -> io::Result<usize> {
    out.reserve(OUTPUT);
    let written = out.len();
    write(&mut OutBuffer::around_pos(out, written)).map_err(failed)
}

fn failed(code: ErrorCode) -> io::Error {
    io::Error::other(get_error_name(code))
}
