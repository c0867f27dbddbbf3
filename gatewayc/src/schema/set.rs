//! Schemas of a document, as they are translated.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use gateway_yaml::{FileId, Node, Span, Value};

use crate::diagnostic::Diagnostic;
use crate::schema::identity::Identities;
use crate::schema::json::Json;

/// A schema.
#[derive(Debug, Clone)]
pub struct Schema {
    /// As the gateway reads it.
    pub json: Json,
    /// Where it is in the document.
    pub at: Span,
    /// Those of the named schemas that it refers to.
    pub refs: Vec<usize>,
    /// What is wrong with it. It matters where the schema is used.
    pub notes: Vec<Diagnostic>,
    /// Values beside it that it should admit.
    pub samples: Vec<Sample>,
}

/// A value that a document gives for a schema: an example, or a default.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The keyword, such as `example`.
    pub keyword: &'static str,
    /// The value.
    pub value: Json,
    /// Where it is.
    pub at: Span,
    /// The schema, which may be a part of the one that has the sample.
    pub schema: Arc<str>,
}

/// The named schemas of a document.
#[derive(Debug, Clone, Default)]
pub struct SchemaSet {
    /// In the order in which they were met.
    pub named: Vec<NamedSchema>,
    /// By their place, each as it is there: overlays can change what an alias stands for in one place of several.
    pub(super) by_place: HashMap<Span, Vec<(Node, usize)>>,
    pub(super) names: BTreeSet<String>,
    /// What files call schemas in them, where that was asked.
    pub(super) identities: HashMap<FileId, Identities>,
    /// Named schemas that are still to be translated.
    pub(super) pending: Vec<(usize, Node)>,
}

/// A schema that others refer to.
#[derive(Debug, Clone)]
pub struct NamedSchema {
    /// What `$ref` calls it.
    pub name: String,
    /// The schema.
    pub schema: Schema,
}

impl SchemaSet {
    /// The named schema that a node is, if it was met before.
    pub(super) fn met(&self, node: &Node) -> Option<usize> {
        let here = self.by_place.get(&node.span)?;
        here.iter().find(|(known, _)| is_same(known, node)).map(|(_, at)| *at)
    }

    /// The named schemas that some schemas lead to, in order of their names.
    #[must_use]
    pub fn reached<'s>(&'s self, from: impl IntoIterator<Item = &'s Schema>) -> Vec<&'s NamedSchema> {
        let mut reached = vec![false; self.named.len()];
        let mut pending: Vec<usize> = from.into_iter().flat_map(|schema| schema.refs.iter().copied()).collect();
        while let Some(at) = pending.pop() {
            if let (Some(is_reached), Some(named)) = (reached.get_mut(at), self.named.get(at))
                && !std::mem::replace(is_reached, true)
            {
                pending.extend(&named.schema.refs);
            }
        }
        let mut found: Vec<&NamedSchema> =
            self.named.iter().zip(reached).filter(|(_, is_reached)| *is_reached).map(|(named, _)| named).collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }
}

/// Whether two nodes of one place are one. Most share what they hold, so that it need not be compared.
fn is_same(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        (Value::Mapping(one), Value::Mapping(other)) if Arc::ptr_eq(one, other) => true,
        (one, other) => one == other,
    }
}
