//! What a deployment decides: `gateway.yaml`, then the environment, then flags, each overriding the one before.

mod settings;
pub(crate) mod tls;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

use crate::digest::Digest;
use crate::http1::head::HeadLimits;
use crate::https;
use crate::secret::{Encoding, Secret, SecretStore};
use settings::{Setting, Settings};
use tls::ListenerTls;

/// A mistake in the deployment, told before anything is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem(String);

/// Where a setting was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place(String);

impl Problem {
    /// A mistake at a known place.
    pub(crate) fn at(place: &Place, message: impl fmt::Display) -> Self {
        Self(without_credentials(&format!("{}: {message}", place.0)))
    }

    /// A mistake that is nowhere in particular, such as something missing.
    pub(crate) fn plain(message: impl Into<String>) -> Self {
        Self(without_credentials(&message.into()))
    }
}

/// A text without what stands before `@` in the URLs in it: it may be a password, and the text goes into a log.
fn without_credentials(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://").map(|at| at + 3) {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let authority = &rest[..rest.find(['/', '`', ' ', '"', '\'', '\n']).unwrap_or(rest.len())];
        if let Some(at) = authority.rfind('@') {
            out.push('…');
            rest = &rest[at..];
        }
    }
    out + rest
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The deployment, with every default filled in.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) listeners: Vec<Listener>,
    /// Peers whose `X-Forwarded-*` and `X-Request-Id` are believed.
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// `consumers.yaml`, relative to the folder of `gateway.yaml`.
    pub(crate) consumers: Option<PathBuf>,
    /// `{value: …}` is allowed in `consumers.yaml`: for tests.
    pub(crate) insecure_literals: bool,
    /// Addresses that replace those of the documents, by API and upstream name.
    pub(crate) upstreams: BTreeMap<(String, String), (String, Place)>,
    /// URLs of identity providers that replace those of the documents, by API and scheme.
    pub(crate) providers: BTreeMap<(String, String), (String, Place)>,
    /// Where APIs that are for HTTPS only send plain requests, instead of the hosts of their documents.
    pub(crate) origins: BTreeMap<String, (Box<str>, Place)>,
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
    /// What was set, by its path: see [`Config::changed_settings`].
    fingerprints: BTreeMap<String, Digest>,
}

/// An address that requests are accepted on.
#[derive(Debug, Clone)]
pub(crate) struct Listener {
    pub(crate) name: String,
    pub(crate) bind: SocketAddr,
    /// The APIs served there; all of the binary's if `None`.
    pub(crate) apis: Option<Vec<(String, Place)>>,
    /// Plain TCP if `None`.
    pub(crate) tls: Option<ListenerTls>,
}

/// A place where limits are counted or things are remembered.
#[derive(Debug, Clone)]
pub(crate) struct StoreSettings {
    pub(crate) kind: StoreKind,
    /// Where it is, for a server.
    pub(crate) url: Option<StoreAddress>,
    /// Where it is, for a file; relative to the folder of `gateway.yaml`.
    pub(crate) file: Option<PathBuf>,
    /// What all keys begin with.
    pub(crate) prefix: String,
    /// No request waits longer for an answer.
    pub(crate) timeout: Duration,
    /// For a connection, with TLS and authentication.
    pub(crate) connect_timeout: Duration,
    pub(crate) place: Place,
}

/// What a store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreKind {
    /// This process: counts, and remembers until it ends.
    Memory,
    /// Counts, for several gateways.
    Redis,
    /// Remembers, in a file.
    Sqlite,
    /// Remembers, for several gateways.
    Postgres,
}

impl StoreKind {
    const NAMES: [(&str, Self); 4] =
        [("memory", Self::Memory), ("redis", Self::Redis), ("sqlite", Self::Sqlite), ("postgres", Self::Postgres)];

    /// As in the settings.
    pub(crate) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// Whether limits can be counted there.
    pub(crate) fn counts(self) -> bool {
        matches!(self, Self::Memory | Self::Redis)
    }

    /// Whether an authorization server can keep its things there.
    pub(crate) fn remembers(self) -> bool {
        !matches!(self, Self::Redis)
    }

    fn has_url(self) -> bool {
        matches!(self, Self::Redis | Self::Postgres)
    }
}

/// What authorization servers share in this deployment.
#[derive(Debug, Clone)]
pub(crate) struct OauthSettings {
    /// The name of the store where they remember things.
    pub(crate) store: Option<(String, Place)>,
    /// What JWTs are signed with: a private key in PEM, of RSA or P-256.
    pub(crate) signing_key: Option<SecretSetting>,
    /// Pages of the deployment's own, relative to the folder of `gateway.yaml`.
    pub(crate) templates: Option<(PathBuf, Place)>,
    /// For so long an access token is believed without asking the store.
    pub(crate) cache: Duration,
}

/// Sessions of users.
#[derive(Debug, Clone)]
pub(crate) struct SessionSettings {
    /// What forms are protected with; made by the store if the deployment has none.
    pub(crate) secret: Option<SecretSetting>,
    /// From the last request.
    pub(crate) idle: Duration,
    /// From the login.
    pub(crate) absolute: Duration,
}

/// Where a secret of the settings is.
#[derive(Debug, Clone)]
pub(crate) struct SecretSetting {
    source: SecretPlace,
    place: Place,
}

#[derive(Debug, Clone)]
enum SecretPlace {
    Env(String),
    File(String),
}

impl SecretSetting {
    /// Fetches it.
    ///
    /// # Errors
    /// It is missing or empty.
    pub(crate) fn read(&self, secrets: &SecretStore) -> Result<Secret, Problem> {
        let found = match &self.source {
            SecretPlace::Env(name) => secrets.variable(name, Encoding::Plain),
            SecretPlace::File(path) => secrets.file(path, Encoding::Plain),
        };
        found.map_err(|problem| Problem::at(&self.place, problem))
    }
}

/// Where a store's URL is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StoreAddress {
    /// Here: it has no password.
    Literal(String),
    Env(String),
    File(String),
}

/// How long things may take on the client's side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    /// From the first byte of a head to its end; 408 when it passes.
    pub(crate) head: Duration,
    /// Between two requests of a connection.
    pub(crate) keep_alive: Duration,
    /// For what is running when the gateway is told to stop.
    pub(crate) shutdown: Duration,
    /// From "not ready" to the end of accepting, after SIGTERM.
    pub(crate) shutdown_delay: Duration,
}

/// How large things may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) head: HeadLimits,
    /// Fields of a response of an upstream; one with more is refused with 502.
    pub(crate) response_fields: usize,
    /// The longest token of a foreign issuer that is looked at, in bytes.
    pub(crate) token: usize,
    /// Connections from clients, over all workers; more are closed at once.
    pub(crate) connections: usize,
    /// As `connections`, from one address (a /64 of IPv6); 0 for any number.
    pub(crate) connections_per_address: u32,
    /// Bytes per second that a client has to send or take on average while it is its turn; 0 for none.
    pub(crate) body_rate: u64,
    /// Requests that a client may have open at once on one connection of HTTP/2.
    pub(crate) streams: u32,
    /// Bytes for the counters of rate limits.
    pub(crate) counters: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listeners: vec![Listener {
                name: "default".to_owned(),
                bind: SocketAddr::from(([127, 0, 0, 1], 8080)),
                apis: None,
                tls: None,
            }],
            trusted_proxies: Vec::new(),
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

    /// The address that replaces the one in the document.
    pub(crate) fn upstream(&self, api: &str, upstream: &str) -> Option<(&str, &Place)> {
        below(&self.upstreams, api, upstream)
    }

    /// The origin that replaces the hosts of the document.
    pub(crate) fn origin(&self, api: &str) -> Option<(&str, &Place)> {
        let found = self.origins.iter().find(|(name, _)| is_same_name(name, api));
        found.map(|(_, (origin, place))| (&**origin, place))
    }

    /// The store of authorization servers: the one that is named, or `default` if it is fit. Otherwise it is a file
    /// beside `gateway.yaml`.
    ///
    /// # Errors
    /// There is none of that name, or it is of a kind that only counts.
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
    pub(crate) fn provider(&self, api: &str, scheme: &str) -> Option<(&str, &Place)> {
        below(&self.providers, api, scheme)
    }
}

/// What a setting says below the names of an API and of something in it.
fn below<'a>(
    given: &'a BTreeMap<(String, String), (String, Place)>,
    api: &str,
    name: &str,
) -> Option<(&'a str, &'a Place)> {
    let exact = given.get(&(api.to_owned(), name.to_owned()));
    let spelt =
        || given.iter().find(|((a, n), _)| is_same_name(a, api) && is_same_name(n, name)).map(|(_, found)| found);
    exact.or_else(spelt).map(|(url, place)| (url.as_str(), place))
}

/// Environment variables have neither letter case nor hyphens.
pub(crate) fn is_same_name(one: &str, other: &str) -> bool {
    settings::folded(one) == settings::folded(other)
}

/// Where settings come from.
#[derive(Debug, Default, Clone)]
pub(crate) struct Sources {
    /// `gateway.yaml`; missing is no mistake unless it was asked for.
    pub(crate) file: Option<PathBuf>,
    /// `GATEWAY__…` variables.
    pub(crate) environment: Vec<(String, String)>,
    /// `--set path=value`.
    pub(crate) flags: Vec<String>,
}

impl Sources {
    /// The folder that file references start at.
    pub(crate) fn folder(&self) -> PathBuf {
        let folder = self.file.as_deref().and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty());
        folder.map_or_else(|| PathBuf::from("."), Path::to_path_buf)
    }

    /// Reads all settings.
    ///
    /// # Errors
    /// Every mistake, each with its place.
    pub(crate) fn read(&self) -> Result<Config, Vec<Problem>> {
        let mut settings = Settings::default();
        if let Some(file) = &self.file {
            match std::fs::read_to_string(file) {
                Ok(text) => settings.add_file(file, &text),
                Err(error) => {
                    settings.problems.push(Problem::plain(format!("{} cannot be read: {error}", file.display())))
                }
            }
        }
        for (name, value) in &self.environment {
            settings.add_variable(name, value);
        }
        for flag in &self.flags {
            settings.add_flag(flag);
        }
        interpret(settings)
    }
}

fn interpret(mut settings: Settings) -> Result<Config, Vec<Problem>> {
    let mut config = Config { fingerprints: settings.fingerprints(), ..Config::default() };
    let listeners = read_listeners(&mut settings);
    if !listeners.is_empty() {
        config.listeners = listeners;
    }
    if let Some(setting) = settings.take("trustedProxies") {
        config.trusted_proxies = settings.list(&setting, "an address or a network such as 10.0.0.0/8", network);
    }
    if let Some(setting) = settings.take("consumers.file") {
        config.consumers = settings.text(&setting).map(PathBuf::from);
    }
    read_into(
        &mut settings,
        "insecureLiterals",
        "`true` or `false`",
        |text| text.parse().ok(),
        &mut config.insecure_literals,
    );
    let upstreams = settings.take_all("upstreams.*.*").into_iter();
    for (names, setting) in upstreams.chain(settings.take_all("upstreams.*.*.url")) {
        if let Some(url) = settings.text(&setting) {
            config.upstreams.insert((names[0].clone(), names[1].clone()), (url, setting.place));
        }
    }
    for (names, setting) in settings.take_all("providers.*.*") {
        if let Some(url) = settings.text(&setting) {
            config.providers.insert((names[0].clone(), names[1].clone()), (url, setting.place));
        }
    }
    for (names, setting) in settings.take_all("origins.*") {
        let Some(url) = settings.text(&setting) else { continue };
        match https::parse_origin(&url) {
            Ok(origin) => {
                config.origins.insert(names[0].clone(), (origin, setting.place));
            }
            Err(problem) => settings.problems.push(Problem::at(&setting.place, problem)),
        }
    }
    if let Some(setting) = settings.take("trustedRoots.file") {
        config.trusted_roots = settings.text(&setting).map(PathBuf::from);
    }
    if let Some(setting) = settings.take("upgrade.socket") {
        config.upgrade_socket = settings.text(&setting).map(PathBuf::from);
    }
    if let Some(setting) = settings.take("admin.bind")
        && let Some(bind) = settings.parse(&setting, "an address such as 127.0.0.1:9901, or `off`", |text| {
            if text == "off" { Some(None) } else { address(text).map(Some) }
        })
    {
        config.admin = bind;
        config.admin_was_asked_for = bind.is_some();
    }
    config.admin_key = secret(&mut settings, "admin.key");
    read_into(
        &mut settings,
        "workers",
        "a number from 1 to 1024",
        |text| text.parse().ok().filter(|count| (1..=1024).contains(count)),
        &mut config.workers,
    );
    const DURATION: &str = "a duration such as 250ms, 5s or 10m";
    read_into(&mut settings, "timeouts.head", DURATION, duration, &mut config.timeouts.head);
    read_into(&mut settings, "timeouts.keepAlive", DURATION, duration, &mut config.timeouts.keep_alive);
    read_into(&mut settings, "timeouts.shutdown", DURATION, duration, &mut config.timeouts.shutdown);
    read_into(
        &mut settings,
        "timeouts.shutdownDelay",
        "a duration such as 5s, or 0s",
        |text| gateway_yaml::units::duration(text).ok(),
        &mut config.timeouts.shutdown_delay,
    );
    const SIZE: &str = "a size from 1KiB to 1MiB, such as 32KiB";
    read_into(&mut settings, "limits.head", SIZE, size, &mut config.limits.head.head);
    read_into(&mut settings, "limits.requestLine", SIZE, size, &mut config.limits.head.request_line);
    read_into(
        &mut settings,
        "limits.responseFields",
        "a number from 1 to 10000",
        |text| text.parse().ok().filter(|count| (1..=10_000).contains(count)),
        &mut config.limits.response_fields,
    );
    read_into(&mut settings, "limits.token", SIZE, size, &mut config.limits.token);
    read_into(
        &mut settings,
        "limits.connections",
        "a number from 1",
        |text| text.parse().ok().filter(|count| *count > 0),
        &mut config.limits.connections,
    );
    read_into(
        &mut settings,
        "limits.connectionsPerAddress",
        "a number; 0 for no limit",
        |text| text.parse().ok(),
        &mut config.limits.connections_per_address,
    );
    read_into(
        &mut settings,
        "limits.bodyRate",
        "bytes per second from 0 to 1MiB, such as 100B; 0 for no limit",
        |text| gateway_yaml::units::size(text).ok().filter(|rate| *rate <= 1 << 20),
        &mut config.limits.body_rate,
    );
    read_into(
        &mut settings,
        "limits.streams",
        "a number from 1 to 1000",
        |text| text.parse().ok().filter(|count| (1..=1000).contains(count)),
        &mut config.limits.streams,
    );
    read_into(
        &mut settings,
        "limits.counters",
        "a size from 1MiB to 64GiB, such as 32MiB",
        |text| {
            let bytes = gateway_yaml::units::size(text).ok().filter(|bytes| (1 << 20..=64 << 30).contains(bytes))?;
            usize::try_from(bytes).ok()
        },
        &mut config.limits.counters,
    );
    read_into(
        &mut settings,
        "accessLog",
        "`stdout` or `off`",
        |text| [("stdout", true), ("off", false)].iter().find(|(word, _)| *word == text).map(|(_, on)| *on),
        &mut config.access_log,
    );
    config.stores = read_stores(&mut settings);
    config.oauth = read_oauth(&mut settings, config.oauth);
    config.session = read_session(&mut settings, config.session);
    settings.refuse_rest(&[
        "listeners.*.bind",
        "listeners.*.apis",
        "listeners.*.tls.cert.file",
        "listeners.*.tls.cert.env",
        "listeners.*.tls.key.file",
        "listeners.*.tls.key.env",
        "listeners.*.tls.certificates.*.cert.file",
        "listeners.*.tls.certificates.*.cert.env",
        "listeners.*.tls.certificates.*.key.file",
        "listeners.*.tls.certificates.*.key.env",
        "listeners.*.tls.minVersion",
        "listeners.*.tls.acme.directory",
        "listeners.*.tls.acme.domains",
        "listeners.*.tls.acme.contact",
        "listeners.*.tls.acme.folder",
        "listeners.*.tls.acme.termsOfServiceAgreed",
        "listeners.*.tls.clientAuth.ca.file",
        "listeners.*.tls.clientAuth.ca.env",
        "trustedProxies",
        "consumers.file",
        "insecureLiterals",
        "upstreams.*.*",
        "upstreams.*.*.url",
        "providers.*.*",
        "origins.*",
        "trustedRoots.file",
        "upgrade.socket",
        "admin",
        "admin.bind",
        "admin.key.env",
        "admin.key.file",
        "workers",
        "timeouts.head",
        "timeouts.keepAlive",
        "timeouts.shutdown",
        "timeouts.shutdownDelay",
        "limits.head",
        "limits.requestLine",
        "limits.responseFields",
        "limits.token",
        "limits.connections",
        "limits.connectionsPerAddress",
        "limits.bodyRate",
        "limits.streams",
        "limits.counters",
        "stores.*.kind",
        "stores.*.url",
        "stores.*.url.env",
        "stores.*.url.file",
        "stores.*.file",
        "stores.*.prefix",
        "stores.*.timeout",
        "stores.*.connectTimeout",
        "oauth.store",
        "oauth.signingKey.env",
        "oauth.signingKey.file",
        "oauth.templates",
        "oauth.cache",
        "session.secret.env",
        "session.secret.file",
        "session.idleTimeout",
        "session.absoluteTimeout",
        "accessLog",
    ]);
    if settings.problems.is_empty() { Ok(config) } else { Err(settings.problems) }
}

fn read_listeners(settings: &mut Settings) -> Vec<Listener> {
    let mut apis: BTreeMap<String, (Setting, Vec<(String, Place)>)> = BTreeMap::new();
    for (names, setting) in settings.take_all("listeners.*.apis") {
        let list =
            settings.list_with_places(&setting, "the name of an API: the stem of its document's file name", |text| {
                Some(text.to_owned())
            });
        apis.insert(names[0].clone(), (setting, list));
    }
    let mut tls = tls::read(settings);
    let mut listeners: Vec<Listener> = Vec::new();
    for (names, setting) in settings.take_all("listeners.*.bind") {
        let name = names[0].clone();
        let apis = apis.remove(&name).map(|(_, list)| list);
        let tls = tls.remove(&name);
        let Some(bind) = settings.parse(&setting, "an address such as 127.0.0.1:8080 or 0.0.0.0:8080", address) else {
            continue;
        };
        if let Some(twin) = listeners.iter().find(|listener| listener.bind == bind && bind.port() != 0) {
            settings.problems.push(Problem::at(
                &setting.place,
                format!("listeners `{}` and `{name}` have the same address {bind}", twin.name),
            ));
        }
        listeners.push(Listener { name, bind, apis, tls });
    }
    let without = apis.into_iter().map(|(name, (setting, _))| (name, setting.place));
    let without: BTreeMap<_, _> = tls.into_iter().map(|(name, tls)| (name, tls.place)).chain(without).collect();
    for (name, place) in without {
        settings
            .problems
            .push(Problem::at(&place, format!("listener `{name}` has no address; write `bind: \"127.0.0.1:8080\"`")));
    }
    listeners
}

fn read_stores(settings: &mut Settings) -> BTreeMap<String, StoreSettings> {
    let mut stores = BTreeMap::new();
    for (names, kind) in settings.take_all("stores.*.kind") {
        let name = &names[0];
        let mut store = StoreSettings {
            kind: StoreKind::Memory,
            url: None,
            file: None,
            prefix: "gateway".to_owned(),
            timeout: Duration::from_millis(50),
            connect_timeout: Duration::from_secs(1),
            place: kind.place.clone(),
        };
        for (member, place) in [
            ("url", StoreAddress::Literal as fn(String) -> StoreAddress),
            ("url.env", StoreAddress::Env),
            ("url.file", StoreAddress::File),
        ] {
            if let Some(setting) = settings.take(&format!("stores.{name}.{member}")) {
                store.url = settings.text(&setting).map(place);
                store.place = setting.place;
            }
        }
        if let Some(setting) = settings.take(&format!("stores.{name}.file")) {
            store.file = settings.text(&setting).map(PathBuf::from);
            store.place = setting.place;
        }
        const PREFIX: &str = "letters, digits, `-`, `_`, `.` and `:`";
        let is_prefix = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
        let prefix = |text: &str| (!text.is_empty() && is_prefix(text)).then(|| text.to_owned());
        read_into(settings, &format!("stores.{name}.prefix"), PREFIX, prefix, &mut store.prefix);
        const DURATION: &str = "a duration such as 50ms or 1s";
        read_into(settings, &format!("stores.{name}.timeout"), DURATION, duration, &mut store.timeout);
        read_into(settings, &format!("stores.{name}.connectTimeout"), DURATION, duration, &mut store.connect_timeout);
        let named = |text: &str| StoreKind::NAMES.iter().find(|(name, _)| *name == text).map(|(_, kind)| *kind);
        let Some(found) = settings.parse(&kind, "`memory`, `sqlite`, `postgres` or `redis`", named) else { continue };
        store.kind = found;
        match complaint(name, &store) {
            Some(message) => {
                let place = if store.url.is_some() { &store.place } else { &kind.place };
                settings.problems.push(Problem::at(place, message));
            }
            None => {
                stores.insert(name.clone(), store);
            }
        }
    }
    for pattern in ["stores.*.url", "stores.*.url.env", "stores.*.url.file"] {
        for (names, setting) in settings.take_all(pattern) {
            settings.problems.push(Problem::at(
                &setting.place,
                format!("store `{}` has no `kind`; write `kind: redis` or `kind: postgres` beside its URL", names[0]),
            ));
        }
    }
    for (names, setting) in settings.take_all("stores.*.file") {
        settings.problems.push(Problem::at(
            &setting.place,
            format!("store `{}` has no `kind`; write `kind: sqlite` beside its file", names[0]),
        ));
    }
    stores
}

/// What a store of its kind lacks, or has too much.
fn complaint(name: &str, store: &StoreSettings) -> Option<String> {
    if store.file.is_some() && store.kind != StoreKind::Sqlite {
        return Some(format!("store `{name}` is in no file; only `kind: sqlite` has a `file`"));
    }
    if let Some(StoreAddress::Literal(url)) = &store.url
        && has_password(url)
    {
        let variable = if store.kind == StoreKind::Postgres { "DATABASE_URL" } else { "REDIS_URL" };
        return Some(format!(
            "store `{name}`: its URL has a password, which does not belong here; write `url: {{env: {variable}}}`"
        ));
    }
    match (store.kind, store.url.is_some()) {
        (kind, true) if !kind.has_url() => {
            let what = if kind == StoreKind::Sqlite { "a file" } else { "this process itself" };
            Some(format!("store `{name}` is {what}: it has no `url`"))
        }
        (StoreKind::Redis, false) => Some(format!(
            "store `{name}` has no URL; write `url: {{env: REDIS_URL}}`, and there `redis://user:password@host`"
        )),
        (StoreKind::Postgres, false) => Some(format!(
            "store `{name}` has no URL; write `url: {{env: DATABASE_URL}}`, and there \
             `postgres://user:password@host/database`"
        )),
        _ => None,
    }
}

/// Whether a URL of a store holds its password: before the host, or among its parameters.
fn has_password(url: &str) -> bool {
    let (authority, query) =
        url.split_once("://").map_or((url, ""), |(_, rest)| rest.split_once('?').unwrap_or((rest, "")));
    let user = authority.split('/').next().unwrap_or_default().rsplit_once('@').map_or("", |(user, _)| user);
    let is_password = |pair: &str| pair.split_once('=').is_some_and(|(name, _)| name.eq_ignore_ascii_case("password"));
    user.split_once(':').is_some_and(|(_, password)| !password.is_empty()) || query.split('&').any(is_password)
}

fn read_oauth(settings: &mut Settings, defaults: OauthSettings) -> OauthSettings {
    let mut oauth = defaults;
    if let Some(setting) = settings.take("oauth.store") {
        oauth.store = settings.text(&setting).map(|name| (name, setting.place));
    }
    oauth.signing_key = secret(settings, "oauth.signingKey");
    if let Some(setting) = settings.take("oauth.templates") {
        oauth.templates = settings.text(&setting).map(|folder| (PathBuf::from(folder), setting.place));
    }
    read_into(
        settings,
        "oauth.cache",
        "a duration from 0s to 60s",
        |text| gateway_yaml::units::duration(text).ok().filter(|cache| *cache <= Duration::from_secs(60)),
        &mut oauth.cache,
    );
    oauth
}

fn read_session(settings: &mut Settings, defaults: SessionSettings) -> SessionSettings {
    let mut session = defaults;
    session.secret = secret(settings, "session.secret");
    const LONGEST: Duration = Duration::from_secs(400 * 86_400);
    let length = |text: &str| duration(text).filter(|length| (Duration::from_secs(1)..=LONGEST).contains(length));
    const LENGTH: &str = "a duration from 1s to 400d, such as 30m or 8h";
    read_into(settings, "session.idleTimeout", LENGTH, length, &mut session.idle);
    read_into(settings, "session.absoluteTimeout", LENGTH, length, &mut session.absolute);
    session
}

/// A secret, in a variable or in a file.
fn secret(settings: &mut Settings, path: &str) -> Option<SecretSetting> {
    let mut found = None;
    for (member, source) in [("env", SecretPlace::Env as fn(String) -> SecretPlace), ("file", SecretPlace::File)] {
        let Some(setting) = settings.take(&format!("{path}.{member}")) else { continue };
        let Some(text) = settings.text(&setting) else { continue };
        if found.is_some() {
            let message = format!("`{path}` has an `env` and a `file`; write one of them");
            settings.problems.push(Problem::at(&setting.place, message));
        }
        found = Some(SecretSetting { source: source(text), place: setting.place });
    }
    if let Some(setting) = settings.take(path) {
        // What stands there may be the secret: it is not repeated.
        let message = format!("expected `{path}: {{env: NAME}}` or `{path}: {{file: PATH}}`");
        settings.problems.push(Problem::at(&setting.place, message));
    }
    found
}

fn read_into<T>(settings: &mut Settings, path: &str, expected: &str, parse: impl Fn(&str) -> Option<T>, into: &mut T) {
    if let Some(setting) = settings.take(path)
        && let Some(value) = settings.parse(&setting, expected, parse)
    {
        *into = value;
    }
}

fn address(text: &str) -> Option<SocketAddr> {
    text.parse().ok()
}

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn duration(text: &str) -> Option<Duration> {
    gateway_yaml::units::duration(text).ok().filter(|duration| !duration.is_zero())
}

fn size(text: &str) -> Option<usize> {
    let bytes = gateway_yaml::units::size(text).ok()?;
    usize::try_from(bytes).ok().filter(|bytes| (1 << 10..=1 << 20).contains(bytes))
}

#[cfg(test)]
mod tests;
