//! Checks a value against a schema.
//!
//! The first pass only finds out whether the value is valid, and builds nothing. If it is not, a second one lists what is wrong.
//! Both are the same functions; they differ in the [`Report`].

mod array;
mod branches;
#[cfg(test)]
mod hostile;
mod object;
mod scalar;

use std::collections::HashMap;

use super::bits::Bits;
use super::node::{AnyRules, Arena, Direction, Node, SchemaId};
use super::report::{Check, List, Quiet, Refused, Report, Step};
use super::violation::Violation;
use crate::json::{Kind, Value};
use crate::pattern::{Outcome, Pattern};

/// Steps that every check may take. A step is one schema that is asked about one value, or about as much work.
const STEPS: usize = 20_000;

/// Steps more for each slot that the value has.
const STEPS_OF_A_SLOT: usize = 128;

/// Steps that patterns may take in all texts of a value, more for each of its slots, and those of a text that do not count. Most
/// patterns take a few steps for each byte.
const PATTERN_STEPS: u64 = 4_000_000;
const PATTERN_STEPS_OF_A_SLOT: u64 = 256;
const PATTERN_STEPS_OF_A_BYTE: u64 = 64;
const PATTERN_STEPS_OF_A_TEXT: u64 = 256;

/// Steps behind which the checker remembers what it found out. Hardly a check comes as far.
const STEPS_UNTIL_MEMORY: usize = 2000;

/// Schemas that are asked, each by the one before; more would need a stack that a thread may not have.
const DEEPEST: usize = 600;

/// What is wrong with a value; nothing if it is valid.
pub(super) fn violations(arena: &Arena, id: SchemaId, value: Value<'_>, direction: Direction) -> Vec<Violation> {
    if is_valid(arena, id, value, direction) {
        return Vec::new();
    }
    let mut list = List::default();
    // The list may end before all is said.
    let _ = Checker::new(arena, value, direction).check(id, value, None, &mut list);
    if list.violations.is_empty() {
        let message = "takes too long to check".to_owned();
        list.violations.push(Violation { pointer: String::new(), message, keyword: "$ref" });
    }
    list.violations
}

/// Whether a value is valid.
pub(super) fn is_valid(arena: &Arena, id: SchemaId, value: Value<'_>, direction: Direction) -> bool {
    Checker::new(arena, value, direction).check(id, value, None, &mut Quiet).is_ok()
}

/// One check.
pub(super) struct Checker<'s> {
    arena: &'s Arena,
    direction: Direction,
    steps: usize,
    most_steps: usize,
    /// Steps that patterns may still take.
    pattern_steps: u64,
    /// There are no steps left, or a text was too long to be matched: whatever it comes to, the value is refused.
    is_exhausted: bool,
    depth: usize,
    memory: Option<HashMap<Question, bool>>,
    /// Schemas under dynamic anchors, as the resources on the way to here have them. A resource adds what none before it has.
    scopes: Vec<Vec<(usize, SchemaId)>>,
    /// One more than the index of the scope here; 0 if no resource had an anchor.
    scope: usize,
    /// What is being asked at places where an answer could lead back to the question.
    guards: Vec<Question>,
    /// Schemas that are being asked and say of a member that a direction does not have it.
    one_way: Vec<(SchemaId, usize)>,
}

/// A schema, the place of a value, and the scope.
type Question = (SchemaId, usize, usize);

impl<'s> Checker<'s> {
    fn new(arena: &'s Arena, value: Value<'_>, direction: Direction) -> Self {
        Self {
            arena,
            direction,
            steps: 0,
            most_steps: STEPS + STEPS_OF_A_SLOT * value.size(),
            pattern_steps: PATTERN_STEPS + PATTERN_STEPS_OF_A_SLOT * value.size() as u64,
            is_exhausted: false,
            depth: 0,
            memory: None,
            scopes: Vec::new(),
            scope: 0,
            guards: Vec::new(),
            one_way: Vec::new(),
        }
    }

    /// Asks a schema about a value. `seen` gets the members or items that the schema describes.
    fn check<R: Report>(&mut self, id: SchemaId, value: Value<'_>, seen: Option<&mut Bits>, report: &mut R) -> Check {
        let arena = self.arena;
        let (mut id, mut node) = (id, arena.node(id));
        while let Some(other) = node.alias {
            self.step(1)?;
            (id, node) = (other, arena.node(other));
        }
        self.step(1)?;
        if !node.kinds.admits(value) {
            if node.kinds.is_empty() {
                return report.refuse("false", || "is not allowed".to_owned());
            }
            return report.refuse("type", || format!("must be {}", node.kinds));
        }
        let was_secret = report.hide(report.hides() || node.traits.is_secret);
        match value.kind() {
            Kind::String => {
                if let Some(rules) = &node.text {
                    self.text(rules, value, report)?;
                }
            }
            Kind::Number => {
                if let Some(rules) = &node.number {
                    self.number(rules, value, report)?;
                }
            }
            Kind::Object if node.object.is_some() || node.any.is_some() => {
                return self.deep(id, node, value, seen, was_secret, report);
            }
            Kind::Array if node.array.is_some() || node.any.is_some() => {
                return self.deep(id, node, value, seen, was_secret, report);
            }
            _ => {}
        }
        if node.any.is_some() {
            return self.deep(id, node, value, seen, was_secret, report);
        }
        report.hide(was_secret);
        Ok(())
    }

    /// Asks what may ask other schemas.
    fn deep<R: Report>(
        &mut self,
        id: SchemaId,
        node: &'s Node,
        value: Value<'_>,
        seen: Option<&mut Bits>,
        was_secret: bool,
        report: &mut R,
    ) -> Check {
        if self.depth >= DEEPEST {
            return self.exhaust();
        }
        self.depth += 1;
        let (scope, place) = (self.scope, value.place());
        let can_remember = R::IS_QUIET && seen.is_none() && self.steps > STEPS_UNTIL_MEMORY && self.is_alone(place);
        if node.traits.has_one_way {
            self.one_way.push((id, place));
        }
        if let Some(any) = node.any.as_deref().filter(|any| !any.anchors.is_empty()) {
            self.enter_scope(&any.anchors);
        }
        let question = (id, place, self.scope);
        let known = if can_remember { self.memory.get_or_insert_default().get(&question).copied() } else { None };
        match known {
            Some(true) => {}
            Some(false) => return Err(Refused),
            None => {
                let checked = self.tracked(id, node, value, seen, report);
                if can_remember && !self.is_exhausted {
                    self.memory.get_or_insert_default().insert(question, checked.is_ok());
                }
                checked?;
            }
        }
        if node.traits.has_one_way {
            self.one_way.pop();
        }
        self.scope = scope;
        self.depth -= 1;
        report.hide(was_secret);
        Ok(())
    }

    /// Whether an answer at a place depends on the schema and the value alone, not on the schemas that led there.
    fn is_alone(&self, place: usize) -> bool {
        self.guards.last().is_none_or(|(_, other, _)| *other != place)
            && self.one_way.last().is_none_or(|(_, other)| *other != place)
    }

    /// Asks for all keywords, and then for `unevaluatedProperties` and `unevaluatedItems`, which need what the others have seen.
    fn tracked<R: Report>(
        &mut self,
        id: SchemaId,
        node: &'s Node,
        value: Value<'_>,
        seen: Option<&mut Bits>,
        report: &mut R,
    ) -> Check {
        let unevaluated = match value.kind() {
            Kind::Object => node.object.as_ref().and_then(|object| object.unevaluated),
            Kind::Array => node.array.as_ref().and_then(|array| array.unevaluated),
            _ => None,
        };
        let Some(unevaluated) = unevaluated else { return self.rules(id, node, value, seen, report) };
        let mut own = Bits::default();
        let before = report.count();
        self.rules(id, node, value, Some(&mut own), report)?;
        // What a schema describes that is not met counts as not described: only its own violations are of interest.
        if report.count() == before {
            match value.kind() {
                Kind::Object => self.unevaluated_members(unevaluated, &own, value, report)?,
                _ => self.unevaluated_items(unevaluated, &own, value, report)?,
            }
        }
        if let Some(seen) = seen {
            (0..value.len()).for_each(|index| seen.insert(index));
        }
        Ok(())
    }

    fn rules<R: Report>(
        &mut self,
        id: SchemaId,
        node: &'s Node,
        value: Value<'_>,
        mut seen: Option<&mut Bits>,
        report: &mut R,
    ) -> Check {
        match value.kind() {
            Kind::Object => {
                if let Some(rules) = &node.object {
                    self.object(rules, id, value, seen.as_deref_mut(), report)?;
                }
            }
            Kind::Array => {
                if let Some(rules) = &node.array {
                    self.array(rules, value, seen.as_deref_mut(), report)?;
                }
            }
            _ => {}
        }
        match &node.any {
            Some(rules) => self.any(rules, id, value, seen, report),
            None => Ok(()),
        }
    }

    fn any<R: Report>(
        &mut self,
        rules: &'s AnyRules,
        id: SchemaId,
        value: Value<'_>,
        mut seen: Option<&mut Bits>,
        report: &mut R,
    ) -> Check {
        for constants in &rules.constants {
            self.constants(constants, value, report)?;
        }
        for schema in rules.reference.iter().chain(&rules.all_of) {
            self.check(*schema, value, seen.as_deref_mut(), report)?;
        }
        if let Some((anchor, schema)) = rules.dynamic {
            let known = self.scope.checked_sub(1).and_then(|scope| self.scopes.get(scope));
            let found = known.and_then(|scope| scope.iter().find(|(known, _)| *known == anchor));
            let schema = found.map_or(schema, |(_, schema)| *schema);
            self.guarded((schema, value.place(), self.scope), schema, value, seen.as_deref_mut(), report)?;
        }
        if let Some(discriminator) = rules.discriminator.as_ref().filter(|_| value.kind() == Kind::Object) {
            self.discriminator(discriminator, id, value, seen.as_deref_mut(), report)?;
        } else {
            if !rules.any_of.is_empty() {
                self.any_of(&rules.any_of, value, seen.as_deref_mut(), report)?;
            }
            if !rules.one_of.is_empty() {
                self.one_of(&rules.one_of, value, seen.as_deref_mut(), report)?;
            }
            if rules.discriminator.is_some() && rules.any_of.is_empty() && rules.one_of.is_empty() {
                report.refuse("discriminator", || "must be an object".to_owned())?;
            }
        }
        if let Some(schema) = rules.not
            && self.fits(schema, value, None)?
        {
            report.refuse("not", || "must not be what is excluded here".to_owned())?;
        }
        if let Some(condition) = &rules.condition {
            self.condition(condition, value, seen, report)?;
        }
        Ok(())
    }

    /// Whether a schema takes a value.
    ///
    /// # Errors
    /// It cannot be found out.
    fn fits(&mut self, id: SchemaId, value: Value<'_>, seen: Option<&mut Bits>) -> Result<bool, Refused> {
        let checked = self.aside(id, value, seen, &mut Quiet);
        if self.is_exhausted { Err(Refused) } else { Ok(checked.is_ok()) }
    }

    /// Asks a schema, and comes back here even if the answer is not waited for.
    fn aside<R: Report>(&mut self, id: SchemaId, value: Value<'_>, seen: Option<&mut Bits>, report: &mut R) -> Check {
        let (depth, scope, guards, one_way) = (self.depth, self.scope, self.guards.len(), self.one_way.len());
        let checked = self.check(id, value, seen, report);
        (self.depth, self.scope) = (depth, scope);
        self.guards.truncate(guards);
        self.one_way.truncate(one_way);
        checked
    }

    /// Asks a schema that may lead back to the question. What is being asked is answered elsewhere.
    fn guarded<R: Report>(
        &mut self,
        question: Question,
        id: SchemaId,
        value: Value<'_>,
        seen: Option<&mut Bits>,
        report: &mut R,
    ) -> Check {
        let here = self.guards.iter().rev().take_while(|(_, place, _)| *place == question.1);
        if here.into_iter().any(|guard| *guard == question) {
            return Ok(());
        }
        self.guards.push(question);
        self.check(id, value, seen, report)?;
        self.guards.pop();
        Ok(())
    }

    fn enter_scope(&mut self, anchors: &[(usize, SchemaId)]) {
        let known = self.scope.checked_sub(1).and_then(|scope| self.scopes.get(scope)).cloned().unwrap_or_default();
        let mut scope = known.clone();
        scope.extend(anchors.iter().filter(|(anchor, _)| !known.iter().any(|(known, _)| known == anchor)));
        if scope.len() > known.len() {
            let same = self.scopes.iter().position(|other| *other == scope);
            self.scope = 1 + same.unwrap_or_else(|| {
                self.scopes.push(scope);
                self.scopes.len() - 1
            });
        }
    }

    /// Counts steps.
    #[inline]
    fn step(&mut self, count: usize) -> Check {
        self.steps += count;
        if self.steps > self.most_steps { self.exhaust() } else { Ok(()) }
    }

    /// Whether a text matches a pattern. One text takes bounded time, and so do many.
    fn matches(&mut self, pattern: &Pattern, text: &str) -> Result<Outcome, Refused> {
        let (outcome, steps) = pattern.find_counted(text);
        let usual = PATTERN_STEPS_OF_A_TEXT + PATTERN_STEPS_OF_A_BYTE * text.len() as u64;
        match self.pattern_steps.checked_sub(steps.saturating_sub(usual)) {
            Some(left) => self.pattern_steps = left,
            None => self.exhaust()?,
        }
        Ok(outcome)
    }

    #[cold]
    fn exhaust(&mut self) -> Check {
        self.is_exhausted = true;
        Err(Refused)
    }

    /// Asks a schema about a part of the value.
    #[inline]
    fn part<R: Report>(&mut self, id: SchemaId, step: Step<'_>, value: Value<'_>, report: &mut R) -> Check {
        report.enter(step);
        self.check(id, value, None, report)?;
        report.leave();
        Ok(())
    }
}
