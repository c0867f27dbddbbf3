//! `gateway demo`: starts the gateway with an upstream of its own, and says what to try.
//!
//! It serves any documents. The commands to try are those for the documents in `specs/` of this repository, as far as
//! they are there.

mod certificate;
mod introduction;
mod upstream;
mod values;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use certificate::Certificate;
use gateway_runtime::codegen::Gateway;
use gateway_runtime::{Command, Launch};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use values::{
    ADMIN_KEY, API_KEY, CLIENT_SECRET, ISSUER_PORT, NOTES_KEY, PASSWORD, TOKEN_SECONDS, TOKEN_SECRET, USER_PASSWORD,
};

/// The command, for [`gateway_runtime::main_with`].
pub const DEMO: Command = Command { name: "demo", run };

const CONSUMERS: &str = "
consumers:
  - username: demo
    group: gold
    credentials:
      - {id: demo-1, type: key, key: {env: DEMO_API_KEY}}
      - {id: demo-2, type: basic, username: demo, password: {env: DEMO_PASSWORD}}
      - {id: demo-3, type: jwt, key: demo-service, secret: {env: DEMO_TOKEN_SECRET}, signing: {ttl: 10m}}
  - username: guest
";

/// For the authorization server of `specs/tutorial.yaml`.
const CLIENTS: &str = "\
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
    let clients = if introduction::has(gateway, ("tutorial", "token")) { CLIENTS } else { "" };
    let consumers = match TemporaryFile::write("consumers.yaml", &format!("{CONSUMERS}{clients}")) {
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
    ] {
        launch.stand_in_secrets.push((name.to_owned(), value.to_owned()));
    }
    let key = std::env::var("NOTES_JWT_SECRET").unwrap_or_else(|_| NOTES_KEY.to_owned());
    launch.serve(gateway, |ready| {
        let authority = authority.as_ref().map(|file| file.0.as_path());
        if let Some(text) = introduction::introduction(gateway, ready, upstream, authority, &token(&key)) {
            gateway_runtime::show(&text);
        }
    })
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
