//! Whom the gateway trusts when it calls a provider, an upstream or a store: the system's roots, and those of `trustedRoots`.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// The configuration of all outgoing TLS connections.
///
/// # Errors
/// The file of roots cannot be used, or there is no root at all.
pub(crate) fn config(trusted_roots: Option<&Path>) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(system.certs);
    if let Some(file) = trusted_roots {
        add(&mut roots, file)?;
    }
    if roots.is_empty() {
        return Err("this system has no trusted root certificates; install them (the package is often called \
                    ca-certificates), or write `trustedRoots: {file: ca.pem}`"
            .to_owned());
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn add(roots: &mut RootCertStore, file: &Path) -> Result<(), String> {
    let complaint = |what: &dyn std::fmt::Display| format!("`trustedRoots`: file {}: {what}", file.display());
    let pem = std::fs::read(file).map_err(|error| complaint(&error))?;
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| complaint(&error))?;
        roots.add(certificate).map_err(|error| complaint(&error))?;
        count += 1;
    }
    if count == 0 { Err(complaint(&"no certificate in PEM format")) } else { Ok(()) }
}
