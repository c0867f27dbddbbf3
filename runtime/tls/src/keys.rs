//! A certificate chain and its private key, read from PEM (RFC 7468) and held against each other.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use crate::settings::{CertificateSource, ListenerTls, PemPlace, PemSource};
use crate::shown::ServerCertificate;
use gateway_base::problem::Problem;
use gateway_base::secret::{Encoding, Secret, SecretStore};
use gateway_wire::certificate::Certificate;

/// Reads all pairs of a listener.
///
/// # Errors
/// Everything that is wrong with any of them.
pub(super) fn pairs(
    settings: &ListenerTls,
    secrets: &SecretStore,
    provider: &CryptoProvider,
) -> Result<Vec<ServerCertificate>, Vec<Problem>> {
    let (mut pairs, mut problems) = (Vec::new(), Vec::new());
    for source in &settings.certificates {
        match pair(source, secrets, provider) {
            Ok(pair) => pairs.push(pair),
            Err(more) => problems.extend(more),
        }
    }
    if problems.is_empty() { Ok(pairs) } else { Err(problems) }
}

/// Reads one pair.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn pair(
    source: &CertificateSource,
    secrets: &SecretStore,
    provider: &CryptoProvider,
) -> Result<ServerCertificate, Vec<Problem>> {
    #[cfg(feature = "acme")]
    if waits_for_files(source, secrets) {
        return crate::challenge::proof::placeholder(&source.stand_in_for)
            .map_err(|error| vec![complaint(&source.cert, format!("has no stand-in: {error}"))]);
    }
    let chain = chain(&source.cert, secrets);
    let key = private_key(&source.key, secrets);
    let (chain, key) = match (chain, key) {
        (Ok(chain), Ok(key)) => (chain, key),
        (chain, key) => return Err(chain.err().into_iter().chain(key.err()).collect()),
    };
    let says = Certificate::parse(&chain[0])
        .ok_or_else(|| vec![complaint(&source.cert, "the first certificate is not an X.509 certificate")])?;
    let key = CertifiedKey::from_der(chain, key, provider).map_err(|error| {
        vec![match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                complaint(&source.key, format!("is not the key of the certificate in {}", source.cert.name()))
            }
            _ => complaint(&source.key, "is not an RSA, ECDSA or Ed25519 key that can sign"),
        }]
    })?;
    Ok(ServerCertificate { key: Arc::new(key), says })
}

/// The certificates of a PEM text, at least one.
///
/// # Errors
/// There is none, or not only such.
pub(super) fn chain(place: &PemPlace, secrets: &SecretStore) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let pem = read(place, secrets)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.expose()).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(complaint(place, "has no certificate in PEM format")),
    }
}

/// Whether there is a stand-in for a certificate that an authority has not issued yet.
pub(super) fn waits_for_files(source: &CertificateSource, secrets: &SecretStore) -> bool {
    !source.stand_in_for.is_empty() && !is_there(&source.cert, secrets)
}

/// Whether a file is there; everything else is.
pub(super) fn is_there(place: &PemPlace, secrets: &SecretStore) -> bool {
    match &place.source {
        PemSource::File(path) => secrets.folder.join(path).exists(),
        PemSource::Env(_) => true,
    }
}

fn private_key(place: &PemPlace, secrets: &SecretStore) -> Result<PrivateKeyDer<'static>, Problem> {
    let pem = read(place, secrets)?;
    PrivateKeyDer::from_pem_slice(pem.expose())
        .map_err(|_| complaint(place, "has no private key in PEM format that is not encrypted"))
}

fn read(place: &PemPlace, secrets: &SecretStore) -> Result<Secret, Problem> {
    match &place.source {
        PemSource::File(path) => secrets.file(path, Encoding::Plain),
        PemSource::Env(name) => secrets.variable(name, Encoding::Plain),
    }
    .map_err(|message| Problem::at(&place.place, message))
}

pub(super) fn complaint(place: &PemPlace, what: impl std::fmt::Display) -> Problem {
    Problem::at(&place.place, format!("{} {what}", place.name()))
}
