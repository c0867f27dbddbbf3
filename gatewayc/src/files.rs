//! Files on disk for the command line and for builds, confined to one directory.

use std::io;
use std::path::{Path, PathBuf};

use crate::diagnostic::{Diagnostic, Diagnostics, GW106, GW130};
use crate::project::{self, Listed, Project, captures};
use crate::source::{FileProvider, FolderEntry, ReadError, SourceSet, documents_of, is_overlay};
use gateway_yaml::{Span, Spanned};

/// The documents of a package, and what is wrong with how they are listed.
pub struct Package {
    /// Its documents.
    pub sources: SourceSet<'static>,
    /// What is wrong with `gatewayc.yaml`.
    pub diagnostics: Diagnostics,
    /// What references may reach.
    pub root: PathBuf,
    /// Folders in which a new file may be a document or an overlay.
    pub folders: Vec<PathBuf>,
}

/// The documents that the `gatewayc.yaml` of a folder lists; nothing where there is no such file.
///
/// # Errors
/// If `gatewayc.yaml` or the folder cannot be read. What is wrong with its content is in [`Package::diagnostics`].
pub fn package(folder: &Path) -> io::Result<Option<Package>> {
    let file = folder.join(project::FILE);
    let content = match std::fs::read(&file) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let other = project::MISNAMED.map(|name| folder.join(name)).into_iter().find(|file| file.exists());
            let Some(other) = other else { return Ok(None) };
            let message = format!("{} is not read: call it {}", other.display(), project::FILE);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        Err(error) => return Err(io::Error::new(error.kind(), format!("{}: {error}", file.display()))),
    };
    let folder = canonical(folder)?;
    let display = format!("{}{}", prefix(&folder), project::FILE);
    // The root must be known before there is a set, and places need the set.
    let mut given = SourceSet::new(Disk { root: folder.clone() }, "");
    let given_file = given.add_given(&display, content.clone());
    let (Project { documents, root, strict }, mut diagnostics) = project::read(&given, given_file);
    let root = match root {
        Some(root) => match folder.join(&root.value).canonicalize() {
            Ok(path) if path.is_dir() => path,
            _ => {
                let headline = format!("`root` in `gatewayc.yaml` is `{}`, and there is no such folder", root.value);
                diagnostics.push(Diagnostic::error(GW130, headline).at(root.span, "not a folder"));
                folder.clone()
            }
        },
        None => folder.clone(),
    };
    let mut sources = SourceSet::new(Disk { root: root.clone() }, prefix(&root));
    sources.add_given(&display, content);
    sources.set_strict(strict);
    sources.set_listed();
    let mut listing = Listing { folder, root, sources, diagnostics, found: Vec::new(), folders: Vec::new() };
    match documents {
        Some(documents) => documents.iter().for_each(|listed| listing.add(listed)),
        // `document:` was to list them, and has been reported.
        None if listing.diagnostics.has_errors() => {}
        None => listing.add_specs()?,
    }
    listing.add_strays();
    let Listing { sources, diagnostics, root, folders, .. } = listing;
    Ok(Some(Package { sources, diagnostics, root, folders }))
}

/// Documents as they are found.
struct Listing {
    folder: PathBuf,
    root: PathBuf,
    sources: SourceSet<'static>,
    diagnostics: Diagnostics,
    /// Path, name and the entry of `documents`.
    found: Vec<(String, String, Span)>,
    folders: Vec<PathBuf>,
}

impl Listing {
    fn report(&mut self, span: Span, headline: String, label: &str) {
        self.diagnostics.push(Diagnostic::error(GW130, headline).at(span, label));
    }

    fn add(&mut self, listed: &Listed) {
        let Listed { pattern, name } = listed;
        let parts: Vec<&str> = pattern.value.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        let mut matches = Vec::new();
        find(&self.folder, &parts, &mut Vec::new(), &mut matches, &mut self.folders);
        if matches.is_empty() {
            let headline = format!("`{}` in `gatewayc.yaml` matches no document", pattern.value);
            self.report(pattern.span, headline, "there is no such file ending in .yaml, .yml or .json");
        }
        for (path, captured) in matches {
            let stem = || path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
            let name = match name {
                Some(name) => name.clone(),
                None if captured.is_empty() => Spanned::new(pattern.span, stem()),
                None => Spanned::new(pattern.span, captured.join("-")),
            };
            self.add_document(&path, pattern, &name);
        }
    }

    fn add_document(&mut self, path: &Path, pattern: &Spanned<String>, name: &Spanned<String>) {
        let shown = path.strip_prefix(&self.folder).unwrap_or(path).display().to_string();
        let absolute = match path.canonicalize() {
            Ok(absolute) => absolute,
            Err(error) => {
                return self.report(pattern.span, format!("`{shown}` cannot be read: {error}"), "listed here");
            }
        };
        let Ok(below) = absolute.strip_prefix(&self.root) else {
            self.diagnostics.push(
                Diagnostic::error(GW130, format!("`{shown}` is outside of the root of the documents"))
                    .at(pattern.span, "listed here")
                    .help("name a folder that holds all documents as `root`, such as `root: ..`"),
            );
            return;
        };
        let Some(below) = below.to_str() else {
            return self.report(pattern.span, format!("the name of `{shown}` is not Unicode"), "listed here");
        };
        let below = below.replace('\\', "/");
        if let Some((_, other, span)) = self.found.iter().find(|(found, _, _)| *found == below) {
            // Two patterns may meet in a document, as long as they agree on it.
            if *other != name.value {
                let headline = format!("`{shown}` is listed twice, as `{other}` and as `{}`", name.value);
                let diagnostic =
                    Diagnostic::error(GW130, headline).at(name.span, "the second").also(*span, "the first");
                self.diagnostics.push(diagnostic);
            }
            return;
        }
        if let Some((found, _, span)) = self.found.iter().find(|(_, other, _)| *other == name.value) {
            let headline = format!("`{found}` and `{below}` are both called `{}`", name.value);
            let mut diagnostic = Diagnostic::error(GW106, headline).at(name.span, "the second");
            if *span != name.span {
                diagnostic = diagnostic.also(*span, "the first");
            }
            let help = format!("give one of them another name: `{{file: {shown}, name: …}}`");
            self.diagnostics.push(diagnostic.help(help));
            return;
        }
        self.sources.add_document_named(&below, &name.value);
        self.folders.extend(path.parent().map(Path::to_path_buf));
        self.found.push((below, name.value.clone(), name.span));
    }

    /// Without a list, the documents are those in `specs`.
    fn add_specs(&mut self) -> io::Result<()> {
        let specs = self.folder.join("specs");
        if !specs.is_dir() {
            let message = format!("{} lists no `documents`, and there is no folder `specs` beside it", project::FILE);
            return Err(io::Error::new(io::ErrorKind::NotFound, message));
        }
        self.folders.push(specs.clone());
        for path in expand(&[specs])?.documents {
            let absolute = canonical(&path)?;
            let below = absolute.strip_prefix(&self.root).ok().and_then(Path::to_str);
            let outside = || io::Error::other(format!("{} is not below the root of `gatewayc.yaml`", path.display()));
            self.sources.add_document(&below.ok_or_else(outside)?.replace('\\', "/"));
        }
        Ok(())
    }

    /// Overlays beside the documents that belong to none.
    fn add_strays(&mut self) {
        self.folders.sort();
        self.folders.dedup();
        for folder in &self.folders {
            for stray in expand(std::slice::from_ref(folder)).map(|found| found.strays).unwrap_or_default() {
                let absolute = stray.canonicalize().unwrap_or(stray);
                if let Some(below) = absolute.strip_prefix(&self.root).ok().and_then(Path::to_str) {
                    self.sources.add_stray_overlay(&below.replace('\\', "/"));
                }
            }
        }
    }
}

/// The documents that a pattern matches, ordered, each with what its `*` stand for. `folders` gets those that were searched.
fn find(
    folder: &Path,
    parts: &[&str],
    captured: &mut Vec<String>,
    matches: &mut Vec<(PathBuf, Vec<String>)>,
    folders: &mut Vec<PathBuf>,
) {
    let Some((part, rest)) = parts.split_first() else { return };
    let mut candidates = Vec::new();
    if part.contains('*') {
        folders.push(folder.to_path_buf());
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        // Hidden files are no documents, and neither are overlays.
        names.retain(|name| (part.starts_with('.') || !name.starts_with('.')) && !is_overlay(name));
        candidates.extend(names.into_iter().filter_map(|name| captures(part, &name).map(|found| (name, found))));
    } else {
        candidates.push(((*part).to_owned(), Vec::new()));
    }
    for (name, found) in candidates {
        let (path, before) = (folder.join(&name), captured.len());
        captured.extend(found);
        if !rest.is_empty() && path.is_dir() {
            find(&path, rest, captured, matches, folders);
        } else if rest.is_empty() && is_document(&path) {
            matches.push((path, captured.clone()));
        }
        captured.truncate(before);
    }
}

fn is_document(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("yaml" | "yml" | "json")) && path.is_file()
}

/// The empty path is the current folder.
fn canonical(path: &Path) -> io::Result<PathBuf> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    path.canonicalize().map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

/// A set with the named documents. Without a root, it is the nearest directory that holds all of them.
///
/// # Errors
/// If one of them does not exist or is not below the root, or if a folder cannot be read.
pub fn source_set(paths: &[PathBuf], root: Option<&Path>) -> io::Result<SourceSet<'static>> {
    let Expanded { documents: files, strays } = expand(paths)?;
    let absolute_strays: Vec<PathBuf> = strays.iter().map(|file| canonical(file)).collect::<io::Result<_>>()?;
    let absolute: Vec<PathBuf> = files.iter().map(|file| canonical(file)).collect::<io::Result<_>>()?;
    let root = match root {
        Some(root) => canonical(root)?,
        None if absolute.is_empty() => common_directory(&absolute_strays),
        None => common_directory(&absolute),
    };
    let as_given =
        absolute.first().or(absolute_strays.first()).zip(files.first().or(strays.first())).and_then(|(file, given)| {
            // People find a file most easily under the name that they gave.
            let relative = file.strip_prefix(&root).ok()?.to_str()?;
            Some(given.to_str()?.strip_suffix(relative)?.to_owned())
        });
    // A build script has absolute names; below the current directory a relative one is easier to read.
    let as_given = as_given.filter(|given| !given.starts_with('/'));
    let mut sources = SourceSet::new(Disk { root: root.clone() }, as_given.unwrap_or_else(|| prefix(&root)));
    let below = |file: &Path, given: &Path| {
        let invalid = |message: String| io::Error::new(io::ErrorKind::InvalidInput, message);
        let Ok(relative) = file.strip_prefix(&root) else {
            return Err(invalid(format!("{} is not below {}", given.display(), root.display())));
        };
        let relative = relative.to_str().map(|relative| relative.replace('\\', "/"));
        relative.ok_or_else(|| invalid(format!("the name of {} is not Unicode", given.display())))
    };
    for (file, given) in absolute.iter().zip(&files) {
        sources.add_document(&below(file, given)?);
    }
    for (file, given) in absolute_strays.iter().zip(&strays) {
        sources.add_stray_overlay(&below(file, given)?);
    }
    Ok(sources)
}

/// Files below a directory.
struct Disk {
    root: PathBuf,
}

impl Disk {
    /// A symbolic link inside the root may lead out of it.
    fn resolve(&self, path: &str) -> Result<PathBuf, ReadError> {
        let path = self.root.join(path).canonicalize().map_err(explain)?;
        if path.starts_with(&self.root) { Ok(path) } else { Err(ReadError::Outside) }
    }
}

fn explain(error: io::Error) -> ReadError {
    match error.kind() {
        io::ErrorKind::NotFound => ReadError::Missing,
        _ => ReadError::Other(error.to_string()),
    }
}

impl FileProvider for Disk {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        let path = self.resolve(path)?;
        if path.is_dir() {
            return Err(ReadError::Other("it is a directory".into()));
        }
        // A pipe or a device has no end.
        if !path.is_file() {
            return Err(ReadError::Other("it is not a file".into()));
        }
        std::fs::read(path).map_err(explain)
    }

    fn list(&self, path: &str) -> Result<Vec<FolderEntry>, ReadError> {
        let folder = self.resolve(path)?;
        if !folder.is_dir() {
            return Err(ReadError::Other("it is not a directory".into()));
        }
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(explain)? {
            let entry = entry.map_err(explain)?;
            let Ok(name) = entry.file_name().into_string() else {
                return Err(ReadError::Other(format!("the name of {:?} is not Unicode", entry.file_name())));
            };
            entries.push(FolderEntry { name, is_folder: entry.path().is_dir() });
        }
        Ok(entries)
    }

    fn names(&self, path: &str) -> Result<Vec<String>, ReadError> {
        let entries = std::fs::read_dir(self.resolve(path)?).map_err(explain)?;
        let name = |entry: io::Result<std::fs::DirEntry>| Ok(entry?.file_name().to_string_lossy().into_owned());
        entries.map(name).collect::<io::Result<_>>().map_err(explain)
    }
}

/// What paths stand for.
struct Expanded {
    documents: Vec<PathBuf>,
    /// Overlays without a document.
    strays: Vec<PathBuf>,
}

/// Directories become the documents directly in them, ordered by name, and an overlay becomes the document that it belongs
/// to. Names that begin with a dot are no documents: what editors, linters and file systems leave behind is hidden from who
/// reviews the folder, too.
fn expand(paths: &[PathBuf]) -> io::Result<Expanded> {
    let (mut documents, mut strays) = (Vec::new(), Vec::new());
    for path in paths {
        if !path.is_dir() {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let folder = path.parent().filter(|_| is_overlay(name));
            let names = folder.map(names_in).transpose()?.unwrap_or_default();
            match &documents_of(name, &names)[..] {
                [] if is_overlay(name) => strays.push(path.clone()),
                [] => documents.push(path.clone()),
                found => documents.extend(found.iter().map(|name| path.with_file_name(name))),
            }
            continue;
        }
        let names = names_in(path)?;
        for name in names.iter().filter(|name| !name.starts_with('.')) {
            let file = path.join(name);
            if !is_document(&file) {
                continue;
            }
            if !is_overlay(name) {
                documents.push(file);
            } else if documents_of(name, &names).is_empty() {
                strays.push(file);
            }
        }
    }
    Ok(Expanded { documents, strays })
}

/// What is in a folder, ordered.
fn names_in(folder: &Path) -> io::Result<Vec<String>> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        match entry?.file_name().into_string() {
            Ok(name) => names.push(name),
            // What is no document may be called as it likes.
            Err(name) if is_document(&folder.join(&name)) => {
                let message = format!("the name of {name:?} in {} is not Unicode", folder.display());
                return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
            }
            Err(_) => {}
        }
    }
    names.sort();
    Ok(names)
}

fn common_directory(files: &[PathBuf]) -> PathBuf {
    let mut directories = files.iter().filter_map(|file| file.parent());
    let mut common = directories.next().map(Path::to_path_buf).unwrap_or_default();
    for directory in directories {
        while !directory.starts_with(&common) && common.pop() {}
    }
    common
}

/// What stands before a path below the root so that people find the file from where they are.
fn prefix(root: &Path) -> String {
    let here = std::env::current_dir().and_then(|here| here.canonicalize()).unwrap_or_default();
    let mut prefix = match root.strip_prefix(&here) {
        Ok(below) => below.display().to_string(),
        Err(_) => root.display().to_string(),
    };
    if !prefix.is_empty() && !prefix.ends_with('/') {
        prefix.push('/');
    }
    prefix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_path_is_the_current_folder() {
        assert_eq!(canonical(Path::new("")).ok(), canonical(Path::new(".")).ok());
        assert!(canonical(Path::new("")).is_ok());
    }
}
