//! Schemes whose credentials the gateway itself gave: tokens, sessions, and the key of administrators.

use gateway_terms::token::is_token;
use gateway_yaml::Spanned;

use crate::ast::{self, ApiKeyLocation, SchemeKind};
use crate::diagnostic::{Diagnostic, Diagnostics, GW303};
use crate::ir::{Credential, CredentialLocation, LoginSession, Scheme};
use crate::lower::naming::printable;
use crate::lower::scheme::problem::Problem;
use crate::vocabulary::{OwnCredential, SchemeExtension};

/// A scheme of such credentials.
pub(super) fn lower(
    definition: &ast::SecurityScheme,
    kind: &SchemeKind,
    own: OwnCredential,
    extension: SchemeExtension,
    diagnostics: &mut Diagnostics,
) -> Result<Scheme, Problem> {
    let SchemeExtension { also_in, forward, realm, .. } = extension;
    if forward == Some(true) {
        return Err(Problem::with_help(
            "what the gateway gave is for the gateway, and is never forwarded",
            "remove `forward`",
        ));
    }
    let (first, credential) = match (own, kind) {
        (OwnCredential::Token, SchemeKind::OAuth2 { .. }) => {
            (CredentialLocation::Header("Authorization".into()), Credential::OwnToken)
        }
        (OwnCredential::Token, _) => return Err(Problem::new("`authorizationServer` needs `type: oauth2`")),
        (OwnCredential::Session { redirects }, SchemeKind::ApiKey { location: ApiKeyLocation::Cookie, name }) => {
            if !is_token(name.as_bytes()) {
                return Err(Problem::new(format!("no cookie can be called `{}`", name.escape_debug())));
            }
            let session = LoginSession { cookie: name.clone(), redirects };
            (CredentialLocation::Cookie(name.clone()), Credential::Session(session))
        }
        (OwnCredential::Session { .. }, _) => {
            return Err(Problem::with_help(
                "`session` needs a cookie",
                "write `{type: apiKey, in: cookie, name: session}`",
            ));
        }
        (OwnCredential::AdminKey, SchemeKind::ApiKey { location: ApiKeyLocation::Header, name }) => {
            (CredentialLocation::Header(name.clone()), Credential::AdminKey)
        }
        (OwnCredential::AdminKey, _) => {
            let help = "write `{type: apiKey, in: header, name: X-Admin-Key}`";
            return Err(Problem::with_help(
                "an administrator's key stands in a header: URLs and cookies give it away",
                help,
            ));
        }
    };
    if own != OwnCredential::Token && !also_in.is_empty() {
        return Err(Problem::new("`alsoIn` is about tokens, and this has one place"));
    }
    let name = definition.name.value.clone();
    for place in &also_in {
        match &place.value {
            CredentialLocation::Query(_) => diagnostics.push(in_the_open(&name, "the query", place)),
            CredentialLocation::Form(_) => diagnostics.push(in_the_open(&name, "a form", place)),
            // It reaches no history, and no other page can send it.
            CredentialLocation::Subprotocol(_) => {}
            CredentialLocation::Header(_) | CredentialLocation::Cookie(_) => {
                let help = "it can be `{in: query, name: access_token}` or `{in: form, name: access_token}`";
                return Err(Problem::with_help(
                    "a token stands in `Authorization`, the query or a form (RFC 6750 §2)",
                    help,
                ));
            }
        }
    }
    Ok(Scheme {
        locations: std::iter::once(first).chain(also_in.into_iter().map(|place| place.value)).collect(),
        realm: realm.unwrap_or_else(|| printable(&name)),
        name,
        forward: false,
        credential,
        failures: None,
    })
}

/// RFC 6750 §5.3 and RFC 9700 §4.3.2.
pub(super) fn in_the_open(scheme: &str, place: &str, at: &Spanned<CredentialLocation>) -> Diagnostic {
    let why = match at.value {
        CredentialLocation::Query(_) => "RFC 9700 4.3.2: URLs stand in histories, logs and `Referer`",
        _ => "RFC 6750 2.2: any site can send a form",
    };
    Diagnostic::warning(GW303, format!("`{scheme}` takes access tokens from {place}"))
        .at(at.span, why)
        .help("remove it; clients send `Authorization: Bearer …`")
        .help("or accept it: `acceptRisk: [{lint: GW303, reason: …}]` at the scheme")
}
