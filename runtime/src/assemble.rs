//! Makes the [`Deployment`] of a gateway from its generated tables and its settings; every problem is reported at once.

mod apis;
pub(crate) mod authorities;
mod contracts;
pub(crate) mod endpoints;
mod forwards;
pub(crate) mod needs;
pub(crate) mod stores;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use crate::assemble::contracts::Contracts;
#[cfg(feature = "oauth")]
use crate::assemble::needs::oauth_settings;
use crate::assemble::needs::{open_consumers, open_tls, store_of_authorities, unreached, unreached_upstreams};
use crate::assemble::stores::open_stores;
use crate::config::Config;
use gateway_access::failed_authentication::Failures;
use gateway_access::outgoing::Providers;
use gateway_access::outgoing::url::ProviderUrl;
use gateway_access::request_view::CredentialLocation;
use gateway_access::scheme::{Authenticator, Resources, Scheme};
use gateway_access::upstream_auth::PreparedCredential;
use gateway_base::digest::Digest;
use gateway_base::problem::Problem;
use gateway_base::secret::SecretStore;
use gateway_base::setting_values::is_same_name;
use gateway_base::warn;
use gateway_limits::counters::Limits;
#[cfg(feature = "oauth")]
use gateway_oauth::server::{self, Oauth};
use gateway_proxy::admission::Admission;
use gateway_proxy::body_memory::BodyMemory;
use gateway_proxy::cache::ResponseCache;
use gateway_proxy::deployment::Deployment;
use gateway_proxy::https::HttpsOnly;
use gateway_proxy::settings::Settings;
use gateway_proxy::tables::{Api, Gateway, Upstream};
use gateway_proxy::upstream::cluster::Cluster;
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
    let mut schemes = Authenticators::new();
    for api in served.iter().flat_map(|(_, apis)| apis) {
        for scheme in api.schemes {
            if !schemes.contains_key(&(api.name, scheme.name()))
                && let Some(ready) = assembly.prepare(api, *scheme)
            {
                schemes.insert((api.name, scheme.name()), ready);
            }
        }
    }
    let listeners = assembly.listeners(&served, tls, &schemes);
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
    // What an upstream lacks is found at each of its operations.
    let mut seen = HashSet::new();
    problems.retain(|problem| seen.insert(problem.to_string()));
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
        kept_checks: 0,
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

/// The authenticators of all APIs, by API and scheme.
pub(crate) type Authenticators = BTreeMap<(&'static str, &'static str), Arc<dyn Authenticator>>;

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

/// The cookies that carry sessions of the gateway's own.
pub(crate) fn session_cookies(gateway: &Gateway) -> Vec<&'static str> {
    gateway.apis.iter().flat_map(|api| api.schemes).filter_map(|scheme| scheme.session_cookie()).collect()
}
