//! What a query selects.

use gateway_yaml::{Node, Value};
use regex_lite::{Regex, RegexBuilder};

use crate::json_path::syntax::{Comparison, Condition, Location, Operand, Query, Segment, Selector};

/// Values that one query looks at. A filter on each value of the largest documents known takes a twentieth of it.
const MAX_STEPS: u64 = 20_000_000;
/// Bytes of a compiled regular expression.
const MAX_REGEX: usize = 1 << 20;

/// The query looks at more values than is sensible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMuch;

/// The values that a query selects, each once, in the order of the document.
pub(crate) fn select(query: &Query, root: &Node) -> Result<Vec<Location>, TooMuch> {
    let mut evaluation = Evaluation { root, places: vec![(0, 0)], steps: MAX_STEPS };
    let found = evaluation.run(query, root, true)?;
    let mut locations: Vec<Location> = found.iter().map(|found| evaluation.location(found.place)).collect();
    locations.sort();
    locations.dedup();
    Ok(locations)
}

/// A regular expression of `match` and `search` (RFC 9485).
pub(super) fn regex(pattern: &str, whole: bool) -> Result<Regex, regex_lite::Error> {
    let pattern = if whole { format!("^(?:{pattern})$") } else { pattern.to_owned() };
    RegexBuilder::new(&pattern).crlf(true).size_limit(MAX_REGEX).build()
}

struct Evaluation<'n> {
    root: &'n Node,
    /// Which child of which other place each one is; the first is the root.
    places: Vec<(u32, u32)>,
    /// How many are left.
    steps: u64,
}

#[derive(Clone, Copy)]
struct Found<'n> {
    node: &'n Node,
    place: u32,
}

/// What an operand stands for.
enum Meant<'n, 'q> {
    Nothing,
    Null,
    Bool(bool),
    Number(f64),
    Text(&'q str),
    Node(&'n Node),
}

impl<'n> Evaluation<'n> {
    fn location(&self, mut place: u32) -> Location {
        let mut location = Location::new();
        while let Some(&(parent, at)) = self.places.get(place as usize).filter(|_| place != 0) {
            location.push(at);
            place = parent;
        }
        location.reverse();
        location
    }

    fn step(&mut self) -> Result<(), TooMuch> {
        self.steps = self.steps.checked_sub(1).ok_or(TooMuch)?;
        Ok(())
    }

    /// `with_places`: the way to what is found is remembered.
    fn run(&mut self, query: &Query, current: &'n Node, with_places: bool) -> Result<Vec<Found<'n>>, TooMuch> {
        let start = if query.from_current { current } else { self.root };
        let mut found = vec![Found { node: start, place: 0 }];
        for segment in &query.segments {
            let mut next = Vec::new();
            for parent in found {
                self.segment(segment, parent, with_places, &mut next)?;
            }
            found = next;
        }
        Ok(found)
    }

    fn segment(
        &mut self,
        segment: &Segment,
        parent: Found<'n>,
        with_places: bool,
        found: &mut Vec<Found<'n>>,
    ) -> Result<(), TooMuch> {
        self.step()?;
        for selector in &segment.selectors {
            self.selector(selector, parent, with_places, found)?;
        }
        if segment.of_descendants {
            for (at, node) in children(parent.node) {
                let child = self.child(parent, at, node, with_places);
                self.segment(segment, child, with_places, found)?;
            }
        }
        Ok(())
    }

    fn child(&mut self, parent: Found<'n>, at: usize, node: &'n Node, with_places: bool) -> Found<'n> {
        if !with_places {
            return Found { node, place: 0 };
        }
        let place = self.places.len() as u32;
        self.places.push((parent.place, at as u32));
        Found { node, place }
    }

    fn selector(
        &mut self,
        selector: &Selector,
        parent: Found<'n>,
        with_places: bool,
        found: &mut Vec<Found<'n>>,
    ) -> Result<(), TooMuch> {
        match selector {
            Selector::Name(name) => {
                let Some(mapping) = parent.node.as_mapping() else { return Ok(()) };
                let Some(at) = mapping.position(name) else { return Ok(()) };
                found.push(self.child(parent, at, &mapping.entries()[at].value, with_places));
            }
            Selector::Index(index) => {
                let Some(items) = parent.node.as_sequence() else { return Ok(()) };
                let at = if *index < 0 { index + items.len() as i64 } else { *index };
                let Ok(at) = usize::try_from(at) else { return Ok(()) };
                if let Some(node) = items.get(at) {
                    found.push(self.child(parent, at, node, with_places));
                }
            }
            Selector::Slice { start, end, step } => {
                let Some(items) = parent.node.as_sequence() else { return Ok(()) };
                for at in slice(items.len(), *start, *end, *step) {
                    self.step()?;
                    found.push(self.child(parent, at, &items[at], with_places));
                }
            }
            Selector::Wildcard => {
                for (at, node) in children(parent.node) {
                    self.step()?;
                    found.push(self.child(parent, at, node, with_places));
                }
            }
            Selector::Filter(condition) => {
                for (at, node) in children(parent.node) {
                    self.step()?;
                    if self.holds(condition, node)? {
                        found.push(self.child(parent, at, node, with_places));
                    }
                }
            }
        }
        Ok(())
    }

    fn holds(&mut self, condition: &Condition, current: &'n Node) -> Result<bool, TooMuch> {
        match condition {
            Condition::Any(conditions) => {
                for condition in conditions {
                    if self.holds(condition, current)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Condition::All(conditions) => {
                for condition in conditions {
                    if !self.holds(condition, current)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Condition::Not(condition) => Ok(!self.holds(condition, current)?),
            Condition::Exists(query) => Ok(!self.run(query, current, false)?.is_empty()),
            Condition::Compare(left, comparison, right) => {
                let (left, right) = (self.meant(left, current)?, self.meant(right, current)?);
                Ok(match comparison {
                    Comparison::Equal => self.equal(&left, &right)?,
                    Comparison::NotEqual => !self.equal(&left, &right)?,
                    Comparison::Less => less(&left, &right),
                    Comparison::Greater => less(&right, &left),
                    Comparison::LessOrEqual => less(&left, &right) || self.equal(&left, &right)?,
                    Comparison::GreaterOrEqual => less(&right, &left) || self.equal(&left, &right)?,
                })
            }
            Condition::Matches { text, pattern, whole } => {
                let (text, pattern) = (self.meant(text, current)?, self.meant(pattern, current)?);
                let (Some(text), Some(pattern)) = (text.text(), pattern.text()) else { return Ok(false) };
                // A regular expression costs about as much as some bytes that it looks at.
                self.steps = self.steps.checked_sub(text.len() as u64 + 64).ok_or(TooMuch)?;
                Ok(regex(pattern, *whole).is_ok_and(|regex| regex.is_match(text)))
            }
        }
    }

    fn meant<'q>(&mut self, operand: &'q Operand, current: &'n Node) -> Result<Meant<'n, 'q>, TooMuch> {
        Ok(match operand {
            Operand::Null => Meant::Null,
            Operand::Bool(value) => Meant::Bool(*value),
            Operand::Number(number) => Meant::Number(*number),
            Operand::Text(text) => Meant::Text(text),
            Operand::Single(query) | Operand::OnlyValue(query) => match &self.run(query, current, false)?[..] {
                [only] => Meant::of(only.node),
                _ => Meant::Nothing,
            },
            Operand::Count(query) => Meant::Number(self.run(query, current, false)?.len() as f64),
            Operand::Length(operand) => match self.meant(operand, current)? {
                Meant::Node(node) => match &node.value {
                    Value::Sequence(items) => Meant::Number(items.len() as f64),
                    Value::Mapping(mapping) => Meant::Number(mapping.len() as f64),
                    Value::String(text) => Meant::Number(text.chars().count() as f64),
                    _ => Meant::Nothing,
                },
                Meant::Text(text) => Meant::Number(text.chars().count() as f64),
                _ => Meant::Nothing,
            },
        })
    }

    fn equal(&mut self, one: &Meant<'n, '_>, other: &Meant<'n, '_>) -> Result<bool, TooMuch> {
        Ok(match (one, other) {
            (Meant::Nothing, Meant::Nothing) | (Meant::Null, Meant::Null) => true,
            (Meant::Bool(one), Meant::Bool(other)) => one == other,
            (Meant::Number(one), Meant::Number(other)) => one == other,
            (Meant::Node(one), Meant::Node(other)) => self.same(one, other)?,
            (one, other) => matches!((one.text(), other.text()), (Some(one), Some(other)) if one == other),
        })
    }

    /// Whether two values are equal as JSON, wherever they stand.
    fn same(&mut self, one: &'n Node, other: &'n Node) -> Result<bool, TooMuch> {
        self.step()?;
        match (&one.value, &other.value) {
            (Value::Sequence(one), Value::Sequence(other)) if one.len() == other.len() => {
                for (one, other) in one.iter().zip(other.iter()) {
                    if !self.same(one, other)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Value::Mapping(one), Value::Mapping(other)) if one.len() == other.len() => {
                for entry in one.iter() {
                    match other.get(&entry.key.name) {
                        Some(other) if self.same(&entry.value, other)? => {}
                        _ => return Ok(false),
                    }
                }
                Ok(true)
            }
            (Value::Number(one), Value::Number(other)) => Ok(one.as_f64() == other.as_f64()),
            (Value::String(one), Value::String(other)) => Ok(one == other),
            (Value::Bool(one), Value::Bool(other)) => Ok(one == other),
            (Value::Null, Value::Null) => Ok(true),
            _ => Ok(false),
        }
    }
}

impl<'n> Meant<'n, '_> {
    fn of(node: &'n Node) -> Self {
        match &node.value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Self::Number(number.as_f64()),
            _ => Self::Node(node),
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Node(node) => node.as_str(),
            _ => None,
        }
    }
}

fn less(one: &Meant<'_, '_>, other: &Meant<'_, '_>) -> bool {
    match (one, other) {
        (Meant::Number(one), Meant::Number(other)) => one < other,
        (one, other) => matches!((one.text(), other.text()), (Some(one), Some(other)) if one < other),
    }
}

fn children(node: &Node) -> impl Iterator<Item = (usize, &Node)> {
    let entries = node.as_mapping().into_iter().flatten().map(|entry| &entry.value);
    entries.chain(node.as_sequence().unwrap_or_default()).enumerate()
}

/// The items of a slice (RFC 9535 §2.3.4.2.2).
fn slice(length: usize, start: Option<i64>, end: Option<i64>, step: i64) -> Vec<usize> {
    let length = length as i64;
    let from_end = |at: i64| if at < 0 { at.saturating_add(length) } else { at };
    let mut items = Vec::new();
    if step > 0 {
        let mut at = from_end(start.unwrap_or(0)).clamp(0, length);
        let end = from_end(end.unwrap_or(length)).clamp(0, length);
        while at < end {
            items.push(at as usize);
            at = at.saturating_add(step);
        }
    } else if step < 0 {
        let mut at = start.map_or(length - 1, from_end).clamp(-1, length - 1);
        let end = end.map_or(-1, from_end).clamp(-1, length - 1);
        while at > end {
            items.push(at as usize);
            at = at.saturating_add(step);
        }
    }
    items
}
