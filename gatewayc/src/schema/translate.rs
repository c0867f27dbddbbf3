//! Schemas of both dialects into the one form: OpenAPI 3.0's own, and JSON Schema 2020-12.

mod checks;
mod references;

use gateway_schema::format::Format;
use gateway_schema::pattern::Pattern;
use gateway_yaml::{Entry, FileId, Node, Span, suggest};

use crate::diagnostic::{Diagnostic, GW701, GW702, GW703, GW704, GW705};
use crate::resolve::Resolver;
use crate::schema::dialect::Dialect;
use crate::schema::json::Json;
use crate::schema::keywords::{FREE_FORMATS, KEYWORDS, Keyword, Shape, TYPES, keyword};
use crate::schema::set::{NamedSchema, Sample, Schema, SchemaSet};
use crate::schema::values::{digits, json_of};

/// Translates the schemas of one document.
pub(crate) struct Translator<'t, 's, 'p> {
    pub(crate) resolver: &'t mut Resolver<'s, 'p>,
    pub(crate) set: &'t mut SchemaSet,
    pub(crate) dialect: Dialect,
    /// The document's own file: what is in others is named with theirs.
    pub(crate) file: FileId,
}

/// What is found while one schema is translated.
#[derive(Default)]
struct Findings {
    refs: Vec<usize>,
    notes: Vec<Diagnostic>,
    samples: Vec<Sample>,
}

impl Translator<'_, '_, '_> {
    /// Translates a schema, and all that it leads to.
    pub(crate) fn schema(&mut self, node: &Node) -> Schema {
        let schema = self.alone(node);
        while let Some((at, node)) = self.set.pending.pop() {
            let schema = self.alone(&node);
            if let Some(named) = self.set.named.get_mut(at) {
                named.schema = schema;
            }
        }
        schema
    }

    fn alone(&mut self, node: &Node) -> Schema {
        let mut found = Findings::default();
        let json = self.node(node, &mut found);
        let json = self.with_dynamic_anchors(json, node, &mut found);
        found.refs.sort_unstable();
        found.refs.dedup();
        Schema { json, at: node.span, refs: found.refs, notes: found.notes, samples: found.samples }
    }

    fn is_3_0(&self) -> bool {
        self.dialect == Dialect::OpenApi30
    }

    fn node(&mut self, node: &Node, found: &mut Findings) -> Json {
        if let (Some(value), false) = (node.as_bool(), self.is_3_0()) {
            return Json::Bool(value);
        }
        let Some(mapping) = node.as_mapping() else {
            let headline = format!("a schema is {}, not a mapping", node.kind_name());
            found.notes.push(Diagnostic::error(GW701, headline).at(node.span, "expected the keywords of a schema"));
            return Json::Bool(true);
        };
        if mapping.get("$ref").is_some() && self.is_3_0() {
            // OpenAPI 3.0 ignores what stands beside a reference.
            return self.reference(node, found).map_or(Json::Bool(true), |name| object_of("$ref", Json::text(name)));
        }
        let mut members = Vec::new();
        for entry in mapping {
            self.keyword(entry, node, &mut members, found);
        }
        self.discriminator(node, &mut members, found);
        self.check_required(node, found);
        let json = Json::Object(members);
        self.keep_samples(node, &json, found);
        json
    }

    fn keyword(&mut self, entry: &Entry, schema: &Node, members: &mut Vec<(String, Json)>, found: &mut Findings) {
        let name = &*entry.key.name;
        let Some(known) = keyword(name) else { return self.unknown(entry, members, found) };
        if !(if self.is_3_0() { known.in_3_0 } else { known.in_3_1 }) {
            return self.of_another_version(entry, found);
        }
        if let Some(value) = self.value(known, entry, schema, found) {
            members.push((name.to_owned(), value));
        }
    }

    /// What is left of a keyword; nothing for one that checks nothing.
    fn value(&mut self, known: &Keyword, entry: &Entry, schema: &Node, found: &mut Findings) -> Option<Json> {
        let (name, value) = (known.name, &entry.value);
        match known.shape {
            Shape::Annotation => None,
            Shape::Schema => self.sub_schema(known, value, found),
            Shape::Schemas => {
                if let (true, Some(_)) = (name == "items", value.as_sequence()) {
                    return None;
                }
                let items = self.list(name, value, found)?;
                if items.is_empty() {
                    found.notes.push(wrong(name, value, "expected at least one schema"));
                    return None;
                }
                Some(Json::Array(items.iter().map(|item| self.inner(item, found)).collect()))
            }
            Shape::SchemaMap | Shape::PatternMap => {
                let Some(mapping) = value.as_mapping() else {
                    found.notes.push(wrong(name, value, "expected schemas by name"));
                    return None;
                };
                let mut members = Vec::new();
                for entry in mapping {
                    if known.shape == Shape::PatternMap
                        && !self.check_pattern(&entry.key.name, entry.key.span, name, found)
                    {
                        continue;
                    }
                    members.push((entry.key.name.to_string(), self.inner(&entry.value, found)));
                }
                Some(Json::Object(members))
            }
            Shape::Count => match value.as_number().filter(|number| number.as_f64() >= 0.0).and_then(digits) {
                Some(digits) if is_whole(&digits) => Some(Json::Number(digits)),
                _ => {
                    found.notes.push(wrong(name, value, "expected a whole number, 0 or more"));
                    None
                }
            },
            Shape::Number | Shape::PositiveNumber => {
                let is_fine = |number: f64| known.shape == Shape::Number || number > 0.0;
                let number = value.as_number().filter(|number| is_fine(number.as_f64()));
                let digits = number.and_then(digits);
                if digits.is_none() {
                    let expected =
                        if known.shape == Shape::Number { "expected a number" } else { "expected a number above 0" };
                    found.notes.push(wrong(name, value, expected));
                }
                digits.map(Json::Number)
            }
            Shape::Pattern => {
                let Some(text) = value.as_str() else {
                    found.notes.push(wrong(name, value, "expected a regular expression, which is text"));
                    return None;
                };
                self.check_pattern(text, value.span, name, found).then(|| Json::text(text))
            }
            Shape::Names => self.names(name, value, found),
            Shape::NameMap => {
                let Some(mapping) = value.as_mapping() else {
                    found.notes.push(wrong(name, value, "expected lists of names by name"));
                    return None;
                };
                let entries: Vec<Entry> = mapping.entries().to_vec();
                let lists = entries.iter().filter_map(|entry| {
                    Some((entry.key.name.to_string(), self.names(&entry.key.name, &entry.value, found)?))
                });
                Some(Json::Object(lists.collect()))
            }
            Shape::Values => {
                let items = self.list(name, value, found)?;
                let values: Option<Vec<Json>> = items.iter().map(json_of).collect();
                self.json_or_wrong(name, value, values.map(Json::Array), found)
            }
            Shape::Value => self.json_or_wrong(name, value, json_of(value), found),
            Shape::Bool => match value.as_bool() {
                // `false` is what holds without the keyword.
                Some(set) => set.then_some(Json::Bool(true)),
                None => {
                    found.notes.push(wrong(name, value, "expected `true` or `false`"));
                    None
                }
            },
            Shape::Own => self.own(name, value, schema, found),
        }
    }

    fn own(&mut self, name: &str, value: &Node, schema: &Node, found: &mut Findings) -> Option<Json> {
        match name {
            "type" => self.types(value, schema, found),
            "format" => self.format(value, schema, found),
            "exclusiveMinimum" | "exclusiveMaximum" => self.exclusive(name, value, found),
            "$ref" => self.reference(schema, found).map(Json::text),
            "$dynamicRef" => self.dynamic_reference(value, found),
            "nullable" => {
                if value.as_bool() == Some(true) && schema.get("type").is_none() {
                    let headline = "`nullable` without a `type` beside it changes nothing";
                    found.notes.push(
                        Diagnostic::warning(GW704, headline)
                            .at(value.span, "`null` is still refused")
                            .help("OpenAPI 3.0.3 lets `nullable` add `null` to the `type` of the same schema only")
                            .because_of("nullable", "a schema"),
                    );
                }
                None
            }
            // Written when the whole schema is known.
            _ => None,
        }
    }

    /// A schema below another.
    fn inner(&mut self, node: &Node, found: &mut Findings) -> Json {
        match self.resource_of_its_own(node, found) {
            Some(name) => object_of("$ref", Json::text(name)),
            None => self.node(node, found),
        }
    }

    fn sub_schema(&mut self, known: &Keyword, value: &Node, found: &mut Findings) -> Option<Json> {
        if known.name == "additionalProperties"
            && let Some(allowed) = value.as_bool()
        {
            return Some(Json::Bool(allowed));
        }
        if known.name == "items" && value.as_sequence().is_some() {
            let diagnostic = Diagnostic::error(GW701, "`items` cannot be a list");
            let diagnostic = diagnostic.at(value.span, "expected one schema, for all items");
            found.notes.push(if self.is_3_0() {
                diagnostic.help("OpenAPI 3.0 cannot give each item a schema of its own: write `items: {}`")
            } else {
                diagnostic.help("write `prefixItems` for schemas of the first items")
            });
            return None;
        }
        Some(self.inner(value, found))
    }

    fn list<'n>(&mut self, name: &str, value: &'n Node, found: &mut Findings) -> Option<&'n [Node]> {
        if value.as_sequence().is_none() {
            found.notes.push(wrong(name, value, "expected a list"));
        }
        value.as_sequence()
    }

    fn names(&mut self, name: &str, value: &Node, found: &mut Findings) -> Option<Json> {
        if name == "required" && value.as_bool().is_some() {
            let headline = format!("`required` cannot be `{}`", value.as_bool() == Some(true));
            found.notes.push(
                Diagnostic::error(GW701, headline)
                    .at(value.span, "expected a list of members")
                    .help("write the names of the required members in `required` of the object that has them"),
            );
            return None;
        }
        let items = self.list(name, value, found)?;
        let mut names = Vec::new();
        for item in items {
            match item.as_text() {
                Some(text) => names.push(Json::text(text)),
                None => found.notes.push(wrong(name, item, "expected a name")),
            }
        }
        (!names.is_empty()).then_some(Json::Array(names))
    }

    fn json_or_wrong(&mut self, name: &str, value: &Node, json: Option<Json>, found: &mut Findings) -> Option<Json> {
        if json.is_none() {
            found.notes.push(wrong(name, value, "JSON has no such number"));
        }
        json
    }

    fn types(&mut self, value: &Node, schema: &Node, found: &mut Findings) -> Option<Json> {
        let items: &[Node] = value.as_sequence().unwrap_or(std::slice::from_ref(value));
        if value.as_sequence().is_some() && self.is_3_0() {
            found.notes.push(
                Diagnostic::warning(GW704, "`type` is one type in OpenAPI 3.0")
                    .at(value.span, "read as in OpenAPI 3.1: one of these")
                    .help("write `openapi: 3.1.0` at the top of the document"),
            );
        }
        let mut types = Vec::new();
        for item in items {
            match item.as_text().filter(|text| TYPES.contains(text)) {
                Some(text) => types.push(Json::text(text)),
                // `- null` without quotes.
                None if item.is_null() && !self.is_3_0() && value.as_sequence().is_some() => {
                    types.push(Json::text("null"));
                }
                None => {
                    let text = item.as_text();
                    let headline = match text {
                        Some(text) => format!("`{text}` is no type"),
                        None => format!("a `type` is text, and this is {}", item.kind_name()),
                    };
                    let near = text.and_then(|text| suggest(text, TYPES.iter().copied()));
                    found.notes.push(
                        Diagnostic::error(GW701, headline)
                            .at(item.span, format!("expected `{}`", TYPES.join("`, `")))
                            .did_you_mean(near),
                    );
                    return None;
                }
            }
        }
        let nullable = self.is_3_0() && schema.get("nullable").and_then(Node::as_bool) == Some(true);
        if nullable {
            types.push(Json::text("null"));
        }
        match types.len() {
            0 => {
                found.notes.push(wrong("type", value, "expected at least one type"));
                None
            }
            1 => types.pop(),
            _ => Some(Json::Array(types)),
        }
    }

    fn format(&mut self, value: &Node, schema: &Node, found: &mut Findings) -> Option<Json> {
        let Some(text) = value.as_str() else {
            found.notes.push(wrong("format", value, "expected the name of a format"));
            return None;
        };
        if text == "password" || Format::named(text).is_some() {
            return Some(Json::text(text));
        }
        let is_enumerated = schema.get("enum").is_some() || schema.get("const").is_some();
        if !FREE_FORMATS.contains(&text) && !is_enumerated {
            let headline = format!("the format `{text}` is not enforced");
            found.notes.push(
                Diagnostic::warning(GW702, headline)
                    .at(value.span, "any value of the right type passes")
                    .help("write what it must look like as `pattern`, or with bounds")
                    .because_of(format!("format {text}"), "a schema"),
            );
        }
        None
    }

    fn exclusive(&mut self, name: &str, value: &Node, found: &mut Findings) -> Option<Json> {
        let bound = if name == "exclusiveMinimum" { "minimum" } else { "maximum" };
        if self.is_3_0() {
            // The flag becomes a bound of its own when the whole schema is known.
            if value.as_bool().is_none() {
                let diagnostic = wrong(name, value, "expected `true` or `false` in OpenAPI 3.0");
                let number = value.as_text().unwrap_or("5");
                found.notes.push(diagnostic.help(format!("write `{bound}: {number}` and `{name}: true`")));
            }
            return value.as_bool().filter(|set| *set).map(Json::Bool);
        }
        if value.as_bool().is_some() {
            let diagnostic = wrong(name, value, "expected a number since OpenAPI 3.1");
            found.notes.push(diagnostic.help(format!("write the bound as `{name}` in place of `{bound}`")));
            return None;
        }
        let digits = value.as_number().and_then(digits);
        if digits.is_none() {
            found.notes.push(wrong(name, value, "expected a number"));
        }
        digits.map(Json::Number)
    }

    fn unknown(&mut self, entry: &Entry, members: &mut Vec<(String, Json)>, found: &mut Findings) {
        let name = &*entry.key.name;
        if name == "dependencies" && !self.is_3_0() {
            return self.dependencies(entry, members, found);
        }
        if name.starts_with("x-") {
            return;
        }
        let near = suggest(name, KEYWORDS.iter().map(|keyword| keyword.name));
        found.notes.push(
            Diagnostic::warning(GW702, format!("`{name}` is no keyword of schemas, and is not enforced"))
                .at(entry.key.span, "checks nothing")
                .did_you_mean(near)
                .because_of(format!("keyword {name}"), "a schema"),
        );
    }

    /// What later drafts have split into two keywords.
    fn dependencies(&mut self, entry: &Entry, members: &mut Vec<(String, Json)>, found: &mut Findings) {
        let Some(mapping) = entry.value.as_mapping() else {
            return found.notes.push(wrong("dependencies", &entry.value, "expected names or schemas by name"));
        };
        let (mut names, mut schemas) = (Vec::new(), Vec::new());
        for Entry { key, value } in mapping {
            if value.as_sequence().is_some() {
                names.extend(self.names(&key.name, value, found).map(|list| (key.name.to_string(), list)));
            } else {
                schemas.push((key.name.to_string(), self.inner(value, found)));
            }
        }
        for (name, list) in [("dependentRequired", names), ("dependentSchemas", schemas)] {
            if !list.is_empty() && members.iter().all(|(known, _)| known != name) {
                members.push((name.to_owned(), Json::Object(list)));
            }
        }
    }

    fn of_another_version(&mut self, entry: &Entry, found: &mut Findings) {
        let name = &*entry.key.name;
        let (version, help) = if self.is_3_0() {
            ("3.0", "write `openapi: 3.1.0` at the top of the document, or leave it out".to_owned())
        } else {
            ("3.1", "write `type: [string, \"null\"]` for a text that may be `null`".to_owned())
        };
        if name == "nullable" && entry.value.as_bool() == Some(false) {
            return;
        }
        found.notes.push(
            Diagnostic::warning(GW704, format!("`{name}` means nothing in schemas of OpenAPI {version}"))
                .at(entry.key.span, "is not enforced")
                .help(help)
                .because_of(format!("version {name}"), "a schema"),
        );
    }

    /// Whether a regular expression can be matched; one that cannot is reported.
    fn check_pattern(&mut self, text: &str, at: Span, keyword: &str, found: &mut Findings) -> bool {
        let Err(error) = Pattern::new(text) else { return true };
        let is_foreign = error.message.contains("not supported") || error.message.contains("too large");
        let diagnostic = if is_foreign {
            Diagnostic::warning(
                GW702,
                format!("the regular expression of `{keyword}` is not enforced: {}", error.message),
            )
            .help("write it in another way; `gatewayc explain GW702` says which parts of ECMA-262 are not supported")
        } else {
            Diagnostic::error(GW703, format!("the regular expression of `{keyword}` cannot be read: {}", error.message))
        };
        let before = text.get(..error.at).unwrap_or(text);
        found.notes.push(diagnostic.at(at, format!("at character {}", before.chars().count() + 1)));
        false
    }
}

/// An object with one member.
fn object_of(name: &str, value: Json) -> Json {
    Json::Object(vec![(name.to_owned(), value)])
}

/// A keyword whose value is of the wrong kind.
fn wrong(name: &str, value: &Node, expected: &str) -> Diagnostic {
    let given = match (value.as_text(), value.as_bool()) {
        (Some(text), _) if text.len() < 60 => format!("`{text}`"),
        (_, Some(value)) => format!("`{value}`"),
        _ => value.kind_name().to_owned(),
    };
    let diagnostic = Diagnostic::error(GW701, format!("`{name}` of a schema cannot be {given}"));
    diagnostic.at(value.span, expected).without_quotes(value)
}

/// Whether digits are those of a whole number: `2`, `2.0`.
fn is_whole(digits: &str) -> bool {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    whole.bytes().all(|byte| byte.is_ascii_digit()) && fraction.bytes().all(|byte| byte == b'0')
}
