//! Whether a provider answers: counted in the metrics, and logged when it changes.

use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use gateway_base::{error, info};

/// What is known of the exchanges with one provider.
#[derive(Debug)]
pub struct Health {
    /// Its URL without the query.
    pub provider: Box<str>,
    pub succeeded: AtomicU64,
    pub failed: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last_success: Option<Instant>,
    failing: bool,
}

impl Health {
    pub(crate) fn new(provider: &impl Display) -> Self {
        Self {
            provider: provider.to_string().into(),
            succeeded: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            state: Mutex::default(),
        }
    }

    /// Counts an exchange that went well; says whether that is news.
    fn succeed(&self) -> bool {
        self.succeeded.fetch_add(1, Relaxed);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.last_success = Some(Instant::now());
        std::mem::take(&mut state.failing)
    }

    /// Counts an exchange that did not; says whether that is news.
    fn fail(&self) -> bool {
        self.failed.fetch_add(1, Relaxed);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        !std::mem::replace(&mut state.failing, true)
    }

    /// Counts and logs.
    pub(crate) fn note(&self, result: Result<(), &dyn Display>, consequence: &str) {
        match result {
            Ok(()) if self.succeed() => info!(format_args!("provider {}", self.provider), "answers again"),
            Ok(()) => {}
            Err(problem) if self.fail() => {
                error!(format_args!("provider {}", self.provider), "{problem}; {consequence}")
            }
            Err(_) => {}
        }
    }

    /// How long ago an exchange last went well.
    pub fn last_success_age(&self) -> Option<Duration> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.last_success.map(|at| at.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_are_reported() {
        let health = Health::new(&"https://idp.example");
        assert_eq!(health.last_success_age(), None);
        assert!(!health.succeed(), "nothing was wrong");
        assert!(health.fail());
        assert!(!health.fail());
        assert!(health.succeed());
        assert!(!health.succeed());
        assert_eq!((health.succeeded.load(Relaxed), health.failed.load(Relaxed)), (3, 2));
        assert!(health.last_success_age().is_some());
    }
}
