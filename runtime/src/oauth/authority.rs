//! What documents with an authorization server bring along, behind an interface: only a gateway that has one links what
//! speaks to databases and reads the keys of clients.

use std::fmt;
use std::sync::Arc;

use super::registry::AssertionKeys;
use super::store::{OauthStore, OauthStoreSettings};
use super::tables::AuthorizationServer;
use crate::codegen::{Action, Gateway};
use crate::jwt::assertion::PublicKeys;

/// An authorization server, and what runs it.
#[derive(Debug, Clone, Copy)]
pub struct Authority {
    pub(crate) server: &'static AuthorizationServer,
    pub(crate) engine: &'static dyn Engine,
}

impl Authority {
    /// For the statics that documents with an authorization server have.
    pub(crate) fn of(server: &'static AuthorizationServer) -> Self {
        Self { server, engine: &LinkedEngine }
    }
}

/// Opens stores and reads keys.
pub(crate) trait Engine: fmt::Debug + Sync {
    /// As [`OauthStore::open`].
    fn open(&self, settings: &OauthStoreSettings) -> Result<OauthStore, String>;

    /// The public keys of a client: PEM, or a JSON Web Key Set.
    ///
    /// # Errors
    /// What is wrong with them, without quoting them.
    fn keys(&self, text: &[u8]) -> Result<Arc<dyn AssertionKeys>, String>;
}

/// All there is.
#[derive(Debug)]
struct LinkedEngine;

impl Engine for LinkedEngine {
    fn open(&self, settings: &OauthStoreSettings) -> Result<OauthStore, String> {
        OauthStore::open(settings)
    }

    fn keys(&self, text: &[u8]) -> Result<Arc<dyn AssertionKeys>, String> {
        Ok(Arc::new(PublicKeys::read(text)?))
    }
}

/// The authorization servers of all documents, each once.
pub(crate) fn authorities(gateway: &Gateway) -> Vec<Authority> {
    let schemes = gateway.apis.iter().flat_map(|api| api.schemes).filter_map(|scheme| scheme.authority());
    let operations = gateway.apis.iter().flat_map(|api| api.operations());
    let builtins = operations.filter_map(|operation| match &operation.action {
        Action::Answer(builtin) => builtin.authority(),
        Action::Forward { .. } => None,
    });
    let mut found: Vec<Authority> = Vec::new();
    for authority in builtins.chain(schemes) {
        if !found.iter().any(|known| std::ptr::eq(known.server, authority.server)) {
            found.push(authority);
        }
    }
    found
}

/// A gateway with an authorization server, for tests.
#[cfg(test)]
pub(crate) mod example {
    use std::time::Duration;

    use super::Authority;
    use crate::codegen::{Api, Gateway, Https, IdentityHeaders};
    use crate::oauth::{
        AccessTokenTerms, AuthorizationServer, ClientPath, EndpointPaths, Grant, OwnToken, PkceRequirement,
        RefreshTokenTerms, Scope, TokenFormat,
    };

    pub(crate) static SERVER: AuthorizationServer = AuthorizationServer {
        issuer: "https://id.example",
        access_token: AccessTokenTerms { format: TokenFormat::Opaque, ttl: Duration::from_secs(600) },
        refresh_token: RefreshTokenTerms {
            rotate: true,
            ttl: Duration::from_secs(86_400),
            idle: Duration::ZERO,
            grace: Duration::ZERO,
        },
        code_ttl: Duration::from_secs(60),
        pkce: PkceRequirement::All,
        remember_consent: true,
        grants: &[Grant::AuthorizationCode, Grant::ClientCredentials, Grant::RefreshToken, Grant::JwtBearer],
        client_acts_for_users: false,
        assertion_needs_permission: true,
        scopes: &[Scope { name: "notes", description: "Notes" }, Scope { name: "profile", description: "" }],
        resources: &[],
        paths: EndpointPaths {
            authorize: "",
            decision: "",
            token: "/token",
            revoke: "",
            introspect: "",
            jwks: "",
            login: "",
            login_submit: "",
            logout: "",
            account: "",
            withdrawal: "",
            registration: "",
            managed_client: ClientPath { before: "", after: "" },
        },
        session_cookie: "",
    };

    static TOKENS: OwnToken = OwnToken { name: "own", server: &SERVER, locations: &[], realm: "r" };

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
        error_bodies: &[],
        failed_authentication: &[],
        https: Https::Optional,
        accepted_risks: &[],
    };

    pub(crate) static GATEWAY: Gateway = Gateway { apis: &[&API] };

    /// Its only authorization server.
    pub(crate) fn authority() -> Authority {
        Authority::of(&SERVER)
    }

    /// Of a key pair whose private half nobody has.
    pub(crate) const PUBLIC_KEY: &str = "\
        -----BEGIN PUBLIC KEY-----\n\
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZmMJobaNLXax83auKtv3K77ZIXt1\n\
        l5Gm8qcNmWDATEpeLIrc4XCbaL2HyOZniCyKf03gYf0y9sao/fTO6NOcXg==\n\
        -----END PUBLIC KEY-----";
}
