//! Arrays.

use super::super::bits::Bits;
use super::super::equal::are_unique;
use super::super::node::{ArrayRules, Contains, SchemaId};
use super::super::report::{Check, Report, Step};
use super::Checker;
use super::scalar::counted;
use crate::json::Value;

/// Slots whose hash is as much work as a step.
const SLOTS_OF_A_STEP: usize = 8;

impl<'s> Checker<'s> {
    pub(super) fn array<R: Report>(
        &mut self,
        rules: &'s ArrayRules,
        value: Value<'_>,
        mut seen: Option<&mut Bits>,
        report: &mut R,
    ) -> Check {
        if let Some(least) = rules.least.filter(|least| value.len() < *least) {
            report.refuse("minItems", || format!("must have at least {}", counted(least, "item")))?;
        }
        if let Some(most) = rules.most.filter(|most| value.len() > *most) {
            report.refuse("maxItems", || format!("must have at most {}", counted(most, "item")))?;
        }
        if rules.items.is_some() || !rules.prefix.is_empty() {
            for (index, item) in value.items().enumerate() {
                let Some(schema) = rules.prefix.get(index).copied().or(rules.items) else { break };
                self.part(schema, Step::Item(index), item, report)?;
                if let Some(seen) = seen.as_deref_mut() {
                    seen.insert(index);
                }
            }
        }
        if let Some(contains) = &rules.contains {
            self.contains(contains, value, seen, report)?;
        }
        if rules.is_unique {
            self.step(value.size() / SLOTS_OF_A_STEP)?;
            if !are_unique(value) {
                report.refuse("uniqueItems", || "must not have equal items".to_owned())?;
            }
        }
        Ok(())
    }

    fn contains<R: Report>(
        &mut self,
        contains: &Contains,
        value: Value<'_>,
        mut seen: Option<&mut Bits>,
        report: &mut R,
    ) -> Check {
        let mut count = 0;
        for (index, item) in value.items().enumerate() {
            if seen.is_none() && contains.most.is_none() && count >= contains.least {
                break;
            }
            if self.fits(contains.schema, item, None)? {
                count += 1;
                if let Some(seen) = seen.as_deref_mut() {
                    seen.insert(index);
                }
            }
        }
        if count < contains.least {
            let keyword = if contains.least == 1 { "contains" } else { "minContains" };
            report.refuse(keyword, || {
                format!("must have at least {} of the described kind", counted(contains.least, "item"))
            })?;
        }
        if let Some(most) = contains.most.filter(|most| count > *most) {
            report.refuse("maxContains", || {
                format!("must have at most {} of the described kind", counted(most, "item"))
            })?;
        }
        Ok(())
    }

    pub(super) fn unevaluated_items<R: Report>(
        &mut self,
        schema: SchemaId,
        seen: &Bits,
        value: Value<'_>,
        report: &mut R,
    ) -> Check {
        for (index, item) in value.items().enumerate().filter(|(index, _)| !seen.contains(*index)) {
            if schema == SchemaId::NOTHING {
                report.enter(Step::Item(index));
                report.refuse("unevaluatedItems", || "is not described".to_owned())?;
                report.leave();
            } else {
                self.part(schema, Step::Item(index), item, report)?;
            }
        }
        Ok(())
    }
}
