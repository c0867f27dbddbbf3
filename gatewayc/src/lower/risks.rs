//! Risks that a document accepts.

use crate::diagnostic::{Acceptance, Diagnostics};
use crate::ir::AcceptedRisk;

/// Notes a risk that a document accepts, for the messages and for readers of what was compiled.
pub(super) fn accept(diagnostics: &mut Diagnostics, acceptance: Acceptance, risks: &mut Vec<AcceptedRisk>) {
    let Acceptance { code, what, reason, .. } = &acceptance;
    risks.push(AcceptedRisk { lint: code.to_string(), what: what.clone(), reason: reason.clone() });
    diagnostics.accept(acceptance);
}
