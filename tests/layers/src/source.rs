//! The modules of a crate, and the paths that are written in each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::paths;

/// A module: a file, or part of one.
pub(crate) struct Module {
    pub(crate) file: PathBuf,
    pub(crate) parent: Option<usize>,
    pub(crate) children: BTreeMap<String, usize>,
    /// Names that `pub use` takes from elsewhere, with the path as written.
    pub(crate) passed_on: BTreeMap<String, Vec<String>>,
    /// Every path of two segments or more.
    pub(crate) paths: Vec<Vec<String>>,
}

/// Reads a crate from its root module on; the root is the first of the list.
///
/// # Errors
/// A file that cannot be read, or is not Rust.
pub(crate) fn read(root: &Path) -> Result<Vec<Module>, String> {
    let mut modules = Vec::new();
    add(&mut modules, root.to_path_buf(), root.parent().unwrap_or(root).to_path_buf(), None)?;
    Ok(modules)
}

/// Adds the module in `file`, whose submodules lie in `folder`.
fn add(modules: &mut Vec<Module>, file: PathBuf, folder: PathBuf, parent: Option<usize>) -> Result<usize, String> {
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let tokens: TokenStream = text.parse().map_err(|error| format!("{}: {error}", file.display()))?;
    let index = modules.len();
    modules.push(Module { file, parent, children: BTreeMap::new(), passed_on: BTreeMap::new(), paths: Vec::new() });
    items(modules, index, &folder, tokens)?;
    Ok(index)
}

/// Reads the items of a module, and those of its submodules.
fn items(modules: &mut Vec<Module>, index: usize, folder: &Path, tokens: TokenStream) -> Result<(), String> {
    for item in split(tokens) {
        if item.is_test {
            continue;
        }
        if let Some((name, body)) = module(&item.tokens) {
            let below = folder.join(&name);
            let child = match body {
                Some(body) => {
                    let child = modules.len();
                    let file = modules[index].file.clone();
                    modules.push(Module {
                        file,
                        parent: Some(index),
                        children: BTreeMap::new(),
                        passed_on: BTreeMap::new(),
                        paths: Vec::new(),
                    });
                    items(modules, child, &below, body)?;
                    child
                }
                None => {
                    let beside = folder.join(format!("{name}.rs"));
                    let file = if beside.exists() { beside } else { below.join("mod.rs") };
                    add(modules, file, below, Some(index))?
                }
            };
            modules[index].children.insert(name, child);
            continue;
        }
        let found = paths::of(item.tokens);
        modules[index].passed_on.extend(found.passed_on);
        // A name that is passed on is no use of it.
        modules[index].paths.extend(found.written);
    }
    Ok(())
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
    let TokenTree::Ident(name) = item.get(at + 1)? else { return None };
    match (is_item, item.get(at + 2)?) {
        (true, TokenTree::Group(body)) => Some((name.to_string(), Some(body.stream()))),
        (true, TokenTree::Punct(end)) if end.as_char() == ';' => Some((name.to_string(), None)),
        _ => None,
    }
}

/// A piece of source up to its `;`, its `,` or its braces.
pub(crate) struct Item {
    pub(crate) tokens: Vec<TokenTree>,
    /// It stands behind `#[cfg(test)]`.
    pub(crate) is_test: bool,
}

/// Splits tokens into items. Where it splits too much, paths are still whole: they have neither `;` nor braces before
/// their end, but for lists of names, which end an item.
pub(crate) fn split(tokens: TokenStream) -> Vec<Item> {
    let mut items = Vec::new();
    let mut item = Item { tokens: Vec::new(), is_test: false };
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let after_sign =
            matches!(item.tokens.last(), Some(TokenTree::Punct(sign)) if matches!(sign.as_char(), '#' | '!'));
        let mut ends = false;
        match &token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket && after_sign => {
                let text: String = group.stream().to_string().split_whitespace().collect();
                item.is_test |= matches!(text.as_str(), "test" | "cfg(test)" | "cfg(all(test,unix))");
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                // `use a::{b};` goes on to its semicolon.
                ends = !matches!(tokens.peek(), Some(TokenTree::Punct(sign)) if sign.as_char() == ';');
            }
            TokenTree::Punct(sign) if matches!(sign.as_char(), ';' | ',') => ends = true,
            _ => {}
        }
        item.tokens.push(token);
        if ends {
            items.push(std::mem::replace(&mut item, Item { tokens: Vec::new(), is_test: false }));
        }
    }
    items.push(item);
    items
}
