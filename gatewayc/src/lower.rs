//! From what documents say to what the gateway does: inheritance, defaults and security are decided here.

mod base_path;
mod foreign_path;
mod hmac;
mod https;
mod limits;
mod merge;
mod oauth;
mod own_credentials;
mod rules;
mod security;
mod static_files;

use std::collections::{BTreeMap, BTreeSet};

use gateway_route::{Allowance, Ambiguous, Condition, Part, Template, TemplateErrorKind};
use gateway_yaml::{Node, Span, Spanned, suggest};

use crate::ast;
use crate::diagnostic::*;
use crate::ir;
use crate::ir::{
    AcceptedRisk, Access, Action, Anonymous, Api, ConsumerRules, Gateway, Limit, LimitUse, Operation, ParameterKind,
    PathParameter, Rewrite, Route, Rule, Upstream,
};
use crate::policy;
use crate::readings;
use crate::source::SourceSet;
use crate::units::ByteSize;
use crate::vocabulary::{
    self, BuiltinPolicy, Inheritable, Place, PreflightPolicy, RewritePolicy, Root, UpstreamChoice, UpstreamPolicy,
};
use limits::{CallerKind, Limits};
pub(crate) use merge::takes_the_same;
use oauth::{Located, Registration};
use security::Schemes;
use static_files::Shelf;

/// A larger request body is refused unless a document says otherwise.
const DEFAULT_MAX_BODY: ByteSize = ByteSize(128 << 20);

/// What the endpoints of an authorization server read is a form or a short JSON text; `maxBody` is about forwarding.
const OWN_MAX_BODY: ByteSize = ByteSize(64 << 10);

/// Lowers all documents, with the files that they serve. What cannot be lowered has been reported.
pub fn lower(documents: &[ast::Document], sources: &SourceSet<'_>) -> (Gateway, Diagnostics) {
    let mut diagnostics = Diagnostics::new();
    let lowered = documents.iter().map(|document| Lowering::of(document, sources, &mut diagnostics));
    let mut apis: Vec<Api> = lowered.collect();
    for (index, document) in documents.iter().enumerate() {
        if let Some(other) = documents[..index].iter().find(|other| other.name == document.name) {
            let headline = format!("`{}` and `{}` are both called `{}`", other.path, document.path, document.name);
            diagnostics.push(Diagnostic::error(GW106, headline).at(first_key(&document.root), "the second"));
        }
    }
    apis.sort_by(|a, b| a.name.cmp(&b.name));
    (Gateway { apis }, diagnostics)
}

struct Lowering<'a> {
    document: &'a ast::Document,
    diagnostics: &'a mut Diagnostics,
    root: Root,
    schemes: Schemes<'a>,
    upstreams: Upstreams,
    limits: Limits,
    risks: Vec<AcceptedRisk>,
    /// What operations serve of the files beside the document.
    shelf: Shelf<'a>,
    /// For each `operationId`, the first of those that have it, by path and method.
    first_of_name: BTreeMap<&'a str, Span>,
    /// The operations that are endpoints of the authorization server.
    endpoints: Vec<Located>,
    /// The operations that register clients, by the protocol for that.
    registrations: Vec<Registration>,
    /// Nobody knows what one of the operations answers, which has been reported.
    builtins_are_unread: bool,
}

impl<'a> Lowering<'a> {
    fn of(document: &'a ast::Document, sources: &'a SourceSet<'a>, diagnostics: &'a mut Diagnostics) -> Api {
        let root = match &document.gateway {
            Some(node) => vocabulary::root(node, diagnostics),
            None => {
                diagnostics.push(
                    Diagnostic::error(GW105, "the document does not say how it is served")
                        .at(first_key(&document.root), "no `x-gateway` at the root")
                        .help("write `x-gateway: {version: 1, upstream: {url: \"http://127.0.0.1:8080\"}}`"),
                );
                Root::default()
            }
        };
        check_servers(document, &root, diagnostics);
        let upstreams = Upstreams::new(&root, document.gateway.is_none(), diagnostics);
        let mut risks = Vec::new();
        let schemes = Schemes::new(document, &root, &mut risks, diagnostics);
        let limits = Limits::new(&root.limits);
        let (shelf, endpoints) = (Shelf::new(sources), Vec::new());
        let mut first_of_name = BTreeMap::new();
        for id in by_path(document).filter_map(|(_, operation)| operation.operation_id.as_ref()) {
            first_of_name.entry(id.value.as_str()).or_insert(id.span);
        }
        let mut lowering = Lowering {
            document,
            diagnostics,
            root,
            schemes,
            upstreams,
            limits,
            risks,
            shelf,
            first_of_name,
            endpoints,
            registrations: Vec::new(),
            builtins_are_unread: false,
        };
        let accepted = std::mem::take(&mut lowering.root.inheritable.accepted);
        lowering.accept(accepted, "the document", vec![document.root.span]);
        if let Some(server) = &mut lowering.root.authorization_server {
            let (accepted, scope) = (std::mem::take(&mut server.accepted), vec![server.at, server.scope]);
            lowering.accept(accepted, "the authorization server", scope);
        }
        let mut routes: Vec<Route> = document.paths.iter().flat_map(|path| lowering.path_item(path)).collect();
        routes.sort_by_cached_key(|route| (route.template.to_string(), route.when.clone()));
        let mut rules = lowering.rules();
        let authorization_server = lowering.authorization_server();
        lowering.check_operation_ids();
        lowering.check_nothing_lost(&routes);
        let mut routes = merge::merge(routes);
        merge::unmask(&mut routes);
        let Lowering { diagnostics, root, schemes, upstreams, limits, mut risks, .. } = lowering;
        risks.sort();
        let limits = in_order(limits.used(diagnostics), operations(&mut routes, &mut rules));
        let upstreams = upstreams.used(diagnostics);
        let gives_tokens = authorization_server.is_some();
        let https = root.https.as_ref().map(|policy| https::lower(policy, gives_tokens, document, diagnostics));
        check_urls(document, diagnostics);
        let shared = document.gateway.as_ref().and_then(|gateway| gateway.get("limits")).and_then(Node::as_mapping);
        let shared = shared.into_iter().flatten().map(|entry| (entry.key.name.to_string(), entry.value.span));
        let mut api = Api {
            limit_places: shared.collect(),
            name: document.name.clone(),
            title: document.title.clone(),
            source: document.path.clone(),
            routes,
            rules,
            upstreams,
            schemes: schemes.used(diagnostics),
            identity_headers: root.identity_headers,
            error_bodies: root.error_bodies,
            limits,
            https,
            authorization_server,
            accepted_risks: risks,
        };
        readings::mark_contested(&mut api);
        api
    }

    /// Notes the risks that are accepted at `what`, which is described in `scope`.
    fn accept(&mut self, accepted: Vec<vocabulary::AcceptedRisk>, what: &str, scope: Vec<Span>) {
        for vocabulary::AcceptedRisk { code, reason, at } in accepted {
            let acceptance = Acceptance { code, scope: scope.clone(), what: what.to_owned(), reason, at };
            accept(self.diagnostics, acceptance, &mut self.risks);
        }
    }

    /// The routes of a path: one for each base path of its servers.
    fn path_item(&mut self, path: &ast::PathItem) -> Vec<Route> {
        let Some(key) = self.path_key(path) else { return Vec::new() };
        let identity = self.root.identity_headers.clone();
        let nested = |node: &Option<Node>, place, diagnostics: &mut Diagnostics| match node {
            Some(node) => vocabulary::nested(node, place, &identity, diagnostics),
            None => Inheritable::default(),
        };
        let of_path = nested(&path.gateway, Place::PathItem, self.diagnostics);
        let in_path_limits = of_path.rate_limit.is_some();
        let mut inherited = of_path.or(&self.root.inheritable);
        let in_path = path.operations.iter().map(|operation| operation.span).chain([path.key.span]);
        let annotated = path.operations.iter().filter_map(|operation| operation.gateway.as_ref()).chain(&path.gateway);
        let in_path = in_path.chain(annotated.map(|node| node.span)).collect();
        let accepted = std::mem::take(&mut inherited.accepted);
        self.accept(accepted, &format!("path `{}`", path.key.value), in_path);
        let mut routes: BTreeMap<String, Route> = BTreeMap::new();
        for operation in &path.operations {
            let mut own = nested(&operation.gateway, Place::Operation, self.diagnostics);
            let in_operation = operation.gateway.as_ref().map(|node| node.span);
            let in_operation = in_operation.into_iter().chain([operation.span]).collect();
            self.accept(std::mem::take(&mut own.accepted), &title(path, operation), in_operation);
            let access = self.schemes.access(self.document, path, operation, self.diagnostics);
            self.check_consumers(&own, &inherited, access.as_ref(), &title(path, operation), operation.span);
            // Nothing in it where the vocabulary has reported it.
            let builtin = own.builtin.take();
            if let Some(builtin) = &builtin {
                self.builtins_are_unread |= builtin.value.is_none();
                self.check_builtin(builtin, &own, access.as_ref(), path, operation);
            }
            let is_limited_itself = own.rate_limit.is_some();
            let limited_at = match (&own.rate_limit, in_path_limits) {
                (Some(_), _) => self
                    .own_name(operation)
                    .map_or_else(|| format!("{} {}", operation.method, path.key.value), str::to_owned),
                (None, true) => path.key.value.clone(),
                (None, false) => self.document.name.clone(),
            };
            let policy = own.or(&inherited);
            let limits = match &access {
                Some(access) => self.charge(&policy, access, &limited_at, &title(path, operation), is_limited_itself),
                None => Vec::new(),
            };
            let parameters = Parameters::new(path, operation, self.diagnostics);
            parameters.check(&key.template, path, operation, self.diagnostics);
            let servers = [&operation.servers, &path.servers, &self.document.servers];
            let servers = servers.into_iter().find(|servers| !servers.is_empty());
            for base in base_path::base_paths(servers.map_or(&[], |servers| servers), self.diagnostics) {
                let Some(template) = self.template(&base, &key, &parameters) else { continue };
                let text = template.to_string();
                let route = routes.entry(text).or_insert_with(|| Route {
                    template: template.clone(),
                    when: key.when.clone(),
                    preflight: self.root.preflight.without_operation(),
                    operations: Vec::new(),
                    described: Vec::new(),
                    span: path.key.span,
                });
                if let Some(name) = differently_allowed(&route.template, &template) {
                    let headline = format!("the operations of `{}` disagree about what `{name}` takes", path.key.value);
                    self.diagnostics.push(
                        Diagnostic::error(GW517, headline)
                            .at(operation.span, "not what the operation before it says")
                            .help("a path is matched before its operation is known: declare the parameter once, under the path's own `parameters`"),
                    );
                }
                let id = self.own_name(operation).map(str::to_owned);
                let id = id.unwrap_or_else(|| format!("{} {}", operation.method, policy::path(route)));
                route.described.push((operation.method.clone(), id.clone()));
                let action = match &builtin {
                    Some(Spanned { span, value }) => value.as_ref().and_then(|value| {
                        let builtin = Spanned::new(*span, value.clone());
                        let typed = parameters.typed(&template, &self.document.root);
                        self.builtin(&builtin, &operation.method, route, &typed).map(Action::Answer)
                    }),
                    None => {
                        let title = title(path, operation);
                        let upstream =
                            self.upstreams.choose(&policy.upstream, &title, operation.span, self.diagnostics);
                        let rewrite = self.rewrite(policy.rewrite.as_ref(), &base, &template, operation.span);
                        upstream.zip(rewrite).map(|(upstream, rewrite)| Action::Forward { upstream, rewrite })
                    }
                };
                let (Some(access), Some(action)) = (access.clone(), action) else { continue };
                // What is inherited and does not apply is not shown either.
                let (asks, admits_anonymous) = match &access {
                    Access::Anyone { .. } => (false, false),
                    Access::OneOf(alternatives) => (true, alternatives.iter().any(Vec::is_empty)),
                };
                let max_body = match &action {
                    Action::Answer(ir::Builtin::Oauth { .. } | ir::Builtin::Registry { .. }) => OWN_MAX_BODY,
                    _ => policy.max_body.unwrap_or(DEFAULT_MAX_BODY),
                };
                let consumers = policy.consumers.clone().filter(|_| asks).unwrap_or_default();
                let anonymous = policy.anonymous.clone().filter(|_| admits_anonymous);
                route.operations.push(Operation {
                    id,
                    method: operation.method.clone(),
                    summary: operation.summary.clone().unwrap_or_default(),
                    access,
                    action,
                    parameters: parameters.typed(&template, &self.document.root),
                    listed_values: parameters.listed_values(&template, &self.document.root),
                    request_headers: policy.request_headers.clone().unwrap_or_default(),
                    response_headers: policy.response_headers.clone().unwrap_or_default(),
                    max_body,
                    consumers,
                    anonymous: anonymous.map(|anonymous| anonymous.value).unwrap_or_default(),
                    limits: limits.clone(),
                    contested: false,
                    span: operation.span,
                });
            }
        }
        let mut routes: Vec<Route> = routes.into_values().collect();
        for route in &mut routes {
            self.forward_preflight(path, &inherited, route);
            route.operations.sort_by(|a, b| a.method.cmp(&b.method));
            route.described.sort();
        }
        routes
    }

    /// What an operation charges, which inherits `policy`; `place` is what those limits are called after that have no name.
    fn charge(&mut self, policy: &Inheritable, access: &Access, place: &str, who: &str, is_own: bool) -> Vec<LimitUse> {
        let Some(entries) = &policy.rate_limit else { return Vec::new() };
        let alternatives = match access {
            Access::Anyone { .. } => &[][..],
            Access::OneOf(alternatives) => alternatives,
        };
        // An anonymous caller may count as a consumer.
        let has_name = policy.anonymous.as_ref().is_some_and(|anonymous| !anonymous.value.consumer.is_empty());
        let stranger = if has_name { CallerKind::Consumer } else { CallerKind::Stranger };
        let mut kinds: Vec<CallerKind> = alternatives
            .iter()
            .flat_map(|all| if all.is_empty() { vec![stranger] } else { self.schemes.caller_kinds(all) })
            .collect();
        if alternatives.is_empty() {
            kinds.push(CallerKind::Stranger);
        }
        kinds.sort_unstable();
        kinds.dedup();
        let known = limits::Known { kinds, asks: !alternatives.is_empty(), is_own };
        self.limits.charge(entries, &header_text(place), who, &known, self.diagnostics)
    }

    /// A rule about consumers has to meet consumers: otherwise it says more than it does.
    fn check_consumers(
        &mut self,
        own: &Inheritable,
        inherited: &Inheritable,
        access: Option<&Access>,
        title: &str,
        at: Span,
    ) {
        let Some(access) = access else { return };
        let alternatives = match access {
            Access::Anyone { .. } => &[][..],
            Access::OneOf(alternatives) => alternatives,
        };
        let is_public = matches!(access, Access::Anyone { .. });
        let knows_consumers =
            alternatives.iter().flatten().any(|requirement| self.schemes.knows_consumers(requirement));
        // An operation that is public may leave alone what is said for all operations.
        let rules = if is_public { &own.consumers } else { &own.consumers.clone().or(inherited.consumers.clone()) };
        if rules.is_some() && !knows_consumers {
            let headline = format!("`consumers` of {title} never meets a consumer");
            self.diagnostics.push(
                Diagnostic::error(GW209, headline)
                    .at(at, "no scheme of its `security` knows consumers")
                    .help("ask for an API key in `security`, or remove `consumers`")
                    .because_of("consumers", title),
            );
        }
        let has_empty = alternatives.iter().any(Vec::is_empty);
        if let Some(anonymous) = own.anonymous.as_ref().filter(|_| !has_empty) {
            let headline = format!("`anonymous` of {title} never applies");
            self.diagnostics.push(
                Diagnostic::error(GW210, headline)
                    .at(anonymous.span, "its `security` has no alternative `{}`")
                    .help("write `security: [{key: []}, {}]`, or remove `anonymous`"),
            );
        }
    }

    /// What the gateway answers itself is not changed on its way to an upstream, and not for anyone who asks.
    fn check_builtin(
        &mut self,
        builtin: &Spanned<Option<BuiltinPolicy>>,
        own: &Inheritable,
        access: Option<&Access>,
        path: &ast::PathItem,
        operation: &ast::Operation,
    ) {
        let Inheritable { upstream, rewrite, request_headers, max_body, .. } = own;
        let stray = [
            ("upstream", upstream.is_some()),
            ("rewrite", rewrite.is_some()),
            ("requestHeaders", request_headers.is_some()),
            ("maxBody", max_body.is_some()),
        ];
        let title = title(path, operation);
        for (name, _) in stray.into_iter().filter(|(_, is_there)| *is_there) {
            self.diagnostics.push(
                Diagnostic::error(GW526, format!("{title} is answered by the gateway, so `{name}` means nothing"))
                    .at(builtin.span, "answers itself")
                    .help(format!("remove `builtin`, or remove `{name}`")),
            );
        }
        let (Some(policy), Some(access)) = (&builtin.value, access) else { return };
        self.check_endpoint(&Spanned::new(builtin.span, policy.clone()), access, path, operation);
        if !matches!(policy, BuiltinPolicy::JwtSign { .. }) {
            return;
        }
        if oauth::is_open(access) {
            self.diagnostics.push(
                Diagnostic::error(GW312, format!("anyone can have tokens signed by {title}"))
                    .at(builtin.span, "whoever knows a key, which every token shows, can make tokens for ever")
                    .help("ask for a credential in `security`; then each consumer gets tokens of its own credentials only")
                    .help("or accept it: `acceptRisk: [{lint: GW312, reason: …}]`"),
            );
        } else if let Access::OneOf(alternatives) = access
            && !alternatives.iter().flatten().any(|requirement| self.schemes.knows_consumers(requirement))
        {
            self.diagnostics.push(
                Diagnostic::error(GW209, format!("{title} signs for its caller, and never meets a consumer"))
                    .at(operation.span, "no scheme of its `security` knows consumers")
                    .help("ask for an API key or a password in `security`"),
            );
        }
    }

    /// `preflight: forward` is an operation like any other, so that a reviewer sees it.
    fn forward_preflight(&mut self, path: &ast::PathItem, inherited: &Inheritable, route: &mut Route) {
        let described = route.described.iter().any(|(method, _)| method == "OPTIONS");
        // A path that the gateway answers itself has no upstream to ask.
        let first = route.operations.iter().find_map(|operation| match &operation.action {
            Action::Forward { rewrite, .. } => Some((operation, rewrite)),
            Action::Answer(_) => None,
        });
        let (false, PreflightPolicy::Forward, Some((first, rewrite))) = (described, self.root.preflight, first) else {
            return;
        };
        let template = &route.template;
        let base = match rewrite {
            Rewrite::Received { base } | Rewrite::Regex { base, .. } => base.clone(),
            Rewrite::Path(_) => String::new(),
        };
        let parameters = first.parameters.clone();
        let title = format!("the preflight of `{}`", path.key.value);
        let upstream = self.upstreams.choose(&inherited.upstream, &title, path.key.span, self.diagnostics);
        let rewrite = self.rewrite(inherited.rewrite.as_ref(), &base, template, path.key.span);
        let (Some(upstream), Some(rewrite)) = (upstream, rewrite) else { return };
        let id = format!("OPTIONS {}", policy::path(route));
        route.described.push(("OPTIONS".into(), id.clone()));
        route.operations.push(Operation {
            id,
            method: "OPTIONS".into(),
            summary: String::new(),
            access: Access::Anyone { because: "preflight: forward" },
            action: Action::Forward { upstream, rewrite },
            parameters,
            listed_values: Vec::new(),
            request_headers: inherited.request_headers.clone().unwrap_or_default(),
            response_headers: inherited.response_headers.clone().unwrap_or_default(),
            max_body: inherited.max_body.unwrap_or(DEFAULT_MAX_BODY),
            consumers: ConsumerRules::default(),
            anonymous: Anonymous::default(),
            limits: Vec::new(),
            contested: false,
            span: path.key.span,
        });
    }

    /// A path's key: a template, and what `?` or `#` adds to it.
    fn path_key(&mut self, path: &ast::PathItem) -> Option<PathKey> {
        let key = &path.key;
        let text = key.value.as_str();
        if !text.starts_with('/') {
            return None; // Reported by the parser.
        }
        let mut depth = 0_usize;
        let end = text.find(|character| {
            match character {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && matches!(character, '?' | '#')
        });
        let (template, discriminator) = text.split_at(end.unwrap_or(text.len()));
        let mut when = Vec::new();
        for part in discriminator.split(['?', '#', '&']).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').map_or((part, None), |(name, value)| (name, Some(value)));
            let declared = declared_part(path, &decode_query(name));
            let condition = match declared {
                _ if name.is_empty() || part.contains(['{', '}']) => None,
                // A bare fragment that no parameter explains may mean anything.
                None if value.is_none() && !discriminator.starts_with('?') => None,
                declared => {
                    let part = declared.unwrap_or(Part::Query);
                    let name = decode_query(name);
                    // Two spellings of a header are one condition.
                    let name = if part == Part::Header { name.to_ascii_lowercase() } else { name };
                    Some(Condition { part, name, value: value.map(decode_query) })
                }
            };
            let Some(condition) = condition else {
                self.diagnostics.push(
                    Diagnostic::error(GW515, format!("`{discriminator}` does not tell requests apart"))
                        .at(key.span, "a fragment never reaches a server")
                        .help("`?name=value` selects by a query parameter, or by a header if the operation declares a parameter of this name `in: header`; otherwise describe the operations under paths of their own"),
                );
                return None;
            };
            let problem = (condition.part == Part::Header)
                .then(|| {
                    vocabulary::no_place_for_credentials(&condition.name, &self.root.identity_headers)
                        .or_else(|| vocabulary::not_forwarded(&condition.name))
                })
                .flatten();
            if let Some(problem) = problem {
                let written = decode_query(name);
                let headline = format!("the header `{}` cannot select an operation", written.escape_debug());
                self.diagnostics.push(Diagnostic::error(GW515, headline).at(key.span, problem));
                return None;
            }
            when.push(condition);
        }
        when.sort();
        match Template::parse(template) {
            Ok(template) => {
                let names: Vec<&str> = template.names().collect();
                if let Some((_, twice)) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
                    let headline = format!("the parameter `{{{twice}}}` stands twice in `{}`", key.value);
                    self.diagnostics.push(
                        Diagnostic::error(GW511, headline)
                            .at(key.span, "which of the two values is meant?")
                            .help("give each parameter of a path a name of its own (OpenAPI 3.2.0, section 4.8.2)"),
                    );
                }
                self.diagnostics.extend(foreign_path::check(key));
                Some(PathKey { template, when, span: key.span })
            }
            Err(error) => {
                self.report_template(key, error.kind, error.offset);
                None
            }
        }
    }

    fn report_template(&mut self, key: &Spanned<String>, kind: TemplateErrorKind, offset: usize) {
        // Most keys are plain scalars, so that an offset in the text is an offset in the file.
        let plain = (key.span.end - key.span.start) as usize == key.value.len();
        let start = key.span.start + u32::try_from(offset).unwrap_or_default();
        let span = if plain && start < key.span.end { Span::new(key.span.file, start, key.span.end) } else { key.span };
        let diagnostic =
            Diagnostic::error(GW511, format!("`{}` is not a path template", key.value)).at(span, kind.to_string());
        let help = foreign_path::check(key).map(|foreign| foreign.help).unwrap_or_default();
        self.diagnostics.push(help.into_iter().fold(diagnostic, Diagnostic::help));
    }

    fn template(&mut self, base: &str, key: &PathKey, parameters: &Parameters<'_>) -> Option<Template> {
        let greedy: Vec<_> = parameters.greedy().chain(key.template.greedy_names()).collect();
        match Template::parse(&format!("{base}{}", key.template)) {
            Ok(template) => Some(parameters.allow(template.with_greedy(&greedy))),
            Err(error) => {
                let headline = format!("the base path `{base}` of `servers` cannot stand before a path");
                self.diagnostics.push(Diagnostic::error(GW516, headline).at(key.span, error.to_string()));
                None
            }
        }
    }

    fn rewrite(
        &mut self,
        policy: Option<&RewritePolicy>,
        base: &str,
        template: &Template,
        at: Span,
    ) -> Option<Rewrite> {
        match policy {
            None => Some(Rewrite::Received { base: base.to_owned() }),
            Some(RewritePolicy::Regex { pattern, to }) => {
                Some(Rewrite::Regex { base: base.to_owned(), pattern: pattern.clone(), to: to.clone() })
            }
            Some(RewritePolicy::Path(path)) => {
                let missing = path.names().find(|name| !template.names().any(|known| known == *name));
                let Some(missing) = missing else { return Some(Rewrite::Path(path.value.clone())) };
                let headline = format!("`rewrite` uses `{{{missing}}}`, which `{template}` does not have");
                let diagnostic =
                    Diagnostic::error(GW524, headline).at(path.span, "no such parameter").also(at, "of this operation");
                self.diagnostics.push(diagnostic.did_you_mean(suggest(missing, template.names())));
                None
            }
        }
    }

    /// The `operationId` of an operation, unless another one has it before.
    fn own_name<'n>(&self, operation: &'n ast::Operation) -> Option<&'n str> {
        let id = operation.operation_id.as_ref()?;
        let is_first = self.first_of_name.get(id.value.as_str()).is_none_or(|first| *first == id.span);
        is_first.then_some(id.value.as_str())
    }

    /// Tools that make code of a document take the name for unique; what is compiled here calls the others by method and
    /// path.
    fn check_operation_ids(&mut self) {
        for (path, operation) in by_path(self.document) {
            let Some(id) = &operation.operation_id else { continue };
            let Some(first) = self.first_of_name.get(id.value.as_str()).filter(|first| **first != id.span) else {
                continue;
            };
            let headline = format!("two operations are called `{}`", id.value);
            let headline =
                format!("{headline}: `{} {}` is called by its method and path", operation.method, path.key.value);
            let diagnostic = Diagnostic::warning(GW514, headline).at(id.span, "the second").also(*first, "the first");
            self.diagnostics.push(diagnostic.help("give each operation a name of its own"));
        }
    }

    /// Whatever keeps an operation from being compiled is an error; if none was reported, the mistake is ours, and no
    /// gateway may come of it.
    fn check_nothing_lost(&mut self, routes: &[Route]) {
        // An operation's own place is not enough: two paths may share a path item by reference.
        let place = |route: &Route, operation: &Operation| (route.span, operation.span, operation.method.clone());
        let places =
            |route: &Route| -> Vec<_> { route.operations.iter().map(|operation| place(route, operation)).collect() };
        let compiled: BTreeSet<_> = routes.iter().flat_map(places).collect();
        let has_errors = self.diagnostics.has_errors();
        for path in &self.document.paths {
            let place = |operation: &ast::Operation| (path.key.span, operation.span, operation.method.clone());
            for operation in path.operations.iter().filter(|operation| !compiled.contains(&place(operation))) {
                if !has_errors && !self.reported_before(path, operation) {
                    let headline = format!(
                        "{} was not compiled, and no reason was given; this is a bug of gatewayc",
                        title(path, operation)
                    );
                    self.diagnostics.push(Diagnostic::error(GW199, headline).at(operation.span, "this operation"));
                }
            }
        }
    }

    /// The parser has refused a part of this operation.
    fn reported_before(&self, path: &ast::PathItem, operation: &ast::Operation) -> bool {
        let security = operation.security.as_ref().or(self.document.security.as_ref());
        !path.key.starts_with('/') || self.schemes.is_broken(security)
    }
}

/// All operations in an order that does not depend on that of the document.
fn by_path(document: &ast::Document) -> impl Iterator<Item = (&ast::PathItem, &ast::Operation)> {
    let paths = document.paths.iter();
    let mut operations: Vec<_> =
        paths.flat_map(|path| path.operations.iter().map(move |operation| (path, operation))).collect();
    operations.sort_by_key(|(path, operation)| (path.key.value.as_str(), operation.method.as_str()));
    operations.into_iter()
}

/// The part of a request in which a document declares a parameter of this name; the query, where it is in both.
fn declared_part(path: &ast::PathItem, name: &str) -> Option<Part> {
    let parameters = || path.operations.iter().flat_map(|operation| &operation.parameters).chain(&path.parameters);
    let in_query = parameters().any(|one| one.location == ast::ParameterLocation::Query && one.name.value == name);
    let in_header = parameters()
        .any(|one| one.location == ast::ParameterLocation::Header && one.name.value.eq_ignore_ascii_case(name));
    match (in_query, in_header) {
        (true, _) => Some(Part::Query),
        (false, true) => Some(Part::Header),
        (false, false) => None,
    }
}

struct PathKey {
    template: Template,
    when: Vec<Condition>,
    span: Span,
}

/// The path parameters of an operation; its own replace those of its path item.
struct Parameters<'a> {
    declared: Vec<&'a ast::Parameter>,
    greedy: Vec<&'a str>,
    /// What they take that servers read differently.
    allowances: Vec<(&'a str, Allowance)>,
}

/// The first parameter that takes more in one of two templates that are the same otherwise.
fn differently_allowed(one: &Template, other: &Template) -> Option<String> {
    let both = one.allowances().zip(other.allowances());
    both.into_iter().find(|(one, other)| one.1 != other.1).map(|((name, _), _)| name.to_owned())
}

impl<'a> Parameters<'a> {
    fn new(path: &'a ast::PathItem, operation: &'a ast::Operation, diagnostics: &mut Diagnostics) -> Self {
        let mut found = Self { declared: Vec::new(), greedy: Vec::new(), allowances: Vec::new() };
        for parameter in operation.parameters.iter().chain(&path.parameters) {
            let in_path = parameter.location == ast::ParameterLocation::Path;
            let place = if in_path { Place::PathParameter } else { Place::OtherParameter };
            let policy = parameter.gateway.as_ref().map(|node| vocabulary::parameter(node, place, diagnostics));
            let policy = policy.unwrap_or_default();
            let known = found.declared.iter().any(|other| other.name.value == parameter.name.value);
            if !in_path || known {
                continue;
            }
            found.declared.push(parameter);
            if policy.is_greedy || parameter.allow_reserved {
                found.greedy.push(&parameter.name);
            }
            // `/map/;point=50,20`: the semicolon is how the document writes the value.
            let of_style = if parameter.is_matrix { &[Ambiguous::Semicolon][..] } else { &[] };
            found.allowances.push((&parameter.name, policy.allowance.and(Allowance::of(of_style))));
        }
        found
    }

    fn greedy(&self) -> impl Iterator<Item = &str> {
        self.greedy.iter().copied()
    }

    /// The template with what its parameters take.
    fn allow(&self, template: Template) -> Template {
        self.allowances.iter().fold(template, |template, (name, allowance)| template.with_allowance(name, *allowance))
    }

    /// Every parameter of the template is declared, and the other way round.
    fn check(
        &self,
        template: &Template,
        path: &ast::PathItem,
        operation: &ast::Operation,
        diagnostics: &mut Diagnostics,
    ) {
        // What a reference that leads nowhere would have declared is not known.
        let complete = path.parameters_complete && operation.parameters_complete;
        let is_declared = |name: &str| self.declared.iter().any(|parameter| parameter.name.value == name);
        for name in template.names().filter(|name| complete && !is_declared(name)) {
            let headline = format!("`{{{name}}}` in `{}` is not declared under `parameters`", path.key.value);
            let declared = self
                .declared
                .iter()
                .map(|parameter| parameter.name.value.as_str())
                .filter(|known| !template.names().any(|name| name == *known));
            let diagnostic = Diagnostic::warning(GW512, headline)
                .at(path.key.span, "taken for text")
                .also(operation.span, "by this operation");
            diagnostics.push(diagnostic.did_you_mean(suggest(name, declared)));
        }
        for parameter in
            self.declared.iter().filter(|parameter| !template.names().any(|name| name == parameter.name.value))
        {
            let headline = format!("the path parameter `{}` is not in `{}`", parameter.name.value, path.key.value);
            diagnostics.push(
                Diagnostic::warning(GW513, headline)
                    .at(parameter.name.span, "never has a value")
                    .also(path.key.span, "the path"),
            );
        }
    }

    /// The values that `enum` lists, for parameters that have one.
    fn listed_values(&self, template: &Template, root: &Node) -> Vec<(String, Vec<String>)> {
        let declared =
            self.declared.iter().filter(|parameter| template.names().any(|name| name == parameter.name.value));
        let listed = declared.filter_map(|parameter| {
            let values = resolved(parameter.schema.as_ref()?, root)?.get("enum")?.as_sequence()?;
            let texts = values.iter().filter_map(|value| value.as_text().map(str::to_owned));
            Some((parameter.name.value.clone(), texts.collect()))
        });
        listed.collect()
    }

    /// Parameters with a type, in the order of the template.
    fn typed(&self, template: &Template, root: &Node) -> Vec<PathParameter> {
        let mut typed: Vec<PathParameter> = Vec::new();
        for name in template.names() {
            let declared = self.declared.iter().find(|parameter| parameter.name.value == name);
            let kind = declared.and_then(|parameter| kind(parameter.schema.as_ref()?, root));
            if let Some(kind) = kind
                && typed.iter().all(|other| other.name != name)
            {
                typed.push(PathParameter { name: name.to_owned(), kind });
            }
        }
        typed
    }
}

/// What a schema's references lead to, as far as it stands in the same document.
fn resolved<'n>(schema: &'n Node, root: &'n Node) -> Option<&'n Node> {
    let mut schema = schema;
    for _ in 0..16 {
        match schema.get("$ref").and_then(Node::as_str) {
            // `#` is the file that the reference stands in, which need not be this one.
            Some(_) if schema.span.file != root.span.file => return None,
            Some(reference) => schema = root.pointer(reference.strip_prefix('#')?)?,
            None => break,
        }
    }
    Some(schema)
}

/// The type of a schema.
fn kind(schema: &Node, root: &Node) -> Option<ParameterKind> {
    let given = resolved(schema, root)?.get("type")?;
    // From OpenAPI 3.1 on, types are a list as well.
    let word = match given.as_sequence() {
        Some([only]) => only.as_str()?,
        _ => given.as_str()?,
    };
    match word {
        "integer" => Some(ParameterKind::Integer),
        "number" => Some(ParameterKind::Number),
        "boolean" => Some(ParameterKind::Boolean),
        _ => None,
    }
}

/// No URL of the document that means something to the gateway may hold a secret.
fn check_urls(document: &ast::Document, diagnostics: &mut Diagnostics) {
    let paths = &document.paths;
    let operations = || paths.iter().flat_map(|path| &path.operations);
    let in_scheme = ["flows", "openIdConnectUrl", "x-gateway"];
    let schemes = document.schemes.iter();
    let schemes = schemes.flat_map(|scheme| in_scheme.iter().filter_map(|key| scheme.node.get(key)));
    let annotations = paths.iter().filter_map(|path| path.gateway.as_ref());
    let annotations = annotations.chain(operations().filter_map(|operation| operation.gateway.as_ref()));
    let servers = operations().filter_map(|operation| operation.node.get("servers"));
    let all = document.gateway.iter().chain(document.root.get("servers")).chain(annotations).chain(schemes);
    all.chain(servers).for_each(|node| vocabulary::check_urls(node, diagnostics));
    let servers = paths.iter().flat_map(|path| &path.servers);
    servers.for_each(|server| vocabulary::check_url(&server.url, diagnostics));
}

/// Reports what is wrong with `serverVariables` at the root and at servers, and variables that no server has.
fn check_servers(document: &ast::Document, root: &Root, diagnostics: &mut Diagnostics) {
    let paths = document.paths.iter();
    let below =
        paths.flat_map(|path| path.operations.iter().flat_map(|operation| &operation.servers).chain(&path.servers));
    let servers: Vec<&ast::Server> = document.servers.iter().chain(below).collect();
    for server in &servers {
        let Some(node) = &server.gateway else { continue };
        let given = vocabulary::server(node, diagnostics);
        unknown_variables(&given, &[server], diagnostics);
    }
    unknown_variables(&root.server_variables, &servers, diagnostics);
}

fn unknown_variables(given: &[Spanned<String>], servers: &[&ast::Server], diagnostics: &mut Diagnostics) {
    let has = |server: &&ast::Server, name: &str| server.url.value.contains(&format!("{{{name}}}"));
    for name in given.iter().filter(|name| !servers.iter().any(|server| has(server, name))) {
        let known = servers.iter().flat_map(|server| &server.variables).map(|variable| variable.name.value.as_str());
        let diagnostic = Diagnostic::error(GW102, format!("no server has the variable `{}`", name.value));
        diagnostics.push(diagnostic.at(name.span, "stands in no `url`").did_you_mean(suggest(name, known)));
    }
}

/// The upstreams of a document and which of them are used.
struct Upstreams {
    known: BTreeMap<String, Known>,
    /// Whether something is wrong with `upstream` that has been reported once.
    reported_missing: bool,
}

struct Known {
    policy: UpstreamPolicy,
    declared: Option<Span>,
    used: bool,
}

impl Upstreams {
    fn new(root: &Root, reported_missing: bool, diagnostics: &mut Diagnostics) -> Self {
        let mut known = BTreeMap::new();
        for (name, policy) in &root.upstreams {
            if name.value.is_empty() {
                diagnostics.push(Diagnostic::error(GW521, "an upstream needs a name").at(name.span, "empty"));
            }
            known.insert(name.value.clone(), Known { policy: policy.clone(), declared: Some(name.span), used: false });
        }
        Self { known, reported_missing }
    }

    /// The name of the upstream that a policy means.
    fn choose(
        &mut self,
        choice: &Option<UpstreamChoice>,
        who: &str,
        at: Span,
        diagnostics: &mut Diagnostics,
    ) -> Option<String> {
        match choice {
            Some(UpstreamChoice::Broken) => None,
            Some(UpstreamChoice::Named(name)) => {
                if let Some(known) = self.known.get_mut(&name.value) {
                    known.used = true;
                    return Some(name.value.clone());
                }
                let near = suggest(name, self.known.keys().map(String::as_str));
                let diagnostic = Diagnostic::error(GW521, format!("no upstream is called `{}`", name.value))
                    .at(name.span, "not in `upstreams` at the root");
                diagnostics.push(diagnostic.did_you_mean(near));
                None
            }
            Some(UpstreamChoice::Inline { name, policy }) => {
                // Two descriptions of one address may differ in their timeouts.
                let names = std::iter::once(name.clone()).chain((2..).map(|number| format!("{name} {number}")));
                let free = |name: &String| {
                    self.known.get(name).is_none_or(|known| known.declared.is_none() && known.policy == *policy)
                };
                let name = names.into_iter().find(free)?;
                self.known.insert(name.clone(), Known { policy: policy.clone(), declared: None, used: true });
                Some(name)
            }
            None => {
                if !self.reported_missing {
                    self.reported_missing = true;
                    diagnostics.push(
                        Diagnostic::error(GW520, format!("{who} has no upstream"))
                            .at(at, "where should it go?")
                            .help("write `upstream: {url: \"http://127.0.0.1:8080\"}` in `x-gateway` at the root, the path or the operation"),
                    );
                }
                None
            }
        }
    }

    /// The upstream of this address: one that the document describes, or one of its own.
    fn at(&mut self, policy: UpstreamPolicy) -> Option<String> {
        if let Some((name, known)) = self.known.iter_mut().find(|(_, known)| known.policy.url == policy.url) {
            known.used = true;
            return Some(name.clone());
        }
        let name = policy.url.split_once("://").map_or("", |(_, authority)| authority).to_owned();
        let choice = UpstreamChoice::Inline { name, policy };
        self.choose(&Some(choice), "", Span::default(), &mut Diagnostics::new())
    }

    fn used(self, diagnostics: &mut Diagnostics) -> Vec<Upstream> {
        let complete = !diagnostics.has_errors();
        let mut used = Vec::new();
        for (name, Known { policy, declared, used: is_used }) in self.known {
            if let (false, Some(span), true) = (is_used, declared, complete) {
                diagnostics.push(
                    Diagnostic::warning(GW522, format!("no operation uses the upstream `{name}`"))
                        .at(span, "never called"),
                );
            }
            if is_used {
                let UpstreamPolicy {
                    url,
                    connect_timeout,
                    response_timeout,
                    idle_timeout,
                    preserve_host,
                    paths,
                    locations,
                } = policy;
                used.push(Upstream {
                    name,
                    url,
                    preserve_host,
                    paths,
                    locations,
                    connect_timeout,
                    response_timeout,
                    idle_timeout,
                });
            }
        }
        used
    }
}

/// Text as far as a structured field can hold it (RFC 9651 §3.3.3).
fn header_text(text: &str) -> String {
    let plain = |letter: char| (' '..='~').contains(&letter) && letter != '"' && letter != '\\';
    text.chars().map(|letter| if plain(letter) { letter } else { '_' }).collect()
}

/// All operations of an API.
fn operations<'a>(routes: &'a mut [Route], rules: &'a mut [Rule]) -> Vec<&'a mut Operation> {
    let of_routes = routes.iter_mut().flat_map(|route| &mut route.operations);
    of_routes.chain(rules.iter_mut().filter_map(Rule::operation_mut)).collect()
}

/// The limits in an order that does not depend on that of the document.
fn in_order(limits: Vec<Limit>, mut operations: Vec<&mut Operation>) -> Vec<Limit> {
    let mut order: Vec<usize> = Vec::new();
    for limit in operations.iter().flat_map(|operation| &operation.limits).map(|charge| charge.limit) {
        if !order.contains(&limit) {
            order.push(limit);
        }
    }
    order.sort_by(|a, b| limits[*a].name.cmp(&limits[*b].name));
    for charge in operations.iter_mut().flat_map(|operation| &mut operation.limits) {
        charge.limit = order.iter().position(|limit| *limit == charge.limit).unwrap_or_default();
    }
    order.into_iter().map(|limit| limits[limit].clone()).collect()
}

/// Notes a risk that a document accepts, for the messages and for whoever reads what was compiled.
fn accept(diagnostics: &mut Diagnostics, acceptance: Acceptance, risks: &mut Vec<AcceptedRisk>) {
    let Acceptance { code, what, reason, .. } = &acceptance;
    risks.push(AcceptedRisk { lint: code.to_string(), what: what.clone(), reason: reason.clone() });
    diagnostics.accept(acceptance);
}

/// Where a message about a whole document points.
fn first_key(root: &Node) -> Span {
    root.as_mapping().and_then(|root| root.entries().first()).map_or(root.span, |entry| entry.key.span)
}

/// How messages call an operation.
pub(crate) fn title(path: &ast::PathItem, operation: &ast::Operation) -> String {
    match &operation.operation_id {
        Some(id) => format!("operation `{}`", id.value),
        None => format!("operation `{} {}`", operation.method, path.key.value),
    }
}

/// A name or value in a path key, which is written as in a URL.
fn decode_query(text: &str) -> String {
    let mut octets = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = after
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match (first, hex.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(octet)) => {
                octets.push(octet);
                rest = &after[2..];
                continue;
            }
            (b'+', _) => octets.push(b' '),
            (other, _) => octets.push(other),
        }
        rest = after;
    }
    String::from_utf8_lossy(&octets).into_owned()
}
