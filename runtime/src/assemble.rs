//! Makes the [`Deployment`] of a gateway from its generated tables and its settings; every problem is reported at once.

pub(crate) mod authorities;
mod contracts;
pub(crate) mod endpoints;
mod forwards;
pub(crate) mod needs;
pub(crate) mod stores;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use gateway_route::{Allowance, Condition, Part, Router, RouterBuilder, Template};

use crate::assemble::contracts::Contracts;
#[cfg(feature = "oauth")]
use crate::assemble::needs::oauth_settings;
use crate::assemble::needs::{open_consumers, open_tls, store_of_authorities, unreached, unreached_upstreams};
use crate::assemble::stores::open_stores;
use crate::config::Config;
use gateway_access::authorize::{
    PreparedAccess, PreparedAlternative, PreparedAnonymous, PreparedRequirement, requirements,
};
use gateway_access::challenges::{challenges, hidden};
use gateway_access::failed_authentication::Failures;
use gateway_access::outgoing::Providers;
use gateway_access::outgoing::url::ProviderUrl;
use gateway_access::request_view::CredentialLocation;
use gateway_access::scheme::{Authenticator, Resources, Scheme};
use gateway_access::tables::{Access, Anonymous};
use gateway_access::upstream_auth::{PreparedCredential, SecretField};
use gateway_base::digest::Digest;
use gateway_base::problem::Problem;
use gateway_base::secret::SecretStore;
use gateway_base::setting_values::is_same_name;
use gateway_base::warn;
use gateway_limits::counters::Limits;
use gateway_limits::rule;
#[cfg(feature = "oauth")]
use gateway_oauth::server::{self, Oauth};
use gateway_proxy::access_log;
use gateway_proxy::admission::Admission;
use gateway_proxy::body_memory::BodyMemory;
use gateway_proxy::browsers::ForBrowsers;
use gateway_proxy::cache::ResponseCache;
use gateway_proxy::deployment::PreparedRule;
use gateway_proxy::deployment::{Deployment, PreparedAction, PreparedListener, PreparedOperation, PreparedRoute};
use gateway_proxy::https::HttpsOnly;
use gateway_proxy::metrics::OperationMetrics;
use gateway_proxy::settings::Settings;
use gateway_proxy::tables::{Action, Api, Gateway, Operation, Preflight, Rule, RuleEffect, Upstream};
use gateway_proxy::upstream::cluster::Cluster;
use gateway_proxy::views::Views;
use gateway_terms::refusal::ErrorFormat;
use gateway_tls::CERTIFICATE_HEADERS;
use gateway_wire::http1::names::FieldTable;

/// Joins the tables with the configuration; secrets come from `secrets`. If it `is_dry`, nothing is opened that would
/// be there afterwards.
///
/// # Errors
/// Everything that is missing or wrong, all at once.
pub(crate) fn assemble(
    gateway: &'static Gateway,
    config: &Config,
    secrets: SecretStore,
    is_dry: bool,
) -> Result<Deployment, Vec<Problem>> {
    let (stores, mut problems) = open_stores(gateway, config, &secrets);
    let limits = Arc::new(Limits::new(gateway.limits(), config.limits.counters, stores));
    let (tls, more) = open_tls(config, &secrets);
    problems.extend(more);
    let consumers = match open_consumers(gateway, config, &secrets, &limits) {
        Ok(consumers) => consumers,
        Err(more) => {
            problems.extend(more);
            return Err(problems);
        }
    };
    let trusted_roots = config.trusted_roots.as_ref().map(|file| secrets.folder.join(file));
    let providers = Arc::new(Providers::new(trusted_roots));
    #[cfg(not(feature = "oauth"))]
    let _ = is_dry; // Only a store would be there afterwards.
    #[cfg(feature = "oauth")]
    {
        let oauth = Arc::new(Oauth::new(oauth_settings(config, &secrets, is_dry)));
        let Ok(_) = providers.shared(server::SHARED, || Ok::<_, std::convert::Infallible>(oauth));
    }
    let resources = Resources { secrets, consumers, providers, max_token: config.limits.token, provider_url: None };
    let contracts = Contracts::new(gateway, &mut problems);
    let mut assembly = Assembly {
        contracts,
        config,
        resources: &resources,
        limits: &limits,
        problems,
        clusters: BTreeMap::new(),
        failures: Vec::new(),
        session_cookies: session_cookies(gateway),
        https_only: https_only(gateway, config),
    };
    let served: Vec<(usize, Vec<&'static Api>)> = config
        .listeners
        .iter()
        .enumerate()
        .map(|(index, listener)| (index, assembly.apis_of(gateway, listener)))
        .collect();
    assembly.check_client_certificates(&served);
    let mut listeners = Vec::new();
    let mut schemes: BTreeMap<(&str, &str), Arc<dyn Authenticator>> = BTreeMap::new();
    for api in served.iter().flat_map(|(_, apis)| apis) {
        for scheme in api.schemes {
            if !schemes.contains_key(&(api.name, scheme.name()))
                && let Some(ready) = assembly.prepare(api, *scheme)
            {
                schemes.insert((api.name, scheme.name()), ready);
            }
        }
    }
    for ((index, apis), tls) in served.into_iter().zip(tls) {
        let listener = &config.listeners[index];
        let (router, routes, views) = assembly.router(&listener.name, &apis, &schemes);
        let rules = assembly.url_rules(&listener.name, &apis, &schemes);
        listeners.push(PreparedListener {
            name: listener.name.as_str().into(),
            bind: listener.bind,
            tls,
            proxy_protocol_from: listener.proxy_protocol_from.clone().map(Vec::into_boxed_slice),
            https_only: assembly.https_only_of_all(&apis),
            allow: allow_of_server(&routes),
            router,
            routes,
            views,
            rules,
            error_format: error_format(&apis),
            has_upgrades: apis.iter().flat_map(|api| api.operations()).any(|operation| operation.upgrade.is_some()),
            for_browsers: apis.iter().filter_map(|api| for_unrouted(api)).map(|of| *of).collect(),
            log_constants: access_log::constants(&listener.name, None),
            unrouted: OperationMetrics::default(),
        });
    }
    let credential_fields =
        schemes.values().flat_map(|scheme| scheme.locations().0).filter_map(|location| match location {
            CredentialLocation::Header(name) => Some(*name),
            CredentialLocation::Query(_)
            | CredentialLocation::Cookie(_)
            | CredentialLocation::Form(_)
            | CredentialLocation::Subprotocol(_) => None,
        });
    let conditions = gateway.apis.iter().flat_map(|api| api.routes).flat_map(|route| route.when);
    let selecting_fields = conditions.filter_map(|condition| match condition {
        gateway_proxy::tables::Condition::Header { name, .. } => Some(*name),
        gateway_proxy::tables::Condition::Query { .. } => None,
    });
    // So are those with which the gateway proves who it is.
    let of_upstreams = assembly.clusters.values().filter_map(|cluster| cluster.credential.as_ref());
    let of_operations = gateway.apis.iter().flat_map(|api| api.operations());
    let own_fields = of_upstreams
        .flat_map(|credential| credential.fields().iter().copied())
        .chain(of_operations.flat_map(|operation| operation.request_headers.set_secret).map(|(name, _)| *name));
    let deciding_fields: Vec<&str> =
        credential_fields.chain(selecting_fields).chain(own_fields).collect::<BTreeSet<_>>().into_iter().collect();
    assembly.check_overrides(gateway);
    let has_cache = gateway.apis.iter().flat_map(|api| api.operations()).any(|operation| operation.cache.is_some());
    let operators_key = assembly.operators_key(has_cache);
    let clusters = assembly.clusters.into_values().collect();
    let mut problems = assembly.problems;
    // An API is on several listeners, and lacks the same on each.
    let mut told = HashSet::new();
    problems.retain(|problem| told.insert(problem.to_string()));
    if !problems.is_empty() {
        return Err(problems);
    }
    let remembers = store_of_authorities(gateway, config);
    for name in limits.stores().unused().filter(|name| remembers.is_none_or(|used| !is_same_name(used, name))) {
        warn!(format_args!("store {name}"), "configured but unused: no limit of a document or a consumer refers to it");
    }
    let idle = config
        .stores
        .iter()
        .filter(|(name, settings)| !settings.kind.counts() && remembers.is_none_or(|used| !is_same_name(used, name)));
    for (name, _) in idle {
        warn!(format_args!("store {name}"), "configured but unused: no authorization server refers to it");
    }
    let identity = gateway.apis.iter().flat_map(|api| {
        let headers = &api.identity_headers;
        [headers.consumer, headers.credential, headers.custom_id, headers.client, headers.user]
    });
    Ok(Deployment {
        listeners,
        request_fields: FieldTable::for_requests(identity.chain(CERTIFICATE_HEADERS)),
        response_fields: FieldTable::for_responses(),
        deciding_fields,
        trusted_proxies: config.trusted_proxies.clone(),
        trusted_fields: config.trusted_fields,
        bodies: BodyMemory::new(config.limits.body_memory),
        encoders: BodyMemory::new(config.limits.compression),
        cache: has_cache.then(|| ResponseCache::new(config.limits.cache)),
        operators_key,
        admission: Admission::new(config.limits.connections, config.limits.connections_per_address),
        settings: Settings {
            timeouts: config.timeouts,
            limits: config.limits,
            workers: config.workers,
            access_log: config.access_log,
        },
        consumers: resources.consumers,
        clusters,
        background: resources.providers.background(),
        limits,
    })
}

/// The APIs that are for HTTPS only, by name.
pub(crate) fn https_only(gateway: &'static Gateway, config: &Config) -> BTreeMap<&'static str, Arc<HttpsOnly>> {
    let mut found = BTreeMap::new();
    for api in gateway.apis {
        let Some(https) = HttpsOnly::of(&api.https, config.origin(api.name).map(|(origin, _)| origin)) else {
            continue;
        };
        found.insert(api.name, Arc::new(https));
        let serves = |listener: &&gateway_proxy::settings::Listener| {
            listener.apis.as_ref().is_none_or(|apis| apis.iter().any(|(name, _)| name == api.name))
        };
        let mut listeners = config.listeners.iter().filter(serves).peekable();
        let is_served = listeners.peek().is_some();
        if is_served && config.trusted_proxies.is_empty() && listeners.all(|listener| listener.tls.is_none()) {
            warn!(
                format_args!("API {}", api.name),
                "it is for HTTPS only, and no request can come over TLS: no listener that serves it has \
                 `tls`, and no proxy is trusted"
            );
        }
    }
    found
}

pub(crate) struct Assembly<'a> {
    contracts: Contracts,
    config: &'a Config,
    resources: &'a Resources,
    limits: &'a Limits,
    problems: Vec<Problem>,
    /// By API and upstream name.
    clusters: BTreeMap<(&'static str, &'static str), Arc<Cluster>>,
    /// Limits of wrong credentials; those that count alike are one, so that no API gives further tries.
    failures: Vec<Arc<Failures>>,
    /// No upstream sees these.
    session_cookies: Vec<&'static str>,
    /// By API, for those that are.
    https_only: BTreeMap<&'static str, Arc<HttpsOnly>>,
}

/// A shorter key of administrators, in bytes, is refused.
const MIN_KEY: usize = 12;

impl Assembly<'_> {
    /// The digest of the administrators' key, where operators can change something with it.
    fn operators_key(&mut self, is_used: bool) -> Option<Digest> {
        let setting = self.config.admin_key.as_ref().filter(|_| is_used)?;
        match setting.read(&self.resources.secrets) {
            Ok(key) if key.expose().len() < MIN_KEY => {
                self.problems.push(Problem::plain(format!("`admin.key` is shorter than {MIN_KEY} bytes")));
                None
            }
            Ok(key) => Some(Digest::of(key.expose())),
            Err(problem) => {
                self.problems.push(problem);
                None
            }
        }
    }

    pub(crate) fn apis_of(
        &mut self,
        gateway: &'static Gateway,
        listener: &gateway_proxy::settings::Listener,
    ) -> Vec<&'static Api> {
        let Some(names) = &listener.apis else { return gateway.apis.to_vec() };
        let mut apis = Vec::new();
        for (name, place) in names {
            match gateway.apis.iter().find(|api| api.name == name) {
                Some(api) => apis.push(*api),
                None => {
                    let known: Vec<&str> = gateway.apis.iter().map(|api| api.name).collect();
                    let hint = gateway_yaml::suggest(name, known.iter().copied()).map_or_else(
                        || format!("this binary has {}", known.join(", ")),
                        |near| format!("did you mean `{near}`?"),
                    );
                    self.problems.push(Problem::at(
                        place,
                        format!(
                            "listener `{}` names the API `{name}`, which was not compiled in; {hint}",
                            listener.name
                        ),
                    ));
                }
            }
        }
        apis
    }

    /// What holds for paths that no API has.
    pub(crate) fn https_only_of_all(&self, apis: &[&'static Api]) -> Option<Arc<HttpsOnly>> {
        let mut all = apis.iter().map(|api| self.https_only.get(api.name));
        let first = all.next()??;
        all.all(|other| other.is_some()).then(|| Arc::clone(first))
    }

    /// A certificate that no listener asks for is one that no caller can show.
    pub(crate) fn check_client_certificates(&mut self, served: &[(usize, Vec<&'static Api>)]) {
        let asks = |index: usize| {
            let tls = self.config.listeners[index].tls.as_ref();
            tls.is_some_and(|tls| tls.client_ca.is_some())
        };
        let mut unmet = BTreeSet::new();
        for api in served.iter().flat_map(|(_, apis)| apis) {
            let scheme = api.schemes.iter().find(|scheme| scheme.reads_certificates());
            let is_asked =
                served.iter().any(|(index, apis)| apis.iter().any(|one| one.name == api.name) && asks(*index));
            if let (Some(scheme), false) = (scheme, is_asked) {
                unmet.insert((api.source, scheme.name()));
            }
        }
        self.problems.extend(unmet.into_iter().map(|(source, scheme)| {
            Problem::plain(format!(
                "security scheme `{scheme}` of {source}: no listener that serves it asks for client certificates; write \
                 `tls: {{clientAuth: {{ca: {{file: clients.pem}}}}}}` at one that does"
            ))
        }));
    }

    pub(crate) fn prepare(&mut self, api: &'static Api, scheme: &'static dyn Scheme) -> Option<Arc<dyn Authenticator>> {
        let provider_url = self.provider_url(api, "scheme", scheme.name())?;
        match scheme.prepare(&Resources { provider_url, ..self.resources.clone() }) {
            Ok(ready) => Some(Arc::from(ready)),
            Err(problems) => {
                self.problems.extend(problems.into_iter().map(|problem| {
                    Problem::plain(format!("security scheme `{}` of {}: {problem}", scheme.name(), api.source))
                }));
                None
            }
        }
    }

    /// Where this deployment has a provider, if it says so; `None` where it says nothing usable, which is reported.
    fn provider_url(&mut self, api: &Api, kind: &str, name: &str) -> Option<Option<ProviderUrl>> {
        let Some((url, place)) = self.config.provider(api.name, name) else { return Some(None) };
        match ProviderUrl::parse(url) {
            Ok(url) => Some(Some(url)),
            Err(problem) => {
                let message = format!("provider of {kind} `{name}` of API `{}`: {problem}", api.name);
                self.problems.push(Problem::at(place, message));
                None
            }
        }
    }

    pub(crate) fn router(
        &mut self,
        listener: &str,
        apis: &[&'static Api],
        schemes: &BTreeMap<(&str, &str), Arc<dyn Authenticator>>,
    ) -> (Router<()>, Box<[PreparedRoute]>, Views) {
        let mut builder = RouterBuilder::new();
        let (mut routes, mut inserted, mut templates) = (Vec::new(), Vec::new(), Vec::new());
        for (api, route) in apis.iter().flat_map(|api| api.routes.iter().map(move |route| (*api, route))) {
            let template = match Template::parse(route.template) {
                Ok(template) => route.allows.iter().fold(template, |template, allowed| {
                    template.with_allowance(allowed.parameter, Allowance::of(allowed.characters))
                }),
                Err(error) => {
                    self.problems.push(Problem::plain(format!(
                        "{}: `{}` is not a path template: {error}",
                        api.source, route.template
                    )));
                    continue;
                }
            };
            let operations: Box<[PreparedOperation]> = route
                .operations
                .iter()
                .filter_map(|operation| self.operation(listener, api, operation, schemes))
                .collect();
            let conditions: Vec<_> = route.when.iter().map(condition).collect();
            let for_browsers = ForBrowsers::of(route.cors.as_ref(), route.security_headers, None);
            let deployment = PreparedRoute {
                answers_preflight: has_cors(&operations, for_browsers.as_deref()),
                for_browsers,
                allow: allow(&operations, route.preflight),
                operations,
                preflight: route.preflight,
                error_format: api.error_format,
                error_bodies: api.error_bodies,
                https_only: self.https_only.get(api.name).cloned(),
            };
            templates.push((template.clone(), conditions.clone()));
            builder.insert(template, conditions, ());
            routes.push(deployment);
            inserted.push((api, route.template));
        }
        let (router, conflicts) = builder.build();
        for conflict in conflicts {
            let ((first, theirs), (second, ours)) = (inserted[conflict.first], inserted[conflict.second]);
            self.problems.push(Problem::plain(format!("listener `{listener}`: `{ours}` of {} and `{theirs}` of {} are the same path; put the APIs on different listeners", second.source, first.source)));
        }
        let views = Views::new(&mut routes, &templates);
        (router, routes.into(), views)
    }

    /// The rules of all APIs, in the order of the names of the APIs.
    pub(crate) fn url_rules(
        &mut self,
        listener: &str,
        apis: &[&'static Api],
        schemes: &BTreeMap<(&str, &str), Arc<dyn Authenticator>>,
    ) -> Box<[PreparedRule]> {
        let mut apis = apis.to_vec();
        apis.sort_by_key(|api| api.name);
        let rules = apis.iter().flat_map(|api| api.rules.iter().map(move |rule| (*api, rule)));
        rules.filter_map(|(api, rule)| self.url_rule(listener, api, rule, schemes)).collect()
    }

    fn url_rule(
        &mut self,
        listener: &str,
        api: &'static Api,
        rule: &'static Rule,
        schemes: &BTreeMap<(&str, &str), Arc<dyn Authenticator>>,
    ) -> Option<PreparedRule> {
        let operations: Box<[PreparedOperation]> = match &rule.effect {
            RuleEffect::Proxy { operation, .. } => Box::new([self.operation(listener, api, operation, schemes)?]),
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
        let log_constants = access_log::constants(listener, Some((api.name, rule.id, "")));
        match PreparedRule::new(api.name, rule, route, log_constants) {
            Ok(rule) => Some(rule),
            Err(problem) => {
                self.problems.push(Problem::plain(format!("{} of {}: {problem}", rule.id, api.source)));
                None
            }
        }
    }

    fn operation(
        &mut self,
        listener: &str,
        api: &'static Api,
        operation: &'static Operation,
        schemes: &BTreeMap<(&str, &str), Arc<dyn Authenticator>>,
    ) -> Option<PreparedOperation> {
        let access = match &operation.access {
            Access::Anyone { because } => PreparedAccess::Anyone { because },
            Access::OneOf(alternatives) => {
                let asking = alternatives.iter().filter(|alternative| !alternative.is_empty());
                let asking: Option<Vec<_>> =
                    asking.map(|alternative| alternative_of(api, alternative, schemes, &mut self.failures)).collect();
                let has_empty = alternatives.iter().any(|alternative| alternative.is_empty());
                // A scheme that could not be prepared is reported already.
                PreparedAccess::OneOf { alternatives: asking?, anonymous: has_empty.then(|| self.anonymous(operation)) }
            }
        };
        let action = match &operation.action {
            Action::Forward { .. } => {
                PreparedAction::Forward(self.forward(listener, api, operation, &access, schemes)?)
            }
            Action::Answer(builtin) => match builtin.prepare(self.resources) {
                Ok(prepared) => PreparedAction::Answer(prepared),
                Err(problems) => {
                    let what = format!("operation `{}` of {}", operation.id, api.source);
                    self.problems
                        .extend(problems.into_iter().map(|problem| Problem::plain(format!("{what}: {problem}"))));
                    return None;
                }
            },
        };
        if let (Some(_), PreparedAction::Forward(to)) = (&operation.upgrade, &action)
            && to.all().any(|to| to.cluster.described().endpoints.iter().any(|endpoint| endpoint.is_http2))
        {
            self.problems.push(Problem::plain(format!(
                "operation `{}` of {}: its upstream `{}` has `upgrade`, which HTTP/2 does not have; give it an address with \
                 `http://` or `https://`",
                operation.id, api.source, to.cluster.document.name
            )));
            return None;
        }
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
            limits: self.rules(api, operation)?,
            contract: self.contracts.of(operation),
            contested: Vec::new(),
            for_browsers: ForBrowsers::of(
                operation.cors.as_ref(),
                operation.security_headers,
                Some(&operation.response_headers),
            ),
            access,
            action,
            log_constants: access_log::constants(listener, Some((api.name, operation.id, upstream))),
            metrics: OperationMetrics::default(),
        })
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

    fn rules(&mut self, api: &Api, operation: &'static Operation) -> Option<Box<[rule::Rule]>> {
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

    fn cluster(&mut self, api: &'static Api, upstream: &'static Upstream) -> Option<Arc<Cluster>> {
        if let Some(cluster) = self.clusters.get(&(api.name, upstream.name)) {
            return Some(Arc::clone(cluster));
        }
        let set = self.config.upstream(api.name, upstream.name).map(|(setting, _)| setting);
        let described = set.map_or(upstream, |setting| setting.over(upstream));
        let credential = self.credential(api, described);
        match endpoints::of(described, &self.resources.providers, &self.resources.secrets) {
            Ok(endpoints) => {
                let cluster = Arc::new(Cluster::new(api.name, upstream, described, endpoints, credential?));
                self.clusters.insert((api.name, upstream.name), Arc::clone(&cluster));
                Some(cluster)
            }
            Err(problem) => {
                let message = format!("upstream `{}` of API `{}`: {problem}", upstream.name, api.name);
                self.problems.push(match set {
                    Some(setting) => Problem::at(&setting.place, message),
                    None => Problem::plain(message),
                });
                None
            }
        }
    }

    /// What the gateway proves to an upstream who it is with; `None` where that cannot be prepared, which is reported.
    fn credential(&mut self, api: &Api, upstream: &Upstream) -> Option<Option<PreparedCredential>> {
        let Some(credential) = upstream.auth.and_then(|auth| auth.credential) else { return Some(None) };
        let provider_url = match credential.provider() {
            Some(_) => self.provider_url(api, "upstream", upstream.name)?,
            None => None,
        };
        match credential.prepare(&Resources { provider_url, ..self.resources.clone() }) {
            Ok(prepared) => Some(Some(prepared)),
            Err(problems) => {
                let what = format!("`upstreamAuth` of upstream `{}` of API `{}`", upstream.name, api.name);
                let problems = problems.into_iter().map(|problem| Problem::plain(format!("{what}: {problem}")));
                self.problems.extend(problems);
                None
            }
        }
    }

    /// An override that reaches nothing is a typo.
    pub(crate) fn check_overrides(&mut self, gateway: &'static Gateway) {
        self.problems.extend(unreached_upstreams(gateway, self.config));
        for (api, (_, place)) in &self.config.origins {
            let found = gateway.apis.iter().find(|known| is_same_name(known.name, api));
            let problem = match found {
                Some(api) if self.https_only.contains_key(api.name) => continue,
                Some(_) => format!("API `{api}` redirects nothing to HTTPS"),
                None => format!("`origins` names the API `{api}`, which was not compiled in"),
            };
            self.problems.push(Problem::at(place, problem));
        }
        for ((api, scheme), (_, place)) in &self.config.providers {
            let asks = |scheme: &&&'static dyn Scheme| scheme.provider().is_some();
            let gets_tokens = |upstream: &&&'static Upstream| {
                upstream.auth.and_then(|auth| auth.credential).is_some_and(|credential| credential.provider().is_some())
            };
            let known = |api: &Api| {
                let schemes = api.schemes.iter().filter(asks).map(|scheme| scheme.name());
                schemes.chain(api.upstreams.iter().filter(gets_tokens).map(|upstream| upstream.name)).collect()
            };
            let kind = ["scheme or upstream", " that asks a provider"];
            if let Some(problem) = unreached(gateway, "providers", kind, (api, scheme), known) {
                self.problems.push(Problem::at(place, problem));
            }
        }
    }
}

fn alternative_of(
    api: &Api,
    alternative: &'static [gateway_access::tables::Requirement],
    schemes: &BTreeMap<(&str, &str), Arc<dyn Authenticator>>,
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

pub(crate) fn allow(operations: &[PreparedOperation], preflight: Preflight) -> String {
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

/// The methods of all paths, and that of the request that asks for them.
fn allow_of_server(routes: &[PreparedRoute]) -> String {
    let words = routes.iter().flat_map(|route| route.allow.split(", ")).filter(|method| !method.is_empty());
    let methods: BTreeSet<&str> = words.chain(["OPTIONS"]).collect();
    methods.into_iter().collect::<Vec<_>>().join(", ")
}

/// The cookies that carry sessions of the gateway's own.
pub(crate) fn session_cookies(gateway: &Gateway) -> Vec<&'static str> {
    gateway.apis.iter().flat_map(|api| api.schemes).filter_map(|scheme| scheme.session_cookie()).collect()
}

pub(crate) fn condition(condition: &gateway_proxy::tables::Condition) -> Condition {
    let (part, name, value) = match *condition {
        gateway_proxy::tables::Condition::Query { name, value } => (Part::Query, name, value),
        gateway_proxy::tables::Condition::Header { name, value } => (Part::Header, name, value),
    };
    Condition { part, name: name.to_owned(), value: value.map(str::to_owned) }
}

/// How refusals look on a listener where no API is known.
fn error_format(apis: &[&'static Api]) -> ErrorFormat {
    let agree = !apis.is_empty() && apis.iter().all(|api| api.error_format == ErrorFormat::Problem);
    if agree { ErrorFormat::Problem } else { ErrorFormat::Message }
}
