//! The reviewed copy: refreshed where it differs, and cleared of what is gone, but never of what a person wrote.

use std::fs;
use std::path::Path;

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
    let files = compile(&specs, &mut String::new()).expect("no mistakes");
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
    let messages = compile(&specs, &mut String::new()).expect_err("an unprotected operation");
    assert!(messages.contains("GW201"), "{messages}");
}

fn names(files: &[File]) -> Vec<&str> {
    files.iter().map(|file| file.name.as_str()).collect()
}
