//! Writes schemas with URIs as the crate reads them: references by name.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use gateway_schema::json::{Kind, Value};

use super::uri::resolve;

/// Keywords with one schema, with a list of schemas, and with schemas by name.
const ONE: [&str; 11] = [
    "not",
    "if",
    "then",
    "else",
    "items",
    "contains",
    "additionalProperties",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
];
const LIST: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];
const BY_NAME: [&str; 4] = ["properties", "patternProperties", "dependentSchemas", "$defs"];
/// Keywords that are as they are.
const PLAIN: [&str; 20] = [
    "type",
    "enum",
    "const",
    "multipleOf",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "maxContains",
    "minContains",
    "maxProperties",
    "minProperties",
    "required",
    "dependentRequired",
];

/// A schema, with the URI of the resource that it belongs to.
struct Place<'d> {
    value: Value<'d>,
    resource: String,
}

/// All documents that references may lead to.
pub(crate) struct Bundle<'d> {
    resources: HashMap<String, Value<'d>>,
    /// By the URI of the resource and the name of the anchor; and whether it is dynamic.
    anchors: HashMap<(String, String), (Value<'d>, bool)>,
    /// The resource of each schema that was seen, by its document and place.
    homes: HashMap<(usize, usize), String>,
    names: HashMap<(usize, usize), String>,
    open: Vec<(String, Place<'d>)>,
    with_formats: bool,
}

impl<'d> Bundle<'d> {
    pub(crate) fn new(with_formats: bool) -> Self {
        Self {
            resources: HashMap::new(),
            anchors: HashMap::new(),
            homes: HashMap::new(),
            names: HashMap::new(),
            open: Vec::new(),
            with_formats,
        }
    }

    /// Makes a document known by a URI.
    pub(crate) fn document(&mut self, uri: &str, root: Value<'d>) {
        self.resources.insert(uri.to_owned(), root);
        self.discover(root, uri);
    }

    fn discover(&mut self, value: Value<'d>, base: &str) {
        if value.kind() != Kind::Object {
            return;
        }
        let mut base = base.to_owned();
        if let Some(id) = string(value, "$id") {
            base = resolve(&base, id).0;
            self.resources.insert(base.clone(), value);
        }
        self.homes.insert(key(value), base.clone());
        for (keyword, is_dynamic) in [("$anchor", false), ("$dynamicAnchor", true)] {
            if let Some(anchor) = string(value, keyword) {
                self.anchors.insert((base.clone(), anchor.to_owned()), (value, is_dynamic));
            }
        }
        for (keyword, value) in value.members() {
            match keyword {
                _ if ONE.contains(&keyword) => self.discover(value, &base),
                _ if LIST.contains(&keyword) => value.items().for_each(|item| self.discover(item, &base)),
                _ if BY_NAME.contains(&keyword) => value.members().for_each(|(_, value)| self.discover(value, &base)),
                _ => {}
            }
        }
    }

    /// The named schemas that a document needs: the first is the document; or a reference that leads nowhere.
    pub(crate) fn schemas(&mut self, uri: &str) -> Result<BTreeMap<String, String>, String> {
        let root = self.resources.get(uri).copied().expect("the document is known");
        let resource = string(root, "$id").map_or(uri.to_owned(), |id| resolve(uri, id).0);
        self.name(Place { value: root, resource });
        let mut schemas = BTreeMap::new();
        while let Some((name, place)) = self.open.pop() {
            let text = self.write(&place, true)?;
            schemas.insert(name, text);
        }
        Ok(schemas)
    }

    fn name(&mut self, place: Place<'d>) -> String {
        let key = key(place.value);
        if let Some(name) = self.names.get(&key) {
            return name.clone();
        }
        let name = format!("s{}", self.names.len());
        self.names.insert(key, name.clone());
        self.open.push((name.clone(), place));
        name
    }

    fn write(&mut self, place: &Place<'d>, is_top: bool) -> Result<String, String> {
        let Place { value, resource } = place;
        if value.kind() != Kind::Object {
            return Ok(json(*value));
        }
        if !is_top && value.get("$id").is_some() {
            let resource = self.homes.get(&key(*value)).cloned().unwrap_or_default();
            return Ok(format!("{{\"$ref\": {:?}}}", self.name(Place { value: *value, resource })));
        }
        let mut parts = Vec::new();
        if is_top {
            let mut anchors: Vec<(String, Value<'d>)> = Vec::new();
            for ((home, anchor), (value, is_dynamic)) in &self.anchors {
                if home == resource && *is_dynamic {
                    anchors.push((anchor.clone(), *value));
                }
            }
            anchors.sort_by(|(one, _), (other, _)| one.cmp(other));
            let mut names = Vec::new();
            for (anchor, value) in anchors {
                names.push(format!("{anchor:?}: {:?}", self.name(Place { value, resource: resource.clone() })));
            }
            if !names.is_empty() {
                parts.push(format!("\"$dynamicAnchors\": {{{}}}", names.join(", ")));
            }
        }
        let below = |value| Place { value, resource: resource.clone() };
        let mut references = Vec::new();
        for (keyword, value) in value.members() {
            let written = match keyword {
                "$ref" | "$dynamicRef" => {
                    let (target, anchor) = self.target(resource, value.text())?;
                    let name = self.name(target);
                    match anchor.filter(|_| keyword == "$dynamicRef") {
                        Some(anchor) => parts.push(format!("\"$dynamicRef\": [{anchor:?}, {name:?}]")),
                        None => references.push(name),
                    }
                    continue;
                }
                "format" if self.with_formats => json(value),
                "$defs" | "contentSchema" => continue,
                _ if PLAIN.contains(&keyword) => json(value),
                _ if ONE.contains(&keyword) => self.write(&below(value), false)?,
                _ if LIST.contains(&keyword) => {
                    let items: Result<Vec<_>, _> = value.items().map(|item| self.write(&below(item), false)).collect();
                    format!("[{}]", items?.join(", "))
                }
                _ if BY_NAME.contains(&keyword) => {
                    let members = value
                        .members()
                        .map(|(name, value)| Ok(format!("{}: {}", quoted(name), self.write(&below(value), false)?)));
                    format!("{{{}}}", members.collect::<Result<Vec<_>, String>>()?.join(", "))
                }
                _ => continue,
            };
            parts.push(format!("{keyword:?}: {written}"));
        }
        match references.as_slice() {
            [] => {}
            [name] => parts.push(format!("\"$ref\": {name:?}")),
            // `$ref` beside a `$dynamicRef` that is not dynamic.
            names => {
                let names: Vec<String> = names.iter().map(|name| format!("{{\"$ref\": {name:?}}}")).collect();
                let both = format!("{{\"allOf\": [{}]}}", names.join(", "));
                parts.push(format!("\"not\": {{\"not\": {both}}}"));
            }
        }
        Ok(format!("{{{}}}", parts.join(", ")))
    }

    /// The schema that a reference leads to, and the dynamic anchor that it names.
    fn target(&self, base: &str, reference: &str) -> Result<(Place<'d>, Option<String>), String> {
        let (uri, fragment) = resolve(base, reference);
        let missing = || format!("no document {uri}#{fragment}");
        let Some(pointer) = Some(&*fragment).filter(|fragment| fragment.is_empty() || fragment.starts_with('/')) else {
            let (value, is_dynamic) = self.anchors.get(&(uri.clone(), fragment.clone())).ok_or_else(missing)?;
            return Ok((Place { value: *value, resource: uri }, is_dynamic.then_some(fragment)));
        };
        let mut value = *self.resources.get(&uri).ok_or_else(missing)?;
        let mut resource = self.homes.get(&key(value)).cloned().unwrap_or(uri.clone());
        for step in pointer.split('/').skip(1) {
            let step = step.replace("~1", "/").replace("~0", "~");
            let next = match value.kind() {
                Kind::Array => step.parse().ok().and_then(|index: usize| value.items().nth(index)),
                _ => value.get(&step),
            };
            value = next.ok_or_else(missing)?;
            if let Some(home) = self.homes.get(&key(value)) {
                resource.clone_from(home);
            }
        }
        Ok((Place { value, resource }, None))
    }
}

/// No two values have the same text at the same address, and the same place.
fn key(value: Value<'_>) -> (usize, usize) {
    let first = value.members().next().map_or(0, |(name, _)| name.as_ptr().addr());
    (first, value.place())
}

fn string<'d>(value: Value<'d>, keyword: &str) -> Option<&'d str> {
    value.get(keyword).filter(|value| value.kind() == Kind::String).map(Value::text)
}

pub(crate) fn json(value: Value<'_>) -> String {
    match value.kind() {
        Kind::Null => "null".to_owned(),
        Kind::False => "false".to_owned(),
        Kind::True => "true".to_owned(),
        Kind::Number => value.text().to_owned(),
        Kind::String => quoted(value.text()),
        Kind::Array => format!("[{}]", value.items().map(json).collect::<Vec<_>>().join(", ")),
        Kind::Object => {
            let members = value.members().map(|(name, value)| format!("{}: {}", quoted(name), json(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\0'..'\u{20}' => write!(quoted, "\\u{:04x}", character as u32).expect("a text grows"),
            _ => quoted.push(character),
        }
    }
    quoted + "\""
}
