//! A value that is read again when its files change.

use std::time::Duration;

use gateway_base::file_state::FileState;
use gateway_base::problem::Problem;

/// How long what was refused stays unread, at most: it may have become valid.
pub(crate) const RETRY_INTERVAL: Duration = Duration::from_secs(60);

pub(crate) type States = Vec<Option<FileState>>;

/// What became of reading the files again.
#[derive(Debug, Default)]
pub(crate) struct Reloaded {
    /// New connections get something else than before.
    pub(crate) changed: bool,
    /// What is wrong, and what stays unchanged.
    pub(crate) refusals: Vec<String>,
    /// When to read the files again even if they stay the same.
    pub(crate) again: Option<Duration>,
}

impl Reloaded {
    /// What is at `name` stays unchanged.
    pub(crate) fn refuse(&mut self, problems: &[Problem], name: &str) {
        self.refusals.extend(problems.iter().map(ToString::to_string));
        self.refusals.push(format!("what came from {name} before stays as it was"));
        self.again_in(Some(RETRY_INTERVAL));
    }

    /// Time makes something valid.
    pub(crate) fn again_in(&mut self, wait: Option<Duration>) {
        let waits = [self.again, wait];
        self.again = waits.into_iter().flatten().min();
    }
}
