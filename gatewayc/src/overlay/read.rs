//! What an overlay says.

use gateway_yaml::{Entry, FileId, Mapping, Node, Span, Spanned, suggest};

use crate::diagnostic::{Diagnostic, Diagnostics, GW121, GW122};
use crate::json_path::{self, Query};
use crate::source::{SourceSet, join, percent_decode};

/// A list of actions.
pub(super) struct Overlay {
    /// The version is 1.`minor`.
    pub(super) minor: u8,
    pub(super) actions: Vec<Action>,
}

/// One change, to everything that its target selects.
pub(super) struct Action {
    pub(super) target: Spanned<String>,
    pub(super) query: Query,
    pub(super) change: Change,
}

pub(super) enum Change {
    Remove,
    /// What is merged into what is selected.
    Update(Node),
    /// What in the document is merged into what is selected.
    Copy(Spanned<String>, Query),
}

const OVERLAY: &[&str] = &["overlay", "info", "extends", "actions"];
const INFO: &[&str] = &["title", "version", "description"];
const ACTION: &[&str] = &["target", "description", "update", "copy", "remove"];

/// Reads the overlay of a document; nothing where it cannot be applied in full, which has been reported.
pub(super) fn read(
    root: &Node,
    sources: &SourceSet<'_>,
    document: FileId,
    diagnostics: &mut Diagnostics,
) -> Option<Overlay> {
    let mut reader = Reader { sources, diagnostics, complete: true };
    let Some(mapping) = root.as_mapping() else {
        let headline = format!("this is not an overlay but {}", root.kind_name());
        reader.report(Diagnostic::error(GW121, headline).at(start(root), "should start with `overlay: 1.1.0`"));
        return None;
    };
    reader.known(mapping, "an overlay", OVERLAY);
    let minor = reader.version(root, mapping);
    reader.info(root, mapping);
    if let Some(extends) = mapping.get("extends") {
        reader.extends(extends, document);
    }
    let actions = reader.actions(root, mapping, minor.unwrap_or(1));
    (reader.complete && minor.is_some()).then_some(Overlay { minor: minor.unwrap_or(1), actions })
}

struct Reader<'r, 's> {
    sources: &'r SourceSet<'s>,
    diagnostics: &'r mut Diagnostics,
    complete: bool,
}

impl Reader<'_, '_> {
    fn report(&mut self, diagnostic: Diagnostic) {
        self.complete = false;
        self.diagnostics.push(diagnostic);
    }

    fn wrong(&mut self, span: Span, headline: impl Into<String>, label: impl Into<String>) {
        self.report(Diagnostic::error(GW121, headline).at(span, label));
    }

    fn known(&mut self, mapping: &Mapping, what: &str, keys: &[&str]) {
        for Entry { key, .. } in mapping {
            if is_known(&key.name, keys) {
                continue;
            }
            let near = suggest(&key.name, keys.iter().copied());
            let name: String = key.name.chars().take(60).collect();
            let mut diagnostic = Diagnostic::error(GW121, format!("unknown key `{name}` in {what}"))
                .at(key.span, "means nothing here")
                .did_you_mean(near);
            if near.is_none() {
                diagnostic = diagnostic.help(format!("expected one of {}", keys.join(", ")));
            }
            self.report(diagnostic);
        }
    }

    fn version(&mut self, root: &Node, mapping: &Mapping) -> Option<u8> {
        let Some(version) = mapping.get("overlay") else {
            let headline = "this is not an overlay: it does not say `overlay: 1.…`";
            let diagnostic = Diagnostic::error(GW121, headline).at(start(root), "`overlay` is missing");
            self.report(diagnostic.help("write `overlay: 1.1.0` at its top"));
            return None;
        };
        let text = version.as_text().unwrap_or_default();
        let is = |known: &&str| {
            let patch = text.strip_prefix(known).unwrap_or_default();
            !patch.is_empty() && patch.bytes().all(|byte| byte.is_ascii_digit())
        };
        let minor = ["1.0.", "1.1."].iter().position(is);
        if minor.is_none() {
            let headline = format!("`{text}` is not a version of overlays that is known here");
            self.wrong(version.span, headline, "expected 1.0.0 or 1.1.0");
        }
        minor.map(|minor| minor as u8)
    }

    fn info(&mut self, root: &Node, mapping: &Mapping) {
        let Some(info) = mapping.get("info") else {
            let diagnostic = Diagnostic::error(GW121, "the overlay has no `info`").at(start(root), "`info` is missing");
            self.report(diagnostic.help("write `info: {title: …, version: \"1\"}`"));
            return;
        };
        let Some(members) = info.as_mapping() else {
            self.wrong(info.span, format!("`info` is {}, not a mapping", info.kind_name()), "expected a mapping");
            return;
        };
        self.known(members, "the `info` of an overlay", INFO);
        for name in ["title", "version"] {
            match members.get(name) {
                Some(value) if value.as_text().is_some() => {}
                Some(value) => {
                    self.wrong(value.span, format!("`{name}` is {}, not text", value.kind_name()), "expected text");
                }
                None => {
                    let headline = format!("the `info` of the overlay has no `{name}`");
                    let diagnostic = Diagnostic::error(GW121, headline).at(start(info), format!("`{name}` is missing"));
                    self.report(diagnostic.help(format!("write `{name}: \"…\"`")));
                }
            }
        }
        self.description(members);
    }

    fn description(&mut self, members: &Mapping) {
        if let Some(value) = members.get("description").filter(|value| value.as_text().is_none()) {
            self.wrong(value.span, format!("`description` is {}, not text", value.kind_name()), "expected text");
        }
    }

    /// `extends` must name the document beside which the overlay stands.
    fn extends(&mut self, extends: &Node, document: FileId) {
        let document = self.sources.file(document);
        let Some(text) = extends.as_str() else {
            let headline = format!("`extends` is {}, not text", extends.kind_name());
            self.wrong(extends.span, headline, "expected the name of the document");
            return;
        };
        let own_uri = document.content().ok().and_then(|root| root.get("$self")).and_then(Node::as_str);
        let from = self.sources.file(extends.span.file).path();
        let path = percent_decode(text);
        let is_meant =
            own_uri == Some(text) || (!path.starts_with('/') && join(from, &path).as_deref() == Some(document.path()));
        if !is_meant {
            let name = document.path().rsplit('/').next().unwrap_or_default();
            let diagnostic =
                Diagnostic::error(GW121, format!("the overlay is for `{text}`, and stands beside `{name}`"))
                    .at(extends.span, format!("leads to another file than `{}`", document.display()));
            self.report(
                diagnostic.help(format!("write `extends: ./{name}`, or give the overlay the name of its document")),
            );
        }
    }

    fn actions(&mut self, root: &Node, mapping: &Mapping, minor: u8) -> Vec<Action> {
        let Some(actions) = mapping.get("actions") else {
            let diagnostic =
                Diagnostic::error(GW121, "the overlay has no `actions`").at(start(root), "`actions` is missing");
            self.report(diagnostic.help("write `actions: [{target: $, update: {…}}]`"));
            return Vec::new();
        };
        match actions.as_sequence() {
            Some([]) => {
                self.wrong(actions.span, "the overlay has no actions", "expected at least one");
                Vec::new()
            }
            Some(items) => items.iter().filter_map(|item| self.action(item, minor)).collect(),
            None => {
                let headline = format!("`actions` is {}, not a list", actions.kind_name());
                self.wrong(actions.span, headline, "expected a list");
                Vec::new()
            }
        }
    }

    fn action(&mut self, node: &Node, minor: u8) -> Option<Action> {
        let Some(mapping) = node.as_mapping() else {
            let headline = format!("an action is a mapping, and this is {}", node.kind_name());
            self.wrong(node.span, headline, "expected `target`, and `update` or `remove`");
            return None;
        };
        self.known(mapping, "an action of an overlay", ACTION);
        self.description(mapping);
        let Some(target) = mapping.get("target") else {
            let diagnostic =
                Diagnostic::error(GW121, "this action has no `target`").at(start(node), "`target` is missing");
            self.report(
                diagnostic.help("write `target: $` for the whole document, or `target: $.paths['/notes'].get`"),
            );
            return None;
        };
        let (target, query) = self.query(target, "target")?;
        let change = self.change(node, mapping, minor)?;
        Some(Action { target, query, change })
    }

    fn change(&mut self, node: &Node, mapping: &Mapping, minor: u8) -> Option<Change> {
        let remove = match mapping.get("remove") {
            Some(remove) => match remove.as_bool() {
                Some(value) => value,
                None => {
                    let headline = format!("`remove` is {}", remove.kind_name());
                    self.wrong(remove.span, headline, "expected true or false");
                    return None;
                }
            },
            None => false,
        };
        let (update, copy) = (mapping.entry("update"), mapping.entry("copy"));
        if let Some(copy) = copy.filter(|_| minor == 0) {
            let diagnostic =
                Diagnostic::error(GW121, "`copy` needs Overlay 1.1").at(copy.key.span, "means nothing in 1.0");
            self.report(diagnostic.help("write `overlay: 1.1.0` at the top of the overlay"));
            return None;
        }
        if remove {
            for idle in [update, copy].into_iter().flatten() {
                let headline = format!("`{}` has no effect beside `remove: true`", idle.key.name);
                self.idle(idle.key.span, headline, "remove one of them");
            }
            return Some(Change::Remove);
        }
        match (update, copy) {
            (Some(update), Some(copy)) => {
                let diagnostic = Diagnostic::error(GW121, "an action has `update` and `copy`")
                    .at(copy.key.span, "neither would have an effect")
                    .also(update.key.span, "beside this");
                self.report(diagnostic.help("make two actions of them"));
                None
            }
            (Some(update), None) => Some(Change::Update(update.value.clone())),
            (None, Some(copy)) => {
                let (source, query) = self.query(&copy.value, "copy")?;
                Some(Change::Copy(source, query))
            }
            // What was to be `update` may be called otherwise, which has been reported.
            (None, None) if !mapping.iter().all(|entry| is_known(&entry.key.name, ACTION)) => None,
            (None, None) => {
                self.idle(start(node), "this action changes nothing".into(), "has no `update` and no `remove: true`");
                None
            }
        }
    }

    fn idle(&mut self, span: Span, headline: String, label: &str) {
        let diagnostic = match self.sources.is_strict() {
            true => Diagnostic::error(GW122, headline),
            false => Diagnostic::warning(GW122, headline),
        };
        self.diagnostics.push(diagnostic.at(span, label));
    }

    fn query(&mut self, node: &Node, member: &str) -> Option<(Spanned<String>, Query)> {
        let Some(text) = node.as_str() else {
            let headline = format!("`{member}` is {}, not text", node.kind_name());
            let diagnostic = Diagnostic::error(GW121, headline).at(node.span, "expected a JSONPath");
            self.report(diagnostic.help("a JSONPath with `[`, `{`, `#` or `: ` in it may need quotes"));
            return None;
        };
        match json_path::parse(text) {
            Ok(query) => Some((Spanned::new(node.span, text.to_owned()), query)),
            Err(error) => {
                let file = self.sources.file(node.span.file).text();
                let shown: String = text.chars().take(80).collect();
                let headline = format!("the {member} `{shown}` is not a JSONPath (RFC 9535)");
                let span = place(node.span, node.span.slice(file), text, error.at);
                self.report(Diagnostic::error(GW121, headline).at(span, error.message));
                None
            }
        }
    }
}

/// Whether this is one of the keys, or an extension.
fn is_known(name: &str, keys: &[&str]) -> bool {
    keys.contains(&name) || name.starts_with("x-")
}

/// The place of a byte of a text, where the text stands in the file as it is.
fn place(span: Span, written: &str, text: &str, at: usize) -> Span {
    let Some(before) = written.find(text).filter(|_| !text.is_empty()) else { return span };
    let width = text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    let from = span.start + (before + at) as u32;
    Span::new(span.file, from, from + width as u32)
}

/// Where a message about something that is missing points.
fn start(node: &Node) -> Span {
    node.as_mapping().and_then(|mapping| mapping.entries().first()).map_or(node.span, |entry| entry.key.span)
}
