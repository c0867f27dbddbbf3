//! Documents into the syntax tree: one bad part is reported and costs no other part.

mod contract;
mod keys;
mod members;
mod parser;
mod security;
mod strays;

use gateway_yaml::{Entry, ErrorKind, FileId, Node, Spanned, from_node, suggest};

use crate::ast::{
    Document, Operation, Parameter, ParameterLocation, PathItem, Security, Server, ServerVariable, Version,
};
use crate::diagnostic::{Diagnostic, Diagnostics, GW113, GW114, GW118, GW510};
use crate::examples;
use crate::resolve::Resolver;
use crate::schema::SchemaSet;
use crate::source::SourceSet;
use crate::vocabulary::Place;
use parser::{Parser, is_true};

/// Parses all entry documents of a set.
pub fn parse(sources: &mut SourceSet<'_>) -> (Vec<Document>, Diagnostics) {
    let files = sources.documents().to_vec();
    let mut parser = Parser {
        resolver: Resolver::new(sources),
        version: Version { major: 3, minor: 1 },
        schemes_complete: true,
        server_variables: None,
        complete: true,
        schemas: SchemaSet::default(),
        file: FileId(0),
        checks_responses: false,
        has_cors: false,
    };
    parser.resolver.report_strays();
    // A document may refer to another by its `$self`.
    for file in &files {
        parser.resolver.prepare(*file);
    }
    let documents = files.into_iter().filter_map(|file| parser.document(file)).collect();
    (documents, parser.resolver.diagnostics)
}

impl Parser<'_, '_> {
    fn document(&mut self, file: FileId) -> Option<Document> {
        if !self.resolver.prepare(file) {
            return None;
        }
        let source = self.resolver.sources.file(file);
        let path = source.display().to_owned();
        let name = self.resolver.sources.name(file).to_owned();
        let root = match source.content() {
            Ok(root) => root.clone(),
            Err(error) => {
                let headline = format!("`{path}` cannot be read: {error}");
                if source.errors().is_empty() {
                    self.report(Diagnostic::error(GW118, headline));
                }
                return None;
            }
        };
        self.complete = !source.errors().iter().any(|error| error.kind == ErrorKind::ManyDocuments);
        self.version = self.version(&root)?;
        self.schemes_complete = true;
        self.schemas = SchemaSet::default();
        self.file = file;
        self.checks_responses = contract::asks_for_responses(root.get("x-gateway"));
        self.has_cors = contract::has_cors(root.get("x-gateway"));
        self.check_keys(&root, "the document", keys::DOCUMENT);
        self.check_strays(&root, &strays::DOCUMENT);
        let title = self.title(&root);
        self.server_variables = root.get("x-gateway").and_then(|gateway| gateway.get("serverVariables")).cloned();
        let servers = self.servers(&root);
        let security = self.security(&root);
        let schemes = self.schemes(&root);
        let paths = self.paths(&root);
        let gateway = root.get("x-gateway").cloned();
        let rules = gateway.as_ref().and_then(|gateway| gateway.get("rules")).and_then(Node::as_sequence);
        let rule_security = rules.unwrap_or_default().iter().map(|rule| self.security(rule)).collect();
        let overlays = self.resolver.sources.file(file).overlays().to_vec();
        let document = Document {
            file,
            overlays,
            path,
            name,
            version: self.version,
            root,
            title,
            servers,
            security,
            schemes,
            gateway,
            rule_security,
            paths,
            schemas: std::mem::take(&mut self.schemas),
            complete: self.complete,
        };
        self.check_requirements(&document);
        Some(document)
    }

    /// The version, where the file is an OpenAPI document at all.
    fn version(&mut self, root: &Node) -> Option<Version> {
        let Some(mapping) = root.as_mapping() else {
            let headline = format!("this is not an OpenAPI document but {}", root.kind_name());
            self.report(Diagnostic::error(GW113, headline).at(root.span, "should start with `openapi: 3.1.0`"));
            return None;
        };
        if let Some(swagger) = mapping.entry("swagger") {
            let diagnostic = Diagnostic::error(GW113, "this is a Swagger 2.0 document, not OpenAPI 3")
                .at(swagger.key.span, "OpenAPI 3 documents have `openapi` here")
                .help("convert it to OpenAPI 3, for example with swagger2openapi");
            self.report(diagnostic);
            return None;
        }
        let Some(entry) = mapping.entry("openapi") else {
            let names = mapping.iter().map(|entry| &*entry.key.name);
            let misspelt = names.clone().find(|name| suggest(name, ["openapi"]).is_some());
            let at = match misspelt.and_then(|name| mapping.entry(name)) {
                Some(entry) => entry.key.span,
                None => mapping.entries().first().map_or(root.span, |entry| entry.key.span),
            };
            let diagnostic =
                Diagnostic::error(GW113, "this is not an OpenAPI document: it does not say `openapi: 3.…`");
            let diagnostic = diagnostic.at(at, "`openapi` is missing").did_you_mean(misspelt.map(|_| "openapi"));
            self.report(match mapping.get("overlay") {
                Some(_) => {
                    diagnostic.help("an overlay has the name of its document: `notes.overlay.yaml` for `notes.yaml`")
                }
                None => diagnostic,
            });
            return None;
        };
        let text = entry.value.as_text().unwrap_or_default();
        let minor = ["3.0", "3.1", "3.2"].iter().position(|known| {
            text.strip_prefix(known).is_some_and(|patch| patch.is_empty() || patch.starts_with(['.', '-']))
        });
        if minor.is_none() {
            let diagnostic =
                Diagnostic::error(GW113, format!("`{text}` is not a version of OpenAPI that is known here"))
                    .at(entry.value.span, "expected 3.0, 3.1 or 3.2");
            self.report(diagnostic);
        }
        // What else is wrong is worth knowing even where the version is.
        Some(Version { major: 3, minor: minor.map_or(1, |minor| minor as u8) })
    }

    fn title(&mut self, root: &Node) -> String {
        let Some(info) = root.get("info") else {
            self.missing(root, "the document", "info", "info: {title: …, version: \"1\"}");
            return String::new();
        };
        let Some(info) = self.resolver.follow(info) else { return String::new() };
        let Some(title) = info.get("title") else {
            if self.expect_mapping(&info, "`info`") {
                self.missing(&info, "`info`", "title", "title: …");
            }
            return String::new();
        };
        title.as_text().unwrap_or_default().to_owned()
    }

    fn paths(&mut self, root: &Node) -> Vec<PathItem> {
        let Some(entry) = root.as_mapping().and_then(|root| root.entry("paths")) else {
            if self.version.minor == 0 {
                self.missing(root, "the document", "paths", "paths: {}");
            }
            return Vec::new();
        };
        let Some(paths) = self.resolver.follow_adding(&entry.value) else {
            self.complete = false;
            return Vec::new();
        };
        if paths.is_null() {
            return Vec::new();
        }
        if !self.expect_mapping(&paths, "`paths`") {
            self.complete = false;
            return Vec::new();
        }
        let entries = paths.as_mapping().into_iter().flatten();
        let entries = entries.filter(|entry| !entry.key.name.starts_with("x-"));
        let items: Vec<Option<PathItem>> = entries.map(|entry| self.path_item(entry)).collect();
        self.complete &= items.iter().all(Option::is_some);
        items.into_iter().flatten().collect()
    }

    fn path_item(&mut self, entry: &Entry) -> Option<PathItem> {
        let key = Spanned::new(entry.key.span, String::from(&*entry.key.name));
        if !key.starts_with('/') && keys::belongs_under_a_path(&key) {
            let diagnostic =
                Diagnostic::error(GW510, format!("`{}` stands beside the paths, not under one", key.value))
                    .at(key.span, "not a path")
                    .help(format!("indent `{}` further, under the path that it belongs to", key.value));
            self.report(diagnostic);
            return None;
        }
        if !key.starts_with('/') {
            let diagnostic = Diagnostic::error(GW510, format!("the path `{}` does not start with `/`", key.value))
                .at(key.span, "not a path")
                .help(format!("did you mean `/{}`?", key.value));
            self.report(diagnostic);
        }
        let what = format!("the path item `{}`", key.value);
        if entry.value.is_null() {
            self.report(Diagnostic::warning(GW114, format!("{what} is empty")).at(key.span, "has no operations"));
        }
        let node = self.resolver.follow_adding(&entry.value)?;
        if !node.is_null() && !self.expect_mapping(&node, &what) {
            return None;
        }
        self.check_keys(&node, &what, keys::IN_PATH_ITEM);
        self.check_strays(&node, &strays::PATH_ITEM);
        let (parameters, parameters_complete) = self.parameters(&node, &what);
        let servers = self.servers(&node);
        let around = (self.checks_responses, self.has_cors);
        self.checks_responses |= contract::asks_for_responses(node.get("x-gateway"));
        self.has_cors |= contract::has_cors(node.get("x-gateway"));
        let mut operations = self.operations(&key, &node);
        (self.checks_responses, self.has_cors) = around;
        // OpenAPI has no `security` here, which has been reported; its author did not mean operations to be open.
        let misplaced = node.as_mapping().into_iter().flatten().find(|entry| keys::resembles_security(&entry.key.name));
        if let Some(Entry { key, .. }) = misplaced {
            for operation in operations.iter_mut().filter(|operation| operation.security.is_none()) {
                operation.security = Some(Security::Broken(key.span));
            }
        }
        Some(PathItem {
            key,
            span: node.span,
            servers,
            parameters,
            parameters_complete,
            gateway: node.get("x-gateway").cloned(),
            operations,
        })
    }

    fn operations(&mut self, path: &str, item: &Node) -> Vec<Operation> {
        let mut operations = Vec::new();
        for entry in item.as_mapping().into_iter().flatten() {
            match &*entry.key.name {
                "query" if self.version.minor < 2 => {
                    let diagnostic = Diagnostic::error(GW114, format!("`query` under `{path}` needs OpenAPI 3.2"))
                        .at(entry.key.span, "not a method of this version")
                        .help("write `openapi: 3.2.0` at the top of the document");
                    self.report(diagnostic);
                    self.operation(path, "QUERY".into(), entry, &mut operations);
                }
                // `GET` has been reported as an unknown key; a reader wants to see it all the same.
                name if keys::METHODS.contains(&&*name.to_ascii_lowercase()) => {
                    self.operation(path, name.to_ascii_uppercase(), entry, &mut operations);
                }
                "additionalOperations" => self.additional_operations(path, entry, &mut operations),
                name if keys::PATH_ITEM.contains(&name) || name.starts_with("x-") => {}
                // `gett` was to be an operation.
                name => {
                    let misspelt = suggest(name, keys::METHODS.iter().copied()).is_some();
                    self.complete &= !misspelt && !keys::resembles_operation(&entry.value);
                }
            }
        }
        operations
    }

    fn additional_operations(&mut self, path: &str, entry: &Entry, operations: &mut Vec<Operation>) {
        if self.version.minor < 2 {
            let headline = format!("`additionalOperations` under `{path}` needs OpenAPI 3.2");
            let diagnostic = Diagnostic::error(GW114, headline).at(entry.key.span, "means nothing in this version");
            self.report(diagnostic.help("write `openapi: 3.2.0` at the top of the document"));
        }
        let Some(additional) = self.resolver.follow_adding(&entry.value) else {
            self.complete = false;
            return;
        };
        if !self.expect_mapping(&additional, "`additionalOperations`") {
            self.complete = false;
            return;
        }
        self.check_strays(&additional, &strays::ADDITIONAL_OPERATIONS);
        for entry in additional.as_mapping().into_iter().flatten() {
            let method = String::from(&*entry.key.name);
            if method.starts_with("x-") {
                continue;
            }
            let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
            if method.is_empty() || !method.chars().all(is_token) {
                let headline = format!("`{method}` is not a method of HTTP");
                self.report(Diagnostic::error(GW114, headline).at(entry.key.span, "letters, digits and hyphens only"));
            } else if keys::METHODS.contains(&&*method.to_ascii_lowercase()) {
                let lower = method.to_ascii_lowercase();
                let headline = format!("`{method}` stands under `additionalOperations` but has a key of its own");
                let diagnostic = Diagnostic::error(GW114, headline).at(entry.key.span, "a method that OpenAPI knows");
                self.report(diagnostic.help(format!("write `{lower}:` directly under the path")));
            } else if method.eq_ignore_ascii_case("connect") {
                let headline = format!("`{method}` asks for a tunnel, which is not an operation on `{path}`");
                self.report(Diagnostic::error(GW114, headline).at(entry.key.span, "cannot be forwarded"));
            }
            self.operation(path, method, entry, operations);
        }
    }

    fn operation(&mut self, path: &str, method: String, entry: &Entry, operations: &mut Vec<Operation>) {
        match self.parse_operation(path, method, entry) {
            Some(operation) => operations.push(operation),
            None => self.complete = false,
        }
    }

    fn parse_operation(&mut self, path: &str, method: String, entry: &Entry) -> Option<Operation> {
        let what = format!("the operation `{method} {path}`");
        let node = self.resolver.follow_adding(&entry.value)?;
        if !self.expect_mapping_under(&node, &what, entry.key.span) {
            return None;
        }
        self.check_keys(&node, &what, keys::IN_OPERATION);
        self.check_strays(&node, &strays::OPERATION);
        let operation_id = node.get("operationId").and_then(|id| match id.as_text() {
            Some(text) => Some(Spanned::new(id.span, text.to_owned())),
            None => {
                let headline = format!("the `operationId` of `{method} {path}` is {}", id.kind_name());
                self.report(Diagnostic::error(GW114, headline).at(id.span, "expected text"));
                None
            }
        });
        let (parameters, parameters_complete) = self.parameters(&node, &what);
        let body = self.request_body(&node);
        let (responses, responses_notes) = self.responses(&node);
        let response_fields = self.response_fields(&node);
        let builtin = node.get("x-gateway").and_then(|gateway| gateway.get("builtin")).and_then(Node::as_str);
        let examples =
            if builtin == Some("mock") { examples::described(&node, &mut self.resolver) } else { Vec::new() };
        Some(Operation {
            body,
            examples,
            responses,
            responses_notes,
            response_fields,
            span: entry.key.span,
            operation_id,
            summary: node.get("summary").and_then(Node::as_text).map(str::to_owned),
            parameters,
            parameters_complete,
            servers: self.servers(&node),
            security: self.security(&node),
            gateway: node.get("x-gateway").cloned(),
            method,
            node,
        })
    }

    /// The parameters, and whether all of them could be read.
    fn parameters(&mut self, node: &Node, what: &str) -> (Vec<Parameter>, bool) {
        let Some(list) = self.list(node, "parameters", what) else {
            return (Vec::new(), node.get("parameters").is_none_or(Node::is_null));
        };
        let parameters: Vec<Parameter> = list.iter().filter_map(|item| self.parameter(item)).collect();
        let complete = parameters.len() == list.len();
        (parameters, complete)
    }

    fn parameter(&mut self, item: &Node) -> Option<Parameter> {
        let node = self.resolver.follow(item)?;
        if !self.expect_mapping(&node, "a parameter") {
            return None;
        }
        let Some((name, text)) = node.get("name").and_then(|name| Some((name, name.as_text()?))) else {
            let diagnostic = Diagnostic::error(GW114, "this parameter has no `name`");
            self.report(diagnostic.at(node.span, "`name` is missing or is not text"));
            return None;
        };
        const LOCATIONS: [(&str, ParameterLocation); 5] = [
            ("path", ParameterLocation::Path),
            ("query", ParameterLocation::Query),
            ("header", ParameterLocation::Header),
            ("cookie", ParameterLocation::Cookie),
            ("querystring", ParameterLocation::QueryString),
        ];
        let given = node.get("in").and_then(Node::as_text);
        let Some(&(_, location)) = LOCATIONS.iter().find(|(word, _)| given == Some(*word)) else {
            let at = node.get("in").map_or(node.span, |given| given.span);
            let near = given.and_then(|word| suggest(word, LOCATIONS.map(|(word, _)| word)));
            let diagnostic = Diagnostic::error(GW114, format!("the parameter `{text}` does not say where it is"))
                .at(at, "`in` should be `path`, `query`, `header` or `cookie`")
                .did_you_mean(near);
            self.report(diagnostic);
            return None;
        };
        let place = match location {
            ParameterLocation::Path => Place::PathParameter,
            _ => Place::OtherParameter,
        };
        self.check_parameter_keys(&node, &format!("the parameter `{text}`"), place);
        self.check_beside_reference(item);
        self.check_strays(&node, &strays::PARAMETER);
        let mut notes = Vec::new();
        let (written, checked) = self.written(&node, text, location, &mut notes);
        Some(Parameter {
            span: node.span,
            name: Spanned::new(name.span, text.to_owned()),
            location,
            schema: node.get("schema").cloned(),
            required: node.get("required").is_some_and(is_true),
            allow_reserved: node.get("allowReserved").is_some_and(is_true),
            may_be_empty: node.get("allowEmptyValue").is_some_and(is_true),
            written,
            checked,
            notes,
            gateway: node.get("x-gateway").cloned(),
        })
    }

    fn servers(&mut self, node: &Node) -> Vec<Server> {
        let Some(list) = self.list(node, "servers", "this object") else { return Vec::new() };
        list.iter().filter_map(|item| self.server(item)).collect()
    }

    fn server(&mut self, item: &Node) -> Option<Server> {
        let node = self.resolver.follow(item)?;
        if let Some(url) = node.as_text() {
            let diagnostic = Diagnostic::error(GW114, "a server is text, not a mapping");
            self.report(diagnostic.at(node.span, "expected a mapping").help(format!("write `{{url: {url}}}`")));
            return None;
        }
        if !self.expect_mapping(&node, "a server") {
            return None;
        }
        let Some((url, text)) = node.get("url").and_then(|url| Some((url, url.as_text()?))) else {
            self.report(
                Diagnostic::error(GW114, "this server has no `url`").at(node.span, "`url` is missing or is not text"),
            );
            return None;
        };
        let variables = node.get("variables").and_then(Node::as_mapping).into_iter().flatten();
        let variables =
            variables.filter(|entry| !entry.key.name.starts_with("x-")).filter_map(|entry| self.variable(entry));
        let mut variables: Vec<ServerVariable> = variables.collect();
        let gateway = node.get("x-gateway").cloned();
        let given = gateway.as_ref().and_then(|gateway| gateway.get("serverVariables")).cloned();
        for given in [self.server_variables.clone(), given].into_iter().flatten() {
            for Entry { key, value } in given.as_mapping().into_iter().flatten() {
                // What `serverVariables` says replaces a default and an `enum`; what is wrong with it is
                // reported where `x-gateway` is read.
                let Some(value) = value.as_text().filter(|_| text.contains(&format!("{{{}}}", key.name))) else {
                    continue;
                };
                let name = Spanned::new(key.span, key.name.to_string());
                variables.retain(|variable| variable.name.value != name.value);
                variables.push(ServerVariable { name, default: Some(value.to_owned()), values: Vec::new() });
            }
        }
        self.check_extensions(&node, "a server", Some(Place::Server));
        Some(Server { span: node.span, url: Spanned::new(url.span, text.to_owned()), variables, gateway })
    }

    fn variable(&mut self, entry: &Entry) -> Option<ServerVariable> {
        let name = Spanned::new(entry.key.span, String::from(&*entry.key.name));
        let without_default = entry.value.as_mapping().is_some_and(|variable| variable.get("default").is_none());
        if without_default {
            return Some(ServerVariable { name, default: None, values: Vec::new() });
        }
        match from_node::<openapiv3::ServerVariable>(&keys::only(&entry.value, &["default", "enum"])) {
            Ok(variable) => {
                let values = variable.enumeration;
                Some(ServerVariable { name, default: Some(variable.default), values })
            }
            Err(error) => {
                let headline = format!("the server variable `{}` is not well-formed", name.value);
                self.report(Diagnostic::error(GW114, headline).at(error.span, error.message));
                None
            }
        }
    }
}
