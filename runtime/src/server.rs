//! Opens the listeners and runs one thread per core, each with its own runtime, sockets and connections.

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::access_log::{self, AccessLog};
use crate::config::Problem;
use crate::connection::serve;
use crate::downstream::Downstream;
use crate::live::{Live, LiveListener};
use crate::metrics::ProcessMetrics;
use crate::tls::{Alpn, Tls};
use crate::worker::Worker;

/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 4096;

/// A pause after `accept` failed for want of file descriptors or memory, so that the thread does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A running gateway.
pub(crate) struct Server {
    /// The listeners' names and addresses; a port of 0 is replaced by the real one.
    pub(crate) addresses: Vec<(Box<str>, SocketAddr)>,
    stop: watch::Sender<bool>,
    workers: Vec<JoinHandle<()>>,
    log: Option<JoinHandle<()>>,
}

/// Sockets that are bound, one per worker, for one listener.
struct Bound {
    listener: &'static LiveListener,
    sockets: Vec<std::net::TcpListener>,
}

impl Server {
    /// Opens every listener and starts serving.
    ///
    /// # Errors
    /// Every address that cannot be opened.
    pub(crate) fn start(live: &'static Live, process: &Arc<ProcessMetrics>) -> Result<Self, Vec<Problem>> {
        let (mut bound, mut problems) = (Vec::new(), Vec::new());
        for listener in &live.listeners {
            match bind(listener.bind, live.config.workers) {
                Ok(sockets) => bound.push(Bound { listener, sockets }),
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
        let (log_sender, log) = live.config.access_log.then(access_log::start_writer).unzip();
        let (stop, stopping) = watch::channel(false);
        let workers = (0..live.config.workers).map(|index| {
            let listeners = bound.iter_mut().filter_map(|bound| Some((bound.listener, bound.sockets.pop()?))).collect();
            let (log, process, stopping) = (log_sender.clone(), Arc::clone(process), stopping.clone());
            std::thread::Builder::new()
                .name(format!("worker-{index}"))
                .spawn(move || run_worker(live, index, listeners, log, process, stopping))
        });
        let workers = workers
            .collect::<io::Result<_>>()
            .map_err(|error| vec![Problem::plain(format!("no thread can be started: {error}"))])?;
        Ok(Self { addresses, stop, workers, log })
    }

    /// Takes no more connections and requests, and waits until what runs is done or the deadline has passed.
    pub(crate) fn stop(self) {
        let _ = self.stop.send(true);
        for worker in self.workers {
            let _ = worker.join();
        }
        if let Some(log) = self.log {
            let _ = log.join();
        }
    }
}

/// Opens `address` once per worker: the kernel spreads connections over sockets with `SO_REUSEPORT`.
fn bind(address: SocketAddr, workers: usize) -> io::Result<Vec<std::net::TcpListener>> {
    if address.port() != 0 {
        // With SO_REUSEPORT a second gateway would silently take half of the connections: ask once without.
        open(address, false)?;
    }
    let first = open(address, true)?;
    let address = first.local_addr()?;
    std::iter::once(Ok(first)).chain((1..workers).map(|_| open(address, true))).collect()
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
    live: &'static Live,
    index: usize,
    listeners: Vec<(&'static LiveListener, std::net::TcpListener)>,
    log: Option<SyncSender<Vec<u8>>>,
    process: Arc<ProcessMetrics>,
    stopping: watch::Receiver<bool>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
    {
        Ok(runtime) => runtime,
        Err(error) => return eprintln!("gateway: worker {index} cannot start: {error}"),
    };
    runtime.block_on(async move {
        let worker = Rc::new(Worker::new(live, index, AccessLog::new(log, Arc::clone(&process)), process));
        let accepting: Vec<_> = listeners
            .into_iter()
            .filter_map(|(listener, socket)| {
                Some(tokio::task::spawn_local(accept(
                    Rc::clone(&worker),
                    listener,
                    TcpListener::from_std(socket).ok()?,
                )))
            })
            .collect();
        let ticking = tokio::task::spawn_local({
            let worker = Rc::clone(&worker);
            async move { worker.tick().await }
        });
        wait_for_stop(stopping).await;
        for task in accepting {
            task.abort();
        }
        worker.drain();
        let until = Instant::now() + live.config.timeouts.shutdown;
        while worker.open_connections() > 0 && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        ticking.abort();
        worker.log.borrow_mut().flush();
    });
}

async fn wait_for_stop(mut stopping: watch::Receiver<bool>) {
    // A sender that is gone means the same.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

async fn accept(worker: Rc<Worker>, listener: &'static LiveListener, socket: TcpListener) {
    let most = worker.live.config.limits.connections.div_ceil(worker.live.config.workers);
    loop {
        match socket.accept().await {
            Ok((stream, peer)) => {
                worker.process.accepted.fetch_add(1, Relaxed);
                if worker.open_connections() >= most {
                    worker.process.refused.fetch_add(1, Relaxed);
                    continue;
                }
                greet(&worker, listener, stream, peer);
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

fn greet(worker: &Rc<Worker>, listener: &'static LiveListener, stream: TcpStream, peer: SocketAddr) {
    worker.process.connections.fetch_add(1, Relaxed);
    let (peer, idle) = (peer.ip().to_canonical(), Rc::new(Cell::new(true)));
    match &listener.tls {
        None => {
            let first_deadline = Instant::now() + worker.live.config.timeouts.keep_alive;
            let down = Downstream::new(stream, peer, None, first_deadline);
            worker.spawn(Rc::clone(&idle), serve(Rc::clone(worker), listener, down, idle));
        }
        Some(tls) => {
            worker.spawn(Rc::clone(&idle), serve_tls(Rc::clone(worker), listener, tls, stream, peer, idle));
        }
    }
}

/// Agrees on keys, then serves the protocol that was agreed on.
async fn serve_tls(
    worker: Rc<Worker>,
    listener: &'static LiveListener,
    tls: &'static Tls,
    stream: TcpStream,
    peer: IpAddr,
    idle: Rc<Cell<bool>>,
) {
    let timeouts = worker.live.config.timeouts;
    // Boxed: the connection does not carry the handshake's state on.
    let Some((stream, facts)) = Box::pin(tls.handshake(stream, timeouts.head)).await else { return };
    let alpn = facts.alpn;
    let down = Downstream::new(stream, peer, Some(Rc::new(facts)), Instant::now() + timeouts.keep_alive);
    match alpn {
        Alpn::Http1 => serve(worker, listener, down, idle).await,
    }
}
