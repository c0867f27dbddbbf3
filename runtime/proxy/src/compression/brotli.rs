//! Brotli (RFC 7932).

use std::io::{self, Write};

use brotli::CompressorWriter;
use brotli::enc::BrotliEncoderParams;

use crate::compression::{Coding, Encoder};
use gateway_terms::compression::ContentCoding;

/// About as fast as gzip, with less to send.
const QUALITY: i32 = 4;

/// The binary logarithm of the window: an encoder, and the client, keep 256 KiB of the content.
const WINDOW_LOG: i32 = 18;

/// Bytes of output that the encoder hands over at once.
const OUTPUT: usize = 4 << 10;

/// The coding `br`. An encoder takes up to 3.5 MiB.
#[derive(Debug, Clone, Copy)]
pub struct Brotli;

impl Coding for Brotli {
    fn coding(&self) -> ContentCoding {
        ContentCoding::Brotli
    }

    fn memory(&self) -> u64 {
        3584 << 10
    }

    // With the size of a large content, it would take twice the memory.
    fn encoder(&self, _: Option<u64>) -> io::Result<Box<dyn Encoder>> {
        let params = BrotliEncoderParams { quality: QUALITY, lgwin: WINDOW_LOG, ..BrotliEncoderParams::default() };
        Ok(Box::new(BrotliEncoder(Some(CompressorWriter::with_params(Vec::new(), OUTPUT, &params)))))
    }
}

/// Empty once the content has ended.
struct BrotliEncoder(Option<CompressorWriter<Vec<u8>>>);

impl Encoder for BrotliEncoder {
    fn encode(&mut self, piece: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        let Some(writer) = &mut self.0 else { return Err(io::ErrorKind::WriteZero.into()) };
        writer.write_all(piece)?;
        out.append(writer.get_mut());
        Ok(())
    }

    fn flush(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        let Some(writer) = &mut self.0 else { return Err(io::ErrorKind::WriteZero.into()) };
        writer.flush()?;
        out.append(writer.get_mut());
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        let Some(writer) = self.0.take() else { return Err(io::ErrorKind::WriteZero.into()) };
        out.append(&mut writer.into_inner());
        Ok(())
    }
}
