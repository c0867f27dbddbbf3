//! Cases for token checks: one table of what is refused, with the reason.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use super::*;
use crate::caller::Verdict;
use gateway_base::secret::{Encoding, SecretSource, SecretStore};
use gateway_parties::store::ConsumerStore;
use gateway_wire::http1::head::Field;

const NOW: u64 = 1_000_000;
const SECRET: &str = "0123456789abcdef0123456789abcdef";

const SCHEME: JwtBearer = JwtBearer {
    name: "jwt",
    locations: &[
        CredentialLocation::Header("Authorization"),
        CredentialLocation::Query("jwt"),
        CredentialLocation::Cookie("jwt"),
    ],
    bare: false,
    realm: "jwt",
    forward: true,
    algorithms: &[JwtAlgorithm::HS256],
    key: JwtKey::Secret(SecretReference { source: SecretSource::Env("JWT_TEST"), encoding: Encoding::Plain }),
    required_claims: &["exp"],
    issuers: &[],
    audiences: &[],
    client_ids: &[],
    scope_claims: crate::jwt::token::SCOPE_CLAIMS,
    leeway: Duration::ZERO,
    weak_secret_ok: false,
};

fn prepared(scheme: &JwtBearer, secret: &str) -> Result<Box<dyn Authenticator>, Vec<String>> {
    let secrets = SecretStore { stand_ins: vec![("JWT_TEST".to_owned(), secret.to_owned())], ..SecretStore::default() };
    let consumers = Arc::new(ConsumerStore::none());
    scheme.prepare(&Resources { secrets, consumers, providers: Arc::default(), max_token: 8 << 10, provider_url: None })
}

fn sign(header: &Value, claims: &Value) -> String {
    sign_raw(&header.to_string(), &claims.to_string())
}

fn sign_raw(header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::HS256).expect("signed");
    format!("{signed}.{signature}")
}

fn good() -> String {
    sign(&json!({"alg": "HS256"}), &json!({"sub": "ann", "exp": NOW + 60, "scope": "a b", "roles": ["c"]}))
}

fn verdict(answer: Result<Caller, Refusal>) -> Verdict {
    answer.map_err(|refusal| match refusal {
        Refusal::Denied(denial) => denial,
        Refusal::Ask(question) => panic!("{question:?}"),
    })
}

fn check(scheme: &JwtBearer, authorization: &str, query: Option<&str>) -> Verdict {
    let authenticator = prepared(scheme, SECRET).expect("prepared");
    let fields = [Field { name: "authorization", value: authorization.as_bytes() }];
    let fields = if authorization.is_empty() { &[][..] } else { &fields[..] };
    verdict(
        authenticator
            .authenticate(&RequestView::of(fields, query), RequestContext { unix_seconds: NOW, worker: 0, request: 0 }),
    )
}

#[test]
fn a_good_token_names_its_caller() {
    let caller = check(&SCHEME, &format!("Bearer {}", good()), None).expect("good");
    assert_eq!((&*caller.subject, caller.issuer.as_deref()), ("ann", None));
    assert_eq!(caller.scopes.iter().map(|scope| &**scope).collect::<Vec<_>>(), ["a", "b", "c"]);
    let issued = sign(&json!({"alg": "HS256"}), &json!({"sub": "ann", "exp": NOW + 60, "iss": "https://a"}));
    let issued = check(&SCHEME, &format!("Bearer {issued}"), None).expect("good");
    assert_eq!(issued.issuer.as_deref(), Some("https://a"));
    assert!(check(&SCHEME, &format!("bearer   {}", good()), None).is_ok());
    assert!(check(&SCHEME, "", Some(&format!("x=1&jwt={}", good()))).is_ok());
}

#[test]
fn bare_tokens_need_to_be_allowed() {
    assert_eq!(check(&SCHEME, &good(), None), Err(invalid("not a Bearer credential")));
    assert!(check(&JwtBearer { bare: true, ..SCHEME }, &good(), None).is_ok());
    assert!(check(&JwtBearer { bare: true, ..SCHEME }, &format!("Bearer {}", good()), None).is_ok());
    assert_eq!(check(&SCHEME, "Basic YTpi", None), Err(MISSING));
    assert_eq!(check(&SCHEME, "", None), Err(MISSING));
}

#[test]
fn a_bad_header_is_not_saved_by_a_good_query() {
    assert!(matches!(check(&SCHEME, "Bearer x", Some(&format!("jwt={}", good()))), Err(Denial::Invalid { .. })));
}

#[test]
fn bad_tokens_are_refused() {
    let claims = json!({"sub": "ann", "exp": NOW + 60});
    let with = |member: &str, value: Value| {
        let mut claims = claims.clone();
        claims[member] = value;
        sign(&json!({"alg": "HS256"}), &claims)
    };
    let good = good();
    let (signed, signature) = good.rsplit_once('.').expect("three parts");
    let cases = [
        ("expired", with("exp", json!(NOW)), "the token has expired"),
        ("exp as text", with("exp", json!((NOW + 60).to_string())), "a date claim is not a number"),
        ("exp null", with("exp", json!(null)), "a required claim is missing"),
        ("exp negative", with("exp", json!(-1)), "a date claim is out of range"),
        ("exp list", with("exp", json!([NOW + 60])), "a date claim is not a number"),
        ("nbf ahead", with("nbf", json!(NOW + 1)), "the token is not valid yet"),
        ("nbf as text", with("nbf", json!("0")), "a date claim is not a number"),
        ("no exp", sign(&json!({"alg": "HS256"}), &json!({"sub": "ann"})), "a required claim is missing"),
        ("none", sign(&json!({"alg": "none"}), &claims), "alg is not accepted"),
        ("None", sign(&json!({"alg": "None"}), &claims), "alg is not accepted"),
        ("other HS", sign(&json!({"alg": "HS512"}), &claims), "alg is not accepted"),
        ("confusion", sign(&json!({"alg": "RS256"}), &claims), "alg is not accepted"),
        ("alg not text", sign(&json!({"alg": ["HS256"]}), &claims), "the header has no alg"),
        ("enc", sign(&json!({"alg": "HS256", "enc": "A256GCM"}), &claims), "the header has b64, crit, enc or zip"),
        ("crit", sign(&json!({"alg": "HS256", "crit": []}), &claims), "the header has b64, crit, enc or zip"),
        ("zip", sign(&json!({"alg": "HS256", "zip": "DEF"}), &claims), "the header has b64, crit, enc or zip"),
        ("b64", sign(&json!({"alg": "HS256", "b64": false}), &claims), "the header has b64, crit, enc or zip"),
        ("alg twice", sign_raw(r#"{"alg":"none","alg":"HS256"}"#, "{}"), "the header is not a JSON object"),
        ("exp twice", sign_raw(r#"{"alg":"HS256"}"#, r#"{"exp":1,"exp":9999999}"#), "the payload is not a JSON object"),
        ("sub an object", with("sub", json!({})), "sub is not a name"),
        ("sub empty", with("sub", json!("")), "sub is not a name"),
        ("kid not text", sign(&json!({"alg": "HS256", "kid": 1}), &claims), "kid is not a string"),
        ("list as payload", sign(&json!({"alg": "HS256"}), &json!([1])), "the payload is not a JSON object"),
        ("no signature", format!("{signed}."), "not a compact JWS"),
        ("two parts", signed.to_owned(), "not a compact JWS"),
        ("five parts", format!("{good}.a.b"), "not a compact JWS"),
        (
            "changed",
            format!("{signed}.{}A", &signature[..signature.len() - 1]),
            "the signature does not fit a known key",
        ),
        ("half a signature", format!("{signed}.{}", &signature[..20]), "the signature does not fit a known key"),
        ("odd signature", format!("{signed}.!"), "the signature does not fit a known key"),
        ("not base64", format!("e30=.{}.x", "e30"), "the header is not a JSON object"),
        ("oversize", "a".repeat((8 << 10) + 1), "the token is longer than `limits.token`"),
    ];
    for (name, token, reason) in cases {
        assert_eq!(check(&SCHEME, &format!("Bearer {token}"), None), Err(invalid(reason)), "{name}");
    }
}

#[test]
fn issuers_audiences_and_leeway_count() {
    let token = |claims: Value| format!("Bearer {}", sign(&json!({"alg": "HS256"}), &claims));
    let scheme =
        JwtBearer { issuers: &["https://a"], audiences: &["x", "y"], leeway: Duration::from_secs(5), ..SCHEME };
    assert!(
        check(&scheme, &token(json!({"exp": NOW - 4, "nbf": NOW + 5, "iss": "https://a", "aud": ["z", "y"]})), None)
            .is_ok()
    );
    assert_eq!(
        check(&scheme, &token(json!({"exp": NOW - 5, "iss": "https://a", "aud": "x"})), None),
        Err(invalid("the token has expired"))
    );
    assert_eq!(check(&scheme, &token(json!({"exp": NOW, "aud": "x"})), None), Err(invalid("iss is not accepted")));
    assert_eq!(
        check(&scheme, &token(json!({"exp": NOW, "iss": "https://a"})), None),
        Err(invalid("aud is not accepted"))
    );
}

#[test]
fn tokens_are_of_certain_clients() {
    let token = |claims: Value| {
        let mut all = json!({"exp": NOW + 60});
        all.as_object_mut().expect("an object").extend(claims.as_object().expect("an object").clone());
        format!("Bearer {}", sign(&json!({"alg": "HS256"}), &all))
    };
    let scheme = JwtBearer { client_ids: &["app", "web"], ..SCHEME };
    for (claims, is_good) in [
        (json!({"client_id": "app"}), true),
        (json!({"azp": "web"}), true),
        (json!({"client_id": "app", "azp": "web"}), true),
        (json!({"client_id": "app", "azp": "other"}), false),
        (json!({"client_id": "other"}), false),
        (json!({"client_id": ["app"]}), false),
        (json!({"aud": "app"}), false),
        (json!({}), false),
    ] {
        let verdict = check(&scheme, &token(claims.clone()), None);
        let expected = if is_good { Ok(()) } else { Err(invalid("client_id or azp is not accepted")) };
        assert_eq!(verdict.map(drop), expected, "{claims}");
    }
    let both = JwtBearer { audiences: &["api"], ..scheme };
    assert!(check(&both, &token(json!({"client_id": "app", "aud": "api"})), None).is_ok());
    assert!(check(&both, &token(json!({"client_id": "app"})), None).is_err());
}

#[test]
fn scopes_stand_where_the_document_says() {
    let scopes = |claims: &'static [&'static str], said: Value| {
        let mut all = json!({"exp": NOW + 60});
        all.as_object_mut().expect("an object").extend(said.as_object().expect("an object").clone());
        let token = format!("Bearer {}", sign(&json!({"alg": "HS256"}), &all));
        let caller = check(&JwtBearer { scope_claims: claims, ..SCHEME }, &token, None).expect("good");
        caller.scopes.join(" ")
    };
    for (claims, said, expected) in [
        (&["permissions"][..], json!({"permissions": ["read", "write"], "scope": "admin"}), "read write"),
        (&["realm_access.roles"], json!({"realm_access": {"roles": ["read"]}}), "read"),
        (&["resource_access.api.roles"], json!({"resource_access": {"api": {"roles": ["read"]}}}), "read"),
        (&["cognito:groups"], json!({"cognito:groups": ["read"]}), "read"),
        (&["https://example.org/roles"], json!({"https://example.org/roles": "read write"}), "read write"),
        // The name itself comes before the path.
        (&["a.b"], json!({"a.b": ["whole"], "a": {"b": ["path"]}}), "whole"),
        (&["groups", "scope"], json!({"groups": ["g"], "scope": "s"}), "s g"),
        (&["a.b"], json!({"a": ["b"]}), ""),
        (&["a"], json!({"a": {"b": true}}), ""),
        (&["a"], json!({"a": [1, null, ["x"], "y"]}), "y"),
    ] {
        assert_eq!(scopes(claims, said.clone()), expected, "{claims:?} {said}");
    }
}

/// A JSON Web Key Set with the public part of a key, and a token that the key has signed.
type Signed = (Value, Box<dyn Fn(&str) -> Vec<u8>>);

#[test]
fn newer_algorithms_are_checked_by_their_names() {
    use aws_lc_rs::signature::{self, KeyPair as _};
    let random = aws_lc_rs::rand::SystemRandom::new();
    let document = signature::EcdsaKeyPair::generate_pkcs8(&signature::ECDSA_P521_SHA512_FIXED_SIGNING, &random);
    let document = document.expect("a key");
    let p521 = signature::EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P521_SHA512_FIXED_SIGNING, document.as_ref());
    let p521 = p521.expect("a key");
    let point = p521.public_key().as_ref()[1..].to_vec();
    let (x, y) = (URL_SAFE_NO_PAD.encode(&point[..66]), URL_SAFE_NO_PAD.encode(&point[66..]));
    let ed = signature::Ed25519KeyPair::generate().expect("a key");
    let okp = json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(ed.public_key())});
    let keys: [(&str, &[JwtAlgorithm], Signed); 2] = [
        (
            "ES512",
            &[JwtAlgorithm::ES512],
            (
                json!({"kty": "EC", "crv": "P-521", "alg": "ES512", "x": x, "y": y}),
                Box::new(move |text| {
                    let random = aws_lc_rs::rand::SystemRandom::new();
                    p521.sign(&random, text.as_bytes()).expect("signed").as_ref().to_vec()
                }),
            ),
        ),
        ("Ed25519", &[JwtAlgorithm::Ed25519], (okp, Box::new(move |text| ed.sign(text.as_bytes()).as_ref().to_vec()))),
    ];
    for (name, algorithms, (jwk, signs)) in keys {
        let token = |alg: &str| {
            let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
            let signed = format!("{}.{}", part(json!({"alg": alg})), part(json!({"exp": NOW + 60})));
            format!("Bearer {signed}.{}", URL_SAFE_NO_PAD.encode(signs(&signed)))
        };
        let reference = SecretReference { source: SecretSource::Env("JWT_TEST"), encoding: Encoding::Plain };
        let scheme = JwtBearer { algorithms, key: JwtKey::Jwks(reference), ..SCHEME };
        let set = |jwk: &Value| json!({"keys": [jwk]}).to_string();
        let authenticator = prepared(&scheme, &set(&jwk)).unwrap_or_else(|problem| panic!("{name}: {problem:?}"));
        let ask = |value: &str| {
            let fields = [Field { name: "Authorization", value: value.as_bytes() }];
            let now = RequestContext { unix_seconds: NOW, worker: 0, request: 0 };
            authenticator.authenticate(&RequestView::of(&fields, None), now).is_ok()
        };
        assert!(ask(&token(name)), "{name}");
        // The older name of Ed25519 is pinned separately.
        assert!(!ask(&token(if name == "Ed25519" { "EdDSA" } else { "ES256" })), "{name}");
        let changed = token(name).replacen("eyJ", "eyK", 1);
        assert!(!ask(&changed), "{name}");
        for (member, value) in [("key_ops", json!(["sign"])), ("use", json!("enc")), ("alg", json!("RS256"))] {
            let mut other = jwk.clone();
            other[member] = value;
            let problem = prepared(&scheme, &set(&other)).expect_err("refused").concat();
            assert!(problem.contains("has no key for"), "{name} {member}: {problem}");
        }
        let mut verifying = jwk.clone();
        verifying["key_ops"] = json!(["verify"]);
        assert!(prepared(&scheme, &set(&verifying)).is_ok());
    }
}

#[test]
fn hmac_keys_are_as_long_as_the_hash() {
    for (algorithm, least) in [(JwtAlgorithm::HS256, 32), (JwtAlgorithm::HS384, 48), (JwtAlgorithm::HS512, 64)] {
        let algorithms: &'static [JwtAlgorithm] = Box::leak(Box::new([algorithm]));
        let scheme = JwtBearer { algorithms, ..SCHEME };
        assert!(prepared(&scheme, &"k".repeat(least)).is_ok(), "{algorithm:?}");
        let problem = prepared(&scheme, &"k".repeat(least - 1)).expect_err("too short").concat();
        assert!(problem.contains(&format!("{} needs {least}", algorithm.name())), "{problem}");
        let reference = SecretReference { source: SecretSource::Env("JWT_TEST"), encoding: Encoding::Plain };
        let scheme = JwtBearer { key: JwtKey::Jwks(reference), ..scheme };
        let set = |length: usize| {
            json!({"keys": [{"kty": "oct", "k": URL_SAFE_NO_PAD.encode("k".repeat(length))}]}).to_string()
        };
        assert!(prepared(&scheme, &set(least)).is_ok(), "{algorithm:?}");
        assert!(prepared(&scheme, &set(least - 1)).is_err(), "{algorithm:?}");
    }
}

#[test]
fn a_cached_token_still_expires() {
    let authenticator = prepared(&SCHEME, SECRET).expect("prepared");
    let value = format!("Bearer {}", good());
    let fields = [Field { name: "Authorization", value: value.as_bytes() }];
    let at = |unix_seconds| {
        verdict(
            authenticator
                .authenticate(&RequestView::of(&fields, None), RequestContext { unix_seconds, worker: 3, request: 0 }),
        )
    };
    assert!(at(NOW).is_ok());
    assert!(at(NOW + 59).is_ok());
    assert_eq!(at(NOW + 60), Err(invalid("the token has expired")));
}

#[test]
fn weak_and_unfit_keys_are_reported_at_start() {
    let problem = |scheme: &JwtBearer, secret: &str| prepared(scheme, secret).expect_err("refused").concat();
    assert!(problem(&SCHEME, "secret").contains("needs 32"));
    assert!(prepared(&JwtBearer { weak_secret_ok: true, ..SCHEME }, "secret").is_ok());
    let reference = SecretReference { source: SecretSource::Env("JWT_TEST"), encoding: Encoding::Plain };
    let rs256 = JwtBearer { algorithms: &[JwtAlgorithm::RS256], key: JwtKey::PublicKey(reference), ..SCHEME };
    assert!(problem(&rs256, "no key").contains("not a PEM key for RS256"));
    let jwks = JwtBearer { algorithms: &[JwtAlgorithm::RS256], key: JwtKey::Jwks(reference), ..SCHEME };
    assert!(problem(&jwks, "{").contains("not a JSON Web Key Set"));
    assert!(problem(&jwks, r#"{"keys":[{"kty":"oct","k":"c2VjcmV0","alg":"HS256"}]}"#).contains("no key for RS256"));
}

#[test]
fn keys_of_a_set_are_found_by_their_id() {
    let key =
        |id: &str, secret: &str| json!({"kty": "oct", "kid": id, "alg": "HS256", "k": URL_SAFE_NO_PAD.encode(secret)});
    let set =
        json!({"keys": [key("old", "another secret of thirty-two bytes"), key("new", SECRET), {"kty": "unheard-of"}]})
            .to_string();
    let reference = SecretReference { source: SecretSource::Env("JWT_TEST"), encoding: Encoding::Plain };
    let authenticator = prepared(&JwtBearer { key: JwtKey::Jwks(reference), ..SCHEME }, &set).expect("prepared");
    for (header, good) in [
        (json!({"alg": "HS256", "kid": "new"}), true),
        (json!({"alg": "HS256"}), true),
        (json!({"alg": "HS256", "kid": "old"}), false),
        (json!({"alg": "HS256", "kid": "none"}), false),
    ] {
        let value = format!("Bearer {}", sign(&header, &json!({"exp": NOW + 60})));
        let fields = [Field { name: "Authorization", value: value.as_bytes() }];
        let result = authenticator
            .authenticate(&RequestView::of(&fields, None), RequestContext { unix_seconds: NOW, worker: 0, request: 0 });
        assert_eq!(result.is_ok(), good, "{header}");
    }
}

#[test]
fn debug_output_has_no_key() {
    let authenticator = prepared(&SCHEME, SECRET).expect("prepared");
    assert!(!format!("{authenticator:?}").contains(SECRET));
}
