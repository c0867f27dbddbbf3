//! An authorization server as generated code describes it: inert tables.

use std::time::Duration;

pub use gateway_terms::oauth::{Grant, PkceRequirement, TokenFormat};

/// An authorization server (RFC 6749 §1.1), as one document describes it.
#[derive(Debug)]
pub struct AuthorizationServer {
    /// Its name in metadata, tokens and responses (RFC 8414 §2, RFC 9207): `https://host[:port][/path]`.
    pub issuer: &'static str,
    /// Of access tokens.
    pub access_token: AccessTokenTerms,
    /// Of refresh tokens, where [`Grant::RefreshToken`] is offered.
    pub refresh_token: RefreshTokenTerms,
    /// The lifetime of an authorization code (RFC 6749 §4.1.2).
    pub code_ttl: Duration,
    /// Who must use PKCE (RFC 7636); S256 is the only method.
    pub pkce: PkceRequirement,
    /// A user who has allowed a client something is not asked again for the same.
    pub remember_consent: bool,
    /// What is offered, in the order of [`Grant`].
    pub grants: &'static [Grant],
    /// `client_credentials` may name a user who has permitted that client.
    pub client_acts_for_users: bool,
    /// A JWT assertion about a user needs that user's permission for the client.
    pub assertion_needs_permission: bool,
    /// What tokens may be for, ordered by name.
    pub scopes: &'static [Scope],
    /// What access tokens can be for beside the server itself (RFC 8707), ordered by URI; none for a server that ignores
    /// `resource`.
    pub resources: &'static [Resource],
    /// Where its endpoints are.
    pub paths: EndpointPaths,
    /// The cookie that carries sessions; `""` where there is no login.
    pub session_cookie: &'static str,
}

/// Terms of access tokens.
#[derive(Debug)]
pub struct AccessTokenTerms {
    /// Unless the client has its own.
    pub format: TokenFormat,
    /// Unless the client has its own.
    pub ttl: Duration,
}

/// Terms of refresh tokens.
#[derive(Debug)]
pub struct RefreshTokenTerms {
    /// Each use gives a new one and spends the old one (RFC 9700 §4.14.2).
    pub rotate: bool,
    /// From the first one of a family.
    pub ttl: Duration,
    /// From the last use; zero for no such limit.
    pub idle: Duration,
    /// How long one that is spent gives tokens again; zero for not at all.
    pub grace: Duration,
}

/// Something that access tokens can be for (RFC 8707 §2).
#[derive(Debug)]
pub struct Resource {
    /// As in requests: an absolute URI.
    pub uri: &'static str,
    /// It has an origin of the document: operations of this gateway take its tokens.
    pub is_here: bool,
}

/// Something that a token may be for (RFC 6749 §3.3).
#[derive(Debug)]
pub struct Scope {
    /// As in requests.
    pub name: &'static str,
    /// For people who are asked to allow it.
    pub description: &'static str,
}

/// The paths of the endpoints, with the base path of `servers`; `""` where the document has none.
#[derive(Debug)]
pub struct EndpointPaths {
    /// RFC 6749 §3.1.
    pub authorize: &'static str,
    /// Where the consent page sends the decision.
    pub decision: &'static str,
    /// RFC 6749 §3.2.
    pub token: &'static str,
    /// RFC 7009.
    pub revoke: &'static str,
    /// RFC 7662.
    pub introspect: &'static str,
    /// RFC 7517 §5.
    pub jwks: &'static str,
    /// The login page.
    pub login: &'static str,
    /// Where the login page sends name and password.
    pub login_submit: &'static str,
    /// Ends a session.
    pub logout: &'static str,
    /// What a user has allowed.
    pub account: &'static str,
    /// Where that page sends what is to be withdrawn.
    pub withdrawal: &'static str,
    /// RFC 7591 §3.
    pub registration: &'static str,
    /// RFC 7592 §2.
    pub managed_client: ClientPath,
}

/// The path of one client: its id between two texts. Both are `""` where the document has no such path.
#[derive(Debug)]
pub struct ClientPath {
    /// With the base path of `servers`.
    pub before: &'static str,
    /// Often `""`.
    pub after: &'static str,
}
