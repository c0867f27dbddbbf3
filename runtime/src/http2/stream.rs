//! One stream, as a connection that carries one request and its response in HTTP/1.1.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::broken;
use super::head::BodyFraming;
use crate::http1::chunked::{Decoder, Step, open_chunk};
use crate::http1::head::field_space;

/// Bytes of response that are handed over at once.
const MOST_AT_ONCE: usize = 64 << 10;

/// The two directions of a stream.
pub(super) struct Stream {
    inbound: Inbound,
    respond: SendResponse<Bytes>,
    outbound: Outbound,
    to_head: bool,
}

/// The body of the request.
struct Inbound {
    /// Nothing once it has ended.
    body: Option<RecvStream>,
    framing: BodyFraming,
    /// Chunk framing that comes before `data`.
    before: Vec<u8>,
    data: Bytes,
    /// A chunk was begun, so that a line end is due before the next one.
    in_chunk: bool,
}

/// The response: what the next bytes are.
enum Outbound {
    /// A head, of which this much is there.
    Head(Vec<u8>),
    /// So much of the body.
    Counted(SendStream<Bytes>, u64),
    /// A body in the chunked coding; so many bytes of the piece that was begun are still to be handed over.
    Chunked(SendStream<Bytes>, Box<Decoder>, usize),
    /// Nothing more.
    Ended,
}

impl Stream {
    pub(super) fn new(body: RecvStream, framing: BodyFraming, respond: SendResponse<Bytes>, to_head: bool) -> Self {
        let body = Some(body).filter(|_| framing != BodyFraming::None);
        let inbound = Inbound { body, framing, before: Vec::new(), data: Bytes::new(), in_chunk: false };
        Self { inbound, respond, outbound: Outbound::Head(Vec::new()), to_head }
    }

    /// The pipeline has done what it could: a response that is not whole by now never will be.
    pub(super) fn end(mut self) {
        if !matches!(self.outbound, Outbound::Ended) {
            self.reset(Reason::INTERNAL_ERROR);
        }
    }

    /// Breaks the stream off.
    pub(super) fn reset(&mut self, reason: Reason) {
        match &mut self.outbound {
            Outbound::Counted(stream, _) | Outbound::Chunked(stream, ..) => stream.send_reset(reason),
            Outbound::Head(_) | Outbound::Ended => self.respond.send_reset(reason),
        }
    }

    /// Ready once the client has broken the stream off.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let gone = match &mut self.outbound {
            Outbound::Counted(stream, _) | Outbound::Chunked(stream, ..) => stream.poll_reset(cx),
            Outbound::Head(_) => self.respond.poll_reset(cx),
            Outbound::Ended => return Poll::Pending,
        };
        gone.map(|_| io::ErrorKind::ConnectionReset.into())
    }

    /// Takes bytes of a head; says how many of `bytes` belong to it.
    fn take_head(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Outbound::Head(begun) = &mut self.outbound else { return Ok(0) };
        let had = begun.len();
        begun.extend_from_slice(bytes);
        let from = had.saturating_sub(3);
        let Some(end) = memchr::memmem::find(&begun[from..], b"\r\n\r\n") else { return Ok(bytes.len()) };
        let length = from + end + 4;
        let head = Bytes::copy_from_slice(&begun[..length]);
        begun.clear();
        self.send_head(&head)?;
        Ok(length - had)
    }

    fn send_head(&mut self, head: &Bytes) -> io::Result<()> {
        let mut space = field_space();
        let mut parsed = httparse::Response::new(&mut []);
        let ours = || io::Error::other("a head that we wrote ourselves");
        httparse::ParserConfig::default()
            .parse_response_with_uninit_headers(&mut parsed, head, &mut space)
            .map_err(|_| ours())?;
        let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or_else(ours)?;
        let mut response = Response::new(());
        *response.status_mut() = status;
        let mut length = None;
        let mut chunked = false;
        let fields = response.headers_mut();
        fields.reserve(parsed.headers.len());
        for field in parsed.headers.iter() {
            let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| ours())?;
            match name {
                // What is about a connection has no place here (RFC 9113 §8.2.2).
                http::header::CONNECTION => continue,
                http::header::TRANSFER_ENCODING => {
                    chunked = true;
                    continue;
                }
                http::header::CONTENT_LENGTH => {
                    length = std::str::from_utf8(field.value).ok().and_then(|text| text.parse::<u64>().ok());
                }
                _ => {}
            }
            let value = HeaderValue::from_maybe_shared(head.slice_ref(field.value)).map_err(|_| ours())?;
            fields.append(name, value);
        }
        if status.is_informational() {
            return self.respond.send_informational(response).map_err(broken);
        }
        let has_none = self.to_head || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let ends = has_none || (!chunked && length.unwrap_or(0) == 0);
        let stream = self.respond.send_response(response, ends).map_err(broken)?;
        self.outbound = match length {
            _ if ends => Outbound::Ended,
            Some(length) if !chunked => Outbound::Counted(stream, length),
            _ => Outbound::Chunked(stream, Box::default(), 0),
        };
        Ok(())
    }

    /// Takes bytes of the body; says how many of `bytes` were used up.
    fn poll_body(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.outbound {
            Outbound::Head(_) => Poll::Ready(Ok(0)),
            Outbound::Counted(stream, left) => {
                let most = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                let sent = ready!(poll_send(stream, cx, &bytes[..most], |sent| sent as u64 == *left))?;
                *left -= sent as u64;
                if *left == 0 {
                    self.outbound = Outbound::Ended;
                }
                Poll::Ready(Ok(sent))
            }
            Outbound::Chunked(stream, _, left @ 1..) => {
                let most = bytes.len().min(*left);
                let sent = ready!(poll_send(stream, cx, &bytes[..most], |_| false))?;
                *left -= sent;
                Poll::Ready(Ok(sent))
            }
            Outbound::Chunked(stream, decoder, left) => {
                match decoder.step(bytes).map_err(|_| io::Error::other("chunks that we wrote ourselves"))? {
                    Step::NeedMore => Poll::Ready(Ok(0)),
                    Step::Data(count) => {
                        *left = count;
                        self.poll_body(cx, bytes)
                    }
                    Step::Framing(count) => Poll::Ready(Ok(count)),
                    Step::End(count) => {
                        match trailers(decoder.trailers()) {
                            trailers if trailers.is_empty() => stream.send_data(Bytes::new(), true),
                            trailers => stream.send_trailers(trailers),
                        }
                        .map_err(broken)?;
                        self.outbound = Outbound::Ended;
                        Poll::Ready(Ok(count))
                    }
                }
            }
            // The pipeline never says more than it announced.
            Outbound::Ended => Poll::Ready(Ok(bytes.len())),
        }
    }
}

/// Hands over as much of `data` as the client takes now; `ends` says whether that much is the last of the body.
fn poll_send(
    stream: &mut SendStream<Bytes>,
    cx: &mut Context<'_>,
    data: &[u8],
    ends: impl FnOnce(usize) -> bool,
) -> Poll<io::Result<usize>> {
    let wanted = data.len().min(MOST_AT_ONCE);
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

impl Inbound {
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

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            if !self.inbound.before.is_empty() || !self.inbound.data.is_empty() {
                return Poll::Ready(self.inbound.give(buf));
            }
            if !ready!(self.inbound.poll_more(cx))? {
                // There is no further request on a stream, and a client that is gone resets it.
                return Poll::Ready(Err(ready!(self.poll_gone(cx))));
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut used = self.take_head(bytes)?;
        while used < bytes.len() {
            match self.poll_body(cx, &bytes[used..]) {
                Poll::Ready(Ok(0)) => used += self.take_head(&bytes[used..])?,
                Poll::Ready(Ok(count)) => used += count,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending if used > 0 => break,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(used))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The connection's own task writes.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
