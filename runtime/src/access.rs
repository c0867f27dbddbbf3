//! Who may call: schemes, authentication, authorisation.

pub(crate) mod api_key;
pub(crate) mod authorize;
pub(crate) mod basic;
pub(crate) mod builtin;
pub(crate) mod caller;
pub(crate) mod challenges;
pub(crate) mod failed_authentication;
pub(crate) mod hmac;
pub(crate) mod jwt;
pub(crate) mod limit_key;
pub(crate) mod mutual_tls;
pub(crate) mod outgoing;
pub(crate) mod provider;
pub(crate) mod request_view;
pub(crate) mod scheme;
pub(crate) mod tables;
