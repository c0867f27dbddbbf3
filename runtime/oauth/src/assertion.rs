//! JWTs that clients sign (RFC 7523): to prove who they are, and as grants.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::attempts::Attempt;
use crate::client_auth::unknown;
use crate::endpoint_request::EndpointRequest;
use crate::error::{ErrorCode, OauthError};
use crate::server::Server;
use gateway_base::digest::Digest;
use gateway_base::jose::token::Token;
use gateway_parties::clients_and_users::{AuthMethod, Client};

/// The longest lifetime of an assertion, in seconds; it has to be remembered for as long.
const MAX_LIFETIME: u64 = 24 * 3600;

/// How far clocks may differ, in seconds.
const LEEWAY: u64 = 30;

/// Milliseconds since the epoch are larger than this, seconds are smaller, until the year 5138.
const MILLISECONDS_FROM: u64 = 100_000_000_000;

impl Server {
    /// The client that signed `jwt`, and what it says. With `as_client`, the client is what it is about.
    ///
    /// # Errors
    /// It is not to be trusted: `invalid_client` where it authenticates, `invalid_grant` where it is a grant.
    pub(super) async fn asserted(
        &self,
        request: &EndpointRequest,
        jwt: &str,
        as_client: bool,
    ) -> Result<(Arc<Client>, Map<String, Value>), OauthError> {
        let refuse = |why: &'static str| match as_client {
            true => ErrorCode::InvalidClient.because(why),
            false => ErrorCode::InvalidGrant.because(why),
        };
        let token = Token::parse(jwt).map_err(|_| refuse("The assertion is not a signed JWT"))?;
        let text = |name: &str| token.claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let issuer = text("iss").ok_or_else(|| refuse("The assertion has no iss"))?;
        let attempt = Attempt { kind: "client", account: issuer, address: request.address };
        let client = self.parties.client(issuer).await?;
        if self.attempts.wait(attempt, request.now) > 0 {
            return Err(ErrorCode::SlowDown.because("Too many failed attempts"));
        }
        let failed = || {
            self.attempts.fail(attempt, request.now);
            match as_client {
                true => unknown(),
                false => refuse("The signature of the assertion is not the client's"),
            }
        };
        let Some(client) = client else { return Err(failed()) };
        if !is_signed_by(&client, &token, as_client) {
            return Err(failed());
        }
        self.attempts.succeed(attempt, request.now);
        if as_client && text("sub") != Some(issuer) {
            return Err(refuse("iss and sub of the assertion differ"));
        }
        self.check_audience(&client, &token).map_err(refuse)?;
        let until = check_times(&client, &token.claims, request.now).map_err(refuse)?;
        // Without a name of its own, an assertion is known by what is signed: one text has several valid signatures
        // (of ECDSA, another one follows from the first).
        let name = match text("jti") {
            Some(name) => Cow::Owned(format!("jti:{name}")),
            None => Cow::Owned(format!("sha256:{}", Digest::of(token.signed.as_bytes()).to_hex())),
        };
        if !self.store.first_use(issuer, &name, until + LEEWAY, request.now).await? {
            return Err(refuse("The assertion was used before"));
        }
        Ok((client, token.claims))
    }

    fn check_audience(&self, client: &Client, token: &Token<'_>) -> Result<(), &'static str> {
        let accepted = |audience: &str| {
            self.is_audience(audience)
                || client
                    .legacy_assertions
                    .as_ref()
                    .is_some_and(|legacy| legacy.audiences.iter().any(|known| known == audience))
        };
        let is_good = match token.claims.get("aud") {
            Some(Value::String(one)) => accepted(one),
            // Who signs for several servers lets each of them play the client at the others.
            Some(Value::Array(many)) => matches!(many.as_slice(), [Value::String(one)] if accepted(one)),
            _ => false,
        };
        if is_good { Ok(()) } else { Err("aud of the assertion is not this server alone") }
    }
}

fn is_signed_by(client: &Client, token: &Token<'_>, as_client: bool) -> bool {
    let algorithm = token.algorithm();
    if !algorithm.starts_with("HS") {
        let is_registered = !as_client || client.auth_methods.contains(&AuthMethod::PrivateKeyJwt);
        return is_registered && client.keys.as_ref().is_some_and(|keys| keys.verify(token).is_ok());
    }
    // A shared secret proves who sends it, and to this server only; it is no signature under a grant.
    let is_registered = as_client && client.auth_methods.contains(&AuthMethod::ClientSecretJwt);
    let secret = client.secret.as_ref().and_then(|secret| secret.plain()).filter(|_| is_registered);
    secret.is_some_and(|secret| token.is_signed_with_secret(secret.expose()))
}

/// When the assertion expires.
fn check_times(client: &Client, claims: &Map<String, Value>, now: u64) -> Result<u64, &'static str> {
    let in_milliseconds = client.legacy_assertions.as_ref().is_some_and(|legacy| legacy.millisecond_times);
    let time = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => match number.as_f64() {
            Some(time) if time >= 0.0 && time.is_finite() => {
                let time = time as u64;
                Ok(Some(if in_milliseconds && time > MILLISECONDS_FROM { time / 1000 } else { time }))
            }
            _ => Err("A time of the assertion is out of range"),
        },
        Some(_) => Err("A time of the assertion is not a number"),
    };
    let until = time("exp")?.ok_or("The assertion has no exp")?;
    if until.saturating_add(LEEWAY) <= now {
        return Err("The assertion has expired");
    }
    if until > now + MAX_LIFETIME {
        return Err("The assertion is good for more than a day");
    }
    if time("nbf")?.is_some_and(|start| start > now + LEEWAY) || time("iat")?.is_some_and(|at| at > now + LEEWAY) {
        return Err("The assertion is not good yet");
    }
    Ok(until)
}
