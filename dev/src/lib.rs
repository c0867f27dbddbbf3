//! `gateway dev`: serves documents while they are being written, without compiling Rust.
//!
//! The documents are checked as a build checks them; their tables are made in memory, and are the same values that rustc
//! would have compiled (`tests/interpreter.rs`). A change that is right takes the place of what is served, on the
//! connections that are open as well; one that is wrong is explained, and what was served before goes on.

mod changes;
mod compile;
pub mod tables;
mod watch;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use runtime::codegen::Gateway;
use runtime::{Command, Launch, LaunchArguments, LiveTables, Ready, show};

use changes::changes;
use compile::{Compiled, compile};
use watch::Watch;

/// The command, for [`runtime::main_with`].
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
    /// The folder of the documents
    #[arg(long, value_name = "FOLDER", default_value = "specs")]
    specs: PathBuf,
    #[command(flatten)]
    launch: LaunchArguments,
}

fn run(_compiled_in: &'static Gateway, launch: Launch, words: Vec<String>) -> ExitCode {
    let Arguments { specs, launch: arguments } = Arguments::parse_from(words);
    let launch = arguments.over(launch);
    let mut watch = Watch::new(&specs, launch.config.as_deref());
    let first = loop {
        let messages = match compile(&specs) {
            Ok(compiled) => {
                let gateway = tables::gateway(&compiled.gateway);
                match launch.problems(gateway) {
                    problems if problems.is_empty() => break (compiled, gateway),
                    problems => list(&problems),
                }
            }
            Err(messages) => messages,
        };
        show(&format!("{messages}\nNothing is served yet: waiting for a change of documents or settings.\n"));
        watch.next();
    };
    let (first, gateway) = first;
    show(&first.warnings);
    let (tables, replacements) = LiveTables::channel();
    let following = {
        let specs = specs.clone();
        std::thread::Builder::new().name("dev".to_owned()).spawn(move || follow(&specs, first, watch, &tables))
    };
    if let Err(error) = following {
        show(&format!("gateway dev: no thread can be started: {error}\n"));
        return ExitCode::FAILURE;
    }
    launch.serve_live(gateway, |ready| introduce(gateway, ready, &specs), replacements)
}

/// Problems, each on a line.
fn list(problems: &[String]) -> String {
    problems.iter().map(|problem| format!("error: {problem}\n")).collect()
}

fn introduce(gateway: &Gateway, ready: &Ready, specs: &Path) {
    ready.announce();
    let operations: usize = gateway.apis.iter().map(|api| api.operations().count()).sum();
    show(&format!(
        "{operations} operations of {}; a change is live when it is saved. Ctrl-C ends it.\n",
        specs.display()
    ));
}

/// Serves what the documents say, after each change.
fn follow(specs: &Path, mut served: Compiled, mut watch: Watch, tables: &LiveTables) {
    loop {
        let before = watch.next();
        let noticed = Instant::now();
        let compiled = match compile(specs) {
            Ok(compiled) => compiled,
            Err(messages) => {
                show(&format!("{messages}\nNot live: what was served before goes on."));
                continue;
            }
        };
        if let Err(problems) = tables.replace(tables::gateway(&compiled.gateway), Vec::new()) {
            show(&format!("{}\nNot live: what was served before goes on.", list(&problems)));
            continue;
        }
        let milliseconds = (before + noticed.elapsed()).as_millis();
        let warnings = if compiled.warnings == served.warnings { "" } else { &compiled.warnings };
        show(&format!("{warnings}Live after {milliseconds} ms{}\n", changes(&served.policy, &compiled.policy)));
        served = compiled;
    }
}
