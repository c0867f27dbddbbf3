//! The server's metadata (RFC 8414), its keys (RFC 7517), and the subject of a token.

use serde_json::{Map, Value, json};

use crate::endpoint_request::EndpointRequest;
use crate::error::{ErrorCode, OauthError};
use crate::server::Server;
use gateway_parties::clients_and_users::grant_name;
use gateway_parties::server::Grant;
use gateway_wire::answer::OwnAnswer;
use gateway_wire::field_lines::{FieldLines, StaticField};

/// How long others may keep what changes with a deployment only.
const CACHED: StaticField = StaticField::new("Cache-Control", "public, max-age=300");

fn public(value: &Value) -> OwnAnswer {
    OwnAnswer { fields: FieldLines::of(&[CACHED]), ..OwnAnswer::json(200, value) }
        // For clients that run in a browser; there is nothing in it that others may not read.
        .with("Access-Control-Allow-Origin", "*")
}

/// GET: RFC 8414 §2.
pub(super) fn metadata(server: &Server) -> OwnAnswer {
    let table = server.table;
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    put("issuer", table.issuer.into());
    let endpoints = [
        ("authorization_endpoint", table.paths.authorize),
        ("token_endpoint", table.paths.token),
        ("revocation_endpoint", table.paths.revoke),
        ("introspection_endpoint", table.paths.introspect),
        ("jwks_uri", table.paths.jwks),
        ("registration_endpoint", table.paths.registration),
    ];
    for (name, path) in endpoints {
        if let Some(url) = server.url(path) {
            put(name, url.into());
        }
    }
    put("scopes_supported", table.scopes.iter().map(|scope| scope.name).collect());
    let has = |grant: Grant| table.grants.contains(&grant);
    let response_types = [("code", has(Grant::AuthorizationCode)), ("token", has(Grant::Implicit))];
    let response_types: Vec<&str> =
        response_types.iter().filter(|(_, is_there)| *is_there).map(|(name, _)| *name).collect();
    put("response_types_supported", response_types.into());
    let modes = [("query", has(Grant::AuthorizationCode)), ("fragment", has(Grant::Implicit))];
    let modes: Vec<&str> = modes.iter().filter(|(_, is_there)| *is_there).map(|(name, _)| *name).collect();
    put("response_modes_supported", modes.into());
    put("grant_types_supported", table.grants.iter().map(|grant| grant_name(*grant)).collect());
    put("code_challenge_methods_supported", json!(["S256"]));
    put("authorization_response_iss_parameter_supported", true.into());
    const CONFIDENTIAL: [&str; 4] =
        ["client_secret_basic", "client_secret_post", "private_key_jwt", "client_secret_jwt"];
    let with_public: Vec<&str> = CONFIDENTIAL.into_iter().chain(["none"]).collect();
    let algorithms = json!([
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "HS256", "HS384", "HS512"
    ]);
    let authenticated = [
        ("token_endpoint", table.paths.token, json!(with_public)),
        ("revocation_endpoint", table.paths.revoke, json!(with_public)),
        ("introspection_endpoint", table.paths.introspect, json!(CONFIDENTIAL)),
    ];
    for (name, path, methods) in authenticated {
        if !path.is_empty() {
            put(&format!("{name}_auth_methods_supported"), methods);
            put(&format!("{name}_auth_signing_alg_values_supported"), algorithms.clone());
        }
    }
    public(&Value::Object(members))
}

/// GET: the keys that JWT access tokens are checked with.
pub(super) fn jwks(server: &Server) -> OwnAnswer {
    public(&json!({"keys": [server.signer.public]}))
}

/// GET: the subject of the caller's token.
pub(super) async fn me(server: &Server, request: EndpointRequest) -> Result<OwnAnswer, OauthError> {
    let caller = request.caller.ok_or_else(|| ErrorCode::ServerError.because("The operation asks for no token"))?;
    let mut members = Map::new();
    if let Some(id) = &caller.user {
        members.insert("user_id".to_owned(), (**id).into());
        if let Some(user) = server.parties.user(id).await? {
            members.insert("name".to_owned(), user.username.as_str().into());
            if let Some(email) = &user.email {
                members.insert("email".to_owned(), email.as_str().into());
            }
        }
    }
    if let Some(client) = &caller.client {
        members.insert("client_id".to_owned(), (**client).into());
    }
    let scopes: Vec<&str> = caller.scopes.iter().map(|scope| &**scope).collect();
    members.insert("scope".to_owned(), scopes.join(" ").into());
    Ok(OwnAnswer::json(200, &Value::Object(members)))
}
