//! A rate limit as it is charged, and the parts of its key.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use crate::algorithm::{Algorithm, Formula};
use crate::store::Store;
use crate::table::{Charge, KeyHash, LimitId};
use crate::tables::{LimitKey, OnStoreError, StoreMode};
use gateway_base::address::Address;

/// A limit as requests meet it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The number of the limit, under which its counters are kept.
    pub id: LimitId,
    /// The name in header fields and in a consumer's keys.
    pub name: Cow<'static, str>,
    /// How requests are admitted.
    pub algorithm: Algorithm,
    /// The parts of the key, in order; requests with equal parts share a counter.
    pub key: &'static [LimitKey],
    /// A request without any part of the key is not counted; otherwise it is counted by address.
    pub skips_missing_key: bool,
    /// The status of a refusal.
    pub status: u16,
    /// JSON text; empty for the usual.
    pub body: Cow<'static, str>,
    /// The header fields that the client gets.
    pub headers: RuleHeaders,
    /// What one request takes of the limit.
    pub cost: u64,
    /// A consumer brings it along.
    pub is_own: bool,
    /// Who counts, if not this process.
    pub store: Option<RuleStore>,
}

/// The header fields that show clients the state of a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleHeaders {
    /// None but `Retry-After` in a refusal.
    None,
    /// `RateLimit`, `RateLimit-Policy` and `X-RateLimit-…`.
    Default,
    /// `X-<prefix>-RateLimit-…`.
    Prefixed(Cow<'static, str>),
}

/// A limit that a consumer brings along.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OwnLimit {
    /// The name in header fields, and a part of the key: visible ASCII without quotes and backslashes.
    pub name: String,
    /// How requests are admitted.
    pub algorithm: Algorithm,
    /// The status of a refusal.
    pub status: u16,
    /// JSON text; empty for the usual.
    pub body: String,
    /// Whether clients get header fields, and with which prefix.
    pub headers: Option<String>,
    /// The store that counts; `None` for this process.
    pub store: Option<OwnStore>,
}

/// A store that counts for a consumer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OwnStore {
    /// The store's name in `gateway.yaml`.
    pub name: String,
    /// How often the store is asked.
    pub mode: StoreMode,
    /// What happens to a request when the store does not answer.
    pub on_error: OnStoreError,
}

/// Whose requests are counted with this one; `None` where it is not counted.
pub(crate) fn parts_of<'k>(rule: &'k Rule, subject: &'k impl KeyParts, address: &'k Address) -> Option<Vec<Part<'k>>> {
    let mut parts: Vec<Part<'_>> = rule.key.iter().map(|part| subject.part(part, address)).collect();
    if parts.iter().all(|part| part.kind == PartKind::Missing) {
        if rule.skips_missing_key {
            return None;
        }
        parts = vec![Part { kind: PartKind::Address, bytes: address.bytes().into() }];
    }
    // Limits of consumers share their number with all that have the same numbers.
    parts.extend(rule.is_own.then(|| Part { kind: PartKind::Name, bytes: rule.name.as_bytes().into() }));
    Some(parts)
}

impl Rule {
    pub(crate) fn charge(&self, key: KeyHash) -> Charge {
        Charge { limit: self.id, algorithm: self.algorithm, key, cost: self.cost }
    }
}

/// What the keys of one request are made of.
pub trait KeyParts {
    /// Where the request came from.
    fn address(&self) -> IpAddr;

    /// The part of a key that `key` names; `address` is that of [`KeyParts::address`].
    fn part<'k>(&'k self, key: &LimitKey, address: &'k Address) -> Part<'k>;
}

/// A part of a key with its kind: no value that a client sends may look like another kind.
pub struct Part<'k> {
    /// What the part is, so that equal bytes of different kinds are different keys.
    pub kind: PartKind,
    /// The value; empty for [`PartKind::Missing`] and [`PartKind::Several`].
    pub bytes: Cow<'k, [u8]>,
}

/// What a part of a key is. Its number is hashed together with the value, and is a part of keys in stores: it never changes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PartKind {
    /// The request has no such value, or an empty one.
    Missing = 0,
    /// One value, such as that of a header field.
    Value = 1,
    /// Several values, or bytes that are not text: counted together, whatever they are.
    Several = 2,
    /// A constant of the document.
    Const = 3,
    /// Stands in where all parts are missing.
    Address = 4,
    /// Of a consumer's limit.
    Name = 5,
    /// Of [`LimitKey::Caller`], whose kinds are distinct.
    Consumer = 6,
    /// The user, where the caller is no consumer.
    User = 7,
    /// The OAuth client, where the caller is neither a consumer nor a user.
    Client = 8,
}

/// Who counts a limit, if not this process.
#[derive(Debug, Clone)]
pub struct RuleStore {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) formula: Formula,
    pub(crate) mode: StoreMode,
    pub(crate) on_error: OnStoreError,
    /// What the limit is called there; its numbers are a part of it, so that no two versions of a document count with
    /// one counter in two ways.
    pub(crate) identity: Arc<str>,
}

impl PartialEq for RuleStore {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.store, &other.store)
            && (&self.identity, self.mode, self.on_error) == (&other.identity, other.mode, other.on_error)
    }
}

impl Eq for RuleStore {}
