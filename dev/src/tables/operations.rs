//! Operations.

use gateway_access::builtin::Builtin;
use gateway_route::{Allowance, Template};
use gateway_runtime::codegen::{
    Action, Allowed, ByteSize, Cache, Compression, HeaderEdits, JwtSign, LimitUse, Mirror, Operation, RegexRewrite,
    Rewrite, SplitEntry, StaticFile, StaticFiles,
};
use gateway_runtime::optional;
use gatewayc::ir;

use crate::tables::access::{access, anonymous, consumer_rules};
use crate::tables::browsers::{cors, security_headers, upgrade};
use crate::tables::contract::{contract, mock};
use crate::tables::oauth;
use crate::tables::schemes::secret;
use crate::tables::shared::Shared;
use crate::tables::text::{kept, list, text, texts};
use crate::tables::upstreams::hash_key;

pub(super) fn operation(operation: &ir::Operation, shared: &Shared) -> Operation {
    Operation {
        id: text(&operation.id),
        method: text(&operation.method),
        access: access(&operation.access, shared),
        action: match &operation.action {
            ir::Action::Forward { upstream, rewrite: path, split, mirror } => Action::Forward {
                to: shared.upstream(upstream),
                path: rewrite(path),
                split: list(split, |entry| split_entry(entry, shared)),
                mirror: mirror.as_ref().map(|ir::Mirror { upstream, share, credentials }| Mirror {
                    to: shared.upstream(upstream),
                    share: *share,
                    credentials: *credentials,
                }),
            },
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
        compression: operation.compression.as_ref().map(compression),
        cache: operation.cache.as_ref().map(cache),
    }
}

fn cache(cache: &ir::Cache) -> Cache {
    let ir::Cache { ttl, methods, key, max_body, stale_while_revalidate, stale_if_error, span: _ } = cache;
    Cache {
        ttl: *ttl,
        methods: texts(methods),
        key: key.as_ref().map(|keys| list(keys, |key| key.map(|name| text(name)))),
        max_body: ByteSize(max_body.0),
        stale_while_revalidate: *stale_while_revalidate,
        stale_if_error: *stale_if_error,
    }
}

fn compression(ir::Compression { codings, min, types, span: _ }: &ir::Compression) -> Compression {
    Compression {
        codings: list(codings, |one| optional::coding(*one).expect("features are checked first")),
        min: ByteSize(min.0),
        types: texts(types),
    }
}

fn split_entry(entry: &ir::SplitEntry, shared: &Shared) -> SplitEntry {
    SplitEntry {
        to: shared.upstream(&entry.upstream),
        share: entry.share,
        when: list(&entry.when, |(name, value)| (text(name), text(value))),
        by: list(&entry.by, hash_key),
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
    HeaderEdits {
        remove: texts(&edits.remove),
        set: pairs(&edits.set),
        set_secret: list(&edits.set_secret, |(name, reference)| (text(name), secret(reference))),
        add: pairs(&edits.add),
    }
}

/// What parameters take that servers read differently.
pub(super) fn allowances(template: &Template) -> &'static [Allowed] {
    let allowed = template.allowances().filter(|(_, allowance)| *allowance != Allowance::NONE);
    list(allowed, |(parameter, allowance)| Allowed {
        parameter: text(parameter),
        characters: list(allowance.characters(), |one| one),
    })
}
