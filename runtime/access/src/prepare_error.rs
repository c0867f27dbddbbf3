//! Why a scheme, or a credential for an upstream, cannot be prepared at start.

use crate::outgoing::url::ProviderUrlError;
use gateway_base::jose::keys::KeyError;
use gateway_base::secret::SecretError;
use gateway_base::trust::TrustError;

/// What is missing or wrong; the message has no secret.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The URL of the provider is not one.
    #[error("its provider's URL cannot be used: {0}")]
    ProviderUrl(#[from] ProviderUrlError),
    /// There is no secret where the document says.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The provider cannot be called over TLS.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The gateway cannot say at the provider who it is (RFC 6749 §2.3.1).
    #[error("its client id and secret cannot be written in a header")]
    ClientSecret,
}
