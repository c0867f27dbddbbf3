//! Loads one server inside TLS with the programs of others, and prints the results as `load` does.
//!
//! ```text
//! tls_load PORT h1|h2|full|resumed [--connections 64] [--seconds 3] [--path /s]
//! ```
//!
//! `h1` and `h2` are `h2load` with connections that stay (10 streams each in `h2`); `full` and `resumed` are
//! `openssl s_time`, one connection after the other with one request each, with a full handshake or with a ticket.

use std::io::{self, Write as _};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use clap::{Parser, ValueEnum};

/// Streams at once on a connection.
const STREAMS: &str = "10";

/// Loads one server inside TLS with the programs of others.
#[derive(Parser)]
#[command(name = "tls_load")]
struct Arguments {
    /// Of 127.0.0.1.
    port: u16,
    /// What is done.
    mode: Mode,
    /// Connections that stay.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// How long, in whole seconds.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// What is asked for.
    #[arg(long, default_value = "/s")]
    path: String,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// HTTP/1.1.
    H1,
    /// HTTP/2.
    H2,
    /// Full handshakes.
    Full,
    /// Handshakes with a ticket.
    Resumed,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("tls_load: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> io::Result<()> {
    let started = Instant::now();
    let (done, ok, seconds) = match arguments.mode {
        Mode::H1 | Mode::H2 => requests(arguments)?,
        Mode::Full | Mode::Resumed => handshakes(arguments)?,
    };
    let line = serde_json::json!({
        "done": done, "ok": ok, "bad": done - ok, "errors": 0, "connects": 0,
        "seconds": seconds, "rps": done as f64 / seconds, "elapsed": started.elapsed().as_secs_f64(),
    });
    writeln!(io::stdout().lock(), "{line}")
}

/// Answers, good answers, and the time for them.
fn requests(arguments: &Arguments) -> io::Result<(u64, u64, f64)> {
    let Arguments { port, mode, connections, seconds, path } = arguments;
    let mut command = Command::new("h2load");
    let whole = (seconds.ceil() as u64).max(1);
    command.args(["-c", &connections.to_string(), "-D", &whole.to_string()]);
    match mode {
        Mode::H1 => command.arg("--h1"),
        _ => command.args(["-m", STREAMS]),
    };
    let output = command.arg(format!("https://127.0.0.1:{port}{path}")).stdin(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let counted = |before: &str, after: &str| -> Option<u64> {
        let line = text.lines().find(|line| line.starts_with(before))?;
        line.split(',').find(|part| part.contains(after))?.split_whitespace().find_map(|word| word.parse().ok())
    };
    let done = counted("requests:", " done").ok_or_else(|| problem(text.trim()))?;
    let ok = counted("status codes:", " 2xx").unwrap_or(0);
    Ok((done.max(ok), ok, whole as f64))
}

/// Connections, those that were as they should be, and the time for them.
fn handshakes(arguments: &Arguments) -> io::Result<(u64, u64, f64)> {
    let Arguments { port, mode, seconds, path, .. } = arguments;
    let whole = (seconds.ceil() as u64).max(1);
    let mut command = Command::new("openssl");
    command.args(["s_time", "-connect", &format!("127.0.0.1:{port}"), "-www", path, "-time", &whole.to_string()]);
    command.arg(if *mode == Mode::Full { "-new" } else { "-reuse" });
    let output = command.stdin(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // `712 connections in 2 real seconds, 243 bytes read per connection`
    let line = text.lines().find(|line| line.contains("real seconds")).ok_or_else(|| problem(text.trim()))?;
    let done: u64 = line.split(' ').next().and_then(|count| count.parse().ok()).ok_or_else(|| problem(line))?;
    // `*` for each handshake that was full, `r` for each that was not.
    let marks = |mark: char| text.lines().map(|line| line.chars().filter(|found| *found == mark).count()).max();
    let ok = if *mode == Mode::Full { done } else { marks('r').map_or(0, |count| count as u64).min(done) };
    Ok((done, ok, whole as f64))
}

fn problem(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}
