//! Registration of clients (RFC 7591) and users by an administrator: `clients.*` and `users.create`.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::engine;
use crate::error;
use crate::management;
use crate::server::{Oauth, Server};
use crate::store::{Added, AddedUser};
use crate::tables::{Registry, RegistryAction};
use crate::terms::{self, MAX_BODY, object};
use gateway_access::builtin::{Answer, Builtin, Call, PreparedBuiltin};
use gateway_access::scheme::Resources;
use gateway_base::digest::Digest;
use gateway_base::random::{self, NoRandom};
use gateway_parties::authority::Authority;
use gateway_parties::clients_and_users::{ClientSecret, Source, User};
use gateway_parties::database::StoreError;
use gateway_parties::names;
use gateway_parties::password;
use gateway_parties::stored_password::StoredPassword;
use gateway_wire::answer::OwnAnswer;

/// A longer name, address or password is refused; in bytes.
const MAX_TEXT: usize = 1024;

impl Builtin for Registry {
    fn name(&self) -> &'static str {
        match self.action {
            RegistryAction::CreateClient => "clients.create",
            RegistryAction::ListClients => "clients.list",
            RegistryAction::DeleteClient { .. } => "clients.delete",
            RegistryAction::ManageClient { .. } => "clients.manage",
            RegistryAction::CreateUser => "users.create",
        }
    }

    fn prepare(&self, resources: &Resources) -> Result<Box<dyn PreparedBuiltin>, Vec<String>> {
        let server = Oauth::of(resources)?.server(self.server, resources)?;
        Ok(Box::new(RegistryHandler { server, action: self.action }))
    }

    fn authority(&self) -> Option<Authority> {
        Some(engine::authority(self.server))
    }
}

#[derive(Debug)]
struct RegistryHandler {
    server: Arc<Server>,
    action: RegistryAction,
}

impl PreparedBuiltin for RegistryHandler {
    fn answer(&self, call: &Call<'_>) -> Answer {
        let (server, now) = (Arc::clone(&self.server), call.now.unix_seconds);
        let id = |parameter: &str| {
            let id = call.params.and_then(|params| params.get(parameter)).map(|id| id.decoded().into_owned());
            id.unwrap_or_default()
        };
        let body = match self.action {
            RegistryAction::CreateClient | RegistryAction::CreateUser => match call.view.body {
                None => return Answer::Body { limit: MAX_BODY },
                Some(body) => match object(body) {
                    Some(object) => object,
                    None => return Problem::new(400, "Expected a JSON object").answer().into(),
                },
            },
            _ => Map::new(),
        };
        match self.action {
            RegistryAction::CreateClient => {
                Answer::Work(Box::pin(async move { finish(server.create_client(&body, now).await) }))
            }
            RegistryAction::CreateUser => {
                Answer::Work(Box::pin(async move { finish(server.create_user(&body, now).await) }))
            }
            RegistryAction::ListClients => Answer::Work(Box::pin(async move { finish(server.list_clients().await) })),
            RegistryAction::DeleteClient { parameter } => {
                let id = id(parameter);
                Answer::Work(Box::pin(async move { finish(server.delete_client(&id).await) }))
            }
            RegistryAction::ManageClient { parameter } => management::answer(server, id(parameter), call),
        }
    }
}

/// Why nothing is registered; for the administrator.
struct Problem {
    status: u16,
    message: String,
}

impl Problem {
    fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    fn answer(&self) -> OwnAnswer {
        OwnAnswer::message(self.status, &self.message)
    }
}

impl From<StoreError> for Problem {
    fn from(problem: StoreError) -> Self {
        error::report(&problem);
        Self::new(503, "The store does not answer at the moment")
    }
}

impl From<NoRandom> for Problem {
    fn from(_: NoRandom) -> Self {
        Self::new(500, "The system gives no random numbers")
    }
}

fn finish(result: Result<OwnAnswer, Problem>) -> OwnAnswer {
    result.unwrap_or_else(|problem| problem.answer())
}

/// A member that is text, if it is there.
fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Problem> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() <= MAX_TEXT && !text.chars().any(char::is_control) => Ok(Some(text)),
        Some(_) => Err(Problem::new(400, format!("`{name}` is not a text of at most {MAX_TEXT} bytes"))),
    }
}

fn only(object: &Map<String, Value>, known: &[&str]) -> Result<(), Problem> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(Problem::new(400, format!("`{key}` is not a member; there are {}", known.join(", ")))),
        None => Ok(()),
    }
}

impl Server {
    async fn create_client(&self, body: &Map<String, Value>, now: u64) -> Result<OwnAnswer, Problem> {
        let id = random::name()?;
        let secret = random::token()?;
        let mut client = match terms::client_of_registration(&id, body, &engine::authority(self.table), None) {
            Ok(client) => client,
            Err(problem) => return Ok(error::not_registered(&problem)),
        };
        if client.needs_secret() {
            client.secret = Some(ClientSecret::of_digest(Digest::of(secret.as_bytes())));
        }
        let place = self.place_of_registration(&id);
        let token = random::token()?;
        let digest = place.is_some().then(|| Digest::of(token.as_bytes()));
        match self.parties.add_client(&client, digest.as_ref(), now).await? {
            Added::Yes => {}
            Added::Taken => return Err(Problem::new(409, "There is a client or a user of this id")),
        }
        let secret = client.needs_secret().then_some(&*secret);
        let mut members = management::information(&client, now, secret);
        if let Some(place) = place {
            management::add_access(&mut members, place, &token);
        }
        Ok(OwnAnswer::json(201, &Value::Object(members)))
    }

    async fn list_clients(&self) -> Result<OwnAnswer, Problem> {
        let clients = self.parties.clients().await?;
        let clients: Vec<Value> = clients.iter().map(|client| Value::Object(terms::registration_of(client))).collect();
        Ok(OwnAnswer::json(200, &Value::Array(clients)))
    }

    async fn delete_client(&self, id: &str) -> Result<OwnAnswer, Problem> {
        let known = self.parties.client(id).await?;
        if known.is_some_and(|client| client.source == Source::File) {
            return Err(Problem::new(409, "The client is registered in consumers.yaml; remove it there"));
        }
        if !self.store.remove_client(id).await? {
            return Err(Problem::new(404, "There is no such client"));
        }
        self.forget_all();
        Ok(OwnAnswer::new(204, "text/plain; charset=utf-8", &b""[..]))
    }

    async fn create_user(&self, body: &Map<String, Value>, now: u64) -> Result<OwnAnswer, Problem> {
        only(body, &["username", "email", "password"])?;
        let refuse = |message: &str| Problem::new(400, message);
        let username = text(body, "username")?.filter(|name| !name.is_empty());
        let username = username.ok_or_else(|| refuse("`username` is missing"))?;
        names::check_username(username).map_err(|problem| Problem::new(400, problem))?;
        let email = text(body, "email")?.filter(|email| !email.is_empty());
        if email.is_some_and(|email| !names::is_email(email)) {
            return Err(refuse("Must provide a valid email"));
        }
        let password = text(body, "password")?.filter(|password| !password.is_empty());
        let password = password.ok_or_else(|| refuse("`password` is missing"))?.to_owned();
        let hash = tokio::task::spawn_blocking(move || password::hash(password.as_bytes()));
        let hash = hash.await.map_err(|_| Problem::new(503, "The password cannot be hashed at the moment"))?;
        let hash = hash.map_err(|problem| Problem::new(503, problem.to_string()))?;
        let user = User {
            id: format!("u-{}", random::name()?),
            username: username.to_owned(),
            email: email.map(str::to_owned),
            password: StoredPassword::Argon2id(hash.into()),
            source: Source::Store,
        };
        match self.parties.add_user(&user, now).await? {
            AddedUser::Yes => {}
            AddedUser::EmailTaken => return Err(Problem::new(409, "Email already exists")),
            AddedUser::NameTaken | AddedUser::IdTaken => return Err(Problem::new(409, "User already exists")),
        }
        Ok(OwnAnswer::json(201, &json!({"id": user.id, "username": user.username, "email": user.email})))
    }
}
