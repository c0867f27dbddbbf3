//! What `build.rs` of a gateway does: the documents of a folder become the sources that are compiled and reviewed.
//!
//! Every `.yaml`, `.yml` and `.json` file directly in `specs/` is a document, unless its name begins with a dot, or is that
//! of an overlay: `notes.overlay.yaml` changes `notes.yaml`. Files in folders below it are parts that documents refer to by
//! `$ref`. A `gatewayc.yaml` beside `Cargo.toml` lists documents that are elsewhere.
//!
//! | variable | meaning |
//! |---|---|
//! | `GATEWAY_SPECS` | the folder of the documents, instead of `specs` and of what `gatewayc.yaml` lists |
//! | `GATEWAY_GENERATED` | the folder of the reviewed copy, instead of `generated`; with `GATEWAY_SPECS` alone, there is none, and `GATEWAY_LOCKED` compares nothing |
//! | `GATEWAY_LOCKED` | `1`: the reviewed copy is not refreshed, and any difference is an error |

use std::collections::BTreeSet;
use std::env;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::exit;
use std::time::SystemTime;

use crate::diagnostic::{Diagnostics, Format, Severity, render};
use crate::emit::{Asset, File, MARK, assets, emit};
use crate::files::{self, Package};
use crate::project::{FILE, MISNAMED};
use crate::source::SourceSet;

/// Compiles the documents for the package whose build script this is. Ends the process where that is not possible.
pub fn run() {
    for variable in ["GATEWAY_SPECS", "GATEWAY_GENERATED", "GATEWAY_LOCKED"] {
        print(&format!("cargo::rerun-if-env-changed={variable}"));
    }
    if let Err(problem) = Build::from_environment().and_then(|build| build.run()) {
        complain(&problem.to_string());
        exit(1);
    }
}

/// Why there is no gateway of some documents. Where a message is more than a line, it ends with a line end.
#[derive(Debug)]
pub enum BuildError {
    /// The documents have errors: the text of all messages.
    Documents(String),
    /// Documents, or the folder that they are in, cannot be read.
    Unreadable(io::Error),
    /// The folder has no document.
    NoDocument(PathBuf),
    /// Neither `specs` nor `gatewayc.yaml` has a document.
    NoneListed,
    /// This `gatewayc.yaml` was there a moment ago.
    Gone(PathBuf),
    /// Cargo sets this variable for build scripts.
    NoVariable(&'static str),
    /// A file cannot be written, or the folder cannot be read that it goes to.
    Output {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// With `GATEWAY_LOCKED`, the reviewed copy is not what the documents give.
    OutOfDate(Differences),
    /// The reviewed copy is not what the documents give, and cannot be written.
    NotRefreshed {
        /// What differs.
        differences: Differences,
        /// Why it cannot be written.
        source: io::Error,
    },
}

/// How a reviewed copy differs from what the documents give.
#[derive(Debug)]
pub struct Differences {
    /// The folder of the copy, as it is seen from the package.
    generated: PathBuf,
    /// Where the documents are, in words.
    documents: String,
    /// The argument of `gatewayc generate` for them, with a space behind it if there is one.
    argument: String,
    /// The names of the files.
    files: Vec<String>,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Documents(messages) => f.write_str(messages),
            Self::Unreadable(source) => writeln!(f, "error: {source}"),
            Self::NoDocument(folder) => {
                let folder = folder.display();
                writeln!(f, "error: there is no document in {folder}: no file ends in .yaml, .yml or .json")
            }
            Self::NoneListed => writeln!(f, "error: there is no document in specs, and gatewayc.yaml lists none"),
            Self::Gone(file) => writeln!(f, "error: {} is not there any more", file.display()),
            Self::NoVariable(name) => write!(f, "{name} is not set; is this a build script?"),
            Self::Output { folder, source } => write!(f, "{}: {source}", folder.display()),
            Self::OutOfDate(Differences { generated, documents, argument, files }) => {
                let (generated, files) = (generated.display(), files.join(", "));
                write!(
                    f,
                    "error: {generated} is not what the documents in {documents} give: {files}\n  = help: run `gatewayc \
                     generate {argument}--out {generated}`, or build without GATEWAY_LOCKED, and commit the result"
                )
            }
            Self::NotRefreshed { differences: Differences { generated, documents, argument, files }, source } => {
                let (generated, files) = (generated.display(), files.join(", "));
                write!(
                    f,
                    "error: {generated} is not what the documents in {documents} give, and cannot be refreshed: {files}: \
                     {source}\n  = help: run `gatewayc generate {argument}--out {generated}` where it can be written, and \
                     commit the result"
                )
            }
        }
    }
}

impl std::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable(source) | Self::Output { source, .. } | Self::NotRefreshed { source, .. } => Some(source),
            Self::Documents(_)
            | Self::NoDocument(_)
            | Self::NoneListed
            | Self::Gone(_)
            | Self::NoVariable(_)
            | Self::OutOfDate(_) => None,
        }
    }
}

struct Build {
    package: PathBuf,
    /// The folder of the documents; [`None`] where `gatewayc.yaml` lists them.
    specs: Option<PathBuf>,
    /// The reviewed copy.
    generated: Option<PathBuf>,
    /// What is compiled.
    out: PathBuf,
    locked: bool,
}

impl Build {
    fn from_environment() -> Result<Self, BuildError> {
        let required = |name: &'static str| env::var_os(name).ok_or(BuildError::NoVariable(name));
        let package = PathBuf::from(required("CARGO_MANIFEST_DIR")?);
        // `GATEWAY_SPECS=$UNSET` is not the package's own folder.
        let folder = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        let specs = folder("GATEWAY_SPECS");
        let generated = match (folder("GATEWAY_GENERATED"), &specs) {
            (Some(folder), _) => Some(package.join(folder)),
            (None, Some(_)) => None,
            (None, None) => Some(package.join("generated")),
        };
        let is_listed = [&[FILE], &MISNAMED[..]].concat().iter().any(|name| package.join(name).exists());
        let is_listed = specs.is_none() && is_listed;
        Ok(Self {
            specs: (!is_listed).then(|| package.join(specs.unwrap_or_else(|| "specs".into()))),
            generated,
            out: required("OUT_DIR")?.into(),
            package,
            locked: env::var_os("GATEWAY_LOCKED").is_some_and(|value| !value.is_empty() && value != "0"),
        })
    }

    /// A path as it is seen from the package.
    fn below<'p>(&self, path: &'p Path) -> &'p Path {
        path.strip_prefix(&self.package).unwrap_or(path)
    }

    /// The documents, in words.
    fn place(&self) -> String {
        self.specs.as_ref().map_or_else(|| FILE.to_owned(), |specs| self.below(specs).display().to_string())
    }

    /// The argument of the command line for them.
    fn argument(&self) -> String {
        self.specs.as_ref().map_or_else(String::new, |specs| format!("--specs {} ", self.below(specs).display()))
    }

    /// Compiles the documents, and has cargo watch what was read.
    fn compile(&self, warnings: &mut String) -> Result<(Output, Vec<PathBuf>), BuildError> {
        if let Some(specs) = &self.specs {
            print(&format!("cargo::rerun-if-changed={}", specs.display()));
            return compile(specs, warnings).map(|output| (output, vec![specs.clone()]));
        }
        let file = self.package.join(FILE);
        print(&format!("cargo::rerun-if-changed={}", file.display()));
        let package = open_package(&self.package)?.ok_or_else(|| BuildError::Gone(file.clone()))?;
        let (output, mut watched) = compile_listed(package, warnings)?;
        // Of a folder that holds what a build writes, cargo would see a change after each build.
        let written = [Some(&self.package), Some(&self.out), self.generated.as_ref()];
        let written: Vec<PathBuf> = written.into_iter().flatten().map(|path| resolved(path)).collect();
        watched.retain(|path| path.exists() && !written.iter().any(|written| written.starts_with(resolved(path))));
        watched.push(file);
        for path in &watched {
            print(&format!("cargo::rerun-if-changed={}", path.display()));
        }
        Ok((output, watched))
    }

    fn run(&self) -> Result<(), BuildError> {
        let mut warnings = String::new();
        let (Output { files, assets }, watched) = self.compile(&mut warnings)?;
        for line in warnings.lines() {
            print(&format!("cargo::warning={line}"));
        }
        let failed = |source| BuildError::Output { folder: self.out.clone(), source };
        for file in &files {
            replace(&self.out.join(&file.name), file.text.as_bytes()).map_err(failed)?;
        }
        // They are below the documents, which cargo watches.
        for asset in &assets {
            let path = self.out.join(&asset.name);
            path.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
            replace(&path, &asset.bytes).map_err(failed)?;
        }
        let Some(generated) = &self.generated else {
            if self.locked {
                print(
                    "cargo::warning=GATEWAY_LOCKED compared nothing: GATEWAY_SPECS is set, and GATEWAY_GENERATED does not \
                     say where the reviewed copy is",
                );
            }
            return Ok(());
        };
        print(&format!("cargo::rerun-if-changed={}", generated.display()));
        let differences = differences(&files, generated)
            .map_err(|source| BuildError::Output { folder: generated.clone(), source })?;
        if differences.is_empty() {
            return Ok(());
        }
        let described = || Differences {
            generated: self.below(generated).to_path_buf(),
            documents: self.place(),
            argument: self.argument(),
            files: differences.clone(),
        };
        if self.locked {
            return Err(BuildError::OutOfDate(described()));
        }
        write(&files, generated).map_err(|source| BuildError::NotRefreshed { differences: described(), source })?;
        // Cargo would take what this build has just written for a change after it, and compile everything again.
        if let Some(time) = watched.iter().filter_map(|path| newest(path)).max() {
            let written = differences.iter().map(|name| generated.join(name)).chain([generated.clone()]);
            written.for_each(|path| set_modified(&path, time));
        }
        Ok(())
    }
}

/// A path without links, as far as it leads anywhere.
fn resolved(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

/// When the newest file below a folder was changed, the folder included.
fn newest(path: &Path) -> Option<SystemTime> {
    // What a link leads to is watched where it is, and may lead back.
    let metadata = fs::symlink_metadata(path).ok()?;
    let own = metadata.modified().ok();
    if !metadata.is_dir() {
        return own;
    }
    let inside = fs::read_dir(path).ok()?.flatten().filter_map(|entry| newest(&entry.path()));
    inside.chain(own).max()
}

/// Where a system does not let a folder have another time, the next build is one too many, and right all the same.
fn set_modified(path: &Path, time: SystemTime) {
    let _ = fs::File::open(path).and_then(|file| file.set_modified(time));
}

/// What a build gets.
#[derive(Debug)]
pub struct Output {
    /// The source, which has a reviewed copy.
    pub files: Vec<File>,
    /// What it includes, which is reviewed where it is.
    pub assets: Vec<Asset>,
}

/// Compiles every document directly in a folder; the text of warnings goes to `warnings`.
///
/// # Errors
/// The documents have errors, or cannot be read. A folder without documents is an error: a build that points at the wrong
/// folder must not make a gateway that serves nothing.
pub fn compile(specs: &Path, warnings: &mut String) -> Result<Output, BuildError> {
    compile_sources(&mut open(specs)?, Diagnostics::new(), warnings)
}

/// Compiles the documents that the `gatewayc.yaml` of a folder lists; nothing where there is no such file. Text of warnings
/// goes to `warnings`.
///
/// # Errors
/// As for [`compile`].
pub fn compile_package(folder: &Path, warnings: &mut String) -> Result<Option<Output>, BuildError> {
    let package = open_package(folder)?;
    package.map(|package| compile_listed(package, warnings).map(|(output, _)| output)).transpose()
}

/// What `gatewayc.yaml` gives, and what cargo has to watch.
fn compile_listed(package: Package, warnings: &mut String) -> Result<(Output, Vec<PathBuf>), BuildError> {
    let Package { mut sources, diagnostics, root, folders } = package;
    let output = compile_sources(&mut sources, diagnostics, warnings);
    let files = sources.paths().into_iter().map(|path| root.join(path));
    output.map(|output| (output, files.chain(folders).collect()))
}

fn compile_sources(
    sources: &mut SourceSet<'_>,
    diagnostics: Diagnostics,
    warnings: &mut String,
) -> Result<Output, BuildError> {
    let checked = crate::check(sources).with(diagnostics);
    if checked.diagnostics.has_errors() {
        return Err(BuildError::Documents(render(&checked.diagnostics, sources, Format::Human)));
    }
    debug_assert!(checked.diagnostics.iter().all(|diagnostic| diagnostic.severity == Severity::Warning));
    warnings.push_str(&render(&checked.diagnostics, sources, Format::Short));
    Ok(Output { files: emit(&checked.gateway), assets: assets(&checked.gateway) })
}

/// Every document directly in a folder, to be checked.
///
/// # Errors
/// The folder cannot be read or has no document.
pub fn open(specs: &Path) -> Result<SourceSet<'static>, BuildError> {
    let sources = files::source_set(&[specs.to_path_buf()], Some(specs)).map_err(BuildError::Unreadable)?;
    if sources.has_nothing() {
        return Err(BuildError::NoDocument(specs.to_path_buf()));
    }
    Ok(sources)
}

/// The documents that the `gatewayc.yaml` of a folder lists, to be checked; nothing where there is no such file.
///
/// # Errors
/// A folder cannot be read, or there is no document.
pub fn open_package(folder: &Path) -> Result<Option<Package>, BuildError> {
    let Some(package) = files::package(folder).map_err(BuildError::Unreadable)? else { return Ok(None) };
    let Package { sources, diagnostics, .. } = &package;
    if sources.has_nothing() && !diagnostics.has_errors() {
        return Err(BuildError::NoneListed);
    }
    Ok(Some(package))
}

/// The documents of a package as its build finds them, to be checked: those in `specs` (or in another folder that is
/// named), or those that `gatewayc.yaml` lists.
///
/// # Errors
/// As for [`open`].
pub fn open_documents(package: &Path, specs: Option<&Path>) -> Result<Package, BuildError> {
    if specs.is_none()
        && let Some(package) = open_package(package)?
    {
        return Ok(package);
    }
    let specs = package.join(specs.unwrap_or_else(|| Path::new("specs")));
    let sources = open(&specs)?;
    Ok(Package { sources, diagnostics: Diagnostics::new(), root: specs.clone(), folders: vec![specs] })
}

/// The names of files that a folder lacks, has with another content, or has too many.
///
/// # Errors
/// If the folder cannot be read.
pub fn differences(files: &[File], folder: &Path) -> io::Result<Vec<String>> {
    let mut differences: BTreeSet<String> = stale(files, folder)?.into_iter().collect();
    for file in files {
        if !is_current(file, folder) {
            differences.insert(file.name.clone());
        }
    }
    Ok(differences.into_iter().collect())
}

/// Whether a folder has this file. Git writes other line ends if configured, and takes them for no difference.
fn is_current(file: &File, folder: &Path) -> bool {
    let Ok(text) = fs::read_to_string(folder.join(&file.name)) else { return false };
    text == file.text || text.replace("\r\n", "\n") == file.text
}

/// Brings a folder up to date, and touches only what differs. Files that the compiler did not write stay.
///
/// # Errors
/// If a file cannot be written.
pub fn write(files: &[File], folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for name in stale(files, folder)? {
        fs::remove_file(folder.join(name))?;
    }
    let changed = files.iter().filter(|file| !is_current(file, folder));
    changed.into_iter().try_for_each(|file| replace(&folder.join(&file.name), file.text.as_bytes()))
}

/// Files that the compiler wrote for documents that are gone.
fn stale(files: &[File], folder: &Path) -> io::Result<Vec<String>> {
    let mut stale = Vec::new();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(stale),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let expected = files.iter().any(|file| file.name == name);
        // What is no text is not ours, and neither is a folder.
        let is_ours = || fs::read_to_string(entry.path()).is_ok_and(|text| text.starts_with(MARK));
        if name.ends_with(".rs") && !expected && is_ours() {
            stale.push(name);
        }
    }
    Ok(stale)
}

/// Writes a file if it differs: beside it first, so that no reader gets half of it.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    // The name of an asset may be as long as names can be.
    let beside = path.with_file_name(format!(".gatewayc.{}", std::process::id()));
    fs::write(&beside, bytes)?;
    fs::rename(&beside, path)
}

/// Instructions for cargo.
#[allow(clippy::print_stdout, reason = "cargo reads the standard output of build scripts")]
fn print(line: &str) {
    println!("{line}");
}

/// Cargo shows the standard error of a build script that fails.
fn complain(text: &str) {
    eprintln!("{text}");
}
