//! Changes of trees, by place.

use std::collections::HashMap;
use std::sync::Arc;

use gateway_yaml::{Entry, Mapping, Node, Span, Value};

use crate::json_path::Location;

/// Two values that cannot become one.
pub(super) struct Conflict {
    pub(super) target: Span,
    pub(super) update: Span,
    pub(super) target_kind: &'static str,
    pub(super) update_kind: &'static str,
}

/// What merging has come across.
#[derive(Default)]
pub(super) struct Findings {
    /// The first of them.
    pub(super) conflict: Option<Conflict>,
    /// Lists of alternatives that were added to others: `(added, present)`.
    pub(super) alternatives: Vec<(Span, Span)>,
}

/// The value at a place.
pub(super) fn at<'n>(root: &'n Node, location: &[u32]) -> Option<&'n Node> {
    location.iter().try_fold(root, |node, &at| match &node.value {
        Value::Mapping(mapping) => mapping.entries().get(at as usize).map(|entry| &entry.value),
        Value::Sequence(items) => items.get(at as usize),
        _ => None,
    })
}

/// The value at a place, to be changed. What is shared with another place is copied first.
pub(super) fn at_mut<'n>(root: &'n mut Node, location: &[u32]) -> Option<&'n mut Node> {
    location.iter().try_fold(root, |node, &at| match &mut node.value {
        Value::Mapping(mapping) => Arc::make_mut(mapping).value_mut(at as usize),
        Value::Sequence(items) => Arc::make_mut(items).get_mut(at as usize),
        _ => None,
    })
}

/// The key of a place, where it has one.
pub(super) fn key<'n>(root: &'n Node, location: &[u32]) -> Option<&'n str> {
    let (last, parent) = location.split_last()?;
    let entry = at(root, parent)?.as_mapping()?.entries().get(*last as usize)?;
    Some(&entry.key.name)
}

/// Merges recursively: mappings key by key, lists one after the other, and values instead of values.
pub(super) fn merge(target: &mut Node, update: &Node, name: Option<&str>, findings: &mut Findings) {
    match (&mut target.value, &update.value) {
        (Value::Mapping(mapping), Value::Mapping(updates)) => {
            let mapping = Arc::make_mut(mapping);
            let mut added = Vec::new();
            for Entry { key, value } in updates.iter() {
                let place = mapping.position(&key.name);
                match place.and_then(|at| mapping.value_mut(at)) {
                    Some(target) => merge(target, value, Some(&key.name), findings),
                    None => added.push(Entry { key: key.clone(), value: value.clone() }),
                }
            }
            if !added.is_empty() {
                let mut entries = std::mem::take(mapping).into_entries();
                entries.extend(added);
                *mapping = Mapping::new(entries);
            }
        }
        // An empty list that is said again is the overlay's.
        (Value::Sequence(items), Value::Sequence(_)) if items.is_empty() => *target = update.clone(),
        (Value::Sequence(items), Value::Sequence(updates)) => {
            if name == Some("security") && !updates.is_empty() {
                findings.alternatives.push((update.span, target.span));
            }
            Arc::make_mut(items).extend(updates.iter().cloned());
        }
        (Value::Mapping(_) | Value::Sequence(_), _) | (_, Value::Mapping(_) | Value::Sequence(_)) => {
            findings.conflict.get_or_insert(Conflict {
                target: target.span,
                update: update.span,
                target_kind: target.kind_name(),
                update_kind: update.kind_name(),
            });
        }
        _ => *target = update.clone(),
    }
}

/// Takes values away. The places are in the order of the document; a value in another that goes is gone with it.
pub(super) fn remove(root: &mut Node, locations: &[Location]) {
    let locations: Vec<&[u32]> = locations.iter().map(Vec::as_slice).collect();
    remove_below(root, &locations);
}

/// The first list `security`, or alternative in one, that a removal would leave without an entry. With `[]` or `{}` the
/// document says that everyone may call, which is more than that something is not asked for.
pub(super) fn emptied_security(root: &Node, locations: &[Location]) -> Option<Span> {
    let mut gone: HashMap<&[u32], usize> = HashMap::new();
    let parents = || locations.iter().filter_map(|location| location.split_last()).map(|(_, parent)| parent);
    parents().for_each(|parent| *gone.entry(parent).or_default() += 1);
    let is_emptied = |parent: &&[u32]| {
        let count = match &at(root, parent).map(|node| &node.value) {
            Some(Value::Sequence(items)) if key(root, parent) == Some("security") => items.len(),
            Some(Value::Mapping(alternative)) => {
                let list = parent.split_last().map(|(_, list)| list);
                let is_alternative = list.is_some_and(|list| {
                    key(root, list) == Some("security")
                        && at(root, list).is_some_and(|list| list.as_sequence().is_some())
                });
                if is_alternative { alternative.len() } else { 0 }
            }
            _ => 0,
        };
        count > 0 && gone.get(parent).is_some_and(|gone| *gone >= count)
    };
    parents().find(is_emptied).and_then(|parent| at(root, parent)).map(|node| node.span)
}

fn remove_below(node: &mut Node, locations: &[&[u32]]) {
    // The locations with the same next step, and whether one of them ends there.
    let mut children = locations.chunk_by(|one, other| one.first() == other.first()).peekable();
    let mut keep = |at: usize, child: &mut Node| {
        let Some(group) = children.next_if(|group| group[0].first() == Some(&(at as u32))) else { return true };
        if group.iter().any(|location| location.len() == 1) {
            return false;
        }
        let below: Vec<&[u32]> = group.iter().filter_map(|location| location.get(1..)).collect();
        remove_below(child, &below);
        true
    };
    match &mut node.value {
        Value::Mapping(mapping) => {
            let entries = std::mem::take(Arc::make_mut(mapping)).into_entries().into_iter().enumerate();
            let entries = entries.filter_map(|(at, mut entry)| keep(at, &mut entry.value).then_some(entry));
            *mapping = Arc::new(Mapping::new(entries.collect()));
        }
        Value::Sequence(items) => {
            let all = std::mem::take(Arc::make_mut(items)).into_iter().enumerate();
            *items = Arc::new(all.filter_map(|(at, mut item)| keep(at, &mut item).then_some(item)).collect());
        }
        _ => {}
    }
}

/// How many values a tree has, and how deep they nest.
pub(super) fn size(node: &Node) -> (usize, usize) {
    let add = |(count, height): (usize, usize), child: &Node| {
        let (of_child, below) = size(child);
        (count.saturating_add(of_child), height.max(below + 1))
    };
    match &node.value {
        Value::Mapping(mapping) => mapping.iter().map(|entry| &entry.value).fold((1, 1), add),
        Value::Sequence(items) => items.iter().fold((1, 1), add),
        _ => (1, 0),
    }
}
