//! What `cache` asks of the operations that have it.

use std::collections::BTreeMap;

use gateway_yaml::Span;

use crate::diagnostic::{Diagnostic, Diagnostics, GW570, GW572};
use crate::ir::{Access, Api, Cache, CacheKey, HashKey, LimitKey, Operation};

/// Fields that are credentials, or have some in them.
const CREDENTIALS: [&str; 3] = ["Authorization", "Cookie", "Proxy-Authorization"];

/// What is stored for one caller is no other's, and what tells requests apart does so.
pub(super) fn check(api: &Api, diagnostics: &mut Diagnostics) {
    let mut found: BTreeMap<Span, Vec<(&Operation, &Cache)>> = BTreeMap::new();
    for operation in api.routes.iter().flat_map(|route| &route.operations) {
        if let Some(cache) = &operation.cache {
            found.entry(cache.span).or_default().push((operation, cache));
        }
    }
    for (at, operations) in found {
        check_callers(at, &operations, diagnostics);
        let Some((operation, cache)) = operations.first() else { continue };
        let keys = cache.key.as_deref().unwrap_or_default();
        if cache.methods.iter().any(|method| method == "POST") && cache.key.is_none() {
            diagnostics.push(
                Diagnostic::error(
                    GW572,
                    format!("responses to POST are stored, and `cache` of `{}` has no `key`", operation.id),
                )
                .at(at, "the body of a request tells it from others, and does not count here")
                .help(
                    "write what tells requests apart, such as `key: [query, \"header:X-Query-Id\"]`, or leave POST out",
                ),
            );
        }
        let credential = keys.iter().find_map(|key| match key {
            CacheKey::Part(HashKey::Part(LimitKey::Header(name))) => {
                CREDENTIALS.into_iter().find(|known| known.eq_ignore_ascii_case(name))
            }
            _ => None,
        });
        if let Some(name) = credential {
            diagnostics.push(
                Diagnostic::error(GW572, format!("`key` of `cache` has `header:{name}`, which is a credential"))
                    .at(at, "a caller who sends one unchecked gets what is stored for it")
                    .help("ask for the credential in `security`, and write `key: [caller, query]`"),
            );
        }
    }
}

fn is_of_caller(key: &CacheKey) -> bool {
    let CacheKey::Part(HashKey::Part(part)) = key else { return false };
    let known = [LimitKey::Caller, LimitKey::Client, LimitKey::Consumer, LimitKey::User, LimitKey::Credential];
    known.contains(part)
}

fn check_callers(at: Span, operations: &[(&Operation, &Cache)], diagnostics: &mut Diagnostics) {
    let is_public = |operation: &Operation| matches!(operation.access, Access::Anyone { .. });
    let Some((_, cache)) = operations.first() else { return };
    let of_caller = cache.key.iter().flatten().find(|key| is_of_caller(key));
    let secured = operations.iter().find(|(operation, _)| !is_public(operation));
    match (of_caller, secured) {
        (None, Some((operation, _))) => diagnostics.push(
            Diagnostic::error(GW570, format!("`{}` asks for credentials, and its responses are cached for every caller alike", operation.id))
                .at(at, "`key` does not say whose response it is")
                .also(operation.span, "of this operation")
                .help("write `key: [caller, query]`: `caller`, `consumer`, `user`, `client` or `credential`, and what else tells requests apart")
                .help("or write `cache: off` at the operation"),
        ),
        (Some(key), None) => diagnostics.push(
            Diagnostic::error(GW572, format!("`key` of `cache` has `{}`, which no request has", key))
                .at(at, "every operation that has this `cache` is public")
                .help("leave it out, or ask for a credential in `security`"),
        ),
        _ => {}
    }
}
