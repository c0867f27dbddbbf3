//! Each peer before three replicas, with the same times and counts, as far as it has them.

use std::io;
use std::path::PathBuf;

use crate::lab::Lab;
use crate::peer::{Peer, Work};
use crate::peers::configuration::{fill, write};
use crate::peers::envoy;
use crate::peers::installed::version;

pub(super) fn before(lab: &Lab, program: PathBuf, name: &'static str) -> io::Result<Peer> {
    let (port, template, file, arguments): (u16, &str, &str, &[&str]) = match name {
        "gateway" => (18190, GATEWAY, "faults-gateway.yaml", &["--config"]),
        "envoy" => (
            18490,
            include_str!("../faults/envoy.json"),
            "faults-envoy.json",
            &["--concurrency", "2", "--log-level", "error", "--disable-hot-restart", "-c"],
        ),
        "haproxy" => (18390, include_str!("../faults/haproxy.cfg"), "faults-haproxy.cfg", &["-db", "-f"]),
        _ => (18290, include_str!("../faults/nginx.conf"), "faults-nginx.conf", &["-c"]),
    };
    let mut values = vec![("port", port.to_string())];
    match name {
        "gateway" => values.push(("admin", (port + 1).to_string())),
        "nginx" => values.push(("folder", lab.folder.display().to_string())),
        _ => {}
    }
    let file = write(lab, file, &fill(template, &values)?)?;
    let version = match name {
        "gateway" => version(&program, "--version"),
        "envoy" => envoy::version(&program),
        _ => version(&program, "-v"),
    };
    let arguments = arguments.iter().map(|argument| (*argument).to_owned()).chain([file]).collect();
    let ports = vec![(Work::Replicas, port)];
    Ok(Peer { name, version, program, arguments, environment: Vec::new(), ports, consumers: 0 })
}

const GATEWAY: &str = "\
listeners:
  replicas: {bind: '127.0.0.1:<<port>>', apis: [replicas]}
admin: {bind: '127.0.0.1:<<admin>>'}
workers: 2
limits: {connectionsPerAddress: 0}
accessLog: stdout
";
