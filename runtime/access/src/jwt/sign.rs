//! `jwt.sign`: signs tokens for consumers whose credentials allow it.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::builtin::{Answer, Builtin, Call, PreparedBuiltin};
use crate::jwt::consumer::JoseKeys;
use crate::request_view::{CredentialLocation, Found};
use crate::scheme::Resources;
use gateway_base::jose::token_keys::TokenKeys;
use gateway_parties::consumers::{Consumers, TokenCredential};
use gateway_parties::store::ConsumerStore;
use gateway_wire::answer::OwnAnswer;

/// The builtin `jwt.sign`: `?key=…`, the key of a credential with `signing`, and perhaps `&payload=…`, a JSON object
/// with further claims. A caller who is a consumer gets tokens of its own credentials only.
#[derive(Debug)]
pub struct JwtSign {
    /// The claim that names the credential.
    pub key_claim: &'static str,
}

impl Builtin for JwtSign {
    fn name(&self) -> &'static str {
        "jwt.sign"
    }

    fn prepare(&self, resources: &Resources) -> Result<Box<dyn PreparedBuiltin>, Vec<String>> {
        if !resources.consumers.is_configured() {
            return Err(vec!["tokens are signed for consumers; write `consumers: {file: consumers.yaml}`".to_owned()]);
        }
        Ok(Box::new(Endpoint { key_claim: self.key_claim, consumers: Arc::clone(&resources.consumers) }))
    }

    fn token_keys(&self) -> Option<&'static dyn TokenKeys> {
        Some(&JoseKeys)
    }
}

#[derive(Debug)]
struct Endpoint {
    key_claim: &'static str,
    consumers: Arc<ConsumerStore>,
}

impl PreparedBuiltin for Endpoint {
    fn answer(&self, call: &Call<'_>) -> Answer {
        let consumers = self.consumers.current();
        match self.token(&consumers, call) {
            Ok(body) => OwnAnswer::new(200, "text/plain; charset=utf-8", body.into_bytes()),
            Err((status, message)) => OwnAnswer::message(status, message),
        }
        .into()
    }
}

impl Endpoint {
    fn token(&self, consumers: &Consumers, call: &Call<'_>) -> Result<String, (u16, &'static str)> {
        const UNKNOWN: (u16, &str) = (404, "No credential of this key is signed for");
        let key = match parameter(call, "key") {
            Found::One(key) if !key.is_empty() => key,
            _ => return Err((400, "Expected one query parameter `key`")),
        };
        let payload = match parameter(call, "payload") {
            Found::Nothing => Map::new(),
            Found::One(text) => match serde_json::from_str(&text) {
                Ok(Value::Object(payload)) => payload,
                _ => return Err((400, "The query parameter `payload` is not a JSON object")),
            },
            Found::Ambiguous => return Err((400, "Expected at most one query parameter `payload`")),
        };
        let credential = consumers.with_token_key(&key, call.now.unix_seconds).map_err(|_| UNKNOWN)?;
        if let Some(caller) = call.caller
            && caller.identity.as_ref().is_none_or(|identity| identity.consumer != credential.identity.consumer)
        {
            return Err((403, "The credential is not the caller's"));
        }
        sign(credential, self.key_claim, &key, payload, call.now.unix_seconds).ok_or(UNKNOWN)
    }
}

/// A token of `credential`; `None` where it has no `signing`. The caller chooses neither the key nor the expiry.
pub fn sign(
    credential: &TokenCredential,
    key_claim: &str,
    key: &str,
    mut claims: Map<String, Value>,
    now: u64,
) -> Option<String> {
    let signing = credential.signing.as_ref()?;
    claims.insert(key_claim.to_owned(), key.into());
    claims.insert("exp".to_owned(), (now + signing.ttl.as_secs()).into());
    signing.signer.sign(&claims).ok()
}

fn parameter<'a>(call: &Call<'a>, name: &'static str) -> Found<'a> {
    CredentialLocation::Query(name).find(call.view)
}
