//! No spelling of a guarded path gets through a gateway without a credential, whatever server is behind it: Express,
//! Flask, FastAPI, Django, nginx, PHP and Tomcat, each where it is installed.
//!
//! The gateway's document says nothing about how the server reads paths.

#[path = "../../support/mod.rs"]
mod support;

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use support::{Connection, Gateway, ReservedPort, eventually};

/// What no request may get: the servers answer it under `/people/me`, `/people/{id}/letters`, `/vault` and below.
const GUARDED: &str = "GUARDED";

/// A server that is killed when the test is over.
struct Server {
    process: Child,
    port: ReservedPort,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Says that a test was skipped, or fails where it must not be.
fn skip(why: &str) {
    let required = std::env::var("GATEWAY_TEST_REQUIRE_SERVICES").is_ok_and(|value| value == "1");
    assert!(!required, "{why}");
    eprintln!("skipped: {why}");
}

/// The server, as soon as it listens.
fn start(mut command: Command, port: ReservedPort) -> Server {
    let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let server = Server { process, port };
    eventually("the server", || TcpStream::connect(server.port.address).ok());
    server
}

fn runs(program: &str, arguments: &[&str]) -> bool {
    let output = Command::new(program).args(arguments).output();
    output.is_ok_and(|output| output.status.success())
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers")
}

fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Every guarded path in every spelling that some server is known to take for it.
fn spellings() -> Vec<String> {
    const PATHS: [&str; 5] = ["/people/me", "/people/1/letters", "/vault", "/vault/7", "/vault/index.html"];
    let separators =
        ["//", "%2f", "%2F", "%252f", "%5c", "%255c", "\\", ";/", ";x=1/", "%3b/", "/./", "/%2e/", "/.;/", "/x/../"];
    let ends = [
        "",
        "/",
        "//",
        ";",
        ";x",
        ";x=1",
        "%3b",
        "%3bx",
        "%2f",
        "%2F",
        "%5c",
        "%20",
        "%09",
        "%0a",
        "%00",
        "%3f",
        "%23",
        ".",
        "/.",
        "/%2e",
        "%2e",
        "?",
        "?x=/",
        "/x/..",
        "/x/%2e%2e",
        "%252f",
        "%c0%af",
        "/;",
        "/;x",
        "%e2%80%8b",
    ];
    let mut all = Vec::new();
    for path in PATHS {
        let slashes: Vec<usize> = path.match_indices('/').map(|(at, _)| at).collect();
        for at in slashes {
            all.extend(separators.iter().map(|with| format!("{}{with}{}", &path[..at], &path[at + 1..])));
        }
        all.extend(ends.iter().map(|end| format!("{path}{end}")));
        all.extend(
            ["/x/..", "/x%2f..", "/%2e", "/;x", "/people/..", "/people/..;"].map(|start| format!("{start}{path}")),
        );
        for (at, letter) in path.char_indices().filter(|(_, letter)| letter.is_ascii_alphabetic()) {
            let upper = letter.to_ascii_uppercase();
            all.push(format!("{}{upper}{}", &path[..at], &path[at + 1..]));
            all.push(format!("{}%{:02x}{}", &path[..at], u32::from(letter), &path[at + 1..]));
            all.push(format!("{}%{:02x}{}", &path[..at], u32::from(upper), &path[at + 1..]));
        }
        all.push(path.to_ascii_uppercase());
        all.push(format!("{}/", path.to_ascii_uppercase()));
        all.push(format!("{}?a=b", path.to_ascii_uppercase()));
    }
    // Letters that some servers take for others.
    all.extend(
        ["/people/%EF%BD%8De", "/people/m%C4%97", "/vau%E2%85%BCt", "/people/1/letter%C5%BF"].map(str::to_owned),
    );
    all
}

/// Asks for everything through the gateway, and for the guarded paths themselves to see that the server has them.
fn check(server: &Server) {
    let direct = |path: &str| {
        let mut connection = Connection::to(server.port.address);
        connection.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
        connection.read_to_end()
    };
    for path in ["/people/me", "/people/1/letters", "/vault/7"] {
        assert!(direct(path).contains(GUARDED), "the server does not have {path}: {}", direct(path));
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway-paths"));
    support::usual_settings(&mut command);
    support::secrets(&mut command);
    let upstream = format!("upstreams.town.default=http://{}", server.port.address);
    let consumers = concat!("consumers.file=", env!("CARGO_MANIFEST_DIR"), "/consumers.yaml");
    for setting in ["insecureLiterals=true", consumers, &upstream] {
        command.args(["--set", setting]);
    }
    let gateway = Gateway::launch(command);
    let ask = |path: &str| gateway.raw(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    assert!(ask("/people/7").starts_with("HTTP/1.1 "), "the public path is forwarded");
    let found: Vec<String> = spellings().into_iter().filter(|path| ask(path).contains(GUARDED)).collect();
    assert_eq!(found, [""; 0]);
}

fn with_python(kind: &str) {
    if !runs("python3", &["-c", &format!("import {kind}{}", if kind == "fastapi" { ", uvicorn" } else { "" })]) {
        return skip(&format!("python3 has no {kind}"));
    }
    let port = ReservedPort::new();
    let mut command = Command::new("python3");
    command.arg(source().join("app.py")).args([kind, &port.number().to_string()]).env("PYTHONDONTWRITEBYTECODE", "1");
    check(&start(command, port));
}

#[test]
fn flask() {
    with_python("flask");
}

#[test]
fn fastapi() {
    with_python("fastapi");
}

#[test]
fn django() {
    with_python("django");
}

#[test]
fn express() {
    let folder = scratch("express");
    for file in ["package.json", "express.mjs"] {
        fs::copy(source().join(file), folder.join(file)).expect("a copy");
    }
    if !folder.join("node_modules/express").exists() {
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=dev"]).current_dir(&folder);
        if !npm.output().is_ok_and(|output| output.status.success()) {
            return skip("npm cannot install Express");
        }
    }
    let port = ReservedPort::new();
    let mut command = Command::new("node");
    command.args(["express.mjs", &port.number().to_string()]).current_dir(&folder);
    check(&start(command, port));
}

/// Files under the names of the guarded paths.
fn files(folder: &Path) {
    for file in ["people/me", "people/1/letters", "vault/7", "vault/index.html"] {
        let file = folder.join(file);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(file, GUARDED).expect("a file");
    }
    fs::write(folder.join("index.html"), "public").expect("a file");
}

#[test]
fn nginx() {
    if !runs("nginx", &["-v"]) {
        return skip("nginx is not installed");
    }
    let (folder, port) = (scratch("nginx"), ReservedPort::new());
    files(&folder.join("files"));
    let place = folder.display();
    let config = format!(
        "daemon off; worker_processes 1; pid {place}/pid; error_log stderr;\nevents {{}}\nhttp {{\n  access_log off; \
         client_body_temp_path {place}/body; proxy_temp_path {place}/proxy; fastcgi_temp_path {place}/fastcgi; \
         uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;\n  server {{ listen 127.0.0.1:{}; root \
         {place}/files; }}\n}}\n",
        port.number()
    );
    fs::write(folder.join("nginx.conf"), config).expect("a file");
    let mut command = Command::new("nginx");
    command.arg("-p").arg(&folder).arg("-c").arg(folder.join("nginx.conf")).args(["-e", "stderr"]);
    check(&start(command, port));
}

#[test]
fn php() {
    if !runs("php", &["--version"]) {
        return skip("php is not installed");
    }
    let (folder, port) = (scratch("php"), ReservedPort::new());
    files(&folder);
    let mut command = Command::new("php");
    command.args(["-S", &port.address.to_string(), "-t"]).arg(&folder);
    check(&start(command, port));
}

#[test]
fn tomcat() {
    const HOME: &str = "/usr/share/tomcat10";
    if !Path::new(HOME).join("bin/bootstrap.jar").exists() || !runs("java", &["-version"]) {
        return skip("tomcat10 is not installed");
    }
    let (folder, port) = (scratch("tomcat"), ReservedPort::new());
    files(&folder.join("webapps/ROOT"));
    for name in ["conf", "logs", "temp", "work"] {
        fs::create_dir_all(folder.join(name)).expect("a folder");
    }
    let server = format!(
        "<Server port=\"-1\"><Service name=\"Catalina\"><Connector address=\"127.0.0.1\" port=\"{}\"/><Engine \
         name=\"Catalina\" defaultHost=\"localhost\"><Host name=\"localhost\" appBase=\"webapps\"/></Engine></Service></Server>",
        port.number()
    );
    fs::write(folder.join("conf/server.xml"), server).expect("a file");
    // The default servlet, which serves files.
    let web = "<web-app xmlns=\"https://jakarta.ee/xml/ns/jakartaee\" version=\"5.0\"><servlet><servlet-name>default\
               </servlet-name><servlet-class>org.apache.catalina.servlets.DefaultServlet</servlet-class></servlet>\
               <servlet-mapping><servlet-name>default</servlet-name><url-pattern>/</url-pattern></servlet-mapping></web-app>";
    fs::write(folder.join("conf/web.xml"), web).expect("a file");
    let mut command = Command::new("java");
    command.arg(format!("-Dcatalina.home={HOME}")).arg(format!("-Dcatalina.base={}", folder.display()));
    command.arg(format!("-Djava.io.tmpdir={}/temp", folder.display()));
    command.arg("-cp").arg(format!("{HOME}/bin/bootstrap.jar:{HOME}/bin/tomcat-juli.jar"));
    command.args(["org.apache.catalina.startup.Bootstrap", "start"]);
    check(&start(command, port));
}
