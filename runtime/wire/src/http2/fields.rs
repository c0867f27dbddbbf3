//! The fields of a message of HTTP/1.1 as those of HTTP/2.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

/// A field; `None` for what HTTP/2 cannot say.
pub fn field(name: &[u8], value: Bytes) -> Option<(HeaderName, HeaderValue)> {
    let name = HeaderName::from_bytes(name).ok()?;
    let mut value = HeaderValue::from_maybe_shared(value).ok()?;
    // Said once and never again: a table of what was said (RFC 7541 §2.3.2) would only forget better things for it.
    value.set_sensitive(is_unique(name.as_str()));
    Some((name, value))
}

/// Whether each message has another value of this field. h2 itself knows those of HTTP.
fn is_unique(name: &str) -> bool {
    matches!(name, "x-request-id" | "traceparent" | "ratelimit")
        || name.ends_with("ratelimit-remaining")
        || name.ends_with("ratelimit-reset")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_with_unique_values_are_not_indexed() {
        for (name, unique) in
            [("X-Request-Id", true), ("X-RateLimit-Remaining", true), ("X-AI-RateLimit-Reset", true), ("X-A", false)]
        {
            let field = super::field(name.as_bytes(), Bytes::from_static(b"1"));
            let (lower, value) = field.expect("a field");
            assert_eq!(lower.as_str(), name.to_ascii_lowercase());
            assert!(value == "1" && value.is_sensitive() == unique, "{name}");
        }
    }
}
