//! `hmac` at a security scheme: what the signature of a request covers, and how it is written.

use std::time::Duration;

use gateway_yaml::{Entry, Node, Span};

use crate::diagnostic::{Diagnostic, GW104, GW208};
use crate::ir::{HmacAlgorithm, HmacProfile};
use crate::units::{self, ByteSize};
use crate::vocabulary::reader::Reader;
use gateway_terms::token::is_token;

/// `hmac`, with its defaults.
#[derive(Debug)]
pub(crate) struct HmacPolicy {
    pub(crate) profile: HmacProfile,
    pub(crate) algorithms: Vec<HmacAlgorithm>,
    pub(crate) clock_skew: Duration,
    /// In lower case.
    pub(crate) signed_headers: Vec<String>,
    /// The largest body, where a digest of it is required.
    pub(crate) digest_of: Option<ByteSize>,
    pub(crate) refuses_replay: bool,
    pub(crate) keep_headers: bool,
    /// Where the algorithms are given, or else `hmac`.
    pub(crate) algorithms_at: Span,
    /// Where `signedHeaders` are given, or else `hmac`.
    pub(crate) signed_headers_at: Span,
}

/// Signatures over a body are checked with all of it in memory.
const DEFAULT_MAX_BODY: ByteSize = ByteSize(1 << 20);

const DEFAULT_CLOCK_SKEW: Duration = Duration::from_secs(300);

/// Reads `hmac`; nothing where it is not clear what is signed, which is reported.
pub(super) fn hmac(reader: &mut Reader<'_>, node: &Node) -> Option<HmacPolicy> {
    const KNOWN: [&str; 8] =
        ["profile", "algorithms", "clockSkew", "signedHeaders", "bodyDigest", "maxBody", "replay", "keepHeaders"];
    let entries = reader.known(node, "`hmac`", &KNOWN);
    let member = |name: &str| entries.iter().find(|entry| &*entry.key.name == name).copied();
    let value = |name: &str| member(name).map(|entry| &entry.value);
    let Some(profile) = value("profile") else {
        reader.report(
            Diagnostic::error(GW104, "`hmac` does not say what is signed")
                .at(node.span, "`profile` is missing")
                .help("write `profile: rfc9421`, or `cavage-apisix` or `apisix-v1` for clients of APISIX"),
        );
        return None;
    };
    let profiles: Vec<_> = HmacProfile::ALL.iter().map(|profile| (profile.name(), *profile)).collect();
    let profile = reader.choice(profile, "`profile`", &profiles)?;
    let digest_is_required = value("bodyDigest")
        .and_then(|node| reader.choice(node, "`bodyDigest`", &[("required", true), ("ignored", false)]));
    let refuses_replay =
        value("replay").and_then(|node| reader.choice(node, "`replay`", &[("accept", false), ("refuse", true)]));
    let max_body = value("maxBody").and_then(|node| reader.unit(node, "`maxBody`", units::size));
    let digest_is_required = digest_is_required.unwrap_or_default();
    if let Some(entry) = member("maxBody").filter(|_| !digest_is_required) {
        pointless(reader, entry, "is about bodies whose digest is required", "write `bodyDigest: required`");
    }
    let keep_headers = value("keepHeaders").and_then(|node| reader.boolean(node, "`keepHeaders`")).unwrap_or_default();
    if let Some(entry) = member("keepHeaders").filter(|_| profile != HmacProfile::ApisixV1) {
        pointless(
            reader,
            entry,
            "is about the headers of `apisix-v1`",
            "`forward` says whether the upstream sees the signature",
        );
    }
    let algorithms = match value("algorithms") {
        Some(node) => algorithms(reader, node, profile)?,
        None => profile.default_algorithms().to_vec(),
    };
    let signed_headers = match value("signedHeaders") {
        Some(node) => signed_headers(reader, node, profile),
        None => default_signed_headers(profile, digest_is_required),
    };
    let clock_skew = value("clockSkew").and_then(|node| clock_skew(reader, node)).unwrap_or(DEFAULT_CLOCK_SKEW);
    let refuses_replay = refuses_replay.unwrap_or_default();
    let signed_headers_at = value("signedHeaders").map_or(node.span, |node| node.span);
    // With another Date, a signature that is not over the date would be taken for a new one after it is forgotten.
    if refuses_replay && !profile.covers_time(&signed_headers) {
        reader.report(
            Diagnostic::error(GW208, "`replay: refuse` needs signatures that cover their time")
                .at(signed_headers_at, "`date` is not among the signed headers")
                .help("write `signedHeaders: [\"@request-target\", date]`"),
        );
    }
    Some(HmacPolicy {
        profile,
        algorithms,
        clock_skew,
        signed_headers,
        digest_of: digest_is_required.then(|| max_body.unwrap_or(DEFAULT_MAX_BODY)),
        refuses_replay,
        keep_headers,
        algorithms_at: value("algorithms").map_or(node.span, |node| node.span),
        signed_headers_at,
    })
}

fn pointless(reader: &mut Reader<'_>, entry: &Entry, why: &str, help: &str) {
    reader.report(
        Diagnostic::error(GW104, format!("`{}` {why}", entry.key.name))
            .at(entry.key.span, "means nothing here")
            .help(help),
    );
}

fn clock_skew(reader: &mut Reader<'_>, node: &Node) -> Option<Duration> {
    let skew = reader.unit(node, "`clockSkew`", units::duration)?;
    if skew.subsec_nanos() != 0 {
        reader.wrong(node, "`clockSkew`", "signatures are dated in whole seconds");
        return None;
    }
    Some(skew)
}

fn algorithms(reader: &mut Reader<'_>, node: &Node, profile: HmacProfile) -> Option<Vec<HmacAlgorithm>> {
    let mut algorithms = Vec::new();
    let items = reader.list(node, "`algorithms`");
    for item in items {
        let text = item.as_str().unwrap_or_default();
        match profile.algorithms().iter().find(|algorithm| algorithm.name() == text) {
            Some(algorithm) if algorithms.contains(algorithm) => {}
            Some(algorithm) => algorithms.push(*algorithm),
            None => {
                let names: Vec<_> = profile.algorithms().iter().map(|algorithm| algorithm.name()).collect();
                reader.report(
                    Diagnostic::error(GW208, format!("`{text}` is not an algorithm of `{}`", profile.name()))
                        .at(item.span, "not known here")
                        .help(format!("it can be {}", names.join(", "))),
                );
            }
        }
    }
    if node.as_sequence().is_some_and(<[_]>::is_empty) {
        reader.report(
            Diagnostic::error(GW208, "no algorithm is accepted, so no signature would be")
                .at(node.span, "an empty list"),
        );
    }
    (!algorithms.is_empty()).then_some(algorithms)
}

fn default_signed_headers(profile: HmacProfile, digest_is_required: bool) -> Vec<String> {
    let mut names = match profile {
        HmacProfile::CavageApisix => vec!["date"],
        HmacProfile::ApisixV1 => vec![],
        HmacProfile::Rfc9421 => vec!["@method", "@target-uri"],
    };
    if profile == HmacProfile::Rfc9421 && digest_is_required {
        names.push(profile.digest_header());
    }
    names.into_iter().map(str::to_owned).collect()
}

fn signed_headers(reader: &mut Reader<'_>, node: &Node, profile: HmacProfile) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for item in reader.list(node, "`signedHeaders`") {
        let Some(text) = reader.text(item, "`signedHeaders`") else { continue };
        let name = text.to_ascii_lowercase();
        let expected = if name.starts_with('@') {
            match profile.derived_components() {
                [] => "this profile signs the request line anyway; write names of headers",
                known if known.contains(&&*name) => "",
                ["@request-target"] => "write names of headers, and `@request-target` for the request line",
                _ => {
                    "it is none of `@method`, `@target-uri`, `@authority`, `@scheme`, `@request-target`, `@path` and `@query`"
                }
            }
        } else if !is_token(name.as_bytes()) {
            "expected the name of a header"
        } else if profile.signature_headers().iter().any(|own| own.eq_ignore_ascii_case(&name)) {
            "a signature cannot cover itself"
        } else {
            ""
        };
        match expected {
            "" if names.contains(&name) => reader.wrong(item, "`signedHeaders`", "stands there twice"),
            "" => names.push(name),
            expected => reader.wrong(item, "`signedHeaders`", expected),
        }
    }
    names
}
