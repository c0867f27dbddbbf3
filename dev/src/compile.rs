//! From the documents on disk to a gateway that can be served.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use gatewayc::ast::Document;
use gatewayc::build_script::open_documents;
use gatewayc::diagnostic::{Format, render};
use gatewayc::files::Package;
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
    /// Of all that was read.
    pub(crate) content: u64,
}

/// Checks the documents of the current folder: those in `specs`, if that is given, or those that a build would find.
/// Says what was read as well, and where new files may be documents.
///
/// # Errors
/// The text of all messages where there are errors.
pub(crate) fn compile(specs: Option<&Path>) -> (Vec<PathBuf>, Result<Compiled, String>) {
    // A bug of the compiler must not end the command; the panic's own message is printed where it happens.
    catch_unwind(|| compile_documents(specs)).unwrap_or_else(|_| {
        let message = "error: the compiler has failed, which is a bug of gatewayc; please report the message above\n";
        (Vec::new(), Err(message.to_owned()))
    })
}

fn compile_documents(specs: Option<&Path>) -> (Vec<PathBuf>, Result<Compiled, String>) {
    let (mut sources, diagnostics, root, mut watched) = match open_documents(Path::new(""), specs) {
        Ok(Package { sources, diagnostics, root, folders }) => (sources, diagnostics, root, folders),
        Err(message) => return (Vec::new(), Err(message)),
    };
    let checked = gatewayc::check(&mut sources).with(diagnostics);
    watched.extend(sources.paths().into_iter().map(|path| root.join(path)));
    if checked.diagnostics.has_errors() {
        return (watched, Err(render(&checked.diagnostics, &sources, Format::Human)));
    }
    let content = content_of(&sources.paths().into_iter().map(|path| root.join(path)).collect::<Vec<_>>());
    let warnings = render(&checked.diagnostics, &sources, Format::Short);
    let gatewayc::Checked { documents, gateway, .. } = checked;
    let policy = gatewayc::policy::render(&gateway);
    (watched, Ok(Compiled { policy, gateway, documents, sources, warnings, content }))
}

/// A number that another content of these files has not, but for a chance of one in 2^64.
pub(crate) fn content_of(files: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.hash(&mut hasher);
        std::fs::read(file).unwrap_or_default().hash(&mut hasher);
    }
    hasher.finish()
}
