//! Suggestions that hold what they promise: a patch that changes more than the value it is about is worse than none.

use gateway_yaml::{FileId, Node, Span, Value, load_all};

use crate::diagnostic::message::Suggestion;
use crate::source::SourceSet;

/// A patch of a larger file is not tried, and not offered.
const LARGEST: usize = 4 << 20;

/// The text with the suggestion applied; nothing where its place is none.
pub fn apply(text: &str, suggestion: &Suggestion) -> Option<String> {
    let (start, end) = (suggestion.span.start as usize, suggestion.span.end as usize);
    Some([text.get(..start)?, &suggestion.replacement, text.get(end..)?].concat())
}

/// Whether a suggestion, applied, leaves a document that differs in the replaced value only.
pub(crate) fn is_sound(suggestion: &Suggestion, sources: &SourceSet<'_>) -> bool {
    let file = sources.file(suggestion.span.file);
    let Some(before) = file.as_written() else { return false };
    if file.text().len() > LARGEST {
        return false;
    }
    let Some(text) = apply(file.text(), suggestion) else { return false };
    let loaded = load_all(FileId(suggestion.span.file.0), &text);
    let new_errors = loaded.errors.len() > file.errors().len();
    // In a block of text, a patch would be taken for text.
    let replacement = load_all(FileId(suggestion.span.file.0), &suggestion.replacement).node;
    let is_meant = |value: &Value| replacement.as_ref().is_some_and(|replacement| same(&replacement.value, value));
    loaded.node.is_some_and(|after| !new_errors && same_but(before, &after, suggestion.span, &is_meant))
}

/// Whether two values are equal, wherever they stand.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Sequence(one), Value::Sequence(other)) => {
            one.len() == other.len() && one.iter().zip(other.iter()).all(|(one, other)| same(&one.value, &other.value))
        }
        (Value::Mapping(one), Value::Mapping(other)) => {
            let entries = one.iter().zip(other.iter());
            one.len() == other.len()
                && entries
                    .into_iter()
                    .all(|(one, other)| one.key.name == other.key.name && same(&one.value.value, &other.value.value))
        }
        (one, other) => one == other,
    }
}

/// Whether two trees are equal but for the value at one place of the first.
fn same_but(before: &Node, after: &Node, place: Span, is_meant: &dyn Fn(&Value) -> bool) -> bool {
    if before.span == place {
        return is_meant(&after.value);
    }
    match (&before.value, &after.value) {
        (Value::Sequence(before), Value::Sequence(after)) => {
            before.len() == after.len() && before.iter().zip(after.iter()).all(|(a, b)| same_but(a, b, place, is_meant))
        }
        (Value::Mapping(before), Value::Mapping(after)) => {
            before.len() == after.len()
                && before
                    .iter()
                    .zip(after.iter())
                    .all(|(a, b)| a.key.name == b.key.name && same_but(&a.value, &b.value, place, is_meant))
        }
        (before, after) => before == after,
    }
}
