//! A connection whose beginning was read already, which watches what the client asks of the gateway.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::http2::streams::ClientStreams;
use gateway_wire::http2::frames::Frames;

/// Streams with malformed trailers that are noted on one connection.
const MAX_MALFORMED: usize = 256;

/// Gives the beginning again, then what the connection gives.
pub(super) struct Rewind<S> {
    beginning: Vec<u8>,
    at: usize,
    io: S,
    frames: Frames,
    client: Rc<ClientStreams>,
}

impl<S> Rewind<S> {
    pub(super) fn new(beginning: Vec<u8>, io: S, client: Rc<ClientStreams>) -> Self {
        Self { beginning, at: 0, io, frames: Frames::new(client.worker.recently()), client }
    }

    /// Notes what was received.
    fn see(&mut self, from: usize, buf: &ReadBuf<'_>) {
        let seen = self.frames.see(&buf.filled()[from..], || self.client.worker.now());
        let mut malformed = self.client.malformed.borrow_mut();
        malformed.extend(seen.malformed);
        // Some are of streams that have no reader any more.
        if seen.is_too_much || malformed.len() > MAX_MALFORMED {
            self.client.has_enough.notify_one();
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewind<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let from = buf.filled().len();
        if self.at == self.beginning.len() {
            ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
            self.see(from, buf);
            return Poll::Ready(Ok(()));
        }
        let take = (self.beginning.len() - self.at).min(buf.remaining());
        buf.put_slice(&self.beginning[self.at..self.at + take]);
        self.at += take;
        if self.at == self.beginning.len() {
            (self.beginning, self.at) = (Vec::new(), 0);
        }
        self.see(from, buf);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewind<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
