//! What upstreams ask of the operations that use them.

use std::collections::BTreeMap;

use gateway_yaml::Span;

use crate::diagnostic::{Diagnostic, Diagnostics, GW529, GW535};
use crate::ir::{
    Access, Action, Api, Balance, HashKey, HeaderEdits, LimitKey, Mirror, Operation, Rule, SplitEntry, Upstream,
    UpstreamAuth,
};
use crate::vocabulary::{canonical, no_place_for_credentials};

pub(super) fn check(api: &Api, diagnostics: &mut Diagnostics) {
    for upstream in &api.upstreams {
        check_hash(api, upstream, diagnostics);
        check_auth(api, upstream, diagnostics);
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

/// A caller cannot choose the version where no operation knows its callers. What is said for several operations may leave
/// public ones to chance.
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
        let headline = format!("the share of `{}` is chosen by `{}`, which no request has", entry.upstream, key);
        diagnostics.push(
            Diagnostic::error(GW529, headline)
                .at(at, "every operation that has this `split` is public")
                .help("choose by what requests have: `ip`, `header:X`, `query:x` or `cookie:x`"),
        );
    }
}

/// A caller cannot choose the endpoint where no operation knows its callers.
fn check_hash(api: &Api, upstream: &Upstream, diagnostics: &mut Diagnostics) {
    let Balance::Hash(keys) = &upstream.balance else { return };
    let Some(key) = keys.iter().find(|key| is_of_caller(key)) else { return };
    if using(api, upstream).any(|operation| !is_public(operation)) {
        return;
    }
    let (key, name) = (key.to_string(), &upstream.name);
    diagnostics.push(
        Diagnostic::error(GW529, format!("the hash of the upstream `{name}` is of `{key}`, which no request has"))
            .at(upstream.span, "every operation that uses it is public")
            .help("choose by what requests have: `ip`, `header:X`, `query:x` or `cookie:x`"),
    );
}

/// A field has one value, and a certificate is shown inside TLS.
fn check_auth(api: &Api, upstream: &Upstream, diagnostics: &mut Diagnostics) {
    let Some(UpstreamAuth { credential, certificate }) = &upstream.auth else { return };
    let name = &upstream.name;
    if certificate.is_some() && !["https://", "h2://"].iter().any(|tls| upstream.first_url().starts_with(tls)) {
        diagnostics.push(
            Diagnostic::error(GW535, format!("the certificate for the upstream `{name}` is never shown"))
                .at(upstream.span, "it is spoken to without TLS")
                .help("write `https://` or `h2://` in its addresses"),
        );
    }
    let fields = credential.as_ref().map(|credential| credential.fields()).unwrap_or_default();
    for field in fields {
        if let Some(why) = no_place_for_credentials(field, &api.identity_headers) {
            let headline = format!("`{field}` cannot carry a credential to the upstream `{name}`");
            diagnostics.push(Diagnostic::error(GW535, headline).at(upstream.span, why));
        }
        let writes = |operation: &&Operation| {
            let HeaderEdits { remove: _, set, set_secret, add } = &operation.request_headers;
            let names = set.iter().chain(add).map(|(name, _)| name).chain(set_secret.iter().map(|(name, _)| name));
            names.into_iter().any(|name| canonical(name) == canonical(field))
        };
        if let Some(operation) = using(api, upstream).find(writes) {
            diagnostics.push(
                Diagnostic::error(GW535, format!("`{field}` has two values for the upstream `{name}`"))
                    .at(operation.span, "`requestHeaders` of this operation give it one")
                    .also(upstream.span, "`upstreamAuth` gives it another")
                    .help("keep one of the two"),
            );
        }
    }
}

/// The operations that use an upstream.
fn using<'a>(api: &'a Api, upstream: &'a Upstream) -> impl Iterator<Item = &'a Operation> {
    let of_routes = api.routes.iter().flat_map(|route| &route.operations);
    let all = of_routes.chain(api.rules.iter().filter_map(Rule::operation));
    all.filter(|operation| goes_to(operation, upstream))
}

fn goes_to(operation: &Operation, upstream: &Upstream) -> bool {
    let name = upstream.name.as_str();
    let is_copied =
        matches!(&operation.action, Action::Forward { mirror: Some(Mirror { upstream, .. }), .. } if upstream == name);
    is_copied || operation.action.upstreams().contains(&name)
}
