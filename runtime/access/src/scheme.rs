//! The interface of security schemes: what a document describes, what it is prepared from, and what checks requests.

use std::fmt;
use std::sync::Arc;

use crate::caller::{Caller, Refusal, RequestContext};
use crate::outgoing::Providers;
use crate::outgoing::url::{ProviderUrl, ProviderUrlError};
use crate::request_view::{CredentialLocation, RequestView};
use gateway_base::jose::token_keys::TokenKeys;
use gateway_base::secret::SecretStore;
use gateway_parties::authority::Authority;
use gateway_parties::store::ConsumerStore;

/// A security scheme as a document describes it: inert, and shared by every start.
pub trait Scheme: fmt::Debug + Sync {
    /// The key under `components/securitySchemes`.
    fn name(&self) -> &'static str;

    /// Fetches what the scheme needs (keys, secrets) and gives what checks requests.
    ///
    /// # Errors
    /// Everything that is missing or wrong, one sentence each, without secrets.
    fn prepare(&self, resources: &Resources) -> Result<Box<dyn Authenticator>, Vec<String>>;

    /// The URL of the provider that the scheme asks, if it asks one; a deployment can give another.
    fn provider(&self) -> Option<&'static str> {
        None
    }

    /// The cookie that carries sessions of the gateway's own: browsers send it to every path of the host, and no upstream
    /// is to see it.
    fn session_cookie(&self) -> Option<&'static str> {
        None
    }

    /// Whether callers prove who they are with a certificate, so that listeners have to ask for one.
    fn reads_certificates(&self) -> bool {
        false
    }

    /// Reads the keys of consumers' tokens, for a scheme that takes such tokens. What needs no token needs no reader, and
    /// the linker drops it.
    fn token_keys(&self) -> Option<&'static dyn TokenKeys> {
        None
    }

    /// The authorization server whose tokens or sessions it takes, if that is in this gateway.
    fn authority(&self) -> Option<Authority> {
        None
    }
}

/// What schemes and builtins are prepared from.
#[derive(Debug, Clone)]
pub struct Resources {
    /// Resolves references to secrets.
    pub secrets: SecretStore,
    /// The consumers of `consumers.yaml`; without any in a gateway that has no such file.
    pub consumers: Arc<ConsumerStore>,
    /// The HTTP clients and background tasks that schemes share.
    pub providers: Arc<Providers>,
    /// The longest token that is accepted, in bytes.
    pub max_token: usize,
    /// Where this deployment has the provider that is asked, if it says so.
    pub provider_url: Option<ProviderUrl>,
}

impl Resources {
    /// Where the provider is: at this URL of the document, or where this deployment has it.
    pub(crate) fn provider_url(&self, url: &str) -> Result<ProviderUrl, ProviderUrlError> {
        match &self.provider_url {
            Some(url) => Ok(url.clone()),
            None => ProviderUrl::parse(url),
        }
    }
}

/// Checks the credentials of one scheme.
pub trait Authenticator: fmt::Debug + Send + Sync {
    /// Identifies the caller, or says what it needs first.
    fn authenticate(&self, view: &RequestView<'_>, now: RequestContext) -> Result<Caller, Refusal>;

    /// The value of a `WWW-Authenticate` field (RFC 9110 §11.6.1) for a request that brought nothing.
    fn challenge(&self) -> String;

    /// As [`Authenticator::challenge`], for a request that brought something bad (RFC 6750 §3).
    fn challenge_invalid(&self) -> String {
        self.challenge()
    }

    /// As [`Authenticator::challenge`], for a request that brought it in a way that is not allowed.
    fn challenge_malformed(&self) -> String {
        self.challenge_invalid()
    }

    /// As [`Authenticator::challenge`], for a caller without the scopes it needs.
    fn challenge_scope(&self, _scopes: &[&str]) -> String {
        self.challenge()
    }

    /// Where the credential may be, and whether the upstream is to see it.
    fn locations(&self) -> (&'static [CredentialLocation], bool);

    /// As [`Scheme::reads_certificates`].
    fn reads_certificates(&self) -> bool {
        false
    }
}
