//! TLS to upstreams: the name that the gateway expects there, and why it refuses a certificate.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, Error};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use gateway_base::trust;

/// Who an upstream must prove to be.
#[derive(Clone)]
pub struct UpstreamTls {
    /// The roots to trust, and the protocols to offer (ALPN).
    pub config: Arc<ClientConfig>,
    /// The host name or address that the upstream's certificate must be for; a host name is sent as SNI (RFC 6066 §3).
    pub name: ServerName<'static>,
}

impl fmt::Debug for UpstreamTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UpstreamTls({:?})", self.name)
    }
}

impl UpstreamTls {
    /// Agrees on keys with the one who is there.
    ///
    /// # Errors
    /// Why not, for the log.
    pub(super) async fn handshake(&self, stream: TcpStream) -> Result<Box<TlsStream<TcpStream>>, &'static str> {
        let connecting = TlsConnector::from(Arc::clone(&self.config)).connect(self.name.clone(), stream);
        match connecting.await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(why(&error)),
        }
    }
}

fn why(error: &io::Error) -> &'static str {
    use CertificateError as Bad;
    match error.get_ref().and_then(|error| error.downcast_ref::<Error>()) {
        Some(Error::InvalidCertificate(bad)) => match bad {
            Bad::Expired | Bad::ExpiredContext { .. } => "its certificate has expired",
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => "its certificate is not valid yet",
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => "its certificate is for another name",
            Bad::UnknownIssuer | Bad::BadSignature => "its certificate is not of a trusted authority",
            Bad::Revoked => "its certificate is revoked",
            Bad::BadEncoding => "its certificate cannot be read",
            Bad::InvalidPurpose | Bad::InvalidPurposeContext { .. } => "its certificate is not for servers",
            Bad::UnhandledCriticalExtension => "its certificate has a critical extension that is not understood",
            Bad::UnsupportedSignatureAlgorithmContext { .. }
            | Bad::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                "its certificate is signed with an algorithm that is not accepted"
            }
            _ if trust::is_authority_as_server(&Error::InvalidCertificate(bad.clone())) => {
                "its certificate is that of an authority (CA:TRUE): add it to `trustedRoots`, or make it with \
                 basicConstraints=critical,CA:FALSE"
            }
            _ => "its certificate is not good",
        },
        Some(Error::AlertReceived(_)) => "it refused the handshake",
        Some(Error::InvalidMessage(_)) => "it does not speak TLS",
        Some(_) => "no agreement on a version or on keys",
        None => "it closed the connection during the handshake",
    }
}
