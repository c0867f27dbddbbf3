//! Connections to upstreams: made, kept for the next request, and checked before they are used again.

pub(crate) mod answer;
pub(crate) mod balance;
pub(crate) mod breaker;
pub(crate) mod budget;
pub mod cluster;
pub(crate) mod condition;
pub(crate) mod credential;
pub mod endpoint;
pub(crate) mod hash;
pub mod health;
pub mod member;
pub(crate) mod names;
pub(crate) mod numbers;
pub(crate) mod outlier;
pub mod resolve;
pub(crate) mod srv;
pub(crate) mod stream;
pub mod tls;
pub mod url;

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::tables::KeepAlive;
use gateway_base::connector;
use gateway_wire::downstream::Outbox;
use gateway_wire::http2::client::ClientConnection;

pub use endpoint::Endpoint;
use member::{Chosen, Member};
pub(crate) use stream::UpstreamStream;

/// How long the addresses of a host name are kept.
const RESOLVED_FOR: Duration = Duration::from_secs(5);

/// How long it is remembered which address of a member accepted a connection.
const PREFERRED_FOR: Duration = Duration::from_secs(600);

/// A connection to an upstream.
pub(crate) struct UpstreamConnection {
    pub(crate) io: UpstreamStream,
    pub(crate) outbox: Outbox,
    /// Part of a response head that came in several pieces.
    pub(crate) inbox: Vec<u8>,
    /// The connection has answered a request before.
    pub(crate) reused: bool,
    usage: Usage,
}

/// How much a connection was used.
#[derive(Debug, Clone, Copy)]
struct Usage {
    since: Instant,
    /// With the one that it carries.
    requests: u32,
}

impl Usage {
    /// It may carry another request.
    fn is_within(self, keep: &KeepAlive, now: Instant) -> bool {
        keep.requests.is_none_or(|most| self.requests < most)
            && keep.age.is_none_or(|age| now.saturating_duration_since(self.since) < age)
    }
}

impl UpstreamConnection {
    fn new(io: UpstreamStream, reused: bool, usage: Usage) -> Self {
        Self { io, outbox: Outbox::default(), inbox: Vec::new(), reused, usage }
    }
}

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectError {
    /// Refused, unreachable, or the name is unknown.
    Unreachable,
    /// Not in time.
    Timeout,
    /// Its certificate is not trusted; why.
    Untrusted(&'static str),
}

struct Idle {
    io: UpstreamStream,
    /// It is closed then.
    until: Instant,
    usage: Usage,
    member: Chosen,
}

/// The connections of HTTP/2 to one upstream.
#[derive(Default)]
struct SharedConnections {
    connections: Vec<Shared>,
    making: Rc<tokio::sync::Mutex<()>>,
}

/// A connection of HTTP/2.
struct Shared {
    connection: ClientConnection,
    usage: Usage,
    keep: KeepAlive,
}

impl Shared {
    /// A stream for one more request, if there is room for it.
    fn open(&mut self, now: Instant) -> Option<UpstreamConnection> {
        if !self.usage.is_within(&self.keep, now) || !self.connection.has_room() {
            return None;
        }
        self.usage.requests += 1;
        let stream = UpstreamStream::Http2(Box::new(self.connection.open()));
        Some(UpstreamConnection::new(stream, self.usage.requests > 1, self.usage))
    }

    /// It is closed: nothing comes of it any more, or no further request.
    fn is_over(&self, now: Instant) -> bool {
        let may_go_on = self.keep.max > 0 && self.usage.is_within(&self.keep, now);
        self.connection.is_over(now, if may_go_on { self.keep.idle } else { Duration::ZERO })
    }
}

/// By the numbers of members, of which a name that moves has ever more: what is of no use is taken out by [`Pool::prune`].
type ByMember<T> = HashMap<usize, T, foldhash::fast::FixedState>;

/// One worker's idle connections, per upstream.
#[derive(Default)]
pub(crate) struct Pool {
    idle: RefCell<ByMember<Vec<Idle>>>,
    /// Connections of HTTP/2, and a lock that one who makes another holds.
    shared: RefCell<ByMember<SharedConnections>>,
    resolved: RefCell<ByMember<(Instant, Vec<SocketAddr>)>>,
}

impl Pool {
    /// The connection that was idle for the shortest time and is still open.
    pub(crate) fn take(&self, endpoint: &Endpoint, member: &Member, keep: &KeepAlive) -> Option<UpstreamConnection> {
        if endpoint.is_http2 {
            return self.open_stream(member);
        }
        let mut idle = self.idle.borrow_mut();
        let idle = idle.get_mut(&member.index)?;
        while let Some(Idle { mut io, mut usage, until, .. }) = idle.pop() {
            let is_too_old = keep.age.is_some() && until <= Instant::now();
            if !is_too_old && io.is_quiet() {
                usage.requests = usage.requests.saturating_add(1);
                return Some(UpstreamConnection::new(io, true, usage));
            }
        }
        None
    }

    /// A stream of a connection of HTTP/2 that has room for one.
    fn open_stream(&self, member: &Member) -> Option<UpstreamConnection> {
        let (now, mut shared) = (Instant::now(), self.shared.borrow_mut());
        shared.get_mut(&member.index)?.connections.iter_mut().find_map(|one| one.open(now))
    }

    /// Makes a connection of HTTP/2, or waits for one that is being made.
    async fn connect_http2(
        &self,
        endpoint: &Endpoint,
        member: &Member,
        keep: KeepAlive,
    ) -> Result<UpstreamConnection, ConnectError> {
        let making = Rc::clone(&self.shared.borrow_mut().entry(member.index).or_default().making);
        let _making = making.lock().await;
        if let Some(stream) = self.open_stream(member) {
            // Treated as new: a request that fails on it is not tried a third time.
            return Ok(UpstreamConnection { reused: false, ..stream });
        }
        let io = self.connect_to_any(endpoint, member).await.map_err(|_| ConnectError::Unreachable)?;
        let connection = match &endpoint.tls {
            None => ClientConnection::over(io, "http").await,
            Some(tls) => {
                let io = tls.handshake(io).await.map_err(ConnectError::Untrusted)?;
                if io.get_ref().1.alpn_protocol() != Some(b"h2") {
                    return Err(ConnectError::Untrusted("it does not speak HTTP/2"));
                }
                ClientConnection::over(io, "https").await
            }
        };
        let connection = connection.map_err(|_| ConnectError::Unreachable)?;
        let usage = Usage { since: Instant::now(), requests: 1 };
        let stream = UpstreamStream::Http2(Box::new(connection.open()));
        let shared = Shared { connection, usage, keep };
        self.shared.borrow_mut().entry(member.index).or_default().connections.push(shared);
        Ok(UpstreamConnection::new(stream, false, usage))
    }

    /// Keeps a connection whose last response ended cleanly, as far as its upstream wants that.
    pub(crate) fn put(
        &self,
        endpoint: &Endpoint,
        member: &Chosen,
        connection: UpstreamConnection,
        keep: &KeepAlive,
        now: Instant,
    ) {
        let UpstreamConnection { io, usage, .. } = connection;
        let now = if keep.age.is_some() { Instant::now() } else { now };
        if endpoint.is_http2 || !usage.is_within(keep, now) {
            return; // Of a stream, there is no second request.
        }
        let mut idle = self.idle.borrow_mut();
        let idle = idle.entry(member.index).or_default();
        if idle.len() < keep.max as usize {
            let until = keep.age.map_or(now + keep.idle, |age| (now + keep.idle).min(usage.since + age));
            idle.push(Idle { io, until, usage, member: member.clone() });
        }
    }

    /// Closes the connections to a member that carry no request; those of HTTP/2 carry no further one.
    pub(crate) fn forget(&self, member: &Member) {
        self.idle.borrow_mut().remove(&member.index);
        self.shared.borrow_mut().remove(&member.index);
    }

    /// Closes what was idle for too long, and what leads to addresses that are gone. Called every now and then.
    pub(crate) fn prune(&self, now: Instant) {
        self.shared.borrow_mut().retain(|_, shared| {
            shared.connections.retain(|connection| !connection.is_over(now));
            !shared.connections.is_empty() || Rc::strong_count(&shared.making) > 1
        });
        self.idle.borrow_mut().retain(|_, idle| {
            idle.retain(|connection| connection.until > now && !connection.member.is_gone.load(Relaxed));
            !idle.is_empty()
        });
        self.resolved.borrow_mut().retain(|_, (at, _)| now.saturating_duration_since(*at) < PREFERRED_FOR);
    }

    /// A new connection.
    ///
    /// # Errors
    /// [`ConnectError`], after every address of the host was tried.
    pub(crate) async fn connect(
        &self,
        endpoint: &Endpoint,
        member: &Member,
        keep: KeepAlive,
        limit: Duration,
    ) -> Result<UpstreamConnection, ConnectError> {
        if endpoint.is_http2 {
            return timeout(limit, Box::pin(self.connect_http2(endpoint, member, keep)))
                .await
                .unwrap_or(Err(ConnectError::Timeout));
        }
        let connecting = async {
            let io = self.connect_to_any(endpoint, member).await.map_err(|_| ConnectError::Unreachable)?;
            match &endpoint.tls {
                None => Ok(UpstreamStream::Plain(io)),
                // Boxed: connections over plain TCP do not carry its state.
                Some(tls) => {
                    Box::pin(tls.handshake(io)).await.map(UpstreamStream::Tls).map_err(ConnectError::Untrusted)
                }
            }
        };
        let io = timeout(limit, connecting).await.unwrap_or(Err(ConnectError::Timeout))?;
        Ok(UpstreamConnection::new(io, false, Usage { since: Instant::now(), requests: 1 }))
    }

    async fn connect_to_any(&self, endpoint: &Endpoint, member: &Member) -> io::Result<TcpStream> {
        if let [only] = &*member.addresses {
            return connector::connect_to_any(&[*only]).await;
        }
        let addresses = self.resolve(endpoint, member).await?;
        let connected = connector::connect_to_any(&addresses).await;
        match &connected {
            Ok(io) if addresses.len() > 1 => self.prefer(member, io.peer_addr()?),
            Ok(_) => {}
            Err(_) => drop(self.resolved.borrow_mut().remove(&member.index)),
        }
        connected
    }

    /// Has the next connections begin with the address that accepted this one.
    fn prefer(&self, member: &Member, address: SocketAddr) {
        if let Some((_, addresses)) = self.resolved.borrow_mut().get_mut(&member.index)
            && let Some(index) = addresses.iter().position(|known| *known == address)
        {
            addresses[..=index].rotate_right(1);
        }
    }

    async fn resolve(&self, endpoint: &Endpoint, member: &Member) -> io::Result<Vec<SocketAddr>> {
        if let Some((at, addresses)) = self.resolved.borrow().get(&member.index)
            && (at.elapsed() < RESOLVED_FOR || !member.addresses.is_empty())
        {
            return Ok(addresses.clone());
        }
        let addresses =
            if member.addresses.is_empty() { names::addresses(endpoint).await? } else { member.addresses.to_vec() };
        self.resolved.borrow_mut().insert(member.index, (Instant::now(), addresses.clone()));
        Ok(addresses)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::silent::Silent;

    #[test]
    fn what_is_known_of_members_that_are_gone_is_forgotten() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
            let address = listener.local_addr().expect("bound");
            let (endpoint, _) = url::parse_url(&format!("http://moving.test:{}", address.port())).expect("a URL");
            let (pool, keep) = (Pool::default(), KeepAlive::USUAL);
            for _ in 0..3 {
                let member = Chosen::Moving(Arc::new(cluster::tests::member_at(&endpoint, &[address])));
                let connection = pool.connect(&endpoint, &member, keep, Duration::from_secs(20)).await;
                let Ok(connection) = connection else { panic!("no connection") };
                pool.put(&endpoint, &member, connection, &keep, Instant::now());
                member.is_gone.store(true, Relaxed);
            }
            assert_eq!(pool.idle.borrow().len(), 3);
            pool.prune(Instant::now());
            assert!(pool.idle.borrow().is_empty() && pool.shared.borrow().is_empty());
            pool.prune(Instant::now() + PREFERRED_FOR);
            assert!(pool.resolved.borrow().is_empty());
        });
    }

    #[test]
    fn a_silent_address_of_a_name_costs_the_first_connection_a_moment() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
            let (silent, good) = (Silent::new(), listener.local_addr().expect("bound"));
            let endpoint = Endpoint {
                host: "two.test".into(),
                port: good.port(),
                authority: "two.test".into(),
                prefix: "".into(),
                service: None,
                tls: None,
                is_http2: false,
            };
            let pool = Pool::default();
            let member = cluster::tests::member_at(&endpoint, &[silent.address, good]);
            for _ in 0..2 {
                let connection = pool.connect(&endpoint, &member, KeepAlive::USUAL, Duration::from_secs(20)).await;
                assert!(connection.is_ok(), "{:?}", connection.err());
            }
            let resolved = pool.resolved.borrow();
            assert_eq!(resolved[&member.index].1, [good, silent.address], "the next one begins with the good one");
        });
    }
}
