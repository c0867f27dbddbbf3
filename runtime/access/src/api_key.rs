//! API keys: a secret of high entropy that names its consumer.

use std::sync::Arc;

use crate::caller::{Caller, Denial, Refusal, RequestContext};
use crate::request_view::{CredentialLocation, Found, RequestView};
use crate::scheme::{Authenticator, Resources, Scheme};
use gateway_base::digest::Digest;
use gateway_parties::key_format;
use gateway_parties::store::ConsumerStore;

/// A longer key, in bytes, is unknown.
const MAX_KEY: usize = 4096;

/// An `apiKey` scheme (OpenAPI): the key is at one place, or at others that the document adds.
#[derive(Debug)]
pub struct ApiKey {
    /// The key under `components/securitySchemes`.
    pub name: &'static str,
    /// Where the key may be; the first place that has a value decides.
    pub locations: &'static [CredentialLocation],
    /// `realm` of the challenge (RFC 9110 §11.5).
    pub realm: &'static str,
    /// The upstream sees the key.
    pub forward: bool,
}

impl Scheme for ApiKey {
    fn name(&self) -> &'static str {
        self.name
    }

    fn prepare(&self, resources: &Resources) -> Result<Box<dyn Authenticator>, Vec<String>> {
        if !resources.consumers.is_configured() {
            return Err(vec!["API keys belong to consumers; write `consumers: {file: consumers.yaml}`".to_owned()]);
        }
        let Self { locations, realm, forward, .. } = *self;
        Ok(Box::new(KeyLookup { locations, realm, forward, consumers: Arc::clone(&resources.consumers) }))
    }
}

#[derive(Debug)]
struct KeyLookup {
    locations: &'static [CredentialLocation],
    realm: &'static str,
    forward: bool,
    consumers: Arc<ConsumerStore>,
}

impl Authenticator for KeyLookup {
    fn authenticate(&self, view: &RequestView<'_>, now: RequestContext) -> Result<Caller, Refusal> {
        const MISSING: Denial = Denial::Missing { message: "Missing API key found in request" };
        let invalid = |why| Refusal::from(Denial::Invalid { message: "Invalid API key in request", why });
        let key = match view.first_at(self.locations).map(|(_, found)| found) {
            None => return Err(MISSING.into()),
            Some(Found::One(key)) if key.len() > MAX_KEY => return Err(invalid("the key is too long")),
            Some(Found::One(key)) => key,
            Some(Found::Ambiguous | Found::Nothing) => return Err(invalid("several keys, or one that is not text")),
        };
        if !key_format::is_plausible(&key) {
            return Err(invalid("bad checksum in a gateway-issued key"));
        }
        // The digest is looked up, so that the time of the lookup reveals nothing about the keys.
        let consumers = self.consumers.current();
        let identity =
            consumers.with_key(&Digest::of(key.as_bytes()), now.unix_seconds).map_err(|no| invalid(no.why()))?;
        Ok(Caller::consumer(identity))
    }

    fn challenge(&self) -> String {
        format!("apikey realm=\"{}\"", self.realm)
    }

    fn locations(&self) -> (&'static [CredentialLocation], bool) {
        (self.locations, self.forward)
    }
}
