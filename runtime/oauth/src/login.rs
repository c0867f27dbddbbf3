//! The login page, the check of name and password, and the end of a session.

use std::sync::Arc;

use minijinja::value::Value;

use crate::attempts::Attempt;
use crate::endpoint_request::EndpointRequest;
use crate::error;
use crate::pages::{FormTargets, Page};
use crate::server::Server;
use crate::session::is_path_here;
use gateway_base::digest::Digest;
use gateway_base::random::{self, NoRandom};
use gateway_parties::clients_and_users::User;
use gateway_parties::database::StoreError;
use gateway_parties::password::{Expected, Overloaded, PASSWORDS};
use gateway_parties::stored_password::StoredPassword;
use gateway_wire::answer::OwnAnswer;

/// A longer name or password is unknown.
const MAX_NAME: usize = 256;
const MAX_PASSWORD: usize = 1024;

/// Why a login fails.
pub(super) enum NoLogin {
    /// The name or the password is wrong.
    Wrong,
    /// There were too many attempts; seconds until the next.
    Later(u64),
    /// It cannot be checked at the moment.
    Unavailable,
}

impl From<StoreError> for NoLogin {
    fn from(problem: StoreError) -> Self {
        error::report(&problem);
        Self::Unavailable
    }
}

/// What the login page shows.
struct LoginPage<'a> {
    status: u16,
    problem: Option<&'a str>,
    username: &'a str,
    return_to: &'a str,
}

/// GET: the page.
pub(super) fn form(server: &Server, request: &EndpointRequest) -> OwnAnswer {
    let asked = request.form.as_ref().ok().and_then(|form| form.get("return")).filter(|path| is_path_here(path));
    let page = LoginPage { status: 200, problem: None, username: "", return_to: asked.unwrap_or_default() };
    show(server, request, &page)
}

fn show(server: &Server, request: &EndpointRequest, page: &LoginPage<'_>) -> OwnAnswer {
    let LoginPage { status, problem, username, return_to } = page;
    // A browser that has no cookie yet gets one without a user: its form is bound to it.
    let (cookie, is_new) = match &request.cookie {
        Some(cookie) => (cookie.clone(), false),
        None => match random::token() {
            Ok(cookie) => (cookie, true),
            Err(NoRandom) => return trouble(server, request),
        },
    };
    let problem = problem.map_or_else(String::new, |name| server.pages.text(&request.language, name));
    let answer = server.pages.answer(Page {
        template: "login.html",
        status: *status,
        language: &request.language,
        values: vec![
            ("action", Value::from(server.table.paths.login_submit)),
            ("csrf", Value::from(server.form_tag(&cookie))),
            ("return_to", Value::from(*return_to)),
            ("username", Value::from(*username)),
            ("problem", Value::from(problem)),
        ],
        // The login may lead on to any application that the user has allowed before.
        forms_lead_to: FormTargets::Anywhere,
    });
    let answer = if is_new { answer.with("Set-Cookie", &server.set_cookie(&cookie)) } else { answer };
    match server.set_return_cookie(return_to).filter(|_| !return_to.is_empty()) {
        Some(set) => answer.with("Set-Cookie", &set),
        None => answer,
    }
}

/// POST: name and password.
pub(super) async fn submit(server: &Server, request: EndpointRequest) -> OwnAnswer {
    let Ok(form) = &request.form else { return again(server, &request, "login_again", 400) };
    let asked = form.get("return").filter(|path| is_path_here(path));
    let remembered = request.return_to.as_deref();
    let return_to = asked.or(remembered).unwrap_or_default().to_owned();
    // Phones and password managers add blanks; no user name has any at its ends.
    let username = form.get("username").unwrap_or_default().trim().to_owned();
    let page =
        |status, problem| LoginPage { status, problem: Some(problem), username: &username, return_to: &return_to };
    // Without it, a page elsewhere could log its visitor in as another user. A neighbour of this host can plant a
    // cookie, and has the form that goes with it; so the browser's word counts as well.
    let is_ours = !request.is_from_elsewhere
        && request.cookie.as_deref().is_some_and(|cookie| server.has_form_tag(cookie, form.get("csrf")));
    let tag = form.get("csrf").unwrap_or_default();
    let home = if server.table.paths.account.is_empty() { "/" } else { server.table.paths.account };
    let to = if return_to.is_empty() { home } else { &return_to };
    if !is_ours {
        // The same form again, as a second click sends it: the session of the first one exists already.
        if let (Some(cookie), false) = (&request.cookie, request.is_from_elsewhere) {
            match server.was_begun_by(cookie, tag, &username, request.now).await {
                Ok(true) => return OwnAnswer::redirect(303, to).with("Set-Cookie", &server.unset_return_cookie()),
                Ok(false) => {}
                Err(problem) => {
                    error::report(&problem);
                    return trouble(server, &request);
                }
            }
        }
        return show(server, &request, &page(400, "login_again"));
    }
    let password = form.get("password").unwrap_or_default();
    let session = match server.log_in(&username, password, &request).await {
        Ok(user) => server.begin_session(&user, tag, request.now).await.map_err(NoLogin::from),
        Err(problem) => Err(problem),
    };
    match session {
        Ok(cookie) => {
            // The browser's previous session ends.
            if let Some(before) = &request.cookie
                && let Err(problem) = server.store.end_session(&Digest::of(before.as_bytes())).await
            {
                error::report(&problem);
            }
            OwnAnswer::redirect(303, to)
                .with("Set-Cookie", &server.set_cookie(&cookie))
                .with("Set-Cookie", &server.unset_return_cookie())
        }
        Err(NoLogin::Wrong) => show(server, &request, &page(401, "login_wrong")).with("WWW-Authenticate", "Session"),
        Err(NoLogin::Later(seconds)) => {
            show(server, &request, &page(429, "login_many")).with("Retry-After", &seconds.to_string())
        }
        Err(NoLogin::Unavailable) => trouble(server, &request),
    }
}

fn again(server: &Server, request: &EndpointRequest, problem: &'static str, status: u16) -> OwnAnswer {
    show(server, request, &LoginPage { status, problem: Some(problem), username: "", return_to: "" })
}

/// POST: ends the session.
pub(super) async fn logout(server: &Server, request: EndpointRequest) -> OwnAnswer {
    let cookie = request.cookie.as_deref().unwrap_or_default();
    let tag = request.form.as_ref().ok().and_then(|form| form.get("csrf"));
    if !server.has_form_tag(cookie, tag) {
        return server.page_error(&request.language, 403, "error_form", "");
    }
    match server.store.end_session(&Digest::of(cookie.as_bytes())).await {
        Ok(()) => OwnAnswer::redirect(303, "/").with("Set-Cookie", &server.unset_cookie()),
        Err(problem) => {
            error::report(&problem);
            trouble(server, &request)
        }
    }
}

fn trouble(server: &Server, request: &EndpointRequest) -> OwnAnswer {
    server.page_error(&request.language, 503, "error_busy", "").with("Retry-After", "5")
}

impl Server {
    /// The user with this name (or e-mail) and password.
    ///
    /// # Errors
    /// Why there is none; wrong names and wrong passwords look and take the same.
    pub(super) async fn log_in(
        &self,
        name: &str,
        password: &str,
        request: &EndpointRequest,
    ) -> Result<Arc<User>, NoLogin> {
        let name = name.trim();
        if name.is_empty() || name.len() > MAX_NAME || password.is_empty() || password.len() > MAX_PASSWORD {
            return Err(NoLogin::Wrong);
        }
        let account = name.to_lowercase();
        let attempt = Attempt { kind: "user", account: &account, address: request.address };
        match self.attempts.wait(attempt, request.now) {
            0 => {}
            seconds => return Err(NoLogin::Later(seconds)),
        }
        let user = self.parties.user_by_login(name).await?;
        let expected = match user.as_ref().map(|user| &user.password) {
            Some(StoredPassword::Argon2id(hash)) => Expected::Argon2id(hash),
            Some(StoredPassword::Digest(digest)) => Expected::Digest(digest),
            None => Expected::Nobody,
        };
        // The time does not reveal whether there is such a user.
        let stand_in = self.parties.costliest_password();
        let is_right = match PASSWORDS.recall(&expected, password.as_bytes(), stand_in.as_deref()) {
            Ok(()) => true,
            Err(unknown) => {
                let pending = self.attempts.begin(attempt, request.now).map_err(NoLogin::Later)?;
                let is_right = PASSWORDS.check(unknown).await.map_err(|Overloaded| NoLogin::Unavailable)?;
                if !is_right || user.is_none() {
                    // Before it stops to count as one that is under way.
                    self.attempts.fail(attempt, request.now);
                }
                drop(pending);
                is_right
            }
        };
        match user.filter(|_| is_right) {
            Some(user) => {
                self.attempts.succeed(attempt, request.now);
                Ok(user)
            }
            None => Err(NoLogin::Wrong),
        }
    }

    /// A page that says what went wrong. It never leads elsewhere.
    pub(super) fn page_error(&self, language: &str, status: u16, explanation: &str, detail: &str) -> OwnAnswer {
        self.pages.answer(Page {
            template: "error.html",
            status,
            language,
            values: vec![
                ("title", Value::from(self.pages.text(language, "error_title"))),
                ("explanation", Value::from(self.pages.text(language, explanation))),
                ("detail", Value::from(detail)),
            ],
            forms_lead_to: FormTargets::Here,
        })
    }
}
