//! The registered parties: who they are, and by which credentials they are known.
//!
//! They live in `consumers.yaml`, beside the documents and never in them. The file is read again when it changes; a
//! broken one is refused as a whole and the old one stays.

mod read;

use std::collections::{HashMap, HashSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::config::Problem;
use crate::digest::Digest;
use crate::secret::{Secret, SecretStore};

/// A registered party.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Consumer {
    /// The unique name.
    pub(crate) username: Box<str>,
    pub(crate) group: Option<Box<str>>,
    pub(crate) roles: Arc<[Box<str>]>,
    /// The label `customId`.
    pub(crate) custom_id: Option<Box<str>>,
}

/// A consumer and the credential by which it was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) consumer: Arc<Consumer>,
    /// The credential's `id`, if it has one.
    pub(crate) credential: Option<Arc<str>>,
}

/// All consumers, found by what a request brings.
#[derive(Default)]
pub(crate) struct Consumers {
    by_name: HashMap<Box<str>, Arc<Consumer>>,
    by_key: HashMap<Digest, Identity>,
    by_key_id: HashMap<Box<str>, HmacCredential>,
}

/// A secret that signs requests.
pub(crate) struct HmacCredential {
    pub(crate) identity: Identity,
    pub(crate) secret: Secret,
}

impl Consumers {
    /// The consumer of this name.
    pub(crate) fn named(&self, username: &str) -> Option<&Arc<Consumer>> {
        self.by_name.get(username)
    }

    /// Who has this API key.
    pub(crate) fn with_key(&self, key: &Digest) -> Option<&Identity> {
        self.by_key.get(key)
    }

    /// Whose requests this key signs.
    pub(crate) fn with_key_id(&self, key_id: &str) -> Option<&HmacCredential> {
        self.by_key_id.get(key_id)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }
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

struct Source {
    file: PathBuf,
    secrets: SecretStore,
    /// `{value: …}` is allowed.
    literals: bool,
    /// Consumers that an operation names, such as the one that stands for anonymous callers.
    needed: HashSet<&'static str>,
}

impl ConsumerStore {
    /// A gateway without consumers.
    pub(crate) fn none() -> Self {
        Self { current: ArcSwap::default(), source: None, first_state: None }
    }

    /// The consumers of `file`.
    ///
    /// # Errors
    /// Everything that is wrong with the file, each with its place.
    pub(crate) fn open(
        file: &Path,
        secrets: SecretStore,
        literals: bool,
        needed: HashSet<&'static str>,
    ) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        let source = Source { file: file.to_owned(), secrets, literals, needed };
        // Before it is read: a change in between must be seen.
        let first_state = FileState::of(file);
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
        self.current.store(Arc::new(consumers));
        Ok((count, remarks))
    }
}

impl Source {
    fn read(&self) -> Result<(Consumers, Vec<Problem>), Vec<Problem>> {
        if std::fs::metadata(&self.file).is_ok_and(|data| !data.is_file()) {
            return Err(vec![Problem::plain(format!("{} is not a file", self.file.display()))]);
        }
        let text = std::fs::read_to_string(&self.file)
            .map_err(|error| vec![Problem::plain(format!("{} cannot be read: {error}", self.file.display()))])?;
        read::consumers(&self.file, &text, &self.secrets, self.literals, &self.needed)
    }
}
