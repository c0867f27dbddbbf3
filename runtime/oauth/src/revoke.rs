//! Token revocation (RFC 7009) and introspection (RFC 7662).

use serde_json::{Map, Value, json};

use crate::endpoint_request::EndpointRequest;
use crate::error::{ErrorCode, OauthError};
use crate::server::{MAX_TOKEN, Server};
use gateway_base::digest::Digest;
use gateway_wire::answer::OwnAnswer;

/// POST: ends a token. An access token ends alone; a refresh token ends with all that it gave.
pub(super) async fn revoke(server: &Server, request: EndpointRequest) -> Result<OwnAnswer, OauthError> {
    let form = request.form.as_ref().map_err(|problem| OauthError::from(*problem))?;
    let client = server.client_of(&request, form).await?;
    let token = form.get("token").ok_or_else(|| ErrorCode::InvalidRequest.because("token is missing"))?;
    if !matches!(form.get("token_type_hint"), None | Some("access_token" | "refresh_token")) {
        return Err(ErrorCode::UnsupportedTokenType.because("token_type_hint is access_token or refresh_token"));
    }
    let digest = Digest::of(token.as_bytes());
    let grace = server.table.refresh_token.grace.as_secs();
    // The hint is for servers that would have to choose; here the other place is tried if the first has nothing.
    let access = server.store.access_token(&digest, request.now).await?.map(|record| record.authorization);
    let refresh = match access {
        Some(_) => None,
        None => server.store.refresh_token(&digest, request.now, grace).await?.map(|record| record.authorization),
    };
    if let Some(authorization) = access.as_ref().or(refresh.as_ref())
        && (authorization.client != client.id || authorization.issuer != server.table.issuer)
    {
        // RFC 7009 §2.1: the request is refused, with an error.
        return Err(ErrorCode::UnauthorizedClient.because("The token was given to another client"));
    }
    if let Some(authorization) = refresh {
        server.store.revoke_authorization(&authorization.id).await?;
        server.forget_authorization(&authorization.id, request.now);
    } else if access.is_some() {
        server.store.revoke_access(&digest).await?;
        server.forget_token(&digest, request.now);
    }
    Ok(OwnAnswer::json(200, &json!({})).with("Pragma", "no-cache"))
}

/// POST: what a token is worth, for clients that can keep a secret.
pub(super) async fn introspect(server: &Server, request: EndpointRequest) -> Result<OwnAnswer, OauthError> {
    let form = request.form.as_ref().map_err(|problem| OauthError::from(*problem))?;
    let client = server.confidential_client_of(&request, form).await?;
    let token = form.get("token").ok_or_else(|| ErrorCode::InvalidRequest.because("token is missing"))?;
    let members = match token.len() <= MAX_TOKEN {
        true => server.describe_token(token, &client.id, request.now).await?,
        false => None,
    };
    // RFC 7662 §2.2: of an invalid token nothing else is said.
    let members = members.unwrap_or_else(|| [("active".to_owned(), Value::Bool(false))].into_iter().collect());
    Ok(OwnAnswer::json(200, &Value::Object(members)).with("Pragma", "no-cache"))
}

impl Server {
    async fn describe_token(
        &self,
        token: &str,
        asker: &str,
        now: u64,
    ) -> Result<Option<Map<String, Value>>, OauthError> {
        let digest = Digest::of(token.as_bytes());
        let mut members = Map::new();
        let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
        let authorization = match self.store.access_token(&digest, now).await? {
            Some(record) => {
                put("token_type", "Bearer".into());
                put("scope", record.scopes.join(" ").into());
                put("iat", record.issued_at.into());
                put("exp", record.expires.into());
                put("aud", self.audience(&record.resources));
                if let Some(id) = record.jti {
                    put("jti", id.into());
                }
                record.authorization
            }
            // What a refresh token is worth concerns the client that has it.
            None => match self.store.refresh_token(&digest, now, self.table.refresh_token.grace.as_secs()).await? {
                Some(record) if record.authorization.client == asker => {
                    put("scope", record.authorization.scopes.join(" ").into());
                    put("iat", record.issued_at.into());
                    put("exp", record.idle_until.min(record.authorization.refresh_expires).into());
                    record.authorization
                }
                _ => return Ok(None),
            },
        };
        if authorization.issuer != self.table.issuer || !self.has_parties_of(&authorization).await? {
            return Ok(None);
        }
        put("active", true.into());
        put("iss", self.table.issuer.into());
        put("client_id", authorization.client.as_str().into());
        put("sub", authorization.user.as_deref().unwrap_or(&authorization.client).into());
        if let Some(user) = &authorization.user
            && let Some(user) = self.parties.user(user).await?
        {
            put("username", user.username.as_str().into());
        }
        Ok(Some(members))
    }
}
