//! A headless Chromium, driven through WebDriver (W3C).

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::PATIENCE;

/// A browser with a profile of its own; ended when dropped.
pub(crate) struct WebBrowser {
    driver: Child,
    address: SocketAddr,
    session: String,
}

impl WebBrowser {
    /// A browser for which `localhost` is at `port`, whatever port it is asked for; `None` where there is no Chromium, which
    /// is a failure where services are required.
    pub(crate) fn start(port: u16, width: u32, height: u32) -> Option<Self> {
        Self::start_with(&format!("MAP localhost 127.0.0.1:{port}"), width, height)
    }

    /// The same with rules of its own about where hosts are.
    pub(crate) fn start_with(hosts: &str, width: u32, height: u32) -> Option<Self> {
        let driver = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut driver = match driver {
            Ok(driver) => driver,
            Err(why) => {
                let required = std::env::var("GATEWAY_TEST_REQUIRE_SERVICES").is_ok_and(|value| value == "1");
                assert!(!required, "chromedriver does not run: {why}");
                eprintln!("skipped: chromedriver does not run: {why}");
                return None;
            }
        };
        let mut lines = BufReader::new(driver.stdout.take().expect("piped")).lines().map_while(Result::ok);
        let port_of =
            |line: String| line.rsplit_once("successfully on port ")?.1.trim_end_matches('.').parse::<u16>().ok();
        let at = lines.find_map(port_of).expect("chromedriver says where it listens");
        // It would block if its output were not read.
        std::thread::spawn(move || lines.for_each(drop));
        let mut browser = Self { driver, address: SocketAddr::from(([127, 0, 0, 1], at)), session: String::new() };
        let arguments = [
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(), // The pages are the tests' own.
            "--disable-dev-shm-usage".to_owned(),
            format!("--window-size={width},{height}"),
            format!("--host-resolver-rules={hosts}"),
        ];
        let options = json!({"acceptInsecureCerts": true, "goog:chromeOptions": {"args": arguments}});
        let made = browser.command("POST", "/session", &json!({"capabilities": {"alwaysMatch": options}}));
        browser.session = made["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {made}")).to_owned();
        Some(browser)
    }

    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut stream = TcpStream::connect(self.address).expect("chromedriver listens");
        stream.set_read_timeout(Some(2 * PATIENCE)).expect("set");
        let body = if method == "GET" || method == "DELETE" { String::new() } else { body.to_string() };
        let (host, length) = (self.address, body.len());
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}").expect("sent");
        // It does not close the connection, whatever it is asked.
        let mut answer = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            answer.read_line(&mut line).expect("an answer");
            let Some((name, value)) = line.split_once(':') else {
                if line.trim().is_empty() {
                    break;
                } else {
                    continue;
                };
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut json = vec![0; length];
        answer.read_exact(&mut json).expect("a body");
        let json = String::from_utf8(json).expect("text");
        serde_json::from_str::<Value>(&json).unwrap_or_else(|error| panic!("{error}: {json}"))["value"].clone()
    }

    fn in_session(&self, method: &str, path: &str, body: &Value) -> Value {
        self.command(method, &format!("/session/{}{path}", self.session), body)
    }

    pub(crate) fn go(&self, url: &str) {
        let answer = self.in_session("POST", "/url", &json!({"url": url}));
        assert!(answer.is_null(), "{url}: {answer}");
    }

    pub(crate) fn url(&self) -> String {
        self.in_session("GET", "/url", &Value::Null).as_str().unwrap_or_default().to_owned()
    }

    /// An element, once it is there.
    fn find(&self, css: &str) -> String {
        let started = Instant::now();
        loop {
            let found = self.in_session("POST", "/element", &json!({"using": "css selector", "value": css}));
            let id = found.as_object().and_then(|found| found.values().next()).and_then(Value::as_str);
            if let (Some(id), None) = (id, found.get("error")) {
                return id.to_owned();
            }
            assert!(started.elapsed() < PATIENCE, "no {css} at {}: {}", self.url(), self.body());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Clicks on an element, once the page is there with its scripts: a form does another thing before they run.
    pub(crate) fn click(&self, css: &str) {
        self.find(css);
        self.holds("document.readyState === 'complete'");
        let started = Instant::now();
        loop {
            let answer = self.in_session("POST", &format!("/element/{}/click", self.find(css)), &json!({}));
            if answer.is_null() {
                return;
            }
            // The page may be in the middle of a change.
            assert!(started.elapsed() < PATIENCE, "{css}: {answer}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Clicks twice, as an impatient user does.
    pub(crate) fn click_twice(&self, css: &str) {
        self.holds("document.readyState === 'complete'");
        let origin = json!({"element-6066-11e4-a52e-4f735466cecf": self.find(css)});
        let click = [
            json!({"type": "pointerDown", "button": 0}),
            json!({"type": "pointerUp", "button": 0}),
            json!({"type": "pause", "duration": 400}),
        ];
        let to = json!({"type": "pointerMove", "duration": 0, "x": 0, "y": 0, "origin": origin});
        let strokes: Vec<Value> = [to].iter().chain(&click).chain(&click).cloned().collect();
        let mouse =
            json!({"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": strokes});
        self.in_session("POST", "/actions", &json!({"actions": [mouse]}));
    }

    /// Waits until a condition in the page's language holds.
    pub(crate) fn holds(&self, condition: &str) {
        let started = Instant::now();
        while self.evaluate(&format!("return !!({condition})")) != true {
            assert!(started.elapsed() < PATIENCE, "not at {}: {condition}\n{}", self.url(), self.body());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Types into a field, instead of what is there.
    pub(crate) fn fill(&self, css: &str, text: &str) {
        let element = self.find(css);
        self.in_session("POST", &format!("/element/{element}/clear"), &json!({}));
        let answer = self.in_session("POST", &format!("/element/{element}/value"), &json!({"text": text}));
        assert!(answer.is_null(), "{css}: {answer}");
    }

    /// Presses keys, as WebDriver spells them, wherever the focus is.
    pub(crate) fn press(&self, keys: &str) {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})])
            .collect();
        let actions = json!({"actions": [{"type": "key", "id": "keyboard", "actions": strokes}]});
        self.in_session("POST", "/actions", &actions);
    }

    /// What a person reads.
    pub(crate) fn body(&self) -> String {
        self.evaluate("return document.body ? document.body.innerText : ''").as_str().unwrap_or_default().to_owned()
    }

    /// What a script returns; a promise is waited for.
    pub(crate) fn evaluate(&self, script: &str) -> Value {
        self.in_session("POST", "/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Waits until the page shows this.
    pub(crate) fn reads(&self, text: &str) {
        let started = Instant::now();
        while !self.body().contains(text) {
            assert!(started.elapsed() < PATIENCE, "{text:?} is not at {}: {}", self.url(), self.body());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the page has this address.
    pub(crate) fn arrives(&self, start: &str) {
        let started = Instant::now();
        while !self.url().starts_with(start) {
            assert!(started.elapsed() < PATIENCE, "not at {start}: {} {}", self.url(), self.body());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// A picture of the page, for people.
    pub(crate) fn picture(&self, folder: &Path, name: &str) {
        use base64::Engine as _;
        let picture = self.in_session("GET", "/screenshot", &Value::Null);
        let bytes =
            base64::engine::general_purpose::STANDARD.decode(picture.as_str().unwrap_or_default()).expect("base64");
        std::fs::create_dir_all(folder).expect("a folder");
        std::fs::write(folder.join(format!("{name}.png")), bytes).expect("written");
    }
}

impl Drop for WebBrowser {
    fn drop(&mut self) {
        if !self.session.is_empty() && !std::thread::panicking() {
            self.in_session("DELETE", "", &Value::Null);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
