//! Every document of the corpus of real OpenAPI documents is listed in full, or a message with a place says why not.
//!
//! The corpus is found through `GATEWAY_CORPUS`; where it is absent, these tests print so and pass.

#![expect(clippy::disallowed_methods, reason = "the corpus is files, and the time is measured")]
#![allow(clippy::print_stdout, reason = "measurements and skipped cases are reported to the developer")]

use std::path::{Path, PathBuf};
use std::time::Instant;

use gatewayc::ast::Document;
use gatewayc::diagnostic::{Diagnostics, Format, render};
use gatewayc::routes;
use gatewayc::source::{FileProvider, ReadError, SourceSet};

fn corpus() -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    let directory = std::env::var_os("GATEWAY_CORPUS").map_or(default, PathBuf::from);
    if !directory.join("MANIFEST.tsv").is_file() {
        println!("skipped: no corpus at {} (set GATEWAY_CORPUS)", directory.display());
        return None;
    }
    Some(directory)
}

struct Below(PathBuf);

impl FileProvider for Below {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        std::fs::read(self.0.join(path)).map_err(|_| ReadError::Missing)
    }
}

/// The document with the first directory of its path as specs root, so that references across its project work.
fn parse<'a>(corpus: &Path, file: &str) -> (Vec<Document>, Diagnostics, SourceSet<'a>) {
    let (project, inside) = file.split_once('/').expect("every document is in a project");
    let mut sources = SourceSet::new(Below(corpus.join(project)), format!("{project}/"));
    sources.add_document(inside);
    let (documents, diagnostics) = gatewayc::parse(&mut sources);
    (documents, diagnostics, sources)
}

#[test]
fn every_operation_is_listed_or_a_place_says_why_not() {
    let Some(corpus) = corpus() else { return };
    let manifest = std::fs::read_to_string(corpus.join("MANIFEST.tsv")).expect("the manifest is text");
    let mut documents_seen = 0;
    for line in manifest.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let (file, expected) = (columns[0], columns[4]);
        let start = Instant::now();
        let (documents, diagnostics, sources) = parse(&corpus, file);
        let list = routes::list(&documents, &sources);
        let messages = render(&diagnostics, &sources, Format::Human);
        let took = start.elapsed();
        println!("{:5} ms  {:4} operations  {file}", took.as_millis(), list.len());
        // The manifest's count was made by other tools (PyYAML and json of Python), over resolved path items.
        match expected.split_once('-').map(|(low, high)| (low.parse::<usize>(), high.parse::<usize>())) {
            Some((Ok(low), Ok(high))) => assert!((low..=high).contains(&list.len()), "{file}: {}", list.len()),
            _ => match expected.parse::<usize>() {
                Ok(count) => assert_eq!(list.len(), count, "{file}\n{messages}"),
                Err(_) => assert!(diagnostics.has_errors(), "{file} must fail"),
            },
        }
        if let Some(count) = count_json(&corpus.join(file)) {
            assert_eq!(list.len(), count, "{file}: our loader and serde_json differ");
        }
        for diagnostic in &diagnostics {
            assert!(diagnostic.primary.is_some(), "{file}: no place for {}", diagnostic.headline);
            assert!(diagnostic.code.info().is_some(), "{file}: {} is not in the table", diagnostic.code);
        }
        documents_seen += 1;
    }
    assert_eq!(documents_seen, 54, "the whole corpus was seen");
}

/// An independent count over another parser: the methods of every path item, for JSON documents in one file.
fn count_json(path: &Path) -> Option<usize> {
    let text = std::fs::read_to_string(path).ok().filter(|_| path.extension().is_some_and(|e| e == "json"))?;
    let root: serde_json::Value = serde_json::from_str(&text).ok()?;
    let Some(paths) = root.get("paths") else { return Some(0) };
    let methods = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
    let items = paths.as_object()?.values();
    if items.clone().any(|item| item.get("$ref").is_some()) || path.ends_with("duplicate-keys.json") {
        return None;
    }
    Some(items.map(|item| methods.iter().filter(|method| item.get(method).is_some()).count()).sum())
}

#[test]
fn broken_and_malicious_documents_fail_at_a_place() {
    let Some(corpus) = corpus() else { return };
    let parser = "swagger-api_swagger-parser/modules/swagger-parser-v3/src/test/resources";
    for (file, code, place) in [
        ("Mermade_openapi3-examples/3.0/malicious/yamlbomb.yaml", "GW112", "5:10"),
        (&*format!("{parser}/duplicateHttpStatusCodes.yaml"), "GW111", ""),
        (&*format!("{parser}/billion_laughs_snake_yaml.yaml"), "GW114", "1:1"),
        ("synthetic/duplicate-keys.json", "GW111", "1:162"),
        ("matrix-org_matrix-spec/data/api/client-server/room_summary.yaml", "GW202", ""),
    ] {
        let (_, diagnostics, sources) = parse(&corpus, file);
        let short = render(&diagnostics, &sources, Format::Short);
        assert!(short.contains(&format!(":{place}")) && short.contains(&format!("error[{code}]")), "{file}: {short}");
    }
}

#[test]
fn no_broken_security_becomes_public() {
    let Some(corpus) = corpus() else { return };
    let (documents, diagnostics, sources) = parse(&corpus, "synthetic/broken-security.yaml");
    assert!(diagnostics.has_errors());
    let list = routes::list(&documents, &sources);
    assert_eq!(list.len(), 6);
    for route in list {
        let marked = route.security.contains("BROKEN") || route.security.contains("UNDEFINED");
        assert!(marked, "{} {} is shown as {}", route.method, route.paths[0], route.security);
    }
}

#[test]
fn references_into_other_files() {
    let Some(corpus) = corpus() else { return };
    let (documents, diagnostics, sources) = parse(&corpus, "synthetic/split-main.yaml");
    assert!(diagnostics.is_empty(), "{}", render(&diagnostics, &sources, Format::Human));
    let list = routes::list(&documents, &sources);
    let lines: Vec<String> = list
        .iter()
        .map(|route| {
            let id = route.operation_id.as_deref().unwrap_or("-");
            format!(
                "{} {} {id} {} {}:{}",
                route.method, route.paths[0], route.security, route.file, route.position.line
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            "GET /users/{id} getUser key synthetic/split-parts.yaml:3",
            "GET /orders listOrders public synthetic/split-main.yaml:8",
            "POST /orders createOrder key synthetic/split-parts.yaml:10",
            "GET /alias getUser key synthetic/split-parts.yaml:3",
        ]
    );
}
