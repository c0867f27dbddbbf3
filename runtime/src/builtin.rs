//! Operations that the gateway answers itself.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;

use gateway_route::Params;

use crate::access::{Caller, Moment, Resources};
use crate::credential::Evidence;
use crate::field_lines::{FieldLines, StaticField};
use crate::oauth::Authority;
use crate::token_keys::TokenKeys;

/// What an operation does instead of forwarding, as a document describes it: inert, and shared by every start.
pub trait Builtin: fmt::Debug + Sync {
    /// The word after `builtin:`.
    fn name(&self) -> &'static str;

    /// Fetches what the operation needs and gives what answers requests.
    ///
    /// # Errors
    /// Everything that is missing or wrong, one sentence each, without secrets.
    fn prepare(&self, resources: &Resources) -> Result<Box<dyn PreparedBuiltin>, Vec<String>>;

    /// As [`crate::access::Scheme::token_keys`].
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
    /// Who calls, unless anyone may.
    pub(crate) caller: Option<&'a Caller>,
    /// The request; with its body, once that has been asked for.
    pub(crate) evidence: &'a Evidence<'a>,
    /// What the path's template has found.
    pub(crate) params: Option<&'a Params<'a>>,
    /// Where the client is, as far as trusted proxies tell.
    pub(crate) address: IpAddr,
    pub(crate) now: Moment,
}

/// What a builtin does about a request.
pub enum Answer {
    /// It is answered.
    Now(Box<OwnAnswer>),
    /// The body must be known first: at most so many bytes; more is 413. The builtin is asked again.
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

/// A response of the gateway's own: a refusal, a redirect, what a rule or an operation says. `Debug` does not show it: it
/// may hold a token.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnAnswer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: Cow<'static, [u8]>,
    /// Further fields; no document changes them.
    pub(crate) fields: FieldLines,
    /// As `fields`, where a document may set others.
    pub(crate) defaults: FieldLines,
}

/// What the gateway makes is for this caller and this moment.
const NO_STORE: StaticField = StaticField::new("Cache-Control", "no-store");

const JSON: &str = "application/json; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

impl OwnAnswer {
    /// An answer that nobody keeps.
    pub(crate) fn new(status: u16, content_type: &'static str, body: impl Into<Cow<'static, [u8]>>) -> Self {
        Self { fields: FieldLines::of(&[NO_STORE]), ..Self::plain(status, content_type, body) }
    }

    /// As [`OwnAnswer::new`], with a JSON value.
    pub(crate) fn json(status: u16, value: &serde_json::Value) -> Self {
        Self::new(status, JSON, value.to_string().into_bytes())
    }

    /// `{"message": …}`, as refusals have it.
    pub(crate) fn message(status: u16, message: &str) -> Self {
        Self::json(status, &serde_json::json!({"message": message}))
    }

    /// An answer without further fields.
    pub(crate) fn plain(status: u16, content_type: &'static str, body: impl Into<Cow<'static, [u8]>>) -> Self {
        let (body, fields, defaults) = (body.into(), FieldLines::new(), FieldLines::new());
        Self { status, content_type, body, fields, defaults }
    }

    /// A refusal with its fields.
    pub(crate) fn refusal(status: u16, body: Cow<'static, [u8]>, fields: FieldLines) -> Self {
        Self { fields, ..Self::plain(status, JSON, body) }
    }

    /// Sends the client elsewhere, for now.
    pub(crate) fn redirect(status: u16, location: &str) -> Self {
        Self::new(status, TEXT, &b"See the Location\n"[..]).with("Location", location)
    }

    /// Tells the client where the resource is for everybody; `why` is for people.
    pub(crate) fn moved(status: u16, location: &str, why: &'static str) -> Self {
        Self::plain(status, TEXT, why.as_bytes()).with("Location", location)
    }

    /// With one field more. What no header can hold is left out.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push_if_valid(name, value);
        self
    }
}

impl fmt::Debug for OwnAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnAnswer({}, {} bytes)", self.status, self.body.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_becomes_another_field() {
        for own in [
            OwnAnswer::redirect(302, "/a\r\nSet-Cookie: b=1"),
            OwnAnswer::moved(301, "/a\nSet-Cookie: b=1", "Moved\n"),
            OwnAnswer::message(200, "").with("X-A", "\r\nSet-Cookie: b=1"),
            OwnAnswer::message(200, "").with("X-A: b\r\nSet-Cookie", "b=1"),
        ] {
            assert!(
                ["Location", "Set-Cookie", "X-A"].iter().all(|name| !own.fields.contains(name)),
                "{:?}",
                own.fields
            );
        }
    }
}
