//! References between schemas.

use gateway_yaml::{FileId, Node, Span};

use super::*;
use crate::diagnostic::{Diagnostics, GW112, GW115, GW116, GW117};
use crate::schema::identity::{Identities, Resource, join};

/// What is read in an answer of the resolver that belongs to the schema, and matters only where the schema does.
const OF_THE_REFERENCE: [crate::diagnostic::Code; 4] = [GW112, GW115, GW116, GW117];

/// A schema that a reference leads to.
struct Target {
    node: Node,
    /// What it is called.
    name: String,
}

impl Translator<'_, '_, '_> {
    /// The name of the schema that the `$ref` of this one leads to.
    pub(super) fn reference(&mut self, schema: &Node, found: &mut Findings) -> Option<String> {
        let reference = schema.get("$ref")?;
        let Some(text) = reference.as_str() else {
            let headline = format!("a `$ref` is text, and this is {}", reference.kind_name());
            found.notes.push(Diagnostic::error(GW701, headline).at(reference.span, "not text"));
            return None;
        };
        self.named_by(text, reference.span, found)
    }

    /// The name of the schema that a reference leads to.
    pub(super) fn named_by(&mut self, text: &str, span: Span, found: &mut Findings) -> Option<String> {
        let target = self.target(text, span, found)?;
        Some(self.name_of(target, found))
    }

    /// The form of a `$dynamicRef`: one that leads to no `$dynamicAnchor` is a `$ref`.
    pub(super) fn dynamic_reference(&mut self, value: &Node, found: &mut Findings) -> Option<Json> {
        let Some(text) = value.as_str() else {
            found.notes.push(wrong("$dynamicRef", value, "expected a reference"));
            return None;
        };
        let target = self.target(text, value.span, found)?;
        let anchor = text.split_once('#').map_or("", |(_, fragment)| fragment).to_owned();
        let is_dynamic = target.node.get("$dynamicAnchor").and_then(Node::as_str) == Some(&anchor);
        let name = self.name_of(target, found);
        let anchor = if is_dynamic { anchor } else { String::new() };
        Some(Json::Array(vec![Json::text(anchor), Json::text(name)]))
    }

    /// The name of a schema below another that is a resource of its own, in files where that matters.
    pub(super) fn resource_of_its_own(&mut self, node: &Node, found: &mut Findings) -> Option<String> {
        let id = node.get("$id").and_then(Node::as_str).filter(|_| !self.is_3_0())?;
        let name = id.rsplit('/').find(|part| !part.is_empty()).unwrap_or("resource").to_owned();
        Some(self.name_of(Target { node: node.clone(), name }, found))
    }

    /// Adds the dynamic anchors of the resource that a schema is in.
    pub(super) fn with_dynamic_anchors(&mut self, json: Json, node: &Node, found: &mut Findings) -> Json {
        if self.is_3_0() {
            return json;
        }
        let file = self.resolver.sources.home(node.span.file);
        let Some(resource) = self.identities(file).around(node.span) else { return json };
        let anchors: Vec<Target> = resource
            .dynamic_anchors()
            .into_iter()
            .map(|(name, node)| Target { node: node.clone(), name: name.to_owned() })
            .collect();
        if anchors.is_empty() {
            return json;
        }
        let named = anchors.into_iter().map(|target| {
            let anchor = target.name.clone();
            (anchor, Json::text(self.name_of(target, found)))
        });
        let anchors = Json::Object(named.collect());
        let mut members = match json {
            Json::Object(members) => members,
            Json::Bool(true) => Vec::new(),
            other => vec![("allOf".to_owned(), Json::Array(vec![other]))],
        };
        members.push(("$dynamicAnchors".to_owned(), anchors));
        Json::Object(members)
    }

    /// The name of a schema, which is translated if it was not before.
    fn name_of(&mut self, target: Target, found: &mut Findings) -> String {
        let Target { node, name } = target;
        if let Some(at) = self.set.met(&node) {
            found.refs.push(at);
            return self.set.named.get(at).map(|named| named.name.clone()).unwrap_or_default();
        }
        let file = self.resolver.sources.home(node.span.file);
        let name = match file == self.file {
            true => name,
            false => {
                let path = self.resolver.sources.file(file).path();
                let stem = path.rsplit('/').next().unwrap_or(path);
                let stem = stem.split('.').next().unwrap_or(stem);
                if name.is_empty() { stem.to_owned() } else { format!("{stem}.{name}") }
            }
        };
        let base = if name.is_empty() { "schema".to_owned() } else { name };
        let mut name = base.clone();
        let mut number = 1;
        while !self.set.names.insert(name.clone()) {
            number += 1;
            name = format!("{base}_{number}");
        }
        let at = self.set.named.len();
        let schema =
            Schema { json: Json::Bool(true), at: node.span, refs: Vec::new(), notes: Vec::new(), samples: Vec::new() };
        self.set.named.push(NamedSchema { name: name.clone(), schema });
        self.set.by_place.entry(node.span).or_default().push((node.clone(), at));
        self.set.pending.push((at, node));
        found.refs.push(at);
        name
    }

    /// What a reference leads to; nothing has been noted.
    fn target(&mut self, text: &str, span: Span, found: &mut Findings) -> Option<Target> {
        if !self.is_3_0()
            && let Some(target) = self.by_identity(text, span)
        {
            return Some(target);
        }
        let before = std::mem::take(&mut self.resolver.diagnostics);
        let target = self.resolver.reach(text, span);
        let said = std::mem::replace(&mut self.resolver.diagnostics, before);
        let mut others = Diagnostics::new();
        for diagnostic in said.iter().cloned() {
            match OF_THE_REFERENCE.contains(&diagnostic.code) {
                true => found.notes.push(diagnostic),
                false => others.push(diagnostic),
            }
        }
        self.resolver.diagnostics.append(others);
        let (_, fragment, node) = target?;
        Some(Target { node, name: name_in(&fragment) })
    }

    /// What a reference leads to by `$id` or by an anchor.
    fn by_identity(&mut self, text: &str, span: Span) -> Option<Target> {
        let file = self.resolver.sources.home(span.file);
        let identities = self.identities(file);
        if identities.is_plain() && !text.contains(':') {
            return None;
        }
        let around = identities.around(span)?;
        let (path, fragment) = text.split_once('#').unwrap_or((text, ""));
        if path.is_empty() {
            return in_resource(around, fragment);
        }
        let uri = join(&around.uri, path);
        let files: Vec<FileId> = self.set.identities.keys().copied().collect();
        for file in files {
            if let Some(resource) = self.set.identities.get(&file).and_then(|identities| identities.called(&uri)) {
                return in_resource(resource, fragment);
            }
        }
        None
    }

    fn identities(&mut self, file: FileId) -> &Identities {
        let sources = &self.resolver.sources;
        self.set.identities.entry(file).or_insert_with(|| match sources.file(file).content() {
            Ok(root) => Identities::of(root),
            Err(_) => Identities::default(),
        })
    }
}

/// What a fragment names in a resource.
fn in_resource(resource: &Resource, fragment: &str) -> Option<Target> {
    let decoded = crate::source::percent_decode(fragment);
    if decoded.is_empty() || decoded.starts_with('/') {
        let node = resource.root.pointer(&decoded)?.clone();
        let uri_name = resource.uri.rsplit('/').find(|part| !part.is_empty()).unwrap_or_default();
        let name = if decoded.is_empty() { uri_name.to_owned() } else { name_in(fragment) };
        return Some(Target { node, name });
    }
    resource.anchor(&decoded).map(|(node, _)| Target { node: node.clone(), name: decoded.into_owned() })
}

/// What a schema is called after: the last part of the way to it, or the whole of an unusual one.
fn name_in(fragment: &str) -> String {
    let decoded = crate::source::percent_decode(fragment);
    let usual = ["/components/schemas/", "/$defs/", "/definitions/"];
    let name = usual.iter().find_map(|usual| decoded.strip_prefix(usual)).filter(|name| !name.contains('/'));
    let name = name.unwrap_or_else(|| decoded.trim_start_matches('/'));
    name.replace('/', ".").replace("~1", "/").replace("~0", "~")
}
