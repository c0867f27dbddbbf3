//! What upstreams ask of the operations that use them.

use crate::diagnostic::{Diagnostic, Diagnostics, GW529};
use crate::ir::{Access, Action, Api, Balance, HashKey, LimitKey, Operation, Rule, Upstream};

pub(super) fn check(api: &Api, diagnostics: &mut Diagnostics) {
    for upstream in &api.upstreams {
        check_hash(api, upstream, diagnostics);
    }
}

/// A caller cannot choose the endpoint where nobody is one.
fn check_hash(api: &Api, upstream: &Upstream, diagnostics: &mut Diagnostics) {
    let Balance::Hash(keys) = &upstream.balance else { return };
    let is_of_caller = |key: &&HashKey| {
        let HashKey::Part(part) = key else { return false };
        matches!(part, LimitKey::Client | LimitKey::Consumer | LimitKey::User | LimitKey::Credential)
    };
    let Some(key) = keys.iter().find(is_of_caller) else { return };
    let of_routes = api.routes.iter().flat_map(|route| &route.operations);
    let all = of_routes.chain(api.rules.iter().filter_map(Rule::operation));
    let mut using = all.filter(|operation| goes_to(operation, upstream));
    if using.any(|operation| !matches!(operation.access, Access::Anyone { .. })) {
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
    matches!(&operation.action, Action::Forward { upstream: name, .. } if *name == upstream.name)
}
