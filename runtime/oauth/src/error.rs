//! What endpoints answer when they refuse (RFC 6749 §4.1.2.1 and §5.2).

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde_json::json;

use crate::form::BadForm;
use gateway_base::error;
use gateway_base::random::NoRandom;
use gateway_base::timestamp;
use gateway_parties::database::StoreError;
use gateway_parties::names::BadRegistration;
use gateway_wire::answer::OwnAnswer;

/// A refusal of the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OauthError {
    pub(super) code: ErrorCode,
    /// For the developer of the client; plain ASCII without quotes and backslashes.
    pub(super) description: Cow<'static, str>,
}

/// Codes of RFC 6749 §4.1.2.1 and §5.2, and of RFC 7009 §2.2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErrorCode {
    InvalidRequest,
    InvalidClient,
    InvalidGrant,
    InvalidScope,
    /// RFC 8707 §2.
    InvalidTarget,
    UnauthorizedClient,
    UnsupportedGrantType,
    UnsupportedResponseType,
    UnsupportedTokenType,
    AccessDenied,
    ServerError,
    TemporarilyUnavailable,
    /// Not in a standard: failed attempts were too many.
    SlowDown,
}

impl ErrorCode {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::UnsupportedTokenType => "unsupported_token_type",
            Self::AccessDenied => "access_denied",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::SlowDown => "slow_down",
        }
    }

    /// Where the answer is not a redirection.
    pub(super) fn status(self) -> u16 {
        match self {
            Self::InvalidClient => 401,
            Self::AccessDenied => 403,
            Self::ServerError => 500,
            Self::TemporarilyUnavailable => 503,
            Self::SlowDown => 429,
            _ => 400,
        }
    }

    /// With what the developer of the client should know.
    pub(super) fn because(self, description: impl Into<Cow<'static, str>>) -> OauthError {
        OauthError { code: self, description: description.into() }
    }
}

impl OauthError {
    /// As an answer to the client itself.
    pub(super) fn answer(&self) -> OwnAnswer {
        let value = json!({"error": self.code.name(), "error_description": self.description});
        let answer = OwnAnswer::json(self.code.status(), &value).with("Pragma", "no-cache");
        match self.code {
            ErrorCode::InvalidClient => answer.with("WWW-Authenticate", "Basic realm=\"OAuth 2.0 client\""),
            ErrorCode::SlowDown => answer.with("Retry-After", "600"),
            _ => answer,
        }
    }
}

impl From<BadForm> for OauthError {
    fn from(BadForm(problem): BadForm) -> Self {
        ErrorCode::InvalidRequest.because(problem)
    }
}

impl From<NoRandom> for OauthError {
    fn from(_: NoRandom) -> Self {
        ErrorCode::ServerError.because("The system gives no random numbers")
    }
}

/// The store does not answer: the log says why, the response does not.
impl From<StoreError> for OauthError {
    fn from(error: StoreError) -> Self {
        report(&error);
        ErrorCode::TemporarilyUnavailable.because("The server cannot look it up at the moment")
    }
}

/// Seconds between two lines about a store that does not answer.
const TOLD_EVERY: u64 = 10;

/// Writes why the store does not answer, but not for every request.
pub(super) fn report(error: &StoreError) {
    static TOLD_AT: AtomicU64 = AtomicU64::new(0);
    let now = timestamp::now();
    let before = TOLD_AT.load(Relaxed);
    if now >= before + TOLD_EVERY && TOLD_AT.compare_exchange(before, now, Relaxed, Relaxed).is_ok() {
        error!("authorization server", "{error}");
    }
}

/// The answer to a client that is not registered (RFC 7591 §3.2.2).
pub(crate) fn not_registered(problem: &BadRegistration) -> OwnAnswer {
    OwnAnswer::json(400, &json!({"error": problem.code, "error_description": problem.message}))
}
