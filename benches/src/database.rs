//! A PostgreSQL of this run's own, on the core of the load: what it uses is not the gateway's.

use std::fs;
use std::io;
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PORT: u16 = 18890;

/// The user that it runs as where this is root, which it refuses: `nobody`.
const NOBODY: u32 = 65_534;

/// A running server; stopped when dropped.
pub(crate) struct Database(Child);

impl Database {
    /// `None` where there is no PostgreSQL.
    pub(crate) fn start(folder: &Path, core: &str) -> io::Result<Option<Self>> {
        let Some(programs) = programs() else { return Ok(None) };
        let folder = folder.join("postgres");
        fs::create_dir_all(&folder)?;
        if fs::metadata(&folder)?.uid() == 0 {
            chown(&folder, Some(NOBODY), Some(NOBODY))?;
        }
        let made = command(core, &programs.join("initdb"), &folder)?
            .args(["--username=gateway", "--auth=trust", "--encoding=UTF8", "--no-instructions", "-D", "data"])
            .output()?;
        if !made.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&made.stderr).into_owned()));
        }
        let server = command(core, &programs.join("postgres"), &folder)?
            .args(["-D", "data", "-p", &PORT.to_string()])
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let server = Self(server);
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", PORT)).is_err() {
            if started.elapsed() > Duration::from_secs(30) {
                return Err(io::Error::other("PostgreSQL does not answer"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        // It listens a little before it serves.
        std::thread::sleep(Duration::from_secs(1));
        Ok(Some(server))
    }

    pub(crate) fn url() -> String {
        format!("postgres://gateway@127.0.0.1:{PORT}/postgres")
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // SIGQUIT: at once, and with what it has started.
        let _ = Command::new("kill").args(["-QUIT", &self.id().to_string()]).status();
        let _ = self.0.wait();
    }
}

/// Where its programs are: on Debian not in the path.
pub(crate) fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.extend(std::env::split_paths(&path));
    folders.into_iter().find(|folder| ["initdb", "postgres"].iter().all(|name| folder.join(name).exists()))
}

fn command(core: &str, program: &Path, folder: &Path) -> io::Result<Command> {
    let mut command = Command::new("taskset");
    command.args(["-c", core]).arg(program).current_dir(folder);
    let owner = fs::metadata(folder)?.uid();
    if fs::metadata("/proc/self")?.uid() == 0 {
        command.uid(owner).gid(owner);
    }
    Ok(command)
}
