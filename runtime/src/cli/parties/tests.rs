//! Cases for managing clients and users.

#[path = "../../../oauth/src/example.rs"]
mod example;

use super::*;
use gateway_oauth::tables::OwnToken;
use gateway_proxy::tables::{Api, Gateway, Https, IdentityHeaders};

static TOKENS: OwnToken = OwnToken { name: "own", server: &example::SERVER, locations: &[], realm: "r" };

static API: Api = Api {
    name: "example",
    title: "Example",
    source: "specs/example.yaml",
    routes: &[],
    rules: &[],
    upstreams: &[],
    schemes: &[&TOKENS],
    identity_headers: IdentityHeaders {
        consumer: "x-consumer-username",
        credential: "x-credential-identifier",
        custom_id: "x-consumer-custom-id",
        client: "x-client-id",
        user: "x-user-id",
    },
    schemas: &[],
    error_format: gateway_terms::refusal::ErrorFormat::Message,
    error_bodies: &[],
    failed_authentication: &[],
    https: Https::Optional,
    cors: None,
    security_headers: None,
    accepted_risks: &[],
};

static GATEWAY: Gateway = Gateway { apis: &[&API] };

struct Fixture {
    folder: PathBuf,
    launch: Launch,
}

impl Fixture {
    fn new(name: &str, gateway_yaml: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("gateway-cli-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("gateway.yaml"), gateway_yaml).expect("written");
        let consumers = r#"
consumers: []
oauthClients: [{client_id: filed, secret: {env: NOBODY_HAS_THIS}, grant_types: [client_credentials], scopes: [notes]}]
users: [{id: u-fay, username: fay, email: fay@example.org, password: {file: nowhere}}]
"#;
        std::fs::write(folder.join("consumers.yaml"), consumers).expect("written");
        let launch = Launch { config: Some(folder.join("gateway.yaml")), ..Launch::default() };
        Self { folder, launch }
    }

    fn open(&self) -> PartyStore {
        PartyStore::open(&self.launch, &GATEWAY).expect("it opens")
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn new_client(id: &str) -> NewClient {
    NewClient {
        id: id.to_owned(),
        name: Some("An app".to_owned()),
        public: false,
        grants: vec!["authorization_code".to_owned(), "refresh_token".to_owned()],
        redirect_uris: vec!["https://app.example/cb".to_owned()],
        scopes: vec!["notes".to_owned()],
        default_scopes: Vec::new(),
        auth_methods: Vec::new(),
        keys: None,
        token_format: None,
    }
}

fn typed(password: &str) -> impl FnOnce() -> Result<String, PasswordInputError> {
    let password = password.to_owned();
    || Ok(password)
}

#[test]
fn clients_are_added_listed_and_removed_beside_a_running_gateway() {
    let fixture = Fixture::new("clients", "consumers: {file: consumers.yaml}");
    let (running, store) = (fixture.open(), fixture.open());
    let secret = store.add_client(new_client("app")).expect("added");
    assert_eq!(secret.trim().len(), 43);
    let found = running.wait(running.parties.client("app")).expect("asked").expect("there");
    assert!(found.secret.as_ref().is_some_and(|kept| kept.is(secret.trim().as_bytes())));
    let mut public = new_client("spa");
    public.public = true;
    assert_eq!(store.add_client(public).expect("added"), "");
    let listed = store.list_clients().expect("listed");
    assert_eq!(
        listed,
        "app  \"An app\"  authorization_code, refresh_token  scopes notes\n  https://app.example/cb\n\
         filed  client_credentials  scopes notes  in consumers.yaml\n\
         spa  \"An app\"  public  authorization_code, refresh_token  scopes notes\n  https://app.example/cb\n"
    );
    for (client, expected) in [
        (new_client("app"), "a client or a user with the id `app` already"),
        (new_client("filed"), "a client or a user with the id `filed` already"),
        (new_client("a b"), "is not a client's id"),
        (NewClient { scopes: vec!["x".to_owned()], ..new_client("b") }, "`x` is not a scope of the server"),
        (NewClient { grants: vec!["password".to_owned()], ..new_client("b") }, "does not offer `password`"),
        (NewClient { redirect_uris: vec!["http://a.example".to_owned()], ..new_client("b") }, "plain HTTP"),
        (NewClient { keys: Some("/nowhere.pem".into()), ..new_client("b") }, "file /nowhere.pem cannot be read"),
    ] {
        let problem = store.add_client(client).expect_err(expected).to_string();
        assert!(problem.contains(expected), "{problem}");
    }
    assert_eq!(store.remove_client("app").expect("removed"), "");
    assert!(matches!(store.remove_client("app"), Err(PartyCommandError::NoClient(id)) if id == "app"));
    assert!(matches!(store.remove_client("filed"), Err(PartyCommandError::ClientInFile(id)) if id == "filed"));
    assert!(running.wait(running.parties.client("app")).expect("asked").is_none());
}

#[test]
fn users_are_added_listed_and_removed_beside_a_running_gateway() {
    let fixture = Fixture::new("users", "consumers: {file: consumers.yaml}");
    let (running, store) = (fixture.open(), fixture.open());
    let add = |name: &str, email: Option<&str>, id: Option<&str>| {
        store.add_user(name.to_owned(), email.map(str::to_owned), id.map(str::to_owned), typed("open sesame"))
    };
    assert_eq!(add("ann", Some("ann@example.org"), Some("u-ann")).expect("added"), "");
    assert_eq!(
        store.list_users().expect("listed"),
        "ann  ann@example.org  id u-ann\nfay  fay@example.org  id u-fay  in consumers.yaml\n"
    );
    for (name, email, id, expected) in [
        ("ann", None, None, "called `ann` already"),
        ("fay", None, None, "called `fay` already"),
        ("ben", Some("Ann@example.org"), None, "with the address `Ann@example.org` already"),
        ("ben", Some("fay@EXAMPLE.org"), None, "with the address `fay@EXAMPLE.org` already"),
        ("ben", None, Some("u-ann"), "with the id `u-ann` already"),
        ("ben", Some("nobody"), None, "`nobody` is not an e-mail address"),
        ("b@n", None, None, "has no `@`"),
    ] {
        let problem = add(name, email, id).expect_err(expected).to_string();
        assert!(problem.contains(expected), "{problem}");
    }
    let hash = || {
        let user = running.wait(running.parties.user_by_login("ann")).expect("asked").expect("there");
        user.password.hash().map(str::to_owned).expect("a hash")
    };
    let before = hash();
    assert!(before.starts_with("$argon2id$") && store.set_password("ann@example.org", typed("another")).is_ok());
    assert_ne!(before, hash());
    let refused = store.set_password("ann", || Err(PasswordInputError::Empty));
    assert!(matches!(refused, Err(PartyCommandError::Input(PasswordInputError::Empty))));
    let refused = store.set_password("fay", typed("x"));
    assert!(matches!(refused, Err(PartyCommandError::UserInFile(login)) if login == "fay"));
    assert_eq!(store.remove_user("ann").expect("removed"), "");
    assert!(matches!(store.remove_user("ann"), Err(PartyCommandError::NoUser(login)) if login == "ann"));
    assert!(running.wait(running.parties.user("u-ann")).expect("asked").is_none());
}

#[test]
fn clients_and_users_of_the_file_come_before_those_of_the_store() {
    let fixture = Fixture::new("first", "consumers: {file: consumers.yaml}");
    let store = fixture.open();
    for (name, email) in [("gil", Some("gil@example.org")), ("hal", Some("hal@example.org")), ("ian", None)] {
        store
            .add_user(name.to_owned(), email.map(str::to_owned), Some(format!("u-{name}")), typed("x"))
            .expect("added");
    }
    store.add_client(new_client("app")).expect("added");
    let consumers = r#"
consumers: []
oauthClients: [{client_id: app, public: true, grant_types: [authorization_code], redirect_uris: ["https://a.example/"], scopes: [notes]}]
users: [{username: gil, password: {file: nowhere}}, {username: other, email: hal@example.org, password: {file: nowhere}}]
"#;
    std::fs::write(fixture.folder.join("consumers.yaml"), consumers).expect("written");
    let store = fixture.open();
    let found =
        |login: &str| store.wait(store.parties.user_by_login(login)).expect("asked").map(|user| user.id.clone());
    assert_eq!(found("gil").as_deref(), Some("gil"), "the file's");
    assert_eq!(found("gil@example.org"), None, "somebody else's name");
    assert_eq!((found("hal"), found("hal@example.org").as_deref()), (None, Some("other")));
    assert_eq!(found("ian").as_deref(), Some("u-ian"));
    assert!(store.wait(store.parties.user("u-hal")).expect("asked").is_none());
    assert_eq!(store.wait(store.parties.users()).expect("asked").len(), 3);
    assert!(store.wait(store.parties.client("app")).expect("asked").is_some_and(|client| client.public));
    assert_eq!(store.wait(store.parties.clients()).expect("asked").len(), 1);
}

#[test]
fn commands_are_refused_without_a_server_a_lasting_store_or_its_folder() {
    static NOTHING: Gateway = Gateway { apis: &[] };
    let fixture = Fixture::new("refused", "stores: {default: {kind: memory}}");
    let problem = PartyStore::open(&fixture.launch, &NOTHING).err().expect("no authorization server");
    assert!(matches!(problem, PartyCommandError::NoServer), "{problem}");
    let problem = PartyStore::open(&fixture.launch, &GATEWAY).err().expect("memory");
    assert!(matches!(problem, PartyCommandError::InMemory), "{problem}");
    std::fs::write(fixture.folder.join("gateway.yaml"), "stores: {default: {kind: sqlite, file: no/where.db}}")
        .expect("written");
    let problem = PartyStore::open(&fixture.launch, &GATEWAY).err().expect("no folder").to_string();
    assert!(problem.contains("no/where.db: "), "{problem}");
}
