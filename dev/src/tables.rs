//! The tables of a gateway, made at run time: those that the compiler writes as Rust, value by value.
//!
//! `tests/tables.rs` compares them with what `gatewayc` generates and rustc compiles. What is made here stays in memory
//! until the process ends; text that comes again is kept once.

mod access;
mod browsers;
mod contract;
mod limits;
mod oauth;
mod operations;
mod schemes;
mod shared;
mod text;
mod upstreams;

use gateway_route::Part;
use gateway_runtime::codegen::{
    AcceptedRisk, Api, Condition, ErrorBody, Gateway, Https, IdentityHeaders, Operation, Origin, Route, Rule,
    RuleEffect, RulePattern,
};
use gateway_runtime::optional::{self, Oauth};
use gatewayc::emit::{needs, shown};
use gatewayc::ir;

use browsers::{cors, security_headers};
use contract::named_schema;
use limits::{failure_limit, limit};
use operations::{allowances, operation};
use schemes::scheme;
use shared::Shared;
use text::{kept, list, text};

/// The tables of a gateway, which must be free of errors.
///
/// # Errors
/// One text for each document that needs a feature of gateway-runtime which is not built.
pub fn gateway(gateway: &ir::Gateway) -> Result<&'static Gateway, Vec<String>> {
    let is_built = |feature: &&str| match *feature {
        "compress" => optional::coding(ir::ContentCoding::Gzip).is_some(),
        "oauth" => Oauth::built().is_some(),
        "redis" => optional::redis().is_some(),
        _ => false,
    };
    let lacks = |api: &ir::Api| {
        let missing = needs(api).into_iter().find(|feature| !is_built(feature))?;
        Some(format!(
            "{} needs the feature `{missing}` of gateway-runtime: write `features = [\"{missing}\"]` beside it in Cargo.toml",
            shown(&api.source),
        ))
    };
    let lacking: Vec<String> = gateway.apis.iter().filter_map(lacks).collect();
    if !lacking.is_empty() {
        return Err(lacking);
    }
    let mut apis: Vec<&ir::Api> = gateway.apis.iter().collect();
    apis.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(kept(Gateway { apis: list(apis, api) }))
}

fn api(described: &ir::Api) -> &'static Api {
    let server = described.authorization_server.as_ref().map(|server| kept(oauth::authorization_server(server)));
    let mut upstreams: Vec<&ir::Upstream> = described.upstreams.iter().collect();
    upstreams.sort_by(|a, b| a.name.cmp(&b.name));
    let mut sorted: Vec<&ir::Scheme> = described.schemes.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    let shared = Shared {
        upstreams: upstreams.into_iter().map(|one| kept(upstreams::upstream(one))).collect(),
        schemes: sorted.iter().map(|one| scheme(one, server)).collect(),
        limits: described.limits.iter().map(|one| kept(limit(one))).collect(),
        server,
    };
    let mut routes: Vec<&ir::Route> = described.routes.iter().collect();
    routes.sort_by_cached_key(|route| (route.template.to_string(), route.when.clone()));
    kept(Api {
        name: text(&described.name),
        title: text(&described.title),
        source: text(&shown(&described.source)),
        routes: list(routes, |one| route(one, &shared)),
        rules: list(&described.rules, |one| rule(one, &shared)),
        upstreams: list(&shared.upstreams, |one| *one),
        schemes: list(&shared.schemes, |one| *one),
        identity_headers: identity_headers(&described.identity_headers),
        schemas: list(&described.schemas, |(name, schema)| named_schema(name, schema)),
        error_format: described.error_format,
        error_bodies: list(&described.error_bodies, error_body),
        failed_authentication: list(sorted.iter().filter_map(|one| failure_limit(one)), |one| one),
        https: https(described.https.as_ref()),
        cors: cors(described.cors.as_ref()),
        security_headers: security_headers(&described.security_headers),
        accepted_risks: list(&described.accepted_risks, accepted_risk),
    })
}

fn route(route: &ir::Route, shared: &Shared) -> Route {
    let mut operations: Vec<&ir::Operation> = route.operations.iter().collect();
    operations.sort_by(|a, b| a.method.cmp(&b.method));
    Route {
        template: text(&route.template.to_string()),
        when: list(&route.when, |condition| {
            let (name, value) = (text(&condition.name), condition.value.as_deref().map(text));
            match condition.part {
                Part::Query => Condition::Query { name, value },
                Part::Header => Condition::Header { name, value },
            }
        }),
        allows: allowances(&route.template),
        preflight: route.preflight,
        cors: cors(route.cors.as_ref()),
        security_headers: security_headers(&route.security_headers),
        operations: list(operations, |one| kept_operation(one, shared)),
    }
}

fn kept_operation(described: &ir::Operation, shared: &Shared) -> &'static Operation {
    kept(operation(described, shared))
}

fn rule(rule: &ir::Rule, shared: &Shared) -> Rule {
    let ir::RulePattern { pattern, ignores_case, negated, host } = &rule.pattern;
    let matcher =
        RulePattern { pattern: text(pattern), ignores_case: *ignores_case, negated: *negated, host: text(host) };
    let effect = match &rule.effect {
        ir::RuleEffect::Rewrite { to, last } => RuleEffect::Rewrite { to: text(to), last: *last },
        ir::RuleEffect::Redirect { to, status } => RuleEffect::Redirect { to: text(to), status: *status },
        ir::RuleEffect::Respond { status, content_type, body } => {
            RuleEffect::Respond { status: *status, content_type: text(content_type), body: text(body) }
        }
        ir::RuleEffect::Proxy { to, operation } => {
            RuleEffect::Proxy { to: text(to), operation: kept_operation(operation, shared) }
        }
    };
    Rule { id: text(&rule.id), matcher: kept(matcher), effect }
}

fn identity_headers(headers: &ir::IdentityHeaders) -> IdentityHeaders {
    let ir::IdentityHeaders { consumer, credential, custom_id, client, user } = headers;
    IdentityHeaders {
        consumer: text(consumer),
        credential: text(credential),
        custom_id: text(custom_id),
        client: text(client),
        user: text(user),
    }
}

fn error_body(body: &ir::ErrorBody) -> ErrorBody {
    ErrorBody { class: body.class, json: text(&body.json) }
}

fn https(https: Option<&ir::Https>) -> Https {
    let Some(ir::Https { redirect_to, hsts }) = https else { return Https::Optional };
    Https::Required {
        redirect_to: list(redirect_to, |ir::Origin { host, port }| Origin { host: text(host), port: *port }),
        hsts: text(&hsts.map_or_else(String::new, ir::Hsts::header)),
    }
}

fn accepted_risk(risk: &ir::AcceptedRisk) -> AcceptedRisk {
    let ir::AcceptedRisk { lint, what, reason } = risk;
    AcceptedRisk { lint: text(lint), what: text(what), reason: text(reason) }
}
