//! The authorization server: what its document describes three times (flows, grants and endpoints) must agree.

mod agreement;

use std::collections::BTreeSet;

use gateway_route::Template;
use gateway_yaml::{Span, Spanned};

use crate::ast::{self, SchemeKind};
use crate::diagnostic::*;
use crate::examples::DescribedResponse;
use crate::ir::{
    Access, AuthorizationServer, Builtin, ClientPath, Credential, Endpoint, Grant, PathParameter, RegistryAction,
    Requirement, Route,
};
use crate::lower::https;
use crate::lower::located::{Located, Registration};
use crate::lower::lowering::Lowering;
use crate::lower::naming::title;
use crate::vocabulary::BuiltinPolicy;
use agreement::OwnScheme;

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
            BuiltinPolicy::JwtSign { .. } | BuiltinPolicy::Mock => return,
            BuiltinPolicy::Oauth { endpoint, .. } => (endpoint.name(), GW325, endpoint.methods()),
            BuiltinPolicy::Registry(action) => (action.name(), GW325, action.methods()),
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
            BuiltinPolicy::Registry(RegistryAction::ManageClient) => self.may_read_authorization(access).then_some((
                "the token of a registration stands in `Authorization`",
                "write `security: []`: a caller without such a token is refused",
            )),
            BuiltinPolicy::Registry(_) if is_open(access) => Some((
                "anyone could register clients or users",
                "ask for a credential in `security`, such as a scheme with `credential: admin`",
            )),
            BuiltinPolicy::Registry(_) if self.is_for_every_user(access) => Some((
                "every user who logs in and every holder of a token could register clients or users",
                "ask for a scheme with `credential: admin`, or for a scope that only administrators are allowed",
            )),
            _ => None,
        };
        if let Some((problem, help)) = problem {
            let headline = format!("{title} is `{name}`, and {problem}");
            self.diagnostics
                .push(Diagnostic::error(GW325, headline).at(builtin.span, "not with its security").help(help));
        }
    }

    /// Whether some alternative holds for all users, or for all clients: nothing but a session, or a token for anything.
    fn is_for_every_user(&self, access: &Access) -> bool {
        let is_everybodys = |requirement: &Requirement| match self.schemes.credential(requirement) {
            Some(Credential::Session(_)) => true,
            Some(Credential::OwnToken) => requirement.scopes.is_empty(),
            _ => false,
        };
        match access {
            Access::Anyone { .. } => true,
            Access::OneOf(alternatives) => alternatives.iter().any(|all| all.iter().all(is_everybodys)),
        }
    }

    /// Whether some alternative takes a credential that can be in `Authorization`.
    fn may_read_authorization(&self, access: &Access) -> bool {
        match access {
            Access::Anyone { .. } => false,
            Access::OneOf(alternatives) => {
                alternatives.iter().flatten().any(|requirement| self.schemes.may_stand_in_authorization(requirement))
            }
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
                "it is not known which user it is about",
                "ask for a scheme with `session: login` in `security`",
            )),
            Endpoint::Me => (!always(&is_token)).then_some((
                "it is not known whose token it is about",
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
    pub(super) fn builtin(
        &mut self,
        builtin: &Spanned<BuiltinPolicy>,
        method: &str,
        route: &Route,
        typed: &[PathParameter],
        described: &[DescribedResponse],
    ) -> Option<Builtin> {
        let template = &route.template;
        match &builtin.value {
            BuiltinPolicy::JwtSign { key_claim } => Some(Builtin::JwtSign { key_claim: key_claim.clone() }),
            BuiltinPolicy::Static { source, is_folder } => {
                self.shelf.files(source, *is_folder, template, self.diagnostics).map(Builtin::Static)
            }
            BuiltinPolicy::Registry(action) if self.has_server(action.name(), builtin.span) => {
                let parameter = self.client_parameter(*action, template, builtin.span)?;
                self.registration(*action, &parameter, route, typed, builtin.span);
                Some(Builtin::Registry { action: *action, parameter })
            }
            BuiltinPolicy::Oauth { endpoint, grants } if self.has_server(endpoint.name(), builtin.span) => {
                let endpoint = *endpoint;
                if template.names().next().is_some() || !route.when.is_empty() {
                    let headline = format!("the path of `{}` is no plain path", endpoint.name());
                    self.diagnostics.push(
                        Diagnostic::error(GW325, headline)
                            .at(route.span, "clients read where it is")
                            .help("write a path without parameters and without a query"),
                    );
                    return None;
                }
                let grants = self.endpoint_grants(endpoint, grants.as_deref(), builtin.span);
                self.endpoints.push(Located {
                    endpoint,
                    method: method.to_owned(),
                    path: template.to_string(),
                    grants: grants.clone(),
                    at: builtin.span,
                });
                Some(Builtin::Oauth { endpoint, grants })
            }
            BuiltinPolicy::Mock => Some(Builtin::Mock(described.to_vec())),
            BuiltinPolicy::Registry(_) | BuiltinPolicy::Oauth { .. } => None,
        }
    }

    /// Says so if there is no authorization server.
    fn has_server(&mut self, name: &str, at: Span) -> bool {
        let has_one = self.root.authorization_server.is_some();
        if !has_one {
            self.diagnostics.push(no_server(format!("`{name}` belongs to an authorization server"), at));
        }
        has_one
    }

    /// Remembers where clients register, and where they find what is registered of them.
    fn registration(
        &mut self,
        action: RegistryAction,
        parameter: &str,
        route: &Route,
        typed: &[PathParameter],
        at: Span,
    ) {
        let path = route.template.to_string();
        let is_plain = route.when.is_empty();
        match action {
            RegistryAction::CreateClient if is_plain && route.template.names().next().is_none() => {
                self.registrations.push(Registration::Create { path });
            }
            RegistryAction::ManageClient => {
                let around = path.split_once(&format!("{{{parameter}}}"));
                let problem = match around {
                    _ if !is_plain => "clients get a path without a query",
                    None => "an id is one segment of the path: write it without `+`",
                    Some(_) if typed.iter().any(|it| it.name == parameter) => {
                        "ids of clients are text: give the parameter `schema: {type: string}`"
                    }
                    Some((before, after)) => {
                        let path = ClientPath { before: before.to_owned(), after: after.to_owned() };
                        return self.registrations.push(Registration::Manage { path, at });
                    }
                };
                self.diagnostics.push(
                    Diagnostic::error(GW325, format!("no client can be found at `{path}`"))
                        .at(route.span, problem)
                        .also(at, "`clients.manage` is there"),
                );
            }
            _ => {}
        }
    }

    /// The parameter that names the client.
    fn client_parameter(&mut self, action: RegistryAction, template: &Template, at: Span) -> Option<String> {
        let names: Vec<&str> = template.names().collect();
        match (action, names.as_slice()) {
            (RegistryAction::DeleteClient | RegistryAction::ManageClient, [only]) => Some((*only).to_owned()),
            (RegistryAction::DeleteClient | RegistryAction::ManageClient, _) => {
                self.diagnostics.push(
                    Diagnostic::error(GW325, format!("`{template}` does not say which client it is about"))
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
        let (schemes, session) = self.own_schemes();
        let (session, session_cookie) = session.unzip();
        let policy = self.root.authorization_server.take()?;
        let document = self.document;
        let diagnostics = &mut *self.diagnostics;
        if self.root.https.is_none() {
            diagnostics.push(
                Diagnostic::error(GW304, "the authorization server can be reached over plain HTTP")
                    .at(policy.at, "RFC 6749 3.1, 3.2 require TLS")
                    .help("write `https: {redirect: true}` beside it, or `https: {redirect: false}` to refuse plain requests"),
            );
        }
        let origins = https::origins_of(document, self.root.https.as_ref().and_then(|https| https.port));
        agreement::check_issuer(&policy, &origins, diagnostics);
        self.endpoints.sort_by(|a, b| (a.endpoint, &a.path).cmp(&(b.endpoint, &b.path)));
        // What is wrong with a part has been reported, and what the other parts lack for want of it is no news.
        let is_own = |scheme: &&ast::SecurityScheme| {
            scheme.gateway.as_ref().is_some_and(|gateway| gateway.get("authorizationServer").is_some())
        };
        let is_broken = document.schemes.iter().filter(is_own).count() > schemes.len();
        let named = if is_broken || !policy.grants_are_complete || self.builtins_are_unread {
            BTreeSet::new()
        } else {
            agreement::check_grants(&policy, &schemes, diagnostics);
            agreement::check_endpoints(&policy, &self.endpoints, diagnostics);
            agreement::check_login(session, &self.endpoints, diagnostics);
            agreement::check_urls(&policy, &schemes, &origins, &self.endpoints, document, diagnostics)
        };
        let issuer_path = policy.issuer.as_ref().map_or("", |issuer| agreement::split_issuer(issuer).1);
        let managed = self.registrations.iter().filter_map(|registration| match registration {
            Registration::Create { .. } => None,
            Registration::Manage { path, .. } => Some((path.before.as_str(), path.clone())),
        });
        let managed_client = agreement::first_below(managed, issuer_path);
        agreement::check_metadata(&policy, &schemes, &self.endpoints, diagnostics);
        if !self.builtins_are_unread {
            agreement::check_registration(&self.registrations, managed_client.as_ref(), diagnostics);
        }
        let paths = Endpoint::ALL
            .iter()
            .map(|&endpoint| (endpoint, agreement::path_of(endpoint, &self.endpoints, &named, issuer_path)));
        let withdrawing =
            self.endpoints.iter().find(|located| located.endpoint == Endpoint::Account && located.method == "POST");
        let created = self.registrations.iter().filter_map(|registration| match registration {
            Registration::Create { path } => Some((path.as_str(), path.clone())),
            Registration::Manage { .. } => None,
        });
        Some(AuthorizationServer {
            registration: agreement::first_below(created, issuer_path),
            managed_client,
            session_cookie: session_cookie.unwrap_or_default(),
            withdrawal: withdrawing.map(|located| located.path.clone()),
            paths: paths.collect(),
            scopes: agreement::scopes(&schemes, diagnostics),
            resources: agreement::resources(&policy, &origins),
            issuer: policy.issuer.map(|issuer| issuer.value).unwrap_or_default(),
            token_format: policy.token_format,
            access_token_ttl: policy.access_token_ttl,
            rotates: policy.rotates,
            refresh_token_ttl: policy.refresh_token_ttl,
            refresh_token_idle: policy.refresh_token_idle,
            refresh_token_grace: policy.refresh_token_grace,
            code_ttl: policy.code_ttl,
            pkce: policy.pkce,
            remembers_consent: policy.remembers_consent,
            grants: policy.grants.iter().map(|grant| grant.value).collect(),
            client_acts_for_users: policy.client_acts_for_users,
            assertion_needs_permission: policy.assertion_needs_permission,
        })
    }

    /// The schemes of own tokens, and one of sessions. They need a server; and a browser has one session at it.
    fn own_schemes(&mut self) -> (Vec<OwnScheme<'a>>, Option<(&'a ast::SecurityScheme, String)>) {
        let mut schemes = Vec::new();
        let mut session: Option<(&'a ast::SecurityScheme, &str)> = None;
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
        (schemes, session.map(|(definition, cookie)| (definition, cookie.to_owned())))
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
