//! Security schemes: those that a document defines, as far as they can be enforced.

mod hmac;
mod own_credentials;
mod place;
mod problem;
mod tokens;

use gateway_yaml::suggest;

use crate::ast::{self, ApiKeyLocation, SchemeKind};
use crate::diagnostic::{Acceptance, Diagnostic, Diagnostics, GW207};
use crate::ir::{AcceptedRisk, Credential, CredentialLocation, FailureLimit, IdentityHeaders, Scheme};
use crate::lower::naming::{places, printable};
use crate::lower::risks::accept;
use crate::vocabulary::{self, Reader, Root, SchemeExtension};
use place::{Place, authorization, check_headers};
use problem::Problem;

/// Why there is no scheme.
pub(super) enum Unusable {
    /// Which has been reported.
    Reported,
    /// Which is to be reported where an operation asks for it.
    Because(Box<Diagnostic>),
}

/// A scheme, with the number of wrong credentials that are looked at.
pub(super) fn lower(
    definition: &ast::SecurityScheme,
    root: &Root,
    risks: &mut Vec<AcceptedRisk>,
    diagnostics: &mut Diagnostics,
) -> Result<Scheme, Unusable> {
    let extension = extension(definition, risks, diagnostics);
    let kind = definition.kind.as_ref().ok_or(Unusable::Reported)?;
    if extension.broken {
        return Err(Unusable::Reported);
    }
    let scheme = of_kind(definition, kind, extension, &root.identity_headers, diagnostics);
    let scheme = scheme.map_err(|problem| Unusable::Because(problem.of(definition)))?;
    let failures = failures(definition, &scheme, root, diagnostics);
    Ok(Scheme { failures, ..scheme })
}

/// `x-gateway` of the scheme, less the risks that it accepts.
fn extension(
    definition: &ast::SecurityScheme,
    risks: &mut Vec<AcceptedRisk>,
    diagnostics: &mut Diagnostics,
) -> SchemeExtension {
    let Some(node) = &definition.gateway else { return SchemeExtension::default() };
    let discovery = match &definition.kind {
        Some(SchemeKind::OpenIdConnect { url }) => Some(url.as_str()),
        _ => None,
    };
    let mut extension = vocabulary::scheme(node, discovery, diagnostics);
    for vocabulary::AcceptedRisk { code, reason, at } in std::mem::take(&mut extension.accepted) {
        let scope = [vec![definition.name.span], places(&definition.node)].concat();
        let what = format!("scheme `{}`", definition.name.value);
        accept(diagnostics, Acceptance { code, scope, what, reason, at }, risks);
    }
    extension
}

fn of_kind(
    definition: &ast::SecurityScheme,
    kind: &SchemeKind,
    extension: SchemeExtension,
    identity: &IdentityHeaders,
    diagnostics: &mut Diagnostics,
) -> Result<Scheme, Problem> {
    if let Some(own) = extension.own {
        let scheme = own_credentials::lower(definition, kind, own, extension, diagnostics)?;
        check_headers(&scheme.locations, identity)?;
        return Ok(scheme);
    }
    if extension.also_in.iter().any(|place| matches!(place.value, CredentialLocation::Form(_))) {
        return Err(Problem::new("a form may hold tokens of the gateway's own authorization server only"));
    }
    if extension.hmac.is_some() {
        return hmac::lower(definition, kind, extension, diagnostics);
    }
    match kind {
        SchemeKind::Http { scheme, .. } if scheme.eq_ignore_ascii_case("bearer") => {
            tokens::bearer(definition, tokens::Kind::Plain, extension, identity, diagnostics)
        }
        SchemeKind::Http { scheme, .. } if scheme.eq_ignore_ascii_case("basic") => {
            basic(definition, &extension, identity)
        }
        SchemeKind::Http { scheme, .. } => Err(unknown(scheme)),
        SchemeKind::ApiKey { location, name } => {
            let first = match location {
                ApiKeyLocation::Header => CredentialLocation::Header(name.clone()),
                ApiKeyLocation::Query => CredentialLocation::Query(name.clone()),
                ApiKeyLocation::Cookie => CredentialLocation::Cookie(name.clone()),
            };
            match extension.jwt {
                Some(_) => tokens::in_own_place(definition, first, extension, identity),
                None => api_key(definition, first, &extension, identity),
            }
        }
        SchemeKind::OAuth2 { .. } => tokens::bearer(definition, tokens::Kind::OAuth2, extension, identity, diagnostics),
        SchemeKind::OpenIdConnect { url } => tokens::open_id(definition, url, extension, identity, diagnostics),
        SchemeKind::MutualTls => mutual_tls(definition, extension),
    }
}

fn api_key(
    definition: &ast::SecurityScheme,
    first: CredentialLocation,
    extension: &SchemeExtension,
    identity: &IdentityHeaders,
) -> Result<Scheme, Problem> {
    let place = Place::of(definition, first, extension, identity)?;
    if extension.bare.is_some() || extension.under_token {
        return Err(Problem::new("`bare` and `token` are about tokens, and it takes an API key"));
    }
    Ok(place.with(Credential::ApiKey))
}

fn basic(
    definition: &ast::SecurityScheme,
    extension: &SchemeExtension,
    identity: &IdentityHeaders,
) -> Result<Scheme, Problem> {
    let place = Place::of(definition, authorization(), extension, identity)?;
    if extension.jwt.is_some() || extension.bare.is_some() || extension.under_token {
        return Err(Problem::new("`jwt`, `bare` and `token` are about tokens, and it takes a password"));
    }
    if place.is_one_of_several() {
        return Err(Problem::new("a password stands in `Authorization` only, and it has `alsoIn`"));
    }
    Ok(place.with(Credential::Basic))
}

fn mutual_tls(definition: &ast::SecurityScheme, extension: SchemeExtension) -> Result<Scheme, Problem> {
    let SchemeExtension { also_in, forward, bare, jwt, introspection, under_token, realm, .. } = extension;
    let plain = also_in.is_empty()
        && forward.is_none()
        && bare.is_none()
        && jwt.is_none()
        && introspection.is_none()
        && !under_token;
    if !plain {
        return Err(Problem::new("a certificate stands in the handshake, and takes no more than `realm`"));
    }
    let name = definition.name.value.clone();
    let realm = realm.unwrap_or_else(|| printable(&name));
    let credential = Credential::Certificate;
    Ok(Scheme { name, locations: Vec::new(), realm, forward: true, credential, failures: None })
}

/// An HTTP authentication scheme that there is not.
fn unknown(scheme: &str) -> Problem {
    let help = meant_by(scheme).unwrap_or("if its requests are signed, write `x-gateway: {hmac: {profile: rfc9421}}`");
    Problem::with_help(format!("HTTP authentication `{scheme}` is not supported by this version"), help)
}

/// How many wrong credentials are checked: what the scheme says, or the root, or what is usual.
fn failures(
    definition: &ast::SecurityScheme,
    scheme: &Scheme,
    root: &Root,
    diagnostics: &mut Diagnostics,
) -> Option<FailureLimit> {
    let own = definition.gateway.as_ref().and_then(|node| node.get("failedAuthentication"));
    if matches!(scheme.credential, Credential::Certificate) {
        if let Some(node) = own {
            diagnostics.push(
                Diagnostic::error(GW207, format!("`failedAuthentication` of `{}` never counts", scheme.name))
                    .at(node.span, "a certificate cannot be guessed"),
            );
        }
        return None;
    }
    match (own, &root.failed_authentication) {
        (Some(node), _) => vocabulary::failed_authentication(&mut Reader::new(diagnostics), node),
        (None, Some(of_root)) => of_root.clone(),
        (None, None) => matches!(scheme.credential, Credential::Basic).then(FailureLimit::of_passwords),
    }
}

/// What an author means by the name of an HTTP authentication scheme that there is not.
fn meant_by(scheme: &str) -> Option<&'static str> {
    const TOKENS: &[&str] = &[
        "jwt",
        "token",
        "oauth",
        "oauth2",
        "accesstoken",
        "bearertoken",
        "bearerauth",
        "bearerjwt",
        "jwtbearer",
        "jwtauth",
        "authtoken",
        "openid",
        "oidc",
        "openidconnect",
    ];
    const KEYS: &[&str] = &["apikey", "key", "apitoken", "xapikey"];
    const PASSWORDS: &[&str] = &["basicauth", "password", "userpassword", "basicauthentication"];
    let word: String = scheme.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    if TOKENS.contains(&&*word) || suggest(scheme, ["bearer"]).is_some() {
        Some("tokens in `Authorization: Bearer …` are `scheme: bearer`; `bearerFormat: JWT` says what they are")
    } else if KEYS.contains(&&*word) {
        Some("a key in a header is `type: apiKey`, `in: header` and `name: X-API-Key`")
    } else if PASSWORDS.contains(&&*word) || suggest(scheme, ["basic"]).is_some() {
        Some("a user name and a password are `scheme: basic`")
    } else {
        None
    }
}
