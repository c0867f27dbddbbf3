//! Passwords: argon2id (RFC 9106) on threads of its own, few at a time, and a short memory of what was right.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Block, Params, PasswordHash, PasswordHasher as _, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{hmac, rand};
use tokio::sync::Semaphore;

use gateway_base::digest::Digest;
use gateway_base::random::NoRandom;

/// What a new password is hashed with: the second recommendation of RFC 9106 §4 is 64 MiB; this is OWASP's smallest,
/// 19 MiB and two passes, about 20 ms, so that a gateway can check some tens of logins per second.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

/// What a hash in the deployment may cost: 256 MiB, 16 passes, 16 lanes.
const MAX_MEMORY_KIB: u32 = 256 * 1024;
const MAX_PASSES: u32 = 16;
const MAX_LANES: u32 = 16;

/// How long a right password is cached, and not hashed again.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// Right passwords that are remembered, in each of two generations.
const REMEMBERED: usize = 10_000;

/// Logins that wait for a thread; more get an answer to retry.
const WAITING: usize = 256;

/// How long one waits.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// Stands in for the hash of a user who does not exist: no password fits.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGF0IGFsbA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Why a hash in the deployment cannot be used. The message does not quote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PasswordHashError {
    /// It is not an argon2id hash in the PHC string format.
    #[error("`argon2id` needs a hash such as $argon2id$v=19$m=19456,t=2,p=1$salt$hash")]
    Form,
    /// To check it would take too much memory or time.
    #[error("the argon2id hash costs too much to check; m={MAX_MEMORY_KIB}, t={MAX_PASSES}, p={MAX_LANES} at most")]
    Cost,
}

/// Why a new password cannot be hashed.
#[derive(Debug, thiserror::Error)]
pub enum HashPasswordError {
    /// There is no salt.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
    /// The cost of the hash is not one that argon2 takes.
    #[error("the password cannot be hashed: {0}")]
    Parameters(#[source] argon2::Error),
    /// It cannot be computed, as without memory.
    #[error("the password cannot be hashed: {0}")]
    Hash(#[source] argon2::password_hash::Error),
}

/// Checks that `hash` is an argon2id hash in the PHC string format whose cost is bearable.
///
/// # Errors
/// What is wrong with it, without quoting it.
pub(crate) fn check(hash: &str) -> Result<(), PasswordHashError> {
    let parsed = PasswordHash::new(hash).map_err(|_| PasswordHashError::Form)?;
    let params = Params::try_from(&parsed).map_err(|_| PasswordHashError::Form)?;
    if parsed.algorithm.as_str() != "argon2id" || parsed.salt.is_none() || parsed.hash.is_none() {
        return Err(PasswordHashError::Form);
    }
    if params.m_cost() > MAX_MEMORY_KIB || params.t_cost() > MAX_PASSES || params.p_cost() > MAX_LANES {
        return Err(PasswordHashError::Cost);
    }
    Ok(())
}

/// How much work it is to check a hash.
pub(crate) fn cost(hash: &str) -> u64 {
    let params = PasswordHash::new(hash).ok().and_then(|hash| Params::try_from(&hash).ok());
    params.map_or(0, |params| u64::from(params.m_cost()) * u64::from(params.t_cost()))
}

/// The hash of a new password, in the PHC string format.
///
/// # Errors
/// The system has no random numbers or no memory.
pub fn hash(password: &[u8]) -> Result<String, HashPasswordError> {
    let mut salt = [0; 16];
    rand::fill(&mut salt).map_err(|_| NoRandom)?;
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(HashPasswordError::Parameters)?;
    let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_with_salt(password, &salt)
        .map_err(HashPasswordError::Hash)?;
    Ok(hash.to_string())
}

/// What a password is compared with.
pub enum Expected<'a> {
    /// A hash in the PHC string format.
    Argon2id(&'a str),
    /// Of a password that is kept elsewhere.
    Digest(&'a Digest),
    /// There is no such user.
    Nobody,
}

/// Checks passwords for the whole process.
pub struct Passwords {
    /// Under this key, passwords are remembered; it never leaves the process.
    key: hmac::Key,
    remembered: Mutex<Remembered>,
    threads: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// What argon2id works in, one for each thread at most: it would be tens of megabytes for each of the many threads
    /// that the work may come to, if each took memory of its own.
    buffers: Mutex<Vec<Vec<Block>>>,
}

/// A password that is to be checked.
pub struct Attempt {
    tag: [u8; 32],
    password: Box<[u8]>,
    /// What is hashed: a hash of the user's, or a stand-in, so that all attempts cost the same.
    hash: Box<str>,
    /// What decides, where the hash is only a stand-in.
    verdict: Option<bool>,
}

/// Why there is no verdict.
#[derive(Debug)]
pub struct Overloaded;

/// The one checker: however many schemes take passwords, they share its threads.
pub static PASSWORDS: LazyLock<Passwords> = LazyLock::new(Passwords::new);

impl Passwords {
    fn new() -> Self {
        let mut key = [0; 32];
        // Without random numbers nothing can be remembered safely, and TLS and tokens would not work either.
        let seeded = rand::fill(&mut key).is_ok();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            remembered: Mutex::new(Remembered {
                capacity: if seeded { REMEMBERED } else { 0 },
                ..Remembered::default()
            }),
            // Half of the machine goes on serving other routes.
            threads: Arc::new(Semaphore::new((cores / 2).max(1))),
            waiting: AtomicUsize::new(0),
            buffers: Mutex::default(),
        }
    }

    /// Whether `password` is the one that `hash` was made of.
    fn is_right(&self, password: &[u8], hash: &str) -> bool {
        let Ok(parsed) = PasswordHash::new(hash) else { return false };
        let (Some(salt), Some(expected), Ok(params)) = (parsed.salt, parsed.hash, Params::try_from(&parsed)) else {
            return false;
        };
        let version = parsed.version.and_then(|version| Version::try_from(version).ok()).unwrap_or_default();
        let lock = || self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut buffer = lock().pop().unwrap_or_default();
        if buffer.len() < params.block_count() {
            buffer.resize(params.block_count(), Block::default());
        }
        let mut found = vec![0; expected.len()];
        let blocks = params.block_count();
        let argon2 = Argon2::new(Algorithm::Argon2id, version, params);
        let hashed = argon2.hash_password_into_with_memory(password, &salt, &mut found, &mut buffer[..blocks]);
        lock().push(buffer);
        hashed.is_ok() && verify_slices_are_equal(&found, expected.as_bytes()).is_ok()
    }

    /// Whether `password` was right a short while ago; or what is to be checked. `stand_in` is a hash that costs what
    /// hashes of this deployment cost.
    pub fn recall(&self, expected: &Expected<'_>, password: &[u8], stand_in: Option<&str>) -> Result<(), Attempt> {
        let stand_in = || stand_in.unwrap_or(NOBODY);
        let (material, hash, verdict) = match expected {
            Expected::Argon2id(hash) => (hash.as_bytes(), *hash, None),
            Expected::Digest(digest) => (digest.bytes(), stand_in(), Some(**digest == Digest::of(password))),
            Expected::Nobody => (&b""[..], stand_in(), Some(false)),
        };
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&(material.len() as u64).to_be_bytes());
        context.update(material);
        context.update(password);
        let mut tag = [0; 32];
        tag.copy_from_slice(context.sign().as_ref());
        let known = self.lock().holds(&tag, Instant::now());
        if known && !matches!(expected, Expected::Nobody) {
            return Ok(());
        }
        Err(Attempt { tag, password: password.into(), hash: hash.into(), verdict })
    }

    /// Checks a password on another thread.
    ///
    /// # Errors
    /// [`Overloaded`] when too many wait already, or for too long.
    pub async fn check(&'static self, attempt: Attempt) -> Result<bool, Overloaded> {
        let _waiting = self.wait()?;
        let permit = tokio::time::timeout(CHECK_TIMEOUT, Arc::clone(&self.threads).acquire_owned()).await;
        let Ok(Ok(permit)) = permit else { return Err(Overloaded) };
        // Another request may have verified the same password while this one waited.
        if attempt.verdict != Some(false) && self.lock().holds(&attempt.tag, Instant::now()) {
            return Ok(true);
        }
        let checked = tokio::task::spawn_blocking(move || {
            // Held until the work is done, also where no request waits for it any more.
            let _permit = permit;
            let right = self.is_right(&attempt.password, &attempt.hash);
            (attempt.verdict.unwrap_or(right), attempt.tag)
        });
        let (right, tag) = checked.await.map_err(|_| Overloaded)?;
        if right {
            self.lock().keep(tag, Instant::now() + REMEMBERED_FOR);
        }
        Ok(right)
    }

    fn wait(&self) -> Result<Waiting<'_>, Overloaded> {
        let waiting = Waiting(&self.waiting);
        if self.waiting.fetch_add(1, Relaxed) < WAITING { Ok(waiting) } else { Err(Overloaded) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts one that waits, as long as it lives.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Right passwords under a key of the process, and until when they count; two generations bound the memory.
#[derive(Default)]
struct Remembered {
    capacity: usize,
    young: HashMap<[u8; 32], Instant>,
    old: HashMap<[u8; 32], Instant>,
}

impl Remembered {
    fn holds(&self, tag: &[u8; 32], now: Instant) -> bool {
        self.young.get(tag).or_else(|| self.old.get(tag)).is_some_and(|until| now < *until)
    }

    fn keep(&mut self, tag: [u8; 32], until: Instant) {
        if self.capacity == 0 {
            return;
        }
        if self.young.len() >= self.capacity {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(tag, until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_checked_for_form_and_cost() {
        assert_eq!(check(&hash(b"secret").expect("hashed")), Ok(()));
        assert_eq!(check(NOBODY), Ok(()));
        for (bad, why) in [
            ("", PasswordHashError::Form),
            ("secret", PasswordHashError::Form),
            ("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ", PasswordHashError::Form),
            (
                "$argon2i$v=19$m=19456,t=2,p=1$bm9ib2R5IGF0IGFsbA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                PasswordHashError::Form,
            ),
            (
                "$argon2id$v=19$m=4194304,t=2,p=1$bm9ib2R5IGF0IGFsbA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                PasswordHashError::Cost,
            ),
            (
                "$argon2id$v=19$m=19456,t=2000,p=1$bm9ib2R5IGF0IGFsbA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                PasswordHashError::Cost,
            ),
        ] {
            assert_eq!(check(bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn only_correct_passwords_are_cached() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let check = |attempt| runtime.block_on(PASSWORDS.check(attempt)).expect("checked");
        let digest = Digest::of(b"secret");
        let expected = Expected::Digest(&digest);
        let attempt = |password: &[u8]| PASSWORDS.recall(&expected, password, None).expect_err("not known");
        assert!(check(attempt(b"secret")));
        assert!(PASSWORDS.recall(&expected, b"secret", None).is_ok());
        assert!(!check(attempt(b"Secret")));
        assert!(PASSWORDS.recall(&expected, b"Secret", None).is_err());
        let hashed = hash(b"secret").expect("hashed");
        let hashed = Expected::Argon2id(&hashed);
        let attempt = |password: &[u8]| PASSWORDS.recall(&hashed, password, None).expect_err("another user's password");
        assert!(check(attempt(b"secret")));
        assert!(!check(attempt(b"other")));
        let nobody = PASSWORDS.recall(&Expected::Nobody, b"secret", None).expect_err("no user");
        assert!(!check(nobody));
    }

    #[test]
    fn memory_is_bounded_and_forgets() {
        let mut remembered = Remembered { capacity: 100, ..Remembered::default() };
        let now = Instant::now();
        for number in 0..10_000_u32 {
            let mut tag = [0; 32];
            tag[..4].copy_from_slice(&number.to_be_bytes());
            remembered.keep(tag, now + REMEMBERED_FOR);
            assert!(remembered.holds(&tag, now));
            assert!(!remembered.holds(&tag, now + REMEMBERED_FOR));
        }
        assert!(remembered.young.len() + remembered.old.len() <= 200);
    }
}
