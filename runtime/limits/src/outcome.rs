//! What the limits say of a request, and the header fields that tell the client.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::algorithm::Reading;
use crate::counters::{Limits, SECOND};
use crate::rule::{Rule, RuleHeaders};
use crate::table::KeyHash;
use gateway_wire::field_lines::{FieldLines, FieldName, InvalidField, StaticField};
use gateway_wire::reject::Reject;

/// What became of a request that is limited.
#[derive(Debug)]
pub struct Outcome {
    /// The header fields of the response.
    pub fields: FieldLines,
    /// How long the request waits for its turn.
    pub delay: Duration,
    /// The limit that refuses the request; `None` where it passes, and where a store is unavailable.
    pub refused: Option<Refused>,
    /// A store is silent without which the request cannot pass.
    is_unavailable: bool,
    /// Given back when the request is over.
    held: Vec<(Rule, KeyHash)>,
    limits: &'static Limits,
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub(crate) status: u16,
    /// JSON text; empty for the usual.
    pub body: Cow<'static, str>,
}

impl Drop for Outcome {
    fn drop(&mut self) {
        for (rule, key) in &self.held {
            self.limits.table.release(&rule.charge(*key));
        }
    }
}

impl Outcome {
    /// The outcome for a request, from the readings of all limits that apply to it. The charges in `held` are released
    /// when the outcome is dropped.
    pub fn of(limits: &'static Limits, met: &[(&Rule, Reading)], admitted: bool, held: Vec<(Rule, KeyHash)>) -> Self {
        let delay = met.iter().map(|(_, reading)| reading.delay).max().filter(|_| admitted).unwrap_or(0);
        let tightest =
            met.iter().filter(|(_, reading)| !reading.admitted).max_by_key(|(_, reading)| reading.retry_after);
        Self {
            fields: fields(met, tightest),
            delay: Duration::from_nanos(delay),
            refused: tightest.map(|(rule, _)| Refused { status: rule.status, body: rule.body.clone() }),
            is_unavailable: false,
            held,
            limits,
        }
    }

    /// Why the request does not pass, if so.
    pub fn reject(&self) -> Option<Reject> {
        match &self.refused {
            _ if self.is_unavailable => Some(Reject::StoreUnavailable),
            Some(refused) => Some(Reject::LimitExceeded(refused.status)),
            None => None,
        }
    }

    /// For a request that cannot pass without a store that is silent.
    pub fn unavailable(limits: &'static Limits) -> Self {
        Self {
            fields: FieldLines::of(&[RETRY_SOON]),
            delay: Duration::ZERO,
            refused: None,
            is_unavailable: true,
            held: Vec::new(),
            limits,
        }
    }
}

const LIMIT: FieldName = FieldName::new("X-RateLimit-Limit");
const REMAINING: FieldName = FieldName::new("X-RateLimit-Remaining");
const RESET: FieldName = FieldName::new("X-RateLimit-Reset");
const RETRY_AFTER: FieldName = FieldName::new("Retry-After");

/// A store that is silent may answer the next request.
const RETRY_SOON: StaticField = StaticField::new("Retry-After", "1");

/// The fields that a client gets: `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers), the older
/// `X-RateLimit-…` of the limit with the least left, and `Retry-After` (RFC 9110 §10.2.3) for a refusal.
///
/// Names and prefixes of limits fit: that is checked where they are read. What does not is left out.
pub(crate) fn fields(met: &[(&Rule, Reading)], tightest: Option<&(&Rule, Reading)>) -> FieldLines {
    let is_shown = met.iter().any(|(rule, _)| rule.headers != RuleHeaders::None);
    // The fields of one limit fit.
    let mut out = if is_shown { FieldLines::with_capacity(256) } else { FieldLines::new() };
    let seconds = |nanos: u64| nanos.div_ceil(SECOND);
    // What is under way at once has no window to report.
    let timed = |rule: &Rule| rule.algorithm.window().is_some();
    let shown = || met.iter().filter(|(rule, _)| rule.headers == RuleHeaders::Default && timed(rule));
    let leading = match tightest {
        Some((rule, _)) if rule.headers == RuleHeaders::Default && timed(rule) => tightest,
        Some(_) => None,
        None => shown().min_by_key(|(_, reading)| (reading.remaining, u64::MAX - reading.reset)),
    };
    if let Some((rule, reading)) = leading {
        out.push_number(LIMIT, rule.algorithm.capacity());
        out.push_number(REMAINING, reading.remaining);
        out.push_number(RESET, seconds(reading.reset));
    }
    for (rule, reading) in met {
        if let RuleHeaders::Prefixed(prefix) = &rule.headers
            && timed(rule)
        {
            let numbers = [
                ("Limit", rule.algorithm.capacity()),
                ("Remaining", reading.remaining),
                ("Reset", seconds(reading.reset)),
            ];
            for (end, number) in numbers {
                let _: Result<(), InvalidField> = out.push_named(&["X-", prefix, "-RateLimit-", end], number);
            }
        }
    }
    if shown().next().is_some() {
        let separator = |index: usize| if index > 0 { ", " } else { "" };
        let policies = fmt::from_fn(|f| {
            shown().enumerate().try_for_each(|(index, (rule, _))| {
                let window = rule.algorithm.window().map_or(0, |window| window.as_secs().max(1));
                let (comma, name, quota) = (separator(index), &rule.name, rule.algorithm.capacity());
                write!(f, "{comma}\"{name}\";q={quota};w={window}")
            })
        });
        out.push_if_valid("RateLimit-Policy", policies);
        let left = fmt::from_fn(|f| {
            shown().enumerate().try_for_each(|(index, (rule, reading))| {
                let (comma, name, remaining) = (separator(index), &rule.name, reading.remaining);
                write!(f, "{comma}\"{name}\";r={remaining};t={}", seconds(reading.reset))
            })
        });
        out.push_if_valid("RateLimit", left);
    }
    if let Some((_, reading)) = tightest {
        out.push_number(RETRY_AFTER, seconds(reading.retry_after).max(1));
    }
    out
}
#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::algorithm::Algorithm;
    use crate::counters::SECOND;
    use crate::rule::RuleHeaders;
    use crate::table::LimitId;
    use crate::tables::LimitKey;

    /// `cargo test --release -p gateway-limits --lib costs -- --ignored --nocapture`
    #[test]
    #[ignore = "a measurement"]
    fn the_cost_of_limit_fields() {
        const TIMES: u32 = 4_000_000;
        let rule = Rule {
            id: LimitId(0),
            name: "per-address".into(),
            algorithm: Algorithm::TokenBucket { limit: 1_000, interval: Duration::from_secs(60) },
            key: &[LimitKey::Ip],
            skips_missing_key: false,
            status: 429,
            body: "".into(),
            headers: RuleHeaders::Default,
            cost: 1,
            is_own: false,
            store: None,
        };
        let reading = Reading { admitted: true, remaining: 370, reset: 38 * SECOND, retry_after: 0, delay: 0 };
        let started = std::time::Instant::now();
        for _ in 0..TIMES {
            std::hint::black_box(fields(std::hint::black_box(&[(&rule, reading)]), None));
        }
        eprintln!("{:.0} ns", started.elapsed().as_nanos() as f64 / f64::from(TIMES));
    }
}
