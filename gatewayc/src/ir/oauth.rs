//! The gateway as OAuth 2.0 authorization server.

use std::time::Duration;

pub use gateway_terms::oauth::{Endpoint, Grant, PkceRequirement, TokenFormat};

/// An authorization server (RFC 6749 §1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationServer {
    /// Its name in metadata, tokens and responses.
    pub issuer: String,
    /// What access tokens look like, unless the client has its own.
    pub token_format: TokenFormat,
    /// The lifetime of access tokens, unless the client has its own.
    pub access_token_ttl: Duration,
    /// Each use of a refresh token gives a new one and spends the old one.
    pub rotates: bool,
    /// The lifetime of refresh tokens, from the first of a family.
    pub refresh_token_ttl: Duration,
    /// From their last use; zero for no such limit.
    pub refresh_token_idle: Duration,
    /// How long one that is spent gives tokens again; zero for not at all.
    pub refresh_token_grace: Duration,
    /// The lifetime of authorization codes.
    pub code_ttl: Duration,
    /// Who must use PKCE.
    pub pkce: PkceRequirement,
    /// A user who has allowed a client something is not asked again for the same.
    pub remembers_consent: bool,
    /// What is offered, in the order of [`Grant`].
    pub grants: Vec<Grant>,
    /// `client_credentials` may name a user who has permitted that client.
    pub client_acts_for_users: bool,
    /// An assertion about a user needs that user's permission for the client.
    pub assertion_needs_permission: bool,
    /// What tokens may be for, ordered by name.
    pub scopes: Vec<Scope>,
    /// What access tokens can be for beside the server itself, ordered by URI.
    pub resources: Vec<Resource>,
    /// Where its endpoints are: every kind with its path, or with none; in the order of [`Endpoint::ALL`].
    pub paths: Vec<(Endpoint, Option<String>)>,
    /// Where [`Endpoint::Account`] takes POST, if it does.
    pub withdrawal: Option<String>,
    /// Where [`RegistryAction::CreateClient`] is, on a path without parameters.
    pub registration: Option<String>,
    /// Where [`RegistryAction::ManageClient`] is.
    pub managed_client: Option<ClientPath>,
    /// The cookie that carries sessions; `""` where the document has none.
    pub session_cookie: String,
}

/// The path of one client: its id between two texts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientPath {
    /// With the base path of `servers`.
    pub before: String,
    /// Often nothing.
    pub after: String,
}

/// Something that access tokens can be for (RFC 8707).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// As in requests.
    pub uri: String,
    /// It has an origin of the document: its operations take such tokens.
    pub is_here: bool,
}

/// Something that a token may be for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// As in requests.
    pub name: String,
    /// For people who are asked to allow it.
    pub description: String,
}

/// What an operation of the registry of clients and users does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistryAction {
    /// `clients.create`.
    CreateClient,
    /// `clients.list`.
    ListClients,
    /// `clients.delete`.
    DeleteClient,
    /// `clients.manage`.
    ManageClient,
    /// `users.create`.
    CreateUser,
}

impl RegistryAction {
    /// All there are.
    pub const ALL: &'static [Self] =
        &[Self::CreateClient, Self::ListClients, Self::DeleteClient, Self::ManageClient, Self::CreateUser];

    /// The word after `builtin:`.
    pub fn name(self) -> &'static str {
        match self {
            Self::CreateClient => "clients.create",
            Self::ListClients => "clients.list",
            Self::DeleteClient => "clients.delete",
            Self::ManageClient => "clients.manage",
            Self::CreateUser => "users.create",
        }
    }

    /// The methods that it can have.
    pub fn methods(self) -> &'static [&'static str] {
        match self {
            Self::CreateClient | Self::CreateUser => &["POST"],
            Self::ListClients => &["GET"],
            Self::DeleteClient => &["DELETE"],
            // RFC 7592 §2.
            Self::ManageClient => &["GET", "PUT", "DELETE"],
        }
    }
}

/// A user who has logged in at the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginSession {
    /// The name of the cookie.
    pub cookie: String,
    /// A browser without a session goes to the login page.
    pub redirects: bool,
}
