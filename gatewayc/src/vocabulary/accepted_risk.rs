//! `acceptRisk`: what a document takes upon itself.

use gateway_yaml::{Node, Span};

use crate::diagnostic::{Code, GW301, GW302, GW312, Severity};
use crate::vocabulary::reader::Reader;

/// A risk that `acceptRisk` names, and why.
#[derive(Debug, Clone)]
pub struct AcceptedRisk {
    /// The code.
    pub code: Code,
    /// Why.
    pub reason: String,
    /// Where the code is.
    pub at: Span,
}

/// Errors that say "not without your word for it".
const ACCEPTABLE_ERRORS: &[Code] = &[GW301, GW302, GW312];

pub(super) fn accept_risk(reader: &mut Reader<'_>, node: &Node) -> Vec<AcceptedRisk> {
    let mut accepted = Vec::new();
    for item in reader.list(node, "`acceptRisk`") {
        let entries = reader.known(item, "an accepted risk", &["lint", "reason"]);
        let member = |name: &str| entries.iter().find(|entry| &*entry.key.name == name).map(|entry| &entry.value);
        let (Some(lint), Some(reason)) = (member("lint"), member("reason")) else {
            reader.wrong(item, "an accepted risk", "expected `lint` and `reason`");
            continue;
        };
        let code = lint.as_str().filter(|text| text.starts_with("GW")).and_then(Code::find);
        let can_be_accepted =
            |code: &Code, usual: Severity| usual == Severity::Warning || ACCEPTABLE_ERRORS.contains(code);
        match code {
            Some(info) if can_be_accepted(&info.code, info.severity) => match reason.as_str().map(str::trim) {
                Some(reason) if !reason.is_empty() => {
                    accepted.push(AcceptedRisk { code: info.code, reason: reason.to_owned(), at: lint.span });
                }
                _ => reader.wrong(reason, "`reason`", "expected a reason"),
            },
            Some(info) => reader.wrong(lint, "`lint`", &format!("{} is a mistake, not a risk", info.code)),
            None => reader.wrong(lint, "`lint`", "expected a code such as `GW312`"),
        }
    }
    accepted
}
