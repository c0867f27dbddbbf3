//! The files of one run: entry documents and what their references lead to, never outside the specs root.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
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

    /// The names of what is directly in a folder, in any order.
    ///
    /// # Errors
    /// As for [`list`](Self::list).
    fn names(&self, path: &str) -> Result<Vec<String>, ReadError> {
        Ok(self.list(path)?.into_iter().map(|entry| entry.name).collect())
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
    /// Names of documents that are not those of their files.
    named: HashMap<FileId, String>,
    /// Overlays without a document.
    strays: Vec<FileId>,
    strict: bool,
    /// Content that was read, and is no document.
    read: RefCell<BTreeSet<String>>,
    /// Where the documents are, in words.
    place: &'static str,
    /// The overlays of each document in the folders in which they were looked for.
    folders: HashMap<String, Result<HashMap<String, Vec<String>>, ReadError>>,
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
    /// The tree with all overlays applied; [`None`] where there are none.
    overlaid: Option<Node>,
    /// The overlays that belong to this file, in the order in which they are applied.
    overlays: Vec<FileId>,
    /// What this file is an overlay of.
    extends: Option<FileId>,
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
            named: HashMap::new(),
            strays: Vec::new(),
            strict: false,
            read: RefCell::default(),
            place: "specs",
            folders: HashMap::new(),
        }
    }

    /// Adds an entry document by its path relative to the root. The overlays beside it belong to it.
    pub fn add_document(&mut self, path: &str) -> FileId {
        let file = self.open(path);
        if !self.documents.contains(&file) {
            self.documents.push(file);
        }
        file
    }

    /// As [`add_document`](Self::add_document), for a document whose name is not that of its file.
    pub fn add_document_named(&mut self, path: &str, name: &str) -> FileId {
        let file = self.add_document(path);
        self.named.insert(file, name.to_owned());
        file
    }

    /// Adds an overlay for which there is no document: it is reported.
    pub fn add_stray_overlay(&mut self, path: &str) {
        let file = self.open(path);
        self.strays.push(file);
    }

    /// Makes an error of what is a doubt about an overlay otherwise, such as a target that matches nothing.
    pub fn set_strict(&mut self, strict: bool) {
        self.strict = strict;
    }

    /// Whether doubts about overlays are errors.
    pub(crate) fn is_strict(&self) -> bool {
        self.strict
    }

    /// Whether there is nothing to compile. An overlay without a document is reported, and is not nothing.
    #[must_use]
    pub fn has_nothing(&self) -> bool {
        self.documents().is_empty() && self.strays.is_empty()
    }

    /// Overlays for which there is no document.
    pub(crate) fn strays(&self) -> &[FileId] {
        &self.strays
    }

    /// The name of a document: the one it was given, or the stem of its file.
    pub(crate) fn name(&self, file: FileId) -> &str {
        self.named.get(&file).map_or_else(|| stem(&self.file(file).path), String::as_str)
    }

    /// The files beside a file that are its overlays, in the order of their names.
    ///
    /// # Errors
    /// Why the folder cannot be listed. A provider that has no folders has no overlays.
    pub(crate) fn overlays_beside(&mut self, file: FileId) -> Result<Vec<String>, ReadError> {
        let path = &self.file(file).path;
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let (folder, name) = (folder.to_owned(), name.to_owned());
        let provider = &self.provider;
        let overlays = self.folders.entry(folder.clone()).or_insert_with(|| Ok(by_document(&provider.names(&folder)?)));
        let overlays = match overlays {
            Ok(overlays) => overlays.get(&name).map_or(&[][..], Vec::as_slice),
            Err(ReadError::Missing) => &[],
            Err(error) => return Err(error.clone()),
        };
        let path = |name: &String| if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        Ok(overlays.iter().map(path).collect())
    }

    /// Notes what a file becomes by its overlays.
    pub(crate) fn overlay(&mut self, file: FileId, overlays: Vec<FileId>, overlaid: Node) {
        for overlay in &overlays {
            self.files[overlay.0 as usize].extends = Some(file);
        }
        let source = &mut self.files[file.0 as usize];
        (source.overlays, source.overlaid) = (overlays, Some(overlaid));
    }

    /// The file that a reference without a path means: for an overlay, what it is an overlay of.
    pub(crate) fn home(&self, file: FileId) -> FileId {
        self.file(file).extends.unwrap_or(file)
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
        let (display, content) = (format!("{}{path}", self.prefix), self.provider.read(path));
        let file = self.load(path, display, content);
        self.by_path.insert(path.to_owned(), file);
        file
    }

    /// Adds a file with this content that is shown as `display`, and that no reference can lead to.
    pub fn add_given(&mut self, display: &str, content: Vec<u8>) -> FileId {
        self.load(display, display.to_owned(), Ok(content))
    }

    fn load(&mut self, path: &str, display: String, content: Result<Vec<u8>, ReadError>) -> FileId {
        let file = FileId(self.files.len() as u32);
        let mut source = SourceFile {
            path: path.to_owned(),
            display,
            text: String::new(),
            lines: LineIndex::new(""),
            content: Err(ReadError::Missing),
            errors: Vec::new(),
            overlaid: None,
            overlays: Vec::new(),
            extends: None,
        };
        match content {
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
        file
    }

    /// The paths of all files below the root that were asked for, ordered.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = self.read.borrow().clone();
        paths.extend(self.by_path.keys().cloned());
        paths.into_iter().collect()
    }

    /// Notes that `gatewayc.yaml` says where the documents are.
    pub fn set_listed(&mut self) {
        self.place = "gatewayc.yaml";
    }

    /// What says which documents there are: `specs` or `gatewayc.yaml`.
    pub(crate) fn place(&self) -> &'static str {
        self.place
    }

    /// The content of a file that is no document.
    pub(crate) fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        self.read.borrow_mut().insert(path.to_owned());
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

    /// The tree with its overlays applied, or why there is none.
    pub(crate) fn content(&self) -> Result<&Node, &ReadError> {
        self.overlaid.as_ref().map_or_else(|| self.content.as_ref(), Ok)
    }

    /// The tree as the file has it.
    pub(crate) fn as_written(&self) -> Option<&Node> {
        self.content.as_ref().ok()
    }

    /// The overlays that are applied to it, in their order.
    #[must_use]
    pub fn overlays(&self) -> &[FileId] {
        &self.overlays
    }

    /// What the loader found wrong.
    pub(crate) fn errors(&self) -> &[LoadError] {
        &self.errors
    }
}

/// Whether the name of a file is that of an overlay: `notes.overlay.yaml`, `notes.10-limits.overlay.yaml`.
#[must_use]
pub fn is_overlay(path: &str) -> bool {
    overlay_stem(path.rsplit('/').next().unwrap_or(path)).is_some()
}

/// The documents among `names` that an overlay belongs to. The longest name wins: `a.b.overlay.yaml` belongs to `a.b.yaml`,
/// and to `a.yaml` only where there is no such document. Empty for what is no overlay.
#[must_use]
pub fn documents_of<'n>(overlay: &str, names: &'n [String]) -> Vec<&'n str> {
    let Some(mut candidate) = overlay_stem(overlay) else { return Vec::new() };
    loop {
        let is_meant = |name: &&String| {
            let extension = name.strip_prefix(candidate).and_then(|rest| rest.strip_prefix('.'));
            extension.is_some_and(|extension| EXTENSIONS.contains(&extension)) && overlay_stem(name).is_none()
        };
        let documents: Vec<&str> = names.iter().filter(is_meant).map(String::as_str).collect();
        match candidate.rsplit_once('.') {
            Some((shorter, _)) if documents.is_empty() => candidate = shorter,
            _ => return documents,
        }
    }
}

/// The overlays of each document, in the order in which they are applied.
fn by_document(names: &[String]) -> HashMap<String, Vec<String>> {
    let mut overlays: Vec<&String> = names.iter().filter(|name| overlay_stem(name).is_some()).collect();
    overlays.sort_by_key(|overlay| order_of_overlay(overlay));
    let mut by_document: HashMap<String, Vec<String>> = HashMap::new();
    for overlay in overlays {
        for document in documents_of(overlay, names) {
            by_document.entry(document.to_owned()).or_default().push(overlay.clone());
        }
    }
    by_document
}

/// How the names of documents end.
pub(crate) const EXTENSIONS: &[&str] = &["yaml", "yml", "json"];

/// The name of an overlay without its ending. What begins with a dot is hidden, and is none.
fn overlay_stem(name: &str) -> Option<&str> {
    let (stem, extension) = name.rsplit_once('.')?;
    let stem = stem.strip_suffix(".overlay").filter(|_| EXTENSIONS.contains(&extension))?;
    (!stem.is_empty() && !stem.starts_with('.')).then_some(stem)
}

/// `notes.overlay.yaml` comes before `notes.10.overlay.yaml`, and that before `notes.20.overlay.yaml`.
fn order_of_overlay(name: &str) -> (&str, &str) {
    (overlay_stem(name).unwrap_or(name), name)
}

/// The file name without directories and without its last extension.
fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map_or(name, |(stem, _)| if stem.is_empty() { name } else { stem })
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

/// A text with its octets decoded (RFC 3986 §2.1); what is malformed stands as it is.
pub(crate) fn percent_decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return text.into();
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let octet = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match octet.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(octet) => {
                decoded.push(octet);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned().into()
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
