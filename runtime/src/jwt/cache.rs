//! Remembers verified tokens, so that a token's signature is checked once and not per request.

use std::collections::HashMap;

use crate::access::Caller;

/// A bounded map from token to caller.
///
/// Two generations: when the young one is full it becomes the old one, and what is still in use moves over as it is
/// met. That bounds memory without a list to maintain per hit.
pub(crate) struct TokenCache {
    young: Generation,
    old: Generation,
    /// Bytes that one generation may hold.
    capacity: usize,
    /// Of the keys that verified the tokens.
    keys: u64,
}

#[derive(Default)]
struct Generation {
    entries: HashMap<Box<str>, Entry, foldhash::fast::RandomState>,
    bytes: usize,
}

#[derive(Clone)]
struct Entry {
    caller: Caller,
    until: u64,
}

impl TokenCache {
    /// A cache that holds up to `bytes` of tokens and callers.
    pub(crate) fn new(bytes: usize) -> Self {
        Self { young: Generation::default(), old: Generation::default(), capacity: bytes / 2, keys: 0 }
    }

    /// Who sent `token`, if it was verified before and is still valid at `now` (seconds since the epoch).
    pub(crate) fn get(&mut self, token: &str, now: u64) -> Option<Caller> {
        if let Some(entry) = self.young.entries.get(token) {
            return (now < entry.until).then(|| entry.caller.clone());
        }
        let (token, entry) = self.old.entries.remove_entry(token)?;
        if now >= entry.until {
            return None;
        }
        let caller = entry.caller.clone();
        self.keep(token, entry);
        Some(caller)
    }

    /// As [`TokenCache::get`], where keys change: what was verified with others than `keys` is forgotten.
    pub(crate) fn get_of(&mut self, keys: u64, token: &str, now: u64) -> Option<Caller> {
        if self.keys != keys {
            (self.young, self.old) = Default::default();
            self.keys = keys;
        }
        self.get(token, now)
    }

    /// Remembers a verified token until `until`, seconds since the epoch.
    pub(crate) fn insert(&mut self, token: &str, caller: Caller, until: u64) {
        self.keep(Box::from(token), Entry { caller, until });
    }

    fn keep(&mut self, token: Box<str>, entry: Entry) {
        // Beside the text: the entry, its share of the table, and the allocations of the caller.
        let weight = token.len()
            + entry.caller.subject.len()
            + entry.caller.scopes.iter().map(|scope| scope.len() + 32).sum::<usize>()
            + 160;
        if self.young.bytes + weight > self.capacity {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.bytes += weight;
        self.young.entries.insert(token, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(name: &str) -> Caller {
        Caller { subject: name.into(), scopes: [].into(), identity: None }
    }

    #[test]
    fn an_entry_ends_at_its_time() {
        let mut cache = TokenCache::new(1 << 16);
        cache.insert("a.b.c", caller("ann"), 100);
        assert_eq!(cache.get("a.b.c", 99), Some(caller("ann")));
        assert_eq!(cache.get("a.b.c", 100), None);
        assert_eq!(cache.get("a.b.d", 99), None);
    }

    #[test]
    fn memory_is_bounded_and_what_is_used_stays() {
        let mut cache = TokenCache::new(64 << 10);
        cache.insert("hot", caller("hot"), 100);
        for number in 0..10_000 {
            cache.insert(&format!("cold-{number}"), caller("cold"), 100);
            assert!(cache.get("hot", 1).is_some(), "lost after {number}");
        }
        assert!(cache.young.bytes + cache.old.bytes <= 64 << 10);
    }
}
