//! The tables, version by version. What has been released is never changed: a new version is a further list.
//!
//! `BYTEA` is `BLOB` in SQLite. Points in time are seconds since the epoch.

use gateway_parties::database::StoreError;

pub(super) const CREATE_VERSION: &str = "CREATE TABLE IF NOT EXISTS gateway_schema (version BIGINT NOT NULL)";
pub(super) const VERSION: &str = "SELECT COALESCE(MAX(version), 0) FROM gateway_schema";
pub(super) const SET_VERSION: &str = "INSERT INTO gateway_schema (version) VALUES (?1)";

/// Each brings a database from the version before it to its own, from 1 on.
pub(super) const VERSIONS: &[&[&str]] = &[
    &[
        "CREATE TABLE gateway_secrets (name TEXT PRIMARY KEY, value BYTEA NOT NULL)",
        "CREATE TABLE gateway_clients (id TEXT PRIMARY KEY, secret TEXT, terms TEXT NOT NULL, added BIGINT NOT NULL)",
        "CREATE TABLE gateway_users (id TEXT PRIMARY KEY, username TEXT NOT NULL UNIQUE, email TEXT UNIQUE, \
     password TEXT NOT NULL, added BIGINT NOT NULL)",
        // An empty scope stands for the consent itself.
        "CREATE TABLE gateway_consents (issuer TEXT NOT NULL, user_id TEXT NOT NULL, client TEXT NOT NULL, \
     scope TEXT NOT NULL, since BIGINT NOT NULL, PRIMARY KEY (issuer, user_id, client, scope))",
        "CREATE TABLE gateway_authorizations (id TEXT PRIMARY KEY, issuer TEXT NOT NULL, client TEXT NOT NULL, \
     user_id TEXT, scopes TEXT NOT NULL, flow TEXT NOT NULL, refresh_expires BIGINT NOT NULL, ends BIGINT NOT NULL, \
     revoked BIGINT NOT NULL)",
        "CREATE INDEX gateway_authorizations_client ON gateway_authorizations (client)",
        "CREATE INDEX gateway_authorizations_user ON gateway_authorizations (user_id)",
        "CREATE INDEX gateway_authorizations_ends ON gateway_authorizations (ends)",
        "CREATE TABLE gateway_codes (code BYTEA PRIMARY KEY, family TEXT NOT NULL REFERENCES gateway_authorizations (id) \
     ON DELETE CASCADE, redirect_uri TEXT, challenge TEXT, issued BIGINT NOT NULL, expires BIGINT NOT NULL, \
     uses BIGINT NOT NULL)",
        "CREATE INDEX gateway_codes_family ON gateway_codes (family)",
        "CREATE TABLE gateway_access_tokens (token BYTEA PRIMARY KEY, family TEXT NOT NULL \
     REFERENCES gateway_authorizations (id) ON DELETE CASCADE, scopes TEXT NOT NULL, format TEXT NOT NULL, jti TEXT, \
     issued BIGINT NOT NULL, expires BIGINT NOT NULL)",
        "CREATE INDEX gateway_access_tokens_family ON gateway_access_tokens (family)",
        "CREATE INDEX gateway_access_tokens_expires ON gateway_access_tokens (expires)",
        "CREATE TABLE gateway_refresh_tokens (token BYTEA PRIMARY KEY, family TEXT NOT NULL \
     REFERENCES gateway_authorizations (id) ON DELETE CASCADE, issued BIGINT NOT NULL, idle BIGINT NOT NULL, \
     idle_until BIGINT NOT NULL, uses BIGINT NOT NULL)",
        "CREATE INDEX gateway_refresh_tokens_family ON gateway_refresh_tokens (family)",
        "CREATE TABLE gateway_sessions (id BYTEA PRIMARY KEY, issuer TEXT NOT NULL, user_id TEXT NOT NULL, \
     created BIGINT NOT NULL, seen BIGINT NOT NULL, expires BIGINT NOT NULL)",
        "CREATE INDEX gateway_sessions_user ON gateway_sessions (user_id)",
        "CREATE INDEX gateway_sessions_expires ON gateway_sessions (expires)",
        "CREATE TABLE gateway_dialogs (id BYTEA PRIMARY KEY, session BYTEA NOT NULL, payload TEXT NOT NULL, \
     expires BIGINT NOT NULL)",
        "CREATE INDEX gateway_dialogs_session ON gateway_dialogs (session)",
        "CREATE INDEX gateway_dialogs_expires ON gateway_dialogs (expires)",
        "CREATE TABLE gateway_assertions (id BYTEA PRIMARY KEY, until BIGINT NOT NULL)",
        "CREATE INDEX gateway_assertions_until ON gateway_assertions (until)",
    ],
    &[
        "ALTER TABLE gateway_sessions ADD COLUMN password_mark TEXT",
        "ALTER TABLE gateway_authorizations ADD COLUMN password_mark TEXT",
    ],
    &[
        "ALTER TABLE gateway_dialogs ADD COLUMN decision TEXT",
        "ALTER TABLE gateway_sessions ADD COLUMN begun_by BYTEA",
        // URIs with blanks between them; none where nothing was asked for.
        "ALTER TABLE gateway_authorizations ADD COLUMN resources TEXT",
        "ALTER TABLE gateway_access_tokens ADD COLUMN resources TEXT",
        // When it was used first, where that spent it.
        "ALTER TABLE gateway_refresh_tokens ADD COLUMN spent BIGINT",
    ],
    &[
        // Of clients that may manage their registration: a digest of the token for that, and the terms that they had first.
        "ALTER TABLE gateway_clients ADD COLUMN registration_token BYTEA",
        "ALTER TABLE gateway_clients ADD COLUMN registered_terms TEXT",
    ],
];

/// The statements that a database of version `found` still needs, each with the version that it belongs to.
///
/// # Errors
/// The database is of a later version than this program.
pub(super) fn missing(found: u64) -> Result<impl Iterator<Item = (u64, &'static [&'static str])>, StoreError> {
    let known = VERSIONS.len() as u64;
    if found > known {
        return Err(StoreError(format!(
            "its tables are of version {found}, and this program knows versions up to {known}; run the newer program, \
             or restore a backup from before it"
        )));
    }
    let numbered = VERSIONS.iter().zip(1..).map(|(statements, version)| (version, *statements));
    Ok(numbered.filter(move |(version, _)| *version > found))
}
