//! Tokens that an authorization server gives to the gateway itself (RFC 6749 §4.4): fetched once for all requests, and
//! again before they end.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use hyper::header::HeaderValue;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::outgoing::Background;
use crate::outgoing::client::{Client, FetchError, Form, basic};
use crate::outgoing::health::Health;
use crate::outgoing::url::ProviderUrl;
use crate::prepare_error::PrepareError;
use crate::scheme::Resources;
use crate::upstream_auth::prepared::{Fetching, NoToken, PreparedCredential, TokenSource, UpstreamCredential};
use crate::upstream_auth::secret_field::SecretField;
use gateway_base::encoding::form_encode;
use gateway_base::secret::SecretReference;

/// How long a token holds where the server does not say (RFC 6749 §5.1 leaves it open).
const USUAL_LIFE: Duration = Duration::from_secs(300);

/// A token is fetched anew so long before its end, or earlier where its life is short.
const BEFORE_END: Duration = Duration::from_secs(60);

/// After a fetch that failed, none is begun for so long.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// An upstream that refuses a token that is younger than this refuses the gateway, not the token.
const YOUNG: Duration = Duration::from_secs(5);

/// Where the gateway gets tokens, and as which client.
#[derive(Debug)]
pub struct ClientCredentials {
    /// The token endpoint (RFC 6749 §3.2).
    pub token_url: &'static str,
    /// The gateway's client id there.
    pub client_id: &'static str,
    /// With which secret (`client_secret_basic`, RFC 6749 §2.3.1).
    pub client_secret: SecretReference,
    /// What is asked for; the server's default if empty.
    pub scopes: &'static [&'static str],
    /// The API that the token is for, where the server asks for one.
    pub audience: Option<&'static str>,
}

impl UpstreamCredential for ClientCredentials {
    /// Upstreams with the same description share their tokens.
    fn prepare(&self, resources: &Resources) -> Result<PreparedCredential, Vec<String>> {
        let tokens = self.tokens(resources).map_err(|problem| vec![problem.to_string()])?;
        Ok(PreparedCredential::Token(Arc::new(Tokens(tokens))))
    }

    fn provider(&self) -> Option<&'static str> {
        Some(self.token_url)
    }
}

impl ClientCredentials {
    fn tokens(&self, resources: &Resources) -> Result<Arc<Shared>, PrepareError> {
        let url = resources.provider_url(self.token_url)?;
        let authorization = basic(self.client_id, &self.client_secret, &resources.secrets)?;
        let mut form = "grant_type=client_credentials".to_owned();
        if !self.scopes.is_empty() {
            form += &format!("&scope={}", form_encode(self.scopes.join(" ").as_bytes()));
        }
        if let Some(audience) = self.audience {
            form += &format!("&audience={}", form_encode(audience.as_bytes()));
        }
        let source = &self.client_secret.source;
        let key = format!("client credentials {url} {} {source:?} {form}", self.client_id);
        resources.providers.shared(&key, || {
            let shared = Arc::new(Shared {
                client: resources.providers.client(&url)?,
                health: Health::new(&url),
                url,
                authorization,
                form,
                current: ArcSwapOption::empty(),
                state: Mutex::default(),
            });
            resources.providers.tend(Arc::clone(&shared) as Arc<dyn Background>);
            Ok::<_, PrepareError>(shared)
        })
    }
}

/// The tokens of one client.
#[derive(Debug)]
struct Tokens(Arc<Shared>);

impl TokenSource for Tokens {
    fn token(&self) -> Result<Arc<SecretField>, Fetching> {
        let now = Instant::now();
        if let Some(token) = &*self.0.current.load()
            && now < token.ends
        {
            if now >= token.renewed_at {
                // This request goes with what is there.
                drop(self.0.fetching(now));
            }
            return Ok(Arc::clone(&token.field));
        }
        let Some(mut fetched) = self.0.fetching(now) else { return Err(Box::pin(std::future::ready(Err(NoToken)))) };
        Err(Box::pin(async move {
            let fetched = fetched.wait_for(Option::is_some).await.ok().and_then(|fetched| fetched.clone());
            fetched.unwrap_or(Err(NoToken))
        }))
    }

    fn refused(&self, field: &Arc<SecretField>) {
        let current = self.0.current.load();
        if current.as_ref().is_some_and(|token| Arc::ptr_eq(&token.field, field) && token.since.elapsed() >= YOUNG) {
            self.0.current.store(None);
        }
    }
}

struct Shared {
    client: Client,
    url: ProviderUrl,
    authorization: HeaderValue,
    form: String,
    health: Health,
    current: ArcSwapOption<Token>,
    state: Mutex<State>,
}

/// A token, and when it is good.
struct Token {
    field: Arc<SecretField>,
    since: Instant,
    renewed_at: Instant,
    ends: Instant,
}

type Fetched = Option<Result<Arc<SecretField>, NoToken>>;

#[derive(Default)]
struct State {
    /// One fetch for all who wait.
    under_way: Option<watch::Receiver<Fetched>>,
    failed_at: Option<Instant>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentials").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Background for Shared {
    fn start(self: Arc<Self>) -> Option<AbortHandle> {
        None
    }

    fn health(&self) -> &Health {
        &self.health
    }
}

impl Shared {
    /// The fetch that is under way, or one that begins; `None` where one has failed a moment ago.
    fn fetching(self: &Arc<Self>, now: Instant) -> Option<watch::Receiver<Fetched>> {
        let mut state = self.state();
        if let Some(under_way) = &state.under_way {
            return Some(under_way.clone());
        }
        if state.failed_at.is_some_and(|at| now.saturating_duration_since(at) < AFTER_FAILURE) {
            return None;
        }
        let (sender, receiver) = watch::channel(None);
        state.under_way = Some(receiver.clone());
        drop(state);
        let flight = Flight(Arc::clone(self));
        // A task of its own: who asked first may leave, and others wait for the same token.
        tokio::spawn(async move {
            let fetched = flight.0.fetch().await;
            // Kept before it ends, so that no request begins another one in between.
            drop(flight);
            sender.send_replace(Some(fetched));
        });
        Some(receiver)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(&self) -> Result<Arc<SecretField>, NoToken> {
        const CONSEQUENCE: &str = "requests to the upstreams that need its token are answered with 503";
        let form = Form { authorization: &self.authorization, body: self.form.clone() };
        let answer = self.client.post(&self.url, form).await.map_err(TokenError::Fetch);
        let token = answer.and_then(|answer| token_of(&answer.body));
        match token {
            Ok((field, life)) => {
                self.health.note(Ok(()), "");
                let (now, field) = (Instant::now(), Arc::new(field));
                let ends = now + life;
                let renewed_at = ends - BEFORE_END.min(life / 5);
                let token = Token { field: Arc::clone(&field), since: now, renewed_at, ends };
                self.current.store(Some(Arc::new(token)));
                self.state().failed_at = None;
                Ok(field)
            }
            Err(problem) => {
                self.health.note(Err(&problem.to_string()), CONSEQUENCE);
                self.state().failed_at = Some(Instant::now());
                Err(NoToken)
            }
        }
    }
}

/// A fetch that is under way; another one may begin once this is dropped.
struct Flight(Arc<Shared>);

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.state().under_way = None;
    }
}

/// Why a server gives no token.
#[derive(Debug, thiserror::Error)]
enum TokenError {
    /// It gives no answer.
    #[error(transparent)]
    Fetch(FetchError),
    /// Its answer has no token, or one that no field can hold.
    #[error("its answer has no token (RFC 6749 §5.1)")]
    NoToken,
    /// Its token is of another type.
    #[error("its token is not a bearer token")]
    OtherType,
}

/// What a token response says (RFC 6749 §5.1): the field for requests, and how long it is good.
fn token_of(body: &[u8]) -> Result<(SecretField, Duration), TokenError> {
    let answer: Value = serde_json::from_slice(body).map_err(|_| TokenError::NoToken)?;
    let token = answer.get("access_token").and_then(Value::as_str).ok_or(TokenError::NoToken)?;
    let is_bearer =
        answer.get("token_type").and_then(Value::as_str).is_some_and(|kind| kind.eq_ignore_ascii_case("bearer"));
    if !is_bearer {
        return Err(TokenError::OtherType);
    }
    let field = SecretField::new("Authorization", "Bearer ", token.as_bytes()).map_err(|_| TokenError::NoToken)?;
    // Some servers write the number as text.
    let seconds = answer.get("expires_in").and_then(|value| match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    });
    let life = seconds
        .filter(|seconds| *seconds >= 1.0)
        .map_or(USUAL_LIFE, |seconds| Duration::from_secs(seconds.min(86_400.0 * 365.0) as u64));
    Ok((field, life))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_responses() {
        let life = |body: &str| token_of(body.as_bytes()).ok().map(|(_, life)| life.as_secs());
        assert_eq!(life(r#"{"access_token":"abc","token_type":"Bearer","expires_in":3600}"#), Some(3600));
        assert_eq!(life(r#"{"access_token":"abc","token_type":"bearer","expires_in":"60"}"#), Some(60));
        assert_eq!(life(r#"{"access_token":"abc","token_type":"bearer"}"#), Some(300));
        assert_eq!(life(r#"{"access_token":"abc","token_type":"bearer","expires_in":-1}"#), Some(300));
        for bad in [
            "",
            "[]",
            r#"{"access_token":"abc"}"#,
            r#"{"access_token":"abc","token_type":"mac"}"#,
            r#"{"access_token":"a\r\nb","token_type":"bearer"}"#,
            r#"{"access_token":7,"token_type":"bearer"}"#,
            r#"{"error":"invalid_client"}"#,
        ] {
            assert_eq!(life(bad), None, "{bad}");
        }
        let (field, _) = token_of(br#"{"access_token":"abc","token_type":"Bearer"}"#).expect("a token");
        assert_eq!(field.line(), b"Authorization: Bearer abc\r\n");
    }
}
