//! The authorization endpoint (RFC 6749 §3.1) and the decision that its page asks for.

use std::sync::Arc;

use minijinja::value::Value;
use serde::{Deserialize, Serialize};

use crate::endpoint_request::EndpointRequest;
use crate::error::{self, ErrorCode, OauthError};
use crate::form::Form;
use crate::pages::{FormTargets, Page};
use crate::redirect::{self, is_same_redirect};
use crate::server::{Issued, Server, TokenRequest};
use crate::store::{Authorization, CodeRecord, Decided, Decision, GivenConsent, NewCode};
use gateway_base::digest::Digest;
use gateway_base::encoding::form_encode;
use gateway_base::random;
use gateway_parties::clients_and_users::{Client, ResponseType, User};
use gateway_parties::database::StoreError;
use gateway_parties::server::Grant;
use gateway_wire::answer::OwnAnswer;

/// How long a person may think about the decision, in seconds.
const DECISION_TIME: u64 = 600;

/// A longer `state` is refused: it would come back in a URL.
const MAX_STATE: usize = 2048;

/// What an application asks for, once it is known who it is and where the answer goes.
#[derive(Debug, Serialize, Deserialize)]
struct AuthorizationRequest {
    client: String,
    /// What was registered of it then ([`Client::mark`]).
    #[serde(default)]
    client_mark: String,
    /// As in the request, for the comparison at the token endpoint.
    redirect_uri: Option<String>,
    /// Where the answer goes.
    to: String,
    response_type: ResponseType,
    scopes: Vec<String>,
    /// RFC 8707.
    #[serde(default)]
    resources: Vec<String>,
    state: Option<String>,
    /// S256 (RFC 7636 §4.2).
    challenge: Option<String>,
}

/// What a request asks for: a kind of answer, scopes, resources, and with which challenge.
type Rest = (ResponseType, Vec<String>, Vec<String>, Option<String>);

/// Why a request is refused.
enum Refused {
    /// With a page: no browser is sent to a URI that is not known to be the client's (RFC 9700 §4.11).
    Page { status: u16, detail: String },
    /// At the client's redirect URI.
    Client { to: String, in_fragment: bool, state: Option<String>, error: OauthError },
}

/// GET or POST: shows the dialog, or answers at once where the user has decided before.
pub(super) async fn authorize(server: &Server, request: EndpointRequest) -> OwnAnswer {
    let (client, asked) = match server.read_request(&request).await {
        Ok(request) => request,
        Err(refused) => return server.refuse(&request, refused),
    };
    let session = match &request.cookie {
        Some(cookie) => server.session(&Digest::of(cookie.as_bytes()), request.now).await,
        None => Ok(None),
    };
    let user = match session {
        Ok(Some(session)) => server.parties.user(&session.user).await,
        Ok(None) => Ok(None),
        Err(problem) => Err(problem),
    };
    let user = match user {
        Ok(Some(user)) => user,
        // The request is found again after the login, also where it came in a body.
        Ok(None) => {
            let back = match request.is_post {
                false => request.target,
                true => asked.target(server),
            };
            let login = format!("{}?return={}", server.table.paths.login, form_encode(back.as_bytes()));
            return OwnAnswer::redirect(302, &login);
        }
        Err(problem) => return server.give_up(&request, &asked, &problem.into()),
    };
    match server.is_allowed(&client, &user, &asked).await {
        Ok(true) => server.give(&request, &client, &user, &asked, 302).await,
        Ok(false) => server.show_dialog(&request, &client, &user, &asked).await,
        Err(problem) => server.give_up(&request, &asked, &problem),
    }
}

/// POST: what the user has decided.
pub(super) async fn decide(server: &Server, request: EndpointRequest) -> OwnAnswer {
    let page = |status, explanation| server.page_error(&request.language, status, explanation, "");
    let Ok(form) = &request.form else { return page(400, "error_form") };
    let (Some(cookie), Some(user)) = (&request.cookie, request.caller.as_ref().and_then(|caller| caller.user.clone()))
    else {
        return page(403, "error_form");
    };
    let Some(transaction) = form.get("transaction_id") else { return page(400, "error_form") };
    if !server.has_form_tag(cookie, form.get("csrf")) {
        return page(403, "error_form");
    }
    let (id, session) = (Digest::of(transaction.as_bytes()), Digest::of(cookie.as_bytes()));
    let busy = |problem: StoreError| {
        error::report(&problem);
        page(503, "error_busy")
    };
    let asked = match server.store.transaction(&id, &session, request.now).await {
        Ok(asked) => asked.and_then(|json| serde_json::from_str::<AuthorizationRequest>(&json).ok()),
        Err(problem) => return busy(problem),
    };
    let Some(asked) = asked else { return page(403, "error_form") };
    // Between the dialog and the decision both may have gone.
    let (client, user) = match (server.parties.client(&asked.client).await, server.parties.user(&user).await) {
        (Ok(Some(client)), Ok(Some(user))) => (client, user),
        (Err(problem), _) | (_, Err(problem)) => return server.give_up(&request, &asked, &problem.into()),
        _ => return page(403, "error_form"),
    };
    // The client has changed since the page was shown, and the redirect URI may no longer be the client's.
    if asked.client_mark != client.mark() {
        return OwnAnswer::redirect(303, &asked.target(server));
    }
    if form.get("cancel").is_some() {
        return match server.store.decide(&id, &session, Decision::Deny, None, request.now).await {
            Ok(Decided::First | Decided::Again) => {
                let denied = ErrorCode::AccessDenied.because("The user has denied the request");
                server.give_up(&request, &asked, &denied)
            }
            Ok(Decided::Unknown) => page(403, "error_form"),
            Err(problem) => busy(problem),
        };
    }
    let consent =
        GivenConsent { issuer: server.table.issuer, user: &user.id, client: &client.id, scopes: &asked.scopes };
    let consent = server.table.remember_consent.then_some(consent);
    match server.store.decide(&id, &session, Decision::Allow, consent, request.now).await {
        Ok(Decided::First) => {}
        // A second click, while the browser waits for the application: it ended the navigation that had the first answer,
        // so it gets one of its own. What the user has withdrawn meanwhile is asked for again.
        Ok(Decided::Again) => match server.has_consent(&client, &user, &asked).await {
            Ok(true) => {}
            Ok(false) if server.table.remember_consent => {
                return OwnAnswer::redirect(303, &asked.target(server));
            }
            Ok(false) => {}
            Err(problem) => return server.give_up(&request, &asked, &problem),
        },
        Ok(Decided::Unknown) => return page(403, "error_form"),
        Err(problem) => return server.give_up(&request, &asked, &problem.into()),
    }
    server.give(&request, &client, &user, &asked, 303).await
}

impl Server {
    /// Reads a request: first what says who asks and where the answer goes, then the rest.
    async fn read_request(&self, request: &EndpointRequest) -> Result<(Arc<Client>, AuthorizationRequest), Refused> {
        let page = |detail: &str| Refused::Page { status: 400, detail: detail.to_owned() };
        let form = request.form.as_ref().map_err(|problem| page(problem.0))?;
        // RFC 6749 §4.1.2.1: only errors of these two are shown to the user and not sent to the client.
        for name in ["client_id", "redirect_uri"] {
            if form.problem_of(name).is_some() {
                return Err(page(match name {
                    "client_id" => "client_id stands twice, or cannot be read",
                    _ => "redirect_uri stands twice, or cannot be read",
                }));
            }
        }
        let id = form.get("client_id").ok_or_else(|| page("client_id is missing"))?;
        let client = self.parties.client(id).await.map_err(|problem| {
            error::report(&problem);
            Refused::Page { status: 503, detail: String::new() }
        })?;
        let client = client.ok_or_else(|| page("client_id is not known"))?;
        let redirect_uri = form.get("redirect_uri").map(str::to_owned);
        let to = match (&redirect_uri, &*client.redirect_uris) {
            (Some(uri), registered) if registered.iter().any(|known| is_same_redirect(known, uri)) => uri.clone(),
            (Some(_), _) => return Err(page("redirect_uri is not registered for this client")),
            // RFC 6749 §3.1.2.3: it may be left out where only one is registered.
            (None, [only]) => only.to_string(),
            (None, _) => return Err(page("redirect_uri is missing")),
        };
        let state = form.get("state").map(str::to_owned);
        let in_fragment = form.get("response_type") == Some("token");
        let known_state = state.clone().filter(|state| state.len() <= MAX_STATE);
        self.read_rest(request, form, &client)
            .map_err(|error| Refused::Client { to: to.clone(), in_fragment, state: known_state, error })
            .map(|(response_type, scopes, resources, challenge)| {
                let asked = AuthorizationRequest {
                    client: client.id.to_string(),
                    client_mark: client.mark(),
                    redirect_uri,
                    to: to.clone(),
                    response_type,
                    scopes,
                    resources,
                    state,
                    challenge,
                };
                (client, asked)
            })
    }

    fn read_rest(&self, request: &EndpointRequest, form: &Form, client: &Client) -> Result<Rest, OauthError> {
        if let Some(problem) = form.problem() {
            return Err(problem.into());
        }
        let (response_type, grant, mode) = match form.get("response_type") {
            Some("code") => (ResponseType::Code, Grant::AuthorizationCode, "query"),
            Some("token") => (ResponseType::Token, Grant::Implicit, "fragment"),
            Some(_) => return Err(ErrorCode::UnsupportedResponseType.because("response_type is code or token")),
            None => return Err(ErrorCode::InvalidRequest.because("response_type is missing")),
        };
        if !request.grants.contains(&grant) {
            return Err(ErrorCode::UnsupportedResponseType.because("The server does not offer this response_type"));
        }
        if !client.may_use(grant) || !client.response_types.contains(&response_type) {
            return Err(ErrorCode::UnauthorizedClient.because("The client may not use this response_type"));
        }
        if form.get("response_mode").is_some_and(|asked| asked != mode) {
            return Err(ErrorCode::InvalidRequest.because("response_mode is not supported"));
        }
        if form.get("request").is_some() || form.get("request_uri").is_some() {
            return Err(ErrorCode::InvalidRequest.because("Request objects are not supported"));
        }
        if form.get("state").is_some_and(|state| state.len() > MAX_STATE) {
            return Err(ErrorCode::InvalidRequest.because("state is too long"));
        }
        let scopes = self.scopes(client, form.get("scope"))?;
        let resources = self.resources(form, None)?;
        let challenge = match response_type {
            ResponseType::Code => self.challenge(form, client)?,
            ResponseType::Token => None,
        };
        Ok((response_type, scopes, resources, challenge))
    }

    /// The code challenge (RFC 7636 §4.3).
    fn challenge(&self, form: &Form, client: &Client) -> Result<Option<String>, OauthError> {
        let is_needed = client.must_use_pkce(self.table.pkce);
        let Some(challenge) = form.get("code_challenge") else {
            if form.get("code_challenge_method").is_some() || is_needed {
                return Err(ErrorCode::InvalidRequest.because("code_challenge is missing"));
            }
            return Ok(None);
        };
        if form.get("code_challenge_method") != Some("S256") {
            return Err(ErrorCode::InvalidRequest.because("code_challenge_method is not S256"));
        }
        if challenge.len() != 43 || !challenge.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        {
            return Err(
                ErrorCode::InvalidRequest.because("code_challenge is not the base64url form of a SHA-256 digest")
            );
        }
        Ok(Some(challenge.to_owned()))
    }

    fn refuse(&self, request: &EndpointRequest, refused: Refused) -> OwnAnswer {
        match refused {
            Refused::Page { status: 503, .. } => self.page_error(&request.language, 503, "error_busy", ""),
            Refused::Page { status, detail } => self.page_error(&request.language, status, "error_client", &detail),
            Refused::Client { to, in_fragment, state, error } => {
                self.send_back(request, &to, in_fragment, &error_parameters(&error), state.as_deref(), 302)
            }
        }
    }

    /// Sends the error to the application.
    fn give_up(&self, request: &EndpointRequest, asked: &AuthorizationRequest, error: &OauthError) -> OwnAnswer {
        let in_fragment = asked.response_type == ResponseType::Token;
        let status = if request.is_post { 303 } else { 302 };
        self.send_back(request, &asked.to, in_fragment, &error_parameters(error), asked.state.as_deref(), status)
    }

    /// Sends the browser to the application. The status makes a GET of a POST, so that what the user has typed stays here
    /// (RFC 9700 §4.12).
    fn send_back(
        &self,
        request: &EndpointRequest,
        to: &str,
        in_fragment: bool,
        parameters: &[(&str, &str)],
        state: Option<&str>,
        status: u16,
    ) -> OwnAnswer {
        // RFC 9207: which server answers, against mix-up.
        let more = state.map(|state| ("state", state)).into_iter().chain([("iss", self.table.issuer)]);
        let parameters = parameters.iter().copied().chain(more);
        match redirect::with_parameters(to, in_fragment, parameters) {
            Some(location) => OwnAnswer::redirect(status, &location).with("Referrer-Policy", "no-referrer"),
            None => self.page_error(&request.language, 400, "error_client", ""),
        }
    }

    /// Whether the user has allowed the client all of this before.
    async fn is_allowed(&self, client: &Client, user: &User, asked: &AuthorizationRequest) -> Result<bool, OauthError> {
        // Any program on the user's device can claim to be this client, so nothing is given unasked (RFC 8252 §8.6).
        if client.public && !asked.to.starts_with("https://") {
            return Ok(false);
        }
        self.has_consent(client, user, asked).await
    }

    /// Whether all of this is in the file of permissions, or is remembered.
    async fn has_consent(
        &self,
        client: &Client,
        user: &User,
        asked: &AuthorizationRequest,
    ) -> Result<bool, OauthError> {
        let permitted = self.parties.permission(&client.id, &user.id).unwrap_or_default();
        let remembered = match self.table.remember_consent {
            true => self.store.consent(self.table.issuer, &user.id, &client.id).await?.unwrap_or_default(),
            false => Vec::new(),
        };
        let has = |scope: &String| {
            permitted.iter().any(|known| **known == **scope) || remembered.iter().any(|known| known == scope)
        };
        Ok(asked.scopes.iter().all(has))
    }

    async fn show_dialog(
        &self,
        request: &EndpointRequest,
        client: &Client,
        user: &User,
        asked: &AuthorizationRequest,
    ) -> OwnAnswer {
        let busy = || self.page_error(&request.language, 503, "error_busy", "");
        let Some(cookie) = &request.cookie else { return busy() };
        let (Ok(transaction), Ok(payload)) = (random::token(), serde_json::to_string(asked)) else { return busy() };
        let (id, session) = (Digest::of(transaction.as_bytes()), Digest::of(cookie.as_bytes()));
        if let Err(problem) = self.store.add_transaction(&id, &session, &payload, request.now + DECISION_TIME).await {
            error::report(&problem);
            return busy();
        }
        let scopes = asked.scopes.iter().map(|scope| self.show_scope(scope));
        self.pages.answer(Page {
            template: "consent.html",
            status: 200,
            language: &request.language,
            values: vec![
                ("action", Value::from(self.table.paths.decision)),
                ("csrf", Value::from(self.form_tag(cookie))),
                ("transaction", Value::from(transaction)),
                ("client", Value::from(client.title(&request.language))),
                ("user", Value::from(&*user.username)),
                ("email", Value::from(user.email.as_deref().unwrap_or_default())),
                ("scopes", Value::from_iter(scopes)),
                ("redirect_host", Value::from(redirect::host(&asked.to))),
                ("redirect_uri", Value::from(asked.to.as_str())),
                ("is_public", Value::from(client.public && !asked.to.starts_with("https://"))),
            ],
            // Browsers hold every hop after a form against such a list, also those that the application decides on.
            forms_lead_to: FormTargets::Anywhere,
        })
    }

    /// Gives the application what the user has allowed.
    async fn give(
        &self,
        request: &EndpointRequest,
        client: &Client,
        user: &User,
        asked: &AuthorizationRequest,
        status: u16,
    ) -> OwnAnswer {
        let given = match asked.response_type {
            ResponseType::Code => self.give_code(request, client, user, asked, status).await,
            ResponseType::Token => self.give_token(request, client, user, asked, status).await,
        };
        given.unwrap_or_else(|error| self.give_up(request, asked, &error))
    }

    /// What a client may do for a user as it has asked.
    fn asked_authorization(
        &self,
        request: &EndpointRequest,
        client: &Client,
        user: &User,
        asked: &AuthorizationRequest,
        grant: Grant,
    ) -> Result<Authorization, OauthError> {
        let authorization = self.authorization(client, Some(user), &asked.scopes, grant, request.now)?;
        Ok(Authorization { resources: asked.resources.clone(), ..authorization })
    }

    async fn give_code(
        &self,
        request: &EndpointRequest,
        client: &Client,
        user: &User,
        asked: &AuthorizationRequest,
        status: u16,
    ) -> Result<OwnAnswer, OauthError> {
        let code = random::token()?;
        let ttl = client.code_ttl.unwrap_or(self.table.code_ttl).as_secs();
        let record = CodeRecord {
            authorization: self.asked_authorization(request, client, user, asked, Grant::AuthorizationCode)?,
            redirect_uri: asked.redirect_uri.clone(),
            challenge: asked.challenge.clone(),
            issued_at: request.now,
            expires: request.now.saturating_add(ttl),
        };
        self.store.add_code(&NewCode { code: Digest::of(code.as_bytes()), record }).await?;
        Ok(self.send_back(request, &asked.to, false, &[("code", &code)], asked.state.as_deref(), status))
    }

    async fn give_token(
        &self,
        request: &EndpointRequest,
        client: &Client,
        user: &User,
        asked: &AuthorizationRequest,
        status: u16,
    ) -> Result<OwnAnswer, OauthError> {
        let authorization = self.asked_authorization(request, client, user, asked, Grant::Implicit)?;
        let order = TokenRequest {
            client,
            user: Some(user),
            authorization,
            is_new: true,
            scopes: asked.scopes.clone(),
            resources: asked.resources.clone(),
            with_refresh: false,
            now: request.now,
        };
        let Issued { access, ttl, scopes, .. } = self.issue(order).await?;
        let (ttl, scope) = (ttl.to_string(), scopes.join(" "));
        let parameters =
            [("access_token", &*access), ("token_type", "Bearer"), ("expires_in", &*ttl), ("scope", &*scope)];
        Ok(self.send_back(request, &asked.to, true, &parameters, asked.state.as_deref(), status))
    }
}

impl AuthorizationRequest {
    /// Where the same is asked for again.
    fn target(&self, server: &Server) -> String {
        format!("{}?{}", server.table.paths.authorize, self.query())
    }

    /// The request as a query.
    fn query(&self) -> String {
        let response_type = if self.response_type == ResponseType::Code { "code" } else { "token" };
        let scope = self.scopes.join(" ");
        let pairs = [
            ("response_type", Some(response_type)),
            ("client_id", Some(&*self.client)),
            ("redirect_uri", self.redirect_uri.as_deref()),
            ("scope", Some(&*scope)),
            ("state", self.state.as_deref()),
            ("code_challenge", self.challenge.as_deref()),
            ("code_challenge_method", self.challenge.as_ref().map(|_| "S256")),
        ];
        let resources = self.resources.iter().map(|resource| ("resource", Some(resource.as_str())));
        let pairs = pairs.into_iter().chain(resources);
        let pairs = pairs.filter_map(|(name, value)| Some(format!("{name}={}", form_encode(value?.as_bytes()))));
        pairs.collect::<Vec<_>>().join("&")
    }
}

fn error_parameters(error: &OauthError) -> [(&str, &str); 2] {
    [("error", error.code.name()), ("error_description", &error.description)]
}
