//! What the loader finds wrong with a file, as a message.

use gateway_yaml::{ErrorKind, LoadError};

use crate::diagnostic::codes::{GW110, GW111, GW112, GW119};
use crate::diagnostic::message::Diagnostic;

/// The message about a fault of a file.
pub(crate) fn fault(error: &LoadError) -> Diagnostic {
    let code = match error.kind {
        ErrorKind::Syntax | ErrorKind::Key => GW110,
        ErrorKind::DuplicateKey => GW111,
        ErrorKind::Limit => GW112,
        ErrorKind::Tag | ErrorKind::ManyDocuments => GW119,
    };
    let mut diagnostic = Diagnostic::error(code, &*error.message).at(error.span, error.label);
    if let Some((span, label)) = &error.also {
        diagnostic = diagnostic.also(*span, &**label);
    }
    match &error.help {
        Some(help) => diagnostic.help(&**help),
        None => diagnostic,
    }
}
