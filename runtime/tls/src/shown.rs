//! A certificate that a listener shows, with its private key.

use std::sync::Arc;

use rustls::sign::CertifiedKey;

use gateway_wire::certificate::Certificate;

/// A certificate that can be shown, and what it says.
#[derive(Debug, Clone)]
pub(crate) struct ServerCertificate {
    pub(crate) key: Arc<CertifiedKey>,
    pub(crate) says: Certificate,
}
