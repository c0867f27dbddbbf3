//! What upstreams ask of the operations that use them.

use std::collections::BTreeMap;

use gateway_yaml::Span;

use crate::diagnostic::{Diagnostic, Diagnostics, GW529};
use crate::ir::{Access, Action, Api, Balance, HashKey, LimitKey, Mirror, Operation, Rule, SplitEntry, Upstream};

pub(super) fn check(api: &Api, diagnostics: &mut Diagnostics) {
    for upstream in &api.upstreams {
        check_hash(api, upstream, diagnostics);
    }
    check_splits(api, diagnostics);
}

/// Whether only requests with a known caller have this part.
fn is_of_caller(key: &HashKey) -> bool {
    let HashKey::Part(part) = key else { return false };
    matches!(part, LimitKey::Client | LimitKey::Consumer | LimitKey::User | LimitKey::Credential)
}

fn is_public(operation: &Operation) -> bool {
    matches!(operation.access, Access::Anyone { .. })
}

/// A caller cannot choose the version where nobody is one. What is said for several operations may leave public ones
/// to chance.
fn check_splits(api: &Api, diagnostics: &mut Diagnostics) {
    let mut found: BTreeMap<Span, (&SplitEntry, bool)> = BTreeMap::new();
    for operation in api.routes.iter().flat_map(|route| &route.operations) {
        let Action::Forward { split, .. } = &operation.action else { continue };
        for entry in split {
            let (_, all_public) = found.entry(entry.span).or_insert((entry, true));
            *all_public &= is_public(operation);
        }
    }
    for (at, (entry, _)) in found.into_iter().filter(|(_, (_, all_public))| *all_public) {
        let Some(key) = entry.by.iter().find(|key| is_of_caller(key)) else { continue };
        let headline = format!("the share of `{}` is chosen by `{}`, which no request has", entry.upstream, key.show());
        diagnostics.push(
            Diagnostic::error(GW529, headline)
                .at(at, "every operation that has this `split` is public")
                .help("choose by what requests have: `ip`, `header:X`, `query:x` or `cookie:x`"),
        );
    }
}

/// A caller cannot choose the endpoint where nobody is one.
fn check_hash(api: &Api, upstream: &Upstream, diagnostics: &mut Diagnostics) {
    let Balance::Hash(keys) = &upstream.balance else { return };
    let Some(key) = keys.iter().find(|key| is_of_caller(key)) else { return };
    let of_routes = api.routes.iter().flat_map(|route| &route.operations);
    let all = of_routes.chain(api.rules.iter().filter_map(Rule::operation));
    let mut using = all.filter(|operation| goes_to(operation, upstream));
    if using.any(|operation| !is_public(operation)) {
        return;
    }
    let (key, name) = (key.show(), &upstream.name);
    diagnostics.push(
        Diagnostic::error(GW529, format!("the hash of the upstream `{name}` is of `{key}`, which no request has"))
            .at(upstream.span, "every operation that uses it is public")
            .help("choose by what requests have: `ip`, `header:X`, `query:x` or `cookie:x`"),
    );
}

fn goes_to(operation: &Operation, upstream: &Upstream) -> bool {
    let name = upstream.name.as_str();
    let is_copied =
        matches!(&operation.action, Action::Forward { mirror: Some(Mirror { upstream, .. }), .. } if upstream == name);
    is_copied || operation.action.upstreams().contains(&name)
}
