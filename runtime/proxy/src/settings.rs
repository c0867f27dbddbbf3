//! Settings of listeners and of requests: timeouts and sizes.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;

use gateway_base::problem::SettingPlace;
use gateway_tls::settings::ListenerTls;
use gateway_wire::http1::head::HeadLimits;

/// An address that requests are accepted on.
#[derive(Debug, Clone)]
pub struct Listener {
    /// The name below `listeners`, for logs and metrics.
    pub name: String,
    /// The address and port to accept connections on.
    pub bind: SocketAddr,
    /// The APIs served there; all of the binary's if `None`.
    pub apis: Option<Vec<(String, SettingPlace)>>,
    /// Plain TCP if `None`.
    pub tls: Option<ListenerTls>,
    /// The load balancers whose connections begin with a header of the PROXY protocol, and that no others make; `None` if
    /// connections are the clients' own.
    pub proxy_protocol_from: Option<Vec<IpNet>>,
}

/// How long things may take on the client's side.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// From the first byte of a head to its end; 408 when it passes.
    pub head: Duration,
    /// Between two requests of a connection.
    pub keep_alive: Duration,
    /// For what is running when the gateway is asked to stop.
    pub shutdown: Duration,
    /// From "not ready" to the end of accepting, after SIGTERM.
    pub shutdown_delay: Duration,
}

/// How large things may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Sizes of the head of a request, in bytes.
    pub head: HeadLimits,
    /// Fields of a response of an upstream; one with more is refused with 502.
    pub response_fields: usize,
    /// The longest token of a foreign issuer that is accepted, in bytes.
    pub token: usize,
    /// Connections from clients, over all workers; more are closed at once.
    pub connections: usize,
    /// As `connections`, from one address (a /64 of IPv6); 0 for any number.
    pub connections_per_address: u32,
    /// Bytes per second that a client has to send or take on average while it is its turn; 0 for none.
    pub body_rate: u64,
    /// Bytes for bodies that are checked, all together.
    pub body_memory: u64,
    /// Bytes for the encoders of responses, all together.
    pub compression: u64,
    /// Bytes for responses that are stored, all together.
    pub cache: u64,
    /// Requests that a client may have open at once on one connection of HTTP/2.
    pub streams: u32,
    /// Bytes for the counters of rate limits.
    pub counters: usize,
}

/// What the deployment decides about listeners and requests.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long clients may take.
    pub timeouts: Timeouts,
    /// How large requests and responses may be, and how many connections clients may have.
    pub limits: Limits,
    /// Threads that serve requests.
    pub workers: usize,
    /// Whether requests are logged.
    pub access_log: bool,
}
