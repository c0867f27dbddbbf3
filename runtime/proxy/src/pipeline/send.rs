//! Sends a permitted request to a member of its upstream, to another one where none listens there, and brings the
//! response back.

use std::cell::Cell;
use std::future::{Future as _, poll_fn};
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::cache::tap::Tap;
use crate::exchange::watch::Watch;
use crate::exchange::{Exchange, Failure, NOT_SWITCHED, Progress, poll_end};
use crate::metrics::ContractPart;
use crate::mirror::{Copying, MOST_BODY};
use crate::pipeline::forward::Forwarding;
use crate::pipeline::record::Record;
use crate::pipeline::retry::{Tries, cause_of};
use crate::pipeline::tunnel::Tunnel;
use crate::tables::RetryCause;
use crate::upstream::cluster::{Cluster, RetryOutcome};
use crate::upstream::credential::{self, NoTokenYet};
use crate::upstream::member::{Flight, Member, Outcome};
use crate::upstream::{ConnectError, Endpoint, UpstreamConnection};
use crate::worker::Worker;
use gateway_access::upstream_auth::PreparedCredential;
use gateway_wire::downstream::Downstream;
use gateway_wire::http1::body::BodyLength;
use gateway_wire::http1::head::Field;
use gateway_wire::reject::Reject;

/// How forwarding ended.
pub(crate) enum Forwarded {
    /// The client has the whole response.
    Answered(Progress),
    /// The client is gone, or has to be cut off in the middle of the response.
    Cut(Progress, Option<Reject>),
    /// The client gets this refusal.
    Refused(Progress, Reject),
    /// The connections speak another protocol from here on.
    Upgraded(Box<Tunnel>),
    /// The client has seen nothing of the response: it gets one that is stored.
    Stopped(Progress),
}

/// Who looks at a response on its way.
pub(crate) struct Onlookers {
    watch: Option<Watch>,
    /// Copies it for the store.
    pub(crate) tap: Option<Box<Tap>>,
}

impl Onlookers {
    /// A response that is copied for the store by `tap`, if there is one.
    pub(crate) fn new(tap: Option<Box<Tap>>) -> Self {
        Self { watch: None, tap }
    }
}

impl Forwarded {
    /// Before anything of the request was sent.
    fn unsent(reject: Reject) -> Self {
        Self::Refused(Progress::default(), reject)
    }
}

/// Sends the request and streams both bodies.
pub(crate) async fn forward<S>(
    worker: &Worker,
    down: &mut Downstream<S>,
    forwarding: &mut Forwarding,
    record: &mut Record<'_>,
    onlookers: &mut Onlookers,
) -> Forwarded
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if let (Some(body), BodyLength::Exactly(length)) = (forwarding.body.take(), record.facts.body) {
        let start = record.head.length();
        let end = start.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
        record.facts.body = BodyLength::Exactly(body.len() as u64);
        down.inbox.splice(start..end.min(down.inbox.len()), body);
    }
    record.upstream_started = Some(worker.now());
    record.log_constants = forwarding.other.map(|other| &*other.log_constants);
    let forwarded = send(worker, down, forwarding, record, onlookers).await;
    if let Some(watch) = onlookers.watch.take() {
        match forwarded {
            Forwarded::Refused(_, Reject::InvalidResponse(_)) => record.count_refusal(ContractPart::Response),
            _ => record.observe(ContractPart::Response, &watch.findings),
        }
    }
    forwarded
}

/// How a try ended.
enum Ended {
    /// There is no further one.
    Over(Forwarded),
    /// A kept connection turned out to be closed, and the request may be sent again.
    Stale,
    /// Nothing came of it, but for this refusal; another try is possible.
    Failed(Forwarded, RetryCause),
    /// A response was given up for another try.
    GivenUp,
    /// The connection speaks another protocol from here on.
    Upgraded(Progress, UpstreamConnection),
}

/// Tries members until there is an answer, as often as the upstream's `retry` says.
async fn send<S>(
    worker: &Worker,
    down: &mut Downstream<S>,
    forwarding: &mut Forwarding,
    record: &mut Record<'_>,
    onlookers: &mut Onlookers,
) -> Forwarded
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let cluster = &*forwarding.to.cluster;
    let Ok(mut under_way) = cluster.admit() else {
        return Forwarded::unsent(Reject::UpstreamOverloaded);
    };
    if let Some(copy) = forwarding.terms.copy.take() {
        begin_copy(worker, down, forwarding, record, copy);
    }
    let total = forwarding.described.upstream.total_timeout.map(|total| Instant::now() + total);
    let ends = [total, forwarding.terms.end_by].into_iter().flatten();
    forwarding.terms.end_by = ends.min();
    if let Some(PreparedCredential::Token(source)) = &cluster.credential {
        let token = match credential::token(&**source, forwarding.terms.end_by).await {
            Ok(token) => token,
            Err(NoTokenYet::Late) => return Forwarded::unsent(Reject::UpstreamTimeout),
            Err(NoTokenYet::Refused) => return Forwarded::unsent(Reject::UpstreamCredential),
        };
        forwarding.add_field(token.line());
        forwarding.token = Some(token);
    }
    // What the upstream has begun to do for a tunnel is not known.
    let is_repeatable =
        is_idempotent(forwarding, record) && !record.facts.expects_continue && forwarding.terms.upgrade.is_none();
    let tries = Tries::new(cluster, forwarding.described.upstream.retry, is_repeatable, forwarding.terms.end_by);
    // By what the pools know them. Empty unless something fails: it takes no memory before.
    let mut tried = Vec::new();
    loop {
        let mut forwarded = match attempt(worker, down, forwarding, record, onlookers, &tries, &mut tried).await {
            Ended::Over(forwarded) => Some(forwarded),
            Ended::Failed(forwarded, cause) if !tries.allow(cause, None) => Some(forwarded),
            Ended::Failed(..) | Ended::GivenUp | Ended::Stale | Ended::Upgraded(..) => None,
        };
        if forwarded.is_none() {
            down.used = record.head.length();
            if !pause(down, tries.pause()).await {
                forwarded = Some(Forwarded::Cut(Progress::default(), None));
            }
        }
        if tries.started() > 1 {
            let is_good = matches!(&forwarded, Some(Forwarded::Answered(progress)) if Outcome::of_status(progress.status) == Outcome::Answered);
            cluster.count_retry(if is_good { RetryOutcome::Success } else { RetryOutcome::Failure });
        }
        match forwarded {
            Some(Forwarded::Upgraded(mut tunnel)) => {
                tunnel.under_way = under_way.take();
                return Forwarded::Upgraded(tunnel);
            }
            Some(forwarded) => return forwarded,
            None => {}
        }
    }
}

/// Sends the copy of a request, or has it take the body on its way.
fn begin_copy<S>(
    worker: &Worker,
    down: &Downstream<S>,
    forwarding: &mut Forwarding,
    record: &Record<'_>,
    copy: Box<Copying>,
) {
    let length = match record.facts.body {
        BodyLength::None => 0,
        BodyLength::Exactly(length) => length,
        BodyLength::Chunked | BodyLength::UntilClose => MOST_BODY,
    };
    let Some(mut copy) = copy.begin(&worker.mirroring, length) else { return };
    let start = record.head.length();
    let end = start.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
    let is_known = length == 0 || copy.has_body();
    let received = down.inbox.get(start..end).filter(|_| !is_known && record.facts.body != BodyLength::Chunked);
    if is_known || received.is_some_and(|body| copy.add(body)) {
        copy.send();
    } else if received.is_none() {
        forwarding.terms.copies_body = true;
        forwarding.terms.copy.set(Some(copy));
    }
}

/// Waits before the next try; false if the client is gone meanwhile.
async fn pause<S: AsyncRead + AsyncWrite + Unpin>(down: &mut Downstream<S>, time: Duration) -> bool {
    let mut over = std::pin::pin!(tokio::time::sleep(time));
    poll_fn(|cx| {
        if over.as_mut().poll(cx).is_ready() {
            return Poll::Ready(true);
        }
        poll_end(down, cx).map(|_| false)
    })
    .await
}

/// One try goes on to no other member after so many that it could not connect to: behind a name there may be thousands.
const MOST_UNREACHED: u32 = 32;

/// One try: at one member after the other until one can be connected to, since none of them has received anything before.
async fn attempt<S>(
    worker: &Worker,
    down: &mut Downstream<S>,
    forwarding: &mut Forwarding,
    record: &mut Record<'_>,
    onlookers: &mut Onlookers,
    tries: &Tries,
    tried: &mut Vec<usize>,
) -> Ended
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let cluster = &*forwarding.to.cluster;
    let number = tries.begin();
    let mut reject = None;
    // So many of those that were tried were so for an earlier try.
    let mut earlier = tried.len();
    let mut unreached = 0;
    while unreached < MOST_UNREACHED
        && let Some(flight) = next(worker, cluster, forwarding.hash, tried, &mut earlier)
    {
        if is_past(forwarding.terms.end_by) {
            return Ended::Over(Forwarded::unsent(Reject::UpstreamTimeout));
        }
        let endpoint = flight.member.endpoint;
        // A tunnel takes its connection for itself.
        let mut kept = match forwarding.terms.upgrade {
            Some(_) => None,
            None => worker.pool.take(endpoint, &flight.member, &forwarding.described.upstream.keep_alive),
        };
        forwarding.begin_try(number, endpoint);
        loop {
            let connection = match kept.take() {
                Some(connection) => connection,
                // Boxed: most requests find a kept connection, and all would carry its state.
                None => match Box::pin(connect(worker, forwarding, endpoint, &flight.member)).await {
                    Ok(connection) => connection,
                    Err(Reject::UpstreamOverloaded) => {
                        return Ended::Over(Forwarded::unsent(Reject::UpstreamOverloaded));
                    }
                    Err(Reject::UpstreamTimeout) if is_past(forwarding.terms.end_by) => {
                        // One that came later was given less time than there is.
                        if number == 1 && reject.is_none() && !is_past(forwarding.client_ends) {
                            cluster.note(&flight.member, Outcome::Timeout);
                        }
                        return Ended::Over(Forwarded::unsent(Reject::UpstreamTimeout));
                    }
                    Err(failure) => {
                        cluster.note(&flight.member, outcome_of(&failure).unwrap_or(Outcome::Unconnected));
                        reject = Some(failure);
                        tried.push(flight.member.index);
                        unreached += 1;
                        break;
                    }
                },
            };
            record.attempts = number;
            let seen = Cell::new(None);
            let ended =
                exchange(worker, down, forwarding, record, onlookers, tries, endpoint, &flight, connection, &seen)
                    .await;
            let failure = match &ended {
                Ended::Stale => {
                    down.used = record.head.length();
                    continue;
                }
                Ended::Over(forwarded) | Ended::Failed(forwarded, _) => failure(forwarded),
                Ended::GivenUp | Ended::Upgraded(..) => None,
            };
            // A time that the client has set says nothing of the member.
            let failure = failure.filter(|it| *it != Outcome::Timeout || !is_past(forwarding.client_ends));
            match seen.get().map(Outcome::of_status) {
                // That was noted when it came.
                Some(Outcome::Unavailable) => {}
                answered => {
                    if let Some(outcome) = failure.or(answered) {
                        cluster.note(&flight.member, outcome);
                    }
                }
            }
            if !matches!(ended, Ended::Over(_) | Ended::Upgraded(..)) {
                tried.push(flight.member.index);
            }
            record.endpoint = Some(flight.member.clone());
            let Ended::Upgraded(progress, up) = ended else { return ended };
            let Some(terms) = forwarding.terms.upgrade.take() else {
                return Ended::Over(Forwarded::Cut(progress, None)); // It asked for none, and got none.
            };
            return Ended::Over(Forwarded::Upgraded(Box::new(Tunnel { up, terms, progress, flight, under_way: None })));
        }
    }
    let reject = reject.unwrap_or(Reject::UpstreamUnreachable);
    Ended::Failed(Forwarded::unsent(reject), RetryCause::Connect)
}

/// A member that was not tried; once all were, those of earlier tries come again: so many are the first of `tried`.
fn next(
    worker: &Worker,
    cluster: &'static Cluster,
    hash: Option<u64>,
    tried: &mut Vec<usize>,
    earlier: &mut usize,
) -> Option<Flight> {
    worker.choose(cluster, tried, hash).or_else(|| {
        if *earlier == 0 {
            return None;
        }
        tried.drain(..std::mem::take(earlier));
        worker.choose(cluster, tried, hash)
    })
}

/// The request may be acted on twice.
fn is_idempotent(forwarding: &Forwarding, record: &Record<'_>) -> bool {
    record.facts.is_idempotent || forwarding.operation.table.repeatable
}

fn is_past(by: Option<Instant>) -> bool {
    by.is_some_and(|by| by <= Instant::now())
}

/// One exchange with a member.
#[expect(clippy::too_many_arguments, reason = "each is one fact about the exchange; a struct would only rename them")]
async fn exchange<S>(
    worker: &Worker,
    down: &mut Downstream<S>,
    forwarding: &Forwarding,
    record: &Record<'_>,
    onlookers: &mut Onlookers,
    tries: &Tries,
    endpoint: &'static Endpoint,
    flight: &Flight,
    mut connection: UpstreamConnection,
    seen: &Cell<Option<u16>>,
) -> Ended
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let deployment = record.serving.deployment;
    let date = worker.date();
    let locations = forwarding.addresses.locations();
    let response =
        record.response_terms(worker, &date, &forwarding.operation.table.response_headers, locations.as_ref());
    onlookers.watch = Watch::new(forwarding.operation.contract.as_deref(), &deployment.bodies);
    let (fields, terms) = (&deployment.request_fields, &forwarding.terms);
    let cluster = &forwarding.to.cluster;
    let on_response = |status: u16, fields: &[Field<'_>], is_repeatable: bool| {
        seen.set(Some(status));
        // Before the client sees anything of it: its next request finds what this one has shown.
        if Outcome::of_status(status) == Outcome::Unavailable {
            cluster.note(&flight.member, Outcome::Unavailable);
        }
        if let (401, Some(PreparedCredential::Token(source)), Some(token)) =
            (status, &cluster.credential, &forwarding.token)
        {
            source.refused(token);
        }
        if let Some(purging) = &forwarding.purging {
            purging.answered(status, fields, locations.as_ref());
        }
        is_repeatable && tries.allow_after(status, fields)
    };
    let Onlookers { watch, tap } = onlookers;
    let (watch, tap) = (watch.as_mut(), tap.as_deref_mut());
    // What is only bound by long times needs no look at the clock.
    let now = if terms.head_within.is_some() { Instant::now() } else { worker.recently() };
    let mut exchange =
        Exchange::new(down, &mut connection, terms, &response, fields, watch, tap, &on_response, record.offer, now);
    let result = exchange.run().await;
    let progress = exchange.progress();
    drop(exchange);
    match result {
        Ok(()) if progress.upgraded => Ended::Upgraded(progress, connection),
        Ok(()) => {
            if progress.reusable {
                let keep = &forwarding.described.upstream.keep_alive;
                worker.pool.put(endpoint, &flight.member, connection, keep, worker.recently());
            }
            Ended::Over(Forwarded::Answered(progress))
        }
        // A proxy must not repeat what is not idempotent (RFC 9112 §9.3.1): the upstream may have acted on it.
        Err(Failure::Stale) if is_idempotent(forwarding, record) && progress.replayable => Ended::Stale,
        Err(Failure::Stale) => Ended::Over(Forwarded::Refused(
            progress,
            Reject::UpstreamBroken("closed a kept connection before any byte of the response"),
        )),
        Err(Failure::GivenUp) => Ended::GivenUp,
        Err(Failure::Stopped) => {
            if progress.reusable {
                let keep = &forwarding.described.upstream.keep_alive;
                worker.pool.put(endpoint, &flight.member, connection, keep, worker.recently());
            }
            Ended::Over(Forwarded::Stopped(progress))
        }
        Err(Failure::ClientGone) => Ended::Over(Forwarded::Cut(progress, None)),
        Err(Failure::Aborted(reject)) => Ended::Over(Forwarded::Cut(progress, Some(reject))),
        Err(Failure::Rejected(reject)) => {
            match outcome_of(&reject).and_then(cause_of).filter(|_| progress.is_repeatable()) {
                Some(cause) => Ended::Failed(Forwarded::Refused(progress, reject), cause),
                None => Ended::Over(Forwarded::Refused(progress, reject)),
            }
        }
    }
}

async fn connect(
    worker: &Worker,
    forwarding: &Forwarding,
    endpoint: &Endpoint,
    member: &Member,
) -> Result<UpstreamConnection, Reject> {
    let Ok(_waiting) = forwarding.to.cluster.admit_connection() else { return Err(Reject::UpstreamOverloaded) };
    let terms = &forwarding.terms;
    let left = terms.end_by.map_or(Duration::MAX, |by| by.saturating_duration_since(Instant::now()));
    let limit = forwarding.described.upstream.connect_timeout.min(terms.head_within.unwrap_or(left)).min(left);
    let keep = forwarding.described.upstream.keep_alive;
    let connection = worker.pool.connect(endpoint, member, keep, limit).await.map_err(|error| match error {
        ConnectError::Unreachable => Reject::UpstreamUnreachable,
        ConnectError::Timeout => Reject::UpstreamTimeout,
        ConnectError::Untrusted(why) => Reject::UpstreamUntrusted(why),
    })?;
    worker.process.upstream_connects.fetch_add(1, Relaxed);
    Ok(connection)
}

/// What the end of an exchange says against the member; nothing where the client, or we, ended it.
fn failure(forwarded: &Forwarded) -> Option<Outcome> {
    let reject = match forwarded {
        Forwarded::Answered(_) | Forwarded::Upgraded(_) | Forwarded::Stopped(_) => None,
        Forwarded::Cut(_, reject) => reject.as_ref(),
        Forwarded::Refused(_, reject) => Some(reject),
    };
    reject.and_then(outcome_of)
}

fn outcome_of(reject: &Reject) -> Option<Outcome> {
    match reject {
        Reject::UpstreamUnreachable | Reject::UpstreamUntrusted(_) => Some(Outcome::Unconnected),
        Reject::UpstreamBroken(NOT_SWITCHED) => Some(Outcome::Answered),
        Reject::UpstreamBroken(_) => Some(Outcome::Reset),
        Reject::UpstreamTimeout => Some(Outcome::Timeout),
        _ => None,
    }
}
