//! The OAuth tutorial in a real browser: login, consent, callback, a call of the API, and withdrawal. Pictures of the pages
//! are left in `target/tmp/pages`.

#[path = "../../support/pki.rs"]
mod pki;
#[path = "../../support/mod.rs"]
mod support;
#[path = "../../support/tutorial.rs"]
#[allow(dead_code, reason = "of use to others")]
mod tutorial;
#[path = "../../support/webdriver.rs"]
mod webdriver;

use std::path::PathBuf;

use pki::{Authority, Folder};
use support::{Connection, Gateway, Upstream};
use tutorial::{ISSUER, PARTIES, PASSWORD};
use webdriver::WebBrowser;

/// The gateway with TLS, and a browser for which it is at the address in the document.
struct Stage {
    browser: WebBrowser,
    pictures: PathBuf,
    _gateway: Gateway,
    _folder: Folder,
}

impl Stage {
    fn set(width: u32, height: u32) -> Option<Self> {
        let folder = Folder::new();
        let key = rcgen::KeyPair::generate().expect("a key");
        folder.write("client.pub.pem", &key.public_key_pem());
        folder.write("gateway.yaml", "{}");
        let parties = folder.write("parties.yaml", PARTIES);
        let certificate = Authority::new().server(&["localhost"]).at(&folder, "tls");
        let settings = [
            certificate.to_vec(),
            vec![format!("consumers.file={parties}"), "listeners.test.apis=[tutorial]".to_owned()],
        ];
        let settings: Vec<&str> = settings.iter().flatten().map(String::as_str).collect();
        let upstream = Upstream::echo();
        let mut command = Gateway::command(&settings, upstream.address);
        tutorial::secrets(&mut command);
        command.args(["--config", &folder.path("gateway.yaml").display().to_string()]);
        let gateway = Gateway::launch(command);
        let browser = WebBrowser::start(gateway.address.port(), width, height)?;
        let pictures = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pages").join(format!("{width}"));
        Some(Self { browser, pictures, _gateway: gateway, _folder: folder })
    }

    fn picture(&self, name: &str) {
        self.browser.picture(&self.pictures, name);
        // Whatever the size of the window, nothing has to be scrolled sideways.
        let overflow = self.browser.evaluate("return document.documentElement.scrollWidth - window.innerWidth");
        assert!(overflow.as_i64().is_some_and(|overflow| overflow <= 0), "{name} is {overflow} too wide");
    }

    /// Everything that takes input has a name, and the page a language and one headline.
    fn is_accessible(&self) {
        let nameless = self.browser.evaluate(
            "return [...document.querySelectorAll('input:not([type=hidden]), button, a')].filter(e => !(e.labels && e.labels.length) \
             && !e.innerText.trim() && !e.getAttribute('aria-label')).map(e => e.outerHTML)",
        );
        assert_eq!(nameless, serde_json::json!([]));
        let page = self.browser.evaluate(
            "return [document.documentElement.lang, document.querySelectorAll('h1').length, document.title.length > 0, \
             document.querySelectorAll('main').length]",
        );
        assert_eq!(page, serde_json::json!(["en", 1, true, 1]));
    }

    fn log_in(&self, user: &str, password: &str) {
        self.browser.fill("#username", user);
        self.browser.fill("#password", password);
        self.browser.click("form button[type=submit]");
    }
}

/// The whole way, in a window of this size.
fn walk(width: u32, height: u32) {
    let Some(stage) = Stage::set(width, height) else { return };
    let browser = &stage.browser;
    browser.go(&format!("{ISSUER}/"));
    browser.reads("Every way to a token");
    stage.picture("1-home");
    stage.is_accessible();
    browser.click("#start-code");
    browser.arrives(&format!("{ISSUER}/login"));
    stage.picture("2-login");
    stage.is_accessible();

    // The wrong password: an error, and the name is kept.
    stage.log_in("bob", "wrong");
    browser.reads("The name or the password is wrong.");
    stage.picture("3-wrong-password");
    assert_eq!(browser.evaluate("return document.querySelector('#username').value"), "bob");

    // The right one, by keyboard alone: the focus is where the next thing is typed.
    browser
        .holds("document.readyState === 'complete' && document.activeElement === document.querySelector('#password')");
    browser.press(&format!("{PASSWORD}\u{e007}"));
    browser.reads("asks for access to your account");
    stage.picture("4-consent");
    stage.is_accessible();
    browser.reads("Read and write your notes");

    // Deny: the application gets an error.
    browser.click("button[name=cancel]");
    browser.arrives(&format!("{ISSUER}/callback"));
    browser.reads("access_denied");
    stage.picture("5-denied");

    // Allow: a token that opens the API, and leaves no trace in the address bar.
    browser.go(&format!("{ISSUER}/"));
    browser.click("#start-code");
    browser.click("button[name=allow]");
    browser.arrives(&format!("{ISSUER}/callback"));
    browser.reads("access_token");
    assert_eq!(browser.url(), format!("{ISSUER}/callback"));
    stage.picture("6-token");
    browser.click("#call-notes");
    browser.reads("200 ");
    browser.reads("x-user-id");
    stage.picture("7-notes");
    browser.click("#refresh");
    // The buttons of the new token, and not those of the old one.
    browser.holds("document.querySelector('#output').hidden");
    browser.click("#call-notes");
    browser.reads("200 ");

    // The second time the user is not asked; and the implicit grant still works where it is turned on.
    browser.go(&format!("{ISSUER}/"));
    browser.click("#start-implicit");
    browser.arrives(&format!("{ISSUER}/callback"));
    browser.click("#call-notes");
    browser.reads("200 ");

    // What was allowed is on the account page, and ends there.
    browser.go(&format!("{ISSUER}/account"));
    browser.reads("Tutorial");
    stage.picture("8-account");
    stage.is_accessible();
    browser.click(".application button");
    browser.reads("The access was withdrawn.");
    browser.reads("No application has access to your account.");
    stage.picture("9-withdrawn");
    browser.go(&format!("{ISSUER}/"));
    browser.click("#start-code");
    browser.reads("asks for access to your account");

    // An unknown application: a page, and no way to anywhere.
    browser.go(&format!(
        "{ISSUER}/oauth/authorize?client_id=evil&redirect_uri=https%3A%2F%2Fevil.example&response_type=code"
    ));
    browser.reads("This does not work");
    stage.picture("10-unknown-application");
    stage.is_accessible();

    // The end of the session.
    browser.go(&format!("{ISSUER}/account"));
    browser.click("form[action=\"/logout\"] button");
    // The address of the account page begins like that of the home page.
    browser.reads("Every way to a token");
    browser.go(&format!("{ISSUER}/account"));
    browser.arrives(&format!("{ISSUER}/login"));
}

#[test]
fn in_a_window_on_a_desk() {
    walk(1280, 900);
}

#[test]
fn on_a_phone() {
    walk(390, 844);
}

/// An application at a port of its own, on this machine.
fn application(answer: impl Fn(&str, &mut Connection) + Send + Sync + 'static) -> Upstream {
    Upstream::start(move |head, connection| {
        answer(head, connection);
        false
    })
}

fn landed(connection: &mut Connection) {
    let page = "<title>t</title><p>landed</p>";
    let length = page.len();
    connection.send(format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{page}"
    ));
}

fn authorization_request(application: &Upstream) -> String {
    let callback = format!("http://{}/callback", application.address);
    format!(
        "{ISSUER}/oauth/authorize?{}",
        tutorial::request("notes", "").replace(&tutorial::encoded(tutorial::CALLBACK), &tutorial::encoded(&callback))
    )
}

#[test]
fn the_callback_may_send_the_browser_on_to_another_host() {
    let Some(stage) = Stage::set(1024, 800) else { return };
    let browser = &stage.browser;
    let elsewhere = application(|_, connection| landed(connection));
    let home = format!("http://{}/home", elsewhere.address);
    let to = home.clone();
    let app = application(move |_, connection| {
        connection
            .send(format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
    });
    browser.go(&authorization_request(&app));
    stage.log_in("bob", PASSWORD);
    browser.click("button[name=allow]");
    browser.arrives(&home);
    browser.reads("landed");
    assert!(app.heads().iter().any(|head| head.contains("/callback?code=")), "{:?}", app.heads());
}

#[test]
fn a_second_click_on_allow_or_login_ends_at_the_application() {
    let Some(stage) = Stage::set(1024, 800) else { return };
    let browser = &stage.browser;
    let app = application(|_, connection| {
        // So long that the second click ends the navigation of the first.
        std::thread::sleep(std::time::Duration::from_secs(1));
        landed(connection);
    });
    browser.go(&authorization_request(&app));
    browser.fill("#username", "bob");
    browser.fill("#password", PASSWORD);
    browser.click_twice("form button[type=submit]");
    browser.reads("asks for access to your account");
    browser.click_twice("button[name=allow]");
    browser.arrives(&format!("http://{}/callback?code=", app.address));
    browser.reads("landed");
}

#[test]
fn programs_get_tokens_on_the_home_page() {
    let Some(stage) = Stage::set(1024, 800) else { return };
    let browser = &stage.browser;
    browser.go(&format!("{ISSUER}/"));
    browser.fill("#secret-a", tutorial::CLIENT_SECRET);
    browser.click("#start-client");
    browser.reads("access_token");
    browser.click("#call-notes");
    browser.reads("200 ");
    browser.click("#revoke");
    browser.holds("document.querySelector('#output').textContent.trim().endsWith('\\n{}')");
    browser.click("#call-notes");
    browser.reads("401 ");
    browser.fill("#user-password", PASSWORD);
    browser.fill("#secret-b", tutorial::CLIENT_SECRET);
    browser.click("#start-password");
    browser.reads("refresh_token");
    browser.click("#call-me");
    browser.reads("bob@example.org");
    stage.picture("password");
}
