//! The keys, consumers, clients and users of the demo.

/// Where `specs/tutorial.yaml` says that it is.
pub(crate) const ISSUER_PORT: u16 = 8443;

/// The lifetime of the demo's token, in seconds.
pub(crate) const TOKEN_SECONDS: u64 = 12 * 3600;

/// Keys for this process only: anyone who reads this file can sign tokens, which are valid on this machine alone.
pub(crate) const NOTES_KEY: &str = "only for the demonstration: 32 bytes or more";

pub(crate) const API_KEY: &str = "demo-key";
pub(crate) const PASSWORD: &str = "demo-password";
pub(crate) const TOKEN_SECRET: &str = "signs tokens of the consumer demo: 32 bytes or more";

pub(crate) const CLIENT_SECRET: &str = "demo-client-secret";
pub(crate) const USER_PASSWORD: &str = "secret";
pub(crate) const ADMIN_KEY: &str = "demo-admin-key";

pub(crate) const CONSUMERS: &str = "
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
pub(crate) const CLIENTS: &str = "\
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
