//! Clients and users of authorization servers, and the commands that manage them beside gateways that run.

#[path = "../../support/postgres.rs"]
mod postgres;
#[path = "../../support/mod.rs"]
mod support;

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use postgres::PostgresServer;
use support::{Folder, Gateway, Response, Upstream, base64, secrets};

/// The tutorial is for HTTPS only; the tests stand in for a proxy that ends TLS.
const BEHIND_TLS: &str = "trustedProxies=[127.0.0.1]";

fn start(settings: &[String]) -> Gateway {
    let mut all: Vec<&str> = settings.iter().map(String::as_str).collect();
    all.push(BEHIND_TLS);
    // Revocations are to be seen at once.
    all.push("oauth.cache=0s");
    let upstream = Upstream::echo();
    Gateway::start(&all, upstream.address)
}

fn command(settings: &[String], words: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway-tests"));
    for setting in settings {
        command.args(["--set", setting]);
    }
    command.args(words);
    secrets(&mut command);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    // A command that needs no input may have ended by now.
    let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
    child.wait_with_output().expect("ends")
}

fn done(settings: &[String], words: &[&str], input: &str) -> String {
    let output = command(settings, words, input);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn refused(settings: &[String], words: &[&str], input: &str) -> String {
    let output = command(settings, words, input);
    assert!(!output.status.success(), "{words:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn token(gateway: &Gateway, client: &str, secret: &str, form: &str) -> Response {
    let mut connection = gateway.connect();
    connection.send(format!(
        "POST /oauth/token HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Proto: https\r\n\
         Authorization: Basic {}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        base64(format!("{client}:{secret}").as_bytes()),
        form.len(),
    ));
    connection.response(false)
}

fn notes(gateway: &Gateway, token: &str) -> u16 {
    gateway.get("/api/notes", &format!("X-Forwarded-Proto: https\r\nAuthorization: Bearer {token}\r\n")).status
}

/// One gateway is asked for tokens, the other gets the changes; both may be the same.
fn clients_and_users_come_and_go(settings: &[String], one: &Gateway, other: &Gateway) {
    let run = |words: &[&str], input: &str| done(settings, words, input);
    let words = ["clients", "add", "job", "--grant", "client_credentials", "--grant", "password", "--scope", "notes"];
    let secret = run(&[&words[..], &["--default-scope", "notes"]].concat(), "");
    let secret = secret.trim();
    assert_eq!(secret.len(), 43, "{secret}");
    let answer = token(one, "job", secret, "grant_type=client_credentials");
    assert_eq!(answer.status, 200, "{answer:?}");
    let access = answer.json()["access_token"].as_str().expect("a token").to_owned();
    assert_eq!((notes(one, &access), notes(other, &access)), (200, 200));
    assert_eq!(token(other, "job", "another", "grant_type=client_credentials").status, 401);

    run(&["users", "add", "ann", "--email", "ann@example.org", "--id", "u-ann"], "open sesame\n");
    // A token's subject is a client or a user, and says which by its name alone.
    let like_a_user = ["clients", "add", "u-ann", "--grant", "client_credentials", "--scope", "notes"];
    refused(settings, &like_a_user, "");
    refused(settings, &["users", "add", "eve", "--id", "job"], "open sesame\n");
    let login = |gateway: &Gateway, password: &str| {
        token(gateway, "job", secret, &format!("grant_type=password&username=ann%40example.org&password={password}"))
    };
    let answer = login(other, "open+sesame");
    assert_eq!(answer.status, 200, "{answer:?}");
    let of_ann = answer.json()["access_token"].as_str().expect("a token").to_owned();
    assert_eq!(notes(one, &of_ann), 200);
    run(&["users", "password", "ann"], "another one\r\n");
    assert_eq!((notes(one, &of_ann), notes(other, &of_ann)), (401, 401), "what the old password gave");
    assert_eq!((login(one, "open+sesame").status, login(one, "another+one").status), (400, 200));
    assert_eq!(run(&["users", "list"], ""), "ann  ann@example.org  id u-ann\n");
    assert_eq!(run(&["clients", "list"], ""), "job  client_credentials, password  scopes notes\n");
    run(&["users", "remove", "ann@example.org"], "");
    assert_eq!(login(other, "another+one").status, 400);
    run(&["clients", "remove", "job"], "");
    assert_eq!((notes(one, &access), notes(other, &access)), (401, 401));
    assert_eq!(token(one, "job", secret, "grant_type=client_credentials").status, 401);
}

#[test]
fn the_command_line_manages_clients_and_users_of_a_running_gateway() {
    let folder = Folder::new();
    let file = folder.path("gateway.db");
    let settings = ["stores.default.kind=sqlite".to_owned(), format!("stores.default.file={}", file.display())];
    let gateway = start(&settings);
    clients_and_users_come_and_go(&settings, &gateway, &gateway);
    for (words, input, expected) in [
        (&["users", "add", "ben"][..], "", "the first line of standard input is empty"),
        (&["users", "remove", "ben"], "", "there is no user `ben`"),
        (&["clients", "remove", "app"], "", "there is no client with the id `app`"),
        (
            &["clients", "add", "app", "--scope", "note", "--grant", "client_credentials"],
            "",
            "not a scope of the server",
        ),
        (&["clients", "add", "app"], "", "--scope"),
    ] {
        let problem = refused(&settings, words, input);
        assert!(problem.contains(expected), "{words:?}: {problem}");
    }
    let problem = refused(&["stores.default.kind=memory".to_owned()], &["users", "list"], "");
    assert!(problem.contains("in the memory of the gateway"), "{problem}");
}

#[test]
fn grants_survive_a_restart() {
    let folder = Folder::new();
    let file = folder.path("gateway.db");
    let settings = ["stores.default.kind=sqlite".to_owned(), format!("stores.default.file={}", file.display())];
    let secret = done(&settings, &["clients", "add", "job", "--grant", "client_credentials", "--scope", "notes"], "");
    let gateway = start(&settings);
    let answer = token(&gateway, "job", secret.trim(), "grant_type=client_credentials&scope=notes");
    let access = answer.json()["access_token"].as_str().expect("a token").to_owned();
    gateway.signal("KILL");
    drop(gateway);
    assert_eq!(notes(&start(&settings), &access), 200);
}

#[test]
fn several_gateways_share_their_state_in_postgres() {
    let Some(server) = PostgresServer::start() else { return };
    let url = server.database("gateways");
    let settings = ["stores.default.kind=postgres".to_owned(), format!("stores.default.url={url}")];
    let (one, other) = (start(&settings), start(&settings));
    clients_and_users_come_and_go(&settings, &one, &other);
}
