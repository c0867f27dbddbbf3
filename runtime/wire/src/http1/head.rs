//! Finds and checks the head of a message: start line and header fields, up to the empty line.

use std::mem::MaybeUninit;

use gateway_route::Reading;

use crate::http1::names::{connection_options, is_same_name_ignoring_punctuation};
use crate::reject::Reject;

/// More header fields of a request than this are refused with 431 (Request Header Fields Too Large, RFC 6585 §5).
pub const MAX_FIELDS: usize = 100;

/// Sizes that the head of a request must keep to, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct HeadLimits {
    /// The request line; 414 when it is longer.
    pub request_line: usize,
    /// The whole head; 431 when it is longer.
    pub head: usize,
}

/// A header field as in the read buffer.
pub type Field<'a> = httparse::Header<'a>;

/// Parses the head of a response, which may have up to `most` fields; those that `few` has no room for cost an allocation
/// of `more`. White space before a colon is taken away (RFC 9112 §5.1). Gives the head with its length, or nothing while it
/// is not whole.
///
/// # Errors
/// What is wrong with it, for the log.
pub fn parse_response<'a, 's>(
    bytes: &'a [u8],
    few: &'s mut FieldSpace<'a>,
    more: &'s mut Vec<MaybeUninit<Field<'a>>>,
    most: usize,
) -> Result<Option<(usize, ResponseHead<'a, 's>)>, &'static str> {
    let mut config = httparse::ParserConfig::default();
    config.allow_spaces_after_header_name_in_responses(true);
    let mut head = httparse::Response::new(&mut []);
    let room = few.len().min(most);
    let mut parsed = config.parse_response_with_uninit_headers(&mut head, bytes, &mut few[..room]);
    if most > room && matches!(parsed, Err(httparse::Error::TooManyHeaders)) {
        // No more than there are lines.
        more.resize(most.min(memchr::memchr_iter(b'\n', bytes).count()), MaybeUninit::uninit());
        head = httparse::Response::new(&mut []);
        parsed = config.parse_response_with_uninit_headers(&mut head, bytes, more);
    }
    match parsed {
        Ok(httparse::Status::Partial) => Ok(None),
        Ok(httparse::Status::Complete(length)) => {
            let (Some(status), Some(version)) = (head.code, head.version) else { return Err("no status") };
            let reason = head.reason.unwrap_or("");
            Ok(Some((length, ResponseHead { status, version, reason, fields: head.headers })))
        }
        Err(httparse::Error::TooManyHeaders) => Err("the response has more fields than `limits.responseFields`"),
        Err(_) => Err("the head of the response is not HTTP/1.1"),
    }
}

/// The parsed head of a response.
#[derive(Debug, Clone, Copy)]
pub struct ResponseHead<'a, 'f> {
    /// The status code, of three digits.
    pub status: u16,
    /// The minor version of HTTP/1.
    pub version: u8,
    /// The reason phrase (RFC 9112 §4); often empty.
    pub reason: &'a str,
    /// The header fields, in the order in which they were received.
    pub fields: &'f [Field<'a>],
}

impl ResponseHead<'_, '_> {
    /// Whether the connection stays open behind the response (RFC 9112 §9.3).
    pub fn persists(&self) -> bool {
        let says = |option: &[u8]| {
            let fields = self.fields.iter().filter(|field| field.name.eq_ignore_ascii_case("connection"));
            fields.flat_map(|field| connection_options(field.value)).any(|value| value.eq_ignore_ascii_case(option))
        };
        if self.version == 1 { !says(b"close") } else { says(b"keep-alive") }
    }
}

/// Room for the fields of one head, on the stack of the function that handles it.
pub type FieldSpace<'a> = [MaybeUninit<Field<'a>>; MAX_FIELDS];

/// A fresh, empty [`FieldSpace`].
pub const fn field_space<'a>() -> FieldSpace<'a> {
    [const { MaybeUninit::uninit() }; MAX_FIELDS]
}

/// How far the search for the end of a request head got; kept between reads, so that slow senders cost no rescans.
#[derive(Debug, Default)]
pub struct HeadScan {
    scanned: usize,
    line_start: usize,
    seen_request_line: bool,
}

impl HeadScan {
    /// The length of the head including its empty line, once all of it is in `buffer`.
    ///
    /// # Errors
    /// A line that ends in a bare LF (RFC 9112 §2.2 lets a server refuse it; a second parser may not), a CR that no LF
    /// follows, a NUL, and heads beyond `limits`.
    pub fn end_of_head(&mut self, buffer: &[u8], limits: HeadLimits) -> Result<Option<usize>, Reject> {
        for newline in memchr::memchr_iter(b'\n', &buffer[self.scanned..]) {
            let newline = self.scanned + newline;
            let line = &buffer[self.line_start..newline];
            let Some((b'\r', line)) = line.split_last().map(|(last, rest)| (*last, rest)) else {
                return Err(Reject::BadRequest("a line of the head ends without CR"));
            };
            if memchr::memchr2(b'\r', b'\0', line).is_some() {
                return Err(Reject::BadRequest("CR or NUL inside the head"));
            }
            self.line_start = newline + 1;
            if line.is_empty() && self.seen_request_line {
                return if newline < limits.head { Ok(Some(newline + 1)) } else { Err(Reject::HeadTooLarge) };
            }
            if !line.is_empty() && !self.seen_request_line {
                self.seen_request_line = true;
                if line.len() > limits.request_line {
                    return Err(Reject::UriTooLong);
                }
            }
        }
        self.scanned = buffer.len();
        if !self.seen_request_line && buffer.len() - self.line_start > limits.request_line {
            return Err(Reject::UriTooLong);
        }
        if buffer.len() > limits.head {
            return Err(Reject::HeadTooLarge);
        }
        Ok(None)
    }
}

/// The parsed head of a request.
#[derive(Debug, Clone, Copy)]
pub struct RequestHead<'a> {
    /// The method, case-sensitive (RFC 9110 §9.1).
    pub method: &'a str,
    /// The request target as received.
    pub target: &'a str,
    /// HTTP/1.1, or else HTTP/1.0.
    pub is_http11: bool,
    /// The header fields in the order received.
    pub fields: &'a [Field<'a>],
}

impl<'a> RequestHead<'a> {
    /// What the fields say under a name that selects a route. Unclear is what the upstream may see differently: a field
    /// that occurs twice, a name that CGI takes for the same, and one that `Connection` removes.
    pub fn reading(&self, name: &str) -> Reading<'a> {
        let mut found = Reading::Absent;
        for field in self.fields {
            if field.name.eq_ignore_ascii_case("connection") {
                let is_taken_off = |option: &[u8]| {
                    std::str::from_utf8(option).is_ok_and(|option| is_same_name_ignoring_punctuation(option, name))
                };
                if connection_options(field.value).any(is_taken_off) {
                    return Reading::Unclear;
                }
            }
            if !is_same_name_ignoring_punctuation(field.name, name) {
                continue;
            }
            found = match (found, std::str::from_utf8(field.value)) {
                (Reading::Absent, Ok(value)) if field.name.eq_ignore_ascii_case(name) => Reading::Once(value),
                _ => return Reading::Unclear,
            };
        }
        found
    }
}

/// A head that did not come as a text of HTTP/1.1. It says what that text would say, and keeps to the same grammar.
pub trait HeadFields {
    /// As on a request line.
    fn method(&self) -> &str;

    /// As on a request line.
    fn target(&self) -> &str;

    /// The value of a field, the first of several.
    fn field(&self, name: &str) -> Option<&[u8]>;

    /// It asks for a tunnel (RFC 8441), and says here what an upgrade would say.
    fn is_connect(&self) -> bool;

    /// The whole head, with its fields in `space`.
    ///
    /// # Errors
    /// 431 for too many of them.
    fn read<'a>(&'a self, space: &'a mut Vec<Field<'a>>) -> Result<RequestHead<'a>, Reject>;
}

/// Parses a head whose end [`HeadScan::end_of_head`] has found.
///
/// # Errors
/// [`Reject::BadRequest`] for anything that is not RFC 9112 grammar, [`Reject::HeadTooLarge`] for too many fields,
/// [`Reject::VersionNotSupported`] for another major version.
pub fn parse_request<'a>(head: &'a [u8], space: &'a mut FieldSpace<'a>) -> Result<RequestHead<'a>, Reject> {
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(head, space) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(Reject::BadRequest("the head is incomplete")),
        Err(httparse::Error::TooManyHeaders) => return Err(Reject::HeadTooLarge),
        Err(httparse::Error::Version) if names_another_version(head) => return Err(Reject::VersionNotSupported),
        Err(_) => return Err(Reject::BadRequest("the head is not HTTP/1.1")),
    }
    let (Some(method), Some(target), Some(version)) = (request.method, request.path, request.version) else {
        return Err(Reject::BadRequest("the request line is incomplete"));
    };
    let fields = request.headers;
    // httparse takes a line that starts with white space for an empty name in some settings; RFC 9112 §5.2 has a
    // server refuse such folding.
    if fields.iter().any(|field| field.name.is_empty()) {
        return Err(Reject::BadRequest("a header field without a name"));
    }
    Ok(RequestHead { method, target, is_http11: version == 1, fields })
}

/// Whether the request line is well formed but for a version that is not HTTP/1.0 or HTTP/1.1.
fn names_another_version(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\r').find(|line| !line.is_empty() && *line != b"\n").unwrap_or_default();
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    matches!(words[..], [_, _, version] if version.len() == 8 && version.starts_with(b"HTTP/") && version[5].is_ascii_digit() && version[6] == b'.' && version[7].is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits { request_line: 64, head: 256 };

    fn scan(text: &str) -> Result<Option<usize>, Reject> {
        HeadScan::default().end_of_head(text.as_bytes(), LIMITS)
    }

    #[test]
    fn the_end_is_the_first_empty_line() {
        assert_eq!(scan("GET / HTTP/1.1\r\nHost: a\r\n\r\nbody").ok(), Some(Some(27)));
        assert_eq!(scan("GET / HTTP/1.1\r\nHost: a\r\n").ok(), Some(None));
        assert_eq!(scan("\r\nGET / HTTP/1.1\r\n\r\n").ok(), Some(Some(20)));
    }

    #[test]
    fn every_split_gives_the_same_end() {
        let text = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        for at in 0..text.len() {
            let mut scan = HeadScan::default();
            assert_eq!(scan.end_of_head(&text[..at], LIMITS).ok(), Some(None));
            assert_eq!(scan.end_of_head(text, LIMITS).ok(), Some(Some(text.len())));
        }
    }

    #[test]
    fn ambiguous_line_ends_are_refused() {
        for text in [
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n",
            "GET / HTTP/1.1\r\nA: \0\r\n\r\n",
            "\n",
        ] {
            assert!(matches!(scan(text), Err(Reject::BadRequest(_))), "{text:?}");
        }
    }

    #[test]
    fn long_heads_are_refused_before_they_are_complete() {
        assert!(matches!(scan(&format!("GET /{}", "a".repeat(80))), Err(Reject::UriTooLong)));
        assert!(matches!(scan(&format!("GET / HTTP/1.1\r\nA: {}", "a".repeat(300))), Err(Reject::HeadTooLarge)));
    }
}
