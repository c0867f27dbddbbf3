//! A timer that is cheap to move.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

/// A deadline that moves with every request and rarely passes.
///
/// The timer behind it is armed once and left alone while the deadline moves away; only when it fires is it armed
/// again. A request costs no timer operation.
pub struct Deadline {
    sleep: Pin<Box<Sleep>>,
    armed: Instant,
}

impl Deadline {
    /// A deadline that no one has asked for yet.
    pub fn new(at: Instant) -> Self {
        Self { sleep: Box::pin(sleep_until(at)), armed: at }
    }

    /// Ready once `at` has passed.
    pub fn poll_at(&mut self, cx: &mut Context<'_>, at: Instant) -> Poll<()> {
        if at < self.armed {
            self.arm(at);
        }
        while self.sleep.as_mut().poll(cx).is_ready() {
            if Instant::now() >= at {
                return Poll::Ready(());
            }
            self.arm(at);
        }
        Poll::Pending
    }

    fn arm(&mut self, at: Instant) {
        self.sleep.as_mut().reset(at);
        self.armed = at;
    }
}
