//! What documents with an authorization server bring along, behind an interface: only a gateway that has one links what
//! speaks to databases and reads the keys of clients.

use std::fmt;
use std::sync::Arc;

use crate::clients_and_users::AssertionKeys;
use crate::database::{Database, StoreError};
use crate::server::AuthorizationServer;
use crate::store_place::OauthStoreSettings;
use gateway_base::jose::keys::KeyError;

/// An authorization server, and what runs it.
#[derive(Debug, Clone, Copy)]
pub struct Authority {
    /// Its description in the document.
    pub server: &'static AuthorizationServer,
    /// Opens its store and reads the keys of its clients.
    pub engine: &'static dyn Engine,
}

/// Opens stores and reads keys.
pub trait Engine: fmt::Debug + Sync {
    /// Opens a database and brings its tables up to date. It blocks: for the start, and for the command line.
    ///
    /// # Errors
    /// It cannot be reached, or its tables cannot be brought up to date.
    fn open(&self, settings: &OauthStoreSettings) -> Result<Box<dyn Database>, StoreError>;

    /// The public keys of a client: PEM, or a JSON Web Key Set.
    ///
    /// # Errors
    /// There is no such key; nothing of the text is quoted.
    fn keys(&self, text: &[u8]) -> Result<Arc<dyn AssertionKeys>, KeyError>;
}
