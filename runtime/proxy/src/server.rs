//! Opens the listeners and runs one thread per core, each with its own runtime, sockets and connections.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, PoisonError};
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::access_log::{self, AccessLog};
use crate::connection::serve;
use crate::deployment::{Deployment, PreparedListener, Serving};
use crate::handover::{Inherited, Sockets};
use crate::http2;
use crate::metrics::ProcessMetrics;
use crate::proxy_protocol::{Beginning, read_header};
use crate::thread::Thread;
use crate::worker::Worker;
use gateway_base::error;
use gateway_base::problem::Problem;
use gateway_base::supervise::{Task, supervise};
use gateway_tls::Tls;
use gateway_wire::downstream::Downstream;
use gateway_wire::peer::Alpn;
use gateway_wire::proxy_protocol::Announced;

/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 4096;

/// A pause after `accept` failed for want of file descriptors or memory, so that the thread does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a client over the limit of connections gets.
const OVERLOADED: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json; charset=utf-8\r\n\
    Content-Length: 45\r\nRetry-After: 1\r\nConnection: close\r\n\r\n{\"message\":\"There are too many connections\"}\n";

/// How many clients one worker answers so at once; further connections are closed without an answer.
const MAX_TURNED_AWAY: usize = 64;

/// How long, and for how many bytes, their requests are read.
const TURNED_AWAY_FOR: Duration = Duration::from_millis(500);
const MAX_DRAINED: u64 = 64 << 10;

/// How long [`Replacer::replace`] waits for the workers.
const REPLACE_TIMEOUT: Duration = Duration::from_secs(1);

/// A running gateway.
pub struct Server {
    /// The listeners' names and addresses; a port of 0 is replaced by the real one.
    pub addresses: Vec<(Box<str>, SocketAddr)>,
    /// The listeners' sockets, for a successor.
    pub sockets: Sockets,
    stop: watch::Sender<bool>,
    workers: Vec<JoinHandle<()>>,
    current: watch::Sender<Current>,
    log: Option<access_log::Writer>,
}

/// Gives the workers of a server another deployment.
pub struct Replacer {
    current: watch::Sender<Current>,
    workers: u32,
}

impl Replacer {
    /// Handles further requests with another deployment, on the connections that are open as well; a request that is
    /// under way is finished with the one that it began with.
    ///
    /// # Errors
    /// The listeners are others: their sockets are opened at the start only.
    pub async fn replace(&self, deployment: &'static Deployment) -> Result<(), OtherListeners> {
        let key = |listener: &PreparedListener| (listener.name.clone(), listener.bind, listener.tls.is_some());
        let current = self.current.borrow().deployment;
        if !current.listeners.iter().map(key).eq(deployment.listeners.iter().map(key)) {
            return Err(OtherListeners);
        }
        let taken = Arc::new(Semaphore::new(0));
        let _ = self.current.send(Current { deployment, taken: Arc::clone(&taken) });
        // A worker that cannot take it now has much to do, and takes it next.
        let _ = tokio::time::timeout(REPLACE_TIMEOUT, taken.acquire_many(self.workers)).await;
        Ok(())
    }
}

/// A deployment cannot replace another because it has other listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherListeners;

impl std::fmt::Display for OtherListeners {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the listeners have changed, and are opened at the start only; restart the gateway")
    }
}

/// What workers handle requests with.
#[derive(Clone)]
struct Current {
    deployment: &'static Deployment,
    /// Gets a permit from each worker that has taken it.
    taken: Arc<Semaphore>,
}

/// Sockets that are bound for one listener; each worker has at least one of them.
struct Bound {
    listener: &'static PreparedListener,
    /// In the deployment.
    place: usize,
    sockets: Vec<std::net::TcpListener>,
}

/// The sockets of one worker, each with the place of its listener.
type Accepting = Vec<(usize, std::net::TcpListener)>;

impl Server {
    /// Opens every listener that is not inherited, and starts serving.
    ///
    /// # Errors
    /// Every address that cannot be opened.
    pub fn start(
        deployment: &'static Deployment,
        process: &Arc<ProcessMetrics>,
        inherited: &mut Inherited,
    ) -> Result<Self, Vec<Problem>> {
        let (mut bound, mut problems) = (Vec::new(), Vec::new());
        for (place, listener) in deployment.listeners.iter().enumerate() {
            match bind(listener.bind, deployment.settings.workers, inherited.take(&listener.name, listener.bind)) {
                Ok(sockets) => bound.push(Bound { listener, place, sockets }),
                Err(error) => problems.push(Problem::plain(format!(
                    "listener `{}` cannot open {}: {error}",
                    listener.name, listener.bind
                ))),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let addresses = bound
            .iter()
            .map(|bound| (bound.listener.name.clone(), bound.sockets[0].local_addr().unwrap_or(bound.listener.bind)))
            .collect();
        let sockets =
            copies(&bound).map_err(|error| vec![Problem::plain(format!("no socket can be kept: {error}"))])?;
        let log = deployment.settings.access_log.then(|| access_log::start_writer(Arc::clone(process))).transpose();
        let no_thread = |error| vec![Problem::plain(format!("no thread can be started: {error}"))];
        let (log_sender, log) = log.map_err(no_thread)?.unzip();
        let (stop, stopping) = watch::channel(false);
        let (replace, current) = watch::channel(Current { deployment, taken: Arc::new(Semaphore::new(0)) });
        let workers = (0..deployment.settings.workers).map(|index| {
            let listeners = shares(&mut bound, deployment.settings.workers - index);
            let (log, process) = (log_sender.clone(), Arc::clone(process));
            let (current, stopping) = (current.clone(), stopping.clone());
            std::thread::Builder::new()
                .name(format!("worker-{index}"))
                .spawn(move || run_worker(current, index, listeners, log, process, stopping))
        });
        let workers = workers.collect::<io::Result<_>>().map_err(no_thread)?;
        Ok(Self { addresses, sockets, stop, workers, current: replace, log })
    }

    /// What gives its workers another deployment.
    pub fn replacer(&self) -> Replacer {
        Replacer { current: self.current.clone(), workers: u32::try_from(self.workers.len()).unwrap_or(u32::MAX) }
    }

    /// Takes no more connections and requests, and waits until what runs is done or the deadline has passed.
    pub fn stop(self) {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let _ = self.stop.send(true);
        for worker in self.workers {
            let _ = worker.join();
        }
        if let Some(log) = self.log {
            log.finish();
        }
    }
}

/// Opens `address` once per worker, less what is inherited: the kernel spreads connections over sockets with
/// `SO_REUSEPORT`.
fn bind(
    address: SocketAddr,
    workers: usize,
    inherited: Vec<std::net::TcpListener>,
) -> io::Result<Vec<std::net::TcpListener>> {
    let mut sockets = inherited;
    if sockets.is_empty() {
        if address.port() != 0 {
            // With SO_REUSEPORT a second gateway would silently take half of the connections: ask once without.
            open(address, false)?;
        }
        sockets.push(open(address, true)?);
    }
    let address = sockets[0].local_addr()?;
    while sockets.len() < workers {
        // What systemd opened cannot be opened beside it: then workers share a socket.
        sockets.push(open(address, true).or_else(|_| sockets[0].try_clone())?);
    }
    Ok(sockets)
}

/// A copy of each socket.
fn copies(bound: &[Bound]) -> io::Result<Sockets> {
    let named = |bound: &Bound| {
        let name: Arc<str> = Arc::from(&*bound.listener.name);
        bound.sockets.iter().map(|socket| Ok((Arc::clone(&name), socket.try_clone()?))).collect::<Vec<_>>()
    };
    Ok(Sockets::new(bound.iter().flat_map(named).collect::<io::Result<Vec<_>>>()?.into()))
}

/// One worker's share of what is left for `workers` workers.
fn shares(bound: &mut [Bound], workers: usize) -> Accepting {
    bound
        .iter_mut()
        .flat_map(|bound| {
            let share = bound.sockets.len().div_ceil(workers);
            bound.sockets.drain(..share).map(|socket| (bound.place, socket)).collect::<Vec<_>>()
        })
        .collect()
}

fn open(address: SocketAddr, share: bool) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(share)?;
    socket.set_nonblocking(true)?;
    // Accepted sockets inherit it.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&SockAddr::from(address))?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn run_worker(
    mut current: watch::Receiver<Current>,
    index: usize,
    listeners: Accepting,
    log: Option<SyncSender<Vec<u8>>>,
    process: Arc<ProcessMetrics>,
    mut stopping: watch::Receiver<bool>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
    {
        Ok(runtime) => runtime,
        Err(error) => return error!(format_args!("worker {index}"), "cannot start: {error}"),
    };
    runtime.block_on(async move {
        let deployment = current.borrow_and_update().deployment;
        let thread = Thread::new(Worker::new(deployment, index, AccessLog::new(log, Arc::clone(&process)), process));
        let accepting: Vec<_> = listeners
            .into_iter()
            .filter_map(|(listener, socket)| {
                let (thread, stopping) = (thread.clone(), stopping.clone());
                let socket = Rc::new(TcpListener::from_std(socket).ok()?);
                let accepting = move || accept(thread.clone(), listener, Rc::clone(&socket), stopping.clone());
                Some(tokio::task::spawn_local(supervise(Task::Accept, accepting)))
            })
            .collect();
        let ticking = tokio::task::spawn_local({
            let thread = thread.clone();
            for store in deployment.limits.stores().remote() {
                store.start(index);
            }
            supervise(Task::Worker, move || thread.clone().tick())
        });
        let replacing = tokio::task::spawn_local({
            let worker = Rc::clone(&thread.worker);
            async move {
                while current.changed().await.is_ok() {
                    let Current { deployment, taken } = current.borrow_and_update().clone();
                    deployment.limits.stores().remote().for_each(|store| store.start(index));
                    worker.replace(deployment);
                    taken.add_permits(1);
                }
            }
        });
        wait_for_stop(&mut stopping).await;
        for task in accepting {
            // What the kernel has accepted already is served: a client must not be reset for coming last.
            let _ = task.await;
        }
        thread.worker.drain(thread.worker.deployment().settings.timeouts.shutdown).await;
        replacing.abort();
        ticking.abort();
        thread.worker.log.borrow_mut().flush();
    });
}

async fn wait_for_stop(stopping: &mut watch::Receiver<bool>) {
    // A sender that is gone means the same.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

async fn accept(thread: Thread, listener: usize, socket: Rc<TcpListener>, mut stopping: watch::Receiver<bool>) {
    let mut stop = pin!(wait_for_stop(&mut stopping));
    // While it stops: how many connections may still be in the kernel's queue.
    let mut left = None;
    loop {
        let accepted = poll_fn(|cx| {
            if left.is_none() && stop.as_mut().poll(cx).is_ready() {
                left = Some(BACKLOG);
            }
            match socket.poll_accept(cx) {
                Poll::Pending if left.is_some() => Poll::Ready(None),
                other => other.map(Some),
            }
        });
        let Some(accepted) = accepted.await else { return };
        match &mut left {
            Some(0) => return,
            Some(left) => *left -= 1,
            None => {}
        }
        match accepted {
            Ok((stream, peer)) => {
                thread.worker.process.accepted.fetch_add(1, Relaxed);
                greet(&thread, listener, stream, peer.ip().to_canonical());
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

fn greet(thread: &Thread, place: usize, stream: TcpStream, peer: IpAddr) {
    let worker = &thread.worker;
    let Serving { deployment, listener } = worker.serving(place);
    let is_behind_proxy = match &listener.proxy_protocol_from {
        Some(proxies) if !proxies.iter().any(|network| network.contains(&peer)) => {
            return refuse_beginning(worker, listener, peer, "its address is not in `proxyProtocolFrom`");
        }
        proxies => proxies.is_some(),
    };
    let Some(slot) = deployment.admission.admit(peer, is_behind_proxy || deployment.trusts(peer)) else {
        worker.process.refused.fetch_add(1, Relaxed);
        return turn_away(worker, listener, stream);
    };
    let idle = Rc::new(Cell::new(true));
    if is_behind_proxy {
        return worker.spawn(slot, Rc::clone(&idle), serve_announced(thread.clone(), place, stream, peer, idle));
    }
    match &listener.tls {
        None => {
            let first_deadline = Instant::now() + deployment.settings.timeouts.keep_alive;
            let down = Downstream::new(stream, peer, None, first_deadline);
            worker.spawn(slot, Rc::clone(&idle), serve(thread.clone(), place, down, idle));
        }
        Some(tls) => {
            worker.spawn(slot, Rc::clone(&idle), serve_tls(thread.clone(), place, tls, stream, peer, idle));
        }
    }
}

/// Reads what a load balancer says of the client, then serves that client.
async fn serve_announced(thread: Thread, place: usize, mut stream: TcpStream, peer: IpAddr, idle: Rc<Cell<bool>>) {
    let worker = &thread.worker;
    let Serving { deployment, listener } = worker.serving(place);
    let timeouts = deployment.settings.timeouts;
    // Boxed: the connection does not carry its state on.
    let (client, is_proxy) = match Box::pin(read_header(&mut stream, Instant::now() + timeouts.head)).await {
        Beginning::Header(Announced::Client(client)) => (client, deployment.trusts(client)),
        // The header fields of any client would be trusted.
        Beginning::Header(Announced::Unknown) if deployment.trusts(peer) => {
            let why = "it does not say who the client is, and its own address is one of `trustedProxies`";
            return refuse_beginning(worker, listener, peer, why);
        }
        // Many clients may share the load balancer's address.
        Beginning::Header(Announced::Unknown | Announced::Own) => (peer, true),
        Beginning::Nothing => return,
        Beginning::Wrong(why) => return refuse_beginning(worker, listener, peer, why),
    };
    let Ok(_place_of_address) = deployment.admission.admit_later(client, is_proxy) else {
        worker.process.refused.fetch_add(1, Relaxed);
        return turn_away(worker, listener, stream);
    };
    match &listener.tls {
        None => {
            let down = Downstream::new(stream, client, None, Instant::now() + timeouts.keep_alive);
            serve(thread, place, down, idle).await;
        }
        Some(tls) => serve_tls(thread, place, tls, stream, client, idle).await,
    }
}

/// Notes that a connection is closed because it is not one of a load balancer with the PROXY protocol.
fn refuse_beginning(worker: &Worker, listener: &PreparedListener, peer: IpAddr, why: &str) {
    worker.process.proxy_protocol_failures.fetch_add(1, Relaxed);
    worker.complaints.complain(&listener.name, peer, why, Instant::now());
}

/// Answers 503, as short as possible and without waiting for a request.
fn turn_away(worker: &Rc<Worker>, listener: &PreparedListener, stream: TcpStream) {
    // Inside TLS an answer would take a handshake; and no more than `MAX_TURNED_AWAY` clients are answered at once.
    if listener.tls.is_some() || worker.turned_away.get() >= MAX_TURNED_AWAY {
        return;
    }
    if !matches!(stream.try_write(OVERLOADED), Ok(count) if count == OVERLOADED.len()) {
        return;
    }
    worker.turned_away.set(worker.turned_away.get() + 1);
    let worker = Rc::clone(worker);
    tokio::task::spawn_local(async move {
        // Closing with unread bytes would reset the connection, and the client might never see the answer.
        let mut stream = stream;
        let drained = async {
            stream.shutdown().await?;
            tokio::io::copy(&mut stream.take(MAX_DRAINED), &mut tokio::io::sink()).await
        };
        let _ = tokio::time::timeout(TURNED_AWAY_FOR, drained).await;
        worker.turned_away.set(worker.turned_away.get() - 1);
    });
}

/// Agrees on keys, then serves the protocol that was agreed on.
async fn serve_tls(
    thread: Thread,
    listener: usize,
    tls: &'static Tls,
    stream: TcpStream,
    peer: IpAddr,
    idle: Rc<Cell<bool>>,
) {
    let worker = &thread.worker;
    let timeouts = worker.deployment().settings.timeouts;
    // Boxed: the connection does not carry the handshake's state on.
    let Some((stream, facts)) = Box::pin(tls.handshake(stream, timeouts.head, &idle)).await else {
        worker.process.tls_failures.fetch_add(1, Relaxed);
        return;
    };
    worker.process.tls_handshakes.fetch_add(1, Relaxed);
    let (alpn, sent) = (facts.alpn, stream.get_ref().0.sent());
    let mut down = Downstream::new(stream, peer, Some(Rc::new(facts)), Instant::now() + timeouts.keep_alive);
    match alpn {
        Alpn::Http1 => {
            down.sent = Some(sent);
            serve(thread, listener, down, idle).await;
        }
        // Boxed: connections of HTTP/1.1 do not carry its state.
        Alpn::Http2 => Box::pin(http2::serve(thread, listener, down, idle)).await,
    }
}
