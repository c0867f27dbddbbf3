//! Refusals of calls of gRPC: its clients read the status of a call in `grpc-status`, in an answer that is 200 as HTTP
//! ("gRPC over HTTP2", Trailers-Only).

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::exchange::Progress;
use crate::pipeline::record::{OWN_RESPONSE_TIMEOUT, Record};
use gateway_wire::answer::OwnAnswer;
use gateway_wire::downstream::Downstream;
use gateway_wire::reject::Reject;

const INVALID: u8 = 13; // INTERNAL
const UNKNOWN: u8 = 2;
const DEADLINE_EXCEEDED: u8 = 4;
const PERMISSION_DENIED: u8 = 7;
const RESOURCE_EXHAUSTED: u8 = 8;
const UNIMPLEMENTED: u8 = 12;
const UNAVAILABLE: u8 = 14;
const UNAUTHENTICATED: u8 = 16;

/// The status of gRPC for a refusal.
pub(crate) fn status(reject: &Reject) -> u8 {
    match (reject, reject.status()) {
        (Reject::LimitExceeded(_) | Reject::TooManyFailures(_), _) => RESOURCE_EXHAUSTED,
        (_, 401) => UNAUTHENTICATED,
        (_, 403) => PERMISSION_DENIED,
        (_, 404 | 405) => UNIMPLEMENTED,
        (_, 408 | 504) => DEADLINE_EXCEEDED,
        (_, 502 | 503) => UNAVAILABLE,
        (_, 400 | 431) => INVALID,
        _ => UNKNOWN,
    }
}

impl Record<'_> {
    /// The refusal as the client reads it: where it has called with gRPC, in the form of that.
    pub(crate) fn in_clients_form(&mut self, own: OwnAnswer, inbox: &[u8]) -> OwnAnswer {
        let Some(reject) = self.reject.as_ref().filter(|_| self.head.is_grpc(inbox)) else { return own };
        let status = status(reject);
        let message = encoded(&reject.message());
        self.grpc_status = Some(status);
        // What the refusal says in fields holds here as well.
        let fields = OwnAnswer { fields: own.fields, ..OwnAnswer::plain(200, "application/grpc", b"") };
        fields.with("grpc-status", &status.to_string()).with("grpc-message", &message)
    }

    /// Whether the client of a call that has taken too long in the middle of its response can still get the status: over
    /// HTTP/2, where a status other than 0 in the trailers says that the response is not whole.
    pub(crate) fn can_end_call<S>(&self, down: &Downstream<S>, progress: &Progress) -> bool {
        matches!(self.reject, Some(Reject::UpstreamTimeout))
            && progress.is_open_ended
            && progress.status == 200
            && down.version == "2.0"
            && self.head.is_grpc(&down.inbox)
    }

    /// Ends such a call: its status is in the trailers.
    pub(crate) async fn end_call<S: AsyncRead + AsyncWrite + Unpin>(&mut self, down: &mut Downstream<S>) {
        let Some(reject) = &self.reject else { return };
        let (status, message) = (status(reject), encoded(&reject.message()));
        self.grpc_status = Some(status);
        let trailers = format!("0\r\ngrpc-status: {status}\r\ngrpc-message: {message}\r\n\r\n");
        down.outbox.buffer().extend_from_slice(trailers.as_bytes());
        down.flush_by(Instant::now() + OWN_RESPONSE_TIMEOUT).await;
    }
}

/// Text as `grpc-message` has it: percent-encoded, but for visible ASCII and blanks.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' | 0..b' ' | 0x7f.. => out.push_str(&format!("%{byte:02X}")),
            _ => out.push(char::from(byte)),
        }
    }
    out
}

/// How long a call may take: digits and a unit; `None` for what is no timeout.
pub(crate) fn timeout(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    let number = digits
        .iter()
        .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0')))?;
    Some(match unit {
        b'H' => Duration::from_secs(number * 60 * 60),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_have_a_unit() {
        for (text, expected) in [
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("400m", Some(Duration::from_millis(400))),
            ("5u", Some(Duration::from_micros(5))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("0m", Some(Duration::ZERO)),
            ("100000000n", None),
            ("1", None),
            ("m", None),
            ("", None),
            ("1.5S", None),
            ("-1S", None),
            ("1s", None),
        ] {
            assert_eq!(timeout(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn messages_are_visible_ascii() {
        assert_eq!(encoded("50 % of \u{e9}\n"), "50 %25 of %C3%A9%0A");
    }

    #[test]
    fn refusals_have_a_status_of_grpc() {
        for (reject, expected) in [
            (Reject::NoCredential(""), 16),
            (Reject::ConsumerForbidden, 7),
            (Reject::NotFound, 12),
            (Reject::MethodNotAllowed, 12),
            (Reject::LimitExceeded(503), 8),
            (Reject::TooManyFailures(1), 8),
            (Reject::UpstreamUnreachable, 14),
            (Reject::UpstreamOverloaded, 14),
            (Reject::UpstreamTimeout, 4),
            (Reject::BadRequest(""), 13),
            (Reject::BodyTooLarge, 2),
        ] {
            assert_eq!(status(&reject), expected, "{reject:?}");
        }
    }
}
