//! What responses say to browsers.

use gateway_runtime::codegen::{Cors, CorsPolicy, OriginPattern, SecurityHeaders};
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
        patterns: list(patterns, |ir::OriginPattern { scheme, domain }| OriginPattern {
            scheme: text(scheme),
            domain: text(domain),
        }),
        any: *any,
        credentials: *credentials,
        max_age: *max_age,
        private_network: *private_network,
        enforce: *enforce,
    }
}

pub(super) fn security_headers(headers: &[(String, String)]) -> Option<&'static SecurityHeaders> {
    let pairs = || list(headers, |(name, value)| (text(name), text(value)));
    (!headers.is_empty()).then(|| kept(SecurityHeaders { fields: pairs() }))
}
