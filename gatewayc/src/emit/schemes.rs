//! Security schemes, as tables.

use crate::emit::layout::Expression;
use crate::emit::literals::{boolean, duration, locations, size};
use crate::ir::{
    ConsumerJwt, Credential, Hmac, HmacAlgorithm, HmacProfile, Introspection, Jwt, JwtKey, Scheme, SecretReference,
    SecretSource,
};

pub(super) fn scheme_value(kind: &'static str, scheme: &Scheme) -> Expression {
    if let Credential::Hmac(hmac) = &scheme.credential {
        return Expression::Struct(kind, hmac_fields(scheme, hmac));
    }
    if matches!(scheme.credential, Credential::Certificate) {
        let fields = vec![("name", Expression::text(&scheme.name)), ("realm", Expression::text(&scheme.realm))];
        return Expression::Struct(kind, fields);
    }
    let mut fields = vec![("name", Expression::text(&scheme.name))];
    // A password has one place only, which is not said again.
    if !matches!(scheme.credential, Credential::Basic) {
        fields.push(("locations", locations(&scheme.locations)));
    }
    fields.push(("realm", Expression::text(&scheme.realm)));
    fields.push(("forward", boolean(scheme.forward)));
    match &scheme.credential {
        Credential::ApiKey
        | Credential::Basic
        | Credential::Hmac(_)
        | Credential::Certificate
        | Credential::OwnToken
        | Credential::Session(_)
        | Credential::AdminKey => {}
        Credential::Jwt(jwt) => fields.extend(jwt_fields(jwt)),
        Credential::ConsumerJwt(jwt) => fields.extend(consumer_jwt_fields(jwt)),
        Credential::Introspection(introspection) => fields.extend(introspection_fields(introspection)),
    }
    Expression::Struct(kind, fields)
}

fn hmac_fields(scheme: &Scheme, hmac: &Hmac) -> Vec<(&'static str, Expression)> {
    let profile = match hmac.profile {
        HmacProfile::CavageApisix => "HmacProfile::CavageApisix",
        HmacProfile::ApisixV1 => "HmacProfile::ApisixV1",
        HmacProfile::Rfc9421 => "HmacProfile::Rfc9421",
    };
    let algorithm = |algorithm: &HmacAlgorithm| {
        Expression::word(match algorithm {
            HmacAlgorithm::HmacSha1 => "HmacAlgorithm::HmacSha1",
            HmacAlgorithm::HmacSha256 => "HmacAlgorithm::HmacSha256",
            HmacAlgorithm::HmacSha512 => "HmacAlgorithm::HmacSha512",
        })
    };
    let body_digest = match hmac.digest_of {
        Some(max_body) => Expression::Struct("BodyDigest::Required", vec![("max_body", size(max_body))]),
        None => Expression::word("BodyDigest::Ignored"),
    };
    let replay = if hmac.refuses_replay { "Replay::Refuse" } else { "Replay::Accept" };
    vec![
        ("name", Expression::text(&scheme.name)),
        ("scheme", Expression::text(&hmac.scheme)),
        ("realm", Expression::text(&scheme.realm)),
        ("profile", Expression::word(profile)),
        ("algorithms", Expression::Slice(hmac.algorithms.iter().map(algorithm).collect())),
        ("clock_skew", duration(hmac.clock_skew)),
        ("signed_headers", Expression::texts(&hmac.signed_headers)),
        ("body_digest", body_digest),
        ("replay", Expression::word(replay)),
        ("hidden", locations(&hmac.hidden)),
    ]
}

fn jwt_fields(jwt: &Jwt) -> Vec<(&'static str, Expression)> {
    let (key, argument) = match &jwt.key {
        JwtKey::Secret(reference) => ("JwtKey::Secret", secret_reference(reference)),
        JwtKey::PublicKey(reference) => ("JwtKey::PublicKey", secret_reference(reference)),
        JwtKey::Jwks(reference) => ("JwtKey::Jwks", secret_reference(reference)),
        JwtKey::KeySetUrl { url, refresh } => {
            let fields = vec![("url", Expression::text(url)), ("refresh", duration(*refresh))];
            ("JwtKey::Provider", Expression::Reference(Box::new(Expression::Struct("JwksUrl", fields))))
        }
        JwtKey::Discovery { url } => {
            let fields = vec![("url", Expression::text(url))];
            ("JwtKey::Provider", Expression::Reference(Box::new(Expression::Struct("OpenIdConnect", fields))))
        }
    };
    let algorithms =
        jwt.algorithms.iter().map(|algorithm| Expression::Atom(format!("JwtAlgorithm::{}", algorithm.name())));
    vec![
        ("bare", boolean(jwt.bare)),
        ("algorithms", Expression::Slice(algorithms.collect())),
        ("key", Expression::Call(key, vec![argument])),
        ("required_claims", Expression::texts(&jwt.required_claims)),
        ("issuers", Expression::texts(&jwt.issuers)),
        ("audiences", Expression::texts(&jwt.audiences)),
        ("client_ids", Expression::texts(&jwt.client_ids)),
        ("scope_claims", Expression::texts(&jwt.scope_claims)),
        ("leeway", duration(jwt.leeway)),
        ("weak_secret_ok", boolean(jwt.weak_secret_ok)),
    ]
}

fn consumer_jwt_fields(jwt: &ConsumerJwt) -> Vec<(&'static str, Expression)> {
    vec![
        ("bare", boolean(jwt.bare)),
        ("key_claim", Expression::text(&jwt.key_claim)),
        ("required_claims", Expression::texts(&jwt.required_claims)),
        ("issuers", Expression::texts(&jwt.issuers)),
        ("audiences", Expression::texts(&jwt.audiences)),
        ("leeway", duration(jwt.leeway)),
    ]
}

fn introspection_fields(introspection: &Introspection) -> Vec<(&'static str, Expression)> {
    vec![
        ("bare", boolean(introspection.bare)),
        ("url", Expression::text(&introspection.url)),
        ("client_id", Expression::text(&introspection.client_id)),
        ("client_secret", secret_reference(&introspection.client_secret)),
        ("cache", duration(introspection.cache)),
        ("issuers", Expression::texts(&introspection.issuers)),
        ("audiences", Expression::texts(&introspection.audiences)),
        ("client_ids", Expression::texts(&introspection.client_ids)),
        ("scope_claims", Expression::texts(&introspection.scope_claims)),
    ]
}

pub(super) fn secret_reference(reference: &SecretReference) -> Expression {
    let source = match &reference.source {
        SecretSource::Env(name) => Expression::Call("SecretSource::Env", vec![Expression::text(name)]),
        SecretSource::File(path) => Expression::Call("SecretSource::File", vec![Expression::text(path)]),
    };
    let encoding = if reference.base64 { "Encoding::Base64" } else { "Encoding::Plain" };
    Expression::Struct("SecretReference", vec![("source", source), ("encoding", Expression::word(encoding))])
}
