//! Signatures as generated code describes them: inert tables.

use gateway_base::units::ByteSize;
pub use gateway_terms::hmac::{HmacAlgorithm, HmacProfile};

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

/// The key of `secret` for an algorithm.
pub(crate) fn key(algorithm: HmacAlgorithm, secret: &[u8]) -> aws_lc_rs::hmac::Key {
    use aws_lc_rs::hmac;
    let algorithm = match algorithm {
        HmacAlgorithm::HmacSha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        HmacAlgorithm::HmacSha256 => hmac::HMAC_SHA256,
        HmacAlgorithm::HmacSha512 => hmac::HMAC_SHA512,
    };
    hmac::Key::new(algorithm, secret)
}
