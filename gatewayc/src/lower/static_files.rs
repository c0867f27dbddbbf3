//! `static`: files beside the documents, read once and compiled in.

use std::collections::BTreeMap;
use std::sync::Arc;

use gateway_route::Template;
use gateway_yaml::Spanned;

use crate::diagnostic::{Diagnostic, Diagnostics, GW118, GW527};
use crate::ir::{StaticFile, StaticFiles, content_type};
use crate::source::{ReadError, SourceSet, join};

/// Of all files of a document: they stand in the memory of the gateway.
const MOST_BYTES: usize = 16 << 20;
/// More files are a mistake, such as a folder of dependencies.
const MOST_FILES: usize = 1_000;
/// Folders in folders.
const DEEPEST: usize = 16;

/// What a document has read.
pub(super) struct Shelf<'a> {
    sources: &'a SourceSet<'a>,
    read: BTreeMap<String, Arc<[u8]>>,
}

impl<'a> Shelf<'a> {
    pub(super) fn new(sources: &'a SourceSet<'a>) -> Self {
        Self { sources, read: BTreeMap::new() }
    }

    /// What `file` or `dir` names, for an operation with this template.
    pub(super) fn files(
        &mut self,
        source: &Spanned<String>,
        is_folder: bool,
        template: &Template,
        diagnostics: &mut Diagnostics,
    ) -> Option<StaticFiles> {
        let found = parameter(template, is_folder).and_then(|parameter| {
            // As with `$ref`, the path is relative to the file that it is in.
            let from = self.sources.file(source.span.file).path();
            let relative = source.value.as_str();
            let path = match join(from, relative) {
                Some(path) if !relative.starts_with('/') && !relative.chars().any(char::is_control) => path,
                _ => return Err(unreadable(relative, &ReadError::Outside)),
            };
            let mut files = Vec::new();
            if is_folder {
                self.folder(&path, "", 0, &mut files)?;
                files.sort_by(|a, b| a.path.cmp(&b.path));
            } else {
                let name = path.rsplit('/').next().unwrap_or_default().to_owned();
                files.push(self.file(path, name)?);
            }
            if files.is_empty() {
                return Err(Problem::new(GW527, format!("`{relative}` has no files"), "nothing would be served"));
            }
            Ok(StaticFiles { source: relative.to_owned(), parameter, files })
        });
        match found {
            Ok(files) => Some(files),
            Err(problem) => {
                let diagnostic = Diagnostic::error(problem.code, problem.headline).at(source.span, problem.label);
                diagnostics.push(problem.help.into_iter().fold(diagnostic, Diagnostic::help));
                None
            }
        }
    }

    fn folder(&mut self, path: &str, below: &str, depth: usize, files: &mut Vec<StaticFile>) -> Result<(), Problem> {
        if depth == DEEPEST {
            let headline = format!("`{path}` is {DEEPEST} folders deep");
            return Err(Problem::new(GW527, headline, "a folder that leads back to itself?"));
        }
        let entries = self.sources.list(path).map_err(|error| unreadable(path, &error))?;
        // Editors, version control and desktops leave hidden files behind that are not meant to be published.
        for entry in entries.into_iter().filter(|entry| !entry.name.starts_with('.')) {
            if let Some(character) = entry.name.chars().find(|&it| it.is_control() || "\\%;".contains(it)) {
                let headline = format!("no request can ask for `{}`", entry.name.escape_debug());
                let label = format!("has `{}` in its name", character.escape_debug());
                return Err(Problem::new(GW527, headline, label));
            }
            let (path, below) = (format!("{path}/{}", entry.name), format!("{below}{}", entry.name));
            let path = path.trim_start_matches('/').to_owned();
            if entry.is_folder {
                self.folder(&path, &format!("{below}/"), depth + 1, files)?;
            } else {
                files.push(self.file(path, below)?);
            }
        }
        Ok(())
    }

    fn file(&mut self, source: String, path: String) -> Result<StaticFile, Problem> {
        let bytes = match self.read.get(&source) {
            Some(bytes) => Arc::clone(bytes),
            None => {
                let bytes: Arc<[u8]> = self.sources.read(&source).map_err(|error| unreadable(&source, &error))?.into();
                self.read.insert(source.clone(), Arc::clone(&bytes));
                bytes
            }
        };
        let size: usize = self.read.values().map(|bytes| bytes.len()).sum();
        if size > MOST_BYTES || self.read.len() > MOST_FILES {
            return Err(Problem {
                code: GW527,
                headline: "the files of this document are too many or too large to be compiled in".into(),
                label: format!("at most {MOST_FILES} files, and {} MiB in all", MOST_BYTES >> 20),
                help: Some("serve them from an upstream".into()),
            });
        }
        Ok(StaticFile { content_type: content_type(&path), path, source, bytes })
    }
}

/// The parameter that names a file of a folder; none for a single file.
fn parameter(template: &Template, is_folder: bool) -> Result<String, Problem> {
    let names: Vec<&str> = template.names().collect();
    match (is_folder, names.as_slice()) {
        (false, []) => Ok(String::new()),
        (false, _) => {
            Err(Problem::new(GW527, format!("`{template}` has parameters, and serves one file"), "`file` is one file")
                .help("write `dir`, or a path without parameters"))
        }
        (true, [name]) if template.to_string().ends_with(&format!("/{{+{name}}}")) => Ok((*name).to_owned()),
        (true, _) => Err(Problem::new(
            GW527,
            format!("`{template}` does not end in one greedy parameter"),
            "which of its files would be served?",
        )
        .help("write `/pages/{rest}`, and `x-gateway: {greedy: true}` at the parameter")),
    }
}

struct Problem {
    code: crate::diagnostic::Code,
    headline: String,
    label: String,
    help: Option<String>,
}

impl Problem {
    fn new(code: crate::diagnostic::Code, headline: String, label: impl Into<String>) -> Self {
        Self { code, headline, label: label.into(), help: None }
    }

    fn help(self, text: &str) -> Self {
        Self { help: Some(text.to_owned()), ..self }
    }
}

fn unreadable(path: &str, error: &ReadError) -> Problem {
    Problem::new(GW118, format!("`{}` cannot be read", path.escape_debug()), error.to_string())
}
