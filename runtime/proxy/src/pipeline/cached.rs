//! A permitted request to an operation whose responses are stored (RFC 9111): it is answered from the store, waits for the
//! response to a request like it, or goes to the upstream.

use std::borrow::Borrow;
use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use crate::cache::flight::Landing;
use crate::cache::flights::{Lead, Role};
use crate::cache::freshness::{Moment, Stored, Use};
use crate::cache::key::Key;
use crate::cache::lines::Lines;
use crate::cache::request::{Caching, Lookup};
use crate::cache::status::{Forward, Outcome, Status};
use crate::cache::store::{Found, Refresh};
use crate::cache::tap::{Stopped, Tap};
use crate::exchange::{Progress, poll_end};
use crate::pipeline::forward::Forwarding;
use crate::pipeline::head::Head;
use crate::pipeline::record::Record;
use crate::pipeline::request::RequestFacts;
use crate::pipeline::send::{self, Forwarded, Onlookers};
use crate::pipeline::stored::Serve;
use crate::worker::Worker;
use gateway_wire::downstream::Downstream;
use gateway_wire::http1::body::BodyLength;
use gateway_wire::reject::Reject;

/// A request waits so long for the response to another one; then one of those who wait asks as well.
const PATIENCE: Duration = Duration::from_secs(5);

/// It waits so often; then it asks by itself.
const MOST_WAITS: u32 = 2;

/// Fetching a response in the background ends after so long.
const MOST_REFRESH: Duration = Duration::from_secs(60);

/// What is to be done with a request.
struct Plan {
    why: Forward,
    /// What others wait for it by.
    key: Key,
    /// What is stored, and may not be used as it is.
    stored: Option<Arc<Stored>>,
    /// Nobody waits for its response.
    is_alone: bool,
    /// The upstream sees the conditions of the client.
    shows_conditions: bool,
}

/// What becomes of a request.
pub(super) enum Cached {
    /// It went to the upstream.
    Forwarded(Forwarded),
    /// It is answered with what is stored.
    Stored(Box<Serve>, Progress),
    /// It is refused.
    Refused(Reject),
    /// The client has left.
    Gone,
}

/// Handles a request from the store, or from the upstream.
pub(super) async fn handle<S>(
    worker: &Rc<Worker>,
    down: &mut Downstream<S>,
    record: &mut Record<'_>,
    forwarding: Box<Forwarding>,
    mut caching: Caching,
) -> Cached
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let cache = caching.cache;
    let (mut waits, mut is_released, mut late, mut has_followed) = (0, false, None, false);
    loop {
        caching.lookup.epoch = cache.epoch(caching.place.tag);
        let now = Moment::now();
        let mut plan = match look(&caching.lookup, || &caching.fields, now) {
            Looked::Forward(plan) => plan,
            Looked::Use(key, stored, how) => {
                let refreshing = match how {
                    Use::WhileRevalidating if caching.validates => refreshing(&caching, key),
                    _ => Refreshing::Others,
                };
                // Too many are fetched in the background: this client waits.
                if matches!(refreshing, Refreshing::NoRoom) {
                    let (why, stored) = (Forward::Stale, Some(stored));
                    Plan { why, key, stored, is_alone: caching.is_authorized, shows_conditions: false }
                } else {
                    let ttl = stored.seconds_left(now);
                    let (outcome, status) = match how {
                        Use::Fresh if has_followed => {
                            let (why, detail) = (Forward::UriMiss, None);
                            let status =
                                Status::Forwarded { why, status: None, stored: false, collapsed: true, detail };
                            (Outcome::Collapsed, status)
                        }
                        Use::Fresh => (Outcome::Hit, Status::Hit { ttl }),
                        Use::Stale | Use::WhileRevalidating | Use::Validate { .. } => {
                            (Outcome::Stale, Status::Hit { ttl })
                        }
                    };
                    let serve = Serve::of(&forwarding, stored, caching.set_aside.clone(), now);
                    if let Refreshing::Mine(room, lead) = refreshing {
                        refresh(worker, record, forwarding, caching, key, &serve.stored, (room, lead));
                    }
                    record.note_cache(outcome, status);
                    return Cached::Stored(Box::new(serve), Progress::default());
                }
            }
        };
        if caching.asked.only_if_cached {
            record.note_cache_status(Status::Own("only-if-cached"));
            return Cached::Refused(Reject::NotStored);
        }
        plan.is_alone |= is_released || waits >= MOST_WAITS;
        let lead = if plan.is_alone {
            None
        } else {
            match cache.join(plan.key, caching.epoch, late) {
                Role::Lead(lead) => Some(lead),
                Role::Follow(receiver, number) => {
                    waits += 1;
                    match wait(down, receiver).await {
                        Waited::Landed(Landing::Stored) => has_followed = true,
                        Waited::Landed(Landing::Released) => is_released = true,
                        Waited::Landed(Landing::Flying) => late = Some(number),
                        Waited::Abandoned => {}
                        Waited::Gone => return Cached::Gone,
                    }
                    continue;
                }
            }
        };
        let tap = Tap::new(Rc::new(caching), plan.why, lead);
        return fetch(worker, down, record, forwarding, plan, tap).await;
    }
}

/// Who fetches another response while a stale one is given away.
enum Refreshing {
    /// This request, which has room for it.
    Mine(Refresh, Lead),
    /// Another one does, or nobody has to.
    Others,
    /// Nobody: too many are being fetched.
    NoRoom,
}

fn refreshing(caching: &Caching, key: Key) -> Refreshing {
    match caching.cache.join(key, caching.epoch, None) {
        Role::Follow(..) => Refreshing::Others,
        Role::Lead(lead) => match caching.cache.refresh() {
            Some(room) => Refreshing::Mine(room, lead),
            None => Refreshing::NoRoom,
        },
    }
}

/// The stored response that answers a request as it is, without a word to the upstream.
pub(super) fn fresh(lookup: &Lookup, fields: impl FnOnce() -> Lines, now: Moment) -> Option<Arc<Stored>> {
    match look(lookup, fields, now) {
        Looked::Use(_, stored, Use::Fresh) => Some(stored),
        Looked::Use(..) | Looked::Forward(_) => None,
    }
}

/// What the store has for a request.
enum Looked {
    Forward(Plan),
    Use(Key, Arc<Stored>, Use),
}

fn look<F: Borrow<Lines>>(lookup: &Lookup, fields: impl FnOnce() -> F, now: Moment) -> Looked {
    let alone = |why| {
        let plan = Plan { why, key: lookup.place.key, stored: None, is_alone: true, shows_conditions: true };
        Looked::Forward(plan)
    };
    if lookup.bypasses {
        return alone(Forward::Bypass);
    }
    if lookup.asked.no_store {
        return alone(Forward::Request);
    }
    let wants_part = lookup.set_aside.first("range").is_some();
    // What is only stored if the upstream says that it is for everyone is nothing to wait for.
    let is_alone = wants_part || lookup.is_authorized || !lookup.stores;
    match lookup.find(fields, now) {
        Found::Response(key, stored) => match stored.use_for(&lookup.asked, now) {
            Use::Validate { because_of_request } => {
                let why = if because_of_request { Forward::Request } else { Forward::Stale };
                // Where each request validates, none waits for another.
                let is_alone = is_alone || because_of_request || !stored.terms.is_for_others();
                Looked::Forward(Plan {
                    why,
                    key,
                    stored: Some(stored),
                    is_alone,
                    shows_conditions: wants_part || !lookup.stores,
                })
            }
            how => Looked::Use(key, stored, how),
        },
        Found::Nothing { key, is_variant, passes } => {
            let why = match is_variant {
                _ if !lookup.stores => Forward::Method,
                true => Forward::VaryMiss,
                false => Forward::UriMiss,
            };
            let is_alone = is_alone || passes || lookup.asked.no_cache;
            let shows_conditions = wants_part || passes || !lookup.stores;
            Looked::Forward(Plan { why, key, stored: None, is_alone, shows_conditions })
        }
    }
}

/// How waiting for another request ended.
enum Waited {
    Landed(Landing),
    /// Nobody brings a response any more.
    Abandoned,
    /// The client has left.
    Gone,
}

async fn wait<S>(down: &mut Downstream<S>, mut receiver: Receiver<Landing>) -> Waited
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let late = tokio::time::sleep(PATIENCE);
    let landed = receiver.wait_for(|landing| *landing != Landing::Flying);
    let (mut late, mut landed) = (std::pin::pin!(late), std::pin::pin!(landed));
    let mut is_half_closed = false;
    poll_fn(|cx| {
        if let Poll::Ready(landed) = landed.as_mut().poll(cx) {
            return Poll::Ready(landed.map_or(Waited::Abandoned, |landing| Waited::Landed(*landing)));
        }
        if late.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Waited::Landed(Landing::Flying));
        }
        if !is_half_closed {
            match poll_end(down, cx) {
                Poll::Ready(Err(_)) => return Poll::Ready(Waited::Gone),
                Poll::Ready(Ok(())) => is_half_closed = true,
                Poll::Pending => {}
            }
        }
        Poll::Pending
    })
    .await
}

/// Sends the request to the upstream.
async fn fetch<S>(
    worker: &Rc<Worker>,
    down: &mut Downstream<S>,
    record: &mut Record<'_>,
    mut forwarding: Box<Forwarding>,
    plan: Plan,
    mut tap: Tap,
) -> Cached
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Plan { why, key, stored, shows_conditions, .. } = plan;
    let caching = tap.caching();
    record.note_cache(why.outcome(), Status::forwarded(why));
    if shows_conditions {
        for field in caching.set_aside.iter() {
            tap.show_conditions();
            forwarding.add_field(&line(field.name, field.value));
        }
    }
    let serve = stored.map(|stored| {
        if caching.validates && !shows_conditions && stored.has_validator() {
            add_conditions(&mut forwarding, &stored);
            tap.validate(key, &stored);
        }
        Serve::of(&forwarding, stored, caching.set_aside.clone(), Moment::now())
    });
    if let Some(serve) = serve.as_ref().filter(|_| why == Forward::Stale) {
        tap.or_else(&serve.stored);
    }
    let mut onlookers = Onlookers::new(Some(Box::new(tap)));
    let forwarded = send::forward(worker, down, &mut forwarding, record, &mut onlookers).await;
    let Some(mut tap) = onlookers.tap else { return Cached::Forwarded(forwarded) };
    let status = |status: Option<u16>, detail: Option<&'static str>| Status::Forwarded {
        why,
        status,
        stored: false,
        collapsed: false,
        detail,
    };
    let now = Moment::now();
    let (progress, stopped) = match forwarded {
        Forwarded::Stopped(progress) => (progress, tap.stopped.take()),
        Forwarded::Refused(progress, reject) if is_upstreams(&reject) => {
            let stands_in = tap.stand_in().is_some_and(|stored| stored.stands_in(now));
            tap.failed();
            if !stands_in {
                return Cached::Forwarded(Forwarded::Refused(progress, reject));
            }
            (progress, Some(Stopped::Error(0)))
        }
        forwarded => {
            // Where the client has left, another request goes on.
            if !matches!(forwarded, Forwarded::Cut(_, None)) {
                tap.failed();
            }
            return Cached::Forwarded(forwarded);
        }
    };
    let (Some(serve), Some(stopped)) = (serve, stopped) else {
        return Cached::Forwarded(Forwarded::Cut(progress, None));
    };
    let (serve, outcome, status) = match stopped {
        Stopped::Other => {
            let reject = Reject::UpstreamBroken("a 304 about another content than the one that it was asked about");
            return Cached::Forwarded(Forwarded::Refused(progress, reject));
        }
        Stopped::Valid(valid) => (serve.with(valid, now), Outcome::Revalidated, status(Some(304), None)),
        Stopped::Error(code) => {
            let code = Some(code).filter(|code| *code > 0);
            let stored = Arc::clone(&serve.stored);
            (serve.with(stored, now), Outcome::Stale, status(code, Some("stale-if-error")))
        }
    };
    record.note_cache(outcome, status);
    Cached::Stored(Box::new(serve), progress)
}

/// Whether it is the upstream's fault, so that what is stored may stand in (RFC 5861 §4).
fn is_upstreams(reject: &Reject) -> bool {
    matches!(
        reject,
        Reject::UpstreamUnreachable
            | Reject::UpstreamUntrusted(_)
            | Reject::UpstreamBroken(_)
            | Reject::UpstreamTimeout
            | Reject::UpstreamOverloaded
            | Reject::UpstreamCredential
            | Reject::InvalidResponse(_)
    )
}

/// Asks whether this is still valid (RFC 9111 §4.3.1).
fn add_conditions(forwarding: &mut Forwarding, stored: &Stored) {
    for (field, condition) in [("etag", "If-None-Match"), ("last-modified", "If-Modified-Since")] {
        if let Some(value) = stored.head.first(field) {
            forwarding.add_field(&line(condition, value));
        }
    }
}

fn line(name: &str, value: &[u8]) -> Vec<u8> {
    [name.as_bytes(), b": ", value, b"\r\n"].concat()
}

/// Fetches a response for those who come later, while the client gets a stale one (RFC 5861 §3).
fn refresh(
    worker: &Rc<Worker>,
    record: &Record<'_>,
    mut forwarding: Box<Forwarding>,
    caching: Caching,
    key: Key,
    stored: &Arc<Stored>,
    (room, lead): (Refresh, Lead),
) {
    let mut tap = Tap::new(Rc::new(caching), Forward::Stale, Some(lead));
    if stored.has_validator() {
        add_conditions(&mut forwarding, stored);
        tap.validate(key, stored);
    }
    let given_up = tap.tell();
    forwarding.terms.copy.take();
    let (worker, serving, operation) = (Rc::clone(worker), record.serving, record.operation);
    tokio::task::spawn_local(async move {
        let _room = room;
        let started = Instant::now();
        let address = std::net::IpAddr::from([0, 0, 0, 0]);
        let mut down = Downstream::new(Nobody { given_up }, address, None, started);
        let mut record = Record::new(&worker, serving, Head::Text(0), started);
        record.operation = operation;
        record.facts = RequestFacts { body: BodyLength::None, is_idempotent: true, ..RequestFacts::unknown() };
        let mut onlookers = Onlookers::new(Some(Box::new(tap)));
        // What comes of it is in the store.
        let fetched = send::forward(&worker, &mut down, &mut forwarding, &mut record, &mut onlookers);
        let _ = tokio::time::timeout_at(started + MOST_REFRESH, fetched).await;
        if let Some(mut tap) = onlookers.tap {
            tap.failed();
        }
    });
}

/// The client of a request that is made for the store: it says nothing, and takes all, as long as that is of use.
struct Nobody {
    /// Nothing is going to be stored.
    given_up: Rc<Cell<bool>>,
}

impl AsyncRead for Nobody {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Nobody {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        // The exchange ends, and with it the upstream's response, however long that is.
        if self.given_up.get() {
            return Poll::Ready(Err(std::io::ErrorKind::BrokenPipe.into()));
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
