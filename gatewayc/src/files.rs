//! Files on disk for the command line, confined to one directory.

use std::io;
use std::path::{Path, PathBuf};

use gatewayc::source::{FileProvider, FolderEntry, ReadError, SourceSet};

/// A set with the named documents. Without a root, it is the nearest directory that holds all of them.
pub(crate) fn source_set(paths: &[PathBuf], root: Option<&Path>) -> io::Result<SourceSet<'static>> {
    let files = expand(paths)?;
    let canonical = |path: &Path| {
        path.canonicalize().map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    };
    let absolute: Vec<PathBuf> = files.iter().map(|file| canonical(file)).collect::<io::Result<_>>()?;
    let root = match root {
        Some(root) => canonical(root)?,
        None => common_directory(&absolute),
    };
    let as_given = absolute.first().zip(files.first()).and_then(|(file, given)| {
        // People find a file most easily under the name that they gave.
        let relative = file.strip_prefix(&root).ok()?.to_str()?;
        Some(given.to_str()?.strip_suffix(relative)?.to_owned())
    });
    // A build script has absolute names; below the current directory a relative one is easier to read.
    let as_given = as_given.filter(|given| !given.starts_with('/'));
    let mut sources = SourceSet::new(Disk { root: root.clone() }, as_given.unwrap_or_else(|| prefix(&root)));
    for (file, given) in absolute.iter().zip(&files) {
        let Ok(relative) = file.strip_prefix(&root) else {
            let message = format!("{} is not below {}", given.display(), root.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        };
        let Some(relative) = relative.to_str() else {
            let message = format!("the name of {} is not Unicode", given.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        };
        sources.add_document(&relative.replace('\\', "/"));
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
}

/// Directories become the documents directly in them, ordered by name. Names that begin with a dot are no documents: what
/// editors, linters and file systems leave behind is hidden from who reviews the folder, too.
fn expand(paths: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let mut inside = Vec::new();
        for entry in std::fs::read_dir(path)? {
            let file = entry?.path();
            let extension = file.extension().and_then(|extension| extension.to_str());
            let is_hidden = file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            if !is_hidden && matches!(extension, Some("yaml" | "yml" | "json")) && file.is_file() {
                inside.push(file);
            }
        }
        inside.sort();
        files.append(&mut inside);
    }
    Ok(files)
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
