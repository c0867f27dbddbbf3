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
    pub id: LimitId,
    pub name: Cow<'static, str>,
    pub algorithm: Algorithm,
    pub key: &'static [LimitKey],
    pub skips_missing_key: bool,
    pub status: u16,
    /// JSON text; empty for the usual.
    pub body: Cow<'static, str>,
    pub headers: RuleHeaders,
    pub cost: u64,
    /// A consumer brings it along.
    pub is_own: bool,
    /// Who counts, if not this process.
    pub store: Option<RuleStore>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleHeaders {
    None,
    Default,
    Prefixed(Cow<'static, str>),
}

/// A limit that a consumer brings along.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OwnLimit {
    pub name: String,
    pub algorithm: Algorithm,
    pub status: u16,
    /// JSON text; empty for the usual.
    pub body: String,
    /// Whether it is told in headers, and with which prefix.
    pub headers: Option<String>,
    pub store: Option<OwnStore>,
}

/// A store that counts for a consumer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OwnStore {
    pub name: String,
    pub mode: StoreMode,
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

/// A part of a key, told apart from what it is not: no value that a client sends may look like something else.
pub struct Part<'k> {
    pub kind: PartKind,
    pub bytes: Cow<'k, [u8]>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PartKind {
    Missing,
    Value,
    Several,
    Const,
    /// Stands in where all parts are missing.
    Address,
    /// Of a consumer's limit.
    Name,
    /// Of [`LimitKey::Caller`], whose kinds are told apart.
    Consumer,
    User,
    Client,
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
