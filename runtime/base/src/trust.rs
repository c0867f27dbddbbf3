//! The roots that the gateway trusts when it calls a provider, an upstream or a store: the system's and `trustedRoots`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// Why nothing can be called over TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustError {
    /// A file of `trustedRoots` cannot be used: which, and why.
    File(PathBuf, String),
    /// There is no root at all.
    NoRoots,
    /// The TLS library refuses the configuration.
    NoTls(String),
}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file, why) => write!(f, "`trustedRoots`: file {}: {why}", file.display()),
            Self::NoRoots => f.write_str(
                "this system has no trusted root certificates; install them (the package is often called \
                 ca-certificates), or write `trustedRoots: {file: ca.pem}`",
            ),
            Self::NoTls(why) => write!(f, "TLS cannot be set up: {why}"),
        }
    }
}

impl std::error::Error for TrustError {}

/// Why a client cannot show a certificate. No variant quotes the key.
#[derive(Debug, thiserror::Error)]
pub enum ClientCertificateError {
    /// The chain is not in PEM format.
    #[error("`chain`: {0}")]
    Chain(#[source] pem::Error),
    /// The chain has no certificate.
    #[error("`chain` has no certificate in PEM format")]
    NoCertificate,
    /// The key is not a private key in PEM format.
    #[error("`key` has no private key in PEM format")]
    NoKey,
    /// The two do not belong together, or the TLS library does not take them.
    #[error("the certificate cannot be used: {0}")]
    Refused(#[source] Error),
}

/// The configuration of all outgoing TLS connections.
///
/// # Errors
/// The file of roots cannot be used, or there is no root at all.
pub fn config(trusted_roots: Option<&Path>) -> Result<Arc<ClientConfig>, TrustError> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(system.certs);
    let mut trusted = Vec::new();
    if let Some(file) = trusted_roots {
        trusted = add(&mut roots, file)?;
    }
    if roots.is_empty() {
        return Err(TrustError::NoRoots);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let usual = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|error| TrustError::NoTls(error.to_string()))?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TrustError::NoTls(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier { usual, trusted }))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The same configuration for a client that shows a certificate: a chain and its private key, both in PEM format.
///
/// # Errors
/// One of the two cannot be read, or they do not belong together.
pub fn with_certificate(
    config: &ClientConfig,
    chain: &[u8],
    key: &[u8],
) -> Result<ClientConfig, ClientCertificateError> {
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(chain).collect::<Result<_, _>>().map_err(ClientCertificateError::Chain)?;
    if chain.is_empty() {
        return Err(ClientCertificateError::NoCertificate);
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| ClientCertificateError::NoKey)?;
    let certified =
        CertifiedKey::from_der(chain, key, config.crypto_provider()).map_err(ClientCertificateError::Refused)?;
    let mut config = config.clone();
    config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(certified));
    Ok(config)
}

/// Adds the certificates of a file, and gives them.
fn add(roots: &mut RootCertStore, file: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let complaint = |what: &dyn std::fmt::Display| TrustError::File(file.to_owned(), what.to_string());
    let pem = std::fs::read(file).map_err(|error| complaint(&error))?;
    let mut trusted = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| complaint(&error))?;
        roots.add(certificate.clone()).map_err(|error| complaint(&error))?;
        trusted.push(certificate);
    }
    if trusted.is_empty() { Err(complaint(&"no certificate in PEM format")) } else { Ok(trusted) }
}

/// The usual verifier, but for a server that shows a certificate of `trustedRoots` itself. `openssl req -x509` makes such
/// certificates as those of an authority by default, which webpki does not accept of a server.
#[derive(Debug)]
struct Verifier {
    usual: Arc<WebPkiServerVerifier>,
    trusted: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = self.usual.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        let Err(error) = &verdict else { return verdict };
        // webpki looks at the dates before it looks at this.
        if !is_authority_as_server(error) || !self.trusted.iter().any(|trusted| trusted == end_entity) {
            return verdict;
        }
        rustls::client::verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}

/// Whether the certificate is refused because it is that of an authority.
pub fn is_authority_as_server(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(other)) = error else { return false };
    matches!(other.0.downcast_ref::<webpki::Error>(), Some(webpki::Error::CaUsedAsEndEntity))
}
