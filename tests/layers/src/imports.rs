//! Which file takes which names from which.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::modules::{self, Module};

/// For each file of a crate, by its path below the crate's folder: the files it imports, with the names it takes.
pub type Imports = BTreeMap<PathBuf, BTreeMap<PathBuf, BTreeSet<String>>>;

/// Reads the import graph of the crate whose root module is `root`.
///
/// # Errors
/// A file that cannot be read, or is not Rust.
pub fn imports(root: &Path) -> Result<Imports, String> {
    let modules = modules::read(root)?;
    let folder = root.parent().unwrap_or(root);
    let name = |file: &Path| file.strip_prefix(folder).unwrap_or(file).to_path_buf();
    let mut imports = Imports::new();
    for (index, module) in modules.iter().enumerate() {
        let arrows = imports.entry(name(&module.file)).or_default();
        let named = module.paths.iter().filter_map(|path| match resolve(&modules, index, path, 0)? {
            Found::Name(target, taken) => Some((target, taken)),
            // A module is only the way to a name in it.
            Found::Module(_) => None,
        });
        for (target, taken) in named.chain(through_globs(&modules, index)) {
            let target = &modules[target];
            if target.file != module.file {
                arrows.entry(name(&target.file)).or_default().insert(taken);
            }
        }
    }
    Ok(imports)
}

/// What a module takes through its `use …::*`: the names that it writes and the other module has.
fn through_globs(modules: &[Module], index: usize) -> Vec<(usize, String)> {
    let mut taken = Vec::new();
    for path in &modules[index].globs {
        let Some(target) = target(modules, index, path, 0) else { continue };
        let words = modules[index].words.iter();
        let names: Vec<_> = words.filter_map(|word| look_up(modules, target, word, 0)).collect();
        // The methods of a trait are called without naming it.
        let unnamed = names.is_empty().then(|| (target, "*".to_owned()));
        taken.extend(names.into_iter().chain(unnamed));
    }
    taken
}

/// What a path leads to.
enum Found {
    Module(usize),
    Name(usize, String),
}

/// Re-exports that refer to each other end somewhere below this depth.
const MAX_DEPTH: usize = 16;

/// What `path`, written in the module `from`, names; nothing where that is in another crate.
fn resolve(modules: &[Module], from: usize, path: &[String], depth: usize) -> Option<Found> {
    if depth > MAX_DEPTH {
        return None;
    }
    let (first, mut rest) = path.split_first()?;
    let mut at = match first.as_str() {
        "crate" => 0,
        "self" => from,
        "super" => modules[from].parent?,
        name if modules[from].children.contains_key(name) => modules[from].children[name],
        name if modules[0].own_name.as_deref() == Some(name) => 0,
        name => return passed_on(modules, from, name, rest, depth),
    };
    while let Some((name, after)) = rest.split_first() {
        at = if name == "super" {
            modules[at].parent?
        } else if let Some(&child) = modules[at].children.get(name) {
            child
        } else {
            // What cannot be found may be made by a macro of that module.
            let found = passed_on(modules, at, name, after, depth);
            return found.or_else(|| Some(Found::Name(at, name.clone())));
        };
        rest = after;
    }
    Some(Found::Module(at))
}

/// What `name` and the path behind it are, where the module `at` has the name from elsewhere.
fn passed_on(modules: &[Module], at: usize, name: &str, rest: &[String], depth: usize) -> Option<Found> {
    if let Some(path) = modules[at].names.get(name) {
        let whole: Vec<String> = path.iter().chain(rest).cloned().collect();
        return resolve(modules, at, &whole, depth + 1);
    }
    if modules[at].defined.contains(name) {
        return Some(Found::Name(at, name.to_owned()));
    }
    let mut globs = modules[at].globs.iter().filter_map(|path| target(modules, at, path, depth + 1));
    globs.find_map(|target| match modules[target].children.get(name) {
        Some(_) => resolve(modules, target, &[&["self".to_owned(), name.to_owned()], rest].concat(), depth + 1),
        None => passed_on(modules, target, name, rest, depth + 1),
    })
}

/// The module that defines what `name` is in the module `at`.
fn look_up(modules: &[Module], at: usize, name: &str, depth: usize) -> Option<(usize, String)> {
    match passed_on(modules, at, name, &[], depth)? {
        Found::Name(target, name) => Some((target, name)),
        Found::Module(_) => None,
    }
}

/// The module that a path leads to.
fn target(modules: &[Module], from: usize, path: &[String], depth: usize) -> Option<usize> {
    match resolve(modules, from, path, depth)? {
        Found::Module(target) => Some(target),
        // The variants of an enum.
        Found::Name(..) => None,
    }
}
