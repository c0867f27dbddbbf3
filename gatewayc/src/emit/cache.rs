//! Which responses are stored, as a table.

use std::time::Duration;

use crate::emit::layout::Expression;
use crate::emit::literals::{duration, size};
use crate::emit::upstreams::hash_key;
use crate::ir::{Cache, CacheKey};

pub(super) fn cache(cache: Option<&Cache>) -> Expression {
    let Some(cache) = cache else { return Expression::word("None") };
    let Cache { ttl, methods, key, max_body, stale_while_revalidate, stale_if_error, span: _ } = cache;
    let keys = key.as_ref().map_or(Expression::word("None"), |keys| {
        Expression::Call("Some", vec![Expression::Slice(keys.iter().map(cache_key).collect())])
    });
    let fields = vec![
        ("ttl", time(*ttl)),
        ("methods", Expression::texts(methods)),
        ("key", keys),
        ("max_body", size(*max_body)),
        ("stale_while_revalidate", time(*stale_while_revalidate)),
        ("stale_if_error", time(*stale_if_error)),
    ];
    Expression::Call("Some", vec![Expression::Struct("Cache", fields)])
}

fn cache_key(key: &CacheKey) -> Expression {
    match key {
        CacheKey::Query => Expression::word("CacheKey::Query"),
        CacheKey::Part(part) => Expression::Call("CacheKey::Part", vec![hash_key(part)]),
    }
}

fn time(time: Option<Duration>) -> Expression {
    time.map_or(Expression::word("None"), |time| Expression::Call("Some", vec![duration(time)]))
}
