//! This gateway is built without the features of gateway-runtime: what they bring is not there, and who needs it is told.

use std::process::{Command, Output};

#[test]
fn left_out_features_are_not_compiled() {
    let output = cargo(&["tree", "--edges", "normal", "--prefix", "none", "--format", "{p}"], "specs");
    let tree = String::from_utf8_lossy(&output.stdout);
    let has = |name: &str| tree.lines().any(|line| line.split(' ').next() == Some(name));
    assert!(has("gateway-runtime") && has("rustls"), "{output:?}");
    for name in [
        "brotli",
        "flate2",
        "gateway-oauth",
        "instant-acme",
        "libsqlite3-sys",
        "minijinja",
        "rcgen",
        "redis",
        "tokio-postgres",
        "zstd-safe",
    ] {
        assert!(!has(name), "{name} is compiled:\n{tree}");
    }
}

#[test]
fn a_document_that_needs_a_feature_names_it() {
    for (specs, expected) in [
        (
            "../gateway/specs",
            &[
                "specs/articles.yaml compresses responses, which needs the feature `compress`",
                "specs/news.yaml compresses responses, which needs the feature `compress`",
                "specs/tutorial.yaml has an authorization server, which needs the feature `oauth`",
            ][..],
        ),
        (
            "../stores/specs",
            &["specs/stores.yaml has a limit that is counted in a store, which needs the feature `redis`"],
        ),
    ] {
        let output = cargo(&["check", "--lib"], specs);
        let messages = String::from_utf8_lossy(&output.stderr);
        let errors: Vec<&str> = messages.lines().filter(|line| line.starts_with("error")).collect();
        // One more says that the package could not be compiled.
        assert!(!output.status.success() && errors.len() == expected.len() + 1, "{messages}");
        for (error, message) in errors.iter().zip(expected) {
            assert!(error.contains(message), "{messages}");
        }
    }
}

/// Runs Cargo on this package alone, with the documents of another folder, where its features are its own.
fn cargo(arguments: &[&str], specs: &str) -> Output {
    Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--offline", "--package", "gateway-public-only"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("GATEWAY_SPECS", specs)
        .env_remove("GATEWAY_GENERATED")
        .env_remove("GATEWAY_LOCKED")
        .output()
        .expect("cargo runs")
}
