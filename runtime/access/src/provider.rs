//! Identity providers, which the gateway asks for keys and about tokens.
//!
//! All of it, TLS included, is reached from the statics of the schemes that need it: a gateway without such a scheme has
//! none of it in its binary.

pub(crate) mod discovery;
pub mod introspection;
pub mod keys;

use crate::outgoing::url::ProviderUrl;
use crate::scheme::Resources;

impl Resources {
    /// Where a scheme's provider is: here, or in this deployment somewhere else.
    fn provider_url(&self, url: &str) -> Result<ProviderUrl, String> {
        match &self.provider_url {
            Some(url) => Ok(url.clone()),
            None => ProviderUrl::parse(url).map_err(|problem| format!("its provider's URL cannot be used: {problem}")),
        }
    }
}
