//! The policy of the whole gateway in words. A change here changes who may do what: read it before you accept it.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use gatewayc::diagnostic::{Format, render};
use gatewayc::source::{SourceSet, is_overlay};

#[test]
fn policy() {
    insta::assert_snapshot!(policy_of("specs"));
}

#[test]
fn policy_with_a_store() {
    insta::assert_snapshot!(policy_of("tests/stores/specs"));
}

#[test]
fn policy_with_ambiguous_paths() {
    insta::assert_snapshot!(policy_of("tests/paths/specs"));
}

/// The policy that the documents of a folder make.
fn policy_of(folder: &str) -> String {
    let mut names = Vec::new();
    let mut files = HashMap::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(inside) = folders.pop() {
        for entry in fs::read_dir(&inside).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).expect("below it").to_str().expect("a name").to_owned();
            let is_document = [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end)) && !is_overlay(&name);
            if inside.as_path() == Path::new(folder) && is_document {
                names.push(name.clone());
            }
            files.insert(name, fs::read_to_string(&path).expect("a text"));
        }
    }
    names.sort();
    let mut sources = SourceSet::new(files, format!("{folder}/"));
    for name in &names {
        sources.add_document(name);
    }
    let checked = gatewayc::check(&mut sources);
    assert!(!checked.diagnostics.has_errors(), "{}", render(&checked.diagnostics, &sources, Format::Human));
    gatewayc::policy::render(&checked.gateway)
}
