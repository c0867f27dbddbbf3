//! Signatures as generated code describes them: inert tables.

use gateway_base::units::ByteSize;

/// What is signed, and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HmacProfile {
    /// In the manner of draft-cavage-http-signatures, as APISIX 3.11 and later.
    CavageApisix,
    /// `X-HMAC-…` headers, as APISIX 3.10 and before.
    ApisixV1,
    /// HTTP Message Signatures.
    Rfc9421,
}

/// Algorithms of HMAC (RFC 2104).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HmacAlgorithm {
    /// `hmac-sha1`, for clients that have nothing else.
    HmacSha1,
    /// `hmac-sha256`.
    HmacSha256,
    /// `hmac-sha512`.
    HmacSha512,
}

/// Whether a digest of the body is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyDigest {
    /// The body is not checked.
    Ignored,
    /// There must be one, and it must fit.
    Required {
        /// A larger body is refused with 413.
        max_body: ByteSize,
    },
}

/// Whether a signature counts once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// It counts as often as it comes, while its time lasts.
    Accept,
    /// It counts for one request.
    Refuse,
}

impl HmacAlgorithm {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::HmacSha1 => "hmac-sha1",
            Self::HmacSha256 => "hmac-sha256",
            Self::HmacSha512 => "hmac-sha512",
        }
    }

    pub(crate) fn key(self, secret: &[u8]) -> aws_lc_rs::hmac::Key {
        use aws_lc_rs::hmac;
        let algorithm = match self {
            Self::HmacSha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::HmacSha256 => hmac::HMAC_SHA256,
            Self::HmacSha512 => hmac::HMAC_SHA512,
        };
        hmac::Key::new(algorithm, secret)
    }
}
