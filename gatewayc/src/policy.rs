//! The policy in words: a table for the head of generated modules, and a text in which every change can be reviewed.

mod browsers;
mod cache;
mod compression;
mod contract;
mod lines;
mod own_answers;
mod split;
mod upgrade;
mod upstream;

use std::fmt::Write as _;
use std::time::Duration;

use gateway_route::{Allowance, Ambiguous, Part};
use gateway_terms::text_table::aligned;

use crate::ir::{
    Access, Action, Anonymous, Api, AuthorizationServer, Builtin, ClientPath, ConsumerJwt, ConsumerRules, Credential,
    CredentialLocation, ErrorFormat, FailureLimit, Gateway, Grant, HeaderEdits, Hmac, Https, Introspection, Jwt,
    JwtKey, Limit, LimitAlgorithm, LimitHeaders, LimitKey, LimitStore, OnStoreError, Operation, PkceRequirement,
    RegistryAction, Rewrite, Route, Rule, RuleEffect, Scheme, StaticFiles, StoreMode, TokenFormat,
};
use crate::units::show_duration;
pub(crate) use contract::status;
use lines::{line, one_line, secret};
pub(crate) use own_answers::{not_described, own_statuses};

/// The whole policy: a paragraph for each scheme and for each operation, so that weakening one of them is a change in
/// this text.
pub fn render(gateway: &Gateway) -> String {
    let mut out = String::new();
    for api in &gateway.apis {
        let _ = writeln!(out, "api {} ({})", api.name, one_line(&api.title));
        let headers = &api.identity_headers;
        let names = [&headers.consumer, &headers.credential, &headers.custom_id, &headers.client, &headers.user];
        let _ = writeln!(out, "  identity headers: {}", names.map(String::as_str).join(", "));
        if let Some(https) = &api.https {
            line(&mut out, "plain HTTP", &plain_http(https));
        }
        if api.error_format == ErrorFormat::Problem {
            line(&mut out, "refusals", "application/problem+json");
        }
        browsers::write_unrouted(&mut out, api.cors.as_ref(), &api.security_headers);
        for body in &api.error_bodies {
            let _ = writeln!(out, "  body of {}: {}", body.class.name(), one_line(&body.json));
        }
        for risk in &api.accepted_risks {
            let _ = writeln!(out, "  accepts {} of {}: {}", risk.lint, one_line(&risk.what), one_line(&risk.reason));
        }
        if let Some(server) = &api.authorization_server {
            let _ = writeln!(out, "\nauthorization server {}", one_line(&server.issuer));
            write_authorization_server(&mut out, server);
        }
        for scheme in &api.schemes {
            let _ = writeln!(out, "\nscheme {}/{}", api.name, scheme.name);
            write_scheme(&mut out, scheme);
        }
        if !api.schemas.is_empty() {
            let _ = writeln!(out, "\nschemas of {}", api.name);
            for (name, schema) in &api.schemas {
                line(&mut out, &one_line(name), &schema.compact());
            }
        }
        for route in &api.routes {
            for operation in &route.operations {
                let _ = writeln!(out, "\n{} {}", operation.method, path(route));
                write_operation(&mut out, api, operation);
                for taken in allowances(route) {
                    line(&mut out, "takes", &taken);
                }
                line(&mut out, "other OPTIONS", &format!("{:?}", route.preflight).to_lowercase());
            }
        }
        for rule in &api.rules {
            let _ = writeln!(out, "\n{}: {}", rule.id, one_line(&rule.pattern.to_string()));
            write_rule(&mut out, api, rule);
        }
        out.push('\n');
    }
    out
}

fn plain_http(https: &Https) -> String {
    let origins: Vec<String> = https.redirect_to.iter().map(ToString::to_string).collect();
    let what =
        if origins.is_empty() { "refused".to_owned() } else { format!("redirected to {}", origins.join(" or ")) };
    match https.hsts {
        Some(hsts) => format!("{what}; Strict-Transport-Security: {}", hsts.header()),
        None => what,
    }
}

fn write_authorization_server(out: &mut String, server: &AuthorizationServer) {
    let format = match server.token_format {
        TokenFormat::Opaque => "opaque",
        TokenFormat::Jwt => "jwt",
    };
    line(out, "grants", &grants(&server.grants));
    line(out, "access tokens", &format!("{format}, for {}", show_duration(server.access_token_ttl)));
    if server.grants.contains(&Grant::RefreshToken) {
        let used = if server.rotates { "for one use" } else { "used again" };
        let idle = match server.refresh_token_idle {
            Duration::ZERO => "however long unused".to_owned(),
            idle => format!("unused for {}", show_duration(idle)),
        };
        let grace = match server.refresh_token_grace {
            Duration::ZERO => String::new(),
            grace => format!(", good again for {} after it", show_duration(grace)),
        };
        let ttl = show_duration(server.refresh_token_ttl);
        line(out, "refresh tokens", &format!("{used}{grace}, for {ttl}, {idle}"));
    }
    line(out, "codes", &format!("for {}", show_duration(server.code_ttl)));
    let pkce = match server.pkce {
        PkceRequirement::All => "every client",
        PkceRequirement::Public => "public clients",
    };
    line(out, "pkce required for", pkce);
    line(out, "consent", if server.remembers_consent { "remembered" } else { "asked for each time" });
    if server.grants.contains(&Grant::ClientCredentials) {
        let acts = if server.client_acts_for_users { "may name a user who permitted it" } else { "for itself only" };
        line(out, "client with its credentials", acts);
    }
    if server.grants.contains(&Grant::JwtBearer) {
        let needs = if server.assertion_needs_permission { "needs the user's permission" } else { "is enough" };
        line(out, "assertion about a user", needs);
    }
    for scope in &server.scopes {
        let description = if scope.description.is_empty() { "without a description" } else { &scope.description };
        line(out, &format!("scope {}", one_line(&scope.name)), description);
    }
    for resource in &server.resources {
        let taken = if resource.is_here { "tokens are taken here" } else { "tokens are not taken here" };
        line(out, &format!("resource {}", one_line(&resource.uri)), taken);
    }
    for (endpoint, path) in &server.paths {
        line(out, endpoint.name(), path.as_deref().unwrap_or("none"));
    }
    line(out, "clients.create", server.registration.as_deref().unwrap_or("none"));
    match &server.managed_client {
        Some(ClientPath { before, after }) => line(out, "clients.manage", &format!("{before}{{client_id}}{after}")),
        None => line(out, "clients.manage", "none"),
    }
}

fn grants(grants: &[Grant]) -> String {
    grants.iter().map(|grant| grant.name()).collect::<Vec<_>>().join(", ")
}

fn write_scheme(out: &mut String, scheme: &Scheme) {
    if matches!(scheme.credential, Credential::Certificate) {
        line(out, "certificate in", "the TLS handshake");
        return line(out, "realm", &scheme.realm);
    }
    let what = match scheme.credential {
        Credential::Jwt(_) | Credential::ConsumerJwt(_) | Credential::Introspection(_) => "token",
        Credential::Basic => "password",
        Credential::Hmac(_) => "signature",
        Credential::ApiKey | Credential::Certificate | Credential::AdminKey => scheme.kind(),
        Credential::OwnToken => "token",
        Credential::Session(_) => "session",
    };
    line(out, &format!("{what} in"), &locations(&scheme.locations));
    match &scheme.credential {
        Credential::ApiKey | Credential::Basic | Credential::Certificate => {}
        Credential::OwnToken => line(out, "given by", "the authorization server"),
        Credential::Session(session) => {
            line(out, "begins at", "the login page of the authorization server");
            line(out, "without it", if session.redirects { "browsers go to the login page" } else { "refused" });
        }
        Credential::AdminKey => line(out, "known to", "administrators of the deployment"),
        Credential::Jwt(jwt) => write_jwt(out, jwt),
        Credential::ConsumerJwt(jwt) => write_consumer_jwt(out, jwt),
        Credential::Hmac(hmac) => write_hmac(out, hmac),
        Credential::Introspection(introspection) => write_introspection(out, introspection),
    }
    line(out, "realm", &scheme.realm);
    let failures = scheme.failures.as_ref().map_or_else(
        || "not limited".to_owned(),
        |FailureLimit { limit, interval, key }| {
            let key: Vec<String> = key.iter().map(ToString::to_string).collect();
            format!("{limit}/{} per {}", show_duration(*interval), key.join("+"))
        },
    );
    line(out, &format!("wrong {what}s"), &failures);
    if matches!(scheme.credential, Credential::Hmac(_)) {
        return; // It has said which of its headers are.
    }
    line(out, &format!("{what} forwarded"), if scheme.forward { "yes" } else { "no" });
}

fn locations(locations: &[CredentialLocation]) -> String {
    let location = |location: &CredentialLocation| match location {
        CredentialLocation::Header(name) => format!("header {name}"),
        CredentialLocation::Query(name) => format!("query {name}"),
        CredentialLocation::Cookie(name) => format!("cookie {name}"),
        CredentialLocation::Form(name) => format!("form field {name}"),
        CredentialLocation::Subprotocol(prefix) => format!("subprotocol {prefix}…"),
    };
    list_or(&locations.iter().map(location).collect::<Vec<_>>(), "nothing")
}

fn write_hmac(out: &mut String, hmac: &Hmac) {
    let algorithms: Vec<_> = hmac.algorithms.iter().map(|algorithm| algorithm.name()).collect();
    line(out, "profile", hmac.profile.name());
    line(out, "http scheme", &hmac.scheme);
    line(out, "algorithms", &algorithms.join(", "));
    line(out, "clock skew", &show_duration(hmac.clock_skew));
    let always = hmac.profile.always_signed().iter().map(|part| (*part).to_owned());
    let signed: Vec<String> = always.chain(hmac.signed_headers.iter().cloned()).collect();
    line(out, "must be signed", &list_or(&signed, "nothing"));
    let digest = hmac.digest_of.map(|size| format!("required, for at most {size}"));
    line(out, "body digest", digest.as_deref().unwrap_or("ignored"));
    line(out, "used again", if hmac.refuses_replay { "refused" } else { "accepted" });
    line(out, "not forwarded", &locations(&hmac.hidden));
}

fn write_jwt(out: &mut String, jwt: &Jwt) {
    let algorithms: Vec<_> = jwt.algorithms.iter().map(|algorithm| algorithm.name()).collect();
    let (kind, key) = match &jwt.key {
        JwtKey::Secret(reference) => ("secret", secret(reference)),
        JwtKey::PublicKey(reference) => ("public key", secret(reference)),
        JwtKey::Jwks(reference) => ("key set", secret(reference)),
        JwtKey::KeySetUrl { url, refresh } => ("key set", format!("{url}, every {}", show_duration(*refresh))),
        JwtKey::Discovery { url } => ("key set and issuer", format!("as {url} says")),
    };
    let any_issuer = if matches!(jwt.key, JwtKey::Discovery { .. }) { "the discovered one" } else { "any" };
    line(out, "without `Bearer`", if jwt.bare { "accepted" } else { "refused" });
    line(out, "algorithms", &algorithms.join(", "));
    line(out, kind, &key);
    line(out, "weak secret", if jwt.weak_secret_ok { "accepted" } else { "refused" });
    line(out, "required claims", &list_or(&jwt.required_claims, "none"));
    line(out, "issuers", &list_or(&jwt.issuers, any_issuer));
    line(out, "audiences", &list_or(&jwt.audiences, "any"));
    line(out, "clients", &list_or(&jwt.client_ids, "any"));
    line(out, "scopes in", &jwt.scope_claims.join(", "));
    line(out, "leeway", &show_duration(jwt.leeway));
}

fn write_consumer_jwt(out: &mut String, jwt: &ConsumerJwt) {
    line(out, "signed by", &format!("the consumer whose credential is in the claim {}", jwt.key_claim));
    line(out, "without `Bearer`", if jwt.bare { "accepted" } else { "refused" });
    line(out, "required claims", &list_or(&jwt.required_claims, "none"));
    line(out, "issuers", &list_or(&jwt.issuers, "any"));
    line(out, "audiences", &list_or(&jwt.audiences, "any"));
    line(out, "leeway", &show_duration(jwt.leeway));
}

fn write_introspection(out: &mut String, introspection: &Introspection) {
    let Introspection { bare, url, client_id, client_secret, cache, issuers, audiences, client_ids, scope_claims } =
        introspection;
    line(out, "without `Bearer`", if *bare { "accepted" } else { "refused" });
    line(out, "asked about at", &format!("{url}, as {client_id}"));
    line(out, "client secret", &secret(client_secret));
    line(out, "good answers used for", &show_duration(*cache));
    line(out, "issuers", &list_or(issuers, "any"));
    line(out, "audiences", &list_or(audiences, "any"));
    line(out, "clients", &list_or(client_ids, "any"));
    line(out, "scopes in", &scope_claims.join(", "));
}

fn write_rule(out: &mut String, api: &Api, rule: &Rule) {
    match &rule.effect {
        RuleEffect::Proxy { to, operation } => {
            line(out, "target", to);
            write_operation(out, api, operation);
        }
        RuleEffect::Respond { content_type, body, .. } => {
            line(out, "answers", &format!("{}, {content_type}: {body}", rule.effect));
        }
        RuleEffect::Rewrite { .. } | RuleEffect::Redirect { .. } => line(out, "effect", &rule.effect.to_string()),
    }
}

fn write_operation(out: &mut String, api: &Api, operation: &Operation) {
    line(out, "id", &operation.id);
    line(out, "who may call", &access(api, &operation.access));
    if operation.consumers != ConsumerRules::default() {
        line(out, "consumers", &consumers(&operation.consumers));
    }
    if operation.anonymous != Anonymous::default() {
        line(out, "anonymous", &anonymous(&operation.anonymous));
    }
    match &operation.action {
        Action::Forward { rewrite, .. } => {
            split::write(out, api, &operation.action);
            // A rule has printed its target.
            if operation.method != Operation::ANY {
                line(out, "path", &forwarded(rewrite));
            }
        }
        Action::Answer(builtin) => line(out, "answers", &answers(builtin)),
    }
    contract::write(out, &operation.contract);
    compression::write(out, operation.compression.as_ref());
    cache::write(out, operation.cache.as_ref());
    for (what, edits) in
        [("request headers", &operation.request_headers), ("response headers", &operation.response_headers)]
    {
        if *edits != HeaderEdits::default() {
            line(out, what, &header_edits(edits));
        }
    }
    browsers::write(out, operation.cors.as_ref(), &operation.security_headers);
    upgrade::write(out, operation.upgrade.as_ref());
    for charge in &operation.limits {
        let limit = &api.limits[charge.limit];
        line(out, "limit", &limit_use(limit, charge.cost));
    }
    line(out, "max body", &operation.max_body.to_string());
    if operation.repeatable {
        line(out, "repeated", "whatever its method");
    }
    if operation.contested {
        line(out, "where the upstream may read another path", "the stricter operation answers");
    }
}

/// `limit 100/1m per client`, with what else is not as usual.
fn limit_use(limit: &Limit, cost: u64) -> String {
    let mut text = format!("{} {}", limit.name, limit_in_short(limit));
    if cost != 1 {
        let _ = write!(text, ", cost {cost}");
    }
    if limit.shared {
        text += ", shared";
    }
    let missing = if limit.skips_missing_key { "not limited" } else { "per ip" };
    if limit.key.iter().all(|key| !matches!(key, LimitKey::Caller | LimitKey::Ip | LimitKey::Path | LimitKey::Const(_)))
    {
        let _ = write!(text, ", without key {missing}");
    }
    let _ = write!(text, ", status {}", limit.status);
    if !limit.body.is_empty() {
        let _ = write!(text, " with {}", limit.body);
    }
    match &limit.headers {
        LimitHeaders::Default => {}
        LimitHeaders::None => text += ", without headers",
        LimitHeaders::Prefixed(prefix) => {
            let _ = write!(text, ", headers X-{prefix}-RateLimit");
        }
    }
    if let Some(store) = &limit.store {
        let otherwise = match store.on_error {
            OnStoreError::Deny => "refused",
            OnStoreError::Allow => "not limited",
            OnStoreError::Local => "counted by each gateway",
        };
        let _ = write!(text, ", without the store {otherwise}");
    }
    text
}

/// `token-bucket 100/1m per client`.
fn limit_in_short(limit: &Limit) -> String {
    let key: Vec<String> = limit.key.iter().map(ToString::to_string).collect();
    let numbers = match limit.algorithm {
        LimitAlgorithm::TokenBucket { limit, interval }
        | LimitAlgorithm::FixedWindow { limit, interval }
        | LimitAlgorithm::SlidingWindow { limit, interval } => format!("{limit}/{}", show_duration(interval)),
        LimitAlgorithm::LeakyBucket { rate, interval, burst, delay } => {
            let delay = if delay { "" } else { " without delay" };
            format!("{rate}/{} burst {burst}{delay}", show_duration(interval))
        }
        LimitAlgorithm::Concurrency { limit, burst, delay } if burst > 0 => {
            format!("{limit} burst {burst} after {}", show_duration(delay))
        }
        LimitAlgorithm::Concurrency { limit, .. } => limit.to_string(),
    };
    let store = match &limit.store {
        None => String::new(),
        Some(LimitStore { name, mode: StoreMode::Exact, .. }) => format!(" in store {name}"),
        Some(LimitStore { name, mode: StoreMode::Fast, .. }) => format!(" in store {name} fast"),
    };
    format!("{} {numbers} per {}{store}", limit.algorithm.name(), key.join("+"))
}

/// What parameters of a route take that servers read differently: `id: %2F`.
fn allowances(route: &Route) -> Vec<String> {
    let allowed = route.template.allowances().filter(|(_, allowance)| *allowance != Allowance::NONE);
    let taken = allowed.map(|(name, allowance)| {
        let characters: Vec<&str> = allowance.characters().map(Ambiguous::written).collect();
        format!("{} in {{{}}}", characters.join(" "), one_line(name))
    });
    taken.collect()
}

fn answers(builtin: &Builtin) -> String {
    match builtin {
        Builtin::JwtSign { key_claim } => format!("{}, for the credential in the claim {key_claim}", builtin.name()),
        Builtin::Oauth { grants: admitted, .. } if admitted.is_empty() => builtin.name().to_owned(),
        Builtin::Oauth { grants: admitted, .. } => format!("{}, for {}", builtin.name(), grants(admitted)),
        Builtin::Registry { parameter, .. } if parameter.is_empty() => builtin.name().to_owned(),
        Builtin::Registry { action: RegistryAction::ManageClient, parameter } => {
            format!("{}, by {{{parameter}}} and the token of its registration", builtin.name())
        }
        Builtin::Registry { parameter, .. } => format!("{}, by {{{parameter}}}", builtin.name()),
        Builtin::Mock(responses) => {
            let statuses: Vec<String> = responses.iter().map(|response| response.status.clone()).collect();
            format!("mock, from the examples of {}", list_or(&statuses, "no response"))
        }
        Builtin::Static(StaticFiles { source, parameter, files }) if parameter.is_empty() => {
            let kind = files.first().map_or("", |file| file.content_type);
            format!("static, {source} as {kind}")
        }
        Builtin::Static(StaticFiles { source, parameter, files }) => {
            let files: Vec<String> =
                files.iter().map(|file| format!("{} as {}", file.path, file.content_type)).collect();
            format!("static, of {source} by {{{parameter}}}: {}", files.join(", "))
        }
    }
}

/// What is checked of the requests and responses of an operation, what these say to browsers, what becomes of them, and what
/// connections may be upgraded to, a line for each.
pub(crate) fn checks(operation: &Operation) -> Vec<String> {
    let mut out = String::new();
    contract::write(&mut out, &operation.contract);
    browsers::write(&mut out, operation.cors.as_ref(), &operation.security_headers);
    compression::write(&mut out, operation.compression.as_ref());
    cache::write(&mut out, operation.cache.as_ref());
    upgrade::write(&mut out, operation.upgrade.as_ref());
    out.lines().map(|line| line.trim_start().to_owned()).collect()
}

/// Where requests go, with what goes elsewhere, in a line.
pub(crate) fn destinations(action: &Action) -> String {
    target(action) + &split::words(action)
}

/// Where requests go, in a word or two.
pub(crate) fn target(action: &Action) -> String {
    match action {
        Action::Forward { upstream, .. } => upstream.clone(),
        Action::Answer(Builtin::Static(files)) => format!("builtin static {}", files.source),
        Action::Answer(builtin) => format!("builtin {}", builtin.name()),
    }
}

/// The aligned table at the head of a generated module. Who may call comes last, unaligned: where that changes, the
/// line of the operation changes and no other.
pub(crate) fn table(api: &Api) -> Vec<String> {
    let mut rows: Vec<[String; 5]> = Vec::new();
    let mut routes: Vec<&Route> = api.routes.iter().collect();
    routes.sort_by_cached_key(|route| (route.template.to_string(), route.when.clone()));
    for route in routes {
        let mut operations: Vec<&Operation> = route.operations.iter().collect();
        operations.sort_by(|a, b| a.method.cmp(&b.method));
        for operation in operations {
            let rewrite = match &operation.action {
                Action::Forward { rewrite: Rewrite::Received { base }, .. } if base.is_empty() => String::new(),
                Action::Forward { rewrite, .. } => format!(" as {}", forwarded(rewrite)),
                Action::Answer(Builtin::Oauth { endpoint, grants: admitted }) => {
                    let server = api.authorization_server.as_ref();
                    let offered = server.map_or(&[][..], |server| &server.grants);
                    let is_narrower =
                        endpoint.grants().iter().any(|grant| offered.contains(grant) && !admitted.contains(grant));
                    if is_narrower { format!(" for {}", grants(admitted)) } else { String::new() }
                }
                Action::Answer(_) => String::new(),
            };
            let id = if operation.id.starts_with(&format!("{} ", operation.method)) { "-" } else { &operation.id };
            let row = [
                operation.method.clone(),
                path(route),
                one_line(id),
                one_line(&format!("-> {}{rewrite}", target(&operation.action))),
                one_line(&[vec![who(api, operation)], allowances(route)].concat().join("; takes "))
                    + contract::word(&operation.contract)
                    + compression::word(operation.compression.as_ref())
                    + &cache::word(operation.cache.as_ref())
                    + &one_line(&split::words(&operation.action))
                    + browsers::word(operation.cors.as_ref())
                    + &upgrade::word(operation.upgrade.as_ref()),
            ];
            rows.push(row);
        }
    }
    rows.extend(api.rules.iter().map(|rule| rule_row(api, rule)));
    aligned(&rows, 3).iter().map(|line| format!("  {line}")).collect()
}

/// Rules are tried after all paths, in their order.
fn rule_row(api: &Api, rule: &Rule) -> [String; 5] {
    let (target, who) = match &rule.effect {
        RuleEffect::Proxy { to, operation } => (format!("{} as {to}", target(&operation.action)), who(api, operation)),
        effect => (effect.to_string(), "anyone".to_owned()),
    };
    [
        Operation::ANY.to_owned(),
        one_line(&rule.pattern.to_string()),
        rule.id.clone(),
        one_line(&format!("-> {target}")),
        one_line(&who),
    ]
}

/// A route's template with its conditions, those on header fields behind `#`.
pub fn path(route: &Route) -> String {
    let mut path = route.template.to_string();
    for (part, first) in [(Part::Query, '?'), (Part::Header, '#')] {
        let mut mark = first;
        for condition in route.when.iter().filter(|condition| condition.part == part) {
            path.push(mark);
            path.push_str(&condition.name);
            path.extend(condition.value.iter().flat_map(|value| ["=", value]));
            mark = '&';
        }
    }
    if route.when.is_empty() { path } else { one_line(&path) }
}

/// Who may call, with the rules about consumers, in one cell.
pub fn who(api: &Api, operation: &Operation) -> String {
    let mut cell = access(api, &operation.access);
    if operation.consumers != ConsumerRules::default() {
        cell += &format!("; {}", consumers(&operation.consumers));
    }
    if operation.anonymous != Anonymous::default() {
        cell += &format!("; anonymous {}", anonymous(&operation.anonymous));
    }
    for charge in &operation.limits {
        cell += &format!("; {}", limit_in_short(&api.limits[charge.limit]));
        if charge.cost != 1 {
            cell += &format!(" cost {}", charge.cost);
        }
    }
    cell
}

fn consumers(rules: &ConsumerRules) -> String {
    let mut parts = Vec::new();
    let groups = rules.groups.iter().map(|group| format!("group {group}"));
    let admitted: Vec<_> = rules.allow.iter().cloned().chain(groups).collect();
    if !admitted.is_empty() {
        parts.push(format!("only {}", admitted.join(", ")));
    }
    if !rules.deny.is_empty() {
        parts.push(format!("not {}", rules.deny.join(", ")));
    }
    parts.extend(rules.methods.iter().map(|(name, methods)| format!("{name} with {}", methods.join(", "))));
    parts.join("; ")
}

fn anonymous(anonymous: &Anonymous) -> String {
    let consumer = if anonymous.consumer.is_empty() { String::new() } else { format!("as {}", anonymous.consumer) };
    let invalid = if anonymous.despite_invalid { "even with a bad credential" } else { "" };
    [consumer.as_str(), invalid].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// Who may call, as an expression.
pub(crate) fn access(api: &Api, access: &Access) -> String {
    let alternatives = match access {
        Access::Anyone { because: "security: []" } => return "anyone".into(),
        Access::Anyone { because } => return format!("anyone ({because})"),
        Access::OneOf(alternatives) => alternatives,
    };
    let alternative = |requirements: &Vec<crate::ir::Requirement>| {
        if requirements.is_empty() {
            return "anonymous".to_owned();
        }
        let requirement = |requirement: &crate::ir::Requirement| {
            let scheme = api.schemes.iter().find(|scheme| scheme.name == requirement.scheme);
            let kind = scheme.map_or("", Scheme::kind);
            match requirement.scopes.as_slice() {
                [] => format!("{kind} `{}`", requirement.scheme),
                scopes => format!("{kind} `{}` [{}]", requirement.scheme, scopes.join(" ")),
            }
        };
        let all = requirements.iter().map(requirement).collect::<Vec<_>>().join(" and ");
        if requirements.len() > 1 && alternatives.len() > 1 { format!("({all})") } else { all }
    };
    one_line(&alternatives.iter().map(alternative).collect::<Vec<_>>().join(" or "))
}

fn forwarded(rewrite: &Rewrite) -> String {
    match rewrite {
        Rewrite::Received { base } if base.is_empty() => "received".into(),
        Rewrite::Received { base } => format!("received without {base}"),
        Rewrite::Path(template) => template.to_string(),
        Rewrite::Regex { base, pattern, to } if base.is_empty() => format!("regex {pattern} => {to}"),
        Rewrite::Regex { base, pattern, to } => format!("regex {pattern} => {to} without {base}"),
    }
}

fn header_edits(edits: &HeaderEdits) -> String {
    let pair = |what: &'static str| move |(name, value): &(String, String)| format!("{what} {name}: {value}");
    let removed = edits.remove.iter().map(|name| format!("remove {name}"));
    removed
        .chain(edits.set.iter().map(pair("set")))
        .chain(edits.set_secret.iter().map(|(name, reference)| format!("set {name} from {}", secret(reference))))
        .chain(edits.add.iter().map(pair("add")))
        .collect::<Vec<_>>()
        .join("; ")
}

fn list_or(texts: &[String], none: &str) -> String {
    if texts.is_empty() { none.to_owned() } else { texts.join(", ") }
}
