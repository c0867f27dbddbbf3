//! What `$id`, `$anchor` and `$dynamicAnchor` name (JSON Schema 2020-12, Core §8.2).

use std::collections::HashMap;

use gateway_yaml::{Entry, Node, Span};

/// The names that a file gives to schemas in it.
#[derive(Debug, Clone, Default)]
pub(super) struct Identities {
    /// Schemas with `$id`, each with its URI; the file itself is the first.
    resources: Vec<Resource>,
}

/// A schema with a URI of its own, or a file.
#[derive(Debug, Clone)]
pub(super) struct Resource {
    /// `""` for a file without a URI.
    pub(super) uri: String,
    pub(super) root: Node,
    /// Schemas by anchor; `true` for those of `$dynamicAnchor`.
    anchors: HashMap<String, (Node, bool)>,
}

impl Identities {
    /// Looks through a file.
    pub(super) fn of(root: &Node) -> Self {
        let uri = root.get("$self").and_then(Node::as_str).unwrap_or_default().to_owned();
        let mut found = Self { resources: vec![Resource { uri, root: root.clone(), anchors: HashMap::new() }] };
        found.walk(root, 0);
        found
    }

    fn walk(&mut self, node: &Node, resource: usize) {
        for item in node.as_sequence().unwrap_or_default() {
            self.walk(item, resource);
        }
        let Some(mapping) = node.as_mapping() else { return };
        let mut resource = resource;
        if let Some(id) = mapping.get("$id").and_then(Node::as_str) {
            let uri = join(&self.resources[resource].uri, id);
            let uri = uri.split('#').next().unwrap_or_default().to_owned();
            self.resources.push(Resource { uri, root: node.clone(), anchors: HashMap::new() });
            resource = self.resources.len() - 1;
        }
        for (key, is_dynamic) in [("$anchor", false), ("$dynamicAnchor", true)] {
            if let Some(name) = mapping.get(key).and_then(Node::as_str) {
                self.resources[resource].anchors.insert(name.to_owned(), (node.clone(), is_dynamic));
            }
        }
        for Entry { key, value } in mapping {
            if !matches!(&*key.name, "enum" | "const" | "example" | "examples" | "default")
                && !key.name.starts_with("x-")
            {
                self.walk(value, resource);
            }
        }
    }

    /// Whether the file is all that there is to refer to.
    pub(super) fn is_plain(&self) -> bool {
        self.resources.len() == 1 && self.resources.iter().all(|resource| resource.anchors.is_empty())
    }

    /// The resource that a place is in.
    pub(super) fn around(&self, at: Span) -> Option<&Resource> {
        let holds = |resource: &&Resource| {
            let span = resource.root.span;
            span.file == at.file && span.start <= at.start && at.end <= span.end
        };
        let inner = self.resources.iter().skip(1).filter(holds).min_by_key(|resource| {
            let span = resource.root.span;
            span.end - span.start
        });
        inner.or(self.resources.first())
    }

    /// The resource with a URI.
    pub(super) fn called(&self, uri: &str) -> Option<&Resource> {
        self.resources.iter().find(|resource| !resource.uri.is_empty() && resource.uri == uri)
    }
}

impl Resource {
    /// The schema that an anchor names, and whether the anchor is dynamic.
    pub(super) fn anchor(&self, name: &str) -> Option<(&Node, bool)> {
        self.anchors.get(name).map(|(node, is_dynamic)| (node, *is_dynamic))
    }

    /// The dynamic anchors, ordered by name.
    pub(super) fn dynamic_anchors(&self) -> Vec<(&str, &Node)> {
        let mut anchors: Vec<(&str, &Node)> = self
            .anchors
            .iter()
            .filter(|(_, (_, is_dynamic))| *is_dynamic)
            .map(|(name, (node, _))| (name.as_str(), node))
            .collect();
        anchors.sort_by_key(|(name, _)| *name);
        anchors
    }
}

/// A reference joined with the URI that it is relative to (RFC 3986 §5.2), for what `$id` needs of it.
pub(super) fn join(base: &str, reference: &str) -> String {
    let has_scheme = |text: &str| {
        text.split_once(':').is_some_and(|(scheme, _)| {
            scheme.starts_with(|first: char| first.is_ascii_alphabetic())
                && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        })
    };
    if base.is_empty() || has_scheme(reference) {
        return reference.to_owned();
    }
    let base = base.split('#').next().unwrap_or_default();
    if reference.is_empty() || reference.starts_with('#') {
        return format!("{base}{reference}");
    }
    let authority_end = match base.find("://") {
        Some(at) => base[at + 3..].find('/').map_or(base.len(), |slash| at + 3 + slash),
        None => 0,
    };
    if let Some(rest) = reference.strip_prefix("//") {
        return format!("{}//{rest}", &base[..base.find("//").unwrap_or(0)]);
    }
    if reference.starts_with('/') {
        return format!("{}{reference}", &base[..authority_end]);
    }
    let folder_end = base.rfind('/').filter(|at| *at >= authority_end).map_or(authority_end, |at| at + 1);
    let mut folder = base[..folder_end].to_owned();
    let mut rest = reference;
    while let Some(after) = rest.strip_prefix("../") {
        rest = after;
        let above = folder.trim_end_matches('/').rfind('/').filter(|at| *at >= authority_end);
        folder.truncate(above.map_or(authority_end, |at| at + 1));
    }
    let rest = rest.strip_prefix("./").unwrap_or(rest);
    let slash = if folder.ends_with('/') || folder.is_empty() { "" } else { "/" };
    format!("{folder}{slash}{rest}")
}

#[cfg(test)]
mod tests {
    use super::join;

    #[test]
    fn references_are_joined_with_their_base() {
        for (base, reference, expected) in [
            ("http://a/b/c", "d", "http://a/b/d"),
            ("http://a/b/c", "/d", "http://a/d"),
            ("http://a/b/c", "../d", "http://a/d"),
            ("http://a/b/c/d", "../../../e", "http://a/e"),
            ("http://a", "d", "http://a/d"),
            ("http://a/b", "#x", "http://a/b#x"),
            ("http://a/b", "http://c/", "http://c/"),
            ("http://a/b", "urn:x:y", "urn:x:y"),
            ("http://a/b", "//c/d", "http://c/d"),
            ("", "d.json", "d.json"),
            ("urn:uuid:1", "#x", "urn:uuid:1#x"),
        ] {
            assert_eq!(join(base, reference), expected, "{base} {reference}");
        }
    }
}
