//! Restarts background tasks: a panic is logged and counted, and the task starts again after a pause.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::error;

/// After the first panic; doubled by each that follows.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// What has run for this long counts as well again.
const RECOVERED: Duration = Duration::from_secs(120);

/// What runs beside the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Accepts connections.
    Accept,
    /// Writes the access log.
    AccessLog,
    /// Gets certificates.
    Acme,
    /// Answers operators.
    Admin,
    /// Reads changed certificates.
    Certificates,
    /// Reads changed consumers.
    Consumers,
    /// Does what the authorization server's store is asked.
    OauthStore,
    /// Fetches keys of identity providers.
    ProviderKeys,
    /// Logs which changed settings wait for the next start.
    Settings,
    /// Keeps the connections to the stores of limits.
    Stores,
    /// Waits for a successor.
    Upgrade,
    /// Asks the endpoints of upstreams how they are.
    UpstreamHealth,
    /// Looks the names of upstreams up.
    UpstreamNames,
    /// Sets the clock, hands over the log, closes idle connections.
    Worker,
}

impl Task {
    /// All of them, in the order of [`STATES`].
    const ALL: [Self; 14] = [
        Self::Accept,
        Self::AccessLog,
        Self::Acme,
        Self::Admin,
        Self::Certificates,
        Self::Consumers,
        Self::OauthStore,
        Self::ProviderKeys,
        Self::Settings,
        Self::Stores,
        Self::Upgrade,
        Self::UpstreamHealth,
        Self::UpstreamNames,
        Self::Worker,
    ];

    /// As in the metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::AccessLog => "access-log",
            Self::Acme => "acme",
            Self::Admin => "admin",
            Self::Certificates => "certificates",
            Self::Consumers => "consumers",
            Self::OauthStore => "oauth-store",
            Self::ProviderKeys => "provider-keys",
            Self::Settings => "settings",
            Self::Stores => "stores",
            Self::Upgrade => "upgrade",
            Self::UpstreamHealth => "upstream-health",
            Self::UpstreamNames => "upstream-names",
            Self::Worker => "worker",
        }
    }

    fn state(self) -> &'static State {
        &STATES[self as usize]
    }

    /// Counts a panic; the task is dead until [`Task::begin_anew`].
    fn die(self) {
        self.state().dead.fetch_add(1, Relaxed);
    }

    fn begin_anew(self) {
        self.state().restarts.fetch_add(1, Relaxed);
        self.state().dead.fetch_sub(1, Relaxed);
    }
}

/// What is known of the tasks of one kind in this process.
struct State {
    restarts: AtomicU64,
    dead: AtomicUsize,
}

static STATES: [State; Task::ALL.len()] =
    [const { State { restarts: AtomicU64::new(0), dead: AtomicUsize::new(0) } }; Task::ALL.len()];

/// How often each task was restarted.
pub fn restarts() -> impl Iterator<Item = (Task, u64)> {
    Task::ALL.into_iter().map(|task| (task, task.state().restarts.load(Relaxed)))
}

/// The tasks that do not run although they should.
pub fn dead() -> impl Iterator<Item = Task> {
    Task::ALL.into_iter().filter(|task| task.state().dead.load(Relaxed) > 0)
}

/// Runs what `begin` makes to its end, and again after a panic.
pub async fn supervise<F: Future<Output = ()>>(task: Task, mut begin: impl FnMut() -> F) {
    let mut pauses = Pauses::default();
    loop {
        let began = Instant::now();
        // What the panic has left behind is dropped: the task begins with nothing.
        if let Ok(mut future) = catch_unwind(AssertUnwindSafe(|| Box::pin(begin()))) {
            let run = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
                Ok(polled) => polled.map(Ok),
                Err(_) => Poll::Ready(Err(())),
            });
            if run.await.is_ok() {
                return;
            }
        }
        let dead = Dead::of(task);
        tokio::time::sleep(pauses.after(began.elapsed(), task)).await;
        dead.begins_anew();
    }
}

/// As [`supervise`], for work that has its thread to itself.
pub fn supervise_thread(task: Task, mut work: impl FnMut()) {
    let mut pauses = Pauses::default();
    loop {
        let began = Instant::now();
        if catch_unwind(AssertUnwindSafe(&mut work)).is_ok() {
            return;
        }
        let dead = Dead::of(task);
        std::thread::sleep(pauses.after(began.elapsed(), task));
        dead.begins_anew();
    }
}

/// A task between a panic and its next beginning. One that is given up meanwhile is not missed.
struct Dead {
    task: Task,
    is_over: bool,
}

impl Dead {
    fn of(task: Task) -> Self {
        task.die();
        Self { task, is_over: false }
    }

    fn begins_anew(mut self) {
        self.is_over = true;
        self.task.begin_anew();
    }
}

impl Drop for Dead {
    fn drop(&mut self) {
        if !self.is_over {
            self.task.state().dead.fetch_sub(1, Relaxed);
        }
    }
}

struct Pauses(Duration);

impl Default for Pauses {
    fn default() -> Self {
        Self(FIRST_PAUSE)
    }
}

impl Pauses {
    /// The pause before the restart of a task that ran for `ran`.
    fn after(&mut self, ran: Duration, task: Task) -> Duration {
        let pause = if ran >= RECOVERED { FIRST_PAUSE } else { self.0 };
        self.0 = (pause * 2).min(MAX_PAUSE);
        error!(format_args!("task {}", task.name()), "failed; restarting it in {} s", pause.as_secs());
        pause
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn block_on(future: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future);
    }

    fn count_of(task: Task) -> u64 {
        restarts().find(|(known, _)| *known == task).map_or(0, |(_, count)| count)
    }

    #[test]
    fn a_task_that_panics_is_dead_and_begins_anew() {
        block_on(async {
            let begun = Cell::new(0);
            let supervised = supervise(Task::Upgrade, || {
                let turn = begun.replace(begun.get() + 1);
                async move {
                    tokio::task::yield_now().await;
                    assert_ne!(turn, 0, "the first turn panics");
                }
            });
            let mut supervised = std::pin::pin!(supervised);
            // No longer than until it is dead: its pause is still to come.
            poll_fn(|cx| {
                assert!(supervised.as_mut().poll(cx).is_pending());
                if dead().any(|task| task == Task::Upgrade) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            assert_eq!(begun.get(), 1);
            supervised.await;
            assert_eq!((begun.get(), count_of(Task::Upgrade)), (2, 1));
            assert!(dead().all(|task| task != Task::Upgrade));
        });
    }

    #[test]
    fn a_thread_that_panics_begins_anew() {
        let mut turns = 0;
        supervise_thread(Task::AccessLog, || {
            turns += 1;
            assert_ne!(turns, 1, "the first turn panics");
        });
        assert_eq!((turns, count_of(Task::AccessLog)), (2, 1));
    }

    #[test]
    fn a_dead_task_that_is_given_up_is_not_missed() {
        block_on(async {
            let supervised = supervise(Task::Acme, || async { panic!("each turn panics") });
            assert!(tokio::time::timeout(FIRST_PAUSE / 4, supervised).await.is_err());
            assert!(dead().all(|task| task != Task::Acme));
        });
    }

    #[test]
    fn pauses_grow_to_a_bound_and_shrink_after_a_good_run() {
        let mut pauses = Pauses::default();
        let short = Duration::from_secs(1);
        let seconds: Vec<u64> = (0..8).map(|_| pauses.after(short, Task::Admin).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(pauses.after(RECOVERED, Task::Admin), FIRST_PAUSE);
    }
}
