//! The memory of bodies that are held whole while they are checked: together they take no more than a deployment admits.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What may be taken, and what is.
#[derive(Debug)]
pub struct BodyMemory {
    limit: u64,
    taken: AtomicU64,
}

impl BodyMemory {
    /// Memory for `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Self { limit, taken: AtomicU64::new(0) }
    }

    /// Takes memory for a body; [`None`] where there is not enough left.
    pub(crate) fn take(&'static self, bytes: u64) -> Option<Taken> {
        let add = |taken: u64| taken.checked_add(bytes).filter(|taken| *taken <= self.limit);
        self.taken.fetch_update(Relaxed, Relaxed, add).ok()?;
        Some(Taken { memory: self, bytes })
    }
}

/// Memory that one body has; it is given back with this.
#[derive(Debug)]
pub(crate) struct Taken {
    memory: &'static BodyMemory,
    bytes: u64,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.memory.taken.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_taken_up_to_the_limit_and_given_back() {
        let memory: &'static BodyMemory = Box::leak(Box::new(BodyMemory::new(100)));
        let first = memory.take(60).unwrap();
        assert!(memory.take(41).is_none() && memory.take(u64::MAX).is_none());
        let second = memory.take(40).unwrap();
        drop((first, second));
        assert!(memory.take(100).is_some());
    }
}
