//! HTTP/2 (RFC 9113): a connection of streams, each of which is one request.
//!
//! A stream looks to the [pipeline](crate::pipeline) like a client's connection that carries one request: its head says
//! what one of HTTP/1.1 would say, and what the pipeline answers is read as a message of HTTP/1.1. So there is one way
//! that requests are checked, decided and forwarded, and none that knows the other protocol. Streams to upstreams look
//! like connections to them, on which requests are written as well.

mod body;
mod client;
mod fields;
mod frames;
mod handlers;
mod head;
mod hpack;
mod rewind;
mod stream;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::admission::Place;
use crate::downstream::{Downstream, Equipment, Known};
use crate::http1::head::HeadFields as _;
use crate::live::LiveListener;
use crate::pipeline::{self, Head};
use crate::worker::Worker;
pub(crate) use client::{ClientConnection, ClientStream};
pub(crate) use handlers::Handlers;
use head::StreamHead;
use rewind::Rewind;
use stream::Stream;

/// How a client begins that knows that HTTP/2 is spoken here (RFC 9113 §3.4): in HTTP/1.1 it is a whole head.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\n";

/// Bytes of request body that a client may send ahead of what is read, on one stream. All streams of a connection may
/// have as much at once: those that an upstream does not read must not keep the others waiting.
const STREAM_WINDOW: u32 = 64 << 10;

/// Bytes of response that wait for a client on one stream.
const SEND_BUFFER: usize = 64 << 10;

/// Streams that a client opened and reset before they were looked at, or that it made us reset: more than this and the
/// connection is closed (CVE-2023-44487, CVE-2025-8671).
const MOST_RESETS: usize = 32;

/// Streams that a client breaks off before it has its answer: so many at once, and so many a second. Each may have cost
/// a connection to an upstream.
const MOST_CANCELLED: f64 = 100.0;
const CANCELLED_PER_SECOND: f64 = 10.0;

/// Fields may take this much more than the head of a request in HTTP/1.1, which is measured afterwards: RFC 9113
/// §6.5.2 counts 32 bytes per field that are not there.
const FIELD_OVERHEAD: usize = 100 * 32;

/// How long a connection that is told to end may take for it.
const GOODBYE: Duration = Duration::from_secs(2);

/// How often an ending connection is looked at again while streams are open.
const GLANCE: Duration = Duration::from_millis(200);

/// What a client gets for whose request there is no place.
const TOO_MANY: &[u8] = b"{\"message\":\"There are too many requests at once\"}\n";

/// What the streams of a connection have in common.
struct Client {
    worker: Rc<Worker>,
    listener: &'static LiveListener,
    known: Known,
    streams: Cell<usize>,
    /// No stream is open.
    idle: Rc<Cell<bool>>,
    idle_since: Cell<Instant>,
    /// How many streams the client may still break off, and since when that is known.
    patience: Cell<(f64, Instant)>,
    /// The client has broken off too many, or has us answer too much.
    has_enough: Notify,
    /// Streams whose trailers are malformed, until somebody who reads them asks.
    malformed: RefCell<HashSet<u32>>,
}

/// Serves a connection until it closes. What `down` has received already is its beginning. `idle` is true while no
/// request is in flight.
pub(crate) async fn serve<S>(
    worker: Rc<Worker>,
    listener: &'static LiveListener,
    down: Downstream<S>,
    idle: Rc<Cell<bool>>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let timeouts = worker.live.config.timeouts;
    let head = worker.live.config.limits.head.head;
    let client = Rc::new(Client {
        listener,
        known: Known { peer: down.peer, peer_text: down.peer_text, tls: down.tls },
        streams: Cell::new(0),
        idle,
        idle_since: Cell::new(worker.recently()),
        patience: Cell::new((MOST_CANCELLED, worker.recently())),
        has_enough: Notify::new(),
        malformed: RefCell::default(),
        worker,
    });
    client.idle.set(true);
    let streams = client.worker.live.config.limits.streams;
    let handshake = Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(STREAM_WINDOW.saturating_mul(streams))
        .max_concurrent_streams(streams)
        .max_header_list_size(u32::try_from(head + FIELD_OVERHEAD).unwrap_or(u32::MAX))
        .max_send_buffer_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(MOST_RESETS)
        .max_local_error_reset_streams(Some(MOST_RESETS))
        .max_concurrent_reset_streams(MOST_RESETS)
        .reset_stream_duration(Duration::from_secs(1))
        .handshake(Rewind::new(down.inbox, down.io, Rc::clone(&client)));
    // A client that does not speak the protocol, or not in time: nobody knows what it would understand.
    let Ok(Ok(connection)) = timeout(timeouts.head, handshake).await else { return };
    run(connection, &client, timeouts.keep_alive).await;
}

/// Accepts streams until the connection closes.
async fn run<S>(mut connection: Connection<Rewind<S>, Bytes>, client: &Rc<Client>, keep_alive: Duration)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut deadline = std::pin::pin!(tokio::time::sleep(keep_alive));
    let mut draining = std::pin::pin!(client.worker.until_draining());
    let mut has_enough = std::pin::pin!(client.has_enough.notified());
    let mut says_goodbye = false;
    loop {
        let accepted = poll_fn(|cx| {
            if !says_goodbye && draining.as_mut().poll(cx).is_ready() {
                says_goodbye = true;
                connection.graceful_shutdown();
                deadline.as_mut().reset(Instant::now() + GOODBYE);
            }
            if has_enough.as_mut().poll(cx).is_ready() {
                connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                has_enough.set(client.has_enough.notified());
            }
            loop {
                if let Poll::Ready(accepted) = connection.poll_accept(cx) {
                    return Poll::Ready(accepted.and_then(Result::ok));
                }
                ready!(deadline.as_mut().poll(cx));
                let (now, is_idle) = (Instant::now(), client.streams.get() == 0);
                let due = if is_idle { client.idle_since.get() + keep_alive } else { now + keep_alive };
                match says_goodbye {
                    true if is_idle => return Poll::Ready(None),
                    true => deadline.as_mut().reset(now + GLANCE),
                    false if due > now => deadline.as_mut().reset(due),
                    false => {
                        says_goodbye = true;
                        connection.graceful_shutdown();
                        deadline.as_mut().reset(now + GOODBYE);
                    }
                }
            }
        });
        let Some((request, mut respond)) = accepted.await else { return };
        // The first stream has the connection's place; each further one may need as much as a connection.
        let live = client.worker.live;
        let place = match client.streams.get() {
            0 => None,
            _ => match live.admission.admit(client.known.peer, live.trusts(client.known.peer)) {
                Some(place) => Some(place),
                None => {
                    client.worker.process.refused.fetch_add(1, Relaxed);
                    turn_away(&mut respond);
                    continue;
                }
            },
        };
        client.worker.handlers.handle(Job { open: Open::on(client), _place: place, request, respond });
    }
}

/// Says that there is no place.
fn turn_away(respond: &mut SendResponse<Bytes>) {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let fields = response.headers_mut();
    fields.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    // A client that is gone misses nothing.
    let Ok(mut body) = respond.send_response(response, false) else { return };
    let _ = body.send_data(Bytes::from_static(TOO_MANY), true);
}

/// A stream to be handled.
struct Job {
    open: Open,
    _place: Option<Place>,
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
}

/// Handles the one request of a stream; gives back what that was done with.
async fn handle(job: Job, equipment: Equipment) -> Equipment {
    let Job { open, _place, request, respond } = job;
    let client = &*open.0;
    let worker = &client.worker;
    let started = worker.now();
    let (parts, body) = request.into_parts();
    if !head::is_for_http(&parts) {
        let mut respond = respond;
        respond.send_reset(Reason::PROTOCOL_ERROR);
        return equipment;
    }
    let head = StreamHead::of(parts, &body);
    let to_head = head.method() == "HEAD";
    let heads = Rc::default();
    let stream = Stream::new(body, head.framing(), respond, Rc::clone(&heads), to_head, Rc::clone(&open.0));
    let mut down = Downstream::beside(&client.known, stream, equipment, heads);
    match head.keeps_to(worker.live.config.limits.head) {
        Ok(()) => {
            pipeline::handle(worker, client.listener, &mut down, Head::Fields(&head), started).await;
        }
        Err(reject) => {
            pipeline::refuse_unparsed(worker, client.listener, &mut down, Head::Fields(&head), reject, started).await;
        }
    }
    let (stream, equipment) = down.into_parts();
    if stream.end() && client.loses_patience() {
        client.has_enough.notify_one();
    }
    equipment
}

impl Client {
    /// Counts a stream that the client has broken off; says whether that was one too many.
    fn loses_patience(&self) -> bool {
        let ((left, since), now) = (self.patience.get(), self.worker.now());
        let regained = now.saturating_duration_since(since).as_secs_f64() * CANCELLED_PER_SECOND;
        let left = (left + regained).min(MOST_CANCELLED) - 1.0;
        self.patience.set((left, now));
        left < 0.0
    }
}

/// A stream that is counted while it lasts.
struct Open(Rc<Client>);

impl Open {
    fn on(client: &Rc<Client>) -> Self {
        client.streams.set(client.streams.get() + 1);
        client.idle.set(false);
        Self(Rc::clone(client))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let left = self.0.streams.get() - 1;
        self.0.streams.set(left);
        if left == 0 {
            self.0.idle.set(true);
            self.0.idle_since.set(self.0.worker.recently());
        }
    }
}

/// A stream that cannot go on, as the pipeline sees it.
fn broken(_: h2::Error) -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}
