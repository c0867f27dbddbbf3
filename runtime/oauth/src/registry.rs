//! Looks up clients and users: first in `consumers.yaml`, then in the store.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::store::{Added, AddedUser, OauthStore, Registered};
use gateway_base::digest::Digest;
use gateway_parties::authority::Engine;
use gateway_parties::clients_and_users::{Client, User};
use gateway_parties::database::StoreError;
use gateway_parties::store::ConsumerStore;

/// All clients and users: those of the file, and then those of the store.
#[derive(Debug)]
pub struct Parties {
    consumers: Arc<ConsumerStore>,
    store: Arc<OauthStore>,
    engine: &'static dyn Engine,
}

impl Parties {
    /// The clients and users of `consumers`, and those of `store`; `engine` reads the keys of clients.
    pub fn new(consumers: Arc<ConsumerStore>, store: Arc<OauthStore>, engine: &'static dyn Engine) -> Self {
        Self { consumers, store, engine }
    }

    /// Where everything else is remembered.
    pub fn store(&self) -> &Arc<OauthStore> {
        &self.store
    }

    /// Differs between any two readings of the file.
    pub(crate) fn generation(&self) -> u64 {
        self.consumers.current().generation()
    }

    /// The client of this id.
    pub async fn client(&self, id: &str) -> Result<Option<Arc<Client>>, StoreError> {
        if let Some(client) = self.consumers.current().parties().client(id) {
            return Ok(Some(Arc::clone(client)));
        }
        Ok(self.store.client(id).await?.map(|client| Arc::new(self.with_keys(client))))
    }

    /// The client of this id with what its registration was, if it was given a token for that.
    pub(crate) async fn registered(&self, id: &str) -> Result<Option<Registered>, StoreError> {
        // The file decides about it then.
        if self.consumers.current().parties().client(id).is_some() {
            return Ok(None);
        }
        self.store.registered(id).await
    }

    /// All clients, by id.
    pub async fn clients(&self) -> Result<Vec<Arc<Client>>, StoreError> {
        let mut all: BTreeMap<String, Arc<Client>> = BTreeMap::new();
        for client in self.store.clients().await? {
            all.insert(client.id.clone(), Arc::new(self.with_keys(client)));
        }
        for client in self.consumers.current().parties().clients() {
            all.insert(client.id.clone(), Arc::clone(client));
        }
        Ok(all.into_values().collect())
    }

    /// The user of this id.
    pub async fn user(&self, id: &str) -> Result<Option<Arc<User>>, StoreError> {
        if let Some(user) = self.consumers.current().parties().user(id) {
            return Ok(Some(Arc::clone(user)));
        }
        Ok(self.unless_replaced(self.store.user(id).await?))
    }

    /// The user of this id, as long as the password is the one that was marked: the store, which keeps what the
    /// password has opened, does not notice changes of a file.
    pub(crate) async fn user_of_mark(&self, id: &str, mark: Option<&str>) -> Result<Option<Arc<User>>, StoreError> {
        Ok(self.user(id).await?.filter(|user| user.has_password_of(mark)))
    }

    /// The user of this name, or of this e-mail address in whatever case.
    pub async fn user_by_login(&self, name_or_email: &str) -> Result<Option<Arc<User>>, StoreError> {
        if let Some(user) = self.consumers.current().parties().user_by_login(name_or_email) {
            return Ok(Some(Arc::clone(user)));
        }
        Ok(self.unless_replaced(self.store.user_by_login(name_or_email).await?))
    }

    /// All users, by name.
    pub async fn users(&self) -> Result<Vec<Arc<User>>, StoreError> {
        let mut all: BTreeMap<String, Arc<User>> = BTreeMap::new();
        for user in self.store.users().await?.into_iter().filter_map(|user| self.unless_replaced(Some(user))) {
            all.insert(user.username.clone(), user);
        }
        for user in self.consumers.current().parties().users() {
            all.insert(user.username.clone(), Arc::clone(user));
        }
        Ok(all.into_values().collect())
    }

    /// What the file says that the user allows the client, by the ids of both.
    pub(crate) fn permission(&self, client: &str, user: &str) -> Option<Vec<String>> {
        self.consumers.current().parties().permission(client, user).map(<[String]>::to_vec)
    }

    /// Adds a client, unless the file or the store has one of that id, or a user: the subject of a token is one of the two,
    /// and must not be taken for the other (RFC 9700 §4.15). With `token` it can read and replace what is registered of it,
    /// and remove itself (RFC 7592).
    pub async fn add_client(&self, client: &Client, token: Option<&Digest>, now: u64) -> Result<Added, StoreError> {
        if self.consumers.current().parties().client(&client.id).is_some() || self.user(&client.id).await?.is_some() {
            return Ok(Added::Taken);
        }
        self.store.add_client(client, token, now).await
    }

    /// Adds a user, unless the file or the store has one of that id, name or address, or a client of that id.
    pub async fn add_user(&self, user: &User, now: u64) -> Result<AddedUser, StoreError> {
        if self.client(&user.id).await?.is_some() {
            return Ok(AddedUser::IdTaken);
        }
        let taken = {
            let current = self.consumers.current();
            let known = current.parties();
            if known.user_named(&user.username).is_some() {
                Some(AddedUser::NameTaken)
            } else if known.user(&user.id).is_some() {
                Some(AddedUser::IdTaken)
            } else if user.email.as_deref().is_some_and(|email| known.user_by_login(email).is_some()) {
                Some(AddedUser::EmailTaken)
            } else {
                None
            }
        };
        match taken {
            Some(taken) => Ok(taken),
            None => self.store.add_user(user, now).await,
        }
    }

    /// A hash that costs as much to check as any in the file: what attempts of unknown users are checked with.
    pub(crate) fn costliest_password(&self) -> Option<Box<str>> {
        self.consumers.current().parties().costliest.as_ref().map(|(_, hash)| hash.clone())
    }

    /// A user of the store, unless the file has a user with that id, name or address.
    fn unless_replaced(&self, user: Option<User>) -> Option<Arc<User>> {
        let current = self.consumers.current();
        let known = current.parties();
        let is_replaced = |user: &User| {
            known.user(&user.id).is_some()
                || known.user_named(&user.username).is_some()
                || user.email.as_deref().is_some_and(|email| known.user_by_login(email).is_some())
        };
        user.filter(|user| !is_replaced(user)).map(Arc::new)
    }

    fn with_keys(&self, mut client: Client) -> Client {
        if let Some(keys) = &mut client.keys {
            keys.ready = self.engine.keys(keys.text.as_bytes()).ok();
        }
        client
    }
}
