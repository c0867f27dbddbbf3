//! Content that is compressed on its way to the client, in pieces.

use std::io;

use crate::body_memory::Taken;
use crate::compression::{Encoder, PIECE};

/// Content on its way through an encoder.
pub(super) struct Coded {
    encoder: Box<dyn Encoder>,
    /// The memory of the encoder.
    _taken: Taken,
    /// Content that is still to be encoded, from `at` on.
    content: Vec<u8>,
    at: usize,
    /// The trailers that follow, once all of the content is there.
    trailers: Option<Vec<u8>>,
    /// The encoder has content that the client cannot read yet.
    keeps_some: bool,
    /// So much was encoded since others had their turn.
    in_a_row: usize,
    /// What has come out of it and is not written yet.
    out: Vec<u8>,
}

impl Coded {
    pub(super) fn new((encoder, taken): (Box<dyn Encoder>, Taken)) -> Self {
        Self {
            encoder,
            _taken: taken,
            content: Vec::new(),
            at: 0,
            trailers: None,
            keeps_some: false,
            in_a_row: 0,
            out: Vec::new(),
        }
    }

    /// Takes more of the content.
    pub(super) fn take(&mut self, content: &[u8]) {
        self.content.extend_from_slice(content);
    }

    /// All of the content is there.
    pub(super) fn end(&mut self, trailers: &[u8]) {
        self.trailers = Some(trailers.to_vec());
    }

    /// Encodes the next piece, or ends.
    pub(super) fn encode(&mut self) -> io::Result<Next> {
        if self.in_a_row >= PIECE {
            self.in_a_row = 0;
            return Ok(Next::Others);
        }
        let rest = self.content.get(self.at..).unwrap_or_default();
        let piece = &rest[..rest.len().min(PIECE)];
        if piece.is_empty() {
            let Some(trailers) = self.trailers.take() else { return Ok(Next::Nothing) };
            self.encoder.finish(&mut self.out)?;
            self.keeps_some = false;
            return Ok(Next::End(trailers));
        }
        self.encoder.encode(piece, &mut self.out)?;
        self.in_a_row += piece.len();
        self.keeps_some = true;
        self.at += piece.len();
        if self.at == self.content.len() {
            self.at = 0;
            self.content.clear();
        }
        Ok(Next::More)
    }

    /// Gives back what the encoder keeps; says whether there was something.
    pub(super) fn flush(&mut self) -> io::Result<bool> {
        let keeps_some = std::mem::take(&mut self.keeps_some);
        if keeps_some {
            self.encoder.flush(&mut self.out)?;
        }
        Ok(keeps_some)
    }

    /// What has come out, until it is taken.
    pub(super) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }
}

/// What is next for content.
pub(super) enum Next {
    /// It has been encoded as far as it is there.
    Nothing,
    /// A piece has been encoded.
    More,
    /// It is the turn of other requests.
    Others,
    /// It has ended; the trailers.
    End(Vec<u8>),
}
