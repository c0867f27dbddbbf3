//! The gateway's own access tokens as credentials (RFC 6750).

use std::sync::Arc;

use crate::engine;
use crate::server::{MAX_TOKEN, Oauth, Server};
use crate::tables::OwnToken;
use gateway_access::bearer::{Bearer, BearerAuthenticator, TokenAuthenticator};
use gateway_access::caller::{Caller, Denial, Question, Refusal, RequestContext};
use gateway_access::jwt::token::{NoToken, TokenPlaces};
use gateway_access::request_view::{CredentialLocation, RequestView};
use gateway_access::scheme::{Authenticator, Resources, Scheme};
use gateway_parties::authority::Authority;

/// The largest form, in bytes, that is read for a token; a larger one is 413.
const MAX_FORM: u64 = 1 << 20;

impl Scheme for OwnToken {
    fn name(&self) -> &'static str {
        self.name
    }

    fn prepare(&self, resources: &Resources) -> Result<Box<dyn Authenticator>, Vec<String>> {
        let server = Oauth::of(resources)?.server(self.server, resources)?;
        let bearer = Bearer { realm: self.realm, locations: self.locations, forward: false };
        Ok(Box::new(BearerAuthenticator { bearer, tokens: TokenReader { locations: self.locations, server } }))
    }

    fn authority(&self) -> Option<Authority> {
        Some(engine::authority(self.server))
    }
}

/// Finds access tokens in requests, and whose they are.
#[derive(Debug)]
struct TokenReader {
    locations: &'static [CredentialLocation],
    server: Arc<Server>,
}

fn invalid(why: &'static str) -> Denial {
    Denial::Invalid { message: "The access token is not valid", why }
}

impl TokenReader {
    /// Whether a token may be in the body, which has not been read yet (RFC 6750 §2.2).
    fn must_see_form(&self, view: &RequestView<'_>) -> bool {
        let takes_forms = self.locations.iter().any(|place| matches!(place, CredentialLocation::Form(_)));
        takes_forms && view.body.is_none() && !matches!(view.method, "GET" | "HEAD") && view.has_form()
    }
}

impl TokenAuthenticator for TokenReader {
    fn authenticate(&self, view: &RequestView<'_>, now: RequestContext) -> Result<Caller, Refusal> {
        // A token in the form counts beside one elsewhere, and must not reach the upstream either.
        if self.must_see_form(view) {
            return Err(Refusal::Ask(Question::Body { limit: MAX_FORM }));
        }
        let mut tokens = self.locations.iter().filter_map(|place| {
            let place = TokenPlaces { locations: std::slice::from_ref(place), bare: false, longest: usize::MAX };
            Some(place.token(view)).filter(|found| !matches!(found, Err(NoToken::Missing)))
        });
        let token = match (tokens.next(), tokens.next()) {
            (None | Some(Err(NoToken::Missing)), _) => {
                return Err(Denial::Missing { message: "Missing access token in request" }.into());
            }
            // RFC 6750 §2: of two, two readers could take different ones.
            (Some(_), Some(_)) => {
                return Err(Denial::Malformed { message: "The request has more than one access token" }.into());
            }
            (Some(Err(NoToken::Unusable(why))), None) => return Err(invalid(why).into()),
            (Some(Ok(token)), None) => token,
        };
        if token.len() > MAX_TOKEN {
            return Err(invalid("the token is too long").into());
        }
        if let Some(caller) = self.server.recall(&token, now.unix_seconds) {
            return Ok(caller);
        }
        let (server, token) = (Arc::clone(&self.server), token.into_owned());
        Err(Refusal::Ask(Question::Work(Box::pin(async move {
            match server.caller(&token, now.unix_seconds).await {
                Ok(Some(caller)) => Ok(caller),
                Ok(None) => Err(invalid("the token is not known, has expired or was revoked")),
                Err(problem) => {
                    crate::error::report(&problem);
                    Err(Denial::Unavailable)
                }
            }
        }))))
    }
}
