//! The head of a stream, as one of HTTP/1.1 would say it.

use h2::RecvStream;
use http::Method;
use http::header::{CONTENT_LENGTH, COOKIE, HOST};
use http::request::Parts;

use gateway_wire::field_lines::is_token;
use gateway_wire::http1::head::{Field, HeadFields, HeadLimits, MAX_FIELDS, RequestHead};
use gateway_wire::http2::body::BodyFraming;
use gateway_wire::reject::Reject;

/// Whether a request is for a scheme that is spoken here. An empty one, or another, may mean something else to an upstream
/// (RFC 9113 §8.3.1); CONNECT has none.
pub(crate) fn is_for_http(parts: &Parts) -> bool {
    match (parts.uri.scheme_str(), parts.uri.authority()) {
        (Some(scheme), _) => ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)),
        // Without an authority the library gives no scheme.
        (None, None) => true,
        (None, Some(_)) => parts.method == Method::CONNECT,
    }
}

/// Whether a request opens a WebSocket (RFC 8441 §5).
pub(crate) fn is_handshake(parts: &Parts) -> bool {
    let protocol = parts.extensions.get::<h2::ext::Protocol>();
    parts.method == Method::CONNECT && protocol.is_some_and(|one| one.as_str().eq_ignore_ascii_case("websocket"))
}

/// What a stream begins with. The pipeline, which checks every head, refuses what makes no sense in it.
///
/// It keeps to the grammar of HTTP/1.1: h2 admits neither CR nor LF nor NUL in a value, and no space in a target. Names are
/// checked here: h2 admits `"` in them, which no token has (RFC 9110 §5.6.2).
pub(crate) struct StreamHead {
    parts: Parts,
    framing: BodyFraming,
    /// The key of an opening handshake, of which HTTP/2 has none; where it is one (RFC 8441 §5).
    handshake: Option<String>,
    /// Cookies that came in several pieces: in HTTP/1.1 they are one field (RFC 9113 §8.2.3).
    joined_cookies: Option<Vec<u8>>,
}

/// Said of a request whose body has no length: it is framed in chunks from here on.
const CHUNKED: Field<'static> = Field { name: "Transfer-Encoding", value: b"chunked" };

impl StreamHead {
    pub(crate) fn of(parts: Parts, body: &RecvStream) -> Self {
        let framing = if body.is_end_stream() {
            BodyFraming::None
        } else if parts.headers.contains_key(CONTENT_LENGTH) {
            BodyFraming::Counted
        } else {
            BodyFraming::Chunked
        };
        Self::framed(parts, framing)
    }

    fn framed(parts: Parts, framing: BodyFraming) -> Self {
        let pieces: Vec<&[u8]> = match parts.headers.get_all(COOKIE).iter().nth(1) {
            Some(_) => parts.headers.get_all(COOKIE).iter().map(|piece| piece.as_bytes()).collect(),
            None => Vec::new(),
        };
        let joined_cookies = (!pieces.is_empty()).then(|| pieces.join(&b"; "[..]));
        Self { parts, framing, handshake: None, joined_cookies }
    }

    /// An extended CONNECT for a WebSocket (RFC 8441), as the opening handshake that HTTP/1.1 has for it. `key` is its
    /// nonce (RFC 6455 §4.1).
    pub(crate) fn into_handshake(self, key: String) -> Self {
        Self { framing: BodyFraming::None, handshake: Some(key), ..self }
    }

    /// How the body is framed in HTTP/1.1.
    pub(crate) fn framing(&self) -> BodyFraming {
        self.framing
    }

    /// The same limits for the same request, whatever it came in: counted as the text that it would be.
    ///
    /// # Errors
    /// 400 for a name that HTTP/1.1 cannot have, 414 and 431.
    pub(crate) fn keeps_to(&self, limits: HeadLimits) -> Result<(), Reject> {
        let line = self.method().len() + " ".len() + self.target().len() + " HTTP/1.1".len();
        if line > limits.request_line {
            return Err(Reject::UriTooLong);
        }
        let mut fields = 0;
        for Field { name, value } in self.fields() {
            if !is_token(name.as_bytes()) {
                return Err(Reject::BadRequest("the name of a field is no token"));
            }
            fields += name.len() + ": ".len() + value.len() + "\r\n".len();
        }
        let head = line + "\r\n".len() + fields + "\r\n".len();
        if head > limits.head { Err(Reject::HeadTooLarge) } else { Ok(()) }
    }

    /// The fields that HTTP/1.1 would have.
    fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        let authority = self.parts.uri.authority().map(|authority| authority.as_str().as_bytes());
        let host = authority.map(|value| Field { name: "Host", value });
        let others = self.parts.headers.iter().filter(move |(name, value)| {
            // One of two equal names is enough; two that differ are left, and refused as two (RFC 9113 §8.3.1).
            let is_known =
                *name == HOST && authority.is_some_and(|authority| value.as_bytes().eq_ignore_ascii_case(authority));
            // A length that no body follows would have the pipeline wait for one.
            let is_void = *name == CONTENT_LENGTH && self.framing == BodyFraming::None && value.as_bytes() != b"0";
            let is_ours = self.handshake.is_some() && name.as_str() == "sec-websocket-key";
            *name != COOKIE && !is_ours && !is_known && !is_void
        });
        let others = others.map(|(name, value)| Field { name: name.as_str(), value: value.as_bytes() });
        let cookies = match &self.joined_cookies {
            Some(joined) => Some(&joined[..]),
            None => self.parts.headers.get(COOKIE).map(|only| only.as_bytes()),
        };
        let cookies = cookies.map(|value| Field { name: "Cookie", value });
        let coding = (self.framing == BodyFraming::Chunked).then_some(CHUNKED);
        let handshake = self.handshake.iter().flat_map(|key| {
            [
                Field { name: "Connection", value: b"Upgrade" },
                Field { name: "Upgrade", value: b"websocket" },
                Field { name: "Sec-WebSocket-Key", value: key.as_bytes() },
            ]
        });
        host.into_iter().chain(others).chain(cookies).chain(coding).chain(handshake)
    }
}

impl HeadFields for StreamHead {
    fn method(&self) -> &str {
        if self.handshake.is_some() { "GET" } else { self.parts.method.as_str() }
    }

    fn field(&self, name: &str) -> Option<&[u8]> {
        self.parts.headers.get(name).map(|value| value.as_bytes())
    }

    fn is_connect(&self) -> bool {
        self.handshake.is_some()
    }

    fn target(&self) -> &str {
        match (self.parts.uri.path_and_query(), self.parts.uri.authority()) {
            (Some(target), _) => target.as_str(),
            // CONNECT has no path (RFC 9113 §8.5); the pipeline refuses it in this form.
            (None, Some(authority)) => authority.as_str(),
            (None, None) => "*",
        }
    }

    fn read<'a>(&'a self, space: &'a mut Vec<Field<'a>>) -> Result<RequestHead<'a>, Reject> {
        space.reserve(self.parts.headers.len() + 2);
        for Field { name, value } in self.fields() {
            if space.len() == MAX_FIELDS {
                return Err(Reject::HeadTooLarge);
            }
            // White space around a value is no part of it (RFC 9110 §5.5).
            space.push(Field { name, value: value.trim_ascii() });
        }
        Ok(RequestHead { method: self.method(), target: self.target(), is_http11: true, fields: space })
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    /// As a text of HTTP/1.1.
    fn head(request: Request<()>, framing: BodyFraming) -> String {
        let head = StreamHead::framed(request.into_parts().0, framing);
        let mut space = Vec::new();
        let RequestHead { method, target, fields, .. } = head.read(&mut space).expect("few fields");
        let fields = fields.iter().map(|field| format!("{}: {}\r\n", field.name, String::from_utf8_lossy(field.value)));
        let text = format!("{method} {target} HTTP/1.1\r\n{}\r\n", fields.collect::<String>());
        let limits = |request_line, head| HeadLimits { request_line, head };
        let line = text.lines().next().expect("a line").len();
        assert_eq!(head.keeps_to(limits(line, text.len())), Ok(()));
        assert_eq!(head.keeps_to(limits(line - 1, text.len())), Err(Reject::UriTooLong));
        assert_eq!(head.keeps_to(limits(line, text.len() - 1)), Err(Reject::HeadTooLarge));
        text
    }

    /// Whatever the library admits, no name goes on that HTTP/1.1 would refuse.
    #[test]
    fn names_are_tokens() {
        let limits = HeadLimits { request_line: 8 << 10, head: 32 << 10 };
        let mut admitted = 0;
        for byte in 0..=u8::MAX {
            for name in [[byte, b'x', b'y'], [b'x', byte, b'y'], [b'x', b'y', byte]] {
                let Ok(known) = http::HeaderName::from_lowercase(&name) else { continue };
                admitted += 1;
                let request = Request::get("https://a/").header(known, "1").body(()).expect("a request");
                let head = StreamHead::framed(request.into_parts().0, BodyFraming::None);
                let text = [b"GET / HTTP/1.1\r\n".as_slice(), &name, b": 1\r\n\r\n"].concat();
                let mut space = [httparse::EMPTY_HEADER; MAX_FIELDS];
                let in_http1 = httparse::Request::new(&mut space).parse(&text).is_ok();
                assert_eq!(head.keeps_to(limits).is_ok(), in_http1, "{name:?}");
            }
        }
        assert!(admitted > 100, "{admitted}");
    }

    #[test]
    fn fields_are_counted_and_trimmed() {
        let parts = |count: usize| {
            let mut request = Request::get("https://a/");
            for number in 1..count {
                request = request.header(format!("x-{number}"), " \t1 2 ");
            }
            request.body(()).expect("a request").into_parts().0
        };
        let head = StreamHead::framed(parts(MAX_FIELDS), BodyFraming::None);
        let mut space = Vec::new();
        let fields = head.read(&mut space).expect("few enough").fields;
        assert_eq!((fields.len(), fields[7].value), (MAX_FIELDS, &b"1 2"[..]));
        let head = StreamHead::framed(parts(MAX_FIELDS), BodyFraming::Chunked);
        let mut space = Vec::new();
        assert_eq!(head.read(&mut space).err(), Some(Reject::HeadTooLarge));
    }

    #[test]
    fn a_head_says_the_same() {
        let request = Request::post("https://a.example:1/b?c=d")
            .header("content-length", "3")
            .header("cookie", "a=1")
            .header("x", "y")
            .header("cookie", "b=2")
            .header("host", "A.example:1")
            .body(())
            .expect("a request");
        assert_eq!(
            head(request, BodyFraming::Counted),
            "POST /b?c=d HTTP/1.1\r\nHost: a.example:1\r\ncontent-length: 3\r\nx: y\r\nCookie: a=1; b=2\r\n\r\n"
        );
    }

    #[test]
    fn bodies_without_a_length_are_chunked() {
        let request = Request::put("https://a/").body(()).expect("a request");
        assert_eq!(
            head(request, BodyFraming::Chunked),
            "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
    }

    #[test]
    fn what_does_not_fit_is_left_to_be_refused() {
        let request = Request::get("https://a/").header("host", "b").body(()).expect("a request");
        assert_eq!(head(request, BodyFraming::None), "GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n");
        let request = Request::connect("a:1").body(()).expect("a request");
        assert_eq!(head(request, BodyFraming::None), "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
    }
}
