//! `upgrade` joined with the rest of a document: which operations can have it, and which pages may ask for it.

use std::collections::BTreeSet;

use gateway_terms::upstream::UpstreamScheme;
use gateway_yaml::Span;

use crate::ast;
use crate::diagnostic::{Diagnostic, Diagnostics, GW550, GW551, GW552};
use crate::ir::{Action, Api, Credential, CredentialLocation, Operation, Scheme, Upgrade, Upstream};
use crate::lower::browsers::required;

/// Adds the origins that `cors` says, and checks what only the whole document shows.
pub(super) fn complete(api: &mut Api, document: &ast::Document, diagnostics: &mut Diagnostics) {
    let (schemes, upstreams) = (&api.schemes, &api.upstreams);
    // One operation may be served below several base paths.
    let mut reported = BTreeSet::new();
    for operation in api.routes.iter_mut().flat_map(|route| &mut route.operations) {
        let Some(upgrade) = &mut operation.upgrade else { continue };
        if upgrade.origins.is_none() {
            upgrade.origins = operation.cors.as_ref().map(|cors| cors.policy.who());
        }
        if reported.insert(operation.span) {
            check(operation, schemes, upstreams, diagnostics);
        }
    }
    check_subprotocols(api, document, diagnostics);
}

fn check(operation: &Operation, schemes: &[Scheme], upstreams: &[Upstream], diagnostics: &mut Diagnostics) {
    let Some(upgrade) = &operation.upgrade else { return };
    let (title, at) = (format!("operation `{}`", operation.id), upgrade.span);
    if operation.method != "GET" {
        diagnostics.push(
            Diagnostic::error(GW550, format!("`upgrade` of {title}, which is no GET"))
                .at(at, format!("a WebSocket begins with GET (RFC 6455 4.1), and this is {}", operation.method))
                .help("move it to the GET operation of the path, or remove it"),
        );
        return;
    }
    match &operation.action {
        Action::Answer(builtin) => diagnostics.push(
            Diagnostic::error(GW550, format!("`upgrade` of {title}, which the gateway answers itself"))
                .at(at, format!("`builtin: {}` speaks no other protocol", builtin.name()))
                .help("remove `upgrade`, or `builtin`"),
        ),
        action @ Action::Forward { .. } => {
            let names = action.upstreams();
            let mut used = upstreams.iter().filter(|known| names.contains(&known.name.as_str()));
            if let Some(upstream) = used
                .find(|upstream| UpstreamScheme::of(upstream.first_url()).is_some_and(|(scheme, _)| scheme.is_http2))
            {
                diagnostics.push(
                    Diagnostic::error(GW550, format!("`upgrade` of {title}, whose upstream speaks HTTP/2"))
                        .at(at, "HTTP/2 has no `Upgrade` (RFC 9113 8.6)")
                        .also(upstream.span, "spoken to in HTTP/2")
                        .help("give the operation an upstream with `http://` or `https://`"),
                );
            }
        }
    }
    let required = required(&operation.access, schemes);
    if upgrade.until_expiry && !required.iter().any(|scheme| expires(scheme)) {
        diagnostics.push(
            Diagnostic::error(GW550, format!("`untilExpiry` of {title}, whose callers have nothing that expires"))
                .at(at, "no scheme of its `security` knows when a credential ends")
                .help("ask for a token in `security`, or remove `untilExpiry`"),
        );
    }
    let in_cookie = required
        .iter()
        .find(|scheme| scheme.locations.iter().any(|location| matches!(location, CredentialLocation::Cookie(_))));
    if let Some(scheme) = in_cookie {
        diagnostics.extend(check_origins(upgrade, &title, &scheme.name));
    }
}

/// A browser sends cookies whatever page opens a WebSocket, and no other rule keeps that page from reading
/// (RFC 6455 §10.2).
fn check_origins(upgrade: &Upgrade, title: &str, scheme: &str) -> Option<Diagnostic> {
    let headline = match &upgrade.origins {
        None => format!("any page could open a WebSocket to {title} as its visitor: no origins are listed"),
        Some(origins) if origins.any => {
            format!("any page could open a WebSocket to {title} as its visitor: `*` is every origin")
        }
        Some(origins) if origins.origins.iter().any(|origin| origin == "null") => {
            format!("any page could open a WebSocket to {title} as its visitor: every page can be of the origin `null`")
        }
        Some(_) => return None,
    };
    Some(
        Diagnostic::error(GW551, headline)
            .at(upgrade.span, format!("`{scheme}` is a cookie, which browsers send whatever page asks"))
            .help("write `upgrade: {protocols: [websocket], origins: [\"https://app.example\"]}`, or `cors` with these origins"),
    )
}

/// A place for credentials that no request can have.
fn check_subprotocols(api: &Api, document: &ast::Document, diagnostics: &mut Diagnostics) {
    let operations = || api.routes.iter().flat_map(|route| &route.operations);
    for scheme in &api.schemes {
        let is_one = |location: &CredentialLocation| matches!(location, CredentialLocation::Subprotocol(_));
        let upgrades = |operation: &Operation| {
            operation.upgrade.is_some()
                && required(&operation.access, std::slice::from_ref(scheme)).iter().any(|one| one.name == scheme.name)
        };
        if !scheme.locations.iter().any(is_one) || operations().any(upgrades) {
            continue;
        }
        let definition = document.schemes.iter().find(|known| known.name.value == scheme.name);
        let at = definition.map_or(Span::default(), |definition| {
            definition
                .gateway
                .as_ref()
                .and_then(|node| node.get("alsoIn"))
                .map_or(definition.name.span, |node| node.span)
        });
        diagnostics.push(
            Diagnostic::warning(
                GW552,
                format!("`{}` is looked for in subprotocols, and no operation has them", scheme.name),
            )
            .at(at, "only a WebSocket client sends subprotocols")
            .help("write `upgrade: [websocket]` at an operation that asks for it, or remove the place"),
        );
    }
}

/// Whether its credentials may have an end.
fn expires(scheme: &Scheme) -> bool {
    match scheme.credential {
        Credential::Jwt(_)
        | Credential::ConsumerJwt(_)
        | Credential::Introspection(_)
        | Credential::OwnToken
        | Credential::Session(_)
        | Credential::ApiKey
        | Credential::Basic
        | Credential::Hmac(_)
        | Credential::Certificate => true,
        Credential::AdminKey => false,
    }
}
