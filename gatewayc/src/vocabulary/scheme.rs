//! `x-gateway` at a security scheme: how a credential of that scheme is found and checked.

mod hmac;

use std::time::Duration;

use gateway_terms::token::is_token;
use gateway_yaml::{Entry, Node, Span, Spanned};

use crate::diagnostic::{Diagnostic, Diagnostics, GW102, GW208};
use crate::ir::{CredentialLocation, Introspection, JwtAlgorithm, JwtKey, KeyFamily};
use crate::units;
use crate::vocabulary::accepted_risk::{AcceptedRisk, accept_risk};
use crate::vocabulary::claims::{DEFAULT_KEY_CLAIM, claim, one_or_more, scope_claims, usual_scope_claims};
use crate::vocabulary::provider;
use crate::vocabulary::reader::{Place, Reader};
use crate::vocabulary::secret::secret;

pub(crate) use hmac::HmacPolicy;

/// What `x-gateway` at a scheme says.
#[derive(Debug, Default)]
pub(crate) struct SchemeExtension {
    pub(crate) also_in: Vec<Spanned<CredentialLocation>>,
    pub(crate) forward: Option<bool>,
    pub(crate) realm: Option<String>,
    pub(crate) bare: Option<bool>,
    /// `jwt`, or `token.jwt` for `oauth2`.
    pub(crate) jwt: Option<JwtPolicy>,
    /// `hmac`.
    pub(crate) hmac: Option<HmacPolicy>,
    /// `authorizationServer`, `session` or `credential`.
    pub(crate) own: Option<OwnCredential>,
    /// `acceptRisk`.
    pub(crate) accepted: Vec<AcceptedRisk>,
    /// `token.introspection`.
    pub(crate) introspection: Option<Introspection>,
    /// `jwt` and `token` differ in the schemes that they belong to.
    pub(crate) under_token: bool,
    /// Something was wrong or is not supported, and has been reported.
    pub(crate) broken: bool,
}

/// A credential that the gateway itself gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OwnCredential {
    /// `authorizationServer: self`.
    Token,
    /// `session: login`.
    Session {
        /// `onMissing: redirect`.
        redirects: bool,
    },
    /// `credential: admin`.
    AdminKey,
}

/// `jwt`, with its defaults.
#[derive(Debug)]
pub(crate) struct JwtPolicy {
    pub(crate) signer: JwtSigner,
    pub(crate) required_claims: Vec<String>,
    pub(crate) issuers: Vec<String>,
    pub(crate) audiences: Vec<String>,
    /// `clientIds`.
    pub(crate) client_ids: Vec<String>,
    /// `scopeClaims`; the usual ones where it is not there.
    pub(crate) scope_claims: Vec<String>,
    pub(crate) leeway: Duration,
}

/// Who signs tokens.
#[derive(Debug)]
pub(crate) enum JwtSigner {
    /// `verify`: an issuer whose key is known.
    Issuer(Verification),
    /// `identify: consumer`: the consumer whose credential a claim names.
    Consumer {
        /// `keyClaim`.
        key_claim: String,
    },
}

/// `verify`.
#[derive(Debug)]
pub(crate) struct Verification {
    pub(crate) algorithms: Vec<JwtAlgorithm>,
    pub(crate) key: JwtKey,
    pub(crate) weak_secret_ok: bool,
}

impl JwtPolicy {
    /// For a provider that says where its keys are, unless the document says more.
    pub(crate) fn discovered(url: &str) -> Self {
        let usual = JwtAlgorithm::ALL.iter().filter(|algorithm| **algorithm == JwtAlgorithm::RS256);
        let verification = Verification {
            algorithms: usual.copied().collect(),
            key: JwtKey::Discovery { url: url.to_owned() },
            weak_secret_ok: false,
        };
        Self {
            signer: JwtSigner::Issuer(verification),
            required_claims: vec!["exp".to_owned()],
            issuers: Vec::new(),
            audiences: Vec::new(),
            client_ids: Vec::new(),
            scope_claims: usual_scope_claims(),
            leeway: Duration::ZERO,
        }
    }
}

/// Reads `x-gateway` at a security scheme; `discovery` is its `openIdConnectUrl`, if it has one.
pub(crate) fn scheme(node: &Node, discovery: Option<&str>, diagnostics: &mut Diagnostics) -> SchemeExtension {
    let errors = diagnostics.errors();
    let mut extension = SchemeExtension::default();
    let mut reader = Reader::new(diagnostics);
    let members = reader.members(node, Place::Scheme).unwrap_or_default();
    extension.own = own_credential(&mut reader, &members);
    for Entry { key, value } in members {
        match &*key.name {
            "alsoIn" => extension.also_in = locations(&mut reader, value),
            "forward" => extension.forward = reader.boolean(value, "`forward`"),
            "bare" => extension.bare = reader.boolean(value, "`bare`"),
            "realm" => extension.realm = realm(&mut reader, value),
            "jwt" => {
                extension.jwt = match discovery {
                    Some(url) => Some(discovered_jwt(&mut reader, url, value)),
                    None => jwt(&mut reader, value),
                }
            }
            "hmac" => extension.hmac = hmac::hmac(&mut reader, value),
            "token" => {
                extension.under_token = true;
                let entries = reader.known(value, "`token`", &["jwt", "introspection"]);
                for entry in entries.iter().copied() {
                    match &*entry.key.name {
                        "jwt" => extension.jwt = jwt(&mut reader, &entry.value),
                        _ => extension.introspection = provider::introspection(&mut reader, &entry.value),
                    }
                }
            }
            "acceptRisk" => extension.accepted = accept_risk(&mut reader, value),
            _ => {}
        }
    }
    if extension.jwt.is_some() && extension.introspection.is_some() {
        let diagnostic = Diagnostic::error(GW208, "tokens are either JWTs, or the provider is asked about them");
        reader.report(diagnostic.at(node.span, "has both `jwt` and `introspection`"));
    }
    extension.broken = diagnostics.errors() > errors;
    extension
}

/// `authorizationServer`, `session` with `onMissing`, or `credential`: one of them, or none.
fn own_credential(reader: &mut Reader<'_>, members: &[&Entry]) -> Option<OwnCredential> {
    let member = |name: &str| members.iter().copied().find(|entry| &*entry.key.name == name);
    let redirects = match member("onMissing") {
        Some(entry) if member("session").is_none() => {
            let diagnostic = Diagnostic::error(GW102, "`onMissing` belongs to `session: login`");
            reader.report(diagnostic.at(entry.key.span, "no `session` beside it"));
            return None;
        }
        Some(entry) => reader.choice(&entry.value, "`onMissing`", &[("redirect", true), ("refuse", false)])?,
        None => false,
    };
    let kinds = [
        ("authorizationServer", "self", OwnCredential::Token),
        ("session", "login", OwnCredential::Session { redirects }),
        ("credential", "admin", OwnCredential::AdminKey),
    ];
    let mut found = None;
    for (name, word, kind) in kinds {
        let Some(entry) = member(name) else { continue };
        let kind = reader.choice(&entry.value, &format!("`{name}`"), &[(word, kind)])?;
        if found.replace(kind).is_some() {
            let diagnostic = Diagnostic::error(GW208, "a scheme has one kind of credential");
            reader.report(diagnostic.at(entry.key.span, "a second kind"));
        }
    }
    const OTHERS: [&str; 4] = ["jwt", "hmac", "token", "bare"];
    if let Some(other) = OTHERS.iter().find_map(|name| member(name)).filter(|_| found.is_some()) {
        let headline = format!("`{}` means nothing to a credential that the gateway itself gave", other.key.name);
        reader.report(Diagnostic::error(GW208, headline).at(other.key.span, "nothing is left to say about it"));
    }
    found
}

type Locate = fn(String) -> CredentialLocation;

fn locations(reader: &mut Reader<'_>, node: &Node) -> Vec<Spanned<CredentialLocation>> {
    let mut locations = Vec::new();
    for item in reader.list(node, "`alsoIn`") {
        if item.get("in").and_then(Node::as_str) == Some("subprotocol") {
            locations.extend(subprotocol(reader, item));
            continue;
        }
        let entries = reader.known(item, "a place of a credential", &["in", "name"]);
        let member = |name: &str| entries.iter().find(|entry| &*entry.key.name == name).map(|entry| &entry.value);
        let (Some(place), Some(name)) = (member("in"), member("name")) else {
            if !Reader::has_unknown(item, &["in", "name"]) && item.as_mapping().is_some() {
                reader.wrong(item, "a place of a credential", "expected `{in: header, name: …}`");
            }
            continue;
        };
        let kinds: [(&str, Locate); 5] = [
            ("header", CredentialLocation::Header),
            ("query", CredentialLocation::Query),
            ("cookie", CredentialLocation::Cookie),
            ("form", CredentialLocation::Form),
            ("subprotocol", CredentialLocation::Subprotocol),
        ];
        if let (Some(kind), Some(name)) = (reader.choice(place, "`in`", &kinds), reader.text(name, "`name`")) {
            locations.push(Spanned::new(item.span, kind(name.to_owned())));
        }
    }
    locations
}

/// `{in: subprotocol, prefix: "bearer."}`: browsers let a script set no other field of an opening handshake.
fn subprotocol(reader: &mut Reader<'_>, item: &Node) -> Option<Spanned<CredentialLocation>> {
    const KNOWN: &[&str] = &["in", "prefix"];
    reader.known(item, "a place of a credential", KNOWN);
    let Some(prefix) = item.get("prefix") else {
        if !Reader::has_unknown(item, KNOWN) {
            reader.wrong(item, "a place of a credential", "expected `{in: subprotocol, prefix: \"bearer.\"}`");
        }
        return None;
    };
    let text = reader.text(prefix, "`prefix`")?;
    if !is_token(text.as_bytes()) {
        reader.wrong(
            prefix,
            "`prefix`",
            "expected one character or more that a subprotocol can have, such as `bearer.`",
        );
        return None;
    }
    Some(Spanned::new(item.span, CredentialLocation::Subprotocol(text.to_owned())))
}

fn realm(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let text = reader.text(node, "`realm`")?;
    let plain = text.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\');
    if !plain {
        reader.wrong(node, "`realm`", "only visible ASCII, without quotes and backslashes");
    }
    plain.then(|| text.to_owned())
}

/// The members of `jwt`.
const JWT_MEMBERS: &[&str] =
    &["verify", "issuers", "audiences", "clientIds", "scopeClaims", "requiredClaims", "leeway", "identify", "keyClaim"];

fn jwt(reader: &mut Reader<'_>, node: &Node) -> Option<JwtPolicy> {
    let mut required_claims = vec!["exp".to_owned()];
    let (mut issuers, mut audiences, mut leeway) = (Vec::new(), Vec::new(), Duration::ZERO);
    let (mut client_ids, mut own_scope_claims, mut of_issuer) = (Vec::new(), None, Vec::new());
    let mut verified = None;
    let mut identified = None;
    let mut key_claim = None;
    for Entry { key, value } in reader.known(node, "`jwt`", JWT_MEMBERS) {
        match &*key.name {
            "verify" => verified = Some(verify(reader, value)),
            "issuers" => issuers = one_or_more(reader, value, "`issuers`"),
            "audiences" => audiences = one_or_more(reader, value, "`audiences`"),
            "clientIds" => {
                client_ids = one_or_more(reader, value, "`clientIds`");
                of_issuer.push((key.span, "`clientIds`"));
            }
            "scopeClaims" => {
                own_scope_claims = Some(scope_claims(reader, value));
                of_issuer.push((key.span, "`scopeClaims`"));
            }
            "requiredClaims" => required_claims = reader.texts(value, "`requiredClaims`"),
            "leeway" => leeway = reader.unit(value, "`leeway`", units::duration).unwrap_or_default(),
            "identify" => identified = Some(reader.choice(value, "`identify`", &[("consumer", key.span)])?),
            _ => key_claim = Some((key.span, claim(reader, value)?)),
        }
    }
    let signer = match (verified, identified, key_claim) {
        (Some(verification), None, None) => JwtSigner::Issuer(verification?),
        (None, Some(_), claim) => {
            JwtSigner::Consumer { key_claim: claim.map_or_else(|| DEFAULT_KEY_CLAIM.to_owned(), |(_, claim)| claim) }
        }
        (Some(_), Some(at), _) => {
            reader.report(
                Diagnostic::error(GW208, "tokens are signed either by one issuer or by consumers")
                    .at(at, "`verify` stands beside it")
                    .help("keep `verify` for one key, or `identify: consumer` for the keys in consumers.yaml"),
            );
            return None;
        }
        (_, None, Some((at, _))) => {
            reader.report(
                Diagnostic::error(GW208, "`keyClaim` is about tokens of consumers")
                    .at(at, "without `identify: consumer`")
                    .help("write `identify: consumer` beside it"),
            );
            return None;
        }
        (None, None, None) if Reader::has_unknown(node, JWT_MEMBERS) || node.as_mapping().is_none() => return None,
        (None, None, None) => {
            reader.report(
                Diagnostic::error(GW208, "nothing says how tokens of this scheme are checked")
                    .at(node.span, "`verify` is missing")
                    .help("write `verify: {algorithms: [RS256], publicKey: {file: keys/issuer.pem}}`, or `identify: consumer`"),
            );
            return None;
        }
    };
    for (at, name) in of_issuer.iter().filter(|_| matches!(signer, JwtSigner::Consumer { .. })) {
        reader.report(
            Diagnostic::error(GW208, format!("{name} is about tokens of an issuer"))
                .at(*at, "whose token it is and what that consumer may do stands in consumers.yaml"),
        );
    }
    let scope_claims = own_scope_claims.unwrap_or_else(usual_scope_claims);
    Some(JwtPolicy { signer, required_claims, issuers, audiences, client_ids, scope_claims, leeway })
}

/// `jwt` of a scheme whose provider says where its keys are and who it is.
fn discovered_jwt(reader: &mut Reader<'_>, url: &str, node: &Node) -> JwtPolicy {
    let mut policy = JwtPolicy::discovered(url);
    let mut algorithms = None;
    let foreign = |reader: &mut Reader<'_>, entry: &Entry, what: &str| {
        reader.report(
            Diagnostic::error(GW208, format!("`{}` does not go with `openIdConnectUrl`", entry.key.name))
                .at(entry.key.span, format!("{what} from the discovery document"))
                .help("leave it out, or write `type: http` and `scheme: bearer`"),
        );
    };

    for entry in reader.known(node, "`jwt`", JWT_MEMBERS) {
        let value = &entry.value;
        match &*entry.key.name {
            "verify" => {
                const KNOWN: [&str; 5] = ["algorithms", "secret", "publicKey", "jwks", "weakSecretOk"];
                for entry in reader.known(value, "`verify`", &KNOWN) {
                    match &*entry.key.name {
                        "algorithms" => {
                            let at = entry.value.span;
                            let read = read_algorithms(reader, &entry.value);
                            algorithms = read.filter(|algorithms| is_one_family(reader, at, algorithms));
                            let first = algorithms.as_ref().and_then(|algorithms| algorithms.first());
                            if let Some(first) = first.filter(|first| first.family() == KeyFamily::Secret) {
                                let headline = format!("`{}` needs `secret`", first.name());
                                let diagnostic = Diagnostic::error(GW208, headline);
                                reader.report(diagnostic.at(at, "a provider publishes no keys for this algorithm"));
                            }
                        }
                        _ => foreign(reader, entry, "the keys come"),
                    }
                }
            }
            "audiences" => policy.audiences = one_or_more(reader, value, "`audiences`"),
            "clientIds" => policy.client_ids = one_or_more(reader, value, "`clientIds`"),
            "scopeClaims" => policy.scope_claims = scope_claims(reader, value),
            "requiredClaims" => policy.required_claims = reader.texts(value, "`requiredClaims`"),
            "leeway" => policy.leeway = reader.unit(value, "`leeway`", units::duration).unwrap_or_default(),
            "issuers" => foreign(reader, entry, "the issuer comes"),
            _ => foreign(reader, entry, "the tokens name no consumer, and the keys come"),
        }
    }
    if let (Some(algorithms), JwtSigner::Issuer(verification)) = (algorithms, &mut policy.signer) {
        verification.algorithms = algorithms;
    }
    policy
}

/// Says so if not.
fn is_one_family(reader: &mut Reader<'_>, at: Span, algorithms: &[JwtAlgorithm]) -> bool {
    let Some(other) = algorithms.iter().find(|algorithm| algorithm.family() != algorithms[0].family()) else {
        return true;
    };
    reader.report(
        Diagnostic::error(
            GW208,
            format!("`{}` and `{}` need different kinds of key", algorithms[0].name(), other.name()),
        )
        .at(at, "algorithms of one scheme must be of one family")
        .help("write one scheme for each, and list both under `security`"),
    );
    false
}

fn verify(reader: &mut Reader<'_>, node: &Node) -> Option<Verification> {
    const KNOWN: [&str; 5] = ["algorithms", "secret", "publicKey", "jwks", "weakSecretOk"];
    let mut algorithms = None;
    let mut keys: Vec<(Span, Option<JwtKey>)> = Vec::new();
    let mut weak_secret_ok = None;
    for Entry { key, value } in reader.known(node, "`verify`", &KNOWN) {
        match &*key.name {
            "algorithms" => algorithms = Some((value.span, read_algorithms(reader, value))),
            "weakSecretOk" => weak_secret_ok = Some((key.span, reader.boolean(value, "`weakSecretOk`"))),
            "jwks" if value.get("url").is_some() => keys.push((key.span, provider::key_set(reader, value))),
            name => {
                let kind = match name {
                    "secret" => JwtKey::Secret,
                    "publicKey" => JwtKey::PublicKey,
                    _ => JwtKey::Jwks,
                };
                keys.push((key.span, secret(reader, name, value).map(kind)));
            }
        }
    }
    let unknown = Reader::has_unknown(node, &KNOWN) || node.as_mapping().is_none();
    let Some((at, algorithms)) = algorithms else {
        if unknown {
            return None;
        }
        reader.report(
            Diagnostic::error(GW208, "no algorithm is pinned, so a token could choose how it is checked")
                .at(node.span, "`algorithms` is missing")
                .help("write `algorithms: [HS256]`, or what the issuer uses"),
        );
        return None;
    };
    let [(key_at, key)] = keys.as_slice() else {
        if unknown && keys.is_empty() {
            return None;
        }
        reader.report(
            Diagnostic::error(GW208, "tokens are checked with exactly one of `secret`, `publicKey` and `jwks`")
                .at(node.span, format!("has {} of them", keys.len())),
        );
        return None;
    };
    let (key, algorithms) = (key.clone()?, algorithms?);
    let family = algorithms.first()?.family();
    if !is_one_family(reader, at, &algorithms) {
        return None;
    }
    let fits = matches!(key, JwtKey::Secret(_)) == (family == KeyFamily::Secret);
    if !fits {
        let needs = if family == KeyFamily::Secret { "`secret`" } else { "`publicKey` or `jwks`" };
        reader.report(
            Diagnostic::error(GW208, format!("`{}` needs {needs}", algorithms[0].name()))
                .at(*key_at, "not a key for this algorithm")
                .also(at, "the algorithms"),
        );
        return None;
    }
    if let Some((at, _)) = weak_secret_ok
        && family != KeyFamily::Secret
    {
        reader.report(
            Diagnostic::error(GW208, "`weakSecretOk` is about a shared secret, and there is none")
                .at(at, "only `secret` can be too short")
                .help("remove it"),
        );
    }
    let weak_secret_ok = weak_secret_ok.and_then(|(_, value)| value).unwrap_or_default();
    Some(Verification { algorithms, key, weak_secret_ok })
}

fn read_algorithms(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<JwtAlgorithm>> {
    let mut algorithms = Vec::new();
    let items = reader.words(node, "`algorithms`");
    for item in items {
        let text = item.as_str().unwrap_or_default();
        match JwtAlgorithm::ALL.iter().find(|algorithm| algorithm.name() == text) {
            Some(algorithm) if algorithms.contains(algorithm) => {}
            Some(algorithm) => algorithms.push(*algorithm),
            None if text.eq_ignore_ascii_case("none") => reader.report(
                Diagnostic::error(GW208, "tokens without a signature are never accepted")
                    .at(item.span, "anyone could write such a token"),
            ),
            None => {
                let names: Vec<_> = JwtAlgorithm::ALL.iter().map(|algorithm| algorithm.name()).collect();
                reader.report(
                    Diagnostic::error(GW208, format!("`{text}` is not a supported algorithm"))
                        .at(item.span, "not known here")
                        .help(format!("it can be {}", names.join(", "))),
                );
            }
        }
    }
    if items.is_empty() && node.as_sequence().is_some() {
        reader.report(
            Diagnostic::error(GW208, "no algorithm is accepted, so no token would be").at(node.span, "an empty list"),
        );
    }
    (!algorithms.is_empty()).then_some(algorithms)
}
