//! How a message's body is delimited (RFC 9112 §6).

use crate::http1::head::Field;
use crate::http1::names::{FieldClass, FieldTable};
use crate::reject::Reject;

/// How long a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyLength {
    /// There is none.
    None,
    /// This many bytes.
    Exactly(u64),
    /// Chunked.
    Chunked,
    /// Up to the end of the connection; responses only.
    UntilClose,
}

/// The framing fields of one head.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Framing {
    content_length: Option<u64>,
    chunked: bool,
}

/// Why framing fields cannot be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadFraming(pub &'static str);

impl Framing {
    /// Reads the framing fields.
    ///
    /// # Errors
    /// Everything that two recipients could read differently: several lengths that differ, a length beside a transfer
    /// coding, and codings other than a single `chunked` (RFC 9112 §6.1, §6.3).
    pub fn of(fields: &[Field<'_>], table: &FieldTable) -> Result<Self, BadFraming> {
        let mut framing = Self::default();
        for field in fields {
            match table.classify(field.name) {
                FieldClass::ContentLength => framing.add_length(field.value)?,
                FieldClass::TransferEncoding => framing.add_coding(field.value)?,
                _ => {}
            }
        }
        if framing.chunked && framing.content_length.is_some() {
            return Err(BadFraming("Content-Length and Transfer-Encoding together"));
        }
        Ok(framing)
    }

    fn add_length(&mut self, value: &[u8]) -> Result<(), BadFraming> {
        for text in value.split(|byte| *byte == b',') {
            let length = digits(text.trim_ascii()).ok_or(BadFraming("Content-Length is not a number"))?;
            if self.content_length.is_some_and(|known| known != length) {
                return Err(BadFraming("several Content-Length that differ"));
            }
            self.content_length = Some(length);
        }
        Ok(())
    }

    fn add_coding(&mut self, value: &[u8]) -> Result<(), BadFraming> {
        if self.chunked || !value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
            return Err(BadFraming("a Transfer-Encoding other than a single chunked"));
        }
        self.chunked = true;
        Ok(())
    }

    /// The length of a request's body.
    ///
    /// # Errors
    /// A transfer coding in HTTP/1.0, which does not know it (RFC 9112 §6.1).
    pub fn of_request(self, is_http11: bool) -> Result<BodyLength, Reject> {
        match self {
            Self { chunked: true, .. } if !is_http11 => Err(Reject::BadRequest("Transfer-Encoding in HTTP/1.0")),
            Self { chunked: true, .. } => Ok(BodyLength::Chunked),
            Self { content_length: None | Some(0), .. } => Ok(BodyLength::None),
            Self { content_length: Some(length), .. } => Ok(BodyLength::Exactly(length)),
        }
    }

    /// The length of a response's body, which also depends on the request (RFC 9112 §6.3).
    pub fn of_response(self, status: u16, to_head: bool) -> BodyLength {
        if to_head || status == 204 || status == 304 || status < 200 {
            return BodyLength::None;
        }
        match self {
            Self { chunked: true, .. } => BodyLength::Chunked,
            Self { content_length: Some(0), .. } => BodyLength::None,
            Self { content_length: Some(length), .. } => BodyLength::Exactly(length),
            Self { content_length: None, .. } => BodyLength::UntilClose,
        }
    }

    /// The stated length, whether or not a body follows.
    pub fn content_length(self) -> Option<u64> {
        self.content_length
    }
}

/// One or more digits, nothing else: no sign, no blanks inside.
fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 19 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framing(fields: &[(&'static str, &'static str)]) -> Result<Framing, BadFraming> {
        let fields: Vec<_> = fields.iter().map(|(name, value)| Field { name, value: value.as_bytes() }).collect();
        Framing::of(&fields, &FieldTable::for_requests([]))
    }

    #[test]
    fn ambiguous_framing_is_refused() {
        for fields in [
            &[("Content-Length", "5"), ("Transfer-Encoding", "chunked")][..],
            &[("Content-Length", "5"), ("Content-Length", "6")],
            &[("Content-Length", "5, 6")],
            &[("Content-Length", "+5")],
            &[("Content-Length", "-5")],
            &[("Content-Length", "5 5")],
            &[("Content-Length", "0x5")],
            &[("Content-Length", "")],
            &[("Content-Length", "99999999999999999999")],
            &[("Transfer-Encoding", "gzip, chunked")],
            &[("Transfer-Encoding", "chunked, chunked")],
            &[("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "chunked")],
            &[("Transfer-Encoding", "identity")],
            &[("Transfer-Encoding", "xchunked")],
            &[("Transfer-Encoding", "")],
        ] {
            assert!(framing(fields).is_err(), "{fields:?}");
        }
    }

    #[test]
    fn plain_framing_is_read() {
        assert_eq!(framing(&[]).map(|f| f.of_request(true)), Ok(Ok(BodyLength::None)));
        assert_eq!(framing(&[("Content-Length", "7")]).map(|f| f.of_request(true)), Ok(Ok(BodyLength::Exactly(7))));
        assert_eq!(framing(&[("Content-Length", "7, 7")]).map(|f| f.of_request(true)), Ok(Ok(BodyLength::Exactly(7))));
        assert_eq!(
            framing(&[("Transfer-Encoding", "Chunked")]).map(|f| f.of_request(true)),
            Ok(Ok(BodyLength::Chunked))
        );
        assert!(framing(&[("Transfer-Encoding", "chunked")]).is_ok_and(|f| f.of_request(false).is_err()));
        assert_eq!(framing(&[("Content-Length", "7")]).map(|f| f.of_response(304, false)), Ok(BodyLength::None));
        assert_eq!(framing(&[]).map(|f| f.of_response(200, false)), Ok(BodyLength::UntilClose));
    }
}
