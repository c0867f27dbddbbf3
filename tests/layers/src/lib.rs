//! The import graph of a crate, read from its source: which file takes which names from which.
//!
//! Every path counts, whether it stands in a `use` declaration or is written out in the code. A name that a module only
//! passes on (`pub use`) is taken from the module that defines it. Code behind `#[cfg(test)]` is left out.

mod circles;
mod paths;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub use circles::circles;
use source::Module;

/// For each file of a crate, by its path below the crate's folder: the files it imports, with the names it takes.
pub type Imports = BTreeMap<PathBuf, BTreeMap<PathBuf, BTreeSet<String>>>;

/// Reads the import graph of the crate whose root module is `root`.
///
/// # Errors
/// A file that cannot be read, or is not Rust.
pub fn imports(root: &Path) -> Result<Imports, String> {
    let modules = source::read(root)?;
    let folder = root.parent().unwrap_or(root);
    let name = |file: &Path| file.strip_prefix(folder).unwrap_or(file).to_path_buf();
    let mut imports = Imports::new();
    for (index, module) in modules.iter().enumerate() {
        let arrows = imports.entry(name(&module.file)).or_default();
        for path in &module.paths {
            let Some((target, taken)) = resolve(&modules, index, path, 0) else { continue };
            let target = &modules[target];
            // A parent that declares a module does not import it; naming something in it does.
            if target.file != module.file && !taken.is_empty() {
                arrows.entry(name(&target.file)).or_default().insert(taken);
            }
        }
    }
    Ok(imports)
}

/// Re-exports that refer to each other end somewhere below this depth.
const MAX_DEPTH: usize = 16;

/// The module that defines what `path`, written in the module `from`, names; and the name.
fn resolve(modules: &[Module], from: usize, path: &[String], depth: usize) -> Option<(usize, String)> {
    if depth > MAX_DEPTH {
        return None;
    }
    let (mut at, mut rest) = match path.first()?.as_str() {
        "crate" => (0, &path[1..]),
        "self" => (from, &path[1..]),
        "super" => (modules[from].parent?, &path[1..]),
        name if modules[from].children.contains_key(name) => (from, path),
        _ => return None,
    };
    loop {
        let Some(name) = rest.first() else {
            // `use crate::limits`: the module as a whole.
            return Some((at, path.last()?.clone()));
        };
        if name == "super" {
            at = modules[at].parent?;
        } else if let Some(&child) = modules[at].children.get(name) {
            at = child;
        } else if let Some(other) = modules[at].passed_on.get(name) {
            let mut whole = other.clone();
            whole.extend_from_slice(&rest[1..]);
            return resolve(modules, at, &whole, depth + 1).or_else(|| Some((at, name.clone())));
        } else {
            return Some((at, name.clone()));
        }
        rest = &rest[1..];
    }
}
