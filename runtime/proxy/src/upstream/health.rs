//! Asks the endpoints of upstreams now and then how they are, on a thread of its own, beside the requests.

mod checker;
mod schedule;

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use crate::tables::Health;
use crate::upstream::cluster::{Cluster, Described};
use crate::upstream::member::Member;
use checker::Checker;
use gateway_base::supervise::{Task, supervise_thread};
use gateway_base::{error, info, warn};
use schedule::Schedule;

/// Checks of upstreams; they go on until this is dropped.
#[derive(Debug, Default)]
pub struct Checking {
    checked: Arc<Checked>,
    /// Tells the thread of other descriptions; its end is the end of the checks.
    thread: Option<watch::Sender<()>>,
}

/// The upstreams.
#[derive(Debug, Default)]
struct Checked {
    clusters: Vec<Arc<Cluster>>,
    terms: CheckTerms,
}

/// What holds for the checks of all upstreams.
#[derive(Debug, Default, Clone, Copy)]
pub struct CheckTerms {
    /// So many connections may be kept between checks.
    pub room: usize,
    /// An answer has no more fields.
    pub most_fields: usize,
}

/// Those of these upstreams whose endpoints are checked.
fn with_checks(clusters: &[Arc<Cluster>]) -> impl Iterator<Item = &Arc<Cluster>> {
    clusters.iter().filter(|cluster| cluster.described().upstream.health.is_some())
}

/// Whether endpoints of one of these upstreams are checked.
pub(crate) fn has_checks(clusters: &[Arc<Cluster>]) -> bool {
    with_checks(clusters).next().is_some()
}

impl Checked {
    /// There may be a connection to each member. Their number changes with the addresses of names.
    fn has_room(&self) -> bool {
        with_checks(&self.clusters).map(|cluster| cluster.now().all.len()).sum::<usize>() <= self.terms.room
    }
}

impl Checking {
    /// Starts the checks of these upstreams, which keep no connections where there is no room for one to each member.
    #[must_use]
    pub fn start(clusters: &[Arc<Cluster>], terms: CheckTerms) -> Self {
        let mut checking = Self { checked: Arc::new(Checked { clusters: clusters.to_vec(), terms }), thread: None };
        checking.follow_descriptions();
        checking
    }

    /// Has what is described of the upstreams now count. What stays the same is checked when it would have been.
    pub fn follow_descriptions(&mut self) {
        if let Some(thread) = &self.thread {
            thread.send_replace(());
        } else if has_checks(&self.checked.clusters) {
            self.thread = spawn(Arc::clone(&self.checked));
        }
    }
}

fn spawn(checked: Arc<Checked>) -> Option<watch::Sender<()>> {
    let (sender, descriptions) = watch::channel(());
    let work = move || {
        supervise_thread(Task::UpstreamHealth, || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build_local(tokio::runtime::LocalOptions::default());
            match runtime {
                Ok(runtime) => runtime.block_on(check_all(&checked, descriptions.clone())),
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
async fn check_all(checked: &Arc<Checked>, descriptions: watch::Receiver<()>) {
    let mut tasks = JoinSet::new();
    for (number, cluster) in checked.clusters.iter().enumerate() {
        let (checked, cluster) = (Arc::clone(checked), Arc::clone(cluster));
        tasks.spawn_local(check_one(checked, cluster, number as u64, descriptions.clone()));
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
async fn check_one(checked: Arc<Checked>, cluster: Arc<Cluster>, seed: u64, mut descriptions: watch::Receiver<()>) {
    let (mut schedule, mut checks) = (Schedule::new(seed), JoinSet::new());
    let mut checking: Option<(&Described, Rc<Checker>)> = None;
    let mut pruned = Instant::now();
    loop {
        descriptions.borrow_and_update();
        let described = cluster.described();
        let Some(health) = described.upstream.health else {
            (schedule, checks, checking) = (Schedule::new(seed), JoinSet::new(), None);
            // A check may have ended since the description changed, and nothing would make its member healthy again.
            cluster.now().all.iter().for_each(|member| member.condition.forget());
            if descriptions.changed().await.is_err() {
                return;
            }
            continue;
        };
        // What is described anew is asked over new connections.
        checking.take_if(|(of, _)| !ptr::eq(*of, described));
        let new = || Rc::new(Checker::new(health, &described.upstream.keep_alive, checked.terms.most_fields));
        let (_, checker) = checking.get_or_insert_with(|| (described, new()));
        let members: Vec<Arc<Member>> = described.now().all.iter().map(Arc::clone).collect();
        let indices: Vec<usize> = members.iter().map(|member| member.index).collect();
        let now = Instant::now();
        let (begin, look_again) = schedule.next(&indices, &health, now);
        for place in begin {
            let (cluster, member, checker) = (Arc::clone(&cluster), Arc::clone(&members[place]), Rc::clone(checker));
            let checked = Arc::clone(&checked);
            checks.spawn_local(async move {
                let note = |status| {
                    // What is gone meanwhile is nobody's concern.
                    if !member.is_gone.load(Relaxed) {
                        note(&cluster, &member, &health, status);
                    }
                };
                checker.check(&member, || checked.has_room(), note).await;
                member.index
            });
        }
        if now.saturating_duration_since(pruned) >= health.every {
            checker.prune(now);
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
    let is_good = status.as_ref().is_ok_and(|status| health.accepts(*status));
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
