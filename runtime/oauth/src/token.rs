//! The token endpoint (RFC 6749 §3.2): one function for each grant.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::client_auth::unknown;
use crate::endpoint_request::EndpointRequest;
use crate::error::{ErrorCode, OauthError};
use crate::form::Form;
use crate::login::NoLogin;
use crate::server::{Issued, Server, TokenRequest};
use crate::store::{Authorization, CodeRecord, Redeemed, Rotated};
use gateway_base::digest::Digest;
use gateway_parties::clients_and_users::{Client, User, grant_named};
use gateway_parties::server::Grant;
use gateway_wire::answer::OwnAnswer;

/// POST.
pub(super) async fn token(server: &Server, request: EndpointRequest) -> Result<OwnAnswer, OauthError> {
    let form = request.form.as_ref().map_err(|problem| OauthError::from(*problem))?;
    let name = form.get("grant_type").ok_or_else(|| ErrorCode::InvalidRequest.because("grant_type is missing"))?;
    let grant = grant_named(name).filter(|grant| *grant != Grant::Implicit && request.grants.contains(grant));
    let grant = grant
        .ok_or_else(|| ErrorCode::UnsupportedGrantType.because("The server does not offer this grant_type here"))?;
    if grant == Grant::JwtBearer {
        return answer(server.assertion_grant(&request, form).await?);
    }
    let client = server.client_of(&request, form).await?;
    if !client.may_use(grant) {
        return Err(not_for_client());
    }
    answer(match grant {
        Grant::AuthorizationCode => server.code_grant(&request, form, &client).await?,
        Grant::RefreshToken => server.refresh_grant(&request, form, &client).await?,
        Grant::ClientCredentials => server.client_grant(&request, form, &client).await?,
        Grant::Password => server.password_grant(&request, form, &client).await?,
        Grant::JwtBearer | Grant::Implicit => return Err(not_for_client()),
    })
}

fn not_for_client() -> OauthError {
    ErrorCode::UnauthorizedClient.because("The client may not use this grant_type")
}

fn missing(description: &'static str) -> OauthError {
    ErrorCode::InvalidRequest.because(description)
}

/// RFC 6749 §5.1.
fn answer(issued: Issued) -> Result<OwnAnswer, OauthError> {
    let mut members = Map::new();
    members.insert("access_token".to_owned(), issued.access.into());
    members.insert("token_type".to_owned(), "Bearer".into());
    members.insert("expires_in".to_owned(), issued.ttl.into());
    if let Some(refresh) = issued.refresh {
        members.insert("refresh_token".to_owned(), refresh.into());
    }
    members.insert("scope".to_owned(), issued.scopes.join(" ").into());
    Ok(OwnAnswer::json(200, &json!(members)).with("Pragma", "no-cache"))
}

impl Server {
    /// Whether refresh tokens go with a grant.
    fn gives_refresh(&self, client: &Client) -> bool {
        self.table.grants.contains(&Grant::RefreshToken) && client.may_use(Grant::RefreshToken)
    }

    /// RFC 6749 §4.1.3, with PKCE (RFC 7636 §4.6).
    async fn code_grant(&self, request: &EndpointRequest, form: &Form, client: &Client) -> Result<Issued, OauthError> {
        let code = form.get("code").ok_or_else(|| missing("code is missing"))?;
        // Whatever comes of it, the code is spent: there is no second try at the rest.
        let record = match self.store.redeem_code(&Digest::of(code.as_bytes()), request.now).await? {
            Redeemed::Code(record) => record,
            Redeemed::Spent { authorization } => {
                self.forget_authorization(&authorization, request.now);
                return Err(ErrorCode::InvalidGrant.because("The code was used before"));
            }
            Redeemed::Unknown => return Err(ErrorCode::InvalidGrant.because("The code is not known, or has expired")),
        };
        self.check_code(&record, form, client)?;
        let CodeRecord { authorization, .. } = *record;
        let resources = self.resources(form, Some(&authorization.resources))?;
        let user = self.user_of(&authorization).await?;
        let order = TokenRequest {
            client,
            user: Some(&user),
            scopes: self.scopes_left(client, &authorization.scopes)?,
            resources,
            authorization,
            is_new: false,
            with_refresh: self.gives_refresh(client),
            now: request.now,
        };
        self.issue(order).await
    }

    fn check_code(&self, record: &CodeRecord, form: &Form, client: &Client) -> Result<(), OauthError> {
        let refuse = |why: &'static str| Err(ErrorCode::InvalidGrant.because(why));
        if record.authorization.client != client.id || record.authorization.issuer != self.table.issuer {
            return refuse("The code was given to another client");
        }
        // RFC 6749 §4.1.3: where the request named one, this one must name the same.
        if record.redirect_uri.is_some() && record.redirect_uri.as_deref() != form.get("redirect_uri") {
            return refuse("redirect_uri is not that of the authorization request");
        }
        match (&record.challenge, form.get("code_verifier")) {
            (Some(challenge), Some(verifier)) => {
                let is_well_formed = (43..=128).contains(&verifier.len())
                    && verifier.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
                let found = URL_SAFE_NO_PAD.encode(Digest::of(verifier.as_bytes()).bytes());
                match is_well_formed && verify_slices_are_equal(found.as_bytes(), challenge.as_bytes()).is_ok() {
                    true => Ok(()),
                    false => refuse("code_verifier does not fit the code_challenge"),
                }
            }
            (Some(_), None) => refuse("code_verifier is missing"),
            // A downgrade: an attacker took the challenge out of the request (RFC 9700 §4.8.2).
            (None, Some(_)) => refuse("The authorization request had no code_challenge"),
            (None, None) if client.must_use_pkce(self.table.pkce) => {
                refuse("The authorization request had no code_challenge")
            }
            (None, None) => Ok(()),
        }
    }

    /// RFC 6749 §6, with rotation (RFC 9700 §4.14.2).
    async fn refresh_grant(
        &self,
        request: &EndpointRequest,
        form: &Form,
        client: &Client,
    ) -> Result<Issued, OauthError> {
        let refuse = |why: &'static str| ErrorCode::InvalidGrant.because(why);
        let token = form.get("refresh_token").ok_or_else(|| missing("refresh_token is missing"))?;
        let digest = Digest::of(token.as_bytes());
        // Looked at first: a token in the hands of another client is not spent by it.
        let grace = self.table.refresh_token.grace.as_secs();
        let seen = self.store.refresh_token(&digest, request.now, grace).await?;
        if let Some(seen) = &seen
            && (seen.authorization.client != client.id || seen.authorization.issuer != self.table.issuer)
        {
            return Err(refuse("The refresh token was given to another client"));
        }
        // What the client may ask for today, of what the user consented to; errors come before the token is spent.
        let narrowed = match &seen {
            Some(seen) => Some((
                self.narrowed(client, &seen.authorization.scopes, form.get("scope"))?,
                self.resources(form, Some(&seen.authorization.resources))?,
            )),
            None => None,
        };
        // Clients without a secret get a new one each time, whatever the document says (RFC 9700 §2.2.2).
        let rotates = self.table.refresh_token.rotate || client.public;
        let record = match self.store.rotate(&digest, request.now, rotates, grace).await? {
            Rotated::Good(record) => record,
            Rotated::Reused { authorization } => {
                self.forget_authorization(&authorization, request.now);
                return Err(refuse("The refresh token was used before"));
            }
            Rotated::Unknown => return Err(refuse("The refresh token is not known, or has expired")),
        };
        // It was invalid a moment ago, and is so now.
        let Some((scopes, resources)) = narrowed else {
            return Err(refuse("The refresh token is not known, or has expired"));
        };
        let authorization = record.authorization;
        if authorization.client != client.id || authorization.issuer != self.table.issuer {
            return Err(refuse("The refresh token was given to another client"));
        }
        let user = self.user_of(&authorization).await?;
        let order = TokenRequest {
            client,
            user: Some(&user),
            scopes,
            resources,
            authorization,
            is_new: false,
            with_refresh: rotates,
            now: request.now,
        };
        let issued = self.issue(order).await?;
        Ok(match rotates {
            true => issued,
            false => Issued { refresh: Some(token.to_owned()), ..issued },
        })
    }

    /// The scopes of an authorization, or those of them that are asked for (RFC 6749 §6).
    fn narrowed(&self, client: &Client, given: &[String], asked: Option<&str>) -> Result<Vec<String>, OauthError> {
        let Some(asked) = asked else { return self.scopes_left(client, given) };
        let scopes = self.scopes(client, Some(asked))?;
        match scopes.iter().all(|scope| given.contains(scope)) {
            true => Ok(scopes),
            false => Err(ErrorCode::InvalidScope.because("The refresh token is not for one of these scopes")),
        }
    }

    /// The scopes of an authorization that the client is still registered for.
    fn scopes_left(&self, client: &Client, given: &[String]) -> Result<Vec<String>, OauthError> {
        let left: Vec<String> = given.iter().filter(|scope| self.may_ask_for(client, scope)).cloned().collect();
        match left.is_empty() {
            true => Err(ErrorCode::InvalidGrant.because("The client is not registered for these scopes any more")),
            false => Ok(left),
        }
    }

    /// RFC 6749 §4.4.
    async fn client_grant(
        &self,
        request: &EndpointRequest,
        form: &Form,
        client: &Client,
    ) -> Result<Issued, OauthError> {
        if client.public {
            return Err(not_for_client());
        }
        let scopes = self.scopes(client, form.get("scope"))?;
        let subject = ["sub", "subject", "username"].into_iter().find_map(|name| form.get(name));
        let user = match subject {
            None => None,
            // A client that could name a user would be taken for that user (RFC 9700 §4.15).
            Some(_) if !self.table.client_acts_for_users => {
                return Err(ErrorCode::InvalidRequest.because("The grant client_credentials takes no subject"));
            }
            Some(subject) => Some(self.permitted(subject, client, &scopes).await?),
        };
        let terms = (scopes, self.resources(form, None)?);
        self.issue_directly(request, client, user.as_deref(), terms, Grant::ClientCredentials, false).await
    }

    /// RFC 6749 §4.3.
    async fn password_grant(
        &self,
        request: &EndpointRequest,
        form: &Form,
        client: &Client,
    ) -> Result<Issued, OauthError> {
        if client.public {
            return Err(not_for_client());
        }
        let name = form.get("username").ok_or_else(|| missing("username is missing"))?;
        let password = form.get("password").ok_or_else(|| missing("password is missing"))?;
        let user = self.log_in(name, password, request).await.map_err(|problem| match problem {
            NoLogin::Wrong => ErrorCode::InvalidGrant.because("The name or the password is wrong"),
            NoLogin::Later(_) => ErrorCode::SlowDown.because("Too many failed attempts"),
            NoLogin::Unavailable => {
                ErrorCode::TemporarilyUnavailable.because("Passwords cannot be checked at the moment")
            }
        })?;
        let terms = (self.scopes(client, form.get("scope"))?, self.resources(form, None)?);
        self.issue_directly(request, client, Some(&user), terms, Grant::Password, self.gives_refresh(client)).await
    }

    /// RFC 7523 §2.1: the assertion names and authenticates the client that signed it.
    async fn assertion_grant(&self, request: &EndpointRequest, form: &Form) -> Result<Issued, OauthError> {
        let assertion = form.get("assertion").ok_or_else(|| missing("assertion is missing"))?;
        let authenticates = ["client_secret", "client_assertion"].iter().any(|name| form.get(name).is_some())
            || !matches!(request.authorization, crate::endpoint_request::Credentials::None);
        let other = if authenticates { Some(self.client_of(request, form).await?) } else { None };
        let (client, claims) = self.asserted(request, assertion, false).await?;
        let named = other.as_ref().map(|other| &*other.id).or(form.get("client_id"));
        if named.is_some_and(|named| named != client.id) {
            return Err(unknown());
        }
        if client.public || !client.may_use(Grant::JwtBearer) {
            return Err(not_for_client());
        }
        // The seed's scripts put the scope into the assertion, and as a list.
        let claimed = match claims.get("scope") {
            None => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Array(list)) => {
                let words: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
                Some(
                    words
                        .ok_or_else(|| ErrorCode::InvalidScope.because("scope of the assertion is not text"))?
                        .join(" "),
                )
            }
            Some(_) => return Err(ErrorCode::InvalidScope.because("scope of the assertion is not text")),
        };
        let scopes = self.scopes(&client, form.get("scope").or(claimed.as_deref()))?;
        if let Some(claimed) = &claimed
            && !scopes.iter().all(|scope| claimed.split(' ').any(|known| known == scope))
        {
            return Err(ErrorCode::InvalidScope.because("The assertion is not for one of these scopes"));
        }
        let subject = match claims.get("sub") {
            None => None,
            Some(Value::String(subject)) if *subject == client.id => None,
            Some(Value::String(subject)) if !subject.is_empty() => Some(subject),
            Some(_) => return Err(ErrorCode::InvalidGrant.because("sub of the assertion is not a name")),
        };
        let user = match subject {
            None => None,
            Some(subject) if self.table.assertion_needs_permission => {
                Some(self.permitted(subject, &client, &scopes).await?)
            }
            Some(subject) => Some(self.user_called(subject).await?),
        };
        let terms = (scopes, self.resources(form, None)?);
        self.issue_directly(request, &client, user.as_deref(), terms, Grant::JwtBearer, false).await
    }

    async fn issue_directly(
        &self,
        request: &EndpointRequest,
        client: &Client,
        user: Option<&User>,
        (scopes, resources): (Vec<String>, Vec<String>),
        grant: Grant,
        with_refresh: bool,
    ) -> Result<Issued, OauthError> {
        let authorization = self.authorization(client, user, &scopes, grant, request.now)?;
        let authorization = Authorization { resources: resources.clone(), ..authorization };
        let now = request.now;
        self.issue(TokenRequest { client, user, authorization, is_new: true, scopes, resources, with_refresh, now })
            .await
    }

    /// The user of an authorization, who may have been removed since, or have another password.
    async fn user_of(&self, authorization: &Authorization) -> Result<Arc<User>, OauthError> {
        let user = match &authorization.user {
            Some(id) => self.parties.user_of_mark(id, authorization.password_mark.as_deref()).await?,
            None => None,
        };
        user.ok_or_else(|| ErrorCode::InvalidGrant.because("The user is not known any more, or has another password"))
    }

    async fn user_called(&self, name: &str) -> Result<Arc<User>, OauthError> {
        let user = match self.parties.user_by_login(name).await? {
            Some(user) => Some(user),
            None => self.parties.user(name).await?,
        };
        user.ok_or_else(no_permission)
    }

    /// A user who has allowed the client these scopes.
    async fn permitted(&self, name: &str, client: &Client, scopes: &[String]) -> Result<Arc<User>, OauthError> {
        let user = self.user_called(name).await?;
        let given = self.parties.permission(&client.id, &user.id).unwrap_or_default();
        let allowed = self.store.consent(self.table.issuer, &user.id, &client.id).await?.unwrap_or_default();
        match scopes.iter().all(|scope| given.contains(scope) || allowed.contains(scope)) {
            true => Ok(user),
            false => Err(no_permission()),
        }
    }
}

/// The same for users who do not exist: a client cannot ask for names.
fn no_permission() -> OauthError {
    ErrorCode::InvalidGrant.because("The subject is not known, or has not allowed the client this")
}
