//! The JSON Schema Test Suite (github.com/json-schema-org/JSON-Schema-Test-Suite), draft 2020-12, where a checkout is found
//! through `JSON_SCHEMA_TEST_SUITE`.
//!
//! The compiler translates schemas for the gateway; here a small translator does, which knows what the suite has.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "the suite is files, and the outcome is a number")]

#[path = "suite/bundle.rs"]
mod bundle;
#[path = "suite/uri.rs"]
mod uri;

use std::fs;
use std::path::{Path, PathBuf};

use bundle::{Bundle, json};
use gateway_schema::json::{Document, Kind, Value};
use gateway_schema::schemas::{Direction, Schemas};

/// What need not hold, by file and the beginning of "group: test", and why.
const EXCEPTIONS: [(&str, &str, &str); 4] = [
    ("defs", "validate definition against metaschema", "the schema of schemas is not in the suite"),
    ("ref", "remote ref, containing refs itself", "the schema of schemas is not in the suite"),
    ("vocabulary", "schema that uses custom metaschema", "vocabularies are not asked about: all keywords count"),
    ("optional/format/hostname", "validation of A-label", "A-labels are syntax here, and not decoded"),
];

/// Files of optional tests that hold.
const OPTIONAL: [&str; 19] = [
    "anchor",
    "bignum",
    "dynamicRef",
    "ecmascript-regex",
    "float-overflow",
    "id",
    "non-bmp-regex",
    "refOfUnknownKeyword",
    "unknownKeyword",
    "format/date",
    "format/date-time",
    "format/duration",
    "format/email",
    "format/hostname",
    "format/ipv4",
    "format/ipv6",
    "format/time",
    "format/unknown",
    "format/uri",
];

const DRAFT: &str = "https://json-schema.org/draft/2020-12/";

#[test]
fn the_suite_holds() {
    let Some(folder) = std::env::var_os("JSON_SCHEMA_TEST_SUITE").map(PathBuf::from) else {
        println!("skipped: JSON_SCHEMA_TEST_SUITE names no folder");
        return;
    };
    let tests = folder.join("tests/draft2020-12");
    let mut files: Vec<(String, bool)> = entries(&tests).map(|path| (stem(&path), false)).collect();
    files.extend(OPTIONAL.iter().map(|name| (format!("optional/{name}"), name.starts_with("format/"))));
    files.extend(["format/uri-reference", "format/uuid"].map(|name| (format!("optional/{name}"), true)));
    files.sort();
    let remotes = remotes(&folder.join("remotes"));
    let mut outcome = Outcome::default();
    for (name, with_formats) in files {
        let text = fs::read(tests.join(format!("{name}.json"))).expect("a file of the suite");
        let document = Document::read(&text).expect("JSON");
        for group in document.root().items() {
            outcome.group(&name, group, with_formats, &remotes);
        }
    }
    println!("{} of {} hold, {} are exceptions", outcome.held, outcome.all, outcome.excepted);
    assert!(outcome.failures.is_empty(), "{} fail:\n{}", outcome.failures.len(), outcome.failures.join("\n"));
}

#[derive(Default)]
struct Outcome {
    all: usize,
    held: usize,
    excepted: usize,
    failures: Vec<String>,
}

impl Outcome {
    fn group(&mut self, file: &str, group: Value<'_>, with_formats: bool, remotes: &[(String, Vec<u8>)]) {
        let text = |value: Value<'_>, name| value.get(name).map(Value::text).unwrap_or_default().to_owned();
        let schema = json(group.get("schema").expect("a group has a schema"));
        let remotes: Vec<(&String, Document<'_>)> =
            remotes.iter().map(|(uri, text)| (uri, Document::read(text).expect("JSON"))).collect();
        let root = Document::read(schema.as_bytes()).expect("JSON");
        let mut bundle = Bundle::new(with_formats);
        for (uri, document) in &remotes {
            bundle.document(uri, document.root());
        }
        bundle.document("test:root", root.root());
        let schemas = bundle.schemas("test:root").and_then(|named| {
            let named = named.iter().map(|(name, text)| (&**name, &**text));
            Schemas::new(named).map_err(|error| error.to_string())
        });
        for test in group.get("tests").expect("a group has tests").items() {
            self.all += 1;
            let title = format!("{}: {}", text(group, "description"), text(test, "description"));
            let expected = test.get("valid").map(Value::kind) == Some(Kind::True);
            let data = test.get("data").expect("a test has data");
            let held = schemas.as_ref().map_err(Clone::clone).and_then(|schemas| check(schemas, data, expected));
            let exception = EXCEPTIONS.iter().find(|(of, begin, _)| *of == file && title.starts_with(begin));
            match (held, exception) {
                (Ok(()), _) => self.held += 1,
                (Err(_), Some(_)) => self.excepted += 1,
                (Err(message), None) => self.failures.push(format!("{file}: {title}: {message}")),
            }
        }
    }
}

fn check(schemas: &Schemas, data: Value<'_>, expected: bool) -> Result<(), String> {
    let id = schemas.find("s0").ok_or("there is no schema")?;
    let violations = schemas.check(id, data, Direction::Request);
    if violations.is_empty() != schemas.is_valid(id, data, Direction::Request) {
        return Err(format!("the passes differ: {violations:?}"));
    }
    match (expected, violations.is_empty()) {
        (true, false) => Err(format!("must be valid: {violations:?}")),
        (false, true) => Err("must not be valid".to_owned()),
        _ => Ok(()),
    }
}

/// The documents that references of the suite lead to, by their URIs.
fn remotes(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut remotes = Vec::new();
    let mut open = vec![folder.join("draft2020-12")];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).expect("a folder").map(|entry| entry.expect("an entry").path()));
        } else if let Ok(name) = path.strip_prefix(folder) {
            let uri = format!("http://localhost:1234/{}", name.to_string_lossy());
            remotes.push((uri, fs::read(&path).expect("a file")));
        }
    }
    // The schemas of schemas, if they were put beside the suite.
    for path in entries(&folder.join("metaschema")) {
        let name = stem(&path);
        let uri = if name == "schema" { format!("{DRAFT}schema") } else { format!("{DRAFT}meta/{name}") };
        remotes.push((uri, fs::read(&path).expect("a file")));
    }
    remotes
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
}

fn stem(path: &Path) -> String {
    path.file_stem().expect("a name").to_string_lossy().into_owned()
}
