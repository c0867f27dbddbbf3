//! Tokens taken apart: where they are in a request, what they say, and whether that may still be trusted.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::caller::Caller;
use crate::request_view::{CredentialLocation, Found, RequestView};
use gateway_parties::consumers::Identity;

/// Where a token may be, and in which form.
#[derive(Debug, Clone, Copy)]
pub struct TokenPlaces {
    /// The first place that holds something decides.
    pub locations: &'static [CredentialLocation],
    /// A header may hold the token without `Bearer `.
    pub bare: bool,
    /// A longer token, in bytes, is refused before anything is decoded.
    pub longest: usize,
}

/// Why there is no token to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoToken {
    /// The request brings none.
    Missing,
    /// The value is not one; the reason is for the log.
    Unusable(&'static str),
}

impl TokenPlaces {
    /// The token that a request brings.
    pub fn token<'a>(&self, view: &RequestView<'a>) -> Result<Cow<'a, str>, NoToken> {
        let (location, value) = match view.first_at(self.locations) {
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
                // `Basic …` is the credential of another scheme; one word is a token that lacks its scheme.
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

/// Where in `value` is what follows `Bearer` and blanks, in any letter case (RFC 9110 §11.1).
fn strip_bearer(value: &str) -> Option<std::ops::Range<usize>> {
    let (scheme, rest) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case("bearer") || !rest.starts_with(' ') {
        return None;
    }
    let start = value.len() - rest.trim_start_matches(' ').len();
    Some(start..(value.trim_end_matches(' ').len().max(start)))
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
    /// When the token expires (seconds since the epoch); `None` for never.
    ///
    /// # Errors
    /// Why it is invalid at `now`, for the log.
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

/// The party that an issuer's token is about, and what it may do; scopes are in `scope_claims`.
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
    let issuer = claims.get("iss").and_then(Value::as_str).map(Arc::from);
    Ok(Caller { subject, scopes, client, user, issuer, identity: None, expires: Identity::NEVER })
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
