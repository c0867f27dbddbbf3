//! Whether files have changed.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

/// How often watched files are checked.
pub const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// Detects that a file has changed.
///
/// Time and length alone do not: one digest is as long as another, and copies may keep the time of the original.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileState {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileState {
    /// The state of `file` now; `None` if there is none.
    pub fn of(file: &Path) -> Option<Self> {
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

/// Watched files: their state `S` when they were read last.
#[derive(Debug)]
pub struct Watch<S> {
    known: S,
    pending: Option<S>,
}

impl<S: Clone + PartialEq> Watch<S> {
    /// Files that were read in the state `known`.
    pub fn new(known: S) -> Self {
        Self { known, pending: None }
    }

    /// Whether the files differ from those that were read.
    pub fn differs(&self, now: &S) -> bool {
        *now != self.known
    }

    /// Whether the files are to be read now: `at_once`, or because they have changed and look the same twice in a row. A
    /// writer may still be at work before.
    pub fn is_due(&mut self, now: S, at_once: bool) -> bool {
        let is_settled = self.differs(&now) && self.pending.replace(now.clone()).as_ref() == Some(&now);
        if !at_once && !is_settled {
            return false;
        }
        (self.known, self.pending) = (now, None);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_when_they_have_settled() {
        let mut watch = Watch::new(1);
        let looks = [(1, false), (2, false), (3, false), (3, true), (3, false), (4, false), (1, false), (1, true)];
        for (index, (state, is_due)) in looks.into_iter().enumerate() {
            assert_eq!(watch.is_due(state, false), is_due, "look {index}");
        }
        assert!(watch.is_due(1, true) && !watch.is_due(1, false));
    }
}
