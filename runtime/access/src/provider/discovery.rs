//! What a provider says about itself (OpenID Connect Discovery 1.0 §3 and §4).

use serde_json::{Map, Value};

use crate::outgoing::url::{ProviderUrl, ProviderUrlError};

/// What follows the issuer in the URL of a discovery document.
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// What is taken from a discovery document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Discovered {
    /// What `iss` of this provider's tokens must be.
    pub(super) issuer: Box<str>,
    /// Where its keys are.
    pub(super) keys: ProviderUrl,
}

/// Why a discovery document cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum DiscoveryError {
    /// It is not a JSON object.
    #[error("its discovery document is not a JSON object")]
    NoObject,
    /// This member is missing, or no text.
    #[error("its discovery document has no `{0}`")]
    Missing(&'static str),
    /// It is about another provider.
    #[error("its discovery document names another issuer than its URL and the API's document")]
    OtherIssuer,
    /// Its `jwks_uri` is no URL of a provider.
    #[error("its discovery document has a `jwks_uri` that cannot be used: {0}")]
    KeysUrl(#[from] ProviderUrlError),
    /// Its `jwks_uri` is without TLS, and it came with TLS.
    #[error("its discovery document has a `jwks_uri` without TLS")]
    KeysInTheClear,
}

/// Reads a discovery document that was fetched from `url`, where the API's document says `described`.
///
/// # Errors
/// It is not one, or it is another provider's: its issuer must be what one of the two URLs starts with (§4.3). A
/// deployment may reach the provider at another address than the one that its issuer names, or have another provider.
pub(super) fn read(url: &ProviderUrl, described: &str, body: &[u8]) -> Result<Discovered, DiscoveryError> {
    let document: Map<String, Value> = serde_json::from_slice(body).map_err(|_| DiscoveryError::NoObject)?;
    let text = |name| document.get(name).and_then(Value::as_str).ok_or(DiscoveryError::Missing(name));
    let (issuer, keys) = (text("issuer")?, text("jwks_uri")?);
    let expected = format!("{}{WELL_KNOWN}", issuer.trim_end_matches('/'));
    if expected != url.as_str() && expected != described {
        return Err(DiscoveryError::OtherIssuer);
    }
    let keys = ProviderUrl::parse(keys)?;
    if url.tls && !keys.tls {
        return Err(DiscoveryError::KeysInTheClear);
    }
    Ok(Discovered { issuer: issuer.into(), keys })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issuer(url: &str, document: &str) -> Result<String, DiscoveryError> {
        reached(url, url, document)
    }

    fn reached(url: &str, described: &str, document: &str) -> Result<String, DiscoveryError> {
        let url = ProviderUrl::parse(url).expect("a URL");
        read(&url, described, document.as_bytes()).map(|found| found.issuer.into())
    }

    #[test]
    fn the_issuer_is_what_the_url_starts_with() {
        let at = "https://idp.example/.well-known/openid-configuration";
        let document = |issuer: &str| format!(r#"{{"issuer": "{issuer}", "jwks_uri": "https://keys.example/a"}}"#);
        for good in ["https://idp.example", "https://idp.example/"] {
            assert_eq!(issuer(at, &document(good)).as_deref(), Ok(good));
        }
        let tenant = "https://idp.example/t1/.well-known/openid-configuration";
        assert!(issuer(tenant, &document("https://idp.example/t1")).is_ok());
        for (url, other) in [
            (at, "https://idp.example/t1"),
            (at, "https://evil.example"),
            (at, "http://idp.example"),
            (at, ""),
            (tenant, "https://idp.example"),
            (tenant, "https://idp.example/t2"),
        ] {
            assert!(
                issuer(url, &document(other)).is_err_and(|problem| problem == DiscoveryError::OtherIssuer),
                "{other}"
            );
        }
    }

    #[test]
    fn the_provider_may_be_reached_at_another_address() {
        let described = "https://auth.example/realms/x/.well-known/openid-configuration";
        let at = "http://127.0.0.1:8080/realms/x/.well-known/openid-configuration";
        let document =
            |issuer: &str| format!(r#"{{"issuer": "{issuer}", "jwks_uri": "http://127.0.0.1:8080/realms/x/certs"}}"#);
        for good in ["https://auth.example/realms/x", "http://127.0.0.1:8080/realms/x"] {
            assert_eq!(reached(at, described, &document(good)).as_deref(), Ok(good));
        }
        for other in ["https://auth.example/realms/y", "https://auth.example", "http://127.0.0.1:8080/realms/y"] {
            assert!(reached(at, described, &document(other)).is_err(), "{other}");
        }
    }

    #[test]
    fn broken_documents_are_refused() {
        let at = "https://idp.example/.well-known/openid-configuration";
        for (document, problem) in [
            ("", "not a JSON object"),
            ("[]", "not a JSON object"),
            (r#"{"issuer": "https://idp.example"}"#, "has no `jwks_uri`"),
            (r#"{"jwks_uri": "https://idp.example"}"#, "has no `issuer`"),
            (r#"{"issuer": 1, "jwks_uri": "https://idp.example"}"#, "has no `issuer`"),
            (r#"{"issuer": "https://idp.example", "jwks_uri": "http://idp.example/a"}"#, "plain http"),
            (r#"{"issuer": "https://idp.example", "jwks_uri": "http://127.0.0.1/a"}"#, "without TLS"),
            (r#"{"issuer": "https://idp.example", "jwks_uri": "/a"}"#, "https://"),
        ] {
            let found = issuer(at, document).expect_err("refused").to_string();
            assert!(found.contains(problem), "{document}: {found}");
        }
    }
}
