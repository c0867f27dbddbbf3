//! What holds for a schema as a whole.

use std::cell::LazyCell;
use std::sync::Arc;

use super::*;

impl Translator<'_, '_, '_> {
    /// Writes `discriminator` where it decides between named schemas, and the bounds that flags of OpenAPI 3.0 make.
    pub(super) fn discriminator(&mut self, schema: &Node, members: &mut Vec<(String, Json)>, found: &mut Findings) {
        flags_to_bounds(members);
        let Some(discriminator) = schema.get("discriminator") else { return };
        let Some(property) = discriminator.get("propertyName").and_then(Node::as_text) else {
            let diagnostic = wrong("discriminator", discriminator, "expected a mapping with `propertyName`");
            return found.notes.push(diagnostic.help("write `discriminator: {propertyName: kind}`"));
        };
        // With a default, a value that is unknown, or not there, is no mistake: the alternatives decide.
        if discriminator.get("defaultMapping").is_some() {
            return;
        }
        let alternatives = ["oneOf", "anyOf"].iter().find_map(|key| schema.get(key)).and_then(Node::as_sequence);
        let Some(alternatives) = alternatives else { return };
        let references: Option<Vec<&str>> =
            alternatives.iter().map(|item| item.get("$ref").and_then(Node::as_str)).collect();
        // Schemas that are written out have no name; the alternatives are tried instead.
        let Some(references) = references else { return };
        let mut mapping: Vec<(String, Json)> = Vec::new();
        for entry in discriminator.get("mapping").and_then(Node::as_mapping).into_iter().flatten() {
            let Some(text) = entry.value.as_str() else {
                found.notes.push(wrong("mapping", &entry.value, "expected the name of a schema, or a reference"));
                continue;
            };
            let is_name = !text.contains(['#', '/']) && !text.ends_with(".yaml") && !text.ends_with(".json");
            let reference = if is_name { format!("#/components/schemas/{text}") } else { text.to_owned() };
            if let Some(name) = self.named_by(&reference, entry.value.span, found) {
                mapping.push((entry.key.name.to_string(), Json::text(name)));
            }
        }
        for (item, reference) in alternatives.iter().zip(references) {
            let Some(name) = self.named_by(reference, item.span, found) else { return };
            let implicit = reference.rsplit('/').next().unwrap_or(reference);
            let is_mapped = mapping.iter().any(|(known, to)| known == implicit || *to == Json::text(&*name));
            if !is_mapped {
                mapping.push((implicit.to_owned(), Json::text(name)));
            }
        }
        members.push((
            "discriminator".to_owned(),
            Json::Object(vec![
                ("property".to_owned(), Json::text(property)),
                ("mapping".to_owned(), Json::Object(mapping)),
            ]),
        ));
    }

    /// A member that is required and excluded can never be there.
    pub(super) fn check_required(&mut self, schema: &Node, found: &mut Findings) {
        let excludes = schema.get("additionalProperties").and_then(Node::as_bool) == Some(false);
        let has_patterns = schema.get("patternProperties").is_some();
        if !excludes || has_patterns {
            return;
        }
        let properties = schema.get("properties").and_then(Node::as_mapping);
        for name in schema.get("required").and_then(Node::as_sequence).unwrap_or_default() {
            let Some(text) = name.as_text() else { continue };
            if properties.is_some_and(|properties| properties.get(text).is_some()) {
                continue;
            }
            let near = suggest(text, properties.into_iter().flatten().map(|entry| &*entry.key.name));
            let headline = format!("`{text}` is required, and `additionalProperties: false` excludes it");
            found.notes.push(
                Diagnostic::error(GW705, headline)
                    .at(name.span, "not under `properties` of this schema: nothing is ever as described")
                    .did_you_mean(near),
            );
        }
    }

    /// Keeps the values that the document gives for this schema.
    pub(super) fn keep_samples(&mut self, node: &Node, json: &Json, found: &mut Findings) {
        // One text for all of them: both may be long.
        let schema = LazyCell::new(|| Arc::<str>::from(json.compact()));
        let mut keep = |keyword: &'static str, value: &Node| {
            if let Some(sample) = json_of(value) {
                found.samples.push(Sample { keyword, value: sample, at: value.span, schema: Arc::clone(&schema) });
            }
        };
        if let Some(value) = node.get("default") {
            keep("default", value);
        }
        if let Some(value) = node.get("example") {
            keep("example", value);
        }
        for value in node.get("examples").and_then(Node::as_sequence).unwrap_or_default() {
            keep("examples", value);
        }
    }
}

/// `minimum: 5` with `exclusiveMinimum: true` is `exclusiveMinimum: 5`.
fn flags_to_bounds(members: &mut Vec<(String, Json)>) {
    for (flag, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        let Some(at) = members.iter().position(|(name, value)| name == flag && *value == Json::Bool(true)) else {
            continue;
        };
        members.remove(at);
        if let Some((name, _)) = members.iter_mut().find(|(name, _)| name == bound) {
            flag.clone_into(name);
        }
    }
}
