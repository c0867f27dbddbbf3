//! Redis and Valkey: one connection for each thread, on which all its requests ask at once, one script for each of them.
//!
//! A keeper makes the connection, and makes it again when it is lost; requests take what there is. Where nothing
//! answers, they fail at once, and the keeper alone goes on trying.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::task::Poll;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, ErrorKind, RedisConnectionInfo, RedisError, ServerErrorKind};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::{Answering, Charged, SharedCharge, Store, StoreClient, StoreHealth, StoreTerms, StoreUnavailable};
use crate::algorithm::{Formula, Reading};
use crate::store::url::ServerAddress;
use gateway_base::connector;
use gateway_base::supervise::{Task, supervise};
use gateway_base::trust::{self, TrustError};

/// Counts; only commands that Redis has had since its version 5, and Valkey has.
const SCRIPT: &str = include_str!("count.lua");

/// After this number of questions in a row without an answer in time, the connection counts as dead.
const MAX_ATTEMPTS: u32 = 3;

/// Between two attempts to connect: at first, and at last.
const PAUSE: Duration = Duration::from_millis(50);
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// Counts nothing.
const PROBE: SharedCharge = SharedCharge {
    key: [0; 16],
    formula: Formula { name: "bucket", capacity: 1, rate: 1, unit: 1, tick_micros: 1_000_000, waits: false },
    cost: 0,
    extra: 0,
};

/// Speaks to Redis and to what speaks like it.
#[derive(Debug)]
pub struct Redis;

impl StoreClient for Redis {
    fn open(&self, terms: StoreTerms) -> Result<Arc<dyn Store>, TrustError> {
        let tls = match &terms.url.place {
            ServerAddress::Tcp { tls: true, .. } => {
                let mut config = (*trust::config(terms.trusted_roots.as_deref())?).clone();
                config.alpn_protocols.clear();
                Some(TlsConnector::from(Arc::new(config)))
            }
            _ => None,
        };
        let mut login = RedisConnectionInfo::default().set_db(terms.url.database).set_skip_set_lib_name();
        if let Some(user) = &terms.url.user {
            login = login.set_username(user);
        }
        if let Some(password) = &terms.url.password {
            login = login.set_password(String::from_utf8_lossy(password.expose()));
        }
        let links = (0..terms.workers.max(1)).map(|_| Arc::default()).collect();
        let health = StoreHealth::new(&terms.name);
        let server = Server {
            place: terms.url.place,
            login,
            tls,
            within: terms.connect_timeout,
            timeout: terms.timeout,
            prefix: terms.prefix,
            health,
        };
        Ok(Arc::new(Client { server: Arc::new(server), links }))
    }
}

#[derive(Debug)]
struct Client {
    server: Arc<Server>,
    /// One for each thread.
    links: Box<[Arc<Link>]>,
}

/// The server, and how to connect to it.
struct Server {
    place: ServerAddress,
    login: RedisConnectionInfo,
    tls: Option<TlsConnector>,
    /// For a connection.
    within: Duration,
    /// For an answer.
    timeout: Duration,
    prefix: String,
    health: StoreHealth,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({:?})", self.place)
    }
}

/// What a thread has of the store.
struct Link {
    state: watch::Sender<State>,
    /// Questions in a row that got no answer in time.
    unanswered: AtomicU32,
    is_lost: AtomicBool,
}

#[derive(Clone)]
enum State {
    /// It will soon be known.
    Connecting,
    Up(Up),
    Down,
}

#[derive(Clone)]
struct Up {
    connection: MultiplexedConnection,
    /// What the server calls the script.
    script: Arc<str>,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            state: watch::Sender::new(State::Connecting),
            unanswered: AtomicU32::new(0),
            is_lost: AtomicBool::new(false),
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}

impl Store for Client {
    fn start(&self, worker: usize) {
        if let Some(link) = self.links.get(worker) {
            // For as long as the thread's runtime is there.
            let (server, link) = (Arc::clone(&self.server), Arc::clone(link));
            tokio::spawn(supervise(Task::Stores, move || keep(Arc::clone(&server), Arc::clone(&link))));
        }
    }

    fn charge<'a>(&'a self, worker: usize, charges: &'a [SharedCharge]) -> Answering<'a> {
        Box::pin(async move {
            match self.links.get(worker) {
                Some(link) => self.ask(link, charges).await,
                None => Err(StoreUnavailable),
            }
        })
    }

    fn health(&self) -> &StoreHealth {
        &self.server.health
    }
}

impl Client {
    async fn ask(&self, link: &Link, charges: &[SharedCharge]) -> Result<Charged, StoreUnavailable> {
        let health = &self.server.health;
        if matches!(*link.state.borrow(), State::Down) {
            health.skipped.fetch_add(1, Relaxed);
            return Err(StoreUnavailable);
        }
        match tokio::time::timeout(self.server.timeout, self.exchange(link, charges)).await {
            Ok(Ok(charged)) => {
                link.unanswered.store(0, Relaxed);
                health.answered.fetch_add(1, Relaxed);
                return Ok(charged);
            }
            // The keeper notices a broken connection itself.
            Ok(Err(())) => {}
            Err(_) if link.unanswered.fetch_add(1, Relaxed) + 1 >= MAX_ATTEMPTS => {
                link.lose(health, &Down::Late);
            }
            Err(_) => {}
        }
        health.failed.fetch_add(1, Relaxed);
        Err(StoreUnavailable)
    }

    async fn exchange(&self, link: &Link, charges: &[SharedCharge]) -> Result<Charged, ()> {
        let mut states = link.state.subscribe();
        let state = states.wait_for(|state| !matches!(state, State::Connecting)).await.map_err(|_| ())?.clone();
        let State::Up(Up { mut connection, script }) = state else { return Err(()) };
        let mut call = command(&self.server.prefix, "EVALSHA", &script, charges);
        let answer: Result<Vec<i64>, RedisError> = match call.query_async(&mut connection).await {
            // Its scripts were flushed, or it was restarted.
            Err(error) if error.kind() == ServerErrorKind::NoScript.into() => {
                call = command(&self.server.prefix, "EVAL", SCRIPT, charges);
                call.query_async(&mut connection).await
            }
            answer => answer,
        };
        match answer {
            Ok(numbers) => read(&numbers, charges).ok_or(()),
            Err(error) if error.is_unrecoverable_error() => Err(()),
            Err(error) => {
                // A server that answers, and does not count: a replica, one that is loading, or full.
                link.lose(&self.server.health, &Down::Refused(error));
                Err(())
            }
        }
    }
}

/// A call of the script.
fn command(prefix: &str, name: &str, script: &str, charges: &[SharedCharge]) -> ::redis::Cmd {
    let mut command = ::redis::cmd(name);
    command.arg(script).arg(charges.len());
    for charge in charges {
        let mut key = String::with_capacity(prefix.len() + 48);
        // One hash tag for all: a cluster has the keys of one request in one place.
        key.extend(["{", prefix, "}:limit:"]);
        for byte in charge.key {
            key.extend([byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])));
        }
        command.arg(key);
    }
    for SharedCharge { formula, cost, extra, .. } in charges {
        command.arg(formula.name).arg(formula.capacity).arg(formula.rate).arg(formula.unit);
        command.arg(formula.tick_micros).arg(cost).arg(extra);
    }
    command
}

/// What the script answers.
fn read(numbers: &[i64], charges: &[SharedCharge]) -> Option<Charged> {
    let numbers: Vec<u64> = numbers.iter().map(|number| u64::try_from(*number).ok()).collect::<Option<_>>()?;
    let (admitted, rest) = numbers.split_first()?;
    if rest.len() != charges.len() * 6 {
        return None;
    }
    let readings = rest.chunks_exact(6).zip(charges).map(|(numbers, charge)| {
        let nanos = |ticks: u64| ticks.saturating_mul(charge.formula.tick_micros * 1_000);
        let reading = Reading {
            admitted: numbers[0] == 1,
            remaining: numbers[1],
            reset: nanos(numbers[2]),
            retry_after: nanos(numbers[3]),
            delay: if charge.formula.waits { nanos(numbers[4]) } else { 0 },
        };
        (reading, numbers[5])
    });
    Some(Charged { admitted: *admitted == 1, readings: readings.collect() })
}

/// Keeps a thread's connection for as long as the thread is there.
async fn keep(server: Arc<Server>, link: Arc<Link>) {
    let (mut pause, mut states) = (PAUSE, link.state.subscribe());
    loop {
        match tokio::time::timeout(server.within, server.connect()).await {
            Ok(Ok((up, driver))) => {
                pause = PAUSE;
                link.find(&server.health, up);
                let since = Instant::now();
                first_of(driver, states.wait_for(|state| matches!(state, State::Down))).await;
                // It may be back at once; a question meanwhile waits for that, within its deadline.
                if link.state.send_if_modified(State::reconnect) && since.elapsed() > PAUSE {
                    continue;
                }
            }
            Ok(Err(why)) => link.lose(&server.health, &why),
            Err(_) => link.lose(&server.health, &Down::Unconnected),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

enum First<A, B> {
    One(A),
    Other(B),
}

/// Runs both until one ends.
async fn first_of<A, B>(one: impl Future<Output = A>, other: impl Future<Output = B>) -> First<A, B> {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|cx| match one.as_mut().poll(cx) {
        Poll::Ready(end) => Poll::Ready(First::One(end)),
        Poll::Pending => other.as_mut().poll(cx).map(First::Other),
    })
    .await
}

impl State {
    fn reconnect(&mut self) -> bool {
        let is_up = matches!(self, Self::Up(_));
        if is_up {
            *self = Self::Connecting;
        }
        is_up
    }
}

impl Link {
    fn find(&self, health: &StoreHealth, up: Up) {
        self.unanswered.store(0, Relaxed);
        if self.is_lost.swap(false, Relaxed) {
            health.find();
        }
        self.state.send_replace(State::Up(up));
    }

    fn lose(&self, health: &StoreHealth, why: &Down) {
        if !self.is_lost.swap(true, Relaxed) {
            health.lose(&why.to_string());
        }
        self.state.send_replace(State::Down);
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Server {
    /// A connection that is known to count, and what drives it.
    async fn connect(&self) -> Result<(Up, impl Future<Output = ()> + 'static), Down> {
        let stream = self.stream().await.map_err(Down::Unreachable)?;
        // Without a deadline of its own: both callers have one.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let connected = MultiplexedConnection::new_with_config(&self.login, stream, config).await;
        let (mut connection, driver) = connected.map_err(Down::Refused)?;
        let mut driver = Box::pin(driver);
        let mut load = ::redis::cmd("SCRIPT");
        load.arg("LOAD").arg(SCRIPT);
        let probe = async {
            let script: String = load.query_async(&mut connection).await?;
            // It must be able to count as well: a replica cannot, nor a node of a cluster that has other keys.
            let count = command(&self.prefix, "EVALSHA", &script, &[PROBE]);
            let in_time = tokio::time::timeout(self.timeout, count.query_async::<()>(&mut connection)).await;
            Ok(in_time.map(|counted| counted.map(|()| script)))
        };
        let answer: Result<_, RedisError> = match first_of(&mut driver, probe).await {
            First::One(()) => return Err(Down::Closed),
            First::Other(answer) => answer,
        };
        let counted = answer.map_err(Down::Refused)?.map_err(|_| Down::Late)?;
        let script = counted.map_err(Down::Refused)?;
        Ok((Up { connection, script: script.into() }, driver))
    }

    async fn stream(&self) -> io::Result<Box<dyn Stream>> {
        match (&self.place, &self.tls) {
            (ServerAddress::Unix(path), _) => Ok(Box::new(UnixStream::connect(path).await?)),
            (ServerAddress::Tcp { host, port, .. }, tls) => {
                let stream = connector::connect(host, *port).await?;
                let Some(tls) = tls else { return Ok(Box::new(stream)) };
                let name = ServerName::try_from(host.clone())
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
                Ok(Box::new(tls.connect(name, stream).await?))
            }
        }
    }
}

/// Why a store does not count.
#[derive(Debug)]
enum Down {
    /// There is no connection to it.
    Unreachable(io::Error),
    /// There is none in time.
    Unconnected,
    /// It closes the connection.
    Closed,
    /// It does not answer in time.
    Late,
    /// It complains, or what it says is no answer.
    Refused(RedisError),
}

impl fmt::Display for Down {
    /// Of what a server complains of its code, and no more, since what follows may quote what it was sent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const WRONG_USER: &str = "it does not take the user or the password, or does not let that user count";
        match self {
            Self::Unreachable(error) => write!(f, "it cannot be reached: {error}"),
            Self::Unconnected => f.write_str("no connection can be made in time"),
            Self::Closed => f.write_str("it closes the connection"),
            Self::Late => f.write_str("it does not answer in time"),
            Self::Refused(error) => match error.code() {
                Some("MOVED" | "ASK") => {
                    f.write_str("it is a node of a cluster that does not have the keys; take the one that has")
                }
                Some("WRONGPASS" | "NOAUTH" | "NOPERM") => f.write_str(WRONG_USER),
                Some(code) => write!(f, "it answers {code}"),
                None if error.kind() == ErrorKind::AuthenticationFailed => f.write_str(WRONG_USER),
                None => write!(f, "it does not answer as it should ({})", error.category()),
            },
        }
    }
}

#[cfg(test)]
mod tests;
