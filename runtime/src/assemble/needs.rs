//! What the documents need of a deployment: TLS, consumers, a store for authorization servers.

use std::collections::HashSet;
use std::sync::Arc;

use crate::assemble::authorities::authorities;
use crate::config::Config;
use gateway_base::jose::token_keys::TokenKeys;
use gateway_base::problem::Problem;
use gateway_base::secret::SecretStore;
use gateway_base::setting_values::is_same_name;
use gateway_base::warn;
use gateway_limits::counters::Limits;
#[cfg(feature = "oauth")]
use gateway_oauth::server::ServerSettings;
use gateway_parties::source::Source;
use gateway_parties::store::ConsumerStore;
#[cfg(feature = "oauth")]
use gateway_parties::store_place::{OauthStoreSettings, StorePlace};
use gateway_proxy::tables::{Action, Api, Gateway};
use gateway_tls::Tls;

/// The store that authorization servers use, where there is one of a name.
pub(crate) fn store_of_authorities<'a>(gateway: &Gateway, config: &'a Config) -> Option<&'a str> {
    if authorities(gateway).is_empty() {
        return None;
    }
    config.oauth_store().ok().flatten().map(|(name, _)| name)
}

/// The certificates of each listener, and what is wrong with them.
pub(crate) fn open_tls(config: &Config, secrets: &SecretStore) -> (Vec<Option<Tls>>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut open = |listener: &gateway_proxy::settings::Listener| match Tls::open(listener.tls.as_ref()?, secrets) {
        Ok(tls) => {
            for remark in tls.remarks() {
                warn!(format_args!("listener {}", listener.name), "{remark}; clients will not trust it");
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
pub(crate) fn open_consumers(
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
                warn!("consumers", "{remark}");
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

/// Why a setting below `setting.<api>.<name>` reaches nothing, if so.
pub(crate) fn unreached(
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

/// Settings about upstreams that no document has.
pub(crate) fn unreached_upstreams(gateway: &'static Gateway, config: &Config) -> Vec<Problem> {
    let known = |api: &Api| api.upstreams.iter().map(|upstream| upstream.name).collect();
    let settings = config.upstreams.iter().map(|((api, upstream), (_, place))| (api, upstream, place));
    let unknown = settings.filter_map(|(api, upstream, place)| {
        let problem = unreached(gateway, "upstreams", ["upstream", ""], (api, upstream), known)?;
        Some(Problem::at(place, problem))
    });
    unknown.collect()
}

/// What the deployment decides for its authorization servers; if it `is_dry`, nothing is to be opened.
#[cfg(feature = "oauth")]
pub(crate) fn oauth_settings(config: &Config, secrets: &SecretStore, is_dry: bool) -> ServerSettings {
    let place = |settings| if is_dry { OauthStoreSettings { place: StorePlace::Memory, ..settings } } else { settings };
    ServerSettings {
        store: config.oauth_store_settings(secrets).map(place),
        terms: config.oauth.clone(),
        session: config.session.clone(),
        admin_key: config.admin_key.clone(),
    }
}
