//! Tokens taken apart: where they stand in a request, what they say, and whether that may still be believed.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::access::Caller;
use crate::credential::{CredentialLocation, Evidence, Found};

/// Where a token may stand, and in which form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenPlaces {
    /// The first place that holds something decides.
    pub(crate) locations: &'static [CredentialLocation],
    /// A header may hold the token without `Bearer `.
    pub(crate) bare: bool,
    /// A longer token, in bytes, is refused before anything is decoded.
    pub(crate) longest: usize,
}

/// Why there is no token to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoToken {
    /// The request brings none.
    Missing,
    /// What stands there is not one; the reason is for the log.
    Unusable(&'static str),
}

impl TokenPlaces {
    /// The token that a request brings.
    pub(crate) fn token<'a>(&self, evidence: &Evidence<'a>) -> Result<Cow<'a, str>, NoToken> {
        let (location, value) = match evidence.first_at(self.locations) {
            None => return Err(NoToken::Missing),
            Some((_, Found::Ambiguous | Found::Nothing)) => {
                return Err(NoToken::Unusable("several credentials, or one that is not text"));
            }
            Some((location, Found::One(value))) => (location, value),
        };
        let token = match (location, strip_bearer(&value)) {
            (CredentialLocation::Header(_), Some(range)) => match value {
                Cow::Borrowed(text) => Cow::Borrowed(&text[range]),
                Cow::Owned(text) => Cow::Owned(text[range].to_owned()),
            },
            // A header that is not `Authorization` has no scheme of its own.
            (CredentialLocation::Header(name), None) if !self.bare && name.eq_ignore_ascii_case("authorization") => {
                // `Basic …` is somebody else's credential; one word is a token that lacks its scheme.
                let other_scheme = value.contains(' ');
                return Err(if other_scheme { NoToken::Missing } else { NoToken::Unusable("not a Bearer credential") });
            }
            _ => value,
        };
        match token.len() {
            0 => Err(NoToken::Missing),
            length if length > self.longest => Err(NoToken::Unusable("the token is longer than `limits.token`")),
            _ => Ok(token),
        }
    }
}

/// Where in `value` stands what follows `Bearer` and blanks, in any letter case (RFC 9110 §11.1).
fn strip_bearer(value: &str) -> Option<std::ops::Range<usize>> {
    let (scheme, rest) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case("bearer") || !rest.starts_with(' ') {
        return None;
    }
    let start = value.len() - rest.trim_start_matches(' ').len();
    Some(start..(value.trim_end_matches(' ').len().max(start)))
}

/// A compact JWS (RFC 7515 §7.1), decoded and not yet believed.
pub(crate) struct Token<'a> {
    header: Map<String, Value>,
    pub(crate) claims: Map<String, Value>,
    /// What the signature is over.
    pub(crate) signed: &'a str,
    /// In base64url.
    pub(super) signature: &'a str,
}

impl<'a> Token<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// Why it is not one, or one whose header asks for what is not done here; for the log.
    pub(crate) fn parse(token: &'a str) -> Result<Self, &'static str> {
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
    pub(crate) fn algorithm(&self) -> &str {
        self.header.get("alg").and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether this secret made the signature, by the algorithm that the header names: HS256, HS384 or HS512.
    pub(crate) fn is_signed_with_secret(&self, secret: &[u8]) -> bool {
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
    pub(super) fn key_id(&self) -> Option<&str> {
        self.header.get("kid").and_then(Value::as_str)
    }
}

/// What a token must say to be accepted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClaimRules {
    /// Claims that must be there.
    pub(crate) required_claims: &'static [&'static str],
    /// Accepted values of `iss`; empty accepts any.
    pub(crate) issuers: &'static [&'static str],
    /// Accepted values of `aud`; empty accepts any.
    pub(crate) audiences: &'static [&'static str],
    /// Accepted values of `client_id` or `azp`; empty accepts any.
    pub(crate) client_ids: &'static [&'static str],
    /// How far clocks may differ.
    pub(crate) leeway: Duration,
}

impl ClaimRules {
    /// Until when (seconds since the epoch) the token is good; `None` where it never expires.
    ///
    /// # Errors
    /// Why it is not good at `now`, for the log.
    pub(crate) fn check(&self, claims: &Map<String, Value>, now: u64) -> Result<Option<u64>, &'static str> {
        for claim in self.required_claims {
            if claims.get(*claim).is_none_or(Value::is_null) {
                return Err("a required claim is missing");
            }
        }
        let leeway = self.leeway.as_secs();
        let expiry = date(claims, "exp")?;
        if expiry.is_some_and(|expiry| expiry.saturating_add(leeway) <= now) {
            return Err("the token has expired");
        }
        if date(claims, "nbf")?.is_some_and(|start| start > now.saturating_add(leeway)) {
            return Err("the token is not valid yet");
        }
        date(claims, "iat")?;
        if !self.issuers.is_empty()
            && !claims.get("iss").and_then(Value::as_str).is_some_and(|issuer| self.issuers.contains(&issuer))
        {
            return Err("iss is not accepted");
        }
        if !self.audiences.is_empty() && !strings(claims.get("aud")).any(|audience| self.audiences.contains(&audience))
        {
            return Err("aud is not accepted");
        }
        if !self.client_ids.is_empty() {
            // Where both are there, neither may name another client.
            let mut named = ["client_id", "azp"].into_iter().filter_map(|claim| claims.get(claim)).peekable();
            let is_accepted = |client: &Value| client.as_str().is_some_and(|client| self.client_ids.contains(&client));
            if named.peek().is_none() || !named.all(is_accepted) {
                return Err("client_id or azp is not accepted");
            }
        }
        Ok(expiry.map(|expiry| expiry.saturating_add(leeway)))
    }
}

/// Where scopes are unless a scheme says otherwise: OAuth's `scope` (RFC 9068 §2.2.3), and what others write.
#[cfg(test)]
pub(crate) const SCOPE_CLAIMS: &[&str] = &["scope", "scp", "roles"];

/// A claim by its name, or else by a path with dots, such as `realm_access.roles`.
fn claim<'c>(claims: &'c Map<String, Value>, path: &str) -> Option<&'c Value> {
    claims.get(path).or_else(|| {
        let mut names = path.split('.');
        let first = claims.get(names.next()?)?;
        names.try_fold(first, |value, name| value.as_object()?.get(name))
    })
}

/// Whom an issuer's token is about, and what that party may do; scopes stand in `scope_claims`.
///
/// # Errors
/// A `sub` that is not a name; for the log.
pub(crate) fn caller(claims: &Map<String, Value>, scope_claims: &[&str]) -> Result<Caller, &'static str> {
    let subject = match claims.get("sub") {
        None => "",
        Some(Value::String(subject)) if !subject.is_empty() => subject,
        Some(_) => return Err("sub is not a name"),
    };
    // A text is words with blanks between them (RFC 9068 §2.2.3), a list has one in each element.
    let found = || scope_claims.iter().filter_map(|path| claim(claims, path));
    let words = found().filter_map(Value::as_str).flat_map(str::split_ascii_whitespace);
    let listed = found().filter_map(Value::as_array).flatten().filter_map(Value::as_str);
    let scopes = words.chain(listed).map(Box::from).collect();
    // RFC 9068 §2.2; `azp` is OpenID Connect's.
    let client = ["client_id", "azp"].into_iter().find_map(|claim| claims.get(claim)?.as_str()).map(Arc::from);
    let subject: Arc<str> = Arc::from(subject);
    // A client that acts for itself is its own subject (RFC 9068 §2.2).
    let user = Some(Arc::clone(&subject)).filter(|subject| !subject.is_empty() && client.as_ref() != Some(subject));
    Ok(Caller { subject, scopes, client, user, identity: None })
}

fn json_part(part: &str, complaint: &'static str) -> Result<Map<String, Value>, &'static str> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| complaint)?;
    serde_json::from_slice(&bytes).map(|UniqueMembers(members)| members).map_err(|_| complaint)
}

/// A JSON object whose members all have different names: of two, two readers could take different ones (RFC 7519 §4).
struct UniqueMembers(Map<String, Value>);

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

/// A NumericDate (RFC 7519 §2) in whole seconds; a text is not a date, however it looks.
fn date(claims: &Map<String, Value>, name: &str) -> Result<Option<u64>, &'static str> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => match (number.as_u64(), number.as_f64()) {
            (Some(seconds), _) => Ok(Some(seconds)),
            (None, Some(seconds)) if seconds >= 0.0 && seconds.is_finite() => Ok(Some(seconds as u64)),
            _ => Err("a date claim is out of range"),
        },
        Some(_) => Err("a date claim is not a number"),
    }
}

fn strings(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let (one, many) = match value {
        Some(Value::String(one)) => (Some(one.as_str()), None),
        Some(Value::Array(many)) => (None, Some(many)),
        _ => (None, None),
    };
    one.into_iter().chain(many.into_iter().flatten().filter_map(Value::as_str))
}
