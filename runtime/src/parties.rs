//! Consumers, clients and users: `consumers.yaml`, its reader and editor, passwords, and the interface of databases.

pub(crate) mod authority;
pub(crate) mod client_metadata;
pub(crate) mod clients_and_users;
pub(crate) mod consumers;
pub(crate) mod database;
pub(crate) mod edit;
pub(crate) mod key_format;
pub(crate) mod names;
pub(crate) mod password;
pub(crate) mod read;
pub(crate) mod server;
pub(crate) mod source;
pub(crate) mod store;
pub(crate) mod store_place;
pub(crate) mod stored_password;
