//! The list of operations of any document, annotated or not, as it is written: what a reader wants to see first.

use std::fmt::Write as _;

use gateway_terms::text_table::aligned;
use gateway_yaml::{Node, Position};

use crate::ast::{Document, Operation, PathItem, Security, Server};
use crate::diagnostic::{
    Code, Diagnostics, GW102, GW110, GW112, GW113, GW114, GW115, GW116, GW117, GW118, GW119, Severity,
};
use crate::source::SourceSet;

/// How the list is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TableFormat {
    /// Aligned columns.
    #[default]
    Table,
    /// A JSON array.
    Json,
    /// A Markdown table.
    Markdown,
}

/// One operation as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The method.
    pub method: String,
    /// The template behind each base path of `servers`.
    pub paths: Vec<String>,
    /// `operationId`.
    pub operation_id: Option<String>,
    /// Who may call, as an expression: `key or (basic and mtls) or jwt[notes:write]`, `public`, `none` where the
    /// document says nothing, `BROKEN` and `UNDEFINED(name)` where it says nothing that holds.
    pub security: String,
    /// `x-gateway.upstream`, nearest wins.
    pub upstream: Option<String>,
    /// The file of the operation.
    pub file: String,
    /// Where its method is.
    pub position: Position,
}

/// Lists all operations in the order of the documents.
#[must_use]
pub fn list(documents: &[Document], sources: &SourceSet<'_>) -> Vec<Route> {
    let mut routes = Vec::new();
    for document in documents {
        for path in &document.paths {
            routes.extend(path.operations.iter().map(|operation| route(document, path, operation, sources)));
        }
        let rules = document.gateway.as_ref().and_then(|gateway| gateway.get("rules")).and_then(Node::as_sequence);
        let rules = rules.unwrap_or_default().iter().enumerate();
        routes.extend(rules.filter_map(|(index, node)| rule(document, index, node, sources)));
    }
    routes
}

fn route(document: &Document, path: &PathItem, operation: &Operation, sources: &SourceSet<'_>) -> Route {
    let servers =
        [&operation.servers, &path.servers, &document.servers].into_iter().find(|servers| !servers.is_empty());
    let (file, position) = sources.locate(operation.span);
    let gateways = [&operation.gateway, &path.gateway, &document.gateway];
    Route {
        method: operation.method.clone(),
        paths: base_paths(servers).iter().map(|base| format!("{base}{}", path.key.value)).collect(),
        operation_id: operation.operation_id.as_ref().map(|id| id.value.clone()),
        security: expression(document, operation.security.as_ref().or(document.security.as_ref())),
        upstream: gateways.into_iter().flatten().find_map(upstream),
        file: file.to_owned(),
        position,
    }
}

/// A rule, which is tried after all paths.
fn rule(document: &Document, index: usize, node: &Node, sources: &SourceSet<'_>) -> Option<Route> {
    let pattern = node.get("match")?;
    let (file, position) = sources.locate(pattern.span);
    let member = |name: &str, under: &str| Some(node.get(name)?.get(under)?.as_text()?.to_owned());
    let proxy = node.get("proxy").and_then(Node::as_text);
    let target = proxy
        .map(str::to_owned)
        .or_else(|| member("redirect", "to").map(|to| format!("redirect {to}")))
        .or_else(|| member("respond", "status"))
        .or_else(|| Some(format!("rewrite {}", node.get("rewrite")?.as_text()?)));
    let security = document.rule_security.get(index).and_then(Option::as_ref);
    Some(Route {
        method: "ANY".to_owned(),
        paths: vec![pattern.as_text()?.to_owned()],
        operation_id: Some(format!("rule {}", index + 1)),
        security: if proxy.is_some() { expression(document, security) } else { "public".to_owned() },
        upstream: target,
        file: file.to_owned(),
        position,
    })
}

/// The distinct base paths; a base path that has a variable without a default is shown with the variable.
fn base_paths(servers: Option<&Vec<Server>>) -> Vec<String> {
    let mut paths = Vec::new();
    for server in servers.into_iter().flatten() {
        let path = server.base_path().unwrap_or_else(|| format!("<{}>", server.url.value));
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        paths.push(String::new());
    }
    paths
}

fn upstream(gateway: &Node) -> Option<String> {
    if let Some(builtin) = gateway.get("builtin").and_then(Node::as_text) {
        return Some(format!("builtin {builtin}"));
    }
    let upstream = gateway.get("upstream")?;
    upstream.as_text().or(upstream.get("url").and_then(Node::as_text)).map(str::to_owned)
}

fn expression(document: &Document, security: Option<&Security>) -> String {
    let alternatives = match security {
        None => return "none".into(),
        Some(Security::Broken(_)) => return "BROKEN".into(),
        Some(Security::AnyOf(alternatives)) => &alternatives.value,
    };
    if alternatives.iter().all(|alternative| alternative.requirements.is_empty()) {
        return "public".into();
    }
    let several = alternatives.len() > 1;
    let texts = alternatives.iter().map(|alternative| {
        let texts: Vec<String> = alternative
            .requirements
            .iter()
            .map(|requirement| {
                let name = &requirement.scheme.value;
                let text = match document.schemes.iter().find(|scheme| scheme.name.value == *name) {
                    None => format!("UNDEFINED({name})"),
                    Some(scheme) if scheme.kind.is_none() => format!("BROKEN({name})"),
                    Some(_) => name.clone(),
                };
                let scopes: Vec<&str> = requirement.scopes.iter().map(|scope| scope.value.as_str()).collect();
                if scopes.is_empty() { text } else { format!("{text}[{}]", scopes.join(" ")) }
            })
            .collect();
        match texts.len() {
            0 => "anonymous".into(),
            1 => texts.concat(),
            _ if several => format!("({})", texts.join(" and ")),
            _ => texts.join(" and "),
        }
    });
    texts.collect::<Vec<_>>().join(" or ")
}

/// What may be the reason that operations are missing from the list; nothing where none is missing.
#[must_use]
pub fn missing(documents: &[Document], diagnostics: &Diagnostics, sources: &SourceSet<'_>) -> Diagnostics {
    const REASONS: &[Code] = &[GW102, GW110, GW112, GW113, GW114, GW115, GW116, GW117, GW118, GW119];
    let mut reasons = Diagnostics::new();
    if documents.len() < sources.documents().len() || documents.iter().any(|document| !document.complete) {
        let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
        reasons.extend(errors.filter(|diagnostic| REASONS.contains(&diagnostic.code)).cloned());
    }
    reasons
}

const HEADINGS: [&str; 6] = ["METHOD", "PATH", "OPERATION", "SECURITY", "UPSTREAM", "SOURCE"];

/// The list as text.
#[must_use]
pub fn render(routes: &[Route], format: TableFormat) -> String {
    match format {
        TableFormat::Table => table(routes),
        TableFormat::Json => json(routes),
        TableFormat::Markdown => markdown(routes),
    }
}

impl Route {
    fn cells(&self) -> [String; 6] {
        [
            &*self.method,
            &*self.paths.join(", "),
            self.operation_id.as_deref().unwrap_or("-"),
            &*self.security,
            self.upstream.as_deref().unwrap_or("-"),
            &*format!("{}:{}", self.file, self.position.line),
        ]
        // A name of an operation may have line ends.
        .map(|cell| cell.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect())
    }
}

/// Aligned columns.
fn table(routes: &[Route]) -> String {
    let headings = HEADINGS.map(str::to_owned);
    let rows: Vec<[String; 6]> = std::iter::once(headings).chain(routes.iter().map(Route::cells)).collect();
    aligned(&rows, 2).iter().map(|line| format!("{line}\n")).collect()
}

fn markdown(routes: &[Route]) -> String {
    let mut output = format!("| {} |\n|{}\n", HEADINGS.join(" | "), "---|".repeat(HEADINGS.len()));
    for route in routes {
        let cells = route.cells().map(|cell| cell.replace('\\', "\\\\").replace('|', "\\|"));
        let _ = writeln!(output, "| {} |", cells.join(" | "));
    }
    output
}

fn json(routes: &[Route]) -> String {
    let objects: Vec<serde_json::Value> = routes
        .iter()
        .map(|route| {
            serde_json::json!({
                "method": route.method,
                "path": route.paths.first(),
                "paths": route.paths,
                "operationId": route.operation_id,
                "security": route.security,
                "upstream": route.upstream,
                "file": route.file,
                "line": route.position.line,
                "column": route.position.column,
            })
        })
        .collect();
    let mut output = serde_json::to_string_pretty(&objects).unwrap_or_default();
    output.push('\n');
    output
}
