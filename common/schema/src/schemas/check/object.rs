//! Objects.

use super::super::bits::Bits;
use super::super::finish::is_refused;
use super::super::node::{Direction, ObjectRules, SchemaId};
use super::super::report::{Check, Report, Step};
use super::Checker;
use super::scalar::counted;
use crate::json::Value;
use crate::pattern::Outcome;

/// Members that a step compares the names of.
const MEMBERS_OF_A_STEP: usize = 16;

/// Steps that it takes to find out whether a member is of the other direction.
const STEPS_OF_AN_EXEMPTION: usize = 16;

/// Bytes of a name that a message repeats.
const LONGEST_NAME: usize = 100;

impl<'s> Checker<'s> {
    pub(super) fn object<R: Report>(
        &mut self,
        rules: &'s ObjectRules,
        id: SchemaId,
        value: Value<'_>,
        mut seen: Option<&mut Bits>,
        report: &mut R,
    ) -> Check {
        if let Some(least) = rules.least.filter(|least| value.len() < *least) {
            report.refuse("minProperties", || format!("must have at least {}", counted(least, "member")))?;
        }
        if let Some(most) = rules.most.filter(|most| value.len() > *most) {
            report.refuse("maxProperties", || format!("must have at most {}", counted(most, "member")))?;
        }
        let mut met = Bits::default();
        let mut next = 0;
        for (index, (name, member)) in value.pairs().enumerate() {
            let mut is_described = false;
            if let Some(known) = rules.names.find(name.name(), &mut next) {
                if let Some(index) = known.required {
                    met.insert(index as usize);
                }
                if let Some(schema) = known.schema {
                    is_described = true;
                    self.member(schema, name, member, report)?;
                }
            }
            if !rules.patterns.is_empty() {
                is_described |= self.patterns(rules, name, member, report)?;
            }
            if let Some(additional) = rules.additional.filter(|_| !is_described) {
                is_described = true;
                self.undescribed("additionalProperties", additional, name, member, report)?;
            }
            if let Some(naming) = rules.naming {
                report.enter(Step::Member(name));
                report.name(true);
                self.check(naming, name, None, report)?;
                report.name(false);
                report.leave();
            }
            if let Some(seen) = seen.as_deref_mut().filter(|_| is_described) {
                seen.insert(index);
            }
        }
        let [in_request, in_response] = &rules.must;
        let must = match self.direction {
            Direction::Request => in_request,
            Direction::Response => in_response,
        };
        if !met.includes(must) {
            for (index, name) in rules.required.iter().enumerate() {
                if must.contains(index) && !met.contains(index) && !self.is_exempt(name, value)? {
                    report.refuse("required", || format!("needs `{name}`"))?;
                }
            }
        }
        self.dependent(rules, id, value, seen, report)
    }

    /// Asks the schemas of patterns, and says whether there is one for the name.
    fn patterns<R: Report>(
        &mut self,
        rules: &'s ObjectRules,
        name: Value<'_>,
        member: Value<'_>,
        report: &mut R,
    ) -> Result<bool, super::Refused> {
        let mut is_described = false;
        for (pattern, schema) in &rules.patterns {
            self.step(1)?;
            match self.matches(&pattern.pattern, name.text())? {
                Outcome::Matches => {
                    is_described = true;
                    self.member(*schema, name, member, report)?;
                }
                Outcome::Differs => {}
                Outcome::TooLong => {
                    report.enter(Step::Member(name));
                    report.name(true);
                    self.is_too_long(report)?;
                    report.name(false);
                    report.leave();
                }
            }
        }
        Ok(is_described)
    }

    #[inline]
    fn member<R: Report>(&mut self, schema: SchemaId, name: Value<'_>, member: Value<'_>, report: &mut R) -> Check {
        if !self.arena.node(schema).traits.is_refused(self.direction) {
            return self.part(schema, Step::Member(name), member, report);
        }
        let (keyword, message) = match self.direction {
            Direction::Request => ("readOnly", "is read-only: leave it out"),
            Direction::Response => ("writeOnly", "is write-only: leave it out"),
        };
        report.enter(Step::Member(name));
        report.refuse(keyword, || message.to_owned())?;
        report.leave();
        Ok(())
    }

    /// Asks the schema of all members that nothing else describes.
    fn undescribed<R: Report>(
        &mut self,
        keyword: &'static str,
        schema: SchemaId,
        name: Value<'_>,
        member: Value<'_>,
        report: &mut R,
    ) -> Check {
        if schema != SchemaId::NOTHING {
            return self.member(schema, name, member, report);
        }
        report.enter(Step::Member(name));
        report.refuse(keyword, || match name.text().len() <= LONGEST_NAME {
            true => format!("`{}` is not described", name.text().escape_debug()),
            false => "is not described".to_owned(),
        })?;
        report.leave();
        Ok(())
    }

    /// Whether a member that is missing is of the other direction, as a schema says that applies here as well.
    fn is_exempt(&mut self, name: &str, object: Value<'_>) -> Result<bool, super::Refused> {
        let here = self.one_way.iter().rev().take_while(|(_, place)| *place == object.place()).count();
        self.step(here * STEPS_OF_AN_EXEMPTION)?;
        let mut schemas = self.one_way.iter().rev().take(here);
        Ok(schemas.any(|(id, _)| is_refused(self.arena, *id, name, self.direction)))
    }

    /// What the presence of one member asks of others.
    fn dependent<R: Report>(
        &mut self,
        rules: &'s ObjectRules,
        id: SchemaId,
        value: Value<'_>,
        mut seen: Option<&mut Bits>,
        report: &mut R,
    ) -> Check {
        for (name, others) in &rules.dependent_required {
            if !self.has(value, name)? {
                continue;
            }
            for other in others {
                let is_met = self.has(value, other)?
                    || is_refused(self.arena, id, other, self.direction)
                    || self.is_exempt(other, value)?;
                if !is_met {
                    report.refuse("dependentRequired", || format!("needs `{other}` beside `{name}`"))?;
                }
            }
        }
        for (name, schema) in &rules.dependent_schemas {
            if self.has(value, name)? {
                self.check(*schema, value, seen.as_deref_mut(), report)?;
            }
        }
        Ok(())
    }

    fn has(&mut self, value: Value<'_>, name: &str) -> Result<bool, super::Refused> {
        self.step(value.len() / MEMBERS_OF_A_STEP)?;
        Ok(value.get(name).is_some())
    }

    pub(super) fn unevaluated_members<R: Report>(
        &mut self,
        schema: SchemaId,
        seen: &Bits,
        value: Value<'_>,
        report: &mut R,
    ) -> Check {
        for (_, (name, member)) in value.pairs().enumerate().filter(|(index, _)| !seen.contains(*index)) {
            self.undescribed("unevaluatedProperties", schema, name, member, report)?;
        }
        Ok(())
    }
}
