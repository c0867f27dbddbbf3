//! What every kind of store does, on all of them.

#[path = "../../../../tests/support/postgres.rs"]
mod support;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use super::*;
use crate::{engine, example};
use gateway_base::secret::Secret;
use gateway_parties::client_metadata::ClientMetadata;
use gateway_parties::clients_and_users::{AuthMethod, ClientKeys, ClientSecret, ResponseType, Source};
use gateway_parties::store_place::{OauthStoreSettings, StorePlace};
use gateway_parties::stored_password::StoredPassword;
use support::PostgresServer;

const ISSUER: &str = "https://id.example";
const NOW: u64 = 1_000_000;

fn open_store(settings: &OauthStoreSettings) -> Result<OauthStore, StoreError> {
    engine::authority(&example::SERVER).engine.open(settings).map(OauthStore::over)
}

/// A folder of its own; removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("gateway-store-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn settings(&self) -> OauthStoreSettings {
        OauthStoreSettings { place: StorePlace::File(self.0.join("gateway.db")), trusted_roots: None }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn open(settings: &OauthStoreSettings) -> OauthStore {
    open_store(settings).expect("it opens")
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(future)
}

/// Runs `scenario` on every kind of store, each opened twice where two gateways can share it.
fn everywhere(scenario: impl AsyncFn(&OauthStore, &OauthStore)) {
    let memory = open(&OauthStoreSettings { place: StorePlace::Memory, trusted_roots: None });
    block_on(scenario(&memory, &memory));
    let folder = Folder::new();
    let (one, other) = (open(&folder.settings()), open(&folder.settings()));
    block_on(scenario(&one, &other));
    if let Some((_server, settings)) = postgres() {
        let (one, other) = (open(&settings), open(&settings));
        block_on(scenario(&one, &other));
    }
}

/// A new database of a server that tests share while one of them runs.
fn postgres() -> Option<(Arc<PostgresServer>, OauthStoreSettings)> {
    static SERVER: Mutex<Weak<PostgresServer>> = Mutex::new(Weak::new());
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut shared = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    let server = match shared.upgrade() {
        Some(server) => server,
        None => Arc::new(PostgresServer::start()?),
    };
    *shared = Arc::downgrade(&server);
    let settings = database_of(&server, &format!("test{}", COUNT.fetch_add(1, Relaxed)));
    Some((server, settings))
}

fn database_of(server: &PostgresServer, name: &str) -> OauthStoreSettings {
    let url = Secret::from(server.database(name).as_str());
    OauthStoreSettings { place: StorePlace::Postgres(url), trusted_roots: None }
}

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn authorization(id: &str) -> Authorization {
    Authorization {
        id: id.to_owned(),
        issuer: ISSUER.to_owned(),
        client: "app".to_owned(),
        user: Some("u-ann".to_owned()),
        password_mark: Some("mark".to_owned()),
        scopes: vec!["notes".to_owned(), "profile".to_owned()],
        resources: vec!["https://a.example".to_owned(), "https://b.example".to_owned()],
        grant: Grant::AuthorizationCode,
        refresh_expires: NOW + 10_000,
    }
}

fn code(text: &str) -> NewCode {
    NewCode {
        code: digest(text),
        record: CodeRecord {
            authorization: authorization(&format!("of-{text}")),
            redirect_uri: Some("https://app.example/cb".to_owned()),
            challenge: Some("challenge".to_owned()),
            issued_at: NOW,
            expires: NOW + 60,
        },
    }
}

fn tokens(authorization: Authorization, is_new: bool, access: &str, refresh: Option<&str>) -> NewTokens {
    NewTokens {
        authorization,
        is_new,
        access: digest(access),
        access_scopes: vec!["notes".to_owned()],
        access_resources: vec!["https://b.example".to_owned()],
        access_expires: NOW + 600,
        format: TokenFormat::Jwt,
        jti: Some("jti".to_owned()),
        refresh: refresh.map(digest),
        refresh_idle_until: NOW + 1_000,
        issued_at: NOW,
    }
}

fn user(id: &str, username: &str, email: Option<&str>) -> User {
    User {
        id: id.to_owned(),
        username: username.to_owned(),
        email: email.map(str::to_owned),
        password: StoredPassword::Argon2id("$argon2id$a".into()),
        source: Source::Store,
    }
}

fn client(id: &str) -> Client {
    Client {
        id: id.to_owned(),
        name: "An app".to_owned(),
        secret: Some(ClientSecret::of_plain(Secret::from("a secret"))),
        public: false,
        auth_methods: vec![AuthMethod::ClientSecretBasic, AuthMethod::PrivateKeyJwt],
        keys: Some(ClientKeys::new("{}", None)),
        grants: vec![Grant::AuthorizationCode, Grant::JwtBearer],
        response_types: vec![ResponseType::Code],
        redirect_uris: vec!["https://app.example/cb".to_owned()],
        scopes: vec!["notes".to_owned()],
        default_scopes: Vec::new(),
        pkce: true,
        token_format: Some(TokenFormat::Jwt),
        access_token_ttl: Some(Duration::from_secs(5)),
        code_ttl: None,
        legacy_assertions: None,
        source: Source::Store,
        metadata: ClientMetadata {
            contacts: vec!["app@app.example".to_owned()],
            texts: [("client_uri", "https://app.example"), ("client_name#de", "Eine App")]
                .map(|(name, text)| (name.to_owned(), text.to_owned()))
                .into(),
        },
    }
}

#[test]
fn pkce_is_required_where_the_server_or_the_client_requires_it() {
    use gateway_parties::server::PkceRequirement::{All, Public};
    let said_so = client("1");
    assert!(said_so.must_use_pkce(Public) && said_so.must_use_pkce(All));
    let silent = Client { pkce: false, ..client("1") };
    assert!(!silent.must_use_pkce(Public) && silent.must_use_pkce(All));
    assert!(Client { public: true, ..silent }.must_use_pkce(Public));
}

#[test]
fn a_second_redemption_of_a_code_revokes_its_tokens() {
    everywhere(async |one, other| {
        one.add_code(&code("c1")).await.expect("kept");
        let Ok(Redeemed::Code(record)) = other.redeem_code(&digest("c1"), NOW + 1).await else {
            panic!("not redeemed")
        };
        assert_eq!(record.authorization, authorization("of-c1"));
        assert_eq!(record.redirect_uri.as_deref(), Some("https://app.example/cb"));
        assert_eq!(record.challenge.as_deref(), Some("challenge"));
        assert_eq!((record.issued_at, record.expires), (NOW, NOW + 60));
        one.issue(&tokens(record.authorization, false, "a1", Some("r1"))).await.expect("issued");
        let found = other.access_token(&digest("a1"), NOW + 1).await.expect("found").expect("good");
        assert_eq!((found.scopes.join(" "), found.format), ("notes".to_owned(), TokenFormat::Jwt));
        assert_eq!(found.resources, ["https://b.example"]);
        assert_eq!((found.jti.as_deref(), found.issued_at, found.expires), (Some("jti"), NOW, NOW + 600));
        let again = one.redeem_code(&digest("c1"), NOW + 2).await;
        assert_eq!(again, Ok(Redeemed::Spent { authorization: "of-c1".to_owned() }));
        assert_eq!(other.access_token(&digest("a1"), NOW + 2).await, Ok(None));
        assert_eq!(other.rotate(&digest("r1"), NOW + 2, true, 0).await, Ok(Rotated::Unknown));
        // What comes later is dead as well.
        one.issue(&tokens(authorization("of-c1"), false, "a2", None)).await.expect("issued");
        assert_eq!(one.access_token(&digest("a2"), NOW + 2).await, Ok(None));
        assert_eq!(one.redeem_code(&digest("unknown"), NOW).await, Ok(Redeemed::Unknown));
        one.add_code(&code("late")).await.expect("kept");
        assert_eq!(one.redeem_code(&digest("late"), NOW + 60).await, Ok(Redeemed::Unknown));
    });
}

#[test]
fn of_a_hundred_concurrent_redemptions_one_wins_and_its_tokens_are_revoked() {
    everywhere(async |one, other| {
        one.add_code(&code("c")).await.expect("kept");
        let tries = (0..100).map(|number| {
            let store = if number % 2 == 0 { one } else { other };
            async move {
                let redeemed = store.redeem_code(&digest("c"), NOW).await.expect("an answer");
                if let Redeemed::Code(record) = redeemed {
                    store.issue(&tokens(record.authorization, false, "a", Some("r"))).await.expect("issued");
                    return true;
                }
                assert_eq!(redeemed, Redeemed::Spent { authorization: "of-c".to_owned() });
                false
            }
        });
        assert_eq!(together(tries).await.into_iter().filter(|won| *won).count(), 1);
        assert_eq!(one.access_token(&digest("a"), NOW).await, Ok(None));
        assert_eq!(other.rotate(&digest("r"), NOW, true, 0).await, Ok(Rotated::Unknown));
    });
}

#[test]
fn of_a_hundred_concurrent_rotations_one_wins_and_the_family_is_revoked() {
    everywhere(async |one, other| {
        one.issue(&tokens(authorization("z"), true, "a", Some("r"))).await.expect("issued");
        let tries = (0..100).map(|number| {
            let store = if number % 2 == 0 { one } else { other };
            async move {
                match store.rotate(&digest("r"), NOW, true, 0).await.expect("an answer") {
                    Rotated::Good(record) => {
                        store.issue(&tokens(record.authorization, false, "a2", Some("r2"))).await.expect("issued");
                        true
                    }
                    Rotated::Reused { authorization } => {
                        assert_eq!(authorization, "z");
                        false
                    }
                    Rotated::Unknown => panic!("it is known"),
                }
            }
        });
        assert_eq!(together(tries).await.into_iter().filter(|won| *won).count(), 1);
        for access in ["a", "a2"] {
            assert_eq!(one.access_token(&digest(access), NOW).await, Ok(None), "{access}");
        }
        assert_eq!(other.rotate(&digest("r2"), NOW, true, 0).await, Ok(Rotated::Unknown));
    });
}

#[test]
fn a_spent_refresh_token_is_valid_within_the_grace_and_revokes_the_family_afterwards() {
    everywhere(async |one, other| {
        one.issue(&tokens(authorization("z"), true, "a", Some("r"))).await.expect("issued");
        let tries = (0..100).map(|number| {
            let store = if number % 2 == 0 { one } else { other };
            async move { store.rotate(&digest("r"), NOW + number % 10, true, 10).await.expect("an answer") }
        });
        let answers = together(tries).await;
        assert!(answers.iter().all(|answer| matches!(answer, Rotated::Good(_))), "{answers:?}");
        one.issue(&tokens(authorization("z"), false, "a2", Some("r2"))).await.expect("issued");
        // It counts from the first use, and the deployment may have other terms by now.
        let seen = one.refresh_token(&digest("r"), NOW + 9, 10).await;
        assert!(matches!(seen, Ok(Some(_))), "{seen:?}");
        assert_eq!(one.refresh_token(&digest("r"), NOW + 9, 0).await, Ok(None));
        assert!(matches!(one.access_token(&digest("a2"), NOW).await, Ok(Some(_))), "nothing has ended");
        let late = other.rotate(&digest("r"), NOW + 20, true, 10).await;
        assert_eq!(late, Ok(Rotated::Reused { authorization: "z".to_owned() }));
        for access in ["a", "a2"] {
            assert_eq!(one.access_token(&digest(access), NOW).await, Ok(None), "{access}");
        }
        assert_eq!(other.rotate(&digest("r2"), NOW + 20, true, 10).await, Ok(Rotated::Unknown));
        // Without a grace, also where the clock of the first gateway is ahead.
        one.issue(&tokens(authorization("y"), true, "a-y", Some("r-y"))).await.expect("issued");
        assert!(matches!(one.rotate(&digest("r-y"), NOW + 5, true, 0).await, Ok(Rotated::Good(_))));
        assert!(matches!(other.rotate(&digest("r-y"), NOW, true, 0).await, Ok(Rotated::Reused { .. })));
    });
}

/// All at once, in one task.
async fn together<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut waiting: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|cx| {
        let mut is_done = true;
        for (future, result) in &mut waiting {
            if result.is_none() {
                match future.as_mut().poll(cx) {
                    std::task::Poll::Ready(value) => *result = Some(value),
                    std::task::Poll::Pending => is_done = false,
                }
            }
        }
        if is_done { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    waiting.into_iter().filter_map(|(_, result)| result).collect()
}

#[test]
fn refresh_tokens_expire_when_idle_and_with_their_family() {
    everywhere(async |one, other| {
        one.issue(&tokens(authorization("z"), true, "a", Some("r"))).await.expect("issued");
        let looked = other.refresh_token(&digest("r"), NOW, 0).await.expect("found").expect("good");
        assert_eq!(looked.authorization, authorization("z"));
        assert_eq!(other.refresh_token(&digest("r"), NOW + 1_000, 0).await, Ok(None), "idle");
        // One that is not spent is idle from its last use on.
        assert!(matches!(one.rotate(&digest("r"), NOW + 900, false, 0).await, Ok(Rotated::Good(_))));
        assert!(matches!(other.rotate(&digest("r"), NOW + 1_800, false, 0).await, Ok(Rotated::Good(_))));
        assert_eq!(one.rotate(&digest("r"), NOW + 2_800, false, 0).await, Ok(Rotated::Unknown));
        let mut endless = tokens(authorization("y"), true, "a-y", Some("r-y"));
        endless.refresh_idle_until = u64::MAX;
        one.issue(&endless).await.expect("issued");
        assert!(matches!(one.rotate(&digest("r-y"), NOW + 9_999, false, 0).await, Ok(Rotated::Good(_))));
        assert_eq!(one.rotate(&digest("r-y"), NOW + 10_000, false, 0).await, Ok(Rotated::Unknown), "the family's end");
        assert_eq!(one.rotate(&digest("r-y"), NOW + 10_000, true, 0).await, Ok(Rotated::Unknown));
        // Long after: spent is spent.
        assert!(matches!(one.rotate(&digest("r-y"), NOW + 10_001, true, 0).await, Ok(Rotated::Reused { .. })));
    });
}

#[test]
fn tokens_are_revoked_one_by_one_or_together() {
    everywhere(async |one, other| {
        one.issue(&tokens(authorization("z"), true, "a", Some("r"))).await.expect("issued");
        one.issue(&tokens(authorization("z"), false, "b", None)).await.expect("issued");
        assert_eq!(other.access_token(&digest("a"), NOW + 600).await, Ok(None), "expired");
        assert_eq!(other.revoke_access(&digest("a")).await, Ok(true));
        assert_eq!(other.revoke_access(&digest("a")).await, Ok(false));
        assert_eq!(one.access_token(&digest("a"), NOW).await, Ok(None));
        assert!(matches!(one.access_token(&digest("b"), NOW).await, Ok(Some(_))));
        assert_eq!(other.revoke_authorization("z").await, Ok(true));
        assert_eq!(other.revoke_authorization("z").await, Ok(false));
        assert_eq!(one.access_token(&digest("b"), NOW).await, Ok(None));
        assert_eq!(one.refresh_token(&digest("r"), NOW, 0).await, Ok(None));
    });
}

#[test]
fn consents_grow_and_their_withdrawal_revokes_tokens() {
    everywhere(async |one, other| {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(one.consent(ISSUER, "u-ann", "app").await, Ok(None));
        one.allow(ISSUER, "u-ann", "app", &words("notes"), NOW).await.expect("kept");
        other.allow(ISSUER, "u-ann", "app", &words("profile notes"), NOW + 5).await.expect("kept");
        one.allow(ISSUER, "u-ann", "bare", &[], NOW + 7).await.expect("kept");
        one.allow("https://other.example", "u-ann", "app", &words("x"), NOW).await.expect("kept");
        assert_eq!(one.consent(ISSUER, "u-ann", "app").await, Ok(Some(words("notes profile"))));
        assert_eq!(one.consent(ISSUER, "u-ann", "bare").await, Ok(Some(Vec::new())));
        let app = Consent { client: "app".to_owned(), scopes: words("notes profile"), since: NOW };
        let bare = Consent { client: "bare".to_owned(), scopes: Vec::new(), since: NOW + 7 };
        assert_eq!(other.consents(ISSUER, "u-ann").await, Ok(vec![app, bare]));
        one.issue(&tokens(authorization("z"), true, "a", Some("r"))).await.expect("issued");
        one.add_code(&code("pending")).await.expect("kept");
        let mut foreign = authorization("foreign");
        foreign.issuer = "https://other.example".to_owned();
        one.issue(&tokens(foreign, true, "b", None)).await.expect("issued");
        assert_eq!(other.withdraw(ISSUER, "u-ann", "app").await, Ok(true));
        assert_eq!(other.withdraw(ISSUER, "u-ann", "app").await, Ok(false));
        assert_eq!(one.consent(ISSUER, "u-ann", "app").await, Ok(None));
        assert_eq!(one.access_token(&digest("a"), NOW).await, Ok(None));
        assert_eq!(one.rotate(&digest("r"), NOW, true, 0).await, Ok(Rotated::Unknown));
        assert_eq!(one.redeem_code(&digest("pending"), NOW).await, Ok(Redeemed::Unknown));
        assert!(matches!(one.access_token(&digest("b"), NOW).await, Ok(Some(_))), "of another server");
    });
}

#[test]
fn removing_a_client_removes_its_grants() {
    everywhere(async |one, other| {
        assert_eq!(one.add_client(&client("app"), None, NOW).await, Ok(Added::Yes));
        assert_eq!(other.add_client(&client("app"), None, NOW).await, Ok(Added::Taken));
        let found = other.client("app").await.expect("found").expect("there");
        assert_eq!(clients_and_users::terms_of(&found), clients_and_users::terms_of(&client("app")));
        let secret = found.secret.expect("it has one");
        assert!(secret.is(b"a secret") && !secret.is(b"another") && secret.plain().is_none());
        assert_eq!(other.clients().await.expect("found").len(), 1);
        one.issue(&tokens(authorization("z"), true, "a", None)).await.expect("issued");
        assert_eq!(one.remove_client("app").await, Ok(true));
        assert_eq!(one.remove_client("app").await, Ok(false));
        assert!(other.client("app").await.expect("an answer").is_none());
        assert_eq!(other.access_token(&digest("a"), NOW).await, Ok(None));
    });
}

#[test]
fn a_registration_is_replaced_with_its_own_token_and_keeps_its_first_terms() {
    everywhere(async |one, other| {
        let (token, wrong) = (digest("token"), digest("wrong"));
        assert_eq!(one.add_client(&client("app"), Some(&token), NOW).await, Ok(Added::Yes));
        assert_eq!(one.add_client(&client("by hand"), None, NOW).await, Ok(Added::Yes));
        assert!(other.registered("by hand").await.expect("an answer").is_none(), "it has no token");
        let found = other.registered("app").await.expect("an answer").expect("there");
        assert_eq!((found.token == token, found.issued_at), (true, NOW));
        assert_eq!(clients_and_users::terms_of(&found.client), clients_and_users::terms_of(&client("app")));
        let changed = Client { scopes: Vec::new(), name: "Another".to_owned(), secret: None, ..client("app") };
        let first = other.registered("app").await.expect("an answer").expect("there");
        assert_eq!(one.replace_client(&changed, &Registered { token: wrong, ..found }).await, Ok(false));
        let by_hand = Client { id: "by hand".to_owned(), ..changed.clone() };
        assert_eq!(one.replace_client(&by_hand, &first).await, Ok(false));
        assert_eq!(one.replace_client(&changed, &first).await, Ok(true));
        let late = Client { name: "Late".to_owned(), ..changed.clone() };
        assert_eq!(other.replace_client(&late, &first).await, Ok(false), "it is not what it was before");
        let found = other.registered("app").await.expect("an answer").expect("there");
        assert_eq!(clients_and_users::terms_of(&found.client), clients_and_users::terms_of(&changed));
        assert!(found.client.secret.is_none() && found.first.secret.is_none());
        assert_eq!(clients_and_users::terms_of(&found.first), clients_and_users::terms_of(&client("app")));
        assert_eq!(one.remove_client("app").await, Ok(true));
        assert!(other.registered("app").await.expect("an answer").is_none());
        assert_eq!(one.replace_client(&changed, &found).await, Ok(false), "it is not made again");
    });
}

#[test]
fn consents_are_removed_when_a_client_changes_its_identity() {
    everywhere(async |one, other| {
        let token = digest("token");
        let registered = async || other.registered("app").await.expect("an answer").expect("there");
        let is_allowed = async || one.consent(ISSUER, "u-ann", "app").await.expect("an answer").is_some();
        assert_eq!(one.add_client(&client("app"), Some(&token), NOW).await, Ok(Added::Yes));
        let base = registered().await.client;
        let mut fewer = base.clone();
        fewer.redirect_uris.pop();
        let mut more = base.clone();
        more.redirect_uris.push("https://other.example/callback".to_owned());
        let cases = [
            (Client { scopes: Vec::new(), ..base.clone() }, true),
            (fewer, true),
            (more, false),
            (Client { name: "Your bank".to_owned(), ..base.clone() }, false),
            (Client { public: !base.public, ..base.clone() }, false),
        ];
        for (changed, stays) in cases {
            assert_eq!(one.replace_client(&base, &registered().await).await, Ok(true));
            one.allow(ISSUER, "u-ann", "app", &["read".to_owned()], NOW).await.expect("remembered");
            let late = Registered { token: digest("wrong"), ..registered().await };
            assert_eq!(one.replace_client(&changed, &late).await, Ok(false));
            assert!(is_allowed().await, "nothing was replaced");
            assert_eq!(one.replace_client(&changed, &registered().await).await, Ok(true));
            assert_eq!(is_allowed().await, stays, "{changed:?}");
        }
    });
}

#[test]
fn users_are_known_by_name_and_by_address() {
    everywhere(async |one, other| {
        assert_eq!(one.add_user(&user("u-ann", "ann", Some("Ann@Example.org")), NOW).await, Ok(AddedUser::Yes));
        for (taken, expected) in [
            (user("u-2", "ann", None), AddedUser::NameTaken),
            (user("u-2", "ben", Some("ann@example.org")), AddedUser::EmailTaken),
            (user("u-ann", "ben", None), AddedUser::IdTaken),
        ] {
            assert_eq!(other.add_user(&taken, NOW).await, Ok(expected));
        }
        assert_eq!(other.add_user(&user("u-ben", "ben", None), NOW).await, Ok(AddedUser::Yes));
        assert_eq!(
            other.add_user(&user("u-cat", "cat", None), NOW).await,
            Ok(AddedUser::Yes),
            "addresses are optional"
        );
        for login in ["ann", "ann@example.org", "ANN@example.ORG"] {
            let found = other.user_by_login(login).await.expect("an answer").expect(login);
            assert_eq!((found.id.as_str(), found.username.as_str()), ("u-ann", "ann"));
        }
        assert!(other.user_by_login("ANN").await.expect("an answer").is_none());
        let names: Vec<_> = one.users().await.expect("found").into_iter().map(|user| user.username).collect();
        assert_eq!(names, ["ann", "ben", "cat"]);
        let mut plain = user("u-dan", "dan", None);
        plain.password = StoredPassword::Digest(digest("secret"));
        assert!(one.add_user(&plain, NOW).await.is_err(), "passwords are hashes");
    });
}

#[test]
fn a_new_password_and_the_end_of_a_user_end_sessions_and_tokens() {
    everywhere(async |one, other| {
        one.add_user(&user("u-ann", "ann", None), NOW).await.expect("added");
        for round in ["password", "removal"] {
            let session = digest(round);
            one.add_session(&session_of(session, NOW)).await.expect("begun");
            one.add_transaction(&digest("t"), &session, "about", NOW + 60).await.expect("kept");
            let named = tokens(authorization(round), true, round, Some("r"));
            one.issue(&named).await.expect("issued");
            let found = one.access_token(&digest(round), NOW).await.expect("found").expect("good");
            assert_eq!(found.user_name.as_deref(), Some("ann"));
            if round == "password" {
                assert_eq!(other.set_password("u-ann", "$argon2id$b").await, Ok(true));
                let user = one.user("u-ann").await.expect("found").expect("there");
                assert_eq!(user.password.hash(), Some("$argon2id$b"));
            } else {
                assert_eq!(other.remove_user("u-ann").await, Ok(true));
                assert_eq!(other.remove_user("u-ann").await, Ok(false));
            }
            assert_eq!(one.session(&session, NOW, 600).await, Ok(None), "{round}");
            assert_eq!(one.access_token(&digest(round), NOW).await, Ok(None), "{round}");
            assert_eq!(one.rotate(&digest("r"), NOW, true, 0).await, Ok(Rotated::Unknown), "{round}");
            assert_eq!(one.transaction(&digest("t"), &session, NOW).await, Ok(None), "{round}");
            one.remove_ended(NOW + 20_000).await.expect("removed");
        }
        assert_eq!(one.set_password("u-ann", "$argon2id$b").await, Ok(false));
    });
}

fn session_of(id: Digest, now: u64) -> NewSession {
    let (issuer, user, password_mark) = (ISSUER.to_owned(), "u-ann".to_owned(), "mark".to_owned());
    let begun_by = digest("tag");
    NewSession { id, issuer, user, password_mark, begun_by, created_at: now, expires: now + 28_800 }
}

#[test]
fn sessions_end_when_they_are_idle_and_in_any_case_later() {
    everywhere(async |one, other| {
        one.add_session(&session_of(digest("s"), NOW)).await.expect("begun");
        let mut now = NOW;
        while now < NOW + 28_800 {
            let found = other.session(&digest("s"), now, 1_800).await.expect("an answer").expect("it goes on");
            assert_eq!((found.user.as_str(), found.expires), ("u-ann", NOW + 28_800));
            assert!(found.begun_by == Some(digest("tag")));
            assert!(found.last_seen <= now && found.last_seen + 1_700 >= now);
            now += 1_700;
        }
        assert_eq!(other.session(&digest("s"), NOW + 28_800, 1_800).await, Ok(None), "absolute");
        one.add_session(&session_of(digest("idle"), NOW)).await.expect("begun");
        assert_eq!(other.session(&digest("idle"), NOW + 1_800, 1_800).await, Ok(None), "idle");
        one.add_session(&session_of(digest("out"), NOW)).await.expect("begun");
        other.end_session(&digest("out")).await.expect("ended");
        assert_eq!(one.session(&digest("out"), NOW, 1_800).await, Ok(None), "logged out");
    });
}

#[test]
fn dialogs_assertions_and_secrets_are_used_once() {
    everywhere(async |one, other| {
        let (session, stranger) = (digest("s"), digest("stranger"));
        one.add_transaction(&digest("t"), &session, "about", NOW + 60).await.expect("kept");
        assert_eq!(other.transaction(&digest("t"), &stranger, NOW).await, Ok(None), "another session's");
        assert_eq!(other.transaction(&digest("t"), &session, NOW + 60).await, Ok(None), "expired");
        assert_eq!(other.transaction(&digest("t"), &session, NOW).await, Ok(Some("about".to_owned())));
        for number in 0..21 {
            one.add_transaction(&digest(&format!("t{number}")), &session, "one of many", NOW + 60 + number)
                .await
                .expect("kept");
        }
        assert_eq!(one.transaction(&digest("t0"), &session, NOW).await, Ok(None), "the oldest of too many");
        for name in ["t2", "t20"] {
            assert!(other.transaction(&digest(name), &session, NOW).await.is_ok_and(|found| found.is_some()));
        }
        assert_eq!(one.first_use("app", "1", NOW + 60, NOW).await, Ok(true));
        assert_eq!(other.first_use("app", "1", NOW + 60, NOW + 59).await, Ok(false));
        assert_eq!(other.first_use("app1", "", NOW + 60, NOW).await, Ok(true), "another pair");
        assert_eq!(other.first_use("app", "1", NOW + 120, NOW + 61).await, Ok(true), "expired");
        assert_eq!(one.secret("csrf", [1; 32]).await, Ok([1; 32]));
        assert_eq!(other.secret("csrf", [2; 32]).await, Ok([1; 32]));
        assert_eq!(other.secret("another", [3; 32]).await, Ok([3; 32]));
    });
}

#[test]
fn a_dialog_is_decided_once_and_the_same_decision_is_answered_again_for_a_while() {
    everywhere(async |one, other| {
        let (session, stranger, dialog) = (digest("s"), digest("stranger"), digest("t"));
        let scopes = ["notes".to_owned()];
        let consent = || Some(GivenConsent { issuer: ISSUER, user: "u-ann", client: "app", scopes: &scopes });
        one.add_transaction(&dialog, &session, "about", NOW + 600).await.expect("kept");
        assert_eq!(other.decide(&dialog, &stranger, Decision::Allow, consent(), NOW).await, Ok(Decided::Unknown));
        assert_eq!(one.consent(ISSUER, "u-ann", "app").await, Ok(None), "another session decides nothing");
        let decided: Vec<Decided> = together((0..20).map(|number| {
            let store = if number % 2 == 0 { one } else { other };
            async move { store.decide(&dialog, &session, Decision::Allow, consent(), NOW).await.expect("an answer") }
        }))
        .await;
        assert_eq!(decided.iter().filter(|decided| **decided == Decided::First).count(), 1, "{decided:?}");
        assert!(decided.iter().all(|decided| *decided != Decided::Unknown), "{decided:?}");
        assert_eq!(other.consent(ISSUER, "u-ann", "app").await, Ok(Some(scopes.to_vec())));
        // What is withdrawn does not come back with a second click.
        assert_eq!(one.withdraw(ISSUER, "u-ann", "app").await, Ok(true));
        assert_eq!(one.decide(&dialog, &session, Decision::Allow, consent(), NOW + 59).await, Ok(Decided::Again));
        assert_eq!(one.consent(ISSUER, "u-ann", "app").await, Ok(None));
        assert_eq!(one.decide(&dialog, &session, Decision::Deny, None, NOW + 1).await, Ok(Decided::Unknown));
        assert_eq!(one.decide(&dialog, &stranger, Decision::Allow, None, NOW + 1).await, Ok(Decided::Unknown));
        assert_eq!(one.decide(&dialog, &session, Decision::Allow, None, NOW + 60).await, Ok(Decided::Unknown), "later");
        assert_eq!(one.decide(&digest("none"), &session, Decision::Allow, None, NOW).await, Ok(Decided::Unknown));
    });
}

#[test]
fn only_expired_entries_are_removed() {
    everywhere(async |one, other| {
        one.add_code(&code("c")).await.expect("kept");
        one.issue(&tokens(authorization("short"), true, "a", None)).await.expect("issued");
        one.issue(&tokens(authorization("long"), true, "b", Some("r"))).await.expect("issued");
        one.rotate(&digest("r"), NOW, true, 0).await.expect("rotated");
        other.remove_ended(NOW + 700).await.expect("removed");
        assert_eq!(one.redeem_code(&digest("c"), NOW).await, Ok(Redeemed::Unknown), "gone, not merely expired");
        assert_eq!(one.access_token(&digest("a"), NOW).await, Ok(None));
        assert_eq!(one.access_token(&digest("b"), NOW).await, Ok(None));
        assert!(
            matches!(one.rotate(&digest("r"), NOW + 700, true, 0).await, Ok(Rotated::Reused { .. })),
            "still noticed"
        );
        other.remove_ended(NOW + 10_001).await.expect("removed");
        assert_eq!(one.rotate(&digest("r"), NOW + 700, true, 0).await, Ok(Rotated::Unknown));
        assert!(one.issue(&tokens(authorization("long"), false, "d", None)).await.is_err(), "of nothing");
        assert!(matches!(one.issue(&tokens(authorization("new"), true, "d", None)).await, Ok(())), "it goes on");
    });
}

#[test]
fn a_store_file_is_readable_by_its_owner_and_keeps_its_entries() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    block_on(async {
        let store = open(&folder.settings());
        store.issue(&tokens(authorization("z"), true, "a", None)).await.expect("issued");
    });
    for file in std::fs::read_dir(&folder.0).expect("readable") {
        let file = file.expect("readable");
        let mode = file.metadata().expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", file.path());
    }
    let store = open(&folder.settings());
    assert!(matches!(block_on(store.access_token(&digest("a"), NOW)), Ok(Some(_))));
}

/// Where the process below finds its file.
const FILE_TO_WRITE: &str = "GATEWAY_TEST_STORE_TO_WRITE";

#[test]
#[ignore = "a process of the test below: it writes until it is killed"]
fn writes_until_it_is_killed() {
    let Some(file) = std::env::var_os(FILE_TO_WRITE) else { return };
    let store = open(&OauthStoreSettings { place: StorePlace::File(file.into()), trusted_roots: None });
    block_on(async {
        for number in 0.. {
            let name = format!("n{number}");
            store.issue(&tokens(authorization(&name), true, &name, None)).await.expect("issued");
            store.add_code(&code(&format!("code-{name}"))).await.expect("kept");
            let redeemed = store.redeem_code(&digest(&format!("code-{name}")), NOW).await;
            assert!(matches!(redeemed, Ok(Redeemed::Code(_))));
            eprintln!("written {number}");
        }
    });
}

#[test]
fn acknowledged_writes_survive_a_killed_process() {
    use std::io::BufRead as _;
    let folder = Folder::new();
    let mut child = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "store::tests::writes_until_it_is_killed", "--ignored", "--nocapture"])
        .env(FILE_TO_WRITE, folder.0.join("gateway.db"))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    let lines = std::io::BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
    let mut lines = lines.filter_map(|line| line.strip_prefix("written ")?.parse::<u32>().ok());
    let last = lines.by_ref().find(|number| *number >= 50).expect("it writes");
    child.kill().expect("killed");
    child.wait().expect("gone");
    let last = lines.last().unwrap_or(last);
    let store = open(&folder.settings());
    block_on(async {
        for number in 0..=last {
            let found = store.access_token(&digest(&format!("n{number}")), NOW).await.expect("an answer");
            assert!(found.is_some(), "{number} of {last}");
            let again = store.redeem_code(&digest(&format!("code-n{number}")), NOW).await;
            assert!(matches!(again, Ok(Redeemed::Spent { .. })), "{number} of {last}: {again:?}");
        }
    });
}

#[test]
fn a_new_file_may_be_opened_by_many_processes_at_once() {
    let folder = Folder::new();
    std::thread::scope(|scope| {
        let openers: Vec<_> = (0..8).map(|_| scope.spawn(|| open_store(&folder.settings()))).collect();
        for opener in openers {
            let store = opener.join().expect("no panic").expect("it opens");
            block_on(store.clients()).expect("the tables are there");
        }
    });
}

#[test]
fn sessions_from_before_password_marks_stay_valid() {
    let folder = Folder::new();
    let connection = rusqlite::Connection::open(folder.0.join("gateway.db")).expect("it opens");
    for statement in [schema::CREATE_VERSION].iter().chain(schema::VERSIONS[0]) {
        connection.execute(&statement.replace("BYTEA", "BLOB"), ()).expect("a table");
    }
    connection.execute(schema::SET_VERSION, (1,)).expect("set");
    let add =
        "INSERT INTO gateway_sessions (id, issuer, user_id, created, seen, expires) VALUES (?1, ?2, ?3, ?4, ?4, ?5)";
    let id = digest("s");
    let values = (id.bytes(), ISSUER, "u-ann", NOW.cast_signed(), NOW.cast_signed() + 9);
    connection.execute(add, values).expect("added");
    drop(connection);
    let store = open(&folder.settings());
    let session = block_on(store.session(&digest("s"), NOW, 9)).expect("asked").expect("it goes on");
    assert_eq!((&*session.user, session.password_mark, session.begun_by.is_none()), ("u-ann", None, true));
}

/// The statements that a program wrote which knew no version after `version`, with a client that it registered.
fn with_a_client_of(version: usize) -> Vec<String> {
    let tables = schema::VERSIONS.iter().take(version).flat_map(|statements| statements.iter());
    let terms = clients_and_users::terms_of(&client("old"));
    let mut statements = vec![schema::CREATE_VERSION.to_owned()];
    statements.extend(tables.map(|statement| (*statement).to_owned()));
    statements.extend((1..=version).map(|number| schema::SET_VERSION.replace("?1", &number.to_string())));
    statements
        .push(format!("INSERT INTO gateway_clients (id, secret, terms, added) VALUES ('old', NULL, '{terms}', 5)"));
    statements
}

/// What holds of such a client, and of one that is registered now.
fn goes_on_with_a_client_of_before(settings: &OauthStoreSettings) {
    let store = open(settings);
    block_on(async {
        let old = store.client("old").await.expect("an answer").expect("there");
        assert_eq!(clients_and_users::terms_of(&old), clients_and_users::terms_of(&client("old")));
        assert!(store.registered("old").await.expect("an answer").is_none(), "it was given no token");
        assert_eq!(store.add_client(&client("new"), Some(&digest("token")), NOW).await, Ok(Added::Yes));
        assert!(store.registered("new").await.expect("an answer").is_some());
    });
}

#[test]
fn clients_from_before_managed_registrations_stay_valid() {
    for version in 1..schema::VERSIONS.len() {
        let folder = Folder::new();
        let connection = rusqlite::Connection::open(folder.0.join("gateway.db")).expect("it opens");
        for statement in with_a_client_of(version) {
            connection.execute(&statement.replace("BYTEA", "BLOB"), ()).expect(&statement);
        }
        drop(connection);
        goes_on_with_a_client_of_before(&folder.settings());
        if let Some((server, settings)) = postgres() {
            let StorePlace::Postgres(url) = &settings.place else { panic!("it is PostgreSQL") };
            let database = String::from_utf8_lossy(url.expose()).rsplit('/').next().expect("a name").to_owned();
            server.ask(&database, &with_a_client_of(version).join(";\n"));
            goes_on_with_a_client_of_before(&settings);
        }
    }
}

#[test]
fn stores_of_a_later_version_are_not_changed() {
    let folder = Folder::new();
    drop(open(&folder.settings()));
    let connection = rusqlite::Connection::open(folder.0.join("gateway.db")).expect("it opens");
    connection.busy_timeout(crate::support::PATIENCE).expect("set");
    connection.execute(schema::SET_VERSION, (99,)).expect("set");
    let problem = open_store(&folder.settings()).expect_err("too new").to_string();
    assert!(problem.contains("version 99") && problem.contains("gateway.db"), "{problem}");
}

#[test]
fn postgres_is_set_up_by_many_gateways_at_once_and_not_changed_when_newer() {
    let Some((server, settings)) = postgres() else { return };
    std::thread::scope(|scope| {
        let openers: Vec<_> = (0..8).map(|_| scope.spawn(|| open_store(&settings))).collect();
        for opener in openers {
            let store = opener.join().expect("no panic").expect("it opens");
            block_on(store.clients()).expect("the tables are there");
        }
    });
    let StorePlace::Postgres(url) = &settings.place else { panic!("it is PostgreSQL") };
    let database = String::from_utf8_lossy(url.expose()).rsplit('/').next().expect("a name").to_owned();
    assert_eq!(server.ask(&database, "SELECT version FROM gateway_schema ORDER BY version"), "1\n2\n3\n4\n");
    server.ask(&database, "INSERT INTO gateway_schema VALUES (99)");
    let problem = open_store(&settings).expect_err("too new").to_string();
    assert!(problem.contains("version 99"), "{problem}");
}

#[test]
fn a_postgres_that_was_away_is_used_again() {
    let Some(mut server) = PostgresServer::start() else { return };
    let settings = database_of(&server, "away");
    let store = open(&settings);
    block_on(store.issue(&tokens(authorization("z"), true, "a", None))).expect("issued");
    server.kill();
    // The timer belongs to the runtime.
    let asked = async { tokio::time::timeout(crate::support::PATIENCE, store.access_token(&digest("a"), NOW)).await };
    block_on(asked).expect("an answer").expect_err("it is away");
    server.restart();
    crate::support::eventually("the store", || {
        let found = block_on(store.access_token(&digest("a"), NOW));
        matches!(found, Ok(Some(_))).then_some(())
    });
    assert!(
        open_store(&OauthStoreSettings {
            place: StorePlace::Postgres(Secret::from("postgres://gateway@127.0.0.1:1/away")),
            trusted_roots: None,
        })
        .is_err()
    );
}

#[test]
fn postgres_connections_need_a_trusted_certificate() {
    let Some(mut server) = PostgresServer::start() else { return };
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    server.encrypt(&pair.cert.pem(), &pair.signing_key.serialize_pem());
    let folder = Folder::new();
    let roots = folder.0.join("roots.pem");
    std::fs::write(&roots, pair.cert.pem()).expect("written");
    let plain = server.database("encrypted");
    let settings = |url: String, trusted_roots: Option<PathBuf>| OauthStoreSettings {
        place: StorePlace::Postgres(Secret::from(url.as_str())),
        trusted_roots,
    };
    let named = plain.replace("127.0.0.1", "localhost");
    let encrypted = settings(format!("{named}?sslmode=require"), Some(roots.clone()));
    let store = open(&encrypted);
    block_on(store.issue(&tokens(authorization("z"), true, "a", None))).expect("issued");
    let sessions = "SELECT count(*) > 0 FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                    WHERE ssl AND application_name = 'gateway'";
    assert_eq!(server.ask("postgres", sessions), "t\n");
    for (url, roots, why) in [
        (format!("{plain}?sslmode=require"), Some(roots), "another name"),
        (format!("{named}?sslmode=require"), None, "an unknown authority"),
    ] {
        let problem = open_store(&settings(url, roots)).expect_err(why).to_string();
        assert!(problem.contains("PostgreSQL: error performing TLS handshake"), "{problem}");
    }
}

#[test]
fn debug_output_has_no_secret() {
    let (client, user) = (client("app"), user("u", "ann", None));
    let shown = format!("{client:?} {user:?} {:?}", code("c"));
    assert!(!shown.contains("a secret") && !shown.contains("argon2id"), "{shown}");
}
