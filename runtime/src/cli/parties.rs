//! `gateway clients` and `gateway users`: the clients and users of authorization servers, while the gateway runs.
//!
//! They work on the store that the gateway uses. Secrets that are made here are shown once, and passwords are read from the
//! terminal or from standard input.

pub(crate) mod terminal;

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::assemble::authorities::authorities;
use crate::cli::consumers::lines;
use crate::cli::standard_input::PasswordInputError;
use crate::launch::Launch;
use gateway_base::digest::Digest;
use gateway_base::problem::Problem;
use gateway_base::random::{self, NoRandom};
use gateway_base::say;
use gateway_base::secret::SecretStore;
use gateway_base::timestamp;
use gateway_limits::counters::Limits;
use gateway_limits::store::Stores;
use gateway_oauth::registry::Parties;
use gateway_oauth::store::{Added, AddedUser, OauthStore};
use gateway_oauth::terms;
use gateway_parties::authority::Authority;
use gateway_parties::clients_and_users::{self, Client, ClientSecret, IdError, Source, User};
use gateway_parties::database::StoreError;
use gateway_parties::names::{self, BadRegistration};
use gateway_parties::password::{self, HashPasswordError};
use gateway_parties::source::Source as File;
use gateway_parties::store::ConsumerStore;
use gateway_parties::store_place::StorePlace;
use gateway_parties::stored_password::StoredPassword;
use gateway_proxy::tables::Gateway;

/// Why nothing was done with clients or users.
#[derive(Debug, thiserror::Error)]
pub(super) enum PartyCommandError {
    /// There are no authorization servers.
    #[error(
        "no document of this gateway has an authorization server, which is what clients and users are for; see \
         `x-gateway.authorizationServer`"
    )]
    NoServer,
    /// The settings, or `consumers.yaml`, cannot be used.
    #[error("{}", lines(.0))]
    Problems(Vec<Problem>),
    /// What is added now would be forgotten.
    #[error(
        "the settings keep clients and users in the memory of the gateway, where only the gateway itself can add some; \
         write `stores: {{default: {{kind: sqlite, file: gateway.db}}}}`, or register them in consumers.yaml"
    )]
    InMemory,
    /// The store cannot be opened.
    #[error(transparent)]
    NoStore(StoreError),
    /// The store did not do what it was asked.
    #[error("the store: {0}")]
    Store(#[source] StoreError),
    /// There is nothing that could wait for the store.
    #[error("no runtime can be started: {0}")]
    NoRuntime(#[source] io::Error),
    /// There are no random numbers for an id or a secret.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
    /// The id has characters that it cannot have.
    #[error(transparent)]
    Id(#[from] IdError),
    /// No authorization server would register the client.
    #[error("{}", .0.message)]
    Registration(BadRegistration),
    /// The file of the client's keys cannot be read.
    #[error("file {} cannot be read: {source}", file.display())]
    KeysUnreadable {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file of the client's keys is neither PEM nor JSON.
    #[error("file {} is not JSON", file.display())]
    KeysNotJson {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The id is used already.
    #[error("there is a client or a user with the id `{0}` already")]
    ClientExists(String),
    /// There is no such client.
    #[error("there is no client with the id `{0}`")]
    NoClient(String),
    /// The client is not in the store.
    #[error("the client `{0}` is registered in consumers.yaml; remove it there")]
    ClientInFile(String),
    /// The name cannot be a user's.
    #[error("{0}")]
    Username(&'static str),
    /// The text is not an e-mail address.
    #[error("`{0}` is not an e-mail address")]
    Email(String),
    /// There is no password.
    #[error(transparent)]
    Input(#[from] PasswordInputError),
    /// The password cannot be hashed.
    #[error(transparent)]
    Hash(#[from] HashPasswordError),
    /// The name is used already.
    #[error("there is a user called `{0}` already")]
    UsernameExists(String),
    /// The address is used already.
    #[error("there is a user with the address `{0}` already")]
    EmailExists(String),
    /// The id is used already.
    #[error("there is a user or a client with the id `{0}` already")]
    UserIdExists(String),
    /// There is no such user.
    #[error("there is no user `{0}`")]
    NoUser(String),
    /// The user is not in the store.
    #[error("the user `{0}` is registered in consumers.yaml; change it there")]
    UserInFile(String),
}

/// What is done with clients.
#[derive(Debug, Subcommand)]
pub(super) enum Clients {
    /// List the clients
    List,
    /// Add a client, and print its secret once
    Add(Box<NewClient>),
    /// Remove a client; what it was granted is revoked
    Remove {
        /// The client's id
        id: String,
    },
}

/// A client to be added.
#[derive(Debug, Args)]
pub(super) struct NewClient {
    /// The client's id
    id: String,
    /// Its name, for people [default: its id]
    #[arg(long)]
    name: Option<String>,
    /// It cannot keep a secret, such as an app in a browser
    #[arg(long)]
    public: bool,
    /// A way to a token, such as authorization_code, refresh_token or client_credentials; repeatable [default:
    /// authorization_code]
    #[arg(long = "grant", value_name = "GRANT")]
    grants: Vec<String>,
    /// Where its users come back to; repeatable
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// What it may ask for; repeatable
    #[arg(long = "scope", value_name = "SCOPE", required = true)]
    scopes: Vec<String>,
    /// What a request without a scope means; repeatable
    #[arg(long = "default-scope", value_name = "SCOPE")]
    default_scopes: Vec<String>,
    /// How it proves who it is, such as client_secret_basic or private_key_jwt; repeatable
    #[arg(long = "auth-method", value_name = "METHOD")]
    auth_methods: Vec<String>,
    /// Its public keys: PEM, or a JSON Web Key Set
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// What its access tokens look like: opaque or jwt [default: as the server says]
    #[arg(long, value_name = "FORMAT")]
    token_format: Option<String>,
}

/// What is done with users.
#[derive(Debug, Subcommand)]
pub(super) enum Users {
    /// List the users
    List,
    /// Add a user, with a password that is read from the terminal, or from the first line of standard input
    Add {
        /// The name to log in with
        username: String,
        /// The e-mail address, to log in with as well
        #[arg(long)]
        email: Option<String>,
        /// What tokens call the user [default: made up]
        #[arg(long)]
        id: Option<String>,
    },
    /// Remove a user: sessions end, and what they granted is revoked
    Remove {
        /// The name, or the e-mail address
        username: String,
    },
    /// Give a user another password, read as for `add`; sessions end, and what they granted is revoked
    Password {
        /// The name, or the e-mail address
        username: String,
    },
}

impl Clients {
    /// Does it, and gives what is to be printed.
    ///
    /// # Errors
    /// The store cannot be used, or has something in the way; then nothing was changed.
    pub(super) fn run(self, launch: &Launch, gateway: &'static Gateway) -> Result<String, PartyCommandError> {
        let administered = PartyStore::open(launch, gateway)?;
        match self {
            Self::List => administered.list_clients(),
            Self::Add(client) => administered.add_client(*client),
            Self::Remove { id } => administered.remove_client(&id),
        }
    }
}

impl Users {
    /// As [`Clients::run`].
    pub(super) fn run(self, launch: &Launch, gateway: &'static Gateway) -> Result<String, PartyCommandError> {
        let administered = PartyStore::open(launch, gateway)?;
        match self {
            Self::List => administered.list_users(),
            Self::Add { username, email, id } => administered.add_user(username, email, id, terminal::password),
            Self::Remove { username } => administered.remove_user(&username),
            Self::Password { username } => administered.set_password(&username, terminal::password),
        }
    }
}

/// The store of this deployment, and who is in `consumers.yaml`.
struct PartyStore {
    authorities: Vec<Authority>,
    parties: Parties,
    runtime: tokio::runtime::Runtime,
}

impl PartyStore {
    fn open(launch: &Launch, gateway: &'static Gateway) -> Result<Self, PartyCommandError> {
        let authorities = authorities(gateway);
        let Some(authority) = authorities.first() else { return Err(PartyCommandError::NoServer) };
        let (config, secrets) = launch.settings().map_err(PartyCommandError::Problems)?;
        let settings = config.oauth_store_settings(&secrets);
        let settings = settings.map_err(|problem| PartyCommandError::Problems(vec![problem]))?;
        if let StorePlace::Memory = settings.place {
            return Err(PartyCommandError::InMemory);
        }
        let consumers = match &config.consumers {
            None => ConsumerStore::none(),
            Some(file) => {
                let file = File {
                    file: secrets.folder.join(file),
                    // The command may lack the secrets of the others.
                    secrets: SecretStore { pretends: true, ..secrets },
                    literals: config.insecure_literals,
                    needed: HashSet::new(),
                    token_keys: None,
                    limits: Arc::new(Limits::new(gateway.limits(), 0, Stores::pretended())),
                    authorities: authorities.clone(),
                };
                ConsumerStore::open(file).map_err(PartyCommandError::Problems)?.0
            }
        };
        let store = OauthStore::over(authority.engine.open(&settings).map_err(PartyCommandError::NoStore)?);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        Ok(Self {
            parties: Parties::new(Arc::new(consumers), Arc::new(store), authority.engine),
            authorities,
            runtime: runtime.map_err(PartyCommandError::NoRuntime)?,
        })
    }

    /// What the store says, now.
    fn wait<T>(&self, answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, PartyCommandError> {
        self.runtime.block_on(answer).map_err(PartyCommandError::Store)
    }

    fn list_clients(&self) -> Result<String, PartyCommandError> {
        let mut out = String::new();
        for client in self.wait(self.parties.clients())? {
            let grants: Vec<&str> = client.grants.iter().map(|grant| clients_and_users::grant_name(*grant)).collect();
            out += &client.id;
            if client.name != client.id {
                out += &format!("  {:?}", client.name);
            }
            if client.public {
                out += "  public";
            }
            out +=
                &format!("  {}  scopes {}{}\n", grants.join(", "), client.scopes.join(", "), where_from(client.source));
            for uri in &client.redirect_uris {
                out += &format!("  {uri}\n");
            }
        }
        Ok(out)
    }

    fn add_client(&self, new: NewClient) -> Result<String, PartyCommandError> {
        clients_and_users::check_client_id(&new.id)?;
        let mut client = self.terms_of(&new)?;
        let has_secret = client.auth_methods.iter().any(|method| method.needs_secret());
        let secret = random::token()?;
        if has_secret {
            client.secret = Some(ClientSecret::of_digest(Digest::of(secret.as_bytes())));
        }
        match self.wait(self.parties.add_client(&client, None, timestamp::now()))? {
            Added::Taken => Err(PartyCommandError::ClientExists(client.id.to_string())),
            Added::Yes if has_secret => {
                say!("secret of client `{}`; it is shown only once", client.id);
                Ok(secret + "\n")
            }
            Added::Yes => Ok(String::new()),
        }
    }

    /// The client as some authorization server would register it.
    fn terms_of(&self, new: &NewClient) -> Result<Client, PartyCommandError> {
        let mut members = Map::new();
        members.insert("name".to_owned(), json!(new.name.as_ref().unwrap_or(&new.id)));
        members.insert("public".to_owned(), json!(new.public));
        for (name, list) in [
            ("grant_types", &new.grants),
            ("redirect_uris", &new.redirect_uris),
            ("scopes", &new.scopes),
            ("default_scopes", &new.default_scopes),
            ("auth_methods", &new.auth_methods),
        ] {
            if !list.is_empty() {
                members.insert(name.to_owned(), json!(list));
            }
        }
        if let Some(format) = &new.token_format {
            members.insert("token_format".to_owned(), json!(format));
        }
        if let Some(file) = &new.keys {
            let text = std::fs::read_to_string(file)
                .map_err(|source| PartyCommandError::KeysUnreadable { file: file.clone(), source })?;
            let is_set = text.trim_start().starts_with('{');
            let keys: Value = match is_set {
                true => serde_json::from_str(&text)
                    .map_err(|source| PartyCommandError::KeysNotJson { file: file.clone(), source })?,
                false => text.into(),
            };
            members.insert("keys".to_owned(), keys);
        }
        let mut first = None;
        for authority in &self.authorities {
            match terms::client_of_registration(&new.id, &members, authority, None) {
                Ok(client) => return Ok(client),
                Err(problem) => first = first.or(Some(problem)),
            }
        }
        Err(first.map_or(PartyCommandError::NoServer, PartyCommandError::Registration))
    }

    fn remove_client(&self, id: &str) -> Result<String, PartyCommandError> {
        match self.wait(self.parties.client(id))? {
            None => Err(PartyCommandError::NoClient(id.to_owned())),
            Some(client) if client.source == Source::File => Err(PartyCommandError::ClientInFile(id.to_owned())),
            Some(_) => {
                self.wait(self.parties.store().remove_client(id))?;
                Ok(String::new())
            }
        }
    }

    fn list_users(&self) -> Result<String, PartyCommandError> {
        let mut out = String::new();
        for user in self.wait(self.parties.users())? {
            out += &user.username;
            if let Some(email) = &user.email {
                out += &format!("  {email}");
            }
            out += &format!("  id {}{}\n", user.id, where_from(user.source));
        }
        Ok(out)
    }

    fn add_user(
        &self,
        username: String,
        email: Option<String>,
        id: Option<String>,
        password: impl FnOnce() -> Result<String, PasswordInputError>,
    ) -> Result<String, PartyCommandError> {
        names::check_username(&username).map_err(PartyCommandError::Username)?;
        if let Some(email) = email.as_deref().filter(|email| !names::is_email(email)) {
            return Err(PartyCommandError::Email(email.to_owned()));
        }
        let id = match id {
            Some(id) => id,
            None => format!("u-{}", random::name()?),
        };
        clients_and_users::check_user_id(&id)?;
        let hash = password::hash(password()?.as_bytes())?;
        let password = StoredPassword::Argon2id(hash.into());
        let user = User { id, username, email, password, source: Source::Store };
        match self.wait(self.parties.add_user(&user, timestamp::now()))? {
            AddedUser::Yes => Ok(String::new()),
            AddedUser::NameTaken => Err(PartyCommandError::UsernameExists(user.username)),
            AddedUser::EmailTaken => Err(PartyCommandError::EmailExists(user.email.unwrap_or_default())),
            AddedUser::IdTaken => Err(PartyCommandError::UserIdExists(user.id)),
        }
    }

    fn remove_user(&self, login: &str) -> Result<String, PartyCommandError> {
        let user = self.user_of_store(login)?;
        self.wait(self.parties.store().remove_user(&user.id))?;
        Ok(String::new())
    }

    fn set_password(
        &self,
        login: &str,
        password: impl FnOnce() -> Result<String, PasswordInputError>,
    ) -> Result<String, PartyCommandError> {
        let user = self.user_of_store(login)?;
        let hash = password::hash(password()?.as_bytes())?;
        self.wait(self.parties.store().set_password(&user.id, &hash))?;
        Ok(String::new())
    }

    fn user_of_store(&self, login: &str) -> Result<Arc<User>, PartyCommandError> {
        match self.wait(self.parties.user_by_login(login))? {
            None => Err(PartyCommandError::NoUser(login.to_owned())),
            Some(user) if user.source == Source::File => Err(PartyCommandError::UserInFile(login.to_owned())),
            Some(user) => Ok(user),
        }
    }
}

fn where_from(source: Source) -> &'static str {
    match source {
        Source::File => "  in consumers.yaml",
        Source::Store => "",
    }
}

#[cfg(test)]
mod tests;
