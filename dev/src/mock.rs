//! Answers from a document's examples, in place of upstreams that are not there.

mod answer;
mod presence;

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use gatewayc::ast::Document;
use gatewayc::examples::{DescribedResponse, responses};
use gatewayc::ir;
use gatewayc::source::SourceSet;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;

use answer::{answer, plain};
pub(crate) use presence::{Mode, Presence};

/// Names the operation of a request to this server.
const OPERATION: &str = "X-Gateway-Mock-Operation";

/// The server that stands in for upstreams.
#[derive(Clone)]
pub(crate) struct Mock {
    address: SocketAddr,
    described: Arc<Mutex<Described>>,
}

/// The documents that are served.
#[derive(Default)]
struct Described {
    documents: Vec<Document>,
    sources: Option<SourceSet<'static>>,
    /// The responses of the operations that were asked for.
    known: HashMap<String, Arc<Vec<DescribedResponse>>>,
}

impl Mock {
    /// Opens a free port on loopback and serves there, on a thread of its own.
    ///
    /// # Errors
    /// The port or the thread cannot be had.
    pub(crate) fn start() -> io::Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let mock = Self { address: listener.local_addr()?, described: Arc::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let served = mock.clone();
        std::thread::Builder::new().name("mock".to_owned()).spawn(move || runtime.block_on(served.serve(listener)))?;
        Ok(mock)
    }

    /// The setting that sends requests here instead of to an upstream.
    pub(crate) fn setting(&self, api: &str, upstream: &str) -> String {
        format!("upstreams.{api}.{upstream}=http://{}", self.address)
    }

    /// Answers for these documents from now on.
    pub(crate) fn serve_for(&self, documents: Vec<Document>, sources: SourceSet<'static>) {
        *self.described.lock().unwrap_or_else(PoisonError::into_inner) =
            Described { documents, sources: Some(sources), known: HashMap::new() };
    }

    async fn serve(self, listener: std::net::TcpListener) {
        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let mock = self.clone();
            // A connection that breaks is the gateway's business.
            tokio::spawn(async move {
                let respond = service_fn(move |request| {
                    let response = mock.respond(&request);
                    async move { Ok::<_, Infallible>(response) }
                });
                let _ =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), respond).await;
            });
        }
    }

    fn respond(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let operation = request.headers().get(OPERATION).and_then(|value| value.to_str().ok());
        let described = operation.and_then(|operation| self.responses(operation));
        match described {
            Some(described) => answer(&described, request.headers()),
            None => {
                plain(StatusCode::BAD_GATEWAY, "The upstream is not there, and the document has no example for this")
            }
        }
    }

    /// The responses of an operation, by [`mark`].
    fn responses(&self, operation: &str) -> Option<Arc<Vec<DescribedResponse>>> {
        let mut described = self.described.lock().unwrap_or_else(PoisonError::into_inner);
        let Described { documents, sources, known } = &mut *described;
        if let Some(known) = known.get(operation) {
            return Some(Arc::clone(known));
        }
        let (api, place) = operation.split_once(' ')?;
        let place = place.parse::<u32>().ok()?;
        let document = documents.iter().find(|document| document.name == api)?;
        let mut operations = document.paths.iter().flat_map(|path| &path.operations);
        let found = operations.find(|operation| operation.span.start == place)?;
        let found = Arc::new(responses(&found.node, sources.as_mut()?));
        known.insert(operation.to_owned(), Arc::clone(&found));
        Some(found)
    }
}

/// Makes each forwarded operation say to the mock which one it is.
pub(crate) fn mark(gateway: &mut ir::Gateway) {
    for api in &mut gateway.apis {
        for operation in api.routes.iter_mut().flat_map(|route| &mut route.operations) {
            if matches!(operation.action, ir::Action::Forward { .. }) {
                let mark = format!("{} {}", api.name, operation.span.start);
                operation.request_headers.set.push((OPERATION.to_owned(), mark));
            }
        }
    }
}
