//! The reviewed copy: refreshed where it differs, and cleared of what is gone, but never of what a person wrote.

#![expect(clippy::disallowed_methods, reason = "a build script works on files")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use gatewayc::build_script::{compile, differences, write};
use gatewayc::emit::{File, MARK};

const DOCUMENT: &str = r#"openapi: 3.1.0
info: {title: t, version: "1"}
x-gateway: {version: 1, upstream: {url: "http://127.0.0.1:8080"}}
security: []
paths: {/a: {get: {}}, /b: {$ref: "parts/b.yaml"}}
"#;

#[test]
fn a_folder_follows_its_documents() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("build-script");
    let _ = fs::remove_dir_all(&folder);
    let (specs, generated) = (folder.join("specs"), folder.join("generated"));
    fs::create_dir_all(specs.join("parts")).expect("a folder");
    fs::write(specs.join("a.yaml"), DOCUMENT).expect("a document");
    fs::write(specs.join("parts/b.yaml"), "get: {operationId: b}\n").expect("a part");
    let files = compile(&specs, &mut String::new()).expect("no mistakes").files;
    assert_eq!(names(&files), ["a.rs", "gateway.rs"]);
    assert!(files[0].text.contains("id: \"b\""));

    assert_eq!(differences(&files, &generated).expect("a folder"), ["a.rs", "gateway.rs"]);
    write(&files, &generated).expect("a folder that can be written");
    assert_eq!(differences(&files, &generated).expect("a folder"), [""; 0]);

    fs::write(generated.join("a.rs"), "changed").expect("a file");
    fs::write(generated.join("old.rs"), format!("{MARK} from specs/old.yaml.\n")).expect("a file");
    fs::write(generated.join("lib.rs"), "//! By hand.\n").expect("a file");
    assert_eq!(differences(&files, &generated).expect("a folder"), ["a.rs", "old.rs"]);
    write(&files, &generated).expect("a folder that can be written");
    assert_eq!(differences(&files, &generated).expect("a folder"), [""; 0]);
    assert!(generated.join("lib.rs").exists() && !generated.join("old.rs").exists());

    fs::write(specs.join("a.yaml"), DOCUMENT.replace("security: []", "")).expect("a document");
    let messages = compile(&specs, &mut String::new()).expect_err("an unprotected operation").to_string();
    assert!(messages.contains("GW201"), "{messages}");
}

#[test]
fn a_folder_without_documents_is_no_gateway() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-documents");
    fs::create_dir_all(folder.join("a.yaml")).expect("a folder that is called like a document");
    let message = compile(&folder, &mut String::new()).expect_err("nothing to serve").to_string();
    assert!(message.contains("there is no document"), "{message}");
}

#[test]
fn files_that_are_not_text_are_ignored() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("not-ours");
    fs::create_dir_all(folder.join("folder.rs")).expect("a folder");
    fs::write(folder.join("octets.rs"), [0xff]).expect("a file");
    assert_eq!(differences(&[], &folder).expect("readable"), [""; 0]);
}

/// Not a test: what a build script does, in a process of its own with the environment that cargo gives it.
#[test]
#[ignore = "run by the next test"]
fn as_a_build_script() {
    if std::env::var_os("OUT_DIR").is_some() {
        gatewayc::build_script::run();
    }
}

fn build(package: &Path, variables: &[(&str, &str)]) -> Output {
    let out = package.join("out");
    fs::create_dir_all(&out).expect("a folder");
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", "as_a_build_script", "--ignored", "--nocapture", "--test-threads=1"]);
    for name in ["GATEWAY_SPECS", "GATEWAY_GENERATED", "GATEWAY_LOCKED"] {
        command.env_remove(name);
    }
    command.env("CARGO_MANIFEST_DIR", package).env("OUT_DIR", &out).envs(variables.iter().copied());
    command.current_dir(package).output().expect("it starts")
}

#[test]
fn a_locked_build_refuses_any_difference() {
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("locked");
    let _ = fs::remove_dir_all(&package);
    let (specs, generated) = (package.join("specs"), package.join("generated"));
    fs::create_dir_all(&specs).expect("a folder");
    fs::write(specs.join("a.yaml"), DOCUMENT.replace(r#", /b: {$ref: "parts/b.yaml"}"#, "")).expect("a document");
    let module = generated.join("a.rs");
    let locked = |variables: &[(&str, &str)]| {
        let before = fs::read_to_string(&module).ok();
        let output = build(&package, &[&[("GATEWAY_LOCKED", "1")], variables].concat());
        assert_eq!(fs::read_to_string(&module).ok(), before, "a locked build writes nothing there");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let refused = |what: &str| {
        let (good, said) = locked(&[]);
        assert!(!good && said.contains(what) && said.contains("gatewayc generate"), "{what}: {said}");
    };

    refused("a.rs, gateway.rs");
    assert!(build(&package, &[]).status.success());
    let reviewed = fs::read_to_string(&module).expect("written by the build");
    assert_eq!(fs::read_to_string(package.join("out/a.rs")).ok().as_ref(), Some(&reviewed), "compiled = reviewed");
    assert_eq!(locked(&[]), (true, String::new()));
    for (specs, generated) in [("specs", "generated"), ("./specs/", "./generated")] {
        assert!(locked(&[("GATEWAY_SPECS", specs), ("GATEWAY_GENERATED", generated)]).0, "{specs}");
    }
    let absolute = [&specs, &generated].map(|folder| folder.to_str().expect("Unicode"));
    assert!(locked(&[("GATEWAY_SPECS", absolute[0]), ("GATEWAY_GENERATED", absolute[1])]).0);

    let alone = build(&package, &[("GATEWAY_LOCKED", "1"), ("GATEWAY_SPECS", "specs")]);
    let said = String::from_utf8_lossy(&alone.stdout);
    assert!(alone.status.success() && said.contains("cargo::warning=GATEWAY_LOCKED compared nothing"), "{said}");
    for variables in [&[("GATEWAY_LOCKED", "1")][..], &[("GATEWAY_SPECS", "specs")]] {
        let said = build(&package, variables).stdout;
        assert!(!String::from_utf8_lossy(&said).contains("compared nothing"), "{variables:?}");
    }

    fs::write(&module, reviewed.replace("/a", "/b")).expect("edited by hand");
    refused("a.rs");
    fs::remove_file(&module).expect("missing");
    refused("a.rs");
    fs::write(&module, &reviewed).expect("as reviewed");
    fs::write(generated.join("old.rs"), format!("{MARK} from specs/old.yaml.\n")).expect("a file too many");
    refused("old.rs");
    fs::remove_file(generated.join("old.rs")).expect("removed");
    assert!(locked(&[]).0);

    fs::write(specs.join("a.yaml"), DOCUMENT.replace("security: []", "secuirty: []")).expect("a mistake");
    let (good, said) = locked(&[]);
    assert!(!good && said.contains("GW102") && said.contains("did you mean `security`?"), "{said}");
    assert!(said.contains("--> specs/a.yaml:4:1"), "a path as the package sees it: {said}");
}

#[test]
fn other_line_ends_are_no_difference() {
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("line-ends");
    let _ = fs::remove_dir_all(&package);
    fs::create_dir_all(package.join("specs")).expect("a folder");
    let document = DOCUMENT.replace(r#", /b: {$ref: "parts/b.yaml"}"#, "");
    fs::write(package.join("specs/a.yaml"), document.replace('\n', "\r\n")).expect("a document");
    assert!(build(&package, &[]).status.success());
    let module = package.join("generated/a.rs");
    let windows = fs::read_to_string(&module).expect("written").replace('\n', "\r\n");
    fs::write(&module, &windows).expect("as git has it on Windows");
    let output = build(&package, &[("GATEWAY_LOCKED", "1")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(build(&package, &[]).status.success());
    assert_eq!(fs::read_to_string(&module).ok(), Some(windows.clone()), "nothing to refresh");
    fs::write(&module, windows.replace("/a", "/b")).expect("edited by hand");
    let said = build(&package, &[("GATEWAY_LOCKED", "1")]).stderr;
    assert!(String::from_utf8_lossy(&said).contains("a.rs"));
}

/// Cargo runs a build script again where a file that it watches is newer than the script's last start.
#[test]
fn a_build_does_not_trigger_itself() {
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("once");
    let _ = fs::remove_dir_all(&package);
    fs::create_dir_all(package.join("specs")).expect("a folder");
    let document = DOCUMENT.replace(r#", /b: {$ref: "parts/b.yaml"}"#, "");
    for path in ["/a", "/c"] {
        fs::write(package.join("specs/a.yaml"), document.replace("/a", path)).expect("a document");
        let stamp = package.join("started");
        fs::write(&stamp, "").expect("a file");
        let started = fs::metadata(&stamp).and_then(|stamp| stamp.modified()).expect("a time");
        assert!(build(&package, &[]).status.success());
        for name in ["generated/a.rs", "generated/gateway.rs", "generated"] {
            let modified = fs::metadata(package.join(name)).and_then(|file| file.modified()).expect("a time");
            assert!(modified <= started, "{name} of {path}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_stale_file_that_cannot_be_written_is_named() {
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("read-only");
    let _ = fs::remove_dir_all(&package);
    fs::create_dir_all(package.join("specs")).expect("a folder");
    let document = DOCUMENT.replace(r#", /b: {$ref: "parts/b.yaml"}"#, "");
    fs::write(package.join("specs/a.yaml"), document).expect("a document");
    // A file where the folder should be cannot be written into, not even by root.
    fs::create_dir_all(package.join("generated/a.rs/in-the-way")).expect("a folder");
    let output = build(&package, &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("a.rs") && said.contains("gatewayc generate"), "{said}");
}

#[test]
fn hidden_files_are_no_documents() {
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hidden");
    let _ = fs::remove_dir_all(&package);
    let specs = package.join("specs");
    fs::create_dir_all(&specs).expect("a folder");
    fs::write(specs.join("a.yaml"), DOCUMENT.replace(r#", /b: {$ref: "parts/b.yaml"}"#, "")).expect("a document");
    fs::write(specs.join("._a.yaml"), b"\0\x05\x16\x07\0\x02\0\0Mac OS X").expect("a file");
    fs::write(specs.join(".draft.yaml"), DOCUMENT.replace("/a:", "/draft:")).expect("a file");
    fs::write(specs.join(".spectral.yaml"), "extends: [[spectral:oas, all]]\n").expect("a file");
    fs::write(specs.join(".json"), "{}").expect("a file");
    let output = build(&package, &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut generated: Vec<_> = fs::read_dir(package.join("generated"))
        .expect("a folder")
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .collect();
    generated.sort();
    assert_eq!(generated, ["a.rs", "gateway.rs"]);
}

#[cfg(unix)]
#[test]
fn files_that_are_served_are_beside_what_is_compiled() {
    use std::os::unix::fs::symlink;

    const SERVING: &str = r#"openapi: 3.1.0
info: {title: t, version: "1"}
x-gateway: {version: 1}
security: []
paths:
  /: {get: {x-gateway: {builtin: static, file: pages/index.html}}}
  "/pages/{+rest}":
    parameters: [{name: rest, in: path, required: true, schema: {type: string}}]
    get: {x-gateway: {builtin: static, dir: pages}}
"#;
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("serving");
    let _ = fs::remove_dir_all(&package);
    let pages = package.join("specs/pages");
    fs::create_dir_all(pages.join("deep")).expect("a folder");
    fs::write(package.join("specs/a-b.yaml"), SERVING).expect("a document");
    for (name, bytes) in
        [("index.html", b"<p>".as_slice()), ("deep/a \"b\" \u{e9}.bin", &[0xff, 0]), (".hidden", b"secret")]
    {
        fs::write(pages.join(name), bytes).expect("a page");
    }
    symlink("index.html", pages.join("also.html")).expect("a link");
    let output = build(&package, &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let out = package.join("out/a_b/pages");
    assert_eq!(fs::read(out.join("deep/a \"b\" \u{e9}.bin")).ok().as_deref(), Some(&[0xff, 0][..]));
    assert_eq!(fs::read(out.join("also.html")).ok().as_deref(), Some(&b"<p>"[..]));
    assert!(!out.join(".hidden").exists() && !package.join("generated/a_b").exists());

    fs::write(pages.join("index.html"), "<b>").expect("a page");
    assert!(build(&package, &[("GATEWAY_LOCKED", "1")]).status.success(), "a page is reviewed where it is");
    assert_eq!(fs::read(out.join("index.html")).ok().as_deref(), Some(&b"<b>"[..]));

    let refused = |what: &str| {
        let output = build(&package, &[]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("GW118") && said.contains(what), "{said}");
    };
    fs::write(package.join("secret"), "secret").expect("a file");
    symlink("../../secret", pages.join("link.html")).expect("a link");
    refused("it leads out of the specs directory");
    fs::remove_file(pages.join("link.html")).expect("removed");
    symlink("../..", pages.join("folder")).expect("a link");
    refused("it leads out of the specs directory");
    fs::remove_file(pages.join("folder")).expect("removed");
    symlink("nowhere", pages.join("dangling.html")).expect("a link");
    refused("there is no such file");
    fs::remove_file(pages.join("dangling.html")).expect("removed");
    fs::remove_file(pages.join("index.html")).expect("removed");
    refused("`pages/index.html` cannot be read");
}

fn names(files: &[File]) -> Vec<&str> {
    files.iter().map(|file| file.name.as_str()).collect()
}

#[test]
fn a_build_watches_what_gatewayc_yaml_lists() {
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("listed");
    let _ = fs::remove_dir_all(&package);
    let part = r#"{"/b": {"get": {"operationId": "b"}}}"#;
    for (file, text) in [
        ("gatewayc.yaml", "documents: [services/*/openapi.yaml, {file: root.yaml, name: other}]\n"),
        ("services/notes/openapi.yaml", &*DOCUMENT.replace("parts/b.yaml", "../../parts/b.json#/~1b")),
        ("parts/b.json", part),
        ("root.yaml", &DOCUMENT.replace(r#"/a: {get: {}}, /b: {$ref: "parts/b.yaml"}"#, "/c: {get: {}}")),
        (
            "root.overlay.yaml",
            "overlay: 1.1.0\ninfo: {title: t, version: \"1\"}\nactions: [{target: $.info, update: {x-a: 1}}]\n",
        ),
    ] {
        let file = package.join(file);
        fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
        fs::write(file, text).expect("a file");
    }
    let output = build(&package, &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let canonical = package.canonicalize().expect("a folder");
    let watched: Vec<&str> = stdout.lines().filter_map(|line| line.strip_prefix("cargo::rerun-if-changed=")).collect();
    let below = |path: &str| {
        let path = Path::new(path);
        path.strip_prefix(&canonical).or(path.strip_prefix(&package)).ok().map(|path| path.display().to_string())
    };
    let mut watched: Vec<String> = watched.into_iter().filter_map(below).collect();
    watched.sort();
    watched.dedup();
    let expected = [
        "gatewayc.yaml",
        "generated",
        "parts/b.json",
        "root.overlay.yaml",
        "root.yaml",
        "services",
        "services/notes",
        "services/notes/openapi.yaml",
    ];
    assert_eq!(watched, expected, "and not the package itself\n{stdout}");
    assert!(package.join("generated/other.rs").exists() && package.join("out/notes.rs").exists());
    assert!(build(&package, &[("GATEWAY_LOCKED", "1")]).status.success());

    fs::write(package.join("root.overlay.yaml"), "overlay: 1.1.0\n").expect("a mistake");
    let output = build(&package, &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("--> root.overlay.yaml:1:1"), "{said}");
}

#[test]
fn a_gateway_without_documents_is_not_built() {
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("unlisted");
    let _ = fs::remove_dir_all(&package);
    fs::create_dir_all(package.join("specs")).expect("a folder");
    fs::write(package.join("gatewayc.yaml"), "strict: true\n").expect("a file");
    let output = build(&package, &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("there is no document in specs"), "{said}");
}
