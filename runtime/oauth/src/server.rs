//! An authorization server of a running gateway: its table joined with the store, its keys and its caches.

use std::any::Any;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use minijinja::value::Value;
use serde_json::Map;

use crate::attempts::Attempts;
use crate::engine;
use crate::error::{ErrorCode, OauthError};
use crate::form::Form;
use crate::pages::{Pages, PagesError, mapping};
use crate::registry::Parties;
use crate::signing::{Signer, SigningKeyError};
use crate::store::{AccessRecord, Authorization, NewTokens, OauthStore};
use crate::token_cache::{AccessTokenCache, CachedToken};
use gateway_access::caller::Caller;
use gateway_access::scheme::Resources;
use gateway_base::digest::Digest;
use gateway_base::problem::Problem;
use gateway_base::random::{self, NoRandom};
use gateway_base::setting_values::SecretSetting;
use gateway_parties::clients_and_users::{Client, User};
use gateway_parties::database::StoreError;
use gateway_parties::oauth_settings::{OauthSettings, SessionSettings};
use gateway_parties::server::{AuthorizationServer, Grant, TokenFormat};
use gateway_parties::store_place::OauthStoreSettings;

/// Where [`Resources`] have it.
pub const SHARED: &str = "authorization servers";

/// A longer access token is none of ours.
pub(super) const MAX_TOKEN: usize = 4096;

/// The fewest bytes of `session.secret`: as many as the hash of its HMAC has.
const MIN_SESSION_SECRET: usize = 32;

/// A server by its table; none where it could not be opened, which has been reported. Without its type: a gateway
/// that opens none links nothing of it.
type Opened = (&'static AuthorizationServer, Option<Arc<dyn Any + Send + Sync>>);

/// What the deployment decides for all servers of a gateway, and the servers that have been opened.
pub struct Oauth {
    pub(crate) settings: ServerSettings,
    servers: Mutex<Vec<Opened>>,
}

/// What the deployment decides.
#[derive(Debug)]
pub struct ServerSettings {
    /// Where things are remembered, or why that is not known.
    pub store: Result<OauthStoreSettings, Problem>,
    /// Settings that all authorization servers share.
    pub terms: OauthSettings,
    /// Settings of login sessions.
    pub session: SessionSettings,
    /// The key of administrators.
    pub admin_key: Option<SecretSetting>,
}

impl std::fmt::Debug for Oauth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Oauth")
    }
}

/// Why an authorization server cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// The settings do not say where things are remembered, or a secret is not where they say.
    #[error(transparent)]
    Settings(#[from] Problem),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The thread that waits for the store has no runtime.
    #[error("no runtime can be started: {0}")]
    NoRuntime(#[source] io::Error),
    /// The thread that waits for the store has ended.
    #[error("the store is not available")]
    NoAnswer,
    /// There are no random numbers for new keys.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
    /// The key of forms can be guessed.
    #[error("`session.secret` is shorter than {MIN_SESSION_SECRET} bytes")]
    ShortSessionSecret,
    /// The key that signs tokens cannot be used.
    #[error(transparent)]
    SigningKey(#[from] SigningKeyError),
    /// The pages cannot be shown.
    #[error(transparent)]
    Pages(#[from] PagesError),
}

/// An authorization server, ready.
pub(crate) struct Server {
    pub(super) table: &'static AuthorizationServer,
    pub(super) store: Arc<OauthStore>,
    pub(super) parties: Parties,
    pub(super) pages: Pages,
    pub(super) attempts: Attempts,
    pub(super) signer: Signer,
    pub(super) session_idle: Duration,
    pub(super) session_absolute: Duration,
    form_key: hmac::Key,
    cache: AccessTokenCache,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({})", self.table.issuer)
    }
}

impl Oauth {
    /// For a deployment.
    pub fn new(settings: ServerSettings) -> Self {
        Self { settings, servers: Mutex::default() }
    }

    /// That of this gateway.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn of(resources: &Resources) -> Result<Arc<Self>, Vec<String>> {
        let none = || Err("authorization servers are not set up".to_owned());
        resources.providers.shared(SHARED, none).map_err(|problem| vec![problem])
    }

    /// The server of a table: opened when it is asked for first.
    ///
    /// # Errors
    /// Everything that is wrong, the first time; nothing afterwards.
    pub(super) fn server(
        &self,
        table: &'static AuthorizationServer,
        resources: &Resources,
    ) -> Result<Arc<Server>, Vec<String>> {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, server)) = servers.iter().find(|(known, _)| std::ptr::eq(*known, table)) {
            return server.clone().and_then(|server| server.downcast().ok()).ok_or_else(Vec::new);
        }
        // All servers of a gateway have one store.
        let opened = servers.iter().find_map(|(_, server)| server.clone()?.downcast::<Server>().ok());
        let store = opened.map(|server| Arc::clone(&server.store));
        let opened = Server::open(table, &self.settings, store, resources).map(Arc::new);
        servers.push((table, opened.as_ref().ok().map(|server| Arc::clone(server) as Arc<dyn Any + Send + Sync>)));
        opened.map_err(|problem| vec![problem.to_string()])
    }
}

impl Server {
    fn open(
        table: &'static AuthorizationServer,
        settings: &ServerSettings,
        store: Option<Arc<OauthStore>>,
        resources: &Resources,
    ) -> Result<Self, OpenError> {
        let engine = engine::authority(table).engine;
        let store = match store {
            Some(store) => store,
            None => Arc::new(OauthStore::over(engine.open(settings.store.as_ref().map_err(Problem::clone)?)?)),
        };
        let kept = |name: &str| Ok::<_, OpenError>(wait_for(store.secret(name, random::bytes()?))??);
        let form_key = match &settings.session.secret {
            Some(place) => {
                let secret = place.read(&resources.secrets)?;
                if secret.expose().len() < MIN_SESSION_SECRET {
                    return Err(OpenError::ShortSessionSecret);
                }
                hmac::Key::new(hmac::HMAC_SHA256, secret.expose())
            }
            None => hmac::Key::new(hmac::HMAC_SHA256, &kept("forms")?),
        };
        let signer = match &settings.terms.signing_key {
            Some(place) => Signer::from_pem(place.read(&resources.secrets)?.expose())?,
            None => Signer::from_seed(&kept("signing")?)?,
        };
        let templates = settings.terms.templates.as_ref().map(|(folder, _)| resources.secrets.folder.join(folder));
        Ok(Self {
            table,
            parties: Parties::new(Arc::clone(&resources.consumers), Arc::clone(&store), engine),
            pages: Pages::open(templates.as_deref())?,
            attempts: Attempts::new(),
            signer,
            session_idle: settings.session.idle,
            session_absolute: settings.session.absolute,
            form_key,
            cache: AccessTokenCache::new(settings.terms.cache.as_secs()),
            store,
        })
    }

    /// What a form must carry that was made for the browser with this cookie (RFC 9700 §4.7).
    pub(super) fn form_tag(&self, cookie: &str) -> String {
        let mut context = hmac::Context::with_key(&self.form_key);
        context.update(b"form\0");
        context.update(self.table.issuer.as_bytes());
        context.update(b"\0");
        context.update(cookie.as_bytes());
        URL_SAFE_NO_PAD.encode(context.sign().as_ref())
    }

    /// Whether a form was made for the browser with this cookie.
    pub(super) fn has_form_tag(&self, cookie: &str, tag: Option<&str>) -> bool {
        let expected = self.form_tag(cookie);
        tag.is_some_and(|tag| {
            aws_lc_rs::constant_time::verify_slices_are_equal(expected.as_bytes(), tag.as_bytes()).is_ok()
        })
    }

    /// The owner of this access token, if the cache has it.
    pub(super) fn recall(&self, token: &str, now: u64) -> Option<Caller> {
        self.cache.recall(self.parties.generation(), token, now)
    }

    /// The owner of this access token.
    ///
    /// # Errors
    /// The store does not tell.
    pub(super) async fn caller(&self, token: &str, now: u64) -> Result<Option<Caller>, StoreError> {
        let looked_up_in = self.cache.generation(self.parties.generation());
        let digest = Digest::of(token.as_bytes());
        let Some(record) = self.store.access_token(&digest, now).await? else { return Ok(None) };
        if record.authorization.issuer != self.table.issuer || !self.has_parties_of(&record.authorization).await? {
            return Ok(None);
        }
        // Who serves another resource could use here what was sent there (RFC 9700 §4.10.2).
        if !self.is_for_this_gateway(&record.resources) {
            return Ok(None);
        }
        let (authorization, expires) = (Digest::of(record.authorization.id.as_bytes()), record.expires);
        let caller = caller_of(record);
        let known = CachedToken { caller: caller.clone(), token: digest, authorization };
        self.cache.keep(looked_up_in, token, known, expires, now);
        Ok(Some(caller))
    }

    /// Whether client and user of an authorization are still registered, and the user's password is the same.
    pub(super) async fn has_parties_of(&self, authorization: &Authorization) -> Result<bool, StoreError> {
        let has_client = self.parties.client(&authorization.client).await?.is_some();
        Ok(has_client
            && match &authorization.user {
                Some(user) => self.parties.user_of_mark(user, authorization.password_mark.as_deref()).await?.is_some(),
                None => true,
            })
    }

    /// Removes an access token from the cache that has been revoked in the store.
    pub(super) fn forget_token(&self, token: &Digest, now: u64) {
        self.cache.forget(*token, now);
    }

    /// As [`Server::forget_token`], for all tokens of an authorization.
    pub(super) fn forget_authorization(&self, id: &str, now: u64) {
        self.cache.forget(Digest::of(id.as_bytes()), now);
    }

    /// As [`Server::forget_token`], for all that is cached.
    pub(super) fn forget_all(&self) {
        self.cache.forget_all();
    }

    /// Whether this deployment of the server takes `issuer` or one of its endpoints as the audience of an assertion.
    pub(super) fn is_audience(&self, audience: &str) -> bool {
        let origin = origin(self.table.issuer);
        audience == self.table.issuer
            || audience.strip_prefix(origin).is_some_and(|path| !path.is_empty() && path == self.table.paths.token)
    }

    /// The URL of an endpoint; `None` where there is none.
    pub(super) fn url(&self, path: &str) -> Option<String> {
        (!path.is_empty()).then(|| format!("{}{path}", origin(self.table.issuer)))
    }

    /// The scopes that a client gets for what it asks, as names ordered as asked.
    ///
    /// # Errors
    /// It asks for what it may not have, or for nothing and has nothing by default (RFC 6749 §3.3).
    pub(super) fn scopes(&self, client: &Client, asked: Option<&str>) -> Result<Vec<String>, OauthError> {
        let mut scopes: Vec<String> = Vec::new();
        match asked {
            None => scopes.extend(client.default_scopes.iter().map(|scope| scope.to_string())),
            Some(asked) => {
                for scope in asked.split(' ').filter(|scope| !scope.is_empty()) {
                    if !scopes.iter().any(|known| known == scope) {
                        scopes.push(scope.to_owned());
                    }
                }
            }
        }
        if scopes.is_empty() {
            return Err(
                ErrorCode::InvalidScope.because("The request names no scope, and the client has none by default")
            );
        }
        match scopes.iter().all(|scope| self.may_ask_for(client, scope)) {
            true => Ok(scopes),
            false => Err(ErrorCode::InvalidScope.because("The client may not ask for one of these scopes")),
        }
    }

    /// Whether the server has this scope, and the client is registered for it.
    pub(super) fn may_ask_for(&self, client: &Client, scope: &String) -> bool {
        self.table.scopes.iter().any(|known| known.name == scope) && client.scopes.contains(scope)
    }

    /// The resources that a token is asked for (RFC 8707 §2): of those that the server knows, or of those that an
    /// authorization is `given`. Empty where none is asked for, or where the server knows none: then a token is for the
    /// server itself, and the parameter is one that it ignores.
    ///
    /// # Errors
    /// One of them is not known, or not given.
    pub(super) fn resources(&self, form: &Form, given: Option<&[String]>) -> Result<Vec<String>, OauthError> {
        if self.table.resources.is_empty() {
            return Ok(given.unwrap_or_default().to_vec());
        }
        let asked = form.resources();
        let is_known = |resource: &String| {
            resource == self.table.issuer || self.table.resources.iter().any(|known| known.uri == resource)
        };
        if !asked.iter().all(is_known) {
            return Err(ErrorCode::InvalidTarget.because("The server gives no tokens for one of these resources"));
        }
        match given {
            None => Ok(asked),
            Some(given) if asked.is_empty() => Ok(given.to_vec()),
            // Without any, it is for the server itself.
            Some([]) if asked.iter().all(|resource| resource == self.table.issuer) => Ok(asked),
            Some(given) if asked.iter().all(|resource| given.contains(resource)) => Ok(asked),
            Some(_) => Err(ErrorCode::InvalidTarget.because("The authorization is not for one of these resources")),
        }
    }

    /// The audience of a token (RFC 9068 §2.2): one name, or several.
    pub(super) fn audience(&self, resources: &[String]) -> serde_json::Value {
        match resources {
            [] => self.table.issuer.into(),
            [one] => one.as_str().into(),
            several => several.into(),
        }
    }

    /// Whether operations of this gateway are among what a token is for.
    fn is_for_this_gateway(&self, resources: &[String]) -> bool {
        let is_here = |resource: &String| {
            resource == self.table.issuer
                || self.table.resources.iter().any(|known| known.uri == resource && known.is_here)
        };
        resources.is_empty() || resources.iter().any(is_here)
    }

    /// A scope as pages show it: with what it means, in the document's words.
    pub(super) fn show_scope(&self, scope: &str) -> Value {
        let known = self.table.scopes.iter().find(|known| known.name == scope);
        let description = known.map(|known| known.description).filter(|text| !text.is_empty()).unwrap_or(scope);
        mapping([("name", Value::from(scope)), ("description", Value::from(description))])
    }

    /// Makes an access token, and a refresh token where that is asked for.
    ///
    /// # Errors
    /// It could not be made, or not be kept.
    pub(super) async fn issue(&self, order: TokenRequest<'_>) -> Result<Issued, OauthError> {
        let TokenRequest { client, user, authorization, is_new, scopes, resources, with_refresh, now } = order;
        let ttl = client.access_token_ttl.unwrap_or(self.table.access_token.ttl).as_secs();
        let format = client.token_format.unwrap_or(self.table.access_token.format);
        let expires = now.saturating_add(ttl);
        let id = random::name()?;
        let access = match format {
            TokenFormat::Opaque => random::token()?,
            TokenFormat::Jwt => {
                let mut claims = self.claims(&authorization, user, &scopes, &id, now, expires);
                claims.insert("aud".to_owned(), self.audience(&resources));
                self.signer.sign(&claims).map_err(|_| ErrorCode::ServerError.because("The token cannot be signed"))?
            }
        };
        let refresh = with_refresh.then(random::token).transpose()?;
        let idle = self.table.refresh_token.idle.as_secs();
        let family_ends = authorization.refresh_expires;
        let idle_until = if idle == 0 { family_ends } else { now.saturating_add(idle).min(family_ends) };
        let tokens = NewTokens {
            authorization,
            is_new,
            access: Digest::of(access.as_bytes()),
            access_scopes: scopes.clone(),
            access_resources: resources,
            access_expires: expires,
            format,
            jti: Some(id),
            refresh: refresh.as_ref().map(|token| Digest::of(token.as_bytes())),
            refresh_idle_until: idle_until,
            issued_at: now,
        };
        self.store.issue(&tokens).await?;
        Ok(Issued { access, refresh, ttl, scopes })
    }

    /// The claims of RFC 9068 §2.2, without the audience.
    fn claims(
        &self,
        authorization: &Authorization,
        user: Option<&User>,
        scopes: &[String],
        id: &str,
        now: u64,
        expires: u64,
    ) -> Map<String, serde_json::Value> {
        let mut claims = Map::new();
        let subject = user.map_or(&*authorization.client, |user| &*user.id);
        for (name, value) in [("iss", self.table.issuer), ("sub", subject)] {
            claims.insert(name.to_owned(), value.into());
        }
        claims.insert("client_id".to_owned(), authorization.client.as_str().into());
        claims.insert("scope".to_owned(), scopes.join(" ").into());
        claims.insert("jti".to_owned(), id.into());
        claims.insert("iat".to_owned(), now.into());
        claims.insert("exp".to_owned(), expires.into());
        claims
    }

    /// An authorization that begins now.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub(super) fn authorization(
        &self,
        client: &Client,
        user: Option<&User>,
        scopes: &[String],
        grant: Grant,
        now: u64,
    ) -> Result<Authorization, OauthError> {
        Ok(Authorization {
            id: random::name()?,
            issuer: self.table.issuer.to_owned(),
            client: client.id.to_string(),
            user: user.map(|user| user.id.clone()),
            password_mark: user.map(User::password_mark),
            scopes: scopes.to_vec(),
            resources: Vec::new(),
            grant,
            refresh_expires: now.saturating_add(self.table.refresh_token.ttl.as_secs()),
        })
    }
}

/// Waits at the start for a store's answer, whether or not this thread runs tasks.
fn wait_for<T: Send>(answer: impl Future<Output = T> + Send) -> Result<T, OpenError> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.map(|runtime| runtime.block_on(answer)).map_err(OpenError::NoRuntime)
    };
    std::thread::scope(|scope| scope.spawn(run).join()).unwrap_or(Err(OpenError::NoAnswer))
}

/// What tokens are made from.
pub(super) struct TokenRequest<'a> {
    pub(super) client: &'a Client,
    pub(super) user: Option<&'a User>,
    pub(super) authorization: Authorization,
    /// The store does not know the authorization yet.
    pub(super) is_new: bool,
    /// Of the access token.
    pub(super) scopes: Vec<String>,
    /// Of the access token; none for the server itself.
    pub(super) resources: Vec<String>,
    pub(super) with_refresh: bool,
    /// Seconds since the epoch.
    pub(super) now: u64,
}

/// New tokens. There is no `Debug`: they are secrets.
pub(super) struct Issued {
    pub(super) access: String,
    pub(super) refresh: Option<String>,
    /// In seconds.
    pub(super) ttl: u64,
    pub(super) scopes: Vec<String>,
}

fn caller_of(record: AccessRecord) -> Caller {
    let client: Arc<str> = record.authorization.client.into();
    let user: Option<Arc<str>> = record.authorization.user.map(Arc::from);
    Caller {
        subject: user.clone().unwrap_or_else(|| Arc::clone(&client)),
        scopes: record.scopes.into_iter().map(String::into_boxed_str).collect(),
        client: Some(client),
        user,
        issuer: None,
        identity: None,
        expires: record.expires,
    }
}

/// Scheme and authority of a URL.
pub(super) fn origin(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find('/').map_or(url.len(), |at| start + at);
    &url[..end]
}
