//! Request signatures: what a scheme asks for, and what it leaves open.

use crate::ast;
use crate::diagnostic::{Diagnostic, Diagnostics, GW311, GW313, GW314};
use crate::ir::{CredentialLocation, Hmac, HmacAlgorithm, HmacProfile};
use crate::vocabulary::HmacPolicy;

/// The check of a scheme's signatures.
pub(super) fn lower(
    definition: &ast::SecurityScheme,
    scheme: &str,
    forward: bool,
    policy: HmacPolicy,
    diagnostics: &mut Diagnostics,
) -> Hmac {
    diagnostics.extend(warnings(&definition.name.value, &policy));
    Hmac {
        scheme: scheme.to_owned(),
        profile: policy.profile,
        hidden: hidden(policy.profile, forward, policy.keep_headers),
        algorithms: policy.algorithms,
        clock_skew: policy.clock_skew,
        signed_headers: policy.signed_headers,
        digest_of: policy.digest_of,
        refuses_replay: policy.refuses_replay,
    }
}

/// What a thief of one signed request could do with it.
fn warnings(scheme: &str, policy: &HmacPolicy) -> Vec<Diagnostic> {
    let HmacPolicy { profile, algorithms, signed_headers, .. } = policy;
    let mut warnings = Vec::new();
    if algorithms.contains(&HmacAlgorithm::HmacSha1) {
        warnings.push(
            Diagnostic::warning(GW311, format!("weak algorithm: `{scheme}` accepts hmac-sha1"))
                .at(policy.algorithms_at, "clients may choose it")
                .help("write `algorithms: [hmac-sha256, hmac-sha512]`"),
        );
    }
    if !profile.covers_time(signed_headers) {
        warnings.push(
            Diagnostic::warning(GW313, format!("the freshness check is not covered by the signature of `{scheme}`"))
                .at(policy.signed_headers_at, "who has one signed request can put any date on it")
                .help("add `date` to `signedHeaders`"),
        );
    }
    if !profile.covers_request_line(signed_headers) {
        let add = if *profile == HmacProfile::Rfc9421 { "`@method` and `@target-uri`" } else { "`@request-target`" };
        warnings.push(
            Diagnostic::warning(GW314, format!("the request line is not covered by the signature of `{scheme}`"))
                .at(policy.signed_headers_at, "who has one signed request can send it to another path")
                .help(format!("add {add} to `signedHeaders`")),
        );
    }
    let digest = profile.digest_header();
    if policy.digest_of.is_some() && !signed_headers.iter().any(|name| name == digest) {
        warnings.push(
            Diagnostic::warning(GW314, format!("the digest of the body is not covered by the signature of `{scheme}`"))
                .at(policy.signed_headers_at, "who has one signed request can give it another body and digest")
                .help(format!("add `{digest}` to `signedHeaders`")),
        );
    }
    warnings
}

/// Which headers of the signature the upstream does not see.
fn hidden(profile: HmacProfile, forward: bool, keep_headers: bool) -> Vec<CredentialLocation> {
    let digest = (profile == HmacProfile::ApisixV1).then_some("X-HMAC-DIGEST");
    let own = profile.signature_headers().iter().copied().chain(digest);
    let is_hidden =
        |name: &&str| !forward || (profile == HmacProfile::ApisixV1 && !keep_headers && *name != "Authorization");
    own.filter(is_hidden).map(|name| CredentialLocation::Header(name.to_owned())).collect()
}
