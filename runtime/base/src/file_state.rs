//! Whether a file has changed.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

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
