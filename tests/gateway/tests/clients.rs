//! Clients that are not ours complete every grant that they have: Authlib and requests-oauthlib (Python), openid-client and
//! oauth4webapi (Node). Where these are not there, the tests say that they were skipped.

#[path = "../../support/mod.rs"]
mod support;
#[path = "../../support/tutorial.rs"]
#[allow(dead_code, reason = "of use to others")]
mod tutorial;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tutorial::{ISSUER, Tutorial};

/// Runs a client in the folder `clients`, and is the person who logs in and allows.
fn run(mut command: Command) {
    let tutorial = Tutorial::start();
    tutorial::secrets(&mut command);
    command.env("GATEWAY_PORT", tutorial.gateway.address.port().to_string());
    command.env("TEST_CLIENT_KEY", tutorial.key.serialize_pem());
    command.env("TEST_ADMIN_KEY", tutorial::ADMIN.trim_start_matches("X-Admin-Key: ").trim_end());
    let mut client = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
    let mut answers = client.stdin.take().expect("piped");
    let mut is_done = false;
    for line in BufReader::new(client.stdout.take().expect("piped")).lines().map_while(Result::ok) {
        is_done |= line == "DONE";
        let Some(url) = line.strip_prefix("AUTHORIZE ") else { continue };
        let query = url.strip_prefix(&format!("{ISSUER}/oauth/authorize?")).expect("the endpoint of the metadata");
        let back = tutorial.browser().authorize(query);
        writeln!(answers, "{back}").expect("it reads");
    }
    let output = client.wait_with_output().expect("it ends");
    assert!(output.status.success() && is_done, "{}", String::from_utf8_lossy(&output.stderr));
}

/// Says that a test was skipped, or fails where it must not be.
fn skip(why: &str) {
    let required = std::env::var("GATEWAY_TEST_REQUIRE_SERVICES").is_ok_and(|value| value == "1");
    assert!(!required, "{why}");
    eprintln!("skipped: {why}");
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

fn with_python(module: &str, script: &str) {
    let found = Command::new("python3").args(["-c", &format!("import {module}")]).output();
    if !found.is_ok_and(|output| output.status.success()) {
        return skip(&format!("python3 has no {module}"));
    }
    let mut command = Command::new("python3");
    command.arg(source().join(script)).env("PYTHONDONTWRITEBYTECODE", "1");
    run(command);
}

fn with_node(script: &str) {
    match installed() {
        Ok(folder) => {
            let mut command = Command::new("node");
            command.arg(script).current_dir(folder);
            run(command);
        }
        Err(why) => skip(&why),
    }
}

/// The folder with the clients for Node, which are installed there unless that has been done.
fn installed() -> Result<PathBuf, String> {
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().map_err(|error| error.to_string())?;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients");
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let read = |folder: &Path| std::fs::read(folder.join("package.json")).ok();
    let is_there = read(&source()) == read(&folder) && folder.join("node_modules/openid-client").exists();
    for file in ["place.mjs", "openid_client.mjs", "oauth4webapi.mjs"] {
        std::fs::copy(source().join(file), folder.join(file)).map_err(|error| error.to_string())?;
    }
    if is_there {
        return Ok(folder);
    }
    std::fs::copy(source().join("package.json"), folder.join("package.json")).map_err(|error| error.to_string())?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=dev"]).current_dir(&folder);
    let output = npm.output().map_err(|error| format!("npm does not run: {error}"))?;
    match output.status.success() {
        true => Ok(folder),
        false => Err(format!("npm cannot install: {}", String::from_utf8_lossy(&output.stderr))),
    }
}

#[test]
fn authlib() {
    with_python("authlib", "authlib_client.py");
}

#[test]
fn requests_oauthlib() {
    with_python("requests_oauthlib", "requests_oauthlib_client.py");
}

#[test]
fn openid_client() {
    with_node("openid_client.mjs");
}

#[test]
fn oauth4webapi() {
    with_node("oauth4webapi.mjs");
}
