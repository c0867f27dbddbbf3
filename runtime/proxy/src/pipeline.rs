//! The life of a request: one function decides, one forwards, one answers, and the log always comes last.

mod browsers;
mod cached;
mod contract;
mod forward;
mod gather;
mod grpc;
pub(crate) mod head;
mod own_content;
mod pause;
mod plain;
mod record;
mod refusal;
mod request;
mod retry;
mod route;
mod send;
mod steps;
mod stored;
mod tunnel;
mod unrouted;
mod upgrade;

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::cache::request::Caching;
use crate::cache::status::CACHE_STATUS;
use crate::deployment::Serving;
use crate::exchange::Progress;
use crate::worker::Worker;
use cached::Cached;
use forward::Forwarding;
use gateway_access::failed_authentication::Attempts;
use gateway_wire::answer::OwnAnswer;
use gateway_wire::downstream::{Downstream, Scratch};
use gateway_wire::http1::body::BodyLength;
use gateway_wire::reject::Reject;
use gateway_wire::response::{self, OwnTerms};
pub(crate) use head::Head;
use head::HeadSpace;
use pause::{Answers, OwnedRoute, Paused, Stage, Stop};
use record::{OWN_RESPONSE_TIMEOUT, Record};
use request::Request;
use route::RouteSpace;
use send::{Forwarded, Onlookers};
use steps::Steps;
use stored::Serve;
use tunnel::End;

/// The largest body of a refused request, in bytes, that is read to its end, so that the connection can go on.
const DRAINED_BYTES: u64 = 64 << 10;

/// What becomes of the client's connection after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// Another request may follow.
    KeepAlive,
    /// Nothing more is expected in either direction.
    Close,
    /// The client may still be sending.
    Linger,
    /// The response is not whole, and must not look as if it were.
    Cut,
}

/// What becomes of a request.
#[expect(clippy::large_enum_variant, reason = "most requests are forwarded; a box would be an allocation for each")]
enum Decision {
    /// It is sent to its upstream.
    Forward(Forwarding),
    /// It goes to its upstream, unless its response can come from the store.
    Cache(Box<Forwarding>, Box<Caching>),
    /// It is answered with what is stored.
    Stored(Box<Serve>),
    /// The gateway answers itself.
    Answer(OwnAnswer),
}

/// Handles the request that begins with this head.
pub(crate) async fn handle<S>(
    worker: &Rc<Worker>,
    serving: Serving,
    down: &mut Downstream<S>,
    head: Head<'_>,
    started: Instant,
) -> After
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    down.used = head.length();
    let mut record = Record::new(worker, serving, head, started);
    let mut decision = match decide(worker, down, &mut record) {
        Ok(decision) => decision,
        // Boxed: few requests wait for anything, and all would carry its state.
        Err(paused) => Box::pin(decide_later(worker, down, &mut record, paused)).await,
    };
    if let Some(delay) = record.delay() {
        // Boxed, as above.
        if !Box::pin(wait_for_turn(down, delay)).await {
            record.log(worker, down, &Progress::default());
            return After::Close;
        }
    }
    match decision {
        // Not moved: the task of each connection would have room for it twice.
        Decision::Forward(ref mut forwarding) => {
            let forwarded = send::forward(worker, down, forwarding, &mut record, &mut Onlookers::new(None)).await;
            conclude_forwarding(worker, down, &mut record, forwarded).await
        }
        // Boxed, as above.
        Decision::Cache(forwarding, caching) => {
            Box::pin(handle_cached(worker, down, &mut record, forwarding, *caching)).await
        }
        Decision::Stored(serve) => answer_stored(worker, down, &record, &serve, Progress::default()).await,
        Decision::Answer(own) => answer(worker, down, &mut record, own, Progress::default()).await,
    }
}

/// Handles a request whose response may come from the store.
async fn handle_cached<S>(
    worker: &Rc<Worker>,
    down: &mut Downstream<S>,
    record: &mut Record<'_>,
    forwarding: Box<Forwarding>,
    caching: Caching,
) -> After
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match cached::handle(worker, down, record, forwarding, caching).await {
        Cached::Forwarded(forwarded) => conclude_forwarding(worker, down, record, forwarded).await,
        Cached::Stored(serve, progress) => answer_stored(worker, down, record, &serve, progress).await,
        Cached::Refused(reject) => {
            let own = record.refuse(reject); // 504
            answer(worker, down, record, own, Progress::default()).await
        }
        Cached::Gone => {
            record.log(worker, down, &Progress::default());
            After::Close
        }
    }
}

/// What is left to do with a request that was forwarded.
async fn conclude_forwarding<S>(
    worker: &Worker,
    down: &mut Downstream<S>,
    record: &mut Record<'_>,
    forwarded: Forwarded,
) -> After
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match forwarded {
        Forwarded::Answered(progress) => {
            record.log(worker, down, &progress);
            match (progress.keep_alive, progress.request_done) {
                (true, _) => After::KeepAlive,
                (false, true) => After::Close,
                (false, false) => After::Linger,
            }
        }
        Forwarded::Cut(progress, reject) => {
            record.reject = reject;
            if record.can_end_call(down, &progress) {
                // Boxed: few calls end so.
                Box::pin(record.end_call(down)).await;
            }
            record.log(worker, down, &progress);
            After::Cut
        }
        Forwarded::Refused(progress, reject) => {
            let own = record.refuse(reject);
            answer(worker, down, record, own, progress).await
        }
        Forwarded::Stopped(progress) => {
            record.log(worker, down, &progress);
            After::Cut
        }
        // Boxed: few connections become tunnels, and all would carry its state.
        Forwarded::Upgraded(tunnel) => match Box::pin(tunnel::run(worker, down, tunnel, record)).await {
            End::Broken => After::Cut,
            End::Closed | End::Shutdown => After::Close,
            End::HalfClosed | End::Idle | End::Expired => After::Linger,
        },
    }
}

/// What becomes of a request.
///
/// # Errors
/// It has to wait for something first.
fn decide<S>(worker: &Worker, down: &Downstream<S>, record: &mut Record<'_>) -> Result<Decision, Box<Paused>> {
    let steps = begin(worker, down, record);
    conclude(steps, record)
}

/// The same for a request that waits.
async fn decide_later<S>(
    worker: &Worker,
    down: &mut Downstream<S>,
    record: &mut Record<'_>,
    mut paused: Box<Paused>,
) -> Decision
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut answers = Answers::default();
    loop {
        let Paused { pause, stage, route } = *paused;
        if let Err(ending) = answers.wait_for(pause, down, record).await {
            return Decision::Answer(record.end(ending));
        }
        let steps = resume(worker, down, record, &route, &answers, stage);
        match conclude(steps, record) {
            Ok(decision) => return decision,
            Err(once_more) => paused = once_more,
        }
    }
}

fn conclude(steps: Result<Forwarding, Stop>, record: &mut Record<'_>) -> Result<Decision, Box<Paused>> {
    match steps {
        Ok(mut forwarding) => match forwarding.caching.take() {
            Some(caching) => Ok(Decision::Cache(Box::new(forwarding), caching)),
            None => Ok(Decision::Forward(forwarding)),
        },
        Err(Stop::End(ending)) => Ok(Decision::Answer(record.end(ending))),
        Err(Stop::Stored(serve)) => Ok(Decision::Stored(serve)),
        Err(Stop::Pause(paused)) => Err(paused),
    }
}

/// The life of a request, up to the upstream.
fn begin<S>(worker: &Worker, down: &Downstream<S>, record: &mut Record<'_>) -> Result<Forwarding, Stop> {
    let (mut head, detour, answers) = (HeadSpace::new(), RouteSpace::default(), Answers::default());
    let request = record.receive(down, &mut head)?; // 400 417 431 505
    let routed = record.route(&request, &detour)?; // 204 301 308 400 403 404 405 414 421, or what a rule answers
    let steps = Steps::new(worker, down, &request, &routed, &answers, record);
    go_on(&steps, Stage::Routed(Attempts::default()), record)
}

/// The life of a request that has waited, from its step.
fn resume<S>(
    worker: &Worker,
    down: &Downstream<S>,
    record: &mut Record<'_>,
    route: &OwnedRoute,
    answers: &Answers,
    stage: Stage,
) -> Result<Forwarding, Stop> {
    let mut space = HeadSpace::new();
    let request = Request::of(record.head.read(&down.inbox, &mut space)?)?;
    let routed = route.routed();
    let steps = Steps::new(worker, down, &request, &routed, answers, record);
    go_on(&steps, stage, record)
}

/// The steps for which a request may have to wait.
fn go_on<S>(steps: &Steps<'_, S>, mut stage: Stage, record: &mut Record<'_>) -> Result<Forwarding, Stop> {
    loop {
        stage = match stage {
            Stage::Routed(attempts) => Stage::Permitted(steps.authorize(attempts, record)?), // 302 400 401 403 429 503
            Stage::Permitted(permit) => {
                steps.admit_body(record)?; // 413
                Stage::Charged(steps.charge(permit, record)?) // 429 503
            }
            Stage::Charged(permit) => {
                steps.check_parameters(record)?; // 400
                Stage::Described(permit)
            }
            Stage::Described(permit) => Stage::Checked(steps.check_body(permit, record)?), // 400 413 415 422 503
            Stage::Checked(permit) => return steps.prepare(permit, record), // 400, or what the operation answers
        }
    }
}

/// Waits until it is the request's turn; says whether the client is still there by then.
async fn wait_for_turn<S>(down: &mut Downstream<S>, delay: Duration) -> bool
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let until = Instant::now() + delay;
    poll_fn(|cx| {
        // What a client sends ahead waits as well, beyond a point in the kernel.
        while down.unread().len() < DRAINED_BYTES as usize {
            match down.poll_receive(cx, DRAINED_BYTES as usize) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(_) => return Poll::Ready(false),
                Poll::Pending => break,
            }
        }
        down.deadline.poll_at(cx, until).map(|()| true)
    })
    .await
}

/// Answers a request that could not be parsed; `head` is all that was received of it.
pub(crate) async fn refuse_unparsed<S>(
    worker: &Worker,
    serving: Serving,
    down: &mut Downstream<S>,
    head: Head<'_>,
    reject: Reject,
    started: Instant,
) -> After
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut record = Record::new(worker, serving, head, started);
    down.used = down.inbox.len();
    let own = record.refuse(reject);
    answer(worker, down, &mut record, own, Progress::default()).await
}

/// Writes the gateway's own answer.
async fn answer<S>(
    worker: &Worker,
    down: &mut Downstream<S>,
    record: &mut Record<'_>,
    own: OwnAnswer,
    mut progress: Progress,
) -> After
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut own = match &record.reject {
        Some(_) => record.in_clients_form(own, &down.inbox),
        // A client would take it for a tunnel.
        None if record.head.is_connect() && matches!(own.status, 200..300) => {
            record.refuse(Reject::BadRequest("a WebSocket, and the gateway answers itself"))
        }
        None => own,
    };
    if record.operation.is_some_and(|operation| operation.prepared.table.cache.is_some()) {
        own.fields.push_if_valid(CACHE_STATUS, record.cache_status());
    }
    let record = &*record;
    if let Some(offer) = record.offer.filter(|_| record.reject.is_none()) {
        // Boxed: few answers are compressed, and all would carry its state.
        own = Box::pin(own_content::compress(own, offer, record.edits_of_answer())).await;
    }
    // After a malformed request it is unknown where the next one begins; a slow one never ends.
    let hopeless = matches!(record.reject, Some(Reject::BadRequest(_) | Reject::RequestTimeout));
    let keep_alive = record.facts.keep_alive && !hopeless && !worker.draining.get() && is_drainable(record);
    let edits = record.edits_of_answer();
    let terms = OwnTerms {
        keep_alive,
        is_http11: record.facts.is_http11,
        request_id: &record.request_id,
        date: &worker.date(),
        limits: record.limit_fields(),
        hsts: record.hsts(),
        browsers: record.for_browsers(edits.is_some()),
        edits,
    };
    progress.status = own.status;
    down.outbox.head(|head| response::write_own(head, &own, &terms));
    if !record.facts.to_head {
        down.outbox.buffer().extend_from_slice(&own.body);
        progress.response_bytes = own.body.len() as u64;
    }
    let written = down.flush_by(Instant::now() + OWN_RESPONSE_TIMEOUT).await;
    record.log(worker, down, &progress);
    // The answer does not wait for an unwanted body; the next request does.
    match written {
        false => After::Close,
        true if keep_alive && drain_body(down, record, &progress).await => After::KeepAlive,
        true => After::Linger,
    }
}

/// Writes an answer that is stored.
async fn answer_stored<S>(
    worker: &Worker,
    down: &mut Downstream<S>,
    record: &Record<'_>,
    serve: &Serve,
    progress: Progress,
) -> After
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let keep_alive = record.facts.keep_alive && !worker.draining.get() && is_drainable(record);
    let (progress, is_written) = stored::write(worker, down, record, serve, keep_alive, progress).await;
    record.log(worker, down, &progress);
    match is_written {
        false => After::Cut,
        true if keep_alive && drain_body(down, record, &progress).await => After::KeepAlive,
        true => After::Linger,
    }
}

/// Whether an unwanted body is small enough to be read to its end.
fn is_drainable(record: &Record<'_>) -> bool {
    match record.facts.body {
        BodyLength::None => true,
        // A client that waits for `100 Continue` may or may not send the body after a final status.
        BodyLength::Exactly(length) => length <= DRAINED_BYTES && !record.facts.expects_continue,
        BodyLength::Chunked | BodyLength::UntilClose => false,
    }
}

/// Reads an unwanted body to its end; returns whether that worked.
async fn drain_body<S>(down: &mut Downstream<S>, record: &Record<'_>, progress: &Progress) -> bool
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let BodyLength::Exactly(length) = record.facts.body else { return true };
    let mut left = length - progress.request_bytes.min(length);
    let here = down.unread().len().min(usize::try_from(left).unwrap_or(usize::MAX));
    down.used += here;
    left -= here as u64;
    let until = Instant::now() + OWN_RESPONSE_TIMEOUT;
    poll_fn(|cx| {
        let mut scratch = Scratch::take();
        while left > 0 {
            let limit = usize::try_from(left).unwrap_or(usize::MAX);
            match scratch.poll_read(&mut down.io, cx, limit) {
                Poll::Ready(Ok(bytes)) if !bytes.is_empty() => left -= bytes.len() as u64,
                Poll::Ready(_) => return Poll::Ready(false),
                Poll::Pending => {
                    ready!(down.deadline.poll_at(cx, until));
                    return Poll::Ready(false);
                }
            }
        }
        Poll::Ready(true)
    })
    .await
}
