//! The result of authentication: who calls, or why that cannot be said.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use gateway_parties::consumers::Identity;
use gateway_wire::reject::Reject;

/// The request that is judged, the time at which it is, and the thread that does it.
#[derive(Debug, Clone, Copy)]
pub struct RequestContext {
    /// Seconds since the epoch.
    pub unix_seconds: u64,
    /// The index of the worker thread, for caches that are not shared.
    pub worker: usize,
    /// Identifies the request; unique in this process. A scheme may be asked several times about one request.
    pub request: u64,
}

/// The result of authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who it is, for the access log.
    pub subject: Arc<str>,
    /// What it may do.
    pub scopes: Arc<[Box<str>]>,
    /// The OAuth client that acts, where a token names one.
    pub client: Option<Arc<str>>,
    /// The user, where a token or a session is one's; a client that acts for itself is none.
    pub user: Option<Arc<str>>,
    /// Who has issued the token, where it says so: another issuer may know another caller by the same name.
    pub issuer: Option<Arc<str>>,
    /// The consumer, where the scheme knows consumers.
    pub identity: Option<Identity>,
    /// When the credential ends, in seconds since the epoch; [`Identity::NEVER`] if it does not, or that is not known.
    pub expires: u64,
}

/// Why a scheme does not accept a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// The request brings no credential of this scheme.
    Missing {
        /// For the client.
        message: &'static str,
    },
    /// The credential is invalid.
    Invalid {
        /// For the client.
        message: &'static str,
        /// For the log.
        why: &'static str,
    },
    /// The request brings credentials in a way that is not allowed.
    Malformed {
        /// For the client.
        message: &'static str,
    },
    /// Too many recent credentials were wrong; this one is not checked.
    TooManyFailures {
        /// Until the next one is.
        seconds: u64,
    },
    /// A person has to log in.
    LogIn {
        /// The path of the login page.
        page: &'static str,
        /// For a client that is not sent there.
        message: &'static str,
    },
    /// The scheme cannot decide at the moment.
    Unavailable,
}

/// Why a scheme does not tell who calls.
pub enum Refusal {
    /// It is not to be trusted.
    Denied(Denial),
    /// That is not decided yet.
    Ask(Question),
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

/// What a scheme must know before it can decide. Nothing is forwarded, and no later alternative is tried, until then.
pub enum Question {
    /// The content of the request, of at most `limit` bytes; more is 413. The scheme is asked again, with
    /// [`RequestView::body`](crate::request_view::RequestView::body).
    Body {
        /// In bytes.
        limit: u64,
    },
    /// Work that takes long. What it ends with is the scheme's verdict on this request.
    Work(Work),
}

/// Runs on the worker thread, and must not block it.
pub(crate) type Work = Pin<Box<dyn Future<Output = Verdict>>>;

/// What a scheme decided in the end.
pub type Verdict = Result<Caller, Denial>;

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body { limit } => write!(f, "Body({limit} bytes)"),
            Self::Work(_) => f.write_str("Work"),
        }
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(denial) => denial.fmt(f),
            Self::Ask(question) => question.fmt(f),
        }
    }
}

/// Identifies a scheme: the address of the authenticator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchemeId(usize);

impl SchemeId {
    /// Of what is shared at this address.
    pub(crate) fn of<T: ?Sized>(authenticator: &Arc<T>) -> Self {
        Self(Arc::as_ptr(authenticator).cast::<()>() as usize)
    }
}

impl Caller {
    /// A consumer as caller: its roles are what it may do.
    pub(crate) fn consumer(identity: &Identity) -> Self {
        let consumer = &identity.consumer;
        Self {
            subject: Arc::from(&*consumer.username),
            scopes: Arc::clone(&consumer.roles),
            client: None,
            user: None,
            issuer: None,
            identity: Some(identity.clone()),
            expires: identity.expires,
        }
    }
}

impl Caller {
    /// The same, whose credential ends then; `None` for never.
    pub(crate) fn until(self, expires: Option<u64>) -> Self {
        Self { expires: self.expires.min(expires.unwrap_or(Identity::NEVER)), ..self }
    }
}

impl From<Denial> for Reject {
    fn from(denial: Denial) -> Self {
        match denial {
            Denial::Missing { message } => Self::NoCredential(message),
            Denial::Invalid { message, why } => Self::InvalidCredential { message, why },
            Denial::Malformed { message } => Self::MalformedCredential(message),
            Denial::TooManyFailures { seconds } => Self::TooManyFailures(seconds),
            Denial::LogIn { page, message } => Self::LoginRequired { page, message },
            Denial::Unavailable => Self::CredentialsUnavailable,
        }
    }
}

impl Caller {
    /// A consumer is never the same as a user of another authority with the same name, and no caller is the same as one
    /// without a name.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        let named = !self.subject.is_empty();
        named
            && self.subject == other.subject
            && self.user == other.user
            && self.identity.is_some() == other.identity.is_some()
    }
}
