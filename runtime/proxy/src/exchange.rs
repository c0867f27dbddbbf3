//! One request forwarded and its response brought back: both bodies stream at once, and neither is buffered whole, except
//! for responses that are refused where they are not as described.

pub(crate) mod coded;
pub(crate) mod download;
pub(crate) mod encode;
pub(crate) mod pace;
pub(crate) mod upload;
pub(crate) mod watch;

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::cache::tap::Tap;
use crate::compression::choice::Offer;
use crate::mirror::Copying;
use crate::upstream::UpstreamConnection;
use coded::Coded;
use gateway_wire::downstream::Downstream;
use gateway_wire::http1::body::BodyLength;
use gateway_wire::http1::chunked::{self, Decoder};
use gateway_wire::http1::head::Field;
use gateway_wire::http1::names::{FieldTable, is_same_name_ignoring_punctuation, may_be_trailer};
use gateway_wire::reject::Reject;
use gateway_wire::response::{self, ResponseTerms};
use pace::Pace;
use watch::{Held, Watch};

/// The head of a response may have this many bytes.
const MAX_RESPONSE_HEAD: usize = 64 << 10;

/// More informational responses (1xx) than this before the final one are an upstream that sends no final one.
const MAX_INTERIM: u32 = 32;

/// A client that waits for `100 Continue` gets the gateway's after this, for upstreams that ignore the expectation
/// (RFC 9110 §10.1.1 forbids to wait for ever).
const CONTINUE_AFTER: Duration = Duration::from_secs(1);

/// A client that closed its side may only have finished sending; without an answer by then, it counts as gone.
const HALF_CLOSED_FOR: Duration = Duration::from_millis(500);

/// What a client may send ahead (pipelining) while its request is being answered.
const READ_AHEAD: usize = 16 << 10;

/// So many bytes of a body are kept for another try.
pub(crate) const KEPT_BODY: u64 = 64 << 10;

/// Gets each final response by its status and fields, and whether another try is possible; decides about that.
pub(crate) type OnResponse<'a> = &'a dyn Fn(u16, &[Field<'_>], bool) -> bool;

/// What the exchange has to know of the request.
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
    /// From the end of the request to the head of the response, where that is bound apart.
    pub(crate) head_within: Option<Duration>,
    /// When all must be over.
    pub(crate) end_by: Option<Instant>,
    /// The body is kept as far as [`KEPT_BODY`], for another try.
    pub(crate) keeps_body: bool,
    /// The body goes into `copy` as well.
    pub(crate) copies_body: bool,
    /// A copy of the request for another upstream, until it is sent.
    pub(crate) copy: Cell<Option<Box<Copying>>>,
    /// Bytes per second that a client has to move on average while it is its turn.
    pub(crate) least_rate: u64,
    /// Fields that carry credentials somewhere in the documents: none of them is a trailer.
    pub(crate) credentials: &'static [&'static str],
    /// More fields than these are no response.
    pub(crate) most_response_fields: usize,
    /// What the client asks to switch to. Boxed: few requests do.
    pub(crate) upgrade: Option<Box<UpgradeTerms>>,
}

/// An upstream that does not switch, where the client would take its answer for that. It is well.
pub(crate) const NOT_SWITCHED: &str = "answered as if no upgrade had been asked for";

/// What holds for a request to switch to another protocol, and for the tunnel that comes of it.
#[derive(Debug)]
pub(crate) struct UpgradeTerms {
    /// The name of the protocol.
    pub(crate) protocol: &'static str,
    /// A client of HTTP/2 takes every success for the switch (RFC 8441 §5).
    pub(crate) is_connect: bool,
    /// The `Sec-WebSocket-Accept` of one who has read the key, where that is the gateway's (RFC 6455 §4.1).
    pub(crate) accept: Option<String>,
    /// The longest silence in the tunnel.
    pub(crate) idle: Duration,
    /// When the tunnel ends at the latest.
    pub(crate) ends: Option<Instant>,
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
    /// The connections speak another protocol from here on.
    pub(crate) upgraded: bool,
    /// The content that the client gets has no length: it ends where that is said, and trailers may follow.
    pub(crate) is_open_ended: bool,
    /// The client's connection may carry another request.
    pub(crate) keep_alive: bool,
    /// The upstream's connection may carry another request.
    pub(crate) reusable: bool,
    /// The client has sent all of its request.
    pub(crate) request_done: bool,
    /// Nothing of the request is lost: it could be sent again.
    pub(crate) replayable: bool,
    /// The client has closed its side, and may be gone.
    pub(crate) half_closed_at: Option<Instant>,
}

impl Progress {
    /// Nothing has gone to the client, which is still there, and all that the upstream got is kept.
    pub(crate) fn is_repeatable(&self) -> bool {
        self.replayable && self.status == 0 && self.request_bytes <= KEPT_BODY && self.half_closed_at.is_none()
    }
}

/// Why an exchange failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The client went away: there is no one to answer.
    ClientGone,
    /// A reused connection was closed before any byte of a response: the request may be sent again if it is safe.
    Stale,
    /// A response came in place of which the request is sent again.
    GivenUp,
    /// A response came in place of which the client gets one that is stored.
    Stopped,
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
    Head {
        interim: u32,
    },
    /// The response waits for its check.
    Held(Box<Held>),
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
    /// The first poll sends what came with the head: that needs no look at the clock.
    polled: bool,
    /// The client has the head of the response.
    committed: bool,
    pace: Pace,
    /// Compares the response with its description.
    watch: Option<&'a mut Watch>,
    /// Copies the response for the store.
    tap: Option<&'a mut Tap>,
    /// Until it has got the final response.
    on_response: Option<OnResponse<'a>>,
    /// Which codings of the content the client takes, where the operation has any.
    offer: Option<Offer>,
    /// The content is coded.
    coded: Option<Box<Coded>>,
    progress: Progress,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Exchange<'a, S> {
    /// An exchange over a connection that carries nothing else.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is one fact about the exchange; a struct would only rename them"
    )]
    pub(crate) fn new(
        down: &'a mut Downstream<S>,
        up: &'a mut UpstreamConnection,
        request: &'a RequestTerms,
        response: &'a ResponseTerms<'a>,
        fields: &'a FieldTable,
        watch: Option<&'a mut Watch>,
        tap: Option<&'a mut Tap>,
        on_response: OnResponse<'a>,
        offer: Option<Offer>,
        now: Instant,
    ) -> Self {
        let upload = if request.expects_continue && request.body != BodyLength::None {
            Upload::Held
        } else {
            Upload::of(request.body)
        };
        if request.copies_body
            && let Some(mut copy) = request.copy.take()
        {
            copy.restart();
            request.copy.set(Some(copy));
        }
        let progress = Progress { replayable: true, ..Progress::default() };
        Self {
            down,
            up,
            request,
            response,
            fields,
            upload,
            download: Download::Head { interim: 0 },
            last_progress: now,
            polled: false,
            committed: false,
            pace: Pace::new(request.least_rate, request.idle_timeout),
            watch,
            tap,
            on_response: Some(on_response),
            offer,
            coded: None,
            progress,
        }
    }

    /// Runs to the end.
    pub(crate) async fn run(&mut self) -> Result<(), Failure> {
        poll_fn(|cx| {
            self.send_head(cx);
            Poll::Ready(())
        })
        .await;
        poll_fn(|cx| self.poll(cx)).await
    }

    /// How far it got.
    pub(crate) fn progress(&self) -> Progress {
        self.progress
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        loop {
            let before = self.amount();
            if let Poll::Ready(Err(failure)) = self.poll_upload(cx) {
                return Poll::Ready(Err(failure));
            }
            let held = matches!(self.upload, Upload::Held);
            match self.poll_download(cx) {
                Poll::Ready(Ok(())) => {
                    self.finish();
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Err(failure)) => return Poll::Ready(Err(self.take_back(failure))),
                Poll::Pending => {}
            }
            if let Poll::Ready(failure) = self.poll_client_gone(cx) {
                return Poll::Ready(Err(failure));
            }
            if matches!(self.upload, Upload::Held) && !self.down.unread().is_empty() {
                // The client did not wait, so no 100 is needed.
                self.upload = Upload::of(self.request.body);
            }
            if held && !matches!(self.upload, Upload::Held) {
                continue;
            }
            if self.polled && before != self.amount() {
                self.last_progress = Instant::now();
            }
            self.polled = true;
            self.pace.goes_on(Instant::now, self.moved());
            let mut deadline = self.deadline();
            if self.waits_for_client()
                && let Some(by) = self.pace.waits(Instant::now)
            {
                deadline = deadline.min(by);
            }
            ready!(self.down.deadline.poll_at(cx, deadline));
            if let Some(failure) = self.on_deadline() {
                return Poll::Ready(Err(failure));
            }
        }
    }

    fn finish(&mut self) {
        let upload_done = matches!(self.upload, Upload::Done);
        self.progress.request_done = upload_done;
        self.progress.keep_alive &= upload_done && self.progress.half_closed_at.is_none();
        self.progress.reusable &= upload_done;
    }

    /// A response of which the client has seen nothing yet can still be replaced by a refusal.
    fn take_back(&mut self, failure: Failure) -> Failure {
        match failure {
            Failure::Aborted(reject) if !self.committed && !self.down.outbox.has_started() => {
                self.down.outbox.clear();
                self.progress.status = 0;
                self.progress.response_bytes = 0;
                Failure::Rejected(reject)
            }
            failure => failure,
        }
    }

    /// Changes whenever something moves.
    fn amount(&self) -> (u64, u64, u16, usize, usize, u64, usize) {
        let progress = &self.progress;
        let held = if let Download::Held(held) = &self.download { held.len() } else { 0 };
        (
            progress.request_bytes,
            progress.response_bytes,
            progress.status,
            self.up.outbox.pending(),
            self.down.outbox.pending(),
            self.moved(),
            held,
        )
    }

    /// Bytes that went to and from the client.
    fn moved(&self) -> u64 {
        let progress = &self.progress;
        match &self.down.sent {
            Some(sent) => progress.request_bytes + sent.get(),
            None => {
                (progress.request_bytes + progress.response_bytes).saturating_sub(self.down.outbox.pending() as u64)
            }
        }
    }

    /// A refusal, in the form that is still possible.
    fn fail(&self, reject: Reject) -> Failure {
        if self.progress.status == 0 { Failure::Rejected(reject) } else { Failure::Aborted(reject) }
    }

    fn poll_client_gone(&mut self, cx: &mut Context<'_>) -> Poll<Failure> {
        if !matches!(self.upload, Upload::Done | Upload::Held) || self.progress.half_closed_at.is_some() {
            return Poll::Pending;
        }
        if ready!(poll_end(self.down, cx)).is_err() {
            return Poll::Ready(Failure::ClientGone);
        }
        self.progress.half_closed_at = Some(Instant::now());
        Poll::Pending
    }

    fn deadline(&self) -> Instant {
        let waits_for_head =
            matches!(self.download, Download::Head { .. }) && matches!(self.upload, Upload::Done | Upload::Abandoned);
        let patience = match self.upload {
            Upload::Held => CONTINUE_AFTER,
            _ if waits_for_head => {
                let within = self.request.head_within.unwrap_or(self.request.response_timeout);
                within.min(self.request.response_timeout)
            }
            _ => self.request.idle_timeout,
        };
        let deadline = self.last_progress + patience;
        let deadline = self.request.end_by.map_or(deadline, |end_by| deadline.min(end_by));
        self.gone_at().map_or(deadline, |gone_at| deadline.min(gone_at))
    }

    /// Neither we nor the upstream can go on before the client does. Once an upstream has begun to answer, it is for the
    /// upstream to say how long it listens.
    fn waits_for_client(&self) -> bool {
        let sends = self.upload.wants_body() && self.up.outbox.is_empty();
        (sends && self.download.is_ahead()) || self.down.outbox.waits_for_peer()
    }

    /// When a client that closed its side counts as gone. Once the response has begun, writing it shows that.
    fn gone_at(&self) -> Option<Instant> {
        let waits = self.download.is_ahead();
        self.progress.half_closed_at.filter(|_| waits).map(|at| at + HALF_CLOSED_FOR)
    }

    /// What the passed deadline means; `None` goes on.
    fn on_deadline(&mut self) -> Option<Failure> {
        if self.gone_at().is_some_and(|gone_at| gone_at <= Instant::now()) {
            return Some(Failure::ClientGone);
        }
        if self.request.end_by.is_some_and(|by| by <= Instant::now()) {
            return Some(match (self.waits_for_client(), self.download.is_ahead()) {
                (false, true) => Failure::Rejected(Reject::UpstreamTimeout),
                (false, false) => Failure::Aborted(Reject::UpstreamTimeout),
                // It is not the upstream that was slow.
                (true, true) => Failure::Rejected(Reject::RequestTimeout),
                (true, false) => Failure::ClientGone,
            });
        }
        if self.pace.is_over(Instant::now()) {
            return Some(match self.download {
                Download::Head { .. } | Download::Held(_) => Failure::Rejected(Reject::RequestTimeout),
                _ => Failure::ClientGone,
            });
        }
        match (&self.download, &self.upload) {
            (_, Upload::Held) => {
                self.grant_continue();
                self.last_progress = Instant::now();
                None
            }
            (Download::Head { .. }, Upload::Counted(_) | Upload::Chunked(_)) if self.up.outbox.is_empty() => {
                Some(Failure::Rejected(Reject::RequestTimeout))
            }
            (Download::Head { .. } | Download::Held(_), _) => Some(Failure::Rejected(Reject::UpstreamTimeout)),
            (_, _) if self.down.outbox.waits_for_peer() => Some(Failure::ClientGone),
            _ => Some(Failure::Aborted(Reject::UpstreamTimeout)),
        }
    }
}

impl Download {
    /// Nothing of the response has gone to the client yet.
    fn is_ahead(&self) -> bool {
        matches!(self, Self::Head { .. } | Self::Held(_))
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

/// Reads ahead while a request is being answered; ready once the client sends no more, or its connection has broken.
pub(crate) fn poll_end<S>(down: &mut Downstream<S>, cx: &mut Context<'_>) -> Poll<io::Result<()>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    while down.unread().len() < READ_AHEAD {
        if ready!(down.poll_receive(cx, READ_AHEAD))? == 0 {
            return Poll::Ready(Ok(()));
        }
    }
    Poll::Pending
}

fn write_chunk(out: &mut Vec<u8>, data: &[u8]) {
    if !data.is_empty() {
        chunked::open_chunk(out, data.len());
        out.extend_from_slice(data);
        out.extend_from_slice(b"\r\n");
    }
}

/// Writes the last chunk and the trailer fields that may pass.
fn end_chunks(
    out: &mut Vec<u8>,
    trailers: &[u8],
    table: &FieldTable,
    credentials: &[&str],
) -> Result<(), httparse::Error> {
    out.extend_from_slice(b"0\r\n");
    if !trailers.is_empty() {
        let mut section = trailers.to_vec();
        section.extend_from_slice(b"\r\n");
        let mut fields = [httparse::EMPTY_HEADER; 32];
        if let httparse::Status::Complete((_, fields)) = httparse::parse_headers(&section, &mut fields)? {
            let is_credential =
                |name: &str| credentials.iter().any(|credential| is_same_name_ignoring_punctuation(credential, name));
            for field in fields.iter().filter(|field| may_be_trailer(field.name, table) && !is_credential(field.name)) {
                response::write_field(out, field.name, field.value);
            }
        }
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}
