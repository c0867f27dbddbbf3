//! What one serving thread owns: its pool of connections, its log, its clock.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::access_log::AccessLog;
use crate::admission::ConnectionSlot;
use crate::deployment::{Deployment, Serving};
use crate::metrics::ProcessMetrics;
use crate::mirror::Mirroring;
use crate::proxy_protocol::Complaints;
use crate::trace::TraceContext;
use crate::upstream::Pool;
use crate::upstream::cluster::Cluster;
use crate::upstream::member::Flight;
use gateway_access::caller::RequestContext;
use gateway_base::encoding::hexadecimal;

/// How often the clock is set, the log handed over and the pool pruned.
pub(crate) const TICK: Duration = Duration::from_millis(250);

/// How long an idle connection is kept when the gateway ends, for a request that is under way.
const DRAIN_GRACE: Duration = Duration::from_secs(1);

/// How long tunnels may take to write their lines of the log when the gateway ends.
const TUNNEL_GRACE: Duration = Duration::from_millis(500);

/// One serving thread. Nothing in it is shared, so nothing in it is locked.
pub(crate) struct Worker {
    /// What requests are handled with that come from now on.
    deployment: Cell<&'static Deployment>,
    pub(crate) index: usize,
    pub(crate) pool: Pool,
    /// Of the copies of its requests.
    pub(crate) mirroring: Rc<Mirroring>,
    pub(crate) log: RefCell<AccessLog>,
    pub(crate) process: Arc<ProcessMetrics>,
    /// Each answer is the last one of its connection.
    pub(crate) draining: Cell<bool>,
    /// Notified when `draining` begins.
    begins_draining: Notify,
    /// No further request is taken.
    pub(crate) closing: Cell<bool>,
    /// Tunnels are over.
    ending: Cell<bool>,
    /// Notified when `ending` becomes true.
    begins_ending: Notify,
    /// Those that are open.
    pub(crate) tunnels: Cell<usize>,
    /// Clients over the limit that are being answered.
    pub(crate) turned_away: Cell<usize>,
    /// About connections that were to begin with a header of the PROXY protocol.
    pub(crate) complaints: Complaints,
    connections: RefCell<HashMap<u64, Registered, foldhash::fast::RandomState>>,
    next_connection: Cell<u64>,
    clock: Cell<(Instant, u64)>,
    recent: Cell<Instant>,
    date: RefCell<Rc<str>>,
    random: Cell<u64>,
    next_request: Cell<u64>,
}

struct Registered {
    idle: Rc<Cell<bool>>,
    task: AbortHandle,
}

impl Worker {
    /// A worker without connections.
    pub(crate) fn new(
        deployment: &'static Deployment,
        index: usize,
        log: AccessLog,
        process: Arc<ProcessMetrics>,
    ) -> Self {
        let worker = Self {
            deployment: Cell::new(deployment),
            index,
            pool: Pool::default(),
            mirroring: Rc::default(),
            log: RefCell::new(log),
            process,
            draining: Cell::new(false),
            begins_draining: Notify::new(),
            closing: Cell::new(false),
            ending: Cell::new(false),
            begins_ending: Notify::new(),
            tunnels: Cell::new(0),
            turned_away: Cell::new(0),
            complaints: Complaints::default(),
            connections: RefCell::default(),
            next_connection: Cell::new(0),
            clock: Cell::new((Instant::now(), 0)),
            recent: Cell::new(Instant::now()),
            date: RefCell::new(Rc::from("")),
            random: Cell::new(RandomState::new().build_hasher().finish() | 1),
            // Numbers of one worker never reach those of the next.
            next_request: Cell::new((index as u64) << 48),
        };
        worker.set_clock();
        worker
    }

    /// What requests are handled with that come now; one that is under way keeps what it began with.
    pub(crate) fn deployment(&self) -> &'static Deployment {
        self.deployment.get()
    }

    /// The same for a request on a listener, which is known by its place in the deployment.
    pub(crate) fn serving(&self, listener: usize) -> Serving {
        let deployment = self.deployment.get();
        Serving { deployment, listener: &deployment.listeners[listener] }
    }

    /// Handles further requests with another deployment, whose listeners are at the same places.
    pub(crate) fn replace(&self, deployment: &'static Deployment) {
        self.deployment.set(deployment);
    }

    /// The regular work between requests, `and_more` at its end; runs until it is dropped.
    pub(crate) async fn tick(self: Rc<Self>, and_more: impl Fn()) {
        let mut ticks = tokio::time::interval(TICK);
        loop {
            let now = ticks.tick().await;
            self.set_clock();
            self.log.borrow_mut().flush();
            self.pool.prune(now);
            self.mirroring.prune(now);
            and_more();
        }
    }

    fn set_clock(&self) {
        let now = SystemTime::now();
        let micros =
            now.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX));
        self.clock.set((self.now(), micros));
        *self.date.borrow_mut() = Rc::from(httpdate::fmt_http_date(now));
    }

    /// Microseconds since the epoch at `instant`; needs no system call.
    pub(crate) fn unix_micros(&self, instant: Instant) -> u64 {
        let (set_at, micros) = self.clock.get();
        micros.saturating_add(u64::try_from(instant.saturating_duration_since(set_at).as_micros()).unwrap_or(0))
    }

    /// The time, read now; what needs no more than a recent time takes [`Worker::recently`].
    pub(crate) fn now(&self) -> Instant {
        let now = Instant::now();
        self.recent.set(now);
        now
    }

    /// The time of the last call of `now`, at most one tick ago.
    pub(crate) fn recently(&self) -> Instant {
        self.recent.get()
    }

    /// The time against which a request that began at `instant` is checked.
    pub(crate) fn moment(&self, instant: Instant, request: u64) -> RequestContext {
        RequestContext { unix_seconds: self.unix_micros(instant) / 1_000_000, worker: self.index, request }
    }

    /// A number for a request, unique in this process.
    pub(crate) fn number(&self) -> u64 {
        self.next_request.replace(self.next_request.get() + 1)
    }

    /// The value of `Date`, at most one tick old.
    pub(crate) fn date(&self) -> Rc<str> {
        Rc::clone(&self.date.borrow())
    }

    /// A fresh request id: 32 hexadecimal digits. It has to be unique, not secret.
    pub(crate) fn request_id(&self) -> String {
        let mut id = String::with_capacity(32);
        for _ in 0..2 {
            // Digits are text.
            id.push_str(str::from_utf8(&hexadecimal(self.next_random())).unwrap_or_default());
        }
        id
    }

    /// The nonce of an opening handshake: 16 bytes in base64 (RFC 6455 §4.1). It tells this handshake from others, and is
    /// no secret.
    pub(crate) fn handshake_key(&self) -> String {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut bits = u128::from(self.next_random()) << 64 | u128::from(self.next_random());
        let mut key = String::with_capacity(24);
        for _ in 0..21 {
            key.push(char::from(DIGITS[(bits & 63) as usize]));
            bits >>= 6;
        }
        // Two bits are left, which stand at the beginning of the last digit.
        key.push(char::from(DIGITS[((bits & 3) << 4) as usize]));
        key + "=="
    }

    /// The context of a trace that begins here.
    pub(crate) fn trace(&self) -> TraceContext {
        TraceContext::new(|| self.next_random())
    }

    /// A member of an upstream that was not tried for a request; `None` once all were.
    pub(crate) fn choose(&self, cluster: &'static Cluster, tried: &[usize], hash: Option<u64>) -> Option<Flight> {
        cluster.choose(tried, hash, || self.next_random())
    }

    /// SplitMix64.
    pub(crate) fn next_random(&self) -> u64 {
        let state = self.random.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.random.set(state);
        let mut word = state;
        word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ word >> 31
    }

    /// Runs `serve` as a task that [`Worker::drain`] knows of; `idle` says whether it may be dropped. The connection's
    /// place is taken as long as it runs.
    pub(crate) fn spawn(
        self: &Rc<Self>,
        place: ConnectionSlot,
        idle: Rc<Cell<bool>>,
        serve: impl Future<Output = ()> + 'static,
    ) {
        let id = self.next_connection.get();
        self.next_connection.set(id + 1);
        self.process.connections.fetch_add(1, Relaxed);
        let open = Open { worker: Rc::clone(self), id, _place: place };
        let task = tokio::task::spawn_local(async move {
            let _open = open;
            serve.await;
        });
        self.connections.borrow_mut().insert(id, Registered { idle, task: task.abort_handle() });
    }

    /// How many connections are open.
    pub(crate) fn open_connections(&self) -> usize {
        self.connections.borrow().len()
    }

    /// Ready once each answer must be the last one of its connection.
    pub(crate) async fn until_draining(&self) {
        let mut notice = std::pin::pin!(self.begins_draining.notified());
        notice.as_mut().enable();
        if !self.draining.get() {
            notice.await;
        }
    }

    /// Ready once every tunnel must end.
    pub(crate) async fn until_ending(&self) {
        let mut notice = std::pin::pin!(self.begins_ending.notified());
        notice.as_mut().enable();
        if !self.ending.get() {
            notice.await;
        }
    }

    /// Closes connections that are idle or become idle.
    fn close_idle(&self) {
        self.closing.set(true);
        for connection in self.connections.borrow().values().filter(|connection| connection.idle.get()) {
            connection.task.abort();
        }
    }

    /// Ends all connections: politely, then those that are idle, then none but by the deadline.
    pub(crate) async fn drain(&self, deadline: Duration) {
        let started = Instant::now();
        self.draining.set(true);
        self.begins_draining.notify_waiters();
        while self.open_connections() > 0 && started.elapsed() < deadline {
            // A client that was about to ask gets its answer, marked as the last one: only a connection
            // that nothing comes on is closed without one.
            if !self.closing.get() && started.elapsed() >= DRAIN_GRACE.min(deadline / 2) {
                self.close_idle();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.ending.set(true);
        self.begins_ending.notify_waiters();
        let ended = Instant::now();
        while self.tunnels.get() > 0 && ended.elapsed() < TUNNEL_GRACE {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Takes a connection off the books when its task ends, however it ends.
struct Open {
    worker: Rc<Worker>,
    id: u64,
    _place: ConnectionSlot,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.worker.connections.borrow_mut().remove(&self.id);
        self.worker.process.connections.fetch_sub(1, Relaxed);
    }
}
