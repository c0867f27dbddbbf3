//! `security` and `securitySchemes`: what is not well-formed is marked as broken, never as public.

use std::sync::Arc;

use gateway_yaml::{DeError, Entry, Mapping, Node, Span, Spanned, Value, from_node, suggest};
use openapiv3::{APIKeyLocation, OAuth2Flows};

use crate::ast::{Alternative, ApiKeyLocation, Document, Requirement, SchemeKind, Security, SecurityScheme};
use crate::diagnostic::{Diagnostic, GW202, GW203, GW204, GW205, GW206};
use crate::parse::parser::Parser;
use crate::parse::{keys, strays};

static LOCATIONS: &[&str] = &["header", "query", "cookie"];
static TYPES: &[&str] = &["apiKey", "http", "oauth2", "openIdConnect", "mutualTLS"];

impl Parser<'_, '_> {
    /// `security` of the document, of an operation or of a rule.
    pub(super) fn security(&mut self, node: &Node) -> Option<Security> {
        let mapping = node.as_mapping()?;
        let Some(entry) = mapping.entry("security") else {
            // `Security:` has been reported as an unknown key; that its operation inherits or is public would be wrong.
            let misspelt = mapping.iter().find(|entry| keys::resembles_security(&entry.key.name));
            return misspelt.map(|entry| Security::Broken(entry.key.span));
        };
        // Of two equal keys it is unknown which one was meant.
        if mapping.iter().filter(|entry| &*entry.key.name == "security").count() > 1 {
            return Some(Security::Broken(entry.key.span));
        }
        match self.alternatives(entry) {
            Some(alternatives) => Some(Security::AnyOf(alternatives)),
            None => Some(Security::Broken(entry.key.span)),
        }
    }

    fn alternatives(&mut self, entry: &Entry) -> Option<Spanned<Vec<Alternative>>> {
        let list = self.resolver.follow(&entry.value)?;
        let found = if list.is_null() { "empty" } else { list.kind_name() };
        let broken = Diagnostic::error(GW204, format!("`security` is {found}, not a list of requirements"));
        match &list.value {
            Value::Sequence(items) => {
                // Each faulty item is reported, also behind the first.
                let alternatives: Vec<_> = items.iter().map(|item| self.alternative(item)).collect();
                let alternatives = alternatives.into_iter().collect::<Option<Vec<_>>>()?;
                return Some(Spanned::new(list.span, alternatives));
            }
            Value::Null => self.report(
                broken
                    .at(entry.key.span, "has no value")
                    .help("write `security: []` where anyone may call, or remove the key to inherit"),
            ),
            Value::Mapping(_) => {
                self.report(broken.at(list.span, "expected a list").help("write it as `- scheme: []`"))
            }
            _ => self.report(broken.at(list.span, "expected a list")),
        }
        None
    }

    fn alternative(&mut self, item: &Node) -> Option<Alternative> {
        let node = self.resolver.follow(item)?;
        let Some(mapping) = node.as_mapping() else {
            let headline = format!("a security requirement is a mapping, and this is {}", node.kind_name());
            let diagnostic = Diagnostic::error(GW204, headline).at(node.span, "not a requirement");
            self.report(match node.as_text() {
                Some(name) => diagnostic.help(format!("write `- {name}: []`")),
                None => diagnostic,
            });
            return None;
        };
        let requirements: Vec<_> = mapping.iter().map(|entry| self.requirement(entry)).collect();
        Some(Alternative { span: node.span, requirements: requirements.into_iter().collect::<Option<_>>()? })
    }

    fn requirement(&mut self, entry: &Entry) -> Option<Requirement> {
        let name = &*entry.key.name;
        let node = self.resolver.follow(&entry.value)?;
        let scopes = node.as_sequence().map(|items| {
            let scope = |item: &Node| item.as_text().map(|text| Spanned::new(item.span, text.to_owned()));
            items.iter().map(scope).collect::<Option<Vec<_>>>()
        });
        let diagnostic = match scopes {
            Some(Some(scopes)) => {
                let scheme = Spanned::new(entry.key.span, name.to_owned());
                return Some(Requirement { scheme, scopes });
            }
            Some(None) => Diagnostic::error(GW204, format!("the scopes for `{name}` are not all text"))
                .at(node.span, "expected a list of names"),
            None if node.is_null() => {
                Diagnostic::error(GW204, format!("the requirement `{name}` has no list of scopes"))
                    .at(entry.key.span, "has no value")
                    .help(format!("write `{name}: []`"))
            }
            None => Diagnostic::error(GW204, format!("the scopes for `{name}` are {}, not a list", node.kind_name()))
                .at(node.span, "expected a list")
                .help(match node.as_text() {
                    Some(scope) => format!("write `{name}: [{scope}]`"),
                    None => format!("write `{name}: []`"),
                }),
        };
        self.report(diagnostic);
        None
    }

    /// `components.securitySchemes`.
    pub(super) fn schemes(&mut self, root: &Node) -> Vec<SecurityScheme> {
        let Some(components) = root.get("components") else { return Vec::new() };
        let Some(components) = self.resolver.follow_adding(components) else {
            self.schemes_complete = false;
            return Vec::new();
        };
        if components.is_null() || !self.expect_mapping(&components, "`components`") {
            return Vec::new();
        }
        self.check_keys(&components, "`components`", keys::IN_COMPONENTS);
        let Some(schemes) = components.get("securitySchemes") else { return Vec::new() };
        let Some(schemes) = self.resolver.follow_adding(schemes) else {
            self.schemes_complete = false;
            return Vec::new();
        };
        if schemes.is_null() || !self.expect_mapping(&schemes, "`securitySchemes`") {
            return Vec::new();
        }
        self.check_strays(&schemes, &strays::SCHEMES);
        // `x-api-key` is a name that real documents give to a scheme.
        let is_scheme = |entry: &&Entry| {
            !entry.key.name.starts_with("x-") || entry.value.get("type").or(entry.value.get("$ref")).is_some()
        };
        schemes.as_mapping().into_iter().flatten().filter(is_scheme).map(|entry| self.scheme(entry)).collect()
    }

    fn scheme(&mut self, entry: &Entry) -> SecurityScheme {
        let name = Spanned::new(entry.key.span, String::from(&*entry.key.name));
        let Some(node) = self.resolver.follow(&entry.value) else {
            return SecurityScheme { name, node: entry.value.clone(), kind: None, gateway: None };
        };
        self.check_beside_reference(&entry.value);
        let kind = self.scheme_kind(&name, &node);
        let gateway = node.get("x-gateway").cloned();
        SecurityScheme { name, node, kind, gateway }
    }

    fn scheme_kind(&mut self, name: &Spanned<String>, node: &Node) -> Option<SchemeKind> {
        let what = format!("the security scheme `{}`", name.value);
        if node.as_mapping().is_none() {
            let headline = format!("{what} is {}, not a mapping", node.kind_name());
            self.report(Diagnostic::error(GW205, headline).at(name.span, "not a security scheme"));
            return None;
        }
        self.check_keys(node, &what, keys::IN_SCHEME);
        self.check_strays(node, &strays::SCHEME);
        let Some(kind) = node.get("type") else {
            let diagnostic =
                Diagnostic::error(GW205, format!("{what} has no `type`")).at(name.span, "`type` is missing");
            self.report(diagnostic.help("`type` is `apiKey`, `http`, `oauth2`, `openIdConnect` or `mutualTLS`"));
            return None;
        };
        match kind.as_str() {
            Some("oauth2") => return self.oauth2(name, node),
            Some("mutualTLS") if self.version.minor > 0 => return Some(SchemeKind::MutualTls),
            Some("mutualTLS") => {
                let diagnostic = Diagnostic::error(GW205, format!("{what} is `mutualTLS`, which needs OpenAPI 3.1"));
                self.report(diagnostic.at(kind.span, "not a type of OpenAPI 3.0").help("write `openapi: 3.1.0`"));
                return None;
            }
            Some("apiKey" | "http" | "openIdConnect") => {}
            other => {
                let given = other.unwrap_or(kind.kind_name());
                let diagnostic = Diagnostic::error(GW205, format!("{what} has the unknown type `{given}`"))
                    .at(kind.span, "not a type of security scheme");
                self.report(match other {
                    Some("basic") => diagnostic.help("write `type: http` and `scheme: basic`"),
                    _ => diagnostic.did_you_mean(suggest(given, TYPES.iter().copied())),
                });
                return None;
            }
        }
        if let Some(location) = node.get("in").filter(|_| kind.as_str() == Some("apiKey"))
            && !location.as_str().is_some_and(|word| LOCATIONS.contains(&word))
        {
            let near = location.as_str().and_then(|word| suggest(word, LOCATIONS.iter().copied()));
            let diagnostic = Diagnostic::error(GW205, format!("{what} does not say where the key is"))
                .at(location.span, "`in` should be `header`, `query` or `cookie`")
                .did_you_mean(near);
            self.report(diagnostic);
            return None;
        }
        let leaf = keys::only(node, &["type", "name", "in", "scheme", "bearerFormat", "openIdConnectUrl"]);
        let typed = match from_node::<openapiv3::SecurityScheme>(&leaf) {
            Ok(typed) => typed,
            Err(error) => {
                let at = fault_in(&error, node, name.span);
                self.report(Diagnostic::error(GW205, format!("{what} is not complete")).at(at, error.message));
                return None;
            }
        };
        let kind = match typed {
            openapiv3::SecurityScheme::APIKey { location, name, .. } => SchemeKind::ApiKey {
                location: match location {
                    APIKeyLocation::Query => ApiKeyLocation::Query,
                    APIKeyLocation::Header => ApiKeyLocation::Header,
                    APIKeyLocation::Cookie => ApiKeyLocation::Cookie,
                },
                name,
            },
            openapiv3::SecurityScheme::HTTP { scheme, bearer_format, .. } => SchemeKind::Http { scheme, bearer_format },
            openapiv3::SecurityScheme::OpenIDConnect { open_id_connect_url: url, .. } => {
                SchemeKind::OpenIdConnect { url }
            }
            openapiv3::SecurityScheme::OAuth2 { flows, .. } => SchemeKind::OAuth2 { flows: Box::new(flows) },
        };
        let empty = match &kind {
            SchemeKind::ApiKey { name, .. } => name.is_empty().then_some("name"),
            SchemeKind::Http { scheme, .. } => scheme.is_empty().then_some("scheme"),
            _ => None,
        };
        if let Some(key) = empty {
            self.report(
                Diagnostic::error(GW205, format!("{what} has an empty `{key}`")).at(name.span, "names nothing"),
            );
            return None;
        }
        Some(kind)
    }

    fn oauth2(&mut self, name: &Spanned<String>, node: &Node) -> Option<SchemeKind> {
        let what = format!("the security scheme `{}`", name.value);
        let Some(flows) = node.get("flows") else {
            let diagnostic = Diagnostic::error(GW205, format!("{what} has no `flows`"));
            self.report(diagnostic.at(name.span, "an `oauth2` scheme describes its flows"));
            return None;
        };
        let flows = self.resolver.follow(flows)?;
        if !self.expect_mapping(&flows, &format!("`flows` of {what}")) {
            return None;
        }
        let mut typed = OAuth2Flows::default();
        let mut complete = true;
        for entry in flows.as_mapping().into_iter().flatten() {
            let result = match &*entry.key.name {
                "implicit" => self.flow(entry).map(|flow| typed.implicit = flow),
                "password" => self.flow(entry).map(|flow| typed.password = flow),
                "clientCredentials" => self.flow(entry).map(|flow| typed.client_credentials = flow),
                "authorizationCode" => self.flow(entry).map(|flow| typed.authorization_code = flow),
                "deviceAuthorization" => Some(()),
                extension if extension.starts_with("x-") => Some(()),
                unknown => {
                    let known =
                        ["implicit", "password", "clientCredentials", "authorizationCode", "deviceAuthorization"];
                    let diagnostic = Diagnostic::error(GW205, format!("{what} has the unknown flow `{unknown}`"))
                        .at(entry.key.span, "not a flow of OAuth 2")
                        .did_you_mean(match unknown {
                            "accessCode" => Some("authorizationCode"),
                            "application" => Some("clientCredentials"),
                            _ => suggest(unknown, known),
                        });
                    self.report(diagnostic);
                    None
                }
            };
            complete &= result.is_some();
        }
        complete.then(|| SchemeKind::OAuth2 { flows: Box::new(typed) })
    }

    /// One flow as `openapiv3` types it; the inner [`None`] where the document writes `null`.
    fn flow<T: serde::de::DeserializeOwned>(&mut self, entry: &Entry) -> Option<Option<T>> {
        if entry.value.is_null() {
            return Some(None);
        }
        let node = self.resolver.follow(&entry.value)?;
        let leaf = describe_scopes(&keys::only(&node, &["authorizationUrl", "tokenUrl", "refreshUrl", "scopes"]));
        match from_node(&leaf) {
            Ok(flow) => Some(Some(flow)),
            Err(error) => {
                let at = fault_in(&error, &node, entry.key.span);
                let headline = format!("the flow `{}` is not complete", entry.key.name);
                self.report(Diagnostic::error(GW205, headline).at(at, error.message));
                None
            }
        }
    }

    /// Checks that every requirement names a scheme, and that it asks for scopes only where there are any.
    pub(super) fn check_requirements(&mut self, document: &Document) {
        self.check_security(document, document.security.as_ref(), "the document");
        for path in &document.paths {
            for operation in &path.operations {
                let what = match &operation.operation_id {
                    Some(id) => format!("operation `{}`", id.value),
                    None => format!("operation `{} {}`", operation.method, path.key.value),
                };
                self.check_security(document, operation.security.as_ref(), &what);
            }
        }
        for (index, security) in document.rule_security.iter().enumerate() {
            self.check_security(document, security.as_ref(), &format!("rule {}", index + 1));
        }
    }

    /// The scopes of flows that the typed leaves do not hold, such as that of devices.
    fn more_scopes(&mut self, node: &Node) -> Vec<String> {
        let flows = node.get("flows").and_then(|flows| self.resolver.follow(flows));
        let flow = flows.as_ref().and_then(|flows| flows.get("deviceAuthorization")).cloned();
        let scopes = flow.and_then(|flow| self.resolver.get(&flow, "scopes"));
        let names = scopes.as_ref().and_then(Node::as_mapping).into_iter().flatten();
        names.map(|entry| entry.key.name.to_string()).collect()
    }

    fn check_security(&mut self, document: &Document, security: Option<&Security>, what: &str) {
        let Some(Security::AnyOf(alternatives)) = security else { return };
        for requirement in alternatives.value.iter().flat_map(|alternative| &alternative.requirements) {
            let Requirement { scheme: name, scopes } = requirement;
            let Some(scheme) = document.schemes.iter().find(|scheme| *scheme.name == name.value) else {
                // What a reference that leads nowhere would have brought is not known.
                if !self.schemes_complete {
                    continue;
                }
                let names = document.schemes.iter().map(|scheme| scheme.name.as_str());
                let headline = format!("{what} requires scheme `{}`, which is not defined", name.value);
                let diagnostic = Diagnostic::error(GW202, headline).at(name.span, "not in components/securitySchemes");
                let diagnostic = diagnostic.because_of(&*name.value, what);
                self.report(match suggest(name, names) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                    None => diagnostic.help(format!("define `{}` under components/securitySchemes", name.value)),
                });
                continue;
            };
            let Some(first) = scopes.first() else { continue };
            match &scheme.kind {
                Some(SchemeKind::OAuth2 { flows }) => {
                    let declared = declared(flows, &self.more_scopes(&scheme.node));
                    for scope in scopes.iter().filter(|scope| !declared.contains(&scope.value)) {
                        let headline = format!(
                            "{what} needs the scope `{}`, which `{}` does not declare",
                            scope.value, name.value
                        );
                        let help = match suggest(scope, declared.iter().map(String::as_str)) {
                            Some(near) => format!("did you mean `{near}`?"),
                            None => format!(
                                "declare it: `scopes: {{\"{}\": what it permits}}` in a flow of `{}`",
                                scope.value, name.value
                            ),
                        };
                        let diagnostic = Diagnostic::error(GW206, headline).at(scope.span, "not in any of its flows");
                        let cause = format!("{} {}", name.value, scope.value);
                        self.report(diagnostic.help(help).because_of(cause, what));
                    }
                }
                Some(SchemeKind::OpenIdConnect { .. }) | None => {}
                Some(_) if self.version.minor == 0 => {
                    let headline = format!(
                        "{what} asks for roles of `{}`, which is not OAuth 2: role names need OpenAPI 3.1",
                        name.value
                    );
                    let diagnostic = Diagnostic::warning(GW203, headline)
                        .at(first.span, "enforced as in OpenAPI 3.1: callers need this role or scope")
                        .help("write `openapi: 3.1.0` at the top of the document, or `[]` where no role is needed");
                    self.report(diagnostic.because_of("roles", what));
                }
                Some(_) => {}
            }
        }
    }
}

/// The scopes that any flow declares.
fn declared(flows: &OAuth2Flows, more: &[String]) -> Vec<String> {
    let scopes = [
        flows.implicit.as_ref().map(|flow| &flow.scopes),
        flows.password.as_ref().map(|flow| &flow.scopes),
        flows.client_credentials.as_ref().map(|flow| &flow.scopes),
        flows.authorization_code.as_ref().map(|flow| &flow.scopes),
    ];
    scopes.into_iter().flatten().flat_map(|scopes| scopes.keys().cloned()).chain(more.iter().cloned()).collect()
}

/// Scopes without a description, which real documents have and `openapiv3` refuses, get an empty one.
fn describe_scopes(flow: &Node) -> Node {
    let Some(mapping) = flow.as_mapping() else { return flow.clone() };
    let mut entries = mapping.entries().to_vec();
    for entry in entries.iter_mut().filter(|entry| &*entry.key.name == "scopes") {
        let Some(scopes) = entry.value.as_mapping() else { continue };
        let mut scopes = scopes.entries().to_vec();
        for scope in scopes.iter_mut().filter(|scope| scope.value.is_null()) {
            scope.value.value = Value::String("".into());
        }
        entry.value.value = Value::Mapping(Arc::new(Mapping::new(scopes)));
    }
    Node { span: flow.span, value: Value::Mapping(Arc::new(Mapping::new(entries))) }
}

/// The place of a fault; the name instead where the fault is that something is missing in the whole object.
fn fault_in(error: &DeError, node: &Node, name: Span) -> Span {
    if error.span == node.span { name } else { error.span }
}
