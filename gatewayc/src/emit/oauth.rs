//! The authorization server, its endpoints and its schemes, as tables.

use crate::emit::layout::Expression;
use crate::emit::literals::{boolean, duration, locations};
use crate::emit::names::Ident;
use crate::ir::{
    AuthorizationServer, ClientPath, Endpoint, Grant, LoginSession, PkceRequirement, RegistryAction, Resource, Scheme,
    Scope, TokenFormat,
};

pub(super) fn authorization_server(server: &AuthorizationServer) -> Expression {
    let format = match server.token_format {
        TokenFormat::Opaque => "TokenFormat::Opaque",
        TokenFormat::Jwt => "TokenFormat::Jwt",
    };
    let pkce = match server.pkce {
        PkceRequirement::All => "PkceRequirement::All",
        PkceRequirement::Public => "PkceRequirement::Public",
    };
    let access_token = vec![("format", Expression::word(format)), ("ttl", duration(server.access_token_ttl))];
    let refresh_token = vec![
        ("rotate", boolean(server.rotates)),
        ("ttl", duration(server.refresh_token_ttl)),
        ("idle", duration(server.refresh_token_idle)),
        ("grace", duration(server.refresh_token_grace)),
    ];
    let scope = |Scope { name, description }: &Scope| {
        let fields = vec![("name", Expression::text(name)), ("description", Expression::text(description))];
        Expression::Struct("Scope", fields)
    };
    let resource = |Resource { uri, is_here }: &Resource| {
        Expression::Struct("Resource", vec![("uri", Expression::text(uri)), ("is_here", boolean(*is_here))])
    };
    let path = |endpoint: Endpoint| {
        let found = server.paths.iter().find(|(known, _)| *known == endpoint);
        Expression::text(found.and_then(|(_, path)| path.as_deref()).unwrap_or_default())
    };
    let (before, after) = match &server.managed_client {
        Some(ClientPath { before, after }) => (before.as_str(), after.as_str()),
        None => ("", ""),
    };
    let managed_client = vec![("before", Expression::text(before)), ("after", Expression::text(after))];
    let managed_client = Expression::Struct("ClientPath", managed_client);
    let paths = vec![
        ("authorize", path(Endpoint::Authorize)),
        ("decision", path(Endpoint::Decision)),
        ("token", path(Endpoint::Token)),
        ("revoke", path(Endpoint::Revoke)),
        ("introspect", path(Endpoint::Introspect)),
        ("jwks", path(Endpoint::Jwks)),
        ("login", path(Endpoint::LoginForm)),
        ("login_submit", path(Endpoint::LoginSubmit)),
        ("logout", path(Endpoint::Logout)),
        ("account", path(Endpoint::Account)),
        ("withdrawal", Expression::text(server.withdrawal.as_deref().unwrap_or_default())),
        ("registration", Expression::text(server.registration.as_deref().unwrap_or_default())),
        ("managed_client", managed_client),
    ];
    let fields = vec![
        ("issuer", Expression::text(&server.issuer)),
        ("access_token", Expression::Struct("AccessTokenTerms", access_token)),
        ("refresh_token", Expression::Struct("RefreshTokenTerms", refresh_token)),
        ("code_ttl", duration(server.code_ttl)),
        ("pkce", Expression::word(pkce)),
        ("remember_consent", boolean(server.remembers_consent)),
        ("grants", grants(&server.grants)),
        ("client_acts_for_users", boolean(server.client_acts_for_users)),
        ("assertion_needs_permission", boolean(server.assertion_needs_permission)),
        ("scopes", Expression::Slice(server.scopes.iter().map(scope).collect())),
        ("resources", Expression::Slice(server.resources.iter().map(resource).collect())),
        ("paths", Expression::Struct("EndpointPaths", paths)),
        ("session_cookie", Expression::text(&server.session_cookie)),
    ];
    Expression::Struct("AuthorizationServer", fields)
}

fn grants(grants: &[Grant]) -> Expression {
    let grant = |grant: &Grant| {
        Expression::word(match grant {
            Grant::AuthorizationCode => "Grant::AuthorizationCode",
            Grant::Implicit => "Grant::Implicit",
            Grant::Password => "Grant::Password",
            Grant::ClientCredentials => "Grant::ClientCredentials",
            Grant::RefreshToken => "Grant::RefreshToken",
            Grant::JwtBearer => "Grant::JwtBearer",
        })
    };
    Expression::Slice(grants.iter().map(grant).collect())
}

pub(super) fn endpoint(server: &Ident, endpoint: Endpoint, admitted: &[Grant]) -> Expression {
    let kind = match endpoint {
        Endpoint::Authorize => "Endpoint::Authorize",
        Endpoint::Decision => "Endpoint::Decision",
        Endpoint::Token => "Endpoint::Token",
        Endpoint::Revoke => "Endpoint::Revoke",
        Endpoint::Introspect => "Endpoint::Introspect",
        Endpoint::Metadata => "Endpoint::Metadata",
        Endpoint::Jwks => "Endpoint::Jwks",
        Endpoint::Me => "Endpoint::Me",
        Endpoint::LoginForm => "Endpoint::LoginForm",
        Endpoint::LoginSubmit => "Endpoint::LoginSubmit",
        Endpoint::Logout => "Endpoint::Logout",
        Endpoint::Account => "Endpoint::Account",
    };
    let fields = vec![
        ("server", Expression::reference_to(server)),
        ("endpoint", Expression::word(kind)),
        ("grants", grants(admitted)),
    ];
    Expression::Struct("OauthEndpoint", fields)
}

pub(super) fn registry(server: &Ident, action: RegistryAction, parameter: &str) -> Expression {
    let about_one = |action: &'static str| Expression::Struct(action, vec![("parameter", Expression::text(parameter))]);
    let action = match action {
        RegistryAction::CreateClient => Expression::word("RegistryAction::CreateClient"),
        RegistryAction::ListClients => Expression::word("RegistryAction::ListClients"),
        RegistryAction::DeleteClient => about_one("RegistryAction::DeleteClient"),
        RegistryAction::ManageClient => about_one("RegistryAction::ManageClient"),
        RegistryAction::CreateUser => Expression::word("RegistryAction::CreateUser"),
    };
    Expression::Struct("Registry", vec![("server", Expression::reference_to(server)), ("action", action)])
}

pub(super) fn own_token(server: &Ident, scheme: &Scheme) -> Expression {
    let fields = vec![
        ("name", Expression::text(&scheme.name)),
        ("server", Expression::reference_to(server)),
        ("locations", locations(&scheme.locations)),
        ("realm", Expression::text(&scheme.realm)),
    ];
    Expression::Struct("OwnToken", fields)
}

pub(super) fn login_session(server: &Ident, scheme: &Scheme, session: &LoginSession) -> Expression {
    let fields = vec![
        ("name", Expression::text(&scheme.name)),
        ("server", Expression::reference_to(server)),
        ("cookie", Expression::text(&session.cookie)),
        ("redirects", boolean(session.redirects)),
        ("realm", Expression::text(&scheme.realm)),
    ];
    Expression::Struct("LoginSession", fields)
}

pub(super) fn admin_key(scheme: &Scheme) -> Expression {
    let fields = vec![
        ("name", Expression::text(&scheme.name)),
        ("locations", locations(&scheme.locations)),
        ("realm", Expression::text(&scheme.realm)),
    ];
    Expression::Struct("AdminKey", fields)
}
