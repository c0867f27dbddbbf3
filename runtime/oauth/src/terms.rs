//! What a client may be registered with, and what a user may be called.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use gateway_parties::authority::Authority;
use gateway_parties::client_metadata::ClientMetadata;
use gateway_parties::clients_and_users::{
    self, Client, auth_method_name, format_name, grant_name, grant_named, response_type_name,
};
use gateway_parties::names::{BadRegistration, check_redirect_uri, is_unseen};
use gateway_parties::server::Grant;

/// A larger body is 413.
pub(crate) const MAX_BODY: u64 = 64 << 10;

/// A body that is a JSON object.
pub(crate) fn object(body: &[u8]) -> Option<Map<String, Value>> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}

/// A client as an administrator registers it, with what it may do at a server; without its secret. It has the names of RFC
/// 7591 §2 or those of `consumers.yaml`; where both are there, the former count. Members that are not known are ignored (§2).
///
/// `before` is what the client was registered with first, if it was: what it says of itself later gives it no scope and no
/// grant beyond that.
///
/// # Errors
/// What is wrong, for the administrator.
pub fn client_of_registration(
    id: &str,
    body: &Map<String, Value>,
    authority: &Authority,
    before: Option<&Client>,
) -> Result<Client, BadRegistration> {
    let server = authority.server;
    let metadata = ClientMetadata::of_registration(body)?;
    let text = |name: &str| match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() <= 2048 && !text.chars().any(is_unseen) => Ok(Some(text.clone())),
        Some(_) => Err(format!("`{name}` is not a text of at most 2048 bytes, all of it to be seen")),
    };
    let list = |name: &str| match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(items)) if items.len() <= 100 => {
            let texts = items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<String>>>();
            texts.map(|texts| Some(each_once(texts))).ok_or_else(|| format!("`{name}` is not a list of texts"))
        }
        Some(_) => Err(format!("`{name}` is not a list of at most 100 texts")),
    };
    let public = match (text("token_endpoint_auth_method")?.as_deref(), body.get("public")) {
        (Some(method), _) => method == "none",
        (None, Some(Value::Bool(public))) => *public,
        (None, None | Some(Value::Null)) => false,
        (None, Some(_)) => return Err("`public` is neither true nor false".into()),
    };
    let methods = match (list("auth_methods")?, text("token_endpoint_auth_method")?) {
        // What was answered to a registration can be sent again with a change.
        (Some(methods), Some(method)) if methods.contains(&method) => methods,
        (_, Some(method)) => vec![method],
        (Some(methods), None) => methods,
        (None, None) if public => vec!["none".to_owned()],
        (None, None) => vec!["client_secret_basic".to_owned(), "client_secret_post".to_owned()],
    };
    if methods.is_empty() {
        return Err("`auth_methods` is empty: write `none` for a public client, or leave it out".into());
    }
    if let Some(method) = methods.iter().find(|method| clients_and_users::auth_method_named(method).is_none()) {
        return Err(format!("`{method}` is not a method of authentication that the server supports").into());
    }
    if methods.iter().any(|method| (method == "none") != public) {
        return Err("a public client has the method `none`, and no other client has".into());
    }
    if methods.iter().any(|method| method == "client_secret_jwt") {
        return Err(
            "`client_secret_jwt` needs the secret itself, and of those who are registered here only its digest is \
                    kept; use `private_key_jwt`"
                .into(),
        );
    }
    let grants = list("grant_types")?.unwrap_or_else(|| vec!["authorization_code".to_owned()]);
    for name in &grants {
        let grant = grant_named(name).ok_or_else(|| format!("`{name}` is not a grant type"))?;
        if !server.grants.contains(&grant) {
            return Err(format!("the server does not offer `{name}`").into());
        }
        if before.is_some_and(|before| !before.grants.contains(&grant)) {
            return Err(
                format!("the client was registered without `{name}`; an administrator can register it anew").into()
            );
        }
        if public && matches!(grant, Grant::ClientCredentials | Grant::Password | Grant::JwtBearer) {
            return Err(format!("a public client cannot use `{name}`: it has nothing to prove who it is").into());
        }
    }
    let has = |name: &str| grants.iter().any(|grant| grant == name);
    let usual = [("code", has("authorization_code")), ("token", has("implicit"))];
    let usual = || usual.iter().filter(|(_, is_there)| *is_there).map(|(name, _)| (*name).to_owned()).collect();
    let response_types = list("response_types")?.unwrap_or_else(usual);
    let redirect_uris = list("redirect_uris")?.unwrap_or_default();
    for uri in &redirect_uris {
        check_redirect_uri(uri)
            .map_err(|problem| BadRegistration::redirect_uri(format!("redirect URI `{uri}`: {problem}")))?;
    }
    if redirect_uris.is_empty() && (has("authorization_code") || has("implicit")) {
        let missing = "`redirect_uris` is missing: users are sent to registered addresses only";
        return Err(BadRegistration::redirect_uri(missing.to_owned()));
    }
    for (kind, grant) in [("code", "authorization_code"), ("token", "implicit")] {
        // RFC 7591 §2.1.
        if response_types.iter().any(|known| known == kind) && !has(grant) {
            return Err(format!("the response type `{kind}` needs the grant type `{grant}`").into());
        }
    }
    let asks_users = |name: &String| matches!(name.as_str(), "authorization_code" | "implicit" | "refresh_token");
    let scopes = match (text("scope")?, list("scopes")?) {
        (Some(scope), _) => each_once(scope.split_ascii_whitespace().map(str::to_owned).collect()),
        (None, Some(scopes)) => scopes,
        (None, None) if before.is_some() => {
            let names = before.iter().flat_map(|before| &before.scopes);
            names.filter(|name| server.scopes.iter().any(|scope| scope.name == name.as_str())).cloned().collect()
        }
        // RFC 7591 §2 leaves that to the server: where users are asked, they decide.
        (None, None) if grants.iter().all(asks_users) => {
            server.scopes.iter().map(|scope| scope.name.to_owned()).collect()
        }
        (None, None) => return Err("`scope` is missing: no user decides what this client may do".into()),
    };
    if let Some(scope) = scopes.iter().find(|scope| !server.scopes.iter().any(|known| known.name == **scope)) {
        return Err(format!("`{scope}` is not a scope of the server").into());
    }
    if let Some(scope) = scopes.iter().find(|scope| before.is_some_and(|before| !before.scopes.contains(scope))) {
        return Err(
            format!("the client was registered without `{scope}`; an administrator can register it anew").into()
        );
    }
    let default_scopes = list("default_scopes")?.unwrap_or_default();
    if let Some(scope) = default_scopes.iter().find(|scope| !scopes.contains(scope)) {
        return Err(format!("`{scope}` is among `default_scopes` and not among `scopes`").into());
    }
    let keys = match body.get("jwks").or(body.get("keys")) {
        None | Some(Value::Null) => None,
        Some(Value::String(pem)) => Some(pem.clone()),
        Some(set @ Value::Object(_)) => Some(set.to_string()),
        Some(_) => return Err("`jwks` is a JSON Web Key Set; `keys` may be a public key in PEM as well".into()),
    };
    let needs_keys =
        methods.iter().any(|method| method == "private_key_jwt") || has("urn:ietf:params:oauth:grant-type:jwt-bearer");
    if needs_keys && keys.is_none() {
        return Err("`jwks` is missing: nothing else tells the client's assertions from others (`jwks_uri` is not \
                    fetched)"
            .into());
    }
    if let Some(keys) = &keys {
        authority.engine.keys(keys.as_bytes()).map_err(|problem| format!("`keys`: {problem}"))?;
    }
    let mut terms = json!({
        "name": text("client_name")?.or(text("name")?).unwrap_or_default(),
        "public": public,
        "pkce": public,
        "auth_methods": methods,
        "grant_types": grants,
        "response_types": response_types,
        "redirect_uris": redirect_uris,
        "scopes": scopes,
        "default_scopes": default_scopes,
    });
    for (name, value) in [("keys", keys), ("token_format", text("token_format")?)] {
        if let Some(value) = value {
            terms[name] = value.into();
        }
    }
    for (name, value) in metadata.members() {
        terms[name] = value;
    }
    if let Some(format) = terms.get("token_format").and_then(Value::as_str)
        && clients_and_users::format_named(format).is_none()
    {
        return Err(format!("`{format}` is not a token format; write `opaque` or `jwt`").into());
    }
    clients_and_users::client_of_terms(id, None, &terms.to_string())
        .ok_or_else(|| "`response_types` has a member that is not known".into())
}

fn each_once(mut texts: Vec<String>) -> Vec<String> {
    let mut known = BTreeSet::new();
    texts.retain(|text| known.insert(text.clone()));
    texts
}

/// What an administrator sees of a client: everything but its secret.
pub(super) fn registration_of(client: &Client) -> Map<String, Value> {
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    put("client_id", client.id.as_str().into());
    // By the names of RFC 7591 §2, and of `consumers.yaml`.
    put("client_name", client.name.as_str().into());
    put("token_endpoint_auth_method", client.auth_methods.first().map(|method| auth_method_name(*method)).into());
    put("response_types", client.response_types.iter().map(|kind| response_type_name(*kind)).collect());
    put("scope", client.scopes.join(" ").into());
    match client.keys.as_ref().map(|keys| (&keys.text, serde_json::from_str::<Value>(&keys.text))) {
        Some((_, Ok(set))) => drop(put("jwks", set)),
        Some((pem, Err(_))) => drop(put("keys", (&**pem).into())),
        None => {}
    }
    put("name", client.name.as_str().into());
    put("public", client.public.into());
    put("auth_methods", client.auth_methods.iter().map(|method| auth_method_name(*method)).collect());
    put("grant_types", client.grants.iter().map(|grant| grant_name(*grant)).collect());
    put("redirect_uris", client.redirect_uris.clone().into());
    put("scopes", client.scopes.clone().into());
    put("default_scopes", client.default_scopes.clone().into());
    if let Some(format) = client.token_format {
        put("token_format", format_name(format).into());
    }
    members.extend(client.metadata.members());
    members
}
