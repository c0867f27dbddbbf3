//! A request path, read once: what is forwarded and what is matched.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// A request path without its query, checked and normalised.
///
/// A path without `%` borrows the received text and allocates nothing.
#[derive(Debug, Clone)]
pub struct RequestPath<'a> {
    wire: Cow<'a, str>,
    canonical: Cow<'a, str>,
    /// The offset in `wire` of every octet of `canonical`, and of the end. `None`: they are the same text.
    offsets: Option<Box<[u32]>>,
}

impl<'a> RequestPath<'a> {
    /// Reads a path as on the request line (RFC 9112 §3.2.1), without `?` and what follows.
    ///
    /// # Errors
    /// [`PathError`] says what is refused; each is to be answered with 400.
    pub fn parse<Raw: AsRef<[u8]> + ?Sized>(raw: &'a Raw) -> Result<Self, PathError> {
        let raw = raw.as_ref();
        if raw.first() != Some(&b'/') {
            return Err(PathError::NotAbsolute);
        }
        let mut dots = DotSegments::default();
        let mut encoded = false;
        for (offset, &octet) in raw.iter().enumerate() {
            if octet == b'%' {
                encoded = true;
                break;
            }
            check_raw(octet, offset)?;
            dots.push(octet)?;
        }
        if encoded {
            return Self::parse_encoded(raw);
        }
        dots.end()?;
        let text = std::str::from_utf8(raw).map_err(|_| PathError::ForbiddenCharacter { offset: 0 })?;
        Ok(Self { wire: Cow::Borrowed(text), canonical: Cow::Borrowed(text), offsets: None })
    }

    fn parse_encoded(raw: &[u8]) -> Result<Self, PathError> {
        let mut wire = String::with_capacity(raw.len());
        let mut canonical = Vec::with_capacity(raw.len());
        let mut offsets = Vec::with_capacity(raw.len() + 1);
        let mut dots = DotSegments::default();
        let mut at = 0;
        while let Some(&octet) = raw.get(at) {
            let start = offset(wire.len());
            if octet != b'%' {
                check_raw(octet, at)?;
                dots.push(octet)?;
                wire.push(char::from(octet));
                canonical.push(octet);
                offsets.push(start);
                at += 1;
                continue;
            }
            let decoded = decode_at(raw, at).ok_or(PathError::MalformedPercent { offset: at })?;
            if decoded.is_ascii_control() {
                return Err(PathError::ControlCharacter { offset: at });
            }
            dots.push(decoded)?;
            if is_unreserved(decoded) {
                wire.push(char::from(decoded));
            } else {
                push_encoded(&mut wire, decoded);
            }
            if matches!(decoded, b'/' | b'%') {
                canonical.extend_from_slice(&wire.as_bytes()[start as usize..]);
                offsets.extend([start, start + 1, start + 2]);
            } else {
                canonical.push(decoded);
                offsets.push(start);
            }
            at += 3;
        }
        dots.end()?;
        offsets.push(offset(wire.len()));
        let canonical = String::from_utf8(canonical).map_err(|_| PathError::NotUtf8)?;
        Ok(Self { wire: Cow::Owned(wire), canonical: Cow::Owned(canonical), offsets: Some(offsets.into_boxed_slice()) })
    }

    /// The same path, free of the text that it was read from.
    pub fn into_owned(self) -> RequestPath<'static> {
        let Self { wire, canonical, offsets } = self;
        RequestPath { wire: Cow::Owned(wire.into_owned()), canonical: Cow::Owned(canonical.into_owned()), offsets }
    }

    /// Texts that fit each other: `offsets` has the place in `wire` of every octet of `canonical`, and of the end.
    pub(crate) fn from_parts(wire: String, canonical: String, offsets: Vec<usize>) -> RequestPath<'static> {
        let offsets = offsets.into_iter().map(offset).collect();
        RequestPath { wire: Cow::Owned(wire), canonical: Cow::Owned(canonical), offsets: Some(offsets) }
    }

    /// What is forwarded: as received, with `%XX` in its normal form.
    pub fn wire(&self) -> &str {
        &self.wire
    }

    /// What is matched: decoded, except `%2F` and `%25`.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The part of [`wire`](Self::wire) that a part of [`canonical`](Self::canonical) came from.
    ///
    /// Empty for a range that is not within the canonical text.
    pub fn wire_of(&self, canonical: Range<usize>) -> &str {
        let range = match &self.offsets {
            None => canonical,
            Some(offsets) => match (offsets.get(canonical.start), offsets.get(canonical.end)) {
                (Some(&start), Some(&end)) => start as usize..end as usize,
                _ => return "",
            },
        };
        self.wire.get(range).unwrap_or_default()
    }
}

/// Why a request path is refused. All are the client's fault: 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathError {
    /// It does not begin with `/`.
    NotAbsolute,
    /// A `%` without two hexadecimal digits.
    MalformedPercent {
        /// Octets from the start of the path.
        offset: usize,
    },
    /// A control character, raw or encoded: `%00` ends a string in many upstreams.
    ControlCharacter {
        /// Octets from the start of the path.
        offset: usize,
    },
    /// A raw character that has to be encoded (RFC 3986 §3.3): outside visible ASCII, or one of ``"#<>?[\]^`{|}``
    /// save `[` and `]`, which browsers send.
    ForbiddenCharacter {
        /// Octets from the start of the path.
        offset: usize,
    },
    /// Encoded octets that are not UTF-8: some decoders take the overlong `%C0%AE` for a dot.
    NotUtf8,
    /// `.` or `..` as a segment, in any disguise: the upstream might leave the path that was checked.
    DotSegment,
}

impl fmt::Display for PathError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAbsolute => out.write_str("the path does not begin with `/`"),
            Self::MalformedPercent { offset } => {
                write!(out, "a `%` at octet {offset} lacks its two hexadecimal digits")
            }
            Self::ControlCharacter { offset } => {
                write!(out, "a control character at octet {offset}")
            }
            Self::ForbiddenCharacter { offset } => {
                write!(out, "a character at octet {offset} has to be percent-encoded")
            }
            Self::NotUtf8 => out.write_str("encoded octets that are not UTF-8"),
            Self::DotSegment => out.write_str("a dot segment"),
        }
    }
}

impl std::error::Error for PathError {}

/// Watches decoded octets for segments that are `.` or `..`.
#[derive(Default)]
struct DotSegments {
    dots: u8,
    harmless: bool,
}

impl DotSegments {
    fn push(&mut self, octet: u8) -> Result<(), PathError> {
        match octet {
            // Some upstreams take a backslash for a slash, some decode `%2F` before they resolve.
            b'/' | b'\\' => {
                self.end()?;
                *self = Self::default();
            }
            // Tomcat drops `;…` before it resolves: `/..;/admin`.
            b';' => {
                self.end()?;
                self.harmless = true;
            }
            b'.' if self.dots < 2 => self.dots += 1,
            _ => self.harmless = true,
        }
        Ok(())
    }

    fn end(&self) -> Result<(), PathError> {
        if self.dots > 0 && !self.harmless { Err(PathError::DotSegment) } else { Ok(()) }
    }
}

/// An octet as `%XX`.
pub(crate) fn push_encoded(text: &mut String, octet: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    text.push('%');
    text.push(char::from(DIGITS[usize::from(octet >> 4)]));
    text.push(char::from(DIGITS[usize::from(octet & 15)]));
}

/// The octet that `%XX` at this offset stands for.
pub(crate) fn decode_at(text: &[u8], at: usize) -> Option<u8> {
    let digit = |offset: usize| text.get(offset).and_then(|&octet| char::from(octet).to_digit(16));
    let value = digit(at + 1)? << 4 | digit(at + 2)?;
    u8::try_from(value).ok()
}

/// Characters that may stand for themselves in a path.
pub(crate) fn is_allowed_raw(octet: u8) -> bool {
    octet.is_ascii_graphic()
        && !matches!(octet, b'"' | b'#' | b'<' | b'>' | b'?' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
}

/// RFC 3986 §2.3.
fn is_unreserved(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~')
}

fn check_raw(octet: u8, offset: usize) -> Result<(), PathError> {
    if is_allowed_raw(octet) {
        Ok(())
    } else if octet.is_ascii_control() {
        Err(PathError::ControlCharacter { offset })
    } else {
        Err(PathError::ForbiddenCharacter { offset })
    }
}

/// Request lines are far shorter than 4 GiB: the gateway answers 414 long before.
fn offset(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Received, forwarded, matched.
    const ACCEPTED: &[(&str, &str, &str)] = &[
        ("/", "/", "/"),
        ("/a//b/", "/a//b/", "/a//b/"),
        ("/u/%6De", "/u/me", "/u/me"),
        ("/a%2fb", "/a%2Fb", "/a%2Fb"),
        ("/a%252fb", "/a%252fb", "/a%252fb"),
        ("/a%20b", "/a%20b", "/a b"),
        ("/caf%c3%a9", "/caf%C3%A9", "/café"),
        ("/...", "/...", "/..."),
        ("/.well-known", "/.well-known", "/.well-known"),
        ("/a;..", "/a;..", "/a;.."),
        ("/a%5Cb", "/a%5Cb", "/a\\b"),
        ("/%7Bid%7D", "/%7Bid%7D", "/{id}"),
        ("/a[1]:b@c!$&'()*+,;=", "/a[1]:b@c!$&'()*+,;=", "/a[1]:b@c!$&'()*+,;="),
    ];

    #[test]
    fn forwards_and_matches() {
        for &(raw, wire, canonical) in ACCEPTED {
            let path = RequestPath::parse(raw).unwrap_or_else(|error| panic!("{raw}: {error}"));
            assert_eq!((path.wire(), path.canonical()), (wire, canonical), "{raw}");
            assert_eq!(path.wire_of(0..canonical.len()), wire, "{raw}");
            assert_eq!(path.offsets.is_some(), raw.contains('%'), "{raw}");
        }
    }

    #[test]
    fn refuses() {
        let dots = [
            "/.",
            "/..",
            "/../",
            "/a/./b",
            "/a/../b",
            "/%2e",
            "/%2E%2e/x",
            "/.%2e",
            "/..;/x",
            "/..;a=b",
            "/.;",
            "/..%3Bx",
            "/a%2F..",
            "/a%2f..%2fb",
            "/..%2Fb",
            "/a%5C..%5Cb",
            "/..%5c",
        ];
        for raw in dots {
            assert_eq!(RequestPath::parse(raw).err(), Some(PathError::DotSegment), "{raw}");
        }
        for raw in ["", "*", "a", "http://a/", "?"] {
            assert_eq!(RequestPath::parse(raw).err(), Some(PathError::NotAbsolute), "{raw}");
        }
        for raw in ["/a%", "/a%2", "/a%2g", "/%%41", "/%+1", "/%u0041"] {
            assert!(matches!(RequestPath::parse(raw), Err(PathError::MalformedPercent { .. })), "{raw}");
        }
        for raw in ["/%ff", "/%C3", "/%A9x", "/a%c0%ae", "/%C0%AF", "/%ED%A0%80", "/%F4%90%80%80", "/%C3%A9%fe"] {
            assert_eq!(RequestPath::parse(raw).err(), Some(PathError::NotUtf8), "{raw}");
        }
        for raw in ["/a%00", "/a\tb", "/a%0d%0a", "/\u{7f}", "/%7F"] {
            assert!(matches!(RequestPath::parse(raw), Err(PathError::ControlCharacter { .. })), "{raw}");
        }
        for octet in b" \"#<>?\\^`{|}\x80\xff" {
            for raw in [vec![b'/', *octet], vec![b'/', b'%', b'4', b'1', *octet]] {
                assert!(matches!(RequestPath::parse(&raw), Err(PathError::ForbiddenCharacter { .. })), "{octet}");
            }
        }
    }

    #[test]
    fn survives_random_octets() {
        let mut random = crate::matching::tests::Random(7);
        let pieces: &[&[u8]] = &[
            b"/",
            b".",
            b"..",
            b"%2e",
            b"%2F",
            b"%25",
            b"%",
            b"%c3",
            b"%c3%a9",
            b"a",
            b";",
            b"\\",
            b"%5c",
            b"\0",
            b"\xff",
            b"%4",
            b"z",
            b"%e2%82%ac",
        ];
        let mut accepted = 0;
        for _ in 0..100_000 {
            let mut raw = vec![b'/'];
            for _ in 0..random.below(8) {
                raw.extend_from_slice(pieces[random.below(pieces.len())]);
            }
            let Ok(path) = RequestPath::parse(&raw) else {
                continue;
            };
            accepted += 1;
            let again = RequestPath::parse(path.wire()).expect("what is forwarded can be read again");
            assert_eq!(again.wire(), path.wire());
            assert_eq!(again.canonical(), path.canonical());
            let (mut from, mut joined) = (0, String::new());
            for (at, _) in path.canonical().char_indices().skip(1).chain([(path.canonical().len(), ' ')]) {
                joined.push_str(path.wire_of(from..at));
                from = at;
            }
            assert_eq!(joined, path.wire());
        }
        assert!(accepted > 10_000, "{accepted}");
    }
}
