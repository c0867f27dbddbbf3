//! `gateway dev`: what is saved is served, mistakes are explained, connections and the last good documents stay.

#[path = "../../support/mod.rs"]
mod support;

use std::process::Command;
use std::time::{Duration, Instant};

use support::{Connection, Folder, Gateway, Upstream, eventually};

const NOTES: &str = "openapi: 3.1.0
info: {title: Notes, version: '1'}
servers: [{url: /v1}]
x-gateway: {version: 1, upstream: {url: 'http://UPSTREAM'}}
security: []
paths:
  /notes:
    get:
      operationId: listNotes
      responses:
        '200':
          description: all of them
          headers: {X-Total: {schema: {type: integer, minimum: 3}}}
          content: {application/json: {schema: {type: array, items: {$ref: '#/components/schemas/Note'}}}}
        '404':
          description: none
          content:
            application/json: {examples: {none: {value: {message: none}}, gone: {value: {message: gone}}}}
components:
  schemas:
    Note:
      required: [id]
      properties:
        id: {type: string, format: uuid}
        text: {type: string, minLength: 6}
        parent: {$ref: '#/components/schemas/Note'}
        secret: {type: string, writeOnly: true}
";

/// A folder with one document, and `gateway dev` in it.
struct Session {
    folder: Folder,
    gateway: Gateway,
}

impl Session {
    fn start(document: &str, flags: &[&str]) -> Self {
        let folder = Folder::new();
        folder.write("notes.yaml", document);
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway-tests-dev"));
        support::usual_settings(&mut command);
        command.args(["dev", "--specs", folder.path("").to_str().expect("a path")]).args(flags);
        Self { gateway: Gateway::launch(command), folder }
    }

    fn save(&self, document: &str) {
        self.folder.write("notes.yaml", document);
    }

    /// Waits for a message.
    fn hears(&self, message: &str) {
        eventually(message, || self.gateway.messages().contains(message).then_some(()));
    }
}

fn status(connection: &mut Connection, target: &str) -> u16 {
    connection.send(format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n"));
    connection.response(false).status
}

#[test]
fn a_saved_document_is_served_on_open_connections() {
    let upstream = Upstream::echo();
    let document = NOTES.replace("UPSTREAM", &upstream.address.to_string());
    let session = Session::start(&document, &[]);
    let mut connection = session.gateway.connect();
    assert_eq!(status(&mut connection, "/v1/notes"), 200);
    assert_eq!(status(&mut connection, "/v1/drafts"), 404);
    session.save(&document.replace("/notes:", "/drafts:"));
    session.hears("+ GET /v1/drafts");
    assert_eq!(status(&mut connection, "/v1/notes"), 404);
    assert_eq!(status(&mut connection, "/v1/drafts"), 200);
    // A mistake is explained, and changes nothing.
    session.save(&document.replace("security: []", "security: [{nobody: []}]"));
    session.hears("error[GW202]");
    session.hears("Not live: what was served before goes on.");
    assert_eq!(status(&mut connection, "/v1/drafts"), 200);
    // What is missing from the deployment is one, too.
    let schemes = "components:\n  securitySchemes: {key: {type: apiKey, in: header, name: X-Key}}\n";
    session.save(&document.replace("security: []", "security: [{key: []}]").replace("components:\n", schemes));
    session.hears("API keys belong to consumers");
    assert_eq!(status(&mut connection, "/v1/drafts"), 200);
    session.save(&document);
    session.hears("- GET /v1/drafts");
    assert_eq!(status(&mut connection, "/v1/notes"), 200);
    // The operators' listener tells of what is served now.
    eventually("figures", || session.gateway.operations("/metrics").body.contains("listNotes").then_some(()));
}

#[test]
fn a_request_that_is_under_way_is_finished_as_it_began() {
    let upstream = Upstream::echo();
    let document = NOTES.replace("UPSTREAM", &upstream.address.to_string()).replace("get:", "post:");
    let session = Session::start(&document, &[]);
    let mut connection = session.gateway.connect();
    connection.send("POST /v1/notes HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nab");
    eventually("the request at the upstream", || (!upstream.heads().is_empty()).then_some(()));
    session.save(&document.replace("/notes:", "/drafts:"));
    session.hears("+ POST /v1/drafts");
    connection.send("cd");
    assert_eq!(connection.response(false).status, 200);
    assert_eq!(status(&mut connection, "/v1/notes"), 404);
    let line = session.gateway.log_line(|line| line["status"] == 200);
    assert_eq!(line["operation"], "listNotes");
}

#[test]
fn documents_that_are_wrong_at_the_start_are_waited_for() {
    let folder = Folder::new();
    folder.write("notes.yaml", &NOTES.replace("security: []", "security: [{nobody: []}]"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway-tests-dev"));
    support::usual_settings(&mut command);
    command.args(["dev", "--mock=all", "--specs", folder.path("").to_str().expect("a path")]);
    let document = folder.path("notes.yaml");
    let mending = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        std::fs::write(document, NOTES.replace("UPSTREAM", "127.0.0.1:9")).expect("written");
    });
    let gateway = Gateway::launch(command);
    mending.join().expect("mended");
    assert_eq!(gateway.get("/v1/notes", "").status, 200);
}

#[test]
fn consumers_that_are_wrong_at_the_start_are_waited_for() {
    let folder = Folder::new();
    let keyed = "components:\n  securitySchemes: {key: {type: apiKey, in: header, name: X-Key}}\n";
    let document = NOTES.replace("security: []", "security: [{key: []}]").replace("components:\n", keyed);
    folder.write("notes.yaml", &document.replace("UPSTREAM", "127.0.0.1:9"));
    let consumers = folder.write("consumers.txt", "consumers:\n  - usernam: shop\n");
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway-tests-dev"));
    support::usual_settings(&mut command);
    command.args(["dev", "--mock=all", "--specs", folder.path("").to_str().expect("a path")]);
    command.args(["--set", &format!("consumers.file={consumers}")]);
    let mending = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        std::fs::write(consumers, "consumers:\n  - username: shop\n").expect("written");
    });
    let gateway = Gateway::launch(command);
    mending.join().expect("mended");
    let told = gateway.started();
    assert!(told.contains("consumers.txt:2:5") && told.contains("Nothing is served yet"), "{told}");
    assert_eq!(gateway.get("/v1/notes", "").status, 401);
}

#[test]
fn a_file_that_consumers_name_is_waited_for() {
    let folder = Folder::new();
    let keyed = "components:\n  securitySchemes: {key: {type: apiKey, in: header, name: X-Key}}\n";
    let public = NOTES.replace("UPSTREAM", "127.0.0.1:9");
    let document = public.replace("security: []", "security: [{key: []}]").replace("components:\n", keyed);
    folder.write("notes.yaml", &document);
    let list = |key: &str| {
        let file = folder.path(key);
        let file = file.display();
        format!("consumers:\n  - username: shop\n    credentials: [{{id: shop-1, type: key, key: {{file: {file}}}}}]\n")
    };
    let consumers = folder.write("consumers.txt", &list("k.txt"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway-tests-dev"));
    support::usual_settings(&mut command);
    command.args(["dev", "--mock=all", "--specs", folder.path("").to_str().expect("a path")]);
    command.args(["--set", &format!("consumers.file={consumers}")]);
    let key = folder.path("k.txt");
    let mending = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(500));
        std::fs::write(key, "of-the-shop-0123456789").expect("written");
    });
    let gateway = Gateway::launch(command);
    mending.join().expect("mended");
    let told = gateway.started();
    assert!(told.contains("k.txt cannot be read") && told.contains("Nothing is served yet"), "{told}");
    let status = |key: &str| gateway.get("/v1/notes", &format!("X-Key: {key}\r\n")).status;
    assert_eq!((status("of-the-shop-0123456789"), status("of-nobody")), (200, 401));
    // While something is served as well: a change of the document that waits for a key of its own.
    let hears = |message: &str| eventually(message, || gateway.messages().contains(message).then_some(()));
    folder.write("consumers.txt", &list("other.txt"));
    hears("other.txt cannot be read");
    folder.write("notes.yaml", &document.replace("/notes:", "/drafts:"));
    hears("Not live: what was served before goes on.");
    folder.write("other.txt", "of-another-0123456789");
    hears("+ GET /v1/drafts");
    let answer = gateway.get("/v1/drafts", "X-Key: of-another-0123456789\r\n");
    assert_eq!(answer.status, 200);
}

/// How many threads of a process have this name.
#[cfg(target_os = "linux")]
fn threads(process: u32, name: &str) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).expect("the threads");
    let names = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    // The system keeps 15 bytes of a name.
    names.filter(|found| found.trim_end() == &name[..name.len().min(15)]).count()
}

#[cfg(target_os = "linux")]
#[test]
fn the_checks_of_a_replaced_deployment_end() {
    let (removed, stays) = (Upstream::echo(), Upstream::echo());
    let with = |endpoints: &[&Upstream], path: &str| {
        let urls: Vec<String> = endpoints.iter().map(|one| format!("\"http://{}\"", one.address)).collect();
        let upstream = format!(
            "upstream: {{endpoints: [{}], health: {{path: /healthz, every: 50ms, timeout: 40ms}}}}",
            urls.join(", ")
        );
        NOTES.replace("upstream: {url: 'http://UPSTREAM'}", &upstream).replace("/notes:", path)
    };
    let session = Session::start(&with(&[&removed, &stays], "/notes:"), &[]);
    eventually("checks", || (!removed.heads().is_empty()).then_some(()));
    for number in 1..=3 {
        session.save(&with(&[&stays], &format!("/notes{number}:")));
        session.hears(&format!("+ GET /v1/notes{number}"));
    }
    let (process, replaced) = (session.gateway.pid(), Instant::now());
    eventually("one thread", || (threads(process, "upstream-health") == 1).then_some(()));
    // Other things of a replaced deployment go on for two minutes.
    assert!(replaced.elapsed() < Duration::from_secs(60), "after {:?}", replaced.elapsed());
    let (of_removed, of_staying) = (removed.heads().len(), stays.heads().len());
    eventually("more checks", || (stays.heads().len() > of_staying + 5).then_some(()));
    assert_eq!(removed.heads().len(), of_removed);
}

#[test]
fn the_mock_answers_from_examples_and_schemas() {
    let session = Session::start(&NOTES.replace("UPSTREAM", "127.0.0.1:9"), &["--mock"]);
    session.hears("The mock answers for notes.default.");
    let response = session.gateway.get("/v1/notes", "");
    assert_eq!(response.status, 200);
    assert_eq!(response.header("x-total"), "3");
    let note = &response.json()[0];
    assert_eq!(note["id"], "123e4567-e89b-42d3-a456-426614174000");
    assert_eq!(note["text"].as_str().map(str::len), Some(6));
    assert!(note["parent"]["parent"].is_object() && note.get("secret").is_none(), "{note}");
    let preferred = |prefer: &str| session.gateway.get("/v1/notes", &format!("Prefer: {prefer}\r\n"));
    assert_eq!(preferred("code=404").json()["message"], "none");
    assert_eq!(preferred("code=404, example=gone").json()["message"], "gone");
    // Refusals are the gateway's own.
    assert_eq!(session.gateway.request("POST", "/v1/notes", "").status, 405);
}

#[test]
fn an_upstream_that_comes_takes_over_from_the_mock() {
    let port = support::ReservedPort::new();
    let session = Session::start(&NOTES.replace("UPSTREAM", &port.address.to_string()), &["--mock"]);
    session.hears("The mock answers for notes.default.");
    let _upstream = Upstream::start_on(port.listen(), |_, connection| {
        connection.send("HTTP/1.1 203 Here\r\nContent-Length: 0\r\n\r\n");
        true
    });
    session.hears("Every upstream is there; the mock answers for none.");
    assert_eq!(session.gateway.get("/v1/notes", "").status, 203);
}

#[test]
fn only_the_page_can_try_operations() {
    let session = Session::start(&NOTES.replace("UPSTREAM", "127.0.0.1:9"), &["--mock", "--open"]);
    session.hears("All operations to try: http://127.0.0.1:");
    let messages = session.gateway.messages();
    let (_, rest) = messages.split_once("All operations to try: http://").expect("the URL");
    let address: std::net::SocketAddr = rest.split('/').next().and_then(|text| text.parse().ok()).expect("an address");
    let ask = |method: &str, target: &str, fields: &str, body: &str| {
        let mut connection = Connection::to(address);
        let length = body.len();
        connection.send(format!("{method} {target} HTTP/1.1\r\n{fields}Content-Length: {length}\r\n\r\n{body}"));
        connection.response(false)
    };
    let host = format!("Host: {address}\r\n");
    let page = ask("GET", "/", &host, "");
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
    let (_, rest) = page.body.split_once("const word = \"").expect("the word");
    let word = rest.split('"').next().expect("its end");
    let ours = format!("{host}X-Gateway-Dev: {word}\r\n");
    let operations = ask("GET", "/operations", &ours, "").json();
    assert_eq!(operations[0]["operations"][0]["id"], "listNotes");
    let asked = r#"{"method": "GET", "path": "/v1/notes", "fields": "Prefer: code=404\n", "body": ""}"#;
    let answer = ask("POST", "/try", &ours, asked).json();
    assert_eq!((answer["status"].as_u64(), answer["body"].as_str()), (Some(404), Some(r#"{"message":"none"}"#)));
    // Another page cannot ask: it does not know the word, and a name of its own that leads here is refused.
    assert_eq!(ask("POST", "/try", &host, asked).status, 403);
    assert_eq!(ask("GET", "/operations", &host, "").status, 403);
    let foreign = ours.replace(&address.to_string(), "rebound.example");
    assert_eq!(ask("GET", "/", &foreign, "").status, 421);
    assert_eq!(ask("POST", "/try", &foreign, asked).status, 421);
    // It sends to the gateway only.
    for path in ["http://127.0.0.1:9/", "//127.0.0.1:9/", "notes", ""] {
        let answer = ask("POST", "/try", &ours, &asked.replace("/v1/notes", path));
        assert!(answer.status == 502 || answer.json()["status"] == 404, "{path}: {}", answer.body);
    }
    session.save(&NOTES.replace("UPSTREAM", "127.0.0.1:9").replace("listNotes", "allNotes"));
    eventually("the new name", || ask("GET", "/operations", &ours, "").body.contains("allNotes").then_some(()));
}

#[test]
fn a_save_without_a_change_restarts_nothing() {
    let upstream = Upstream::echo();
    let limited = "x-gateway: {version: 1, rateLimit: [{algorithm: fixed-window, limit: 1, interval: 1h}], ";
    let document =
        NOTES.replace("UPSTREAM", &upstream.address.to_string()).replace("x-gateway: {version: 1, ", limited);
    let session = Session::start(&document, &[]);
    let get = || session.gateway.get("/v1/notes", "").status;
    assert_eq!((get(), get()), (200, 429));
    // What an editor keeps beside it, a backup, and the same once more.
    session.folder.write(".notes.yaml.swp", "x");
    session.folder.write("notes.yaml~", "x");
    session.save(&document);
    session.save(&document.replace("security: []", "security: [{nobody: []}]"));
    session.hears("error[GW202]");
    session.save(&document);
    session.hears("The documents are again what is served.");
    assert_eq!(get(), 429);
    assert!(!session.gateway.messages().contains("Live after"), "{}", session.gateway.messages());
    session.save(&document.replace("limit: 1,", "limit: 2,"));
    session.hears("Live after");
    assert_eq!(get(), 200);
}
