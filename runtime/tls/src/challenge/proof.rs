//! Certificates that the gateway makes for itself: proofs, and one for the time before there is a real one.

use std::sync::{Arc, PoisonError};

use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;

use super::Challenges;
use crate::shown::ServerCertificate;
use gateway_wire::certificate::Certificate;

/// A proof that is given until this is dropped.
#[derive(Debug)]
pub(crate) struct Proof {
    challenges: Arc<Challenges>,
    domain: String,
}

impl Drop for Proof {
    fn drop(&mut self) {
        self.challenges.by_domain.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.domain);
    }
}

/// Prepares the proof that `domain` leads here; `digest` is of the key authorization.
///
/// # Errors
/// The domain is no name that a certificate could have.
pub(crate) fn prove(challenges: &Arc<Challenges>, domain: &str, digest: &[u8]) -> Result<Proof, rcgen::Error> {
    let mut params = CertificateParams::new(vec![domain.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let (key, _) = self_signed(params)?;
    let domain = domain.to_ascii_lowercase();
    challenges.by_domain.lock().unwrap_or_else(PoisonError::into_inner).insert(domain.clone(), key);
    Ok(Proof { challenges: Arc::clone(challenges), domain })
}

/// A self-signed certificate, for names that have none yet.
pub(crate) fn placeholder(domains: &[String]) -> Result<ServerCertificate, rcgen::Error> {
    let (key, der) = self_signed(CertificateParams::new(domains.to_vec())?)?;
    Ok(ServerCertificate { key, says: Certificate::parse(&der).unwrap_or_default() })
}

fn self_signed(params: CertificateParams) -> Result<(Arc<CertifiedKey>, Vec<u8>), rcgen::Error> {
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let der = certificate.der().to_vec();
    let private = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    // Not `from_der`, which reads the certificate, and takes none with the critical extension of a proof.
    let signing = any_supported_type(&private).map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
    Ok((Arc::new(CertifiedKey::new(vec![certificate.der().clone()], signing)), der))
}
