//! Why a scheme cannot be enforced.

use crate::ast;
use crate::diagnostic::{Diagnostic, GW207};

/// Why a scheme cannot be enforced.
pub(super) enum Problem {
    /// It asks for something that there is not.
    Unsupported {
        what: String,
        /// What to write instead, `""` where there is nothing.
        help: String,
    },
    /// Something else.
    Other(Box<Diagnostic>),
}

impl Problem {
    /// With nothing to write instead.
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self::with_help(what, "")
    }

    pub(super) fn with_help(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Unsupported { what: what.into(), help: help.into() }
    }

    /// The message where a requirement names the scheme.
    pub(super) fn of(self, definition: &ast::SecurityScheme) -> Box<Diagnostic> {
        let (what, help) = match self {
            Self::Unsupported { what, help } => (what, help),
            Self::Other(diagnostic) => return diagnostic,
        };
        let headline = format!("the scheme `{}` cannot be enforced: {what}", definition.name.value);
        let diagnostic = Diagnostic::error(GW207, headline).at(definition.name.span, "defined here");
        Box::new(if help.is_empty() { diagnostic } else { diagnostic.help(help) })
    }
}
