//! What is known of schemas when all are there: that none refers to itself, and their traits.

use super::bits::Bits;
use super::kinds::Kinds;
use super::node::{Arena, Direction, Node, SchemaId, Traits};
use crate::json::{Kind, Value};

/// Schemas that apply to one value, each in the one before; more are refused.
const DEEPEST: usize = 200;

/// Schemas that are looked at for what one says of a member.
const MOST_LOOKED_AT: usize = 1000;

/// Finds out what is known of the schemas from an index on; those before are known.
///
/// # Errors
/// The schema that refers to itself, with what is wrong.
pub(super) fn finish(arena: &mut Arena, from: usize) -> Result<(), (SchemaId, &'static str)> {
    let order = order(arena, from, &plain_edges).map_err(|id| (id, "it applies to itself without end"))?;
    check_depth(arena, from, &order)?;
    let loose = |node: &Node, edges: &mut Vec<SchemaId>| {
        plain_edges(node, edges);
        guarded_edges(node, edges);
    };
    for id in loose_order(arena, from, &loose) {
        let kinds = kinds(arena, arena.node(id));
        if let Some(node) = arena.nodes.get_mut(id.index()) {
            node.traits.kinds = kinds;
        }
    }
    for id in &order {
        let node = arena.node(*id);
        let mut traits = node.traits;
        for other in applied(node) {
            let Traits { read_only, write_only, is_secret, .. } = arena.node(other).traits;
            traits.read_only |= read_only;
            traits.write_only |= write_only;
            traits.is_secret |= is_secret;
        }
        if let Some(node) = arena.nodes.get_mut(id.index()) {
            node.traits = traits;
        }
    }
    for id in &order {
        let has_one_way = has_one_way(arena, arena.node(*id));
        if let Some(node) = arena.nodes.get_mut(id.index()) {
            node.traits.has_one_way = has_one_way;
        }
        let must = [Direction::Request, Direction::Response].map(|direction| must(arena, *id, direction));
        if let Some(object) = arena.nodes.get_mut(id.index()).and_then(|node| node.object.as_mut()) {
            object.must = must;
        }
    }
    Ok(())
}

/// Whether a schema, or one that applies with it, says that a direction does not have a member.
pub(super) fn is_refused(arena: &Arena, id: SchemaId, name: &str, direction: Direction) -> bool {
    let mut open = vec![id];
    for _ in 0..MOST_LOOKED_AT {
        let Some(id) = open.pop() else { return false };
        let node = arena.node(id);
        if !node.traits.has_one_way {
            continue;
        }
        let member = node.object.as_ref().and_then(|object| object.names.get(name)).and_then(|member| member.schema);
        if member.is_some_and(|schema| arena.node(schema).traits.is_refused(direction)) {
            return true;
        }
        open.extend(applied(node));
    }
    false
}

/// What applies wherever a schema applies.
pub(super) fn applied(node: &Node) -> impl Iterator<Item = SchemaId> {
    let any = node.any.as_deref();
    any.into_iter().flat_map(|any| any.reference.into_iter().chain(any.all_of.iter().copied()))
}

/// Schemas that are asked about the same value, whatever it is.
fn plain_edges(node: &Node, edges: &mut Vec<SchemaId>) {
    if let Some(object) = &node.object {
        edges.extend(object.dependent_schemas.iter().map(|(_, schema)| schema));
    }
    let Some(any) = &node.any else { return };
    edges.extend(applied(node));
    edges.extend(any.not);
    if let Some(condition) = &any.condition {
        edges.extend([Some(condition.test), condition.then, condition.otherwise].into_iter().flatten());
    }
    if any.discriminator.is_none() {
        edges.extend(any.any_of.iter().chain(&any.one_of));
    }
}

/// Schemas that may be asked about the same value, where the checker sees to it that this ends.
fn guarded_edges(node: &Node, edges: &mut Vec<SchemaId>) {
    let Some(any) = &node.any else { return };
    edges.extend(any.dynamic.map(|(_, schema)| schema));
    if let Some(discriminator) = &any.discriminator {
        edges.extend(any.any_of.iter().chain(&any.one_of));
        edges.extend(discriminator.mapping.iter().map(|(_, schema)| schema));
    }
}

type Edges<'e> = &'e dyn Fn(&Node, &mut Vec<SchemaId>);

/// The schemas from an index on, each behind those that it has edges to; or one that comes back to itself.
fn order(arena: &Arena, from: usize, edges: Edges<'_>) -> Result<Vec<SchemaId>, SchemaId> {
    walk(arena, from, edges, true)
}

/// The same, where one that comes back to itself stands before those on the way.
fn loose_order(arena: &Arena, from: usize, edges: Edges<'_>) -> Vec<SchemaId> {
    walk(arena, from, edges, false).unwrap_or_default()
}

fn walk(arena: &Arena, from: usize, edges: Edges<'_>, is_strict: bool) -> Result<Vec<SchemaId>, SchemaId> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let mut states = vec![State::New; arena.nodes.len()];
    states.iter_mut().take(from).for_each(|state| *state = State::Done);
    let mut order = Vec::new();
    for start in from..arena.nodes.len() {
        let mut path = vec![SchemaId(start as u32)];
        let mut found = Vec::new();
        while let Some(id) = path.pop() {
            let Some(state) = states.get_mut(id.index()) else { continue };
            match state {
                State::Done => {}
                // All behind it is done.
                State::Open => {
                    *state = State::Done;
                    order.push(id);
                }
                State::New => {
                    *state = State::Open;
                    path.push(id);
                    edges(arena.node(id), &mut found);
                    for next in found.drain(..) {
                        match states.get(next.index()) {
                            Some(State::New) => path.push(next),
                            Some(State::Open) if is_strict => return Err(next),
                            _ => {}
                        }
                    }
                }
            }
        }
    }
    Ok(order)
}

fn check_depth(arena: &Arena, from: usize, order: &[SchemaId]) -> Result<(), (SchemaId, &'static str)> {
    let mut depths = vec![0usize; arena.nodes.len().saturating_sub(from)];
    let mut edges = Vec::new();
    for id in order {
        let node = arena.node(*id);
        plain_edges(node, &mut edges);
        let below = edges.drain(..).filter_map(|edge| depths.get(edge.index().checked_sub(from)?)).max();
        let depth = below.map_or(0, |below| below + usize::from(node.alias.is_none()));
        if depth > DEEPEST {
            return Err((*id, "more than 200 schemas apply to one value, each in another one"));
        }
        if let Some(place) = id.index().checked_sub(from).and_then(|at| depths.get_mut(at)) {
            *place = depth;
        }
    }
    Ok(())
}

fn kinds(arena: &Arena, node: &Node) -> Kinds {
    let of = |id: &SchemaId| arena.node(*id).traits.kinds;
    let one_of = |ids: &[SchemaId]| ids.iter().map(of).reduce(|one, other| one | other).unwrap_or(Kinds::ALL);
    let mut kinds = applied(node).fold(node.kinds, |kinds, id| kinds & of(&id));
    let Some(any) = &node.any else { return kinds };
    for constants in &any.constants {
        let texts = if constants.texts.len() > 0 { Kinds::STRING } else { Kinds::NONE };
        kinds = kinds & constants.others.iter().fold(texts, |kinds, other| kinds | kind(other.root()));
    }
    kinds = kinds & one_of(&any.any_of) & one_of(&any.one_of);
    let is_of_objects = any.discriminator.is_some() && any.any_of.is_empty() && any.one_of.is_empty();
    if is_of_objects { kinds & Kinds::OBJECT } else { kinds }
}

/// The kind of a value of a schema, which is an integer only if it has no fraction.
fn kind(value: Value<'_>) -> Kinds {
    match value.kind() {
        Kind::Number if value.is_integer() => Kinds::INTEGER,
        kind => Kinds::of(kind),
    }
}

fn has_one_way(arena: &Arena, node: &Node) -> bool {
    let mut members = node.object.iter().flat_map(|object| object.names.iter()).filter_map(|(_, member)| member.schema);
    members.any(|schema| arena.node(schema).traits.read_only || arena.node(schema).traits.write_only)
        || applied(node).any(|id| arena.node(id).traits.has_one_way)
}

fn must(arena: &Arena, id: SchemaId, direction: Direction) -> Bits {
    let mut must = Bits::default();
    let required = arena.node(id).object.iter().flat_map(|object| object.required.iter()).enumerate();
    for (index, name) in required {
        if !is_refused(arena, id, name, direction) {
            must.insert(index);
        }
    }
    must
}
