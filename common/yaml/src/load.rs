//! Parser events into the tree: the only file that knows the parser.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use granit_parser::{Event, Options, Parser, ScalarStyle, StructureStyle, Tag};

use crate::{Entry, ErrorKind, FileId, Key, LoadError, Mapping, Node, Span, Value, scalar};

/// How deep lists and mappings may nest, aliases included, so that it is safe to walk the tree recursively.
pub const MAX_DEPTH: u32 = 200;
/// How many values all aliases and merges of a file may stand for. Real documents stay far below; a "billion laughs"
/// file passes it within a few lines.
const MAX_ALIASED: u64 = 200_000;
/// Faults of one file that are reported; a file with more than these is not a file with mistakes but another format.
const MAX_ERRORS: usize = 100;

/// What could be made of a file.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The tree, unless the file is neither YAML nor JSON or goes beyond a limit. With other faults it is complete but
    /// not to be trusted: of two equal keys both are kept.
    pub node: Option<Node>,
    /// All faults.
    pub errors: Vec<LoadError>,
}

/// Loads a file that must be without fault. An empty file is [`Value::Null`].
///
/// # Errors
/// The first fault.
pub fn load(file: FileId, text: &str) -> Result<Node, LoadError> {
    let loaded = load_all(file, text);
    match (loaded.node, loaded.errors.into_iter().next()) {
        (Some(node), None) => Ok(node),
        (_, Some(error)) => Err(error),
        (None, None) => Ok(null(Span::new(file, 0, 0))),
    }
}

/// Loads what can be loaded, with everything that is wrong.
#[must_use]
pub fn load_all(file: FileId, text: &str) -> Loaded {
    load_with(file, text, None)
}

/// As [`load_all`], for files with a list too long for a tree: each item of the list under the root's key `list` is
/// handed over as soon as it is read, and kept nowhere. The list in the tree is empty.
pub fn load_each(file: FileId, text: &str, list: &str, mut item: impl FnMut(Node)) -> Loaded {
    load_with(file, text, Some(Taker { list, item: &mut item }))
}

/// Takes items away.
struct Taker<'a> {
    list: &'a str,
    item: &'a mut dyn FnMut(Node),
}

fn load_with<'a>(file: FileId, text: &'a str, taker: Option<Taker<'a>>) -> Loaded {
    let Ok(length) = u32::try_from(text.len()) else {
        let span = Span::new(file, 0, 0);
        let error = fault(span, ErrorKind::Limit, "the file is larger than 4 GiB", "");
        return Loaded { node: None, errors: vec![error] };
    };
    // The parser would count a byte order mark as content of the first line.
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let base = length - body.len() as u32;
    let Cleaned { text: body, controls, stand_ins } = without_controls(body);
    let mut builder = Builder {
        file,
        base,
        end: length,
        text,
        controls: controls.into_iter().map(|(at, control)| (base + at, control)).collect(),
        stand_ins,
        open: Vec::new(),
        anchors: HashMap::new(),
        aliased: 0,
        errors: Vec::new(),
        root: None,
        taker,
    };
    let result = builder.run(&body);
    for (at, control) in std::mem::take(&mut builder.controls) {
        let span = Span::new(file, at, at + control.len_utf8() as u32);
        let message = format!("the control character U+{:04X} cannot stand in a file", u32::from(control));
        let error = fault(span, ErrorKind::Syntax, message, "invisible");
        builder
            .report(LoadError { help: Some("remove it, or write it as an escape in double quotes".into()), ..error });
    }
    let node = match result {
        Ok(()) => Some(builder.root.unwrap_or_else(|| null(Span::new(file, base, base)))),
        Err(error) => {
            builder.errors.push(explain(*error, text));
            None
        }
    };
    Loaded { node, errors: builder.errors }
}

/// A text that the parser accepts.
struct Cleaned<'t> {
    text: Cow<'t, str>,
    /// Characters that YAML forbids outside of quotes, and where they are.
    controls: Vec<(u32, char)>,
    /// Stand-ins for characters that are allowed in quotes: `(stand-in, character)`.
    stand_ins: Vec<(char, char)>,
}

/// The text with characters that YAML forbids (§5.1) replaced by others of the same length: one such character in a
/// description must not cost the whole document. In quotes, YAML allows all that JSON does (`nb-json`), so those
/// characters get stand-ins that the text does not have, and come back when the quoted text is read.
fn without_controls(text: &str) -> Cleaned<'_> {
    let is_forbidden = |c: char| {
        matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}')
            || matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    // In UTF-8 each of them has one of these bytes, which hardly any document has.
    let suspicious = |byte: u8| matches!(byte, 0..=8 | 0xb | 0xc | 0xe..=0x1f | 0x7f | 0xc2 | 0xef);
    // Block by block without a way out in the middle, which the compiler makes many bytes at a time of.
    let any_suspicious = |block: &[u8]| block.iter().fold(false, |found, &byte| found | suspicious(byte));
    if !text.as_bytes().chunks(4096).any(any_suspicious) {
        return Cleaned { text: text.into(), controls: Vec::new(), stand_ins: Vec::new() };
    }
    let controls: Vec<_> =
        text.char_indices().filter(|&(_, c)| is_forbidden(c)).map(|(at, c)| (at as u32, c)).collect();
    if controls.is_empty() {
        return Cleaned { text: text.into(), controls, stand_ins: Vec::new() };
    }
    let mut stand_ins: Vec<(char, char)> = Vec::new();
    let mut allowed: Vec<char> = controls.iter().map(|&(_, c)| c).filter(|c| c.len_utf8() > 1).collect();
    allowed.sort_unstable();
    allowed.dedup();
    for control in allowed {
        // Letters of scripts that few documents use, and characters for private use.
        let candidates = if control.len_utf8() == 2 { '\u{530}'..='\u{7ff}' } else { '\u{e000}'..='\u{f8ff}' };
        let is_free = |c: &char| !text.contains(*c) && !stand_ins.iter().any(|(taken, _)| taken == c);
        if let Some(stand_in) = candidates.into_iter().filter(|c| c.is_alphabetic() || *c >= '\u{e000}').find(is_free) {
            stand_ins.push((stand_in, control));
        }
    }
    let of_same_length = |c: char| match c.len_utf8() {
        _ if !is_forbidden(c) => c,
        1 => ' ',
        length => match stand_ins.iter().find(|(_, control)| *control == c) {
            Some((stand_in, _)) => *stand_in,
            None if length == 2 => '\u{a0}',
            None => '\u{fffd}',
        },
    };
    Cleaned { text: text.chars().map(of_same_length).collect::<String>().into(), controls, stand_ins }
}

type Fatal = Box<LoadError>;

struct Builder<'a> {
    file: FileId,
    /// Where the parser's offset 0 is.
    base: u32,
    /// Where the file ends.
    end: u32,
    /// The whole file.
    text: &'a str,
    /// Control characters that have not been met in quotes, and where they are.
    controls: Vec<(u32, char)>,
    stand_ins: Vec<(char, char)>,
    open: Vec<Open>,
    anchors: HashMap<usize, Built>,
    aliased: u64,
    errors: Vec<LoadError>,
    root: Option<Node>,
    taker: Option<Taker<'a>>,
}

/// A finished value with what the limits need to know about it.
#[derive(Clone)]
struct Built {
    node: Node,
    /// Levels of nesting below and including this value.
    height: u32,
    /// Values in this value, itself included.
    size: u64,
}

/// A list or mapping whose end has not come yet.
struct Open {
    content: Content,
    anchor: usize,
    start: u32,
    flow: bool,
    /// Where the last child ends; the parser places the end of a block at the next token.
    last: u32,
    height: u32,
    size: u64,
}

enum Content {
    Sequence(Vec<Node>),
    Mapping { entries: Vec<Entry>, key: Option<PendingKey>, merges: Vec<Node>, merge_key: Option<Key> },
}

impl Open {
    /// Whether this is a mapping whose value under `name` is being read.
    fn holds(&self, name: &str) -> bool {
        matches!(&self.content, Content::Mapping { key: Some(pending), .. } if &*pending.key.name == name)
    }
}

struct PendingKey {
    key: Key,
    merge: bool,
}

impl Builder<'_> {
    fn run(&mut self, body: &str) -> Result<(), Fatal> {
        let mut options = Options::default();
        options.emit_comments = false;
        // Keys of JSON objects may be long; the default is 1024 characters.
        options.simple_key_max_lookahead = 1 << 16;
        options.flow_nesting_limit = MAX_DEPTH as usize;
        options.block_nesting_limit = MAX_DEPTH as usize;
        let mut documents = 0;
        for event in Parser::new_from_str_with_options(body, options) {
            let (event, span) = event.map_err(|error| self.syntax(&error))?;
            let start = self.offset(&span.start);
            let span = Span::new(self.file, start, self.offset(&span.end).max(start));
            match event {
                Event::DocumentStart(..) => documents += 1,
                // A `---` at the end of the file opens a document with nothing in it.
                Event::Scalar(_, ScalarStyle::Plain, ..)
                    if documents > 1 && span.start == span.end && self.open.is_empty() => {}
                Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..) | Event::Alias(_)
                    if documents > 1 =>
                {
                    let message = "the file holds more than one YAML document";
                    let error = fault(span, ErrorKind::ManyDocuments, message, "a second document starts here");
                    self.errors
                        .push(LoadError { help: Some("put each document into a file of its own".into()), ..error });
                    return Ok(());
                }
                Event::Scalar(text, style, anchor, tag) => self.scalar(span, text, style, anchor, tag.as_deref())?,
                Event::SequenceStart(style, anchor, tag) => {
                    self.check_tag(span, tag.as_deref(), "seq");
                    self.start(span, Content::Sequence(Vec::new()), style, anchor)?;
                }
                Event::MappingStart(style, anchor, tag) => {
                    self.check_tag(span, tag.as_deref(), "map");
                    let content =
                        Content::Mapping { entries: Vec::new(), key: None, merges: Vec::new(), merge_key: None };
                    self.start(span, content, style, anchor)?;
                }
                Event::SequenceEnd | Event::MappingEnd => self.finish(span)?,
                Event::Alias(anchor) => self.alias(span, anchor)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn offset(&self, marker: &granit_parser::Marker) -> u32 {
        let offset = marker.byte_offset().unwrap_or_else(|| marker.index());
        (self.base + offset as u32).min(self.end)
    }

    fn syntax(&self, error: &granit_parser::ScanError) -> Fatal {
        let at = self.offset(error.marker());
        let span = Span::new(self.file, at, at);
        if matches!(error.kind(), granit_parser::ErrorKind::RecursionLimitExceeded) {
            return too_deep(span);
        }
        Box::new(fault(span, ErrorKind::Syntax, format!("this is not valid YAML: {}", error.info()), ""))
    }

    fn scalar(
        &mut self,
        span: Span,
        text: Cow<'_, str>,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
    ) -> Result<(), Fatal> {
        let plain = style == ScalarStyle::Plain;
        // The parser writes `~` for a value that is absent.
        let text = if plain && span.start == span.end { Cow::Borrowed("") } else { text };
        let quoted = matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted);
        let text = if quoted && !self.controls.is_empty() { self.with_controls(span, text) } else { text };
        let span = if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) { self.block(span) } else { span };
        if self.wants_key() {
            let merge = plain && text == "<<" && tag.is_none_or(|tag| is_yaml_tag(tag, "merge"));
            let key = Key { span, name: text.into() };
            if anchor != 0 {
                let node = Node { span, value: Value::String(key.name.clone()) };
                self.anchors.insert(anchor, Built { node, height: 0, size: 1 });
            }
            self.set_key(PendingKey { key, merge });
            return Ok(());
        }
        let value = match tag {
            None if plain => scalar::plain(&text),
            None => Value::String(text.into()),
            Some(tag) => self.tagged(span, text, plain, tag),
        };
        // An absent value has no place of its own; the place behind its key says more than the next token.
        let span = if span.start == span.end { self.absent(span) } else { span };
        self.add(Built { node: Node { span, value }, height: 0, size: 1 }, anchor)
    }

    /// A quoted text with the characters that had stand-ins.
    fn with_controls<'t>(&mut self, span: Span, text: Cow<'t, str>) -> Cow<'t, str> {
        let from = self.controls.partition_point(|&(at, _)| at < span.start);
        let to = self.controls.partition_point(|&(at, _)| at < span.end);
        let stand_ins = &self.stand_ins;
        let came_back = |control: char| stand_ins.iter().any(|&(_, original)| original == control);
        if !self.controls[from..to].iter().any(|&(_, control)| came_back(control)) {
            return text;
        }
        let kept: Vec<_> = self.controls.drain(from..to).filter(|&(_, control)| !came_back(control)).collect();
        self.controls.splice(from..from, kept);
        let original =
            |c: char| stand_ins.iter().find(|(stand_in, _)| *stand_in == c).map_or(c, |&(_, control)| control);
        text.chars().map(original).collect::<String>().into()
    }

    /// A block of text ends with its last line; the parser places its end at the next token.
    fn block(&self, span: Span) -> Span {
        let text = span.slice(self.text).trim_end();
        Span::new(span.file, span.start, span.start + text.len() as u32)
    }

    fn absent(&self, span: Span) -> Span {
        match self.open.last().map(|open| &open.content) {
            Some(Content::Mapping { key: Some(pending), .. }) => pending.key.span,
            _ => span,
        }
    }

    fn tagged(&mut self, span: Span, text: Cow<'_, str>, plain: bool, tag: &Tag) -> Value {
        let untagged = if plain { scalar::plain(&text) } else { Value::String(text.as_ref().into()) };
        let resolved = scalar::plain(&text);
        let fits = match tag.core_suffix() {
            Some("str") => return Value::String(text.into()),
            Some("null") => matches!(resolved, Value::Null),
            Some("bool") => matches!(resolved, Value::Bool(_)),
            Some("int") => matches!(&resolved, Value::Number(number) if number.is_integer()),
            Some("float") => matches!(resolved, Value::Number(_)),
            Some(_) => false,
            // `!` alone is YAML's way to say "as it stands"; `!!binary` and `!!timestamp` are text in JSON.
            None if tag.original() == "!" => return Value::String(text.into()),
            None if ["binary", "timestamp"].iter().any(|known| is_yaml_tag(tag, known)) => {
                return Value::String(text.into());
            }
            None => {
                self.unknown_tag(span, tag);
                return untagged;
            }
        };
        if fits {
            return resolved;
        }
        let message = format!("the tag `{}` contradicts the value", tag.original());
        self.report(fault(span, ErrorKind::Tag, message, "the value is not of this type"));
        untagged
    }

    fn check_tag(&mut self, span: Span, tag: Option<&Tag>, wanted: &str) {
        let Some(tag) = tag else { return };
        let known = tag.core_suffix() == Some(wanted)
            || tag.original() == "!"
            || (wanted == "map" && ["set", "omap"].iter().any(|known| is_yaml_tag(tag, known)))
            || (wanted == "seq" && ["omap", "pairs"].iter().any(|known| is_yaml_tag(tag, known)));
        if !known {
            self.unknown_tag(Span::new(span.file, span.start, span.start), tag);
        }
    }

    fn unknown_tag(&mut self, span: Span, tag: &Tag) {
        let message = format!("the tag `{}` means nothing here", tag.original());
        let error = fault(span, ErrorKind::Tag, message, "tagged");
        self.report(LoadError {
            help: Some("write the plain value: there is no template engine behind this file".into()),
            ..error
        });
    }

    fn start(&mut self, span: Span, content: Content, style: StructureStyle, anchor: usize) -> Result<(), Fatal> {
        if self.wants_key() {
            return Err(complex_key(span));
        }
        if self.open.len() as u32 >= MAX_DEPTH {
            return Err(too_deep(first_byte(span)));
        }
        let flow = style == StructureStyle::Flow;
        let last = if flow { span.end } else { span.start };
        self.open.push(Open { content, anchor, start: span.start, flow, last, height: 0, size: 1 });
        Ok(())
    }

    fn finish(&mut self, end: Span) -> Result<(), Fatal> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let end = if open.flow { end.end } else { open.last };
        let span = Span::new(self.file, open.start, end.max(open.start));
        let value = match open.content {
            Content::Sequence(items) => Value::Sequence(Arc::new(items)),
            Content::Mapping { entries, merges, .. } => {
                let mapping = Mapping::new(entries);
                self.report_duplicates(&mapping);
                Value::Mapping(Arc::new(if merges.is_empty() { mapping } else { merge(&mapping, &merges) }))
            }
        };
        self.add(Built { node: Node { span, value }, height: open.height + 1, size: open.size }, open.anchor)
    }

    fn alias(&mut self, span: Span, anchor: usize) -> Result<(), Fatal> {
        let Some(target) = self.anchors.get(&anchor).cloned() else {
            let message = "this alias refers to the value that it stands in";
            return Err(Box::new(fault(span, ErrorKind::Limit, message, "would repeat for ever")));
        };
        if self.wants_key() {
            let Some(name) = target.node.as_text() else { return Err(complex_key(span)) };
            self.set_key(PendingKey { key: Key { span, name: name.into() }, merge: false });
            return Ok(());
        }
        self.aliased += target.size;
        if self.aliased > MAX_ALIASED {
            let message = format!("the aliases of this file stand for more than {MAX_ALIASED} values");
            return Err(Box::new(fault(span, ErrorKind::Limit, message, "one alias too many")));
        }
        if self.open.len() as u32 + target.height > MAX_DEPTH {
            return Err(too_deep(span));
        }
        let end = span.end;
        self.add(target, 0)?;
        if let Some(parent) = self.open.last_mut() {
            parent.last = end;
        }
        Ok(())
    }

    /// Puts a finished value into the list or mapping that is open.
    fn add(&mut self, built: Built, anchor: usize) -> Result<(), Fatal> {
        if anchor != 0 {
            self.anchors.insert(anchor, built.clone());
        }
        if let Some(taker) = &mut self.taker
            && let [root, Open { content: Content::Sequence(_), .. }] = &self.open[..]
            && root.holds(taker.list)
        {
            if let Some(list) = self.open.last_mut() {
                list.last = list.last.max(built.node.span.end);
            }
            (taker.item)(built.node);
            return Ok(());
        }
        let Some(parent) = self.open.last_mut() else {
            self.root.get_or_insert(built.node);
            return Ok(());
        };
        parent.height = parent.height.max(built.height);
        parent.size += built.size;
        parent.last = parent.last.max(built.node.span.end);
        match &mut parent.content {
            Content::Sequence(items) => items.push(built.node),
            Content::Mapping { entries, key, merges, merge_key } => match key.take() {
                Some(PendingKey { merge: false, key }) => entries.push(Entry { key, value: built.node }),
                Some(PendingKey { key, .. }) => {
                    collect_merge(merges, &key, built.node)?;
                    // Some parsers let the first of two `<<` win, and some the last.
                    match merge_key {
                        None => *merge_key = Some(key),
                        Some(first) => {
                            let error = duplicate(first, &key);
                            self.report(error);
                        }
                    }
                }
                None => return Err(complex_key(built.node.span)),
            },
        }
        Ok(())
    }

    fn wants_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { content: Content::Mapping { key: None, .. }, .. }))
    }

    fn set_key(&mut self, pending: PendingKey) {
        if let Some(Open { content: Content::Mapping { key, .. }, last, .. }) = self.open.last_mut() {
            *last = pending.key.span.end;
            *key = Some(pending);
        }
    }

    fn report_duplicates(&mut self, mapping: &Mapping) {
        for (first, again) in mapping.duplicates() {
            self.report(duplicate(first, again));
        }
    }

    fn report(&mut self, error: LoadError) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(error);
        }
    }
}

fn collect_merge(merges: &mut Vec<Node>, key: &Key, value: Node) -> Result<(), Fatal> {
    match &value.value {
        Value::Mapping(_) => merges.push(value),
        Value::Sequence(items) if items.iter().all(|item| item.as_mapping().is_some()) => {
            merges.extend(items.iter().cloned());
        }
        _ => {
            let message = format!("`<<` merges a mapping or a list of mappings, and this is {}", value.kind_name());
            return Err(Box::new(fault(key.span, ErrorKind::Key, message, "nothing to merge")));
        }
    }
    Ok(())
}

/// Adds what `<<` brings: a key that stands here wins, then the earlier of the merged mappings.
fn merge(mapping: &Mapping, merges: &[Node]) -> Mapping {
    let mut entries: Vec<Entry> = mapping.iter().cloned().collect();
    let mut known: HashSet<&str> = mapping.iter().map(|entry| &*entry.key.name).collect();
    for entry in merges.iter().filter_map(Node::as_mapping).flatten() {
        if known.insert(&entry.key.name) {
            entries.push(entry.clone());
        }
    }
    Mapping::new(entries)
}

fn duplicate(first: &Key, second: &Key) -> LoadError {
    LoadError {
        also: Some((first.span, "first here".into())),
        help: Some("remove one of them, or merge them".into()),
        ..fault(
            second.span,
            ErrorKind::DuplicateKey,
            format!("the key `{}` stands twice in one mapping", second.name),
            "again here",
        )
    }
}

fn too_deep(span: Span) -> Fatal {
    let message = format!("lists and mappings nest deeper than {MAX_DEPTH} levels");
    Box::new(fault(span, ErrorKind::Limit, message, "one level too many"))
}

fn complex_key(span: Span) -> Fatal {
    let message = "a key must be text, not a list or a mapping";
    let error = fault(first_byte(span), ErrorKind::Key, message, "not text");
    Box::new(LoadError { help: Some("a value that starts with `{` or `[` must be quoted to be text".into()), ..error })
}

/// Says what to write where the parser's message speaks of something else than the mistake.
fn explain(mut error: LoadError, text: &str) -> LoadError {
    let at = floor(text, error.span.start as usize);
    let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let indentation = line.len() - line.trim_start_matches([' ', '\t']).len();
    if error.kind != ErrorKind::Syntax {
        return error;
    }
    // A text that goes on in a line with a tab was to end before it, and what follows such a line is not at fault.
    let lines = [line_start, before(text, line_start), after(text, at)];
    if let Some(tab) =
        lines.into_iter().filter(|&start| start <= text.len()).find_map(|start| tab_in_indentation(text, start))
    {
        if !line[..indentation].contains('\t') {
            error.span = Span::new(error.span.file, tab as u32, tab as u32 + 1);
        }
        error.help = Some("YAML is indented with spaces; this line has a tab".into());
        return error;
    }
    error.help = cause(&error.message, line, at - line_start).or(error.help);
    error
}

/// Where the line before one starts.
fn before(text: &str, line_start: usize) -> usize {
    let text = &text[..line_start.saturating_sub(1)];
    text.rfind('\n').map_or(0, |newline| newline + 1)
}

/// Where the line after a place starts.
fn after(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |newline| at + newline + 1)
}

/// The first tab in the indentation of the line that starts here.
fn tab_in_indentation(text: &str, line_start: usize) -> Option<usize> {
    let line = &text[line_start..];
    let blanks = line.len() - line.trim_start_matches([' ', '\t']).len();
    let tab = line[..blanks].find('\t')?;
    // An empty line may have any.
    let is_empty = line[blanks..].is_empty() || line[blanks..].starts_with(['\n', '\r', '#']);
    (!is_empty).then_some(line_start + tab)
}

/// The mistake behind a message about `line` at `column`, in bytes.
fn cause(message: &str, line: &str, column: usize) -> Option<String> {
    let value = value_in(line);
    let starts_with = |indicators: &str| value.filter(|value| value.starts_with(|c| indicators.contains(c)));
    if message.contains("mapping values are not allowed") || message.contains("':'") {
        return match value.filter(|value| value.contains(": ") || value.ends_with(':')) {
            Some(value) => Some(format!("`: ` in a text needs quotes: write `{}`", quoted(value))),
            None => Some(
                "a key is indented differently from its neighbours, a bracket is not closed, or a text with `: ` needs quotes"
                    .into(),
            ),
        };
    }
    if let Some(value) = starts_with("@`%") {
        return Some(format!("a text that starts with `{}` needs quotes: write `{}`", &value[..1], quoted(value)));
    }
    if message.contains("unknown anchor") || message.contains("anchor or alias") {
        return Some(match starts_with("*&") {
            Some(value) => format!("a text that starts with `{}` needs quotes: write `{}`", &value[..1], quoted(value)),
            None => {
                "`*name` repeats a value that `&name` has marked before; a text with `*` in front needs quotes".into()
            }
        });
    }
    if message.contains("tag") || message.contains("handle") {
        let value = starts_with("!")?;
        return Some(format!("a text that starts with `!` needs quotes: write `{}`", quoted(value)));
    }
    if message.contains("trailing content after") {
        return Some(
            "text goes on behind the closing quote: put quotes around all of it, and write `''` for `'`".into(),
        );
    }
    if message.contains("unclosed quote") {
        return Some("a closing quote is missing; a text with an apostrophe in front needs double quotes".into());
    }
    if message.contains("unknown escape") {
        return Some("a backslash in double quotes starts an escape: write `\\\\`, or use single quotes".into());
    }
    if message.contains("bracket") || message.contains("flow") {
        return Some(
            "brackets and braces come in pairs, with commas between; a text that starts with one needs quotes".into(),
        );
    }
    let is_indented = message.contains("did not find expected key") || message.contains("expected ':'");
    let other = line.get(column..)?.trim_start();
    is_indented.then(|| match other {
        "" => "this line is indented differently from its neighbours, or a `:` is missing".into(),
        _ => format!("`{}` is indented differently from its neighbours, or a `:` is missing", shortened(other)),
    })
}

/// What stands behind the first `key: ` or `- ` of a line.
fn value_in(line: &str) -> Option<&str> {
    let line = line.trim().trim_start_matches("- ");
    let value = line.split_once(": ").map_or(line, |(_, value)| value).trim();
    (!value.is_empty()).then_some(value)
}

fn quoted(value: &str) -> String {
    let value = shortened(value);
    if value.contains(['"', '\\']) { format!("'{}'", value.replace('\'', "''")) } else { format!("\"{value}\"") }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn is_yaml_tag(tag: &Tag, name: &str) -> bool {
    tag.suffix_in_namespace("tag:yaml.org,2002:").as_deref() == Some(name)
}

fn first_byte(span: Span) -> Span {
    Span::new(span.file, span.start, span.end.min(span.start + 1))
}

fn null(span: Span) -> Node {
    Node { span, value: Value::Null }
}

fn fault(span: Span, kind: ErrorKind, message: impl Into<String>, label: &'static str) -> LoadError {
    LoadError { span, kind, message: message.into(), label, also: None, help: None }
}
