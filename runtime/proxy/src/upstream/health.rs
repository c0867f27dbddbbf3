//! Asks the endpoints of upstreams now and then how they are, on a thread of its own, beside the requests.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::tables::{Health, KeepAlive};
use crate::upstream::Pool;
use crate::upstream::balance::mix;
use crate::upstream::cluster::Cluster;
use crate::upstream::member::Member;
use gateway_base::supervise::{Task, supervise_thread};
use gateway_base::{error, info, warn};

/// More than this before a final status is no answer.
const MOST_OF_HEAD: usize = 16 << 10;

/// So many checks of an upstream begin at once, and the next ones a moment later: a thousand endpoints take no thousand
/// sockets.
const AT_ONCE: usize = 32;

/// Checks go on until this is dropped.
#[derive(Debug, Default)]
pub struct Checking(#[expect(dead_code, reason = "its end is the signal")] Option<oneshot::Sender<()>>);

/// Starts the checks of these upstreams.
pub fn start(clusters: &[Arc<Cluster>]) -> Checking {
    let checked: Vec<Arc<Cluster>> =
        clusters.iter().filter(|cluster| cluster.described().upstream.health.is_some()).map(Arc::clone).collect();
    if checked.is_empty() {
        return Checking(None);
    }
    let (sender, mut over) = oneshot::channel::<()>();
    let work = move || {
        supervise_thread(Task::UpstreamHealth, || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build_local(tokio::runtime::LocalOptions::default());
            match runtime {
                Ok(runtime) => runtime.block_on(check_all(&checked, &mut over)),
                Err(error) => error!("upstreams", "their health cannot be checked: {error}"),
            }
        });
    };
    if let Err(error) = std::thread::Builder::new().name("upstream-health".to_owned()).spawn(work) {
        error!("upstreams", "their health cannot be checked: no thread can be started: {error}");
    }
    Checking(Some(sender))
}

async fn check_all(clusters: &[Arc<Cluster>], over: &mut oneshot::Receiver<()>) {
    let mut tasks = JoinSet::new();
    for (number, cluster) in clusters.iter().enumerate() {
        if let Some(health) = cluster.described().upstream.health {
            tasks.spawn_local(check_one(Arc::clone(cluster), health, number as u64));
        }
    }
    let ended = poll_fn(|cx| match Pin::new(&mut *over).poll(cx) {
        Poll::Ready(_) => Poll::Ready(None),
        Poll::Pending => tasks.poll_join_next(cx),
    });
    if let Some(Err(error)) = ended.await
        && error.is_panic()
    {
        // All begin anew, under supervision.
        std::panic::resume_unwind(error.into_panic());
    }
}

/// Asks all members of an upstream, again and again.
async fn check_one(cluster: Arc<Cluster>, health: Health, seed: u64) {
    let pool = Rc::new(Pool::default());
    for round in 0_u64.. {
        let began = Instant::now();
        let mut checks = JoinSet::new();
        let members: Vec<Arc<Member>> = cluster.now().all.iter().map(Arc::clone).collect();
        let between = between(members.len(), &health);
        for (index, member) in members.into_iter().enumerate() {
            if index > 0 && index.is_multiple_of(AT_ONCE) {
                sleep(between).await;
            }
            let (cluster, pool) = (Arc::clone(&cluster), Rc::clone(&pool));
            checks.spawn_local(async move {
                let status = timeout(health.timeout, ask(&member, &pool, &health)).await;
                let status = status.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
                note(&cluster, &member, &health, status);
            });
        }
        while let Some(ended) = checks.join_next().await {
            if let Err(error) = ended
                && error.is_panic()
            {
                std::panic::resume_unwind(error.into_panic());
            }
        }
        pool.prune(began);
        // A tenth more or less: gateways that were started together do not ask together.
        let tenths = 90 + mix(seed ^ mix(round ^ u64::from(std::process::id()))) % 21;
        let pause = health.every.mul_f64(tenths as f64 / 100.0);
        sleep(pause.saturating_sub(began.elapsed()).max(Duration::from_millis(1))).await;
    }
}

/// The time between those of one round that begin at once and the next ones: all have begun after half of the round, and
/// have ended when the next one is due.
fn between(members: usize, health: &Health) -> Duration {
    let time = health.every.saturating_sub(health.timeout).min(health.every / 2);
    time / u32::try_from(members.div_ceil(AT_ONCE).max(1)).unwrap_or(u32::MAX)
}

fn note(cluster: &Cluster, member: &Member, health: &Health, status: io::Result<u16>) {
    let fits = |status: u16| health.status.iter().any(|(from, to)| (*from..=*to).contains(&status));
    let is_good = status.as_ref().is_ok_and(|status| fits(*status));
    if !member.condition.count(is_good, health) {
        return;
    }
    let subject = format!("upstream {}", cluster.document.name);
    let (endpoint, api) = (&member.label, cluster.api);
    match status {
        Ok(_) if is_good => info!(subject, "endpoint {endpoint} of {api} is healthy again"),
        Ok(status) => warn!(subject, "endpoint {endpoint} of {api} is not healthy: its check gets {status}"),
        Err(error) => warn!(subject, "endpoint {endpoint} of {api} is not healthy: {error}"),
    }
}

/// The status that a member answers with, over a connection of its own.
async fn ask(member: &Member, pool: &Pool, health: &Health) -> io::Result<u16> {
    let endpoint = member.endpoint;
    let connection = match pool.take(endpoint, member, &KeepAlive::USUAL) {
        Some(connection) => connection,
        None => {
            let unreachable = |_| io::Error::new(io::ErrorKind::NotConnected, "no connection");
            pool.connect(endpoint, member, KeepAlive::USUAL, health.timeout).await.map_err(unreachable)?
        }
    };
    let close = if endpoint.is_http2 { "" } else { "Connection: close\r\n" };
    let (prefix, path, authority) = (&endpoint.prefix, health.path, &endpoint.authority);
    let head = format!("GET {prefix}{path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: gateway-health\r\n{close}\r\n");
    let mut io = connection.io;
    io.write_all(head.as_bytes()).await?;
    io.flush().await?;
    let mut received = Vec::new();
    loop {
        match status(&received) {
            Some(status) => return Ok(status),
            None if received.len() > MOST_OF_HEAD => return Err(io::ErrorKind::InvalidData.into()),
            None => {}
        }
        if io.read_buf(&mut received).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// The final status, once it is there.
fn status(mut received: &[u8]) -> Option<u16> {
    loop {
        let line = received.get(..12)?;
        let status: u16 = std::str::from_utf8(&line[9..]).ok()?.parse().ok()?;
        if !line.starts_with(b"HTTP/1.") {
            return None;
        }
        if status >= 200 {
            return Some(status);
        }
        let end = received.windows(4).position(|window| window == b"\r\n\r\n")?;
        received = &received[end + 4..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checks_of_a_round_are_spread() {
        let health = |every, timeout| Health {
            path: "/",
            every: Duration::from_millis(every),
            timeout: Duration::from_millis(timeout),
            healthy: 1,
            unhealthy: 1,
            status: &[(200, 299)],
        };
        for (members, every, timeout, expected) in [
            (1_000, 5_000, 1_000, 2_500_000 / 32),
            (33, 5_000, 1_000, 1_250_000),
            (64, 1_000, 800, 100_000),
            (1_000, 50, 1_000, 0),
            (0, 5_000, 1_000, 2_500_000),
        ] {
            let found = between(members, &health(every, timeout));
            assert_eq!(found, Duration::from_micros(expected), "{members} every {every} ms");
        }
    }

    #[test]
    fn statuses_are_found_behind_interim_ones() {
        assert_eq!(status(b"HTTP/1.1 204 No Content\r\n"), Some(204));
        assert_eq!(status(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 x"), Some(503));
        for partial in [&b""[..], b"HTTP/1.1 20", b"HTTP/1.1 100 Continue\r\n", b"SSH-2.0-OpenSSH", b"HTTP/1.1 abc"] {
            assert_eq!(status(partial), None);
        }
    }
}
