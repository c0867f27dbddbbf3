//! The tree: values with spans, mappings in the order of the file.

use std::sync::Arc;

use crate::number::Number;
use crate::span::Span;

/// A value and where it stands.
///
/// Cloning is cheap: lists and mappings are shared, which is also how an alias refers to its anchor.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where the value is, without its key.
    pub span: Span,
    /// What it is.
    pub value: Value,
}

/// A value of YAML's core schema, which is JSON's data model.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing at all.
    Null,
    /// `true` or `false`, unquoted.
    Bool(bool),
    /// A number, with its text.
    Number(Number),
    /// Text.
    String(Box<str>),
    /// A list.
    Sequence(Arc<Vec<Node>>),
    /// A mapping.
    Mapping(Arc<Mapping>),
}

/// Keys and values in the order of the file.
#[derive(Debug, Clone, Default)]
pub struct Mapping {
    /// All entries. After a failed load a key may occur here twice; [`Mapping::get`] finds the first.
    entries: Vec<Entry>,
    /// The entries ordered by name, for mappings in which looking at each would take long.
    by_name: Vec<u32>,
}

/// Below this size, looking at each entry is faster.
const INDEXED_FROM: usize = 16;

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// Its value.
    pub value: Node,
}

/// A key: always text, whatever it looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Where the key is.
    pub span: Span,
    /// Its text as written: `200`, `4xx`, `on`, `1.0`.
    pub name: Box<str>,
}

impl PartialEq for Mapping {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

impl Mapping {
    /// A mapping of these entries, which must not change afterwards.
    #[must_use]
    pub fn new(entries: Vec<Entry>) -> Self {
        let mut by_name: Vec<u32> = Vec::new();
        if entries.len() >= INDEXED_FROM {
            by_name.extend(0..entries.len() as u32);
            by_name.sort_by_key(|&at| &entries[at as usize].key.name);
        }
        Self { entries, by_name }
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.entry(name).map(|entry| &entry.value)
    }

    /// A key with its value.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.position(name).map(|at| &self.entries[at])
    }

    /// Which of the entries has a key.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        if self.by_name.is_empty() {
            return self.entries.iter().position(|entry| &*entry.key.name == name);
        }
        let first = self.by_name.partition_point(|&at| &*self.entries[at as usize].key.name < name);
        let at = *self.by_name.get(first)? as usize;
        (&*self.entries[at].key.name == name).then_some(at)
    }

    /// The value of one of the entries, to be changed.
    pub fn value_mut(&mut self, at: usize) -> Option<&mut Node> {
        self.entries.get_mut(at).map(|entry| &mut entry.value)
    }

    /// The entries, to make another mapping of.
    #[must_use]
    pub fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    /// Keys that occur here more than once, each time with the first of them: `(first, again)`.
    pub(crate) fn duplicates(&self) -> Vec<(&Key, &Key)> {
        let name = |at: usize| &self.entries[at].key.name;
        let mut pairs = Vec::new();
        if self.by_name.is_empty() {
            for again in 1..self.entries.len() {
                pairs.extend((0..again).find(|&first| name(first) == name(again)).map(|first| (first, again)));
            }
        } else {
            for group in self.by_name.chunk_by(|&a, &b| name(a as usize) == name(b as usize)) {
                pairs.extend(group[1..].iter().map(|&again| (group[0] as usize, again as usize)));
            }
            pairs.sort_by_key(|&(_, again)| again);
        }
        pairs.into_iter().map(|(first, again)| (&self.entries[first].key, &self.entries[again].key)).collect()
    }

    /// All entries in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Entry> {
        self.entries.iter()
    }

    /// All entries in the order of the file, as a slice.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether this is `{}`.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl<'a> IntoIterator for &'a Mapping {
    type Item = &'a Entry;
    type IntoIter = std::slice::Iter<'a, Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Node {
    /// Text; a number or boolean is not text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// Text, or the text of a number as it is written (`version: 1.0`).
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.text()),
            _ => None,
        }
    }

    /// A boolean.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self.value {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// `off`, which YAML 1.1 reads as a boolean.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.as_text() == Some("off") || self.as_bool() == Some(false)
    }

    /// A number.
    #[must_use]
    pub fn as_number(&self) -> Option<&Number> {
        match &self.value {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }

    /// A list.
    #[must_use]
    pub fn as_sequence(&self) -> Option<&[Node]> {
        match &self.value {
            Value::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// A mapping.
    #[must_use]
    pub fn as_mapping(&self) -> Option<&Mapping> {
        match &self.value {
            Value::Mapping(mapping) => Some(mapping),
            _ => None,
        }
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// The value of a key, where this is a mapping that has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.as_mapping()?.get(name)
    }

    /// What this is, in the words of a diagnostic: `a mapping`, `a list`, `text`, `a number`, `true or false`, `nothing`.
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "text",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }

    /// The value that a JSON pointer (RFC 6901, not percent-encoded) names.
    #[must_use]
    pub fn pointer(&self, pointer: &str) -> Option<&Node> {
        if pointer.is_empty() {
            return Some(self);
        }
        pointer.strip_prefix('/')?.split('/').try_fold(self, |node, token| node.step(&unescape_token(token)))
    }

    /// The child that one (unescaped) token of a JSON pointer names.
    #[must_use]
    pub fn step(&self, token: &str) -> Option<&Node> {
        match &self.value {
            Value::Mapping(mapping) => mapping.get(token),
            Value::Sequence(items) if token == "0" || !token.starts_with(['0', '+']) => {
                items.get(token.parse::<usize>().ok()?)
            }
            _ => None,
        }
    }
}

/// Undoes the escapes of one token of a JSON pointer (RFC 6901 §4).
pub(crate) fn unescape_token(token: &str) -> std::borrow::Cow<'_, str> {
    if token.contains('~') { token.replace("~1", "/").replace("~0", "~").into() } else { token.into() }
}
