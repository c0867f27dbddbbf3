//! The gateway before the endpoints that a deployment names.

use std::io;
use std::path::Path;

use crate::lab::Lab;
use crate::peer::{Peer, Work};
use crate::peers::configuration::{fill, write};
use crate::peers::installed::version;

const PORT: u16 = 18195;

pub(super) fn before(lab: &Lab, program: &Path, urls: &[String]) -> io::Result<Peer> {
    let values = [("port", PORT.to_string()), ("admin", (PORT + 1).to_string()), ("endpoints", format!("{urls:?}"))];
    let file = write(lab, "endpoints-gateway.yaml", &fill(SETTINGS, &values)?)?;
    Ok(Peer {
        name: "gateway",
        version: version(program, "--version"),
        program: program.to_path_buf(),
        arguments: vec!["--config".to_owned(), file],
        environment: Vec::new(),
        ports: vec![(Work::Endpoints, PORT)],
        consumers: 0,
    })
}

const SETTINGS: &str = "\
listeners:
  endpoints: {bind: '127.0.0.1:<<port>>', apis: [endpoints]}
admin: {bind: '127.0.0.1:<<admin>>'}
workers: 2
upstreams: {endpoints: {default: <<endpoints>>}}
accessLog: stdout
";
