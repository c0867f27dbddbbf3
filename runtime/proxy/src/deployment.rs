//! What a running gateway works with: the generated tables with the addresses, secrets and limits of a deployment.

use std::net::IpAddr;
use std::sync::Arc;

use gateway_route::{Expansion, ExpansionError, Router};
use ipnet::IpNet;

use crate::admission::{Admission, connections_of_checks, connections_within};
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
use crate::upstream::health::{CheckTerms, has_checks};
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
    /// Of the key of administrators, for what operators change; without one, nothing can be changed.
    pub operators_key: Option<Digest>,
    /// Counts the open connections, and refuses those beyond the limits.
    pub admission: Admission,
    /// So many connections may be kept between the checks of endpoints.
    pub kept_checks: usize,
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
    /// What it serves.
    pub apis: Arc<ServedApis>,
    /// Some operation lets clients switch to another protocol.
    pub has_upgrades: bool,
    /// The constant members of log lines that name the listener.
    pub log_constants: String,
    /// For requests that reach no operation.
    pub unrouted: OperationMetrics,
    /// Of its operations and rules, in the places that [`ServedApis`] gives them.
    pub metrics: Box<[OperationMetrics]>,
}

/// What listeners serve that have the same APIs: once for all of them.
pub struct ServedApis {
    /// Of all APIs, where everything is for HTTPS only.
    pub https_only: Option<Arc<HttpsOnly>>,
    /// Finds the route of a request by its path.
    pub router: Router<()>,
    /// What the router's indices refer to.
    pub routes: Box<[PlacedRoute]>,
    /// What upstreams may take the paths of contested operations for.
    pub views: Views,
    /// The value of `Allow` for the server as a whole: the methods of all paths.
    pub allow: String,
    /// What is tried, in this order, where no path matches.
    pub rules: Box<[PlacedRule]>,
    /// How the bodies of refusals look where no API is known: as those of all APIs, where they agree.
    pub error_format: ErrorFormat,
    /// What the answers to requests that no path matches say to browsers, by API.
    pub for_browsers: Box<[ForBrowsers]>,
}

/// A route among those of other APIs.
pub struct PlacedRoute {
    /// What it is anywhere.
    pub prepared: Arc<PreparedRoute>,
    /// For each operation, what each of its upstreams may take its paths for, among these routes.
    pub(crate) contested: Box<[Vec<Contested>]>,
    /// Where the counters of its first operation are among those of a listener.
    first: usize,
}

/// A rule among those of other APIs.
pub struct PlacedRule {
    /// What it is anywhere.
    pub prepared: Arc<PreparedRule>,
    /// Where its counters are among those of a listener; those of its operation follow.
    first: usize,
}

/// A route as one listener serves it.
#[derive(Clone, Copy)]
pub struct ServedRoute<'d> {
    /// What all listeners of its API share.
    pub prepared: &'d PreparedRoute,
    /// For each operation; empty for a rule's.
    contested: &'d [Vec<Contested>],
    /// For each operation.
    metrics: &'d [OperationMetrics],
}

/// An operation as one listener serves it.
#[derive(Clone, Copy)]
pub struct ServedOperation<'d> {
    /// What all listeners of its API share.
    pub prepared: &'d PreparedOperation,
    /// What each of its upstreams may take its paths for, among the paths of the listener.
    pub(crate) contested: &'d [Contested],
    /// Counters of its requests.
    pub metrics: &'d OperationMetrics,
}

/// A rule as one listener serves it.
#[derive(Clone, Copy)]
pub struct ServedRule<'d> {
    /// What all listeners of its API share.
    pub prepared: &'d PreparedRule,
    /// What holds for its answers; with its operation, where it has one.
    pub route: ServedRoute<'d>,
    /// Counters of the requests that the rule answers; those that it forwards count for its operation.
    pub metrics: &'d OperationMetrics,
}

/// A path template with what its methods do: once for each API, whatever listeners serve it.
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

/// An operation with its pointers resolved: once for each API, whatever listeners serve it.
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
    /// What its responses say to browsers.
    pub for_browsers: Option<Box<ForBrowsers>>,
    /// The constant members of its log lines, after the listener.
    pub log_constants: String,
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
    /// The constant members of their log lines, after the listener.
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

impl ServedApis {
    /// Gives each route and each rule its place.
    pub fn places(
        routes: impl IntoIterator<Item = Arc<PreparedRoute>>,
        rules: impl IntoIterator<Item = Arc<PreparedRule>>,
    ) -> (Box<[PlacedRoute]>, Box<[PlacedRule]>) {
        let mut count = 0;
        let mut take = |places: usize| {
            count += places;
            count - places
        };
        let routes = routes.into_iter().map(|prepared| {
            let operations = prepared.operations.len();
            PlacedRoute { prepared, contested: vec![Vec::new(); operations].into(), first: take(operations) }
        });
        let routes = routes.collect();
        let rules = rules.into_iter().map(|prepared| {
            let first = take(1 + prepared.route.operations.len());
            PlacedRule { prepared, first }
        });
        (routes, rules.collect())
    }

    /// The counters of a listener.
    pub fn metrics(&self) -> Box<[OperationMetrics]> {
        let of_routes: usize = self.routes.iter().map(|route| route.prepared.operations.len()).sum();
        let of_rules: usize = self.rules.iter().map(|rule| 1 + rule.prepared.route.operations.len()).sum();
        (0..of_routes + of_rules).map(|_| OperationMetrics::default()).collect()
    }
}

impl PreparedListener {
    /// The route at an index of the router.
    pub(crate) fn route(&self, index: usize) -> ServedRoute<'_> {
        let PlacedRoute { prepared, contested, first } = &self.apis.routes[index];
        ServedRoute { prepared, contested, metrics: &self.metrics[*first..] }
    }

    /// The rule at an index of the order in which they are tried.
    pub(crate) fn rule(&self, index: usize) -> ServedRule<'_> {
        let PlacedRule { prepared, first } = &self.apis.rules[index];
        let route = ServedRoute { prepared: &prepared.route, contested: &[], metrics: &self.metrics[first + 1..] };
        ServedRule { prepared, route, metrics: &self.metrics[*first] }
    }

    /// Every rule, in the order in which they are tried.
    pub fn rules(&self) -> impl Iterator<Item = ServedRule<'_>> {
        (0..self.apis.rules.len()).map(|index| self.rule(index))
    }

    /// Every operation.
    pub fn operations(&self) -> impl Iterator<Item = ServedOperation<'_>> {
        let routes = (0..self.apis.routes.len()).map(|index| self.route(index));
        routes.chain(self.rules().map(|rule| rule.route)).flat_map(ServedRoute::operations)
    }
}

impl<'d> ServedRoute<'d> {
    /// The operation for `method`, which is case-sensitive. HEAD that is not described is a GET without its content
    /// (RFC 9110 §9.3.2).
    pub(crate) fn operation(self, method: &str) -> Option<ServedOperation<'d>> {
        let of = |method: &str| self.prepared.operations.iter().position(|operation| operation.table.method == method);
        of(method).or_else(|| (method == "HEAD").then(|| of("GET")).flatten()).map(|position| self.at(position))
    }

    /// The operation at a place of the route.
    pub(crate) fn at(self, position: usize) -> ServedOperation<'d> {
        ServedOperation {
            prepared: &self.prepared.operations[position],
            contested: self.contested.get(position).map_or(&[], |contested| contested),
            metrics: &self.metrics[position],
        }
    }

    /// Every operation, in their order.
    fn operations(self) -> impl Iterator<Item = ServedOperation<'d>> {
        (0..self.prepared.operations.len()).map(move |position| self.at(position))
    }
}

impl Deployment {
    /// Takes and keeps no more connections than `descriptors` are enough for; returns how many clients may have, where that
    /// is fewer than configured.
    pub fn fit_connections(&mut self, descriptors: u64) -> Option<usize> {
        let limits = &self.settings.limits;
        self.kept_checks = if has_checks(&self.clusters) { connections_of_checks(descriptors) } else { 0 };
        let most = connections_within(descriptors, self.kept_checks);
        if limits.connections <= most {
            return None;
        }
        self.admission = Admission::new(most, limits.connections_per_address);
        Some(most)
    }

    /// What holds for the checks of endpoints.
    pub fn check_terms(&self) -> CheckTerms {
        CheckTerms { room: self.kept_checks, most_fields: self.settings.limits.response_fields }
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
            .any(|(_, operation)| matches!(&operation.prepared.action, PreparedAction::Forward(to) if goes_there(to)))
    }

    /// Every operation of every listener.
    pub fn operations(&self) -> impl Iterator<Item = (&PreparedListener, ServedOperation<'_>)> {
        self.listeners.iter().flat_map(|listener| listener.operations().map(move |operation| (listener, operation)))
    }
}

impl PreparedOperation {
    /// Tells it from the others of the deployment; the same for all listeners.
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

/// [`Rule`] with its expressions ready to run: once for each API, whatever listeners serve it.
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
    /// The constant members of the log lines of requests that reach no operation, after the listener.
    pub(crate) log_constants: String,
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
        })
    }

    /// Parameters of the query that its upstream is not to see: the rule does not see them either, or they would end up
    /// wherever its target has a group.
    pub(crate) fn hidden(&self) -> &[&'static str] {
        self.route.operations.first().map_or(&[], |operation| &operation.hidden.query)
    }
}

impl<'d> ServedRule<'d> {
    /// What a rule forwards by: any method but TRACE, which would show the client what only the upstream is to see.
    pub(crate) fn operation(self, method: &str) -> Option<ServedOperation<'d>> {
        self.route.operations().next().filter(|_| method != "TRACE")
    }
}
