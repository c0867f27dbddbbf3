//! Every statement, for all databases: `?1` is `$1` in PostgreSQL.
//!
//! A batch may run beside any other one. What must happen once is therefore one `UPDATE` or `DELETE` that counts or takes,
//! and what depends on it comes after it in the same transaction: the row is locked by then, and later statements see it.

use std::time::Duration;

/// How often what has ended is removed.
pub(crate) const CLEANING: Duration = Duration::from_secs(60);

pub(super) const ADD_SECRET: &str = "INSERT INTO gateway_secrets (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
pub(super) const SECRET: &str = "SELECT value FROM gateway_secrets WHERE name = ?1";

pub(super) const CLIENT: &str = "SELECT id, secret, terms FROM gateway_clients WHERE id = ?1";
pub(super) const CLIENTS: &str = "SELECT id, secret, terms FROM gateway_clients ORDER BY id";
pub(super) const ADD_CLIENT: &str = "INSERT INTO gateway_clients \
     (id, secret, terms, added, registration_token, registered_terms) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
     ON CONFLICT DO NOTHING";
pub(super) const REGISTERED_CLIENT: &str = "SELECT id, secret, terms, added, registration_token, registered_terms \
     FROM gateway_clients WHERE id = ?1 AND registration_token IS NOT NULL";
pub(super) const REPLACE_CLIENT: &str =
    "UPDATE gateway_clients SET secret = ?3, terms = ?4 WHERE id = ?1 AND registration_token = ?2 AND terms = ?5";
/// After [`REPLACE_CLIENT`], if it has replaced something.
pub(super) const FORGET_CONSENTS_OF_REPLACED: &str = "DELETE FROM gateway_consents WHERE client = ?1 \
     AND EXISTS (SELECT 1 FROM gateway_clients WHERE id = ?1 AND registration_token = ?2 AND terms = ?3)";
pub(super) const REMOVE_CLIENT: &str = "DELETE FROM gateway_clients WHERE id = ?1";
pub(super) const FORGET_CONSENTS_OF_CLIENT: &str = "DELETE FROM gateway_consents WHERE client = ?1";
pub(super) const REVOKE_OF_CLIENT: &str =
    "UPDATE gateway_authorizations SET revoked = 1 WHERE client = ?1 AND revoked = 0";

pub(super) const USER: &str = "SELECT id, username, email, password FROM gateway_users WHERE id = ?1";
/// No user name has an `@`, so that no name is another's address.
pub(super) const USER_BY_LOGIN: &str =
    "SELECT id, username, email, password FROM gateway_users WHERE username = ?1 OR email = ?2";
pub(super) const USERS: &str = "SELECT id, username, email, password FROM gateway_users ORDER BY username";
pub(super) const ADD_USER: &str = "INSERT INTO gateway_users (id, username, email, password, added) \
     VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
pub(super) const USERS_LIKE: &str =
    "SELECT id, username, email, password FROM gateway_users WHERE id = ?1 OR username = ?2 OR email = ?3";
pub(super) const REMOVE_USER: &str = "DELETE FROM gateway_users WHERE id = ?1";
pub(super) const SET_PASSWORD: &str = "UPDATE gateway_users SET password = ?2 WHERE id = ?1";
pub(super) const FORGET_CONSENTS_OF_USER: &str = "DELETE FROM gateway_consents WHERE user_id = ?1";
pub(super) const REVOKE_OF_USER: &str =
    "UPDATE gateway_authorizations SET revoked = 1 WHERE user_id = ?1 AND revoked = 0";
pub(super) const END_DIALOGS_OF_USER: &str =
    "DELETE FROM gateway_dialogs WHERE session IN (SELECT id FROM gateway_sessions WHERE user_id = ?1)";
pub(super) const END_SESSIONS_OF_USER: &str = "DELETE FROM gateway_sessions WHERE user_id = ?1";

pub(super) const CONSENT: &str =
    "SELECT scope FROM gateway_consents WHERE issuer = ?1 AND user_id = ?2 AND client = ?3 ORDER BY scope";
pub(super) const CONSENTS: &str =
    "SELECT client, scope, since FROM gateway_consents WHERE issuer = ?1 AND user_id = ?2 ORDER BY client, scope";
#[cfg(test)]
pub(super) const ALLOW: &str = "INSERT INTO gateway_consents (issuer, user_id, client, scope, since) \
     VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
pub(super) const WITHDRAW: &str = "DELETE FROM gateway_consents WHERE issuer = ?1 AND user_id = ?2 AND client = ?3";
pub(super) const REVOKE_OF_PAIR: &str = "UPDATE gateway_authorizations SET revoked = 1 \
     WHERE issuer = ?1 AND user_id = ?2 AND client = ?3 AND revoked = 0";

pub(super) const ADD_AUTHORIZATION: &str = "INSERT INTO gateway_authorizations \
     (id, issuer, client, user_id, scopes, flow, refresh_expires, ends, revoked, password_mark, resources) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, ?10)";
/// Kept for as long as anything of it can be used, and so that reuse is noticed.
pub(super) const PROLONG_AUTHORIZATION: &str =
    "UPDATE gateway_authorizations SET ends = ?2 WHERE id = ?1 AND ends < ?2";
pub(super) const REVOKE_AUTHORIZATION: &str =
    "UPDATE gateway_authorizations SET revoked = 1 WHERE id = ?1 AND revoked = 0";

pub(super) const ADD_CODE: &str = "INSERT INTO gateway_codes \
     (code, family, redirect_uri, challenge, issued, expires, uses) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)";
pub(super) const USE_CODE: &str = "UPDATE gateway_codes SET uses = uses + 1 WHERE code = ?1";
pub(super) const REVOKE_OF_REUSED_CODE: &str = "UPDATE gateway_authorizations SET revoked = 1 WHERE revoked = 0 \
     AND id IN (SELECT family FROM gateway_codes WHERE code = ?1 AND uses > 1)";
pub(super) const CODE: &str = "SELECT a.id, a.issuer, a.client, a.user_id, a.scopes, a.flow, a.refresh_expires, \
     a.revoked, a.password_mark, a.resources, c.uses, c.redirect_uri, c.challenge, c.issued, c.expires \
     FROM gateway_codes c JOIN gateway_authorizations a ON a.id = c.family WHERE c.code = ?1";

pub(super) const ADD_ACCESS_TOKEN: &str = "INSERT INTO gateway_access_tokens \
     (token, family, scopes, format, jti, issued, expires, resources) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
pub(super) const ACCESS_TOKEN: &str = "SELECT a.id, a.issuer, a.client, a.user_id, a.scopes, a.flow, \
     a.refresh_expires, a.revoked, a.password_mark, a.resources, t.scopes, t.format, t.jti, t.issued, t.expires, \
     u.username, t.resources \
     FROM gateway_access_tokens t JOIN gateway_authorizations a ON a.id = t.family \
     LEFT JOIN gateway_users u ON u.id = a.user_id WHERE t.token = ?1 AND t.expires > ?2 AND a.revoked = 0";
pub(super) const REVOKE_ACCESS_TOKEN: &str = "DELETE FROM gateway_access_tokens WHERE token = ?1";

pub(super) const ADD_REFRESH_TOKEN: &str = "INSERT INTO gateway_refresh_tokens \
     (token, family, issued, idle, idle_until, uses) VALUES (?1, ?2, ?3, ?4, ?5, 0)";
/// One that was spent before that was written down has no time, and no grace.
pub(super) const USE_REFRESH_TOKEN: &str = "UPDATE gateway_refresh_tokens SET uses = uses + 1, \
     spent = CASE WHEN uses = 0 THEN ?2 ELSE spent END WHERE token = ?1";
/// For a token that stays: it is idle from now on.
pub(super) const TOUCH_REFRESH_TOKEN: &str = "UPDATE gateway_refresh_tokens SET idle_until = \
     CASE WHEN idle > 4000000000 THEN idle_until ELSE idle + ?2 END \
     WHERE token = ?1 AND uses = 0 AND idle_until > ?2";
pub(super) const REVOKE_OF_REUSED_REFRESH_TOKEN: &str = "UPDATE gateway_authorizations SET revoked = 1 \
     WHERE revoked = 0 AND id IN (SELECT family FROM gateway_refresh_tokens WHERE token = ?1 AND uses > ?2 \
     AND (spent IS NULL OR spent <= ?3))";
pub(super) const REFRESH_TOKEN: &str = "SELECT a.id, a.issuer, a.client, a.user_id, a.scopes, a.flow, \
     a.refresh_expires, a.revoked, a.password_mark, a.resources, r.uses, r.issued, r.idle_until, r.spent \
     FROM gateway_refresh_tokens r JOIN gateway_authorizations a ON a.id = r.family WHERE r.token = ?1";

pub(super) const ADD_SESSION: &str = "INSERT INTO gateway_sessions \
     (id, issuer, user_id, created, seen, expires, password_mark, begun_by) \
     VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7)";
pub(super) const SESSION: &str = "SELECT issuer, user_id, created, seen, expires, password_mark, begun_by \
     FROM gateway_sessions \
     WHERE id = ?1 AND expires > ?2 AND seen > ?3";
pub(super) const TOUCH_SESSION: &str = "UPDATE gateway_sessions SET seen = ?2 WHERE id = ?1 AND seen < ?2";
pub(super) const END_DIALOGS_OF_SESSION: &str = "DELETE FROM gateway_dialogs WHERE session = ?1";
pub(super) const END_SESSION: &str = "DELETE FROM gateway_sessions WHERE id = ?1";

/// Limits what repeated requests store: a session has twenty dialogs with the one that follows.
pub(super) const END_OLD_DIALOGS: &str = "DELETE FROM gateway_dialogs WHERE session = ?1 AND id NOT IN \
     (SELECT id FROM gateway_dialogs WHERE session = ?1 ORDER BY expires DESC LIMIT 19)";
pub(super) const ADD_DIALOG: &str =
    "INSERT INTO gateway_dialogs (id, session, payload, expires) VALUES (?1, ?2, ?3, ?4)";
pub(super) const DIALOG: &str =
    "SELECT payload, decision FROM gateway_dialogs WHERE id = ?1 AND session = ?2 AND expires > ?3";
/// The first decision counts, and is kept until `?5` so that the same one can be answered again.
pub(super) const DECIDE_DIALOG: &str = "UPDATE gateway_dialogs SET decision = ?4, \
     expires = CASE WHEN expires > ?5 THEN ?5 ELSE expires END \
     WHERE id = ?1 AND session = ?2 AND expires > ?3 AND decision IS NULL";
/// Consent, if this very decision was the first one of its dialog.
pub(super) const ALLOW_BY_DECISION: &str = "INSERT INTO gateway_consents (issuer, user_id, client, scope, since) \
     SELECT CAST(?1 AS TEXT), CAST(?2 AS TEXT), CAST(?3 AS TEXT), CAST(?4 AS TEXT), CAST(?5 AS BIGINT) \
     WHERE EXISTS (SELECT 1 FROM gateway_dialogs WHERE id = ?6 AND decision = ?7) ON CONFLICT DO NOTHING";

pub(super) const FIRST_USE: &str = "INSERT INTO gateway_assertions (id, until) VALUES (?1, ?2) \
     ON CONFLICT (id) DO UPDATE SET until = excluded.until WHERE gateway_assertions.until < ?3";

/// What has ended, a few rows at a time; `?1` is now. An authorization takes its codes and refresh tokens along.
pub(super) const REMOVE_ENDED: [&str; 5] = [
    "DELETE FROM gateway_access_tokens WHERE token IN \
     (SELECT token FROM gateway_access_tokens WHERE expires < ?1 LIMIT 500)",
    "DELETE FROM gateway_authorizations WHERE id IN (SELECT id FROM gateway_authorizations WHERE ends < ?1 LIMIT 500)",
    "DELETE FROM gateway_sessions WHERE id IN (SELECT id FROM gateway_sessions WHERE expires < ?1 LIMIT 500)",
    "DELETE FROM gateway_dialogs WHERE id IN (SELECT id FROM gateway_dialogs WHERE expires < ?1 LIMIT 500)",
    "DELETE FROM gateway_assertions WHERE id IN (SELECT id FROM gateway_assertions WHERE until < ?1 LIMIT 500)",
];

/// How many rows one of [`REMOVE_ENDED`] takes at most.
pub(super) const REMOVED_AT_ONCE: u64 = 500;
