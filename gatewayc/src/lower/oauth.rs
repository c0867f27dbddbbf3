//! The authorization server: what its document describes three times (flows, grants and endpoints) must agree.

use std::collections::{BTreeMap, BTreeSet};

use gateway_route::Template;
use gateway_yaml::{Span, Spanned};
use openapiv3::OAuth2Flows;

use super::{Lowering, base_path, https, title};
use crate::ast::{self, SchemeKind};
use crate::diagnostic::*;
use crate::ir::{
    Access, AuthorizationServer, Builtin, Credential, Endpoint, Grant, Origin, RegistryAction, Requirement, Route,
    Scope,
};
use crate::vocabulary::{AuthorizationServerPolicy, BuiltinPolicy, is_scope};

/// Where clients look for the metadata of an issuer (RFC 8414 §3), before the issuer's path.
const WELL_KNOWN: &str = "/.well-known/oauth-authorization-server";

/// An operation that is an endpoint, on one of its paths.
pub(super) struct Located {
    endpoint: Endpoint,
    method: String,
    path: String,
    at: Span,
}

/// A scheme of own tokens, with its flows.
struct OwnScheme<'a> {
    definition: &'a ast::SecurityScheme,
    flows: &'a OAuth2Flows,
}

impl<'a> Lowering<'a> {
    /// Whether an operation can be what its `builtin` says; that of one path is decided by [`builtin`](Self::builtin).
    pub(super) fn check_endpoint(
        &mut self,
        builtin: &Spanned<BuiltinPolicy>,
        access: &Access,
        path: &ast::PathItem,
        operation: &ast::Operation,
    ) {
        let title = title(path, operation);
        let (name, code, methods): (_, _, &[&str]) = match &builtin.value {
            BuiltinPolicy::JwtSign { .. } => return,
            BuiltinPolicy::Oauth { endpoint, .. } => (endpoint.name(), GW325, endpoint.methods()),
            BuiltinPolicy::Registry(action) => (action.name(), GW325, &[action.method()]),
            BuiltinPolicy::Static { .. } => ("static", GW527, &["GET", "HEAD"]),
        };
        if !methods.contains(&operation.method.as_str()) {
            self.diagnostics.push(
                Diagnostic::error(code, format!("{title} is `{name}`, which has no {}", operation.method))
                    .at(operation.span, format!("expected {}", methods.join(" or "))),
            );
        }
        let problem = match &builtin.value {
            BuiltinPolicy::Oauth { endpoint, .. } => self.endpoint_problem(*endpoint, access),
            BuiltinPolicy::Registry(_) if is_open(access) => Some((
                "anyone could register clients or users",
                "ask for a credential in `security`, such as a scheme with `credential: admin`",
            )),
            _ => None,
        };
        if let Some((problem, help)) = problem {
            let headline = format!("{title} is `{name}`, and {problem}");
            self.diagnostics
                .push(Diagnostic::error(GW325, headline).at(builtin.span, "not with its security").help(help));
        }
    }

    /// Why an endpoint cannot work with that security.
    fn endpoint_problem(&self, endpoint: Endpoint, access: &Access) -> Option<(&'static str, &'static str)> {
        let is_token =
            |requirement: &Requirement| matches!(self.schemes.credential(requirement), Some(Credential::OwnToken));
        let is_session =
            |requirement: &Requirement| matches!(self.schemes.credential(requirement), Some(Credential::Session(_)));
        let always = |is: &dyn Fn(&Requirement) -> bool| match access {
            Access::Anyone { .. } => false,
            Access::OneOf(alternatives) => alternatives.iter().all(|all| all.iter().any(is)),
        };
        match endpoint {
            Endpoint::Decision | Endpoint::Logout | Endpoint::Account => (!always(&is_session)).then_some((
                "nobody knows which user it is about",
                "ask for a scheme with `session: login` in `security`",
            )),
            Endpoint::Me => (!always(&is_token)).then_some((
                "nobody knows whose token it is about",
                "ask for a scheme with `authorizationServer: self` in `security`",
            )),
            Endpoint::Authorize | Endpoint::Token | Endpoint::Metadata | Endpoint::Jwks if always(&is_token) => {
                Some(("who has no token cannot get one", "write `security: []`"))
            }
            Endpoint::LoginForm | Endpoint::LoginSubmit if always(&is_token) || always(&is_session) => {
                Some(("who has not logged in cannot log in", "write `security: []`"))
            }
            _ => None,
        }
    }

    /// What answers under one path; nothing where that is not clear, which has been reported.
    pub(super) fn builtin(&mut self, builtin: &Spanned<BuiltinPolicy>, method: &str, route: &Route) -> Option<Builtin> {
        let template = &route.template;
        match &builtin.value {
            BuiltinPolicy::JwtSign { key_claim } => Some(Builtin::JwtSign { key_claim: key_claim.clone() }),
            BuiltinPolicy::Static { source, is_folder } => {
                self.shelf.files(source, *is_folder, template, self.diagnostics).map(Builtin::Static)
            }
            BuiltinPolicy::Registry(action) => {
                self.expect_server(action.name(), builtin.span)?;
                let parameter = self.client_parameter(*action, template, builtin.span)?;
                Some(Builtin::Registry { action: *action, parameter })
            }
            BuiltinPolicy::Oauth { endpoint, grants } => {
                let endpoint = *endpoint;
                self.expect_server(endpoint.name(), builtin.span)?;
                if template.names().next().is_some() || !route.when.is_empty() {
                    let headline = format!("the path of `{}` is no plain path", endpoint.name());
                    self.diagnostics.push(
                        Diagnostic::error(GW325, headline)
                            .at(route.span, "clients are told where it is")
                            .help("write a path without parameters and without a query"),
                    );
                    return None;
                }
                self.endpoints.push(Located {
                    endpoint,
                    method: method.to_owned(),
                    path: template.to_string(),
                    at: builtin.span,
                });
                let grants = self.endpoint_grants(endpoint, grants.as_deref(), builtin.span);
                Some(Builtin::Oauth { endpoint, grants })
            }
        }
    }

    fn expect_server(&mut self, name: &str, at: Span) -> Option<()> {
        if self.root.authorization_server.is_none() {
            self.diagnostics.push(no_server(format!("`{name}` belongs to an authorization server"), at));
        }
        self.root.authorization_server.as_ref().map(|_| ())
    }

    /// The parameter that names the client to delete.
    fn client_parameter(&mut self, action: RegistryAction, template: &Template, at: Span) -> Option<String> {
        let names: Vec<&str> = template.names().collect();
        match (action, names.as_slice()) {
            (RegistryAction::DeleteClient, [only]) => Some((*only).to_owned()),
            (RegistryAction::DeleteClient, _) => {
                self.diagnostics.push(
                    Diagnostic::error(GW325, format!("`{template}` does not say which client is deleted"))
                        .at(at, "needs exactly one path parameter")
                        .help("write a path such as `/clients/{id}`"),
                );
                None
            }
            _ => Some(String::new()),
        }
    }

    /// Of the grants that the server offers, those that an endpoint gives anything for and that its operation admits.
    fn endpoint_grants(&mut self, endpoint: Endpoint, admitted: Option<&[Spanned<Grant>]>, at: Span) -> Vec<Grant> {
        let Some(server) = &self.root.authorization_server else { return Vec::new() };
        for grant in admitted.unwrap_or_default().iter().filter(|grant| !server.offers(grant.value)) {
            let headline = format!("`{}` is not among the grants of the authorization server", grant.value.name());
            self.diagnostics.push(Diagnostic::error(GW322, headline).at(grant.span, "not offered"));
        }
        let is_admitted = |grant: Grant| admitted.is_none_or(|grants| grants.iter().any(|one| one.value == grant));
        let of_endpoint = endpoint.grants().iter().copied();
        let grants: Vec<Grant> = of_endpoint.filter(|grant| server.offers(*grant) && is_admitted(*grant)).collect();
        let is_useless = grants.is_empty() && !endpoint.grants().is_empty();
        if is_useless && server.grants_are_complete && admitted.is_none() {
            let headline = format!("no grant of the authorization server needs `{}`", endpoint.name());
            self.diagnostics.push(Diagnostic::error(GW322, headline).at(at, "gives nothing to anybody"));
        }
        grants
    }

    /// The authorization server as a whole, once all operations are known.
    pub(super) fn authorization_server(&mut self) -> Option<AuthorizationServer> {
        let (schemes, session_cookie) = self.own_schemes();
        let policy = self.root.authorization_server.take()?;
        let document = self.document;
        let diagnostics = &mut *self.diagnostics;
        if self.root.https.is_none() {
            diagnostics.push(
                Diagnostic::error(GW304, "the authorization server can be reached over plain HTTP")
                    .at(policy.at, "RFC 6749 3.1 and 3.2 require TLS")
                    .help("write `https: {redirect: true}` beside it, or `https: {redirect: false}` to refuse plain requests"),
            );
        }
        let origins = https::origins_of(document, self.root.https.as_ref().and_then(|https| https.port));
        check_issuer(&policy, &origins, diagnostics);
        self.endpoints.sort_by(|a, b| (a.endpoint, &a.path).cmp(&(b.endpoint, &b.path)));
        // What is wrong with a part has been reported, and what the other parts lack for want of it is no news.
        let is_own = |scheme: &&ast::SecurityScheme| {
            scheme.gateway.as_ref().is_some_and(|gateway| gateway.get("authorizationServer").is_some())
        };
        let is_broken = document.schemes.iter().filter(is_own).count() > schemes.len();
        let named = if is_broken || !policy.grants_are_complete || self.builtins_are_unread {
            BTreeSet::new()
        } else {
            check_grants(&policy, &schemes, diagnostics);
            check_endpoints(&policy, &self.endpoints, diagnostics);
            check_urls(&policy, &schemes, &origins, &self.endpoints, document, diagnostics)
        };
        check_metadata(&policy, &schemes, &self.endpoints, diagnostics);
        let issuer_path = policy.issuer.as_ref().map_or("", |issuer| split_issuer(issuer).1);
        let paths =
            Endpoint::ALL.iter().map(|&endpoint| (endpoint, path_of(endpoint, &self.endpoints, &named, issuer_path)));
        let withdrawing =
            self.endpoints.iter().find(|located| located.endpoint == Endpoint::Account && located.method == "POST");
        Some(AuthorizationServer {
            session_cookie,
            withdrawal: withdrawing.map(|located| located.path.clone()),
            paths: paths.collect(),
            scopes: scopes(&schemes, diagnostics),
            issuer: policy.issuer.map(|issuer| issuer.value).unwrap_or_default(),
            token_format: policy.token_format,
            access_token_ttl: policy.access_token_ttl,
            rotates: policy.rotates,
            refresh_token_ttl: policy.refresh_token_ttl,
            refresh_token_idle: policy.refresh_token_idle,
            code_ttl: policy.code_ttl,
            pkce: policy.pkce,
            remembers_consent: policy.remembers_consent,
            grants: policy.grants.iter().map(|grant| grant.value).collect(),
            client_acts_for_users: policy.client_acts_for_users,
            assertion_needs_permission: policy.assertion_needs_permission,
        })
    }

    /// The schemes of own tokens. Those, and sessions, need a server; and a browser has one session at it.
    fn own_schemes(&mut self) -> (Vec<OwnScheme<'a>>, String) {
        let mut schemes = Vec::new();
        let mut session: Option<(&ast::SecurityScheme, &str)> = None;
        for (definition, credential) in self.schemes.own() {
            if self.root.authorization_server.is_none() {
                let headline = format!("the scheme `{}` belongs to an authorization server", definition.name.value);
                self.diagnostics.push(no_server(headline, definition.name.span));
            }
            match (credential, &definition.kind) {
                (Credential::OwnToken, Some(SchemeKind::OAuth2 { flows })) => {
                    schemes.push(OwnScheme { definition, flows });
                }
                (Credential::Session(own), _) => match session {
                    Some((first, cookie)) if cookie != own.cookie => self.diagnostics.push(
                        Diagnostic::error(GW326, "sessions of one authorization server are in two cookies")
                            .at(definition.name.span, format!("in `{}`", own.cookie.escape_debug()))
                            .also(first.name.span, format!("in `{}`", cookie.escape_debug()))
                            .help("give both schemes the same `name`"),
                    ),
                    _ => session = Some((definition, &own.cookie)),
                },
                _ => {}
            }
        }
        let cookie = session.map_or_else(String::new, |(_, cookie)| cookie.to_owned());
        (schemes, cookie)
    }
}

pub(super) fn is_open(access: &Access) -> bool {
    match access {
        Access::Anyone { .. } => true,
        Access::OneOf(alternatives) => alternatives.iter().any(Vec::is_empty),
    }
}

fn no_server(headline: String, at: Span) -> Diagnostic {
    Diagnostic::error(GW321, format!("{headline}, and the document has none"))
        .at(at, "no `authorizationServer` at the root")
        .help("write `authorizationServer: {issuer: \"https://accounts.example\", grants: {authorization_code: {}}}` in `x-gateway` at the root")
}

/// Where an endpoint is, of the paths that flows name or else of all: rather one below the issuer.
fn path_of(
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

/// Origin and path.
fn split_issuer(issuer: &str) -> (&str, &str) {
    let authority = "https://".len();
    issuer.split_at(issuer[authority..].find('/').map_or(issuer.len(), |at| authority + at))
}

/// Its origin is one that the document is served at.
fn check_issuer(policy: &AuthorizationServerPolicy, origins: &[Origin], diagnostics: &mut Diagnostics) {
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

    /// Where a flow or a member of it stands; the scheme's name where that is behind a `$ref`.
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
fn check_grants(policy: &AuthorizationServerPolicy, schemes: &[OwnScheme<'_>], diagnostics: &mut Diagnostics) {
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
fn check_endpoints(policy: &AuthorizationServerPolicy, endpoints: &[Located], diagnostics: &mut Diagnostics) {
    // Browsers are sent there (RFC 6749 §3.1).
    let is_usable = |located: &Located| located.endpoint != Endpoint::Authorize || located.method == "GET";
    let exists =
        |endpoint: Endpoint| endpoints.iter().any(|located| located.endpoint == endpoint && is_usable(located));
    for grant in &policy.grants {
        let missing: Vec<String> = grant
            .value
            .endpoints()
            .iter()
            .filter(|endpoint| !exists(**endpoint))
            .map(|endpoint| format!("`{}`", endpoint.name()))
            .collect();
        if missing.is_empty() {
            continue;
        }
        diagnostics.push(
            Diagnostic::error(GW324, format!("the grant `{}` needs {}", grant.value.name(), missing.join(", ")))
                .at(grant.span, "no operation is that endpoint")
                .help("describe a path for each, such as `/oauth/token: {post: {security: [], x-gateway: {builtin: oauth.token}}}`"),
        );
    }
}

/// The URLs of flows lead to the endpoints that they mean. The paths that they name are given back.
fn check_urls(
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
    for scheme in schemes {
        for Flow { grant, urls, .. } in scheme.flows() {
            for (member, url) in urls {
                let endpoint = if member == "authorizationUrl" { Endpoint::Authorize } else { Endpoint::Token };
                let is_endpoint =
                    |path: &str| endpoints.iter().any(|located| located.endpoint == endpoint && located.path == path);
                let found = paths(url, &origins, &bases);
                if let Ok(paths) = &found
                    && let Some(path) = paths.iter().find(|path| is_endpoint(path))
                {
                    named.insert((endpoint, path.clone()));
                    continue;
                }
                // That the endpoint is missing has been said.
                let Some(existing) = endpoints.iter().find(|located| located.endpoint == endpoint) else { continue };
                let label = found.err().unwrap_or("no such endpoint is there");
                let at = scheme.place(grant.flow().unwrap_or_default(), Some(member));
                diagnostics.push(
                    Diagnostic::error(
                        GW323,
                        format!("`{member}` does not lead to an operation with `builtin: {}`", endpoint.name()),
                    )
                    .at(at, label)
                    .also(existing.at, format!("is at `{}`", existing.path)),
                );
            }
        }
    }
    named
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
fn check_metadata(
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
    if let (Some(at), false) = (first, is_there) {
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

/// What all flows describe; of several descriptions of a scope, the first.
fn scopes(schemes: &[OwnScheme<'_>], diagnostics: &mut Diagnostics) -> Vec<Scope> {
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
