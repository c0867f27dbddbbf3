//! What a TLS handshake has shown of a client.

use crate::certificate::Certificate;
use gateway_base::digest::Digest;

/// What a handshake has found.
#[derive(Debug)]
pub struct TlsFacts {
    /// The protocol that was agreed on.
    pub alpn: Alpn,
    /// What the client proved to have.
    pub client: Option<ClientCertificate>,
}

/// A client's certificate, whose chain and key were checked.
#[derive(Debug)]
pub struct ClientCertificate {
    /// The names and dates in the certificate.
    pub says: Certificate,
    /// Of the certificate in DER.
    pub fingerprint: Digest,
}

/// A protocol inside TLS (RFC 7301).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alpn {
    /// HTTP/2 (RFC 9113 §3.2).
    Http2,
    /// HTTP/1.1, also for clients that name no protocol.
    Http1,
}

impl Alpn {
    /// The protocol's identification sequence (RFC 7301 §6).
    pub fn id(self) -> &'static [u8] {
        match self {
            Self::Http2 => b"h2",
            Self::Http1 => b"http/1.1",
        }
    }
}

impl ClientCertificate {
    /// Reads a certificate in DER; `None` if it is not one.
    pub fn of(der: &[u8]) -> Option<Self> {
        Some(Self { says: Certificate::parse(der)?, fingerprint: Digest::of(der) })
    }
}
