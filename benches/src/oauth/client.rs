//! The clients of the gateway's own authorization server.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub(crate) const CLIENT_SECRET: &str = "a-secret-of-a-client-for-measurements-only";

/// The document's server is https; the load comes from a trusted proxy.
pub(super) const ENCRYPTED: &str = "X-Forwarded-Proto: https";

/// `consumers.yaml` with a client for each format of tokens.
pub(crate) fn clients() -> String {
    let client = |id: &str| {
        format!(
            "  - {{client_id: {id}, secret: {{env: BENCH_CLIENT_SECRET}}, grant_types: [client_credentials], scopes: ['items:read'], default_scopes: ['items:read'], token_format: {id}}}\n"
        )
    };
    format!("consumers: [{{username: nobody}}]\noauthClients:\n{}{}", client("opaque"), client("jwt"))
}

/// What a request for a token of this format has.
pub(crate) fn client_fields(format: &str) -> String {
    let basic = STANDARD.encode(format!("{format}:{CLIENT_SECRET}"));
    format!("{ENCRYPTED}\tAuthorization: Basic {basic}\tContent-Type: application/x-www-form-urlencoded")
}
