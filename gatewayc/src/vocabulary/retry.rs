//! `retry`, `breaker` and `keepAlive`: when a request is sent once more, when not at all, and over which connection.

use gateway_terms::upstream::{
    Breaker, KeepAlive, MOST_ATTEMPTS, MOST_KEPT, RetryBudget, RetryCause, USUAL_ATTEMPTS, USUAL_BACKOFF,
    USUAL_MAX_BACKOFF,
};
use gateway_yaml::{Entry, Node};

use crate::diagnostic::{Diagnostic, GW104};
use crate::ir::Retry;
use crate::units;
use crate::vocabulary::endpoints::number;
use crate::vocabulary::reader::Reader;

/// `retry` of an upstream.
pub(super) fn retry(reader: &mut Reader<'_>, node: &Node) -> Retry {
    let mut retry = Retry {
        attempts: USUAL_ATTEMPTS,
        on: RetryCause::USUAL.to_vec(),
        per_try: None,
        backoff: USUAL_BACKOFF,
        max_backoff: USUAL_MAX_BACKOFF,
        budget: RetryBudget::USUAL,
        attempt_header: false,
    };
    const KNOWN: [&str; 7] = ["attempts", "on", "perTry", "backoff", "budget", "attemptHeader", "methods"];
    for Entry { key, value } in reader.known(node, "`retry`", &KNOWN) {
        match &*key.name {
            "attempts" => match number(reader, value, "`attempts`", MOST_ATTEMPTS) {
                Some(0) => reader.wrong(value, "`attempts`", "expected one try or more: the first counts"),
                Some(attempts) => retry.attempts = attempts,
                None => {}
            },
            "on" => {
                retry.on = reader.list(value, "`on`").iter().filter_map(|item| cause(reader, item)).collect();
                if value.as_sequence().is_some_and(<[Node]>::is_empty) {
                    reader.wrong(value, "`on`", "expected one cause or more, such as `connect`");
                }
            }
            "perTry" => retry.per_try = reader.unit(value, "`perTry`", units::duration),
            "backoff" => {
                for Entry { key, value } in reader.known(value, "`backoff`", &["base", "max"]) {
                    let time = reader.unit(value, "a backoff", units::duration);
                    let of = if &*key.name == "base" { &mut retry.backoff } else { &mut retry.max_backoff };
                    *of = time.unwrap_or(*of);
                }
            }
            "budget" => {
                for Entry { key, value } in reader.known(value, "`budget`", &["percent", "min"]) {
                    if &*key.name == "percent" {
                        let percent = number(reader, value, "`percent`", 100).and_then(|part| u8::try_from(part).ok());
                        retry.budget.percent = percent.unwrap_or(retry.budget.percent);
                    } else {
                        retry.budget.min = number(reader, value, "`min`", 1_000_000).unwrap_or(retry.budget.min);
                    }
                }
            }
            "attemptHeader" => {
                retry.attempt_header = reader.boolean(value, "`attemptHeader`").unwrap_or_default();
            }
            _ => reader.report(
                Diagnostic::error(GW104, "`methods` of `retry` is an operation's to say, not an upstream's")
                    .at(key.span, "only the operation knows whether its method can be repeated")
                    .help("idempotent methods are repeated anyway; write `x-gateway: {retry: {methods: [POST]}}` at the operation"),
            ),
        }
    }
    retry
}

fn cause(reader: &mut Reader<'_>, node: &Node) -> Option<RetryCause> {
    let cause = node.as_text().and_then(RetryCause::named);
    if cause.is_none() {
        reader.wrong(node, "a part of `on`", "expected `connect`, `reset`, or a status: 429 or one from 500 on");
    }
    cause
}

/// `retry` of an operation: the methods that may be repeated although they are not idempotent.
pub(super) fn repeatable(reader: &mut Reader<'_>, node: &Node) -> Vec<String> {
    let mut methods = Vec::new();
    for entry in reader.known(node, "`retry` of an operation", &["methods"]) {
        for item in reader.words(&entry.value, "`methods`") {
            match item
                .as_str()
                .filter(|method| !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase()))
            {
                Some(method) => methods.push(method.to_owned()),
                None => reader.wrong(item, "a method", "expected a method such as `POST`"),
            }
        }
    }
    methods
}

/// `breaker` of an upstream.
pub(super) fn breaker(reader: &mut Reader<'_>, node: &Node) -> Breaker {
    let mut breaker = Breaker::USUAL;
    for Entry { key, value } in reader.known(node, "`breaker`", &["requests", "pending"]) {
        let of = if &*key.name == "requests" { &mut breaker.requests } else { &mut breaker.pending };
        match number(reader, value, "a bound", 1_000_000) {
            Some(0) => reader.wrong(value, "a bound", "expected 1 or more; with 0, each request would be refused"),
            Some(most) => *of = most,
            None => {}
        }
    }
    breaker
}

/// `keepAlive` of an upstream; `off` for a connection of its own for each request.
pub(super) fn keep_alive(reader: &mut Reader<'_>, node: &Node) -> KeepAlive {
    if node.is_off() {
        return KeepAlive::OFF;
    }
    let mut kept = KeepAlive::USUAL;
    for Entry { key, value } in reader.known(node, "`keepAlive`", &["idle", "max", "age", "requests"]) {
        match &*key.name {
            "idle" => kept.idle = reader.unit(value, "`idle`", units::duration).unwrap_or(kept.idle),
            "age" => kept.age = reader.unit(value, "`age`", units::duration),
            "max" => match number(reader, value, "`max`", MOST_KEPT) {
                Some(0) => reader.wrong(value, "`max`", "expected 1 or more; `keepAlive: off` keeps none"),
                Some(most) => kept.max = most,
                None => {}
            },
            _ => match number(reader, value, "`requests`", u32::MAX) {
                Some(0 | 1) => reader.wrong(value, "`requests`", "expected 2 or more; `keepAlive: off` keeps none"),
                requests => kept.requests = requests,
            },
        }
    }
    kept
}
