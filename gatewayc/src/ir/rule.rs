//! What becomes of requests that no path matches.

use std::fmt;

use gateway_yaml::Span;

use crate::ir::operation::Operation;

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// `rule 1` for the first.
    pub id: String,
    /// Which requests.
    pub pattern: RulePattern,
    /// What becomes of them.
    pub effect: RuleEffect,
    /// Where its `match` is.
    pub span: Span,
}

/// Which requests a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulePattern {
    /// An expression for path and query.
    pub pattern: String,
    /// In either case.
    pub ignores_case: bool,
    /// The rule is about what does not match.
    pub negated: bool,
    /// An expression for the host, `""` for any.
    pub host: String,
}

/// What a rule does; `to` may contain groups.
#[derive(Debug, Clone)]
pub enum RuleEffect {
    /// Goes on with another target.
    Rewrite {
        /// Path and query.
        to: String,
        /// Without the following rules.
        last: bool,
    },
    /// Sends the client elsewhere.
    Redirect {
        /// A path, or a URL.
        to: String,
        /// The status.
        status: u16,
    },
    /// Answers.
    Respond {
        /// The status.
        status: u16,
        /// Of the body.
        content_type: String,
        /// The body.
        body: String,
    },
    /// Forwards.
    Proxy {
        /// Path and query.
        to: String,
        /// Who may call, and what else holds.
        operation: Box<Operation>,
    },
}

impl Rule {
    /// The operation that forwards, where the rule has one.
    pub fn operation(&self) -> Option<&Operation> {
        match &self.effect {
            RuleEffect::Proxy { operation, .. } => Some(operation),
            RuleEffect::Rewrite { .. } | RuleEffect::Redirect { .. } | RuleEffect::Respond { .. } => None,
        }
    }

    pub(crate) fn operation_mut(&mut self) -> Option<&mut Operation> {
        match &mut self.effect {
            RuleEffect::Proxy { operation, .. } => Some(operation),
            RuleEffect::Rewrite { .. } | RuleEffect::Redirect { .. } | RuleEffect::Respond { .. } => None,
        }
    }
}

/// As a route table shows it.
impl fmt::Display for RulePattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pattern, ignores_case, negated, host } = self;
        let (not, case) = (if *negated { "not " } else { "" }, if *ignores_case { ", any case" } else { "" });
        write!(out, "{not}{pattern}{case}")?;
        if host.is_empty() { Ok(()) } else { write!(out, ", host {host}") }
    }
}

impl fmt::Display for RuleEffect {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rewrite { to, last: false } => write!(out, "rewritten to {to}"),
            Self::Rewrite { to, last: true } => write!(out, "rewritten to {to}, without further rules"),
            Self::Redirect { to, status } => write!(out, "{status} to {to}"),
            Self::Respond { status, .. } => write!(out, "{status}"),
            Self::Proxy { to, .. } => write!(out, "forwarded as {to}"),
        }
    }
}
