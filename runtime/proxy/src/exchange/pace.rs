//! How long a client may keep an exchange waiting: one that moves a byte now and then meets every deadline that
//! restarts with each byte, and holds a connection to the upstream as long as it likes.

use std::time::Duration;

use tokio::time::Instant;

/// Time that a client may still take, which waiting uses up and bytes bring back.
#[derive(Debug)]
pub(crate) struct Pace {
    left: Duration,
    most: Duration,
    /// Bytes per second; nothing is asked of the client at 0.
    least: u64,
    moved: u64,
    waiting_since: Option<Instant>,
}

impl Pace {
    /// `least` bytes per second on average; a client may pause for `most`.
    pub(crate) fn new(least: u64, most: Duration) -> Self {
        Self { left: most, most, least, moved: 0, waiting_since: None }
    }

    /// The wait is over, or goes on: `moved` bytes went to and from the client so far.
    pub(crate) fn goes_on(&mut self, now: impl FnOnce() -> Instant, moved: u64) {
        let Some(since) = self.waiting_since.take() else { return };
        let bytes = moved.saturating_sub(self.moved);
        self.moved = moved;
        self.left = self.left.saturating_sub(now().saturating_duration_since(since));
        if bytes > 0 {
            self.left =
                (self.left + Duration::from_secs(bytes) / u32::try_from(self.least).unwrap_or(u32::MAX)).min(self.most);
        }
    }

    /// It is the client's turn; says by when it has to do something.
    pub(crate) fn waits(&mut self, now: impl FnOnce() -> Instant) -> Option<Instant> {
        if self.least == 0 {
            return None;
        }
        Some(*self.waiting_since.get_or_insert_with(now) + self.left)
    }

    /// The client has used up its time.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.waiting_since.is_some_and(|since| now.saturating_duration_since(since) >= self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Duration = Duration::from_secs(10);

    const HOUR: Duration = Duration::from_secs(3600);

    /// How long a client lasts that moves some bytes after each pause; at most an hour.
    fn lasts(pause: Duration, bytes: u64) -> Duration {
        let started = Instant::now();
        let (mut now, mut moved) = (started, 0);
        let mut pace = Pace::new(100, MOST);
        while now - started < HOUR {
            let until = pace.waits(|| now).expect("there is a least");
            now = until.min(now + pause);
            if pace.is_over(now) {
                break;
            }
            moved += bytes;
            pace.goes_on(|| now, moved);
        }
        now - started
    }

    #[test]
    fn trickling_clients_are_ended() {
        let second = Duration::from_secs(1);
        assert_eq!(lasts(MOST * 2, 0), MOST);
        // A byte a second gives back a hundredth of what it takes.
        let trickle = lasts(second, 1);
        assert!((MOST..MOST + second).contains(&trickle), "{trickle:?}");
        assert!(lasts(second * 9, 100) < second * 20, "pauses may be long, not one after the other");
    }

    #[test]
    fn clients_that_keep_pace_are_not_ended() {
        assert!(lasts(Duration::from_secs(1), 100) >= HOUR);
        assert!(lasts(Duration::from_secs(9), 900) >= HOUR);
        assert!(Pace::new(0, MOST).waits(Instant::now).is_none());
    }
}
