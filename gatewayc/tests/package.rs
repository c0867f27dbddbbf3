//! `gatewayc.yaml`: documents where they are, their names, and what is wrong with how they are listed.

#![expect(clippy::disallowed_methods, reason = "documents are listed on disk")]

use std::fs;
use std::path::PathBuf;

use gatewayc::build_script::compile_package;
use gatewayc::diagnostic::{Format, render};
use gatewayc::files::package;

const DOCUMENT: &str = r#"openapi: 3.1.0
info: {title: t, version: "1"}
x-gateway: {version: 1, upstream: {url: "http://127.0.0.1:8080"}}
security: []
paths: {/NAME: {get: {operationId: NAME}}}
"#;

const OVERLAY: &str = r#"overlay: 1.1.0
info: {title: t, version: "1"}
actions: [{target: $.nothing, remove: true}]
"#;

/// A folder with some documents in several places, and this `gatewayc.yaml` in `gateway`.
fn folder(name: &str, project: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("package").join(name);
    let _ = fs::remove_dir_all(&folder);
    let document = |name: &str| DOCUMENT.replace("NAME", name);
    for (file, text) in [
        ("services/notes/openapi.yaml", document("notes")),
        ("services/orders/openapi.yaml", document("orders")),
        ("services/orders/README.md", "no document".into()),
        ("services/.hidden/openapi.yaml", document("hidden")),
        ("billing/api/v1.yaml", document("billing")),
        ("billing/api/v1.limits.overlay.yaml", OVERLAY.replace("$.nothing", "$.tags")),
        ("parts/shared.yaml", "get: {operationId: shared}".into()),
        ("specs/a.yaml", document("a")),
        ("gatewayc.yaml", project.into()),
    ] {
        let file = folder.join(file);
        fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
        fs::write(file, text).expect("a file");
    }
    folder
}

/// The names and paths of the documents, and all messages.
fn listed(name: &str, project: &str) -> (String, String) {
    let package = package(&folder(name, project)).expect("readable").expect("a gatewayc.yaml");
    let mut sources = package.sources;
    let checked = gatewayc::check(&mut sources).with(package.diagnostics);
    let root = package.root.display().to_string();
    let shown = |path: &str| path.trim_start_matches(&root).trim_start_matches('/').to_owned();
    let documents: Vec<String> =
        checked.documents.iter().map(|document| format!("{}={}", document.name, shown(&document.path))).collect();
    (documents.join(" "), render(&checked.diagnostics, &sources, Format::Human))
}

#[test]
fn documents_where_they_are() {
    for (at, (project, expected)) in [
        (
            "documents: [services/*/openapi.yaml]",
            "notes=services/notes/openapi.yaml orders=services/orders/openapi.yaml",
        ),
        ("documents: [./billing/api/v1.yaml]\nstrict: false", "v1=billing/api/v1.yaml"),
        ("documents: [{file: billing/api/v1.yaml, name: billing}]", "billing=billing/api/v1.yaml"),
        ("documents: [billing/*/*.yaml]", "api-v1=billing/api/v1.yaml"),
        ("documents: [services/*/openapi.yaml, services/notes/openapi.*]\nroot: services", "GW130 listed twice"),
        ("documents: [services/n*/openapi.yaml]\nroot: .", "otes=services/notes/openapi.yaml"),
        ("documents: [notes/openapi.yaml]\nroot: services", "GW130 matches no document"),
        ("documents: [services/*/openapi.yaml]\nroot: services", "notes=notes/openapi.yaml orders=orders/openapi.yaml"),
        ("root: .", "a=specs/a.yaml"),
        ("{}", "a=specs/a.yaml"),
        ("", "GW130 nothing"),
        ("documents: []", "GW130 lists nothing"),
        ("documents: services", "GW130 expected a list"),
        ("documents: [7]", "GW130 expected a path"),
        ("documents: [{name: a}]", "GW130 has no `file`"),
        ("documents: [{file: specs/a.yaml, nam: a}]", "GW130 did you mean `name`?"),
        ("documents: [{file: services/*/openapi.yaml, name: a}]", "GW130 may match several"),
        ("documents: [services/**/openapi.yaml]", "GW130 `**` is not known"),
        ("documents: [/etc/a.yaml]", "GW130 not a relative path"),
        ("documents: [services/*/openapi.yml]", "GW130 matches no document"),
        ("documents: [billing/api/v1.limits.overlay.yaml]", "GW130 name the document"),
        ("documents: [services]", "GW130 matches no document"),
        ("documents: [services/*/openapi.yaml]\nroot: billing", "GW130 outside of the root"),
        ("documents: [specs/a.yaml]\nroot: nowhere", "GW130 there is no such folder"),
        ("document: [specs/a.yaml]", "GW130 did you mean `documents`?"),
        ("documents: [specs/a.yaml]\nstrict: maybe", "GW130 expected true or false"),
        ("documents: [\nroot: .", "GW110"),
        ("documents: [specs/a.yaml]\ndocuments: [specs/a.yaml]", "GW111"),
        ("documents: [specs/a.yaml, {file: billing/api/v1.yaml, name: a}]", "GW106 both called `a`"),
    ]
    .into_iter()
    .enumerate()
    {
        let (documents, messages) = listed(&format!("list-{at}"), project);
        match expected.strip_prefix("GW") {
            None => assert_eq!(documents, expected, "{project}\n{messages}"),
            Some(_) => {
                let (code, words) = expected.split_once(' ').unwrap_or((expected, ""));
                assert!(
                    messages.contains(&format!("error[{code}]")) && messages.contains(words),
                    "{project}\n{messages}"
                );
                assert!(messages.contains("gatewayc.yaml:"), "a place in\n{messages}");
            }
        }
    }
}

#[test]
fn equal_names_have_two_places() {
    let (_, messages) = listed("names", "documents:\n  - specs/a.yaml\n  - {file: billing/api/v1.yaml, name: a}\n");
    assert!(messages.contains("gatewayc.yaml:3:39") && messages.contains("the first"), "{messages}");
}

#[test]
fn strict_is_for_overlays() {
    for (strict, severity) in [(false, "warning"), (true, "error")] {
        let project = format!("documents: [billing/api/v1.yaml]\nstrict: {strict}\n");
        let (_, messages) = listed("strict", &project);
        assert!(messages.contains(&format!("{severity}[GW122]")), "{messages}");
    }
}

#[test]
fn a_build_uses_the_list() {
    let folder =
        folder("build", "documents:\n  - services/*/openapi.yaml\n  - {file: billing/api/v1.yaml, name: billing}\n");
    let mut warnings = String::new();
    let output = compile_package(&folder, &mut warnings).expect("no mistakes").expect("a gatewayc.yaml");
    let names: Vec<&str> = output.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["billing.rs", "gateway.rs", "notes.rs", "orders.rs"]);
    assert!(output.files[1].text.contains("from the documents in gatewayc.yaml."), "{}", output.files[1].text);
    assert!(output.files[0].text.contains("with api/v1.limits.overlay.yaml."), "{}", &output.files[0].text[..200]);
    assert!(warnings.contains("GW122"), "{warnings}");

    fs::write(folder.join("services/notes/opnapi.overlay.yaml"), OVERLAY).expect("a file");
    let messages = compile_package(&folder, &mut warnings).expect_err("an overlay without document").to_string();
    assert!(messages.contains("GW124"), "{messages}");
    assert!(compile_package(&folder.join("services"), &mut warnings).expect("readable").is_none());
}
