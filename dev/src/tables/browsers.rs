//! What responses say to browsers.

use gateway_runtime::codegen::{Cors, CorsPolicy, OriginPattern, Origins, SecurityHeaders, Upgrade};
use gatewayc::ir;

use crate::tables::text::{kept, list, text, texts};

pub(super) fn cors(cors: Option<&ir::Cors>) -> Option<Cors> {
    let ir::Cors { policy: described, methods, headers, exposed } = cors?;
    let joined = |names: &[String]| text(&names.join(", "));
    Some(Cors {
        policy: kept(policy(described)),
        methods: joined(methods),
        headers: joined(headers),
        exposed: joined(exposed),
    })
}

fn policy(policy: &ir::CorsPolicy) -> CorsPolicy {
    let ir::CorsPolicy { origins, patterns, any, credentials, max_age, private_network, enforce } = policy;
    CorsPolicy {
        origins: texts(origins),
        patterns: list(patterns, pattern),
        any: *any,
        credentials: *credentials,
        max_age: *max_age,
        private_network: *private_network,
        enforce: *enforce,
    }
}

fn pattern(ir::OriginPattern { scheme, domain }: &ir::OriginPattern) -> OriginPattern {
    OriginPattern { scheme: text(scheme), domain: text(domain) }
}

/// What an operation lets clients switch to.
pub(super) fn upgrade(upgrade: Option<&ir::Upgrade>) -> Option<Upgrade> {
    let ir::Upgrade { protocols, idle, until_expiry, origins, .. } = upgrade?;
    let origins = origins.as_ref().map(|ir::Origins { origins, patterns, any }| Origins {
        origins: texts(origins),
        patterns: list(patterns, pattern),
        any: *any,
    });
    Some(Upgrade { protocols: texts(protocols), idle: *idle, until_expiry: *until_expiry, origins })
}

pub(super) fn security_headers(headers: &[(String, String)]) -> Option<&'static SecurityHeaders> {
    let pairs = || list(headers, |(name, value)| (text(name), text(value)));
    (!headers.is_empty()).then(|| kept(SecurityHeaders { fields: pairs() }))
}
