//! From the documents on disk to a gateway that can be served.

use std::path::Path;

use gatewayc::ast::Document;
use gatewayc::diagnostic::{Format, render};
use gatewayc::ir;
use gatewayc::source::SourceSet;

/// What the documents say, free of errors.
pub(crate) struct Compiled {
    pub(crate) gateway: ir::Gateway,
    pub(crate) documents: Vec<Document>,
    pub(crate) sources: SourceSet<'static>,
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
    let mut sources = gatewayc::build_script::open(specs)?;
    let checked = gatewayc::check(&mut sources);
    if checked.diagnostics.has_errors() {
        return Err(render(&checked.diagnostics, &sources, Format::Human));
    }
    let warnings = render(&checked.diagnostics, &sources, Format::Short);
    let gatewayc::Checked { documents, gateway, .. } = checked;
    Ok(Compiled { policy: gatewayc::policy::render(&gateway), gateway, documents, sources, warnings })
}
