//! Numbers of upstreams and of what is in the pools of workers: each once in a process.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

static NEXT: AtomicUsize = AtomicUsize::new(0);

/// A number that nothing else has. Workers keep their connections when a deployment is replaced: those to another address
/// are not taken for the new one's.
pub(crate) fn next_number() -> usize {
    NEXT.fetch_add(1, Relaxed)
}
