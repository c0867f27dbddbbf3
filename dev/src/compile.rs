//! From the documents on disk to a gateway that can be served.

use std::path::Path;

use gatewayc::diagnostic::{Format, render};
use gatewayc::ir;

/// What the documents say, free of errors.
pub(crate) struct Compiled {
    pub(crate) gateway: ir::Gateway,
    /// The policy in words.
    pub(crate) policy: String,
    /// The text of all warnings, one line each.
    pub(crate) warnings: String,
}

/// Checks the documents of a folder.
///
/// # Errors
/// The text of all messages where there are errors.
pub(crate) fn compile(specs: &Path) -> Result<Compiled, String> {
    let mut sources = gatewayc::build_script::sources(specs)?;
    let checked = gatewayc::check(&mut sources);
    if checked.diagnostics.has_errors() {
        return Err(render(&checked.diagnostics, &sources, Format::Human));
    }
    let warnings = render(&checked.diagnostics, &sources, Format::Short);
    Ok(Compiled { policy: gatewayc::policy::render(&checked.gateway), gateway: checked.gateway, warnings })
}
