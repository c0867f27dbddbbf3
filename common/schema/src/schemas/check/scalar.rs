//! Strings, numbers, and values that are listed.

use super::super::equal::are_equal;
use super::super::node::{Constants, NumberRules, TextRules};
use super::super::report::{Check, Report};
use super::Checker;
use crate::json::{Kind, Name, Value};
use crate::number::{Decimal, Limit};
use crate::pattern::Outcome;

/// Bytes of a text that one step looks at.
const BYTES_OF_A_STEP: usize = 256;

/// Bytes of a pattern that a message repeats.
const LONGEST_PATTERN: usize = 200;

impl Checker<'_> {
    pub(super) fn text<R: Report>(&mut self, rules: &TextRules, value: Value<'_>, report: &mut R) -> Check {
        let text = value.text();
        // A character has one to four bytes: most texts need not be counted.
        if let Some(least) = rules.least
            && text.len() / 4 < least
            && text.chars().count() < least
        {
            report.refuse("minLength", || format!("must have at least {}", counted(least, "character")))?;
        }
        if let Some(most) = rules.most
            && text.len() > most
            && text.chars().count() > most
        {
            // It is not matched as well: it may be long.
            return report.refuse("maxLength", || format!("must have at most {}", counted(most, "character")));
        }
        if let Some(pattern) = &rules.pattern {
            self.step(text.len() / BYTES_OF_A_STEP)?;
            match self.matches(&pattern.pattern, text)? {
                Outcome::Matches => {}
                Outcome::Differs => report.refuse("pattern", || match pattern.text.len() <= LONGEST_PATTERN {
                    true => format!("must match the pattern `{}`", pattern.text),
                    false => "must match the described pattern".to_owned(),
                })?,
                Outcome::TooLong => self.is_too_long(report)?,
            }
        }
        if let Some(format) = rules.format
            && !format.admits_text(text)
        {
            report.refuse("format", || format.message().to_owned())?;
        }
        Ok(())
    }

    /// A text is too long to be matched: nothing is known of it, so that it is refused even where a schema must not fit.
    pub(super) fn is_too_long<R: Report>(&mut self, report: &mut R) -> Check {
        if R::IS_QUIET {
            return self.exhaust();
        }
        report.refuse("pattern", || "is too long to be matched".to_owned())
    }

    pub(super) fn number<R: Report>(&mut self, rules: &NumberRules, value: Value<'_>, report: &mut R) -> Check {
        let number = Decimal::of(value.text());
        let said = |limit: &Limit| limit.get().text().to_owned();
        if let Some(limit) = rules.minimum.as_ref().filter(|limit| number < limit.get()) {
            report.refuse("minimum", || format!("must be at least {}", said(limit)))?;
        }
        if let Some(limit) = rules.above.as_ref().filter(|limit| number <= limit.get()) {
            report.refuse("exclusiveMinimum", || format!("must be more than {}", said(limit)))?;
        }
        if let Some(limit) = rules.maximum.as_ref().filter(|limit| number > limit.get()) {
            report.refuse("maximum", || format!("must be at most {}", said(limit)))?;
        }
        if let Some(limit) = rules.below.as_ref().filter(|limit| number >= limit.get()) {
            report.refuse("exclusiveMaximum", || format!("must be less than {}", said(limit)))?;
        }
        if let Some(limit) = &rules.multiple_of {
            self.step(value.text().len() / BYTES_OF_A_STEP)?;
            if !number.is_multiple_of(limit.get()) {
                report.refuse("multipleOf", || format!("must be a multiple of {}", said(limit)))?;
            }
        }
        if let Some(format) = rules.format
            && !format.admits_number(number)
        {
            report.refuse("format", || format.message().to_owned())?;
        }
        Ok(())
    }

    pub(super) fn constants<R: Report>(&mut self, constants: &Constants, value: Value<'_>, report: &mut R) -> Check {
        let is_listed = if value.kind() == Kind::String {
            constants.texts.find(Name::new(value.text()), &mut 0).is_some()
        } else {
            self.step(constants.others.len() / 4)?;
            constants.others.iter().any(|other| are_equal(value, other.root()))
        };
        if is_listed {
            return Ok(());
        }
        let is_secret = report.hides();
        report.refuse(constants.keyword, || match is_secret {
            true => "must be one of the described values".to_owned(),
            false => constants.message.to_string(),
        })
    }
}

/// "1 item", "2 items".
pub(super) fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
