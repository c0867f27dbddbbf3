//! The registered parties: who they are, and by which credentials they are known.
//!
//! They live in `consumers.yaml`, beside the documents and never in them. The file is read again when it changes; a
//! broken one is refused as a whole and the old one stays.

pub(crate) mod edit;
mod read;

use std::collections::{HashMap, HashSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::config::Problem;
use crate::digest::Digest;
use crate::jwt::JwtAlgorithm;
use crate::limits::{Limits, Rule};
use crate::oauth::Authority;
use crate::oauth::registry::Overlay;
use crate::secret::{Secret, SecretStore};
use crate::token_keys::{TokenKeys, TokenSigner, TokenVerifier};

/// A registered party.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Consumer {
    /// The unique name.
    pub(crate) username: Box<str>,
    pub(crate) group: Option<Arc<str>>,
    pub(crate) roles: Arc<[Box<str>]>,
    /// The label `customId`.
    pub(crate) custom_id: Option<Box<str>>,
    /// Charged beside those of the operation.
    pub(crate) limits: Arc<[Rule]>,
}

/// A consumer and the credential by which it was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) consumer: Arc<Consumer>,
    /// The credential's `id`, if it has one.
    pub(crate) credential: Option<Arc<str>>,
    /// From then on, in seconds since the epoch, the credential is nobody's.
    pub(crate) expires: u64,
}

impl Identity {
    /// For credentials without an end.
    pub(crate) const NEVER: u64 = u64::MAX;

    fn is_good(&self, now: u64) -> bool {
        now < self.expires
    }
}

/// A user name's password.
pub(crate) struct PasswordCredential {
    pub(crate) identity: Identity,
    pub(crate) password: StoredPassword,
}

/// A password, in a form that does not tell it.
#[derive(Clone)]
pub(crate) enum StoredPassword {
    /// A hash in the PHC string format (RFC 9106).
    Argon2id(Box<str>),
    /// Of a password that the deployment keeps elsewhere.
    Digest(Digest),
}

impl std::fmt::Debug for StoredPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoredPassword")
    }
}

impl StoredPassword {
    /// The hash in the PHC string format, if it is one.
    pub(crate) fn hash(&self) -> Option<&str> {
        match self {
            Self::Argon2id(hash) => Some(hash),
            Self::Digest(_) => None,
        }
    }
}

/// The key of a consumer's tokens.
pub(crate) struct TokenCredential {
    pub(crate) identity: Identity,
    pub(crate) algorithm: JwtAlgorithm,
    pub(crate) verifier: Box<dyn TokenVerifier>,
    /// How far clocks may differ.
    pub(crate) leeway: Duration,
    /// For credentials that the gateway itself signs tokens for.
    pub(crate) signing: Option<Signing>,
}

/// How tokens of a credential are made.
pub(crate) struct Signing {
    pub(crate) signer: Box<dyn TokenSigner>,
    /// From the signature to `exp`.
    pub(crate) ttl: Duration,
}

/// A secret that signs requests.
pub(crate) struct HmacCredential {
    pub(crate) identity: Identity,
    pub(crate) secret: Secret,
}

/// All consumers, found by what a request brings.
#[derive(Default)]
pub(crate) struct Consumers {
    by_name: HashSet<ByName>,
    by_key: HashMap<Digest, Identity>,
    by_user: HashMap<Box<str>, PasswordCredential>,
    /// The hash that takes the most work to check, and how much.
    costliest: Option<(u64, Box<str>)>,
    by_token_key: HashMap<Box<str>, TokenCredential>,
    by_key_id: HashMap<Box<str>, HmacCredential>,
    by_fingerprint: HashMap<Digest, Identity>,
    /// With its kind, such as `DNS:`.
    by_certificate_name: HashMap<Box<str>, Identity>,
    /// Clients and users of authorization servers.
    parties: Overlay,
    /// Differs between any two readings of the file.
    generation: u64,
}

/// A consumer, found by its name.
struct ByName(Arc<Consumer>);

impl std::borrow::Borrow<str> for ByName {
    fn borrow(&self) -> &str {
        &self.0.username
    }
}

impl std::hash::Hash for ByName {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (*self.0.username).hash(state);
    }
}

impl PartialEq for ByName {
    fn eq(&self, other: &Self) -> bool {
        self.0.username == other.0.username
    }
}

impl Eq for ByName {}

impl Consumers {
    /// The consumer of this name.
    pub(crate) fn named(&self, username: &str) -> Option<&Arc<Consumer>> {
        self.by_name.get(username).map(|found| &found.0)
    }

    /// Who has this API key at `now`, in seconds since the epoch.
    pub(crate) fn with_key(&self, key: &Digest, now: u64) -> Result<&Identity, NotHeld> {
        held(self.by_key.get(key), |identity| identity, now)
    }

    /// The password of this user name, which need not be the name of a consumer.
    pub(crate) fn with_user(&self, user: &str, now: u64) -> Option<&PasswordCredential> {
        self.by_user.get(user).filter(|credential| credential.identity.is_good(now))
    }

    /// A hash that costs as much to check as any other here.
    pub(crate) fn costliest_password(&self) -> Option<&str> {
        self.costliest.as_ref().map(|(_, hash)| &**hash)
    }

    /// Whose tokens name this key.
    pub(crate) fn with_token_key(&self, key: &str, now: u64) -> Result<&TokenCredential, NotHeld> {
        held(self.by_token_key.get(key), |credential| &credential.identity, now)
    }

    /// Whose requests this key signs.
    pub(crate) fn with_key_id(&self, key_id: &str, now: u64) -> Result<&HmacCredential, NotHeld> {
        held(self.by_key_id.get(key_id), |credential| &credential.identity, now)
    }

    /// Who has the certificate with this fingerprint.
    pub(crate) fn with_fingerprint(&self, fingerprint: &Digest, now: u64) -> Option<&Identity> {
        self.by_fingerprint.get(fingerprint).filter(|identity| identity.is_good(now))
    }

    /// Who has certificates with this name.
    pub(crate) fn with_certificate_name(&self, name: &str, now: u64) -> Option<&Identity> {
        self.by_certificate_name.get(name).filter(|identity| identity.is_good(now))
    }

    /// The clients and users of authorization servers.
    pub(crate) fn parties(&self) -> &Overlay {
        &self.parties
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Differs between any two readings of the file: what was derived from one does not hold for the other.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }
}

/// Why a key is no consumer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotHeld {
    /// No credential has it.
    Unknown,
    /// A credential has it whose time is over.
    Expired,
}

impl NotHeld {
    /// For the log.
    pub(crate) fn why(self) -> &'static str {
        match self {
            Self::Unknown => "unknown key",
            Self::Expired => "expired",
        }
    }
}

fn held<T>(found: Option<&T>, identity: impl Fn(&T) -> &Identity, now: u64) -> Result<&T, NotHeld> {
    let found = found.ok_or(NotHeld::Unknown)?;
    if identity(found).is_good(now) { Ok(found) } else { Err(NotHeld::Expired) }
}

/// The consumers of a running gateway. Readers never wait.
pub(crate) struct ConsumerStore {
    current: ArcSwap<Consumers>,
    source: Option<Source>,
    first_state: Option<FileState>,
}

/// What tells that a file is not the one that it was.
///
/// Time and length alone do not: one digest is as long as another, and copies may keep the time of the original.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileState {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileState {
    /// The state of `file` now; `None` if there is none.
    pub(crate) fn of(file: &Path) -> Option<Self> {
        let data = std::fs::metadata(file).ok()?;
        Some(Self {
            device: data.dev(),
            inode: data.ino(),
            length: data.len(),
            modified: (data.mtime(), data.mtime_nsec()),
            changed: (data.ctime(), data.ctime_nsec()),
        })
    }
}

impl std::fmt::Debug for ConsumerStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ConsumerStore({} consumers)", self.current.load().len())
    }
}

/// Where consumers come from, and what is asked of them.
pub(crate) struct Source {
    pub(crate) file: PathBuf,
    pub(crate) secrets: SecretStore,
    /// `{value: …}` is allowed.
    pub(crate) literals: bool,
    /// Consumers that an operation names, such as the one that stands for anonymous callers.
    pub(crate) needed: HashSet<&'static str>,
    /// Reads the keys of tokens, where some API takes tokens of consumers.
    pub(crate) token_keys: Option<&'static dyn TokenKeys>,
    /// Counts for consumers that bring limits along.
    pub(crate) limits: Arc<Limits>,
    /// The authorization servers of this gateway: clients and users are theirs.
    pub(crate) authorities: Vec<Authority>,
}

impl ConsumerStore {
    /// A gateway without consumers.
    pub(crate) fn none() -> Self {
        Self { current: ArcSwap::default(), source: None, first_state: None }
    }

    /// The consumers of a file.
    ///
    /// # Errors
    /// Everything that is wrong with the file, each with its place.
    pub(crate) fn open(source: Source) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        // Before it is read: a change in between must be seen.
        let first_state = FileState::of(&source.file);
        let (consumers, remarks) = source.read()?;
        Ok((Self { current: ArcSwap::from_pointee(consumers), source: Some(source), first_state }, remarks))
    }

    /// Whether there is a file at all.
    pub(crate) fn is_configured(&self) -> bool {
        self.source.is_some()
    }

    /// The file, to watch it.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.source.as_ref().map(|source| &*source.file)
    }

    /// The file's state when it was read first.
    pub(crate) fn first_state(&self) -> Option<FileState> {
        self.first_state
    }

    /// What holds now.
    pub(crate) fn current(&self) -> arc_swap::Guard<Arc<Consumers>> {
        self.current.load()
    }

    /// Reads the file again, and tells how many consumers there are now.
    ///
    /// # Errors
    /// As for [`ConsumerStore::open`]; what held before goes on to hold.
    pub(crate) fn reload(&self) -> Result<(usize, Vec<Problem>), Vec<Problem>> {
        let Some(source) = &self.source else { return Ok((0, Vec::new())) };
        let (consumers, remarks) = source.read()?;
        let count = consumers.len();
        let before = self.current.swap(Arc::new(consumers));
        // Freeing millions takes a while: this thread may, one that serves must not. Nobody looks at them for long.
        for _ in 0..100 {
            if Arc::strong_count(&before) == 1 {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok((count, remarks))
    }
}

impl Source {
    /// Whether this text could be the file's.
    ///
    /// # Errors
    /// As for [`ConsumerStore::open`].
    pub(crate) fn check(&self, text: &str) -> Result<(), Vec<Problem>> {
        read::consumers(self, text).map(drop)
    }

    fn read(&self) -> Result<(Consumers, Vec<Problem>), Vec<Problem>> {
        static READINGS: AtomicU64 = AtomicU64::new(1);
        if std::fs::metadata(&self.file).is_ok_and(|data| !data.is_file()) {
            return Err(vec![Problem::plain(format!("{} is not a file", self.file.display()))]);
        }
        let text = std::fs::read_to_string(&self.file)
            .map_err(|error| vec![Problem::plain(format!("{} cannot be read: {error}", self.file.display()))])?;
        let (mut consumers, remarks) = read::consumers(self, &text)?;
        consumers.generation = READINGS.fetch_add(1, Relaxed);
        Ok((consumers, remarks))
    }
}
