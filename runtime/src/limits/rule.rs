//! A rate limit as it is charged, and the parts of its key.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use crate::base::address::Address;
use crate::limits::algorithm::{Algorithm, Formula};
use crate::limits::store::Store;
use crate::limits::table::{Charge, KeyHash, LimitId};
use crate::limits::tables::{LimitKey, OnStoreError, StoreMode};

/// A limit as requests meet it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) id: LimitId,
    pub(crate) name: Cow<'static, str>,
    pub(crate) algorithm: Algorithm,
    pub(crate) key: &'static [LimitKey],
    pub(crate) skips_missing_key: bool,
    pub(crate) status: u16,
    /// JSON text; empty for the usual.
    pub(crate) body: Cow<'static, str>,
    pub(crate) headers: RuleHeaders,
    pub(crate) cost: u64,
    /// A consumer brings it along.
    pub(crate) is_own: bool,
    /// Who counts, if not this process.
    pub(crate) store: Option<RuleStore>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RuleHeaders {
    None,
    Default,
    Prefixed(Cow<'static, str>),
}

/// A limit that a consumer brings along.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct OwnLimit {
    pub(crate) name: String,
    pub(crate) algorithm: Algorithm,
    pub(crate) status: u16,
    /// JSON text; empty for the usual.
    pub(crate) body: String,
    /// Whether it is told in headers, and with which prefix.
    pub(crate) headers: Option<String>,
    pub(crate) store: Option<OwnStore>,
}

/// A store that counts for a consumer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct OwnStore {
    pub(crate) name: String,
    pub(crate) mode: StoreMode,
    pub(crate) on_error: OnStoreError,
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
pub(crate) trait KeyParts {
    /// Where the request came from.
    fn address(&self) -> IpAddr;

    /// The part of a key that `key` names; `address` is that of [`KeyParts::address`].
    fn part<'k>(&'k self, key: &LimitKey, address: &'k Address) -> Part<'k>;
}

/// A part of a key, told apart from what it is not: no value that a client sends may look like something else.
pub(crate) struct Part<'k> {
    pub(crate) kind: PartKind,
    pub(crate) bytes: Cow<'k, [u8]>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PartKind {
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
pub(crate) struct RuleStore {
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
