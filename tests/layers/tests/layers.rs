//! What may import what: no file of a crate itself at length, and no crate another than `ARCHITECTURE.md` says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use layers::Imports;
use serde_json::Value;

#[test]
fn no_file_imports_itself_at_length() {
    let mut problems = String::new();
    for own in crates() {
        let found: String = own.roots.iter().map(|root| circles_below(root)).collect();
        if !found.is_empty() {
            problems += &format!("{}\n{found}", own.name);
        }
    }
    assert!(problems.is_empty(), "\n{problems}");
}

#[test]
fn crates_import_what_the_architecture_says() {
    let crates = crates();
    let table = table();
    let mut problems: Vec<String> = Vec::new();
    for name in table.keys().filter(|name| crates.iter().all(|own| own.name != **name)) {
        problems.push(format!("there is no crate `{name}`"));
    }
    for own in &crates {
        let Some(row) = table.get(&own.name) else {
            problems.push(format!("`{}` has no row", own.name));
            continue;
        };
        let in_tests: BTreeSet<String> = own.imports_in_tests.difference(&own.imports).cloned().collect();
        for (found, allowed, when) in [(&own.imports, &row.imports, ""), (&in_tests, &row.in_tests, " in tests")] {
            problems
                .extend(found.difference(allowed).map(|name| format!("`{}` may not import `{name}`{when}", own.name)));
            problems
                .extend(allowed.difference(found).map(|name| format!("`{}` does not import `{name}`{when}", own.name)));
        }
    }
    assert!(problems.is_empty(), "the table in ARCHITECTURE.md and the manifests differ:\n{}", problems.join("\n"));
}

/// A crate of the workspace.
struct Crate {
    name: String,
    /// The root modules of its library and its programs.
    roots: Vec<PathBuf>,
    /// The other crates that it is built with, and the build script too.
    imports: BTreeSet<String>,
    imports_in_tests: BTreeSet<String>,
}

/// The crates of the workspace, as Cargo reads their manifests.
fn crates() -> Vec<Crate> {
    let cargo = std::env::var_os("CARGO").expect("cargo runs the tests");
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(repository())
        .output()
        .expect("cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = list(&metadata, "packages");
    let names: BTreeSet<&str> = packages.iter().map(|package| text(package, "name")).collect();
    let of = |package: &Value| {
        let imports = |wanted: fn(Option<&str>) -> bool| {
            let all = list(package, "dependencies").iter();
            let wanted = all.filter(|one| wanted(one["kind"].as_str()));
            wanted.map(|one| text(one, "name")).filter(|name| names.contains(name)).map(str::to_owned).collect()
        };
        let targets = list(package, "targets").iter();
        let is_ours = |target: &&Value| list(target, "kind").iter().any(|kind| *kind == "lib" || *kind == "bin");
        Crate {
            name: text(package, "name").to_owned(),
            roots: targets.filter(is_ours).map(|target| text(target, "src_path").into()).collect(),
            imports: imports(|kind| kind != Some("dev")),
            imports_in_tests: imports(|kind| kind == Some("dev")),
        }
    };
    packages.iter().map(of).collect()
}

/// The circles below a root module, with the names that tie them.
fn circles_below(root: &Path) -> String {
    let imports = layers::imports(root).expect("source that compiles");
    layers::circles(&imports).iter().map(|circle| shown(circle, &imports)).collect()
}

fn shown(circle: &BTreeSet<PathBuf>, imports: &Imports) -> String {
    let names: Vec<String> = circle.iter().map(|file| file.display().to_string()).collect();
    let mut shown = format!("  circle of {}: {}\n", names.len(), names.join(", "));
    for file in circle {
        for (target, names) in imports[file].iter().filter(|(target, _)| circle.contains(*target)) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            shown += &format!("    {} -> {}: {}\n", file.display(), target.display(), names.join(", "));
        }
    }
    shown
}

/// A row of the table.
struct Row {
    imports: BTreeSet<String>,
    in_tests: BTreeSet<String>,
}

/// The table below "Layers": a crate, what it may import, and what its tests may import beside that.
fn table() -> BTreeMap<String, Row> {
    let architecture = std::fs::read_to_string(repository().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let (_, section) = architecture.split_once("\n## Layers\n").expect("a section `Layers`");
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    let row = |line: &str| {
        let (name, rest) = line.split_once('`')?;
        let cells: Vec<&str> = rest.split('|').collect();
        Some((name.to_owned(), Row { imports: names(cells.get(1)?), in_tests: names(cells.get(2)?) }))
    };
    rows.map(|line| row(line).unwrap_or_else(|| panic!("a row of three cells: {line}"))).collect()
}

fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("tests/layers is two folders below").to_path_buf()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}
