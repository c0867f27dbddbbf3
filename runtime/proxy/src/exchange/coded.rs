//! A response whose content is compressed on its way to the client, in pieces.

use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};

use super::{Download, Exchange, Failure, end_chunks, write_chunk};
use crate::compression::{Encoder, PIECE};
use gateway_wire::reject::Reject;

/// Content on its way through an encoder.
pub(super) struct Coded {
    encoder: Box<dyn Encoder>,
    /// Content that is still to be encoded, from `at` on.
    content: Vec<u8>,
    at: usize,
    /// The trailers that follow, once all of the content is there.
    trailers: Option<Vec<u8>>,
    /// The encoder has content that the client cannot read yet.
    keeps_some: bool,
    /// So much was encoded since others had their turn.
    in_a_row: usize,
    /// Of the last piece.
    out: Vec<u8>,
}

impl Coded {
    pub(super) fn new(encoder: Box<dyn Encoder>) -> Self {
        Self {
            encoder,
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

    /// Encodes the next piece; says whether there was one.
    fn encode(&mut self) -> std::io::Result<bool> {
        let rest = self.content.get(self.at..).unwrap_or_default();
        let piece = &rest[..rest.len().min(PIECE)];
        if piece.is_empty() {
            return Ok(false);
        }
        self.encoder.encode(piece, &mut self.out)?;
        self.in_a_row += piece.len();
        self.keeps_some = true;
        self.at += piece.len();
        if self.at == self.content.len() {
            self.at = 0;
            self.content.clear();
        }
        Ok(true)
    }

    /// Gives back what the encoder keeps; says whether there was something.
    fn flush(&mut self) -> std::io::Result<bool> {
        let keeps_some = std::mem::take(&mut self.keeps_some);
        if keeps_some {
            self.encoder.flush(&mut self.out)?;
        }
        Ok(keeps_some)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Exchange<'_, S> {
    /// Goes on with the content that is there; ready with whether something was written, and pending where it is the turn
    /// of other requests.
    pub(super) fn poll_encode(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Failure>> {
        let Some(coded) = &mut self.coded else { return Poll::Ready(Ok(false)) };
        if coded.in_a_row >= PIECE {
            coded.in_a_row = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let is_over = match coded.encode() {
            Ok(true) => false,
            Ok(false) if coded.trailers.is_none() => return Poll::Ready(Ok(false)),
            Ok(false) => match coded.encoder.finish(&mut coded.out) {
                Ok(()) => true,
                Err(_) => return Poll::Ready(Err(broken())),
            },
            Err(_) => return Poll::Ready(Err(broken())),
        };
        self.write_coded();
        if is_over {
            let trailers = self.coded.take().and_then(|coded| coded.trailers).unwrap_or_default();
            if let Err(failure) = self.write_end(&trailers) {
                return Poll::Ready(Err(failure));
            }
        }
        Poll::Ready(Ok(true))
    }

    /// The upstream pauses: the client gets all that there is. Says whether there was something.
    pub(super) fn flush_coded(&mut self) -> Result<bool, Failure> {
        let Some(coded) = &mut self.coded else { return Ok(false) };
        let written = coded.flush().map_err(|_| broken())?;
        if written {
            self.write_coded();
        }
        Ok(written)
    }

    fn write_coded(&mut self) {
        let Some(coded) = &mut self.coded else { return };
        write_chunk(self.down.outbox.buffer(), &coded.out);
        self.progress.response_bytes += coded.out.len() as u64;
        coded.out.clear();
    }

    /// Ends a response in chunks.
    pub(super) fn write_end(&mut self, trailers: &[u8]) -> Result<(), Failure> {
        self.download = Download::Finished;
        if self.response.client_is_http11 && end_chunks(self.down.outbox.buffer(), trailers, self.fields, &[]).is_err()
        {
            return Err(Failure::Aborted(Reject::UpstreamBroken("the trailer section is malformed")));
        }
        Ok(())
    }
}

/// An encoder fails for want of memory only.
fn broken() -> Failure {
    Failure::Aborted(Reject::BodyMemory)
}
