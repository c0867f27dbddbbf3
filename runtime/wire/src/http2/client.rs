//! HTTP/2 to upstreams: a connection of many requests, each of which looks like a connection of HTTP/1.1.

use std::borrow::Cow;
use std::cell::Cell;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{Reason, RecvStream};
use http::header::{CONTENT_LENGTH, HOST, TE, TRANSFER_ENCODING};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::http1::head::field_space;
use crate::http2::body::{BodyFraming, Incoming, Outgoing, take_head};
use crate::http2::errors::broken;
use crate::http2::fields;

/// Requests at once on one connection, if the upstream allows as many.
const MAX_STREAMS: usize = 100;

/// Bytes of a response that an upstream may send ahead of what the client takes.
const STREAM_WINDOW: u32 = 128 << 10;

/// All streams together: clients that take nothing must not keep the others waiting.
const CONNECTION_WINDOW: u32 = STREAM_WINDOW * MAX_STREAMS as u32;

/// The most bytes for the fields of a response, as RFC 9113 §6.5.2 counts them.
const MAX_FIELDS: u32 = 64 << 10;

/// Bytes of request that wait for the upstream on one stream.
const SEND_BUFFER: usize = 64 << 10;

/// A request without an answer for this long is a reason to send the next ones elsewhere: the connection may be dead
/// without an error.
const SUSPICIOUS_AFTER: Duration = Duration::from_secs(1);

/// A connection to an upstream.
pub struct ClientConnection {
    send: SendRequest<Bytes>,
    scheme: &'static str,
    shared: Rc<Shared>,
}

/// What the streams of a connection know of it.
struct Shared {
    open: Cell<usize>,
    idle_since: Cell<Instant>,
    /// No further request is sent on it.
    retired: Cell<bool>,
}

/// One request and its response.
pub struct ClientStream {
    send: SendRequest<Bytes>,
    scheme: &'static str,
    request: Ask,
    response: Answer,
    to_head: bool,
    started: Instant,
    shared: Rc<Shared>,
}

/// The request: what the next bytes are.
enum Ask {
    /// A head, of which this much is there.
    Head(Vec<u8>),
    Body(Outgoing),
}

/// The response.
enum Answer {
    /// Nothing was asked yet.
    None,
    Expected(ResponseFuture),
    /// Its head, of which this much is given out, and its body.
    Body {
        head: Vec<u8>,
        at: usize,
        body: Incoming,
    },
}

impl ClientConnection {
    /// Begins to speak HTTP/2; `scheme` is what the requests say about the connection.
    ///
    /// # Errors
    /// The upstream is gone already.
    pub async fn over<S>(io: S, scheme: &'static str) -> io::Result<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let (send, connection) = Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(MAX_FIELDS)
            .max_send_buffer_size(SEND_BUFFER)
            .enable_push(false)
            .handshake(io)
            .await
            .map_err(broken)?;
        let shared =
            Rc::new(Shared { open: Cell::new(0), idle_since: Cell::new(Instant::now()), retired: Cell::new(false) });
        let ending = Rc::clone(&shared);
        tokio::task::spawn_local(async move {
            // The streams tell what went wrong.
            let _ = connection.await;
            ending.retired.set(true);
        });
        Ok(Self { send, scheme, shared })
    }

    /// Whether another request may be sent on it.
    pub fn has_room(&mut self) -> bool {
        let most = self.send.current_max_send_streams().min(MAX_STREAMS);
        let mut context = Context::from_waker(Waker::noop());
        !self.shared.retired.get()
            && self.shared.open.get() < most
            && !matches!(self.send.poll_ready(&mut context), Poll::Ready(Err(_)))
    }

    /// Nothing more will come of it.
    pub fn is_over(&self, now: Instant, idle_time: Duration) -> bool {
        let idle = now.saturating_duration_since(self.shared.idle_since.get());
        self.shared.retired.get() || (self.shared.open.get() == 0 && idle > idle_time)
    }

    /// A stream for one request.
    pub fn open(&self) -> ClientStream {
        self.shared.open.set(self.shared.open.get() + 1);
        ClientStream {
            send: self.send.clone(),
            scheme: self.scheme,
            request: Ask::Head(Vec::new()),
            response: Answer::None,
            to_head: false,
            started: Instant::now(),
            shared: Rc::clone(&self.shared),
        }
    }
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        let now = Instant::now();
        if matches!(self.response, Answer::Expected(_)) && now - self.started >= SUSPICIOUS_AFTER {
            self.shared.retired.set(true);
        }
        if let Ask::Body(body) = &mut self.request
            && !body.is_done()
        {
            body.reset(Reason::CANCEL);
        }
        self.shared.open.set(self.shared.open.get() - 1);
        self.shared.idle_since.set(now);
    }
}

impl ClientStream {
    /// Takes bytes of a head; says how many of `bytes` belong to it.
    fn poll_head(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.send.poll_ready(cx)).map_err(broken)?;
        let Ask::Head(begun) = &mut self.request else { return Poll::Ready(Ok(0)) };
        let (Some(head), used) = take_head(begun, bytes) else { return Poll::Ready(Ok(bytes.len())) };
        let (request, framing) = request(&head, self.scheme).ok_or_else(|| io::Error::other("no head of HTTP/2"))?;
        self.to_head = *request.method() == Method::HEAD;
        let (response, stream) = self.send.send_request(request, framing == RequestBody::None).map_err(broken)?;
        self.response = Answer::Expected(response);
        self.request = Ask::Body(match framing {
            RequestBody::None => Outgoing::none(stream),
            RequestBody::Counted(length) => Outgoing::counted(stream, length),
            RequestBody::Chunked => Outgoing::chunked(stream),
        });
        Poll::Ready(Ok(used))
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let used = match this.request {
            Ask::Head(_) => ready!(this.poll_head(cx, bytes))?,
            Ask::Body(_) => 0,
        };
        let Ask::Body(body) = &mut this.request else { return Poll::Ready(Ok(used)) };
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

impl AsyncRead for ClientStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            match &mut self.response {
                // The request could not be sent.
                Answer::None => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                Answer::Expected(response) => {
                    let response = ready!(Pin::new(response).poll(cx)).map_err(broken)?;
                    self.response = answer(response, self.to_head);
                }
                Answer::Body { head, at, .. } if *at < head.len() => {
                    let take = (head.len() - *at).min(buf.remaining());
                    buf.put_slice(&head[*at..*at + take]);
                    *at += take;
                    return Poll::Ready(Ok(()));
                }
                // At its end nothing is read, as at the end of a connection.
                Answer::Body { body, .. } => return body.poll_read(cx, buf).map_ok(|_| ()),
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RequestBody {
    None,
    Counted(u64),
    Chunked,
}

/// The head of a request in HTTP/1.1 as one of HTTP/2; `None` for what is no such head.
fn request(head: &Bytes, scheme: &str) -> Option<(Request<()>, RequestBody)> {
    let (mut few, mut more) = (field_space(), Vec::new());
    let mut parsed = httparse::Request::new(&mut []);
    if parsed.parse_with_uninit_headers(head, &mut few).is_err() {
        // As many as a client may send, and those that the gateway adds.
        more.resize(memchr::memchr_iter(b'\n', head).count(), MaybeUninit::uninit());
        parsed = httparse::Request::new(&mut []);
        parsed.parse_with_uninit_headers(head, &mut more).ok()?;
    }
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(parsed.method?.as_bytes()).ok()?;
    let mut body = RequestBody::None;
    let mut authority = None;
    request.headers_mut().reserve(parsed.headers.len() + 1);
    for field in parsed.headers.iter() {
        let (name, value) = fields::field(field.name.as_bytes(), head.slice_ref(field.value))?;
        let text = || std::str::from_utf8(field.value).ok();
        match name {
            HOST => {
                authority = text();
                continue;
            }
            TRANSFER_ENCODING => {
                body = RequestBody::Chunked;
                continue;
            }
            CONTENT_LENGTH => match text()?.parse().ok()? {
                0 => {}
                length => body = RequestBody::Counted(length),
            },
            _ => {}
        }
        request.headers_mut().append(name, value);
    }
    // Trailers are passed on.
    request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
    let uri = |target: Cow<'_, str>| {
        Uri::builder().scheme(scheme).authority(authority?).path_and_query(&*target).build().ok()
    };
    // A query can have characters here that a URI cannot (RFC 3986 §3.4).
    *request.uri_mut() = uri(parsed.path?.into()).or_else(|| uri(strict(parsed.path?).into()))?;
    *request.version_mut() = http::Version::HTTP_2;
    Some((request, body))
}

/// A target in the characters of RFC 3986 §2, the others encoded.
fn strict(target: &str) -> String {
    let mut out = String::with_capacity(target.len() + 16);
    for byte in target.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                out.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
            }
        }
    }
    out
}

/// A response of HTTP/2 as one of HTTP/1.1.
fn answer(response: Response<RecvStream>, to_head: bool) -> Answer {
    let (parts, body) = response.into_parts();
    let has_length = parts.headers.contains_key(CONTENT_LENGTH);
    let has_none = to_head || matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let framing = match body.is_end_stream() {
        true => BodyFraming::None,
        false if has_length => BodyFraming::Counted,
        false => BodyFraming::Chunked,
    };
    let mut head = Vec::with_capacity(512);
    head.extend_from_slice(b"HTTP/1.1 ");
    head.extend_from_slice(parts.status.as_str().as_bytes());
    head.extend_from_slice(b" \r\n");
    let mut write = |name: &[u8], value: &[u8]| {
        for part in [name, b": ", value, b"\r\n"] {
            head.extend_from_slice(part);
        }
    };
    for (name, value) in &parts.headers {
        write(name.as_str().as_bytes(), value.as_bytes());
    }
    match framing {
        BodyFraming::None if !has_length && !has_none => write(b"Content-Length", b"0"),
        BodyFraming::Chunked if !has_none => write(b"Transfer-Encoding", b"chunked"),
        _ => {}
    }
    head.extend_from_slice(b"\r\n");
    Answer::Body { head, at: 0, body: Incoming::new(body, framing) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_becomes_fields() {
        let head = Bytes::from_static(
            b"POST /a?b=<c>&d=\"[e]\" HTTP/1.1\r\nHost: a.example:1\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 3\r\n\r\n",
        );
        let (request, body) = request(&head, "https").expect("a request");
        assert_eq!(body, RequestBody::Counted(3));
        assert_eq!(request.uri().to_string(), "https://a.example:1/a?b=%3Cc%3E&d=%22%5Be%5D%22");
        assert_eq!(request.headers().get_all("x-a").iter().count(), 2);
        assert!(request.headers()["te"] == "trailers" && !request.headers().contains_key("host"));
        let chunked = Bytes::from_static(b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        let (request, body) = super::request(&chunked, "http").expect("a request");
        assert!(body == RequestBody::Chunked && !request.headers().contains_key("transfer-encoding"));
    }
}
