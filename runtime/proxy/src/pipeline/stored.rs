//! Writes a stored response to a client: whole, in part, or that it has it already.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::cache::conditions::{Part, part};
use crate::cache::freshness::{Moment, Stored};
use crate::cache::lines::Lines;
use crate::cache::status::CacheStatus;
use crate::compression::choice::{Plan, Subject};
use crate::compression::head::Values;
use crate::deployment::PreparedOperation;
use crate::exchange::Progress;
use crate::exchange::pace::Pace;
use crate::pipeline::forward::{Forwarding, PublicAddresses};
use crate::pipeline::own_content;
use crate::pipeline::record::Record;
use crate::worker::Worker;
use gateway_wire::downstream::Downstream;
use gateway_wire::header_edits::HeaderEdits;
use gateway_wire::http1::body::{BodyLength, Framing};
use gateway_wire::http1::head::Field;
use gateway_wire::locations::Locations;
use gateway_wire::reject::reason_phrase;
use gateway_wire::response;

/// Content goes to the client in pieces: what it does not take at once is copied.
const PIECE: usize = 64 << 10;

/// A content of up to this number of bytes is written together with the head.
const SMALL: usize = 8 << 10;

/// A stored response, and what one client gets of it.
pub(crate) struct Serve {
    pub(super) stored: Arc<Stored>,
    /// What the client has already.
    conditions: Lines,
    now: Moment,
    locations: Option<Locations>,
    edits: &'static HeaderEdits,
    idle: Duration,
    least_rate: u64,
}

impl Serve {
    /// What the client of a request to an operation gets of it; `conditions` says what it has already, and it takes at least
    /// `least_rate` bytes per second.
    pub(super) fn new(
        operation: &'static PreparedOperation,
        addresses: &PublicAddresses,
        least_rate: u64,
        stored: Arc<Stored>,
        conditions: Lines,
        now: Moment,
    ) -> Self {
        Self {
            stored,
            conditions,
            now,
            locations: addresses.locations(),
            edits: &operation.table.response_headers,
            idle: addresses.described.upstream.idle_timeout,
            least_rate,
        }
    }

    /// The same for a request that was prepared for its upstream.
    pub(super) fn of(forwarding: &Forwarding, stored: Arc<Stored>, conditions: Lines, now: Moment) -> Self {
        let Forwarding { operation, addresses, terms, .. } = forwarding;
        Self::new(operation, addresses, terms.least_rate, stored, conditions, now)
    }

    /// The same client gets this instead.
    pub(super) fn with(self, stored: Arc<Stored>, now: Moment) -> Self {
        Self { stored, now, ..self }
    }
}

/// What is written.
struct Written<'s> {
    status: u16,
    fields: Vec<Field<'s>>,
    length: BodyLength,
    body: Bytes,
}

/// Writes the response; says how far that came, and whether the client has taken all of it.
pub(super) async fn write<S>(
    worker: &Worker,
    down: &mut Downstream<S>,
    record: &Record<'_>,
    serve: &Serve,
    keep_alive: bool,
    mut progress: Progress,
) -> (Progress, bool)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut age = itoa::Buffer::new();
    let age = age.format(serve.stored.age(serve.now) / 1000);
    let received = serve.stored.head.iter().filter(|field| !is(field, "age"));
    let (status, mut fields) = CacheStatus::beside(received, &record.cache_status());
    fields.push(status.field());
    fields.push(Field { name: "Age", value: age.as_bytes() });
    let stored = &serve.stored;
    let range: String;
    let wanted = match part(stored, &serve.conditions) {
        // A range is of what GET transfers (RFC 9110 §14.2).
        Part::Bytes(_) | Part::OutOfRange if record.facts.to_head => Part::Whole,
        wanted => wanted,
    };
    let mut written = match wanted {
        Part::Whole if stored.status == 204 => {
            Written { status: 204, fields, length: BodyLength::None, body: Bytes::new() }
        }
        Part::Whole => {
            let length = BodyLength::Exactly(stored.body.len() as u64);
            Written { status: stored.status, fields, length, body: stored.body.clone() }
        }
        Part::NotModified => {
            fields.retain(|field| {
                !["content-type", "content-encoding", "content-language"].iter().any(|name| is(field, name))
            });
            Written { status: 304, fields, length: BodyLength::None, body: Bytes::new() }
        }
        Part::Bytes(bytes) => {
            range = format!("bytes {}-{}/{}", bytes.start, bytes.end.saturating_sub(1), stored.body.len());
            fields.push(Field { name: "Content-Range", value: range.as_bytes() });
            let length = BodyLength::Exactly(bytes.len() as u64);
            Written { status: 206, fields, length, body: stored.body.slice(bytes) }
        }
        Part::OutOfRange => {
            range = format!("bytes */{}", stored.body.len());
            fields.retain(|field| is(field, "cache-status"));
            fields.push(Field { name: "Content-Range", value: range.as_bytes() });
            Written { status: 416, fields, length: BodyLength::Exactly(0), body: Bytes::new() }
        }
    };
    let mut values = Values::default();
    if let Some(offer) = record.offer {
        let edits = serve.edits;
        // A part says of what it depends on what all of it would say (RFC 9110 §15.3.7).
        let is_part = written.status == 206;
        let status = if is_part { stored.status } else { written.status };
        let is_left_out = |field: &Field<'_>| edits.replaces(field.name) || (is_part && is(field, "content-range"));
        let passed = written.fields.iter().filter(|field| !is_left_out(field)).map(|field| (field.name, field.value));
        let own = edits.set.iter().chain(edits.add).map(|(name, value)| (*name, value.as_bytes()));
        let length = match written.length {
            _ if is_part => Some(stored.body.len() as u64),
            BodyLength::Exactly(length) => Some(length),
            _ => None,
        };
        let subject = Subject { status, fields: passed.chain(own), length, to_head: record.facts.to_head };
        match offer.plan(subject) {
            Plan::Pass => {}
            _ if is_part => written.fields = values.describe(&written.fields, None, false),
            Plan::Vary => written.fields = values.describe(&written.fields, None, false),
            Plan::VaryWeakly => written.fields = values.describe(&written.fields, None, true),
            Plan::VaryWithoutLength => {
                written.fields = values.describe(&written.fields, None, true);
                written.length = BodyLength::Chunked;
            }
            // Boxed: few answers are compressed, and all would carry its state.
            Plan::Code(coding) => match Box::pin(own_content::encode(offer, coding, &written.body)).await {
                Some(coded) => {
                    written.fields = values.describe(&written.fields, Some(coding.coding().name()), false);
                    written.length = BodyLength::Exactly(coded.len() as u64);
                    written.body = Bytes::from(coded);
                }
                None => written.fields = values.describe(&written.fields, None, false),
            },
        }
    }
    let date = worker.date();
    let terms = record.response_terms(worker, &date, serve.edits, serve.locations.as_ref());
    let Written { status, fields, length, body } = &written;
    down.outbox.head(|head| {
        let reason = reason_phrase(*status);
        response::write_head(head, *status, reason, fields, Framing::default(), *length, keep_alive, &terms);
    });
    progress.status = *status;
    progress.head_at = Some(Instant::now());
    let body = if record.facts.to_head { &[][..] } else { &body[..] };
    progress.response_bytes = body.len() as u64;
    let is_written = write_out(down, body, serve.idle, serve.least_rate).await;
    (progress, is_written)
}

/// Writes what is pending, and a body behind it; says whether the client has taken all of it.
async fn write_out<S>(down: &mut Downstream<S>, body: &[u8], idle: Duration, least_rate: u64) -> bool
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut at = 0;
    if body.len() <= SMALL {
        down.outbox.buffer().extend_from_slice(body);
        at = body.len();
    }
    let (mut pace, mut since, mut before) = (Pace::new(least_rate, idle), Instant::now(), usize::MAX);
    poll_fn(|cx| {
        loop {
            match down.outbox.poll_flush(&mut down.io, cx) {
                Poll::Ready(Err(_)) => return Poll::Ready(false),
                Poll::Ready(Ok(())) if at == body.len() => return Poll::Ready(true),
                Poll::Ready(Ok(())) => {
                    let piece = &body[at..body.len().min(at + PIECE)];
                    if down.outbox.write_through(&mut down.io, cx, piece).is_err() {
                        return Poll::Ready(false);
                    }
                    at += piece.len();
                    continue;
                }
                Poll::Pending => {}
            }
            let left = body.len() - at + down.outbox.pending();
            if left != before {
                (before, since) = (left, Instant::now());
            }
            let moved = (body.len() as u64).saturating_sub(left as u64);
            pace.goes_on(Instant::now, moved);
            let deadline = pace.waits(Instant::now).map_or(since + idle, |by| by.min(since + idle));
            ready!(down.deadline.poll_at(cx, deadline));
            return Poll::Ready(false);
        }
    })
    .await
}

fn is(field: &Field<'_>, name: &str) -> bool {
    field.name.eq_ignore_ascii_case(name)
}
