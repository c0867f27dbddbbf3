//! Reads the JSON of a schema into the arena.

mod keywords;
mod values;

use std::collections::HashMap;
use std::sync::Arc;

use super::error::SchemaError;
use super::kinds::Kinds;
use super::node::{AnyRules, Arena, Condition, Contains, Discriminator, Member, Node, Prepared, SchemaId};
use super::table::Table;
use crate::format::Format;
use crate::json::{Document, Kind, Value};
use crate::pattern::Pattern;
use keywords::{ANNOTATIONS, KEYWORDS};
use values::{Result, ValueError, array, boolean, constants, count, kinds, names, number, text};

/// Reads schemas into an arena; `names` are those that `$ref` knows.
pub(super) struct Preparer<'a> {
    pub(super) arena: &'a mut Arena,
    pub(super) names: &'a HashMap<Box<str>, SchemaId>,
    /// Where the reader is in the schema.
    path: Vec<String>,
}

impl<'a> Preparer<'a> {
    pub(super) fn new(arena: &'a mut Arena, names: &'a HashMap<Box<str>, SchemaId>) -> Self {
        Self { arena, names, path: Vec::new() }
    }

    /// Reads the schema of a name, whose node is there.
    pub(super) fn named(&mut self, id: SchemaId, name: &str, text: &str) -> std::result::Result<(), SchemaError> {
        self.read(name, text, |preparer, value| {
            let node = preparer.node(value)?;
            preparer.place(id, node);
            Ok(())
        })
    }

    /// Reads a schema that has no name.
    pub(super) fn unnamed(&mut self, text: &str) -> std::result::Result<SchemaId, SchemaError> {
        self.read("", text, Self::schema)
    }

    fn read<T>(
        &mut self,
        name: &str,
        text: &str,
        read: impl FnOnce(&mut Self, Value<'_>) -> Result<T>,
    ) -> std::result::Result<T, SchemaError> {
        self.path.clear();
        let document = Document::read(text.as_bytes())
            .map_err(|error| (format!("it {} (at byte {})", error.fault, error.at), &*self.path));
        let read = match document {
            Ok(document) => read(self, document.root()).map_err(|error| (error.to_string(), &*self.path)),
            Err(error) => Err(error),
        };
        read.map_err(|(message, path)| {
            let (name, pointer) = (name.to_owned(), pointer(path));
            SchemaError { name, pointer, message, is_about_the_whole: false }
        })
    }

    fn place(&mut self, id: SchemaId, node: Node) {
        if let Some(place) = self.arena.nodes.get_mut(id.index()) {
            *place = node;
        }
    }

    fn schema(&mut self, value: Value<'_>) -> Result<SchemaId> {
        match value.kind() {
            Kind::True => return Ok(SchemaId::ANYTHING),
            Kind::False => return Ok(SchemaId::NOTHING),
            Kind::Object if value.is_empty() => return Ok(SchemaId::ANYTHING),
            _ => {}
        }
        if value.len() == 1
            && let Some(name) = value.get("$ref")
        {
            return self.reference(name);
        }
        let id = SchemaId(u32::try_from(self.arena.nodes.len()).map_err(|_| ValueError::TooManySchemas)?);
        self.arena.nodes.push(Node::default());
        let node = self.node(value)?;
        self.place(id, node);
        Ok(id)
    }

    fn node(&mut self, value: Value<'_>) -> Result<Node> {
        match value.kind() {
            Kind::True => return Ok(Node::default()),
            Kind::False => return Ok(Node { kinds: Kinds::NONE, ..Node::default() }),
            Kind::Object => {}
            _ => return Err(ValueError::Not("a schema: an object, `true` or `false`")),
        }
        let mut node = Node::default();
        for (keyword, value) in value.members() {
            self.within(keyword, |preparer| preparer.keyword(&mut node, keyword, value))?;
        }
        self.members(&mut node, value)?;
        if let Some(then) = self.condition(value)? {
            any(&mut node).condition = Some(then);
        }
        if let Some(contains) = self.contains(value)? {
            node.array.get_or_insert_default().contains = Some(contains);
        }
        if value.len() == 1 {
            node.alias = node.any.as_ref().and_then(|any| any.reference);
        }
        Ok(node)
    }

    /// One keyword that means something alone; those that mean something together are read afterwards.
    fn keyword(&mut self, node: &mut Node, keyword: &str, value: Value<'_>) -> Result<()> {
        match keyword {
            "type" => node.kinds = kinds(value)?,
            "enum" => {
                // No value is one of none.
                let values = if value.kind() == Kind::Array && value.is_empty() { vec![] } else { array(value)? };
                any(node).constants.push(constants("enum", &values));
            }
            "const" => any(node).constants.push(constants("const", &[value])),
            "$ref" => any(node).reference = Some(self.reference(value)?),
            "$dynamicRef" => any(node).dynamic = Some(self.dynamic(value)?),
            "$dynamicAnchors" => any(node).anchors = self.anchors(value)?,
            "allOf" => any(node).all_of = self.schemas(value)?,
            "anyOf" => any(node).any_of = self.schemas(value)?,
            "oneOf" => any(node).one_of = self.schemas(value)?,
            "not" => any(node).not = Some(self.schema(value)?),
            "discriminator" => any(node).discriminator = Some(self.discriminator(value)?),
            "readOnly" => node.traits.read_only = boolean(value)?,
            "writeOnly" => {
                node.traits.write_only = boolean(value)?;
                node.traits.is_secret |= node.traits.write_only;
            }
            "format" => {
                let name = text(value)?;
                node.traits.is_secret |= name == "password";
                if let Some(format) = Format::named(name) {
                    if format.is_of_numbers() {
                        node.number.get_or_insert_default().format = Some(format);
                    } else {
                        node.text.get_or_insert_default().format = Some(format);
                    }
                }
            }

            "minLength" => node.text.get_or_insert_default().least = Some(count(value)?),
            "maxLength" => node.text.get_or_insert_default().most = Some(count(value)?),
            "pattern" => node.text.get_or_insert_default().pattern = Some(self.pattern(text(value)?)?),

            "minimum" => node.number.get_or_insert_default().minimum = Some(number(value)?),
            "exclusiveMinimum" => node.number.get_or_insert_default().above = Some(number(value)?),
            "maximum" => node.number.get_or_insert_default().maximum = Some(number(value)?),
            "exclusiveMaximum" => node.number.get_or_insert_default().below = Some(number(value)?),
            "multipleOf" => {
                let of = number(value)?;
                if of.get().is_negative() || of.get().is_zero() {
                    return Err(ValueError::NotPositive);
                }
                node.number.get_or_insert_default().multiple_of = Some(of);
            }

            "minItems" => node.array.get_or_insert_default().least = Some(count(value)?),
            "maxItems" => node.array.get_or_insert_default().most = Some(count(value)?),
            "uniqueItems" => node.array.get_or_insert_default().is_unique = boolean(value)?,
            "prefixItems" => node.array.get_or_insert_default().prefix = self.schemas(value)?,
            "items" => node.array.get_or_insert_default().items = Some(self.schema(value)?),
            "unevaluatedItems" => node.array.get_or_insert_default().unevaluated = Some(self.schema(value)?),

            "minProperties" => node.object.get_or_insert_default().least = Some(count(value)?),
            "maxProperties" => node.object.get_or_insert_default().most = Some(count(value)?),
            "additionalProperties" => node.object.get_or_insert_default().additional = Some(self.schema(value)?),
            "unevaluatedProperties" => node.object.get_or_insert_default().unevaluated = Some(self.schema(value)?),
            "propertyNames" => node.object.get_or_insert_default().naming = Some(self.schema(value)?),
            "patternProperties" => {
                let read =
                    self.by_name(value, |preparer, name, value| Ok((preparer.pattern(name)?, preparer.schema(value)?)));
                node.object.get_or_insert_default().patterns = read?;
            }
            "dependentRequired" => {
                let read = self.by_name(value, |_, name, value| Ok((name.into(), names(value)?)));
                node.object.get_or_insert_default().dependent_required = read?;
            }
            "dependentSchemas" => {
                let read = self.by_name(value, |preparer, name, value| Ok((name.into(), preparer.schema(value)?)));
                node.object.get_or_insert_default().dependent_schemas = read?;
            }

            known if KEYWORDS.contains(&known) || ANNOTATIONS.contains(&known) || known.starts_with("x-") => {}
            _ => return Err(ValueError::UnknownKeyword),
        }
        Ok(())
    }

    /// `properties` and `required`: one table.
    fn members(&mut self, node: &mut Node, value: Value<'_>) -> Result<()> {
        let mut members: Vec<(Box<str>, Member)> = Vec::new();
        if let Some(properties) = value.get("properties") {
            let read = |preparer: &mut Self, name: &str, value: Value<'_>| {
                Ok((name.into(), Member { schema: Some(preparer.schema(value)?), required: None }))
            };
            members = self.within("properties", |preparer| preparer.by_name(properties, read))?.into_vec();
        }
        let required = match value.get("required") {
            Some(required) => self.within("required", |_| names(required))?,
            None => Box::default(),
        };
        if members.is_empty() && required.is_empty() {
            return Ok(());
        }
        let places: HashMap<Box<str>, usize> =
            members.iter().enumerate().map(|(at, (name, _))| (name.clone(), at)).collect();
        for (index, name) in (0..).zip(&required) {
            let place = places.get(name).and_then(|at| members.get_mut(*at));
            match place {
                Some((_, member)) => member.required = Some(index),
                None => members.push((name.clone(), Member { schema: None, required: Some(index) })),
            }
        }
        let object = node.object.get_or_insert_default();
        (object.names, object.required) = (Table::new(members), required);
        Ok(())
    }

    fn condition(&mut self, value: Value<'_>) -> Result<Option<Condition>> {
        let Some(test) = self.beside(value, "if")? else { return Ok(None) };
        let (then, otherwise) = (self.beside(value, "then")?, self.beside(value, "else")?);
        Ok(Some(Condition { test, then, otherwise }))
    }

    fn contains(&mut self, value: Value<'_>) -> Result<Option<Contains>> {
        let least = value.get("minContains").map(|least| self.within("minContains", |_| count(least))).transpose()?;
        let most = value.get("maxContains").map(|most| self.within("maxContains", |_| count(most))).transpose()?;
        let schema = self.beside(value, "contains")?;
        Ok(schema.map(|schema| Contains { schema, least: least.unwrap_or(1), most }))
    }

    /// The schema that stands under a keyword.
    fn beside(&mut self, value: Value<'_>, keyword: &str) -> Result<Option<SchemaId>> {
        let Some(value) = value.get(keyword) else { return Ok(None) };
        self.within(keyword, |preparer| preparer.schema(value)).map(Some)
    }

    /// Goes down to a member or item; where something is wrong, the path stays there.
    fn within<T>(&mut self, step: &str, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.path.push(step.to_owned());
        let read = read(self)?;
        self.path.pop();
        Ok(read)
    }

    fn schemas(&mut self, value: Value<'_>) -> Result<Box<[SchemaId]>> {
        let items = array(value)?.into_iter().enumerate();
        items.map(|(index, item)| self.within(&index.to_string(), |preparer| preparer.schema(item))).collect()
    }

    fn by_name<T>(
        &mut self,
        value: Value<'_>,
        mut read: impl FnMut(&mut Self, &str, Value<'_>) -> Result<T>,
    ) -> Result<Box<[T]>> {
        if value.kind() != Kind::Object {
            return Err(ValueError::Not("an object"));
        }
        value.members().map(|(name, value)| self.within(name, |preparer| read(preparer, name, value))).collect()
    }

    fn reference(&self, name: Value<'_>) -> Result<SchemaId> {
        let name = text(name)?;
        self.names.get(name).copied().ok_or_else(|| ValueError::UnknownSchema(name.to_owned()))
    }

    fn dynamic(&mut self, value: Value<'_>) -> Result<(usize, SchemaId)> {
        let parts = array(value)?;
        let [anchor, name] = parts.as_slice() else { return Err(ValueError::Not("an anchor and a name")) };
        Ok((self.anchor(text(*anchor)?), self.reference(*name)?))
    }

    fn anchors(&mut self, value: Value<'_>) -> Result<Box<[(usize, SchemaId)]>> {
        self.by_name(value, |preparer, anchor, name| Ok((preparer.anchor(anchor), preparer.reference(name)?)))
    }

    fn anchor(&mut self, name: &str) -> usize {
        let known = self.arena.anchors.iter().position(|known| &**known == name);
        known.unwrap_or_else(|| {
            self.arena.anchors.push(name.into());
            self.arena.anchors.len() - 1
        })
    }

    fn discriminator(&mut self, value: Value<'_>) -> Result<Discriminator> {
        let (Some(property), Some(mapping)) = (value.get("property"), value.get("mapping")) else {
            return Err(ValueError::Discriminator);
        };
        let property = self.within("property", |_| text(property))?.into();
        let mapping = self.within("mapping", |preparer| {
            preparer.by_name(mapping, |preparer, name, target| Ok((name.into(), preparer.reference(target)?)))
        })?;
        Ok(Discriminator { property, mapping: Table::new(mapping) })
    }

    fn pattern(&mut self, text: &str) -> Result<Arc<Prepared>> {
        if let Some(known) = self.arena.patterns.iter().find(|known| &*known.text == text) {
            return Ok(known.clone());
        }
        let pattern = Pattern::new(text).map_err(ValueError::Pattern)?;
        let prepared = Arc::new(Prepared { text: text.into(), pattern });
        self.arena.patterns.push(prepared.clone());
        Ok(prepared)
    }
}

fn any(node: &mut Node) -> &mut AnyRules {
    node.any.get_or_insert_default()
}

fn pointer(path: &[String]) -> String {
    path.iter().map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1"))).collect()
}
