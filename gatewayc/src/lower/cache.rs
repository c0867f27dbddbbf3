//! What `cache` of an operation says about that operation: whether it applies, and whether its `key` is described.

use gateway_yaml::suggest;

use crate::ast;
use crate::diagnostic::{Diagnostic, Diagnostics, GW571, GW572};
use crate::ir::{Cache, CacheKey, HashKey, LimitKey};
use crate::vocabulary::Inheritable;

/// Header fields that requests have although no document describes them as parameters.
const USUAL_FIELDS: [&str; 10] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "content-language",
    "content-type",
    "host",
    "origin",
    "prefer",
    "user-agent",
];

/// Whether responses to a method are stored, or served from what is. HEAD is GET without its content.
pub(super) fn is_stored(cache: &Cache, method: &str) -> bool {
    let stores = |method: &str| cache.methods.iter().any(|stored| stored == method);
    stores(method) || (method == "HEAD" && stores("GET"))
}

/// Checks what an operation says itself. What it inherits may be about others.
pub(super) fn check(
    own: &Inheritable,
    path: &ast::PathItem,
    operation: &ast::Operation,
    title: &str,
    diagnostics: &mut Diagnostics,
) {
    let Some(Some(cache)) = &own.cache else { return };
    if let Some(upgrade) = &own.upgrade {
        diagnostics.push(
            Diagnostic::error(GW571, format!("`cache` of {title}, whose connections are upgraded"))
                .at(cache.span, "what a tunnel carries is no response")
                .also(upgrade.span, "upgraded here")
                .help("remove `cache`, or `upgrade`"),
        );
        return;
    }
    if !is_stored(cache, &operation.method) {
        let stored = cache.methods.join(", ");
        let help = match &*operation.method {
            "POST" => "write `methods: [POST]` and a `key`, if the request changes nothing",
            _ => "remove `cache`: a request that changes something ends what is stored of its path",
        };
        diagnostics.push(
            Diagnostic::error(GW571, format!("`cache` of {title} stores nothing"))
                .at(cache.span, format!("for {stored}, and this is {}", operation.method))
                .help(help),
        );
        return;
    }
    check_keys(cache, path, operation, title, diagnostics);
}

fn check_keys(
    cache: &Cache,
    path: &ast::PathItem,
    operation: &ast::Operation,
    title: &str,
    diagnostics: &mut Diagnostics,
) {
    use ast::ParameterLocation::{Cookie, Header, Query};
    let parameters = || operation.parameters.iter().chain(&path.parameters);
    let keys = cache.key.as_deref().unwrap_or_default();
    for key in keys {
        let (location, name) = match key {
            CacheKey::Part(HashKey::Part(LimitKey::Query(name))) => (Query, name),
            CacheKey::Part(HashKey::Part(LimitKey::Header(name))) => (Header, name),
            CacheKey::Part(HashKey::Cookie(name)) => (Cookie, name),
            _ => continue,
        };
        let is_field = location == Header;
        let is_it = |known: &str| known == name || (is_field && known.eq_ignore_ascii_case(name));
        let of_location = || parameters().filter(|parameter| parameter.location == location);
        // What a reference that leads nowhere would have declared is not known.
        let is_complete = path.parameters_complete && operation.parameters_complete;
        let is_usual = is_field && USUAL_FIELDS.iter().any(|usual| usual.eq_ignore_ascii_case(name));
        // That it is a credential is said elsewhere.
        let is_credential = is_field
            && ["authorization", "cookie", "proxy-authorization"].iter().any(|it| it.eq_ignore_ascii_case(name));
        if !is_complete || is_usual || is_credential || of_location().any(|parameter| is_it(&parameter.name.value)) {
            continue;
        }
        let known = of_location().map(|parameter| parameter.name.value.as_str());
        diagnostics.push(
            Diagnostic::error(GW572, format!("`key` of `cache` has `{}`, which {title} does not declare", key))
                .at(cache.span, "requests that differ in something else would be the same")
                .also(operation.span, "no such parameter")
                .help("declare it under `parameters`, or take it out of `key`")
                .did_you_mean(suggest(name, known)),
        );
    }
    if cache.ttl.is_none() {
        return; // The upstream says `Vary: Cookie`, or does not.
    }
    let is_in_key =
        |name: &str| keys.iter().any(|key| matches!(key, CacheKey::Part(HashKey::Cookie(known)) if known == name));
    if let Some(cookie) = parameters().find(|one| one.location == Cookie && !is_in_key(&one.name.value)) {
        let name = &cookie.name.value;
        diagnostics.push(
            Diagnostic::error(GW572, format!("responses of {title} are cached whatever the cookie `{name}` says"))
                .at(cache.span, "`key` does not have the cookie")
                .also(cookie.name.span, "described here, so that responses may depend on it")
                .help(format!(
                    "write `key: [query, \"cookie:{name}\"]`, or `ttl: upstream`, where `Vary: Cookie` counts"
                )),
        );
    }
}
