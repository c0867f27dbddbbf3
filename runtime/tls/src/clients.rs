//! Which clients' certificates are taken: those of an authority that the deployment names.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use crate::keys;
use crate::settings::PemPlace;
use gateway_base::problem::Problem;
use gateway_base::secret::SecretStore;

/// The authorities of clients.
#[derive(Debug, Clone)]
pub(super) struct Trusted {
    pub(super) authorities: Vec<CertificateDer<'static>>,
    pub(super) verifier: Arc<dyn ClientCertVerifier>,
}

/// What asks for certificates, and goes on without one: operations decide. A bad one ends the handshake.
///
/// # Errors
/// The file has no certificate of an authority.
pub(super) fn verifier(
    ca: &PemPlace,
    secrets: &SecretStore,
    provider: &Arc<CryptoProvider>,
) -> Result<Trusted, Problem> {
    let mut roots = RootCertStore::empty();
    let authorities = keys::chain(ca, secrets)?;
    for certificate in &authorities {
        roots.add(certificate.clone()).map_err(|error| keys::complaint(ca, format!("cannot be trusted: {error}")))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let verifier = builder.allow_unauthenticated().build();
    let verifier = verifier.map_err(|error| keys::complaint(ca, format!("cannot be trusted: {error}")))?;
    Ok(Trusted { authorities, verifier })
}
