//! The generated tables joined with a deployment: everything that a request needs, resolved once.

use std::net::IpAddr;
use std::sync::Arc;

use gateway_route::{Expansion, Router};
use ipnet::IpNet;

use crate::admission::{Admission, connections_within};
use crate::https::HttpsOnly;
use crate::metrics::OperationMetrics;
use crate::rewrite::{PathTemplate, PreparedRewrite};
use crate::rule_pattern::PreparedMatcher;
use crate::settings::Settings;
use crate::tables::{Api, ErrorBody, Operation, Preflight, Rule, RuleEffect, Upstream};
use crate::upstream::Endpoint;
use crate::views::{Contested, Views};
use gateway_access::authorize::PreparedAccess;
use gateway_access::builtin::PreparedBuiltin;
use gateway_access::challenges::{Challenges, HiddenCredentials};
use gateway_access::outgoing::Background;
use gateway_limits::counters::Limits;
use gateway_limits::rule;
use gateway_parties::store::ConsumerStore;
use gateway_tls::Tls;
use gateway_wire::field_lines::FieldLines;
use gateway_wire::http1::names::FieldTable;
use gateway_wire::reject::Reject;

/// All that a running gateway works with; made at start, never changed.
pub struct Deployment {
    pub listeners: Vec<PreparedListener>,
    pub request_fields: FieldTable,
    pub response_fields: FieldTable,
    /// The header fields that carry credentials in some document, or select an operation: no trailer may bring them, which
    /// some upstreams read like the header.
    pub deciding_fields: Vec<&'static str>,
    pub trusted_proxies: Vec<IpNet>,
    pub settings: Settings,
    pub consumers: Arc<ConsumerStore>,
    /// What goes on beside the requests: fetching keys, for one.
    pub background: Vec<Arc<dyn Background>>,
    pub limits: Arc<Limits>,
    pub admission: Admission,
}

/// A listener with the routes of its APIs.
pub struct PreparedListener {
    pub name: Box<str>,
    pub bind: std::net::SocketAddr,
    /// Plain TCP if `None`.
    pub tls: Option<Tls>,
    /// Of all APIs, where everything is for HTTPS only.
    pub https_only: Option<Arc<HttpsOnly>>,
    pub router: Router<()>,
    /// What the router's indices stand for.
    pub routes: Box<[PreparedRoute]>,
    /// What upstreams may take the paths of contested operations for.
    pub views: Views,
    /// What is tried, in this order, where no path matches.
    pub rules: Box<[PreparedRule]>,
    /// The constant members of the log lines of requests that reach no operation.
    pub log_constants: String,
    /// For requests that reach no operation.
    pub unrouted: OperationMetrics,
}

/// A path template with what its methods do.
pub struct PreparedRoute {
    pub operations: Box<[PreparedOperation]>,
    pub preflight: Preflight,
    /// The value of `Allow`.
    pub allow: String,
    pub error_bodies: &'static [ErrorBody],
    /// Only over TLS, if there is something.
    pub https_only: Option<Arc<HttpsOnly>>,
}

/// An operation with its pointers resolved.
pub struct PreparedOperation {
    pub table: &'static Operation,
    pub api: &'static Api,
    pub access: PreparedAccess,
    pub action: PreparedAction,
    /// `WWW-Authenticate` for a missing credential, a bad one, and missing scopes.
    pub challenges: Challenges,
    pub hidden: HiddenCredentials,
    /// Callers may prove who they are with a certificate, which the upstream is told about.
    pub reads_certificates: bool,
    pub limits: Box<[rule::Rule]>,
    /// What the upstream may take its paths for.
    pub contested: Option<Contested>,
    /// The constant members of its log lines.
    pub log_constants: String,
    pub metrics: OperationMetrics,
}

/// [`Action`] ready to be taken.
#[derive(Debug)]
pub enum PreparedAction {
    Forward(PreparedForward),
    Answer(Box<dyn PreparedBuiltin>),
}

/// Where requests go, and under which path.
#[derive(Debug)]
pub struct PreparedForward {
    pub upstream: &'static Upstream,
    pub endpoint: Endpoint,
    pub rewrite: PreparedTarget,
    /// The base path in front of what the upstream calls its paths.
    pub base: &'static str,
}

/// [`Rewrite`] ready to run.
#[derive(Debug)]
pub enum PreparedTarget {
    Received { base: &'static str },
    Path(PathTemplate),
    With { base: &'static str, rewrite: Box<dyn PreparedRewrite> },
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
    /// Takes no more connections than so many descriptors are enough for; says how many, where they are fewer than
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

    /// Every operation of every listener.
    pub fn operations(&self) -> impl Iterator<Item = (&PreparedListener, &PreparedOperation)> {
        self.listeners.iter().flat_map(|listener| {
            let routes = listener.routes.iter().chain(listener.rules.iter().map(|rule| &rule.route));
            routes.flat_map(move |route| route.operations.iter().map(move |operation| (listener, operation)))
        })
    }
}

impl PreparedOperation {
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

/// [`Rule`] with its expressions ready to run.
pub struct PreparedRule {
    pub api: &'static str,
    pub id: &'static str,
    pub(crate) matcher: Box<dyn PreparedMatcher>,
    pub(crate) to: Expansion,
    pub(crate) effect: &'static RuleEffect,
    /// What holds for its answers; with its operation, where it has one.
    pub route: PreparedRoute,
    /// The constant members of the log lines of requests that reach no operation.
    pub(crate) log_constants: String,
    pub metrics: OperationMetrics,
}

impl PreparedRule {
    /// # Errors
    /// A sentence about what is wrong with the rule.
    pub fn new(
        api: &'static str,
        rule: &'static Rule,
        route: PreparedRoute,
        log_constants: String,
    ) -> Result<Self, String> {
        let to = match &rule.effect {
            RuleEffect::Rewrite { to, .. } | RuleEffect::Redirect { to, .. } | RuleEffect::Proxy { to, .. } => to,
            RuleEffect::Respond { .. } => "",
        };
        Ok(Self {
            api,
            id: rule.id,
            matcher: rule.matcher.prepare()?,
            to: Expansion::parse(to).map_err(|error| format!("`{to}`: {error}"))?,
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
