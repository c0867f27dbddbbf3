//! Clients and users of `consumers.yaml`, as a gateway with an authorization server reads them.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::{engine, example};
use gateway_base::digest::Digest;
use gateway_base::secret::SecretStore;
use gateway_limits::counters::Limits;
use gateway_limits::store::Stores;
use gateway_parties::authority::Authority;
use gateway_parties::clients_and_users::*;
use gateway_parties::server::*;
use gateway_parties::source::Source as File;
use gateway_parties::store::ConsumerStore;

fn read(yaml: &str, authorities: Vec<Authority>) -> Result<(ConsumerStore, Vec<String>), Vec<String>> {
    let name = Digest::of(format!("{}{yaml}", authorities.len()).as_bytes()).to_hex();
    let folder = std::env::temp_dir().join(format!("gateway-parties-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("consumers.yaml");
    std::fs::write(&file, yaml).expect("written");
    std::fs::write(folder.join("key.pem"), PUBLIC_KEY).expect("written");
    let secrets = SecretStore {
        folder: folder.clone(),
        stand_ins: vec![("S".to_owned(), "hunter2".to_owned())],
        ..SecretStore::default()
    };
    let limits = Arc::new(Limits::new([], 0, Stores::pretended()));
    let source = File {
        file: file.clone(),
        secrets,
        literals: true,
        needed: HashSet::new(),
        token_keys: None,
        limits,
        authorities,
    };
    let texts = |problems: Vec<gateway_base::problem::Problem>| {
        let prefix = format!("{}:", PathBuf::from(&file).display());
        problems.iter().map(|problem| problem.to_string().replace(&prefix, "")).collect::<Vec<_>>()
    };
    let opened = ConsumerStore::open(source);
    let _ = std::fs::remove_dir_all(&folder);
    opened.map(|(store, remarks)| (store, texts(remarks))).map_err(texts)
}

const GOOD: &str = r#"
consumers: []
oauthClients:
  - client_id: "123"
    name: demo-app
    secret: {env: S}
    auth_methods: [client_secret_basic, client_secret_post, private_key_jwt]
    keys: {file: key.pem}
    grant_types: [authorization_code, client_credentials, refresh_token, "urn:ietf:params:oauth:grant-type:jwt-bearer"]
    response_types: [code]
    redirect_uris: ["https://localhost:3001/callback", "http://127.0.0.1/cb", "com.example.app:/cb"]
    scopes: [notes, profile]
    default_scopes: [notes]
    legacy_assertions: {audiences: ["/oauth/token"], millisecond_times: true}
  - {client_id: "456", secret: {env: S}, grant_types: [authorization_code], scopes: [notes]}
  - {client_id: j, secret: {value: x}, grant_types: [client_credentials], token_format: jwt, scopes: [notes], access_token_ttl: 1s, code_ttl: 30s}
  - {client_id: pub, public: true, grant_types: [authorization_code], redirect_uris: ["https://app.example/cb"], scopes: [notes]}
users:
  - {id: u-bob, username: bob, email: Foo@bar.com, password: {value: secret}}
  - {username: ann, password: {argon2id: "$argon2id$v=19$m=8,t=1,p=1$bm9ib2R5IGF0IGFsbA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}}
permissions:
  - {client: "123", user: bob, scopes: [notes]}
"#;

#[test]
fn clients_users_and_permissions_are_read() {
    let (store, remarks) = read(GOOD, vec![engine::authority(&example::SERVER)]).expect("good");
    let current = store.current();
    let parties = current.parties();
    let demo = parties.client("123").expect("there");
    assert!(demo.secret.as_ref().is_some_and(|secret| secret.is(b"hunter2") && secret.plain().is_some()));
    assert!(demo.keys.is_some() && demo.may_use(Grant::JwtBearer) && !demo.public && !demo.pkce);
    assert_eq!((demo.redirect_uris.len(), demo.default_scopes.as_slice()), (3, &["notes".to_owned()][..]));
    assert!(demo.legacy_assertions.as_ref().is_some_and(|legacy| legacy.millisecond_times));
    let usual = parties.client("456").expect("there");
    assert_eq!(usual.auth_methods, [AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost]);
    assert_eq!((usual.name.as_str(), &usual.response_types[..]), ("456", &[ResponseType::Code][..]));
    let terms = parties.client("j").expect("there");
    assert_eq!((terms.token_format, terms.code_ttl), (Some(TokenFormat::Jwt), Some(Duration::from_secs(30))));
    assert_eq!(terms.access_token_ttl, Some(Duration::from_secs(1)));
    let public = parties.client("pub").expect("there");
    assert!(public.public && public.pkce && public.auth_methods == [AuthMethod::None]);
    let bob = parties.user_by_login("foo@BAR.com").expect("there");
    assert_eq!((bob.id.as_str(), bob.username.as_str()), ("u-bob", "bob"));
    assert_eq!(parties.user("ann").map(|user| user.username.as_str()), Some("ann"));
    assert_eq!(parties.permission("123", "u-bob"), Some(&["notes".to_owned()][..]));
    assert_eq!(parties.permission("456", "u-bob"), None);
    for expected in ["assertions of the client `123`", "the client `456` has no `redirect_uris`"] {
        assert!(remarks.iter().any(|remark| remark.contains(expected)), "no `{expected}` in {remarks:?}");
    }
    assert_eq!(remarks.len(), 2, "{remarks:?}");
    let shown = format!("{:?} {bob:?}", parties.clients().collect::<Vec<_>>());
    assert!(!shown.contains("hunter2") && !shown.contains("secret\"") && !shown.contains("PUBLIC KEY"), "{shown}");
}

#[test]
fn without_an_authorization_server_the_sections_are_not_used() {
    let (store, remarks) = read(GOOD, Vec::new()).expect("nothing is looked at");
    assert!(store.current().parties().client("123").is_none());
    assert_eq!(remarks.len(), 3, "{remarks:?}");
    assert!(remarks[0].contains("`oauthClients` is not used: no document of this gateway has an authorization server"));
}

#[test]
fn mistakes_are_reported_with_their_place() {
    for (sections, expected) in [
        ("oauthClients: [{name: a}]", "2:16: a client needs a `client_id`"),
        ("oauthClients: {}", "2:15: expected a list, found a mapping"),
        ("oauthClients: [{client_id: a b, grant_types: []}]", "`a b` is not a client's id"),
        (
            "oauthClients: [{client_id: a, secrets: {env: S}}]",
            "unknown key `secrets` in a client; did you mean `secret`?",
        ),
        (
            "oauthClients: [{client_id: a, secret: hunter2}]",
            "2:39: expected one of {env: NAME}, {file: path} and {sha256: hex}",
        ),
        ("oauthClients: [{client_id: a, secret: {env: UNSET_SECRET}}]", "UNSET_SECRET is not set [GW602]"),
        (
            "oauthClients: [{client_id: a, secret: {env: S}, grant_types: [client_credential]}]",
            "did you mean `client_credentials`?",
        ),
        ("oauthClients: [{client_id: a, secret: {env: S}}]", "the client has no `grant_types`"),
        ("oauthClients: [{client_id: a, grant_types: [client_credentials]}]", "can prove in no way who it is"),
        (
            "oauthClients: [{client_id: a, secret: {env: S}, auth_methods: [private_key_jwt], grant_types: []}]",
            "`private_key_jwt` needs `keys: {file: …}`",
        ),
        (
            "oauthClients: [{client_id: a, secret: {sha256: 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b}, auth_methods: [client_secret_jwt], grant_types: []}]",
            "needs the secret itself",
        ),
        (
            "oauthClients: [{client_id: a, secret: {env: S}, keys: {env: S}, grant_types: []}]",
            "is not a PEM key for RS256",
        ),
        (
            "oauthClients: [{client_id: a, public: true, secret: {env: S}, grant_types: []}]",
            "a public client has no `secret`",
        ),
        (
            "oauthClients: [{client_id: a, public: true, grant_types: [client_credentials]}]",
            "a public client cannot have the grant `client_credentials`",
        ),
        (
            "oauthClients: [{client_id: a, public: true, pkce: off, grant_types: []}]",
            "2:51: PKCE is mandatory for public clients",
        ),
        (
            "oauthClients: [{client_id: a, secret: {env: S}, grant_types: [], redirect_uris: [\"http://app.example/cb\"]}]",
            "`http://app.example/cb` cannot be a redirect URI: plain HTTP; https or loopback",
        ),
        (
            "oauthClients: [{client_id: a, secret: {env: S}, grant_types: [], scopes: [notes], default_scopes: [x]}]",
            "`x` is not among the client's `scopes`",
        ),
        (
            "oauthClients: [{client_id: a, secret: {env: S}, grant_types: []}, {client_id: a}]",
            "there are two clients called `a`",
        ),
        (
            "oauthClients: [{client_id: a, secret: {env: S}, grant_types: [], code_ttl: 0s}]",
            "`code_ttl` is from 1s to 400d",
        ),
        (
            "oauthClients: [{client_id: a, secret: {env: S}, grant_types: [], legacy_assertions: {audience: []}}]",
            "did you mean `audiences`?",
        ),
        ("users: [{id: a}]", "a user needs a `username`"),
        ("users: [{username: a@b.c, password: {value: x}}]", "`username` has no `@`"),
        ("users: [{username: a}]", "the user has no `password`"),
        ("users: [{username: a, email: nobody, password: {value: x}}]", "`nobody` is not an e-mail address"),
        (
            "users: [{username: a, password: {value: x}}, {username: a, password: {value: x}}]",
            "there are two users called `a`",
        ),
        (
            "users: [{username: a, email: a@b.example, password: {value: x}}, {username: b, email: A@B.example, password: {value: x}}]",
            "duplicate e-mail address: `a` has the same",
        ),
        (
            "users: [{username: a, password: {value: x}}, {id: a, username: b, password: {value: x}}]",
            "there are two users with the id `a`",
        ),
        ("permissions: [{client: a, user: b}]", "a permission has a `client`, a `user` and `scopes`"),
        ("permissions: [{client: a, user: b, scopes: []}]", "this file has no client `a`"),
        (
            "oauthClients: [{client_id: app, secret: {env: S}, grant_types: [], scopes: [notes]}]\nusers: [{username: ben, password: {value: x}}]\npermissions: [{client: app, user: bne, scopes: []}]",
            "4:35: this file has no user `bne`; did you mean `ben`?",
        ),
        (
            "oauthClients: [{client_id: app, secret: {env: S}, grant_types: [], scopes: [notes]}]\nusers: [{username: ben, password: {value: x}}]\npermissions: [{client: app, user: ben, scopes: [profile]}]",
            "`profile` is not among the scopes of the client `app`",
        ),
        ("oauthClient: []", "unknown section `oauthClient`; did you mean `oauthClients`?"),
    ] {
        let problems = read(&format!("consumers: []\n{sections}\n"), vec![engine::authority(&example::SERVER)]);
        let all = problems.err().unwrap_or_default().join("\n");
        assert!(all.contains(expected), "{sections}: no `{expected}` in `{all}`");
        assert!(!all.contains("hunter2"), "{all}");
    }
}

#[test]
fn settings_that_no_server_offers_are_noted() {
    let yaml = "consumers: []\noauthClients: [{client_id: a, secret: {env: S}, pkce: off, grant_types: [password], scopes: [note]}]";
    let (_, remarks) = read(yaml, vec![engine::authority(&example::SERVER)]).expect("good");
    for expected in [
        "no authorization server offers the grant `password`",
        "no authorization server has the scope `note`; did you mean `notes`?",
        "`pkce: off` changes nothing",
    ] {
        assert!(remarks.iter().any(|remark| remark.contains(expected)), "no `{expected}` in {remarks:?}");
    }
}

/// Of a key pair whose private half was not kept.
const PUBLIC_KEY: &str = "\
    -----BEGIN PUBLIC KEY-----\n\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZmMJobaNLXax83auKtv3K77ZIXt1\n\
    l5Gm8qcNmWDATEpeLIrc4XCbaL2HyOZniCyKf03gYf0y9sao/fTO6NOcXg==\n\
    -----END PUBLIC KEY-----";
