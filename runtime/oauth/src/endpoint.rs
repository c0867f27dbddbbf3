//! The endpoints as operations: what each takes from a request, and who does it.

use std::sync::Arc;

use crate::endpoint_request::{Credentials, EndpointRequest};
use crate::engine;
use crate::error::OauthError;
use crate::form::{BadForm, Form, MAX_FORM};
use crate::server::Oauth;
use crate::server::Server;
use crate::session::{is_from_elsewhere, session_cookie};
use crate::tables::{Endpoint, OauthEndpoint};
use crate::{account, authorize, login, metadata, revoke, token};
use gateway_access::builtin::{Answer, Builtin, Call, PreparedBuiltin};
use gateway_access::request_view::{CredentialLocation, Found, RequestView};
use gateway_access::scheme::Resources;
use gateway_parties::authority::Authority;
use gateway_parties::server::Grant;
use gateway_wire::answer::OwnAnswer;

impl Builtin for OauthEndpoint {
    fn name(&self) -> &'static str {
        match self.endpoint {
            Endpoint::Authorize => "oauth.authorize",
            Endpoint::Decision => "oauth.decision",
            Endpoint::Token => "oauth.token",
            Endpoint::Revoke => "oauth.revoke",
            Endpoint::Introspect => "oauth.introspect",
            Endpoint::Metadata => "oauth.metadata",
            Endpoint::Jwks => "oauth.jwks",
            Endpoint::Me => "oauth.me",
            Endpoint::LoginForm => "login.form",
            Endpoint::LoginSubmit => "login.submit",
            Endpoint::Logout => "logout",
            Endpoint::Account => "account",
        }
    }

    fn prepare(&self, resources: &Resources) -> Result<Box<dyn PreparedBuiltin>, Vec<String>> {
        let server = Oauth::of(resources)?.server(self.server, resources)?;
        Ok(Box::new(EndpointHandler { server, endpoint: self.endpoint, grants: self.grants }))
    }

    fn authority(&self) -> Option<Authority> {
        Some(engine::authority(self.server))
    }
}

/// Answers the requests of one operation.
#[derive(Debug)]
struct EndpointHandler {
    server: Arc<Server>,
    endpoint: Endpoint,
    grants: &'static [Grant],
}

impl PreparedBuiltin for EndpointHandler {
    fn answer(&self, call: &Call<'_>) -> Answer {
        let view = call.view;
        match self.endpoint {
            Endpoint::Metadata => return metadata::metadata(&self.server).into(),
            Endpoint::Jwks => return metadata::jwks(&self.server).into(),
            _ => {}
        }
        let is_post = view.method == "POST";
        if is_post && view.body.is_none() {
            return Answer::Body { limit: MAX_FORM };
        }
        let request = EndpointRequest {
            is_post,
            target: view.target.to_owned(),
            form: self.form(view, is_post),
            authorization: match CredentialLocation::Header("authorization").find(view) {
                Found::Nothing => Credentials::None,
                Found::One(value) => Credentials::One(value.into_owned()),
                Found::Ambiguous => Credentials::Unusable,
            },
            cookie: session_cookie(view, self.server.table),
            return_to: self.server.remembered_return(view),
            language: self.server.pages.language(view).to_owned(),
            address: call.address,
            is_from_elsewhere: is_from_elsewhere(view, self.server.table),
            caller: call.caller.cloned(),
            grants: self.grants,
            now: call.now.unix_seconds,
        };
        let (server, endpoint) = (Arc::clone(&self.server), self.endpoint);
        Answer::Work(Box::pin(async move { server.handle(endpoint, request).await }))
    }
}

impl EndpointHandler {
    fn form(&self, view: &RequestView<'_>, is_post: bool) -> Result<Form, BadForm> {
        let known = parameters(self.endpoint);
        let form = match is_post {
            true => Form::of_body(view, known)?,
            false => Form::parse(view.query.unwrap_or_default().as_bytes(), known),
        };
        match self.endpoint {
            // Whether the user or the client gets an error there depends on the parameters without one.
            Endpoint::Authorize => Ok(form),
            _ => form.without_problems(),
        }
    }
}

/// The parameters that an endpoint knows; it ignores all others (RFC 6749 §3.1, §3.2).
fn parameters(endpoint: Endpoint) -> &'static [&'static str] {
    match endpoint {
        Endpoint::Authorize => &[
            "client_id",
            "redirect_uri",
            "response_type",
            "response_mode",
            "scope",
            "state",
            "code_challenge",
            "code_challenge_method",
            "request",
            "request_uri",
            "resource",
        ],
        Endpoint::Decision => &["transaction_id", "csrf", "allow", "cancel"],
        Endpoint::Token => &[
            "grant_type",
            "client_id",
            "client_secret",
            "client_assertion",
            "client_assertion_type",
            "code",
            "redirect_uri",
            "code_verifier",
            "refresh_token",
            "scope",
            "resource",
            "username",
            "password",
            "assertion",
            "sub",
            "subject",
        ],
        Endpoint::Revoke | Endpoint::Introspect => {
            &["token", "token_type_hint", "client_id", "client_secret", "client_assertion", "client_assertion_type"]
        }
        Endpoint::LoginForm => &["return"],
        Endpoint::LoginSubmit => &["return", "username", "password", "csrf"],
        Endpoint::Logout => &["csrf"],
        Endpoint::Account => &["client_id", "csrf", "withdrawn"],
        Endpoint::Metadata | Endpoint::Jwks | Endpoint::Me => &[],
    }
}

impl Server {
    pub(crate) async fn handle(&self, endpoint: Endpoint, request: EndpointRequest) -> OwnAnswer {
        let protocol = |result: Result<OwnAnswer, OauthError>| result.unwrap_or_else(|error| error.answer());
        match endpoint {
            Endpoint::Authorize => authorize::authorize(self, request).await,
            Endpoint::Decision => authorize::decide(self, request).await,
            Endpoint::Token => protocol(token::token(self, request).await),
            Endpoint::Revoke => protocol(revoke::revoke(self, request).await),
            Endpoint::Introspect => protocol(revoke::introspect(self, request).await),
            Endpoint::Metadata => metadata::metadata(self),
            Endpoint::Jwks => metadata::jwks(self),
            Endpoint::Me => protocol(metadata::me(self, request).await),
            Endpoint::LoginForm => login::form(self, &request),
            Endpoint::LoginSubmit => login::submit(self, request).await,
            Endpoint::Logout => login::logout(self, request).await,
            Endpoint::Account => account::account(self, request).await,
        }
    }
}
