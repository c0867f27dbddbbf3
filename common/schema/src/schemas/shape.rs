//! What schemas say of the parts of values, for text that is read as values.

use std::collections::HashSet;

use super::kinds::Kinds;
use super::node::{Arena, Node, SchemaId};
use crate::pattern::Outcome;

/// Schemas that are looked at for one answer.
const MOST_LOOKED_AT: usize = 10_000;

/// The schema of a member: what stands under `properties`, or else under `patternProperties`, or else what all others are. Of
/// several, the first that restricts the kind.
pub(super) fn property(arena: &Arena, id: SchemaId, name: &str) -> Option<SchemaId> {
    let lookups: [Lookup<'_>; 3] = [
        &|node| node.object.as_ref()?.names.get(name)?.schema,
        &|node| {
            let mut patterns = node.object.as_ref()?.patterns.iter();
            patterns.find(|(pattern, _)| pattern.pattern.find(name) == Outcome::Matches).map(|(_, schema)| *schema)
        },
        &|node| {
            let object = node.object.as_ref()?;
            object.additional.or(object.unevaluated)
        },
    ];
    lookups.into_iter().find_map(|lookup| first(arena, id, lookup))
}

/// The schema of an item.
pub(super) fn items(arena: &Arena, id: SchemaId, index: usize) -> Option<SchemaId> {
    first(arena, id, &|node| {
        let array = node.array.as_ref()?;
        array.prefix.get(index).copied().or(array.items).or(array.unevaluated)
    })
}

/// The names that stand under `properties`.
pub(super) fn names(arena: &Arena, id: SchemaId) -> Vec<&str> {
    let mut names = Vec::new();
    let mut seen = HashSet::new();
    for node in parts(arena, id) {
        for (name, member) in node.object.iter().flat_map(|object| object.names.iter()) {
            if member.schema.is_some() && seen.insert(name) {
                names.push(name);
            }
        }
    }
    names
}

/// What a schema says, without those that it refers to.
type Lookup<'l> = &'l dyn Fn(&Node) -> Option<SchemaId>;

/// The first answer that restricts the kind, or else the first; a `false` is an answer only beside nothing else.
fn first(arena: &Arena, id: SchemaId, lookup: Lookup<'_>) -> Option<SchemaId> {
    let mut fallback = None;
    for node in parts(arena, id) {
        let Some(found) = lookup(node) else { continue };
        match arena.node(found).traits.kinds {
            Kinds::ALL => fallback = fallback.filter(|known| *known != SchemaId::NOTHING).or(Some(found)),
            Kinds::NONE => fallback = fallback.or(Some(found)),
            _ => return Some(found),
        }
    }
    fallback.filter(|found| *found != SchemaId::NOTHING)
}

/// A schema and all that may say something of the same value, each once.
fn parts(arena: &Arena, id: SchemaId) -> impl Iterator<Item = &Node> {
    let mut open = vec![id];
    let mut seen = HashSet::new();
    std::iter::from_fn(move || {
        loop {
            let id = open.pop()?;
            let node = arena.node(id);
            let Some(any) = &node.any else { return Some(node) };
            if seen.len() >= MOST_LOOKED_AT || !seen.insert(id) {
                continue;
            }
            let from = open.len();
            open.extend(any.reference.into_iter().chain(any.dynamic.map(|(_, schema)| schema)));
            open.extend(any.all_of.iter().chain(&any.any_of).chain(&any.one_of));
            if let Some(discriminator) = &any.discriminator {
                open.extend(discriminator.mapping.iter().map(|(_, schema)| schema));
            }
            // The first is looked at first.
            open.get_mut(from..).unwrap_or_default().reverse();
            return Some(node);
        }
    })
}
