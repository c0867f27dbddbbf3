//! Compression of responses: the codings, and what is worth it.

/// A content coding (RFC 9110 §8.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentCoding {
    /// Zstandard (RFC 8878).
    Zstd,
    /// Brotli (RFC 7932).
    Brotli,
    /// gzip (RFC 1952).
    Gzip,
}

impl ContentCoding {
    /// Every one, the best first.
    pub const ALL: [Self; 3] = [Self::Zstd, Self::Brotli, Self::Gzip];

    /// Its name in `Accept-Encoding` and `Content-Encoding`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// Whether this is a name of it in `Accept-Encoding`, in any letter case.
    #[must_use]
    pub fn is_called(self, name: &[u8]) -> bool {
        // RFC 9110 §8.4.1.3: `x-gzip` is the same.
        name.eq_ignore_ascii_case(self.name().as_bytes())
            || (self == Self::Gzip && name.eq_ignore_ascii_case(b"x-gzip"))
    }
}

/// The media types that are compressed where a document lists none: text by another name. What is packed already, such
/// as pictures, is not among them.
pub const USUAL_TYPES: &[&str] = &[
    "text/*",
    "+json",
    "+xml",
    "+yaml",
    "+json-seq",
    "application/json",
    "application/json-seq",
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/javascript",
    "application/ecmascript",
    "application/x-javascript",
    "application/xml",
    "application/xml-dtd",
    "application/yaml",
    "application/x-yaml",
    "application/toml",
    "application/graphql",
    "application/sql",
    "application/rtf",
    "application/x-www-form-urlencoded",
    "application/wasm",
    "application/vnd.ms-fontobject",
    "application/x-font-ttf",
    "font/otf",
    "font/ttf",
    "image/bmp",
    "image/vnd.microsoft.icon",
    "image/x-icon",
];

/// A smaller content is not worth it.
pub const USUAL_MIN: u64 = 1 << 10;

/// Whether an entry of a list of types can be one: `text/*`, `application/json` or `+json`.
#[must_use]
pub fn is_type_pattern(text: &str) -> bool {
    let is_name = |name: &str| crate::token::is_token(name.as_bytes()) && !name.contains('*');
    match (text.strip_prefix('+'), text.split_once('/')) {
        (Some(suffix), _) => is_name(suffix),
        (None, Some((kind, "*"))) => is_name(kind),
        (None, Some((kind, name))) => is_name(kind) && is_name(name),
        (None, None) => false,
    }
}

/// Whether a `Content-Type` is among `patterns`. Parameters do not count, nor does the letter case.
#[must_use]
pub fn is_among(patterns: &[&str], content_type: &[u8]) -> bool {
    let end = content_type.iter().position(|byte| *byte == b';').unwrap_or(content_type.len());
    let media_type = content_type[..end].trim_ascii();
    let ends_with = |suffix: &[u8]| {
        let start = media_type.len().checked_sub(suffix.len());
        start.is_some_and(|start| media_type[start..].eq_ignore_ascii_case(suffix))
    };
    let begins_with = |beginning: &[u8]| {
        media_type.get(..beginning.len()).is_some_and(|begins| begins.eq_ignore_ascii_case(beginning))
    };
    patterns.iter().any(|pattern| match pattern.as_bytes() {
        [b'+', ..] => ends_with(pattern.as_bytes()),
        [range @ .., b'*'] => begins_with(range),
        exact => media_type.eq_ignore_ascii_case(exact),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressible_types_are_known() {
        for text in [
            "text/plain",
            "TEXT/HTML; charset=utf-8",
            "text/event-stream",
            "application/json",
            "application/problem+JSON ;q=1",
            "image/svg+xml",
            "application/wasm",
        ] {
            assert!(is_among(USUAL_TYPES, text.as_bytes()), "{text}");
        }
        for packed in [
            "",
            "text",
            "image/png",
            "application/zip",
            "application/octet-stream",
            "application/grpc",
            "video/mp4",
            "application/jsonx",
        ] {
            assert!(!is_among(USUAL_TYPES, packed.as_bytes()), "{packed}");
        }
    }

    #[test]
    fn patterns_are_types_ranges_and_suffixes() {
        assert!(USUAL_TYPES.iter().all(|pattern| is_type_pattern(pattern)));
        for wrong in ["", "text", "*", "*/*", "*/json", "text/", "/json", "text/a*", "+", "text/html; q=1", "a/b/c"] {
            assert!(!is_type_pattern(wrong), "{wrong}");
        }
    }

    #[test]
    fn codings_have_the_names_of_the_registry() {
        assert!(ContentCoding::Gzip.is_called(b"X-GZip") && ContentCoding::Brotli.is_called(b"BR"));
        assert!(!ContentCoding::Zstd.is_called(b"zstandard") && !ContentCoding::Brotli.is_called(b"x-gzip"));
    }
}
