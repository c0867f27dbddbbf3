//! Keys and decisions of a real provider: `oidc-provider` of npm. Needs `node` and `npm`; without them the test says that
//! it was skipped, or fails where `GATEWAY_TEST_REQUIRE_SERVICES=1`.

mod fake;
#[path = "../../support/mod.rs"]
mod support;

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use support::{Connection, eventually};

/// As `fake::command` gives it to the gateway.
const SECRET: &str = "s:cret%";

#[test]
fn a_real_provider() {
    let provider = match RealProvider::start() {
        Ok(provider) => provider,
        Err(why) => {
            let required = std::env::var("GATEWAY_TEST_REQUIRE_SERVICES").is_ok_and(|value| value == "1");
            assert!(!required, "oidc-provider does not run: {why}");
            return eprintln!("skipped: oidc-provider does not run: {why}");
        }
    };
    let issuer = format!("http://{}", provider.address);
    let gateway = fake::gateway_with(
        provider.address,
        &[
            &format!("providers.providers.published={issuer}/jwks"),
            &format!("providers.providers.opaque={issuer}/token/introspection"),
            &format!("providers.providers.strict={issuer}/token/introspection"),
        ],
    );
    let get = |path: &str, token: &str| gateway.get(path, &format!("Authorization: Bearer {token}\r\n"));

    // `sameProvider` takes RS256 with the keys that discovery leads to.
    let reader = provider.token("urn:jwt", "read");
    assert_eq!(reader.matches('.').count(), 2, "a JWT: {reader}");
    let answer = eventually("the keys", || Some(get("/same", &reader)).filter(|answer| answer.status != 503));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(get("/same", &provider.token("urn:jwt", "write")).status, 403);
    let (signed, signature) = reader.rsplit_once('.').expect("a JWT");
    let forged = format!("{signed}.{}", signature.chars().rev().collect::<String>());
    assert_eq!(get("/same", &forged).status, 401);
    // Its keys are none for ES256.
    assert_eq!(get("/published", &reader).status, 401);

    let opaque = provider.token("urn:opaque", "read");
    assert_eq!(opaque.matches('.').count(), 0, "no JWT: {opaque}");
    let answer = get("/opaque", &opaque);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(get("/opaque", "unknown").status, 401);
    let line = gateway.log_line(|line| line["operation"] == "opaque" && line["status"] == 200);
    assert_eq!(line["caller"], "app");
    // What is revoked there is soon refused here: what is remembered ends with `cache`, and a fresh token shows it now.
    let revoked = provider.token("urn:opaque", "read");
    provider.post("/token/revocation", &format!("token={revoked}"));
    assert_eq!(get("/opaque", &revoked).status, 401);
}

struct RealProvider {
    process: Child,
    address: SocketAddr,
}

impl Drop for RealProvider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl RealProvider {
    fn start() -> Result<Self, String> {
        let folder = install()?;
        let mut process = Command::new("node")
            .arg("server.js")
            .current_dir(folder)
            .env("CLIENT_SECRET", SECRET)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("node: {error}"))?;
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let issuer = lines.find_map(|line| line.ok()?.strip_prefix("http://").map(str::to_owned));
        let address = issuer.and_then(|issuer| issuer.parse().ok());
        let Some(address) = address else {
            let _ = process.kill();
            return Err(format!("it ended: {:?}", process.wait()));
        };
        // What it writes later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self { process, address })
    }

    /// A token for the client `app`.
    fn token(&self, resource: &str, scope: &str) -> String {
        let answer = self.post("/token", &format!("grant_type=client_credentials&resource={resource}&scope={scope}"));
        answer["access_token"].as_str().unwrap_or_else(|| panic!("no token in {answer}")).to_owned()
    }

    fn post(&self, path: &str, form: &str) -> Value {
        let credential = support::base64(b"app:s%3Acret%25");
        let mut connection = Connection::to(self.address);
        connection.send(format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Basic {credential}\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            self.address,
            form.len()
        ));
        let response = connection.response(false);
        assert_eq!(response.status, 200, "{response:?}");
        serde_json::from_str(&response.body).unwrap_or(Value::Null)
    }
}

/// Installs the provider below the target folder, unless that has been done.
fn install() -> Result<PathBuf, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("oidc-provider");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("oidc-provider");
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let is_current = |file: &str| {
        let read = |folder: &Path| std::fs::read(folder.join(file)).ok();
        read(&source).is_some() && read(&source) == read(&folder)
    };
    let installed = is_current("package.json") && folder.join("node_modules/oidc-provider").exists();
    for file in ["package.json", "server.js"] {
        std::fs::copy(source.join(file), folder.join(file)).map_err(|error| error.to_string())?;
    }
    if !installed {
        let output = Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=dev"])
            .current_dir(&folder)
            .output()
            .map_err(|error| format!("npm: {error}"))?;
        if !output.status.success() {
            return Err(format!("npm install: {}", String::from_utf8_lossy(&output.stderr)));
        }
    }
    Ok(folder)
}
