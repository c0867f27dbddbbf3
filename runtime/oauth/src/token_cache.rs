//! The cache of access tokens: those looked up a moment ago are valid until the store is asked again.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use gateway_access::caller::Caller;
use gateway_access::jwt::cache::{Remembered, TokenCache};
use gateway_base::digest::Digest;

/// Bytes of cached access tokens in each part; each part has a lock.
const PART_BYTES: usize = 2 << 20;
const PARTS: usize = 16;

/// The tokens of one server.
pub(super) struct AccessTokenCache {
    /// In seconds.
    believed_for: u64,
    parts: Box<[Mutex<TokenCache<CachedToken>>]>,
    hasher: foldhash::quality::RandomState,
    /// What was looked up; another one after whatever takes many tokens away.
    generation: AtomicU64,
    revoked: Revoked,
}

impl AccessTokenCache {
    /// A cache that keeps tokens for `believed_for` seconds.
    pub(super) fn new(believed_for: u64) -> Self {
        Self {
            believed_for,
            parts: (0..PARTS).map(|_| Mutex::new(TokenCache::new(PART_BYTES))).collect(),
            hasher: foldhash::quality::RandomState::default(),
            generation: AtomicU64::new(0),
            revoked: Revoked::default(),
        }
    }

    /// Changes with whatever takes many tokens away, such as another `consumers.yaml`, whose generation is `of_parties`.
    pub(super) fn generation(&self, of_parties: u64) -> u64 {
        self.generation.load(Relaxed) << 32 | of_parties & u64::from(u32::MAX)
    }

    /// The owner of this token, if it is cached.
    pub(super) fn recall(&self, of_parties: u64, token: &str, now: u64) -> Option<Caller> {
        let known = self.part(token).get_of(self.generation(of_parties), token, now)?;
        (!self.revoked.holds(&known)).then_some(known.caller)
    }

    /// Remembers what was looked up in a generation, of a token that expires.
    pub(super) fn keep(&self, generation: u64, token: &str, known: CachedToken, expires: u64, now: u64) {
        let until = expires.min(now.saturating_add(self.believed_for));
        if until > now {
            self.part(token).insert_of(generation, token, known, until);
        }
    }

    /// Removes a token, or all of an authorization.
    pub(super) fn forget(&self, what: Digest, now: u64) {
        // What was looked up before the revocation is forgotten by then, however slow the store was.
        self.revoked.add(what, now + self.believed_for + 30, now, || self.forget_all());
    }

    /// Empties the cache.
    pub(super) fn forget_all(&self) {
        self.generation.fetch_add(1, Relaxed);
    }

    fn part(&self, token: &str) -> MutexGuard<'_, TokenCache<CachedToken>> {
        let index = self.hasher.hash_one(token) as usize % PARTS;
        self.parts[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known of an access token.
#[derive(Clone)]
pub(super) struct CachedToken {
    pub(super) caller: Caller,
    pub(super) token: Digest,
    /// Of the authorization's id.
    pub(super) authorization: Digest,
}

impl Remembered for CachedToken {
    fn weight(&self) -> usize {
        self.caller.weight() + 2 * size_of::<Digest>()
    }
}

/// Tokens and authorizations that were revoked a moment ago, while some may still be trusted.
#[derive(Default)]
struct Revoked {
    count: AtomicUsize,
    /// Until when, in seconds since the epoch.
    until: RwLock<HashMap<Digest, u64>>,
}

/// The number of revocations that are remembered one by one.
const MAX_REVOKED: usize = 1024;

impl Revoked {
    /// `forget_all` is for more than can be remembered: a list that grew would make every request slower.
    fn add(&self, what: Digest, until: u64, now: u64, forget_all: impl FnOnce()) {
        let mut revoked = self.until.write().unwrap_or_else(PoisonError::into_inner);
        if revoked.len() >= MAX_REVOKED {
            revoked.retain(|_, until| *until > now);
        }
        if revoked.len() >= MAX_REVOKED {
            forget_all();
            revoked.clear();
        }
        revoked.insert(what, until);
        self.count.store(revoked.len(), Relaxed);
    }

    fn holds(&self, known: &CachedToken) -> bool {
        if self.count.load(Relaxed) == 0 {
            return false;
        }
        let revoked = self.until.read().unwrap_or_else(PoisonError::into_inner);
        revoked.contains_key(&known.token) || revoked.contains_key(&known.authorization)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembered_revocations_are_bounded() {
        let (revoked, forgotten) = (Revoked::default(), AtomicUsize::new(0));
        for number in 0..5 * MAX_REVOKED {
            revoked.add(Digest::of(&number.to_be_bytes()), 100, 1, || {
                forgotten.fetch_add(1, Relaxed);
            });
            assert!(revoked.count.load(Relaxed) <= MAX_REVOKED);
        }
        assert_eq!(
            forgotten.load(Relaxed),
            4,
            "entries that are no longer remembered were removed with all cached tokens"
        );
    }
}
