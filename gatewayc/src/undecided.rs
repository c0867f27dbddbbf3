//! Values that are still to be chosen.

use gateway_yaml::{Node, Span, Value};

use crate::ast::Document;
use crate::diagnostic::{Diagnostic, Diagnostics, GW126};
use crate::source::SourceSet;

/// How such a value begins; `gatewayc new` writes them.
const MARK: &str = "TODO(choose)";

/// Reports them. What other stages say of the same values is left out: it would be about the wrong thing.
pub(crate) fn report(documents: &[Document], sources: &SourceSet<'_>, diagnostics: &mut Diagnostics) {
    if !sources.files().any(|file| file.text().contains(MARK)) {
        return;
    }
    let mut found = Vec::new();
    documents.iter().for_each(|document| find(&document.root, &mut found));
    let spans: Vec<Span> = found.iter().map(|(span, _)| *span).collect();
    diagnostics.leave_out(&spans);
    for (span, text) in found {
        let what = text.strip_prefix(MARK).unwrap_or(text).trim_start_matches(':').trim();
        let what: String = what.chars().take(200).collect();
        let headline = if what.is_empty() {
            "this is still to be chosen".to_owned()
        } else {
            format!("still to be chosen: {what}")
        };
        diagnostics.push(Diagnostic::error(GW126, headline).at(span, "write the value here"));
    }
}

fn find<'n>(node: &'n Node, found: &mut Vec<(Span, &'n str)>) {
    match &node.value {
        Value::String(text) if text.starts_with(MARK) => found.push((node.span, text)),
        Value::Sequence(items) => items.iter().for_each(|item| find(item, found)),
        Value::Mapping(entries) => entries.iter().for_each(|entry| find(&entry.value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
