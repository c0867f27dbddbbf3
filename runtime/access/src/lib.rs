//! Who may call: schemes, authentication, authorisation; and how the gateway says who it is itself.

pub mod api_key;
pub mod authorize;
pub mod basic;
pub mod bearer;
pub mod builtin;
pub mod caller;
pub mod challenges;
pub mod failed_authentication;
pub mod hmac;
pub mod jwt;
pub mod limit_key;
pub mod mutual_tls;
pub mod outgoing;
pub mod prepare_error;
pub mod provider;
pub mod request_view;
pub mod scheme;
pub mod tables;
pub mod upstream_auth;
