//! Values that live as long as the process.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

static TEXTS: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);

/// A text; the same one comes from the same place.
pub(super) fn text(text: &str) -> &'static str {
    let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    let texts = texts.get_or_insert_default();
    if let Some(known) = texts.get(text) {
        return known;
    }
    let new: &'static str = Box::leak(text.into());
    texts.insert(new);
    new
}

/// A list of texts.
pub(super) fn texts(texts: &[String]) -> &'static [&'static str] {
    list(texts, |one| text(one))
}

/// A list made from another.
pub(super) fn list<T, I: IntoIterator, F: FnMut(I::Item) -> T>(items: I, make: F) -> &'static [T] {
    let made: Vec<T> = items.into_iter().map(make).collect();
    if made.is_empty() { &[] } else { Vec::leak(made) }
}

/// One value.
pub(super) fn kept<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}
