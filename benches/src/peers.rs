//! Who is measured: the gateway, and what is installed of nginx, HAProxy and Envoy. Each is configured to do the same.

use std::fs;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::callers::{self, ENVOY_TOKENS, HMAC_SECRET, JWT_SECRET, PASSWORD, TokenKeys};
use crate::database::{self, Database};
use crate::lab::Lab;
use crate::oauth;

pub(crate) const BACKEND_PORT: u16 = 18900;

/// Consumers that a peer knows where its name does not say otherwise.
const FEW: usize = 10;
const THOUSAND: usize = 1_000;
const MILLION: usize = 1_000_000;

/// What a port of a peer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Forwards everything (the gateway: what its document describes).
    Plain,
    /// Forwards what has a good HS256 token.
    Jwt,
    /// The same for three algorithms; Envoy remembers tokens.
    Hs256,
    Rs256,
    Es256,
    /// Forwards what has the API key of a consumer.
    Key,
    /// Forwards what has a user name and a password.
    Password,
    /// Forwards what is signed as APISIX has it.
    Cavage,
    /// Forwards what is signed by RFC 9421.
    Message,
    /// Counts the requests of each address, and has room for all.
    Limit,
    /// Counts the requests of each client, by a header.
    Clients,
    /// As `Plain`, inside TLS, with HTTP/1.1 and HTTP/2.
    Tls,
    /// Gives tokens, and forwards what has one.
    Accounts,
    /// Knows 200 routes.
    Routes,
}

impl Work {
    /// Something that is answered there, with 200 or 401.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Plain | Self::Tls => "/s",
            Self::Jwt => "/private/s",
            Self::Hs256 => "/hs256",
            Self::Rs256 => "/rs256",
            Self::Es256 => "/es256",
            Self::Key => "/key",
            Self::Password => "/password",
            Self::Cavage => "/cavage",
            Self::Message => "/message",
            Self::Limit => "/limited",
            Self::Clients => "/clients",
            Self::Accounts => "/own",
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
    /// How many it knows.
    pub(crate) consumers: usize,
}

impl Peer {
    pub(crate) fn port(&self, work: Work) -> Option<u16> {
        self.ports.iter().find(|(has, _)| *has == work).map(|(_, port)| *port)
    }
}

/// Every peer of `wanted` that is there, with its configuration written; the names of the programs that are not.
pub(crate) fn find(lab: &Lab, gateway: &Path, wanted: &[&str]) -> io::Result<(Vec<Peer>, Vec<&'static str>)> {
    type Make<'a> = &'a dyn Fn(&Path, &'static str) -> io::Result<Peer>;
    let gateway_with =
        |log, port, consumers| move |program: &Path, name| gateway_peer(lab, program, name, log, port, consumers);
    let log = format!("{}/access.log log buffer=64k flush=1s", lab.folder.display());
    let nginx_path = on_path("nginx");
    let haproxy_path = on_path("haproxy");
    let envoy_path = std::env::var_os("BENCH_ENVOY").map(PathBuf::from).or_else(|| on_path("envoy"));
    let gateway = Some(gateway.to_path_buf());
    let beside_postgres = gateway.clone().filter(|_| database::programs().is_some());
    let accounts = |program: &Path, name| accounts_peer(lab, program, name);
    let hyper = Some(lab.program("hyper_proxy")?);
    let all: [(&'static str, &Option<PathBuf>, Make<'_>); 27] = [
        ("gateway", &gateway, &gateway_with("stdout", 18100, FEW)),
        ("gateway-nolog", &gateway, &gateway_with("off", 18110, FEW)),
        ("gateway-untold", &gateway, &gateway_with("stdout", 18140, FEW)),
        ("gateway-unlimited", &gateway, &gateway_with("stdout", 18150, FEW)),
        ("gateway-routes", &gateway, &|program, name| routes_peer(lab, program, name)),
        ("gateway-1k", &gateway, &gateway_with("stdout", 18120, THOUSAND)),
        ("gateway-1m", &gateway, &gateway_with("stdout", 18130, MILLION)),
        ("gateway-memory", &gateway, &accounts),
        ("gateway-sqlite", &gateway, &accounts),
        ("gateway-postgres", &beside_postgres, &accounts),
        ("gateway-anyone", &gateway, &accounts),
        ("gateway-jwt", &gateway, &accounts),
        ("gateway-own", &gateway, &accounts),
        ("gateway-own-jwt", &gateway, &accounts),
        ("gateway-asks-memory", &gateway, &accounts),
        ("gateway-asks-sqlite", &gateway, &accounts),
        ("gateway-asks-postgres", &beside_postgres, &accounts),
        ("nginx", &nginx_path, &|program, name| nginx(lab, program, name, "off", 18200, FEW)),
        ("nginx-log", &nginx_path, &|program, name| nginx(lab, program, name, &log, 18210, FEW)),
        ("nginx-unlimited", &nginx_path, &|program, name| nginx(lab, program, name, "off", 18230, FEW)),
        ("nginx-1m", &nginx_path, &|program, name| nginx(lab, program, name, "off", 18220, MILLION)),
        ("haproxy", &haproxy_path, &|program, name| haproxy(lab, program, name, FEW)),
        ("haproxy-unlimited", &haproxy_path, &|program, name| haproxy(lab, program, name, FEW)),
        ("haproxy-1m", &haproxy_path, &|program, name| haproxy(lab, program, name, MILLION)),
        ("envoy", &envoy_path, &|program, name| envoy(lab, program, name, FEW)),
        ("envoy-1m", &envoy_path, &|program, name| envoy(lab, program, name, MILLION)),
        ("hyper", &hyper, &|program, name| Ok(hyper_proxy(program, name))),
    ];
    let (mut peers, mut missing) = (Vec::new(), Vec::new());
    for (name, program, make) in all.into_iter().filter(|(name, ..)| wanted.contains(name)) {
        match program {
            Some(program) => peers.push(make(program, name)?),
            None => missing.push(name),
        }
    }
    Ok((peers, missing))
}

/// The least that a proxy on hyper can do.
fn hyper_proxy(program: &Path, name: &'static str) -> Peer {
    Peer {
        name,
        version: "hyper 1, src/bin/hyper_proxy.rs".to_owned(),
        program: program.to_path_buf(),
        arguments: vec!["18500".to_owned(), BACKEND_PORT.to_string()],
        environment: Vec::new(),
        ports: vec![(Work::Plain, 18500)],
        consumers: 0,
    }
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
fn gateway_peer(
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
    // The same paths without the limit, and with a limit that nobody is told.
    let limits = match name {
        "gateway-unlimited" => "unlimited",
        "gateway-untold" => "untold",
        _ => "limited",
    };
    let settings = format!(
        "\
listeners:
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
        ],
        consumers,
    })
}

/// 200 routes in the clear.
fn routes_peer(lab: &Lab, program: &Path, name: &'static str) -> io::Result<Peer> {
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
fn accounts_peer(lab: &Lab, program: &Path, name: &'static str) -> io::Result<Peer> {
    // Only one of them runs at a time.
    let port = 18160;
    let store = match name.rsplit('-').next() {
        Some("sqlite") => format!("{{kind: sqlite, file: '{}.db'}}", lab.folder.join(name).display()),
        Some("postgres") => "{kind: postgres, url: {env: BENCH_DATABASE}}".to_owned(),
        _ => "{kind: memory}".to_owned(),
    };
    let cache = if name.contains("-asks-") { "0s" } else { "5s" };
    let clients = write(lab, "clients.yaml", &oauth::clients())?;
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
            ("BENCH_CLIENT_SECRET", oauth::CLIENT_SECRET.to_owned()),
            ("BENCH_DATABASE", Database::url()),
        ],
        ports: vec![(Work::Accounts, port)],
        consumers: 0,
    })
}

fn nginx(
    lab: &Lab,
    program: &Path,
    name: &'static str,
    access_log: &str,
    port: u16,
    consumers: usize,
) -> io::Result<Peer> {
    let folder = lab.folder.display();
    let (certificate, key) = certificate(lab)?;
    let keys = callers::keys("nginx-keys", consumers, ["", " ", ";"])?;
    let forward = "proxy_pass http://backend;";
    let routes: String = (0..50)
        .flat_map(|service| {
            ["", "/", "/details/", "/parts/"]
                .map(|part| format!("location /service{service}/v1/items{part} {{ {forward} }}\n"))
        })
        .collect();
    let (of_address, of_client) = match name {
        "nginx-unlimited" => ("", ""),
        _ => ("limit_req zone=addresses burst=1000000 nodelay;", "limit_req zone=clients burst=100 nodelay;"),
    };
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
server {{ listen 127.0.0.1:{} ssl http2 reuseport; location / {{ {forward} }}
  ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_protocols TLSv1.3; ssl_session_cache shared:tls:10m; http2_max_requests 1000000000; }}
server {{ listen 127.0.0.1:{} reuseport; {routes} }}
map_hash_bucket_size 1024; map_hash_max_size 2000000;
map $http_x_api_key $consumer {{ default ''; include {}; }}
server {{ listen 127.0.0.1:{} reuseport; location / {{
  if ($consumer = '') {{ return 401; }}
  proxy_set_header Connection ''; proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_set_header X-Consumer-Username $consumer; {forward} }} }}
limit_req_status 429;
limit_req_zone $binary_remote_addr zone=addresses:32m rate=1000000r/s;
limit_req_zone $http_x_client zone=clients:160m rate=1r/m;
server {{ listen 127.0.0.1:{} reuseport; location /limited {{ {of_address} {forward} }} location /clients {{ {of_client} {forward} }} }}
}}
",
        port + 4,
        port + 1,
        keys.display(),
        port + 2,
        port + 3
    );
    let file = write(lab, &format!("{name}.conf"), &text)?;
    Ok(Peer {
        name,
        version: version(program, "-v"),
        program: program.to_path_buf(),
        arguments: vec!["-e".to_owned(), format!("{folder}/{name}.log"), "-c".to_owned(), file],
        environment: Vec::new(),
        ports: vec![
            (Work::Plain, port),
            (Work::Routes, port + 1),
            (Work::Key, port + 2),
            (Work::Limit, port + 3),
            (Work::Clients, port + 3),
            (Work::Tls, port + 4),
        ],
        consumers,
    })
}

fn haproxy(lab: &Lab, program: &Path, name: &'static str, consumers: usize) -> io::Result<Peer> {
    let map: String = (0..50)
        .flat_map(|service| {
            ["", "/", "/details/", "/parts/"].map(|part| format!("/service{service}/v1/items{part} backend\n"))
        })
        .collect();
    let map = write(lab, "haproxy.map", &map)?;
    let token_keys = TokenKeys::open()?;
    let (certificate, _) = certificate(lab)?;
    let hs256 = haproxy_token("HS256", JWT_SECRET);
    let rs256 = haproxy_token("RS256", &token_keys.public(Algorithm::RS256).display().to_string());
    let es256 = haproxy_token("ES256", &token_keys.public(Algorithm::ES256).display().to_string());
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
frontend tls
  bind 127.0.0.1:18310 ssl crt {certificate}.both alpn h2,http/1.1 ssl-min-ver TLSv1.3
  default_backend backend
frontend jwt
  bind 127.0.0.1:18301
{hs256}  default_backend backend
frontend routes
  bind 127.0.0.1:18302
  use_backend %[path,map_beg({map})]
frontend rs256
  bind 127.0.0.1:18303
{rs256}  default_backend backend
frontend es256
  bind 127.0.0.1:18304
{es256}  default_backend backend
frontend key
  bind 127.0.0.1:18305
  http-request set-var(txn.consumer) req.hdr(x-api-key),map_str({})
  http-request deny deny_status 401 unless {{ var(txn.consumer) -m found }}
  http-request set-header X-Consumer-Username %[var(txn.consumer)]
  default_backend backend
userlist users
{users}
frontend password
  bind 127.0.0.1:18306
  http-request auth unless {{ http_auth(users) }}
  default_backend backend
frontend cavage
  bind 127.0.0.1:18307
  http-request set-var(txn.signed) req.fhdr(authorization)
  http-request set-var(txn.name) var(txn.signed),field(2,'\\\"')
  http-request set-var(txn.signature) var(txn.signed),field(8,'\\\"')
  http-request set-var(txn.secret) var(txn.name),map_str({})
  http-request set-var-fmt(txn.text) \"%[var(txn.name)]\\n%[method] %[pathq]\\ndate: %[req.fhdr(date)]\\n\"
  http-request deny deny_status 401 unless {{ var(txn.secret) -m found }}
  http-request deny deny_status 401 unless {{ var(txn.text),hmac(sha256,txn.secret),base64,secure_memcmp(txn.signature) }}
  http-request set-header X-Consumer-Username %[var(txn.name)]
  default_backend backend
backend addresses
  stick-table type ip size 1m expire 10s store http_req_rate(1s)
backend clients
  stick-table type string len 16 size 1200k expire 1d store http_req_rate(1d)
frontend limit
  bind 127.0.0.1:18308
{of_address}  default_backend backend
frontend clients
  bind 127.0.0.1:18309
{of_client}  default_backend backend
",
        keys.display(),
        secrets.display()
    );
    let file = write(lab, &format!("{name}.cfg"), &text)?;
    Ok(Peer {
        name,
        version: version(program, "-v"),
        program: program.to_path_buf(),
        arguments: vec!["-db".to_owned(), "-f".to_owned(), file],
        environment: Vec::new(),
        ports: vec![
            (Work::Plain, 18300),
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
        ],
        consumers,
    })
}

/// Checks the algorithm, the signature and `exp`.
fn haproxy_token(algorithm: &str, key: &str) -> String {
    format!(
        "  http-request set-var(txn.token) http_auth_bearer
  http-request set-var(txn.algorithm) var(txn.token),jwt_header_query('$.alg')
  http-request deny deny_status 401 unless {{ var(txn.algorithm) -m str {algorithm} }}
  http-request deny deny_status 401 unless {{ var(txn.token),jwt_verify(txn.algorithm,\"{key}\") -m int 1 }}
  http-request set-var(txn.expires) var(txn.token),jwt_payload_query('$.exp','int')
  http-request set-var(txn.now) date()
  http-request deny deny_status 401 if {{ var(txn.expires),sub(txn.now) -m int lt 0 }}
"
    )
}

fn envoy(lab: &Lab, program: &Path, name: &'static str, consumers: usize) -> io::Result<Peer> {
    let everything = || vec![json!({"match": {"prefix": "/"}, "route": {"cluster": "backend", "timeout": "0s"}})];
    let routes = (0..50)
        .flat_map(|service| ["/details/", "/parts/", "/", ""].map(|part| format!("/service{service}/v1/items{part}")))
        .map(|prefix| json!({"match": {"prefix": prefix}, "route": {"cluster": "backend", "timeout": "0s"}}))
        .collect();
    let token_keys = TokenKeys::open()?;
    let jwt = |algorithm, cache: Value| -> io::Result<Value> {
        let keys = token_keys.set(algorithm)?;
        Ok(json!({"name": "envoy.filters.http.jwt_authn", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": {"bench": {"issuer": "bench", "forward": true, "local_jwks": {"inline_string": keys},
                "jwt_cache_config": cache}},
            "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "bench"}}]}}))
    };
    let cache = || json!({"jwt_cache_size": ENVOY_TOKENS});
    let key = json!({"name": "envoy.filters.http.api_key_auth", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth",
        "credentials": "CREDENTIALS", "key_sources": [{"header": "X-Api-Key"}],
        "forwarding": {"header": "X-Consumer-Username"}}});
    let bucket = json!({"max_tokens": 1_000_000_000, "tokens_per_fill": 1_000_000_000, "fill_interval": "1s"});
    let all = json!({"default_value": {"numerator": 100, "denominator": "HUNDRED"}});
    let limit = json!({"name": "envoy.filters.http.local_ratelimit", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
        "stat_prefix": "limit", "token_bucket": bucket, "filter_enabled": all, "filter_enforced": all}});
    let most = json!({"max_connections": 20000, "max_pending_requests": 20000, "max_requests": 20000});
    let address = |port: u16| json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
    let configuration = json!({"static_resources": {
        "listeners": [
            envoy_listener(18400, None, everything()),
            envoy_listener(18401, Some(jwt(Algorithm::HS256, Value::Null)?), everything()),
            envoy_listener(18402, None, routes),
            envoy_listener(18403, Some(jwt(Algorithm::HS256, cache())?), everything()),
            envoy_listener(18404, Some(jwt(Algorithm::RS256, cache())?), everything()),
            envoy_listener(18405, Some(jwt(Algorithm::ES256, cache())?), everything()),
            envoy_listener(18406, Some(key), everything()),
            envoy_listener(18407, Some(limit), everything()),
            envoy_tls_listener(18408, everything(), &certificate(lab)?)
        ],
        "clusters": [{"name": "backend", "type": "STATIC", "connect_timeout": "5s", "circuit_breakers": {"thresholds": [most]},
            "load_assignment": {"cluster_name": "backend",
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(BACKEND_PORT)}}]}]}}]}});
    // A million of them as JSON values would take gigabytes.
    let file = lab.folder.join(format!("{name}.json"));
    let mut out = BufWriter::new(fs::File::create(&file)?);
    let text = configuration.to_string();
    let (before, after) = text.split_once("\"CREDENTIALS\"").unwrap_or((&text, ""));
    write!(out, "{before}[")?;
    for consumer in 0..consumers {
        let comma = if consumer == 0 { "" } else { "," };
        write!(out, "{comma}{{\"key\":\"{}\",\"client\":\"user{consumer}\"}}", callers::key(consumer))?;
    }
    write!(out, "]{after}")?;
    out.flush()?;
    let file = file.display().to_string();
    let arguments = ["--concurrency", "1", "--log-level", "error", "--disable-hot-restart", "-c", &file];
    Ok(Peer {
        name,
        version: version_of_envoy(program),
        program: program.to_path_buf(),
        arguments: arguments.map(str::to_owned).to_vec(),
        environment: Vec::new(),
        ports: vec![
            (Work::Plain, 18400),
            (Work::Jwt, 18401),
            (Work::Routes, 18402),
            (Work::Hs256, 18403),
            (Work::Rs256, 18404),
            (Work::Es256, 18405),
            (Work::Key, 18406),
            (Work::Limit, 18407),
            (Work::Tls, 18408),
        ],
        consumers,
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

/// As [`envoy_listener`], inside TLS 1.3, with HTTP/1.1 and HTTP/2.
fn envoy_tls_listener(port: u16, routes: Vec<Value>, (certificate, key): &(String, String)) -> Value {
    let mut listener = envoy_listener(port, None, routes);
    let chain = &mut listener["filter_chains"][0];
    let manager = &mut chain["filters"][0]["typed_config"];
    manager["codec_type"] = json!("AUTO");
    manager["http_protocol_options"] = json!({"accept_http_10": true, "default_host_for_http_10": "bench.local"});
    chain["transport_socket"] = json!({"name": "envoy.transport_sockets.tls", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": {"alpn_protocols": ["h2", "http/1.1"],
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_3"},
            "tls_certificates": [{"certificate_chain": {"filename": certificate}, "private_key": {"filename": key}}]}}});
    listener
}

/// The files of a P-256 certificate and its key, made on first use; `<certificate>.both` has both.
fn certificate(lab: &Lab) -> io::Result<(String, String)> {
    let (certificate, key) = (lab.folder.join("tls.crt"), lab.folder.join("tls.key"));
    let names = (certificate.display().to_string(), key.display().to_string());
    if !certificate.exists() {
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "30",
            ])
            .args(["-subj", "/CN=bench.local", "-addext", "subjectAltName=DNS:bench.local"])
            .args(["-keyout", &names.1, "-out", &names.0])
            .output()?;
        if !made.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&made.stderr).trim().to_owned()));
        }
        let both = [fs::read(&certificate)?, fs::read(&key)?].concat();
        fs::write(format!("{}.both", names.0), both)?;
    }
    Ok(names)
}

/// `…/1.40.0/Clean/RELEASE/BoringSSL`
fn version_of_envoy(program: &Path) -> String {
    let Ok(output) = Command::new(program).arg("--version").output() else { return String::new() };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let is_version = |part: &&str| part.contains('.') && part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let (_, text) = text.split_once("version: ").unwrap_or_default();
    text.split(['/', ' ']).find(is_version).unwrap_or_default().to_owned()
}
