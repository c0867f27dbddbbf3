//! Which files import each other.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::imports::Imports;

/// The circles of a graph: sets of files each of which imports, at length, all others of the set.
pub fn circles(imports: &Imports) -> Vec<BTreeSet<PathBuf>> {
    let reached: Vec<(&PathBuf, BTreeSet<&PathBuf>)> =
        imports.keys().map(|file| (file, reach(imports, file))).collect();
    let mut found: Vec<BTreeSet<PathBuf>> = Vec::new();
    for (file, far) in &reached {
        if !far.contains(file) || found.iter().any(|circle| circle.contains(*file)) {
            continue;
        }
        let together = reached.iter().filter(|(other, back)| far.contains(other) && back.contains(file));
        found.push(together.map(|(other, _)| (*other).clone()).collect());
    }
    found
}

/// All that a file imports, at length.
fn reach<'a>(imports: &'a Imports, from: &PathBuf) -> BTreeSet<&'a PathBuf> {
    let mut reached = BTreeSet::new();
    let mut waiting: Vec<&PathBuf> = imports.get(from).into_iter().flat_map(|arrows| arrows.keys()).collect();
    while let Some(file) = waiting.pop() {
        if reached.insert(file) {
            waiting.extend(imports.get(file).into_iter().flat_map(|arrows| arrows.keys()));
        }
    }
    reached
}
