//! Which responses are compressed, in words.

use gateway_terms::compression::USUAL_TYPES;

use crate::ir::Compression;
use crate::policy::lines::{line, one_line};

/// What the table at the head of a module says.
pub(super) fn word(compression: Option<&Compression>) -> &'static str {
    if compression.is_some() { "; compressed" } else { "" }
}

/// Adds the line of an operation that has any.
pub(super) fn write(out: &mut String, compression: Option<&Compression>) {
    let Some(Compression { codings, min, types, span: _ }) = compression else { return };
    let names: Vec<&str> = codings.iter().map(|coding| coding.name()).collect();
    let types = if types == USUAL_TYPES { String::new() } else { format!(", of {}", types.join(", ")) };
    line(out, "responses compressed", &one_line(&format!("{} from {min} on{types}", names.join(", "))));
}
