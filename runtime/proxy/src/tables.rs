//! Routes, operations and upstreams as generated code describes them: inert tables.

use std::time::Duration;

use gateway_route::{Ambiguous, UpstreamPaths};
pub use gateway_terms::operation::{CookieDomain, CookiePath, Cookies, ForwardedFields, Locations, Preflight};
pub use gateway_terms::share::Share;
pub use gateway_terms::upstream::{Breaker, KeepAlive, Outlier, RetryBudget, RetryCause};
use gateway_terms::upstream::{USUAL_CONNECT_TIMEOUT, USUAL_IDLE_TIMEOUT, USUAL_RESOLVE, USUAL_RESPONSE_TIMEOUT};

pub use crate::browsers::{Cors, CorsPolicy, OriginPattern, Origins, SecurityHeaders};
use crate::compression::Compression;
use gateway_access::tables::{Access, Anonymous, ConsumerRules, FailureLimit};
use gateway_access::upstream_auth::UpstreamAuth;
use gateway_base::units::ByteSize;
use gateway_contract::tables::{Contract, NamedSchema};
use gateway_limits::tables::{Limit, LimitUse};
pub use gateway_terms::key::{CacheKey, HashKey};
use gateway_terms::refusal::{ErrorClass, ErrorFormat};
use gateway_wire::header_edits::HeaderEdits;

/// All APIs that one binary serves, in the order of their names.
#[derive(Debug)]
pub struct Gateway {
    /// One entry per document in `specs/`.
    pub apis: &'static [&'static Api],
}

/// One OpenAPI document.
#[derive(Debug)]
pub struct Api {
    /// The stem of the document's file name: how `gateway.yaml` refers to it.
    pub name: &'static str,
    /// `info.title`.
    pub title: &'static str,
    /// The document's path, relative to the workspace.
    pub source: &'static str,
    /// Every path template with its operations, ordered by template.
    pub routes: &'static [Route],
    /// What is tried, in this order, where no path matches.
    pub rules: &'static [Rule],
    /// Everything that an operation of this API may call, ordered by name.
    pub upstreams: &'static [&'static Upstream],
    /// Every security scheme that an operation of this API refers to, ordered by name.
    pub schemes: &'static [&'static dyn gateway_access::scheme::Scheme],
    /// The names of the headers that tell the upstream who calls; never accepted from a client.
    pub identity_headers: IdentityHeaders,
    /// The schemas that contracts refer to by name, ordered by it.
    pub schemas: &'static [&'static NamedSchema],
    /// How the bodies of refusals look.
    pub error_format: ErrorFormat,
    /// Response bodies that replace the default `{"message": …}`.
    pub error_bodies: &'static [ErrorBody],
    /// How many wrong credentials are checked, by scheme; unlimited for the others.
    pub failed_authentication: &'static [FailureLimit],
    /// Whether requests must come over TLS.
    pub https: Https,
    /// Which pages may read the answers to requests that no path matches.
    pub cors: Option<Cors>,
    /// What these answers tell browsers.
    pub security_headers: Option<&'static SecurityHeaders>,
    /// What the document's `acceptRisk` accepts; listed by `gateway routes`.
    pub accepted_risks: &'static [AcceptedRisk],
}

impl Gateway {
    /// The limits that its operations have, each with the name of its API; some of them several times.
    pub fn limits(&self) -> impl Iterator<Item = (&'static str, &'static Limit)> {
        let operations = self.apis.iter().flat_map(|api| api.operations().map(|operation| (api.name, operation)));
        operations.flat_map(|(api, operation)| operation.limits.iter().map(move |used| (api, used.limit)))
    }
}

impl Api {
    /// Every operation: of the paths, then of the rules.
    pub fn operations(&self) -> impl Iterator<Item = &'static Operation> + use<> {
        let of_rules = self.rules.iter().filter_map(|rule| match &rule.effect {
            RuleEffect::Proxy { operation, .. } => Some(*operation),
            RuleEffect::Rewrite { .. } | RuleEffect::Redirect { .. } | RuleEffect::Respond { .. } => None,
        });
        self.routes.iter().flat_map(|route| route.operations.iter().copied()).chain(of_rules)
    }
}

/// Whether the requests of an API must come over TLS.
#[derive(Debug)]
pub enum Https {
    /// The deployment decides.
    Optional,
    /// Plain HTTP is refused before anything else is checked.
    Required {
        /// Where plain requests are sent on to, by the host that they name; with none, they get 403.
        redirect_to: &'static [Origin],
        /// The value of `Strict-Transport-Security` (RFC 6797 §6.1) in responses over TLS; `""` for none.
        hsts: &'static str,
    },
}

/// A host that speaks TLS.
#[derive(Debug)]
pub struct Origin {
    /// In lower case.
    pub host: &'static str,
    /// The port of its URL.
    pub port: u16,
}

/// A risk that a document accepts.
#[derive(Debug)]
pub struct AcceptedRisk {
    /// The code of the compiler's message, such as `GW312`.
    pub lint: &'static str,
    /// What takes it, such as "operation `sign`".
    pub what: &'static str,
    /// Why.
    pub reason: &'static str,
}

/// A path template and the operations under it.
#[derive(Debug)]
pub struct Route {
    /// The template with the base path of `servers`, such as `/v1/notes/{id}`; `{+rest}` matches across `/`.
    pub template: &'static str,
    /// What a request must say beside its path.
    pub when: &'static [Condition],
    /// What its parameters take that servers read differently; by default nothing.
    pub allows: &'static [Allowed],
    /// What `OPTIONS` gets where no operation describes it.
    pub preflight: Preflight,
    /// Which pages may read the answers to methods that are not described.
    pub cors: Option<Cors>,
    /// What these answers tell browsers.
    pub security_headers: Option<&'static SecurityHeaders>,
    /// One operation per method, ordered by method.
    pub operations: &'static [&'static Operation],
}

/// Characters that a path parameter takes although servers read them differently.
#[derive(Debug)]
pub struct Allowed {
    /// The name in the template.
    pub parameter: &'static str,
    /// Which of them.
    pub characters: &'static [Ambiguous],
}

/// Something that a request must say exactly once to select a route.
#[derive(Debug)]
pub enum Condition {
    /// A query parameter.
    Query {
        /// The decoded name.
        name: &'static str,
        /// The decoded value; any where there is none.
        value: Option<&'static str>,
    },
    /// A header field.
    Header {
        /// The name, whose letter case does not count.
        name: &'static str,
        /// The value; any where there is none.
        value: Option<&'static str>,
    },
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (mark, name, value) = match self {
            Self::Query { name, value } => ("?", name, value),
            Self::Header { name, value } => ("#", name, value),
        };
        match value {
            Some(value) => write!(f, "{mark}{name}={value}"),
            None => write!(f, "{mark}{name}"),
        }
    }
}

/// What becomes of requests that no path matches.
#[derive(Debug)]
pub struct Rule {
    /// `rule 1` for the first in the document.
    pub id: &'static str,
    /// Which requests.
    pub matcher: &'static dyn crate::rule_pattern::Matcher,
    /// What becomes of them.
    pub effect: RuleEffect,
}

/// What a rule does. `to` may contain `$1` to `$9`, and `$$` for a dollar.
#[derive(Debug)]
pub enum RuleEffect {
    /// Goes on with another target: with the following rules, and after them with the paths.
    Rewrite {
        /// The new path and query.
        to: &'static str,
        /// Without the following rules.
        last: bool,
    },
    /// Sends the client elsewhere.
    Redirect {
        /// A path on this host, or a URL whose host is written out.
        to: &'static str,
        /// 301, 302, 303, 307 or 308.
        status: u16,
    },
    /// Answers.
    Respond {
        /// The status.
        status: u16,
        /// Of the body.
        content_type: &'static str,
        /// The whole body.
        body: &'static str,
    },
    /// Forwards, with any method but TRACE.
    Proxy {
        /// The path and query that the upstream sees.
        to: &'static str,
        /// Who may call, and what else holds.
        operation: &'static Operation,
    },
}

/// One operation: who may call it, what it is forwarded to, and how.
#[derive(Debug)]
pub struct Operation {
    /// `operationId`, or the method and the template where the document gives none.
    pub id: &'static str,
    /// The method, in upper case as on the wire; `ANY` for a rule's.
    pub method: &'static str,
    /// Who may call.
    pub access: Access,
    /// What is done with a permitted request.
    pub action: Action,
    /// What requests and responses are checked for.
    pub contract: Contract,
    /// Changes to the request on its way to the upstream.
    pub request_headers: HeaderEdits,
    /// Changes to the response on its way to the client.
    pub response_headers: HeaderEdits,
    /// A larger request body is refused with 413.
    pub max_body: ByteSize,
    /// Which consumers may call, beside having a valid credential.
    pub consumers: ConsumerRules,
    /// What an empty alternative (`{}`) of `access` means.
    pub anonymous: Anonymous,
    /// What each request is charged to: all of these, or none if one refuses.
    pub limits: &'static [LimitUse],
    /// The upstream may read some of its paths as those of an operation that others may call; the stricter of the two
    /// answers these.
    pub contested: bool,
    /// A request may be sent again whatever its method.
    pub repeatable: bool,
    /// What clients may switch to.
    pub upgrade: Option<Upgrade>,
    /// Which pages of other origins may call.
    pub cors: Option<Cors>,
    /// What its responses tell browsers.
    pub security_headers: Option<&'static SecurityHeaders>,
    /// Which responses are compressed, and how; `None` for none.
    pub compression: Option<Compression>,
    /// Which responses are stored and used again; `None` for none.
    pub cache: Option<Cache>,
}

/// Which responses of an operation are stored, and for which callers.
#[derive(Debug)]
pub struct Cache {
    /// How long a response is fresh; as the upstream says, if `None`.
    pub ttl: Option<Duration>,
    /// The methods whose responses are stored.
    pub methods: &'static [&'static str],
    /// What tells requests for one path apart; all of the query if `None`.
    pub key: Option<&'static [CacheKey]>,
    /// A larger content passes without being stored.
    pub max_body: ByteSize,
    /// So long after its end a response is given away while another one is fetched.
    pub stale_while_revalidate: Option<Duration>,
    /// So long after its end a response stands in for an upstream that fails.
    pub stale_if_error: Option<Duration>,
}

/// What clients may switch to on a connection (RFC 9110 §7.8).
#[derive(Debug)]
pub struct Upgrade {
    /// Names of protocols, in lower case.
    pub protocols: &'static [&'static str],
    /// The longest silence.
    pub idle: Duration,
    /// It ends when the credential expires.
    pub until_expiry: bool,
    /// Pages that may ask for it; all if `None`.
    pub origins: Option<Origins>,
}

/// What an operation does with a permitted request.
#[derive(Debug)]
pub enum Action {
    /// Sends it to an upstream.
    Forward {
        /// The upstream that is called.
        to: &'static Upstream,
        /// The path that the upstream sees.
        path: Rewrite,
        /// What goes to other upstreams: the first entry whose `when` holds, or else one by its share.
        split: &'static [SplitEntry],
        /// What is copied to another upstream.
        mirror: Option<Mirror>,
    },
    /// Answers it.
    Answer(&'static dyn gateway_access::builtin::Builtin),
}

/// Some of the requests of an operation, which go to another upstream.
#[derive(Debug)]
pub struct SplitEntry {
    /// That upstream.
    pub to: &'static Upstream,
    /// So many of the requests that no `when` decides about.
    pub share: Share,
    /// Names and values of header fields; requests that have all of them go here. Empty for none.
    pub when: &'static [(&'static str, &'static str)],
    /// What decides whether a request is of the share; chance where it is empty.
    pub by: &'static [HashKey],
}

/// Copies of requests, whose answers are ignored.
#[derive(Debug)]
pub struct Mirror {
    /// The upstream that gets them.
    pub to: &'static Upstream,
    /// How many of the requests are copied.
    pub share: Share,
    /// With what the caller has proved itself with.
    pub credentials: bool,
}

/// A server that requests are forwarded to. Its addresses can be replaced per deployment.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// The name under `x-gateway.upstreams`, or `default` for the unnamed one.
    pub name: &'static str,
    /// Where it is: one endpoint or more, which have one scheme and one prefix.
    pub endpoints: &'static [UpstreamEndpoint],
    /// Which endpoint a request goes to.
    pub balance: Balance,
    /// How often names are looked up again; for each connection if `None`.
    pub resolve: Option<Duration>,
    /// When an endpoint that fails gets no requests; it always does if `None`.
    pub outlier: Option<Outlier>,
    /// How its endpoints are checked.
    pub health: Option<Health>,
    /// When a request is sent once more; never if `None`.
    pub retry: Option<Retry>,
    /// How much is asked for at once; without a bound if `None`.
    pub breaker: Option<Breaker>,
    /// How connections are kept.
    pub keep_alive: KeepAlive,
    /// How the gateway proves who it is.
    pub auth: Option<UpstreamAuth>,
    /// Send the client's `Host` instead of the upstream's own.
    pub preserve_host: bool,
    /// What it takes for the same when it reads a path.
    pub paths: UpstreamPaths,
    /// What becomes of `Location` and `Content-Location` in its responses.
    pub locations: Locations,
    /// What becomes of the cookies that it sets.
    pub cookies: Cookies,
    /// The fields that say where a request came from.
    pub forwarded: ForwardedFields,
    /// To establish a connection; 504 when it passes.
    pub connect_timeout: Duration,
    /// From the end of the request to the head of the response; 504 when it passes.
    pub response_timeout: Duration,
    /// Between two pieces of a body, in either direction.
    pub idle_timeout: Duration,
    /// For the whole exchange with all tries; 504, or the end of the response.
    pub total_timeout: Option<Duration>,
}

impl Upstream {
    /// As it is where only addresses are said; without a name and addresses.
    pub const USUAL: Self = Self {
        name: "",
        endpoints: &[],
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
    };

    /// Of its first endpoint: all have its scheme and its prefix.
    pub fn first_url(&self) -> &'static str {
        self.endpoints.first().map_or("", |endpoint| endpoint.url)
    }
}

/// One address of an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpstreamEndpoint {
    /// `http://host[:port][/prefix]`.
    pub url: &'static str,
    /// Its share of the requests, in proportion to the others'; 0 for none.
    pub weight: u32,
    /// It is used while no endpoint with a smaller number is usable.
    pub priority: u8,
}

/// When a request is sent once more.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    /// All tries, with the first.
    pub attempts: u32,
    /// What is repeated.
    pub on: &'static [RetryCause],
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
#[derive(Debug, Clone, Copy)]
pub struct Health {
    /// What each is asked for, below its own prefix.
    pub path: &'static str,
    /// How often.
    pub every: Duration,
    /// For an answer.
    pub timeout: Duration,
    /// So many good answers in a row make an endpoint healthy again.
    pub healthy: u32,
    /// So many bad ones make it unhealthy.
    pub unhealthy: u32,
    /// Ranges of good statuses.
    pub status: &'static [(u16, u16)],
}

impl Health {
    /// Whether a status is a good one.
    pub(crate) fn accepts(&self, status: u16) -> bool {
        self.status.iter().any(|(from, to)| (*from..=*to).contains(&status))
    }
}

/// How an endpoint is chosen.
#[derive(Debug, Clone, Copy)]
pub enum Balance {
    /// Each in its turn.
    RoundRobin,
    /// Of two, the one with fewer requests in flight.
    LeastRequest,
    /// The same one for the same parts of a request.
    Hash(&'static [HashKey]),
}

/// How the path of the forwarded request is made.
#[derive(Debug)]
pub enum Rewrite {
    /// The path as received, less the base path of `servers`.
    Received {
        /// The base path, `""` for none.
        base: &'static str,
    },
    /// A template filled with the path parameters.
    Path(&'static str),
    /// Something that needs an engine.
    With(&'static dyn crate::rewrite::Rewriter),
}

/// The headers that carry the caller's identity to the upstream.
#[derive(Debug)]
pub struct IdentityHeaders {
    /// The consumer's user name.
    pub consumer: &'static str,
    /// The credential that was used.
    pub credential: &'static str,
    /// The consumer's label `customId`.
    pub custom_id: &'static str,
    /// The OAuth client.
    pub client: &'static str,
    /// The user.
    pub user: &'static str,
}

/// A refusal's body, as `x-gateway.errors.bodies` gives it.
#[derive(Debug)]
pub struct ErrorBody {
    /// Which refusals carry it.
    pub class: ErrorClass,
    /// The JSON text.
    pub json: &'static str,
}
