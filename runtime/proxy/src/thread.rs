//! A serving thread, with the tasks that take its HTTP/2 streams.

use std::rc::Rc;

use crate::http2::handlers::Handlers;
use crate::worker::Worker;

/// What the connections of one thread are served with.
#[derive(Clone)]
pub(crate) struct Thread {
    pub(crate) worker: Rc<Worker>,
    pub(crate) handlers: Rc<Handlers>,
}

impl Thread {
    pub(crate) fn new(worker: Worker) -> Self {
        Self { worker: Rc::new(worker), handlers: Rc::default() }
    }

    /// The regular work between requests; runs until it is dropped.
    pub(crate) async fn tick(self) {
        self.worker.tick(|| self.handlers.prune()).await;
    }
}
