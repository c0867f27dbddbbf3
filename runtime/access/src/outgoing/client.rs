//! One question to a provider over HTTP/1.1: no redirects, no proxies, a deadline for all of it and a bound on the answer.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use crate::outgoing::url::ProviderUrl;
use crate::prepare_error::PrepareError;
use gateway_base::connector;
use gateway_base::encoding::form_encode;
use gateway_base::secret::{SecretReference, SecretStore};
use gateway_wire::cache_control::{Directive, directives, is_malformed};

/// For everything, from the name's resolution to the last byte of the answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// For all addresses of a name together.
const CONNECT_TIME: Duration = Duration::from_secs(6);

/// A longer body is not read.
const MAX_BODY: usize = 1 << 20;

/// Asks providers.
#[derive(Clone)]
pub(crate) struct Client {
    tls: Option<TlsConnector>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("tls", &self.tls.is_some()).finish()
    }
}

/// A form to be posted with HTTP Basic authentication.
pub(crate) struct Form<'a> {
    pub(crate) authorization: &'a HeaderValue,
    pub(crate) body: String,
}

/// How the gateway says at a provider who it is (`client_secret_basic`, RFC 6749 §2.3.1).
///
/// # Errors
/// There is no such secret, or it cannot be sent.
pub(crate) fn basic(
    client_id: &str,
    secret: &SecretReference,
    secrets: &SecretStore,
) -> Result<HeaderValue, PrepareError> {
    let secret = secret.resolve(secrets)?;
    let pair = format!("{}:{}", form_encode(client_id.as_bytes()), form_encode(secret.expose()));
    let mut value =
        HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair))).map_err(|_| PrepareError::ClientSecret)?;
    value.set_sensitive(true);
    Ok(value)
}

/// What a provider answered with 200.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) body: Vec<u8>,
    /// `max-age` of `Cache-Control`.
    pub(crate) max_age: Option<Duration>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("it cannot be reached: {0}")]
    Unreachable(#[source] io::Error),
    #[error("it asks for TLS, and the scheme's own URL does not")]
    NoTls,
    #[error("no TLS connection can be made: {0}")]
    Tls(#[source] io::Error),
    #[error("its answer cannot be read: {0}")]
    Broken(#[source] hyper::Error),
    #[error("it answered {}{}", .0.as_u16(), if .0.is_redirection() { "; redirects are not followed" } else { "" })]
    Status(StatusCode),
    #[error("its answer has more than {MAX_BODY} bytes")]
    TooLong,
    #[error("it did not answer within {} s", DEADLINE.as_secs())]
    Slow,
}

impl Client {
    /// A client; without `tls` for loopback only.
    pub(crate) fn new(tls: Option<Arc<rustls::ClientConfig>>) -> Self {
        Self { tls: tls.map(TlsConnector::from) }
    }

    /// Fetches a document.
    pub(crate) async fn get(&self, url: &ProviderUrl) -> Result<Fetched, FetchError> {
        let request = Request::get(&*url.target).body(Full::default());
        self.within_deadline(url, request).await
    }

    /// Posts a form.
    pub(crate) async fn post(&self, url: &ProviderUrl, form: Form<'_>) -> Result<Fetched, FetchError> {
        let request = Request::post(&*url.target)
            .header(AUTHORIZATION, form.authorization)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::from(form.body));
        self.within_deadline(url, request).await
    }

    async fn within_deadline(
        &self,
        url: &ProviderUrl,
        request: hyper::http::Result<Request<Full<Bytes>>>,
    ) -> Result<Fetched, FetchError> {
        let not_sendable = |error| FetchError::Unreachable(io::Error::new(io::ErrorKind::InvalidInput, error));
        let mut request = request.map_err(not_sendable)?;
        let host = HeaderValue::from_str(&url.authority).map_err(|error| not_sendable(error.into()))?;
        let fields = request.headers_mut();
        fields.insert(HOST, host);
        fields.insert(CONNECTION, HeaderValue::from_static("close"));
        fields.insert(ACCEPT, HeaderValue::from_static("application/json"));
        fields.insert(USER_AGENT, HeaderValue::from_static(concat!("gateway/", env!("CARGO_PKG_VERSION"))));
        tokio::time::timeout(DEADLINE, self.exchange(url, request)).await.unwrap_or(Err(FetchError::Slow))
    }

    async fn exchange(&self, url: &ProviderUrl, request: Request<Full<Bytes>>) -> Result<Fetched, FetchError> {
        let stream = TokioIo::new(self.connect(url).await?);
        let (mut sender, connection) = http1::handshake(stream).await.map_err(FetchError::Broken)?;
        // Ends with this question, however that ends.
        let _running = Running(tokio::spawn(async move {
            // An error of the connection is an error of the answer, which reports it.
            let _ = connection.await;
        }));
        let response = sender.send_request(request).await.map_err(FetchError::Broken)?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        read(response).await
    }

    async fn connect(&self, url: &ProviderUrl) -> Result<Box<dyn Stream>, FetchError> {
        let silent = || io::Error::new(io::ErrorKind::TimedOut, "no connection is accepted");
        let connected = tokio::time::timeout(CONNECT_TIME, connector::connect(&url.host, url.port)).await;
        let stream = connected.unwrap_or_else(|_| Err(silent())).map_err(FetchError::Unreachable)?;
        if !url.tls {
            return Ok(Box::new(stream));
        }
        let connector = self.tls.as_ref().ok_or(FetchError::NoTls)?;
        let name = ServerName::try_from(url.host.to_string())
            .map_err(|error| FetchError::Tls(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
        Ok(Box::new(connector.connect(name, stream).await.map_err(FetchError::Tls)?))
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

struct Running(JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn read(response: Response<hyper::body::Incoming>) -> Result<Fetched, FetchError> {
    let cache_control: Vec<&[u8]> =
        response.headers().get_all(CACHE_CONTROL).iter().map(HeaderValue::as_bytes).collect();
    let max_age = max_age(&cache_control);
    let mut body = Vec::new();
    let mut incoming = response.into_body();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(FetchError::Broken)?;
        let Some(data) = frame.data_ref() else { continue };
        if body.len() + data.len() > MAX_BODY {
            return Err(FetchError::TooLong);
        }
        body.extend_from_slice(data);
    }
    Ok(Fetched { body, max_age })
}

/// How long an answer may be kept (RFC 9111 §5.2.2); `None` where it does not say. What cannot be read keeps nothing.
fn max_age(cache_control: &[&[u8]]) -> Option<Duration> {
    let all = || cache_control.iter().copied().flat_map(directives);
    let forbids = |directive: Directive<'_>| directive.is("no-store") || directive.is("no-cache");
    if cache_control.iter().copied().any(is_malformed) || all().any(forbids) {
        return Some(Duration::ZERO);
    }
    // Of several, the first counts.
    all().find(|directive| directive.is("max-age")).map(|directive| Duration::from_secs(directive.seconds()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_an_answer_may_be_kept() {
        for (values, expected) in [
            (&["max-age=600"][..], Some(600)),
            (&["public, Max-Age=\"60\", must-revalidate"], Some(60)),
            (&["max-age=5, max-age=600"], Some(5)),
            (&["no-store"], Some(0)),
            (&["max-age=600, no-cache"], Some(0)),
            (&["max-age=600", "No-Store"], Some(0)),
            (&["public", "max-age=600"], Some(600)),
            (&["a=\"no-store, max-age=5\", max-age=600"], Some(600)),
            (&["max-age=600, a=\"b"], Some(0)),
            (&["public"], None),
            (&[], None),
            (&["max-age=soon"], Some(0)),
            (&["s-maxage=5"], None),
        ] {
            let values: Vec<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
            let found = max_age(&values);
            assert_eq!(found, expected.map(Duration::from_secs), "{values:?}");
        }
    }
}
