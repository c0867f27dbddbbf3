//! Client certificates (`mutualTLS`): the handshake has checked chain and key; this module identifies the consumer.

use std::sync::Arc;

use crate::caller::{Caller, Denial, Refusal, RequestContext};
use crate::request_view::{CredentialLocation, RequestView};
use crate::scheme::{Authenticator, Resources, Scheme};
use gateway_parties::store::ConsumerStore;
use gateway_wire::peer::ClientCertificate;

/// A `mutualTLS` scheme (OpenAPI 3.1).
#[derive(Debug)]
pub struct MutualTls {
    /// The key under `components/securitySchemes`.
    pub name: &'static str,
    /// `realm` of the challenge (RFC 9110 §11.5).
    pub realm: &'static str,
}

impl Scheme for MutualTls {
    fn name(&self) -> &'static str {
        self.name
    }

    fn prepare(&self, resources: &Resources) -> Result<Box<dyn Authenticator>, Vec<String>> {
        if !resources.consumers.is_configured() {
            return Err(vec!["certificates belong to consumers; write `consumers: {file: consumers.yaml}`".to_owned()]);
        }
        Ok(Box::new(CertificateLookup { realm: self.realm, consumers: Arc::clone(&resources.consumers) }))
    }

    fn reads_certificates(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct CertificateLookup {
    realm: &'static str,
    consumers: Arc<ConsumerStore>,
}

impl Authenticator for CertificateLookup {
    fn authenticate(&self, view: &RequestView<'_>, now: RequestContext) -> Result<Caller, Refusal> {
        let invalid = |why| Refusal::from(Denial::Invalid { message: "Invalid client certificate", why });
        let Some(ClientCertificate { says, fingerprint, .. }) = view.certificate else {
            return Err(Denial::Missing { message: "Missing client certificate" }.into());
        };
        // Connections and sessions outlive what was checked when they began.
        if now.unix_seconds > says.not_after {
            return Err(invalid("the certificate has expired since the handshake"));
        }
        let consumers = self.consumers.current();
        if let Some(identity) = consumers.with_fingerprint(fingerprint, now.unix_seconds) {
            return Ok(Caller::consumer(identity));
        }
        let mut found = says.names.iter().filter_map(|name| consumers.with_certificate_name(name, now.unix_seconds));
        let identity = found.next().ok_or_else(|| invalid("the certificate of no consumer"))?;
        if found.any(|other| other.consumer.username != identity.consumer.username) {
            return Err(invalid("the names in the certificate are of several consumers"));
        }
        Ok(Caller::consumer(identity))
    }

    fn challenge(&self) -> String {
        format!("ClientCertificate realm=\"{}\"", self.realm)
    }

    fn locations(&self) -> (&'static [CredentialLocation], bool) {
        (&[], true)
    }

    fn reads_certificates(&self) -> bool {
        true
    }
}
