//! What a running gateway works with: the generated tables with the addresses, secrets and limits of a deployment.

use std::net::IpAddr;
use std::sync::Arc;

use gateway_route::{Expansion, ExpansionError, Router};
use ipnet::IpNet;

use crate::admission::{Admission, connections_within};
use crate::body_memory::BodyMemory;
use crate::browsers::ForBrowsers;
use crate::cache::ResponseCache;
use crate::https::HttpsOnly;
use crate::metrics::OperationMetrics;
use crate::rewrite::{PathTemplate, PreparedRewrite};
use crate::rule_pattern::{PatternError, PreparedMatcher};
use crate::settings::Settings;
use crate::split::SplitChoice;
use crate::tables::{Api, ErrorBody, Operation, Preflight, Rule, RuleEffect, Share, Upstream};
use crate::upstream::Endpoint;
use crate::upstream::cluster::Cluster;
use crate::views::{Contested, Views};
use gateway_access::authorize::PreparedAccess;
use gateway_access::builtin::PreparedBuiltin;
use gateway_access::challenges::{Challenges, HiddenCredentials};
use gateway_access::outgoing::Background;
use gateway_access::upstream_auth::SecretField;
use gateway_base::digest::Digest;
use gateway_contract::prepared::PreparedContract;
use gateway_limits::counters::Limits;
use gateway_limits::rule;
use gateway_parties::store::ConsumerStore;
use gateway_schema::schemas::Schemas;
use gateway_terms::refusal::ErrorFormat;
use gateway_tls::Tls;
use gateway_wire::field_lines::FieldLines;
use gateway_wire::forwarded::TrustedFields;
use gateway_wire::http1::names::FieldTable;
use gateway_wire::reject::Reject;

/// All that a running gateway works with; made at start, never changed.
pub struct Deployment {
    /// The listeners, in the order of the settings.
    pub listeners: Vec<PreparedListener>,
    /// How each header field of a request is treated on its way to the upstream.
    pub request_fields: FieldTable,
    /// How each header field of a response is treated on its way to the client.
    pub response_fields: FieldTable,
    /// The header fields that carry credentials in some document, or select an operation: no trailer may bring them, which
    /// some upstreams read like the header.
    pub deciding_fields: Vec<&'static str>,
    /// The networks whose `X-Forwarded-For` and the like are trusted; empty for none.
    pub trusted_proxies: Vec<IpNet>,
    /// Which of the fields that trusted proxies may write count.
    pub trusted_fields: TrustedFields,
    /// Timeouts, sizes and the number of workers.
    pub settings: Settings,
    /// The consumers of `consumers.yaml`.
    pub consumers: Arc<ConsumerStore>,
    /// The upstreams, each of them once.
    pub clusters: Vec<Arc<Cluster>>,
    /// What goes on beside the requests: fetching keys, for one.
    pub background: Vec<Arc<dyn Background>>,
    /// The counters of all rate limits.
    pub limits: Arc<Limits>,
    /// The memory of bodies that are checked.
    pub bodies: BodyMemory,
    /// The memory of the encoders of responses that are compressed.
    pub encoders: BodyMemory,
    /// What is stored of responses; nothing where no operation has a `cache`.
    pub cache: Option<ResponseCache>,
    /// Of the key of administrators, for what operators change; nobody does without one.
    pub operators_key: Option<Digest>,
    /// Counts the open connections, and refuses those beyond the limits.
    pub admission: Admission,
}

/// What one request is handled with, from its head to its log line.
#[derive(Clone, Copy)]
pub(crate) struct Serving {
    pub(crate) deployment: &'static Deployment,
    /// One of the deployment's.
    pub(crate) listener: &'static PreparedListener,
}

/// A listener with the routes of its APIs.
pub struct PreparedListener {
    /// The name in the settings, for logs and metrics.
    pub name: Box<str>,
    /// The address that it accepts connections on.
    pub bind: std::net::SocketAddr,
    /// Plain TCP if `None`.
    pub tls: Option<Tls>,
    /// The load balancers whose connections begin with a header of the PROXY protocol, and that no others make; `None` if
    /// connections are the clients' own.
    pub proxy_protocol_from: Option<Box<[IpNet]>>,
    /// Of all APIs, where everything is for HTTPS only.
    pub https_only: Option<Arc<HttpsOnly>>,
    /// Finds the route of a request by its path.
    pub router: Router<()>,
    /// What the router's indices refer to.
    pub routes: Box<[PreparedRoute]>,
    /// What upstreams may take the paths of contested operations for.
    pub views: Views,
    /// The value of `Allow` for the server as a whole: the methods of all paths.
    pub allow: String,
    /// What is tried, in this order, where no path matches.
    pub rules: Box<[PreparedRule]>,
    /// How the bodies of refusals look where no API is known: as those of all its APIs, where they agree.
    pub error_format: ErrorFormat,
    /// What the answers to requests that no path matches say to browsers, by API.
    pub for_browsers: Box<[ForBrowsers]>,
    /// Some operation lets clients switch to another protocol.
    pub has_upgrades: bool,
    /// The constant members of the log lines of requests that reach no operation.
    pub log_constants: String,
    /// For requests that reach no operation.
    pub unrouted: OperationMetrics,
}

/// A path template with what its methods do.
pub struct PreparedRoute {
    /// One operation for each method; empty for a rule that does not forward.
    pub operations: Box<[PreparedOperation]>,
    /// The answer to `OPTIONS` where no operation describes it.
    pub preflight: Preflight,
    /// A policy says which pages of other origins may call one of its methods.
    pub answers_preflight: bool,
    /// What the answers to methods that are not described say to browsers.
    pub for_browsers: Option<Box<ForBrowsers>>,
    /// The value of `Allow`.
    pub allow: String,
    /// How the bodies of refusals look.
    pub error_format: ErrorFormat,
    /// Bodies of refusals in place of the usual ones, by class; empty for none.
    pub error_bodies: &'static [ErrorBody],
    /// Only over TLS, if there is something.
    pub https_only: Option<Arc<HttpsOnly>>,
}

/// An operation with its pointers resolved.
pub struct PreparedOperation {
    /// The operation's description in the document.
    pub table: &'static Operation,
    /// The API that the operation belongs to.
    pub api: &'static Api,
    /// Who may call.
    pub access: PreparedAccess,
    /// What is done with a permitted request.
    pub action: PreparedAction,
    /// `WWW-Authenticate` for a missing credential, a bad one, and missing scopes.
    pub challenges: Challenges,
    /// Credentials that are removed from the request before the upstream gets it.
    pub hidden: HiddenCredentials,
    /// The lines of the fields whose values are secrets, as the upstream gets them.
    pub secret_fields: Vec<SecretField>,
    /// Callers may authenticate with a certificate, whose fields the upstream gets.
    pub reads_certificates: bool,
    /// What each request is charged to: all of these, or none if one refuses.
    pub limits: Box<[rule::Rule]>,
    /// What requests and responses are checked for; [`None`] where nothing is.
    pub contract: Option<Arc<OperationContract>>,
    /// What each of its upstreams may take its paths for.
    pub contested: Vec<Contested>,
    /// What its responses say to browsers.
    pub for_browsers: Option<Box<ForBrowsers>>,
    /// The constant members of its log lines.
    pub log_constants: String,
    /// Counters of its requests.
    pub metrics: OperationMetrics,
}

/// What requests and responses of an operation are checked for.
#[derive(Debug)]
pub struct OperationContract {
    /// What is described of it.
    pub described: PreparedContract,
    /// The schemas of its API.
    pub schemas: Arc<Schemas>,
}

/// [`Action`](crate::tables::Action) ready to be taken.
#[derive(Debug)]
pub enum PreparedAction {
    /// Sends the request to an upstream.
    Forward(PreparedForward),
    /// Answers the request in the gateway.
    Answer(Box<dyn PreparedBuiltin>),
}

/// Where requests go, and under which path.
#[derive(Debug)]
pub struct PreparedForward {
    /// Where the upstream is in this deployment.
    pub cluster: Arc<Cluster>,
    /// How the path that the upstream sees is made.
    pub rewrite: PreparedTarget,
    /// The base path in front of what the upstream calls its paths.
    pub base: &'static str,
    /// What goes elsewhere; `None` where all requests go here.
    pub split: Option<Box<PreparedSplit>>,
    /// What is copied; `None` for nothing.
    pub mirror: Option<Box<PreparedMirror>>,
}

/// What goes to other upstreams than the operation's own.
#[derive(Debug)]
pub struct PreparedSplit(pub Box<[Alternative]>);

/// An upstream that gets some of the requests.
#[derive(Debug)]
pub struct Alternative {
    /// Which of them.
    pub choice: SplitChoice,
    /// Where they go, and under which path.
    pub to: PreparedForward,
    /// The constant members of their log lines.
    pub log_constants: String,
}

/// Copies of requests.
#[derive(Debug)]
pub struct PreparedMirror {
    /// Where they go, and under which path.
    pub to: PreparedForward,
    /// How many of the requests are copied.
    pub share: Share,
    /// What is left out of copies.
    pub hidden: HiddenCredentials,
    /// The fields about the caller's certificate are left out as well.
    pub hides_certificates: bool,
}

/// [`Rewrite`](crate::tables::Rewrite) ready to run.
#[derive(Debug)]
pub enum PreparedTarget {
    /// The path as received, without the base path.
    Received {
        /// The base path of `servers`; `""` for none.
        base: &'static str,
    },
    /// A template filled with the path parameters.
    Path(PathTemplate),
    /// What an engine makes of the path.
    With {
        /// The base path of `servers`, which the engine does not see; `""` for none.
        base: &'static str,
        /// Makes the new path.
        rewrite: Box<dyn PreparedRewrite>,
    },
}

impl PreparedForward {
    /// The upstream's description in this deployment: timeouts, and what is forwarded as it is.
    pub(crate) fn upstream(&self) -> &'static Upstream {
        self.cluster.described().upstream
    }

    /// This, and where requests go instead of it.
    pub fn all(&self) -> impl Iterator<Item = &Self> {
        let others = self.split.iter().flat_map(|split| split.0.iter().map(|other| &other.to));
        std::iter::once(self).chain(others)
    }

    /// The first endpoint: all have its scheme and its prefix.
    pub(crate) fn first(&self) -> &'static Endpoint {
        &self.cluster.described().endpoints[0]
    }
}

impl PreparedRoute {
    /// The operation for `method`, which is case-sensitive. HEAD that is not described is a GET without its content
    /// (RFC 9110 §9.3.2).
    pub(crate) fn operation(&self, method: &str) -> Option<&PreparedOperation> {
        let of = |method: &str| self.operations.iter().find(|operation| operation.table.method == method);
        of(method).or_else(|| (method == "HEAD").then(|| of("GET")).flatten())
    }
}

impl Deployment {
    /// Takes no more connections than `descriptors` are enough for; returns their number, where it is smaller than
    /// configured.
    pub fn fit_connections(&mut self, descriptors: u64) -> Option<usize> {
        let limits = &self.settings.limits;
        let most = connections_within(descriptors);
        if limits.connections <= most {
            return None;
        }
        self.admission = Admission::new(most, limits.connections_per_address);
        Some(most)
    }

    /// Whether `address` may say where a request came from.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(&address))
    }

    /// The listeners with TLS, by name.
    pub fn tls(&self) -> Vec<(&str, &Tls)> {
        self.listeners.iter().filter_map(|listener| Some((&*listener.name, listener.tls.as_ref()?))).collect()
    }

    /// Whether clients get answers from an upstream; one that only gets copies is no loss to them.
    pub fn answers_from(&self, cluster: &Cluster) -> bool {
        let goes_there = |to: &PreparedForward| to.all().any(|to| to.cluster.number() == cluster.number());
        self.operations()
            .any(|(_, operation)| matches!(&operation.action, PreparedAction::Forward(to) if goes_there(to)))
    }

    /// Every operation of every listener.
    pub fn operations(&self) -> impl Iterator<Item = (&PreparedListener, &PreparedOperation)> {
        self.listeners.iter().flat_map(|listener| {
            let routes = listener.routes.iter().chain(listener.rules.iter().map(|rule| &rule.route));
            routes.flat_map(move |route| route.operations.iter().map(move |operation| (listener, operation)))
        })
    }
}

impl PreparedOperation {
    /// Tells it from the others of the deployment.
    pub fn number(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// The fields that a refusal carries beside its status.
    pub(crate) fn challenge(&self, reject: &Reject) -> Option<&FieldLines> {
        Some(match reject {
            Reject::NoCredential(_) | Reject::LoginRequired { .. } | Reject::ConsumerRequired => {
                &self.challenges.missing
            }
            Reject::MalformedCredential(_) => &self.challenges.malformed,
            Reject::InvalidCredential { .. } => &self.challenges.invalid,
            Reject::InsufficientScope(_) => &self.challenges.scope,
            _ => return None,
        })
    }
}

/// Why a rule cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// An expression cannot be used.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A `$` in the target means nothing.
    #[error("`{to}`: {source}")]
    Target {
        /// The target in the document.
        to: &'static str,
        /// What is wrong with it.
        source: ExpansionError,
    },
}

/// [`Rule`] with its expressions ready to run.
pub struct PreparedRule {
    /// The name of the API that the rule belongs to.
    pub api: &'static str,
    /// The rule's number, such as `rule 1` for the first of the document.
    pub id: &'static str,
    pub(crate) matcher: Box<dyn PreparedMatcher>,
    pub(crate) to: Expansion,
    pub(crate) effect: &'static RuleEffect,
    /// What holds for its answers; with its operation, where it has one.
    pub route: PreparedRoute,
    /// The constant members of the log lines of requests that reach no operation.
    pub(crate) log_constants: String,
    /// Counters of the requests that the rule answers; those that it forwards count for its operation.
    pub metrics: OperationMetrics,
}

impl PreparedRule {
    /// Compiles the expressions of `rule`, which belongs to `api`.
    ///
    /// # Errors
    /// An expression of the rule, or its target, cannot be used.
    pub fn new(
        api: &'static str,
        rule: &'static Rule,
        route: PreparedRoute,
        log_constants: String,
    ) -> Result<Self, RuleError> {
        let to = match &rule.effect {
            RuleEffect::Rewrite { to, .. } | RuleEffect::Redirect { to, .. } | RuleEffect::Proxy { to, .. } => to,
            RuleEffect::Respond { .. } => "",
        };
        Ok(Self {
            api,
            id: rule.id,
            matcher: rule.matcher.prepare()?,
            to: Expansion::parse(to).map_err(|source| RuleError::Target { to, source })?,
            effect: &rule.effect,
            route,
            log_constants,
            metrics: OperationMetrics::default(),
        })
    }

    /// Parameters of the query that its upstream is not to see: the rule does not see them either, or they would end up
    /// wherever its target has a group.
    pub(crate) fn hidden(&self) -> &[&'static str] {
        self.route.operations.first().map_or(&[], |operation| &operation.hidden.query)
    }

    /// What a rule forwards by: any method but TRACE, which would show the client what only the upstream is to see.
    pub(crate) fn operation(&self, method: &str) -> Option<&PreparedOperation> {
        self.route.operations.first().filter(|_| method != "TRACE")
    }
}
