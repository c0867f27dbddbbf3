//! Starts the shipped gateway and upstreams for it, and talks to both in raw bytes.
#![allow(dead_code, reason = "each test file uses its part")]

mod basics;
mod secrets;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

#[allow(unused_imports, reason = "each test file uses its part")]
pub(crate) use basics::{PATIENCE, ReservedPort, eventually};
#[allow(unused_imports, reason = "each test file uses its part")]
pub(crate) use secrets::{SECRET, SECRETS};

/// A running gateway; killed when dropped.
pub(crate) struct Gateway {
    process: Child,
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
    messages: Arc<Mutex<Vec<String>>>,
    told: String,
    listeners: Vec<(String, SocketAddr)>,
}

impl Gateway {
    /// The gateway with every upstream at `upstream`.
    pub(crate) fn before(upstream: &Upstream) -> Self {
        Self::start(&[], upstream.address)
    }

    /// The gateway with every upstream at `upstream` and some settings.
    pub(crate) fn start(settings: &[&str], upstream: SocketAddr) -> Self {
        Self::launch(Self::command(settings, upstream))
    }

    /// As [`Gateway::start`], to be [launched](Gateway::launch).
    pub(crate) fn command(settings: &[&str], upstream: SocketAddr) -> Command {
        let mut command = Command::new(option_env!("CARGO_BIN_EXE_gateway-tests").unwrap_or("not of this package"));
        usual_settings(&mut command);
        for name in [
            "notes.default",
            "files.store",
            "files.thumbnails",
            "files.archive",
            "guests.book",
            "guests.desk",
            "reports.default",
            "deliveries.default",
            "tickets.default",
            "payments.default",
            "orders.default",
            "partners.bearer",
            "partners.basic",
            "partners.keyed",
            "partners.signed",
            "partners.tokens",
            "partners.plain",
            "shop.shop",
            "streams.sockets",
            "tutorial.notes",
            "articles.default",
            "news.default",
            "versions.stable",
            "versions.canary",
            "versions.shadow",
        ] {
            command.args(["--set", &format!("upstreams.{name}=http://{upstream}")]);
        }
        command.args(["--set", "stores.default.kind=memory", "--set", "admin.key.env=TEST_ADMIN_KEY"]);
        let consumers = concat!(env!("CARGO_MANIFEST_DIR"), "/consumers.yaml");
        command.args(["--set", &format!("consumers.file={consumers}")]);
        for setting in settings {
            command.args(["--set", setting]);
        }
        secrets(&mut command);
        command
    }

    /// Starts any gateway that has the [`usual_settings`].
    ///
    /// With `GATEWAY_TEST_DEV=1` it is `gateway dev`, which makes its tables from the documents of this folder: what is
    /// compiled and what is not must behave alike.
    pub(crate) fn launch(mut command: Command) -> Self {
        if std::env::var_os("GATEWAY_TEST_DEV").is_some_and(|value| value == "1") {
            command = without_compiling(&command);
        }
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the gateway starts");
        let messages = Arc::default();
        let (listeners, admin, told) = addresses(&mut process, &messages);
        let address = listeners.last().expect("a listener").1;
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let shared = Arc::clone(&log);
        std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| shared.lock().expect("no panic").push(line))
        });
        Self { process, address, admin, log, messages, told, listeners }
    }

    /// As [`Gateway::launch`]; once it serves, `reader` is what is at the other end of standard error and of standard
    /// output.
    pub(crate) fn launch_before(mut command: Command, reader: Reader) -> Self {
        let (error, error_end) = std::io::pipe().expect("a pipe");
        let (output, output_end) = std::io::pipe().expect("a pipe");
        let copies = [error_end.try_clone().expect("a copy"), output_end.try_clone().expect("a copy")];
        command.stdin(Stdio::null()).stdout(output_end).stderr(error_end);
        let process = command.spawn().expect("the gateway starts");
        // It holds its ends itself.
        drop(command);
        let mut told = String::new();
        let mut lines = BufReader::new(error);
        let mut listeners = Vec::new();
        let admin = loop {
            let mut line = String::new();
            assert!(lines.read_line(&mut line).expect("text") > 0, "the gateway did not start:\n{told}");
            if let Some(listener) = listener_of(&line) {
                listeners.push(listener);
            } else if let Some(rest) = rest_of(&line, "metrics and health on ") {
                break rest.parse().expect("an address");
            } else {
                told.push_str(&line);
            }
        };
        let [error_copy, output_copy] = copies;
        reader.take_over(lines.into_inner(), error_copy);
        reader.take_over(output, output_copy);
        let address = listeners.first().expect("a listener").1;
        Self { process, address, admin, log: Arc::default(), messages: Arc::default(), told, listeners }
    }

    /// A gateway that says nothing, at known addresses.
    pub(crate) fn at(process: Child, address: SocketAddr, admin: SocketAddr) -> Self {
        let told = String::new();
        Self { process, address, admin, log: Arc::default(), messages: Arc::default(), told, listeners: Vec::new() }
    }

    /// The address of a listener, by its name.
    pub(crate) fn listener(&self, name: &str) -> SocketAddr {
        self.listeners.iter().find(|(known, _)| known == name).expect("a listener").1
    }

    /// Sends bytes and reads until the gateway closes the connection.
    pub(crate) fn raw(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut connection = self.connect();
        connection.send(bytes);
        connection.read_to_end()
    }

    /// One request on a connection of its own; `headers` are whole lines.
    pub(crate) fn request(&self, method: &str, target: &str, headers: &str) -> Response {
        let mut connection = self.connect();
        connection.send(format!("{method} {target} HTTP/1.1\r\nHost: gateway.test\r\n{headers}\r\n"));
        connection.response(method == "HEAD")
    }

    pub(crate) fn get(&self, target: &str, headers: &str) -> Response {
        self.request("GET", target, headers)
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::to(self.address)
    }

    /// What the operators' listener answers.
    pub(crate) fn operations(&self, path: &str) -> Response {
        let mut connection = Connection::to(self.admin);
        connection.send(format!("GET {path} HTTP/1.1\r\nHost: admin.test\r\n\r\n"));
        connection.response(false)
    }

    /// The first line of the access log that `fits`.
    pub(crate) fn log_line(&self, fits: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        eventually("a log line", || {
            let lines = self.log.lock().expect("no panic");
            lines.iter().map(|line| serde_json::from_str(line).expect("each line is JSON")).find(|line| fits(line))
        })
    }

    /// The access log so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("no panic").join("\n")
    }

    /// What the gateway had to say before it listened.
    pub(crate) fn started(&self) -> &str {
        &self.told
    }

    /// What the gateway has said on standard error since it started.
    pub(crate) fn messages(&self) -> String {
        self.messages.lock().expect("no panic").join("\n")
    }

    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        let killed = Command::new("kill").args([&format!("-{name}"), &pid]).status().expect("kill runs");
        assert!(killed.success());
    }

    /// Whether the process has ended on its own.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.process.try_wait().expect("a child").is_some()
    }

    /// Waits for the process to end on its own.
    pub(crate) fn wait(&mut self) -> std::process::ExitStatus {
        let process = &mut self.process;
        eventually("the end of the process", || process.try_wait().expect("a child"))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Memory that is in use, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a figure");
        line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).expect("a number")
    }
}

/// The reader of what a gateway writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// It is gone.
    Gone,
    /// It has stopped reading, and the pipe is full.
    Stuck,
    /// It reads a byte now and then, and the pipe is full.
    Slow,
}

impl Reader {
    pub(crate) const ALL: [Self; 3] = [Self::Gone, Self::Stuck, Self::Slow];

    fn take_over(self, mut reader: std::io::PipeReader, mut writer: std::io::PipeWriter) {
        if self == Self::Gone {
            return;
        }
        // Writes until nothing more fits, and on, so that it stays full.
        std::thread::spawn(move || while writer.write_all(&[b'.'; 4096]).is_ok() {});
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_millis(20));
                if self == Self::Slow {
                    let _ = reader.read_exact(&mut [0]);
                }
            }
        });
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The same gateway as `gateway dev`, where there is one.
fn without_compiling(command: &Command) -> Command {
    let Some(dev) = option_env!("CARGO_BIN_EXE_gateway-tests-dev") else { panic!("this package has no `gateway dev`") };
    let mut same = Command::new(dev);
    same.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => same.env(name, value),
            None => same.env_remove(name),
        };
    }
    if !command.get_args().any(|argument| argument == "dev") {
        same.arg("dev");
    }
    same
}

/// What the tests need to find the gateway; later settings override these.
pub(crate) fn usual_settings(command: &mut Command) {
    for setting in ["listeners.test.bind=127.0.0.1:0", "admin.bind=127.0.0.1:0", "workers=2", "logs.format=text"] {
        command.args(["--set", setting]);
    }
}

/// The secrets that the documents and the tests' consumers refer to.
pub(crate) fn secrets(command: &mut Command) {
    command.envs(SECRETS.iter().copied());
}

/// What follows `beginning` in a message, written as text or as JSON.
fn rest_of<'l>(line: &'l str, beginning: &str) -> Option<&'l str> {
    let (_, rest) = line.split_once(beginning)?;
    Some(rest.trim_end().trim_end_matches("\"}"))
}

/// The name and the address of a listener, where a message says them.
fn listener_of(message: &str) -> Option<(String, SocketAddr)> {
    let (address, name) = rest_of(message, "listening on ")?.split_once(" (").expect("an address and a name");
    Some((name.trim_end_matches(')').to_owned(), address.parse().expect("an address")))
}

/// The listeners, the address for operators, and the messages before it.
fn addresses(
    process: &mut Child,
    messages: &Arc<Mutex<Vec<String>>>,
) -> (Vec<(String, SocketAddr)>, SocketAddr, String) {
    let (mut listeners, mut told) = (Vec::new(), String::new());
    let mut lines = BufReader::new(process.stderr.take().expect("piped")).lines();
    while let Some(Ok(line)) = lines.next() {
        let parse = |text: &str| text.split(' ').next().and_then(|text| text.parse().ok());
        if let Some(listener) = listener_of(&line) {
            listeners.push(listener);
        } else if let Some(rest) = rest_of(&line, "metrics and health on ") {
            let messages = Arc::clone(messages);
            messages.lock().expect("no panic").extend(told.lines().map(str::to_owned));
            std::thread::spawn(move || {
                for line in lines.map_while(Result::ok) {
                    eprintln!("{line}");
                    messages.lock().expect("no panic").push(line);
                }
            });
            return (listeners, parse(rest).expect("an address"), told);
        }
        told.push_str(&line);
        told.push('\n');
    }
    panic!("the gateway did not start:\n{told}");
}

/// A client's connection.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    received: Vec<u8>,
}

/// A response, taken apart.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Response {
    /// The values of a header, joined.
    pub(crate) fn header(&self, name: &str) -> String {
        let values = self
            .head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value);
        values.collect::<Vec<_>>().join(" | ")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

impl Connection {
    pub(crate) fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("connects");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("an option");
        Self { stream, received: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the gateway reads");
    }

    pub(crate) fn read_to_end(&mut self) -> String {
        let mut bytes = std::mem::take(&mut self.received);
        let _ = self.stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The head of the next message.
    pub(crate) fn head(&mut self) -> String {
        loop {
            if let Some(at) = find(&self.received, b"\r\n\r\n") {
                let rest = self.received.split_off(at + 4);
                return String::from_utf8_lossy(&std::mem::replace(&mut self.received, rest)).into_owned();
            }
            assert!(
                self.more(),
                "the connection closed in the middle of a head: {:?}",
                String::from_utf8_lossy(&self.received)
            );
        }
    }

    /// The next final response.
    pub(crate) fn response(&mut self, to_head: bool) -> Response {
        let head = self.head();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let mut response = Response { status, head, body: String::new() };
        let body = match (response.header("content-length"), response.header("transfer-encoding")) {
            _ if to_head || status < 200 || status == 204 || status == 304 => Vec::new(),
            (_, coding) if coding == "chunked" => self.chunks(),
            (length, _) if !length.is_empty() => self.exactly(length.parse().expect("a length")),
            _ => {
                while self.more() {}
                std::mem::take(&mut self.received)
            }
        };
        response.body = String::from_utf8_lossy(&body).into_owned();
        response
    }

    pub(crate) fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.received.len() < count {
            assert!(self.more(), "the connection closed {} bytes early", count - self.received.len());
        }
        let rest = self.received.split_off(count);
        std::mem::replace(&mut self.received, rest)
    }

    pub(crate) fn line(&mut self) -> String {
        loop {
            if let Some(at) = find(&self.received, b"\r\n") {
                let line = self.exactly(at + 2);
                return String::from_utf8_lossy(&line[..at]).into_owned();
            }
            assert!(self.more(), "the connection closed in the middle of a line");
        }
    }

    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let size = usize::from_str_radix(&self.line(), 16).expect("a chunk size");
            if size == 0 {
                while !self.line().is_empty() {}
                return body;
            }
            body.extend(self.exactly(size));
            assert_eq!(self.line(), "");
        }
    }

    /// Receives more; false at the end.
    pub(crate) fn more(&mut self) -> bool {
        let mut buffer = [0; 65536];
        match self.stream.read(&mut buffer) {
            Ok(count) => {
                self.received.extend_from_slice(&buffer[..count]);
                count > 0
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => false,
            Err(error) => panic!("nothing came: {error}"),
        }
    }

    /// The other side has closed.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.received.is_empty() && !self.more()
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// An upstream on loopback, a thread per connection.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    /// The heads that were received.
    heads: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<usize>>,
}

impl Upstream {
    /// `serve` is called for each request with its head; it reads the body and writes the response, and says whether
    /// the connection goes on.
    pub(crate) fn start(serve: impl Fn(&str, &mut Connection) -> bool + Send + Sync + 'static) -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").expect("a free port"), serve)
    }

    /// As [`Upstream::start`], on a listener that is there already.
    pub(crate) fn start_on(
        listener: TcpListener,
        serve: impl Fn(&str, &mut Connection) -> bool + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().expect("bound");
        let (heads, connections) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(0)));
        let (kept_heads, counted, serve) = (Arc::clone(&heads), Arc::clone(&connections), Arc::new(serve));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                *counted.lock().expect("no panic") += 1;
                let (heads, serve) = (Arc::clone(&kept_heads), Arc::clone(&serve));
                std::thread::spawn(move || {
                    let mut connection = Connection { stream, received: Vec::new() };
                    loop {
                        while find(&connection.received, b"\r\n\r\n").is_none() {
                            if !connection.more() {
                                return;
                            }
                        }
                        let head = connection.head();
                        heads.lock().expect("no panic").push(head.clone());
                        if !serve(&head, &mut connection) {
                            return;
                        }
                    }
                });
            }
        });
        Self { address, heads, connections }
    }

    /// Answers 200 with the request, as JSON: `method`, `target`, `headers` (lower case), `body`.
    pub(crate) fn echo() -> Self {
        Self::start(|head, connection| {
            let body = read_body(head, connection);
            let mut lines = head.lines();
            let mut words = lines.next().unwrap_or_default().split(' ');
            let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let mut headers = serde_json::Map::new();
            for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
                let name = name.to_lowercase();
                let value = headers
                    .get(&name)
                    .and_then(|value| value.as_str())
                    .map_or_else(|| value.to_owned(), |first| format!("{first} | {value}"));
                headers.insert(name, value.into());
            }
            let text =
                serde_json::json!({"method": method, "target": target, "headers": headers, "body": body}).to_string();
            let sent = if method == "HEAD" { "" } else { &text };
            connection.send(format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nServer: echo\r\nX-Powered-By: tests\r\nContent-Length: {}\r\n\r\n{sent}", text.len()));
            true
        })
    }

    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("no panic").clone()
    }

    pub(crate) fn connections(&self) -> usize {
        *self.connections.lock().expect("no panic")
    }
}

/// Holds upstreams back until a test lets them go on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub(crate) fn open(&self) {
        *self.0.0.lock().expect("no panic") = true;
        self.0.1.notify_all();
    }

    /// Waits until it is open.
    pub(crate) fn pass(&self) {
        let is_open = self.0.0.lock().expect("no panic");
        drop(self.0.1.wait_while(is_open, |is_open| !*is_open).expect("no panic"));
    }
}

/// Reads the body that goes with a head.
pub(crate) fn read_body(head: &str, connection: &mut Connection) -> String {
    let value = |name: &str| {
        head.lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_owned())
    };
    let body = match (value("transfer-encoding"), value("content-length")) {
        (Some(_), _) => connection.chunks(),
        (None, Some(length)) => connection.exactly(length.parse().expect("a length")),
        (None, None) => Vec::new(),
    };
    String::from_utf8_lossy(&body).into_owned()
}

/// A token for the API `notes`.
pub(crate) fn token(claims: serde_json::Value) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).expect("signed")
}

/// A header line with a token that may do everything with notes.
pub(crate) fn authorized() -> String {
    format!(
        "Authorization: Bearer {}\r\n",
        token(serde_json::json!({"sub": "ann", "scope": "notes:read notes:write", "exp": 4_102_444_800_u64}))
    )
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// A folder that is gone after the test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("gateway-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file at once, as a careful deployment does, and returns its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let (path, draft) = (self.0.join(name), self.0.join(format!("{name}.draft")));
        std::fs::write(&draft, text).expect("a file");
        std::fs::rename(&draft, &path).expect("a name");
        path.to_str().expect("text").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
