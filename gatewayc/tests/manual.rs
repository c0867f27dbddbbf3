//! The index of diagnostics in the manual is written from the table of codes, its documents compile, and its links lead
//! somewhere.

#![expect(clippy::disallowed_methods, reason = "the pages are files")]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use gatewayc::diagnostic::{CODES, Format, render};
use gatewayc::routes::{self, TableFormat, render as render_routes};
use gatewayc::source::SourceSet;

const INDEX: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/diagnostics.md");

#[test]
fn the_index_of_diagnostics_is_current() {
    let mut expected = String::from(
        "# Diagnostics\n\nEvery mistake has a code, and every code a page; `gatewayc explain GW202` prints it. This list is written by a test from the table of codes.\n\n| code | name | in short |\n|---|---|---|\n",
    );
    for code in CODES {
        let number = code.code;
        expected += &format!("| [{number}](../gatewayc/docs/{number}.md) | {} | {} |\n", code.name, code.summary);
    }
    if std::env::var_os("GATEWAY_TEST_UPDATE").is_some() {
        std::fs::write(INDEX, &expected).expect("the manual can be written");
    }
    let found = std::fs::read_to_string(INDEX).unwrap_or_default();
    assert!(found == expected, "docs/diagnostics.md is not current; run with GATEWAY_TEST_UPDATE=1 and commit it");
}

#[test]
fn the_authorization_servers_of_the_manual_compile() {
    const ANNOTATIONS: &str = include_str!("../../docs/annotations.md");
    let examples = ANNOTATIONS.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let servers = examples.filter(|example| example.contains("\n  authorizationServer:\n    issuer:"));
    let mut count = 0;
    for example in servers {
        let files = [("manual.yaml", example), ("pages/home.html", "<p>")];
        let files: HashMap<String, String> = files.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        let mut sources = SourceSet::new(files, "");
        sources.add_document("manual.yaml");
        let checked = gatewayc::check(&mut sources);
        let found = render(&checked.diagnostics, &sources, Format::Human);
        assert_eq!(checked.diagnostics.unacknowledged(), 0, "{example}\n{found}");
        count += 1;
    }
    assert_eq!(count, 2, "a smallest and a full one");
}

/// The files of a page: examples that begin with their path.
fn files(page: &str) -> HashMap<String, String> {
    let examples = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let named = examples.filter_map(|example| Some((example.strip_prefix("# specs/")?.split('\n').next()?, example)));
    named.map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
}

#[test]
fn the_overlays_of_the_manual_compile() {
    const PAGE: &str = include_str!("../../docs/overlays.md");
    let mut files = files(PAGE);
    assert_eq!(files.len(), 3);
    files.insert("vendor/weather.yaml".into(), files["weather.yaml"].clone());
    let mut sources = SourceSet::new(files, "specs/");
    sources.add_document("weather.yaml");
    let checked = gatewayc::check(&mut sources);
    let found = render(&checked.diagnostics, &sources, Format::Human);
    assert!(checked.diagnostics.is_empty(), "{found}");
    let table = render_routes(&routes::list(&checked.documents, &sources), TableFormat::Table);
    let shown =
        PAGE.split("$ gatewayc routes specs\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a table");
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(shown), words(&table), "{table}");

    sources.add_document("public.yaml");
    let checked = gatewayc::check(&mut sources);
    assert!(!checked.diagnostics.has_errors(), "{}", render(&checked.diagnostics, &sources, Format::Human));
}

#[test]
fn the_list_of_documents_of_the_manual_is_well_formed() {
    const PAGE: &str = include_str!("../../docs/documents.md");
    let example = PAGE.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let mut sources = SourceSet::new(HashMap::new(), "");
    let file = sources.add_given("gatewayc.yaml", example.into());
    let (project, diagnostics) = gatewayc::project::read(&sources, file);
    assert!(diagnostics.is_empty() && project.strict && project.documents.is_some_and(|listed| listed.len() == 2));
}

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The Markdown files of a folder of the repository with their text, those in folders below as well.
fn pages(folder: &str) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![Path::new(REPOSITORY).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                let text = std::fs::read_to_string(&path).expect("a page");
                found.insert(path, text);
            }
        }
    }
    found
}

#[test]
fn the_documents_of_the_how_tos_compile() {
    let mut count = 0;
    for (page, text) in pages("docs/how-to") {
        let examples = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
        for document in examples.filter(|example| example.starts_with("openapi:")) {
            let mut sources = SourceSet::new(HashMap::from([("manual.yaml".to_owned(), document.to_owned())]), "");
            sources.add_document("manual.yaml");
            let checked = gatewayc::check(&mut sources);
            let found = render(&checked.diagnostics, &sources, Format::Human);
            assert!(!checked.diagnostics.has_errors(), "{}\n{document}\n{found}", page.display());
            count += 1;
        }
    }
    assert!(count >= 7, "{count}");
}

/// A page without its examples.
fn prose(page: &str) -> String {
    let pieces = page.split("\n```").enumerate().filter(|(index, _)| index % 2 == 0);
    pieces.map(|(_, piece)| piece).collect::<Vec<_>>().join("\n")
}

/// The names by which the headings of a page can be linked to, as the repository's web view and the book make them.
fn anchors(page: &str) -> HashSet<String> {
    let mut found = HashSet::new();
    for heading in prose(page).lines().filter(|line| line.starts_with('#')) {
        let title = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let mut name = anchor.clone();
        for count in 1.. {
            if found.insert(name) {
                break;
            }
            name = format!("{anchor}-{count}");
        }
    }
    found
}

#[test]
fn the_links_of_the_manual_lead_somewhere() {
    let mut pages = pages("docs");
    pages.extend(self::pages("gatewayc/docs"));
    for name in ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "SECURITY.md", "deploy/README.md"] {
        let path = Path::new(REPOSITORY).join(name);
        let text = std::fs::read_to_string(&path).expect("a page");
        pages.insert(path, text);
    }
    let mut broken = Vec::new();
    // Where other documents are in `specs/`, as README.md tells teams to have it, all links to those of this repository
    // lead nowhere.
    let (mut of_documents, mut has_documents) = (Vec::new(), false);
    for (page, text) in &pages {
        for link in prose(text).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
            let target = if path.is_empty() { page.clone() } else { page.with_file_name("").join(path) };
            let leads = match anchor {
                None => target.exists(),
                Some(anchor) => std::fs::read_to_string(&target).is_ok_and(|text| anchors(&text).contains(anchor)),
            };
            let below = path.trim_start_matches("../");
            let is_of_document = ["specs/", "generated/"].iter().any(|folder| below.starts_with(folder));
            has_documents |= is_of_document && leads;
            if !leads {
                let link = format!("{}: {link}", page.strip_prefix(REPOSITORY).expect("a page of it").display());
                if is_of_document { of_documents.push(link) } else { broken.push(link) }
            }
        }
    }
    if has_documents {
        broken.append(&mut of_documents);
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_book_has_every_page() {
    let folder = Path::new(REPOSITORY).join("docs");
    let summary = std::fs::read_to_string(folder.join("SUMMARY.md")).expect("the summary");
    for page in pages("docs").keys() {
        let name = page.strip_prefix(&folder).expect("a page of the manual").display().to_string();
        assert!(name == "SUMMARY.md" || summary.contains(&format!("]({name})")), "docs/SUMMARY.md lacks {name}");
    }
}

#[test]
fn each_row_about_http_names_its_tests() {
    let folder = Path::new(REPOSITORY).join("tests/gateway/tests");
    let files = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let sources = files.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let tests: String = sources.map(|path| std::fs::read_to_string(path).expect("a test")).collect();
    let page = std::fs::read_to_string(Path::new(REPOSITORY).join("docs/http.md")).expect("the page");
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| feature"));
    let mut count = 0;
    for row in rows {
        let shown_by = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        let names: Vec<&str> = shown_by.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test: {row}");
        for name in names {
            assert!(tests.contains(&format!("\nfn {name}()")), "no test is called `{name}`: {row}");
        }
        count += 1;
    }
    assert!(count > 40, "{count}");
}
