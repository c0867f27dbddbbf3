//! The least that a proxy on hyper can do, to see what an HTTP library costs on the hot path: no routes, no log, no
//! checks, no deadlines.
//!
//! `hyper_proxy PORT UPSTREAM_PORT`: hyper's server on one current-thread runtime, and a pool of its bare client
//! connections. Like the gateway it replaces `Connection` and adds `X-Forwarded-For`.

use std::cell::RefCell;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONNECTION, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

type Problem = Box<dyn std::error::Error + Send + Sync>;

/// Connections to the upstream. One whose answer is still being read is in here too, and not ready.
type Pool = Rc<RefCell<Vec<SendRequest<Incoming>>>>;

fn main() -> io::Result<()> {
    let mut ports = std::env::args().skip(1).map(|port| port.parse().unwrap_or(0));
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.next().unwrap_or(18500)));
    let upstream = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.next().unwrap_or(18900)));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())?;
    runtime.block_on(async move {
        let listener = TcpListener::bind(address).await?;
        let pool = Pool::default();
        loop {
            let (stream, peer) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let forwarded_for = HeaderValue::from_str(&peer.ip().to_string()).map_err(io::Error::other)?;
            let pool = Rc::clone(&pool);
            let service =
                service_fn(move |request| forward(Rc::clone(&pool), upstream, forwarded_for.clone(), request));
            tokio::task::spawn_local(async move {
                // A client that goes away is no news here.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    })
}

async fn forward(
    pool: Pool,
    upstream: SocketAddr,
    forwarded_for: HeaderValue,
    mut request: Request<Incoming>,
) -> Result<Response<Incoming>, Problem> {
    let headers = request.headers_mut();
    headers.remove(CONNECTION);
    headers.append(HeaderName::from_static("x-forwarded-for"), forwarded_for);
    let mut sender = match take(&pool) {
        Some(sender) => sender,
        None => connect(upstream).await?,
    };
    let mut response = sender.send_request(request).await?;
    pool.borrow_mut().push(sender);
    response.headers_mut().remove(CONNECTION);
    Ok(response)
}

/// The connection that was used last of those that are ready.
fn take(pool: &Pool) -> Option<SendRequest<Incoming>> {
    let mut pool = pool.borrow_mut();
    pool.retain(|sender| !sender.is_closed());
    let index = pool.iter().rposition(SendRequest::is_ready)?;
    Some(pool.remove(index))
}

async fn connect(upstream: SocketAddr) -> Result<SendRequest<Incoming>, Problem> {
    let stream = TcpStream::connect(upstream).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::task::spawn_local(async move {
        let _ = connection.await;
    });
    Ok(sender)
}
