//! The files of a project.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use gatewayc::Checked;
use gatewayc::build_script::{open_documents, write as write_generated};
use gatewayc::diagnostic::{Format, render};
use gatewayc::emit::{emit, needs};
use gatewayc::files::Package;
use gatewayc::ir::Gateway;
use gatewayc::policy;

use crate::new::crates::Crates;
use crate::new::fault::wrong;
use crate::output::{print, summary};

/// Path and text of what every project has. `<<…>>` is filled in.
const FILES: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("files/Cargo.toml.template")),
    ("build.rs", include_str!("files/build.rs.template")),
    ("generated/lib.rs", include_str!("files/lib.rs.template")),
    ("generated/main.rs", include_str!("files/main.rs.template")),
    ("tests/policy.rs", include_str!("files/policy.rs.template")),
    ("gateway.yaml", include_str!("files/gateway.yaml.template")),
    ("consumers.yaml", include_str!("files/consumers.yaml.template")),
    (".cargo/config.toml", include_str!("files/cargo-config.toml.template")),
    (".gitignore", include_str!("files/gitignore.template")),
    (".dockerignore", include_str!("files/dockerignore.template")),
    ("Dockerfile", include_str!("files/Dockerfile.template")),
    (".github/workflows/gateway.yml", include_str!("files/workflow.yml.template")),
    ("README.md", include_str!("files/README.md.template")),
];

/// What stands in the manifest for the features of `gateway-runtime`, until it is known which the documents need.
const NO_FEATURES: &str = ", default-features = false, features = []";

/// Names that a package cannot have, or that stand for something else where generated code names crates.
const RESERVED: &[&str] = &[
    "build",
    "deps",
    "examples",
    "incremental",
    "gatewayc",
    "gateway-runtime",
    "gateway-dev",
    "gateway_runtime",
    "gateway_dev",
    "insta",
    "test",
    "core",
    "std",
    "alloc",
    "proc-macro",
    "proc_macro",
];

/// The name of the package in a folder.
pub(super) fn package_name(folder: &Path) -> io::Result<String> {
    let named = std::path::absolute(folder)?;
    let name = named.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_ascii_lowercase();
    let name: String =
        name.chars().map(|one| if one.is_ascii_alphanumeric() || one == '_' { one } else { '-' }).collect();
    let name = name.trim_matches('-').to_owned();
    if !name.starts_with(|first: char| first.is_ascii_alphabetic()) || RESERVED.contains(&&*name) || is_keyword(&name) {
        let folder = folder.display();
        return Err(wrong(format!("{folder}: a package cannot be called `{name}`; choose a folder with another name")));
    }
    Ok(name)
}

/// Words that are no names of crates.
fn is_keyword(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn",
        "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro",
        "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "struct", "super",
        "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
    ];
    WORDS.contains(&name)
}

/// What every project has.
pub(super) fn files(package: &str, crates: &Crates) -> Vec<(String, Vec<u8>)> {
    let values = [
        ("package", package.to_owned()),
        ("library", package.replace('-', "_")),
        ("rust-version", env!("CARGO_PKG_RUST_VERSION").to_owned()),
        ("gateway-dev", crates.requirement("gateway-dev", ", optional = true")),
        ("gateway-runtime", crates.requirement("gateway-runtime", NO_FEATURES)),
        ("gatewayc-build", crates.requirement("gatewayc", ", default-features = false")),
        ("note-on-images", note_on_images(crates)),
        ("note-on-checkouts", note_on_checkouts(crates)),
    ];
    FILES.iter().map(|(path, template)| ((*path).to_owned(), filled(template, &values).into_bytes())).collect()
}

/// An image is built from the project's folder alone.
fn note_on_images(crates: &Crates) -> String {
    match crates {
        Crates::Path { shown, .. } => format!(
            "# The crates of the gateway are in {shown}, which the image's build does not see: build it from a folder that\n\
             # holds both, or name a git revision or a version in Cargo.toml first.\n"
        ),
        Crates::Git { .. } | Crates::Version(_) => String::new(),
    }
}

/// A workflow checks out the project alone.
fn note_on_checkouts(crates: &Crates) -> String {
    match crates {
        Crates::Path { shown, .. } => format!(
            "# The crates of the gateway are in {shown}, which is not checked out here: name a git revision or a version in\n\
             # Cargo.toml first, or check them out as well.\n"
        ),
        Crates::Git { .. } | Crates::Version(_) => String::new(),
    }
}

fn filled(template: &str, values: &[(&str, String)]) -> String {
    let mut text = template.to_owned();
    for (name, value) in values {
        text = text.replace(&format!("<<{name}>>"), value);
    }
    text
}

/// A document to begin with.
pub(super) fn starter(package: &str) -> String {
    filled(include_str!("files/starter.yaml.template"), &[("package", package.to_owned())])
}

/// Writes the files into a folder that is empty or not there.
pub(super) fn write(folder: &Path, files: &[(String, Vec<u8>)], lock: Option<PathBuf>) -> io::Result<()> {
    let at = |path: &Path, error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    match fs::read_dir(folder) {
        Ok(mut entries) => {
            // A repository that was begun is no project yet.
            if entries.any(|entry| entry.map_or(true, |entry| entry.file_name() != ".git")) {
                return Err(wrong(format!("{} is not empty", folder.display())));
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(at(folder, error)),
    }
    for (path, bytes) in files {
        let path = folder.join(path);
        path.parent().map_or(Ok(()), fs::create_dir_all).map_err(|error| at(&path, error))?;
        fs::File::create_new(&path).and_then(|mut file| file.write_all(bytes)).map_err(|error| at(&path, error))?;
    }
    if let Some(lock) = lock {
        // Cargo removes what this project does not need.
        fs::copy(&lock, folder.join("Cargo.lock")).map_err(|error| at(&lock, error))?;
    }
    Ok(())
}

/// Compiles the documents, so that the first build and the first test find what is reviewed; says what comes next.
pub(super) fn conclude(folder: &Path) -> io::Result<ExitCode> {
    let shown = folder.display();
    // Places are named as the project's own build names them.
    std::env::set_current_dir(folder)?;
    let (messages, checked) = check()?;
    let Some(checked) = checked else {
        print(&format!(
            "{messages}\n{shown} is written. It builds once the errors above are settled in specs/; flags of `gatewayc new` \
             settle some of them.\n"
        ))?;
        return Ok(ExitCode::FAILURE);
    };
    write_generated(&emit(&checked.gateway), Path::new("generated"))?;
    add_features(&checked.gateway)?;
    let snapshot = Path::new("tests/snapshots/policy__policy.snap");
    snapshot.parent().map_or(Ok(()), fs::create_dir_all)?;
    let head = "---\nsource: tests/policy.rs\nexpression: \"gatewayc::policy_test::policy()\"\n---\n";
    fs::write(snapshot, format!("{head}{}\n", policy::render(&checked.gateway).trim_end()))?;
    print(&format!(
        "{messages}{}: served by {shown}. Next:\n\n  cd {shown}\n  cargo run -- dev --mock    # follows every change of \
         specs/, and answers from examples where no upstream is\n  cargo test                 # compares the policy with the \
         reviewed one\n  cargo run --release        # the compiled gateway\n",
        summary(&checked),
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Says what the project's documents are now that `name` is one of them.
pub(super) fn report(name: &str) -> io::Result<ExitCode> {
    let (messages, checked) = check()?;
    print(&messages)?;
    let Some(checked) = checked else {
        print(&format!("specs/{name} is written; the project builds once the errors above are settled.\n"))?;
        return Ok(ExitCode::FAILURE);
    };
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    if !checked.gateway.apis.iter().any(|api| api.name == stem) {
        print(&format!("specs/{name} is written, but gatewayc.yaml does not list it: add it to `documents`.\n"))?;
        return Ok(ExitCode::FAILURE);
    }
    print(&format!("specs/{name} is served as well: {}.\n", summary(&checked)))?;
    let needed: BTreeSet<&str> = checked.gateway.apis.iter().flat_map(needs).collect();
    if !needed.is_empty() {
        let needed: Vec<&str> = needed.into_iter().collect();
        print(&format!("Features of gateway-runtime that the documents need: {}.\n", needed.join(", ")))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The messages about the documents of the current folder, and what they say if there are no errors.
fn check() -> io::Result<(String, Option<Checked>)> {
    let Package { mut sources, diagnostics, .. } = open_documents(Path::new(""), None).map_err(io::Error::other)?;
    let checked = gatewayc::check(&mut sources).with(diagnostics);
    let is_styled = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let messages = render(&checked.diagnostics, &sources, if is_styled { Format::Styled } else { Format::Human });
    let is_good = !checked.diagnostics.has_errors();
    Ok((messages, is_good.then_some(checked)))
}

/// Names the features in the manifest that the documents need.
fn add_features(gateway: &Gateway) -> io::Result<()> {
    let needed: BTreeSet<&str> = gateway.apis.iter().flat_map(needs).collect();
    let needed: Vec<String> = needed.iter().map(|feature| format!("\"{feature}\"")).collect();
    let with_features = NO_FEATURES.replace("[]", &format!("[{}]", needed.join(", ")));
    let manifest = fs::read_to_string("Cargo.toml")?;
    fs::write("Cargo.toml", manifest.replace(NO_FEATURES, &with_features))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_s_name_becomes_a_package_s() {
        let name = |folder: &str| package_name(Path::new(folder)).ok();
        assert_eq!(name("/tmp/Shop Gateway").as_deref(), Some("shop-gateway"));
        assert_eq!(name("shop.example").as_deref(), Some("shop-example"));
        for wrong in ["/", "7shops", "gatewayc", "/tmp/é", "fn"] {
            assert_eq!(name(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn nothing_is_left_to_be_filled_in() {
        let crates = Crates::find(Some("0.2"), Path::new("/tmp/shop")).expect("a version");
        for (path, text) in files("shop", &crates) {
            let text = String::from_utf8(text).expect("text");
            assert!(!text.contains("<<"), "{path}: {text}");
        }
    }
}
