//! The fields of a response that are for browsers.

use crate::field_lines::FieldLines;
use crate::head_writer::HeadWriter;

/// What a response says to browsers, in place of what an upstream says.
#[derive(Debug, Clone, Copy)]
pub struct BrowserFields<'a> {
    /// Which pages may read it (Fetch Standard, CORS protocol), where the gateway says so.
    pub cors: Option<CorsFields<'a>>,
    /// What they may do with it.
    pub security: &'a FieldLines,
}

/// Which page may read a response.
#[derive(Debug, Clone, Copy)]
pub struct CorsFields<'a> {
    /// `Access-Control-Allow-Origin`, and the fields beside it; nothing for a page that may not.
    pub allowed: Option<(&'a str, &'a FieldLines)>,
    /// The response depends on `Origin`.
    pub varies: bool,
}

impl BrowserFields<'_> {
    /// Whether the field of an upstream with this name goes.
    pub(crate) fn replaces(&self, name: &str) -> bool {
        (self.cors.is_some() && is_about_cors(name)) || (!is_added_up(name) && self.security.contains(name))
    }

    /// Whether the response depends on `Origin`.
    pub(crate) fn varies(&self) -> bool {
        self.cors.is_some_and(|cors| cors.varies)
    }

    /// Writes the fields, but for `Vary`, and for those about security that `is_said` of the response already.
    pub(crate) fn write(&self, head: &mut HeadWriter<'_>, is_said: impl Fn(&str) -> bool) {
        if let Some((origin, beside)) = self.cors.and_then(|cors| cors.allowed) {
            head.field("Access-Control-Allow-Origin", origin.as_bytes());
            head.lines(beside);
        }
        for (name, value) in self.security.iter().filter(|(name, _)| !is_said(name)) {
            head.field(name, value.as_bytes());
        }
    }
}

/// Whether a field is one of the CORS protocol.
pub(crate) fn is_about_cors(name: &str) -> bool {
    const BEGINNING: &[u8] = b"access-control-";
    name.as_bytes().get(..BEGINNING.len()).is_some_and(|begins| begins.eq_ignore_ascii_case(BEGINNING))
}

/// Browsers enforce each policy of several (CSP Level 3 §8.1): one beside the upstream's only takes away.
fn is_added_up(name: &str) -> bool {
    name.eq_ignore_ascii_case("content-security-policy")
}

/// Whether the value of `Vary` says that a response depends on `Origin`.
pub(crate) fn varies_by_origin(value: &[u8]) -> bool {
    let mut names = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    names.any(|name| name == b"*" || name.eq_ignore_ascii_case(b"origin"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_protocol_are_known() {
        for name in ["Access-Control-Allow-Origin", "access-control-max-age", "ACCESS-CONTROL-X"] {
            assert!(is_about_cors(name), "{name}");
        }
        for name in ["", "Access-Control", "X-Access-Control-Allow-Origin", "Accept"] {
            assert!(!is_about_cors(name), "{name}");
        }
    }

    #[test]
    fn vary_is_a_list() {
        for value in ["Origin", "accept , ORIGIN", "*", "a,*"] {
            assert!(varies_by_origin(value.as_bytes()), "{value}");
        }
        for value in ["", "Accept", "X-Origin, Origins"] {
            assert!(!varies_by_origin(value.as_bytes()), "{value}");
        }
    }
}
