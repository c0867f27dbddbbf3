//! What is prepared of each API: once, whatever listeners serve it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gateway_route::{Allowance, Condition, Part, RouterBuilder, Template};

use crate::assemble::{Assembly, Authenticators};
use gateway_access::authorize::{
    PreparedAccess, PreparedAlternative, PreparedAnonymous, PreparedRequirement, requirements,
};
use gateway_access::challenges::{challenges, hidden};
use gateway_access::failed_authentication::Failures;
use gateway_access::tables::{Access, Anonymous, Requirement};
use gateway_access::upstream_auth::SecretField;
use gateway_base::problem::Problem;
use gateway_limits::rule;
use gateway_proxy::access_log;
use gateway_proxy::browsers::ForBrowsers;
use gateway_proxy::deployment::{
    PlacedRoute, PreparedAction, PreparedListener, PreparedOperation, PreparedRoute, PreparedRule, ServedApis,
};
use gateway_proxy::https::HttpsOnly;
use gateway_proxy::metrics::OperationMetrics;
use gateway_proxy::tables::{self, Action, Api, Operation, Preflight, Route, Rule, RuleEffect};
use gateway_proxy::views::Views;
use gateway_terms::refusal::ErrorFormat;
use gateway_tls::Tls;

/// An API whose routes and rules any listener can serve.
struct PreparedApi {
    api: &'static Api,
    routes: Vec<ApiRoute>,
    rules: Vec<Arc<PreparedRule>>,
}

/// A route, and when a router finds it.
struct ApiRoute {
    /// The path template as the document has it.
    written: &'static str,
    template: Template,
    conditions: Vec<Condition>,
    prepared: Arc<PreparedRoute>,
}

/// What listeners serve that have the same APIs.
struct ApiSet {
    served: Arc<ServedApis>,
    /// Which paths of two APIs are the same.
    conflicts: Vec<String>,
}

impl Assembly<'_> {
    /// The listeners: each API is prepared once, and put together with others once for all listeners that have the same.
    pub(crate) fn listeners(
        &mut self,
        served: &[(usize, Vec<&'static Api>)],
        tls: Vec<Option<Tls>>,
        schemes: &Authenticators,
    ) -> Vec<PreparedListener> {
        let mut prepared: BTreeMap<&str, PreparedApi> = BTreeMap::new();
        for api in served.iter().flat_map(|(_, apis)| apis) {
            prepared.entry(api.name).or_insert_with(|| self.api(api, schemes));
        }
        let mut sets: BTreeMap<Vec<&str>, ApiSet> = BTreeMap::new();
        let mut listeners = Vec::new();
        for ((index, apis), tls) in served.iter().zip(tls) {
            let listener = &self.config.listeners[*index];
            let names = apis.iter().map(|api| api.name).collect();
            let set = sets.entry(names).or_insert_with(|| {
                let prepared: Vec<&PreparedApi> = apis.iter().filter_map(|api| prepared.get(api.name)).collect();
                self.api_set(&prepared)
            });
            let conflicts = set.conflicts.iter().map(|conflict| format!("listener `{}`: {conflict}", listener.name));
            self.problems.extend(conflicts.map(Problem::plain));
            listeners.push(PreparedListener {
                name: listener.name.as_str().into(),
                bind: listener.bind,
                tls,
                proxy_protocol_from: listener.proxy_protocol_from.clone().map(Vec::into_boxed_slice),
                apis: Arc::clone(&set.served),
                has_upgrades: apis.iter().flat_map(|api| api.operations()).any(|operation| operation.upgrade.is_some()),
                log_constants: access_log::constants_of_listener(&listener.name),
                unrouted: OperationMetrics::default(),
                metrics: set.served.metrics(),
            });
        }
        listeners
    }

    /// Puts APIs together, for the listeners that serve them.
    fn api_set(&self, apis: &[&PreparedApi]) -> ApiSet {
        let mut builder = RouterBuilder::new();
        let (mut inserted, mut templates) = (Vec::new(), Vec::new());
        for (api, route) in apis.iter().flat_map(|api| api.routes.iter().map(move |route| (api.api, route))) {
            let ApiRoute { written, template, conditions, .. } = route;
            templates.push((template.clone(), conditions.clone()));
            builder.insert(template.clone(), conditions.clone(), ());
            inserted.push((api, *written));
        }
        let (router, conflicts) = builder.build();
        let conflicts = conflicts.into_iter().map(|conflict| {
            let ((first, theirs), (second, ours)) = (inserted[conflict.first], inserted[conflict.second]);
            format!(
                "`{ours}` of {} and `{theirs}` of {} are the same path; put the APIs on different listeners",
                second.source, first.source
            )
        });
        let conflicts = conflicts.collect();
        let routes = apis.iter().flat_map(|api| &api.routes).map(|route| Arc::clone(&route.prepared));
        let (mut routes, rules) = ServedApis::places(routes, rules_of(apis));
        let served = ServedApis {
            https_only: self.https_only_of_all(apis),
            router,
            views: Views::new(&mut routes, &templates),
            allow: allow_of_server(&routes),
            routes,
            rules,
            error_format: error_format(apis),
            for_browsers: apis.iter().filter_map(|api| for_unrouted(api.api)).map(|of| *of).collect(),
        };
        ApiSet { served: Arc::new(served), conflicts }
    }

    /// What holds for paths that no API has.
    fn https_only_of_all(&self, apis: &[&PreparedApi]) -> Option<Arc<HttpsOnly>> {
        let mut all = apis.iter().map(|api| self.https_only.get(api.api.name));
        let first = all.next()??;
        all.all(|other| other.is_some()).then(|| Arc::clone(first))
    }

    /// Prepares an API.
    fn api(&mut self, api: &'static Api, schemes: &Authenticators) -> PreparedApi {
        let routes = api.routes.iter().filter_map(|route| self.route(api, route, schemes)).collect();
        let rules = api.rules.iter().filter_map(|rule| self.rule(api, rule, schemes)).collect();
        PreparedApi { api, routes, rules }
    }

    fn route(&mut self, api: &'static Api, route: &'static Route, schemes: &Authenticators) -> Option<ApiRoute> {
        let template = match Template::parse(route.template) {
            Ok(template) => route.allows.iter().fold(template, |template, allowed| {
                template.with_allowance(allowed.parameter, Allowance::of(allowed.characters))
            }),
            Err(error) => {
                let message = format!("{}: `{}` is not a path template: {error}", api.source, route.template);
                self.problems.push(Problem::plain(message));
                return None;
            }
        };
        let operations: Box<[PreparedOperation]> =
            route.operations.iter().filter_map(|operation| self.operation(api, operation, schemes)).collect();
        let for_browsers = ForBrowsers::of(route.cors.as_ref(), route.security_headers, None);
        let prepared = PreparedRoute {
            answers_preflight: has_cors(&operations, for_browsers.as_deref()),
            for_browsers,
            allow: allow(&operations, route.preflight),
            operations,
            preflight: route.preflight,
            error_format: api.error_format,
            error_bodies: api.error_bodies,
            https_only: self.https_only.get(api.name).cloned(),
        };
        Some(ApiRoute {
            written: route.template,
            template,
            conditions: route.when.iter().map(condition).collect(),
            prepared: Arc::new(prepared),
        })
    }

    fn rule(&mut self, api: &'static Api, rule: &'static Rule, schemes: &Authenticators) -> Option<Arc<PreparedRule>> {
        let operations: Box<[PreparedOperation]> = match &rule.effect {
            RuleEffect::Proxy { operation, .. } => Box::new([self.operation(api, operation, schemes)?]),
            RuleEffect::Rewrite { .. } | RuleEffect::Redirect { .. } | RuleEffect::Respond { .. } => Box::default(),
        };
        let for_browsers = for_unrouted(api);
        let route = PreparedRoute {
            answers_preflight: has_cors(&operations, for_browsers.as_deref()),
            for_browsers,
            operations,
            preflight: Preflight::Deny,
            allow: "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT".to_owned(),
            error_format: api.error_format,
            error_bodies: api.error_bodies,
            https_only: self.https_only.get(api.name).cloned(),
        };
        let log_constants = access_log::constants(api.name, rule.id, "");
        match PreparedRule::new(api.name, rule, route, log_constants) {
            Ok(rule) => Some(Arc::new(rule)),
            Err(problem) => {
                self.problems.push(Problem::plain(format!("{} of {}: {problem}", rule.id, api.source)));
                None
            }
        }
    }

    fn operation(
        &mut self,
        api: &'static Api,
        operation: &'static Operation,
        schemes: &Authenticators,
    ) -> Option<PreparedOperation> {
        let access = self.access(api, operation, schemes)?;
        let action = self.action(api, operation, &access, schemes)?;
        let upstream = match &operation.action {
            Action::Forward { to, .. } => to.name,
            Action::Answer(_) => "",
        };
        let secret_fields = self.secret_fields(api, operation)?;
        let reads_certificates = requirements(&access).any(|one| one.authenticator.reads_certificates());
        Some(PreparedOperation {
            table: operation,
            api,
            challenges: challenges(&access),
            hidden: hidden(&access, &self.session_cookies),
            secret_fields,
            reads_certificates,
            limits: self.limits_of(api, operation)?,
            contract: self.contracts.of(operation),
            for_browsers: ForBrowsers::of(
                operation.cors.as_ref(),
                operation.security_headers,
                Some(&operation.response_headers),
            ),
            access,
            action,
            log_constants: access_log::constants(api.name, operation.id, upstream),
        })
    }

    /// Who may call; nothing where a scheme could not be prepared, which has been reported.
    fn access(&mut self, api: &Api, operation: &'static Operation, schemes: &Authenticators) -> Option<PreparedAccess> {
        let alternatives = match &operation.access {
            Access::Anyone { because } => return Some(PreparedAccess::Anyone { because }),
            Access::OneOf(alternatives) => alternatives,
        };
        let asking = alternatives.iter().filter(|alternative| !alternative.is_empty());
        let asking: Option<Vec<_>> =
            asking.map(|alternative| alternative_of(api, alternative, schemes, &mut self.failures)).collect();
        let has_empty = alternatives.iter().any(|alternative| alternative.is_empty());
        let anonymous = has_empty.then(|| self.anonymous(operation));
        Some(PreparedAccess::OneOf { alternatives: asking?, anonymous })
    }

    /// What is done with a permitted request; nothing where that cannot be prepared, which has been reported.
    fn action(
        &mut self,
        api: &'static Api,
        operation: &'static Operation,
        access: &PreparedAccess,
        schemes: &Authenticators,
    ) -> Option<PreparedAction> {
        let what = || format!("operation `{}` of {}", operation.id, api.source);
        let to = match &operation.action {
            Action::Forward { .. } => self.forward(api, operation, access, schemes)?,
            Action::Answer(builtin) => {
                let prepared = builtin.prepare(self.resources).map_err(|problems| {
                    let problems = problems.into_iter().map(|problem| format!("{}: {problem}", what()));
                    self.problems.extend(problems.map(Problem::plain));
                });
                return prepared.ok().map(PreparedAction::Answer);
            }
        };
        let is_http2 = || to.all().any(|to| to.cluster.described().endpoints.iter().any(|endpoint| endpoint.is_http2));
        if operation.upgrade.is_some() && is_http2() {
            self.problems.push(Problem::plain(format!(
                "{}: its upstream `{}` has `upgrade`, which HTTP/2 does not have; give it an address with `http://` or \
                 `https://`",
                what(),
                to.cluster.document.name
            )));
            return None;
        }
        Some(PreparedAction::Forward(to))
    }

    /// The fields of requests to the upstream whose values are secrets.
    fn secret_fields(&mut self, api: &Api, operation: &'static Operation) -> Option<Vec<SecretField>> {
        let mut fields = Vec::new();
        for (name, reference) in operation.request_headers.set_secret {
            match SecretField::of(name, "", reference, &self.resources.secrets) {
                Ok(field) => fields.push(field),
                Err(problem) => {
                    let what = format!("operation `{}` of {}", operation.id, api.source);
                    self.problems.push(Problem::plain(format!("{what}: {problem}")));
                }
            }
        }
        (fields.len() == operation.request_headers.set_secret.len()).then_some(fields)
    }

    /// What each request is charged to.
    fn limits_of(&mut self, api: &Api, operation: &'static Operation) -> Option<Box<[rule::Rule]>> {
        let rules: Option<Box<[rule::Rule]>> =
            operation.limits.iter().map(|used| self.limits.rule(used.limit, used.cost)).collect();
        if rules.is_none() {
            let message = format!("operation `{}` of {}: there are more than 65,534 limits", operation.id, api.source);
            self.problems.push(Problem::plain(message));
        }
        rules
    }

    fn anonymous(&self, operation: &'static Operation) -> PreparedAnonymous {
        let Anonymous { consumer, despite_invalid } = operation.anonymous;
        let consumer = (!consumer.is_empty()).then_some(consumer);
        PreparedAnonymous { consumer, despite_invalid, consumers: Arc::clone(&self.resources.consumers) }
    }
}

fn alternative_of(
    api: &Api,
    alternative: &'static [Requirement],
    schemes: &Authenticators,
    failures: &mut Vec<Arc<Failures>>,
) -> Option<PreparedAlternative> {
    let requirements = alternative.iter().map(|requirement| {
        let authenticator = schemes.get(&(api.name, requirement.scheme.name()))?;
        let limit = api.failed_authentication.iter().find(|limit| limit.scheme == requirement.scheme.name());
        let limit = limit.map(|limit| match failures.iter().find(|known| known.counts_like(limit)) {
            Some(known) => Arc::clone(known),
            None => {
                let failures_of_limit = Arc::new(Failures::new(limit));
                failures.push(Arc::clone(&failures_of_limit));
                failures_of_limit
            }
        });
        Some(PreparedRequirement {
            authenticator: Arc::clone(authenticator),
            scopes: requirement.scopes,
            failures: limit,
        })
    });
    Some(PreparedAlternative { requirements: requirements.collect::<Option<_>>()? })
}

/// What the answers to requests that no path matches say to browsers.
fn for_unrouted(api: &'static Api) -> Option<Box<ForBrowsers>> {
    ForBrowsers::of(api.cors.as_ref(), api.security_headers, None)
}

/// Whether a policy says which pages of other origins may call some method of a path.
fn has_cors(operations: &[PreparedOperation], of_route: Option<&ForBrowsers>) -> bool {
    let of_operations = operations.iter().filter_map(|operation| operation.for_browsers.as_deref());
    of_operations.chain(of_route).any(ForBrowsers::has_cors)
}

fn allow(operations: &[PreparedOperation], preflight: Preflight) -> String {
    let mut methods: Vec<&str> = operations.iter().map(|operation| operation.table.method).collect();
    if methods.contains(&"GET") && !methods.contains(&"HEAD") {
        methods.push("HEAD");
    }
    if preflight == Preflight::Answer && !methods.contains(&"OPTIONS") {
        methods.push("OPTIONS");
    }
    methods.sort_unstable();
    methods.join(", ")
}

fn condition(condition: &tables::Condition) -> Condition {
    let (part, name, value) = match *condition {
        tables::Condition::Query { name, value } => (Part::Query, name, value),
        tables::Condition::Header { name, value } => (Part::Header, name, value),
    };
    Condition { part, name: name.to_owned(), value: value.map(str::to_owned) }
}

/// The rules of all APIs, in the order of the names of the APIs.
fn rules_of(apis: &[&PreparedApi]) -> Vec<Arc<PreparedRule>> {
    let mut apis = apis.to_vec();
    apis.sort_by_key(|api| api.api.name);
    apis.iter().flat_map(|api| &api.rules).cloned().collect()
}

/// The methods of all paths, and that of the request that asks for them.
fn allow_of_server(routes: &[PlacedRoute]) -> String {
    let words = routes.iter().flat_map(|route| route.prepared.allow.split(", ")).filter(|method| !method.is_empty());
    let methods: BTreeSet<&str> = words.chain(["OPTIONS"]).collect();
    methods.into_iter().collect::<Vec<_>>().join(", ")
}

/// How refusals look where no API is known.
fn error_format(apis: &[&PreparedApi]) -> ErrorFormat {
    let agree = !apis.is_empty() && apis.iter().all(|api| api.api.error_format == ErrorFormat::Problem);
    if agree { ErrorFormat::Problem } else { ErrorFormat::Message }
}
