//! The OAuth tutorial of `specs/tutorial.yaml`: a gateway with clients and users, and a browser of a few lines.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use super::support::{Connection, Folder, Gateway, Reader, Response, Upstream};

/// Where the document says that it is.
pub(crate) const ISSUER: &str = "https://localhost:8443";

/// Where the client `app` is sent back to.
pub(crate) const CALLBACK: &str = "https://app.example/callback";

/// For the tests' key of administrators.
pub(crate) const ADMIN: &str = "X-Admin-Key: administrators of the tests\r\n";

/// Of PKCE: RFC 7636 appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Clients of every kind, and two users; `{port}` is the port of a client on this machine.
pub(crate) const PARTIES: &str = r#"
consumers: [{username: guest}]
oauthClients:
  - client_id: app
    name: Notes & more
    public: true
    grant_types: [authorization_code, implicit, refresh_token]
    response_types: [code, token]
    redirect_uris: ["https://app.example/callback", "https://localhost:8443/callback", "http://127.0.0.1/callback"]
    scopes: [notes, profile]
  - client_id: tutorial-app
    name: Tutorial
    public: true
    grant_types: [authorization_code, implicit, refresh_token]
    response_types: [code, token]
    redirect_uris: ["https://localhost:8443/callback"]
    scopes: [notes, profile]
  - client_id: server
    name: Server
    secret: {env: TEST_CLIENT_SECRET}
    auth_methods: [client_secret_basic, client_secret_post, client_secret_jwt, private_key_jwt]
    keys: {file: client.pub.pem}
    grant_types: [authorization_code, client_credentials, password, refresh_token, "urn:ietf:params:oauth:grant-type:jwt-bearer"]
    redirect_uris: ["https://server.example/callback", "https://server.example/other"]
    scopes: [notes, profile]
    default_scopes: [notes]
  - client_id: tutorial-server
    secret: {env: TEST_CLIENT_SECRET}
    grant_types: [client_credentials, password, refresh_token]
    scopes: [notes, profile]
  - client_id: other
    secret: {env: TEST_OTHER_SECRET}
    grant_types: [authorization_code, client_credentials, refresh_token]
    redirect_uris: ["https://other.example/callback"]
    scopes: [notes]
    token_format: jwt
users:
  - {id: u-bob, username: bob, email: bob@example.org, password: {env: TEST_USER_PASSWORD}}
  - {id: u-ann, username: ann, email: ann@example.org, password: {env: TEST_USER_PASSWORD}}
"#;

pub(crate) const CLIENT_SECRET: &str = "the secret of a client of the tests, 32 bytes or more";
pub(crate) const OTHER_SECRET: &str = "another secret";
pub(crate) const PASSWORD: &str = "correct horse battery";

/// The secrets that [`PARTIES`] refers to.
pub(crate) fn secrets(command: &mut Command) {
    command.env("TEST_CLIENT_SECRET", CLIENT_SECRET).env("TEST_OTHER_SECRET", OTHER_SECRET);
    command.env("TEST_USER_PASSWORD", PASSWORD);
}

/// A gateway that takes this machine's word for it that a request came over TLS.
pub(crate) struct Tutorial {
    pub(crate) gateway: Gateway,
    /// Of the client `server`; its public half is registered.
    pub(crate) key: rcgen::KeyPair,
    folder: Folder,
}

impl Tutorial {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// With further settings; `{folder}` in them is a folder of its own.
    pub(crate) fn with(settings: &[&str]) -> Self {
        Self::launched(settings, Gateway::launch)
    }

    /// As [`Tutorial::with`], with a reader that does not keep up with what the gateway writes.
    pub(crate) fn before(reader: Reader, settings: &[&str]) -> Self {
        Self::launched(settings, |command| Gateway::launch_before(command, reader))
    }

    fn launched(settings: &[&str], launch: impl FnOnce(Command) -> Gateway) -> Self {
        let folder = Folder::new();
        let key = rcgen::KeyPair::generate().expect("a key");
        folder.write("client.pub.pem", &key.public_key_pem());
        folder.write("parties.yaml", PARTIES);
        let upstream = Upstream::echo();
        let gateway = launch(Self::command(&folder, settings, upstream.address));
        Self { gateway, key, folder }
    }

    fn command(folder: &Folder, settings: &[&str], upstream: std::net::SocketAddr) -> Command {
        let config = folder.write("gateway.yaml", "trustedProxies: [127.0.0.1/32]\n");
        let settings: Vec<String> = settings
            .iter()
            .map(|setting| setting.replace("{folder}", &folder.path("").display().to_string()))
            .collect();
        let parties = format!("consumers.file={}", folder.path("parties.yaml").display());
        let apis = "listeners.test.apis=[tutorial]".to_owned();
        let all: Vec<&str> = settings.iter().map(String::as_str).chain([&*parties, &*apis]).collect();
        let mut command = Gateway::command(&all, upstream);
        secrets(&mut command);
        command.args(["--config", &config]);
        command
    }

    /// The folder of its settings.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path("")
    }

    /// Another gateway with the same settings and, where that is in `settings`, the same store.
    pub(crate) fn twin(&self, settings: &[&str]) -> Gateway {
        Gateway::launch(Self::command(&self.folder, settings, Upstream::echo().address))
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser { address: self.gateway.address, cookies: BTreeMap::new() }
    }

    /// POST of a form, without cookies.
    pub(crate) fn post(&self, path: &str, headers: &str, form: &[(&str, &str)]) -> Response {
        self.browser().post(path, headers, form)
    }

    pub(crate) fn get(&self, path: &str, headers: &str) -> Response {
        self.browser().get_with(path, headers)
    }

    /// The answer of the token endpoint to the client `server`.
    pub(crate) fn token(&self, form: &[(&str, &str)]) -> Response {
        self.post("/oauth/token", &basic("server", CLIENT_SECRET), form)
    }

    /// Whether an access token opens the API.
    pub(crate) fn opens(&self, token: &str) -> bool {
        let response = self.get("/api/notes", &format!("Authorization: Bearer {token}\r\n"));
        assert!(matches!(response.status, 200 | 401), "{}", response.body);
        response.status == 200
    }
}

/// Cookies, forms and redirections; nothing else of a browser.
pub(crate) struct Browser {
    address: std::net::SocketAddr,
    pub(crate) cookies: BTreeMap<String, String>,
}

impl Browser {
    pub(crate) fn at(address: std::net::SocketAddr) -> Self {
        Self { address, cookies: BTreeMap::new() }
    }

    fn send(&mut self, method: &str, path: &str, headers: &str, body: &str) -> Response {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = if cookies.is_empty() { String::new() } else { format!("Cookie: {}\r\n", cookies.join("; ")) };
        let mut connection = Connection::to(self.address);
        let length = if method == "POST" { format!("Content-Length: {}\r\n", body.len()) } else { String::new() };
        connection.send(format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost:8443\r\nX-Forwarded-Proto: https\r\n{cookies}{headers}{length}\r\n{body}"
        ));
        let response = connection.response(method == "HEAD");
        for line in response.head.lines() {
            let Some((name, value)) = line.split_once(": ") else { continue };
            if name.eq_ignore_ascii_case("set-cookie") {
                let (pair, attributes) = value.split_once(';').unwrap_or((value, ""));
                let (name, value) = pair.split_once('=').expect("a pair");
                match attributes.contains("Max-Age=0") {
                    true => self.cookies.remove(name),
                    false => self.cookies.insert(name.to_owned(), value.to_owned()),
                };
            }
        }
        response
    }

    pub(crate) fn get(&mut self, path: &str) -> Response {
        self.get_with(path, "")
    }

    pub(crate) fn get_with(&mut self, path: &str, headers: &str) -> Response {
        self.send("GET", path, headers, "")
    }

    pub(crate) fn post(&mut self, path: &str, headers: &str, form: &[(&str, &str)]) -> Response {
        let form: Vec<String> =
            form.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        let headers = format!("Content-Type: application/x-www-form-urlencoded\r\n{headers}");
        self.send("POST", path, &headers, &form.join("&"))
    }

    /// Logs in at the page that `path` is; the answer to the form.
    pub(crate) fn log_in(&mut self, path: &str, user: &str, password: &str) -> Response {
        let page = self.get(path);
        assert_eq!(page.status, 200, "{}", page.head);
        self.post("/login", "", &[("username", user), ("password", password), ("csrf", &field(&page.body, "csrf"))])
    }

    /// Goes from the authorization endpoint over login and consent to the answer at the client's redirect URI.
    pub(crate) fn authorize(&mut self, query: &str) -> String {
        let mut path = format!("/oauth/authorize?{query}");
        for _ in 0..8 {
            let response = self.get(&path);
            let location = match response.status {
                302 | 303 => response.header("location"),
                200 if response.body.contains("name=\"transaction_id\"") => self.decide(&response, true),
                other => panic!("{other}: {}", response.body),
            };
            path = match location {
                login if login.starts_with("/login?") => {
                    let response = self.log_in(&login, "bob", PASSWORD);
                    assert_eq!(response.status, 303, "{}", response.body);
                    response.header("location")
                }
                here if here.starts_with('/') => here,
                elsewhere => return elsewhere,
            };
        }
        panic!("the flow goes round in circles at {path}")
    }

    /// Sends the consent page's form.
    pub(crate) fn decide(&mut self, page: &Response, allow: bool) -> String {
        let (transaction, csrf) = (field(&page.body, "transaction_id"), field(&page.body, "csrf"));
        let decision = if allow { ("allow", "allow") } else { ("cancel", "deny") };
        let form = [("transaction_id", &*transaction), ("csrf", &*csrf), decision];
        let response = self.post("/oauth/authorize/decision", "", &form);
        assert_eq!(response.status, 303, "{}", response.body);
        response.header("location")
    }
}

/// What a hidden field holds.
pub(crate) fn field(page: &str, name: &str) -> String {
    let start = page.find(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("no {name} in {page}"));
    let rest = &page[start..];
    let value = rest.split_once("value=\"").expect("it is there").1;
    value.split('"').next().expect("a value").to_owned()
}

/// A parameter of a URL's query or fragment, decoded as far as the tests need it.
pub(crate) fn parameter(url: &str, name: &str) -> Option<String> {
    let (_, rest) = url.split_once(['?', '#'])?;
    let pairs = rest.split('&').filter_map(|pair| pair.split_once('='));
    let value = pairs.into_iter().find(|(key, _)| *key == name)?.1;
    Some(value.replace("%20", " ").replace("%3A", ":").replace("%2F", "/"))
}

pub(crate) fn encoded(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.bytes().map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

pub(crate) fn basic(id: &str, secret: &str) -> String {
    let pair = format!("{}:{}", encoded(id), encoded(secret));
    format!("Authorization: Basic {}\r\n", super::support::base64(pair.as_bytes()))
}

/// The query of an authorization request of the client `app`.
pub(crate) fn request(scope: &str, more: &str) -> String {
    format!(
        "response_type=code&client_id=app&redirect_uri={}&scope={}&state=xyz&code_challenge={CHALLENGE}&code_challenge_method=S256{more}",
        encoded(CALLBACK),
        encoded(scope)
    )
}
