//! Where the checker says what is wrong: nowhere, where only the verdict is asked for, or in a list.

use super::violation::{MOST_VIOLATIONS, Violation};
use crate::json::Value;

/// The value is not valid, and no more is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused;

/// What a part of the checker comes to.
pub(super) type Check = Result<(), Refused>;

/// Who hears what is wrong.
pub(super) trait Report {
    /// The first violation ends the check.
    const IS_QUIET: bool;

    /// Says what is wrong with the value that is open.
    fn refuse(&mut self, keyword: &'static str, message: impl FnOnce() -> String) -> Check;

    /// Opens a member or item of the value that is open.
    fn enter(&mut self, step: Step<'_>);

    /// Closes it.
    fn leave(&mut self);

    /// How much was wrong so far.
    fn count(&self) -> usize;

    /// The value that is open is secret, or is not: what was said before.
    fn hide(&mut self, is_secret: bool) -> bool;

    /// Whether the value that is open is secret.
    fn hides(&self) -> bool;

    /// What is said is about the name of a member, or is not.
    fn name(&mut self, is_name: bool);
}

/// A part of a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step<'a> {
    /// A member, by its name in the value.
    Member(Value<'a>),
    /// A member, by its name in the schema.
    Known(&'a str),
    /// An item.
    Item(usize),
}

/// Nowhere.
pub(super) struct Quiet;

impl Report for Quiet {
    const IS_QUIET: bool = true;

    #[inline]
    fn refuse(&mut self, _: &'static str, _: impl FnOnce() -> String) -> Check {
        Err(Refused)
    }

    #[inline]
    fn enter(&mut self, _: Step<'_>) {}

    #[inline]
    fn leave(&mut self) {}

    #[inline]
    fn count(&self) -> usize {
        0
    }

    #[inline]
    fn hide(&mut self, _: bool) -> bool {
        false
    }

    #[inline]
    fn hides(&self) -> bool {
        false
    }

    #[inline]
    fn name(&mut self, _: bool) {}
}

/// Bytes of a name that a pointer has at most: a pointer for each violation must not be as long as the value.
const LONGEST_NAME: usize = 256;

/// A list of violations.
#[derive(Debug, Default)]
pub(super) struct List {
    pub(super) violations: Vec<Violation>,
    pointer: String,
    /// The length of the pointer at each value that is open.
    lengths: Vec<usize>,
    /// How many values were open when a name was too long.
    cut: Option<usize>,
    is_secret: bool,
    is_name: bool,
}

impl Report for List {
    const IS_QUIET: bool = false;

    fn refuse(&mut self, keyword: &'static str, message: impl FnOnce() -> String) -> Check {
        let message = if self.is_name { format!("its name {}", message()) } else { message() };
        let violation = Violation { pointer: self.pointer.clone(), message, keyword };
        if !self.violations.contains(&violation) {
            self.violations.push(violation);
        }
        if self.violations.len() < MOST_VIOLATIONS { Ok(()) } else { Err(Refused) }
    }

    fn enter(&mut self, step: Step<'_>) {
        self.lengths.push(self.pointer.len());
        let name = match step {
            Step::Member(name) => name.text(),
            Step::Known(name) => name,
            Step::Item(_) => "",
        };
        if self.cut.is_none() && name.len() > LONGEST_NAME {
            self.cut = Some(self.lengths.len());
        }
        if self.cut.is_some() {
            return;
        }
        self.pointer.push('/');
        match step {
            Step::Item(index) => self.pointer.push_str(&index.to_string()),
            _ if name.contains(['~', '/']) => self.pointer.push_str(&name.replace('~', "~0").replace('/', "~1")),
            _ => self.pointer.push_str(name),
        }
    }

    fn leave(&mut self) {
        if self.cut == Some(self.lengths.len()) {
            self.cut = None;
        }
        self.pointer.truncate(self.lengths.pop().unwrap_or(0));
    }

    fn count(&self) -> usize {
        self.violations.len()
    }

    fn hide(&mut self, is_secret: bool) -> bool {
        std::mem::replace(&mut self.is_secret, is_secret)
    }

    fn hides(&self) -> bool {
        self.is_secret
    }

    fn name(&mut self, is_name: bool) {
        self.is_name = is_name;
    }
}
