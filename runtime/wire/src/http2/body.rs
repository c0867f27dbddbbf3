//! Bodies on their way between a stream of HTTP/2 and a message of HTTP/1.1, in either direction.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::ReadBuf;

use crate::http1::chunked::{Decoder, Step, open_chunk};
use crate::http2::errors::broken;

/// Bytes that are handed over at once.
const MAX_AT_ONCE: usize = 64 << 10;

/// How a body is framed in HTTP/1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFraming {
    /// There is none.
    None,
    /// As it comes: its length is in the head, and h2 holds the peer to it (RFC 9113 §8.1.1).
    Counted,
    /// In the chunked coding: its length is not known yet.
    Chunked,
}

/// Takes bytes of a head of HTTP/1.1 of which `begun` is there: the head, once it is whole, and how many of `bytes`
/// belong to it.
pub fn take_head(begun: &mut Vec<u8>, bytes: &[u8]) -> (Option<Bytes>, usize) {
    let had = begun.len();
    if had == 0
        && let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n")
    {
        return (Some(Bytes::copy_from_slice(&bytes[..end + 4])), end + 4);
    }
    begun.extend_from_slice(bytes);
    let from = had.saturating_sub(3);
    let Some(end) = memchr::memmem::find(&begun[from..], b"\r\n\r\n") else { return (None, bytes.len()) };
    let length = from + end + 4;
    let head = Bytes::copy_from_slice(&begun[..length]);
    begun.clear();
    (Some(head), length - had)
}

/// A body that comes from a stream.
pub struct Incoming {
    /// Nothing once it has ended.
    body: Option<RecvStream>,
    framing: BodyFraming,
    /// Chunk framing that comes before `data`.
    before: Vec<u8>,
    data: Bytes,
    /// A chunk was begun, so that a line end is due before the next one.
    in_chunk: bool,
}

/// A body that goes into a stream.
pub struct Outgoing {
    stream: SendStream<Bytes>,
    left: Left,
}

/// What is left of a body.
enum Left {
    /// This many bytes.
    Counted(u64),
    /// What the chunked coding says; the number is the bytes of the current piece that are still to be handed over.
    Chunked(Box<Decoder>, usize),
    /// Whatever comes, until [`Outgoing::end`].
    Open,
    Nothing,
}

impl Incoming {
    /// The body that `body` receives, given out with the `framing` that the head in HTTP/1.1 announces.
    pub fn new(body: RecvStream, framing: BodyFraming) -> Self {
        let body = Some(body).filter(|_| framing != BodyFraming::None);
        Self { body, framing, before: Vec::new(), data: Bytes::new(), in_chunk: false }
    }

    /// Gives out what is there, or waits for more; false at the end.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<bool>> {
        loop {
            if !self.before.is_empty() || !self.data.is_empty() {
                return Poll::Ready(self.give(buf).map(|()| true));
            }
            if !ready!(self.poll_more(cx))? {
                return Poll::Ready(Ok(false));
            }
        }
    }

    /// Brings more of the body into `before` and `data`; false at its end.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let Some(body) = &mut self.body else { return Poll::Ready(Ok(false)) };
        if let Some(data) = ready!(body.poll_data(cx)) {
            self.data = data.map_err(broken)?;
            // An empty chunk would be the last one.
            if self.framing == BodyFraming::Chunked && !self.data.is_empty() {
                self.end_chunk();
                open_chunk(&mut self.before, self.data.len());
                self.in_chunk = true;
            }
            return Poll::Ready(Ok(true));
        }
        let trailers = ready!(body.poll_trailers(cx)).map_err(broken)?;
        if self.framing == BodyFraming::Chunked {
            self.end_chunk();
            self.before.extend_from_slice(b"0\r\n");
            for (name, value) in trailers.iter().flatten() {
                for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                    self.before.extend_from_slice(part);
                }
            }
            self.before.extend_from_slice(b"\r\n");
        }
        self.body = None;
        Poll::Ready(Ok(true))
    }

    fn end_chunk(&mut self) {
        if std::mem::take(&mut self.in_chunk) {
            self.before.extend_from_slice(b"\r\n");
        }
    }

    /// Gives out what is there.
    fn give(&mut self, buf: &mut ReadBuf<'_>) -> io::Result<()> {
        let framing = self.before.len().min(buf.remaining());
        buf.put_slice(&self.before[..framing]);
        self.before.drain(..framing);
        let count = self.data.len().min(buf.remaining());
        buf.put_slice(&self.data[..count]);
        self.data.advance(count);
        match &mut self.body {
            // What was taken may be sent again: not what was merely received.
            Some(body) if count > 0 => body.flow_control().release_capacity(count).map_err(broken),
            _ => Ok(()),
        }
    }
}

impl Outgoing {
    /// A body of `length` bytes.
    pub fn counted(stream: SendStream<Bytes>, length: u64) -> Self {
        Self { stream, left: Left::Counted(length) }
    }

    /// A body in the chunked coding.
    pub fn chunked(stream: SendStream<Bytes>) -> Self {
        Self { stream, left: Left::Chunked(Box::default(), 0) }
    }

    /// Bytes of a tunnel.
    pub fn open(stream: SendStream<Bytes>) -> Self {
        Self { stream, left: Left::Open }
    }

    /// Ends the bytes of a tunnel; of a body, this says nothing.
    ///
    /// # Errors
    /// The stream is broken off.
    pub fn end(&mut self) -> io::Result<()> {
        if matches!(self.left, Left::Open) {
            self.left = Left::Nothing;
            self.stream.send_data(Bytes::new(), true).map_err(broken)?;
        }
        Ok(())
    }

    /// Nothing: the stream ended with its fields.
    pub fn none(stream: SendStream<Bytes>) -> Self {
        Self { stream, left: Left::Nothing }
    }

    /// The stream has ended in this direction.
    pub fn is_done(&self) -> bool {
        matches!(self.left, Left::Nothing)
    }

    /// Breaks the stream off with RST_STREAM (RFC 9113 §6.4), for this `reason`.
    pub fn reset(&mut self, reason: Reason) {
        self.stream.send_reset(reason);
    }

    /// Ready once the peer has broken the stream off.
    pub fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.stream.poll_reset(cx).map(|_| ())
    }

    /// Takes bytes; says how many of them were used up.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut used = 0;
        while used < bytes.len() {
            match self.poll_some(cx, &bytes[used..]) {
                Poll::Ready(Ok(count)) => used += count,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending if used > 0 => break,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(used))
    }

    fn poll_some(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.left {
            Left::Counted(left) => {
                let most = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                let sent = ready!(poll_send(&mut self.stream, cx, &bytes[..most], |sent| sent as u64 == *left))?;
                *left -= sent as u64;
                if *left == 0 {
                    self.left = Left::Nothing;
                }
                Poll::Ready(Ok(sent))
            }
            Left::Open => poll_send(&mut self.stream, cx, bytes, |_| false),
            Left::Chunked(_, left @ 1..) => {
                let most = bytes.len().min(*left);
                let sent = ready!(poll_send(&mut self.stream, cx, &bytes[..most], |_| false))?;
                *left -= sent;
                Poll::Ready(Ok(sent))
            }
            Left::Chunked(decoder, left) => {
                match decoder.step(bytes).map_err(|_| io::Error::other("chunks that we wrote ourselves"))? {
                    Step::NeedMore => Poll::Ready(Ok(0)),
                    Step::Data(count) => {
                        *left = count;
                        self.poll_some(cx, bytes)
                    }
                    Step::Framing(count) => Poll::Ready(Ok(count)),
                    Step::End(count) => {
                        match trailers(decoder.trailers()) {
                            trailers if trailers.is_empty() => self.stream.send_data(Bytes::new(), true),
                            trailers => self.stream.send_trailers(trailers),
                        }
                        .map_err(broken)?;
                        self.left = Left::Nothing;
                        Poll::Ready(Ok(count))
                    }
                }
            }
            // No more is sent than was announced.
            Left::Nothing => Poll::Ready(Ok(bytes.len())),
        }
    }
}

/// Hands over as much of `data` as the peer takes now; `ends` says whether that much is the last of the body.
fn poll_send(
    stream: &mut SendStream<Bytes>,
    cx: &mut Context<'_>,
    data: &[u8],
    ends: impl FnOnce(usize) -> bool,
) -> Poll<io::Result<usize>> {
    let wanted = data.len().min(MAX_AT_ONCE);
    stream.reserve_capacity(wanted);
    let mut capacity = stream.capacity();
    while capacity == 0 {
        capacity = match ready!(stream.poll_capacity(cx)) {
            Some(capacity) => capacity.map_err(broken)?,
            None => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        };
    }
    let count = wanted.min(capacity);
    stream.send_data(Bytes::copy_from_slice(&data[..count]), ends(count)).map_err(broken)?;
    Poll::Ready(Ok(count))
}

/// The fields of a trailer section.
fn trailers(section: &[u8]) -> HeaderMap {
    let lines = section.split(|byte| *byte == b'\n').filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        Some((name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?))
    });
    lines.collect()
}
