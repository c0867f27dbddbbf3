//! Documents with mistakes: every file in `fixtures/` says in its comments which messages it gets, and where.
//!
//! `#   ^^^ error[GW102] words` expects that message at the column of the first `^` of the line above, with `words` in
//! its headline, label or help. `#< error[GW102] words` expects it at the first column of the line above.

#![expect(clippy::disallowed_methods, reason = "the cases are files")]

use std::collections::HashMap;
use std::path::Path;

use gatewayc::diagnostic::{CODES, Code, Diagnostics, Format, Severity, render};
use gatewayc::source::{FileProvider, ReadError, SourceSet};

fn load(files: &[(&str, &str)]) -> SourceSet<'static> {
    let texts: HashMap<String, String> = files.iter().map(|&(path, text)| (path.into(), text.into())).collect();
    let mut sources = SourceSet::new(texts, "specs/");
    sources.add_document(files[0].0);
    sources
}

fn fixtures() -> Vec<(String, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut fixtures: Vec<_> = std::fs::read_dir(directory)
        .expect("the fixtures are there")
        .map(|entry| entry.expect("readable").path())
        .map(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).expect("a plain name").to_owned();
            (name, std::fs::read_to_string(&path).expect("text"))
        })
        .collect();
    fixtures.sort();
    fixtures
}

/// `(line, column, severity, code, words)`, as expected by the comments of a fixture.
fn expectations(text: &str) -> Vec<(usize, usize, String, String, String)> {
    let mut expected = Vec::new();
    let mut line_above = 0;
    for (at, line) in text.lines().enumerate() {
        let comment = line.trim_start();
        let column = match (comment.starts_with("#<"), line.find('^')) {
            (true, _) => 1,
            (false, Some(column)) if comment.starts_with('#') => column + 1,
            _ => {
                line_above = at + 1;
                continue;
            }
        };
        let Some((severity, rest)) = line.split_once('[') else { continue };
        let (code, words) = rest.split_once(']').expect("`error[GW102] words`");
        let severity = severity.trim_start_matches(['#', '<', '^', ' ']);
        expected.push((line_above, column, severity.to_owned(), code.to_owned(), words.trim().to_owned()));
    }
    expected
}

#[test]
fn fixtures_get_the_messages_that_they_ask_for() {
    let mut problems = Vec::new();
    for (name, text) in fixtures().iter().filter(|(name, _)| !name.starts_with("part-")) {
        let parts = fixtures();
        let mut files = vec![(name.as_str(), text.as_str())];
        files.extend(parts.iter().filter(|(name, _)| name.starts_with("part-")).map(|(name, text)| (&**name, &**text)));
        let mut sources = load(&files);
        let (_, diagnostics) = gatewayc::parse(&mut sources);
        let mut expected = expectations(text);
        for diagnostic in &diagnostics {
            let label = diagnostic.primary.as_ref().expect("a place");
            let (_, place) = sources.locate(label.span);
            let severity = if diagnostic.severity == Severity::Error { "error" } else { "warning" };
            let all = format!("{} {} {}", diagnostic.headline, label.text, diagnostic.help.join(" "));
            let found = expected.iter().position(|(line, column, kind, code, words)| {
                (*line, *column, &**kind, code.clone())
                    == (place.line, place.column, severity, diagnostic.code.to_string())
                    && all.contains(&**words)
            });
            match found {
                Some(at) => drop(expected.remove(at)),
                None => problems.push(format!("{name}:{place}: unexpected {severity}[{}] {all}", diagnostic.code)),
            }
        }
        problems.extend(expected.iter().map(|missing| format!("{name} did not get {missing:?}")));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Source and result in one snapshot, so that a reviewer sees cause and effect.
fn cause_and_effect(source: &str, format: Format) -> String {
    let mut sources = load(&[("notes.yaml", source)]);
    let (_, diagnostics) = gatewayc::parse(&mut sources);
    format!("{source}\n---------- messages ----------\n{}", render(&diagnostics, &sources, format))
}

const TYPO: &str = r#"openapi: 3.1.0
info: {title: Notes, version: "1"}
paths:
  /notes:
    post:
      operationId: createNote
      security:
        - acounts: [notes:write]
      responses: {"201": {description: created}}
components:
  securitySchemes:
    accounts: {type: http, scheme: bearer}
"#;

#[test]
fn a_misspelt_scheme() {
    insta::assert_snapshot!(cause_and_effect(TYPO, Format::Human));
}

#[test]
fn a_misspelt_scheme_in_one_line() {
    insta::assert_snapshot!(cause_and_effect(TYPO, Format::Short));
}

#[test]
fn a_misspelt_scheme_as_json() {
    insta::assert_snapshot!(cause_and_effect(TYPO, Format::Json));
}

#[test]
fn two_places() {
    let source = "openapi: 3.0.3\ninfo: {title: Notes, version: \"1\"}\npaths:\n  /a:\n    get: {security: []}\n    get: {security: [{key: []}]}\n";
    insta::assert_snapshot!(cause_and_effect(source, Format::Human));
}

#[test]
fn a_tab() {
    insta::assert_snapshot!(cause_and_effect("openapi: 3.0.3\ninfo:\n\ttitle: Notes\n", Format::Human));
}

#[test]
fn one_long_line() {
    let filler = "x".repeat(400);
    let source = format!(
        r#"{{"openapi":"3.0.3","info":{{"title":"{filler}","version":"1"}},"paths":{{"/a":{{"get":{{"secuirty":[]}}}}}},"x-filler":"{filler}"}}"#
    );
    insta::assert_snapshot!(cause_and_effect(&source, Format::Human));
}

#[test]
fn what_openapi_3_2_adds() {
    let source = r##"openapi: 3.2.0
$self: https://example.com/api.yaml
info: {title: Notes, version: "1"}
security: [{mtls: []}]
paths:
  /notes:
    query: {operationId: searchNotes, parameters: [{name: q, in: querystring, content: {}}]}
    additionalOperations:
      PURGE: {operationId: purgeNotes}
      get: {}
  /same: {$ref: "https://example.com/api.yaml#/components/pathItems/same"}
webhooks: {note: {post: {operationId: notOurs}}}
components:
  pathItems: {same: {get: {operationId: same}}}
  securitySchemes:
    mtls: {type: mutualTLS, deprecated: true}
    device: {type: oauth2, oauth2MetadataUrl: /meta, flows: {deviceAuthorization: {deviceAuthorizationUrl: /d, tokenUrl: /t, scopes: {}}}}
"##;
    let mut sources = load(&[("notes.yaml", source)]);
    let (documents, diagnostics) = gatewayc::parse(&mut sources);
    let printed = render(&diagnostics, &sources, Format::Short);
    assert_eq!(
        printed,
        "specs/notes.yaml:10:7: error[GW114]: `get` stands under `additionalOperations` but has a key of its own\n"
    );
    let operations = documents[0].paths.iter().flat_map(|path| &path.operations);
    let listed: Vec<_> = operations
        .map(|operation| (&*operation.method, operation.operation_id.as_ref().map(|id| id.value.as_str())))
        .collect();
    assert_eq!(
        listed,
        [("QUERY", Some("searchNotes")), ("PURGE", Some("purgeNotes")), ("get", None), ("GET", Some("same"))]
    );
}

#[test]
fn not_utf8() {
    struct Latin1;
    impl FileProvider for Latin1 {
        fn read(&self, _: &str) -> Result<Vec<u8>, ReadError> {
            Ok(b"openapi: 3.1.0\ninfo: {title: caf\xe9}\n".to_vec())
        }
    }
    let mut sources = SourceSet::new(Latin1, "specs/");
    sources.add_document("notes.yaml");
    let (_, diagnostics) = gatewayc::parse(&mut sources);
    let printed = render(&diagnostics, &sources, Format::Short);
    assert_eq!(printed, "specs/notes.yaml:2:18: error[GW110]: the file is not UTF-8\n");
}

#[test]
fn no_file() {
    let mut sources = SourceSet::new(HashMap::new(), "specs/");
    sources.add_document("nots.yaml");
    let (documents, diagnostics) = gatewayc::parse(&mut sources);
    assert!(documents.is_empty());
    let printed = render(&diagnostics, &sources, Format::Human);
    assert_eq!(printed.trim(), "error[GW118]: `specs/nots.yaml` cannot be read: there is no such file");
}

#[test]
fn text_of_a_document_cannot_forge_output() {
    let source = "openapi: 3.0.3\ninfo: {title: x, version: \"1\"}\npaths: {}\n\"secur\\u001b[31mity\\nerror[GW101]: forged\": 1\n";
    let mut sources = load(&[("notes.yaml", source)]);
    let (_, diagnostics) = gatewayc::parse(&mut sources);
    for format in [Format::Human, Format::Short, Format::Json] {
        let printed = render(&diagnostics, &sources, format);
        assert!(!printed.contains('\u{1b}') && !printed.contains("\nerror[GW101]"), "{printed}");
    }
}

#[test]
fn every_code_has_a_page_and_a_place_in_the_order() {
    assert!(CODES.is_sorted_by_key(|info| info.code), "the table is ordered by number");
    for info in CODES {
        let first = format!("# {}: {}", info.code, info.name);
        assert_eq!(info.page.lines().next(), Some(&*first), "the first line of the page");
        assert!(info.page.contains("\n## Example\n") && info.page.contains("\n## What to do\n"), "{}", info.code);
        for text in [info.code.to_string(), info.code.to_string().to_lowercase(), info.name.to_owned()] {
            assert_eq!(Code::find(&text).map(|found| found.code), Some(info.code), "{text}");
        }
    }
    assert!(Code::find("GW999").is_none());
    let pages = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")).expect("pages").count();
    assert_eq!(pages, CODES.len(), "a page without a code");
}

#[test]
fn every_code_about_documents_has_a_failing_fixture() {
    let fixtures = fixtures();
    let has_fixture = |code: Code| fixtures.iter().any(|(_, text)| text.contains(&format!("[{code}]")));
    // Those that are about files as such, or about what only the compiler behind the parser sees.
    let elsewhere = ["GW118"];
    let ours = |code: Code| matches!(code.0, 110..=120 | 202..=206 | 510) && !elsewhere.contains(&&*code.to_string());
    for info in CODES.iter().filter(|info| ours(info.code)) {
        assert!(has_fixture(info.code), "no fixture fails with {} ({})", info.code, info.name);
    }
}

#[test]
fn equal_diagnostics_are_reported_once() {
    let shared = "openapi: 3.1.0\ninfo: {title: x, version: \"1\"}\npaths:\n  /a: {$ref: '#/components/pathItems/p'}\n  /b: {$ref: '#/components/pathItems/p'}\ncomponents:\n  pathItems:\n    p: {parameters: [{in: query}]}\n";
    let mut sources = load(&[("notes.yaml", shared)]);
    let (_, diagnostics): (_, Diagnostics) = gatewayc::parse(&mut sources);
    assert_eq!(diagnostics.errors(), 1);
}
