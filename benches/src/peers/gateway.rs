//! The gateway, with one document of `benches/specs` after the other.

use std::fs;
use std::io;
use std::path::Path;

use jsonwebtoken::Algorithm;

use crate::callers::{self, HMAC_SECRET, JWT_SECRET, PASSWORD, TokenKeys};
use crate::database::Database;
use crate::lab::Lab;
use crate::oauth::client;
use crate::peer::{Peer, Work};
use crate::peers::configuration::{certificate, write};
use crate::peers::installed::version;

/// Everything that production has: access log (here to a file), metrics, all deadlines. Without the log, for its price.
pub(super) fn forwarding(
    lab: &Lab,
    program: &Path,
    name: &'static str,
    access_log: &str,
    port: u16,
    consumers: usize,
) -> io::Result<Peer> {
    let keys = TokenKeys::open()?;
    let (certificate, key) = certificate(lab)?;
    let file = callers::consumers(consumers)?;
    let (callers, limited) = (port + 3, port + 4);
    // The same paths without the limit, and with a limit without header fields.
    let limits = match name {
        "gateway-unlimited" => "unlimited",
        "gateway-untold" => "untold",
        _ => "limited",
    };
    let orders = if name == "gateway-unchecked" { "unchecked" } else { "orders" };
    // The same path without fields for browsers, and the same path at one endpoint.
    let browsers = if name == "gateway-unshared" { "unshared" } else { "browsers" };
    let several = if name == "gateway-single" { "items" } else { "several" };
    // The same path without a cache.
    let stored = if name == "gateway-uncached" { "unstored" } else { "stored" };
    let settings = format!(
        "\
listeners:
  stored: {{bind: '127.0.0.1:{}', apis: [{stored}]}}
  orders: {{bind: '127.0.0.1:{}', apis: [{orders}]}}
  browsers: {{bind: '127.0.0.1:{}', apis: [{browsers}]}}
  several: {{bind: '127.0.0.1:{}', apis: [{several}]}}
  items: {{bind: '127.0.0.1:{port}', apis: [items]}}
  routes: {{bind: '127.0.0.1:{}', apis: [routes]}}
  callers: {{bind: '127.0.0.1:{callers}', apis: [callers]}}
  limited: {{bind: '127.0.0.1:{limited}', apis: [{limits}]}}
  tls: {{bind: '127.0.0.1:{}', apis: [items], tls: {{cert: {{file: '{certificate}'}}, key: {{file: '{key}'}}}}}}
consumers: {{file: '{}'}}
admin: {{bind: '127.0.0.1:{}'}}
workers: 1
limits: {{connectionsPerAddress: 0}}
accessLog: {access_log}
stores: {{default: {{kind: memory}}}}
",
        port + 8,
        port + 6,
        port + 7,
        port + 9,
        port + 1,
        port + 5,
        file.display(),
        port + 2
    );
    let settings = write(lab, &format!("{name}.yaml"), &settings)?;
    Ok(Peer {
        name,
        version: version(program, "--version"),
        program: program.to_path_buf(),
        arguments: vec!["--config".to_owned(), settings],
        environment: vec![
            ("BENCH_JWT_SECRET", JWT_SECRET.to_owned()),
            ("BENCH_RS256_KEY", fs::read_to_string(keys.public(Algorithm::RS256))?),
            ("BENCH_ES256_KEY", fs::read_to_string(keys.public(Algorithm::ES256))?),
            ("BENCH_HMAC_SECRET", HMAC_SECRET.to_owned()),
            ("BENCH_PASSWORD", PASSWORD.to_owned()),
        ],
        ports: vec![
            (Work::Plain, port),
            (Work::Jwt, port),
            (Work::Routes, port + 1),
            (Work::Hs256, callers),
            (Work::Rs256, callers),
            (Work::Es256, callers),
            (Work::Key, callers),
            (Work::Password, callers),
            (Work::Cavage, callers),
            (Work::Message, callers),
            (Work::Limit, limited),
            (Work::Clients, limited),
            (Work::Tls, port + 5),
            (Work::Orders, port + 6),
            (Work::Cors, port + 7),
            (Work::Compress, port + 7),
            (Work::Stored, port + 8),
            (Work::Several, port + 9),
            (Work::Socket, port + 7),
        ],
        consumers,
    })
}

/// 200 routes in the clear.
pub(super) fn with_routes(lab: &Lab, program: &Path, name: &'static str) -> io::Result<Peer> {
    let port = 18170;
    let settings = format!(
        "\
listeners:
  routes: {{bind: '127.0.0.1:{port}', apis: [routes]}}
admin: {{bind: '127.0.0.1:{}'}}
workers: 1
limits: {{connectionsPerAddress: 0}}
accessLog: stdout
",
        port + 1
    );
    let settings = write(lab, &format!("{name}.yaml"), &settings)?;
    Ok(Peer {
        name,
        version: version(program, "--version"),
        program: program.to_path_buf(),
        arguments: vec!["--config".to_owned(), settings],
        environment: Vec::new(),
        ports: vec![(Work::Routes, port)],
        consumers: 0,
    })
}

/// An authorization server, with everything that production has.
pub(super) fn with_accounts(lab: &Lab, program: &Path, name: &'static str) -> io::Result<Peer> {
    // Only one of them runs at a time.
    let port = 18160;
    let store = match name.rsplit('-').next() {
        Some("sqlite") => format!("{{kind: sqlite, file: '{}.db'}}", lab.folder.join(name).display()),
        Some("postgres") => "{kind: postgres, url: {env: BENCH_DATABASE}}".to_owned(),
        _ => "{kind: memory}".to_owned(),
    };
    let cache = if name.contains("-asks-") { "0s" } else { "5s" };
    let clients = write(lab, "clients.yaml", &client::clients())?;
    let settings = format!(
        "\
listeners:
  accounts: {{bind: '127.0.0.1:{port}', apis: [accounts]}}
consumers: {{file: '{clients}'}}
admin: {{bind: '127.0.0.1:{}'}}
workers: 1
limits: {{connectionsPerAddress: 0}}
trustedProxies: [127.0.0.1/32]
stores: {{default: {store}}}
oauth: {{cache: {cache}}}
",
        port + 1
    );
    let settings = write(lab, &format!("{name}.yaml"), &settings)?;
    Ok(Peer {
        name,
        version: version(program, "--version"),
        program: program.to_path_buf(),
        arguments: vec!["--config".to_owned(), settings],
        environment: vec![
            ("BENCH_JWT_SECRET", JWT_SECRET.to_owned()),
            ("BENCH_CLIENT_SECRET", client::CLIENT_SECRET.to_owned()),
            ("BENCH_DATABASE", Database::url()),
        ],
        ports: vec![(Work::Accounts, port)],
        consumers: 0,
    })
}
