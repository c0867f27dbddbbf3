//! The keys that a provider publishes, kept fresh in the background.
//!
//! Requests see the last good keys and never wait for the provider, but for one case: a token that names an
//! unknown key waits for a fetch, of which there is one at a time, and one per `ASK_PAUSE` at most.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use crate::jwt::ring::{KeyProvider, KeyRing, KeySource, Wait};
use crate::outgoing::Background;
use crate::outgoing::client::{Client, FetchError};
use crate::outgoing::health::Health;
use crate::outgoing::url::ProviderUrl;
use crate::prepare_error::PrepareError;
use crate::provider::discovery::{self, DiscoveryError};
use crate::scheme::Resources;
use gateway_base::info;
use gateway_base::jose::keys::KeyError;
use gateway_base::supervise::{Task, supervise};
use gateway_base::trust::TrustError;

/// `Cache-Control` can make keys be fetched more often than the document says, down to this.
const SHORTEST_REFRESH: Duration = Duration::from_secs(30);

/// After the first failure; doubled by each that follows.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// The longest pause between attempts at a provider that does not answer.
const MAX_RETRY: Duration = Duration::from_secs(30);

/// Between two fetches that requests asked for: who makes up key ids must not be able to make us ask all the time.
const ASK_PAUSE: Duration = Duration::from_secs(10);

/// How long a request waits for keys.
const FIRST_FETCH_TIMEOUT: Duration = Duration::from_secs(3);

/// More requests than these do not wait for keys at the same time.
const MAX_WAITING: usize = 256;

/// How often keys are fetched where the document does not say.
const DEFAULT_REFRESH: Duration = Duration::from_secs(600);

/// A JSON Web Key Set at a URL.
#[derive(Debug)]
pub struct JwksUrl {
    /// Where it is.
    pub url: &'static str,
    /// How often it is fetched, at least.
    pub refresh: Duration,
}

/// A provider that says where its keys are and who it is (OpenID Connect Discovery 1.0).
#[derive(Debug)]
pub struct OpenIdConnect {
    /// Where its discovery document is.
    pub url: &'static str,
}

impl KeyProvider for JwksUrl {
    fn url(&self) -> &'static str {
        self.url
    }

    fn supply(&self, resources: &Resources, ring: &Arc<KeyRing>) -> Result<Arc<dyn KeySource>, PrepareError> {
        supply(resources, self.url, Kind::KeySet, self.refresh, ring)
    }
}

impl KeyProvider for OpenIdConnect {
    fn url(&self) -> &'static str {
        self.url
    }

    fn supply(&self, resources: &Resources, ring: &Arc<KeyRing>) -> Result<Arc<dyn KeySource>, PrepareError> {
        supply(resources, self.url, Kind::Discovery, DEFAULT_REFRESH, ring)
    }
}

/// What is at the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    KeySet,
    Discovery,
}

/// Schemes with the same URL share one fetcher.
fn supply(
    resources: &Resources,
    url: &str,
    kind: Kind,
    refresh: Duration,
    ring: &Arc<KeyRing>,
) -> Result<Arc<dyn KeySource>, PrepareError> {
    let described = url;
    let url = resources.provider_url(described)?;
    let providers = &resources.providers;
    let fetcher = providers.shared(&format!("{kind:?} {} {described}", url.as_str()), || {
        let fetcher = Arc::new(Fetcher::new(providers.client(&url)?, url.clone(), described, kind));
        providers.tend(Arc::clone(&fetcher) as Arc<dyn Background>);
        Ok::<_, TrustError>(fetcher)
    })?;
    fetcher.rings.lock().unwrap_or_else(PoisonError::into_inner).push((Arc::clone(ring), refresh));
    Ok(Arc::new(fetcher))
}

/// Why there are no new keys.
#[derive(Debug, thiserror::Error)]
enum KeysError {
    /// The provider gives no answer.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// What it says about itself cannot be used.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// Its keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyError),
}

/// Fetches the keys of one provider for all rings that want them.
#[derive(Debug)]
struct Fetcher {
    client: Client,
    url: ProviderUrl,
    /// The URL in the API's document.
    described: Box<str>,
    kind: Kind,
    /// Each with how often it wants to be looked after.
    rings: Mutex<Vec<(Arc<KeyRing>, Duration)>>,
    progress: watch::Sender<Progress>,
    /// A request asks for a fetch.
    asked: Notify,
    waiting: AtomicUsize,
    health: Health,
}

#[derive(Debug, Clone, Copy)]
struct Progress {
    /// Fetches that have ended, one way or the other.
    finished: u64,
    /// A fetch is on its way, or about to be.
    running: bool,
    /// The fetch that is on its way was asked for by a request.
    by_request: bool,
    /// No request can ask for a fetch before.
    ask_after: Option<Instant>,
}

impl Background for Fetcher {
    fn start(self: Arc<Self>) -> Option<AbortHandle> {
        Some(tokio::spawn(supervise(Task::ProviderKeys, move || Arc::clone(&self).run())).abort_handle())
    }

    fn health(&self) -> &Health {
        &self.health
    }
}

impl Fetcher {
    fn new(client: Client, url: ProviderUrl, described: &str, kind: Kind) -> Self {
        let progress = Progress { finished: 0, running: true, by_request: false, ask_after: None };
        Self {
            health: Health::new(&url),
            client,
            url,
            described: described.into(),
            kind,
            rings: Mutex::default(),
            progress: watch::Sender::new(progress),
            asked: Notify::new(),
            waiting: AtomicUsize::new(0),
        }
    }

    async fn run(self: Arc<Self>) {
        let mut failures = 0;
        loop {
            let pause = match self.fetch().await {
                Ok(max_age) => {
                    failures = 0;
                    self.health.note(Ok(()), "");
                    self.refresh(max_age)
                }
                Err(problem) => {
                    failures += 1;
                    self.health.note(Err(&problem), self.consequence());
                    retry(failures)
                }
            };
            self.progress.send_modify(|progress| {
                progress.finished += 1;
                progress.running = false;
                if std::mem::take(&mut progress.by_request) {
                    progress.ask_after = Some(Instant::now() + ASK_PAUSE);
                }
            });
            let _ = timeout(jittered(pause), self.asked.notified()).await;
            self.progress.send_modify(|progress| progress.running = true);
        }
    }

    /// Fetches the keys and hands them over; gives how long the answer may be kept.
    async fn fetch(&self) -> Result<Option<Duration>, KeysError> {
        let (issuer, keys) = match self.kind {
            Kind::KeySet => (None, self.url.clone()),
            Kind::Discovery => {
                let document = self.client.get(&self.url).await?;
                let found = discovery::read(&self.url, &self.described, &document.body)?;
                (Some(found.issuer), found.keys)
            }
        };
        let answer = self.client.get(&keys).await?;
        let rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut problem = None;
        let mut news = None;
        for (ring, _) in rings {
            match ring.replace(&answer.body, issuer.as_deref()) {
                Ok(count) => news = news.max(count),
                Err(error) => problem = Some(KeysError::Keys(error)),
            }
        }
        if let Some(count) = news {
            let (noun, verb) = if count == 1 { ("key", "is") } else { ("keys", "are") };
            info!(format_args!("provider {}", self.url), "{count} {noun} {verb} in use now");
        }
        problem.map_or(Ok(answer.max_age), Err)
    }

    fn refresh(&self, max_age: Option<Duration>) -> Duration {
        let rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = rings.iter().map(|(_, refresh)| *refresh).min().unwrap_or(DEFAULT_REFRESH);
        max_age.map_or(wanted, |max_age| wanted.min(max_age.max(SHORTEST_REFRESH)))
    }

    fn consequence(&self) -> &'static str {
        let rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        if rings.iter().all(|(ring, _)| ring.is_filled()) {
            "the current keys are kept"
        } else {
            "requests that need its keys are answered with 503"
        }
    }

    /// Ends when more than `seen` fetches have ended; nothing if too many wait already.
    fn wait(self: &Arc<Self>, mut progress: watch::Receiver<Progress>, seen: u64) -> Option<Wait> {
        let turn = Turn::take(self)?;
        Some(Box::pin(async move {
            let _turn = turn;
            let _ = timeout(FIRST_FETCH_TIMEOUT, progress.wait_for(|progress| progress.finished > seen)).await;
        }))
    }
}

impl KeySource for Arc<Fetcher> {
    fn first_keys(&self) -> Option<Wait> {
        // Later, a client is better off with an answer to retry than waiting for a provider that is down.
        let progress = self.progress.subscribe();
        let only_just_started = progress.borrow().finished == 0;
        only_just_started.then(|| self.wait(progress, 0)).flatten()
    }

    fn newer_keys(&self) -> Option<Wait> {
        let (mut seen, mut joins) = (0, false);
        let now = Instant::now();
        let asks = self.progress.send_if_modified(|progress| {
            (seen, joins) = (progress.finished, progress.running);
            let may_ask = !joins && progress.ask_after.is_none_or(|after| after <= now);
            if may_ask {
                (progress.running, progress.by_request, progress.ask_after) = (true, true, Some(now + ASK_PAUSE));
            }
            may_ask
        });
        if asks {
            self.asked.notify_one();
        }
        (asks || joins).then(|| self.wait(self.progress.subscribe(), seen)).flatten()
    }
}

/// One of those who wait.
struct Turn(Arc<Fetcher>);

impl Turn {
    fn take(fetcher: &Arc<Fetcher>) -> Option<Self> {
        let turn = Self(Arc::clone(fetcher));
        (fetcher.waiting.fetch_add(1, Relaxed) < MAX_WAITING).then_some(turn)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}

/// The pause after this number of failures in a row.
fn retry(failures: u32) -> Duration {
    FIRST_RETRY.saturating_mul(1 << (failures - 1).min(16)).min(MAX_RETRY)
}

/// Up to a tenth less, so that many gateways do not ask at the same moment.
fn jittered(pause: Duration) -> Duration {
    use std::hash::{BuildHasher as _, Hasher as _, RandomState};
    let random = RandomState::new().build_hasher().finish() % 1_000;
    pause.mul_f64(1.0 - random as f64 / 10_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound() {
        assert_eq!([1, 2, 3, 6, 40].map(|failures| retry(failures).as_secs()), [1, 2, 4, 30, 30]);
        for _ in 0..100 {
            let pause = jittered(Duration::from_secs(10));
            assert!(pause > Duration::from_secs(9) - Duration::from_millis(1) && pause <= Duration::from_secs(10));
        }
    }
}
