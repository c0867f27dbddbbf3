//! A JSON Web Token (RFC 7519), taken apart and not yet trusted.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// A compact JWS (RFC 7515 §7.1), decoded and not yet trusted.
pub struct Token<'a> {
    header: Map<String, Value>,
    /// The payload: the claims set (RFC 7519 §4), not verified.
    pub claims: Map<String, Value>,
    /// What the signature is over.
    pub signed: &'a str,
    /// In base64url.
    pub signature: &'a str,
}

impl<'a> Token<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// Why it is not one, or one whose header asks for what is not done here; for the log.
    pub fn parse(token: &'a str) -> Result<Self, &'static str> {
        let (signed, signature) = token.rsplit_once('.').ok_or("not a compact JWS")?;
        let (header, payload) = signed.split_once('.').ok_or("not a compact JWS")?;
        if payload.contains('.') || header.is_empty() || payload.is_empty() || signature.is_empty() {
            return Err("not a compact JWS");
        }
        let header = json_part(header, "the header is not a JSON object")?;
        // `enc` and `zip` belong to JWE, `crit` to extensions that are not understood here (RFC 7515 §4.1.11);
        // a library that handled a token with `enc` as JWE once skipped the signature (CVE-2024-33531).
        if ["b64", "crit", "enc", "zip"].iter().any(|member| header.contains_key(*member)) {
            return Err("the header has b64, crit, enc or zip");
        }
        if !header.get("alg").is_some_and(Value::is_string) {
            return Err("the header has no alg");
        }
        if header.get("kid").is_some_and(|id| !id.is_string()) {
            return Err("kid is not a string");
        }
        let claims = json_part(payload, "the payload is not a JSON object")?;
        Ok(Self { header, claims, signed, signature })
    }

    /// The header's `alg`.
    pub fn algorithm(&self) -> &str {
        self.header.get("alg").and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether this secret made the signature, by the algorithm that the header names: HS256, HS384 or HS512.
    pub fn is_signed_with_secret(&self, secret: &[u8]) -> bool {
        let algorithm = match self.algorithm() {
            "HS256" => hmac::HMAC_SHA256,
            "HS384" => hmac::HMAC_SHA384,
            "HS512" => hmac::HMAC_SHA512,
            _ => return false,
        };
        let Ok(signature) = URL_SAFE_NO_PAD.decode(self.signature) else { return false };
        hmac::verify(&hmac::Key::new(algorithm, secret), self.signed.as_bytes(), &signature).is_ok()
    }

    /// The header's `kid`.
    pub(crate) fn key_id(&self) -> Option<&str> {
        self.header.get("kid").and_then(Value::as_str)
    }
}

pub(crate) fn json_part(part: &str, complaint: &'static str) -> Result<Map<String, Value>, &'static str> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| complaint)?;
    serde_json::from_slice(&bytes).map(|UniqueMembers(members)| members).map_err(|_| complaint)
}

/// A JSON object whose members all have different names: of two, two readers could take different ones (RFC 7519 §4).
pub(crate) struct UniqueMembers(Map<String, Value>);

impl<'de> serde::Deserialize<'de> for UniqueMembers {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> serde::de::Visitor<'de> for Members {
            type Value = Map<String, Value>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(serde::de::Error::custom("a member stands twice"));
                    }
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Members).map(Self)
    }
}
