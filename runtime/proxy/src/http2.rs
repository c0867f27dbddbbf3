//! HTTP/2 (RFC 9113): a connection of streams, each of which is one request.
//!
//! A stream looks to the [pipeline](crate::pipeline) like a client's connection that carries one request: its head says
//! what one of HTTP/1.1 would say, and what the pipeline answers is read as a message of HTTP/1.1. So there is one way
//! that requests are checked, decided and forwarded, and none that knows the other protocol. Streams to upstreams look
//! like connections to them, on which requests are written as well.

pub(crate) mod handlers;
pub(crate) mod head;
pub(crate) mod job;
pub(crate) mod rewind;
pub(crate) mod stream;
pub(crate) mod streams;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::server::{Builder, Connection, SendResponse};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::http2::handlers::Handlers;
use crate::http2::job::Job;
use crate::http2::streams::MAX_CANCELLED;
use crate::http2::streams::{ClientStreams, Open};
use crate::thread::Thread;
use gateway_wire::downstream::{Downstream, PeerInfo};
use rewind::Rewind;

/// How a client begins that knows that HTTP/2 is spoken here (RFC 9113 §3.4): in HTTP/1.1 it is a whole head.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\n";

/// Bytes of request body that a client may send ahead of what is read, on one stream. All streams of a connection may
/// have as much at once: those that an upstream does not read must not keep the others waiting.
const STREAM_WINDOW: u32 = 64 << 10;

/// Bytes of response that wait for a client on one stream.
const SEND_BUFFER: usize = 64 << 10;

/// Streams that a client opened and reset before they were handled, or that it made us reset: more than this and the
/// connection is closed (CVE-2023-44487, CVE-2025-8671).
const MAX_RESETS: usize = 32;

/// Fields may take this much more than the head of a request in HTTP/1.1, which is measured afterwards: RFC 9113
/// §6.5.2 counts 32 bytes per field that are not there.
const FIELD_OVERHEAD: usize = 100 * 32;

/// How long a connection may take to end after GOAWAY.
const GOAWAY_GRACE: Duration = Duration::from_secs(2);

/// How often an ending connection is checked again while streams are open.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// The answer to a request over the limit of connections.
const TOO_MANY: &[u8] = b"{\"message\":\"There are too many requests at once\"}\n";

/// Serves a connection until it closes. What `down` has received already is its beginning. `idle` is true while no
/// request is in flight.
pub(crate) async fn serve<S>(
    Thread { worker, handlers }: Thread,
    listener: usize,
    down: Downstream<S>,
    idle: Rc<Cell<bool>>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let timeouts = worker.deployment().settings.timeouts;
    let head = worker.deployment().settings.limits.head.head;
    let client = Rc::new(ClientStreams {
        listener,
        known: PeerInfo { peer: down.peer, peer_text: down.peer_text, tls: down.tls },
        streams: Cell::new(0),
        idle,
        idle_since: Cell::new(worker.recently()),
        patience: Cell::new((MAX_CANCELLED, worker.recently())),
        has_enough: Notify::new(),
        malformed: RefCell::default(),
        worker,
    });
    client.idle.set(true);
    let streams = client.worker.deployment().settings.limits.streams;
    let mut builder = Builder::new();
    if client.worker.serving(listener).listener.has_upgrades {
        builder.enable_connect_protocol();
    }
    let handshake = builder
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(STREAM_WINDOW.saturating_mul(streams))
        .max_concurrent_streams(streams)
        .max_header_list_size(u32::try_from(head + FIELD_OVERHEAD).unwrap_or(u32::MAX))
        .max_send_buffer_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(MAX_RESETS)
        .max_local_error_reset_streams(Some(MAX_RESETS))
        .max_concurrent_reset_streams(MAX_RESETS)
        .reset_stream_duration(Duration::from_secs(1))
        .handshake(Rewind::new(down.inbox, down.io, Rc::clone(&client)));
    // A client that does not speak the protocol, or not in time: what it would understand is unknown.
    let Ok(Ok(connection)) = timeout(timeouts.head, handshake).await else { return };
    run(connection, &client, &handlers, timeouts.keep_alive).await;
}

/// Accepts streams until the connection closes.
async fn run<S>(
    mut connection: Connection<Rewind<S>, Bytes>,
    client: &Rc<ClientStreams>,
    handlers: &Handlers,
    keep_alive: Duration,
) where
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
                deadline.as_mut().reset(Instant::now() + GOAWAY_GRACE);
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
                    true => deadline.as_mut().reset(now + POLL_INTERVAL),
                    false if due > now => deadline.as_mut().reset(due),
                    false => {
                        says_goodbye = true;
                        connection.graceful_shutdown();
                        deadline.as_mut().reset(now + GOAWAY_GRACE);
                    }
                }
            }
        });
        let Some((request, mut respond)) = accepted.await else { return };
        // The first stream has the connection's place; each further one may need as much as a connection.
        let deployment = client.worker.deployment();
        let place = match client.streams.get() {
            0 => None,
            _ => match deployment.admission.admit(client.known.peer, deployment.trusts(client.known.peer)) {
                Some(place) => Some(place),
                None => {
                    client.worker.process.refused.fetch_add(1, Relaxed);
                    turn_away(&mut respond);
                    continue;
                }
            },
        };
        handlers.handle(Job { open: Open::on(client), _place: place, request, respond });
    }
}

/// Answers 503: the limit of connections is reached.
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
