//! `gatewayc.yaml`: where the documents of a package are, what they are called, and what their references may reach.

use gateway_yaml::{Entry, FileId, Node, Spanned, suggest};

use crate::diagnostic::{Diagnostic, Diagnostics, GW130};
use crate::source::{SourceSet, is_overlay};

/// The file, at the root of a package.
pub const FILE: &str = "gatewayc.yaml";

/// Names that people give it, and that would be passed over.
pub(crate) const MISNAMED: [&str; 2] = ["gatewayc.yml", "gatewayc.json"];

/// What `gatewayc.yaml` says.
#[derive(Debug, Default)]
pub struct Project {
    /// The documents; [`None`] where the file does not list them, and those in `specs` are meant.
    pub documents: Option<Vec<Listed>>,
    /// What references may reach, relative to the folder of the file.
    pub root: Option<Spanned<String>>,
    /// Doubts about overlays are errors.
    pub strict: bool,
}

/// An entry of `documents`.
#[derive(Debug)]
pub struct Listed {
    /// A path relative to the folder of the file; `*` stands for any part of a name.
    pub pattern: Spanned<String>,
    /// What the document is called.
    pub name: Option<Spanned<String>>,
}

const KEYS: &[&str] = &["documents", "root", "strict"];
const DOCUMENT: &[&str] = &["file", "name"];

/// Reads `gatewayc.yaml`, which must have been added to the sources.
pub fn read(sources: &SourceSet<'_>, file: FileId) -> (Project, Diagnostics) {
    let mut reader = Reader { diagnostics: Diagnostics::new() };
    reader.diagnostics.extend(sources.file(file).errors().iter().map(crate::diagnostic::fault));
    let mut project = Project::default();
    let Ok(root) = sources.file(file).content() else { return (project, reader.diagnostics) };
    for Entry { key, value } in reader.members(root, "`gatewayc.yaml`", KEYS) {
        match &*key.name {
            "documents" => project.documents = Some(reader.documents(value)),
            "root" => project.root = reader.path(value, "`root`"),
            _ => match value.as_bool() {
                Some(strict) => project.strict = strict,
                None => reader.wrong(value, "`strict`", "expected true or false"),
            },
        }
    }
    (project, reader.diagnostics)
}

struct Reader {
    diagnostics: Diagnostics,
}

impl Reader {
    fn wrong(&mut self, node: &Node, what: &str, label: &str) {
        let headline = format!("{what} in `gatewayc.yaml` is {}", node.kind_name());
        self.diagnostics.push(Diagnostic::error(GW130, headline).at(node.span, label));
    }

    fn members<'n>(&mut self, node: &'n Node, what: &str, keys: &[&str]) -> Vec<&'n Entry> {
        let Some(mapping) = node.as_mapping() else {
            self.wrong(node, what, &format!("expected {}", keys.join(", ")));
            return Vec::new();
        };
        let mut members = Vec::new();
        for entry in mapping {
            if keys.contains(&&*entry.key.name) {
                members.push(entry);
                continue;
            }
            let name: String = entry.key.name.chars().take(60).collect();
            let near = suggest(&entry.key.name, keys.iter().copied());
            let diagnostic = Diagnostic::error(GW130, format!("unknown key `{name}` in {what}"))
                .at(entry.key.span, "means nothing here")
                .did_you_mean(near);
            self.diagnostics.push(match near {
                Some(_) => diagnostic,
                None => diagnostic.help(format!("it can be {}", keys.join(", "))),
            });
        }
        members
    }

    fn path(&mut self, node: &Node, what: &str) -> Option<Spanned<String>> {
        let Some(text) = node.as_str().filter(|text| !text.is_empty()) else {
            self.wrong(node, what, "expected a path, relative to this file");
            return None;
        };
        let harmless = !text.starts_with('/') && !text.contains(['\\', '\0']) && !text.contains(':');
        if !harmless {
            let headline = format!("{what} in `gatewayc.yaml` is not a relative path");
            let label = "expected a path from the folder of this file, with `/` between its parts";
            self.diagnostics.push(Diagnostic::error(GW130, headline).at(node.span, label));
            return None;
        }
        Some(Spanned::new(node.span, text.to_owned()))
    }

    fn documents(&mut self, node: &Node) -> Vec<Listed> {
        let Some(items) = node.as_sequence() else {
            self.wrong(node, "`documents`", "expected a list of files");
            return Vec::new();
        };
        if items.is_empty() {
            let diagnostic = Diagnostic::error(GW130, "`documents` in `gatewayc.yaml` lists nothing");
            self.diagnostics.push(diagnostic.at(node.span, "expected at least one file"));
        }
        items.iter().filter_map(|item| self.document(item)).collect()
    }

    fn document(&mut self, node: &Node) -> Option<Listed> {
        if node.as_mapping().is_none() {
            let pattern = self.pattern(node)?;
            return Some(Listed { pattern, name: None });
        }
        let (mut pattern, mut name, mut is_broken) = (None, None, false);
        for Entry { key, value } in self.members(node, "an entry of `documents`", DOCUMENT) {
            match (&*key.name, value.as_text().filter(|text| !text.trim().is_empty())) {
                ("file", _) => {
                    pattern = self.pattern(value);
                    is_broken = pattern.is_none();
                }
                (_, Some(text)) => name = Some(Spanned::new(value.span, text.to_owned())),
                (_, None) => self.wrong(value, "the name of a document", "expected text"),
            }
        }
        if pattern.is_none() && !is_broken {
            let diagnostic = Diagnostic::error(GW130, "an entry of `documents` has no `file`");
            self.diagnostics.push(diagnostic.at(node.span, "write `{file: billing/openapi.yaml, name: billing}`"));
        }
        let pattern = pattern?;
        if let Some(name) = name.as_ref().filter(|_| pattern.value.contains('*')) {
            let diagnostic = Diagnostic::error(GW130, "a `name` is for one document, and `*` may match several");
            self.diagnostics.push(diagnostic.at(name.span, "the part that `*` matches is the name"));
            return None;
        }
        Some(Listed { pattern, name })
    }

    fn pattern(&mut self, node: &Node) -> Option<Spanned<String>> {
        let pattern = self.path(node, "an entry of `documents`")?;
        let problem = if pattern.value.contains("**") {
            "`**` is not known: write `*` for each folder"
        } else if pattern.value.contains(['?', '[', ']', '{', '}']) {
            "of patterns only `*` is known, for any part of a name"
        } else if pattern.value.split('/').any(|part| part.matches('*').count() > 2) {
            "a name has at most two `*`"
        } else if is_overlay(&pattern.value) {
            "an overlay is found beside its document: name the document"
        } else {
            return Some(pattern);
        };
        let headline = format!("`{}` in `gatewayc.yaml` cannot be a document", pattern.value);
        self.diagnostics.push(Diagnostic::error(GW130, headline).at(pattern.span, problem));
        None
    }
}

/// What each `*` of a pattern stands for in a name; [`None`] where it does not match.
#[must_use]
pub fn captures(pattern: &str, name: &str) -> Option<Vec<String>> {
    let Some((before, pattern)) = pattern.split_once('*') else { return (pattern == name).then(Vec::new) };
    let rest = name.strip_prefix(before)?;
    // As little as possible for each but the last.
    let ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    let mut ends = ends.filter(|end| *end > 0);
    if !pattern.contains('*') {
        let captured = rest.strip_suffix(pattern)?;
        return (!captured.is_empty()).then(|| vec![captured.to_owned()]);
    }
    ends.find_map(|end| {
        let mut captured = captures(pattern, &rest[end..])?;
        captured.insert(0, rest[..end].to_owned());
        Some(captured)
    })
}

#[cfg(test)]
mod tests {
    use super::captures;

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("*", "billing", Some("billing")),
            ("*.yaml", "a.b.yaml", Some("a.b")),
            ("*.yaml", ".yaml", None),
            ("api-*-v1.yaml", "api-notes-v1.yaml", Some("notes")),
            ("*-*.yaml", "a-b-c.yaml", Some("a b-c")),
            ("a.yaml", "a.yaml", Some("")),
            ("a.yaml", "b.yaml", None),
            ("*.json", "a.yaml", None),
        ] {
            let found = captures(pattern, name).map(|captured| captured.join(" "));
            assert_eq!(found.as_deref(), expected, "{pattern} {name}");
        }
    }
}
