//! One request forwarded and its response brought back: both bodies stream at once, and neither is ever buffered whole.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::downstream::{Downstream, Scratch};
use crate::http1::body::{BodyLength, Framing};
use crate::http1::chunked::{self, Decoder, Step};
use crate::http1::head::{Field, field_space};
use crate::http1::names::{FieldTable, may_be_trailer};
use crate::reject::Reject;
use crate::response::{self, ResponseTerms};
use crate::upstream::UpstreamConnection;

/// The head of a response may have this many bytes.
const MAX_RESPONSE_HEAD: usize = 64 << 10;

/// More informational responses (1xx) than this before the final one are an upstream that never comes to the point.
const MAX_INTERIM: u32 = 32;

/// A client that waits for `100 Continue` gets ours after this, for upstreams that do not know the expectation
/// (RFC 9110 §10.1.1 forbids to wait for ever).
const CONTINUE_AFTER: Duration = Duration::from_secs(1);

/// A client that closed its side may only have finished sending; without an answer by then, it counts as gone.
const HALF_CLOSED_FOR: Duration = Duration::from_millis(500);

/// What a client may send ahead (pipelining) while its request is being answered.
const READ_AHEAD: usize = 16 << 10;

/// What the exchange has to know of the request.
#[derive(Debug)]
pub(crate) struct RequestTerms {
    /// The head to send, from the request line to the empty line.
    pub(crate) head: Vec<u8>,
    /// The body that follows.
    pub(crate) body: BodyLength,
    /// Bytes of body that the operation admits.
    pub(crate) max_body: u64,
    /// The client waits for `100 Continue` before it sends the body.
    pub(crate) expects_continue: bool,
    /// From the end of the request to the head of the response.
    pub(crate) response_timeout: Duration,
    /// Between two pieces of a body.
    pub(crate) idle_timeout: Duration,
}

/// How far an exchange got.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Progress {
    /// The status that the client got; 0 while it got none.
    pub(crate) status: u16,
    /// Bytes of request body taken from the client.
    pub(crate) request_bytes: u64,
    /// Bytes of response body given to the client.
    pub(crate) response_bytes: u64,
    /// When the head of the response was there.
    pub(crate) head_at: Option<Instant>,
    /// The client's connection may carry another request.
    pub(crate) keep_alive: bool,
    /// The upstream's connection may carry another request.
    pub(crate) reusable: bool,
    /// The client has sent all of its request.
    pub(crate) request_done: bool,
    /// Nothing of the request is lost: it could be sent again.
    pub(crate) replayable: bool,
}

/// Why an exchange did not end well.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The client went away: there is nobody to answer.
    ClientGone,
    /// A reused connection was closed before any byte of a response: the request may be sent again if it is safe.
    Stale,
    /// The client gets this answer.
    Rejected(Reject),
    /// The response had begun: closing is all that is left. The refusal says why, for the log.
    Aborted(Reject),
}

enum Upload {
    Counted(u64),
    Chunked(Box<Decoder>),
    /// The client waits for `100 Continue`; so do we.
    Held,
    Done,
    /// The upstream takes no more; its answer may still come.
    Abandoned,
}

enum Download {
    Head { interim: u32 },
    Counted(u64),
    Chunked(Box<Decoder>),
    UntilClose,
    Finished,
}

/// The state of one exchange.
pub(crate) struct Exchange<'a, S> {
    down: &'a mut Downstream<S>,
    up: &'a mut UpstreamConnection,
    request: &'a RequestTerms,
    response: &'a ResponseTerms<'a>,
    fields: &'a FieldTable,
    upload: Upload,
    download: Download,
    last_progress: Instant,
    half_closed_at: Option<Instant>,
    progress: Progress,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Exchange<'a, S> {
    /// An exchange over a connection that carries nothing else.
    pub(crate) fn new(down: &'a mut Downstream<S>, up: &'a mut UpstreamConnection, request: &'a RequestTerms, response: &'a ResponseTerms<'a>, fields: &'a FieldTable) -> Self {
        up.outbox.buffer().extend_from_slice(&request.head);
        let upload = if request.expects_continue && request.body != BodyLength::None { Upload::Held } else { Upload::of(request.body) };
        let progress = Progress { replayable: true, ..Progress::default() };
        Self { down, up, request, response, fields, upload, download: Download::Head { interim: 0 }, last_progress: Instant::now(), half_closed_at: None, progress }
    }

    /// Runs to the end; the progress is told in any case.
    pub(crate) async fn run(mut self) -> (Progress, Result<(), Failure>) {
        let result = poll_fn(|cx| self.poll(cx)).await;
        (self.progress, result)
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        loop {
            let before = self.progress.amount();
            if let Poll::Ready(Err(failure)) = self.poll_upload(cx) {
                return Poll::Ready(Err(failure));
            }
            let held = matches!(self.upload, Upload::Held);
            if let Poll::Ready(result) = self.poll_download(cx) {
                return Poll::Ready(result.map(|()| self.finish()));
            }
            if held && !matches!(self.upload, Upload::Held) {
                continue;
            }
            if let Poll::Ready(failure) = self.poll_client_gone(cx) {
                return Poll::Ready(Err(failure));
            }
            if before != self.progress.amount() {
                self.last_progress = Instant::now();
            }
            let deadline = self.deadline();
            ready!(self.down.deadline.poll_at(cx, deadline));
            if let Some(failure) = self.on_deadline() {
                return Poll::Ready(Err(failure));
            }
        }
    }

    fn finish(&mut self) {
        let upload_done = matches!(self.upload, Upload::Done);
        self.progress.request_done = upload_done;
        self.progress.keep_alive &= upload_done && self.half_closed_at.is_none();
        self.progress.reusable &= upload_done;
    }

    /// A refusal, in the form that is still possible.
    fn fail(&self, reject: Reject) -> Failure {
        if self.progress.status == 0 { Failure::Rejected(reject) } else { Failure::Aborted(reject) }
    }

    // ---- the request, towards the upstream

    fn poll_upload(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        loop {
            if self.upload.wants_body() && !self.down.unread().is_empty() {
                self.send_unread(cx)?;
            }
            if ready!(self.up.outbox.poll_flush(&mut self.up.io, cx)).is_err() {
                // The upstream may have answered before it hung up (413, say): read on.
                self.abandon_upload();
            }
            match self.upload {
                Upload::Done | Upload::Abandoned => return Poll::Ready(Ok(())),
                Upload::Held => return Poll::Pending,
                Upload::Counted(_) | Upload::Chunked(_) if self.down.unread().is_empty() => ready!(self.poll_receive_body(cx))?,
                Upload::Counted(_) | Upload::Chunked(_) => {}
            }
        }
    }

    fn abandon_upload(&mut self) {
        self.upload = Upload::Abandoned;
        self.up.outbox.clear();
    }

    /// Sends on what of the body came with the head.
    fn send_unread(&mut self, cx: &mut Context<'_>) -> Result<(), Failure> {
        let inbox = std::mem::take(&mut self.down.inbox);
        let sent = self.send_body(&inbox[self.down.used..], cx);
        self.down.inbox = inbox;
        self.down.used += sent?;
        Ok(())
    }

    fn poll_receive_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let limit = match self.upload {
            Upload::Counted(left) => usize::try_from(left).unwrap_or(usize::MAX),
            _ => usize::MAX,
        };
        let mut scratch = Scratch::take();
        let bytes = match ready!(scratch.poll_read(&mut self.down.io, cx, limit)) {
            Ok([]) | Err(_) => return Poll::Ready(Err(Failure::ClientGone)),
            Ok(bytes) => bytes,
        };
        // What was streamed is not kept, so it cannot be sent a second time.
        self.progress.replayable = false;
        let sent = self.send_body(bytes, cx)?;
        self.down.inbox.extend_from_slice(&bytes[sent..]);
        Poll::Ready(Ok(()))
    }

    /// Takes what belongs to the body from the start of `bytes`, and says how much that was.
    fn send_body(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> Result<usize, Failure> {
        let taken = match &mut self.upload {
            Upload::Counted(left) => {
                let take = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= take as u64;
                let ended = *left == 0;
                self.progress.request_bytes += take as u64;
                if !self.up.outbox.is_empty() {
                    self.up.outbox.buffer().extend_from_slice(&bytes[..take]);
                } else if self.up.outbox.write_through(&mut self.up.io, cx, &bytes[..take]).is_err() {
                    self.abandon_upload();
                    return Ok(take);
                }
                if ended {
                    self.upload = Upload::Done;
                }
                take
            }
            Upload::Chunked(decoder) => {
                let out = self.up.outbox.buffer();
                let mut taken = 0;
                let ended = loop {
                    let rest = &bytes[taken..];
                    match decoder.step(rest) {
                        Err(chunked::BadChunk) => return Err(self.fail(Reject::BadRequest("the body is not in the chunked coding"))),
                        Ok(Step::NeedMore) => break false,
                        Ok(Step::Framing(count)) => taken += count,
                        Ok(Step::Data(count)) => {
                            write_chunk(out, &rest[..count]);
                            taken += count;
                            self.progress.request_bytes += count as u64;
                        }
                        Ok(Step::End(count)) => {
                            taken += count;
                            if end_chunks(out, decoder.trailers(), self.fields).is_err() {
                                return Err(self.fail(Reject::BadRequest("the trailer section is malformed")));
                            }
                            break true;
                        }
                    }
                };
                if ended {
                    self.upload = Upload::Done;
                }
                taken
            }
            Upload::Held | Upload::Done | Upload::Abandoned => 0,
        };
        if self.progress.request_bytes > self.request.max_body {
            return Err(self.fail(Reject::BodyTooLarge));
        }
        Ok(taken)
    }

    // ---- the response, towards the client

    fn poll_download(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        loop {
            if ready!(self.down.outbox.poll_flush(&mut self.down.io, cx)).is_err() {
                return Poll::Ready(Err(Failure::ClientGone));
            }
            if matches!(self.download, Download::Finished) {
                return Poll::Ready(Ok(()));
            }
            let mut scratch = Scratch::take();
            match ready!(scratch.poll_read(&mut self.up.io, cx, usize::MAX)) {
                Ok([]) | Err(_) => self.on_upstream_end()?,
                Ok(bytes) if matches!(self.download, Download::Head { .. }) => self.receive_head(bytes, cx)?,
                Ok(bytes) => self.receive_body(bytes, cx)?,
            }
        }
    }

    fn on_upstream_end(&mut self) -> Result<(), Failure> {
        match self.download {
            Download::Head { interim: 0 } if self.up.inbox.is_empty() && self.up.reused => Err(Failure::Stale),
            Download::Head { .. } => Err(Failure::Rejected(Reject::UpstreamBroken("closed before the head of the response was whole"))),
            Download::UntilClose => {
                self.end_body(&[])?;
                self.progress.reusable = false;
                Ok(())
            }
            _ => Err(Failure::Aborted(Reject::UpstreamBroken("closed before the body of the response was whole"))),
        }
    }

    fn receive_head(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> Result<(), Failure> {
        if self.up.inbox.is_empty() {
            let used = self.parse_heads(bytes, cx)?;
            if matches!(self.download, Download::Head { .. }) {
                self.up.inbox.extend_from_slice(&bytes[used..]);
            }
            return Ok(());
        }
        let mut inbox = std::mem::take(&mut self.up.inbox);
        inbox.extend_from_slice(bytes);
        let used = self.parse_heads(&inbox, cx)?;
        if matches!(self.download, Download::Head { .. }) {
            inbox.drain(..used);
            self.up.inbox = inbox;
        }
        Ok(())
    }

    /// Reads informational responses and the final one, as far as they are whole; says how much that used up.
    fn parse_heads(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> Result<usize, Failure> {
        let broken = |what| Failure::Rejected(Reject::UpstreamBroken(what));
        let mut used = 0;
        while let Download::Head { interim } = &mut self.download {
            let mut space = field_space();
            let mut head = httparse::Response::new(&mut []);
            let rest = &bytes[used..];
            let length = match httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut head, rest, &mut space) {
                Ok(httparse::Status::Complete(length)) if length <= MAX_RESPONSE_HEAD => length,
                Ok(httparse::Status::Partial) if rest.len() < MAX_RESPONSE_HEAD => break,
                Ok(_) => return Err(broken("the head of the response is too large")),
                Err(_) => return Err(broken("the head of the response is not HTTP/1.1")),
            };
            used += length;
            let (Some(status), Some(version)) = (head.code, head.version) else { return Err(broken("no status")) };
            if (100..200).contains(&status) {
                *interim += 1;
                if *interim > MAX_INTERIM || status == 101 {
                    return Err(broken("an informational response that was not asked for"));
                }
                self.relay_interim(status, head.headers);
                continue;
            }
            let framing = Framing::of(head.headers, &self.response.fields).map_err(|bad| broken(bad.0))?;
            let length = framing.of_response(status, self.response.to_head);
            self.progress.reusable = length != BodyLength::UntilClose && persists(version, head.headers);
            self.begin_response(status, head.reason.unwrap_or(""), head.headers, framing, length);
            let rest = &bytes[used..];
            used = bytes.len();
            if !rest.is_empty() || matches!(self.download, Download::Finished) {
                self.receive_body(rest, cx)?;
            }
        }
        Ok(used)
    }

    fn relay_interim(&mut self, status: u16, fields: &[Field<'_>]) {
        if status == 100 {
            if matches!(self.upload, Upload::Held) {
                self.grant_continue();
            }
        } else if self.response.client_is_http11 {
            response::write_interim(self.down.outbox.buffer(), status, fields, self.response);
        }
    }

    fn grant_continue(&mut self) {
        self.down.outbox.buffer().extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        self.upload = Upload::of(self.request.body);
    }

    fn begin_response(&mut self, status: u16, reason: &str, fields: &[Field<'_>], framing: Framing, length: BodyLength) {
        // Where the client is still sending, nobody can tell where its next request would begin.
        let open_ended = matches!(length, BodyLength::Chunked | BodyLength::UntilClose) && !self.response.client_is_http11;
        let keep_alive = self.response.client_keeps_alive && matches!(self.upload, Upload::Done) && !open_ended;
        response::write_head(self.down.outbox.buffer(), status, reason, fields, framing, length, keep_alive, self.response);
        self.progress.status = status;
        self.progress.keep_alive = keep_alive;
        self.progress.head_at = Some(Instant::now());
        self.download = match length {
            BodyLength::None => Download::Finished,
            BodyLength::Exactly(length) => Download::Counted(length),
            BodyLength::Chunked => Download::Chunked(Box::default()),
            BodyLength::UntilClose => Download::UntilClose,
        };
    }

    fn receive_body(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> Result<(), Failure> {
        match &mut self.download {
            Download::Counted(left) => {
                let take = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= take as u64;
                let ended = *left == 0;
                self.progress.response_bytes += take as u64;
                if ended {
                    self.download = Download::Finished;
                }
                self.progress.reusable &= take == bytes.len();
                if !self.down.outbox.is_empty() {
                    self.down.outbox.buffer().extend_from_slice(&bytes[..take]);
                } else if self.down.outbox.write_through(&mut self.down.io, cx, &bytes[..take]).is_err() {
                    return Err(Failure::ClientGone);
                }
            }
            Download::Chunked(decoder) => {
                let mut taken = 0;
                loop {
                    let rest = &bytes[taken..];
                    match decoder.step(rest) {
                        Err(chunked::BadChunk) => return Err(Failure::Aborted(Reject::UpstreamBroken("the body is not in the chunked coding"))),
                        Ok(Step::NeedMore) => break,
                        Ok(Step::Framing(count)) => taken += count,
                        Ok(Step::Data(count)) => {
                            taken += count;
                            self.progress.response_bytes += count as u64;
                            if self.response.client_is_http11 {
                                write_chunk(self.down.outbox.buffer(), &rest[..count]);
                            } else {
                                self.down.outbox.buffer().extend_from_slice(&rest[..count]);
                            }
                        }
                        Ok(Step::End(count)) => {
                            self.progress.reusable &= taken + count == bytes.len();
                            let trailers = decoder.trailers().to_vec();
                            return self.end_body(&trailers);
                        }
                    }
                }
            }
            Download::UntilClose => {
                self.progress.response_bytes += bytes.len() as u64;
                if self.response.client_is_http11 {
                    write_chunk(self.down.outbox.buffer(), bytes);
                } else {
                    self.down.outbox.buffer().extend_from_slice(bytes);
                }
            }
            Download::Head { .. } | Download::Finished => self.progress.reusable &= bytes.is_empty(),
        }
        Ok(())
    }

    fn end_body(&mut self, trailers: &[u8]) -> Result<(), Failure> {
        self.download = Download::Finished;
        if self.response.client_is_http11 && end_chunks(self.down.outbox.buffer(), trailers, self.fields).is_err() {
            return Err(Failure::Aborted(Reject::UpstreamBroken("the trailer section is malformed")));
        }
        Ok(())
    }

    // ---- everything that can go wrong in between

    fn poll_client_gone(&mut self, cx: &mut Context<'_>) -> Poll<Failure> {
        let watched = matches!(self.upload, Upload::Done | Upload::Held) && self.half_closed_at.is_none();
        while watched && self.down.unread().len() < READ_AHEAD {
            match ready!(self.down.poll_receive(cx, READ_AHEAD)) {
                Ok(0) => {
                    self.half_closed_at = Some(Instant::now());
                    return Poll::Pending;
                }
                Ok(_) => {}
                Err(_) => return Poll::Ready(Failure::ClientGone),
            }
        }
        Poll::Pending
    }

    fn deadline(&self) -> Instant {
        let waits_for_head = matches!(self.download, Download::Head { .. }) && matches!(self.upload, Upload::Done | Upload::Abandoned);
        let patience = match self.upload {
            Upload::Held => CONTINUE_AFTER,
            _ if waits_for_head => self.request.response_timeout,
            _ => self.request.idle_timeout,
        };
        let deadline = self.last_progress + patience;
        self.half_closed_at.map_or(deadline, |at| deadline.min(at + HALF_CLOSED_FOR))
    }

    /// What the passed deadline means; `None` goes on.
    fn on_deadline(&mut self) -> Option<Failure> {
        if self.half_closed_at.is_some_and(|at| at.elapsed() >= HALF_CLOSED_FOR) {
            return Some(Failure::ClientGone);
        }
        match (&self.download, &self.upload) {
            (_, Upload::Held) => {
                self.grant_continue();
                self.last_progress = Instant::now();
                None
            }
            (Download::Head { .. }, Upload::Counted(_) | Upload::Chunked(_)) if self.up.outbox.is_empty() => Some(Failure::Rejected(Reject::RequestTimeout)),
            (Download::Head { .. }, _) => Some(Failure::Rejected(Reject::UpstreamTimeout)),
            (_, _) if !self.down.outbox.is_empty() => Some(Failure::ClientGone),
            _ => Some(Failure::Aborted(Reject::UpstreamTimeout)),
        }
    }
}

impl Upload {
    fn of(body: BodyLength) -> Self {
        match body {
            BodyLength::Exactly(length) => Self::Counted(length),
            BodyLength::Chunked => Self::Chunked(Box::default()),
            BodyLength::None | BodyLength::UntilClose => Self::Done,
        }
    }

    fn wants_body(&self) -> bool {
        matches!(self, Self::Counted(_) | Self::Chunked(_))
    }
}

impl Progress {
    /// Changes whenever something moves.
    fn amount(&self) -> (u64, u64, u16) {
        (self.request_bytes, self.response_bytes, self.status)
    }
}

/// Whether the upstream keeps the connection open (RFC 9112 §9.3).
fn persists(version: u8, fields: &[Field<'_>]) -> bool {
    let says = |option: &[u8]| {
        fields.iter().filter(|field| field.name.eq_ignore_ascii_case("connection")).flat_map(|field| crate::http1::names::connection_options(field.value)).any(|value| value.eq_ignore_ascii_case(option))
    };
    if version == 1 { !says(b"close") } else { says(b"keep-alive") }
}

fn write_chunk(out: &mut Vec<u8>, data: &[u8]) {
    if !data.is_empty() {
        chunked::open_chunk(out, data.len());
        out.extend_from_slice(data);
        out.extend_from_slice(b"\r\n");
    }
}

/// Writes the last chunk and the trailer fields that may pass.
fn end_chunks(out: &mut Vec<u8>, trailers: &[u8], table: &FieldTable) -> Result<(), httparse::Error> {
    out.extend_from_slice(b"0\r\n");
    if !trailers.is_empty() {
        let mut section = trailers.to_vec();
        section.extend_from_slice(b"\r\n");
        let mut fields = [httparse::EMPTY_HEADER; 32];
        if let httparse::Status::Complete((_, fields)) = httparse::parse_headers(&section, &mut fields)? {
            for field in fields.iter().filter(|field| may_be_trailer(field.name, table)) {
                response::write_field(out, field.name, field.value);
            }
        }
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}
