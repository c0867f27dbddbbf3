//! The files of one run: entry documents and what their references lead to, never outside the specs root.

use std::collections::HashMap;
use std::fmt;

use gateway_yaml::{ErrorKind, FileId, LineIndex, LoadError, Loaded, Node, Position, Span};

/// Reads files below one directory, the specs root.
pub trait FileProvider {
    /// The content of a file. `path` is relative to the root, has `/` between its parts and no `.` or `..` in it.
    ///
    /// # Errors
    /// Why there is no content, in words for the author.
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError>;

    /// What is directly in a folder, in any order. `path` is as in [`read`](Self::read), and empty for the root.
    ///
    /// # Errors
    /// Why that is not known. What provides documents only has no folders.
    fn list(&self, path: &str) -> Result<Vec<FolderEntry>, ReadError> {
        let _ = path;
        Err(ReadError::Missing)
    }
}

/// Something in a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FolderEntry {
    /// Its name in the folder.
    pub name: String,
    /// It is a folder itself.
    pub is_folder: bool,
}

/// Why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadError {
    /// There is no such file.
    Missing,
    /// It is a link to somewhere outside the root.
    Outside,
    /// Anything else.
    Other(String),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("there is no such file"),
            Self::Outside => f.write_str("it leads out of the specs directory"),
            Self::Other(reason) => f.write_str(reason),
        }
    }
}

/// A map from path to text provides files, for tests.
impl FileProvider for HashMap<String, String> {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        self.get(path).map(|text| text.clone().into_bytes()).ok_or(ReadError::Missing)
    }

    fn list(&self, path: &str) -> Result<Vec<FolderEntry>, ReadError> {
        let folder = if path.is_empty() { String::new() } else { format!("{path}/") };
        let inside = self.keys().filter_map(|file| file.strip_prefix(&folder));
        let mut entries: Vec<FolderEntry> = inside
            .map(|below| match below.split_once('/') {
                Some((name, _)) => FolderEntry { name: name.to_owned(), is_folder: true },
                None => FolderEntry { name: below.to_owned(), is_folder: false },
            })
            .collect();
        entries.sort();
        entries.dedup();
        if entries.is_empty() { Err(ReadError::Missing) } else { Ok(entries) }
    }
}

/// All files of one run.
pub struct SourceSet<'a> {
    provider: Box<dyn FileProvider + Send + 'a>,
    prefix: String,
    files: Vec<SourceFile>,
    by_path: HashMap<String, FileId>,
    documents: Vec<FileId>,
}

/// A file that was asked for.
pub struct SourceFile {
    /// Relative to the specs root.
    path: String,
    /// As shown to people.
    display: String,
    text: String,
    lines: LineIndex,
    content: Result<Node, ReadError>,
    errors: Vec<LoadError>,
}

impl<'a> SourceSet<'a> {
    /// No files yet. `prefix` (such as `specs/`) goes before the paths that people see.
    #[must_use]
    pub fn new(provider: impl FileProvider + Send + 'a, prefix: impl Into<String>) -> Self {
        Self {
            provider: Box::new(provider),
            prefix: prefix.into(),
            files: Vec::new(),
            by_path: HashMap::new(),
            documents: Vec::new(),
        }
    }

    /// Adds an entry document by its path relative to the root.
    pub fn add_document(&mut self, path: &str) -> FileId {
        let file = self.open(path);
        if !self.documents.contains(&file) {
            self.documents.push(file);
        }
        file
    }

    /// The entry documents.
    #[must_use]
    pub fn documents(&self) -> &[FileId] {
        &self.documents
    }

    /// Reads and loads a file, once.
    pub(crate) fn open(&mut self, path: &str) -> FileId {
        if let Some(&file) = self.by_path.get(path) {
            return file;
        }
        let file = FileId(self.files.len() as u32);
        let mut source = SourceFile {
            path: path.to_owned(),
            display: format!("{}{path}", self.prefix),
            text: String::new(),
            lines: LineIndex::new(""),
            content: Err(ReadError::Missing),
            errors: Vec::new(),
        };
        match self.provider.read(path) {
            Ok(bytes) => {
                let (text, fault) = decode(file, bytes);
                source.text = text;
                let loaded = match fault {
                    None => gateway_yaml::load_all(file, &source.text),
                    Some(fault) => Loaded { node: None, errors: vec![fault] },
                };
                source.lines = LineIndex::new(&source.text);
                source.errors = loaded.errors;
                source.content = loaded.node.ok_or_else(|| ReadError::Other("it is not valid YAML".into()));
            }
            Err(error) => source.content = Err(error),
        }
        self.files.push(source);
        self.by_path.insert(path.to_owned(), file);
        file
    }

    /// The content of a file that is no document.
    pub(crate) fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        self.provider.read(path)
    }

    /// What is directly in a folder, ordered by name.
    pub(crate) fn list(&self, path: &str) -> Result<Vec<FolderEntry>, ReadError> {
        let mut entries = self.provider.list(path)?;
        entries.sort();
        Ok(entries)
    }

    /// A file.
    ///
    /// # Panics
    /// If the id comes from another set.
    #[must_use]
    pub fn file(&self, file: FileId) -> &SourceFile {
        &self.files[file.0 as usize]
    }

    /// Every file that was asked for, such as for build scripts that must know what to watch.
    pub fn files(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter()
    }

    /// `path:line:column` of the start of a span.
    #[must_use]
    pub fn locate(&self, span: Span) -> (&str, Position) {
        let file = self.file(span.file);
        (&file.display, file.lines.position(&file.text, span.start))
    }
}

impl SourceFile {
    /// The path relative to the specs root.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The path as shown to people.
    #[must_use]
    pub fn display(&self) -> &str {
        &self.display
    }

    /// The text, empty where the file could not be read.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where the lines start.
    #[must_use]
    pub fn lines(&self) -> &LineIndex {
        &self.lines
    }

    /// The tree, or why there is none.
    pub(crate) fn content(&self) -> Result<&Node, &ReadError> {
        self.content.as_ref()
    }

    /// What the loader found wrong.
    pub(crate) fn errors(&self) -> &[LoadError] {
        &self.errors
    }
}

/// The text of a file, to be shown only where it is not UTF-8 throughout.
fn decode(file: FileId, bytes: Vec<u8>) -> (String, Option<LoadError>) {
    let error = match String::from_utf8(bytes) {
        Ok(text) => return (text, None),
        Err(error) => error,
    };
    let utf16 = error.as_bytes().starts_with(&[0xFF, 0xFE]) || error.as_bytes().starts_with(&[0xFE, 0xFF]);
    let at = error.utf8_error().valid_up_to() as u32;
    let fault = LoadError {
        span: Span::new(file, at, at),
        kind: ErrorKind::Syntax,
        message: format!("the file is not UTF-8{}", if utf16 { " but UTF-16" } else { "" }),
        label: "not a character",
        also: None,
        help: Some("save the file as UTF-8".into()),
    };
    (String::from_utf8_lossy(error.as_bytes()).into_owned(), Some(fault))
}

/// Joins a reference's path to the directory of the file that it stands in.
///
/// [`None`] where it leaves the root.
pub(crate) fn join(from_file: &str, relative: &str) -> Option<String> {
    let mut parts: Vec<&str> = from_file.split('/').collect();
    parts.pop();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    // A backslash, a NUL or a drive letter means something else to some operating systems than to us.
    let harmless = |part: &&str| !part.contains(['\\', '\0']) && !part.ends_with(':');
    parts.iter().all(harmless).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::join;

    #[test]
    fn references_stay_below_the_root() {
        for (from, relative, expected) in [
            ("a.yaml", "b.yaml", Some("b.yaml")),
            ("x/a.yaml", "./b.yaml", Some("x/b.yaml")),
            ("x/y/a.yaml", "../c/b.yaml", Some("x/c/b.yaml")),
            ("a.yaml", "../b.yaml", None),
            ("x/a.yaml", "../../b.yaml", None),
            ("x/a.yaml", "y/../../../b.yaml", None),
            ("x/a.yaml", "..\\..\\b.yaml", None),
            ("x/a.yaml", "C:/b.yaml", None),
        ] {
            assert_eq!(join(from, relative).as_deref(), expected, "{from} + {relative}");
        }
    }
}
