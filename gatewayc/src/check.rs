//! What only shows when all routes are together: paths that shadow each other.

mod cache;
mod compression;
mod routing;
mod upstreams;
mod ways_around;

use std::collections::{BTreeMap, BTreeSet};

use gateway_route::{Part, RouterBuilder};

use crate::diagnostic::{
    Diagnostic, Diagnostics, GW320, GW402, GW408, GW501, GW504, GW505, GW506, GW508, GW515, GW517,
};
use crate::ir::{Access, Action, Api, CredentialLocation, Gateway, HeaderEdits, Limit, Operation, Route, Rule};
use crate::lower::takes_the_same;
use crate::readings::admits_anyone;
use crate::vocabulary::canonical;
pub use routing::router;

/// Checks the routes of every document with the very router that the gateway uses.
pub(crate) fn check(gateway: &Gateway) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    for api in &gateway.apis {
        check_api(api, &mut diagnostics);
    }
    ways_around::check_across(gateway, &mut diagnostics);
    check_documents(gateway, &mut diagnostics);
    check_shared_limits(gateway, &mut diagnostics);
    check_store_names(gateway, &mut diagnostics);
    check_issuers(gateway, &mut diagnostics);
    diagnostics
}

fn check_api(api: &Api, diagnostics: &mut Diagnostics) {
    let (router, conflicts) = routing::build(api);
    let never: BTreeSet<usize> = conflicts.iter().map(|conflict| conflict.second).collect();
    for conflict in &conflicts {
        let (first, second) = (&api.routes[conflict.first], &api.routes[conflict.second]);
        if !takes_the_same(&first.template, &second.template) {
            let headline = format!(
                "`{}` and `{}` are one path and disagree about what its parameters take",
                first.template, second.template
            );
            diagnostics.push(
                Diagnostic::error(GW517, headline)
                    .at(second.span, "the second")
                    .also(first.span, "the first")
                    .help("a path is matched before its operation is known: put all methods under one path, and declare the parameter once"),
            );
            continue;
        }
        diagnostics.push(
            Diagnostic::error(
                GW501,
                format!("ambiguous paths: `{}` and `{}` match the same requests", first.template, second.template),
            )
            .at(second.span, "the second")
            .also(first.span, "the first")
            .help("put all methods under one path; names of parameters do not tell requests apart"),
        );
    }
    for overlap in router.overlaps() {
        let (first, second) = (&api.routes[overlap.first], &api.routes[overlap.second]);
        if never.contains(&overlap.first) || never.contains(&overlap.second) || first.span == second.span {
            continue;
        }
        diagnostics.push(
            Diagnostic::warning(
                GW504,
                format!("`{}` and `{}` both match `{}`", first.template, second.template, overlap.example),
            )
            .at(second.span, "does not answer there")
            .also(first.span, "answers: it is more specific further to the left"),
        );
    }
    check_selecting_headers(api, diagnostics);
    let masks = router.masks();
    ways_around::check(api, &router, diagnostics);
    check_public_rules(api, diagnostics);
    compression::check(api, diagnostics);
    cache::check(api, diagnostics);
    upstreams::check(api, diagnostics);
    for (specific, general) in masks {
        let (specific, general) = (&api.routes[specific], &api.routes[general]);
        let hidden = hidden_methods(specific, general);
        if hidden.is_empty() || specific.span == general.span {
            continue;
        }
        let headline =
            format!("`{}` answers 405 for {}, which `{}` has", specific.template, hidden.join(", "), general.template);
        diagnostics.push(
            Diagnostic::warning(GW505, headline)
                .at(specific.span, "more specific, without these methods")
                .also(general.span, "has them"),
        );
    }
}

/// What selects an operation here must reach its upstream unchanged, which selects by it again.
fn check_selecting_headers(api: &Api, diagnostics: &mut Diagnostics) {
    let problem = |operation: &Operation, name: &str| {
        let HeaderEdits { remove, set, set_secret, add } = &operation.request_headers;
        let named = set.iter().chain(add).map(|(name, _)| name).chain(set_secret.iter().map(|(name, _)| name));
        if remove.iter().chain(named).any(|edited| canonical(edited) == canonical(name)) {
            return Some("its `requestHeaders` change this header");
        }
        let Access::OneOf(alternatives) = &operation.access else { return None };
        let is_hidden = alternatives.iter().flatten().any(|requirement| {
            let scheme = api.schemes.iter().find(|scheme| scheme.name == requirement.scheme);
            let is_there = |location: &CredentialLocation| {
                matches!(location, CredentialLocation::Header(known) if canonical(known) == canonical(name))
            };
            scheme.is_some_and(|scheme| !scheme.forward && scheme.locations.iter().any(is_there))
        });
        is_hidden.then_some("the header has a credential that the upstream does not get")
    };
    for route in &api.routes {
        let headers = route.when.iter().filter(|condition| condition.part == Part::Header);
        for name in headers.map(|condition| &condition.name) {
            let forwarded =
                route.operations.iter().filter(|operation| matches!(operation.action, Action::Forward { .. }));
            let found = forwarded.into_iter().find_map(|operation| Some((operation, problem(operation, name)?)));
            let Some((operation, problem)) = found else { continue };
            diagnostics.push(
                Diagnostic::error(GW515, format!("the header `{}` cannot select an operation", name.escape_debug()))
                    .at(route.span, problem)
                    .also(operation.span, "for this operation")
                    .help("the upstream selects the operation by the header as well, so it must get the header as the client sent it"),
            );
        }
    }
}

/// A rule says nothing about what else its upstream serves: what a path asks a credential for may be reached by a target
/// that the rule makes.
fn check_public_rules(api: &Api, diagnostics: &mut Diagnostics) {
    let servers = |operation: &Operation| -> Vec<&str> {
        let names = operation.action.upstreams();
        let own = api.upstreams.iter().filter(|known| names.contains(&known.name.as_str()));
        let urls = own.flat_map(|upstream| &upstream.endpoints).filter_map(|endpoint| endpoint.url.split_once("://"));
        urls.filter_map(|(_, rest)| rest.split('/').next()).collect()
    };
    let is_one = |one: &Operation, other: &Operation| {
        let others = servers(other);
        servers(one).iter().any(|server| others.contains(server))
    };
    let guarded = || {
        let of_routes = api.routes.iter().flat_map(|route| &route.operations);
        of_routes.chain(api.rules.iter().filter_map(Rule::operation)).filter(|operation| !admits_anyone(operation))
    };
    for (rule, public) in api.rules.iter().filter_map(|rule| Some((rule, rule.operation()?))) {
        let names = public.action.upstreams();
        let mut used = api.upstreams.iter().filter(|upstream| names.contains(&upstream.name.as_str()));
        let owning = used.find(|upstream| upstream.auth.is_some()).filter(|_| admits_anyone(public));
        if let Some(owning) = owning {
            let headline = format!(
                "{} is public and forwards with the gateway's own credential for the upstream `{}`",
                rule.id, owning.name
            );
            diagnostics.push(
                Diagnostic::warning(GW508, headline)
                    .at(rule.span, "anyone may do there what the gateway may")
                    .also(owning.span, "`upstreamAuth`")
                    .help("ask for a credential in its `security`, or describe the paths that are public")
                    .help("or accept it: `acceptRisk: [{lint: GW508, reason: …}]` in the rule"),
            );
            continue;
        }
        let closed = guarded().find(|closed| admits_anyone(public) && is_one(closed, public));
        let Some(closed) = closed else { continue };
        diagnostics.push(
            Diagnostic::warning(
                GW508,
                format!(
                    "{} is public and forwards to where `{}` does, which asks for a credential",
                    rule.id, closed.id
                ),
            )
            .at(rule.span, "may reach what is guarded")
            .also(closed.span, "guarded")
            .help("ask for the same credential in its `security`, or describe the paths that are public")
            .help("or accept it: `acceptRisk: [{lint: GW508, reason: …}]` in the rule"),
        );
    }
}

/// The methods of `general` that requests for the paths of `specific` cannot reach.
fn hidden_methods(specific: &Route, general: &Route) -> Vec<String> {
    let has = |route: &Route, method: &str| route.described.iter().any(|(described, _)| described == method);
    // GET answers HEAD.
    let answers = |method: &str| has(specific, method) || (method == "HEAD" && has(specific, "GET"));
    let hidden = general.described.iter().filter(|(method, _)| !answers(method));
    hidden.map(|(method, _)| format!("`{method}`")).collect()
}

/// Limits of one name are one limit, in whatever document.
fn check_shared_limits(gateway: &Gateway, diagnostics: &mut Diagnostics) {
    let mut known: BTreeMap<&str, (&Api, &Limit)> = BTreeMap::new();
    for api in &gateway.apis {
        for limit in api.limits.iter().filter(|limit| limit.shared) {
            match known.get(limit.name.as_str()) {
                Some((other, first)) if *first != limit => {
                    let mut diagnostic = Diagnostic::error(
                        GW402,
                        format!(
                            "group conf mismatched: the limit `{}` is not the same in {} and {}",
                            limit.name, other.source, api.source
                        ),
                    );
                    let places = [other, api].map(|api| api.limit_places.get(&limit.name).copied());
                    // The later document is the one that differs, whatever the names.
                    if let [Some(mut first), Some(mut second)] = places {
                        if second < first {
                            std::mem::swap(&mut first, &mut second);
                        }
                        diagnostic = diagnostic.at(second, "differs").also(first, "from this");
                    }
                    diagnostics
                        .push(diagnostic.help("write the same numbers in both, or give one of them another name"));
                }
                Some(_) => {}
                None => {
                    known.insert(&limit.name, (api, limit));
                }
            }
        }
    }
}

/// An issuer is the name of one authorization server.
fn check_issuers(gateway: &Gateway, diagnostics: &mut Diagnostics) {
    let mut known: BTreeMap<&str, &Api> = BTreeMap::new();
    for api in &gateway.apis {
        let issuer = api.authorization_server.as_ref().map(|server| server.issuer.as_str());
        let Some(issuer) = issuer.filter(|issuer| !issuer.is_empty()) else { continue };
        if let Some(other) = known.insert(issuer, api) {
            let headline = format!("{} and {} both describe the issuer `{issuer}`", other.source, api.source);
            diagnostics.push(
                Diagnostic::error(GW320, headline)
                    .help("describe the authorization server in one document, or give each an issuer of its own"),
            );
        }
    }
}

/// A store knows the limits of a document by their names.
fn check_store_names(gateway: &Gateway, diagnostics: &mut Diagnostics) {
    for api in &gateway.apis {
        let mut known = BTreeSet::new();
        for limit in api.limits.iter().filter(|limit| !limit.shared && limit.store.is_some()) {
            if !known.insert(&limit.name) {
                diagnostics.push(
                    Diagnostic::error(GW408, format!("{} has two limits `{}` in a store", api.source, limit.name))
                        .help("give one of them another `name`, or define the limit once under `limits` and `use` it"),
                );
            }
        }
    }
}

/// Documents on one listener must not serve the same path; which listeners there are is decided at deployment.
fn check_documents(gateway: &Gateway, diagnostics: &mut Diagnostics) {
    if gateway.apis.len() < 2 {
        return;
    }
    let mut builder = RouterBuilder::new();
    for api in &gateway.apis {
        for route in &api.routes {
            builder.insert(route.template.clone(), route.when.clone(), (api, route));
        }
    }
    let (router, conflicts) = builder.build();
    let mut said = BTreeSet::new();
    for conflict in conflicts {
        let (Some((first_api, first)), Some((second_api, second))) =
            (router.get(conflict.first), router.get(conflict.second))
        else {
            continue;
        };
        if first_api.name == second_api.name || !said.insert((&first_api.name, &second_api.name)) {
            continue;
        }
        diagnostics.push(
            Diagnostic::warning(
                GW506,
                format!("`{}` and `{}` both serve `{}`", first_api.source, second_api.source, second.template),
            )
            .at(second.span, "also served by the other document")
            .also(first.span, "here")
            .help("they need different listeners in gateway.yaml"),
        );
    }
}
