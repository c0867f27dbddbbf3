//! How messages and the gateway call what a document describes.

use gateway_yaml::{Node, Span};

use crate::ast;

/// How messages call an operation.
pub(super) fn title(path: &ast::PathItem, operation: &ast::Operation) -> String {
    match &operation.operation_id {
        Some(id) => format!("operation `{}`", id.value),
        None => format!("operation `{} {}`", operation.method, path.key.value),
    }
}

/// Where a message about a whole document points.
pub(super) fn first_key(root: &Node) -> Span {
    root.as_mapping().and_then(|root| root.entries().first()).map_or(root.span, |entry| entry.key.span)
}

/// Where a value is: its own place, and those of what overlays have put into it.
pub(super) fn places(node: &Node) -> Vec<Span> {
    let mut places = vec![node.span];
    let mut visit = vec![node];
    while let Some(node) = visit.pop() {
        for entry in node.as_mapping().into_iter().flatten() {
            if !places.iter().any(|place| place.contains(entry.key.span)) {
                places.push(entry.key.span.to(entry.value.span));
            }
            visit.push(&entry.value);
        }
        for item in node.as_sequence().unwrap_or_default() {
            if !places.iter().any(|place| place.contains(item.span)) {
                places.push(item.span);
            }
            visit.push(item);
        }
    }
    places
}

/// Text as far as a structured field can hold it (RFC 9651 §3.3.3).
pub(super) fn header_text(text: &str) -> String {
    let plain = |letter: char| (' '..='~').contains(&letter) && letter != '"' && letter != '\\';
    text.chars().map(|letter| if plain(letter) { letter } else { '_' }).collect()
}

/// The default realm is the scheme's name, as far as a header can hold it.
pub(super) fn printable(name: &str) -> String {
    name.chars().filter(|character| (' '..='~').contains(character) && !matches!(character, '"' | '\\')).collect()
}
