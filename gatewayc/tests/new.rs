//! `gatewayc new`: what it writes compiles, or says what is still to be chosen. That a whole project builds and tests is
//! shown by `.ci/package` and `.ci/new`.

#![expect(clippy::disallowed_methods, reason = "a command line works on files")]
#![cfg(feature = "cli")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gatewayc::build_script::{Output as Compiled, compile, differences};

/// A directory of its own for every test, removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gatewayc-new-test-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }

    fn with(name: &str, files: &[(&str, &str)]) -> Self {
        let directory = Self::new(name);
        for (file, text) in files {
            let file = directory.0.join(file);
            fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
            fs::write(file, text).expect("a file");
        }
        directory
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatewayc"));
        command.arg("new").args(arguments).current_dir(&self.0).output().expect("runs")
    }

    /// Runs a command that succeeds; returns what it prints.
    fn make(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    /// Runs a command that leaves something to be chosen; returns what it prints.
    fn begin(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    /// The message of a command that fails, and writes nothing.
    fn refuse(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stdout));
        assert!(!self.0.join(arguments[0]).exists(), "{arguments:?} has written something");
        text(&output.stderr)
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.0.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
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

/// The documents of a project compile to what is in its `generated`.
fn assert_is_compiled(project: &Path) {
    let mut warnings = String::new();
    let Compiled { files, .. } =
        compile(&project.join("specs"), &mut warnings).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(differences(&files, &project.join("generated")).expect("a folder"), Vec::<String>::new());
}

const SHOP: &str = "openapi: 3.0.3
info: {title: 'Shop \"one\"', version: '1'}
servers: [{url: https://shop.example/v1}]
paths:
  /health: {get: {responses: {'200': {description: up}}}}
  /carts:
    get: {security: [{tokens: [read]}], responses: {'200': {description: carts}}}
    post: {security: [{digest: []}], responses: {'201': {description: made}}}
components:
  securitySchemes:
    digest: {type: http, scheme: digest}
    tokens:
      type: oauth2
      flows: {clientCredentials: {tokenUrl: 'https://idp.example/token', scopes: {read: to read}}}
";

#[test]
fn from_nothing() {
    let directory = Directory::new("nothing");
    let printed = directory.make(&["my-shop", "--gateway", "0.2"]);
    assert!(printed.contains("1 document, 2 operations") && printed.contains("cargo run -- dev --mock"), "{printed}");
    assert_is_compiled(&directory.0.join("my-shop"));
    let manifest = directory.read("my-shop/Cargo.toml");
    assert!(manifest.contains("name = \"my-shop\"") && manifest.contains("gateway-runtime = { version = \"0.2\", "));
    assert!(directory.read("my-shop/generated/main.rs").contains("&my_shop::GATEWAY"));
    let snapshot = directory.read("my-shop/tests/snapshots/policy__policy.snap");
    assert!(snapshot.starts_with("---\nsource: tests/policy.rs\n") && snapshot.contains("api my-shop (my-shop)"));
    for file in [
        "build.rs",
        "gateway.yaml",
        "consumers.yaml",
        ".gitignore",
        "Dockerfile",
        "README.md",
        ".github/workflows/gateway.yml",
    ] {
        assert!(directory.0.join("my-shop").join(file).is_file(), "{file}");
    }
}

#[test]
fn the_profiles_are_those_of_this_repository() {
    // Without comments, debug information, and what projects have beyond it.
    let profile = |manifest: &str, name: &str| {
        let (_, rest) =
            manifest.split_once(&format!("\n[profile.{name}]\n")).unwrap_or_else(|| panic!("{name}: {manifest}"));
        let lines = rest.lines().take_while(|line| !line.is_empty());
        let lines = lines.map(|line| line.split(" #").next().unwrap_or_default().trim().to_owned());
        lines
            .filter(|line| !["debug", "incremental", "strip"].iter().any(|key| line.starts_with(key)))
            .collect::<Vec<_>>()
    };
    let directory = Directory::new("profiles");
    directory.make(&["shop", "--gateway", "0.2"]);
    let ours = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"));
    // A package is tested without the rest of the checkout.
    let Ok(ours) = ours else { return };
    let theirs = directory.read("shop/Cargo.toml");
    for name in ["release", "release.package.clap_builder", "dist", "dist.package.clap_builder", "dev.package.\"*\""] {
        assert_eq!(profile(&theirs, name), profile(&ours, name), "{name}");
    }
}

#[test]
fn the_features_are_those_that_the_document_needs() {
    let directory = Directory::with("features", &[("shop.yaml", &plain_shop())]);
    let flags = ["--gateway", "0.2", "--upstream", "http://127.0.0.1:1", "--auth", "keys"];
    directory.make(&[&["shop", "--from", "shop.yaml"][..], &flags].concat());
    assert!(directory.read("shop/Cargo.toml").contains("default-features = false, features = []"));
    let stored = plain_shop().replace("paths:", "x-gateway: {version: 1, rateLimit: [{algorithm: token-bucket, limit: 1, interval: 1s, store: shared}]}\npaths:");
    fs::write(directory.0.join("stored.yaml"), stored).expect("a file");
    directory.make(&[&["stored", "--from", "stored.yaml"][..], &flags].concat());
    assert!(directory.read("stored/Cargo.toml").contains("default-features = false, features = [\"redis\"]"));
}

#[test]
fn unanswered_questions_about_a_document_stay_to_be_chosen() {
    let directory = Directory::with("todo", &[("openapi.yaml", SHOP)]);
    let printed = directory.begin(&["shop", "--from", "openapi.yaml", "--gateway", "0.2"]);
    assert_eq!(directory.read("shop/specs/shop.yaml"), SHOP, "the document is as it was");
    // Upstream, who may call `health`, and how each of the two schemes is checked.
    assert_eq!(printed.matches("error[GW126]").count(), 4, "{printed}");
    assert_eq!(printed.matches("error[").count(), 4, "{printed}");
    let mut warnings = String::new();
    let errors =
        compile(&directory.0.join("shop/specs"), &mut warnings).expect_err("nothing is chosen yet").to_string();
    assert!(errors.contains("where is the service") && errors.contains("https://shop.example/v1"), "{errors}");
}

/// One scheme, and an operation without any.
fn plain_shop() -> String {
    SHOP.replace("[{digest: []}]", "[{tokens: [read]}]").replace("    digest: {type: http, scheme: digest}\n", "")
}

#[test]
fn flags_answer() {
    let oidc = "oidc=https://idp.example/.well-known/openid-configuration,audience=shop";
    let introspection = "introspection=https://idp.example/introspect,client=gateway,secret=IDP_SECRET,audience=shop";
    let directory = Directory::with("flags", &[("shop.json.yaml", &plain_shop())]);
    for (number, auth) in [oidc, "jwks=https://idp.example/keys,audience=shop", introspection, "keys", "passwords"]
        .into_iter()
        .enumerate()
    {
        let project = format!("shop{number}");
        let printed = directory.make(&[
            &project,
            "--from",
            "shop.json.yaml",
            "--gateway",
            "0.2",
            "--upstream",
            "http://127.0.0.1:3000",
            "--auth",
            auth,
            "--public",
            "/health",
            "--limit",
            "100/m",
        ]);
        assert!(printed.contains("3 operations, 1 public"), "{auth}: {printed}");
        assert_is_compiled(&directory.0.join(&project));
        let policy = directory.read(&format!("{project}/tests/snapshots/policy__policy.snap"));
        assert!(policy.contains("100"), "{policy}");
    }
    let policy = directory.read("shop0/tests/snapshots/policy__policy.snap");
    assert!(policy.contains("https://idp.example/.well-known/openid-configuration"), "{policy}");
}

#[test]
fn statements_of_the_document_are_kept() {
    let said = SHOP
        .replace(
            "paths:",
            "x-gateway: {version: 1, upstream: {url: 'http://127.0.0.1:1'}}\nsecurity: [{key: []}]\npaths:",
        )
        .replace("[{digest: []}]", "[{key: []}]")
        .replace("[{tokens: [read]}]", "[{key: []}, {}]")
        .replace("    digest: {type: http, scheme: digest}\n", "    key: {type: apiKey, in: header, name: X-Key}\n");
    let directory = Directory::with("said", &[("shop.yaml", &said)]);
    directory.make(&["shop", "--from", "shop.yaml", "--gateway", "0.2"]);
    assert_is_compiled(&directory.0.join("shop"));
    assert!(!directory.0.join("shop/specs/shop.overlay.yaml").exists(), "nothing is left to say");
    let policy = directory.read("shop/tests/snapshots/policy__policy.snap");
    assert!(policy.contains("http://127.0.0.1:1"), "{policy}");
}

#[test]
fn files_that_a_document_refers_to_come_along() {
    let parts = "paths:\n  /a: {$ref: 'parts/a.yaml'}\n";
    let document = format!("openapi: 3.1.0\ninfo: {{title: A, version: '1'}}\nsecurity: []\n{parts}");
    let part = "get: {responses: {'200': {description: \u{e9}}}}\n";
    let directory =
        Directory::with("parts", &[("api/a.yaml", &document), ("api/parts/a.yaml", part), ("api/other.yaml", "x: y")]);
    directory.make(&["shop", "--from", "api/a.yaml", "--upstream", "http://127.0.0.1:1", "--gateway", "0.2"]);
    assert_eq!(directory.read("shop/specs/parts/a.yaml"), part);
    assert!(!directory.0.join("shop/specs/other.yaml").exists());
    assert_is_compiled(&directory.0.join("shop"));
}

#[test]
fn further_documents_are_added() {
    let stock = "openapi: 3.1.0\ninfo: {title: Stock, version: '1'}\npaths:\n  /items: {get: {responses: {'200': {description: all}}}}\n";
    let directory = Directory::with("add", &[("shop.yaml", &plain_shop()), ("openapi.yaml", stock)]);
    directory.make(&[
        "project",
        "--from",
        "shop.yaml",
        "--gateway",
        "0.2",
        "--upstream",
        "http://127.0.0.1:1",
        "--auth",
        "keys",
    ]);
    let add = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatewayc"));
        command.arg("add").args(arguments).current_dir(directory.0.join("project")).output().expect("runs")
    };
    let refused = |arguments: &[&str]| {
        let output = add(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        text(&output.stderr)
    };
    assert!(refused(&["../openapi.yaml"]).contains("add --name NAME"));
    assert!(refused(&["../openapi.yaml", "--name", "../x"]).contains("not a name"));
    let output =
        add(&["../openapi.yaml", "--name", "stock", "--upstream", "http://127.0.0.1:2", "--auth", "passwords"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let expected = "specs/stock.yaml is served as well: 2 documents, 4 operations, 0 public.\n";
    assert!(text(&output.stdout).ends_with(expected), "{}", text(&output.stdout));
    assert!(refused(&["../shop.yaml", "--name", "stock"]).contains("specs/stock.yaml is there already"));
    let output = add(&["../openapi.yaml", "--name", "more"]);
    assert!(text(&output.stdout).contains("error[GW126]") && text(&output.stdout).contains("is written"));
}

#[test]
fn mistakes_are_explained_and_write_nothing() {
    let outside = "openapi: 3.1.0\ninfo: {title: A, version: '1'}\npaths: {/a: {$ref: '../a.yaml'}}\n";
    let directory = Directory::with(
        "mistakes",
        &[("shop.yaml", SHOP), ("x/outside.yaml", outside), ("bad.yaml", "swagger: '2.0'")],
    );
    for (arguments, expected) in [
        (&["shop", "--from", "none.yaml"][..], "none.yaml is not a file"),
        (&["shop", "--from", "bad.yaml"], "GW113"),
        (&["shop", "--from", "x/outside.yaml"], "GW116"),
        (&["shop", "--from", "https://shop.example/openapi.yaml"], "--allow-network"),
        (&["shop", "--upstream", "http://127.0.0.1:1"], "--upstream is about the document of --from"),
        (&["shop", "--from", "shop.yaml", "--upstream", "127.0.0.1:3000"], "does not start with http://"),
        (&["shop", "--from", "shop.yaml", "--public", "/helth"], "did you mean /health?"),
        (&["shop", "--from", "shop.yaml", "--auth", "none"], "the document asks for `digest`, `tokens`"),
        (&["shop", "--from", "shop.yaml", "--auth", "ldap"], "keys, passwords, oidc=URL"),
        (&["shop", "--from", "shop.yaml", "--limit", "100"], "100/m"),
        (&["7shops"], "choose a folder with another name"),
        (&["shop", "--gateway", "latest"], "neither a folder, nor a URL, nor a version"),
        (&["shop", "--gateway", "https://git.example/gatewayc"], "names no revision"),
    ] {
        let message = directory.refuse(arguments);
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
    fs::create_dir(directory.0.join("full")).expect("a folder");
    fs::write(directory.0.join("full/file"), "").expect("a file");
    let output = directory.run(&["full", "--gateway", "0.2"]);
    assert!(text(&output.stderr).contains("full is not empty"), "{}", text(&output.stderr));
}

#[test]
fn one_answer_does_not_make_schemes_the_same() {
    let two = "openapi: 3.1.0
info: {title: Two, version: '1'}
paths:
  /users: {get: {security: [{userToken: []}], responses: {'200': {description: all}}}}
  /admin: {delete: {security: [{adminToken: []}], responses: {'204': {description: done}}}}
components:
  securitySchemes: {userToken: {type: http, scheme: bearer}, adminToken: {type: http, scheme: bearer}}
";
    let beside = two
        .replace("userToken: {type: http, scheme: bearer}", "userToken: {type: apiKey, in: header, name: X-API-Key}");
    let directory = Directory::with("two", &[("two.yaml", two), ("beside.yaml", &beside)]);
    let flags = ["--gateway", "0.2", "--upstream", "http://127.0.0.1:1", "--auth"];
    for (number, auth) in ["keys", "jwks=https://idp.example/keys,audience=a"].iter().enumerate() {
        let project = format!("two{number}");
        let printed = directory.begin(&[&[&project, "--from", "two.yaml"][..], &flags, &[auth]].concat());
        assert_eq!(printed.matches("error[GW126]").count(), 2, "{auth}: {printed}");
    }
    // A key for the one would be a key for the other; a token is not.
    let printed = directory.begin(&[&["beside0", "--from", "beside.yaml"][..], &flags, &["keys"]].concat());
    assert_eq!(printed.matches("error[GW126]").count(), 1, "{printed}");
    directory.make(
        &[&["beside1", "--from", "beside.yaml"][..], &flags, &["jwks=https://idp.example/keys,audience=a"]].concat(),
    );
}

#[test]
fn an_answer_that_changes_nothing_is_refused() {
    let oidc = "openapi: 3.1.0
info: {title: A, version: '1'}
security: [{accounts: []}]
paths: {/a: {get: {responses: {'200': {description: all}}}}}
components: {securitySchemes: {accounts: {type: openIdConnect, openIdConnectUrl: 'https://other.example/.well-known/openid-configuration'}}}
";
    let shared = "openapi: 3.1.0
info: {title: A, version: '1'}
security: [{k: []}]
paths: {/a: {get: {responses: {'200': {description: all}}}}, /b: {$ref: '#/paths/~1a'}}
components: {securitySchemes: {k: {type: apiKey, in: header, name: X-K}}}
";
    let directory = Directory::with("nothing-to-answer", &[("oidc.yaml", oidc), ("shared.yaml", shared)]);
    let flags = ["--gateway", "0.2", "--upstream", "http://127.0.0.1:1"];
    let asked = "oidc=https://good.example/.well-known/openid-configuration,audience=me";
    let message = directory.refuse(&[&["a", "--from", "oidc.yaml", "--auth", asked][..], &flags].concat());
    assert!(message.contains("--auth: the document says itself"), "{message}");
    let message = directory.refuse(&[&["a", "--from", "shared.yaml", "--public", "/a"][..], &flags].concat());
    assert!(message.contains("/b has the same operations"), "{message}");
}

#[test]
fn overlays_and_links_of_the_document_come_along() {
    let document = "openapi: 3.1.0\ninfo: {title: A, version: '1'}\npaths: {/a: {get: {responses: {'200': {description: all}}}}}\n";
    let overlay = "overlay: 1.0.0\ninfo: {title: t, version: '1'}\nactions:\n  - target: $\n    update:\n      security: [{k: []}]\n      components: {securitySchemes: {k: {type: apiKey, in: header, name: X-K}}}\n";
    let directory = Directory::with(
        "overlaid",
        &[("api/openapi.yaml", document), ("api/openapi.overlay.yaml", overlay), ("other/real.yaml", "not this one")],
    );
    let flags = ["--gateway", "0.2", "--upstream", "http://127.0.0.1:1"];
    std::os::unix::fs::symlink(directory.0.join("api/openapi.yaml"), directory.0.join("other/link.yaml"))
        .expect("a link");
    for (project, from) in [("direct", "api/openapi.yaml"), ("linked", "other/link.yaml")] {
        directory.make(&[&[project, "--from", from][..], &flags].concat());
        assert_eq!(directory.read(&format!("{project}/specs/openapi.overlay.yaml")), overlay);
        let policy = directory.read(&format!("{project}/tests/snapshots/policy__policy.snap"));
        assert!(policy.contains("api key `k`") && !policy.contains("anyone"), "{policy}");
    }
}
