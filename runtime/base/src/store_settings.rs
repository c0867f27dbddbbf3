//! The settings of stores: where each is and how it is reached.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::problem::{Problem, SettingPlace};
use crate::setting_values::{duration, read_into};
use crate::settings::Settings;

/// A place where limits are counted or things are remembered.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// What kind of store it is.
    pub kind: StoreKind,
    /// Where it is, for a server.
    pub url: Option<StoreAddress>,
    /// Where it is, for a file; relative to the folder of `gateway.yaml`.
    pub file: Option<PathBuf>,
    /// What all keys begin with.
    pub prefix: String,
    /// No request waits longer for an answer.
    pub timeout: Duration,
    /// For a connection, with TLS and authentication.
    pub connect_timeout: Duration,
    /// Where its URL or file was given, or else its kind; for problems that are found later.
    pub place: SettingPlace,
}

/// What a store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
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
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// Whether limits can be counted there.
    pub fn counts(self) -> bool {
        matches!(self, Self::Memory | Self::Redis)
    }

    /// Whether an authorization server can keep its things there.
    pub fn remembers(self) -> bool {
        !matches!(self, Self::Redis)
    }

    fn has_url(self) -> bool {
        matches!(self, Self::Redis | Self::Postgres)
    }
}

/// Where a store's URL is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreAddress {
    /// Here: it has no password.
    Literal(String),
    /// In the environment variable of this name.
    Env(String),
    /// In the file at this path, relative to the folder of `gateway.yaml`.
    File(String),
}

/// Reads `stores.*`, by name. A store with a mistake is left out, and the mistake added to the problems of `settings`.
pub fn read_stores(settings: &mut Settings) -> BTreeMap<String, StoreSettings> {
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
pub(crate) fn complaint(name: &str, store: &StoreSettings) -> Option<String> {
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
pub(crate) fn has_password(url: &str) -> bool {
    let (authority, query) =
        url.split_once("://").map_or((url, ""), |(_, rest)| rest.split_once('?').unwrap_or((rest, "")));
    let user = authority.split('/').next().unwrap_or_default().rsplit_once('@').map_or("", |(user, _)| user);
    let is_password = |pair: &str| pair.split_once('=').is_some_and(|(name, _)| name.eq_ignore_ascii_case("password"));
    user.split_once(':').is_some_and(|(_, password)| !password.is_empty()) || query.split('&').any(is_password)
}
