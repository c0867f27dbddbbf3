//! Envoy: HTTP, TLS, API keys, tokens, limits, CORS, compression, a cache and WebSockets.

use std::fs;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::process::Command;

use jsonwebtoken::Algorithm;
use serde_json::json;

use crate::callers::{self, ENVOY_TOKENS, TokenKeys};
use crate::lab::Lab;
use crate::peer::{BACKEND_PORT, Peer, Work};
use crate::peers::configuration::{certificate, fill};

pub(super) fn envoy(lab: &Lab, program: &Path, name: &'static str, consumers: usize) -> io::Result<Peer> {
    let everything = route("/");
    let services = (0..50).flat_map(|service| {
        ["/details/", "/parts/", "/", ""].map(|part| route(&format!("/service{service}/v1/items{part}")))
    });
    let services = services.collect::<Vec<_>>().join(",");
    let token_keys = TokenKeys::open()?;
    let jwt = |algorithm, cache: &str| {
        let keys = json!(token_keys.set(algorithm)?).to_string();
        fill(include_str!("envoy/jwt.json"), &[("keys", keys), ("cache", cache.to_owned())])
    };
    let cache = json!({"jwt_cache_size": ENVOY_TOKENS}).to_string();
    let key = include_str!("envoy/key.json").to_owned();
    let limit = include_str!("envoy/limit.json").to_owned();
    let (certificate, private_key) = certificate(lab)?;
    let of_tls = [
        ("port", "18408".to_owned()),
        ("routes", everything.clone()),
        ("certificate", certificate),
        ("key", private_key),
    ];
    let listeners = [
        listener(18400, String::new(), &everything)?,
        listener(18401, jwt(Algorithm::HS256, "null")?, &everything)?,
        listener(18402, String::new(), &services)?,
        listener(18403, jwt(Algorithm::HS256, &cache)?, &everything)?,
        listener(18404, jwt(Algorithm::RS256, &cache)?, &everything)?,
        listener(18405, jwt(Algorithm::ES256, &cache)?, &everything)?,
        listener(18406, key, &everything)?,
        listener(18407, limit, &everything)?,
        listener(18409, include_str!("envoy/cors.json").to_owned(), include_str!("envoy/cors-policy.json"))?,
        listener(18410, include_str!("envoy/compress.json").to_owned(), &everything)?,
        listener(18411, include_str!("envoy/cache.json").to_owned(), &everything)?,
        fill(include_str!("envoy/tls-listener.json"), &of_tls)?,
    ];
    let values = [("listeners", listeners.join(",")), ("backend", BACKEND_PORT.to_string())];
    let text = fill(include_str!("envoy/bootstrap.json"), &values)?;
    // A million of them at once would take hundreds of megabytes.
    let file = lab.folder.join(format!("{name}.json"));
    let mut out = BufWriter::new(fs::File::create(&file)?);
    let (before, after) = text.split_once("<<credentials>>").unwrap_or((&text, ""));
    write!(out, "{before}")?;
    for consumer in 0..consumers {
        let comma = if consumer == 0 { "" } else { "," };
        write!(out, "{comma}{{\"key\":\"{}\",\"client\":\"user{consumer}\"}}", callers::key(consumer))?;
    }
    write!(out, "{after}")?;
    out.flush()?;
    let file = file.display().to_string();
    let arguments = ["--concurrency", "1", "--log-level", "error", "--disable-hot-restart", "-c", &file];
    Ok(Peer {
        name,
        version: version(program),
        program: program.to_path_buf(),
        arguments: arguments.map(str::to_owned).to_vec(),
        environment: Vec::new(),
        ports: vec![
            (Work::Plain, 18400),
            (Work::Orders, 18400),
            (Work::Jwt, 18401),
            (Work::Routes, 18402),
            (Work::Hs256, 18403),
            (Work::Rs256, 18404),
            (Work::Es256, 18405),
            (Work::Key, 18406),
            (Work::Limit, 18407),
            (Work::Tls, 18408),
            (Work::Cors, 18409),
            (Work::Compress, 18410),
            (Work::Stored, 18411),
            (Work::Socket, 18400),
        ],
        consumers,
    })
}

/// A port with a filter before the router, or none.
fn listener(port: u16, filters: String, routes: &str) -> io::Result<String> {
    let values = [("port", port.to_string()), ("filters", filters), ("routes", routes.to_owned())];
    fill(include_str!("envoy/listener.json"), &values)
}

fn route(prefix: &str) -> String {
    json!({"match": {"prefix": prefix}, "route": {"cluster": "backend", "timeout": "0s"}}).to_string()
}

/// `…/1.40.0/Clean/RELEASE/BoringSSL`
pub(super) fn version(program: &Path) -> String {
    let Ok(output) = Command::new(program).arg("--version").output() else { return String::new() };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let is_version = |part: &&str| part.contains('.') && part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let (_, text) = text.split_once("version: ").unwrap_or_default();
    text.split(['/', ' ']).find(is_version).unwrap_or_default().to_owned()
}
