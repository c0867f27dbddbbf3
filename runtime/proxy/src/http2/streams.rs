//! What the streams of one HTTP/2 connection share.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::worker::Worker;
use gateway_wire::downstream::PeerInfo;

/// Streams that a client may break off before it has its answer: at once, and per second. Each may have cost
/// a connection to an upstream.
pub(crate) const MAX_CANCELLED: f64 = 100.0;
const CANCELLED_PER_SECOND: f64 = 10.0;

/// What the streams of a connection have in common.
pub(crate) struct ClientStreams {
    pub(crate) worker: Rc<Worker>,
    /// The place of the listener that it came in at.
    pub(crate) listener: usize,
    pub(crate) known: PeerInfo,
    pub(crate) streams: Cell<usize>,
    /// No stream is open.
    pub(crate) idle: Rc<Cell<bool>>,
    pub(crate) idle_since: Cell<Instant>,
    /// How many streams the client may still break off, and since when that is known.
    pub(crate) patience: Cell<(f64, Instant)>,
    /// The client has broken off too many, or has us answer too much.
    pub(crate) has_enough: Notify,
    /// Streams whose trailers are malformed, until their reader asks.
    pub(crate) malformed: RefCell<HashSet<u32>>,
}

impl ClientStreams {
    /// Counts a stream that the client has broken off; says whether that was one too many.
    pub(crate) fn loses_patience(&self) -> bool {
        let ((left, since), now) = (self.patience.get(), self.worker.now());
        let regained = now.saturating_duration_since(since).as_secs_f64() * CANCELLED_PER_SECOND;
        let left = (left + regained).min(MAX_CANCELLED) - 1.0;
        self.patience.set((left, now));
        left < 0.0
    }
}

/// A stream that is counted while it lasts.
pub(crate) struct Open(pub(crate) Rc<ClientStreams>);

impl Open {
    pub(crate) fn on(client: &Rc<ClientStreams>) -> Self {
        client.streams.set(client.streams.get() + 1);
        client.idle.set(false);
        Self(Rc::clone(client))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let left = self.0.streams.get() - 1;
        self.0.streams.set(left);
        if left == 0 {
            self.0.idle.set(true);
            self.0.idle_since.set(self.0.worker.recently());
        }
    }
}
