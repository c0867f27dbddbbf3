//! gzip (RFC 1952).

use std::io::{self, Write};

use flate2::Compression as Level;
use flate2::write::GzEncoder;

use crate::compression::{Coding, Encoder};
use gateway_terms::compression::ContentCoding;

/// What zlib uses by itself; higher levels take far more time for little.
const LEVEL: u32 = 6;

/// The coding `gzip`. An encoder takes about 0.5 MiB.
#[derive(Debug, Clone, Copy)]
pub struct Gzip;

impl Coding for Gzip {
    fn coding(&self) -> ContentCoding {
        ContentCoding::Gzip
    }

    fn memory(&self) -> u64 {
        512 << 10
    }

    fn encoder(&self, _: Option<u64>) -> io::Result<Box<dyn Encoder>> {
        Ok(Box::new(GzipEncoder(GzEncoder::new(Vec::new(), Level::new(LEVEL)))))
    }
}

struct GzipEncoder(GzEncoder<Vec<u8>>);

impl Encoder for GzipEncoder {
    fn encode(&mut self, piece: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        self.0.write_all(piece)?;
        out.append(self.0.get_mut());
        Ok(())
    }

    fn flush(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.0.flush()?;
        out.append(self.0.get_mut());
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.0.try_finish()?;
        out.append(self.0.get_mut());
        Ok(())
    }
}
