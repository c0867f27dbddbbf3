//! What a request says about itself, checked before anything is decided.

use std::borrow::Cow;
use std::net::IpAddr;
use std::net::Ipv6Addr;

use gateway_route::{Reading, RequestPath};

use crate::deployment::{Deployment, PreparedOperation, PreparedRoute};
use gateway_wire::answer::OwnAnswer;
use gateway_wire::field_lines::is_token;
use gateway_wire::forwarded::{TrustedFields, elements};
use gateway_wire::http1::body::{BodyLength, Framing};
use gateway_wire::http1::head::{Field, RequestHead};
use gateway_wire::http1::names::{FieldClass, FieldTable, connection_options};
use gateway_wire::reject::Reject;

/// A longer request id is replaced, even from a trusted proxy.
const MAX_REQUEST_ID: usize = 128;

/// A request as its head has it.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) head: RequestHead<'a>,
    pub(crate) target: Target<'a>,
    /// Of the target.
    pub(crate) path: RequestPath<'a>,
}

impl<'a> Request<'a> {
    /// # Errors
    /// 400 for a target that is none, or whose path has dot segments.
    pub(crate) fn of(head: RequestHead<'a>) -> Result<Self, Reject> {
        let target = Target::of(&head)?;
        let path = RequestPath::parse(target.path)
            .map_err(|_| Reject::BadRequest("the path is not in the form of RFC 3986, or has dot segments"))?;
        Ok(Self { head, target, path })
    }
}

/// Facts of the message that no route changes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestFacts {
    /// The body that follows the head.
    pub(crate) body: BodyLength,
    /// The client wants the connection to go on.
    pub(crate) keep_alive: bool,
    /// HTTP/1.1, or else HTTP/1.0.
    pub(crate) is_http11: bool,
    /// The method is HEAD.
    pub(crate) to_head: bool,
    /// `Expect: 100-continue`.
    pub(crate) expects_continue: bool,
    /// The method may be repeated (RFC 9110 §9.2.2).
    pub(crate) is_idempotent: bool,
}

impl RequestFacts {
    /// What is assumed of a request that cannot be parsed: nothing that would let the connection go on.
    pub(crate) fn unknown() -> Self {
        Self {
            body: BodyLength::None,
            keep_alive: false,
            is_http11: true,
            to_head: false,
            expects_continue: false,
            is_idempotent: false,
        }
    }

    /// Reads and checks the facts.
    ///
    /// # Errors
    /// 400 for framing and `Host` fields that two recipients could read differently (RFC 9112 §3.2, §6.3), 417 for an
    /// unknown expectation (RFC 9110 §10.1.1).
    pub(crate) fn of(request: &RequestHead<'_>, table: &FieldTable) -> Result<Self, Reject> {
        let framing = Framing::of(request.fields, table).map_err(|bad| Reject::BadRequest(bad.0))?;
        let body = framing.of_request(request.is_http11)?;
        let mut hosts = 0;
        let (mut says_close, mut says_keep_alive) = (false, false);
        let mut expects_continue = false;
        for field in request.fields {
            match table.classify(field.name) {
                FieldClass::Host => {
                    hosts += 1;
                    if !is_host(field.value) {
                        return Err(Reject::BadRequest("Host is not a host"));
                    }
                }
                FieldClass::Connection => {
                    for option in connection_options(field.value) {
                        says_close |= option.eq_ignore_ascii_case(b"close");
                        says_keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                    }
                }
                FieldClass::Expect if request.is_http11 => {
                    if !field.value.trim_ascii().eq_ignore_ascii_case(b"100-continue") {
                        return Err(Reject::ExpectationFailed);
                    }
                    expects_continue = body != BodyLength::None;
                }
                _ => {}
            }
        }
        if hosts > 1 || (hosts == 0 && request.is_http11) {
            return Err(Reject::BadRequest("not exactly one Host"));
        }
        Ok(Self {
            body,
            keep_alive: !says_close && (request.is_http11 || says_keep_alive),
            is_http11: request.is_http11,
            to_head: request.method == "HEAD",
            expects_continue,
            is_idempotent: matches!(request.method, "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE" | "TRACE" | "QUERY"),
        })
    }
}

/// Whether the client's request came over TLS: to us, or to a trusted proxy that says so.
///
/// Of several words, each must say so: the first may be the client's own.
pub(crate) fn is_https(request: &RequestHead<'_>, deployment: &Deployment, peer: IpAddr, over_tls: bool) -> bool {
    if !deployment.trusts(peer) {
        return over_tls;
    }
    if deployment.trusted_fields == TrustedFields::Rfc7239 {
        return says_https(request, deployment, over_tls);
    }
    let words = request
        .fields
        .iter()
        .filter(|field| deployment.request_fields.classify(field.name) == FieldClass::ForwardedProto)
        .flat_map(|field| field.value.split(|byte| *byte == b','));
    let mut words = words.map(|word| word.trim_ascii().eq_ignore_ascii_case(b"https")).peekable();
    if words.peek().is_some() { words.all(|says_https| says_https) } else { over_tls }
}

/// The same for proxies that write `Forwarded`: the nearest one must say it, and no other may say something else.
fn says_https(request: &RequestHead<'_>, deployment: &Deployment, over_tls: bool) -> bool {
    let of_class = |field: &&Field<'_>| deployment.request_fields.classify(field.name) == FieldClass::Forwarded;
    let mut hops = request.fields.iter().rev().filter(of_class).flat_map(|field| elements(field.value).rev());
    let is_https = |scheme: &str| scheme.eq_ignore_ascii_case("https");
    let Some(nearest) = hops.next() else { return over_tls };
    let Some(nearest) = nearest else { return false };
    nearest.scheme.map_or(over_tls, |scheme| is_https(&scheme))
        && hops.flatten().filter_map(|element| element.scheme).all(|scheme| is_https(&scheme))
}

/// `uri-host [ ":" port ]` (RFC 9110 §7.2); empty is allowed by the grammar. No name has percent signs, though the
/// grammar would admit them.
fn is_host(value: &[u8]) -> bool {
    let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(byte);
    let (has_name, port) = match value.strip_prefix(b"[") {
        Some(rest) => {
            let Some(end) = rest.iter().position(|byte| *byte == b']') else { return false };
            let address = std::str::from_utf8(&rest[..end]).ok().and_then(|text| text.parse::<Ipv6Addr>().ok());
            (address.is_some(), &rest[end + 1..])
        }
        None => {
            let end = value.iter().position(|byte| *byte == b':').unwrap_or(value.len());
            (value[..end].iter().all(in_name), &value[end..])
        }
    };
    let is_port = port.strip_prefix(b":").unwrap_or(port).iter().all(u8::is_ascii_digit);
    has_name && is_port && (port.is_empty() || port.starts_with(b":"))
}

/// The request target (RFC 9112 §3.2), taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    pub(crate) path: &'a str,
    /// Without `?`.
    pub(crate) query: Option<&'a str>,
    /// From a target in absolute form, or else from `Host`.
    pub(crate) host: Option<&'a str>,
}

impl<'a> Target<'a> {
    /// # Errors
    /// 400 for a target that is neither in origin form nor in absolute form, or has characters outside of RFC 3986.
    pub(crate) fn of(request: &RequestHead<'a>) -> Result<Self, Reject> {
        let host = request
            .fields
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case("host"))
            .and_then(|field| std::str::from_utf8(field.value).ok());
        let (host, origin) = match absolute_form(request.target) {
            Some((authority, _))
                if authority.is_empty() || authority.contains('@') || !is_host(authority.as_bytes()) =>
            {
                return Err(Reject::BadRequest("the request target has no host"));
            }
            // The target's host wins over the field (RFC 9112 §3.2.2).
            Some((authority, rest)) => (Some(authority), rest),
            None => (host, request.target),
        };
        let (path, query) = origin.split_once('?').map_or((origin, None), |(path, query)| (path, Some(query)));
        if query.is_some_and(|query| query.bytes().any(|byte| byte <= b' ' || byte == 0x7f || byte == b'#')) {
            return Err(Reject::BadRequest("the query has characters that a URI cannot have"));
        }
        let path = if path.is_empty() && origin.len() != request.target.len() { "/" } else { path };
        Ok(Self { path, query, host })
    }
}

/// Whether a request is about the server as a whole (RFC 9110 §9.3.7, RFC 9112 §3.2.4): `OPTIONS *`, or an absolute form
/// without a path.
pub(crate) fn is_about_server(request: &RequestHead<'_>) -> bool {
    let is_whole = |target: &str| target == "*" || absolute_form(target).is_some_and(|(_, rest)| rest.is_empty());
    request.method == "OPTIONS" && is_whole(request.target)
}

/// How many more times a request may be forwarded; without a bound for most methods (RFC 9110 §7.6.2).
///
/// # Errors
/// 400 where that is no number.
pub(crate) fn max_forwards(request: &RequestHead<'_>) -> Result<Option<u64>, Reject> {
    if !matches!(request.method, "OPTIONS" | "TRACE") {
        return Ok(None);
    }
    match request.reading("max-forwards") {
        Reading::Absent => Ok(None),
        Reading::Once(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            // More than can be counted is enough.
            Ok(Some(digits.parse().unwrap_or(u64::MAX)))
        }
        _ => Err(Reject::BadRequest("Max-Forwards is no number")),
    }
}

/// Authority and rest of `http://authority/path?query`.
fn absolute_form(target: &str) -> Option<(&str, &str)> {
    if target.starts_with('/') {
        return None;
    }
    let scheme_end = target.find("://")?;
    if !["http", "https"].iter().any(|scheme| scheme.eq_ignore_ascii_case(&target[..scheme_end])) {
        return None;
    }
    let rest = &target[scheme_end + 3..];
    Some(rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len())))
}

/// Refuses a body whose length is known to be too large, before any of it is read.
///
/// # Errors
/// 413 (RFC 9110 §15.5.14).
pub(crate) fn admit_body(operation: &PreparedOperation, body: BodyLength) -> Result<(), Reject> {
    match body {
        BodyLength::Exactly(length) if length > operation.table.max_body.0 => Err(Reject::BodyTooLarge),
        _ => Ok(()),
    }
}

/// The request id that the peer gave, if it is one.
pub(crate) fn request_id<'a>(request: &RequestHead<'a>, table: &FieldTable) -> Option<&'a str> {
    let field = request.fields.iter().find(|field| table.classify(field.name) == FieldClass::RequestId)?;
    let id = std::str::from_utf8(field.value).ok()?;
    (!id.is_empty()
        && id.len() <= MAX_REQUEST_ID
        && id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\'))
    .then_some(id)
}

/// The method and the path (without the query) of a head, for the log; whatever is there, if it is not a head.
pub(crate) fn method_and_path(head: &[u8]) -> (Cow<'_, str>, Cow<'_, str>) {
    let head = head.strip_prefix(b"\r\n").unwrap_or(head);
    let line = &head[..memchr::memchr2(b'\r', b'\n', head).unwrap_or(head.len())];
    let method = until(b' ', line);
    shown(method, until(b' ', line.get(method.len() + 1..).unwrap_or_default()))
}

/// What is before the first `end`, or all.
fn until(end: u8, text: &[u8]) -> &[u8] {
    &text[..memchr::memchr(end, text).unwrap_or(text.len())]
}

/// A method, and the path of a target, as far as they are useful in a log.
pub(crate) fn shown<'a>(method: &'a [u8], target: &'a [u8]) -> (Cow<'a, str>, Cow<'a, str>) {
    const LONGEST: usize = 2048;
    let path = until(b'?', target);
    (
        String::from_utf8_lossy(&method[..method.len().min(32)]),
        String::from_utf8_lossy(&path[..path.len().min(LONGEST)]),
    )
}

/// The answer to a preflight request (Fetch Standard, CORS protocol): any origin may ask, without credentials of the
/// browser, and only the described methods are named. A request that is none gets the methods alone.
pub(crate) fn answer_preflight(route: &PreparedRoute, request: &RequestHead<'_>) -> OwnAnswer {
    let value = |name: &str| {
        let field = request.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name));
        field.and_then(|field| std::str::from_utf8(field.value).ok())
    };
    let own = OwnAnswer::plain(204, "", b"").with("Allow", &route.allow);
    if value("origin").is_none() || value("access-control-request-method").is_none() {
        return own;
    }
    let own = own
        .with("Access-Control-Allow-Origin", "*")
        .with("Access-Control-Allow-Methods", &route.allow)
        .with("Access-Control-Max-Age", "600")
        .with("Vary", "Access-Control-Request-Headers");
    let is_name = |name: &str| is_token(name.trim().as_bytes());
    match value("access-control-request-headers") {
        Some(headers) if headers.split(',').all(is_name) => own.with("Access-Control-Allow-Headers", headers),
        _ => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_wire::http1::head::Field;

    fn target(
        method: &'static str,
        target: &'static str,
    ) -> Result<(&'static str, Option<&'static str>, Option<&'static str>), Reject> {
        let request =
            RequestHead { method, target, is_http11: true, fields: &[Field { name: "Host", value: b"field.example" }] };
        Target::of(&request).map(|target| (target.path, target.query, target.host))
    }

    #[test]
    fn both_forms_of_target_are_read() {
        assert_eq!(target("GET", "/a?b=c?d"), Ok(("/a", Some("b=c?d"), Some("field.example"))));
        assert_eq!(target("GET", "http://other.example:81/a?b"), Ok(("/a", Some("b"), Some("other.example:81"))));
        assert_eq!(target("GET", "HTTP://other.example?b"), Ok(("/", Some("b"), Some("other.example"))));
        assert_eq!(target("GET", "/http://x/"), Ok(("/http://x/", None, Some("field.example"))));
        assert!(target("GET", "http://u@other.example/").is_err());
        assert!(target("GET", "/a?b#c").is_err());
    }

    #[test]
    fn some_requests_are_about_the_server() {
        let head =
            |method: &'static str, target: &'static str| RequestHead { method, target, is_http11: true, fields: &[] };
        for target in ["*", "http://a.example", "https://a.example:8443"] {
            assert!(is_about_server(&head("OPTIONS", target)) && !is_about_server(&head("GET", target)), "{target}");
        }
        for target in ["/", "/*", "**", "*?a", "http://a.example/", "http://a.example?a"] {
            assert!(!is_about_server(&head("OPTIONS", target)), "{target}");
        }
        for (method, value, expected) in [
            ("OPTIONS", "0", Ok(Some(0))),
            ("TRACE", "17", Ok(Some(17))),
            ("GET", "0", Ok(None)),
            ("GET", "x", Ok(None)),
            ("OPTIONS", "99999999999999999999", Ok(Some(u64::MAX))),
            ("OPTIONS", "-1", Err(())),
            ("OPTIONS", "", Err(())),
        ] {
            let fields = [Field { name: "Max-Forwards", value: value.as_bytes() }];
            let request = RequestHead { fields: &fields, ..head(method, "/") };
            assert_eq!(max_forwards(&request).map_err(|_| ()), expected, "{method} {value}");
        }
    }

    #[test]
    fn hosts_are_hosts() {
        for host in ["", "a", "a.example:80", "127.0.0.1", "[::1]", "[::1]:8080", "a:"] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for text in ["[", "]", "a%zz", "a%20b", "a:b", "a:1:2", "u@a", "a b", "[::1", "::1", "a/b", "a?b", "ä"] {
            assert!(!is_host(text.as_bytes()), "{text}");
        }
    }
}
