//! An identity provider whose mood the test chooses, and the gateway that asks it.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::support::{self, Connection, Gate, Gateway, Upstream, eventually, read_body};

/// The gateway before an upstream that echoes, with every provider's URL at `provider`, once it has asked for keys
/// everywhere: requests wait for the first keys, but not for long.
pub(crate) fn gateway(provider: &Provider, settings: &[&str]) -> Gateway {
    let gateway = gateway_with(provider.address(), settings);
    for path in ["/jwks", "/refreshed", "/.well-known/openid-configuration"] {
        let line = format!("{path}\",outcome=");
        eventually("the first question", || {
            let metrics = gateway.operations("/metrics").body;
            metrics.lines().any(|found| found.contains(&line) && !found.ends_with(" 0")).then_some(())
        });
    }
    gateway
}

/// As [`gateway`], for a provider that may not be there.
pub(crate) fn gateway_with(provider: SocketAddr, settings: &[&str]) -> Gateway {
    Gateway::launch(command_with(provider, settings))
}

/// As [`gateway_with`], to be launched.
pub(crate) fn command_with(provider: SocketAddr, settings: &[&str]) -> Command {
    let mut command = command();
    let upstream = Upstream::echo();
    command.args(["--set", &format!("upstreams.providers.default=http://{}", upstream.address)]);
    for (scheme, path) in [
        ("published", "jwks"),
        ("refreshed", "refreshed"),
        ("discovered", ".well-known/openid-configuration"),
        ("opaque", "ask"),
        ("strict", "ask"),
    ] {
        command.args(["--set", &format!("providers.providers.{scheme}=http://{provider}/{path}")]);
    }
    // Letter case does not matter in the environment.
    let discovery = format!("http://{provider}/.well-known/openid-configuration");
    command.env("GATEWAY__PROVIDERS__PROVIDERS__SAMEPROVIDER", discovery);
    for setting in settings {
        command.args(["--set", setting]);
    }
    command
}

/// The gateway of this folder's documents.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway-providers"));
    command.env("INTROSPECTION_SECRET", "s:cret%");
    support::usual_settings(&mut command);
    command.args(["--set", "listeners.test.apis=[providers]"]);
    command
}

/// Seconds since the epoch.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("later").as_secs()
}

/// What the provider does when it is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mood {
    Good,
    /// When the gate opens.
    Held,
    /// Never.
    Silent,
    /// Closes the connection.
    Hangup,
    Status(u16),
    Redirect,
    /// 2 MiB.
    Huge,
    Body(&'static str),
}

/// A key of the provider's.
pub(crate) struct Signer {
    id: String,
    key: EncodingKey,
    jwk: Value,
}

impl Signer {
    /// A fresh P-256 key.
    pub(crate) fn new(id: &str) -> Self {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key");
        let point = pair.public_key_raw();
        let coordinate = |range: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(&point[range]);
        let jwk = json!({"kty": "EC", "crv": "P-256", "kid": id, "use": "sig", "x": coordinate(1..33), "y": coordinate(33..65)});
        Self { id: id.to_owned(), key: EncodingKey::from_ec_der(&pair.serialize_der()), jwk }
    }

    /// A valid token, with its claims replaced by `claims`.
    pub(crate) fn token(&self, claims: Value) -> String {
        let mut all = json!({"iss": "issuer", "aud": "api", "exp": 4_102_444_800_u64});
        for (name, value) in claims.as_object().expect("an object") {
            all[name] = value.clone();
        }
        let header = Header { kid: Some(self.id.clone()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, &all, &self.key).expect("signed")
    }
}

/// A provider on loopback.
pub(crate) struct Provider {
    server: Upstream,
    state: Arc<Mutex<State>>,
}

struct State {
    mood: Mood,
    gate: Gate,
    keys: Vec<Value>,
    discovery: Option<Value>,
    tokens: HashMap<String, Value>,
    asked: HashMap<String, usize>,
}

impl Provider {
    pub(crate) fn start() -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").expect("a free port"))
    }

    pub(crate) fn start_on(listener: TcpListener) -> Self {
        let address = listener.local_addr().expect("bound");
        let state = State {
            mood: Mood::Good,
            gate: Gate::default(),
            keys: Vec::new(),
            discovery: None,
            tokens: HashMap::new(),
            asked: HashMap::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        let server = Upstream::start_on(listener, move |head, connection| serve(&shared, address, head, connection));
        Self { server, state }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    pub(crate) fn set(&self, mood: Mood) {
        self.state.lock().expect("no panic").mood = mood;
    }

    /// Answers no request until the gate opens.
    pub(crate) fn hold(&self) -> Gate {
        let mut state = self.state.lock().expect("no panic");
        (state.mood, state.gate) = (Mood::Held, Gate::default());
        state.gate.clone()
    }

    /// Makes a key and publishes it.
    pub(crate) fn publish(&self, id: &str) -> Signer {
        let signer = Signer::new(id);
        self.add(&signer);
        signer
    }

    pub(crate) fn add(&self, signer: &Signer) {
        self.state.lock().expect("no panic").keys.push(signer.jwk.clone());
    }

    /// Publishes these keys and no others.
    pub(crate) fn replace(&self, signers: &[&Signer]) {
        self.state.lock().expect("no panic").keys = signers.iter().map(|signer| signer.jwk.clone()).collect();
    }

    /// The discovery document to be given instead of the right one.
    pub(crate) fn discovery(&self, document: Value) {
        self.state.lock().expect("no panic").discovery = Some(document);
    }

    /// What is said about a token; unknown ones are not active.
    pub(crate) fn knows(&self, token: &str, answer: Value) {
        self.state.lock().expect("no panic").tokens.insert(token.to_owned(), answer);
    }

    /// How often it was asked about a token.
    pub(crate) fn asked(&self, token: &str) -> usize {
        self.state.lock().expect("no panic").asked.get(token).copied().unwrap_or(0)
    }

    /// How often a path was fetched.
    pub(crate) fn count(&self, path: &str) -> usize {
        self.heads().iter().filter(|head| head.split(' ').nth(1) == Some(path)).count()
    }

    pub(crate) fn heads(&self) -> Vec<String> {
        self.server.heads()
    }

    /// Puts a TLS server for `name` in front; gives its port.
    pub(crate) fn behind_tls(&self, authority: &Authority, name: &str) -> u16 {
        let config = authority.server(name);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let behind = self.address();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let config = Arc::clone(&config);
                // One request per connection: enough for a provider.
                std::thread::spawn(move || relay(stream, config, behind));
            }
        });
        port
    }
}

fn relay(stream: TcpStream, config: Arc<rustls::ServerConfig>, behind: SocketAddr) -> Option<()> {
    let mut tls = rustls::StreamOwned::new(rustls::ServerConnection::new(config).ok()?, stream);
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        tls.read_exact(&mut byte).ok()?;
        request.push(byte[0]);
    }
    let mut plain = Connection::to(behind);
    plain.send(&request);
    let response = plain.response(false);
    tls.write_all(format!("{}{}", response.head, response.body).as_bytes()).ok()?;
    tls.flush().ok()
}

fn serve(state: &Mutex<State>, address: SocketAddr, head: &str, connection: &mut Connection) -> bool {
    let body = read_body(head, connection);
    let (mood, gate) = {
        let state = state.lock().expect("no panic");
        (state.mood, state.gate.clone())
    };
    let json = |value: &Value| {
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{value}",
            value.to_string().len()
        )
    };
    match mood {
        Mood::Good => {}
        Mood::Held => gate.pass(),
        Mood::Silent => {
            // Until the other side gives up.
            connection.more();
            return false;
        }
        Mood::Hangup => return false,
        Mood::Status(status) => {
            connection.send(format!("HTTP/1.1 {status} Mood\r\nContent-Length: 2\r\n\r\n{{}}"));
            return true;
        }
        Mood::Redirect => {
            connection
                .send(format!("HTTP/1.1 302 Found\r\nLocation: http://{address}/keys\r\nContent-Length: 0\r\n\r\n"));
            return true;
        }
        Mood::Huge => {
            let _ = connection.stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2097152\r\n\r\n");
            let _ = connection.stream.write_all(&vec![b' '; 2 << 20]);
            return false;
        }
        Mood::Body(text) => {
            connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len()));
            return true;
        }
    }
    let mut state = state.lock().expect("no panic");
    let answer = match head.split(' ').nth(1).unwrap_or_default() {
        "/jwks" | "/refreshed" | "/keys" => json(&json!({"keys": state.keys})),
        "/.well-known/openid-configuration" => {
            let right = json!({"issuer": format!("http://{address}"), "jwks_uri": format!("http://{address}/keys")});
            json(state.discovery.as_ref().unwrap_or(&right))
        }
        "/ask" => {
            let token = body.strip_prefix("token=").and_then(|rest| rest.split('&').next()).unwrap_or_default();
            let token = token.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=");
            let answer = json(state.tokens.get(&token).unwrap_or(&json!({"active": false})));
            *state.asked.entry(token).or_default() += 1;
            answer
        }
        _ => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
    };
    drop(state);
    let _ = connection.stream.write_all(answer.as_bytes());
    true
}

/// Who issues certificates.
pub(crate) struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate");
        let lines = support::base64(certificate.der());
        let pem = format!("-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n");
        Self { pem, issuer: rcgen::Issuer::new(params, key) }
    }

    /// Its own certificate in a file.
    pub(crate) fn file(&self, name: &str) -> String {
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, &self.pem).expect("written");
        path.to_string_lossy().into_owned()
    }

    fn server(&self, name: &str) -> Arc<rustls::ServerConfig> {
        let key = rcgen::KeyPair::generate().expect("a key");
        let params = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .expect("they belong together");
        Arc::new(config)
    }
}
