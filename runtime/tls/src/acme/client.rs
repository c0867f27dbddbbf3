//! Asks the authority over HTTPS, one connection per question: they are few, and far between.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue, USER_AGENT};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use gateway_base::connector;

/// For everything, from the name's resolution to the last byte of the answer.
const DEADLINE: Duration = Duration::from_secs(30);

/// A longer answer is not read.
const MAX_BODY: usize = 1 << 20;

/// A client for HTTPS only.
pub(super) struct Client {
    tls: Arc<ClientConfig>,
}

impl Client {
    pub(super) fn new(tls: Arc<ClientConfig>) -> Self {
        Self { tls }
    }
}

impl HttpClient for Client {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let tls = Arc::clone(&self.tls);
        Box::pin(async move {
            let asked = tokio::time::timeout(DEADLINE, ask(tls, request)).await;
            let asked = asked.unwrap_or_else(|_| Err("it did not answer in time".into()));
            asked.map_err(Error::Other)
        })
    }
}

type AnyError = Box<dyn std::error::Error + Send + Sync + 'static>;

async fn ask(tls: Arc<ClientConfig>, request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, AnyError> {
    let (mut parts, body) = request.into_parts();
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, format!("{}: {what}", parts.uri));
    if parts.uri.scheme_str() != Some("https") {
        return Err(invalid("only https:// is asked").into());
    }
    let authority = parts.uri.authority().ok_or_else(|| invalid("no host"))?.clone();
    let host = authority.host().trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(host.clone()).map_err(|_| invalid("no name that a certificate could have"))?;
    let stream = connector::connect(&host, authority.port_u16().unwrap_or(443)).await?;
    let stream = TlsConnector::from(tls).connect(name, stream).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        // An error of the connection is an error of the answer, which reports it.
        let _ = connection.await;
    });
    parts.headers.insert(HOST, HeaderValue::from_str(authority.as_str())?);
    parts.headers.insert(USER_AGENT, HeaderValue::from_static(concat!("gateway/", env!("CARGO_PKG_VERSION"))));
    parts.uri = parts.uri.path_and_query().map_or_else(|| Uri::from_static("/"), |target| Uri::from(target.clone()));
    let body = body.collect().await?.to_bytes();
    let response = sender.send_request(Request::from_parts(parts, Full::new(body))).await?;
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, MAX_BODY).collect().await?.to_bytes();
    Ok(Response::from_parts(parts, Full::new(body)).into())
}
