//! From tables and settings to a serving process, and to its end.

pub(crate) mod live;
mod settings;
mod tending;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::admin::{self, Admin};
use crate::assemble;
use crate::config::Config;
use crate::config::sources::Sources;
use crate::launch::live::{Replacement, Replacements};
use crate::launch::settings::SettingsWatcher;
use crate::launch::tending::Tending;
use gateway_base::count::count;
use gateway_base::operator_log;
use gateway_base::problem::Problem;
use gateway_base::say;
use gateway_base::secret::SecretStore;
use gateway_base::supervise::{Task, supervise, supervise_thread};
use gateway_base::{error, info, warn};
use gateway_proxy::deployment::Deployment;
use gateway_proxy::handover::{self, Inherited, Waiting};
use gateway_proxy::metrics::ProcessMetrics;
use gateway_proxy::server::{Replacer, Server};
use gateway_proxy::tables::Gateway;
use gateway_proxy::upstream::url::parse_url;

/// How to start a gateway.
#[derive(Debug, Default, Clone)]
pub struct Launch {
    /// `gateway.yaml`, if there is one.
    pub config: Option<PathBuf>,
    /// `PATH=VALUE`, overriding the file and the environment.
    pub settings: Vec<String>,
    /// Take the listening sockets of the gateway that runs, and let it finish.
    pub upgrade: bool,
    /// Values for environment variables that secrets refer to and that are not set. For demonstrations and tests.
    pub stand_in_secrets: Vec<(String, String)>,
}

/// A gateway that accepts connections.
#[derive(Debug)]
pub struct Ready {
    /// The listeners, by name.
    pub listeners: Vec<(String, SocketAddr)>,
    /// Those without TLS.
    pub plain: Vec<SocketAddr>,
    /// The operators' listener.
    pub admin: Option<SocketAddr>,
}

/// Where an upstream is in a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamAddress {
    /// The API that it belongs to.
    pub api: String,
    /// Its name in the document.
    pub upstream: String,
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// What a deployment is without having been opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// What is missing or wrong, one text each.
    pub problems: Vec<String>,
    /// The files that documents, settings and consumers name for secrets and keys, whether they are there or not.
    pub files: Vec<PathBuf>,
}

fn texts(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

impl Ready {
    /// Logs the addresses.
    pub fn announce(&self) {
        for (name, address) in &self.listeners {
            info!("gateway", "listening on {address} ({name})");
        }
        if let Some(admin) = self.admin {
            info!("gateway", "metrics and health on {admin}");
        }
    }
}

impl Launch {
    /// Serves until SIGTERM or SIGINT, or until a successor serves, then finishes what runs; `on_ready` is called once
    /// connections are accepted.
    ///
    /// Everything that is missing or wrong is reported together on standard error, before a socket is opened.
    pub fn serve(self, gateway: &'static Gateway, on_ready: impl FnOnce(&Ready)) -> ExitCode {
        ended(self.start(gateway, on_ready, None))
    }

    /// As [`Launch::serve`]; what `replacements` brings takes the place of `gateway`, on the connections that are open as
    /// well.
    pub fn serve_live(
        self,
        gateway: &'static Gateway,
        on_ready: impl FnOnce(&Ready),
        replacements: Replacements,
    ) -> ExitCode {
        ended(self.start(gateway, on_ready, Some(replacements)))
    }

    fn start(
        self,
        gateway: &'static Gateway,
        on_ready: impl FnOnce(&Ready),
        replacements: Option<Replacements>,
    ) -> Result<(), Vec<Problem>> {
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
        let upgrade = self.upgrade;
        let succession = Succession { upgrade, folder: self.sources().folder(), program: program_as_started() };
        let descriptors = raise_descriptor_limit();
        let Prepared { deployment, config, reduced_to } = self.prepare(gateway, descriptors)?;
        if let Some(most) = reduced_to {
            warn!(
                "gateway",
                "open-file limit {descriptors} allows {most} client connections; `limits.connections` is reduced (raise `ulimit -n`)"
            );
        }
        let start = Start { gateway, deployment, config, launch: self, descriptors, succession, replacements };
        let result = runtime.block_on(run(start, signals, on_ready));
        // A file that does not end (a pipe, say) may still be being read: do not wait for it.
        runtime.shutdown_background();
        result
    }

    /// Checks settings and secrets, and opens nothing.
    pub fn check(self, gateway: &'static Gateway) -> ExitCode {
        let checked = self.assemble_dry(gateway);
        match checked {
            Ok(deployment) => {
                let operations = deployment.operations().count();
                let listeners = count(deployment.listeners.len(), "listener");
                say!("{listeners}, {}, nothing missing", count(operations, "operation"));
                ExitCode::SUCCESS
            }
            Err(problems) => report(&problems),
        }
    }

    /// What is missing or wrong for `gateway` to be served; opens nothing.
    #[must_use]
    pub fn examine(&self, gateway: &'static Gateway) -> Examined {
        let (config, secrets) = match self.settings() {
            Ok(settings) => settings,
            Err(problems) => return Examined { problems: texts(&problems), files: Vec::new() },
        };
        let asked = secrets.asked.clone();
        let problems = assemble::assemble(gateway, &config, secrets, true).err().unwrap_or_default();
        Examined { problems: texts(&problems), files: asked.all() }
    }

    /// Where upstreams are in this deployment: each by its API, its name and the URL of the document. Those whose address
    /// cannot be read, or is in SRV records, are left out.
    #[must_use]
    pub fn upstreams<'u>(&self, upstreams: impl Iterator<Item = (&'u str, &'u str, &'u str)>) -> Vec<UpstreamAddress> {
        let config = self.settings().map(|(config, _)| config).ok();
        let address = |(api, upstream, url): (&str, &str, &str)| {
            let set = config.as_ref().and_then(|config| config.upstream(api, upstream));
            let first = set.and_then(|(setting, _)| setting.endpoints.first());
            let (endpoint, _) = parse_url(first.map_or(url, |endpoint| endpoint.url)).ok()?;
            if endpoint.service.is_some() {
                return None;
            }
            Some(UpstreamAddress {
                api: api.to_owned(),
                upstream: upstream.to_owned(),
                host: endpoint.host.trim_matches(['[', ']']).to_owned(),
                port: endpoint.port,
            })
        };
        upstreams.filter_map(address).collect()
    }

    /// The same with the `gateway.yaml` of this folder, if no other file is named and it is there by now.
    #[must_use]
    pub fn with_file_here(mut self) -> Self {
        self.config = self.config.or_else(|| Some(PathBuf::from("gateway.yaml")).filter(|file| file.exists()));
        self
    }

    /// The file of consumers that the settings name, if they can be read.
    #[must_use]
    pub fn consumers_file(&self) -> Option<PathBuf> {
        let (config, secrets) = self.settings().ok()?;
        config.consumers.map(|file| secrets.folder.join(file))
    }

    fn assemble_dry(&self, gateway: &'static Gateway) -> Result<Deployment, Vec<Problem>> {
        let (config, secrets) = self.settings()?;
        assemble::assemble(gateway, &config, secrets, true)
    }

    /// Puts tables and settings together. What is made of them lives as long as the process: no reference is counted
    /// per request.
    ///
    /// # Errors
    /// Everything that is missing or wrong.
    fn prepare(&self, gateway: &'static Gateway, descriptors: u64) -> Result<Prepared, Vec<Problem>> {
        let (config, secrets) = self.settings()?;
        let config: &'static Config = Box::leak(Box::new(config));
        operator_log::set_format(config.logs);
        let mut deployment = assemble::assemble(gateway, config, secrets, false)?;
        let reduced_to = deployment.fit_connections(descriptors);
        Ok(Prepared { deployment: Box::leak(Box::new(deployment)), config, reduced_to })
    }

    /// This deployment's settings, and where its secrets are.
    pub(crate) fn settings(&self) -> Result<(Config, SecretStore), Vec<Problem>> {
        let sources = self.sources();
        let secrets = SecretStore {
            folder: sources.folder(),
            stand_ins: self.stand_in_secrets.clone(),
            ..SecretStore::default()
        };
        Ok((sources.read()?, secrets))
    }

    fn sources(&self) -> Sources {
        let environment = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.into_string().ok()))
            .filter(|(name, _)| name.starts_with("GATEWAY__"))
            .collect();
        Sources { file: self.config.clone(), environment, flags: self.settings.clone() }
    }
}

/// Tables and settings put together.
struct Prepared {
    deployment: &'static Deployment,
    config: &'static Config,
    /// The number of connections that there are files for, where it is smaller than configured.
    reduced_to: Option<usize>,
}

/// What came before this process, and what comes after it.
struct Succession {
    upgrade: bool,
    /// The folder that the path of the upgrade socket starts at.
    folder: PathBuf,
    /// The path of this program when it was started; another file may be there now.
    program: Option<PathBuf>,
}

impl Succession {
    fn inherited(&self, socket: Option<&Path>) -> Result<Inherited, Vec<Problem>> {
        if !self.upgrade {
            return Inherited::from_systemd()
                .map_err(|error| vec![Problem::plain(format!("systemd passed no listening socket: {error}"))]);
        }
        let Some(socket) = socket else {
            return Err(vec![Problem::plain(
                "--upgrade needs to know where the running gateway waits; write `upgrade: {socket: /run/gateway/upgrade.sock}` \
                 in gateway.yaml, for both",
            )]);
        };
        Inherited::from_predecessor(socket).map_err(|error| {
            vec![Problem::plain(format!("no gateway hands over its sockets at {}: {error}", socket.display()))]
        })
    }
}

/// One descriptor per client and one per upstream connection: what the system allows, not what it gives by default.
/// Says how many they are now.
fn raise_descriptor_limit() -> u64 {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Logs what a gateway ended for.
fn ended(result: Result<(), Vec<Problem>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problems) => {
            problems.iter().for_each(|problem| error!("gateway", "{problem}"));
            ExitCode::FAILURE
        }
    }
}

fn report(problems: &[Problem]) -> ExitCode {
    problems.iter().for_each(|problem| say!("{problem}"));
    ExitCode::FAILURE
}

/// What serving begins with.
struct Start {
    gateway: &'static Gateway,
    deployment: &'static Deployment,
    config: &'static Config,
    launch: Launch,
    /// How many files this process may have open.
    descriptors: u64,
    succession: Succession,
    /// Where other tables come from, if the gateway takes them.
    replacements: Option<Replacements>,
}

async fn run(start: Start, signals: Signals, on_ready: impl FnOnce(&Ready)) -> Result<(), Vec<Problem>> {
    let Signals { stop: mut stop_signals, hangup } = signals;
    let Start { gateway, deployment, config, launch, descriptors, succession, replacements } = start;
    let process = Arc::new(ProcessMetrics::default());
    let upgrade_socket = config.upgrade_socket.as_ref().map(|path| succession.folder.join(path));
    let mut inherited = succession.inherited(upgrade_socket.as_deref())?;
    let admin_listener = open_admin(config, &mut inherited).await?;
    let server = Server::start(deployment, &process, &mut inherited)?;
    if let (Some(listener), Ok(mut sockets)) = (&admin_listener, server.sockets.lock()) {
        sockets.extend(listener.try_clone().ok().map(|copy| (Arc::from(handover::ADMIN), copy)));
    }
    for address in inherited.left() {
        info!("upgrade", "listener at {address} closed");
    }
    let ready = Ready {
        listeners: server.addresses.iter().map(|(name, address)| (name.to_string(), *address)).collect(),
        plain: plain_addresses(deployment, &server),
        admin: admin_listener.as_ref().and_then(|listener| listener.local_addr().ok()),
    };
    let admin = Arc::new(Admin::new(deployment, process));
    let operators =
        admin_listener.and_then(|listener| tokio::net::TcpListener::from_std(listener).ok()).map(|listener| {
            let (admin, listener) = (Arc::clone(&admin), Arc::new(listener));
            tokio::spawn(supervise(Task::Admin, move || admin::serve(Arc::clone(&admin), Arc::clone(&listener))))
        });
    let (waiting, mut replaced) = await_successor(upgrade_socket.as_deref(), &server);
    if inherited.serving().is_err() {
        warn!("upgrade", "previous gateway exited before the handover completed");
    }
    // An upgrade that systemd did not start itself: the service is this process from now on.
    let _ = sd_notify::notify(&[NotifyState::Ready, NotifyState::MainPid(std::process::id())]);
    on_ready(&ready);
    let tending = Tending::start(deployment, config, succession.folder.clone());
    let beside = match replacements {
        None => {
            let watcher = SettingsWatcher::new(
                Arc::new(move || launch.settings()),
                config,
                gateway,
                deployment,
                tending.of_upstreams(),
                hangup,
            );
            let watching = supervise(Task::Settings, move || watcher.clone().watch());
            tokio::spawn(async move {
                let _tending = tending;
                watching.await;
            })
        }
        Some(replacements) => {
            let (admin, replacer) = (Arc::clone(&admin), server.replacer());
            let replacing = Replacing { launch, config, descriptors, replacer, admin };
            tokio::spawn(replace_tables(replacements, replacing, tending))
        }
    };
    let ending = loop {
        match stop_signals.next(&mut replaced).await {
            Ending::Upgrade => start_successor(succession.program.as_deref(), upgrade_socket.is_some()),
            ending => break ending,
        }
    };
    beside.abort();
    admin.ready.store(false, Relaxed);
    if let Ending::Replaced = ending {
        info!("upgrade", "handover completed: the new gateway serves; this one finishes its open requests");
        // Operators must see the new one.
        operators.inspect(|task| task.abort());
    } else {
        let _ = sd_notify::notify(&[NotifyState::Stopping]);
        if let Ending::Terminated = ending {
            // Load balancers must learn of it first; a second signal skips the delay.
            let delay = config.timeouts.shutdown_delay;
            let _ = tokio::time::timeout(delay, stop_signals.next_end()).await;
        }
    }
    // The operators' listener serves until the last request is done.
    let finished = tokio::task::spawn_blocking(move || server.stop());
    let _ = finished.await;
    if let Some(waiting) = waiting {
        waiting.leave();
    }
    Ok(())
}

/// The addresses of the listeners without TLS.
fn plain_addresses(deployment: &Deployment, server: &Server) -> Vec<SocketAddr> {
    let listeners = deployment.listeners.iter().zip(&server.addresses);
    listeners.filter(|(listener, _)| listener.tls.is_none()).map(|(_, (_, address))| *address).collect()
}

/// Settings, or groups of them, that are applied at the start only.
const AT_START: &[&str] = &["accessLog", "admin", "logs", "upgrade", "workers"];

/// Says which changed settings the new tables do not bring with them.
fn warn_of_restart(first: &Config, now: &Config) {
    let changed = first.changed_settings(now);
    let of_start =
        |path: &&&str| AT_START.contains(&path.split('.').next().unwrap_or_default()) && **path != "admin.key";
    let changed: Vec<String> = changed.iter().filter(of_start).map(|path| format!("`{path}`")).collect();
    if !changed.is_empty() {
        warn!("settings", "applied at the start only, and changed since: {}; restart the gateway", changed.join(", "));
    }
}

/// What it takes to give a running gateway other tables.
struct Replacing {
    launch: Launch,
    /// The settings that it was started with.
    config: &'static Config,
    descriptors: u64,
    replacer: Replacer,
    admin: Arc<Admin>,
}

/// Does what `replacements` asks for, until the other end is dropped.
async fn replace_tables(mut replacements: Replacements, replacing: Replacing, mut tending: Tending) {
    let Replacing { launch, config: first, descriptors, replacer, admin } = replacing;
    while let Some(Replacement { gateway, outcome }) = replacements.next().await {
        let prepared = {
            let launch = launch.clone().with_file_here();
            tokio::task::spawn_blocking(move || launch.prepare(gateway, descriptors)).await
        };
        let result = match prepared {
            Ok(Ok(Prepared { deployment, config, .. })) => match replacer.replace(deployment).await {
                Ok(()) => {
                    admin.serve_for(deployment);
                    warn_of_restart(first, config);
                    let next = Tending::start(deployment, config, launch.sources().folder());
                    std::mem::replace(&mut tending, next).end();
                    Ok(())
                }
                Err(other) => Err(vec![Problem::plain(other.to_string())]),
            },
            Ok(Err(problems)) => Err(problems),
            Err(_) => Err(vec![Problem::plain("the new tables could not be prepared")]),
        };
        let _ = outcome.send(result);
    }
    // The gateway goes on with what it has.
    std::future::pending::<()>().await;
    drop(tending);
}

/// Opens the operators' listener, unless it is inherited or there is none.
async fn open_admin(config: &Config, inherited: &mut Inherited) -> Result<Option<std::net::TcpListener>, Vec<Problem>> {
    let Some(address) = config.admin else { return Ok(None) };
    if let Some(socket) = inherited.take(handover::ADMIN, address).pop() {
        return Ok(Some(socket));
    }
    match admin::open(address).await {
        Ok(listener) => Ok(Some(listener)),
        Err(problem) if config.admin_was_asked_for => Err(vec![problem]),
        Err(problem) => {
            error!("admin", "metrics and health are not available: {problem}");
            Ok(None)
        }
    }
}

/// Lets a successor ask for the sockets of `server`; the channel signals when it serves on them.
fn await_successor(path: Option<&Path>, server: &Server) -> (Option<Arc<Waiting>>, oneshot::Receiver<()>) {
    let (sender, served) = oneshot::channel();
    let Some(path) = path else { return (None, served) };
    let waiting = match Waiting::at(path) {
        Ok(waiting) => Arc::new(waiting),
        Err(error) => {
            error!(
                "upgrade",
                "upgrades without interruption are not available: {} cannot be opened: {error}",
                path.display()
            );
            return (None, served);
        }
    };
    let (sockets, shared) = (Arc::clone(&server.sockets), Arc::clone(&waiting));
    // A thread of its own: it waits for as long as this process lives.
    let spawned = std::thread::Builder::new().name("upgrade".to_owned()).spawn(move || {
        supervise_thread(Task::Upgrade, || shared.for_successor(&sockets));
        let _ = sender.send(());
    });
    if let Err(error) = spawned {
        error!("upgrade", "upgrades without interruption are not available: no thread can be started: {error}");
    }
    (Some(waiting), served)
}

/// The path of this program as typed, so that a link is followed anew; or else as the system found it.
fn program_as_started() -> Option<PathBuf> {
    let typed = std::env::args_os().next().map(PathBuf::from).filter(|path| path.components().count() > 1);
    typed.or_else(|| std::env::current_exe().ok())
}

/// Starts the program at the path that this one was started from, as its successor.
fn start_successor(program: Option<&Path>, is_awaited: bool) {
    if !is_awaited {
        return error!("upgrade", "SIGUSR2 is for an upgrade; write `upgrade: {{socket: …}}` in gateway.yaml first");
    }
    let Some(program) = program else {
        return error!("upgrade", "failed: path of the running executable is unknown");
    };
    let arguments = std::env::args_os().skip(1);
    let mut command = std::process::Command::new(program);
    command.args(["--upgrade"]).args(arguments.filter(|argument| argument != "--upgrade"));
    match command.spawn() {
        // Waited for, so that it leaves no zombie if it ends first.
        Ok(mut child) => drop(std::thread::spawn(move || match child.wait() {
            Ok(status) => error!("upgrade", "the new gateway exited ({status})"),
            Err(error) => error!("upgrade", "the new gateway cannot be waited for: {error}"),
        })),
        Err(error) => error!("upgrade", "failed: {} cannot be started: {error}", program.display()),
    }
}

struct Signals {
    stop: StopSignals,
    /// Caught from the first moment on: a signal that comes before it is read is not lost.
    hangup: Signal,
}

/// The signals that end a gateway, in one way or another.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
    upgrade: Signal,
}

/// Why a gateway ends.
enum Ending {
    /// SIGTERM: politely.
    Terminated,
    /// SIGINT: a user waits for it.
    Interrupted,
    /// A successor serves.
    Replaced,
    /// Not at all: SIGUSR2, which starts a successor.
    Upgrade,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            stop: StopSignals {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
                upgrade: signal(SignalKind::user_defined2())?,
            },
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

impl StopSignals {
    /// Waits for the next of them.
    async fn next(&mut self, replaced: &mut oneshot::Receiver<()>) -> Ending {
        std::future::poll_fn(|cx| {
            if self.terminate.poll_recv(cx).is_ready() {
                return Poll::Ready(Ending::Terminated);
            }
            if self.interrupt.poll_recv(cx).is_ready() {
                return Poll::Ready(Ending::Interrupted);
            }
            if self.upgrade.poll_recv(cx).is_ready() {
                return Poll::Ready(Ending::Upgrade);
            }
            // Without a successor to wait for, the channel never signals.
            if !replaced.is_terminated() && matches!(Pin::new(&mut *replaced).poll(cx), Poll::Ready(Ok(()))) {
                return Poll::Ready(Ending::Replaced);
            }
            Poll::Pending
        })
        .await
    }

    /// Waits for another signal to end.
    async fn next_end(&mut self) {
        std::future::poll_fn(|cx| {
            let is_asked = self.terminate.poll_recv(cx).is_ready() || self.interrupt.poll_recv(cx).is_ready();
            if is_asked { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}
