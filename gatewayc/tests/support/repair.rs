//! Suggestions that hold what they promise: applied, the document parses, has all its operations, and gets the message no
//! more, nor an error that it did not get before.

use std::collections::{BTreeSet, HashMap};

use gatewayc::Checked;
use gatewayc::diagnostic::{Severity, apply};
use gatewayc::source::SourceSet;

/// Checks documents, and follows every suggestion of every message. Returns how many there were.
pub(crate) fn follow(files: &HashMap<String, String>, documents: &[&str]) -> usize {
    let (sources, checked) = check(files, documents);
    let before = errors(&checked);
    let mut followed = 0;
    for diagnostic in &checked.diagnostics {
        let Some(suggestion) = &diagnostic.suggestion else { continue };
        let file = sources.file(suggestion.span.file);
        let repaired = apply(file.text(), suggestion).expect("a suggestion has a place");
        let mut files = files.clone();
        files.insert(file.path().to_owned(), repaired.clone());
        let (_, after) = check(&files, documents);
        assert_eq!(operations(&after), operations(&checked), "{}: {repaired}", diagnostic.headline);
        let said = (diagnostic.code.to_string(), diagnostic.headline.clone());
        let after = errors(&after);
        assert!(!after.contains(&said), "{said:?} is said again of\n{repaired}");
        let new: Vec<_> = after.difference(&before).collect();
        assert!(new.is_empty(), "{said:?} leads to {new:?} in\n{repaired}");
        followed += 1;
    }
    followed
}

fn check(files: &HashMap<String, String>, documents: &[&str]) -> (SourceSet<'static>, Checked) {
    let mut sources = SourceSet::new(files.clone(), "");
    for name in documents {
        sources.add_document(name);
    }
    let checked = gatewayc::check(&mut sources);
    (sources, checked)
}

fn errors(checked: &Checked) -> BTreeSet<(String, String)> {
    let errors = checked.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
    errors.map(|error| (error.code.to_string(), error.headline.clone())).collect()
}

/// Path and method of all operations.
fn operations(checked: &Checked) -> Vec<(String, String)> {
    let paths = checked.documents.iter().flat_map(|document| &document.paths);
    let operations = paths
        .flat_map(|path| path.operations.iter().map(|operation| (path.key.value.clone(), operation.method.clone())));
    operations.collect()
}
