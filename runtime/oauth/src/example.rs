//! An authorization server for tests.

use std::time::Duration;

use gateway_parties::server::{
    AccessTokenTerms, AuthorizationServer, ClientPath, EndpointPaths, Grant, PkceRequirement, RefreshTokenTerms, Scope,
    TokenFormat,
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
