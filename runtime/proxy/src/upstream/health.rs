//! Asks the endpoints of upstreams now and then how they are, on a thread of its own, beside the requests.

mod schedule;

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use crate::tables::{Health, KeepAlive};
use crate::upstream::Pool;
use crate::upstream::cluster::Cluster;
use crate::upstream::member::Member;
use gateway_base::supervise::{Task, supervise_thread};
use gateway_base::{error, info, warn};
use schedule::Schedule;

/// More than this before a final status is no answer.
const MOST_OF_HEAD: usize = 16 << 10;

/// Checks of upstreams; they go on until this is dropped.
#[derive(Debug, Default)]
pub struct Checking {
    clusters: Vec<Arc<Cluster>>,
    /// Tells the thread of other descriptions; its end is the end of the checks.
    thread: Option<watch::Sender<()>>,
}

impl Checking {
    /// Starts the checks of these upstreams.
    #[must_use]
    pub fn start(clusters: &[Arc<Cluster>]) -> Self {
        let mut checking = Self { clusters: clusters.to_vec(), thread: None };
        checking.follow_descriptions();
        checking
    }

    /// Has what is described of the upstreams now count. What stays the same is checked when it would have been.
    pub fn follow_descriptions(&mut self) {
        if let Some(thread) = &self.thread {
            thread.send_replace(());
        } else if self.clusters.iter().any(|cluster| cluster.described().upstream.health.is_some()) {
            self.thread = spawn(self.clusters.clone());
        }
    }
}

fn spawn(clusters: Vec<Arc<Cluster>>) -> Option<watch::Sender<()>> {
    let (sender, descriptions) = watch::channel(());
    let work = move || {
        supervise_thread(Task::UpstreamHealth, || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build_local(tokio::runtime::LocalOptions::default());
            match runtime {
                Ok(runtime) => runtime.block_on(check_all(&clusters, descriptions.clone())),
                Err(error) => error!("upstreams", "their health cannot be checked: {error}"),
            }
        });
    };
    if let Err(error) = std::thread::Builder::new().name("upstream-health".to_owned()).spawn(work) {
        error!("upstreams", "their health cannot be checked: no thread can be started: {error}");
        return None;
    }
    Some(sender)
}

/// Ends when the sender is dropped.
async fn check_all(clusters: &[Arc<Cluster>], descriptions: watch::Receiver<()>) {
    let mut tasks = JoinSet::new();
    for (number, cluster) in clusters.iter().enumerate() {
        tasks.spawn_local(check_one(Arc::clone(cluster), number as u64, descriptions.clone()));
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            // All begin anew, under supervision.
            resume_panic(error);
        }
    }
}

fn resume_panic(error: JoinError) {
    if error.is_panic() {
        std::panic::resume_unwind(error.into_panic());
    }
}

/// Asks the members of an upstream, again and again; ends when the sender of `descriptions` is dropped.
async fn check_one(cluster: Arc<Cluster>, seed: u64, mut descriptions: watch::Receiver<()>) {
    let pool = Rc::new(Pool::default());
    let (mut schedule, mut checks) = (Schedule::new(seed), JoinSet::new());
    let mut pruned = Instant::now();
    loop {
        descriptions.borrow_and_update();
        let Some(health) = cluster.described().upstream.health else {
            (schedule, checks) = (Schedule::new(seed), JoinSet::new());
            // A check may have ended since the description changed, and nothing would make its member healthy again.
            cluster.now().all.iter().for_each(|member| member.condition.forget());
            if descriptions.changed().await.is_err() {
                return;
            }
            continue;
        };
        let members: Vec<Arc<Member>> = cluster.now().all.iter().map(Arc::clone).collect();
        let indices: Vec<usize> = members.iter().map(|member| member.index).collect();
        let now = Instant::now();
        let (begin, look_again) = schedule.next(&indices, &health, now);
        for place in begin {
            let (cluster, member, pool) = (Arc::clone(&cluster), Arc::clone(&members[place]), Rc::clone(&pool));
            checks.spawn_local(async move {
                let status = timeout(health.timeout, ask(&member, &pool, &health)).await;
                let status = status.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
                // What is gone meanwhile is nobody's concern.
                if !member.is_gone.load(Relaxed) {
                    note(&cluster, &member, &health, status);
                }
                member.index
            });
        }
        if now.saturating_duration_since(pruned) >= health.every {
            pool.prune(now);
            pruned = now;
        }
        let mut time = pin!(sleep_until(look_again));
        let mut changed = pin!(descriptions.changed());
        let is_over = poll_fn(|cx| {
            while let Poll::Ready(Some(ended)) = checks.poll_join_next(cx) {
                let due = match ended {
                    Ok(index) => schedule.ended(index, &health),
                    Err(error) => {
                        resume_panic(error);
                        None
                    }
                };
                if let Some(due) = due.filter(|due| *due < time.deadline()) {
                    time.as_mut().reset(due);
                }
            }
            match changed.as_mut().poll(cx) {
                Poll::Ready(told) => Poll::Ready(told.is_err()),
                Poll::Pending => time.as_mut().poll(cx).map(|()| false),
            }
        });
        if is_over.await {
            return;
        }
    }
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
    fn statuses_are_found_behind_interim_ones() {
        assert_eq!(status(b"HTTP/1.1 204 No Content\r\n"), Some(204));
        assert_eq!(status(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 x"), Some(503));
        for partial in [&b""[..], b"HTTP/1.1 20", b"HTTP/1.1 100 Continue\r\n", b"SSH-2.0-OpenSSH", b"HTTP/1.1 abc"] {
            assert_eq!(status(partial), None);
        }
    }
}
