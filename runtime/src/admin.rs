//! The listener for operators: `/metrics`, `/healthz`, `/readyz`. Nothing of it is reachable on the public listeners.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::exposition;
use gateway_base::problem::Problem;
use gateway_base::supervise::{self, Task};
use gateway_proxy::deployment::Deployment;
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
        _ => text(StatusCode::NOT_FOUND, "/metrics, /healthz or /readyz\n".to_owned()),
    }
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
