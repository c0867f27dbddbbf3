//! What is described of requests and responses: how parameters are written, bodies, responses.

use std::cell::LazyCell;
use std::sync::Arc;

use gateway_terms::token::is_token;
use gateway_yaml::{Entry, Node, Spanned, suggest};

use crate::ast::{Content, Field, ParameterLocation, Part, RequestBody, Response, StatusKey, Style, Written};
use crate::diagnostic::{Diagnostic, GW707};
use crate::parse::parser::{Parser, is_true};
use crate::schema::{Dialect, Sample, Schema, Translator, json_of};

/// The styles and where each may be.
const STYLES: &[(&str, Style, &[ParameterLocation])] = &[
    ("matrix", Style::Matrix, &[ParameterLocation::Path]),
    ("label", Style::Label, &[ParameterLocation::Path]),
    ("simple", Style::Simple, &[ParameterLocation::Path, ParameterLocation::Header]),
    ("form", Style::Form, &[ParameterLocation::Query, ParameterLocation::Cookie]),
    ("spaceDelimited", Style::SpaceDelimited, &[ParameterLocation::Query]),
    ("pipeDelimited", Style::PipeDelimited, &[ParameterLocation::Query]),
    ("deepObject", Style::DeepObject, &[ParameterLocation::Query]),
    ("cookie", Style::Cookie, &[ParameterLocation::Cookie]),
];

impl Parser<'_, '_> {
    /// A schema as the gateway checks it.
    fn schema(&mut self, node: &Node) -> Schema {
        let Self { resolver, schemas, version, file, .. } = self;
        let dialect = if version.minor == 0 { Dialect::OpenApi30 } else { Dialect::JsonSchema };
        Translator { resolver, set: schemas, dialect, file: *file }.schema(node)
    }

    /// How a parameter, or a field of a response, is written, with its schema.
    pub(super) fn written(
        &mut self,
        node: &Node,
        name: &str,
        location: ParameterLocation,
        notes: &mut Vec<Diagnostic>,
    ) -> (Written, Option<Schema>) {
        let by_style = self.style(node, location, notes);
        let (schema, content) = (node.get("schema"), node.get("content"));
        if let (Some(schema), Some(content)) = (schema, content) {
            let headline = format!("`{name}` has both a `schema` and `content`");
            let diagnostic = Diagnostic::error(GW707, headline).at(content.span, "one of them");
            notes.push(diagnostic.also(schema.span, "and the other").help("remove one"));
        }
        if let Some(schema) = schema {
            return (by_style, Some(self.schema(schema)));
        }
        let Some(content) = content else {
            if location == ParameterLocation::QueryString {
                let headline = format!("the whole query, `{name}`, has no `content`");
                notes.push(Diagnostic::error(GW707, headline).at(node.span, "`content` is missing"));
            }
            return (by_style, None);
        };
        let entries = content.as_mapping().map_or(&[][..], gateway_yaml::Mapping::entries);
        let [Entry { key, value }] = entries else {
            let headline = format!("the `content` of `{name}` does not have one media type");
            notes.push(Diagnostic::error(GW707, headline).at(content.span, "expected exactly one"));
            return (by_style, None);
        };
        let media_type = self.resolver.follow(value);
        let schema = media_type.and_then(|media_type| media_type.get("schema").cloned());
        (Written::Content(key.name.to_string()), schema.map(|schema| self.schema(&schema)))
    }

    fn style(&mut self, node: &Node, location: ParameterLocation, notes: &mut Vec<Diagnostic>) -> Written {
        let default = match location {
            ParameterLocation::Path | ParameterLocation::Header => Style::Simple,
            ParameterLocation::Query | ParameterLocation::Cookie | ParameterLocation::QueryString => Style::Form,
        };
        let style = match node.get("style") {
            None => default,
            Some(given) => {
                let here = STYLES.iter().filter(|(_, style, places)| {
                    places.contains(&location) && (*style != Style::Cookie || self.version.minor >= 2)
                });
                match here.clone().find(|(word, ..)| given.as_str() == Some(word)) {
                    Some((_, style, _)) => *style,
                    None => {
                        let words: Vec<&str> = here.map(|(word, ..)| *word).collect();
                        let shown = given.as_text().unwrap_or(given.kind_name());
                        let near = given.as_str().and_then(|given| suggest(given, words.iter().copied()));
                        notes.push(
                            Diagnostic::error(GW707, format!("the style `{shown}` cannot be there"))
                                .at(given.span, format!("expected `{}`", words.join("` or `")))
                                .did_you_mean(near),
                        );
                        default
                    }
                }
            }
        };
        let explode = node.get("explode").map_or(matches!(style, Style::Form | Style::Cookie), is_true);
        Written::As(style, explode)
    }

    /// `requestBody` of an operation.
    pub(super) fn request_body(&mut self, operation: &Node) -> Option<RequestBody> {
        let body = operation.get("requestBody")?.clone();
        let mut notes = Vec::new();
        // What cannot be followed is reported where the body is checked.
        let before = std::mem::take(&mut self.resolver.diagnostics);
        let followed = self.resolver.follow(&body);
        let said = std::mem::replace(&mut self.resolver.diagnostics, before);
        notes.extend(said.iter().cloned());
        let Some(node) = followed else {
            return Some(RequestBody { span: body.span, required: false, contents: Vec::new(), notes });
        };
        if node.as_mapping().is_none() {
            let headline = format!("a `requestBody` is {}, not a mapping", node.kind_name());
            notes.push(Diagnostic::error(GW707, headline).at(node.span, "expected `content`"));
        } else if node.get("content").is_none() {
            let diagnostic = Diagnostic::error(GW707, "this `requestBody` has no `content`");
            notes
                .push(diagnostic.at(node.span, "`content` is missing").help("write `content: {application/json: {}}`"));
        }
        let contents = self.contents(&node, &mut notes);
        let required = node.get("required").is_some_and(is_true);
        Some(RequestBody { span: node.span, required, contents, notes })
    }

    fn contents(&mut self, node: &Node, notes: &mut Vec<Diagnostic>) -> Vec<Content> {
        let Some(content) = node.get("content") else { return Vec::new() };
        let Some(mapping) = content.as_mapping().cloned() else {
            let headline = format!("`content` is {}, not a mapping", content.kind_name());
            notes.push(Diagnostic::error(GW707, headline).at(content.span, "expected media types"));
            return Vec::new();
        };
        let entries = mapping.iter().filter(|entry| !entry.key.name.starts_with("x-"));
        entries
            .filter_map(|Entry { key, value }| {
                let media_type = Spanned::new(key.span, key.name.trim().to_owned());
                if !is_media_range(&media_type) {
                    let headline = format!("`{}` is no media type", key.name);
                    let diagnostic =
                        Diagnostic::error(GW707, headline).at(key.span, "expected two words with `/` between");
                    notes.push(diagnostic.help("write `application/json`, `text/*` or `*/*`"));
                    return None;
                }
                let value = self.resolver.follow(value)?;
                let schema = value.get("schema").map(|schema| self.schema(schema));
                let parts = self.parts(&value, notes);
                let samples = self.samples(&value, schema.as_ref());
                Some(Content { media_type, schema, parts, samples })
            })
            .collect()
    }

    fn parts(&mut self, content: &Node, notes: &mut Vec<Diagnostic>) -> Vec<Part> {
        let encoding = content.get("encoding").and_then(Node::as_mapping).cloned().unwrap_or_default();
        encoding
            .iter()
            .map(|Entry { key, value }| {
                let is_styled = value.get("style").is_some() || value.get("explode").is_some();
                let written = is_styled.then(|| self.style(value, ParameterLocation::Query, notes));
                let content_type = value.get("contentType").and_then(Node::as_str).unwrap_or_default().to_owned();
                Part { name: Spanned::new(key.span, key.name.to_string()), content_type, written }
            })
            .collect()
    }

    /// The examples of a content that is JSON.
    fn samples(&mut self, content: &Node, schema: Option<&Schema>) -> Vec<Sample> {
        let Some(schema) = schema else { return Vec::new() };
        let mut samples = Vec::new();
        // One text for all of them: both may be long.
        let text = LazyCell::new(|| Arc::<str>::from(schema.json.compact()));
        let mut keep = |keyword: &'static str, value: &Node| {
            if let Some(json) = json_of(value) {
                samples.push(Sample { keyword, value: json, at: value.span, schema: Arc::clone(&text) });
            }
        };
        if let Some(value) = content.get("example") {
            keep("example", value);
        }
        for entry in content.get("examples").and_then(Node::as_mapping).into_iter().flatten() {
            if let Some(value) = ["value", "dataValue"].iter().find_map(|key| entry.value.get(key)) {
                keep("examples", value);
            }
        }
        samples
    }

    /// `responses` of an operation, where `x-gateway` may ask for them to be checked.
    pub(super) fn responses(&mut self, operation: &Node) -> (Vec<Response>, Vec<Diagnostic>) {
        if !self.checks_responses && !asks_for_responses(operation.get("x-gateway")) {
            return Default::default();
        }
        let mut notes = Vec::new();
        let before = std::mem::take(&mut self.resolver.diagnostics);
        let responses = operation.get("responses").and_then(Node::as_mapping).cloned().unwrap_or_default();
        let mut found = Vec::new();
        for Entry { key, value } in responses.iter().filter(|entry| !entry.key.name.starts_with("x-")) {
            let Some(status) = status_key(&key.name) else {
                let headline = format!("`{}` is no status", key.name);
                let diagnostic = Diagnostic::error(GW707, headline).at(key.span, "expected three digits");
                notes.push(diagnostic.help("write `\"200\"`, `\"4XX\"` or `default`"));
                continue;
            };
            let Some(response) = self.resolver.follow(value) else { continue };
            let contents = self.contents(&response, &mut notes);
            let fields = self.fields(&response, &mut notes);
            found.push(Response { span: key.span, status, fields, contents });
        }
        let said = std::mem::replace(&mut self.resolver.diagnostics, before);
        notes.extend(said.iter().cloned());
        (found, notes)
    }

    /// The names of the header fields of an operation's responses, where `x-gateway` says which pages may read them.
    pub(super) fn response_fields(&mut self, operation: &Node) -> Vec<String> {
        if !self.has_cors && !has_cors(operation.get("x-gateway")) {
            return Vec::new();
        }
        // What cannot be followed is reported where responses are checked.
        let before = std::mem::take(&mut self.resolver.diagnostics);
        let responses = operation.get("responses").and_then(Node::as_mapping).cloned().unwrap_or_default();
        let mut names: Vec<String> = Vec::new();
        for entry in responses.iter().filter(|entry| !entry.key.name.starts_with("x-")) {
            let Some(response) = self.resolver.follow(&entry.value) else { continue };
            let headers = response.get("headers").and_then(Node::as_mapping).into_iter().flatten();
            let described = headers.map(|entry| entry.key.name.to_string());
            names.extend(
                described.filter(|name| is_token(name.as_bytes()) && !name.eq_ignore_ascii_case("content-type")),
            );
        }
        self.resolver.diagnostics = before;
        names
    }

    fn fields(&mut self, response: &Node, notes: &mut Vec<Diagnostic>) -> Vec<Field> {
        let headers = response.get("headers").and_then(Node::as_mapping).cloned().unwrap_or_default();
        // OpenAPI says that `Content-Type` is ignored there.
        let headers = headers.iter().filter(|entry| !entry.key.name.eq_ignore_ascii_case("content-type"));
        headers
            .filter_map(|Entry { key, value }| {
                let node = self.resolver.follow(value)?;
                let (written, schema) = self.written(&node, &key.name, ParameterLocation::Header, notes);
                let name = Spanned::new(key.span, key.name.to_string());
                Some(Field { name, required: node.get("required").is_some_and(is_true), written, schema })
            })
            .collect()
    }
}

/// Whether an `x-gateway` asks for responses to be checked.
pub(super) fn asks_for_responses(gateway: Option<&Node>) -> bool {
    let response = gateway.and_then(|gateway| gateway.get("validation")).and_then(|all| all.get("response"));
    response.is_some_and(|mode| mode.as_str() != Some("off"))
}

/// Whether an `x-gateway` says which pages may call.
pub(super) fn has_cors(gateway: Option<&Node>) -> bool {
    gateway.is_some_and(|gateway| gateway.get("cors").is_some())
}

fn status_key(key: &str) -> Option<StatusKey> {
    if key == "default" {
        return Some(StatusKey::Default);
    }
    if let Some(class) = key.strip_suffix("XX").or_else(|| key.strip_suffix("xx")) {
        return class.parse().ok().filter(|class| (1..=5).contains(class)).map(StatusKey::Class);
    }
    key.parse().ok().filter(|status| (100..=599).contains(status)).map(StatusKey::Exactly)
}

/// `type/subtype`, `type/*` or `*/*`, with parameters (RFC 9110 §8.3.1, §12.5.1).
fn is_media_range(text: &str) -> bool {
    let essence = text.split(';').next().unwrap_or_default().trim();
    let is_word = |word: &str| is_token(word.as_bytes());
    essence.split_once('/').is_some_and(|(kind, sub)| is_word(kind) && is_word(sub) && (kind != "*" || sub == "*"))
}
