//! What clients, the access log and metrics are told about the cache: `Cache-Status` (RFC 9211), and one word.

use gateway_wire::http1::head::Field;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What became of a request to an operation whose responses are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was answered from what is stored.
    Hit,
    /// The same, with something stale.
    Stale,
    /// The upstream said that what is stored is still valid.
    Revalidated,
    /// It got the response that another request was waiting for.
    Collapsed,
    /// The upstream answered it: nothing was stored.
    Miss,
    /// The upstream answered it: what was stored was stale, or not what the request asks for.
    Expired,
    /// The upstream answered it, as if nothing were stored.
    Bypass,
}

impl Outcome {
    /// In the order of the variants.
    const WORDS: [&'static str; 7] = ["hit", "stale", "revalidated", "collapsed", "miss", "expired", "bypass"];

    /// For the access log.
    pub(crate) fn word(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}

/// How often each came.
#[derive(Debug, Default)]
pub(crate) struct Outcomes([AtomicU64; Outcome::WORDS.len()]);

impl Outcomes {
    pub(super) fn count(&self, outcome: Outcome) {
        self.0[outcome as usize].fetch_add(1, Relaxed);
    }

    pub(super) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Outcome::WORDS.into_iter().zip(&self.0).map(|(word, count)| (word, count.load(Relaxed)))
    }
}

/// Why a request goes to the upstream (RFC 9211 §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forward {
    /// Nothing is stored for what it is about.
    UriMiss,
    /// What is stored is for requests with other fields.
    VaryMiss,
    /// What is stored is stale.
    Stale,
    /// The client wants it so.
    Request,
    /// Its method is HEAD: the response has no content that could be stored.
    Method,
    /// It is one that the cache leaves alone.
    Bypass,
}

impl Forward {
    fn word(self) -> &'static str {
        match self {
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Stale => "stale",
            Self::Request => "request",
            Self::Method => "method",
            Self::Bypass => "bypass",
        }
    }

    /// For the log and for metrics, where the upstream answers.
    pub(crate) fn outcome(self) -> Outcome {
        match self {
            Self::UriMiss | Self::VaryMiss | Self::Method => Outcome::Miss,
            Self::Stale | Self::Request => Outcome::Expired,
            Self::Bypass => Outcome::Bypass,
        }
    }
}

/// What `Cache-Status` says of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// It was answered from what is stored, which is fresh for so many seconds, or stale for them.
    Hit { ttl: i64 },
    Forwarded {
        why: Forward,
        /// What the upstream said, where the client reads something else.
        status: Option<u16>,
        /// The response is stored.
        stored: bool,
        /// Another request brought it.
        collapsed: bool,
        /// What else there is to say; a token.
        detail: Option<&'static str>,
    },
    /// The gateway answered itself, before it asked anyone.
    Own(&'static str),
}

impl Status {
    /// A request that goes to the upstream.
    pub(crate) fn forwarded(why: Forward) -> Self {
        Self::Forwarded { why, status: None, stored: false, collapsed: false, detail: None }
    }

    /// As a member of the field.
    pub(crate) fn show(self) -> String {
        match self {
            Self::Hit { ttl } => ["gateway; hit; ttl=", itoa::Buffer::new().format(ttl)].concat(),
            Self::Own(detail) => format!("gateway; detail={detail}"),
            Self::Forwarded { why, status, stored, collapsed, detail } => {
                let mut text = format!("gateway; fwd={}", why.word());
                if let Some(status) = status {
                    text.push_str(&format!("; fwd-status={status}"));
                }
                for (word, is_so) in [("; stored", stored), ("; collapsed", collapsed)] {
                    text.push_str(if is_so { word } else { "" });
                }
                if let Some(detail) = detail {
                    text.push_str("; detail=");
                    text.push_str(detail);
                }
                text
            }
        }
    }
}

/// The value of `Cache-Status`, behind what caches nearer to the origin say (RFC 9211 §2).
pub(crate) struct CacheStatus(Vec<u8>);

impl CacheStatus {
    /// `member` behind what these fields say, and the other ones.
    pub(crate) fn beside<'f>(fields: impl Iterator<Item = Field<'f>>, member: &str) -> (Self, Vec<Field<'f>>) {
        let (mut value, mut others) = (Vec::with_capacity(member.len()), Vec::with_capacity(USUAL_FIELDS));
        for field in fields {
            if field.name.eq_ignore_ascii_case(CACHE_STATUS) {
                value.extend_from_slice(field.value);
                value.extend_from_slice(b", ");
            } else {
                others.push(field);
            }
        }
        value.extend_from_slice(member.as_bytes());
        (Self(value), others)
    }

    /// As a field.
    pub(crate) fn field(&self) -> Field<'_> {
        Field { name: CACHE_STATUS, value: &self.0 }
    }
}

/// The name of the field.
pub(crate) const CACHE_STATUS: &str = "Cache-Status";

/// Few responses have more fields.
const USUAL_FIELDS: usize = 16;
