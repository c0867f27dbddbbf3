//! Which keys OpenAPI knows where, and what is said of others: a misspelt key must never mean "not there".

use std::sync::Arc;

use gateway_yaml::{Mapping, Node, Value, suggest};

use crate::diagnostic::{Diagnostic, GW102};
use crate::parse::members;
use crate::parse::parser::Parser;
use crate::vocabulary::Place;

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

pub(super) static PARAMETER: &[&str] = &[
    "$ref",
    "name",
    "in",
    "description",
    "required",
    "deprecated",
    "allowEmptyValue",
    "style",
    "explode",
    "allowReserved",
    "schema",
    "example",
    "examples",
    "content",
];

/// An object of OpenAPI whose keys are checked.
#[derive(Clone, Copy)]
pub(super) struct Keys {
    known: &'static [&'static str],
    /// Where its `x-gateway` is.
    place: Option<Place>,
}

pub(super) static DOCUMENT: Keys = Keys { known: ROOT, place: Some(Place::Root) };
pub(super) static IN_PATH_ITEM: Keys = Keys { known: PATH_ITEM, place: Some(Place::PathItem) };
pub(super) static IN_OPERATION: Keys = Keys { known: OPERATION, place: Some(Place::Operation) };
pub(super) static IN_COMPONENTS: Keys = Keys { known: COMPONENTS, place: None };
pub(super) static IN_SCHEME: Keys = Keys { known: SECURITY_SCHEME, place: Some(Place::Scheme) };

impl Parser<'_, '_> {
    /// Reports keys that mean nothing in this object.
    pub(super) fn check_keys(&mut self, node: &Node, what: &str, keys: Keys) {
        let Keys { known, place } = keys;
        let under_operation = matches!(place, Some(Place::PathItem | Place::Operation));
        for entry in node.as_mapping().into_iter().flatten() {
            let name = &*entry.key.name;
            if known.contains(&name) || is_extension(name) || is_nearly_ours(name) {
                continue;
            }
            if let Some(stray) = members::stray(name, place) {
                self.stray_member(&entry.key, what, place, &stray);
                continue;
            }
            let headline = format!("unknown key `{}` in {what}", shorten(name));
            // A key that resembles a known one is a mistake; one that resembles none is decoration, which real
            // documents have.
            let diagnostic = match suggest(name, known.iter().copied()) {
                _ if name.eq_ignore_ascii_case("gateway") && place.is_some() => Diagnostic::error(GW102, headline)
                    .at(entry.key.span, "means nothing here")
                    .help("did you mean `x-gateway`?"),
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
                None if let Some(owner) = owner(name, known) => {
                    // With an operation inside, an operation would be lost.
                    let diagnostic = match resembles_operation(&entry.value) || name.starts_with('/') {
                        true => Diagnostic::error(GW102, headline),
                        false => Diagnostic::warning(GW102, headline),
                    };
                    diagnostic.at(entry.key.span, "means nothing here").help(owner)
                }
                None if place == Some(Place::PathItem) && resembles_operation(&entry.value) => {
                    Diagnostic::error(GW102, headline).at(entry.key.span, "not a method that OpenAPI knows").help(
                        format!(
                            "OpenAPI 3.2 has other methods under `additionalOperations: {{{}: …}}`",
                            name.to_uppercase()
                        ),
                    )
                }
                None if let Some(stray) = members::resembling(name) => {
                    self.stray_member(&entry.key, what, place, &stray);
                    continue;
                }
                None => Diagnostic::warning(GW102, headline)
                    .at(entry.key.span, "means nothing here")
                    .help("an extension starts with `x-`"),
            };
            self.report(diagnostic.because_of(shorten(name), what));
        }
        self.check_extensions(node, what, place);
    }

    /// Reports members of `x-gateway` beside it in a parameter, whose other keys decide nothing about who may call.
    pub(super) fn check_parameter_keys(&mut self, node: &Node, what: &str, place: Place) {
        for entry in node.as_mapping().into_iter().flatten() {
            let name = &*entry.key.name;
            if PARAMETER.contains(&name) || is_extension(name) {
                continue;
            }
            if let Some(stray) = members::stray(name, Some(place)).or_else(|| members::resembling(name)) {
                self.stray_member(&entry.key, what, Some(place), &stray);
            }
        }
        self.check_extensions(node, what, Some(place));
    }

    /// Reports extensions that resemble `x-gateway` or a member of it: their author may expect them to work.
    pub(super) fn check_extensions(&mut self, node: &Node, what: &str, place: Option<Place>) {
        for entry in node.as_mapping().into_iter().flatten() {
            let name = &*entry.key.name;
            if is_nearly_ours(name) {
                let diagnostic = Diagnostic::error(GW102, format!("unknown key `{name}`"))
                    .at(entry.key.span, "means nothing here")
                    .help("did you mean `x-gateway`?");
                self.report(diagnostic);
            } else if name != "x-gateway"
                && is_extension(name)
                && let Some(stray) = members::stray(name, place)
            {
                self.stray_member(&entry.key, what, place, &stray);
            }
        }
    }
}

/// Whether OpenAPI leaves the meaning of this key to others.
fn is_extension(name: &str) -> bool {
    name.starts_with("x-")
}

/// Whether a key beside the paths is one of those that stand under them: a method, or what a path item has.
pub(super) fn belongs_under_a_path(name: &str) -> bool {
    METHODS.contains(&&*name.to_ascii_lowercase()) || PATH_ITEM.contains(&name) || OPERATION.contains(&name)
}

/// Whether the author of this key meant `x-gateway`.
pub(super) fn is_nearly_ours(name: &str) -> bool {
    name.starts_with(['x', 'X']) && (4..=12).contains(&name.len()) && suggest(name, ["x-gateway"]).is_some()
}

/// What to do with a key of OpenAPI that belongs into another object than one with these keys.
fn owner(name: &str, known: &'static [&'static str]) -> Option<String> {
    let is_in = |object: &'static [&'static str]| std::ptr::eq(known, object);
    let lower = name.to_ascii_lowercase();
    if name.starts_with('/') {
        return Some(format!("`{}` stands under `paths`: check its indentation", shorten(name)));
    }
    if METHODS.contains(&&*lower) {
        return Some(format!("`{name}` stands under a path: check its indentation"));
    }
    if is_in(PATH_ITEM) && OPERATION.contains(&name) {
        return Some(format!("`{name}` belongs to an operation: indent it under a method such as `get`"));
    }
    if is_in(OPERATION) && (name == "default" || (name.len() == 3 && name.starts_with(|c: char| c.is_ascii_digit()))) {
        return Some(format!("`{name}` stands under `responses`: check its indentation"));
    }
    if !is_in(COMPONENTS) && COMPONENTS.contains(&name) {
        return Some(format!("`{name}` stands under `components`: check its indentation"));
    }
    if !is_in(ROOT) && ["paths", "components", "info", "openapi", "webhooks", "tags", "servers"].contains(&name) {
        return Some(format!("`{name}` stands at the root of the document: check its indentation"));
    }
    if is_in(ROOT) && ["title", "version", "contact", "license", "termsOfService"].contains(&name) {
        return Some(format!("`{name}` stands under `info`: check its indentation"));
    }
    const FLOWS: &[&str] = &["implicit", "password", "clientCredentials", "authorizationCode", "deviceAuthorization"];
    if is_in(SECURITY_SCHEME) && FLOWS.contains(&name) {
        return Some(format!("`{name}` stands under `flows`: write `flows: {{{name}: …}}`"));
    }
    if is_in(SECURITY_SCHEME) && ["tokenUrl", "authorizationUrl", "refreshUrl", "scopes"].contains(&name) {
        return Some(format!("`{name}` stands in a flow: write `flows: {{clientCredentials: {{{name}: …}}}}`"));
    }
    None
}

/// Whether this is an operation, whatever its key.
pub(super) fn resembles_operation(node: &Node) -> bool {
    node.get("responses").or(node.get("operationId")).is_some()
}

/// Whether the author of this key meant `security`.
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
