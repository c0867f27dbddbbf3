//! Loads one server inside TLS with the programs of others, and tells what came back as `load` does.
//!
//! ```text
//! tls_load PORT h1|h2|full|resumed [--connections 64] [--seconds 3] [--path /s]
//! ```
//!
//! `h1` and `h2` are `h2load` with connections that stay (10 streams each in `h2`); `full` and `resumed` are
//! `openssl s_time`, one connection after the other with one request each, with a full handshake or with a ticket.

use std::io::{self, Write as _};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Streams at once on a connection.
const STREAMS: &str = "10";

fn main() {
    if let Err(problem) = run() {
        eprintln!("tls_load: {problem}");
        std::process::exit(1);
    }
}

fn run() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (port, mode) = arguments.next().zip(arguments.next()).ok_or_else(|| problem("PORT and a mode are missing"))?;
    let (mut connections, mut seconds, mut path) = ("64".to_owned(), 3.0, "/s".to_owned());
    while let Some(argument) = arguments.next() {
        let value = arguments.next().ok_or_else(|| problem(&format!("{argument} lacks its value")))?;
        match argument.as_str() {
            "--connections" => connections = value,
            "--seconds" => seconds = value.parse().map_err(|_| problem("seconds are a number"))?,
            "--path" => path = value,
            _ => return Err(problem(&format!("`{argument}` is no option here"))),
        }
    }
    let started = Instant::now();
    let (done, ok, seconds) = match mode.as_str() {
        "h1" | "h2" => requests(&port, &mode, &connections, seconds, &path)?,
        "full" | "resumed" => handshakes(&port, &mode, seconds, &path)?,
        _ => return Err(problem(&format!("`{mode}` is no mode"))),
    };
    let line = serde_json::json!({
        "done": done, "ok": ok, "bad": done - ok, "errors": 0, "connects": 0,
        "seconds": seconds, "rps": done as f64 / seconds, "elapsed": started.elapsed().as_secs_f64(),
    });
    writeln!(io::stdout().lock(), "{line}")
}

/// Answers, good answers, and the time for them.
fn requests(port: &str, mode: &str, connections: &str, seconds: f64, path: &str) -> io::Result<(u64, u64, f64)> {
    let mut command = Command::new("h2load");
    let whole = (seconds.ceil() as u64).max(1);
    command.args(["-c", connections, "-D", &whole.to_string()]);
    match mode {
        "h1" => command.arg("--h1"),
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
fn handshakes(port: &str, mode: &str, seconds: f64, path: &str) -> io::Result<(u64, u64, f64)> {
    let whole = (seconds.ceil() as u64).max(1);
    let mut command = Command::new("openssl");
    command.args(["s_time", "-connect", &format!("127.0.0.1:{port}"), "-www", path, "-time", &whole.to_string()]);
    command.arg(if mode == "full" { "-new" } else { "-reuse" });
    let output = command.stdin(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // `712 connections in 2 real seconds, 243 bytes read per connection`
    let line = text.lines().find(|line| line.contains("real seconds")).ok_or_else(|| problem(text.trim()))?;
    let done: u64 = line.split(' ').next().and_then(|count| count.parse().ok()).ok_or_else(|| problem(line))?;
    // `*` for each handshake that was full, `r` for each that was not.
    let marks = |mark: char| text.lines().map(|line| line.chars().filter(|found| *found == mark).count()).max();
    let ok = if mode == "full" { done } else { marks('r').map_or(0, |count| count as u64).min(done) };
    Ok((done, ok, whole as f64))
}

fn problem(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}
