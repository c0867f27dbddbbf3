//! Starts and stops what is measured, and reads what the kernel knows of it.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use serde_json::Value;

use crate::database::Database;
use crate::peer::{BACKEND_PORT, Peer, Work};

/// The proxy has a core for itself; load and backend share the other one.
const PROXY_CORE: &str = "0";
const LOAD_CORE: &str = "1";

/// How long a peer may take to start, and to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// Open files that 10,000 connections to a proxy take there, each with another one to the backend; a few of them for
/// something else.
const FILES: usize = 20_500;
const SPARE_FILES: usize = 200;

/// What the machine and this run consist of.
pub(crate) struct Lab {
    /// Configuration, logs and tokens; gone at the end.
    pub(crate) folder: PathBuf,
    programs: PathBuf,
    /// How many files a process may have open.
    files: usize,
    backend: Option<Child>,
    database: Option<Database>,
}

/// A started peer.
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
    /// From its start to its first answer.
    pub(crate) first_answer: Duration,
}

/// What one load has shown.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) cpu_micros: f64,
    /// What the load generator has printed.
    pub(crate) load: Value,
    pub(crate) pss_kib: u64,
    pub(crate) rss_kib: u64,
    /// Cores that the proxy used; below 0.97 the load was the limit.
    pub(crate) cores: f64,
    /// Cores that something else on this machine used.
    pub(crate) other: f64,
    /// Connections that the backend accepted for one request.
    pub(crate) upstream_connects: f64,
}

impl Lab {
    pub(crate) fn open() -> io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("gateway-benches-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let programs = std::env::current_exe()?.parent().map(Path::to_path_buf).unwrap_or_default();
        favour_this_run();
        let files = raise_file_limit();
        let mut lab = Self { folder, programs, files, backend: None, database: None };
        lab.backend = Some(
            pinned(LOAD_CORE, &lab.program("backend")?).arg(BACKEND_PORT.to_string()).stdin(Stdio::null()).spawn()?,
        );
        await_answer(BACKEND_PORT, "/s", &mut None)?;
        Ok(lab)
    }

    /// How many connections a proxy may accept, where each takes another one to the backend.
    pub(crate) fn most_connections(&self) -> usize {
        self.files.min(FILES).saturating_sub(SPARE_FILES) / 2
    }

    /// Starts a PostgreSQL, where there is one.
    pub(crate) fn add_database(&mut self) -> io::Result<()> {
        self.database = Database::start(&self.folder, LOAD_CORE)?;
        Ok(())
    }

    /// A program of this package, built beside this one.
    pub(crate) fn program(&self, name: &str) -> io::Result<PathBuf> {
        let program = self.programs.join(name);
        if program.exists() {
            return Ok(program);
        }
        let help =
            format!("{} is not built: `cargo build --profile dist -p gateway-benches` builds it", program.display());
        Err(io::Error::new(io::ErrorKind::NotFound, help))
    }

    pub(crate) fn start(&self, peer: &Peer, work: Work) -> io::Result<Running> {
        self.spawn(pinned(PROXY_CORE, &peer.program), peer, work)
    }

    /// The same, on all cores.
    pub(crate) fn start_anywhere(&self, peer: &Peer, work: Work) -> io::Result<Running> {
        self.spawn(Command::new(&peer.program), peer, work)
    }

    fn spawn(&self, mut command: Command, peer: &Peer, work: Work) -> io::Result<Running> {
        let log = self.folder.join(format!("{}.out", peer.name));
        command.args(&peer.arguments).envs(peer.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(fs::File::create(&log)?);
        command.stderr(fs::File::create(self.folder.join(format!("{}.err", peer.name)))?);
        command.current_dir(&self.folder);
        for name in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env_remove(name);
        }
        let port = peer.port(work).ok_or_else(|| io::Error::other("no port for this work"))?;
        let started = Instant::now();
        let mut child = Some(command.spawn()?);
        let answered = await_answer(port, work.path(), &mut child);
        let first_answer = started.elapsed();
        let child = child.ok_or_else(|| io::Error::other("ended at once"))?;
        let running = Running { child, log, first_answer };
        match answered {
            Ok(()) => Ok(running),
            Err(error) => {
                running.stop();
                let said = fs::read_to_string(self.folder.join(format!("{}.err", peer.name))).unwrap_or_default();
                Err(io::Error::other(format!("{error}; it said: {}", said.trim())))
            }
        }
    }

    /// Whether a request without a credential is refused: who lets everybody in is fast.
    pub(crate) fn refuses(&self, port: u16, path: &str) -> io::Result<bool> {
        Ok(get(port, path)?.get(9..12) == Some("401"))
    }

    /// Whether the head of the answer to a request with these fields has this in it, in small letters.
    pub(crate) fn answers_with(&self, port: u16, path: &str, fields: &str, expected: &str) -> io::Result<bool> {
        Ok(ask(port, path, fields)?.to_ascii_lowercase().contains(expected))
    }

    /// Whether what this path is answered with is stored: once it has been asked for, the backend is not asked again.
    pub(crate) fn is_stored(&self, port: u16, path: &str) -> io::Result<bool> {
        get(port, path)?;
        // It may be stored a moment after it is answered.
        std::thread::sleep(Duration::from_millis(100));
        let before = self.backend_counts("requests")?;
        for _ in 0..3 {
            get(port, path)?;
        }
        // Asking for the number is a request too.
        Ok(self.backend_counts("requests")? == before + 1)
    }

    /// Runs the load generator against a running peer.
    pub(crate) fn load(&self, running: &Running, port: u16, arguments: &[String]) -> io::Result<Sample> {
        let has_mode = arguments.first().is_some_and(|first| !first.starts_with('-'));
        let mut command = pinned(LOAD_CORE, &self.program(if has_mode { "tls_load" } else { "load" })?);
        command.arg(port.to_string()).args(arguments).stdin(Stdio::null());
        let mut helpers: Vec<u32> = self.backend.iter().map(Child::id).collect();
        helpers.extend(self.database.iter().flat_map(|database| with_children(database.id())));
        let measured = running.processes();
        let before =
            (cpu(&measured), cpu(&helpers), children_cpu(), machine_cpu(), self.backend_counts("connections")?);
        let started = Instant::now();
        let output = command.output()?;
        let elapsed = started.elapsed().as_secs_f64();
        let after = (cpu(&measured), cpu(&helpers), children_cpu(), machine_cpu(), self.backend_counts("connections")?);
        let load: Value = serde_json::from_slice(&output.stdout)
            .map_err(|_| io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()))?;
        let done = load["done"].as_f64().unwrap_or(0.0).max(1.0);
        let used = (after.0 - before.0) as f64 / 1e9;
        // To read a million header fields takes the generator a second before it begins.
        let seconds = load["seconds"].as_f64().unwrap_or(elapsed);
        let known = used + after.1.saturating_sub(before.1) as f64 / 1e9 + (after.2 - before.2);
        Ok(Sample {
            cpu_micros: used * 1e6 / done,
            pss_kib: memory(&measured, "smaps_rollup", "Pss:"),
            rss_kib: memory(&measured, "status", "VmRSS:"),
            cores: used / seconds,
            other: ((after.3 - before.3) - known) / elapsed,
            // Asking for the number is a connection too.
            upstream_connects: after.4.saturating_sub(before.4 + 1) as f64 / done,
            load,
        })
    }

    /// Starts a load generator beside another one.
    pub(crate) fn begin(&self, port: u16, arguments: &[String]) -> io::Result<Child> {
        let mut command = pinned(LOAD_CORE, &self.program("load")?);
        command.arg(port.to_string()).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()
    }

    /// Starts a load generator that holds idle connections; it is ready when it has printed its line.
    pub(crate) fn hold(&self, port: u16, arguments: &[String]) -> io::Result<(Child, Value)> {
        let mut command = pinned(LOAD_CORE, &self.program("load")?);
        let mut child =
            command.arg(port.to_string()).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut line = Vec::new();
        if let Some(stdout) = &mut child.stdout {
            let mut byte = [0];
            while stdout.read(&mut byte)? == 1 && byte[0] != b'\n' {
                line.push(byte[0]);
            }
        }
        let value = serde_json::from_slice(&line).unwrap_or(Value::Null);
        Ok((child, value))
    }

    /// Starts clients inside TLS that make one request each and stay; says how many there are once there are no more to
    /// come.
    pub(crate) fn hold_tls(&self, port: u16, clients: usize) -> io::Result<(Child, usize)> {
        // The second request of each is far away.
        let url = format!("https://127.0.0.1:{port}/s");
        let script = self.folder.join("idle.tsv");
        fs::write(&script, format!("0\t{url}\n{}\t{url}\n", 2 * PATIENCE.as_millis()))?;
        let mut command = pinned(LOAD_CORE, Path::new("h2load"));
        command.args(["--h1", "-c", &clients.to_string()]).arg(format!("--timing-script-file={}", script.display()));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let until = Instant::now() + PATIENCE;
        let mut held = established(port)?;
        while held < clients && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(200));
            held = established(port)?;
        }
        // The last handshakes and requests.
        std::thread::sleep(Duration::from_secs(2));
        Ok((child, held))
    }

    /// `connections` or `requests` so far.
    fn backend_counts(&self, what: &str) -> io::Result<u64> {
        let answer = get(BACKEND_PORT, "/counts")?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let counts: Value = serde_json::from_str(body).map_err(io::Error::other)?;
        Ok(counts[what].as_u64().unwrap_or(0))
    }
}

/// How many connections a port of this machine has (proc_pid_net(5): state 01).
fn established(port: u16) -> io::Result<usize> {
    let suffix = format!(":{port:04X}");
    let table = fs::read_to_string("/proc/net/tcp")?;
    let is_ours = |line: &&str| {
        let mut columns = line.split_whitespace().skip(1);
        columns.next().is_some_and(|local| local.ends_with(&suffix)) && columns.nth(1) == Some("01")
    };
    Ok(table.lines().filter(is_ours).count())
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.database = None;
        if let Some(backend) = &mut self.backend {
            let _ = backend.kill();
            let _ = backend.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Running {
    pub(crate) fn processes(&self) -> Vec<u32> {
        with_children(self.child.id())
    }

    pub(crate) fn pss_kib(&self) -> u64 {
        memory(&self.processes(), "smaps_rollup", "Pss:")
    }

    pub(crate) fn rss_kib(&self) -> u64 {
        memory(&self.processes(), "status", "VmRSS:")
    }

    /// The largest resident memory so far, of the largest process: what others have was forked from it.
    pub(crate) fn peak_kib(&self) -> u64 {
        let processes = self.processes();
        processes.iter().map(|process| memory(&[*process], "status", "VmHWM:")).max().unwrap_or(0)
    }

    /// Seconds on a core, since its start.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        cpu(&self.processes()) as f64 / 1e9
    }

    /// Seconds on a core of the threads with this name.
    pub(crate) fn cpu_of(&self, name: &str) -> f64 {
        let process = self.child.id();
        let has_name = |thread: &String| {
            let path = format!("/proc/{process}/task/{thread}/comm");
            fs::read_to_string(path).is_ok_and(|text| text.trim_end() == name)
        };
        let threads = threads(process).into_iter().filter(has_name);
        threads.filter_map(|thread| cpu_of_thread(process, &thread)).sum::<u64>() as f64 / 1e9
    }

    pub(crate) fn send(&self, which: Signal) {
        signal(self.child.id(), which);
    }

    /// What it has written to its standard error.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(self.log.with_extension("err")).unwrap_or_default()
    }

    pub(crate) fn stop(mut self) {
        let processes = self.processes();
        signal(self.child.id(), Signal::TERM);
        let asked = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if asked.elapsed() > Duration::from_secs(3) {
                processes.iter().for_each(|process| signal(*process, Signal::KILL));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // Hundreds of megabytes for some peers.
        let _ = fs::remove_file(&self.log);
    }
}

/// Permits as many open files as there may be for this process and what it starts; gives their number.
fn raise_file_limit() -> usize {
    let maximum = getrlimit(Resource::Nofile).maximum;
    for most in [maximum.map(|most| most.max(FILES as u64)), maximum] {
        if setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).is_ok() {
            break;
        }
    }
    getrlimit(Resource::Nofile).current.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX)
}

/// A command on one core.
fn pinned(core: &str, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", core]).arg(program);
    command
}

fn signal(process: u32, signal: Signal) {
    if let Some(process) = i32::try_from(process).ok().and_then(Pid::from_raw) {
        let _ = kill_process(process, signal);
    }
}

/// The kernel shares the cores between terminals before it looks at anything else, so that `nice` does not help against
/// a build in another terminal. This does, where it is permitted.
fn favour_this_run() {
    let _ = fs::write("/proc/self/autogroup", "-15");
}

fn await_answer(port: u16, path: &str, child: &mut Option<Child>) -> io::Result<()> {
    let started = Instant::now();
    loop {
        if get(port, path).is_ok_and(|answer| ["200", "401"].iter().any(|status| answer.get(9..12) == Some(status))) {
            return Ok(());
        }
        if let Some(child) = child
            && let Some(status) = child.try_wait()?
        {
            return Err(io::Error::other(format!("ended with {status}")));
        }
        if started.elapsed() > PATIENCE {
            return Err(io::Error::other("does not answer"));
        }
        std::thread::sleep(Duration::from_micros(500));
    }
}

/// One request on a connection of its own.
fn get(port: u16, path: &str) -> io::Result<String> {
    ask(port, path, "Accept: */*")
}

/// The same with these fields.
fn ask(port: u16, path: &str, fields: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: bench.local\r\n{fields}\r\nX-Forwarded-Proto: https\r\n\r\n")?;
    let mut bytes = [0; 4096];
    let read = stream.read(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes[..read]).into_owned())
}

fn with_children(process: u32) -> Vec<u32> {
    let mut all = vec![process];
    for thread in threads(process) {
        let children = fs::read_to_string(format!("/proc/{process}/task/{thread}/children")).unwrap_or_default();
        all.extend(children.split_whitespace().filter_map(|child| child.parse().ok()).flat_map(with_children));
    }
    all
}

fn threads(process: u32) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

/// Nanoseconds on a core, of all threads.
fn cpu(processes: &[u32]) -> u64 {
    processes
        .iter()
        .flat_map(|&process| threads(process).into_iter().filter_map(move |thread| cpu_of_thread(process, &thread)))
        .sum()
}

fn cpu_of_thread(process: u32, thread: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/task/{thread}/schedstat")).ok()?;
    text.split_whitespace().next()?.parse().ok()
}

/// Seconds that ended children of this process have used.
fn children_cpu() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (field(13) + field(14)) / 100.0
}

/// Seconds that anything on this machine has used.
fn machine_cpu() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields: Vec<f64> = text.lines().next().unwrap_or_default().split_whitespace().flat_map(str::parse).collect();
    [0, 1, 2, 5, 6].iter().filter_map(|&index| fields.get(index)).sum::<f64>() / 100.0
}

/// The sum of one line of a file in /proc, in KiB.
fn memory(processes: &[u32], file: &str, key: &str) -> u64 {
    let of_process = |process: &u32| {
        let text = fs::read_to_string(format!("/proc/{process}/{file}")).ok()?;
        text.lines().find_map(|line| line.strip_prefix(key)?.split_whitespace().next()?.parse::<u64>().ok())
    };
    processes.iter().filter_map(of_process).sum()
}
