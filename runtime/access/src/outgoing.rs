//! The clients that schemes share, and the tasks that run beside requests.

pub(crate) mod client;
pub(crate) mod health;
pub mod url;

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use client::Client;
use tokio::task::AbortHandle;

use gateway_base::trust::{self, TrustError};
use health::Health;
use url::ProviderUrl;

/// What goes on beside the requests.
pub trait Background: Any + fmt::Debug + Send + Sync {
    /// Starts on the current runtime, and goes on until that ends; what it returns stops it.
    fn start(self: Arc<Self>) -> Option<AbortHandle>;

    /// How it goes.
    fn health(&self) -> &Health;
}

/// What this deployment says about providers, and what schemes share of them.
#[derive(Debug, Default)]
pub struct Providers {
    /// A file of root certificates to trust beside the system's.
    trusted_roots: Option<PathBuf>,
    /// By what it is for. The types are known to those who ask only, so that nothing else needs their code.
    shared: Mutex<BTreeMap<String, Arc<dyn Any + Send + Sync>>>,
    background: Mutex<Vec<Arc<dyn Background>>>,
}

impl Providers {
    /// No provider yet.
    pub fn new(trusted_roots: Option<PathBuf>) -> Self {
        Self { trusted_roots, ..Self::default() }
    }

    /// A client for `url`; those with TLS share one configuration.
    ///
    /// # Errors
    /// The roots cannot be used.
    pub(crate) fn client(&self, url: &ProviderUrl) -> Result<Client, TrustError> {
        if !url.tls {
            return Ok(Client::new(None));
        }
        Ok(Client::new(Some(self.tls()?)))
    }

    /// How TLS is spoken to all servers.
    ///
    /// # Errors
    /// The roots cannot be used.
    pub fn tls(&self) -> Result<Arc<rustls::ClientConfig>, TrustError> {
        self.shared("tls", || trust::config(self.trusted_roots.as_deref()))
    }

    /// What was made for `key` before, or else what `make` makes now.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn shared<T: Any + Send + Sync, E>(
        &self,
        key: &str,
        make: impl FnOnce() -> Result<Arc<T>, E>,
    ) -> Result<Arc<T>, E> {
        let known = self.shared.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
        if let Some(known) = known.and_then(|known| known.downcast().ok()) {
            return Ok(known);
        }
        let made = make()?;
        self.shared
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key.to_owned(), Arc::clone(&made) as Arc<dyn Any + Send + Sync>);
        Ok(made)
    }

    /// Has `task` started together with the gateway.
    pub(crate) fn tend(&self, task: Arc<dyn Background>) {
        self.background.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }

    /// The tasks that schemes want started together with the gateway.
    pub fn background(&self) -> Vec<Arc<dyn Background>> {
        self.background.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
