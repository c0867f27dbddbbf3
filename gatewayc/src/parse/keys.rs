//! Which keys OpenAPI knows where, and what is said of others: a misspelt key must never mean "not there".

use std::sync::Arc;

use gateway_yaml::{Mapping, Node, Value, suggest};

use super::Parser;
use crate::diagnostic::{Diagnostic, GW102};

pub(super) static ROOT: &[&str] = &[
    "openapi",
    "$self",
    "info",
    "jsonSchemaDialect",
    "servers",
    "paths",
    "webhooks",
    "components",
    "security",
    "tags",
    "externalDocs",
];

pub(super) static METHODS: &[&str] = &["get", "put", "post", "delete", "options", "head", "patch", "trace", "query"];

pub(super) static PATH_ITEM: &[&str] = &[
    "$ref",
    "summary",
    "description",
    "servers",
    "parameters",
    "get",
    "put",
    "post",
    "delete",
    "options",
    "head",
    "patch",
    "trace",
    "query",
    "additionalOperations",
];

pub(super) static OPERATION: &[&str] = &[
    "$ref",
    "tags",
    "summary",
    "description",
    "externalDocs",
    "operationId",
    "parameters",
    "requestBody",
    "responses",
    "callbacks",
    "deprecated",
    "security",
    "servers",
];

pub(super) static COMPONENTS: &[&str] = &[
    "$ref",
    "schemas",
    "responses",
    "parameters",
    "examples",
    "requestBodies",
    "headers",
    "securitySchemes",
    "links",
    "callbacks",
    "pathItems",
    "mediaTypes",
];

pub(super) static SECURITY_SCHEME: &[&str] = &[
    "$ref",
    "type",
    "description",
    "name",
    "in",
    "scheme",
    "bearerFormat",
    "flows",
    "openIdConnectUrl",
    "oauth2MetadataUrl",
    "deprecated",
];

impl Parser<'_, '_> {
    /// Reports keys that mean nothing in this object.
    pub(super) fn check_keys(&mut self, node: &Node, what: &str, known: &'static [&'static str]) {
        let under_operation = std::ptr::eq(known, PATH_ITEM) || std::ptr::eq(known, OPERATION);
        for entry in node.as_mapping().into_iter().flatten() {
            let name = &*entry.key.name;
            if known.contains(&name) || name.starts_with("x-") || is_nearly_ours(name) {
                continue;
            }
            let headline = format!("unknown key `{}` in {what}", shorten(name));
            // A key that resembles a known one is a mistake; one that resembles none is decoration, which real
            // documents have.
            let diagnostic = match suggest(name, known.iter().copied()) {
                Some(near) => Diagnostic::error(GW102, headline)
                    .at(entry.key.span, "means nothing here")
                    .help(format!("did you mean `{near}`?")),
                None if resembles_security(name) || (under_operation && speaks_of_security(name)) => {
                    Diagnostic::error(GW102, headline)
                        .at(entry.key.span, "protects nothing here")
                        .help("write `security` under each operation, or at the root for all of them")
                }
                None if name == "<<" => Diagnostic::error(GW102, headline)
                    .at(entry.key.span, "merges nothing in quotes")
                    .help("write `<<` without quotes"),
                None if std::ptr::eq(known, PATH_ITEM) && resembles_operation(&entry.value) => {
                    Diagnostic::error(GW102, headline).at(entry.key.span, "not a method that OpenAPI knows").help(
                        format!(
                            "OpenAPI 3.2 has other methods under `additionalOperations: {{{}: …}}`",
                            name.to_uppercase()
                        ),
                    )
                }
                None => Diagnostic::warning(GW102, headline)
                    .at(entry.key.span, "means nothing here")
                    .help("an extension starts with `x-`"),
            };
            self.report(diagnostic);
        }
        self.check_gateway_spelling(node);
    }

    /// Reports an extension whose name is nearly ours: whoever wrote it believes that it holds.
    pub(super) fn check_gateway_spelling(&mut self, node: &Node) {
        for entry in node.as_mapping().into_iter().flatten() {
            let name = &*entry.key.name;
            if is_nearly_ours(name) {
                let diagnostic = Diagnostic::error(GW102, format!("unknown key `{name}`"))
                    .at(entry.key.span, "means nothing here")
                    .help("did you mean `x-gateway`?");
                self.report(diagnostic);
            }
        }
    }
}

/// Whether whoever wrote this key meant `x-gateway`.
pub(super) fn is_nearly_ours(name: &str) -> bool {
    name.starts_with(['x', 'X']) && (4..=12).contains(&name.len()) && suggest(name, ["x-gateway"]).is_some()
}

/// Whether this is an operation, whatever its key.
pub(super) fn resembles_operation(node: &Node) -> bool {
    node.get("responses").or(node.get("operationId")).is_some()
}

/// Whether whoever wrote this key meant `security`.
pub(super) fn resembles_security(name: &str) -> bool {
    !name.starts_with("x-") && (name == "security" || suggest(name, ["security"]).is_some())
}

/// Whether this key speaks of who may call, in other words than OpenAPI does.
fn speaks_of_security(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("securit") || ["auth", "authentication", "authorization", "sec"].contains(&&*name)
}

/// A mapping with only some of its keys: what typed leaves are read from.
pub(super) fn only(node: &Node, keys: &[&str]) -> Node {
    let Some(mapping) = node.as_mapping() else { return node.clone() };
    let wanted = mapping.iter().filter(|entry| keys.contains(&&*entry.key.name) && !entry.value.is_null());
    Node { span: node.span, value: Value::Mapping(Arc::new(Mapping::new(wanted.cloned().collect()))) }
}

fn shorten(name: &str) -> String {
    match name.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}
