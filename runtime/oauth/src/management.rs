//! A client reads and replaces what is registered of it, and removes itself: `clients.manage` (RFC 7592).

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::engine;
use crate::error::{self, ErrorCode, OauthError};
use crate::server::{MAX_TOKEN, Server};
use crate::store::Registered;
use crate::terms::{self, MAX_BODY, object};
use gateway_access::bearer::Bearer;
use gateway_access::builtin::{Answer, Call};
use gateway_access::jwt::token::{NoToken, TokenPlaces};
use gateway_access::request_view::CredentialLocation;
use gateway_base::digest::Digest;
use gateway_base::random::{self, NoRandom};
use gateway_parties::clients_and_users::{Client, ClientSecret};
use gateway_parties::database::StoreError;
use gateway_parties::names::BadRegistration;
use gateway_parties::server::ClientPath;
use gateway_wire::answer::OwnAnswer;

/// Where the token of a registration is (RFC 7592 §2, RFC 6750 §2.1).
const PLACES: TokenPlaces =
    TokenPlaces { locations: &[CredentialLocation::Header("authorization")], bare: false, longest: MAX_TOKEN };

/// What a client without such a token is asked for.
const BEARER: Bearer = Bearer { realm: "client registration", locations: PLACES.locations, forward: false };

/// So often a registration is replaced that others replace at the same time.
const MAX_TRIES: usize = 8;

/// Members of an answer that no request has (RFC 7592 §2.2).
const OF_ANSWERS: [&str; 4] =
    ["registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"];

/// What a client does about its registration.
enum Deed {
    Read,
    Replace(Map<String, Value>),
    Remove,
}

/// Why it does not come to that.
enum Refusal {
    /// Not its token, or no such client (RFC 7592 §2): the answer does not say which.
    Stranger,
    Bad(BadRegistration),
    Unable(OauthError),
}

impl From<StoreError> for Refusal {
    fn from(problem: StoreError) -> Self {
        Self::Unable(problem.into())
    }
}

impl From<NoRandom> for Refusal {
    fn from(problem: NoRandom) -> Self {
        Self::Unable(problem.into())
    }
}

impl Refusal {
    fn answer(&self) -> OwnAnswer {
        match self {
            Self::Stranger => {
                let text = "The token is not that of this registration, or the client is not registered any more";
                unauthorized(&BEARER.challenge_invalid(), "invalid_token", text)
            }
            Self::Bad(problem) => error::not_registered(problem),
            Self::Unable(problem) => problem.answer(),
        }
    }
}

fn unauthorized(challenge: &str, code: &str, text: &str) -> OwnAnswer {
    OwnAnswer::json(401, &json!({"error": code, "error_description": text})).with("WWW-Authenticate", challenge)
}

/// The answer to a request about the client `id`.
pub(super) fn answer(server: Arc<Server>, id: String, call: &Call<'_>) -> Answer {
    let token = match PLACES.token(call.view) {
        Ok(token) => token.into_owned(),
        Err(NoToken::Missing) => {
            // RFC 6750 §3.1: no error code for who did not know that a token is asked for. The body has one for people.
            let text = "Send the registration_access_token of the client in Authorization: Bearer";
            return unauthorized(&BEARER.challenge(), "invalid_token", text).into();
        }
        Err(NoToken::Unusable(_)) => return Refusal::Stranger.answer().into(),
    };
    let deed = match call.view.method {
        "DELETE" => Deed::Remove,
        "PUT" => match call.view.body {
            None => return Answer::Body { limit: MAX_BODY },
            Some(body) => match object(body) {
                Some(members) => Deed::Replace(members),
                None => return Refusal::Bad("expected a JSON object".into()).answer().into(),
            },
        },
        _ => Deed::Read,
    };
    Answer::Work(Box::pin(async move { server.manage(&id, &token, deed).await.unwrap_or_else(|it| it.answer()) }))
}

/// The client information response (RFC 7591 §3.2.1); the secret once, since the store keeps its digest.
pub(super) fn information(client: &Client, issued_at: u64, secret: Option<&str>) -> Map<String, Value> {
    let mut members = terms::registration_of(client);
    members.insert("client_id_issued_at".to_owned(), issued_at.into());
    if let Some(secret) = secret {
        members.insert("client_secret".to_owned(), secret.into());
        members.insert("client_secret_expires_at".to_owned(), 0.into());
    }
    members
}

/// Where the client finds its registration, and what opens it (RFC 7592 §3).
pub(super) fn add_access(members: &mut Map<String, Value>, place: String, token: &str) {
    members.insert("registration_client_uri".to_owned(), place.into());
    members.insert("registration_access_token".to_owned(), token.into());
}

impl Server {
    /// `registration_client_uri` of a client that is registered by the protocol; none where the document has no operation
    /// for it. The ids of such clients need no encoding.
    pub(super) fn place_of_registration(&self, id: &str) -> Option<String> {
        let ClientPath { before, after } = &self.table.paths.managed_client;
        Some(format!("{}{id}{after}", self.url(before)?))
    }

    async fn manage(&self, id: &str, token: &str, deed: Deed) -> Result<OwnAnswer, Refusal> {
        let digest = Digest::of(token.as_bytes());
        match deed {
            Deed::Read => {
                let registered = self.registered(id, &digest).await?;
                Ok(self.description(&registered.client, registered.issued_at, token, None))
            }
            Deed::Replace(members) => {
                for _ in 0..MAX_TRIES {
                    let registered = self.registered(id, &digest).await?;
                    let (client, first) = (&registered.client, &registered.first);
                    let mut changed = self.replacement(client, first, &members).map_err(Refusal::Bad)?;
                    let fresh = random::token()?;
                    let is_fresh = changed.needs_secret() && client.secret.is_none();
                    changed.secret = match (changed.needs_secret(), client.secret.clone()) {
                        (false, _) => None,
                        (true, Some(known)) => Some(known),
                        (true, None) => Some(ClientSecret::of_digest(Digest::of(fresh.as_bytes()))),
                    };
                    if self.store.replace_client(&changed, &registered).await? {
                        return Ok(self.description(
                            &changed,
                            registered.issued_at,
                            token,
                            is_fresh.then_some(&*fresh),
                        ));
                    }
                    // Another request has replaced or removed it meanwhile.
                }
                Err(Refusal::Unable(ErrorCode::TemporarilyUnavailable.because("The registration changes all the time")))
            }
            Deed::Remove => {
                self.registered(id, &digest).await?;
                if !self.store.remove_client(id).await? {
                    return Err(Refusal::Stranger);
                }
                self.forget_all();
                Ok(OwnAnswer::new(204, "text/plain; charset=utf-8", &b""[..]))
            }
        }
    }

    /// The client whose registration has this token.
    async fn registered(&self, id: &str, token: &Digest) -> Result<Registered, Refusal> {
        let registered = self.parties.registered(id).await?.filter(|registered| registered.token == *token);
        registered.ok_or(Refusal::Stranger)
    }

    /// The answer of RFC 7592 §3. The token is the one that came: the store could not tell it.
    fn description(&self, client: &Client, issued_at: u64, token: &str, secret: Option<&str>) -> OwnAnswer {
        let mut members = information(client, issued_at, secret);
        if let Some(place) = self.place_of_registration(&client.id) {
            add_access(&mut members, place, token);
        }
        OwnAnswer::json(200, &Value::Object(members))
    }

    /// What takes the place of a registration (RFC 7592 §2.2); without a secret.
    fn replacement(
        &self,
        client: &Client,
        first: &Client,
        members: &Map<String, Value>,
    ) -> Result<Client, BadRegistration> {
        let given = |name: &str| members.get(name).filter(|value| !value.is_null());
        if let Some(name) = OF_ANSWERS.into_iter().find(|name| given(name).is_some()) {
            return Err(format!("`{name}` is the server's to say; leave it out").into());
        }
        if given("client_id").and_then(Value::as_str) != Some(&client.id) {
            return Err("`client_id` is missing, or is not that of this registration".into());
        }
        let is_own = |secret: &Value| {
            let known = client.secret.as_ref().zip(secret.as_str());
            known.is_some_and(|(known, secret)| known.is(secret.as_bytes()))
        };
        if given("client_secret").is_some_and(|secret| !is_own(secret)) {
            return Err("`client_secret` is not the client's; only the server chooses it".into());
        }
        terms::client_of_registration(&client.id, members, &engine::authority(self.table), Some(first))
    }
}
