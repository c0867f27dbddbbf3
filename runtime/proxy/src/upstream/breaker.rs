//! How many requests of an upstream are under way, up to a bound.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Counts those that are in.
#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicU32);

/// One that is in, until this is dropped.
#[derive(Debug)]
pub(crate) struct Entered<'a>(&'a Gauge);

impl Gauge {
    /// Lets one in; `None` where there are `most` already.
    pub(crate) fn enter(&self, most: u32) -> Option<Entered<'_>> {
        if self.0.fetch_add(1, Relaxed) < most {
            return Some(Entered(self));
        }
        self.0.fetch_sub(1, Relaxed);
        None
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_requests_than_the_bound_are_admitted() {
        let gauge = Gauge::default();
        let (one, two) = (gauge.enter(2), gauge.enter(2));
        assert!(one.is_some() && two.is_some() && gauge.enter(2).is_none());
        drop(one);
        assert!(gauge.enter(2).is_some() && gauge.enter(0).is_none());
    }
}
