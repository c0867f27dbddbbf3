//! Request signatures: what a scheme asks for, and what it leaves open.

use crate::ast::{self, SchemeKind};
use crate::diagnostic::{Diagnostic, Diagnostics, GW311, GW313, GW314};
use crate::ir::{Credential, CredentialLocation, Hmac, HmacAlgorithm, HmacProfile, Scheme};
use crate::lower::naming::printable;
use crate::lower::scheme::problem::Problem;
use crate::vocabulary::{HmacPolicy, SchemeExtension};
use gateway_terms::token::is_token;

/// A scheme of signed requests.
pub(super) fn lower(
    definition: &ast::SecurityScheme,
    kind: &SchemeKind,
    extension: SchemeExtension,
    diagnostics: &mut Diagnostics,
) -> Result<Scheme, Problem> {
    const WRITE: &str = "write `{type: http, scheme: signature}`";
    let SchemeExtension { also_in, forward, realm, bare, jwt, hmac: Some(policy), under_token, .. } = extension else {
        return Err(Problem::with_help("nothing says what is signed", WRITE));
    };
    let SchemeKind::Http { scheme, .. } = kind else {
        return Err(Problem::with_help("`hmac` needs `type: http`", WRITE));
    };
    let is_taken = ["bearer", "basic"].iter().any(|taken| scheme.eq_ignore_ascii_case(taken));
    if is_taken || !is_token(scheme.as_bytes()) {
        return Err(Problem::with_help(format!("`hmac` needs a scheme name of its own, not `{scheme}`"), WRITE));
    }
    if jwt.is_some() || under_token || bare.is_some() || !also_in.is_empty() {
        return Err(Problem::new("`jwt`, `token`, `bare` and `alsoIn` are about tokens, and its requests are signed"));
    }
    let forward = forward.unwrap_or(true);
    if policy.keep_headers && !forward {
        return Err(Problem::new("`forward: false` takes off the headers that `keepHeaders: true` keeps"));
    }
    let name = definition.name.value.clone();
    diagnostics.extend(warnings(&name, &policy));
    let own = policy.profile.signature_headers();
    Ok(Scheme {
        failures: None,
        locations: own.iter().map(|name| CredentialLocation::Header((*name).to_owned())).collect(),
        realm: realm.unwrap_or_else(|| printable(&name)),
        name,
        forward,
        credential: Credential::Hmac(Box::new(Hmac {
            scheme: scheme.clone(),
            hidden: hidden(policy.profile, forward, policy.keep_headers),
            profile: policy.profile,
            algorithms: policy.algorithms,
            clock_skew: policy.clock_skew,
            signed_headers: policy.signed_headers,
            digest_of: policy.digest_of,
            refuses_replay: policy.refuses_replay,
        })),
    })
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
