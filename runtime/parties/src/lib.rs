//! Consumers, clients and users: `consumers.yaml`, its reader and editor, passwords, and the interface of databases.

pub mod authority;
pub mod client_metadata;
pub mod clients_and_users;
pub mod consumers;
pub mod database;
pub mod edit;
pub mod key_format;
pub mod names;
pub mod oauth_settings;
pub mod password;
pub(crate) mod read;
pub mod server;
pub mod source;
pub mod store;
pub mod store_place;
pub mod stored_password;
