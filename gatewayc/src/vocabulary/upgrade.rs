//! `upgrade`: the protocols that an operation lets clients switch to.

use std::time::Duration;

use gateway_yaml::{Entry, Node, suggest};

use crate::diagnostic::{Diagnostic, GW104};
use crate::ir::Origins;
use crate::units;
use crate::vocabulary::cors;
use crate::vocabulary::reader::Reader;

/// How long a tunnel may be silent unless a document says otherwise.
const USUAL_IDLE: Duration = Duration::from_secs(60 * 60);

/// The names of protocols that bytes can be passed on of (RFC 9110 §7.8).
const PROTOCOLS: [&str; 1] = ["websocket"];

const MEMBERS: &[&str] = &["protocols", "idle", "untilExpiry", "origins"];

/// `upgrade`, with its defaults.
#[derive(Debug, Clone)]
pub struct UpgradeChoice {
    /// The names in `protocols`, in lower case.
    pub protocols: Vec<String>,
    /// `idle`.
    pub idle: Duration,
    /// `untilExpiry`.
    pub until_expiry: bool,
    /// `origins`, where they are said.
    pub origins: Option<Origins>,
}

/// Reads `[websocket]` or `{protocols: [websocket], …}`; `None` for what has been reported.
pub(super) fn upgrade(reader: &mut Reader<'_>, node: &Node) -> Option<UpgradeChoice> {
    let mut choice = UpgradeChoice { protocols: Vec::new(), idle: USUAL_IDLE, until_expiry: false, origins: None };
    if node.as_mapping().is_none() {
        choice.protocols = protocols(reader, node, "`upgrade`")?;
        return Some(choice);
    }
    let mut has_protocols = false;
    for Entry { key, value } in reader.known(node, "`upgrade`", MEMBERS) {
        match &*key.name {
            "protocols" => {
                has_protocols = true;
                choice.protocols = protocols(reader, value, "`protocols`")?;
            }
            "idle" => choice.idle = reader.unit(value, "`idle`", units::duration).unwrap_or(USUAL_IDLE),
            "untilExpiry" => choice.until_expiry = reader.boolean(value, "`untilExpiry`").unwrap_or_default(),
            _ => choice.origins = Some(cors::origins(reader, value, "`upgrade`")),
        }
    }
    if !has_protocols {
        if !Reader::has_unknown(node, MEMBERS) {
            reader.report(
                Diagnostic::error(GW104, "`upgrade` does not say to which protocols")
                    .at(node.span, "`protocols` is missing")
                    .help("write `protocols: [websocket]`"),
            );
        }
        return None;
    }
    Some(choice)
}

fn protocols(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<Vec<String>> {
    let mut protocols = Vec::new();
    for item in reader.words(node, what) {
        let name = item.as_text().map(str::to_ascii_lowercase).unwrap_or_default();
        if PROTOCOLS.contains(&&*name) {
            protocols.push(name);
            continue;
        }
        let shown = item.as_text().unwrap_or_else(|| item.kind_name());
        reader.report(
            Diagnostic::error(GW104, format!("a protocol in {what} cannot be `{}`", shown.escape_debug()))
                .at(item.span, "expected `websocket`")
                .did_you_mean(suggest(&name, PROTOCOLS)),
        );
    }
    if node.as_sequence().is_some_and(<[Node]>::is_empty) {
        reader.wrong(node, what, "expected `[websocket]`");
    }
    protocols.sort_unstable();
    protocols.dedup();
    (!protocols.is_empty()).then_some(protocols)
}
