//! `gateway dev`: serves documents while they are being written, without compiling Rust.
//!
//! The documents are checked as a build checks them; their tables are made in memory, and are the same values that rustc
//! would have compiled. A change that is right takes the place of what is served, on the connections that are open as
//! well; one that is wrong is explained, and what was served before goes on.

mod changes;
mod compile;
mod described;
mod mock;
mod page;
mod server;
pub mod tables;
mod watch;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Instant;

use clap::Parser;
use gateway_runtime::codegen::Gateway;
use gateway_runtime::{Command, Examined, Launch, LaunchArguments, LiveTables, Ready, show};

use changes::changes;
use compile::{Compiled, compile, content_of};
use described::Described;
use mock::{Mode, Presence};
use page::Page;
use watch::Watch;

/// The command, for [`gateway_runtime::main_with`].
pub const DEV: Command =
    Command { name: "dev", about: "Serve the documents in specs/, and follow every change of them", run };

/// Serve documents while they are being written: a change is live as soon as it is saved, a mistake is explained, and
/// what was served before goes on.
///
/// The documents are those on disk now, not those that this program was built from. `gateway.yaml` and `consumers.yaml`
/// are followed as well. Rate limits, sessions and tokens in memory begin anew with each change.
#[derive(Debug, Parser)]
#[command(name = "gateway dev", disable_version_flag = true)]
struct Arguments {
    /// The folder of the documents [default: those that gatewayc.yaml lists, or those in specs]
    #[arg(long, value_name = "FOLDER")]
    specs: Option<PathBuf>,
    /// Answer from the documents' examples in place of upstreams that are not there [default: absent]
    #[arg(long, value_name = "WHICH", num_args = 0..=1, require_equals = true, default_missing_value = "absent")]
    mock: Option<Mode>,
    /// Serve a page with all operations to try, and open it in the browser
    #[arg(long)]
    open: bool,
    #[command(flatten)]
    launch: LaunchArguments,
}

fn run(_compiled_in: &'static Gateway, launch: Launch, words: Vec<String>) -> ExitCode {
    let Arguments { specs, mock, open, launch: arguments } = Arguments::parse_from(words);
    let launch = arguments.over(launch);
    let described = Described::default();
    let stand_in = match mock.map(StandIn::start).transpose() {
        Ok(stand_in) => stand_in,
        Err(error) => return failure(&format!("the mock cannot start: {error}")),
    };
    let page = match open.then(|| Page::start(described.clone())).transpose() {
        Ok(page) => page,
        Err(error) => return failure(&format!("the page cannot be served: {error}")),
    };
    let folder = specs.as_deref().unwrap_or_else(|| Path::new("specs"));
    let mut watch = Watch::new(folder, launch.config.as_deref());
    let (page, url) = page.unzip();
    let mut session = Session { specs, launch, described, stand_in, page: page.clone(), asked: Vec::new() };
    let (first, prepared) = loop {
        session.launch = session.launch.clone().with_file_here();
        let (read, compiled) = compile(session.specs.as_deref());
        session.watch_also(&mut watch, &read);
        let messages = match compiled {
            Ok(mut compiled) => match session.prepare(&mut compiled) {
                Ok(prepared) => {
                    let Examined { problems, files } = session.launch.examine(prepared.gateway);
                    if problems.is_empty() {
                        break (compiled, prepared);
                    }
                    if session.watch_asked(&mut watch, &read, files) {
                        continue;
                    }
                    list(&problems)
                }
                Err(problems) => list(&problems),
            },
            Err(error) => error.to_string(),
        };
        show(&format!("{messages}\nNothing is served yet: waiting for a change of documents, settings or consumers."));
        watch.next(|| false);
    };
    show(&first.warnings);
    let launch = session.launch.clone();
    let gateway = prepared.gateway;
    let content = (first.content, session.settings(), prepared.stands_in_for.clone());
    let served = Served { policy: first.policy.clone(), warnings: first.warnings.clone(), content };
    session.describe(first, &prepared.stands_in_for);
    let (tables, replacements) = LiveTables::channel();
    let following =
        std::thread::Builder::new().name("dev".to_owned()).spawn(move || session.follow(served, watch, &tables));
    if let Err(error) = following {
        return failure(&format!("no thread can be started: {error}"));
    }
    launch.serve_live(gateway, |ready| introduce(gateway, ready, page.as_ref().zip(url.as_deref())), replacements)
}

fn failure(why: &str) -> ExitCode {
    show(&format!("gateway dev: {why}"));
    ExitCode::FAILURE
}

/// Problems, each on a line.
fn list(problems: &[String]) -> String {
    problems.iter().map(|problem| format!("error: {problem}\n")).collect()
}

fn introduce(gateway: &Gateway, ready: &Ready, page: Option<(&Page, &str)>) {
    ready.announce();
    let operations: usize = gateway.apis.iter().map(|api| api.operations().count()).sum();
    let apis: Vec<&str> = gateway.apis.iter().map(|api| api.name).collect();
    show(&format!(
        "{operations} operation{} of {}; a change is live when it is saved. Ctrl-C ends it.",
        if operations == 1 { "" } else { "s" },
        apis.join(", ")
    ));
    if let Some((page, url)) = page {
        page.try_at(ready.plain.first().copied());
        show(&format!("All operations to try: {url}"));
        open_in_browser(url);
    }
}

/// Where there is a desktop.
fn open_in_browser(url: &str) {
    let has_desktop = ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some());
    if !has_desktop {
        return;
    }
    let opener = std::process::Command::new("xdg-open").arg(url).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    if let Ok(mut opener) = opener {
        // Waited for, so that it leaves no zombie.
        std::thread::spawn(move || opener.wait());
    }
}

/// Which upstreams the documents' examples stand in for.
struct StandIn {
    presence: Presence,
    /// The upstreams that it last stood in for.
    last: Vec<String>,
}

impl StandIn {
    fn start(mode: Mode) -> io::Result<Self> {
        Ok(Self { presence: Presence::watch(mode)?, last: Vec::new() })
    }
}

/// One run of the command.
struct Session {
    specs: Option<PathBuf>,
    launch: Launch,
    described: Described,
    stand_in: Option<StandIn>,
    page: Option<Page>,
    /// The files of secrets and keys that a deployment asked for which could not be served.
    asked: Vec<PathBuf>,
}

/// Tables that can be served.
struct Prepared {
    gateway: &'static Gateway,
    /// Upstreams that the mock answers for, by API and name.
    stands_in_for: Vec<String>,
}

/// What is served, for what there is to say about the next change.
struct Served {
    policy: String,
    warnings: String,
    /// Of the documents and the settings, and which upstreams are not there.
    content: (u64, u64, Vec<String>),
}

impl Session {
    /// Makes the tables.
    ///
    /// # Errors
    /// The documents need what is not built.
    fn prepare(&self, compiled: &mut Compiled) -> Result<Prepared, Vec<String>> {
        let mut stands_in_for = Vec::new();
        if let Some(StandIn { presence, .. }) = &self.stand_in {
            let upstreams = compiled.gateway.apis.iter().flat_map(|api| {
                api.upstreams.iter().map(|upstream| (&*api.name, &*upstream.name, upstream.first_url()))
            });
            let absent = presence.absent(self.launch.upstreams(upstreams));
            stands_in_for.extend(absent.iter().map(|absent| format!("{}.{}", absent.api, absent.upstream)));
            mock::stand_in(compiled, &absent);
        }
        Ok(Prepared { gateway: tables::gateway(&compiled.gateway)?, stands_in_for })
    }

    /// Has the files watched that were read, and the consumers and secrets: what is wrong with those is wrong with the
    /// deployment.
    fn watch_also(&self, watch: &mut Watch, read: &[PathBuf]) {
        let others = read.iter().chain(&self.asked).cloned().chain(self.launch.consumers_file());
        watch.also(others.collect());
    }

    /// Has the files watched that a deployment asked for which cannot be served. True where one of them was not watched
    /// before: it may have changed since, and the deployment has to be looked at once more.
    fn watch_asked(&mut self, watch: &mut Watch, read: &[PathBuf], files: Vec<PathBuf>) -> bool {
        let has_new = files.iter().any(|file| !self.asked.contains(file));
        self.asked = files;
        self.watch_also(watch, read);
        has_new
    }

    /// The content of the file of settings.
    fn settings(&self) -> u64 {
        let file = self.launch.config.clone().unwrap_or_else(|| "gateway.yaml".into());
        content_of(&[file])
    }

    /// Has the page know these documents; says for which upstreams the mock answers.
    fn describe(&mut self, compiled: Compiled, upstreams: &[String]) {
        self.described.serve_for(compiled.documents, compiled.sources);
        if let Some(page) = &self.page {
            page.show(&compiled.gateway);
        }
        let Some(StandIn { last, .. }) = &mut self.stand_in else { return };
        if last != upstreams {
            show(&match upstreams {
                [] => "Every upstream is there; the mock answers for none.".to_owned(),
                absent => format!("The mock answers for {}.", absent.join(", ")),
            });
            *last = upstreams.to_vec();
        }
    }

    /// Serves what the documents say, after each change.
    fn follow(mut self, mut served: Served, mut watch: Watch, tables: &LiveTables) {
        let (mut is_broken, mut look_again) = (false, false);
        loop {
            let presence = self.stand_in.as_ref().map(|stand_in| stand_in.presence.clone());
            let is_due = || look_again || presence.as_ref().is_some_and(Presence::has_changed);
            let before = watch.next(is_due);
            look_again = false;
            let noticed = Instant::now();
            let (read, compiled) = compile(self.specs.as_deref());
            self.watch_also(&mut watch, &read);
            let mut compiled = match compiled {
                Ok(compiled) => compiled,
                Err(error) => {
                    is_broken = true;
                    show(&format!("{error}Not live: what was served before goes on."));
                    continue;
                }
            };
            let settings_now = self.settings();
            let replaced = self.prepare(&mut compiled).and_then(|Prepared { gateway, stands_in_for }| {
                let content = (compiled.content, settings_now, stands_in_for);
                // What was saved as it was is no reason to begin limits and sessions anew.
                if content != served.content
                    && let Err(problems) = tables.replace(gateway)
                {
                    let Examined { files, .. } = self.launch.examine(gateway);
                    look_again = self.watch_asked(&mut watch, &read, files);
                    return Err(problems);
                }
                Ok(content)
            });
            let content = match replaced {
                Ok(content) if content == served.content => {
                    if std::mem::take(&mut is_broken) {
                        show("The documents are again what is served.");
                    }
                    continue;
                }
                Ok(content) => content,
                Err(_) if look_again => continue,
                Err(problems) => {
                    is_broken = true;
                    show(&format!("{}Not live: what was served before goes on.", list(&problems)));
                    continue;
                }
            };
            is_broken = false;
            let milliseconds = (before + noticed.elapsed()).as_millis();
            let warnings = if compiled.warnings == served.warnings { "" } else { &compiled.warnings };
            show(&format!("{warnings}Live after {milliseconds} ms{}", changes(&served.policy, &compiled.policy)));
            let stands_in_for = content.2.clone();
            served = Served { policy: compiled.policy.clone(), warnings: compiled.warnings.clone(), content };
            self.describe(compiled, &stands_in_for);
        }
    }
}
