//! Where clients, users, codes and tokens are stored.

use std::path::{Path, PathBuf};

use gateway_base::problem::Problem;
use gateway_base::secret::{Encoding, Secret, SecretError, SecretStore};
use gateway_base::store_settings::{StoreAddress, StoreKind, StoreSettings};

/// Where the store of this deployment is.
#[derive(Debug, Clone)]
pub struct OauthStoreSettings {
    /// The kind of store, with its path or URL.
    pub place: StorePlace,
    /// Root certificates to trust beside the system's.
    pub trusted_roots: Option<PathBuf>,
}

impl OauthStoreSettings {
    /// Where a deployment has its store: at the one of that name, or in a file of its own.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub fn of(
        store: Option<(&str, &StoreSettings)>,
        trusted_roots: Option<&Path>,
        secrets: &SecretStore,
    ) -> Result<Self, Problem> {
        let place = match store {
            None => StorePlace::File(secrets.folder.join("gateway.db")),
            Some((_, store)) if store.kind == StoreKind::Memory => StorePlace::Memory,
            Some((_, StoreSettings { url: None, file, .. })) => {
                StorePlace::File(secrets.folder.join(file.as_deref().unwrap_or(Path::new("gateway.db"))))
            }
            Some((name, store @ StoreSettings { url: Some(address), .. })) => {
                let url = url_at(address, secrets);
                StorePlace::Postgres(
                    url.map_err(|problem| Problem::at(&store.place, format!("store `{name}`: {problem}")))?,
                )
            }
        };
        let trusted_roots = trusted_roots.map(|file| secrets.folder.join(file));
        Ok(Self { place, trusted_roots })
    }
}

pub(crate) fn url_at(address: &StoreAddress, secrets: &SecretStore) -> Result<Secret, SecretError> {
    match address {
        StoreAddress::Env(name) => secrets.variable(name, Encoding::Plain),
        StoreAddress::File(path) => secrets.file(path, Encoding::Plain),
        StoreAddress::Literal(url) => Ok(Secret::from(url.as_str())),
    }
}

/// A place to remember things.
#[derive(Debug, Clone)]
pub enum StorePlace {
    /// Until this process ends.
    Memory,
    /// SQLite.
    File(PathBuf),
    /// PostgreSQL; the URL may hold a password.
    Postgres(Secret),
}
