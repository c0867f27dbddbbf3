//! Where requests are forwarded to.

use std::time::Duration;

use gateway_route::UpstreamPaths;
pub use gateway_terms::operation::{CookieDomain, CookiePath, Cookies, ForwardedFields, Locations};
pub use gateway_terms::upstream::{Breaker, KeepAlive, Outlier, RetryBudget, RetryCause};
use gateway_terms::upstream::{USUAL_CONNECT_TIMEOUT, USUAL_IDLE_TIMEOUT, USUAL_RESOLVE, USUAL_RESPONSE_TIMEOUT};
use gateway_yaml::Span;

use crate::ir::UpstreamAuth;

/// A server that requests are forwarded to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// The name in the document, `default` for the unnamed one at the root.
    pub name: String,
    /// Where it is; one endpoint or more.
    pub endpoints: Vec<UpstreamEndpoint>,
    /// Which endpoint a request goes to.
    pub balance: Balance,
    /// How often names are looked up again; for each connection if `None`.
    pub resolve: Option<Duration>,
    /// When an endpoint that fails gets no requests.
    pub outlier: Option<Outlier>,
    /// How its endpoints are checked.
    pub health: Option<Health>,
    /// When a request is sent once more.
    pub retry: Option<Retry>,
    /// How much is asked for at once.
    pub breaker: Option<Breaker>,
    /// How connections are kept.
    pub keep_alive: KeepAlive,
    /// How the gateway proves who it is.
    pub auth: Option<UpstreamAuth>,
    /// Send the client's `Host`.
    pub preserve_host: bool,
    /// How it reads paths.
    pub paths: UpstreamPaths,
    /// What becomes of its own addresses in `Location` and `Content-Location`.
    pub locations: Locations,
    /// What becomes of the cookies that it sets.
    pub cookies: Cookies,
    /// The fields that say where a request came from.
    pub forwarded: ForwardedFields,
    /// To connect.
    pub connect_timeout: Duration,
    /// To the head of the response.
    pub response_timeout: Duration,
    /// Between two pieces of a body.
    pub idle_timeout: Duration,
    /// For the whole exchange with all tries.
    pub total_timeout: Option<Duration>,
    /// Where it is described, or first used.
    pub span: Span,
}

impl Upstream {
    /// As it is where only its address is said; without a name and a place.
    pub(crate) fn at(url: &str) -> Self {
        Self {
            name: String::new(),
            endpoints: vec![UpstreamEndpoint { url: url.to_owned(), weight: 1, priority: 0 }],
            balance: Balance::LeastRequest,
            resolve: Some(USUAL_RESOLVE),
            outlier: Some(Outlier::USUAL),
            health: None,
            retry: None,
            breaker: None,
            keep_alive: KeepAlive::USUAL,
            auth: None,
            preserve_host: false,
            paths: UpstreamPaths::UNKNOWN,
            locations: Locations::Translate,
            cookies: Cookies::KEEP,
            forwarded: ForwardedFields::XForwarded,
            connect_timeout: USUAL_CONNECT_TIMEOUT,
            response_timeout: USUAL_RESPONSE_TIMEOUT,
            idle_timeout: USUAL_IDLE_TIMEOUT,
            total_timeout: None,
            span: Span::default(),
        }
    }

    /// Of its first endpoint: all have its scheme and its prefix.
    pub fn first_url(&self) -> &str {
        self.endpoints.first().map_or("", |endpoint| &endpoint.url)
    }
}

/// One address of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamEndpoint {
    /// `http://host[:port][/prefix]`, or the same with `https://`.
    pub url: String,
    /// Its share of the requests, in proportion to the others'; 0 for none.
    pub weight: u32,
    /// It is used while no endpoint with a smaller number is usable.
    pub priority: u8,
}

/// When a request is sent once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// All tries, with the first.
    pub attempts: u32,
    /// What is repeated.
    pub on: Vec<RetryCause>,
    /// For the head of the response of one try.
    pub per_try: Option<Duration>,
    /// Before the second try; twice as long before each further one.
    pub backoff: Duration,
    /// No longer than this.
    pub max_backoff: Duration,
    /// How many retries there may be.
    pub budget: RetryBudget,
    /// A field says which try it is.
    pub attempt_header: bool,
}

/// How the endpoints of an upstream are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// What each is asked for, below its own prefix.
    pub path: String,
    /// How often.
    pub every: Duration,
    /// For an answer.
    pub timeout: Duration,
    /// So many good answers in a row make an endpoint healthy again.
    pub healthy: u32,
    /// So many bad ones make it unhealthy.
    pub unhealthy: u32,
    /// Ranges of good statuses.
    pub status: Vec<(u16, u16)>,
}

/// How an endpoint is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Balance {
    /// Each in its turn.
    RoundRobin,
    /// The one of two with fewer requests in flight.
    LeastRequest,
    /// The same one for the same parts of a request.
    Hash(Vec<HashKey>),
}

/// A part of a request that says which endpoint it goes to.
pub type HashKey = gateway_terms::key::HashKey<String>;
