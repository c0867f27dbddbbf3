//! The modules of a crate, and the paths that are written in each.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};

use crate::items::{self, Item, text};
use crate::paths;

/// A module: a file, or part of one.
#[derive(Default)]
pub(crate) struct Module {
    pub(crate) file: PathBuf,
    pub(crate) parent: Option<usize>,
    pub(crate) children: BTreeMap<String, usize>,
    /// What the crate calls itself beside `crate`.
    pub(crate) own_name: Option<String>,
    /// The names that `use` gives to paths.
    pub(crate) names: BTreeMap<String, Vec<String>>,
    /// The paths before `::*`.
    pub(crate) globs: Vec<Vec<String>>,
    /// The names of the module's own items.
    pub(crate) defined: BTreeSet<String>,
    /// Every path of two segments or more.
    pub(crate) paths: Vec<Vec<String>>,
    /// Every word.
    pub(crate) words: BTreeSet<String>,
}

/// Reads a crate from its root module on; the root is the first of the list.
///
/// # Errors
/// A file that cannot be read, or is not Rust.
pub(crate) fn read(root: &Path) -> Result<Vec<Module>, String> {
    let mut modules = Vec::new();
    add(&mut modules, root.to_path_buf(), root.parent().unwrap_or(root), None)?;
    Ok(modules)
}

/// Adds the module in `file`, whose submodules lie in `folder`. A file for tests only is none.
fn add(
    modules: &mut Vec<Module>,
    file: PathBuf,
    folder: &Path,
    parent: Option<usize>,
) -> Result<Option<usize>, String> {
    let source = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let tokens: TokenStream = source.parse().map_err(|error| format!("{}: {error}", file.display()))?;
    if items::is_for_tests(tokens.clone()) {
        return Ok(None);
    }
    let index = modules.len();
    modules.push(Module { file, parent, ..Module::default() });
    fill(modules, index, folder, tokens)?;
    Ok(Some(index))
}

/// Reads the items of a module, and those of its submodules.
fn fill(modules: &mut Vec<Module>, index: usize, folder: &Path, tokens: TokenStream) -> Result<(), String> {
    for item in items::split(tokens) {
        if item.is_test {
            continue;
        }
        let Some((name, body)) = module(&item.tokens) else {
            note(&mut modules[index], item.tokens);
            continue;
        };
        let file = modules[index].file.clone();
        let child = match body {
            Some(body) => {
                let child = modules.len();
                modules.push(Module { file, parent: Some(index), ..Module::default() });
                fill(modules, child, &folder.join(&name), body)?;
                Some(child)
            }
            None => {
                let (file, below) = place(&file, folder, &name, &item);
                add(modules, file, &below, Some(index))?
            }
        };
        if let Some(child) = child {
            modules[index].children.insert(name, child);
        }
    }
    Ok(())
}

/// The file of a submodule, and the folder of those below it.
fn place(parent: &Path, folder: &Path, name: &str, item: &Item) -> (PathBuf, PathBuf) {
    if let Some(path) = &item.path {
        let file = parent.parent().unwrap_or(folder).join(path);
        let below = file.parent().unwrap_or(folder).to_path_buf();
        return (file, below);
    }
    let (beside, below) = (folder.join(format!("{name}.rs")), folder.join(name));
    let file = if beside.exists() { beside } else { below.join("mod.rs") };
    (file, below)
}

/// Notes what an item names, and its own name.
fn note(module: &mut Module, item: Vec<TokenTree>) {
    if let Some(name) = own_name(&item) {
        module.own_name = Some(name);
        return;
    }
    module.defined.extend(defined(&item));
    let found = paths::of(item);
    module.names.extend(found.names);
    module.globs.extend(found.globs);
    module.paths.extend(found.written);
    module.words.extend(found.words);
}

/// `extern crate self as name;`
fn own_name(item: &[TokenTree]) -> Option<String> {
    let words: Vec<String> = item.iter().filter_map(word).collect();
    match &words[..] {
        [first, second, third, fourth, name] if [first, second, third, fourth] == ["extern", "crate", "self", "as"] => {
            Some(name.clone())
        }
        _ => None,
    }
}

/// The name that an item gives to something.
fn defined(item: &[TokenTree]) -> Option<String> {
    const KINDS: &[&str] =
        &["fn", "struct", "enum", "union", "trait", "type", "const", "static", "macro_rules", "mut", "unsafe", "async"];
    let words: Vec<String> = item.iter().filter_map(word).take(6).collect();
    let last_kind = words.iter().take_while(|word| *word == "pub" || KINDS.contains(&word.as_str())).last()?;
    (last_kind != "pub")
        .then(|| words.iter().find(|word| *word != "pub" && !KINDS.contains(&word.as_str())).cloned())?
}

/// The name of a module and, where it stands in this file, its items.
fn module(item: &[TokenTree]) -> Option<(String, Option<TokenStream>)> {
    let at = item.iter().position(|token| matches!(token, TokenTree::Ident(word) if word == "mod"))?;
    let before = &item[..at];
    let is_item = before.iter().all(|token| match token {
        TokenTree::Ident(word) => word == "pub",
        TokenTree::Group(_) => true,
        TokenTree::Punct(sign) => matches!(sign.as_char(), '#' | '!'),
        TokenTree::Literal(_) => false,
    });
    let name = word(item.get(at + 1)?)?;
    match (is_item, item.get(at + 2)?) {
        (true, TokenTree::Group(body)) => Some((name, Some(body.stream()))),
        (true, TokenTree::Punct(end)) if end.as_char() == ';' => Some((name, None)),
        _ => None,
    }
}

fn word(token: &TokenTree) -> Option<String> {
    match token {
        TokenTree::Ident(word) => Some(text(word)),
        _ => None,
    }
}
