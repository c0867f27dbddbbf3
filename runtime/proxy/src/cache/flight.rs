//! A request under way to an upstream, that others wait for.

use tokio::sync::watch;

/// How a request to an upstream went, for those who wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Landing {
    /// It is under way.
    Flying,
    /// Its response is stored.
    Stored,
    /// Its response is for nobody else: everyone asks for theirs.
    Released,
}

/// A request under way to an upstream.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(super) number: u64,
    pub(super) sender: watch::Sender<Landing>,
    /// What had been purged when it began.
    pub(super) epoch: u64,
}
