//! The key of the deployment's administrators.

use std::sync::Arc;

use crate::server::Oauth;
use crate::tables::AdminKey;
use gateway_access::caller::{Caller, Denial, Refusal, RequestContext};
use gateway_access::request_view::{CredentialLocation, Found, RequestView};
use gateway_access::scheme::{Authenticator, Resources, Scheme};
use gateway_base::digest::Digest;

/// A shorter key, in bytes, is refused.
const MIN_KEY: usize = 12;

impl Scheme for AdminKey {
    fn name(&self) -> &'static str {
        self.name
    }

    fn prepare(&self, resources: &Resources) -> Result<Box<dyn Authenticator>, Vec<String>> {
        let Some(setting) = &Oauth::of(resources)?.settings.admin_key else {
            return Err(vec![
                "nothing says what the administrators' key is; write `admin: {key: {env: GATEWAY_ADMIN_KEY}}`"
                    .to_owned(),
            ]);
        };
        let key = setting.read(&resources.secrets).map_err(|problem| vec![problem.to_string()])?;
        if key.expose().len() < MIN_KEY {
            return Err(vec![format!("the administrators' key is shorter than {MIN_KEY} bytes")]);
        }
        Ok(Box::new(Keyhole {
            locations: self.locations,
            realm: self.realm,
            key: Digest::of(key.expose()),
            // Clients and users have no colon in their names, so that none of them can have this one.
            subject: Arc::from("gateway:administrator"),
        }))
    }
}

/// Compares keys.
#[derive(Debug)]
struct Keyhole {
    locations: &'static [CredentialLocation],
    realm: &'static str,
    key: Digest,
    subject: Arc<str>,
}

impl Authenticator for Keyhole {
    fn authenticate(&self, view: &RequestView<'_>, _: RequestContext) -> Result<Caller, Refusal> {
        let invalid = |why| Refusal::from(Denial::Invalid { message: "Invalid API key in request", why });
        match view.first_at(self.locations).map(|(_, found)| found) {
            None => Err(Denial::Missing { message: "Missing API key found in request" }.into()),
            Some(Found::One(key)) if Digest::of(key.as_bytes()) == self.key => Ok(Caller {
                subject: Arc::clone(&self.subject),
                scopes: Arc::from([]),
                client: None,
                user: None,
                issuer: None,
                identity: None,
                expires: u64::MAX,
            }),
            Some(Found::One(_)) => Err(invalid("not the administrators' key")),
            Some(Found::Ambiguous | Found::Nothing) => Err(invalid("several keys, or one that is not text")),
        }
    }

    fn challenge(&self) -> String {
        format!("apikey realm=\"{}\"", self.realm)
    }

    fn locations(&self) -> (&'static [CredentialLocation], bool) {
        (self.locations, false)
    }
}
