//! Tasks that handle streams, each one after the other.
//!
//! A task of its own for each stream would be made, moved into place, given a timer and buffers, and taken apart again:
//! together a tenth of what a short request costs.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;

use crate::http2::job::{Job, handle};
use gateway_wire::downstream::StreamBuffers;

/// The number that a worker keeps even without work for them: they take about the memory of as many idle connections.
const MIN_IDLE: usize = 8;

/// How far ahead a new timer is set. A deadline that is nearer resets it; one that is farther away does not, until it
/// has passed.
const FIRST_DEADLINE: Duration = Duration::from_secs(1);

/// The tasks of one worker that wait for a stream.
#[derive(Default)]
pub(crate) struct Handlers(Rc<Idle>);

#[derive(Default)]
struct Idle {
    /// The one that has waited the shortest is last.
    handlers: RefCell<Vec<Rc<Handler>>>,
    /// How many of them were not needed since the last call of `prune`.
    unneeded: Cell<usize>,
}

/// What a waiting task and those who need it have in common.
#[derive(Default)]
struct Handler {
    job: Cell<Option<Job>>,
    /// It is not needed any more.
    dismissed: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

impl Handlers {
    /// Has a task handle `job`. If it panics, it is the only one.
    pub(super) fn handle(&self, job: Job) {
        let mut handlers = self.0.handlers.borrow_mut();
        let Some(handler) = handlers.pop() else {
            let idle = Rc::clone(&self.0);
            tokio::task::spawn_local(work(idle, job));
            return;
        };
        self.0.unneeded.set(self.0.unneeded.get().min(handlers.len()));
        handler.job.set(Some(job));
        handler.wake();
    }

    /// Drops those that were not needed since the last call.
    pub(crate) fn prune(&self) {
        let mut handlers = self.0.handlers.borrow_mut();
        let unneeded = self.0.unneeded.get().min(handlers.len().saturating_sub(MIN_IDLE));
        for handler in handlers.drain(..unneeded) {
            handler.dismissed.set(true);
            handler.wake();
        }
        self.0.unneeded.set(handlers.len());
    }
}

impl Handler {
    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Waits for something to do; `None` once nothing more will come.
    async fn next(&self) -> Option<Job> {
        poll_fn(|cx| match self.job.take() {
            Some(job) => Poll::Ready(Some(job)),
            None if self.dismissed.get() => Poll::Ready(None),
            None => {
                self.waker.set(Some(cx.waker().clone()));
                Poll::Pending
            }
        })
        .await
    }
}

/// Handles `job`, and then what comes.
async fn work(idle: Rc<Idle>, mut job: Job) {
    let handler = Rc::new(Handler::default());
    let mut buffers = StreamBuffers::new(Instant::now() + FIRST_DEADLINE);
    loop {
        buffers = handle(job, buffers).await;
        idle.handlers.borrow_mut().push(Rc::clone(&handler));
        let Some(next) = handler.next().await else { return };
        job = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_were_not_needed_leave() {
        let handlers = Handlers::default();
        handlers.0.handlers.borrow_mut().extend((0..MIN_IDLE + 5).map(|_| Rc::default()));
        let left = |handlers: &Handlers| handlers.0.handlers.borrow().len() - MIN_IDLE;
        // What was needed in the meantime is not known at first.
        handlers.prune();
        assert_eq!(left(&handlers), 5);
        // Two are needed and come back.
        let taken: Vec<_> = handlers.0.handlers.borrow_mut().drain(MIN_IDLE + 3..).collect();
        handlers.0.unneeded.set(MIN_IDLE + 3);
        handlers.0.handlers.borrow_mut().extend(taken.iter().cloned());
        handlers.prune();
        assert_eq!(left(&handlers), 0);
        handlers.prune();
        assert_eq!(left(&handlers), 0);
        assert!(taken.iter().all(|handler| !handler.dismissed.get()));
    }
}
