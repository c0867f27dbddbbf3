//! `gateway demo`: starts this repository's gateway with an upstream of its own, and says what to try.

mod certificate;
mod upstream;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use certificate::Certificate;
use gateway_runtime::codegen::Gateway;
use gateway_runtime::{Command, Launch, Ready, route_table};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;

/// The command, for [`gateway_runtime::main_with`].
pub const DEMO: Command = Command { name: "demo", run };

/// Where `specs/tutorial.yaml` says that it is.
const ISSUER_PORT: u16 = 8443;

/// The lifetime of the demo's token, in seconds.
const TOKEN_SECONDS: u64 = 12 * 3600;

/// Keys for this process only: anyone who reads this file can sign tokens, which are valid on this machine alone.
const NOTES_KEY: &str = "only for the demonstration: 32 bytes or more";
const FILES_KEY_BASE64: &str = "b25seSBmb3IgdGhlIGRlbW9uc3RyYXRpb246IDMyIGJ5dGVz";

const API_KEY: &str = "demo-key";
const PASSWORD: &str = "demo-password";
const TOKEN_SECRET: &str = "signs tokens of the consumer demo: 32 bytes or more";

const CLIENT_SECRET: &str = "demo-client-secret";
const USER_PASSWORD: &str = "secret";
const ADMIN_KEY: &str = "demo-admin-key";

const CONSUMERS: &str = "
consumers:
  - username: demo
    group: gold
    credentials:
      - {id: demo-1, type: key, key: {env: DEMO_API_KEY}}
      - {id: demo-2, type: basic, username: demo, password: {env: DEMO_PASSWORD}}
      - {id: demo-3, type: jwt, key: demo-service, secret: {env: DEMO_TOKEN_SECRET}, signing: {ttl: 10m}}
  - username: guest
oauthClients:
  - client_id: tutorial-app
    name: Tutorial
    public: true
    grant_types: [authorization_code, implicit, refresh_token]
    response_types: [code, token]
    redirect_uris: [\"https://localhost:8443/callback\"]
    scopes: [notes, profile]
  - client_id: tutorial-server
    name: Tutorial server
    secret: {env: DEMO_CLIENT_SECRET}
    grant_types: [client_credentials, password, refresh_token]
    scopes: [notes, profile]
    default_scopes: [notes]
users:
  - {id: u-bob, username: bob, email: bob@example.org, password: {env: DEMO_USER_PASSWORD}}
";

fn run(gateway: &'static Gateway, mut launch: Launch) -> ExitCode {
    let upstream = match upstream::start() {
        Ok(address) => address,
        Err(error) => {
            gateway_runtime::show(&format!("gateway: the demo's upstream cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    for api in gateway.apis {
        for known in api.upstreams {
            launch.settings.insert(0, format!("upstreams.{}.{}=http://{upstream}", api.name, known.name));
        }
    }
    let consumers = match TemporaryFile::write("consumers.yaml", CONSUMERS) {
        Ok(consumers) => consumers,
        Err(error) => {
            gateway_runtime::show(&format!("gateway: the demo's consumers cannot be written: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let authority = listen(&mut launch);
    for setting in [
        &format!("consumers.file={}", consumers.0.display()),
        "stores.default.kind=memory",
        "admin.key.env=DEMO_ADMIN_KEY",
    ] {
        launch.settings.insert(0, setting.to_owned());
    }
    for (name, value) in [
        ("DEMO_API_KEY", API_KEY),
        ("DEMO_PASSWORD", PASSWORD),
        ("DEMO_TOKEN_SECRET", TOKEN_SECRET),
        ("DEMO_CLIENT_SECRET", CLIENT_SECRET),
        ("DEMO_USER_PASSWORD", USER_PASSWORD),
        ("DEMO_ADMIN_KEY", ADMIN_KEY),
        ("NOTES_JWT_SECRET", NOTES_KEY),
        ("FILES_SESSION_SECRET", FILES_KEY_BASE64),
    ] {
        launch.stand_in_secrets.push((name.to_owned(), value.to_owned()));
    }
    let key = std::env::var("NOTES_JWT_SECRET").unwrap_or_else(|_| NOTES_KEY.to_owned());
    launch.serve(gateway, |ready| introduce(gateway, ready, upstream, authority.as_ref(), &token(&key)))
}

/// Adds a listener with TLS beside the usual one, unless the deployment has its own; its certificate is in the file.
fn listen(launch: &mut Launch) -> Option<TemporaryFile> {
    if launch.config.is_some() || launch.settings.iter().any(|setting| setting.starts_with("listeners.")) {
        return None;
    }
    // Another demo may be there already: one that cannot be met over TLS is better than none.
    let free = |address: &&str| std::net::TcpListener::bind(address).is_ok();
    let usual = format!("127.0.0.1:{ISSUER_PORT}");
    let address = [&*usual, "127.0.0.1:0"].into_iter().find(free)?;
    let Certificate { cert, key } = Certificate::new().ok()?;
    let file = TemporaryFile::write("ca.pem", &cert).ok()?;
    for setting in [
        "listeners.demo.bind=127.0.0.1:8080",
        &format!("listeners.demo-tls.bind={address}"),
        "listeners.demo-tls.tls.cert.env=DEMO_TLS_CERTIFICATE",
        "listeners.demo-tls.tls.key.env=DEMO_TLS_KEY",
    ] {
        launch.settings.insert(0, setting.to_owned());
    }
    launch.stand_in_secrets.push(("DEMO_TLS_CERTIFICATE".to_owned(), cert));
    launch.stand_in_secrets.push(("DEMO_TLS_KEY".to_owned(), key));
    Some(file)
}

/// Goes away with the demo.
struct TemporaryFile(PathBuf);

impl TemporaryFile {
    fn write(name: &str, text: &str) -> std::io::Result<Self> {
        let file = std::env::temp_dir().join(format!("gateway-demo-{}-{name}", std::process::id()));
        // Another user may have put a link there.
        std::fs::File::create_new(&file)?.write_all(text.as_bytes())?;
        Ok(Self(file))
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        // Nothing depends on it any more.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A token that may read and write notes.
fn token(key: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let claims = json!({"sub": "demo", "scope": "notes:read notes:write", "exp": now + TOKEN_SECONDS});
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(key.as_bytes()))
        .unwrap_or_default()
}

/// The OAuth tutorial, where it is at the address that its document says.
fn tutorial(port: u16, authority: &str) -> String {
    if port != ISSUER_PORT {
        return format!("  The OAuth tutorial needs port {ISSUER_PORT}, which is taken.\n");
    }
    format!(
        "  curl -i --cacert {authority} https://localhost:{port}/oauth/token -u tutorial-server:{CLIENT_SECRET} -d grant_type=client_credentials
      200: an access token for a program, from the gateway's own authorization server
  curl -i --cacert {authority} https://localhost:{port}/_admin/applications -H 'X-Admin-Key: {ADMIN_KEY}'
      200: the applications that may ask for tokens
  https://localhost:{port}/ in a browser (it will warn of the certificate)
      every grant of OAuth 2.0: log in as bob with the password {USER_PASSWORD}, allow, call an API, withdraw
"
    )
}

fn introduce(gateway: &Gateway, ready: &Ready, upstream: SocketAddr, authority: Option<&TemporaryFile>, token: &str) {
    let Some((_, listener)) = ready.listeners.first() else { return };
    let with_tls = ready.listeners.iter().find(|(name, _)| name == "demo-tls").zip(authority);
    let tls = with_tls.map_or_else(String::new, |((_, listener), authority)| {
        let (port, file) = (listener.port(), authority.0.display());
        format!(
            "  curl -i --cacert {file} https://localhost:{port}/payments/rates
      200: over TLS; the demo made its certificate for itself (or use -k)
  curl -i http://{plain}/payments/rates -H 'Host: localhost'
      301: this document is for HTTPS only
{tutorial}",
            plain = ready.listeners[0].1,
            tutorial = tutorial(port, &file.to_string()),
        )
    });
    let admin = ready
        .admin
        .map_or_else(String::new, |admin| format!("  curl http://{admin}/metrics\n      what was counted so far\n"));
    gateway_runtime::show(&format!(
        "
{table}
The gateway listens on http://{listener}, and every upstream is the demo's own on http://{upstream}. Try:

  curl -i http://{listener}/v1/health
      200: public, answered by the upstream, which shows what reached it
  curl -i http://{listener}/v1/notes
      401: no token; WWW-Authenticate says what is needed
  curl -i http://{listener}/v1/notes -H 'Authorization: Bearer {token}'
      200: a good token
  curl -i http://{listener}/reports/monthly -H 'X-API-Key: {API_KEY}'
      200: an API key; the upstream learns whose it is, and not the key
  curl -i http://{listener}/reports/staff -u demo:{PASSWORD}
      200: a user name and a password
  curl -i \"http://{listener}/reports/token?key=demo-service\" -u demo:{PASSWORD}
      200: a token that the gateway signs for the caller, good for ten minutes
  curl -i http://{listener}/reports/feed -H \"Authorization: Bearer $(curl -s \"http://{listener}/reports/token?key=demo-service\" -u demo:{PASSWORD})\"
      200: that token; its key and algorithm come from the consumer's credential
  curl -i http://{listener}/v1/notes/first -H 'Authorization: Bearer {token}'
      400: the document says that the id is an integer
  curl -i -X PUT http://{listener}/v1/notes
      405: a described path, but not with this method; Allow lists those it has
  curl -i http://{listener}/v1/nothing
      404: not described, so not reachable
{tls}{admin}
Below is the access log, one JSON line per request. Ctrl-C ends the demo.
",
        table = route_table(gateway),
    ));
}
