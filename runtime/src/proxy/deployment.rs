//! The generated tables joined with a deployment: everything that a request needs, resolved once.

use std::net::IpAddr;
use std::sync::Arc;

use gateway_route::{Expansion, Router};
use ipnet::IpNet;

use crate::access::authorize::LiveAccess;
use crate::access::builtin::PreparedBuiltin;
use crate::access::challenges::{Challenges, HiddenCredentials};
use crate::access::outgoing::Background;
use crate::limits::counters::Limits;
use crate::limits::rule;
use crate::parties::store::ConsumerStore;
use crate::proxy::admission::{Admission, connections_within};
use crate::proxy::https::HttpsOnly;
use crate::proxy::metrics::OperationMetrics;
use crate::proxy::rewrite::{PathTemplate, PreparedRewrite};
use crate::proxy::rule_pattern::PreparedMatcher;
use crate::proxy::settings::Settings;
use crate::proxy::tables::{Api, ErrorBody, Operation, Preflight, Rule, RuleEffect, Upstream};
use crate::proxy::upstream::Endpoint;
use crate::proxy::views::{Contested, Views};
use crate::tls::Tls;
use crate::wire::http1::names::FieldTable;
use crate::wire::reject::Reject;

/// All that a running gateway works with; made at start, never changed.
pub(crate) struct Live {
    pub(crate) listeners: Vec<LiveListener>,
    pub(crate) request_fields: FieldTable,
    pub(crate) response_fields: FieldTable,
    /// The header fields that carry credentials in some document, or select an operation: no trailer may bring them, which
    /// some upstreams read like the header.
    pub(crate) deciding_fields: Vec<&'static str>,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) settings: Settings,
    pub(crate) consumers: Arc<ConsumerStore>,
    /// What goes on beside the requests: fetching keys, for one.
    pub(crate) background: Vec<Arc<dyn Background>>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) admission: Admission,
}

/// A listener with the routes of its APIs.
pub(crate) struct LiveListener {
    pub(crate) name: Box<str>,
    pub(crate) bind: std::net::SocketAddr,
    /// Plain TCP if `None`.
    pub(crate) tls: Option<Tls>,
    /// Of all APIs, where everything is for HTTPS only.
    pub(crate) https_only: Option<Arc<HttpsOnly>>,
    pub(crate) router: Router<()>,
    /// What the router's indices stand for.
    pub(crate) routes: Box<[LiveRoute]>,
    /// What upstreams may take the paths of contested operations for.
    pub(crate) views: Views,
    /// What is tried, in this order, where no path matches.
    pub(crate) rules: Box<[LiveRule]>,
    /// The constant members of the log lines of requests that reach no operation.
    pub(crate) log_constants: String,
    /// For requests that reach no operation.
    pub(crate) unrouted: OperationMetrics,
}

/// A path template with what its methods do.
pub(crate) struct LiveRoute {
    pub(crate) operations: Box<[LiveOperation]>,
    pub(crate) preflight: Preflight,
    /// The value of `Allow`.
    pub(crate) allow: String,
    pub(crate) error_bodies: &'static [ErrorBody],
    /// Only over TLS, if there is something.
    pub(crate) https_only: Option<Arc<HttpsOnly>>,
}

/// An operation with its pointers resolved.
pub(crate) struct LiveOperation {
    pub(crate) table: &'static Operation,
    pub(crate) api: &'static Api,
    pub(crate) access: LiveAccess,
    pub(crate) action: LiveAction,
    /// `WWW-Authenticate` lines for a missing credential, a bad one, and missing scopes.
    pub(crate) challenges: Challenges,
    pub(crate) hidden: HiddenCredentials,
    /// Callers may prove who they are with a certificate, which the upstream is told about.
    pub(crate) reads_certificates: bool,
    pub(crate) limits: Box<[rule::Rule]>,
    /// What the upstream may take its paths for.
    pub(crate) contested: Option<Contested>,
    /// The constant members of its log lines.
    pub(crate) log_constants: String,
    pub(crate) metrics: OperationMetrics,
}

/// [`Action`] ready to be taken.
#[derive(Debug)]
pub(crate) enum LiveAction {
    Forward(LiveForward),
    Answer(Box<dyn PreparedBuiltin>),
}

/// Where requests go, and under which path.
#[derive(Debug)]
pub(crate) struct LiveForward {
    pub(crate) upstream: &'static Upstream,
    pub(crate) endpoint: Endpoint,
    pub(crate) rewrite: LiveRewrite,
    /// The base path in front of what the upstream calls its paths.
    pub(crate) base: &'static str,
}

/// [`Rewrite`] ready to run.
#[derive(Debug)]
pub(crate) enum LiveRewrite {
    Received { base: &'static str },
    Path(PathTemplate),
    With { base: &'static str, rewrite: Box<dyn PreparedRewrite> },
}

impl LiveRoute {
    /// The operation for `method`, which is case-sensitive. HEAD that is not described is a GET without its content
    /// (RFC 9110 §9.3.2).
    pub(crate) fn operation(&self, method: &str) -> Option<&LiveOperation> {
        let of = |method: &str| self.operations.iter().find(|operation| operation.table.method == method);
        of(method).or_else(|| (method == "HEAD").then(|| of("GET")).flatten())
    }
}

impl Live {
    /// Takes no more connections than so many descriptors are enough for; says how many, where they are fewer than
    /// configured.
    pub(crate) fn fit_connections(&mut self, descriptors: u64) -> Option<usize> {
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
    pub(crate) fn tls(&self) -> Vec<(&str, &Tls)> {
        self.listeners.iter().filter_map(|listener| Some((&*listener.name, listener.tls.as_ref()?))).collect()
    }

    /// Every operation of every listener.
    pub(crate) fn operations(&self) -> impl Iterator<Item = (&LiveListener, &LiveOperation)> {
        self.listeners.iter().flat_map(|listener| {
            let routes = listener.routes.iter().chain(listener.rules.iter().map(|rule| &rule.route));
            routes.flat_map(move |route| route.operations.iter().map(move |operation| (listener, operation)))
        })
    }
}

impl LiveOperation {
    /// The lines that a refusal carries beside its status.
    pub(crate) fn challenge(&self, reject: &Reject) -> &str {
        match reject {
            Reject::NoCredential(_) | Reject::LoginRequired { .. } | Reject::ConsumerRequired => {
                &self.challenges.missing
            }
            Reject::MalformedCredential(_) => &self.challenges.malformed,
            Reject::InvalidCredential { .. } => &self.challenges.invalid,
            Reject::InsufficientScope(_) => &self.challenges.scope,
            _ => "",
        }
    }
}

/// [`Rule`] with its expressions ready to run.
pub(crate) struct LiveRule {
    pub(crate) api: &'static str,
    pub(crate) id: &'static str,
    pub(crate) matcher: Box<dyn PreparedMatcher>,
    pub(crate) to: Expansion,
    pub(crate) effect: &'static RuleEffect,
    /// What holds for its answers; with its operation, where it has one.
    pub(crate) route: LiveRoute,
    /// The constant members of the log lines of requests that reach no operation.
    pub(crate) log_constants: String,
    pub(crate) metrics: OperationMetrics,
}

impl LiveRule {
    /// # Errors
    /// A sentence about what is wrong with the rule.
    pub(crate) fn new(
        api: &'static str,
        rule: &'static Rule,
        route: LiveRoute,
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
    pub(crate) fn operation(&self, method: &str) -> Option<&LiveOperation> {
        self.route.operations.first().filter(|_| method != "TRACE")
    }
}
