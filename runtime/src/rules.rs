//! Rules: what becomes of requests that no described path matches.

use std::fmt;

use gateway_route::{Captures, Expansion, GROUPS, RequestPath, RuleTarget, is_clear};
use regex_lite::{Regex, RegexBuilder};

use crate::codegen::{Rule, RuleEffect};
use crate::credential::query_without;
use crate::https::host_of;
use crate::live::{LiveOperation, LiveRoute};
use crate::metrics::OperationMetrics;
use crate::reject::Reject;

/// Which requests a rule is about; reached through `&'static dyn`, so that the engine is linked only where a document
/// has rules.
pub trait Matcher: fmt::Debug + fmt::Display + Sync {
    /// Builds the engine.
    ///
    /// # Errors
    /// A sentence about what is wrong with an expression.
    fn prepare(&self) -> Result<Box<dyn PreparedMatcher>, String>;
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
const SIZE_LIMIT: usize = 16 << 10;

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
    fn prepare(&self) -> Result<Box<dyn PreparedMatcher>, String> {
        let build = |pattern: &str, ignores_case| {
            let built = RegexBuilder::new(pattern).case_insensitive(ignores_case).size_limit(SIZE_LIMIT).build();
            built.map_err(|error| format!("`{pattern}` is not a regular expression: {error}"))
        };
        let host = if self.host.is_empty() { None } else { Some(build(self.host, true)?) };
        Ok(Box::new(PreparedPattern { target: build(self.pattern, self.ignores_case)?, negated: self.negated, host }))
    }
}

#[derive(Debug)]
struct PreparedPattern {
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

/// [`Rule`] with its expressions ready to run.
pub(crate) struct LiveRule {
    pub(crate) api: &'static str,
    pub(crate) id: &'static str,
    matcher: Box<dyn PreparedMatcher>,
    to: Expansion,
    effect: &'static RuleEffect,
    /// What holds for its answers; with its operation, where it has one.
    pub(crate) route: LiveRoute,
    /// The constant members of the log lines of requests that reach no operation.
    pub(crate) log_constants: String,
    pub(crate) metrics: OperationMetrics,
}

/// What rules make of a request.
#[derive(Debug)]
pub(crate) enum Ruled {
    /// Nobody ends it; the paths are asked once more if there is a new target.
    Passed(Option<String>),
    /// Its API is for HTTPS only, and it came without.
    Plain,
    Redirect {
        status: u16,
        location: String,
    },
    Respond {
        status: u16,
        content_type: &'static str,
        body: &'static str,
    },
    /// To the operation of the rule, with this path and query.
    Proxy(String),
}

/// What rules know of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) path: &'a RequestPath<'a>,
    pub(crate) query: Option<&'a str>,
    /// With or without a port.
    pub(crate) authority: Option<&'a str>,
    pub(crate) is_https: bool,
    /// In bytes: what the gateway would not read as a request line, no rule makes.
    pub(crate) longest: usize,
}

impl LiveRule {
    /// # Errors
    /// A sentence about what is wrong with the rule.
    pub(crate) fn new(
        api: &'static str,
        rule: &'static Rule,
        route: LiveRoute,
        log_constants: String,
    ) -> Result<Self, String> {
        let to = match &rule.effect {
            RuleEffect::Rewrite { to, .. } | RuleEffect::Redirect { to, .. } | RuleEffect::Proxy { to, .. } => to,
            RuleEffect::Respond { .. } => "",
        };
        Ok(Self {
            api,
            id: rule.id,
            matcher: rule.matcher.prepare()?,
            to: Expansion::parse(to).map_err(|error| format!("`{to}`: {error}"))?,
            effect: &rule.effect,
            route,
            log_constants,
            metrics: OperationMetrics::default(),
        })
    }

    /// Parameters of the query that its upstream is not to see: the rule does not see them either, or they would end up
    /// wherever its target has a group.
    fn hidden(&self) -> &[&'static str] {
        self.route.operations.first().map_or(&[], |operation| &operation.hidden.query)
    }

    /// What a rule forwards by: any method but TRACE, which would show the client what only the upstream is to see.
    pub(crate) fn operation(&self, method: &str) -> Option<&LiveOperation> {
        self.route.operations.first().filter(|_| method != "TRACE")
    }
}

/// Tries the rules in their order. The last one that was about the request is noted in `met`.
///
/// # Errors
/// 400 where an expansion would lead somewhere else, 414 where it grows too long.
pub(crate) fn apply<'r>(
    rules: &'r [LiveRule],
    asked: &Asked<'_>,
    met: &mut Option<&'r LiveRule>,
) -> Result<Ruled, Reject> {
    let host = asked.authority.map_or_else(String::new, host_of);
    let mut rewritten: Option<String> = None;
    let mut rest = rules.iter();
    while let Some((rule, to)) = next(&mut rest, &host, asked, rewritten.as_deref())? {
        *met = Some(rule);
        if rule.route.https_only.is_some() && !asked.is_https {
            return Ok(Ruled::Plain);
        }
        if to.len() > asked.longest {
            return Err(Reject::UriTooLong);
        }
        match rule.effect {
            RuleEffect::Respond { status, content_type, body } => {
                return Ok(Ruled::Respond { status: *status, content_type, body });
            }
            RuleEffect::Redirect { to: written, status } if stays_where_written(written, &to) => {
                return Ok(Ruled::Redirect { status: *status, location: to });
            }
            RuleEffect::Redirect { .. } => return Err(Reject::BadRequest("the redirect would lead to another host")),
            RuleEffect::Proxy { .. } => {
                let is_clear = is_clear(&read(&to)?.0);
                return if is_clear { Ok(Ruled::Proxy(to)) } else { Err(ELSEWHERE) };
            }
            RuleEffect::Rewrite { last, .. } => {
                read(&to)?;
                rewritten = Some(to);
                if *last {
                    break;
                }
            }
        }
    }
    Ok(Ruled::Passed(rewritten))
}

/// The first of the rules left that is about the request, and the target that it makes.
fn next<'r>(
    rest: &mut std::slice::Iter<'r, LiveRule>,
    host: &str,
    asked: &Asked<'_>,
    rewritten: Option<&str>,
) -> Result<Option<(&'r LiveRule, String)>, Reject> {
    let rewritten = rewritten.map(read).transpose()?;
    let (path, query) = match &rewritten {
        Some((path, query)) => (path, *query),
        None => (asked.path, asked.query),
    };
    let target = RuleTarget::new(path, query);
    Ok(rest.find_map(|rule| {
        let without = query.filter(|_| !rule.hidden().is_empty()).map(|query| query_without(query, rule.hidden()));
        let without = without.map(|query| RuleTarget::new(path, query.as_deref()));
        let target = without.as_ref().unwrap_or(&target);
        let captures = rule.matcher.captures(host, target.text())?;
        Some((rule, rule.to.fill(target, &captures)))
    }))
}

const ELSEWHERE: Reject = Reject::BadRequest("the target that a rule makes would reach somewhere else");

/// Path and query of a target that a rule has made.
///
/// # Errors
/// 400: its path has come to have dot segments, or is none.
pub(crate) fn read(target: &str) -> Result<(RequestPath<'_>, Option<&str>), Reject> {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    Ok((RequestPath::parse(path).map_err(|_| ELSEWHERE)?, query))
}

/// Whether a redirect leads to this host, or to the one that stands in the document: browsers take `//host` and
/// `/\host` for another one.
fn stays_where_written(written: &str, location: &str) -> bool {
    let names_host = ["http://", "https://"].iter().any(|scheme| written.starts_with(scheme));
    let is_path = location.starts_with('/') && !location[1..].starts_with(['/', '\\']);
    (names_host || is_path) && location.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_stay_where_the_document_says() {
        for (written, location, stays) in [
            ("/$1", "/a", true),
            ("/$1", "/", true),
            ("/$1", "//evil.example", false),
            ("/$1", "/\\evil.example", false),
            ("$1", "https://evil.example", false),
            ("$1", "evil", false),
            ("/$1", "", false),
            ("/$1", "/a b", false),
            ("/$1", "/a\r\nX: 1", false),
            ("/$1", "/\u{e9}", false),
            ("https://new.example/$1", "https://new.example//evil.example", true),
            ("https://new.example/$1", "https://new.example/a\tb", false),
        ] {
            assert_eq!(stays_where_written(written, location), stays, "{location}");
        }
    }

    #[test]
    fn patterns_capture() {
        const PATTERN: RulePattern = RulePattern {
            pattern: "^/old/([a-z]+)(/x)?$",
            ignores_case: true,
            negated: false,
            host: "^(.+)\\.example$",
        };
        let prepared = PATTERN.prepare().expect("a good pattern");
        let captures = prepared.captures("A.Example", "/OLD/b").expect("matches");
        assert_eq!((captures[0].clone(), captures[1].clone()), (Some(5..6), None));
        assert!(prepared.captures("example", "/old/b").is_none());
        assert!(prepared.captures("a.example", "/old/1").is_none());
        let negated = RulePattern { negated: true, host: "", ..PATTERN }.prepare().expect("a good pattern");
        assert!(negated.captures("", "/old/b").is_none());
        assert_eq!(negated.captures("", "/new"), Some(Captures::default()));
        assert!(RulePattern { pattern: "(?:(?:a{100}){100}){100}", ..PATTERN }.prepare().is_err());
    }
}
