//! A Redis for a test: on a port of its own, and nothing on disk.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use crate::support::{PATIENCE, ReservedPort, eventually};

/// A running server; killed when dropped.
pub(crate) struct RedisServer {
    process: Child,
    pub(crate) address: SocketAddr,
    /// Kept while it is stopped.
    _port: ReservedPort,
    arguments: Vec<String>,
}

impl RedisServer {
    /// A server with these arguments; `None` where there is no Redis, which is a failure where services are required.
    pub(crate) fn start(arguments: &[&str]) -> Option<Self> {
        let is_there = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status();
        if let Err(why) = is_there {
            let required = std::env::var("GATEWAY_TEST_REQUIRE_SERVICES").is_ok_and(|value| value == "1");
            assert!(!required, "redis-server does not run: {why}");
            eprintln!("skipped: redis-server does not run: {why}");
            return None;
        }
        let port = ReservedPort::new();
        let address = port.address;
        let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
        let process = Self::launch(address, &arguments);
        Some(Self { process, address, _port: port, arguments })
    }

    fn launch(address: SocketAddr, arguments: &[String]) -> Child {
        let mut command = Command::new("redis-server");
        // With TLS the port is that of `--tls-port`, which the test gives.
        let port = if arguments.iter().any(|word| word == "--tls-port") { 0 } else { address.port() };
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        for word in arguments {
            command.arg(word.replace("{port}", &address.port().to_string()));
        }
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        eventually("redis-server", || TcpStream::connect(address).ok());
        process
    }

    /// Silently, as when the machine is gone.
    pub(crate) fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Starts it again, empty.
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.process = Self::launch(self.address, &self.arguments);
    }

    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.process.id().to_string()]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// What it answers to one line, without TLS.
    pub(crate) fn ask(&self, line: &str) -> String {
        let mut stream = TcpStream::connect(self.address).expect("connects");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        // It closes the connection behind its last answer.
        stream.write_all(format!("{line}\r\nQUIT\r\n").as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("text");
        answer.strip_suffix("+OK\r\n").expect("the answer to QUIT").to_owned()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
