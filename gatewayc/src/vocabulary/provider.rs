//! Addresses of identity providers, and what is asked there.

use std::time::Duration;

use gateway_terms::authority::Authority;
use gateway_yaml::{Entry, Node, Span};

use crate::diagnostic::{Diagnostic, GW104, GW208, GW212};
use crate::ir::{Introspection, JwtKey};
use crate::units;
use crate::vocabulary::claims::{self, one_or_more, usual_scope_claims};
use crate::vocabulary::reader::Reader;
use crate::vocabulary::secret::secret;

/// How often keys are fetched where the document does not say.
const REFRESH: Duration = Duration::from_secs(600);

/// How long a good answer about a token is used where the document does not say.
const CACHE: Duration = Duration::from_secs(30);

/// What follows the issuer in the URL of a discovery document (OpenID Connect Discovery 1.0 §4).
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// What is wrong with the URL of a provider.
pub(crate) enum UrlProblem {
    /// It is not one, and why.
    Bad(&'static str),
    /// What is fetched there could be changed on its way.
    InTheClear,
}

/// `https://host[:port][/path][?query]`, or `http://` on loopback.
pub(crate) fn check_url(url: &str) -> Result<(), UrlProblem> {
    const EXPECTED: UrlProblem = UrlProblem::Bad("expected `https://host/path`");
    let (tls, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => return Err(EXPECTED),
    };
    let (authority, target) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err(UrlProblem::Bad("credentials do not belong into an address"));
    }
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
    let Some(authority) = Authority::parse(authority).ok().filter(|_| target.bytes().all(plain)) else {
        return Err(EXPECTED);
    };
    if target.contains('#') {
        return Err(UrlProblem::Bad("a fragment does not belong into this address"));
    }
    if tls || authority.is_loopback() { Ok(()) } else { Err(UrlProblem::InTheClear) }
}

/// What is said about a provider without TLS.
pub(crate) fn in_the_clear(at: Span) -> Diagnostic {
    Diagnostic::error(GW212, "the identity provider is asked without TLS")
        .at(at, "who is on the way could answer in its place")
        .help("write `https://`; plain `http://` is for 127.0.0.1, [::1] and localhost")
}

/// Why `openIdConnectUrl` gives no keys.
pub(crate) fn check_discovery_url(url: &str) -> Result<(), UrlProblem> {
    check_url(url)?;
    match url.strip_suffix(WELL_KNOWN) {
        Some(_) => Ok(()),
        None => Err(UrlProblem::Bad("`openIdConnectUrl` does not end in `/.well-known/openid-configuration`")),
    }
}

/// `{url: …, refresh: 10m}`.
pub(super) fn key_set(reader: &mut Reader<'_>, node: &Node) -> Option<JwtKey> {
    let (mut found, mut refresh) = (None, REFRESH);
    for Entry { key, value } in reader.known(node, "`jwks` with a `url`", &["url", "refresh"]) {
        match &*key.name {
            "url" => found = url(reader, value),
            _ => refresh = reader.unit(value, "`refresh`", refresh_time)?,
        }
    }
    Some(JwtKey::KeySetUrl { url: found?, refresh })
}

fn refresh_time(text: &str) -> Result<Duration, &'static str> {
    let time = units::duration(text)?;
    let sensible = Duration::from_secs(1)..=Duration::from_secs(86_400);
    if sensible.contains(&time) { Ok(time) } else { Err("expected a duration from `1s` to `24h`") }
}

/// `introspection`.
pub(super) fn introspection(reader: &mut Reader<'_>, node: &Node) -> Option<Introspection> {
    const KNOWN: &[&str] =
        &["url", "clientId", "clientSecret", "cache", "issuers", "audiences", "clientIds", "scopeClaims"];
    let entries = reader.known(node, "`introspection`", KNOWN);
    let (mut at_url, mut client_id, mut client_secret) = (None, None, None);
    let (mut cache, mut issuers, mut audiences) = (CACHE, Vec::new(), Vec::new());
    let (mut client_ids, mut scope_claims) = (Vec::new(), usual_scope_claims());
    for Entry { key, value } in entries.iter().copied() {
        match &*key.name {
            "url" => at_url = url(reader, value),
            "clientId" => client_id = reader.text(value, "`clientId`").map(str::to_owned),
            "clientSecret" => client_secret = secret(reader, "clientSecret", value),
            "cache" => cache = reader.unit(value, "`cache`", cache_time).unwrap_or(CACHE),
            "issuers" => issuers = one_or_more(reader, value, "`issuers`"),
            "clientIds" => client_ids = one_or_more(reader, value, "`clientIds`"),
            "scopeClaims" => scope_claims = claims::scope_claims(reader, value),
            _ => audiences = one_or_more(reader, value, "`audiences`"),
        }
    }
    for name in ["url", "clientId", "clientSecret"] {
        if node.as_mapping().is_some_and(|mapping| mapping.get(name).is_none()) {
            reader.report(
                Diagnostic::error(GW208, format!("the provider cannot be asked without `{name}`"))
                    .at(node.span, format!("`{name}` is missing"))
                    .help(
                        "write `introspection: {url: \"https://idp.example/introspect\", clientId: gateway, clientSecret: {env: NAME}}`",
                    ),
            );
        }
    }
    if client_id.as_deref() == Some("") {
        reader.wrong(node, "`clientId`", "expected the name that the provider gave to the gateway");
        return None;
    }
    Some(Introspection {
        bare: false,
        url: at_url?,
        client_id: client_id?,
        client_secret: client_secret?,
        cache,
        issuers,
        audiences,
        client_ids,
        scope_claims,
    })
}

/// `0s` asks each time.
fn cache_time(text: &str) -> Result<Duration, &'static str> {
    if text == "0s" { Ok(Duration::ZERO) } else { units::duration(text) }
}

fn url(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let url = reader.text(node, "`url`")?;
    match check_url(url) {
        Ok(()) => return Some(url.to_owned()),
        Err(UrlProblem::InTheClear) => reader.report(in_the_clear(node.span)),
        Err(UrlProblem::Bad(problem)) => reader
            .report(Diagnostic::error(GW104, "this is not the address of an identity provider").at(node.span, problem)),
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_providers() {
        for (url, expected) in [
            ("https://idp.example/jwks.json", "good"),
            ("https://idp.example:8443/a?b=c%20d", "good"),
            ("https://idp.example", "good"),
            ("http://127.0.0.1:3000/a", "good"),
            ("http://127.9.9.9/a", "good"),
            ("http://[::1]:3000/a", "good"),
            ("http://LocalHost/a", "good"),
            ("http://idp.example/a", "clear"),
            ("http://localhost.example/a", "clear"),
            ("http://127.0.0.1.example/a", "clear"),
            ("http://10.0.0.1/a", "clear"),
            ("http://[::2]/a", "clear"),
            ("", "bad"),
            ("/jwks", "bad"),
            ("ftp://idp.example/", "bad"),
            ("https://", "bad"),
            ("https:///a", "bad"),
            ("https://u:p@idp.example/", "bad"),
            ("https://idp.example/#a", "bad"),
            ("https://idp.example:0/", "bad"),
            ("https://idp.example:/", "bad"),
            ("https://idp.example:99999/", "bad"),
            ("https://idp.example/a b", "bad"),
            ("https://idp.example/é", "bad"),
        ] {
            let found = match check_url(url) {
                Ok(()) => "good",
                Err(UrlProblem::InTheClear) => "clear",
                Err(UrlProblem::Bad(_)) => "bad",
            };
            assert_eq!(found, expected, "{url}");
        }
    }
}
