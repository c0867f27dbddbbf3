//! Operations and upstreams.

use gateway_access::builtin::Builtin;
use gateway_route::{Allowance, Template};
use gateway_runtime::codegen::{
    Action, Allowed, Balance, ByteSize, HashKey, HeaderEdits, Health, JwtSign, LimitUse, Operation, RegexRewrite,
    Retry, Rewrite, StaticFile, StaticFiles, Upstream, UpstreamEndpoint,
};
use gatewayc::ir;

use crate::tables::access::{access, anonymous, consumer_rules};
use crate::tables::browsers::{cors, security_headers, upgrade};
use crate::tables::contract::{contract, mock};
use crate::tables::limits::limit_key;
use crate::tables::oauth;
use crate::tables::shared::Shared;
use crate::tables::text::{kept, list, text, texts};

pub(super) fn operation(operation: &ir::Operation, shared: &Shared) -> Operation {
    Operation {
        id: text(&operation.id),
        method: text(&operation.method),
        access: access(&operation.access, shared),
        action: match &operation.action {
            ir::Action::Forward { upstream, rewrite: path } => {
                Action::Forward { to: shared.upstream(upstream), path: rewrite(path) }
            }
            ir::Action::Answer(answer) => Action::Answer(builtin(answer, shared)),
        },
        contract: contract(&operation.contract),
        request_headers: edits(&operation.request_headers),
        response_headers: edits(&operation.response_headers),
        max_body: ByteSize(operation.max_body.0),
        consumers: consumer_rules(&operation.consumers),
        anonymous: anonymous(&operation.anonymous),
        limits: list(&operation.limits, |ir::LimitUse { limit, cost }| LimitUse {
            limit: shared.limits[*limit],
            cost: *cost,
        }),
        contested: operation.contested,
        repeatable: operation.repeatable,
        upgrade: upgrade(operation.upgrade.as_ref()),
        cors: cors(operation.cors.as_ref()),
        security_headers: security_headers(&operation.security_headers),
    }
}

fn rewrite(rewrite: &ir::Rewrite) -> Rewrite {
    match rewrite {
        ir::Rewrite::Received { base } => Rewrite::Received { base: text(base) },
        ir::Rewrite::Path(template) => Rewrite::Path(text(&template.to_string())),
        ir::Rewrite::Regex { base, pattern, to } => {
            Rewrite::With(kept(RegexRewrite { base: text(base), pattern: text(pattern), to: text(to) }))
        }
    }
}

fn builtin(builtin: &ir::Builtin, shared: &Shared) -> &'static dyn Builtin {
    match builtin {
        ir::Builtin::JwtSign { key_claim } => kept(JwtSign { key_claim: text(key_claim) }),
        ir::Builtin::Mock(responses) => kept(mock(responses)),
        ir::Builtin::Oauth { endpoint, grants } => oauth::endpoint(shared.server(), *endpoint, grants),
        ir::Builtin::Registry { action, parameter } => oauth::registry(shared.server(), *action, parameter),
        ir::Builtin::Static(ir::StaticFiles { parameter, files, .. }) => kept(StaticFiles {
            parameter: text(parameter),
            files: list(files, |file| StaticFile {
                path: text(&file.path),
                content_type: file.content_type,
                bytes: Vec::leak(file.bytes.to_vec()),
            }),
        }),
    }
}

fn edits(edits: &ir::HeaderEdits) -> HeaderEdits {
    let pairs = |pairs: &[(String, String)]| list(pairs, |(name, value)| (text(name), text(value)));
    HeaderEdits { remove: texts(&edits.remove), set: pairs(&edits.set), add: pairs(&edits.add) }
}

/// What parameters take that servers read differently.
pub(super) fn allowances(template: &Template) -> &'static [Allowed] {
    let allowed = template.allowances().filter(|(_, allowance)| *allowance != Allowance::NONE);
    list(allowed, |(parameter, allowance)| Allowed {
        parameter: text(parameter),
        characters: list(allowance.characters(), |one| one),
    })
}

pub(super) fn upstream(upstream: &ir::Upstream) -> Upstream {
    Upstream {
        name: text(&upstream.name),
        endpoints: list(&upstream.endpoints, |ir::UpstreamEndpoint { url, weight, priority }| UpstreamEndpoint {
            url: text(url),
            weight: *weight,
            priority: *priority,
        }),
        balance: match &upstream.balance {
            ir::Balance::RoundRobin => Balance::RoundRobin,
            ir::Balance::LeastRequest => Balance::LeastRequest,
            ir::Balance::Hash(keys) => Balance::Hash(list(keys, |key| match key {
                ir::HashKey::Part(part) => HashKey::Part(limit_key(part)),
                ir::HashKey::Cookie(name) => HashKey::Cookie(text(name)),
            })),
        },
        resolve: upstream.resolve,
        outlier: upstream.outlier,
        health: upstream.health.as_ref().map(|health| Health {
            path: text(&health.path),
            every: health.every,
            timeout: health.timeout,
            healthy: health.healthy,
            unhealthy: health.unhealthy,
            status: list(&health.status, |range| *range),
        }),
        retry: upstream.retry.as_ref().map(|retry| Retry {
            attempts: retry.attempts,
            on: list(&retry.on, |cause| *cause),
            per_try: retry.per_try,
            backoff: retry.backoff,
            max_backoff: retry.max_backoff,
            budget: retry.budget,
            attempt_header: retry.attempt_header,
        }),
        breaker: upstream.breaker,
        preserve_host: upstream.preserve_host,
        paths: upstream.paths,
        locations: upstream.locations,
        connect_timeout: upstream.connect_timeout,
        response_timeout: upstream.response_timeout,
        idle_timeout: upstream.idle_timeout,
        total_timeout: upstream.total_timeout,
    }
}
