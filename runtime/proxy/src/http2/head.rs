//! The fields of a stream, written out as the head of a request in HTTP/1.1.

use h2::RecvStream;
use http::Method;
use http::header::{CONTENT_LENGTH, COOKIE, HOST};
use http::request::Parts;

use gateway_wire::http2::body::BodyFraming;

/// Whether a request is for a scheme that is spoken here. An empty one, or another, may mean something else to an upstream
/// (RFC 9113 §8.3.1); CONNECT has none.
pub(super) fn is_for_http(parts: &Parts) -> bool {
    match (parts.uri.scheme_str(), parts.uri.authority()) {
        (Some(scheme), _) => ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)),
        // Without an authority the library tells no scheme.
        (None, None) => true,
        (None, Some(_)) => parts.method == Method::CONNECT,
    }
}

/// Writes the head into `out`, which is empty. What makes no sense in it is judged where heads are judged: by the
/// pipeline.
///
/// No field can end a line: h2 admits neither CR nor LF nor NUL, and no space in a target.
pub(super) fn write(out: &mut Vec<u8>, parts: &Parts, body: &RecvStream) -> BodyFraming {
    let framing = if body.is_end_stream() {
        BodyFraming::None
    } else if parts.headers.contains_key(CONTENT_LENGTH) {
        BodyFraming::Counted
    } else {
        BodyFraming::Chunked
    };
    write_as(out, parts, framing);
    framing
}

fn write_as(head: &mut Vec<u8>, parts: &Parts, framing: BodyFraming) {
    head.extend_from_slice(parts.method.as_str().as_bytes());
    head.push(b' ');
    let authority = parts.uri.authority();
    match (parts.uri.path_and_query(), authority) {
        (Some(target), _) => head.extend_from_slice(target.as_str().as_bytes()),
        // CONNECT has no path (RFC 9113 §8.5); the pipeline refuses it in this form.
        (None, Some(authority)) => head.extend_from_slice(authority.as_str().as_bytes()),
        (None, None) => head.push(b'*'),
    }
    head.extend_from_slice(b" HTTP/1.1\r\n");
    if let Some(authority) = authority {
        write_field(head, b"Host", authority.as_str().as_bytes());
    }
    for (name, value) in &parts.headers {
        // One of two equal names is enough; two that differ are left, and refused as two (RFC 9113 §8.3.1).
        let is_known = name == HOST
            && authority.is_some_and(|authority| value.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()));
        // A length that no body follows would have the pipeline wait for one.
        let is_void = name == CONTENT_LENGTH && framing == BodyFraming::None && value.as_bytes() != b"0";
        if name != COOKIE && !is_known && !is_void {
            write_field(head, name.as_str().as_bytes(), value.as_bytes());
        }
    }
    write_cookies(head, parts);
    if framing == BodyFraming::Chunked {
        head.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
    }
    head.extend_from_slice(b"\r\n");
}

/// Cookies may come in pieces; in HTTP/1.1 they are one field (RFC 9113 §8.2.3).
fn write_cookies(head: &mut Vec<u8>, parts: &Parts) {
    let mut pieces = parts.headers.get_all(COOKIE).iter();
    let Some(first) = pieces.next() else { return };
    head.extend_from_slice(b"Cookie: ");
    head.extend_from_slice(first.as_bytes());
    for piece in pieces {
        head.extend_from_slice(b"; ");
        head.extend_from_slice(piece.as_bytes());
    }
    head.extend_from_slice(b"\r\n");
}

fn write_field(head: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    head.extend_from_slice(name);
    head.extend_from_slice(b": ");
    head.extend_from_slice(value);
    head.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn head(request: Request<()>, framing: BodyFraming) -> String {
        let mut head = Vec::new();
        write_as(&mut head, &request.into_parts().0, framing);
        String::from_utf8(head).expect("text")
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
