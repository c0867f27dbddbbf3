//! What proves to an authority that a domain leads here (TLS-ALPN-01, RFC 8737).

#[cfg(feature = "acme")]
pub(crate) mod proof;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::sign::CertifiedKey;

/// The protocol that only authorities ask for (RFC 8737 §3).
pub(super) const PROTOCOL: &[u8] = b"acme-tls/1";

/// The proofs that a listener gives at the moment, by domain.
#[derive(Debug, Default)]
pub(crate) struct Challenges {
    by_domain: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl Challenges {
    pub(super) fn find(&self, domain: &str) -> Option<Arc<CertifiedKey>> {
        let domain = domain.to_ascii_lowercase();
        self.by_domain.lock().unwrap_or_else(PoisonError::into_inner).get(&domain).cloned()
    }
}
