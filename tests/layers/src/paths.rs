//! The paths that a piece of source names.

use std::collections::BTreeMap;

use proc_macro2::{Delimiter, TokenTree};

use crate::source;

/// What a piece of source names.
#[derive(Default)]
pub(crate) struct Paths {
    /// Paths of two segments or more.
    pub(crate) written: Vec<Vec<String>>,
    /// What `pub use` gives to others: name and path.
    pub(crate) passed_on: BTreeMap<String, Vec<String>>,
}

/// The paths in an item, those in its groups included.
pub(crate) fn of(tokens: Vec<TokenTree>) -> Paths {
    let mut paths = Paths::default();
    let is_use = tokens.iter().find_map(|token| match token {
        TokenTree::Ident(word) if word == "use" => Some(true),
        TokenTree::Ident(word) if word == "pub" => None,
        TokenTree::Ident(_) => Some(false),
        _ => None,
    });
    if is_use == Some(true) {
        let is_public = tokens.iter().any(|token| matches!(token, TokenTree::Ident(word) if word == "pub"));
        let at = tokens.iter().position(|token| matches!(token, TokenTree::Ident(word) if word == "use"));
        let mut found = Vec::new();
        tree(&tokens[at.map_or(0, |at| at + 1)..], &[], &mut found);
        for (path, name) in found {
            if is_public {
                paths.passed_on.insert(name, path.clone());
            }
            paths.written.push(path);
        }
        return paths;
    }
    walk(tokens, &mut paths);
    paths
}

fn walk(tokens: Vec<TokenTree>, paths: &mut Paths) {
    let mut path: Vec<String> = Vec::new();
    let mut colons = 0;
    for token in tokens {
        match token {
            TokenTree::Ident(word) => {
                if colons != 2 {
                    end(&mut path, paths);
                }
                path.push(word.to_string());
                colons = 0;
            }
            TokenTree::Punct(sign) if sign.as_char() == ':' => colons += 1,
            TokenTree::Group(group) => {
                end(&mut path, paths);
                colons = 0;
                for item in source::split(group.stream()) {
                    if !item.is_test {
                        let inner = of(item.tokens);
                        paths.written.extend(inner.written);
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
fn tree(tokens: &[TokenTree], before: &[String], found: &mut Vec<(Vec<String>, String)>) {
    let mut path = before.to_vec();
    let mut alias = None;
    let mut tokens = tokens.iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(word) if word == "as" => {
                if let Some(TokenTree::Ident(name)) = tokens.next() {
                    alias = Some(name.to_string());
                }
            }
            TokenTree::Ident(word) => path.push(word.to_string()),
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(sign) if sign.as_char() == ',');
                for branch in inner.split(is_comma).filter(|branch| !branch.is_empty()) {
                    tree(branch, &path, found);
                }
                return;
            }
            TokenTree::Punct(sign) if sign.as_char() == '*' => path.push("*".to_owned()),
            _ => {}
        }
    }
    if path.last().is_some_and(|name| name == "self") {
        path.pop();
    }
    if let Some(last) = path.last() {
        let name = alias.unwrap_or_else(|| last.clone());
        found.push((path, name));
    }
}
