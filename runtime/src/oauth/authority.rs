//! What documents with an authorization server bring along, behind an interface: only a gateway that has one links what
//! speaks to databases and reads the keys of clients.
#![allow(dead_code)]

use std::fmt;
use std::sync::Arc;

use super::registry::AssertionKeys;
use super::store::{OauthStore, OauthStoreSettings};
use super::tables::AuthorizationServer;
use crate::codegen::{Action, Gateway};
use crate::jwt::assertion::PublicKeys;

/// An authorization server, and what runs it.
#[derive(Debug, Clone, Copy)]
pub struct Authority {
    pub(crate) server: &'static AuthorizationServer,
    pub(crate) engine: &'static dyn Engine,
}

impl Authority {
    /// For the statics that documents with an authorization server have.
    pub(crate) fn of(server: &'static AuthorizationServer) -> Self {
        Self { server, engine: &LinkedEngine }
    }
}

/// Opens stores and reads keys.
pub(crate) trait Engine: fmt::Debug + Sync {
    /// As [`OauthStore::open`].
    fn open(&self, settings: &OauthStoreSettings) -> Result<OauthStore, String>;

    /// The public keys of a client: PEM, or a JSON Web Key Set.
    ///
    /// # Errors
    /// What is wrong with them, without quoting them.
    fn keys(&self, text: &[u8]) -> Result<Arc<dyn AssertionKeys>, String>;
}

/// All there is.
#[derive(Debug)]
struct LinkedEngine;

impl Engine for LinkedEngine {
    fn open(&self, settings: &OauthStoreSettings) -> Result<OauthStore, String> {
        OauthStore::open(settings)
    }

    fn keys(&self, text: &[u8]) -> Result<Arc<dyn AssertionKeys>, String> {
        Ok(Arc::new(PublicKeys::read(text)?))
    }
}

/// The authorization servers of all documents, each once.
pub(crate) fn authorities(gateway: &Gateway) -> Vec<Authority> {
    let schemes = gateway.apis.iter().flat_map(|api| api.schemes).filter_map(|scheme| scheme.authority());
    let operations = gateway.apis.iter().flat_map(|api| api.operations());
    let builtins = operations.filter_map(|operation| match &operation.action {
        Action::Answer(builtin) => builtin.authority(),
        Action::Forward { .. } => None,
    });
    let mut found: Vec<Authority> = Vec::new();
    for authority in builtins.chain(schemes) {
        if !found.iter().any(|known| std::ptr::eq(known.server, authority.server)) {
            found.push(authority);
        }
    }
    found
}
