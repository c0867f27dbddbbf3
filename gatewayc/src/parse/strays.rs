//! `security`, `x-gateway` and its members in objects that have neither: one level too deep they would decide nothing,
//! in silence.

use gateway_yaml::{Key, Node};

use crate::diagnostic::{Diagnostic, GW102};
use crate::parse::parser::Parser;
use crate::parse::{keys, members};

/// A kind of object of OpenAPI, as far as keys get lost in it.
pub(super) struct Object {
    what: &'static str,
    /// Whether its keys are free names, of which one may be `security`.
    names: bool,
    /// Whether `x-gateway` is allowed in it.
    gateway: bool,
    /// The objects in it, or in each item of a list; `*` stands for every key.
    inside: &'static [(&'static str, &'static Object)],
}

const fn object(what: &'static str, inside: &'static [(&'static str, &'static Object)]) -> Object {
    Object { what, names: false, gateway: false, inside }
}

const fn names(what: &'static str, inside: &'static [(&'static str, &'static Object)]) -> Object {
    Object { what, names: true, gateway: false, inside }
}

static INFO: Object = object("`info`", &[]);
static SERVER: Object = Object { what: "a server", names: false, gateway: true, inside: &[] };
static TAG: Object = object("a tag", &[]);
static EXTERNAL_DOCS: Object = object("`externalDocs`", &[]);
static MEDIA_TYPE: Object = object("a media type", &[]);
static CONTENT: Object = names("`content`", &[("*", &MEDIA_TYPE)]);
static REQUEST_BODY: Object = object("a request body", &[("content", &CONTENT)]);
static RESPONSE: Object = object("a response", &[("content", &CONTENT)]);
static RESPONSES: Object = object("`responses`", &[("*", &RESPONSE)]);
static CALLBACKS: Object = names("`callbacks`", &[]);
static SCHEMA: Object = names("a schema", &[]);
static FLOW: Object = object("a flow", &[]);
static FLOWS: Object = object("`flows`", &[("*", &FLOW)]);
static PATHS: Object = names("`paths`", &[]);
static WEBHOOKS: Object = names("`webhooks`", &[]);
static COMPONENTS: Object = names("`components`", &[]);

pub(super) static DOCUMENT: Object = Object {
    what: "the document",
    names: true,
    gateway: true,
    inside: &[
        ("info", &INFO),
        ("servers", &SERVER),
        ("tags", &TAG),
        ("externalDocs", &EXTERNAL_DOCS),
        ("paths", &PATHS),
        ("webhooks", &WEBHOOKS),
        ("components", &COMPONENTS),
    ],
};
pub(super) static PATH_ITEM: Object =
    Object { what: "a path item", names: true, gateway: true, inside: &[("servers", &SERVER)] };
pub(super) static OPERATION: Object = Object {
    what: "an operation",
    names: true,
    gateway: true,
    inside: &[
        ("externalDocs", &EXTERNAL_DOCS),
        ("requestBody", &REQUEST_BODY),
        ("responses", &RESPONSES),
        ("callbacks", &CALLBACKS),
        ("servers", &SERVER),
    ],
};
pub(super) static PARAMETER: Object =
    Object { what: "a parameter", names: false, gateway: true, inside: &[("schema", &SCHEMA), ("content", &CONTENT)] };
pub(super) static SCHEME: Object =
    Object { what: "a security scheme", names: true, gateway: true, inside: &[("flows", &FLOWS)] };
pub(super) static SCHEMES: Object = names("`securitySchemes`", &[]);
pub(super) static ADDITIONAL_OPERATIONS: Object = names("`additionalOperations`", &[]);

impl Parser<'_, '_> {
    /// Reports `security`, `x-gateway` and its members wherever they get lost in an object.
    pub(super) fn check_strays(&mut self, node: &Node, object: &'static Object) {
        for item in node.as_sequence().unwrap_or_default() {
            self.check_strays(item, object);
        }
        for entry in node.as_mapping().into_iter().flatten() {
            let name = &*entry.key.name;
            if !object.gateway && (name == "x-gateway" || keys::is_nearly_ours(name)) {
                // A scheme may have any name.
                if entry.value.get("type").is_none() {
                    self.stray_gateway(&entry.key, object.what);
                }
            } else if !object.names
                && !std::ptr::eq(object, &PARAMETER)
                && let Some(stray) = members::stray(name, None)
            {
                self.stray_member(&entry.key, object.what, None, &stray);
            } else if !object.names && keys::resembles_security(name) {
                let headline = format!("`{name}` means nothing in {}", object.what);
                let diagnostic = Diagnostic::error(GW102, headline).at(entry.key.span, "protects nothing here");
                self.report(diagnostic.help("write `security` under each operation, or at the root for all of them"));
            } else if let Some((_, inside)) =
                object.inside.iter().find(|(key, _)| *key == name || (*key == "*" && !name.starts_with("x-")))
            {
                self.check_strays(&entry.value, inside);
            }
        }
    }

    /// Reports `x-gateway` beside a `$ref` that replaces its siblings.
    pub(super) fn check_beside_reference(&mut self, node: &Node) {
        if node.get("$ref").is_none() {
            return;
        }
        for entry in node.as_mapping().into_iter().flatten() {
            if &*entry.key.name == "x-gateway" || keys::is_nearly_ours(&entry.key.name) {
                let headline = format!("`{}` means nothing beside a `$ref`", entry.key.name);
                let diagnostic = Diagnostic::error(GW102, headline).at(entry.key.span, "would not be enforced");
                self.report(diagnostic.help("move it to what the `$ref` leads to, or describe the object in place"));
            } else if let Some(stray) = members::stray(&entry.key.name, None) {
                self.stray_member(&entry.key, "an object beside a `$ref`", None, &stray);
            }
        }
    }

    fn stray_gateway(&mut self, key: &Key, what: &str) {
        let diagnostic = Diagnostic::error(GW102, format!("`{}` means nothing in {what}", key.name))
            .at(key.span, "would not be enforced")
            .help(
                "`x-gateway` may stand at the root, in a path item, an operation, a path parameter, a server or a security scheme",
            );
        self.report(diagnostic);
    }
}
