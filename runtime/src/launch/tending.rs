//! What runs beside the requests of a deployment.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::AbortHandle;

use crate::config::Config;
use gateway_base::count::count;
use gateway_base::file_state::{FileState, WATCH_INTERVAL, Watch};
use gateway_base::supervise::{Task, supervise};
use gateway_base::{error, info, warn};
use gateway_parties::store::ConsumerStore;
use gateway_proxy::deployment::Deployment;
use gateway_proxy::upstream::health::Checking;
use gateway_proxy::upstream::resolve;
use gateway_tls as tls;
#[cfg(feature = "acme")]
use gateway_tls::acme;

/// How long requests of a deployment that was replaced may still need what runs for it.
const AFTERLIFE: Duration = Duration::from_secs(120);

/// What runs beside the requests for one deployment.
pub(super) struct Tending {
    /// What requests need, such as the keys of providers: it goes on until the last request is done.
    needed: Vec<AbortHandle>,
    /// What follows files and certificates; stops when this is dropped.
    watching: Watching,
    /// Names are followed as long as requests may be sent to them; checks end when this is replaced.
    upstreams: Arc<UpstreamTending>,
}

/// What follows the names of upstreams and checks their endpoints.
pub(super) struct UpstreamTending {
    deployment: &'static Deployment,
    names: Mutex<AbortHandle>,
    checking: Mutex<Checking>,
}

impl UpstreamTending {
    fn start(deployment: &'static Deployment) -> Self {
        let names = follow_names(deployment);
        let checking = Checking::start(&deployment.clusters, deployment.check_terms());
        Self { deployment, names: Mutex::new(names), checking: Mutex::new(checking) }
    }

    /// Has what is described of the upstreams now count.
    pub(super) fn follow_descriptions(&self) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.abort();
        *names = follow_names(self.deployment);
        self.checking.lock().unwrap_or_else(PoisonError::into_inner).follow_descriptions();
    }

    fn end_checks(&self) {
        *self.checking.lock().unwrap_or_else(PoisonError::into_inner) = Checking::default();
    }

    fn end_names(&self) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).abort();
    }
}

fn follow_names(deployment: &'static Deployment) -> AbortHandle {
    let names = supervise(Task::UpstreamNames, move || resolve::follow(deployment.clusters.clone()));
    tokio::spawn(names).abort_handle()
}

struct Watching(Vec<AbortHandle>);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

impl Tending {
    /// Starts it; `folder` is where the files of the settings are.
    #[cfg_attr(not(feature = "acme"), expect(unused_variables, reason = "only ACME asks for them"))]
    pub(super) fn start(deployment: &'static Deployment, config: &Config, folder: PathBuf) -> Self {
        let needed = deployment.background.iter().filter_map(|task| Arc::clone(task).start()).collect();
        let watching = [
            tokio::spawn(supervise(Task::Consumers, move || watch_consumers(Arc::clone(&deployment.consumers)))),
            tokio::spawn(supervise(Task::Certificates, move || tls::reload::watch(deployment.tls()))),
        ];
        #[cfg(feature = "acme")]
        let watching = {
            let trusted_roots = config.trusted_roots.as_ref().map(|file| folder.join(file));
            let acme = tokio::spawn(acme::tend(deployment.tls(), trusted_roots, folder));
            watching.into_iter().chain([acme]).collect::<Vec<_>>()
        };
        let watching = Watching(watching.iter().map(tokio::task::JoinHandle::abort_handle).collect());
        Self { needed, watching, upstreams: Arc::new(UpstreamTending::start(deployment)) }
    }

    /// What goes on for the upstreams.
    pub(super) fn of_upstreams(&self) -> Arc<UpstreamTending> {
        Arc::clone(&self.upstreams)
    }

    /// For a deployment that another has taken the place of.
    pub(super) fn end(self) {
        drop(self.watching);
        // Requests that are under way have their endpoints.
        self.upstreams.end_checks();
        tokio::spawn(async move {
            tokio::time::sleep(AFTERLIFE).await;
            self.needed.iter().for_each(AbortHandle::abort);
            self.upstreams.end_names();
        });
    }
}

/// Reads `consumers.yaml` again when it changes, and on SIGHUP.
async fn watch_consumers(consumers: Arc<ConsumerStore>) {
    // The signal is caught since the start; this is one more listener.
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
    let Some(file) = consumers.file().map(std::path::Path::to_path_buf) else {
        // Nothing to read again; the signal is no reason to end.
        while hangup.recv().await.is_some() {}
        return;
    };
    let mut watch = Watch::new(consumers.first_state());
    loop {
        let asked = tokio::time::timeout(WATCH_INTERVAL, hangup.recv()).await.is_ok();
        if !watch.is_due(FileState::of(&file), asked) {
            continue;
        }
        let store = Arc::clone(&consumers);
        match tokio::task::spawn_blocking(move || store.reload()).await {
            Ok(Ok((number, remarks))) => {
                remarks.iter().for_each(|remark| warn!("consumers", "{remark}"));
                info!("consumers", "{} has {} now", file.display(), count(number, "consumer"));
            }
            Ok(Err(problems)) => {
                problems.iter().for_each(|problem| error!("consumers", "{problem}"));
                error!("consumers", "the current consumers are kept");
            }
            Err(_) => error!("consumers", "{} could not be read; the current consumers are kept", file.display()),
        }
    }
}
