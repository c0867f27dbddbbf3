//! The JSON Schema Test Suite (github.com/json-schema-org/JSON-Schema-Test-Suite) through the compiler: its schemas are
//! translated as those of a document, and its values are checked as bodies. OpenAPI 3.1 has draft 2020-12; OpenAPI 3.0 has
//! what it keeps of draft 4, and what draft 2020-12 says in the same words.
//!
//! `JSON_SCHEMA_TEST_SUITE` names a checkout. Without it, the suite is that in the source archive of the Python package
//! `jsonschema`, which `pip` downloads into the target folder. Where there is neither, the tests say that they were skipped,
//! or fail where `GATEWAY_TEST_REQUIRE_SERVICES=1`.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the suite is files, and the test says what it has done"
)]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use gateway_schema::schemas::{Direction, SchemaId, Schemas};
use gatewayc::source::SourceSet;
use gatewayc::{check, schema};
use serde_json::Value;

/// The archive whose folder `json` is the suite.
const ARCHIVE: &str = "jsonschema-4.26.0";

/// A document that refers to the schema of a group; `VERSION` stands for that of OpenAPI.
const DOCUMENT: &str = "openapi: VERSION
info: {title: t, version: '1'}
x-gateway: {version: 1, upstream: {url: 'http://127.0.0.1:9'}}
security: []
paths:
  /t:
    post:
      requestBody: {content: {application/json: {schema: {$ref: schema.json}}}}
      responses: {'200': {description: ok}}
";

/// What need not hold, by file and the beginning of "group: test", and why.
const EXCEPTIONS: [(&str, &str, &str); 11] = [
    ("defs", "validate definition against metaschema", "nothing is fetched"),
    ("ref", "remote ref, containing refs itself", "nothing is fetched"),
    ("refRemote", "", "nothing is fetched"),
    ("dynamicRef", "strict-tree schema, guards against misspelled properties", "nothing is fetched"),
    ("dynamicRef", "tests for implementation dynamic anchor and reference link", "nothing is fetched"),
    ("dynamicRef", "$ref and $dynamicAnchor are independent of order", "nothing is fetched"),
    ("dynamicRef", "$ref to $dynamicRef finds detached $dynamicAnchor", "nothing is fetched"),
    ("format", "", "formats are asserted, as the specification allows"),
    ("vocabulary", "schema that uses custom metaschema", "all keywords count, whatever `$vocabulary` says"),
    ("optional/format/hostname", "validation of A-label", "A-labels are syntax here, and not decoded"),
    ("optional/zeroTerminatedFloats", "", "`1.0` is an integer, as in all drafts since 6"),
];

/// Optional tests that hold.
const OPTIONAL: [&str; 19] = [
    "bignum",
    "ecmascript-regex",
    "float-overflow",
    "non-bmp-regex",
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
    "format/uri-reference",
    "format/uuid",
    "anchor",
    "id",
    "refOfUnknownKeyword",
];

/// Optional tests of draft 4 that hold.
const OPTIONAL_OF_DRAFT_4: [&str; 12] = [
    "bignum",
    "ecmascript-regex",
    "float-overflow",
    "non-bmp-regex",
    "zeroTerminatedFloats",
    "format/date-time",
    "format/email",
    "format/hostname",
    "format/ipv4",
    "format/ipv6",
    "format/unknown",
    "format/uri",
];

/// The keywords of OpenAPI 3.0 that mean what JSON Schema says. `exclusiveMinimum` and `exclusiveMaximum` do so in draft 4,
/// where they are booleans.
const OF_3_0: [&str; 24] = [
    "type",
    "enum",
    "minimum",
    "maximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "uniqueItems",
    "items",
    "minProperties",
    "maxProperties",
    "required",
    "properties",
    "additionalProperties",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "format",
    "$schema",
    "$comment",
];

#[test]
fn the_suite_holds() {
    let outcome = run("3.1.0", "draft2020-12", &OPTIONAL, |_| true);
    assert!(outcome.is_none_or(|held| held > 1000));
}

#[test]
fn what_openapi_3_0_has_of_it_holds() {
    let outcome = run("3.0.3", "draft2020-12", &OPTIONAL, is_of_3_0);
    assert!(outcome.is_none_or(|held| held > 300));
}

#[test]
fn what_openapi_3_0_keeps_of_draft_4_holds() {
    let outcome = run("3.0.3", "draft4", &OPTIONAL_OF_DRAFT_4, is_of_3_0);
    assert!(outcome.is_none_or(|held| held > 300));
}

/// Whether a schema has keywords of OpenAPI 3.0 only.
fn is_of_3_0(schema: &Value) -> bool {
    let Some(members) = schema.as_object() else { return false };
    members.iter().all(|(keyword, value)| match keyword.as_str() {
        "type" => value.is_string() && value != "null",
        "items" | "not" => is_of_3_0(value),
        "exclusiveMinimum" | "exclusiveMaximum" => value.is_boolean(),
        "additionalProperties" => value.is_boolean() || is_of_3_0(value),
        "allOf" | "anyOf" | "oneOf" => value.as_array().is_some_and(|all| all.iter().all(is_of_3_0)),
        "properties" => value.as_object().is_some_and(|all| all.values().all(is_of_3_0)),
        keyword => OF_3_0.contains(&keyword),
    })
}

/// Runs the groups of a draft whose schemas are wanted in a document of a version; says how many tests hold, if the suite is
/// there.
fn run(version: &str, draft: &str, optional: &[&str], is_wanted: impl Fn(&Value) -> bool) -> Option<usize> {
    let folder = match suite() {
        Ok(folder) => folder,
        Err(why) => {
            let required = std::env::var("GATEWAY_TEST_REQUIRE_SERVICES").is_ok_and(|value| value == "1");
            assert!(!required, "{why}");
            println!("skipped: {why}");
            return None;
        }
    };
    let tests = folder.join("tests").join(draft);
    let mut files: Vec<String> = fs::read_dir(&tests)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .map(|path| stem(&path))
        .collect();
    files.extend(optional.iter().map(|name| format!("optional/{name}")));
    files.sort();
    let (mut held, mut excepted, mut failures) = (0, 0, Vec::new());
    for file in files {
        let text = fs::read_to_string(tests.join(format!("{file}.json"))).expect("a file of the suite");
        let groups: Value = serde_json::from_str(&text).expect("JSON");
        for group in groups.as_array().expect("groups").iter().filter(|group| is_wanted(&group["schema"])) {
            let checker = Checker::of(version, &group["schema"]);
            for test in group["tests"].as_array().expect("tests") {
                let title = format!("{}: {}", group["description"], test["description"]).replace('"', "");
                let data = test["data"].to_string();
                let found = checker.as_ref().map(|checker| checker.admits(&data)).map_err(Clone::clone);
                let fits = |(of, begin, _): &&(&str, &str, &str)| *of == file && title.starts_with(begin);
                match (found, EXCEPTIONS.iter().find(fits)) {
                    (Ok(valid), _) if Some(valid) == test["valid"].as_bool() => held += 1,
                    (_, Some(_)) => excepted += 1,
                    (Ok(_), None) => failures.push(format!("{file}: {title}")),
                    (Err(message), None) => failures.push(format!("{file}: {title}: {message}")),
                }
            }
        }
    }
    println!("OpenAPI {version}, {draft}: {held} hold, {excepted} are exceptions");
    assert!(failures.is_empty(), "{} fail:\n{}", failures.len(), failures.join("\n"));
    Some(held)
}

/// The folder of the suite, which is downloaded unless that has been done; or why there is none.
fn suite() -> Result<PathBuf, String> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    if let Some(checkout) = std::env::var_os("JSON_SCHEMA_TEST_SUITE") {
        return Ok(PathBuf::from(checkout));
    }
    let _guard = ONE_AT_A_TIME.lock().map_err(|error| error.to_string())?;
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = target.join(ARCHIVE).join("json");
    if !folder.join("tests/draft4").exists() {
        let package = ARCHIVE.replace('-', "==");
        python(target, &["pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", &package])?;
        python(target, &["tarfile", "--extract", &format!("{ARCHIVE}.tar.gz")])?;
    }
    Ok(folder)
}

/// Runs a module of Python in a folder.
fn python(folder: &Path, arguments: &[&str]) -> Result<(), String> {
    let mut command = Command::new("python3");
    command.arg("-m").args(arguments).current_dir(folder);
    let output = command.output().map_err(|error| format!("python3 does not run: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("there is no JSON Schema Test Suite: {}", String::from_utf8_lossy(&output.stderr))),
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().expect("a name").to_string_lossy().into_owned()
}

struct Checker {
    schemas: Schemas,
    root: SchemaId,
}

impl Checker {
    /// The schema of a group, translated by the compiler.
    fn of(version: &str, group: &Value) -> Result<Self, String> {
        let files = HashMap::from([
            ("a.yaml".to_owned(), DOCUMENT.replace("VERSION", version)),
            ("schema.json".to_owned(), group.to_string()),
        ]);
        let mut sources = SourceSet::new(files, "");
        sources.add_document("a.yaml");
        let checked = check(&mut sources);
        let errors: Vec<String> = checked
            .diagnostics
            .iter()
            .filter(|one| one.severity == gatewayc::diagnostic::Severity::Error)
            .map(|one| one.headline.clone())
            .collect();
        if !errors.is_empty() {
            return Err(errors.join("; "));
        }
        let api = &checked.gateway.apis[0];
        let named: Vec<(&str, String)> =
            api.schemas.iter().map(|(name, schema)| (name.as_str(), schema.for_tables())).collect();
        let mut schemas =
            Schemas::new(named.iter().map(|(name, text)| (*name, text.as_str()))).map_err(|error| error.to_string())?;
        let body = api.routes[0].operations[0].contract.body.as_ref().ok_or("no body")?;
        let json: &schema::Json = body.contents[0].schema.as_ref().ok_or("no schema")?;
        let root = schemas.add(&json.for_tables()).map_err(|error| error.to_string())?;
        Ok(Self { schemas, root })
    }

    fn admits(&self, data: &str) -> bool {
        let document = gateway_schema::json::Document::read(data.as_bytes()).expect("JSON");
        self.schemas.is_valid(self.root, document.root(), Direction::Request)
    }
}
