//! Which certificate a client sees: the one for the name that it asks for, else the first.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::challenge::{self, Challenges};
use crate::shown::ServerCertificate;

/// A listener's certificates by the names in them.
#[derive(Debug)]
pub(super) struct ByName {
    /// For clients that ask for no name, or for one that no certificate has.
    default: Arc<CertifiedKey>,
    exact: HashMap<Box<str>, Arc<CertifiedKey>>,
    /// Without `*`, from the dot on.
    wildcards: HashMap<Box<str>, Arc<CertifiedKey>>,
    /// What is proven to an authority at the moment.
    challenges: Arc<Challenges>,
}

impl ByName {
    /// Of two certificates with the same name, the first is shown; there is at least one.
    pub(super) fn of(shown: &[ServerCertificate], challenges: Arc<Challenges>) -> Self {
        let default = Arc::clone(&shown[0].key);
        let mut names = Self { default, exact: HashMap::new(), wildcards: HashMap::new(), challenges };
        for ServerCertificate { key, says } in shown {
            for name in says.dns_names() {
                let (map, name) = match name.strip_prefix('*') {
                    Some(rest) => (&mut names.wildcards, rest),
                    None => (&mut names.exact, name),
                };
                map.entry(name.into()).or_insert_with(|| Arc::clone(key));
            }
        }
        names
    }

    fn find(&self, name: &str) -> &Arc<CertifiedKey> {
        let name = name.to_ascii_lowercase();
        // `*` stands for exactly one label (RFC 9525 §6.3).
        let wildcard = || self.wildcards.get(&name[name.find('.')?..]);
        self.exact.get(&*name).or_else(wildcard).unwrap_or(&self.default)
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // An authority that looks for a proof offers its own protocol, and nothing beside it (RFC 8737 §3).
        if hello.alpn().is_some_and(|mut offered| offered.next() == Some(challenge::PROTOCOL)) {
            return self.challenges.find(hello.server_name()?);
        }
        Some(Arc::clone(hello.server_name().map_or(&self.default, |name| self.find(name))))
    }
}
