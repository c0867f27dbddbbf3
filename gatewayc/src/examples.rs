//! The responses that a document describes, with contents that fit: for a server that stands in for an upstream.
//!
//! A content is the document's own example where it has one, and is made from the schema otherwise. What is made is the
//! simplest value that the schema admits, as far as types, formats, enumerations and bounds tell; patterns are not followed.

use gateway_yaml::{Node, Value};

use crate::resolve::Resolver;
use crate::source::SourceSet;

/// Schemas in schemas that are followed; what is deeper is `null`, and a member that is not required is left out.
const DEEPEST: usize = 8;
/// Schemas that are looked at for one content: they may refer to each other in many ways.
const MOST_STEPS: usize = 20_000;
/// The text that a made content may have.
const LONGEST: usize = 256 << 10;

/// A response of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedResponse {
    /// The key under `responses`: `200`, `4XX` or `default`.
    pub status: String,
    /// The fields that have an example or a schema, by name.
    pub fields: Vec<(String, String)>,
    /// Its contents, in the order of the document; empty for a response without.
    pub contents: Vec<DescribedContent>,
}

/// A content of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedContent {
    /// The key under `content`, such as `application/json`.
    pub media_type: String,
    /// Texts by the names of the examples; at least one. What is made from the schema has no name.
    pub examples: Vec<(String, String)>,
}

/// The responses of an operation, which is [`ast::Operation::node`](crate::ast::Operation::node).
#[must_use]
pub fn responses(operation: &Node, sources: &mut SourceSet<'_>) -> Vec<DescribedResponse> {
    described(operation, &mut Resolver::new(sources))
}

/// The same, with a resolver that is there already.
pub(crate) fn described(operation: &Node, resolver: &mut Resolver<'_, '_>) -> Vec<DescribedResponse> {
    let mut reader = Reader(resolver);
    let responses = operation.get("responses").and_then(Node::as_mapping).cloned().unwrap_or_default();
    let described = responses.iter().filter(|entry| !entry.key.name.starts_with("x-"));
    described.filter_map(|entry| reader.response(&entry.key.name, &entry.value)).collect()
}

/// The body of a request that an operation describes: the first content that is JSON, or the first.
#[must_use]
pub fn request_body(operation: &Node, sources: &mut SourceSet<'_>) -> Option<DescribedContent> {
    let mut resolver = Resolver::new(sources);
    let mut reader = Reader(&mut resolver);
    let body = operation.get("requestBody")?.clone();
    let body = reader.0.follow(&body)?;
    let contents = reader.0.get(&body, "content")?.as_mapping()?.clone();
    let entries = contents.entries();
    let entry = entries.iter().find(|entry| is_json(&entry.key.name)).or(entries.first())?;
    reader.content(&entry.key.name, &entry.value)
}

struct Reader<'r, 's, 'p>(&'r mut Resolver<'s, 'p>);

impl Reader<'_, '_, '_> {
    fn response(&mut self, status: &str, node: &Node) -> Option<DescribedResponse> {
        let response = self.0.follow(node)?;
        let entries = |node: Option<Node>| node.and_then(|node| node.as_mapping().cloned()).unwrap_or_default();
        let fields = entries(self.0.get(&response, "headers"));
        let contents = entries(self.0.get(&response, "content"));
        Some(DescribedResponse {
            status: status.to_owned(),
            fields: fields.iter().filter_map(|entry| self.field(&entry.key.name, &entry.value)).collect(),
            contents: contents.iter().filter_map(|entry| self.content(&entry.key.name, &entry.value)).collect(),
        })
    }

    fn field(&mut self, name: &str, node: &Node) -> Option<(String, String)> {
        let field = self.0.follow(node)?;
        let text = match self.named_examples(&field, false).into_iter().next() {
            Some((_, text)) => text,
            None => {
                let schema = self.0.get(&field, "schema")?;
                plain(&self.made(&schema, &mut Room::new(false)))
            }
        };
        let is_writable = !text.is_empty() && text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        is_writable.then(|| (name.to_owned(), text))
    }

    fn content(&mut self, media_type: &str, node: &Node) -> Option<DescribedContent> {
        let content = self.0.follow(node)?;
        let is_json = is_json(media_type);
        let mut examples = self.named_examples(&content, is_json);
        if examples.is_empty() {
            let schema = self.0.get(&content, "schema");
            let made = schema.map(|schema| self.made(&schema, &mut Room::new(is_json))).unwrap_or_default();
            examples.push((String::new(), if is_json { made } else { plain(&made) }));
        }
        Some(DescribedContent { media_type: media_type.to_owned(), examples })
    }

    /// `example`, or else `examples` of OpenAPI.
    fn named_examples(&mut self, node: &Node, is_json: bool) -> Vec<(String, String)> {
        let written = |value: &Node| {
            if is_json { json(value) } else { value.as_text().map_or_else(|| json(value), str::to_owned) }
        };
        if let Some(example) = self.0.get(node, "example") {
            return vec![(String::new(), written(&example))];
        }
        let Some(examples) = node.get("examples").and_then(Node::as_mapping).cloned() else { return Vec::new() };
        let values = examples.iter().filter_map(|entry| {
            let example = self.0.follow(&entry.value)?;
            let value = ["value", "dataValue"].into_iter().find_map(|key| example.get(key).map(&written));
            let text = value.or_else(|| Some(example.get("serializedValue")?.as_text()?.to_owned()))?;
            Some((entry.key.name.to_string(), text))
        });
        values.collect()
    }

    /// A value that a schema admits, as JSON.
    fn made(&mut self, schema: &Node, room: &mut Room) -> String {
        let Some(schema) = self.0.follow(schema) else { return "null".to_owned() };
        for key in ["example", "default", "const"] {
            if let Some(value) = schema.get(key) {
                return json(value);
            }
        }
        for key in ["examples", "enum"] {
            if let Some(value) = schema.get(key).and_then(Node::as_sequence).and_then(<[Node]>::first) {
                return json(value);
            }
        }
        if room.is_full() {
            return "null".to_owned();
        }
        room.deep += 1;
        let text = self.made_of_parts(&schema, room);
        room.deep -= 1;
        room.left = room.left.saturating_sub(text.len());
        text
    }

    fn made_of_parts(&mut self, schema: &Node, room: &mut Room) -> String {
        if let Some(parts) = schema.get("allOf").and_then(Node::as_sequence) {
            let mut members = self.members(schema, room);
            for part in parts {
                let Some(part) = self.0.follow(part) else { continue };
                if part.get("properties").is_none() && part.get("allOf").is_none() {
                    if members.is_empty() && parts.len() == 1 {
                        return self.made(&part, room);
                    }
                    continue;
                }
                let inner = self.made_object(&part, room);
                members.extend(inner);
            }
            return object(members);
        }
        for key in ["oneOf", "anyOf"] {
            let first = schema.get(key).and_then(Node::as_sequence).and_then(<[Node]>::first);
            if let Some(first) = first.cloned() {
                let mut members = self.members(schema, room);
                if members.is_empty() {
                    return self.made(&first, room);
                }
                if let Some(first) = self.0.follow(&first) {
                    members.extend(self.made_object(&first, room));
                }
                return object(members);
            }
        }
        match type_of(schema) {
            "object" => object(self.members(schema, room)),
            "array" => {
                let least = number(schema, "minItems").map_or(1, |least| least as usize).clamp(1, 16);
                let Some(items) = schema.get("items").cloned() else { return "[]".to_owned() };
                if number(schema, "maxItems") == Some(0.0) {
                    return "[]".to_owned();
                }
                let item = self.made(&items, room);
                let fits = room.left / (item.len() + 1);
                format!("[{}]", vec![item; least.min(fits.max(1))].join(","))
            }
            "integer" => format!("{}", bounded(schema, 1.0).ceil() as i64),
            "number" => shown(bounded(schema, 1.0)),
            "boolean" => "true".to_owned(),
            "null" => "null".to_owned(),
            _ => quoted(&text(schema)),
        }
    }

    /// The members of an object, with what `allOf` adds.
    fn made_object(&mut self, schema: &Node, room: &mut Room) -> Vec<(String, String)> {
        let mut members = self.members(schema, room);
        if room.is_full() {
            return members;
        }
        room.deep += 1;
        for part in schema.get("allOf").and_then(Node::as_sequence).unwrap_or_default().to_vec() {
            if let Some(part) = self.0.follow(&part) {
                members.extend(self.made_object(&part, room));
            }
        }
        room.deep -= 1;
        members
    }

    fn members(&mut self, schema: &Node, room: &mut Room) -> Vec<(String, String)> {
        let Some(properties) = schema.get("properties").and_then(Node::as_mapping).cloned() else { return Vec::new() };
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Node::as_sequence)
            .unwrap_or_default()
            .iter()
            .filter_map(Node::as_str)
            .collect();
        let mut members = Vec::new();
        for entry in properties.iter() {
            let is_required = required.contains(&&*entry.key.name);
            // Requests only.
            let Some(property) = self.0.follow(&entry.value) else { continue };
            let is_written_only = property.get("writeOnly").and_then(Node::as_bool) == Some(true);
            let is_too_deep = room.is_full();
            if is_written_only || (is_too_deep && !is_required) {
                continue;
            }
            members.push((entry.key.name.to_string(), self.made(&property, room)));
        }
        members
    }
}

/// How much more may be made.
struct Room {
    deep: usize,
    /// Bytes.
    left: usize,
    /// Schemas that may still be looked at.
    steps: usize,
}

impl Room {
    fn new(is_large: bool) -> Self {
        Self { deep: 0, left: if is_large { LONGEST } else { LONGEST / 64 }, steps: MOST_STEPS }
    }

    /// Counts a schema; says whether there is no room for more.
    fn is_full(&mut self) -> bool {
        self.steps = self.steps.saturating_sub(1);
        self.deep >= DEEPEST || self.left == 0 || self.steps == 0
    }
}

/// Whether a media type is JSON (RFC 6839 §3.1 for `+json`).
#[must_use]
pub fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json") || essence == "text/json"
}

/// `type`, or the one that other members suggest. Of several, the first that is not `null`.
fn type_of(schema: &Node) -> &str {
    let named = schema.get("type").and_then(|node| match node.as_sequence() {
        Some(names) => {
            let mut names = names.iter().filter_map(Node::as_str);
            let first = names.clone().find(|name| *name != "null");
            first.or_else(|| names.next())
        }
        None => node.as_str(),
    });
    named.unwrap_or_else(|| {
        let has = |key: &str| schema.get(key).is_some();
        match () {
            () if has("properties") || has("additionalProperties") => "object",
            () if has("items") => "array",
            () if has("minimum") || has("maximum") => "number",
            () => "string",
        }
    })
}

fn number(schema: &Node, key: &str) -> Option<f64> {
    schema.get(key).and_then(Node::as_number).map(gateway_yaml::Number::as_f64)
}

/// `usual`, moved into the bounds.
fn bounded(schema: &Node, usual: f64) -> f64 {
    let step = number(schema, "multipleOf").filter(|step| *step > 0.0);
    let beyond = step.unwrap_or(1.0);
    let mut value = step.unwrap_or(usual);
    if let Some(least) = number(schema, "minimum") {
        let least =
            if schema.get("exclusiveMinimum").and_then(Node::as_bool) == Some(true) { least + beyond } else { least };
        value = value.max(step.map_or(least, |step| (least / step).ceil() * step));
    }
    if let Some(least) = number(schema, "exclusiveMinimum") {
        value = value.max(step.map_or(least + 1.0, |step| ((least / step).floor() + 1.0) * step));
    }
    if let Some(most) = number(schema, "maximum") {
        let most =
            if schema.get("exclusiveMaximum").and_then(Node::as_bool) == Some(true) { most - beyond } else { most };
        value = value.min(most);
    }
    if let Some(most) = number(schema, "exclusiveMaximum") {
        value = value.min(most - beyond);
    }
    value
}

fn shown(number: f64) -> String {
    serde_json::Number::from_f64(number).map_or_else(|| "0".to_owned(), |number| number.to_string())
}

/// A text of the schema's format and length.
fn text(schema: &Node) -> String {
    let format = schema.get("format").and_then(Node::as_str).unwrap_or_default();
    let fixed = match format {
        "date-time" => "2024-01-31T12:00:00Z",
        "date" => "2024-01-31",
        "time" => "12:00:00Z",
        "duration" => "PT1H",
        "email" | "idn-email" => "someone@example.com",
        "hostname" | "idn-hostname" => "example.com",
        "ipv4" => "192.0.2.1",
        "ipv6" => "2001:db8::1",
        "uri" | "url" | "iri" => "https://example.com/",
        "uri-reference" | "iri-reference" => "/example",
        "uuid" => "123e4567-e89b-42d3-a456-426614174000",
        "byte" => "ZXhhbXBsZQ==",
        "json-pointer" => "/example",
        "regex" => "^example$",
        _ => "",
    };
    if !fixed.is_empty() {
        return fixed.to_owned();
    }
    let least = number(schema, "minLength").map_or(0, |least| least as usize).min(1024);
    let most = number(schema, "maxLength").map_or(usize::MAX, |most| most as usize);
    let mut text = "text".repeat(least.div_ceil(4).max(1));
    text.truncate(most.min(least.max(4)));
    text
}

fn object(members: Vec<(String, String)>) -> String {
    let mut seen = std::collections::HashSet::new();
    let members = members.iter().filter(|(name, _)| seen.insert(name.as_str()));
    let members: Vec<String> = members.map(|(name, value)| format!("{}:{value}", quoted(name))).collect();
    format!("{{{}}}", members.join(","))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// JSON text as people write it where the content is no JSON: a text without its quotes.
fn plain(json: &str) -> String {
    match serde_json::from_str(json) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(serde_json::Value::Null) | Err(_) => String::new(),
        Ok(_) => json.to_owned(),
    }
}

/// A node as JSON text, its members in the order of the document.
fn json(node: &Node) -> String {
    match &node.value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.to_string(),
            (None, Some(number)) => number.to_string(),
            (None, None) => shown(number.as_f64()),
        },
        Value::String(text) => quoted(text),
        Value::Sequence(items) => format!("[{}]", items.iter().map(json).collect::<Vec<_>>().join(",")),
        Value::Mapping(entries) => {
            object(entries.iter().map(|entry| (entry.key.name.to_string(), json(&entry.value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::fmt::Write as _;

    use super::*;

    /// The content that is made for a schema among others.
    fn made(schemas: &str) -> String {
        let document = format!(
            "openapi: 3.1.0\ninfo: {{title: A, version: '1'}}\npaths:\n  /a:\n    get:\n      responses:\n        '200':\n          \
             description: a\n          content: {{application/json: {{schema: {{$ref: '#/components/schemas/A'}}}}}}\n\
             components:\n  schemas:\n{schemas}"
        );
        let mut sources = SourceSet::new(HashMap::from([("a.yaml".to_owned(), document)]), "");
        sources.add_document("a.yaml");
        let (documents, _) = crate::parse(&mut sources);
        let described = responses(&documents[0].paths[0].operations[0].node, &mut sources);
        described[0].contents[0].examples[0].1.clone()
    }

    #[test]
    fn contents_fit_their_schemas() {
        for (schema, expected) in [
            ("{type: integer, minimum: 3, multipleOf: 2}", "4"),
            ("{type: [\"null\", string], maxLength: 2}", "\"te\""),
            ("{allOf: [{properties: {a: {type: boolean}}}, {properties: {b: {const: x}}}]}", r#"{"a":true,"b":"x"}"#),
            ("{oneOf: [{type: array, minItems: 2, items: {enum: [red]}}, {type: string}]}", r#"["red","red"]"#),
            ("{properties: {a: {$ref: '#/components/schemas/Missing'}}}", r"{}"),
        ] {
            assert_eq!(made(&format!("    A: {schema}\n")), expected, "{schema}");
        }
    }

    #[test]
    fn schemas_that_multiply_end() {
        let mut all = String::new();
        for _ in 0..12 {
            let _ = write!(all, "{{$ref: '#/components/schemas/A'}}, ");
        }
        assert!(made(&format!("    A: {{allOf: [{all}]}}\n")).len() < 1024);
        let properties: String =
            (0..12).map(|number| format!("p{number}: {{$ref: '#/components/schemas/A'}}, ")).collect();
        assert!(made(&format!("    A: {{properties: {{{properties}}}}}\n")).len() < 4 * LONGEST);
        assert!(
            made("    A: {type: array, minItems: 16, items: {$ref: '#/components/schemas/A'}}\n").len() < 4 * LONGEST
        );
    }
}
