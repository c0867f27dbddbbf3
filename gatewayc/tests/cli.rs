//! The command as a user meets it: exit codes, output streams, the specs root on a real file system.

#![expect(clippy::disallowed_methods, reason = "a command line works on files")]
#![cfg(feature = "cli")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// A directory of its own for every test, removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let path = std::env::temp_dir().join(format!("gatewayc-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        for (file, text) in files {
            let file = path.join(file);
            fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
            fs::write(file, text).expect("a file");
        }
        Self(path)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatewayc"));
        command.args(arguments).current_dir(&self.0).output().expect("runs")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const GOOD: &str = "openapi: 3.1.0\ninfo: {title: Notes, version: \"1\"}\nservers: [{url: https://example.com/v1/}, {url: /beta}]\nsecurity: [{key: []}, {basic: [], mtls: []}, {jwt: [\"notes:write\"]}]\npaths:\n  /notes:\n    x-gateway: {upstream: notes}\n    get: {operationId: listNotes}\n    put: {security: []}\n    patch: {security: [{key: []}, {}]}\ncomponents:\n  securitySchemes:\n    key: {type: apiKey, in: header, name: X-Key}\n    basic: {type: http, scheme: basic}\n    mtls: {type: mutualTLS}\n    jwt: {type: http, scheme: bearer}\n";

#[test]
fn routes_as_a_table() {
    let directory = Directory::new("table", &[("specs/notes.yaml", GOOD)]);
    let output = directory.run(&["routes", "specs/notes.yaml"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    insta::assert_snapshot!(text(&output.stdout));
}

#[test]
fn explain_says_what_could_not_be_compiled() {
    let directory = Directory::new("explain-broken", &[("specs/a.yaml", "openapi: ["), ("specs/b.yaml", GOOD)]);
    let output = directory.run(&["explain", "GET", "/a", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).starts_with('{'), "standard output is JSON alone");
    assert!(text(&output.stderr).contains("error[GW110]"), "{}", text(&output.stderr));
}

#[test]
fn routes_as_json() {
    let directory = Directory::new("json", &[("specs/notes.yaml", GOOD)]);
    let output = directory.run(&["routes", "--format", "json", "specs"]);
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(list[0]["paths"], serde_json::json!(["/v1/notes", "/beta/notes"]));
    assert_eq!((&list[2]["method"], &list[2]["line"]), (&"PATCH".into(), &10.into()));
}

#[test]
fn operations_that_cannot_be_listed_are_reported_on_standard_error() {
    let text_of =
        "openapi: 3.1.0\ninfo: {title: x, version: \"1\"}\npaths:\n  /a: {get: {}}\n  /b: {$ref: gone.yaml}\n";
    let directory = Directory::new("missing", &[("x.yaml", text_of)]);
    let output = directory.run(&["routes", "x.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("\nGET     /a"), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("x.yaml:5:14"), "{}", text(&output.stderr));
}

#[test]
fn exit_codes_of_check() {
    let bad = "openapi: 3.1.0\ninfo: {title: x, version: \"1\"}\npaths: {/a: {get: {secuirty: []}}}\n";
    let directory = Directory::new("check", &[("bad.yaml", bad)]);
    for (arguments, code) in [
        (&["check", "bad.yaml"][..], 1),
        (&["check", "--format", "short", "bad.yaml"], 1),
        (&["check", "nope.yaml"], 2),
        (&["check"], 2),
        (&["explain", "GW202"], 0),
        (&["explain"], 0),
        (&["--version"], 0),
    ] {
        let output = directory.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output.stderr));
    }
    let json = directory.run(&["check", "--format", "json", "bad.yaml"]);
    for line in text(&json.stdout).lines() {
        let message: serde_json::Value = serde_json::from_str(line).expect("one object per line");
        assert!(message["code"].is_string() && message["file"] == "bad.yaml" && message["line"].is_u64(), "{line}");
    }
}

#[test]
fn references_must_not_leave_the_root() {
    let main = "openapi: 3.1.0\ninfo: {title: x, version: \"1\"}\npaths:\n  /a: {$ref: ../common/a.yaml}\n";
    let files = [("api/main.yaml", main), ("common/a.yaml", "get: {operationId: common}\n")];
    let directory = Directory::new("root", &files);
    let alone = directory.run(&["routes", "api/main.yaml"]);
    assert!(text(&alone.stderr).contains("error[GW116]"), "{}", text(&alone.stderr));
    let with_root = directory.run(&["routes", "--root", ".", "api/main.yaml"]);
    assert!(text(&with_root.stdout).contains("common/a.yaml:1"), "{}", text(&with_root.stdout));
    let outside = directory.run(&["routes", "--root", "common", "api/main.yaml"]);
    assert_eq!(outside.status.code(), Some(2), "{}", text(&outside.stderr));
}

#[test]
fn a_root_elsewhere_brings_its_documents() {
    let main = "openapi: 3.1.0\ninfo: {title: x, version: \"1\"}\npaths:\n  /a: {$ref: ../common/a.yaml}\n";
    let files = [("api/specs/main.yaml", main), ("api/common/a.yaml", "get: {operationId: common}\n"), ("else/a", "")];
    let directory = Directory::new("elsewhere", &files);
    let listed = || directory.run(&["routes", "--root", "api"]);
    assert!(text(&listed().stdout).contains("api/common/a.yaml:1"), "{}", text(&listed().stderr));
    let list = |text: &str| fs::write(directory.0.join("api/gatewayc.yaml"), text).expect("a file");
    list("documents: [specs/*.yaml]\n");
    assert!(text(&listed().stdout).contains("api/common/a.yaml:1"), "{}", text(&listed().stderr));
    list("documents: [specs/*.yaml]\nroot: ..\n");
    for (output, expected) in [
        (listed(), "api/gatewayc.yaml has a `root` of its own"),
        (directory.run(&["check", "--root", "else"]), "neither here nor in else is a gatewayc.yaml"),
        (directory.run(&["check", "--root", "nowhere"]), "nowhere"),
    ] {
        assert!(output.status.code() == Some(2) && text(&output.stderr).contains(expected), "{}", text(&output.stderr));
    }
}

#[test]
fn a_folder_without_documents_is_no_folder_of_documents() {
    let main = SERVED.replace("  /a: {$ref: \"../shared/a.yaml\"}\n", "");
    let directory = Directory::new("no-documents", &[("api/specs/main.yaml", &*main), ("specs/README.md", "")]);
    let elsewhere = directory.run(&["check", "--root", "api"]);
    assert!(text(&elsewhere.stdout).contains("1 document"), "{}", text(&elsewhere.stderr));
    let empty = |text: &str| fs::write(directory.0.join("gatewayc.yaml"), text).expect("a file");
    let refused = |arguments: &[&str], expected: &str| {
        let output = directory.run(arguments);
        let (told, message) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.code() == Some(2) && told.is_empty() && message.contains(expected), "{told}{message}");
    };
    for command in ["check", "routes"] {
        refused(&[command], "no folder `specs` with documents");
        refused(&[command, "specs"], "there is no document in specs: no file ends in");
        refused(&[command, "--root", "specs"], "neither here nor in specs is");
    }
    empty("strict: true\n");
    refused(&["check"], "there is no document in specs, and gatewayc.yaml lists none");
}

#[cfg(unix)]
#[test]
fn links_must_not_leave_the_root_either() {
    let main = "openapi: 3.1.0\ninfo: {title: x, version: \"1\"}\npaths:\n  /a: {$ref: link.yaml}\n";
    let directory = Directory::new("link", &[("api/main.yaml", main), ("secret.yaml", "get: {}\n")]);
    std::os::unix::fs::symlink("../secret.yaml", directory.0.join("api/link.yaml")).expect("a link");
    let output = directory.run(&["routes", "api/main.yaml"]);
    assert!(text(&output.stderr).contains("error[GW116]"), "{}", text(&output.stderr));
}

#[test]
fn a_reader_may_stop_reading() {
    let many: String = (0..5000).map(|n| format!("  /{n}: {{get: {{}}}}\n")).collect();
    let text_of = format!("openapi: 3.1.0\ninfo: {{title: x, version: \"1\"}}\npaths:\n{many}");
    let directory = Directory::new("pipe", &[("x.yaml", &text_of)]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_gatewayc"))
        .args(["routes", "x.yaml"])
        .current_dir(&directory.0)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ends");
    assert_eq!((output.status.code(), &*text(&output.stderr)), (Some(0), ""));
}

const SERVED: &str = "openapi: 3.1.0\ninfo: {title: Notes, version: \"1\"}\nx-gateway: {version: 1, upstream: {url: \"http://127.0.0.1:1\"}}\nsecurity: []\npaths:\n  /notes: {get: {operationId: list}, post: {operationId: add}}\n  /a: {$ref: \"../shared/a.yaml\"}\n";

#[test]
fn check_reports_success() {
    let directory =
        Directory::new("well", &[("specs/notes.yaml", &SERVED.replace("  /a: {$ref: \"../shared/a.yaml\"}\n", ""))]);
    let output = directory.run(&["check", "specs"]);
    assert_eq!((output.status.code(), &*text(&output.stdout)), (Some(0), "ok: 1 document, 2 operations, 2 public\n"));
    for format in ["short", "json"] {
        let output = directory.run(&["check", "specs", "--format", format]);
        assert!(output.status.success() && output.stdout.is_empty(), "a message a line: {}", text(&output.stdout));
    }
}

#[test]
fn explain_reads_below_a_root_and_sums_up() {
    let files = [("api/specs/notes.yaml", SERVED), ("api/shared/a.yaml", "get: {operationId: a}\n")];
    let second = SERVED.replace("/notes:", "/other:");
    let directory = Directory::new("explain-root", &[files[0], files[1], ("api/specs/other.yaml", &second)]);
    let outside = directory.run(&["explain", "GET", "/a", "api/specs"]);
    assert!(text(&outside.stderr).contains("GW116"), "{}", text(&outside.stderr));
    let output = directory.run(&["explain", "GET", "/a", "api/specs", "--root", "api"]);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("is answered by `a`"), "{}", text(&output.stdout));
    let nowhere = directory.run(&["explain", "GET", "/nowhere", "api/specs", "--root", "api"]);
    let expected = "GET /nowhere\n  is answered with 404: none of the 4 paths of notes, other matches\n";
    assert_eq!((nowhere.status.code(), &*text(&nowhere.stdout)), (Some(1), expected));
    let bad = directory.run(&["explain", "GET", "/a", "api/specs", "--header", "X-Target"]);
    assert_eq!(bad.status.code(), Some(2));
    assert!(text(&bad.stderr).contains("NAME: VALUE"), "{}", text(&bad.stderr));
}

const OVERLAY: &str = "overlay: 1.1.0\ninfo: {title: t, version: \"1\"}\nactions:\n  - {target: \"$.paths['/a']\", remove: true}\n  - {target: $.paths.*.post, update: {x-gateway: {maxBody: 1MiB}}}\n";

#[test]
fn every_command_sees_overlays() {
    let files = [("specs/notes.yaml", SERVED), ("specs/notes.overlay.yaml", OVERLAY)];
    let directory = Directory::new("overlay", &files);
    let all: [&[&str]; 7] = [
        &["check"],
        &["check", "specs"],
        &["check", "specs/notes.yaml"],
        &["check", "specs/notes.overlay.yaml"],
        &["routes", "specs/notes.yaml"],
        &["explain", "POST", "/notes"],
        &["generate"],
    ];
    for arguments in all {
        let output = directory.run(arguments);
        assert!(output.status.success(), "{arguments:?}\n{}{}", text(&output.stdout), text(&output.stderr));
        assert!(!text(&output.stdout).contains("/a "), "{}", text(&output.stdout));
    }
    let generated = fs::read_to_string(directory.0.join("generated/notes.rs")).expect("a module");
    assert!(generated.starts_with("// @generated by gatewayc from specs/notes.yaml with specs/notes.overlay.yaml. Do"));
    assert_eq!(fs::read_to_string(directory.0.join("specs/notes.yaml")).expect("the document"), SERVED);

    fs::rename(directory.0.join("specs/notes.overlay.yaml"), directory.0.join("specs/note.overlay.yaml"))
        .expect("a file");
    let output = directory.run(&["check", "specs", "--format", "short"]);
    assert!(text(&output.stdout).contains("specs/note.overlay.yaml:1:1: error[GW124]"), "{}", text(&output.stdout));
    assert_eq!(directory.run(&["check", "specs/note.overlay.yaml"]).status.code(), Some(1));
}

#[test]
fn without_a_file_the_package_counts() {
    let files = [
        ("services/notes/openapi.yaml", &*SERVED.replace("  /a: {$ref: \"../shared/a.yaml\"}\n", "")),
        ("gatewayc.yaml", "documents: [services/*/openapi.yaml]\n"),
    ];
    let directory = Directory::new("package", &files);
    let output = directory.run(&["check"]);
    assert_eq!(text(&output.stdout), "ok: 1 document, 2 operations, 2 public\n", "{}", text(&output.stderr));
    assert!(text(&directory.run(&["routes"]).stdout).contains("services/notes/openapi.yaml:6"));
    assert!(text(&directory.run(&["explain", "GET", "/notes"]).stdout).contains("of notes"));
    assert!(directory.run(&["generate"]).status.success() && directory.0.join("generated/notes.rs").exists());
    // The root that is its own may be named.
    let output = directory.run(&["check", "--root", "."]);
    assert_eq!(text(&output.stdout), "ok: 1 document, 2 operations, 2 public\n", "{}", text(&output.stderr));
    let output = directory.run(&["check", "--root", "services"]);
    assert!(
        output.status.code() == Some(2) && text(&output.stderr).contains("gatewayc.yaml here have the root"),
        "{}",
        text(&output.stderr)
    );

    fs::write(directory.0.join("gatewayc.yaml"), "documents: [service/*/openapi.yaml]\n").expect("a file");
    for arguments in [&["check"] as &[&str], &["routes"], &["generate"]] {
        let output = directory.run(arguments);
        let all = text(&output.stdout) + &text(&output.stderr);
        assert!(output.status.code() == Some(1) && all.contains("gatewayc.yaml:1:13"), "{arguments:?}\n{all}");
    }

    fs::rename(directory.0.join("gatewayc.yaml"), directory.0.join("gatewayc.yml")).expect("a file");
    let output = directory.run(&["check"]);
    assert!(output.status.code() == Some(2) && text(&output.stderr).contains("call it gatewayc.yaml"));

    let empty = Directory::new("nothing", &[("a.txt", "")]);
    let output = empty.run(&["check"]);
    assert!(output.status.code() == Some(2) && text(&output.stderr).contains("name a document"));
}

#[test]
fn completions_and_manual_pages() {
    let directory = Directory::new("man", &[("a.txt", "")]);
    for (shell, words) in
        [("bash", "complete -F _gatewayc"), ("zsh", "#compdef gatewayc"), ("fish", "complete -c gatewayc")]
    {
        let output = directory.run(&["completions", shell]);
        assert!(output.status.success() && text(&output.stdout).contains(words), "{shell}: {}", text(&output.stdout));
    }
    assert_eq!(directory.run(&["completions", "tcsh"]).status.code(), Some(2));
    let page = text(&directory.run(&["man"]).stdout);
    assert!(page.contains(".TH gatewayc 1") && page.contains("check"), "{page}");
    assert!(directory.run(&["man", "--out", "man1"]).status.success());
    for page in ["gatewayc.1", "gatewayc-check.1", "gatewayc-generate.1"] {
        assert!(directory.0.join("man1").join(page).is_file(), "{page}");
    }
}
