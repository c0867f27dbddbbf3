//! What an authorization server remembers: clients and users that were added while it runs, consents, authorizations with
//! their codes and tokens, sessions. In a file (SQLite), in PostgreSQL for several gateways, or in this process alone.
//!
//! Codes, tokens, and the ids of sessions and dialogs are kept as SHA-256 only; passwords as argon2id. Nothing that can be
//! used once is used twice, however many gateways ask at once.

#[cfg(feature = "postgres")]
pub(crate) mod postgres;
pub(crate) mod schema;
pub(crate) mod sql;
pub(crate) mod sqlite;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use gateway_base::digest::Digest;
use gateway_base::random;
use gateway_parties::clients_and_users::{self, Client, User};
pub(crate) use gateway_parties::database::StoreError;
use gateway_parties::database::{ANSWER_TIMEOUT, Batch, Database, Row, Statement, StatementResult};
use gateway_parties::server::{Grant, TokenFormat};

/// How often the use of a session is recorded, in seconds.
const TOUCHING: u64 = 60;

/// How long the same decision of a dialog is answered again, in seconds: a browser that has been sent on sends it a second
/// time when a button is clicked twice.
const DECIDED: u64 = 60;

/// What an authorization server remembers. Every call ends within a few seconds, with an error if need be.
pub struct OauthStore {
    database: Box<dyn Database>,
}

impl fmt::Debug for OauthStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OauthStore({:?})", self.database)
    }
}

/// Whether something was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It was added.
    Yes,
    /// There is one of that id.
    Taken,
}

/// A client that may manage its registration (RFC 7592).
#[derive(Debug)]
pub(crate) struct Registered {
    pub(crate) client: Client,
    pub(crate) issued_at: u64,
    /// Of the token for that.
    pub(crate) token: Digest,
    /// As it was registered first, without its secret.
    pub(crate) first: Client,
    /// What the store holds of it, character by character.
    terms: String,
}

/// Whether a user was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddedUser {
    /// The user was added.
    Yes,
    /// Another user has the name.
    NameTaken,
    /// Another user has the e-mail address.
    EmailTaken,
    /// Another user has the id.
    IdTaken,
}

/// What a user has allowed a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Consent {
    pub(crate) client: String,
    pub(crate) scopes: Vec<String>,
    /// When it was allowed first.
    pub(crate) since: u64,
}

/// What one code, or one direct grant, stands for. Codes and tokens belong to one; revoking it ends all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authorization {
    pub(crate) id: String,
    pub(crate) issuer: String,
    pub(crate) client: String,
    /// The user's id, where it is about one.
    pub(crate) user: Option<String>,
    /// Of the user's password at that time: it ends with another one.
    pub(crate) password_mark: Option<String>,
    pub(crate) scopes: Vec<String>,
    /// What it is for (RFC 8707); none for the server itself.
    pub(crate) resources: Vec<String>,
    pub(crate) grant: Grant,
    /// When its refresh tokens expire.
    pub(crate) refresh_expires: u64,
}

/// A code to be stored, with what it stands for.
#[derive(Debug, Clone)]
pub(crate) struct NewCode {
    pub(crate) code: Digest,
    pub(crate) record: CodeRecord,
}

/// What a code stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CodeRecord {
    pub(crate) authorization: Authorization,
    /// As in the request, where it was there.
    pub(crate) redirect_uri: Option<String>,
    /// By S256 (RFC 7636 §4.2).
    pub(crate) challenge: Option<String>,
    pub(crate) issued_at: u64,
    pub(crate) expires: u64,
}

/// The result of redeeming a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Redeemed {
    /// Returned to one caller, ever.
    Code(Box<CodeRecord>),
    /// It was redeemed before. Its authorization is revoked by now (RFC 6749 §4.1.2).
    Spent { authorization: String },
    /// Unknown, expired, or revoked.
    Unknown,
}

/// Tokens to be remembered.
#[derive(Debug, Clone)]
pub(crate) struct NewTokens {
    pub(crate) authorization: Authorization,
    /// It is not in the store yet.
    pub(crate) is_new: bool,
    pub(crate) access: Digest,
    pub(crate) access_scopes: Vec<String>,
    /// None for the server itself.
    pub(crate) access_resources: Vec<String>,
    pub(crate) access_expires: u64,
    pub(crate) format: TokenFormat,
    /// RFC 7519 §4.1.7.
    pub(crate) jti: Option<String>,
    pub(crate) refresh: Option<Digest>,
    /// The refresh token has to be used before; `u64::MAX` for no such end.
    pub(crate) refresh_idle_until: u64,
    pub(crate) issued_at: u64,
}

/// A valid access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccessRecord {
    pub(crate) authorization: Authorization,
    pub(crate) scopes: Vec<String>,
    /// None for the server itself.
    pub(crate) resources: Vec<String>,
    pub(crate) format: TokenFormat,
    pub(crate) jti: Option<String>,
    pub(crate) issued_at: u64,
    pub(crate) expires: u64,
    /// Of a user who is in the store.
    pub(crate) user_name: Option<String>,
}

/// A refresh token that is, or was until just now, valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RefreshRecord {
    pub(crate) authorization: Authorization,
    pub(crate) issued_at: u64,
    pub(crate) idle_until: u64,
}

/// The result of using a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rotated {
    /// If the use spends it: returned to one caller, ever; with a grace, to all within it.
    Good(RefreshRecord),
    /// It was spent before, longer ago than the grace. Its authorization is revoked by now (RFC 9700 §4.14.2).
    Reused { authorization: String },
    /// Unknown, expired, or revoked.
    Unknown,
}

/// What a user decides in a dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Allow,
    Deny,
}

impl Decision {
    fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// The result of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decided {
    /// The first one of its dialog: returned to one caller, ever.
    First,
    /// The dialog was decided the same way a moment ago.
    Again,
    /// The dialog was decided the other way, belongs to another session, has expired, or does not exist.
    Unknown,
}

/// Consent that a decision gives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GivenConsent<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) user: &'a str,
    pub(crate) client: &'a str,
    pub(crate) scopes: &'a [String],
}

/// A session that begins.
#[derive(Debug, Clone)]
pub(crate) struct NewSession {
    pub(crate) id: Digest,
    /// At which authorization server.
    pub(crate) issuer: String,
    /// The user's id.
    pub(crate) user: String,
    /// Of the password that began it.
    pub(crate) password_mark: String,
    /// The tag of the login form that began it.
    pub(crate) begun_by: Digest,
    pub(crate) created_at: u64,
    /// However much it is used.
    pub(crate) expires: u64,
}

/// A session that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SessionRecord {
    pub(crate) issuer: String,
    pub(crate) user: String,
    /// Missing where it began before marks were kept.
    pub(crate) password_mark: Option<String>,
    /// The tag of the login form that began it; missing where it began before that was kept.
    pub(crate) begun_by: Option<Digest>,
    pub(crate) created_at: u64,
    /// To the minute.
    pub(crate) last_seen: u64,
    pub(crate) expires: u64,
}

impl OauthStore {
    /// What is in `database`.
    pub fn over(database: Box<dyn Database>) -> Self {
        Self { database }
    }

    /// A secret of the deployment that is made once and shared by all that open the store: `fresh`, or what was there
    /// before.
    pub(crate) async fn secret(&self, name: &str, fresh: [u8; 32]) -> Result<[u8; 32], StoreError> {
        let add =
            Statement::new(sql::ADD_SECRET, [name.into(), gateway_parties::database::Value::Bytes(fresh.to_vec())]);
        let answers = self.run(vec![add, Statement::new(sql::SECRET, [name.into()])]).await?;
        first(&answers, 1).map_or_else(|| Err(StoreError::new("a new secret is not there")), |row| row.key(0))
    }

    /// The client of this id that was added here.
    pub(crate) async fn client(&self, id: &str) -> Result<Option<Client>, StoreError> {
        let answers = self.run(vec![Statement::new(sql::CLIENT, [id.into()])]).await?;
        first(&answers, 0).map(client_of).transpose()
    }

    /// All clients that were added here, by id.
    pub(crate) async fn clients(&self) -> Result<Vec<Client>, StoreError> {
        let answers = self.run(vec![Statement::new(sql::CLIENTS, [])]).await?;
        rows(&answers, 0).iter().map(client_of).collect()
    }

    /// Adds a client, with the token that it manages its registration with, if it gets one.
    pub(crate) async fn add_client(
        &self,
        client: &Client,
        token: Option<&Digest>,
        now: u64,
    ) -> Result<Added, StoreError> {
        let secret = secret_of(client);
        let terms = clients_and_users::terms_of(client);
        let values = [
            (&client.id).into(),
            secret.as_deref().into(),
            (&terms).into(),
            now.into(),
            token.map_or(gateway_parties::database::Value::Null, Into::into),
            token.map(|_| terms.as_str()).into(),
        ];
        let answers = self.run(vec![Statement::new(sql::ADD_CLIENT, values)]).await?;
        Ok(if changed(&answers, 0) { Added::Yes } else { Added::Taken })
    }

    /// The client of this id, if it was added here with a token for its registration.
    pub(crate) async fn registered(&self, id: &str) -> Result<Option<Registered>, StoreError> {
        let answers = self.run(vec![about(sql::REGISTERED_CLIENT, id)]).await?;
        let Some(row) = first(&answers, 0) else { return Ok(None) };
        let first = clients_and_users::client_of_terms(&row.text(0)?, None, &row.text(5)?);
        Ok(Some(Registered {
            client: client_of(row)?,
            issued_at: row.number(3)?,
            token: Digest::from_bytes(row.key(4)?),
            first: first.ok_or_else(|| StoreError::new("a client is not one that this version understands"))?,
            terms: row.text(2)?,
        }))
    }

    /// Replaces what is registered of a client, its secret included; `false` if it is not, or no longer, what it was
    /// `before`. What users allowed it is forgotten where they would be asked about another client now.
    pub(crate) async fn replace_client(&self, client: &Client, before: &Registered) -> Result<bool, StoreError> {
        let (secret, terms) = (secret_of(client), clients_and_users::terms_of(client));
        let (id, token) = (&client.id, &before.token);
        let values = [id.into(), token.into(), secret.as_deref().into(), (&terms).into(), (&before.terms).into()];
        let mut statements = vec![Statement::new(sql::REPLACE_CLIENT, values)];
        if !client.looks_like(&before.client) {
            let values = [id.into(), token.into(), (&terms).into()];
            statements.push(Statement::new(sql::FORGET_CONSENTS_OF_REPLACED, values));
        }
        Ok(changed(&self.run(statements).await?, 0))
    }

    /// Removes a client that was added here. What it was granted is revoked, what users allowed it is forgotten.
    pub async fn remove_client(&self, id: &str) -> Result<bool, StoreError> {
        let statements =
            [sql::REMOVE_CLIENT, sql::REVOKE_OF_CLIENT, sql::FORGET_CONSENTS_OF_CLIENT].map(|sql| about(sql, id));
        Ok(changed(&self.run(statements.into()).await?, 0))
    }

    /// The user of this id who was added here.
    pub(crate) async fn user(&self, id: &str) -> Result<Option<User>, StoreError> {
        let answers = self.run(vec![Statement::new(sql::USER, [id.into()])]).await?;
        first(&answers, 0).map(user_of).transpose()
    }

    /// The user of this name, or of this e-mail address in whatever case.
    pub(crate) async fn user_by_login(&self, name_or_email: &str) -> Result<Option<User>, StoreError> {
        let email = clients_and_users::folded_email(name_or_email);
        let values = [name_or_email.into(), (&email).into()];
        let answers = self.run(vec![Statement::new(sql::USER_BY_LOGIN, values)]).await?;
        first(&answers, 0).map(user_of).transpose()
    }

    /// All users who were added here, by name.
    pub(crate) async fn users(&self) -> Result<Vec<User>, StoreError> {
        let answers = self.run(vec![Statement::new(sql::USERS, [])]).await?;
        rows(&answers, 0).iter().map(user_of).collect()
    }

    /// Adds a user, whose password must be a hash: no other form is kept.
    pub(crate) async fn add_user(&self, user: &User, now: u64) -> Result<AddedUser, StoreError> {
        let Some(hash) = user.password.hash() else {
            return Err(StoreError::new("a user's password is kept as an argon2id hash only"));
        };
        let email = user.email.as_deref().map(clients_and_users::folded_email);
        let email = || email.as_deref().into();
        let add = Statement::new(
            sql::ADD_USER,
            [(&user.id).into(), (&user.username).into(), email(), hash.into(), now.into()],
        );
        let like = Statement::new(sql::USERS_LIKE, [(&user.id).into(), (&user.username).into(), email()]);
        let answers = self.run(vec![add, like]).await?;
        if changed(&answers, 0) {
            return Ok(AddedUser::Yes);
        }
        let known: Vec<User> = rows(&answers, 1).iter().map(user_of).collect::<Result<_, _>>()?;
        Ok(if known.iter().any(|known| known.username == user.username) {
            AddedUser::NameTaken
        } else if known.iter().any(|known| known.id == user.id) {
            AddedUser::IdTaken
        } else {
            AddedUser::EmailTaken
        })
    }

    /// Removes a user who was added here: their sessions end, what they granted is revoked.
    pub async fn remove_user(&self, id: &str) -> Result<bool, StoreError> {
        let statements = [
            sql::REMOVE_USER,
            sql::REVOKE_OF_USER,
            sql::FORGET_CONSENTS_OF_USER,
            sql::END_DIALOGS_OF_USER,
            sql::END_SESSIONS_OF_USER,
        ];
        Ok(changed(&self.run(statements.map(|sql| about(sql, id)).into()).await?, 0))
    }

    /// Gives a user who was added here another password, as a hash: their sessions end, and what they granted is revoked,
    /// so that an attacker who knew the old one keeps nothing that it gave.
    pub async fn set_password(&self, user_id: &str, hash: &str) -> Result<bool, StoreError> {
        let set = Statement::new(sql::SET_PASSWORD, [user_id.into(), hash.into()]);
        let ending = [sql::REVOKE_OF_USER, sql::END_DIALOGS_OF_USER, sql::END_SESSIONS_OF_USER];
        let statements = std::iter::once(set).chain(ending.map(|sql| about(sql, user_id)));
        Ok(changed(&self.run(statements.collect()).await?, 0))
    }

    /// What the user allows the client, if that was ever asked.
    pub(crate) async fn consent(
        &self,
        issuer: &str,
        user: &str,
        client: &str,
    ) -> Result<Option<Vec<String>>, StoreError> {
        let statement = Statement::new(sql::CONSENT, [issuer.into(), user.into(), client.into()]);
        let answers = self.run(vec![statement]).await?;
        let found = rows(&answers, 0);
        let scopes: Vec<String> = found.iter().map(|row| row.text(0)).collect::<Result<_, _>>()?;
        Ok((!found.is_empty()).then(|| scopes.into_iter().filter(|scope| !scope.is_empty()).collect()))
    }

    /// Remembers that the user allows the client these scopes, beside those that it has already.
    #[cfg(test)]
    pub(crate) async fn allow(
        &self,
        issuer: &str,
        user: &str,
        client: &str,
        scopes: &[String],
        now: u64,
    ) -> Result<(), StoreError> {
        let scopes = std::iter::once("").chain(scopes.iter().map(String::as_str));
        let statements = scopes.map(|scope| {
            Statement::new(sql::ALLOW, [issuer.into(), user.into(), client.into(), scope.into(), now.into()])
        });
        self.run(statements.collect()).await.map(drop)
    }

    /// All that the user allows, by client.
    pub(crate) async fn consents(&self, issuer: &str, user: &str) -> Result<Vec<Consent>, StoreError> {
        let answers = self.run(vec![Statement::new(sql::CONSENTS, [issuer.into(), user.into()])]).await?;
        let mut consents: BTreeMap<String, Consent> = BTreeMap::new();
        for row in rows(&answers, 0) {
            let (client, scope, since) = (row.text(0)?, row.text(1)?, row.number(2)?);
            let consent = consents.entry(client.clone()).or_insert(Consent { client, scopes: Vec::new(), since });
            consent.since = consent.since.min(since);
            if !scope.is_empty() {
                consent.scopes.push(scope);
            }
        }
        Ok(consents.into_values().collect())
    }

    /// Forgets what the user allowed the client, and revokes what that gave.
    pub(crate) async fn withdraw(&self, issuer: &str, user: &str, client: &str) -> Result<bool, StoreError> {
        let statements = [sql::WITHDRAW, sql::REVOKE_OF_PAIR]
            .map(|sql| Statement::new(sql, [issuer.into(), user.into(), client.into()]));
        let answers = self.run(statements.into()).await?;
        Ok(changed(&answers, 0) || changed(&answers, 1))
    }

    /// Stores a code and what it stands for.
    pub(crate) async fn add_code(&self, new: &NewCode) -> Result<(), StoreError> {
        let NewCode { code, record } = new;
        let values = [
            code.into(),
            (&record.authorization.id).into(),
            record.redirect_uri.as_deref().into(),
            record.challenge.as_deref().into(),
            record.issued_at.into(),
            record.expires.into(),
        ];
        let add = new_authorization(&record.authorization, record.expires);
        self.run(vec![add, Statement::new(sql::ADD_CODE, values)]).await.map(drop)
    }

    /// Redeems a code. Of all attempts, one gets it; a later one revokes what the first one got.
    pub(crate) async fn redeem_code(&self, code: &Digest, now: u64) -> Result<Redeemed, StoreError> {
        let statements = [sql::USE_CODE, sql::REVOKE_OF_REUSED_CODE, sql::CODE];
        let answers = self.run(statements.map(|sql| Statement::new(sql, [code.into()])).into()).await?;
        let Some(row) = first(&answers, 2) else { return Ok(Redeemed::Unknown) };
        let (authorization, is_revoked) = authorization_of(row)?;
        let expires = row.number(14)?;
        if row.number(10)? > 1 {
            return Ok(Redeemed::Spent { authorization: authorization.id });
        }
        if is_revoked || expires <= now {
            return Ok(Redeemed::Unknown);
        }
        Ok(Redeemed::Code(Box::new(CodeRecord {
            authorization,
            redirect_uri: row.maybe_text(11)?,
            challenge: row.maybe_text(12)?,
            issued_at: row.number(13)?,
            expires,
        })))
    }

    /// Stores tokens. Those of an authorization that has been revoked meanwhile are invalid from the beginning.
    pub(crate) async fn issue(&self, tokens: &NewTokens) -> Result<(), StoreError> {
        let authorization = &tokens.authorization;
        let ends = match tokens.refresh {
            Some(_) => tokens.access_expires.max(authorization.refresh_expires),
            None => tokens.access_expires,
        };
        let mut statements = vec![if tokens.is_new {
            new_authorization(authorization, ends)
        } else {
            Statement::new(sql::PROLONG_AUTHORIZATION, [(&authorization.id).into(), ends.into()])
        }];
        let values = [
            (&tokens.access).into(),
            (&authorization.id).into(),
            (&tokens.access_scopes.join(" ")).into(),
            clients_and_users::format_name(tokens.format).into(),
            tokens.jti.as_deref().into(),
            tokens.issued_at.into(),
            tokens.access_expires.into(),
            joined(&tokens.access_resources).as_deref().into(),
        ];
        statements.push(Statement::new(sql::ADD_ACCESS_TOKEN, values));
        if let Some(refresh) = &tokens.refresh {
            let idle = tokens.refresh_idle_until.saturating_sub(tokens.issued_at);
            let until = tokens.refresh_idle_until;
            let values =
                [refresh.into(), (&authorization.id).into(), tokens.issued_at.into(), idle.into(), until.into()];
            statements.push(Statement::new(sql::ADD_REFRESH_TOKEN, values));
        }
        self.run(statements).await.map(drop)
    }

    /// An access token, if it is valid at `now`.
    pub(crate) async fn access_token(&self, token: &Digest, now: u64) -> Result<Option<AccessRecord>, StoreError> {
        let answers = self.run(vec![Statement::new(sql::ACCESS_TOKEN, [token.into(), now.into()])]).await?;
        let Some(row) = first(&answers, 0) else { return Ok(None) };
        let format = row.text(11)?;
        Ok(Some(AccessRecord {
            authorization: authorization_of(row)?.0,
            scopes: row.words(10)?,
            resources: row.maybe_words(16)?,
            format: clients_and_users::format_named(&format)
                .ok_or_else(|| StoreError::new("a token has an unknown format"))?,
            jti: row.maybe_text(12)?,
            issued_at: row.number(13)?,
            expires: row.number(14)?,
            user_name: row.maybe_text(15)?,
        }))
    }

    /// Uses a refresh token, and spends it if `rotate`. Of all who spend it, one gets it, with all who come within `grace`
    /// seconds of that; a later use revokes the whole family.
    pub(crate) async fn rotate(
        &self,
        refresh: &Digest,
        now: u64,
        rotate: bool,
        grace: u64,
    ) -> Result<Rotated, StoreError> {
        let uses = u64::from(rotate);
        let values = [refresh.into(), uses.into(), graceless_until(now, grace).into()];
        let revoke = Statement::new(sql::REVOKE_OF_REUSED_REFRESH_TOKEN, values);
        let used = if rotate { sql::USE_REFRESH_TOKEN } else { sql::TOUCH_REFRESH_TOKEN };
        let used = Statement::new(used, [refresh.into(), now.into()]);
        let answers = self.run(vec![used, revoke, about_digest(sql::REFRESH_TOKEN, refresh)]).await?;
        let Some(row) = first(&answers, 2) else { return Ok(Rotated::Unknown) };
        if row.number(10)? > uses && !has_grace(row, now, grace)? {
            return Ok(Rotated::Reused { authorization: authorization_of(row)?.0.id });
        }
        Ok(good_refresh(row, now)?.map_or(Rotated::Unknown, Rotated::Good))
    }

    /// A refresh token, if it is valid at `now`, or was spent within `grace` seconds before; nothing is done to it.
    pub(crate) async fn refresh_token(
        &self,
        token: &Digest,
        now: u64,
        grace: u64,
    ) -> Result<Option<RefreshRecord>, StoreError> {
        let answers = self.run(vec![about_digest(sql::REFRESH_TOKEN, token)]).await?;
        match first(&answers, 0) {
            Some(row) if !row.flag(10)? || has_grace(row, now, grace)? => good_refresh(row, now),
            _ => Ok(None),
        }
    }

    /// Ends one access token; whether there was one.
    pub(crate) async fn revoke_access(&self, token: &Digest) -> Result<bool, StoreError> {
        Ok(changed(&self.run(vec![about_digest(sql::REVOKE_ACCESS_TOKEN, token)]).await?, 0))
    }

    /// Revokes all that an authorization gave or is about to give; returns whether it was not revoked before.
    pub(crate) async fn revoke_authorization(&self, id: &str) -> Result<bool, StoreError> {
        Ok(changed(&self.run(vec![about(sql::REVOKE_AUTHORIZATION, id)]).await?, 0))
    }

    /// Begins a session.
    pub(crate) async fn add_session(&self, session: &NewSession) -> Result<(), StoreError> {
        let values = [
            (&session.id).into(),
            (&session.issuer).into(),
            (&session.user).into(),
            session.created_at.into(),
            session.expires.into(),
            (&session.password_mark).into(),
            (&session.begun_by).into(),
        ];
        self.run(vec![Statement::new(sql::ADD_SESSION, values)]).await.map(drop)
    }

    /// A session that goes on at `now`: it has been used within `idle` seconds, and is used now.
    pub(crate) async fn session(&self, id: &Digest, now: u64, idle: u64) -> Result<Option<SessionRecord>, StoreError> {
        // Recorded now and then only; a session may end that much earlier.
        let idle_since = now.saturating_sub(idle);
        let look = Statement::new(sql::SESSION, [id.into(), now.into(), idle_since.into()]);
        let answers = self.run(vec![look]).await?;
        let Some(row) = first(&answers, 0) else { return Ok(None) };
        let record = SessionRecord {
            issuer: row.text(0)?,
            user: row.text(1)?,
            created_at: row.number(2)?,
            last_seen: row.number(3)?,
            expires: row.number(4)?,
            password_mark: row.maybe_text(5)?,
            begun_by: row.maybe_key(6)?.map(Digest::from_bytes),
        };
        if record.last_seen + TOUCHING.min(idle / 4) <= now {
            self.run(vec![Statement::new(sql::TOUCH_SESSION, [id.into(), now.into()])]).await?;
        }
        Ok(Some(record))
    }

    /// Ends a session, and the dialogs in it.
    pub(crate) async fn end_session(&self, id: &Digest) -> Result<(), StoreError> {
        let statements = [sql::END_DIALOGS_OF_SESSION, sql::END_SESSION].map(|sql| about_digest(sql, id));
        self.run(statements.into()).await.map(drop)
    }

    /// Remembers what a dialog in a session is about; of many, the oldest is forgotten.
    pub(crate) async fn add_transaction(
        &self,
        id: &Digest,
        session: &Digest,
        payload: &str,
        expires: u64,
    ) -> Result<(), StoreError> {
        let values = [id.into(), session.into(), payload.into(), expires.into()];
        let add = Statement::new(sql::ADD_DIALOG, values);
        self.run(vec![about_digest(sql::END_OLD_DIALOGS, session), add]).await.map(drop)
    }

    /// What a dialog of this session is about.
    pub(crate) async fn transaction(
        &self,
        id: &Digest,
        session: &Digest,
        now: u64,
    ) -> Result<Option<String>, StoreError> {
        let look = Statement::new(sql::DIALOG, [id.into(), session.into(), now.into()]);
        first(&self.run(vec![look]).await?, 0).map(|row| row.text(0)).transpose()
    }

    /// Decides a dialog of this session, and remembers the consent that the first decision gives.
    pub(crate) async fn decide(
        &self,
        id: &Digest,
        session: &Digest,
        decision: Decision,
        consent: Option<GivenConsent<'_>>,
        now: u64,
    ) -> Result<Decided, StoreError> {
        let until = now.saturating_add(DECIDED);
        // With a name of its own, so that the statements that follow know whether it was this one that came first.
        let own = random::name().map_err(|problem| StoreError::new(problem.to_string()))?;
        let own = format!("{} {own}", decision.name());
        let values = [id.into(), session.into(), now.into(), (&own).into(), until.into()];
        let mut statements = vec![
            Statement::new(sql::DECIDE_DIALOG, values),
            Statement::new(sql::DIALOG, [id.into(), session.into(), now.into()]),
        ];
        if let Some(GivenConsent { issuer, user, client, scopes }) = consent {
            statements.extend(std::iter::once("").chain(scopes.iter().map(String::as_str)).map(|scope| {
                let about = [issuer.into(), user.into(), client.into(), scope.into(), now.into()];
                let [issuer, user, client, scope, since] = about;
                let values = [issuer, user, client, scope, since, id.into(), (&own).into()];
                Statement::new(sql::ALLOW_BY_DECISION, values)
            }));
        }
        let answers = self.run(statements).await?;
        let found = first(&answers, 1).map(|row| row.maybe_text(1)).transpose()?.flatten();
        let kind = found.as_deref().and_then(|found| found.split(' ').next());
        Ok(match kind {
            Some(_) if found.as_deref() == Some(&own) => Decided::First,
            Some(kind) if kind == decision.name() => Decided::Again,
            _ => Decided::Unknown,
        })
    }

    /// Remembers the id of an assertion until it expires (RFC 7523 §3); `false` if it has been there already.
    pub(crate) async fn first_use(
        &self,
        issuer_of_assertion: &str,
        jti: &str,
        until: u64,
        now: u64,
    ) -> Result<bool, StoreError> {
        // Ids are as long as their issuer likes. The length in front keeps two pairs from being one text.
        let id = Digest::of(format!("{}:{issuer_of_assertion}{jti}", issuer_of_assertion.len()).as_bytes());
        let values = [(&id).into(), until.into(), now.into()];
        Ok(changed(&self.run(vec![Statement::new(sql::FIRST_USE, values)]).await?, 0))
    }

    /// Removes what has ended before `now`, as the store itself does now and then.
    #[cfg(test)]
    async fn remove_ended(&self, now: u64) -> Result<(), StoreError> {
        let statements = sql::REMOVE_ENDED.map(|sql| Statement::new(sql, [now.into()]));
        self.run(statements.into()).await.map(drop)
    }

    /// One transaction, in bounded time.
    async fn run(&self, statements: Vec<Statement>) -> Result<Vec<StatementResult>, StoreError> {
        let (batch, answer) = Batch::new(statements);
        self.database.submit(batch)?;
        match tokio::time::timeout(ANSWER_TIMEOUT, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(StoreError::new("it gave no answer")),
            Err(_) => Err(StoreError::new("it gave no answer in time")),
        }
    }
}

fn about(sql: &'static str, id: &str) -> Statement {
    Statement::new(sql, [id.into()])
}

fn about_digest(sql: &'static str, id: &Digest) -> Statement {
    Statement::new(sql, [id.into()])
}

fn rows(answers: &[StatementResult], index: usize) -> &[Row] {
    answers.get(index).map_or(&[], |answer| &answer.rows)
}

fn first(answers: &[StatementResult], index: usize) -> Option<&Row> {
    rows(answers, index).first()
}

fn changed(answers: &[StatementResult], index: usize) -> bool {
    answers.get(index).is_some_and(|answer| answer.changed > 0)
}

fn new_authorization(authorization: &Authorization, ends: u64) -> Statement {
    let values = [
        (&authorization.id).into(),
        (&authorization.issuer).into(),
        (&authorization.client).into(),
        authorization.user.as_deref().into(),
        (&authorization.scopes.join(" ")).into(),
        clients_and_users::grant_name(authorization.grant).into(),
        authorization.refresh_expires.into(),
        ends.into(),
        authorization.password_mark.as_deref().into(),
        joined(&authorization.resources).as_deref().into(),
    ];
    Statement::new(sql::ADD_AUTHORIZATION, values)
}

/// Words with blanks between them; nothing for none.
fn joined(words: &[String]) -> Option<String> {
    (!words.is_empty()).then(|| words.join(" "))
}

/// From the first ten columns, with whether it is revoked.
fn authorization_of(row: &Row) -> Result<(Authorization, bool), StoreError> {
    let grant = clients_and_users::grant_named(&row.text(5)?);
    let authorization = Authorization {
        id: row.text(0)?,
        issuer: row.text(1)?,
        client: row.text(2)?,
        user: row.maybe_text(3)?,
        scopes: row.words(4)?,
        grant: grant.ok_or_else(|| StoreError::new("an authorization has an unknown grant"))?,
        refresh_expires: row.number(6)?,
        password_mark: row.maybe_text(8)?,
        resources: row.maybe_words(9)?,
    };
    Ok((authorization, row.flag(7)?))
}

/// A refresh token that was spent until then has no grace. Without any grace that is for ever: the clock of the gateway that
/// wrote it down may be ahead.
fn graceless_until(now: u64, grace: u64) -> u64 {
    if grace == 0 { u64::MAX } else { now.saturating_sub(grace) }
}

fn has_grace(row: &Row, now: u64, grace: u64) -> Result<bool, StoreError> {
    Ok(row.maybe_number(13)?.is_some_and(|spent| spent > graceless_until(now, grace)))
}

fn good_refresh(row: &Row, now: u64) -> Result<Option<RefreshRecord>, StoreError> {
    let (authorization, is_revoked) = authorization_of(row)?;
    let (issued_at, idle_until) = (row.number(11)?, row.number(12)?);
    let is_good = !is_revoked && now < idle_until && now < authorization.refresh_expires;
    Ok(is_good.then_some(RefreshRecord { authorization, issued_at, idle_until }))
}

/// As the store keeps it.
fn secret_of(client: &Client) -> Option<String> {
    client.secret.as_ref().map(|secret| secret.digest().to_hex())
}

fn client_of(row: &Row) -> Result<Client, StoreError> {
    let secret = row.maybe_text(1)?;
    clients_and_users::client_of_terms(&row.text(0)?, secret.as_deref(), &row.text(2)?)
        .ok_or_else(|| StoreError::new("a client is not one that this version understands"))
}

fn user_of(row: &Row) -> Result<User, StoreError> {
    Ok(clients_and_users::user_of_store(row.text(0)?, row.text(1)?, row.maybe_text(2)?, &row.text(3)?))
}
