//! One stream, as a connection that carries one request and its response in HTTP/1.1.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::http2::streams::ClientStreams;
use gateway_wire::http1::head::{field_space, parse_response};
use gateway_wire::http2::body::{BodyFraming, Incoming, Outgoing, take_head};
use gateway_wire::http2::errors::broken;
use gateway_wire::http2::fields;

/// The two directions of a stream.
pub(super) struct Stream {
    request: Incoming,
    respond: SendResponse<Bytes>,
    response: Answer,
    to_head: bool,
    /// The client has broken the stream off.
    is_gone: bool,
    id: u32,
    client: Rc<ClientStreams>,
}

/// The response: what the next bytes are.
enum Answer {
    /// A head, of which this much is there.
    Head(Vec<u8>),
    Body(Outgoing),
}

impl Stream {
    pub(super) fn new(
        body: RecvStream,
        framing: BodyFraming,
        respond: SendResponse<Bytes>,
        to_head: bool,
        client: Rc<ClientStreams>,
    ) -> Self {
        Self {
            id: respond.stream_id().as_u32(),
            client,
            request: Incoming::new(body, framing),
            respond,
            response: Answer::Head(Vec::new()),
            to_head,
            is_gone: false,
        }
    }

    /// The pipeline has done what it could: a response that is not whole by now never will be. Says whether the client
    /// did not wait for it.
    pub(super) fn end(mut self) -> bool {
        if matches!(&self.response, Answer::Body(body) if body.is_done()) {
            return false;
        }
        self.reset(Reason::INTERNAL_ERROR);
        self.is_gone
    }

    /// Breaks the stream off if its trailers are malformed.
    fn refuse_malformed(&mut self) -> io::Result<()> {
        if self.client.malformed.borrow().is_empty() || !self.client.malformed.borrow_mut().remove(&self.id) {
            return Ok(());
        }
        self.reset(Reason::PROTOCOL_ERROR);
        self.is_gone = true;
        Err(io::ErrorKind::ConnectionReset.into())
    }

    /// Breaks the stream off.
    pub(super) fn reset(&mut self, reason: Reason) {
        match &mut self.response {
            Answer::Body(body) => body.reset(reason),
            Answer::Head(_) => self.respond.send_reset(reason),
        }
    }

    /// Ready once the client has broken the stream off.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        match &mut self.response {
            Answer::Body(body) if body.is_done() => return Poll::Pending,
            Answer::Body(body) => ready!(body.poll_reset(cx)),
            Answer::Head(_) => drop(ready!(self.respond.poll_reset(cx))),
        }
        self.is_gone = true;
        Poll::Ready(io::ErrorKind::ConnectionReset.into())
    }

    /// Takes bytes of a head; says how many of `bytes` belong to it.
    fn take_head(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Answer::Head(begun) = &mut self.response else { return Ok(0) };
        let (head, used) = take_head(begun, bytes);
        if let Some(head) = head {
            self.send_head(&head)?;
        }
        Ok(used)
    }

    fn send_head(&mut self, head: &Bytes) -> io::Result<()> {
        let (mut few, mut more) = (field_space(), Vec::new());
        let ours = || io::Error::other("a head that we wrote ourselves");
        let parsed = parse_response(head, &mut few, &mut more, usize::MAX).map_err(|_| ours())?;
        let (_, parsed) = parsed.ok_or_else(ours)?;
        let status = StatusCode::from_u16(parsed.status).map_err(|_| ours())?;
        let mut response = Response::new(());
        *response.status_mut() = status;
        let mut length = None;
        let mut chunked = false;
        response.headers_mut().reserve(parsed.fields.len());
        for field in parsed.fields {
            let (name, value) = fields::field(head, field).ok_or_else(ours)?;
            match name {
                // What is about a connection has no place here (RFC 9113 §8.2.2).
                http::header::CONNECTION => continue,
                http::header::TRANSFER_ENCODING => {
                    chunked = true;
                    continue;
                }
                http::header::CONTENT_LENGTH => {
                    length = value.to_str().ok().and_then(|text| text.parse::<u64>().ok());
                }
                _ => {}
            }
            response.headers_mut().append(name, value);
        }
        if status.is_informational() {
            return self.respond.send_informational(response).map_err(broken);
        }
        let has_none = self.to_head || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let ends = has_none || (!chunked && length.unwrap_or(0) == 0);
        let stream = self.respond.send_response(response, ends).map_err(broken)?;
        self.response = Answer::Body(match length {
            _ if ends => Outgoing::none(stream),
            Some(length) if !chunked => Outgoing::counted(stream, length),
            _ => Outgoing::chunked(stream),
        });
        Ok(())
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.refuse_malformed()?;
        match ready!(self.request.poll_read(cx, buf)) {
            Ok(true) => return Poll::Ready(Ok(())),
            Ok(false) => {}
            Err(error) => {
                self.is_gone = true;
                return Poll::Ready(Err(error));
            }
        }
        // There is no further request on a stream, and a client that is gone resets it.
        Poll::Ready(Err(ready!(self.poll_gone(cx))))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.refuse_malformed()?;
        let mut used = 0;
        // Informational responses may come before the final one.
        while used < bytes.len() && matches!(self.response, Answer::Head(_)) {
            used += self.take_head(&bytes[used..])?;
        }
        let Answer::Body(body) = &mut self.response else { return Poll::Ready(Ok(used)) };
        match body.poll_write(cx, &bytes[used..]) {
            Poll::Ready(Ok(count)) => Poll::Ready(Ok(used + count)),
            Poll::Pending if used > 0 => Poll::Ready(Ok(used)),
            other => other,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The connection's own task writes.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
