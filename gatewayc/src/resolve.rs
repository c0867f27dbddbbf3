//! `$ref`: local, into other files below the specs root, through sections that are references themselves.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use gateway_yaml::{Entry, FileId, Mapping, Node, Span, Value, suggest};

use crate::diagnostic::{Diagnostic, Diagnostics, GW112, GW114, GW115, GW116, GW117, GW120, fault};
use crate::overlay;
use crate::source::{ReadError, SourceSet, join, percent_decode};

/// References that one reference may lead through.
const MAX_HOPS: usize = 16;
/// References that are followed to find one value, counting those inside pointers.
const MAX_STEPS: usize = 1024;

/// Follows references and reports those that cannot be followed.
pub(crate) struct Resolver<'s, 'p> {
    pub(crate) sources: &'s mut SourceSet<'p>,
    pub(crate) diagnostics: Diagnostics,
    /// Files whose faults have been reported.
    reported: HashSet<FileId>,
    /// Files whose overlays have been applied, and whether all of them could be.
    prepared: HashMap<FileId, bool>,
}

/// One search: the references it has gone through.
#[derive(Default)]
struct Trail {
    chain: Vec<(FileId, String)>,
    steps: usize,
}

/// What happens to keys beside a `$ref`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Siblings {
    /// OpenAPI ignores them.
    Ignored,
    /// They add to what the reference brings: path items and operations.
    Added,
}

impl<'s, 'p> Resolver<'s, 'p> {
    pub(crate) fn new(sources: &'s mut SourceSet<'p>) -> Self {
        Self { sources, diagnostics: Diagnostics::new(), reported: HashSet::new(), prepared: HashMap::new() }
    }

    /// The value itself, or what its `$ref` leads to. [`None`] has been reported.
    pub(crate) fn follow(&mut self, node: &Node) -> Option<Node> {
        self.search(node, Siblings::Ignored, &mut Trail::default())
    }

    /// As [`Resolver::follow`], and keys beside the `$ref` add to what it leads to.
    pub(crate) fn follow_adding(&mut self, node: &Node) -> Option<Node> {
        self.search(node, Siblings::Added, &mut Trail::default())
    }

    /// The value of a key, with references followed.
    pub(crate) fn get(&mut self, node: &Node, key: &str) -> Option<Node> {
        let value = node.get(key)?;
        self.follow(value)
    }

    /// What a reference leads to, which may be a reference itself, with its file and its fragment. [`None`] has been
    /// reported.
    pub(crate) fn reach(&mut self, text: &str, span: Span) -> Option<(FileId, String, Node)> {
        let (file, pointer) = self.target(text, span)?;
        let node = self.walk(file, &pointer, text, span, &mut Trail::default())?;
        Some((file, pointer, node))
    }

    fn search(&mut self, node: &Node, siblings: Siblings, trail: &mut Trail) -> Option<Node> {
        let Some(reference) = node.get("$ref") else { return Some(node.clone()) };
        let Some(text) = reference.as_str() else {
            let headline = format!("a `$ref` is text, and this is {}", reference.kind_name());
            self.diagnostics.push(Diagnostic::error(GW114, headline).at(reference.span, "not text"));
            return None;
        };
        let (file, pointer) = self.target(text, reference.span)?;
        let place = (file, pointer);
        trail.steps += 1;
        if trail.chain.contains(&place) {
            let diagnostic = Diagnostic::error(GW117, format!("the reference `{text}` leads back to itself"));
            self.diagnostics.push(diagnostic.at(reference.span, "goes round in a circle"));
            return None;
        }
        if trail.chain.len() >= MAX_HOPS || trail.steps > MAX_STEPS {
            let diagnostic = Diagnostic::error(GW112, "this reference leads through too many others");
            self.diagnostics.push(diagnostic.at(reference.span, "given up here"));
            return None;
        }
        trail.chain.push(place.clone());
        let target = self.walk(file, &place.1, text, reference.span, trail)?;
        let found = self.search(&target, siblings, trail)?;
        Some(match siblings {
            Siblings::Ignored => found,
            Siblings::Added => self.add_siblings(node, found),
        })
    }

    /// The file and the (still percent-encoded) fragment that a reference names.
    fn target(&mut self, text: &str, span: Span) -> Option<(FileId, String)> {
        let (path, fragment) = text.split_once('#').unwrap_or((text, ""));
        if path.is_empty() {
            return Some((self.sources.home(span.file), fragment.to_owned()));
        }
        if let Some(file) = self.file_called(path) {
            return Some((file, fragment.to_owned()));
        }
        let scheme = path.split_once(':').map(|(scheme, _)| scheme);
        let is_scheme =
            |scheme: &str| scheme.len() > 1 && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
        if scheme.is_some_and(is_scheme) || path.starts_with("//") {
            let headline = format!("the reference `{text}` leads out of the specs directory");
            let diagnostic = Diagnostic::error(GW116, headline).at(span, "only files are read, nothing is fetched");
            self.diagnostics
                .push(diagnostic.help("copy the file into the specs directory and refer to it by its relative path"));
            return None;
        }
        let from = self.sources.file(span.file).path().to_owned();
        let joined = (!path.starts_with('/')).then(|| join(&from, &percent_decode(path))).flatten();
        let Some(joined) = joined else {
            let headline = format!("the reference `{text}` leads out of the specs directory");
            let diagnostic = Diagnostic::error(GW116, headline).at(span, "outside of the specs directory");
            self.diagnostics.push(
                diagnostic.help("move the file into the specs directory, or name a higher directory as its root"),
            );
            return None;
        };
        let file = self.sources.open(&joined);
        if !self.prepare(file) {
            return None;
        }
        match self.sources.file(file).content() {
            Ok(_) => Some((file, fragment.to_owned())),
            Err(error) => {
                let outside = *error == ReadError::Outside;
                let headline = format!("the reference `{text}` leads to a file that cannot be read: {error}");
                // Where the file has faults of its own, they have been reported, and once is enough.
                if self.sources.file(file).errors().is_empty() {
                    let diagnostic = Diagnostic::error(if outside { GW116 } else { GW115 }, headline);
                    self.diagnostics.push(diagnostic.at(span, format!("looked for `{joined}`")));
                }
                None
            }
        }
    }

    /// The file whose `$self` (OpenAPI 3.2) is this URI.
    fn file_called(&self, uri: &str) -> Option<FileId> {
        let is_called = |file: &crate::source::SourceFile| {
            file.content().ok().and_then(|root| root.get("$self")).and_then(Node::as_str) == Some(uri)
        };
        self.sources.files().position(is_called).map(|at| FileId(at as u32))
    }

    fn walk(&mut self, file: FileId, fragment: &str, text: &str, span: Span, trail: &mut Trail) -> Option<Node> {
        let mut node = self.sources.file(file).content().ok()?.clone();
        if fragment.is_empty() {
            return Some(node);
        }
        let Some(tokens) = fragment.strip_prefix('/') else {
            let headline = format!("the reference `{text}` leads nowhere");
            let diagnostic = Diagnostic::error(GW115, headline).at(span, "not a JSON pointer");
            self.diagnostics
                .push(diagnostic.help("write the way from the root of the file, such as `#/components/parameters/id`"));
            return None;
        };
        for token in tokens.split('/') {
            let decoded = percent_decode(token);
            let next = step(&node, &decoded).or_else(|| step(&node, token));
            node = match next {
                Some(next) => next,
                None if node.get("$ref").is_some() => {
                    let depth = trail.chain.len();
                    let section = self.search(&node, Siblings::Added, trail)?;
                    // This way is complete; only a chain of references can be a circle.
                    trail.chain.truncate(depth);
                    match step(&section, &decoded).or_else(|| step(&section, token)) {
                        Some(next) => next,
                        None => return self.leads_nowhere(&section, &decoded, text, span),
                    }
                }
                None => return self.leads_nowhere(&node, &decoded, text, span),
            };
        }
        Some(node)
    }

    fn leads_nowhere(&mut self, parent: &Node, token: &str, text: &str, span: Span) -> Option<Node> {
        let token = unescape(token);
        let names = parent.as_mapping().into_iter().flatten().map(|entry| &*entry.key.name);
        let near = suggest(&token, names);
        let diagnostic = Diagnostic::error(GW115, format!("the reference `{text}` leads nowhere"));
        self.diagnostics.push(diagnostic.at(span, format!("there is no `{token}`")).did_you_mean(near));
        None
    }

    fn add_siblings(&mut self, node: &Node, target: Node) -> Node {
        let (Some(beside), Some(behind)) = (node.as_mapping(), target.as_mapping()) else { return target };
        if beside.len() == 1 {
            return target;
        }
        let mut entries: Vec<Entry> = beside.iter().filter(|entry| &*entry.key.name != "$ref").cloned().collect();
        for entry in behind {
            match beside.entry(&entry.key.name) {
                None => entries.push(entry.clone()),
                Some(_) if matches!(&*entry.key.name, "summary" | "description") => {}
                Some(first) => {
                    let headline = format!("`{}` stands both beside a `$ref` and behind it", first.key.name);
                    let diagnostic = Diagnostic::error(GW120, headline)
                        .at(first.key.span, "beside the `$ref`")
                        .also(entry.key.span, "and behind it")
                        .help("OpenAPI leaves open which of them holds: remove one");
                    self.diagnostics.push(diagnostic);
                }
            }
        }
        Node { span: target.span, value: Value::Mapping(Arc::new(Mapping::new(entries))) }
    }

    /// Applies the overlays of a file and reports what is wrong with it and with them, once. Whether it can be used: without
    /// an overlay that cannot be read, a document says something else.
    pub(crate) fn prepare(&mut self, file: FileId) -> bool {
        if let Some(&usable) = self.prepared.get(&file) {
            return usable;
        }
        self.report_faults(file);
        let overlays = match overlay::beside(self.sources, file) {
            Ok(overlays) => overlays,
            Err(problem) => {
                self.diagnostics.push(*problem);
                Vec::new()
            }
        };
        for overlay in &overlays {
            self.report_faults(*overlay);
        }
        let usable = overlay::apply(self.sources, file, &overlays, &mut self.diagnostics);
        self.prepared.insert(file, usable);
        usable
    }

    /// Reports overlays for which there is no document.
    pub(crate) fn report_strays(&mut self) {
        for file in self.sources.strays().to_vec() {
            self.report_faults(file);
            self.diagnostics.push(overlay::stray(self.sources, file));
        }
    }

    /// Reports what the loader found in a file, once.
    pub(crate) fn report_faults(&mut self, file: FileId) {
        if self.reported.insert(file) {
            let faults: Vec<Diagnostic> = self.sources.file(file).errors().iter().map(fault).collect();
            self.diagnostics.extend(faults);
        }
    }
}

fn step(node: &Node, token: &str) -> Option<Node> {
    node.step(&unescape(token)).cloned()
}

/// Undoes the escapes of one token of a JSON pointer (RFC 6901 §4).
fn unescape(token: &str) -> Cow<'_, str> {
    if token.contains('~') { token.replace("~1", "/").replace("~0", "~").into() } else { token.into() }
}
