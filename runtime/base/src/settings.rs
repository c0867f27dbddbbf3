//! Settings from several sources in one table, by their path.

use std::collections::BTreeMap;
use std::path::Path;

use gateway_yaml::{FileId, Node, Value, load, position, suggest};

use crate::digest::Digest;
use crate::problem::{Problem, SettingPlace};

/// A value and where it was given.
#[derive(Debug, Clone)]
pub struct Setting {
    node: Node,
    /// Where it was given: a line of the file, an environment variable, or a flag.
    pub place: SettingPlace,
    /// What `place` starts with, for elements of lists.
    file: Option<(Box<Path>, std::rc::Rc<str>)>,
}

impl Setting {
    /// What was given.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// The place of a part of it.
    pub fn place_at(&self, node: &Node) -> SettingPlace {
        let in_file = |(file, text): &(Box<Path>, std::rc::Rc<str>)| place_in(file, text, node.span.start);
        self.file.as_ref().map_or_else(|| self.place.clone(), in_file)
    }
}

/// All settings, each under the path of its keys; what is read is taken out, so that what remains is a mistake.
#[derive(Debug, Default)]
pub struct Settings {
    /// Every path that a setting may have; `*` stands for a name.
    known: Vec<&'static str>,
    /// Paths whose values are not taken apart.
    whole: Vec<&'static str>,
    by_path: BTreeMap<Vec<String>, Setting>,
    /// The mistakes found so far, in the order in which they were found.
    pub problems: Vec<Problem>,
}

impl Settings {
    /// Settings with the paths `known`, in which `*` stands for a name; none of them is set yet.
    pub fn of(known: Vec<&'static str>) -> Self {
        Self { known, ..Self::default() }
    }

    /// The same, where the values of these paths are read as they are: what is below them is theirs.
    #[must_use]
    pub fn with_whole(self, whole: Vec<&'static str>) -> Self {
        Self { whole, ..self }
    }

    fn is_whole(&self, path: &[String]) -> bool {
        self.whole.iter().any(|pattern| fits(path, &pattern.split('.').collect::<Vec<_>>()))
    }

    /// Adds what `gateway.yaml` says.
    pub fn add_file(&mut self, file: &Path, text: &str) {
        match load(FileId(0), text) {
            Ok(node) if node.is_null() => {}
            Ok(node) if node.as_mapping().is_none() => self
                .problems
                .push(Problem::at(&place_in(file, text, node.span.start), "expected settings such as `listeners:`")),
            Ok(node) => self.add_tree(&mut Vec::new(), &node, &(file.into(), text.into())),
            Err(error) => self.problems.push(Problem::at(&place_in(file, text, error.span.start), error.message)),
        }
    }

    /// Puts a setting in its place; a value and what is below its name replace each other. `admin: off` is about the
    /// listener only: `admin: {bind: off}`.
    fn put(&mut self, mut path: Vec<String>, setting: Setting) {
        if path == ["admin"] {
            path.push("bind".to_owned());
        }
        self.by_path.retain(|known, _| !known.starts_with(&path) && !path.starts_with(known));
        self.by_path.insert(path, setting);
    }

    fn add_tree(&mut self, path: &mut Vec<String>, node: &Node, file: &(Box<Path>, std::rc::Rc<str>)) {
        let is_whole = self.is_whole(path);
        match node.as_mapping() {
            Some(mapping) if !mapping.is_empty() && !is_whole => {
                for entry in mapping.iter() {
                    path.push(entry.key.name.to_string());
                    self.add_tree(path, &entry.value, file);
                    path.pop();
                }
            }
            // The elements of a list of mappings are found by their position.
            _ if let Some(elements) = list_of_mappings(node).filter(|_| !is_whole) => {
                for (index, element) in elements.iter().enumerate() {
                    path.push(index.to_string());
                    self.add_tree(path, element, file);
                    path.pop();
                }
            }
            _ => {
                let place = place_in(&file.0, &file.1, node.span.start);
                self.put(path.clone(), Setting { node: node.clone(), place, file: Some(file.clone()) });
            }
        }
    }

    /// Adds `GATEWAY__LISTENERS__WEB__BIND=…`; letter case and `_` for `-` do not matter.
    pub fn add_variable(&mut self, name: &str, value: &str) {
        let Some(path) = name.strip_prefix("GATEWAY__") else { return };
        let path = path.split("__").map(str::to_owned).collect();
        self.add_override(path, value, SettingPlace(format!("environment variable {name}")));
    }

    /// Adds `--set listeners.web.bind=…`.
    pub fn add_flag(&mut self, flag: &str) {
        // The value may be a secret, if one that stands in the wrong place.
        let place = SettingPlace(format!("--set {}", flag.split('=').next().unwrap_or_default()));
        match flag.split_once('=') {
            Some((path, value)) => self.add_override(path.split('.').map(str::to_owned).collect(), value, place),
            None => self
                .problems
                .push(Problem::at(&place, "expected PATH=VALUE, such as listeners.web.bind=127.0.0.1:8080")),
        }
    }

    fn add_override(&mut self, path: Vec<String>, value: &str, place: SettingPlace) {
        match load(FileId(0), value) {
            Ok(node) => {
                let path = self.known_spelling(path);
                self.override_tree(path, node, &place);
            }
            Err(error) => self.problems.push(Problem::at(&place, error.message)),
        }
    }

    /// Overrides the members of a mapping, each by itself; a list as a whole.
    fn override_tree(&mut self, path: Vec<String>, node: Node, place: &SettingPlace) {
        let below = |key: &str| [&path[..], &[key.to_owned()]].concat();
        let is_whole = self.is_whole(&path);
        match node.as_mapping() {
            Some(mapping) if !mapping.is_empty() && !is_whole => {
                for entry in mapping.iter() {
                    self.override_tree(below(&entry.key.name), entry.value.clone(), place);
                }
            }
            _ if let Some(elements) = list_of_mappings(&node).filter(|_| !is_whole) => {
                self.by_path.retain(|known, _| !known.starts_with(&path));
                for (index, element) in elements.iter().enumerate() {
                    self.override_tree(below(&index.to_string()), element.clone(), place);
                }
            }
            _ => {
                self.forget_other_place(&path);
                self.put(path, Setting { node, place: place.clone(), file: None });
            }
        }
    }

    /// What is set, each path with a digest of its value: for finding out what has changed.
    pub fn fingerprints(&self) -> BTreeMap<String, Digest> {
        let of =
            |(path, setting): (&Vec<String>, &Setting)| (path.join("."), Digest::of(shape(&setting.node).as_bytes()));
        self.by_path.iter().map(of).collect()
    }

    /// A secret in a variable replaces one in a file, and the other way round.
    fn forget_other_place(&mut self, path: &[String]) {
        const PLACES: [&str; 2] = ["env", "file"];
        if let Some((place, owner)) = path.split_last()
            && PLACES.contains(&place.as_str())
        {
            self.by_path.retain(|known, _| {
                known.split_last().is_none_or(|(other, of)| of != owner || !PLACES.contains(&other.as_str()))
            });
        }
    }

    /// The path as it is spelt elsewhere, where only case and punctuation differ.
    fn known_spelling(&self, path: Vec<String>) -> Vec<String> {
        let words = self.known.iter().flat_map(|path| path.split('.')).filter(|word| *word != "*");
        let spell = |(depth, given): (usize, String)| {
            let used = self.by_path.keys().filter_map(|known| known.get(depth).map(String::as_str));
            used.chain(words.clone())
                .find(|known| folded(known) == folded(&given))
                .map_or_else(|| given.to_ascii_lowercase(), str::to_owned)
        };
        path.into_iter().enumerate().map(spell).collect()
    }

    /// Takes the setting at `path`, keys joined by dots.
    pub fn take(&mut self, path: &str) -> Option<Setting> {
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        self.by_path.remove(&path)
    }

    /// Takes all settings whose path fits `pattern`, with what stands for each `*`.
    pub fn take_all(&mut self, pattern: &str) -> Vec<(Vec<String>, Setting)> {
        let pattern: Vec<&str> = pattern.split('.').collect();
        let fitting: Vec<Vec<String>> = self.by_path.keys().filter(|path| fits(path, &pattern)).cloned().collect();
        let names = |path: &[String]| {
            path.iter().zip(&pattern).filter(|(_, part)| **part == "*").map(|(name, _)| name.clone()).collect()
        };
        fitting.into_iter().filter_map(|path| Some((names(&path), self.by_path.remove(&path)?))).collect()
    }

    /// The setting as text.
    pub fn text(&mut self, setting: &Setting) -> Option<String> {
        self.parse(setting, "text", |text| Some(text.to_owned()))
    }

    /// The setting as what `parse` makes of its text.
    pub fn parse<T>(&mut self, setting: &Setting, expected: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        self.parse_node(&setting.node, &setting.place, expected, parse)
    }

    fn parse_node<T>(
        &mut self,
        node: &Node,
        place: &SettingPlace,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = scalar_text(node);
        let value = text.as_deref().and_then(parse);
        if value.is_none() {
            let found = text.map_or_else(|| node.kind_name().to_owned(), |text| format!("`{text}`"));
            self.problems.push(Problem::at(place, format!("expected {expected}, found {found}")));
        }
        value
    }

    /// The setting as a list.
    pub fn list<T>(&mut self, setting: &Setting, expected: &str, parse: impl Fn(&str) -> Option<T>) -> Vec<T> {
        self.list_with_places(setting, expected, parse).into_iter().map(|(value, _)| value).collect()
    }

    /// The setting as a list, each element with its place.
    pub fn list_with_places<T>(
        &mut self,
        setting: &Setting,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Vec<(T, SettingPlace)> {
        let Some(elements) = setting.node.as_sequence() else {
            self.problems.push(Problem::at(
                &setting.place,
                format!("expected a list, each element {expected}, found {}", setting.node.kind_name()),
            ));
            return Vec::new();
        };
        let mut values = Vec::new();
        for element in elements {
            let place = setting
                .file
                .as_ref()
                .map_or_else(|| setting.place.clone(), |(file, text)| place_in(file, text, element.span.start));
            if let Some(value) = self.parse_node(element, &place, expected, &parse) {
                values.push((value, place));
            }
        }
        values
    }

    /// Reports every setting that was not read.
    pub fn refuse_rest(&mut self) {
        for (path, setting) in std::mem::take(&mut self.by_path) {
            let given = path.join(".");
            // `listeners.web.bnid` is near `listeners.web.bind`: take the names that the author chose from the author.
            let candidates: Vec<String> = self.known.iter().map(|pattern| fill(pattern, &path)).collect();
            let hint = suggest(&given, candidates.iter().map(String::as_str))
                .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            self.problems.push(Problem::at(&setting.place, format!("unknown setting `{given}`{hint}")));
        }
    }
}

/// What is left of a name in an environment variable.
pub(super) fn folded(text: &str) -> String {
    text.replace('_', "-").to_ascii_lowercase()
}

/// A value without its place.
fn shape(node: &Node) -> String {
    match (node.as_mapping(), node.as_sequence()) {
        (Some(mapping), _) => {
            let entries = mapping.iter().map(|entry| format!("{:?}: {}", entry.key.name, shape(&entry.value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        (None, Some(elements)) => format!("[{}]", elements.iter().map(shape).collect::<Vec<_>>().join(", ")),
        (None, None) => format!("{:?}", scalar_text(node)),
    }
}

/// The elements of a list that has nothing but mappings.
fn list_of_mappings(node: &Node) -> Option<&[Node]> {
    let elements = node.as_sequence()?;
    let full = |element: &Node| element.as_mapping().is_some_and(|mapping| !mapping.is_empty());
    (!elements.is_empty() && elements.iter().all(full)).then_some(elements)
}

fn fits(path: &[String], pattern: &[&str]) -> bool {
    path.len() == pattern.len() && path.iter().zip(pattern).all(|(name, part)| *part == "*" || name == part)
}

fn fill(pattern: &str, path: &[String]) -> String {
    let parts = pattern
        .split('.')
        .enumerate()
        .map(|(depth, part)| if part == "*" { path.get(depth).map_or("*", String::as_str) } else { part });
    parts.collect::<Vec<_>>().join(".")
}

fn scalar_text(node: &Node) -> Option<String> {
    match &node.value {
        Value::String(text) => Some(text.to_string()),
        Value::Number(number) => Some(number.text().to_owned()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Sequence(_) | Value::Mapping(_) => None,
    }
}

fn place_in(file: &Path, text: &str, offset: u32) -> SettingPlace {
    let at = position(text, offset);
    SettingPlace(format!("{}:{}:{}", file.display(), at.line, at.column))
}
