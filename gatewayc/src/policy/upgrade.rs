//! Which protocols connections may be upgraded to, in words.

use crate::ir::Upgrade;
use crate::policy::lines::line;
use crate::units::show_duration;

/// What the table at the head of a module says about an operation: nothing where connections are not upgraded.
pub(super) fn word(upgrade: Option<&Upgrade>) -> String {
    upgrade.map_or_else(String::new, |upgrade| format!("; {}", upgrade.protocols.join(", ")))
}

/// What an operation lets clients switch to, for how long, and from which pages.
pub(super) fn write(out: &mut String, upgrade: Option<&Upgrade>) {
    let Some(Upgrade { protocols, idle, until_expiry, origins, .. }) = upgrade else { return };
    let ends = if *until_expiry { ", until the credential expires" } else { "" };
    line(out, "upgrade", &format!("{}, idle {}{ends}", protocols.join(", "), show_duration(*idle)));
    let pages = origins.as_ref().map_or_else(|| "any origin".to_owned(), |origins| origins.shown().join(", "));
    line(out, "upgrade from pages of", &pages);
}
