//! Settings of listeners and of requests: timeouts and sizes.

use std::net::SocketAddr;
use std::time::Duration;

use crate::base::problem::Place;
use crate::tls::settings::ListenerTls;
use crate::wire::http1::head::HeadLimits;

/// An address that requests are accepted on.
#[derive(Debug, Clone)]
pub(crate) struct Listener {
    pub(crate) name: String,
    pub(crate) bind: SocketAddr,
    /// The APIs served there; all of the binary's if `None`.
    pub(crate) apis: Option<Vec<(String, Place)>>,
    /// Plain TCP if `None`.
    pub(crate) tls: Option<ListenerTls>,
}

/// How long things may take on the client's side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    /// From the first byte of a head to its end; 408 when it passes.
    pub(crate) head: Duration,
    /// Between two requests of a connection.
    pub(crate) keep_alive: Duration,
    /// For what is running when the gateway is told to stop.
    pub(crate) shutdown: Duration,
    /// From "not ready" to the end of accepting, after SIGTERM.
    pub(crate) shutdown_delay: Duration,
}

/// How large things may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) head: HeadLimits,
    /// Fields of a response of an upstream; one with more is refused with 502.
    pub(crate) response_fields: usize,
    /// The longest token of a foreign issuer that is looked at, in bytes.
    pub(crate) token: usize,
    /// Connections from clients, over all workers; more are closed at once.
    pub(crate) connections: usize,
    /// As `connections`, from one address (a /64 of IPv6); 0 for any number.
    pub(crate) connections_per_address: u32,
    /// Bytes per second that a client has to send or take on average while it is its turn; 0 for none.
    pub(crate) body_rate: u64,
    /// Requests that a client may have open at once on one connection of HTTP/2.
    pub(crate) streams: u32,
    /// Bytes for the counters of rate limits.
    pub(crate) counters: usize,
}

/// What the deployment decides about listeners and requests.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) timeouts: Timeouts,
    pub(crate) limits: Limits,
    /// Threads that serve requests.
    pub(crate) workers: usize,
    /// Whether requests are logged.
    pub(crate) access_log: bool,
}
