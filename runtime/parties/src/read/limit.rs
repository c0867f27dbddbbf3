//! Limits that a consumer brings along; they are charged beside those of the operation, with the consumer as key.

use std::collections::HashSet;
use std::sync::Arc;

use gateway_terms::limit::{self as terms, LONGEST_WAIT, LimitMistake, MAX_LIMIT, Place, STATUSES};
use gateway_terms::store::{StoreMistake, fits_store};
use gateway_yaml::{Entry, Node, from_node};
use serde_json::Value;

use super::Reading;
use gateway_limits::algorithm::Algorithm;
use gateway_limits::rule::{OwnLimit, OwnStore, Rule};
use gateway_limits::tables::{OnStoreError, StoreMode};

impl Reading<'_> {
    /// `rateLimit` of a consumer.
    pub(super) fn limits(&mut self, node: &Node) -> Arc<[Rule]> {
        let Some(items) = node.as_sequence() else {
            self.problem(node.span, format!("`rateLimit` is {}, not a list", node.kind_name()));
            return Arc::default();
        };
        let limits: Vec<(OwnLimit, &Node)> =
            items.iter().enumerate().filter_map(|(index, item)| Some((self.limit(index, item)?, item))).collect();
        self.check_counters(&limits);
        let limits: Vec<OwnLimit> = limits.into_iter().map(|(limit, _)| limit).collect();
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

    /// A counter of a consumer is known by the limit's name and numbers: two that agree in both would be one, charged
    /// twice for each request.
    fn check_counters(&mut self, limits: &[(OwnLimit, &Node)]) {
        let mut counters = HashSet::new();
        for (limit, node) in limits {
            if !counters.insert((&limit.name, limit.algorithm)) {
                let name = &limit.name;
                self.problem(
                    node.span,
                    format!(
                        "a limit called `{name}` with the same numbers stands before: each request would count twice"
                    ),
                );
            }
        }
    }

    fn limit(&mut self, index: usize, node: &Node) -> Option<OwnLimit> {
        let entries = self.members(node, "a limit of a consumer", &Place::Consumer.members())?;
        let member = |name: &str| entries.iter().find(|entry| &*entry.key.name == name).map(|entry| &entry.value);
        let algorithm = self.algorithm(node)?;
        let status = match member("status") {
            None => terms::USUAL_STATUS,
            Some(node) => match terms::status(node) {
                Some(status) => status,
                None => {
                    let (least, most) = STATUSES.into_inner();
                    self.problem(node.span, format!("`status` is not a whole number from {least} to {most}"));
                    return None;
                }
            },
        };
        let name = match member("name") {
            None if index == 0 => "consumer".to_owned(),
            None => format!("consumer {}", index + 1),
            Some(node) => self.text_of(node, "`name`")?.to_owned(),
        };
        if !terms::is_name(&name) {
            self.problem(node.span, "`name` of a limit is visible ASCII without quotes and backslashes");
            return None;
        }
        let prefix = match member("headerPrefix") {
            None => "",
            Some(node) => self.text_of(node, "`headerPrefix`")?,
        };
        if !prefix.is_empty() && !terms::is_header_prefix(prefix) {
            self.problem(node.span, "`headerPrefix` has letters, digits and `-`");
            return None;
        }
        let headers = match member("headers") {
            None => true,
            Some(word) => self.word(word, "`headers` of a limit", terms::HEADERS)?,
        };
        let headers = headers.then(|| prefix.to_owned());
        let body = member("body").and_then(|node| from_node::<Value>(node).ok()).map(|body| body.to_string());
        let body = body.unwrap_or_default();
        let store = self.store(entries, algorithm)?;
        Some(OwnLimit { name, algorithm, status, body, headers, store })
    }

    /// Who counts; `Some(None)` where that is this gateway.
    #[expect(clippy::option_option, reason = "mistakes have been reported, or nothing is said")]
    fn store(&mut self, entries: &[Entry], algorithm: Algorithm) -> Option<Option<OwnStore>> {
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
            let problem = if self.source.limits.stores().lacks_client(&name) {
                format!("no document of this gateway has a limit with a `store`, so it has no client for `{name}`")
            } else {
                format!("there is no store `{}` in the settings", name.escape_default())
            };
            self.problem(named.span, problem);
            return None;
        }
        let mode = match member("mode") {
            None => StoreMode::default(),
            Some(node) => self.word(node, "`mode` of a limit", StoreMode::WORDS)?,
        };
        let on_error = match member("onStoreError") {
            None => OnStoreError::default(),
            Some(node) => self.word(node, "`onStoreError` of a limit", OnStoreError::WORDS)?,
        };
        let why = match fits_store(algorithm, mode) {
            Ok(()) => return Some(Some(OwnStore { name, mode, on_error })),
            Err(StoreMistake::Held) => "requests under way cannot be counted in a store: no `concurrency`",
            Err(StoreMistake::WaitsAhead) => {
                "requests that wait for their turn cannot be counted ahead: `mode: exact`, or `delay: false`"
            }
            Err(StoreMistake::TooLarge) => "the limit is too large for a store to count exactly",
        };
        self.problem(named.span, why);
        None
    }

    fn algorithm(&mut self, node: &Node) -> Option<Algorithm> {
        let terms::Reading { algorithm, mistakes } = terms::read_algorithm(node, Place::Consumer);
        for mistake in &mistakes {
            self.problem(mistake.span(), message(mistake));
        }
        algorithm
    }
}

fn message(mistake: &LimitMistake<'_>) -> String {
    match mistake {
        LimitMistake::NoAlgorithm(_) | LimitMistake::UnknownAlgorithm(_) => {
            format!("a limit needs an `algorithm`: one of `{}`", terms::algorithm_names().join("`, `"))
        }
        LimitMistake::Stray(key, numbers) => {
            let has = [numbers.required, numbers.optional].concat().join("`, `");
            format!("`{}` means nothing to {} here; it has `{has}`", key.name, numbers.algorithm)
        }
        LimitMistake::Missing { member, numbers, .. } => format!("`{member}` is required for {}", numbers.algorithm),
        LimitMistake::NotWhole { member, least, .. } => {
            format!("`{member}` is not a whole number from {least} to {MAX_LIMIT}")
        }
        LimitMistake::NotDuration { member, .. } => format!("`{member}` is not a duration such as 60s"),
        LimitMistake::NotRate(_) => "`rate` is not a rate such as 10/s".to_owned(),
        LimitMistake::NotBoolean(_) => "`delay` of a leaky bucket is true or false".to_owned(),
        LimitMistake::NobodyWaits(_) => "`delay` is what the `burst` waits, and there is none".to_owned(),
        LimitMistake::LongWait(_) => {
            let most = LONGEST_WAIT.as_secs();
            format!("a request would wait for more than {most} seconds; use a smaller `burst` or `delay`")
        }
        LimitMistake::Uncountable(_) => "the limit is too large for its interval".to_owned(),
    }
}
