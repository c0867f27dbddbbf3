//! Counter stores of a deployment.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::config::Config;
use gateway_base::problem::Problem;
use gateway_base::secret::{Encoding, Secret, SecretError, SecretStore};
use gateway_base::setting_values::is_same_name;
use gateway_base::store_settings::{StoreAddress, StoreSettings};
use gateway_base::trust::TrustError;
use gateway_base::warn;
use gateway_limits::store::url::{StoreUrl, StoreUrlError};
use gateway_limits::store::{Store, StoreClient, StoreTerms, Stores};
use gateway_limits::tables::{Limit, LimitStore};
use gateway_proxy::tables::{Api, Gateway};

/// Makes ready to ask the stores that limits name, and those that consumers may name.
pub(crate) fn open_stores(gateway: &'static Gateway, config: &Config, secrets: &SecretStore) -> (Stores, Vec<Problem>) {
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
                warn!(format_args!("store {name}"), "configured but unused: no compiled limit has a `store`");
                stores.add_without_client(name);
            }
            Ok(store) => stores.add(name, store),
            Err(problem) => problems.push(Problem::at(&settings.place, format!("store `{name}`: {problem}"))),
        }
    }
    (stores, problems)
}

pub(crate) fn store_limits(gateway: &'static Gateway) -> impl Iterator<Item = (&'static Api, &'static Limit)> {
    gateway
        .apis
        .iter()
        .flat_map(|api| api.operations().flat_map(|operation| operation.limits).map(|used| (*api, used.limit)))
}

pub(crate) fn open_store(
    name: &str,
    settings: &StoreSettings,
    address: &StoreAddress,
    client: &dyn StoreClient,
    config: &Config,
    secrets: &SecretStore,
) -> Result<Arc<dyn Store>, StoreOpenError> {
    let url = match address {
        StoreAddress::Literal(url) => Secret::from(url.as_str()),
        StoreAddress::Env(name) => secrets.variable(name, Encoding::Plain).map_err(StoreOpenError::Secret)?,
        StoreAddress::File(path) => secrets.file(path, Encoding::Plain).map_err(StoreOpenError::Secret)?,
    };
    let url = std::str::from_utf8(url.expose()).map_err(|_| StoreOpenError::Encoding)?;
    let url = StoreUrl::parse(url).map_err(StoreOpenError::Url)?;
    let terms = StoreTerms {
        name: name.to_owned(),
        url,
        prefix: settings.prefix.clone(),
        timeout: settings.timeout,
        connect_timeout: settings.connect_timeout,
        trusted_roots: config.trusted_roots.as_ref().map(|file| secrets.folder.join(file)),
        workers: config.workers,
    };
    client.open(terms).map_err(StoreOpenError::Trust)
}

/// Why a store of this deployment cannot be asked.
#[derive(Debug)]
pub(crate) enum StoreOpenError {
    /// Its URL is a secret that is not there.
    Secret(SecretError),
    /// Its URL is not UTF-8.
    Encoding,
    /// Its URL is none of a store.
    Url(StoreUrlError),
    /// It is to be spoken to inside TLS, and nothing can be.
    Trust(TrustError),
}

impl fmt::Display for StoreOpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(error) => write!(f, "{error}"),
            Self::Encoding => f.write_str("its URL is not UTF-8"),
            Self::Url(error) => write!(f, "{error}"),
            Self::Trust(error) => write!(f, "{error}"),
        }
    }
}
