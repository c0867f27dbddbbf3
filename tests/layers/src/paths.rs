//! The paths that a piece of source names.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, TokenTree};

use crate::items::{self, text};

/// What a piece of source names.
#[derive(Default)]
pub(crate) struct Paths {
    /// Paths of two segments or more.
    pub(crate) written: Vec<Vec<String>>,
    /// What `use` declares: name and path.
    pub(crate) names: BTreeMap<String, Vec<String>>,
    /// The paths before `::*`.
    pub(crate) globs: Vec<Vec<String>>,
    /// Every word.
    pub(crate) words: BTreeSet<String>,
}

/// The paths in an item, those in its groups included.
pub(crate) fn of(item: Vec<TokenTree>) -> Paths {
    let mut paths = Paths::default();
    add(item, &mut paths);
    paths
}

fn add(item: Vec<TokenTree>, paths: &mut Paths) {
    // Before `use` there are attributes and `pub(…)`.
    let first = item.iter().position(|token| matches!(token, TokenTree::Ident(word) if word != "pub"));
    match first {
        Some(at) if matches!(&item[at], TokenTree::Ident(word) if word == "use") => tree(&item[at + 1..], &[], paths),
        _ => walk(item, paths),
    }
}

fn walk(tokens: Vec<TokenTree>, paths: &mut Paths) {
    let mut path: Vec<String> = Vec::new();
    let mut colons = 0;
    for token in tokens {
        match token {
            TokenTree::Ident(word) => {
                if colons != 2 {
                    end(&mut path, paths);
                } else if path.is_empty() {
                    // `<T as Trait>::name::…` and `::name::…` do not begin here.
                    path.push(String::new());
                }
                path.push(text(&word));
                paths.words.insert(text(&word));
                colons = 0;
            }
            TokenTree::Punct(sign) if sign.as_char() == ':' => colons += 1,
            TokenTree::Group(group) => {
                end(&mut path, paths);
                colons = 0;
                for item in items::split(group.stream()) {
                    if !item.is_test {
                        add(item.tokens, paths);
                    }
                }
            }
            _ => {
                end(&mut path, paths);
                colons = 0;
            }
        }
    }
    end(&mut path, paths);
}

fn end(path: &mut Vec<String>, paths: &mut Paths) {
    if path.len() > 1 {
        paths.written.push(std::mem::take(path));
    }
    path.clear();
}

/// The paths of a `use` tree, with the names that they get.
fn tree(tokens: &[TokenTree], before: &[String], paths: &mut Paths) {
    let mut path = before.to_vec();
    let mut alias = None;
    let mut tokens = tokens.iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(word) if word == "as" => {
                if let Some(TokenTree::Ident(name)) = tokens.next() {
                    alias = Some(text(name));
                }
            }
            TokenTree::Ident(word) => path.push(text(word)),
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(sign) if sign.as_char() == ',');
                for branch in inner.split(is_comma).filter(|branch| !branch.is_empty()) {
                    tree(branch, &path, paths);
                }
                return;
            }
            TokenTree::Punct(sign) if sign.as_char() == '*' => {
                paths.globs.push(path);
                return;
            }
            _ => {}
        }
    }
    if path.len() > 1 && path.last().is_some_and(|name| name == "self") {
        path.pop();
    }
    if let Some(last) = path.last() {
        paths.names.insert(alias.unwrap_or_else(|| last.clone()), path.clone());
        paths.written.push(path);
    }
}
