//! The policy of the whole gateway in words. A change here changes who may do what: read it before you accept it.

use std::collections::HashMap;
use std::fs;

use gatewayc::diagnostic::{Format, render};
use gatewayc::source::SourceSet;

#[test]
fn policy() {
    insta::assert_snapshot!(policy_of("specs"));
}

#[test]
fn policy_with_a_store() {
    insta::assert_snapshot!(policy_of("tests/stores/specs"));
}

/// The policy that the documents of a folder make.
fn policy_of(folder: &str) -> String {
    let mut names = Vec::new();
    let mut files = HashMap::new();
    for entry in fs::read_dir(folder).expect("the documents") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if path.is_file() && [".yaml", ".yml", ".json"].iter().any(|extension| name.ends_with(extension)) {
            files.insert(name.clone(), fs::read_to_string(&path).expect("a document"));
            names.push(name);
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
