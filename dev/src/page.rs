//! A page with all operations to try.
//!
//! The page's server sends the requests, because a browser would not let a page of another origin. What it sends goes to
//! the gateway's own listener and nowhere else, and only the page itself can ask for it: it has a word that no other page
//! knows, and names the server as it is (a name that leads to this address is refused).

use std::fmt::{self, Write as _};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gatewayc::ir;
use gatewayc::policy;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

use crate::described::{Described, mark};
use crate::server;

/// The largest body, in either direction, in bytes.
const MOST: usize = 1 << 20;
/// How long the gateway may take.
const PATIENCE: Duration = Duration::from_secs(70);
/// Carries the word that the page knows.
const WORD: &str = "x-gateway-dev";

/// The server of the page.
#[derive(Clone)]
pub(crate) struct Page {
    shown: Arc<Mutex<Shown>>,
    described: Described,
    word: String,
}

#[derive(Default)]
struct Shown {
    /// A listener without TLS.
    gateway: Option<SocketAddr>,
    /// JSON.
    operations: String,
}

impl Page {
    /// Opens a free port on loopback and serves the page there; returns its URL.
    ///
    /// # Errors
    /// The port or the thread cannot be had.
    pub(crate) fn start(described: Described) -> io::Result<(Self, String)> {
        let random = || RandomState::new().build_hasher().finish();
        let page = Self { shown: Arc::default(), described, word: format!("{:016x}{:016x}", random(), random()) };
        let served = page.clone();
        let address = server::start("page", move |own, request| served.clone().respond(own, request))?;
        Ok((page, format!("http://{address}/")))
    }

    /// Sends requests to the gateway at this address.
    pub(crate) fn try_at(&self, gateway: Option<SocketAddr>) {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).gateway = gateway;
    }

    /// Shows the operations of this gateway from now on.
    pub(crate) fn show(&self, gateway: &ir::Gateway) {
        let operations = operations(gateway).to_string();
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).operations = operations;
    }

    async fn respond(self, own: SocketAddr, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
        if host != Some(&*own.to_string()) && host != Some(&*format!("localhost:{}", own.port())) {
            return text(StatusCode::MISDIRECTED_REQUEST, "This page is at its own address only");
        }
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/") => self.html(),
            (&Method::GET, "/operations") if self.is_ours(&request) => {
                typed("application/json", self.shown.lock().unwrap_or_else(PoisonError::into_inner).operations.clone())
            }
            (&Method::POST, "/body") if self.is_ours(&request) => match body_of(request).await {
                Some(mark) => typed("application/json", self.example(&mark).to_string()),
                None => text(StatusCode::BAD_REQUEST, "Not an operation"),
            },
            (&Method::POST, "/try") if self.is_ours(&request) => match body_of(request).await {
                Some(asked) => match self.send(&asked).await {
                    Ok(answer) => typed("application/json", answer.to_string()),
                    Err(error) => text(StatusCode::BAD_GATEWAY, &error.to_string()),
                },
                None => text(StatusCode::BAD_REQUEST, "Not a request"),
            },
            (_, "/operations" | "/body" | "/try") => text(StatusCode::FORBIDDEN, "Only the page can ask for this"),
            _ => text(StatusCode::NOT_FOUND, "The page is at /"),
        }
    }

    fn is_ours(&self, request: &Request<Incoming>) -> bool {
        request.headers().get(WORD).is_some_and(|word| word.as_bytes() == self.word.as_bytes())
    }

    fn html(&self) -> Response<Full<Bytes>> {
        let mut response = typed("text/html; charset=utf-8", include_str!("page.html").replace("<<word>>", &self.word));
        // No page may frame it, and it loads nothing from elsewhere.
        let policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; \
                      frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
        response.headers_mut().insert("content-security-policy", HeaderValue::from_static(policy));
        response.headers_mut().insert("referrer-policy", HeaderValue::from_static("no-referrer"));
        response
    }

    /// The body that an operation's document has for an example.
    fn example(&self, mark: &str) -> Value {
        match self.described.request_body(mark) {
            Some(content) => json!({
                "type": content.media_type,
                "text": content.examples.first().map_or("", |(_, text)| text),
            }),
            None => json!({}),
        }
    }

    /// Sends what the page asks for to the gateway.
    async fn send(&self, asked: &str) -> Result<Value, TryError> {
        let address = self.shown.lock().unwrap_or_else(PoisonError::into_inner).gateway;
        let address = address.ok_or(TryError::NoListener)?;
        let asked: Value = serde_json::from_str(asked).map_err(TryError::NotJson)?;
        let member = |name: &str| asked.get(name).and_then(Value::as_str).unwrap_or_default();
        let target =
            member("path").parse::<Uri>().ok().filter(|uri| uri.path().starts_with('/') && uri.host().is_none());
        let target = target.ok_or(TryError::Path)?;
        let mut request = Request::builder().method(member("method")).uri(target);
        for line in member("fields").lines().filter(|line| !line.trim().is_empty()) {
            let (name, value) = line.split_once(':').ok_or_else(|| TryError::Line(line.to_owned()))?;
            let name = name.trim().parse::<HeaderName>().map_err(|_| TryError::Name(name.to_owned()))?;
            let value = value.trim().parse::<HeaderValue>().map_err(|_| TryError::Value(name.clone()))?;
            request = request.header(name, value);
        }
        if !request.headers_ref().is_some_and(|fields| fields.contains_key(HOST)) {
            request = request.header(HOST, address.to_string());
        }
        let body = Full::new(Bytes::from(member("body").to_owned()));
        let request = request.body(body).map_err(TryError::Request)?;
        let exchange = async {
            let stream = tokio::net::TcpStream::connect(address).await.map_err(TryError::Unreachable)?;
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(TryError::Exchange)?;
            tokio::spawn(connection);
            let response = sender.send_request(request).await.map_err(TryError::Exchange)?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, MOST).collect().await.map(|body| body.to_bytes());
            let mut head = format!("{:?} {}\n", parts.version, parts.status);
            for (name, value) in &parts.headers {
                let _ = writeln!(head, "{name}: {}", String::from_utf8_lossy(value.as_bytes()));
            }
            let body = body
                .map_or_else(|_| "(too long to show)".to_owned(), |body| String::from_utf8_lossy(&body).into_owned());
            Ok(json!({"status": parts.status.as_u16(), "head": head, "body": body}))
        };
        tokio::time::timeout(PATIENCE, exchange).await.unwrap_or(Err(TryError::Late))
    }
}

/// Why a request of the page has no response.
#[derive(Debug)]
enum TryError {
    /// The gateway has no listener that the page could use.
    NoListener,
    /// The page asks for something that is not JSON.
    NotJson(serde_json::Error),
    /// The path has more than a path and a query.
    Path,
    /// This line has no colon.
    Line(String),
    /// This is not the name of a field.
    Name(String),
    /// The value of this field has characters that no value has.
    Value(HeaderName),
    /// There is no such request, such as one with another method.
    Request(hyper::http::Error),
    /// The gateway takes no connection.
    Unreachable(io::Error),
    /// The exchange was broken off.
    Exchange(hyper::Error),
    /// There is no response in time.
    Late,
}

impl fmt::Display for TryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoListener => f.write_str("The gateway has no listener without TLS; use curl"),
            Self::NotJson(_) => f.write_str("Not a request"),
            Self::Path => f.write_str("The path is not one of a URL"),
            Self::Line(line) => write!(f, "`{line}` is not NAME: VALUE"),
            Self::Name(name) => write!(f, "`{name}` is not a field name"),
            Self::Value(name) => write!(f, "the value of `{name}` has characters that no field value has"),
            Self::Request(error) => write!(f, "{error}"),
            Self::Unreachable(error) => write!(f, "{error}"),
            Self::Exchange(error) => write!(f, "{error}"),
            Self::Late => f.write_str("The gateway does not answer"),
        }
    }
}

impl std::error::Error for TryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NotJson(error) => Some(error),
            Self::Request(error) => Some(error),
            Self::Unreachable(error) => Some(error),
            Self::Exchange(error) => Some(error),
            Self::NoListener | Self::Path | Self::Line(_) | Self::Name(_) | Self::Value(_) | Self::Late => None,
        }
    }
}

/// The operations, as the page lists them.
fn operations(gateway: &ir::Gateway) -> Value {
    let of_api = |api: &ir::Api| {
        let operations = api.routes.iter().flat_map(|route| {
            route.operations.iter().map(|operation| {
                json!({
                    "mark": mark(&api.name, operation),
                    "method": operation.method,
                    "path": route.template.to_string(),
                    "shown": policy::path(route),
                    "id": operation.id,
                    "summary": operation.summary,
                    "who": policy::who(api, operation),
                    "fields": credential_fields(api, &operation.access),
                })
            })
        });
        json!({"name": api.name, "title": api.title, "operations": operations.collect::<Vec<_>>()})
    };
    Value::from_iter(gateway.apis.iter().map(of_api))
}

/// The fields of the first alternative in which a caller proves who it is, with values to be filled in.
fn credential_fields(api: &ir::Api, access: &ir::Access) -> String {
    let ir::Access::OneOf(alternatives) = access else { return String::new() };
    let names = alternatives.first().into_iter().flatten().map(|requirement| &requirement.scheme);
    let schemes = names.filter_map(|name| api.schemes.iter().find(|scheme| scheme.name == *name));
    let mut fields = String::new();
    for scheme in schemes {
        let value = match (&scheme.credential, scheme.locations.first()) {
            (ir::Credential::Basic, _) => "Authorization: Basic ".to_owned(),
            (_, Some(ir::CredentialLocation::Header(name))) if name.eq_ignore_ascii_case("authorization") => {
                "Authorization: Bearer ".to_owned()
            }
            (_, Some(ir::CredentialLocation::Header(name))) => format!("{name}: "),
            (_, Some(ir::CredentialLocation::Cookie(name))) => format!("Cookie: {name}="),
            (
                _,
                Some(
                    ir::CredentialLocation::Query(_)
                    | ir::CredentialLocation::Form(_)
                    | ir::CredentialLocation::Subprotocol(_),
                )
                | None,
            ) => continue,
        };
        let _ = writeln!(fields, "{value}");
    }
    fields
}

async fn body_of(request: Request<Incoming>) -> Option<String> {
    let body = Limited::new(request.into_body(), MOST).collect().await.ok()?.to_bytes();
    String::from_utf8(body.to_vec()).ok()
}

fn typed(media_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    fields.insert("cache-control", HeaderValue::from_static("no-store"));
    fields.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}

fn text(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut response = typed("text/plain; charset=utf-8", format!("{text}\n"));
    *response.status_mut() = status;
    response
}
