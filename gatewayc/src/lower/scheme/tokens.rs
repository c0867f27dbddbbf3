//! Schemes whose credentials are the tokens of others.

use crate::ast;
use crate::diagnostic::Diagnostics;
use crate::ir::{ConsumerJwt, Credential, CredentialLocation, IdentityHeaders, Introspection, Jwt, Scheme};
use crate::lower::scheme::own_credentials;
use crate::lower::scheme::place::{Place, authorization};
use crate::lower::scheme::problem::Problem;
use crate::vocabulary::{self, JwtPolicy, JwtSigner, SchemeExtension, UrlProblem, Verification};

/// `http` with `bearer`, or `oauth2`.
pub(super) fn bearer(
    definition: &ast::SecurityScheme,
    kind: Kind,
    extension: SchemeExtension,
    identity: &IdentityHeaders,
    diagnostics: &mut Diagnostics,
) -> Result<Scheme, Problem> {
    warn_of_queries(definition, &extension, diagnostics);
    let place = Place::of(definition, authorization(), &extension, identity)?;
    let bare = extension.bare.unwrap_or(false);
    match extension.introspection {
        Some(introspection) => Ok(introspected(place, bare, introspection)),
        None => signed(place, bare, extension, kind),
    }
}

/// `openIdConnect`: the provider's keys are where `url` leads to, unless `x-gateway` has others.
pub(super) fn open_id(
    definition: &ast::SecurityScheme,
    url: &str,
    mut extension: SchemeExtension,
    identity: &IdentityHeaders,
    diagnostics: &mut Diagnostics,
) -> Result<Scheme, Problem> {
    match vocabulary::check_discovery_url(url) {
        Ok(()) => {}
        Err(UrlProblem::Bad(problem)) => return Err(Problem::new(problem)),
        Err(UrlProblem::InTheClear) => {
            let at = definition.node.get("openIdConnectUrl").map_or(definition.name.span, |url| url.span);
            return Err(Problem::Other(Box::new(vocabulary::in_the_clear(at))));
        }
    }
    warn_of_queries(definition, &extension, diagnostics);
    let place = Place::of(definition, authorization(), &extension, identity)?;
    check_no_introspection(&extension)?;
    if !extension.under_token {
        extension.jwt.get_or_insert_with(|| JwtPolicy::discovered(url));
    }
    let bare = extension.bare.unwrap_or(false);
    signed(place, bare, extension, Kind::Plain)
}

/// `apiKey` with `jwt`: tokens in a place of their own.
pub(super) fn in_own_place(
    definition: &ast::SecurityScheme,
    first: CredentialLocation,
    extension: SchemeExtension,
    identity: &IdentityHeaders,
) -> Result<Scheme, Problem> {
    let is_header = matches!(first, CredentialLocation::Header(_));
    let place = Place::of(definition, first, &extension, identity)?;
    check_no_introspection(&extension)?;
    let bare = extension.bare.unwrap_or(is_header);
    signed(place, bare, extension, Kind::Plain)
}

fn warn_of_queries(definition: &ast::SecurityScheme, extension: &SchemeExtension, diagnostics: &mut Diagnostics) {
    for place in &extension.also_in {
        if matches!(place.value, CredentialLocation::Query(_)) {
            diagnostics.push(own_credentials::in_the_open(&definition.name.value, "the query", place));
        }
    }
}

fn check_no_introspection(extension: &SchemeExtension) -> Result<(), Problem> {
    match extension.introspection {
        Some(_) => Err(Problem::new("`introspection` is for `oauth2` and for `http` with `bearer`")),
        None => Ok(()),
    }
}

fn introspected(place: Place, bare: bool, introspection: Introspection) -> Scheme {
    place.with(Credential::Introspection(Box::new(Introspection { bare, ..introspection })))
}

/// What `jwt` stands under.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `token`.
    OAuth2,
    /// `x-gateway` itself.
    Plain,
}

/// Tokens with a signature that the gateway can check.
fn signed(place: Place, bare: bool, extension: SchemeExtension, kind: Kind) -> Result<Scheme, Problem> {
    let Some(jwt) = extension.jwt else {
        let help = match kind {
            Kind::OAuth2 => {
                "write `x-gateway: {token: {jwt: {verify: {algorithms: [HS256], secret: {env: JWT_SECRET}}}}}`"
            }
            Kind::Plain => "write `x-gateway: {jwt: {verify: {algorithms: [HS256], secret: {env: JWT_SECRET}}}}`",
        };
        return Err(Problem::with_help("nothing says how its tokens are checked", help));
    };
    match (kind, extension.under_token) {
        (Kind::OAuth2, true) | (Kind::Plain, false) => {}
        (Kind::OAuth2, false) => return Err(Problem::new("its type takes `token: {jwt: …}`, not `jwt: …`")),
        (Kind::Plain, true) => return Err(Problem::new("its type takes `jwt: …`, not `token: {jwt: …}`")),
    }
    let JwtPolicy { signer, required_claims, issuers, audiences, client_ids, scope_claims, leeway } = jwt;
    Ok(place.with(match signer {
        JwtSigner::Consumer { .. } if kind == Kind::OAuth2 => {
            return Err(Problem::new("tokens of an OAuth 2 server are not signed by consumers"));
        }
        JwtSigner::Consumer { key_claim } => {
            let jwt = ConsumerJwt { bare, key_claim, required_claims, issuers, audiences, leeway };
            Credential::ConsumerJwt(Box::new(jwt))
        }
        JwtSigner::Issuer(Verification { algorithms, key, weak_secret_ok }) => {
            let jwt = Jwt {
                bare,
                algorithms,
                key,
                required_claims,
                issuers,
                audiences,
                client_ids,
                scope_claims,
                leeway,
                weak_secret_ok,
            };
            Credential::Jwt(Box::new(jwt))
        }
    }))
}
