//! Client authentication (RFC 6749 §2.3, RFC 7523 §2.2).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::attempts::Attempt;
use crate::endpoint_request::{Credentials, EndpointRequest};
use crate::error::{ErrorCode, OauthError};
use crate::form::Form;
use crate::server::Server;
use gateway_base::encoding::form_decode;
use gateway_parties::clients_and_users::{AuthMethod, Client};

/// The only kind of assertion that authenticates a client (RFC 7523 §2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How a request says which client sends it.
enum Claim {
    /// A secret, in a header field or in the body.
    Secret { id: String, secret: String, method: AuthMethod },
    /// A JWT, and the id beside it.
    Assertion { jwt: String, id: Option<String> },
    /// A public client's id.
    Name(String),
}

impl Server {
    /// The client that sends a request.
    ///
    /// # Errors
    /// It does not say who it is, or does not prove it.
    pub(super) async fn client_of(&self, request: &EndpointRequest, form: &Form) -> Result<Arc<Client>, OauthError> {
        match claim(request, form)? {
            Claim::Secret { id, secret, method } => self.with_secret(request, &id, &secret, method).await,
            Claim::Assertion { jwt, id } => {
                let (client, _) = self.asserted(request, &jwt, true).await?;
                match id.is_none_or(|id| id == client.id) {
                    true => Ok(client),
                    false => Err(unknown()),
                }
            }
            Claim::Name(id) => {
                let client = self.parties.client(&id).await?;
                client
                    .filter(|client| client.public && client.auth_methods.contains(&AuthMethod::None))
                    .ok_or_else(unknown)
            }
        }
    }

    /// As [`Server::client_of`], for clients that can keep a secret.
    pub(super) async fn confidential_client_of(
        &self,
        request: &EndpointRequest,
        form: &Form,
    ) -> Result<Arc<Client>, OauthError> {
        let client = self.client_of(request, form).await?;
        if client.public { Err(unknown()) } else { Ok(client) }
    }

    async fn with_secret(
        &self,
        request: &EndpointRequest,
        id: &str,
        presented: &str,
        method: AuthMethod,
    ) -> Result<Arc<Client>, OauthError> {
        let attempt = Attempt { kind: "client", account: id, address: request.address };
        let client = self.parties.client(id).await?;
        // No await from here to the verdict, so no other attempt comes between.
        if self.attempts.wait(attempt, request.now) > 0 {
            return Err(ErrorCode::SlowDown.because("Too many failed attempts"));
        }
        let is_right = client.as_ref().is_some_and(|client| {
            let secret = client.secret.as_ref().is_some_and(|secret| secret.is(presented.as_bytes()));
            secret && client.auth_methods.contains(&method)
        });
        match client.filter(|_| is_right) {
            Some(client) => {
                self.attempts.succeed(attempt, request.now);
                Ok(client)
            }
            None => {
                self.attempts.fail(attempt, request.now);
                Err(unknown())
            }
        }
    }
}

/// One answer for whatever is wrong: who guesses learns nothing.
pub(super) fn unknown() -> OauthError {
    ErrorCode::InvalidClient.because("Client authentication failed")
}

fn claim(request: &EndpointRequest, form: &Form) -> Result<Claim, OauthError> {
    let twice = || ErrorCode::InvalidRequest.because("The client authenticates in more than one way");
    let (id, secret) = (form.get("client_id"), form.get("client_secret"));
    let assertion = form.get("client_assertion");
    let basic = match &request.authorization {
        Credentials::None => None,
        Credentials::One(value) => Some(basic(value).ok_or_else(unknown)?),
        Credentials::Unusable => return Err(unknown()),
    };
    match (basic, secret, assertion) {
        (Some((basic_id, secret)), None, None) if id.is_none_or(|id| id == basic_id) => {
            Ok(Claim::Secret { id: basic_id, secret, method: AuthMethod::ClientSecretBasic })
        }
        (None, Some(secret), None) => match id {
            Some(id) => {
                Ok(Claim::Secret { id: id.to_owned(), secret: secret.to_owned(), method: AuthMethod::ClientSecretPost })
            }
            None => Err(unknown()),
        },
        (None, None, Some(jwt)) => match form.get("client_assertion_type") {
            Some(JWT_BEARER) => Ok(Claim::Assertion { jwt: jwt.to_owned(), id: id.map(str::to_owned) }),
            _ => Err(ErrorCode::InvalidClient.because("client_assertion_type is not that of a JWT (RFC 7523 §2.2)")),
        },
        (None, None, None) => id.map(|id| Claim::Name(id.to_owned())).ok_or_else(unknown),
        _ => Err(twice()),
    }
}

/// Id and secret of `Basic` credentials: each in the form encoding (RFC 6749 §2.3.1).
fn basic(value: &str) -> Option<(String, String)> {
    let (scheme, rest) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((form_decode(id)?.into_owned(), form_decode(secret)?.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::basic;

    #[test]
    fn basic_credentials_are_form_encoded() {
        let pair = |id: &str, secret: &str| Some((id.to_owned(), secret.to_owned()));
        assert_eq!(basic("Basic MTIzOnNlY3JldA=="), pair("123", "secret"));
        assert_eq!(basic("basic YSUzQWI6YyUyQmQ="), pair("a:b", "c+d"));
        assert_eq!(basic("Bearer MTIzOnNlY3JldA=="), None);
        assert_eq!(basic("Basic MTIz"), None);
        assert_eq!(basic("Basic !"), None);
    }
}
