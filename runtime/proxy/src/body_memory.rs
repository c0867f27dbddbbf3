//! Memory that all requests together take no more of than a deployment admits: that of bodies that are held whole while
//! they are checked, and that of encoders.

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

    /// For a body of which nothing has come yet.
    pub(crate) fn nothing(&'static self) -> Taken {
        Taken { memory: self, bytes: 0 }
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

/// Memory is taken in pieces of this size for bodies of which more and more comes.
const PIECE: u64 = 16 << 10;

impl Taken {
    /// Takes as much more as a body of this size needs; says whether there is enough.
    pub(crate) fn grow(&mut self, bytes: u64) -> bool {
        if bytes <= self.bytes {
            return true;
        }
        let more = bytes.next_multiple_of(PIECE) - self.bytes;
        let Some(taken) = self.memory.take(more) else { return false };
        std::mem::forget(taken);
        self.bytes += more;
        true
    }
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
        let first = memory.take(60).expect("there is enough");
        assert!(memory.take(41).is_none() && memory.take(u64::MAX).is_none());
        let second = memory.take(40).expect("there is enough");
        drop((first, second));
        assert!(memory.take(100).is_some());
    }

    #[test]
    fn memory_is_taken_as_a_body_comes() {
        let memory: &'static BodyMemory = Box::leak(Box::new(BodyMemory::new(3 * PIECE)));
        let (mut one, mut other) = (memory.nothing(), memory.nothing());
        assert!(one.grow(1) && one.grow(PIECE) && other.grow(PIECE + 1));
        assert!(!one.grow(PIECE + 1));
        drop(other);
        assert!(one.grow(3 * PIECE) && !one.grow(3 * PIECE + 1));
        drop(one);
        assert!(memory.take(3 * PIECE).is_some());
    }
}
