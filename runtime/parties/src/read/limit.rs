//! Limits that a consumer brings along; they are charged beside those of the operation, with the consumer as key.

use std::sync::Arc;
use std::time::Duration;

use gateway_yaml::{Entry, Node, from_node, units};
use serde_json::Value;

use super::Reading;
use gateway_limits::algorithm::Algorithm;
use gateway_limits::rule::{OwnLimit, OwnStore, Rule};
use gateway_limits::tables::{OnStoreError, StoreMode};

const KNOWN: &[&str] = &[
    "name",
    "algorithm",
    "limit",
    "interval",
    "rate",
    "burst",
    "delay",
    "status",
    "body",
    "headers",
    "headerPrefix",
    "store",
    "mode",
    "onStoreError",
];

/// Which numbers each algorithm has; the first of them are required.
static ALGORITHMS: &[(&str, &[&str], &[&str])] = &[
    ("token-bucket", &["limit", "interval"], &[]),
    ("fixed-window", &["limit", "interval"], &[]),
    ("sliding-window", &["limit", "interval"], &[]),
    ("leaky-bucket", &["limit", "interval"], &["burst", "delay"]),
    ("concurrency", &["limit"], &["burst", "delay"]),
];

/// No request waits longer for its turn.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// More than this, per interval, is no limit.
const MAX_LIMIT: u64 = 1 << 31;

impl Reading<'_> {
    /// `rateLimit` of a consumer.
    pub(super) fn limits(&mut self, node: &Node) -> Arc<[Rule]> {
        let Some(items) = node.as_sequence() else {
            self.problem(node.span, format!("`rateLimit` is {}, not a list", node.kind_name()));
            return Arc::default();
        };
        let limits: Vec<OwnLimit> =
            items.iter().enumerate().filter_map(|(index, item)| self.limit(index, item)).collect();
        if let Some(known) = self.limits.get(&limits) {
            return Arc::clone(known);
        }
        let rules: Option<Arc<[Rule]>> = limits.iter().map(|limit| self.source.limits.own_rule(limit)).collect();
        let rules = rules.unwrap_or_else(|| {
            self.problem(node.span, "there are too many different limits");
            Arc::default()
        });
        self.limits.insert(limits, Arc::clone(&rules));
        rules
    }

    fn limit(&mut self, index: usize, node: &Node) -> Option<OwnLimit> {
        let entries = self.members(node, "a limit of a consumer", KNOWN)?;
        let member = |name: &str| entries.iter().find(|entry| &*entry.key.name == name).map(|entry| &entry.value);
        let algorithm = self.algorithm(node, entries)?;
        let status = match member("status") {
            None => 429,
            Some(node) => self.whole(node, "`status`", 400, 599).and_then(|status| u16::try_from(status).ok())?,
        };
        let name = match member("name") {
            None if index == 0 => "consumer".to_owned(),
            None => format!("consumer {}", index + 1),
            Some(node) => self.text_of(node, "`name`")?.to_owned(),
        };
        let visible = |text: &str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && !b"\"\\".contains(&byte));
        if name.is_empty() || !visible(&name) {
            self.problem(node.span, "`name` of a limit is visible ASCII without quotes and backslashes");
            return None;
        }
        let prefix = match member("headerPrefix") {
            None => "",
            Some(node) => self.text_of(node, "`headerPrefix`")?,
        };
        if !prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            self.problem(node.span, "`headerPrefix` has letters, digits and `-`");
            return None;
        }
        let headers = match member("headers").map(|node| node.as_str()) {
            None | Some(Some("default")) => Some(prefix.to_owned()),
            Some(Some("none")) => None,
            Some(_) => {
                self.problem(node.span, "`headers` is `default` or `none`");
                return None;
            }
        };
        let body = member("body").and_then(|node| from_node::<Value>(node).ok()).map(|body| body.to_string());
        let body = body.unwrap_or_default();
        let store = self.store(node, entries, algorithm)?;
        Some(OwnLimit { name, algorithm, status, body, headers, store })
    }

    /// Who counts; `Some(None)` where that is this gateway.
    #[expect(clippy::option_option, reason = "what is wrong has been told, or nothing is said")]
    fn store(&mut self, node: &Node, entries: &[Entry], algorithm: Algorithm) -> Option<Option<OwnStore>> {
        let member = |name: &str| entries.iter().find(|entry| &*entry.key.name == name).map(|entry| &entry.value);
        let Some(named) = member("store") else {
            if let Some(stray) = member("mode").or(member("onStoreError")) {
                self.problem(stray.span, "`mode` and `onStoreError` of a limit mean nothing without `store`");
                return None;
            }
            return Some(None);
        };
        let name = self.text_of(named, "`store`")?.to_owned();
        if !self.source.limits.stores().has(&name) {
            let name = name.escape_default();
            self.problem(named.span, format!("there is no store `{name}` in the settings"));
            return None;
        }
        let mode = match member("mode").map(Node::as_str) {
            None | Some(Some("exact")) => StoreMode::Exact,
            Some(Some("fast")) => StoreMode::Fast,
            Some(_) => {
                self.problem(node.span, "`mode` of a limit is `exact` or `fast`");
                return None;
            }
        };
        let on_error = match member("onStoreError").map(Node::as_str) {
            None | Some(Some("deny")) => OnStoreError::Deny,
            Some(Some("allow")) => OnStoreError::Allow,
            Some(Some("local")) => OnStoreError::Local,
            Some(_) => {
                self.problem(node.span, "`onStoreError` of a limit is `deny`, `allow` or `local`");
                return None;
            }
        };
        let why = match algorithm.in_store() {
            None if algorithm.is_held() => "requests under way cannot be counted in a store: no `concurrency`",
            None => "the limit is too large for a store to count exactly",
            Some(formula) if formula.waits && mode == StoreMode::Fast => {
                "requests that wait for their turn cannot be counted ahead: `mode: exact`, or `delay: false`"
            }
            Some(_) => return Some(Some(OwnStore { name, mode, on_error })),
        };
        self.problem(named.span, why);
        None
    }

    fn algorithm(&mut self, node: &Node, entries: &[Entry]) -> Option<Algorithm> {
        let member = |name: &str| entries.iter().find(|entry| &*entry.key.name == name).map(|entry| &entry.value);
        let chosen = member("algorithm").and_then(Node::as_str).unwrap_or_default();
        let Some((name, required, others)) = ALGORITHMS.iter().find(|(name, ..)| *name == chosen) else {
            let names: Vec<&str> = ALGORITHMS.iter().map(|(name, ..)| *name).collect();
            self.problem(node.span, format!("a limit needs an `algorithm`: one of `{}`", names.join("`, `")));
            return None;
        };
        const NUMBERS: &[&str] = &["limit", "interval", "rate", "burst", "delay"];
        // A leaky bucket's rate may be written as one word, `10/s`.
        let has_rate = *name == "leaky-bucket" && member("rate").is_some();
        for number in NUMBERS.iter().filter(|number| member(number).is_some()) {
            let fits = required.contains(number) || others.contains(number) || (*number == "rate" && has_rate);
            if !fits || (has_rate && required.contains(number)) {
                self.problem(node.span, format!("`{number}` means nothing to {name} here"));
                return None;
            }
        }
        if !has_rate && let Some(missing) = required.iter().find(|number| member(number).is_none()) {
            let missing = if *name == "leaky-bucket" { "rate" } else { missing };
            self.problem(node.span, format!("`{missing}` is required for {name}"));
            return None;
        }
        let burst = match member("burst") {
            Some(node) => self.whole(node, "`burst`", 0, MAX_LIMIT)?,
            None => 0,
        };
        let (limit, interval) = match member("rate").filter(|_| has_rate) {
            Some(node) => match node.as_text().and_then(units::rate) {
                Some(rate) => rate,
                None => {
                    self.problem(node.span, "`rate` is not a rate such as 10/s");
                    return None;
                }
            },
            None => {
                let limit = self.whole(member("limit")?, "`limit`", 1, MAX_LIMIT)?;
                (limit, self.duration_in(member("interval"), "`interval`", Duration::from_secs(1))?)
            }
        };
        let algorithm = match *name {
            "token-bucket" => Algorithm::TokenBucket { limit, interval },
            "fixed-window" => Algorithm::FixedWindow { limit, interval },
            "sliding-window" => Algorithm::SlidingWindow { limit, interval },
            "leaky-bucket" => {
                let delay = match member("delay") {
                    None => true,
                    Some(node) => match node.as_bool() {
                        Some(delay) => delay,
                        None => {
                            self.problem(node.span, "`delay` of a leaky bucket is true or false");
                            return None;
                        }
                    },
                };
                Algorithm::LeakyBucket { rate: limit, interval, burst, delay }
            }
            _ => {
                let delay = self.duration_in(member("delay"), "`delay`", Duration::ZERO)?;
                Algorithm::Concurrency { limit, burst, delay }
            }
        };
        if algorithm.longest_wait() > MAX_WAIT {
            self.problem(node.span, "a request would wait for more than a minute; use a smaller `burst` or `delay`");
            return None;
        }
        if !algorithm.is_countable() {
            self.problem(node.span, "the limit is too large for its interval");
            return None;
        }
        Some(algorithm)
    }

    fn duration_in(&mut self, node: Option<&Node>, what: &str, otherwise: Duration) -> Option<Duration> {
        let Some(node) = node else { return Some(otherwise) };
        let found = node.as_text().and_then(|text| units::duration(text).ok()).filter(|found| !found.is_zero());
        if found.is_none() {
            self.problem(node.span, format!("{what} is not a duration such as 60s"));
        }
        found
    }

    fn whole(&mut self, node: &Node, what: &str, least: u64, most: u64) -> Option<u64> {
        let number =
            node.as_number().and_then(|number| number.as_u64()).filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.problem(node.span, format!("{what} is not a whole number from {least} to {most}"));
        }
        number
    }
}
