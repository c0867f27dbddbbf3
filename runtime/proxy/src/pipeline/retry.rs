//! Whether a request that has failed is sent once more, and when.

use std::cell::Cell;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::tables::{Retry, RetryCause};
use crate::upstream::cluster::Cluster;
use crate::upstream::member::Outcome;
use gateway_wire::http1::head::Field;

/// The tries of one request.
pub(crate) struct Tries {
    cluster: &'static Cluster,
    rule: Option<Retry>,
    /// It may have been acted on, and may be acted on again.
    is_repeatable: bool,
    end_by: Option<Instant>,
    started: Cell<u32>,
}

impl Tries {
    /// Of a request that may be repeated, or not.
    pub(crate) fn new(
        cluster: &'static Cluster,
        rule: Option<Retry>,
        is_repeatable: bool,
        end_by: Option<Instant>,
    ) -> Self {
        if rule.is_some() {
            cluster.earn_retries();
        }
        Self { cluster, rule, is_repeatable, end_by, started: Cell::new(0) }
    }

    /// How many have begun.
    pub(crate) fn started(&self) -> u32 {
        self.started.get()
    }

    /// Another one begins.
    pub(crate) fn begin(&self) -> u32 {
        self.started.set(self.started.get() + 1);
        self.started.get()
    }

    /// Whether the request is sent again after this; a retry is then taken out of the budget.
    pub(crate) fn allow(&self, cause: RetryCause, retry_after: Option<Duration>) -> bool {
        let Some(rule) = self.rule else { return false };
        // Without a connection, nothing was received.
        let is_safe = self.is_repeatable || cause == RetryCause::Connect;
        if !is_safe || !rule.on.contains(&cause) || self.started.get() >= rule.attempts {
            return false;
        }
        let pause = self.pause();
        let is_too_late = self.end_by.is_some_and(|end_by| Instant::now() + pause >= end_by);
        let is_told_to_wait = retry_after.is_some_and(|after| after > pause);
        !is_too_late && !is_told_to_wait && self.cluster.take_retry(rule.budget)
    }

    /// The same for a response.
    pub(crate) fn allow_after(&self, status: u16, fields: &[Field<'_>]) -> bool {
        let Some(rule) = self.rule else { return false };
        if !rule.on.contains(&RetryCause::Status(status)) {
            return false;
        }
        self.allow(RetryCause::Status(status), retry_after(fields, SystemTime::now()))
    }

    /// How long to wait before the next try.
    pub(crate) fn pause(&self) -> Duration {
        self.rule.map_or(Duration::ZERO, |rule| backoff(&rule, self.started.get()))
    }
}

/// The pause after this number of tries.
fn backoff(rule: &Retry, tries: u32) -> Duration {
    rule.backoff.saturating_mul(1 << tries.saturating_sub(1).min(20)).min(rule.max_backoff)
}

/// Why a try that ended so, without a response, may be no last word.
pub(crate) fn cause_of(outcome: Outcome) -> Option<RetryCause> {
    match outcome {
        Outcome::Unconnected => Some(RetryCause::Connect),
        Outcome::Reset => Some(RetryCause::Reset),
        Outcome::Timeout => Some(RetryCause::Status(504)),
        Outcome::Answered | Outcome::Unavailable => None,
    }
}

/// What `Retry-After` says: seconds or a date (RFC 9110 §10.2.3).
fn retry_after(fields: &[Field<'_>], now: SystemTime) -> Option<Duration> {
    let field = fields.iter().find(|field| field.name.eq_ignore_ascii_case("retry-after"))?;
    let text = std::str::from_utf8(field.value).ok()?.trim();
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => Some(Duration::MAX),
        Err(_) => Some(httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::RetryBudget;

    #[test]
    fn pauses_double_up_to_a_bound() {
        let rule = Retry {
            attempts: 9,
            on: &[],
            per_try: None,
            backoff: Duration::from_millis(25),
            max_backoff: Duration::from_millis(250),
            budget: RetryBudget::USUAL,
            attempt_header: false,
        };
        let pauses: Vec<u128> = [1, 2, 3, 4, 5, 99].iter().map(|tries| backoff(&rule, *tries).as_millis()).collect();
        assert_eq!(pauses, [25, 50, 100, 200, 250, 250]);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let at = |value: &'static str| {
            let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:30 GMT").expect("a date");
            retry_after(&[Field { name: "retry-after", value: value.as_bytes() }], now)
        };
        assert_eq!(at("30"), Some(Duration::from_secs(30)));
        assert_eq!(at("99999999999999999999"), Some(Duration::MAX));
        assert_eq!(at("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::from_secs(7)));
        assert_eq!(at("Sun, 06 Nov 1994 08:49:00 GMT"), Some(Duration::ZERO));
        assert_eq!(at("soon"), None);
    }
}
