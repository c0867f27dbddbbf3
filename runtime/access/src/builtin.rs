//! Operations that the gateway answers itself.

use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;

use gateway_route::Params;

use crate::caller::{Caller, RequestContext};
use crate::request_view::RequestView;
use crate::scheme::Resources;
use gateway_base::jose::token_keys::TokenKeys;
use gateway_parties::authority::Authority;
use gateway_wire::answer::OwnAnswer;

/// What an operation does instead of forwarding, as a document describes it: inert, and shared by every start.
pub trait Builtin: fmt::Debug + Sync {
    /// The word after `builtin:`.
    fn name(&self) -> &'static str;

    /// Fetches what the operation needs and gives what answers requests.
    ///
    /// # Errors
    /// Everything that is missing or wrong, one sentence each, without secrets.
    fn prepare(&self, resources: &Resources) -> Result<Box<dyn PreparedBuiltin>, Vec<String>>;

    /// As [`Scheme::token_keys`](crate::scheme::Scheme::token_keys).
    fn token_keys(&self) -> Option<&'static dyn TokenKeys> {
        None
    }

    /// The authorization server that it belongs to, if it does.
    fn authority(&self) -> Option<Authority> {
        None
    }
}

/// Answers requests.
pub trait PreparedBuiltin: fmt::Debug + Send + Sync {
    /// The answer to a permitted request, or what it takes.
    fn answer(&self, call: &Call<'_>) -> Answer;
}

/// A permitted request.
#[derive(Debug)]
pub struct Call<'a> {
    /// The caller, unless the operation is public.
    pub caller: Option<&'a Caller>,
    /// The request; with its body, once that has been asked for.
    pub view: &'a RequestView<'a>,
    /// What the path's template has found.
    pub params: Option<&'a Params<'a>>,
    /// Where the client is, as far as trusted proxies tell.
    pub address: IpAddr,
    /// The time of the request, and the worker thread that handles it.
    pub now: RequestContext,
}

/// What a builtin does about a request.
pub enum Answer {
    /// It is answered.
    Now(Box<OwnAnswer>),
    /// The body is needed first: at most `limit` bytes; more is 413. The builtin is asked again.
    Body {
        /// In bytes.
        limit: u64,
    },
    /// Work that takes long. It runs on the worker thread, and must not block it.
    Work(Pin<Box<dyn Future<Output = OwnAnswer>>>),
}

impl From<OwnAnswer> for Answer {
    fn from(answer: OwnAnswer) -> Self {
        Self::Now(Box::new(answer))
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(answer) => answer.fmt(f),
            Self::Body { limit } => write!(f, "Body({limit} bytes)"),
            Self::Work(_) => f.write_str("Work"),
        }
    }
}
