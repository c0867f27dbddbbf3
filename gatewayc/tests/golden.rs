//! Documents and the source that they give. `GATEWAY_BLESS=1` accepts what the compiler writes now.
//!
//! The gateway's own tests compile the same files against the runtime.

#![expect(clippy::disallowed_methods, reason = "the documents and what they give are files")]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gatewayc::diagnostic::{Format, render};
use gatewayc::emit::{File, assets, emit};
use gatewayc::ir::Gateway;
use gatewayc::source::SourceSet;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn documents() -> Vec<(String, String)> {
    let entries = fs::read_dir(folder()).expect("the folder of golden documents");
    let paths = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let mut documents: Vec<_> = paths
        .map(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
            (name, fs::read_to_string(&path).expect("a document"))
        })
        .collect();
    documents.sort();
    documents
}

/// A name that is longer than a line.
const LONG: &str =
    "a very long name of a file, so that the line of the generated code does not fit into the width of a page.css";

/// Documents with the files that they serve. Not every file system has these names.
fn files(documents: &[(String, String)]) -> HashMap<String, String> {
    let pages = [
        ("pages/index.html", "<!doctype html>\n<title>Home</title>\n"),
        ("pages/docs/start.md", "# Start\n"),
        ("pages/docs/.hidden", "left out\n"),
        ("pages/docs/it's \"quoted\" \u{e9}.LICENSE", "x\n"),
        (&format!("pages/docs/deep/{LONG}"), "body {}\n"),
    ];
    let pages = pages.map(|(name, text)| (name.to_owned(), text.to_owned()));
    documents.iter().cloned().chain(pages).collect()
}

fn compile(documents: &[(String, String)]) -> Vec<File> {
    let files = files(documents);
    let mut sources = SourceSet::new(files, "specs/");
    for (name, _) in documents {
        sources.add_document(name);
    }
    let checked = gatewayc::check(&mut sources);
    assert!(!checked.diagnostics.has_errors(), "{}", render(&checked.diagnostics, &sources, Format::Human));
    emit(&checked.gateway)
}

#[test]
fn the_source_is_as_it_was() {
    for file in compile(&documents()) {
        let path = folder().join(&file.name);
        if std::env::var_os("GATEWAY_BLESS").is_some() {
            fs::write(&path, &file.text).expect("the golden file can be written");
        }
        let golden = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(file.text, golden, "{} differs; GATEWAY_BLESS=1 accepts it", file.name);
        assert!(file.text.ends_with('\n') && !file.text.contains('\r'));
    }
}

/// The gateway of some documents.
fn gateway(names: &[&str]) -> Gateway {
    let documents: Vec<_> = documents().into_iter().filter(|(name, _)| names.contains(&name.as_str())).collect();
    let mut sources = SourceSet::new(files(&documents), "specs/");
    for name in names {
        sources.add_document(name);
    }
    gatewayc::check(&mut sources).gateway
}

#[test]
fn the_policy_of_an_authorization_server_is_as_it_was() {
    let path = folder().join("policy.txt");
    let policy = gatewayc::policy::render(&gateway(&["oauth.yaml", "pages.yaml"]));
    if std::env::var_os("GATEWAY_BLESS").is_some() {
        fs::write(&path, &policy).expect("the golden file can be written");
    }
    assert_eq!(policy, fs::read_to_string(&path).unwrap_or_default(), "GATEWAY_BLESS=1 accepts it");
}

#[test]
fn served_files_are_included() {
    let assets = assets(&gateway(&["pages.yaml"]));
    let named: Vec<(&str, &[u8])> = assets.iter().map(|asset| (asset.name.as_str(), &*asset.bytes)).collect();
    assert_eq!(
        named,
        [
            (format!("pages/pages/docs/deep/{LONG}").as_str(), b"body {}\n".as_slice()),
            ("pages/pages/docs/it's \"quoted\" \u{e9}.LICENSE", b"x\n"),
            ("pages/pages/docs/start.md", b"# Start\n"),
            ("pages/pages/index.html", b"<!doctype html>\n<title>Home</title>\n"),
        ]
    );
}

#[test]
fn the_order_of_a_document_does_not_matter() {
    let expected = compile(&documents());
    let mut shuffled = documents();
    shuffled.reverse();
    for (_, text) in &mut shuffled {
        *text = reverse_paths(text).replace("{jwt: [], key: []}", "{key: [], jwt: []}");
    }
    assert_eq!(compile(&shuffled), expected);
}

/// The entries under `paths` in the opposite order.
fn reverse_paths(text: &str) -> String {
    let (head, paths) = text.split_once("\npaths:\n").expect("`paths` comes last");
    let mut entries: Vec<String> = Vec::new();
    for line in paths.lines() {
        match entries.last_mut() {
            Some(entry) if line.starts_with("   ") => *entry += &format!("{line}\n"),
            _ => entries.push(format!("{line}\n")),
        }
    }
    entries.reverse();
    format!("{head}\npaths:\n{}", entries.concat())
}

#[test]
fn rustfmt_has_nothing_to_do() {
    let mut command = Command::new("rustfmt");
    command.args(["--check", "--edition", "2024"]);
    for file in compile(&documents()).iter().filter(|file| file.name != "gateway.rs") {
        command.arg(folder().join(&file.name));
    }
    // Not every machine has rustfmt.
    let Ok(output) = command.output() else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
