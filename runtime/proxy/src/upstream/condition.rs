//! Whether a member of an upstream is well, as its checks say.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use crate::tables::Health;

/// What the checks of a member have found. Only the checking thread changes it.
#[derive(Debug, Default)]
pub(crate) struct Condition {
    is_unhealthy: AtomicBool,
    /// Answers in a row that say the opposite.
    contrary: AtomicU32,
}

impl Condition {
    /// It gets no requests.
    pub(crate) fn is_unhealthy(&self) -> bool {
        self.is_unhealthy.load(Relaxed)
    }

    /// It is taken for healthy again, as at the start.
    pub(crate) fn forget(&self) {
        self.is_unhealthy.store(false, Relaxed);
        self.contrary.store(0, Relaxed);
    }

    /// Counts an answer; true if it was the one that changes the condition.
    pub(crate) fn count(&self, is_good: bool, rule: &Health) -> bool {
        let is_unhealthy = self.is_unhealthy();
        if is_good != is_unhealthy {
            self.contrary.store(0, Relaxed);
            return false;
        }
        let needed = if is_unhealthy { rule.healthy } else { rule.unhealthy };
        if self.contrary.fetch_add(1, Relaxed).saturating_add(1) < needed {
            return false;
        }
        self.contrary.store(0, Relaxed);
        self.is_unhealthy.store(!is_unhealthy, Relaxed);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const RULE: Health = Health {
        path: "/",
        every: Duration::from_secs(1),
        timeout: Duration::from_secs(1),
        healthy: 2,
        unhealthy: 3,
        status: &[(200, 299)],
    };

    #[test]
    fn answers_in_a_row_change_the_condition() {
        let condition = Condition::default();
        let mut said = String::new();
        for answer in "--+---+-++--+---".chars() {
            condition.count(answer == '+', &RULE);
            said.push(if condition.is_unhealthy() { 'u' } else { 'h' });
        }
        assert_eq!(said, "hhhhhuuuuhhhhhhu");
    }
}
