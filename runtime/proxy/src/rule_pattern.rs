//! The patterns of rules.

use std::fmt;

use gateway_route::{Captures, GROUPS};
use regex_lite::{Regex, RegexBuilder};

/// An expression cannot be used: this expression, and why.
#[derive(Debug, thiserror::Error)]
#[error("`{pattern}` is not a regular expression: {source}")]
pub struct PatternError {
    /// The expression in the document.
    pub pattern: &'static str,
    /// What is wrong with it. Its type is hidden, so that a gateway without expressions links nothing of the engine.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Which requests a rule is about; reached through `&'static dyn`, so that the engine is linked only where a document
/// has rules.
pub trait Matcher: fmt::Debug + fmt::Display + Sync {
    /// Builds the engine.
    ///
    /// # Errors
    /// An expression of the rule cannot be used.
    fn prepare(&self) -> Result<Box<dyn PreparedMatcher>, PatternError>;
}

/// A [`Matcher`] that is ready to run.
pub trait PreparedMatcher: fmt::Debug + Send + Sync {
    /// What is captured of `target`, which was asked of `host`; `None` where the rule is not about it.
    fn captures(&self, host: &str, target: &str) -> Option<Captures>;
}

/// Regular expressions, in the syntax of `regex-lite`: linear time, no look-around.
#[derive(Debug)]
pub struct RulePattern {
    /// For path and query.
    pub pattern: &'static str,
    /// Letters of ASCII match in either case.
    pub ignores_case: bool,
    /// The rule is about what does not match.
    pub negated: bool,
    /// For the host without its port, in either case; `""` for any.
    pub host: &'static str,
}

/// What an expression may take, in bytes: a request is matched against every rule. The compiler has the same.
pub(crate) const SIZE_LIMIT: usize = 16 << 10;

/// As a route table shows it.
impl fmt::Display for RulePattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pattern, ignores_case, negated, host } = self;
        let (not, case) = (if *negated { "not " } else { "" }, if *ignores_case { ", any case" } else { "" });
        let line = |text: &str| text.replace(char::is_control, " ");
        write!(out, "{not}{}{case}", line(pattern))?;
        if host.is_empty() { Ok(()) } else { write!(out, ", host {}", line(host)) }
    }
}

impl Matcher for RulePattern {
    fn prepare(&self) -> Result<Box<dyn PreparedMatcher>, PatternError> {
        let build = |pattern: &'static str, ignores_case| {
            let built = RegexBuilder::new(pattern).case_insensitive(ignores_case).size_limit(SIZE_LIMIT).build();
            built.map_err(|error| PatternError { pattern, source: Box::new(error) })
        };
        let host = if self.host.is_empty() { None } else { Some(build(self.host, true)?) };
        Ok(Box::new(PreparedPattern { target: build(self.pattern, self.ignores_case)?, negated: self.negated, host }))
    }
}

#[derive(Debug)]
pub(crate) struct PreparedPattern {
    target: Regex,
    negated: bool,
    host: Option<Regex>,
}

impl PreparedMatcher for PreparedPattern {
    fn captures(&self, host: &str, target: &str) -> Option<Captures> {
        if self.host.as_ref().is_some_and(|expected| !expected.is_match(host)) {
            return None;
        }
        if self.negated {
            return (!self.target.is_match(target)).then(Captures::default);
        }
        let found = self.target.captures(target)?;
        let mut captures = Captures::default();
        for (index, range) in captures.iter_mut().enumerate().take(GROUPS) {
            *range = found.get(index + 1).map(|group| group.range());
        }
        Some(captures)
    }
}
