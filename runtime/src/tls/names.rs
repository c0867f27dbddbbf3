//! Which certificate a client sees: the one for the name that it asks for, else the first.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::keys::{self, Shown};
use crate::config::Problem;
use crate::config::tls::ListenerTls;
use crate::secret::SecretStore;

/// A listener's certificates by the names in them.
#[derive(Debug)]
pub(super) struct ByName {
    /// For clients that ask for no name, or for one that no certificate has.
    default: Arc<CertifiedKey>,
    exact: HashMap<Box<str>, Arc<CertifiedKey>>,
    /// Without `*`, from the dot on.
    wildcards: HashMap<Box<str>, Arc<CertifiedKey>>,
}

impl ByName {
    /// Reads all pairs of a listener.
    ///
    /// # Errors
    /// Everything that is wrong with any of them.
    pub(super) fn read(
        settings: &ListenerTls,
        secrets: &SecretStore,
        provider: &CryptoProvider,
    ) -> Result<Self, Vec<Problem>> {
        let (mut shown, mut problems) = (Vec::new(), Vec::new());
        for source in &settings.certificates {
            match keys::pair(source, secrets, provider) {
                Ok(pair) => shown.push(pair),
                Err(more) => problems.extend(more),
            }
        }
        match Self::of(&shown) {
            Some(names) if problems.is_empty() => Ok(names),
            _ => Err(problems),
        }
    }

    /// Of two certificates with the same name, the first is shown.
    fn of(shown: &[Shown]) -> Option<Self> {
        let default = Arc::clone(&shown.first()?.key);
        let mut names = Self { default, exact: HashMap::new(), wildcards: HashMap::new() };
        for certificate in shown {
            for name in &certificate.says.dns_names {
                let (map, name) = match name.strip_prefix('*') {
                    Some(rest) => (&mut names.wildcards, rest),
                    None => (&mut names.exact, &**name),
                };
                map.entry(name.to_ascii_lowercase().into()).or_insert_with(|| Arc::clone(&certificate.key));
            }
        }
        Some(names)
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
        Some(Arc::clone(hello.server_name().map_or(&self.default, |name| self.find(name))))
    }
}
