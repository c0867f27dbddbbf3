//! What `compress` asks of the operations that have it.

use std::collections::BTreeMap;

use gateway_yaml::Span;

use crate::diagnostic::{Diagnostic, Diagnostics, GW560};
use crate::ir::{Api, HeaderEdits, Rule};

/// What tells a coded content from another, for clients and for caches.
const TELLING: [&str; 2] = ["Content-Encoding", "Vary"];

/// A coded content that does not say so is rubbish to its recipient.
pub(super) fn check(api: &Api, diagnostics: &mut Diagnostics) {
    let of_routes = api.routes.iter().flat_map(|route| &route.operations);
    let mut found: BTreeMap<Span, (&str, &str)> = BTreeMap::new();
    for operation in of_routes.chain(api.rules.iter().filter_map(Rule::operation)) {
        let Some(compression) = &operation.compression else { continue };
        if let Some(name) = TELLING.into_iter().find(|name| replaces(&operation.response_headers, name)) {
            found.entry(compression.span).or_insert((name, &operation.id));
        }
    }
    for (at, (name, id)) in found {
        let headline = format!("responses of `{id}` are compressed, and `responseHeaders` replaces `{name}`");
        diagnostics.push(
            Diagnostic::error(GW560, headline)
                .at(at, format!("a client, or a cache, learns from `{name}` that content is compressed"))
                .help(format!("remove `{name}` from `responseHeaders` (`add: {{Vary: …}}` stands beside the gateway's own), or write `compress: off` there")),
        );
    }
}

fn replaces(edits: &HeaderEdits, name: &str) -> bool {
    let is = |other: &String| other.eq_ignore_ascii_case(name);
    edits.remove.iter().any(is) || edits.set.iter().any(|(other, _)| is(other))
}
