//! Clients and users of authorization servers: what is known of each, and those that `consumers.yaml` has.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::client_metadata::ClientMetadata;
use crate::password;
use crate::server::{Grant, PkceRequirement, TokenFormat};
use crate::stored_password::StoredPassword;
use gateway_base::digest::Digest;
use gateway_base::jose::token::Token;
use gateway_base::secret::Secret;

/// A program that may ask for tokens (RFC 6749 §2).
#[derive(Debug, Clone)]
pub struct Client {
    /// The `client_id` (RFC 6749 §2.2): 1 to 128 visible ASCII characters without a colon.
    pub id: String,
    /// For people.
    pub name: String,
    /// The `client_secret`; `None` for a client that has none.
    pub secret: Option<ClientSecret>,
    /// It has no secret and cannot keep one (RFC 6749 §2.1).
    pub public: bool,
    /// How it may authenticate at the token endpoint.
    pub auth_methods: Vec<AuthMethod>,
    /// What its assertions are checked with.
    pub keys: Option<ClientKeys>,
    /// The grants that it may use.
    pub grants: Vec<Grant>,
    /// What it may ask the authorization endpoint for (RFC 6749 §3.1.1).
    pub response_types: Vec<ResponseType>,
    /// The redirect URIs that it may name (RFC 6749 §3.1.2).
    pub redirect_uris: Vec<String>,
    /// The scopes that it may ask for.
    pub scopes: Vec<String>,
    /// What a request without `scope` means (RFC 6749 §3.3); empty for no such default.
    pub default_scopes: Vec<String>,
    /// It must use PKCE, whatever the server asks of others.
    pub pkce: bool,
    /// Instead of the server's.
    pub token_format: Option<TokenFormat>,
    /// Instead of the server's.
    pub access_token_ttl: Option<Duration>,
    /// Instead of the server's.
    pub code_ttl: Option<Duration>,
    /// What its assertions may do otherwise than RFC 7523 says; `None` for nothing.
    pub legacy_assertions: Option<LegacyAssertions>,
    /// Where it is registered.
    pub source: Source,
    /// What the server does not act on.
    pub metadata: ClientMetadata,
}

impl Client {
    /// Whether it is registered for this way to a token.
    pub fn may_use(&self, grant: Grant) -> bool {
        self.grants.contains(&grant)
    }

    /// Whether it proves who it is with a secret.
    pub fn needs_secret(&self) -> bool {
        self.auth_methods.iter().any(|method| method.needs_secret())
    }

    /// Whether users who have allowed the `other` one need not be asked again: it has the same names, can keep a
    /// secret as before, and has no new redirect URI.
    pub fn looks_like(&self, other: &Self) -> bool {
        self.name == other.name
            && self.metadata.names().eq(other.metadata.names())
            && self.public == other.public
            && self.redirect_uris.iter().all(|uri| other.redirect_uris.contains(uri))
    }

    /// What a decision of a user is about: it changes with anything that is registered of the client.
    pub fn mark(&self) -> String {
        Digest::of(terms_of(self).as_bytes()).to_hex()
    }

    /// What people are shown as its name.
    pub fn title(&self, language: &str) -> &str {
        let name = self.metadata.name_in(language).unwrap_or(&self.name);
        if name.is_empty() { &self.id } else { name }
    }

    /// Whether it must use PKCE at a server that asks this of its clients.
    pub fn must_use_pkce(&self, server: PkceRequirement) -> bool {
        self.public || self.pkce || server == PkceRequirement::All
    }
}

/// A client's secret; `Debug` does not tell it.
#[derive(Clone)]
pub struct ClientSecret {
    digest: Digest,
    plain: Option<Secret>,
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret")
    }
}

impl ClientSecret {
    /// A secret of which only the digest is known, or is to be kept.
    pub fn of_digest(digest: Digest) -> Self {
        Self { digest, plain: None }
    }

    /// A secret that the deployment keeps.
    pub fn of_plain(secret: Secret) -> Self {
        Self { digest: Digest::of(secret.expose()), plain: Some(secret) }
    }

    /// Whether this is it; it takes as long whatever it is.
    pub fn is(&self, presented: &[u8]) -> bool {
        self.digest == Digest::of(presented)
    }

    /// The secret itself, where it is known: for `client_secret_jwt`.
    pub fn plain(&self) -> Option<&Secret> {
        self.plain.as_ref()
    }

    /// The SHA-256 digest of the secret, which is all that the store keeps.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

/// How a client proves who it is at the token endpoint (RFC 7591 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMethod {
    /// In `Authorization: Basic` (RFC 6749 §2.3.1).
    ClientSecretBasic,
    /// In the form, as `client_id` and `client_secret` (RFC 6749 §2.3.1).
    ClientSecretPost,
    /// RFC 7523 §2.2, with the client's own key.
    PrivateKeyJwt,
    /// RFC 7523 §2.2, with its secret.
    ClientSecretJwt,
    /// It does not.
    None,
}

impl AuthMethod {
    /// Whether it takes a secret.
    pub fn needs_secret(self) -> bool {
        matches!(self, Self::ClientSecretBasic | Self::ClientSecretPost | Self::ClientSecretJwt)
    }
}

/// What an authorization endpoint can be asked for (RFC 6749 §3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResponseType {
    /// An authorization code (RFC 6749 §4.1.1).
    Code,
    /// An access token, for the implicit grant (RFC 6749 §4.2.1).
    Token,
}

/// Deviations from RFC 7523 that assertions of a client may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyAssertions {
    /// Values of `aud` that are accepted beside the issuer and the token endpoint.
    pub audiences: Vec<String>,
    /// Times may be in milliseconds.
    pub millisecond_times: bool,
}

/// Where a client or a user is registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// In `consumers.yaml`.
    File,
    /// In the store.
    Store,
}

/// The public keys of a client, as they were given and ready to use.
#[derive(Clone)]
pub struct ClientKeys {
    /// PEM, or a JSON Web Key Set.
    pub text: Arc<str>,
    /// The keys of `text`; `None` as long as they are not read, and where they cannot be.
    pub ready: Option<Arc<dyn AssertionKeys>>,
}

impl fmt::Debug for ClientKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientKeys")
    }
}

impl ClientKeys {
    /// Keys that have been read.
    pub fn new(text: &str, ready: Option<Arc<dyn AssertionKeys>>) -> Self {
        Self { text: text.into(), ready }
    }

    /// Whether one of the keys made the token's signature.
    ///
    /// # Errors
    /// Why not, for the log.
    pub fn verify(&self, token: &Token<'_>) -> Result<(), &'static str> {
        match &self.ready {
            Some(keys) => keys.verify(token),
            None => Err("the client's keys cannot be read"),
        }
    }
}

/// Checks the signatures of a client's assertions.
pub trait AssertionKeys: fmt::Debug + Send + Sync {
    /// Whether one of the keys made the token's signature.
    ///
    /// # Errors
    /// Why not, for the log.
    fn verify(&self, token: &Token<'_>) -> Result<(), &'static str>;
}

/// A person who can log in.
#[derive(Debug, Clone)]
pub struct User {
    /// The `sub` of tokens: 1 to 255 visible ASCII characters.
    pub id: String,
    /// The name at the login, unique and case-sensitive.
    pub username: String,
    /// The e-mail address, which the login takes as well, in any case; `None` for a user without one.
    pub email: Option<String>,
    /// The password, as a hash or a digest.
    pub password: StoredPassword,
    /// Where the user is registered.
    pub source: Source,
}

impl User {
    /// Another one as soon as the user has another password.
    ///
    /// It is kept with what the password has opened. Of a password that is not kept as a hash two bytes have to do:
    /// an attacker who reads the store must not be able to try passwords there.
    pub fn password_mark(&self) -> String {
        let (secret, bytes) = match &self.password {
            StoredPassword::Argon2id(hash) => (hash.as_bytes(), 16),
            StoredPassword::Digest(digest) => (digest.bytes(), 2),
        };
        let mut mark = Digest::of(&[self.id.as_bytes(), b"\0", secret].concat()).to_hex();
        mark.truncate(2 * bytes);
        mark
    }

    /// Whether the password is still the one that was marked, as far as that was done.
    pub fn has_password_of(&self, mark: Option<&str>) -> bool {
        mark.is_none_or(|mark| mark == self.password_mark())
    }
}

/// The clients and users of `consumers.yaml`.
#[derive(Debug, Default)]
pub struct Overlay {
    clients: BTreeMap<String, Arc<Client>>,
    /// By id.
    users: BTreeMap<String, Arc<User>>,
    by_name: HashMap<String, Arc<User>>,
    /// In lower case.
    by_email: HashMap<String, Arc<User>>,
    /// What users allow clients from the beginning, by the ids of both.
    permissions: HashMap<(String, String), Vec<String>>,
    /// The hash that takes the most work to check, and how much.
    pub costliest: Option<(u64, Box<str>)>,
}

impl Overlay {
    /// The client with this `client_id`.
    pub fn client(&self, id: &str) -> Option<&Arc<Client>> {
        self.clients.get(id)
    }

    /// All clients, ordered by id.
    pub fn clients(&self) -> impl Iterator<Item = &Arc<Client>> {
        self.clients.values()
    }

    /// The user with this id.
    pub fn user(&self, id: &str) -> Option<&Arc<User>> {
        self.users.get(id)
    }

    /// All users, ordered by id.
    pub fn users(&self) -> impl Iterator<Item = &Arc<User>> {
        self.users.values()
    }

    /// The user with this name, in the same case.
    pub fn user_named(&self, username: &str) -> Option<&Arc<User>> {
        self.by_name.get(username)
    }

    /// By name, or by e-mail address in whatever case.
    pub fn user_by_login(&self, name_or_email: &str) -> Option<&Arc<User>> {
        self.by_name.get(name_or_email).or_else(|| self.by_email.get(&folded_email(name_or_email)))
    }

    /// What the user allows the client from the beginning.
    pub fn permission(&self, client: &str, user: &str) -> Option<&[String]> {
        self.permissions.get(&(client.to_owned(), user.to_owned())).map(Vec::as_slice)
    }

    pub(crate) fn add_client(&mut self, client: Client) {
        self.clients.insert(client.id.clone(), Arc::new(client));
    }

    pub(crate) fn add_user(&mut self, user: User) {
        if let Some(hash) = user.password.hash() {
            let cost = password::cost(hash);
            if self.costliest.as_ref().is_none_or(|(known, _)| *known < cost) {
                self.costliest = Some((cost, hash.into()));
            }
        }
        let user = Arc::new(user);
        if let Some(email) = &user.email {
            self.by_email.insert(folded_email(email), Arc::clone(&user));
        }
        self.by_name.insert(user.username.clone(), Arc::clone(&user));
        self.users.insert(user.id.clone(), user);
    }

    /// `false` if there is one of the two already.
    pub(crate) fn add_permission(&mut self, client: String, user: String, scopes: Vec<String>) -> bool {
        self.permissions.insert((client, user), scopes).is_none()
    }
}

pub(crate) const GRANTS: [(&str, Grant); 6] = [
    ("authorization_code", Grant::AuthorizationCode),
    ("implicit", Grant::Implicit),
    ("password", Grant::Password),
    ("client_credentials", Grant::ClientCredentials),
    ("refresh_token", Grant::RefreshToken),
    ("urn:ietf:params:oauth:grant-type:jwt-bearer", Grant::JwtBearer),
];

pub(crate) const AUTH_METHODS: [(&str, AuthMethod); 5] = [
    ("client_secret_basic", AuthMethod::ClientSecretBasic),
    ("client_secret_post", AuthMethod::ClientSecretPost),
    ("private_key_jwt", AuthMethod::PrivateKeyJwt),
    ("client_secret_jwt", AuthMethod::ClientSecretJwt),
    ("none", AuthMethod::None),
];

pub(crate) const RESPONSE_TYPES: [(&str, ResponseType); 2] =
    [("code", ResponseType::Code), ("token", ResponseType::Token)];

pub(crate) const FORMATS: [(&str, TokenFormat); 2] = [("opaque", TokenFormat::Opaque), ("jwt", TokenFormat::Jwt)];

fn named<T: Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
    table.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

fn name_of<T: PartialEq>(table: &[(&'static str, T)], value: &T) -> &'static str {
    table.iter().find(|(_, known)| known == value).map_or("", |(name, _)| name)
}

/// The grant's name in requests and metadata.
pub fn grant_name(grant: Grant) -> &'static str {
    name_of(&GRANTS, &grant)
}

/// The grant of a name.
pub fn grant_named(name: &str) -> Option<Grant> {
    named(&GRANTS, name)
}

/// The format's name, as documents have it.
pub fn format_name(format: TokenFormat) -> &'static str {
    name_of(&FORMATS, &format)
}

/// The format of a name.
pub fn format_named(name: &str) -> Option<TokenFormat> {
    named(&FORMATS, name)
}

/// The method's name (RFC 7591 §2).
pub fn auth_method_name(method: AuthMethod) -> &'static str {
    name_of(&AUTH_METHODS, &method)
}

/// The method of a name.
pub fn auth_method_named(name: &str) -> Option<AuthMethod> {
    named(&AUTH_METHODS, name)
}

/// The response type's name (RFC 6749 §3.1.1).
pub fn response_type_name(kind: ResponseType) -> &'static str {
    name_of(&RESPONSE_TYPES, &kind)
}

/// How a client proves who it is where nothing is said about that.
pub(crate) fn default_auth_methods(public: bool, has_secret: bool, has_keys: bool) -> Vec<AuthMethod> {
    match (public, has_secret, has_keys) {
        (true, ..) => vec![AuthMethod::None],
        (_, true, _) => vec![AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost],
        (_, _, true) => vec![AuthMethod::PrivateKeyJwt],
        _ => Vec::new(),
    }
}

/// What a client may ask for where nothing is said about that: what its grants need.
pub(crate) fn default_response_types(grants: &[Grant]) -> Vec<ResponseType> {
    let needed = [(Grant::AuthorizationCode, ResponseType::Code), (Grant::Implicit, ResponseType::Token)];
    needed.into_iter().filter(|(grant, _)| grants.contains(grant)).map(|(_, kind)| kind).collect()
}

/// Why a text cannot be the id of a client or a user. The message shows the text with its control characters escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// It is used in headers, URLs and forms (RFC 6749 §A.1).
    #[error("`{}` is not a client's id: 1 to 128 visible ASCII characters, and no colon", .0.escape_default())]
    Client(String),
    /// It is the `sub` of tokens.
    #[error("`{}` is not a user's id: 1 to 255 visible ASCII characters", .0.escape_default())]
    User(String),
}

/// Whether this can be a client's id: it is used in headers, URLs and forms (RFC 6749 §A.1).
///
/// # Errors
/// It has another length, or other characters.
pub fn check_client_id(id: &str) -> Result<(), IdError> {
    if (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':') {
        return Ok(());
    }
    Err(IdError::Client(id.to_owned()))
}

/// Whether this can be a user's id: it is the `sub` of tokens.
///
/// # Errors
/// It has another length, or other characters.
pub fn check_user_id(id: &str) -> Result<(), IdError> {
    if (1..=255).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(IdError::User(id.to_owned()))
}

/// Whether this can be a scope (RFC 6749 §3.3).
pub(crate) fn is_scope(scope: &str) -> bool {
    !scope.is_empty() && scope.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

/// Addresses differ in more than case; the same one in two cases is one.
pub fn folded_email(email: &str) -> String {
    email.to_ascii_lowercase()
}

/// What the store keeps of a client, beside its id and its secret.
pub fn terms_of(client: &Client) -> String {
    let names = |names: &mut dyn Iterator<Item = &'static str>| names.collect::<Vec<_>>();
    let mut terms = json!({
        "name": client.name,
        "public": client.public,
        "pkce": client.pkce,
        "auth_methods": names(&mut client.auth_methods.iter().map(|method| name_of(&AUTH_METHODS, method))),
        "grant_types": names(&mut client.grants.iter().map(|grant| name_of(&GRANTS, grant))),
        "response_types": names(&mut client.response_types.iter().map(|kind| name_of(&RESPONSE_TYPES, kind))),
        "redirect_uris": client.redirect_uris,
        "scopes": client.scopes,
        "default_scopes": client.default_scopes,
    });
    let optional = [
        ("keys", client.keys.as_ref().map(|keys| json!(&*keys.text))),
        ("token_format", client.token_format.map(|format| json!(format_name(format)))),
        ("access_token_ttl", client.access_token_ttl.map(|ttl| json!(ttl.as_secs()))),
        ("code_ttl", client.code_ttl.map(|ttl| json!(ttl.as_secs()))),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            terms[name] = value;
        }
    }
    for (name, value) in client.metadata.members() {
        terms[name] = value;
    }
    terms.to_string()
}

/// A client as the store has it. Its keys are read when they are needed: the store has no reader.
pub fn client_of_terms(id: &str, secret: Option<&str>, terms: &str) -> Option<Client> {
    let terms: Map<String, Value> = serde_json::from_str(terms).ok()?;
    let text = |name: &str| terms.get(name).and_then(Value::as_str).map(str::to_owned);
    let texts = |name: &str| -> Option<Vec<String>> {
        let items = terms.get(name)?.as_array()?;
        items.iter().map(|item| item.as_str().map(str::to_owned)).collect()
    };
    let seconds = |name: &str| terms.get(name).and_then(Value::as_u64).map(Duration::from_secs);
    let secret = match secret {
        Some(hex) => Some(ClientSecret::of_digest(Digest::from_hex(hex)?)),
        None => None,
    };
    Some(Client {
        id: id.to_owned(),
        name: text("name")?,
        secret,
        public: terms.get("public")?.as_bool()?,
        auth_methods: texts("auth_methods")?.iter().map(|name| named(&AUTH_METHODS, name)).collect::<Option<_>>()?,
        keys: text("keys").map(|text| ClientKeys::new(&text, None)),
        grants: texts("grant_types")?.iter().map(|name| grant_named(name)).collect::<Option<_>>()?,
        response_types: texts("response_types")?
            .iter()
            .map(|name| named(&RESPONSE_TYPES, name))
            .collect::<Option<_>>()?,
        redirect_uris: texts("redirect_uris")?,
        scopes: texts("scopes")?,
        default_scopes: texts("default_scopes")?,
        pkce: terms.get("pkce")?.as_bool()?,
        token_format: text("token_format").and_then(|name| format_named(&name)),
        access_token_ttl: seconds("access_token_ttl"),
        code_ttl: seconds("code_ttl"),
        legacy_assertions: None,
        source: Source::Store,
        metadata: ClientMetadata::of_terms(&terms),
    })
}

/// A user as the store has it.
pub fn user_of_store(id: String, username: String, email: Option<String>, hash: &str) -> User {
    User { id, username, email, password: StoredPassword::Argon2id(hash.into()), source: Source::Store }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_mark_changes_with_the_password_and_reveals_few_bits() {
        let user = |id: &str, password| {
            let (id, username) = (id.to_owned(), "bob".to_owned());
            User { id, username, email: None, password, source: Source::File }
        };
        let hash = |text: &str| user("u-bob", StoredPassword::Argon2id(text.into())).password_mark();
        assert!(hash("$argon2id$a") != hash("$argon2id$b") && hash("$argon2id$a").len() == 32);
        let plain = |id: &str, text: &str| user(id, StoredPassword::Digest(Digest::of(text.as_bytes())));
        let mark = plain("u-bob", "secret").password_mark();
        assert!(mark.len() == 4 && mark != plain("u-bob", "other").password_mark());
        assert_ne!(mark, plain("u-ann", "secret").password_mark());
        assert!(plain("u-bob", "secret").has_password_of(Some(&mark)) && plain("u-bob", "x").has_password_of(None));
        assert!(!plain("u-bob", "other").has_password_of(Some(&mark)));
    }
}
