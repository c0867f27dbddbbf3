//! All messages of a run: collected, accepted, folded and ordered.

use std::collections::{HashMap, HashSet};

use gateway_yaml::Span;

use crate::diagnostic::codes::{Code, GW319};
use crate::diagnostic::message::{Diagnostic, Label};
use crate::diagnostic::repair;
use crate::diagnostic::severity::Severity;
use crate::source::SourceSet;

/// More places of one cause than these are counted, not shown.
const SHOWN: usize = 3;

/// A risk that a document accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// Messages with this code,
    pub code: Code,
    /// that point into one of these places.
    pub scope: Vec<Span>,
    /// What that is, such as "operation `sign`".
    pub what: String,
    /// Why.
    pub reason: String,
    /// Where the code is in `acceptRisk`.
    pub at: Span,
}

/// Everything that the stages have to say, in the order in which they said it.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics {
    items: Vec<Diagnostic>,
    said: HashSet<(Code, Option<Span>, String)>,
    accepted: Vec<Acceptance>,
}

impl Diagnostics {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a message, unless the very same has been said: two operations may share a broken part through `$ref`.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let span = diagnostic.primary.as_ref().map(|label| label.span);
        if self.said.insert((diagnostic.code, span, diagnostic.headline.clone())) {
            self.items.push(diagnostic);
        }
    }

    /// Adds all messages of another collection.
    pub fn append(&mut self, other: Self) {
        other.items.into_iter().for_each(|diagnostic| self.push(diagnostic));
        self.accepted.extend(other.accepted);
    }

    /// Notes a risk that a document accepts.
    pub fn accept(&mut self, acceptance: Acceptance) {
        self.accepted.push(acceptance);
    }

    /// Turns what is accepted into acknowledged warnings, once all stages have spoken. An acceptance of nothing is
    /// reported: it would accept the risk on the day it appears.
    pub fn settle(&mut self) {
        for Acceptance { code, scope, what, reason, at } in std::mem::take(&mut self.accepted) {
            let within = |label: &Label| scope.iter().any(|span| span.contains(label.span));
            let mut met = false;
            for item in self.items.iter_mut().filter(|item| item.code == code) {
                if item.primary.as_ref().is_some_and(within) {
                    met = true;
                    item.severity = Severity::Warning;
                    item.acknowledged = Some(reason.clone());
                }
            }
            if !met {
                self.push(
                    Diagnostic::warning(GW319, format!("{what} accepts {code}, which is not reported there"))
                        .at(at, "accepts nothing")
                        .help("remove it, or put it where the risk is"),
                );
            }
        }
    }

    /// Whether anything keeps the gateway from being built.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.items.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// How many errors there are.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.items.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count()
    }

    /// How many warnings there are.
    #[must_use]
    pub fn warnings(&self) -> usize {
        self.items.len() - self.errors()
    }

    /// How many messages are not acknowledged.
    #[must_use]
    pub fn unacknowledged(&self) -> usize {
        self.items.iter().filter(|diagnostic| diagnostic.acknowledged.is_none()).count()
    }

    /// Whether an error points at exactly this place.
    #[must_use]
    pub fn has_error_at(&self, span: Span) -> bool {
        let is_there = |label: &Label| label.span == span;
        self.items.iter().any(|item| item.severity == Severity::Error && item.primary.as_ref().is_some_and(is_there))
    }

    /// Takes out what points at one of these places.
    pub(crate) fn leave_out(&mut self, spans: &[Span]) {
        let is_there = |item: &Diagnostic| item.primary.as_ref().is_some_and(|label| spans.contains(&label.span));
        self.items.retain(|item| !is_there(item));
    }

    /// Whether there is nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// All messages.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.items.iter()
    }

    /// Makes one message of all that have the same cause: the first, which counts the others and shows a few.
    pub fn fold_causes(&mut self) {
        type Key = (Code, String, Severity, Option<String>, Option<gateway_yaml::FileId>);
        let mut first: HashMap<Key, usize> = HashMap::new();
        let mut kept: Vec<Diagnostic> = Vec::new();
        let mut others: Vec<Vec<(String, Option<Label>)>> = Vec::new();
        for item in std::mem::take(&mut self.items) {
            let file = item.primary.as_ref().map(|label| label.span.file);
            let key = item
                .cause
                .as_ref()
                .map(|cause| (item.code, cause.key.clone(), item.severity, item.acknowledged.clone(), file));
            match key.as_ref().and_then(|key| first.get(key)) {
                Some(&at) => {
                    let Some(cause) = item.cause else { continue };
                    let label = item.primary.map(|label| Label { span: label.span, text: cause.subject.clone() });
                    others[at].push((cause.subject, label));
                }
                None => {
                    first.extend(key.map(|key| (key, kept.len())));
                    kept.push(item);
                    others.push(Vec::new());
                }
            }
        }
        for (item, others) in kept.iter_mut().zip(others) {
            if others.is_empty() {
                continue;
            }
            let mut subjects: Vec<&str> = others.iter().map(|(subject, _)| subject.as_str()).collect();
            subjects.dedup();
            let shown = subjects.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
            let more = if subjects.len() > SHOWN { ", …" } else { "" };
            item.headline.push_str(&format!(" (and {} more: {shown}{more})", others.len()));
            item.secondary.extend(others.iter().take(SHOWN).filter_map(|(_, label)| label.clone()));
        }
        self.items = kept;
    }

    /// Leaves out suggestions that would change more than they say: the end of a block of text, say, is no value's end.
    pub fn keep_sound_suggestions(&mut self, sources: &SourceSet<'_>) {
        for item in &mut self.items {
            if item.suggestion.as_ref().is_some_and(|suggestion| !repair::is_sound(suggestion, sources)) {
                item.suggestion = None;
            }
        }
    }

    /// Orders the messages by file and place, so that the output does not depend on the order of checks.
    pub fn sort(&mut self) {
        self.items.sort_by_key(|diagnostic| {
            (diagnostic.primary.as_ref().map(|label| (label.span.file, label.span.start)), diagnostic.code)
        });
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<T: IntoIterator<Item = Diagnostic>>(&mut self, diagnostics: T) {
        diagnostics.into_iter().for_each(|diagnostic| self.push(diagnostic));
    }
}
