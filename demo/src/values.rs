//! What the demo brings with it: keys, passwords, and where its authorization server is.

/// Where `specs/tutorial.yaml` says that it is.
pub(crate) const ISSUER_PORT: u16 = 8443;

/// The lifetime of the demo's token, in seconds.
pub(crate) const TOKEN_SECONDS: u64 = 12 * 3600;

/// Keys for this process only: anyone who reads this file can sign tokens, which are valid on this machine alone.
pub(crate) const NOTES_KEY: &str = "only for the demonstration: 32 bytes or more";

pub(crate) const API_KEY: &str = "demo-key";
pub(crate) const PASSWORD: &str = "demo-password";
pub(crate) const TOKEN_SECRET: &str = "signs tokens of the consumer demo: 32 bytes or more";

pub(crate) const CLIENT_SECRET: &str = "demo-client-secret";
pub(crate) const USER_PASSWORD: &str = "secret";
pub(crate) const ADMIN_KEY: &str = "demo-admin-key";
