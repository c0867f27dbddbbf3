//! A response that the gateway makes itself.

use std::borrow::Cow;
use std::fmt;

use crate::field_lines::{FieldLines, StaticField};

/// A response of the gateway's own: a refusal, a redirect, what a rule or an operation says. `Debug` does not show it: it
/// may hold a token.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnAnswer {
    /// The status code.
    pub status: u16,
    /// The value of `Content-Type`.
    pub content_type: &'static str,
    /// The content, in bytes as they are sent.
    pub body: Cow<'static, [u8]>,
    /// Further fields; no document changes them.
    pub fields: FieldLines,
    /// As `fields`, where a document may set others.
    pub defaults: FieldLines,
}

/// What the gateway makes is for this caller and this moment.
pub(crate) const NO_STORE: StaticField = StaticField::new("Cache-Control", "no-store");

/// The type of what the gateway answers itself.
pub const JSON: &str = "application/json; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

impl OwnAnswer {
    /// An answer that is not cached.
    pub fn new(status: u16, content_type: &'static str, body: impl Into<Cow<'static, [u8]>>) -> Self {
        Self { fields: FieldLines::of(&[NO_STORE]), ..Self::plain(status, content_type, body) }
    }

    /// As [`OwnAnswer::new`], with a JSON value.
    pub fn json(status: u16, value: &serde_json::Value) -> Self {
        Self::new(status, JSON, value.to_string().into_bytes())
    }

    /// `{"message": …}`, as refusals have it.
    pub fn message(status: u16, message: &str) -> Self {
        Self::json(status, &serde_json::json!({"message": message}))
    }

    /// An answer without further fields.
    pub fn plain(status: u16, content_type: &'static str, body: impl Into<Cow<'static, [u8]>>) -> Self {
        let (body, fields, defaults) = (body.into(), FieldLines::new(), FieldLines::new());
        Self { status, content_type, body, fields, defaults }
    }

    /// A refusal with its fields.
    pub fn refusal(status: u16, body: Cow<'static, [u8]>, fields: FieldLines) -> Self {
        Self { fields, ..Self::plain(status, JSON, body) }
    }

    /// Sends the client elsewhere, for now.
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::new(status, TEXT, &b"See the Location\n"[..]).with("Location", location)
    }

    /// A redirect to where the resource is for every client; `why` is for people.
    pub fn moved(status: u16, location: &str, why: &'static str) -> Self {
        Self::plain(status, TEXT, why.as_bytes()).with("Location", location)
    }

    /// With one field more. What no header can hold is left out.
    pub fn with(mut self, name: &str, value: &str) -> Self {
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
