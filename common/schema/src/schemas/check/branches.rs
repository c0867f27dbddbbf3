//! Alternatives and conditions.

use super::super::bits::Bits;
use super::super::kinds::Kinds;
use super::super::node::{Condition, Discriminator, SchemaId};
use super::super::report::{Check, List, Refused, Report, Step};
use super::super::shape;
use super::Checker;
use crate::json::{Kind, Value};

/// Alternatives that are looked at for the one that is meant, and the steps for each: a message is not worth more.
const BRANCHES_TO_EXPLORE: usize = 20;
const STEPS_TO_EXPLORE: usize = 500;

impl<'s> Checker<'s> {
    pub(super) fn any_of<R: Report>(
        &mut self,
        branches: &'s [SchemaId],
        value: Value<'_>,
        mut seen: Option<&mut Bits>,
        report: &mut R,
    ) -> Check {
        let mut fits = false;
        for branch in branches {
            let Some(seen) = seen.as_deref_mut() else {
                if self.fits(*branch, value, None)? {
                    return Ok(());
                }
                continue;
            };
            fits |= self.fits_seen(*branch, value, seen)?;
        }
        if fits { Ok(()) } else { self.explain("anyOf", branches, value, report) }
    }

    pub(super) fn one_of<R: Report>(
        &mut self,
        branches: &'s [SchemaId],
        value: Value<'_>,
        mut seen: Option<&mut Bits>,
        report: &mut R,
    ) -> Check {
        let mut count = 0;
        for branch in branches {
            let fits = match seen.as_deref_mut() {
                Some(seen) => self.fits_seen(*branch, value, seen)?,
                None => self.fits(*branch, value, None)?,
            };
            count += usize::from(fits);
            if count > 1 {
                return report.refuse("oneOf", || "fits several alternatives, and must fit one".to_owned());
            }
        }
        if count == 1 { Ok(()) } else { self.explain("oneOf", branches, value, report) }
    }

    pub(super) fn condition<R: Report>(
        &mut self,
        condition: &Condition,
        value: Value<'_>,
        mut seen: Option<&mut Bits>,
        report: &mut R,
    ) -> Check {
        let fits = match seen.as_deref_mut() {
            Some(seen) => self.fits_seen(condition.test, value, seen)?,
            None if condition.then.is_none() && condition.otherwise.is_none() => return Ok(()),
            None => self.fits(condition.test, value, None)?,
        };
        match if fits { condition.then } else { condition.otherwise } {
            Some(schema) => self.check(schema, value, seen, report),
            None => Ok(()),
        }
    }

    pub(super) fn discriminator<R: Report>(
        &mut self,
        discriminator: &'s Discriminator,
        id: SchemaId,
        value: Value<'_>,
        seen: Option<&mut Bits>,
        report: &mut R,
    ) -> Check {
        let property = &*discriminator.property;
        let Some(tag) = value.get(property) else {
            return report.refuse("discriminator", || format!("needs `{property}`"));
        };
        let text = if tag.kind() == Kind::String { tag.text() } else { "" };
        let Some(schema) = discriminator.mapping.get(text).filter(|_| tag.kind() == Kind::String) else {
            report.enter(Step::Known(property));
            report.refuse("discriminator", || listed(discriminator))?;
            report.leave();
            return Ok(());
        };
        self.guarded((id, value.place(), self.scope), *schema, value, seen, report)
    }

    /// Whether a schema takes a value; what it describes counts only then.
    fn fits_seen(&mut self, id: SchemaId, value: Value<'_>, seen: &mut Bits) -> Result<bool, Refused> {
        let mut own = Bits::default();
        let fits = self.fits(id, value, Some(&mut own))?;
        if fits {
            seen.extend(&own);
        }
        Ok(fits)
    }

    /// Says why no alternative fits: what is wrong with the one that is meant, if that is clear.
    fn explain<R: Report>(
        &mut self,
        keyword: &'static str,
        branches: &'s [SchemaId],
        value: Value<'_>,
        report: &mut R,
    ) -> Check {
        if R::IS_QUIET {
            return Err(Refused);
        }
        let kinds = |id: &SchemaId| self.arena.node(*id).traits.kinds;
        let all = branches.iter().map(kinds).fold(Kinds::NONE, |all, kinds| all | kinds);
        let meant: Vec<SchemaId> = branches.iter().copied().filter(|id| kinds(id).admits(value)).collect();
        let meant = match meant.as_slice() {
            [] if !all.is_empty() => return report.refuse(keyword, || format!("must be {all}")),
            [_] => meant,
            _ => self.tagged(&meant, value)?,
        };
        let before = report.count();
        let furthest = match meant.as_slice() {
            [branch] => Some(*branch),
            branches => self.furthest(branches, value, report.hides()),
        };
        if let Some(branch) = furthest {
            self.check(branch, value, None, report)?;
        }
        if report.count() == before {
            report.refuse(keyword, || "fits none of the alternatives".to_owned())?;
        }
        Ok(())
    }

    /// Of alternatives, those whose members with few values have one of these; if none has such members, all.
    fn tagged(&mut self, branches: &[SchemaId], value: Value<'_>) -> Result<Vec<SchemaId>, Refused> {
        let mut left = Vec::new();
        let mut met = Vec::new();
        for branch in branches {
            let mut tags = 0;
            let mut differs = false;
            for name in shape::names(self.arena, *branch) {
                self.step(1 + value.len() / 16)?;
                let Some(member) = value.get(name) else { continue };
                let schema = shape::property(self.arena, *branch, name);
                let Some(schema) = schema.filter(|schema| self.has_constants(*schema)) else { continue };
                match self.fits(schema, member, None)? {
                    true => tags += 1,
                    false => differs = true,
                }
            }
            if !differs {
                left.push(*branch);
                met.extend((tags > 0).then_some(*branch));
            }
        }
        Ok(if met.is_empty() { left } else { met })
    }

    /// Of alternatives, the only one that has nothing against the value itself, but against something in it.
    fn furthest(&mut self, branches: &[SchemaId], value: Value<'_>, is_secret: bool) -> Option<SchemaId> {
        if branches.len() > BRANCHES_TO_EXPLORE {
            return None;
        }
        let mut only = None;
        for branch in branches {
            let mut list = List::default();
            list.hide(is_secret);
            let most_steps = self.most_steps;
            self.most_steps = most_steps.min(self.steps + STEPS_TO_EXPLORE);
            let _ = self.aside(*branch, value, None, &mut list);
            self.most_steps = most_steps;
            if std::mem::take(&mut self.is_exhausted) {
                return None;
            }
            if list.violations.iter().all(|violation| !violation.pointer.is_empty()) && only.replace(*branch).is_some()
            {
                return None;
            }
        }
        only
    }

    fn has_constants(&self, id: SchemaId) -> bool {
        let mut node = self.arena.node(id);
        while let Some(other) = node.alias {
            node = self.arena.node(other);
        }
        node.any.as_ref().is_some_and(|any| !any.constants.is_empty())
    }
}

/// Values of a discriminator that a message lists, and bytes that it has for them.
const LISTED: (usize, usize) = (10, 100);

fn listed(discriminator: &Discriminator) -> String {
    let names: Vec<&str> = discriminator.mapping.iter().map(|(name, _)| name).collect();
    if names.len() > LISTED.0 || names.iter().map(|name| name.len()).sum::<usize>() > LISTED.1 {
        return "must be one of the described values".to_owned();
    }
    match names.as_slice() {
        [name] => format!("must be `{name}`"),
        _ => format!("must be one of `{}`", names.join("`, `")),
    }
}
