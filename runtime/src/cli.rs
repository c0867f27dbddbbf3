//! The command line of a gateway binary.

pub(crate) mod consumers;
#[cfg(feature = "oauth")]
pub(crate) mod parties;
mod standard_input;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::launch::{Launch, Ready};
use crate::route_table::route_table;
use gateway_base::operator_log::{self, Format};
use gateway_base::process;
use gateway_base::say;
use gateway_proxy::tables::Gateway;

/// A further command that a binary offers.
#[derive(Debug, Clone, Copy)]
pub struct Command {
    /// What is typed.
    pub name: &'static str,
    /// What it does, for `--help`.
    pub about: &'static str,
    /// Runs it. The words are the command's name and what follows it; [`LaunchArguments`] reads those that every command
    /// has.
    pub run: fn(&'static Gateway, Launch, Vec<String>) -> ExitCode,
}

/// What can be said on the command line about the deployment.
#[derive(Debug, Default, clap::Args)]
pub struct LaunchArguments {
    /// The deployment's settings [default: gateway.yaml in this folder or beside the binary, if there is one]
    #[arg(long, short, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Override a setting, such as listeners.web.bind=127.0.0.1:8080; repeatable
    #[arg(long = "set", global = true, value_name = "PATH=VALUE")]
    pub settings: Vec<String>,
}

impl LaunchArguments {
    /// Adds what is said here to what stood before the command.
    #[must_use]
    pub fn over(self, mut launch: Launch) -> Launch {
        launch.config = self.config.or(launch.config);
        launch.settings.extend(self.settings);
        launch
    }
}

/// An API gateway compiled from OpenAPI documents.
#[derive(Debug, Parser)]
#[command(name = "gateway", version)]
struct Arguments {
    #[command(flatten)]
    launch: LaunchArguments,
    /// Take over from the gateway that runs, without a refused connection (see `upgrade.socket`)
    #[arg(long)]
    upgrade: bool,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Serve until SIGTERM (the default)
    Run,
    /// Check the settings and secrets of this deployment, and open nothing
    Check,
    /// Print every operation that was compiled in
    Routes,
    /// List, add and remove consumers
    #[command(subcommand)]
    Consumers(consumers::Consumers),
    /// Create, roll and revoke API keys
    #[command(subcommand)]
    Keys(consumers::Keys),
    /// Sign tokens of consumers
    #[command(subcommand)]
    Token(consumers::Token),
    /// List, add and remove clients of authorization servers
    #[cfg(feature = "oauth")]
    #[command(subcommand)]
    Clients(parties::Clients),
    /// List, add and remove users of authorization servers, and set their passwords
    #[cfg(feature = "oauth")]
    #[command(subcommand)]
    Users(parties::Users),
    #[command(external_subcommand)]
    Other(Vec<String>),
}

/// Runs the gateway as its command line says.
pub fn main(gateway: &'static Gateway) -> ExitCode {
    main_with(gateway, &[])
}

/// As [`main`], with further commands.
pub fn main_with(gateway: &'static Gateway, commands: &[Command]) -> ExitCode {
    process::begin();
    operator_log::log_panics();
    let code = run(gateway, commands);
    operator_log::flush(operator_log::FLUSH_TIMEOUT);
    code
}

fn run(gateway: &'static Gateway, commands: &[Command]) -> ExitCode {
    let arguments = match parse(commands) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    let mut launch = arguments.launch.over(Launch { upgrade: arguments.upgrade, ..Launch::default() });
    launch.config = launch.config.or_else(default_config);
    if !matches!(arguments.action, None | Some(Action::Run | Action::Other(_))) {
        // A command is run by a person, or by a script that reads what it prints.
        operator_log::set_format(Format::Text);
    }
    match arguments.action {
        None | Some(Action::Run) => launch.serve(gateway, Ready::announce),
        Some(Action::Check) => launch.check(gateway),
        Some(Action::Routes) => print(&route_table(gateway)),
        Some(Action::Consumers(action)) => finish(action.run(&launch, gateway)),
        Some(Action::Keys(action)) => finish(action.run(&launch, gateway)),
        Some(Action::Token(action)) => finish(action.run(&launch, gateway)),
        #[cfg(feature = "oauth")]
        Some(Action::Clients(action)) => finish(action.run(&launch, gateway)),
        #[cfg(feature = "oauth")]
        Some(Action::Users(action)) => finish(action.run(&launch, gateway)),
        Some(Action::Other(words)) => further(gateway, commands, words, launch),
    }
}

/// Reads the command line; `--help` lists the further commands as well.
fn parse(commands: &[Command]) -> Result<Arguments, clap::Error> {
    let width = commands.iter().map(|command| command.name.len()).max().unwrap_or_default();
    let lines = commands.iter().map(|Command { name, about, .. }| format!("\n  {name:width$}  {about}"));
    let further = lines.collect::<String>();
    let command = Arguments::command();
    let command = if further.is_empty() { command } else { command.after_help(format!("Further commands:{further}")) };
    Arguments::from_arg_matches(&command.try_get_matches()?)
}

/// A command of [`main_with`].
fn further(gateway: &'static Gateway, commands: &[Command], mut words: Vec<String>, launch: Launch) -> ExitCode {
    let Some(command) = commands.iter().find(|command| words.first().is_some_and(|word| word == command.name)) else {
        return unknown(&words, commands);
    };
    // As usage shows it.
    let program = std::env::args_os().next().map(PathBuf::from);
    let program = program.as_deref().and_then(std::path::Path::file_name).and_then(|name| name.to_str());
    words[0] = format!("{} {}", program.unwrap_or("gateway"), command.name);
    (command.run)(gateway, launch, words)
}

fn default_config() -> Option<PathBuf> {
    let named = std::env::var_os("GATEWAY_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
    let here = || Some(PathBuf::from("gateway.yaml")).filter(|path| path.exists());
    let beside = || Some(std::env::current_exe().ok()?.with_file_name("gateway.yaml")).filter(|path| path.exists());
    named.or_else(here).or_else(beside)
}

/// Prints what a command gives, or reports line by line why it did nothing.
fn finish(result: Result<String, impl std::error::Error>) -> ExitCode {
    match result {
        Ok(text) => print(&text),
        Err(error) => {
            error.to_string().lines().for_each(|line| say!("{line}"));
            ExitCode::FAILURE
        }
    }
}

fn print(text: &str) -> ExitCode {
    use std::io::Write as _;
    // A reader that has seen enough (`gateway routes | head`) is no failure.
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

fn unknown(words: &[String], commands: &[Command]) -> ExitCode {
    let of_authorization_servers: &[&str] = if cfg!(feature = "oauth") { &["clients", "users"] } else { &[] };
    let known: Vec<&str> = ["run", "check", "routes", "consumers", "keys", "token"]
        .iter()
        .chain(of_authorization_servers)
        .copied()
        .chain(commands.iter().map(|command| command.name))
        .collect();
    say!("unknown command `{}`; there are {}", words.join(" "), known.join(", "));
    ExitCode::from(2)
}
