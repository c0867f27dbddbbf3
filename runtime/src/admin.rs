//! The listener for operators: `/metrics`, `/healthz`, `/readyz`, `/cache`. Nothing of it is reachable on the public listeners.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::exposition;
use gateway_base::digest::Digest;
use gateway_base::encoding::form_decode;
use gateway_base::problem::Problem;
use gateway_base::supervise::{self, Task};
use gateway_proxy::deployment::{Deployment, PreparedOperation};
use gateway_proxy::metrics::ProcessMetrics;

/// What the operators' listener reports.
pub(crate) struct Admin {
    deployment: RwLock<&'static Deployment>,
    process: Arc<ProcessMetrics>,
    /// The gateway accepts connections, and is not about to stop.
    pub(crate) ready: AtomicBool,
}

impl Admin {
    /// For a gateway that is about to accept connections.
    pub(crate) fn new(deployment: &'static Deployment, process: Arc<ProcessMetrics>) -> Self {
        Self { deployment: RwLock::new(deployment), process, ready: AtomicBool::new(true) }
    }

    fn deployment(&self) -> &'static Deployment {
        *self.deployment.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports about another deployment from now on.
    pub(crate) fn serve_for(&self, deployment: &'static Deployment) {
        if let Some(cache) = &self.deployment().cache {
            // No request asks for it any more.
            cache.purge_everything();
        }
        *self.deployment.write().unwrap_or_else(PoisonError::into_inner) = deployment;
    }
}

/// Opens the listener.
///
/// # Errors
/// The address cannot be opened.
pub(crate) async fn open(address: SocketAddr) -> Result<std::net::TcpListener, Problem> {
    TcpListener::bind(address).await.and_then(TcpListener::into_std).map_err(|error| {
        Problem::plain(format!(
            "the admin listener cannot open {address}: {error}; write another `admin: {{bind: …}}`, or `admin: off`"
        ))
    })
}

/// Serves until it is dropped.
pub(crate) async fn serve(admin: Arc<Admin>, listener: Arc<TcpListener>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let admin = Arc::clone(&admin);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let admin = Arc::clone(&admin);
                async move { Ok::<_, Infallible>(respond(&admin, &request)) }
            });
            // An operator's connection that breaks is ignored.
            let _ = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

fn respond(admin: &Admin, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if request.uri().path() == "/cache" {
        return purge(admin.deployment(), request);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned());
    }
    match request.uri().path() {
        "/healthz" => text(StatusCode::OK, "ok\n".to_owned()),
        "/readyz" if !admin.ready.load(Relaxed) => text(StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned()),
        "/readyz" => match supervise::dead().map(Task::name).collect::<Vec<_>>() {
            dead if dead.is_empty() => match unreachable(admin, request) {
                unreachable if unreachable.is_empty() => text(StatusCode::OK, "ready\n".to_owned()),
                unreachable => {
                    let body = format!("no usable endpoint: {}\n", unreachable.join(", "));
                    text(StatusCode::SERVICE_UNAVAILABLE, body)
                }
            },
            dead => text(StatusCode::SERVICE_UNAVAILABLE, format!("failed: {}\n", dead.join(", "))),
        },
        "/metrics" => {
            let mut response = text(StatusCode::OK, exposition::render(admin.deployment(), &admin.process));
            response.headers_mut().insert(
                CONTENT_TYPE,
                hyper::header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
            );
            response
        }
        _ => text(StatusCode::NOT_FOUND, "/metrics, /healthz, /readyz or /cache\n".to_owned()),
    }
}

/// `DELETE /cache`: takes out what is stored of an operation, of a URL, or all. It takes the administrators' key as a bearer
/// token: anyone who reaches this listener may read, and change nothing.
fn purge(deployment: &Deployment, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if request.method() != Method::DELETE {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only DELETE\n".to_owned());
    }
    let Some(cache) = &deployment.cache else {
        return text(StatusCode::NOT_FOUND, "no operation has a `cache`\n".to_owned());
    };
    let Some(key) = &deployment.operators_key else {
        let message = "write `admin: {key: {env: GATEWAY_ADMIN_KEY}}`: purging takes the administrators' key\n";
        return text(StatusCode::FORBIDDEN, message.to_owned());
    };
    let shown = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (scheme, token) = shown.split_once(' ').unwrap_or_default();
    if !scheme.eq_ignore_ascii_case("bearer") || Digest::of(token.trim().as_bytes()) != *key {
        let mut response = text(StatusCode::UNAUTHORIZED, "the administrators' key is missing or wrong\n".to_owned());
        response.headers_mut().insert(WWW_AUTHENTICATE, hyper::header::HeaderValue::from_static("Bearer"));
        return response;
    }
    let query = request.uri().query().unwrap_or_default();
    let parameters: Vec<(String, String)> = query.split('&').filter(|part| !part.is_empty()).map(parameter).collect();
    let purged = match &parameters[..] {
        [] => cache.purge_everything(),
        [(name, url)] if name == "url" => match cache.purge_url(url) {
            Some(purged) => purged,
            None => return text(StatusCode::BAD_REQUEST, "`url` is no URL and no absolute path\n".to_owned()),
        },
        [(name, id)] if name == "operation" => match numbers(deployment, id) {
            numbers if numbers.is_empty() => {
                return text(StatusCode::NOT_FOUND, "no operation of this name has a `cache`\n".to_owned());
            }
            numbers => cache.purge_numbers(&numbers),
        },
        _ => return text(StatusCode::BAD_REQUEST, "write `?operation=…`, `?url=…`, or nothing for all\n".to_owned()),
    };
    text(StatusCode::OK, format!("{purged}\n"))
}

/// The numbers of the operations of this name, or of `api.name`.
fn numbers(deployment: &Deployment, id: &str) -> Vec<usize> {
    let is_it = |operation: &PreparedOperation| {
        let (api, own) = (operation.api.name, operation.table.id);
        operation.table.cache.is_some()
            && (own == id || id.strip_prefix(api).and_then(|rest| rest.strip_prefix('.')) == Some(own))
    };
    let found = deployment.operations().map(|(_, operation)| operation.prepared).filter(|operation| is_it(operation));
    // An operation on several listeners is one.
    found.map(PreparedOperation::number).collect::<BTreeSet<_>>().into_iter().collect()
}

/// A parameter of a query, decoded.
fn parameter(part: &str) -> (String, String) {
    let (name, value) = part.split_once('=').unwrap_or((part, ""));
    (name.to_owned(), form_decode(value).unwrap_or_default().into_owned())
}

/// The upstreams without a usable endpoint, for `/readyz?deep`.
fn unreachable(admin: &Admin, request: &Request<Incoming>) -> Vec<String> {
    if !request.uri().query().is_some_and(|query| query.split('&').any(|part| part == "deep")) {
        return Vec::new();
    }
    let deployment = admin.deployment();
    let lost = deployment.clusters.iter().filter(|cluster| !cluster.has_usable_member());
    let lost = lost.filter(|cluster| deployment.answers_from(cluster));
    lost.map(|cluster| format!("{}.{}", cluster.api, cluster.document.name)).collect()
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
