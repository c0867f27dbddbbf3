//! From tables and settings to a serving process, and to its end.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::Poll;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::admin::{self, Admin};
use crate::codegen::Gateway;
use crate::config::{Config, Problem, Sources};
use crate::consumers::{ConsumerStore, FileState};
use crate::live::Live;
use crate::metrics::ProcessMetrics;
use crate::secret::SecretStore;
use crate::server::Server;

/// How often `consumers.yaml` is looked at.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// How to start a gateway.
#[derive(Debug, Default)]
pub struct Launch {
    /// `gateway.yaml`, if there is one.
    pub config: Option<PathBuf>,
    /// `PATH=VALUE`, overriding the file and the environment.
    pub settings: Vec<String>,
    /// Values for environment variables that secrets refer to and that are not set. For demonstrations and tests.
    pub stand_in_secrets: Vec<(String, String)>,
}

/// A gateway that accepts connections.
#[derive(Debug)]
pub struct Ready {
    /// The listeners, by name.
    pub listeners: Vec<(String, SocketAddr)>,
    /// The operators' listener.
    pub admin: Option<SocketAddr>,
}

impl Launch {
    /// Serves until SIGTERM or SIGINT, then finishes what runs; `on_ready` is called once connections are accepted.
    ///
    /// Everything that is missing or wrong is told together on standard error, before a socket is opened.
    pub fn serve(self, gateway: &'static Gateway, on_ready: impl FnOnce(&Ready)) -> ExitCode {
        match self.start(gateway, on_ready) {
            Ok(()) => ExitCode::SUCCESS,
            Err(problems) => refuse(&problems),
        }
    }

    fn start(self, gateway: &'static Gateway, on_ready: impl FnOnce(&Ready)) -> Result<(), Vec<Problem>> {
        let plain = |what: &str, error: std::io::Error| vec![Problem::plain(format!("{what}: {error}"))];
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| plain("no runtime can be started", error))?;
        // First of all: a signal that comes while the deployment is being read must not kill the process.
        let signals = {
            let _entered = runtime.enter();
            Signals::new().map_err(|error| plain("signals cannot be received", error))?
        };
        let live = self.assemble(gateway)?;
        let result = runtime.block_on(run(live, signals, on_ready));
        // A file that does not end (a pipe, say) may still be being read: nobody waits for it.
        runtime.shutdown_background();
        result
    }

    /// Checks settings and secrets, and opens nothing.
    pub fn check(self, gateway: &'static Gateway) -> ExitCode {
        match self.assemble(gateway) {
            Ok(live) => {
                let operations = live.operations().count();
                eprintln!("gateway: {} listeners, {operations} operations, nothing missing", live.listeners.len());
                ExitCode::SUCCESS
            }
            Err(problems) => refuse(&problems),
        }
    }

    fn assemble(self, gateway: &'static Gateway) -> Result<Live, Vec<Problem>> {
        let (config, secrets) = self.settings()?;
        Live::assemble(gateway, config, secrets)
    }

    /// This deployment's settings, and where its secrets are.
    pub(crate) fn settings(&self) -> Result<(Config, SecretStore), Vec<Problem>> {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("GATEWAY__"))
            .collect();
        let sources = Sources { file: self.config.clone(), environment, flags: self.settings.clone() };
        let secrets =
            SecretStore { folder: sources.folder(), stand_ins: self.stand_in_secrets.clone(), pretends: false };
        Ok((sources.read()?, secrets))
    }
}

fn refuse(problems: &[Problem]) -> ExitCode {
    for problem in problems {
        eprintln!("gateway: {problem}");
    }
    ExitCode::FAILURE
}

async fn run(live: Live, mut signals: Signals, on_ready: impl FnOnce(&Ready)) -> Result<(), Vec<Problem>> {
    // The tables live as long as the process, and so does what is made of them: no reference is counted per request.
    let live: &'static Live = Box::leak(Box::new(live));
    let process = Arc::new(ProcessMetrics::default());
    let admin_listener = match live.config.admin {
        Some(address) => match admin::open(address).await {
            Ok(listener) => Some(listener),
            Err(problem) if live.config.admin_was_asked_for => return Err(vec![problem]),
            Err(problem) => {
                eprintln!("gateway: no metrics and health: {problem}");
                None
            }
        },
        None => None,
    };
    let server = Server::start(live, &process)?;
    for task in &live.background {
        Arc::clone(task).start();
    }
    let ready = Ready {
        listeners: server.addresses.iter().map(|(name, address)| (name.to_string(), *address)).collect(),
        admin: admin_listener.as_ref().and_then(|listener| listener.local_addr().ok()),
    };
    let admin = Arc::new(Admin { live, process, ready: AtomicBool::new(true) });
    if let Some(listener) = admin_listener {
        tokio::spawn(admin::serve(Arc::clone(&admin), listener));
    }
    on_ready(&ready);
    let watching = tokio::spawn(watch_consumers(Arc::clone(&live.consumers), signals.hangup));
    Signals::first(&mut signals.terminate, &mut signals.interrupt).await;
    watching.abort();
    admin.ready.store(false, Relaxed);
    // The operators' listener goes on telling what happens until the last request is done.
    let _ = tokio::task::spawn_blocking(move || server.stop()).await;
    Ok(())
}

/// Reads `consumers.yaml` again when it changes, and on SIGHUP.
async fn watch_consumers(consumers: Arc<ConsumerStore>, mut hangup: Signal) {
    let Some(file) = consumers.file().map(std::path::Path::to_path_buf) else {
        // Nothing to read again; the signal is no reason to end.
        while hangup.recv().await.is_some() {}
        return;
    };
    let mut known = consumers.first_state();
    let mut pending = None;
    loop {
        let asked = tokio::time::timeout(WATCH_INTERVAL, hangup.recv()).await.is_ok();
        let now = FileState::of(&file);
        if !asked && now == known {
            continue;
        }
        // Somebody may still be writing: wait until it looks the same twice.
        if !asked && pending.replace(now) != Some(now) {
            continue;
        }
        known = now;
        pending = None;
        let store = Arc::clone(&consumers);
        match tokio::task::spawn_blocking(move || store.reload()).await {
            Ok(Ok((count, remarks))) => {
                remarks.iter().for_each(|remark| eprintln!("gateway: {remark}"));
                eprintln!("gateway: {} has {count} consumers now", file.display());
            }
            Ok(Err(problems)) => {
                problems.iter().for_each(|problem| eprintln!("gateway: {problem}"));
                eprintln!("gateway: the consumers stay as they were");
            }
            Err(_) => eprintln!("gateway: {} could not be read; the consumers stay as they were", file.display()),
        }
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits until one of the two comes.
    async fn first(one: &mut Signal, other: &mut Signal) {
        std::future::poll_fn(|cx| {
            if one.poll_recv(cx).is_ready() || other.poll_recv(cx).is_ready() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}
