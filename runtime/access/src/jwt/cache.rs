//! Remembers verified tokens, so that a token's signature is checked once and not per request.

use std::collections::HashMap;
use std::collections::hash_map::IntoIter;

use crate::caller::Caller;

/// Entries of a forgotten generation that each insertion frees.
const FREED_PER_INSERT: usize = 2;

/// A bounded map from token to caller, or to what else was found out about it.
///
/// Two generations: when the young one is full it becomes the old one, and what is still in use moves over as it is
/// met. That bounds memory without a list to maintain per hit; a third of it is for the generation that is being freed.
pub struct TokenCache<V = Caller> {
    young: Generation<V>,
    old: Generation<V>,
    /// What is forgotten, freed a little at a time: a whole generation at once would hold up the request that it meets.
    dying: Option<IntoIter<Box<str>, Entry<V>>>,
    /// Bytes that one generation may hold.
    capacity: usize,
    /// Which keys everything here was verified with.
    keys: u64,
}

struct Generation<V> {
    entries: HashMap<Box<str>, Entry<V>, foldhash::fast::RandomState>,
    bytes: usize,
}

impl<V> Default for Generation<V> {
    fn default() -> Self {
        Self { entries: HashMap::default(), bytes: 0 }
    }
}

struct Entry<V> {
    value: V,
    until: u64,
}

impl<V> std::fmt::Debug for TokenCache<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenCache").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

/// What can be remembered of a token.
pub trait Remembered: Clone {
    /// The bytes that it holds elsewhere.
    fn weight(&self) -> usize;
}

impl Remembered for Caller {
    fn weight(&self) -> usize {
        let issuer = self.issuer.as_ref().map_or(0, |issuer| issuer.len() + 16);
        self.subject.len() + issuer + self.scopes.iter().map(|scope| scope.len() + 32).sum::<usize>()
    }
}

/// Why a token is invalid.
impl Remembered for &'static str {
    fn weight(&self) -> usize {
        0
    }
}

impl<V: Remembered> TokenCache<V> {
    /// A cache that holds up to `bytes` of tokens and what is known of them.
    pub fn new(bytes: usize) -> Self {
        Self { young: Generation::default(), old: Generation::default(), dying: None, capacity: bytes / 3, keys: 0 }
    }

    /// Who sent `token`, if it was verified before and is still valid at `now` (seconds since the epoch).
    pub(crate) fn get(&mut self, token: &str, now: u64) -> Option<V> {
        if let Some(entry) = self.young.entries.get(token) {
            return (now < entry.until).then(|| entry.value.clone());
        }
        let (token, entry) = self.old.entries.remove_entry(token)?;
        if now >= entry.until {
            return None;
        }
        let value = entry.value.clone();
        self.keep(token, entry);
        Some(value)
    }

    /// What is remembered of `token` at `now`, in seconds since the epoch. What was verified with keys other than
    /// `keys` is forgotten.
    pub fn get_of(&mut self, keys: u64, token: &str, now: u64) -> Option<V> {
        if self.keys != keys {
            (self.young, self.old) = Default::default();
            self.keys = keys;
        }
        self.get(token, now)
    }

    /// Remembers a verified token until `until`, seconds since the epoch.
    pub(crate) fn insert(&mut self, token: &str, value: V, until: u64) {
        self.keep(Box::from(token), Entry { value, until });
    }

    /// Remembers until `until`, in seconds since the epoch, a token that was verified with `keys`; does nothing where
    /// the keys have changed in the meantime.
    pub fn insert_of(&mut self, keys: u64, token: &str, value: V, until: u64) {
        if self.keys == keys {
            self.insert(token, value, until);
        }
    }

    fn keep(&mut self, token: Box<str>, entry: Entry<V>) {
        // Beside the text: the entry, its share of the table, and what the value holds.
        let weight = token.len() + entry.value.weight() + 160;
        if self.young.bytes + weight > self.capacity {
            let forgotten = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
            self.dying = Some(forgotten.entries.into_iter());
        }
        if let Some(dying) = &mut self.dying {
            // Twice as fast as the young generation fills with tokens of the same size.
            dying.nth(FREED_PER_INSERT - 1);
        }
        self.young.bytes += weight;
        self.young.entries.insert(token, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(name: &str) -> Caller {
        Caller {
            subject: name.into(),
            scopes: [].into(),
            client: None,
            user: None,
            issuer: None,
            identity: None,
            expires: u64::MAX,
        }
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
    fn other_keys_forget_everything() {
        let mut cache = TokenCache::new(1 << 16);
        assert_eq!(cache.get_of(3, "a.b.c", 1), None);
        cache.insert_of(3, "a.b.c", caller("ann"), 100);
        assert!(cache.get_of(3, "a.b.c", 1).is_some());
        assert_eq!(cache.get_of(4, "a.b.c", 1), None);
        cache.insert_of(3, "a.b.c", caller("ann"), 100);
        assert_eq!(cache.get_of(4, "a.b.c", 1), None, "verified with keys that are gone");
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
