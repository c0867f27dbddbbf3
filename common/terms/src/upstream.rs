//! What holds for an upstream with several endpoints.

use std::net::Ipv4Addr;
use std::time::Duration;

/// How an upstream is spoken to, and how its address is found, by the scheme of its URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpstreamScheme {
    /// What the URL begins with.
    pub prefix: &'static str,
    /// It is spoken to inside TLS.
    pub has_tls: bool,
    /// It is spoken to in HTTP/2.
    pub is_http2: bool,
    /// Its host is the [name of a service](ServiceName), whose SRV records say where it is.
    pub is_service: bool,
}

impl UpstreamScheme {
    /// What upstreams can have.
    pub const ALL: [Self; 8] = [
        Self { prefix: "http://", has_tls: false, is_http2: false, is_service: false },
        Self { prefix: "https://", has_tls: true, is_http2: false, is_service: false },
        Self { prefix: "h2c://", has_tls: false, is_http2: true, is_service: false },
        Self { prefix: "h2://", has_tls: true, is_http2: true, is_service: false },
        Self { prefix: "dns+srv://", has_tls: false, is_http2: false, is_service: true },
        Self { prefix: "dns+srv+https://", has_tls: true, is_http2: false, is_service: true },
        Self { prefix: "dns+srv+h2c://", has_tls: false, is_http2: true, is_service: true },
        Self { prefix: "dns+srv+h2://", has_tls: true, is_http2: true, is_service: true },
    ];

    /// The scheme of a URL, and what follows it.
    pub fn of(url: &str) -> Option<(Self, &str)> {
        Self::ALL.into_iter().find_map(|scheme| Some((scheme, url.strip_prefix(scheme.prefix)?)))
    }

    /// Whether SRV records lead to what is at this URL.
    pub fn is_of_service(url: &str) -> bool {
        Self::of(url).is_some_and(|(scheme, _)| scheme.is_service)
    }

    /// The port of a URL that has none.
    pub const fn usual_port(self) -> u16 {
        if self.has_tls { 443 } else { 80 }
    }
}

/// The name of a service in DNS, `_http._tcp.orders.internal` (RFC 2782).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceName<'n> {
    /// `_http._tcp`.
    pub service: &'n str,
    /// `orders.internal`: whose service it is, and so what a certificate names (RFC 6125 6.2.1).
    pub domain: &'n str,
}

impl<'n> ServiceName<'n> {
    /// Takes such a name apart.
    pub fn of(name: &'n str) -> Option<Self> {
        let is_label = |label: &str| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            let begins = label.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
            begins && label.len() <= 63 && label.bytes().all(allowed)
        };
        let mut labels = name.splitn(3, '.');
        let (service, protocol, domain) = (labels.next()?, labels.next()?, labels.next()?);
        let is_service = |label: &str| label.strip_prefix('_').is_some_and(is_label);
        let domain_labels = domain.strip_suffix('.').unwrap_or(domain);
        let is_domain = domain_labels.split('.').all(is_label) && domain_labels.parse::<Ipv4Addr>().is_err();
        let is_name = name.len() <= 253 && is_service(service) && is_service(protocol) && is_domain;
        is_name.then(|| Self { service: &name[..service.len() + 1 + protocol.len()], domain })
    }
}

/// When an endpoint that fails gets no requests for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outlier {
    /// After this number of failures in a row.
    pub consecutive: u32,
    /// For so long, times the number of ejections.
    pub eject: Duration,
    /// At most this percentage of the endpoints at once; of two, one may be.
    pub max_ejected: u8,
}

impl Outlier {
    /// What holds where nothing else is said.
    pub const USUAL: Self = Self { consecutive: 5, eject: Duration::from_secs(30), max_ejected: 50 };
}

/// Why a request is sent once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryCause {
    /// No endpoint could be connected to.
    Connect,
    /// The connection broke before an answer.
    Reset,
    /// An answer with this status; 504 also where none came in time.
    Status(u16),
}

impl RetryCause {
    /// What is repeated where nothing else is said.
    pub const USUAL: [Self; 5] = [Self::Connect, Self::Reset, Self::Status(502), Self::Status(503), Self::Status(504)];

    /// By its word in documents: `connect`, `reset`, or a status that says that trying again may help.
    pub fn named(word: &str) -> Option<Self> {
        match word {
            "connect" => Some(Self::Connect),
            "reset" => Some(Self::Reset),
            _ => word.parse().ok().filter(|status| matches!(status, 429 | 500..=599)).map(Self::Status),
        }
    }
}

/// How many retries there may be, so that they do not break what is hardly up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryBudget {
    /// Of a hundred requests of the last ten seconds.
    pub percent: u8,
    /// And per second.
    pub min: u32,
}

impl RetryBudget {
    /// What holds where nothing else is said.
    pub const USUAL: Self = Self { percent: 20, min: 10 };
}

/// How much an upstream is asked for at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// Requests under way.
    pub requests: u32,
    /// Requests that wait for a connection.
    pub pending: u32,
}

impl Breaker {
    /// What holds for what is not said of one.
    pub const USUAL: Self = Self { requests: 1024, pending: 128 };
}

/// How connections are kept for further requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepAlive {
    /// One that carries no request is closed after this.
    pub idle: Duration,
    /// How many a thread keeps for each endpoint while they carry no request; none for 0.
    pub max: u32,
    /// One that is older carries no further request.
    pub age: Option<Duration>,
    /// How many requests one carries at most.
    pub requests: Option<u32>,
}

impl KeepAlive {
    /// What holds where nothing else is said. The time is shorter than the keep-alive time of common servers (nginx 75 s;
    /// Node has 5 s, and a connection that it has closed is noticed before it is used).
    pub const USUAL: Self = Self { idle: Duration::from_secs(55), max: 256, age: None, requests: None };

    /// Each request gets a connection of its own.
    pub const OFF: Self = Self { max: 0, ..Self::USUAL };
}

/// The largest number of idle connections that a thread keeps to an endpoint.
pub const MOST_KEPT: u32 = 100_000;

/// The largest number of tries.
pub const MOST_ATTEMPTS: u32 = 10;

/// How often the addresses of host names are looked up, where nothing else is said.
pub const USUAL_RESOLVE: Duration = Duration::from_secs(30);

/// To connect, where nothing else is said.
pub const USUAL_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// To the head of a response, where nothing else is said.
pub const USUAL_RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);

/// Between two pieces of a body, where nothing else is said.
pub const USUAL_IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// How many tries there are with `retry`, where nothing else is said.
pub const USUAL_ATTEMPTS: u32 = 2;

/// Before the second try, where nothing else is said.
pub const USUAL_BACKOFF: Duration = Duration::from_millis(25);

/// Between two tries at most, where nothing else is said.
pub const USUAL_MAX_BACKOFF: Duration = Duration::from_millis(250);

/// How often the health of an endpoint is checked, where nothing else is said.
pub const USUAL_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// For the answer to a check, where nothing else is said.
pub const USUAL_CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// Good answers in a row that make an endpoint healthy, where nothing else is said.
pub const USUAL_HEALTHY: u32 = 2;

/// Bad answers in a row that make an endpoint unhealthy, where nothing else is said.
pub const USUAL_UNHEALTHY: u32 = 3;

/// Statuses of good answers, where nothing else is said.
pub const USUAL_STATUSES: (u16, u16) = (200, 299);

/// Statuses of good answers to checks: `200`, or `200-299`.
pub fn status_range(text: &str) -> Option<(u16, u16)> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let status = |text: &str| text.trim().parse().ok().filter(|status| (200..=599).contains(status));
    status(from).zip(status(to)).filter(|(from, to)| from <= to)
}

/// The largest weight of an endpoint.
pub const MOST_WEIGHT: u32 = 1000;

/// The largest number of a priority.
pub const LAST_PRIORITY: u8 = 15;

/// The largest number of checks, or of failures, in a row that can be asked for.
pub const MOST_IN_A_ROW: u32 = 1_000_000;
