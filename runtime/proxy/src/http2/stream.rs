//! One stream, as a connection that carries one request and its response. The heads of both are separate; bodies are
//! framed as in HTTP/1.1.

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
use gateway_wire::head_writer::{FieldHead, FieldHeads};
use gateway_wire::http2::body::{BodyFraming, Incoming, Outgoing};
use gateway_wire::http2::errors::broken;
use gateway_wire::http2::fields;

/// The two directions of a stream.
pub(crate) struct Stream {
    request: Incoming,
    respond: SendResponse<Bytes>,
    response: Answer,
    /// Heads of responses that are to be sent.
    heads: Rc<FieldHeads>,
    to_head: bool,
    /// A success makes a tunnel of it (RFC 8441).
    is_tunnel: bool,
    /// The client has broken the stream off.
    is_gone: bool,
    id: u32,
    client: Rc<ClientStreams>,
}

/// The response: what is next.
enum Answer {
    Head,
    Body(Outgoing),
}

impl Stream {
    pub(crate) fn new(
        body: RecvStream,
        framing: BodyFraming,
        respond: SendResponse<Bytes>,
        heads: Rc<FieldHeads>,
        to_head: bool,
        is_tunnel: bool,
        client: Rc<ClientStreams>,
    ) -> Self {
        Self {
            id: respond.stream_id().as_u32(),
            client,
            request: Incoming::new(body, framing),
            respond,
            response: Answer::Head,
            heads,
            to_head,
            is_tunnel,
            is_gone: false,
        }
    }

    /// The pipeline has done what it could: a response that is not whole by now never will be. Says whether the client
    /// did not wait for it.
    pub(crate) fn end(mut self) -> bool {
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
    pub(crate) fn reset(&mut self, reason: Reason) {
        match &mut self.response {
            Answer::Body(body) => body.reset(reason),
            Answer::Head => self.respond.send_reset(reason),
        }
    }

    /// Ready once the client has broken the stream off.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        match &mut self.response {
            Answer::Body(body) if body.is_done() => return Poll::Pending,
            Answer::Body(body) => ready!(body.poll_reset(cx)),
            Answer::Head => drop(ready!(self.respond.poll_reset(cx))),
        }
        self.is_gone = true;
        Poll::Ready(io::ErrorKind::ConnectionReset.into())
    }

    /// Sends the heads that are there: informational ones may come before the final one.
    fn send_heads(&mut self) -> io::Result<()> {
        if self.heads.is_empty() {
            return Ok(());
        }
        self.refuse_malformed()?;
        self.heads.take().into_iter().try_for_each(|head| self.send_head(head))
    }

    fn send_head(&mut self, mut head: FieldHead) -> io::Result<()> {
        let ours = || io::Error::other("a head that we wrote ourselves");
        let status = StatusCode::from_u16(head.status).map_err(|_| ours())?;
        let bytes = Bytes::from(std::mem::take(&mut head.bytes));
        let mut response = Response::new(());
        *response.status_mut() = status;
        let mut length = None;
        let mut chunked = false;
        response.headers_mut().reserve(head.places().len());
        for (name, value) in head.places() {
            // White space around a value is no part of it, and would make the message malformed (RFC 9113 §8.2.1).
            let value = bytes.slice_ref(bytes[value].trim_ascii());
            let (name, value) = fields::field(&bytes[name], value).ok_or_else(ours)?;
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
        if self.is_tunnel && status.is_success() {
            let stream = self.respond.send_response(response, false).map_err(broken)?;
            self.response = Answer::Body(Outgoing::open(stream));
            return Ok(());
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
        // In a tunnel, the client may have ended one direction only.
        if self.is_tunnel && matches!(self.response, Answer::Body(_)) {
            return Poll::Ready(Ok(()));
        }
        // There is no further request on a stream, and a client that is gone resets it.
        Poll::Ready(Err(ready!(self.poll_gone(cx))))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.refuse_malformed()?;
        self.send_heads()?;
        match &mut self.response {
            Answer::Body(body) => body.poll_write(cx, bytes),
            Answer::Head => Poll::Ready(Err(io::Error::other("a body without a head"))),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A head without a body is taken here. What is sent, the connection's own task writes.
        Poll::Ready(self.send_heads())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.response {
            Answer::Body(body) => Poll::Ready(body.end()),
            Answer::Head => Poll::Ready(Ok(())),
        }
    }
}
