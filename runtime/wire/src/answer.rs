//! A response that the gateway makes itself.

use std::borrow::Cow;
use std::fmt;

/// A response of the gateway's own. `Debug` does not show it: it may hold a token.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnAnswer {
    pub status: u16,
    pub content_type: &'static str,
    pub body: Cow<'static, [u8]>,
    /// Further fields, each with its line end; no document changes them.
    pub fields: String,
    /// As `fields`, where a document may set others.
    pub defaults: String,
}

/// What the gateway makes is for this caller and this moment.
pub const NO_STORE: &str = "Cache-Control: no-store\r\n";

impl OwnAnswer {
    /// An answer that nobody keeps.
    pub fn new(status: u16, content_type: &'static str, body: impl Into<Cow<'static, [u8]>>) -> Self {
        Self { status, content_type, body: body.into(), fields: NO_STORE.to_owned(), defaults: String::new() }
    }

    /// As [`OwnAnswer::new`], with a JSON value.
    pub fn json(status: u16, value: &serde_json::Value) -> Self {
        Self::new(status, "application/json; charset=utf-8", value.to_string().into_bytes())
    }

    /// `{"message": …}`, as refusals have it.
    pub fn message(status: u16, message: &str) -> Self {
        Self::json(status, &serde_json::json!({"message": message}))
    }

    /// Sends the client elsewhere. `location` must be free of line ends.
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", &b"See the Location\n"[..]).with("Location", location)
    }

    /// With one field more. A value that no header can hold is left out.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if value.bytes().all(|byte| byte >= b' ' && byte != 0x7f) {
            self.fields.extend([name, ": ", value, "\r\n"]);
        }
        self
    }
}

impl fmt::Debug for OwnAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnAnswer({}, {} bytes)", self.status, self.body.len())
    }
}
