//! Limits.

use gateway_runtime::codegen::{FailureLimit, Limit, LimitKey, LimitStore};
use gateway_runtime::optional;
use gatewayc::ir;

use crate::tables::text::{list, text};

pub(super) fn limit(limit: &ir::Limit) -> Limit {
    let ir::Limit { name, shared, algorithm, key, skips_missing_key, status, body, headers, store } = limit;
    Limit {
        name: text(name),
        shared: *shared,
        algorithm: *algorithm,
        key: keys(key),
        skips_missing_key: *skips_missing_key,
        status: *status,
        body: text(body),
        headers: headers.map(|prefix| text(prefix)),
        store: store.as_ref().map(|ir::LimitStore { name, mode, on_error }| LimitStore {
            name: text(name),
            client: optional::redis().expect("features are checked first"),
            mode: *mode,
            on_error: *on_error,
        }),
    }
}

fn keys(key: &[ir::LimitKey]) -> &'static [LimitKey] {
    list(key, |part| part.map(|name| text(name)))
}

/// How many wrong credentials of a scheme are checked.
pub(super) fn failure_limit(scheme: &ir::Scheme) -> Option<FailureLimit> {
    let ir::FailureLimit { limit, interval, key } = scheme.failures.as_ref()?;
    Some(FailureLimit { scheme: text(&scheme.name), limit: *limit, interval: *interval, key: keys(key) })
}
