//! Who is measured: the gateway, and what is installed of nginx, HAProxy and Envoy. Each is configured to do the same.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::lab::Lab;

pub(crate) const BACKEND_PORT: u16 = 18900;

/// 48 bytes: enough for HS256 by RFC 7518 §3.2.
pub(crate) const JWT_SECRET: &str = "a-secret-for-measurements-only-of-48-bytes-0123";

/// What a port of a peer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Forwards everything (the gateway: what its document describes).
    Plain,
    /// Forwards what has a good HS256 token.
    Jwt,
    /// Knows 200 routes.
    Routes,
}

impl Work {
    /// Something that is answered there, with 200 or 401.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Plain => "/s",
            Self::Jwt => "/private/s",
            Self::Routes => "/service7/v1/items",
        }
    }
}

/// A program to measure.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) version: String,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(&'static str, String)>,
    pub(crate) ports: Vec<(Work, u16)>,
}

impl Peer {
    pub(crate) fn port(&self, work: Work) -> Option<u16> {
        self.ports.iter().find(|(has, _)| *has == work).map(|(_, port)| *port)
    }
}

/// Every peer that is there, with its configuration written; the names of the others.
pub(crate) fn find(lab: &Lab, gateway: &Path) -> io::Result<(Vec<Peer>, Vec<&'static str>)> {
    let mut peers = vec![
        gateway_peer(lab, gateway, "gateway", "stdout", 18100)?,
        gateway_peer(lab, gateway, "gateway-nolog", "off", 18110)?,
    ];
    let mut missing = Vec::new();
    let installed: [(&'static str, Option<PathBuf>); 3] = [
        ("nginx", on_path("nginx")),
        ("haproxy", on_path("haproxy")),
        ("envoy", std::env::var_os("BENCH_ENVOY").map(PathBuf::from).or_else(|| on_path("envoy"))),
    ];
    for (name, program) in installed {
        let Some(program) = program else {
            missing.push(name);
            continue;
        };
        match name {
            "nginx" => {
                peers.push(nginx(lab, &program, "nginx", "off", 18200)?);
                let log = format!("{}/access.log log buffer=64k flush=1s", lab.folder.display());
                peers.push(nginx(lab, &program, "nginx-log", &log, 18210)?);
            }
            "haproxy" => peers.push(haproxy(lab, &program)?),
            _ => peers.push(envoy(lab, &program)?),
        }
    }
    peers.push(Peer {
        name: "hyper",
        version: "hyper 1, src/bin/hyper_proxy.rs".to_owned(),
        program: lab.program("hyper_proxy")?,
        arguments: vec!["18500".to_owned(), BACKEND_PORT.to_string()],
        environment: Vec::new(),
        ports: vec![(Work::Plain, 18500)],
    });
    Ok((peers, missing))
}

fn on_path(program: &str) -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    folders.extend(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.into_iter().map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// The first line with a digit that a program prints about itself.
fn version(program: &Path, argument: &str) -> String {
    let Ok(output) = Command::new(program).arg(argument).output() else { return String::new() };
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let line = text.lines().find(|line| line.bytes().any(|byte| byte.is_ascii_digit())).unwrap_or_default();
    let word =
        line.split([' ', '/', '-']).find(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'));
    word.unwrap_or(line).to_owned()
}

fn write(lab: &Lab, name: &str, text: &str) -> io::Result<String> {
    let path = lab.folder.join(name);
    fs::write(&path, text)?;
    Ok(path.display().to_string())
}

/// Everything that production has: access log (here to a file), metrics, all deadlines. Without the log, for its price.
fn gateway_peer(lab: &Lab, program: &Path, name: &'static str, access_log: &str, port: u16) -> io::Result<Peer> {
    let settings = format!(
        "\
listeners:
  items: {{bind: '127.0.0.1:{port}', apis: [items]}}
  routes: {{bind: '127.0.0.1:{}', apis: [routes]}}
admin: {{bind: '127.0.0.1:{}'}}
workers: 1
accessLog: {access_log}
",
        port + 1,
        port + 2
    );
    let settings = write(lab, &format!("{name}.yaml"), &settings)?;
    Ok(Peer {
        name,
        version: version(program, "--version"),
        program: program.to_path_buf(),
        arguments: vec!["--config".to_owned(), settings],
        environment: vec![("BENCH_JWT_SECRET", JWT_SECRET.to_owned())],
        ports: vec![(Work::Plain, port), (Work::Jwt, port), (Work::Routes, port + 1)],
    })
}

fn nginx(lab: &Lab, program: &Path, name: &'static str, access_log: &str, port: u16) -> io::Result<Peer> {
    let folder = lab.folder.display();
    let forward = "proxy_pass http://backend;";
    let routes: String = (0..50)
        .flat_map(|service| {
            ["", "/", "/details/", "/parts/"]
                .map(|part| format!("location /service{service}/v1/items{part} {{ {forward} }}\n"))
        })
        .collect();
    let text = format!(
        "worker_processes 1; daemon off; pid {folder}/{name}.pid; error_log {folder}/{name}.log error; worker_rlimit_nofile 20000;
events {{ worker_connections 16000; }}
http {{
log_format log escape=json '{{\"time\":\"$time_iso8601\",\"client\":\"$remote_addr\",\"method\":\"$request_method\",\"path\":\"$uri\",\"requestId\":\"$request_id\",\"status\":$status,\"seconds\":$request_time,\"upstreamSeconds\":\"$upstream_response_time\",\"upstream\":\"$upstream_addr\",\"bytes\":$body_bytes_sent}}';
access_log {access_log}; server_tokens off; tcp_nodelay on; keepalive_timeout 300s; keepalive_requests 1000000000;
client_body_temp_path {folder}/nginx-b; proxy_temp_path {folder}/nginx-p; fastcgi_temp_path {folder}/nginx-f; uwsgi_temp_path {folder}/nginx-u; scgi_temp_path {folder}/nginx-s;
proxy_http_version 1.1; proxy_set_header Connection ''; proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
proxy_buffers 16 16k; proxy_buffer_size 16k; proxy_busy_buffers_size 64k; proxy_max_temp_file_size 0;
upstream backend {{ server 127.0.0.1:{BACKEND_PORT}; keepalive 512; keepalive_requests 1000000000; keepalive_timeout 300s; }}
server {{ listen 127.0.0.1:{port} reuseport; location / {{ {forward} }} }}
server {{ listen 127.0.0.1:{} reuseport; {routes} }}
}}
",
        port + 1
    );
    let file = write(lab, &format!("{name}.conf"), &text)?;
    Ok(Peer {
        name,
        version: version(program, "-v"),
        program: program.to_path_buf(),
        arguments: vec!["-e".to_owned(), format!("{folder}/{name}.log"), "-c".to_owned(), file],
        environment: Vec::new(),
        ports: vec![(Work::Plain, port), (Work::Routes, port + 1)],
    })
}

fn haproxy(lab: &Lab, program: &Path) -> io::Result<Peer> {
    let map: String = (0..50)
        .flat_map(|service| {
            ["", "/", "/details/", "/parts/"].map(|part| format!("/service{service}/v1/items{part} backend\n"))
        })
        .collect();
    let map = write(lab, "haproxy.map", &map)?;
    let text = format!(
        "global
  maxconn 9500
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  timeout http-keep-alive 300s
  http-reuse always
  option forwardfor
  option http-keep-alive
  no log
backend backend
  server one 127.0.0.1:{BACKEND_PORT} pool-max-conn -1 pool-purge-delay 300s
frontend plain
  bind 127.0.0.1:18300
  default_backend backend
frontend jwt
  bind 127.0.0.1:18301
  http-request set-var(txn.token) http_auth_bearer
  http-request set-var(txn.algorithm) var(txn.token),jwt_header_query('$.alg')
  http-request deny deny_status 401 unless {{ var(txn.algorithm) -m str HS256 }}
  http-request deny deny_status 401 unless {{ var(txn.token),jwt_verify(txn.algorithm,\"{JWT_SECRET}\") -m int 1 }}
  http-request set-var(txn.expires) var(txn.token),jwt_payload_query('$.exp','int')
  http-request set-var(txn.now) date()
  http-request deny deny_status 401 if {{ var(txn.expires),sub(txn.now) -m int lt 0 }}
  default_backend backend
frontend routes
  bind 127.0.0.1:18302
  use_backend %[path,map_beg({map})]
"
    );
    let file = write(lab, "haproxy.cfg", &text)?;
    Ok(Peer {
        name: "haproxy",
        version: version(program, "-v"),
        program: program.to_path_buf(),
        arguments: vec!["-db".to_owned(), "-f".to_owned(), file],
        environment: Vec::new(),
        ports: vec![(Work::Plain, 18300), (Work::Jwt, 18301), (Work::Routes, 18302)],
    })
}

fn envoy(lab: &Lab, program: &Path) -> io::Result<Peer> {
    let everything = || vec![json!({"match": {"prefix": "/"}, "route": {"cluster": "backend", "timeout": "0s"}})];
    let routes = (0..50)
        .flat_map(|service| ["/details/", "/parts/", "/", ""].map(|part| format!("/service{service}/v1/items{part}")))
        .map(|prefix| json!({"match": {"prefix": prefix}, "route": {"cluster": "backend", "timeout": "0s"}}))
        .collect();
    let key = json!({"keys": [{"kty": "oct", "alg": "HS256", "k": base64url(JWT_SECRET.as_bytes())}]});
    let jwt = json!({"name": "envoy.filters.http.jwt_authn", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
        "providers": {"bench": {"issuer": "bench", "forward": true, "local_jwks": {"inline_string": key.to_string()}}},
        "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "bench"}}]}});
    let most = json!({"max_connections": 20000, "max_pending_requests": 20000, "max_requests": 20000});
    let address = |port: u16| json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
    let configuration = json!({"static_resources": {
        "listeners": [
            envoy_listener(18400, None, everything()),
            envoy_listener(18401, Some(jwt), everything()),
            envoy_listener(18402, None, routes)
        ],
        "clusters": [{"name": "backend", "type": "STATIC", "connect_timeout": "5s", "circuit_breakers": {"thresholds": [most]},
            "load_assignment": {"cluster_name": "backend",
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(BACKEND_PORT)}}]}]}}]}});
    let file = write(lab, "envoy.json", &configuration.to_string())?;
    let arguments = ["--concurrency", "1", "--log-level", "error", "--disable-hot-restart", "-c", &file];
    Ok(Peer {
        name: "envoy",
        version: version_of_envoy(program),
        program: program.to_path_buf(),
        arguments: arguments.map(str::to_owned).to_vec(),
        environment: Vec::new(),
        ports: vec![(Work::Plain, 18400), (Work::Jwt, 18401), (Work::Routes, 18402)],
    })
}

fn envoy_listener(port: u16, filter: Option<Value>, routes: Vec<Value>) -> Value {
    let router = json!({"name": "envoy.filters.http.router", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router", "suppress_envoy_headers": true}});
    let filters: Vec<Value> = filter.into_iter().chain([router]).collect();
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": format!("p{port}"), "codec_type": "HTTP1", "use_remote_address": true, "generate_request_id": false,
        "server_header_transformation": "PASS_THROUGH", "http_filters": filters, "stream_idle_timeout": "300s",
        "route_config": {"name": "routes", "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]}});
    json!({"name": format!("p{port}"), "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}]})
}

/// `…/1.40.0/Clean/RELEASE/BoringSSL`
fn version_of_envoy(program: &Path) -> String {
    let Ok(output) = Command::new(program).arg("--version").output() else { return String::new() };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let is_version = |part: &&str| part.contains('.') && part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.split(['/', ' ']).find(is_version).unwrap_or_default().to_owned()
}

/// RFC 4648 §5, without padding.
fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().chain([&0; 2]).take(3).fold(0, |word, byte| word << 8 | usize::from(*byte));
        let letters = [18, 12, 6, 0].map(|shift| char::from(ALPHABET[word >> shift & 63]));
        text.extend(&letters[..=chunk.len()]);
    }
    text
}
