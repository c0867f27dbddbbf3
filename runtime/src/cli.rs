//! The command line of a gateway binary.

pub(crate) mod consumers;
#[cfg(feature = "oauth")]
pub(crate) mod parties;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::launch::Launch;
use crate::route_table::route_table;
use gateway_base::info;
use gateway_base::operator_log::{self, Format};
use gateway_base::process;
use gateway_base::say;
use gateway_proxy::tables::Gateway;

/// A further command that a binary offers.
#[derive(Debug, Clone, Copy)]
pub struct Command {
    /// What is typed.
    pub name: &'static str,
    /// What it does.
    pub run: fn(&'static Gateway, Launch) -> ExitCode,
}

/// An API gateway compiled from OpenAPI documents.
#[derive(Debug, Parser)]
#[command(name = "gateway", version)]
struct Arguments {
    /// The deployment's settings [default: gateway.yaml in this folder or beside the binary, if there is one]
    #[arg(long, short, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Override a setting, such as listeners.web.bind=127.0.0.1:8080; repeatable
    #[arg(long = "set", global = true, value_name = "PATH=VALUE")]
    settings: Vec<String>,
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
    let arguments = Arguments::parse();
    let launch = Launch {
        config: arguments.config.or_else(default_config),
        settings: arguments.settings,
        upgrade: arguments.upgrade,
        ..Launch::default()
    };
    if !matches!(arguments.action, None | Some(Action::Run | Action::Other(_))) {
        // A command is run by a person, or by a script that reads what it prints.
        operator_log::set_format(Format::Text);
    }
    match arguments.action {
        None | Some(Action::Run) => launch.serve(gateway, |ready| {
            for (name, address) in &ready.listeners {
                info!("gateway", "listening on {address} ({name})");
            }
            if let Some(admin) = ready.admin {
                info!("gateway", "metrics and health on {admin}");
            }
        }),
        Some(Action::Check) => launch.check(gateway),
        Some(Action::Routes) => print(&route_table(gateway)),
        Some(Action::Consumers(action)) => tell(action.run(&launch, gateway)),
        Some(Action::Keys(action)) => tell(action.run(&launch, gateway)),
        Some(Action::Token(action)) => tell(action.run(&launch, gateway)),
        #[cfg(feature = "oauth")]
        Some(Action::Clients(action)) => tell(action.run(&launch, gateway)),
        #[cfg(feature = "oauth")]
        Some(Action::Users(action)) => tell(action.run(&launch, gateway)),
        Some(Action::Other(words)) => further(gateway, commands, words, launch),
    }
}

/// A command of [`main_with`]: its name, then the flags that are also allowed before it.
fn further(gateway: &'static Gateway, commands: &[Command], words: Vec<String>, mut launch: Launch) -> ExitCode {
    let Some(command) = commands.iter().find(|command| words.first().is_some_and(|word| word == command.name)) else {
        return unknown(&words, commands);
    };
    match Arguments::try_parse_from(words) {
        Ok(Arguments { config, settings, upgrade, action: None }) => {
            launch.upgrade |= upgrade;
            launch.config = config.or(launch.config);
            launch.settings.extend(settings);
            (command.run)(gateway, launch)
        }
        Ok(_) => {
            say!("`{}` takes no further arguments", command.name);
            ExitCode::from(2)
        }
        Err(error) => error.exit(),
    }
}

fn default_config() -> Option<PathBuf> {
    let named = std::env::var_os("GATEWAY_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
    let here = || Some(PathBuf::from("gateway.yaml")).filter(|path| path.exists());
    let beside = || Some(std::env::current_exe().ok()?.with_file_name("gateway.yaml")).filter(|path| path.exists());
    named.or_else(here).or_else(beside)
}

fn tell(result: Result<String, String>) -> ExitCode {
    match result {
        Ok(text) => print(&text),
        Err(problems) => {
            problems.lines().for_each(|problem| say!("{problem}"));
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
