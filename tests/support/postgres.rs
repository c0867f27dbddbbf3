//! A PostgreSQL for a test: on a port of its own, with its data in a folder that goes with it.

use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::{ReservedPort, eventually};

/// The user of the server where the tests are run by root, which it refuses: `nobody`.
const NOBODY: u32 = 65_534;

/// A running server; killed when dropped.
pub(crate) struct PostgresServer {
    process: Child,
    programs: PathBuf,
    folder: PathBuf,
    /// Kept while it is stopped.
    port: ReservedPort,
    arguments: Vec<String>,
}

impl PostgresServer {
    /// A server; `None` where there is no PostgreSQL, which is a failure where services are required.
    pub(crate) fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            let required = std::env::var("GATEWAY_TEST_REQUIRE_SERVICES").is_ok_and(|value| value == "1");
            assert!(!required, "there is no PostgreSQL");
            eprintln!("skipped: there is no PostgreSQL");
            return None;
        };
        let port = ReservedPort::new();
        let name = format!("gateway-postgres-{}-{}", std::process::id(), port.number());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        if is_root(&folder) {
            chown(&folder, Some(NOBODY), Some(NOBODY)).expect("it is given away");
        }
        let data = folder.join("data");
        let made = command(&programs, "initdb", &folder)
            .args(["--username=gateway", "--auth=trust", "--encoding=UTF8", "--no-sync", "--no-instructions", "-D"])
            .arg(&data)
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let process = Self::launch(&programs, &folder, port.number(), &[]);
        Some(Self { process, programs, folder, port, arguments: Vec::new() })
    }

    fn launch(programs: &Path, folder: &Path, port: u16, arguments: &[String]) -> Child {
        let process = command(programs, "postgres", folder)
            .arg("-D")
            .arg(folder.join("data"))
            .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="])
            .args(["-c", "fsync=off", "-c", "max_connections=300"])
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let is_ready = || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
                && command(programs, "psql", folder)
                    .args([
                        "-h",
                        "127.0.0.1",
                        "-p",
                        &port.to_string(),
                        "-U",
                        "gateway",
                        "-d",
                        "postgres",
                        "-c",
                        "SELECT 1",
                    ])
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .status()
                    .is_ok_and(|status| status.success())
        };
        eventually("PostgreSQL", || is_ready().then_some(()));
        process
    }

    /// The URL of a new, empty database.
    pub(crate) fn database(&self, name: &str) -> String {
        self.ask("postgres", &format!("CREATE DATABASE {name}"));
        format!("postgres://gateway@127.0.0.1:{}/{name}", self.port.number())
    }

    /// What the server answers to a statement, without headings.
    pub(crate) fn ask(&self, database: &str, sql: &str) -> String {
        let output = command(&self.programs, "psql", &self.folder)
            .args([
                "-h",
                "127.0.0.1",
                "-p",
                &self.port.number().to_string(),
                "-U",
                "gateway",
                "-d",
                database,
                "-At",
                "-c",
                sql,
            ])
            .output()
            .expect("psql runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Ends without finishing anything.
    #[allow(dead_code, reason = "not every test stops it")]
    pub(crate) fn kill(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            let _ = Command::new("kill").args(["-QUIT", &self.process.id().to_string()]).status();
            let _ = self.process.wait();
        }
    }

    /// Starts it again, with what it had.
    #[allow(dead_code, reason = "not every test stops it")]
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.process = Self::launch(&self.programs, &self.folder, self.port.number(), &self.arguments);
    }

    /// Starts it again with TLS, for those who ask for it.
    #[allow(dead_code, reason = "not every test needs it")]
    pub(crate) fn encrypt(&mut self, certificate: &str, key: &str) {
        use std::os::unix::fs::PermissionsExt;
        for (name, content) in [("tls.crt", certificate), ("tls.key", key)] {
            let file = self.folder.join(name);
            std::fs::write(&file, content).expect("written");
            std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("it is private");
            if is_root(&file) {
                chown(&file, Some(NOBODY), Some(NOBODY)).expect("it is given away");
            }
        }
        let place = |name: &str| self.folder.join(name).display().to_string();
        self.arguments = vec!["-c".to_owned(), "ssl=on".to_owned()];
        for (setting, name) in [("ssl_cert_file", "tls.crt"), ("ssl_key_file", "tls.key")] {
            self.arguments.extend(["-c".to_owned(), format!("{setting}={}", place(name))]);
        }
        self.restart();
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Where its programs are: on Debian not in the path.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.extend(std::env::split_paths(&path));
    folders.into_iter().find(|folder| ["initdb", "postgres", "psql"].iter().all(|name| folder.join(name).exists()))
}

fn command(programs: &Path, name: &str, folder: &Path) -> Command {
    let mut command = Command::new(programs.join(name));
    command.current_dir(folder);
    if is_root(Path::new("/proc/self")) {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn is_root(owned: &Path) -> bool {
    std::fs::metadata(owned).is_ok_and(|data| data.uid() == 0)
}
