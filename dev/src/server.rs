//! Small servers on loopback, each on a thread of its own.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

/// After a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(50);

/// Opens a free port, and has `respond` answer there.
///
/// # Errors
/// The port or the thread cannot be had.
pub(crate) fn start<F, R>(name: &str, respond: F) -> io::Result<SocketAddr>
where
    F: Fn(SocketAddr, Request<Incoming>) -> R + Send + Sync + 'static,
    R: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let respond = Arc::new(respond);
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        runtime.block_on(async move {
            let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    // For want of descriptors, say.
                    tokio::time::sleep(PAUSE).await;
                    continue;
                };
                let respond = Arc::clone(&respond);
                // A connection that breaks is the client's business.
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let response = respond(address, request);
                        async move { Ok::<_, Infallible>(response.await) }
                    });
                    let connection = hyper::server::conn::http1::Builder::new();
                    let _ = connection.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
    })?;
    Ok(address)
}
