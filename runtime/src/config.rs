//! What a deployment decides: `gateway.yaml`, then the environment, then flags, each overriding the one before.

pub(crate) mod sources;
mod table;
pub(crate) mod upstreams;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::config::upstreams::UpstreamSetting;
use gateway_base::digest::Digest;
use gateway_base::operator_log::Format;
use gateway_base::problem::{Problem, SettingPlace};
use gateway_base::secret::SecretStore;
use gateway_base::setting_values::{SecretSetting, below, is_same_name};
use gateway_base::store_settings::StoreSettings;
use gateway_parties::oauth_settings::{OauthSettings, SessionSettings};
use gateway_parties::store_place::OauthStoreSettings;
use gateway_proxy::settings::{Limits, Listener, Timeouts};
use gateway_wire::forwarded::TrustedFields;
use gateway_wire::http1::head::HeadLimits;

/// The deployment, with every default filled in.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) listeners: Vec<Listener>,
    /// Peers whose `X-Forwarded-*` and `X-Request-Id` are trusted.
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// Which of their fields count.
    pub(crate) trusted_fields: TrustedFields,
    /// `consumers.yaml`, relative to the folder of `gateway.yaml`.
    pub(crate) consumers: Option<PathBuf>,
    /// `{value: …}` is allowed in `consumers.yaml`: for tests.
    pub(crate) insecure_literals: bool,
    /// Addresses that replace those of the documents, by API and upstream name.
    pub(crate) upstreams: BTreeMap<(String, String), (UpstreamSetting, SettingPlace)>,
    /// URLs of identity providers that replace those of the documents, by API and scheme.
    pub(crate) providers: BTreeMap<(String, String), (String, SettingPlace)>,
    /// Where APIs that are for HTTPS only send plain requests, instead of the hosts of their documents.
    pub(crate) origins: BTreeMap<String, (Box<str>, SettingPlace)>,
    /// Root certificates to trust beside the system's, relative to the folder of `gateway.yaml`.
    pub(crate) trusted_roots: Option<PathBuf>,
    /// Where a successor asks for the listening sockets, relative to the folder of `gateway.yaml`.
    pub(crate) upgrade_socket: Option<PathBuf>,
    /// Where `/metrics`, `/healthz` and `/readyz` are; nowhere if `None`.
    pub(crate) admin: Option<SocketAddr>,
    /// The deployment says where; without that, an address in use is no reason not to serve.
    pub(crate) admin_was_asked_for: bool,
    /// Threads that serve; one per core by default.
    pub(crate) workers: usize,
    pub(crate) timeouts: Timeouts,
    pub(crate) limits: Limits,
    /// Where limits are counted and things are remembered, by name.
    pub(crate) stores: BTreeMap<String, StoreSettings>,
    pub(crate) oauth: OauthSettings,
    pub(crate) session: SessionSettings,
    /// The key of the deployment's administrators.
    pub(crate) admin_key: Option<SecretSetting>,
    /// One JSON line per request on standard output.
    pub(crate) access_log: bool,
    /// How messages for operators are written.
    pub(crate) logs: Format,
    /// What was set, by its path: see [`Config::changed_settings`].
    fingerprints: BTreeMap<String, Digest>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listeners: vec![Listener {
                name: "default".to_owned(),
                bind: SocketAddr::from(([127, 0, 0, 1], 8080)),
                apis: None,
                tls: None,
                proxy_protocol_from: None,
            }],
            trusted_proxies: Vec::new(),
            trusted_fields: TrustedFields::default(),
            consumers: None,
            insecure_literals: false,
            upstreams: BTreeMap::new(),
            providers: BTreeMap::new(),
            origins: BTreeMap::new(),
            trusted_roots: None,
            upgrade_socket: None,
            admin: Some(SocketAddr::from(([127, 0, 0, 1], 9901))),
            admin_was_asked_for: false,
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            timeouts: Timeouts {
                head: Duration::from_secs(15),
                keep_alive: Duration::from_secs(75),
                shutdown: Duration::from_secs(25),
                shutdown_delay: Duration::ZERO,
            },
            limits: Limits {
                head: HeadLimits { request_line: 8 << 10, head: 32 << 10 },
                response_fields: 500,
                token: 8 << 10,
                connections: 20_000,
                connections_per_address: 1000,
                body_rate: 100,
                body_memory: 256 << 20,
                compression: 256 << 20,
                cache: 64 << 20,
                streams: 128,
                counters: 32 << 20,
            },
            stores: BTreeMap::new(),
            oauth: OauthSettings { store: None, signing_key: None, templates: None, cache: Duration::from_secs(5) },
            session: SessionSettings {
                secret: None,
                idle: Duration::from_secs(30 * 60),
                absolute: Duration::from_secs(8 * 60 * 60),
            },
            admin_key: None,
            access_log: true,
            logs: Format::Auto,
            fingerprints: BTreeMap::new(),
        }
    }
}

impl Config {
    /// The settings that are set to something else, or only in one of the two, by their paths.
    pub(crate) fn changed_settings<'a>(&'a self, newer: &'a Self) -> BTreeSet<&'a str> {
        let differs = |path: &&String| self.fingerprints.get(*path) != newer.fingerprints.get(*path);
        self.fingerprints.keys().chain(newer.fingerprints.keys()).filter(differs).map(String::as_str).collect()
    }

    /// Takes what another one says of upstreams.
    pub(crate) fn take_upstreams(&mut self, newer: &Self) {
        self.upstreams.clone_from(&newer.upstreams);
        self.fingerprints.retain(|path, _| !is_of_upstream(path));
        let of_upstreams = newer.fingerprints.iter().filter(|(path, _)| is_of_upstream(path));
        self.fingerprints.extend(of_upstreams.map(|(path, digest)| (path.clone(), *digest)));
    }

    /// What replaces the addresses in the document.
    pub(crate) fn upstream(&self, api: &str, upstream: &str) -> Option<(&UpstreamSetting, &SettingPlace)> {
        below(&self.upstreams, api, upstream)
    }

    /// The origin that replaces the hosts of the document.
    pub(crate) fn origin(&self, api: &str) -> Option<(&str, &SettingPlace)> {
        let found = self.origins.iter().find(|(name, _)| is_same_name(name, api));
        found.map(|(_, (origin, place))| (&**origin, place))
    }

    /// Where authorization servers store things.
    ///
    /// # Errors
    /// As for [`Config::oauth_store`], or the address of the store is missing or wrong.
    #[cfg_attr(not(feature = "oauth"), expect(dead_code, reason = "there is no authorization server"))]
    pub(crate) fn oauth_store_settings(&self, secrets: &SecretStore) -> Result<OauthStoreSettings, Problem> {
        OauthStoreSettings::of(self.oauth_store()?, self.trusted_roots.as_deref(), secrets)
    }

    /// The store of authorization servers: the one that is named, or `default` if it is fit. Otherwise it is a file
    /// beside `gateway.yaml`.
    ///
    /// # Errors
    /// There is none of that name, or its kind only counts.
    pub(crate) fn oauth_store(&self) -> Result<Option<(&str, &StoreSettings)>, Problem> {
        let of_name = |name: &str| self.stores.iter().find(|(known, _)| is_same_name(known, name));
        let Some((name, place)) = &self.oauth.store else {
            let default = of_name("default").filter(|(_, store)| store.kind.remembers());
            return Ok(default.map(|(name, store)| (name.as_str(), store)));
        };
        let Some((name, store)) = of_name(name) else {
            let hint = gateway_yaml::suggest(name, self.stores.keys().map(String::as_str)).map_or_else(
                || format!("write `stores: {{{name}: {{kind: sqlite, file: gateway.db}}}}`"),
                |near| format!("did you mean `{near}`?"),
            );
            return Err(Problem::at(place, format!("there is no store `{name}`; {hint}")));
        };
        if !store.kind.remembers() {
            let kind = store.kind.name();
            let message = format!(
                "store `{name}` is of kind {kind}, which counts limits only; authorization servers need `sqlite`, \
                 `postgres`, or `memory` for a try"
            );
            return Err(Problem::at(place, message));
        }
        Ok(Some((name, store)))
    }

    /// The URL that replaces the one in the document.
    pub(crate) fn provider(&self, api: &str, scheme: &str) -> Option<(&str, &SettingPlace)> {
        below(&self.providers, api, scheme).map(|(url, place)| (url.as_str(), place))
    }
}

/// Whether the setting of this path is about an upstream.
pub(crate) fn is_of_upstream(path: &str) -> bool {
    path.split('.').next().is_some_and(|first| is_same_name(first, "upstreams"))
}

#[cfg(test)]
mod tests;
