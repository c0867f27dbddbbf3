//! The generated tables joined with this deployment's addresses and secrets: everything a request needs, resolved once.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use gateway_route::{Allowance, Condition, Part, Router, RouterBuilder, Template};
use ipnet::IpNet;
use rustls::pki_types::ServerName;

use crate::access::{Authenticator, Resources, Scheme};
use crate::access_log;
use crate::admission::{Admission, connections_within};
use crate::builtin::PreparedBuiltin;
use crate::codegen::{
    Access, Action, Anonymous, Api, Encoding, ErrorBody, Gateway, Limit, LimitStore, Operation, Preflight, Rewrite,
    Rule, RuleEffect, Upstream,
};
use crate::config::{Config, Problem, StoreAddress, StoreSettings, is_same_name};
use crate::consumers::{ConsumerStore, Source};
use crate::contested::{Contested, Views};
use crate::credential::CredentialLocation;
use crate::failed_authentication::Failures;
use crate::field_lines::FieldLines;
use crate::http1::names::FieldTable;
use crate::https::HttpsOnly;
use crate::limits::{self, Limits};
use crate::metrics::OperationMetrics;
use crate::oauth::Oauth;
use crate::oauth::authority::authorities;
use crate::provider::url::ProviderUrl;
use crate::provider::{Background, Providers};
use crate::reject::Reject;
use crate::rewrite::{PathTemplate, PreparedRewrite};
use crate::rules::LiveRule;
use crate::secret::{Secret, SecretStore};
use crate::store::url::StoreUrl;
use crate::store::{Store, StoreClient, StoreTerms, Stores};
use crate::tls::{CERTIFICATE_HEADERS, Tls};
use crate::token_keys::TokenKeys;
use crate::upstream::{Endpoint, UpstreamTls};

/// All that a running gateway works with; made at start, never changed.
pub(crate) struct Live {
    pub(crate) listeners: Vec<LiveListener>,
    pub(crate) request_fields: FieldTable,
    pub(crate) response_fields: FieldTable,
    /// The header fields that carry credentials in some document, or select an operation: no trailer may bring them, which
    /// some upstreams read like the header.
    pub(crate) deciding_fields: Vec<&'static str>,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) config: Config,
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
    /// `WWW-Authenticate` for a missing credential, a bad one, and missing scopes.
    pub(crate) challenges: Challenges,
    pub(crate) hidden: HiddenCredentials,
    /// Callers may prove who they are with a certificate, which the upstream is told about.
    pub(crate) reads_certificates: bool,
    pub(crate) limits: Box<[limits::Rule]>,
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

/// [`Access`] with its schemes ready to check.
#[derive(Debug)]
pub(crate) enum LiveAccess {
    Anyone {
        because: &'static str,
    },
    OneOf {
        /// Those that ask for something.
        alternatives: Vec<LiveAlternative>,
        /// The one that does not, if there is one.
        anonymous: Option<LiveAnonymous>,
    },
}

/// Who a request without credentials is.
#[derive(Debug)]
pub(crate) struct LiveAnonymous {
    /// The consumer as whom it counts.
    pub(crate) consumer: Option<&'static str>,
    /// A credential that is not good counts as none.
    pub(crate) despite_invalid: bool,
    pub(crate) consumers: Arc<ConsumerStore>,
}

/// Requirements that must all hold.
#[derive(Debug)]
pub(crate) struct LiveAlternative {
    pub(crate) requirements: Vec<LiveRequirement>,
}

/// A scheme ready to check, and the scopes that are needed.
#[derive(Debug)]
pub(crate) struct LiveRequirement {
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) scopes: &'static [&'static str],
    /// How many wrong credentials are looked at.
    pub(crate) failures: Option<Arc<Failures>>,
}

/// [`Rewrite`] ready to run.
#[derive(Debug)]
pub(crate) enum LiveRewrite {
    Received { base: &'static str },
    Path(PathTemplate),
    With { base: &'static str, rewrite: Box<dyn PreparedRewrite> },
}

/// The `WWW-Authenticate` fields of an operation, one per scheme.
#[derive(Debug, Default)]
pub(crate) struct Challenges {
    pub(crate) missing: FieldLines,
    pub(crate) malformed: FieldLines,
    pub(crate) invalid: FieldLines,
    pub(crate) scope: FieldLines,
}

/// Where credentials stand that the upstream is not to see.
#[derive(Debug, Default)]
pub(crate) struct HiddenCredentials {
    pub(crate) headers: Vec<&'static str>,
    pub(crate) query: Vec<&'static str>,
    pub(crate) cookies: Vec<&'static str>,
    pub(crate) form: Vec<&'static str>,
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
    /// Joins the tables with the configuration; secrets come from `secrets`. If it `is_dry`, nothing is opened that would
    /// be there afterwards.
    ///
    /// # Errors
    /// Everything that is missing or wrong, all at once.
    pub(crate) fn assemble(
        gateway: &'static Gateway,
        config: Config,
        secrets: SecretStore,
        is_dry: bool,
    ) -> Result<Self, Vec<Problem>> {
        let (stores, mut problems) = open_stores(gateway, &config, &secrets);
        let limits = Arc::new(Limits::new(gateway, config.limits.counters, stores));
        let (tls, more) = open_tls(&config, &secrets);
        problems.extend(more);
        let consumers = match open_consumers(gateway, &config, &secrets, &limits) {
            Ok(consumers) => consumers,
            Err(more) => {
                problems.extend(more);
                return Err(problems);
            }
        };
        let trusted_roots = config.trusted_roots.as_ref().map(|file| secrets.folder.join(file));
        let providers = Arc::new(Providers::new(trusted_roots));
        let oauth = Arc::new(Oauth::new(&config, &secrets, is_dry));
        let resources =
            Resources { secrets, consumers, providers, oauth, max_token: config.limits.token, provider_url: None };
        let mut assembly = Assembly {
            config: &config,
            resources: &resources,
            limits: &limits,
            problems,
            endpoints: BTreeMap::new(),
            failures: Vec::new(),
            session_cookies: session_cookies(gateway),
            https_only: https_only(gateway, &config),
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
            listeners.push(LiveListener {
                name: listener.name.as_str().into(),
                bind: listener.bind,
                tls,
                https_only: assembly.https_only_of_all(&apis),
                router,
                routes,
                views,
                rules,
                log_constants: access_log::constants(&listener.name, None),
                unrouted: OperationMetrics::default(),
            });
        }
        let credential_fields =
            schemes.values().flat_map(|scheme| scheme.locations().0).filter_map(|location| match location {
                CredentialLocation::Header(name) => Some(*name),
                CredentialLocation::Query(_) | CredentialLocation::Cookie(_) | CredentialLocation::Form(_) => None,
            });
        let conditions = gateway.apis.iter().flat_map(|api| api.routes).flat_map(|route| route.when);
        let selecting_fields = conditions.filter_map(|condition| match condition {
            crate::codegen::Condition::Header { name, .. } => Some(*name),
            crate::codegen::Condition::Query { .. } => None,
        });
        let deciding_fields: Vec<&str> =
            credential_fields.chain(selecting_fields).collect::<BTreeSet<_>>().into_iter().collect();
        assembly.check_overrides(gateway);
        let mut problems = assembly.problems;
        // An API is on several listeners, and lacks the same on each.
        let mut told = HashSet::new();
        problems.retain(|problem| told.insert(problem.to_string()));
        if !problems.is_empty() {
            return Err(problems);
        }
        let remembers = store_of_authorities(gateway, &config);
        for name in limits.stores().unused().filter(|name| remembers.is_none_or(|used| !is_same_name(used, name))) {
            tell!("store `{name}` is configured but unused: no limit of a document or a consumer refers to it");
        }
        let idle = config.stores.iter().filter(|(name, settings)| {
            !settings.kind.counts() && remembers.is_none_or(|used| !is_same_name(used, name))
        });
        for (name, _) in idle {
            tell!("store `{name}` is configured but unused: no authorization server refers to it");
        }
        let identity = gateway.apis.iter().flat_map(|api| {
            let headers = &api.identity_headers;
            [headers.consumer, headers.credential, headers.custom_id, headers.client, headers.user]
        });
        Ok(Self {
            listeners,
            request_fields: FieldTable::for_requests(identity.chain(CERTIFICATE_HEADERS)),
            response_fields: FieldTable::for_responses(),
            deciding_fields,
            trusted_proxies: config.trusted_proxies.clone(),
            admission: Admission::new(config.limits.connections, config.limits.connections_per_address),
            config,
            consumers: resources.consumers,
            background: resources.providers.background(),
            limits,
        })
    }

    /// Takes no more connections than so many descriptors are enough for; says how many, where they are fewer than
    /// configured.
    pub(crate) fn fit_connections(&mut self, descriptors: u64) -> Option<usize> {
        let limits = &self.config.limits;
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

    /// Every operation of every listener.
    pub(crate) fn operations(&self) -> impl Iterator<Item = (&LiveListener, &LiveOperation)> {
        self.listeners.iter().flat_map(|listener| {
            let routes = listener.routes.iter().chain(listener.rules.iter().map(|rule| &rule.route));
            routes.flat_map(move |route| route.operations.iter().map(move |operation| (listener, operation)))
        })
    }
}

/// The APIs that are for HTTPS only, by name.
fn https_only(gateway: &'static Gateway, config: &Config) -> BTreeMap<&'static str, Arc<HttpsOnly>> {
    let mut found = BTreeMap::new();
    for api in gateway.apis {
        let Some(https) = HttpsOnly::of(&api.https, config.origin(api.name).map(|(origin, _)| origin)) else {
            continue;
        };
        found.insert(api.name, Arc::new(https));
        let serves = |listener: &&crate::config::Listener| {
            listener.apis.as_ref().is_none_or(|apis| apis.iter().any(|(name, _)| name == api.name))
        };
        let mut listeners = config.listeners.iter().filter(serves).peekable();
        let is_served = listeners.peek().is_some();
        if is_served && config.trusted_proxies.is_empty() && listeners.all(|listener| listener.tls.is_none()) {
            tell!(
                "API `{}` is for HTTPS only, and no request can come over TLS: no listener that serves it has \
                 `tls`, and no proxy is trusted",
                api.name
            );
        }
    }
    found
}

/// The store that authorization servers use, where there is one of a name.
fn store_of_authorities<'a>(gateway: &Gateway, config: &'a Config) -> Option<&'a str> {
    if authorities(gateway).is_empty() {
        return None;
    }
    config.oauth_store().ok().flatten().map(|(name, _)| name)
}

/// The certificates of each listener, and what is wrong with them.
fn open_tls(config: &Config, secrets: &SecretStore) -> (Vec<Option<Tls>>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut open = |listener: &crate::config::Listener| match Tls::open(listener.tls.as_ref()?, secrets) {
        Ok(tls) => {
            for remark in tls.remarks() {
                tell!("listener `{}`: {remark}; clients will not trust it", listener.name);
            }
            Some(tls)
        }
        Err(more) => {
            problems.extend(more);
            None
        }
    };
    (config.listeners.iter().map(&mut open).collect(), problems)
}

/// The consumers that the deployment names; an operation may need some of them.
fn open_consumers(
    gateway: &'static Gateway,
    config: &Config,
    secrets: &SecretStore,
    limits: &Arc<Limits>,
) -> Result<Arc<ConsumerStore>, Vec<Problem>> {
    let needed = needed_consumers(gateway);
    match &config.consumers {
        Some(file) => {
            let source = Source {
                file: secrets.folder.join(file),
                secrets: secrets.clone(),
                literals: config.insecure_literals,
                needed,
                token_keys: token_keys(gateway),
                limits: Arc::clone(limits),
                authorities: authorities(gateway),
            };
            let (store, remarks) = ConsumerStore::open(source)?;
            for remark in remarks {
                tell!("{remark}");
            }
            Ok(Arc::new(store))
        }
        None => match needed.iter().min() {
            Some(name) => Err(vec![Problem::plain(format!(
                "an operation needs the consumer `{name}`; write `consumers: {{file: consumers.yaml}}`"
            ))]),
            None => Ok(Arc::new(ConsumerStore::none())),
        },
    }
}

/// Makes ready to ask the stores that limits name, and those that consumers may name.
fn open_stores(gateway: &'static Gateway, config: &Config, secrets: &SecretStore) -> (Stores, Vec<Problem>) {
    let (mut stores, mut problems) = (Stores::default(), Vec::new());
    let named: BTreeMap<&str, (&Api, &Limit, &LimitStore)> = store_limits(gateway)
        .filter_map(|(api, limit)| limit.store.as_ref().map(|store| (store.name, (api, limit, store))))
        .collect();
    for (name, (api, limit, _)) in &named {
        match config.stores.iter().find(|(known, _)| is_same_name(known, name)) {
            None => problems.push(Problem::plain(format!(
                "the limit `{}` of {} is counted in the store `{name}`, which is not in the settings; write `stores: \
                 {{{name}: {{kind: redis, url: {{env: REDIS_URL}}}}}}`, or `kind: memory` for one gateway alone",
                limit.name, api.source
            ))),
            Some((_, settings)) if !settings.kind.counts() => problems.push(Problem::at(
                &settings.place,
                format!(
                    "store `{name}` is of kind {}, which counts no limits, such as `{}`; write `kind: redis`, or \
                     `kind: memory` for one gateway alone",
                    settings.kind.name(),
                    limit.name
                ),
            )),
            Some(_) => {}
        }
    }
    // Without a document that names one, nothing is linked that could ask.
    let client = named.values().map(|(_, _, store)| store.client).next();
    for (name, settings) in config.stores.iter().filter(|(_, settings)| settings.kind.counts()) {
        let opened = match (&settings.url, client) {
            (None, _) | (_, None) => Ok(None),
            (Some(address), Some(client)) => open_store(name, settings, address, client, config, secrets).map(Some),
        };
        match opened {
            Ok(None) if settings.url.is_some() => {
                tell!("store `{name}` is configured but unused: no compiled limit has a `store`")
            }
            Ok(store) => stores.add(name, store),
            Err(problem) => problems.push(Problem::at(&settings.place, format!("store `{name}`: {problem}"))),
        }
    }
    (stores, problems)
}

fn store_limits(gateway: &'static Gateway) -> impl Iterator<Item = (&'static Api, &'static Limit)> {
    gateway
        .apis
        .iter()
        .flat_map(|api| api.operations().flat_map(|operation| operation.limits).map(|used| (*api, used.limit)))
}

fn open_store(
    name: &str,
    settings: &StoreSettings,
    address: &StoreAddress,
    client: &dyn StoreClient,
    config: &Config,
    secrets: &SecretStore,
) -> Result<Arc<dyn Store>, String> {
    let url = match address {
        StoreAddress::Literal(url) => Secret::from(url.as_str()),
        StoreAddress::Env(name) => secrets.variable(name, Encoding::Plain)?,
        StoreAddress::File(path) => secrets.file(path, Encoding::Plain)?,
    };
    let url = std::str::from_utf8(url.expose()).map_err(|_| "its URL is not UTF-8")?;
    let url = StoreUrl::parse(url)?;
    client.open(StoreTerms {
        name: name.to_owned(),
        url,
        prefix: settings.prefix.clone(),
        timeout: settings.timeout,
        connect_timeout: settings.connect_timeout,
        trusted_roots: config.trusted_roots.as_ref().map(|file| secrets.folder.join(file)),
        workers: config.workers,
    })
}

/// The consumers that operations name.
pub(crate) fn needed_consumers(gateway: &'static Gateway) -> HashSet<&'static str> {
    let operations = gateway.apis.iter().flat_map(|api| api.operations());
    operations.map(|operation| operation.anonymous.consumer).filter(|name| !name.is_empty()).collect()
}

/// What reads the keys of consumers' tokens, if any API takes or makes such tokens.
pub(crate) fn token_keys(gateway: &'static Gateway) -> Option<&'static dyn TokenKeys> {
    let schemes = gateway.apis.iter().flat_map(|api| api.schemes).find_map(|scheme| scheme.token_keys());
    schemes.or_else(|| {
        let mut operations = gateway.apis.iter().flat_map(|api| api.operations());
        operations.find_map(|operation| match &operation.action {
            Action::Answer(builtin) => builtin.token_keys(),
            Action::Forward { .. } => None,
        })
    })
}

struct Assembly<'a> {
    config: &'a Config,
    resources: &'a Resources,
    limits: &'a Limits,
    problems: Vec<Problem>,
    /// By API and upstream name.
    endpoints: BTreeMap<(&'static str, &'static str), Endpoint>,
    /// Limits of wrong credentials; those that count alike are one, so that no API gives another try.
    failures: Vec<Arc<Failures>>,
    /// No upstream sees these.
    session_cookies: Vec<&'static str>,
    /// By API, for those that are.
    https_only: BTreeMap<&'static str, Arc<HttpsOnly>>,
}

impl Assembly<'_> {
    fn apis_of(&mut self, gateway: &'static Gateway, listener: &crate::config::Listener) -> Vec<&'static Api> {
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
    fn https_only_of_all(&self, apis: &[&'static Api]) -> Option<Arc<HttpsOnly>> {
        let mut all = apis.iter().map(|api| self.https_only.get(api.name));
        let first = all.next()??;
        all.all(|other| other.is_some()).then(|| Arc::clone(first))
    }

    /// A certificate that no listener asks for is one that no caller can show.
    fn check_client_certificates(&mut self, served: &[(usize, Vec<&'static Api>)]) {
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

    fn prepare(&mut self, api: &'static Api, scheme: &'static dyn Scheme) -> Option<Arc<dyn Authenticator>> {
        let provider_url = match self.config.provider(api.name, scheme.name()) {
            Some((url, place)) => match ProviderUrl::parse(url) {
                Ok(url) => Some(url),
                Err(problem) => {
                    self.problems.push(Problem::at(
                        place,
                        format!("provider of scheme `{}` of API `{}`: {problem}", scheme.name(), api.name),
                    ));
                    return None;
                }
            },
            None => None,
        };
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

    fn router(
        &mut self,
        listener: &str,
        apis: &[&'static Api],
        schemes: &BTreeMap<(&str, &str), Arc<dyn Authenticator>>,
    ) -> (Router<()>, Box<[LiveRoute]>, Views) {
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
            let operations: Box<[LiveOperation]> = route
                .operations
                .iter()
                .filter_map(|operation| self.operation(listener, api, operation, schemes))
                .collect();
            let conditions: Vec<_> = route.when.iter().map(condition).collect();
            let live = LiveRoute {
                allow: allow(&operations, route.preflight),
                operations,
                preflight: route.preflight,
                error_bodies: api.error_bodies,
                https_only: self.https_only.get(api.name).cloned(),
            };
            templates.push((template.clone(), conditions.clone()));
            builder.insert(template, conditions, ());
            routes.push(live);
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
    fn url_rules(
        &mut self,
        listener: &str,
        apis: &[&'static Api],
        schemes: &BTreeMap<(&str, &str), Arc<dyn Authenticator>>,
    ) -> Box<[LiveRule]> {
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
    ) -> Option<LiveRule> {
        let operations: Box<[LiveOperation]> = match &rule.effect {
            RuleEffect::Proxy { operation, .. } => Box::new([self.operation(listener, api, operation, schemes)?]),
            RuleEffect::Rewrite { .. } | RuleEffect::Redirect { .. } | RuleEffect::Respond { .. } => Box::default(),
        };
        let route = LiveRoute {
            operations,
            preflight: Preflight::Deny,
            allow: "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT".to_owned(),
            error_bodies: api.error_bodies,
            https_only: self.https_only.get(api.name).cloned(),
        };
        let log_constants = access_log::constants(listener, Some((api.name, rule.id, "")));
        match LiveRule::new(api.name, rule, route, log_constants) {
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
    ) -> Option<LiveOperation> {
        let access = match &operation.access {
            Access::Anyone { because } => LiveAccess::Anyone { because },
            Access::OneOf(alternatives) => {
                let asking = alternatives.iter().filter(|alternative| !alternative.is_empty());
                let asking: Option<Vec<_>> =
                    asking.map(|alternative| alternative_of(api, alternative, schemes, &mut self.failures)).collect();
                let has_empty = alternatives.iter().any(|alternative| alternative.is_empty());
                // A scheme that could not be prepared is a problem already told.
                LiveAccess::OneOf { alternatives: asking?, anonymous: has_empty.then(|| self.anonymous(operation)) }
            }
        };
        let action = match &operation.action {
            Action::Forward { to, path } => LiveAction::Forward(LiveForward {
                upstream: to,
                endpoint: self.endpoint(api, to)?,
                rewrite: self.rewrite(api, operation, path)?,
                base: base_of(path).or_else(|| api.operations().find_map(base_of_operation)).unwrap_or_default(),
            }),
            Action::Answer(builtin) => match builtin.prepare(self.resources) {
                Ok(prepared) => LiveAction::Answer(prepared),
                Err(problems) => {
                    let what = format!("operation `{}` of {}", operation.id, api.source);
                    self.problems
                        .extend(problems.into_iter().map(|problem| Problem::plain(format!("{what}: {problem}"))));
                    return None;
                }
            },
        };
        let upstream = match &operation.action {
            Action::Forward { to, .. } => to.name,
            Action::Answer(_) => "",
        };
        let reads_certificates = requirements(&access).any(|one| one.authenticator.reads_certificates());
        Some(LiveOperation {
            table: operation,
            api,
            challenges: challenges(&access),
            hidden: hidden(&access, &self.session_cookies),
            reads_certificates,
            limits: self.rules(api, operation)?,
            contested: None,
            access,
            action,
            log_constants: access_log::constants(listener, Some((api.name, operation.id, upstream))),
            metrics: OperationMetrics::default(),
        })
    }

    fn rules(&mut self, api: &Api, operation: &'static Operation) -> Option<Box<[limits::Rule]>> {
        let rules: Option<Box<[limits::Rule]>> =
            operation.limits.iter().map(|used| self.limits.rule(used.limit, used.cost)).collect();
        if rules.is_none() {
            let message = format!("operation `{}` of {}: there are more than 65,534 limits", operation.id, api.source);
            self.problems.push(Problem::plain(message));
        }
        rules
    }

    fn rewrite(&mut self, api: &Api, operation: &Operation, path: &'static Rewrite) -> Option<LiveRewrite> {
        Some(match path {
            Rewrite::Received { base } => LiveRewrite::Received { base },
            Rewrite::Path(template) => LiveRewrite::Path(PathTemplate::parse(template)),
            Rewrite::With(rewriter) => match rewriter.prepare() {
                Ok(rewrite) => LiveRewrite::With { base: rewriter.base(), rewrite },
                Err(problem) => {
                    self.problems
                        .push(Problem::plain(format!("operation `{}` of {}: {problem}", operation.id, api.source)));
                    return None;
                }
            },
        })
    }

    fn anonymous(&self, operation: &'static Operation) -> LiveAnonymous {
        let Anonymous { consumer, despite_invalid } = operation.anonymous;
        let consumer = (!consumer.is_empty()).then_some(consumer);
        LiveAnonymous { consumer, despite_invalid, consumers: Arc::clone(&self.resources.consumers) }
    }

    fn endpoint(&mut self, api: &'static Api, upstream: &'static Upstream) -> Option<Endpoint> {
        if let Some(endpoint) = self.endpoints.get(&(api.name, upstream.name)) {
            return Some(endpoint.clone());
        }
        let (url, place) = match self.config.upstream(api.name, upstream.name) {
            Some((url, place)) => (url, Some(place)),
            None => (upstream.url, None),
        };
        let parsed = parse_url(url, self.endpoints.len());
        match parsed
            .and_then(|(endpoint, tls)| Ok(Endpoint { tls: self.upstream_tls(tls, endpoint.is_http2)?, ..endpoint }))
        {
            Ok(endpoint) => {
                self.endpoints.insert((api.name, upstream.name), endpoint.clone());
                Some(endpoint)
            }
            Err(problem) => {
                let message = format!("upstream `{}` of API `{}`: {problem}", upstream.name, api.name);
                self.problems.push(
                    place.map_or_else(|| Problem::plain(message.clone()), |place| Problem::at(place, message.clone())),
                );
                None
            }
        }
    }

    fn upstream_tls(&self, name: Option<ServerName<'static>>, is_http2: bool) -> Result<Option<UpstreamTls>, String> {
        let Some(name) = name else { return Ok(None) };
        let mut config = self.resources.providers.tls()?;
        if is_http2 {
            Arc::make_mut(&mut config).alpn_protocols = vec![b"h2".to_vec()];
        }
        Ok(Some(UpstreamTls { config, name }))
    }

    /// An override that reaches nothing is a typo.
    fn check_overrides(&mut self, gateway: &'static Gateway) {
        for ((api, upstream), (_, place)) in &self.config.upstreams {
            let known = |api: &Api| api.upstreams.iter().map(|upstream| upstream.name).collect();
            if let Some(problem) = unreached(gateway, "upstreams", ["upstream", ""], (api, upstream), known) {
                self.problems.push(Problem::at(place, problem));
            }
        }
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
            let known = |api: &Api| api.schemes.iter().filter(asks).map(|scheme| scheme.name()).collect();
            if let Some(problem) =
                unreached(gateway, "providers", ["scheme", " that asks a provider"], (api, scheme), known)
            {
                self.problems.push(Problem::at(place, problem));
            }
        }
    }
}

/// Why a setting below `setting.<api>.<name>` reaches nothing, if so.
fn unreached(
    gateway: &'static Gateway,
    setting: &str,
    [what, which]: [&str; 2],
    (api, name): (&str, &str),
    known: impl Fn(&Api) -> Vec<&'static str>,
) -> Option<String> {
    let Some(found) = gateway.apis.iter().find(|known| is_same_name(known.name, api)) else {
        let names = gateway.apis.iter().map(|api| api.name);
        let hint =
            gateway_yaml::suggest(api, names).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        return Some(format!("`{setting}` names the API `{api}`, which was not compiled in{hint}"));
    };
    let names = known(found);
    if names.iter().any(|known| is_same_name(known, name)) {
        return None;
    }
    let hint = match (gateway_yaml::suggest(name, names.iter().copied()), names.is_empty()) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, false) => format!("it has {}", names.join(", ")),
        (None, true) => "it has none".to_owned(),
    };
    Some(format!("API `{api}` has no {what} `{name}`{which}; {hint}"))
}

fn alternative_of(
    api: &Api,
    alternative: &'static [crate::codegen::Requirement],
    schemes: &BTreeMap<(&str, &str), Arc<dyn Authenticator>>,
    failures: &mut Vec<Arc<Failures>>,
) -> Option<LiveAlternative> {
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
        Some(LiveRequirement { authenticator: Arc::clone(authenticator), scopes: requirement.scopes, failures: limit })
    });
    Some(LiveAlternative { requirements: requirements.collect::<Option<_>>()? })
}

/// How upstreams are spoken to, by the scheme of their URL: inside TLS, and in HTTP/2.
const UPSTREAM_SCHEMES: &[(&str, bool, bool)] =
    &[("http://", false, false), ("https://", true, false), ("h2c://", false, true), ("h2://", true, true)];

/// `http://host[:port][/prefix]`, or the same with `https://`, `h2c://` or `h2://`; then whom to expect there as well.
fn parse_url(url: &str, index: usize) -> Result<(Endpoint, Option<ServerName<'static>>), String> {
    let known = UPSTREAM_SCHEMES
        .iter()
        .find_map(|(scheme, has_tls, is_http2)| Some((url.strip_prefix(scheme)?, *has_tls, *is_http2)));
    let Some((rest, has_tls, is_http2)) = known else {
        return Err(format!("`{url}` does not start with http://, https://, h2c:// or h2://"));
    };
    let (authority, prefix) = rest.split_once('/').map_or((rest, ""), |(authority, path)| (authority, path));
    if authority.contains('@') || rest.contains(['?', '#', ' ']) {
        return Err(format!("`{url}` has more than a host, a port and a path"));
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => {
            (host, port.parse::<u16>().ok().filter(|port| *port != 0).ok_or_else(|| format!("`{port}` is not a port"))?)
        }
        _ => (authority, if has_tls { 443 } else { 80 }),
    };
    if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte)) {
        return Err(format!("`{url}` has no host"));
    }
    let prefix = prefix.trim_end_matches('/');
    let prefix = if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
    let name = has_tls.then(|| ServerName::try_from(host.trim_matches(['[', ']']).to_owned()));
    let name = name.transpose().map_err(|_| format!("`{host}` is no name that a certificate could have"))?;
    Ok((
        Endpoint {
            index,
            host: same_host(host).into(),
            port,
            authority: authority.into(),
            prefix: prefix.into(),
            tls: None,
            is_http2,
        },
        name,
    ))
}

/// A host in the one spelling that all have, so that an upstream is known however its address is written.
fn same_host(host: &str) -> String {
    match host.trim_matches(['[', ']']).parse::<Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) => host.to_ascii_lowercase(),
    }
}

/// The base path that a rewrite takes off; nothing where it replaces the path as a whole.
fn base_of(rewrite: &'static Rewrite) -> Option<&'static str> {
    match rewrite {
        Rewrite::Received { base } => Some(base),
        Rewrite::With(rewriter) => Some(rewriter.base()),
        Rewrite::Path(_) => None,
    }
}

fn base_of_operation(operation: &'static Operation) -> Option<&'static str> {
    match &operation.action {
        Action::Forward { path, .. } => base_of(path),
        Action::Answer(_) => None,
    }
}

fn allow(operations: &[LiveOperation], preflight: Preflight) -> String {
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

fn requirements(access: &LiveAccess) -> impl Iterator<Item = &LiveRequirement> {
    let alternatives = match access {
        LiveAccess::Anyone { .. } => &[][..],
        LiveAccess::OneOf { alternatives, .. } => alternatives,
    };
    alternatives.iter().flat_map(|alternative| &alternative.requirements)
}

fn challenges(access: &LiveAccess) -> Challenges {
    let mut challenges = Challenges::default();
    for LiveRequirement { authenticator, scopes, .. } in requirements(access) {
        for (fields, challenge) in [
            (&mut challenges.missing, authenticator.challenge()),
            (&mut challenges.malformed, authenticator.challenge_malformed()),
            (&mut challenges.invalid, authenticator.challenge_invalid()),
            (&mut challenges.scope, authenticator.challenge_scope(scopes)),
        ] {
            if !fields.iter().any(|(_, known)| known == challenge) {
                // The compiler admits no realm that does not fit.
                fields.push_if_valid("WWW-Authenticate", challenge);
            }
        }
    }
    challenges
}

/// The cookies that carry sessions of the gateway's own.
fn session_cookies(gateway: &Gateway) -> Vec<&'static str> {
    gateway.apis.iter().flat_map(|api| api.schemes).filter_map(|scheme| scheme.session_cookie()).collect()
}

fn condition(condition: &crate::codegen::Condition) -> Condition {
    let (part, name, value) = match *condition {
        crate::codegen::Condition::Query { name, value } => (Part::Query, name, value),
        crate::codegen::Condition::Header { name, value } => (Part::Header, name, value),
    };
    Condition { part, name: name.to_owned(), value: value.map(str::to_owned) }
}

fn hidden(access: &LiveAccess, session_cookies: &[&'static str]) -> HiddenCredentials {
    let mut hidden = HiddenCredentials { cookies: session_cookies.to_vec(), ..HiddenCredentials::default() };
    for requirement in requirements(access) {
        let (locations, forward) = requirement.authenticator.locations();
        if forward {
            continue;
        }
        for location in locations {
            match location {
                CredentialLocation::Header(name) => hidden.headers.push(name),
                CredentialLocation::Query(name) => hidden.query.push(name),
                CredentialLocation::Cookie(name) => hidden.cookies.push(name),
                CredentialLocation::Form(name) => hidden.form.push(name),
            }
        }
    }
    hidden
}

impl LiveOperation {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let endpoint = |url| {
            parse_url(url, 0).map(|(endpoint, _)| (endpoint.host, endpoint.port, endpoint.authority, endpoint.prefix))
        };
        assert_eq!(endpoint("http://a.example"), Ok(("a.example".into(), 80, "a.example".into(), "".into())));
        assert_eq!(
            endpoint("http://127.0.0.1:3002/api/"),
            Ok(("127.0.0.1".into(), 3002, "127.0.0.1:3002".into(), "/api".into()))
        );
        assert_eq!(endpoint("http://[::1]:3002"), Ok(("[::1]".into(), 3002, "[::1]:3002".into(), "".into())));
        assert_eq!(endpoint("http://[::1]"), Ok(("[::1]".into(), 80, "[::1]".into(), "".into())));
        assert_eq!(endpoint("https://a.example/b"), Ok(("a.example".into(), 443, "a.example".into(), "/b".into())));
        assert_eq!(endpoint("http://A.Example"), Ok(("a.example".into(), 80, "A.Example".into(), "".into())));
        assert_eq!(endpoint("http://[0:0::A]:81"), Ok(("[::a]".into(), 81, "[0:0::A]:81".into(), "".into())));
        for bad in ["ftp://a", "a", "http://", "http://u:p@a", "http://a:0", "http://a:b", "http://a?x", "http://a b"] {
            assert!(endpoint(bad).is_err(), "{bad}");
        }
    }
}
