//! Which responses are stored, in words.

use crate::ir::Cache;
use crate::policy::lines::{line, one_line};
use crate::units::show_duration;

/// What the table at the head of a module says.
pub(super) fn word(cache: Option<&Cache>) -> String {
    cache.map_or_else(String::new, |cache| format!("; cached {}", time(cache)))
}

/// Adds the line of an operation that has any.
pub(super) fn write(out: &mut String, cache: Option<&Cache>) {
    let Some(cache) = cache else { return };
    let Cache { ttl: _, methods, key, max_body, stale_while_revalidate, stale_if_error, span: _ } = cache;
    let by = match key {
        None => "path+query".to_owned(),
        Some(keys) => format!("path+{}", keys.iter().map(ToString::to_string).collect::<Vec<_>>().join("+")),
    };
    let mut words = format!("{} of {} by {by}, up to {max_body}", time(cache), methods.join("+"));
    for (what, time) in [("while revalidating", stale_while_revalidate), ("on errors", stale_if_error)] {
        if let Some(time) = time {
            words.push_str(&format!(", stale for {} {what}", show_duration(*time)));
        }
    }
    line(out, "responses cached", &one_line(&words));
}

fn time(cache: &Cache) -> String {
    cache.ttl.map_or_else(|| "as the upstream says".to_owned(), |ttl| format!("for {}", show_duration(ttl)))
}
