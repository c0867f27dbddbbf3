//! The security of operations as generated code describes it: inert tables.

use std::time::Duration;

use gateway_limits::tables::LimitKey;

/// Which consumers an operation admits; without any rule, all of them.
#[derive(Debug, PartialEq, Eq)]
pub struct ConsumerRules {
    /// Only these user names, and
    pub allow: &'static [&'static str],
    /// the members of these groups.
    pub groups: &'static [&'static str],
    /// Not these user names, whatever else holds.
    pub deny: &'static [&'static str],
    /// These user names with these methods only.
    pub methods: &'static [(&'static str, &'static [&'static str])],
}

impl ConsumerRules {
    /// Every consumer may call.
    pub const NONE: Self = Self { allow: &[], groups: &[], deny: &[], methods: &[] };

    /// Whether there is no rule.
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }
}

/// How many wrong credentials of a scheme are checked before 429.
#[derive(Debug)]
pub struct FailureLimit {
    /// The key under `components/securitySchemes`.
    pub scheme: &'static str,
    /// The number of failures that are admitted
    pub limit: u64,
    /// in this time, from the first on; in whole seconds.
    pub interval: Duration,
    /// Whose failures are counted together: [`LimitKey::Ip`], [`LimitKey::Header`] and [`LimitKey::Const`] only.
    pub key: &'static [LimitKey],
}

/// How a request without credentials goes on where `{}` admits it.
#[derive(Debug)]
pub struct Anonymous {
    /// The consumer that it counts as, or `""` for none.
    pub consumer: &'static str,
    /// An invalid credential counts as none.
    pub despite_invalid: bool,
}

/// Who may call an operation: OpenAPI's `security` with its inheritance done.
#[derive(Debug)]
pub enum Access {
    /// No credential is asked for.
    Anyone {
        /// Where the document says so, for the access log and the reviewer, such as `security: []`.
        because: &'static str,
    },
    /// One of these alternatives must hold, each with all of its requirements. An empty alternative (`{}`) admits a
    /// request that brings no credential at all.
    OneOf(&'static [&'static [Requirement]]),
}

impl Anonymous {
    /// A request without credentials counts as no consumer.
    pub const NOBODY: Self = Self { consumer: "", despite_invalid: false };
}

/// A scheme and the scopes (or roles) that are all needed.
#[derive(Debug)]
pub struct Requirement {
    /// How the caller proves who it is.
    pub scheme: &'static dyn crate::scheme::Scheme,
    /// What it must be allowed to do: every one of these.
    pub scopes: &'static [&'static str],
}
