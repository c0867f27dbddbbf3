//! From the documents on disk to a gateway that can be served.

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use gatewayc::ast::Document;
use gatewayc::build_script::{BuildError, open_documents};
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

/// Why there is no gateway to serve. The message ends with a line end.
#[derive(Debug)]
pub(crate) enum CompileError {
    /// There is no document that can be read.
    Documents(BuildError),
    /// The documents have errors: the text of all messages.
    Errors(String),
    /// The compiler has panicked.
    Bug,
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Documents(error) => write!(f, "{error}"),
            Self::Errors(messages) => f.write_str(messages),
            Self::Bug => writeln!(
                f,
                "error: the compiler has failed, which is a bug of gatewayc; please report the message above"
            ),
        }
    }
}

impl std::error::Error for CompileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Documents(error) => Some(error),
            Self::Errors(_) | Self::Bug => None,
        }
    }
}

/// Checks the documents of the current folder: those in `specs`, if that is given, or those that a build would find.
/// Says what was read as well, and where new files may be documents.
///
/// # Errors
/// The documents have errors, or there is none.
pub(crate) fn compile(specs: Option<&Path>) -> (Vec<PathBuf>, Result<Compiled, CompileError>) {
    // A bug of the compiler must not end the command; the panic's own message is printed where it happens.
    catch_unwind(|| compile_documents(specs)).unwrap_or((Vec::new(), Err(CompileError::Bug)))
}

fn compile_documents(specs: Option<&Path>) -> (Vec<PathBuf>, Result<Compiled, CompileError>) {
    let (mut sources, diagnostics, root, mut watched) = match open_documents(Path::new(""), specs) {
        Ok(Package { sources, diagnostics, root, folders }) => (sources, diagnostics, root, folders),
        Err(error) => return (Vec::new(), Err(CompileError::Documents(error))),
    };
    let checked = gatewayc::check(&mut sources).with(diagnostics);
    watched.extend(sources.paths().into_iter().map(|path| root.join(path)));
    if checked.diagnostics.has_errors() {
        return (watched, Err(CompileError::Errors(render(&checked.diagnostics, &sources, Format::Human))));
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
