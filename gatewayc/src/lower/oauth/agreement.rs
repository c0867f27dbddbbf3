//! Flows, grants, endpoints and the issuer: each says something about the others, and must say the same.

use std::collections::{BTreeMap, BTreeSet};

use gateway_yaml::{Span, Spanned};
use openapiv3::OAuth2Flows;

use crate::ast;
use crate::diagnostic::{Diagnostic, Diagnostics, GW214, GW320, GW322, GW323, GW324, GW325};
use crate::ir::{ClientPath, Endpoint, Grant, Origin, Resource, Scope};
use crate::lower::located::{Located, Registration};
use crate::lower::{base_path, https};
use crate::vocabulary::{AuthorizationServerPolicy, is_scope};

/// Where clients look for the metadata of an issuer (RFC 8414 §3), before the issuer's path.
const WELL_KNOWN: &str = "/.well-known/oauth-authorization-server";

/// A scheme of own tokens, with its flows.
pub(super) struct OwnScheme<'a> {
    pub(super) definition: &'a ast::SecurityScheme,
    pub(super) flows: &'a OAuth2Flows,
}

/// Where an endpoint is, of the paths that flows name or else of all: rather one below the issuer.
pub(super) fn path_of(
    endpoint: Endpoint,
    endpoints: &[Located],
    named: &BTreeSet<(Endpoint, String)>,
    issuer_path: &str,
) -> Option<String> {
    let named = named.iter().filter(|(known, _)| *known == endpoint).map(|(_, path)| path);
    let all = endpoints.iter().filter(|located| located.endpoint == endpoint).map(|located| &located.path);
    let is_below = |path: &&String| path.strip_prefix(issuer_path).is_some_and(|rest| rest.starts_with('/'));
    let mut found = named.clone().filter(is_below).chain(named).chain(all.clone().filter(is_below)).chain(all);
    found.next().cloned()
}

/// Of several paths, each with what stands for it: rather one below the issuer, and of these the first.
pub(super) fn first_below<'p, T: Ord>(paths: impl Iterator<Item = (&'p str, T)>, issuer_path: &str) -> Option<T> {
    let is_below = |path: &str| path.strip_prefix(issuer_path).is_some_and(|rest| rest.starts_with('/'));
    paths.map(|(path, meant)| (!is_below(path), meant)).min().map(|(_, meant)| meant)
}

/// Origin and path.
pub(super) fn split_issuer(issuer: &str) -> (&str, &str) {
    let authority = "https://".len();
    issuer.split_at(issuer[authority..].find('/').map_or(issuer.len(), |at| authority + at))
}

/// Its origin is one that the document is served at.
pub(super) fn check_issuer(policy: &AuthorizationServerPolicy, origins: &[Origin], diagnostics: &mut Diagnostics) {
    let Some(issuer) = &policy.issuer else { return };
    let is_served = https::origin(issuer).is_ok_and(|(host, port)| origins.contains(&Origin { host, port }));
    if !is_served && !origins.is_empty() {
        let names: Vec<String> = origins.iter().map(ToString::to_string).collect();
        diagnostics.push(
            Diagnostic::error(GW320, format!("the issuer `{}` is not where the document is served", issuer.value))
                .at(issuer.span, "clients would ask another server")
                .help(format!("`servers` has {}", names.join(", "))),
        );
    }
}

/// The resources, and which of them the document itself describes: those at an origin of its own.
pub(super) fn resources(policy: &AuthorizationServerPolicy, origins: &[Origin]) -> Vec<Resource> {
    let of_issuer = policy.issuer.as_ref().and_then(|issuer| https::origin(issuer).ok());
    let is_own = |(host, port): (String, u16)| {
        of_issuer.as_ref() == Some(&(host.clone(), port)) || origins.contains(&Origin { host, port })
    };
    let resource = |uri: &String| Resource {
        uri: uri.clone(),
        is_here: uri.starts_with("https://") && https::origin(uri).is_ok_and(is_own),
    };
    policy.resources.iter().map(|found| resource(&found.value)).collect()
}

/// A flow of a scheme.
struct Flow<'a> {
    grant: Grant,
    at: Span,
    /// Its URLs by their members.
    urls: Vec<(&'static str, &'a str)>,
    /// With their descriptions.
    scopes: Vec<(&'a str, &'a str)>,
}

impl<'a> OwnScheme<'a> {
    fn flows(&self) -> Vec<Flow<'a>> {
        let OAuth2Flows { implicit, password, client_credentials, authorization_code, .. } = self.flows;
        let mut flows = Vec::new();
        let mut add = |grant: Grant, urls: [(&'static str, Option<&'a String>); 3], scopes: Vec<(&'a str, &'a str)>| {
            let urls = urls.into_iter().filter_map(|(member, url)| Some((member, url?.as_str())));
            let at = self.place(grant.flow().unwrap_or_default(), None);
            flows.push(Flow { grant, at, urls: urls.collect(), scopes });
        };
        const AUTHORIZATION: &str = "authorizationUrl";
        const TOKEN: &str = "tokenUrl";
        const REFRESH: &str = "refreshUrl";
        if let Some(flow) = authorization_code {
            let urls = [
                (AUTHORIZATION, Some(&flow.authorization_url)),
                (TOKEN, Some(&flow.token_url)),
                (REFRESH, flow.refresh_url.as_ref()),
            ];
            add(Grant::AuthorizationCode, urls, described(&flow.scopes));
        }
        if let Some(flow) = implicit {
            let urls =
                [(AUTHORIZATION, Some(&flow.authorization_url)), (TOKEN, None), (REFRESH, flow.refresh_url.as_ref())];
            add(Grant::Implicit, urls, described(&flow.scopes));
        }
        if let Some(flow) = password {
            let urls = [(AUTHORIZATION, None), (TOKEN, Some(&flow.token_url)), (REFRESH, flow.refresh_url.as_ref())];
            add(Grant::Password, urls, described(&flow.scopes));
        }
        if let Some(flow) = client_credentials {
            let urls = [(AUTHORIZATION, None), (TOKEN, Some(&flow.token_url)), (REFRESH, flow.refresh_url.as_ref())];
            add(Grant::ClientCredentials, urls, described(&flow.scopes));
        }
        flows
    }

    /// Where a flow or a member of it is; the scheme's name where that is behind a `$ref`.
    fn place(&self, flow: &str, member: Option<&str>) -> Span {
        let found = || {
            let entry = self.definition.node.get("flows")?.as_mapping()?.entry(flow)?;
            match member {
                Some(member) => Some(entry.value.get(member)?.span),
                None => Some(entry.key.span),
            }
        };
        found().unwrap_or(self.definition.name.span)
    }
}

fn described<'a>(scopes: impl IntoIterator<Item = (&'a String, &'a String)>) -> Vec<(&'a str, &'a str)> {
    scopes.into_iter().map(|(name, description)| (name.as_str(), description.as_str())).collect()
}

/// Flows are for people who read the document, grants for the server: each needs the other.
pub(super) fn check_grants(
    policy: &AuthorizationServerPolicy,
    schemes: &[OwnScheme<'_>],
    diagnostics: &mut Diagnostics,
) {
    let Some(first) = schemes.first() else {
        diagnostics.push(
            Diagnostic::error(GW322, "nothing can be done with the tokens of the authorization server")
                .at(policy.at, "no scheme is its own")
                .help(
                    "write `{type: oauth2, flows: …, x-gateway: {authorizationServer: self}}` under `securitySchemes`",
                ),
        );
        return;
    };
    for flow in schemes.iter().flat_map(OwnScheme::flows).filter(|flow| !policy.offers(flow.grant)) {
        let (name, grant) = (flow.grant.flow().unwrap_or_default(), flow.grant.name());
        let diagnostic = Diagnostic::error(GW322, format!("the flow `{name}` needs the grant `{grant}`"))
            .at(flow.at, "described, but not offered")
            .also(policy.at, "the authorization server");
        diagnostics.push(match flow.grant {
            Grant::Implicit | Grant::Password => diagnostic.help("remove it: new clients do not need it"),
            _ => diagnostic.help(format!("write `{grant}: {{}}` under `grants`, or remove the flow")),
        });
    }
    let device = |scheme: &&OwnScheme<'_>| {
        scheme.definition.node.get("flows").and_then(|it| it.get("deviceAuthorization")).is_some()
    };
    for scheme in schemes.iter().filter(device) {
        diagnostics.push(
            Diagnostic::error(GW322, "the authorization server has no grant for the flow `deviceAuthorization`")
                .at(scheme.place("deviceAuthorization", None), "described, but not offered")
                .help("remove the flow"),
        );
    }
    let has_flow = |grant: Grant| schemes.iter().flat_map(OwnScheme::flows).any(|flow| flow.grant == grant);
    for grant in &policy.grants {
        let Some(flow) = grant.value.flow().filter(|_| !has_flow(grant.value)) else { continue };
        diagnostics.push(
            Diagnostic::error(GW322, format!("the grant `{}` needs the flow `{flow}`", grant.value.name()))
                .at(grant.span, "offered, but not described")
                .also(first.definition.name.span, "the scheme of its tokens")
                .help(format!("describe `{flow}` under `flows`, or remove the grant")),
        );
    }
    // RFC 6749 §4.2.2, §4.4.3 and RFC 7521 §4.1: the others give none.
    let gives_refresh_tokens = policy.offers(Grant::AuthorizationCode) || policy.offers(Grant::Password);
    if let Some(grant) = policy.grants.iter().find(|it| it.value == Grant::RefreshToken && !gives_refresh_tokens) {
        diagnostics.push(
            Diagnostic::error(GW322, "no grant gives refresh tokens")
                .at(grant.span, "nothing to refresh")
                .help("remove it, or offer `authorization_code`"),
        );
    }
}

/// Every grant has its endpoints.
pub(super) fn check_endpoints(
    policy: &AuthorizationServerPolicy,
    endpoints: &[Located],
    diagnostics: &mut Diagnostics,
) {
    for &endpoint in Endpoint::ALL {
        let admits = |located: &Located, grant: Grant| match endpoint {
            // Browsers are sent there (RFC 6749 §3.1).
            Endpoint::Authorize => located.method == "GET" && located.grants.contains(&grant),
            Endpoint::Token => located.grants.contains(&grant),
            _ => true,
        };
        let lacks = |grant: &&Spanned<Grant>| {
            let mut of_kind = endpoints.iter().filter(|located| located.endpoint == endpoint);
            grant.value.endpoints().contains(&endpoint) && !of_kind.any(|located| admits(located, grant.value))
        };
        let lacking: Vec<&Spanned<Grant>> = policy.grants.iter().filter(lacks).collect();
        let Some(first) = lacking.first() else { continue };
        let names: Vec<&str> = lacking.iter().map(|grant| grant.value.name()).collect();
        let who = if names.len() == 1 { "the grant" } else { "the grants" };
        let needs = if names.len() == 1 { "needs" } else { "need" };
        let headline = format!("{who} `{}` {needs} `{}`", names.join("`, `"), endpoint.name());
        let label = match endpoints.iter().any(|located| located.endpoint == endpoint) {
            true if endpoint == Endpoint::Authorize => "no operation with GET is that endpoint and admits it",
            true => "no operation is that endpoint and admits it",
            false => "no operation is that endpoint",
        };
        diagnostics.push(Diagnostic::error(GW324, headline).at(first.span, label).help(example(endpoint)));
    }
}

/// A line to paste.
fn example(endpoint: Endpoint) -> String {
    let (name, method) = (endpoint.name(), endpoint.methods()[0].to_ascii_lowercase());
    let path = match endpoint {
        Endpoint::LoginForm | Endpoint::LoginSubmit => "login".to_owned(),
        _ => name.replace('.', "/"),
    };
    let security = if endpoint == Endpoint::Decision { "[{session: []}]" } else { "[]" };
    format!(
        "describe a path for it, such as `/{path}: {{{method}: {{security: {security}, x-gateway: {{builtin: {name}}}}}}}`"
    )
}

/// A document that asks for a session must let users log in.
pub(super) fn check_login(session: Option<&ast::SecurityScheme>, endpoints: &[Located], diagnostics: &mut Diagnostics) {
    let Some(session) = session else { return };
    for endpoint in [Endpoint::LoginForm, Endpoint::LoginSubmit] {
        if endpoints.iter().all(|located| located.endpoint != endpoint) {
            let headline = format!("the sessions of `{}` need `{}`", session.name.value, endpoint.name());
            let diagnostic = Diagnostic::error(GW324, headline).at(session.name.span, "no user could log in");
            diagnostics.push(diagnostic.help(example(endpoint)));
        }
    }
}

/// The URLs of flows lead to the endpoints that they mean. The paths that they name are given back.
pub(super) fn check_urls(
    policy: &AuthorizationServerPolicy,
    schemes: &[OwnScheme<'_>],
    origins: &[Origin],
    endpoints: &[Located],
    document: &ast::Document,
    diagnostics: &mut Diagnostics,
) -> BTreeSet<(Endpoint, String)> {
    let issuer = policy.issuer.as_ref().and_then(|issuer| https::origin(issuer).ok());
    let issuer = issuer.map(|(host, port)| Origin { host, port });
    let origins: Vec<&Origin> = origins.iter().chain(&issuer).collect();
    let bases = base_path::base_paths(&document.servers, &mut Diagnostics::new());
    let mut named = BTreeSet::new();
    for FlowUrl { grant, member, url, at } in schemes.iter().flat_map(flow_urls) {
        let endpoint = if member == "authorizationUrl" { Endpoint::Authorize } else { Endpoint::Token };
        let of_kind = || endpoints.iter().filter(|located| located.endpoint == endpoint);
        let found = paths(url, &origins, &bases);
        let is_named = |located: &&Located| found.as_ref().is_ok_and(|paths| paths.contains(&located.path));
        let Some(located) = of_kind().find(is_named) else {
            // That the endpoint is missing has been said.
            let Some(existing) = of_kind().next() else { continue };
            let headline = format!("`{member}` does not lead to an operation with `builtin: {}`", endpoint.name());
            diagnostics.push(
                Diagnostic::error(GW323, headline)
                    .at(at, found.err().unwrap_or("no such endpoint is there"))
                    .also(existing.at, format!("is at `{}`", existing.path)),
            );
            continue;
        };
        named.insert((endpoint, located.path.clone()));
        let asked = if member == "refreshUrl" { Grant::RefreshToken } else { grant };
        if located.grants.contains(&asked) {
            continue;
        }
        // A grant that is not offered at all has been reported at its flow.
        if member != "refreshUrl" && !policy.offers(asked) {
            continue;
        }
        let headline = format!("`{member}` leads to an endpoint without the grant `{}`", asked.name());
        diagnostics.push(
            Diagnostic::error(GW322, headline)
                .at(at, format!("`{}` does not admit it", located.path))
                .also(located.at, "the endpoint"),
        );
    }
    named
}

/// A URL of a flow.
struct FlowUrl<'a> {
    grant: Grant,
    member: &'static str,
    url: &'a str,
    at: Span,
}

fn flow_urls<'a>(scheme: &OwnScheme<'a>) -> Vec<FlowUrl<'a>> {
    let of_flow = |flow: Flow<'a>| {
        let Flow { grant, urls, .. } = flow;
        let place = move |member| scheme.place(grant.flow().unwrap_or_default(), Some(member));
        urls.into_iter().map(move |(member, url)| FlowUrl { grant, member, url, at: place(member) })
    };
    scheme.flows().into_iter().flat_map(of_flow).collect()
}

/// The paths that a URL of a flow may mean, or why it leads elsewhere (RFC 3986 §5.2.2, as far as flows need it).
fn paths(url: &str, origins: &[&Origin], bases: &[String]) -> Result<Vec<String>, &'static str> {
    if url.contains(['?', '#']) {
        return Err("an endpoint is found by its path alone");
    }
    let absolute = match url.strip_prefix("//") {
        Some(_) => format!("https:{url}"),
        None => url.to_owned(),
    };
    if let Some((scheme, rest)) = absolute.split_once("://") {
        if !scheme.eq_ignore_ascii_case("https") {
            return Err("expected `https://`");
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = https::origin(&format!("https://{authority}"))?;
        if !origins.contains(&&Origin { host, port }) {
            return Err("leads to another server");
        }
        return Ok(vec![path.to_owned()]);
    }
    if url.starts_with('/') {
        return Ok(vec![url.to_owned()]);
    }
    let below = url.strip_prefix("./").unwrap_or(url);
    Ok(bases.iter().map(|base| format!("{base}/{below}")).collect())
}

/// Clients that know the issuer only look at one place (RFC 8414 §3), and the document may name it (OpenAPI 3.2).
pub(super) fn check_metadata(
    policy: &AuthorizationServerPolicy,
    schemes: &[OwnScheme<'_>],
    endpoints: &[Located],
    diagnostics: &mut Diagnostics,
) {
    let Some(issuer) = &policy.issuer else { return };
    let (origin, path) = split_issuer(issuer);
    let expected = format!("{WELL_KNOWN}{path}");
    let mut metadata = endpoints.iter().filter(|located| located.endpoint == Endpoint::Metadata).peekable();
    let first = metadata.peek().map(|located| located.at);
    let is_there = metadata.any(|located| located.path == expected);
    if let Some(at) = first
        && !is_there
    {
        diagnostics.push(
            Diagnostic::error(GW325, "clients do not find the metadata of the issuer")
                .at(at, format!("they look at `{expected}` (RFC 8414)"))
                .also(issuer.span, "the issuer"),
        );
    }
    for scheme in schemes {
        let Some(node) = scheme.definition.node.get("oauth2MetadataUrl") else { continue };
        let diagnostic = match node.as_str() {
            Some(url) if url != format!("{origin}{expected}") && url != expected => {
                Diagnostic::error(GW323, "`oauth2MetadataUrl` is not where the metadata of the issuer is")
                    .at(node.span, format!("expected `{origin}{expected}`"))
                    .also(issuer.span, "the issuer")
            }
            Some(_) if first.is_none() => Diagnostic::error(
                GW323,
                "`oauth2MetadataUrl` does not lead to an operation with `builtin: oauth.metadata`",
            )
            .at(node.span, "no such endpoint is there")
            .help(format!("describe `{expected}: {{get: {{security: [], x-gateway: {{builtin: oauth.metadata}}}}}}`")),
            Some(_) => continue,
            None => Diagnostic::error(GW323, "`oauth2MetadataUrl` is no URL")
                .at(node.span, format!("expected `{origin}{expected}`")),
        };
        diagnostics.push(diagnostic);
    }
}

/// The token that opens a registration is given by the operation that registers.
pub(super) fn check_registration(
    registrations: &[Registration],
    managed: Option<&ClientPath>,
    diagnostics: &mut Diagnostics,
) {
    let gives_tokens = registrations.iter().any(|registration| matches!(registration, Registration::Create { .. }));
    let managing = registrations.iter().find_map(|registration| match registration {
        Registration::Manage { at, .. } => Some(*at),
        Registration::Create { .. } => None,
    });
    if let Some(at) = managing
        && !gives_tokens
    {
        diagnostics.push(
            Diagnostic::error(GW325, "no client has a token for `clients.manage`")
                .at(at, "`clients.create` gives it, and no operation without path parameters is that")
                .help(
                    "describe a path for it, such as `/clients: {post: {security: [{admin: []}], x-gateway: {builtin: clients.create}}}`",
                ),
        );
    }
    let Some(managed) = managed else { return };
    let there: BTreeSet<Span> =
        registrations.iter().filter_map(|registration| managed_at(registration, |path| path == managed)).collect();
    let elsewhere: BTreeSet<Span> =
        registrations.iter().filter_map(|registration| managed_at(registration, |path| path != managed)).collect();
    if let (Some(at), Some(other)) = (elsewhere.difference(&there).next(), there.first()) {
        let ClientPath { before, after } = managed;
        diagnostics.push(
            Diagnostic::error(GW325, "`clients.manage` stands at several paths, and clients get one")
                .at(*at, format!("put it at `{before}{{client_id}}{after}` (RFC 7592 §3: `registration_client_uri`)"))
                .also(*other, "clients get this one"),
        );
    }
}

/// Where `clients.manage` stands, on a path of this kind.
fn managed_at(registration: &Registration, is_meant: impl Fn(&ClientPath) -> bool) -> Option<Span> {
    match registration {
        Registration::Manage { path, at } if is_meant(path) => Some(*at),
        _ => None,
    }
}

/// What all flows describe; of several descriptions of a scope, the first.
pub(super) fn scopes(schemes: &[OwnScheme<'_>], diagnostics: &mut Diagnostics) -> Vec<Scope> {
    let mut scopes: BTreeMap<String, String> = BTreeMap::new();
    for scheme in schemes {
        for flow in scheme.flows() {
            for (name, description) in flow.scopes {
                if !is_scope(name) {
                    diagnostics.push(
                        Diagnostic::error(GW214, format!("`{}` is not a scope", name.escape_debug()))
                            .at(flow.at, "visible ASCII without blanks, quotes and backslashes"),
                    );
                }
                let known = scopes.entry(name.to_owned()).or_default();
                if known.is_empty() {
                    *known = description.to_owned();
                }
            }
        }
    }
    scopes.into_iter().map(|(name, description)| Scope { name, description }).collect()
}
