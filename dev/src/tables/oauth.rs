//! The authorization server and its endpoints.

use gateway_access::builtin::Builtin;
use gateway_runtime::codegen::{
    AccessTokenTerms, AuthorizationServer, ClientPath, EndpointPaths, Grant, RefreshTokenTerms, Resource, Scope,
};
use gateway_runtime::optional::Oauth;
use gatewayc::ir;
use gatewayc::ir::Endpoint;

use crate::tables::text::{list, text};

pub(super) fn authorization_server(server: &ir::AuthorizationServer) -> AuthorizationServer {
    let path = |endpoint: Endpoint| {
        let found = server.paths.iter().find(|(known, _)| *known == endpoint);
        text(found.and_then(|(_, path)| path.as_deref()).unwrap_or_default())
    };
    let managed_client = match &server.managed_client {
        Some(ir::ClientPath { before, after }) => ClientPath { before: text(before), after: text(after) },
        None => ClientPath { before: "", after: "" },
    };
    AuthorizationServer {
        issuer: text(&server.issuer),
        access_token: AccessTokenTerms { format: server.token_format, ttl: server.access_token_ttl },
        refresh_token: RefreshTokenTerms {
            rotate: server.rotates,
            ttl: server.refresh_token_ttl,
            idle: server.refresh_token_idle,
            grace: server.refresh_token_grace,
        },
        code_ttl: server.code_ttl,
        pkce: server.pkce,
        remember_consent: server.remembers_consent,
        grants: grants(&server.grants),
        client_acts_for_users: server.client_acts_for_users,
        assertion_needs_permission: server.assertion_needs_permission,
        scopes: list(&server.scopes, |ir::Scope { name, description }| Scope {
            name: text(name),
            description: text(description),
        }),
        resources: list(&server.resources, |ir::Resource { uri, is_here }| Resource {
            uri: text(uri),
            is_here: *is_here,
        }),
        paths: EndpointPaths {
            authorize: path(Endpoint::Authorize),
            decision: path(Endpoint::Decision),
            token: path(Endpoint::Token),
            revoke: path(Endpoint::Revoke),
            introspect: path(Endpoint::Introspect),
            jwks: path(Endpoint::Jwks),
            login: path(Endpoint::LoginForm),
            login_submit: path(Endpoint::LoginSubmit),
            logout: path(Endpoint::Logout),
            account: path(Endpoint::Account),
            withdrawal: text(server.withdrawal.as_deref().unwrap_or_default()),
            registration: text(server.registration.as_deref().unwrap_or_default()),
            managed_client,
        },
        session_cookie: text(&server.session_cookie),
    }
}

fn grants(grants: &[Grant]) -> &'static [Grant] {
    list(grants, |grant| *grant)
}

/// What belongs to a server.
pub(super) fn oauth() -> Oauth {
    Oauth::built().expect("features are checked first")
}

pub(super) fn endpoint(
    server: &'static AuthorizationServer,
    endpoint: Endpoint,
    admitted: &[Grant],
) -> &'static dyn Builtin {
    oauth().endpoint(server, endpoint, grants(admitted))
}

pub(super) fn registry(
    server: &'static AuthorizationServer,
    action: ir::RegistryAction,
    parameter: &str,
) -> &'static dyn Builtin {
    let registry = oauth().registry(server, action.name(), text(parameter));
    registry.expect("the compiler's words are the gateway's")
}
