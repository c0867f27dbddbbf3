//! Refusals, as far as a document says how they look.

/// The classes of refusals whose body a document may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// `auth.missing`, 401: no credential.
    AuthMissing,
    /// `auth.invalid`, 401: an invalid credential.
    AuthInvalid,
    /// `auth.forbidden`, 403: a valid credential that is not enough.
    AuthForbidden,
    /// `parameter.invalid`, 400: a parameter that is not as described.
    ParameterInvalid,
    /// `body.invalid`, 400, 415 or 422: a request body that is not as described.
    BodyInvalid,
    /// `method.notAllowed`, 405.
    MethodNotAllowed,
    /// `body.tooLarge`, 413.
    BodyTooLarge,
    /// `limit.exceeded`, 429 unless the limit says otherwise.
    LimitExceeded,
    /// `upstream.failed`, 502.
    UpstreamFailed,
    /// `upstream.unavailable`, 503: credentials cannot be checked, or the gateway is overloaded.
    Unavailable,
    /// `upstream.timeout`, 504.
    UpstreamTimeout,
}

impl ErrorClass {
    /// All there are.
    pub const ALL: &'static [Self] = &[
        Self::AuthMissing,
        Self::AuthInvalid,
        Self::AuthForbidden,
        Self::ParameterInvalid,
        Self::BodyInvalid,
        Self::MethodNotAllowed,
        Self::BodyTooLarge,
        Self::LimitExceeded,
        Self::UpstreamFailed,
        Self::Unavailable,
        Self::UpstreamTimeout,
    ];

    /// In documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AuthMissing => "auth.missing",
            Self::AuthInvalid => "auth.invalid",
            Self::AuthForbidden => "auth.forbidden",
            Self::ParameterInvalid => "parameter.invalid",
            Self::BodyInvalid => "body.invalid",
            Self::MethodNotAllowed => "method.notAllowed",
            Self::BodyTooLarge => "body.tooLarge",
            Self::LimitExceeded => "limit.exceeded",
            Self::UpstreamFailed => "upstream.failed",
            Self::Unavailable => "upstream.unavailable",
            Self::UpstreamTimeout => "upstream.timeout",
        }
    }
}

/// How the bodies of refusals look that have no body of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorFormat {
    /// `{"message": …}`
    Message,
    /// `application/problem+json` (RFC 9457).
    Problem,
}
