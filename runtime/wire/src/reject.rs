//! Every way in which a request can be refused, each with its status.

use gateway_terms::refusal::ErrorClass;
use std::borrow::Cow;

/// The side at fault; becomes `"side"` in the access log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The client.
    Downstream,
    /// The server behind the gateway.
    Upstream,
    /// The gateway or its configuration.
    Internal,
}

impl Side {
    /// The word for the access log.
    pub fn word(self) -> &'static str {
        match self {
            Self::Downstream => "downstream",
            Self::Upstream => "upstream",
            Self::Internal => "internal",
        }
    }
}

/// A refusal. What a variant carries goes to the access log; the client sees [`Reject::message`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reject {
    /// 400: not RFC 9112 or RFC 3986 grammar, or framing that two parsers could read differently.
    BadRequest(&'static str),
    /// 400: a parameter that is not as described.
    InvalidParameter(Box<NotAsDescribed>),
    /// 400 or 422: a body that is not as described.
    InvalidBody(Box<NotAsDescribed>),
    /// 415: a body of a media type that is not described; those that are.
    UnsupportedMediaType(Box<str>),
    /// 400: credentials in a way that is not allowed (RFC 6750 §3.1); what the client reads.
    MalformedCredential(&'static str),
    /// 401: no credential; what the client reads.
    NoCredential(&'static str),
    /// 401: a person has to log in; browsers that ask for a page are sent there instead.
    LoginRequired {
        /// The path of the login page.
        page: &'static str,
        /// What the client reads.
        message: &'static str,
    },
    /// 401: an invalid credential.
    InvalidCredential {
        /// What the client reads.
        message: &'static str,
        /// For the log only.
        why: &'static str,
    },
    /// 401: the operation is for certain consumers, and the caller is none.
    ConsumerRequired,
    /// 403: a valid credential of a consumer that the operation does not admit.
    ConsumerForbidden,
    /// 403: a valid credential without scopes that the operation needs; these.
    InsufficientScope(Vec<&'static str>),
    /// 403: pages of this origin may not call.
    CorsOrigin(Box<str>),
    /// 403: a preflight request for this method, which pages may not use.
    CorsMethod(Box<str>),
    /// 403: a preflight request for this header field, which pages may not send.
    CorsHeader(Box<str>),
    /// 403: plain HTTP, where requests must come over TLS.
    HttpsRequired,
    /// 404: no path of any API on this listener.
    NotFound,
    /// 404: servers differ about which path this is.
    AmbiguousPath(&'static str),
    /// 405: a described path, another method.
    MethodNotAllowed,
    /// 408: the request did not arrive in time.
    RequestTimeout,
    /// 413: the body is larger than the operation admits.
    BodyTooLarge,
    /// 414: the request line is too long.
    UriTooLong,
    /// 417: an expectation other than `100-continue`.
    ExpectationFailed,
    /// 421: plain HTTP for a host that no document names, so that it may be an attacker's.
    Misdirected,
    /// 429: too many credentials were wrong; seconds until the next one is checked.
    TooManyFailures(u64),
    /// 429, unless the limit says otherwise.
    LimitExceeded(u16),
    /// 431: too many or too large header fields.
    HeadTooLarge,
    /// 502: a response that is not as described.
    InvalidResponse(Box<NotAsDescribed>),
    /// 502: no connection to the upstream.
    UpstreamUnreachable,
    /// 502: the upstream is not who it should be, or cannot prove it.
    UpstreamUntrusted(&'static str),
    /// 502: the upstream closed or broke the protocol before its response was whole.
    UpstreamBroken(&'static str),
    /// 503: credentials cannot be checked at the moment.
    CredentialsUnavailable,
    /// 503: a limit cannot be counted at the moment.
    StoreUnavailable,
    /// 503: too many bodies are being checked at the moment.
    BodyMemory,
    /// 503: the gateway has no token for the upstream at the moment.
    UpstreamCredential,
    /// 503: more requests are under way to the upstream, or wait for a connection to it, than it may get.
    UpstreamOverloaded,
    /// 504: no connection, or no answer, in time.
    UpstreamTimeout,
    /// 504: nothing is stored that answers the request, and the client wants nothing else (RFC 9111 §5.2.1.7).
    NotStored,
    /// 505: not HTTP/1.0 or HTTP/1.1.
    VersionNotSupported,
}

impl Reject {
    /// The status code (RFC 9110 §15).
    pub fn status(&self) -> u16 {
        match self {
            Self::BadRequest(_) | Self::InvalidParameter(_) | Self::MalformedCredential(_) => 400,
            Self::InvalidBody(findings) => findings.status,
            Self::UnsupportedMediaType(_) => 415,
            Self::NoCredential(_)
            | Self::LoginRequired { .. }
            | Self::InvalidCredential { .. }
            | Self::ConsumerRequired => 401,
            Self::InsufficientScope(_) | Self::ConsumerForbidden | Self::HttpsRequired => 403,
            Self::CorsOrigin(_) | Self::CorsMethod(_) | Self::CorsHeader(_) => 403,
            Self::NotFound | Self::AmbiguousPath(_) => 404,
            Self::MethodNotAllowed => 405,
            Self::RequestTimeout => 408,
            Self::BodyTooLarge => 413,
            Self::UriTooLong => 414,
            Self::ExpectationFailed => 417,
            Self::Misdirected => 421,
            Self::TooManyFailures(_) => 429,
            Self::LimitExceeded(status) => *status,
            Self::HeadTooLarge => 431,
            Self::UpstreamUnreachable
            | Self::UpstreamUntrusted(_)
            | Self::UpstreamBroken(_)
            | Self::InvalidResponse(_) => 502,
            Self::CredentialsUnavailable
            | Self::StoreUnavailable
            | Self::BodyMemory
            | Self::UpstreamCredential
            | Self::UpstreamOverloaded => 503,
            Self::UpstreamTimeout | Self::NotStored => 504,
            Self::VersionNotSupported => 505,
        }
    }

    /// What the client reads under `message`: never an address, a token or a secret.
    pub fn message(&self) -> Cow<'static, str> {
        let message = match self {
            Self::BadRequest(_) => "Bad request",
            Self::InvalidParameter(findings) | Self::InvalidBody(findings) => return findings.message.clone(),
            Self::UnsupportedMediaType(_) => "Unsupported media type",
            Self::NoCredential(message)
            | Self::MalformedCredential(message)
            | Self::LoginRequired { message, .. }
            | Self::InvalidCredential { message, .. } => message,
            Self::ConsumerRequired => "The request is rejected, please check the consumer_name for this request",
            Self::ConsumerForbidden => "The consumer_name is forbidden.",
            Self::InsufficientScope(_) => "Insufficient scope",
            Self::NotFound | Self::AmbiguousPath(_) => "Not found",
            Self::MethodNotAllowed => "Method not allowed",
            Self::CorsOrigin(_) => "Origin not allowed",
            Self::CorsMethod(_) => "Method not allowed for pages of other origins",
            Self::CorsHeader(_) => "Header not allowed for pages of other origins",
            Self::RequestTimeout => "Request timeout",
            Self::BodyTooLarge => "Request body too large",
            Self::UriTooLong => "URI too long",
            Self::ExpectationFailed => "Expectation failed",
            Self::HttpsRequired => "HTTPS required",
            Self::Misdirected => "Misdirected request",
            Self::TooManyFailures(_) => "Too many wrong credentials",
            Self::LimitExceeded(_) => "Limit exceeded",
            Self::HeadTooLarge => "Request header fields too large",
            Self::UpstreamUnreachable
            | Self::UpstreamUntrusted(_)
            | Self::UpstreamBroken(_)
            | Self::InvalidResponse(_) => "Bad gateway",
            Self::CredentialsUnavailable
            | Self::StoreUnavailable
            | Self::BodyMemory
            | Self::UpstreamCredential
            | Self::UpstreamOverloaded => "Service unavailable",
            Self::UpstreamTimeout => "Gateway timeout",
            Self::NotStored => "Nothing stored",
            Self::VersionNotSupported => "HTTP version not supported",
        };
        message.into()
    }

    /// The words of [`Reject::reason`].
    pub const REASONS: [&'static str; 38] = [
        "bad-request",
        "invalid-parameter",
        "no-credential",
        "malformed-credential",
        "login-required",
        "invalid-credential",
        "consumer-required",
        "consumer-forbidden",
        "insufficient-scope",
        "not-found",
        "method-not-allowed",
        "request-timeout",
        "body-too-large",
        "uri-too-long",
        "expectation-failed",
        "https-required",
        "misdirected",
        "limit-exceeded",
        "head-too-large",
        "upstream-unreachable",
        "upstream-untrusted",
        "upstream-broken",
        "credentials-unavailable",
        "store-unavailable",
        "upstream-timeout",
        "version-not-supported",
        "ambiguous-path",
        "too-many-failures",
        "invalid-body",
        "unsupported-media-type",
        "invalid-response",
        "body-memory",
        "upstream-overloaded",
        "upstream-credential",
        "cors-origin",
        "cors-method",
        "cors-header",
        "not-stored",
    ];

    /// The place in [`Reject::REASONS`].
    pub fn index(&self) -> usize {
        match self {
            Self::BadRequest(_) => 0,
            Self::InvalidParameter(_) => 1,
            Self::NoCredential(_) => 2,
            Self::MalformedCredential(_) => 3,
            Self::LoginRequired { .. } => 4,
            Self::InvalidCredential { .. } => 5,
            Self::ConsumerRequired => 6,
            Self::ConsumerForbidden => 7,
            Self::InsufficientScope(_) => 8,
            Self::NotFound => 9,
            Self::MethodNotAllowed => 10,
            Self::RequestTimeout => 11,
            Self::BodyTooLarge => 12,
            Self::UriTooLong => 13,
            Self::ExpectationFailed => 14,
            Self::HttpsRequired => 15,
            Self::Misdirected => 16,
            Self::LimitExceeded(_) => 17,
            Self::HeadTooLarge => 18,
            Self::UpstreamUnreachable => 19,
            Self::UpstreamUntrusted(_) => 20,
            Self::UpstreamBroken(_) => 21,
            Self::CredentialsUnavailable => 22,
            Self::StoreUnavailable => 23,
            Self::UpstreamTimeout => 24,
            Self::VersionNotSupported => 25,
            Self::AmbiguousPath(_) => 26,
            Self::TooManyFailures(_) => 27,
            Self::InvalidBody(_) => 28,
            Self::UnsupportedMediaType(_) => 29,
            Self::InvalidResponse(_) => 30,
            Self::BodyMemory => 31,
            Self::UpstreamOverloaded => 32,
            Self::UpstreamCredential => 33,
            Self::CorsOrigin(_) => 34,
            Self::CorsMethod(_) => 35,
            Self::CorsHeader(_) => 36,
            Self::NotStored => 37,
        }
    }

    /// The stable word for the access log.
    pub fn reason(&self) -> &'static str {
        Self::REASONS[self.index()]
    }

    /// What exactly was wrong, for the access log, where there is more to say than [`Reject::reason`].
    pub fn detail(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::InsufficientScope(missing) => Some(missing.join(" ").into()),
            Self::InvalidParameter(findings) | Self::InvalidBody(findings) | Self::InvalidResponse(findings) => {
                Some(findings.detail.clone().into())
            }
            Self::CorsOrigin(detail) | Self::CorsMethod(detail) | Self::CorsHeader(detail) => {
                Some(detail.clone().into_string().into())
            }
            Self::BadRequest(detail)
            | Self::AmbiguousPath(detail)
            | Self::InvalidCredential { why: detail, .. }
            | Self::UpstreamUntrusted(detail)
            | Self::UpstreamBroken(detail) => Some((*detail).into()),
            _ => None,
        }
    }

    /// The side at fault.
    pub fn side(&self) -> Side {
        match self {
            Self::UpstreamUnreachable
            | Self::UpstreamUntrusted(_)
            | Self::UpstreamBroken(_)
            | Self::InvalidResponse(_)
            | Self::UpstreamOverloaded
            | Self::UpstreamTimeout => Side::Upstream,
            Self::CredentialsUnavailable | Self::StoreUnavailable | Self::BodyMemory | Self::UpstreamCredential => {
                Side::Internal
            }
            _ => Side::Downstream,
        }
    }

    /// The class under which a document may give its own body.
    pub fn class(&self) -> Option<ErrorClass> {
        Some(match self {
            Self::InvalidParameter(_) => ErrorClass::ParameterInvalid,
            Self::InvalidBody(_) | Self::UnsupportedMediaType(_) => ErrorClass::BodyInvalid,
            Self::NoCredential(_) | Self::LoginRequired { .. } | Self::ConsumerRequired => ErrorClass::AuthMissing,
            Self::InvalidCredential { .. } | Self::MalformedCredential(_) => ErrorClass::AuthInvalid,
            Self::InsufficientScope(_) | Self::ConsumerForbidden => ErrorClass::AuthForbidden,
            Self::MethodNotAllowed => ErrorClass::MethodNotAllowed,
            Self::BodyTooLarge => ErrorClass::BodyTooLarge,
            Self::LimitExceeded(_) | Self::TooManyFailures(_) => ErrorClass::LimitExceeded,
            Self::UpstreamUnreachable
            | Self::UpstreamUntrusted(_)
            | Self::UpstreamBroken(_)
            | Self::InvalidResponse(_) => ErrorClass::UpstreamFailed,
            Self::CredentialsUnavailable
            | Self::StoreUnavailable
            | Self::BodyMemory
            | Self::UpstreamCredential
            | Self::UpstreamOverloaded => ErrorClass::Unavailable,
            Self::UpstreamTimeout => ErrorClass::UpstreamTimeout,
            _ => return None,
        })
    }
}

/// What of a message is not as described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAsDescribed {
    /// 400, 422 or 502.
    pub status: u16,
    /// What the client reads under `message`.
    pub message: Cow<'static, str>,
    /// What it reads under `errors`: a JSON array, or nothing where it is told nothing.
    pub errors: Vec<u8>,
    /// For the access log; never a value.
    pub detail: String,
}

/// The reason phrase of a status that the gateway itself answers.
pub fn reason_phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        203 => "Non-Authoritative Information",
        206 => "Partial Content",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> Box<NotAsDescribed> {
        Box::new(NotAsDescribed { status: 400, message: "".into(), errors: Vec::new(), detail: String::new() })
    }

    /// One of each.
    fn all() -> Vec<Reject> {
        vec![
            Reject::BadRequest(""),
            Reject::InvalidParameter(findings()),
            Reject::InvalidBody(findings()),
            Reject::UnsupportedMediaType("".into()),
            Reject::InvalidResponse(findings()),
            Reject::BodyMemory,
            Reject::UpstreamOverloaded,
            Reject::UpstreamCredential,
            Reject::NoCredential(""),
            Reject::MalformedCredential(""),
            Reject::LoginRequired { page: "", message: "" },
            Reject::InvalidCredential { message: "", why: "" },
            Reject::ConsumerRequired,
            Reject::ConsumerForbidden,
            Reject::InsufficientScope(Vec::new()),
            Reject::HttpsRequired,
            Reject::CorsOrigin("".into()),
            Reject::CorsMethod("".into()),
            Reject::CorsHeader("".into()),
            Reject::NotFound,
            Reject::MethodNotAllowed,
            Reject::RequestTimeout,
            Reject::BodyTooLarge,
            Reject::UriTooLong,
            Reject::ExpectationFailed,
            Reject::Misdirected,
            Reject::LimitExceeded(429),
            Reject::HeadTooLarge,
            Reject::UpstreamUnreachable,
            Reject::UpstreamUntrusted(""),
            Reject::UpstreamBroken(""),
            Reject::CredentialsUnavailable,
            Reject::StoreUnavailable,
            Reject::UpstreamTimeout,
            Reject::NotStored,
            Reject::VersionNotSupported,
            Reject::AmbiguousPath(""),
            Reject::TooManyFailures(1),
        ]
    }

    #[test]
    fn each_refusal_has_its_own_word() {
        let places: std::collections::BTreeSet<usize> = all().iter().map(Reject::index).collect();
        assert!(places.into_iter().eq(0..Reject::REASONS.len()), "one of each in `all`");
        let words: std::collections::BTreeSet<&str> = Reject::REASONS.into_iter().collect();
        assert_eq!(words.len(), Reject::REASONS.len());
    }

    #[test]
    fn the_manual_lists_each_with_its_status() {
        let manual = include_str!("../../../docs/operations.md");
        let section =
            manual.split("\n### Refusals\n").nth(1).and_then(|rest| rest.split("\n### ").next()).unwrap_or("");
        let rows: Vec<(&str, u16)> = section
            .lines()
            .filter_map(|line| {
                let mut cells = line.strip_prefix("| `")?.split('|');
                Some((cells.next()?.trim().strip_suffix('`')?, cells.next()?.trim().parse().ok()?))
            })
            .collect();
        for reject in all() {
            assert!(rows.contains(&(reject.reason(), reject.status())), "{reject:?} is not in docs/operations.md");
        }
        assert_eq!(rows.len(), Reject::REASONS.len());
    }
}
