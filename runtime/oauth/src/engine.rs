//! What only a gateway with an authorization server links: databases, and the keys of clients.

use std::sync::Arc;

use crate::client_keys::PublicKeys;
#[cfg(feature = "postgres")]
use crate::store::postgres::Postgres;
use crate::store::sqlite::Sqlite;
use gateway_base::jose::keys::KeyError;
use gateway_parties::authority::{Authority, Engine};
use gateway_parties::clients_and_users::AssertionKeys;
use gateway_parties::database::{Database, StoreError};
use gateway_parties::server::AuthorizationServer;
use gateway_parties::store_place::{OauthStoreSettings, StorePlace};

/// For the statics that documents with an authorization server have.
pub(crate) fn authority(server: &'static AuthorizationServer) -> Authority {
    Authority { server, engine: &LinkedBackend }
}

/// All there is.
#[derive(Debug)]
struct LinkedBackend;

impl Engine for LinkedBackend {
    fn open(&self, settings: &OauthStoreSettings) -> Result<Box<dyn Database>, StoreError> {
        Ok(match &settings.place {
            StorePlace::Memory => Box::new(Sqlite::open(None)?),
            StorePlace::File(file) => {
                let described = |problem| StoreError::new(format!("{}: {problem}", file.display()));
                Box::new(Sqlite::open(Some(file)).map_err(described)?)
            }
            #[cfg(feature = "postgres")]
            StorePlace::Postgres(url) => Box::new(Postgres::open(url, settings.trusted_roots.as_deref())?),
            #[cfg(not(feature = "postgres"))]
            StorePlace::Postgres(_) => return Err(StoreError::new("this gateway is built without PostgreSQL")),
        })
    }

    fn keys(&self, text: &[u8]) -> Result<Arc<dyn AssertionKeys>, KeyError> {
        Ok(Arc::new(PublicKeys::read(text)?))
    }
}
