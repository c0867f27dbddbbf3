//! Rules: what becomes of requests that no described path matches.

use gateway_route::{RequestPath, RuleTarget, is_clear};

use crate::deployment::{PlacedRule, PreparedRule};
use crate::tables::RuleEffect;
use gateway_base::encoding::query_without;
use gateway_base::origin::host_of;
use gateway_wire::reject::Reject;

/// What rules make of a request.
#[derive(Debug)]
pub(crate) enum RuleOutcome {
    /// No rule ends it; the paths are matched again if there is a new target.
    Passed(Option<String>),
    /// Its API is for HTTPS only, and it came over plain HTTP.
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
pub(crate) struct RuleInput<'a> {
    pub(crate) path: &'a RequestPath<'a>,
    pub(crate) query: Option<&'a str>,
    /// With or without a port.
    pub(crate) authority: Option<&'a str>,
    pub(crate) is_https: bool,
    /// In bytes: no rule makes a target that the gateway would not read in a request line.
    pub(crate) longest: usize,
}

/// Tries the rules in their order. The place of the last one that matched is noted in `met`.
///
/// # Errors
/// 400 where an expansion would lead somewhere else, 414 where it grows too long.
pub(crate) fn apply(
    rules: &[PlacedRule],
    asked: &RuleInput<'_>,
    met: &mut Option<usize>,
) -> Result<RuleOutcome, Reject> {
    let host = asked.authority.map_or_else(String::new, host_of);
    let mut rewritten: Option<String> = None;
    let mut rest = rules.iter().map(|rule| &*rule.prepared).enumerate();
    while let Some((index, rule, to)) = next(&mut rest, &host, asked, rewritten.as_deref())? {
        *met = Some(index);
        if rule.route.https_only.is_some() && !asked.is_https {
            return Ok(RuleOutcome::Plain);
        }
        if to.len() > asked.longest {
            return Err(Reject::UriTooLong);
        }
        match rule.effect {
            RuleEffect::Respond { status, content_type, body } => {
                return Ok(RuleOutcome::Respond { status: *status, content_type, body });
            }
            RuleEffect::Redirect { to: written, status } if stays_where_written(written, &to) => {
                return Ok(RuleOutcome::Redirect { status: *status, location: to });
            }
            RuleEffect::Redirect { .. } => return Err(Reject::BadRequest("the redirect would lead to another host")),
            RuleEffect::Proxy { .. } => {
                let is_clear = is_clear(&read(&to)?.0);
                return if is_clear { Ok(RuleOutcome::Proxy(to)) } else { Err(ELSEWHERE) };
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
    Ok(RuleOutcome::Passed(rewritten))
}

/// The first of the rules left that matches the request, and the target that it makes.
fn next<'r>(
    rest: &mut impl Iterator<Item = (usize, &'r PreparedRule)>,
    host: &str,
    asked: &RuleInput<'_>,
    rewritten: Option<&str>,
) -> Result<Option<(usize, &'r PreparedRule, String)>, Reject> {
    let rewritten = rewritten.map(read).transpose()?;
    let (path, query) = match &rewritten {
        Some((path, query)) => (path, *query),
        None => (asked.path, asked.query),
    };
    let target = RuleTarget::new(path, query);
    Ok(rest.find_map(|(index, rule)| {
        let hidden = rule.hidden();
        let without = query.filter(|_| !hidden.is_empty()).map(|query| query_without(query, hidden));
        let without = without.map(|query| RuleTarget::new(path, query.as_deref()));
        let target = without.as_ref().unwrap_or(&target);
        let captures = rule.matcher.captures(host, target.text())?;
        Some((index, rule, rule.to.fill(target, &captures)))
    }))
}

const ELSEWHERE: Reject = Reject::BadRequest("the target that a rule makes would reach somewhere else");

/// Path and query of a target that a rule has made.
///
/// # Errors
/// 400: its path now has dot segments, or is none.
pub(crate) fn read(target: &str) -> Result<(RequestPath<'_>, Option<&str>), Reject> {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    Ok((RequestPath::parse(path).map_err(|_| ELSEWHERE)?, query))
}

/// Whether a redirect leads to this host, or to the one in the document: browsers take `//host` and
/// `/\host` for another one.
fn stays_where_written(written: &str, location: &str) -> bool {
    let names_host = ["http://", "https://"].iter().any(|scheme| written.starts_with(scheme));
    let is_path = location.starts_with('/') && !location[1..].starts_with(['/', '\\']);
    (names_host || is_path) && location.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use gateway_route::Captures;

    use super::*;
    use crate::rule_pattern::{Matcher as _, RulePattern};

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
