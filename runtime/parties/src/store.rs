//! The consumers that hold now, and the file they come from.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::consumers::Consumers;
use crate::source::Source;
use gateway_base::file_state::FileState;
use gateway_base::problem::Problem;

/// The consumers of a running gateway. Readers never wait.
pub struct ConsumerStore {
    current: ArcSwap<Consumers>,
    source: Option<Source>,
    first_state: Option<FileState>,
}

impl std::fmt::Debug for ConsumerStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ConsumerStore({} consumers)", self.current.load().len())
    }
}

impl ConsumerStore {
    /// A gateway without consumers.
    pub fn none() -> Self {
        Self { current: ArcSwap::default(), source: None, first_state: None }
    }

    /// The consumers of a file.
    ///
    /// # Errors
    /// Everything that is wrong with the file, each with its place.
    pub fn open(source: Source) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        // Before it is read: a change in between must be seen.
        let first_state = FileState::of(&source.file);
        let (consumers, remarks) = source.read()?;
        Ok((Self { current: ArcSwap::from_pointee(consumers), source: Some(source), first_state }, remarks))
    }

    /// Whether there is a file at all.
    pub fn is_configured(&self) -> bool {
        self.source.is_some()
    }

    /// The file, to watch it.
    pub fn file(&self) -> Option<&Path> {
        self.source.as_ref().map(|source| &*source.file)
    }

    /// The file's state when it was read first.
    pub fn first_state(&self) -> Option<FileState> {
        self.first_state
    }

    /// What holds now.
    pub fn current(&self) -> arc_swap::Guard<Arc<Consumers>> {
        self.current.load()
    }

    /// Reads the file again, and returns how many consumers there are now.
    ///
    /// # Errors
    /// As for [`ConsumerStore::open`]; the previous consumers stay in force.
    pub fn reload(&self) -> Result<(usize, Vec<Problem>), Vec<Problem>> {
        let Some(source) = &self.source else { return Ok((0, Vec::new())) };
        let (consumers, remarks) = source.read()?;
        let count = consumers.len();
        let before = self.current.swap(Arc::new(consumers));
        // Freeing millions takes a while: this thread may, one that serves must not. No reader holds them for long.
        for _ in 0..100 {
            if Arc::strong_count(&before) == 1 {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok((count, remarks))
    }
}
