//! Limits, as tables.

use crate::emit::layout::Expression;
use crate::emit::literals::{boolean, duration};
use crate::emit::names::Ident;
use crate::ir::{
    FailureLimit, Limit, LimitAlgorithm, LimitHeaders, LimitKey, LimitStore, OnStoreError, Scheme, StoreMode,
};

pub(super) fn limit_value(limit: &Limit) -> Expression {
    let numbers = |name: &'static str, number: u64| (name, Expression::number(number));
    let (algorithm, fields) = match limit.algorithm {
        LimitAlgorithm::TokenBucket { limit, interval } => {
            ("Algorithm::TokenBucket", vec![numbers("limit", limit), ("interval", duration(interval))])
        }
        LimitAlgorithm::FixedWindow { limit, interval } => {
            ("Algorithm::FixedWindow", vec![numbers("limit", limit), ("interval", duration(interval))])
        }
        LimitAlgorithm::SlidingWindow { limit, interval } => {
            ("Algorithm::SlidingWindow", vec![numbers("limit", limit), ("interval", duration(interval))])
        }
        LimitAlgorithm::LeakyBucket { rate, interval, burst, delay } => (
            "Algorithm::LeakyBucket",
            vec![
                numbers("rate", rate),
                ("interval", duration(interval)),
                numbers("burst", burst),
                ("delay", boolean(delay)),
            ],
        ),
        LimitAlgorithm::Concurrency { limit, burst, delay } => (
            "Algorithm::Concurrency",
            vec![numbers("limit", limit), numbers("burst", burst), ("delay", duration(delay))],
        ),
    };
    let headers = match &limit.headers {
        LimitHeaders::None => Expression::word("LimitHeaders::None"),
        LimitHeaders::Default => Expression::word("LimitHeaders::Default"),
        LimitHeaders::Prefixed(prefix) => Expression::Call("LimitHeaders::Prefixed", vec![Expression::text(prefix)]),
    };
    Expression::Struct(
        "Limit",
        vec![
            ("name", Expression::text(&limit.name)),
            ("shared", boolean(limit.shared)),
            ("algorithm", Expression::Struct(algorithm, fields)),
            ("key", Expression::Slice(limit.key.iter().map(limit_key).collect())),
            ("skips_missing_key", boolean(limit.skips_missing_key)),
            ("status", Expression::number(limit.status.into())),
            ("body", Expression::text(&limit.body)),
            ("headers", headers),
            ("store", limit.store.as_ref().map_or(Expression::word("None"), limit_store)),
        ],
    )
}

pub(super) fn limit_key(key: &LimitKey) -> Expression {
    match key {
        LimitKey::Caller => Expression::word("LimitKey::Caller"),
        LimitKey::Ip => Expression::word("LimitKey::Ip"),
        LimitKey::Client => Expression::word("LimitKey::Client"),
        LimitKey::Consumer => Expression::word("LimitKey::Consumer"),
        LimitKey::User => Expression::word("LimitKey::User"),
        LimitKey::Credential => Expression::word("LimitKey::Credential"),
        LimitKey::Path => Expression::word("LimitKey::Path"),
        LimitKey::Header(name) => Expression::Call("LimitKey::Header", vec![Expression::text(name)]),
        LimitKey::Query(name) => Expression::Call("LimitKey::Query", vec![Expression::text(name)]),
        LimitKey::Const(text) => Expression::Call("LimitKey::Const", vec![Expression::text(text)]),
    }
}

fn limit_store(store: &LimitStore) -> Expression {
    let mode = match store.mode {
        StoreMode::Exact => "StoreMode::Exact",
        StoreMode::Fast => "StoreMode::Fast",
    };
    let on_error = match store.on_error {
        OnStoreError::Deny => "OnStoreError::Deny",
        OnStoreError::Allow => "OnStoreError::Allow",
        OnStoreError::Local => "OnStoreError::Local",
    };
    let fields = vec![
        ("name", Expression::text(&store.name)),
        ("client", Expression::word("&Redis")),
        ("mode", Expression::word(mode)),
        ("on_error", Expression::word(on_error)),
    ];
    Expression::Call("Some", vec![Expression::Struct("LimitStore", fields)])
}

/// How many wrong credentials of a scheme are checked.
pub(super) fn failure_limit((_, scheme): &(Ident, &Scheme)) -> Option<Expression> {
    let FailureLimit { limit, interval, key } = scheme.failures.as_ref()?;
    let fields = vec![
        ("scheme", Expression::text(&scheme.name)),
        ("limit", Expression::number(*limit)),
        ("interval", duration(*interval)),
        ("key", Expression::Slice(key.iter().map(limit_key).collect())),
    ];
    Some(Expression::Struct("FailureLimit", fields))
}
