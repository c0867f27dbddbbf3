//! The compiler: annotated OpenAPI documents in, a gateway's tables and diagnostics out.
//!
//! ```text
//! specs ─load─► source::SourceSet ─parse─► ast ─lower─► ir::Gateway ─check─► diagnostics ─emit─► files
//! ```
//!
//! A pure library: files reach it through [`source::FileProvider`], and it has no clock and no environment; only
//! [`build_script`], [`policy_test`] and the command line have. Every stage returns what it could make and adds to the
//! diagnostics, so that one run shows all mistakes.

pub mod ast;
#[expect(clippy::disallowed_methods, reason = "a build script has files, an environment and an exit code")]
pub mod build_script;
pub mod diagnostic;
pub mod emit;
pub mod examples;
pub mod explain;
#[expect(clippy::disallowed_methods, reason = "how the command line and the build script read documents")]
pub mod files;
pub mod ir;
pub mod policy;
pub mod policy_test;
pub mod project;
pub mod routes;
pub mod schema;
pub mod source;
pub mod units;
pub mod vocabulary;

mod address;
mod check;
mod json_path;
mod lower;
mod overlay;
mod parse;
mod readings;
mod resolve;
mod undecided;

pub use check::router;
pub use lower::lower;
pub use parse::parse;

use ast::Document;
use diagnostic::Diagnostics;
use source::SourceSet;

/// What `gatewayc check` knows of a set of documents.
pub struct Checked {
    /// The documents, as far as they could be read.
    pub documents: Vec<Document>,
    /// What the gateway does, as far as it could be made out. Nothing may be generated from it while there are errors.
    pub gateway: ir::Gateway,
    /// All that is wrong with them, ordered by place.
    pub diagnostics: Diagnostics,
}

impl Checked {
    /// Adds what was wrong before the documents were read, such as with `gatewayc.yaml`.
    #[must_use]
    pub fn with(mut self, diagnostics: Diagnostics) -> Self {
        self.diagnostics.append(diagnostics);
        self.diagnostics.sort();
        self
    }
}

/// Runs every stage that can find a mistake.
pub fn check(sources: &mut SourceSet<'_>) -> Checked {
    let (documents, mut diagnostics) = parse(sources);
    let (gateway, lowering) = lower(&documents, sources);
    diagnostics.append(lowering);
    diagnostics.append(check::check(&gateway));
    undecided::report(&documents, sources, &mut diagnostics);
    diagnostics.settle();
    diagnostics.keep_sound_suggestions(sources);
    diagnostics.sort();
    diagnostics.fold_causes();
    Checked { documents, gateway, diagnostics }
}
