//! What becomes of settings that change while the gateway runs: those of upstreams are applied, others need a restart.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::signal::unix::Signal;

use crate::assemble::endpoints::{self, EndpointError};
use crate::assemble::needs::unreached_upstreams;
use crate::config::upstreams::UpstreamSetting;
use crate::config::{Config, is_of_upstream};
use crate::launch::tending::UpstreamTending;
use gateway_access::outgoing::Providers;
use gateway_base::count::count;
use gateway_base::problem::Problem;
use gateway_base::secret::SecretStore;
use gateway_base::{error, info, warn};
use gateway_proxy::contested::partition;
use gateway_proxy::deployment::Deployment;
use gateway_proxy::tables::{Gateway, Upstream};
use gateway_proxy::upstream::Endpoint;
use gateway_proxy::upstream::cluster::Cluster;

/// Reads settings, and says where secrets are.
pub(super) type ReadSettings = Arc<dyn Fn() -> Result<(Config, SecretStore), Vec<Problem>> + Send + Sync>;

/// Reads the settings again on SIGHUP.
#[derive(Clone)]
pub(super) struct SettingsWatcher {
    read: ReadSettings,
    /// Those in force.
    current: Arc<Mutex<Config>>,
    gateway: &'static Gateway,
    deployment: &'static Deployment,
    tending: Arc<UpstreamTending>,
    hangup: Arc<tokio::sync::Mutex<Signal>>,
}

impl SettingsWatcher {
    /// For a gateway that was started with these settings. `hangup` has been listening since before it was ready.
    pub(super) fn new(
        read: ReadSettings,
        config: &Config,
        gateway: &'static Gateway,
        deployment: &'static Deployment,
        tending: Arc<UpstreamTending>,
        hangup: Signal,
    ) -> Self {
        let (current, hangup) = (Arc::new(Mutex::new(config.clone())), Arc::new(tokio::sync::Mutex::new(hangup)));
        Self { read, current, gateway, deployment, tending, hangup }
    }

    /// Waits for SIGHUP, again and again.
    pub(super) async fn watch(self) {
        let mut hangup = self.hangup.lock().await;
        while hangup.recv().await.is_some() {
            let watcher = self.clone();
            match tokio::task::spawn_blocking(move || watcher.read_again()).await {
                Ok(Ok(0)) => {}
                Ok(Ok(changed)) => {
                    self.tending.follow_descriptions();
                    info!("settings", "{} changed", count(changed, "upstream"));
                }
                Ok(Err(problems)) => {
                    problems.iter().for_each(|problem| error!("settings", "{problem}"));
                    error!("settings", "the new settings are invalid; the gateway keeps the current ones");
                }
                Err(_) => error!("settings", "the settings could not be reloaded"),
            }
        }
    }

    /// Applies what has changed of upstreams, and says what else has. Gives the number of upstreams.
    ///
    /// # Errors
    /// Everything that is wrong with the new settings; nothing is applied then.
    fn read_again(&self) -> Result<usize, Vec<Problem>> {
        let (newer, secrets) = (self.read)()?;
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = current.changed_settings(&newer);
        let (of_upstreams, others): (Vec<&str>, Vec<&str>) = changed.into_iter().partition(|path| is_of_upstream(path));
        tell_of_restart(&others);
        if of_upstreams.is_empty() {
            return Ok(0);
        }
        let changes = self.changes(&current, &newer, &secrets)?;
        let number = changes.len();
        for Change { cluster, upstream, endpoints } in changes {
            cluster.describe_anew(upstream, endpoints);
        }
        current.take_upstreams(&newer);
        Ok(number)
    }

    /// What the new settings make of the upstreams of which they say something else.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    fn changes(&self, current: &Config, newer: &Config, secrets: &SecretStore) -> Result<Vec<Change>, Vec<Problem>> {
        let mut problems = unreached_upstreams(self.gateway, newer);
        let providers = Providers::new(newer.trusted_roots.as_ref().map(|file| secrets.folder.join(file)));
        let mut changes = Vec::new();
        for cluster in &self.deployment.clusters {
            let of = |config: &Config| config.upstream(cluster.api, cluster.document.name).map(|(it, _)| it.clone());
            if said(of(current)) == said(of(newer)) {
                continue;
            }
            let setting = newer.upstream(cluster.api, cluster.document.name);
            let upstream = setting.map_or(cluster.document, |(setting, _)| setting.over(cluster.document));
            let found = endpoints::of(upstream, &providers, secrets).and_then(|endpoints| {
                let way = |endpoints: &[Endpoint]| endpoints.first().map(|one| (one.prefix.clone(), one.is_http2));
                if way(&endpoints) == way(cluster.described().endpoints) {
                    Ok(endpoints)
                } else {
                    Err(EndpointError::OtherRequests)
                }
            });
            match found {
                Ok(endpoints) => changes.push(Change { cluster: Arc::clone(cluster), upstream, endpoints }),
                Err(problem) => {
                    let message = format!("upstream `{}` of API `{}`: {problem}", cluster.document.name, cluster.api);
                    problems.push(match setting {
                        Some((_, place)) => Problem::at(place, message),
                        None => Problem::plain(message),
                    });
                }
            }
        }
        problems.extend(self.regrouped(&changes));
        if problems.is_empty() { Ok(changes) } else { Err(problems) }
    }

    /// Upstreams that would be one server, or would be one no longer: what their paths are checked for was decided at the
    /// start.
    fn regrouped(&self, changes: &[Change]) -> Option<Problem> {
        let clusters = &self.deployment.clusters;
        let endpoints_of = |cluster: &Arc<Cluster>| -> &[Endpoint] {
            let change = changes.iter().find(|change| Arc::ptr_eq(&change.cluster, cluster));
            change.map_or(cluster.described().endpoints, |change| &change.endpoints)
        };
        let before = partition(clusters.iter().map(|cluster| cluster.described().endpoints));
        let after = partition(clusters.iter().map(endpoints_of));
        let at = before.iter().zip(&after).position(|(before, after)| before != after)?;
        let name = |cluster: &Cluster| format!("`{}` of API `{}`", cluster.document.name, cluster.api);
        let other = if after[at] == at { before[at] } else { after[at] };
        Some(Problem::plain(format!(
            "the upstreams {} and {} {} an address now, which decides what their paths are checked for; that needs a \
             restart or an upgrade",
            name(&clusters[other]),
            name(&clusters[at]),
            if after[at] == at { "do not share" } else { "share" },
        )))
    }
}

/// Another description of an upstream.
struct Change {
    cluster: Arc<Cluster>,
    upstream: &'static Upstream,
    endpoints: Box<[Endpoint]>,
}

fn tell_of_restart(paths: &[&str]) {
    if paths.is_empty() {
        return;
    }
    let shown: Vec<String> = paths.iter().map(|path| format!("`{path}`")).collect();
    let verb = if paths.len() == 1 { "has changed and needs" } else { "have changed and need" };
    warn!(
        "settings",
        "{} {verb} a restart or an upgrade; until then the gateway keeps the current settings",
        shown.join(", ")
    );
}

/// What is said of an upstream, without its place.
fn said(setting: Option<UpstreamSetting>) -> String {
    format!("{:?}", setting.map(|UpstreamSetting { endpoints, members, place: _ }| (endpoints, members)))
}
