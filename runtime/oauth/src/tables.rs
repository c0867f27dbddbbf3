//! Operations and security schemes of an authorization server as generated code describes them: inert tables.

use gateway_access::request_view::CredentialLocation;
use gateway_parties::server::{AuthorizationServer, Grant};
pub use gateway_terms::oauth::Endpoint;

/// An endpoint of an authorization server, as an operation.
#[derive(Debug)]
pub struct OauthEndpoint {
    /// Whose.
    pub server: &'static AuthorizationServer,
    /// Which.
    pub endpoint: Endpoint,
    /// What it gives tokens for: of the server's grants, those that the operation admits.
    pub grants: &'static [Grant],
}

/// Registration of clients and users, as an operation.
#[derive(Debug)]
pub struct Registry {
    /// Where they are registered.
    pub server: &'static AuthorizationServer,
    /// What the operation does.
    pub action: RegistryAction,
}

/// What an operation of a [`Registry`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistryAction {
    /// `clients.create`.
    CreateClient,
    /// `clients.list`.
    ListClients,
    /// `clients.delete`, by a path parameter.
    DeleteClient {
        /// The parameter that holds the client's id.
        parameter: &'static str,
    },
    /// `clients.manage` (RFC 7592), by a path parameter.
    ManageClient {
        /// The parameter that holds the client's id.
        parameter: &'static str,
    },
    /// `users.create`.
    CreateUser,
}

/// An access token of the gateway's own (RFC 6750). It is never forwarded.
#[derive(Debug)]
pub struct OwnToken {
    /// The key under `components/securitySchemes`.
    pub name: &'static str,
    /// Who made it.
    pub server: &'static AuthorizationServer,
    /// Where it may be; in one of these places only.
    pub locations: &'static [CredentialLocation],
    /// `realm` of the challenge (RFC 9110 §11.5).
    pub realm: &'static str,
}

/// A user who has logged in at the gateway. The cookie is never forwarded.
#[derive(Debug)]
pub struct LoginSession {
    /// The key under `components/securitySchemes`.
    pub name: &'static str,
    /// At which server.
    pub server: &'static AuthorizationServer,
    /// The name of the cookie.
    pub cookie: &'static str,
    /// A request of a browser without a session goes to the login page; otherwise it is 401.
    pub redirects: bool,
    /// `realm` of the challenge (RFC 9110 §11.5).
    pub realm: &'static str,
}

/// The key of the deployment's administrators, `admin.key` of `gateway.yaml`. It is never forwarded.
#[derive(Debug)]
pub struct AdminKey {
    /// The key under `components/securitySchemes`.
    pub name: &'static str,
    /// Where it may be.
    pub locations: &'static [CredentialLocation],
    /// `realm` of the challenge (RFC 9110 §11.5).
    pub realm: &'static str,
}
