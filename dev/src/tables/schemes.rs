//! Security schemes.

use gateway_access::scheme::Scheme;
use gateway_runtime::codegen::{
    ApiKey, AuthorizationServer, Basic, BodyDigest, ByteSize, ConsumerJwt, Encoding, HmacSignature, Introspection,
    JwksUrl, JwtBearer, JwtKey, MutualTls, OpenIdConnect, Replay, SecretReference, SecretSource,
};
use gatewayc::ir;
use gatewayc::ir::Credential;

use crate::tables::access::locations;
use crate::tables::oauth::oauth;
use crate::tables::text::{kept, list, text, texts};

pub(super) fn scheme(scheme: &ir::Scheme, server: Option<&'static AuthorizationServer>) -> &'static dyn Scheme {
    let name = text(&scheme.name);
    let (realm, forward) = (text(&scheme.realm), scheme.forward);
    let places = locations(&scheme.locations);
    let server = || server.expect("lowering refuses such schemes without a server");
    match &scheme.credential {
        Credential::ApiKey => kept(ApiKey { name, locations: places, realm, forward }),
        Credential::Basic => kept(Basic { name, realm, forward }),
        Credential::Jwt(jwt) => kept(JwtBearer {
            name,
            locations: places,
            bare: jwt.bare,
            realm,
            forward,
            algorithms: list(&jwt.algorithms, |algorithm| *algorithm),
            key: key(&jwt.key),
            required_claims: texts(&jwt.required_claims),
            issuers: texts(&jwt.issuers),
            audiences: texts(&jwt.audiences),
            client_ids: texts(&jwt.client_ids),
            scope_claims: texts(&jwt.scope_claims),
            leeway: jwt.leeway,
            weak_secret_ok: jwt.weak_secret_ok,
        }),
        Credential::ConsumerJwt(jwt) => kept(ConsumerJwt {
            name,
            locations: places,
            bare: jwt.bare,
            realm,
            forward,
            key_claim: text(&jwt.key_claim),
            required_claims: texts(&jwt.required_claims),
            issuers: texts(&jwt.issuers),
            audiences: texts(&jwt.audiences),
            leeway: jwt.leeway,
        }),
        Credential::Hmac(hmac) => kept(signature(name, realm, hmac)),
        Credential::Certificate => kept(MutualTls { name, realm }),
        Credential::Introspection(asked) => kept(Introspection {
            name,
            locations: places,
            bare: asked.bare,
            realm,
            forward,
            url: text(&asked.url),
            client_id: text(&asked.client_id),
            client_secret: secret(&asked.client_secret),
            cache: asked.cache,
            issuers: texts(&asked.issuers),
            audiences: texts(&asked.audiences),
            client_ids: texts(&asked.client_ids),
            scope_claims: texts(&asked.scope_claims),
        }),
        Credential::OwnToken => oauth().own_token(name, server(), places, realm),
        Credential::Session(session) => {
            oauth().login_session(name, server(), text(&session.cookie), session.redirects, realm)
        }
        Credential::AdminKey => oauth().admin_key(name, places, realm),
    }
}

fn signature(name: &'static str, realm: &'static str, hmac: &ir::Hmac) -> HmacSignature {
    HmacSignature {
        name,
        scheme: text(&hmac.scheme),
        realm,
        profile: hmac.profile,
        algorithms: list(&hmac.algorithms, |algorithm| *algorithm),
        clock_skew: hmac.clock_skew,
        signed_headers: texts(&hmac.signed_headers),
        body_digest: match hmac.digest_of {
            Some(max_body) => BodyDigest::Required { max_body: ByteSize(max_body.0) },
            None => BodyDigest::Ignored,
        },
        replay: if hmac.refuses_replay { Replay::Refuse } else { Replay::Accept },
        hidden: locations(&hmac.hidden),
    }
}

fn key(key: &ir::JwtKey) -> JwtKey {
    match key {
        ir::JwtKey::Secret(reference) => JwtKey::Secret(secret(reference)),
        ir::JwtKey::PublicKey(reference) => JwtKey::PublicKey(secret(reference)),
        ir::JwtKey::Jwks(reference) => JwtKey::Jwks(secret(reference)),
        ir::JwtKey::KeySetUrl { url, refresh } => JwtKey::Provider(kept(JwksUrl { url: text(url), refresh: *refresh })),
        ir::JwtKey::Discovery { url } => JwtKey::Provider(kept(OpenIdConnect { url: text(url) })),
    }
}

pub(super) fn secret(reference: &ir::SecretReference) -> SecretReference {
    SecretReference {
        source: match &reference.source {
            ir::SecretSource::Env(name) => SecretSource::Env(text(name)),
            ir::SecretSource::File(path) => SecretSource::File(text(path)),
        },
        encoding: if reference.base64 { Encoding::Base64 } else { Encoding::Plain },
    }
}
