//! Sends a permitted request to a member of its upstream, to another one where none listens there, and brings the
//! response back.

use std::sync::atomic::Ordering::Relaxed;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::exchange::watch::Watch;
use crate::exchange::{Exchange, Failure, Progress};
use crate::metrics::ContractPart;
use crate::pipeline::forward::Forwarding;
use crate::pipeline::record::Record;
use crate::upstream::member::{Flight, Member, Outcome};
use crate::upstream::{ConnectError, Endpoint, UpstreamConnection};
use crate::worker::Worker;
use gateway_wire::downstream::Downstream;
use gateway_wire::http1::body::BodyLength;
use gateway_wire::locations::Locations;
use gateway_wire::reject::Reject;
use gateway_wire::response::ResponseTerms;

/// How forwarding ended.
pub(crate) enum Forwarded {
    /// The client has the whole response.
    Answered(Progress),
    /// The client is gone, or has to be cut off in the middle of the response.
    Cut(Progress, Option<Reject>),
    /// The client gets this refusal.
    Refused(Progress, Reject),
}

/// Sends the request and streams both bodies.
pub(crate) async fn forward<S>(
    worker: &Worker,
    down: &mut Downstream<S>,
    mut forwarding: Forwarding,
    record: &mut Record<'_>,
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
    let mut watch = None;
    let forwarded = send(worker, down, &mut forwarding, record, &mut watch).await;
    if let Some(watch) = watch {
        match forwarded {
            Forwarded::Refused(_, Reject::InvalidResponse(_)) => record.count_refusal(ContractPart::Response),
            _ => record.observe(ContractPart::Response, &watch.findings),
        }
    }
    forwarded
}

/// Tries one member after the other until one can be connected to: none of them has received anything before.
async fn send<S>(
    worker: &Worker,
    down: &mut Downstream<S>,
    forwarding: &mut Forwarding,
    record: &mut Record<'_>,
    watch: &mut Option<Watch>,
) -> Forwarded
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let cluster = &*forwarding.to.cluster;
    // By what the pools know them. Empty unless something fails: it takes no memory before.
    let mut tried = Vec::new();
    let mut reject = Reject::UpstreamUnreachable;
    while let Some(flight) = worker.choose(cluster, &tried, forwarding.hash) {
        let endpoint = cluster.endpoint(&flight.member);
        let kept = worker.pool.take(endpoint, &flight.member);
        let connection = match kept {
            Some(connection) => Ok(connection),
            None => connect(worker, forwarding, endpoint, &flight.member).await,
        };
        match connection {
            Ok(connection) => {
                forwarding.address_to(endpoint);
                record.attempts = 1;
                let forwarded = exchange(worker, down, forwarding, record, watch, endpoint, &flight, connection).await;
                if let Some(outcome) = outcome(&forwarded) {
                    cluster.note(&flight.member, outcome);
                }
                record.endpoint = Some(flight.member.clone());
                return forwarded;
            }
            Err(failure) => {
                reject = failure;
                cluster.note(&flight.member, outcome_of(&reject).unwrap_or(Outcome::Unconnected));
                tried.push(flight.member.index);
            }
        }
    }
    Forwarded::Refused(Progress::default(), reject)
}

/// One exchange with a member, and once more where a kept connection turns out to be closed.
#[expect(clippy::too_many_arguments, reason = "each is one fact about the exchange; a struct would only rename them")]
async fn exchange<S>(
    worker: &Worker,
    down: &mut Downstream<S>,
    forwarding: &Forwarding,
    record: &Record<'_>,
    watch: &mut Option<Watch>,
    endpoint: &'static Endpoint,
    flight: &Flight,
    mut connection: UpstreamConnection,
) -> Forwarded
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let deployment = record.serving.deployment;
    let date = worker.date();
    let locations = forwarding.base.as_ref().map(|base| Locations {
        host: &endpoint.host,
        port: endpoint.port,
        prefix: &endpoint.prefix,
        base: base.clone(),
        preserved_host: forwarding.preserved_host.clone(),
    });
    let response = ResponseTerms {
        to_head: record.facts.to_head,
        client_is_http11: record.facts.is_http11,
        client_keeps_alive: record.facts.keep_alive,
        draining: &worker.draining,
        fields: &deployment.response_fields,
        edits: &forwarding.operation.table.response_headers,
        request_id: &record.request_id,
        date: &date,
        limits: record.limit_fields(),
        hsts: record.hsts(),
        locations: locations.as_ref(),
    };
    loop {
        *watch = Watch::new(forwarding.operation.contract.as_deref(), &deployment.bodies);
        let (fields, terms) = (&deployment.request_fields, &forwarding.terms);
        let exchange =
            Exchange::new(down, &mut connection, terms, &response, fields, watch.as_mut(), worker.recently());
        let (progress, result) = exchange.run().await;
        match result {
            Ok(()) => {
                if progress.reusable {
                    worker.pool.put(endpoint, &flight.member, connection, worker.recently());
                }
                return Forwarded::Answered(progress);
            }
            // A proxy must not repeat what is not idempotent (RFC 9112 §9.3.1): the upstream may have acted on it.
            Err(Failure::Stale) if record.facts.is_idempotent && progress.replayable => {
                down.used = record.head.length();
                connection = match connect(worker, forwarding, endpoint, &flight.member).await {
                    Ok(connection) => connection,
                    Err(reject) => return Forwarded::Refused(Progress::default(), reject),
                };
            }
            Err(Failure::Stale) => {
                return Forwarded::Refused(
                    progress,
                    Reject::UpstreamBroken("closed a kept connection before any byte of the response"),
                );
            }
            Err(Failure::ClientGone) => return Forwarded::Cut(progress, None),
            Err(Failure::Aborted(reject)) => return Forwarded::Cut(progress, Some(reject)),
            Err(Failure::Rejected(reject)) => return Forwarded::Refused(progress, reject),
        }
    }
}

async fn connect(
    worker: &Worker,
    forwarding: &Forwarding,
    endpoint: &Endpoint,
    member: &Member,
) -> Result<UpstreamConnection, Reject> {
    let limit = forwarding.to.upstream.connect_timeout;
    let connection = worker.pool.connect(endpoint, member, limit).await.map_err(|error| match error {
        ConnectError::Unreachable => Reject::UpstreamUnreachable,
        ConnectError::Timeout => Reject::UpstreamTimeout,
        ConnectError::Untrusted(why) => Reject::UpstreamUntrusted(why),
    })?;
    worker.process.upstream_connects.fetch_add(1, Relaxed);
    Ok(connection)
}

/// What the end of an exchange says of the member; `None` where the client, or we, ended it.
fn outcome(forwarded: &Forwarded) -> Option<Outcome> {
    match forwarded {
        Forwarded::Answered(progress) => Some(Outcome::of_status(progress.status)),
        Forwarded::Cut(_, reject) => reject.as_ref().and_then(outcome_of),
        Forwarded::Refused(_, reject) => outcome_of(reject),
    }
}

fn outcome_of(reject: &Reject) -> Option<Outcome> {
    match reject {
        Reject::UpstreamUnreachable | Reject::UpstreamUntrusted(_) => Some(Outcome::Unconnected),
        Reject::UpstreamBroken(_) => Some(Outcome::Reset),
        Reject::UpstreamTimeout => Some(Outcome::Timeout),
        Reject::InvalidResponse(_) => Some(Outcome::Answered),
        _ => None,
    }
}
