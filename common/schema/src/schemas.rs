//! Schemas: prepared once, and then asked about values.
//!
//! A schema is JSON: `true`, `false`, or an object with the keywords of JSON Schema 2020-12 that assert something. The compiler
//! writes it, so that it is the same for all dialects:
//!
//! * `$ref` is the name of a named schema, and no URI; what stands beside it counts as well.
//! * `$dynamicRef` is `["anchor", "Name"]`: the schema that the outermost resource on the way here has under the anchor, or else
//!   the named one. `$dynamicAnchors`, an object of names by anchor, stands at the top of each named schema of a resource that
//!   has some.
//! * `discriminator` is `{"property": "kind", "mapping": {"cat": "Cat"}}`: the value of the property is one of these, and the
//!   named schema counts. For objects it replaces `oneOf` and `anyOf` beside it; other values fit these, if there are some. The
//!   named schema may refer back to the one that has the discriminator, which then counts once.
//! * `readOnly: true` refuses a member in a request, `writeOnly: true` in a response, also where the schema of the member says
//!   so through `$ref` and `allOf`; a member that the direction refuses is not required there.
//! * `type` is a text or a list.
//! * `format` is asserted if [`Format`](crate::format::Format) has it. `format: password` and `writeOnly` make a schema secret.
//! * These are as they are in JSON Schema: `enum`, `const`; `multipleOf`, `maximum`, `exclusiveMaximum`, `minimum`,
//!   `exclusiveMinimum`; `maxLength`, `minLength`, `pattern`; `maxItems`, `minItems`, `uniqueItems`, `prefixItems`, `items`,
//!   `contains`, `maxContains`, `minContains`, `unevaluatedItems`; `maxProperties`, `minProperties`, `required`, `properties`,
//!   `patternProperties`, `additionalProperties`, `propertyNames`, `dependentRequired`, `dependentSchemas`,
//!   `unevaluatedProperties`; `allOf`, `anyOf`, `oneOf`, `not`, `if`, `then`, `else`.
//! * `title`, `description`, `default`, `example`, `examples`, `deprecated`, `$comment`, `contentEncoding`, `contentMediaType`,
//!   `contentSchema`, `externalDocs`, `xml` and what begins with `x-` are passed over. Everything else is refused, `$id`,
//!   `$anchor`, `$defs` and `definitions` among it.

mod bits;
mod check;
mod equal;
mod error;
mod finish;
mod kinds;
mod node;
mod prepare;
mod report;
mod shape;
mod table;
mod violation;

use std::collections::HashMap;

pub use error::SchemaError;
pub use kinds::Kinds;
use node::{Arena, Node};
pub use node::{Direction, SchemaId};
use prepare::Preparer;
pub use violation::{MOST_VIOLATIONS, Violation};

use crate::json::Value;

/// The named schemas of one API, and those that were added.
#[derive(Debug)]
pub struct Schemas {
    arena: Arena,
    names: HashMap<Box<str>, SchemaId>,
    /// The schemas without names, by their text.
    added: HashMap<Box<str>, SchemaId>,
}

impl Schemas {
    /// Prepares schemas, by their names and the JSON of each, which may refer to all others.
    ///
    /// # Errors
    /// The first mistake in a schema.
    pub fn new<'t>(named: impl IntoIterator<Item = (&'t str, &'t str)>) -> Result<Self, SchemaError> {
        let named: Vec<_> = named.into_iter().collect();
        let mut arena = Arena::default();
        arena.nodes.push(Node::default());
        arena.nodes.push(Node { kinds: Kinds::NONE, ..Node::default() });
        let mut names = HashMap::with_capacity(named.len());
        for (name, _) in &named {
            let id = SchemaId(u32::try_from(arena.nodes.len()).unwrap_or(u32::MAX));
            if names.insert((*name).into(), id).is_some() {
                let message = "there is another schema of this name".to_owned();
                let (name, pointer) = ((*name).to_owned(), String::new());
                return Err(SchemaError { name, pointer, message, is_about_the_whole: false });
            }
            arena.nodes.push(Node::default());
        }
        let mut preparer = Preparer::new(&mut arena, &names);
        // The parts of a named schema are in the arena from here on.
        let mut parts = Vec::with_capacity(named.len());
        for (name, text) in &named {
            let id = preparer.names.get(*name).copied().unwrap_or(SchemaId::NOTHING);
            parts.push((preparer.arena.nodes.len(), id, name));
            preparer.named(id, name, text)?;
        }
        finish::finish(&mut arena, 0).map_err(|(id, message)| {
            let exact = parts.iter().find(|(_, named, _)| *named == id);
            let whole = exact.or_else(|| parts.iter().rev().find(|(from, ..)| id.index() >= *from));
            SchemaError::of_whole(whole.map_or("", |(_, _, name)| name), message)
        })?;
        Ok(Self { arena, names, added: HashMap::new() })
    }

    /// Adds a schema without a name, which may refer to those with names; the same text is the same schema.
    ///
    /// # Errors
    /// The first mistake in the schema.
    pub fn add(&mut self, json: &str) -> Result<SchemaId, SchemaError> {
        if let Some(known) = self.added.get(json) {
            return Ok(*known);
        }
        let from = self.arena.nodes.len();
        let added = Preparer::new(&mut self.arena, &self.names).unnamed(json).and_then(|id| {
            finish::finish(&mut self.arena, from).map_err(|(_, message)| SchemaError::of_whole("", message))?;
            Ok(id)
        });
        match &added {
            Ok(id) => drop(self.added.insert(json.into(), *id)),
            Err(_) => self.arena.nodes.truncate(from),
        }
        added
    }

    /// The schema of a name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<SchemaId> {
        self.names.get(name).copied()
    }

    /// The kinds of values that may fit: what `type`, `enum` and `const` say, through `$ref`, `allOf`, `anyOf` and `oneOf`.
    #[must_use]
    pub fn kinds(&self, id: SchemaId) -> Kinds {
        self.arena.node(id).traits.kinds
    }

    /// The schema of a member: through `$ref`, `allOf`, `anyOf` and `oneOf` the first that restricts its kind, or else the first.
    #[must_use]
    pub fn property(&self, id: SchemaId, name: &str) -> Option<SchemaId> {
        shape::property(&self.arena, id, name)
    }

    /// The names that stand under `properties`, through `$ref`, `allOf`, `anyOf` and `oneOf`.
    #[must_use]
    pub fn names_of_properties(&self, id: SchemaId) -> Vec<&str> {
        shape::names(&self.arena, id)
    }

    /// The schema of an item.
    #[must_use]
    pub fn items(&self, id: SchemaId, index: usize) -> Option<SchemaId> {
        shape::items(&self.arena, id, index)
    }

    /// Whether values are not to be repeated: `format: password`, or `writeOnly`.
    #[must_use]
    pub fn is_secret(&self, id: SchemaId) -> bool {
        self.arena.node(id).traits.is_secret
    }

    /// What is wrong with a value: at most [`MOST_VIOLATIONS`], and nothing if it is valid.
    #[must_use]
    pub fn check(&self, id: SchemaId, value: Value<'_>, direction: Direction) -> Vec<Violation> {
        check::violations(&self.arena, id, value, direction)
    }

    /// Whether a value is valid.
    #[must_use]
    pub fn is_valid(&self, id: SchemaId, value: Value<'_>, direction: Direction) -> bool {
        check::is_valid(&self.arena, id, value, direction)
    }
}
