//! Programs in Python that are not ours, for tests that pass over them where their package is not installed.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// Runs a script that needs a module; nothing where that is not installed.
pub(crate) fn with_python(module: &str, script: &str, arguments: &[&str]) -> Option<Child> {
    let found = Command::new("python3").args(["-c", &format!("import {module}")]).output();
    if !found.is_ok_and(|output| output.status.success()) {
        let required = std::env::var("GATEWAY_TEST_REQUIRE_SERVICES").is_ok_and(|value| value == "1");
        assert!(!required, "python3 has no {module}");
        eprintln!("skipped: python3 has no {module}");
        return None;
    }
    let mut command = Command::new("python3");
    command.args(["-c", script]).args(arguments).stdout(Stdio::piped()).stderr(Stdio::inherit());
    Some(command.spawn().expect("python3 runs"))
}

/// An upstream whose script prints its port first; killed when dropped.
pub(crate) struct PythonUpstream {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl PythonUpstream {
    pub(crate) fn start(module: &str, script: &str) -> Option<Self> {
        let mut process = with_python(module, script, &[])?;
        let mut port = String::new();
        let mut lines = BufReader::new(process.stdout.take().expect("piped"));
        lines.read_line(&mut port).expect("a port");
        let port = port.trim().parse().expect("a port");
        Some(Self { process, address: SocketAddr::from(([127, 0, 0, 1], port)) })
    }
}

impl Drop for PythonUpstream {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
