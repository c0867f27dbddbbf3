//! What every profile reads from a request, before anything of it is trusted.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::hmac::tables::HmacAlgorithm;
use gateway_wire::http1::head::Field;

/// Why a signature is invalid, for the log. It names no secret and nothing that the client sent.
pub(super) type Why = &'static str;

/// A signature and what it is said to cover.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) key_id: String,
    pub(super) algorithm: HmacAlgorithm,
    /// The signature.
    pub(super) mac: Vec<u8>,
    /// What is signed.
    pub(super) text: Vec<u8>,
    pub(super) window: Window,
}

/// Why there is no claim.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unsigned {
    /// The request brings no signature of this scheme.
    Missing,
    /// It has one that cannot be valid.
    Bad(Why),
}

impl From<Why> for Unsigned {
    fn from(why: Why) -> Self {
        Self::Bad(why)
    }
}

/// When a signature was made, and when it ends, in seconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) made: u64,
    pub(super) expires: Option<u64>,
}

impl Window {
    /// The last second at which the signature can be used.
    pub(super) fn end(self, skew: u64) -> u64 {
        self.made.saturating_add(skew).min(self.expires.unwrap_or(u64::MAX))
    }

    /// Whether clocks that differ by at most `skew` seconds may both be right.
    pub(super) fn check(self, now: u64, skew: u64) -> Result<(), Why> {
        if self.made > now.saturating_add(skew) {
            return Err("it was signed in the future");
        }
        if now > self.end(skew) {
            return Err("it was signed too long ago, or has expired");
        }
        Ok(())
    }
}

/// What a scheme asks of every signature.
#[derive(Debug, Clone, Copy)]
pub(super) struct SignatureTerms<'a> {
    /// The name of the HTTP authentication scheme.
    pub(super) scheme: &'a str,
    pub(super) algorithms: &'a [HmacAlgorithm],
    /// Headers or components that must be signed.
    pub(super) required: &'a [&'a str],
    /// There must be a nonce, where the profile has one.
    pub(super) nonce: bool,
}

impl SignatureTerms<'_> {
    /// The accepted algorithm of this name.
    pub(super) fn algorithm(&self, name: &str) -> Result<HmacAlgorithm, Why> {
        let found = self.algorithms.iter().find(|algorithm| algorithm.name() == name);
        found.copied().ok_or("the algorithm is not accepted")
    }

    /// Whether all that must be signed is among `names`.
    pub(super) fn require(&self, names: &[&str]) -> Result<(), Why> {
        at_most(MAX_SIGNED, names.len())?;
        let is_signed = |required: &&str| names.iter().any(|name| name.eq_ignore_ascii_case(required));
        if self.required.iter().all(is_signed) { Ok(()) } else { Err("a required header is not among the signed ones") }
    }
}

/// More headers or components than this are refused: the work for them grows with their square.
pub(super) const MAX_SIGNED: usize = 100;

/// Refuses a list that is too long to be honest.
pub(super) fn at_most(limit: usize, count: usize) -> Result<(), Why> {
    if count > limit { Err("too many headers are listed") } else { Ok(()) }
}

/// A field that may occur once at most, without the white space around it.
pub(super) fn single<'a>(fields: &[Field<'a>], name: &str) -> Result<Option<&'a [u8]>, Why> {
    let mut values = fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value);
    match (values.next(), values.next()) {
        (value, None) => Ok(value.map(<[u8]>::trim_ascii)),
        _ => Err("a field that must stand there once is repeated"),
    }
}

/// As [`single`], for text.
pub(super) fn single_text<'a>(fields: &[Field<'a>], name: &str) -> Result<Option<&'a str>, Why> {
    let value = single(fields, name)?;
    value.map(|value| std::str::from_utf8(value).map_err(|_| "a field of the signature is not text")).transpose()
}

/// All values of a field, each without the white space around it, joined by `, ` (RFC 9421 §2.1).
pub(super) fn combined(fields: &[Field<'_>], name: &str) -> Option<Vec<u8>> {
    let mut values = fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
    let mut joined = values.next()?.value.trim_ascii().to_vec();
    for field in values {
        joined.extend_from_slice(b", ");
        joined.extend_from_slice(field.value.trim_ascii());
    }
    Some(joined)
}

/// Seconds since the epoch of an HTTP date (RFC 9110 §5.6.7).
pub(super) fn http_date(value: &[u8]) -> Result<u64, Why> {
    let date = std::str::from_utf8(value).ok().and_then(|text| httpdate::parse_http_date(text).ok());
    let since = date.and_then(|date| date.duration_since(std::time::UNIX_EPOCH).ok());
    since.map(|since| since.as_secs()).ok_or("Date is not a date")
}

/// A signature in base64, with padding.
pub(super) fn signature(text: &str) -> Result<Vec<u8>, Why> {
    STANDARD.decode(text).map_err(|_| "the signature is not in base64 format")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::request_view::RequestView;

    /// The date of the guide's example.
    pub(in crate::hmac) const DATE: &str = "Fri, 06 Sep 2024 06:41:29 GMT";

    /// A request to take apart.
    pub(in crate::hmac) struct Request<'a> {
        method: &'a str,
        target: &'a str,
        fields: Vec<Field<'a>>,
    }

    impl<'a> Request<'a> {
        pub(in crate::hmac) fn new(method: &'a str, target: &'a str, fields: &[(&'a str, &'a str)]) -> Self {
            let fields = fields.iter().map(|(name, value)| Field { name, value: value.as_bytes() }).collect();
            Self { method, target, fields }
        }

        pub(in crate::hmac) fn with<T>(&self, look: impl FnOnce(&RequestView<'_>) -> T) -> T {
            let (path, query) = match self.target.split_once('?') {
                Some((path, query)) => (path, Some(query)),
                None => (self.target, None),
            };
            let host = self.fields.iter().find(|field| field.name.eq_ignore_ascii_case("host"));
            let authority = host.and_then(|host| std::str::from_utf8(host.value).ok());
            let (method, target) = (self.method, self.target);
            look(&RequestView { method, target, path, authority, ..RequestView::of(&self.fields, query) })
        }
    }

    pub(in crate::hmac) fn mac(algorithm: HmacAlgorithm, secret: &[u8], text: &[u8]) -> Vec<u8> {
        aws_lc_rs::hmac::sign(&crate::hmac::tables::key(algorithm, secret), text).as_ref().to_vec()
    }

    #[test]
    fn clocks_may_differ_in_both_directions() {
        let window = |made, expires| Window { made, expires };
        for (window, now, is_good) in [
            (window(1000, None), 1000, true),
            (window(1000, None), 1300, true),
            (window(1000, None), 1301, false),
            (window(1300, None), 1000, true),
            (window(1301, None), 1000, false),
            (window(1000, Some(1100)), 1100, true),
            (window(1000, Some(1100)), 1101, false),
            (window(u64::MAX, None), 1000, false),
        ] {
            assert_eq!(window.check(now, 300).is_ok(), is_good, "{window:?} at {now}");
        }
    }

    #[test]
    fn dates_are_those_of_rfc_9110() {
        assert_eq!(http_date(DATE.as_bytes()), Ok(1_725_604_889));
        assert_eq!(http_date(b"Friday, 06-Sep-24 06:41:29 GMT"), Ok(1_725_604_889));
        for bad in ["", "adfsdf", "2024-09-06T06:41:29Z", "1725604889", "\u{ff}"] {
            assert!(http_date(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
