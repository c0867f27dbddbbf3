//! HAProxy: HTTP, TLS, API keys, passwords, tokens, signatures, limits, CORS, compression, a cache and WebSockets.

use std::io;
use std::path::Path;

use jsonwebtoken::Algorithm;

use crate::callers::{self, JWT_SECRET, PASSWORD, TokenKeys};
use crate::lab::Lab;
use crate::peer::{BACKEND_PORT, Peer, Work};
use crate::peers::configuration::{certificate, fill, write};
use crate::peers::installed::version;

pub(super) fn haproxy(lab: &Lab, program: &Path, name: &'static str, consumers: usize) -> io::Result<Peer> {
    let map: String = (0..50)
        .flat_map(|service| {
            ["", "/", "/details/", "/parts/"].map(|part| format!("/service{service}/v1/items{part} backend\n"))
        })
        .collect();
    let map = write(lab, "haproxy.map", &map)?;
    let token_keys = TokenKeys::open()?;
    let (certificate, _) = certificate(lab)?;
    let hs256 = token("HS256", JWT_SECRET)?;
    let rs256 = token("RS256", &token_keys.public(Algorithm::RS256).display().to_string())?;
    let es256 = token("ES256", &token_keys.public(Algorithm::ES256).display().to_string())?;
    let keys = callers::keys("haproxy-keys", consumers, ["", " ", ""])?;
    let secrets = callers::signing_secrets()?;
    let users: String =
        callers::users().map(|user| format!("  user {user} insecure-password '{PASSWORD}'\n")).collect();
    let (of_address, of_client) = match name {
        "haproxy-unlimited" => ("", ""),
        _ => (
            "  http-request track-sc0 src table addresses
  http-request deny deny_status 429 if { sc_http_req_rate(0,addresses) gt 100000000 }
",
            "  http-request track-sc0 req.hdr(x-client) table clients
  http-request deny deny_status 429 if { sc_http_req_rate(0,clients) gt 100 }
",
        ),
    };
    let values = [
        ("connections", lab.most_connections().to_string()),
        ("backend", BACKEND_PORT.to_string()),
        ("certificate", certificate),
        ("map", map),
        ("hs256", hs256),
        ("rs256", rs256),
        ("es256", es256),
        ("keys", keys.display().to_string()),
        ("secrets", secrets.display().to_string()),
        ("users", users),
        ("of_address", of_address.to_owned()),
        ("of_client", of_client.to_owned()),
    ];
    let text = fill(include_str!("haproxy/haproxy.cfg"), &values)?;
    let file = write(lab, &format!("{name}.cfg"), &text)?;
    Ok(Peer {
        name,
        version: version(program, "-v"),
        program: program.to_path_buf(),
        arguments: vec!["-db".to_owned(), "-f".to_owned(), file],
        environment: Vec::new(),
        ports: vec![
            (Work::Plain, 18300),
            (Work::Orders, 18300),
            (Work::Jwt, 18301),
            (Work::Routes, 18302),
            (Work::Hs256, 18301),
            (Work::Rs256, 18303),
            (Work::Es256, 18304),
            (Work::Key, 18305),
            (Work::Password, 18306),
            (Work::Cavage, 18307),
            (Work::Limit, 18308),
            (Work::Clients, 18309),
            (Work::Tls, 18310),
            (Work::Cors, 18311),
            (Work::Compress, 18312),
            (Work::Stored, 18313),
            (Work::Socket, 18300),
        ],
        consumers,
    })
}

/// Checks the algorithm, the signature and `exp`.
fn token(algorithm: &str, key: &str) -> io::Result<String> {
    fill(include_str!("haproxy/token.cfg"), &[("algorithm", algorithm.to_owned()), ("key", key.to_owned())])
}
