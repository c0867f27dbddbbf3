//! From what documents say to what the gateway does: inheritance, defaults and security are decided here.

mod base_path;
mod browsers;
mod cache;
mod checked_schemas;
mod contract;
mod foreign_path;
mod https;
mod limits;
mod located;
mod lowering;
mod merge;
mod naming;
mod oauth;
mod operations;
mod parameters;
mod path_key;
mod public;
mod risks;
mod rules;
mod samples;
mod scheme;
mod security;
mod split;
mod static_files;
mod upgrade;
mod upstreams;
mod urls;

use std::collections::{BTreeMap, BTreeSet};

use gateway_yaml::{Node, Span};

use crate::ast;
use crate::diagnostic::{Diagnostic, Diagnostics, GW105, GW106, GW199, GW514};
use crate::ir::{Api, ErrorFormat, Gateway, Limit, Operation, Route, Rule};
use crate::readings;
use crate::source::SourceSet;
use crate::vocabulary::{self, Root};
use checked_schemas::CheckedSchemas;
use limits::Limits;
use lowering::Lowering;
pub(crate) use merge::takes_the_same;
use naming::{first_key, title};
use security::Schemes;
use static_files::Shelf;
use upstreams::Upstreams;

/// Lowers all documents, with the files that they serve. What cannot be lowered has been reported.
pub fn lower(documents: &[ast::Document], sources: &SourceSet<'_>) -> (Gateway, Diagnostics) {
    let mut diagnostics = Diagnostics::new();
    let lowered = documents.iter().map(|document| Lowering::of(document, sources, &mut diagnostics));
    let mut apis: Vec<Api> = lowered.collect();
    for (index, document) in documents.iter().enumerate() {
        if let Some(other) = documents[..index].iter().find(|other| other.name == document.name) {
            let headline = format!("`{}` and `{}` are both called `{}`", other.path, document.path, document.name);
            diagnostics.push(
                Diagnostic::error(GW106, headline)
                    .at(first_key(&document.root), "the second")
                    .also(first_key(&other.root), "the first"),
            );
        }
    }
    apis.sort_by(|a, b| a.name.cmp(&b.name));
    (Gateway { apis, place: sources.place() }, diagnostics)
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
        urls::check_servers(document, &root, diagnostics);
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
            checked: CheckedSchemas::default(),
        };
        let accepted = std::mem::take(&mut lowering.root.inheritable.accepted);
        let whole_files = document.overlays.iter().map(|overlay| Span::new(*overlay, 0, u32::MAX));
        lowering.accept(accepted, "the document", whole_files.chain([document.root.span]).collect());
        if let Some(server) = &mut lowering.root.authorization_server {
            let (accepted, scope) = (std::mem::take(&mut server.accepted), vec![server.at, server.scope]);
            lowering.accept(accepted, "the authorization server", scope);
        }
        let mut routes: Vec<Route> = document.paths.iter().flat_map(|path| lowering.path_item(path)).collect();
        routes.sort_by_cached_key(|route| (route.template.to_string(), route.when.clone()));
        let mut rules = lowering.rules();
        let authorization_server = lowering.authorization_server();
        lowering.check_operation_ids();
        lowering.check_public(sources);
        lowering.check_nothing_lost(&routes);
        let mut routes = merge::merge(routes);
        merge::unmask(&mut routes);
        let Lowering { diagnostics, root, schemes, upstreams, limits, mut risks, checked, .. } = lowering;
        risks.sort();
        let limits = in_order(limits.used(diagnostics), operations(&mut routes, &mut rules));
        let upstreams = upstreams.used(diagnostics);
        let gives_tokens = authorization_server.is_some();
        let https = root.https.as_ref().map(|policy| https::lower(policy, gives_tokens, document, diagnostics));
        urls::check_urls(document, diagnostics);
        let shared = document.gateway.as_ref().and_then(|gateway| gateway.get("limits")).and_then(Node::as_mapping);
        let shared = shared.into_iter().flatten().map(|entry| (entry.key.name.to_string(), entry.value.span));
        let mut api = Api {
            limit_places: shared.collect(),
            name: document.name.clone(),
            title: document.title.clone(),
            source: document.path.clone(),
            overlays: document.overlays.iter().map(|file| sources.file(*file).display().to_owned()).collect(),
            routes,
            rules,
            upstreams,
            schemes: schemes.used(diagnostics),
            schemas: samples::check(document, &checked, diagnostics),
            identity_headers: root.identity_headers,
            error_format: root.error_format.unwrap_or(ErrorFormat::Message),
            error_bodies: root.error_bodies,
            limits,
            https,
            cors: browsers::cors(&root.inheritable, browsers::DescribedFields::default()),
            security_headers: root.inheritable.security_headers.clone().unwrap_or_default(),
            authorization_server,
            accepted_risks: risks,
        };
        contract::note_credentials(&mut api);
        browsers::complete(&mut api);
        upgrade::complete(&mut api, document, diagnostics);
        browsers::check_preflight(root.preflight, document, &api, diagnostics);
        readings::mark_contested(&mut api);
        api
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
