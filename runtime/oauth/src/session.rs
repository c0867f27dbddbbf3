//! Sessions of users who have logged in, and the cookie that carries them.

use std::sync::Arc;

use crate::engine;
use crate::server::{self, Oauth, Server};
use crate::store::{NewSession, SessionRecord};
use crate::tables::LoginSession;
use gateway_access::caller::{Caller, Denial, Question, Refusal, RequestContext};
use gateway_access::request_view::{CredentialLocation, Found, RequestView, cookies};
use gateway_access::scheme::{Authenticator, Resources, Scheme};
use gateway_base::digest::Digest;
use gateway_base::random;
use gateway_parties::authority::Authority;
use gateway_parties::clients_and_users::User;
use gateway_parties::database::StoreError;
use gateway_parties::server::AuthorizationServer;

/// The gateway's cookies have 43 characters; any other value was not made here.
const COOKIE_LENGTH: usize = 43;

impl Scheme for LoginSession {
    fn name(&self) -> &'static str {
        self.name
    }

    fn prepare(&self, resources: &Resources) -> Result<Box<dyn Authenticator>, Vec<String>> {
        let server = Oauth::of(resources)?.server(self.server, resources)?;
        let locations: &'static [CredentialLocation] = Box::leak(Box::new([CredentialLocation::Cookie(self.cookie)]));
        Ok(Box::new(Doorman { redirects: self.redirects, realm: self.realm, server, locations }))
    }

    fn authority(&self) -> Option<Authority> {
        Some(engine::authority(self.server))
    }

    fn session_cookie(&self) -> Option<&'static str> {
        Some(self.cookie)
    }
}

/// Authenticates users by their session cookie.
#[derive(Debug)]
struct Doorman {
    redirects: bool,
    realm: &'static str,
    server: Arc<Server>,
    locations: &'static [CredentialLocation],
}

const MISSING: &str = "Login required";

impl Doorman {
    fn missing(&self) -> Denial {
        match self.redirects {
            true => Denial::LogIn { page: self.server.table.paths.login, message: MISSING },
            false => Denial::Missing { message: MISSING },
        }
    }
}

impl Authenticator for Doorman {
    fn authenticate(&self, view: &RequestView<'_>, now: RequestContext) -> Result<Caller, Refusal> {
        let Some(cookie) = session_cookie(view, self.server.table) else { return Err(self.missing().into()) };
        if is_cross_site(view, self.server.table) {
            let why = "a page of another site sent it";
            return Err(Denial::Invalid { message: MISSING, why }.into());
        }
        let (server, missing) = (Arc::clone(&self.server), self.missing());
        let id = Digest::of(cookie.as_bytes());
        Err(Refusal::Ask(Question::Work(Box::pin(async move {
            match server.session(&id, now.unix_seconds).await {
                Ok(Some(session)) => {
                    let user: Arc<str> = session.user.into();
                    Ok(Caller {
                        subject: Arc::clone(&user),
                        scopes: Arc::from([]),
                        client: None,
                        user: Some(user),
                        issuer: None,
                        identity: None,
                        expires: session.expires,
                    })
                }
                Ok(None) => Err(missing),
                Err(error) => {
                    crate::error::report(&error);
                    Err(Denial::Unavailable)
                }
            }
        }))))
    }

    fn challenge(&self) -> String {
        // No registered scheme is about forms; this one says that a browser is needed.
        format!("Session realm=\"{}\"", self.realm)
    }

    fn locations(&self) -> (&'static [CredentialLocation], bool) {
        (self.locations, false)
    }
}

/// The session's cookie, if the browser sends one that the gateway could have made.
pub(super) fn session_cookie(view: &RequestView<'_>, table: &'static AuthorizationServer) -> Option<String> {
    match CredentialLocation::Cookie(table.session_cookie).find(view) {
        Found::One(value) if value.len() == COOKIE_LENGTH => Some(value.into_owned()),
        _ => None,
    }
}

/// A request that changes something and that a page of another site made the browser send. `SameSite` keeps the cookie
/// from most of them; this looks at what browsers say themselves (Fetch Metadata, RFC 6454 §7).
fn is_cross_site(view: &RequestView<'_>, table: &AuthorizationServer) -> bool {
    let is_safe = matches!(view.method, "GET" | "HEAD" | "OPTIONS");
    !is_safe && (is_from_elsewhere(view, table) || has_no_origin(view))
}

/// A form on a page that hides its origin, as pages in a sandbox do.
fn has_no_origin(view: &RequestView<'_>) -> bool {
    let has = |name: &'static str| !CredentialLocation::Header(name).find(view).is_empty();
    !has("sec-fetch-site") && CredentialLocation::Header("origin").find(view) == Found::One("null".into())
}

/// What browsers say themselves: a page of another host sent it.
pub(super) fn is_from_elsewhere(view: &RequestView<'_>, table: &AuthorizationServer) -> bool {
    let text = |name: &'static str| match CredentialLocation::Header(name).find(view) {
        Found::One(value) => Some(value.into_owned()),
        _ => None,
    };
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site.as_str(), "same-origin" | "none");
    }
    // Old browsers send `null` for pages with `Referrer-Policy: no-referrer`, as those here are.
    let Some(origin) = text("origin").filter(|origin| origin != "null") else { return false };
    // A proxy in front may have another name for this host than browsers have.
    let is_ours = origin.eq_ignore_ascii_case(server::origin(table.issuer));
    let is_host = |host: &str| view.authority.is_some_and(|authority| host.eq_ignore_ascii_case(authority));
    !is_ours && !origin.split_once("://").is_some_and(|(_, host)| is_host(host))
}

impl Server {
    /// The session with this id, if it has not ended.
    pub(super) async fn session(&self, id: &Digest, now: u64) -> Result<Option<SessionRecord>, StoreError> {
        let session = self.store.session(id, now, self.session_idle.as_secs()).await?;
        let Some(session) = session.filter(|session| session.issuer == self.table.issuer) else { return Ok(None) };
        let user = self.parties.user_of_mark(&session.user, session.password_mark.as_deref()).await?;
        Ok(user.is_some().then_some(session))
    }

    /// Begins a session for a user who has just logged in with the form of `tag`: under a new id, so that no
    /// attacker can have chosen it.
    pub(super) async fn begin_session(&self, user: &User, tag: &str, now: u64) -> Result<String, StoreError> {
        let cookie = random::token().map_err(|problem| StoreError::new(problem.to_string()))?;
        let session = NewSession {
            id: Digest::of(cookie.as_bytes()),
            issuer: self.table.issuer.to_owned(),
            user: user.id.clone(),
            password_mark: user.password_mark(),
            begun_by: Digest::of(tag.as_bytes()),
            created_at: now,
            expires: now.saturating_add(self.session_absolute.as_secs()),
        };
        self.store.add_session(&session).await?;
        Ok(cookie)
    }

    /// Whether the session with this cookie was begun by the login form of `tag`, for the user called `username`.
    pub(super) async fn was_begun_by(
        &self,
        cookie: &str,
        tag: &str,
        username: &str,
        now: u64,
    ) -> Result<bool, StoreError> {
        let session = self.session(&Digest::of(cookie.as_bytes()), now).await?;
        let Some(session) = session.filter(|session| session.begun_by == Some(Digest::of(tag.as_bytes()))) else {
            return Ok(false);
        };
        let user = self.parties.user_by_login(username).await?;
        Ok(user.is_some_and(|user| user.id == session.user))
    }

    /// The value of `Set-Cookie` (RFC 6265 §4.1) for the session's cookie: for as long as the browser runs.
    pub(super) fn set_cookie(&self, cookie: &str) -> String {
        format!("{}={cookie}; Path=/; HttpOnly; Secure; SameSite=Lax", self.table.session_cookie)
    }

    /// The value of `Set-Cookie` that takes the session's cookie away.
    pub(super) fn unset_cookie(&self) -> String {
        format!("{}=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax", self.table.session_cookie)
    }

    /// The name of the cookie that remembers where a login is to lead.
    fn return_cookie(&self) -> String {
        return_cookie(self.table.session_cookie)
    }

    /// The value of `Set-Cookie` that remembers for ten minutes where a login is to lead; `None` where it is too long.
    pub(super) fn set_return_cookie(&self, path: &str) -> Option<String> {
        use base64::Engine as _;
        let value = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(path);
        let fits = value.len() <= 3800;
        let login = self.table.paths.login_submit;
        let name = self.return_cookie();
        fits.then(|| format!("{name}={value}; Path={login}; Max-Age=600; HttpOnly; Secure; SameSite=Lax"))
    }

    /// The value of `Set-Cookie` that forgets it.
    pub(super) fn unset_return_cookie(&self) -> String {
        let login = self.table.paths.login_submit;
        format!("{}=; Path={login}; Max-Age=0; HttpOnly; Secure; SameSite=Lax", self.return_cookie())
    }

    /// Where a login was to lead when it began.
    pub(super) fn remembered_return(&self, view: &RequestView<'_>) -> Option<String> {
        use base64::Engine as _;
        let name = self.return_cookie();
        let value = cookies(view.fields, &name).next()??;
        let value = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(&*value).ok()?;
        String::from_utf8(value).ok().filter(|path| is_path_here(path))
    }
}

/// Browsers take `__Host-` as a promise about the path that this cookie does not keep (RFC 6265bis §4.1.3).
fn return_cookie(session_cookie: &str) -> String {
    match session_cookie.strip_prefix("__Host-") {
        Some(rest) => format!("__Secure-{rest}_return"),
        None => format!("{session_cookie}_return"),
    }
}

/// Whether a browser takes this as a path on the same host, whatever it makes of it: a login must not lead elsewhere.
pub(super) fn is_path_here(path: &str) -> bool {
    path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains('\\')
        && path.bytes().all(|byte| (b'!'..0x7f).contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_have_the_attributes_that_their_prefix_requires() {
        assert_eq!(return_cookie("gateway_session"), "gateway_session_return");
        assert_eq!(return_cookie("__Host-session"), "__Secure-session_return");
    }

    #[test]
    fn logins_lead_to_paths_of_this_host() {
        for good in ["/", "/account", "/oauth/authorize?client_id=a&redirect_uri=https%3A%2F%2Fa.example"] {
            assert!(is_path_here(good), "{good}");
        }
        for bad in
            ["", "account", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nX: y", "/a b", "/ü"]
        {
            assert!(!is_path_here(bad), "{bad}");
        }
    }
}
